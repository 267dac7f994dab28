/* SPDX-License-Identifier: MIT */
/* worker.c - the turn of an executor thread. The protocol is in worker.h.
 * Checked by tests/unit/runtime.c, tests/stress/post.c, tests/stress/destroy.c, tests/model/idle.c
 */
#include "runtime/sched/worker.h"

#include "runtime/base/futex.h"
#include "runtime/sched/driver.h"
#include "runtime/sched/idle.h"
#include "runtime/sched/steal.h"
#include "runtime/sched/work.h"

#include <sennit/error.h>
#include <string.h>

/* Rounds of handlers that destroy is patient for: of those that came from handlers on the same
 * worker, one after the other; and of those that came from elsewhere, which may come one by one. */
#define ROUNDS_MAX 1000
#define VISITS_MAX 1000000

_Thread_local struct sennit__worker *sennit__current;

int sennit__worker_init(struct sennit__worker *worker, struct sennit_runtime *runtime,
			unsigned index)
{
	memset(worker, 0, offsetof(struct sennit__worker, wheel));
	sennit__wheel_init(&worker->wheel, 0);
	sennit__inbox_init(&worker->inbox, true); /* nobody is inside */
	sennit__inbox_init(&worker->inject, false);
	worker->parked = true;
	worker->executor.runtime_ = runtime;
	worker->executor.kind_ = SENNIT__EXECUTOR_WORKER;
	worker->everywhere = &runtime->executor;
	worker->alive = runtime->alive;
	worker->index = index;
	worker->driver = sennit__driver.size ? worker + 1 : NULL;
	sennit__queue_init(&worker->pinned);
	sennit__deque_init(&worker->deque);
	sennit__queue_init(&worker->messages);
	worker->invitation.class_ = SENNIT__MESSAGE;
	worker->invitation.function_ = sennit__idle_invited;
	return sennit__driver.init(worker);
}

void sennit__worker_fini(struct sennit__worker *worker)
{
	if (worker->parked) /* counts a wake that is owed for this last sleep */
		sennit__idle_retract(worker);
	if (worker->stocked)
		sennit__steal_sold_out(worker);
	sennit__driver.fini(worker);
}

void sennit__worker_send(struct sennit__worker *worker, struct sennit_task *task)
{
	sennit__fork_check(worker->executor.runtime_, "a call from another thread");
	sennit__idle_send(worker, task);
}

bool sennit__worker_claim(struct sennit__worker *worker, uint32_t as)
{
	uint32_t found = SENNIT__NOBODY;

	while (!sennit__cas_acquire_u32(&worker->inside, &found, as)) { /* P2 */
		if (found == SENNIT__RUNNING)
			return false;
		if (found == SENNIT__VISITED)
			sennit__futex_wait(&worker->inside, SENNIT__VISITED, -1);
		found = SENNIT__NOBODY;
	}
	return true;
}

void sennit__worker_adopt(struct sennit__worker *worker)
{
	worker->outer = sennit__current;
	sennit__current = worker;
	worker->now_ns = sennit__clock_now();
	sennit__idle_retract(worker);
}

bool sennit__worker_enter(struct sennit__worker *worker, uint32_t as)
{
	if (!sennit__worker_claim(worker, as))
		return false;
	sennit__worker_adopt(worker);
	return true;
}

void sennit__worker_vacate(struct sennit__worker *worker)
{
	/* relaxed: our own */
	uint32_t was = sennit__load_relaxed_u32(&worker->inside);

	sennit__store_release_u32(&worker->inside, SENNIT__NOBODY); /* P2 */
	if (was == SENNIT__VISITED)
		sennit__futex_wake_all(&worker->inside);
}

struct sennit__worker *sennit__worker_victim(const struct sennit__worker *worker, unsigned count,
					     unsigned rank)
{
	const struct sennit_runtime *runtime = worker->executor.runtime_;
	unsigned index = worker->index + 1 + rank;

	if (worker->victims)
		return runtime->worker[worker->victims[rank]];
	return runtime->worker[index < count ? index : index - count];
}

