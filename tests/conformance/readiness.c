/* SPDX-License-Identifier: MIT */
/* readiness.c - waiting until a TCP socket is ready: the cases, and what the backend must know of
 * events that are over. Pipes and local sockets are in descriptors.c.
 */
#include "io_support.h"

#include <errno.h>
#include <sennit/stream_implement.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define MEBIBYTE ((size_t)1 << 20)

SCENARIO(C070_a_wait_for_reading_leaves_the_data_where_it_is)
{
	struct sennit_tcp_socket socket;
	struct flight flights[2] = { 0 };
	char data[10];
	int peer = open_socket(stage, &socket);

	START(stage, { WAIT, &socket.stream, .what = SENNIT_WAIT_READ, .flight = &flights[0] });
	PENDING(stage, &flights[0]);
	raw_write(peer, "there", 5);
	EXPECT(&flights[0], 0, 0);
	START(stage,
	      { READ_SOME, &socket.stream, .data = data, .size = 10, .flight = &flights[1] });
	EXPECT(&flights[1], 0, 5);
	raw_close(peer);
	finish(stage, flights, 2);
}

SCENARIO(C071_a_wait_for_writing_on_a_writable_socket_succeeds_but_never_inline)
{
	struct sennit_tcp_socket socket;
	struct flight flights[2] = { 0 };
	int peer = open_socket(stage, &socket);

	START(stage, { WAIT, &socket.stream, .what = SENNIT_WAIT_WRITE, .flight = &flights[0] },
	      { WAIT, &socket.stream, .what = SENNIT_WAIT_READ | SENNIT_WAIT_WRITE,
	        .flight = &flights[1] });
	EXPECT(&flights[0], 0, 0);
	EXPECT(&flights[1], 0, 0);
	raw_close(peer);
	finish(stage, flights, 2);
}

SCENARIO(C072_a_wait_for_reading_succeeds_at_the_end_and_the_read_gets_eof)
{
	struct sennit_tcp_socket socket;
	struct flight flights[2] = { 0 };
	char data[10];
	int peer = open_socket(stage, &socket);

	START(stage, { WAIT, &socket.stream, .what = SENNIT_WAIT_READ, .flight = &flights[0] });
	raw_close(peer);
	EXPECT(&flights[0], 0, 0);
	START(stage,
	      { READ_SOME, &socket.stream, .data = data, .size = 10, .flight = &flights[1] });
	EXPECT(&flights[1], SENNIT_EOF, 0);
	/* And again: no new event comes from the kernel. */
	START(stage, { WAIT, &socket.stream, .what = SENNIT_WAIT_READ, .flight = &flights[0] });
	EXPECT(&flights[0], 0, 0);
	finish(stage, flights, 2);
}

/* HC5: the event of the second half was over before the wait began. */
SCENARIO(a_wait_for_reading_sees_what_an_earlier_read_left_and_no_more_than_that)
{
	struct sennit_tcp_socket socket;
	struct flight flights[3] = { 0 };
	char data[10];
	int peer = open_socket(stage, &socket);

	raw_write(peer, "0123456789", 10);
	START(stage, { READ_SOME, &socket.stream, .data = data, .size = 4, .flight = &flights[0] });
	EXPECT(&flights[0], 0, 4);
	START(stage, { WAIT, &socket.stream, .what = SENNIT_WAIT_READ, .flight = &flights[1] });
	EXPECT(&flights[1], 0, 0);
	START(stage, { READ_SOME, &socket.stream, .data = data, .size = 6, .flight = &flights[0] });
	EXPECT(&flights[0], 0, 6);
	START(stage, { WAIT, &socket.stream, .what = SENNIT_WAIT_READ, .flight = &flights[2] });
	PENDING(stage, &flights[2]);
	raw_write(peer, "!", 1);
	EXPECT(&flights[2], 0, 0);
	raw_close(peer);
	finish(stage, flights, 3);
}

SCENARIO(a_wait_for_writing_on_a_full_socket_waits_until_the_peer_has_read)
{
	struct sennit_tcp_socket socket;
	struct flight flights[2] = { 0 };
	size_t size = 16 * MEBIBYTE, wrote;
	char *data = patterned(size), *received = zeroed(size);
	int peer = open_socket(stage, &socket);

	START(stage, { WRITE, &socket.stream, .data = data, .size = size, .flight = &flights[0] });
	PENDING(stage, &flights[0]);
	START(stage, { CANCEL, .stream = &socket.stream });
	wait_result(&flights[0].result);
	wrote = flights[0].result.bytes;
	assert_in_range(wrote, 1, size - 1);
	START(stage, { WAIT, &socket.stream, .what = SENNIT_WAIT_WRITE, .flight = &flights[1] });
	PENDING(stage, &flights[1]);
	raw_read(peer, received, wrote);
	assert_true(is_pattern(received, wrote, 0));
	EXPECT(&flights[1], 0, 0);
	raw_close(peer);
	finish(stage, flights, 2);
	free(data);
	free(received);
}

