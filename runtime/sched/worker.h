/* SPDX-License-Identifier: MIT */
/* worker.h - one executor thread: its inbox, its queues, its turn.
 *
 * A *handler* is a task that runs user code, within the turn's budget. A *message* is a task that
 * the library sends a worker about something that it owns (an operation to start, an object to
 * close); its function is run when the inbox is drained, and never runs user code.
 *
 * Callers     send: any thread. Everything else: the thread inside the worker.
 * Ownership   the first two groups of fields are shared, as their comments say; the rest is the
 *             thread's that is inside. That thread is the one that took `inside` (P2).
 * State       inside: NOBODY; RUNNING, as always of a started runtime's worker; or VISITED, by a
 *             thread that looks or releases something and is gone at once: others wait for it.
 * Progress    send: lock-free. turn: bounded by its budget.
 * Orders      P2  leave inside (release)  with  enter (acquire): the worker's own fields.
 *             P3  store of runtime's stopped (release) as in runtime.P1; its shutdown (release)
 *                 with the load (acquire) of who tells handlers: what was done before destroy.
 * Checked by  tests/unit/runtime.c, tests/stress/post.c, tests/stress/destroy.c,
 *             tests/model/idle.c
 */
#ifndef SENNIT_RUNTIME_SCHED_WORKER_H
#define SENNIT_RUNTIME_SCHED_WORKER_H

#include "runtime/base/atomic.h"
#include "runtime/base/clock.h"
#include "runtime/base/list.h"
#include "runtime/base/misuse.h"
#include "runtime/queue/deque.h"
#include "runtime/queue/inbox.h"
#include "runtime/sched/counters.h"
#include "runtime/timer/wheel.h"

#include <pthread.h>
#include <sennit/runtime.h>

/* Handlers in one turn, after which events are looked for. */
#define SENNIT__TURN 61

/* What is reported where a handler forks and returns in the child, whose descriptors are shared. */
#define SENNIT__FORKED "a handler that returns in a forked child"

/* Timers that are moved in one turn, and that are handed over. */
#define SENNIT__TURN_TIMERS 256

/* Nested dispatches, after which dispatch posts. */
#define SENNIT__NESTED_MAX 16

/* Continuations in a row, each named by the one before, after which defer posts. */
#define SENNIT__DEFERRED_MAX 16

/* task->class_ */
enum { SENNIT__HANDLER, SENNIT__MESSAGE };

/* executor->kind_ */
enum {
	SENNIT__EXECUTOR_RUNTIME = 1,
	SENNIT__EXECUTOR_WORKER,
	SENNIT__EXECUTOR_STRAND,
	SENNIT__EXECUTOR_INLINE,
};

struct sennit__frame; /* strand.h */

struct sennit__worker {
	/* any thread pushes */
	_Alignas(64) struct sennit__inbox inbox;
	struct sennit__inbox inject;
	struct sennit__atomic_u32 inside;
	struct sennit__atomic_ptr driver_thread; /* that was inside last, of a driven runtime */

	/* the owner writes when it announces its sleep, any worker reads */
	_Alignas(64) struct sennit__atomic_u64 begun_published;
	struct sennit__atomic_u64 ended_published;

	/* the thread inside adds, any thread reads */
	_Alignas(64) struct sennit__counters counters;

	/* constant once created */
	_Alignas(64) struct sennit_executor executor;
	const struct sennit_executor *everywhere; /* the runtime's */
	const volatile uint32_t *alive;           /* reads 0 in a forked child */
	const uint16_t *victims;   /* the others, nearest first; NULL: by their numbers */
	unsigned index;
	bool several;              /* there are others */
	uint64_t spin_ns;          /* looks for work so long before it sleeps */
	int pollable_fd;
	void *driver;