/* Whether the runtime was stopped, or its destruction is news to this worker. */
static bool told_to_stop(const struct sennit__worker *worker)
{
	const struct sennit_runtime *runtime = worker->executor.runtime_;

	/* relaxed: falling asleep fences before the run form returns */
	return sennit__load_relaxed_u32(&runtime->stopped) ||
	       /* relaxed: settle asks again, with acquire */
	       (sennit__load_relaxed_u32(&runtime->shutdown) && !worker->swept);
}

/* What was stolen and is not run here, as the runtime was stopped, others can take again. It may
 * come to the inject list, so this is counted before the counts are published. */
static void put_back(struct sennit__worker *worker)
{
	if (worker->haul)
		sennit__worker_keep(worker, sennit__queue_pop(&worker->pinned));
	worker->haul = NULL;
}

/* What counts from the end of the turn counts from now. */
static void stamp(struct sennit__worker *worker)
{
	if (SENNIT__UNLIKELY(sennit__wheel_unstamped(&worker->wheel)))
		sennit__wheel_stamp(&worker->wheel, sennit__clock_now());
}

/* Is away from now on, with nothing left unlooked at, and nothing that waits for a turn. */
static void go_away(struct sennit__worker *worker)
{
	if (worker->parked)
		return;
	put_back(worker);
	do {
		sennit__worker_settle(worker);
		if (worker->searching)
			sennit__idle_search_over(worker);
	} while (!sennit__idle_announce(worker, SENNIT__AWAY));
	stamp(worker);
}

/* What a visit has left to do the worker's descriptor tells, as if it had been sent. And who looked
 * for the end of work meanwhile found a worker that was not PARKED: where none is left one is
 * woken, who looks again. */
static void tell_of_visit(struct sennit__worker *worker)
{
	if (sennit__worker_busy(worker))
		sennit__idle_wake(worker);
	else if (worker->several && sennit__work_none_left(worker))
		sennit__idle_wake_one(worker->executor.runtime_);
}

/* What any worker may run and is left here, or anywhere, others are told of: who gave it may have
 * relied on this one, which was inside. */
static void leave_to_others(struct sennit__worker *worker)
{
	/* relaxed: our own */
	if (sennit__load_relaxed_u32(&worker->inside) == SENNIT__VISITED)
		tell_of_visit(worker);
	if (!worker->several || worker->shutdown || told_to_stop(worker))
		return;
	if (sennit__deque_vacant(&worker->deque) && sennit__inbox_vacant(&worker->inject) &&
	    !sennit__steal_any(worker))
		return;
	if (worker->index)
		sennit__idle_offer_all(worker);
	else /* the first one's own descriptor does not tell what it left undone itself */
		sennit__idle_offer(worker);
}

void sennit__worker_leave(struct sennit__worker *worker)
{
	go_away(worker);
	leave_to_others(worker);
	sennit__current = worker->outer;
	worker->outer = NULL;
	sennit__worker_vacate(worker);
}

void sennit__worker_notice_shutdown(struct sennit__worker *worker)
{
	const struct sennit_runtime *runtime = worker->executor.runtime_;

	if (sennit__load_acquire_u32(&runtime->shutdown)) { /* P3 */
		worker->shutdown = SENNIT_SHUTDOWN;
		worker->behind = true;
	}
}

/* Takes what others have put here for any worker, once what came before it is in the ring. */
static void take_injected(struct sennit__worker *worker)
{
	struct sennit__queue queue;
	uint64_t taken = 0;

	if (sennit__inbox_empty(&worker->inject) || worker->deque.rest_kept)
		return;
	sennit__queue_init(&queue);
	sennit__inbox_drain(&worker->inject, &queue, &taken);
	sennit__worker_begin_taken(worker, taken);
	sennit__steal_share(worker, queue.head);
	sennit__worker_notice_shutdown(worker);
	if (worker->several && taken > 1) /* who looked meanwhile has not seen them */
		sennit__idle_offer(worker);
}

void sennit__worker_keep(struct sennit__worker *worker, struct sennit_task *task)
{
	sennit__steal_stock(worker);
	if (SENNIT__LIKELY(sennit__deque_push(&worker->deque, task)))
		return;
	/* begun again by who takes it out of there */
	sennit__steal_inject(worker, task);
	sennit__worker_end(worker);
}

