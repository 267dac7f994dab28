/* SPDX-License-Identifier: MIT */
/* plan.c - see plan.h. */
#include "runtime/topology/plan.h"

#include "runtime/topology/distance.h"
#include "runtime/topology/quota.h"

#include <errno.h>
#include <hwloc/cpukinds.h>
#include <stdlib.h>
#include <string.h>

/* What makes a difference for who is near whom, besides memory nodes, which are always there. */
static const hwloc_obj_type_t looked_at[] = {
	HWLOC_OBJ_PACKAGE, HWLOC_OBJ_DIE,     HWLOC_OBJ_CORE,    HWLOC_OBJ_L2CACHE,
	HWLOC_OBJ_L3CACHE, HWLOC_OBJ_L4CACHE, HWLOC_OBJ_L5CACHE,
};

/* --- seats ------------------------------------------------------------------------------------ */

struct seat {
	unsigned cpu;
	unsigned round; /* how many of its core come before it */
	int speed;      /* of its kind, as the machine ranks them */
	unsigned order; /* the machine's */
};

struct seats {
	struct seat *seat;
	unsigned units; /* allowed */
	unsigned cores; /* allowed; the first `cores` seats are of different ones */
	unsigned cores_of_machine;
	unsigned units_of_machine;
};

static int compare(const void *a, const void *b)
{
	const struct seat *one = a;
	const struct seat *two = b;

	if (one->round != two->round)
		return one->round < two->round ? -1 : 1;
	if (one->speed != two->speed)
		return one->speed > two->speed ? -1 : 1;
	return one->order < two->order ? -1 : one->order > two->order;
}

/* How fast a unit's kind is: more is faster, 0 where the machine does not say. */
static int speed_of(hwloc_topology_t topology, hwloc_bitmap_t scratch, unsigned cpu)
{
	int speed = -1;
	int kind;

	if (hwloc_cpukinds_get_nr(topology, 0) < 2 || hwloc_bitmap_only(scratch, cpu))
		return 0;
	kind = hwloc_cpukinds_get_by_cpuset(topology, scratch, 0);
	if (kind < 0 ||
	    hwloc_cpukinds_get_info(topology, (unsigned)kind, NULL, &speed, NULL, NULL, 0))
		return 0;
	return speed < 0 ? 0 : speed;
}

/* Lists the allowed units in the order in which they are given out. A unit that belongs to no core
 * counts as one. 0 or -ENOMEM. */
static int list_seats(struct seats *seats, hwloc_topology_t topology, hwloc_const_cpuset_t allowed)
{
	int units = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PU);
	hwloc_bitmap_t scratch = hwloc_bitmap_alloc();
	hwloc_obj_t unit = NULL;
	hwloc_obj_t core = NULL; /* the last one with an allowed unit */
	hwloc_obj_t counted = NULL;
	unsigned round = 0;

	memset(seats, 0, sizeof *seats);
	seats->seat = calloc(units > 0 ? (size_t)units : 1, sizeof *seats->seat);
	if (!scratch || !seats->seat) {
		hwloc_bitmap_free(scratch);
		return -ENOMEM;
	}
	while ((unit = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_PU, unit))) {
		hwloc_obj_t its = hwloc_get_ancestor_obj_by_type(topology, HWLOC_OBJ_CORE, unit);

		seats->units_of_machine++;
		seats->cores_of_machine += !its || its != counted;
		counted = its;
		if (!hwloc_bitmap_isset(allowed, unit->os_index))
			continue;
		round = its && its == core ? round + 1 : 0;
		core = its;
		seats->cores += round == 0;
		seats->seat[seats->units] = (struct seat){
			unit->os_index, round, speed_of(topology, scratch, unit->os_index),
			seats->units};
		seats->units++;
	}
	hwloc_bitmap_free(scratch);
	qsort(seats->seat, seats->units, sizeof *seats->seat, compare);
	return 0;
}

/* --- the plan --------------------------------------------------------------------------------- */

