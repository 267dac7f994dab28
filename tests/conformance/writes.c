/* SPDX-License-Identifier: MIT */
/* writes.c - the write strand of a stream: whole, in order, gathered, and never merged where the
 * kernel keeps messages apart.
 */
#include "io_support.h"
#include "syscalls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MEBIBYTE ((size_t)1 << 20)

/* --- order and wholeness ---------------------------------------------------------------------- */

/* HC15. */
SCENARIO(S2_writes_that_block_half_way_still_go_out_whole_and_in_order)
{
	struct sennit_tcp_socket socket;
	struct flight flights[8] = { 0 };
	size_t part = 100003;
	char *data = patterned(8 * part), *received = zeroed(8 * part);
	struct start starts[8];
	int fds[2];

	raw_tcp_pair(fds);
	shrink_buffers(fds[0]);
	sennit_tcp_socket_init(&socket, stage->owner);
	assert_int_equal(sennit_tcp_socket_assign(&socket, fds[0]), 0);
	for (int i = 0; i < 8; i++)
		starts[i] = (struct start){ WRITE, &socket.stream, .data = data + (size_t)i * part,
			                    .size = part, .flight = &flights[i] };
	start_all(stage, starts, 8);
	raw_read(fds[1], received, 8 * part);
	assert_true(is_pattern(received, 8 * part, 0));
	for (int i = 0; i < 8; i++)
		EXPECT(&flights[i], 0, part);
	raw_close(fds[1]);
	finish(stage, flights, 8);
	free(data);
	free(received);
}

struct two_threads {
	struct stage *stage;
	struct sennit_stream *stream;
	char *data;
	size_t size;
	struct flight flights[2];
};

static void write_first(void *argument)
{
	struct two_threads *two = argument;

	sennit_async_write(two->stream, two->data, two->size, &two->flights[0].op, on_result);
}

static void write_second(void *argument)
{
	struct two_threads *two = argument;

	sennit_async_write(two->stream, two->data + two->size, two->size, &two->flights[1].op,
	                   on_result);
}

/* Design, the life of an operation, 1: who has started first is first, whoever it is by then. */
SCENARIO(a_write_started_elsewhere_goes_before_the_one_that_it_causes_on_the_owner)
{
	struct sennit_descriptor descriptor;
	struct two_threads two = { .stage = stage, .stream = &descriptor.stream, .size = 1000 };
	char received[2000];
	int peer = open_local(stage, &descriptor);

	two.data = patterned(2000);
	for (int i = 0; i < 2; i++)
		expect_result(&two.flights[i].op, &two.flights[i].result, stage->owner);
	call_on_kind(stage, write_first, &two);
	/* Caused by the first start, on the owner, whose inbox may still hold it. */
	call_on_owner(stage, write_second, &two);
	raw_read(peer, received, 2000);
	assert_true(is_pattern(received, 2000, 0));
	EXPECT(&two.flights[0], 0, 1000);
	EXPECT(&two.flights[1], 0, 1000);
	raw_close(peer);
	finish(stage, two.flights, 2);
	free(two.data);
}

/* The same within one handler, that was told of the other start in another way than by a post. */
struct told {
	struct sennit_task task;
	struct sennit_executor *owner;
	struct latch inside;
	struct latch started;
	struct latch done;
	const struct start *then;
};

static void on_told(struct sennit_task *task, int error)
{
	struct told *told = CONTAINER_OF(task, struct told, task);

	RECORD(error == 0);
	latch_down(&told->inside);
	latch_wait(&told->started);
	start_here(told->then, told->owner);
	latch_down(&told->done);
}

/* `first` is started elsewhere, `then` on the owner, which knows. */
static void start_one_after_the_other(struct stage *stage, const struct start *first,
                                      const struct start *then)
{
	struct told told = { .owner = stage->owner,
		             .inside = LATCH(1),
		             .started = LATCH(1),
		             .done = LATCH(1),
		             .then = then };

	sennit_post(stage->owner, &told.task, on_told);
	latch_wait(&told.inside);
	start_all(stage, first, 1);
	latch_down(&told.started);
	latch_wait(&told.done);
}

