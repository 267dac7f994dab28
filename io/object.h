/* SPDX-License-Identifier: MIT */
/* object.h - an I/O object: a handle in the caller's memory and a slot in the owner's slab.
 *
 * Everything that the owner, the kernel or a lower layer may still touch after close is in the
 * slot, so the caller may free the handle (promise 7). A handle names its slot by {slot,
 * generation}; so does what epoll is given, and a stale one names nothing.
 *
 * Callers     start, cancel, close: any thread. reserve, publish: one thread that nobody competes
 *             with. receive, end, everything static: the owner.
 * Ownership   a reserved slot is its reserver's until the handle is published and handed over; then
 *             the owner's, all but `word`, until it is freed. owner and index never change.
 * State       word: {generation:32, cancels:30, closing:1, message:1}.
 *             cancel     cancels + 1; message set; who set it sends slot->message to the owner
 *             close      the same, and closing set; after it no call changes the word
 *             receipt of the message: message cleared, by the owner
 *             free       generation + 1, all else 0: by the owner, once the object is closed, none
 *                        of its operations is in flight and no message is
 *             An operation carries the word of its start as its stamp (message left out). Where the
 *             word has moved on since, cancel or close came after the start: -ECANCELED.
 * Progress    start: wait-free on the owner but for what was sent before, one push elsewhere.
 *             cancel, close: lock-free (one compare-and-swap loop) and one push.
 * Orders      P1  the cas of cancel and close (acq_rel) and free (store_release) with the loads of
 *                 start, of is_open, and of the owner where it ends something (acquire): what was
 *                 done before a cancel or close is visible to who hears of it: the handler, the
 *                 type's functions, who finds the object not open. The receipt (release) with the
 *                 cas of the next cancel: the message may be sent again. Loads of the owner that
 *                 end nothing are relaxed: the generation is its own, and no bit but MESSAGE is
 *                 ever taken back. A slot's contents come by the inbox (inbox.P1) and the slab
 *                 (slab.P1).
 * Invariant   a slot whose message is in flight is not free; the owner alone frees. One that has
 *             had its last generation is never used again. A stamp is mistaken for the word after
 *             2^30 cancels between a start and its receipt, or between two receipts.
 * Checked by  tests/model/object_cancel.c, tests/model/object_close.c, tests/model/object_stream.c,
 *             tests/model/object_narrow.c, tests/stress/close_race.c, tests/conformance/sockets.c
 */
#ifndef SENNIT_IO_OBJECT_H
#define SENNIT_IO_OBJECT_H

#include "io/op.h"
#include "runtime/queue/slab.h"

#include <sennit/object.h>
#include <sennit/stream_implement.h>

/* A model test has fewer of both. */
#ifndef SENNIT__CANCEL_BITS
#define SENNIT__CANCEL_BITS 30
#endif
#ifndef SENNIT__GENERATION_LAST
#define SENNIT__GENERATION_LAST UINT32_MAX
#endif
#define SENNIT__GENERATION_SHIFT (SENNIT__CANCEL_BITS + 2)

#define SENNIT__WORD_MESSAGE ((uint64_t)1)
#define SENNIT__WORD_CLOSING ((uint64_t)2)

static inline uint32_t sennit__generation_of(uint64_t word)
{
	return (uint32_t)(word >> SENNIT__GENERATION_SHIFT);
}

/* The slot's queues: an operation's kind tells which. */
enum { SENNIT__READS, SENNIT__WRITES, SENNIT__WAITS, SENNIT__QUEUES };

/* slot->flags: what changes all the time. The owner's alone. */
enum {
	SENNIT__SLOT_KNOWN = 0x01,      /* a start was received: attached, in the list of known */
	SENNIT__SLOT_GONE = 0x02,       /* closed; its message or its place in a list is awaited */
	SENNIT__SLOT_LISTED = 0x04,     /* in the list of slots to flush */
	SENNIT__SLOT_PAUSED = 0x08,     /* in the list of acceptors that wait for descriptors */
	SENNIT__SLOT_READABLE = 0x10,   /* a read may find something: try it */
	SENNIT__SLOT_WRITABLE = 0x20,   /* a write may find room: try it */
	SENNIT__SLOT_UNSURE = 0x40,     /* a short read does not prove that nothing is left */
	SENNIT__SLOT_ENDING = 0x80,     /* several operations are being ended */
	SENNIT__SLOT_SERVING = 0x100,   /* a stream type's read is being called; << 1: its write */
	SENNIT__SLOT_DIRECT = 0x400,    /* known, and no stream type's: the common case */
	SENNIT__SLOT_CONNECTING = 0x800, /* reads wait for a connect */
	SENNIT__SLOT_WAITING = 0x1000,  /* waits are looked at again in the next turn */
};

/* slot->traits: what a descriptor is. Set before it is published and during transfers, so constant
 * while nothing is in flight. */
enum {
	SENNIT__SOCKET = 0x01,
	SENNIT__TCP = 0x02,
	SENNIT__DATAGRAM = 0x04, /* a read of nothing is a message of nothing */
	SENNIT__MESSAGES = 0x08, /* each write is a message of its own: never gathered */
	SENNIT__FILE = 0x10,     /* always ready; cannot be waited for */
	SENNIT__PIPE = 0x20,     /* writing may raise SIGPIPE */
	SENNIT__TERMINAL = 0x40, /* reopened when attached */
	SENNIT__PLAIN = 0x80,    /* O_NONBLOCK is set: plain calls will do */
	SENNIT__RESTORE = 0x100, /* O_NONBLOCK was not set when it was assigned */
	SENNIT__NOSIGNAL = 0x200, /* the kernel does not know RWF_NOSIGNAL */
	SENNIT__TIMER = 0x400    /* no descriptor at all: timer.h; constant */
};

