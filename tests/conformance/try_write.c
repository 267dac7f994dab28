/* SPDX-License-Identifier: MIT */
/* try_write.c - what a stream takes without an operation (sennit_stream_try_write), clause by
 * clause: over TCP, over a local socket pair, and over a pipe.
 */
#include "attempt.h"
#include "chunk_stream.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MEBIBYTE ((size_t)1 << 20)

/* --- attempts --------------------------------------------------------------------------------- */

/* The stream's first operation, which writes as much of the pattern. */
static void write_first(struct end *end, size_t size)
{
	struct flight flight = {0};
	char *data = patterned(size);

	START(&end->stage, {WRITE, .stream = end->stream, .data = data, .size = size,
			    .flight = &flight});
	EXPECT(&flight, 0, size);
	free(data);
}

/* Has the stream take of the data, which is at least a mebibyte, until it is full; how much. */
static size_t fill(struct end *end, const char *data)
{
	size_t total = 0;
	ssize_t taken;

	while ((taken = try_bytes(end, data + total, MEBIBYTE)) > 0)
		total += (size_t)taken;
	assert_int_equal(taken, 0);
	return total;
}

static void expect_pattern(struct end *end, size_t size)
{
	char *got = zeroed(size);

	raw_read(end->fds[1], got, size);
	assert_true(is_pattern(got, size, 0));
	free(got);
}

/* --- what is taken ---------------------------------------------------------------------------- */

static void take_in_order(struct end *end)
{
	char *data = patterned(600);

	write_first(end, 100);
	assert_int_equal(try_bytes(end, data + 100, 100), 100);
	assert_int_equal(try_bytes(end, data + 200, 1), 1);
	assert_int_equal(try_bytes(end, data + 201, 99), 99);
	expect_pattern(end, 300);
	raw_silent(end->fds[1]);
	free(data);
}

static void what_is_taken_arrives_in_order_without_an_operation(void **state)
{
	(void)state;
	with_each_kind(sennit_stream_try_write, take_in_order);
}

static void take_parts(struct end *end)
{
	enum { PARTS = 60 };
	struct iovec parts[PARTS];
	char *data = patterned(1 + PARTS * (PARTS + 1) / 2);
	size_t size = 1;

	write_first(end, 1);
	for (size_t i = 0; i < PARTS; i++) {
		parts[i] = (struct iovec){data + size, i + 1};
		size += i + 1;
	}
	assert_int_equal(try_parts(end, parts, PARTS), size - 1);
	expect_pattern(end, size);
	free(data);
}

static void several_parts_are_taken_at_once_and_in_order(void **state)
{
	(void)state;
	with_each_kind(sennit_stream_try_write, take_parts);
}

/* A write started then is behind what was taken, and goes on when there is room. */
static void fill_it(struct end *end)
{
	char *data = patterned(16 * MEBIBYTE);
	struct flight flight = {0};
	size_t full;

	write_first(end, 1);
	full = 1 + fill(end, data + 1);
	assert_in_range(full, 2, 15 * MEBIBYTE);
	START(&end->stage, {WRITE, .stream = end->stream, .data = data + full, .size = MEBIBYTE,
			    .flight = &flight});
	PENDING(&end->stage, &flight);
	assert_int_equal(try_bytes(end, "never", 5), 0);
	expect_pattern(end, full + MEBIBYTE);
	EXPECT(&flight, 0, MEBIBYTE);
	raw_silent(end->fds[1]);
	free(data);
}

static void a_full_stream_takes_nothing_and_a_write_goes_on_when_there_is_room(void **state)
{
	(void)state;
	with_each_kind(sennit_stream_try_write, fill_it);
}

/* --- what is not taken ------------------------------------------------------------------------ */

static void try_before_the_first(struct end *end)
{
	assert_int_equal(try_bytes(end, "never", 5), 0);
	raw_silent(end->fds[1]);
	write_first(end, 10);
	expect_pattern(end, 10);
	raw_silent(end->fds[1]);
}

