/* SPDX-License-Identifier: MIT */
/* runtime_memory.c - create and start without memory, and what they leave behind. */
#include "support.h"

#include <errno.h>

static void every_allocation_of_create_may_fail(void **state)
{
	int64_t before = live_allocations();
	uint64_t calls;
	int error = -ENOMEM;

	(void)state;
	if (!fail_allocations_after(1000000))
		SKIP("allocations cannot be made to fail under a sanitizer");
	for (calls = 0; error; calls++) {
		struct sennit_runtime *runtime = NULL;

		fail_allocations_after(calls);
		error = sennit_runtime_create(NULL, &runtime);
		fail_allocations_after(UINT64_MAX);
		if (error) {
			assert_int_equal(error, -ENOMEM);
			assert_null(runtime);
		} else {
			assert_int_equal(sennit_runtime_destroy(runtime), 0);
		}
		assert_int_equal(live_allocations(), before);
		assert_true(calls < 1000);
	}
	/* Something was tried. */
	assert_true(calls > 1);
}

static void start_without_memory_leaves_the_runtime_as_it_was(void **state)
{
	struct sennit_runtime_options options = { .size = sizeof options, .workers = 3 };
	struct sennit_runtime *runtime;
	int64_t before;
	uint64_t calls;
	int error = -ENOMEM;

	(void)state;
	if (!fail_allocations_after(1000000))
		SKIP("allocations cannot be made to fail under a sanitizer");
	fail_allocations_after(UINT64_MAX);
	/* Whoever is loaded or set up once is so now. */
	assert_int_equal(sennit_runtime_create(&options, &runtime), 0);
	assert_int_equal(sennit_runtime_start(runtime), 0);
	assert_int_equal(sennit_runtime_destroy(runtime), 0);

	for (calls = 0; error; calls++) {
		before = live_allocations();
		assert_int_equal(sennit_runtime_create(&options, &runtime), 0);
		fail_allocations_after(calls);
		error = sennit_runtime_start(runtime);
		fail_allocations_after(UINT64_MAX);
		if (error) {
			assert_true(error == -ENOMEM || error == -EAGAIN);
			assert_int_equal(sennit_runtime_workers(runtime), 1);
			assert_int_equal(sennit_runtime_join(runtime), -EINVAL);
			/* It can still be driven. */
			assert_int_equal(sennit_runtime_poll(runtime), 0);
		} else {
			assert_int_equal(sennit_runtime_workers(runtime), 3);
		}
		assert_int_equal(sennit_runtime_destroy(runtime), 0);
		assert_int_equal(live_allocations(), before);
		progress();
	}
	assert_true(calls > 1);
}

static void runtimes_that_come_and_go_leave_nothing(void **state)
{
	struct sennit_runtime_options options = { .size = sizeof options, .workers = 4 };
	struct sennit_runtime *runtime;
	int64_t before = 0;

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(sennit_runtime_create(&options, &runtime), 0);
		assert_int_equal(sennit_runtime_start(runtime), 0);
		assert_int_equal(sennit_runtime_join(runtime), 0);
		assert_int_equal(sennit_runtime_destroy(runtime), 0);
		/* After the first, whatever is set up once is set up. */
		if (i == 1)
			before = live_allocations();
		if (i > 1)
			assert_int_equal(live_allocations(), before);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(every_allocation_of_create_may_fail),
		TEST(start_without_memory_leaves_the_runtime_as_it_was),
		TEST(runtimes_that_come_and_go_leave_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
