/* SPDX-License-Identifier: MIT */
/* explorer_itself.c - what the explorer must catch, and what it must let pass. What memory orders
 * allow is in litmus.c.
 *
 * Each scenario is two threads or three that share one world; b and c are the functions that its
 * entry in the table names. That the choices of an execution that fails lead to the same failure
 * again is checked by the explorer wherever a scenario should fail.
 */
#include "runtime/base/futex.h"
#include "runtime/base/misuse.h"
#include "tests/model/explorer/explorer.h"

struct world {
	struct sennit__atomic_u32 x;
	struct sennit__atomic_u32 y;
	struct sennit__atomic_u64 wide;
	struct sennit__atomic_ptr pointer;
	uint64_t pair[2] __attribute__((aligned(16)));
	union {
		uint64_t word;
		uint32_t halves[2];
		uint16_t shorts[4];
		uint8_t bytes[8];
	} plain;
	uint32_t r[2];
	uint32_t *block; /* 3 numbers */
	struct model_object *object;
	unsigned count; /* of the object */
	int without;
};

struct parts {
	void (*b)(struct world *w);
	void (*c)(struct world *w);
	int without; /* what is left out; 0: nothing */
};

struct thread {
	struct world *world;
	void (*function)(struct world *w);
};

static void run_thread(void *argument)
{
	struct thread *t = argument;

	t->function(t->world);
}

static void start(struct world *w, void (*function)(struct world *w))
{
	struct thread *t = model_new(sizeof *t);

	*t = (struct thread){w, function};
	model_thread(run_thread, t);
}

static struct world *make(void)
{
	const struct parts *parts = model_argument();
	struct world *w = model_new(sizeof *w);

	w->block = model_new(3 * sizeof *w->block);
	w->object = model_object("counter");
	w->without = parts->without;
	return w;
}

static void two_threads(void)
{
	const struct parts *parts = model_argument();
	struct world *w = make();

	start(w, parts->b);
	if (parts->c)
		start(w, parts->c);
	model_join();
	model_outcome("%u%u", w->r[0], w->r[1]);
}

static void store_x(struct world *w)
{
	sennit__store_relaxed_u32(&w->x, 1);
}

static void release_x(struct world *w)
{
	sennit__store_release_u32(&w->x, 1);
}

static void nothing(struct world *w)
{
	(void)w;
}

/* --- plain memory ----------------------------------------------------------------------------- */

#define TOUCH(NAME, ...)                                                                           \
	static void NAME(struct world *w)                                                          \
	{                                                                                          \
		__VA_ARGS__;                                                                       \
	}

TOUCH(write_word, w->plain.word = 1)
TOUCH(read_word, w->r[0] = (uint32_t)w->plain.word)
TOUCH(read_word_too, w->r[1] = (uint32_t)w->plain.word)
TOUCH(write_half, w->plain.halves[1] = 1)
TOUCH(write_other_half, w->plain.halves[0] = 1)
TOUCH(write_byte, w->plain.bytes[1] = 1)
TOUCH(write_next_byte, w->plain.bytes[2] = 1)
TOUCH(write_short, w->plain.shorts[0] = 1)
TOUCH(write_next_short, w->plain.shorts[1] = 1)
TOUCH(read_byte, w->r[0] = w->plain.bytes[1])
TOUCH(write_block, w->block[1] = 1)
TOUCH(copy_block, memcpy(&w->plain, w->block, 8))
TOUCH(clear_block, memset(w->block, 0, 12))
TOUCH(clear_too_much, memset(w->block, 0, 13))
TOUCH(read_behind, w->r[0] = ((volatile uint32_t *)w->block)[3])
TOUCH(read_before, w->r[0] = ((volatile uint32_t *)w->block)[-1])
TOUCH(free_block, model_free(w->block))
TOUCH(free_twice, model_free(w->block), model_free(w->block))
TOUCH(free_inside, model_free(w->block + 1))
TOUCH(use_after_free, model_free(w->block), w->block[0] = 1)

static void atomic_after_free(struct world *w)
{
	struct sennit__atomic_u32 *atomic = (struct sennit__atomic_u32 *)(void *)w->block;

	model_free(w->block);
	sennit__store_relaxed_u32(atomic, 1);
}

static void atomic_in_block(struct world *w)
{
	sennit__store_relaxed_u32((struct sennit__atomic_u32 *)(void *)w->block, 1);
}

