/* SPDX-License-Identifier: MIT */
/* descriptors.c - any POSIX descriptor as a stream: the cases about pipes and local sockets, and
 * about assign, release, close and waiting. Devices, files and terminals are in devices.c.
 */
#include "io_support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MEBIBYTE ((size_t)1 << 20)

/* --- transfers -------------------------------------------------------------------------------- */

SCENARIO(C063_what_is_written_into_a_pipe_is_read_from_it)
{
	struct sennit_descriptor in, out;
	struct flight flights[4] = { 0 };
	char *sent = patterned(MEBIBYTE), *received = zeroed(MEBIBYTE), data[10];
	int fds[2];

	raw_pipe(fds);
	adopt(stage, &out, fds[0]);
	adopt(stage, &in, fds[1]);
	START(stage, { READ_SOME, &out.stream, .data = data, .size = 10, .flight = &flights[0] });
	PENDING(stage, &flights[0]);
	START(stage, { WRITE_SOME, &in.stream, .data = "pipe", .size = 4, .flight = &flights[1] });
	EXPECT(&flights[1], 0, 4);
	EXPECT(&flights[0], 0, 4);
	assert_memory_equal(data, "pipe", 4);
	START(stage, { WRITE, &in.stream, .data = sent, .size = MEBIBYTE, .flight = &flights[2] },
	      { READ, &out.stream, .data = received, .size = MEBIBYTE, .flight = &flights[3] });
	EXPECT(&flights[2], 0, MEBIBYTE);
	EXPECT(&flights[3], 0, MEBIBYTE);
	assert_true(is_pattern(received, MEBIBYTE, 0));
	START(stage, { CLOSE, .stream = &in.stream },
	      { READ_SOME, &out.stream, .data = data, .size = 10, .flight = &flights[0] });
	EXPECT(&flights[0], SENNIT_EOF, 0);
	finish(stage, flights, 4);
	free(sent);
	free(received);
}

SCENARIO(the_wrong_end_of_a_pipe_reports_EBADF_as_the_kernel_does)
{
	struct sennit_descriptor in, out;
	struct flight flights[2] = { 0 };
	char data[4] = "data";
	int fds[2];

	raw_pipe(fds);
	adopt(stage, &out, fds[0]);
	adopt(stage, &in, fds[1]);
	START(stage, { READ, &in.stream, .data = data, .size = 4, .flight = &flights[0] },
	      { WRITE, &out.stream, .data = data, .size = 4, .flight = &flights[1] });
	EXPECT(&flights[0], -EBADF, 0);
	EXPECT(&flights[1], -EBADF, 0);
	finish(stage, flights, 2);
}

SCENARIO(a_pair_is_two_ends_of_a_local_stream)
{
	struct sennit_descriptor pair[2] = { 0 }, third = { 0 };
	struct flight flights[4] = { 0 };
	char data[2][5];

	assert_int_equal(sennit_descriptor_pair(&pair[0], &pair[1], stage->owner), 0);
	assert_true(sennit_is_open(&pair[0].stream) && sennit_is_open(&pair[1].stream));
	assert_ptr_equal(sennit_stream_executor(&pair[0].stream), stage->owner);
	for (int i = 0; i < 2; i++)
		START(stage,
		      { READ, &pair[i].stream, .data = data[i], .size = 5, .flight = &flights[i] },
		      { WRITE, &pair[1 - i].stream, .data = i ? "first" : "other", .size = 5,
		        .flight = &flights[2 + i] });
	for (int i = 0; i < 4; i++)
		EXPECT(&flights[i], 0, 5);
	assert_memory_equal(data[0], "other", 5);
	assert_memory_equal(data[1], "first", 5);
	assert_int_equal(sennit_descriptor_pair(&pair[0], &third, stage->owner),
	                 SENNIT_ALREADY_OPEN);
	assert_int_equal(sennit_descriptor_pair(&third, &pair[1], stage->owner),
	                 SENNIT_ALREADY_OPEN);
	assert_false(sennit_is_open(&third.stream));
	finish(stage, flights, 4);
}

/* --- closed, open already --------------------------------------------------------------------- */

