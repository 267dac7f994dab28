/* SPDX-License-Identifier: MIT */
/* devices.c - descriptors of every kind but sockets and anonymous pipes: files, eventfds, character
 * devices, FIFOs and terminals.
 */
#include "io_support.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEBIBYTE ((size_t)1 << 20)
#define GIBIBYTE ((size_t)1 << 30)

/* --- what cannot be waited for ---------------------------------------------------------------- */

static int new_file(bool in_memory)
{
	char path[PATH_MAX];
	int fd;

	if (in_memory) {
		fd = memfd_create("sennit-test", MFD_CLOEXEC);
	} else {
		temporary_name(path);
		fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		assert_int_equal(unlink(path), 0);
	}
	assert_true(fd >= 0);
	return fd;
}

static void expect_no_waiting(struct stage *stage, struct sennit_stream *stream)
{
	static const int events[] = { SENNIT_WAIT_READ, SENNIT_WAIT_WRITE, SENNIT_WAIT_ERROR };
	struct flight flight = { 0 };

	for (size_t i = 0; i < COUNT_OF(events); i++) {
		START(stage, { WAIT, stream, .what = events[i], .flight = &flight });
		EXPECT(&flight, -EOPNOTSUPP, 0);
	}
}

/* A24, HC21. */
SCENARIO(a_regular_file_is_written_and_read_to_its_end_and_cannot_be_waited_for)
{
	char *data = patterned(MEBIBYTE), *received = zeroed(MEBIBYTE);

	for (int in_memory = 0; in_memory < 2; in_memory++) {
		struct sennit_descriptor file;
		struct flight flights[4] = { 0 };
		int fd = new_file(in_memory);

		adopt(stage, &file, fd);
		expect_no_waiting(stage, &file.stream);
		START(stage,
		      { WRITE, &file.stream, .data = data, .size = 10, .flight = &flights[0] },
		      { WRITE, &file.stream, .data = data + 10, .size = MEBIBYTE - 10,
		        .flight = &flights[1] });
		EXPECT(&flights[0], 0, 10);
		EXPECT(&flights[1], 0, MEBIBYTE - 10);
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
		START(
		    stage,
		    { READ_SOME, &file.stream, .data = received, .size = 5, .flight = &flights[0] },
		    { READ, &file.stream, .data = received + 5, .size = MEBIBYTE - 5,
		      .flight = &flights[1] },
		    { READ_SOME, &file.stream, .data = data, .size = 1, .flight = &flights[2] },
		    { READ, &file.stream, .data = data, .size = 1, .flight = &flights[3] });
		EXPECT(&flights[0], 0, 5);
		EXPECT(&flights[1], 0, MEBIBYTE - 5);
		EXPECT(&flights[2], SENNIT_EOF, 0);
		EXPECT(&flights[3], SENNIT_EOF, 0);
		assert_true(is_pattern(received, MEBIBYTE, 0));
		expect_no_waiting(stage, &file.stream);
		finish(stage, flights, 4);
	}
	free(data);
	free(received);
}

SCENARIO(the_end_of_a_file_ends_a_whole_read_with_the_bytes_that_were_there)
{
	struct sennit_descriptor file;
	struct flight flight = { 0 };
	char data[100];
	int fd = new_file(true);

	raw_write(fd, "0123456789", 10);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	adopt(stage, &file, fd);
	START(stage, { READ, &file.stream, .data = data, .size = 100, .flight = &flight });
	EXPECT(&flight, SENNIT_EOF, 10);
	/* What is appended is there for the next. */
	assert_int_equal(pwrite(fd, "more", 4, 10), 4);
	START(stage, { READ_SOME, &file.stream, .data = data, .size = 100, .flight = &flight });
	EXPECT(&flight, 0, 4);
	finish(stage, &flight, 1);
}

