/* SPDX-License-Identifier: MIT */
/* object.c - the handle and the slot. The protocol is in object.h.
 * Checked by tests/model/object_cancel.c, tests/model/object_close.c, tests/model/object_stream.c,
 *            tests/stress/close_race.c, tests/conformance/sockets.c
 */
#include "io/object.h"

#include "io/backend/backend.h"
#include "io/fd.h"
#include "io/timer.h"
#include "runtime/sched/runtime.h"
#include "runtime/sched/work.h"

#include <errno.h>
#include <sennit/error.h>

#define MESSAGE SENNIT__WORD_MESSAGE
#define CLOSING SENNIT__WORD_CLOSING
#define CANCEL ((uint64_t)4)
#define CANCELS ((((uint64_t)1 << SENNIT__CANCEL_BITS) - 1) * CANCEL)

static sennit_function on_message;

/* The word of the next generation: open, never cancelled, no message. */
static uint64_t next_life(uint64_t word)
{
	return (uint64_t)(sennit__generation_of(word) + 1) << SENNIT__GENERATION_SHIFT;
}

static const struct sennit__backend *backend_of(const struct sennit__slot *slot)
{
	return sennit__io_of(slot->owner)->backend;
}

/* --- opening ---------------------------------------------------------------------------------- */

static struct sennit__slab *slab_of(const struct sennit__slot *slot)
{
	struct sennit__io *io = sennit__io_of(slot->owner);

	return sennit__slot_is_timer(slot) ? &io->timers : &io->slab;
}

static struct sennit__slot *reserve(struct sennit__worker *worker, bool timer)
{
	struct sennit__io *io = sennit__io_of(worker);
	struct sennit__slot *slot;

	sennit__fork_check(worker->executor.runtime_, "opening an object");
	slot = sennit__slab_get(timer ? &io->timers : &io->slab);
	if (!slot)
		return NULL;
	if (!slot->owner) { /* its first life: constant from now on */
		slot->owner = worker;
		slot->message.class_ = SENNIT__MESSAGE;
		slot->message.function_ = on_message;
		slot->traits = timer ? SENNIT__TIMER : 0;
	}
	slot->fd = slot->assigned = -1;
	slot->flags = timer ? 0 : SENNIT__SLOT_READABLE | SENNIT__SLOT_WRITABLE;
	return slot;
}

/* The worker that owns objects of `executor`. */
static struct sennit__worker *place(struct sennit_executor *executor)
{
	if (!executor || !executor->runtime_)
		sennit__misuse("opening an object", "the executor is not one of a runtime");
	return sennit__runtime_place(executor);
}

struct sennit__slot *sennit__object_reserve(struct sennit_executor *executor)
{
	return reserve(place(executor), false);
}

struct sennit__slot *sennit__object_reserve_timer(struct sennit_executor *executor)
{
	return reserve(place(executor), true);
}

/* The slot's contents as a reserver expects them. */
static void clear(struct sennit__slot *slot)
{
	slot->type = NULL;
	slot->fd = slot->assigned = -1;
	slot->flags = 0;
	slot->traits &= SENNIT__TIMER;
	slot->transfers = 0;
	slot->pauses = 0;
	slot->lingers = false;
}

void sennit__object_unreserve(struct sennit__slot *slot)
{
	clear(slot);
	sennit__slab_put(slab_of(slot), slot);
}

void sennit__object_publish(struct sennit_object *object, struct sennit_executor *executor,
			    struct sennit__slot *slot)
{
	/* relaxed: the slot is ours, and no handle of this generation is out yet */
	object->generation_ = sennit__generation_of(sennit__load_relaxed_u64(&slot->word));
	object->slot_ = slot;
	object->executor_ = executor;
	object->tag_ = SENNIT__OBJECT_TAG;
}

void sennit__object_init(struct sennit_object *object, struct sennit_executor *executor)
{
	object->slot_ = NULL;
	object->executor_ = executor;
	object->generation_ = 0;
	object->tag_ = SENNIT__OBJECT_TAG;
}

struct sennit__slot *sennit__object_slot(const struct sennit_object *object)
{
	struct sennit__slot *slot = object->tag_ == SENNIT__OBJECT_TAG ? object->slot_ : NULL;
	uint64_t word;

	return slot && sennit__object_is_open(object, &word) ? slot : NULL;
}

