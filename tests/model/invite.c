/* SPDX-License-Identifier: MIT */
/* invite.c - work that any worker may run, and workers that sleep (runtime/sched/idle.h, steal.h):
 * it is never left while one sleeps who could run it, and the right to search is never lost.
 *
 * A worker here does what a worker does that has nothing of its own, and no more: it searches,
 * announces, looks again, sleeps. Once it has a task it runs that for ever, as it were: nobody may
 * rely on it for another one. So a task that is overlooked is a thread that is never woken.
 */
#include "runtime/sched/driver.h"
#include "runtime/sched/idle.h"
#include "runtime/sched/runtime.h"
#include "runtime/sched/steal.h"
#include "runtime/sched/work.h"
#include "tests/model/explorer/explorer.h"
#include "tests/model/support/model_driver.h"

#include <sennit/error.h>

#define TASKS_MAX 4

struct world {
	struct sennit_runtime *runtime;
	struct job {
		struct sennit_task task;
		int given; /* plain: who posts it writes it, who has it too */
	} job[TASKS_MAX];
	int tasks; /* that were posted, and that somebody had in the end */
	struct sennit__atomic_u32 had;
};

/* A thread, and its worker or its task. */
struct party {
	struct world *world;
	unsigned number;
};

/* Workers whose threads are inside and awake. */
static struct world *make(unsigned workers)
{
	struct world *w = model_new(sizeof *w);

	w->runtime = model_driven(workers);
	sennit__store_relaxed_u32(&w->runtime->mode, SENNIT__MODE_DRIVEN);
	for (unsigned i = 0; i < workers; i++) {
		model_assert(sennit__worker_claim(w->runtime->worker[i], SENNIT__RUNNING));
		sennit__idle_retract(w->runtime->worker[i]);
		w->runtime->worker[i]->wakes_owed = 0; /* it took PARKED itself */
	}
	return w;
}

static void on_job(struct sennit_task *task, int error)
{
	(void)task;
	(void)error;
}

static struct sennit_task *new_job(struct world *w, unsigned number)
{
	struct job *job = &w->job[number];

	job->given = 1;
	job->task.function_ = on_job;
	return &job->task;
}

/* --- threads ---------------------------------------------------------------------------------- */

/* As sennit_post to the runtime's executor on the worker does. */
static void post_on(struct world *w, unsigned worker, unsigned number)
{
	struct sennit__worker *here = w->runtime->worker[worker];

	sennit__worker_begin(here);
	sennit__worker_keep(here, new_job(w, number));
	sennit__idle_offer(here);
}

/* As sennit_post elsewhere does, where it is the first worker's turn. */
static void inject(void *argument)
{
	struct party *p = argument;
	struct sennit__worker *there = p->world->runtime->worker[0];

	sennit__steal_inject(there, new_job(p->world, p->number));
	sennit__idle_offer_all(there);
}

/* The same, before anybody could be woken. */
static void put(struct world *w, unsigned number)
{
	sennit__steal_inject(w->runtime->worker[0], new_job(w, number));
}

/* Goes on until it has one task. */
static void get_one(void *argument)
{
	struct party *p = argument;
	struct sennit__worker *worker = p->world->runtime->worker[p->number];
	struct job *job;

	for (;;) {
		sennit__worker_settle(worker);
		if (sennit__steal_search(worker))
			break;
		if (!sennit__idle_announce(worker, SENNIT__ASLEEP))
			continue;
		if (!sennit__steal_any(worker))
			sennit__driver.wait(worker, SENNIT__NEVER);
		sennit__idle_retract(worker);
	}
	job = (struct job *)(void *)sennit__queue_pop(&worker->pinned);
	model_assert(job->given == 1);
	job->given = 2;
	(void)sennit__fetch_add_acq_rel_u32(&p->world->had, 1);
}

/* Sleeps once, and is gone. */
static void sleep_and_leave(void *argument)
{
	struct party *p = argument;
	struct sennit__worker *worker = p->world->runtime->worker[p->number];

	if (sennit__idle_announce(worker, SENNIT__ASLEEP))
		sennit__idle_retract(worker);
	sennit__worker_leave(worker);
}

/* A message to the second worker. */
static void on_message(struct sennit_task *task, int error)
{
	(void)task;
	(void)error;
}

static void send(void *argument)
{
	struct party *p = argument;
	struct sennit_task *task = new_job(p->world, p->number);

	task->class_ = SENNIT__MESSAGE;
	task->function_ = on_message;
	sennit__worker_send(p->world->runtime->worker[1], task);
}

static void start(struct world *w, void (*function)(void *), unsigned number)
{
	struct party *p = model_new(sizeof *p);

	*p = (struct party){.world = w, .number = number};
	model_thread(function, p);
}

/* All threads are done. */
static void check(struct world *w, uint32_t had)
{
	model_join();
	model_assert(w->had.value == had);
	model_assert(!w->runtime->searching.value && !w->runtime->idle[0].value);
}

