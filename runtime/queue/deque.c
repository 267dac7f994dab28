/* SPDX-License-Identifier: MIT */
/* deque.c - the protocol is in deque.h. Checked by tests/unit/deque.c, tests/stress/steal.c,
 * tests/model/deque.c, tests/model/deque_narrow.c
 */
#include "runtime/queue/deque.h"

#include "runtime/base/misuse.h"

#include <stddef.h>

#define SIZE SENNIT__DEQUE_SIZE
#define INDEX_MASK (UINT64_MAX >> (64 - SENNIT__DEQUE_INDEX_BITS))

_Static_assert((SIZE & (SIZE - 1)) == 0, "slots are found with a mask");
_Static_assert(SIZE <= INDEX_MASK, "full is not empty");

void sennit__deque_init(struct sennit__deque *deque)
{
	sennit__store_relaxed_u64(&deque->head, 0);    /* relaxed: not shared yet */
	sennit__store_relaxed_u64(&deque->tail, 0); /* relaxed: as above */
	sennit__store_relaxed_ptr(&deque->rest, NULL); /* relaxed: as above */
	deque->tail_own = 0;
	deque->head_seen = 0;
	deque->rest_kept = false;
}

static inline uint64_t distance(uint64_t from, uint64_t to)
{
	return (to - from) & INDEX_MASK;
}

static inline struct sennit_task *slot_at(const struct sennit__deque *deque, uint64_t index)
{
	/* relaxed: as new as the tail that was read before, and used only if head has not moved */
	return sennit__load_relaxed_ptr(&deque->slot[index % SIZE]);
}

bool sennit__deque_push(struct sennit__deque *deque, struct sennit_task *task)
{
	uint64_t tail = deque->tail_own;

	if (SENNIT__UNLIKELY(distance(deque->head_seen, tail) == SIZE)) {
		/* P2, kept: a thief could read what is stored next: no model loads the future */
		deque->head_seen = sennit__load_acquire_u64(&deque->head);
		if (distance(deque->head_seen, tail) == SIZE)
			return false;
	}
	/* relaxed: published by the tail */
	sennit__store_relaxed_ptr(&deque->slot[tail % SIZE], task);
	deque->tail_own = (tail + 1) & INDEX_MASK;
	sennit__store_release_u64(&deque->tail, deque->tail_own); /* P1 */
	return true;
}

struct sennit_task *sennit__deque_take(struct sennit__deque *deque)
{
	for (;;) {
		/* P2, kept: as in push, which relies on head_seen */
		uint64_t head = sennit__load_acquire_u64(&deque->head);
		uint64_t next = (head + 1) & INDEX_MASK;
		struct sennit_task *task = slot_at(deque, head);

		if (head == deque->tail_own) {
			deque->head_seen = head;
			return NULL;
		}
		if (sennit__cas_release_u64(&deque->head, &head, next)) { /* P2 */
			deque->head_seen = next;
			return task;
		}
	}
}

unsigned sennit__deque_steal(struct sennit__deque *deque,
			     struct sennit_task *tasks[SENNIT__STEAL_MAX])
{
	for (;;) {
		uint64_t head = sennit__load_acquire_u64(&deque->head); /* P2 */
		uint64_t tail = sennit__load_acquire_u64(&deque->tail); /* P1 */
		uint64_t count = (distance(head, tail) + 1) / 2;

		if (!count)
			return 0;
		if (count > SENNIT__STEAL_MAX)
			count = SENNIT__STEAL_MAX;
		for (uint64_t i = 0; i < count; i++)
			tasks[i] = slot_at(deque, head + i);
		/* P2 */
		if (sennit__cas_release_u64(&deque->head, &head, (head + count) & INDEX_MASK))
			return (unsigned)count;
	}
}

void sennit__deque_keep_rest(struct sennit__deque *deque, struct sennit_task *chain)
{
	deque->rest_kept = chain != NULL;
	if (chain)
		sennit__store_release_ptr(&deque->rest, chain); /* P3 */
}

struct sennit_task *sennit__deque_take_rest(struct sennit__deque *deque)
{
	void *chain = sennit__load_relaxed_ptr(&deque->rest); /* relaxed: the cas acquires */

	/* the same chain, or another one with the same first task: it is taken whole */
	if (!chain || !sennit__cas_acquire_ptr(&deque->rest, &chain, NULL)) /* P3 */
		return NULL;
	return chain;
}

bool sennit__deque_vacant(const struct sennit__deque *deque)
{
	/* relaxed: a full fence comes before them, and they tell nothing but themselves */
	uint64_t head = sennit__load_relaxed_u64(&deque->head);
	uint64_t tail = sennit__load_relaxed_u64(&deque->tail); /* relaxed: as above */

	/* relaxed: as above */
	return head == tail && !sennit__load_relaxed_ptr(&deque->rest);
}

unsigned sennit__deque_count(const struct sennit__deque *deque)
{
	/* relaxed: it is old as soon as it is known */
	uint64_t head = sennit__load_relaxed_u64(&deque->head);
	uint64_t tail = sennit__load_relaxed_u64(&deque->tail); /* relaxed: as above */

	return (unsigned)distance(head, tail);
}
