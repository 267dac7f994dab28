/* SPDX-License-Identifier: MIT */
/* victims.c - in which order a worker asks the others for work, on machines that are described. */
#include "support.h"

#include "runtime/topology/plan.h"

#include <hwloc/distances.h>
#include <string.h>

/* A described machine as hwloc writes them, with every kind of object it has. */
static hwloc_topology_t machine_of(const char *description)
{
	hwloc_topology_t topology;

	assert_int_equal(hwloc_topology_init(&topology), 0);
	assert_int_equal(hwloc_topology_set_synthetic(topology, description), 0);
	assert_int_equal(hwloc_topology_load(topology), 0);
	return topology;
}

/* Says which latencies lie between nodes, row by row. */
static void set_latencies(hwloc_topology_t topology, const hwloc_uint64_t *values)
{
	int nodes = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE);
	hwloc_uint64_t copy[64];
	hwloc_obj_t node[8];
	hwloc_distances_add_handle_t handle;

	assert_in_range(nodes, 1, COUNT_OF(node));
	memcpy(copy, values, (size_t)(nodes * nodes) * sizeof *copy);
	for (int i = 0; i < nodes; i++)
		node[i] = hwloc_get_obj_by_type(topology, HWLOC_OBJ_NUMANODE, (unsigned)i);
	handle = hwloc_distances_add_create(topology, "Latency",
	                                    HWLOC_DISTANCES_KIND_FROM_USER |
	                                        HWLOC_DISTANCES_KIND_MEANS_LATENCY, 0);
	assert_non_null(handle);
	assert_int_equal(hwloc_distances_add_values(topology, handle, (unsigned)nodes, node, copy,
	                                            0), 0);
	assert_int_equal(hwloc_distances_add_commit(topology, handle, 0), 0);
}

static struct sennit__plan plan_on(hwloc_topology_t topology, unsigned workers, bool pin)
{
	const struct sennit__wish wish = { .workers = workers,
		                           .pin = pin ? SENNIT_PIN_CORES : SENNIT_PIN_NONE };
	struct sennit__plan plan;

	assert_int_equal(sennit__plan_from(&plan, topology,
	                                   hwloc_topology_get_topology_cpuset(topology), &wish), 0);
	hwloc_topology_destroy(topology);
	return plan;
}

/* What one worker's row must be: "2 3 | 1 | | 0", a bar after each distance but the last. */
static void assert_row(const struct sennit__plan *plan, unsigned worker, const char *expected)
{
	const uint16_t *row = sennit__victims_of(&plan->victims, worker);
	const uint16_t *ends = sennit__victims_ends(&plan->victims, worker);
	char text[512] = "";
	size_t used = 0;
	unsigned i = 0;

	for (unsigned d = 0; d < SENNIT_DISTANCES; d++) {
		used += (size_t)snprintf(text + used, sizeof text - used, "%s", d ? " |" : "");
		for (; i < ends[d]; i++)
			used += (size_t)snprintf(text + used, sizeof text - used, " %u", row[i]);
		assert_in_range(used, 0, sizeof text - 1);
	}
	assert_string_equal(text, expected);
	assert_int_equal(ends[SENNIT_DISTANCES - 1], plan->count - 1);
}

/* Each row names each other worker once; each worker is the first choice of at most `most`. */
static void assert_fair(const struct sennit__plan *plan, unsigned most)
{
	unsigned *chosen = test_calloc(plan->count, sizeof *chosen);
	bool *seen = test_calloc(plan->count, sizeof *seen);

	for (unsigned worker = 0; worker < plan->count; worker++) {
		const uint16_t *row = sennit__victims_of(&plan->victims, worker);

		memset(seen, 0, plan->count * sizeof *seen);
		seen[worker] = true;
		for (unsigned i = 0; i + 1 < plan->count; i++) {
			assert_in_range(row[i], 0, plan->count - 1);
			assert_false(seen[row[i]]);
			seen[row[i]] = true;
		}
		assert_in_range(++chosen[row[0]], 1, most);
	}
	test_free(chosen);
	test_free(seen);
}

static void one_worker_has_nobody_to_ask(void **state)
{
	struct sennit__plan plan = plan_on(machine_of("core:1 pu:1"), 0, true);

	(void)state;
	assert_int_equal(plan.count, 1);
	assert_row(&plan, 0, " | | |");
	sennit__plan_fini(&plan);
}

static void workers_of_whom_nothing_is_known_ask_each_other_in_turn(void **state)
{
	struct sennit__plan plan = { 0 };

	(void)state;
	assert_int_equal(sennit__plan_unbound(&plan, 4), 0);
	assert_row(&plan, 0, " | | 1 2 3 |");
	assert_row(&plan, 1, " | | 2 3 0 |");
	assert_row(&plan, 2, " | | 3 0 1 |");
	assert_row(&plan, 3, " | | 0 1 2 |");
	assert_fair(&plan, 1);
	sennit__plan_fini(&plan);
	plan = plan_on(machine_of("numa:2 core:2 pu:1"), 4, false);
	assert_row(&plan, 0, " | | 1 2 3 |");
	sennit__plan_fini(&plan);
}

