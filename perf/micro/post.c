/* SPDX-License-Identifier: MIT */
/* post.c - post_local: a handler that posts itself, one such chain for each worker. */
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

void micro_post_chains(struct micro_run *run, struct sennit_runtime *runtime,
                       struct sennit_executor **executors)
{
	struct chain *chains = micro_allocate(run->workers, sizeof *chains);

	micro_begin(run);
	for (unsigned i = 0; i < run->workers; i++) {
		chains[i].executor = executors[i];
		chains[i].left = micro_share(run, i, run->workers);
		if (chains[i].left)
			sennit_post(executors[i], &chains[i].task, on_post);
	}
	micro_close(run, runtime);
	free(chains);
}

/* Parameter 0: each chain on its own worker's executor; 1: all on the runtime's. */
void micro_post_local(struct micro_run *run)
{
	struct sennit_runtime *runtime = micro_open(run);
	struct sennit_executor *executors[COMMAND_WORKERS_MAX];

	for (unsigned i = 0; i < run->workers; i++)
		executors[i] = run->parameter ? sennit_runtime_executor(runtime)
		                              : sennit_runtime_worker(runtime, i);
	micro_post_chains(run, runtime, executors);
}
