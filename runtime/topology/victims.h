/* SPDX-License-Identifier: MIT */
/* victims.h - whom a worker that looks for work asks, and in which order: nearest first.
 *
 * Workers at the same distance come in a rotated order, so that those of one neighbourhood do not
 * all begin with the same one. Written once, before the workers know of it; then read by anyone.
 */
#ifndef SENNIT_RUNTIME_TOPOLOGY_VICTIMS_H
#define SENNIT_RUNTIME_TOPOLOGY_VICTIMS_H

#include <sennit/counters.h>
#include <stddef.h>
#include <stdint.h>

struct sennit__victims {
	unsigned count; /* workers */
	uint16_t *rows; /* for each: count - 1 others, then where each distance ends among them */
};

/* How far `to` is from `from`: an enum sennit_distance in the upper eight bits, below them what
 * makes a difference among those. It need not be the same the other way round. */
typedef uint64_t sennit__distance_of(const void *context, unsigned from, unsigned to);

#define SENNIT__DISTANCE_SHIFT 56

/* `distance` NULL: nothing is known of any two workers. 0 or -ENOMEM; count at most 65,535. */
int sennit__victims_init(struct sennit__victims *victims, unsigned count,
			 sennit__distance_of *distance, const void *context);

void sennit__victims_fini(struct sennit__victims *victims);

/* The count - 1 others, nearest first. */
static inline const uint16_t *sennit__victims_of(const struct sennit__victims *victims,
						 unsigned worker)
{
	return victims->rows + (size_t)worker * (victims->count - 1u + SENNIT_DISTANCES);
}

/* ends[d]: how many of them are at distance d or nearer; [d - 1] is where distance d begins. */
static inline const uint16_t *sennit__victims_ends(const struct sennit__victims *victims,
						   unsigned worker)
{
	return sennit__victims_of(victims, worker) + victims->count - 1u;
}

#endif
