/* SPDX-License-Identifier: MIT */
/* work.c - the protocol is in work.h. Checked by tests/model/work.c, tests/model/driven.c,
 * tests/stress/post.c, tests/stress/destroy.c
 */
#include "runtime/sched/work.h"

#include "runtime/base/futex.h"
#include "runtime/sched/idle.h"

void sennit__work_get(struct sennit_runtime *runtime, uint64_t unit)
{
	/* relaxed: published by what it is for: the end of a handler, a push, start_guard */
	sennit__fetch_add_relaxed_u64(&runtime->guards, unit);
}

#define GUARDS(word) ((word) & (SENNIT__ABROAD - 1))
#define COUNTED(word) ((word) & (SENNIT__LEAVING - 1))

static uint64_t take(struct sennit_runtime *runtime, uint64_t units)
{
	return sennit__fetch_add_release_u64(&runtime->guards, (uint64_t)0 - units); /* P2 */
}

/* Gives units back. The runtime may be destroyed as soon as they do not count any more, so the wake
 * that may be due comes while we count as leaving. */
static void give_back(struct sennit_runtime *runtime, uint64_t unit)
{
	uint64_t before = take(runtime, unit - SENNIT__LEAVING);

	if (COUNTED(before) == unit || unit == SENNIT__ABROAD)
		sennit__idle_wake_one(runtime);
	take(runtime, SENNIT__LEAVING);
}

uint64_t sennit__work_guards(const struct sennit_runtime *runtime)
{
	return GUARDS(sennit__load_acquire_u64(&runtime->guards)); /* P2 */
}

void sennit__work_put(struct sennit_runtime *runtime)
{
	give_back(runtime, SENNIT__GUARD);
}

void sennit__work_return(struct sennit_runtime *runtime)
{
	give_back(runtime, SENNIT__ABROAD);
}

void sennit__work_left(struct sennit_runtime *runtime)
{
	take(runtime, SENNIT__LEAVING);
}

bool sennit__work_gone(const struct sennit_runtime *runtime)
{
	return sennit__load_acquire_u64(&runtime->guards) < SENNIT__LEAVING; /* P2 */
}

/* Whether something holds the runtime from outside its workers. */
static bool held(const struct sennit_runtime *runtime)
{
	uint64_t counted = COUNTED(sennit__load_acquire_u64(&runtime->guards)); /* P2 */

	if (sennit__load_relaxed_u32(&runtime->shutdown)) /* relaxed: who asks has fenced */
		return counted >= SENNIT__ABROAD;
	return counted != 0;
}

/* Lets quiet reach `ticket`; it never goes back. */
static void answer(struct sennit_runtime *runtime, uint32_t ticket)
{
	uint32_t quiet = sennit__load_relaxed_u32(&runtime->quiet); /* relaxed: the cas checks it */

	while ((int32_t)(ticket - quiet) > 0)
		if (sennit__cas_release_u32(&runtime->quiet, &quiet, ticket)) { /* P3 */
			sennit__futex_wake_all(&runtime->quiet);
			return;
		}
}

/* Whether a worker is not PARKED; asks first who was not the last time. */
static bool somebody_is_awake(struct sennit__worker *worker, unsigned count)
{
	const struct sennit_runtime *runtime = worker->executor.runtime_;

	for (unsigned i = 0; i < count; i++) {
		unsigned index = worker->awake + i;

		index = index < count ? index : index - count;
		if (!sennit__inbox_parked(&runtime->worker[index]->inbox)) {
			worker->awake = index;
			return true;
		}
	}
	return false;
}

bool sennit__work_none_left(struct sennit__worker *worker)
{
	struct sennit_runtime *runtime = worker->executor.runtime_;
	uint32_t ticket = sennit__load_acquire_u32(&runtime->tickets); /* P3 */
	unsigned count = sennit__worker_count(runtime);
	uint64_t ended = 0;
	uint64_t begun = 0;

	/* most often so: spares the passes */
	if (worker->in_flight || held(runtime) || somebody_is_awake(worker, count))
		return false;
	for (unsigned i = 0; i < count; i++)
		ended += sennit__load_acquire_u64(&runtime->worker[i]->ended_published); /* P1 */
	if (held(runtime))
		return false;
	for (unsigned i = 0; i < count; i++)
		if (!sennit__inbox_vacant(&runtime->worker[i]->inject))
			return false;
	for (unsigned i = 0; i < count; i++) {
		if (!sennit__inbox_parked(&runtime->worker[i]->inbox))
			return false;
		/* relaxed: at least as new as the head (inbox.P2), and alone a number */
		begun += sennit__load_relaxed_u64(&runtime->worker[i]->begun_published);
	}
	if (begun != ended)
		return false;
	answer(runtime, ticket);
	return true;
}

bool sennit__work_awaited(const struct sennit_runtime *runtime)
{
	/* relaxed: a hint */
	return sennit__load_relaxed_u32(&runtime->tickets) !=
	       sennit__load_relaxed_u32(&runtime->quiet); /* relaxed: as above */
}

void sennit__work_wait(struct sennit_runtime *runtime)
{
	uint32_t ticket = sennit__fetch_add_release_u32(&runtime->tickets, 1) + 1; /* P3 */
	uint32_t quiet;

	sennit__idle_wake_one(runtime);
	while (quiet = sennit__load_acquire_u32(&runtime->quiet), /* P3 */
	       (int32_t)(quiet - ticket) < 0)
		sennit__futex_wait(&runtime->quiet, quiet, -1);
}
