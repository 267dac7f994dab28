/* SPDX-License-Identifier: MIT */
/**
 * @file
 * Timers: an expiry, and any number of waits for it. Deadlines of operations. Times are nanoseconds
 * of CLOCK_MONOTONIC.
 *
 * A timer is never early. It is at most a millisecond late, and what its worker needs to get to it:
 * the handlers of a turn, and a turn for each 256 timers that are due before it.
 *
 * Setting the expiry, cancel and cancel_one answer with the number of waits that they ended, on the
 * worker that owns the timer, or where no thread is inside that worker. Elsewhere they cannot: they
 * return -EINPROGRESS, and what they ask for is done on the owner. What a thread starts after one
 * of them has returned comes after it all the same.
 */
#ifndef SENNIT_TIMER_H
#define SENNIT_TIMER_H

#include <sennit/object.h>
#include <sennit/op.h>

#ifdef __cplusplus
extern "C" {
#endif

/** So many milliseconds in nanoseconds. */
#define SENNIT_MS(n) ((uint64_t)(n) * 1000000u)
/** So many seconds in nanoseconds. */
#define SENNIT_SECONDS(n) ((uint64_t)(n) * 1000000000u)

/** A time that never comes. */
#define SENNIT_NEVER UINT64_MAX

/** A timer. Once initialised it must not be moved while it is in use. */
struct sennit_timer {
	struct sennit_object object_;
};

/**
 * What time it is: nanoseconds of CLOCK_MONOTONIC.
 * @thread any. Neither blocks nor allocates. Since 0.1.0.
 */
uint64_t sennit_now(void);

/**
 * Readies a timer that has already expired: a wait completes promptly until an expiry is set. Its
 * owner is the worker of `executor`; for the runtime's executor the calling worker, off a worker
 * each in turn.
 * @param timer must not be one that is in use: close that first.
 * @return 0, or -ENOMEM.
 * @thread any that nobody competes with. May allocate. Since 0.1.0.
 */
int sennit_timer_init(struct sennit_timer *timer, struct sennit_executor *executor);

/**
 * Sets the expiry and ends the waits begun before with -ECANCELED, but for those that have
 * completed and whose handlers are still to run. A wait carries the expiry of its start.
 * @param expiry_ns a time that has passed, or 0: waits complete promptly. SENNIT_NEVER: only when
 *        they are cancelled. Set from where it cannot be answered it is rounded up to the next
 *        65,536 nanoseconds.
 * @return how many waits were ended; -EBADF (closed); -EINPROGRESS (see above).
 * @thread any. Neither blocks nor allocates. Since 0.1.0. (Asio: `expires_at`.)
 */
int sennit_timer_expires_at(struct sennit_timer *timer, uint64_t expiry_ns);

/**
 * The same, counted from the end of the worker's present turn, when all the handlers that it has
 * ready now have run; called on another thread, from the call.
 * @param delay_ns SENNIT_NEVER, and what is beyond the end of time, never comes.
 * @return as sennit_timer_expires_at.
 * @thread any. Neither blocks nor allocates. Since 0.1.0. (Asio: `expires_after`.)
 */
int sennit_timer_expires_after(struct sennit_timer *timer, uint64_t delay_ns);

/**
 * When the timer expires, or expired; 0 where that was never set or the timer is closed. After
 * sennit_timer_expires_after in the same turn it reads the clock: the delay counts from there then.
 * @thread the owner, or any while nobody else uses the timer. Since 0.1.0. (Asio: `expiry`.)
 */
uint64_t sennit_timer_expiry(struct sennit_timer *timer);

/**
 * Waits for the expiry; at it all waits complete with 0, in the order in which they were started.
 * -ECANCELED: cancelled, closed, or the expiry was changed. -EBADF: the timer is closed. As a wait
 * that has completed is past cancelling, a handler that gets 0 may find the expiry changed.
 * @param op the caller's, until the handler is called; `bytes` is 0.
 * @thread any. Neither blocks nor allocates. Since 0.1.0. (Asio: `async_wait`.)
 */
void sennit_timer_async_wait(struct sennit_timer *timer, struct sennit_op *op,
			     sennit_handler *handler);

/**
 * Ends all waits with -ECANCELED. The expiry stays: later waits run to it.
 * @return as sennit_timer_expires_at.
 * @thread any. Neither blocks nor allocates. Since 0.1.0. (Asio: `cancel`.)
 */
int sennit_timer_cancel(struct sennit_timer *timer);

/**
 * Ends the oldest wait with -ECANCELED; called on another thread, the oldest that the owner has
 * when it does so, perhaps before it has what that thread has just started.
 * @return 1, 0 (nothing waits), -EBADF (closed), -EINPROGRESS (see above).
 * @thread any. Neither blocks nor allocates. Since 0.1.0. (Asio: `cancel_one`.)
 */
int sennit_timer_cancel_one(struct sennit_timer *timer);

/**
 * Ends all waits with -ECANCELED and gives back what the timer holds; it may be initialised anew.
 * Closing one that is closed does nothing.
 * @thread any. Neither blocks nor allocates. Since 0.1.0.
 */
void sennit_timer_close(struct sennit_timer *timer);

/* --- deadlines of operations ------------------------------------------------------------------ */

/**
 * Has the next flight of an operation, of whatever object, end with -ETIMEDOUT once it has lasted
 * so long: with the bytes that were transferred by then, as if it had been cancelled. What has
 * completed is past it, and so is a transfer that the system has made. Any earlier choice of a
 * deadline for that flight is forgotten.
 * @param delay_ns counted from the end of the turn in which the owner gets the start; SENNIT_NEVER:
 *        no deadline.
 * @thread any that holds the operation; not while it is in flight. Neither blocks nor allocates.
 *         Since 0.1.0. (Asio: `cancel_after`, which reports `operation_aborted`.)
 */
void sennit_op_expires_after(struct sennit_op *op, uint64_t delay_ns);

/**
 * The same at a time.
 * @param expiry_ns one that has passed ends what does not complete at once.
 * @thread any that holds the operation; not while it is in flight. Neither blocks nor allocates.
 *         Since 0.1.0. (Asio: `cancel_at`.)
 */
void sennit_op_expires_at(struct sennit_op *op, uint64_t expiry_ns);

/**
 * What the deadline of the next flight that has one asks for, instead of termination. An operation
 * that can give none of the guarantees is not ended by it.
 * @param types a combination of enum sennit_cancel_type; none of them is misuse.
 * @thread any that holds the operation; not while it is in flight. Neither blocks nor allocates.
 *         Since 0.1.0.
 */
void sennit_op_expires_with(struct sennit_op *op, int types);

#ifdef __cplusplus
}
#endif

#endif
