/* SPDX-License-Identifier: MIT */
/* visits.c - what a thread does to an object or prints of a worker that no thread is inside: it
 * visits that worker, which others must not suffer from.
 */
#include "io_support.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static struct sennit_runtime *driven(unsigned workers)
{
	struct sennit_runtime_options options = { .size = sizeof options, .workers = workers };
	struct sennit_runtime *runtime = NULL;

	assert_int_equal(sennit_runtime_create(&options, &runtime), 0);
	return runtime;
}

static bool readable(struct sennit_runtime *runtime)
{
	struct pollfd fd = { .fd = sennit_runtime_fd(runtime), .events = POLLIN };

	return poll(&fd, 1, 0) == 1;
}

/* --- what a visit leaves to do ---------------------------------------------------------------- */

static int cancel(struct sennit_timer *timer)
{
	return sennit_timer_cancel(timer);
}

static int cancel_one(struct sennit_timer *timer)
{
	return sennit_timer_cancel_one(timer);
}

static int expires_at(struct sennit_timer *timer)
{
	return sennit_timer_expires_at(timer, 0);
}

static int expires_after(struct sennit_timer *timer)
{
	return sennit_timer_expires_after(timer, 0);
}

struct visit {
	struct sennit_timer timer;
	int (*change)(struct sennit_timer *timer);
	int answer;
};

static void *change_it(void *argument)
{
	struct visit *visit = argument;

	visit->answer = visit->change(&visit->timer);
	return NULL;
}

/* A loop that waits for the descriptor has to learn of the handler. */
static void a_wait_that_another_thread_ends_makes_the_descriptor_readable(void **state)
{
	int (*const changes[])(struct sennit_timer *) = { cancel, cancel_one, expires_at,
		                                          expires_after };

	(void)state;
	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
		struct sennit_runtime *runtime = driven(i % 2 ? 2 : 1);
		struct visit visit = { .change = changes[i] };
		struct flight wait = { 0 };

		assert_int_equal(
		    sennit_timer_init(&visit.timer, sennit_runtime_worker(runtime, 0)), 0);
		sennit_timer_expires_at(&visit.timer, SENNIT_NEVER);
		expect_result(&wait.op, &wait.result, sennit_runtime_worker(runtime, 0));
		sennit_timer_async_wait(&visit.timer, &wait.op, on_result);
		assert_int_equal(sennit_runtime_prepare(runtime), -1);
		assert_false(readable(runtime));
		join(spawn(change_it, &visit));
		assert_int_equal(visit.answer, 1);
		assert_true(readable(runtime));
		assert_int_equal(sennit_runtime_poll(runtime), 1);
		assert_int_equal(wait.result.error, -ECANCELED);
		assert_false(readable(runtime));
		sennit_timer_close(&visit.timer);
		assert_int_equal(sennit_runtime_destroy(runtime), 0);
	}
}

static void *release_it(void *argument)
{
	int fd = -1;

	RECORD(sennit_descriptor_release(argument, &fd) == 0);
	RECORD(close(fd) == 0);
	return NULL;
}

static void a_read_that_a_release_elsewhere_ends_makes_the_descriptor_readable(void **state)
{
	struct stage stage = driven_stage();
	struct sennit_descriptor descriptor;
	struct flight read = { 0 };
	char byte;
	int peer = open_local(&stage, &descriptor);

	(void)state;
	START(&stage, { READ, &descriptor.stream, .data = &byte, .size = 1, .flight = &read });
	while (sennit_runtime_prepare(stage.runtime) >= 0 || readable(stage.runtime))
		;
	join(spawn(release_it, &descriptor));
	assert_true(readable(stage.runtime));
	DRIVE(stage.runtime, &read, -ECANCELED, 0);
	raw_close(peer);
	end_runtime(stage.runtime);
}

static void a_visit_that_leaves_nothing_to_do_tells_nobody(void **state)
{
	struct sennit_runtime *runtime = driven(1);
	struct visit visit = { .change = cancel };

	(void)state;
	sennit_runtime_guard_get(runtime);
	assert_int_equal(sennit_timer_init(&visit.timer, sennit_runtime_executor(runtime)), 0);
	assert_int_equal(sennit_runtime_prepare(runtime), -1);
	join(spawn(change_it, &visit));
	assert_int_equal(visit.answer, 0);
	assert_false(readable(runtime));
	sennit_runtime_guard_put(runtime);
	sennit_timer_close(&visit.timer);
	assert_int_equal(sennit_runtime_destroy(runtime), 0);
}

/* --- while the runtime is started ------------------------------------------------------------- */

