/* SPDX-License-Identifier: MIT */
/* echo.c - sennit-echo: an echo server on every core, through the public interface alone.
 *
 * Each worker has a listening socket of its own (SO_REUSEPORT) with a few accepts in flight, and
 * serves what it accepted: a session is one socket, one operation and one buffer, and never leaves
 * its worker, so that nothing here is shared but the bell that tells the main thread of the end.
 *
 * The main thread waits for SIGTERM or SIGINT. Then every worker closes its acceptor and takes its
 * reads back; what was read still goes out. A session ends once the kernel has sent all of it; one
 * whose peer is slow is kept until the peer has ended it, for two seconds at most.
 *
 * With a certificate a session speaks TLS: it shakes hands first, and ends with close_notify. */
#include "perf/net/echo.h"

#include "perf/net/command.h"

#include <inttypes.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sennit/sennit.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <time.h>

enum { ACCEPTS = 4, DRAIN_MS = 2000 };

struct session {
	struct sennit_tcp_socket socket;
	struct sennit_tls_stream tls; /* above it, if at all */
	struct sennit_stream *stream; /* the upper one of them */
	struct sennit_op op; /* the accept, maybe the handshake, then the read or the write */
	struct server *server;
	struct session *next;
	struct session *previous;
	bool waiting; /* for what the peer sends when it likes */
	char data[];
};

/* What one worker serves, and counts. Only its worker touches it once it runs. */
struct server {
	struct sennit_tcp_acceptor acceptor;
	struct sennit_task start;
	struct sennit_task stop; /* its own: a signal may come before the start has run */
	struct sennit_executor *executor;
	struct session *sessions; /* accepted and not yet closed */
	size_t accepting;         /* accepts in flight */
	bool stopping;
	bool rung;
	uint64_t accepted;
	uint64_t closed;
	uint64_t requests;
	uint64_t bytes;
	uint64_t errors;
} __attribute__((aligned(128)));

static size_t buffer_bytes;
static int bell = -1; /* an eventfd: workers that have nothing left after the stop */
static struct sennit_tls_context *tls; /* NULL: without */
static sennit_handler on_accepted, on_handshake, on_read, on_written, on_discarded, on_shutdown;

static bool accept_one(struct server *server)
{
	struct session *s = calloc(1, sizeof *s + buffer_bytes);

	if (!s) {
		server->errors++;
		return false;
	}
	s->server = server;
	s->stream = &s->socket.stream;
	s->op.user = s;
	server->accepting++;
	sennit_tcp_socket_init(&s->socket, server->executor);
	sennit_tcp_acceptor_async_accept(&server->acceptor, &s->socket, &s->op, on_accepted);
	return true;
}

/* Keeps ACCEPTS in flight while serving; afterwards rings, once, when nothing is left. */
static void settle(struct server *server)
{
	const uint64_t one = 1;

	while (!server->stopping && server->accepting < ACCEPTS)
		if (!accept_one(server))
			return;
	if (!server->stopping || server->rung || server->accepting || server->sessions)
		return;
	server->rung = true;
	if (write(bell, &one, sizeof one) < 0)
		server->errors++;
}

static void finish(struct session *s, int error)
{
	struct server *server = s->server;

	if (error && error != SENNIT_EOF && error != -ECANCELED && error != SENNIT_SHUTDOWN)
		server->errors++;
	if (s->next)
		s->next->previous = s->previous;
	if (s->previous)
		s->previous->next = s->next;
	else
		server->sessions = s->next;
	server->closed++;
	sennit_close(s->stream);
	free(s);
	if (error != SENNIT_SHUTDOWN)
		settle(server);
}

/* Ends a session after the stop: at once where the kernel has sent everything, since to close with
 * input unread drops what it has not; else when the peer, told that no more comes, ends it. */
static void retire(struct session *s)
{
	int unsent = 0;

	if (tls) {
		sennit_op_expires_after(&s->op, SENNIT_SECONDS(1));
		echo_tls_shutdown(&s->tls, &s->op, on_shutdown);
	} else if (ioctl(sennit_tcp_socket_native_handle(&s->socket), SIOCOUTQNSD, &unsent) ||
	           !unsent || sennit_tcp_socket_shutdown(&s->socket, SHUT_WR)) {
		finish(s, 0);
	} else {
		sennit_async_read_some(s->stream, s->data, buffer_bytes, &s->op, on_discarded);
	}
}

