/* SPDX-License-Identifier: MIT */
/* inbox.c - the push list of a worker (runtime/queue/inbox.h), by itself; idle.c has it with the
 * sleep and the wakes that it stands for.
 */
#include "runtime/queue/inbox.h"
#include "tests/model/explorer/explorer.h"

#define PRODUCERS_MAX 4

struct item {
	struct sennit_task task;
	int producer;
	int number;
	bool taken; /* by a drain; the producer wrote false */
};

struct world {
	struct sennit__inbox inbox;
	unsigned announced; /* how often PARKED was stored */
	unsigned woken;     /* how often the owner took it itself */
	int pushed;         /* tasks, and those that came out */
	int drained;
	int next[PRODUCERS_MAX]; /* of each producer's, for the one that drains */
	int payload;
};

/* A thread, and what it came to. */
struct party {
	struct world *world;
	int number;
	int tasks;
	unsigned wakes_owed;
	int drained;
	bool again; /* the tasks are pushed again */
};

static struct world *make(void)
{
	struct world *w = model_new(sizeof *w);

	sennit__inbox_init(&w->inbox, false);
	return w;
}

static struct party *party(struct world *w, int number, int tasks)
{
	struct party *p = model_new(sizeof *p);

	*p = (struct party){.world = w, .number = number, .tasks = tasks};
	w->pushed += tasks;
	return p;
}

static void push(struct party *p, struct item *item)
{
	p->wakes_owed += sennit__inbox_push(&p->world->inbox, &item->task);
}

static void produce(void *argument)
{
	struct party *p = argument;

	for (int i = 0; i < p->tasks; i++) {
		struct item *item = model_new(sizeof *item);

		*item = (struct item){.producer = p->number, .number = i};
		push(p, item);
	}
}

static void start_producer(struct world *w, int number, int tasks)
{
	model_thread(produce, party(w, number, tasks));
}

/* --- tasks ------------------------------------------------------------------------------------ */

/* Takes everything, frees it at once, and sees that each producer's comes in order. */
static enum sennit__drained drain(struct world *w, int *next)
{
	struct sennit__queue queue;
	enum sennit__drained found;
	uint64_t count = 0;

	sennit__queue_init(&queue);
	found = sennit__inbox_drain(&w->inbox, &queue, &count);
	model_assert((found == SENNIT__DRAINED_TASKS) == (count != 0));
	model_assert((count == 0) == sennit__queue_empty(&queue));
	while (!sennit__queue_empty(&queue)) {
		struct item *item = (struct item *)(void *)sennit__queue_pop(&queue);

		model_assert(item->number >= next[item->producer]);
		next[item->producer] = item->number + 1;
		model_free(item);
		w->drained++;
		model_assert(count--);
	}
	model_assert(!count);
	return found;
}

static void run(int first, int second, int third)
{
	struct world *w = make();
	const int tasks[] = {first, second, third};

	for (int i = 0; i < 3 && tasks[i]; i++)
		start_producer(w, i, tasks[i]);
	if (!sennit__inbox_empty(&w->inbox))
		model_assert(drain(w, w->next) == SENNIT__DRAINED_TASKS);
	drain(w, w->next);
	model_join();
	drain(w, w->next);
	model_assert(w->drained == w->pushed);
	model_assert(sennit__inbox_empty(&w->inbox) && sennit__inbox_vacant(&w->inbox));
}

static void one_producer_and_the_owner(void)
{
	run(4, 0, 0);
}

static void two_producers_and_the_owner(void)
{
	run(2, 2, 0);
}

static void three_producers_and_the_owner(void)
{
	run(2, 1, 1);
}

/* What came out is pushed again, at once, while others push over what they saw before. */
static void a_task_may_be_pushed_again_as_soon_as_it_is_drained(void)
{
	struct world *w = make();
	struct party *owner = party(w, 3, 0);
	struct sennit__queue queue;
	uint64_t count = 0;

	for (int i = 0; i < 2; i++)
		start_producer(w, i, 2);
	sennit__queue_init(&queue);
	for (int i = 0; i < 2; i++) {
		sennit__inbox_drain(&w->inbox, &queue, &count);
		if (!sennit__queue_empty(&queue))
			push(owner, (struct item *)(void *)sennit__queue_pop(&queue));
	}
	model_join();
	sennit__inbox_drain(&w->inbox, &queue, &count);
	while (!sennit__queue_empty(&queue)) {
		struct item *item = (struct item *)(void *)sennit__queue_pop(&queue);

		model_assert(!item->taken);
		item->taken = true;
		w->drained++;
	}
	model_assert(w->drained == 4);
}

/* --- several that drain, as of an inject list ------------------------------------------------- */

static void drain_twice(void *argument)
{
	struct party *p = argument;
	int next[PRODUCERS_MAX] = {0};

	for (int i = 0; i < 2; i++) {
		struct sennit__queue queue;
		uint64_t count = 0;

		sennit__queue_init(&queue);
		sennit__inbox_drain(&p->world->inbox, &queue, &count);
		while (!sennit__queue_empty(&queue)) {
			struct item *item = (struct item *)(void *)sennit__queue_pop(&queue);

			model_assert(!item->taken);
			model_assert(item->number >= next[item->producer]);
			next[item->producer] = item->number + 1;
			item->taken = true;
			p->drained++;
		}
	}
}

