/* SPDX-License-Identifier: MIT */
/* counters.c - what the counters of a worker say of what it did. */
#include "io_support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static struct sennit_counters count(const struct sennit_runtime *runtime, unsigned worker)
{
	struct sennit_counters counters;

	sennit_runtime_counters(runtime, worker, &counters);
	return counters;
}

/* --- transfers -------------------------------------------------------------------------------- */

static void reads_and_writes_are_counted_with_their_bytes(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	struct sennit_descriptor descriptor = {0};
	struct flight flight = {0};
	struct sennit_counters after;
	char data[64] = "";
	int fds[2];

	(void)state;
	raw_local_pair(SOCK_STREAM, fds);
	assert_int_equal(sennit_descriptor_assign(&descriptor, sennit_runtime_executor(runtime),
						  fds[0]), 0);
	raw_write(fds[1], "hello", 5);
	start_here(&(struct start){READ, .stream = &descriptor.stream, .data = data, .size = 5,
				   .flight = &flight}, sennit_runtime_executor(runtime));
	DRIVE(runtime, &flight, 0, 5);
	after = count(runtime, 0);
	assert_int_equal(after.reads, 1);
	assert_int_equal(after.bytes_read, 5);
	assert_int_equal(after.handlers, 1);
	assert_int_equal(after.starts_remote, 1); /* this thread was not inside */
	flight = (struct flight){0};
	start_here(&(struct start){WRITE, .stream = &descriptor.stream, .data = data, .size = 64,
				   .flight = &flight}, sennit_runtime_executor(runtime));
	DRIVE(runtime, &flight, 0, 64);
	after = count(runtime, 0);
	assert_int_equal(after.writes, 1);
	assert_int_equal(after.bytes_written, 64);
	assert_int_equal(after.handlers, 2);
	assert_int_equal(after.posts_remote, 2);
	flight = (struct flight){0};
	start_here(&(struct start){READ, .stream = &descriptor.stream, .data = data, .size = 1,
				   .flight = &flight}, sennit_runtime_executor(runtime));
	sennit_runtime_restart(runtime);
	assert_int_equal(sennit_runtime_poll(runtime), 0);
	assert_int_equal(count(runtime, 0).calls_idle, 1);
	assert_true(count(runtime, 0).polls > 0);
	sennit_cancel(&descriptor.stream);
	DRIVE(runtime, &flight, -ECANCELED, 0);
	assert_int_equal(count(runtime, 0).cancels_decided, 1);
	sennit_close(&descriptor.stream);
	raw_close(fds[1]);
	end_runtime(runtime);
}

/* --- handlers and wakes ----------------------------------------------------------------------- */

struct ball {
	struct sennit_task task;
	struct sennit_executor *to[2];
	unsigned left;
	struct latch done;
};

static void on_ball(struct sennit_task *task, int error)
{
	struct ball *ball = CONTAINER_OF(task, struct ball, task);

	RECORD(error == 0);
	if (--ball->left)
		sennit_post(ball->to[ball->left % 2], task, on_ball);
	else
		latch_down(&ball->done);
}

static void posts_handlers_and_wakes_are_counted_where_they_happen(void **state)
{
	struct sennit_runtime *runtime = started_runtime(2);
	struct ball ball = {.left = 1000, .done = LATCH(1)};
	struct sennit_counters first, second, all;

	(void)state;
	ball.to[0] = sennit_runtime_worker(runtime, 0);
	ball.to[1] = sennit_runtime_worker(runtime, 1);
	sennit_post(ball.to[0], &ball.task, on_ball);
	latch_wait(&ball.done);
	assert_int_equal(sennit_runtime_join(runtime), 0); /* both sleep */
	first = count(runtime, 0);
	second = count(runtime, 1);
	all = count(runtime, SENNIT_ALL_WORKERS);
	assert_int_equal(first.handlers + second.handlers, 1000);
	assert_int_equal(all.handlers, 1000);
	assert_int_equal(all.posts_remote, 1000);
	assert_int_equal(all.posts_local, 0);
	assert_true(first.parks > 0 && second.parks > 0);
	assert_true(all.wakes_sent > 0);
	assert_true(all.wakes_received >= all.wakes_sent); /* this thread woke some too */
	assert_true(all.wakes_spurious <= all.wakes_received);
	end_runtime(runtime);
}

static void on_local(struct sennit_task *task, int error)
{
	struct ball *ball = CONTAINER_OF(task, struct ball, task);

	(void)error;
	if (--ball->left)
		sennit_post(ball->to[0], task, on_local);
}

static void what_a_worker_posts_to_itself_is_local(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	struct ball ball = {.left = 100, .to = {sennit_runtime_worker(runtime, 0)}};

	(void)state;
	sennit_post(ball.to[0], &ball.task, on_local);
	assert_int_equal(run_dry(runtime), 100);
	assert_int_equal(count(runtime, 0).handlers, 100);
	assert_int_equal(count(runtime, 0).posts_local, 99);
	assert_int_equal(count(runtime, 0).posts_remote, 1);
	end_runtime(runtime);
}

/* --- what stays where it is ------------------------------------------------------------------- */

enum { SESSIONS = 16, WORKERS = 4 };

/* An echo server: each session on a worker of its own, if there are enough. */
struct session {
	struct sennit_tcp_socket socket;
	struct sennit_op op;
	struct latch *ended;
	char data[16];
};

static sennit_handler on_echo_read, on_echo_written;

static void on_echo_written(struct sennit_op *op, int error, size_t bytes)
{
	struct session *session = CONTAINER_OF(op, struct session, op);

	(void)bytes;
	RECORD(error == 0);
	sennit_async_read_some(&session->socket.stream, session->data, sizeof session->data, op,
			       on_echo_read);
}

