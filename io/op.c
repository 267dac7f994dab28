/* SPDX-License-Identifier: MIT */
/* op.c - see op.h. */
#include "io/op.h"

#include "io/object.h"
#include "runtime/cancel/slot.h"
#include "runtime/sched/runtime.h"
#include "runtime/sched/work.h"

#include <errno.h>
#include <sennit/stream_implement.h>
#include <sennit/timer.h>

_Static_assert(sizeof(struct sennit_op) <= 160, "the size that users embed");
_Static_assert(offsetof(struct sennit_op, task_) == 0, "an operation begins with a task");

void sennit__op_report(const struct sennit_op *op, sennit_handler *handler)
{
	sennit__op_check(op);
	if (!handler)
		sennit__misuse("an initiating function", "the handler is NULL");
}

/* Has `chosen` in the place of what was chosen among `those` options. */
static void choose(struct sennit_op *op, int chosen, int those, const char *call)
{
	if (op->task_.state_)
		sennit__misuse(call, "the operation is in flight");
	op->options_ = (unsigned char)((op->options_ & ~those) | chosen);
}

void sennit_op_bind_executor(struct sennit_op *op, struct sennit_executor *executor)
{
	choose(op, executor ? SENNIT__OPTION_EXECUTOR : 0, SENNIT__OPTION_EXECUTOR,
	       "sennit_op_bind_executor");
	op->bound_ = executor;
}

/* --- cancellation ----------------------------------------------------------------------------- */

void sennit_op_bind_slot(struct sennit_op *op, struct sennit_cancel_slot *slot)
{
	choose(op, slot ? SENNIT__OPTION_SLOT : 0, SENNIT__OPTION_SLOT, "sennit_op_bind_slot");
	op->cancel_slot_ = slot;
}

/* The guarantees among `types` that the operation can give: what is composed of several transfers
 * cannot undo the first (B42). */
static int heeded(const struct sennit_op *op, int types)
{
	if (sennit__op_mode(op) == SENNIT__SOME)
		return types & SENNIT_CANCEL_ALL;
	return types & (SENNIT_CANCEL_TERMINAL | SENNIT_CANCEL_PARTIAL);
}

/* On the owner. */
static void request(void *target, int types)
{
	struct sennit_op *op = target;

	types = heeded(op, types);
	if (types && op->task_.state_ == SENNIT__OP_RECEIVED)
		sennit__object_end(op->slot_, op, types, -ECANCELED);
	else if (op->task_.state_ == SENNIT__OP_FINISHED)
		SENNIT__TALLY(sennit__current, cancels_late, 1);
}

static void release(void *target)
{
	sennit__op_hand_over(sennit__current, target);
}

static const struct sennit__cancel_target of_op = {
	.request = request, .release = release, .confined = true};

int sennit__op_attach(struct sennit_op *op, bool sent)
{
	if (op->options_ & SENNIT__OPTIONS_ONCE)
		op->task_.flags_ |= SENNIT__OP_ATTACHED;
	if (!(op->options_ & SENNIT__OPTION_SLOT))
		return SENNIT_CANCEL_NONE;
	return heeded(op, sennit__cancel_attach(op->cancel_slot_, op->slot_->owner, &of_op, op,
						!sent, "an initiating function"));
}

int sennit__op_ready(struct sennit_op *op)
{
	int types = op->requested_;

	op->requested_ = 0;
	op->task_.state_ = SENNIT__OP_RECEIVED;
	if (op->options_ & SENNIT__OPTION_SLOT)
		types |= sennit__cancel_ready(op->cancel_slot_);
	return heeded(op, types);
}

/* What was chosen for one flight does not stay for the next; what the deadline is to ask for waits
 * for a flight that has one. */
static void unbind(struct sennit_op *op)
{
	if (sennit__op_has_deadline(op))
		op->expires_with_ = 0;
	op->options_ &= (unsigned char)~SENNIT__OPTIONS_ONCE;
	op->cancel_slot_ = NULL;
}

