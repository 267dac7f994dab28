/* SPDX-License-Identifier: MIT */
/* object_cancel.c - cancel and stamps (io/object.h), over the whole library: what was started
 * before a cancel ends with -ECANCELED or with its result, what was started after is untouched.
 */
#include "tests/model/object.h"

static void tell_and_cancel(void *argument)
{
	struct world *w = argument;

	w->told = 1;
	sennit_cancel(&w->object.stream);
}

static void send_one(void *argument)
{
	struct world *w = argument;

	kernel_send(w->fd, "x");
}

static void a_cancel_elsewhere_ends_what_was_started_before(void)
{
	struct world *w = world_new("");

	w->call[0].told = w->call[1].told = &w->told;
	call_read(&w->object, &w->call[0]);
	call_read(&w->object, &w->call[1]);
	model_thread(tell_and_cancel, w);
	drive(w);
	model_assert(was_canceled(&w->call[0]) && was_canceled(&w->call[1]));
	world_end(w);
}

static void a_cancel_against_a_result_ends_a_read_once(void)
{
	struct world *w = world_new("");

	w->call[0].told = &w->told;
	kernel_announce_sender(w->fd);
	call_read(&w->object, &w->call[0]);
	model_thread(tell_and_cancel, w);
	model_thread(send_one, w);
	drive(w);
	model_assert(was_canceled(&w->call[0]) || was_served(&w->call[0]));
	model_outcome("%s", w->call[0].error ? "canceled" : "served");
	world_end(w);
}

/* --- starts and cancels ----------------------------------------------------------------------- */

static void cancel_and_start(void *argument)
{
	struct world *w = argument;

	tell_and_cancel(w);
	call_read(&w->object, &w->call[1]);
	kernel_send(w->fd, "xy");
}

static void a_start_after_a_cancel_elsewhere_is_untouched(void)
{
	struct world *w = world_new("");

	w->call[0].told = &w->told;
	kernel_announce_sender(w->fd);
	call_read(&w->object, &w->call[0]);
	model_thread(cancel_and_start, w);
	drive(w);
	model_join();
	drive(w);
	model_assert(was_canceled(&w->call[0]) || was_served(&w->call[0]));
	model_assert(was_served(&w->call[1]));
	model_outcome("%s", w->call[0].error ? "canceled" : "served");
	world_end(w);
}

static void start_and_cancel(void *argument)
{
	struct world *w = argument;

	call_read(&w->object, &w->call[0]);
	sennit_cancel(&w->object.stream);
}

static void a_cancel_after_a_start_elsewhere_finds_it(void)
{
	struct world *w = world_new("");

	model_thread(start_and_cancel, w);
	drive(w);
	model_join();
	drive(w);
	model_assert(was_canceled(&w->call[0]));
	world_end(w);
}

static void start_and_send(void *argument)
{
	struct world *w = argument;

	call_read(&w->object, &w->call[0]);
	kernel_send(w->fd, "xy");
}

static void on_owner_cancel_and_start(struct sennit_task *task, int error)
{
	struct world *w = posted_by(task);

	(void)error;
	tell_and_cancel(w);
	call_read(&w->object, &w->call[1]);
}

static void the_owners_cancel_against_a_start_elsewhere(void)
{
	struct world *w = world_new("");

	w->call[0].told = &w->told;
	kernel_announce_sender(w->fd);
	post(w, on_owner_cancel_and_start);
	model_thread(start_and_send, w);
	drive(w);
	model_join();
	drive(w);
	model_assert(was_canceled(&w->call[0]) || was_served(&w->call[0]));
	model_assert(was_served(&w->call[1]));
	model_outcome("%s", w->call[0].error ? "canceled" : "served");
	world_end(w);
}

/* --- several cancels -------------------------------------------------------------------------- */