SCENARIO(a_wait_for_errors_ends_when_urgent_data_or_a_reset_arrives)
{
	struct sennit_tcp_socket socket;
	struct flight flight = { 0 };
	int peer = open_socket(stage, &socket);

	START(stage, { WAIT, &socket.stream, .what = SENNIT_WAIT_ERROR, .flight = &flight });
	PENDING(stage, &flight);
	assert_int_equal(send(peer, "!", 1, MSG_OOB), 1);
	EXPECT(&flight, 0, 0);
	START(stage, { CLOSE, .stream = &socket.stream });
	raw_close(peer);

	peer = open_socket(stage, &socket);
	START(stage, { WAIT, &socket.stream, .what = SENNIT_WAIT_ERROR, .flight = &flight });
	/* Data is no error. */
	raw_write(peer, "data", 4);
	PENDING(stage, &flight);
	raw_reset(peer);
	EXPECT(&flight, 0, 0);
	finish(stage, &flight, 1);
}

SCENARIO(B34_a_wait_is_cancelled_by_cancel_and_by_close)
{
	struct sennit_tcp_socket socket;
	struct flight flights[3] = { 0 };
	int peer = open_socket(stage, &socket);

	START(stage, { WAIT, &socket.stream, .what = SENNIT_WAIT_READ, .flight = &flights[0] },
	      { WAIT, &socket.stream, .what = SENNIT_WAIT_ERROR, .flight = &flights[1] });
	PENDING(stage, &flights[0]);
	START(stage, { CANCEL, .stream = &socket.stream });
	EXPECT(&flights[0], -ECANCELED, 0);
	EXPECT(&flights[1], -ECANCELED, 0);
	START(stage, { WAIT, &socket.stream, .what = SENNIT_WAIT_READ, .flight = &flights[2] });
	PENDING(stage, &flights[2]);
	START(stage, { CLOSE, .stream = &socket.stream });
	EXPECT(&flights[2], -ECANCELED, 0);
	raw_close(peer);
	finish(stage, flights, 3);
}

/* --- a stream's share of a turn --------------------------------------------------------------- */

/* Reads bytes one by one until the stream gives no more in this turn, and waits for them. */
struct reader {
	struct sennit_stream *stream;
	struct sennit_task task;
	struct sennit_op op;
	size_t got;
	size_t wanted;
	unsigned waits;
	bool waited;
	struct latch done;
};

static sennit_handler on_readable;

static void read_on(struct reader *reader)
{
	char byte;
	struct iovec part = {&byte, 1};
	size_t before = reader->got;

	while (reader->got < reader->wanted &&
	       sennit_stream_try_read(reader->stream, &part, 1) == 1)
		reader->got++;
	RECORD(!reader->waited || reader->got > before); /* it was worth the wait */
	if (reader->got == reader->wanted) {
		latch_down(&reader->done);
		return;
	}
	reader->waited = true;
	reader->waits++;
	sennit_async_wait(reader->stream, SENNIT_WAIT_READ, &reader->op, on_readable);
}

static void on_readable(struct sennit_op *op, int error, size_t bytes)
{
	RECORD(!error && !bytes);
	read_on(op->user);
}

static void begin_reading(struct sennit_task *task, int error)
{
	struct reader *reader = CONTAINER_OF(task, struct reader, task);

	RECORD(!error);
	reader->op.user = reader;
	read_on(reader);
}

SCENARIO(a_wait_of_a_stream_that_had_its_share_of_a_turn_ends_in_the_next)
{
	struct sennit_tcp_socket socket;
	struct reader reader = {.stream = &socket.stream, .wanted = 200, .done = LATCH(1)};
	struct flight flights[1] = {0};
	char data[200] = {0};
	int peer = open_socket(stage, &socket);

	START(stage, {WAIT, &socket.stream, .what = SENNIT_WAIT_READ, .flight = &flights[0]});
	raw_write(peer, data, sizeof data);
	EXPECT(&flights[0], 0, 0);
	sennit_post(stage->owner, &reader.task, begin_reading);
	latch_wait(&reader.done);
	assert_true(reader.waits > 1);
	raw_close(peer);
	finish(stage, flights, 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(C070_a_wait_for_reading_leaves_the_data_where_it_is),
		TEST(C071_a_wait_for_writing_on_a_writable_socket_succeeds_but_never_inline),
		TEST(C072_a_wait_for_reading_succeeds_at_the_end_and_the_read_gets_eof),
		TEST(a_wait_for_reading_sees_what_an_earlier_read_left_and_no_more_than_that),
		TEST(a_wait_for_writing_on_a_full_socket_waits_until_the_peer_has_read),
		TEST(a_wait_for_errors_ends_when_urgent_data_or_a_reset_arrives),
		TEST(B34_a_wait_is_cancelled_by_cancel_and_by_close),
		TEST(a_wait_of_a_stream_that_had_its_share_of_a_turn_ends_in_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
