/* SPDX-License-Identifier: MIT */
/* executor.c - post and dispatch. Checked by tests/unit/executor.c, tests/stress/post.c,
 * tests/model/started.c
 */
#include <sennit/executor.h>

#include "runtime/sched/idle.h"
#include "runtime/sched/runtime.h"

static void check_task(struct sennit_executor *executor, struct sennit_task *task,
		       sennit_function *function, const char *call)
{
	if (SENNIT__UNLIKELY(!executor || !executor->runtime_))
		sennit__misuse(call, "the executor is not one of a runtime");
	if (SENNIT__UNLIKELY(!task || !function))
		sennit__misuse(call, "the task or its function is NULL");
	if (SENNIT__UNLIKELY(task->state_))
		sennit__misuse(call, "the task is posted already and has not run yet");
}

static void inject(struct sennit_runtime *runtime, struct sennit_task *task)
{
	struct sennit__worker *worker = sennit__runtime_next(runtime);

	sennit__fork_check(runtime, "sennit_post");
	if (sennit__inbox_push(&worker->inject, task))
		sennit__misuse("sennit_post", "an inject list was parked"); /* cannot be */
	sennit__idle_wake(worker);
}

void sennit__submit(struct sennit_executor *executor, struct sennit_task *task)
{
	sennit__submit_stay(executor, task);
}

void sennit__submit_stay(struct sennit_executor *executor, struct sennit_task *task)
{
	struct sennit__worker *current = sennit__current;

	task->class_ = SENNIT__HANDLER;
	if (executor->kind_ == SENNIT__EXECUTOR_WORKER) {
		struct sennit__worker *worker = sennit__worker_of(executor);

		if (worker != current) {
			sennit__worker_send(worker, task);
			return;
		}
		sennit__worker_catch_up(worker, "sennit_post");
		sennit__worker_begin(worker);
		sennit__worker_queue(worker, task);
	} else if (current && current->executor.runtime_ == executor->runtime_) {
		sennit__worker_begin(current);
		sennit__queue_push(&current->shared, task);
	} else {
		inject(executor->runtime_, task);
	}
}

void sennit_post(struct sennit_executor *executor, struct sennit_task *task,
		 sennit_function *function)
{
	check_task(executor, task, function, "sennit_post");
	task->function_ = function;
	task->state_ = 1;
	sennit__submit(executor, task);
}

/* The worker that the thread is inside of, where `executor` runs functions on it. */
static struct sennit__worker *running(const struct sennit_executor *executor)
{
	struct sennit__worker *current = sennit__current;

	if (!current)
		return NULL;
	if (executor->kind_ == SENNIT__EXECUTOR_WORKER)
		return executor == &current->executor ? current : NULL;
	return executor->runtime_ == current->executor.runtime_ ? current : NULL;
}

void sennit_dispatch(struct sennit_executor *executor, struct sennit_task *task,
		     sennit_function *function)
{
	struct sennit__worker *worker;

	check_task(executor, task, function, "sennit_dispatch");
	worker = running(executor);
	if (worker && worker->nested < SENNIT__NESTED_MAX) {
		worker->nested++;
		function(task, worker->shutdown);
		worker->nested--;
		return;
	}
	task->function_ = function;
	task->state_ = 1;
	sennit__submit(executor, task);
}

bool sennit_executor_runs_here(const struct sennit_executor *executor)
{
	return running(executor) != NULL;
}
