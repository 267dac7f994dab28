/* SPDX-License-Identifier: MIT */
/* steal.c - steal: tasks that one worker posts to the runtime's executor, and any may run.
 *
 * They come in batches: the last of a batch to end has the first worker post the next one. Each
 * task computes for about a microsecond, so that it is worth while to take some from a neighbour.
 * The output has the share of all tasks that fell to the worker that ran the fewest. */
#include "perf/micro/sennit.h"

#include <stdatomic.h>

enum { BATCH = 4096, WORK = 700 /* steps of the computation */ };

struct count {
	_Alignas(128) uint64_t tasks; /* run by one worker, who alone writes it */
};

static struct {
	struct sennit_task source;
	struct sennit_task tasks[BATCH];
	struct sennit_executor *first;    /* the worker that posts */
	struct sennit_executor *anywhere; /* what it posts to */
	struct count *counts;
	uint64_t left; /* tasks that are not posted yet */
	_Alignas(128) _Atomic uint64_t pending;
	_Atomic uint64_t threads; /* that ran a task */
} steal;

static _Thread_local struct count *own;

static sennit_function post_batch;

static void on_task(struct sennit_task *task, int error)
{
	volatile uint64_t result;
	uint64_t state = (uintptr_t)task;

	(void)error;
	for (int i = 0; i < WORK; i++)
		state = state * 6364136223846793005U + 1442695040888963407U;
	result = state;
	(void)result;
	if (!own)
		own = &steal.counts[atomic_fetch_add(&steal.threads, 1)];
	own->tasks++;
	if (atomic_fetch_sub(&steal.pending, 1) == 1 && steal.left)
		sennit_post(steal.first, &steal.source, post_batch);
}

static void post_batch(struct sennit_task *task, int error)
{
	uint64_t count = steal.left < BATCH ? steal.left : BATCH;

	(void)task;
	(void)error;
	steal.left -= count;
	atomic_store(&steal.pending, count);
	for (uint64_t i = 0; i < count; i++)
		sennit_post(steal.anywhere, &steal.tasks[i], on_task);
}

void micro_steal(struct micro_run *run)
{
	struct sennit_runtime *runtime = micro_open(run);
	uint64_t least = UINT64_MAX;

	steal.first = sennit_runtime_worker(runtime, 0);
	steal.anywhere = sennit_runtime_executor(runtime);
	steal.counts = micro_allocate(run->workers, sizeof *steal.counts);
	steal.left = run->operations;
	atomic_store(&steal.threads, 0);
	own = NULL; /* of the caller's thread, which may have run another of these */
	micro_begin(run);
	sennit_post(steal.first, &steal.source, post_batch);
	micro_close(run, runtime);
	for (uint64_t i = 0; i < run->workers; i++)
		if (steal.counts[i].tasks < least)
			least = steal.counts[i].tasks;
	micro_add(run, "share_min", (double)least / (double)run->operations);
	free(steal.counts);
}