/* --- closing ---------------------------------------------------------------------------------- */

void sennit__object_try_free(struct sennit__slot *slot)
{
	/* relaxed: GONE says that we have seen it closed, since when only we change it */
	uint64_t word = sennit__load_relaxed_u64(&slot->word);

	if (!(slot->flags & SENNIT__SLOT_GONE) || (word & MESSAGE) ||
	    slot->flags & (SENNIT__SLOT_LISTED | SENNIT__SLOT_PAUSED))
		return;
	if (sennit__generation_of(word) == SENNIT__GENERATION_LAST) /* it has run out: retired */
		return;
	clear(slot);
	sennit__store_release_u64(&slot->word, next_life(word)); /* P1 */
	sennit__slab_put(slab_of(slot), slot);
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
		if (io->cursor == slot)
			io->cursor = slot->known_next;
		if (slot->known_prev)
			slot->known_prev->known_next = slot->known_next;
		else
			io->known = slot->known_next;
		if (slot->known_next)
			slot->known_next->known_prev = slot->known_prev;
	}
	slot->flags &= SENNIT__SLOT_LISTED | SENNIT__SLOT_PAUSED;
	slot->flags |= SENNIT__SLOT_GONE;
	if (sennit__slot_is_timer(slot)) {
		sennit__timer_gone(slot);
	} else if (!slot->type) {
		sennit__fd_close(slot);
	} else if (slot->type->close) {
		slot->flags |= SENNIT__SLOT_ENDING; /* not free before this has returned */
		slot->type->close(slot->self);
		slot->flags &= (uint16_t)~SENNIT__SLOT_ENDING;
	}
}

/* Whatever may have been the last thing that a closed object waited for ends with this; nothing of
 * the slot may be touched afterwards. */
static void end_if_closed(struct sennit__slot *slot)
{
	const int busy = SENNIT__SLOT_ENDING | 3 * SENNIT__SLOT_SERVING;

	if (slot->flags & busy) /* on the stack: it will be back here */
		return;
	if (!(slot->flags & SENNIT__SLOT_GONE) && idle(slot) &&
	    sennit__load_acquire_u64(&slot->word) & CLOSING) /* P1 */
		gone(slot);
	sennit__object_try_free(slot);
}

/* --- serving a stream type -------------------------------------------------------------------- */

/* Hands over the head of the queue, and what follows as long as it completes at once. */
static void serve(struct sennit__slot *slot, int queue)
{
	const struct sennit_stream_type *type = slot->type;
	void (*hand_over)(void *, struct sennit_op *) =
		queue == SENNIT__READS ? type->read : type->write;
	const uint16_t serving = (uint16_t)(SENNIT__SLOT_SERVING << queue);
	struct sennit_op *op;

	if (slot->flags & serving)
		return;
	slot->flags |= serving;
	while ((op = slot->queue[queue]) && !(op->task_.flags_ & SENNIT__OP_SERVED)) {
		op->task_.flags_ |= SENNIT__OP_SERVED;
		if (hand_over)
			hand_over(slot->self, op);
		else
			sennit__object_done(slot, op, -EOPNOTSUPP);
	}
	slot->flags &= (uint16_t)~serving;
	end_if_closed(slot);
}

static void serve_wait(struct sennit__slot *slot, struct sennit_op *op)
{
	const uint16_t ending = slot->flags & SENNIT__SLOT_ENDING;

	op->task_.flags_ |= SENNIT__OP_SERVED;
	slot->flags |= SENNIT__SLOT_ENDING; /* not over before this has returned */
	if (slot->type->wait)
		slot->type->wait(slot->self, op, (int)op->goal_.minimum);
	else
		sennit__object_done(slot, op, -EOPNOTSUPP);
	slot->flags = (uint16_t)((slot->flags & ~SENNIT__SLOT_ENDING) | ending);
	end_if_closed(slot);
}

void sennit__object_go_on(struct sennit__slot *slot, int queue)
{
	/* relaxed: where it is closed end_if_closed looks again, else nothing was learnt */
	if (sennit__load_relaxed_u64(&slot->word) & CLOSING || queue == SENNIT__WAITS)
		end_if_closed(slot);
	else
		serve(slot, queue);
}

