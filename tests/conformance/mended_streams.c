/* SPDX-License-Identifier: MIT */
/* mended_streams.c - defects of streams, sockets and stream types that were found by reading the
 * library closely, and mended: each was shown by a small program, which is a test here.
 */
#include "chunk_stream.h"
#include "io_support.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A task for the owner of a driven stage; there is nothing to wait for but that it ran. */
struct errand {
	struct sennit_task task;
	void (*function)(void *argument);
	void *argument;
};

static void on_errand(struct sennit_task *task, int error)
{
	struct errand *errand = CONTAINER_OF(task, struct errand, task);

	RECORD(error == 0);
	errand->function(errand->argument);
}

/* Runs the function in a handler, and whatever follows from it. */
static void run_in_handler(struct stage *stage, void (*function)(void *), void *argument)
{
	struct errand errand = { .function = function, .argument = argument };

	sennit_post(stage->owner, &errand.task, on_errand);
	run_dry(stage->runtime);
	recorded();
}

static void ready(struct stage *stage, struct flight *flight)
{
	expect_result(&flight->op, &flight->result, stage->owner);
}

static void ended(const struct flight *flight, int error, size_t bytes)
{
	assert_int_equal(flight->result.calls, 1);
	assert_int_equal(flight->result.error, error);
	assert_int_equal(flight->result.bytes, bytes);
}

/* Asserts that the peer was given exactly this, and the end after it. */
static void received(int peer, const char *text)
{
	char data[64];
	size_t size = strlen(text);

	raw_read(peer, data, size);
	assert_memory_equal(data, text, size);
	assert_int_equal(recv(peer, data, 1, MSG_DONTWAIT), 0);
}

/* --- last words ------------------------------------------------------------------------------- */

/* More than a stream may transfer in one turn of its owner. */
#define MANY_TRANSFERS 40

struct talker {
	struct sennit_descriptor descriptor;
	struct sennit_tcp_socket socket;
	struct sennit_stream *stream;
	struct sennit_op read;
	struct flight write;
	unsigned reads;
	unsigned most;
	char byte;
};

static void on_heard(struct sennit_op *op, int error, size_t bytes)
{
	struct talker *talker = op->user;

	if (!RECORD(error == 0 && bytes == 1))
		return;
	if (++talker->reads < talker->most) {
		sennit_async_read_some(talker->stream, &talker->byte, 1, op, on_heard);
		return;
	}
	sennit_async_write(talker->stream, "bye", 3, &talker->write.op, on_result);
	if (talker->stream == &talker->socket.stream)
		RECORD(sennit_tcp_socket_shutdown(&talker->socket, SHUT_WR) == 0);
	else
		sennit_close(talker->stream);
}

static void talk(struct stage *stage, struct talker *talker, int peer)
{
	static const char zeros[MANY_TRANSFERS];

	ready(stage, &talker->write);
	raw_write(peer, zeros, talker->most);
	talker->read.user = talker;
	sennit_async_read_some(talker->stream, &talker->byte, 1, &talker->read, on_heard);
	run_dry(stage->runtime);
	recorded();
	ended(&talker->write, 0, 3);
	received(peer, "bye");
}

static void a_write_before_close_goes_out_whatever_else_the_turn_transferred(void **state)
{
	struct stage stage = driven_stage();

	(void)state;
	for (unsigned most = 1; most <= MANY_TRANSFERS; most++) {
		struct talker talker = { .most = most };
		int peer = open_local(&stage, &talker.descriptor);

		talker.stream = &talker.descriptor.stream;
		talk(&stage, &talker, peer);
		raw_close(peer);
	}
	end_runtime(stage.runtime);
}

