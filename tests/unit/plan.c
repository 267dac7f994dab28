/* SPDX-License-Identifier: MIT */
/* plan.c - where workers sit, on machines that are only described. */
#include "support.h"

#include "runtime/topology/plan.h"

#include <hwloc/cpukinds.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A described machine as hwloc writes them. */
static hwloc_topology_t machine_of(const char *machine)
{
	hwloc_topology_t topology;

	assert_int_equal(hwloc_topology_init(&topology), 0);
	assert_int_equal(hwloc_topology_set_synthetic(topology, machine), 0);
	assert_int_equal(hwloc_topology_load(topology), 0);
	return topology;
}

/* Plans for a machine, which goes; `allowed` as hwloc writes lists, NULL for all of it. */
static struct sennit__plan plan_on(hwloc_topology_t topology, const char *allowed,
                                   const struct sennit__wish *wish)
{
	struct sennit__plan plan;
	hwloc_bitmap_t set = hwloc_bitmap_alloc();

	assert_non_null(set);
	if (allowed)
		assert_int_equal(hwloc_bitmap_list_sscanf(set, allowed), 0);
	else
		hwloc_bitmap_copy(set, hwloc_topology_get_topology_cpuset(topology));
	assert_int_equal(sennit__plan_from(&plan, topology, set, wish), 0);
	hwloc_bitmap_free(set);
	hwloc_topology_destroy(topology);
	return plan;
}

static struct sennit__plan plan_for(const char *machine, const char *allowed, unsigned workers,
                                    enum sennit_pin pin)
{
	const struct sennit__wish wish = { .workers = workers, .pin = pin };

	return plan_on(machine_of(machine), allowed, &wish);
}

static void assert_places(struct sennit__plan *plan, const unsigned *places, unsigned count)
{
	assert_int_equal(plan->count, count);
	assert_int_equal(plan->unbound, SENNIT__UNBOUND_NOT);
	assert_non_null(plan->place);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(plan->place[i], places[i]);
	sennit__plan_fini(plan);
}

static void assert_unbound(struct sennit__plan *plan, unsigned count, enum sennit__unbound why)
{
	assert_int_equal(plan->count, count);
	assert_int_equal(plan->unbound, why);
	assert_null(plan->place);
	assert_int_equal(sennit__plan_settle(plan, 0, NULL, 0), 0);
	sennit__plan_fini(plan);
}

static void there_is_one_worker_for_each_core_whatever_its_threads(void **state)
{
	struct sennit__plan plan = plan_for("core:4 pu:2", NULL, 0, SENNIT_PIN_DEFAULT);

	(void)state;
	assert_places(&plan, (const unsigned[]){ 0, 2, 4, 6 }, 4);
	plan = plan_for("pack:2 core:3 pu:1", NULL, 0, SENNIT_PIN_DEFAULT);
	assert_places(&plan, (const unsigned[]){ 0, 1, 2, 3, 4, 5 }, 6);
	plan = plan_for("core:1 pu:1", NULL, 0, SENNIT_PIN_DEFAULT);
	assert_places(&plan, (const unsigned[]){ 0 }, 1);
}

static void only_allowed_cores_count_by_their_first_allowed_thread(void **state)
{
	struct sennit__plan plan = plan_for("core:4 pu:2", "3,4,5", 0, SENNIT_PIN_DEFAULT);

	(void)state;
	assert_places(&plan, (const unsigned[]){ 3, 4 }, 2);
	plan = plan_for("pack:2 core:4 pu:2", "15", 0, SENNIT_PIN_DEFAULT);
	assert_places(&plan, (const unsigned[]){ 15 }, 1);
}

static void fewer_workers_than_cores_are_bound_to_the_first(void **state)
{
	struct sennit__plan plan = plan_for("core:8 pu:1", NULL, 3, SENNIT_PIN_DEFAULT);

	(void)state;
	assert_places(&plan, (const unsigned[]){ 0, 1, 2 }, 3);
	plan = plan_for("core:8 pu:1", "2,4,6", 3, SENNIT_PIN_DEFAULT);
	assert_places(&plan, (const unsigned[]){ 2, 4, 6 }, 3);
}

