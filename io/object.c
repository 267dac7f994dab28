/* SPDX-License-Identifier: MIT */
/* object.c - the handle and the slot. The protocol is in object.h.
 * Checked by tests/stress/close_race.c, tests/conformance/sockets.c
 */
#include "io/object.h"

#include "io/backend/backend.h"
#include "io/fd.h"
#include "runtime/sched/runtime.h"
#include "runtime/sched/work.h"

#include <errno.h>
#include <sennit/error.h>

#define MESSAGE ((uint64_t)1)
#define CLOSING ((uint64_t)2)
#define CANCEL ((uint64_t)4)
#define CANCELS (((uint64_t)1 << 32) - CANCEL)

/* What a handle that was readied carries: no program's memory is like that by chance. */
#define TAG 0x5e771731u

static sennit_function on_message;

static uint32_t generation_of(uint64_t word)
{
	return (uint32_t)(word >> 32);
}

static const struct sennit__backend *backend_of(const struct sennit__slot *slot)
{
	return sennit__io_of(slot->owner)->backend;
}

/* --- opening ----------------------------------------------------------------------------------- */

struct sennit__slot *sennit__object_reserve(struct sennit_executor *executor)
{
	struct sennit__worker *worker = sennit__runtime_place(executor);
	struct sennit__slot *slot = sennit__slab_get(&sennit__io_of(worker)->slab);

	if (!slot)
		return NULL;
	if (!slot->owner) { /* its first life: constant from now on */
		slot->owner = worker;
		slot->message.class_ = SENNIT__MESSAGE;
		slot->message.function_ = on_message;
	}
	slot->fd = slot->assigned = -1;
	slot->flags = SENNIT__SLOT_READABLE | SENNIT__SLOT_WRITABLE;
	return slot;
}

/* The slot's contents as a reserver expects them. */
static void clear(struct sennit__slot *slot)
{
	slot->type = NULL;
	slot->fd = slot->assigned = -1;
	slot->flags = 0;
	slot->traits = 0;
	slot->transfers = 0;
	slot->pauses = 0;
}

void sennit__object_unreserve(struct sennit__slot *slot)
{
	clear(slot);
	sennit__slab_put(&sennit__io_of(slot->owner)->slab, slot);
}

void sennit__object_publish(struct sennit_object *object, struct sennit_executor *executor,
			    struct sennit__slot *slot)
{
	/* relaxed: the slot is ours, and no handle of this generation is out yet */
	object->generation_ = generation_of(sennit__load_relaxed_u64(&slot->word));
	object->slot_ = slot;
	object->executor_ = executor;
	object->tag_ = TAG;
}

void sennit__object_init(struct sennit_object *object, struct sennit_executor *executor)
{
	object->slot_ = NULL;
	object->executor_ = executor;
	object->generation_ = 0;
	object->tag_ = TAG;
}

void sennit__object_check(const struct sennit_object *object, const char *call)
{
	if (SENNIT__UNLIKELY(!object || object->tag_ != TAG))
		sennit__misuse(call, "the object was neither initialised nor opened");
}

struct sennit__slot *sennit__object_slot(const struct sennit_object *object)
{
	struct sennit__slot *slot = object->tag_ == TAG ? object->slot_ : NULL;
	uint64_t word;

	if (!slot)
		return NULL;
	word = sennit__load_acquire_u64(&slot->word); /* P1 */
	return generation_of(word) == object->generation_ && !(word & CLOSING) ? slot : NULL;
}

/* --- closing ----------------------------------------------------------------------------------- */

void sennit__object_try_free(struct sennit__slot *slot)
{
	uint64_t word = sennit__load_acquire_u64(&slot->word); /* P1 */

	if (!(slot->flags & SENNIT__SLOT_GONE) || (word & MESSAGE) ||
	    slot->flags & (SENNIT__SLOT_LISTED | SENNIT__SLOT_PAUSED))
		return;
	clear(slot);
	sennit__store_release_u64(&slot->word, (uint64_t)(generation_of(word) + 1) << 32); /* P1 */
	if (generation_of(word) != UINT32_MAX) /* a slot that has run out of generations is retired */
		sennit__slab_put(&sennit__io_of(slot->owner)->slab, slot);
}

static bool idle(const struct sennit__slot *slot)
{
	return !slot->queue[SENNIT__READS] && !slot->queue[SENNIT__WRITES] &&
	       !slot->queue[SENNIT__WAITS];
}

