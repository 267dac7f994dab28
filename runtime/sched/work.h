/* SPDX-License-Identifier: MIT */
/* work.h - when no work is left: what run returns on and join and destroy wait for.
 *
 * A *unit* of work is a handler to be run, an operation in flight or a message. It is begun by the
 * worker that starts it or takes it out of an inbox or inject list (until then its node, being
 * there, is the unit) and ended by the worker that ran its handler or, after the push, passed it
 * on: the same one, or one that stole it. Each worker keeps two counters of its own, begun and
 * ended, which only grow. It publishes them just before it announces its sleep: what others read is
 * never ahead of the truth, and of a worker that they then find PARKED it is where that one stood
 * when it fell asleep.
 *
 * A worker that has announced its sleep reads, in this order:
 *   1. every worker's ended;
 *   2. the guards and every inject list;
 *   3. worker by worker: that its head is PARKED, and its begun.
 * No guard, nothing injected, all parked (or TOLD, which one is that was parked and has not stirred
 * since), equal sums: no work was left at the moment between 1 and 2, for these reasons.
 *
 * Each end that 1 counts, 3 counts the begin of. Whoever ended the unit had it from who began it,
 * itself or through a deque, and published that end with release, which 1 acquires. So at 3 the
 * head of who began it is read at least as new as it was then, when that worker was awake: where it
 * reads PARKED that is a later sleep, before which the begin was published.
 * So equal sums mean that the units begun by 3 and those ended by 1 are the same ones.
 *
 * Now let a unit x not be among them, and yet be there between 1 and 2. Something that ran made it:
 * a handler, or what looks at messages for one, itself the unit y; or a thread elsewhere, and then
 * there was a guard, or nothing is promised. Were y among them, it would have made x before it
 * ended, before 2 and 3. Then x was begun there and then, by a worker whose sleep 3 finds is later,
 * so x would be among them. Or x was pushed to an inject list, where 2 would see it, or that it was
 * taken, by a worker that was awake then (inbox.P3) and has begun it before 3 finds it PARKED. Or
 * to an inbox, whose worker 3 would not find PARKED before it has taken it and begun it. So y is
 * not among them either, nor who made y, and so on: which ends at what began with none of them.
 *
 * Most looks end before all that, and may: whatever tells that work is left, or that somebody is
 * awake, is enough for a no, as long as another look is to come. It is: of a worker that has
 * operations in flight itself, when it falls asleep after the last of them; and of one that is
 * found not PARKED after the fence, when that one falls asleep, or a visitor leaves it, who wakes
 * another to look: both fence later.
 *
 * guards: {leaving:16, abroad:24, work guards:24}. *Abroad* are operations bound to an executor of
 * another runtime, from their start until their handler has run; they hold a work guard of that
 * runtime as well. While a runtime is destroyed, only what is abroad counts. Who takes the word's
 * lower parts to zero wakes a worker, which then looks as above; as the runtime may be destroyed as
 * soon as that is seen, who gives something back counts as *leaving* until it touches nothing any
 * more, and destroy waits for that (gone).
 *
 * quiet answers tickets: a waiter takes a ticket, wakes a worker, and waits until quiet has reached
 * it. The worker reads the last ticket before step 1, so an answer never tells of a time before the
 * question, and what the waiter posted before is counted.
 *
 * Callers     none_left: a worker that has announced. get, put: any thread. wait: no worker.
 * Progress    none_left: wait-free, O(workers), and O(1) while a guard is held or the asking worker
 *             has operations in flight. wait: blocks.
 * Orders      P1  ended_published: idle.c's store (release) with the load here (acquire): what the
 *                 handlers did that have run, and that they had begun. That begun is as new as
 *                 the head comes from the head, inbox.P2.
 *             P2  guards: what gives back (release) with the load (acquire): what was done under
 *                 the guard, and before who gave it back has left.
 *             P3  tickets: fetch_add (release) with the load (acquire); quiet: cas (release) with
 *                 the load (acquire): what the waiter may rely on having happened.
 * Checked by  tests/model/work.c, tests/model/driven.c, tests/model/destroy.c,
 *             tests/unit/runtime.c, tests/stress/post.c, tests/stress/destroy.c
 */
#ifndef SENNIT_RUNTIME_SCHED_WORK_H
#define SENNIT_RUNTIME_SCHED_WORK_H

#include "runtime/sched/runtime.h"

#define SENNIT__GUARD ((uint64_t)1)
#define SENNIT__ABROAD ((uint64_t)1 << 24)
#define SENNIT__LEAVING ((uint64_t)1 << 48)

/* `unit`: SENNIT__GUARD, SENNIT__ABROAD, or SENNIT__LEAVING: destroy waits until this thread has
 * left. */
void sennit__work_get(struct sennit_runtime *runtime, uint64_t unit);

/* How many work guards are held. */
uint64_t sennit__work_guards(const struct sennit_runtime *runtime);

/* Gives a guard back. */
void sennit__work_put(struct sennit_runtime *runtime);

/* An operation abroad is home again: on another runtime's thread. */
void sennit__work_return(struct sennit_runtime *runtime);

/* This thread touches the runtime no more. */
void sennit__work_left(struct sennit_runtime *runtime);

/* Whether everyone who gave something back has left. */
bool sennit__work_gone(const struct sennit_runtime *runtime);

/* Whether no work is left; where it is so, every ticket taken before is answered. */
bool sennit__work_none_left(struct sennit__worker *worker);

/* Whether somebody waits for the end of work, more or less: a hint. */
bool sennit__work_awaited(const struct sennit_runtime *runtime);

/* Takes a ticket and blocks until it is answered. */
void sennit__work_wait(struct sennit_runtime *runtime);

#endif
