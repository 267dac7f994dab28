/* SPDX-License-Identifier: MIT */
/* composed.c - composed reads and writes step by step, on a stream in memory that takes and gives
 * what it is told to: the cases, the completion conditions, and requests between two steps.
 */
#include "chunk_stream.h"
#include "io_support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The message of the cases: 53 bytes. */
#define MESSAGE "The quick brown fox jumps over the lazy dog; twice so"
#define LENGTH  (sizeof MESSAGE - 1)

_Static_assert(LENGTH == 53, "the cases count on it");

static const size_t chunks[] = { CHUNK_ALL, 1, 10 };

/* What lies in the pipe, in order, without taking it out. */
static void assert_in_pipe(const struct chunk_pipe *pipe, const char *data, size_t size)
{
	assert_int_equal(pipe->size, size);
	for (size_t i = 0; i < size; i++)
		assert_int_equal(pipe->data[(pipe->head + i) % CHUNK_CAPACITY], data[i]);
	assert_false(pipe->overlapped);
}

/* Puts bytes into the pipe, before anybody reads from it. */
static void fill_pipe(struct chunk_pipe *pipe, const char *data, size_t size)
{
	memcpy(pipe->data, data, size);
	pipe->size = size;
}

static struct chunk_pipe *new_pipe(struct stage *stage, size_t chunk)
{
	struct chunk_pipe *pipe = zeroed(sizeof *pipe);

	chunk_pipe_open(pipe, stage->owner, chunk);
	return pipe;
}

/* Closes both ends and waits until the stream type was told so. */
static void close_pipe(struct stage *stage, struct chunk_pipe *pipe)
{
	START(stage, { CLOSE, .stream = &pipe->writer }, { CLOSE, .stream = &pipe->reader });
	chunk_pipe_wait_closed(pipe, stage);
	assert_false(pipe->closed_in_flight);
	assert_false(pipe->overlapped);
}

static void end_pipe(struct stage *stage, struct chunk_pipe *pipe)
{
	close_pipe(stage, pipe);
	free(pipe);
}

/* Splits a buffer into three parts of different sizes. */
static void in_three(struct iovec vector[3], char *data, size_t size)
{
	vector[0] = (struct iovec){ data, 7 };
	vector[1] = (struct iovec){ data + 7, 20 };
	vector[2] = (struct iovec){ data + 27, size - 27 };
}

/* --- all of it -------------------------------------------------------------------------------- */

/* C088 with the vector. */
SCENARIO(C083_C088_a_whole_write_takes_as_many_steps_as_it_needs)
{
	char message[] = MESSAGE;
	struct flight flight = { 0 };
	struct iovec vector[3];

	in_three(vector, message, LENGTH);
	for (size_t i = 0; i < COUNT_OF(chunks); i++) {
		for (int parts = 0; parts < 2; parts++) {
			struct chunk_pipe *pipe = new_pipe(stage, chunks[i]);
			size_t steps = (LENGTH + chunks[i] - 1) / chunks[i];

			START(stage,
			      { parts ? WRITEV : WRITE, &pipe->writer, .data = message,
			        .size = LENGTH, .vector = vector, .count = 3, .flight = &flight });
			EXPECT(&flight, 0, LENGTH);
			assert_in_pipe(pipe, MESSAGE, LENGTH);
			if (chunks[i] != CHUNK_ALL)
				assert_int_equal(pipe->offers, steps);
			end_pipe(stage, pipe);
		}
	}
	finish(stage, &flight, 1);
}

SCENARIO(C089_a_whole_read_takes_as_many_steps_as_it_needs)
{
	char data[LENGTH];
	struct flight flight = { 0 };
	struct iovec vector[3];

	in_three(vector, data, LENGTH);
	for (size_t i = 0; i < COUNT_OF(chunks); i++) {
		for (int parts = 0; parts < 2; parts++) {
			struct chunk_pipe *pipe = new_pipe(stage, chunks[i]);

			memset(data, 0, sizeof data);
			fill_pipe(pipe, MESSAGE, LENGTH);
			START(stage,
			      { parts ? READV : READ, &pipe->reader, .data = data, .size = LENGTH,
			        .vector = vector, .count = 3, .flight = &flight });
			EXPECT(&flight, 0, LENGTH);
			assert_memory_equal(data, MESSAGE, LENGTH);
			assert_int_equal(pipe->size, 0);
			end_pipe(stage, pipe);
		}
	}
	finish(stage, &flight, 1);
}

