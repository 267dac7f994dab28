/* SPDX-License-Identifier: MIT */
/* events.c - events that tell less, more or something else than they seem to: hazards HC1, HC5, HC7
 * to HC9, and requests that overtake what they are about.
 */
#include "io_support.h"
#include "syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* --- one event, several things to read -------------------------------------------------------- */

/* HC5: a terminal hands out a line a call; the second line makes no event of its own. */
static void two_lines(struct stage *stage, bool waiting)
{
	struct sennit_descriptor descriptor;
	struct flight flights[2] = { 0 };
	char data[2][100];
	int master, slave;

	raw_terminal(&master, &slave);
	adopt(stage, &descriptor, slave);
	if (!waiting)
		raw_write(master, "one\nsecond\n", 11);
	START(stage, { READ_SOME, &descriptor.stream, .data = data[0], .size = 100,
	               .flight = &flights[0] });
	if (waiting) {
		PENDING(stage, &flights[0]);
		raw_write(master, "one\nsecond\n", 11);
	}
	EXPECT(&flights[0], 0, 4);
	assert_memory_equal(data[0], "one\n", 4);
	START(stage, { READ_SOME, &descriptor.stream, .data = data[1], .size = 100,
	               .flight = &flights[1] });
	EXPECT(&flights[1], 0, 7);
	assert_memory_equal(data[1], "second\n", 7);
	raw_close(master);
	finish(stage, flights, 2);
}

SCENARIO(two_lines_on_a_terminal_are_two_reads_where_both_are_there_first)
{
	two_lines(stage, false);
}

SCENARIO(two_lines_on_a_terminal_are_two_reads_where_the_read_is_there_first)
{
	two_lines(stage, true);
}

/* Sends one of the test's descriptors along with some bytes. */
static void send_with_descriptor(int fd, void *data, size_t size, int passed)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)),
		                  .cmsg_level = SOL_SOCKET,
		                  .cmsg_type = SCM_RIGHTS } };
	struct iovec vector = { data, size };
	struct msghdr message = { .msg_iov = &vector,
		                  .msg_iovlen = 1,
		                  .msg_control = &control,
		                  .msg_controllen = sizeof control };

	memcpy(CMSG_DATA(&control.header), &passed, sizeof passed);
	assert_int_equal(sendmsg(fd, &message, 0), size);
}

/* HC5: a read ends before the bytes that came with a descriptor, short of what is there. */
SCENARIO(a_descriptor_passed_between_two_writes_does_not_hide_the_bytes_behind_it)
{
	struct sennit_descriptor descriptor;
	struct flight flights[2] = { 0 };
	char data[20] = "";
	struct hold hold;
	int peer = open_local(stage, &descriptor);

	for (int round = 0; round < 2; round++) {
		size_t got = 0;

		START(stage, { round ? READ : READ_SOME, &descriptor.stream, .data = data,
		               .size = round ? 11 : 20, .flight = &flights[0] });
		PENDING(stage, &flights[0]);
		hold_worker(&hold, stage->owner);
		raw_write(peer, "one", 3);
		send_with_descriptor(peer, "two", 3, peer);
		raw_write(peer, "three", 5);
		let_go(&hold);
		wait_result(&flights[0].result);
		got = flights[0].result.bytes;
		EXPECT(&flights[0], 0, round ? 11 : got);
		while (got < 11) {
			START(stage, { READ_SOME, &descriptor.stream, .data = data + got,
			               .size = 20 - got, .flight = &flights[1] });
			wait_result(&flights[1].result);
			assert_int_equal(flights[1].result.error, 0);
			got += flights[1].result.bytes;
		}
		assert_int_equal(got, 11);
		assert_memory_equal(data, "onetwothree", 11);
	}
	raw_close(peer);
	finish(stage, flights, 1);
}

/* HC5, HC9: no second event tells of the end. */
static void data_and_end_at_once(struct stage *stage, struct sennit_stream *stream, int peer)
{
	struct flight flights[2] = { 0 };
	char data[10];
	struct hold hold;

	START(stage, { READ_SOME, stream, .data = data, .size = 10, .flight = &flights[0] });
	PENDING(stage, &flights[0]);
	hold_worker(&hold, stage->owner);
	raw_write(peer, "last", 4);
	raw_close(peer);
	let_go(&hold);
	EXPECT(&flights[0], 0, 4);
	assert_memory_equal(data, "last", 4);
	START(stage, { READ_SOME, stream, .data = data, .size = 10, .flight = &flights[1] });
	EXPECT(&flights[1], SENNIT_EOF, 0);
	finish(stage, flights, 2);
}

