/* SPDX-License-Identifier: MIT */
/* plan.c - see plan.h. */
#include "runtime/topology/plan.h"

#include "runtime/topology/distance.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What makes a difference for who is near whom, besides memory nodes, which are always there. */
static const hwloc_obj_type_t looked_at[] = {
	HWLOC_OBJ_PACKAGE, HWLOC_OBJ_DIE,     HWLOC_OBJ_CORE,    HWLOC_OBJ_L2CACHE,
	HWLOC_OBJ_L3CACHE, HWLOC_OBJ_L4CACHE, HWLOC_OBJ_L5CACHE,
};

/* The first allowed processing unit of each core that has one, at most `most`; returns how many. */
static unsigned list_cores(hwloc_topology_t topology, hwloc_const_cpuset_t allowed, unsigned *place,
			   unsigned most)
{
	hwloc_bitmap_t both = hwloc_bitmap_alloc();
	hwloc_obj_t core = NULL;
	unsigned found = 0;

	if (!both)
		return 0;
	while (found < most &&
	       (core = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_CORE, core))) {
		hwloc_bitmap_and(both, core->cpuset, allowed);
		if (!hwloc_bitmap_iszero(both))
			place[found++] = (unsigned)hwloc_bitmap_first(both);
	}
	/* A machine whose cores are not known: each processing unit counts as one. */
	if (!found && hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE) <= 0)
		for (int cpu = hwloc_bitmap_first(allowed); cpu >= 0 && found < most;
		     cpu = hwloc_bitmap_next(allowed, cpu))
			place[found++] = (unsigned)cpu;
	hwloc_bitmap_free(both);
	return found;
}

int sennit__plan_from(struct sennit__plan *plan, hwloc_topology_t topology,
		      hwloc_const_cpuset_t allowed, unsigned workers, bool pin)
{
	unsigned most = 1024;
	unsigned *place = calloc(most, sizeof *place);
	unsigned cores;

	if (!place)
		return -ENOMEM;
	cores = list_cores(topology, allowed, place, most);
	plan->count = workers ? workers : cores ? cores : 1;
	if (!pin || plan->count > cores) {
		free(place);
		place = NULL;
	}
	if (sennit__distance_victims(&plan->victims, topology, place, plan->count)) {
		free(place);
		return -ENOMEM;
	}
	plan->topology = topology;
	plan->place = place;
	return 0;
}

int sennit__plan_unbound(struct sennit__plan *plan, unsigned workers)
{
	plan->topology = NULL;
	plan->count = workers;
	plan->place = NULL;
	return sennit__victims_init(&plan->victims, workers, NULL, NULL);
}

int sennit__plan_init(struct sennit__plan *plan, unsigned workers, bool pin)
{
	hwloc_topology_t topology;
	hwloc_bitmap_t allowed = hwloc_bitmap_alloc();
	int error = -ENOMEM;

	if (!allowed)
		return error;
	if (hwloc_topology_init(&topology))
		goto no_topology;
	hwloc_topology_set_all_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_NONE);
	for (size_t i = 0; i < sizeof looked_at / sizeof *looked_at; i++)
		hwloc_topology_set_type_filter(topology, looked_at[i], HWLOC_TYPE_FILTER_KEEP_ALL);
	hwloc_topology_set_type_filter(topology, HWLOC_OBJ_GROUP,
				       HWLOC_TYPE_FILTER_KEEP_STRUCTURE);
	if (hwloc_topology_load(topology)) {
		error = errno ? -errno : -EIO;
		goto no_load;
	}
	if (hwloc_get_cpubind(topology, allowed, HWLOC_CPUBIND_THREAD))
		hwloc_bitmap_copy(allowed, hwloc_topology_get_allowed_cpuset(topology));
	error = sennit__plan_from(plan, topology, allowed, workers, pin);
	if (!error) {
		hwloc_bitmap_free(allowed);
		return 0;
	}
no_load:
	hwloc_topology_destroy(topology);
no_topology:
	hwloc_bitmap_free(allowed);
	return error;
}

void sennit__plan_fini(struct sennit__plan *plan)
{
	if (plan->topology)
		hwloc_topology_destroy(plan->topology);
	free(plan->place);
	sennit__victims_fini(&plan->victims);
	memset(plan, 0, sizeof *plan);
}

int sennit__plan_bind(const struct sennit__plan *plan, unsigned worker)
{
	hwloc_bitmap_t set;
	int error = 0;

	if (!plan->place)
		return 0;
	set = hwloc_bitmap_alloc();
	if (!set)
		return -ENOMEM;
	hwloc_bitmap_only(set, plan->place[worker]);
	if (hwloc_set_cpubind(plan->topology, set, HWLOC_CPUBIND_THREAD))
		error = -errno;
	hwloc_bitmap_free(set);
	return error;
}