/* --- two workers ------------------------------------------------------------------------------ */

static void what_one_posts_another_gets(void)
{
	struct world *w = make(2);

	start(w, get_one, 1);
	post_on(w, 0, 0);
	check(w, 1);
}

static void what_is_injected_one_gets(void)
{
	struct world *w = make(2);

	start(w, get_one, 1);
	start(w, inject, 0);
	check(w, 1);
}

/* The invitation finds the worker awake, or comes over or under the message. */
static void one_that_is_sent_something_meanwhile_gets_it_all_the_same(void)
{
	struct world *w = make(2);

	start(w, get_one, 1);
	start(w, send, 1);
	post_on(w, 0, 0);
	check(w, 1);
}

/* Sleeps once, and has something of its own to do then, for ever. Where it was invited meanwhile it
 * searches first; what it finds posts another. */
static void search_and_stay(void *argument)
{
	struct party *p = argument;
	struct sennit__worker *worker = p->world->runtime->worker[p->number];
	struct job *job;

	if (sennit__idle_announce(worker, SENNIT__ASLEEP))
		sennit__idle_retract(worker);
	sennit__worker_settle(worker);
	if (!worker->searching)
		return;
	if (!sennit__steal_search(worker)) {
		sennit__idle_pass_on(worker);
		return;
	}
	job = (struct job *)(void *)sennit__queue_pop(&worker->pinned);
	job->given = 2;
	post_on(p->world, p->number, 2);
}

/* What it was invited for is gone when it comes, and who posts the next relies on it. */
static void what_is_posted_while_one_searches_another_gets(void)
{
	struct world *w = make(3);
	struct job *own;

	start(w, search_and_stay, 1);
	start(w, get_one, 2);
	post_on(w, 0, 0);
	own = (struct job *)(void *)sennit__deque_take(&w->runtime->worker[0]->deque);
	if (own)
		own->given = 2;
	post_on(w, 0, 1);
	check(w, 1);
}

/* Who offers, what others have taken already, finds one that is about to sleep, or has just woken,
 * and nobody else; meanwhile another falls asleep and somebody relies on that offer. */
static void what_is_injected_while_another_offers_one_gets(void)
{
	struct world *w = make(3);

	start(w, search_and_stay, 1);
	start(w, get_one, 2);
	start(w, inject, 1);
	sennit__idle_offer(w->runtime->worker[0]);
	check(w, 1);
}

/* --- three workers, two tasks (HA3) ----------------------------------------------------------- */

static void two_that_one_posts_two_others_get(void)
{
	struct world *w = make(3);

	start(w, get_one, 1);
	start(w, get_one, 2);
	post_on(w, 0, 0);
	post_on(w, 0, 1);
	check(w, 2);
}

/* Who offers second may find that the other has the right to search. */
static void two_that_two_inject_two_workers_get(void)
{
	struct world *w = make(3);

	start(w, get_one, 1);
	start(w, get_one, 2);
	start(w, inject, 0);
	post_on(w, 0, 1);
	check(w, 2);
}

static void inject_two(void *argument)
{
	struct party *p = argument;

	inject(p);
	p->number++;
	inject(p);
}

/* The second may come when the first was taken, and its list was found vacant. */
static void two_that_one_injects_two_workers_get(void)
{
	struct world *w = make(3);

	start(w, get_one, 1);
	start(w, get_one, 2);
	start(w, inject_two, 0);
	check(w, 2);
}

/* Many at once, one of which the worker runs that took them: the other is for who sleeps. */
static void of_two_that_one_takes_another_gets_one(void)
{
	struct world *w = make(3);

	put(w, 0);
	put(w, 1);
	start(w, get_one, 1);
	start(w, get_one, 2);
	check(w, 2);
}

/* What has come for any worker is in nobody's sight while the owner moves it to the ring. */
static void take_injected(void *argument)
{
	struct party *p = argument;

	sennit__worker_turn(p->world->runtime->worker[p->number], 0);
}

static void what_one_takes_out_of_its_inject_list_another_gets(void)
{
	struct world *w = make(2);

	put(w, 0);
	put(w, 1);
	start(w, take_injected, 0);
	start(w, get_one, 1);
	check(w, 1);
}

/* --- one leaves ------------------------------------------------------------------------------- */

static void one_that_leaves_does_not_keep_the_right_to_search(void)
{
	struct world *w = make(3);

	start(w, get_one, 1);
	start(w, sleep_and_leave, 2);
	post_on(w, 0, 0);
	check(w, 1);
}

/* What it leaves behind the other gets. */
static void post_and_leave(void *argument)
{
	struct party *p = argument;

	sennit__worker_begin(p->world->runtime->worker[0]);
	sennit__worker_keep(p->world->runtime->worker[0], new_job(p->world, 0));
	sennit__worker_leave(p->world->runtime->worker[0]);
}

