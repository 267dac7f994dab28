/* SPDX-License-Identifier: MIT */
/* driven.c - driven runtimes: the run forms, in threads that come and go, and all that others may
 * call meanwhile.
 */
#include "runtime/sched/runtime.h"
#include "tests/model/explorer/explorer.h"
#include "tests/model/support/model_driver.h"

#include <errno.h>
#include <sennit/strand.h>

#define JOBS_MAX 4

struct world {
	struct sennit_runtime *runtime;
	struct job {
		struct sennit_task task;
		int given; /* the poster writes it */
		int ran;   /* the handler does */
	} jobs[JOBS_MAX];
	int64_t returned[2];
	int visits; /* or anything else that is written once */
};

static struct world *make(void)
{
	struct world *w = model_new(sizeof *w);

	w->runtime = model_runtime(1);
	return w;
}

static void on_run(struct sennit_task *task, int error)
{
	struct job *job = (struct job *)(void *)task;

	model_assert(!error && job->given && !job->ran);
	job->given = 0;
	job->ran = 1;
}

static void post(struct world *w, int number)
{
	struct job *job = &w->jobs[number];

	job->given = 1;
	sennit_post(sennit_runtime_worker(w->runtime, 0), &job->task, on_run);
}

static void post_to_any(struct world *w, int number)
{
	struct job *job = &w->jobs[number];

	job->given = 1;
	sennit_post(sennit_runtime_executor(w->runtime), &job->task, on_run);
}

static int ran(const struct world *w)
{
	int count = 0;

	for (int i = 0; i < JOBS_MAX; i++)
		count += w->jobs[i].ran;
	return count;
}

/* All threads are done. */
static void end(struct world *w)
{
	model_join();
	model_assert(sennit_runtime_destroy(w->runtime) == 0);
	model_assert(model_blocks() == 1);
}

/* --- guards and posts ------------------------------------------------------------------------- */

static void post_and_put(void *argument)
{
	struct world *w = argument;

	post(w, 0);
	post_to_any(w, 1);
	sennit_runtime_guard_put(w->runtime);
}

static void run_returns_once_the_guard_is_back(void)
{
	struct world *w = make();

	sennit_runtime_guard_get(w->runtime);
	model_thread(post_and_put, w);
	model_assert(sennit_runtime_run(w->runtime) == 2);
	model_assert(ran(w) == 2 && sennit_runtime_stopped(w->runtime));
	end(w);
}

static void send_and_put(void *argument)
{
	struct world *w = argument;

	post(w, 0);
	sennit_runtime_guard_put(w->runtime);
}

static void write_and_put(void *argument)
{
	struct world *w = argument;

	w->jobs[2].ran = 1;
	sennit_runtime_guard_put(w->runtime);
}

static void run_returns_once_both_guards_are_back(void)
{
	struct world *w = make();

	sennit_runtime_guard_get(w->runtime);
	sennit_runtime_guard_get(w->runtime);
	model_thread(send_and_put, w);
	model_thread(write_and_put, w);
	model_assert(sennit_runtime_run(w->runtime) == 1);
	model_assert(ran(w) == 2 && sennit_runtime_stopped(w->runtime));
	end(w);
}

static void post_one(void *argument)
{
	post(argument, 0);
}

static void run_one_waits_for_one(void)
{
	struct world *w = make();

	sennit_runtime_guard_get(w->runtime);
	model_thread(post_one, w);
	model_assert(sennit_runtime_run_one(w->runtime) == 1);
	model_assert(ran(w) == 1);
	model_join();
	sennit_runtime_guard_put(w->runtime);
	end(w);
}

static void poll_finds_what_was_posted(void)
{
	struct world *w = make();
	int64_t count;

	sennit_runtime_guard_get(w->runtime);
	model_thread(post_and_put, w);
	count = sennit_runtime_poll(w->runtime);
	model_assert(count == ran(w));
	model_join();
	sennit_runtime_restart(w->runtime);
	count += sennit_runtime_poll(w->runtime);
	model_assert(count == 2 && ran(w) == 2);
	end(w);
}