struct visitor {
	struct sennit_timer timer;
	struct latch began;
	atomic_bool stop;
};

static void *visit_again_and_again(void *argument)
{
	struct visitor *visitor = argument;

	sennit_timer_cancel(&visitor->timer);
	latch_down(&visitor->began);
	while (!atomic_load(&visitor->stop))
		sennit_timer_cancel(&visitor->timer);
	return NULL;
}

/* It is ThreadSanitizer that tells whether start and the visitor meet. */
static void a_timer_is_cancelled_elsewhere_while_its_runtime_is_started(void **state)
{
	struct sennit_runtime_options options = { .size = sizeof options,
		                                  .pin = SENNIT_PIN_LIST,
		                                  .cpus = (const unsigned[]){ 0, 0, 0 },
		                                  .cpus_count = 3 };

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		struct visitor visitor = { .began = LATCH(1) };
		struct sennit_runtime *runtime;
		pthread_t thread;

		assert_int_equal(sennit_runtime_create(&options, &runtime), 0);
		assert_int_equal(
		    sennit_timer_init(&visitor.timer, sennit_runtime_executor(runtime)), 0);
		thread = spawn(visit_again_and_again, &visitor);
		latch_wait(&visitor.began);
		assert_int_equal(sennit_runtime_start(runtime), 0);
		assert_int_equal(sennit_runtime_workers(runtime), 3);
		atomic_store(&visitor.stop, true);
		join(thread);
		sennit_timer_close(&visitor.timer);
		assert_int_equal(sennit_runtime_join(runtime), 0);
		assert_int_equal(sennit_runtime_destroy(runtime), 0);
	}
}

/* --- the end of work -------------------------------------------------------------------------- */

/* A thread that prints a runtime, and is kept where it has printed the last worker's line. */
struct printing {
	struct sennit_runtime *runtime;
	const char *line;
	struct latch inside;
	struct latch release;
};

static ssize_t take_text(void *cookie, const char *text, size_t size)
{
	struct printing *printing = cookie;

	if (memmem(text, size, printing->line, strlen(printing->line))) {
		latch_down(&printing->inside);
		latch_wait(&printing->release);
	}
	return (ssize_t)size;
}

static void *print(void *argument)
{
	struct printing *printing = argument;
	FILE *file = fopencookie(printing, "w", (cookie_io_functions_t){ .write = take_text });

	if (!RECORD(file != NULL))
		return NULL;
	setvbuf(file, NULL, _IONBF, 0);
	sennit_runtime_dump(printing->runtime, file);
	fclose(file);
	return NULL;
}

struct running {
	struct sennit_runtime *runtime;
	struct sennit_task task;
	struct latch began;
	pid_t thread;
	int64_t ran;
};

static void on_task(struct sennit_task *task, int error)
{
	struct running *running = CONTAINER_OF(task, struct running, task);

	RECORD(error == 0);
	running->thread = gettid();
	latch_down(&running->began);
}

static void *run(void *argument)
{
	struct running *running = argument;

	running->ran = sennit_runtime_run(running->runtime);
	return NULL;
}

/* The one that runs finds no work left while the other worker is visited, so it cannot tell. (The
 * watchdog is not told of the runtime: to dump it would help.) */
static void a_run_whose_last_look_met_a_visitor_returns_all_the_same(void **state)
{
	struct sennit_runtime *runtime = driven(2);
	struct printing printing = { .runtime = runtime, .line = "worker 1",
		                     .inside = LATCH(1), .release = LATCH(1) };
	struct running running = { .runtime = runtime, .began = LATCH(1) };
	pthread_t printer = spawn(print, &printing);
	pthread_t runner;

	(void)state;
	latch_wait(&printing.inside);
	sennit_post(sennit_runtime_worker(runtime, 0), &running.task, on_task);
	runner = spawn(run, &running);
	latch_wait(&running.began);
	wait_until_asleep(running.thread);
	latch_down(&printing.release);
	join(printer);
	join(runner);
	assert_int_equal(running.ran, 1);
	assert_true(sennit_runtime_stopped(runtime));
	assert_int_equal(sennit_runtime_destroy(runtime), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_wait_that_another_thread_ends_makes_the_descriptor_readable),
		TEST(a_read_that_a_release_elsewhere_ends_makes_the_descriptor_readable),
		TEST(a_visit_that_leaves_nothing_to_do_tells_nobody),
		TEST(a_timer_is_cancelled_elsewhere_while_its_runtime_is_started),
		TEST(a_run_whose_last_look_met_a_visitor_returns_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