SCENARIO(data_and_end_in_one_event_are_data_first_on_a_socket)
{
	struct sennit_tcp_socket socket;
	int peer = open_socket(stage, &socket);

	data_and_end_at_once(stage, &socket.stream, peer);
}

SCENARIO(data_and_end_in_one_event_are_data_first_on_a_local_socket)
{
	struct sennit_descriptor descriptor;
	int peer = open_local(stage, &descriptor);

	data_and_end_at_once(stage, &descriptor.stream, peer);
}

SCENARIO(data_and_end_in_one_event_are_data_first_on_a_pipe)
{
	struct sennit_descriptor descriptor;
	int fds[2];

	raw_pipe(fds);
	adopt(stage, &descriptor, fds[0]);
	data_and_end_at_once(stage, &descriptor.stream, fds[1]);
}

/* HC5: every read is as large as what is left of the kernel's, or smaller, or larger. */
SCENARIO(whatever_the_sizes_of_the_reads_all_comes_and_then_the_end)
{
	static const size_t sizes[] = { 1, 7, 64, 4096, 65536, 1 << 20 };
	enum { TOTAL = 65536 };
	char *data = patterned(TOTAL), *received = zeroed(TOTAL + (1 << 20));

	for (size_t i = stage->kind == THREAD_FOREIGN ? 0 : 2; i < COUNT_OF(sizes); i++) {
		struct sennit_tcp_socket socket;
		struct flight flight = { 0 };
		int peer = open_socket(stage, &socket);
		size_t got = 0;

		raw_write(peer, data, TOTAL / 2);
		raw_write(peer, data + TOTAL / 2, TOTAL / 2);
		raw_close(peer);
		for (;;) {
			START(stage, { READ_SOME, &socket.stream, .data = received + got,
			               .size = sizes[i], .flight = &flight });
			wait_result(&flight.result);
			if (flight.result.error)
				break;
			got += flight.result.bytes;
			assert_in_range(got, 1, TOTAL);
		}
		EXPECT(&flight, SENNIT_EOF, 0);
		assert_int_equal(got, TOTAL);
		assert_true(is_pattern(received, TOTAL, 0));
		START(stage, { CLOSE, .stream = &socket.stream });
		finish(stage, &flight, 1);
	}
	free(data);
	free(received);
}

/* --- requests that overtake ------------------------------------------------------------------- */

static void reads_and_cancels(struct stage *stage, struct sennit_stream *stream, int peer)
{
	struct flight flights[3] = { 0 };
	char data[3][10];
	struct hold hold;

	if (stage->kind != THREAD_OWNER)
		hold_worker(&hold, stage->owner);
	START(stage, { READ_SOME, stream, .data = data[0], .size = 10, .flight = &flights[0] },
	      { CANCEL, .stream = stream },
	      { READ_SOME, stream, .data = data[1], .size = 10, .flight = &flights[1] },
	      { CANCEL, .stream = stream },
	      { READ_SOME, stream, .data = data[2], .size = 10, .flight = &flights[2] });
	/* Where the owner is busy there is something to read before it sees the first read. */
	raw_write(peer, "third", 5);
	if (stage->kind != THREAD_OWNER)
		let_go(&hold);
	EXPECT(&flights[0], -ECANCELED, 0);
	EXPECT(&flights[1], -ECANCELED, 0);
	EXPECT(&flights[2], 0, 5);
	assert_memory_equal(data[2], "third", 5);
	raw_close(peer);
	finish(stage, flights, 3);
}

SCENARIO(read_cancel_read_cancel_read_on_a_socket_serves_the_third)
{
	struct sennit_tcp_socket socket;
	int peer = open_socket(stage, &socket);

	reads_and_cancels(stage, &socket.stream, peer);
}

SCENARIO(read_cancel_read_cancel_read_on_a_pipe_serves_the_third)
{
	struct sennit_descriptor descriptor;
	int fds[2];

	raw_pipe(fds);
	adopt(stage, &descriptor, fds[0]);
	reads_and_cancels(stage, &descriptor.stream, fds[1]);
}

