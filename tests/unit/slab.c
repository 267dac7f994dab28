/* SPDX-License-Identifier: MIT */
/* slab.c - cells that never move. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/queue/slab.h"

enum { FIRST = 1 << SENNIT__SLAB_FIRST_BITS };

struct cell {
	struct sennit__cell head;
	unsigned char rest[120];
};

static void an_index_has_its_place_at_each_border_of_chunks(void **state)
{
	uint32_t begin = 0;

	(void)state;
	for (unsigned k = 0; k < SENNIT__SLAB_CHUNKS; k++) {
		uint32_t size = (uint32_t)FIRST << k, offset = 77;

		assert_int_equal(sennit__slab_place(begin, &offset), k);
		assert_int_equal(offset, 0);
		assert_int_equal(sennit__slab_place(begin + size - 1, &offset), k);
		assert_int_equal(offset, size - 1);
		if (begin) {
			assert_int_equal(sennit__slab_place(begin - 1, &offset), k - 1);
			assert_int_equal(offset, size / 2 - 1);
		}
		begin += size;
	}
}

static void cells_are_zeroed_apart_and_keep_index_and_address(void **state)
{
	enum { CELLS = 5 * FIRST };
	static struct cell *cells[CELLS];
	static const unsigned char zeros[sizeof cells[0]->rest];
	struct sennit__slab slab;

	(void)state;
	sennit__slab_init(&slab, sizeof(struct cell));
	for (uint32_t i = 0; i < CELLS; i++) {
		cells[i] = sennit__slab_get(&slab);
		assert_non_null(cells[i]);
		assert_int_equal(cells[i]->head.index, i);
		assert_memory_equal(cells[i]->rest, zeros, sizeof zeros);
		memset(cells[i]->rest, (int)(i % 251) + 1, sizeof cells[i]->rest);
	}
	assert_int_equal(sennit__slab_carved(&slab), CELLS);
	for (uint32_t i = 0; i < CELLS; i++) {
		unsigned char expected[sizeof cells[i]->rest];

		memset(expected, (int)(i % 251) + 1, sizeof expected);
		assert_ptr_equal(sennit__slab_at(&slab, i), cells[i]);
		assert_int_equal((uintptr_t)cells[i] % sizeof(struct cell), 0);
		assert_memory_equal(cells[i]->rest, expected, sizeof expected);
		assert_int_equal(cells[i]->head.index, i);
	}
	sennit__slab_fini(&slab);
}

static void freed_cells_come_first_and_nothing_new_is_carved(void **state)
{
	struct sennit__slab slab;
	struct cell *cells[300];
	bool seen[300] = { false };

	(void)state;
	sennit__slab_init(&slab, sizeof(struct cell));
	for (unsigned i = 0; i < 300; i++)
		cells[i] = sennit__slab_get(&slab);
	for (unsigned i = 0; i < 300; i++) {
		cells[i]->rest[0] = 1;
		sennit__slab_put(&slab, cells[i]);
	}
	for (unsigned i = 0; i < 300; i++) {
		struct cell *cell = sennit__slab_get(&slab);

		assert_true(cell->head.index < 300);
		assert_false(seen[cell->head.index]);
		assert_ptr_equal(cell, cells[cell->head.index]);
		seen[cell->head.index] = true;
		/* What the last user left is still there. */
		assert_int_equal(cell->rest[0], 1);
	}
	assert_int_equal(sennit__slab_carved(&slab), 300);
	assert_int_equal(((struct cell *)sennit__slab_get(&slab))->head.index, 300);
	sennit__slab_fini(&slab);
}

static void small_cells_may_be_smaller_than_a_cache_line(void **state)
{
	struct sennit__slab slab;

	(void)state;
	for (size_t size = 8; size <= 64; size *= 2) {
		struct sennit__cell *last = NULL;

		sennit__slab_init(&slab, size);
		for (uint32_t i = 0; i < 2 * FIRST; i++) {
			struct sennit__cell *cell = sennit__slab_get(&slab);

			assert_int_equal(cell->index, i);
			if (last && i % FIRST)
				assert_int_equal((char *)cell - (char *)last, size);
			last = cell;
		}
		sennit__slab_fini(&slab);
	}
}

struct told {
	unsigned kept;
	unsigned discarded;
	size_t size;
	char *chunk[3];
};

static void on_chunk(void *context, void *chunk, size_t size, bool keep)
{
	struct told *told = context;

	assert_in_range(told->kept, 0, 2);
	assert_int_equal(size % 4096, 0);
	assert_int_equal((uintptr_t)chunk % 4096, 0);
	if (keep) {
		told->size += size;
		told->chunk[told->kept++] = chunk;
	} else {
		/* still there */
		assert_ptr_equal(told->chunk[told->discarded++], chunk);
		memset(chunk, 0, size);
	}
}

static void who_cares_where_memory_lies_is_told_of_each_chunk(void **state)
{
	struct sennit__slab slab;
	struct told told = { 0 };

	(void)state;
	sennit__slab_init(&slab, sizeof(struct cell));
	slab.settle = on_chunk;
	slab.context = &told;
	for (uint32_t i = 0; i < FIRST + 1; i++) {
		char *cell = sennit__slab_get(&slab);

		assert_non_null(cell);
		assert_int_equal(told.kept, i < FIRST ? 1 : 2);
		assert_ptr_equal(cell, told.chunk[i / FIRST] + i % FIRST * sizeof(struct cell));
	}
	assert_int_equal(told.size, 3 * FIRST * sizeof(struct cell));
	assert_int_equal(told.discarded, 0);
	sennit__slab_fini(&slab);
	assert_int_equal(told.kept, 2);
	assert_int_equal(told.discarded, 2);
}

static void an_empty_slab_has_no_memory(void **state)
{
	struct sennit__slab slab;
	uint64_t before = allocations();

	(void)state;
	sennit__slab_init(&slab, 128);
	assert_int_equal(allocations(), before);
	assert_int_equal(sennit__slab_carved(&slab), 0);
	sennit__slab_fini(&slab);
	/* And can be used again. */
	sennit__slab_init(&slab, 128);
	assert_non_null(sennit__slab_get(&slab));
	sennit__slab_fini(&slab);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(an_index_has_its_place_at_each_border_of_chunks),
		TEST(cells_are_zeroed_apart_and_keep_index_and_address),
		TEST(freed_cells_come_first_and_nothing_new_is_carved),
		TEST(small_cells_may_be_smaller_than_a_cache_line),
		TEST(who_cares_where_memory_lies_is_told_of_each_chunk),
		TEST(an_empty_slab_has_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
