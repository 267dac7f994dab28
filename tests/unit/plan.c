/* SPDX-License-Identifier: MIT */
/* plan.c - where workers sit, on machines that are only described. */
#include "support.h"

#include <errno.h>

#include "runtime/topology/plan.h"

/* Plans for a described machine; `allowed` as hwloc writes lists, NULL for all of it. */
static struct sennit__plan plan_for(const char *machine, const char *allowed, unsigned workers,
                                    bool pin)
{
	struct sennit__plan plan = { 0 };
	hwloc_topology_t topology;
	hwloc_bitmap_t set = hwloc_bitmap_alloc();

	assert_non_null(set);
	assert_int_equal(hwloc_topology_init(&topology), 0);
	assert_int_equal(hwloc_topology_set_synthetic(topology, machine), 0);
	assert_int_equal(hwloc_topology_load(topology), 0);
	if (allowed)
		assert_int_equal(hwloc_bitmap_list_sscanf(set, allowed), 0);
	else
		hwloc_bitmap_copy(set, hwloc_topology_get_topology_cpuset(topology));
	assert_int_equal(sennit__plan_from(&plan, topology, set, workers, pin), 0);
	hwloc_bitmap_free(set);
	return plan;
}

static void assert_places(struct sennit__plan *plan, const unsigned *places, unsigned count)
{
	assert_int_equal(plan->count, count);
	assert_non_null(plan->place);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(plan->place[i], places[i]);
	sennit__plan_fini(plan);
}

static void assert_unbound(struct sennit__plan *plan, unsigned count)
{
	assert_int_equal(plan->count, count);
	assert_null(plan->place);
	assert_int_equal(sennit__plan_bind(plan, 0), 0);
	sennit__plan_fini(plan);
}

static void there_is_one_worker_for_each_core_whatever_its_threads(void **state)
{
	struct sennit__plan plan = plan_for("core:4 pu:2", NULL, 0, true);

	(void)state;
	assert_places(&plan, (const unsigned[]){ 0, 2, 4, 6 }, 4);
	plan = plan_for("pack:2 core:3 pu:1", NULL, 0, true);
	assert_places(&plan, (const unsigned[]){ 0, 1, 2, 3, 4, 5 }, 6);
	plan = plan_for("core:1 pu:1", NULL, 0, true);
	assert_places(&plan, (const unsigned[]){ 0 }, 1);
}

static void only_allowed_cores_count_by_their_first_allowed_thread(void **state)
{
	struct sennit__plan plan = plan_for("core:4 pu:2", "3,4,5", 0, true);

	(void)state;
	assert_places(&plan, (const unsigned[]){ 3, 4 }, 2);
	plan = plan_for("pack:2 core:4 pu:2", "15", 0, true);
	assert_places(&plan, (const unsigned[]){ 15 }, 1);
}

static void fewer_workers_than_cores_are_bound_to_the_first(void **state)
{
	struct sennit__plan plan = plan_for("core:8 pu:1", NULL, 3, true);

	(void)state;
	assert_places(&plan, (const unsigned[]){ 0, 1, 2 }, 3);
	plan = plan_for("core:8 pu:1", "2,4,6", 3, true);
	assert_places(&plan, (const unsigned[]){ 2, 4, 6 }, 3);
}

static void more_workers_than_cores_are_not_bound(void **state)
{
	struct sennit__plan plan = plan_for("core:2 pu:2", NULL, 3, true);

	(void)state;
	assert_unbound(&plan, 3);
	plan = plan_for("core:8 pu:2", "0,1", 2, true);
	assert_unbound(&plan, 2);
	plan = plan_for("core:2 pu:1", NULL, 1024, true);
	assert_unbound(&plan, 1024);
}

static void who_does_not_want_to_be_bound_is_not(void **state)
{
	struct sennit__plan plan = plan_for("core:4 pu:2", NULL, 0, false);

	(void)state;
	assert_unbound(&plan, 4);
	plan = plan_for("core:4 pu:2", NULL, 2, false);
	assert_unbound(&plan, 2);
}

static void a_machine_without_cores_has_a_worker_for_each_processing_unit(void **state)
{
	struct sennit__plan plan = plan_for("numa:2 pu:3", NULL, 0, true);

	(void)state;
	assert_places(&plan, (const unsigned[]){ 0, 1, 2, 3, 4, 5 }, 6);
}

static void a_machine_with_more_cores_than_workers_can_be_has_1024(void **state)
{
	struct sennit__plan plan = plan_for("pack:32 core:48 pu:1", NULL, 0, true);

	(void)state;
	assert_int_equal(plan.count, 1024);
	assert_non_null(plan.place);
	assert_int_equal(plan.place[1023], 1023);
	sennit__plan_fini(&plan);
}

static void this_machine_can_be_planned_and_bound(void **state)
{
	struct sennit__plan plan = { 0 };
	cpu_set_t saved, now;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof saved, &saved), 0);
	assert_int_equal(sennit__plan_init(&plan, 1, true), 0);
	assert_int_equal(plan.count, 1);
	if (plan.place) {
		assert_int_equal(sennit__plan_bind(&plan, 0), 0);
		assert_int_equal(sched_getaffinity(0, sizeof now, &now), 0);
		assert_int_equal(CPU_COUNT(&now), 1);
		assert_true(CPU_ISSET((size_t)plan.place[0], &now));
		assert_true(CPU_ISSET((size_t)plan.place[0], &saved));
		give_back_cpus(&saved);
	}
	sennit__plan_fini(&plan);
	assert_null(plan.topology);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(there_is_one_worker_for_each_core_whatever_its_threads),
		TEST(only_allowed_cores_count_by_their_first_allowed_thread),
		TEST(fewer_workers_than_cores_are_bound_to_the_first),
		TEST(more_workers_than_cores_are_not_bound),
		TEST(who_does_not_want_to_be_bound_is_not),
		TEST(a_machine_without_cores_has_a_worker_for_each_processing_unit),
		TEST(a_machine_with_more_cores_than_workers_can_be_has_1024),
		TEST(this_machine_can_be_planned_and_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
