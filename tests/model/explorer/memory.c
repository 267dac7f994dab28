/* SPDX-License-Identifier: MIT */
/* memory.c - atomics, fences and futexes under the memory model of engine.h. */
#include "tests/model/explorer/engine.h"

#include <string.h>

#define LOCATIONS_MAX 4096
#define STORES_MAX 65536
#define CANDIDATES_MAX 32

static struct location locations[LOCATIONS_MAX];
static struct store stores[STORES_MAX];
static int location_count;
static int store_count;

void memory_reset(void)
{
	location_count = store_count = 0;
	memset(&x.fences, 0, sizeof x.fences);
	x.fences.name = "full fences";
	memset(&x.fenced, 0, sizeof x.fenced);
}

static uint64_t read_memory(const void *address, unsigned size)
{
	uint32_t narrow;
	uint64_t wide;

	if (size == 4) {
		memcpy(&narrow, address, sizeof narrow);
		return narrow;
	}
	memcpy(&wide, address, sizeof wide);
	return wide;
}

static void write_memory(void *address, unsigned size, uint64_t value)
{
	uint32_t narrow = (uint32_t)value;

	if (size == 4)
		memcpy(address, &narrow, sizeof narrow);
	else
		memcpy(address, &value, sizeof value);
}

static struct location *new_location(const void *address, unsigned size)
{
	struct location *l = &locations[location_count];

	if (++location_count == LOCATIONS_MAX)
		engine_fail("more than %d atomics", LOCATIONS_MAX);
	memset(l, 0, sizeof *l);
	l->address = (char *)(uintptr_t)address;
	l->size = (int)size;
	return l;
}

static struct store *new_store(struct location *l, uint64_t value, const struct explorer_site *site)
{
	struct store *s = &stores[store_count];

	if (++store_count == STORES_MAX)
		engine_fail("more than %d stores", STORES_MAX);
	s->older = l->newest;
	s->other = NULL;
	s->index = l->newest ? l->newest->index + 1 : 0;
	s->value = l->size == 4 ? (uint32_t)value : value;
	s->site = site;
	l->newest = s;
	l->version = s->index;
	return s;
}

/* The atomic at an address. One that is met first holds what memory holds, for everyone. */
static struct location *at(const void *address, unsigned size, bool change, const void *pc)
{
	struct location *l;

	plain_atomic(address, size, change, pc);
	l = plain_location(address);
	if (!l) {
		struct store *s;

		l = new_location(address, size);
		s = new_store(l, read_memory(address, size), NULL);
		memset(&s->seen, 0, sizeof s->seen);
		memset(&s->message, 0, sizeof s->message);
		s->thread = -1;
		plain_set_location(l);
	}
	if (l->address != address || l->size != (int)size)
		engine_fail("atomics overlap: %s", plain_name(address));
	return l;
}

/* Whether others use the place too, by what was seen so far. */
static bool is_shared(struct location *l, bool change)
{
	if (!l->address)
		return true;
	l->users |= 1u << x.self;
	if (change)
		l->writers |= 1u << x.self;
	if (!plain_shared(l) && l->writers && (l->users & (l->users - 1))) {
		plain_share(l);
		x.grown = true;
	}
	return plain_shared(l);
}

/* Plain accesses that come from here on, while the thread still waits, meet this one as well. */
static void mark(struct location *l, bool change)
{
	l->accessed[x.self] = (int16_t)engine_self()->clock;
	if (change)
		l->changed[x.self] = (int16_t)engine_self()->clock;
}

void memory_visit(struct location *on, struct location *too, bool change, const char *what)
{
	const struct pending pending = {.on = {on, too}, .what = what};

	mark(on, change);
	if (too)
		mark(too, change);
	if (!x.alone) {
		bool shared = is_shared(on, change);

		if (too && is_shared(too, change)) /* asked of both: it counts the use */
			shared = true;
		if (shared || x.mode != SEARCH)
			engine_announce(&pending);
	}
}

/* The place after memory_visit: where races are let pass, a plain write may have begun its history
 * anew while the thread waited. */
static struct location *visited(struct location *l)
{
	return x.races ? l : at(l->address, (unsigned)l->size, false, NULL);
}

/* --- loads and stores ------------------------------------------------------------------------- */

/* Marks a store as seen by the current thread, which cannot read older ones any more; nor what was
 * there before the other half of a pair. */
static void see(struct store *s)
{
	if (s->seen[x.self] == NEVER)
		s->seen[x.self] = (int16_t)engine_self()->clock;
	if (s->other && s->other->seen[x.self] == NEVER)
		s->other->seen[x.self] = (int16_t)engine_self()->clock;
}

static void remember_read(struct location *l, const struct store *s)
{
	struct thread *t = engine_self();
	const int most = (int)(sizeof t->read / sizeof *t->read);

	t->read[t->reads % most].location = l;
	t->read[t->reads % most].index = s->index;
	t->reads++;
}

