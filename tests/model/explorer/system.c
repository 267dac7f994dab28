/* SPDX-License-Identifier: MIT */
/* system.c - the system as the code under test finds it: memory, threads, futexes, the machine,
 * time, and its own last words. These definitions come before the library's, which is an archive.
 */
#include "tests/model/explorer/engine.h"

#include "runtime/base/clock.h"
#include "runtime/base/futex.h"
#include "runtime/base/misuse.h"
#include "runtime/topology/plan.h"

#include <pthread.h>

void *explorer_aligned_alloc(size_t alignment, size_t size);
void *explorer_calloc(size_t count, size_t size);
void explorer_free(void *memory);
void *explorer_mmap(void *address, size_t size, int protection, int flags, int fd, long offset);
int explorer_munmap(void *memory, size_t size);
int explorer_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
			    void *(*function)(void *), void *argument);
int explorer_pthread_join(pthread_t thread, void **result);
int explorer_sched_yield(void);

/* --- memory ----------------------------------------------------------------------------------- */

void *explorer_aligned_alloc(size_t alignment, size_t size)
{
	return plain_allocate(size, alignment, false, __builtin_return_address(0));
}

void *explorer_calloc(size_t count, size_t size)
{
	return plain_allocate(count * size, 16, true, __builtin_return_address(0));
}

void explorer_free(void *memory)
{
	plain_free(memory, __builtin_return_address(0));
}

void *explorer_mmap(void *address, size_t size, int protection, int flags, int fd, long offset)
{
	(void)address;
	(void)protection;
	(void)flags;
	(void)fd;
	(void)offset;
	return plain_allocate(size, 64, true, __builtin_return_address(0));
}

int explorer_munmap(void *memory, size_t size)
{
	(void)size;
	plain_free(memory, __builtin_return_address(0));
	return 0;
}

void *model_new(size_t size)
{
	return plain_allocate(size, 16, true, __builtin_return_address(0));
}

void model_free(void *memory)
{
	plain_free(memory, __builtin_return_address(0));
}

/* --- threads ---------------------------------------------------------------------------------- */

struct start {
	void *(*function)(void *);
	void *argument;
};

static void run_pthread(void *argument)
{
	struct start start = *(struct start *)argument;

	start.function(start.argument);
}

int explorer_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
			    void *(*function)(void *), void *argument)
{
	struct start *start =
		plain_allocate(sizeof *start, 16, false, __builtin_return_address(0));

	(void)attributes;
	*start = (struct start){function, argument};
	*thread = (pthread_t)engine_spawn(run_pthread, start);
	plain_free(start, __builtin_return_address(0)); /* but for its bytes, which stay */
	return 0;
}

int explorer_pthread_join(pthread_t thread, void **result)
{
	(void)result;
	engine_await((int)thread);
	return 0;
}

int explorer_sched_yield(void)
{
	model_yield();
	return 0;
}

void sennit__futex_wait(struct sennit__atomic_u32 *word, uint32_t value, int timeout_ms)
{
	memory_futex_wait(&word->value, value, timeout_ms >= 0);
}

void sennit__futex_wake_all(struct sennit__atomic_u32 *word)
{
	memory_futex_wake(&word->value);
}

/* --- the machine ------------------------------------------------------------------------------ */

/* A plan is as many workers as were asked for (0: one), unbound. */
int sennit__plan_init(struct sennit__plan *plan, const struct sennit__wish *wish)
{
	return sennit__plan_unbound(plan, wish->workers ? wish->workers : 1);
}

int sennit__plan_unbound(struct sennit__plan *plan, unsigned workers)
{
	plan->count = workers;
	return sennit__victims_init(&plan->victims, workers, NULL, NULL);
}

void sennit__plan_fini(struct sennit__plan *plan)
{
	plan->count = 0;
	sennit__victims_fini(&plan->victims);
}

int sennit__plan_settle(const struct sennit__plan *plan, unsigned worker, void *pages, size_t size)
{
	(void)plan;
	(void)worker;
	(void)pages;
	(void)size;
	return 0;
}

void sennit__plan_unsettle(const struct sennit__plan *plan, void *pages, size_t size)
{
	(void)plan;
	(void)pages;
	(void)size;
}

/* --- the rest --------------------------------------------------------------------------------- */

uint64_t sennit__clock_now(void)
{
	return 1; /* time stands still: nothing that is explored may depend on it */
}

void sennit__misuse(const char *call, const char *sentence)
{
	engine_fail("misuse: %s: %s", call, sentence);
}

void sennit__assert_failed(const char *file, int line, const char *text)
{
	engine_fail("internal assertion failed, %s:%d: %s", file, line, text);
}

/* --- objects ---------------------------------------------------------------------------------- */

struct model_object *model_object(const char *name)
{
	struct model_object *object = plain_allocate(sizeof *object + sizeof(struct location), 64,
						     true, __builtin_return_address(0));
	struct location *location = (struct location *)(void *)(object + 1);

	object->name = location->name = name;
	object->location_ = location;
	return object;
}

void model_step(struct model_object *object, const char *what)
{
	model_wait(object, what, NULL, NULL);
}

void model_wait(struct model_object *object, const char *what, bool (*ready)(void *argument),
		void *argument)
{
	struct location *location = object->location_;

	if (!x.alone)
		engine_announce(&(struct pending){
			.on = {location}, .ready = ready, .argument = argument, .what = what});
	else if (ready && !ready(argument))
		engine_fail("deadlock, a wake-up was lost: a: %s", what);
	location->version++;
	TRACE("%s %s", object->name, what);
	engine_tick();
}