SCENARIO(dev_null_takes_everything_and_is_at_its_end)
{
	struct sennit_descriptor null;
	struct flight flights[3] = { 0 };
	char *data = patterned(MEBIBYTE);
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	adopt(stage, &null, fd);
	START(stage, { WRITE, &null.stream, .data = data, .size = MEBIBYTE, .flight = &flights[0] },
	      { WRITE, &null.stream, .data = data, .size = 1, .flight = &flights[1] },
	      { READ, &null.stream, .data = data, .size = 1, .flight = &flights[2] });
	EXPECT(&flights[0], 0, MEBIBYTE);
	EXPECT(&flights[1], 0, 1);
	EXPECT(&flights[2], SENNIT_EOF, 0);
	expect_no_waiting(stage, &null.stream);
	finish(stage, flights, 3);
	free(data);
}

SCENARIO(dev_zero_gives_zeros_as_many_as_are_asked_for)
{
	struct sennit_descriptor zero;
	struct flight flights[2] = { 0 };
	char *data = patterned(MEBIBYTE), *zeros = zeroed(MEBIBYTE);
	int fd = open("/dev/zero", O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	adopt(stage, &zero, fd);
	START(stage, { READ, &zero.stream, .data = data, .size = MEBIBYTE, .flight = &flights[0] },
	      { WRITE, &zero.stream, .data = zeros, .size = MEBIBYTE, .flight = &flights[1] });
	EXPECT(&flights[0], 0, MEBIBYTE);
	EXPECT(&flights[1], 0, MEBIBYTE);
	assert_memory_equal(data, zeros, MEBIBYTE);
	finish(stage, flights, 2);
	free(data);
	free(zeros);
}

/* A stream that never makes anybody wait must not keep its worker to itself (HC6). */
SCENARIO(an_endless_write_leaves_turns_to_others_and_can_be_cancelled)
{
	struct sennit_descriptor null;
	struct flight flight = { 0 };
	size_t count = 1000000, size = 256 * GIBIBYTE;
	struct iovec *vector = zeroed(count * sizeof *vector);
	/* Nothing of it is ever there: what is written to this device is not looked at. */
	char *data =
	    mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	assert_ptr_not_equal(data, MAP_FAILED);
	assert_true(fd >= 0);
	adopt(stage, &null, fd);
	for (size_t i = 0; i < count; i++)
		vector[i] = (struct iovec){ data, size };
	/* A hundred million calls: minutes. */
	START(stage,
	      { WRITEV, &null.stream, .vector = vector, .count = (int)count, .flight = &flight });
	owner_turn(stage);
	START(stage, { CANCEL, .stream = &null.stream });
	wait_result(&flight.result);
	EXPECT(&flight, -ECANCELED, flight.result.bytes);
	finish(stage, &flight, 1);
	free(vector);
	assert_int_equal(munmap(data, size), 0);
}

/* --- events ----------------------------------------------------------------------------------- */

SCENARIO(an_eventfd_is_read_when_it_was_written)
{
	struct sennit_descriptor event;
	struct flight flights[3] = { 0 };
	uint64_t seven = 7, value = 0;
	int fd = eventfd(0, EFD_CLOEXEC);

	assert_true(fd >= 0);
	adopt(stage, &event, fd);
	START(stage, { READ, &event.stream, .data = &value, .size = 8, .flight = &flights[0] });
	PENDING(stage, &flights[0]);
	START(stage, { WRITE, &event.stream, .data = &seven, .size = 8, .flight = &flights[1] });
	EXPECT(&flights[1], 0, 8);
	EXPECT(&flights[0], 0, 8);
	assert_int_equal(value, 7);
	START(stage, { WAIT, &event.stream, .what = SENNIT_WAIT_READ, .flight = &flights[2] });
	PENDING(stage, &flights[2]);
	/* By somebody else, who has the same eventfd. */
	raw_write(fd, &seven, 8);
	EXPECT(&flights[2], 0, 0);
	START(stage,
	      { READ_SOME, &event.stream, .data = &value, .size = 8, .flight = &flights[0] });
	EXPECT(&flights[0], 0, 8);
	finish(stage, flights, 3);
}

SCENARIO(an_eventfd_at_its_limit_keeps_a_write_waiting)
{
	struct sennit_descriptor event;
	struct flight flights[2] = { 0 };
	uint64_t most = UINT64_MAX - 1, one = 1, value;
	int fd = eventfd(0, EFD_CLOEXEC);

	assert_true(fd >= 0);
	raw_write(fd, &most, 8);
	adopt(stage, &event, fd);
	START(stage, { WRITE, &event.stream, .data = &one, .size = 8, .flight = &flights[0] });
	PENDING(stage, &flights[0]);
	START(stage, { READ, &event.stream, .data = &value, .size = 8, .flight = &flights[1] });
	EXPECT(&flights[1], 0, 8);
	EXPECT(&flights[0], 0, 8);
	assert_true(value == most);
	finish(stage, flights, 2);
}

SCENARIO(a_fifo_is_a_stream_until_the_last_writer_has_gone)
{
	struct sennit_descriptor in, out;
	struct flight flights[3] = { 0 };
	char path[PATH_MAX], data[10];
	int fds[2];

	temporary_name(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	/* A reader that does not wait for a writer, and then is like any other. */
	fds[0] = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fds[0] >= 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, 0), 0);
	fds[1] = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fds[1] >= 0);
	assert_int_equal(unlink(path), 0);
	adopt(stage, &out, fds[0]);
	adopt(stage, &in, fds[1]);
	START(stage, { READ, &out.stream, .data = data, .size = 10, .flight = &flights[0] });
	PENDING(stage, &flights[0]);
	START(stage, { WRITE, &in.stream, .data = "01234", .size = 5, .flight = &flights[1] });
	EXPECT(&flights[1], 0, 5);
	START(stage, { WRITE, &in.stream, .data = "56789", .size = 5, .flight = &flights[1] });
	EXPECT(&flights[1], 0, 5);
	EXPECT(&flights[0], 0, 10);
	assert_memory_equal(data, "0123456789", 10);
	START(stage, { READ, &out.stream, .data = data, .size = 10, .flight = &flights[2] },
	      { CLOSE, .stream = &in.stream });
	EXPECT(&flights[2], SENNIT_EOF, 0);
	finish(stage, flights, 3);
}

