/* SPDX-License-Identifier: MIT */
/* search.c - which execution comes next: all of them, random ones, or one from a string.
 *
 * A search is depth-first over recorded choices: an execution repeats the choices that are on the
 * path and takes the first of each new one; then the last choice that has another alternative is
 * advanced. Two things spare executions that would show nothing new:
 *
 * Sleep sets. When all that follows thread t's next operation was explored at some point, and then
 * another thread goes on instead, t is *covered*: to run it later is only worth while once the
 * place it is about has changed, for otherwise the two orders come to the same. A load is the
 * easier case: it leaves nothing for others to see, so of the stores that were there when it was
 * covered none needs to be read again, and it never makes a store that waits worth another look.
 *
 * With a bound on preemptions only the thread that could have gone on without one is covered, when
 * another preempts it: moving its next operation forward to that point makes no order more costly,
 * so what is left out is there in another order within the bound.
 *
 * Operations on places that only one thread uses are no choice. Which places are shared is learned:
 * where one more turns out to be, the search begins again.
 *
 * A string of choices names each execution: runs of one thread, a letter and a number of
 * operations; "-k" after a number says that the last of these read the k-th store before the
 * newest.
 */
#include "tests/model/explorer/engine.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* of a thread and of a store for each operation that is allowed */
#define PATH_MAX_LENGTH 40000

struct choice {
	bool of_store;
	unsigned char chosen;
	unsigned char count;      /* of stores */
	unsigned char candidates; /* of threads, as bits */
	unsigned char done;       /* threads that were explored from here */
};

static struct choice path[PATH_MAX_LENGTH];
static int length; /* of the path */
static int depth;  /* of this execution in it */

/* What was done, or is to be done again: the thread of each operation and what it read. */
static struct {
	unsigned char thread;
	unsigned char older;
} done[PATH_MAX_LENGTH + 1];
static int to_repeat;

static uint64_t random_state;
static int priorities[THREADS_MAX];
static int change_points[3];
static int usual_operations;

