/* SPDX-License-Identifier: MIT */
/* sockets.c - connected TCP sockets: the cases about transfers, cancel, close and shutdown.
 *
 * What every stream does is in streams_all.c and composed.c; readiness, connecting and accepting
 * have files of their own.
 */
#include "io_support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "syscalls.h"

#define MEBIBYTE ((size_t)1 << 20)

/* Two sockets of the library's, connected; the second belongs to the other worker. */
static void open_pair(struct stage *stage, struct sennit_tcp_socket pair[2])
{
	sennit_tcp_socket_init(&pair[0], stage->owner);
	sennit_tcp_socket_init(&pair[1], stage->other);
	assert_int_equal(sennit_tcp_socket_pair(&pair[0], &pair[1]), 0);
}

/* --- transfers of nothing --------------------------------------------------------------------- */

static void start_nothing(struct stage *stage, struct sennit_stream *stream, struct flight *flights)
{
	static const struct iovec empty[2];

	START(stage, { READ_SOME, stream, .flight = &flights[0] },
	      { WRITE_SOME, stream, .flight = &flights[1] },
	      { READV_SOME, stream, .vector = empty, .count = 2, .flight = &flights[2] },
	      { WRITEV_SOME, stream, .vector = empty, .count = 2, .flight = &flights[3] },
	      { READ, stream, .flight = &flights[4] }, { WRITE, stream, .flight = &flights[5] });
	for (int i = 0; i < 6; i++)
		EXPECT(&flights[i], 0, 0);
}

/* HC16; S13. */
SCENARIO(C054_zero_length_read_some_and_write_some_succeed_with_0_posted)
{
	struct sennit_tcp_socket socket;
	struct flight flights[6] = { 0 };
	int peer = open_socket(stage, &socket);

	start_nothing(stage, &socket.stream, flights);
	/* A peer that is gone makes no difference: nothing is looked at. */
	raw_close(peer);
	start_nothing(stage, &socket.stream, flights);
	finish(stage, flights, 6);
}

SCENARIO(S13_zero_length_transfers_succeed_whether_the_socket_is_open_or_not)
{
	struct sennit_tcp_socket socket;
	struct flight flights[6] = { 0 };
	int peer;

	sennit_tcp_socket_init(&socket, stage->owner);
	start_nothing(stage, &socket.stream, flights);
	peer = open_socket(stage, &socket);
	START(stage, { CLOSE, .stream = &socket.stream });
	start_nothing(stage, &socket.stream, flights);
	raw_close(peer);
	finish(stage, flights, 6);
}

SCENARIO(zero_length_transfers_make_no_system_call)
{
	struct sennit_tcp_socket socket;
	struct flight flights[6] = { 0 };
	int peer = open_socket(stage, &socket);
	uint64_t receives, sends;

	owner_turn(stage);
	receives = receive_calls();
	sends = send_calls();
	start_nothing(stage, &socket.stream, flights);
	assert_int_equal(receive_calls(), receives);
	assert_int_equal(send_calls(), sends);
	raw_close(peer);
	finish(stage, flights, 6);
}

/* --- whole messages, ends --------------------------------------------------------------------- */

SCENARIO(C055_a_whole_message_is_written_on_one_side_and_read_on_the_other)
{
	struct sennit_tcp_socket pair[2];
	struct flight flights[2] = { 0 };
	char *sent = patterned(MEBIBYTE), *received = zeroed(MEBIBYTE);

	open_pair(stage, pair);
	START(stage,
	      { READ, &pair[1].stream, .data = received, .size = MEBIBYTE, .flight = &flights[1],
	        .runs_on = stage->other },
	      { WRITE, &pair[0].stream, .data = sent, .size = MEBIBYTE, .flight = &flights[0] });
	EXPECT(&flights[0], 0, MEBIBYTE);
	EXPECT(&flights[1], 0, MEBIBYTE);
	assert_true(is_pattern(received, MEBIBYTE, 0));
	finish(stage, flights, 2);
	free(sent);
	free(received);
}

