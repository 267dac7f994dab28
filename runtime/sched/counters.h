/* SPDX-License-Identifier: MIT */
/* counters.h - what a worker counts: one writer, the thread inside, and readers anywhere.
 *
 * The order of the members is the public struct's, of which this is the atomic twin.
 */
#ifndef SENNIT_RUNTIME_SCHED_COUNTERS_H
#define SENNIT_RUNTIME_SCHED_COUNTERS_H

#include "runtime/base/atomic.h"

#include <sennit/counters.h>

#define SENNIT__COUNTERS(X)                                                                        \
	X(handlers)                                                                                \
	X(posts_local)                                                                             \
	X(posts_remote)                                                                            \
	X(starts_remote)                                                                           \
	X(steals_tried)                                                                            \
	X(steals_won_core)                                                                         \
	X(steals_won_cache)                                                                        \
	X(steals_won_node)                                                                         \
	X(steals_won_far)                                                                          \
	X(parks)                                                                                   \
	X(wakes_sent)                                                                              \
	X(wakes_received)                                                                          \
	X(wakes_spurious)                                                                          \
	X(polls)                                                                                   \
	X(events)                                                                                  \
	X(reads)                                                                                   \
	X(writes)                                                                                  \
	X(bytes_read)                                                                              \
	X(bytes_written)                                                                           \
	X(calls_idle)                                                                              \
	X(timers)                                                                                  \
	X(cancels_decided)                                                                         \
	X(cancels_late)

#define SENNIT__COUNTER(name) struct sennit__atomic_u64 name;
struct sennit__counters {
	SENNIT__COUNTERS(SENNIT__COUNTER)
};
#undef SENNIT__COUNTER

_Static_assert(sizeof(struct sennit__counters) == sizeof(struct sennit_counters),
	       "each is the other's twin");

/* On the thread inside: counts `many` more of `name`. */
#define SENNIT__TALLY(worker, name, many)                                                          \
	sennit__tally_u64(&(worker)->counters.name, (uint64_t)(many))

#endif