	/* the thread's that is inside */
	uint64_t begun;                /* units of work, see work.h */
	uint64_t ended;
	uint64_t in_flight;            /* operations of ours, received and not finished */
	struct sennit__queue pinned;   /* handlers that only this worker runs; all, of a sole one */
	struct sennit__queue messages; /* taken from the inbox, not looked at yet */
	struct sennit_task *deferred;  /* is run next; of a row, by a task of the worker's own */
	struct sennit_task row;
	unsigned row_length;           /* how many of the row have begun; 0: there is none */
	struct sennit__worker *outer;  /* what the thread was inside of when it came in */
	uint64_t now_ns;               /* when the last wait ended */
	uint64_t driver_ns;            /* when the driver must be asked again; 0: no such time */
	int64_t wakes_owed;            /* PARKED taken by others, less the wakes read */
	struct sennit__frame *frame;   /* the strand that the thread is inside of, and so on */
	uint64_t budget;               /* handlers that this turn may still run */
	unsigned turn;                 /* counts turns */
	int shutdown;                  /* what handlers and starts end with: 0, SENNIT_SHUTDOWN */
	unsigned nested;               /* dispatches and conditions below us on the stack */
	bool parked;                   /* we announced, and did not retract yet */
	bool woken;                    /* by others, from the last sleep */
	bool settling;                 /* messages are being looked at */
	bool asking;                   /* a completion condition is being called */
	bool behind;                   /* messages wait, or asking, or shutdown: the long way */
	bool alternate;                /* whose turn it is: the deque or pinned */
	bool listed;                   /* our bit in runtime->idle is set */
	bool stocked;                  /* and that in runtime->stocked */
	bool searching;                /* we have the right to search (idle.h) */
	struct sennit_task *haul;      /* what was stolen and runs next: the first of pinned */
	bool seen;                     /* our last look before we slept saw work elsewhere */
	uint64_t injected_seen;        /* by so many pushes the others' inject lists were vacant */
	unsigned awake;                /* who was, when we last looked for the end of work */
	bool more;                     /* the driver could do more at once */
	bool swept;                    /* and what was in flight was ended */
	unsigned rest_turn;            /* when the rest was last served */
	struct sennit_task invitation; /* pushed to us by who invites */
	unsigned rounds;               /* of handlers in shutdown that came from handlers here */
	unsigned visits;               /* of handlers in shutdown that came from elsewhere */
	pthread_t thread;              /* of a started runtime */
	int refused;                   /* why it is not bound: 0 or -errno; once it was started */

	/* handlers that any of several workers may run: ours to add, everybody's to take */
	struct sennit__deque deque;

	struct sennit__wheel wheel;    /* the last: most of it is not initialised */
};

/* The worker that the calling thread is inside of, or NULL. */
extern _Thread_local struct sennit__worker *sennit__current
	__attribute__((visibility("hidden"), tls_model("initial-exec")));

/* Behind the worker there are the bytes that the driver asks for. */
int sennit__worker_init(struct sennit__worker *worker, struct sennit_runtime *runtime,
			unsigned index);
void sennit__worker_fini(struct sennit__worker *worker);

/* Gives `task` to a worker that the calling thread is not inside of; or to its own, for what is to
 * have its turn behind what else was sent. */
void sennit__worker_send(struct sennit__worker *worker, struct sennit_task *task);

/* worker->inside */
enum { SENNIT__NOBODY, SENNIT__RUNNING, SENNIT__VISITED };

/* Reserves the worker for a thread, RUNNING or VISITED; false where one runs it. Waits for a
 * visitor to leave. */
bool sennit__worker_claim(struct sennit__worker *worker, uint32_t as)
	__attribute__((warn_unused_result));

/* Makes the calling thread the one that the worker was claimed for. */
void sennit__worker_adopt(struct sennit__worker *worker);

/* Claims and adopts. */
bool sennit__worker_enter(struct sennit__worker *worker, uint32_t as)
	__attribute__((warn_unused_result));

/* Undoes a claim, of a thread that is not inside (any more). */
void sennit__worker_vacate(struct sennit__worker *worker);
void sennit__worker_leave(struct sennit__worker *worker);

/* Looks at everything in the inbox and the inject list. */
void sennit__worker_settle(struct sennit__worker *worker);

/* Notices that the runtime is being destroyed. It is asked whenever something was taken from
 * others: what they sent after they had seen it ends with SENNIT_SHUTDOWN here too. */
void sennit__worker_notice_shutdown(struct sennit__worker *worker);

