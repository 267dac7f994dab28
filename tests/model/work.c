/* SPDX-License-Identifier: MIT */
/* work.c - outstanding work (runtime/sched/work.h): that its end is found, and never too early.
 *
 * There are two workers. Either each is in a thread of the model that does what a driven runtime's
 * does, until one found the end and woke the other; or both have threads as a started runtime has,
 * and somebody waits. Whoever learns of the end sees to it that all that had to run before has run,
 * and so sees what its handlers wrote.
 */
#include "runtime/sched/idle.h"
#include "runtime/sched/runtime.h"
#include "runtime/sched/work.h"
#include "tests/model/explorer/explorer.h"
#include "tests/model/support/model_driver.h"

#define JOBS_MAX 6

/* A handler that may post another one. */
struct job {
	struct sennit_task task;
	struct sennit_executor *to; /* where the next one goes, or NULL */
	struct job *next;
	int given; /* written by who posts it */
	int ran;   /* written by the handler */
};

struct world {
	struct sennit_runtime *runtime;
	struct job jobs[JOBS_MAX];
	int count; /* of jobs that must have run at the end */
	struct sennit__atomic_u32 guarded;
};

/* --- handlers --------------------------------------------------------------------------------- */

static void on_run(struct sennit_task *task, int error)
{
	struct job *job = (struct job *)(void *)task;

	model_assert(!error && job->given && !job->ran);
	job->given = 0;
	job->ran = 1;
	if (job->to) {
		job->next->given = 1;
		sennit_post(job->to, &job->next->task, on_run);
	}
}

static struct sennit_executor *executor_of(struct world *w, int worker)
{
	return worker < 0 ? NULL : &w->runtime->worker[worker]->executor;
}

#define NOBODY (-1)

/* Posts to a worker a handler that posts to the second one that posts to the third. */
static void send(struct world *w, int first, int second, int third)
{
	struct job *job = &w->jobs[w->count];

	job[0].to = executor_of(w, second);
	job[0].next = &job[1];
	job[1].to = executor_of(w, third);
	job[1].next = &job[2];
	w->count += 1 + (second != NOBODY) + (third != NOBODY);
	job->given = 1;
	sennit_post(executor_of(w, first), &job->task, on_run);
}

/* To the runtime's executor: it goes to the inject list of worker `to`. */
static void inject(struct world *w, unsigned to)
{
	struct job *job = &w->jobs[w->count++];

	/* relaxed: nobody else's turn is at stake */
	sennit__store_relaxed_u32(&w->runtime->turn, to);
	job->given = 1;
	sennit_post(&w->runtime->executor, &job->task, on_run);
}

static void all_ran(struct world *w)
{
	for (int i = 0; i < w->count; i++)
		model_assert(w->jobs[i].ran);
}

/* --- workers ---------------------------------------------------------------------------------- */

/* A runtime of two workers, without the calls that would settle its mode. */
static struct world *make_sharing(uint32_t mode)
{
	struct world *w = model_new(sizeof *w);

	w->runtime = model_driven(2);
	sennit__store_release_u32(&w->runtime->mode, mode);
	return w;
}

/* The same, of workers who do not look at each other's work: where none is shared, to find out more
 * about the rest. */
static struct world *make(uint32_t mode)
{
	struct world *w = make_sharing(mode);

	for (int i = 0; i < 2; i++)
		w->runtime->worker[i]->several = false;
	return w;
}

static void work(struct world *w, unsigned index)
{
	struct sennit__worker *worker = w->runtime->worker[index];

	model_assert(sennit__worker_enter(worker, SENNIT__RUNNING));
	while (!sennit_runtime_stopped(w->runtime)) {
		sennit__worker_turn(worker, SENNIT__TURN);
		if (!sennit__worker_busy(worker))
			sennit__worker_park(worker);
	}
	all_ran(w);
	if (!worker->several) /* else who found the end has done so */
		sennit__idle_wake(w->runtime->worker[!index]);
	sennit__worker_leave(worker);
}

static void be_second(void *argument)
{
	work(argument, 1);
}

static void check_and_destroy(struct world *w)
{
	all_ran(w);
	model_assert(sennit_runtime_destroy(w->runtime) == 0);
	model_assert(model_blocks() == 1);
}

