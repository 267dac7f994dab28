/* SPDX-License-Identifier: MIT */
/* distance.c - see distance.h. */
#include "runtime/topology/distance.h"

#include <errno.h>
#include <hwloc/distances.h>
#include <stdlib.h>

/* What is looked at for each pair. */
struct survey {
	hwloc_topology_t topology;
	struct hwloc_distances_s *matrix; /* latencies between nodes, or NULL */
	hwloc_obj_t *unit;                /* of each worker */
	hwloc_obj_t *node;
};

hwloc_obj_t sennit__distance_node(hwloc_topology_t topology, unsigned cpu)
{
	hwloc_obj_t best = NULL;
	hwloc_obj_t node = NULL;

	while ((node = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_NUMANODE, node)))
		if (hwloc_bitmap_isset(node->cpuset, cpu) &&
		    (!best ||
		     hwloc_bitmap_weight(node->cpuset) < hwloc_bitmap_weight(best->cpuset)))
			best = node;
	return best;
}

/* Between two nodes as the matrix has it, in 40 bits; 0 where it has nothing. */
static uint64_t latency(const struct survey *survey, hwloc_obj_t from, hwloc_obj_t to)
{
	const uint64_t most = ((uint64_t)1 << 40) - 1;
	hwloc_uint64_t there;
	hwloc_uint64_t back;

	if (!survey->matrix || !from || !to ||
	    hwloc_distances_obj_pair_values(survey->matrix, from, to, &there, &back))
		return 0;
	return there < most ? there : most;
}

static uint64_t distance(const void *context, unsigned from, unsigned to)
{
	const struct survey *survey = context;
	hwloc_obj_t a = survey->unit[from];
	hwloc_obj_t b = survey->unit[to];
	uint64_t kind = SENNIT_DISTANCE_NODE;
	uint64_t within = 0;

	if (a && b) {
		hwloc_obj_t both =
			a == b ? a : hwloc_get_common_ancestor_obj(survey->topology, a, b);

		if (both->type == HWLOC_OBJ_PU || both->type == HWLOC_OBJ_CORE)
			kind = SENNIT_DISTANCE_CORE;
		else if (hwloc_obj_type_is_dcache(both->type))
			kind = SENNIT_DISTANCE_CACHE;
		else if (survey->node[from] != survey->node[to])
			kind = SENNIT_DISTANCE_FAR;
		if (kind == SENNIT_DISTANCE_FAR)
			within = latency(survey, survey->node[from], survey->node[to]);
		within = within << 8 | (uint64_t)(255 - (both->depth & 255));
	}
	return kind << SENNIT__DISTANCE_SHIFT | within;
}

int sennit__distance_victims(struct sennit__victims *victims, hwloc_topology_t topology,
			     const unsigned *place, unsigned count)
{
	struct survey survey = {.topology = topology};
	unsigned matrices = 1;
	int error;

	if (!place)
		return sennit__victims_init(victims, count, NULL, NULL);
	survey.unit = calloc((size_t)count * 2, sizeof *survey.unit);
	if (!survey.unit)
		return -ENOMEM;
	survey.node = survey.unit + count;
	for (unsigned i = 0; i < count; i++) {
		survey.unit[i] = hwloc_get_pu_obj_by_os_index(topology, place[i]);
		survey.node[i] = sennit__distance_node(topology, place[i]);
	}
	if (hwloc_distances_get_by_type(topology, HWLOC_OBJ_NUMANODE, &matrices, &survey.matrix,
					HWLOC_DISTANCES_KIND_MEANS_LATENCY, 0) ||
	    matrices == 0)
		survey.matrix = NULL;
	error = sennit__victims_init(victims, count, distance, &survey);
	if (survey.matrix)
		hwloc_distances_release(topology, survey.matrix);
	free(survey.unit);
	return error;
}