static void a_write_before_shutdown_goes_out_whatever_else_the_turn_transferred(void **state)
{
	struct stage stage = driven_stage();

	(void)state;
	for (unsigned most = 1; most <= MANY_TRANSFERS; most++) {
		struct talker talker = { .most = most };
		int peer = open_socket(&stage, &talker.socket);

		talker.stream = &talker.socket.stream;
		talk(&stage, &talker, peer);
		sennit_close(talker.stream);
		run_dry(stage.runtime);
		raw_close(peer);
	}
	end_runtime(stage.runtime);
}

#define LONG_WRITE ((size_t)1 << 22)

static size_t sixteen(struct sennit_op *op, int error, size_t bytes)
{
	(void)op;
	(void)error;
	(void)bytes;
	return 16;
}

struct endless {
	struct sennit_descriptor descriptor;
	struct flight write;
	struct errand later;
	char *data;
	bool at_once;
};

static void cancel_endless(void *argument)
{
	struct endless *endless = argument;

	sennit_cancel(&endless->descriptor.stream);
}

static void start_endless(void *argument)
{
	struct endless *endless = argument;

	endless->later.function = cancel_endless;
	endless->later.argument = endless;
	sennit_async_write_while(&endless->descriptor.stream, endless->data, LONG_WRITE, sixteen,
	                         &endless->write.op, on_result);
	if (endless->at_once)
		cancel_endless(endless);
	else
		sennit_post(sennit_stream_executor(&endless->descriptor.stream),
		            &endless->later.task, on_errand);
}

/* The last try that a cancelled write is given is one step, not all that would never wait. */
static void cancel_ends_a_long_write_that_never_waits(void **state)
{
	struct stage stage = driven_stage();
	char *data = zeroed(LONG_WRITE);

	(void)state;
	for (int at_once = 0; at_once < 2; at_once++) {
		struct endless endless = { .data = data, .at_once = at_once };
		int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

		assert_true(fd >= 0);
		adopt(&stage, &endless.descriptor, fd);
		ready(&stage, &endless.write);
		run_in_handler(&stage, start_endless, &endless);
		assert_int_equal(endless.write.result.calls, 1);
		assert_int_equal(endless.write.result.error, -ECANCELED);
		assert_true(endless.write.result.bytes < LONG_WRITE);
		sennit_close(&endless.descriptor.stream);
		run_dry(stage.runtime);
	}
	end_runtime(stage.runtime);
	free(data);
}

static void a_write_some_that_fails_after_a_part_reports_the_part_as_success(void **state)
{
	struct stage stage = driven_stage();
	struct sennit_descriptor descriptor;
	struct flight writes[2] = { 0 };
	size_t size = (size_t)4 << 20;
	char *data = zeroed(size);
	int peer = open_local(&stage, &descriptor);

	(void)state;
	/* With a second one behind it, the first is to go out whole. */
	for (int i = 0; i < 2; i++) {
		ready(&stage, &writes[i]);
		sennit_async_write_some(&descriptor.stream, data, i ? 10 : size, &writes[i].op,
		                        on_result);
	}
	sennit_runtime_poll(stage.runtime);
	assert_int_equal(writes[0].result.calls, 0);
	raw_close(peer);
	run_dry(stage.runtime);
	assert_int_equal(writes[0].result.calls, 1);
	assert_int_equal(writes[0].result.error, 0);
	assert_in_range(writes[0].result.bytes, 1, size - 1);
	assert_int_equal(writes[1].result.calls, 1);
	assert_true(writes[1].result.error == -EPIPE || writes[1].result.error == -ECONNRESET);
	sennit_close(&descriptor.stream);
	run_dry(stage.runtime);
	end_runtime(stage.runtime);
	free(data);
}

/* --- sockets ---------------------------------------------------------------------------------- */

