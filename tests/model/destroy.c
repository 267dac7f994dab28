/* SPDX-License-Identifier: MIT */
/* destroy.c - the end of runtimes: every handler exactly once, nothing touched afterwards, nothing
 * left over.
 */
#include "io/object.h"
#include "runtime/sched/work.h"
#include "tests/model/explorer/explorer.h"
#include "tests/model/support/model_driver.h"

#include <sennit/error.h>

#define JOBS_MAX 4

struct world {
	struct sennit_runtime *runtime;
	struct job {
		struct sennit_task task;
		struct sennit_executor *to; /* where the next job is posted by this one's handler */
		int given;                  /* the poster writes it */
		int ended;                  /* the handler does */
	} jobs[JOBS_MAX];
	int reason; /* written before destroy is called */
	struct sennit_runtime *abroad;
	struct sennit__slot slot;
	struct sennit_op op;
	struct sennit_task start; /* of the operation: a message */
	int handled;
};

/* All that op.c wants of the rest of io/: no operation is queued here, and none is cancelled. */
void sennit__object_end(struct sennit__slot *slot, struct sennit_op *op, int types, int error)
{
	(void)slot, (void)op, (void)types, (void)error;
	model_assert(!"an operation is ended");
}

struct sennit_op *sennit_op_next(const struct sennit_op *op)
{
	(void)op;
	return NULL;
}

static void on_run(struct sennit_task *task, int error)
{
	struct job *job = (struct job *)(void *)task;

	model_assert((!error || error == SENNIT_SHUTDOWN) && job->given && !job->ended);
	job->given = 0;
	job->ended = 1;
	if (!job->to)
		return;
	job[1].given = 1;
	sennit_post(job->to, &job[1].task, on_run);
}

static void post(struct job *job, struct sennit_executor *executor)
{
	job->given = 1;
	sennit_post(executor, &job->task, on_run);
}

static void check_end(const struct world *w)
{
	for (const struct job *job = w->jobs; job < w->jobs + JOBS_MAX; job++)
		model_assert(!job->given);
}

static void destroy(struct world *w)
{
	model_assert(sennit_runtime_destroy(w->runtime) == 0);
	check_end(w);
	model_assert(model_blocks() == 1);
}

static struct world *make(unsigned workers)
{
	struct world *w = model_new(sizeof *w);

	w->runtime = model_runtime(workers);
	return w;
}

/* --- started ---------------------------------------------------------------------------------- */

static void what_was_posted_before(void)
{
	struct world *w = make(1);

	sennit_runtime_start(w->runtime);
	post(w->jobs, sennit_runtime_worker(w->runtime, 0));
	destroy(w);
	model_assert(w->jobs[0].ended);
}

static void what_a_handler_posts_meanwhile(void)
{
	struct world *w = make(1);

	sennit_runtime_start(w->runtime);
	w->jobs[0].to = sennit_runtime_worker(w->runtime, 0);
	post(w->jobs, sennit_runtime_executor(w->runtime));
	destroy(w);
	model_assert(w->jobs[0].ended && w->jobs[1].ended);
}

static void what_one_worker_posts_to_the_other(void)
{
	struct world *w = make(2);

	sennit_runtime_start(w->runtime);
	w->jobs[0].to = sennit_runtime_worker(w->runtime, 0);
	post(w->jobs, sennit_runtime_worker(w->runtime, 1));
	destroy(w);
	model_assert(w->jobs[0].ended && w->jobs[1].ended);
}

static void on_flight_end(struct sennit_task *task, int error)
{
	struct job *job = (struct job *)(void *)task;

	model_assert(error == SENNIT_SHUTDOWN && job->given);
	job->given = 0;
	job->ended = 1;
}

static void on_start_flight(struct sennit_task *task, int error)
{
	struct job *job = (struct job *)(void *)task;

	on_run(task, error);
	job[1].given = 1;
	if (error)
		sennit_post(&sennit__current->executor, &job[1].task, on_flight_end);
	else
		model_driver_start(sennit__current, &job[1].task, on_flight_end);
}

static void an_operation_in_flight(void)
{
	struct world *w = make(1);

	sennit_runtime_start(w->runtime);
	w->jobs[0].given = 1;
	sennit_post(sennit_runtime_worker(w->runtime, 0), &w->jobs[0].task, on_start_flight);
	destroy(w);
	model_assert(w->jobs[0].ended && w->jobs[1].ended);
}

static void an_operation_on_the_second_worker(void)
{
	struct world *w = make(2);

	sennit_runtime_start(w->runtime);
	w->jobs[0].given = 1;
	sennit_post(sennit_runtime_worker(w->runtime, 1), &w->jobs[0].task, on_start_flight);
	destroy(w);
	model_assert(w->jobs[0].ended && w->jobs[1].ended);
}

static void put_guard(void *argument)
{
	struct world *w = argument;

	w->jobs[0].ended = 1;
	sennit_runtime_guard_put(w->runtime);
}

/* Who gives back the last guard may still be about to leave when join returns. */
static void join_then_destroy_under_a_guard(void)
{
	struct world *w = make(1);

	sennit_runtime_guard_get(w->runtime);
	sennit_runtime_start(w->runtime);
	model_thread(put_guard, w);
	model_assert(sennit_runtime_join(w->runtime) == 0);
	model_assert(w->jobs[0].ended);
	destroy(w);
}

static void on_reason(struct sennit_task *task, int error)
{
	struct world *w = (struct world *)(void *)((char *)task - offsetof(struct world, jobs));

	if (error)
		model_assert(w->reason);
	on_run(task, error);
}