/* Runs at most `most` handlers and flushes. */
uint64_t sennit__worker_turn(struct sennit__worker *worker, uint64_t most);

/* Announces that the thread is about to leave, and looks for the end of work. */
void sennit__worker_retire(struct sennit__worker *worker);

/* Sleeps until there is something to do or until_ns has come (SENNIT__NEVER); may return for no
 * reason. Of a driven runtime it finds the end of work instead, stops the runtime and leaves the
 * worker parked. */
void sennit__worker_park_until(struct sennit__worker *worker, uint64_t until_ns);

static inline void sennit__worker_park(struct sennit__worker *worker)
{
	sennit__worker_park_until(worker, SENNIT__NEVER);
}

/* Of a worker that has retired: for how many nanoseconds nothing is to be done unless its
 * descriptor tells; 0 where there is something, -1: no limit. */
int64_t sennit__worker_idle_ns(struct sennit__worker *worker);

/* Collects events without waiting; whether there is something to do now. */
bool sennit__worker_collect(struct sennit__worker *worker);

/* While shutting down on a thread that is not the runtime's: whether no work is left; waits for
 * something to come where there is. */
bool sennit__worker_wait_for_end(struct sennit__worker *worker) __attribute__((warn_unused_result));

/* Whether something can be done without waiting. */
static inline bool sennit__worker_busy(const struct sennit__worker *worker)
{
	return worker->pinned.head || !sennit__deque_empty(&worker->deque) ||
	       worker->messages.head || worker->more || sennit__wheel_late(&worker->wheel);
}

/* Ends what there is with SENNIT_SHUTDOWN and runs handlers until nothing is ready. */
void sennit__worker_shutdown(struct sennit__worker *worker);

/* Whether something must be looked at before anything is started on the owner. */
static inline bool sennit__worker_behind(const struct sennit__worker *worker)
{
	return !sennit__inbox_empty(&worker->inbox) || worker->behind;
}

/* Before anything is started on the owner: what was sent before is looked at first. Where that is
 * going on, on this very stack, it goes on afterwards: what a stream type starts from there is in
 * order with what else it does. And where the worker is collecting events while it counts as
 * asleep, its inbox is PARKED: what comes of an event is in order with that alone. */
static inline void sennit__worker_catch_up(struct sennit__worker *worker, const char *call)
{
	if (SENNIT__LIKELY(!sennit__worker_behind(worker)))
		return;
	if (worker->asking)
		sennit__misuse(call, "called from inside a completion condition");
	if (!worker->settling && !worker->parked)
		sennit__worker_settle(worker);
}

/* Units of work begin, or one ends, on this worker. See work.h. */
static inline void sennit__worker_begin_taken(struct sennit__worker *worker, uint64_t units)
{
	worker->begun += units;
	SENNIT__TALLY(worker, posts_remote, units);
}

static inline void sennit__worker_begin(struct sennit__worker *worker)
{
	worker->begun++;
}

static inline void sennit__worker_end(struct sennit__worker *worker)
{
	worker->ended++;
}

/* Queues a handler whose unit has begun already. */
static inline void sennit__worker_queue(struct sennit__worker *worker, struct sennit_task *task)
{
	sennit__queue_push(&worker->pinned, task);
}

/* As above, but it is run before all others that are queued. */
static inline void sennit__worker_queue_first(struct sennit__worker *worker,
					      struct sennit_task *task)
{
	sennit__queue_push_first(&worker->pinned, task);
	worker->alternate = true; /* so that it is not the other queue's turn */
}

/* Keeps a handler whose unit has begun already where all can take it. */
void sennit__worker_keep(struct sennit__worker *worker, struct sennit_task *task);

/* The other worker of that rank, 0 to count - 2, the nearest first. */
struct sennit__worker *sennit__worker_victim(const struct sennit__worker *worker, unsigned count,
					     unsigned rank);

static inline struct sennit__worker *sennit__worker_of(struct sennit_executor *executor)
{
	return (struct sennit__worker *)(void *)((char *)executor -
						 offsetof(struct sennit__worker, executor));
}

#endif