static void on_shutdown(struct sennit_op *op, int error, size_t bytes)
{
	(void)error; /* the peer need not answer */
	(void)bytes;
	finish(op->user, 0);
}

static void on_discarded(struct sennit_op *op, int error, size_t bytes)
{
	struct session *s = op->user;

	(void)bytes;
	if (error)
		finish(s, error);
	else
		sennit_async_read_some(s->stream, s->data, buffer_bytes, op, on_discarded);
}

static void read_next(struct session *s)
{
	s->waiting = true;
	sennit_async_read_some(s->stream, s->data, buffer_bytes, &s->op, on_read);
}

static void shake_hands(struct session *s)
{
	int error = echo_tls_open(&s->tls, tls, &s->socket.stream);

	if (error) {
		finish(s, error);
		return;
	}
	s->stream = &s->tls.stream;
	s->waiting = true;
	echo_tls_handshake(&s->tls, &s->op, on_handshake);
}

static void on_handshake(struct sennit_op *op, int error, size_t bytes)
{
	struct session *s = op->user;

	(void)bytes;
	s->waiting = false;
	if (error)
		finish(s, error);
	else if (s->server->stopping)
		retire(s);
	else
		read_next(s);
}

static void on_accepted(struct sennit_op *op, int error, size_t bytes)
{
	struct session *s = op->user;
	struct server *server = s->server;

	(void)bytes;
	server->accepting--;
	if (error) {
		free(s);
		if (server->stopping)
			settle(server);
		else if (error != SENNIT_SHUTDOWN)
			server->errors++;
		return;
	}
	server->accepted++;
	s->next = server->sessions;
	if (s->next)
		s->next->previous = s;
	server->sessions = s;
	if (server->stopping) {
		finish(s, 0);
		return;
	}
	sennit_tcp_socket_set_option(&s->socket, SENNIT_TCP_NO_DELAY, 1);
	if (tls)
		shake_hands(s);
	else
		read_next(s);
	settle(server);
}

static void on_read(struct sennit_op *op, int error, size_t bytes)
{
	struct session *s = op->user;

	s->waiting = false;
	if (bytes) {
		s->server->requests++;
		s->server->bytes += bytes;
		sennit_async_write(s->stream, s->data, bytes, op, on_written);
	} else if (error == -ECANCELED) {
		retire(s);
	} else {
		finish(s, error);
	}
}

static void on_written(struct sennit_op *op, int error, size_t bytes)
{
	struct session *s = op->user;

	(void)bytes;
	if (error)
		finish(s, error);
	else if (s->server->stopping)
		retire(s);
	else
		read_next(s);
}

static void on_start(struct sennit_task *task, int error)
{
	if (!error)
		settle((void *)((char *)task - offsetof(struct server, start)));
}

static void on_stop(struct sennit_task *task, int error)
{
	struct server *server = (void *)((char *)task - offsetof(struct server, stop));

	if (error)
		return;
	server->stopping = true;
	sennit_tcp_acceptor_close(&server->acceptor);
	for (struct session *s = server->sessions; s; s = s->next)
		if (s->waiting)
			sennit_cancel(s->stream);
	settle(server);
}