/* --- terminals -------------------------------------------------------------------------------- */

SCENARIO(a_terminal_is_read_and_written_at_both_ends)
{
	struct sennit_descriptor ends[2];
	struct flight flights[4] = { 0 };
	char data[2][10];
	int master, slave;

	raw_terminal(&master, &slave);
	adopt(stage, &ends[0], master);
	adopt(stage, &ends[1], slave);
	START(stage, { READ, &ends[0].stream, .data = data[0], .size = 6, .flight = &flights[0] },
	      { READ, &ends[1].stream, .data = data[1], .size = 5, .flight = &flights[1] },
	      { WRITE, &ends[0].stream, .data = "line\n", .size = 5, .flight = &flights[2] },
	      { WRITE, &ends[1].stream, .data = "output", .size = 6, .flight = &flights[3] });
	EXPECT(&flights[0], 0, 6);
	EXPECT(&flights[1], 0, 5);
	EXPECT(&flights[2], 0, 5);
	EXPECT(&flights[3], 0, 6);
	assert_memory_equal(data[0], "output", 6);
	assert_memory_equal(data[1], "line\n", 5);
	finish(stage, flights, 4);
}

/* On a pty whose other end is gone Linux says EIO to the master, and to the slave EIO until it has
 * hung it up, then the end. */
