/* SPDX-License-Identifier: MIT */
/* op.h - an operation from start to finish, and the cursor over its buffers.
 *
 * Life: the initiating function fills the operation and stamps it (object.c); the owner receives
 * it, queues it on its slot and has it served; whatever ends it unlinks it and calls
 * sennit__op_finish, which queues it as a handler; run, it is forgotten before the user is called.
 * From the receipt to the finish only the owner touches it, so its state is plain bytes.
 *
 * Cancellation: the start binds the slot that was chosen for this flight (runtime/cancel/slot.h)
 * before it publishes the operation; a request reaches the owner, which ends the operation as
 * cancel and close do. The finish unbinds the slot first, and holds the result back while a request
 * is on its way.
 *
 * Deadlines: the owner arms timer_ in its wheel when it receives the start, and the finish disarms
 * it. What the wheel finds due ends as if it were cancelled, with -ETIMEDOUT; for a wait of a timer
 * (timer.h) timer_ stands for the earlier of its deadline and the expiry.
 *
 * What comes later, and how it will use what is here:
 *
 *   io_uring. A backend (backend/backend.h): read and write fill a submission entry instead of
 *     trying the call, with {slot, generation} as its data; the finish comes with the completion
 *     entry. sennit__object_end then only asks the kernel (flag ASKED, as for stream types with a
 *     cancel function); that a slot is freed with its last operation is so already.
 *   Simulation. A backend, and a set of functions behind sys/sys.h.
 */
#ifndef SENNIT_IO_OP_H
#define SENNIT_IO_OP_H

#include "runtime/sched/worker.h"

#include <sennit/op.h>
#include <sennit/stream_implement.h>

/* What an operation does: the lower half of task_.kind_. Its lowest two bits are the slot's queue
 * that it waits in. */
enum {
	SENNIT__READ = 0,
	SENNIT__WRITE = 1,
	SENNIT__WAIT = 2,
	SENNIT__ACCEPT = 4,
	SENNIT__CONNECT = 5,
	SENNIT__TIMER_WAIT = 8,
};

/* When a transfer is done: the upper half of task_.kind_. */
enum {
	SENNIT__SOME = 0x00,
	SENNIT__ALL = 0x10,
	SENNIT__AT_LEAST = 0x20,
	SENNIT__WHILE = 0x30,
};

/* task_.flags_ */
enum {
	SENNIT__OP_MANY = 0x01,     /* buffer_.many, count_ */
	SENNIT__OP_EMPTY = 0x02,    /* a transfer of nothing */
	SENNIT__OP_UNOPENED = 0x04, /* the object was not open at the start */
	SENNIT__OP_SERVED = 0x08,   /* handed to the stream type, or connect was called */
	SENNIT__OP_ASKED = 0x10,    /* the stream type was asked to end it */
	SENNIT__OP_WANTS = 0x20,    /* has a condition, to be asked before the first step */
	SENNIT__OP_ATTACHED = 0x40, /* has something that the finish lets go */
	SENNIT__OP_STARTING = 0x80, /* its start goes on, and runs the handler if that ends it */
};

/* op->options_: what was chosen for its flights; one look tells that nothing was. */
enum {
	SENNIT__OPTION_EXECUTOR = 0x01, /* bound_ */
	SENNIT__OPTION_SLOT = 0x02,     /* cancel_slot_, for the next flight only */
	SENNIT__OPTION_AFTER = 0x04,    /* timer_.deadline_ns_ is a delay; likewise */
	SENNIT__OPTION_AT = 0x08,       /* timer_.deadline_ns_ is a time; likewise */
	SENNIT__OPTION_INLINE = 0x80,   /* the handler may run inside the initiating function */
	SENNIT__OPTIONS_ONCE = 0x0e,    /* for the next flight only: the finish lets go of them */
};

/* task_.state_: whose the operation is. */
enum {
	SENNIT__OP_CALLERS = 0,
	SENNIT__OP_RECEIVED = 1, /* the owner's; or its start goes on */
	SENNIT__OP_SENT = 2,     /* on its way to the owner */
	SENNIT__OP_FINISHED = 3, /* its result stands; its handler has not run yet */
};

/* The most that one system call transfers. */
#define SENNIT__STEP_MAX 0x7ffff000u

static inline int sennit__op_does(const struct sennit_op *op)
{
	return op->task_.kind_ & 0x0f;
}

static inline int sennit__op_mode(const struct sennit_op *op)
{
	return op->task_.kind_ & 0xf0;
}

/* Misuse where the operation is none, or in flight. */
static inline void sennit__op_check(const struct sennit_op *op)
{
	if (SENNIT__UNLIKELY(!op))
		sennit__misuse("an initiating function", "the operation is NULL");
	if (SENNIT__UNLIKELY(op->task_.state_))
		sennit__misuse("an initiating function", "the operation is already in flight");
}

/* Whether an operation can be started. */
static inline bool sennit__op_is_free(const struct sennit_op *op, sennit_handler *handler)
{
	return op && !op->task_.state_ && handler;
}

/* What is wrong where it cannot: misuse. Not said to return never, so that who returns after it
 * needs no frame where nothing is. */
void sennit__op_report(const struct sennit_op *op, sennit_handler *handler);

/* Readies an operation for a start. Misuse where it is in flight. */
static inline void sennit__op_prepare(struct sennit_op *op, sennit_handler *handler, int kind,
				      int flags)
{
	sennit__op_check(op);
	if (SENNIT__UNLIKELY(!handler))
		sennit__misuse("an initiating function", "the handler is NULL");
	op->handler_ = handler;
	op->bytes_ = 0;
	op->limit_ = SENNIT__STEP_MAX;
	op->task_.class_ = SENNIT__MESSAGE;
	op->task_.state_ = SENNIT__OP_RECEIVED;
	op->task_.kind_ = (unsigned char)kind;
	op->task_.flags_ = (unsigned char)flags;
}