/* How many workers there are, and why. */
static void count_workers(struct sennit__plan *plan, const struct sennit__wish *wish,
			  const struct seats *seats)
{
	bool all = wish->pin == SENNIT_PIN_PUS;
	unsigned may = all ? seats->units : seats->cores;
	unsigned has = all ? seats->units_of_machine : seats->cores_of_machine;

	plan->limit = SENNIT__LIMIT_WISH;
	plan->count = wish->workers;
	if (plan->count)
		return;
	plan->limit = may < has ? SENNIT__LIMIT_MASK : SENNIT__LIMIT_TOPOLOGY;
	plan->count = may;
	if (wish->pin == SENNIT_PIN_LIST) {
		plan->limit = SENNIT__LIMIT_LIST;
		plan->count = wish->cpus_count;
	} else if (wish->quota && wish->quota < may) {
		plan->limit = SENNIT__LIMIT_QUOTA;
		plan->count = wish->quota;
	}
	if (plan->count > SENNIT__WORKERS_MAX)
		plan->count = SENNIT__WORKERS_MAX;
	if (plan->count == 0)
		plan->count = 1;
}

/* Whether the workers are bound, else why not. */
static enum sennit__unbound choose_binding(const struct sennit__plan *plan,
					   const struct sennit__wish *wish,
					   const struct seats *seats)
{
	switch (wish->pin) {
	case SENNIT_PIN_NONE:
		return SENNIT__UNBOUND_WISH;
	case SENNIT_PIN_LIST:
		return SENNIT__UNBOUND_NOT;
	case SENNIT_PIN_PUS:
		return plan->count > seats->units ? SENNIT__UNBOUND_MANY : SENNIT__UNBOUND_NOT;
	case SENNIT_PIN_DEFAULT:
		if (plan->limit == SENNIT__LIMIT_QUOTA)
			return SENNIT__UNBOUND_QUOTA;
		break;
	case SENNIT_PIN_CORES:
		break;
	}
	return plan->count > seats->cores ? SENNIT__UNBOUND_MANY : SENNIT__UNBOUND_NOT;
}

static int give_seats(struct sennit__plan *plan, hwloc_topology_t topology,
		      const struct sennit__wish *wish, const struct seats *seats)
{
	plan->place = calloc(plan->count, sizeof *plan->place);
	plan->node = calloc(plan->count, sizeof *plan->node);
	if (!plan->place || !plan->node)
		return -ENOMEM;
	for (unsigned i = 0; i < plan->count; i++) {
		hwloc_obj_t node;

		plan->place[i] = wish->pin == SENNIT_PIN_LIST ? wish->cpus[i % wish->cpus_count]
							      : seats->seat[i].cpu;
		node = sennit__distance_node(topology, plan->place[i]);
		plan->node[i] = node ? (int)node->os_index : -1;
	}
	return 0;
}

int sennit__plan_from(struct sennit__plan *plan, hwloc_topology_t topology,
		      hwloc_const_cpuset_t allowed, const struct sennit__wish *wish)
{
	struct seats seats;
	int error = list_seats(&seats, topology, allowed);

	memset(plan, 0, sizeof *plan);
	plan->allowed = error ? NULL : hwloc_bitmap_dup(allowed);
	if (!plan->allowed)
		error = -ENOMEM;
	if (!error) {
		plan->quota = wish->quota;
		count_workers(plan, wish, &seats);
		plan->unbound = choose_binding(plan, wish, &seats);
		if (plan->unbound == SENNIT__UNBOUND_NOT)
			error = give_seats(plan, topology, wish, &seats);
	}
	if (!error)
		error = sennit__distance_victims(&plan->victims, topology, plan->place,
						 plan->count);
	free(seats.seat);
	if (error)
		sennit__plan_fini(plan);
	return error;
}

int sennit__plan_unbound(struct sennit__plan *plan, unsigned workers)
{
	memset(plan, 0, sizeof *plan);
	plan->count = workers;
	plan->unbound = SENNIT__UNBOUND_WISH;
	return sennit__victims_init(&plan->victims, workers, NULL, NULL);
}

