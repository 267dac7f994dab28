/* SPDX-License-Identifier: MIT */
/**
 * @file
 * The runtime: workers, one thread each, that run handlers and own I/O objects.
 *
 * A runtime is *started* (sennit_runtime_start: its own pinned threads, until destroy) or *driven*
 * (sennit_runtime_run and its forms: the caller's threads, while they are inside). Never both.
 */
#ifndef SENNIT_RUNTIME_H
#define SENNIT_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sennit_executor;
struct sennit_runtime;

/** How serious a log line is. */
enum sennit_log_level { SENNIT_LOG_INFO, SENNIT_LOG_WARNING, SENNIT_LOG_ERROR };

/**
 * Receives what the library has to say, one line without a newline at a time, on whatever thread it
 * arose; it must not call back into the library. Without a log hook nothing is ever printed.
 */
typedef void sennit_log(void *user, enum sennit_log_level level, const char *line);

/** Where the threads of a started runtime sit. */
enum sennit_pin {
	SENNIT_PIN_DEFAULT, /**< as CORES; unbound where a CPU quota is why there are fewer */
	SENNIT_PIN_CORES,   /**< each worker on a core of its own; unbound where there are more */
	SENNIT_PIN_PUS,     /**< each worker on a processing unit, a hardware thread, of its own */
	SENNIT_PIN_NONE,    /**< wherever the kernel puts them */
	SENNIT_PIN_LIST     /**< worker i on `cpus[i % cpus_count]` */
};

/** What waits for I/O. */
enum sennit_backend {
	SENNIT_BACKEND_DEFAULT, /**< the best that there is */
	SENNIT_BACKEND_EPOLL    /**< epoll */
};

/**
 * Runs on a worker's thread, before its first handler or after its last. It must not call the
 * library.
 */
typedef void sennit_worker_hook(void *user, unsigned worker);

/**
 * What can be chosen when a runtime is created. Set `size`; a member left at 0 is chosen by the
 * environment variable that stands beside it, where that is set, else by the library. The
 * environment is read by sennit_runtime_create (not in a program with raised privileges), during
 * which no thread may change it, and never overrides the program. A variable whose value cannot be
 * used is reported to the log hook, and by sennit_runtime_print_settings, and counts as not set.
 *
 * A program compiled for an earlier version has a smaller struct: what it lacks is 0.
 */
struct sennit_runtime_options {
	size_t size;      /**< sizeof(struct sennit_runtime_options); 0: all defaults */
	unsigned workers; /**< at most 1024. 0: when started `SENNIT_WORKERS`, else the length of
	                       a list of CPUs, else one for each core (processing unit, for
	                       SENNIT_PIN_PUS) in the calling thread's affinity mask, but no more
	                       than the CPU quota of the control groups; when driven 1. A
	                       number that is given here holds from create on */
	enum sennit_pin pin;      /**< `SENNIT_PIN`: cores, pus, none, or a list such as 0-3,8 */
	sennit_log *log;          /**< log hook, or NULL */
	void *log_user;           /**< handed to the log hook */
	const unsigned *cpus;     /**< for SENNIT_PIN_LIST: processing units as the kernel numbers
	                               them, each below 65536 */
	unsigned cpus_count;      /**< how many, 1 to 1024; 0 with every other `pin` */
	enum sennit_backend backend; /**< `SENNIT_BACKEND`: epoll */
	uint64_t spin_ns;         /**< how long an idle worker looks for work before it sleeps, in
	                               nanoseconds, at most a second: what comes meanwhile costs no
	                               wake-up, and the processor is busy. With more workers than
	                               processors none does. `SENNIT_SPIN_NS`, else 0 */
	size_t stack_size;        /**< of each worker's thread, in bytes; rounded up to whole pages
	                               and to what a thread needs at least. `SENNIT_STACK_SIZE`,
	                               else what the system gives threads */
	sennit_worker_hook *on_worker_start; /**< before a worker's first handler, or NULL. Of a
	                                          started runtime only */
	sennit_worker_hook *on_worker_stop;  /**< after its last, or NULL: once for each call of
	                                          on_worker_start, also where start fails later */
	void *worker_user;        /**< handed to both */
};

/**
 * Creates a runtime, neither started nor driven yet.
 * @param options NULL for the defaults; read during the call only.
 * @param[out] runtime set on success.
 * @return 0, -EINVAL (an option out of range, or a larger struct than this version knows with
 *         something set in what it does not know), -ENOMEM, -EMFILE, -ENFILE.
 * @thread any. Allocates; opens two descriptors for each worker. Since 0.1.0.
 */
int sennit_runtime_create(const struct sennit_runtime_options *options,
			  struct sennit_runtime **runtime);

