/* SPDX-License-Identifier: MIT */
/* timer.c - sennit_timer. The protocol is in timer.h.
 * Checked by tests/model/timer.c, tests/conformance/timers.c
 */
#include "io/timer.h"

#include "runtime/sched/runtime.h"

#include <errno.h>
#include <sennit/cancel.h>
#include <sennit/timer.h>

#define UNIT_BITS 16
#define UNITS_BITS 48
#define UNITS_MASK (((uint64_t)1 << UNITS_BITS) - 1)

uint64_t sennit_now(void)
{
	return sennit__clock_now();
}

static struct sennit__timer_slot *timer_of(struct sennit__slot *slot)
{
	return (struct sennit__timer_slot *)(void *)slot;
}

static uint32_t generation_of(const struct sennit__slot *slot)
{
	/* relaxed: the owner's own, or checked by who counts on it */
	return sennit__generation_of(sennit__load_relaxed_u64(&slot->word));
}

int sennit_timer_init(struct sennit_timer *timer, struct sennit_executor *executor)
{
	struct sennit__slot *slot = sennit__object_reserve_timer(executor);

	if (!slot)
		return -ENOMEM;
	timer_of(slot)->expiry.deadline_ns_ = 0;
	sennit__object_publish(&timer->object_, executor, slot);
	return 0;
}

/* --- on the owner ----------------------------------------------------------------------------- */

static void set_expiry(struct sennit__timer_slot *timer, uint64_t expiry_ns)
{
	if (sennit__wheel_holds(&timer->expiry))
		sennit__wheel_disarm(&timer->slot.owner->wheel, &timer->expiry);
	timer->expiry.deadline_ns_ = expiry_ns;
	timer->changes++;
}

/* Whether the wait carries the timer's expiry as it is, not one that was changed since. */
static bool is_current(const struct sennit__timer_slot *timer, const struct sennit_op *op)
{
	return op->count_ == timer->changes;
}

/* An expiry that is to be counted from the next stamp is counted from now, with its waits. */
static void fix_expiry(struct sennit__timer_slot *timer)
{
	struct sennit__wheel *wheel = &timer->slot.owner->wheel;
	struct sennit_op *op = timer->slot.queue[SENNIT__READS];

	if (!sennit__wheel_holds(&timer->expiry))
		return;
	sennit__wheel_disarm(wheel, &timer->expiry);
	timer->expiry.deadline_ns_ =
		sennit__clock_add(sennit__clock_now(), timer->expiry.deadline_ns_);
	for (; op; op = sennit_op_next(op)) {
		if (!is_current(timer, op))
			continue;
		sennit__wheel_disarm(wheel, &op->timer_);
		sennit__wheel_arm(wheel, &op->timer_, timer->expiry.deadline_ns_);
	}
}

/* The expiry has passed: completes the waits that carry it, in order. */
static void complete_waits(struct sennit__timer_slot *timer)
{
	struct sennit__slot *slot = &timer->slot;
	struct sennit_op *op = slot->queue[SENNIT__READS];

	while (op) {
		struct sennit_op *next = sennit_op_next(op);

		if (is_current(timer, op)) {
			if (sennit__wheel_holds(&op->timer_))
				sennit__wheel_disarm(&slot->owner->wheel, &op->timer_);
			sennit__object_done_in(slot, SENNIT__READS, op, 0);
		}
		op = next;
	}
}

/* The request in a word is cleared and returned; 0 where there is none. */
static uint64_t take_request(struct sennit__atomic_u64 *word)
{
	uint64_t found = sennit__load_relaxed_u64(word); /* relaxed: it is all there is to know */

	while (found && !sennit__cas_relaxed_u64(word, &found, 0)) /* relaxed: likewise */
		;
	return found;
}

static void take_requested(struct sennit__timer_slot *timer)
{
	uint64_t found = take_request(&timer->requested);
	uint64_t units = found & UNITS_MASK;

	if (found && (uint16_t)(found >> UNITS_BITS) == (uint16_t)generation_of(&timer->slot))
		set_expiry(timer, units == UNITS_MASK ? SENNIT__NEVER : (units - 1) << UNIT_BITS);
}

static void end_wait(struct sennit__slot *slot, struct sennit_op *op)
{
	SENNIT__TALLY(slot->owner, cancels_decided, 1);
	if (sennit__wheel_holds(&op->timer_))
		sennit__wheel_disarm(&slot->owner->wheel, &op->timer_);
	sennit__object_done_in(slot, SENNIT__READS, op, -ECANCELED);
}