SCENARIO(C056_cancel_ends_a_pending_composed_read_with_0_bytes)
{
	struct sennit_tcp_socket socket;
	struct flight flights[2] = { 0 };
	char data[100];
	int peer = open_socket(stage, &socket);

	START(stage, { READ, &socket.stream, .data = data, .size = 100, .flight = &flights[0] });
	PENDING(stage, &flights[0]);
	START(stage, { CANCEL, .stream = &socket.stream });
	EXPECT(&flights[0], -ECANCELED, 0);
	/* Remembered, but not for what is started later. */
	START(stage, { READ, &socket.stream, .data = data, .size = 5, .flight = &flights[1] });
	raw_write(peer, "after", 5);
	EXPECT(&flights[1], 0, 5);
	assert_memory_equal(data, "after", 5);
	raw_close(peer);
	finish(stage, flights, 2);
}

static void C056_cancel_on_a_driven_runtime_completes_nothing_inline(void **state)
{
	struct stage stage = driven_stage();
	struct sennit_tcp_socket socket;
	struct flight flight = { 0 };
	char data[100];
	int peer = open_socket(&stage, &socket);

	(void)state;
	START(&stage, { READ, &socket.stream, .data = data, .size = 100, .flight = &flight });
	sennit_runtime_poll(stage.runtime);
	assert_int_equal(flight.result.calls, 0);
	assert_false(sennit_runtime_stopped(stage.runtime));
	START(&stage, { CANCEL, .stream = &socket.stream });
	assert_int_equal(flight.result.calls, 0);
	DRIVE(stage.runtime, &flight, -ECANCELED, 0);
	raw_close(peer);
	end_runtime(stage.runtime);
}

SCENARIO(S7_cancel_of_a_composed_read_reports_the_bytes_so_far)
{
	struct sennit_tcp_socket socket;
	struct flight flights[2] = { 0 };
	char data[100];
	int peer = open_socket(stage, &socket), fd = sennit_tcp_socket_native_handle(&socket);

	START(stage, { READ, &socket.stream, .data = data, .size = 100, .flight = &flights[0] });
	raw_write(peer, "0123456789", 10);
	wait_until_read(fd);
	START(stage, { CANCEL, .stream = &socket.stream });
	EXPECT(&flights[0], -ECANCELED, 10);
	assert_memory_equal(data, "0123456789", 10);
	/* What comes afterwards is the next read's. */
	raw_write(peer, "next", 4);
	START(stage, { READ, &socket.stream, .data = data, .size = 4, .flight = &flights[1] });
	EXPECT(&flights[1], 0, 4);
	assert_memory_equal(data, "next", 4);
	raw_close(peer);
	finish(stage, flights, 2);
}

SCENARIO(C057_a_peer_that_closes_ends_a_pending_read_with_eof)
{
	struct sennit_tcp_socket socket;
	struct flight flight = { 0 };
	char data[10];
	int peer = open_socket(stage, &socket);

	START(stage, { READ_SOME, &socket.stream, .data = data, .size = 10, .flight = &flight });
	PENDING(stage, &flight);
	raw_close(peer);
	EXPECT(&flight, SENNIT_EOF, 0);
	/* The end stays the end. */
	START(stage, { READ_SOME, &socket.stream, .data = data, .size = 10, .flight = &flight });
	EXPECT(&flight, SENNIT_EOF, 0);
	finish(stage, &flight, 1);
}

/* HC9. */
SCENARIO(C074_data_is_read_before_the_end_that_follows_it)
{
	struct sennit_tcp_socket socket;
	struct flight flights[2] = { 0 };
	char first[10], second[10];
	int peer = open_socket(stage, &socket);

	START(stage,
	      { READ_SOME, &socket.stream, .data = first, .size = 10, .flight = &flights[0] },
	      { READ_SOME, &socket.stream, .data = second, .size = 10, .flight = &flights[1] });
	raw_write(peer, "data", 4);
	raw_close(peer);
	EXPECT(&flights[0], 0, 4);
	EXPECT(&flights[1], SENNIT_EOF, 0);
	assert_memory_equal(first, "data", 4);
	assert_true(flights[0].result.order < flights[1].result.order);
	finish(stage, flights, 2);
}

/* --- objects that are not open, or open already ----------------------------------------------- */

