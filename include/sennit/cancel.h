/* SPDX-License-Identifier: MIT */
/**
 * @file
 * Cancellation of single operations: a signal emits requests, its slot receives them for the one
 * operation that it is bound to.
 *
 * A request names the guarantees that its sender can live with; an operation heeds it where it can
 * give one of them. Requests add up: a later one never takes an earlier one back. To cancel is to
 * ask: the handler still runs, exactly once, with the true result.
 */
#ifndef SENNIT_CANCEL_H
#define SENNIT_CANCEL_H

#include <sennit/executor.h>
#include <sennit/op.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * What a request accepts, combined with `|`; other bits are ignored. Who gives a stronger guarantee
 * (total is the strongest) heeds requests for a weaker one. (Asio: `cancellation_type`.)
 */
enum sennit_cancel_type {
	SENNIT_CANCEL_NONE = 0,     /**< no request at all */
	SENNIT_CANCEL_TERMINAL = 1, /**< afterwards the object is only good for being closed */
	SENNIT_CANCEL_PARTIAL = 2,  /**< what was done is reported, and the object stays usable */
	SENNIT_CANCEL_TOTAL = 4,    /**< nothing was done, as if never started */
	SENNIT_CANCEL_ALL = 7       /**< any of them */
};

struct sennit__cancel_target;

/**
 * The receiving end of a signal: serves one operation at a time. Obtained from a signal or a cancel
 * state; lives as long as that; compared by address.
 */
struct sennit_cancel_slot {
	struct sennit_task node_;
	uint64_t word_;
	void *target_;
	const struct sennit__cancel_target *type_;
};

/**
 * The sending end: the caller's memory. Zeroed, it is ready to use. It may be released once the
 * handler of the operation that its slot is bound to has begun, provided that no call of emit on it
 * is running or to come.
 */
struct sennit_cancel_signal {
	struct sennit_cancel_slot slot_;
};

/**
 * The slot of a signal, to be bound to an operation or a cancel state.
 * @thread any. Neither blocks nor allocates. Since 0.1.0. (Asio: `cancellation_signal::slot`.)
 */
struct sennit_cancel_slot *sennit_cancel_signal_slot(struct sennit_cancel_signal *signal);

/**
 * Asks the operation that the signal's slot is bound to to end. It does nothing where there is
 * none: before the start, and once the operation is complete, also where its handler has not run
 * yet. No handler is run inside this call. What the caller did before it is visible to the handler
 * of an operation that it ends.
 * @param types a combination of enum sennit_cancel_type.
 * @thread any, concurrently. Neither blocks nor allocates; off the owner it is one message, and a
 *         system call where the owner sleeps. Since 0.1.0. (Asio: `cancellation_signal::emit`,
 *         which must not run concurrently with anything else on the object.)
 */
void sennit_cancel_signal_emit(struct sennit_cancel_signal *signal, int types);

/**
 * Whether an operation or a cancel state is bound to the slot just now.
 * @param slot may be NULL, which is never bound.
 * @thread any. Neither blocks nor allocates. Since 0.1.0. (Asio: `has_handler`.)
 */
bool sennit_cancel_slot_is_bound(const struct sennit_cancel_slot *slot);

/**
 * Binds a slot to the next flight of an operation. A slot that is bound to one operation in flight
 * cannot be started with another: that is misuse. After the flight it is free for the next.
 * @param slot NULL: none. Lives until the handler is called.
 * @thread any that holds the operation; not while it is in flight. Since 0.1.0.
 *         (Asio: `bind_cancellation_slot`.)
 */
void sennit_op_bind_slot(struct sennit_op *op, struct sennit_cancel_slot *slot);

/**
 * Asks an operation in flight to end, without a signal; does nothing where it is complete already.
 * @param op must be the caller's to look at: its handler has not begun.
 * @param types a combination of enum sennit_cancel_type.
 * @thread the owner of the operation's object; elsewhere it is misuse. Neither blocks nor
 *         allocates. Since 0.1.0.
 */
