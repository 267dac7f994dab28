/* SPDX-License-Identifier: MIT */
/* placement.c - threads of a started runtime as options and environment want them, what becomes of
 * what the system refuses, hooks, and what is printed of all that.
 */
#include "support.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- what tests look at ----------------------------------------------------------------------- */

struct facts {
	pid_t thread;
	cpu_set_t cpus;
	size_t stack_size;
};

static void look(void *argument)
{
	struct facts *facts = argument;
	pthread_attr_t attributes;

	facts->thread = gettid();
	RECORD(!sched_getaffinity(0, sizeof facts->cpus, &facts->cpus));
	RECORD(!pthread_getattr_np(pthread_self(), &attributes));
	RECORD(!pthread_attr_getstacksize(&attributes, &facts->stack_size));
	pthread_attr_destroy(&attributes);
}

static struct sennit_runtime *started(const struct sennit_runtime_options *options)
{
	struct sennit_runtime *runtime = NULL;

	assert_int_equal(sennit_runtime_create(options, &runtime), 0);
	assert_int_equal(sennit_runtime_start(runtime), 0);
	return runtime;
}

static size_t first_cpu(void)
{
	cpu_set_t allowed;
	size_t cpu = 0;

	assert_int_equal(sched_getaffinity(0, sizeof allowed, &allowed), 0);
	while (!CPU_ISSET(cpu, &allowed))
		cpu++;
	return cpu;
}

/* What sennit_runtime_print_settings prints, to be freed. */
static char *settings_of(const struct sennit_runtime *runtime)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	sennit_runtime_print_settings(runtime, file);
	assert_int_equal(fclose(file), 0);
	return text;
}

static void assert_line(const char *text, const char *line)
{
	size_t length = strlen(line);
	const char *at = text;

	while ((at = strstr(at, line))) {
		if ((at == text || at[-1] == '\n') && at[length] == '\n')
			return;
		at++;
	}
	fail_msg("no line '%s' in:\n%s", line, text);
}

static void assert_settings(const struct sennit_runtime *runtime, const char *const *lines)
{
	char *text = settings_of(runtime);

	for (; *lines; lines++)
		assert_line(text, *lines);
	free(text);
}

#define LINES(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void clear_environment(void)
{
	unsetenv("SENNIT_WORKERS");
	unsetenv("SENNIT_PIN");
	unsetenv("SENNIT_BACKEND");
	unsetenv("SENNIT_SPIN_NS");
	unsetenv("SENNIT_STACK_SIZE");
}

/* As TEST, without what the test has set. */
static int end_test(void **state)
{
	clear_environment();
	return test_teardown(state);
}