static void one_cache_comes_before_the_rest_of_the_node(void **state)
{
	struct sennit__plan plan = plan_on(machine_of("pack:1 l3:2 core:3 pu:2"), 0, true);

	(void)state;
	assert_int_equal(plan.count, 6);
	assert_row(&plan, 0, " | 1 2 | 3 4 5 |");
	assert_row(&plan, 1, " | 2 0 | 4 5 3 |");
	assert_row(&plan, 2, " | 0 1 | 5 3 4 |");
	assert_row(&plan, 5, " | 4 3 | 2 0 1 |");
	assert_fair(&plan, 1);
	sennit__plan_fini(&plan);
}

static void the_smaller_of_two_shared_caches_is_the_nearer(void **state)
{
	struct sennit__plan plan = plan_on(machine_of("pack:1 l3:1 l2:2 core:2 pu:1"), 0, true);

	(void)state;
	assert_row(&plan, 0, " | 1 2 3 | |");
	assert_row(&plan, 1, " | 0 3 2 | |");
	assert_row(&plan, 2, " | 3 0 1 | |");
	sennit__plan_fini(&plan);
}

static void two_nodes_are_far_from_each_other(void **state)
{
	struct sennit__plan plan = plan_on(machine_of("pack:2 [numa] l3:1 core:2 pu:1"), 0, true);

	(void)state;
	assert_row(&plan, 0, " | 1 | | 2 3");
	assert_row(&plan, 1, " | 0 | | 3 2");
	assert_row(&plan, 2, " | 3 | | 0 1");
	assert_row(&plan, 3, " | 2 | | 1 0");
	assert_fair(&plan, 1);
	sennit__plan_fini(&plan);
}

static void four_nodes_are_asked_by_latency_each_its_own_way(void **state)
{
	/* A ring on which it is far from 0 to 1, but near from 1 to 0. */
	static const hwloc_uint64_t latencies[] = {
		10, 40, 30, 20, /* from node 0 */
		20, 10, 30, 40, /* 1 */
		20, 20, 10, 20, /* 2 */
		40, 30, 20, 10, /* 3 */
	};
	hwloc_topology_t topology = machine_of("pack:4 [numa] core:2 pu:1");
	struct sennit__plan plan;

	(void)state;
	set_latencies(topology, latencies);
	plan = plan_on(topology, 0, true);
	assert_int_equal(plan.count, 8);
	assert_row(&plan, 0, " | | 1 | 6 7 4 5 2 3");
	assert_row(&plan, 1, " | | 0 | 7 6 5 4 3 2");
	assert_row(&plan, 2, " | | 3 | 0 1 4 5 6 7");
	assert_row(&plan, 4, " | | 5 | 6 7 0 1 2 3");
	assert_row(&plan, 7, " | | 6 | 5 4 3 2 1 0");
	assert_fair(&plan, 1);
	sennit__plan_fini(&plan);
}

static void four_nodes_without_latencies_are_asked_from_different_ends(void **state)
{
	struct sennit__plan plan = plan_on(machine_of("pack:4 [numa] core:1 pu:1"), 0, true);

	(void)state;
	assert_row(&plan, 0, " | | | 1 2 3");
	assert_row(&plan, 1, " | | | 2 3 0");
	assert_row(&plan, 3, " | | | 0 1 2");
	assert_fair(&plan, 1);
	sennit__plan_fini(&plan);
}

static void a_large_machine_is_asked_fairly(void **state)
{
	struct sennit__plan plan =
	    plan_on(machine_of("pack:2 [numa] l3:8 core:8 pu:2"), 0, true);

	(void)state;
	assert_int_equal(plan.count, 128);
	assert_int_equal(sennit__victims_ends(&plan.victims, 77)[SENNIT_DISTANCE_CORE], 0);
	assert_int_equal(sennit__victims_ends(&plan.victims, 77)[SENNIT_DISTANCE_CACHE], 7);
	assert_int_equal(sennit__victims_ends(&plan.victims, 77)[SENNIT_DISTANCE_NODE], 63);
	assert_fair(&plan, 1);
	sennit__plan_fini(&plan);
	plan = plan_on(machine_of("pack:16 [numa] l3:8 core:8 pu:1"), 1024, true);
	assert_int_equal(plan.count, 1024);
	assert_fair(&plan, 1);
	sennit__plan_fini(&plan);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(one_worker_has_nobody_to_ask),
		TEST(workers_of_whom_nothing_is_known_ask_each_other_in_turn),
		TEST(one_cache_comes_before_the_rest_of_the_node),
		TEST(the_smaller_of_two_shared_caches_is_the_nearer),
		TEST(two_nodes_are_far_from_each_other),
		TEST(four_nodes_are_asked_by_latency_each_its_own_way),
		TEST(four_nodes_without_latencies_are_asked_from_different_ends),
		TEST(a_large_machine_is_asked_fairly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