static void more_workers_than_cores_are_not_bound(void **state)
{
	struct sennit__plan plan = plan_for("core:2 pu:2", NULL, 3, SENNIT_PIN_DEFAULT);

	(void)state;
	assert_unbound(&plan, 3, SENNIT__UNBOUND_MANY);
	plan = plan_for("core:8 pu:2", "0,1", 2, SENNIT_PIN_DEFAULT);
	assert_unbound(&plan, 2, SENNIT__UNBOUND_MANY);
	plan = plan_for("core:2 pu:1", NULL, 1024, SENNIT_PIN_DEFAULT);
	assert_unbound(&plan, 1024, SENNIT__UNBOUND_MANY);
}

static void who_does_not_want_to_be_bound_is_not(void **state)
{
	struct sennit__plan plan = plan_for("core:4 pu:2", NULL, 0, SENNIT_PIN_NONE);

	(void)state;
	assert_unbound(&plan, 4, SENNIT__UNBOUND_WISH);
	plan = plan_for("core:4 pu:2", NULL, 2, SENNIT_PIN_NONE);
	assert_unbound(&plan, 2, SENNIT__UNBOUND_WISH);
}

static void a_machine_without_cores_has_a_worker_for_each_processing_unit(void **state)
{
	struct sennit__plan plan = plan_for("numa:2 pu:3", NULL, 0, SENNIT_PIN_DEFAULT);

	(void)state;
	assert_places(&plan, (const unsigned[]){ 0, 1, 2, 3, 4, 5 }, 6);
}

static void a_machine_with_more_cores_than_workers_can_be_has_1024(void **state)
{
	struct sennit__plan plan = plan_for("pack:32 core:48 pu:1", NULL, 0, SENNIT_PIN_DEFAULT);

	(void)state;
	assert_int_equal(plan.count, 1024);
	assert_non_null(plan.place);
	assert_int_equal(plan.place[1023], 1023);
	sennit__plan_fini(&plan);
}

static void all_processing_units_are_given_out_core_by_core(void **state)
{
	struct sennit__plan plan = plan_for("core:4 pu:2", NULL, 0, SENNIT_PIN_PUS);

	(void)state;
	assert_places(&plan, (const unsigned[]){ 0, 2, 4, 6, 1, 3, 5, 7 }, 8);
	/* few are on cores of their own */
	plan = plan_for("core:4 pu:2", NULL, 5, SENNIT_PIN_PUS);
	assert_places(&plan, (const unsigned[]){ 0, 2, 4, 6, 1 }, 5);
	plan = plan_for("core:4 pu:4", "1,2,3,8,13", 0, SENNIT_PIN_PUS);
	assert_places(&plan, (const unsigned[]){ 1, 8, 13, 2, 3 }, 5);
	plan = plan_for("core:4 pu:2", NULL, 9, SENNIT_PIN_PUS);
	assert_unbound(&plan, 9, SENNIT__UNBOUND_MANY);
}

static void a_list_is_taken_as_it_is(void **state)
{
	static const unsigned cpus[] = { 7, 2, 2, 99 };
	struct sennit__wish wish = { .pin = SENNIT_PIN_LIST, .cpus = cpus, .cpus_count = 4 };
	struct sennit__plan plan = plan_on(machine_of("core:4 pu:2"), "0-1", &wish);

	(void)state;
	assert_int_equal(plan.limit, SENNIT__LIMIT_LIST);
	assert_int_equal(plan.node[0], 0);
	assert_int_equal(plan.node[3], -1);
	assert_places(&plan, (const unsigned[]){ 7, 2, 2, 99 }, 4);
	wish.workers = 6;
	wish.quota = 1;
	plan = plan_on(machine_of("core:4 pu:2"), NULL, &wish);
	assert_int_equal(plan.limit, SENNIT__LIMIT_WISH);
	assert_places(&plan, (const unsigned[]){ 7, 2, 2, 99, 7, 2 }, 6);
	wish.workers = 0;
	plan = plan_on(machine_of("core:4 pu:2"), NULL, &wish);
	assert_places(&plan, cpus, 4);
}

