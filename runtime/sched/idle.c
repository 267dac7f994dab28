/* SPDX-License-Identifier: MIT */
/* idle.c - the protocol is in idle.h. Checked by tests/stress/post.c, tests/stress/steal.c,
 * tests/unit/runtime.c, tests/model/idle.c, tests/model/invite.c
 */
#include "runtime/sched/idle.h"

#include "runtime/sched/driver.h"
#include "runtime/sched/runtime.h"
#include "runtime/sched/steal.h"

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

/* After a fence. */
static bool wake(struct sennit__worker *worker)
{
	bool took = sennit__inbox_take_parked(&worker->inbox);

	if (took)
		send_wake(worker);
	return took;
}

void sennit__idle_wake(struct sennit__worker *worker)
{
	sennit__fence_full(&fence_word); /* P1 */
	wake(worker);
}

void sennit__idle_wake_others(struct sennit_runtime *runtime, const struct sennit__worker *self)
{
	unsigned count = sennit__worker_count(runtime);

	sennit__fence_full(&fence_word); /* P1 */
	for (unsigned i = 0; i < count; i++)
		if (runtime->worker[i] != self)
			wake(runtime->worker[i]);
}

/* --- who sleeps ------------------------------------------------------------------------------- */

static bool listed(const struct sennit_runtime *runtime, unsigned index)
{
	/* relaxed: a hint, whose freshness is the fences' */
	return sennit__load_relaxed_u64(&runtime->idle[index / 64]) >> index % 64 & 1;
}

/* Whether any bit is set. */
static bool any_listed(const struct sennit_runtime *runtime, unsigned count)
{
	for (unsigned i = 0; i < count; i += 64)
		/* relaxed: as in listed */
		if (sennit__load_relaxed_u64(&runtime->idle[i / 64]))
			return true;
	return false;
}

/* Only the owner changes its bit, so to add it is to set it. */
static void list(struct sennit__worker *worker)
{
	struct sennit_runtime *runtime = worker->executor.runtime_;

	worker->listed = true;
	/* relaxed: the fence that follows it */
	sennit__fetch_add_relaxed_u64(&runtime->idle[worker->index / 64],
				      (uint64_t)1 << worker->index % 64);
}

static void unlist(struct sennit__worker *worker)
{
	struct sennit_runtime *runtime = worker->executor.runtime_;

	if (!worker->listed)
		return;
	worker->listed = false;
	/* relaxed: that it is clear tells nothing */
	sennit__fetch_add_relaxed_u64(&runtime->idle[worker->index / 64],
				      (uint64_t)0 - ((uint64_t)1 << worker->index % 64));
}

void sennit__idle_wake_one(struct sennit_runtime *runtime)
{
	unsigned count = sennit__worker_count(runtime);

	sennit__fence_full(&fence_word); /* P1 */
	if (count > 1 && any_listed(runtime, count))
		for (unsigned i = 0; i < count; i++)
			if (listed(runtime, i) && wake(runtime->worker[i]))
				return;
	wake(runtime->worker[0]); /* who is awake inside looks before he sleeps */
}

/* --- invitations ------------------------------------------------------------------------------ */

/* The others, the nearest first, on a worker; elsewhere, where nobody is near, from `near` on. */
static struct sennit__worker *candidate(struct sennit__worker *near, unsigned count, unsigned rank)
{
	if (near == sennit__current)
		return rank ? sennit__worker_victim(near, count, rank - 1) : near;
	return near->executor.runtime_->worker[(near->index + rank) % count];
}

static bool invite(struct sennit__worker *worker)
{
	if (!sennit__inbox_invite(&worker->inbox, &worker->invitation))
		return false;
	send_wake(worker);
	return true;
}

static bool invite_nearest(struct sennit__worker *near, unsigned count)
{
	const struct sennit_runtime *runtime = near->executor.runtime_;

	for (unsigned i = 0; i < count; i++) {
		struct sennit__worker *worker = candidate(near, count, i);

		if (listed(runtime, worker->index) && invite(worker))
			return true;
	}
	return false;
}

static bool somebody_sleeps(struct sennit_runtime *runtime, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (listed(runtime, i) && sennit__inbox_asleep(&runtime->worker[i]->inbox))
			return true;
	return false;
}

/* After a fence: somebody is listed. */
static void offer(struct sennit__worker *near, unsigned count)
{
	struct sennit_runtime *runtime = near->executor.runtime_;

	/* relaxed: the fence before it, and the one after the word is 0 again, are the order */
	if (sennit__load_relaxed_u32(&runtime->searching))
		return;
	do {
		uint32_t nobody = 0;

		/* relaxed: as above */
		if (!sennit__cas_relaxed_u32(&runtime->searching, &nobody, 1))
			return;
		if (invite_nearest(near, count))
			return;
		sennit__store_relaxed_u32(&runtime->searching, 0); /* relaxed: as above */
		sennit__fence_full(&fence_word);                   /* P1 */
	} while (somebody_sleeps(runtime, count));
}

void sennit__idle_offer(struct sennit__worker *near)
{
	const struct sennit_runtime *runtime = near->executor.runtime_;
	unsigned count = runtime->prepared;

	sennit__fence_full(&fence_word); /* P1 */
	if (any_listed(runtime, count))
		offer(near, count);
}

void sennit__idle_offer_all(struct sennit__worker *near)
{
	struct sennit_runtime *runtime = near->executor.runtime_;
	unsigned count;

	sennit__fence_full(&fence_word); /* P1 */
	count = sennit__worker_count(runtime); /* those that have slept since are among them */
	if (count > 1 && any_listed(runtime, count))
		offer(near, count);
	else
		wake(runtime->worker[0]);
}

void sennit__idle_invited(struct sennit_task *invitation, int error)
{
	struct sennit__worker *worker =
		(struct sennit__worker *)(void *)((char *)invitation -
						  offsetof(struct sennit__worker, invitation));

	(void)error;
	invitation->next_ = NULL; /* as who invites finds it */
	worker->searching = true;
	sennit__worker_end(worker);
}

void sennit__idle_search_over(struct sennit__worker *worker)
{
	struct sennit_runtime *runtime = worker->executor.runtime_;

	worker->searching = false;
	sennit__store_relaxed_u32(&runtime->searching, 0); /* relaxed: the fence that follows */
}

void sennit__idle_pass_on(struct sennit__worker *worker)
{
	sennit__fence_full(&fence_word); /* P1 */
	if (sennit__steal_any(worker))
		sennit__idle_offer(worker);
}

/* --- to sleep and to wake --------------------------------------------------------------------- */

bool sennit__idle_announce(struct sennit__worker *worker, enum sennit__parked as)
{
	SENNIT__ASSERT(!worker->parked && !worker->searching);
	/* relaxed: it is published by the head that says PARKED (inbox.P2) */
	sennit__store_relaxed_u64(&worker->begun_published, worker->begun);
	sennit__store_release_u64(&worker->ended_published, worker->ended); /* work.P1 */
	if (as == SENNIT__ASLEEP && worker->several)
		list(worker);
	if (!sennit__inbox_announce(&worker->inbox, as)) {
		unlist(worker);
		return false;
	}
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
	unlist(worker);
	if (taken) {
		sennit__worker_begin_taken(worker, taken);
		worker->behind = true;
	}
}