SCENARIO(C064_a_closed_descriptor_reports_EBADF_and_close_does_nothing)
{
	struct sennit_descriptor descriptor;
	struct flight flight = { 0 };
	char data[4] = "data";
	struct iovec vector = { data, 4 };
	int peer, fd = -1;

	for (int opened = 0; opened < 2; opened++) {
		sennit_descriptor_init(&descriptor, stage->owner);
		if (opened) {
			peer = open_local(stage, &descriptor);
			START(stage, { CLOSE, .stream = &descriptor.stream });
			raw_close(peer);
		}
		START(stage, { CANCEL, .stream = &descriptor.stream },
		      { CLOSE, .stream = &descriptor.stream });
		for (enum verb verb = 0; verb <= WAIT; verb++) {
			if (verb == READ_WHILE || verb == READV_WHILE || verb == WRITE_WHILE ||
			    verb == WRITEV_WHILE)
				continue;
			START(stage, { verb, &descriptor.stream, .data = data, .size = 4,
			               .vector = &vector, .count = 1, .minimum = 2,
			               .what = SENNIT_WAIT_READ, .flight = &flight });
			EXPECT(&flight, -EBADF, 0);
			START(stage, { verb == WAIT ? READ : verb, &descriptor.stream,
			               .flight = &flight });
			EXPECT(&flight, 0, 0);
		}
		assert_int_equal(sennit_descriptor_release(&descriptor, &fd), -EBADF);
		assert_int_equal(sennit_descriptor_native_handle(&descriptor), -EBADF);
	}
	finish(stage, &flight, 1);
}

SCENARIO(C065_assign_to_an_open_descriptor_is_already_open)
{
	struct sennit_descriptor descriptor;
	int peer = open_local(stage, &descriptor), other[2];

	raw_local_pair(SOCK_STREAM, other);
	assert_int_equal(sennit_descriptor_assign(&descriptor, stage->owner, other[0]),
	                 SENNIT_ALREADY_OPEN);
	/* It is the caller's as before. */
	raw_close(other[0]);
	raw_close(other[1]);
	raw_close(peer);
}

/* D11. */
SCENARIO(assign_of_what_is_not_open_fails_at_assign)
{
	struct sennit_descriptor descriptor = { 0 };
	int fds[2];

	assert_int_equal(sennit_descriptor_assign(&descriptor, stage->owner, -1), -EBADF);
	assert_int_equal(sennit_descriptor_assign(&descriptor, stage->owner, 1 << 28), -EBADF);
	assert_false(sennit_is_open(&descriptor.stream));
	/* Nothing of the failures is left. */
	raw_pipe(fds);
	assert_int_equal(sennit_descriptor_assign(&descriptor, stage->owner, fds[0]), 0);
	assert_true(sennit_is_open(&descriptor.stream));
	assert_int_equal(sennit_descriptor_native_handle(&descriptor), fds[0]);
	raw_close(fds[1]);
}

/* --- release, close --------------------------------------------------------------------------- */

struct releasing {
	struct sennit_descriptor *descriptor;
	int error;
	int fd;
};

static void let_out(void *argument)
{
	struct releasing *releasing = argument;

	releasing->error = sennit_descriptor_release(releasing->descriptor, &releasing->fd);
}

/* D5. */
SCENARIO(C067_release_ends_a_pending_read_and_the_descriptor_is_usable)
{
	struct sennit_descriptor descriptor;
	struct releasing releasing = { &descriptor, 1, -1 };
	struct flight flights[2] = { 0 };
	char data[10];
	int peer = open_local(stage, &descriptor);
	int assigned = sennit_descriptor_native_handle(&descriptor);

	START(stage,
	      { READ_SOME, &descriptor.stream, .data = data, .size = 10, .flight = &flights[0] },
	      { WAIT, &descriptor.stream, .what = SENNIT_WAIT_READ, .flight = &flights[1] });
	PENDING(stage, &flights[0]);
	call_on_owner(stage, let_out, &releasing);
	assert_int_equal(releasing.error, 0);
	assert_int_equal(releasing.fd, assigned);
	EXPECT(&flights[0], -ECANCELED, 0);
	EXPECT(&flights[1], -ECANCELED, 0);
	assert_false(sennit_is_open(&descriptor.stream));
	raw_write(peer, "in", 2);
	raw_read(releasing.fd, data, 2);
	raw_write(releasing.fd, "out", 3);
	raw_read(peer, data, 3);
	/* The handle takes it again. */
	adopt(stage, &descriptor, releasing.fd);
	START(stage,
	      { READ_SOME, &descriptor.stream, .data = data, .size = 10, .flight = &flights[0] });
	raw_write(peer, "again", 5);
	EXPECT(&flights[0], 0, 5);
	raw_close(peer);
	finish(stage, flights, 2);
}

