/* SPDX-License-Identifier: MIT */
/* slot.c - signals and slots. The protocol is in slot.h.
 * Checked by tests/model/cancel.c, tests/stress/cancel.c, tests/unit/cancel_state.c
 */
#include "runtime/cancel/slot.h"

#define TYPES ((uint64_t)SENNIT_CANCEL_ALL)
#define IN_FLIGHT ((uint64_t)8)
#define HELD ((uint64_t)16)
#define READY ((uint64_t)32)
#define OWNER (~(uint64_t)63)

_Static_assert(_Alignof(struct sennit__worker) >= 64, "the word's low bits are free");

static struct sennit__atomic_u64 *word_of(const struct sennit_cancel_slot *slot)
{
	return (struct sennit__atomic_u64 *)(uintptr_t)&slot->word_;
}

static struct sennit__worker *owner_in(uint64_t word)
{
	return (struct sennit__worker *)(uintptr_t)(word & OWNER);
}

struct sennit_cancel_slot *sennit_cancel_signal_slot(struct sennit_cancel_signal *signal)
{
	return &signal->slot_;
}

bool sennit_cancel_slot_is_bound(const struct sennit_cancel_slot *slot)
{
	/* relaxed: an answer for now, from which nothing else follows */
	return slot && sennit__load_relaxed_u64(word_of(slot)) & OWNER;
}

/* --- delivery --------------------------------------------------------------------------------- */

/* What the target is to be told. */
static uint64_t untold(uint64_t word)
{
	return word & READY && !(word & HELD) ? word & TYPES : 0;
}

/* Takes that out of the word before it is told, so that a repeat that comes meanwhile is another
 * request. */
static uint64_t take_untold(struct sennit__atomic_u64 *word)
{
	uint64_t found = sennit__load_relaxed_u64(word); /* relaxed: the cas checks it */

	while (untold(found) && !sennit__cas_acquire_u64(word, &found, found & ~TYPES)) /* P2 */
		;
	return untold(found);
}

/* Nothing is in flight any more; false where there is more to tell. */
static bool land(struct sennit_cancel_slot *slot)
{
	const struct sennit__cancel_target *type = slot->type_;
	struct sennit__atomic_u64 *word = word_of(slot);
	void *target = slot->target_;
	uint64_t found = sennit__load_relaxed_u64(word); /* relaxed: the cas checks it */
	uint64_t next;

	do {
		if (untold(found))
			return false;
		next = found & HELD ? 0 : found & ~IN_FLIGHT;
	} while (!sennit__cas_acq_rel_u64(word, &found, next)); /* P1, P2, P3 */
	if (found & HELD) {
		SENNIT__TALLY(sennit__current, cancels_late, 1);
		type->release(target);
	}
	return true;
}

static void on_message(struct sennit_task *task, int error);

static void send_message(struct sennit__worker *owner, struct sennit_cancel_slot *slot)
{
	slot->node_.class_ = SENNIT__MESSAGE;
	slot->node_.function_ = on_message;
	sennit__worker_send(owner, &slot->node_);
}

/* On the owner, while something is in flight: tells the target. What was asked meanwhile has its
 * turn behind what else was sent, so that who asks without end keeps the owner from nothing. */
static void deliver(struct sennit_cancel_slot *slot)
{
	uint64_t types = take_untold(word_of(slot));

	if (types)
		slot->type_->request(slot->target_, (int)types);
	if (!land(slot))
		send_message(sennit__current, slot);
}

static void on_message(struct sennit_task *task, int error)
{
	struct sennit__worker *worker = sennit__current;

	(void)error;
	deliver((struct sennit_cancel_slot *)(void *)task);
	sennit__worker_end(worker);
}

/* On the owner of a confined target with nothing in flight; false elsewhere. */
static bool ask_here(const struct sennit_cancel_slot *slot, uint64_t types)
{
	uint64_t found = sennit__load_acquire_u64(word_of(slot)); /* P1 */

	if (owner_in(found) != sennit__current || !(found & READY) || found & IN_FLIGHT ||
	    !slot->type_->confined)
		return false;
	slot->type_->request(slot->target_, (int)types);
	return true;
}

