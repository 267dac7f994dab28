/* SPDX-License-Identifier: MIT */
/* try_read.c - what a stream gives without an operation (sennit_stream_try_read), and what is known
 * of that (sennit_stream_may_read), clause by clause: over TCP, over a local socket pair, and over
 * a pipe.
 */
#include "attempt.h"
#include "chunk_stream.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- what comes ------------------------------------------------------------------------------- */

static void each(void (*function)(struct end *end))
{
	with_each_kind(sennit_stream_try_read, function);
}

/* The stream's first operation, which reads as much of the pattern. */
static void read_first(struct end *end, size_t size)
{
	struct flight flight = {0};
	char *data = patterned(size);

	raw_write(end->fds[1], data, size);
	START(&end->stage, {READ, .stream = end->stream, .data = data, .size = size,
			    .flight = &flight});
	EXPECT(&flight, 0, size);
	free(data);
}

/* Returns when the stream knows that there is something. */
static void await(struct end *end)
{
	struct flight flight = {0};

	START(&end->stage, {WAIT, .stream = end->stream, .what = SENNIT_WAIT_READ,
			    .flight = &flight});
	EXPECT(&flight, 0, 0);
}

/* Sends bytes of the pattern; returns when the kernel has them for the stream, and it knows. */
static void give(struct end *end, size_t offset, size_t size)
{
	char *data = zeroed(size);

	pattern(data, size, offset);
	raw_write(end->fds[1], data, size);
	wait_until_there(end->fds[0], size);
	await(end);
	free(data);
}

/* Returns when the kernel knows that the other end is closed. */
static void close_other(struct end *end)
{
	struct pollfd look = {.fd = end->fds[0], .events = POLLRDHUP};

	raw_close(end->fds[1]);
	end->fds[1] = -1;
	while (!(look.revents & (POLLRDHUP | POLLHUP)))
		assert_int_equal(poll(&look, 1, -1), 1);
}

struct known {
	struct sennit_stream *stream;
	bool may_read;
};

static void look_here(void *argument)
{
	struct known *known = argument;

	known->may_read = sennit_stream_may_read(known->stream);
}

static bool may_read(struct end *end)
{
	struct known known = {end->stream, false};

	call_on_owner(&end->stage, look_here, &known);
	return known.may_read;
}

/* An attempt gets so much of the pattern, for which it has that room, and somewhat behind it. */
static void expect_bytes(struct end *end, size_t offset, size_t size, size_t room)
{
	char *data = zeroed(room + 1);

	assert_int_equal(try_bytes(end, data, room), size);
	assert_true(is_pattern(data, size, offset));
	for (size_t i = size; i <= room; i++)
		assert_int_equal(data[i], 0);
	free(data);
}

static void expect_nothing(struct end *end, ssize_t result)
{
	char data[8] = {0};

	assert_int_equal(try_bytes(end, data, sizeof data), result);
	assert_memory_equal(data, "\0\0\0\0\0\0\0", sizeof data);
}

/* The whole of it is read by an operation. */
static void expect_read(struct end *end, size_t offset, size_t size)
{
	struct flight flight = {0};
	char *data = zeroed(size);

	START(&end->stage, {READ, .stream = end->stream, .data = data, .size = size,
			    .flight = &flight});
	EXPECT(&flight, 0, size);
	assert_true(is_pattern(data, size, offset));
	free(data);
}

static void expect_no_read(struct end *end, int error)
{
	struct flight flight = {0};
	char byte;

	START(&end->stage, {READ, .stream = end->stream, .data = &byte, .size = 1,
			    .flight = &flight});
	EXPECT(&flight, error, 0);
}

/* --- what is given ---------------------------------------------------------------------------- */

