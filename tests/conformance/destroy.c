/* SPDX-License-Identifier: MIT */
/* destroy.c - what becomes of operations when their runtime is destroyed: S8 and promise 2, with
 * every kind of operation in every state.
 */
#include "chunk_stream.h"
#include "io_support.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MEBIBYTE ((size_t)1 << 20)

/* One of everything that can wait, on a stage. */
enum {
	READS,
	PARTIAL,
	READ_ON_PIPE,
	WRITES,
	BEHIND,
	WAITS,
	CONNECTS,
	ACCEPTS,
	ACCEPT_WAITS,
	READ_IN_MEMORY,
	WRITE_IN_MEMORY,
	BOUND,
	FLIGHTS
};

struct everything {
	struct flight flights[FLIGHTS];
	struct sennit_tcp_socket socket;
	struct sennit_tcp_socket connecting;
	struct sennit_tcp_socket accepted;
	struct sennit_tcp_acceptor acceptor;
	struct sennit_descriptor local;
	struct sennit_descriptor out;
	struct chunk_pipe pipe;
	struct sennit_endpoint endpoint;
	struct sennit_endpoint full;
	char *data;
	char bytes[4][100];
	int socket_peer;
	int local_peer;
	int pipe_end;
	int listener;
	int filler;
};

/* A listener whose queue is full: a connect to it waits. */
static void fill_listener(struct everything *all)
{
	struct pollfd queue = { .events = POLLIN };

	all->listener = queue.fd = raw_listen(&all->full, 0);
	all->filler = raw_connect(&all->full);
	assert_int_equal(poll(&queue, 1, -1), 1);
}

static struct everything *open_everything(struct stage *stage)
{
	struct everything *all = zeroed(sizeof *all);
	int fds[2];

	all->data = patterned(4 * MEBIBYTE);
	all->socket_peer = open_socket(stage, &all->socket);
	all->local_peer = open_local(stage, &all->local);
	raw_pipe(fds);
	adopt(stage, &all->out, fds[0]);
	all->pipe_end = fds[1];
	fill_listener(all);
	sennit_tcp_socket_init(&all->connecting, stage->owner);
	sennit_tcp_socket_init(&all->accepted, stage->owner);
	open_acceptor(stage, &all->acceptor, &all->endpoint);
	chunk_pipe_open(&all->pipe, stage->owner, 10);
	all->pipe.steps = 3;
	return all;
}

static void start_everything(struct stage *stage, struct everything *all)
{
	struct flight *f = all->flights;

	START(
	    stage,
	    { READ_SOME, &all->local.stream, .data = all->bytes[0], .size = 100,
	      .flight = &f[READS] },
	    { READ, &all->socket.stream, .data = all->bytes[1], .size = 100,
	      .flight = &f[PARTIAL] },
	    { READ_SOME, &all->out.stream, .data = all->bytes[2], .size = 100,
	      .flight = &f[READ_ON_PIPE] },
	    { WRITE, &all->socket.stream, .data = all->data, .size = 4 * MEBIBYTE,
	      .flight = &f[WRITES] },
	    { WRITE, &all->socket.stream, .data = all->data, .size = 10, .flight = &f[BEHIND] },
	    { WAIT, &all->local.stream, .what = SENNIT_WAIT_READ, .flight = &f[WAITS] },
	    { CONNECT, .socket = &all->connecting, .endpoint = &all->full, .flight = &f[CONNECTS] },
	    { ACCEPT, .acceptor = &all->acceptor, .socket = &all->accepted, .flight = &f[ACCEPTS] },
	    { ACCEPTOR_WAIT, .acceptor = &all->acceptor, .what = SENNIT_WAIT_READ,
	      .flight = &f[ACCEPT_WAITS] },
	    { READ, &all->pipe.reader, .data = all->bytes[3], .size = 100,
	      .flight = &f[READ_IN_MEMORY] },
	    { WRITE, &all->pipe.writer, .data = all->data, .size = 100,
	      .flight = &f[WRITE_IN_MEMORY] },
	    { READ_SOME, &all->local.stream, .data = all->bytes[0], .size = 100,
	      .flight = &f[BOUND], .bound = sennit_runtime_executor(stage->runtime) });
}

