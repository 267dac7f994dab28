/* SPDX-License-Identifier: MIT */
/* steal.c - see steal.h. */
#include "runtime/sched/steal.h"

#include "runtime/sched/idle.h"
#include "runtime/sched/runtime.h"

/* So many of a chain go to the ring; there is room for what the owner posts. */
#define RING_MAX (SENNIT__DEQUE_SIZE / 2)

/* Only the owner changes its bit. */
static void mark(struct sennit__worker *worker, bool stocked)
{
	struct sennit_runtime *runtime = worker->executor.runtime_;
	uint64_t bit = (uint64_t)1 << worker->index % 64;

	worker->stocked = stocked;
	/* relaxed: the full fences, of who offers and of who sleeps, order it */
	sennit__fetch_add_relaxed_u64(&runtime->stocked[worker->index / 64],
				      stocked ? bit : (uint64_t)0 - bit);
}

void sennit__steal_stock(struct sennit__worker *worker)
{
	if (SENNIT__UNLIKELY(!worker->stocked))
		mark(worker, true);
}

void sennit__steal_sold_out(struct sennit__worker *worker)
{
	mark(worker, false);
}

void sennit__steal_inject(struct sennit__worker *worker, struct sennit_task *task)
{
	struct sennit_runtime *runtime = worker->executor.runtime_;

	if (sennit__inbox_push(&worker->inject, task))
		sennit__misuse("sennit_post", "an inject list was parked"); /* cannot be */
	sennit__fetch_add_release_u64(&runtime->injected, 1); /* P2 */
}

void sennit__steal_share(struct sennit__worker *worker, struct sennit_task *chain)
{
	if (chain)
		sennit__steal_stock(worker);
	for (unsigned i = 0; i < RING_MAX && chain; i++) {
		struct sennit_task *next = chain->next_; /* not ours once it was pushed */

		if (!sennit__deque_push(&worker->deque, chain))
			break;
		chain = next;
	}
	sennit__deque_keep_rest(&worker->deque, chain);
}

/* The first of what was taken runs next, before anything else: it is not stolen back and forth, and
 * nobody else can have it. */
static void keep_first(struct sennit__worker *worker, struct sennit_task *task)
{
	SENNIT__ASSERT(!worker->haul);
	worker->haul = task;
	sennit__worker_queue_first(worker, task);
}

static bool steal_from_ring(struct sennit__worker *worker, struct sennit__worker *victim)
{
	struct sennit_task *tasks[SENNIT__STEAL_MAX];
	unsigned count = sennit__deque_steal(&victim->deque, tasks);

	if (!count)
		return false;
	keep_first(worker, tasks[0]);
	for (unsigned i = 1; i < count; i++)
		sennit__worker_keep(worker, tasks[i]);
	return true;
}

static bool steal_chain(struct sennit__worker *worker, struct sennit__worker *victim)
{
	struct sennit_task *chain = sennit__deque_take_rest(&victim->deque);
	struct sennit_task *first;
	struct sennit__queue queue;
	uint64_t taken = 0;

	if (!chain) {
		if (sennit__inbox_empty(&victim->inject))
			return false;
		sennit__queue_init(&queue);
		sennit__inbox_drain(&victim->inject, &queue, &taken);
		sennit__worker_begin_taken(worker, taken);
		chain = queue.head;
	}
	if (!chain)
		return false;
	first = chain;
	chain = chain->next_; /* before the first may be another's */
	keep_first(worker, first);
	sennit__steal_share(worker, chain);
	return true;
}

/* By how far away the victim of that rank is. */
static void count_won(struct sennit__worker *worker, unsigned rank)
{
	const struct sennit__victims *victims = &worker->executor.runtime_->plan.victims;
	const uint16_t *ends =
		worker->victims ? sennit__victims_ends(victims, worker->index) : NULL;

	if (!ends) /* nothing is known of any two */
		SENNIT__TALLY(worker, steals_won_node, 1);
	else if (rank < ends[SENNIT_DISTANCE_CORE])
		SENNIT__TALLY(worker, steals_won_core, 1);
	else if (rank < ends[SENNIT_DISTANCE_CACHE])
		SENNIT__TALLY(worker, steals_won_cache, 1);
	else if (rank < ends[SENNIT_DISTANCE_NODE])
		SENNIT__TALLY(worker, steals_won_node, 1);
	else
		SENNIT__TALLY(worker, steals_won_far, 1);
}

/* Whether an inject list of the others holds something. Once all were found vacant they are, until
 * somebody has counted another push: who has pushed and not counted yet has not looked yet who
 * sleeps. */
static bool is_injected(struct sennit__worker *worker)
{
	const struct sennit_runtime *runtime = worker->executor.runtime_;
	uint64_t injected = sennit__load_acquire_u64(&runtime->injected); /* P2 */

	if (SENNIT__LIKELY(injected == worker->injected_seen))
		return false;
	for (unsigned i = 0; i < runtime->prepared; i++)
		if (runtime->worker[i] != worker &&
		    !sennit__inbox_vacant(&runtime->worker[i]->inject))
			return true;
	worker->injected_seen = injected;
	return false;
}

bool sennit__steal_any(struct sennit__worker *worker)
{
	const struct sennit_runtime *runtime = worker->executor.runtime_;

	for (unsigned first = 0; first < runtime->prepared; first += 64) {
		/* relaxed: as in mark */
		uint64_t stocked = sennit__load_relaxed_u64(&runtime->stocked[first / 64]);

		for (; stocked; stocked &= stocked - 1) {
			unsigned index = first + (unsigned)__builtin_ctzll(stocked);
			const struct sennit__worker *other = runtime->worker[index];

			if (other != worker && !sennit__deque_vacant(&other->deque))
				return true;
		}
	}
	return is_injected(worker);
}

static bool steal(struct sennit__worker *worker)
{
	unsigned count = worker->executor.runtime_->prepared;

	if (!sennit__steal_any(worker))
		return false;
	for (unsigned i = 0; i + 1 < count; i++) {
		struct sennit__worker *victim = sennit__worker_victim(worker, count, i);

		SENNIT__TALLY(worker, steals_tried, 1);
		if (steal_from_ring(worker, victim) || steal_chain(worker, victim)) {
			count_won(worker, i);
			return true;
		}
	}
	return false;
}

bool sennit__steal_search(struct sennit__worker *worker)
{
	bool invited = worker->searching;
	bool found = !sennit__deque_empty(&worker->deque);

	worker->seen = false;
	if (!found)
		found = steal(worker);
	if (invited)
		sennit__idle_search_over(worker);
	if (found && (invited || !sennit__deque_empty(&worker->deque)))
		sennit__idle_offer(worker);
	return found;
}