static uint64_t random_next(void)
{
	random_state += 0x9e3779b97f4a7c15u;
	uint64_t z = random_state;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

void search_begin(void)
{
	x.mode = SEARCH;
	length = 0;
}

void search_begin_random(uint64_t seed)
{
	x.mode = RANDOM;
	random_state = seed;
	usual_operations = 100;
}

void search_start(void)
{
	const int points = (int)(sizeof change_points / sizeof *change_points);

	depth = 0;
	if (x.mode != RANDOM)
		return;
	for (int i = 0; i < THREADS_MAX; i++)
		priorities[i] = (int)(random_next() % 1000) + points;
	for (int i = 0; i < points; i++)
		change_points[i] = (int)(random_next() % (unsigned)usual_operations);
}

bool search_next(void)
{
	if (x.mode == RANDOM)
		usual_operations = (7 * usual_operations + x.operations) / 8 + 1;
	if (x.mode != SEARCH)
		return x.mode == RANDOM;
	length = x.grown ? 0 : depth;
	if (x.grown)
		return true;
	for (; length; length--) {
		struct choice *c = &path[length - 1];
		unsigned left;

		if (c->of_store) {
			if (++c->chosen < c->count)
				return true;
			continue;
		}
		c->done |= (unsigned char)(1u << c->chosen);
		left = c->candidates & ~c->done;
		if (left) {
			c->chosen = (unsigned char)__builtin_ctz(left);
			return true;
		}
	}
	return false;
}

/* --- threads ---------------------------------------------------------------------------------- */

static bool is_covered(const struct thread *t)
{
	const struct pending *p = &t->pending;

	return t->covered && t->versions[0] == p->on[0]->version &&
	       (!p->on[1] || t->versions[1] == p->on[1]->version);
}

static void cover(struct thread *t)
{
	const struct pending *p = &t->pending;

	t->covered = true;
	t->versions[0] = p->on[0]->version;
	t->versions[1] = p->on[1] ? p->on[1]->version : 0;
}

static struct choice *next_choice(void)
{
	if (depth == PATH_MAX_LENGTH)
		engine_fail("livelock: more than %d choices", PATH_MAX_LENGTH);
	return &path[depth++];
}

/* What a scenario that is called again must meet again. */
static void expect_same(bool same)
{
	if (!same)
		engine_fail("the scenario is not deterministic: static state, or time?");
}

/* The choice among several threads. `could_go_on`: x.last is one of them, or was left out. */
static int choose_thread(unsigned candidates, bool could_go_on)
{
	bool is_new = depth == length;
	struct choice *c = next_choice();

	if (is_new) {
		length = depth;
		c->of_store = false;
		c->candidates = (unsigned char)candidates;
		c->done = 0;
		c->chosen = (unsigned char)(candidates >> x.last & 1 ? x.last
								     : __builtin_ctz(candidates));
	}
	expect_same(!c->of_store && c->candidates == candidates);
	for (int i = 0; i < x.count; i++)
		if (c->done >> i & 1 &&
		    (x.preemptions == MODEL_ALL || (could_go_on && i == x.last)))
			cover(&x.threads[i]);
	return c->chosen;
}

static int search_for_thread(unsigned enabled)
{
	bool could_go_on = enabled >> x.last & 1;
	unsigned candidates = 0;
	int chosen;

	for (int i = 0; i < x.count; i++)
		if (enabled >> i & 1 && !is_covered(&x.threads[i]))
			candidates |= 1u << i;
	if (could_go_on && x.preemptions != MODEL_ALL && x.preempted == x.preemptions)
		candidates &= 1u << x.last;
	if (!candidates)
		engine_prune();
	if (candidates & (candidates - 1))
		chosen = choose_thread(candidates, could_go_on);
	else
		chosen = __builtin_ctz(candidates);
	x.preempted += could_go_on && chosen != x.last;
	return chosen;
}

static int random_thread(unsigned enabled)
{
	const int points = (int)(sizeof change_points / sizeof *change_points);
	int best = -1;

	for (int i = 0; i < points; i++)
		if (x.operations == change_points[i])
			priorities[x.last] = i;
	for (int i = 0; i < x.count; i++)
		if (enabled >> i & 1 && (best < 0 || priorities[i] > priorities[best]))
			best = i;
	return best;
}

static int repeat_thread(unsigned enabled)
{
	int thread = done[x.operations].thread;

	if (x.operations >= to_repeat)
		engine_fail("the choices end here and the execution does not");
	if (!(enabled >> thread & 1))
		engine_fail("the choices do not fit this program");
	return thread;
}

int search_thread(unsigned enabled)
{
	switch (x.mode) {
	case SEARCH:
		return search_for_thread(enabled);
	case RANDOM:
		return random_thread(enabled);
	default:
		return repeat_thread(enabled);
	}
}

/* --- stores ----------------------------------------------------------------------------------- */

int search_store(int count)
{
	bool is_new = depth == length;
	struct choice *c;

	if (x.mode == RANDOM)
		return random_next() & 1 ? 0 : (int)(random_next() % (unsigned)count);
	if (x.mode == REPLAY)
		return done[x.operations].older;
	c = next_choice();
	if (is_new) {
		length = depth;
		c->of_store = true;
		c->count = (unsigned char)count;
		c->chosen = 0;
	}
	expect_same(c->of_store && c->count == count);
	return c->chosen;
}

/* --- strings ---------------------------------------------------------------------------------- */

void search_record_operation(void)
{
	done[x.operations].thread = (unsigned char)x.self;
	if (x.mode != REPLAY)
		done[x.operations + 1].older = 0;
}

void search_record_read(int older)
{
	if (x.mode != REPLAY)
		done[x.operations].older = (unsigned char)older;
}

const char *search_string(void)
{
	static char text[8 * PATH_MAX_LENGTH];
	size_t at = 0;

	for (int i = 0; i < x.operations;) {
		int run = 0;

		do
			run++;
		while (i + run < x.operations && done[i + run].thread == done[i].thread &&
		       !done[i + run - 1].older);
		at += (size_t)sprintf(text + at, "%c%d", 'a' + done[i].thread, run);
		i += run;
		if (done[i - 1].older)
			at += (size_t)sprintf(text + at, "-%d", done[i - 1].older);
	}
	text[at] = '\0';
	return text;
}

bool search_begin_replay(const char *choices)
{
	x.mode = REPLAY;
	to_repeat = 0;
	while (*choices && strcmp(choices, "...") != 0) {
		int thread = *choices++ - 'a';
		long run = strtol(choices, (char **)&choices, 10);

		if (thread < 0 || thread >= THREADS_MAX || run < 1 ||
		    run > PATH_MAX_LENGTH - to_repeat)
			return false;
		while (run--) {
			done[to_repeat].thread = (unsigned char)thread;
			done[to_repeat++].older = 0;
		}
		if (*choices == '-')
			done[to_repeat - 1].older =
				(unsigned char)strtol(choices + 1, (char **)&choices, 10);
	}
	return true;
}