SCENARIO(read_some_and_write_some_take_one_step)
{
	char message[] = MESSAGE, data[LENGTH];
	struct flight flight = { 0 };

	for (size_t i = 0; i < COUNT_OF(chunks); i++) {
		struct chunk_pipe *pipe = new_pipe(stage, chunks[i]);
		size_t step = chunks[i] < LENGTH ? chunks[i] : LENGTH;

		START(stage, { WRITE_SOME, &pipe->writer, .data = message, .size = LENGTH,
		               .flight = &flight });
		EXPECT(&flight, 0, step);
		assert_in_pipe(pipe, MESSAGE, step);
		START(stage, { READ_SOME, &pipe->reader, .data = data, .size = LENGTH,
		               .flight = &flight });
		EXPECT(&flight, 0, step);
		assert_memory_equal(data, MESSAGE, step);
		end_pipe(stage, pipe);
	}
	finish(stage, &flight, 1);
}

/* S17: the caller's arrays are read and nothing else. */
SCENARIO(S17_arrays_of_buffers_are_as_they_were_after_every_kind_of_transfer)
{
	char message[] = MESSAGE, data[LENGTH];
	struct flight flights[2] = { 0 };
	struct iovec out[3], in[3], out_before[3], in_before[3];
	struct chunk_pipe *pipe = new_pipe(stage, 4);

	in_three(out, message, LENGTH);
	in_three(in, data, LENGTH);
	memcpy(out_before, out, sizeof out);
	memcpy(in_before, in, sizeof in);
	START(stage, { WRITEV, &pipe->writer, .vector = out, .count = 3, .flight = &flights[0] },
	      { READV, &pipe->reader, .vector = in, .count = 3, .flight = &flights[1] });
	EXPECT(&flights[0], 0, LENGTH);
	EXPECT(&flights[1], 0, LENGTH);
	assert_memory_equal(out, out_before, sizeof out);
	assert_memory_equal(in, in_before, sizeof in);
	assert_memory_equal(data, MESSAGE, LENGTH);
	end_pipe(stage, pipe);
	finish(stage, flights, 2);
}

/* --- at least so many ------------------------------------------------------------------------- */

SCENARIO(C084_at_least_ends_with_the_step_that_reaches_it)
{
	static const struct {
		size_t minimum, bytes;
	} rows[] = { { 1, 10 }, { 10, 10 }, { 42, 50 }, { 53, 53 }, { 1000, 53 } };
	char message[] = MESSAGE, data[LENGTH];
	struct flight flight = { 0 };
	struct iovec out[3], in[3];

	in_three(out, message, LENGTH);
	in_three(in, data, LENGTH);
	for (size_t i = 0; i < COUNT_OF(rows) * 2; i++) {
		struct chunk_pipe *pipe = new_pipe(stage, 10);
		size_t minimum = rows[i / 2].minimum, bytes = rows[i / 2].bytes;

		START(stage, { i % 2 ? WRITEV_AT_LEAST : WRITE_AT_LEAST, &pipe->writer,
		               .data = message, .size = LENGTH, .vector = out, .count = 3,
		               .minimum = minimum, .flight = &flight });
		EXPECT(&flight, 0, bytes);
		assert_in_pipe(pipe, MESSAGE, bytes);
		end_pipe(stage, pipe);

		pipe = new_pipe(stage, 10);
		fill_pipe(pipe, MESSAGE, LENGTH);
		START(stage, { i % 2 ? READV_AT_LEAST : READ_AT_LEAST, &pipe->reader, .data = data,
		               .size = LENGTH, .vector = in, .count = 3, .minimum = minimum,
		               .flight = &flight });
		EXPECT(&flight, 0, bytes);
		assert_memory_equal(data, MESSAGE, bytes);
		assert_int_equal(pipe->size, LENGTH - bytes);
		end_pipe(stage, pipe);
	}
	finish(stage, &flight, 1);
}

