/* SPDX-License-Identifier: MIT */
/* post.c - post_local, defer_local: a handler that posts or defers itself, one such chain for each
 * worker. */
#include "perf/micro/sennit.h"

struct chain {
	_Alignas(128) struct sennit_task task;
	struct sennit_executor *executor;
	uint64_t left;
};

static void on_post(struct sennit_task *task, int error)
{
	struct chain *chain = (struct chain *)(void *)task;

	(void)error;
	if (--chain->left)
		sennit_post(chain->executor, task, on_post);
}

static void on_defer(struct sennit_task *task, int error)
{
	struct chain *chain = (struct chain *)(void *)task;

	(void)error;
	if (--chain->left)
		sennit_defer(chain->executor, task, on_defer);
}

/* Runs one chain for each worker, on the executor of that number. */
static void run_chains(struct micro_run *run, struct sennit_runtime *runtime,
                       struct sennit_executor **executors, sennit_function *function)
{
	struct chain *chains = micro_allocate(run->workers, sizeof *chains);

	micro_begin(run);
	for (unsigned i = 0; i < run->workers; i++) {
		chains[i].executor = executors[i];
		chains[i].left = micro_share(run, i, run->workers);
		if (chains[i].left)
			sennit_post(executors[i], &chains[i].task, function);
	}
	micro_close(run, runtime);
	free(chains);
}

void micro_post_chains(struct micro_run *run, struct sennit_runtime *runtime,
                       struct sennit_executor **executors)
{
	run_chains(run, runtime, executors, on_post);
}

/* Parameter 0: each chain on its own worker's executor; 1: all on the runtime's. */
static void run_local(struct micro_run *run, sennit_function *function)
{
	struct sennit_runtime *runtime = micro_open(run);
	struct sennit_executor *executors[COMMAND_WORKERS_MAX];

	for (unsigned i = 0; i < run->workers; i++)
		executors[i] = run->parameter ? sennit_runtime_executor(runtime)
		                              : sennit_runtime_worker(runtime, i);
	run_chains(run, runtime, executors, function);
}

void micro_post_local(struct micro_run *run)
{
	run_local(run, on_post);
}

void micro_defer_local(struct micro_run *run)
{
	run_local(run, on_defer);
}
