/* SPDX-License-Identifier: MIT */
/* asio-tls-echo.cpp - asio-echo.cpp with asio::ssl::stream: the same contexts, sockets, handlers
 * and allocator, and a certificate. Tickets resume sessions; the cache, which would take a lock, is
 * off. */
#include "perf/net/command.h"

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/version.hpp>

#include <memory>
#include <thread>
#include <vector>

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using executor = asio::io_context::executor_type;
using stream_socket = asio::basic_stream_socket<tcp, executor>;
using tls_stream = asio::ssl::stream<stream_socket>;
using socket_acceptor = asio::basic_socket_acceptor<tcp, executor>;

namespace
{

struct session {
	session(stream_socket &&accepted, asio::ssl::context &tls, std::size_t bytes)
	    : stream(std::move(accepted), tls), size(bytes), data(new char[bytes]())
	{
	}

	void start()
	{
		stream.async_handshake(asio::ssl::stream_base::server, [this](error_code error) {
			if (error)
				delete this;
			else
				read();
		});
	}

	void read()
	{
		stream.async_read_some(asio::buffer(data.get(), size),
		                       [this](error_code error, std::size_t bytes) {
					       if (error)
						       delete this;
					       else
						       write(bytes);
				       });
	}

	void write(std::size_t bytes)
	{
		asio::async_write(stream, asio::buffer(data.get(), bytes),
		                  [this](error_code error, std::size_t) {
					  if (error)
						  delete this;
					  else
						  read();
				  });
	}

	tls_stream stream;
	std::size_t size;
	std::unique_ptr<char[]> data;
};

struct listener {
	listener(asio::io_context &context, asio::ssl::context &tls_context, command_server &server)
	    : acceptor(context), tls(tls_context), buffer(server.buffer)
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
				(new session(std::move(socket), tls, buffer))->start();
			}
			accept();
		});
	}

	socket_acceptor acceptor;
	asio::ssl::context &tls;
	std::size_t buffer;
};

} /* namespace */

int main(int argc, char **argv)
{
	bool shared = false;
	const char *certificate = nullptr;
	const char *key = nullptr;
	const command_option flag = { "--shared", nullptr, 0, 0, &shared, nullptr };
	command_server server = command_tls_server_parse(argc, argv, &certificate, &key, &flag);
	asio::ssl::context tls(asio::ssl::context::tls_server);
	sigset_t set = command_block_signals();
	std::size_t contexts = shared ? 1 : server.workers;
	std::vector<std::unique_ptr<asio::io_context>> context;
	std::vector<std::unique_ptr<listener>> listeners;
	std::vector<std::thread> threads;
	char version[32];

	tls.set_options(asio::ssl::context::default_workarounds |
	                asio::ssl::context::no_compression | SSL_OP_NO_RENEGOTIATION);
	tls.use_certificate_chain_file(certificate);
	tls.use_private_key_file(key, asio::ssl::context::pem);
	SSL_CTX_set_session_cache_mode(tls.native_handle(), SSL_SESS_CACHE_OFF);
	command_raise_descriptor_limit();
	for (std::size_t i = 0; i < contexts; i++) {
		context.emplace_back(shared ? new asio::io_context : new asio::io_context(1));
		listeners.emplace_back(new listener(*context[i], tls, server));
	}
	for (std::size_t i = 0; i < server.workers; i++) {
		asio::io_context *own = context[i % contexts].get();

		threads.emplace_back([own] { own->run(); });
	}
	std::snprintf(version, sizeof version, "%d.%d.%d", BOOST_VERSION / 100000,
	              BOOST_VERSION / 100 % 1000, BOOST_VERSION % 100);
	command_peer_serve(&server, shared ? "asio-tls-shared" : "asio-tls", version,
	                   sizeof(session) + server.buffer, set);
	_exit(0); /* the contexts never end by themselves */
}
