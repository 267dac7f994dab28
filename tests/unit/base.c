/* SPDX-License-Identifier: MIT */
/* base.c - the atomics seam, the clock and the futex, with the backend of this build. */
#include "support.h"

#include <string.h>
#include <unistd.h>

#include "runtime/base/atomic.h"
#include "runtime/base/clock.h"
#include "runtime/base/futex.h"

/* --- atomics ---------------------------------------------------------------------------------- */

/* Every operation of one family of numbers, with values that fill all of its bits. */
#define CHECK_NUMBER(F, T)                                                                         \
 static void check_##F(void)                                                                       \
 {                                                                                                 \
  const T high = (T)(T)-1 - 5, low = 5;                                                            \
  struct sennit__atomic_##F a = { high };                                                          \
  T expected = low;                                                                                \
                                                                                                   \
  assert_true(sennit__load_relaxed_##F(&a) == high);                                               \
  assert_true(sennit__load_acquire_##F(&a) == high);                                               \
  sennit__store_relaxed_##F(&a, low);                                                              \
  assert_true(a.value == low);                                                                     \
  sennit__store_release_##F(&a, high);                                                             \
  assert_true(a.value == high);                                                                    \
  assert_true(sennit__exchange_acquire_##F(&a, low) == high);                                      \
  assert_true(sennit__exchange_acq_rel_##F(&a, high) == low);                                      \
  assert_true(sennit__exchange_acquire_##F(&a, low) == high);                                      \
  assert_true(sennit__cas_relaxed_##F(&a, &expected, high));                                       \
  assert_true(a.value == high && expected == low);                                                 \
  assert_false(sennit__cas_relaxed_##F(&a, &expected, low));                                       \
  assert_true(a.value == high && expected == high);                                                \
  assert_true(sennit__cas_release_##F(&a, &expected, low));                                        \
  assert_false(sennit__cas_release_##F(&a, &expected, high));                                      \
  assert_true(a.value == low && expected == low);                                                  \
  assert_true(sennit__cas_acquire_##F(&a, &expected, high));                                       \
  assert_false(sennit__cas_acquire_##F(&a, &expected, low));                                       \
  assert_true(a.value == high && expected == high);                                                \
  assert_true(sennit__cas_acq_rel_##F(&a, &expected, low));                                        \
  assert_false(sennit__cas_acq_rel_##F(&a, &expected, high));                                      \
  assert_true(a.value == low && expected == low);                                                  \
  assert_true(sennit__fetch_add_relaxed_##F(&a, high) == low);                                     \
  assert_true(a.value == (T)-1);                                                                   \
  assert_true(sennit__fetch_add_release_##F(&a, 1) == (T)-1);                                      \
  assert_true(a.value == 0);                                                                       \
  assert_true(sennit__fetch_add_release_##F(&a, (T)0 - 1) == 0);                                   \
  assert_true(a.value == (T)-1);                                                                   \
 }

CHECK_NUMBER(u32, uint32_t)
CHECK_NUMBER(u64, uint64_t)

static void each_operation_on_numbers_does_what_it_is_called(void **state)
{
	(void)state;
	check_u32();
	check_u64();
}

static void each_operation_on_pointers_does_what_it_is_called(void **state)
{
	int x, y;
	struct sennit__atomic_ptr a = { &x };
	void *expected = &y;

	(void)state;
	assert_ptr_equal(sennit__load_relaxed_ptr(&a), &x);
	assert_ptr_equal(sennit__load_acquire_ptr(&a), &x);
	assert_ptr_equal(sennit__exchange_acquire_ptr(&a, &y), &x);
	assert_ptr_equal(sennit__exchange_acq_rel_ptr(&a, &x), &y);
	assert_ptr_equal(sennit__exchange_acquire_ptr(&a, &y), &x);
	assert_true(sennit__cas_relaxed_ptr(&a, &expected, &x));
	assert_false(sennit__cas_release_ptr(&a, &expected, NULL));
	assert_ptr_equal(expected, &x);
	assert_true(sennit__cas_release_ptr(&a, &expected, NULL));
	assert_false(sennit__cas_acquire_ptr(&a, &expected, &y));
	assert_null(expected);
	assert_true(sennit__cas_acquire_ptr(&a, &expected, &y));
	expected = &y;
	assert_true(sennit__cas_acq_rel_ptr(&a, &expected, &x));
	assert_ptr_equal(a.value, &x);
	sennit__store_relaxed_ptr(&a, &y);
	assert_ptr_equal(a.value, &y);
	sennit__store_release_ptr(&a, NULL);
	assert_null(a.value);
}

/* Neighbours are left alone: no operation is wider than its family. */
static void operations_touch_nothing_beside_their_word(void **state)
{
	struct sennit__atomic_u32 words[3] = { { 0x11111111 }, { 0 }, { 0x33333333 } };
	uint32_t expected = 7;

	(void)state;
	sennit__store_release_u32(&words[1], UINT32_MAX);
	assert_true(sennit__fetch_add_relaxed_u32(&words[1], 8) == UINT32_MAX);
	assert_true(sennit__cas_acq_rel_u32(&words[1], &expected, UINT32_MAX));
	assert_true(sennit__exchange_acq_rel_u32(&words[1], 1) == UINT32_MAX);
	assert_int_equal(words[0].value, 0x11111111);
	assert_int_equal(words[2].value, 0x33333333);
}

static struct sennit__atomic_u32 x, y, fence_words[2];
static uint32_t seen[2];
static pthread_barrier_t barrier;

static void *store_fence_load(void *argument)
{
	unsigned self = (unsigned)(uintptr_t)argument;

	pthread_barrier_wait(&barrier);
	sennit__store_relaxed_u32(self ? &x : &y, 1);
	sennit__fence_full(&fence_words[self]);
	seen[self] = sennit__load_relaxed_u32(self ? &y : &x);
	return NULL;
}

/* The promise that the idle protocol rests on. */
static void of_two_that_store_fence_and_load_one_sees_the_other(void **state)
{
	(void)state;
	pthread_barrier_init(&barrier, NULL, 2);
	for (unsigned i = 0; i < 1000 * scale(); i++) {
		pthread_t thread;

		sennit__store_relaxed_u32(&x, 0);
		sennit__store_relaxed_u32(&y, 0);
		thread = spawn(store_fence_load, (void *)1);
		store_fence_load(NULL);
		join(thread);
		assert_true(seen[0] || seen[1]);
	}
	pthread_barrier_destroy(&barrier);
}

/* --- clock ------------------------------------------------------------------------------------ */

static void the_clock_never_goes_back(void **state)
{
	uint64_t last = sennit__clock_now();

	(void)state;
	assert_true(last > 0);
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t now = sennit__clock_now();

		assert_true(now >= last);
		last = now;
	}
}

static void adding_to_a_time_never_wraps(void **state)
{
	(void)state;
	assert_true(sennit__clock_add(1, 2) == 3);
	assert_true(sennit__clock_add(0, 0) == 0);
	assert_true(sennit__clock_add(SENNIT__NEVER, 0) == SENNIT__NEVER);
	assert_true(sennit__clock_add(SENNIT__NEVER, 1) == SENNIT__NEVER);
	assert_true(sennit__clock_add(1, SENNIT__NEVER) == SENNIT__NEVER);
	assert_true(sennit__clock_add(SENNIT__NEVER - 5, 5) == SENNIT__NEVER);
	assert_true(sennit__clock_add(SENNIT__NEVER - 5, 4) == SENNIT__NEVER - 1);
	assert_true(sennit__clock_add(SENNIT__NEVER, SENNIT__NEVER) == SENNIT__NEVER);
}

/* --- futex ------------------------------------------------------------------------------------ */

static void a_futex_that_holds_another_value_does_not_block(void **state)
{
	struct sennit__atomic_u32 word = { 1 };

	(void)state;
	sennit__futex_wait(&word, 0, -1);
	sennit__futex_wait(&word, 2, -1);
	sennit__futex_wake_all(&word);
}

struct sleeper {
	struct sennit__atomic_u32 *word;
	pid_t tid;
	struct latch begun;
};

static void *sleep_on_futex(void *argument)
{
	struct sleeper *sleeper = argument;

	sleeper->tid = gettid();
	latch_down(&sleeper->begun);
	while (sennit__load_acquire_u32(sleeper->word) == 0)
		sennit__futex_wait(sleeper->word, 0, -1);
	return NULL;
}

static void waking_wakes_all_that_sleep(void **state)
{
	struct sennit__atomic_u32 word = { 0 };
	struct sleeper sleepers[4];
	pthread_t threads[4];

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		sleepers[i] = (struct sleeper){ .word = &word, .begun = LATCH(1) };
		threads[i] = spawn(sleep_on_futex, &sleepers[i]);
		latch_wait(&sleepers[i].begun);
		wait_until_asleep(sleepers[i].tid);
	}
	sennit__store_release_u32(&word, 1);
	sennit__futex_wake_all(&word);
	for (unsigned i = 0; i < 4; i++)
		join(threads[i]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(each_operation_on_numbers_does_what_it_is_called),
		TEST(each_operation_on_pointers_does_what_it_is_called),
		TEST(operations_touch_nothing_beside_their_word),
		TEST(of_two_that_store_fence_and_load_one_sees_the_other),
		TEST(the_clock_never_goes_back),
		TEST(adding_to_a_time_never_wraps),
		TEST(a_futex_that_holds_another_value_does_not_block),
		TEST(waking_wakes_all_that_sleep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