/* Twelve cores, of which some are fast. */
static hwloc_topology_t hybrid_machine(const char *fast, const char *slow, int fast_efficiency)
{
	hwloc_topology_t topology = machine_of("pack:1 l3:1 core:12 pu:1");
	hwloc_bitmap_t set = hwloc_bitmap_alloc();

	assert_non_null(set);
	assert_int_equal(hwloc_bitmap_list_sscanf(set, fast), 0);
	assert_int_equal(hwloc_cpukinds_register(topology, set, fast_efficiency, 0, NULL, 0), 0);
	assert_int_equal(hwloc_bitmap_list_sscanf(set, slow), 0);
	assert_int_equal(hwloc_cpukinds_register(topology, set, fast_efficiency < 0 ? -1 : 1, 0,
	                                         NULL, 0), 0);
	hwloc_bitmap_free(set);
	return topology;
}

static void fast_cores_are_given_out_before_slow_ones(void **state)
{
	struct sennit__wish wish = { .pin = SENNIT_PIN_DEFAULT };
	struct sennit__plan plan = plan_on(hybrid_machine("8-11", "0-7", 5), NULL, &wish);

	(void)state;
	assert_places(&plan, (const unsigned[]){ 8, 9, 10, 11, 0, 1, 2, 3, 4, 5, 6, 7 }, 12);
	wish.workers = 5;
	plan = plan_on(hybrid_machine("2,8-10", "0-1,3-7,11", 5), NULL, &wish);
	assert_places(&plan, (const unsigned[]){ 2, 8, 9, 10, 0 }, 5);
	plan = plan_on(hybrid_machine("8-11", "0-7", 5), "5-7,9,11", &wish);
	assert_places(&plan, (const unsigned[]){ 9, 11, 5, 6, 7 }, 5);
	/* which kind is the faster one is not known */
	plan = plan_on(hybrid_machine("8-11", "0-7", -1), NULL, &wish);
	assert_places(&plan, (const unsigned[]){ 0, 1, 2, 3, 4 }, 5);
}

static void a_core_of_a_fast_kind_gives_its_second_thread_after_all_first_ones(void **state)
{
	struct sennit__wish wish = { .pin = SENNIT_PIN_PUS };
	hwloc_topology_t topology = machine_of("core:4 pu:2");
	hwloc_bitmap_t set = hwloc_bitmap_alloc();
	struct sennit__plan plan;

	(void)state;
	hwloc_bitmap_list_sscanf(set, "4-7");
	assert_int_equal(hwloc_cpukinds_register(topology, set, 9, 0, NULL, 0), 0);
	hwloc_bitmap_list_sscanf(set, "0-3");
	assert_int_equal(hwloc_cpukinds_register(topology, set, 3, 0, NULL, 0), 0);
	hwloc_bitmap_free(set);
	plan = plan_on(topology, NULL, &wish);
	assert_places(&plan, (const unsigned[]){ 4, 6, 0, 2, 5, 7, 1, 3 }, 8);
}

static void the_number_of_workers_says_where_it_comes_from(void **state)
{
	struct sennit__wish wish = { .pin = SENNIT_PIN_CORES, .quota = 3 };
	struct sennit__plan plan = plan_on(machine_of("core:4 pu:2"), NULL, &wish);

	(void)state;
	assert_int_equal(plan.limit, SENNIT__LIMIT_QUOTA);
	assert_int_equal(plan.quota, 3);
	assert_places(&plan, (const unsigned[]){ 0, 2, 4 }, 3);
	plan = plan_on(machine_of("core:4 pu:2"), "0-3", &wish);
	assert_int_equal(plan.limit, SENNIT__LIMIT_MASK);
	assert_places(&plan, (const unsigned[]){ 0, 2 }, 2);
	wish.quota = 4;
	plan = plan_on(machine_of("core:4 pu:2"), NULL, &wish);
	assert_int_equal(plan.limit, SENNIT__LIMIT_TOPOLOGY);
	assert_places(&plan, (const unsigned[]){ 0, 2, 4, 6 }, 4);
	/* half the threads, but all cores */
	plan = plan_on(machine_of("core:4 pu:2"), "1,3,5,7", &wish);
	assert_int_equal(plan.limit, SENNIT__LIMIT_TOPOLOGY);
	assert_places(&plan, (const unsigned[]){ 1, 3, 5, 7 }, 4);
	wish.workers = 2;
	wish.quota = 1;
	plan = plan_on(machine_of("core:4 pu:2"), NULL, &wish);
	assert_int_equal(plan.limit, SENNIT__LIMIT_WISH);
	assert_places(&plan, (const unsigned[]){ 0, 2 }, 2);
}