/* What started before close ends as cancelled, what started after it as closed. */
SCENARIO(a_read_before_close_is_cancelled_and_one_after_it_finds_nothing_open)
{
	struct sennit_tcp_socket socket;
	struct flight flights[3] = { 0 };
	char data[10];
	struct hold hold;
	int peer = open_socket(stage, &socket);

	if (stage->kind != THREAD_OWNER)
		hold_worker(&hold, stage->owner);
	START(stage, { READ_SOME, &socket.stream, .data = data, .size = 10, .flight = &flights[0] },
	      { CLOSE, .stream = &socket.stream },
	      { READ_SOME, &socket.stream, .data = data, .size = 10, .flight = &flights[1] },
	      { WAIT, &socket.stream, .what = SENNIT_WAIT_READ, .flight = &flights[2] });
	if (stage->kind != THREAD_OWNER) {
		raw_write(peer, "data", 4);
		let_go(&hold);
	}
	EXPECT(&flights[0], -ECANCELED, 0);
	EXPECT(&flights[1], -EBADF, 0);
	EXPECT(&flights[2], -EBADF, 0);
	raw_close(peer);
	finish(stage, flights, 3);
}

/* --- numbers that are used again -------------------------------------------------------------- */

#define READERS 8

/* A socket with a pending read, and what takes its number when it is closed. */
struct reader {
	struct round *round;
	struct sennit_descriptor descriptor;
	struct flight flight;
	char data[4];
	int peer;
};

struct round {
	struct stage *stage;
	struct reader before[READERS]; /* ready all at once */
	struct reader after[READERS];  /* opened by the handlers of those, ready never */
	unsigned opened;
	unsigned reused;
	unsigned ended;
	unsigned numbers[READERS];
	struct latch done;
};

/* Reads, or where it is one of those that are opened by handlers, waits: which shows events that a
 * read would find nothing of. Not asserts: a handler calls it too. */
static bool open_reader(struct round *round, struct reader *reader, sennit_handler *handler)
{
	int fds[2];

	reader->round = round;
	if (!RECORD(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0))
		return false;
	reader->peer = fds[1];
	sennit_descriptor_init(&reader->descriptor, round->stage->owner);
	RECORD(sennit_descriptor_assign(&reader->descriptor, round->stage->owner, fds[0]) == 0);
	for (int i = 0; i < READERS; i++) {
		if (reader >= round->after && (unsigned)fds[0] == round->numbers[i])
			round->reused++;
	}
	if (reader >= round->after)
		sennit_async_wait(&reader->descriptor.stream, SENNIT_WAIT_READ | SENNIT_WAIT_ERROR,
		                  &reader->flight.op, handler);
	else
		sennit_async_read_some(&reader->descriptor.stream, reader->data,
		                       sizeof reader->data, &reader->flight.op, handler);
	return true;
}

/* Each closes itself and its neighbour, and opens two in their place. */
static void on_ready(struct sennit_op *op, int error, size_t bytes)
{
	struct reader *reader = CONTAINER_OF(op, struct reader, flight.op);
	struct round *round = reader->round;
	size_t index = (size_t)(reader - round->before);

	RECORD(error == -ECANCELED ? bytes == 0 : error == 0 && bytes == 1);
	sennit_close(&reader->descriptor.stream);
	sennit_close(&round->before[(index + 1) % READERS].descriptor.stream);
	for (int i = 0; i < 2 && round->opened < READERS; i++) {
		struct reader *fresh = &round->after[round->opened++];

		expect_result(&fresh->flight.op, &fresh->flight.result, round->stage->owner);
		open_reader(round, fresh, on_result);
	}
	if (++round->ended == READERS)
		latch_down(&round->done);
}

