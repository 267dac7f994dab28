/* SPDX-License-Identifier: MIT */
/* runtime.c - create, start, the run forms, join, destroy. The protocol is in runtime.h.
 * Checked by tests/model/started.c, tests/model/driven.c, tests/model/destroy.c,
 * tests/unit/runtime.c, tests/stress/destroy.c
 */
#include "runtime/sched/runtime.h"

#include "runtime/sched/driver.h"
#include "runtime/sched/idle.h"
#include "runtime/sched/steal.h"
#include "runtime/sched/strand.h"
#include "runtime/sched/work.h"

#include <errno.h>
#include <sched.h>
#include <sennit/error.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void sennit__log(const struct sennit_runtime *runtime, enum sennit_log_level level,
		 const char *format, ...)
{
	char line[256];
	va_list arguments;

	if (!runtime->settings.options.log)
		return;
	va_start(arguments, format);
	vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	runtime->settings.options.log(runtime->settings.options.log_user, level, line);
}

/* --- create and destroy ----------------------------------------------------------------------- */

/* Reads the options and the environment, and says what was wrong with that. */
static int settle(struct sennit_runtime *runtime, const struct sennit_runtime_options *options)
{
	int error = sennit__settings_init(&runtime->settings, options, secure_getenv);

	for (unsigned i = 0; !error && i < SENNIT__VARIABLES; i++)
		if (*runtime->settings.refused[i])
			sennit__log(runtime, SENNIT_LOG_WARNING, "%s",
				    runtime->settings.refused[i]);
	return error;
}

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* A page that a forked child finds wiped. */
static int watch_for_fork(struct sennit_runtime *runtime)
{
	size_t size = page_size();
	void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return -ENOMEM;
	madvise(page, size, MADV_WIPEONFORK); /* Linux 4.14; before, nothing is noticed */
	runtime->alive = page;
	*runtime->alive = 1;
	return 0;
}

/* A worker and what the driver keeps for it lie in pages of their own, so that the system can be
 * told on which memory node. */
static size_t block_size(size_t page)
{
	size_t size = sizeof(struct sennit__worker) + sennit__driver.size;

	return (size + page - 1) / page * page;
}

/* Has the system keep a worker's pages on its node. It is advice. */
static void settle_memory(struct sennit_runtime *runtime, unsigned index, void *pages)
{
	int error = sennit__plan_settle(&runtime->plan, index, pages, block_size(page_size()));

	if (error)
		sennit__log(runtime, SENNIT_LOG_INFO,
			    "the memory of sennit/%u stays where it is: %s", index,
			    sennit_strerror(error));
}

void sennit__runtime_settle(struct sennit__worker *worker, void *pages, size_t size, bool keep)
{
	struct sennit_runtime *runtime = worker->executor.runtime_;

	if (sennit__worker_count(runtime) < 2) /* so there is no plan yet, or nothing to gain */
		return;
	if (keep)
		sennit__plan_settle(&runtime->plan, worker->index, pages, size);
	else
		sennit__plan_unsettle(&runtime->plan, pages, size);
}

/* For how long each of so many workers may look for work before it sleeps: not at all where they
 * would keep each other from the processors. */
static uint64_t spin_time(const struct sennit_runtime *runtime, unsigned workers)
{
	cpu_set_t mask;

	if (sched_getaffinity(0, sizeof mask, &mask)) /* it cannot hold all that there are */
		return runtime->settings.options.spin_ns;
	return (unsigned)CPU_COUNT(&mask) < workers ? 0 : runtime->settings.options.spin_ns;
}

/* One more worker, which nobody is told of yet. */
static int prepare_worker(struct sennit_runtime *runtime)
{
	unsigned index = runtime->prepared;
	size_t page = page_size();
	struct sennit__worker *worker = aligned_alloc(page, block_size(page));
	int error;

	if (!worker)
		return -ENOMEM;
	settle_memory(runtime, index, worker);
	error = sennit__worker_init(worker, runtime, index);
	if (error) {
		sennit__plan_unsettle(&runtime->plan, worker, block_size(page_size()));
		free(worker);
		return error;
	}
	runtime->worker[index] = worker;
	runtime->prepared++;
	return 0;
}