SCENARIO(C064_every_operation_on_a_closed_socket_ends_with_EBADF_posted)
{
	struct sennit_tcp_socket socket;
	struct flight flight = { 0 };
	char data[4] = "data";
	struct iovec vector = { data, 4 };
	int peer, fd = -1;

	for (int opened = 0; opened < 2; opened++) {
		if (opened) {
			peer = open_socket(stage, &socket);
			START(stage, { CLOSE, .stream = &socket.stream });
			raw_close(peer);
		} else {
			sennit_tcp_socket_init(&socket, stage->owner);
		}
		START(stage, { CANCEL, .stream = &socket.stream },
		      { CLOSE, .stream = &socket.stream }, { CLOSE, .stream = &socket.stream });
		assert_false(sennit_is_open(&socket.stream));
		for (enum verb verb = 0; verb <= WAIT; verb++) {
			if (verb == READ_WHILE || verb == READV_WHILE || verb == WRITE_WHILE ||
			    verb == WRITEV_WHILE)
				continue;
			START(stage, { verb, &socket.stream, .data = data, .size = 4,
			               .vector = &vector, .count = 1, .minimum = 2,
			               .what = SENNIT_WAIT_READ, .flight = &flight });
			EXPECT(&flight, -EBADF, 0);
		}
		assert_int_equal(sennit_tcp_socket_release(&socket, &fd), -EBADF);
		assert_int_equal(sennit_tcp_socket_native_handle(&socket), -EBADF);
		assert_int_equal(sennit_tcp_socket_shutdown(&socket, SHUT_RDWR), -EBADF);
	}
	finish(stage, &flight, 1);
}

SCENARIO(C065_open_assign_or_accept_into_an_open_socket_is_already_open)
{
	struct sennit_tcp_socket socket, second;
	struct sennit_tcp_acceptor acceptor;
	struct sennit_endpoint endpoint;
	struct flight flight = { 0 };
	int peer = open_socket(stage, &socket), other[2], client;
	int fd = sennit_tcp_socket_native_handle(&socket);

	raw_tcp_pair(other);
	assert_int_equal(sennit_tcp_socket_open(&socket, AF_INET), SENNIT_ALREADY_OPEN);
	assert_int_equal(sennit_tcp_socket_assign(&socket, other[0]), SENNIT_ALREADY_OPEN);
	sennit_tcp_socket_init(&second, stage->owner);
	assert_int_equal(sennit_tcp_socket_pair(&second, &socket), SENNIT_ALREADY_OPEN);
	assert_false(sennit_is_open(&second.stream));
	assert_int_equal(sennit_tcp_socket_native_handle(&socket), fd);

	open_acceptor(stage, &acceptor, &endpoint);
	client = raw_connect(&endpoint);
	START(stage, { ACCEPT, .acceptor = &acceptor, .socket = &socket, .flight = &flight });
	EXPECT(&flight, SENNIT_ALREADY_OPEN, 0);
	/* The connection was not taken for it. */
	START(stage, { ACCEPT, .acceptor = &acceptor, .socket = &second, .flight = &flight });
	EXPECT(&flight, 0, 0);
	raw_close(client);
	raw_close(other[0]);
	raw_close(other[1]);
	raw_close(peer);
	finish(stage, &flight, 1);
}

static int socket_of_udp(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	return fd;
}

SCENARIO(assign_of_what_is_no_tcp_socket_fails_and_leaves_it_to_the_caller)
{
	struct sennit_tcp_socket socket;
	int local[2], pipe[2], datagram = socket_of_udp();

	raw_local_pair(SOCK_STREAM, local);
	raw_pipe(pipe);
	sennit_tcp_socket_init(&socket, stage->owner);
	assert_int_equal(sennit_tcp_socket_assign(&socket, local[0]), -EPROTONOSUPPORT);
	assert_int_equal(sennit_tcp_socket_assign(&socket, datagram), -EPROTONOSUPPORT);
	assert_int_equal(sennit_tcp_socket_assign(&socket, pipe[0]), -ENOTSOCK);
	assert_int_equal(sennit_tcp_socket_assign(&socket, -1), -EBADF);
	assert_int_equal(sennit_tcp_socket_assign(&socket, 1 << 28), -EBADF);
	assert_false(sennit_is_open(&socket.stream));
	raw_close(local[0]);
	raw_close(local[1]);
	raw_close(pipe[0]);
	raw_close(pipe[1]);
	raw_close(datagram);
}

/* --- close, cancel, release ------------------------------------------------------------------- */

