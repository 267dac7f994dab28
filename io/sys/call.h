/* SPDX-License-Identifier: MIT */
/* call.h - one system call: the result or -errno, as the kernel gives it.
 *
 * Where the instruction is known it is used: syscall(2) costs twenty instructions more, for turning
 * -errno into errno, which we would turn back.
 */
#ifndef SENNIT_IO_SYS_CALL_H
#define SENNIT_IO_SYS_CALL_H

#if defined(__x86_64__) && defined(__LP64__)

static inline long sennit__call(long number, long a, long b, long c, long d, long e, long f)
{
	register long d_register __asm__("r10") = d;
	register long e_register __asm__("r8") = e;
	register long f_register __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(d_register), "r"(e_register),
			   "r"(f_register)
			 : "rcx", "r11", "memory");
	return result;
}

#else

#include <errno.h>
#include <unistd.h>

static inline long sennit__call(long number, long a, long b, long c, long d, long e, long f)
{
	long result = syscall(number, a, b, c, d, e, f);

	return result < 0 ? -errno : result;
}

#endif

#endif