void sennit_op_complete(struct sennit_op *op, int error)
{
	if (!op->task_.state_ || !(op->task_.flags_ & SENNIT__OP_SERVED))
		sennit__misuse("sennit_op_complete",
			       "the operation was not handed over, or is completed already");
	if (sennit__current != op->slot_->owner)
		sennit__misuse("sennit_op_complete", "the thread is not at the owner");
	op->task_.flags_ &= (unsigned char)~SENNIT__OP_SERVED;
	sennit__object_done(op->slot_, op, sennit__op_verdict(op, error));
}

struct sennit_op *sennit_op_next(const struct sennit_op *op)
{
	struct sennit_op *next = sennit__op_after(op);

	return next == op->slot_->queue[sennit__queue_of(op)] ? NULL : next;
}

/* --- starting --------------------------------------------------------------------------------- */

/* Registers a descriptor, and lists the slot as one that is in use. */
static int make_known(struct sennit__slot *slot)
{
	struct sennit__io *io = sennit__io_of(slot->owner);
	bool described = !slot->type && !sennit__slot_is_timer(slot);
	int error = described ? io->backend->attach(slot) : 0;

	if (error)
		return error;
	slot->flags |= slot->type ? SENNIT__SLOT_KNOWN : SENNIT__SLOT_KNOWN | SENNIT__SLOT_DIRECT;
	slot->known_prev = NULL;
	slot->known_next = io->known;
	if (io->known)
		io->known->known_prev = slot;
	io->known = slot;
	if (slot->type && slot->owner->shutdown)
		slot->owner->swept = false; /* one more to be closed */
	return 0;
}

static int open_on(struct sennit__worker *worker, struct sennit_executor *executor,
		   struct sennit_stream *stream, const struct sennit_stream_type *type, void *self)
{
	struct sennit__slot *slot;

	if (!type)
		sennit__misuse("opening a stream", "the type is NULL");
	if (sennit__object_slot(&stream->object_))
		return SENNIT_ALREADY_OPEN;
	slot = reserve(worker, false);
	if (!slot)
		return -ENOMEM;
	slot->type = type;
	slot->self = self;
	sennit__object_publish(&stream->object_, executor, slot);
	if (sennit__current == slot->owner) {
		make_known(slot);
	} else { /* the owner must know of it, to close it when the runtime is destroyed */
		/* relaxed: no handle of this generation is out yet, and the push tells the rest */
		sennit__fetch_add_relaxed_u64(&slot->word, MESSAGE);
		sennit__worker_send(slot->owner, &slot->message);
	}
	return 0;
}

int sennit_stream_open(struct sennit_stream *stream, struct sennit_executor *executor,
		       const struct sennit_stream_type *type, void *self)
{
	return open_on(place(executor), executor, stream, type, self);
}

int sennit_stream_open_above(struct sennit_stream *stream, const struct sennit_stream *lower,
			     const struct sennit_stream_type *type, void *self)
{
	const struct sennit__slot *slot = sennit__object_slot(&lower->object_);

	return slot ? open_on(slot->owner, lower->object_.executor_, stream, type, self) : -EBADF;
}

static void end_older(struct sennit__slot *slot, bool all, int error);

/* A wait for a timer. What was asked for before it, by a message that has not arrived, is done. */
static void admit_wait(struct sennit__slot *slot, struct sennit_op *op)
{
	/* relaxed: of what came before the start, the push of the start tells */
	if (sennit__load_relaxed_u64(&slot->word) == (op->stamp_ | MESSAGE)) {
		end_older(slot, false, -ECANCELED);
		sennit__timer_apply(slot, false);
	}
	sennit__timer_admit(slot, op);
}

/* Queues an operation and gets it going. */
static inline void admit(struct sennit__slot *slot, struct sennit_op *op)
{
	int queue = sennit__queue_of(op);

	op->started_ms_ = (uint32_t)(slot->owner->now_ns >> 20);
	if (sennit__slot_is_timer(slot)) {
		admit_wait(slot, op);
		return;
	}
	if (SENNIT__UNLIKELY(sennit__op_has_deadline(op)))
		sennit__op_arm(op);
	sennit__op_append(&slot->queue[queue], op);
	if (SENNIT__UNLIKELY(slot->type != NULL)) {
		if (queue == SENNIT__WAITS)
			serve_wait(slot, op);
		else
			serve(slot, queue);
	} else if (queue == SENNIT__READS) {
		if (slot->flags & SENNIT__SLOT_READABLE && slot->queue[queue] == op)
			backend_of(slot)->read(slot);
	} else if (queue == SENNIT__WRITES) {
		if (sennit__op_does(op) == SENNIT__CONNECT)
			slot->flags |= SENNIT__SLOT_CONNECTING;
		if (slot->flags & SENNIT__SLOT_WRITABLE)
			sennit__io_list(slot);
	} else {
		sennit__fd_wait(slot, op);
	}
}