SCENARIO(C066_close_ends_a_pending_read_and_a_blocked_write_with_what_the_peer_can_read)
{
	struct sennit_tcp_socket socket;
	struct flight flights[2] = { 0 };
	size_t size = 4 * MEBIBYTE, received;
	char *data = patterned(size), byte;
	int peer = open_socket(stage, &socket);

	START(stage, { READ_SOME, &socket.stream, .data = &byte, .size = 1, .flight = &flights[0] },
	      { WRITE, &socket.stream, .data = data, .size = size, .flight = &flights[1] });
	PENDING(stage, &flights[0]);
	START(stage, { CLOSE, .stream = &socket.stream });
	assert_false(sennit_is_open(&socket.stream));
	EXPECT(&flights[0], -ECANCELED, 0);
	wait_result(&flights[1].result);
	received = raw_drain(peer);
	assert_in_range(received, 1, size - 1);
	EXPECT(&flights[1], -ECANCELED, received);
	raw_close(peer);
	finish(stage, flights, 2);
	free(data);
}

SCENARIO(C099_cancel_of_a_blocked_write_reports_what_the_peer_can_read)
{
	struct sennit_tcp_socket socket;
	struct flight flights[2] = { 0 };
	size_t size = 4 * MEBIBYTE, first, received;
	char *data = patterned(size);
	int peer = open_socket(stage, &socket);

	START(stage, { WRITE, &socket.stream, .data = data, .size = size, .flight = &flights[0] });
	PENDING(stage, &flights[0]);
	START(stage, { CANCEL, .stream = &socket.stream });
	wait_result(&flights[0].result);
	first = flights[0].result.bytes;
	assert_in_range(first, 1, size - 1);
	EXPECT(&flights[0], -ECANCELED, first);
	/* The socket goes on from there. */
	START(stage, { WRITE, &socket.stream, .data = data + first, .size = size - first,
	               .flight = &flights[1] });
	PENDING(stage, &flights[1]);
	START(stage, { CLOSE, .stream = &socket.stream });
	wait_result(&flights[1].result);
	received = raw_drain(peer);
	EXPECT(&flights[1], -ECANCELED, received - first);
	raw_close(peer);
	finish(stage, flights, 2);
	free(data);
}

SCENARIO(C067_release_cancels_what_is_pending_and_hands_over_a_usable_descriptor)
{
	struct sennit_tcp_socket socket;
	struct flight flight = { 0 };
	char data[10];
	int peer = open_socket(stage, &socket), fd = -1;
	int assigned = sennit_tcp_socket_native_handle(&socket);

	START(stage, { READ_SOME, &socket.stream, .data = data, .size = 10, .flight = &flight });
	PENDING(stage, &flight);
	START(stage, { CANCEL, .stream = &socket.stream });
	EXPECT(&flight, -ECANCELED, 0);
	/* Nobody else uses the object now: any thread may. */
	assert_int_equal(sennit_tcp_socket_release(&socket, &fd), 0);
	assert_int_equal(fd, assigned);
	assert_false(sennit_is_open(&socket.stream));
	START(stage, { READ_SOME, &socket.stream, .data = data, .size = 10, .flight = &flight });
	EXPECT(&flight, -EBADF, 0);
	raw_write(peer, "to", 2);
	raw_read(fd, data, 2);
	raw_write(fd, "fro", 3);
	raw_read(peer, data, 3);
	raw_close(fd);
	raw_close(peer);
	finish(stage, &flight, 1);
}

/* D1, S15: decided before the request came. */
SCENARIO(S15_a_read_that_is_done_keeps_its_result_when_cancel_and_close_follow)
{
	struct sennit_tcp_socket socket;
	struct flight flights[2] = { 0 };
	char data[4] = "", more[4] = "";
	int peer = open_socket(stage, &socket);
	const struct start starts[] = {
		{ READ_SOME, &socket.stream, .data = data, .size = 2, .flight = &flights[0] },
		{ CANCEL, .stream = &socket.stream },
		{ READ_SOME, &socket.stream, .data = more, .size = 2, .flight = &flights[1] },
		{ CLOSE, .stream = &socket.stream },
	};

	raw_write(peer, "abcd", 4);
	start_on_owner(stage, starts, COUNT_OF(starts));
	/* On the owner a read is tried at once. */
	EXPECT(&flights[0], 0, 2);
	EXPECT(&flights[1], 0, 2);
	assert_memory_equal(data, "ab", 2);
	assert_memory_equal(more, "cd", 2);
	raw_close(peer);
	finish(stage, flights, 2);
}

