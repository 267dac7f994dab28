/* SPDX-License-Identifier: MIT */
/* ck_bugs.c - inline structures of Concurrency Kit 0.7.1 as they are installed, over ck/ck_pr.h:
 * what is known to be wrong in them must be found, and what is known to be right must pass.
 *
 *   ck_fifo_mpmc_dequeue     says that a queue is empty which never is.
 *   ck_stack_batch_pop_mpmc  takes entries and leaves the generation as it is, so that another
 *                            thread's ck_stack_pop_mpmc does not notice (ABA).
 *
 * tests/tidy bans both from the library. CK reads an entry's link by a plain load while another
 * thread may write it for its next life, so where entries are used again races are let pass. Plain
 * loads see the newest value only: what weak memory does to those links is not explored.
 */
#include <ck_fifo.h>
#include <ck_ring.h>
#include <ck_stack.h>

/* --- the queue -------------------------------------------------------------------------------- */

struct fifo_world {
	struct ck_fifo_mpmc fifo;
	struct ck_fifo_mpmc_entry entries[5]; /* the first is the stub */
	char values[5];
	bool use_again;
};

static struct fifo_world *make_fifo(int count)
{
	struct fifo_world *w = aligned_alloc(64, sizeof *w);

	memset(w, 0, sizeof *w);
	ck_fifo_mpmc_init(&w->fifo, &w->entries[0]);
	for (int i = 1; i <= count; i++)
		ck_fifo_mpmc_enqueue(&w->fifo, &w->entries[i], &w->values[i]);
	return w;
}

static void dequeue_one(void *argument)
{
	struct fifo_world *w = argument;
	struct ck_fifo_mpmc_entry *garbage;
	char *value;

	/* three values, of which another thread has taken one at most: not empty */
	model_assert(ck_fifo_mpmc_dequeue(&w->fifo, (void *)&value, &garbage));
}

static void dequeue_one_and_enqueue_it(void *argument)
{
	struct fifo_world *w = argument;
	struct ck_fifo_mpmc_entry *garbage;
	char *value;

	model_assert(ck_fifo_mpmc_dequeue(&w->fifo, (void *)&value, &garbage));
	ck_fifo_mpmc_enqueue(&w->fifo, w->use_again ? garbage : &w->entries[4], value);
}

static void fifo_of_three(bool use_again)
{
	struct fifo_world *w = make_fifo(3);

	model_races(false);
	w->use_again = use_again;
	model_thread(dequeue_one, w);
	model_thread(dequeue_one_and_enqueue_it, w);
	model_join();
}

static void a_queue_that_is_never_empty_says_so(void)
{
	fifo_of_three(true);
}

static void a_queue_whose_entries_are_not_used_again(void)
{
	fifo_of_three(false);
}

/* --- the stack -------------------------------------------------------------------------------- */

struct item {
	struct ck_stack_entry entry;
	int payload;
	int taken; /* how often */
};

#define ITEMS 3

struct stack_world {
	struct ck_stack stack __attribute__((aligned(16)));
	struct item items[ITEMS];
	int pushed;
};

static struct stack_world *make_stack(int count)
{
	struct stack_world *w = model_new(sizeof *w);

	ck_stack_init(&w->stack);
	for (int i = 0; i < count; i++)
		ck_stack_push_spnc(&w->stack, &w->items[i].entry);
	w->pushed = count;
	return w;
}

static struct ck_stack_entry *take(struct ck_stack_entry *entry)
{
	if (entry) {
		struct item *item = (struct item *)(void *)entry;

		model_assert(++item->taken == 1);
		item->payload++;
	}
	return entry;
}

static void push(struct stack_world *w, int item)
{
	w->items[item].payload = 5;
	ck_stack_push_mpmc(&w->stack, &w->items[item].entry);
}

static void take_all(struct ck_stack_entry *entry)
{
	while (entry) {
		struct ck_stack_entry *next = entry->next;

		take(entry);
		entry = next;
	}
}

/* What is left, and that nothing was lost on the way. */
static void finish(struct stack_world *w)
{
	model_join();
	take_all(ck_stack_batch_pop_npsc(&w->stack));
	for (int i = 0; i < w->pushed; i++)
		model_assert(w->items[i].taken == 1);
}

static void pop_one(void *argument)
{
	struct stack_world *w = argument;

	take(ck_stack_pop_mpmc(&w->stack));
}

static void pop_one_alone(void *argument)
{
	struct stack_world *w = argument;

	take(ck_stack_pop_upmc(&w->stack));
}

/* Takes the whole stack and gives its first entry back. */
static void batch_pop_and_push_one(void *argument)
{
	struct stack_world *w = argument;
	struct ck_stack_entry *first = ck_stack_batch_pop_mpmc(&w->stack);

	if (first) {
		take_all(first->next);
		ck_stack_push_mpmc(&w->stack, first);
	}
}

/* The same by the call that counts a generation for each entry. */
static void pop_two_and_push_one(void *argument)
{
	struct stack_world *w = argument;
	struct ck_stack_entry *first = ck_stack_pop_mpmc(&w->stack);

	if (first) {
		take(ck_stack_pop_mpmc(&w->stack));
		ck_stack_push_mpmc(&w->stack, first);
	}
}

