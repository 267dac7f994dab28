/* SPDX-License-Identifier: MIT */
/* idle.h - the one place where workers go to sleep and are woken.
 *
 * To announce is to turn the own inbox head from EMPTY to PARKED. Only after that and a full fence
 * does the worker look again at everything that can be given to it without a push to its inbox:
 * its inject list, the runtime's flags, the end of work. Then it waits. To retract is to drain.
 *
 * To wake is to take PARKED out of the head: by a push over it, or, for what is given otherwise, by
 * a compare-and-swap to EMPTY after a full fence. Who took it calls the driver's wake, once; nobody
 * else ever does. So wakes are counted when the worker retracts, and a last time before it is
 * freed: PARKED taken by others, less wakes read, is what is owed, and the descriptor that carries
 * them is closed only when nothing is owed any more.
 *
 * Why nothing is lost: the worker stores PARKED, fences, loads X; the giver stores X, fences, loads
 * PARKED. Two full fences: at least one of them sees the other's store.
 *
 * A worker that no thread is inside stays PARKED: what is sent to it then the pollable descriptor
 * tells; not what the last thread inside left undone.
 *
 * When the worker is freed nothing of a waker's is left: a push or a compare-and-swap is ordered
 * before the drain that follows it, and what the driver's wake reads before the wake is read.
 *
 * Callers     send, wake: any thread. announce, retract: the owner.
 * Progress    send: lock-free. The others: wait-free, but for the system call of a wake.
 * Orders      P1  announce, fence, look again  with  give, fence, take_parked.
 * Checked by  tests/stress/post.c, tests/unit/runtime.c, tests/model/idle.c
 */
#ifndef SENNIT_RUNTIME_SCHED_IDLE_H
#define SENNIT_RUNTIME_SCHED_IDLE_H

#include "runtime/sched/worker.h"

/* Pushes a task to the inbox, and wakes. */
void sennit__idle_send(struct sennit__worker *worker, struct sennit_task *task);

/* Wakes the worker if it sleeps, after something was given to it. */
void sennit__idle_wake(struct sennit__worker *worker);

/* False where the inbox holds something; else PARKED, and the fence is behind us. */
bool sennit__idle_announce(struct sennit__worker *worker) __attribute__((warn_unused_result));

/* Awake again: takes what was pushed to worker->messages and counts the wake that is owed. */
void sennit__idle_retract(struct sennit__worker *worker);

#endif