/* What ends an operation before it is queued: the error, or 0 where that ends it; 1 to go on. */
static int check_first(struct sennit__slot *slot, struct sennit_op *op)
{
	int error = 0;

	if (slot->owner->shutdown)
		return SENNIT_SHUTDOWN;
	if (op->task_.flags_ & SENNIT__OP_EMPTY)
		return 0;
	if (op->task_.flags_ & SENNIT__OP_UNOPENED)
		return -EBADF;
	if (!(slot->flags & SENNIT__SLOT_KNOWN))
		error = make_known(slot);
	if (!error && op->task_.flags_ & SENNIT__OP_WANTS && !sennit__op_ask(op))
		return 0;
	return error ? error : 1;
}

/* A start has arrived at the owner, in time. Its unit has begun. */
static void receive(struct sennit__slot *slot, struct sennit_op *op)
{
	int error = check_first(slot, op);

	if (error > 0)
		admit(slot, op);
	else
		sennit__op_finish(slot->owner, op, error);
}

static void overtaken(struct sennit__slot *slot, struct sennit_op *op)
{
	SENNIT__TALLY(slot->owner, cancels_decided, 1);
	sennit__op_finish(slot->owner, op, -ECANCELED);
}

/* A start is at the owner: cancel or close may have overtaken it, or a request of `types`. Its unit
 * has begun. */
static void arrive(struct sennit__slot *slot, struct sennit_op *op, int types)
{
	const int special = SENNIT__OP_EMPTY | SENNIT__OP_UNOPENED;

	slot->owner->in_flight++;
	if (op->task_.flags_ & special || slot->owner->shutdown ||
	    ((sennit__load_acquire_u64(&slot->word) & ~MESSAGE) == op->stamp_ && !types)) /* P1 */
		receive(slot, op);
	else
		overtaken(slot, op);
}

static void on_start(struct sennit_task *task, int error)
{
	struct sennit_op *op = (struct sennit_op *)(void *)task;

	(void)error;
	SENNIT__TALLY(op->slot_->owner, starts_remote, 1);
	arrive(op->slot_, op, sennit__op_ready(op));
}

/* Bound to another runtime: both go on until the handler has run. */
static void go_abroad(struct sennit_runtime *home, struct sennit_runtime *abroad)
{
	if (home == abroad)
		return;
	sennit__work_get(home, SENNIT__ABROAD);
	sennit__work_get(abroad, SENNIT__GUARD);
}

/* A start whose handler runs inside it where the operation ends at once. */
static void arrive_and_run(struct sennit__slot *slot, struct sennit_op *op, int types)
{
	struct sennit__worker *owner = slot->owner;

	op->task_.flags_ |= SENNIT__OP_STARTING;
	arrive(slot, op, types);
	if (op->task_.flags_ & SENNIT__OP_STARTING)
		op->task_.flags_ &= (unsigned char)~SENNIT__OP_STARTING;
	else
		sennit__op_run_inside(owner, op);
}

/* On the owner. What it catches up with may have come after the stamp; or be a request to what the
 * operation is a step of, for which the caller, who has just looked, will not look again: that was
 * kept by the slot. */
static void start_here(struct sennit__slot *slot, struct sennit_op *op)
{
	struct sennit__worker *owner = slot->owner;
	int types;

	sennit__worker_catch_up(owner, "an initiating function");
	sennit__worker_begin(owner);
	types = sennit__op_attach(op, false);
	if (SENNIT__UNLIKELY(sennit__op_may_run_inside(owner, op)))
		arrive_and_run(slot, op, types);
	else
		arrive(slot, op, types);
}

