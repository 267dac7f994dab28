/* SPDX-License-Identifier: MIT */
/* engine.c - threads as fibers, and one execution. See engine.h. */
#include "tests/model/explorer/engine.h"

#include <link.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Operations of one execution; more is a livelock. */
#define OPERATIONS_MAX 20000

struct explorer x;

/* --- thread-local variables ------------------------------------------------------------------- */

/* The program's own: each fiber has its copy, exchanged when fibers are. */
static struct {
	char *here;
	size_t size;
	char fresh[sizeof x.threads[0].locals]; /* as a new thread finds them */
} locals;

static int find_locals(struct dl_phdr_info *info, size_t size, void *unused)
{
	(void)size;
	(void)unused;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_TLS) {
			locals.here = info->dlpi_tls_data;
			locals.size = info->dlpi_phdr[i].p_memsz;
		}
	return 1; /* the program comes first, and the rest does not matter */
}

static void init_locals(void)
{
	dl_iterate_phdr(find_locals, NULL);
	if (locals.size > sizeof locals.fresh) {
		fprintf(stderr, "explorer: %zu bytes of thread-local variables\n", locals.size);
		abort();
	}
	if (locals.size)
		memcpy(locals.fresh, locals.here, locals.size);
}

/* --- switching -------------------------------------------------------------------------------- */

static void switch_to(int next)
{
	struct thread *from = engine_self();
	struct thread *to = &x.threads[next];

	if (from == to)
		return;
	memcpy(from->locals, locals.here, locals.size);
	memcpy(locals.here, to->locals, locals.size);
	x.self = next;
	fiber_switch(from->fiber, to->fiber);
}

static _Noreturn void end_execution(void)
{
	fiber_switch(engine_self()->fiber, x.driver);
	abort();
}

void engine_fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(x.text, sizeof x.text, format, arguments);
	va_end(arguments);
	x.failure = x.text;
	TRACE("FAILED: %s", x.text);
	end_execution();
}

void engine_prune(void)
{
	x.pruned = true;
	end_execution();
}

/* --- scheduling ------------------------------------------------------------------------------- */

static bool is_enabled(const struct thread *t)
{
	return t->state == READY && (!t->pending.ready || t->pending.ready(t->pending.argument));
}

static _Noreturn void stuck(void)
{
	char text[512] = "";
	size_t length = 0;

	for (int i = 0; i < x.count; i++)
		if (x.threads[i].state != DONE)
			length += (size_t)snprintf(text + length, sizeof text - length, " %c: %s;",
						   'a' + i, x.threads[i].pending.what);
	engine_fail("deadlock, a wake-up was lost:%s", text);
}

/* A thread that may go on without anybody noticing, or -1. */
static int unnoticed(void)
{
	for (int i = 0; i < x.count; i++) {
		const struct thread *t = &x.threads[i];

		if (t->state == FRESH || (t->state == READY && !t->pending.on[0] && is_enabled(t)))
			return i;
	}
	return -1;
}

/* Nothing else can happen: then a wait with a limit ends. */
static int timed_out(void)
{
	for (int i = 0; i < x.count; i++)
		if (x.threads[i].state == READY && x.threads[i].pending.timed)
			return i;
	return -1;
}

/* Lets the thread go on that the search chooses; returns when that is the calling one. */
static void schedule(void)
{
	int next = unnoticed();
	unsigned enabled = 0;

	if (next < 0) {
		for (int i = 0; i < x.count; i++)
			enabled |= (unsigned)is_enabled(&x.threads[i]) << i;
		next = enabled ? search_thread(enabled) : timed_out();
	}
	if (next < 0)
		stuck();
	x.threads[next].state = READY;
	switch_to(next);
}

void engine_announce(const struct pending *pending)
{
	struct thread *t = engine_self();

	t->pending = *pending;
	schedule();
	if (pending->on[0])
		x.last = x.self;
}

void engine_tick(void)
{
	struct thread *t = engine_self();

	search_record_operation();
	t->covered = false;
	t->clock++;
	t->now.order[x.self] = t->now.view[x.self] = (int16_t)t->clock;
	if (++x.operations == OPERATIONS_MAX)
		engine_fail("livelock: %d operations and no end", OPERATIONS_MAX);
}

/* --- threads ---------------------------------------------------------------------------------- */

static void thread_main(void)
{
	struct thread *t = engine_self();
	bool all = true;

	t->function(t->argument);
	t->state = DONE;
	for (int i = 0; i < x.count; i++)
		all = all && x.threads[i].state == DONE;
	if (all)
		end_execution();
	schedule();
	abort();
}

static struct thread *make_thread(void (*function)(void *), void *argument)
{
	struct thread *t = &x.threads[x.count];
	size_t size;
	void *stack = plain_stack(x.count, &size);

	memset(t, 0, offsetof(struct thread, locals));
	memcpy(t->locals, locals.fresh, locals.size);
	t->function = function;
	t->argument = argument;
	t->fiber = fiber_make(stack, size, thread_main);
	t->clock = 1;
	x.count++;
	return t;
}

int engine_spawn(void (*function)(void *), void *argument)
{
	struct thread *parent = engine_self();
	struct thread *t;
	int number = x.count;

	if (number == THREADS_MAX)
		engine_fail("more than %d threads", THREADS_MAX);
	t = make_thread(function, argument);
	t->now = parent->now;
	t->now.order[number] = t->now.view[number] = 1;
	x.alone = false;
	TRACE("starts thread %c", 'a' + number);
	engine_tick(); /* what the parent does from here on is not before the child */
	return number;
}

static bool thread_is_done(void *thread)
{
	return ((struct thread *)thread)->state == DONE;
}

void engine_await(int thread)
{
	struct thread *other = &x.threads[thread];
	struct thread *self = engine_self();

	if (other->state != DONE)
		engine_announce(&(struct pending){.ready = thread_is_done,
						  .argument = other,
						  .what = "waits for a thread to end"});
	message_join(&self->now, &other->now);
}

static void run_first(void *unused)
{
	(void)unused;
	x.scenario->run();
}

bool engine_run(void)
{
	if (!x.driver) {
		x.driver = fiber_first();
		init_locals();
	}
	x.count = 0;
	x.self = x.last = 0;
	x.preempted = 0;
	x.alone = x.races = true;
	x.grown = x.pruned = false;
	x.execution++;
	x.operations = 0;
	x.failure = NULL;
	plain_reset();
	memory_reset();
	search_start();
	make_thread(run_first, NULL)->state = READY;
	x.threads[0].now.order[0] = x.threads[0].now.view[0] = 1;
	memcpy(locals.here, x.threads[0].locals, locals.size);
	x.inside = true;
	fiber_switch(x.driver, x.threads[0].fiber);
	x.inside = false;
	return !x.failure;
}

/* --- what models call ------------------------------------------------------------------------- */

const void *model_argument(void)
{
	return x.scenario->argument;
}

void model_thread(void (*function)(void *), void *argument)
{
	engine_spawn(function, argument);
}

void model_join(void)
{
	if (x.self)
		engine_fail("model_join is for thread a");
	for (int i = 1; i < x.count; i++)
		engine_await(i);
	x.alone = true;
}

void model_fail(const char *file, int line, const char *text)
{
	engine_fail("%s:%d: %s", file, line, text);
}
