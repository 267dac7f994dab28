/* SPDX-License-Identifier: MIT */
/* exhaustion.c - no descriptor is left (HC10, HC22): accepting pauses and goes on, what is open is
 * not affected, and everything else says so.
 *
 * In child processes, which have their own limit. Runs alone: it looks at calls per second.
 */
#include "io_support.h"
#include "syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* In a child nothing is asserted: it says where it failed, and exits. */
#define CHECK(condition)                                                                           \
 do {                                                                                              \
  if (!(condition)) {                                                                              \
   fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                  \
   _exit(1);                                                                                       \
  }                                                                                                \
 } while (0)

#define CLIENTS 5
#define FILLERS 64

/* A server with a connection it has, and some that wait to be accepted. */
struct server {
	struct sennit_runtime *runtime;
	struct sennit_executor *executor;
	struct sennit_tcp_acceptor acceptor;
	struct sennit_tcp_socket first;
	struct sennit_tcp_socket accepted[CLIENTS];
	struct flight accepts[CLIENTS];
	struct flight read;
	struct flight write;
	int client;           /* of the connection it has */
	int clients[CLIENTS]; /* of those that wait */
	int fillers[FILLERS];
	int filled;
	struct rlimit limit; /* as it was */
	atomic_uint lines;   /* of its log */
};

static void on_log(void *user, enum sennit_log_level level, const char *line)
{
	struct server *server = user;

	(void)level;
	CHECK(strlen(line) > 0);
	atomic_fetch_add(&server->lines, 1);
}

static int connect_client(const struct sennit_endpoint *endpoint)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	CHECK(fd >= 0);
	CHECK(connect(fd, &endpoint->address.any, (socklen_t)sennit_endpoint_size(endpoint)) == 0);
	return fd;
}

static void start_accept(struct server *server, struct sennit_tcp_socket *socket,
                         struct flight *flight)
{
	sennit_tcp_socket_init(socket, server->executor);
	expect_result(&flight->op, &flight->result, server->executor);
	sennit_tcp_acceptor_async_accept(&server->acceptor, socket, &flight->op, on_result);
}

static void open_server(struct server *server)
{
	struct sennit_runtime_options options = { .size = sizeof options,
		                                  .workers = 1,
		                                  .pin = SENNIT_PIN_NONE,
		                                  .log = on_log,
		                                  .log_user = server };
	struct sennit_endpoint endpoint;

	CHECK(sennit_runtime_create(&options, &server->runtime) == 0);
	CHECK(sennit_runtime_start(server->runtime) == 0);
	server->executor = sennit_runtime_worker(server->runtime, 0);
	CHECK(sennit_tcp_acceptor_open(&server->acceptor, server->executor, "127.0.0.1:0") == 0);
	CHECK(sennit_tcp_acceptor_local_endpoint(&server->acceptor, &endpoint) == 0);
	start_accept(server, &server->first, &server->accepts[0]);
	server->client = connect_client(&endpoint);
	wait_result(&server->accepts[0].result);
	CHECK(server->accepts[0].result.error == 0);
	for (int i = 0; i < CLIENTS; i++)
		server->clients[i] = connect_client(&endpoint);
}

/* Takes every descriptor that the process may have. */
static void exhaust(struct server *server)
{
	struct rlimit less;
	int highest = fcntl(server->client, F_DUPFD, 0);

	CHECK(highest >= 0 && close(highest) == 0);
	CHECK(getrlimit(RLIMIT_NOFILE, &server->limit) == 0);
	less = server->limit;
	less.rlim_cur = (rlim_t)highest + FILLERS / 2;
	CHECK(setrlimit(RLIMIT_NOFILE, &less) == 0);
	for (server->filled = 0; server->filled < FILLERS; server->filled++) {
		int fd = dup(server->client);

		if (fd < 0)
			break;
		server->fillers[server->filled] = fd;
	}
	CHECK(errno == EMFILE && server->filled >= CLIENTS + 2);
}

static void give_back(struct server *server)
{
	while (server->filled)
		CHECK(close(server->fillers[--server->filled]) == 0);
}