#define ENVIRONMENT_TEST(function)                                                                 \
 cmocka_unit_test_prestate_setup_teardown(function, test_setup, end_test, (void *)(#function))

/* --- what the log hook is told ---------------------------------------------------------------- */

struct told {
	unsigned count;
	char line[8][256];
};

/* Whatever is told in these tests is told by the calls that the main thread makes. */
static void on_log(void *user, enum sennit_log_level level, const char *line)
{
	struct told *told = user;

	RECORD(level == SENNIT_LOG_WARNING);
	if (told->count < COUNT_OF(told->line))
		snprintf(told->line[told->count++], sizeof told->line[0], "%s", line);
}

/* --- where threads are ------------------------------------------------------------------------ */

static void a_listed_worker_sits_on_its_cpu(void **state)
{
	unsigned cpus[] = { (unsigned)first_cpu() };
	struct sennit_runtime_options options = { .size = sizeof options,
		                                  .workers = 2,
		                                  .pin = SENNIT_PIN_LIST,
		                                  .cpus = cpus,
		                                  .cpus_count = 1 };
	struct sennit_runtime *runtime = started(&options);

	(void)state;
	assert_int_equal(sennit_runtime_workers(runtime), 2);
	for (unsigned i = 0; i < 2; i++) {
		struct facts facts;

		call_on(sennit_runtime_worker(runtime, i), look, &facts);
		assert_int_equal(CPU_COUNT(&facts.cpus), 1);
		assert_true(CPU_ISSET(cpus[0], &facts.cpus));
	}
	assert_int_equal(sennit_runtime_destroy(runtime), 0);
}

static void a_worker_whose_cpu_the_system_refuses_runs_unbound_and_that_is_said(void **state)
{
	unsigned cpus[] = { 65535, (unsigned)first_cpu(), 65534 };
	struct told told = { 0 };
	struct sennit_runtime_options options = { .size = sizeof options,
		                                  .pin = SENNIT_PIN_LIST,
		                                  .log = on_log,
		                                  .log_user = &told,
		                                  .cpus = cpus,
		                                  .cpus_count = 3 };
	struct sennit_runtime *runtime = started(&options);
	struct facts facts;
	cpu_set_t allowed;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof allowed, &allowed), 0);
	assert_int_equal(sennit_runtime_workers(runtime), 3);
	call_on(sennit_runtime_worker(runtime, 0), look, &facts);
	assert_true(CPU_EQUAL(&facts.cpus, &allowed));
	call_on(sennit_runtime_worker(runtime, 1), look, &facts);
	assert_int_equal(CPU_COUNT(&facts.cpus), 1);
	assert_int_equal(told.count, 2);
	assert_string_equal(told.line[0], "sennit/0 is not bound to CPU 65535: Invalid argument");
	assert_string_equal(told.line[1], "sennit/2 is not bound to CPU 65534: Invalid argument");
	assert_settings(
	    runtime, LINES("workers     3 (list of CPUs)",
	                   "sennit/0    not bound to CPU 65535: EINVAL (Invalid argument)",
	                   "sennit/2    not bound to CPU 65534: EINVAL (Invalid argument)"));
	assert_int_equal(sennit_runtime_destroy(runtime), 0);
}

#if !defined(SANITIZED_THREAD) && !defined(SANITIZED_ADDRESS)
static int refuse_binding_with;
static unsigned threads_left = UINT32_MAX;
static size_t last_stack_size;

/* Stands before the C library's. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*function)(void *),
                   void *argument)
{
	int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
	cpu_set_t cpus;

	if (attributes)
		pthread_attr_getstacksize(attributes, &last_stack_size);
	if (attributes && refuse_binding_with &&
	    !pthread_attr_getaffinity_np(attributes, sizeof cpus, &cpus) && CPU_COUNT(&cpus) == 1)
		return refuse_binding_with;
	if (threads_left == 0)
		return EAGAIN;
	threads_left -= threads_left != UINT32_MAX;
	*(void **)&create = dlsym(RTLD_NEXT, "pthread_create");
	if (!create)
		abort();
	return create(thread, attributes, function, argument);
}

static bool refuse(int error, unsigned threads)
{
	refuse_binding_with = error;
	threads_left = threads;
	return true;
}

static size_t stack_asked_for(void)
{
	return last_stack_size;
}
#else
static size_t stack_asked_for(void)
{
	return 0;
}

static bool refuse(int error, unsigned threads)
{
	(void)error;
	(void)threads;
	return false;
}
#endif

static void whatever_the_reason_of_the_refusal_is(void **state)
{
	static const int errors[] = { EINVAL, EPERM, ESRCH };
	cpu_set_t saved;

	(void)state;
	take_one_cpu(&saved);
	for (size_t i = 0; i < COUNT_OF(errors); i++) {
		struct told told = { 0 };
		struct sennit_runtime_options options = { .size = sizeof options,
			                                  .workers = 1,
			                                  .log = on_log,
			                                  .log_user = &told };
		struct sennit_runtime *runtime;
		char line[128];

		if (!refuse(errors[i], UINT32_MAX)) {
			give_back_cpus(&saved);
			SKIP("threads cannot be made to fail under a sanitizer");
		}
		runtime = started(&options);
		refuse(0, UINT32_MAX);
		snprintf(line, sizeof line, "sennit/0    not bound to CPU %zu: %s (%s)",
		         first_cpu(), sennit_error_name(-errors[i]), sennit_strerror(-errors[i]));
		assert_settings(runtime, LINES(line));
		assert_int_equal(told.count, 1);
		assert_int_equal(sennit_runtime_join(runtime), 0);
		assert_int_equal(sennit_runtime_destroy(runtime), 0);
	}
	give_back_cpus(&saved);
}

/* --- stacks ----------------------------------------------------------------------------------- */