static void fewer_by_quota_are_not_bound_unless_asked_for(void **state)
{
	struct sennit__wish wish = { .pin = SENNIT_PIN_DEFAULT, .quota = 3 };
	struct sennit__plan plan = plan_on(machine_of("core:4 pu:2"), NULL, &wish);

	(void)state;
	assert_unbound(&plan, 3, SENNIT__UNBOUND_QUOTA);
	wish.quota = 4;
	plan = plan_on(machine_of("core:4 pu:2"), NULL, &wish);
	assert_places(&plan, (const unsigned[]){ 0, 2, 4, 6 }, 4);
	wish.quota = 6;
	wish.pin = SENNIT_PIN_PUS;
	plan = plan_on(machine_of("core:4 pu:2"), NULL, &wish);
	assert_int_equal(plan.limit, SENNIT__LIMIT_QUOTA);
	assert_places(&plan, (const unsigned[]){ 0, 2, 4, 6, 1, 3 }, 6);
	wish.pin = SENNIT_PIN_NONE;
	wish.quota = 2;
	plan = plan_on(machine_of("core:4 pu:2"), NULL, &wish);
	assert_unbound(&plan, 2, SENNIT__UNBOUND_WISH);
}

static void each_worker_knows_the_node_of_its_memory(void **state)
{
	struct sennit__plan plan =
	    plan_for("pack:2 [numa] core:2 pu:1", "1-3", 0, SENNIT_PIN_DEFAULT);

	(void)state;
	assert_int_equal(plan.node[0], 0);
	assert_int_equal(plan.node[1], 1);
	assert_int_equal(plan.node[2], 1);
	assert_places(&plan, (const unsigned[]){ 1, 2, 3 }, 3);
	/* a node of the package and one of each half: the smaller one is nearer */
	plan = plan_for("pack:1 [numa] group:2 [numa] core:1 pu:1", NULL, 0, SENNIT_PIN_DEFAULT);
	assert_int_not_equal(plan.node[0], plan.node[1]);
	assert_places(&plan, (const unsigned[]){ 0, 1 }, 2);
}

static void a_mask_without_anything_of_the_machine_has_one_worker(void **state)
{
	struct sennit__plan plan = plan_for("core:4 pu:1", "17", 0, SENNIT_PIN_DEFAULT);

	(void)state;
	assert_unbound(&plan, 1, SENNIT__UNBOUND_MANY);
}

static unsigned moves;

/* Stands before the C library's, for hwloc too. */
int sched_setaffinity(pid_t thread, size_t size, const cpu_set_t *cpus)
{
	moves++;
	return (int)syscall(SYS_sched_setaffinity, thread, size, cpus);
}

static void this_machine_can_be_planned(void **state)
{
	struct sennit__wish wish = { .workers = 1 };
	struct sennit__plan plan;
	cpu_set_t saved;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof saved, &saved), 0);
	moves = 0;
	assert_int_equal(sennit__plan_init(&plan, &wish), 0);
	assert_int_equal(moves, 0); /* to find out */
	assert_int_equal(plan.count, 1);
	assert_non_null(plan.place);
	assert_true(CPU_ISSET((size_t)plan.place[0], &saved));
	assert_int_equal(hwloc_bitmap_weight(plan.allowed), CPU_COUNT(&saved));
	sennit__plan_fini(&plan);
	assert_null(plan.topology);
	wish.workers = 0;
	assert_int_equal(sennit__plan_init(&plan, &wish), 0);
	assert_in_range(plan.count, 1, CPU_COUNT(&saved));
	sennit__plan_fini(&plan);
}

