/* SPDX-License-Identifier: MIT */
/* inbox.c - the push list with its third value, PARKED. */
#include "support.h"

#include <stdatomic.h>

#include "runtime/queue/inbox.h"

/* --- one thread ------------------------------------------------------------------------------- */

static void a_push_tells_whether_it_took_parked(void **state)
{
	struct sennit__inbox inbox;
	struct sennit_task tasks[3];

	(void)state;
	sennit__inbox_init(&inbox, false);
	assert_false(sennit__inbox_push(&inbox, &tasks[0]));
	assert_false(sennit__inbox_push(&inbox, &tasks[1]));
	sennit__inbox_init(&inbox, true);
	assert_true(sennit__inbox_push(&inbox, &tasks[0]));
	assert_false(sennit__inbox_push(&inbox, &tasks[1]));
	assert_false(sennit__inbox_push(&inbox, &tasks[2]));
}

static void drain_takes_everything_oldest_first_and_counts_it(void **state)
{
	struct sennit__inbox inbox;
	struct sennit__queue queue;
	struct sennit_task tasks[10], first;
	uint64_t count = 5;

	(void)state;
	for (unsigned many = 1; many <= 10; many++) {
		for (int parked = 0; parked < 2; parked++) {
			sennit__inbox_init(&inbox, parked);
			sennit__queue_init(&queue);
			sennit__queue_push(&queue, &first);
			for (unsigned i = 0; i < many; i++)
				assert_int_equal(sennit__inbox_push(&inbox, &tasks[i]),
				                 i == 0 && parked);
			count = 5;
			assert_int_equal(sennit__inbox_drain(&inbox, &queue, &count),
			                 SENNIT__DRAINED_TASKS);
			assert_int_equal(count, 5 + many);
			assert_true(sennit__inbox_empty(&inbox));
			/* Behind what was there. */
			assert_ptr_equal(sennit__queue_pop(&queue), &first);
			for (unsigned i = 0; i < many; i++)
				assert_ptr_equal(sennit__queue_pop(&queue), &tasks[i]);
			assert_true(sennit__queue_empty(&queue));
			sennit__queue_push(&queue, &first);
			assert_ptr_equal(sennit__queue_pop(&queue), &first);
		}
	}
}

static void drain_tells_parked_from_empty_and_leaves_empty(void **state)
{
	struct sennit__inbox inbox;
	struct sennit__queue queue;
	uint64_t count = 0;

	(void)state;
	sennit__queue_init(&queue);
	sennit__inbox_init(&inbox, true);
	assert_int_equal(sennit__inbox_drain(&inbox, &queue, &count), SENNIT__DRAINED_PARKED);
	assert_int_equal(sennit__inbox_drain(&inbox, &queue, &count), SENNIT__DRAINED_EMPTY);
	assert_int_equal(count, 0);
	assert_true(sennit__queue_empty(&queue));
}

static void only_an_empty_inbox_can_be_announced(void **state)
{
	struct sennit__inbox inbox;
	struct sennit__queue queue;
	struct sennit_task task;
	uint64_t count = 0;

	(void)state;
	sennit__queue_init(&queue);
	sennit__inbox_init(&inbox, false);
	assert_false(sennit__inbox_push(&inbox, &task));
	assert_false(sennit__inbox_announce(&inbox, SENNIT__ASLEEP));
	assert_int_equal(sennit__inbox_drain(&inbox, &queue, &count), SENNIT__DRAINED_TASKS);
	assert_true(sennit__inbox_announce(&inbox, SENNIT__ASLEEP));
	assert_true(sennit__inbox_parked(&inbox));
	assert_int_equal(sennit__inbox_drain(&inbox, &queue, &count), SENNIT__DRAINED_PARKED);
	assert_true(sennit__inbox_announce(&inbox, SENNIT__ASLEEP));
}

static void parked_is_taken_once(void **state)
{
	struct sennit__inbox inbox;
	struct sennit_task task;

	(void)state;
	sennit__inbox_init(&inbox, true);
	assert_true(sennit__inbox_take_parked(&inbox));
	assert_false(sennit__inbox_take_parked(&inbox));
	assert_false(sennit__inbox_push(&inbox, &task));
	assert_false(sennit__inbox_take_parked(&inbox));
	sennit__inbox_init(&inbox, false);
	assert_true(sennit__inbox_announce(&inbox, SENNIT__ASLEEP));
	assert_true(sennit__inbox_take_parked(&inbox));
	assert_false(sennit__inbox_take_parked(&inbox));
	assert_true(sennit__inbox_empty(&inbox));
}