/* As Asio's transfer_at_least(0): asked before the first step, it wants nothing. */
SCENARIO(at_least_0_transfers_nothing_and_succeeds)
{
	char message[] = MESSAGE;
	struct flight flights[2] = { 0 };
	struct chunk_pipe *pipe = new_pipe(stage, 10);

	START(stage,
	      { WRITE_AT_LEAST, &pipe->writer, .data = message, .size = LENGTH,
	        .flight = &flights[0] },
	      { READ_AT_LEAST, &pipe->reader, .data = message, .size = LENGTH,
	        .flight = &flights[1] });
	EXPECT(&flights[0], 0, 0);
	EXPECT(&flights[1], 0, 0);
	assert_int_equal(pipe->offers, 0);
	end_pipe(stage, pipe);
	finish(stage, flights, 2);
}

/* --- conditions ------------------------------------------------------------------------------- */

/* What a condition was asked; its flight finds it. */
struct asked {
	struct flight flight;
	struct sennit_executor *owner;
	unsigned questions;
	size_t seen[64]; /* the bytes it was told */
	size_t goal;     /* of exactly */
	bool wrong;      /* an error, the wrong thread, the wrong operation or the handler before */
};

static struct asked *asked(struct sennit_op *op, int error, size_t bytes)
{
	struct asked *asked = CONTAINER_OF(op, struct asked, flight.op);

	asked->wrong |= error != 0 || asked->flight.result.calls != 0;
	asked->wrong |= !sennit_executor_runs_here(asked->owner);
	if (asked->questions < COUNT_OF(asked->seen))
		asked->seen[asked->questions] = bytes;
	asked->questions++;
	return asked;
}

static size_t exactly(struct sennit_op *op, int error, size_t bytes)
{
	return asked(op, error, bytes)->goal - bytes;
}

static size_t three(struct sennit_op *op, int error, size_t bytes)
{
	asked(op, error, bytes);
	return 3;
}

static size_t no_more(struct sennit_op *op, int error, size_t bytes)
{
	asked(op, error, bytes);
	return 0;
}

static size_t all(struct sennit_op *op, int error, size_t bytes)
{
	asked(op, error, bytes);
	return SIZE_MAX;
}

SCENARIO(C085_a_condition_transfers_exactly_what_it_asks_for)
{
	static const size_t goals[] = { 1, 10, 42 };
	char message[] = MESSAGE, data[LENGTH];
	struct iovec out[3], in[3];

	in_three(out, message, LENGTH);
	in_three(in, data, LENGTH);
	for (size_t i = 0; i < COUNT_OF(goals) * 2; i++) {
		struct asked write = { .owner = stage->owner, .goal = goals[i / 2] };
		struct asked read = write;
		struct chunk_pipe *pipe = new_pipe(stage, 10);

		START(stage, { i % 2 ? WRITEV_WHILE : WRITE_WHILE, &pipe->writer, .data = message,
		               .size = LENGTH, .vector = out, .count = 3, .condition = exactly,
		               .flight = &write.flight });
		EXPECT(&write.flight, 0, write.goal);
		assert_in_pipe(pipe, MESSAGE, write.goal);
		assert_int_equal(write.questions, (write.goal + 9) / 10 + 1);
		assert_false(write.wrong);
		end_pipe(stage, pipe);

		pipe = new_pipe(stage, 10);
		fill_pipe(pipe, MESSAGE, LENGTH);
		START(stage, { i % 2 ? READV_WHILE : READ_WHILE, &pipe->reader, .data = data,
		               .size = LENGTH, .vector = in, .count = 3, .condition = exactly,
		               .flight = &read.flight });
		EXPECT(&read.flight, 0, read.goal);
		assert_memory_equal(data, MESSAGE, read.goal);
		assert_int_equal(pipe->size, LENGTH - read.goal);
		assert_false(read.wrong);
		end_pipe(stage, pipe);
		finish(stage, &write.flight, 1);
		finish(stage, &read.flight, 1);
	}
}

