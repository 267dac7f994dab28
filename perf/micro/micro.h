/* SPDX-License-Identifier: MIT */
/* micro.h - what sennit-micro and the like of its peers share: command line, table, output.
 *
 * For C and C++. A program has a table of benchmarks and calls micro_main. Each benchmark runs
 * exactly run->operations operations between two looks at the clock; all else that it does is the
 * same for any number of them, so that what N and 2N operations cost differs by N operations. */
#ifndef SENNIT_PERF_MICRO_H
#define SENNIT_PERF_MICRO_H

#include "perf/net/command.h"
#include "perf/net/histogram.h"

#include <time.h>

enum { MICRO_USUAL = 4, MICRO_MORE = 4 };

/* One run of one benchmark: what is asked for, and what it found. */
struct micro_run {
	uint64_t operations;
	uint64_t parameter;
	uint64_t workers;  /* a benchmark that needs more raises it */
	uint64_t begin_ns; /* of the operations */
	uint64_t ns;       /* that they took together */
	uint64_t cpu_ns;   /* of all threads; to begin with: at the begin */
	uint64_t threads;  /* that took part */
	struct {
		const char *key;
		double value;
	} more[MICRO_MORE];
	size_t more_count;
};

typedef void micro_function(struct micro_run *run);

struct micro_benchmark {
	const char *name;
	micro_function *function;
	uint64_t operations; /* where the command line does not say */
	uint64_t min, max;   /* of the parameter */
	size_t usual_count;
	uint64_t usual[MICRO_USUAL]; /* parameters */
};

static inline uint64_t micro_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static inline uint64_t micro_now(void)
{
	return micro_clock(CLOCK_MONOTONIC);
}

static inline void micro_sleep(long ns)
{
	struct timespec time;

	time.tv_sec = 0;
	time.tv_nsec = ns;
	while (nanosleep(&time, &time) && errno == EINTR)
		continue;
}

static inline void micro_begin(struct micro_run *run)
{
	run->cpu_ns = micro_clock(CLOCK_PROCESS_CPUTIME_ID);
	run->begin_ns = micro_now();
}

static inline void micro_end(struct micro_run *run)
{
	run->ns = micro_now() - run->begin_ns;
	run->cpu_ns = micro_clock(CLOCK_PROCESS_CPUTIME_ID) - run->cpu_ns;
}

/* One more key of the output. */
static inline void micro_add(struct micro_run *run, const char *key, double value)
{
	run->more[run->more_count].key = key;
	run->more[run->more_count++].value = value;
}

/* The operations of part `index` of `parts`; together they are all. */
static inline uint64_t micro_share(const struct micro_run *run, uint64_t index, uint64_t parts)
{
	return run->operations / parts + (index < run->operations % parts);
}

/* The expiry of one of many timers, within `span_ns` after as much: in no order. */
static inline uint64_t micro_spread(uint64_t index, uint64_t span_ns)
{
	return span_ns + index * 7919 % 1000 * (span_ns / 1000);
}

/* Ends the program with one line where `failed`. */
static inline void micro_require(bool ok, const char *what, const char *why)
{
	if (ok)
		return;
	fprintf(stderr, "%s: %s\n", what, why);
	exit(1);
}

/* Memory for `count` things, all zero, each beginning on a line of its own where `size` is a
 * multiple of one. */
static inline void *micro_allocate(size_t count, size_t size)
{
	void *memory = NULL;

	micro_require(!posix_memalign(&memory, 128, count * size), "memory", "there is none");
	memset(memory, 0, count * size);
	return memory;
}

/* --- what is measured from one post to one handler -------------------------------------------- */

/* ns_p50 and ns_p99 of what was recorded; ns is the sum. */
static inline void micro_add_latencies(struct micro_run *run, const struct histogram *histogram)
{
	micro_add(run, "ns_p50", (double)histogram_quantile(histogram, 500));
	micro_add(run, "ns_p99", (double)histogram_quantile(histogram, 990));
}

/* --- the program ------------------------------------------------------------------------------ */

