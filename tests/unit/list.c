/* SPDX-License-Identifier: MIT */
/* list.c - the intrusive queue of tasks. */
#include "support.h"

#include "runtime/base/list.h"

static void pushed(struct sennit__queue *queue, struct sennit_task *tasks, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		sennit__queue_push(queue, &tasks[i]);
}

static void popped(struct sennit__queue *queue, struct sennit_task *tasks, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		assert_false(sennit__queue_empty(queue));
		assert_ptr_equal(sennit__queue_pop(queue), &tasks[i]);
	}
}

static void a_new_queue_is_empty(void **state)
{
	struct sennit__queue queue;

	(void)state;
	sennit__queue_init(&queue);
	assert_true(sennit__queue_empty(&queue));
}

static void what_is_pushed_first_is_popped_first(void **state)
{
	struct sennit__queue queue;
	struct sennit_task tasks[10];

	(void)state;
	sennit__queue_init(&queue);
	pushed(&queue, tasks, 10);
	popped(&queue, tasks, 10);
	assert_true(sennit__queue_empty(&queue));
}

static void a_queue_that_ran_empty_is_as_good_as_new(void **state)
{
	struct sennit__queue queue;
	struct sennit_task tasks[3];

	(void)state;
	sennit__queue_init(&queue);
	for (unsigned count = 1; count <= 3; count++) {
		pushed(&queue, tasks, count);
		popped(&queue, tasks, count);
		assert_true(sennit__queue_empty(&queue));
	}
	/* By turns, never empty in between. */
	pushed(&queue, tasks, 1);
	for (unsigned i = 1; i < 30; i++) {
		sennit__queue_push(&queue, &tasks[i % 3]);
		assert_ptr_equal(sennit__queue_pop(&queue), &tasks[(i - 1) % 3]);
	}
}

static void append_moves_everything_in_order(void **state)
{
	struct sennit_task tasks[8];

	(void)state;
	for (unsigned first = 0; first <= 3; first++) {
		for (unsigned second = 0; second <= 3; second++) {
			struct sennit__queue to, from;

			sennit__queue_init(&to);
			sennit__queue_init(&from);
			pushed(&to, tasks, first);
			pushed(&from, tasks + first, second);
			sennit__queue_append(&to, &from);
			assert_true(sennit__queue_empty(&from));
			sennit__queue_push(&to, &tasks[first + second]);
			sennit__queue_push(&from, &tasks[7]);
			popped(&to, tasks, first + second + 1);
			assert_true(sennit__queue_empty(&to));
			assert_ptr_equal(sennit__queue_pop(&from), &tasks[7]);
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_new_queue_is_empty),
		TEST(what_is_pushed_first_is_popped_first),
		TEST(a_queue_that_ran_empty_is_as_good_as_new),
		TEST(append_moves_everything_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
