/* SPDX-License-Identifier: MIT */
/* deque.h - the tasks of a worker that any worker may run: one adds, all take, oldest first.
 *
 * A ring of fixed size between two indices that only grow, and beside it the *rest*: a chain of
 * tasks, oldest first, that came many at once (out of an inject list) and is taken whole. The rest
 * is there so that what does not fit into the ring can be stolen all the same.
 *
 * Callers     push, take, keep_rest, empty: the owner, the thread inside the worker.
 *             steal, take_rest, vacant: any thread.
 * Ownership   a task is the caller's until push or keep_rest, the deque's until one of those that
 *             take returns it, then the taker's. tail_own, head_seen, rest_kept are the owner's.
 * State       head <= tail <= head + SIZE. A task is in slot[index % SIZE] while head <= index <
 *             tail. push moves tail; whoever moves head past an index has taken what was there.
 *             What is between head and tail is never overwritten while head has not moved, so
 *             several are taken by one compare-and-swap as safely as one.
 *             rest: NULL or a chain. NULL -> chain: keep_rest, the owner alone; chain -> NULL:
 *             take_rest, of any.
 * Progress    push, keep_rest, take_rest: wait-free. take, steal: lock-free (who fails, fails
 *             because another took).
 * Orders      P1  push tail (release)  with  take, steal tail (acquire): the slot and what the task
 *                 holds.
 *             P2  take, steal head (release)  with  push, take head (acquire): the slots were read
 *                 before the owner overwrites them. With steal head (acquire) it says that the tail
 *                 which is read next is not behind that head.
 *             P3  keep_rest (release)  with  take_rest (acquire): the chain and its tasks.
 *             Indices have 64 bits and never come back, so a head that compares equal is unchanged.
 * Invariant   a task is taken once. Where nothing is found, nothing was there at some moment during
 *             the call, as far as the caller's thread can tell: that it can tell of what wakes it
 *             is the idle protocol's, whose full fence comes before vacant.
 * Checked by  tests/unit/deque.c, tests/stress/steal.c, tests/model/deque.c,
 *             tests/model/deque_narrow.c
 */
#ifndef SENNIT_RUNTIME_QUEUE_DEQUE_H
#define SENNIT_RUNTIME_QUEUE_DEQUE_H

#include "runtime/base/atomic.h"

#include <sennit/executor.h>

/* Model tests make both small. */
#ifndef SENNIT__DEQUE_SIZE
#define SENNIT__DEQUE_SIZE 256 /* a power of two */
#endif
#ifndef SENNIT__DEQUE_INDEX_BITS
#define SENNIT__DEQUE_INDEX_BITS 64 /* more than those of the size */
#endif

/* At most so many are stolen at once. */
#define SENNIT__STEAL_MAX 32

struct sennit__deque {
	/* who takes writes */
	_Alignas(64) struct sennit__atomic_u64 head;

	/* the owner writes, who takes reads */
	_Alignas(64) struct sennit__atomic_u64 tail;
	struct sennit__atomic_ptr rest;

	/* the owner's */
	uint64_t tail_own;  /* the tail, without asking */
	uint64_t head_seen; /* the head is here or further on */
	bool rest_kept;     /* and maybe taken since */

	_Alignas(64) struct sennit__atomic_ptr slot[SENNIT__DEQUE_SIZE];
};

/* Not concurrently with anything. */
void sennit__deque_init(struct sennit__deque *deque);

/* Adds `task` as the newest; false where the ring is full. */
bool sennit__deque_push(struct sennit__deque *deque, struct sennit_task *task)
	__attribute__((warn_unused_result));

/* The owner takes the oldest task of the ring; NULL where it is empty. */
struct sennit_task *sennit__deque_take(struct sennit__deque *deque);

/* Takes half of the ring, at most SENNIT__STEAL_MAX, oldest first; how many. */
unsigned sennit__deque_steal(struct sennit__deque *deque,
			     struct sennit_task *tasks[SENNIT__STEAL_MAX])
	__attribute__((warn_unused_result));

/* Keeps a chain that ends with NULL, where the owner has none. */
void sennit__deque_keep_rest(struct sennit__deque *deque, struct sennit_task *chain);

/* Takes the whole rest, or NULL. */
struct sennit_task *sennit__deque_take_rest(struct sennit__deque *deque);

/* Whether nothing is there, ring or rest. */
bool sennit__deque_vacant(const struct sennit__deque *deque);

/* How many the ring holds, more or less: for people to read. */
unsigned sennit__deque_count(const struct sennit__deque *deque);

/* Whether the owner knows, without looking at what others write, that nothing is there. */
static inline bool sennit__deque_empty(const struct sennit__deque *deque)
{
	return deque->tail_own == deque->head_seen && !deque->rest_kept;
}

#endif