static void nothing_is_taken_before_the_first_operation(void **state)
{
	(void)state;
	with_each_kind(sennit_stream_try_write, try_before_the_first);
}

/* The operation's kind does not matter. */
static void a_readiness_wait_is_a_first_operation(void **state)
{
	struct flight flight = {0};
	struct end end;
	char got[5];

	(void)state;
	open_end(&end, LOCAL, sennit_stream_try_write);
	START(&end.stage, {WAIT, .stream = end.stream, .what = SENNIT_WAIT_WRITE,
			   .flight = &flight});
	EXPECT(&flight, 0, 0);
	assert_int_equal(try_bytes(&end, "taken", 5), 5);
	raw_read(end.fds[1], got, 5);
	assert_memory_equal(got, "taken", 5);
	close_end(&end);
}

struct both {
	struct end *end;
	struct start start;
	ssize_t taken;
};

/* There is room, but it is the write's. */
static void start_and_try(void *argument)
{
	struct both *both = argument;
	const struct iovec part = {"never", 5};

	start_here(&both->start, both->end->stage.owner);
	both->taken = sennit_stream_try_write(both->end->stream, &part, 1);
}

static void try_beside_a_write(struct end *end)
{
	struct flight flight = {0};
	char *data = patterned(200);
	struct both both = {end, {WRITE, .stream = end->stream, .data = data + 100, .size = 100,
				  .flight = &flight}, -1};

	write_first(end, 100);
	call_on_owner(&end->stage, start_and_try, &both);
	assert_int_equal(both.taken, 0);
	EXPECT(&flight, 0, 100);
	expect_pattern(end, 200);
	raw_silent(end->fds[1]);
	free(data);
}

static void nothing_is_taken_while_a_write_is_in_flight(void **state)
{
	(void)state;
	with_each_kind(sennit_stream_try_write, try_beside_a_write);
}

/* It was started on another thread, and the owner has not seen it yet. */
static void try_beside_a_write_from_elsewhere(struct end *end)
{
	struct flight flight = {0};
	char *data = patterned(200);
	const struct iovec part = {"never", 5};
	const struct start write = {WRITE, .stream = end->stream, .data = data + 100, .size = 100,
				    .flight = &flight};

	write_first(end, 100);
	assert_int_equal(try_beside(end, &part, &write), 0);
	EXPECT(&flight, 0, 100);
	expect_pattern(end, 200);
	raw_silent(end->fds[1]);
	free(data);
}

static void nothing_is_taken_before_a_write_that_was_started_elsewhere(void **state)
{
	(void)state;
	with_each_kind(sennit_stream_try_write, try_beside_a_write_from_elsewhere);
}

/* There is room for each, so small as they are. */
static void take_a_share(struct end *end)
{
	char *data = patterned(1 + 2 * ATTEMPTS);
	size_t first;
	size_t then;

	write_first(end, 1);
	first = try_one_by_one(end, data + 1);
	assert_in_range(first, 1, ATTEMPTS - 1);
	owner_turn(&end->stage);
	then = try_one_by_one(end, data + 1 + first);
	assert_in_range(then, 1, ATTEMPTS - 1);
	expect_pattern(end, 1 + first + then);
	raw_silent(end->fds[1]);
	free(data);
}

/* Local sockets count each transfer, so there may be no room for many more. */
static void a_stream_has_its_share_of_a_turn_and_another_in_the_next(void **state)
{
	struct end end;

	(void)state;
	open_end(&end, TCP, sennit_stream_try_write);
	take_a_share(&end);
	close_end(&end);
}