/* The object is closed and its last operation finished. */
static void gone(struct sennit__slot *slot)
{
	struct sennit__io *io = sennit__io_of(slot->owner);

	if (slot->flags & SENNIT__SLOT_KNOWN) {
		if (slot->known_prev)
			slot->known_prev->known_next = slot->known_next;
		else
			io->known = slot->known_next;
		if (slot->known_next)
			slot->known_next->known_prev = slot->known_prev;
	}
	slot->flags &= SENNIT__SLOT_LISTED | SENNIT__SLOT_PAUSED;
	slot->flags |= SENNIT__SLOT_GONE;
	if (slot->type)
		slot->type->close(slot->self);
	else
		sennit__fd_close(slot);
	sennit__object_try_free(slot);
}

/* --- serving a stream type ----------------------------------------------------------------------- */

/* Hands over the head of the queue, and what follows as long as it completes at once. */
static void serve(struct sennit__slot *slot, int queue)
{
	const uint16_t serving = (uint16_t)(SENNIT__SLOT_SERVING << queue);
	struct sennit_op *op;

	if (slot->flags & serving)
		return;
	slot->flags |= serving;
	while ((op = slot->queue[queue]) && !(op->task_.flags_ & SENNIT__OP_SERVED)) {
		op->task_.flags_ |= SENNIT__OP_SERVED;
		if (queue == SENNIT__READS)
			slot->type->read(slot->self, op);
		else
			slot->type->write(slot->self, op);
	}
	slot->flags &= (uint16_t)~serving;
}

static void serve_wait(struct sennit__slot *slot, struct sennit_op *op)
{
	if (!slot->type->wait) {
		sennit__object_done(slot, op, -EOPNOTSUPP);
		return;
	}
	op->task_.flags_ |= SENNIT__OP_SERVED;
	slot->type->wait(slot->self, op, (int)op->goal_.minimum);
}

void sennit__object_done(struct sennit__slot *slot, struct sennit_op *op, int error)
{
	int queue = sennit__queue_of(op);

	sennit__op_unlink(&slot->queue[queue], op);
	sennit__op_finish(slot->owner, op, error);
	if (!slot->type)
		return;
	if (sennit__load_acquire_u64(&slot->word) & CLOSING) { /* P1 */
		if (idle(slot) && !(slot->flags & (SENNIT__SLOT_GONE | SENNIT__SLOT_ENDING)))
			gone(slot);
	} else if (queue != SENNIT__WAITS) {
		serve(slot, queue);
	}
}

void sennit_op_complete(struct sennit_op *op, int error)
{
	if (!op->task_.state_ || !(op->task_.flags_ & SENNIT__OP_SERVED))
		sennit__misuse("sennit_op_complete", "the operation was not handed over");
	sennit__object_done(op->slot_, op, error);
}

struct sennit_op *sennit_op_next(const struct sennit_op *op)
{
	struct sennit_op *next = sennit__op_after(op);

	return next == op->slot_->queue[sennit__queue_of(op)] ? NULL : next;
}

int sennit_stream_open(struct sennit_stream *stream, struct sennit_executor *executor,
		       const struct sennit_stream_type *type, void *self)
{
	struct sennit__slot *slot;

	if (!type || !type->read || !type->write || !type->close)
		sennit__misuse("sennit_stream_open", "the type lacks read, write or close");
	if (sennit__object_slot(&stream->object_))
		return SENNIT_ALREADY_OPEN;
	slot = sennit__object_reserve(executor);
	if (!slot)
		return -ENOMEM;
	slot->type = type;
	slot->self = self;
	sennit__object_publish(&stream->object_, executor, slot);
	return 0;
}

/* --- starting ---------------------------------------------------------------------------------- */

static int make_known(struct sennit__slot *slot)
{
	struct sennit__io *io = sennit__io_of(slot->owner);
	int error = slot->type ? 0 : io->backend->attach(slot);

	if (error)
		return error;
	slot->flags |= SENNIT__SLOT_KNOWN;
	slot->known_prev = NULL;
	slot->known_next = io->known;
	if (io->known)
		io->known->known_prev = slot;
	io->known = slot;
	return 0;
}

/* The operation is in its queue: gets it going. */
static void set_going(struct sennit__slot *slot, struct sennit_op *op, int queue)
{
	if (slot->type) {
		if (queue == SENNIT__WAITS)
			serve_wait(slot, op);
		else
			serve(slot, queue);
	} else if (queue == SENNIT__READS) {
		if (slot->queue[queue] == op && slot->flags & SENNIT__SLOT_READABLE)
			backend_of(slot)->read(slot);
	} else if (queue == SENNIT__WRITES) {
		if (slot->flags & SENNIT__SLOT_WRITABLE)
			sennit__io_list(slot);
	} else {
		sennit__fd_wait(slot, op);
	}
}