static void one_that_leaves_tells_what_it_leaves_behind(void)
{
	struct world *w = make(2);

	start(w, get_one, 1);
	start(w, post_and_leave, 0);
	check(w, 1);
}

/* Was stopped before it ran what it stole. */
static void steal_and_leave(void *argument)
{
	struct party *p = argument;
	struct sennit__worker *worker = p->world->runtime->worker[p->number];

	(void)!sennit__steal_search(worker);
	sennit__worker_leave(worker);
}

/* With three preemptions it is a minute. */
static void what_one_steals_and_does_not_run_another_gets(void)
{
	struct world *w = make(3);

	start(w, get_one, 2);
	start(w, steal_and_leave, 1);
	post_on(w, 0, 0);
	check(w, 1);
}

/* Where the ring is full it comes to the inject list, and who takes it there begins it again: what
 * was published on leaving says so. */
static void what_is_put_back_where_the_ring_is_full_is_counted(void)
{
	struct world *w = make(2);
	struct sennit__worker *worker = w->runtime->worker[1];
	struct sennit_task *tasks = model_new(SENNIT__DEQUE_SIZE * sizeof *tasks);

	post_on(w, 0, 0);
	model_assert(sennit__steal_search(worker));
	for (unsigned i = 0; i < SENNIT__DEQUE_SIZE; i++) {
		sennit__worker_begin(worker);
		sennit__worker_keep(worker, &tasks[i]);
	}
	sennit__worker_leave(worker);
	model_assert(!sennit__inbox_vacant(&worker->inject));
	model_assert(sennit__load_relaxed_u64(&worker->begun_published) == SENNIT__DEQUE_SIZE);
	model_assert(sennit__load_relaxed_u64(&worker->ended_published) == 1);
}

/* Who gave it found that one slept, which then left: the first one's descriptor tells of it. */
static void what_is_injected_as_the_last_one_leaves_the_descriptor_tells(void)
{
	struct world *w = make(2);
	struct sennit__worker *first = w->runtime->worker[0];

	sennit__worker_leave(first);
	start(w, sleep_and_leave, 1);
	start(w, inject, 0);
	check(w, 0);
	model_assert(model_driver_is_readable(first));
}

static void take_a_guard_back(void *argument)
{
	struct party *p = argument;

	sennit_runtime_guard_put(p->world->runtime);
}

/* One who is told while nobody is inside is still away for who looks for the end of work. */
static void who_is_told_while_away_is_not_taken_for_one_that_works(void)
{
	struct world *w = make(2);
	struct sennit__worker *second = w->runtime->worker[1];

	sennit_runtime_guard_get(w->runtime);
	sennit__worker_leave(w->runtime->worker[0]);
	start(w, take_a_guard_back, 0);
	while (!sennit_runtime_stopped(w->runtime)) /* as run does */
		sennit__worker_park(second);
	check(w, 0);
}

#define SCENARIO(NAME, PREEMPTIONS) {.name = #NAME, .run = NAME, .preemptions = PREEMPTIONS}

const struct model_scenario model_scenarios[] = {
	SCENARIO(what_one_posts_another_gets, MODEL_ALL),
	SCENARIO(what_is_injected_one_gets, MODEL_ALL),
	SCENARIO(one_that_is_sent_something_meanwhile_gets_it_all_the_same, 3),
	SCENARIO(what_is_posted_while_one_searches_another_gets, 2), /* 3: four minutes */
	{.name = "what_is_injected_while_another_offers_one_gets",
	 .run = what_is_injected_while_another_offers_one_gets,
	 .preemptions = 2,
	 .enough = 100000},
	{.name = "two_that_one_posts_two_others_get",
	 .run = two_that_one_posts_two_others_get,
	 .preemptions = 2,
	 .enough = 100000},
	{.name = "two_that_two_inject_two_workers_get",
	 .run = two_that_two_inject_two_workers_get,
	 .preemptions = 2,
	 .enough = 100000},
	SCENARIO(of_two_that_one_takes_another_gets_one, 3),
	{.name = "two_that_one_injects_two_workers_get",
	 .run = two_that_one_injects_two_workers_get,
	 .preemptions = 2,
	 .enough = 100000},
	SCENARIO(what_one_takes_out_of_its_inject_list_another_gets, MODEL_ALL),
	SCENARIO(one_that_leaves_does_not_keep_the_right_to_search, 3),
	SCENARIO(one_that_leaves_tells_what_it_leaves_behind, MODEL_ALL),
	SCENARIO(what_one_steals_and_does_not_run_another_gets, 2),
	SCENARIO(what_is_put_back_where_the_ring_is_full_is_counted, MODEL_ALL),
	SCENARIO(what_is_injected_as_the_last_one_leaves_the_descriptor_tells, MODEL_ALL),
	SCENARIO(who_is_told_while_away_is_not_taken_for_one_that_works, MODEL_ALL),
	{0},
};