/* What a thread is created with, and has at least: the C library may give it a dead one's stack. */
static size_t stack_with(size_t wanted)
{
	struct sennit_runtime_options options = { .size = sizeof options, .workers = 1,
		                                  .stack_size = wanted };
	struct sennit_runtime *runtime = started(&options);
	struct facts facts;

	call_on(sennit_runtime_worker(runtime, 0), look, &facts);
	assert_int_equal(sennit_runtime_destroy(runtime), 0);
	assert_true(facts.stack_size >= stack_asked_for());
	return stack_asked_for();
}

static void a_workers_stack_is_as_large_as_asked_for_in_whole_pages(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t least = (size_t)sysconf(_SC_THREAD_STACK_MIN);
	size_t usual;
	pthread_attr_t attributes;

	(void)state;
	if (!refuse(0, UINT32_MAX))
		SKIP("what threads are created with cannot be seen under a sanitizer");
	assert_int_equal(pthread_attr_init(&attributes), 0);
	assert_int_equal(pthread_attr_getstacksize(&attributes, &usual), 0);
	pthread_attr_destroy(&attributes);
	assert_int_equal(stack_with(0), usual);
	assert_int_equal(stack_with(3 * page), least > 3 * page ? least : 3 * page);
	assert_int_equal(stack_with(1000 * page + 1), 1001 * page);
	assert_int_equal(stack_with(1000 * page - 1), 1000 * page);
	assert_int_equal(stack_with(1), (least + page - 1) / page * page);
	setenv("SENNIT_STACK_SIZE", "40000000", 1);
	assert_int_equal(stack_with(0), (40000000 + page - 1) / page * page);
	assert_int_equal(stack_with(3u << 20), 3u << 20);
}

static void a_stack_that_the_system_cannot_give_fails_the_start(void **state)
{
	struct sennit_runtime_options options = { .size = sizeof options, .workers = 2,
		                                  .stack_size = (size_t)1 << 60 };
	struct sennit_runtime *runtime;

	(void)state;
	if (!refuse(0, UINT32_MAX))
		SKIP("a sanitizer ends the program where a thread has no memory");
	assert_int_equal(sennit_runtime_create(&options, &runtime), 0);
	assert_int_equal(sennit_runtime_start(runtime), -EAGAIN);
	assert_int_equal(sennit_runtime_workers(runtime), 2);
	assert_int_equal(sennit_runtime_join(runtime), -EINVAL);
	assert_int_equal(sennit_runtime_destroy(runtime), 0);
}

/* --- hooks ------------------------------------------------------------------------------------ */

enum { WORKERS = 4 };

struct life {
	atomic_uint started;
	atomic_uint stopped;
	pid_t thread[WORKERS]; /* of the start hook */
	bool ran[WORKERS];     /* a handler */
	bool gone[WORKERS];
};

static void on_start(void *user, unsigned worker)
{
	struct life *life = user;

	if (!RECORD(worker < WORKERS))
		return;
	RECORD(!life->thread[worker] && !life->ran[worker] && !life->gone[worker]);
	life->thread[worker] = gettid();
	atomic_fetch_add(&life->started, 1);
}

static void on_stop(void *user, unsigned worker)
{
	struct life *life = user;

	if (!RECORD(worker < WORKERS))
		return;
	RECORD(life->thread[worker] == gettid() && !life->gone[worker]);
	life->gone[worker] = true;
	atomic_fetch_add(&life->stopped, 1);
}

static const struct sennit_runtime_options hooked = { .size = sizeof hooked,
	                                              .workers = WORKERS,
	                                              .pin = SENNIT_PIN_NONE,
	                                              .on_worker_start = on_start,
	                                              .on_worker_stop = on_stop };

struct visit {
	struct sennit_task task;
	struct life *life;
	unsigned worker;
	struct latch *latch;
};

static void on_visit(struct sennit_task *task, int error)
{
	struct visit *visit = CONTAINER_OF(task, struct visit, task);

	(void)error;
	RECORD(visit->life->thread[visit->worker] == gettid());
	RECORD(!visit->life->gone[visit->worker]);
	visit->life->ran[visit->worker] = true;
	if (visit->latch)
		latch_down(visit->latch);
}