static void each_task_goes_to_one(int producers, int each)
{
	struct world *w = make();
	struct party *first = party(w, 0, 0);
	struct party *second = party(w, 0, 0);

	for (int i = 0; i < producers; i++)
		start_producer(w, i, each);
	model_thread(drain_twice, first);
	drain_twice(second);
	model_join();
	drain(w, w->next);
	model_assert(first->drained + second->drained + w->drained == w->pushed);
}

static void each_task_of_one_producer_goes_to_one_of_two(void)
{
	each_task_goes_to_one(1, 4);
}

static void each_task_of_two_producers_goes_to_one_of_two(void)
{
	each_task_goes_to_one(2, 2);
}

/* --- PARKED ----------------------------------------------------------------------------------- */

static void take(void *argument)
{
	struct party *p = argument;

	p->wakes_owed += sennit__inbox_take_parked(&p->world->inbox);
}

static void take_twice(void *argument)
{
	take(argument);
	take(argument);
}

/* Announces `times` times, and each time takes what is there afterwards. */
static void sleep_and_wake(struct world *w, int times)
{
	for (int i = 0; i < times; i++) {
		if (sennit__inbox_announce(&w->inbox, SENNIT__ASLEEP))
			w->announced++;
		w->woken += drain(w, w->next) == SENNIT__DRAINED_PARKED;
	}
}

/* Each time that PARKED was stored, one took it. */
static void take_parts(int times, int pushers, int tasks, int takers, void (*taker)(void *))
{
	struct world *w = make();
	struct party *all[PRODUCERS_MAX];
	unsigned owed = 0;
	int count = 0;

	for (int i = 0; i < pushers; i++)
		model_thread(produce, all[count] = party(w, count, tasks)), count++;
	for (int i = 0; i < takers; i++)
		model_thread(taker, all[count] = party(w, count, 0)), count++;
	sleep_and_wake(w, times);
	model_join();
	sleep_and_wake(w, 1);
	for (int i = 0; i < count; i++)
		owed += all[i]->wakes_owed;
	model_assert(owed + w->woken == w->announced);
	model_assert(w->drained == w->pushed);
}

static void of_a_push_and_the_owner_one_takes_parked(void)
{
	take_parts(3, 1, 4, 0, NULL);
}

static void of_two_pushes_and_the_owner_one_takes_parked(void)
{
	take_parts(2, 2, 2, 0, NULL);
}

static void of_two_takers_and_the_owner_one_takes_parked(void)
{
	take_parts(4, 0, 0, 2, take_twice);
}

static void of_a_push_a_taker_and_the_owner_one_takes_parked(void)
{
	take_parts(3, 1, 2, 1, take_twice);
}

static void of_two_pushes_a_taker_and_the_owner_one_takes_parked(void)
{
	take_parts(2, 2, 1, 1, take);
}

/* --- what is seen by whom --------------------------------------------------------------------- */

static void look_whether_parked(void *argument)
{
	struct world *w = argument;

	if (sennit__inbox_parked(&w->inbox))
		model_assert(w->payload == 1);
}

static void who_finds_it_parked_sees_what_the_owner_did_before(void)
{
	struct world *w = make();

	model_thread(look_whether_parked, w);
	w->payload = 1;
	model_assert(sennit__inbox_announce(&w->inbox, SENNIT__ASLEEP));
	model_join();
}

static void look_whether_vacant(void *argument)
{
	struct world *w = argument;

	if (sennit__inbox_vacant(&w->inbox))
		model_assert(w->payload == 1);
}

static void who_finds_it_emptied_sees_what_was_done_before(void)
{
	struct world *w = make();

	produce(party(w, 0, 1));
	model_thread(look_whether_vacant, w);
	w->payload = 1;
	model_assert(drain(w, w->next) == SENNIT__DRAINED_TASKS);
	model_join();
}

#define SCENARIO(NAME) {.name = #NAME, .run = NAME, .preemptions = MODEL_ALL}

const struct model_scenario model_scenarios[] = {
	SCENARIO(one_producer_and_the_owner),
	SCENARIO(two_producers_and_the_owner),
	SCENARIO(three_producers_and_the_owner),
	SCENARIO(a_task_may_be_pushed_again_as_soon_as_it_is_drained),
	SCENARIO(each_task_of_one_producer_goes_to_one_of_two),
	SCENARIO(each_task_of_two_producers_goes_to_one_of_two),
	SCENARIO(of_a_push_and_the_owner_one_takes_parked),
	SCENARIO(of_two_pushes_and_the_owner_one_takes_parked),
	SCENARIO(of_two_takers_and_the_owner_one_takes_parked),
	SCENARIO(of_a_push_a_taker_and_the_owner_one_takes_parked),
	SCENARIO(of_two_pushes_a_taker_and_the_owner_one_takes_parked),
	SCENARIO(who_finds_it_parked_sees_what_the_owner_did_before),
	SCENARIO(who_finds_it_emptied_sees_what_was_done_before),
	{0},
};