static void read_in_order(struct end *end)
{
	read_first(end, 100);
	give(end, 100, 200);
	expect_bytes(end, 100, 100, 100);
	expect_bytes(end, 200, 1, 1);
	expect_bytes(end, 201, 99, 200); /* there is room for more than there is */
	expect_nothing(end, 0);
	give(end, 300, 50);
	expect_bytes(end, 300, 50, 50);
}

static void what_has_come_is_given_in_order_without_an_operation(void **state)
{
	(void)state;
	each(read_in_order);
}

static void read_parts(struct end *end)
{
	enum { PARTS = 60 };
	struct iovec parts[PARTS];
	size_t all = PARTS * (PARTS + 1) / 2;
	char *data = zeroed(all);
	size_t size = 0;

	for (size_t i = 0; i < PARTS; i++) {
		parts[i] = (struct iovec){data + size, i + 1};
		size += i + 1;
	}
	read_first(end, 1);
	give(end, 1, all);
	assert_int_equal(try_parts(end, parts, PARTS), all);
	assert_true(is_pattern(data, all, 1));
	give(end, 7, 5); /* which ends within a part */
	assert_int_equal(try_parts(end, parts, PARTS), 5);
	assert_true(is_pattern(data, 5, 7));
	assert_true(is_pattern(data + 5, all - 5, 6));
	assert_int_equal(may_read(end), end->kind != TCP); /* where that proves that no more is */
	free(data);
}

static void several_parts_are_filled_at_once_and_in_order(void **state)
{
	(void)state;
	each(read_parts);
}

static void leave_some(struct end *end)
{
	read_first(end, 1);
	give(end, 1, 300);
	expect_bytes(end, 1, 100, 100);
	assert_true(may_read(end));
	expect_read(end, 101, 100);
	assert_true(may_read(end));
	expect_bytes(end, 201, 50, 50);
	expect_read(end, 251, 50);
}

static void what_is_left_is_read_by_an_operation_or_another_attempt(void **state)
{
	(void)state;
	each(leave_some);
}

/* --- nothing there ---------------------------------------------------------------------------- */

static void find_nothing(struct end *end)
{
	struct flight flight = {0};

	read_first(end, 1);
	assert_true(may_read(end)); /* for all that is known */
	expect_nothing(end, 0);
	assert_false(may_read(end));
	START(&end->stage, {WAIT, .stream = end->stream, .what = SENNIT_WAIT_READ,
			    .flight = &flight});
	PENDING(&end->stage, &flight);
	expect_nothing(end, 0);
	raw_write(end->fds[1], "x", 1);
	EXPECT(&flight, 0, 0);
	assert_true(may_read(end));
}

static void where_nothing_has_come_it_gives_nothing_and_a_wait_tells_of_more(void **state)
{
	(void)state;
	each(find_nothing);
}

/* There will be no event of what has come already. */
static void wait_for_the_rest(struct end *end)
{
	read_first(end, 1);
	give(end, 1, 300);
	for (size_t i = 0; i < 300; i += 100) {
		await(end);
		expect_bytes(end, 1 + i, 100, 100);
	}
	expect_nothing(end, 0);
}

