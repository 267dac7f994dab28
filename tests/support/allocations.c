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

#else

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);

void *malloc(size_t size)
{
	count();
	return __libc_malloc(size);
}

void *calloc(size_t number, size_t size)
{
	count();
	return __libc_calloc(number, size);
}

void *realloc(void *memory, size_t size)
{
	count();
	return __libc_realloc(memory, size);
}

void *memalign(size_t alignment, size_t size)
{
	count();
	return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	count();
	return __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
	count();
	*memory = __libc_memalign(alignment, size);
	return *memory ? 0 : ENOMEM;
}

void free(void *memory)
{
	__libc_free(memory);
}

#endif