SCENARIO(C086_a_condition_that_returns_3_offers_3_bytes_a_step)
{
	char message[] = MESSAGE;
	struct asked write = { .owner = stage->owner };
	struct chunk_pipe *pipe = new_pipe(stage, CHUNK_ALL);

	START(stage, { WRITE_WHILE, &pipe->writer, .data = message, .size = LENGTH,
	               .condition = three, .flight = &write.flight });
	EXPECT(&write.flight, 0, LENGTH);
	assert_in_pipe(pipe, MESSAGE, LENGTH);
	assert_int_equal(pipe->offers, 18);
	for (size_t i = 0; i < 18; i++) {
		assert_int_equal(pipe->offered[i], i < 17 ? 3 : 2);
		assert_int_equal(write.seen[i], 3 * i);
	}
	assert_false(write.wrong);
	end_pipe(stage, pipe);
	finish(stage, &write.flight, 1);
}

SCENARIO(a_condition_that_wants_nothing_at_first_ends_the_operation_with_success)
{
	char data[LENGTH];
	struct asked asked[2] = { { .owner = stage->owner }, { .owner = stage->owner } };
	struct chunk_pipe *pipe = new_pipe(stage, CHUNK_ALL);

	START(stage,
	      { READ_WHILE, &pipe->reader, .data = data, .size = LENGTH, .condition = no_more,
	        .flight = &asked[0].flight },
	      { WRITE_WHILE, &pipe->writer, .data = data, .size = LENGTH, .condition = no_more,
	        .flight = &asked[1].flight });
	for (int i = 0; i < 2; i++) {
		EXPECT(&asked[i].flight, 0, 0);
		assert_int_equal(asked[i].questions, 1);
		assert_int_equal(asked[i].seen[0], 0);
		assert_false(asked[i].wrong);
	}
	assert_int_equal(pipe->offers, 0);
	end_pipe(stage, pipe);
	finish(stage, &asked[0].flight, 1);
	finish(stage, &asked[1].flight, 1);
}

/* S17: not on the operation's executor. */
SCENARIO(S17_a_condition_runs_on_the_owner_wherever_the_handler_runs)
{
	char message[] = MESSAGE;
	struct asked write = { .owner = stage->owner };
	struct chunk_pipe *pipe = new_pipe(stage, 1);

	START(stage, { WRITE_WHILE, &pipe->writer, .data = message, .size = LENGTH,
	               .condition = all, .flight = &write.flight, .bound = stage->other });
	EXPECT(&write.flight, 0, LENGTH);
	/* Before the first step and after each, but for the last where all is done. */
	assert_in_range(write.questions, LENGTH, LENGTH + 1);
	assert_false(write.wrong);
	end_pipe(stage, pipe);
	finish(stage, &write.flight, 1);
}

/* --- nothing to transfer, the end ------------------------------------------------------------- */

SCENARIO(C087_an_empty_list_of_buffers_succeeds_with_0_without_a_step)
{
	static const enum verb verbs[] = { READV_SOME,  READV,  READV_AT_LEAST,
		                           WRITEV_SOME, WRITEV, WRITEV_AT_LEAST };
	static const struct iovec empty[3];
	struct flight flight = { 0 };
	struct chunk_pipe *pipe = new_pipe(stage, CHUNK_ALL);

	for (size_t i = 0; i < COUNT_OF(verbs); i++) {
		struct sennit_stream *stream =
		    verbs[i] < WRITE_SOME ? &pipe->reader : &pipe->writer;

		START(stage, { verbs[i], stream, .minimum = 1, .flight = &flight });
		EXPECT(&flight, 0, 0);
		START(stage, { verbs[i], stream, .vector = empty, .count = 3, .minimum = 1,
		               .flight = &flight });
		EXPECT(&flight, 0, 0);
	}
	assert_int_equal(pipe->offers, 0);
	end_pipe(stage, pipe);
	finish(stage, &flight, 1);
}