static void use_null(struct world *w)
{
	struct world *volatile null = NULL;

	w->r[0] = null->r[0];
}

/* Frees once the other says that it is done; release and acquire may be missing. */
static void use_and_say(struct world *w)
{
	w->block[0] = 1;
	if (w->without)
		store_x(w);
	else
		release_x(w);
}

static void free_when_told(struct world *w)
{
	if (sennit__load_acquire_u32(&w->x))
		model_free(w->block);
}

/* Makes something and shows it. */
static void publish(struct world *w)
{
	uint32_t *made = malloc(sizeof *made);

	if (w->without)
		sennit__store_relaxed_ptr(&w->pointer, made);
	else
		sennit__store_release_ptr(&w->pointer, made);
}

static void fill_what_is_shown(struct world *w)
{
	uint32_t *made = sennit__load_acquire_ptr(&w->pointer);

	if (made)
		*made = 1;
}

static void races_are_let_pass(void)
{
	model_races(false);
	two_threads();
}

/* --- one place, atomic and plain -------------------------------------------------------------- */

TOUCH(write_x_plainly, w->x.value = 2)
TOUCH(read_x_plainly, w->r[0] = w->x.value)
TOUCH(load_x, w->r[1] = sennit__load_acquire_u32(&w->x))
TOUCH(load_wide, w->r[1] = (uint32_t)sennit__load_acquire_u64(&w->wide))
TOUCH(store_wide, sennit__store_release_u64(&w->wide, 1))
TOUCH(write_wides_upper_half, ((uint32_t *)(void *)&w->wide.value)[1] = 1)
TOUCH(read_wides_upper_half, w->r[0] = ((uint32_t *)(void *)&w->wide.value)[1])

/* Takes x by a cas and believes that it is its own. */
static void take_x_and_write_plainly(struct world *w)
{
	uint32_t expected = 0;

	if (sennit__cas_acq_rel_u32(&w->x, &expected, 5))
		w->x.value = 2;
}

static void write_x_plainly_when_told(struct world *w)
{
	if (!sennit__load_acquire_u32(&w->y))
		return;
	w->x.value = 7;
	w->r[0] = sennit__load_relaxed_u32(&w->x);
}

static void store_x_and_say(struct world *w)
{
	store_x(w);
	sennit__store_release_u32(&w->y, 1);
}

/* --- pairs ------------------------------------------------------------------------------------ */

static bool cas_pair(struct world *w, uint64_t expected[2], uint64_t first, uint64_t second)
{
	return explorer_cas_pair(w->pair, expected, (uint64_t[]){first, second},
				 EXPLORER_SITE("cas_pair", ACQ_REL));
}

static void count_pair(struct world *w)
{
	uint64_t found[2] = {0, 0};

	while (!cas_pair(w, found, found[0] + 1, found[1] + 2))
		;
	w->r[found[0] == 1] = (uint32_t)found[1];
}

static void count_pair_twice(struct world *w)
{
	uint64_t found[2] = {0, 0};

	model_assert(cas_pair(w, found, 1, 2));
	found[0] = 1;
	found[1] = 2;
	model_assert(cas_pair(w, found, 2, 4));
}

static void cas_pair_that_fails(struct world *w)
{
	uint64_t found[2] = {9, 9};

	model_assert(!cas_pair(w, found, 1, 1));
	w->r[0] = (uint32_t)found[0];
}

static uint64_t load_of_pair(struct world *w, int number)
{
	return explorer_load(&w->pair[number], 8, EXPLORER_SITE("load", RELAXED));
}

static void load_pair(struct world *w)
{
	w->r[0] = (uint32_t)load_of_pair(w, 1);
	w->r[1] = (uint32_t)load_of_pair(w, 0);
}

static void store_in_pair(struct world *w)
{
	explorer_store(&w->pair[0], 8, 1, EXPLORER_SITE("store", RELEASE));
}

/* --- waiting ---------------------------------------------------------------------------------- */

TOUCH(spin_on_x, while (!sennit__load_acquire_u32(&w->x)))
TOUCH(yield_for_x, while (!sennit__load_acquire_u32(&w->x)) model_yield())
TOUCH(yield_for_y, while (!sennit__load_acquire_u32(&w->y)) model_yield(); release_x(w))
TOUCH(set_y_and_yield_for_x, sennit__store_release_u32(&w->y, 1); yield_for_x(w))

