/* SPDX-License-Identifier: MIT */
/* object_close.c - close, is_open, release and the slot's next life (io/object.h), over the whole
 * library, for descriptors. Streams of a type are object_stream.c's.
 */
#include "tests/model/object.h"

static void close_it(void *argument)
{
	struct world *w = argument;

	sennit_close(&w->object.stream);
}

static void tell_and_close(void *argument)
{
	struct world *w = argument;

	w->told = 1;
	sennit_close(&w->object.stream);
}

static void two_closes_elsewhere_close_once(void)
{
	struct world *w = world_new("");

	call_read(&w->object, &w->call[0]);
	model_thread(close_it, w);
	model_thread(close_it, w);
	drive(w);
	model_assert(was_canceled(&w->call[0]));
	model_join();
	model_assert(!sennit_is_open(&w->object.stream));
	drive(w);
	model_assert(!kernel_is_open(w->fd));
	world_end(w);
}

static void start(void *argument)
{
	struct world *w = argument;

	call_read(&w->object, &w->call[1]);
}

static void check_refused(struct call *c)
{
	model_assert(c->error == -ECANCELED || c->error == -EBADF);
}

static void a_start_elsewhere_against_a_close_elsewhere(void)
{
	struct world *w = world_new("");

	w->call[1].told = &w->told;
	model_thread(tell_and_close, w);
	model_thread(start, w);
	look(w);
	model_join();
	drive(w);
	check_refused(&w->call[1]);
	model_outcome("%s", w->call[1].error == -EBADF ? "closed" : "canceled");
	world_end(w);
}

static void start_both(struct sennit_task *task, int error)
{
	struct world *w = posted_by(task);

	(void)error;
	call_read(&w->object, &w->call[0]);
	call_read(&w->object, &w->call[1]);
}

static void starts_on_the_owner_against_a_close_elsewhere(void)
{
	struct world *w = world_new("x");

	w->call[0].told = w->call[1].told = &w->told;
	post(w, start_both);
	model_thread(tell_and_close, w);
	drive(w);
	model_join();
	drive(w);
	check_refused(&w->call[1]);
	model_outcome("%d/%d", -w->call[0].error, -w->call[1].error);
	world_end(w);
}

static void start_and_close(void *argument)
{
	struct world *w = argument;

	start(w);
	sennit_close(&w->object.stream);
	sennit_close(&w->object.stream);
}

static void a_close_overtakes_a_start_of_the_same_thread_or_ends_it(void)
{
	struct world *w = world_new("");

	model_thread(start_and_close, w);
	drive(w);
	model_join();
	drive(w);
	model_assert(was_canceled(&w->call[1]));
	model_assert(!kernel_is_open(w->fd));
	world_end(w);
}

static void on_owner_close(struct sennit_task *task, int error)
{
	struct world *w = posted_by(task);

	(void)error;
	sennit_close(&w->object.stream);
	sennit_close(&w->object.stream);
}

static void the_owners_close_against_a_cancel_elsewhere(void)
{
	struct world *w = world_new("");

	post(w, on_owner_close);
	call_read(&w->object, &w->call[0]);
	model_thread(cancel, w);
	drive(w);
	model_assert(was_canceled(&w->call[0]));
	world_end(w);
}

/* --- who sees it ------------------------------------------------------------------------------ */

static void see_it_closed(void *argument)
{
	struct world *w = argument;

	if (!sennit_is_open(&w->object.stream)) {
		model_assert(w->told);
		model_outcome("seen");
	} else {
		model_outcome("not seen");
	}
	sennit_runtime_guard_put(w->runtime);
}

static void what_came_before_a_close_is_there_for_who_sees_it_closed(void)
{
	struct world *w = world_new("");

	sennit_runtime_guard_get(w->runtime);
	model_thread(tell_and_close, w);
	model_thread(see_it_closed, w);
	drive(w);
	world_end(w);
}

/* --- the handle's memory, and the slot's next life -------------------------------------------- */

struct own {
	struct sennit_descriptor handle;
	struct sennit_runtime *runtime;
};

static void close_and_free(void *argument)
{
	struct own *own = argument;
	struct sennit_runtime *runtime = own->runtime;

	sennit_close(&own->handle.stream);
	model_free(own);
	sennit_runtime_guard_put(runtime);
}

static void a_handle_may_be_freed_as_soon_as_close_has_returned(void)
{
	struct world *w = world_new("");
	struct own *own = model_new(sizeof *own);
	int fd = kernel_stream("");

	own->runtime = w->runtime;
	model_assert(sennit_descriptor_assign(&own->handle, w->executor, fd) == 0);
	sennit_runtime_guard_get(w->runtime);
	model_thread(close_and_free, own);
	drive(w);
	model_join();
	drive(w);
	model_assert(!kernel_is_open(fd));
	world_end(w);
}