/* At least `wanted` workers, who know whether there are several. Before any thread is inside. */
static int prepare_workers(struct sennit_runtime *runtime, unsigned wanted)
{
	int error = 0;

	while (!error && runtime->prepared < wanted)
		error = prepare_worker(runtime);
	for (unsigned i = 0; i < runtime->prepared; i++) {
		runtime->worker[i]->several = runtime->prepared > 1;
		runtime->worker[i]->spin_ns = spin_time(runtime, runtime->prepared);
	}
	return error;
}

/* Frees all workers but the first `kept`. */
static void drop_workers(struct sennit_runtime *runtime, unsigned kept)
{
	while (runtime->prepared > kept) {
		struct sennit__worker *worker = runtime->worker[--runtime->prepared];

		sennit__worker_fini(worker);
		sennit__plan_unsettle(&runtime->plan, worker, block_size(page_size()));
		free(worker);
	}
	if (kept) {
		runtime->worker[0]->several = kept > 1;
		runtime->worker[0]->spin_ns = spin_time(runtime, kept);
	}
}

/* How many workers there are from the beginning. */
static unsigned workers_given(const struct sennit_runtime *runtime)
{
	return runtime->settings.options.workers ? runtime->settings.options.workers : 1;
}

static void release(struct sennit_runtime *runtime)
{
	drop_workers(runtime, 0);
	sennit__plan_fini(&runtime->plan);
	sennit__settings_fini(&runtime->settings);
	if (runtime->alive)
		munmap((void *)(uintptr_t)runtime->alive, page_size());
	free(runtime);
}

int sennit_runtime_create(const struct sennit_runtime_options *options,
			  struct sennit_runtime **result)
{
	struct sennit_runtime *runtime;
	int error;

	if (!result)
		sennit__misuse("sennit_runtime_create", "there is nowhere to put the runtime");
	runtime = aligned_alloc(64, sizeof *runtime);
	if (!runtime)
		return -ENOMEM;
	memset(runtime, 0, sizeof *runtime);
	runtime->executor.runtime_ = runtime;
	runtime->executor.kind_ = SENNIT__EXECUTOR_RUNTIME;
	error = settle(runtime, options);
	if (!error)
		error = watch_for_fork(runtime);
	if (!error)
		error = prepare_workers(runtime, workers_given(runtime));
	if (error) {
		release(runtime);
		return error;
	}
	runtime->created_ns = sennit__clock_now();
	/* relaxed: nobody knows the runtime yet */
	sennit__store_relaxed_u32(&runtime->worker_count, runtime->prepared);
	*result = runtime;
	return 0;
}

static void enter_to_destroy(struct sennit__worker *worker)
{
	if (!sennit__worker_enter(worker, SENNIT__RUNNING))
		sennit__misuse("sennit_runtime_destroy", "another thread is inside the runtime");
}

/* Each worker in turn ends what it has, again while one gives another something to do. The thread
 * is inside the first one. */
static void shut_down_each(struct sennit_runtime *runtime)
{
	bool again = true;

	while (again) {
		again = false;
		sennit__worker_shutdown(runtime->worker[0]);
		for (unsigned i = 1; i < runtime->prepared; i++) {
			enter_to_destroy(runtime->worker[i]);
			sennit__worker_shutdown(runtime->worker[i]);
			sennit__worker_leave(runtime->worker[i]);
		}
		for (unsigned i = 0; runtime->prepared > 1 && i < runtime->prepared; i++)
			again |= !sennit__inbox_vacant(&runtime->worker[i]->inbox) ||
				 !sennit__inbox_vacant(&runtime->worker[i]->inject);
	}
}

/* Nobody else drives the runtime: this thread ends what there is, worker by worker, until no work
 * is left. What another runtime must run first wakes the first worker. */
