/* SPDX-License-Identifier: MIT */
/* explorer.h - what a model test uses; ../README.md shows how to write one.
 *
 * A model test is a program whose main is the explorer's. It defines model_scenarios. A scenario's
 * run function is called once for each execution that is explored, always from the same state: it
 * readies what is to be checked, starts threads, joins them and checks what came of it. It is
 * thread a itself; those that it starts are b, c, ... in that order.
 *
 * The code under test is the library's own, compiled with the atomics seam's third backend
 * (atomics.h) and with -fsanitize=thread, whose calls the explorer takes itself: so every plain
 * access of the shipped code and of the model is looked at for races, for use after free and for
 * what lies outside a block.
 *
 * State that an execution changes is made with model_new, never static: it must be fresh each time.
 * A scenario must be deterministic but for what the explorer chooses.
 */
#ifndef SENNIT_TESTS_MODEL_EXPLORER_H
#define SENNIT_TESTS_MODEL_EXPLORER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Preemptions: every schedule there is. */
#define MODEL_ALL (-1)

struct model_scenario {
	/* a sentence with underscores, as test functions have */
	const char *name;
	/* called once for each execution */
	void (*run)(void);
	/* how often a thread that could go on may be made to wait in one execution, or MODEL_ALL */
	int preemptions;
	/* where set: the exploration must fail, with this in what it says */
	const char *fails;
	/* where set: every outcome that is possible, in order of strcmp with blanks between, and no
	 * other may be seen (model_outcome) */
	const char *outcomes;
	/* executions after which an exploration that is not complete may stop; 0: 10^7 */
	uint64_t enough;
	/* for run, where several scenarios share it: model_argument */
	const void *argument;
};

/* Ends with an entry without a name. */
extern const struct model_scenario model_scenarios[];

const void *model_argument(void);

/* --- threads ---------------------------------------------------------------------------------- */

/* Starts a thread; what was done before is visible to it. At most 7 in one execution. */
void model_thread(void (*function)(void *argument), void *argument);

/* Waits until every other thread is done; what they did is visible then. Thread a only. */
void model_join(void);

/* For the body of a loop that waits for others: goes on when something that this thread has read
 * since it last yielded was overwritten. Nobody left who could do that is a livelock. */
void model_yield(void);

/* --- memory ----------------------------------------------------------------------------------- */

/* Zeroed memory that lives as long as the execution, or until model_free. */
void *model_new(size_t size);

/* Fails where another thread's last access is not ordered before. Any later access fails. */
void model_free(void *memory);

/* Blocks allocated and not freed, those of the library included. */
unsigned model_blocks(void);

/* Whether plain accesses that race fail; they do unless told otherwise. For headers of others. */
void model_races(bool fail);

/* --- checks ----------------------------------------------------------------------------------- */

/* Ends the execution as failed. */
_Noreturn void model_fail(const char *file, int line, const char *text);

#define model_assert(x) ((x) ? (void)0 : model_fail(__FILE__, __LINE__, #x))

/* What this execution came to, of at most 15 characters: see struct model_scenario. Once. */
void model_outcome(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A line in the trace of a replay. */
void model_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --- what blocks ------------------------------------------------------------------------------ */

/* Something outside memory that threads act on, one step at a time: a descriptor, a lock. */
struct model_object {
	const char *name;
	void *location_; /* the explorer's */
};

/* Makes an object of the execution. */
struct model_object *model_object(const char *name);

/* What follows, to the next atomic operation or step of this thread, is one step on the object. It
 * orders no memory. */
void model_step(struct model_object *object, const char *what);

/* As above, once ready(argument) holds. That nothing can go on any more is a lost wake-up, and
 * fails.
 */
void model_wait(struct model_object *object, const char *what, bool (*ready)(void *argument),
		void *argument);

#endif
