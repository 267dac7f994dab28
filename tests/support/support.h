/* SPDX-License-Identifier: MIT */
/* support.h - what every test shares.
 *
 * A test file:
 *
 *         #include "support.h"
 *
 *         static void a_sentence_that_names_the_promise(void **state) { (void)state; ... }
 *
 *         int main(void)
 *         {
 *                 static const struct CMUnitTest tests[] = {
 *                         TEST(a_sentence_that_names_the_promise),
 *                 };
 *
 *                 return cmocka_run_group_tests(tests, NULL, NULL);
 *         }
 *
 * TEST puts around each test: the watchdog, a check that no RECORD failed, and a check that every
 * descriptor opened was closed. Asserts of cmocka only work on the main thread; handlers and other
 * threads use RECORD. Tests wait for events (latch_wait, wait_result, run_until), never for time:
 * an event that never comes is found by the watchdog.
 */
#ifndef SENNIT_TESTS_SUPPORT_H
#define SENNIT_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <sennit/sennit.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#if defined(__SANITIZE_THREAD__)
# define SANITIZED_THREAD 1
#elif defined(__SANITIZE_ADDRESS__)
# define SANITIZED_ADDRESS 1
#elif defined(__has_feature)
# if __has_feature(thread_sanitizer)
#  define SANITIZED_THREAD 1
# elif __has_feature(address_sanitizer)
#  define SANITIZED_ADDRESS 1
# endif
#endif

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The struct that a member pointer lies in. */
#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* --- the frame around each test --------------------------------------------------------------- */