/* --- order, shutdown, gather ------------------------------------------------------------------ */

SCENARIO(C073_three_pending_reads_are_served_in_order)
{
	struct sennit_tcp_socket socket;
	struct flight flights[3] = { 0 };
	char data[3][10];
	int peer = open_socket(stage, &socket);

	START(stage,
	      { READ_SOME, &socket.stream, .data = data[0], .size = 10, .flight = &flights[0] },
	      { READ_SOME, &socket.stream, .data = data[1], .size = 10, .flight = &flights[1] },
	      { READ_SOME, &socket.stream, .data = data[2], .size = 10, .flight = &flights[2] });
	PENDING(stage, &flights[0]);
	raw_write(peer, "ab", 2);
	EXPECT(&flights[0], 0, 2);
	PENDING(stage, &flights[1]);
	raw_write(peer, "cde", 3);
	EXPECT(&flights[1], 0, 3);
	PENDING(stage, &flights[2]);
	raw_close(peer);
	EXPECT(&flights[2], SENNIT_EOF, 0);
	assert_memory_equal(data[0], "ab", 2);
	assert_memory_equal(data[1], "cde", 3);
	finish(stage, flights, 3);
}

SCENARIO(C075_shutdown_of_receiving_ends_a_pending_read_with_eof)
{
	struct sennit_tcp_socket socket;
	struct flight flight = { 0 };
	char data[10];
	int peer = open_socket(stage, &socket), fd = sennit_tcp_socket_native_handle(&socket);

	START(stage, { READ_SOME, &socket.stream, .data = data, .size = 10, .flight = &flight });
	PENDING(stage, &flight);
	/* Behind the library's back, as whoever has a duplicate may do it. */
	assert_int_equal(shutdown(fd, SHUT_RD), 0);
	EXPECT(&flight, SENNIT_EOF, 0);
	raw_close(peer);
	finish(stage, &flight, 1);
}

struct shutting {
	struct sennit_tcp_socket *socket;
	int how;
	int error;
};

static void shut(void *argument)
{
	struct shutting *shutting = argument;

	shutting->error = sennit_tcp_socket_shutdown(shutting->socket, shutting->how);
}

SCENARIO(C075_shutdown_by_the_library_ends_a_pending_read_with_eof)
{
	struct sennit_tcp_socket socket;
	struct shutting shutting = { &socket, SHUT_RD, 1 };
	struct flight flight = { 0 };
	char data[10];
	int peer = open_socket(stage, &socket);

	START(stage, { READ, &socket.stream, .data = data, .size = 10, .flight = &flight });
	PENDING(stage, &flight);
	call_on_owner(stage, shut, &shutting);
	assert_int_equal(shutting.error, 0);
	EXPECT(&flight, SENNIT_EOF, 0);
	raw_close(peer);
	finish(stage, &flight, 1);
}

/* The deferral of writes to the end of the turn is not observable. */
SCENARIO(shutdown_of_sending_lets_out_what_the_owner_has_received)
{
	struct sennit_tcp_socket socket;
	struct shutting shutting = { &socket, SHUT_WR, 1 };
	struct flight flight = { 0 };
	size_t size = 4000;
	char *data = patterned(size);
	int peer = open_socket(stage, &socket);

	START(stage, { WRITE, &socket.stream, .data = data, .size = size, .flight = &flight });
	call_on_owner(stage, shut, &shutting);
	assert_int_equal(shutting.error, 0);
	EXPECT(&flight, 0, size);
	assert_int_equal(raw_drain(peer), size);
	raw_close(peer);
	finish(stage, &flight, 1);
	free(data);
}

SCENARIO(shutdown_of_sending_fails_the_writes_that_cannot_go_out_with_EPIPE)
{
	struct sennit_tcp_socket socket;
	struct shutting shutting = { &socket, SHUT_WR, 1 };
	struct flight flights[3] = { 0 };
	size_t size = 4 * MEBIBYTE, received;
	char *data = patterned(size);
	int peer = open_socket(stage, &socket);

	START(stage, { WRITE, &socket.stream, .data = data, .size = size, .flight = &flights[0] },
	      { WRITE, &socket.stream, .data = data, .size = size, .flight = &flights[1] });
	PENDING(stage, &flights[0]);
	call_on_owner(stage, shut, &shutting);
	assert_int_equal(shutting.error, 0);
	EXPECT(&flights[1], -EPIPE, 0);
	wait_result(&flights[0].result);
	received = raw_drain(peer);
	EXPECT(&flights[0], -EPIPE, received);
	START(stage,
	      { WRITE_SOME, &socket.stream, .data = data, .size = 1, .flight = &flights[2] });
	EXPECT(&flights[2], -EPIPE, 0);
	raw_close(peer);
	finish(stage, flights, 3);
	free(data);
}

