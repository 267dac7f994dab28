/* SPDX-License-Identifier: MIT */
/* inbox.c - the protocol is in inbox.h. Checked by tests/unit/inbox.c, tests/stress/post.c,
 * tests/model/inbox.c, tests/model/idle.c
 */
#include "runtime/queue/inbox.h"

#include "runtime/base/misuse.h"

/* Addresses that no task has. */
static struct sennit_task marks[3];
#define ASLEEP ((void *)&marks[SENNIT__ASLEEP])
#define AWAY ((void *)&marks[SENNIT__AWAY])
#define TOLD ((void *)&marks[2])

static inline bool is_parked(const void *head)
{
	return head == ASLEEP || head == AWAY;
}

static inline bool is_mark(const void *head)
{
	return is_parked(head) || head == TOLD;
}

void sennit__inbox_init(struct sennit__inbox *inbox, bool away)
{
	/* relaxed: not shared yet */
	sennit__store_relaxed_ptr(&inbox->head, away ? AWAY : NULL);
}

bool sennit__inbox_push(struct sennit__inbox *inbox, struct sennit_task *task)
{
	void *head = sennit__load_relaxed_ptr(&inbox->head); /* relaxed: the cas checks it */

	do
		task->next_ = is_mark(head) ? NULL : head;
	while (!sennit__cas_release_ptr(&inbox->head, &head, task)); /* P1 */
	return is_parked(head);
}

enum sennit__drained sennit__inbox_drain(struct sennit__inbox *inbox, struct sennit__queue *into,
					 uint64_t *count)
{
	/* P1, P3 */
	struct sennit_task *task = sennit__exchange_acq_rel_ptr(&inbox->head, NULL);
	struct sennit_task *oldest = NULL;
	struct sennit_task *newest = task;
	uint64_t taken = 0;

	if (!task || (void *)task == TOLD)
		return SENNIT__DRAINED_EMPTY;
	if (is_parked(task))
		return SENNIT__DRAINED_PARKED;
	while (task) {
		struct sennit_task *older = task->next_;

		task->next_ = oldest;
		oldest = task;
		task = older;
		taken++;
	}
	*into->tail = oldest;
	into->tail = &newest->next_;
	*count += taken;
	return SENNIT__DRAINED_TASKS;
}

bool sennit__inbox_announce(struct sennit__inbox *inbox, enum sennit__parked as)
{
	void *head = NULL;

	return sennit__cas_release_ptr(&inbox->head, &head, &marks[as]); /* P2 */
}

bool sennit__inbox_take_parked(struct sennit__inbox *inbox)
{
	void *head = ASLEEP;

	/* relaxed: a full fence comes before it, and nothing after it is the owner's */
	if (sennit__cas_relaxed_ptr(&inbox->head, &head, NULL))
		return true;
	/* relaxed: as above; where it has changed since, the owner was awake after the fence */
	return head == AWAY && sennit__cas_relaxed_ptr(&inbox->head, &head, TOLD);
}

bool sennit__inbox_invite(struct sennit__inbox *inbox, struct sennit_task *task)
{
	void *head = ASLEEP;

	/* relaxed: a full fence comes before it, and of the task nothing was written */
	return sennit__cas_relaxed_ptr(&inbox->head, &head, task);
}

bool sennit__inbox_parked(const struct sennit__inbox *inbox)
{
	return is_mark(sennit__load_acquire_ptr(&inbox->head)); /* P2 */
}

bool sennit__inbox_asleep(const struct sennit__inbox *inbox)
{
	/* relaxed: a full fence comes before it, and it tells nothing but itself */
	return sennit__load_relaxed_ptr(&inbox->head) == ASLEEP;
}

bool sennit__inbox_vacant(const struct sennit__inbox *inbox)
{
	const void *head = sennit__load_acquire_ptr(&inbox->head); /* P3 */

	return !head || is_mark(head);
}