/* After destroy: each once, with what was transferred. `begun`: whether the owner had them. */
static void check_everything(struct everything *all, bool begun)
{
	size_t received = raw_drain(all->socket_peer);

	for (int i = 0; i < FLIGHTS; i++) {
		size_t bytes = 0;

		if (begun && i == PARTIAL)
			bytes = 10;
		else if (i == WRITES)
			bytes = received;
		else if (begun && (i == READ_IN_MEMORY || i == WRITE_IN_MEMORY))
			bytes = 30;
		EXPECT(&all->flights[i], SENNIT_SHUTDOWN, bytes);
	}
	assert_true(begun ? received > 0 : received == 0);
	assert_false(sennit_endpoint_port(&all->endpoint) == 0);
	assert_int_equal(all->pipe.closes, 2);
	assert_false(all->pipe.closed_in_flight);
}

static void close_everything(struct everything *all)
{
	/* Objects that are still open are closed: the peers see the end. */
	assert_int_equal(raw_drain(all->local_peer), 0);
	raw_close(all->socket_peer);
	raw_close(all->local_peer);
	raw_close(all->pipe_end);
	raw_close(all->listener);
	raw_close(all->filler);
	free(all->data);
	free(all);
}

static void destroying_a_started_runtime_ends_everything_with_SHUTDOWN_once(void **state)
{
	(void)state;
	for (int kind = 0; kind < THREAD_KINDS; kind++) {
		struct stage stage = { .runtime = started_runtime(2),
			               .kind = (enum thread_kind)kind };
		struct sennit_runtime *runtime = stage.runtime;
		struct everything *all;
		int fd;

		stage.owner = sennit_runtime_worker(stage.runtime, 0);
		stage.other = sennit_runtime_worker(stage.runtime, 1);
		all = open_everything(&stage);
		fd = sennit_tcp_socket_native_handle(&all->socket);
		raw_write(all->socket_peer, "0123456789", 10);
		start_everything(&stage, all);
		for (int i = 0; i < FLIGHTS; i++)
			PENDING(&stage, &all->flights[i]);
		wait_until_read(fd);
		end_runtime(stage.runtime);
		check_everything(all, true);
		for (int i = 0; i < FLIGHTS; i++)
			assert_ptr_equal(all->flights[i].result.runtime, runtime);
		assert_memory_equal(all->bytes[1], "0123456789", 10);
		close_everything(all);
	}
}

/* Nobody was ever inside: all of it ends on the destroying thread. */
static void destroying_a_runtime_that_never_ran_ends_everything_with_SHUTDOWN_once(void **state)
{
	struct stage stage = driven_stage();
	struct everything *all = open_everything(&stage);

	(void)state;
	start_everything(&stage, all);
	for (int i = 0; i < FLIGHTS; i++)
		assert_int_equal(all->flights[i].result.calls, 0);
	end_runtime(stage.runtime);
	check_everything(all, false);
	for (int i = 0; i < FLIGHTS; i++)
		assert_int_equal(all->flights[i].result.thread, gettid());
	close_everything(all);
}

static void destroying_a_driven_runtime_ends_everything_with_SHUTDOWN_once(void **state)
{
	struct stage stage = driven_stage();
	struct everything *all = open_everything(&stage);

	(void)state;
	raw_write(all->socket_peer, "0123456789", 10);
	start_everything(&stage, all);
	assert_int_equal(sennit_runtime_poll(stage.runtime), 0);
	for (int i = 0; i < FLIGHTS; i++)
		assert_int_equal(all->flights[i].result.calls, 0);
	end_runtime(stage.runtime);
	check_everything(all, true);
	close_everything(all);
}

/* --- what is finished ------------------------------------------------------------------------- */

