/* SPDX-License-Identifier: MIT */
/* tls_composed.c - what is composed of several operations of a TLS stream, over a strand: it runs
 * there, step by step, is cancelled through its state between any two records, and leaves the
 * session to whoever goes on with it.
 */
#include "tls_support.h"

#include <errno.h>
#include <sennit/stream_implement.h>
#include <string.h>

#define SIZE 8

/* Answers each message of SIZE bytes with itself, until it is cancelled or fails. */
struct echo {
	struct sennit_stream *stream;
	struct sennit_executor *executor;
	struct sennit_op op;
	struct sennit_cancel_signal signal;
	struct sennit_cancel_state cancel;
	struct sennit_task task;
	struct latch done;
	unsigned answered;
	int error;
	size_t bytes; /* of the step that ended it */
	char data[SIZE];
};

static void on_finished(struct sennit_task *task, int error)
{
	struct echo *echo = CONTAINER_OF(task, struct echo, task);

	(void)error;
	RECORD(sennit_executor_runs_here(echo->executor));
	latch_down(&echo->done);
}

static void on_read(struct sennit_op *op, int error, size_t bytes);

static void read_next(struct echo *echo)
{
	sennit_op_bind_slot(&echo->op, sennit_cancel_state_slot(&echo->cancel));
	sennit_async_read(echo->stream, echo->data, SIZE, &echo->op, on_read);
}

static bool has_ended(struct echo *echo, int error, size_t bytes)
{
	RECORD(sennit_executor_runs_here(echo->executor));
	if (!error && sennit_cancel_state_cancelled(&echo->cancel))
		error = -ECANCELED;
	if (!error)
		return false;
	echo->error = error;
	echo->bytes = bytes;
	sennit_cancel_state_finish(&echo->cancel, echo->executor, &echo->task, on_finished);
	return true;
}

static void on_written(struct sennit_op *op, int error, size_t bytes)
{
	struct echo *echo = op->user;

	if (has_ended(echo, error, bytes))
		return;
	echo->answered++;
	read_next(echo);
}

static void on_read(struct sennit_op *op, int error, size_t bytes)
{
	struct echo *echo = op->user;

	if (has_ended(echo, error, bytes))
		return;
	sennit_op_bind_slot(&echo->op, sennit_cancel_state_slot(&echo->cancel));
	sennit_async_write(echo->stream, echo->data, SIZE, &echo->op, on_written);
}

static void begin_echo(void *argument)
{
	struct echo *echo = argument;

	echo->done = (struct latch)LATCH(1);
	echo->op.user = echo;
	sennit_cancel_state_init(&echo->cancel, sennit_cancel_signal_slot(&echo->signal),
				 echo->executor, SENNIT_CANCEL_ALL, SENNIT_CANCEL_ALL, NULL);
	read_next(echo);
}

static void look(void *argument)
{
	(void)argument;
}

static void exchange(struct stage *stage, struct tls_pair *pair, const char *sent, size_t size,
		     size_t answered)
{
	struct flight flights[2] = {0};
	char got[2 * SIZE];

	START(stage, {WRITE, .stream = &pair->client.stream, .data = (char *)(uintptr_t)sent,
		      .size = size, .flight = &flights[0],
		      .runs_on = sennit_stream_executor(&pair->client.stream)});
	EXPECT(&flights[0], 0, size);
	if (!answered)
		return;
	START(stage, {READ, .stream = &pair->client.stream, .data = got, .size = answered,
		      .flight = &flights[1],
		      .runs_on = sennit_stream_executor(&pair->client.stream)});
	EXPECT(&flights[1], 0, answered);
	assert_memory_equal(got, sent, answered);
}

/* A request of `types` ends it with the half of a message that it has; whoever takes over has the
 * other half. */
static void end_echo_in_half_a_message(struct stage *stage, int types)
{
	struct sennit_strand strand;
	struct tls_pair pair = {0};
	struct echo echo = {0};
	struct flight rest = {0};
	char half[4];

	sennit_strand_init(&strand, sennit_runtime_executor(stage->runtime));
	echo.executor = sennit_strand_executor(&strand);
	open_pair(&pair, echo.executor, NULL, NULL);
	echo.stream = &pair.server.stream;
	shake_hands(&pair, 0, 0);
	call_on_kind(stage, begin_echo, &echo);
	exchange(stage, &pair, "whole 01whole 02", 2 * SIZE, 2 * SIZE);
	exchange(stage, &pair, "half", 4, 0);
	wait_until_read(sennit_tcp_socket_native_handle(&pair.sockets[1]));
	call_on(sennit_stream_owner(&pair.server.stream), look, NULL); /* it is decrypted */
	sennit_cancel_signal_emit(&echo.signal, types);
	latch_wait(&echo.done);
	assert_int_equal(echo.error, -ECANCELED);
	assert_int_equal(echo.bytes, 4);
	assert_int_equal(echo.answered, 2);
	exchange(stage, &pair, "rest", 4, 0);
	START(stage, {READ, .stream = &pair.server.stream, .data = half, .size = 4,
		      .flight = &rest, .runs_on = echo.executor});
	EXPECT(&rest, 0, 4);
	assert_memory_equal(half, "rest", 4);
	close_pair(stage, &pair);
	sennit_strand_fini(&strand);
}

SCENARIO(a_partial_request_ends_it_with_what_it_has)
{
	end_echo_in_half_a_message(stage, SENNIT_CANCEL_PARTIAL);
}

SCENARIO(a_terminal_request_leaves_the_session_usable_too)
{
	end_echo_in_half_a_message(stage, SENNIT_CANCEL_TERMINAL | SENNIT_CANCEL_TOTAL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_partial_request_ends_it_with_what_it_has),
		TEST(a_terminal_request_leaves_the_session_usable_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