static void pop_all(void *argument)
{
	struct stack_world *w = argument;

	take_all(ck_stack_batch_pop_upmc(&w->stack));
}

static void push_first(void *argument)
{
	push(argument, 0);
}

static void push_second(void *argument)
{
	push(argument, 1);
}

static void push_third(void *argument)
{
	push(argument, 2);
}

static void a_batch_pop_does_not_count_a_generation(void)
{
	struct stack_world *w = make_stack(2);

	model_races(false);
	model_thread(pop_one, w);
	model_thread(batch_pop_and_push_one, w);
	finish(w);
}

static void pops_count_generations(void)
{
	struct stack_world *w = make_stack(3);

	model_races(false);
	model_thread(pop_one, w);
	model_thread(pop_two_and_push_one, w);
	finish(w);
}

static void pushes_and_pops(void)
{
	struct stack_world *w = make_stack(0);

	w->pushed = 2;
	model_thread(push_first, w);
	model_thread(push_second, w);
	model_thread(pop_one, w);
	finish(w);
}

static void two_pops_and_a_push(void)
{
	struct stack_world *w = make_stack(2);

	w->pushed = 3;
	model_thread(push_third, w);
	model_thread(pop_one_alone, w);
	model_thread(pop_one_alone, w);
	finish(w);
}

static void pushes_and_a_batch_pop(void)
{
	struct stack_world *w = make_stack(0);

	w->pushed = 3;
	model_thread(push_first, w);
	model_thread(push_second, w);
	model_thread(push_third, w);
	model_thread(pop_all, w);
	finish(w);
}

/* --- the ring --------------------------------------------------------------------------------- */

struct ring_world {
	struct ck_ring ring;
	struct ck_ring_buffer buffer[4]; /* one stays free */
	int payloads[6];
	int number; /* how many the producer has */
	int taken;
};

static struct ring_world *make_ring(void)
{
	struct ring_world *w = aligned_alloc(64, sizeof *w);

	memset(w, 0, sizeof *w);
	ck_ring_init(&w->ring, 4);
	return w;
}

static void ring_producer(void *argument)
{
	struct ring_world *w = argument;

	for (int i = 0; i < 5; i++) {
		w->payloads[i] = i + 1;
		if (ck_ring_enqueue_spsc(&w->ring, w->buffer, &w->payloads[i]))
			w->number++;
		else
			break;
	}
}

static void ring_consumer(void *argument)
{
	struct ring_world *w = argument;
	int *payload;

	for (int i = 0; i < 3; i++)
		if (ck_ring_dequeue_spsc(&w->ring, w->buffer, (void *)&payload))
			model_assert(*payload == ++w->taken);
}

static void a_ring_of_one_producer_and_one_consumer(void)
{
	struct ring_world *w = make_ring();

	model_thread(ring_producer, w);
	model_thread(ring_consumer, w);
	model_join();
	ring_consumer(w);
	ring_consumer(w);
	model_assert(w->taken == w->number);
}

static void enqueue_one(struct ring_world *w, int number)
{
	w->payloads[number] = number + 1;
	model_assert(ck_ring_enqueue_mpmc(&w->ring, w->buffer, &w->payloads[number]));
}

static void enqueue_first(void *argument)
{
	enqueue_one(argument, 0);
}

static void enqueue_second(void *argument)
{
	enqueue_one(argument, 1);
}

static void ring_consumer_of_two(void *argument)
{
	struct ring_world *w = argument;
	int *payload;

	for (int i = 0; i < 2; i++)
		if (ck_ring_dequeue_mpsc(&w->ring, w->buffer, (void *)&payload)) {
			w->taken++;
			model_assert(*payload == payload - w->payloads + 1);
			*payload = 0;
		}
}

static void a_ring_of_two_producers_and_one_consumer(void)
{
	struct ring_world *w = make_ring();

	model_thread(enqueue_first, w);
	model_thread(enqueue_second, w);
	model_thread(ring_consumer_of_two, w);
	model_join();
	ring_consumer_of_two(w);
	model_assert(w->taken == 2);
}

/* --- all of them ------------------------------------------------------------------------------ */

#define FOUND(NAME, TEXT) {.name = #NAME, .run = NAME, .preemptions = MODEL_ALL, .fails = TEXT}
#define RIGHT(NAME)       {.name = #NAME, .run = NAME, .preemptions = MODEL_ALL}

const struct model_scenario model_scenarios[] = {
	FOUND(a_queue_that_is_never_empty_says_so, "ck_fifo_mpmc_dequeue(&w->fifo"),
	RIGHT(a_queue_whose_entries_are_not_used_again),
	FOUND(a_batch_pop_does_not_count_a_generation, "item->taken == 1"),
	RIGHT(pops_count_generations),
	RIGHT(pushes_and_pops),
	RIGHT(two_pops_and_a_push),
	RIGHT(pushes_and_a_batch_pop),
	RIGHT(a_ring_of_one_producer_and_one_consumer),
	RIGHT(a_ring_of_two_producers_and_one_consumer),
	{0},
};
