/* SPDX-License-Identifier: MIT */
/* deque.c - the ring that is stolen from, and its rest. */
#include "support.h"

#include <stdlib.h>

#include "runtime/queue/deque.h"

enum { SIZE = SENNIT__DEQUE_SIZE };

static struct sennit__deque *new_deque(void)
{
	struct sennit__deque *deque = aligned_alloc(64, sizeof *deque);

	assert_non_null(deque);
	sennit__deque_init(deque);
	return deque;
}

/* --- the ring --------------------------------------------------------------------------------- */

static void tasks_are_taken_in_the_order_in_which_they_were_pushed(void **state)
{
	struct sennit__deque *deque = new_deque();
	struct sennit_task tasks[SIZE];

	(void)state;
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < SIZE; i++)
			assert_true(sennit__deque_push(deque, &tasks[i]));
		for (unsigned i = 0; i < SIZE; i++)
			assert_ptr_equal(sennit__deque_take(deque), &tasks[i]);
		assert_null(sennit__deque_take(deque));
	}
	free(deque);
}

static void a_full_ring_takes_no_more_and_then_as_many_as_were_taken(void **state)
{
	struct sennit__deque *deque = new_deque();
	struct sennit_task *stolen[SENNIT__STEAL_MAX];
	struct sennit_task task, other;
	unsigned room;

	(void)state;
	for (unsigned i = 0; i < SIZE; i++)
		assert_true(sennit__deque_push(deque, &task));
	assert_false(sennit__deque_push(deque, &other));
	room = sennit__deque_steal(deque, stolen);
	assert_ptr_equal(sennit__deque_take(deque), &task);
	for (unsigned i = 0; i < room + 1; i++)
		assert_true(sennit__deque_push(deque, &other));
	assert_false(sennit__deque_push(deque, &other));
	for (unsigned i = 0; i < SIZE - room - 1; i++)
		assert_ptr_equal(sennit__deque_take(deque), &task);
	for (unsigned i = 0; i < room + 1; i++)
		assert_ptr_equal(sennit__deque_take(deque), &other);
	assert_null(sennit__deque_take(deque));
	free(deque);
}

static void a_thief_takes_the_older_half_and_at_most_32(void **state)
{
	struct sennit__deque *deque = new_deque();
	struct sennit_task *stolen[SENNIT__STEAL_MAX];
	struct sennit_task tasks[SIZE];

	(void)state;
	for (unsigned count = 0; count <= SIZE; count++) {
		unsigned half = (count + 1) / 2 > 32 ? 32 : (count + 1) / 2;

		for (unsigned i = 0; i < count; i++)
			assert_true(sennit__deque_push(deque, &tasks[i]));
		assert_int_equal(sennit__deque_steal(deque, stolen), half);
		for (unsigned i = 0; i < half; i++)
			assert_ptr_equal(stolen[i], &tasks[i]);
		for (unsigned i = half; i < count; i++)
			assert_ptr_equal(sennit__deque_take(deque), &tasks[i]);
		assert_null(sennit__deque_take(deque));
	}
	free(deque);
}

static void the_indices_may_run_over(void **state)
{
	struct sennit__deque *deque = new_deque();
	struct sennit_task *stolen[SENNIT__STEAL_MAX];
	struct sennit_task tasks[8];

	(void)state;
	deque->head.value = deque->tail.value = UINT64_MAX - 3;
	deque->head_seen = deque->tail_own = UINT64_MAX - 3;
	for (unsigned i = 0; i < 8; i++)
		assert_true(sennit__deque_push(deque, &tasks[i]));
	assert_int_equal(sennit__deque_steal(deque, stolen), 4);
	for (unsigned i = 0; i < 4; i++)
		assert_ptr_equal(stolen[i], &tasks[i]);
	assert_false(sennit__deque_vacant(deque));
	for (unsigned i = 4; i < 8; i++)
		assert_ptr_equal(sennit__deque_take(deque), &tasks[i]);
	assert_null(sennit__deque_take(deque));
	assert_true(sennit__deque_vacant(deque));
	free(deque);
}

/* --- whether there is something --------------------------------------------------------------- */

static void empty_and_vacant_say_whether_something_is_there(void **state)
{
	struct sennit__deque *deque = new_deque();
	struct sennit_task *stolen[SENNIT__STEAL_MAX];
	struct sennit_task task = { .next_ = NULL };

	(void)state;
	assert_true(sennit__deque_empty(deque) && sennit__deque_vacant(deque));
	assert_true(sennit__deque_push(deque, &task));
	assert_false(sennit__deque_empty(deque) || sennit__deque_vacant(deque));
	assert_int_equal(sennit__deque_steal(deque, stolen), 1);
	assert_true(sennit__deque_vacant(deque)); /* of which the owner does not know yet */
	assert_null(sennit__deque_take(deque));
	assert_true(sennit__deque_empty(deque));
	sennit__deque_keep_rest(deque, &task);
	assert_false(sennit__deque_empty(deque) || sennit__deque_vacant(deque));
	assert_ptr_equal(sennit__deque_take_rest(deque), &task);
	assert_true(sennit__deque_vacant(deque));
	sennit__deque_keep_rest(deque, NULL);
	assert_true(sennit__deque_empty(deque) && sennit__deque_vacant(deque));
	free(deque);
}

static void the_rest_is_taken_whole_and_once(void **state)
{
	struct sennit__deque *deque = new_deque();
	struct sennit_task tasks[3] = { { .next_ = &tasks[1] }, { .next_ = &tasks[2] } };

	(void)state;
	assert_null(sennit__deque_take_rest(deque));
	sennit__deque_keep_rest(deque, tasks);
	assert_ptr_equal(sennit__deque_take_rest(deque), tasks);
	assert_ptr_equal(tasks[0].next_, &tasks[1]);
	assert_ptr_equal(tasks[1].next_, &tasks[2]);
	assert_null(tasks[2].next_);
	assert_null(sennit__deque_take_rest(deque));
	free(deque);
}

static void what_thieves_write_is_on_a_line_of_its_own(void **state)
{
	(void)state;
	assert_int_equal(offsetof(struct sennit__deque, head) / 64, 0);
	assert_int_equal(offsetof(struct sennit__deque, tail) / 64, 1);
	assert_true(offsetof(struct sennit__deque, slot) % 64 == 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(tasks_are_taken_in_the_order_in_which_they_were_pushed),
		TEST(a_full_ring_takes_no_more_and_then_as_many_as_were_taken),
		TEST(a_thief_takes_the_older_half_and_at_most_32),
		TEST(the_indices_may_run_over),
		TEST(empty_and_vacant_say_whether_something_is_there),
		TEST(the_rest_is_taken_whole_and_once),
		TEST(what_thieves_write_is_on_a_line_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
