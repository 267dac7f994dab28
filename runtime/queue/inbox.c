/* SPDX-License-Identifier: MIT */
/* inbox.c - the protocol is in inbox.h. Checked by tests/unit/inbox.c, tests/stress/post.c,
 * tests/model/inbox.c, tests/model/idle.c
 */
#include "runtime/queue/inbox.h"

#include "runtime/base/misuse.h"

/* An address that no task has. */
static struct sennit_task parked_mark;
#define PARKED ((void *)&parked_mark)

void sennit__inbox_init(struct sennit__inbox *inbox, bool parked)
{
	/* relaxed: not shared yet */
	sennit__store_relaxed_ptr(&inbox->head, parked ? PARKED : NULL);
}

bool sennit__inbox_push(struct sennit__inbox *inbox, struct sennit_task *task)
{
	void *head = sennit__load_relaxed_ptr(&inbox->head); /* relaxed: the cas checks it */

	do
		task->next_ = head == PARKED ? NULL : head;
	while (!sennit__cas_release_ptr(&inbox->head, &head, task)); /* P1 */
	return head == PARKED;
}

enum sennit__drained sennit__inbox_drain(struct sennit__inbox *inbox, struct sennit__queue *into,
					 uint64_t *count)
{
	/* P1, P3 */
	struct sennit_task *task = sennit__exchange_acq_rel_ptr(&inbox->head, NULL);
	struct sennit_task *oldest = NULL;
	struct sennit_task *newest = task;
	uint64_t taken = 0;

	if (!task)
		return SENNIT__DRAINED_EMPTY;
	if (task == PARKED)
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

bool sennit__inbox_announce(struct sennit__inbox *inbox)
{
	void *head = NULL;

	return sennit__cas_release_ptr(&inbox->head, &head, PARKED); /* P2 */
}

bool sennit__inbox_take_parked(struct sennit__inbox *inbox)
{
	void *head = PARKED;

	/* relaxed: a full fence comes before it, and nothing after it is the owner's */
	return sennit__cas_relaxed_ptr(&inbox->head, &head, NULL);
}

bool sennit__inbox_parked(const struct sennit__inbox *inbox)
{
	return sennit__load_acquire_ptr(&inbox->head) == PARKED; /* P2 */
}

bool sennit__inbox_vacant(const struct sennit__inbox *inbox)
{
	const void *head = sennit__load_acquire_ptr(&inbox->head); /* P3 */

	return !head || head == PARKED;
}