struct finishing {
	struct sennit_task task;
	struct stage *stage;
	struct sennit_stream *stream;
	struct flight read;
	struct flight empty;
	char data[10];
};

static void finish_and_stop(struct sennit_task *task, int error)
{
	struct finishing *finishing = CONTAINER_OF(task, struct finishing, task);

	RECORD(error == 0);
	sennit_async_read_some(finishing->stream, finishing->data, 10, &finishing->read.op,
	                       on_result);
	sennit_async_write(finishing->stream, NULL, 0, &finishing->empty.op, on_result);
	sennit_runtime_stop(finishing->stage->runtime);
}

/* S8, S15. */
static void what_was_finished_before_destroy_is_handed_over_with_its_result(void **state)
{
	struct stage stage = driven_stage();
	struct sennit_descriptor descriptor;
	struct finishing finishing = { .stage = &stage, .stream = &descriptor.stream };
	int peer = open_local(&stage, &descriptor);

	(void)state;
	expect_result(&finishing.read.op, &finishing.read.result, stage.owner);
	expect_result(&finishing.empty.op, &finishing.empty.result, stage.owner);
	raw_write(peer, "there", 5);
	sennit_post(stage.owner, &finishing.task, finish_and_stop);
	assert_int_equal(sennit_runtime_run(stage.runtime), 1);
	assert_int_equal(finishing.read.result.calls, 0);
	end_runtime(stage.runtime);
	/* On the owner a read is tried at once, and data was there. */
	EXPECT(&finishing.read, 0, 5);
	EXPECT(&finishing.empty, 0, 0);
	assert_memory_equal(finishing.data, "there", 5);
	raw_close(peer);
}

/* --- what is started meanwhile ---------------------------------------------------------------- */

struct stubborn {
	struct sennit_descriptor descriptor;
	struct sennit_op op;
	struct sennit_task task;
	unsigned handlers;
	unsigned functions;
	char byte;
};

static void on_post(struct sennit_task *task, int error)
{
	struct stubborn *stubborn = CONTAINER_OF(task, struct stubborn, task);

	RECORD(error == SENNIT_SHUTDOWN);
	stubborn->functions++;
}

static void on_refused(struct sennit_op *op, int error, size_t bytes)
{
	struct stubborn *stubborn = CONTAINER_OF(op, struct stubborn, op);

	RECORD(error == SENNIT_SHUTDOWN && bytes == 0);
	if (++stubborn->handlers == 10)
		sennit_post(sennit_stream_executor(&stubborn->descriptor.stream), &stubborn->task,
		            on_post);
	else if (stubborn->handlers % 2)
		sennit_async_write(&stubborn->descriptor.stream, "x", 1, op, on_refused);
	else
		sennit_async_read(&stubborn->descriptor.stream, &stubborn->byte, 1, op, on_refused);
}

static void what_a_handler_starts_during_destroy_ends_with_SHUTDOWN_too(void **state)
{
	(void)state;
	for (int started = 0; started < 2; started++) {
		struct sennit_runtime *runtime = started ? started_runtime(2) : driven_runtime();
		struct stage stage = { .runtime = runtime, .kind = THREAD_FOREIGN };
		struct stubborn stubborn = { .handlers = 0 };
		int peer;

		stage.owner = sennit_runtime_worker(runtime, 0);
		peer = open_local(&stage, &stubborn.descriptor);
		sennit_async_read(&stubborn.descriptor.stream, &stubborn.byte, 1, &stubborn.op,
		                  on_refused);
		end_runtime(runtime);
		assert_int_equal(stubborn.handlers, 10);
		assert_int_equal(stubborn.functions, 1);
		/* Not one of the writes. */
		assert_int_equal(raw_drain(peer), 0);
		raw_close(peer);
	}
}

static void on_shutdown_close(struct sennit_op *op, int error, size_t bytes)
{
	struct stubborn *stubborn = CONTAINER_OF(op, struct stubborn, op);

	RECORD(error == SENNIT_SHUTDOWN && bytes == 0);
	stubborn->handlers++;
	sennit_cancel(&stubborn->descriptor.stream);
	sennit_close(&stubborn->descriptor.stream);
	memset(stubborn, 0xa5, sizeof *stubborn);
	free(stubborn);
}