static void a_wait_for_what_is_left_completes_at_once(void **state)
{
	(void)state;
	each(wait_for_the_rest);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void expect_the_end(struct end *end)
{
	expect_nothing(end, SENNIT_EOF);
	expect_nothing(end, SENNIT_EOF);
	expect_no_read(end, SENNIT_EOF);
	expect_nothing(end, SENNIT_EOF);
	await(end);
	assert_true(may_read(end));
}

static void end_it(struct end *end)
{
	read_first(end, 1);
	expect_nothing(end, 0);
	close_other(end);
	await(end);
	expect_the_end(end);
}

static void the_end_is_told_again_and_again(void **state)
{
	(void)state;
	each(end_it);
}

/* One event tells of both: behind a short read there is the end, and no event to come. */
static void end_it_with_data(struct end *end)
{
	struct hold hold;
	char data[100];

	read_first(end, 1);
	expect_nothing(end, 0);
	hold_worker(&hold, end->stage.owner);
	pattern(data, sizeof data, 1);
	raw_write(end->fds[1], data, sizeof data);
	close_other(end);
	let_go(&hold);
	await(end);
	expect_bytes(end, 1, 100, 200);
	assert_true(may_read(end));
	expect_the_end(end);
}

static void the_end_is_told_behind_the_last_bytes(void **state)
{
	(void)state;
	each(end_it_with_data);
}

static void reset_it(struct end *end)
{
	struct flight flight = {0};

	read_first(end, 1);
	expect_nothing(end, 0);
	if (end->kind == TCP) {
		raw_reset(end->fds[1]);
		end->fds[1] = -1;
	} else { /* with something unread */
		START(&end->stage, {WRITE, .stream = end->stream, .data = "x", .size = 1,
				    .flight = &flight});
		EXPECT(&flight, 0, 1);
		close_other(end);
	}
	await(end);
	expect_nothing(end, -ECONNRESET);
	expect_nothing(end, SENNIT_EOF); /* as a read would: an error is told once */
	expect_no_read(end, SENNIT_EOF);
}

static void a_reset_is_reported_once_and_then_the_end(void **state)
{
	(void)state;
	for (enum kind kind = TCP; kind <= LOCAL; kind++) {
		struct end end;

		open_end(&end, kind, sennit_stream_try_read);
		reset_it(&end);
		close_end(&end);
	}
}

static void a_reset_is_reported_behind_the_bytes_before_it(void **state)
{
	struct end end;

	(void)state;
	open_end(&end, TCP, sennit_stream_try_read);
	read_first(&end, 1);
	give(&end, 1, 100);
	raw_reset(end.fds[1]);
	end.fds[1] = -1;
	await(&end);
	expect_bytes(&end, 1, 60, 60);
	expect_bytes(&end, 61, 40, 60);
	await(&end);
	expect_nothing(&end, -ECONNRESET);
	expect_nothing(&end, SENNIT_EOF);
	close_end(&end);
}

/* --- beside operations ------------------------------------------------------------------------ */

static void try_before_the_first(struct end *end)
{
	char byte = 0;

	raw_write(end->fds[1], "x", 1);
	assert_false(may_read(end));
	expect_nothing(end, 0);
	await(end); /* whose kind does not matter */
	assert_true(may_read(end));
	assert_int_equal(try_bytes(end, &byte, 1), 1);
	assert_int_equal(byte, 'x');
}

static void nothing_is_given_before_the_first_operation(void **state)
{
	(void)state;
	each(try_before_the_first);
}

/* It has read a part, and the rest is its own. */
static void try_beside_a_read(struct end *end)
{
	struct flight flight = {0};
	struct hold hold;
	char data[200];
	char rest[100];

	read_first(end, 1);
	give(end, 1, 100);
	START(&end->stage, {READ, .stream = end->stream, .data = data, .size = sizeof data,
			    .flight = &flight});
	PENDING(&end->stage, &flight);
	assert_false(may_read(end));
	expect_nothing(end, 0);
	hold_worker(&hold, end->stage.owner);
	pattern(rest, sizeof rest, 101);
	raw_write(end->fds[1], rest, sizeof rest);
	let_go(&hold);
	expect_nothing(end, 0);
	EXPECT(&flight, 0, 200);
	assert_true(is_pattern(data, sizeof data, 1));
	give(end, 201, 10);
	expect_bytes(end, 201, 10, 10);
}

static void nothing_is_given_while_a_read_is_in_flight(void **state)
{
	(void)state;
	each(try_beside_a_read);
}

/* It was started on another thread, and the owner has not seen it yet: it reads what follows. */
static void try_beside_a_read_from_elsewhere(struct end *end)
{
	struct flight flight = {0};
	char given[100];
	char data[50];
	const struct iovec part = {given, sizeof given};
	const struct start read = {READ, .stream = end->stream, .data = data, .size = sizeof data,
				   .flight = &flight};

	read_first(end, 1);
	give(end, 1, 150);
	assert_int_equal(try_beside(end, &part, &read), sizeof given);
	assert_true(is_pattern(given, sizeof given, 1));
	EXPECT(&flight, 0, 50);
	assert_true(is_pattern(data, sizeof data, 101));
}

static void a_read_that_the_owner_does_not_know_of_reads_what_follows(void **state)
{
	(void)state;
	each(try_beside_a_read_from_elsewhere);
}

static void nothing_is_given_before_a_connect_is_complete(void **state)
{
	struct sennit_endpoint endpoint;
	struct flight flight = {0};
	struct end end;
	int filler;
	int listener = raw_listen_full(&endpoint, &filler);

	(void)state;
	begin_end(&end, sennit_stream_try_read);
	sennit_tcp_socket_init(&end.socket, end.stage.owner);
	end.stream = &end.socket.stream;
	START(&end.stage, {CONNECT, .socket = &end.socket, .endpoint = &endpoint,
			   .flight = &flight});
	PENDING(&end.stage, &flight);
	assert_false(may_read(&end));
	expect_nothing(&end, 0);
	START(&end.stage, {CANCEL, .stream = end.stream});
	EXPECT(&flight, -ECANCELED, 0);
	raw_close(filler);
	raw_close(listener);
	close_end(&end);
}

/* --- its share of a turn ---------------------------------------------------------------------- */

static void read_a_share(struct end *end)
{
	char *data = zeroed(2 * ATTEMPTS);
	size_t first;
	size_t then;

	read_first(end, 1);
	give(end, 1, 2 * ATTEMPTS);
	first = try_one_by_one(end, data);
	assert_in_range(first, 1, ATTEMPTS - 1);
	assert_true(may_read(end));
	owner_turn(&end->stage);
	then = try_one_by_one(end, data + first);
	assert_in_range(then, 1, ATTEMPTS - 1);
	assert_true(is_pattern(data, first + then, 1));
	await(end);
	expect_read(end, 1 + first + then, 2 * ATTEMPTS - first - then);
	free(data);
}

static void a_stream_has_its_share_of_a_turn_and_another_in_the_next(void **state)
{
	(void)state;
	each(read_a_share);
}

struct greedy {
	struct end *end;
	struct start start;
	char data[ATTEMPTS];
	size_t moved;
	bool may_read;
	bool may_read_on;
};

/* The operation is started in the turn that has had its share: what is there is for it. */
static void read_a_share_and_more(void *argument)
{
	struct greedy *greedy = argument;
	struct end *end = greedy->end;
	ssize_t moved = 1;

	while (moved == 1 && greedy->moved < ATTEMPTS) {
		const struct iovec part = {greedy->data + greedy->moved, 1};

		moved = sennit_stream_try_read(end->stream, &part, 1);
		greedy->moved += moved == 1;
	}
	greedy->may_read = sennit_stream_may_read(end->stream);
	start_here(&greedy->start, end->stage.owner);
	greedy->may_read_on = sennit_stream_may_read(end->stream);
}

static void read_behind_a_share(struct end *end)
{
	struct greedy *greedy = zeroed(sizeof *greedy);
	struct flight flight = {0};
	char rest[ATTEMPTS];

	greedy->end = end;
	greedy->start = (struct start){READ_SOME, .stream = end->stream, .data = rest,
				       .size = sizeof rest, .flight = &flight};
	read_first(end, 1);
	give(end, 1, ATTEMPTS);
	call_on_owner(&end->stage, read_a_share_and_more, greedy);
	assert_in_range(greedy->moved, 1, ATTEMPTS - 1);
	assert_true(greedy->may_read);
	assert_false(greedy->may_read_on);
	EXPECT(&flight, 0, ATTEMPTS - greedy->moved);
	assert_true(is_pattern(greedy->data, greedy->moved, 1));
	assert_true(is_pattern(rest, ATTEMPTS - greedy->moved, 1 + greedy->moved));
	free(greedy);
}

static void an_operation_reads_what_the_share_does_not_cover(void **state)
{
	(void)state;
	each(read_behind_a_share);
}

/* --- other streams ---------------------------------------------------------------------------- */

/* Those who write streams read them with operations. */
static void a_stream_of_a_type_of_its_own_gives_nothing(void **state)
{
	struct chunk_pipe *pipe = zeroed(sizeof *pipe);
	struct flight flights[2] = {0};
	struct end end;
	char got[10];

	(void)state;
	begin_end(&end, sennit_stream_try_read);
	end.stream = &pipe->reader;
	chunk_pipe_open(pipe, end.stage.owner, 100);
	START(&end.stage, {WRITE, .stream = &pipe->writer, .data = "hellohello", .size = 10,
			   .flight = &flights[0]});
	EXPECT(&flights[0], 0, 10);
	assert_false(may_read(&end));
	expect_nothing(&end, 0);
	for (int i = 0; i < 2; i++) {
		flights[1] = (struct flight){0};
		START(&end.stage, {READ, .stream = &pipe->reader, .data = got, .size = 5,
				   .flight = &flights[1]});
		EXPECT(&flights[1], 0, 5);
		assert_memory_equal(got, "hello", 5);
		assert_false(may_read(&end));
		expect_nothing(&end, 0);
	}
	sennit_close(&pipe->writer);
	sennit_close(&pipe->reader);
	chunk_pipe_wait_closed(pipe, &end.stage);
	end_runtime(end.stage.runtime);
	recorded();
	free(pipe);
}

/* A message of nothing is no end, and would look like nothing. */
static void datagrams_are_not_given(void **state)
{
	static const size_t sizes[] = {1, 0, 3};
	struct flight flights[COUNT_OF(sizes)] = {0};
	struct end end;
	char got[10];

	(void)state;
	begin_end(&end, sennit_stream_try_read);
	raw_local_pair(SOCK_DGRAM, end.fds);
	adopt(&end.stage, &end.descriptor, end.fds[0]);
	end.stream = &end.descriptor.stream;
	for (size_t i = 0; i < COUNT_OF(sizes); i++)
		assert_int_equal(send(end.fds[1], "abc", sizes[i], 0), sizes[i]);
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		START(&end.stage, {READ_SOME, .stream = end.stream, .data = got,
				   .size = sizeof got, .flight = &flights[i]});
		EXPECT(&flights[i], 0, sizes[i]);
		assert_false(may_read(&end));
		expect_nothing(&end, 0);
	}
	close_end(&end);
}

