/* SPDX-License-Identifier: MIT */
/* driver.h - what a worker keeps for I/O. The owner's alone, but for the slab. */
#ifndef SENNIT_IO_DRIVER_H
#define SENNIT_IO_DRIVER_H

#include "io/object.h"

#include <limits.h>

struct sennit__backend;

struct sennit__io {
	struct sennit__worker *worker;
	const struct sennit__backend *backend;
	int epoll;
	int event;
	struct sennit__slab slab;
	struct sennit__slab timers;      /* slots of timers */
	struct sennit__slot *known;      /* every slot that a start was received for */
	struct sennit__slot *cursor;     /* where a walk over them goes on */
	struct sennit__slot *dirty;      /* to be flushed at the end of the turn, in order */
	struct sennit__slot **dirty_end;
	struct sennit__slot *paused;     /* acceptors that wait for descriptors or memory */
	uint64_t resume_ns;              /* when they are tried again */
	struct iovec vector[IOV_MAX];    /* of the gather call being made */
};

static inline struct sennit__io *sennit__io_of(const struct sennit__worker *worker)
{
	return worker->driver;
}

/* Has the slot flushed at the end of the turn. */
static inline void sennit__io_list(struct sennit__slot *slot)
{
	struct sennit__io *io = sennit__io_of(slot->owner);

	if (slot->flags & SENNIT__SLOT_LISTED)
		return;
	slot->flags |= SENNIT__SLOT_LISTED;
	slot->owner->more = true;
	slot->next = NULL;
	*io->dirty_end = slot;
	io->dirty_end = &slot->next;
}

/* Transfers of one stream in one turn. */
#define SENNIT__TRANSFERS_MAX 16

/* Whether the slot may make no other transfer in this turn. */
static inline bool sennit__io_spent(const struct sennit__slot *slot)
{
	return slot->turn == (uint8_t)slot->owner->turn &&
	       slot->transfers >= SENNIT__TRANSFERS_MAX;
}

/* Pauses accepting on the slot after `error`, a little longer each time. */
void sennit__io_pause(struct sennit__slot *slot, int error);

#endif
