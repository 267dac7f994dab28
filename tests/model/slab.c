/* SPDX-License-Identifier: MIT */
/* slab.c - cells that threads take and give back (runtime/queue/slab.h). slab_narrow.c has what
 * small limits show: growth, exhaustion, the wrap of tags.
 */
#include "tests/model/cells.h"

struct world {
	struct sennit__slab *slab;
	struct cell *cell; /* handed over */
	struct sennit__atomic_u32 known; /* its index + 1 */
	int result;
};

static struct world *make(int left)
{
	struct world *w = model_new(sizeof *w);

	w->slab = cells_new();
	cells_leave(w->slab, left);
	return w;
}

static void take_and_give_back(void *argument)
{
	const struct world *w = argument;

	cell_put(w->slab, cell_get(w->slab));
}

static void take_and_give_back_twice(void *argument)
{
	take_and_give_back(argument);
	take_and_give_back(argument);
}

/* Counts the cells that are free, and takes them. */
static int free_cells(struct sennit__slab *slab)
{
	int count = 0;

	while (slab->free.value & UINT32_MAX) {
		cell_get(slab);
		count++;
	}
	return count;
}

static void run(int left, void (*first)(void *), void (*second)(void *), void (*third)(void *))
{
	struct world *w = make(left);

	model_thread(first, w);
	model_thread(second, w);
	if (third)
		model_thread(third, w);
	model_join();
	model_assert((uint32_t)free_cells(w->slab) == sennit__slab_carved(w->slab));
}

static void two_threads_never_hold_the_same_cell(void)
{
	run(1, take_and_give_back_twice, take_and_give_back_twice, NULL);
}

static void three_threads_never_hold_the_same_cell(void)
{
	run(1, take_and_give_back, take_and_give_back, take_and_give_back);
}

/* The cell that another thread took is back at the head, and what it linked to is not free. */
static void take_two_and_give_one_back(void *argument)
{
	const struct world *w = argument;
	struct cell *first = cell_get(w->slab);
	struct cell *second = cell_get(w->slab);

	cell_put(w->slab, first);
	cell_put(w->slab, cell_get(w->slab));
	cell_put(w->slab, second);
}

static void a_head_that_is_back_with_another_successor_is_told_by_its_tag(void)
{
	run(2, take_and_give_back_twice, take_two_and_give_one_back, NULL);
}

static void take_three_and_give_one_back(void *argument)
{
	const struct world *w = argument;
	struct cell *first = cell_get(w->slab);

	cell_get(w->slab);
	cell_get(w->slab);
	cell_put(w->slab, first);
}

static void a_head_that_is_back_after_four_changes_is_told_by_its_tag(void)
{
	struct world *w = make(3);

	model_thread(take_and_give_back_twice, w);
	model_thread(take_three_and_give_one_back, w);
	model_join();
	model_assert(free_cells(w->slab) <= 2);
}

static void two_threads_need_the_first_chunk_at_once(void)
{
	struct world *w = make(0);
	unsigned blocks = model_blocks();

	model_thread(take_and_give_back, w);
	take_and_give_back(w);
	model_join();
	model_assert(model_blocks() == blocks + 1);
	cells_end(w->slab, (uint32_t)free_cells(w->slab), blocks);
}

static void hand_over(void *argument)
{
	struct world *w = argument;
	struct cell *cell = cell_get(w->slab);

	sennit__store_release_u32(&w->known, cell->head.index + 1);
}

static void a_cell_is_found_by_its_index(void)
{
	struct world *w = make(0);
	uint32_t known;

	model_thread(hand_over, w);
	take_and_give_back(w);
	known = sennit__load_acquire_u32(&w->known);
	if (known) {
		struct cell *cell = sennit__slab_at(w->slab, known - 1);

		model_assert(cell->held && cell->head.index == known - 1);
		cell_put(w->slab, cell);
	}
	model_join();
}

static void take_and_look_at_the_last_use(void *argument)
{
	struct world *w = argument;
	struct cell *cell = cell_get(w->slab);

	w->result += cell->uses; /* the only one that is not with its first user */
	cell->uses = 100;
}

static void what_the_last_user_left_is_seen_by_the_next(void)
{
	struct world *w = make(1);

	model_thread(take_and_give_back_twice, w);
	take_and_look_at_the_last_use(w);
	model_join();
	model_outcome("%d", w->result);
}

const struct model_scenario model_scenarios[] = {
	{.name = "two_threads_never_hold_the_same_cell",
	 .run = two_threads_never_hold_the_same_cell,
	 .preemptions = MODEL_ALL},
	{.name = "three_threads_never_hold_the_same_cell",
	 .run = three_threads_never_hold_the_same_cell,
	 .preemptions = MODEL_ALL},
	{.name = "a_head_that_is_back_with_another_successor_is_told_by_its_tag",
	 .run = a_head_that_is_back_with_another_successor_is_told_by_its_tag,
	 .preemptions = MODEL_ALL},
	{.name = "a_head_that_is_back_after_four_changes_is_told_by_its_tag",
	 .run = a_head_that_is_back_after_four_changes_is_told_by_its_tag,
	 .preemptions = MODEL_ALL},
	{.name = "two_threads_need_the_first_chunk_at_once",
	 .run = two_threads_need_the_first_chunk_at_once,
	 .preemptions = MODEL_ALL},
	{.name = "a_cell_is_found_by_its_index",
	 .run = a_cell_is_found_by_its_index,
	 .preemptions = MODEL_ALL},
	{.name = "what_the_last_user_left_is_seen_by_the_next",
	 .run = what_the_last_user_left_is_seen_by_the_next,
	 .preemptions = MODEL_ALL,
	 .outcomes = "1 2 3 4"},
	{0},
};