/* A start arrives at the owner. Its unit has begun. */
static void receive(struct sennit__slot *slot, struct sennit_op *op)
{
	struct sennit__worker *worker = slot->owner;
	int queue = sennit__queue_of(op);
	int error = 0;

	op->started_ms_ = (uint32_t)(worker->now_ns >> 20);
	if (SENNIT__UNLIKELY(worker->shutdown))
		error = SENNIT_SHUTDOWN;
	else if (SENNIT__UNLIKELY(op->task_.flags_ & (SENNIT__OP_EMPTY | SENNIT__OP_UNOPENED)))
		error = op->task_.flags_ & SENNIT__OP_EMPTY ? 0 : -EBADF;
	else if ((sennit__load_acquire_u64(&slot->word) & ~MESSAGE) != op->stamp_) /* P1 */
		error = -ECANCELED;
	else if ((SENNIT__LIKELY(slot->flags & SENNIT__SLOT_KNOWN) ||
		  !(error = make_known(slot))) && sennit__op_wanted(op)) {
		sennit__op_append(&slot->queue[queue], op);
		set_going(slot, op, queue);
		return;
	}
	sennit__op_finish(worker, op, error);
}

static void on_start(struct sennit_task *task, int error)
{
	struct sennit_op *op = (struct sennit_op *)(void *)task;

	(void)error;
	receive(op->slot_, op);
}

void sennit__object_start(struct sennit_object *object, struct sennit_op *op)
{
	struct sennit__slot *slot = object->slot_;
	struct sennit__worker *owner;

	sennit__object_check(object, "an initiating function");
	op->target_ = op->bound_ ? op->bound_ : object->executor_;
	op->slot_ = slot;
	if (SENNIT__UNLIKELY(!slot)) {
		sennit__op_refuse(op, op->task_.flags_ & SENNIT__OP_EMPTY ? 0 : -EBADF);
		return;
	}
	owner = slot->owner;
	op->stamp_ = sennit__load_acquire_u64(&slot->word) & ~MESSAGE; /* P1 */
	if (SENNIT__UNLIKELY(generation_of(op->stamp_) != object->generation_ ||
			     op->stamp_ & CLOSING))
		op->task_.flags_ |= SENNIT__OP_UNOPENED;
	if (SENNIT__UNLIKELY(op->target_->runtime_ != owner->executor.runtime_)) {
		sennit__work_get(owner->executor.runtime_, SENNIT__ABROAD);
		sennit__work_get(op->target_->runtime_, SENNIT__GUARD);
	}
	if (SENNIT__LIKELY(sennit__current == owner)) {
		sennit__worker_catch_up(owner);
		if (SENNIT__LIKELY(!owner->settling)) {
			sennit__worker_begin(owner);
			receive(slot, op);
			return;
		}
	}
	op->task_.class_ = SENNIT__MESSAGE;
	op->task_.function_ = on_start;
	if (sennit__current == owner)
		sennit__worker_line_up(owner, &op->task_);
	else
		sennit__worker_send(owner, &op->task_);
}

void sennit__object_wait(struct sennit_object *object, int what, struct sennit_op *op,
			 sennit_handler *handler)
{
	const int all = SENNIT_WAIT_READ | SENNIT_WAIT_WRITE | SENNIT_WAIT_ERROR;

	if (!what || what & ~all)
		sennit__misuse("a wait", "`what` is not a combination of enum sennit_wait");
	sennit__op_prepare(op, handler, SENNIT__WAIT);
	op->goal_.minimum = (size_t)what;
	sennit__object_start(object, op);
}

/* --- cancel, close ------------------------------------------------------------------------------- */

void sennit__object_end(struct sennit__slot *slot, struct sennit_op *op, int error)
{
	if (slot->type && slot->type->cancel && op->task_.flags_ & SENNIT__OP_SERVED) {
		if (op->task_.flags_ & SENNIT__OP_ASKED)
			return;
		op->task_.flags_ |= SENNIT__OP_ASKED;
		slot->type->cancel(slot->self, op, error);
		return;
	}
	if (sennit__op_does(op) == SENNIT__WRITE && sennit__op_mode(op) == SENNIT__SOME &&
	    op->bytes_)
		error = 0; /* S14: some were written, which is what was asked for */
	sennit__object_done(slot, op, error);
}

/* The oldest operation of a queue that carries another stamp than `word` and was not asked yet. */
static struct sennit_op *oldest_of(const struct sennit__slot *slot, int queue, uint64_t word)
{
	struct sennit_op *op = slot->queue[queue];

	while (op && (op->stamp_ == word || op->task_.flags_ & SENNIT__OP_ASKED)) {
		op = sennit__op_after(op);
		if (op == slot->queue[queue])
			return NULL;
	}
	return op;
}

