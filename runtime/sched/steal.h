/* SPDX-License-Identifier: MIT */
/* steal.h - how a worker that has nothing of its own comes by work.
 *
 * It asks the others in the order of their distance, each for half of its deque, for its rest, and
 * for its inject list, and takes from the first that has something. What it took it has in its own
 * deque and rest then, where others find it: while it carries more than one task from there to here
 * nobody sees them, so it offers afterwards (idle.h).
 *
 * Callers     search, share: the owner. any_work: the owner, after it announced.
 * Progress    lock-free, O(workers).
 * Checked by  tests/model/invite.c, tests/model/work.c, tests/stress/steal.c
 */
#ifndef SENNIT_RUNTIME_SCHED_STEAL_H
#define SENNIT_RUNTIME_SCHED_STEAL_H

#include "runtime/sched/worker.h"

/* Looks for work elsewhere, once, and gives back the right to search. Whether it has some now. */
bool sennit__steal_search(struct sennit__worker *worker);

/* Whether another worker has something that could be taken. */
bool sennit__steal_any(const struct sennit__worker *worker);

/* Keeps a chain of tasks, oldest first, where all can take them; the owner keeps no rest. */
void sennit__steal_share(struct sennit__worker *worker, struct sennit_task *chain);

#endif
