/* SPDX-License-Identifier: MIT */
/* object_narrow.c - the slot word's counters at their ends (io/object.h), with three generations
 * and four cancels before they begin anew.
 */
#include "tests/model/object.h"

#define LIVES (SENNIT__GENERATION_LAST + 1)

struct lives {
	struct world world;
	struct sennit_descriptor stale; /* of the first life */
	const struct sennit__slot *slot;
	int life;
};

static void open_again(struct world *w)
{
	w->fd = kernel_stream("x");
	model_assert(sennit_descriptor_assign(&w->object, w->executor, w->fd) == 0);
}

/* On the owner: one life after the other, each with a read that finds something. Once it has had
 * the last one the slot stays where it is. */
static void on_read(struct call *c)
{
	struct lives *l = (struct lives *)(void *)c->world;
	struct world *w = &l->world;
	struct sennit_descriptor last = w->object;

	model_assert(was_served(c));
	sennit_close(&w->object.stream);
	model_assert(!sennit_is_open(&last.stream));
	open_again(w);
	l->life++;
	if (l->life < LIVES) {
		model_assert(w->object.stream.object_.slot_ == l->slot);
		model_assert(w->object.stream.object_.generation_ == (unsigned)l->life);
		c->ended = 0;
		call_read(&w->object, c);
	} else {
		model_assert(w->object.stream.object_.slot_ != l->slot);
		model_assert(!sennit_is_open(&l->stale.stream));
		sennit_cancel(&last.stream); /* nothing, for ever */
		sennit_close(&last.stream);
		c->then = NULL;
		call_read(&last, &w->call[1]);
	}
}

static struct lives *lives_new(void)
{
	struct lives *l = kernel_and(sizeof *l);

	world_init(&l->world, "x");
	l->stale = l->world.object;
	l->slot = l->stale.stream.object_.slot_;
	l->world.call[0].then = on_read;
	return l;
}

static void run_lives(void (*function)(void *))
{
	struct lives *l = lives_new();

	call_read(&l->world.object, &l->world.call[0]);
	/* into the second life: the first handle is stale */
	model_assert(sennit_runtime_poll_one(l->world.runtime) == 1);
	if (function)
		model_thread(function, l);
	drive(&l->world);
	model_join();
	model_assert(l->world.call[1].error == -EBADF);
	world_end(&l->world);
}

static void a_slot_is_not_used_again_after_its_last_generation(void)
{
	run_lives(NULL);
}

static void cancel_and_close_stale(void *argument)
{
	struct lives *l = argument;

	sennit_cancel(&l->stale.stream);
	sennit_close(&l->stale.stream);
}

static void a_stale_handle_names_none_of_the_later_lives(void)
{
	run_lives(cancel_and_close_stale);
}

/* --- cancels ---------------------------------------------------------------------------------- */

#define ROUNDS 5 /* and one more than there are counts of cancels */

struct rounds {
	struct world world;
	int round;
};

/* On the owner: each round starts a read, which the next cancel ends. */
static void on_round(struct call *c)
{
	struct rounds *r = (struct rounds *)(void *)c->world;

	model_assert(was_canceled(c));
	if (++r->round > ROUNDS)
		return;
	c->ended = 0;
	call_read(&r->world.object, c);
	sennit_cancel(&r->world.object.stream);
}

static void the_count_of_cancels_begins_anew_beside_the_rest_of_the_word(void)
{
	struct rounds *r = kernel_and(sizeof *r);
	struct world *w = &r->world;

	world_init(w, "");
	w->call[0].then = on_round;
	call_read(&w->object, &w->call[0]);
	model_thread(cancel, w);
	drive(w);
	model_join();
	model_assert(r->round == ROUNDS + 1);
	model_assert(sennit_is_open(&w->object.stream));
	world_end(w);
}

static void three_cancels(void *argument)
{
	cancel(argument);
	cancel(argument);
	cancel(argument);
}

static void as_many_cancels_as_fit_end_what_was_started_before(void)
{
	struct world *w = world_new("");

	call_read(&w->object, &w->call[0]);
	model_thread(three_cancels, w);
	look(w);
	model_join();
	drive(w);
	model_assert(was_canceled(&w->call[0]));
	world_end(w);
}

const struct model_scenario model_scenarios[] = {
	{.name = "a_slot_is_not_used_again_after_its_last_generation",
	 .run = a_slot_is_not_used_again_after_its_last_generation,
	 .preemptions = MODEL_ALL},
	{.name = "a_stale_handle_names_none_of_the_later_lives",
	 .run = a_stale_handle_names_none_of_the_later_lives,
	 .preemptions = MODEL_ALL},
	{.name = "the_count_of_cancels_begins_anew_beside_the_rest_of_the_word",
	 .run = the_count_of_cancels_begins_anew_beside_the_rest_of_the_word,
	 .preemptions = MODEL_ALL},
	{.name = "as_many_cancels_as_fit_end_what_was_started_before",
	 .run = as_many_cancels_as_fit_end_what_was_started_before,
	 .preemptions = MODEL_ALL},
	{0},
};