static void echo_once(struct server *server)
{
	char data[4] = "ping", reply[4];

	expect_result(&server->read.op, &server->read.result, server->executor);
	expect_result(&server->write.op, &server->write.result, server->executor);
	sennit_async_read(&server->first.stream, reply, 4, &server->read.op, on_result);
	CHECK(write(server->client, data, 4) == 4);
	wait_result(&server->read.result);
	CHECK(server->read.result.error == 0 && server->read.result.bytes == 4);
	sennit_async_write(&server->first.stream, reply, 4, &server->write.op, on_result);
	CHECK(read(server->client, data, 4) == 4 && memcmp(data, "ping", 4) == 0);
	wait_result(&server->write.result);
	CHECK(server->write.result.error == 0 && server->write.result.bytes == 4);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Looks for a while how often it tries; what is open goes on meanwhile. */
static void check_rate(struct server *server)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	uint64_t from_ms = now_ms(), tries = system_calls(SYS_accept4), ms;

	do {
		echo_once(server);
		CHECK(nanosleep(&pause, NULL) == 0);
		ms = now_ms() - from_ms;
	} while (ms < 600 || system_calls(SYS_accept4) == tries);
	/* At most 100 calls a second, and one more for what had begun. */
	CHECK(system_calls(SYS_accept4) - tries <= 1 + ms / 10);
}

static bool none_accepted(struct server *server)
{
	for (int i = 0; i < CLIENTS; i++) {
		if (server->accepts[i].result.calls)
			return false;
	}
	return true;
}

static void nothing(void *argument)
{
	(void)argument;
}

/* In a child. */
static void accept_without_descriptors(void *argument)
{
	struct server *server = argument;

	open_server(server);
	for (int round = 0; round < 2; round++) {
		exhaust(server);
		for (int i = 0; i < CLIENTS; i++)
			start_accept(server, &server->accepted[i], &server->accepts[i]);
		check_rate(server);
		/* On the owner, so that no handler can be running. */
		call_on(server->executor, nothing, NULL);
		CHECK(none_accepted(server));
		/* One line for as long as it lasts. */
		CHECK(atomic_load(&server->lines) == (unsigned)round + 1);
		give_back(server);
		for (int i = 0; i < CLIENTS; i++) {
			wait_result(&server->accepts[i].result);
			CHECK(server->accepts[i].result.error == 0);
		}
		echo_once(server);
		for (int i = 0; i < CLIENTS && round == 0; i++) {
			struct sennit_endpoint endpoint;

			sennit_close(&server->accepted[i].stream);
			/* The owner has closed it when its end is here. */
			CHECK(read(server->clients[i], &(char){ 0 }, 1) == 0);
			CHECK(close(server->clients[i]) == 0);
			CHECK(sennit_tcp_acceptor_local_endpoint(&server->acceptor, &endpoint) ==
			      0);
			server->clients[i] = connect_client(&endpoint);
		}
		CHECK(setrlimit(RLIMIT_NOFILE, &server->limit) == 0);
	}
	CHECK(sennit_runtime_destroy(server->runtime) == 0);
}

/* In a child: cancelled, closed and destroyed while it pauses. */
static void end_while_accepting_pauses(void *argument)
{
	struct server *server = argument;

	open_server(server);
	exhaust(server);
	for (int i = 0; i < 3; i++)
		start_accept(server, &server->accepted[i], &server->accepts[i]);
	check_rate(server);
	sennit_tcp_acceptor_cancel(&server->acceptor);
	for (int i = 0; i < 3; i++) {
		wait_result(&server->accepts[i].result);
		CHECK(server->accepts[i].result.error == -ECANCELED);
		CHECK(!sennit_is_open(&server->accepted[i].stream));
	}
	/* Another one is not served while the pause lasts, and served after it. */
	start_accept(server, &server->accepted[0], &server->accepts[0]);
	call_on(server->executor, nothing, NULL);
	give_back(server);
	wait_result(&server->accepts[0].result);
	CHECK(server->accepts[0].result.error == 0);
	CHECK(setrlimit(RLIMIT_NOFILE, &server->limit) == 0);
	exhaust(server);
	start_accept(server, &server->accepted[1], &server->accepts[1]);
	check_rate(server);
	sennit_tcp_acceptor_close(&server->acceptor);
	wait_result(&server->accepts[1].result);
	CHECK(server->accepts[1].result.error == -ECANCELED);
	CHECK(sennit_runtime_destroy(server->runtime) == 0);
}