static void inject_and_put(void *argument)
{
	struct world *w = argument;

	post_to_any(w, 0);
	sennit_runtime_guard_put(w->runtime);
}

/* What another puts into an inject list, and tells of, while the one worker is away: there is no
 * moment without the one or the guard. */
static void who_polls_does_not_stop_what_was_injected_under_a_guard(void)
{
	struct world *w = make();

	sennit_runtime_guard_get(w->runtime);
	model_thread(inject_and_put, w);
	sennit_runtime_poll(w->runtime);
	model_assert(!sennit_runtime_stopped(w->runtime) || ran(w) == 1);
	model_join();
	sennit_runtime_poll(w->runtime);
	model_assert(sennit_runtime_stopped(w->runtime) && ran(w) == 1);
	end(w);
}

/* --- strands ---------------------------------------------------------------------------------- */

struct stranded {
	struct world world;
	struct sennit_strand strand;
};

static void post_to_strand(struct stranded *s, int number)
{
	struct job *job = &s->world.jobs[number];

	job->given = 1;
	sennit_post(sennit_strand_executor(&s->strand), &job->task, on_run);
}

static void post_two_to_a_strand_and_put(void *argument)
{
	struct stranded *s = argument;

	post_to_strand(s, 0);
	post_to_strand(s, 1);
	sennit_runtime_guard_put(s->world.runtime);
}

/* A strand is work as long as something is queued in it, and its functions are what run counts. */
static void run_returns_once_a_strand_is_idle(void)
{
	struct stranded *s = model_new(sizeof *s);

	s->world.runtime = model_runtime(1);
	sennit_strand_init(&s->strand, sennit_runtime_worker(s->world.runtime, 0));
	sennit_runtime_guard_get(s->world.runtime);
	model_thread(post_two_to_a_strand_and_put, s);
	model_assert(sennit_runtime_run(s->world.runtime) == 2);
	model_assert(ran(&s->world) == 2);
	sennit_strand_fini(&s->strand);
	end(&s->world);
}

/* --- stop and restart ------------------------------------------------------------------------- */

static void stop_it(void *argument)
{
	struct world *w = argument;

	post(w, 0);
	sennit_runtime_stop(w->runtime);
}

static void stop_ends_run(void)
{
	struct world *w = make();

	sennit_runtime_guard_get(w->runtime);
	model_thread(stop_it, w);
	model_assert(sennit_runtime_run(w->runtime) == ran(w));
	model_assert(sennit_runtime_stopped(w->runtime));
	sennit_runtime_guard_put(w->runtime);
	sennit_runtime_restart(w->runtime);
	model_join();
	sennit_runtime_restart(w->runtime); /* its stop may have come after the first one */
	sennit_runtime_run(w->runtime);
	model_assert(ran(w) == 1);
	end(w);
}

/* What was written before a stop is there for who sees it. */
static void write_and_stop(void *argument)
{
	struct world *w = argument;

	w->visits = 1;
	sennit_runtime_stop(w->runtime);
}

static void stopped_tells_of_what_was_before(void)
{
	struct world *w = make();

	sennit_runtime_guard_get(w->runtime);
	model_thread(write_and_stop, w);
	model_assert(sennit_runtime_run(w->runtime) == 0);
	model_assert(w->visits == 1);
	sennit_runtime_guard_put(w->runtime);
	end(w);
}

static void write_and_restart(void *argument)
{
	struct world *w = argument;

	w->visits = 1;
	sennit_runtime_restart(w->runtime);
}

static void a_restart_is_seen(void)
{
	struct world *w = make();

	sennit_runtime_stop(w->runtime);
	model_thread(write_and_restart, w);
	while (sennit_runtime_stopped(w->runtime))
		model_yield();
	model_assert(w->visits == 1);
	post(w, 0);
	model_assert(sennit_runtime_run(w->runtime) == 1);
	end(w);
}

/* --- threads that come and go ----------------------------------------------------------------- */