SCENARIO(C095_a_read_that_meets_the_end_reports_eof_and_the_bytes_so_far)
{
	char data[100];
	struct flight flights[2] = { 0 };
	struct chunk_pipe *pipe = new_pipe(stage, 4);

	fill_pipe(pipe, "0123456789", 10);
	pipe->writer_closed = true;
	START(stage, { READ, &pipe->reader, .data = data, .size = 100, .flight = &flights[0] });
	EXPECT(&flights[0], SENNIT_EOF, 10);
	assert_memory_equal(data, "0123456789", 10);
	START(stage, { READ_AT_LEAST, &pipe->reader, .data = data, .size = 100, .minimum = 1,
	               .flight = &flights[1] });
	EXPECT(&flights[1], SENNIT_EOF, 0);
	end_pipe(stage, pipe);
	finish(stage, flights, 2);
}

/* --- requests between two steps --------------------------------------------------------------- */

struct allowing {
	struct chunk_pipe *pipe;
	size_t steps;
};

static void allow(void *argument)
{
	const struct allowing *allowing = argument;

	chunk_pipe_allow(allowing->pipe, allowing->steps);
}

static void allow_steps(struct stage *stage, struct chunk_pipe *pipe, size_t steps)
{
	struct allowing allowing = { pipe, steps };

	call_on_owner(stage, allow, &allowing);
}

/* HB5, S7: whichever step it is that the request follows. */
static void end_after_each_step(struct stage *stage, enum verb end)
{
	char message[] = MESSAGE;
	struct flight flights[2] = { 0 };

	for (size_t steps = 0; steps <= 6; steps++) {
		struct chunk_pipe *pipe = new_pipe(stage, 10);
		size_t bytes = steps < 6 ? steps * 10 : LENGTH;

		allow_steps(stage, pipe, 0);
		START(stage,
		      { WRITE, &pipe->writer, .data = message, .size = LENGTH,
		        .flight = &flights[0] },
		      { WRITE, &pipe->writer, .data = message, .size = LENGTH,
		        .flight = &flights[1] });
		allow_steps(stage, pipe, steps);
		START(stage, { end, .stream = &pipe->writer });
		EXPECT(&flights[0], steps < 6 ? -ECANCELED : 0, bytes);
		EXPECT(&flights[1], -ECANCELED, 0);
		assert_in_pipe(pipe, MESSAGE, bytes);
		if (end == CANCEL) {
			/* The rest is as if nothing had been behind it. */
			allow_steps(stage, pipe, CHUNK_ALL);
			START(stage, { WRITE, &pipe->writer, .data = message, .size = LENGTH,
			               .flight = &flights[0] });
			EXPECT(&flights[0], 0, LENGTH);
			assert_int_equal(pipe->size, bytes + LENGTH);
		}
		end_pipe(stage, pipe);
	}
	finish(stage, flights, 2);
}

SCENARIO(S7_cancel_between_two_steps_of_a_write_reports_the_bytes_so_far)
{
	end_after_each_step(stage, CANCEL);
}

SCENARIO(C066_close_between_two_steps_of_a_write_reports_the_bytes_so_far)
{
	end_after_each_step(stage, CLOSE);
}

SCENARIO(S7_cancel_between_two_steps_of_a_read_reports_the_bytes_so_far)
{
	char message[] = MESSAGE, data[100];
	struct flight flights[3] = { 0 };

	for (size_t steps = 0; steps <= 5; steps++) {
		struct chunk_pipe *pipe = new_pipe(stage, 10);

		allow_steps(stage, pipe, steps);
		START(stage,
		      { READ, &pipe->reader, .data = data, .size = 100, .flight = &flights[0] },
		      { READ, &pipe->reader, .data = data, .size = 100, .flight = &flights[1] },
		      { WRITE, &pipe->writer, .data = message, .size = LENGTH,
		        .flight = &flights[2] });
		PENDING(stage, &flights[2]);
		START(stage, { CANCEL, .stream = &pipe->reader });
		EXPECT(&flights[0], -ECANCELED, steps * 10);
		EXPECT(&flights[1], -ECANCELED, 0);
		assert_memory_equal(data, MESSAGE, steps * 10);
		/* The write is another object's. */
		PENDING(stage, &flights[2]);
		allow_steps(stage, pipe, CHUNK_ALL);
		EXPECT(&flights[2], 0, LENGTH);
		assert_int_equal(pipe->size, LENGTH - steps * 10);
		end_pipe(stage, pipe);
	}
	finish(stage, flights, 3);
}

