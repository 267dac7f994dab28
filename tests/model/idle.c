/* SPDX-License-Identifier: MIT */
/* idle.c - workers that fall asleep, are woken, entered and freed (runtime/sched/idle.h, worker.h).
 *
 * The workers are the library's, what they wait on is not: a descriptor that counts wakes as the
 * driver's eventfd does, and is closed once none is owed. As steps order no memory, no scenario
 * relies on the kernel for that, but for those that free a worker: there the write of a wake is
 * ordered before the read that counts it, as it is by the lock of an eventfd.
 */
#include "runtime/sched/idle.h"

#include "runtime/sched/driver.h"
#include "runtime/sched/runtime.h"
#include "runtime/sched/work.h"
#include "tests/model/explorer/explorer.h"

#include <sennit/error.h>

/* What the kernel does is not looked at. */
#define KERNEL __attribute__((no_sanitize("thread")))

struct descriptor {
	struct model_object *object;
	uint64_t count;
	bool closed;
	bool orders;
	struct sennit__atomic_u32 lock; /* where it orders memory */
};

struct world {
	struct sennit_runtime *runtime;
	struct sennit__worker *worker; /* the first one */
	struct job *job;               /* of another one */
	int ran;
	int visits;  /* plain: the worker's, in a way */
	int payload; /* of a flag */
};

struct job {
	struct sennit_task task;
	struct world *world; /* where it is counted, or NULL */
	struct sennit__worker *answer_to;
	struct job *answer; /* sent as it runs, or NULL */
	int error;          /* that it should end with */
	int given;          /* written by who sends it */
	int ran;
};

/* --- the driver ------------------------------------------------------------------------------- */

static int init(struct sennit__worker *worker)
{
	struct descriptor *d = model_new(sizeof *d);

	d->object = model_object("descriptor");
	worker->driver = d;
	return 0;
}

static KERNEL void write_one(struct descriptor *d)
{
	model_step(d->object, "is written");
	model_assert(!d->closed);
	d->count++;
}

static KERNEL bool readable(void *descriptor)
{
	return ((struct descriptor *)descriptor)->count != 0;
}

static KERNEL int64_t read_count(struct descriptor *d, bool block)
{
	uint64_t count;

	model_wait(d->object, block ? "waits for a wake" : "is read", block ? readable : NULL, d);
	model_assert(!d->closed);
	count = d->count;
	d->count = 0;
	return (int64_t)count;
}

static KERNEL void close_it(struct descriptor *d)
{
	model_step(d->object, "is closed");
	model_assert(!d->count);
	d->closed = true;
}

static void wait(struct sennit__worker *worker, uint64_t deadline_ns)
{
	struct descriptor *d = worker->driver;

	worker->wakes_owed -= read_count(d, deadline_ns != 0);
	if (d->orders)
		(void)sennit__fetch_add_acq_rel_u32(&d->lock, 0);
}

static void wake(struct sennit__worker *worker)
{
	struct descriptor *d = worker->driver;

	if (d->orders)
		(void)sennit__fetch_add_acq_rel_u32(&d->lock, 1);
	write_one(d);
}

static void fini(struct sennit__worker *worker)
{
	while (worker->wakes_owed > 0)
		wait(worker, SENNIT__NEVER);
	model_assert(worker->wakes_owed == 0);
	close_it(worker->driver);
}

static bool flush(struct sennit__worker *worker)
{
	(void)worker;
	return false;
}

static void cancel(struct sennit__worker *worker, int error)
{
	(void)worker;
	(void)error;
}

const struct sennit__driver sennit__driver = {
	.init = init,
	.fini = fini,
	.wait = wait,
	.wake = wake,
	.flush = flush,
	.cancel = cancel,
};

/* --- parts of scenarios ----------------------------------------------------------------------- */

/* A runtime that somebody holds a guard of, so that nobody looks for the end of work. */
static struct world *make(unsigned workers)
{
	struct world *w = model_new(sizeof *w);
	uint32_t *alive = model_new(sizeof *alive);

