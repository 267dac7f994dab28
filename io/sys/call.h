/* SPDX-License-Identifier: MIT */
/* call.h - one system call: the result or -errno, as the kernel gives it.
 *
 * Where the instruction is known it is used: syscall(2) costs twenty instructions more, for turning
 * -errno into errno, which we would turn back.
 *
 * What the kernel orders (what was done before a write to an eventfd, and what is done after the
 * read that counts it) the compiler and the processor heed: a call clobbers memory. ThreadSanitizer
 * does not see it, and is told, of the one thing that we rely on that order for.
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

#if defined(__SANITIZE_THREAD__)
#define SENNIT__CALL_TOLD 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SENNIT__CALL_TOLD 1
#endif
#endif

#ifdef SENNIT__CALL_TOLD

#include <sanitizer/tsan_interface.h>

/* Before a call that orders what came before it ... */
static inline void sennit__call_release(void *what)
{
	__tsan_release(what);
}

/* ... before what comes after this one, which heard of it. */
static inline void sennit__call_acquire(void *what)
{
	__tsan_acquire(what);
}

#else

static inline void sennit__call_release(void *what)
{
	(void)what;
}

static inline void sennit__call_acquire(void *what)
{
	(void)what;
}

#endif

#endif
