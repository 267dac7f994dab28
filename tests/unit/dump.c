/* SPDX-License-Identifier: MIT */
/* dump.c - what a runtime shows of itself, and that it never gets in the way. */
#include "support.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The dump as a string, to be freed. */
static char *dump_text(struct sennit_runtime *runtime)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	if (!file)
		abort();
	sennit_runtime_dump(runtime, file);
	fclose(file);
	progress();
	return text;
}

static unsigned count_lines_with(const char *text, const char *word)
{
	unsigned count = 0;

	for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
		const char *found = strstr(line, word);

		count += found && found < line + strcspn(line, "\n");
	}
	return count;
}

static void assert_shows(struct sennit_runtime *runtime, const char *word, unsigned lines)
{
	char *text = dump_text(runtime);

	if (count_lines_with(text, word) != lines)
		fail_msg("not %u lines with \"%s\":\n%s", lines, word, text);
	assert_true(strlen(text) > 0);
	assert_int_equal(text[strlen(text) - 1], '\n');
	free(text);
}

static void each_worker_is_shown_once(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();

	(void)state;
	assert_shows(runtime, "worker 0", 1);
	assert_int_equal(sennit_runtime_run(runtime), 0);
	assert_shows(runtime, "worker 0", 1);
	end_runtime(runtime);
	runtime = started_runtime(3);
	assert_shows(runtime, "worker 0", 1);
	assert_shows(runtime, "worker 1", 1);
	assert_shows(runtime, "worker 2", 1);
	assert_shows(runtime, "worker 3", 0);
	end_runtime(runtime);
}

static void an_operation_in_flight_is_shown_with_its_age(void **state)
{
	struct sennit_runtime *runtime = started_runtime(2);
	struct sennit_descriptor first = { 0 }, second = { 0 };
	struct sennit_op op = { 0 };
	struct result result;
	char byte;

	(void)state;
	assert_int_equal(sennit_descriptor_pair(&first, &second, sennit_runtime_worker(runtime, 1)),
	                 0);
	assert_shows(runtime, "read", 0);
	expect_result(&op, &result, NULL);
	sennit_async_read_some(&first.stream, &byte, 1, &op, on_result);
	assert_shows(runtime, "read", 1);
	assert_shows(runtime, "ms", 1);
	sennit_close(&first.stream);
	sennit_close(&second.stream);
	wait_result(&result);
	assert_shows(runtime, "read", 0);
	end_runtime(runtime);
}

struct inside {
	struct sennit_runtime *runtime;
	char *text;
};

static void dump_inside(void *argument)
{
	struct inside *inside = argument;

	inside->text = dump_text(inside->runtime);
}

static void a_worker_shows_its_part_and_that_the_others_are_busy(void **state)
{
	struct sennit_runtime *runtime = started_runtime(3);
	struct inside inside = { .runtime = runtime };

	(void)state;
	call_on(sennit_runtime_worker(runtime, 1), dump_inside, &inside);
	assert_int_equal(count_lines_with(inside.text, "worker"), 4);
	assert_int_equal(count_lines_with(inside.text, "busy"), 2);
	free(inside.text);
	end_runtime(runtime);
}

struct driver {
	struct sennit_runtime *runtime;
	struct latch begun;
	pid_t tid;
	atomic_bool enough;
};

static void *run_once(void *argument)
{
	struct driver *driver = argument;

	driver->tid = gettid();
	latch_down(&driver->begun);
	RECORD(sennit_runtime_run(driver->runtime) == 0);
	return NULL;
}

static void a_thread_that_sleeps_in_run_prints(void **state)
{
	struct driver driver = { .runtime = driven_runtime(), .begun = LATCH(1) };
	pthread_t thread;

	(void)state;
	sennit_runtime_guard_get(driver.runtime);
	thread = spawn(run_once, &driver);
	latch_wait(&driver.begun);
	wait_until_asleep(driver.tid);
	for (unsigned i = 0; i < 100; i++)
		assert_shows(driver.runtime, "worker 0", 1);
	sennit_runtime_guard_put(driver.runtime);
	join(thread);
	end_runtime(driver.runtime);
}

static void *run_often(void *argument)
{
	struct driver *driver = argument;

	while (!atomic_load(&driver->enough)) {
		RECORD(sennit_runtime_run(driver->runtime) == 0);
		sennit_runtime_restart(driver->runtime);
	}
	return NULL;
}

/* A dump that meets a thread on its way out of run must find somebody who prints; and it is no
 * thread inside, for which run would be refused. */
static void a_dump_and_a_run_that_comes_and_goes_are_not_in_each_others_way(void **state)
{
	struct driver driver = { .runtime = driven_runtime() };
	pthread_t thread;

	(void)state;
	thread = spawn(run_often, &driver);
	for (unsigned i = 0; i < 2000 * scale(); i++)
		free(dump_text(driver.runtime));
	atomic_store(&driver.enough, true);
	join(thread);
	end_runtime(driver.runtime);
}

static void a_runtime_may_be_dumped_as_soon_as_it_was_started(void **state)
{
	cpu_set_t saved;

	(void)state;
	/* On one CPU the new threads have most likely not run yet. */
	take_one_cpu(&saved);
	for (unsigned i = 0; i < 100 * scale(); i++) {
		struct sennit_runtime *runtime = started_runtime(2);

		free(dump_text(runtime));
		end_runtime(runtime);
	}
	give_back_cpus(&saved);
}

static void *dump_often(void *argument)
{
	struct driver *driver = argument;

	while (!atomic_load(&driver->enough))
		free(dump_text(driver->runtime));
	return NULL;
}

static void several_threads_may_dump_a_busy_runtime(void **state)
{
	struct driver driver = { .runtime = started_runtime(2) };
	pthread_t threads[3];

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(threads); i++)
		threads[i] = spawn(dump_often, &driver);
	for (unsigned i = 0; i < 1000 * scale(); i++) {
		struct inside inside = { .runtime = driver.runtime };

		call_on(sennit_runtime_worker(driver.runtime, i % 2), dump_inside, &inside);
		free(inside.text);
	}
	atomic_store(&driver.enough, true);
	for (unsigned i = 0; i < COUNT_OF(threads); i++)
		join(threads[i]);
	end_runtime(driver.runtime);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(each_worker_is_shown_once),
		TEST(an_operation_in_flight_is_shown_with_its_age),
		TEST(a_worker_shows_its_part_and_that_the_others_are_busy),
		TEST(a_thread_that_sleeps_in_run_prints),
		TEST(a_dump_and_a_run_that_comes_and_goes_are_not_in_each_others_way),
		TEST(a_runtime_may_be_dumped_as_soon_as_it_was_started),
		TEST(several_threads_may_dump_a_busy_runtime),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