struct sennit__slot {
	struct sennit__cell cell;
	struct sennit__atomic_u64 word;
	struct sennit_task message;
	struct sennit__worker *owner;
	const struct sennit_stream_type *type; /* NULL: over a descriptor */
	struct sennit_op *queue[SENNIT__QUEUES];
	struct sennit__slot *next;             /* in the list of slots to flush */
	struct sennit__slot *paused_next;      /* in the list of paused acceptors */
	struct sennit__slot *known_next;       /* what the owner has seen a start of */
	struct sennit__slot *known_prev;
	union {
		void *self; /* of a stream type */
		struct {
			int fd;       /* what the kernel is asked about */
			int assigned; /* what the caller gave: another one, for a terminal */
		};
	};
	uint8_t turn;       /* of the last transfer, and how many there were in it */
	uint8_t transfers;
	uint8_t pauses;     /* of accepting, one after the other */
	bool lingers;       /* close might wait, were it not told otherwise (fd.c): set by whom the
	                       descriptor was shown to, read at the end */
	uint16_t flags;
	uint16_t traits;
};

_Static_assert(sizeof(struct sennit__slot) <= 128, "what an idle connection costs");

/* --- opening ---------------------------------------------------------------------------------- */

/* A slot in the slab of the worker that owns objects of `executor`; NULL without memory. It is
 * zeroed but for what identifies it. From any thread. */
struct sennit__slot *sennit__object_reserve(struct sennit_executor *executor);

/* The same for a timer, a struct sennit__timer_slot. */
struct sennit__slot *sennit__object_reserve_timer(struct sennit_executor *executor);

/* Gives back a reserved slot that was not published. */
void sennit__object_unreserve(struct sennit__slot *slot);

/* Makes the handle name the slot: open from now on. */
void sennit__object_publish(struct sennit_object *object, struct sennit_executor *executor,
			    struct sennit__slot *slot);

/* Readies a handle: names nothing. */
void sennit__object_init(struct sennit_object *object, struct sennit_executor *executor);

/* What a handle that was readied carries: memory is hardly like that by chance. */
#define SENNIT__OBJECT_TAG 0x5e771731u

/* Misuse where the handle was never readied. */
static inline void sennit__object_check(const struct sennit_object *object, const char *call)
{
	if (SENNIT__UNLIKELY(!object || object->tag_ != SENNIT__OBJECT_TAG))
		sennit__misuse(call, "the object was neither initialised nor opened");
}

/* Whether the object, which has a slot, is open; *word is what says so. */
static inline bool sennit__object_is_open(const struct sennit_object *object, uint64_t *word)
{
	*word = sennit__load_acquire_u64(&object->slot_->word); /* P1 */
	return sennit__generation_of(*word) == object->generation_ &&
	       !(*word & SENNIT__WORD_CLOSING);
}

/* The slot, or NULL where the object is not open. */
struct sennit__slot *sennit__object_slot(const struct sennit_object *object);

/* --- operations ------------------------------------------------------------------------------- */

/* Starts a prepared operation. From any thread. */
void sennit__object_start(struct sennit_object *object, struct sennit_op *op);

/* The same for reads, for writes, and for waits for a timer, with the common case in line; not of
 * an operation that transfers nothing, or has a condition. */
void sennit__object_start_read(struct sennit_object *object, struct sennit_op *op);
void sennit__object_start_write(struct sennit_object *object, struct sennit_op *op);
void sennit__object_start_timer_wait(struct sennit_object *object, struct sennit_op *op);

/* Prepares and starts a readiness wait. */
void sennit__object_wait(struct sennit_object *object, int what, struct sennit_op *op,
			 sennit_handler *handler);

void sennit__object_cancel(struct sennit_object *object);

/* On another thread than the owner: sends the slot's message, and counts a cancel or none. False
 * where the object is closed. */
bool sennit__object_notify(const struct sennit_object *object, bool cancel);

void sennit__object_close(struct sennit_object *object);

/* Closes the object, on the owner or while nobody else uses it, and hands back what was assigned;
 * -EBADF where it is not open. */
int sennit__object_release(struct sennit_object *object, int *fd);

/* Frees the slot where it is closed and nothing of it is awaited any more. */
void sennit__object_try_free(struct sennit__slot *slot);

/* Ends an operation in flight, of which `types` was requested: at once, or for a stream type with a
 * cancel function when that says so. */
void sennit__object_end(struct sennit__slot *slot, struct sennit_op *op, int types, int error);

/* On the owner: tries once more to write what it has received. */
void sennit__object_flush(struct sennit__slot *slot);

/* On the owner, when the runtime is destroyed: ends every operation of the slot, and closes a
 * stream type's, whose function may still have something to do. */
void sennit__object_shut_down(struct sennit__slot *slot, int error);

static inline int sennit__queue_of(const struct sennit_op *op)
{
	return op->task_.kind_ & 3;
}

/* What follows for a stream type when an operation of `queue` was finished. */
void sennit__object_go_on(struct sennit__slot *slot, int queue);

/* A connect was finished: reads need not wait for it any more. */
void sennit__object_connect_ended(struct sennit__slot *slot);

/* Unlinks and finishes an operation of `queue`, and serves or frees what comes after. */
static inline void sennit__object_done_in(struct sennit__slot *slot, int queue,
					  struct sennit_op *op, int error)
{
	sennit__op_unlink(&slot->queue[queue], op);
	sennit__op_finish(slot->owner, op, error);
	if (SENNIT__UNLIKELY(slot->type != NULL))
		sennit__object_go_on(slot, queue);
}

static inline void sennit__object_done(struct sennit__slot *slot, struct sennit_op *op, int error)
{
	sennit__object_done_in(slot, sennit__queue_of(op), op, error);
}

#endif
