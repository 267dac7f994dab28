/* SPDX-License-Identifier: MIT */
/* futex.c - see futex.h. */
#include "runtime/base/futex.h"

#include <linux/futex.h>
#include <limits.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

void sennit__futex_wait(struct sennit__atomic_u32 *word, uint32_t value)
{
	syscall(SYS_futex, &word->value, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

void sennit__futex_wake_all(struct sennit__atomic_u32 *word)
{
	syscall(SYS_futex, &word->value, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}