/* Ends what was started before the word became `word`. */
static void end_older(struct sennit__slot *slot, uint64_t word, int error)
{
	const uint16_t busy = SENNIT__SLOT_ENDING | 3 * SENNIT__SLOT_SERVING;
	const uint16_t before = slot->flags & busy;
	struct sennit_op *op;

	slot->flags |= busy; /* nothing that is about to end is handed over first */
	for (int queue = 0; queue < SENNIT__QUEUES; queue++)
		while ((op = oldest_of(slot, queue, word)))
			sennit__object_end(slot, op, error);
	slot->flags = (uint16_t)((slot->flags & ~busy) | before);
}

void sennit__object_end_all(struct sennit__slot *slot, int error)
{
	end_older(slot, ~(uint64_t)0, error); /* no operation carries that */
}

/* Cancel or close has changed the word: what that means, on the owner. */
static void apply(struct sennit__slot *slot)
{
	uint64_t word;

	if (slot->flags & SENNIT__SLOT_GONE)
		return;
	if (!slot->type && slot->queue[SENNIT__WRITES] && slot->flags & SENNIT__SLOT_WRITABLE)
		backend_of(slot)->write(slot);
	word = sennit__load_acquire_u64(&slot->word) & ~MESSAGE; /* P1 */
	end_older(slot, word, -ECANCELED);
	if (word & CLOSING) {
		if (idle(slot))
			gone(slot);
	} else if (slot->type) {
		serve(slot, SENNIT__READS);
		serve(slot, SENNIT__WRITES);
	}
}

static void on_message(struct sennit_task *task, int error)
{
	struct sennit__slot *slot = (struct sennit__slot *)(void *)((char *)task -
						offsetof(struct sennit__slot, message));
	struct sennit__worker *worker = slot->owner;

	(void)error;
	sennit__fetch_add_acq_rel_u64(&slot->word, (uint64_t)0 - MESSAGE); /* P1 */
	apply(slot);
	sennit__object_try_free(slot);
	sennit__worker_end(worker);
}

/* Counts a cancel, or a close, from now on; false where the object is not open. *before gets the
 * word as it was. */
static bool count(const struct sennit_object *object, uint64_t bits, uint64_t *before)
{
	struct sennit__slot *slot = object->slot_;
	uint64_t word = sennit__load_acquire_u64(&slot->word); /* P1 */
	uint64_t next;

	do {
		if (generation_of(word) != object->generation_ || word & CLOSING)
			return false;
		next = (word & ~CANCELS) | ((word + CANCEL) & CANCELS) | bits;
	} while (!sennit__cas_acq_rel_u64(&slot->word, &word, next)); /* P1 */
	*before = word;
	return true;
}

static void request(struct sennit_object *object, uint64_t bits)
{
	struct sennit__slot *slot = object->slot_;
	struct sennit__worker *owner;
	uint64_t before;

	if (!slot)
		return;
	owner = slot->owner;
	if (sennit__current == owner) {
		sennit__worker_catch_up(owner);
		if (!owner->settling) {
			if (count(object, bits, &before))
				apply(slot);
			return;
		}
	}
	if (!count(object, bits | MESSAGE, &before) || before & MESSAGE)
		return;
	if (sennit__current == owner)
		sennit__worker_line_up(owner, &slot->message);
	else
		sennit__worker_send(owner, &slot->message);
}

void sennit__object_cancel(struct sennit_object *object)
{
	sennit__object_check(object, "cancel");
	request(object, 0);
}

void sennit__object_close(struct sennit_object *object)
{
	sennit__object_check(object, "close");
	request(object, CLOSING);
}

/* --- release ------------------------------------------------------------------------------------- */

/* On the owner: ends everything, then takes the descriptor out of the slot, which closes nothing. */
static int release_here(struct sennit_object *object, int *fd)
{
	struct sennit__slot *slot = object->slot_;
	uint64_t before;

	sennit__worker_settle(slot->owner);
	if (!count(object, CLOSING, &before))
		return -EBADF;
	if (slot->queue[SENNIT__WRITES] && slot->flags & SENNIT__SLOT_WRITABLE)
		backend_of(slot)->write(slot);
	sennit__object_end_all(slot, -ECANCELED);
	*fd = sennit__fd_take(slot);
	gone(slot);
	return 0;
}

int sennit__object_release(struct sennit_object *object, int *fd)
{
	struct sennit__slot *slot = sennit__object_slot(object);
	uint64_t before;
	int error;

	if (!slot)
		return -EBADF;
	if (sennit__current == slot->owner)
		return release_here(object, fd);
	if (sennit__worker_enter(slot->owner)) {
		error = release_here(object, fd);
		sennit__worker_leave(slot->owner);
		return error;
	}
	/* The owner is at work, and nothing of this object is in flight, or the caller is wrong. */
	if (!count(object, CLOSING | MESSAGE, &before))
		return -EBADF;
	*fd = sennit__fd_take(slot);
	if (!(before & MESSAGE))
		sennit__worker_send(slot->owner, &slot->message);
	return 0;
}
