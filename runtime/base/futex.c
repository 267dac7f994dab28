/* SPDX-License-Identifier: MIT */
/* futex.c - see futex.h. */
#include "runtime/base/futex.h"

#include <linux/futex.h>
#include <limits.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void sennit__futex_wait(struct sennit__atomic_u32 *word, uint32_t value, int timeout_ms)
{
	const struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};

	syscall(SYS_futex, &word->value, FUTEX_WAIT_PRIVATE, value,
		timeout_ms < 0 ? NULL : &timeout, NULL, 0);
}

void sennit__futex_wake_all(struct sennit__atomic_u32 *word)
{
	syscall(SYS_futex, &word->value, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}
