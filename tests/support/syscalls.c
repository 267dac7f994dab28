/* SPDX-License-Identifier: MIT */
/* syscalls.c - see syscalls.h. */
#include "syscalls.h"

#include "io/sys/call.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

#define NUMBERS 1024

static atomic_uint_fast64_t counts[NUMBERS];
static atomic_long forgotten;

static long counted_call(long number, long a, long b, long c, long d, long e, long f)
{
	if (number >= 0 && number < NUMBERS)
		atomic_fetch_add_explicit(&counts[number], 1, memory_order_relaxed);
	/* Their last argument is the flags. */
	if ((number == SYS_preadv2 || number == SYS_pwritev2) && f & atomic_load(&forgotten))
		return -EOPNOTSUPP;
	return sennit__call(number, a, b, c, d, e, f);
}

#define sennit__call counted_call
#include "io/sys/sys.c"

uint64_t system_calls(long number)
{
	return atomic_load(&counts[number]);
}

uint64_t send_calls(void)
{
	return system_calls(SYS_sendto) + system_calls(SYS_sendmsg) + system_calls(SYS_sendmmsg);
}

uint64_t receive_calls(void)
{
	return system_calls(SYS_recvfrom) + system_calls(SYS_recvmsg) + system_calls(SYS_recvmmsg);
}

uint64_t event_calls(void)
{
	return system_calls(SYS_epoll_pwait) + system_calls(SYS_epoll_pwait2);
}

void forget_rwf_flags(int flags)
{
	atomic_store(&forgotten, flags);
}