static void write_and_set_x(struct world *w)
{
	w->plain.word = 1;
	release_x(w);
}

static void yield_for_x_and_read(struct world *w)
{
	yield_for_x(w);
	w->r[0] = (uint32_t)w->plain.word;
}

static bool is_signalled(void *world)
{
	return ((struct world *)world)->count;
}

static void signal_object(struct world *w)
{
	model_step(w->object, "signal");
	w->count++;
}

static void await_object(struct world *w)
{
	model_wait(w->object, "wait", is_signalled, w);
	w->count--;
}

static void await_object_twice(struct world *w)
{
	await_object(w);
	await_object(w);
}

/* The counter is in the object, so its plain accesses are ordered by nothing that is seen. */
static void with_an_object(void)
{
	model_races(false);
	two_threads();
}

/* Each of the ways in which a wake-up gets lost. */
enum { NO_WAKE = 1, WAKE_FIRST, NO_STORE, TIMED };

static void futex_waker(struct world *w)
{
	w->plain.word = 1;
	if (w->without == WAKE_FIRST)
		sennit__futex_wake_all(&w->x);
	if (w->without != NO_STORE)
		release_x(w);
	if (w->without != NO_WAKE && w->without != WAKE_FIRST && w->without != TIMED)
		sennit__futex_wake_all(&w->x);
}

static void futex_waiter(struct world *w)
{
	while (!sennit__load_acquire_u32(&w->x))
		sennit__futex_wait(&w->x, 0, w->without == TIMED ? 10 : -1);
	w->r[0] = (uint32_t)w->plain.word;
}

/* Sleeps though the word is not looked at again: a wake-up is enough. */
static void futex_waiter_once(struct world *w)
{
	sennit__futex_wait(&w->x, 0, -1);
}

/* A word that says whether somebody sleeps, so that wakers may leave the call out. */
static void announced_waiter(struct world *w)
{
	sennit__store_relaxed_u32(&w->y, 1);
	if (!w->without)
		sennit__fence_full(w);
	while (!sennit__load_acquire_u32(&w->x))
		sennit__futex_wait(&w->x, 0, -1);
}

static void sparing_waker(struct world *w)
{
	release_x(w);
	sennit__fence_full(w);
	if (sennit__load_relaxed_u32(&w->y))
		sennit__futex_wake_all(&w->x);
}

/* --- threads ---------------------------------------------------------------------------------- */

static _Thread_local uint32_t own = 5;

static void count_own(struct world *w)
{
	own++;
	store_x(w);
	w->r[0] = own;
}

static void count_own_by_two(struct world *w)
{
	own += 2;
	store_x(w);
	w->r[1] = own;
}

static void threads_have_their_own_variables(void)
{
	own = 1;
	two_threads();
	model_assert(own == 1);
}

static void *run_pthread(void *argument)
{
	write_word(argument);
	return NULL;
}

static void a_pthread(void)
{
	struct world *w = make();
	pthread_t thread;

	w->plain.word = 3;
	pthread_create(&thread, NULL, run_pthread, w);
	if (!w->without)
		pthread_join(thread, NULL);
	model_assert(w->plain.word == 1 || w->without);
	model_join();
}

static void what_was_joined_is_over(void)
{
	struct world *w = make();

	start(w, write_word);
	model_join();
	w->plain.word++;
	start(w, write_word);
	start(w, write_block);
	model_join();
	model_assert(w->plain.word == 1 && w->block[1] == 1);
	model_free(w->block);
}

static void a_thread_too_many(void)
{
	struct world *w = make();

	for (int i = 0; i < 8; i++)
		start(w, nothing);
}

static void what_started_a_thread_goes_on(void)
{
	struct world *w = make();

	start(w, read_word);
	w->plain.word = 1;
	model_join();
}

static void blocks_are_counted(void)
{
	struct world *w = make();
	unsigned before = model_blocks();

	free(calloc(1, 8));
	munmap(mmap(NULL, 8, 0, 0, -1, 0), 8);
	model_assert(model_blocks() == before);
	model_free(w->block);
	model_assert(model_blocks() == before - 1);
}