/* Both workers, until one found the end. */
static void work_until_end(struct world *w)
{
	model_thread(be_second, w);
	work(w, 0);
	model_join();
	check_and_destroy(w);
}

static void wait_and_check(struct world *w)
{
	sennit__work_wait(w->runtime);
	all_ran(w);
}

static void end_threads(struct world *w)
{
	sennit__threads_join(w->runtime, 2);
	model_join();
	for (int i = 0; i < 2; i++) { /* they may have been woken after they had left */
		struct sennit__worker *worker = w->runtime->worker[i];

		model_assert(sennit__worker_enter(worker, SENNIT__VISITED));
		sennit__worker_leave(worker);
	}
	check_and_destroy(w);
}

/* --- scenarios: messages ---------------------------------------------------------------------- */

static void one_that_was_looked_at_gets_a_message(void)
{
	struct world *w = make(SENNIT__MODE_DRIVEN);

	send(w, 1, 0, NOBODY);
	work_until_end(w);
}

static void a_message_is_answered(void)
{
	struct world *w = make(SENNIT__MODE_DRIVEN);

	send(w, 0, 1, 0);
	work_until_end(w);
}

static void messages_cross(void)
{
	struct world *w = make(SENNIT__MODE_DRIVEN);

	send(w, 0, 1, NOBODY);
	send(w, 1, 0, NOBODY);
	work_until_end(w);
}

/* --- scenarios: work that is stolen ----------------------------------------------------------- */

/* Begun by the first worker, ended by either. */
static void what_one_worker_begins_another_ends(void)
{
	struct world *w = make_sharing(SENNIT__MODE_DRIVEN);
	struct sennit__worker *first = w->runtime->worker[0];
	struct job *job = &w->jobs[w->count++];

	job->given = 1;
	job->task.function_ = on_run;
	model_assert(sennit__worker_enter(first, SENNIT__RUNNING));
	sennit__worker_begin(first);
	sennit__worker_keep(first, &job->task);
	sennit__worker_leave(first);
	model_thread(be_second, w);
	work(w, 0);
	model_join();
	check_and_destroy(w);
}

/* --- scenarios: one that is asked too early --------------------------------------------------- */

/* An event for the second worker's operation, which goes on for ever: it posts. */
static void wake_and_post(void *argument)
{
	struct sennit__worker *second = ((struct world *)argument)->runtime->worker[1];

	sennit__idle_retract(second);
	sennit__worker_begin(second);
	sennit__worker_keep(second, &((struct world *)argument)->jobs[0].task);
}

/* The third worker is awake for some reason, and steals what is there. */
static void wake_and_steal(void *argument)
{
	struct world *w = argument;
	struct sennit__worker *third = w->runtime->worker[2];
	struct sennit_task *tasks[SENNIT__STEAL_MAX];

	sennit__idle_retract(third);
	if (sennit__deque_steal(&w->runtime->worker[1]->deque, tasks))
		sennit__worker_end(third);
	model_assert(sennit__idle_announce(third, SENNIT__ASLEEP));
}

/* Workers whose threads are inside; the second has an operation in flight. */
static struct world *make_with_operation(unsigned workers)
{
	struct world *w = model_new(sizeof *w);

	w->runtime = model_driven(workers);
	for (unsigned i = 0; i < workers; i++) {
		struct sennit__worker *worker = w->runtime->worker[i];

		model_assert(sennit__worker_claim(worker, SENNIT__RUNNING));
		sennit__idle_retract(worker);
		worker->wakes_owed = 0; /* it took PARKED itself */
	}
	sennit__worker_begin(w->runtime->worker[1]);
	return w;
}

static void fall_asleep(struct world *w, unsigned index)
{
	model_assert(sennit__idle_announce(w->runtime->worker[index], SENNIT__ASLEEP));
}

/* What the third has ended is not told without that the second was awake. */
static void what_another_ended_tells_that_who_began_it_was_awake(void)
{
	struct world *w = make_with_operation(3);

	for (unsigned i = 0; i < 3; i++)
		fall_asleep(w, i);
	model_thread(wake_and_post, w);
	model_thread(wake_and_steal, w);
	model_assert(!sennit__work_none_left(w->runtime->worker[0]));
	model_join();
}

