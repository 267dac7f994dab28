/* SPDX-License-Identifier: MIT */
/* slab_narrow.c - a slab (runtime/queue/slab.h) of two chunks, of 2 and of 4 cells, and of two
 * tags: how it grows, that it ends, and what a tag is worth.
 */
#include "tests/model/cells.h"

#include <string.h>

enum { FIRST = 2, ALL = 6 };

struct world {
	struct sennit__slab *slab;
	struct sennit__atomic_u32 got; /* cells that were had */
};

/* A slab of which `carved` cells are held. */
static struct world *make(int carved)
{
	struct world *w = model_new(sizeof *w);

	w->slab = cells_new();
	for (int i = 0; i < carved; i++)
		cell_get(w->slab);
	return w;
}

static bool try_get(const struct world *w)
{
	struct cell *cell = sennit__slab_get(w->slab);

	if (!cell)
		return false;
	model_assert(!cell->uses); /* a new one */
	cell_hold(cell);
	return true;
}

static void take(void *argument)
{
	struct world *w = argument;

	if (try_get(w))
		(void)sennit__fetch_add_relaxed_u32(&w->got, 1);
}

static void take_two(void *argument)
{
	take(argument);
	take(argument);
}

/* Each cell was had once, and the chunks are as many as that takes, and not more. */
static void check(struct world *w, uint32_t held)
{
	for (uint32_t i = 0; i < held; i++)
		model_assert(((struct cell *)sennit__slab_at(w->slab, i))->uses == 1);
	cells_end(w->slab, held, 2); /* the world and the slab */
}

static void two_threads_need_a_new_chunk_at_once(void)
{
	struct world *w = make(FIRST);

	model_thread(take_two, w);
	model_thread(take_two, w);
	model_join();
	model_assert(w->got.value == 4 && model_blocks() == 4);
	check(w, FIRST + 4);
}

static void three_threads_carve_two_chunks(void)
{
	struct world *w = make(0);

	for (int i = 0; i < 3; i++)
		model_thread(take, w);
	model_join();
	model_assert(w->got.value == 3 && model_blocks() == 4);
	check(w, 3);
}

static void the_last_cell_goes_to_one(void)
{
	struct world *w = make(ALL - 1);

	model_thread(take, w);
	model_thread(take, w);
	model_join();
	model_assert(w->got.value == 1);
	check(w, ALL);
}

static void put_back(void *argument)
{
	struct world *w = argument;
	struct cell *cell = sennit__slab_at(w->slab, 3);

	memset(cell->rest, 1, sizeof cell->rest);
	cell_put(w->slab, cell);
}

static void what_is_put_back_is_had_again_where_all_are_carved(void)
{
	struct world *w = make(ALL);
	struct cell *cell;

	model_thread(put_back, w);
	cell = sennit__slab_get(w->slab);
	model_join();
	model_outcome("%s", cell ? "had" : "none");
	if (!cell)
		cell = sennit__slab_get(w->slab);
	model_assert(cell && cell->head.index == 3 && !cell->held && cell->rest[0] == 1);
	model_assert(!sennit__slab_get(w->slab));
}

static void take_one(void *argument)
{
	const struct world *w = argument;

	cell_get(w->slab);
}

/* Takes `count` and gives the first one back: so many changes and one. */
static void take_some_and_give_one_back(const struct world *w, int count)
{
	struct cell *first = cell_get(w->slab);

	for (int i = 1; i < count; i++)
		cell_get(w->slab);
	cell_put(w->slab, first);
}

static void three_changes(void *argument)
{
	take_some_and_give_one_back(argument, 2);
}

static void four_changes(void *argument)
{
	take_some_and_give_one_back(argument, 3);
}

static void run(void (*changes)(void *), int left)
{
	struct world *w = make(0);

	cells_leave(w->slab, left);
	model_thread(take_one, w);
	model_thread(changes, w);
	model_join();
	while (w->slab->free.value & UINT32_MAX) /* what is free nobody holds */
		cell_get(w->slab);
}

static void a_head_that_is_back_with_the_other_tag_is_told(void)
{
	run(three_changes, 2);
}

static void a_head_that_is_back_with_its_old_tag_is_not(void)
{
	run(four_changes, 3);
}

const struct model_scenario model_scenarios[] = {
	{.name = "two_threads_need_a_new_chunk_at_once",
	 .run = two_threads_need_a_new_chunk_at_once,
	 .preemptions = MODEL_ALL},
	{.name = "three_threads_carve_two_chunks",
	 .run = three_threads_carve_two_chunks,
	 .preemptions = MODEL_ALL},
	{.name = "the_last_cell_goes_to_one",
	 .run = the_last_cell_goes_to_one,
	 .preemptions = MODEL_ALL},
	{.name = "what_is_put_back_is_had_again_where_all_are_carved",
	 .run = what_is_put_back_is_had_again_where_all_are_carved,
	 .preemptions = MODEL_ALL,
	 .outcomes = "had none"},
	{.name = "a_head_that_is_back_with_the_other_tag_is_told",
	 .run = a_head_that_is_back_with_the_other_tag_is_told,
	 .preemptions = MODEL_ALL},
	{.name = "a_head_that_is_back_with_its_old_tag_is_not",
	 .run = a_head_that_is_back_with_its_old_tag_is_not,
	 .preemptions = MODEL_ALL,
	 .fails = "!cell->held"},
	{0},
};