void sennit__object_start(struct sennit_object *object, struct sennit_op *op)
{
	struct sennit__slot *slot = object->slot_;
	uint64_t word;

	sennit__object_check(object, "an initiating function");
	op->slot_ = slot;
	sennit__op_aim(op, object->executor_);
	if (!slot) {
		sennit__op_refuse(op, op->task_.flags_ & SENNIT__OP_EMPTY ? 0 : -EBADF);
		return;
	}
	word = sennit__load_acquire_u64(&slot->word); /* P1 */
	op->stamp_ = word & ~MESSAGE;
	if (sennit__generation_of(word) != object->generation_ || word & CLOSING)
		op->task_.flags_ |= SENNIT__OP_UNOPENED;
	if (op->bound_)
		go_abroad(slot->owner->executor.runtime_, op->target_->runtime_);
	if (sennit__current == slot->owner) {
		start_here(slot, op);
	} else {
		sennit__op_attach(op, true);
		op->task_.state_ = SENNIT__OP_SENT;
		op->task_.function_ = on_start;
		sennit__worker_send(slot->owner, &op->task_);
	}
}

/* Whether this start, with nothing special about the operation but its options, is the common case:
 * on the owner, with nothing sent before, on an open object that is known and of no stream type.
 * Then it is stamped and its unit begun. */
static inline bool start_at_once(struct sennit_object *object, struct sennit_op *op)
{
	struct sennit__slot *slot = object->slot_;
	struct sennit__worker *owner;
	uint64_t word;

	if (SENNIT__UNLIKELY(object->tag_ != SENNIT__OBJECT_TAG || !slot || op->options_))
		return false;
	owner = slot->owner;
	/* relaxed: where it is closed sennit__object_start looks again; that a cancel came before
	 * is for the stamp alone */
	word = sennit__load_relaxed_u64(&slot->word) & ~MESSAGE;
	if (SENNIT__UNLIKELY(sennit__current != owner || owner->behind || !*owner->alive ||
			     !sennit__inbox_empty(&owner->inbox) ||
			     sennit__generation_of(word) != object->generation_ || word & CLOSING ||
			     !(slot->flags & SENNIT__SLOT_DIRECT)))
		return false;
	op->slot_ = slot;
	op->stamp_ = word;
	op->target_ = object->executor_;
	op->started_ms_ = (uint32_t)(owner->now_ns >> 20);
	sennit__worker_begin(owner);
	owner->in_flight++;
	return true;
}

void sennit__object_start_read(struct sennit_object *object, struct sennit_op *op)
{
	struct sennit__slot *slot = object->slot_;

	if (!start_at_once(object, op)) {
		sennit__object_start(object, op);
		return;
	}
	sennit__op_append(&slot->queue[SENNIT__READS], op);
	if (slot->flags & SENNIT__SLOT_READABLE && slot->queue[SENNIT__READS] == op)
		backend_of(slot)->read(slot);
}

void sennit__object_start_write(struct sennit_object *object, struct sennit_op *op)
{
	struct sennit__slot *slot = object->slot_;

	if (!start_at_once(object, op)) {
		sennit__object_start(object, op);
		return;
	}
	sennit__op_append(&slot->queue[SENNIT__WRITES], op);
	if ((slot->flags & (SENNIT__SLOT_WRITABLE | SENNIT__SLOT_LISTED)) == SENNIT__SLOT_WRITABLE)
		sennit__io_list(slot);
}

void sennit__object_start_timer_wait(struct sennit_object *object, struct sennit_op *op)
{
	if (start_at_once(object, op))
		admit_wait(object->slot_, op);
	else
		sennit__object_start(object, op);
}

void sennit__object_wait(struct sennit_object *object, int what, struct sennit_op *op,
			 sennit_handler *handler)
{
	const int all = SENNIT_WAIT_READ | SENNIT_WAIT_WRITE | SENNIT_WAIT_ERROR;

	if (!what || (what & ~all && what < SENNIT_STREAM_REQUEST))
		sennit__misuse("a wait", "`what` is not a combination of enum sennit_wait");
	sennit__op_prepare(op, handler, SENNIT__WAIT, 0);
	op->goal_.minimum = (size_t)what;
	sennit__object_start(object, op);
}

/* --- cancel, close ---------------------------------------------------------------------------- */

void sennit__object_connect_ended(struct sennit__slot *slot)
{
	const struct sennit_op *op = slot->queue[SENNIT__WRITES];

	while (op && sennit__op_does(op) != SENNIT__CONNECT)
		op = sennit_op_next(op);
	if (op) /* another one is still to come */
		return;
	slot->flags &= (uint16_t)~SENNIT__SLOT_CONNECTING;
	slot->flags |= SENNIT__SLOT_READABLE;
	sennit__io_list(slot); /* reads that waited */
}