void sennit_op_cancel(struct sennit_op *op, int types);

/* --- composed operations ---------------------------------------------------------------------- */

struct sennit_cancel_state;

/**
 * What else a composed operation does on a request; runs on the owning worker of its state.
 * @param types what was asked for now, as the in filter lets it through; never none.
 */
typedef void sennit_cancel_function(struct sennit_cancel_state *state, int types);

/**
 * Connects a composed operation, one that is made of several, with the slot that its caller bound
 * to the whole: what is requested of the whole is remembered between steps and forwarded to the
 * step in flight, or else to the next that begins. The caller's memory, usually a member of the
 * composed operation.
 *
 *     sennit_cancel_state_init(&whole->cancel, slot, executor, SENNIT_CANCEL_TERMINAL,
 *                              SENNIT_CANCEL_TERMINAL, NULL);
 *     sennit_op_bind_slot(&whole->step, sennit_cancel_state_slot(&whole->cancel));
 *     ...                                          // before each step
 *     if (sennit_cancel_state_cancelled(&whole->cancel))
 *             error = -ECANCELED;                  // between two steps
 *     ...
 *     sennit_cancel_state_finish(&whole->cancel, executor, &whole->task, on_finished);
 */
struct sennit_cancel_state {
	void *user; /**< the caller's own: the library never looks at it */
	struct sennit_cancel_slot *parent_;
	struct sennit_cancel_signal child_;
	sennit_cancel_function *function_;
	struct sennit_runtime *runtime_;
	struct sennit_executor *executor_;
	struct sennit_task *task_;
	sennit_function *finish_;
	uint32_t cancelled_;
	unsigned char in_;
	unsigned char out_;
};

/**
 * Begins the cancellation of a composed operation.
 * @param parent the slot bound to the whole, free, or NULL: then nothing is ever requested, and
 *        sennit_cancel_state_slot is NULL. It lives until the function given to finish is called.
 * @param executor chooses the worker on which requests are handled, as it would an object's owner.
 * @param in which types are let in and remembered; Asio's default is terminal alone.
 * @param out which of the types that were let in are forwarded to the step in flight.
 * @param function called on each request that was let in, or NULL; not for what was requested
 *        before, where the parent is the slot of another state.
 * @thread any that holds the state. Neither blocks nor allocates. Since 0.1.0.
 *         (Asio: `cancellation_state`.)
 */
void sennit_cancel_state_init(struct sennit_cancel_state *state, struct sennit_cancel_slot *parent,
			      struct sennit_executor *executor, int in, int out,
			      sennit_cancel_function *function);

/**
 * The slot for the steps: to be bound to one at a time. NULL where the state has no parent.
 * @thread any that holds the state. Since 0.1.0.
 */
struct sennit_cancel_slot *sennit_cancel_state_slot(struct sennit_cancel_state *state);

/**
 * The types requested so far and let in, all together; SENNIT_CANCEL_NONE where there were none.
 * @thread any that holds the state. Since 0.1.0. (Asio: `cancelled`, which forgets the earlier
 *         ones.)
 */
int sennit_cancel_state_cancelled(const struct sennit_cancel_state *state);

/**
 * Forgets types that were requested: the composed operation has dealt with them and goes on. Where
 * it goes on without, they may end its next step.
 * @thread any that holds the state. Since 0.1.0. (Asio: `clear`.)
 */
void sennit_cancel_state_clear(struct sennit_cancel_state *state, int types);

/**
 * Ends the cancellation of a composed operation, no step of which is in flight: frees the parent
 * slot, and posts `function` to `executor` as soon as no request is on its way to the state any
 * more: there the state may be released.
 * @param executor its runtime goes on until then.
 * @param task the caller's until the call, and again when `function` is called.
 * @thread any that holds the state; once. Neither blocks nor allocates. Since 0.1.0.
 */
void sennit_cancel_state_finish(struct sennit_cancel_state *state, struct sennit_executor *executor,
				struct sennit_task *task, sennit_function *function);

#ifdef __cplusplus
}
#endif

#endif
