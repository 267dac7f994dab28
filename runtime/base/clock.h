/* SPDX-License-Identifier: MIT */
/* clock.h - monotonic time in nanoseconds. */
#ifndef SENNIT_RUNTIME_BASE_CLOCK_H
#define SENNIT_RUNTIME_BASE_CLOCK_H

#include <limits.h>
#include <stdint.h>

/* A deadline that never comes. */
#define SENNIT__NEVER UINT64_MAX

/* Nanoseconds of CLOCK_MONOTONIC. Costs more than a post: once a turn, never once an operation. */
uint64_t sennit__clock_now(void);

/* Milliseconds until the deadline, rounded up, as the kernel's waits take them: 0 where it has come
 * (0 is such a one, for which no time is asked), -1 for ever. */
static inline int sennit__clock_ms_until(uint64_t deadline_ns)
{
	uint64_t now_ns;
	uint64_t ms;

	if (deadline_ns == SENNIT__NEVER)
		return -1;
	now_ns = deadline_ns ? sennit__clock_now() : 0;
	if (deadline_ns <= now_ns)
		return 0;
	ms = (deadline_ns - now_ns - 1) / 1000000 + 1;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

/* a + b, or SENNIT__NEVER where that overflows. */
static inline uint64_t sennit__clock_add(uint64_t a, uint64_t b)
{
	return a > SENNIT__NEVER - b ? SENNIT__NEVER : a + b;
}

#endif