SCENARIO(what_the_owner_starts_goes_behind_what_it_knows_was_started_elsewhere)
{
	struct sennit_descriptor descriptor;
	struct flight flights[4] = { 0 };
	char data[2][3], received[9];
	int peer;
	struct sennit_stream *stream = &descriptor.stream;
	const struct start starts[4] = {
		{ WRITE, stream, .data = "first", .size = 5, .flight = &flights[0] },
		{ WRITE, stream, .data = "then", .size = 4, .flight = &flights[1] },
		{ READ, stream, .data = data[0], .size = 3, .flight = &flights[2] },
		{ READ, stream, .data = data[1], .size = 3, .flight = &flights[3] },
	};

	if (stage->kind == THREAD_OWNER)
		return; /* it cannot be elsewhere while it is in a handler */
	peer = open_local(stage, &descriptor);
	/* Twice: the first start of all is not as the others are. */
	for (int round = 0; round < 2; round++) {
		start_one_after_the_other(stage, &starts[0], &starts[1]);
		raw_read(peer, received, 9);
		assert_memory_equal(received, "firstthen", 9);
		EXPECT(&flights[0], 0, 5);
		EXPECT(&flights[1], 0, 4);
		raw_write(peer, "onetwo", 6);
		start_one_after_the_other(stage, &starts[2], &starts[3]);
		EXPECT(&flights[2], 0, 3);
		EXPECT(&flights[3], 0, 3);
		assert_memory_equal(data[0], "one", 3);
		assert_memory_equal(data[1], "two", 3);
	}
	raw_close(peer);
	finish(stage, flights, 4);
}

/* Cancel and close by the owner reach what it knows was started elsewhere, and the other way. */
SCENARIO(what_the_owner_cancels_is_what_it_knows_was_started_elsewhere)
{
	struct sennit_descriptor descriptor;
	struct flight flights[2] = { 0 };
	char data[3];
	int peer;
	struct sennit_stream *stream = &descriptor.stream;
	const struct start starts[] = {
		{ READ, stream, .data = data, .size = 3, .flight = &flights[0] },
		{ CANCEL, .stream = stream },
		{ READ, stream, .data = data, .size = 3, .flight = &flights[1] },
		{ CLOSE, .stream = stream },
	};

	if (stage->kind == THREAD_OWNER)
		return;
	peer = open_local(stage, &descriptor);
	start_one_after_the_other(stage, &starts[0], &starts[1]);
	EXPECT(&flights[0], -ECANCELED, 0);
	/* Started on the owner after a cancel elsewhere: not meant by it. */
	start_one_after_the_other(stage, &starts[1], &starts[2]);
	PENDING(stage, &flights[1]);
	start_one_after_the_other(stage, &starts[0], &starts[3]);
	EXPECT(&flights[0], -ECANCELED, 0);
	EXPECT(&flights[1], -ECANCELED, 0);
	assert_int_equal(raw_drain(peer), 0);
	raw_close(peer);
	finish(stage, flights, 2);
}

/* S21. */
SCENARIO(S21_a_write_some_alone_completes_short_and_says_how_short)
{
	struct sennit_descriptor descriptor;
	struct flight flight = { 0 };
	size_t size = 8 * MEBIBYTE, wrote;
	char *data = patterned(size);
	int peer = open_local(stage, &descriptor);

	START(stage,
	      { WRITE_SOME, &descriptor.stream, .data = data, .size = size, .flight = &flight });
	wait_result(&flight.result);
	wrote = flight.result.bytes;
	assert_in_range(wrote, 1, size - 1);
	EXPECT(&flight, 0, wrote);
	START(stage, { CLOSE, .stream = &descriptor.stream });
	assert_int_equal(raw_drain(peer), wrote);
	raw_close(peer);
	finish(stage, &flight, 1);
	free(data);
}