void sennit__worker_settle(struct sennit__worker *worker)
{
	uint64_t taken = 0;

	if (!sennit__inbox_empty(&worker->inbox)) {
		sennit__inbox_drain(&worker->inbox, &worker->messages, &taken);
		sennit__worker_begin_taken(worker, taken);
	}
	SENNIT__ASSERT(!worker->parked);
	sennit__worker_notice_shutdown(worker);
	worker->settling = true;
	while (!sennit__queue_empty(&worker->messages)) {
		struct sennit_task *task = sennit__queue_pop(&worker->messages);

		if (task->class_ == SENNIT__HANDLER)
			sennit__worker_queue(worker, task);
		else
			task->function_(task, 0);
	}
	worker->settling = false;
	worker->behind = worker->shutdown != 0; /* then starts take the long way, and end there */
}

/* The first of the rest; others of it go to the ring. */
static struct sennit_task *next_of_rest(struct sennit__worker *worker)
{
	struct sennit_task *task = sennit__deque_take_rest(&worker->deque);

	worker->rest_turn = worker->turn;
	sennit__steal_share(worker, task ? task->next_ : NULL);
	if (worker->several && !sennit__deque_empty(&worker->deque))
		sennit__idle_offer(worker); /* who looked meanwhile has not seen them */
	return task;
}

/* The oldest handler of the deque and the pinned queue, by turns; and once a turn of the rest. */
static struct sennit_task *next_of_all(struct sennit__worker *worker)
{
	struct sennit_task *task = NULL;

	worker->alternate = !worker->alternate;
	if (worker->alternate || !worker->pinned.head) {
		if (worker->deque.rest_kept && worker->rest_turn != worker->turn)
			task = next_of_rest(worker);
		if (!task)
			task = sennit__deque_take(&worker->deque);
	}
	if (!task && worker->pinned.head)
		task = sennit__queue_pop(&worker->pinned);
	if (!task && worker->deque.rest_kept)
		task = next_of_rest(worker);
	return task;
}

static inline struct sennit_task *next_handler(struct sennit__worker *worker)
{
	if (SENNIT__LIKELY(sennit__deque_empty(&worker->deque)))
		return worker->pinned.head ? sennit__queue_pop(&worker->pinned) : NULL;
	if (!worker->pinned.head && !worker->deque.rest_kept)
		return sennit__deque_take(&worker->deque);
	return next_of_all(worker);
}

/* Runs at most `most` handlers, and none once the runtime is stopped. */
static uint64_t run_handlers(struct sennit__worker *worker, uint64_t most)
{
	const struct sennit_runtime *runtime = worker->executor.runtime_;
	const volatile uint32_t *alive = worker->alive;
	struct sennit_task *task;

	worker->budget = most;
	/* relaxed: falling asleep fences before the run form returns */
	while (worker->budget && !sennit__load_relaxed_u32(&runtime->stopped) &&
	       (task = next_handler(worker))) {
		worker->budget--; /* a strand's turn takes it back, and counts its own */
		task->state_ = 0;
		task->function_(task, worker->shutdown);
		sennit__alive_check(alive, SENNIT__FORKED);
		sennit__worker_end(worker);
	}
	if (worker->budget != most)
		worker->haul = NULL; /* it was the first */
	SENNIT__TALLY(worker, handlers, most - worker->budget);
	return most - worker->budget;
}

static inline bool handlers_left(const struct sennit__worker *worker)
{
	return worker->pinned.head || !sennit__deque_empty(&worker->deque);
}

static void search_as_invited(struct sennit__worker *worker)
{
	if (sennit__steal_search(worker))
		sennit__worker_notice_shutdown(worker);
	else
		sennit__idle_pass_on(worker);
}

/* Hands over what is due by the time that the last wait ended. */
static void expire(struct sennit__worker *worker)
{
	if (sennit__wheel_idle(&worker->wheel))
		return;
	sennit__wheel_advance(&worker->wheel, worker->now_ns, SENNIT__TURN_TIMERS);
	if (sennit__wheel_late(&worker->wheel))
		sennit__driver.expire(worker, SENNIT__TURN_TIMERS);
}