static void take_ones(struct sennit__timer_slot *timer)
{
	struct sennit_op **queue = &timer->slot.queue[SENNIT__READS];
	uint64_t found = take_request(&timer->ones);

	if (!found || (uint32_t)(found >> 32) != generation_of(&timer->slot))
		return;
	for (uint32_t count = (uint32_t)found; count && *queue; count--)
		end_wait(&timer->slot, *queue);
}

void sennit__timer_apply(struct sennit__slot *slot, bool arrived)
{
	take_requested(timer_of(slot));
	if (arrived)
		take_ones(timer_of(slot));
}

/* A wait with a deadline: where the expiry is not later, that is forgotten. */
static void choose_earlier(struct sennit__timer_slot *timer, struct sennit_op *op)
{
	uint64_t deadline_ns = op->timer_.deadline_ns_;

	fix_expiry(timer);
	if (op->options_ & SENNIT__OPTION_AFTER)
		deadline_ns = sennit__clock_add(sennit__clock_now(), deadline_ns);
	op->options_ &= (unsigned char)~(SENNIT__OPTION_AFTER | SENNIT__OPTION_AT);
	if (deadline_ns >= timer->expiry.deadline_ns_) {
		op->expires_with_ = 0;
		return;
	}
	op->options_ |= SENNIT__OPTION_AT;
	op->timer_.deadline_ns_ = deadline_ns;
}

void sennit__timer_admit(struct sennit__slot *slot, struct sennit_op *op)
{
	struct sennit__timer_slot *timer = timer_of(slot);
	struct sennit__worker *worker = slot->owner;

	if (SENNIT__UNLIKELY(sennit__op_has_deadline(op)))
		choose_earlier(timer, op);
	op->count_ = timer->changes;
	sennit__op_append(&slot->queue[SENNIT__READS], op);
	if (sennit__wheel_holds(&timer->expiry))
		sennit__wheel_arm_after(&worker->wheel, &op->timer_, timer->expiry.deadline_ns_);
	else if (timer->expiry.deadline_ns_ <= worker->now_ns)
		complete_waits(timer);
	else if (SENNIT__UNLIKELY(sennit__op_has_deadline(op)))
		sennit__op_arm(op);
	else
		sennit__wheel_arm(&worker->wheel, &op->timer_, timer->expiry.deadline_ns_);
}

void sennit__timer_gone(struct sennit__slot *slot)
{
	set_expiry(timer_of(slot), 0);
}

/* --- changes ---------------------------------------------------------------------------------- */

/* What is asked of a timer. */
struct change {
	enum { CANCEL, CANCEL_ONE, EXPIRES_AT, EXPIRES_AFTER, EXPIRY } what;
	uint64_t time_ns;
	bool visiting; /* no turn will end that a delay could be counted from */
};

static int end_oldest(struct sennit__slot *slot)
{
	struct sennit_op *oldest = slot->queue[SENNIT__READS];

	if (oldest)
		end_wait(slot, oldest);
	return oldest != NULL;
}

/* Ends all waits; how many. Those that are on their way, begun before, end as a cancel from
 * elsewhere would end them, and what was asked for by a message on its way is over. */
static int end_all(struct sennit_timer *handle, uint64_t word)
{
	struct sennit__slot *slot = handle->object_.slot_;
	int count = 0;

	while (end_oldest(slot))
		count++;
	if (SENNIT__UNLIKELY(word & SENNIT__WORD_MESSAGE || slot->owner->messages.head ||
			     sennit__worker_behind(slot->owner)))
		sennit__object_cancel(&handle->object_);
	return count;
}

/* On the owner, or as its visitor. */
static int change_here(struct sennit_timer *handle, const struct change *change)
{
	struct sennit__slot *slot = handle->object_.slot_;
	struct sennit__timer_slot *timer = timer_of(slot);
	uint64_t word;
	int count;

	sennit__worker_catch_up(slot->owner, "a change of a timer");
	if (!sennit__object_is_open(&handle->object_, &word))
		return -EBADF;
	if (change->what == CANCEL_ONE)
		return end_oldest(slot);
	if (change->what == EXPIRY) {
		fix_expiry(timer);
		return 0;
	}
	count = end_all(handle, word);
	if (change->what == EXPIRES_AT)
		set_expiry(timer, change->time_ns);
	if (change->what == EXPIRES_AFTER) {
		set_expiry(timer, 0);
		sennit__wheel_date(&slot->owner->wheel, &timer->expiry, change->time_ns);
		if (change->visiting)
			fix_expiry(timer);
	}
	return count;
}