/**
 * Starts the runtime's own threads, named `sennit/0` and so on, with every signal blocked. Cores of
 * a faster kind are taken first, else in the machine's order; a worker's memory lies on its core's
 * node. A binding that the system refuses is logged and the thread runs unbound. The runtime holds
 * one work guard of its own, which sennit_runtime_join gives back.
 * @return 0, -EBUSY (started already, or driven), -EAGAIN, -ENOMEM, -EMFILE or -ENFILE (no thread,
 *         also for want of memory for its stack; no memory; no descriptor; the runtime is as
 *         before).
 * @thread any one. Allocates. Since 0.1.0.
 */
int sennit_runtime_start(struct sennit_runtime *runtime);

/**
 * Gives back the work guard that start took and waits until no work is left: no handler queued or
 * running, no operation in flight, no guard held. The threads stay, and go on with what is posted
 * later; another join is harmless and waits again.
 * @return 0, -EINVAL (not started), -EDEADLK (called on a worker).
 * @thread any but a worker. Blocks. Since 0.1.0.
 */
int sennit_runtime_join(struct sennit_runtime *runtime);

/**
 * Destroys the runtime. What has finished is handed over with its result, every other operation and
 * task ends with SENNIT_SHUTDOWN, each handler exactly once, on a thread of the runtime (where it
 * has none, on the calling one); what handlers start meanwhile ends likewise. Objects that are
 * still open are closed. Handles of the runtime's objects may afterwards only be initialised anew:
 * not even closed.
 * A handler that keeps starting work for 1,000 rounds is reported as misuse.
 * @param runtime NULL does nothing. No other thread may be calling into the runtime or its objects.
 * @return 0, -EDEADLK (called on a worker of any runtime: nothing was done).
 * @thread any but a worker. Blocks until the last handler has returned, also those that another
 *         runtime must run. Since 0.1.0.
 */
int sennit_runtime_destroy(struct sennit_runtime *runtime);

/**
 * Runs handlers on the calling thread until no work is left or the runtime is stopped. Running out
 * of work stops the runtime: call sennit_runtime_restart before running it again.
 * Where the runtime was created with several workers as many threads may run it, each inside the
 * worker that it was inside before, else one that is free. What was posted or opened on a worker is
 * served only while a thread is inside that one. Whoever finds no work left ends all runs.
 * @return the number of handlers run on this thread, or -EBUSY (started, or every worker has a
 *         thread inside).
 *         Calling it from inside a handler of the same runtime is misuse.
 * @thread any. Blocks; the handlers decide about the rest. Since 0.1.0. (Asio: `run`.)
 */
int64_t sennit_runtime_run(struct sennit_runtime *runtime);

/**
 * As sennit_runtime_run, but returns after the first handler.
 * @return 1, 0 (stopped, or out of work), or -EBUSY.
 * @thread any. Blocks. Since 0.1.0.
 */
int64_t sennit_runtime_run_one(struct sennit_runtime *runtime);

/**
 * As sennit_runtime_run, but returns once the time has come, after at most one more turn of what is
 * ready; the runtime is not stopped by that.
 * @param deadline_ns of CLOCK_MONOTONIC, as sennit_now.
 * @return the number of handlers run, or -EBUSY.
 * @thread any. Blocks. Since 0.1.0. (Asio: `run_until`.)
 */
int64_t sennit_runtime_run_until(struct sennit_runtime *runtime, uint64_t deadline_ns);

/**
 * As sennit_runtime_run_until, so many nanoseconds from now.
 * @thread any. Blocks. Since 0.1.0. (Asio: `run_for`.)
 */
int64_t sennit_runtime_run_for(struct sennit_runtime *runtime, uint64_t duration_ns);

/**
 * As sennit_runtime_run_until, but returns after the first handler.
 * @return 1, 0 (the time has come, or as sennit_runtime_run_one), or -EBUSY.
 * @thread any. Blocks. Since 0.1.0. (Asio: `run_one_until`.)
 */
int64_t sennit_runtime_run_one_until(struct sennit_runtime *runtime, uint64_t deadline_ns);

/**
 * As sennit_runtime_run_one_until, so many nanoseconds from now.
 * @thread any. Blocks. Since 0.1.0. (Asio: `run_one_for`.)
 */
int64_t sennit_runtime_run_one_for(struct sennit_runtime *runtime, uint64_t duration_ns);

/**
 * Runs the handlers that are ready and returns without blocking.
 * @return the number of handlers run, or -EBUSY.
 * @thread any. Since 0.1.0.
 */
int64_t sennit_runtime_poll(struct sennit_runtime *runtime);

/**
 * As sennit_runtime_poll, but returns after the first handler.
 * @return 1, 0 or -EBUSY.
 * @thread any. Since 0.1.0.
 */
int64_t sennit_runtime_poll_one(struct sennit_runtime *runtime);