static void handlers_know_what_was_before(void)
{
	struct world *w = make(1);

	sennit_runtime_start(w->runtime);
	w->jobs[0].given = 1;
	sennit_post(sennit_runtime_worker(w->runtime, 0), &w->jobs[0].task, on_reason);
	w->reason = 1;
	destroy(w);
}

/* --- driven ----------------------------------------------------------------------------------- */

static void run_then_destroy_under_a_guard(void)
{
	struct world *w = make(1);

	sennit_runtime_guard_get(w->runtime);
	model_thread(put_guard, w);
	model_assert(sennit_runtime_run(w->runtime) == 0);
	model_assert(w->jobs[0].ended);
	destroy(w);
}

static void post_one(void *argument)
{
	struct world *w = argument;

	post(w->jobs, sennit_runtime_worker(w->runtime, 0));
}

/* More than is promised: the poster may still be between its push and its wake. */
static void run_then_destroy_before_the_wake(void)
{
	struct world *w = make(1);

	sennit_runtime_guard_get(w->runtime);
	model_thread(post_one, w);
	model_assert(sennit_runtime_run_one(w->runtime) == 1);
	model_assert(w->jobs[0].ended);
	sennit_runtime_guard_put(w->runtime);
	destroy(w);
}

static void run_it(void *argument)
{
	struct world *w = argument;

	sennit_runtime_run(w->runtime);
	sennit_runtime_guard_put(w->runtime);
}

/* What was left by a thread that ran the runtime and went. */
static void stop_then_destroy(void)
{
	struct world *w = make(1);

	sennit_runtime_guard_get(w->runtime);
	w->jobs[0].to = sennit_runtime_executor(w->runtime);
	post(w->jobs, sennit_runtime_worker(w->runtime, 0));
	model_thread(run_it, w);
	sennit_runtime_stop(w->runtime);
	model_join();
	destroy(w);
	model_assert(w->jobs[0].ended && w->jobs[1].ended);
}

/* --- two runtimes ----------------------------------------------------------------------------- */

static void on_op(struct sennit_op *op, int error, size_t bytes)
{
	struct world *w = (struct world *)(void *)((char *)op - offsetof(struct world, op));

	model_assert(!error && !w->handled && bytes == 3);
	w->handled = 1;
}

/* Its owner finishes the operation: what sennit__op_finish comes to where it is bound elsewhere. */
static void on_finish(struct sennit_task *task, int error)
{
	struct world *w = (struct world *)(void *)((char *)task - offsetof(struct world, start));

	(void)error;
	w->op.bytes_ = 3;
	sennit__op_pass_on(w->slot.owner, &w->op);
}

/* An operation on its way to its owner, bound to another runtime. */
static struct world *make_abroad(void)
{
	struct world *w = make(1);

	w->abroad = model_runtime(1);
	w->slot.owner = w->runtime->worker[0];
	w->op.slot_ = &w->slot;
	w->op.handler_ = on_op;
	w->op.target_ = sennit_runtime_executor(w->abroad); /* push, then look who sleeps */
	sennit__work_get(w->runtime, SENNIT__ABROAD);
	sennit__work_get(w->abroad, SENNIT__GUARD);
	w->start.class_ = SENNIT__MESSAGE;
	w->start.function_ = on_finish;
	sennit__worker_send(w->slot.owner, &w->start);
	return w;
}

static void run_and_destroy_abroad(void *argument)
{
	struct world *w = argument;

	model_assert(sennit_runtime_run(w->abroad) == 1);
	model_assert(w->handled);
	model_assert(sennit_runtime_destroy(w->abroad) == 0);
}

static void each_is_destroyed_when_its_run_returns(void)
{
	struct world *w = make_abroad();

	model_thread(run_and_destroy_abroad, w);
	model_assert(sennit_runtime_run(w->runtime) == 0);
	model_assert(w->handled);
	model_assert(sennit_runtime_destroy(w->runtime) == 0);
	model_join();
	model_assert(model_blocks() == 1);
}

/* A guard that nobody gives back does not keep a runtime from being destroyed. */
static void destroy_waits_for_what_is_abroad_alone(void)
{
	struct world *w = make_abroad();

	sennit_runtime_guard_get(w->runtime);
	model_thread(run_and_destroy_abroad, w);
	model_assert(sennit_runtime_destroy(w->runtime) == 0);
	model_assert(w->handled);
	model_join();
	model_assert(model_blocks() == 1);
}

#define SCENARIO(NAME, PREEMPTIONS) {.name = #NAME, .run = NAME, .preemptions = PREEMPTIONS}

/* Who starts, destroys and is destroyed takes turns by waiting for each other, which costs no
 * preemption: one more is twice as many executions, of the guard thirteen times. */
const struct model_scenario model_scenarios[] = {
	SCENARIO(what_was_posted_before, 3),
	SCENARIO(what_a_handler_posts_meanwhile, 3),
	{.name = "what_one_worker_posts_to_the_other",
	 .run = what_one_worker_posts_to_the_other,
	 .preemptions = 1,
	 .enough = 100000},
	SCENARIO(an_operation_in_flight, 3),
	{.name = "an_operation_on_the_second_worker",
	 .run = an_operation_on_the_second_worker,
	 .preemptions = 1,
	 .enough = 50000},
	SCENARIO(join_then_destroy_under_a_guard, 1),
	SCENARIO(handlers_know_what_was_before, 3),
	SCENARIO(run_then_destroy_under_a_guard, MODEL_ALL),
	SCENARIO(run_then_destroy_before_the_wake, MODEL_ALL),
	SCENARIO(stop_then_destroy, MODEL_ALL),
	SCENARIO(each_is_destroyed_when_its_run_returns, 4),
	SCENARIO(destroy_waits_for_what_is_abroad_alone, MODEL_ALL),
	{0},
};
