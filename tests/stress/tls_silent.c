/* SPDX-License-Identifier: MIT */
/* tls_silent.c - thousands of clients that connect and never shake hands: they cost little, end
 * with their deadlines, and are in nobody's way. They are a process of their own. */
#include "openssl_memory.h"
#include "tls_support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a client may cost in OpenSSL's memory: the session, a buffer for the message that is waited
 * for, and once there is a part of it two for records; and how many of that are large. */
#define CLIENT_BYTES ((size_t)80 * 1024)
#define CLIENT_LARGE 3

static unsigned clients(void)
{
	return scale() < 10 ? 1000 : 10000;
}

/* --- the clients ------------------------------------------------------------------------------ */

/* The beginning of a message, of which each client sends as much: nothing, a part of the record's
 * header, the header, the header and some more. */
static const unsigned char hello[] = {22, 3, 1, 1, 0, 1, 0, 0, 252, 3, 3, 7, 7, 7};
static const size_t said[] = {0, 1, 5, sizeof hello};

struct crowd {
	pid_t process;
	int to;   /* the port; closed when they are to go */
	int from; /* a byte once all are connected */
};

static _Noreturn void be_crowd(int from, int to, unsigned count)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	bool right = read(from, &address.sin_port, sizeof address.sin_port) == 2;
	char byte = 0;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (unsigned i = 0; right && i < count; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		size_t size = said[i % COUNT_OF(said)];

		right = fd >= 0 && !connect(fd, (struct sockaddr *)&address, sizeof address) &&
			(!size || send(fd, hello, size, MSG_NOSIGNAL) == (ssize_t)size);
	}
	right = right && write(to, &byte, 1) == 1 && read(from, &byte, 1) == 0;
	_exit(right ? 0 : 1);
}

/* Before there are threads. */
static struct crowd make_crowd(unsigned count)
{
	struct crowd crowd;
	int there[2];
	int back[2];

	assert_int_equal(pipe(there), 0);
	assert_int_equal(pipe(back), 0);
	crowd.process = fork();
	assert_true(crowd.process >= 0);
	if (!crowd.process) {
		close(there[1]);
		close(back[0]);
		be_crowd(there[0], back[1], count);
	}
	close(there[0]);
	close(back[1]);
	crowd.to = there[1];
	crowd.from = back[0];
	return crowd;
}

static void end_crowd(struct crowd *crowd)
{
	int status;

	close(crowd->to);
	close(crowd->from);
	assert_int_equal(waitpid(crowd->process, &status, 0), crowd->process);
	assert_int_equal(status, 0);
}

/* --- the server ------------------------------------------------------------------------------- */

struct server;

/* Every second one is left to the deadline that the test gives it, the others are closed while they
 * have the usual one. */
struct guest {
	struct server *server;
	struct sennit_tcp_socket socket;
	struct sennit_tls_stream stream;
	struct sennit_op accept;
	struct sennit_op handshake;
	bool expires;
};

struct server {
	struct sennit_runtime *runtime;
	struct sennit_tls_context *context;
	struct sennit_tcp_acceptor acceptor;
	struct guest *guests;
	unsigned count;
	unsigned accepted; /* the acceptor's owner's */
	struct latch taken;
	struct latch ended;
};

static void on_hands(struct sennit_op *op, int error, size_t bytes)
{
	struct guest *guest = op->user;

	RECORD(error == (guest->expires ? -ETIMEDOUT : -ECANCELED) && bytes == 0);
	sennit_close(&guest->stream.stream);
	progress();
	latch_down(&guest->server->ended);
}

static void accept_next(struct server *server);

static void on_guest(struct sennit_op *op, int error, size_t bytes)
{
	struct guest *guest = op->user;
	struct server *server = guest->server;

	(void)bytes;
	if (!RECORD(!error))
		return;
	RECORD(!sennit_tls_stream_open_server(&guest->stream, server->context,
					      &guest->socket.stream));
	guest->handshake.user = guest;
	if (guest->expires)
		sennit_op_expires_after(&guest->handshake, SENNIT_MS(100));
	sennit_tls_async_handshake(&guest->stream, &guest->handshake, on_hands);
	progress();
	latch_down(&server->taken);
	accept_next(server);
}

