/* SPDX-License-Identifier: MIT */
/* timer.c - what other threads ask of a timer (io/timer.h), over the whole library: a change and
 * what its thread starts afterwards come in that order, however late the message is; a request that
 * comes too late for its timer does nothing to the next one in its slot.
 */
#include "runtime/base/atomic.h"
#include "tests/model/object.h"

struct timers {
	struct world w;
	struct sennit_timer timer;
	struct sennit_timer old; /* a handle of one that is closed, or will be */
	struct sennit__atomic_u32 expired; /* told by who set the expiry, when that was done */
};

static void wait_call(struct timers *t, int i)
{
	t->w.call[i].started = true;
	sennit_timer_async_wait(&t->timer, &t->w.call[i].op, on_end);
}

/* A timer that never expires. */
static void open_timer(struct timers *t)
{
	model_assert(sennit_timer_init(&t->timer, t->w.executor) == 0);
	model_assert(sennit_timer_expires_at(&t->timer, SENNIT_NEVER) == 0);
}

static struct timers *timers_new(void)
{
	struct timers *t = kernel_and(sizeof *t);

	world_init(&t->w, "");
	open_timer(t);
	return t;
}

static void timers_end(struct timers *t)
{
	model_join();
	sennit_timer_close(&t->timer);
	world_end(&t->w);
}

static const char *name_of(const struct call *c)
{
	if (!c->ended)
		return "pends";
	return c->error ? "ends" : "expires";
}

/* --- the expiry ------------------------------------------------------------------------------- */

static void expire_and_wait(void *argument)
{
	struct timers *t = argument;
	int answer = sennit_timer_expires_at(&t->timer, 0);

	model_assert(answer == -EINPROGRESS || answer == 0 || answer == 1);
	wait_call(t, 1);
}

static void a_change_elsewhere_comes_before_the_next_start(void)
{
	struct timers *t = timers_new();

	wait_call(t, 0);
	model_thread(expire_and_wait, t);
	drive(&t->w);
	model_join();
	drive(&t->w);
	model_assert(t->w.call[0].error == -ECANCELED && t->w.call[0].ended);
	model_assert(t->w.call[1].error == 0 && t->w.call[1].ended);
	timers_end(t);
}

static void cancel_timer(void *argument)
{
	struct timers *t = argument;

	sennit_timer_cancel(&t->timer);
}

/* The message that tells of the change is the canceller's, and may come after the start. */
static void a_change_whose_message_is_another_threads(void)
{
	struct timers *t = timers_new();

	wait_call(t, 0);
	model_thread(cancel_timer, t);
	model_thread(expire_and_wait, t);
	drive(&t->w);
	model_join();
	drive(&t->w);
	model_assert(t->w.call[0].error == -ECANCELED && t->w.call[0].ended);
	model_assert(t->w.call[1].ended);
	model_outcome("%s", name_of(&t->w.call[1]));
	timers_end(t);
}

static void expire(void *argument)
{
	struct timers *t = argument;

	sennit_timer_expires_at(&t->timer, 0);
}

static void two_changes_elsewhere_end_every_wait_and_one_stays(void)
{
	struct timers *t = timers_new();

	wait_call(t, 0);
	model_thread(expire, t);
	model_thread(expire, t);
	drive(&t->w);
	model_join();
	drive(&t->w);
	model_assert(t->w.call[0].error == -ECANCELED && t->w.call[0].ended);
	wait_call(t, 1);
	drive(&t->w);
	model_assert(t->w.call[1].error == 0 && t->w.call[1].ended);
	timers_end(t);
}

static void on_owner_never(struct sennit_task *task, int error)
{
	struct timers *t = (struct timers *)(void *)posted_by(task);

	(void)error;
	sennit_timer_expires_at(&t->timer, SENNIT_NEVER);
	wait_call(t, 2);
	sennit_timer_cancel(&t->timer);
}

static void the_owners_change_against_one_elsewhere(void)
{
	struct timers *t = timers_new();

	post(&t->w, on_owner_never);
	model_thread(expire_and_wait, t);
	look(&t->w);
	model_join();
	look(&t->w);
	model_assert(t->w.call[2].ended);
	model_outcome("%s+%s", name_of(&t->w.call[1]), name_of(&t->w.call[2]));
	timers_end(t);
}

static void expire_and_tell(void *argument)
{
	struct timers *t = argument;

	expire(t);
	sennit__store_release_u32(&t->expired, 1); /* to on_owner_never_again */
}

static void on_owner_never_again(struct sennit_task *task, int error)
{
	struct timers *t = (struct timers *)(void *)posted_by(task);

	(void)error;
	model_thread(cancel_timer, t);
	model_thread(expire_and_tell, t);
	if (!sennit__load_acquire_u32(&t->expired)) /* of expire_and_tell */
		return;
	sennit_timer_expires_at(&t->timer, SENNIT_NEVER);
	wait_call(t, 0);
}

