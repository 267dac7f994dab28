/* SPDX-License-Identifier: MIT */
/* deque.h - parts of the scenarios of deque.c and deque_narrow.c: a deque, its owner, thieves. */
#ifndef SENNIT_TESTS_MODEL_DEQUE_H
#define SENNIT_TESTS_MODEL_DEQUE_H

#include "runtime/queue/deque.h"
#include "tests/model/explorer/explorer.h"

struct item {
	struct sennit_task task;
	int number; /* plain: the owner writes it before it pushes */
	int taken;  /* plain: by whoever took it */
};

struct world {
	struct sennit__deque *deque;
	int pushed; /* the owner's */
};

/* A thief, or the owner as one who takes. */
struct taker {
	struct world *world;
	int calls;
	int taken;
	int last; /* the number of the last one that it took */
};

static struct world *make(void)
{
	struct world *w = model_new(sizeof *w);

	w->deque = model_new(sizeof *w->deque);
	sennit__deque_init(w->deque);
	return w;
}

static struct taker *taker(struct world *w, int calls)
{
	struct taker *t = model_new(sizeof *t);

	*t = (struct taker){.world = w, .calls = calls, .last = -1};
	return t;
}

/* What one taker takes it takes in order; what it took it may write and free. */
static void take_item(struct taker *t, struct sennit_task *task)
{
	struct item *item = (struct item *)(void *)task;

	model_assert(item->number > t->last && !item->taken);
	item->taken = 1;
	t->last = item->number;
	t->taken++;
	model_free(item);
}

static bool push(struct world *w)
{
	struct item *item = model_new(sizeof *item);

	item->number = w->pushed;
	if (!sennit__deque_push(w->deque, &item->task)) {
		model_free(item);
		return false;
	}
	w->pushed++;
	return true;
}

static bool take(struct taker *t)
{
	struct sennit_task *task = sennit__deque_take(t->world->deque);

	if (task)
		take_item(t, task);
	return task != NULL;
}

static void steal(void *argument)
{
	struct taker *t = argument;

	for (int i = 0; i < t->calls; i++) {
		struct sennit_task *tasks[SENNIT__STEAL_MAX];
		unsigned count = sennit__deque_steal(t->world->deque, tasks);

		for (unsigned k = 0; k < count; k++)
			take_item(t, tasks[k]);
	}
}

static struct taker *start_thief(struct world *w, int calls)
{
	struct taker *t = taker(w, calls);

	model_thread(steal, t);
	return t;
}

/* The owner takes what the thieves have left: nothing is lost, nothing was taken twice. */
static void check(struct world *w, struct taker *owner, struct taker *first, struct taker *second)
{
	model_join();
	while (take(owner))
		;
	model_assert(owner->taken + first->taken + (second ? second->taken : 0) == w->pushed);
	model_assert(sennit__deque_vacant(w->deque) && sennit__deque_empty(w->deque));
}

#endif