static void accept_next(struct server *server)
{
	unsigned next = server->accepted++;
	struct guest *guest = &server->guests[next];

	if (next == server->count)
		return;
	guest->server = server;
	guest->expires = next % 2;
	guest->accept.user = guest;
	sennit_tcp_socket_init(&guest->socket,
			       sennit_runtime_worker(server->runtime, next / 2 % 2));
	sennit_tcp_acceptor_async_accept(&server->acceptor, &guest->socket, &guest->accept,
					 on_guest);
}

static void start_accepting(void *argument)
{
	accept_next(argument);
}

/* Somebody who does shake hands is served meanwhile. */
static void be_served(struct stage *stage)
{
	struct flight flights[2] = {0};
	struct tls_pair pair = {0};
	char got[5];

	connect_pair(stage, &pair);
	START(stage, {WRITE, .stream = &pair.client.stream, .data = "hello", .size = 5,
		      .flight = &flights[0]},
	      {READ, .stream = &pair.server.stream, .data = got, .size = 5,
	       .flight = &flights[1]});
	EXPECT(&flights[0], 0, 5);
	EXPECT(&flights[1], 0, 5);
	assert_memory_equal(got, "hello", 5);
	sennit_close(&pair.client.stream);
	sennit_close(&pair.server.stream);
}

static bool allow_descriptors(unsigned count)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	return limit.rlim_max >= count && !setrlimit(RLIMIT_NOFILE, &limit);
}

static void silent_clients_cost_little_and_are_in_nobodys_way(void **state)
{
	struct server server = {.count = clients()};
	struct stage stage = {.kind = THREAD_FOREIGN};
	struct sennit_endpoint endpoint;
	struct crowd crowd;
	uint16_t port;
	size_t bytes;
	size_t large;
	char byte;

	(void)state;
	if (!allow_descriptors(server.count + 100))
		SKIP("the limit of descriptors is too low");
	crowd = make_crowd(server.count);
	server.context = server_context(test_certificate());
	server.guests = zeroed(server.count * sizeof *server.guests);
	server.taken = server.ended = (struct latch)LATCH(server.count);
	server.runtime = stage.runtime = started_runtime(2);
	for (unsigned i = 2; i--;) { /* what OpenSSL allocates once, and once for a thread */
		stage.owner = sennit_runtime_worker(server.runtime, i);
		be_served(&stage);
	}
	bytes = openssl_bytes();
	large = openssl_large_blocks();

	open_acceptor(&stage, &server.acceptor, &endpoint);
	port = htons(sennit_endpoint_port(&endpoint));
	assert_int_equal(write(crowd.to, &port, sizeof port), sizeof port);
	call_on(stage.owner, start_accepting, &server);
	latch_wait(&server.taken);
	assert_int_equal(read(crowd.from, &byte, 1), 1);
	be_served(&stage);
	assert_in_range(openssl_bytes() - bytes, 0, server.count * CLIENT_BYTES);
	assert_in_range(openssl_large_blocks() - large, 0, server.count * CLIENT_LARGE);
	for (unsigned i = 0; i < server.count; i++)
		if (!server.guests[i].expires)
			sennit_close(&server.guests[i].stream.stream);
	latch_wait(&server.ended);
	sennit_tcp_acceptor_close(&server.acceptor);
	assert_int_equal(sennit_runtime_join(server.runtime), 0);
	assert_in_range(openssl_bytes(), 0, bytes);
	end_runtime(server.runtime);
	sennit_tls_context_destroy(server.context);
	end_crowd(&crowd);
	free(server.guests);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(silent_clients_cost_little_and_are_in_nobodys_way),
	};

	if (!watch_openssl_memory())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