/* Those stores which the thread may read that are not all covered by the search already, the newest
 * first. `differs`: of older ones, only those with another value (a cas that fails). */
static int candidates(const struct location *l, clocks view, const uint64_t *differs,
		      struct store **found)
{
	const struct thread *t = engine_self();
	bool covered = t->covered && t->pending.on[0] == l &&
		       (!t->pending.on[1] || t->versions[1] == t->pending.on[1]->version);
	int count = 0;

	for (struct store *s = l->newest; s; s = s->older) {
		if (covered && s->index <= t->versions[0])
			break;
		if (s == l->newest || !differs || s->value != *differs)
			found[count++] = s;
		if (clocks_any_reached(s->seen, view) || count == CANDIDATES_MAX)
			break;
	}
	return count;
}

static struct store *choose(const struct location *l, clocks view, const uint64_t *differs)
{
	struct store *found[CANDIDATES_MAX];
	int count = x.alone ? 1 : candidates(l, view, differs, found);
	int older = count > 1 ? search_store(count) : 0;

	if (older >= count)
		engine_fail("the choices do not fit this program");
	search_record_read(older);
	for (int i = 0; trace_on && i < count && count > 1; i++)
		trace("  may read %#llx, stored by %c %s%s", (unsigned long long)found[i]->value,
		      found[i]->thread < 0 ? '-' : 'a' + found[i]->thread,
		      trace_site(found[i]->site), i == older ? "  <- reads this" : "");
	return x.alone ? l->newest : found[older];
}

static void acquire(const struct message *message, int order)
{
	struct thread *t = engine_self();

	message_join(order & EXPLORER_ACQUIRE ? &t->now : &t->loaded, message);
}

/* Adds a store. `inherited`: of the release sequence that it goes on with. */
static void append(struct location *l, uint64_t value, const struct message *inherited,
		   const struct explorer_site *site)
{
	struct thread *t = engine_self();
	struct store *s = new_store(l, value, site);

	s->thread = x.self;
	s->seen = (clocks){0} + NEVER;
	s->seen[x.self] = (int16_t)t->clock;
	s->message = site->order & EXPLORER_RELEASE ? t->now : t->released;
	if (inherited)
		message_join(&s->message, inherited);
	write_memory(l->address, (unsigned)l->size, s->value);
}

uint64_t explorer_load(const void *address, unsigned size, const struct explorer_site *site)
{
	struct location *l = at(address, size, false, __builtin_return_address(0));
	struct store *s;

	memory_visit(l, NULL, false, site->operation);
	l = visited(l);
	s = choose(l, engine_self()->now.view, NULL);
	see(s);
	remember_read(l, s);
	acquire(&s->message, site->order);
	TRACE("%s %s = %#llx  %s", site->operation, plain_name(address),
	      (unsigned long long)s->value, trace_site(site));
	engine_tick();
	return s->value;
}

void explorer_store(void *address, unsigned size, uint64_t value, const struct explorer_site *site)
{
	struct location *l = at(address, size, true, __builtin_return_address(0));

	memory_visit(l, NULL, true, site->operation);
	l = visited(l);
	append(l, value, NULL, site);
	TRACE("%s %s = %#llx  %s", site->operation, plain_name(address),
	      (unsigned long long)l->newest->value, trace_site(site));
	engine_tick();
}

/* What a read-modify-write does once it may: reads the newest store, and puts another after it. */
static void modify(struct location *l, uint64_t value, const struct explorer_site *site)
{
	struct store *s = l->newest;
	struct message message = s->message;

	see(s);
	acquire(&message, site->order);
	append(l, value, &message, site);
	TRACE("%s %s: %#llx becomes %#llx  %s", site->operation, plain_name(l->address),
	      (unsigned long long)s->value, (unsigned long long)l->newest->value, trace_site(site));
}

uint64_t explorer_exchange(void *address, unsigned size, uint64_t value,
			   const struct explorer_site *site)
{
	struct location *l = at(address, size, true, __builtin_return_address(0));
	uint64_t old;

	memory_visit(l, NULL, true, site->operation);
	l = visited(l);
	old = l->newest->value;
	modify(l, value, site);
	engine_tick();
	return old;
}

uint64_t explorer_add(void *address, unsigned size, uint64_t value,
		      const struct explorer_site *site)
{
	struct location *l = at(address, size, true, __builtin_return_address(0));
	uint64_t old;

	memory_visit(l, NULL, true, site->operation);
	l = visited(l);
	old = l->newest->value;
	modify(l, old + value, site);
	engine_tick();
	return old;
}

bool explorer_cas(void *address, unsigned size, uint64_t *expected, uint64_t desired,
		  const struct explorer_site *site)
{
	struct location *l = at(address, size, true, __builtin_return_address(0));
	struct store *s;
	bool done;

	memory_visit(l, NULL, true, site->operation);
	l = visited(l);
	s = choose(l, engine_self()->now.view, expected);
	done = s->value == *expected;
	if (done) {
		modify(l, desired, site);
	} else {
		see(s);
		remember_read(l, s);
		acquire(&s->message, EXPLORER_RELAXED);
		TRACE("%s %s: %#llx expected, %#llx found  %s", site->operation,
		      plain_name(address), (unsigned long long)*expected,
		      (unsigned long long)s->value, trace_site(site));
		*expected = s->value;
	}
	engine_tick();
	return done;
}

