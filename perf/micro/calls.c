/* SPDX-License-Identifier: MIT */
/* calls.c - the library's system calls once more, the same but that those that send are counted:
 * defined in the program, they are linked instead of the library's own. */
#include "perf/micro/sennit.h"

#include "io/sys/call.h"

#include <sys/syscall.h>

_Thread_local uint64_t micro_sends;

static inline long counted_call(long number, long a, long b, long c, long d, long e, long f)
{
	switch (number) { /* constant in each caller: nothing of this is left in the others */
	case SYS_sendto:
	case SYS_sendmsg:
	case SYS_sendmmsg:
	case SYS_writev:
	case SYS_pwritev2:
		micro_sends++;
	}
	return sennit__call(number, a, b, c, d, e, f);
}

#define sennit__call counted_call
#include "io/sys/sys.c"