/* HC1, HC2: whatever number a descriptor gets, events of the one before are not its own. */
SCENARIO(a_number_used_again_within_a_batch_of_events_gets_no_event_of_the_one_before)
{
	unsigned reused = 0;

	for (unsigned i = 0; i < 20 * scale() || reused == 0; i++) {
		struct round *round = zeroed(sizeof *round);
		struct hold hold;

		round->stage = stage;
		round->done = (struct latch)LATCH(1);
		for (int j = 0; j < READERS; j++) {
			assert_true(open_reader(round, &round->before[j], on_ready));
			round->numbers[j] =
			    (unsigned)sennit_descriptor_native_handle(&round->before[j].descriptor);
		}
		owner_turn(stage);
		hold_worker(&hold, stage->owner);
		for (int j = 0; j < READERS; j++)
			raw_write(round->before[j].peer, "!", 1);
		let_go(&hold);
		latch_wait(&round->done);
		for (int j = 0; j < READERS; j++) {
			struct reader *reader = &round->after[j];

			PENDING(stage, &reader->flight);
			raw_write(reader->peer, "mine", 4);
			EXPECT(&reader->flight, 0, 0);
			START(stage, { READ, &reader->descriptor.stream, .data = reader->data,
			               .size = 4, .flight = &reader->flight });
			EXPECT(&reader->flight, 0, 4);
			assert_memory_equal(reader->data, "mine", 4);
			START(stage, { CLOSE, .stream = &reader->descriptor.stream });
			raw_close(reader->peer);
			raw_close(round->before[j].peer);
		}
		assert_int_equal(sennit_runtime_join(stage->runtime), 0);
		reused += round->reused;
		free(round);
		/* Otherwise the test shows nothing. */
		assert_true(reused || i < 10000);
	}
}

/* --- streams that never stop ------------------------------------------------------------------ */

/* Reads again and again from what always has more. */
struct torrent {
	struct sennit_descriptor descriptor;
	struct sennit_op op;
	struct latch ended;
	atomic_bool stop;
	char data[65536];
};

static void on_torrent(struct sennit_op *op, int error, size_t bytes)
{
	struct torrent *torrent = CONTAINER_OF(op, struct torrent, op);

	RECORD(error == 0 && bytes > 0);
	if (atomic_load(&torrent->stop))
		latch_down(&torrent->ended);
	else
		sennit_async_read_some(&torrent->descriptor.stream, torrent->data,
		                       sizeof torrent->data, op, on_torrent);
}

/* HC6. */
SCENARIO(a_stream_that_always_has_more_does_not_starve_another)
{
	struct torrent *torrents = zeroed(3 * sizeof *torrents);
	struct sennit_tcp_socket socket;
	struct flight flight = { 0 };
	char byte;
	int peer = open_socket(stage, &socket);

	for (int i = 0; i < 3; i++) {
		int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

		assert_true(fd >= 0);
		torrents[i].ended = (struct latch)LATCH(1);
		adopt(stage, &torrents[i].descriptor, fd);
		sennit_async_read_some(&torrents[i].descriptor.stream, torrents[i].data,
		                       sizeof torrents[i].data, &torrents[i].op, on_torrent);
	}
	for (int i = 0; i < 10; i++) {
		START(stage, { READ, &socket.stream, .data = &byte, .size = 1, .flight = &flight });
		owner_turn(stage);
		raw_write(peer, "!", 1);
		EXPECT(&flight, 0, 1);
	}
	for (int i = 0; i < 3; i++)
		atomic_store(&torrents[i].stop, true);
	for (int i = 0; i < 3; i++)
		latch_wait(&torrents[i].ended);
	raw_close(peer);
	finish(stage, &flight, 1);
	free(torrents);
}

/* --- half a connection, no connection --------------------------------------------------------- */

/* HC8. */
SCENARIO(a_peer_that_has_shut_down_its_sending_can_still_be_written_to)
{
	struct sennit_tcp_socket socket;
	struct flight flights[2] = { 0 };
	char *data = patterned(1 << 20), byte;
	size_t size = 1 << 20;
	int peer = open_socket(stage, &socket);

	START(stage,
	      { READ_SOME, &socket.stream, .data = &byte, .size = 1, .flight = &flights[0] });
	assert_int_equal(shutdown(peer, SHUT_WR), 0);
	EXPECT(&flights[0], SENNIT_EOF, 0);
	START(stage, { WRITE, &socket.stream, .data = data, .size = size, .flight = &flights[1] });
	for (size_t got = 0; got < size;) {
		char part[4096];
		ssize_t count = read(peer, part, sizeof part);

		assert_true(count > 0);
		assert_true(is_pattern(part, (size_t)count, got));
		got += (size_t)count;
	}
	EXPECT(&flights[1], 0, size);
	raw_close(peer);
	finish(stage, flights, 2);
	free(data);
}

