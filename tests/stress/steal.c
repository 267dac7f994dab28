/* SPDX-License-Identifier: MIT */
/* steal.c - tasks that are stolen: each is had once, by one thread, which sees what it holds. */
#include "support.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "runtime/queue/deque.h"

enum { THIEVES_MAX = 7, ITEMS = 4096, CHAIN = 64 };

/* --- the deque by itself ---------------------------------------------------------------------- */

struct item {
	struct sennit_task task;
	uint64_t pushed, taken; /* plain: how often; what takes and gives back orders them */
	atomic_bool free;       /* the owner may push it */
};

struct heap {
	struct sennit__deque deque;
	struct item items[ITEMS];
	uint64_t wanted; /* tasks that are to be stolen */
	atomic_uint_fast64_t stolen;
	unsigned thieves;
};

static void had(struct sennit_task *task)
{
	struct item *item = CONTAINER_OF(task, struct item, task);

	item->taken++;
	RECORD(item->taken == item->pushed);
	RECORD(!atomic_exchange_explicit(&item->free, true, memory_order_release));
}

static uint64_t had_all(struct sennit_task *chain)
{
	uint64_t count = 0;

	while (chain) {
		struct sennit_task *next = chain->next_;

		had(chain);
		chain = next;
		count++;
	}
	return count;
}

static void *be_thief(void *argument)
{
	struct heap *heap = argument;

	while (atomic_load_explicit(&heap->stolen, memory_order_relaxed) < heap->wanted) {
		struct sennit_task *tasks[SENNIT__STEAL_MAX];
		uint64_t count = sennit__deque_steal(&heap->deque, tasks);

		for (uint64_t i = 0; i < count; i++)
			had(tasks[i]);
		if (!count)
			count = had_all(sennit__deque_take_rest(&heap->deque));
		if (count)
			atomic_fetch_add_explicit(&heap->stolen, count, memory_order_relaxed);
		else
			sched_yield();
	}
	return NULL;
}

/* The next item that nobody has, or NULL. */
static struct sennit_task *pick(struct heap *heap, unsigned *next)
{
	struct item *item = &heap->items[*next % ITEMS];

	if (!atomic_load_explicit(&item->free, memory_order_acquire))
		return NULL;
	atomic_store_explicit(&item->free, false, memory_order_relaxed);
	item->pushed++;
	++*next;
	return &item->task;
}

/* Takes the rest, keeps all but the first; or makes a new one where there is none. */
static void turn_rest(struct heap *heap, unsigned *next)
{
	struct sennit_task *rest = sennit__deque_take_rest(&heap->deque);
	struct sennit_task *chain = NULL;

	if (rest) {
		chain = rest->next_;
		had(rest);
	} else {
		for (unsigned i = 0; i < CHAIN; i++) {
			struct sennit_task *task = pick(heap, next);

			if (!task)
				break;
			task->next_ = chain;
			chain = task;
		}
	}
	sennit__deque_keep_rest(&heap->deque, chain);
}

/* Pushes what it can, now and then takes one itself, yields where everything is taken. */
static void be_owner(struct heap *heap)
{
	unsigned next = 0;

	for (uint64_t i = 0; atomic_load(&heap->stolen) < heap->wanted; i++) {
		struct sennit_task *task = pick(heap, &next);

		if (task && !sennit__deque_push(&heap->deque, task))
			had(task);
		if (i % 3 == 0 && (task = sennit__deque_take(&heap->deque)))
			had(task);
		if (i % 97 == 0)
			turn_rest(heap, &next);
		if (i % 1024 == 0) {
			sched_yield();
			progress();
		}
	}
}

static void steal_from_one(unsigned thieves, uint64_t wanted)
{
	struct heap *heap = aligned_alloc(64, sizeof *heap);
	pthread_t threads[THIEVES_MAX];
	struct sennit_task *task;

	assert_non_null(heap);
	sennit__deque_init(&heap->deque);
	for (unsigned i = 0; i < ITEMS; i++) {
		heap->items[i].pushed = heap->items[i].taken = 0;
		atomic_init(&heap->items[i].free, true);
	}
	atomic_init(&heap->stolen, 0);
	heap->wanted = wanted;
	for (unsigned i = 0; i < thieves; i++)
		threads[i] = spawn(be_thief, heap);
	be_owner(heap);
	for (unsigned i = 0; i < thieves; i++)
		join(threads[i]);
	while ((task = sennit__deque_take(&heap->deque)))
		had(task);
	had_all(sennit__deque_take_rest(&heap->deque));
	assert_true(sennit__deque_vacant(&heap->deque));
	for (unsigned i = 0; i < ITEMS; i++)
		assert_int_equal(heap->items[i].pushed, heap->items[i].taken);
	free(heap);
}

static void each_task_is_taken_once_by_the_owner_or_a_thief(void **state)
{
	(void)state;
	steal_from_one(1, 250000 * scale());
	steal_from_one(2, 250000 * scale());
	steal_from_one(7, 500000 * scale());
}

static void the_same_where_all_share_one_cpu(void **state)
{
	cpu_set_t saved;

	(void)state;
	take_one_cpu(&saved);
	steal_from_one(3, 250000 * scale());
	give_back_cpus(&saved);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(each_task_is_taken_once_by_the_owner_or_a_thief),
		TEST(the_same_where_all_share_one_cpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
