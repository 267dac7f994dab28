/* SPDX-License-Identifier: MIT */
/* parts.c - a benchmark in parts, one for each worker, which go through its stages together: set
 * up, be measured, clean up. */
#include "perf/micro/sennit.h"

#include <stdatomic.h>

struct micro_parts {
	struct micro_run *run;
	struct sennit_runtime *runtime;
	const struct micro_stages *stages;
	char *parts;
	size_t size;
	int stage;
	_Atomic uint64_t pending; /* parts that are not done with the stage */
};

static sennit_function on_stage;

static struct micro_part *part_of(struct micro_parts *all, uint64_t index)
{
	return (struct micro_part *)(void *)(all->parts + index * all->size);
}

static void begin_stage(struct micro_parts *all, int stage)
{
	all->stage = stage;
	atomic_store(&all->pending, all->run->workers);
	if (stage == MICRO_MEASURE)
		micro_begin(all->run);
	if (stage == MICRO_CLEAN_UP)
		micro_end(all->run);
	for (unsigned i = 0; i < all->run->workers; i++)
		sennit_post(sennit_runtime_worker(all->runtime, i), &part_of(all, i)->task,
		            on_stage);
}

void micro_part_done(struct micro_part *part)
{
	struct micro_parts *all = part->all;

	if (atomic_fetch_sub(&all->pending, 1) == 1 && all->stage < MICRO_CLEAN_UP)
		begin_stage(all, all->stage + 1);
}

static void on_stage(struct sennit_task *task, int error)
{
	struct micro_part *part = (struct micro_part *)(void *)task;
	struct micro_parts *all = part->all;

	(void)error;
	if (all->stage == MICRO_MEASURE && !part->operations)
		micro_part_done(part);
	else
		all->stages->begin[all->stage](part);
}

void micro_run_parts(struct micro_run *run, const struct micro_stages *stages, size_t size,
                     micro_part_function *visit)
{
	struct micro_parts all = {
		.run = run,
		.runtime = micro_open(run),
		.stages = stages,
		.parts = micro_allocate(run->workers, size),
		.size = size,
	};

	for (unsigned i = 0; i < run->workers; i++) {
		struct micro_part *part = part_of(&all, i);

		part->all = &all;
		part->run = run;
		part->executor = sennit_runtime_worker(all.runtime, i);
		part->index = i;
		part->operations = micro_share(run, i, run->workers);
	}
	begin_stage(&all, MICRO_SET_UP);
	micro_close(run, all.runtime);
	for (unsigned i = 0; i < run->workers; i++)
		visit(part_of(&all, i));
	free(all.parts);
}
