/* SPDX-License-Identifier: MIT */
/* epoll.c - the backend over epoll: try the call, wait for an edge when it would wait.
 *
 * A descriptor is registered once, edge-triggered, for both directions. What an edge told is kept
 * in the slot (READABLE, WRITABLE) until a call proves the contrary: EAGAIN always does; a short
 * read only on a TCP socket whose last edge carried no PRI, RDHUP, HUP or ERR (else UNSURE), as
 * elsewhere a second edge may never come (hazard HC5). An event names its slot by {generation,
 * index}, so one that outlived its descriptor names nothing (HC1).
 *
 * The worker's eventfd is registered level-triggered and read on waking (HA4).
 *
 * Orders      of the slot's word only the generation matters here: object.h.
 * Checked by  tests/model/object_close.c, tests/conformance/readiness.c,
 *             tests/conformance/sockets.c
 */
#include "io/backend/backend.h"
#include "io/fd.h"
#include "io/sys/call.h"
#include "io/sys/sys.h"
#include "runtime/base/clock.h"

#include <errno.h>
#include <sennit/error.h>
#include <sys/eventfd.h>

/* Events collected by one call. */
#define EVENTS_MAX 128

/* The data of the worker's own eventfd; no slot's. */
#define WAKE UINT64_MAX

/* --- transfers -------------------------------------------------------------------------------- */

/* Whether the slot may make another transfer this turn; where not, the next turn goes on. */
static inline bool allowed(struct sennit__slot *slot)
{
	uint8_t turn = (uint8_t)slot->owner->turn;

	if (slot->turn != turn) {
		slot->turn = turn;
		slot->transfers = 0;
	}
	if (slot->transfers < SENNIT__TRANSFERS_MAX) {
		slot->transfers++;
		return true;
	}
	sennit__io_list(slot);
	return false;
}

/* Reads into several buffers, or from what is no socket. */
static __attribute__((noinline)) ssize_t read_scattered(struct sennit__slot *slot,
							const struct sennit_op *op, size_t *size)
{
	struct iovec *vector = sennit__io_of(slot->owner)->vector;
	int count = 0;
	bool whole;

	*size = sennit__op_offer(op, vector, &count, IOV_MAX, SENNIT__STEP_MAX, &whole);
	return sennit__fd_read(slot, vector, count);
}

/* Whether plain send and recv of one buffer will do. */
static inline bool is_simple(const struct sennit__slot *slot, const struct sennit_op *op)
{
	return slot->traits & SENNIT__SOCKET && !(op->task_.flags_ & SENNIT__OP_MANY) &&
	       op->buffer_.one.size <= op->limit_;
}

/* Of `size` bytes that there was room for, so many came. */
static inline void count_read(struct sennit__slot *slot, ssize_t got, size_t size)
{
	SENNIT__TALLY(slot->owner, reads, 1);
	SENNIT__TALLY(slot->owner, bytes_read, got);
	if ((size_t)got < size && slot->traits & SENNIT__TCP &&
	    !(slot->flags & SENNIT__SLOT_UNSURE))
		slot->flags &= (uint16_t)~SENNIT__SLOT_READABLE;
}

static inline void nothing_came(struct sennit__slot *slot)
{
	SENNIT__TALLY(slot->owner, calls_idle, 1);
	slot->flags &= (uint16_t)~SENNIT__SLOT_READABLE;
}

static inline void read_once(struct sennit__slot *slot, struct sennit_op *op)
{
	size_t size = op->buffer_.one.size;
	ssize_t got;

	if (SENNIT__LIKELY(is_simple(slot, op)))
		got = sennit__sys_recv(slot->fd, op->buffer_.one.data, size, MSG_DONTWAIT);
	else
		got = read_scattered(slot, op, &size);
	if (SENNIT__LIKELY(got > 0)) {
		count_read(slot, got, size);
		if (sennit__op_mode(op) == SENNIT__SOME) /* done: the cursor may stay */
			op->bytes_ = (size_t)got;
		else if (!sennit__op_advance_all(op, (size_t)got))
			return;
		sennit__object_done_in(slot, SENNIT__READS, op, 0);
	} else if (got == -EAGAIN) {
		nothing_came(slot);
	} else if (got == 0) {
		sennit__object_done_in(slot, SENNIT__READS, op,
				       slot->traits & SENNIT__DATAGRAM ? 0 : SENNIT_EOF);
	} else if (got != -EINTR) {
		sennit__object_done_in(slot, SENNIT__READS, op, (int)got);
	}
}

static void serve_reads(struct sennit__slot *slot)
{
	const int try_it = SENNIT__SLOT_READABLE;
	const int all = SENNIT__SLOT_READABLE | SENNIT__SLOT_PAUSED | SENNIT__SLOT_CONNECTING;
	struct sennit_op *op;

	while ((op = slot->queue[SENNIT__READS]) && (slot->flags & all) == try_it &&
	       allowed(slot)) {
		if (SENNIT__LIKELY(sennit__op_does(op) == SENNIT__READ))
			read_once(slot, op);
		else
			sennit__fd_accept(slot, op);
	}
}

