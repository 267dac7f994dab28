/* SPDX-License-Identifier: MIT */
/* clock.c - see clock.h. */
#include "runtime/base/clock.h"

#include <limits.h>
#include <time.h>

uint64_t sennit__clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int sennit__clock_ms_until(uint64_t deadline_ns)
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