static void emit(struct sennit_cancel_slot *slot, uint64_t asked, bool keep)
{
	struct sennit__atomic_u64 *word = word_of(slot);
	uint64_t found = sennit__load_relaxed_u64(word); /* relaxed: looked at again, or cas */
	uint64_t next;

	if (!asked || !(found & OWNER || keep))
		return;
	if (found & OWNER && owner_in(found) == sennit__current) {
		sennit__worker_catch_up(sennit__current, "sennit_cancel_signal_emit");
		if (ask_here(slot, asked))
			return;
	}
	do {
		if (!(found & OWNER || keep))
			return;
		next = found & OWNER ? found | asked | IN_FLIGHT : found | asked;
	} while (!sennit__cas_acq_rel_u64(word, &found, next)); /* P1, P2 */
	if (!(found & OWNER) || found & IN_FLIGHT)
		return;
	if (owner_in(found) == sennit__current)
		deliver(slot);
	else
		send_message(owner_in(found), slot);
}

void sennit_cancel_signal_emit(struct sennit_cancel_signal *signal, int types)
{
	if (SENNIT__UNLIKELY(!signal))
		sennit__misuse("sennit_cancel_signal_emit", "the signal is NULL");
	emit(&signal->slot_, (uint64_t)(unsigned)types & TYPES, false);
}

void sennit__cancel_emit_or_keep(struct sennit_cancel_slot *slot, int types)
{
	emit(slot, (uint64_t)(unsigned)types & TYPES, true);
}

void sennit__cancel_forget(struct sennit_cancel_slot *slot, int types)
{
	struct sennit__atomic_u64 *word = word_of(slot);
	uint64_t found = sennit__load_relaxed_u64(word); /* relaxed: the cas checks it */

	while (!(found & OWNER)) {
		uint64_t next = found & ~(uint64_t)(unsigned)types;

		/* relaxed: it publishes nothing */
		if (sennit__cas_relaxed_u64(word, &found, next))
			return;
	}
}

/* --- binding ---------------------------------------------------------------------------------- */

int sennit__cancel_attach(struct sennit_cancel_slot *slot, struct sennit__worker *owner,
			  const struct sennit__cancel_target *type, void *target, bool ready,
			  const char *call)
{
	struct sennit__atomic_u64 *word = word_of(slot);
	uint64_t found = sennit__load_relaxed_u64(word); /* relaxed: the cas checks it */
	uint64_t next;

	do {
		/* who binds comes after who unbound, or is wrong */
		if (SENNIT__UNLIKELY(found & OWNER))
			sennit__misuse(call, "the slot is bound to another operation in flight");
		slot->target_ = target;
		slot->type_ = type;
		next = (uintptr_t)owner | (ready ? READY : found & TYPES);
	} while (!sennit__cas_acq_rel_u64(word, &found, next)); /* P1, P2 */
	return ready ? (int)(found & TYPES) : SENNIT_CANCEL_NONE;
}

int sennit__cancel_ready(struct sennit_cancel_slot *slot)
{
	struct sennit__atomic_u64 *word = word_of(slot);
	uint64_t found = sennit__load_relaxed_u64(word); /* relaxed: the cas checks it */

	/* relaxed: each request found here has a delivery that acquires, before this or before the
	 * target is handed back */
	while (!sennit__cas_relaxed_u64(word, &found, found | READY))
		;
	return (int)(found & TYPES);
}

bool sennit__cancel_detach(struct sennit_cancel_slot *slot)
{
	struct sennit__atomic_u64 *word = word_of(slot);
	uint64_t found = sennit__load_relaxed_u64(word); /* relaxed: the cas checks it */

	do
		if (found & IN_FLIGHT)
			return false;
	/* relaxed: who binds the slot next has it from the target's end */
	while (!sennit__cas_relaxed_u64(word, &found, 0));
	return true;
}

bool sennit__cancel_hold(struct sennit_cancel_slot *slot)
{
	struct sennit__atomic_u64 *word = word_of(slot);
	uint64_t found = sennit__load_relaxed_u64(word); /* relaxed: the cas checks it */

	while (!sennit__cas_release_u64(word, &found, /* P3 */
					found & IN_FLIGHT ? found | HELD : 0))
		;
	return found & IN_FLIGHT;
}