/* Those who write streams write them with operations. */
static void a_stream_of_a_type_of_its_own_takes_nothing(void **state)
{
	struct end end;
	struct chunk_pipe *pipe = zeroed(sizeof *pipe);
	struct flight flights[2] = {0};
	char got[5];

	(void)state;
	begin_end(&end, sennit_stream_try_write);
	end.stream = &pipe->writer;
	chunk_pipe_open(pipe, end.stage.owner, 100);
	assert_int_equal(try_bytes(&end, "never", 5), 0);
	START(&end.stage, {WRITE, .stream = &pipe->writer, .data = "hello", .size = 5,
			   .flight = &flights[0]});
	EXPECT(&flights[0], 0, 5);
	assert_int_equal(try_bytes(&end, "never", 5), 0);
	START(&end.stage, {READ, .stream = &pipe->reader, .data = got, .size = 5,
			   .flight = &flights[1]});
	EXPECT(&flights[1], 0, 5);
	assert_memory_equal(got, "hello", 5);
	assert_int_equal(pipe->size, 0);
	sennit_close(&pipe->writer);
	sennit_close(&pipe->reader);
	chunk_pipe_wait_closed(pipe, &end.stage);
	end_runtime(end.stage.runtime);
	free(pipe);
}

/* --- errors ----------------------------------------------------------------------------------- */

static void a_closed_stream_reports_EBADF(void **state)
{
	(void)state;
	assert_closed_reports_EBADF(sennit_stream_try_write);
}

/* A write ends with the same. */
static void try_without_a_reader(struct end *end)
{
	struct flight flights[2] = {0};
	char byte;

	write_first(end, 1);
	expect_pattern(end, 1);
	if (end->kind == TCP) {
		START(&end->stage, {READ, .stream = end->stream, .data = &byte, .size = 1,
				    .flight = &flights[0]});
		raw_reset(end->fds[1]);
		EXPECT(&flights[0], -ECONNRESET, 0); /* which nobody hears again */
	} else {
		raw_close(end->fds[1]);
	}
	end->fds[1] = -1;
	assert_int_equal(try_bytes(end, "never", 5), -EPIPE);
	assert_int_equal(try_bytes(end, "never", 5), -EPIPE);
	START(&end->stage, {WRITE, .stream = end->stream, .data = "never", .size = 5,
			    .flight = &flights[1]});
	EXPECT(&flights[1], -EPIPE, 0);
}

static void without_a_reader_it_reports_EPIPE(void **state)
{
	(void)state;
	with_each_kind(sennit_stream_try_write, try_without_a_reader);
}

struct broken {
	struct sennit_task task;
	struct sennit_descriptor descriptor;
	ssize_t taken[2];
};

static void on_broken(struct sennit_task *task, int error)
{
	struct broken *broken = CONTAINER_OF(task, struct broken, task);
	const struct iovec parts[2] = {{"nev", 3}, {"er", 2}};

	(void)error;
	for (int i = 0; i < 2; i++)
		broken->taken[i] = sennit_stream_try_write(&broken->descriptor.stream, parts,
							   i + 1);
}