bool explorer_cas_pair(void *address, uint64_t expected[2], const uint64_t desired[2],
		       const struct explorer_site *site)
{
	char *second = (char *)address + 8;
	struct location *l = at(address, 8, true, __builtin_return_address(0));
	struct location *m = at(second, 8, true, __builtin_return_address(0));
	bool done;

	memory_visit(l, m, true, site->operation);
	l = visited(l);
	m = visited(m);
	done = l->newest->value == expected[0] && m->newest->value == expected[1];
	if (!done) {
		expected[0] = l->newest->value;
		expected[1] = m->newest->value;
	}
	/* where it fails it stores what it found, as the instruction does: both words at once are
	 * always the newest, so what else is done there comes before it or after it */
	modify(l, done ? desired[0] : expected[0], site);
	modify(m, done ? desired[1] : expected[1], site);
	l->newest->other = m->newest;
	m->newest->other = l->newest;
	engine_tick();
	return done;
}

void explorer_fence(const struct explorer_site *site)
{
	struct thread *t = engine_self();

	if (site->order & EXPLORER_ACQUIRE)
		message_join(&t->now, &t->loaded);
	if (site->order == EXPLORER_SEQ_CST) {
		memory_visit(&x.fences, NULL, true, site->operation);
		x.fences.version++;
		t->now.view = x.fenced = clocks_join(t->now.view, x.fenced);
	}
	if (site->order & EXPLORER_RELEASE)
		t->released = t->now;
	TRACE("%s  %s", site->operation, trace_site(site));
	if (site->order)
		engine_tick();
}

/* --- waiting for a word to change ------------------------------------------------------------- */

static bool overwritten(void *thread)
{
	const struct thread *t = thread;
	const int most = (int)(sizeof t->read / sizeof *t->read);

	for (int i = 0; i < t->reads && i < most; i++)
		if (t->read[i].location->version > t->read[i].index)
			return true;
	return false;
}

/* What the thread has read and is out of date by now it does not read again: memory gets there in
 * the end. */
static void catch_up(struct thread *t)
{
	const int most = (int)(sizeof t->read / sizeof *t->read);

	for (int i = 0; i < t->reads && i < most; i++) {
		struct store *s = t->read[i].location->newest;

		while (s && s->index > t->read[i].index + 1)
			s = s->older;
		if (s && s->index == t->read[i].index + 1)
			see(s);
	}
	t->reads = 0;
}

void model_yield(void)
{
	struct thread *t = engine_self();

	TRACE("yields");
	engine_announce(&(struct pending){.ready = overwritten,
					  .argument = t,
					  .what = "waits for what it has read to change"});
	catch_up(t);
}

static struct location *waiters_of(struct location *l)
{
	if (!l->waiters) {
		l->waiters = new_location(NULL, 0);
		l->waiters->name = "futex";
	}
	return l->waiters;
}

static bool woken(void *thread)
{
	return !((struct thread *)thread)->sleeps;
}

/* The kernel compares under a lock that wakers take too, so it sees what they have seen; the caller
 * learns nothing by it but that it cannot read anything older there: it is the same place. */
void memory_futex_wait(void *address, uint32_t value, bool timed)
{
	struct thread *t = engine_self();
	struct location *l = at(address, 4, false, __builtin_return_address(0));
	struct location *waiters = waiters_of(l);
	struct store *s;

	memory_visit(l, waiters, false, "futex_wait");
	s = choose(l, clocks_join(t->now.view, waiters->woken), NULL);
	see(s);
	remember_read(l, s);
	TRACE("futex_wait %s: %#x expected, %#llx found", plain_name(address), value,
	      (unsigned long long)s->value);
	if (s->value == value) {
		waiters->version++;
		t->sleeps = waiters;
	}
	engine_tick();
	if (t->sleeps)
		engine_announce(&(struct pending){.ready = woken,
						  .argument = t,
						  .timed = timed,
						  .what = "sleeps on a futex"});
	if (t->sleeps)
		catch_up(t); /* its time is over */
	t->sleeps = NULL;
}

void memory_futex_wake(void *address)
{
	struct location *l = at(address, 4, false, __builtin_return_address(0));
	struct location *waiters = waiters_of(l);

	memory_visit(waiters, NULL, true, "futex_wake");
	waiters->version++;
	waiters->woken = clocks_join(waiters->woken, engine_self()->now.view);
	for (int i = 0; i < x.count; i++)
		if (x.threads[i].sleeps == waiters)
			x.threads[i].sleeps = NULL;
	TRACE("futex_wake %s", plain_name(address));
	engine_tick();
}
