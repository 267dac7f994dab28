/* SPDX-License-Identifier: MIT */
/* victims.c - see victims.h. */
#include "runtime/topology/victims.h"

#include <errno.h>
#include <stdlib.h>

struct other {
	uint64_t distance;
	unsigned worker;
};

static int compare(const void *a, const void *b)
{
	const struct other *one = a;
	const struct other *two = b;

	if (one->distance != two->distance)
		return one->distance < two->distance ? -1 : 1;
	return one->worker < two->worker ? -1 : one->worker > two->worker;
}

/* Writes one row: what is equally far begins at a place that depends on who asks. */
static void write_row(uint16_t *row, const struct other *others, unsigned count, unsigned worker)
{
	uint16_t *ends = row + count;
	unsigned first = 0;

	for (unsigned d = 0; d < SENNIT_DISTANCES; d++)
		ends[d] = 0;
	for (unsigned end = 0; end < count; first = end) {
		unsigned many;

		while (end < count && others[end].distance == others[first].distance)
			end++;
		many = end - first;
		for (unsigned i = 0; i < many; i++)
			row[first + i] = (uint16_t)others[first + (worker + i) % many].worker;
		for (unsigned d = (unsigned)(others[first].distance >> SENNIT__DISTANCE_SHIFT);
		     d < SENNIT_DISTANCES; d++)
			ends[d] = (uint16_t)end;
	}
}

int sennit__victims_init(struct sennit__victims *victims, unsigned count,
			 sennit__distance_of *distance, const void *context)
{
	size_t row = count - 1u + SENNIT_DISTANCES;
	struct other *others = malloc(count * sizeof *others);

	victims->count = count;
	victims->rows = malloc(count * row * sizeof *victims->rows);
	if (!others || !victims->rows) {
		free(others);
		sennit__victims_fini(victims);
		return -ENOMEM;
	}
	for (unsigned from = 0; from < count; from++) {
		unsigned n = 0;

		for (unsigned to = 0; to < count; to++) {
			if (to == from)
				continue;
			others[n].worker = to;
			others[n++].distance =
				distance ? distance(context, from, to)
					 : (uint64_t)SENNIT_DISTANCE_NODE
						   << SENNIT__DISTANCE_SHIFT;
		}
		qsort(others, n, sizeof *others, compare);
		write_row(victims->rows + from * row, others, n, from);
	}
	free(others);
	return 0;
}

void sennit__victims_fini(struct sennit__victims *victims)
{
	free(victims->rows);
	victims->rows = NULL;
	victims->count = 0;
}