/* Settles where the handler will run: on what the operation is bound to, else on the object's
 * executor, `own`; bound to the inline executor it is on the owner. slot_ is set, or NULL. */
void sennit__op_aim(struct sennit_op *op, struct sennit_executor *own);

/* The handler of every finished operation, and what hands it over where it is not the owner's. */
void sennit__op_run(struct sennit_task *task, int error);
void sennit__op_pass_on(struct sennit__worker *worker, struct sennit_op *op);

/* What a start chose for this flight is attached, `sent`: by a thread that is not the owner, else
 * it returns the types that were requested already; and let go at the finish: false where the
 * operation is handed over later. */
int sennit__op_attach(struct sennit_op *op, bool sent);
bool sennit__op_let_go(struct sennit_op *op);

/* Inline completion. Where the handler may run inside the start that goes on, on the owner, that
 * sets STARTING. A finish that finds it takes it away and leaves the handler to the start, which
 * calls it when nothing below looks at the operation any more; a start that finds it still there
 * has not ended the operation, and takes it away itself. */
bool sennit__op_may_run_inside(const struct sennit__worker *worker, const struct sennit_op *op);
void sennit__op_run_inside(struct sennit__worker *worker, struct sennit_op *op);

/* The start has arrived at the owner: the types that were requested of it on its way. */
int sennit__op_ready(struct sennit_op *op);

/* On the owner, before the operation is queued: its deadline, if it has one, counts. */
void sennit__op_arm(struct sennit_op *op);

/* On the owner: the deadline has come. */
void sennit__op_time_out(struct sennit_op *op);

static inline bool sennit__op_has_deadline(const struct sennit_op *op)
{
	return op->options_ & (SENNIT__OPTION_AFTER | SENNIT__OPTION_AT);
}

/* Hands a finished operation over to its executor. */
static inline void sennit__op_hand_over(struct sennit__worker *worker, struct sennit_op *op)
{
	const struct sennit_executor *target = op->target_;

	if (SENNIT__LIKELY(target == &worker->executor || target == worker->everywhere))
		sennit__worker_queue(worker, &op->task_);
	else
		sennit__op_pass_on(worker, op);
}

/* Queues the operation as a handler with `error` and the bytes counted so far. The caller, on the
 * owner `worker`, has unlinked it; its unit has begun there. */
static inline void sennit__op_finish(struct sennit__worker *worker, struct sennit_op *op, int error)
{
	worker->in_flight--;
	op->task_.error_ = error;
	op->task_.function_ = sennit__op_run;
	op->task_.state_ = SENNIT__OP_FINISHED;
	if (SENNIT__LIKELY(!(op->task_.flags_ & (SENNIT__OP_ATTACHED | SENNIT__OP_STARTING))) ||
	    sennit__op_let_go(op))
		sennit__op_hand_over(worker, op);
}

/* As above for an operation that no worker ever got: from any thread. */
void sennit__op_refuse(struct sennit_op *op, int error);

/* Whether nothing is left to transfer. */
bool sennit__op_exhausted(const struct sennit_op *op);

/* How many bytes are left to transfer. O(buffers). */
size_t sennit__op_left(const struct sennit_op *op);

/* Adds what the next step may use to vector[*count ... most - 1], at most `budget` bytes; returns
 * how many. *whole tells whether that is all that is left of the operation. */
size_t sennit__op_offer(const struct sennit_op *op, struct iovec *vector, int *count, int most,
			size_t budget, bool *whole);

/* Asks the completion condition; false where it wants nothing more. */
bool sennit__op_ask(struct sennit_op *op);

/* Counts bytes as transferred; true where the operation has all it asked for. */
bool sennit__op_advance(struct sennit_op *op, size_t bytes);

/* What an operation that `error` ends reports: a write_some that has written some has done what it
 * was asked for (S14, S21). */
static inline int sennit__op_verdict(const struct sennit_op *op, int error)
{
	return op->task_.kind_ == (SENNIT__WRITE | SENNIT__SOME) && op->bytes_ ? 0 : error;
}

/* As sennit__op_advance, with the common case in line: all of a single buffer. */
static inline bool sennit__op_advance_all(struct sennit_op *op, size_t bytes)
{
	if (SENNIT__LIKELY(bytes == op->buffer_.one.size &&
			   !(op->task_.flags_ & SENNIT__OP_MANY))) {
		op->bytes_ += bytes;
		return true;
	}
	return sennit__op_advance(op, bytes);
}

/* --- lists: circular, by task_.next_ and prev_; the head is the oldest ------------------------ */

static inline struct sennit_op *sennit__op_after(const struct sennit_op *op)
{
	return (struct sennit_op *)(void *)op->task_.next_;
}

static inline void sennit__op_append(struct sennit_op **head, struct sennit_op *op)
{
	struct sennit_op *first = *head;

	if (!first) {
		op->task_.next_ = &op->task_;
		op->prev_ = op;
		*head = op;
		return;
	}
	op->task_.next_ = &first->task_;
	op->prev_ = first->prev_;
	op->prev_->task_.next_ = &op->task_;
	first->prev_ = op;
}

static inline void sennit__op_unlink(struct sennit_op **head, struct sennit_op *op)
{
	struct sennit_op *next = sennit__op_after(op);

	if (next == op) {
		*head = NULL;
		return;
	}
	next->prev_ = op->prev_;
	op->prev_->task_.next_ = &next->task_;
	if (*head == op)
		*head = next;
}

#endif