/* The handle of the first life, as somebody who was not told still has it. */
struct stale {
	struct sennit_descriptor handle;
	struct world *world;
};

static struct stale *stale_new(struct world *w)
{
	struct stale *s = model_new(sizeof *s);

	w->blocks++;
	s->handle = w->object;
	s->world = w;
	return s;
}

static void cancel_stale(void *argument)
{
	sennit_cancel(&((struct stale *)argument)->handle.stream);
}

static void close_stale(void *argument)
{
	sennit_close(&((struct stale *)argument)->handle.stream);
}

static void start_stale(void *argument)
{
	struct stale *s = argument;

	call_read(&s->handle, &s->world->call[1]);
}

/* On the owner: closes and opens again at once, a byte being there to be read. */
static void on_owner_reopen(struct sennit_task *task, int error)
{
	struct world *w = posted_by(task);

	(void)error;
	sennit_close(&w->object.stream);
	w->fd = kernel_stream("x");
	model_assert(sennit_descriptor_assign(&w->object, w->executor, w->fd) == 0);
	call_read(&w->object, &w->call[0]);
}

static void reopen_against(void (*function)(void *), void (*other)(void *))
{
	struct world *w = world_new("");
	struct stale *s = stale_new(w);
	const struct sennit__slot *slot = w->object.stream.object_.slot_;

	post(w, on_owner_reopen);
	model_thread(function, s);
	if (other)
		model_thread(other, s);
	drive(w);
	model_join();
	drive(w);
	model_assert(was_served(&w->call[0]));
	if (w->call[1].started)
		check_refused(&w->call[1]);
	model_outcome("%s", w->object.stream.object_.slot_ == slot ? "same" : "another");
	world_end(w);
}

static void a_stale_cancel_leaves_the_next_life_alone(void)
{
	reopen_against(cancel_stale, NULL);
}

static void a_stale_close_leaves_the_next_life_alone(void)
{
	reopen_against(close_stale, NULL);
}

static void a_stale_start_is_refused(void)
{
	reopen_against(start_stale, NULL);
}

static void a_slot_is_not_used_again_while_two_stale_messages_may_be_on_their_way(void)
{
	reopen_against(cancel_stale, close_stale);
}

struct second {
	struct sennit_descriptor object;
	struct world *world;
	int fd;
};

static void open_second(void *argument)
{
	struct second *s = argument;
	struct world *w = s->world;

	model_assert(sennit_descriptor_assign(&s->object, w->executor, s->fd) == 0);
	call_read(&s->object, &w->call[0]);
	sennit_runtime_guard_put(w->runtime);
}

static void a_slot_that_the_owner_frees_is_opened_elsewhere(void)
{
	struct world *w = world_new("");
	struct second *s = model_new(sizeof *s);

	w->blocks++;
	s->world = w;
	s->fd = kernel_stream("x");
	post(w, on_owner_close);
	sennit_runtime_guard_get(w->runtime);
	model_thread(open_second, s);
	drive(w);
	model_join();
	drive(w);
	model_assert(was_served(&w->call[0]));
	model_assert(sennit_is_open(&s->object.stream) && !sennit_is_open(&w->object.stream));
	model_outcome("%s", s->object.stream.object_.slot_ == w->object.stream.object_.slot_
				    ? "same" : "another");
	sennit_close(&s->object.stream);
	world_end(w);
}

/* --- release ---------------------------------------------------------------------------------- */

static void release(void *argument)
{
	struct world *w = argument;
	int fd = -1;

	model_assert(sennit_descriptor_release(&w->object, &fd) == 0);
	model_assert(fd == w->fd && kernel_is_open(fd));
	kernel_close(fd);
}

static void release_while_at_work(void *argument)
{
	struct world *w = argument;

	release(w);
	sennit_runtime_guard_put(w->runtime);
}

static void cancel_and_release_while_at_work(void *argument)
{
	struct world *w = argument;

	cancel(w);
	release_while_at_work(w);
}

static void release_against(void (*function)(void *))
{
	struct world *w = world_new("");

	sennit_runtime_guard_get(w->runtime);
	model_thread(function, w);
	drive(w);
	model_join();
	model_assert(!kernel_is_open(w->fd));
	world_end(w);
}

static void a_release_elsewhere_while_the_owner_is_at_work_or_is_not(void)
{
	release_against(release_while_at_work);
}

static void a_release_elsewhere_after_a_cancel_whose_message_is_on_its_way(void)
{
	release_against(cancel_and_release_while_at_work);
}

