/* SPDX-License-Identifier: MIT */
/* peers.c - peers that die, and peers that stop reading. */
#include "io_support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEBIBYTE ((size_t)1 << 20)

/* --- killed ----------------------------------------------------------------------------------- */

/* A process that has one end: it reads a bit, says so, and reads no more. */
struct victim {
	pid_t pid;
	int said;
};

static void be_a_victim(int fd, int say)
{
	char data[65536];

	/* Nothing of this process's library is used here: it was forked. */
	for (size_t got = 0; got < sizeof data;) {
		ssize_t part = read(fd, data, sizeof data);

		if (part <= 0)
			_exit(1);
		got += (size_t)part;
	}
	if (write(fd, "reply", 5) != 5 && errno != EBADF)
		_exit(1);
	if (write(say, "!", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static void fork_victim(struct victim *victim, int fds[2])
{
	int said[2];

	raw_pipe(said);
	victim->pid = fork();
	assert_true(victim->pid >= 0);
	if (victim->pid == 0) {
		signal(SIGALRM, SIG_DFL);
		alarm(120);
		close(fds[0]);
		close(said[0]);
		be_a_victim(fds[1], said[1]);
	}
	raw_close(fds[1]);
	raw_close(said[1]);
	victim->said = said[0];
}

static void kill_victim(struct victim *victim)
{
	int status;

	assert_int_equal(kill(victim->pid, SIGKILL), 0);
	assert_int_equal(waitpid(victim->pid, &status, 0), victim->pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	raw_close(victim->said);
}

static bool is_end(int error)
{
	return error == -EPIPE || error == -ECONNRESET || error == SENNIT_EOF;
}

/* The child is forked before the runtime has threads, for each kind of thread by itself. */
static void kill_in_the_middle(bool tcp)
{
	size_t size = 16 * MEBIBYTE;
	char *data = patterned(size);

	for (int kind = 0; kind < THREAD_KINDS; kind++) {
		struct stage stage = { .kind = (enum thread_kind)kind };
		struct sennit_descriptor descriptor;
		struct flight flights[4] = { 0 };
		struct victim victim;
		char received[2][100];
		int fds[2];

		if (tcp)
			raw_tcp_pair(fds);
		else
			raw_local_pair(SOCK_STREAM, fds);
		fork_victim(&victim, fds);
		stage.runtime = started_runtime(2);
		stage.owner = sennit_runtime_worker(stage.runtime, 0);
		stage.other = sennit_runtime_worker(stage.runtime, 1);
		adopt(&stage, &descriptor, fds[0]);
		START(&stage,
		      { WRITE, &descriptor.stream, .data = data, .size = size,
		        .flight = &flights[0] },
		      { WRITE, &descriptor.stream, .data = data, .size = 1, .flight = &flights[1] },
		      { READ, &descriptor.stream, .data = received[0], .size = 5,
		        .flight = &flights[2] },
		      { READ, &descriptor.stream, .data = received[1], .size = 5,
		        .flight = &flights[3] });
		raw_read(victim.said, received[1], 1);
		EXPECT(&flights[2], 0, 5);
		assert_memory_equal(received[0], "reply", 5);
		PENDING(&stage, &flights[0]);
		kill_victim(&victim);
		for (int i = 0; i < 4; i++)
			wait_result(&flights[i].result);
		assert_true(is_end(flights[0].result.error));
		assert_in_range(flights[0].result.bytes, 65536, size - 1);
		assert_true(is_end(flights[1].result.error));
		assert_int_equal(flights[1].result.bytes, 0);
		assert_true(is_end(flights[3].result.error));
		assert_int_equal(flights[3].result.bytes, 0);
		finish(&stage, flights, 4);
		end_runtime(stage.runtime);
		recorded();
	}
	free(data);
}

static void a_peer_killed_in_the_middle_ends_reads_and_writes_on_a_socket(void **state)
{
	(void)state;
	kill_in_the_middle(true);
}

static void a_peer_killed_in_the_middle_ends_reads_and_writes_on_a_local_socket(void **state)
{
	(void)state;
	kill_in_the_middle(false);
}

static void wait_until_full(int fd)
{
	int unread, room = fcntl(fd, F_GETPIPE_SZ);

	assert_true(room > 0);
	do {
		assert_int_equal(ioctl(fd, FIONREAD, &unread), 0);
		sched_yield();
	} while (unread < room);
}

static void a_reader_killed_in_the_middle_ends_writes_into_its_pipe(void **state)
{
	char *data = patterned(MEBIBYTE);

	(void)state;
	for (int started = 0; started < 2; started++) {
		struct sennit_descriptor descriptor;
		struct flight flight = { 0 };
		struct stage stage = { .kind = THREAD_FOREIGN };
		struct victim victim;
		char byte;
		int fds[2], ends[2];

		raw_pipe(fds);
		ends[0] = fds[1];
		ends[1] = fds[0];
		fork_victim(&victim, ends);
		stage.runtime = started ? started_runtime(2) : driven_runtime();
		stage.owner = sennit_runtime_worker(stage.runtime, 0);
		adopt(&stage, &descriptor, ends[0]);
		START(&stage, { WRITE, &descriptor.stream, .data = data, .size = MEBIBYTE,
		                .flight = &flight });
		/* Driven, it goes as far as the pipe's room; the child reads that much. */
		if (!started)
			assert_int_equal(sennit_runtime_poll(stage.runtime), 0);
		raw_read(victim.said, &byte, 1);
		/* Full again: then what it tells of the end is an error, nothing else. */
		if (!started)
			assert_int_equal(sennit_runtime_poll(stage.runtime), 0);
		wait_until_full(ends[0]);
		kill_victim(&victim);
		if (!started)
			run_until(stage.runtime, &flight.result.done);
		wait_result(&flight.result);
		assert_in_range(flight.result.bytes, 65536, MEBIBYTE - 1);
		EXPECT(&flight, -EPIPE, flight.result.bytes);
		end_runtime(stage.runtime);
	}
	free(data);
}

/* --- reading no more -------------------------------------------------------------------------- */

/* A zero window: nothing is lost, nothing spins, and what cancel reports is what arrives. */
SCENARIO(writes_to_a_peer_that_does_not_read_stay_pending_until_they_are_cancelled)
{
	struct sennit_tcp_socket socket;
	struct flight flights[5] = { 0 };
	size_t size = 4 * MEBIBYTE, total = 0, received;
	char *data = patterned(5 * size);
	int peer = open_socket(stage, &socket);

	for (size_t i = 0; i < 4; i++)
		START(stage, { WRITE, &socket.stream, .data = data + i * size, .size = size,
		               .flight = &flights[i] });
	for (int i = 3; i >= 0; i--)
		PENDING(stage, &flights[i]);
	START(stage, { CANCEL, .stream = &socket.stream });
	for (int i = 0; i < 4; i++) {
		wait_result(&flights[i].result);
		total += flights[i].result.bytes;
		EXPECT(&flights[i], -ECANCELED, flights[i].result.bytes);
		/* In order: what is behind an unfinished one has not begun. */
		assert_true(i == 0 || flights[i].result.bytes == 0);
	}
	assert_in_range(total, 1, size - 1);
	/* The window opens again: the next write goes on where that one was cut. */
	START(stage,
	      { WRITE, &socket.stream, .data = data + total, .size = size, .flight = &flights[4] },
	      { CLOSE, .stream = &socket.stream });
	wait_result(&flights[4].result);
	received = raw_drain(peer);
	EXPECT(&flights[4], -ECANCELED, received - total);
	raw_close(peer);
	finish(stage, flights, 5);
	free(data);
}

SCENARIO(a_write_to_a_peer_that_reads_again_goes_on)
{
	struct sennit_tcp_socket socket;
	struct flight flight = { 0 };
	size_t size = 32 * MEBIBYTE;
	char *data = patterned(size), *received = zeroed(size);
	int peer = open_socket(stage, &socket);

	START(stage, { WRITE, &socket.stream, .data = data, .size = size, .flight = &flight });
	/* Stop and go: at each stop the window closes. */
	for (size_t got = 0; got < size; got += size / 8) {
		owner_turn(stage);
		raw_read(peer, received + got, size / 8);
	}
	EXPECT(&flight, 0, size);
	assert_true(is_pattern(received, size, 0));
	raw_close(peer);
	finish(stage, &flight, 1);
	free(data);
	free(received);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_peer_killed_in_the_middle_ends_reads_and_writes_on_a_socket),
		TEST(a_peer_killed_in_the_middle_ends_reads_and_writes_on_a_local_socket),
		TEST(a_reader_killed_in_the_middle_ends_writes_into_its_pipe),
		TEST(writes_to_a_peer_that_does_not_read_stay_pending_until_they_are_cancelled),
		TEST(a_write_to_a_peer_that_reads_again_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
