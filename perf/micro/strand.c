/* SPDX-License-Identifier: MIT */
/* strand.c - strand_post: a handler in a strand over the runtime's executor; strand_many: posts to
 * 10,000 of them in turn. */
#include "perf/micro/sennit.h"

enum { STRANDS = 10000, STROLLERS = 64 /* for each worker */ };

/* `count` strands over the runtime's executor. */
static struct sennit_strand *make_strands(struct sennit_runtime *runtime, size_t count)
{
	struct sennit_strand *strands = micro_allocate(count, sizeof *strands);

	for (size_t i = 0; i < count; i++)
		sennit_strand_init(&strands[i], sennit_runtime_executor(runtime));
	return strands;
}

/* Parameter 1: a chain in a strand of its own for each worker; more: producers to one strand. */
void micro_strand_post(struct micro_run *run)
{
	struct sennit_runtime *runtime = micro_open(run);
	struct sennit_strand *strands = make_strands(runtime, run->workers);
	struct sennit_executor *executors[COMMAND_WORKERS_MAX];

	for (unsigned i = 0; i < run->workers; i++)
		executors[i] = sennit_strand_executor(&strands[i]);
	if (run->parameter == 1)
		micro_post_chains(run, runtime, executors);
	else
		micro_produce(run, runtime, executors, 1);
	free(strands);
}

/* --- strand_many ------------------------------------------------------------------------------ */

/* A task that goes from strand to strand, some steps at a time. */
struct stroller {
	_Alignas(128) struct sennit_task task;
	struct sennit_strand *strands;
	uint64_t at, step, left;
};

static void on_visit(struct sennit_task *task, int error)
{
	struct stroller *stroller = (struct stroller *)(void *)task;

	(void)error;
	if (!--stroller->left)
		return;
	stroller->at = (stroller->at + stroller->step) % STRANDS;
	sennit_post(sennit_strand_executor(&stroller->strands[stroller->at]), task, on_visit);
}

void micro_strand_many(struct micro_run *run)
{
	struct sennit_runtime *runtime = micro_open(run);
	struct sennit_strand *strands = make_strands(runtime, STRANDS);
	uint64_t count = STROLLERS * run->workers;
	struct stroller *all = micro_allocate(count, sizeof *all);

	micro_begin(run);
	for (uint64_t i = 0; i < count; i++) {
		all[i].strands = strands;
		all[i].at = i % STRANDS;
		all[i].step = count;
		all[i].left = micro_share(run, i, count);
		if (all[i].left)
			sennit_post(sennit_strand_executor(&strands[all[i].at]), &all[i].task,
			            on_visit);
	}
	micro_close(run, runtime);
	free(all);
	free(strands);
}