#define TEST(function)                                                                             \
 cmocka_unit_test_prestate_setup_teardown(function, test_setup, test_teardown, (void *)(#function))

int test_setup(void **state);
int test_teardown(void **state);

/* Ends the test as skipped; the reason appears in the summary of tests/run. */
#define SKIP(reason)                                                                               \
 do {                                                                                              \
  print_message("skipped because %s\n", reason);                                                   \
  skip();                                                                                          \
 } while (0)

/* How much to do: SENNIT_TEST_SCALE, 1 by default; 10 and 100 in longer runs. */
unsigned scale(void);

/* How many descriptors are open in this process. */
unsigned open_descriptors(void);

/* --- failures off the main thread ------------------------------------------------------------- */

/* Usable on every thread: remembers the first condition that did not hold; false where one does
 * not. Teardown fails the test. */
#define RECORD(condition) record((condition), __FILE__, __LINE__, #condition)

bool record_failure(const char *file, int line, const char *text);

static inline bool record(bool holds, const char *file, int line, const char *text)
{
	return holds || record_failure(file, line, text);
}

/* Fails the test at once where a RECORD did not hold so far. On the main thread. */
void recorded(void);

/* --- events ----------------------------------------------------------------------------------- */

/* Counts down to 0. Initialise with LATCH(n). It may go out of scope as soon as a wait returned. */
struct latch {
	unsigned count;
};

#define LATCH(n)                                                                                   \
 {                                                                                                 \
  .count = (n)                                                                                     \
 }

void latch_down(struct latch *latch);
void latch_wait(struct latch *latch);

/* Makes the latch wait for more; before it has reached 0. */
void latch_add(struct latch *latch, unsigned count);

/* Resets the watchdog's minute, on any thread: for loops that call nothing else of this file. */
void progress(void);

/* Waits until the thread sleeps in the kernel (or is gone): a hint, to make the interesting order
 * of events likely; a test must hold in the other order as well. */
void wait_until_asleep(pid_t tid);

/* --- operations ------------------------------------------------------------------------------- */

/* What a handler was told. Zeroed, it is ready; `op->user` points to it. */
struct result {
	int error;
	size_t bytes;
	unsigned calls;                   /* how often the handler ran */
	bool done;                        /* calls > 0: for run_until */
	uint64_t order;                   /* grows with every call of on_result in the process */
	struct sennit_op *op;             /* that came back */
	struct sennit_runtime *runtime;   /* sennit_runtime_current() in the handler */
	pid_t thread;                     /* that it ran on */
	struct sennit_executor *expected; /* the test's: where the handler must run, or NULL */
	struct latch *latch;              /* the test's: counted down at each call, or NULL */
};

/* The handler that fills op->user, a struct result. */
void on_result(struct sennit_op *op, int error, size_t bytes);

/* Prepares an operation and its result for a start with on_result. */
void expect_result(struct sennit_op *op, struct result *result, struct sennit_executor *expected);

/* Waits, on a thread that is not a worker, until the handler was called once, or `calls` times. */
void wait_result(struct result *result);
void wait_calls(struct result *result, unsigned calls);

/* --- runtimes --------------------------------------------------------------------------------- */

/* A runtime that is not started; the watchdog dumps it. End it with end_runtime. */
struct sennit_runtime *driven_runtime(void);

/* A runtime with that many workers, unpinned, started; 0: the default number. */
struct sennit_runtime *started_runtime(unsigned workers);

/* Destroys a runtime that one of the above made, and asserts that it could. */
void end_runtime(struct sennit_runtime *runtime);

/* Has the watchdog dump a runtime that a test created by itself; forget it before destroying. */
void watch_runtime(struct sennit_runtime *runtime);
void forget_runtime(struct sennit_runtime *runtime);

/* Runs a driven runtime on this thread, handler by handler, until the flag is set; fails the test
 * where it runs out of work before. Restarts it first where it was stopped. */
void run_until(struct sennit_runtime *runtime, const bool *flag);

/* Runs a driven runtime until it runs out of work, and readies it to be run again.
 * Returns the number of handlers. */
int64_t run_dry(struct sennit_runtime *runtime);

/* --- three kinds of thread -------------------------------------------------------------------- */

/* What the library calls "any thread" is each of these. */
enum thread_kind { THREAD_OWNER, THREAD_OTHER_WORKER, THREAD_FOREIGN, THREAD_KINDS };

/* Where a scenario plays: a started runtime with two workers. */
struct stage {
	struct sennit_runtime *runtime;
	struct sennit_executor *owner; /* worker 0's: open the objects with it */
	struct sennit_executor *other; /* worker 1's */
	enum thread_kind kind;         /* where call_on_kind calls */
};

typedef void stage_function(void *argument);

/* Runs the scenario, on the main thread, once for each kind of thread, each time on a new runtime,
 * which is destroyed afterwards. The scenario starts its operations within call_on_kind. */
void on_each_kind_of_thread(void (*scenario)(struct stage *stage));

/* Calls the function on the stage's kind of thread, or on the owner or the other worker, and waits
 * until it has returned. RECORD, no asserts, in the function. From the main thread. */
void call_on_kind(struct stage *stage, stage_function *function, void *argument);
void call_on_owner(struct stage *stage, stage_function *function, void *argument);
void call_on_other(struct stage *stage, stage_function *function, void *argument);

/* Calls the function on an executor's worker and waits until it has returned. */
void call_on(struct sennit_executor *executor, stage_function *function, void *argument);

/* A thread that runs a function; the test fails where there can be none. */
pthread_t spawn(void *(*function)(void *), void *argument);
void join(pthread_t thread);

/* --- CPUs ------------------------------------------------------------------------------------- */

/* Leaves the calling thread, and those that it makes, one CPU; give_back_cpus restores what was. */
void take_one_cpu(cpu_set_t *saved);
void give_back_cpus(const cpu_set_t *saved);

/* --- allocations ------------------------------------------------------------------------------ */

/* How often the allocator was called for memory, by any thread (by this thread), whoever called:
 * malloc, calloc, realloc, aligned_alloc, posix_memalign, memalign. Works under the sanitizers too,
 * but that ThreadSanitizer does not tell of the aligned ones. */
uint64_t allocations(void);
uint64_t allocations_here(void);

/* How many blocks are allocated now; always -1 under a sanitizer (which finds leaks itself). */
int64_t live_allocations(void);

/* Lets that many calls succeed, by any thread, and has the later ones fail, until it is called with
 * UINT64_MAX. Only calls by the program itself, the library included, not by shared libraries, most
 * of which take a failure badly. False where it cannot be done: under a sanitizer. */
bool fail_allocations_after(uint64_t calls);

/* --- child processes -------------------------------------------------------------------------- */

/* How a child process ended. */
struct child {
	int status;      /* as waitpid reports it */
	char text[8192]; /* what it wrote to stderr, NUL-terminated */
};

/* Runs the function in a forked child and waits for it. The child exits with 0 when the function
 * returns, and dies by SIGALRM where it takes a minute. No asserts in the function: exit with
 * something else. It may make threads where the parent has none. */
void in_child(struct child *child, stage_function *function, void *argument);

/* Asserts that the function is reported as misuse: one line on stderr, then SIGABRT. The line must
 * hold `word`, where that is not NULL. */
void assert_misuse(stage_function *function, void *argument, const char *word);

#endif
