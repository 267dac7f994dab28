/* SPDX-License-Identifier: MIT */
/* system.h - read before every source of the code under test: what of the system the explorer takes
 * the place of. The sources themselves are unchanged.
 */
#ifndef SENNIT_TESTS_MODEL_SYSTEM_H
#define SENNIT_TESTS_MODEL_SYSTEM_H

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void *explorer_memset(void *to, int value, size_t size);
void *explorer_memcpy(void *to, const void *from, size_t size);
void *explorer_aligned_alloc(size_t alignment, size_t size);
void *explorer_calloc(size_t count, size_t size);
void explorer_free(void *memory);
void *explorer_mmap(void *address, size_t size, int protection, int flags, int fd, long offset);
int explorer_munmap(void *memory, size_t size);
int explorer_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
			    void *(*function)(void *), void *argument);
int explorer_pthread_join(pthread_t thread, void **result);
int explorer_sched_yield(void);


/* What has no place in a model. */
static inline int explorer_nothing(const void *unused)
{
	(void)unused;
	return 0;
}

#define memset(to, value, size) explorer_memset(to, value, size)
#define memcpy(to, from, size) explorer_memcpy(to, from, size)
#define malloc(size) explorer_aligned_alloc(16, size)
#define aligned_alloc(alignment, size) explorer_aligned_alloc(alignment, size)
#define calloc(count, size) explorer_calloc(count, size)
#define free(memory) explorer_free(memory)
#define mmap(address, size, protection, flags, fd, offset)                                         \
	explorer_mmap(address, size, protection, flags, fd, offset)
#define munmap(memory, size) explorer_munmap(memory, size)
#define madvise(memory, size, advice) explorer_nothing(memory)
#define pthread_create(thread, attributes, function, argument)                                     \
	explorer_pthread_create(thread, attributes, function, argument)
#define pthread_join(thread, result) explorer_pthread_join(thread, result)
#define pthread_sigmask(how, set, before) explorer_nothing(before)
#define pthread_setname_np(thread, name) explorer_nothing(name)
#define pthread_setcancelstate(state, before) explorer_nothing(before)
#define sched_yield() explorer_sched_yield()

#endif