static void a_release_while_nobody_is_inside_ends_what_is_in_flight(void)
{
	struct world *w = world_new("");

	call_read(&w->object, &w->call[0]);
	look(w);
	call_read(&w->object, &w->call[1]);
	model_thread(release, w);
	model_join();
	drive(w);
	model_assert(was_canceled(&w->call[0]) && was_canceled(&w->call[1]));
	world_end(w);
}

/* --- destroy ---------------------------------------------------------------------------------- */

static void start_and_go(void *argument)
{
	struct world *w = argument;

	call_read(&w->object, &w->call[0]);
}

/* The last handler has run, and who started it is about to wake a worker that it found asleep. */
static void destroy_waits_for_a_wake_that_is_owed(void)
{
	struct world *w = world_new("x");

	kernel_let_eventfds_order();
	model_thread(start_and_go, w);
	look(w);
	if (w->call[0].ended)
		model_assert(sennit_runtime_destroy(w->runtime) == 0);
	model_join();
	model_outcome("%s", w->call[0].ended ? "destroyed" : "not ended");
	if (!w->call[0].ended)
		world_end(w);
	model_assert(kernel_open_count() == 0);
	model_assert(model_blocks() == w->blocks + kernel_blocks());
}

const struct model_scenario model_scenarios[] = {
	{.name = "two_closes_elsewhere_close_once",
	 .run = two_closes_elsewhere_close_once,
	 .preemptions = MODEL_ALL},
	{.name = "a_start_elsewhere_against_a_close_elsewhere",
	 .run = a_start_elsewhere_against_a_close_elsewhere,
	 .preemptions = MODEL_ALL,
	 .outcomes = "canceled closed"},
	{.name = "starts_on_the_owner_against_a_close_elsewhere",
	 .run = starts_on_the_owner_against_a_close_elsewhere,
	 .preemptions = MODEL_ALL,
	 .outcomes = "0/125 0/9 125/9 9/9"},
	{.name = "a_close_overtakes_a_start_of_the_same_thread_or_ends_it",
	 .run = a_close_overtakes_a_start_of_the_same_thread_or_ends_it,
	 .preemptions = MODEL_ALL},
	{.name = "the_owners_close_against_a_cancel_elsewhere",
	 .run = the_owners_close_against_a_cancel_elsewhere,
	 .preemptions = MODEL_ALL},
	{.name = "what_came_before_a_close_is_there_for_who_sees_it_closed",
	 .run = what_came_before_a_close_is_there_for_who_sees_it_closed,
	 .preemptions = MODEL_ALL,
	 .outcomes = "not seen seen"},
	{.name = "a_handle_may_be_freed_as_soon_as_close_has_returned",
	 .run = a_handle_may_be_freed_as_soon_as_close_has_returned,
	 .preemptions = MODEL_ALL},
	{.name = "a_stale_cancel_leaves_the_next_life_alone",
	 .run = a_stale_cancel_leaves_the_next_life_alone,
	 .preemptions = MODEL_ALL,
	 .outcomes = "another same"},
	{.name = "a_stale_close_leaves_the_next_life_alone",
	 .run = a_stale_close_leaves_the_next_life_alone,
	 .preemptions = MODEL_ALL,
	 .outcomes = "another same"},
	{.name = "a_stale_start_is_refused",
	 .run = a_stale_start_is_refused,
	 .preemptions = MODEL_ALL,
	 .outcomes = "same"},
	{.name = "a_slot_is_not_used_again_while_two_stale_messages_may_be_on_their_way",
	 .run = a_slot_is_not_used_again_while_two_stale_messages_may_be_on_their_way,
	 .preemptions = MODEL_ALL,
	 .outcomes = "another same"},
	{.name = "a_slot_that_the_owner_frees_is_opened_elsewhere",
	 .run = a_slot_that_the_owner_frees_is_opened_elsewhere,
	 .preemptions = MODEL_ALL,
	 .outcomes = "another same"},
	{.name = "a_release_elsewhere_while_the_owner_is_at_work_or_is_not",
	 .run = a_release_elsewhere_while_the_owner_is_at_work_or_is_not,
	 .preemptions = MODEL_ALL},
	{.name = "a_release_elsewhere_after_a_cancel_whose_message_is_on_its_way",
	 .run = a_release_elsewhere_after_a_cancel_whose_message_is_on_its_way,
	 .preemptions = MODEL_ALL},
	{.name = "a_release_while_nobody_is_inside_ends_what_is_in_flight",
	 .run = a_release_while_nobody_is_inside_ends_what_is_in_flight,
	 .preemptions = MODEL_ALL},
	{.name = "destroy_waits_for_a_wake_that_is_owed",
	 .run = destroy_waits_for_a_wake_that_is_owed,
	 .preemptions = MODEL_ALL,
	 .outcomes = "destroyed not ended"},
	{0},
};