SCENARIO(S21_a_write_some_cut_short_by_cancel_reports_what_is_out_as_success)
{
	struct sennit_descriptor descriptor;
	struct flight flights[2] = { 0 };
	size_t size = 8 * MEBIBYTE, wrote;
	char *data = patterned(size);
	int peer = open_local(stage, &descriptor);
	const struct start starts[] = {
		{ WRITE_SOME, &descriptor.stream, .data = data, .size = size,
		  .flight = &flights[0] },
		{ WRITE, &descriptor.stream, .data = data, .size = 5, .flight = &flights[1] },
	};

	/* With one behind it, it has to be whole, and is not as nobody reads. */
	start_on_owner(stage, starts, 2);
	PENDING(stage, &flights[0]);
	START(stage, { CANCEL, .stream = &descriptor.stream });
	EXPECT(&flights[1], -ECANCELED, 0);
	wait_result(&flights[0].result);
	wrote = flights[0].result.bytes;
	assert_in_range(wrote, 1, size - 1);
	EXPECT(&flights[0], 0, wrote);
	START(stage, { CLOSE, .stream = &descriptor.stream });
	assert_int_equal(raw_drain(peer), wrote);
	raw_close(peer);
	finish(stage, flights, 2);
	free(data);
}

/* The first two are received after the request that names them. */
SCENARIO(writes_with_cancels_between_them_end_so_that_only_the_last_goes_out)
{
	struct sennit_descriptor descriptor;
	struct flight flights[3] = { 0 };
	struct hold hold;
	char data[10];
	int peer = open_local(stage, &descriptor);

	if (stage->kind != THREAD_OWNER)
		hold_worker(&hold, stage->owner);
	START(stage, { WRITE, &descriptor.stream, .data = "one", .size = 3, .flight = &flights[0] },
	      { CANCEL, .stream = &descriptor.stream },
	      { WRITE, &descriptor.stream, .data = "two", .size = 3, .flight = &flights[1] },
	      { CANCEL, .stream = &descriptor.stream },
	      { WRITE, &descriptor.stream, .data = "three", .size = 5, .flight = &flights[2] });
	if (stage->kind != THREAD_OWNER) {
		let_go(&hold);
		EXPECT(&flights[0], -ECANCELED, 0);
		EXPECT(&flights[1], -ECANCELED, 0);
	} else {
		/* What the owner has received is let out before it is cancelled. */
		EXPECT(&flights[0], 0, 3);
		EXPECT(&flights[1], 0, 3);
		raw_read(peer, data, 6);
		assert_memory_equal(data, "onetwo", 6);
	}
	EXPECT(&flights[2], 0, 5);
	raw_read(peer, data, 5);
	assert_memory_equal(data, "three", 5);
	raw_silent(peer);
	raw_close(peer);
	finish(stage, flights, 3);
}

/* --- gathering -------------------------------------------------------------------------------- */

#define SIXTEEN 16

/* Everything started in one turn of the owner leaves in one call. */
SCENARIO(sixteen_writes_started_in_one_turn_leave_in_one_call)
{
	struct sennit_tcp_socket socket;
	struct flight flights[SIXTEEN] = { 0 };
	struct start starts[SIXTEEN];
	struct hold hold;
	char *data = patterned(SIXTEEN * 64), received[SIXTEEN * 64];
	int peer = open_socket(stage, &socket);
	uint64_t sends;

	for (int i = 0; i < SIXTEEN; i++)
		starts[i] = (struct start){ WRITE, &socket.stream, .data = data + 64 * i,
			                    .size = 64, .flight = &flights[i] };
	sends = send_calls();
	/* From elsewhere they reach the owner in one turn where it was busy meanwhile. */
	if (stage->kind != THREAD_OWNER)
		hold_worker(&hold, stage->owner);
	start_all(stage, starts, SIXTEEN);
	if (stage->kind != THREAD_OWNER)
		let_go(&hold);
	for (int i = 0; i < SIXTEEN; i++)
		EXPECT(&flights[i], 0, 64);
	assert_int_equal(send_calls() - sends, 1);
	raw_read(peer, received, sizeof received);
	assert_true(is_pattern(received, sizeof received, 0));
	raw_close(peer);
	finish(stage, flights, SIXTEEN);
	free(data);
}

#define LIMIT 1024 /* IOV_MAX */