static void shut_down_here(struct sennit_runtime *runtime)
{
	enter_to_destroy(runtime->worker[0]);
	do
		shut_down_each(runtime);
	while (!sennit__worker_wait_for_end(runtime->worker[0]));
	sennit__worker_leave(runtime->worker[0]);
}

int sennit_runtime_destroy(struct sennit_runtime *runtime)
{
	unsigned count;

	if (!runtime)
		return 0;
	if (sennit__current)
		return -EDEADLK;
	sennit__fork_check(runtime, "sennit_runtime_destroy");
	count = sennit__worker_count(runtime);
	sennit__store_release_u32(&runtime->shutdown, 1); /* P1 */
	/* relaxed: who destroys comes after who started */
	if (sennit__load_relaxed_u32(&runtime->mode) == SENNIT__MODE_STARTED) {
		sennit__idle_wake_others(runtime, NULL);
		sennit__work_wait(runtime);
		sennit__threads_join(runtime, count);
	} else {
		shut_down_here(runtime);
	}
	while (!sennit__work_gone(runtime))
		sched_yield();
	release(runtime);
	return 0;
}

/* --- started ---------------------------------------------------------------------------------- */

static bool settle_mode(struct sennit_runtime *runtime, uint32_t mode)
{
	uint32_t found = SENNIT__MODE_NEW;

	/* relaxed: it tells nothing but itself; what the worker holds comes with its inside */
	return sennit__cas_relaxed_u32(&runtime->mode, &found, mode) || found == mode;
}

/* Where the workers sit and whom they steal from; kept where starting them fails. */
static int plan_workers(struct sennit_runtime *runtime)
{
	const struct sennit_runtime_options *options = &runtime->settings.options;
	const struct sennit__wish wish = {.workers = runtime->settings.workers,
					  .pin = options->pin,
					  .cpus = options->cpus,
					  .cpus_count = options->cpus_count};
	int error;

	if (runtime->plan.count)
		return 0;
	error = sennit__plan_init(&runtime->plan, &wish);
	if (error)
		sennit__plan_fini(&runtime->plan);
	return error;
}

/* Visitors look at who else there is: they are kept out of the workers that they know of, the given
 * ones, while others come or go. */
static void keep_visitors_out(struct sennit_runtime *runtime)
{
	for (unsigned i = 0; i < workers_given(runtime); i++)
		if (!sennit__worker_claim(runtime->worker[i], SENNIT__VISITED))
			sennit__misuse("sennit_runtime_start",
				       "another thread is inside the runtime");
}

static void let_visitors_in(struct sennit_runtime *runtime)
{
	for (unsigned i = 0; i < workers_given(runtime); i++)
		sennit__worker_vacate(runtime->worker[i]);
}

/* As many workers as there will be threads, who know whom to steal from. */
static int prepare_to_start(struct sennit_runtime *runtime, unsigned wanted)
{
	int error;

	for (unsigned i = 0; i < runtime->prepared; i++)
		settle_memory(runtime, i, runtime->worker[i]);
	error = prepare_workers(runtime, wanted);
	for (unsigned i = 0; !error && i < wanted; i++)
		runtime->worker[i]->victims = sennit__victims_of(&runtime->plan.victims, i);
	return error;
}

static int start_workers(struct sennit_runtime *runtime)
{
	int error = plan_workers(runtime);
	unsigned wanted = runtime->plan.count;

	if (error)
		return error;
	keep_visitors_out(runtime);
	error = prepare_to_start(runtime, wanted);
	let_visitors_in(runtime);
	if (!error)
		error = sennit__threads_start(runtime, wanted);
	if (error) {
		keep_visitors_out(runtime);
		drop_workers(runtime, workers_given(runtime));
		let_visitors_in(runtime);
	}
	return error;
}