static void a_file_is_given_to_its_end(void **state)
{
	struct end end;
	char data[1000];

	(void)state;
	begin_end(&end, sennit_stream_try_read);
	end.fds[0] = memfd_create("sennit-test", MFD_CLOEXEC);
	assert_true(end.fds[0] >= 0);
	pattern(data, sizeof data, 0);
	assert_int_equal(pwrite(end.fds[0], data, sizeof data, 0), sizeof data);
	adopt(&end.stage, &end.descriptor, end.fds[0]);
	end.stream = &end.descriptor.stream;
	assert_false(may_read(&end));
	expect_nothing(&end, 0);
	expect_read(&end, 0, 10);
	assert_true(may_read(&end));
	expect_bytes(&end, 10, 500, 500);
	expect_read(&end, 510, 90);
	expect_bytes(&end, 600, 400, 900);
	expect_nothing(&end, SENNIT_EOF);
	expect_nothing(&end, SENNIT_EOF);
	expect_no_read(&end, SENNIT_EOF);
	close_end(&end);
}

static void look_at_closed(struct end *end)
{
	read_first(end, 1);
	assert_true(may_read(end));
	sennit_close(end->stream);
	assert_false(may_read(end));
}

static void a_closed_stream_reports_EBADF(void **state)
{
	struct sennit_stream none = {0};
	struct known known = {&none, true};

	(void)state;
	assert_closed_reports_EBADF(sennit_stream_try_read);
	each(look_at_closed);
	look_here(&known);
	assert_false(known.may_read);
}