static void run_too(void *argument)
{
	struct world *w = argument;

	w->returned[1] = sennit_runtime_run(w->runtime);
}

static void of_two_that_run_one_is_told_so(void)
{
	struct world *w = make();
	int64_t sum;

	post(w, 0);
	model_thread(run_too, w);
	w->returned[0] = sennit_runtime_run(w->runtime);
	model_join();
	sum = (w->returned[0] > 0) + (w->returned[1] > 0);
	model_assert(sum == 1 && ran(w) == 1);
	for (int i = 0; i < 2; i++) /* refused, or after the other */
		model_assert(w->returned[i] == 1 || w->returned[i] == 0 ||
			     w->returned[i] == -EBUSY);
	end(w);
}

static void run_one_too(void *argument)
{
	struct world *w = argument;

	w->returned[1] = sennit_runtime_run_one(w->runtime);
}

static void two_take_turns(void)
{
	struct world *w = make();

	sennit_runtime_guard_get(w->runtime);
	post(w, 0);
	post(w, 1);
	model_thread(run_one_too, w);
	w->returned[0] = sennit_runtime_run_one(w->runtime);
	model_join();
	for (int i = 0; i < 2; i++)
		model_assert(w->returned[i] == 1 || w->returned[i] == -EBUSY);
	model_assert((w->returned[0] == 1) + (w->returned[1] == 1) == ran(w) && ran(w) > 0);
	sennit_runtime_guard_put(w->runtime);
	sennit_runtime_run(w->runtime);
	model_assert(ran(w) == 2);
	end(w);
}

static void visit(void *argument)
{
	struct world *w = argument;
	struct sennit__worker *worker = w->runtime->worker[0];

	if (!sennit__worker_enter(worker, SENNIT__VISITED))
		return;
	w->visits += worker->parked;
	worker->begun++;
	worker->ended++;
	sennit__worker_leave(worker);
}

static void run_waits_for_a_visitor(void)
{
	struct world *w = make();

	post(w, 0);
	model_thread(visit, w);
	model_assert(sennit_runtime_run(w->runtime) == 1);
	model_assert(ran(w) == 1);
	end(w);
}

static void run_waits_for_two_visitors(void)
{
	struct world *w = make();

	model_thread(visit, w);
	model_thread(visit, w);
	post(w, 0);
	model_assert(sennit_runtime_run(w->runtime) == 1);
	model_assert(ran(w) == 1);
	end(w);
}

/* --- two workers ------------------------------------------------------------------------------ */

static struct world *make_two(void)
{
	struct world *w = model_new(sizeof *w);

	w->runtime = model_driven(2);
	return w;
}

static void visit_the_second(void *argument)
{
	struct world *w = argument;
	struct sennit__worker *worker = w->runtime->worker[1];

	if (sennit__worker_enter(worker, SENNIT__VISITED))
		sennit__worker_leave(worker);
}

/* Who runs the first one may look for the end of work while the second is visited. */
static void run_returns_where_another_worker_is_visited(void)
{
	struct world *w = make_two();

	model_thread(visit_the_second, w);
	model_assert(sennit_runtime_run(w->runtime) == 0);
	model_join();
	end(w);
}

/* Whoever finds the end ends the other's run, wherever that is. */
static void two_that_run_both_return(void)
{
	struct world *w = make_two();

	post_to_any(w, 0);
	model_thread(run_too, w);
	w->returned[0] = sennit_runtime_run(w->runtime);
	model_join();
	model_assert(w->returned[0] >= 0 && w->returned[1] >= 0);
	model_assert(w->returned[0] + w->returned[1] == 1 && ran(w) == 1);
	end(w);
}

static void poll_and_put(void *argument)
{
	struct world *w = argument;

	post_to_any(w, 0);
	w->returned[1] = sennit_runtime_poll(w->runtime);
	sennit_runtime_guard_put(w->runtime);
}

/* Nobody is inside one of them when the guard is given back: that it is told so does not make it
 * look as if it had something to do. */
