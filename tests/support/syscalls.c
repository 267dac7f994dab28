/* SPDX-License-Identifier: MIT */
/* syscalls.c - see syscalls.h. */
#include "syscalls.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#define NUMBERS 1024

typedef long system_call(long number, ...);

static atomic_uint_fast64_t counts[NUMBERS];
static _Atomic(system_call *) next;

/* Before any thread is there: to look a name up may allocate. */
__attribute__((constructor)) static void find_next(void)
{
	union {
		void *symbol;
		system_call *function;
	} found;

	found.symbol = dlsym(RTLD_NEXT, "syscall");
	if (!found.symbol)
		abort();
	atomic_store(&next, found.function);
}

/* The C library's declaration stays out of the way: this one's parameters have its types. */
long syscall(long number, ...);

long syscall(long number, ...)
{
	system_call *function = atomic_load_explicit(&next, memory_order_relaxed);
	long argument[6];
	va_list list;

	if (number >= 0 && number < NUMBERS)
		atomic_fetch_add_explicit(&counts[number], 1, memory_order_relaxed);
	/* As the C library's own does: six words, whatever was passed. */
	va_start(list, number);
	for (int i = 0; i < 6; i++)
		argument[i] = va_arg(list, long);
	va_end(list);
	if (!function)
		abort();
	return function(number, argument[0], argument[1], argument[2], argument[3], argument[4],
	                argument[5]);
}

uint64_t system_calls(long number)
{
	return atomic_load(&counts[number]);
}

static uint64_t sum(const long *numbers, size_t count)
{
	uint64_t total = 0;

	for (size_t i = 0; i < count; i++)
		total += system_calls(numbers[i]);
	return total;
}

#define SUM(...)                                                                                   \
 sum((const long[]){ __VA_ARGS__ }, sizeof((const long[]){ __VA_ARGS__ }) / sizeof(long))

uint64_t read_calls(void)
{
	return SUM(SYS_read, SYS_readv, SYS_pread64, SYS_preadv, SYS_preadv2, SYS_recvfrom,
	           SYS_recvmsg, SYS_recvmmsg);
}

uint64_t write_calls(void)
{
	return SUM(SYS_write, SYS_writev, SYS_pwrite64, SYS_pwritev, SYS_pwritev2) + send_calls();
}

uint64_t send_calls(void)
{
	return SUM(SYS_sendto, SYS_sendmsg, SYS_sendmmsg);
}

uint64_t wait_calls_made(void)
{
	return SUM(SYS_epoll_pwait, SYS_epoll_pwait2, SYS_ppoll, SYS_pselect6);
}
