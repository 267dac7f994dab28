/* SPDX-License-Identifier: MIT */
/* started.c - started runtimes: posts from outside and from handlers, join, destroy. */
#include "tests/model/explorer/explorer.h"
#include "tests/model/support/model_driver.h"

#include <errno.h>

#define JOBS_MAX 4

struct world {
	struct sennit_runtime *runtime;
	struct sennit__atomic_u32 left; /* the other thread calls nothing any more */
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

/* Of the other thread: it calls nothing any more, so the runtime may be destroyed. */
static void leave(struct world *w)
{
	sennit__store_release_u32(&w->left, 1);
}

static void wait_for_other(struct world *w)
{
	while (!sennit__load_acquire_u32(&w->left))
		model_yield();
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
	leave(w);
}

static void two_threads_join(void)
{
	struct world *w = start(1);

	model_thread(join_too, w);
	post(w->jobs, sennit_runtime_worker(w->runtime, 0));
	model_assert(sennit_runtime_join(w->runtime) == 0);
	model_assert(w->jobs[0].ran);
	wait_for_other(w);
	end(w);
}

/* --- while it starts -------------------------------------------------------------------------- */

static struct world *make(unsigned workers)
{
	struct world *w = model_new(sizeof *w);

	w->runtime = model_runtime(workers);
	return w;
}

static void look_for_workers(void *argument)
{
	struct world *w = argument;

	for (int i = 0; i < 2; i++)
		model_assert(sennit_runtime_next_worker(w->runtime)->runtime_ == w->runtime);
	leave(w);
}

static void another_thread_finds_its_workers(void)
{
	struct world *w = make(2);

	model_thread(look_for_workers, w);
	model_assert(sennit_runtime_start(w->runtime) == 0);
	wait_for_other(w);
	end(w);
}

static void put_guard(void *argument)
{
	struct world *w = argument;

	sennit_runtime_guard_put(w->runtime);
	leave(w);
}

/* The guard that start takes is never mistaken for another one. */
static void a_guard_is_given_back_meanwhile(void)
{
	struct world *w = make(1);

	sennit_runtime_guard_get(w->runtime);
	model_thread(put_guard, w);
	model_assert(sennit_runtime_start(w->runtime) == 0);
	model_assert(sennit_runtime_join(w->runtime) == 0);
	wait_for_other(w);
	end(w);
}

static void on_count(struct sennit_task *task, int error)
{
	struct world *w = (struct world *)(void *)((char *)task - offsetof(struct world, jobs));

	on_run(task, error);
	model_assert(sennit_runtime_workers(w->runtime) == 2);
}

/* No handler runs before all threads are there. */
static void what_was_posted_before_finds_all_workers(void)
{
	struct world *w = make(2);

	w->jobs[0].given = 1;
	sennit_post(sennit_runtime_worker(w->runtime, 0), &w->jobs[0].task, on_count);
	model_assert(sennit_runtime_start(w->runtime) == 0);
	model_assert(sennit_runtime_join(w->runtime) == 0);
	model_assert(w->jobs[0].ran);
	end(w);
}

static void fail_to_start(struct world *w)
{
	int error = sennit_runtime_start(w->runtime);

	model_assert(error == -EMFILE || error == -EBUSY);
}

static void fail_too(void *argument)
{
	fail_to_start(argument);
	leave(argument);
}

static void two_threads_fail_to_start_it(void)
{
	struct world *w = make(MODEL_TOO_MANY);

	sennit_runtime_guard_get(w->runtime); /* so that nobody is woken */
	model_thread(fail_too, w);
	fail_to_start(w);
	wait_for_other(w);
	end(w);
}

#define SCENARIO(NAME, PREEMPTIONS) {.name = #NAME, .run = NAME, .preemptions = PREEMPTIONS}

/* Too many for its time: so many, in the order of the search. */
#define LARGE(NAME, PREEMPTIONS)                                                                   \
	{.name = #NAME, .run = NAME, .preemptions = PREEMPTIONS, .enough = 50000}

/* Two preemptions: what a third adds to the first post is in a_post_has_run_when_join_returns. */
const struct model_scenario model_scenarios[] = {
	SCENARIO(nothing_to_do, 3),
	LARGE(nothing_to_do_for_two, 1),
	SCENARIO(a_post_has_run_when_join_returns, 3),
	SCENARIO(a_post_to_any_worker_has_run_when_join_returns, 2),
	SCENARIO(join_waits_again_for_what_is_posted_later, 2),
	LARGE(one_worker_posts_to_the_other, 1),
	LARGE(two_threads_join, 1),
	LARGE(another_thread_finds_its_workers, 1),
	LARGE(a_guard_is_given_back_meanwhile, 1),
	LARGE(what_was_posted_before_finds_all_workers, 1),
	SCENARIO(two_threads_fail_to_start_it, MODEL_ALL),
	{0},
};