SCENARIO(release_lets_out_what_the_owner_has_received)
{
	struct sennit_descriptor descriptor;
	struct releasing releasing = { &descriptor, 1, -1 };
	struct flight flight = { 0 };
	char data[5];
	int peer = open_local(stage, &descriptor);

	START(stage, { WRITE, &descriptor.stream, .data = "early", .size = 5, .flight = &flight });
	call_on_owner(stage, let_out, &releasing);
	assert_int_equal(releasing.error, 0);
	EXPECT(&flight, 0, 5);
	raw_read(peer, data, 5);
	assert_memory_equal(data, "early", 5);
	raw_silent(peer);
	raw_close(releasing.fd);
	raw_close(peer);
	finish(stage, &flight, 1);
}

/* D6: in C an object is destroyed by close and by what becomes of its memory. */
SCENARIO(C068_a_pending_read_is_cancelled_though_its_handle_is_gone_after_close)
{
	struct sennit_descriptor *descriptor = zeroed(sizeof *descriptor);
	struct flight flight = { 0 };
	char data[10];
	int peer = open_local(stage, descriptor);

	START(stage,
	      { READ_SOME, &descriptor->stream, .data = data, .size = 10, .flight = &flight });
	START(stage, { CLOSE, .stream = &descriptor->stream });
	wait_result(&flight.result);
	memset(descriptor, 0xa5, sizeof *descriptor);
	free(descriptor);
	EXPECT(&flight, -ECANCELED, 0);
	assert_int_equal(raw_drain(peer), 0);
	raw_close(peer);
	finish(stage, &flight, 1);
}

SCENARIO(C066_close_of_a_pipe_reports_what_the_peer_can_read)
{
	struct sennit_descriptor in;
	struct flight flights[2] = { 0 };
	char *data = patterned(MEBIBYTE);
	size_t received;
	int fds[2];

	raw_pipe(fds);
	adopt(stage, &in, fds[1]);
	START(stage, { WRITE, &in.stream, .data = data, .size = MEBIBYTE, .flight = &flights[0] },
	      { WRITE, &in.stream, .data = data, .size = MEBIBYTE, .flight = &flights[1] });
	PENDING(stage, &flights[0]);
	START(stage, { CLOSE, .stream = &in.stream });
	wait_result(&flights[0].result);
	received = raw_drain(fds[0]);
	assert_in_range(received, 1, MEBIBYTE - 1);
	EXPECT(&flights[0], -ECANCELED, received);
	EXPECT(&flights[1], -ECANCELED, 0);
	raw_close(fds[0]);
	finish(stage, flights, 2);
	free(data);
}

/* What close lets out is what the owner has received; the rest is cancelled and never comes. */
SCENARIO(a_write_just_before_close_goes_out_whole_or_not_at_all)
{
	struct sennit_descriptor descriptor;
	struct flight flight = { 0 };
	char *data = patterned(1000);
	int peer = open_local(stage, &descriptor);
	size_t received;

	START(stage, { WRITE, &descriptor.stream, .data = data, .size = 1000, .flight = &flight },
	      { CLOSE, .stream = &descriptor.stream });
	wait_result(&flight.result);
	received = raw_drain(peer);
	if (stage->kind == THREAD_OWNER)
		/* Received at once, so let out. */
		EXPECT(&flight, 0, 1000);
	else
		EXPECT(&flight, flight.result.error ? -ECANCELED : 0, received);
	assert_true(received == 1000 || received == 0);
	raw_close(peer);
	finish(stage, &flight, 1);
	free(data);
}

/* --- waiting ---------------------------------------------------------------------------------- */