int sennit_runtime_start(struct sennit_runtime *runtime)
{
	uint32_t found = SENNIT__MODE_NEW;
	int error;

	sennit__fork_check(runtime, "sennit_runtime_start");
	/* P3, kept: what a start that failed has planned, of which the models have nothing */
	if (!sennit__cas_acquire_u32(&runtime->mode, &found, SENNIT__MODE_STARTED))
		return -EBUSY;
	/* relaxed: that is of the run forms, and there will be none */
	sennit__store_relaxed_u32(&runtime->stopped, 0);
	sennit__work_get(runtime, SENNIT__GUARD);
	sennit__store_release_u32(&runtime->start_guard, 1); /* P5 */
	error = start_workers(runtime);
	if (error) {
		/* relaxed: what gives the guard back publishes it */
		sennit__store_relaxed_u32(&runtime->start_guard, 0);
		sennit__work_put(runtime);
		/* P3, kept: as above; what workers hold comes with their inside */
		sennit__store_release_u32(&runtime->mode, SENNIT__MODE_NEW);
	}
	return error;
}

int sennit_runtime_join(struct sennit_runtime *runtime)
{
	uint32_t held = 1;

	sennit__fork_check(runtime, "sennit_runtime_join");
	if (sennit__current)
		return -EDEADLK;
	/* relaxed: who joins comes after who started */
	if (sennit__load_relaxed_u32(&runtime->mode) != SENNIT__MODE_STARTED)
		return -EINVAL;
	/* relaxed: what gives the guard back publishes it */
	if (sennit__cas_relaxed_u32(&runtime->start_guard, &held, 0))
		sennit__work_put(runtime);
	sennit__work_wait(runtime);
	return 0;
}

/* --- driven ----------------------------------------------------------------------------------- */

/* Which worker of which runtime the thread was inside of last. Its address stands for the thread:
 * one worker of each runtime at most is marked with it, the one that it had there. */
static _Thread_local struct {
	const struct sennit_runtime *runtime;
	uint64_t created_ns;
	unsigned index;
} last;

/* The number of the worker that the calling thread had before; the first where it had none. */
static unsigned had_before(const struct sennit_runtime *runtime)
{
	if (last.runtime == runtime && last.created_ns == runtime->created_ns)
		return last.index;
	for (unsigned i = 0; i < runtime->prepared; i++)
		/* relaxed: it is equal only where this thread stored it, or one that ended */
		if (sennit__load_relaxed_ptr(&runtime->worker[i]->driver_thread) == &last)
			return i;
	return 0;
}

/* Enters the worker that the thread had before, or the first that no thread is inside. */
static struct sennit__worker *enter_some(struct sennit_runtime *runtime)
{
	unsigned index = had_before(runtime);
	bool entered = sennit__worker_enter(runtime->worker[index], SENNIT__RUNNING);

	for (unsigned i = 0; !entered && i < runtime->prepared; i++) {
		index = i;
		entered = sennit__worker_enter(runtime->worker[i], SENNIT__RUNNING);
	}
	if (!entered)
		return NULL;
	last.runtime = runtime;
	last.created_ns = runtime->created_ns;
	last.index = index;
	/* relaxed: see had_before */
	sennit__store_relaxed_ptr(&runtime->worker[index]->driver_thread, &last);
	return runtime->worker[index];
}

/* The worker that the calling thread may drive, entered; NULL where there is none. */
static struct sennit__worker *drive(struct sennit_runtime *runtime, const char *call)
{
	sennit__fork_check(runtime, call);
	if (sennit__runtime_inside(runtime))
		sennit__misuse(call, "called from inside a handler of the same runtime");
	if (!settle_mode(runtime, SENNIT__MODE_DRIVEN))
		return NULL;
	return enter_some(runtime);
}

static bool told_to_return(const struct sennit_runtime *runtime)
{
	/* relaxed: falling asleep fences before the run form returns (P1) */
	return sennit__load_relaxed_u32(&runtime->stopped) ||
	       sennit__load_relaxed_u32(&runtime->shutdown); /* relaxed: it ends a misuse */
}

/* Runs at most `most` handlers, until until_ns: SENNIT__NEVER, or 0 to wait for none at all. What
 * is ready when the time has come gets one more turn. */
