/* SPDX-License-Identifier: MIT */
/* steal.h - how a worker that has nothing of its own comes by work.
 *
 * It asks the others in the order of their distance, each for half of its deque, for its rest, and
 * for its inject list, and takes from the first that has something. What it took it has in its own
 * deque and rest then, where others find it: while it carries more than one task from there to here
 * nobody sees them, so it offers afterwards (idle.h).
 *
 * Whether there is anything to ask for is known without asking each: runtime->stocked has a bit for
 * each worker whose deque may hold something, and runtime->injected counts the pushes to inject
 * lists, so that who has found all of them vacant looks again only after another.
 *
 * Callers     search, share, stock, sold_out: the owner. any: the owner, after a fence, or where
 *             nothing depends on it. inject: any thread.
 * State       stocked: the worker's own bit, set before it adds to its deque, and cleared where
 *             that is empty when it is about to sleep.
 *             injected: only grows; counted after the push, and before the fence of who offers.
 * Progress    any: wait-free, O(workers / 64), but for what was stocked or injected. search,
 *             inject: lock-free; search O(workers) where something is there.
 * Orders      A bit and a count are ordered as what they tell of: stored before the giver's full
 *             fence, loaded after the sleeper's (idle.P1). Where the sleeper does not see them, the
 *             giver sees it sleep. But a count that was seen is kept for later sleeps:
 *             P2  injected: fetch_add (release) with the load (acquire): the push is there, or was
 *                 taken, for who looks at the list.
 * Checked by  tests/model/invite.c, tests/model/work.c, tests/stress/steal.c
 */
#ifndef SENNIT_RUNTIME_SCHED_STEAL_H
#define SENNIT_RUNTIME_SCHED_STEAL_H

#include "runtime/sched/worker.h"

/* Looks for work elsewhere, once, and gives back the right to search. Whether it has some now. */
bool sennit__steal_search(struct sennit__worker *worker);

/* Whether another worker has something that could be taken. */
bool sennit__steal_any(struct sennit__worker *worker);

/* Before something is added to the deque: it may hold something from now on. */
void sennit__steal_stock(struct sennit__worker *worker);

/* It is empty, and the owner is about to sleep, or gone. */
void sennit__steal_sold_out(struct sennit__worker *worker);

/* Adds a task to the worker's inject list. Any thread; who is not the owner offers it then. */
void sennit__steal_inject(struct sennit__worker *worker, struct sennit_task *task);

/* Keeps a chain of tasks, oldest first, where all can take them; the owner keeps no rest. */
void sennit__steal_share(struct sennit__worker *worker, struct sennit_task *chain);

#endif
