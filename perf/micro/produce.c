/* SPDX-License-Identifier: MIT */
/* produce.c - post_remote: handlers that foreign threads post.
 *
 * Each producer has a ring of tasks and waits, yielding its processor, while the whole ring is on
 * its way. Handlers of one producer run in order, so a count of them says which task is free. Each
 * producer holds a work guard until it has posted its last. */
#include "perf/micro/sennit.h"

#include <stdatomic.h>

/* Tasks on their way at most, all producers together. */
enum { WINDOW = 4096 };

struct producer {
	_Alignas(128) pthread_t thread;
	pthread_barrier_t *ready;
	struct sennit_runtime *runtime;
	struct sennit_executor *executor;
	struct posted *ring;
	uint64_t window;
	uint64_t operations;
	_Alignas(128) _Atomic uint64_t handled; /* one handler at a time writes it */
};

struct posted {
	struct sennit_task task;
	struct producer *producer;
};

static void on_posted(struct sennit_task *task, int error)
{
	struct producer *producer = ((struct posted *)(void *)task)->producer;
	uint64_t handled = atomic_load_explicit(&producer->handled, memory_order_relaxed);

	(void)error;
	atomic_store_explicit(&producer->handled, handled + 1, memory_order_release);
}

static void *produce(void *argument)
{
	struct producer *producer = argument;

	pthread_barrier_wait(producer->ready); /* all are there */
	pthread_barrier_wait(producer->ready); /* the clock runs */
	for (uint64_t i = 0; i < producer->operations; i++) {
		struct posted *posted = &producer->ring[i % producer->window];

		while (i - atomic_load_explicit(&producer->handled, memory_order_acquire) >=
		       producer->window)
			sched_yield();
		sennit_post(producer->executor, &posted->task, on_posted);
	}
	sennit_runtime_guard_put(producer->runtime);
	return NULL;
}

static void start_producer(struct producer *producer, uint64_t window)
{
	producer->window = window;
	producer->ring = micro_allocate(window, sizeof *producer->ring);
	for (uint64_t i = 0; i < window; i++)
		producer->ring[i].producer = producer;
	sennit_runtime_guard_get(producer->runtime);
	micro_check(-pthread_create(&producer->thread, NULL, produce, producer), "a thread");
}

void micro_produce(struct micro_run *run, struct sennit_runtime *runtime,
                   struct sennit_executor **executors, size_t count)
{
	uint64_t producers = run->parameter;
	struct producer *all = micro_allocate(producers, sizeof *all);
	pthread_barrier_t ready;

	pthread_barrier_init(&ready, NULL, (unsigned)producers + 1);
	for (uint64_t i = 0; i < producers; i++) {
		all[i].ready = &ready;
		all[i].runtime = runtime;
		all[i].executor = executors[i % count];
		all[i].operations = micro_share(run, i, producers);
		start_producer(&all[i], WINDOW / producers);
	}
	run->threads += producers;
	pthread_barrier_wait(&ready);
	micro_begin(run);
	pthread_barrier_wait(&ready);
	micro_close(run, runtime);
	for (uint64_t i = 0; i < producers; i++) {
		pthread_join(all[i].thread, NULL);
		free(all[i].ring);
	}
	pthread_barrier_destroy(&ready);
	free(all);
}

/* Parameter: producers. They post to the worker, or each to the next of several. */
void micro_post_remote(struct micro_run *run)
{
	struct sennit_runtime *runtime = micro_open(run);
	struct sennit_executor *executors[COMMAND_WORKERS_MAX];

	for (unsigned i = 0; i < run->workers; i++)
		executors[i] = sennit_runtime_worker(runtime, i);
	micro_produce(run, runtime, executors, run->workers);
}