/* In a child. */
static void destroy_while_accepting_pauses(void *argument)
{
	struct server *server = argument;

	open_server(server);
	exhaust(server);
	for (int i = 0; i < CLIENTS; i++)
		start_accept(server, &server->accepted[i], &server->accepts[i]);
	check_rate(server);
	CHECK(sennit_runtime_destroy(server->runtime) == 0);
	for (int i = 0; i < CLIENTS; i++) {
		CHECK(server->accepts[i].result.calls == 1);
		CHECK(server->accepts[i].result.error == SENNIT_SHUTDOWN);
	}
}

/* In a child: what cannot open says so, changes nothing, and can afterwards. */
static void open_without_descriptors(void *argument)
{
	struct server *server = argument;
	struct sennit_descriptor pair[2] = { 0 };
	struct sennit_tcp_socket socket;
	struct sennit_tcp_acceptor acceptor = { 0 };
	struct sennit_runtime *second = NULL;
	struct sennit_endpoint endpoint;

	open_server(server);
	CHECK(sennit_tcp_acceptor_local_endpoint(&server->acceptor, &endpoint) == 0);
	exhaust(server);
	sennit_tcp_socket_init(&socket, server->executor);
	sennit_tcp_socket_init(&server->accepted[0], server->executor);
	for (int left = 0; left < 2; left++) {
		/* None left, then one, which is no pair. */
		CHECK(sennit_descriptor_pair(&pair[0], &pair[1], server->executor) == -EMFILE);
		CHECK(!sennit_is_open(&pair[0].stream) && !sennit_is_open(&pair[1].stream));
		CHECK(sennit_tcp_socket_pair(&socket, &server->accepted[0]) < 0);
		CHECK(sennit_runtime_create(NULL, &second) == -EMFILE);
		if (left == 0) {
			CHECK(sennit_tcp_socket_open(&socket, AF_INET) == -EMFILE);
			CHECK(sennit_tcp_acceptor_open(&acceptor, server->executor,
			                               "127.0.0.1:0") == -EMFILE);
			expect_result(&server->write.op, &server->write.result, server->executor);
			sennit_tcp_socket_async_connect(&socket, &endpoint, &server->write.op,
			                                on_result);
			wait_result(&server->write.result);
			CHECK(server->write.result.error == -EMFILE);
			CHECK(!sennit_is_open(&socket.stream));
			CHECK(close(server->fillers[--server->filled]) == 0);
		}
	}
	/* Nothing of the failures holds a descriptor. */
	CHECK(sennit_tcp_socket_open(&socket, AF_INET) == 0);
	give_back(server);
	CHECK(sennit_descriptor_pair(&pair[0], &pair[1], server->executor) == 0);
	CHECK(sennit_runtime_destroy(server->runtime) == 0);
}

static void run_server(stage_function *function)
{
	struct server *server = zeroed(sizeof *server);
	struct child child;

	in_child(&child, function, server);
	if (child.status || child.text[0])
		fail_msg("status %#x: %s", (unsigned)child.status, child.text);
	free(server);
}

static void accepting_pauses_without_descriptors_and_goes_on_with_them(void **state)
{
	(void)state;
	run_server(accept_without_descriptors);
}

static void accepts_are_cancelled_and_closed_while_accepting_pauses(void **state)
{
	(void)state;
	run_server(end_while_accepting_pauses);
}

static void a_runtime_is_destroyed_while_accepting_pauses(void **state)
{
	(void)state;
	run_server(destroy_while_accepting_pauses);
}

static void what_cannot_open_says_so_and_leaves_nothing_behind(void **state)
{
	(void)state;
	run_server(open_without_descriptors);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(accepting_pauses_without_descriptors_and_goes_on_with_them),
		TEST(accepts_are_cancelled_and_closed_while_accepting_pauses),
		TEST(a_runtime_is_destroyed_while_accepting_pauses),
		TEST(what_cannot_open_says_so_and_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