static ssize_t try_read(struct sennit__slot *slot, const struct iovec *vector, int count)
{
	size_t size = 0;
	ssize_t got;

	if (!allowed(slot))
		return 0;
	for (int i = 0; i < count; i++)
		size += vector[i].iov_len;
	got = sennit__fd_read(slot, vector, count);
	if (SENNIT__LIKELY(got > 0))
		count_read(slot, got, size);
	else if (got == 0)
		return SENNIT_EOF;
	else if (got == -EAGAIN)
		nothing_came(slot);
	return got == -EAGAIN || got == -EINTR ? 0 : got;
}

static inline void count_written(struct sennit__slot *slot, ssize_t bytes)
{
	SENNIT__TALLY(slot->owner, writes, 1);
	SENNIT__TALLY(slot->owner, bytes_written, bytes);
}

/* Counts what a gather call took to the operations at the head of the queue, in order. */
static void distribute(struct sennit__slot *slot, size_t taken)
{
	count_written(slot, (ssize_t)taken);
	while (taken) {
		struct sennit_op *op = slot->queue[SENNIT__WRITES];
		size_t left = sennit__op_left(op);
		size_t part = taken < left ? taken : left;

		taken -= part;
		if (sennit__op_advance(op, part))
			sennit__object_done_in(slot, SENNIT__WRITES, op, 0);
	}
}

/* Gathers whole operations, and of the last what there is room for. */
static __attribute__((noinline)) ssize_t write_gathered(struct sennit__slot *slot,
							struct sennit_op *op)
{
	struct iovec *vector = sennit__io_of(slot->owner)->vector;
	size_t budget = SENNIT__STEP_MAX;
	int count = 0;
	bool whole;

	do {
		budget -= sennit__op_offer(op, vector, &count, IOV_MAX, budget, &whole);
		op = sennit_op_next(op);
	} while (whole && op && !(slot->traits & SENNIT__MESSAGES) && count < IOV_MAX &&
		 sennit__op_does(op) == SENNIT__WRITE);
	return sennit__fd_write(slot, vector, count);
}

static void would_wait(struct sennit__slot *slot)
{
	SENNIT__TALLY(slot->owner, calls_idle, 1);
	slot->flags &= (uint16_t)~SENNIT__SLOT_WRITABLE;
}

/* What a call did that was to write `op`, and maybe more. */
static __attribute__((noinline)) void written(struct sennit__slot *slot, struct sennit_op *op,
					      ssize_t taken)
{
	if (SENNIT__LIKELY(taken > 0))
		distribute(slot, (size_t)taken);
	else if (taken == 0 || taken == -EAGAIN)
		would_wait(slot);
	else if (taken != -EINTR)
		sennit__object_done_in(slot, SENNIT__WRITES, op,
				       sennit__op_verdict(op, (int)taken));
}

static inline void write_once(struct sennit__slot *slot, struct sennit_op *op)
{
	size_t size = op->buffer_.one.size;
	ssize_t taken;

	if (SENNIT__UNLIKELY(sennit__op_after(op) != op || !is_simple(slot, op))) {
		written(slot, op, write_gathered(slot, op));
		return;
	}
	taken = sennit__sys_send(slot->fd, op->buffer_.one.data, size,
				 MSG_DONTWAIT | MSG_NOSIGNAL);
	if (SENNIT__LIKELY(taken == (ssize_t)size)) { /* alone, and out whole */
		count_written(slot, taken);
		op->bytes_ += size;
		sennit__object_done_in(slot, SENNIT__WRITES, op, 0);
	} else {
		written(slot, op, taken);
	}
}

static void serve_writes(struct sennit__slot *slot)
{
	struct sennit_op *op;

	while ((op = slot->queue[SENNIT__WRITES]) && slot->flags & SENNIT__SLOT_WRITABLE &&
	       allowed(slot)) {
		if (SENNIT__LIKELY(sennit__op_does(op) == SENNIT__WRITE))
			write_once(slot, op);
		else
			sennit__fd_connect(slot, op);
	}
}

static ssize_t try_write(struct sennit__slot *slot, const struct iovec *vector, int count)
{
	ssize_t taken;

	if (!(slot->flags & SENNIT__SLOT_WRITABLE) || !allowed(slot))
		return 0;
	taken = sennit__fd_write(slot, vector, count);
	if (SENNIT__LIKELY(taken > 0))
		count_written(slot, taken);
	else if (taken == 0 || taken == -EAGAIN)
		would_wait(slot);
	return taken == -EAGAIN || taken == -EINTR ? 0 : taken;
}

/* --- events ----------------------------------------------------------------------------------- */

