/* SPDX-License-Identifier: MIT */
/* started.c - started runtimes: posts from outside and from handlers, join, destroy. */
#include "tests/model/explorer/explorer.h"
#include "tests/model/support/model_driver.h"

#define JOBS_MAX 4

struct world {
	struct sennit_runtime *runtime;
	struct sennit__atomic_u32 joined; /* by the other thread */
	struct job {
		struct sennit_task task;
		struct sennit_executor *to; /* where the next job is posted by this one's handler */
		int given;                  /* the poster writes it */
		int ran;                    /* the handler does */
	} jobs[JOBS_MAX];
};

static struct world *start(unsigned workers)
{
	struct world *w = model_new(sizeof *w);

	w->runtime = model_runtime(workers);
	model_assert(sennit_runtime_start(w->runtime) == 0);
	model_assert(sennit_runtime_workers(w->runtime) == workers);
	return w;
}

static void end(struct world *w)
{
	model_assert(sennit_runtime_destroy(w->runtime) == 0);
	model_assert(model_blocks() == 1);
}

static void on_run(struct sennit_task *task, int error)
{
	struct job *job = (struct job *)(void *)task;

	model_assert(!error && job->given && !job->ran);
	job->given = 0;
	job->ran = 1;
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

static void nothing_to_do(void)
{
	end(start(1));
}

static void nothing_to_do_for_two(void)
{
	end(start(2));
}

static void a_post_has_run_when_join_returns(void)
{
	struct world *w = start(1);

	post(w->jobs, sennit_runtime_worker(w->runtime, 0));
	model_assert(sennit_runtime_join(w->runtime) == 0);
	model_assert(w->jobs->ran);
	end(w);
}

static void a_post_to_any_worker_has_run_when_join_returns(void)
{
	struct world *w = start(1);

	post(w->jobs, sennit_runtime_executor(w->runtime));
	model_assert(sennit_runtime_join(w->runtime) == 0);
	model_assert(w->jobs->ran);
	end(w);
}

static void join_waits_again_for_what_is_posted_later(void)
{
	struct world *w = start(1);

	model_assert(sennit_runtime_join(w->runtime) == 0);
	post(w->jobs, sennit_runtime_worker(w->runtime, 0));
	model_assert(sennit_runtime_join(w->runtime) == 0);
	model_assert(w->jobs->ran);
	end(w);
}

static void one_worker_posts_to_the_other(void)
{
	struct world *w = start(2);

	w->jobs[0].to = sennit_runtime_worker(w->runtime, 0);
	post(w->jobs, sennit_runtime_worker(w->runtime, 1));
	model_assert(sennit_runtime_join(w->runtime) == 0);
	model_assert(w->jobs[0].ran && w->jobs[1].ran);
	end(w);
}

static void join_too(void *argument)
{
	struct world *w = argument;

	model_assert(sennit_runtime_join(w->runtime) == 0);
	sennit__store_release_u32(&w->joined, 1);
}

static void two_threads_join(void)
{
	struct world *w = start(1);

	model_thread(join_too, w);
	post(w->jobs, sennit_runtime_worker(w->runtime, 0));
	model_assert(sennit_runtime_join(w->runtime) == 0);
	model_assert(w->jobs[0].ran);
	while (!sennit__load_acquire_u32(&w->joined)) /* nobody may be inside a call */
		model_yield();
	end(w);
}

#define SCENARIO(NAME, PREEMPTIONS) {.name = #NAME, .run = NAME, .preemptions = PREEMPTIONS}

const struct model_scenario model_scenarios[] = {
	SCENARIO(nothing_to_do, MODEL_ALL),
	SCENARIO(nothing_to_do_for_two, 1),
	SCENARIO(a_post_has_run_when_join_returns, 3),
	SCENARIO(a_post_to_any_worker_has_run_when_join_returns, 3),
	SCENARIO(join_waits_again_for_what_is_posted_later, 3),
	SCENARIO(one_worker_posts_to_the_other, 1),
	SCENARIO(two_threads_join, 1),
	{0},
};
