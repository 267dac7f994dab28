/* SPDX-License-Identifier: MIT */
/* plan.h - where workers sit: one for each core that the process may use.
 *
 * A plan is made from a topology (plan_from: nothing is asked of the system, so a described machine
 * will do in tests) and carried out by each worker thread for itself (bind). More workers than
 * cores are not bound: the kernel knows better then.
 */
#ifndef SENNIT_RUNTIME_TOPOLOGY_PLAN_H
#define SENNIT_RUNTIME_TOPOLOGY_PLAN_H

#include "runtime/topology/victims.h"

#include <hwloc.h>
#include <stdbool.h>

struct sennit__plan {
	hwloc_topology_t topology;
	unsigned count;  /* workers */
	unsigned *place; /* for each the processing unit's number, or NULL: unbound */
	struct sennit__victims victims;
};

/* Plans for this machine and the calling thread's affinity mask. `workers` 0: one for each core.
 * 0, -ENOMEM, or what hwloc reports. */
int sennit__plan_init(struct sennit__plan *plan, unsigned workers, bool pin);

/* As above for a loaded topology, which the plan owns from success on. */
int sennit__plan_from(struct sennit__plan *plan, hwloc_topology_t topology,
		      hwloc_const_cpuset_t allowed, unsigned workers, bool pin);

/* A plan for `workers` threads of which nothing is known: the caller's. 0 or -ENOMEM. */
int sennit__plan_unbound(struct sennit__plan *plan, unsigned workers);

void sennit__plan_fini(struct sennit__plan *plan);

/* Binds the calling thread as planned for `worker`; 0 or -errno. */
int sennit__plan_bind(const struct sennit__plan *plan, unsigned worker);

#endif
