/* SPDX-License-Identifier: MIT */
/* inbox.h - many producers, one consumer at a time: a push list that is taken whole.
 *
 * Each worker has two: its *inbox*, for what only it may run, whose head also says whether the
 * worker sleeps; and its *inject* list, for what any worker may run, which is never PARKED.
 *
 * PARKED is one of two marks: ASLEEP, of a thread that sleeps inside the worker, and AWAY, where
 * no thread is inside. Who invites (sched/idle.h) tells them apart. And where it is taken without a
 * push they differ: who sleeps is about to wake, so EMPTY is left; who is away may not come for
 * long, so a third mark is left, TOLD: the worker is as it was, and its descriptor tells already.
 *
 * Callers     push, take_parked, invite, parked, asleep, vacant: any thread. drain: the owner (of
 *             an inject list: any worker). announce: the owner.
 * Ownership   a task is the caller's until push is called, the inbox's until drain returns it, then
 *             the drainer's. After push has published it, push touches nothing of the task.
 * State       head: EMPTY (NULL), PARKED, TOLD, or the newest task, linked to older ones by next_.
 *             EMPTY -> PARKED        announce, the owner alone
 *             PARKED -> EMPTY        drain by the owner
 *             ASLEEP -> EMPTY        take_parked by any other
 *             AWAY -> TOLD           take_parked by any other
 *             TOLD -> EMPTY          drain by the owner, who is owed a wake
 *             ASLEEP -> task         invite
 *             EMPTY, PARKED, TOLD, task -> task    push
 *             task -> EMPTY          drain
 *             Who turns PARKED into something else *took* it. Whoever but the owner takes it owes
 *             the owner exactly one wake (sched/idle.c pays and counts them).
 * Progress    push: lock-free (one compare-and-swap loop). drain, announce and the rest:
 *             wait-free.
 * Orders      P1  push head (release)  with  drain head (acquire): what the task holds.
 *             P2  announce (release)  with  parked (acquire): what the owner did before it fell
 *                 asleep (sched/work.h), also where it is TOLD since. Announce acquires nothing:
 *                 what it replaces is what the owner's own drain left. The full fences around it
 *                 are the idle protocol's.
 *             P3  drain (release)  with  vacant (acquire): who finds a list empty knows of its
 *                 drainer what that one had done before: that it does not sleep (sched/work.h).
 *             No ABA: nothing is ever popped singly, and a push only links to what it replaces.
 * Invariant   only the owner stores PARKED; a list contains no mark.
 * Checked by  tests/unit/inbox.c, tests/stress/post.c, tests/model/inbox.c, tests/model/idle.c
 */
#ifndef SENNIT_RUNTIME_QUEUE_INBOX_H
#define SENNIT_RUNTIME_QUEUE_INBOX_H

#include "runtime/base/atomic.h"
#include "runtime/base/list.h"

struct sennit__inbox {
	struct sennit__atomic_ptr head;
};

/* What drain found in the head. */
enum sennit__drained {
	SENNIT__DRAINED_EMPTY, /* or TOLD */
	SENNIT__DRAINED_PARKED,
	SENNIT__DRAINED_TASKS,
};

/* What announce says of the worker. */
enum sennit__parked { SENNIT__ASLEEP, SENNIT__AWAY };

/* An empty inbox, AWAY or not parked. Not concurrently with anything. */
void sennit__inbox_init(struct sennit__inbox *inbox, bool away);

/* Adds `task`. True where this took PARKED: the caller now owes the owner a wake. */
bool sennit__inbox_push(struct sennit__inbox *inbox, struct sennit_task *task)
	__attribute__((warn_unused_result));

/* Takes everything, oldest first, to the end of `into`, and counts it into *count. */
enum sennit__drained sennit__inbox_drain(struct sennit__inbox *inbox, struct sennit__queue *into,
					 uint64_t *count);

/* EMPTY to PARKED; false where something is there. */
bool sennit__inbox_announce(struct sennit__inbox *inbox, enum sennit__parked as)
	__attribute__((warn_unused_result));

/* ASLEEP to EMPTY or AWAY to TOLD, after a full fence; true where this took it: the caller now owes
 * the owner a wake. */
bool sennit__inbox_take_parked(struct sennit__inbox *inbox) __attribute__((warn_unused_result));

/* ASLEEP to `task`, whose next_ is NULL, after a full fence; true where this took it: the caller
 * now owes the owner a wake. Where it did not, the task was not looked at. */
bool sennit__inbox_invite(struct sennit__inbox *inbox, struct sennit_task *task)
	__attribute__((warn_unused_result));

/* Whether the head is EMPTY, as a running owner asks before every start. */
static inline bool sennit__inbox_empty(const struct sennit__inbox *inbox)
{
	/* relaxed: only a hint that drain, which acquires, is worth calling; where a push is missed
	 * here it is found by the next look, at the latest by announce */
	return !sennit__load_relaxed_ptr(&inbox->head);
}

/* Whether the head is PARKED or TOLD, as the worker that looks for the end of work asks. */
bool sennit__inbox_parked(const struct sennit__inbox *inbox);

/* Whether the head is ASLEEP, as who could invite asks. */
bool sennit__inbox_asleep(const struct sennit__inbox *inbox);

/* Whether no task is there, with acquire. */
bool sennit__inbox_vacant(const struct sennit__inbox *inbox);

#endif