/* S20, HC17. */
SCENARIO(S20_one_call_carries_up_to_IOV_MAX_buffers_and_more_take_another)
{
	for (int buffers = LIMIT - 1; buffers <= LIMIT + 1; buffers++) {
		struct sennit_tcp_socket socket;
		struct flight flight = { 0 };
		size_t size = (size_t)buffers;
		char *data = patterned(size), *received = zeroed(size);
		struct iovec *vector = zeroed(size * sizeof *vector);
		int peer = open_socket(stage, &socket);
		uint64_t sends = send_calls();

		for (size_t i = 0; i < size; i++)
			vector[i] = (struct iovec){ data + i, 1 };
		START(stage, { WRITEV, &socket.stream, .vector = vector, .count = buffers,
		               .flight = &flight });
		EXPECT(&flight, 0, size);
		assert_int_equal(send_calls() - sends, buffers > LIMIT ? 2 : 1);
		raw_read(peer, received, size);
		assert_true(is_pattern(received, size, 0));
		/* And back, into as many. */
		memset(data, 0, size);
		raw_write(peer, received, size);
		START(stage, { READV, &socket.stream, .vector = vector, .count = buffers,
		               .flight = &flight });
		EXPECT(&flight, 0, size);
		assert_true(is_pattern(data, size, 0));
		START(stage, { CLOSE, .stream = &socket.stream });
		raw_close(peer);
		finish(stage, &flight, 1);
		free(data);
		free(received);
		free(vector);
	}
}

SCENARIO(more_writes_than_one_call_carries_are_all_sent_in_order)
{
	enum { WRITES = 3000 };
	struct sennit_tcp_socket socket;
	struct flight *flights = zeroed(WRITES * sizeof *flights);
	struct start *starts = zeroed(WRITES * sizeof *starts);
	char *data = patterned(WRITES * 3), *received = zeroed(WRITES * 3);
	int peer = open_socket(stage, &socket);

	for (size_t i = 0; i < WRITES; i++)
		starts[i] = (struct start){ WRITE, &socket.stream, .data = data + 3 * i, .size = 3,
			                    .flight = &flights[i] };
	start_all(stage, starts, WRITES);
	raw_read(peer, received, WRITES * 3);
	assert_true(is_pattern(received, WRITES * 3, 0));
	for (size_t i = 0; i < WRITES; i++)
		EXPECT(&flights[i], 0, 3);
	raw_close(peer);
	finish(stage, flights, WRITES);
	free(flights);
	free(starts);
	free(data);
	free(received);
}

/* --- messages --------------------------------------------------------------------------------- */

static void messages_stay_apart(struct stage *stage, int type)
{
	struct sennit_descriptor descriptor;
	struct flight flights[4] = { 0 };
	char data[100];
	struct iovec parts[3] = { { "gath", 4 }, { "", 0 }, { "ered", 4 } };
	int fds[2];
	const struct start starts[] = {
		{ WRITE, &descriptor.stream, .data = "first", .size = 5, .flight = &flights[0] },
		{ WRITEV, &descriptor.stream, .vector = parts, .count = 3, .flight = &flights[1] },
		{ WRITE_SOME, &descriptor.stream, .data = "3", .size = 1, .flight = &flights[2] },
		{ WRITE, &descriptor.stream, .data = "the last", .size = 8, .flight = &flights[3] },
	};

	raw_local_pair(type, fds);
	adopt(stage, &descriptor, fds[0]);
	start_all(stage, starts, COUNT_OF(starts));
	EXPECT(&flights[0], 0, 5);
	EXPECT(&flights[1], 0, 8);
	EXPECT(&flights[2], 0, 1);
	EXPECT(&flights[3], 0, 8);
	assert_int_equal(read(fds[1], data, sizeof data), 5);
	assert_memory_equal(data, "first", 5);
	assert_int_equal(read(fds[1], data, sizeof data), 8);
	assert_memory_equal(data, "gathered", 8);
	assert_int_equal(read(fds[1], data, sizeof data), 1);
	assert_int_equal(read(fds[1], data, sizeof data), 8);
	assert_memory_equal(data, "the last", 8);
	raw_close(fds[1]);
	finish(stage, flights, 4);
}