static void two_connects_to_a_refused_port_fail_and_let_the_read_behind_them_go(void **state)
{
	struct stage stage = driven_stage();
	struct sennit_tcp_socket socket;
	struct sennit_endpoint endpoint;
	struct flight connects[2] = { 0 };
	struct flight read = { 0 };
	char byte;

	(void)state;
	/* A port that was free a moment ago. */
	raw_close(raw_listen(&endpoint, 1));
	sennit_tcp_socket_init(&socket, stage.owner);
	ready(&stage, &read);
	for (int i = 0; i < 2; i++) {
		ready(&stage, &connects[i]);
		sennit_tcp_socket_async_connect(&socket, &endpoint, &connects[i].op, on_result);
	}
	sennit_async_read_some(&socket.stream, &byte, 1, &read.op, on_result);
	run_dry(stage.runtime);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(connects[i].result.calls, 1);
		assert_true(connects[i].result.error < 0);
	}
	assert_int_equal(connects[0].result.error, -ECONNREFUSED);
	assert_int_equal(read.result.calls, 1);
	assert_true(read.result.error != 0);
	sennit_close(&socket.stream);
	run_dry(stage.runtime);
	end_runtime(stage.runtime);
}

/* Much longer than the watchdog's patience: a worker that lingers is found. */
#define LINGER_S 3600

enum lingers { BY_OPTION, BY_HANDLE, BEFORE_ADOPTION, AS_DESCRIPTOR, WAYS_TO_LINGER };

struct lingerer {
	struct sennit_tcp_socket socket;
	struct sennit_descriptor descriptor;
	struct sennit_stream *stream;
};

static void set_linger(int fd)
{
	struct linger linger = { .l_onoff = 1, .l_linger = LINGER_S };

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
}

static int open_lingerer(struct stage *stage, struct lingerer *lingerer, enum lingers how)
{
	struct sennit_tcp_socket *socket = &lingerer->socket;
	int fds[2];

	lingerer->stream = &socket->stream;
	if (how == BY_OPTION || how == BY_HANDLE) {
		fds[1] = open_socket(stage, socket);
		if (how == BY_HANDLE)
			set_linger(sennit_tcp_socket_native_handle(socket));
		else
			assert_int_equal(
			    sennit_tcp_socket_set_option(socket, SENNIT_TCP_LINGER, LINGER_S), 0);
		return fds[1];
	}
	raw_tcp_pair(fds);
	set_linger(fds[0]);
	if (how == BEFORE_ADOPTION) {
		sennit_tcp_socket_init(socket, stage->owner);
		assert_int_equal(sennit_tcp_socket_assign(socket, fds[0]), 0);
	} else {
		adopt(stage, &lingerer->descriptor, fds[0]);
		lingerer->stream = &lingerer->descriptor.stream;
	}
	return fds[1];
}

/* What was written still goes out, in the background. */
SCENARIO(the_worker_goes_on_when_it_has_closed_a_socket_that_lingers)
{
	size_t size = (size_t)16 << 20;
	char *data = patterned(size);

	for (int how = 0; how < WAYS_TO_LINGER; how++) {
		struct lingerer lingerer = { 0 };
		struct flight write = { 0 };
		int peer = open_lingerer(stage, &lingerer, (enum lingers)how);

		START(stage, { WRITE, lingerer.stream, .data = data, .size = size,
		               .flight = &write });
		PENDING(stage, &write);
		START(stage, { CLOSE, .stream = lingerer.stream });
		owner_turn(stage); /* before the peer has read anything */
		wait_result(&write.result);
		assert_int_equal(write.result.error, -ECANCELED);
		assert_int_equal(raw_drain(peer), write.result.bytes);
		raw_close(peer);
	}
	finish(stage, NULL, 0);
	free(data);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_write_before_close_goes_out_whatever_else_the_turn_transferred),
		TEST(a_write_before_shutdown_goes_out_whatever_else_the_turn_transferred),
		TEST(cancel_ends_a_long_write_that_never_waits),
		TEST(a_write_some_that_fails_after_a_part_reports_the_part_as_success),
		TEST(two_connects_to_a_refused_port_fail_and_let_the_read_behind_them_go),
		TEST(the_worker_goes_on_when_it_has_closed_a_socket_that_lingers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