/* As every server does that ends: the handler closes and frees. */
static void handlers_may_close_and_free_their_objects_during_destroy(void **state)
{
	(void)state;
	for (int started = 0; started < 2; started++) {
		struct sennit_runtime *runtime = started ? started_runtime(2) : driven_runtime();
		struct stage stage = { .runtime = runtime, .kind = THREAD_FOREIGN };
		int peers[20];

		for (int i = 0; i < 20; i++) {
			struct stubborn *stubborn = zeroed(sizeof *stubborn);

			stage.owner = sennit_runtime_next_worker(runtime);
			peers[i] = open_local(&stage, &stubborn->descriptor);
			sennit_async_read(&stubborn->descriptor.stream, &stubborn->byte, 1,
			                  &stubborn->op, on_shutdown_close);
		}
		end_runtime(runtime);
		for (int i = 0; i < 20; i++) {
			assert_int_equal(raw_drain(peers[i]), 0);
			raw_close(peers[i]);
		}
	}
}

/* --- handlers elsewhere ----------------------------------------------------------------------- */

static void destroy_waits_for_the_handler_that_another_runtime_runs(void **state)
{
	struct sennit_runtime *second = started_runtime(1);
	struct stage stage = { .runtime = started_runtime(2), .kind = THREAD_FOREIGN };
	struct sennit_descriptor descriptor;
	struct flight flights[2] = { 0 };
	struct sennit_executor *abroad = sennit_runtime_worker(second, 0);
	char byte;
	int peer;

	(void)state;
	stage.owner = sennit_runtime_worker(stage.runtime, 0);
	peer = open_local(&stage, &descriptor);
	START(&stage,
	      { READ, &descriptor.stream, .data = &byte, .size = 1, .flight = &flights[0],
	        .bound = abroad },
	      { WAIT, &descriptor.stream, .what = SENNIT_WAIT_READ, .flight = &flights[1],
	        .bound = abroad });
	end_runtime(stage.runtime);
	/* No waiting: it is over. */
	assert_int_equal(flights[0].result.calls, 1);
	assert_int_equal(flights[1].result.calls, 1);
	EXPECT(&flights[0], SENNIT_SHUTDOWN, 0);
	EXPECT(&flights[1], SENNIT_SHUTDOWN, 0);
	assert_ptr_equal(flights[0].result.runtime, second);
	raw_close(peer);
	end_runtime(second);
}

/* Handles of a runtime that is gone are good for a new life. */
static void handles_are_initialised_anew_after_destroy(void **state)
{
	struct stage stage = driven_stage();
	struct sennit_tcp_socket socket;
	struct flight flight = { 0 };
	char byte;
	int peer = open_socket(&stage, &socket);

	(void)state;
	end_runtime(stage.runtime);
	raw_close(peer);
	stage = driven_stage();
	peer = open_socket(&stage, &socket);
	raw_write(peer, "!", 1);
	START(&stage, { READ, &socket.stream, .data = &byte, .size = 1, .flight = &flight });
	DRIVE(stage.runtime, &flight, 0, 1);
	raw_close(peer);
	end_runtime(stage.runtime);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(destroying_a_started_runtime_ends_everything_with_SHUTDOWN_once),
		TEST(destroying_a_runtime_that_never_ran_ends_everything_with_SHUTDOWN_once),
		TEST(destroying_a_driven_runtime_ends_everything_with_SHUTDOWN_once),
		TEST(what_was_finished_before_destroy_is_handed_over_with_its_result),
		TEST(what_a_handler_starts_during_destroy_ends_with_SHUTDOWN_too),
		TEST(handlers_may_close_and_free_their_objects_during_destroy),
		TEST(destroy_waits_for_the_handler_that_another_runtime_runs),
		TEST(handles_are_initialised_anew_after_destroy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