/* In a child, whose thread drives the runtime: a started one's threads have it blocked. */
static void try_with_the_signal_at_its_default(void *argument)
{
	const enum kind *kind = argument;
	struct sennit_runtime *runtime = driven_runtime();
	struct broken broken = {0};
	struct flight flight = {0};
	sigset_t none;
	int fds[2];

	sigemptyset(&none);
	if (signal(SIGPIPE, SIG_DFL) == SIG_ERR || sigprocmask(SIG_SETMASK, &none, NULL))
		_exit(2);
	if (*kind == PIPE ? pipe(fds) : socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
		_exit(2);
	if (sennit_descriptor_assign(&broken.descriptor, sennit_runtime_executor(runtime), fds[1]))
		_exit(2);
	start_here(&(struct start){WRITE, .stream = &broken.descriptor.stream, .data = "x",
				   .size = 1, .flight = &flight}, NULL);
	sennit_runtime_poll(runtime);
	close(fds[0]);
	sennit_post(sennit_runtime_executor(runtime), &broken.task, on_broken);
	sennit_runtime_restart(runtime);
	sennit_runtime_poll(runtime);
	if (broken.taken[0] != -EPIPE || broken.taken[1] != -EPIPE)
		_exit(3);
}

static void without_a_reader_it_raises_no_SIGPIPE(void **state)
{
	(void)state;
	for (enum kind kind = LOCAL; kind < KINDS; kind++) {
		struct child child;

		in_child(&child, try_with_the_signal_at_its_default, &kind);
		assert_int_equal(child.status, 0);
	}
}

static void a_reset_is_reported_once_and_then_EPIPE(void **state)
{
	struct flight flight = {0};
	struct end end;

	(void)state;
	open_end(&end, TCP, sennit_stream_try_write);
	write_first(&end, 1);
	START(&end.stage, {WAIT, .stream = end.stream, .what = SENNIT_WAIT_READ,
			   .flight = &flight});
	raw_reset(end.fds[1]);
	end.fds[1] = -1;
	EXPECT(&flight, 0, 0);
	assert_int_equal(try_bytes(&end, "never", 5), -ECONNRESET);
	assert_int_equal(try_bytes(&end, "never", 5), -EPIPE);
	close_end(&end);
}

/* --- counted ---------------------------------------------------------------------------------- */

/* As of an operation, but no handler runs. */
static void count_attempts(struct end *end)
{
	char *data = patterned(MEBIBYTE);
	const struct iovec part = {data, 3};
	const struct iovec much = {data, MEBIBYTE};
	struct attempt attempt = {end, &part, 1, 0, {0}};
	uint64_t total = 0;

	write_first(end, 1);
	call_on_owner(&end->stage, attempt_here, &attempt);
	assert_int_equal(attempt.moved, 3);
	assert_int_equal(attempt.counted.writes, 1);
	assert_int_equal(attempt.counted.bytes_written, 3);
	assert_int_equal(attempt.counted.calls_idle, 0);
	assert_int_equal(attempt.counted.handlers, 0);
	for (attempt.vector = &much; attempt.moved; total += (uint64_t)attempt.moved) {
		call_on_owner(&end->stage, attempt_here, &attempt);
		assert_true(attempt.moved >= 0);
		assert_int_equal(attempt.counted.writes, attempt.moved != 0);
		assert_int_equal(attempt.counted.bytes_written, attempt.moved);
		assert_int_equal(attempt.counted.calls_idle, attempt.moved == 0);
	}
	assert_true(total > 0);
	call_on_owner(&end->stage, attempt_here, &attempt); /* full: it is not asked again */
	assert_int_equal(attempt.moved, 0);
	assert_int_equal(attempt.counted.writes, 0);
	assert_int_equal(attempt.counted.calls_idle, 0);
	free(data);
}

static void it_is_counted_as_a_write(void **state)
{
	(void)state;
	with_each_kind(sennit_stream_try_write, count_attempts);
}

/* --- misuse ----------------------------------------------------------------------------------- */

static void on_another_thread_it_is_misuse(void **state)
{
	(void)state;
	assert_misuse_elsewhere(sennit_stream_try_write, "sennit_stream_try_write");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(what_is_taken_arrives_in_order_without_an_operation),
		TEST(several_parts_are_taken_at_once_and_in_order),
		TEST(a_full_stream_takes_nothing_and_a_write_goes_on_when_there_is_room),
		TEST(nothing_is_taken_before_the_first_operation),
		TEST(a_readiness_wait_is_a_first_operation),
		TEST(nothing_is_taken_while_a_write_is_in_flight),
		TEST(nothing_is_taken_before_a_write_that_was_started_elsewhere),
		TEST(a_stream_has_its_share_of_a_turn_and_another_in_the_next),
		TEST(a_stream_of_a_type_of_its_own_takes_nothing),
		TEST(a_closed_stream_reports_EBADF),
		TEST(without_a_reader_it_reports_EPIPE),
		TEST(without_a_reader_it_raises_no_SIGPIPE),
		TEST(a_reset_is_reported_once_and_then_EPIPE),
		TEST(it_is_counted_as_a_write),
		TEST(on_another_thread_it_is_misuse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