TOUCH(misuse_the_api, sennit__misuse("call", w->r[0] ? "" : "sentence"))
TOUCH(break_an_invariant, SENNIT__ASSERT(w->r[0]))
TOUCH(fail_after_x, if (sennit__load_relaxed_u32(&w->x)) model_assert(!"seen"))

/* --- all of them ------------------------------------------------------------------------------ */

#define RUN(NAME, FUNCTION, ...)                                                                   \
	.name = #NAME, .run = FUNCTION, .preemptions = MODEL_ALL,                                  \
	.argument = &(const struct parts){.b = __VA_ARGS__}
#define PASSES(NAME, OUTCOMES, ...) RUN(NAME, two_threads, __VA_ARGS__), .outcomes = OUTCOMES
#define FAILS(NAME, TEXT, ...)      RUN(NAME, two_threads, __VA_ARGS__), .fails = TEXT

const struct model_scenario model_scenarios[] = {
	/* races */
	{FAILS(two_writes_race, "data race", write_word, write_word)},
	{FAILS(a_write_and_a_read_race, "data race", write_word, read_word)},
	{FAILS(a_read_and_a_write_race, "data race", read_word, write_word)},
	{PASSES(two_reads_do_not_race, "00", read_word, read_word_too)},
	{PASSES(neighbouring_bytes_do_not_race, "00", write_byte, write_next_byte)},
	{PASSES(neighbouring_shorts_do_not_race, "00", write_short, write_next_short)},
	{PASSES(neighbouring_halves_do_not_race, "00", write_half, write_other_half)},
	{PASSES(a_byte_and_the_next_short_do_not_race, "00", write_byte, write_next_short)},
	{FAILS(one_byte_races, "data race", write_byte, read_byte)},
	{FAILS(a_byte_races_with_its_short, "data race", write_byte, write_short)},
	{FAILS(a_byte_races_with_its_word, "data race", read_word, write_byte)},
	{FAILS(a_word_races_with_its_byte, "data race", write_next_byte, read_word)},
	{FAILS(a_half_races_with_its_word, "data race", write_half, write_word)},
	{FAILS(a_copy_races_with_a_write, "data race", copy_block, write_block)},
	{FAILS(a_fill_races_with_a_write, "data race", write_block, clear_block)},
	{RUN(races_are_let_pass_where_so_told, races_are_let_pass, write_word, write_word)},

	/* atomic and plain */
	{FAILS(a_plain_write_races_with_a_load, "data race", write_x_plainly, load_x)},
	{FAILS(a_plain_write_races_with_a_store, "data race", store_x, write_x_plainly)},
	{FAILS(a_plain_read_races_with_a_store, "data race", read_x_plainly, store_x)},
	{PASSES(a_plain_read_does_not_race_with_a_load, "00", read_x_plainly, load_x)},
	{FAILS(an_upper_half_races_with_a_load, "data race", write_wides_upper_half, load_wide)},
	{FAILS(a_load_races_with_an_upper_half, "data race", load_wide, write_wides_upper_half)},
	{FAILS(an_upper_half_races_with_a_store, "data race", store_wide, read_wides_upper_half)},
	{FAILS(a_store_that_waits_races, "data race", take_x_and_write_plainly, store_x)},
	{FAILS(a_load_that_waits_races, "data race", take_x_and_write_plainly, load_x)},
	{PASSES(a_plain_write_that_is_ordered_begins_anew, "00 70", store_x_and_say,
		write_x_plainly_when_told)},

	/* pairs */
	{PASSES(two_pairs_are_counted, "02", count_pair, count_pair)},
	{PASSES(no_half_of_a_pair_is_read_older_than_the_other, "00 01 02 21 22 42",
		count_pair_twice, load_pair)},
	{PASSES(a_cas_of_a_pair_that_fails_comes_first_or_second, "00 10", cas_pair_that_fails,
		store_in_pair)},
	{PASSES(a_store_comes_first_or_second, "00 10", store_in_pair, cas_pair_that_fails)},

	/* blocks */
	{FAILS(a_freed_block_is_written, "use after free", use_after_free)},
	{FAILS(a_freed_atomic_is_stored_to, "use after free", atomic_after_free)},
	{FAILS(a_block_is_freed_twice, "freed twice", free_twice)},
	{FAILS(two_threads_free_a_block, "freed", free_block, free_block)},
	{FAILS(the_inside_of_a_block_is_freed, "free of what is no block", free_inside)},
	{FAILS(a_block_is_freed_that_another_writes, "free", write_block, free_block)},
	{FAILS(a_block_is_freed_that_another_stores_to, "free", free_block, atomic_in_block)},
	{FAILS(a_block_is_freed_by_a_relaxed_word, "freed while another thread uses it",
	       use_and_say, free_when_told, 1)},
	{PASSES(a_block_is_freed_by_an_acquired_word, "00", use_and_say, free_when_told)},
	{FAILS(a_read_behind_a_block, "outside any block", read_behind)},
	{FAILS(a_read_before_a_block, "outside any block", read_before)},
	{FAILS(a_fill_beyond_a_block, "outside any block", clear_too_much)},
	{FAILS(a_null_pointer_is_followed, "access to address", use_null)},
	{PASSES(a_new_block_is_handed_over, "00", publish, fill_what_is_shown)},
	{FAILS(a_new_block_is_shown_too_early, "data race", publish, fill_what_is_shown, 1)},
	{RUN(blocks_that_are_left_are_counted, blocks_are_counted, NULL)},

	/* waiting for a word */
	{PASSES(a_loop_that_yields_ends, "00", yield_for_x, store_x)},
	{PASSES(what_a_loop_waited_for_is_seen, "10", write_and_set_x, yield_for_x_and_read)},
	{PASSES(two_loops_wait_for_each_other, "00", yield_for_y, set_y_and_yield_for_x)},
	{FAILS(a_loop_that_spins_is_a_livelock, "livelock", spin_on_x, nothing)},
	{FAILS(a_loop_that_nobody_ends, "waits for what it has read to change", yield_for_x,
	       nothing)},
	{FAILS(two_loops_that_nobody_ends, "b: waits for what it has read", yield_for_x,
	       yield_for_y)},

	/* objects */
	{RUN(an_object_is_signalled, with_an_object, await_object, signal_object)},
	{RUN(an_object_is_signalled_too_seldom, with_an_object, await_object_twice, signal_object),
	 .fails = "deadlock, a wake-up was lost: a: waits for a thread to end; b: wait;"},
	{RUN(two_wait_for_one_signal, with_an_object, await_object, await_object),
	 .fails = "deadlock"},

	/* futexes */
	{PASSES(a_futex_wakes, "10", futex_waiter, futex_waker)},
	{PASSES(a_futex_that_is_not_woken_times_out, "10", futex_waiter, futex_waker, TIMED)},
	{FAILS(a_waker_forgets, "b: sleeps on a futex", futex_waiter, futex_waker, NO_WAKE)},
	{FAILS(a_waker_wakes_too_early, "deadlock", futex_waiter, futex_waker, WAKE_FIRST)},
	{FAILS(a_waker_wakes_and_changes_nothing, "deadlock", futex_waiter, futex_waker,
	       NO_STORE)},
	{PASSES(a_sleeper_looks_only_once, "00", futex_waiter_once, futex_waker)},
	{FAILS(a_sleeper_is_woken_before_it_sleeps, "deadlock", futex_waiter_once, futex_waker,
	       NO_STORE)},
	{PASSES(a_waker_that_looks_for_sleepers, "00", announced_waiter, sparing_waker)},
	{FAILS(a_waker_that_looks_without_a_fence, "deadlock", announced_waiter, sparing_waker,
	       1)},

	/* threads */
	{RUN(thread_local_variables, threads_have_their_own_variables, count_own,
	     count_own_by_two),
	 .outcomes = "67"},
	{RUN(a_joined_pthread_is_ordered, a_pthread, NULL)},
	{RUN(a_pthread_that_is_not_joined_races, a_pthread, NULL, NULL, 1), .fails = "data race"},
	{RUN(joined_threads_are_ordered, what_was_joined_is_over, NULL)},
	{RUN(eight_threads_are_too_many, a_thread_too_many, NULL), .fails = "more than 8 threads"},
	{RUN(a_parent_races_with_its_child, what_started_a_thread_goes_on, NULL),
	 .fails = "data race"},

	/* last words */
	{FAILS(misuse_is_a_failure, "misuse: call: sentence", misuse_the_api)},
	{FAILS(a_broken_invariant_is_a_failure, "internal assertion", break_an_invariant)},
	{FAILS(an_assertion_fails_in_one_schedule, "explorer_itself.c", store_x, fail_after_x)},
	{0},
};
