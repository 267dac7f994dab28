/* SPDX-License-Identifier: MIT */
/* driver.c - runtime/'s driver seam over the backend seam. */
#include "runtime/sched/driver.h"

#include "io/backend/backend.h"
#include "io/fd.h"
#include "io/timer.h"
#include "runtime/sched/runtime.h"

#include <sennit/error.h>
#include <string.h>

#define MILLISECOND 1000000u

static bool io_flush(struct sennit__worker *worker)
{
	struct sennit__io *io = sennit__io_of(worker);
	struct sennit__slot *slot = io->dirty;

	io->dirty = NULL;
	io->dirty_end = &io->dirty;
	while (slot) {
		struct sennit__slot *next = slot->next;

		slot->flags &= (uint16_t)~SENNIT__SLOT_LISTED;
		if (slot->flags & SENNIT__SLOT_GONE) {
			sennit__object_try_free(slot);
		} else {
			if (slot->queue[SENNIT__WRITES] && slot->flags & SENNIT__SLOT_WRITABLE)
				io->backend->write(slot);
			if (slot->queue[SENNIT__READS] && slot->flags & SENNIT__SLOT_READABLE)
				io->backend->read(slot);
			if (slot->flags & SENNIT__SLOT_WAITING)
				sennit__fd_wait_again(slot);
		}
		slot = next;
	}
	return io->dirty != NULL;
}

/* --- accepting pauses ------------------------------------------------------------------------- */

void sennit__io_pause(struct sennit__slot *slot, int error)
{
	static const unsigned char delay_ms[] = {10, 20, 40, 80, 100};
	struct sennit__io *io = sennit__io_of(slot->owner);
	uint64_t resume_ns = sennit__clock_now() + delay_ms[slot->pauses] * (uint64_t)MILLISECOND;

	if (!slot->pauses)
		sennit__log(slot->owner->executor.runtime_, SENNIT_LOG_WARNING,
			    "accepting pauses: %s", sennit_strerror(error));
	if (slot->pauses < sizeof delay_ms - 1)
		slot->pauses++;
	if (!io->paused || resume_ns < io->resume_ns)
		io->resume_ns = resume_ns;
	slot->owner->driver_ns = io->resume_ns;
	slot->flags |= SENNIT__SLOT_PAUSED;
	slot->paused_next = io->paused;
	io->paused = slot;
}

static void resume(struct sennit__io *io)
{
	struct sennit__slot *slot = io->paused;

	io->worker->driver_ns = 0; /* who pauses again sets it again */
	io->paused = NULL;
	while (slot) {
		struct sennit__slot *next = slot->paused_next;

		slot->flags &= (uint16_t)~SENNIT__SLOT_PAUSED;
		if (slot->flags & SENNIT__SLOT_GONE)
			sennit__object_try_free(slot);
		else if (slot->queue[SENNIT__READS])
			io->backend->read(slot);
		slot = next;
	}
}

static void io_wait(struct sennit__worker *worker, uint64_t deadline_ns)
{
	struct sennit__io *io = sennit__io_of(worker);

	if (io->paused && deadline_ns > io->resume_ns)
		deadline_ns = io->resume_ns;
	io->backend->wait(io, deadline_ns);
	if (io->paused && sennit__clock_now() >= io->resume_ns)
		resume(io);
}

/* --- a worker's life -------------------------------------------------------------------------- */

static void settle(void *worker, void *chunk, size_t size, bool keep)
{
	sennit__runtime_settle(worker, chunk, size, keep);
}

static int io_init(struct sennit__worker *worker)
{
	struct sennit__io *io = sennit__io_of(worker);
	int error;

	memset(io, 0, offsetof(struct sennit__io, vector)); /* which may stay untouched */
	io->worker = worker;
	io->backend = &sennit__backend_epoll;
	io->dirty_end = &io->dirty;
	sennit__slab_init(&io->slab, sizeof(struct sennit__slot));
	sennit__slab_init(&io->timers, sizeof(struct sennit__timer_slot));
	io->slab.settle = io->timers.settle = settle;
	io->slab.context = io->timers.context = worker;
	error = io->backend->init(io);
	if (error)
		sennit__slab_fini(&io->slab);
	return error;
}

static void io_fini(struct sennit__worker *worker)
{
	struct sennit__io *io = sennit__io_of(worker);
	uint32_t carved = sennit__slab_carved(&io->slab);

	for (uint32_t i = 0; i < carved; i++) { /* stream types were closed on their owner */
		struct sennit__slot *slot = sennit__slab_at(&io->slab, i);

		if (!slot->type)
			sennit__fd_close(slot);
	}
	io->backend->fini(io);
	sennit__slab_fini(&io->slab);
	sennit__slab_fini(&io->timers);
}

static void io_wake(struct sennit__worker *worker)
{
	struct sennit__io *io = sennit__io_of(worker);

	io->backend->wake(io);
}

static void io_expire(struct sennit__worker *worker, unsigned most)
{
	struct sennit__timer_node *node;

	while (most-- && (node = sennit__wheel_take(&worker->wheel))) {
		struct sennit_op *op = (struct sennit_op *)(void *)((char *)node -
						offsetof(struct sennit_op, timer_));

		SENNIT__TALLY(worker, timers, 1);
		if (sennit__op_does(op) == SENNIT__TIMER_WAIT && !sennit__op_has_deadline(op))
			sennit__object_done_in(op->slot_, SENNIT__READS, op, 0);
		else
			sennit__op_time_out(op);
	}
}

/* What a stream type does when it is ended may close others: the cursor stays on what is there. */
static void io_cancel(struct sennit__worker *worker, int error)
{
	struct sennit__io *io = sennit__io_of(worker);

	for (struct sennit__slot *slot = io->known; slot; slot = io->cursor) {
		io->cursor = slot->known_next;
		sennit__object_shut_down(slot, error);
	}
}

const struct sennit__driver sennit__driver = {
	.size = sizeof(struct sennit__io),
	.init = io_init,
	.fini = io_fini,
	.wait = io_wait,
	.wake = io_wake,
	.flush = io_flush,
	.expire = io_expire,
	.cancel = io_cancel,
};