/* One listening socket a worker, all on one port. */
static int open_all(struct sennit_runtime *runtime, struct server *servers, unsigned workers,
                    uint64_t port)
{
	const struct sennit_tcp_acceptor_options options = { .size = sizeof options,
		                                             .backlog = COMMAND_BACKLOG,
		                                             .reuse_port = true };
	struct sennit_endpoint endpoint = { 0 };

	endpoint.address.v4.sin_family = AF_INET;
	endpoint.address.v4.sin_port = htons((uint16_t)port);
	endpoint.address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (unsigned i = 0; i < workers; i++) {
		int error;

		servers[i].executor = sennit_runtime_worker(runtime, i);
		error = sennit_tcp_acceptor_open_with(&servers[i].acceptor, servers[i].executor,
		                                      &endpoint, &options);
		if (!error)
			error = sennit_tcp_acceptor_local_endpoint(&servers[i].acceptor, &endpoint);
		if (error) {
			fprintf(stderr, "sennit-echo: cannot listen on 127.0.0.1:%u: %s\n",
			        (unsigned)port, sennit_strerror(error));
			return -1;
		}
	}
	return sennit_endpoint_port(&endpoint);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Until every worker has rung the bell, or the time is over. */
static void wait_for_drain(unsigned workers)
{
	struct pollfd ring = { .fd = bell, .events = POLLIN };
	int64_t end = now_ms() + DRAIN_MS;
	int64_t left;
	uint64_t rung;

	while (workers && (left = end - now_ms()) > 0)
		if (poll(&ring, 1, (int)left) > 0 && read(bell, &rung, sizeof rung) > 0)
			workers -= (unsigned)rung;
}

static void report(const struct server *servers, unsigned workers)
{
	struct server sum = { .accepted = 0 };

	for (unsigned i = 0; i < workers; i++) {
		sum.accepted += servers[i].accepted;
		sum.closed += servers[i].closed;
		sum.requests += servers[i].requests;
		sum.bytes += servers[i].bytes;
		sum.errors += servers[i].errors;
	}
	fprintf(stderr,
	        "{\"accepted\": %" PRIu64 ", \"closed\": %" PRIu64 ", \"requests\": %" PRIu64
	        ", \"bytes\": %" PRIu64 ", \"errors\": %" PRIu64
	        ", \"session_bytes\": %zu, \"op_bytes\": %zu}\n",
	        sum.accepted, sum.closed, sum.requests, sum.bytes, sum.errors,
	        sizeof(struct session) + buffer_bytes, sizeof(struct sennit_op));
}

/* Until a signal has come and everything has ended. The runtime is gone when it returns. */
static int serve(struct sennit_runtime *runtime, uint64_t port, sigset_t signals)
{
	unsigned workers = sennit_runtime_workers(runtime);
	struct server *servers = aligned_alloc(_Alignof(struct server), workers * sizeof *servers);
	int bound = -1;
	int number;

	if (servers) {
		memset(servers, 0, workers * sizeof *servers);
		bound = open_all(runtime, servers, workers, port);
	}
	if (bound < 0) {
		sennit_runtime_destroy(runtime);
		free(servers);
		return 1;
	}
	for (unsigned i = 0; i < workers; i++)
		sennit_post(servers[i].executor, &servers[i].start, on_start);
	printf("listening 127.0.0.1:%d workers=%u backend=epoll%s\n", bound, workers,
	       tls ? " tls" : "");
	fflush(stdout);
	sigwait(&signals, &number);
	for (unsigned i = 0; i < workers; i++)
		sennit_post(servers[i].executor, &servers[i].stop, on_stop);
	wait_for_drain(workers);
	sennit_runtime_destroy(runtime);
	report(servers, workers);
	free(servers);
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t port = 0;
	uint64_t workers = 0;
	uint64_t buffer = 4096;
	const char *backend = "auto";
	const char *certificate = NULL;
	const char *key = NULL;
	const struct command_option options[] = {
		{ .name = "--port", .number = &port, .min = 0, .max = 65535 },
		{ .name = "--workers", .number = &workers, .min = 1, .max = COMMAND_WORKERS_MAX },
		{ .name = "--buffer", .number = &buffer, .min = 1, .max = 1 << 24 },
		{ .name = "--backend", .word = &backend },
		{ .name = "--tls-certificate", .word = &certificate },
		{ .name = "--tls-key", .word = &key },
	};
	struct sennit_runtime_options choice = { .size = sizeof choice };
	struct sennit_runtime *runtime = NULL;
	sigset_t signals;
	int error;

	command_parse(argc, argv, options, sizeof options / sizeof *options);
	if (strcmp(backend, "auto") && strcmp(backend, "epoll")) {
		fprintf(stderr, "sennit-echo: bad value: --backend=%s\n", backend);
		return COMMAND_USAGE;
	}
	if (certificate || key)
		tls = echo_tls_context(certificate, key);
	buffer_bytes = buffer;
	choice.workers = (unsigned)workers;
	signals = command_block_signals();
	command_raise_descriptor_limit();
	bell = eventfd(0, EFD_CLOEXEC);
	error = bell < 0 ? -errno : sennit_runtime_create(&choice, &runtime);
	if (!error)
		error = sennit_runtime_start(runtime);
	if (error) {
		fprintf(stderr, "sennit-echo: cannot start: %s\n", sennit_strerror(error));
		sennit_runtime_destroy(runtime);
		return 1;
	}
	return serve(runtime, port, signals);
}