void sennit__object_end(struct sennit__slot *slot, struct sennit_op *op, int types, int error)
{
	bool connect = sennit__op_does(op) == SENNIT__CONNECT;

	if (op->task_.flags_ & SENNIT__OP_ASKED)
		return;
	SENNIT__TALLY(slot->owner, cancels_decided, 1);
	if (slot->type && slot->type->cancel && op->task_.flags_ & SENNIT__OP_SERVED) {
		if (types & SENNIT_CANCEL_TERMINAL)
			op->task_.flags_ |= SENNIT__OP_ASKED;
		slot->type->cancel(slot->self, op, types, error);
		return;
	}
	if (sennit__wheel_holds(&op->timer_))
		sennit__wheel_disarm(&slot->owner->wheel, &op->timer_);
	sennit__object_done(slot, op, sennit__op_verdict(op, error));
	if (connect)
		sennit__object_connect_ended(slot);
}

/* The oldest operation of a queue that was started before the word became what it is, or of `all`;
 * none that the stream type was asked to end already. */
static struct sennit_op *oldest_of(const struct sennit__slot *slot, int queue, bool all)
{
	uint64_t word = sennit__load_acquire_u64(&slot->word) & ~MESSAGE; /* P1 */
	struct sennit_op *op = slot->queue[queue];

	while (op && ((!all && op->stamp_ == word) || op->task_.flags_ & SENNIT__OP_ASKED)) {
		op = sennit__op_after(op);
		if (op == slot->queue[queue])
			return NULL;
	}
	return op;
}

/* Ends what cancel or close came after, or all. */
static void end_older(struct sennit__slot *slot, bool all, int error)
{
	const uint16_t busy = SENNIT__SLOT_ENDING | 3 * SENNIT__SLOT_SERVING;
	const uint16_t before = slot->flags & busy;
	struct sennit_op *op;

	slot->flags |= busy; /* nothing that is about to end is handed over first */
	for (int queue = 0; queue < SENNIT__QUEUES; queue++)
		while ((op = oldest_of(slot, queue, all)))
			sennit__object_end(slot, op, SENNIT_CANCEL_TERMINAL, error);
	slot->flags = (uint16_t)((slot->flags & ~busy) | before);
}

void sennit__object_flush(struct sennit__slot *slot)
{
	const struct sennit_op *op = slot->queue[SENNIT__WRITES];
	unsigned tries = 1;

	if (slot->type || !op)
		return;
	while ((op = sennit_op_next(op)))
		tries++; /* each may be a message that needs a call of its own */
	while (tries-- && slot->queue[SENNIT__WRITES] && slot->flags & SENNIT__SLOT_WRITABLE) {
		slot->transfers = 0; /* the turn's budget is not for this */
		backend_of(slot)->write(slot);
	}
}

/* Cancel or close has changed the word: what that means, on the owner. */
static void apply(struct sennit__slot *slot)
{
	const uint16_t ending = slot->flags & SENNIT__SLOT_ENDING;

	if (!(slot->flags & SENNIT__SLOT_GONE)) {
		sennit__object_flush(slot);
		end_older(slot, false, -ECANCELED);
		if (sennit__slot_is_timer(slot))
			sennit__timer_apply(slot, true);
	}
	/* relaxed: where it is closed end_if_closed looks again, else nothing was learnt */
	if (slot->type && !(sennit__load_relaxed_u64(&slot->word) & CLOSING)) {
		slot->flags |= SENNIT__SLOT_ENDING; /* not over before both were served */
		serve(slot, SENNIT__READS);
		serve(slot, SENNIT__WRITES);
		slot->flags = (uint16_t)((slot->flags & ~SENNIT__SLOT_ENDING) | ending);
	}
	end_if_closed(slot);
}

void sennit__object_shut_down(struct sennit__slot *slot, int error)
{
	/* relaxed: the cas checks it, or end_if_closed looks again */
	uint64_t word = sennit__load_relaxed_u64(&slot->word);

	end_older(slot, true, error);
	if (!slot->type)
		return;
	while (!(word & CLOSING) &&
	       /* relaxed: it is nobody's close: there is nothing to be seen by it */
	       !sennit__cas_relaxed_u64(&slot->word, &word, word | CLOSING))
		;
	end_if_closed(slot);
}