static int64_t run(struct sennit_runtime *runtime, uint64_t most, uint64_t until_ns,
		   const char *call)
{
	struct sennit__worker *worker = drive(runtime, call);
	bool late = false;
	uint64_t ran = 0;

	if (!worker)
		return -EBUSY;
	while (!told_to_return(runtime)) {
		uint64_t left = most - ran;

		ran += sennit__worker_turn(worker, left < SENNIT__TURN ? left : SENNIT__TURN);
		if (ran == most || late)
			break;
		if (until_ns && !sennit__worker_busy(worker)) {
			sennit__worker_park_until(worker, until_ns);
		} else if (!sennit__worker_collect(worker) && !until_ns &&
			   !(worker->several && sennit__steal_search(worker))) {
			break; /* nothing is ready, nothing has come */
		}
		late = until_ns && worker->now_ns >= until_ns;
	}
	sennit__worker_retire(worker);
	sennit__worker_leave(worker);
	return (int64_t)ran;
}

int64_t sennit_runtime_run(struct sennit_runtime *runtime)
{
	return run(runtime, INT64_MAX, SENNIT__NEVER, "sennit_runtime_run");
}

int64_t sennit_runtime_run_one(struct sennit_runtime *runtime)
{
	return run(runtime, 1, SENNIT__NEVER, "sennit_runtime_run_one");
}

/* What run takes for a time: 0 would be none. */
static uint64_t until(uint64_t deadline_ns)
{
	return deadline_ns ? deadline_ns : 1;
}

int64_t sennit_runtime_run_until(struct sennit_runtime *runtime, uint64_t deadline_ns)
{
	return run(runtime, INT64_MAX, until(deadline_ns), "sennit_runtime_run_until");
}

int64_t sennit_runtime_run_for(struct sennit_runtime *runtime, uint64_t duration_ns)
{
	uint64_t deadline_ns = sennit__clock_add(sennit__clock_now(), duration_ns);

	return run(runtime, INT64_MAX, deadline_ns, "sennit_runtime_run_for");
}

int64_t sennit_runtime_run_one_until(struct sennit_runtime *runtime, uint64_t deadline_ns)
{
	return run(runtime, 1, until(deadline_ns), "sennit_runtime_run_one_until");
}

int64_t sennit_runtime_run_one_for(struct sennit_runtime *runtime, uint64_t duration_ns)
{
	uint64_t deadline_ns = sennit__clock_add(sennit__clock_now(), duration_ns);

	return run(runtime, 1, deadline_ns, "sennit_runtime_run_one_for");
}

int64_t sennit_runtime_poll(struct sennit_runtime *runtime)
{
	return run(runtime, INT64_MAX, 0, "sennit_runtime_poll");
}

int64_t sennit_runtime_poll_one(struct sennit_runtime *runtime)
{
	return run(runtime, 1, 0, "sennit_runtime_poll_one");
}

/* --- embedded --------------------------------------------------------------------------------- */

/* Turns of one prepare: a handler that always posts itself again does not keep the loop from its
 * other business. */
#define PREPARE_TURNS 16

int64_t sennit_runtime_prepare(struct sennit_runtime *runtime)
{
	struct sennit__worker *worker = drive(runtime, "sennit_runtime_prepare");
	int64_t idle_ns;

	if (!worker)
		return -EBUSY;
	for (unsigned i = 0; i < PREPARE_TURNS && !told_to_return(runtime); i++) {
		sennit__worker_turn(worker, SENNIT__TURN);
		if (!sennit__worker_collect(worker) &&
		    !(worker->several && sennit__steal_search(worker)))
			break;
	}
	sennit__worker_retire(worker);
	idle_ns = sennit__worker_idle_ns(worker);
	sennit__worker_leave(worker);
	return idle_ns;
}

int sennit_runtime_fd(struct sennit_runtime *runtime)
{
	sennit__fork_check(runtime, "sennit_runtime_fd");
	return runtime->worker[had_before(runtime)]->pollable_fd;
}