/**
 * For a loop of the program's own: runs handlers that are ready, a thousand at most, and says for
 * how long the loop may wait in poll(2) or the like, for sennit_runtime_fd among its descriptors.
 * Then it calls sennit_runtime_poll, or this again. Whatever another thread posts or sends
 * meanwhile makes the descriptor readable.
 * @return nanoseconds until a timer or deadline is due; -1 where there is none; 0 where the loop
 *         must not wait: more is ready, or the runtime was stopped or ran out of work. -EBUSY as
 *         sennit_runtime_run.
 * @thread any; does not block. Calling it from inside a handler of the same runtime is misuse.
 *         Since 0.1.0.
 */
int64_t sennit_runtime_prepare(struct sennit_runtime *runtime);

/**
 * The descriptor that is readable (POLLIN) while there is something to do on the worker that the
 * calling thread was inside last, or on the first one. Where several threads run the runtime, what
 * is posted to the runtime's executor makes the first worker's readable, and only while no thread
 * is inside any; and one that has entered this worker meanwhile may have taken what there was, also
 * that the runtime was stopped: who stops it tells such loops in a way of the program's own.
 * @return the descriptor: the runtime's, valid until destroy, to be polled and not to be read.
 * @thread any; does not block. Since 0.1.0.
 */
int sennit_runtime_fd(struct sennit_runtime *runtime);

/**
 * Makes every run form return after its current handler, and later ones return at once, until
 * restart. What is queued stays queued. Stopping a started runtime is misuse (see join, destroy).
 * @thread any. Does not block. Since 0.1.0.
 */
void sennit_runtime_stop(struct sennit_runtime *runtime);

/**
 * Whether the runtime was stopped, by sennit_runtime_stop or because it ran out of work.
 * @thread any. Since 0.1.0.
 */
bool sennit_runtime_stopped(const struct sennit_runtime *runtime);

/**
 * Lets a stopped runtime run again.
 * @thread any, while no run form is inside. Since 0.1.0.
 */
void sennit_runtime_restart(struct sennit_runtime *runtime);

/**
 * Takes a work guard: while any is held, run does not run out of work and join waits.
 * @thread any. Does not block. Since 0.1.0. (Asio: `executor_work_guard`.)
 */
void sennit_runtime_guard_get(struct sennit_runtime *runtime);

/**
 * Gives a work guard back. Giving back more than were taken is misuse.
 * @thread any. Does not block. Since 0.1.0.
 */
void sennit_runtime_guard_put(struct sennit_runtime *runtime);

/**
 * The executor of the whole runtime. It lives as long as the runtime.
 * @thread any. Since 0.1.0.
 */
struct sennit_executor *sennit_runtime_executor(struct sennit_runtime *runtime);

/**
 * The executor of one worker. It lives as long as the runtime.
 * @param worker 0 to sennit_runtime_workers() - 1; anything else is misuse.
 * @thread any. Since 0.1.0.
 */
struct sennit_executor *sennit_runtime_worker(struct sennit_runtime *runtime, unsigned worker);

/**
 * The executor of each worker in turn: where the next session may go. Of a driven runtime only of
 * those that a thread is inside; of the first one where that is none.
 * @thread any. Since 0.1.0.
 */
struct sennit_executor *sennit_runtime_next_worker(struct sennit_runtime *runtime);

/**
 * How many workers there are: as many as the options said, 1 where they said nothing; once it was
 * started, all.
 * @thread any. Since 0.1.0.
 */
unsigned sennit_runtime_workers(const struct sennit_runtime *runtime);

/**
 * The runtime on whose worker the calling thread is, or NULL.
 * @thread any. Since 0.1.0.
 */
struct sennit_runtime *sennit_runtime_current(void);

/**
 * Prints the workers, their queues, and every operation in flight with its object and its age in
 * milliseconds. Each worker prints its own part between two handlers, one after the other; called
 * on a worker it prints that worker's part, and of the others that they are busy.
 * @param file written to with stdio.
 * @thread any. Blocks until each worker has printed, off a worker. Since 0.1.0.
 */
void sennit_runtime_dump(struct sennit_runtime *runtime, FILE *file);

/**
 * Prints what the runtime goes by, one line each: the number of workers, the placement, what the
 * process may use, backend, spinning, stack size, and where each comes from: the program, the
 * environment, the affinity mask, the quota, the machine's topology, or the default; then, once
 * started, where each worker sits, or why it does not (with the error where a binding was refused);
 * then the environment variables that could not be used.
 * @param file written to with stdio.
 * @thread any, while neither start nor destroy is going on. Since 0.1.0.
 */
void sennit_runtime_print_settings(const struct sennit_runtime *runtime, FILE *file);

#ifdef __cplusplus
}
#endif

#endif