static void hooks_are_called_around_all_handlers_on_each_workers_thread(void **state)
{
	struct life life = { 0 };
	struct visit visits[2 * WORKERS] = { 0 };
	struct sennit_runtime_options options = hooked;
	struct latch latch = LATCH(WORKERS);
	struct sennit_runtime *runtime;

	(void)state;
	options.worker_user = &life;
	runtime = started(&options);
	for (unsigned i = 0; i < 2 * WORKERS; i++) {
		visits[i].life = &life;
		visits[i].worker = i % WORKERS;
		visits[i].latch = i < WORKERS ? &latch : NULL;
		/* the second half may still wait when destroy begins, and is run all the same */
		if (i == WORKERS)
			latch_wait(&latch);
		sennit_post(sennit_runtime_worker(runtime, i % WORKERS), &visits[i].task, on_visit);
	}
	assert_int_equal(atomic_load(&life.started), WORKERS);
	assert_int_equal(atomic_load(&life.stopped), 0);
	assert_int_equal(sennit_runtime_destroy(runtime), 0);
	assert_int_equal(atomic_load(&life.stopped), WORKERS);
}

static void where_start_fails_what_was_started_is_stopped(void **state)
{
	(void)state;
	for (unsigned threads = 0; threads <= WORKERS; threads++) {
		struct life life = { 0 };
		struct sennit_runtime_options options = hooked;
		struct sennit_runtime *runtime;

		options.worker_user = &life;
		assert_int_equal(sennit_runtime_create(&options, &runtime), 0);
		if (!refuse(0, threads)) {
			assert_int_equal(sennit_runtime_destroy(runtime), 0);
			SKIP("threads cannot be made to fail under a sanitizer");
		}
		assert_int_equal(sennit_runtime_start(runtime), threads < WORKERS ? -EAGAIN : 0);
		refuse(0, UINT32_MAX);
		if (threads < WORKERS) {
			assert_int_equal(atomic_load(&life.started), threads);
			assert_int_equal(atomic_load(&life.stopped), threads);
		}
		assert_int_equal(sennit_runtime_destroy(runtime), 0);
		assert_int_equal(atomic_load(&life.started), threads);
		assert_int_equal(atomic_load(&life.stopped), threads);
	}
}

static void a_driven_runtime_calls_no_hooks(void **state)
{
	struct life life = { 0 };
	struct sennit_runtime_options options = hooked;
	struct sennit_runtime *runtime;

	(void)state;
	options.workers = 1;
	options.worker_user = &life;
	assert_int_equal(sennit_runtime_create(&options, &runtime), 0);
	assert_int_equal(sennit_runtime_run(runtime), 0);
	assert_int_equal(sennit_runtime_destroy(runtime), 0);
	assert_int_equal(atomic_load(&life.started) + atomic_load(&life.stopped), 0);
}

/* --- the environment, and what is printed ----------------------------------------------------- */

static void the_environment_decides_what_the_program_does_not(void **state)
{
	struct sennit_runtime_options options = { .size = sizeof options, .workers = 2 };
	struct sennit_runtime *runtime;

	(void)state;
	setenv("SENNIT_WORKERS", "3", 1);
	setenv("SENNIT_PIN", "none", 1);
	setenv("SENNIT_SPIN_NS", "0", 1);
	runtime = started(NULL);
	assert_int_equal(sennit_runtime_workers(runtime), 3);
	assert_settings(runtime, LINES("workers     3 (environment)",
	                               "pin         none (environment)",
	                               "spin        0 ns (environment)",
	                               "backend     epoll (default)",
	                               "places      none: nobody asks for it"));
	assert_int_equal(sennit_runtime_destroy(runtime), 0);
	runtime = started(&options);
	assert_int_equal(sennit_runtime_workers(runtime), 2);
	assert_settings(runtime, LINES("workers     2 (program)"));
	assert_int_equal(sennit_runtime_destroy(runtime), 0);
}

