/* SPDX-License-Identifier: MIT */
/* classics.c - the explorer against algorithms that the field knows, each as it is right and with
 * one part left out, which must be found.
 */
#include "runtime/base/atomic.h"
#include "tests/model/explorer/explorer.h"

/* What is left out. */
enum {
	WHOLE = 0,
	NO_FIRST_FENCE = 1,
	NO_SECOND_FENCE = 2,
	NO_ACQUIRE = 4,
	NO_RELEASE = 8,
};

struct world {
	struct sennit__atomic_u32 flag[2];
	struct sennit__atomic_u32 turn;
	struct sennit__atomic_u32 lock;
	struct sennit__atomic_u32 data[2];
	uint32_t plain; /* of who has the lock */
	int without;
};

struct thread {
	struct world *world;
	int number;
	int times;
};

static struct world *make(void)
{
	const int *without = model_argument();
	struct world *w = model_new(sizeof *w);

	w->without = *without;
	return w;
}

static void start(struct world *w, void (*function)(void *), int number, int times)
{
	struct thread *t = model_new(sizeof *t);

	*t = (struct thread){w, number, times};
	model_thread(function, t);
}

static void fence_unless(struct world *w, int without)
{
	if (!(w->without & without))
		sennit__fence_full(w);
}

static uint32_t load(struct world *w, struct sennit__atomic_u32 *from)
{
	return w->without & NO_ACQUIRE ? sennit__load_relaxed_u32(from)
				       : sennit__load_acquire_u32(from);
}

static void store(struct world *w, struct sennit__atomic_u32 *to, uint32_t value)
{
	if (w->without & NO_RELEASE)
		sennit__store_relaxed_u32(to, value);
	else
		sennit__store_release_u32(to, value);
}

/* --- two threads that exclude each other by loads and stores ---------------------------------- */

/* Dekker's idea: whoever sees the other's flag goes away. */
static void dekker_thread(void *argument)
{
	struct thread *t = argument;
	struct world *w = t->world;

	for (int i = 0; i < t->times; i++) {
		sennit__store_relaxed_u32(&w->flag[t->number], 1);
		fence_unless(w, t->number ? NO_SECOND_FENCE : NO_FIRST_FENCE);
		if (!load(w, &w->flag[!t->number]))
			w->plain++;
		store(w, &w->flag[t->number], 0);
	}
}

static void dekker(void)
{
	struct world *w = make();

	start(w, dekker_thread, 0, 2);
	start(w, dekker_thread, 1, 2);
	model_join();
}

static void peterson_thread(void *argument)
{
	struct thread *t = argument;
	struct world *w = t->world;
	const uint32_t other = (uint32_t)!t->number;

	for (int i = 0; i < t->times; i++) {
		sennit__store_relaxed_u32(&w->flag[t->number], 1);
		fence_unless(w, NO_FIRST_FENCE);
		store(w, &w->turn, other);
		fence_unless(w, NO_SECOND_FENCE);
		while (load(w, &w->flag[other]) && load(w, &w->turn) == other)
			model_yield();
		w->plain++;
		store(w, &w->flag[t->number], 0);
	}
}

static void peterson(void)
{
	struct world *w = make();

	start(w, peterson_thread, 0, 2);
	start(w, peterson_thread, 1, 1);
	model_join();
	model_assert(w->plain == 3);
}

/* --- locks ------------------------------------------------------------------------------------ */

static void spin_thread(void *argument)
{
	struct thread *t = argument;
	struct world *w = t->world;

	for (int i = 0; i < t->times; i++) {
		for (;;) {
			uint32_t expected = 0;

			if (w->without & NO_ACQUIRE
				    ? sennit__cas_relaxed_u32(&w->lock, &expected, 1)
				    : sennit__cas_acquire_u32(&w->lock, &expected, 1))
				break;
			model_yield();
		}
		w->plain++;
		store(w, &w->lock, 0);
	}
}

static void spinlock_of_two(void)
{
	struct world *w = make();

	start(w, spin_thread, 0, 3);
	start(w, spin_thread, 1, 2);
	model_join();
	model_assert(w->plain == 5);
}

static void spinlock_of_three(void)
{
	struct world *w = make();

	for (int i = 0; i < 3; i++)
		start(w, spin_thread, i, 1);
	model_join();
	model_assert(w->plain == 3);
}

static void ticket_thread(void *argument)
{
	struct thread *t = argument;
	struct world *w = t->world;
	uint32_t ticket = sennit__fetch_add_relaxed_u32(&w->turn, 1);

	while (load(w, &w->lock) != ticket)
		model_yield();
	w->plain++;
	store(w, &w->lock, ticket + 1);
}

static void ticket_lock(void)
{
	struct world *w = make();

	for (int i = 0; i < 3; i++)
		start(w, ticket_thread, i, 1);
	model_join();
	model_assert(w->plain == 3);
}