	*alive = 1;
	w->runtime = model_new(sizeof *w->runtime);
	w->runtime->alive = alive;
	sennit__store_relaxed_u64(&w->runtime->guards, SENNIT__GUARD);
	sennit__store_relaxed_u32(&w->runtime->worker_count, workers);
	for (unsigned i = 0; i < workers; i++) {
		w->runtime->worker[i] = model_new(sizeof *w->worker);
		model_assert(!sennit__worker_init(w->runtime->worker[i], w->runtime, i));
	}
	w->worker = w->runtime->worker[0];
	return w;
}

static void on_job(struct sennit_task *task, int error)
{
	struct job *job = (struct job *)(void *)task;

	model_assert(error == job->error);
	model_assert(job->given == 1);
	job->given = 0;
	job->ran++;
	if (job->world)
		job->world->ran++;
	if (job->answer)
		sennit__worker_send(job->answer_to, &job->answer->task);
	if (job->task.class_ == SENNIT__MESSAGE)
		sennit__worker_end(sennit__current);
}

static struct job *new_job(struct world *w, unsigned char class_)
{
	struct job *job = model_new(sizeof *job);

	*job = (struct job){.task = {.function_ = on_job, .class_ = class_}, .world = w};
	job->given = 1;
	return job;
}

static void send_one(void *world)
{
	struct world *w = world;

	sennit__worker_send(w->worker, &new_job(w, SENNIT__HANDLER)->task);
}

static void send_two(void *world)
{
	send_one(world);
	send_one(world);
}

static void inject_one(void *world)
{
	struct world *w = world;

	model_assert(!sennit__inbox_push(&w->worker->inject, &new_job(w, SENNIT__HANDLER)->task));
	sennit__idle_wake(w->worker);
}

static void inject_two(void *world)
{
	inject_one(world);
	inject_one(world);
}

/* As who joins threads, stops and destroys does. */
static void raise_flag(struct world *w, struct sennit__atomic_u32 *flag)
{
	w->payload = 1;
	sennit__store_release_u32(flag, 1);
	sennit__idle_wake(w->worker);
}

static void say_exit(void *world)
{
	struct world *w = world;

	raise_flag(w, &w->runtime->exiting);
}

static void say_stop(void *world)
{
	struct world *w = world;

	raise_flag(w, &w->runtime->stopped);
}

static void say_shutdown(void *world)
{
	struct world *w = world;

	raise_flag(w, &w->runtime->shutdown);
}

static void say_shutdown_and_send(void *world)
{
	struct world *w = world;
	struct job *job = new_job(w, SENNIT__HANDLER);

	job->error = SENNIT_SHUTDOWN;
	sennit__store_release_u32(&w->runtime->shutdown, 1);
	sennit__worker_send(w->worker, &job->task);
}

static void enter(struct world *w)
{
	model_assert(sennit__worker_enter(w->worker, SENNIT__RUNNING));
}

/* What a worker's thread does until it is done. */
static void turn(struct sennit__worker *worker)
{
	if (worker->shutdown)
		sennit__worker_shutdown(worker);
	else
		sennit__worker_turn(worker, SENNIT__TURN);
}

static void turn_and_park(struct sennit__worker *worker)
{
	turn(worker);
	if (!sennit__worker_busy(worker))
		sennit__worker_park(worker);
}

static void end(struct world *w)
{
	sennit__worker_leave(w->worker);
	model_join();
	for (unsigned i = 0; w->runtime->worker[i]; i++)
		sennit__worker_fini(w->runtime->worker[i]);
}

static void run_here(struct world *w, int expected)
{
	enter(w);
	while (turn(w->worker), w->ran < expected)
		sennit__worker_park(w->worker);
}

/* Runs the worker until all that was sent has come. */
static void run(struct world *w, int expected)
{
	run_here(w, expected);
	end(w);
	model_assert(w->ran == expected);
}

/* --- what wakes ------------------------------------------------------------------------------- */

static void two_that_one_thread_sends_wake(void)
{
	struct world *w = make(1);

	model_thread(send_two, w);
	run(w, 2);
}