SCENARIO(C070_C072_waits_for_reading_on_a_pipe_see_data_and_the_end)
{
	struct sennit_descriptor out;
	struct flight flights[2] = { 0 };
	char data[10];
	int fds[2];

	raw_pipe(fds);
	adopt(stage, &out, fds[0]);
	START(stage, { WAIT, &out.stream, .what = SENNIT_WAIT_READ, .flight = &flights[0] });
	PENDING(stage, &flights[0]);
	raw_write(fds[1], "data", 4);
	EXPECT(&flights[0], 0, 0);
	START(stage, { READ_SOME, &out.stream, .data = data, .size = 10, .flight = &flights[1] });
	EXPECT(&flights[1], 0, 4);
	START(stage, { WAIT, &out.stream, .what = SENNIT_WAIT_READ, .flight = &flights[0] });
	PENDING(stage, &flights[0]);
	raw_close(fds[1]);
	EXPECT(&flights[0], 0, 0);
	START(stage, { READ_SOME, &out.stream, .data = data, .size = 10, .flight = &flights[1] });
	EXPECT(&flights[1], SENNIT_EOF, 0);
	/* A hang-up is an error that can be waited for, and stays one. */
	START(stage, { WAIT, &out.stream, .what = SENNIT_WAIT_ERROR, .flight = &flights[0] });
	EXPECT(&flights[0], 0, 0);
	finish(stage, flights, 2);
}

SCENARIO(C071_a_wait_for_writing_on_a_pipe_waits_while_it_is_full)
{
	struct sennit_descriptor in;
	struct flight flights[3] = { 0 };
	char *data = patterned(MEBIBYTE), *received = zeroed(MEBIBYTE);
	size_t wrote;
	int fds[2];

	raw_pipe(fds);
	adopt(stage, &in, fds[1]);
	START(stage, { WAIT, &in.stream, .what = SENNIT_WAIT_WRITE, .flight = &flights[0] });
	EXPECT(&flights[0], 0, 0);
	START(stage,
	      { WRITE_SOME, &in.stream, .data = data, .size = MEBIBYTE, .flight = &flights[1] });
	wait_result(&flights[1].result);
	assert_int_equal(flights[1].result.error, 0);
	wrote = flights[1].result.bytes;
	assert_in_range(wrote, 4096, MEBIBYTE - 1);
	START(stage, { WAIT, &in.stream, .what = SENNIT_WAIT_WRITE, .flight = &flights[2] });
	PENDING(stage, &flights[2]);
	raw_read(fds[0], received, wrote);
	assert_true(is_pattern(received, wrote, 0));
	EXPECT(&flights[2], 0, 0);
	/* The other end gone is an error here. */
	START(stage, { WAIT, &in.stream, .what = SENNIT_WAIT_ERROR, .flight = &flights[2] });
	PENDING(stage, &flights[2]);
	raw_close(fds[0]);
	EXPECT(&flights[2], 0, 0);
	finish(stage, flights, 3);
	free(data);
	free(received);
}

SCENARIO(any_number_of_waits_end_with_the_same_event)
{
	struct sennit_descriptor descriptor;
	struct flight flights[20] = { 0 };
	int peer = open_local(stage, &descriptor);

	for (int i = 0; i < 20; i++)
		START(stage, { WAIT, &descriptor.stream, .what = SENNIT_WAIT_READ,
		               .flight = &flights[i] });
	PENDING(stage, &flights[19]);
	raw_write(peer, "!", 1);
	for (int i = 0; i < 20; i++)
		EXPECT(&flights[i], 0, 0);
	raw_close(peer);
	finish(stage, flights, 20);
}

/* --- order ------------------------------------------------------------------------------------ */

SCENARIO(C073_reads_on_a_local_socket_are_served_in_order)
{
	struct sennit_descriptor descriptor;
	struct flight flights[3] = { 0 };
	char data[3][10];
	int peer = open_local(stage, &descriptor);

	for (int i = 0; i < 3; i++)
		START(stage, { READ, &descriptor.stream, .data = data[i], .size = i ? 3 : 2,
		               .flight = &flights[i] });
	PENDING(stage, &flights[0]);
	/* In two parts that end elsewhere than the reads do. */
	raw_write(peer, "abc", 3);
	EXPECT(&flights[0], 0, 2);
	PENDING(stage, &flights[1]);
	raw_write(peer, "defgh", 5);
	EXPECT(&flights[1], 0, 3);
	EXPECT(&flights[2], 0, 3);
	assert_memory_equal(data[0], "ab", 2);
	assert_memory_equal(data[1], "cde", 3);
	assert_memory_equal(data[2], "fgh", 3);
	raw_close(peer);
	finish(stage, flights, 3);
}

