/* SPDX-License-Identifier: MIT */
/* list.h - an intrusive queue of tasks: first in, first out, one owner, no atomics. */
#ifndef SENNIT_RUNTIME_BASE_LIST_H
#define SENNIT_RUNTIME_BASE_LIST_H

#include <sennit/executor.h>
#include <stdbool.h>
#include <stddef.h>

struct sennit__queue {
	struct sennit_task *head;
	struct sennit_task **tail; /* where the next one is linked: &head when empty */
};

static inline void sennit__queue_init(struct sennit__queue *q)
{
	q->head = NULL;
	q->tail = &q->head;
}

static inline bool sennit__queue_empty(const struct sennit__queue *q)
{
	return !q->head;
}

static inline void sennit__queue_push(struct sennit__queue *q, struct sennit_task *task)
{
	task->next_ = NULL;
	*q->tail = task;
	q->tail = &task->next_;
}

static inline void sennit__queue_push_first(struct sennit__queue *q, struct sennit_task *task)
{
	task->next_ = q->head;
	q->head = task;
	if (!task->next_)
		q->tail = &task->next_;
}

/* The oldest task; the queue must not be empty. */
static inline struct sennit_task *sennit__queue_pop(struct sennit__queue *q)
{
	struct sennit_task *task = q->head;

	q->head = task->next_;
	if (!q->head)
		q->tail = &q->head;
	return task;
}

/* Moves everything in `from` behind what is in `to`. */
static inline void sennit__queue_append(struct sennit__queue *to, struct sennit__queue *from)
{
	if (!from->head)
		return;
	*to->tail = from->head;
	to->tail = from->tail;
	sennit__queue_init(from);
}

#endif
