/* SPDX-License-Identifier: MIT */
/* deque_narrow.c - a ring (runtime/queue/deque.h) of two slots, whose indices have two bits: that
 * it is full, that a slot is not overwritten under a reader, and what an index is worth.
 */
#include "tests/model/deque.h"

static void a_slot_is_pushed_to_again_when_it_was_read(void)
{
	struct world *w = make();
	struct taker *owner = taker(w, 0);
	struct taker *thief = start_thief(w, 2);

	for (int i = 0; i < 4; i++)
		push(w);
	check(w, owner, thief, NULL);
}

static void an_owner_that_takes_and_pushes_meets_a_thief(void)
{
	struct world *w = make();
	struct taker *owner = taker(w, 0);
	struct taker *thief = start_thief(w, 2);

	for (int i = 0; i < 4; i++) {
		if (!push(w))
			take(owner);
	}
	check(w, owner, thief, NULL);
}

static void two_thieves_empty_a_full_ring(void)
{
	struct world *w = make();
	struct taker *owner = taker(w, 0);
	struct taker *first = start_thief(w, 1);
	struct taker *second = start_thief(w, 1);

	for (int i = 0; i < 3; i++)
		push(w);
	take(owner);
	push(w);
	check(w, owner, first, second);
}

/* The index runs over: the head that a thief has read comes back after four. */
static void push_and_take(struct world *w, struct taker *owner, int times)
{
	for (int i = 0; i < times; i++) {
		push(w);
		take(owner);
	}
}

static void a_head_that_moved_three_times_is_told(void)
{
	struct world *w = make();
	struct taker *owner = taker(w, 0);
	struct taker *thief;

	push(w);
	thief = start_thief(w, 1);
	take(owner);
	push_and_take(w, owner, 2);
	push(w);
	check(w, owner, thief, NULL);
}

static void a_head_that_came_back_is_not(void)
{
	struct world *w = make();
	struct taker *owner = taker(w, 0);
	struct taker *thief;

	push(w);
	thief = start_thief(w, 1);
	take(owner);
	push_and_take(w, owner, 3);
	push(w);
	check(w, owner, thief, NULL);
}

const struct model_scenario model_scenarios[] = {
	{.name = "a_slot_is_pushed_to_again_when_it_was_read",
	 .run = a_slot_is_pushed_to_again_when_it_was_read,
	 .preemptions = MODEL_ALL},
	{.name = "an_owner_that_takes_and_pushes_meets_a_thief",
	 .run = an_owner_that_takes_and_pushes_meets_a_thief,
	 .preemptions = MODEL_ALL},
	{.name = "two_thieves_empty_a_full_ring",
	 .run = two_thieves_empty_a_full_ring,
	 .preemptions = 3},
	{.name = "a_head_that_moved_three_times_is_told",
	 .run = a_head_that_moved_three_times_is_told,
	 .preemptions = MODEL_ALL},
	{.name = "a_head_that_came_back_is_not",
	 .run = a_head_that_came_back_is_not,
	 .preemptions = MODEL_ALL,
	 /* as a race or as use after free: whichever of two accesses the compiler puts first */
	 .fails = "allocated by"},
	{0},
};