uint64_t sennit__worker_turn(struct sennit__worker *worker, uint64_t most)
{
	uint64_t ran = 0;

	worker->turn++;
	take_injected(worker);
	sennit__worker_settle(worker);
	expire(worker);
	if (SENNIT__UNLIKELY(worker->searching))
		search_as_invited(worker);
	do {
		ran += run_handlers(worker, most - ran);
		worker->more = sennit__driver.flush(worker);
	} while (ran < most && handlers_left(worker) && !told_to_stop(worker));
	stamp(worker);
	return ran;
}

/* What can be given to a sleeping worker without a push to its inbox. */
static bool look_again(struct sennit__worker *worker)
{
	const struct sennit_runtime *runtime = worker->executor.runtime_;

	if (!sennit__inbox_vacant(&worker->inject) || told_to_stop(worker) ||
	    /* relaxed: all that matters is that it comes after the fence (idle.P1) */
	    sennit__load_relaxed_u32(&runtime->exiting))
		return true;
	worker->seen = worker->several && sennit__steal_any(worker);
	return worker->seen;
}

/* After announcing: looks for the end of work, which stops a driven runtime. */
static bool out_of_work(struct sennit__worker *worker)
{
	struct sennit_runtime *runtime = worker->executor.runtime_;

	if (!sennit__work_none_left(worker) || worker->shutdown)
		return false;
	/* relaxed: settled before this thread came in */
	if (sennit__load_relaxed_u32(&runtime->mode) != SENNIT__MODE_DRIVEN)
		return false;
	sennit__store_release_u32(&runtime->stopped, 1); /* P3 */
	if (worker->several)
		sennit__idle_wake_others(runtime, worker);
	return true;
}

void sennit__worker_retire(struct sennit__worker *worker)
{
	go_away(worker);
	out_of_work(worker);
}

/* So often what others write is looked at before the kernel is asked. */
#define SPIN_LOOKS 100

/* Whether something was given to the worker, or there is a reason to sleep, or not to stay. */
static bool spin_ends(const struct sennit__worker *worker, bool *found)
{
	const struct sennit_runtime *runtime = worker->executor.runtime_;

	*found = !sennit__inbox_empty(&worker->inbox) || !sennit__inbox_empty(&worker->inject) ||
		 told_to_stop(worker) ||
		 sennit__load_relaxed_u32(&runtime->exiting); /* relaxed: as in look_again */
	return *found || sennit__work_awaited(runtime);
}

/* Looks for work without announcing that it sleeps, so that nobody has to wake it; whether there is
 * something, or it is until_ns. Who waits for the end of work is not kept waiting. */
static bool spin(struct sennit__worker *worker, uint64_t until_ns)
{
	uint64_t end_ns = sennit__clock_add(sennit__clock_now(), worker->spin_ns);
	bool found;

	do {
		for (unsigned i = 0; i < SPIN_LOOKS; i++) {
			if (spin_ends(worker, &found))
				return found;
			sennit__stall();
		}
		if (sennit__worker_collect(worker) ||
		    (worker->several && sennit__steal_search(worker)))
			return true;
		if (worker->now_ns >= until_ns)
			return true;
	} while (worker->now_ns < end_ns);
	return false;
}

void sennit__worker_park_until(struct sennit__worker *worker, uint64_t until_ns)
{
	uint64_t next_ns;

	/* while it shuts down a worker has work of others only where it saw it */
	if ((worker->searching || worker->seen || (worker->several && !worker->shutdown)) &&
	    sennit__steal_search(worker))
		return;
	if (worker->spin_ns && !worker->shutdown && spin(worker, until_ns))
		return;
	if (worker->stocked && sennit__deque_empty(&worker->deque))
		sennit__steal_sold_out(worker);
	if (!sennit__idle_announce(worker, SENNIT__ASLEEP))
		return;
	if (!look_again(worker) && !out_of_work(worker)) {
		SENNIT__TALLY(worker, parks, 1);
		worker->woken = false;
		next_ns = sennit__wheel_next(&worker->wheel);
		sennit__driver.wait(worker, next_ns < until_ns ? next_ns : until_ns);
		worker->now_ns = sennit__clock_now();
	}
	sennit__idle_retract(worker);
	if (worker->woken && !sennit__worker_busy(worker) && !look_again(worker))
		SENNIT__TALLY(worker, wakes_spurious, 1);
	worker->woken = false;
}

