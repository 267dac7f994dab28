/* SPDX-License-Identifier: MIT */
/* idle.c - nothing to do: the threads of a runtime use no tick of CPU and are not woken once, with
 * an idle connection and everything else that may wait.
 */
#include "io_support.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WORKERS 3

/* What the kernel counts of a thread. */
struct usage {
	unsigned threads;
	unsigned long long ticks;
	unsigned long long switches;
};

static bool read_text(char *text, size_t size, const char *task, const char *name)
{
	char path[128];
	FILE *file;
	size_t got;

	snprintf(path, sizeof path, "/proc/self/task/%.20s/%s", task, name);
	file = fopen(path, "re");
	if (!file)
		return false;
	got = fread(text, 1, size - 1, file);
	fclose(file);
	text[got] = 0;
	return got > 0;
}

static void add_usage(struct usage *usage, const char *task)
{
	unsigned long long user = 0, system = 0, switches = 0;
	char text[4096], *place;

	assert_true(read_text(text, sizeof text, task, "stat"));
	place = strrchr(text, ')');
	assert_non_null(place);
	/* Fields 14 and 15, of which ')' ends the second. */
	assert_int_equal(sscanf(place + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu",
	                        &user, &system),
	                 2);
	assert_true(read_text(text, sizeof text, task, "status"));
	place = strstr(text, "\nvoluntary_ctxt_switches:");
	assert_non_null(place);
	assert_int_equal(sscanf(place, "\nvoluntary_ctxt_switches: %llu", &switches), 1);
	usage->threads++;
	usage->ticks += user + system;
	usage->switches += switches;
}

/* Of the threads that the library has named, once all of them sleep. */
static struct usage usage_of_workers(void)
{
	struct usage usage = { 0 };
	DIR *directory = opendir("/proc/self/task");
	struct dirent *entry;
	char name[64];

	assert_non_null(directory);
	while ((entry = readdir(directory))) {
		if (entry->d_name[0] == '.' || !read_text(name, sizeof name, entry->d_name, "comm"))
			continue;
		if (strncmp(name, "sennit/", 7) != 0)
			continue;
		wait_until_asleep((pid_t)atoi(entry->d_name));
		add_usage(&usage, entry->d_name);
	}
	closedir(directory);
	return usage;
}

static void let_time_pass(void)
{
	struct timespec second = { .tv_sec = 1 };

	for (unsigned i = 0; i < (scale() < 10 ? 2 : 10); i++) {
		nanosleep(&second, NULL);
		progress();
	}
}

/* The looking itself wakes nobody; it is tried until nothing happened between two looks, which is
 * when the last thread has gone to sleep for good. */
static struct usage settled_usage(void)
{
	struct usage now = usage_of_workers(), before;

	do {
		struct timespec moment = { .tv_nsec = 50000000 };

		before = now;
		nanosleep(&moment, NULL);
		now = usage_of_workers();
	} while (now.switches != before.switches || now.ticks != before.ticks);
	return now;
}

static void assert_idle(void)
{
	struct usage before = settled_usage(), after;

	assert_int_equal(before.threads, WORKERS);
	let_time_pass();
	after = usage_of_workers();
	assert_int_equal(after.threads, WORKERS);
	assert_int_equal(after.ticks - before.ticks, 0);
	assert_int_equal(after.switches - before.switches, 0);
}

static void a_runtime_with_nothing_to_do_does_nothing(void **state)
{
	struct sennit_runtime *runtime = started_runtime(WORKERS);

	(void)state;
	assert_idle();
	end_runtime(runtime);
}

static void an_idle_connection_costs_no_CPU(void **state)
{
	struct stage stage = { .runtime = started_runtime(WORKERS), .kind = THREAD_FOREIGN };
	struct sennit_tcp_acceptor acceptor;
	struct sennit_tcp_socket sockets[2], accepted;
	struct sennit_descriptor pipe_in;
	struct sennit_endpoint endpoint;
	struct flight flights[5] = { 0 };
	size_t size = (size_t)8 << 20;
	char data[10], *blocked = patterned(size);
	int peers[2], fds[2];

	(void)state;
	stage.owner = sennit_runtime_worker(stage.runtime, 0);
	stage.other = sennit_runtime_worker(stage.runtime, 1);
	for (int i = 0; i < 2; i++)
		peers[i] = open_socket(&stage, &sockets[i]);
	raw_pipe(fds);
	adopt(&stage, &pipe_in, fds[1]);
	open_acceptor(&stage, &acceptor, &endpoint);
	sennit_tcp_socket_init(&accepted, stage.other);
	/* A pending read, and one behind data that came and went; a writer that cannot go on; an
	 * accept; and one whose peer has gone, with nobody to hear of it. */
	START(&stage, { READ, &sockets[0].stream, .data = data, .size = 10, .flight = &flights[0] },
	      { WRITE, &sockets[0].stream, .data = blocked, .size = size, .flight = &flights[1] },
	      { ACCEPT, .acceptor = &acceptor, .socket = &accepted, .flight = &flights[2] },
	      { WRITE, &sockets[1].stream, .data = "x", .size = 1, .flight = &flights[3] },
	      { WRITE, &pipe_in.stream, .data = "x", .size = 1, .flight = &flights[4] });
	raw_write(peers[0], "part", 4);
	EXPECT(&flights[3], 0, 1);
	EXPECT(&flights[4], 0, 1);
	raw_reset(peers[1]);
	raw_close(fds[0]);
	for (int i = 0; i < 3; i++)
		PENDING(&stage, &flights[i]);
	assert_idle();
	raw_close(peers[0]);
	end_runtime(stage.runtime);
	free(blocked);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_runtime_with_nothing_to_do_does_nothing),
		TEST(an_idle_connection_costs_no_CPU),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