static void one_that_each_of_two_threads_sends_wakes(void)
{
	struct world *w = make(1);

	model_thread(send_one, w);
	model_thread(send_one, w);
	run(w, 2);
}

static void two_that_one_thread_injects_wake(void)
{
	struct world *w = make(1);

	model_thread(inject_two, w);
	run(w, 2);
}

static void one_sent_and_one_injected_wake(void)
{
	struct world *w = make(1);

	model_thread(send_one, w);
	model_thread(inject_one, w);
	run(w, 2);
}

static void two_sent_and_one_injected_wake(void)
{
	struct world *w = make(1);

	model_thread(send_two, w);
	model_thread(inject_one, w);
	run(w, 3);
}

/* The thread of the worker, until the flag is seen. */
static void run_until(struct world *w, const struct sennit__atomic_u32 *flag)
{
	enter(w);
	while (!sennit__load_acquire_u32(flag))
		turn_and_park(w->worker);
	model_assert(w->payload == 1);
	end(w);
}

static void the_word_to_exit_wakes(void)
{
	struct world *w = make(1);

	model_thread(say_exit, w);
	run_until(w, &w->runtime->exiting);
}

static void the_word_to_stop_wakes(void)
{
	struct world *w = make(1);

	model_thread(say_stop, w);
	run_until(w, &w->runtime->stopped);
}

static void the_word_to_exit_wakes_among_tasks(void)
{
	struct world *w = make(1);

	model_thread(say_exit, w);
	model_thread(send_one, w);
	run_until(w, &w->runtime->exiting);
}

static void the_word_to_exit_wakes_among_all_that_does(void)
{
	struct world *w = make(1);

	model_thread(say_exit, w);
	model_thread(send_one, w);
	model_thread(inject_one, w);
	run_until(w, &w->runtime->exiting);
}

static void that_the_runtime_is_destroyed_wakes(void)
{
	struct world *w = make(1);

	model_thread(say_shutdown, w);
	enter(w);
	while (turn(w->worker), !w->worker->shutdown)
		sennit__worker_park(w->worker);
	model_assert(w->payload == 1); /* as a handler finds it that ends with SENNIT_SHUTDOWN */
	end(w);
}

static void what_is_sent_after_destroy_began_ends_with_shutdown(void)
{
	struct world *w = make(1);

	model_thread(say_shutdown_and_send, w);
	run(w, 1);
}

static void give_and_wake(void *world)
{
	struct world *w = world;

	w->payload = 1;
	sennit__idle_wake(w->worker);
}

static void who_is_woken_sees_what_was_done_before(void)
{
	struct world *w = make(1);

	enter(w);
	model_assert(sennit__idle_announce(w->worker, SENNIT__ASLEEP));
	model_thread(give_and_wake, w);
	sennit__idle_retract(w->worker);
	if (w->worker->wakes_owed)
		model_assert(w->payload == 1);
	end(w);
}

/* A worker: starts with an answer to send, or none, and ends when its job has run. */
static void run_other(void *world)
{
	struct world *w = world;
	struct sennit__worker *other = w->runtime->worker[1];

	model_assert(sennit__worker_enter(other, SENNIT__RUNNING));
	while (turn(other), !w->job->ran)
		sennit__worker_park(other);
	sennit__worker_leave(other);
}

static void two_workers_send_to_each_other(void)
{
	struct world *w = make(2);
	struct job *back = new_job(w, SENNIT__HANDLER);

	w->job = new_job(NULL, SENNIT__HANDLER);
	w->job->answer = back;
	w->job->answer_to = w->worker;
	model_thread(run_other, w);
	sennit__worker_send(w->runtime->worker[1], &w->job->task);
	run(w, 1);
}

/* --- the end ---------------------------------------------------------------------------------- */

/* What is sent is the last thing that its sender does: the worker may be freed when it has come,
 * but for the wakes that are owed. */
static void run_and_free(struct world *w, int expected)
{
	run_here(w, expected);
	sennit__worker_leave(w->worker);
	sennit__worker_fini(w->worker);
	model_free(w->worker);
	model_join();
}

static struct world *make_for_the_end(void)
{
	struct world *w = make(1);

