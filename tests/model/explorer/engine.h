/* SPDX-License-Identifier: MIT */
/* engine.h - the explorer's inside: threads, clocks, choices.
 *
 * An *execution* runs the scenario once, on fibers in one thread of the process. Before each
 * operation that another thread may notice (a *visible* one: atomics on places that several threads
 * use, full fences, steps on objects) its thread says what it is about to do and the explorer
 * chooses who goes on. What lies between two visible operations is nobody else's business and runs
 * at once.
 *
 * Memory is modelled by views. Every place keeps its stores, in the order in which they were made.
 * A load may return the newest, or any older one as long as the thread has seen nothing that came
 * after it, itself or by what it acquired. Two vectors of clocks say what a thread has seen:
 * *order* is happens-before, by which races are judged; *view* is order and what full fences add. A
 * release store carries both of its thread; a read-modify-write passes on what the store carried
 * that it replaces (a release sequence); an acquire load takes them.
 *
 * Not modelled: a load that returns a store which its own thread's later store makes possible (load
 * buffering); a store that goes before one that was made earlier (2+2W). Both need hardware or a
 * compiler to move a store up over an earlier operation. See ../README.md.
 */
#ifndef SENNIT_TESTS_MODEL_ENGINE_H
#define SENNIT_TESTS_MODEL_ENGINE_H

#include "tests/model/explorer/atomics.h"
#include "tests/model/explorer/explorer.h"
#include "tests/model/explorer/fiber.h"

#include <stdio.h>

#define THREADS_MAX 8
#define NEVER 0x7fff /* a clock that no thread reaches */

/* One clock for each thread. */
typedef int16_t clocks __attribute__((vector_size(2 * THREADS_MAX)));

static inline clocks clocks_join(clocks a, clocks b)
{
	clocks later = a > b;

	return (a & later) | (b & ~later);
}

/* Whether any part of `a` is at most its part of `b`. */
static inline bool clocks_any_reached(clocks a, clocks b)
{
	typedef uint64_t words __attribute__((vector_size(16)));
	words reached = (words)(a <= b);

	return (reached[0] | reached[1]) != 0;
}

/* Whether every part of `a` is at most its part of `b`. */
static inline bool clocks_all_reached(clocks a, clocks b)
{
	return !clocks_any_reached(b + 1, a);
}

/* What an acquire gets from a release. */
struct message {
	clocks order;
	clocks view;
};

static inline void message_join(struct message *into, const struct message *from)
{
	into->order = clocks_join(into->order, from->order);
	into->view = clocks_join(into->view, from->view);
}

struct store {
	clocks seen; /* when each thread saw it first: its clock then, or NEVER */
	struct message message;
	struct store *older;
	struct store *other; /* of a pair, made at once; NULL: none */
	uint64_t value;
	const struct explorer_site *site;
	int index;  /* the first is 0 */
	int thread; /* who made it; -1: it was there before */
};

/* Something that visible operations are about: an atomic, the order of full fences, an object. */
struct location {
	char *address;        /* NULL: not memory */
	const char *name;     /* of an object */
	struct store *newest; /* of memory */
	int version;          /* counts changes: stores, steps */
	int size;
	unsigned users; /* threads that used it, and that changed it, while there were others */
	unsigned writers;
	clocks accessed; /* each thread's last access, and its last change: for plain accesses */
	clocks changed;
	struct location *waiters; /* of a word that is a futex: what those who sleep on it share */
	clocks woken;             /* of waiters: what those who woke had seen */
};

/* What a thread is about to do. */
struct pending {
	struct location *on[2];       /* what it depends on; NULL, NULL: on nothing */
	bool (*ready)(void *argument); /* NULL: always */
	void *argument;
	const char *what; /* in a report of a deadlock */
	bool timed;       /* goes on as well when nothing else can */
};

enum state { FRESH, READY, DONE };

struct thread {
	struct fiber *fiber;
	void (*function)(void *);
	void *argument;
	enum state state;
	struct pending pending;
	int clock;
	struct message now;      /* what it has seen */
	struct message released; /* as of its last release fence */
	struct message loaded;   /* what an acquire fence would take */
	/* what the search knows: its pending operation was explored from here with on[] as they
	 * were at these versions, so that only what changed since is worth another look */
	bool covered;
	int versions[2];
	/* places read since the last yield, and the store read there */
	struct {
		struct location *location;
		int index;
	} read[16];
	int reads;
	struct location *sleeps; /* on a futex, until woken */
	char locals[64]; /* its copies of the program's thread-local variables */
};