static void a_driven_runtime_has_one_worker_whatever_the_environment_says(void **state)
{
	struct sennit_runtime *runtime;

	(void)state;
	setenv("SENNIT_WORKERS", "3", 1);
	assert_int_equal(sennit_runtime_create(NULL, &runtime), 0);
	assert_int_equal(sennit_runtime_run(runtime), 0);
	assert_int_equal(sennit_runtime_workers(runtime), 1);
	assert_settings(runtime, LINES("workers     1, driven (default)"));
	assert_int_equal(sennit_runtime_destroy(runtime), 0);
}

static void a_variable_that_cannot_be_used_is_said_and_printed(void **state)
{
	struct told told = { 0 };
	struct sennit_runtime_options options = { .size = sizeof options, .log = on_log,
		                                  .log_user = &told };
	struct sennit_runtime *runtime;

	(void)state;
	setenv("SENNIT_WORKERS", "many", 1);
	setenv("SENNIT_BACKEND", "poll", 1);
	assert_int_equal(sennit_runtime_create(&options, &runtime), 0);
	assert_int_equal(told.count, 2);
	assert_string_equal(told.line[0], "SENNIT_WORKERS=many is not a number from 1 to 1024");
	assert_string_equal(told.line[1], "SENNIT_BACKEND=poll is not epoll");
	clear_environment();
	assert_settings(
	    runtime, LINES("passed over SENNIT_WORKERS=many is not a number from 1 to 1024",
	                   "passed over SENNIT_BACKEND=poll is not epoll"));
	assert_int_equal(sennit_runtime_destroy(runtime), 0);
}

static void what_a_runtime_goes_by_is_printed_before_and_after_start(void **state)
{
	struct sennit_runtime_options options = { .size = sizeof options,
		                                  .workers = 1,
		                                  .pin = SENNIT_PIN_CORES,
		                                  .backend = SENNIT_BACKEND_EPOLL,
		                                  .spin_ns = 77,
		                                  .stack_size = 1u << 20 };
	struct sennit_runtime *runtime;
	cpu_set_t saved;
	char place[64];
	char *text;

	(void)state;
	take_one_cpu(&saved); /* so that it is known which */
	assert_int_equal(sennit_runtime_create(NULL, &runtime), 0);
	assert_settings(
	    runtime, LINES("workers     as many as there are places, once started (default)",
	                   "pin         cores (default)", "backend     epoll (default)",
	                   "spin        0 ns (default)"));
	assert_int_equal(sennit_runtime_destroy(runtime), 0);

	assert_int_equal(sennit_runtime_create(&options, &runtime), 0);
	assert_settings(runtime, LINES("workers     1 once started (program)",
	                               "pin         cores (program)", "backend     epoll (program)",
	                               "spin        77 ns (program)",
	                               "stack size  1048576 bytes (program)"));
	assert_int_equal(sennit_runtime_start(runtime), 0);
	snprintf(place, sizeof place, "sennit/0    CPU %zu", first_cpu());
	text = settings_of(runtime);
	assert_line(text, "workers     1 (program)");
	assert_non_null(strstr(text, place));
	assert_non_null(strstr(text, "\ncpus        "));
	assert_non_null(strstr(text, "\nquota       "));
	free(text);
	assert_int_equal(sennit_runtime_destroy(runtime), 0);
	give_back_cpus(&saved);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_listed_worker_sits_on_its_cpu),
		TEST(a_worker_whose_cpu_the_system_refuses_runs_unbound_and_that_is_said),
		TEST(whatever_the_reason_of_the_refusal_is),
		ENVIRONMENT_TEST(a_workers_stack_is_as_large_as_asked_for_in_whole_pages),
		TEST(a_stack_that_the_system_cannot_give_fails_the_start),
		TEST(hooks_are_called_around_all_handlers_on_each_workers_thread),
		TEST(where_start_fails_what_was_started_is_stopped),
		TEST(a_driven_runtime_calls_no_hooks),
		ENVIRONMENT_TEST(the_environment_decides_what_the_program_does_not),
		ENVIRONMENT_TEST(a_driven_runtime_has_one_worker_whatever_the_environment_says),
		ENVIRONMENT_TEST(a_variable_that_cannot_be_used_is_said_and_printed),
		TEST(what_a_runtime_goes_by_is_printed_before_and_after_start),
	};

	clear_environment();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