static bool detach(struct sennit_op *op)
{
	struct sennit_cancel_slot *slot = op->cancel_slot_;

	if (sennit__wheel_holds(&op->timer_))
		sennit__wheel_disarm(&op->slot_->owner->wheel, &op->timer_);
	unbind(op);
	if (!slot)
		return true;
	return sennit__cancel_detach(slot) || !sennit__cancel_hold(slot);
}

void sennit_op_cancel(struct sennit_op *op, int types)
{
	const char *call = "sennit_op_cancel";
	struct sennit__worker *owner;

	if (!op)
		sennit__misuse(call, "the operation is NULL");
	if (!op->task_.state_ || !op->slot_)
		return;
	owner = op->slot_->owner;
	if (sennit__current != owner)
		sennit__misuse(call, "called off the owner of the operation's object");
	if (owner->asking)
		sennit__misuse(call, "called from inside a completion condition");
	/* what is caught up with may end the operation: its handler may then run elsewhere, and
	 * free it, before this returns */
	if (op->task_.state_ == SENNIT__OP_SENT) {
		op->requested_ |= (unsigned char)(types & SENNIT_CANCEL_ALL);
		sennit__worker_catch_up(owner, call);
	} else {
		request(op, types);
	}
}

/* --- inline completion ------------------------------------------------------------------------ */

void sennit_op_allow_inline(struct sennit_op *op, bool allow)
{
	choose(op, allow ? SENNIT__OPTION_INLINE : 0, SENNIT__OPTION_INLINE,
	       "sennit_op_allow_inline");
}

bool sennit__op_let_go(struct sennit_op *op)
{
	if (op->task_.flags_ & SENNIT__OP_ATTACHED && !detach(op))
		return false;
	if (!(op->task_.flags_ & SENNIT__OP_STARTING))
		return true;
	op->task_.flags_ &= (unsigned char)~SENNIT__OP_STARTING;
	return false;
}

bool sennit__op_may_run_inside(const struct sennit__worker *worker, const struct sennit_op *op)
{
	int does = sennit__op_does(op);

	return op->options_ & SENNIT__OPTION_INLINE && does != SENNIT__WRITE &&
	       does != SENNIT__CONNECT && does != SENNIT__TIMER_WAIT &&
	       worker->nested < SENNIT__NESTED_MAX &&
	       !worker->settling && !worker->parked && sennit_executor_runs_here(op->target_);
}

void sennit__op_run_inside(struct sennit__worker *worker, struct sennit_op *op)
{
	worker->nested++;
	op->task_.state_ = SENNIT__OP_CALLERS;
	op->handler_(op, op->task_.error_, op->bytes_);
	worker->nested--;
	sennit__worker_end(worker);
}

/* --- where the handler runs ------------------------------------------------------------------- */

void sennit__op_aim(struct sennit_op *op, struct sennit_executor *own)
{
	struct sennit_executor *target = op->bound_ ? op->bound_ : own;

	if (target && target->kind_ == SENNIT__EXECUTOR_INLINE && own && own->runtime_)
		target = op->slot_ ? &op->slot_->owner->executor :
				     &sennit__runtime_place(own)->executor;
	if (!target || !target->runtime_)
		sennit__misuse("an initiating function", "the executor is not one of a runtime");
	sennit__fork_check(target->runtime_, "an initiating function");
	op->target_ = target;
}

/* --- deadlines -------------------------------------------------------------------------------- */

static void choose_deadline(struct sennit_op *op, int option, uint64_t time_ns, const char *call)
{
	choose(op, time_ns == SENNIT__NEVER ? 0 : option,
	       SENNIT__OPTION_AFTER | SENNIT__OPTION_AT, call);
	op->timer_.deadline_ns_ = time_ns;
}

void sennit_op_expires_after(struct sennit_op *op, uint64_t delay_ns)
{
	choose_deadline(op, SENNIT__OPTION_AFTER, delay_ns, "sennit_op_expires_after");
}

void sennit_op_expires_at(struct sennit_op *op, uint64_t expiry_ns)
{
	choose_deadline(op, SENNIT__OPTION_AT, expiry_ns, "sennit_op_expires_at");
}