/* --- counted ---------------------------------------------------------------------------------- */

static void expect_counted(const struct attempt *attempt, ssize_t moved, unsigned idle)
{
	const struct sennit_counters *counted = &attempt->counted;

	assert_int_equal(attempt->moved, moved);
	assert_int_equal(counted->reads, moved > 0);
	assert_int_equal(counted->bytes_read, moved > 0 ? moved : 0);
	assert_int_equal(counted->calls_idle, idle);
	assert_int_equal(counted->handlers, 0);
}

/* As of an operation, but no handler runs. After nothing was found the kernel is not asked again,
 * and nor is it after a short read of TCP, which proves as much. */
static void count_attempts(struct end *end)
{
	char data[10];
	const struct iovec part = {data, sizeof data};
	struct attempt attempt = {end, &part, 1, 0, {0}};
	bool proven = end->kind == TCP;

	read_first(end, 1);
	give(end, 1, 15);
	call_on_owner(&end->stage, attempt_here, &attempt);
	expect_counted(&attempt, 10, 0);
	call_on_owner(&end->stage, attempt_here, &attempt);
	expect_counted(&attempt, 5, 0);
	assert_int_equal(may_read(end), !proven);
	for (unsigned i = 0; i < 3; i++) {
		call_on_owner(&end->stage, attempt_here, &attempt);
		expect_counted(&attempt, 0, !proven && i == 0);
		assert_false(may_read(end));
	}
	close_other(end);
	await(end);
	call_on_owner(&end->stage, attempt_here, &attempt);
	expect_counted(&attempt, SENNIT_EOF, 0);
}