int64_t sennit__worker_idle_ns(struct sennit__worker *worker)
{
	uint64_t next_ns = sennit__wheel_next(&worker->wheel);
	uint64_t now_ns;

	if (sennit__worker_busy(worker) || look_again(worker))
		return 0;
	if (worker->driver_ns && worker->driver_ns < next_ns)
		next_ns = worker->driver_ns;
	if (next_ns == SENNIT__NEVER)
		return -1;
	now_ns = sennit__clock_now();
	if (next_ns <= now_ns)
		return 0;
	return next_ns - now_ns < INT64_MAX ? (int64_t)(next_ns - now_ns) : INT64_MAX;
}

bool sennit__worker_collect(struct sennit__worker *worker)
{
	sennit__driver.wait(worker, 0);
	worker->now_ns = sennit__clock_now();
	return sennit__worker_busy(worker) || !sennit__inbox_empty(&worker->inbox) ||
	       !sennit__inbox_empty(&worker->inject) ||
	       sennit__wheel_next(&worker->wheel) <= worker->now_ns;
}

bool sennit__worker_wait_for_end(struct sennit__worker *worker)
{
	bool end = false;

	if (!sennit__idle_announce(worker, SENNIT__AWAY)) /* nobody invites us */
		return false;
	if (sennit__inbox_vacant(&worker->inject) &&
	    !(worker->several && sennit__steal_any(worker))) {
		end = sennit__work_none_left(worker);
		if (!end)
			sennit__driver.wait(worker, SENNIT__NEVER);
	}
	sennit__idle_retract(worker);
	return end && sennit__queue_empty(&worker->messages);
}

/* A round is about to run, of handlers that were here already, or came from elsewhere. */
static void count_round(struct sennit__worker *worker, bool from_here)
{
	if (!from_here) {
		worker->rounds = 0;
		worker->visits++;
	} else {
		worker->rounds++;
	}
	if (worker->rounds > ROUNDS_MAX || worker->visits > VISITS_MAX)
		sennit__misuse("sennit_runtime_destroy",
			       "a handler kept starting work for 1,000 rounds");
}

/* All that the deque has. */
static void take_shared(struct sennit__worker *worker, struct sennit__queue *batch)
{
	struct sennit_task *task;
	struct sennit_task *chain;

	while ((task = sennit__deque_take(&worker->deque)))
		sennit__queue_push(batch, task);
	chain = sennit__deque_take_rest(&worker->deque);
	sennit__deque_keep_rest(&worker->deque, NULL);
	while (chain) {
		struct sennit_task *next = chain->next_;

		sennit__queue_push(batch, chain);
		chain = next;
	}
}

/* One round: the handlers that are queued now, however many. False where there is none. */
static bool shutdown_round(struct sennit__worker *worker)
{
	bool from_here = handlers_left(worker);
	struct sennit__queue batch;

	sennit__queue_init(&batch);
	sennit__worker_settle(worker);
	sennit__queue_append(&batch, &worker->pinned);
	worker->haul = NULL;
	take_shared(worker, &batch);
	take_injected(worker);
	take_shared(worker, &batch);
	if (sennit__queue_empty(&batch))
		return false;
	count_round(worker, from_here);
	worker->budget = UINT64_MAX; /* a strand's turn runs what is there now, however much */
	while (!sennit__queue_empty(&batch)) {
		struct sennit_task *task = sennit__queue_pop(&batch);

		task->state_ = 0;
		task->function_(task, SENNIT_SHUTDOWN);
		sennit__fork_check(worker->executor.runtime_, SENNIT__FORKED);
		sennit__worker_end(worker);
	}
	return true;
}

void sennit__worker_shutdown(struct sennit__worker *worker)
{
	do {
		if (!worker->swept) {
			worker->swept = true;
			sennit__worker_settle(worker);
			sennit__driver.cancel(worker, SENNIT_SHUTDOWN);
		}
		worker->turn++;
	} while (shutdown_round(worker) || !worker->swept);
	worker->more = false;
}
