/* SPDX-License-Identifier: MIT */
/* report.c - sennit_runtime_print_settings: each value, and where it comes from. */
#include "runtime/sched/runtime.h"

#include <pthread.h>
#include <sennit/error.h>
#include <stdlib.h>

static const char *const sources[] = {
	[SENNIT__BY_DEFAULT] = "default",
	[SENNIT__BY_PROGRAM] = "program",
	[SENNIT__BY_ENVIRONMENT] = "environment",
};

static const char *const limits[] = {
	[SENNIT__LIMIT_TOPOLOGY] = "topology", [SENNIT__LIMIT_MASK] = "affinity mask",
	[SENNIT__LIMIT_QUOTA] = "quota",       [SENNIT__LIMIT_LIST] = "list of CPUs",
};

static const char *const pins[] = {
	[SENNIT_PIN_DEFAULT] = "cores", [SENNIT_PIN_CORES] = "cores", [SENNIT_PIN_PUS] = "pus",
	[SENNIT_PIN_NONE] = "none",     [SENNIT_PIN_LIST] = "list",
};

static const char *const reasons[] = {
	[SENNIT__UNBOUND_WISH] = "nobody asks for it",
	[SENNIT__UNBOUND_MANY] = "there are more workers than places",
	[SENNIT__UNBOUND_QUOTA] = "the quota allows fewer CPUs than there are",
};

static void print_workers(const struct sennit_runtime *runtime, FILE *file)
{
	bool started = sennit__runtime_mode(runtime) == SENNIT__MODE_STARTED;
	const struct sennit__settings *settings = &runtime->settings;
	bool wished = runtime->plan.limit == SENNIT__LIMIT_WISH;
	bool driven = sennit__runtime_mode(runtime) == SENNIT__MODE_DRIVEN;

	if (started)
		fprintf(file, "workers     %u (%s)\n", runtime->plan.count,
			wished ? sources[settings->source[SENNIT__WORKERS]]
			       : limits[runtime->plan.limit]);
	else if (driven)
		fprintf(file, "workers     %u, driven (%s)\n", sennit__worker_count(runtime),
			sources[settings->options.workers ? SENNIT__BY_PROGRAM
							  : SENNIT__BY_DEFAULT]);
	else if (settings->workers)
		fprintf(file, "workers     %u once started (%s)\n", settings->workers,
			sources[settings->source[SENNIT__WORKERS]]);
	else
		fprintf(file, "workers     as many as there are places, once started (default)\n");
}

static void print_pin(const struct sennit__settings *settings, FILE *file)
{
	const struct sennit_runtime_options *options = &settings->options;

	fprintf(file, "pin         %s", pins[options->pin]);
	for (unsigned i = 0; i < options->cpus_count; i++)
		fprintf(file, "%s%u", i ? "," : " ", options->cpus[i]);
	fprintf(file, " (%s)\n", sources[settings->source[SENNIT__PIN]]);
}

/* What the plan has found out of the machine. */
static void print_machine(const struct sennit__plan *plan, FILE *file)
{
	char *list = NULL;

	if (!plan->allowed) {
		fprintf(file, "cpus        not looked at\n");
		return;
	}
	if (hwloc_bitmap_list_asprintf(&list, plan->allowed) >= 0)
		fprintf(file, "cpus        %s (affinity mask)\n", list);
	free(list);
	if (plan->quota)
		fprintf(file, "quota       %u CPUs (control group)\n", plan->quota);
	else
		fprintf(file, "quota       none\n");
}

static void print_rest(const struct sennit_runtime *runtime, FILE *file)
{
	const struct sennit__settings *settings = &runtime->settings;
	const struct sennit_runtime_options *options = &settings->options;
	size_t stack_size = options->stack_size;
	pthread_attr_t attributes;

	fprintf(file, "backend     epoll (%s)\n", sources[settings->source[SENNIT__BACKEND]]);
	fprintf(file, "spin        %llu ns (%s)%s\n", (unsigned long long)options->spin_ns,
		sources[settings->source[SENNIT__SPIN_NS]],
		options->spin_ns && !runtime->worker[0]->spin_ns
			? ", but not with more workers than CPUs" : "");
	if (!stack_size && !pthread_attr_init(&attributes)) {
		pthread_attr_getstacksize(&attributes, &stack_size);
		pthread_attr_destroy(&attributes);
	}
	fprintf(file, "stack size  %zu bytes (%s)\n", stack_size,
		sources[settings->source[SENNIT__STACK_SIZE]]);
}

static void print_places(const struct sennit_runtime *runtime, FILE *file)
{
	const struct sennit__plan *plan = &runtime->plan;

	if (!plan->place) {
		fprintf(file, "places      none: %s\n", reasons[plan->unbound]);
		return;
	}
	for (unsigned i = 0; i < plan->count; i++) {
		int refused = runtime->worker[i]->refused;

		if (refused)
			fprintf(file, "sennit/%-4u not bound to CPU %u: %s (%s)\n", i,
				plan->place[i], sennit_error_name(refused),
				sennit_strerror(refused));
		else if (plan->node[i] >= 0)
			fprintf(file, "sennit/%-4u CPU %u, node %d\n", i, plan->place[i],
				plan->node[i]);
		else
			fprintf(file, "sennit/%-4u CPU %u\n", i, plan->place[i]);
	}
}

void sennit_runtime_print_settings(const struct sennit_runtime *runtime, FILE *file)
{
	const struct sennit__settings *settings = &runtime->settings;
	bool started = sennit__runtime_mode(runtime) == SENNIT__MODE_STARTED;

	print_workers(runtime, file);
	print_pin(settings, file);
	if (started)
		print_machine(&runtime->plan, file);
	print_rest(runtime, file);
	if (started)
		print_places(runtime, file);
	for (unsigned i = 0; i < SENNIT__VARIABLES; i++)
		if (*settings->refused[i])
			fprintf(file, "passed over %s\n", settings->refused[i]);
}