/* Who was told while away is as one that is parked, but for what it is owed. */
static void one_that_is_away_stays_so_where_it_is_told(void **state)
{
	struct sennit__inbox inbox;
	struct sennit__queue queue;
	struct sennit_task task;
	uint64_t count = 0;

	(void)state;
	sennit__queue_init(&queue);
	sennit__inbox_init(&inbox, true);
	assert_true(sennit__inbox_take_parked(&inbox));
	assert_true(sennit__inbox_parked(&inbox));
	assert_true(sennit__inbox_vacant(&inbox));
	assert_false(sennit__inbox_asleep(&inbox));
	assert_int_equal(sennit__inbox_drain(&inbox, &queue, &count), SENNIT__DRAINED_EMPTY);
	assert_true(sennit__inbox_empty(&inbox));
	assert_true(sennit__inbox_announce(&inbox, SENNIT__AWAY));
	assert_true(sennit__inbox_take_parked(&inbox));
	assert_false(sennit__inbox_push(&inbox, &task));
	assert_false(sennit__inbox_parked(&inbox));
	assert_int_equal(sennit__inbox_drain(&inbox, &queue, &count), SENNIT__DRAINED_TASKS);
	assert_int_equal(count, 1);
	assert_ptr_equal(queue.head, &task);
	assert_null(task.next_);
}

static void each_question_has_its_answer_in_each_state(void **state)
{
	struct sennit__inbox inbox;
	struct sennit_task task;

	(void)state;
	sennit__inbox_init(&inbox, false);
	assert_true(sennit__inbox_empty(&inbox));
	assert_false(sennit__inbox_parked(&inbox));
	assert_true(sennit__inbox_vacant(&inbox));
	sennit__inbox_init(&inbox, true);
	assert_false(sennit__inbox_empty(&inbox));
	assert_true(sennit__inbox_parked(&inbox));
	assert_true(sennit__inbox_vacant(&inbox));
	assert_true(sennit__inbox_push(&inbox, &task));
	assert_false(sennit__inbox_empty(&inbox));
	assert_false(sennit__inbox_parked(&inbox));
	assert_false(sennit__inbox_vacant(&inbox));
}

/* --- many producers --------------------------------------------------------------------------- */

enum { PRODUCERS = 3, EACH = 20000 };

struct item {
	struct sennit_task task;
	unsigned producer;
	unsigned number; /* plain: the push orders it */
};

static struct {
	struct sennit__inbox inbox;
	struct item items[PRODUCERS][EACH];
	atomic_uint taken; /* how often somebody but the owner took PARKED */
	atomic_uint ready;
} shared;

static void *produce(void *argument)
{
	unsigned producer = (unsigned)(uintptr_t)argument;

	atomic_fetch_add(&shared.ready, 1);
	while (atomic_load(&shared.ready) < PRODUCERS)
		sched_yield();
	for (unsigned i = 0; i < EACH; i++) {
		struct item *item = &shared.items[producer][i];

		item->producer = producer;
		item->number = i;
		if (sennit__inbox_push(&shared.inbox, &item->task))
			atomic_fetch_add(&shared.taken, 1);
		/* As whoever gave the owner something else would. */
		if (i % 64 == 0 && sennit__inbox_take_parked(&shared.inbox))
			atomic_fetch_add(&shared.taken, 1);
	}
	return NULL;
}

/* The owner of a worker, without the sleep: it announces wherever it finds nothing. */
static void each_task_arrives_once_in_its_producers_order_and_each_wake_is_owed_once(void **state)
{
	struct sennit__queue queue;
	unsigned next[PRODUCERS] = { 0 };
	unsigned announced = 0, retracted = 0;
	uint64_t counted = 0, arrived = 0;
	pthread_t threads[PRODUCERS];

	(void)state;
	sennit__queue_init(&queue);
	sennit__inbox_init(&shared.inbox, false);
	for (unsigned i = 0; i < PRODUCERS; i++)
		threads[i] = spawn(produce, (void *)(uintptr_t)i);
	while (arrived < (uint64_t)PRODUCERS * EACH) {
		switch (sennit__inbox_drain(&shared.inbox, &queue, &counted)) {
		case SENNIT__DRAINED_PARKED:
			retracted++;
			break;
		case SENNIT__DRAINED_EMPTY:
			announced += sennit__inbox_announce(&shared.inbox, SENNIT__ASLEEP);
			sched_yield();
			break;
		case SENNIT__DRAINED_TASKS:
			break;
		}
		while (!sennit__queue_empty(&queue)) {
			struct item *item =
			    CONTAINER_OF(sennit__queue_pop(&queue), struct item, task);

			assert_int_equal(item->number, next[item->producer]);
			next[item->producer]++;
			arrived++;
		}
		assert_int_equal(counted, arrived);
	}
	for (unsigned i = 0; i < PRODUCERS; i++)
		join(threads[i]);
	retracted += sennit__inbox_drain(&shared.inbox, &queue, &counted) == SENNIT__DRAINED_PARKED;
	assert_true(sennit__queue_empty(&queue));
	/* Each PARKED that was stored was taken by exactly one. */
	assert_int_equal(announced, retracted + atomic_load(&shared.taken));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_push_tells_whether_it_took_parked),
		TEST(drain_takes_everything_oldest_first_and_counts_it),
		TEST(drain_tells_parked_from_empty_and_leaves_empty),
		TEST(only_an_empty_inbox_can_be_announced),
		TEST(parked_is_taken_once),
		TEST(one_that_is_away_stays_so_where_it_is_told),
		TEST(each_question_has_its_answer_in_each_state),
		TEST(each_task_arrives_once_in_its_producers_order_and_each_wake_is_owed_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