SCENARIO(a_socket_that_has_shut_down_its_sending_can_still_be_read_from)
{
	struct sennit_tcp_socket socket;
	struct flight flight = { 0 };
	char data[5];
	int peer = open_socket(stage, &socket);

	assert_int_equal(sennit_tcp_socket_shutdown(&socket, SHUT_WR), 0);
	assert_int_equal(read(peer, data, 1), 0);
	START(stage, { READ, &socket.stream, .data = data, .size = 5, .flight = &flight });
	raw_write(peer, "reply", 5);
	EXPECT(&flight, 0, 5);
	raw_close(peer);
	finish(stage, &flight, 1);
}

/* Looks for a while, without waiting for anything: a loop that spins makes thousands of calls. */
static uint64_t waits_in_a_while(void)
{
	struct timespec while_ns = { .tv_nsec = 200000000 };
	uint64_t before = event_calls();

	nanosleep(&while_ns, NULL);
	return event_calls() - before;
}

/* HC7. */
SCENARIO(a_reset_while_nothing_is_pending_costs_no_busy_loop)
{
	struct sennit_tcp_socket socket;
	struct sennit_descriptor descriptor;
	struct flight flights[2] = { 0 };
	char byte;
	int peer = open_socket(stage, &socket), fds[2];

	raw_pipe(fds);
	adopt(stage, &descriptor, fds[1]);
	/* Known to the backend, by a transfer each, and then left alone. */
	START(stage, { WRITE, &socket.stream, .data = "x", .size = 1, .flight = &flights[0] },
	      { WRITE, &descriptor.stream, .data = "x", .size = 1, .flight = &flights[1] });
	EXPECT(&flights[0], 0, 1);
	EXPECT(&flights[1], 0, 1);
	raw_reset(peer);
	raw_close(fds[0]);
	owner_turn(stage);
	assert_in_range(waits_in_a_while(), 0, 50);
	START(stage, { READ, &socket.stream, .data = &byte, .size = 1, .flight = &flights[0] },
	      { WRITE, &descriptor.stream, .data = "x", .size = 1, .flight = &flights[1] });
	EXPECT(&flights[0], -ECONNRESET, 0);
	EXPECT(&flights[1], -EPIPE, 0);
	finish(stage, flights, 2);
}

/* HC7: an end that was read, and nothing more. */
SCENARIO(an_end_that_was_read_costs_no_busy_loop)
{
	struct sennit_tcp_socket socket;
	struct flight flight = { 0 };
	char byte;
	int peer = open_socket(stage, &socket);

	START(stage, { READ, &socket.stream, .data = &byte, .size = 1, .flight = &flight });
	raw_close(peer);
	EXPECT(&flight, SENNIT_EOF, 0);
	owner_turn(stage);
	assert_in_range(waits_in_a_while(), 0, 50);
	finish(stage, &flight, 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(two_lines_on_a_terminal_are_two_reads_where_both_are_there_first),
		TEST(two_lines_on_a_terminal_are_two_reads_where_the_read_is_there_first),
		TEST(a_descriptor_passed_between_two_writes_does_not_hide_the_bytes_behind_it),
		TEST(data_and_end_in_one_event_are_data_first_on_a_socket),
		TEST(data_and_end_in_one_event_are_data_first_on_a_local_socket),
		TEST(data_and_end_in_one_event_are_data_first_on_a_pipe),
		TEST(whatever_the_sizes_of_the_reads_all_comes_and_then_the_end),
		TEST(read_cancel_read_cancel_read_on_a_socket_serves_the_third),
		TEST(read_cancel_read_cancel_read_on_a_pipe_serves_the_third),
		TEST(a_read_before_close_is_cancelled_and_one_after_it_finds_nothing_open),
		TEST(a_number_used_again_within_a_batch_of_events_gets_no_event_of_the_one_before),
		TEST(a_stream_that_always_has_more_does_not_starve_another),
		TEST(a_peer_that_has_shut_down_its_sending_can_still_be_written_to),
		TEST(a_socket_that_has_shut_down_its_sending_can_still_be_read_from),
		TEST(a_reset_while_nothing_is_pending_costs_no_busy_loop),
		TEST(an_end_that_was_read_costs_no_busy_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
