/* SPDX-License-Identifier: MIT */
/* backend.h - the seam below which the kernel is: epoll now, io_uring and a simulation to come.
 *
 * A backend gets the operations at the head of a slot's queues to their end. Queues, order, stamps,
 * timers and scheduling are above it. Every function but wake runs on the owner.
 */
#ifndef SENNIT_IO_BACKEND_BACKEND_H
#define SENNIT_IO_BACKEND_BACKEND_H

#include "io/driver.h"

struct sennit__backend {
	const char *name;
	/* Readies io->epoll and io->event, or what is its own; sets worker->pollable_fd. 0 or
	 * -errno. */
	int (*init)(struct sennit__io *io);
	/* Waits for wakes that are owed, then closes everything. */
	void (*fini)(struct sennit__io *io);
	/* Registers the slot's descriptor; 0, -errno. Marks what cannot be waited for as a file. */
	int (*attach)(struct sennit__slot *slot);
	/* Before the descriptor is closed or given back. May run on a thread that nobody competes
	 * with. */
	void (*detach)(struct sennit__slot *slot);
	/* Serves the slot's reads: whatever can be done without waiting, within the budget. */
	void (*read)(struct sennit__slot *slot);
	/* Likewise the writes, gathered. */
	void (*write)(struct sennit__slot *slot);
	/* Where a read may be tried, what sennit_stream_try_read promises. */
	ssize_t (*try_read)(struct sennit__slot *slot, const struct iovec *vector, int count);
	/* Where no write is queued, what sennit_stream_try_write promises. */
	ssize_t (*try_write)(struct sennit__slot *slot, const struct iovec *vector, int count);
	/* Collects events until deadline_ns or wake. */
	void (*wait)(struct sennit__io *io, uint64_t deadline_ns);
	/* Ends a wait, now or to come. Any thread. */
	void (*wake)(struct sennit__io *io);
};

extern const struct sennit__backend sennit__backend_epoll;

#endif
