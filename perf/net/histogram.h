/* SPDX-License-Identifier: MIT */
/* histogram.h - counts of nanoseconds in log-linear buckets: 64 per power of two, so a quantile is
 * within 1.6 % of the value; one increment to record, no allocation, merged by addition. */
#ifndef SENNIT_PERF_HISTOGRAM_H
#define SENNIT_PERF_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum {
	HISTOGRAM_BITS = 6,
	HISTOGRAM_LINEAR = 1 << HISTOGRAM_BITS,
	HISTOGRAM_BUCKETS = (64 - HISTOGRAM_BITS + 1) * HISTOGRAM_LINEAR,
};

struct histogram {
	uint64_t count;
	uint64_t max;
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

static inline size_t histogram_bucket(uint64_t value)
{
	unsigned power;

	if (value < HISTOGRAM_LINEAR)
		return (size_t)value;
	power = 63U - (unsigned)__builtin_clzll(value) - HISTOGRAM_BITS;
	return (size_t)power * HISTOGRAM_LINEAR + (size_t)(value >> power);
}

/* The middle of what falls into a bucket. */
static inline uint64_t histogram_value(size_t bucket)
{
	unsigned power;
	uint64_t low;

	if (bucket < HISTOGRAM_LINEAR)
		return bucket;
	power = (unsigned)(bucket / HISTOGRAM_LINEAR) - 1;
	low = (uint64_t)(bucket - (size_t)power * HISTOGRAM_LINEAR) << power;
	return low + ((uint64_t)1 << power) / 2;
}

static inline void histogram_add(struct histogram *histogram, uint64_t value)
{
	histogram->count++;
	histogram->buckets[histogram_bucket(value)]++;
	if (value > histogram->max)
		histogram->max = value;
}

static inline void histogram_merge(struct histogram *into, const struct histogram *from)
{
	into->count += from->count;
	if (from->max > into->max)
		into->max = from->max;
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		into->buckets[i] += from->buckets[i];
}

/* The value below which `permille` thousandths of what was recorded lie. */
static inline uint64_t histogram_quantile(const struct histogram *histogram, unsigned permille)
{
	uint64_t rank = histogram->count * permille / 1000;
	uint64_t seen = 0;

	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += histogram->buckets[i];
		if (seen > rank)
			return histogram_value(i);
	}
	return histogram->max;
}

#endif
