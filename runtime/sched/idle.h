/* SPDX-License-Identifier: MIT */
/* idle.h - the one place where workers go to sleep and are woken.
 *
 * To announce is to turn the own inbox head from EMPTY to PARKED: ASLEEP where the thread stays
 * inside, AWAY where it is about to leave. Only after that and a full fence does the worker look
 * again at everything that can be given to it without a push to its inbox: the inject lists, the
 * deques (both as steal.h says), the runtime's flags, the end of work. Then it waits. To retract is
 * to drain.
 *
 * To wake is to take PARKED out of the head: by a push over it, or, for what is given otherwise, by
 * a compare-and-swap to EMPTY or TOLD after a full fence. Who took it calls the driver's wake,
 * once; nobody else ever does. So wakes are counted when the worker retracts, and a last time
 * before it is freed: PARKED taken by others, less wakes read, is what is owed, and the descriptor
 * that carries them is closed only when nothing is owed any more.
 *
 * Why nothing is lost: the worker stores PARKED, fences, loads X; the giver stores X, fences, loads
 * PARKED. Two full fences: at least one of them sees the other's store.
 *
 * A worker that no thread is inside stays PARKED, or is TOLD where it was woken since (inbox.h): so
 * who looks for the end of work finds that it does not work. What is sent to it then the pollable
 * descriptor tells; not what the last thread inside left undone.
 *
 * Work that any worker may run is offered: where a worker sleeps, one is *invited*. That is a push
 * of the worker's own invitation over ASLEEP, and with it the right to search, of which there is
 * one (runtime->searching is 1 while somebody has it). Who offers takes it, the invitation carries
 * it, the invited worker gives it back: when it has looked at everybody's, and before it announces
 * its sleep. As long as it is held nobody else is invited: one wake at a time, and each who was
 * invited and found something offers again, so that as many wake as there is work for. Whom to
 * invite runtime->idle tells, a bit for each worker whose thread sleeps inside: only a hint, as it
 * is the head that decides.
 *
 * Why no work is left while somebody sleeps that should not: let an offer be given up because the
 * right was held. It pushed, fenced, and then found 1, so whoever gives that right back fences
 * after it: the holder stores 0, fences, and then sees the push, or any worker that fell asleep
 * without seeing it: one that is asleep has fenced before the offer, the offer before the holder.
 * And the holder then does look: at everybody's work where it goes to sleep or found nothing, and
 * at who sleeps where there is some.
 * An offer that took the right but found nobody ASLEEP gives it back in the same way, and tries
 * again if somebody is by then: each time another one was woken meanwhile, so this ends. Who is
 * neither asleep nor away when an offer looks, after its fence, looks himself before he sleeps or
 * after he announced that he leaves: what he then sees he offers, to the first one's descriptor
 * where nobody sleeps.
 *
 * When the worker is freed nothing of a waker's is left: a push or a compare-and-swap is ordered
 * before the drain that follows it, and what the driver's wake reads before the wake is read.
 *
 * Callers     send, wake, wake_one, offer: any thread. announce, retract, search_over: the owner.
 * Ownership   an invitation is its worker's; it is linked only by a push over ASLEEP, so it was
 *             received and done with before, and who invites writes nothing to it.
 * State       searching: 0 -> 1 by an offer; 1 -> 0 by that offer or by the worker it invited.
 *             idle: the worker's own bit, set before it announces ASLEEP and cleared when it
 *             retracts.
 * Progress    send, offer: lock-free. The others: wait-free, but for the system call of a wake.
 * Orders      P1  announce, fence, look again  with  give, fence, look whether one is parked.
 *             steal.P2, for what is injected.
 * Checked by  tests/stress/post.c, tests/stress/steal.c, tests/unit/runtime.c,
 *             tests/model/idle.c, tests/model/invite.c
 */
#ifndef SENNIT_RUNTIME_SCHED_IDLE_H
#define SENNIT_RUNTIME_SCHED_IDLE_H

#include "runtime/sched/worker.h"

/* Pushes a task to the inbox, and wakes. */
void sennit__idle_send(struct sennit__worker *worker, struct sennit_task *task);

/* Wakes the worker if it sleeps, after something was given to it. */
void sennit__idle_wake(struct sennit__worker *worker);

/* Wakes one worker whose thread sleeps inside, if there is one; the first where none is inside:
 * after something was done that one of them must look at. */
void sennit__idle_wake_one(struct sennit_runtime *runtime);

/* Wakes all workers that sleep, but `self` (NULL: all). */
void sennit__idle_wake_others(struct sennit_runtime *runtime, const struct sennit__worker *self);

/* After work that any worker may run was added where `near` is: invites one that sleeps, the
 * nearest first. */
void sennit__idle_offer(struct sennit__worker *near);

/* As offer, by a thread that is not inside or does not stay: where no worker has a thread inside,
 * the first one's descriptor tells. */
void sennit__idle_offer_all(struct sennit__worker *near);

/* What a worker's invitation does when it is received: the worker has the right to search. */
void sennit__idle_invited(struct sennit_task *invitation, int error);

/* Gives the right back. Before announce, an offer or pass_on. */
void sennit__idle_search_over(struct sennit__worker *worker);

/* Where the worker that gave it back without having found anything stays inside: who relied on it
 * gets another. */
void sennit__idle_pass_on(struct sennit__worker *worker);

/* False where the inbox holds something; else PARKED, and the fence is behind us. */
bool sennit__idle_announce(struct sennit__worker *worker, enum sennit__parked as)
	__attribute__((warn_unused_result));

/* Awake again: takes what was pushed to worker->messages and counts the wake that is owed. */
void sennit__idle_retract(struct sennit__worker *worker);

#endif