static void fall_asleep_too(void *argument)
{
	fall_asleep(argument, 1);
}

static void who_sleeps_has_told_what_it_began(void)
{
	struct world *w = make_with_operation(2);

	fall_asleep(w, 0);
	model_thread(fall_asleep_too, w);
	model_assert(!sennit__work_none_left(w->runtime->worker[0]));
	model_join();
}

/* --- scenarios: guards ------------------------------------------------------------------------ */

static void inject_and_put(void *argument)
{
	inject(argument, 0);
	sennit_runtime_guard_put(((struct world *)argument)->runtime);
}

static void a_handler_is_injected_under_a_guard(void)
{
	struct world *w = make_sharing(SENNIT__MODE_DRIVEN);

	sennit_runtime_guard_get(w->runtime);
	model_thread(inject_and_put, w);
	work_until_end(w);
}

static void send_and_put(void *argument)
{
	send(argument, 1, NOBODY, NOBODY);
	sennit_runtime_guard_put(((struct world *)argument)->runtime);
}

static void a_message_is_sent_under_a_guard(void)
{
	struct world *w = make(SENNIT__MODE_DRIVEN);

	sennit_runtime_guard_get(w->runtime);
	model_thread(send_and_put, w);
	work_until_end(w);
}

static void on_guard(struct sennit_task *task, int error)
{
	struct world *w = (struct world *)(void *)((char *)task - offsetof(struct world, jobs));

	model_assert(!error);
	sennit_runtime_guard_get(w->runtime);
	sennit__store_release_u32(&w->guarded, 1);
}

static void put_once_taken(void *argument)
{
	struct world *w = argument;

	while (!sennit__load_acquire_u32(&w->guarded))
		model_yield();
	w->jobs[0].ran = 1;
	sennit_runtime_guard_put(w->runtime);
}

static void inject_once_taken(void *argument)
{
	struct world *w = argument;

	while (!sennit__load_acquire_u32(&w->guarded))
		model_yield();
	w->jobs[0].ran = 1;
	inject(w, 1);
	sennit_runtime_guard_put(w->runtime);
}

static void take_guard(struct world *w, void (*other)(void *world))
{
	w->count = 1;
	sennit_post(&w->runtime->worker[1]->executor, &w->jobs[0].task, on_guard);
	model_thread(other, w);
	work_until_end(w);
}

static void a_handler_takes_a_guard(void)
{
	take_guard(make(SENNIT__MODE_DRIVEN), put_once_taken);
}

static void a_handler_takes_a_guard_for_who_injects(void)
{
	take_guard(make_sharing(SENNIT__MODE_DRIVEN), inject_once_taken);
}

/* --- scenarios: tickets ----------------------------------------------------------------------- */

static void one_waits_for_what_it_sent(void)
{
	struct world *w = make(SENNIT__MODE_NEW);

	sennit__threads_start(w->runtime, 2);
	send(w, 1, NOBODY, NOBODY);
	wait_and_check(w);
	end_threads(w);
}

#define SCENARIO(NAME, PREEMPTIONS) {.name = #NAME, .run = NAME, .preemptions = PREEMPTIONS}

/* Too many for its time: so many, in the order of the search. */
#define LARGE(NAME, PREEMPTIONS)                                                                   \
	{.name = #NAME, .run = NAME, .preemptions = PREEMPTIONS, .enough = 150000}

const struct model_scenario model_scenarios[] = {
	SCENARIO(one_that_was_looked_at_gets_a_message, 3),
	SCENARIO(a_message_is_answered, 3),
	SCENARIO(messages_cross, 2),
	SCENARIO(what_one_worker_begins_another_ends, 3),
	SCENARIO(what_another_ended_tells_that_who_began_it_was_awake, MODEL_ALL),
	SCENARIO(who_sleeps_has_told_what_it_began, MODEL_ALL),
	LARGE(a_handler_is_injected_under_a_guard, 2),
	LARGE(a_message_is_sent_under_a_guard, 2),
	SCENARIO(a_handler_takes_a_guard, 2),
	LARGE(a_handler_takes_a_guard_for_who_injects, 2),
	LARGE(one_waits_for_what_it_sent, 2),
	{0},
};
