/* SPDX-License-Identifier: MIT */
/* object.h - what the models of I/O objects share: a driven runtime over the model's kernel, one
 * descriptor, and operations that know how often they ended.
 *
 * Thread a is the one that drives. `told` is plain memory that a canceller writes before it cancels
 * and a handler reads that hears of it.
 */
#ifndef SENNIT_TESTS_MODEL_OBJECT_H
#define SENNIT_TESTS_MODEL_OBJECT_H

#include "tests/model/explorer/explorer.h"
#include "tests/model/support/kernel.h"

#include <errno.h>
#include <sennit/sennit.h>

#define CALLS_MAX 4

/* One operation. */
struct call {
	struct sennit_op op;
	char data;
	bool started;
	unsigned ended;
	int error;
	size_t bytes;
	const int *told;                   /* to be read where the operation did not succeed */
	void (*then)(struct call *ended);  /* in its handler, at its end */
	struct world *world;
};

struct world {
	struct sennit_runtime *runtime;
	struct sennit_executor *executor;
	struct sennit_descriptor object;
	int fd;
	int told;
	unsigned blocks; /* before the runtime */
	struct call call[CALLS_MAX];
};

static inline void *kernel_and(size_t size)
{
	kernel_new();
	return model_new(size);
}

/* A runtime, and a descriptor to which `data` has come. */
static inline void world_init(struct world *w, const char *data)
{
	w->blocks = model_blocks() - kernel_blocks();
	model_assert(sennit_runtime_create(NULL, &w->runtime) == 0);
	w->executor = sennit_runtime_executor(w->runtime);
	w->fd = kernel_stream(data);
	model_assert(sennit_descriptor_assign(&w->object, w->executor, w->fd) == 0);
	for (int i = 0; i < CALLS_MAX; i++)
		w->call[i].world = w;
}

static inline struct world *world_new(const char *data)
{
	struct world *w = kernel_and(sizeof *w);

	world_init(w, data);
	return w;
}

static inline void on_end(struct sennit_op *op, int error, size_t bytes)
{
	struct call *c = (struct call *)(void *)op;

	c->ended++;
	c->error = error;
	c->bytes = bytes;
	if (error && c->told)
		model_assert(*c->told);
	if (c->then)
		c->then(c);
}

/* Starts a read of one byte. */
static inline void call_read(struct sennit_descriptor *object, struct call *c)
{
	c->started = true;
	sennit_async_read_some(&object->stream, &c->data, 1, &c->op, on_end);
}

static inline void cancel(void *argument)
{
	struct world *w = argument;

	sennit_cancel(&w->object.stream);
}

struct posted {
	struct sennit_task task;
	struct world *world;
};

static inline void post(struct world *w, sennit_function *function)
{
	struct posted *p = model_new(sizeof *p);

	w->blocks++;
	p->world = w;
	sennit_post(w->executor, &p->task, function);
}

static inline struct world *posted_by(struct sennit_task *task)
{
	return ((struct posted *)(void *)task)->world;
}

/* Drives until no work is left. */
static inline void drive(struct world *w)
{
	sennit_runtime_restart(w->runtime);
	model_assert(sennit_runtime_run(w->runtime) >= 0);
}

/* Drives without waiting. */
static inline void look(struct world *w)
{
	sennit_runtime_restart(w->runtime);
	model_assert(sennit_runtime_poll(w->runtime) >= 0);
}

static inline void check_calls(const struct world *w)
{
	for (int i = 0; i < CALLS_MAX; i++)
		model_assert(w->call[i].ended == w->call[i].started);
}

/* Once all threads are done: whatever is left is closed and ends, each operation once. */
static inline void world_end(struct world *w)
{
	model_join();
	sennit_close(&w->object.stream);
	drive(w);
	check_calls(w);
	model_assert(sennit_runtime_destroy(w->runtime) == 0);
	model_assert(kernel_open_count() == 0);
	model_assert(model_blocks() == w->blocks + kernel_blocks());
}

static inline bool was_canceled(const struct call *c)
{
	return c->error == -ECANCELED && c->bytes == 0;
}

static inline bool was_served(const struct call *c)
{
	return c->error == 0 && c->bytes == 1;
}

#endif