/* S20; HC17. */
SCENARIO(C076_a_hundred_buffers_of_one_byte_are_written_by_one_write_some)
{
	struct sennit_tcp_socket socket;
	struct flight flight = { 0 };
	char *data = patterned(100), received[100];
	struct iovec vector[100];
	int peer = open_socket(stage, &socket);
	uint64_t sends;

	for (size_t i = 0; i < 100; i++)
		vector[i] = (struct iovec){ data + i, 1 };
	sends = send_calls();
	START(stage,
	      { WRITEV_SOME, &socket.stream, .vector = vector, .count = 100, .flight = &flight });
	EXPECT(&flight, 0, 100);
	assert_int_equal(send_calls() - sends, 1);
	raw_read(peer, received, 100);
	assert_true(is_pattern(received, 100, 0));
	raw_close(peer);
	finish(stage, &flight, 1);
	free(data);
}

/* HC14; the suite runs with SIGPIPE at its default, which would end it. */
SCENARIO(C078_writing_to_a_closed_peer_is_an_error_and_the_process_survives)
{
	struct sennit_tcp_socket socket;
	struct flight flight = { 0 };
	char data[100] = "";
	int peer = open_socket(stage, &socket);

	raw_close(peer);
	/* The first write meets a closed peer, whose reset ends one of the next ones. */
	do {
		START(stage,
		      { WRITE, &socket.stream, .data = data, .size = 100, .flight = &flight });
		wait_result(&flight.result);
	} while (flight.result.error == 0);
	assert_true(flight.result.error == -EPIPE || flight.result.error == -ECONNRESET);
	assert_int_equal(flight.result.bytes, 0);
	START(stage, { WRITE, &socket.stream, .data = data, .size = 100, .flight = &flight });
	EXPECT(&flight, -EPIPE, 0);
	finish(stage, &flight, 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(C054_zero_length_read_some_and_write_some_succeed_with_0_posted),
		TEST(S13_zero_length_transfers_succeed_whether_the_socket_is_open_or_not),
		TEST(zero_length_transfers_make_no_system_call),
		TEST(C055_a_whole_message_is_written_on_one_side_and_read_on_the_other),
		TEST(C056_cancel_ends_a_pending_composed_read_with_0_bytes),
		TEST(C056_cancel_on_a_driven_runtime_completes_nothing_inline),
		TEST(S7_cancel_of_a_composed_read_reports_the_bytes_so_far),
		TEST(C057_a_peer_that_closes_ends_a_pending_read_with_eof),
		TEST(C074_data_is_read_before_the_end_that_follows_it),
		TEST(C064_every_operation_on_a_closed_socket_ends_with_EBADF_posted),
		TEST(C065_open_assign_or_accept_into_an_open_socket_is_already_open),
		TEST(assign_of_what_is_no_tcp_socket_fails_and_leaves_it_to_the_caller),
		TEST(
		    C066_close_ends_a_pending_read_and_a_blocked_write_with_what_the_peer_can_read),
		TEST(C099_cancel_of_a_blocked_write_reports_what_the_peer_can_read),
		TEST(C067_release_cancels_what_is_pending_and_hands_over_a_usable_descriptor),
		TEST(S15_a_read_that_is_done_keeps_its_result_when_cancel_and_close_follow),
		TEST(C073_three_pending_reads_are_served_in_order),
		TEST(C075_shutdown_of_receiving_ends_a_pending_read_with_eof),
		TEST(C075_shutdown_by_the_library_ends_a_pending_read_with_eof),
		TEST(shutdown_of_sending_lets_out_what_the_owner_has_received),
		TEST(shutdown_of_sending_fails_the_writes_that_cannot_go_out_with_EPIPE),
		TEST(C076_a_hundred_buffers_of_one_byte_are_written_by_one_write_some),
		TEST(C078_writing_to_a_closed_peer_is_an_error_and_the_process_survives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