/* How the executions to run are chosen. */
enum mode { SEARCH, RANDOM, REPLAY };

struct explorer {
	const struct model_scenario *scenario;
	enum mode mode;
	int preemptions; /* allowed in one execution, or MODEL_ALL */

	/* this execution */
	struct thread threads[THREADS_MAX];
	int count;     /* threads that were started */
	int self;      /* the thread that runs */
	int last;      /* the thread whose visible operation was the last */
	int preempted; /* preemptions so far */
	bool alone;    /* no other thread was started yet, or all are joined */
	bool races;    /* plain races fail */
	bool grown;    /* a place turned out to be shared, too late for what was explored */
	unsigned execution;
	int operations;
	struct location fences; /* what full fences share, and what they have seen */
	clocks fenced;
	const char *failure; /* NULL: none so far */
	char text[4096];     /* its words */
	bool pruned;         /* nothing new can come of this execution */
	bool inside;         /* an execution is going on */
	struct fiber *driver;
};

extern struct explorer x;

/* --- engine.c --------------------------------------------------------------------------------- */

/* Runs one execution to its end; false where it failed. */
bool engine_run(void);

/* Says what the thread is about to do; returns when it may. */
void engine_announce(const struct pending *pending);

/* The current thread has done one more operation: what it does next is after it. */
void engine_tick(void);

/* Starts a thread; its number. Waits for one. */
int engine_spawn(void (*function)(void *), void *argument);
void engine_await(int thread);

/* The execution ends here. */
_Noreturn void engine_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void engine_prune(void);

static inline struct thread *engine_self(void)
{
	return &x.threads[x.self];
}

/* --- search.c --------------------------------------------------------------------------------- */

/* The first execution of a search, of one that is random from a seed, or that repeats a string. */
void search_begin(void);
void search_begin_random(uint64_t seed);
bool search_begin_replay(const char *choices); /* false: that is no such string */

/* Before each execution; after it, whether there is another one. */
void search_start(void);
bool search_next(void);

/* Which of the enabled threads goes on (bits). */
int search_thread(unsigned enabled);

/* Which of `count` stores is read, 0 the newest. */
int search_store(int count);

/* The choices of this execution so far, as a string. */
const char *search_string(void);
void search_record_operation(void);
void search_record_read(int older);

/* --- memory.c --------------------------------------------------------------------------------- */

void memory_reset(void);
/* A visible operation on a place: asks to go on where others use it too. */
void memory_visit(struct location *on, struct location *too, bool change, const char *what);
void memory_futex_wait(void *address, uint32_t value, bool timed);
void memory_futex_wake(void *address);

/* --- plain.c ---------------------------------------------------------------------------------- */

void plain_init(void);
void plain_reset(void);
/* The atomic that is known at an address, or NULL; and makes it known. */
struct location *plain_location(const void *address);
void plain_set_location(struct location *location);
/* Whether the place was found to be shared in any execution of this scenario; and says so. */
bool plain_shared(const struct location *location);
void plain_share(const struct location *location);
void plain_forget_shared(void);
/* Looks at an atomic access as at any other. */
void plain_atomic(const void *address, unsigned size, bool write, const void *pc);
/* A stack for a thread, in memory that is looked at. */
void *plain_stack(int thread, size_t *size);
void *plain_allocate(size_t size, size_t alignment, bool zero, const void *pc);
void plain_free(void *memory, const void *pc);
/* Names an address for a trace. */
const char *plain_name(const void *address);

/* --- trace.c ---------------------------------------------------------------------------------- */

extern bool trace_on;
void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));
void trace_access(const void *address, unsigned size, bool write, const void *pc);
/* Who touched the address last, for a report of a race. */
void trace_last_access(const void *address);
/* Where a site or an instruction is in the source, with the line itself. */
const char *trace_site(const struct explorer_site *site);
const char *trace_pc(const void *pc);

#define TRACE(...) (trace_on ? trace(__VA_ARGS__) : (void)0)

#endif
