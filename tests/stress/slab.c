/* SPDX-License-Identifier: MIT */
/* slab.c - cells taken and given back by many threads: each cell is one thread's at a time. */
#include "support.h"

#include <stdlib.h>

#include "runtime/queue/slab.h"

enum { THREADS = 4, HELD_MAX = 200 };

struct cell {
	struct sennit__cell head;
	unsigned owner; /* plain: get and put order it */
	unsigned uses;
	char rest[48];
};

static struct sennit__slab slab;
static pthread_barrier_t barrier;
static unsigned rounds;
static unsigned uses[THREADS];

static unsigned next_random(unsigned *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static void *churn(void *argument)
{
	unsigned self = (unsigned)(uintptr_t)argument, random = self * 7919 + 1, held = 0;
	struct cell *cells[HELD_MAX];

	pthread_barrier_wait(&barrier);
	for (unsigned i = 0; i < rounds; i++) {
		/* Mostly few, so that one cell is fought for; sometimes many, so that new ones
		 * are carved at the same time. */
		unsigned target = next_random(&random) % (i % 1000 == 0 ? HELD_MAX : 4);

		while (held < target) {
			struct cell *cell = sennit__slab_get(&slab);

			RECORD(cell->owner == 0);
			RECORD(sennit__slab_at(&slab, cell->head.index) == cell);
			cell->owner = self + 1;
			cell->uses++;
			uses[self]++;
			cells[held++] = cell;
		}
		while (held > target) {
			struct cell *cell = cells[--held];

			RECORD(cell->owner == self + 1);
			cell->owner = 0;
			sennit__slab_put(&slab, cell);
		}
		if (i % 4096 == 0)
			progress();
	}
	while (held) {
		cells[--held]->owner = 0;
		sennit__slab_put(&slab, cells[held]);
	}
	return NULL;
}

static void a_cell_belongs_to_one_thread_at_a_time_and_none_is_lost(void **state)
{
	pthread_t threads[THREADS];
	unsigned expected = 0, found = 0, carved;

	(void)state;
	rounds = 200000 * scale();
	sennit__slab_init(&slab, sizeof(struct cell));
	pthread_barrier_init(&barrier, NULL, THREADS);
	for (unsigned i = 0; i < THREADS; i++) {
		uses[i] = 0;
		threads[i] = spawn(churn, (void *)(uintptr_t)i);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		join(threads[i]);
		expected += uses[i];
	}
	/* All of them are in the free list, each once. */
	carved = sennit__slab_carved(&slab);
	assert_true(carved <= THREADS * HELD_MAX);
	for (unsigned i = 0; i < carved; i++) {
		struct cell *cell = sennit__slab_get(&slab);

		assert_int_equal(cell->owner, 0);
		cell->owner = 1;
		found += cell->uses;
	}
	assert_int_equal(sennit__slab_carved(&slab), carved);
	assert_int_equal(found, expected);
	pthread_barrier_destroy(&barrier);
	sennit__slab_fini(&slab);
}

static void *first_get(void *argument)
{
	struct cell **cell = argument;

	pthread_barrier_wait(&barrier);
	*cell = sennit__slab_get(&slab);
	return NULL;
}

static void threads_that_need_the_same_new_chunk_share_it(void **state)
{
	(void)state;
	pthread_barrier_init(&barrier, NULL, THREADS);
	for (unsigned round = 0; round < 200 * scale(); round++) {
		pthread_t threads[THREADS];
		struct cell *cells[THREADS];

		sennit__slab_init(&slab, sizeof(struct cell));
		for (unsigned i = 0; i < THREADS; i++)
			threads[i] = spawn(first_get, &cells[i]);
		for (unsigned i = 0; i < THREADS; i++)
			join(threads[i]);
		assert_int_equal(sennit__slab_carved(&slab), THREADS);
		for (unsigned i = 0; i < THREADS; i++) {
			assert_ptr_equal(sennit__slab_at(&slab, cells[i]->head.index), cells[i]);
			for (unsigned k = 0; k < i; k++)
				assert_ptr_not_equal(cells[i], cells[k]);
		}
		sennit__slab_fini(&slab);
	}
	pthread_barrier_destroy(&barrier);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_cell_belongs_to_one_thread_at_a_time_and_none_is_lost),
		TEST(threads_that_need_the_same_new_chunk_share_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