SCENARIO(C074_data_on_a_pipe_is_read_before_its_end)
{
	struct sennit_descriptor out;
	struct flight flights[2] = { 0 };
	char data[2][10];
	int fds[2];

	raw_pipe(fds);
	adopt(stage, &out, fds[0]);
	for (int i = 0; i < 2; i++)
		START(stage, { READ_SOME, &out.stream, .data = data[i], .size = 10,
		               .flight = &flights[i] });
	raw_write(fds[1], "last", 4);
	raw_close(fds[1]);
	EXPECT(&flights[0], 0, 4);
	EXPECT(&flights[1], SENNIT_EOF, 0);
	finish(stage, flights, 2);
}

SCENARIO(C078_writing_into_a_pipe_without_a_reader_is_EPIPE)
{
	struct sennit_descriptor in;
	struct flight flights[2] = { 0 };
	int fds[2];

	raw_pipe(fds);
	adopt(stage, &in, fds[1]);
	raw_close(fds[0]);
	START(stage, { WRITE, &in.stream, .data = "data", .size = 4, .flight = &flights[0] },
	      { WRITE, &in.stream, .data = "more", .size = 4, .flight = &flights[1] });
	EXPECT(&flights[0], -EPIPE, 0);
	EXPECT(&flights[1], -EPIPE, 0);
	finish(stage, flights, 2);
}

/* All that the kernel tells of it is an error: the pipe is as full as before. */
SCENARIO(a_write_blocked_by_a_full_pipe_ends_with_EPIPE_when_the_reader_closes)
{
	struct sennit_descriptor in;
	struct flight flights[2] = { 0 };
	char *data = patterned(MEBIBYTE);
	int fds[2];

	raw_pipe(fds);
	adopt(stage, &in, fds[1]);
	START(stage, { WRITE, &in.stream, .data = data, .size = MEBIBYTE, .flight = &flights[0] },
	      { WRITE, &in.stream, .data = data, .size = 1, .flight = &flights[1] });
	PENDING(stage, &flights[0]);
	raw_close(fds[0]);
	wait_result(&flights[0].result);
	assert_in_range(flights[0].result.bytes, 1, MEBIBYTE - 1);
	EXPECT(&flights[0], -EPIPE, flights[0].result.bytes);
	EXPECT(&flights[1], -EPIPE, 0);
	finish(stage, flights, 2);
	free(data);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(C063_what_is_written_into_a_pipe_is_read_from_it),
		TEST(the_wrong_end_of_a_pipe_reports_EBADF_as_the_kernel_does),
		TEST(a_pair_is_two_ends_of_a_local_stream),
		TEST(C064_a_closed_descriptor_reports_EBADF_and_close_does_nothing),
		TEST(C065_assign_to_an_open_descriptor_is_already_open),
		TEST(assign_of_what_is_not_open_fails_at_assign),
		TEST(C067_release_ends_a_pending_read_and_the_descriptor_is_usable),
		TEST(release_lets_out_what_the_owner_has_received),
		TEST(C068_a_pending_read_is_cancelled_though_its_handle_is_gone_after_close),
		TEST(C066_close_of_a_pipe_reports_what_the_peer_can_read),
		TEST(a_write_just_before_close_goes_out_whole_or_not_at_all),
		TEST(C070_C072_waits_for_reading_on_a_pipe_see_data_and_the_end),
		TEST(C071_a_wait_for_writing_on_a_pipe_waits_while_it_is_full),
		TEST(any_number_of_waits_end_with_the_same_event),
		TEST(C073_reads_on_a_local_socket_are_served_in_order),
		TEST(C074_data_on_a_pipe_is_read_before_its_end),
		TEST(C078_writing_into_a_pipe_without_a_reader_is_EPIPE),
		TEST(a_write_blocked_by_a_full_pipe_ends_with_EPIPE_when_the_reader_closes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
