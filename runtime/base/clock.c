/* SPDX-License-Identifier: MIT */
/* clock.c - see clock.h. */
#include "runtime/base/clock.h"

#include <time.h>

uint64_t sennit__clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