	((struct descriptor *)w->worker->driver)->orders = true;
	return w;
}

static void the_worker_is_freed_when_its_sender_has_paid(void)
{
	struct world *w = make_for_the_end();

	model_thread(send_two, w);
	run_and_free(w, 2);
}

static void the_worker_is_freed_when_both_senders_have_paid(void)
{
	struct world *w = make_for_the_end();

	model_thread(send_one, w);
	model_thread(send_one, w);
	run_and_free(w, 2);
}

/* --- nobody inside ---------------------------------------------------------------------------- */

static void send_message(void *world)
{
	struct world *w = world;

	sennit__worker_send(w->worker, &new_job(w, SENNIT__MESSAGE)->task);
}

static void send_two_messages(void *world)
{
	send_message(world);
	send_message(world);
}

/* Waits as a program does that polls the descriptor, and enters when there is something. */
static void poll_until(struct world *w, int expected)
{
	struct descriptor *d = w->worker->driver;

	while (w->ran < expected) {
		model_wait(d->object, "is polled", readable, d);
		enter(w);
		while (sennit__worker_collect(w->worker))
			sennit__worker_turn(w->worker, SENNIT__TURN);
		sennit__worker_leave(w->worker);
	}
	model_join();
	model_assert(w->ran == expected);
	sennit__worker_fini(w->worker);
}

static void the_descriptor_tells_what_one_sends_to_a_worker_nobody_is_inside(void)
{
	struct world *w = make(1);

	model_thread(send_two_messages, w);
	poll_until(w, 2);
}

static void the_descriptor_tells_what_two_send_to_a_worker_nobody_is_inside(void)
{
	struct world *w = make(1);

	model_thread(send_message, w);
	model_thread(send_message, w);
	poll_until(w, 2);
}

/* Looks at what is the worker's own, as dump and close do. */
static void visit(void *world)
{
	struct world *w = world;

	if (!sennit__worker_enter(w->worker, SENNIT__VISITED))
		return;
	model_assert(sennit__current == w->worker);
	w->visits++;
	sennit__worker_leave(w->worker);
	model_assert(!sennit__current);
}

/* Ends something of the worker's, whose handler is then to be run. */
static void visit_and_queue(void *world)
{
	struct world *w = world;

	if (!sennit__worker_enter(w->worker, SENNIT__VISITED))
		return;
	sennit__worker_begin(w->worker);
	sennit__worker_queue(w->worker, &new_job(w, SENNIT__HANDLER)->task);
	sennit__worker_leave(w->worker);
}

static void the_descriptor_tells_what_a_visitor_leaves(void)
{
	struct world *w = make(1);

	model_thread(visit_and_queue, w);
	poll_until(w, 1);
}

static void visitors_wait_for_each_other(void)
{
	struct world *w = make(1);

	for (int i = 0; i < 2; i++)
		model_thread(visit, w);
	visit(w);
	model_join();
	model_assert(w->visits == 3);
	sennit__worker_fini(w->worker);
}

/* Runs the worker where no other thread does; waits for a visitor. */
static void run_once(void *world)
{
	struct world *w = world;

	if (!sennit__worker_enter(w->worker, SENNIT__RUNNING))
		return;
	w->visits += 10;
	sennit__worker_turn(w->worker, SENNIT__TURN);
	sennit__worker_leave(w->worker);
}

static void a_visitor_is_refused_by_who_runs_and_waited_for(void)
{
	struct world *w = make(1);

	model_thread(visit, w);
	run_once(w);
	model_join();
	model_outcome("%d", w->visits);
	sennit__worker_fini(w->worker);
}

static void of_two_that_run_one_may_be_refused(void)
{
	struct world *w = make(1);

	model_thread(run_once, w);
	run_once(w);
	model_join();
	model_outcome("%d", w->visits);
	sennit__worker_fini(w->worker);
}

static void what_is_sent_has_run_when_its_sender_has_visited(void)
{
	struct world *w = make(1);

	model_thread(visit, w);
	send_message(w);
	visit(w);
	model_assert(w->ran == 1);
	model_join();
	model_assert(w->worker->begun == 1 && w->worker->ended == 1);
	sennit__worker_fini(w->worker);
}