SCENARIO(writes_to_a_sequenced_packet_socket_are_never_merged)
{
	messages_stay_apart(stage, SOCK_SEQPACKET);
}

SCENARIO(writes_to_a_datagram_socket_are_never_merged)
{
	messages_stay_apart(stage, SOCK_DGRAM);
}

/* An eventfd takes the first 8 bytes of a write: of two merged ones the second would be lost. */
SCENARIO(writes_to_an_eventfd_are_never_merged)
{
	struct sennit_descriptor descriptor;
	struct flight flights[3] = { 0 };
	uint64_t numbers[2] = { 3, 39 }, sum = 0;
	int fd = eventfd(0, EFD_CLOEXEC);

	assert_true(fd >= 0);
	adopt(stage, &descriptor, fd);
	START(stage, { READ, &descriptor.stream, .data = &sum, .size = 8, .flight = &flights[2] });
	PENDING(stage, &flights[2]);
	START(stage, { CANCEL, .stream = &descriptor.stream });
	EXPECT(&flights[2], -ECANCELED, 0);
	START(stage,
	      { WRITE, &descriptor.stream, .data = &numbers[0], .size = 8, .flight = &flights[0] },
	      { WRITE, &descriptor.stream, .data = &numbers[1], .size = 8, .flight = &flights[1] });
	EXPECT(&flights[0], 0, 8);
	EXPECT(&flights[1], 0, 8);
	START(stage, { READ, &descriptor.stream, .data = &sum, .size = 8, .flight = &flights[2] });
	EXPECT(&flights[2], 0, 8);
	assert_int_equal(sum, 42);
	finish(stage, flights, 3);
}

/* HC5: two messages, one event. */
SCENARIO(a_second_message_of_one_event_is_read_without_another_event)
{
	static const int types[] = { SOCK_SEQPACKET, SOCK_DGRAM };

	for (size_t i = 0; i < COUNT_OF(types); i++) {
		struct sennit_descriptor descriptor;
		struct flight flights[2] = { 0 };
		char data[2][100];
		struct hold hold;
		int fds[2];

		raw_local_pair(types[i], fds);
		adopt(stage, &descriptor, fds[0]);
		START(stage, { READ_SOME, &descriptor.stream, .data = data[0], .size = 100,
		               .flight = &flights[0] });
		PENDING(stage, &flights[0]);
		hold_worker(&hold, stage->owner);
		assert_int_equal(write(fds[1], "one", 3), 3);
		assert_int_equal(write(fds[1], "message", 7), 7);
		let_go(&hold);
		EXPECT(&flights[0], 0, 3);
		START(stage, { READ_SOME, &descriptor.stream, .data = data[1], .size = 100,
		               .flight = &flights[1] });
		EXPECT(&flights[1], 0, 7);
		START(stage, { CLOSE, .stream = &descriptor.stream });
		raw_close(fds[1]);
		finish(stage, flights, 2);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(S2_writes_that_block_half_way_still_go_out_whole_and_in_order),
		TEST(a_write_started_elsewhere_goes_before_the_one_that_it_causes_on_the_owner),
		TEST(what_the_owner_starts_goes_behind_what_it_knows_was_started_elsewhere),
		TEST(what_the_owner_cancels_is_what_it_knows_was_started_elsewhere),
		TEST(S21_a_write_some_alone_completes_short_and_says_how_short),
		TEST(S21_a_write_some_cut_short_by_cancel_reports_what_is_out_as_success),
		TEST(writes_with_cancels_between_them_end_so_that_only_the_last_goes_out),
		TEST(sixteen_writes_started_in_one_turn_leave_in_one_call),
		TEST(S20_one_call_carries_up_to_IOV_MAX_buffers_and_more_take_another),
		TEST(more_writes_than_one_call_carries_are_all_sent_in_order),
		TEST(writes_to_a_sequenced_packet_socket_are_never_merged),
		TEST(writes_to_a_datagram_socket_are_never_merged),
		TEST(writes_to_an_eventfd_are_never_merged),
		TEST(a_second_message_of_one_event_is_read_without_another_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