/* --- a sequence lock -------------------------------------------------------------------------- */

static void sequence_writer(void *argument)
{
	struct thread *t = argument;
	struct world *w = t->world;

	for (uint32_t i = 1; i <= (uint32_t)t->times; i++) {
		sennit__store_relaxed_u32(&w->lock, 2 * i - 1);
		fence_unless(w, NO_FIRST_FENCE);
		sennit__store_relaxed_u32(&w->data[0], i);
		sennit__store_relaxed_u32(&w->data[1], i);
		store(w, &w->lock, 2 * i);
	}
}

static void sequence_reader(void *argument)
{
	struct thread *t = argument;
	struct world *w = t->world;
	uint32_t before = load(w, &w->lock);
	uint32_t first = sennit__load_relaxed_u32(&w->data[0]);
	uint32_t second = sennit__load_relaxed_u32(&w->data[1]);

	fence_unless(w, NO_SECOND_FENCE);
	if (!(before & 1) && sennit__load_relaxed_u32(&w->lock) == before)
		model_assert(first == second && first == before / 2);
}

static void sequence_lock(void)
{
	struct world *w = make();

	start(w, sequence_writer, 0, 2);
	start(w, sequence_reader, 1, 1);
	start(w, sequence_reader, 2, 1);
	model_join();
}

/* --- the deque of Chase and Lev, with the fences of Lê and others ----------------------------- */

#define ITEMS 3

struct deque {
	struct sennit__atomic_u32 top;
	struct sennit__atomic_u32 bottom;
	struct sennit__atomic_u32 cells[ITEMS];
	struct sennit__atomic_u32 taken[ITEMS]; /* how often each was */
	uint32_t payload[ITEMS];
	int without;
};

static void take_item(struct deque *d, uint32_t item)
{
	model_assert(d->payload[item] == item + 10);
	model_assert(!sennit__fetch_add_relaxed_u32(&d->taken[item], 1));
}

static void deque_push(struct deque *d, uint32_t item)
{
	uint32_t bottom = sennit__load_relaxed_u32(&d->bottom);

	d->payload[item] = item + 10;
	sennit__store_relaxed_u32(&d->cells[bottom], item);
	/* a fence, as deque_take's stores to bottom must pass the item on too */
	if (!(d->without & NO_RELEASE))
		explorer_fence_release();
	sennit__store_relaxed_u32(&d->bottom, bottom + 1);
}

static void deque_take(struct deque *d)
{
	uint32_t bottom = sennit__load_relaxed_u32(&d->bottom);
	uint32_t item;
	uint32_t top;

	if (!bottom)
		return;
	bottom--;
	sennit__store_relaxed_u32(&d->bottom, bottom);
	if (!(d->without & NO_FIRST_FENCE))
		sennit__fence_full(d);
	top = sennit__load_relaxed_u32(&d->top);
	if (top < bottom) {
		take_item(d, sennit__load_relaxed_u32(&d->cells[bottom]));
		return;
	}
	if (top == bottom) {
		item = sennit__load_relaxed_u32(&d->cells[bottom]);
		if (sennit__cas_acq_rel_u32(&d->top, &top, top + 1))
			take_item(d, item);
	}
	sennit__store_relaxed_u32(&d->bottom, bottom + 1);
}

static void deque_thief(void *argument)
{
	struct deque *d = argument;
	uint32_t top = sennit__load_acquire_u32(&d->top);
	uint32_t bottom;
	uint32_t item;

	if (!(d->without & NO_SECOND_FENCE))
		sennit__fence_full(d);
	bottom = d->without & NO_ACQUIRE ? sennit__load_relaxed_u32(&d->bottom)
					 : sennit__load_acquire_u32(&d->bottom);
	if (top >= bottom)
		return;
	item = sennit__load_relaxed_u32(&d->cells[top]);
	if (sennit__cas_acq_rel_u32(&d->top, &top, top + 1))
		take_item(d, item);
}

static void deque_owner(void *argument)
{
	struct deque *d = argument;

	deque_push(d, 0);
	deque_push(d, 1);
	deque_take(d);
	deque_take(d);
}

static void deque_with_two_thieves(void)
{
	const int *without = model_argument();
	struct deque *d = model_new(sizeof *d);

	d->without = *without;
	model_thread(deque_owner, d);
	model_thread(deque_thief, d);
	model_thread(deque_thief, d);
	model_join();
	model_assert(d->taken[0].value == 1 && d->taken[1].value == 1);
}

/* --- a count of references -------------------------------------------------------------------- */

struct counted {
	struct sennit__atomic_u32 count;
	uint32_t uses[3];
};

struct user {
	struct counted *counted;
	int number;
	int without;
};

