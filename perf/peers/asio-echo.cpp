/* SPDX-License-Identifier: MIT */
/* asio-echo.cpp - the same echo server on Boost.Asio: by default one io_context per thread with
 * concurrency hint 1 and a SO_REUSEPORT acceptor of its own; with --shared one context that all
 * threads run. Sockets are of the context's own executor type (not the type-erased one), handlers
 * are one pointer wide, so Asio's recycling allocator serves them: the shortest way that it has. */
#include "perf/net/command.h"

#include <boost/asio.hpp>
#include <boost/version.hpp>

#include <memory>
#include <thread>
#include <vector>

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using executor = asio::io_context::executor_type;
using stream_socket = asio::basic_stream_socket<tcp, executor>;
using socket_acceptor = asio::basic_socket_acceptor<tcp, executor>;

namespace
{

struct session {
	session(stream_socket &&accepted, std::size_t bytes)
	    : socket(std::move(accepted)), size(bytes), data(new char[bytes]())
	{
	}

	void read()
	{
		socket.async_read_some(asio::buffer(data.get(), size),
		                       [this](error_code error, std::size_t bytes) {
					       if (error)
						       delete this;
					       else
						       write(bytes);
				       });
	}

	void write(std::size_t bytes)
	{
		asio::async_write(socket, asio::buffer(data.get(), bytes),
		                  [this](error_code error, std::size_t) {
					  if (error)
						  delete this;
					  else
						  read();
				  });
	}

	stream_socket socket;
	std::size_t size;
	std::unique_ptr<char[]> data;
};

struct listener {
	listener(asio::io_context &context, command_server &server)
	    : acceptor(context), buffer(server.buffer)
	{
		int fd = command_listen(&server.port);

		if (fd < 0)
			std::exit(1);
		acceptor.assign(tcp::v4(), fd);
		accept();
	}

	void accept()
	{
		acceptor.async_accept([this](error_code error, stream_socket socket) {
			error_code ignored;

			if (!error) {
				socket.set_option(tcp::no_delay(true), ignored);
				(new session(std::move(socket), buffer))->read();
			}
			accept();
		});
	}

	socket_acceptor acceptor;
	std::size_t buffer;
};

} /* namespace */

int main(int argc, char **argv)
{
	bool shared = false;
	command_server server = command_server_parse(argc, argv, "--shared", &shared);
	sigset_t set = command_block_signals();
	std::size_t contexts = shared ? 1 : server.workers;
	std::vector<std::unique_ptr<asio::io_context>> context;
	std::vector<std::unique_ptr<listener>> listeners;
	std::vector<std::thread> threads;
	char version[32];

	command_raise_descriptor_limit();
	for (std::size_t i = 0; i < contexts; i++) {
		context.emplace_back(shared ? new asio::io_context : new asio::io_context(1));
		listeners.emplace_back(new listener(*context[i], server));
	}
	for (std::size_t i = 0; i < server.workers; i++) {
		asio::io_context *own = context[i % contexts].get();

		threads.emplace_back([own] { own->run(); });
	}
	std::snprintf(version, sizeof version, "%d.%d.%d", BOOST_VERSION / 100000,
	              BOOST_VERSION / 100 % 1000, BOOST_VERSION % 100);
	command_peer_serve(&server, shared ? "asio-shared" : "asio", version,
	                   sizeof(session) + server.buffer, set);
	_exit(0); /* the contexts never end by themselves */
}
