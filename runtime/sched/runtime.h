/* SPDX-License-Identifier: MIT */
/* runtime.h - what a runtime is made of.
 *
 * Callers     as the public header says; log, fork_check: any thread.
 * State       stopped, shutdown: 0 then 1; stopped also back, by restart.
 *             exiting: STAY -> NOT_YET while threads are started -> STAY, or, where one was
 *             refused, EXIT -> STAY once they are gone; and STAY -> EXIT by destroy. No thread
 *             touches its worker before all are there: else the workers are freed again.
 *             mode: NEW -> STARTED (start) or DRIVEN (the first run form).
 *             tickets, quiet: see work.h.
 * Orders      P1  stopped: store (release) with the load (acquire) of who asks, and with the full
 *                 fence (idle.h) before a run form returns; shutdown: store (release) with
 *                 worker.c's load (acquire) before its handlers run. EXIT tells nothing but
 *                 itself.
 *             P2  worker_count (release, after the worker is ready) with its loads (acquire).
 *             P3  mode: back to NEW (release) with start's cas (acquire): what a start that failed
 *                 has planned.
 *             P4  exiting: STAY or EXIT (release) with the load (acquire) of a thread that waits
 *                 for it: how many workers there are.
 *             P5  start_guard: 1 (release, after the guard was taken) with guard_put's load
 *                 (acquire), which tells it from the caller's.
 * Checked by  tests/model/started.c, tests/model/driven.c, tests/model/destroy.c,
 *             tests/unit/runtime.c, tests/stress/destroy.c
 */
#ifndef SENNIT_RUNTIME_SCHED_RUNTIME_H
#define SENNIT_RUNTIME_SCHED_RUNTIME_H

#include "runtime/sched/settings.h"
#include "runtime/sched/worker.h"
#include "runtime/topology/plan.h"

enum { SENNIT__STAY, SENNIT__EXIT, SENNIT__NOT_YET }; /* exiting */

enum { SENNIT__MODE_NEW, SENNIT__MODE_STARTED, SENNIT__MODE_DRIVEN };

struct sennit_runtime {
	struct sennit_executor executor;
	struct sennit__settings settings;
	struct sennit__plan plan;
	volatile uint32_t *alive;  /* reads 0 in a forked child: the page is wiped there */
	unsigned prepared;         /* workers that are there; worker_count follows once they run */
	uint64_t created_ns;       /* no other runtime was created here then */

	_Alignas(64) struct sennit__atomic_u32 stopped;
	struct sennit__atomic_u32 shutdown;
	struct sennit__atomic_u32 exiting;
	struct sennit__atomic_u32 mode;
	struct sennit__atomic_u32 worker_count;
	struct sennit__atomic_u32 start_guard; /* 1 while start's guard is held */

	_Alignas(64) struct sennit__atomic_u64 guards;  /* work.h */
	struct sennit__atomic_u32 tickets;
	struct sennit__atomic_u32 quiet;

	_Alignas(64) struct sennit__atomic_u32 turn; /* whose turn it is among workers */

	/* idle.h: whose threads sleep inside; whether somebody has the right to search */
	_Alignas(64) struct sennit__atomic_u64 idle[SENNIT__WORKERS_MAX / 64];
	struct sennit__atomic_u32 searching;

	/* steal.h: whose deques may hold something; how many pushes to inject lists there were */
	_Alignas(64) struct sennit__atomic_u64 stocked[SENNIT__WORKERS_MAX / 64];
	struct sennit__atomic_u64 injected;

	struct sennit__worker *worker[SENNIT__WORKERS_MAX];
};

void sennit__log(const struct sennit_runtime *runtime, enum sennit_log_level level,
		 const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Misuse where the calling process is a forked child of the one that created the runtime, whose
 * word this is. */
static inline void sennit__alive_check(const volatile uint32_t *alive, const char *call)
{
	if (SENNIT__UNLIKELY(!*alive))
		sennit__misuse(call, "the runtime belongs to the parent of this forked process");
}

static inline void sennit__fork_check(const struct sennit_runtime *runtime, const char *call)
{
	sennit__alive_check(runtime->alive, call);
}

static inline unsigned sennit__worker_count(const struct sennit_runtime *runtime)
{
	return sennit__load_acquire_u32(&runtime->worker_count); /* P2 */
}

/* For who comes after it was settled, or cannot meet that. */
static inline uint32_t sennit__runtime_mode(const struct sennit_runtime *runtime)
{
	return sennit__load_relaxed_u32(&runtime->mode); /* relaxed: see above */
}

/* The worker that an object of `executor` or a task for it goes to: the executor's own, or for the
 * runtime's the calling one, off a worker each in turn. A strand's is that of what it is over. */
struct sennit__worker *sennit__runtime_place(struct sennit_executor *executor);

/* Each worker in turn, of those that have a thread inside; the first where none has. */
struct sennit__worker *sennit__runtime_next(struct sennit_runtime *runtime);

/* Whether the calling thread is inside a worker of the runtime, at any depth. */
bool sennit__runtime_inside(const struct sennit_runtime *runtime);

/* Has the system keep whole pages on the worker's memory node, once the runtime was started; with
 * `keep` false no longer. Any thread. */
void sennit__runtime_settle(struct sennit__worker *worker, void *pages, size_t size, bool keep);

/* Hands a task, ready to run, to an executor. Never runs it. */
void sennit__submit(struct sennit_executor *executor, struct sennit_task *task);

/* As submit, for what goes on with what runs now (defer, a strand's next turn): where any worker
 * may run it, it stays with the calling one, and nobody is woken for it. */
void sennit__submit_stay(struct sennit_executor *executor, struct sennit_task *task);

/* Starts the threads of a runtime, of which worker_count tells then, and ends them. */
int sennit__threads_start(struct sennit_runtime *runtime, unsigned count);
void sennit__threads_join(struct sennit_runtime *runtime, unsigned count);

#endif