static void who_polls_and_goes_does_not_keep_the_other(void)
{
	struct world *w = make_two();

	sennit_runtime_guard_get(w->runtime);
	model_thread(poll_and_put, w);
	w->returned[0] = sennit_runtime_run(w->runtime);
	model_join();
	model_assert(w->returned[0] + w->returned[1] == 1 && ran(w) == 1);
	end(w);
}

static void poll_one_and_put(void *argument)
{
	struct world *w = argument;

	w->returned[1] = sennit_runtime_poll_one(w->runtime);
	sennit_runtime_guard_put(w->runtime);
}

/* What is left of two by one that takes one the other runs, though it may sleep. */
static void who_polls_one_leaves_the_next_to_the_other(void)
{
	struct world *w = make_two();

	sennit_runtime_guard_get(w->runtime);
	post_to_any(w, 0);
	post_to_any(w, 1);
	model_thread(poll_one_and_put, w);
	w->returned[0] = sennit_runtime_run(w->runtime);
	model_join();
	model_assert(w->returned[0] + w->returned[1] == 2 && ran(w) == 2);
	end(w);
}

/* --- a loop of the program's own -------------------------------------------------------------- */

/* As such a loop does, until the end of work. */
static void embed(struct world *w)
{
	while (!sennit_runtime_stopped(w->runtime)) {
		int64_t idle_ns = sennit_runtime_prepare(w->runtime);

		model_assert(idle_ns == 0 || idle_ns == -1);
		if (idle_ns)
			model_driver_poll(w->runtime->worker[0]);
	}
}

static void what_is_posted_as_prepare_returns_the_descriptor_tells(void)
{
	struct world *w = make();

	sennit_runtime_guard_get(w->runtime);
	model_thread(post_and_put, w);
	embed(w);
	model_assert(ran(w) == 2);
	end(w);
}

static void post_to_any_and_put(void *argument)
{
	struct world *w = argument;

	post_to_any(w, 0);
	sennit_runtime_guard_put(w->runtime);
}

static void the_descriptor_tells_of_what_any_of_two_workers_may_run(void)
{
	struct world *w = make_two();

	sennit_runtime_guard_get(w->runtime);
	model_thread(post_to_any_and_put, w);
	embed(w);
	model_assert(ran(w) == 1);
	end(w);
}

#define SCENARIO(NAME, PREEMPTIONS) {.name = #NAME, .run = NAME, .preemptions = PREEMPTIONS}

const struct model_scenario model_scenarios[] = {
	SCENARIO(run_returns_once_the_guard_is_back, MODEL_ALL),
	SCENARIO(run_returns_once_both_guards_are_back, 3),
	SCENARIO(run_one_waits_for_one, MODEL_ALL),
	SCENARIO(poll_finds_what_was_posted, MODEL_ALL),
	SCENARIO(who_polls_does_not_stop_what_was_injected_under_a_guard, MODEL_ALL),
	SCENARIO(run_returns_once_a_strand_is_idle, 3),
	SCENARIO(stop_ends_run, MODEL_ALL),
	SCENARIO(stopped_tells_of_what_was_before, MODEL_ALL),
	SCENARIO(a_restart_is_seen, MODEL_ALL),
	SCENARIO(of_two_that_run_one_is_told_so, MODEL_ALL),
	SCENARIO(two_take_turns, MODEL_ALL),
	SCENARIO(run_waits_for_a_visitor, MODEL_ALL),
	SCENARIO(run_waits_for_two_visitors, MODEL_ALL),
	SCENARIO(run_returns_where_another_worker_is_visited, 3),
	SCENARIO(two_that_run_both_return, 2),
	SCENARIO(who_polls_and_goes_does_not_keep_the_other, 2),
	SCENARIO(who_polls_one_leaves_the_next_to_the_other, 2),
	SCENARIO(what_is_posted_as_prepare_returns_the_descriptor_tells, MODEL_ALL),
	SCENARIO(the_descriptor_tells_of_what_any_of_two_workers_may_run, 3),
	{0},
};