void sennit_op_expires_with(struct sennit_op *op, int types)
{
	const char *call = "sennit_op_expires_with";

	if (op->task_.state_)
		sennit__misuse(call, "the operation is in flight");
	if (!(types & SENNIT_CANCEL_ALL))
		sennit__misuse(call, "`types` is not a combination of enum sennit_cancel_type");
	op->expires_with_ = types & SENNIT_CANCEL_ALL;
}

void sennit__op_arm(struct sennit_op *op)
{
	struct sennit__wheel *wheel = &op->slot_->owner->wheel;

	if (op->options_ & SENNIT__OPTION_AFTER)
		sennit__wheel_arm_after(wheel, &op->timer_, op->timer_.deadline_ns_);
	else
		sennit__wheel_arm(wheel, &op->timer_, op->timer_.deadline_ns_);
}

void sennit__op_time_out(struct sennit_op *op)
{
	int types = heeded(op, op->expires_with_ ? op->expires_with_ : SENNIT_CANCEL_TERMINAL);

	if (types)
		sennit__object_end(op->slot_, op, types, -ETIMEDOUT);
}

/* --- finish ----------------------------------------------------------------------------------- */

/* The operation is the caller's again before the handler runs: it may be started or freed there. */
void sennit__op_run(struct sennit_task *task, int error)
{
	struct sennit_op *op = (struct sennit_op *)(void *)task;

	(void)error;
	op->handler_(op, task->error_, op->bytes_);
}

/* As sennit__op_run, for an operation bound to another runtime: its own must know when the handler
 * is done. */
static void run_abroad(struct sennit_task *task, int error)
{
	struct sennit_op *op = (struct sennit_op *)(void *)task;
	struct sennit_runtime *home = op->slot_->owner->executor.runtime_;
	struct sennit_runtime *here = op->target_->runtime_;

	(void)error;
	op->handler_(op, task->error_, op->bytes_);
	sennit__work_put(here);
	sennit__work_return(home);
}

void sennit__op_pass_on(struct sennit__worker *worker, struct sennit_op *op)
{
	struct sennit_runtime *there = op->target_->runtime_;

	if (there == worker->executor.runtime_) {
		sennit__submit(op->target_, &op->task_);
	} else { /* as soon as its handler has run, that runtime may be destroyed */
		op->task_.function_ = run_abroad;
		sennit__work_get(there, SENNIT__LEAVING);
		sennit__submit(op->target_, &op->task_);
		sennit__work_left(there);
	}
	sennit__worker_end(worker);
}

void sennit__op_refuse(struct sennit_op *op, int error)
{
	unbind(op);
	op->task_.error_ = error;
	op->task_.function_ = sennit__op_run;
	op->task_.state_ = SENNIT__OP_FINISHED;
	sennit__submit(op->target_, &op->task_);
}

/* --- the cursor ------------------------------------------------------------------------------- */

bool sennit__op_exhausted(const struct sennit_op *op)
{
	return op->task_.flags_ & SENNIT__OP_MANY ? op->count_ == 0 : op->buffer_.one.size == 0;
}

/* What the vector offers, at most `budget` bytes; returns how many. */
static size_t offer_many(const struct sennit_op *op, struct iovec *vector, int *count, int most,
			 size_t budget, bool *whole)
{
	const struct iovec *from = op->buffer_.many.vector;
	size_t offset = op->buffer_.many.offset;
	size_t offered = 0;
	uint32_t i;

	for (i = 0; i < op->count_ && *count < most && offered < budget; i++, offset = 0) {
		size_t size = from[i].iov_len - offset;

		if (!size)
			continue;
		if (size > budget - offered)
			break;
		vector[*count].iov_base = (char *)from[i].iov_base + offset;
		vector[(*count)++].iov_len = size;
		offered += size;
	}
	*whole = i == op->count_;
	if (!*whole && *count < most && offered < budget) {
		vector[*count].iov_base = (char *)from[i].iov_base + offset;
		vector[(*count)++].iov_len = budget - offered;
		offered = budget;
	}
	return offered;
}