static void on_message(struct sennit_task *task, int error)
{
	struct sennit__slot *slot = (struct sennit__slot *)(void *)((char *)task -
						offsetof(struct sennit__slot, message));
	struct sennit__worker *worker = slot->owner;

	(void)error;
	sennit__fetch_add_release_u64(&slot->word, (uint64_t)0 - MESSAGE); /* P1 */
	if (slot->type && !(slot->flags & (SENNIT__SLOT_KNOWN | SENNIT__SLOT_GONE)))
		make_known(slot);
	apply(slot);
	sennit__worker_end(worker);
}

/* Adds a cancel, or none, and sets bits, from now on; false where the object is not open. *before
 * gets the word as it was. */
static bool count(const struct sennit_object *object, uint64_t cancel, uint64_t bits,
		  uint64_t *before)
{
	struct sennit__slot *slot = object->slot_;
	uint64_t word = sennit__load_relaxed_u64(&slot->word); /* relaxed: the cas checks it */
	uint64_t next;

	do {
		if (sennit__generation_of(word) != object->generation_ || word & CLOSING)
			return false;
		next = (word & ~CANCELS) | ((word + cancel) & CANCELS) | bits;
	} while (!sennit__cas_acq_rel_u64(&slot->word, &word, next)); /* P1 */
	*before = word;
	return true;
}

static void request(struct sennit_object *object, uint64_t bits, const char *call)
{
	struct sennit__slot *slot;
	uint64_t before;

	if (!object)
		sennit__misuse(call, "the object is NULL");
	slot = object->slot_;
	if (!slot) /* never opened: zeroed, or initialised */
		return;
	sennit__object_check(object, call);
	sennit__fork_check(slot->owner->executor.runtime_, call);
	if (sennit__current == slot->owner) {
		sennit__worker_catch_up(slot->owner, call);
		if (count(object, CANCEL, bits, &before))
			apply(slot);
	} else if (count(object, CANCEL, bits | MESSAGE, &before) && !(before & MESSAGE)) {
		sennit__worker_send(slot->owner, &slot->message);
	}
}

bool sennit__object_notify(const struct sennit_object *object, bool cancel)
{
	struct sennit__slot *slot = object->slot_;
	uint64_t before;

	if (!count(object, cancel ? CANCEL : 0, MESSAGE, &before))
		return false;
	if (!(before & MESSAGE))
		sennit__worker_send(slot->owner, &slot->message);
	return true;
}

void sennit__object_cancel(struct sennit_object *object)
{
	request(object, 0, "cancel");
}

void sennit__object_close(struct sennit_object *object)
{
	request(object, CLOSING, "close");
}

/* --- release ---------------------------------------------------------------------------------- */

/* On the owner: ends everything, then takes the descriptor out, so that nothing is closed. */
static int release_here(struct sennit_object *object, int *fd)
{
	struct sennit__slot *slot = object->slot_;
	uint64_t before;

	sennit__worker_catch_up(slot->owner, "release");
	if (!count(object, CANCEL, CLOSING, &before))
		return -EBADF;
	sennit__object_flush(slot);
	end_older(slot, true, -ECANCELED);
	*fd = sennit__fd_take(slot);
	end_if_closed(slot);
	return 0;
}

int sennit__object_release(struct sennit_object *object, int *fd)
{
	struct sennit__slot *slot = sennit__object_slot(object);
	uint64_t before;
	int error;

	if (!fd)
		sennit__misuse("release", "there is nowhere to put the descriptor");
	if (!slot)
		return -EBADF;
	sennit__fork_check(slot->owner->executor.runtime_, "release");
	if (sennit__current == slot->owner)
		return release_here(object, fd);
	if (sennit__worker_enter(slot->owner, SENNIT__VISITED)) {
		error = release_here(object, fd);
		sennit__worker_leave(slot->owner);
		return error;
	}
	/* The owner is at work, and nothing of this object is in flight, or the caller is wrong.
	 * The descriptor is taken before the word says so: no message on its way may find it. */
	*fd = sennit__fd_take(slot);
	if (count(object, CANCEL, CLOSING | MESSAGE, &before) && !(before & MESSAGE))
		sennit__worker_send(slot->owner, &slot->message);
	return 0;
}