static inline void micro_print(const struct micro_benchmark *benchmark, const struct micro_run *run)
{
	printf("{\"name\": \"%s\", \"parameter\": %llu, \"operations\": %llu, \"workers\": %llu, "
	       "\"ns_per_operation\": %.3f, \"cpu_ns_per_operation\": %.3f, \"threads\": %llu",
	       benchmark->name, (unsigned long long)run->parameter,
	       (unsigned long long)run->operations, (unsigned long long)run->workers,
	       (double)run->ns / (double)run->operations,
	       (double)run->cpu_ns / (double)run->operations, (unsigned long long)run->threads);
	for (size_t i = 0; i < run->more_count; i++)
		printf(", \"%s\": %.10g", run->more[i].key, run->more[i].value);
	printf("}\n");
	fflush(stdout);
}

static inline void micro_measure(const struct micro_benchmark *benchmark, struct micro_run run,
                                 uint64_t parameter)
{
	run.parameter = parameter;
	if (!run.operations)
		run.operations = benchmark->operations;
	benchmark->function(&run);
	micro_print(benchmark, &run);
}

static inline bool micro_takes(const struct micro_benchmark *benchmark, uint64_t parameter)
{
	return parameter >= benchmark->min && parameter <= benchmark->max;
}

/* The benchmark of that name, or exit 2; also where it does not take the parameter. */
static inline const struct micro_benchmark *
micro_find(const struct micro_benchmark *table, size_t count, const char *name, uint64_t parameter)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(table[i].name, name))
			continue;
		if (parameter == UINT64_MAX || micro_takes(&table[i], parameter))
			return &table[i];
		fprintf(stderr, "%s: no parameter %llu\n", name, (unsigned long long)parameter);
		exit(COMMAND_USAGE);
	}
	fprintf(stderr, "no benchmark has the name: %s (see --list)\n", name);
	exit(COMMAND_USAGE);
}

/* Runs a benchmark with the parameter that was asked for, or with each of the usual ones. */
static inline void micro_run_one(const struct micro_benchmark *benchmark,
                                 const struct micro_run *run, uint64_t parameter)
{
	if (parameter != UINT64_MAX) {
		micro_measure(benchmark, *run, parameter);
		return;
	}
	for (size_t i = 0; i < benchmark->usual_count; i++)
		micro_measure(benchmark, *run, benchmark->usual[i]);
}

/* Moves the options before the names, which keep their order; returns the index of the first. */
static inline int micro_options_first(int argc, char **argv)
{
	int options = 1;

	for (int i = 1; i < argc; i++) {
		char *argument = argv[i];

		if (*argument != '-')
			continue;
		memmove(argv + options + 1, argv + options, (size_t)(i - options) * sizeof *argv);
		argv[options++] = argument;
	}
	return options;
}

static inline int micro_main(int argc, char **argv, const struct micro_benchmark *table,
                             size_t count)
{
	struct micro_run run;
	uint64_t parameter = UINT64_MAX;
	bool list = false;
	const struct command_option options[] = {
		{ "--operations", &run.operations, 1, 1ULL << 40, NULL, NULL },
		{ "--parameter", &parameter, 0, 1ULL << 40, NULL, NULL },
		{ "--workers", &run.workers, 1, COMMAND_WORKERS_MAX, NULL, NULL },
		{ "--list", NULL, 0, 0, &list, NULL },
	};
	int names = micro_options_first(argc, argv);

	memset(&run, 0, sizeof run);
	run.workers = 1;
	command_parse(names, argv, options, sizeof options / sizeof *options);
	for (int i = names; i < argc; i++)
		micro_find(table, count, argv[i], parameter);
	command_raise_descriptor_limit();
	for (size_t i = 0; i < count && list; i++)
		printf("%s\n", table[i].name);
	for (int i = names; i < argc && !list; i++)
		micro_run_one(micro_find(table, count, argv[i], parameter), &run, parameter);
	for (size_t i = 0; i < count && names == argc && !list; i++)
		if (parameter == UINT64_MAX || micro_takes(&table[i], parameter))
			micro_run_one(&table[i], &run, parameter);
	return 0;
}

#endif