/* False where the slot is known to be another timer's by now. */
static bool request_expiry(const struct sennit_object *object, uint64_t expiry_ns)
{
	struct sennit__timer_slot *timer = timer_of(object->slot_);
	uint64_t units = (expiry_ns >> UNIT_BITS) + (expiry_ns % (1u << UNIT_BITS) != 0) + 1;
	uint64_t wanted = (uint64_t)object->generation_ << UNITS_BITS;
	uint64_t found = sennit__load_relaxed_u64(&timer->requested); /* relaxed: the cas checks */

	wanted |= units < UNITS_MASK ? units : UNITS_MASK;
	do {
		uint16_t generation = (uint16_t)(found >> UNITS_BITS);

		if (found && (int16_t)(generation - (uint16_t)object->generation_) > 0)
			return false;
		/* relaxed: see timer.h */
	} while (!sennit__cas_relaxed_u64(&timer->requested, &found, wanted));
	return true;
}

/* As above, one more wait to end. */
static bool request_one(const struct sennit_object *object)
{
	struct sennit__timer_slot *timer = timer_of(object->slot_);
	uint64_t found = sennit__load_relaxed_u64(&timer->ones); /* relaxed: the cas checks it */
	uint64_t wanted;

	do {
		uint32_t generation = (uint32_t)(found >> 32);

		if (found && (int32_t)(generation - object->generation_) > 0)
			return false;
		wanted = (uint64_t)object->generation_ << 32 | 1;
		if (found && generation == object->generation_)
			wanted = found + 1;
		/* relaxed: see timer.h */
	} while (!sennit__cas_relaxed_u64(&timer->ones, &found, wanted));
	return true;
}

/* On a thread that cannot answer. */
static int request(struct sennit_object *object, const struct change *change)
{
	uint64_t expiry_ns = change->time_ns;
	bool open;

	switch (change->what) {
	case CANCEL:
		open = true;
		break;
	case CANCEL_ONE:
		open = request_one(object);
		break;
	case EXPIRES_AFTER:
		expiry_ns = sennit__clock_add(sennit__clock_now(), expiry_ns);
		/* fallthrough */
	case EXPIRES_AT:
		open = request_expiry(object, expiry_ns);
		break;
	default:
		return 0;
	}
	return open && sennit__object_notify(object, change->what != CANCEL_ONE) ? -EINPROGRESS
										  : -EBADF;
}

static int change(struct sennit_timer *handle, struct change *change, const char *call)
{
	struct sennit__slot *slot;
	int count;

	if (!handle)
		sennit__misuse(call, "the timer is NULL");
	slot = handle->object_.slot_;
	if (!slot) /* zeroed */
		return -EBADF;
	sennit__object_check(&handle->object_, call);
	sennit__fork_check(slot->owner->executor.runtime_, call);
	if (sennit__current == slot->owner)
		return change_here(handle, change);
	if (!sennit__worker_enter(slot->owner, SENNIT__VISITED))
		return request(&handle->object_, change);
	change->visiting = true;
	count = change_here(handle, change);
	sennit__worker_leave(slot->owner);
	return count;
}

/* --- the public interface --------------------------------------------------------------------- */

int sennit_timer_expires_at(struct sennit_timer *timer, uint64_t expiry_ns)
{
	struct change at = {.what = EXPIRES_AT, .time_ns = expiry_ns};

	return change(timer, &at, "sennit_timer_expires_at");
}

int sennit_timer_expires_after(struct sennit_timer *timer, uint64_t delay_ns)
{
	struct change after = {.what = EXPIRES_AFTER, .time_ns = delay_ns};

	return change(timer, &after, "sennit_timer_expires_after");
}

int sennit_timer_cancel(struct sennit_timer *timer)
{
	struct change cancel = {.what = CANCEL};

	return change(timer, &cancel, "sennit_timer_cancel");
}

int sennit_timer_cancel_one(struct sennit_timer *timer)
{
	struct change cancel_one = {.what = CANCEL_ONE};

	return change(timer, &cancel_one, "sennit_timer_cancel_one");
}

uint64_t sennit_timer_expiry(struct sennit_timer *timer)
{
	struct change none = {.what = EXPIRY};

	if (change(timer, &none, "sennit_timer_expiry") < 0)
		return 0;
	return timer_of(timer->object_.slot_)->expiry.deadline_ns_;
}

void sennit_timer_async_wait(struct sennit_timer *timer, struct sennit_op *op,
			     sennit_handler *handler)
{
	sennit__op_prepare(op, handler, SENNIT__TIMER_WAIT, 0);
	sennit__object_start_timer_wait(&timer->object_, op);
}

void sennit_timer_close(struct sennit_timer *timer)
{
	sennit__object_close(&timer->object_);
}