static void on_event(struct sennit__slot *slot, uint32_t events)
{
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLHUP | EPOLLERR)) {
		slot->flags |= SENNIT__SLOT_READABLE;
		if (events & (EPOLLRDHUP | EPOLLPRI | EPOLLHUP | EPOLLERR))
			slot->flags |= SENNIT__SLOT_UNSURE;
		else
			slot->flags &= (uint16_t)~SENNIT__SLOT_UNSURE;
		if (slot->queue[SENNIT__READS])
			serve_reads(slot);
	}
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) {
		slot->flags |= SENNIT__SLOT_WRITABLE;
		if (slot->queue[SENNIT__WRITES])
			sennit__io_list(slot);
	}
	if (SENNIT__UNLIKELY(slot->queue[SENNIT__WAITS] != NULL))
		sennit__fd_waits_ready(slot, events);
}

static void take_wakes(struct sennit__io *io)
{
	uint64_t wakes;

	if (sennit__sys_read(io->event, &wakes, sizeof wakes) != (ssize_t)sizeof wakes)
		return;
	sennit__call_acquire(io);
	io->worker->wakes_owed -= (int64_t)wakes;
}

static void collect(struct sennit__io *io, uint64_t deadline_ns)
{
	struct epoll_event events[EVENTS_MAX];
	unsigned told = 0;
	int count = sennit__sys_epoll_wait(io->epoll, events, EVENTS_MAX,
					   sennit__clock_ms_until(deadline_ns));

	SENNIT__TALLY(io->worker, polls, 1);
	for (int i = 0; i < count; i++) {
		uint64_t data = events[i].data.u64;
		struct sennit__slot *slot;

		if (data == WAKE) {
			take_wakes(io);
			continue;
		}
		slot = sennit__slab_at(&io->slab, (uint32_t)data);
		/* relaxed: generations are ours; one of another, or closed, is asked no further */
		if (sennit__generation_of(sennit__load_relaxed_u64(&slot->word)) == data >> 32 &&
		    !(slot->flags & SENNIT__SLOT_GONE))
			on_event(slot, events[i].events);
		told++;
	}
	SENNIT__TALLY(io->worker, events, told);
}

static void wake(struct sennit__io *io)
{
	const uint64_t one = 1;
	int event = io->event;

	sennit__call_release(io); /* the owner may be freed as soon as it has counted this one */
	sennit__sys_write(event, &one, sizeof one);
}

/* --- registration ----------------------------------------------------------------------------- */

static int attach(struct sennit__slot *slot)
{
	struct sennit__io *io = sennit__io_of(slot->owner);
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET};
	/* relaxed: the generation of an open object is as its handle says */
	uint64_t word = sennit__load_relaxed_u64(&slot->word);
	int error;

	if (slot->traits & SENNIT__FILE)
		return 0;
	sennit__fd_ready_to_attach(slot);
	event.data.u64 = (uint64_t)sennit__generation_of(word) << 32 | slot->cell.index;
	error = sennit__sys_epoll_ctl(io->epoll, EPOLL_CTL_ADD, slot->fd, &event);
	if (error != -EPERM)
		return error;
	slot->traits |= SENNIT__FILE; /* nothing to wait for: a device that is always ready */
	return 0;
}

static void detach(struct sennit__slot *slot)
{
	struct epoll_event unused = {0};

	if (!(slot->traits & SENNIT__FILE))
		sennit__sys_epoll_ctl(sennit__io_of(slot->owner)->epoll, EPOLL_CTL_DEL, slot->fd,
				      &unused);
}

static int init(struct sennit__io *io)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = WAKE};
	int error;

	io->epoll = sennit__sys_epoll_create(EPOLL_CLOEXEC);
	if (io->epoll < 0)
		return io->epoll;
	io->event = sennit__sys_eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	error = io->event;
	if (error < 0)
		goto no_event;
	error = sennit__sys_epoll_ctl(io->epoll, EPOLL_CTL_ADD, io->event, &event);
	if (error)
		goto no_add;
	io->worker->pollable_fd = io->epoll;
	return 0;
no_add:
	sennit__sys_close(io->event);
no_event:
	sennit__sys_close(io->epoll);
	return error;
}

static void fini(struct sennit__io *io)
{
	struct pollfd query = {.fd = io->event, .events = POLLIN};

	while (io->worker->wakes_owed > 0) { /* whoever owes one is between its cas and its write */
		sennit__sys_poll(&query, 1, -1);
		take_wakes(io);
	}
	sennit__sys_close(io->event);
	sennit__sys_close(io->epoll);
}

const struct sennit__backend sennit__backend_epoll = {
	.name = "epoll",
	.init = init,
	.fini = fini,
	.attach = attach,
	.detach = detach,
	.read = serve_reads,
	.write = serve_writes,
	.try_read = try_read,
	.try_write = try_write,
	.wait = collect,
	.wake = wake,
};
