/* SPDX-License-Identifier: MIT */
/* inbox.c - the push list of a worker (runtime/queue/inbox.h), by itself. */
#include "runtime/queue/inbox.h"
#include "tests/model/explorer/explorer.h"

#define TASKS_MAX 6

struct item {
	struct sennit_task task;
	int producer;
	int number;
	int drained; /* how often */
};

struct world {
	struct sennit__inbox inbox;
	struct item items[TASKS_MAX];
	int count;
	uint64_t taken;
	unsigned wakes_owed; /* who pushed over PARKED or took it */
	unsigned parked;     /* times the owner announced */
};

struct producer {
	struct world *world;
	int number;
	int first;
	int count;
};

static struct world *make(bool parked)
{
	struct world *w = model_new(sizeof *w);

	sennit__inbox_init(&w->inbox, parked);
	return w;
}

static void push_all(void *argument)
{
	struct producer *p = argument;

	for (int i = 0; i < p->count; i++) {
		struct item *item = &p->world->items[p->first + i];

		item->producer = p->number;
		item->number = i;
		if (sennit__inbox_push(&p->world->inbox, &item->task))
			model_assert(!"nobody ever parked");
	}
}

static void start_producer(struct world *w, int number, int count)
{
	struct producer *p = model_new(sizeof *p);

	*p = (struct producer){w, number, w->count, count};
	w->count += count;
	model_thread(push_all, p);
}

/* Takes everything; each task comes once and in its producer's order. */
static void drain(struct world *w, int *next)
{
	struct sennit__queue queue;
	uint64_t taken = 0;
	uint64_t seen = 0;

	sennit__queue_init(&queue);
	sennit__inbox_drain(&w->inbox, &queue, &taken);
	while (!sennit__queue_empty(&queue)) {
		struct item *item = (struct item *)(void *)sennit__queue_pop(&queue);

		model_assert(++item->drained == 1);
		model_assert(item->number == next[item->producer]++);
		seen++;
	}
	model_assert(seen == taken);
	w->taken += taken;
}


static void run(int producers, int each)
{
	struct world *w = make(false);
	int *next = model_new(TASKS_MAX * sizeof *next);

	for (int i = 0; i < producers; i++)
		start_producer(w, i, each);
	drain(w, next);
	drain(w, next);
	model_join();
	drain(w, next);
	model_assert(w->taken == (uint64_t)w->count);
}

static void one_producer_and_the_owner(void)
{
	run(1, 4);
}

static void two_producers_and_the_owner(void)
{
	run(2, 2);
}

static void three_producers_and_the_owner(void)
{
	run(3, 1);
}

const struct model_scenario model_scenarios[] = {
	{.name = "one_producer_and_the_owner",
	 .run = one_producer_and_the_owner,
	 .preemptions = MODEL_ALL},
	{.name = "two_producers_and_the_owner",
	 .run = two_producers_and_the_owner,
	 .preemptions = MODEL_ALL},
	{.name = "three_producers_and_the_owner",
	 .run = three_producers_and_the_owner,
	 .preemptions = MODEL_ALL},
	{0},
};
