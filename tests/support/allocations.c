/* SPDX-License-Identifier: MIT */
/* allocations.c - counts calls to the allocator.
 *
 * The functions defined here stand before the C library's for everything in the process, shared
 * libraries too. The sanitizers stand there themselves and offer a hook instead.
 */
#include "support.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

static atomic_uint_fast64_t everywhere;
static _Thread_local uint64_t here;

uint64_t allocations(void)
{
	return atomic_load_explicit(&everywhere, memory_order_relaxed);
}

uint64_t allocations_here(void)
{
	return here;
}

static void count(void)
{
	atomic_fetch_add_explicit(&everywhere, 1, memory_order_relaxed);
	here++;
}

#if defined(SANITIZED_THREAD) || defined(SANITIZED_ADDRESS)

int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *));

static void on_allocated(const volatile void *memory, size_t size)
{
	(void)memory;
	(void)size;
	count();
}

static void on_freed(const volatile void *memory)
{
	(void)memory;
}

__attribute__((constructor)) static void install(void)
{
	if (!__sanitizer_install_malloc_and_free_hooks(on_allocated, on_freed))
		abort();
}

int64_t live_allocations(void)
{
	return -1;
}

bool fail_allocations_after(uint64_t calls)
{
	return calls == UINT64_MAX;
}

#else

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);

static atomic_int_fast64_t live;
static atomic_uint_fast64_t left = UINT64_MAX;

/* The ends of the program's own code, as the linker knows them. */
extern const char __executable_start[], etext[];

int64_t live_allocations(void)
{
	return atomic_load_explicit(&live, memory_order_relaxed);
}

bool fail_allocations_after(uint64_t calls)
{
	atomic_store(&left, calls);
	return true;
}

/* Counts a call that will return to `caller`, and tells whether it may succeed. */
static bool allowed(const void *caller)
{
	uint_fast64_t now = atomic_load_explicit(&left, memory_order_relaxed);
	uintptr_t place = (uintptr_t)caller;

	count();
	if (place < (uintptr_t)__executable_start || place >= (uintptr_t)etext)
		return true;
	while (now != UINT64_MAX && now != 0)
		if (atomic_compare_exchange_weak(&left, &now, now - 1))
			return true;
	if (now == 0)
		errno = ENOMEM;
	return now != 0;
}

static void *counted(void *memory)
{
	if (memory)
		atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
	return memory;
}

# define ALLOWED() allowed(__builtin_return_address(0))

void *malloc(size_t size)
{
	return ALLOWED() ? counted(__libc_malloc(size)) : NULL;
}

void *calloc(size_t number, size_t size)
{
	return ALLOWED() ? counted(__libc_calloc(number, size)) : NULL;
}

void *realloc(void *memory, size_t size)
{
	if (!ALLOWED())
		return NULL;
	if (!memory)
		return counted(__libc_realloc(NULL, size));
	if (!size)
		atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
	return __libc_realloc(memory, size);
}

void *memalign(size_t alignment, size_t size)
{
	return ALLOWED() ? counted(__libc_memalign(alignment, size)) : NULL;
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return ALLOWED() ? counted(__libc_memalign(alignment, size)) : NULL;
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
	void *result = ALLOWED() ? counted(__libc_memalign(alignment, size)) : NULL;

	if (!result)
		return ENOMEM;
	*memory = result;
	return 0;
}

void free(void *memory)
{
	if (memory)
		atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
	__libc_free(memory);
}

#endif
