/* SPDX-License-Identifier: MIT */
/* slot.h - a cancellation slot: one word, one node, and what they are bound to.
 *
 * Emit asks from any thread; what is asked is done on the owner, the worker that the word names.
 *
 * Callers     emit, bound: any thread. attach: who starts the target. ready, and the target's own
 *             functions: the owner. detach, hold: who ends the target: of a confined one the owner.
 * Ownership   the node is the library's while IN_FLIGHT is set, then nobody's: whoever sets it next
 *             may push it. target_ and type_ are written before the word names an owner, and read
 *             only by the owner while it does.
 * State       word: {owner:58, READY, HELD, IN_FLIGHT, types:3}; without an owner it is bound to
 *             nothing: then it is 0, or the types that are kept for what is bound next. Only the
 *             slot of a cancel state keeps: who looks at the state between two steps and then
 *             starts one has heard of what came before the look, and the step hears of the rest.
 *             attach    kept -> owner | kept, or owner | READY, and the caller is told
 *             ready     + READY, by the owner: the start has arrived. What was requested before
 *                       stays in the word until then
 *             emit      | types | IN_FLIGHT; who sets IN_FLIGHT sends the node, or is the owner and
 *                       delivers at once. With nothing bound: nothing, or | types, which are kept
 *             delivery  - types, and then the target is told them; then - IN_FLIGHT, or HELD -> 0;
 *                       or, where types have come meanwhile, the node is sent once more
 *             detach    -> 0, where nothing is in flight
 *             hold      -> 0, or, where something is in flight, | HELD: the target must not be
 *                       handed back before the delivery has found that and says so (release)
 *             On the owner a confined target that is READY, with nothing in flight, is asked
 *             without a change of the word: nobody else ends it, and nobody else delivers.
 * Progress    emit, detach, hold, delivery: lock-free (one compare-and-swap loop), and one push. A
 *             target that ends while a message is in flight waits for who sends it: the one place
 *             where a preempted thread delays another's handler. Nobody spins.
 * Orders      P1  attach's cas (release) with the load of an owner that emits, and with the cas of
 *                 emit (acquire): target_ and type_; delivery's cas (release) with the latter: the
 *                 node may be used again.
 *             P2  emit's cas (release) with delivery's cas (acquire): what the emitter did, also
 *                 where another one's message brings its request; and with attach's cas (acquire),
 *                 where that finds it kept.
 *             P3  hold's cas that sets HELD (release) with delivery's cas (acquire): how the
 *                 target is to be handed back.
 * Invariant   HELD only with IN_FLIGHT; while IN_FLIGHT is set the word names an owner, whose
 *             runtime lives because the target is a unit of its work.
 * Checked by  tests/model/cancel.c, tests/stress/cancel.c, tests/unit/cancel_state.c
 */
#ifndef SENNIT_RUNTIME_CANCEL_SLOT_H
#define SENNIT_RUNTIME_CANCEL_SLOT_H

#include "runtime/sched/worker.h"

#include <sennit/cancel.h>

/* What a slot can be bound to. */
struct sennit__cancel_target {
	/* On the owner: types that were asked for, not none. */
	void (*request)(void *target, int types);
	/* On the owner: what was detached while a message was in flight may be handed back; the
	 * slot is the caller's again. */
	void (*release)(void *target);
	/* It is detached on the owner only. */
	bool confined;
};

/* Binds the slot; misuse (of `call`) where it is bound. `ready`: it may be asked from now on; then
 * it returns the types that were kept for it. */
int sennit__cancel_attach(struct sennit_cancel_slot *slot, struct sennit__worker *owner,
			  const struct sennit__cancel_target *type, void *target, bool ready,
			  const char *call);

/* As emit; where nothing is bound the types are kept for what is bound next. */
void sennit__cancel_emit_or_keep(struct sennit_cancel_slot *slot, int types);

/* Keeps these types no longer. */
void sennit__cancel_forget(struct sennit_cancel_slot *slot, int types);

/* On the owner: the target may be asked from now on; returns the types asked for until now. */
int sennit__cancel_ready(struct sennit_cancel_slot *slot);

/* Unbinds the slot; false, and nothing done, where something is in flight. */
bool sennit__cancel_detach(struct sennit_cancel_slot *slot) __attribute__((warn_unused_result));

/* Unbinds the slot now, and then false, or when what is in flight has arrived: true; then the
 * target is handed back by its release. */
bool sennit__cancel_hold(struct sennit_cancel_slot *slot) __attribute__((warn_unused_result));

#endif
