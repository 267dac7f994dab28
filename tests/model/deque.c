/* SPDX-License-Identifier: MIT */
/* deque.c - the ring that is stolen from (runtime/queue/deque.h) and its rest: who takes what, and
 * what those who took it see; deque_narrow.c has a ring that is full and indices that run over.
 */
#include "tests/model/deque.h"

/* --- the ring --------------------------------------------------------------------------------- */

static void an_owner_and_a_thief_share_what_is_pushed(void)
{
	struct world *w = make();
	struct taker *owner = taker(w, 0);
	struct taker *thief = start_thief(w, 2);

	for (int i = 0; i < 3; i++)
		model_assert(push(w));
	take(owner);
	take(owner);
	check(w, owner, thief, NULL);
}

static void the_last_one_goes_to_one_of_three(void)
{
	struct world *w = make();
	struct taker *owner = taker(w, 0);
	struct taker *first, *second;

	model_assert(push(w));
	first = start_thief(w, 1);
	second = start_thief(w, 1);
	take(owner);
	check(w, owner, first, second);
}

static void two_thieves_take_halves(void)
{
	struct world *w = make();
	struct taker *owner = taker(w, 0);
	struct taker *first, *second;

	for (int i = 0; i < 4; i++)
		model_assert(push(w));
	first = start_thief(w, 1);
	second = start_thief(w, 1);
	take(owner);
	model_assert(push(w));
	check(w, owner, first, second);
	model_assert(first->taken >= 1 && second->taken >= 1);
}

/* What was there before the call, and is taken by nobody else, is found. */
static void who_finds_nothing_came_after_another(void)
{
	struct world *w = make();
	struct taker *owner = taker(w, 0);
	struct taker *first, *second;

	model_assert(push(w));
	model_assert(push(w));
	first = start_thief(w, 1);
	second = start_thief(w, 1);
	model_join();
	model_assert(first->taken == 1 && second->taken == 1);
	check(w, owner, first, second);
}

/* --- the rest --------------------------------------------------------------------------------- */

static struct sennit_task *chain_of(struct world *w, int count)
{
	struct sennit_task *chain = NULL;

	for (int i = count; i--;) {
		struct item *item = model_new(sizeof *item);

		item->number = w->pushed + i;
		item->task.next_ = chain;
		chain = &item->task;
	}
	w->pushed += count;
	return chain;
}

static void take_chain(void *argument)
{
	struct taker *t = argument;
	struct sennit_task *chain = sennit__deque_take_rest(t->world->deque);

	while (chain) {
		struct sennit_task *next = chain->next_;

		take_item(t, chain);
		chain = next;
	}
}

/* Takes the rest, runs the first task of it, and keeps the others. */
static void take_first(struct taker *t)
{
	struct sennit_task *chain = sennit__deque_take_rest(t->world->deque);
	struct sennit_task *next = chain ? chain->next_ : NULL;

	if (chain)
		take_item(t, chain);
	sennit__deque_keep_rest(t->world->deque, next);
}

static void the_rest_goes_to_one_at_a_time(void)
{
	struct world *w = make();
	struct taker *owner = taker(w, 0);
	struct taker *first = taker(w, 0);
	struct taker *second = taker(w, 0);

	model_thread(take_chain, first);
	model_thread(take_chain, second);
	sennit__deque_keep_rest(w->deque, chain_of(w, 3));
	take_first(owner);
	take_first(owner);
	model_join();
	while (w->deque->rest_kept)
		take_first(owner);
	check(w, owner, first, second);
}

/* The same task is the first of the next rest, while a thief still looks at the one before. */
static void a_rest_that_begins_with_the_same_task_is_taken_whole(void)
{
	struct world *w = make();
	struct taker *owner = taker(w, 0);
	struct taker *thief = taker(w, 0);
	struct sennit_task *chain = chain_of(w, 1);

	model_thread(take_chain, thief);
	sennit__deque_keep_rest(w->deque, chain);
	if (sennit__deque_take_rest(w->deque)) {
		chain->next_ = chain_of(w, 1);
		sennit__deque_keep_rest(w->deque, chain);
	}
	model_join();
	while (w->deque->rest_kept)
		take_first(owner);
	check(w, owner, thief, NULL);
}

#define SCENARIO(NAME) {.name = #NAME, .run = NAME, .preemptions = MODEL_ALL}

const struct model_scenario model_scenarios[] = {
	SCENARIO(an_owner_and_a_thief_share_what_is_pushed),
	SCENARIO(the_last_one_goes_to_one_of_three),
	SCENARIO(two_thieves_take_halves),
	SCENARIO(who_finds_nothing_came_after_another),
	SCENARIO(the_rest_goes_to_one_at_a_time),
	SCENARIO(a_rest_that_begins_with_the_same_task_is_taken_whole),
	{0},
};