static void what_is_sent_to_who_leaves_is_not_left(void)
{
	struct world *w = make(1);

	model_thread(send_two_messages, w);
	run_once(w);
	run_once(w);
	poll_until(w, 2);
}

/* --- the end of work -------------------------------------------------------------------------- */

static void park_and_run(void *world)
{
	struct world *w = world;
	struct sennit__worker *other = w->runtime->worker[1];

	sennit__worker_adopt(other);
	sennit__worker_park(other);
	sennit__worker_turn(other, SENNIT__TURN);
	sennit__worker_leave(other);
}

/* A worker that announces its sleep, finds that something was injected and takes it is not mistaken
 * for one that sleeps. */
static void what_a_worker_takes_as_it_falls_asleep_is_not_overlooked(void)
{
	struct world *w = make(2);
	struct sennit__worker *other = w->runtime->worker[1];

	sennit__store_relaxed_u64(&w->runtime->guards, 0);
	w->job = new_job(NULL, SENNIT__HANDLER);
	model_assert(sennit__worker_claim(other, SENNIT__RUNNING));
	model_assert(sennit__inbox_take_parked(&other->inbox)); /* it has just been woken */
	other->wakes_owed--;
	model_assert(!sennit__inbox_push(&other->inject, &w->job->task));
	model_thread(park_and_run, w);
	enter(w);
	if (sennit__idle_announce(w->worker, SENNIT__ASLEEP)) {
		if (sennit__work_none_left(w->worker))
			model_assert(w->job->ran == 1);
		sennit__idle_retract(w->worker);
	}
	end(w);
}

#define SCENARIO(NAME) {.name = #NAME, .run = NAME, .preemptions = MODEL_ALL}

const struct model_scenario model_scenarios[] = {
	SCENARIO(two_that_one_thread_sends_wake),
	SCENARIO(one_that_each_of_two_threads_sends_wakes),
	SCENARIO(two_that_one_thread_injects_wake),
	SCENARIO(one_sent_and_one_injected_wake),
	{.name = "two_sent_and_one_injected_wake",
	 .run = two_sent_and_one_injected_wake,
	 .preemptions = 3},
	SCENARIO(the_word_to_exit_wakes),
	SCENARIO(the_word_to_stop_wakes),
	SCENARIO(the_word_to_exit_wakes_among_tasks),
	{.name = "the_word_to_exit_wakes_among_all_that_does",
	 .run = the_word_to_exit_wakes_among_all_that_does,
	 .preemptions = 3},
	SCENARIO(that_the_runtime_is_destroyed_wakes),
	SCENARIO(what_is_sent_after_destroy_began_ends_with_shutdown),
	SCENARIO(who_is_woken_sees_what_was_done_before),
	SCENARIO(two_workers_send_to_each_other),
	SCENARIO(the_worker_is_freed_when_its_sender_has_paid),
	SCENARIO(the_worker_is_freed_when_both_senders_have_paid),
	SCENARIO(the_descriptor_tells_what_one_sends_to_a_worker_nobody_is_inside),
	SCENARIO(the_descriptor_tells_what_two_send_to_a_worker_nobody_is_inside),
	SCENARIO(the_descriptor_tells_what_a_visitor_leaves),
	SCENARIO(visitors_wait_for_each_other),
	{.name = "a_visitor_is_refused_by_who_runs_and_waited_for",
	 .run = a_visitor_is_refused_by_who_runs_and_waited_for,
	 .preemptions = MODEL_ALL,
	 .outcomes = "10 11"},
	{.name = "of_two_that_run_one_may_be_refused",
	 .run = of_two_that_run_one_may_be_refused,
	 .preemptions = MODEL_ALL,
	 .outcomes = "10 20"},
	SCENARIO(what_is_sent_has_run_when_its_sender_has_visited),
	SCENARIO(what_is_sent_to_who_leaves_is_not_left),
	SCENARIO(what_a_worker_takes_as_it_falls_asleep_is_not_overlooked),
	{0},
};
