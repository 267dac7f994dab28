/* SPDX-License-Identifier: MIT */
/* timer.h - a timer's slot: that of any object, and the expiry.
 *
 * A wait is an operation in the slot's first queue, with its own node in the wheel: it carries the
 * expiry of its start (S22), and may have a deadline as well. Timers have a slab of their own, so
 * that what another thread may still write after the slot was freed (see below) is a timer's
 * forever.
 *
 * Callers     sennit__timer_admit, _apply, _gone, _expired: the owner. The requests: any thread.
 * Ownership   `expiry` is the owner's; requested and ones are anybody's.
 * State       requested  0, or {generation:16, units + 1:48}: the expiry that another thread wants,
 *                        in units of 65,536 ns, all ones for never. The last one wins.
 *             ones       0, or {generation:32, count:32}: how many waits another thread wants to
 *                        have ended, oldest first.
 *             Who asks writes the request, then counts a cancel or sends the slot's message
 *             (object.h): where that finds the timer closed the request stays, marked with a
 *             generation that is over, and the owner of the next one drops it. A request of a later
 *             generation tells who comes late that its timer is closed.
 *             The owner takes requests when the message arrives, and an expiry earlier where,
 *             with a message on its way, it makes a change of its own, or admits a wait that was
 *             started after the request was counted. Where none is on its way none is counted yet:
 *             then a change of the owner's own ends what waits, and leaves the slot's word alone.
 * Progress    everything lock-free; one compare-and-swap loop and one push.
 * Orders      Both words carry all that they tell: everything is relaxed. That the owner sees a
 *             request when it sees what came after it: the cas of the slot's word (object.P1), or
 *             the push of a start (inbox.P1).
 * Checked by  tests/model/timer.c, tests/conformance/timers.c
 */
#ifndef SENNIT_IO_TIMER_H
#define SENNIT_IO_TIMER_H

#include "io/object.h"

struct sennit__timer_slot {
	struct sennit__slot slot;
	struct sennit__timer_node expiry; /* while it is held: to be counted from the next stamp */
	struct sennit__atomic_u64 requested;
	struct sennit__atomic_u64 ones;
	uint32_t changes; /* of the expiry; a wait keeps in count_ how many there were before it */
	uint32_t unused[5];
};

_Static_assert(sizeof(struct sennit__timer_slot) % 64 == 0, "a slab's cell");

static inline bool sennit__slot_is_timer(const struct sennit__slot *slot)
{
	return slot->traits & SENNIT__TIMER;
}

/* Queues a wait, or completes it. */
void sennit__timer_admit(struct sennit__slot *slot, struct sennit_op *op);

/* Does what other threads asked for; what is to be done in the place of its message only where that
 * has arrived. */
void sennit__timer_apply(struct sennit__slot *slot, bool arrived);

/* The timer is closed. */
void sennit__timer_gone(struct sennit__slot *slot);

#endif