static void the_calling_threads_mask_is_what_counts(void **state)
{
	struct sennit__wish wish = { .pin = SENNIT_PIN_PUS };
	struct sennit__plan plan;
	cpu_set_t saved;

	(void)state;
	take_one_cpu(&saved);
	assert_int_equal(sennit__plan_init(&plan, &wish), 0);
	assert_int_equal(plan.count, 1);
	assert_int_equal(hwloc_bitmap_weight(plan.allowed), 1);
	assert_non_null(plan.place);
	assert_int_equal(plan.place[0], hwloc_bitmap_first(plan.allowed));
	sennit__plan_fini(&plan);
	give_back_cpus(&saved);
}

/* The policy of the page at an address, as <linux/mempolicy.h> has it; skips where that cannot be
 * asked. */
static int policy_at(void *page)
{
	const unsigned long of_address = 1ul << 1;
	int policy = -1;

	if (syscall(SYS_get_mempolicy, &policy, NULL, 0, page, of_address))
		SKIP("the system does not tell where memory is to be");
	return policy;
}

static void memory_is_kept_on_the_workers_node_until_it_is_given_back(void **state)
{
	enum { SIZE = 8 << 12, POLICY_DEFAULT = 0 };
	const struct sennit__wish wish = { .workers = 1, .pin = SENNIT_PIN_CORES };
	struct sennit__plan plan;
	char *pages = aligned_alloc(1 << 12, SIZE);

	(void)state;
	assert_non_null(pages);
	memset(pages, 1, SIZE);
	assert_int_equal(sennit__plan_init(&plan, &wish), 0);
	assert_non_null(plan.node);
	if (!plan.topology) { /* one node: as if there were more */
		assert_int_equal(sennit__plan_settle(&plan, 0, pages, SIZE), 0);
		assert_int_equal(policy_at(pages), POLICY_DEFAULT);
		assert_int_equal(hwloc_topology_init(&plan.topology), 0);
		assert_int_equal(hwloc_topology_load(plan.topology), 0);
	}
	assert_int_equal(sennit__plan_settle(&plan, 0, pages, SIZE), 0);
	assert_int_not_equal(policy_at(pages), POLICY_DEFAULT);
	assert_int_not_equal(policy_at(pages + SIZE - 1), POLICY_DEFAULT);
	for (size_t i = 0; i < SIZE; i++)
		assert_int_equal(pages[i], 1);
	sennit__plan_unsettle(&plan, pages, SIZE);
	assert_int_equal(policy_at(pages), POLICY_DEFAULT);
	sennit__plan_fini(&plan);
	free(pages);
}

static void who_wants_a_number_of_unbound_workers_needs_no_machine(void **state)
{
	const struct sennit__wish wish = { .workers = 5, .pin = SENNIT_PIN_NONE };
	struct sennit__plan plan;

	(void)state;
	assert_int_equal(sennit__plan_init(&plan, &wish), 0);
	assert_null(plan.allowed);
	assert_int_equal(plan.victims.count, 5);
	assert_unbound(&plan, 5, SENNIT__UNBOUND_WISH);
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
		TEST(all_processing_units_are_given_out_core_by_core),
		TEST(a_list_is_taken_as_it_is),
		TEST(fast_cores_are_given_out_before_slow_ones),
		TEST(a_core_of_a_fast_kind_gives_its_second_thread_after_all_first_ones),
		TEST(the_number_of_workers_says_where_it_comes_from),
		TEST(fewer_by_quota_are_not_bound_unless_asked_for),
		TEST(each_worker_knows_the_node_of_its_memory),
		TEST(a_mask_without_anything_of_the_machine_has_one_worker),
		TEST(this_machine_can_be_planned),
		TEST(the_calling_threads_mask_is_what_counts),
		TEST(memory_is_kept_on_the_workers_node_until_it_is_given_back),
		TEST(who_wants_a_number_of_unbound_workers_needs_no_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