SCENARIO(the_end_of_a_terminal_is_what_the_kernel_makes_of_it)
{
	for (int end = 0; end < 2; end++) {
		struct sennit_descriptor descriptor;
		struct flight flights[2] = { 0 };
		char data[10];
		int fds[2];

		raw_terminal(&fds[0], &fds[1]);
		adopt(stage, &descriptor, fds[end]);
		START(stage, { READ, &descriptor.stream, .data = data, .size = 10,
		               .flight = &flights[0] });
		PENDING(stage, &flights[0]);
		raw_close(fds[1 - end]);
		wait_result(&flights[0].result);
		START(stage, { READ, &descriptor.stream, .data = data, .size = 10,
		               .flight = &flights[1] });
		wait_result(&flights[1].result);
		for (int i = 0; i < 2; i++)
			EXPECT(&flights[i], flights[i].result.error == -EIO ? -EIO : SENNIT_EOF, 0);
		START(stage, { CLOSE, .stream = &descriptor.stream });
		finish(stage, flights, 2);
	}
}

/* The rest of what a slow reader of a terminal leaves. */
SCENARIO(a_write_to_a_terminal_that_nobody_reads_waits_and_is_cancelled)
{
	struct sennit_descriptor descriptor;
	struct flight flight = { 0 };
	char *data = patterned(MEBIBYTE), *received = zeroed(MEBIBYTE);
	size_t wrote;
	int master, slave;

	raw_terminal(&master, &slave);
	adopt(stage, &descriptor, slave);
	START(stage,
	      { WRITE, &descriptor.stream, .data = data, .size = MEBIBYTE, .flight = &flight });
	PENDING(stage, &flight);
	START(stage, { CANCEL, .stream = &descriptor.stream });
	wait_result(&flight.result);
	wrote = flight.result.bytes;
	assert_in_range(wrote, 1, MEBIBYTE - 1);
	EXPECT(&flight, -ECANCELED, wrote);
	raw_read(master, received, wrote);
	assert_true(is_pattern(received, wrote, 0));
	raw_silent(master);
	raw_close(master);
	finish(stage, &flight, 1);
	free(data);
	free(received);
}

/* --- sizes ------------------------------------------------------------------------------------ */