/* --- stop ------------------------------------------------------------------------------------- */

void sennit_runtime_stop(struct sennit_runtime *runtime)
{
	sennit__fork_check(runtime, "sennit_runtime_stop");
	/* relaxed: only to notice misuse */
	if (sennit__load_relaxed_u32(&runtime->mode) == SENNIT__MODE_STARTED)
		sennit__misuse("sennit_runtime_stop", "the runtime was started: join it");
	sennit__store_release_u32(&runtime->stopped, 1); /* P1 */
	sennit__idle_wake_others(runtime, NULL);
}

bool sennit_runtime_stopped(const struct sennit_runtime *runtime)
{
	return sennit__load_acquire_u32(&runtime->stopped); /* P1 */
}

void sennit_runtime_restart(struct sennit_runtime *runtime)
{
	sennit__store_release_u32(&runtime->stopped, 0); /* P1 */
}

/* --- guards, executors ------------------------------------------------------------------------ */

void sennit_runtime_guard_get(struct sennit_runtime *runtime)
{
	sennit__work_get(runtime, SENNIT__GUARD);
}

void sennit_runtime_guard_put(struct sennit_runtime *runtime)
{
	uint32_t before = sennit__load_acquire_u32(&runtime->start_guard); /* P5 */
	uint64_t guards = sennit__work_guards(runtime);
	/* start's own is among them where it was held before and after */
	/* relaxed: where the guards that were read tell of its return, so does this (work.P2) */
	uint32_t starts = before & sennit__load_relaxed_u32(&runtime->start_guard);

	if (guards <= starts)
		sennit__misuse("sennit_runtime_guard_put", "more guards given back than taken");
	sennit__work_put(runtime);
}

struct sennit_executor *sennit_runtime_executor(struct sennit_runtime *runtime)
{
	return &runtime->executor;
}

struct sennit_executor *sennit_runtime_worker(struct sennit_runtime *runtime, unsigned worker)
{
	if (worker >= sennit__worker_count(runtime))
		sennit__misuse("sennit_runtime_worker", "there is no worker of that number");
	return &runtime->worker[worker]->executor;
}

struct sennit_executor *sennit_runtime_next_worker(struct sennit_runtime *runtime)
{
	return &sennit__runtime_next(runtime)->executor;
}

unsigned sennit_runtime_workers(const struct sennit_runtime *runtime)
{
	return sennit__worker_count(runtime);
}

struct sennit_runtime *sennit_runtime_current(void)
{
	return sennit__current ? sennit__current->executor.runtime_ : NULL;
}

struct sennit__worker *sennit__runtime_next(struct sennit_runtime *runtime)
{
	unsigned count = sennit__worker_count(runtime);
	uint32_t turn;

	if (count == 1)
		return runtime->worker[0];
	/* relaxed: any fair sequence will do */
	turn = sennit__fetch_add_relaxed_u32(&runtime->turn, 1);
	for (unsigned i = 0; i < count; i++) {
		struct sennit__worker *worker = runtime->worker[(turn + i) % count];

		/* relaxed: it may change at any time; who leaves tells others what he leaves */
		if (sennit__load_relaxed_u32(&worker->inside) == SENNIT__RUNNING)
			return worker;
	}
	return runtime->worker[0];
}

struct sennit__worker *sennit__runtime_place(struct sennit_executor *executor)
{
	if (executor->kind_ == SENNIT__EXECUTOR_STRAND)
		executor = sennit__strand_of(executor)->base_;
	if (executor->kind_ == SENNIT__EXECUTOR_WORKER)
		return sennit__worker_of(executor);
	if (sennit__current && sennit__current->executor.runtime_ == executor->runtime_)
		return sennit__current;
	return sennit__runtime_next(executor->runtime_);
}

bool sennit__runtime_inside(const struct sennit_runtime *runtime)
{
	for (struct sennit__worker *w = sennit__current; w; w = w->outer)
		if (w->executor.runtime_ == runtime)
			return true;
	return false;
}
