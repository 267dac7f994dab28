/* SPDX-License-Identifier: MIT */
/* main.c - sennit-micro: the cost of the library's single parts. */
#include "perf/micro/sennit.h"

static const struct micro_benchmark table[] = {
	{ "post_local", micro_post_local, 2000000, 0, 1, 2, { 0, 1 } },
	{ "defer_local", micro_defer_local, 2000000, 0, 1, 2, { 0, 1 } },
	{ "post_remote", micro_post_remote, 1000000, 1, 256, 4, { 1, 2, 4, 16 } },
	{ "strand_post", micro_strand_post, 1000000, 1, 256, 3, { 1, 2, 4 } },
	{ "strand_many", micro_strand_many, 1000000, 0, 0, 1, { 0 } },
	{ "steal", micro_steal, 200000, 0, 0, 1, { 0 } },
	{ "post_wake", micro_post_wake, 1000, 0, 0, 1, { 0 } },
	{ "pingpong", micro_pingpong, 20000, 0, 0, 1, { 0 } },
	{ "timer_arm_cancel",
	  micro_timer_arm_cancel,
	  500000,
	  0,
	  10000000,
	  3,
	  { 1000, 100000, 1000000 } },
	{ "timer_expire", micro_timer_expire, 100000, 0, 0, 1, { 0 } },
	{ "cancel_emit", micro_cancel_emit, 200000, 0, 1, 2, { 0, 1 } },
	{ "write_gather", micro_write_gather, 20000, 0, 0, 1, { 0 } },
	{ "socketpair_echo", micro_socketpair_echo, 50000, 0, 0, 1, { 0 } },
};

void micro_check(int error, const char *what)
{
	micro_require(!error, what, sennit_strerror(error));
}

static struct sennit_runtime *create(struct micro_run *run)
{
	struct sennit_runtime_options options = {
		.size = sizeof options,
		.workers = (unsigned)run->workers,
		.pin = SENNIT_PIN_NONE, /* as the peer's threads */
	};
	struct sennit_runtime *runtime = NULL;

	micro_check(sennit_runtime_create(&options, &runtime), "sennit_runtime_create");
	return runtime;
}

struct sennit_runtime *micro_open_started(struct micro_run *run)
{
	struct sennit_runtime *runtime = create(run);

	micro_check(sennit_runtime_start(runtime), "sennit_runtime_start");
	run->threads = run->workers + 1;
	return runtime;
}

struct sennit_runtime *micro_open(struct micro_run *run)
{
	if (run->workers > 1)
		return micro_open_started(run);
	run->threads = 1;
	return create(run);
}

void micro_close(struct micro_run *run, struct sennit_runtime *runtime)
{
	int64_t handlers = sennit_runtime_run(runtime);

	if (handlers < 0)
		micro_check(sennit_runtime_join(runtime), "sennit_runtime_join");
	if (!run->ns)
		micro_end(run);
	if (handlers >= 0)
		micro_add(run, "handlers", (double)handlers);
	micro_check(sennit_runtime_destroy(runtime), "sennit_runtime_destroy");
}

int main(int argc, char **argv)
{
	return micro_main(argc, argv, table, sizeof table / sizeof *table);
}
