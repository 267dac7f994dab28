/* SPDX-License-Identifier: MIT */
/* distance.h - how far processing units are from each other, as a topology tells it.
 *
 * What the smallest object that holds both is makes the distance's kind: a core, a cache, else the
 * memory node of both, if it is the same one. Within a kind the smaller such object is nearer; of
 * other nodes those with the lower latency in the machine's matrix, where it has one.
 */
#ifndef SENNIT_RUNTIME_TOPOLOGY_DISTANCE_H
#define SENNIT_RUNTIME_TOPOLOGY_DISTANCE_H

#include "runtime/topology/victims.h"

#include <hwloc.h>

/* The memory node of a processing unit, the smallest that names it; NULL where none does. */
hwloc_obj_t sennit__distance_node(hwloc_topology_t topology, unsigned cpu);

/* Fills `victims` for `count` workers that sit on the processing units place[]; `place` NULL where
 * they sit anywhere. A unit that the topology does not know is at no known distance.
 * 0 or -ENOMEM. */
int sennit__distance_victims(struct sennit__victims *victims, hwloc_topology_t topology,
			     const unsigned *place, unsigned count);

#endif
