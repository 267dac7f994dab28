/* SPDX-License-Identifier: MIT */
/* idle.c - the protocol is in idle.h. Checked by tests/stress/post.c, tests/unit/runtime.c,
 * tests/model/idle.c
 */
#include "runtime/sched/idle.h"

#include "runtime/sched/driver.h"

/* What fence_full works on: the thread's own, as it asks. */
static _Thread_local struct sennit__atomic_u32 fence_word;

static void send_wake(struct sennit__worker *worker)
{
	if (sennit__current)
		SENNIT__TALLY(sennit__current, wakes_sent, 1);
	sennit__driver.wake(worker);
}

void sennit__idle_send(struct sennit__worker *worker, struct sennit_task *task)
{
	if (sennit__inbox_push(&worker->inbox, task))
		send_wake(worker);
}

void sennit__idle_wake(struct sennit__worker *worker)
{
	sennit__fence_full(&fence_word); /* P1 */
	if (sennit__inbox_take_parked(&worker->inbox))
		send_wake(worker);
}

bool sennit__idle_announce(struct sennit__worker *worker)
{
	SENNIT__ASSERT(!worker->parked);
	/* relaxed: it is published by the head that says PARKED (inbox.P2) */
	sennit__store_relaxed_u64(&worker->begun_published, worker->begun);
	sennit__store_release_u64(&worker->ended_published, worker->ended); /* work.P1 */
	if (!sennit__inbox_announce(&worker->inbox))
		return false;
	worker->parked = true;
	sennit__fence_full(&fence_word); /* P1 */
	return true;
}

static void note_wake(struct sennit__worker *worker)
{
	worker->wakes_owed++;
	SENNIT__TALLY(worker, wakes_received, 1);
	worker->woken = true;
}

void sennit__idle_retract(struct sennit__worker *worker)
{
	uint64_t taken = 0;

	SENNIT__ASSERT(worker->parked);
	worker->parked = false;
	if (sennit__inbox_drain(&worker->inbox, &worker->messages, &taken) !=
	    SENNIT__DRAINED_PARKED)
		note_wake(worker);
	if (taken) {
		sennit__worker_begin_taken(worker, taken);
		worker->behind = true;
	}
}
