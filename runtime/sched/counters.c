/* SPDX-License-Identifier: MIT */
/* counters.c - snapshots of counters, and how they are printed.
 *
 * Callers     any thread. Each number is read by itself; it orders nothing.
 * Checked by  tests/model/dump.c, tests/conformance/counters.c
 */
#include "runtime/sched/counters.h"

#include "runtime/sched/runtime.h"

#include <errno.h>
#include <string.h>

enum { COUNT = sizeof(struct sennit_counters) / sizeof(uint64_t) };

static const char *const names[COUNT] = {
#define NAME(name) #name,
	SENNIT__COUNTERS(NAME)
#undef NAME
};

static void add_worker(const struct sennit__worker *worker, uint64_t *sums)
{
	const struct sennit__atomic_u64 *counter = &worker->counters.handlers;

	for (int i = 0; i < COUNT; i++)
		/* relaxed: a number alone */
		sums[i] += sennit__load_relaxed_u64(&counter[i]);
}

void sennit_runtime_counters(const struct sennit_runtime *runtime, unsigned worker,
			     struct sennit_counters *counters)
{
	unsigned count = sennit__worker_count(runtime);
	uint64_t sums[COUNT] = {0};

	if (worker != SENNIT_ALL_WORKERS && worker >= count)
		sennit__misuse("sennit_runtime_counters", "there is no worker of that number");
	for (unsigned i = 0; i < count; i++)
		if (worker == i || worker == SENNIT_ALL_WORKERS)
			add_worker(runtime->worker[i], sums);
	memcpy(counters, sums, sizeof sums);
}

static int end_of(FILE *file, int printed)
{
	return printed < 0 || ferror(file) ? errno ? -errno : -EIO : 0;
}

int sennit_counters_print(const struct sennit_counters *counters, FILE *file)
{
	uint64_t values[COUNT];
	int printed = 0;

	memcpy(values, counters, sizeof values);
	errno = 0;
	for (int i = 0; i < COUNT && printed >= 0; i++)
		printed = fprintf(file, "%-18s %llu\n", names[i], (unsigned long long)values[i]);
	return end_of(file, printed);
}

int sennit_counters_print_json(const struct sennit_counters *counters, FILE *file)
{
	const int first = offsetof(struct sennit_counters, steals_won) / sizeof(uint64_t);
	uint64_t values[COUNT];
	int printed = 0;

	memcpy(values, counters, sizeof values);
	errno = 0;
	for (int i = 0; i < COUNT && printed >= 0; i++) {
		bool won = i >= first && i < first + SENNIT_DISTANCES;
		const char *open = i == 0 ? "{" : ", ";
		unsigned long long value = values[i];

		if (!won)
			printed = fprintf(file, "%s\"%s\": %llu", open, names[i], value);
		else if (i == first)
			printed = fprintf(file, "%s\"steals_won\": [%llu", open, value);
		else
			printed = fprintf(file, ", %llu%s", value,
					  i == first + SENNIT_DISTANCES - 1 ? "]" : "");
	}
	if (printed >= 0)
		printed = fprintf(file, "}");
	return end_of(file, printed);
}