static void on_echo_read(struct sennit_op *op, int error, size_t bytes)
{
	struct session *session = CONTAINER_OF(op, struct session, op);

	if (!error) {
		sennit_async_write(&session->socket.stream, session->data, bytes, op,
				   on_echo_written);
		return;
	}
	RECORD(error == SENNIT_EOF);
	sennit_close(&session->socket.stream);
	latch_down(session->ended);
}

static void round_trips(const int *peers, unsigned rounds)
{
	for (unsigned round = 0; round < rounds; round++) {
		for (int i = 0; i < SESSIONS; i++)
			raw_write(peers[i], "ping", 4);
		for (int i = 0; i < SESSIONS; i++) {
			char answer[4];

			raw_read(peers[i], answer, sizeof answer);
			assert_memory_equal(answer, "ping", 4);
		}
	}
}

/* With an idle worker beside it, an echo session never leaves its own. */
static void echo_sessions_are_neither_stolen_nor_started_elsewhere(void **state)
{
	struct sennit_runtime *runtime = started_runtime(WORKERS);
	static struct session sessions[SESSIONS];
	struct latch ended = LATCH(SESSIONS);
	struct sennit_counters before, after;
	int peers[SESSIONS];

	(void)state;
	memset(sessions, 0, sizeof sessions);
	for (int i = 0; i < SESSIONS; i++) {
		int fds[2];

		raw_tcp_pair(fds);
		peers[i] = fds[1];
		sessions[i].ended = &ended;
		sennit_tcp_socket_init(&sessions[i].socket,
				       sennit_runtime_worker(runtime, (unsigned)i % 3));
		assert_int_equal(sennit_tcp_socket_assign(&sessions[i].socket, fds[0]), 0);
		on_echo_written(&sessions[i].op, 0, 0); /* the first read is started here */
	}
	round_trips(peers, 1);
	before = count(runtime, SENNIT_ALL_WORKERS);
	assert_int_equal(before.starts_remote, SESSIONS);
	round_trips(peers, 20 * scale());
	after = count(runtime, SENNIT_ALL_WORKERS);
	assert_int_equal(after.starts_remote, before.starts_remote);
	assert_int_equal(after.posts_remote, before.posts_remote);
	for (int i = 0; i < SENNIT_DISTANCES; i++)
		assert_int_equal(after.steals_won[i], 0);
	assert_int_equal(count(runtime, 3).handlers, 0); /* the idle one */
	for (int i = 0; i < SESSIONS; i++)
		raw_close(peers[i]);
	latch_wait(&ended);
	end_runtime(runtime);
}

/* --- printed ---------------------------------------------------------------------------------- */

static struct sennit_counters sample(void)
{
	struct sennit_counters counters;
	uint64_t *value = (uint64_t *)(void *)&counters;

	for (size_t i = 0; i < sizeof counters / sizeof *value; i++)
		value[i] = i + 1;
	counters.cancels_late = UINT64_MAX;
	return counters;
}

static void text_has_one_line_for_each_counter(void **state)
{
	struct sennit_counters counters = sample();
	char text[4096] = "";
	FILE *file = fmemopen(text, sizeof text, "w");
	unsigned lines = 0;

	(void)state;
	assert_int_equal(sennit_counters_print(&counters, file), 0);
	fclose(file);
	for (const char *c = text; *c; c++)
		lines += *c == '\n';
	assert_int_equal(lines, sizeof counters / sizeof(uint64_t));
	assert_ptr_equal(strstr(text, "handlers           1\n"), text);
	assert_non_null(strstr(text, "\ncancels_late       18446744073709551615\n"));
}

static void json_is_one_object_in_one_line(void **state)
{
	struct sennit_counters counters = sample();
	char text[4096] = "";
	FILE *file = fmemopen(text, sizeof text, "w");

	(void)state;
	assert_int_equal(sennit_counters_print_json(&counters, file), 0);
	fclose(file);
	assert_ptr_equal(strstr(text, "{\"handlers\": 1, \"posts_local\": 2, "), text);
	assert_non_null(strstr(text, ", \"steals_won\": [6, 7, 8, 9], \"parks\": 10, "));
	assert_string_equal(strrchr(text, ','), ", \"cancels_late\": 18446744073709551615}");
	assert_null(strchr(text, '\n'));
}

static void a_file_that_takes_nothing_is_an_error(void **state)
{
	struct sennit_counters counters = sample();
	FILE *file = fopen("/dev/full", "w");

	(void)state;
	assert_non_null(file);
	setvbuf(file, NULL, _IONBF, 0);
	assert_int_equal(sennit_counters_print(&counters, file), -ENOSPC);
	assert_int_equal(sennit_counters_print_json(&counters, file), -ENOSPC);
	fclose(file);
}

static void ask_for_a_worker_that_is_not_there(void *argument)
{
	count(argument, 1);
}

static void a_worker_that_is_not_there_is_misuse(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();

	(void)state;
	assert_misuse(ask_for_a_worker_that_is_not_there, runtime, "no worker");
	end_runtime(runtime);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(reads_and_writes_are_counted_with_their_bytes),
		TEST(posts_handlers_and_wakes_are_counted_where_they_happen),
		TEST(what_a_worker_posts_to_itself_is_local),
		TEST(echo_sessions_are_neither_stolen_nor_started_elsewhere),
		TEST(text_has_one_line_for_each_counter),
		TEST(json_is_one_object_in_one_line),
		TEST(a_file_that_takes_nothing_is_an_error),
		TEST(a_worker_that_is_not_there_is_misuse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