static void two_cancels_elsewhere_send_one_message_at_a_time(void)
{
	struct world *w = world_new("");

	call_read(&w->object, &w->call[0]);
	model_thread(cancel, w);
	model_thread(cancel, w);
	drive(w);
	model_assert(was_canceled(&w->call[0]));
	world_end(w);
}

static void on_owner_cancel(struct sennit_task *task, int error)
{
	(void)error;
	cancel(posted_by(task));
}

static void a_cancel_on_the_owner_and_two_elsewhere(void)
{
	struct world *w = world_new("");

	call_read(&w->object, &w->call[0]);
	post(w, on_owner_cancel);
	model_thread(cancel, w);
	model_thread(cancel, w);
	drive(w);
	model_assert(was_canceled(&w->call[0]));
	world_end(w);
}

static void cancel_start_cancel(void *argument)
{
	struct world *w = argument;

	cancel(w);
	call_read(&w->object, &w->call[0]);
	cancel(w);
}

static void a_cancel_while_the_message_of_another_is_received_is_not_lost(void)
{
	struct world *w = world_new("");

	model_thread(cancel_start_cancel, w);
	cancel(w); /* its message may come after the start, and before the third cancel */
	look(w);
	model_join();
	drive(w);
	model_assert(was_canceled(&w->call[0]));
	world_end(w);
}

/* --- writes and waits ------------------------------------------------------------------------- */

static void a_cancel_elsewhere_ends_a_write_and_a_wait(void)
{
	struct world *w = world_new("");

	w->call[0].told = w->call[1].told = &w->told;
	kernel_take_nothing(w->fd);
	w->call[0].started = w->call[1].started = true;
	sennit_async_write(&w->object.stream, &w->call[0].data, 1, &w->call[0].op, on_end);
	sennit_async_wait(&w->object.stream, SENNIT_WAIT_READ, &w->call[1].op, on_end);
	model_thread(tell_and_cancel, w);
	drive(w);
	model_assert(was_canceled(&w->call[0]) && was_canceled(&w->call[1]));
	world_end(w);
}

const struct model_scenario model_scenarios[] = {
	{.name = "a_cancel_elsewhere_ends_what_was_started_before",
	 .run = a_cancel_elsewhere_ends_what_was_started_before,
	 .preemptions = MODEL_ALL},
	{.name = "a_cancel_against_a_result_ends_a_read_once",
	 .run = a_cancel_against_a_result_ends_a_read_once,
	 .preemptions = MODEL_ALL,
	 .outcomes = "canceled served"},
	{.name = "a_start_after_a_cancel_elsewhere_is_untouched",
	 .run = a_start_after_a_cancel_elsewhere_is_untouched,
	 .preemptions = MODEL_ALL,
	 .outcomes = "canceled served"},
	{.name = "a_cancel_after_a_start_elsewhere_finds_it",
	 .run = a_cancel_after_a_start_elsewhere_finds_it,
	 .preemptions = MODEL_ALL},
	{.name = "the_owners_cancel_against_a_start_elsewhere",
	 .run = the_owners_cancel_against_a_start_elsewhere,
	 .preemptions = MODEL_ALL,
	 .outcomes = "canceled served"},
	{.name = "two_cancels_elsewhere_send_one_message_at_a_time",
	 .run = two_cancels_elsewhere_send_one_message_at_a_time,
	 .preemptions = 3},
	{.name = "a_cancel_on_the_owner_and_two_elsewhere",
	 .run = a_cancel_on_the_owner_and_two_elsewhere,
	 .preemptions = 3},
	{.name = "a_cancel_while_the_message_of_another_is_received_is_not_lost",
	 .run = a_cancel_while_the_message_of_another_is_received_is_not_lost,
	 .preemptions = 3},
	{.name = "a_cancel_elsewhere_ends_a_write_and_a_wait",
	 .run = a_cancel_elsewhere_ends_a_write_and_a_wait,
	 .preemptions = MODEL_ALL},
	{0},
};