/* Also where what tells of the other change is a third thread's message, which is on its way. */
static void the_owners_change_stands_where_another_came_before(void)
{
	struct timers *t = timers_new();

	post(&t->w, on_owner_never_again);
	look(&t->w);
	model_join();
	look(&t->w);
	model_assert(!t->w.call[0].ended || t->w.call[0].error == -ECANCELED);
	model_outcome("%s", t->w.call[0].started ? name_of(&t->w.call[0]) : "before");
	timers_end(t);
}

/* --- one of several --------------------------------------------------------------------------- */

static void cancel_one(void *argument)
{
	struct timers *t = argument;
	int answer = sennit_timer_cancel_one(&t->timer);

	model_assert(answer == -EINPROGRESS || answer == 1);
}

static void each_cancel_one_elsewhere_ends_one_wait(void)
{
	struct timers *t = timers_new();

	for (int i = 0; i < 3; i++)
		wait_call(t, i);
	model_thread(cancel_one, t);
	model_thread(cancel_one, t);
	look(&t->w);
	model_join();
	look(&t->w);
	model_assert(t->w.call[0].ended && t->w.call[1].ended && !t->w.call[2].ended);
	timers_end(t);
}

/* --- the next timer in the slot --------------------------------------------------------------- */

static void change_the_old(void *argument)
{
	struct timers *t = argument;
	int answer = sennit_timer_expires_at(&t->old, 0);

	model_assert(answer == -EINPROGRESS || answer == -EBADF || answer == 0);
}

static void cancel_one_of_the_old(void *argument)
{
	struct timers *t = argument;

	sennit_timer_cancel_one(&t->old);
}

static void reopen(struct sennit_task *task, int error)
{
	struct timers *t = (struct timers *)(void *)posted_by(task);

	(void)error;
	sennit_timer_close(&t->timer);
	open_timer(t);
	wait_call(t, 0);
}

static void a_late_request_does_nothing_to_the_next_timer(void)
{
	void (*const *late)(void *) = model_argument();
	struct timers *t = timers_new();

	t->old = t->timer;
	post(&t->w, reopen);
	model_thread(*late, t);
	look(&t->w);
	model_join();
	look(&t->w);
	model_assert(t->w.call[0].started && !t->w.call[0].ended);
	timers_end(t);
}

static void reopen_and_tell(struct sennit_task *task, int error)
{
	struct timers *t = (struct timers *)(void *)posted_by(task);

	reopen(task, error);
	model_thread(expire_and_wait, t);
}

static void a_late_request_does_not_undo_one_for_the_next_timer(void)
{
	void (*const *late)(void *) = model_argument();
	struct timers *t = timers_new();

	t->old = t->timer;
	post(&t->w, reopen_and_tell);
	model_thread(*late, t);
	drive(&t->w);
	model_join();
	drive(&t->w);
	model_assert(t->w.call[0].error == -ECANCELED && t->w.call[0].ended);
	model_assert(t->w.call[1].error == 0 && t->w.call[1].ended);
	timers_end(t);
}

static void (*const late_change)(void *) = change_the_old;
static void (*const late_cancel_one)(void *) = cancel_one_of_the_old;

/* Those of three threads: with one preemption more each takes minutes, for what it tells of one
 * message that overtakes another, which one preemption does. */
const struct model_scenario model_scenarios[] = {
	{.name = "a_change_elsewhere_comes_before_the_next_start",
	 .run = a_change_elsewhere_comes_before_the_next_start,
	 .preemptions = 4},
	{.name = "a_change_whose_message_is_another_threads",
	 .run = a_change_whose_message_is_another_threads,
	 .preemptions = 1,
	 .outcomes = "ends expires"},
	{.name = "two_changes_elsewhere_end_every_wait_and_one_stays",
	 .run = two_changes_elsewhere_end_every_wait_and_one_stays,
	 .preemptions = 1},
	{.name = "the_owners_change_against_one_elsewhere",
	 .run = the_owners_change_against_one_elsewhere,
	 .preemptions = 3,
	 .outcomes = "ends+ends ends+expires expires+ends expires+expires pends+ends"},
	{.name = "the_owners_change_stands_where_another_came_before",
	 .run = the_owners_change_stands_where_another_came_before,
	 .preemptions = 2,
	 .outcomes = "before ends pends"},
	{.name = "each_cancel_one_elsewhere_ends_one_wait",
	 .run = each_cancel_one_elsewhere_ends_one_wait,
	 .preemptions = 2},
	{.name = "a_late_change_does_nothing_to_the_next_timer",
	 .run = a_late_request_does_nothing_to_the_next_timer,
	 .preemptions = 4,
	 .argument = &late_change},
	{.name = "a_late_cancel_one_does_nothing_to_the_next_timer",
	 .run = a_late_request_does_nothing_to_the_next_timer,
	 .preemptions = 4,
	 .argument = &late_cancel_one},
	{.name = "a_late_change_does_not_undo_one_for_the_next_timer",
	 .run = a_late_request_does_not_undo_one_for_the_next_timer,
	 .preemptions = 2,
	 .enough = 100000,
	 .argument = &late_change},
	{0},
};
