/* SPDX-License-Identifier: MIT */
/* plan.h - how many workers a started runtime has, where they sit, and whom they ask for work.
 *
 * A plan is made from a topology (plan_from: nothing is asked of the system, so a described machine
 * will do in tests). thread.c carries it out for threads, settle for a worker's memory. Both are
 * advice: what the system refuses is reported, and the worker runs all the same.
 *
 * Seats are given out core by core: first one processing unit of each core, then, where all units
 * are wanted, the second ones. Among cores those of a faster kind come first, as the machine ranks
 * them, else their order is the machine's, so that few workers are near each other.
 *
 * Workers are not bound, for the kernel then knows better, where there are more of them than seats;
 * and, unless the program or the environment asked for a placement, where a quota is why there are
 * fewer than cores: each container of a machine would choose the same ones.
 */
#ifndef SENNIT_RUNTIME_TOPOLOGY_PLAN_H
#define SENNIT_RUNTIME_TOPOLOGY_PLAN_H

#include "runtime/topology/victims.h"

#include <hwloc.h>
#include <sennit/runtime.h>

#define SENNIT__WORKERS_MAX 1024

/* What was asked for. */
struct sennit__wish {
	unsigned workers;     /* 0: as many as the rest allows */
	enum sennit_pin pin;
	const unsigned *cpus; /* of SENNIT_PIN_LIST: worker i sits on cpus[i % cpus_count] */
	unsigned cpus_count;
	unsigned quota;       /* CPUs that may be used at once, 0: all */
};

/* Where the number of workers comes from. */
enum sennit__limit {
	SENNIT__LIMIT_WISH,     /* it was asked for */
	SENNIT__LIMIT_TOPOLOGY, /* the machine's cores or processing units */
	SENNIT__LIMIT_MASK,     /* those that the process may use */
	SENNIT__LIMIT_QUOTA,
	SENNIT__LIMIT_LIST
};

/* Why workers are not bound. */
enum sennit__unbound {
	SENNIT__UNBOUND_NOT, /* they are */
	SENNIT__UNBOUND_WISH,
	SENNIT__UNBOUND_MANY, /* more than seats */
	SENNIT__UNBOUND_QUOTA
};

struct sennit__plan {
	unsigned count; /* workers */
	enum sennit__limit limit;
	enum sennit__unbound unbound;
	unsigned quota;            /* as in the wish */
	unsigned *place;           /* for each the processing unit's number, or NULL: unbound */
	int *node;                 /* and its memory node's, -1: not known; or NULL */
	hwloc_bitmap_t allowed;    /* what the process may use, or NULL: nobody asked */
	hwloc_topology_t topology; /* where memory has more than one node, else NULL */
	struct sennit__victims victims;
};

/* Plans for this machine and the calling thread's affinity mask. The quota is read, what the wish
 * has there is not looked at. 0, -ENOMEM, or what hwloc reports. */
int sennit__plan_init(struct sennit__plan *plan, const struct sennit__wish *wish);

/* As above, for a loaded topology, of which nothing is kept. */
int sennit__plan_from(struct sennit__plan *plan, hwloc_topology_t topology,
		      hwloc_const_cpuset_t allowed, const struct sennit__wish *wish);

/* A plan for `workers` threads of which nothing is known: the caller's. 0 or -ENOMEM. */
int sennit__plan_unbound(struct sennit__plan *plan, unsigned workers);

/* After failure too. */
void sennit__plan_fini(struct sennit__plan *plan);

/* Has the system keep whole pages on the worker's memory node, those in use moved there. Nothing is
 * to be done where there is one node only. 0 or -errno. */
int sennit__plan_settle(const struct sennit__plan *plan, unsigned worker, void *pages, size_t size);

/* Undoes it, before the pages are freed. */
void sennit__plan_unsettle(const struct sennit__plan *plan, void *pages, size_t size);

#endif
