/* SPDX-License-Identifier: MIT */
/* executor.c - post, defer and dispatch. Checked by tests/unit/executor.c, tests/unit/defer.c,
 * tests/stress/post.c, tests/model/started.c
 */
#include <sennit/executor.h>

#include "runtime/sched/idle.h"
#include "runtime/sched/runtime.h"
#include "runtime/sched/steal.h"
#include "runtime/sched/strand.h"

/* What is wrong with a post or dispatch. No frame is made for it where nothing is. */
static __attribute__((noinline, cold)) void report(const struct sennit_executor *executor,
						   const struct sennit_task *task,
						   sennit_function *function, const char *call)
{
	if (!task || !function)
		sennit__misuse(call, "the task or its function is NULL");
	if (task->state_)
		sennit__misuse(call, "the task is posted already and has not run yet");
	if (executor && executor->kind_ == SENNIT__EXECUTOR_INLINE)
		sennit__misuse(call, "the inline executor takes operations and dispatch only");
	sennit__misuse(call, "the executor is not one of a runtime");
}

/* Whether that is a task and an executor to give it to. */
static inline bool is_sound(const struct sennit_executor *executor, const struct sennit_task *task,
			    sennit_function *function)
{
	return SENNIT__LIKELY(task && function && !task->state_ && executor && executor->runtime_);
}

static __attribute__((noinline)) void inject(struct sennit_runtime *runtime,
					     struct sennit_task *task)
{
	struct sennit__worker *worker = sennit__runtime_next(runtime);

	sennit__fork_check(runtime, "sennit_post");
	sennit__steal_inject(worker, task);
	sennit__idle_offer_all(worker);
}

/* To the own worker. */
static inline void queue_here(struct sennit__worker *worker, struct sennit_task *task)
{
	SENNIT__TALLY(worker, posts_local, 1);
	sennit__worker_begin(worker);
	sennit__worker_queue(worker, task);
}

/* To a worker; to the own one behind what was sent before. */
static __attribute__((noinline)) void hand_over(struct sennit__worker *worker,
						struct sennit_task *task)
{
	if (worker != sennit__current) {
		sennit__worker_send(worker, task);
		return;
	}
	sennit__worker_catch_up(worker, "sennit_post");
	queue_here(worker, task);
}

/* To all of several. */
static __attribute__((noinline)) void share(struct sennit__worker *worker,
					    struct sennit_task *task, bool stay)
{
	SENNIT__TALLY(worker, posts_local, 1);
	sennit__worker_begin(worker);
	sennit__worker_keep(worker, task);
	if (!stay)
		sennit__idle_offer(worker);
}

static inline void submit_to_any(struct sennit_runtime *runtime, struct sennit_task *task,
				 bool stay)
{
	struct sennit__worker *current = sennit__current;

	if (SENNIT__UNLIKELY(!current || current->executor.runtime_ != runtime))
		inject(runtime, task);
	else if (current->several)
		share(current, task, stay);
	else
		queue_here(current, task);
}

static inline void submit(struct sennit_executor *executor, struct sennit_task *task, bool stay)
{
	task->class_ = SENNIT__HANDLER;
	if (executor->kind_ == SENNIT__EXECUTOR_RUNTIME)
		submit_to_any(executor->runtime_, task, stay);
	else if (executor->kind_ == SENNIT__EXECUTOR_STRAND)
		sennit__strand_submit(sennit__strand_of(executor), task);
	else
		hand_over(sennit__worker_of(executor), task);
}

void sennit__submit(struct sennit_executor *executor, struct sennit_task *task)
{
	submit(executor, task, false);
}

void sennit__submit_stay(struct sennit_executor *executor, struct sennit_task *task)
{
	submit(executor, task, true);
}

/* Whether the thread is inside of the worker whose executor this is: a look at the address, which
 * tells that it is one at all. */
static inline bool is_own(const struct sennit_executor *executor,
			  const struct sennit__worker *current)
{
	return (uintptr_t)executor ==
	       (uintptr_t)current + offsetof(struct sennit__worker, executor);
}

static inline void prepare(struct sennit_task *task, sennit_function *function)
{
	task->function_ = function;
	task->class_ = SENNIT__HANDLER;
	task->state_ = 1;
}

void sennit_post(struct sennit_executor *executor, struct sennit_task *task,
		 sennit_function *function)
{
	struct sennit__worker *worker = sennit__current;
	bool here = is_own(executor, worker) && !sennit__worker_behind(worker);

	if (SENNIT__LIKELY(here && task && function && !task->state_)) {
		prepare(task, function);
		queue_here(worker, task);
	} else if (is_sound(executor, task, function)) {
		prepare(task, function);
		submit(executor, task, false);
	} else {
		report(executor, task, function, "sennit_post");
	}
}