static void use_and_put(void *argument)
{
	struct user *u = argument;
	struct counted *c = u->counted;
	uint32_t before;

	c->uses[u->number]++;
	before = u->without & NO_RELEASE
			 ? sennit__fetch_add_relaxed_u32(&c->count, (uint32_t)-1)
			 : sennit__fetch_add_acq_rel_u32(&c->count, (uint32_t)-1);
	if (before == 1) {
		for (int i = 0; i < 3; i++)
			model_assert(c->uses[i] == 1);
		model_free(c);
	}
}

static void count_of_references(void)
{
	const int *without = model_argument();
	struct counted *c = model_new(sizeof *c);
	unsigned blocks = model_blocks();

	c->count.value = 3;
	for (int i = 0; i < 3; i++) {
		struct user *u = model_new(sizeof *u);

		*u = (struct user){c, i, *without};
		model_thread(use_and_put, u);
	}
	model_join();
	model_assert(model_blocks() == blocks - 1 + 3);
}

/* --- all of them ------------------------------------------------------------------------------ */

#define RUN(NAME, FUNCTION, WITHOUT)                                                               \
	.name = #NAME, .run = FUNCTION, .preemptions = MODEL_ALL,                                  \
	.argument = &(const int){WITHOUT}
#define RIGHT(NAME, FUNCTION) RUN(NAME, FUNCTION, WHOLE)
#define WRONG(NAME, FUNCTION, WITHOUT, TEXT) RUN(NAME, FUNCTION, WITHOUT), .fails = TEXT

const struct model_scenario model_scenarios[] = {
	{RIGHT(dekker_is_right, dekker)},
	{WRONG(dekker_without_fences, dekker, NO_FIRST_FENCE | NO_SECOND_FENCE, "data race")},
	{WRONG(dekker_without_one_fence, dekker, NO_FIRST_FENCE, "data race")},
	{WRONG(dekker_without_the_other_fence, dekker, NO_SECOND_FENCE, "data race")},
	{WRONG(dekker_without_acquire, dekker, NO_ACQUIRE, "data race")},
	{WRONG(dekker_without_release, dekker, NO_RELEASE, "data race")},

	{RIGHT(peterson_is_right, peterson)},
	{WRONG(peterson_without_fences, peterson, NO_FIRST_FENCE | NO_SECOND_FENCE, "data race")},
	{WRONG(peterson_without_a_fence_before_the_turn, peterson, NO_FIRST_FENCE, "data race")},
	{WRONG(peterson_without_a_fence_after_the_turn, peterson, NO_SECOND_FENCE, "data race")},
	{WRONG(peterson_without_acquire, peterson, NO_ACQUIRE, "data race")},
	{WRONG(peterson_without_release, peterson, NO_RELEASE, "data race")},

	{RIGHT(a_spinlock_of_two_is_right, spinlock_of_two)},
	{RIGHT(a_spinlock_of_three_is_right, spinlock_of_three)},
	{WRONG(a_spinlock_without_acquire, spinlock_of_two, NO_ACQUIRE, "data race")},
	{WRONG(a_spinlock_without_release, spinlock_of_two, NO_RELEASE, "data race")},
	{RIGHT(a_ticket_lock_is_right, ticket_lock)},
	{WRONG(a_ticket_lock_without_acquire, ticket_lock, NO_ACQUIRE, "data race")},
	{WRONG(a_ticket_lock_without_release, ticket_lock, NO_RELEASE, "data race")},

	{RIGHT(a_sequence_lock_is_right, sequence_lock)},
	{WRONG(a_sequence_lock_without_the_writers_fence, sequence_lock, NO_FIRST_FENCE,
	       "first == second")},
	{WRONG(a_sequence_lock_without_the_readers_fence, sequence_lock, NO_SECOND_FENCE,
	       "first == second")},
	{WRONG(a_sequence_lock_without_acquire, sequence_lock, NO_ACQUIRE, "first == second")},
	{WRONG(a_sequence_lock_without_release, sequence_lock, NO_RELEASE, "first == second")},

	{RIGHT(a_deque_is_right, deque_with_two_thieves)},
	{WRONG(a_deque_without_the_owners_fence, deque_with_two_thieves, NO_FIRST_FENCE,
	       "!sennit__fetch_add")},
	{WRONG(a_deque_without_the_thiefs_fence, deque_with_two_thieves, NO_SECOND_FENCE,
	       "!sennit__fetch_add")},
	{WRONG(a_deque_without_acquire, deque_with_two_thieves, NO_ACQUIRE, "data race")},
	{WRONG(a_deque_without_release, deque_with_two_thieves, NO_RELEASE, "data race")},

	{RIGHT(a_count_of_references_is_right, count_of_references)},
	{WRONG(a_count_of_references_that_is_relaxed, count_of_references, NO_RELEASE,
	       "data race")},
	{0},
};