/* --- the rules for those who write streams ---------------------------------------------------- */

SCENARIO(a_stream_type_serves_one_operation_at_a_time_and_is_asked_once_to_cancel)
{
	char message[] = MESSAGE;
	struct flight flights[5] = { 0 };
	struct chunk_pipe *pipe = new_pipe(stage, 10);

	allow_steps(stage, pipe, 0);
	for (int i = 0; i < 5; i++)
		START(stage, { WRITE, &pipe->writer, .data = message, .size = LENGTH,
		               .flight = &flights[i] });
	PENDING(stage, &flights[0]);
	START(stage, { CANCEL, .stream = &pipe->writer }, { CANCEL, .stream = &pipe->writer },
	      { CLOSE, .stream = &pipe->writer });
	for (int i = 0; i < 5; i++)
		EXPECT(&flights[i], -ECANCELED, 0);
	/* Only the oldest had been handed over. */
	assert_int_equal(pipe->cancels, 1);
	end_pipe(stage, pipe);
	finish(stage, flights, 5);
}

SCENARIO(a_stream_type_without_wait_reports_that_waiting_is_not_supported)
{
	struct flight flight = { 0 };
	struct chunk_pipe *pipe = new_pipe(stage, 10);

	START(stage, { WAIT, &pipe->reader, .what = SENNIT_WAIT_READ, .flight = &flight });
	EXPECT(&flight, -EOPNOTSUPP, 0);
	end_pipe(stage, pipe);
	finish(stage, &flight, 1);
}

SCENARIO(a_stream_that_is_open_does_not_open_again_and_one_that_was_closed_does)
{
	char message[] = MESSAGE;
	struct flight flight = { 0 };
	struct chunk_pipe *pipe = new_pipe(stage, 10);

	assert_int_equal(chunk_pipe_try_open(pipe, stage->owner), SENNIT_ALREADY_OPEN);
	close_pipe(stage, pipe);
	chunk_pipe_open(pipe, stage->owner, 10);
	START(stage, { WRITE, &pipe->writer, .data = message, .size = LENGTH, .flight = &flight });
	EXPECT(&flight, 0, LENGTH);
	end_pipe(stage, pipe);
	finish(stage, &flight, 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(C083_C088_a_whole_write_takes_as_many_steps_as_it_needs),
		TEST(C089_a_whole_read_takes_as_many_steps_as_it_needs),
		TEST(read_some_and_write_some_take_one_step),
		TEST(S17_arrays_of_buffers_are_as_they_were_after_every_kind_of_transfer),
		TEST(C084_at_least_ends_with_the_step_that_reaches_it),
		TEST(at_least_0_transfers_nothing_and_succeeds),
		TEST(C085_a_condition_transfers_exactly_what_it_asks_for),
		TEST(C086_a_condition_that_returns_3_offers_3_bytes_a_step),
		TEST(a_condition_that_wants_nothing_at_first_ends_the_operation_with_success),
		TEST(S17_a_condition_runs_on_the_owner_wherever_the_handler_runs),
		TEST(C087_an_empty_list_of_buffers_succeeds_with_0_without_a_step),
		TEST(C095_a_read_that_meets_the_end_reports_eof_and_the_bytes_so_far),
		TEST(S7_cancel_between_two_steps_of_a_write_reports_the_bytes_so_far),
		TEST(C066_close_between_two_steps_of_a_write_reports_the_bytes_so_far),
		TEST(S7_cancel_between_two_steps_of_a_read_reports_the_bytes_so_far),
		TEST(a_stream_type_serves_one_operation_at_a_time_and_is_asked_once_to_cancel),
		TEST(a_stream_type_without_wait_reports_that_waiting_is_not_supported),
		TEST(a_stream_that_is_open_does_not_open_again_and_one_that_was_closed_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