/* --- defer ------------------------------------------------------------------------------------ */

/* Runs a row of continuations, each named by the one before. Its unit is that of all of them, and
 * what run counts are they. Where the turn ends within it the next one begins with what is left. */
static void run_row(struct sennit_task *row, int error)
{
	struct sennit__worker *worker = sennit__current;
	const struct sennit_runtime *runtime = worker->executor.runtime_;

	(void)error;
	worker->budget++;
	do {
		struct sennit_task *task = worker->deferred;

		worker->deferred = NULL;
		worker->row_length++;
		worker->budget--;
		task->state_ = 0;
		task->function_(task, worker->shutdown);
		sennit__fork_check(runtime, SENNIT__FORKED);
	} while (worker->deferred && worker->budget &&
		 /* relaxed: falling asleep fences before the run form returns */
		 !sennit__load_relaxed_u32(&runtime->stopped));
	if (!worker->deferred) {
		worker->row_length = 0;
		return;
	}
	sennit__worker_begin(worker);
	sennit__worker_queue_first(worker, row);
}

/* Whether the worker that the thread is inside of is to run the task next, and has noted it. */
static inline bool name_next(const struct sennit_executor *executor, struct sennit_task *task)
{
	struct sennit__worker *worker = sennit__current;

	if (!worker || (executor != &worker->executor && executor != worker->everywhere) ||
	    worker->deferred || worker->row_length == SENNIT__DEFERRED_MAX || worker->behind)
		return false;
	worker->deferred = task;
	if (!worker->row_length) { /* the first of a row */
		worker->row.function_ = run_row;
		sennit__worker_begin(worker);
		sennit__worker_queue_first(worker, &worker->row);
	}
	return true;
}

void sennit_defer(struct sennit_executor *executor, struct sennit_task *task,
		  sennit_function *function)
{
	if (!is_sound(executor, task, function)) {
		report(executor, task, function, "sennit_defer");
		return;
	}
	task->function_ = function;
	task->state_ = 1;
	if (!name_next(executor, task))
		submit(executor, task, true);
}

/* --- dispatch --------------------------------------------------------------------------------- */

static struct sennit_executor inline_executor = {.kind_ = SENNIT__EXECUTOR_INLINE};

struct sennit_executor *sennit_inline_executor(void)
{
	return &inline_executor;
}

/* Whether the thread, inside `worker`, is where `executor` runs functions. */
static inline bool runs_on(const struct sennit_executor *executor,
			   const struct sennit__worker *worker)
{
	if (executor->kind_ == SENNIT__EXECUTOR_WORKER)
		return executor == &worker->executor;
	if (executor->kind_ == SENNIT__EXECUTOR_RUNTIME)
		return executor->runtime_ == worker->executor.runtime_;
	return sennit__strand_inside(sennit__strand_of(executor), worker);
}

/* Runs the function at once where that is possible; nests at most 16 deep. */
static bool run_here(struct sennit_executor *executor, struct sennit__worker *worker,
		     struct sennit_task *task, sennit_function *function)
{
	if (worker->nested >= SENNIT__NESTED_MAX)
		return false;
	if (runs_on(executor, worker)) {
		worker->nested++;
		function(task, worker->shutdown);
		worker->nested--;
		return true;
	}
	return executor->kind_ == SENNIT__EXECUTOR_STRAND &&
	       sennit__strand_dispatch(sennit__strand_of(executor), worker, task, function);
}

void sennit_dispatch(struct sennit_executor *executor, struct sennit_task *task,
		     sennit_function *function)
{
	struct sennit__worker *worker = sennit__current;

	if (executor == &inline_executor) { /* what it stands for is the calling thread */
		if (!worker && task && function && !task->state_) {
			function(task, 0);
			return;
		}
		executor = worker ? &worker->executor : NULL;
	}
	if (!is_sound(executor, task, function)) {
		report(executor, task, function, "sennit_dispatch");
		return;
	}
	if (worker && run_here(executor, worker, task, function))
		return;
	task->function_ = function;
	task->state_ = 1;
	submit(executor, task, false);
}

bool sennit_executor_runs_here(const struct sennit_executor *executor)
{
	const struct sennit__worker *current = sennit__current;

	return executor == &inline_executor || (current && runs_on(executor, current));
}