static void it_is_counted_as_a_read(void **state)
{
	(void)state;
	each(count_attempts);
}

/* --- misuse ----------------------------------------------------------------------------------- */

static ssize_t look_only(struct sennit_stream *stream, const struct iovec *vector, int count)
{
	(void)vector;
	(void)count;
	return sennit_stream_may_read(stream);
}

static void on_another_thread_it_is_misuse(void **state)
{
	(void)state;
	assert_misuse_elsewhere(sennit_stream_try_read, "sennit_stream_try_read");
	assert_misuse_elsewhere(look_only, "sennit_stream_may_read");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(what_has_come_is_given_in_order_without_an_operation),
		TEST(several_parts_are_filled_at_once_and_in_order),
		TEST(what_is_left_is_read_by_an_operation_or_another_attempt),
		TEST(where_nothing_has_come_it_gives_nothing_and_a_wait_tells_of_more),
		TEST(a_wait_for_what_is_left_completes_at_once),
		TEST(the_end_is_told_again_and_again),
		TEST(the_end_is_told_behind_the_last_bytes),
		TEST(a_reset_is_reported_once_and_then_the_end),
		TEST(a_reset_is_reported_behind_the_bytes_before_it),
		TEST(nothing_is_given_before_the_first_operation),
		TEST(nothing_is_given_while_a_read_is_in_flight),
		TEST(a_read_that_the_owner_does_not_know_of_reads_what_follows),
		TEST(nothing_is_given_before_a_connect_is_complete),
		TEST(a_stream_has_its_share_of_a_turn_and_another_in_the_next),
		TEST(an_operation_reads_what_the_share_does_not_cover),
		TEST(a_stream_of_a_type_of_its_own_gives_nothing),
		TEST(datagrams_are_not_given),
		TEST(a_file_is_given_to_its_end),
		TEST(a_closed_stream_reports_EBADF),
		TEST(it_is_counted_as_a_read),
		TEST(on_another_thread_it_is_misuse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
