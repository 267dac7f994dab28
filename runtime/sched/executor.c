/* SPDX-License-Identifier: MIT */
/* executor.c - post and dispatch. Checked by tests/unit/executor.c, tests/stress/post.c,
 * tests/model/started.c
 */
#include <sennit/executor.h>

#include "runtime/sched/idle.h"
#include "runtime/sched/runtime.h"
#include "runtime/sched/strand.h"

/* What is wrong with a post or dispatch. No frame is made for it where nothing is. */
static __attribute__((noinline, cold)) void report(const struct sennit_executor *executor,
						   const struct sennit_task *task,
						   sennit_function *function, const char *call)
{
	if (!executor || !executor->runtime_)
		sennit__misuse(call, "the executor is not one of a runtime");
	if (!task || !function)
		sennit__misuse(call, "the task or its function is NULL");
	sennit__misuse(call, "the task is posted already and has not run yet");
}

/* Whether that is a task and an executor to give it to. */
static inline bool is_sound(const struct sennit_executor *executor, const struct sennit_task *task,
			    sennit_function *function)
{
	return SENNIT__LIKELY(executor && executor->runtime_ && task && function && !task->state_);
}

static __attribute__((noinline)) void inject(struct sennit_runtime *runtime,
					     struct sennit_task *task)
{
	struct sennit__worker *worker = sennit__runtime_next(runtime);

	sennit__fork_check(runtime, "sennit_post");
	if (sennit__inbox_push(&worker->inject, task))
		sennit__misuse("sennit_post", "an inject list was parked"); /* cannot be */
	sennit__idle_wake(worker);
}

/* To another worker, or to the own one behind what was sent before. */
static __attribute__((noinline)) void hand_over(struct sennit__worker *worker,
						struct sennit_task *task)
{
	if (worker != sennit__current) {
		sennit__worker_send(worker, task);
		return;
	}
	sennit__worker_catch_up(worker, "sennit_post");
	sennit__worker_begin(worker);
	sennit__worker_queue(worker, task);
}

static inline void submit_to_worker(struct sennit__worker *worker, struct sennit_task *task)
{
	if (SENNIT__UNLIKELY(worker != sennit__current || sennit__worker_behind(worker))) {
		hand_over(worker, task);
		return;
	}
	sennit__worker_begin(worker);
	sennit__worker_queue(worker, task);
}

static inline void submit_to_any(struct sennit_runtime *runtime, struct sennit_task *task)
{
	struct sennit__worker *current = sennit__current;

	if (SENNIT__UNLIKELY(!current || current->executor.runtime_ != runtime)) {
		inject(runtime, task);
		return;
	}
	sennit__worker_begin(current);
	sennit__queue_push(&current->shared, task);
}

static inline void submit(struct sennit_executor *executor, struct sennit_task *task)
{
	task->class_ = SENNIT__HANDLER;
	if (executor->kind_ == SENNIT__EXECUTOR_WORKER)
		submit_to_worker(sennit__worker_of(executor), task);
	else if (executor->kind_ == SENNIT__EXECUTOR_RUNTIME)
		submit_to_any(executor->runtime_, task);
	else
		sennit__strand_submit(sennit__strand_of(executor), task);
}

void sennit__submit(struct sennit_executor *executor, struct sennit_task *task)
{
	submit(executor, task);
}

void sennit_post(struct sennit_executor *executor, struct sennit_task *task,
		 sennit_function *function)
{
	if (!is_sound(executor, task, function)) {
		report(executor, task, function, "sennit_post");
		return;
	}
	task->function_ = function;
	task->state_ = 1;
	submit(executor, task);
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

void sennit_dispatch(struct sennit_executor *executor, struct sennit_task *task,
		     sennit_function *function)
{
	struct sennit__worker *worker = sennit__current;

	if (!is_sound(executor, task, function)) {
		report(executor, task, function, "sennit_dispatch");
		return;
	}
	if (worker && worker->nested < SENNIT__NESTED_MAX) {
		if (runs_on(executor, worker)) {
			worker->nested++;
			function(task, worker->shutdown);
			worker->nested--;
			return;
		}
		if (executor->kind_ == SENNIT__EXECUTOR_STRAND &&
		    sennit__strand_dispatch(sennit__strand_of(executor), worker, task, function))
			return;
	}
	task->function_ = function;
	task->state_ = 1;
	sennit__submit(executor, task);
}

bool sennit_executor_runs_here(const struct sennit_executor *executor)
{
	const struct sennit__worker *current = sennit__current;

	return current && runs_on(executor, current);
}
