/* SPDX-License-Identifier: MIT */
/* wheel.h - a worker's timers, in the order in which they are due. The owner's alone, no atomics.
 *
 * Eleven levels of 64 lists take a deadline of any 64 bits. With `base`, a time before which
 * nothing is left, a node is on the level of the highest digit (of six bits) in which its deadline
 * differs from base, and in the list that this digit names. So the first list of the lowest level
 * that has any holds what comes first. When a deadline in it has come, the list is opened: base
 * becomes its earliest deadline, which is due, and what else is in it goes to lower levels, in the
 * same order.
 *
 * That is a radix sort by nanoseconds that goes no further than it must. Ticks of a millisecond are
 * not in it but in sennit__wheel_next: nobody is woken within one, so what is due within one is
 * found by one wake-up, in order of deadline; and nobody has to sort a list whose length has no
 * bound. Equal deadlines come out in the order of arming.
 *
 * A list knows a time before which nothing in it is due. So a worker wakes for a deadline, not for
 * a list that is to be looked at; it wakes for nothing at most once for each timer that was the
 * earliest of a list when it was disarmed.
 *
 * Each node is moved at most once a level, one at a time: a call moves a bounded number, and one
 * that stops in the middle of a list leaves it open; what is armed for it meanwhile goes behind
 * what it still holds.
 *
 * A deadline that counts from the end of the turn waits in a list of its own until it is stamped.
 *
 * Cost        arm, disarm: constant; they touch the ends of a list and one neighbour.
 * Invariant   base_ns <= now_ns < every deadline armed since; while a list is open its levels below
 *             are in order with opened_ns, which is between the two.
 * Checked by  tests/unit/wheel.c, tests/fuzz/wheel.c
 */
#ifndef SENNIT_RUNTIME_TIMER_WHEEL_H
#define SENNIT_RUNTIME_TIMER_WHEEL_H

#include "runtime/base/clock.h"

#include <sennit/op.h>
#include <stdbool.h>

/* Model tests have smaller ones: a worker's is made anew in each execution. At most 6. */
#ifndef SENNIT__WHEEL_BITS
#define SENNIT__WHEEL_BITS 6
#endif
#define SENNIT__WHEEL_LISTS (1u << SENNIT__WHEEL_BITS)
#define SENNIT__WHEEL_LEVELS ((64 + SENNIT__WHEEL_BITS - 1) / SENNIT__WHEEL_BITS)

/* Nobody is woken between two ticks. */
#define SENNIT__TICK_NS 1000000u

struct sennit__wheel {
	uint64_t base_ns;
	uint64_t now_ns;    /* the latest time that the wheel was told */
	uint64_t opened_ns; /* base_ns once the opened list is empty */
	struct sennit__timer_node *opened;
	struct sennit__timer_node due;    /* in order, until taken */
	struct sennit__timer_node arming; /* armed for so long after the next stamp */
	struct sennit__timer_node dating; /* likewise, but only to be told when that is */
	uint64_t moves;                   /* of nodes from a list, ever */
	uint32_t levels;                  /* that have a list which is not empty */
	uint64_t lists[SENNIT__WHEEL_LEVELS];
	/* The ends of each list and, in deadline_ns_, the time before which nothing in it is due;
	 * nothing is in there until its bit is set above. */
	struct sennit__timer_node list[SENNIT__WHEEL_LEVELS][SENNIT__WHEEL_LISTS];
};

void sennit__wheel_init(struct sennit__wheel *wheel, uint64_t now_ns);

/* Whether the node is armed, due, or waits for a stamp. One that is zeroed is not. */
static inline bool sennit__wheel_holds(const struct sennit__timer_node *node)
{
	return node->prev_ != NULL;
}

/* Has the node come out at `deadline_ns`; what has passed is due at once, and SENNIT__NEVER is
 * nothing to wait for: the node is left as it was. It must not be held. */
void sennit__wheel_arm(struct sennit__wheel *wheel, struct sennit__timer_node *node,
		       uint64_t deadline_ns);

/* The same at so many nanoseconds after the next stamp; node->deadline_ns_ is that until then. */
void sennit__wheel_arm_after(struct sennit__wheel *wheel, struct sennit__timer_node *node,
			     uint64_t delay_ns);

/* Has node->deadline_ns_ become the time at `delay_ns` after the next stamp, and no more. */
void sennit__wheel_date(struct sennit__wheel *wheel, struct sennit__timer_node *node,
			uint64_t delay_ns);

/* Lets go of a node that is held, wherever it is. */
void sennit__wheel_disarm(struct sennit__wheel *wheel, struct sennit__timer_node *node);

/* Whether anything waits for a stamp. */
static inline bool sennit__wheel_unstamped(const struct sennit__wheel *wheel)
{
	return wheel->arming.next_ != &wheel->arming || wheel->dating.next_ != &wheel->dating;
}

/* What waits for a stamp counts from `now_ns`. */
void sennit__wheel_stamp(struct sennit__wheel *wheel, uint64_t now_ns);

/* It is `now_ns`: what is due by then becomes so, at most `budget` moves of nodes. Time never goes
 * back: an earlier time than one told before is that one. */
void sennit__wheel_advance(struct sennit__wheel *wheel, uint64_t now_ns, unsigned budget);

/* The first that is due, let go of; NULL where there is none. */
struct sennit__timer_node *sennit__wheel_take(struct sennit__wheel *wheel);

/* Whether some are due that were not taken, or not moved for want of budget. */
static inline bool sennit__wheel_late(const struct sennit__wheel *wheel)
{
	return wheel->due.next_ != &wheel->due || wheel->opened;
}

/* Whether a time that has come would change anything. */
static inline bool sennit__wheel_idle(const struct sennit__wheel *wheel)
{
	return !wheel->levels && !sennit__wheel_late(wheel);
}

/* When to look again, on a tick: 0 for now, SENNIT__NEVER where nothing is armed. */
uint64_t sennit__wheel_next(const struct sennit__wheel *wheel);

/* Counts what is armed or due; aborts where anything is not as it should be. For tests: visits
 * every node. */
unsigned sennit__wheel_validate(const struct sennit__wheel *wheel);

#endif