/* HC17: more than a call takes, more than 32 bits hold; nothing of the memory is ever there. */
SCENARIO(sizes_beyond_what_a_call_takes_are_transferred_in_several)
{
	struct sennit_descriptor null;
	struct flight flights[3] = { 0 };
	size_t size = 5 * GIBIBYTE + 12345;
	char *data = mmap(NULL, size, PROT_READ | PROT_WRITE,
	                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct iovec vector[4] = { { data, size }, { data, 1 }, { data, size }, { data, 7 } };
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	assert_ptr_not_equal(data, MAP_FAILED);
	assert_true(fd >= 0);
	adopt(stage, &null, fd);
	START(stage, { WRITE, &null.stream, .data = data, .size = size, .flight = &flights[0] },
	      { WRITEV, &null.stream, .vector = vector, .count = 4, .flight = &flights[1] });
	EXPECT(&flights[0], 0, size);
	EXPECT(&flights[1], 0, 2 * size + 8);
	START(stage,
	      { WRITE_SOME, &null.stream, .data = data, .size = size, .flight = &flights[2] });
	wait_result(&flights[2].result);
	assert_in_range(flights[2].result.bytes, 1, size);
	finish(stage, flights, 3);
	assert_int_equal(munmap(data, size), 0);
}

SCENARIO(buffers_beyond_2_GiB_receive_what_there_is)
{
	struct sennit_tcp_socket socket;
	struct flight flights[2] = { 0 };
	size_t size = 3 * GIBIBYTE;
	char *data = mmap(NULL, size, PROT_READ | PROT_WRITE,
	                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct iovec vector[2] = { { data + 8, size - 8 }, { data, 8 } };
	int peer = open_socket(stage, &socket);

	assert_ptr_not_equal(data, MAP_FAILED);
	raw_write(peer, "some", 4);
	START(stage,
	      { READ_SOME, &socket.stream, .data = data, .size = size, .flight = &flights[0] });
	EXPECT(&flights[0], 0, 4);
	assert_memory_equal(data, "some", 4);
	raw_write(peer, "more", 4);
	START(stage,
	      { READV_SOME, &socket.stream, .vector = vector, .count = 2, .flight = &flights[1] });
	EXPECT(&flights[1], 0, 4);
	assert_memory_equal(data + 8, "more", 4);
	START(stage,
	      { WRITE_SOME, &socket.stream, .data = data, .size = size, .flight = &flights[0] });
	wait_result(&flights[0].result);
	assert_int_equal(flights[0].result.error, 0);
	assert_in_range(flights[0].result.bytes, 1, size - 1);
	raw_close(peer);
	finish(stage, flights, 2);
	assert_int_equal(munmap(data, size), 0);
}

/* HC16, C077: at the head, in the middle, at the tail, everywhere. */
SCENARIO(C077_empty_elements_of_an_array_are_passed_over)
{
	static const enum verb writes[] = { WRITEV_SOME, WRITEV }, reads[] = { READV_SOME, READV };
	struct flight flights[2] = { 0 };
	char data[2];

	for (unsigned mask = 0; mask < 32; mask++) {
		struct sennit_descriptor descriptor;
		struct iovec in[5], out[5];
		char message[] = "abcde", expected[6] = "", received[5] = "";
		size_t size = 0;
		int peer = open_local(stage, &descriptor);

		/* A bit for each of five elements of one byte: there or empty. */
		for (unsigned i = 0; i < 5; i++) {
			out[i] = (struct iovec){ message + i, mask >> i & 1 };
			in[i] = (struct iovec){ received + i, mask >> i & 1 };
			if (mask >> i & 1)
				expected[size++] = message[i];
		}
		START(stage, { writes[mask % 2], &descriptor.stream, .vector = out, .count = 5,
		               .flight = &flights[0] });
		EXPECT(&flights[0], 0, size);
		if (size) {
			raw_read(peer, data, 1);
			assert_int_equal(data[0], expected[0]);
			for (size_t i = 1; i < size; i++) {
				raw_read(peer, data, 1);
				assert_int_equal(data[0], expected[i]);
			}
		}
		raw_silent(peer);
		raw_write(peer, expected, size);
		START(stage, { reads[mask % 2], &descriptor.stream, .vector = in, .count = 5,
		               .flight = &flights[1] });
		EXPECT(&flights[1], 0, size);
		for (unsigned i = 0; i < 5; i++)
			assert_int_equal(received[i], mask >> i & 1 ? message[i] : 0);
		START(stage, { CLOSE, .stream = &descriptor.stream });
		raw_close(peer);
	}
	finish(stage, flights, 2);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_regular_file_is_written_and_read_to_its_end_and_cannot_be_waited_for),
		TEST(the_end_of_a_file_ends_a_whole_read_with_the_bytes_that_were_there),
		TEST(dev_null_takes_everything_and_is_at_its_end),
		TEST(dev_zero_gives_zeros_as_many_as_are_asked_for),
		TEST(an_endless_write_leaves_turns_to_others_and_can_be_cancelled),
		TEST(an_eventfd_is_read_when_it_was_written),
		TEST(an_eventfd_at_its_limit_keeps_a_write_waiting),
		TEST(a_fifo_is_a_stream_until_the_last_writer_has_gone),
		TEST(a_terminal_is_read_and_written_at_both_ends),
		TEST(the_end_of_a_terminal_is_what_the_kernel_makes_of_it),
		TEST(a_write_to_a_terminal_that_nobody_reads_waits_and_is_cancelled),
		TEST(sizes_beyond_what_a_call_takes_are_transferred_in_several),
		TEST(buffers_beyond_2_GiB_receive_what_there_is),
		TEST(C077_empty_elements_of_an_array_are_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