void sennit__plan_fini(struct sennit__plan *plan)
{
	if (plan->topology)
		hwloc_topology_destroy(plan->topology);
	hwloc_bitmap_free(plan->allowed);
	free(plan->place);
	free(plan->node);
	sennit__victims_fini(&plan->victims);
	memset(plan, 0, sizeof *plan);
}

/* --- this machine ----------------------------------------------------------------------------- */

/* Asks the system what the machine looks like; 0, -ENOMEM, or what hwloc reports. What hwloc would
 * find out by moving this thread from one processing unit to the next is left out: the rest is the
 * same, it takes a tenth of the time, and the caller's thread stays where it is. What a cpuset
 * forbids is in it: the mask tells what is allowed. */
static int load(hwloc_topology_t *topology)
{
	int error;

	if (hwloc_topology_init(topology))
		return -ENOMEM;
	hwloc_topology_set_flags(*topology, HWLOC_TOPOLOGY_FLAG_DONT_CHANGE_BINDING |
						    HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED |
						    HWLOC_TOPOLOGY_FLAG_NO_MEMATTRS);
	hwloc_topology_set_all_types_filter(*topology, HWLOC_TYPE_FILTER_KEEP_NONE);
	for (size_t i = 0; i < sizeof looked_at / sizeof *looked_at; i++)
		hwloc_topology_set_type_filter(*topology, looked_at[i],
					       HWLOC_TYPE_FILTER_KEEP_ALL);
	hwloc_topology_set_type_filter(*topology, HWLOC_OBJ_GROUP,
				       HWLOC_TYPE_FILTER_KEEP_STRUCTURE);
	if (!hwloc_topology_load(*topology))
		return 0;
	error = errno ? -errno : -EIO;
	hwloc_topology_destroy(*topology);
	return error;
}

int sennit__plan_init(struct sennit__plan *plan, const struct sennit__wish *wish)
{
	struct sennit__wish whole = *wish;
	hwloc_topology_t topology;
	hwloc_bitmap_t allowed;
	int error;

	if (wish->pin == SENNIT_PIN_NONE && wish->workers)
		return sennit__plan_unbound(plan, wish->workers);
	error = load(&topology);
	if (error)
		return error;
	whole.quota = sennit__quota_read("");
	allowed = hwloc_bitmap_alloc();
	if (allowed && hwloc_get_cpubind(topology, allowed, HWLOC_CPUBIND_THREAD))
		hwloc_bitmap_copy(allowed, hwloc_topology_get_allowed_cpuset(topology));
	error = allowed ? sennit__plan_from(plan, topology, allowed, &whole) : -ENOMEM;
	hwloc_bitmap_free(allowed);
	if (!error && plan->node && hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE) > 1)
		plan->topology = topology;
	else
		hwloc_topology_destroy(topology);
	return error;
}

int sennit__plan_settle(const struct sennit__plan *plan, unsigned worker, void *pages, size_t size)
{
	hwloc_bitmap_t node;
	int error = 0;

	if (!plan->topology || plan->node[worker] < 0)
		return 0;
	node = hwloc_bitmap_alloc();
	if (!node || hwloc_bitmap_only(node, (unsigned)plan->node[worker]))
		error = -ENOMEM;
	else if (hwloc_set_area_membind(plan->topology, pages, size, node, HWLOC_MEMBIND_BIND,
					HWLOC_MEMBIND_BYNODESET | HWLOC_MEMBIND_MIGRATE))
		error = -errno;
	hwloc_bitmap_free(node);
	return error;
}

void sennit__plan_unsettle(const struct sennit__plan *plan, void *pages, size_t size)
{
	if (plan->topology)
		hwloc_set_area_membind(plan->topology, pages, size,
				       hwloc_topology_get_topology_nodeset(plan->topology),
				       HWLOC_MEMBIND_DEFAULT, HWLOC_MEMBIND_BYNODESET);
}