size_t sennit__op_offer(const struct sennit_op *op, struct iovec *vector, int *count, int most,
			size_t budget, bool *whole)
{
	size_t size = op->buffer_.one.size;

	if (budget > op->limit_)
		budget = op->limit_;
	if (op->task_.flags_ & SENNIT__OP_MANY)
		return offer_many(op, vector, count, most, budget, whole);
	*whole = size <= budget;
	if (!*whole)
		size = budget;
	if (*count == most || !size) {
		*whole = false;
		return 0;
	}
	vector[*count].iov_base = op->buffer_.one.data;
	vector[(*count)++].iov_len = size;
	return size;
}

int sennit_op_buffers(const struct sennit_op *op, struct iovec *vector, int most)
{
	int count = 0;
	bool whole;

	sennit__op_offer(op, vector, &count, most, SENNIT__STEP_MAX, &whole);
	return count;
}

size_t sennit__op_left(const struct sennit_op *op)
{
	size_t left = 0;

	if (!(op->task_.flags_ & SENNIT__OP_MANY))
		return op->buffer_.one.size;
	for (uint32_t i = 0; i < op->count_; i++)
		if (__builtin_add_overflow(left, op->buffer_.many.vector[i].iov_len, &left))
			return SIZE_MAX; /* more than there can be: more than any step takes */
	return left - op->buffer_.many.offset;
}

static void consume(struct sennit_op *op, size_t bytes)
{
	if (!(op->task_.flags_ & SENNIT__OP_MANY)) {
		op->buffer_.one.data += bytes;
		op->buffer_.one.size -= bytes;
		return;
	}
	bytes += op->buffer_.many.offset;
	while (op->count_ && bytes >= op->buffer_.many.vector->iov_len) {
		bytes -= op->buffer_.many.vector->iov_len;
		op->buffer_.many.vector++;
		op->count_--;
	}
	op->buffer_.many.offset = bytes;
}

bool sennit__op_ask(struct sennit_op *op)
{
	struct sennit__worker *worker = sennit__current;
	bool behind = worker->behind;
	size_t limit;

	worker->asking = worker->behind = true; /* so that what it must not do is noticed */
	limit = op->goal_.condition(op, 0, op->bytes_);
	worker->asking = false;
	worker->behind = behind;
	op->limit_ = limit > SENNIT__STEP_MAX ? SENNIT__STEP_MAX : (uint32_t)limit;
	return limit != 0;
}

bool sennit__op_advance(struct sennit_op *op, size_t bytes)
{
	op->bytes_ += bytes;
	consume(op, bytes);
	switch (sennit__op_mode(op)) {
	case SENNIT__SOME: /* S21: a write goes out whole where others are queued behind it */
		return sennit__op_does(op) == SENNIT__READ || sennit__op_exhausted(op) ||
		       !sennit_op_next(op);
	case SENNIT__ALL:
		return sennit__op_exhausted(op);
	case SENNIT__AT_LEAST:
		return op->bytes_ >= op->goal_.minimum || sennit__op_exhausted(op);
	default:
		return sennit__op_exhausted(op) || !sennit__op_ask(op);
	}
}

bool sennit_op_advance(struct sennit_op *op, size_t bytes)
{
	if (!bytes || bytes > sennit__op_left(op))
		sennit__misuse("sennit_op_advance", "that many bytes were not offered");
	return sennit__op_advance(op, bytes);
}

struct sennit_op *sennit_op_take_next(struct sennit_op *op)
{
	struct sennit_op *next = sennit_op_next(op);

	if (next)
		next->task_.flags_ |= SENNIT__OP_SERVED;
	return next;
}

size_t sennit_op_least(const struct sennit_op *op)
{
	size_t left = sennit__op_left(op);

	if (sennit__op_mode(op) == SENNIT__SOME &&
	    (sennit__op_does(op) == SENNIT__READ || !sennit_op_next(op)))
		return 1;
	if (sennit__op_mode(op) == SENNIT__AT_LEAST && op->goal_.minimum - op->bytes_ < left)
		return op->goal_.minimum - op->bytes_;
	return left;
}

int sennit_op_awaits(const struct sennit_op *op)
{
	return (int)op->goal_.minimum;
}

bool sennit_op_has_deadline(const struct sennit_op *op)
{
	return sennit__op_has_deadline(op);
}
