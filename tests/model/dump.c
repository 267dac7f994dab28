/* SPDX-License-Identifier: MIT */
/* dump.c - the request for a dump (io/dump.c) against a worker that runs, sleeps or leaves.
 *
 * The file is one that hands each piece to the model at once, so what a worker prints is plain
 * memory that the caller reads afterwards.
 */
#include "tests/model/object.h"

#include <stdio.h>
#include <string.h>

struct page {
	unsigned lines; /* plain: written by who prints */
	unsigned workers;
};

/* Where the file writes to in this execution; the file itself has no state. */
static struct page *page;

static ssize_t on_print(void *cookie, const char *text, size_t size)
{
	(void)cookie;
	for (size_t i = 0; i < size; i++)
		page->lines += text[i] == '\n';
	page->workers += size > 9 && !strncmp(text, "  worker ", 9);
	return (ssize_t)size;
}

static FILE *page_new(void)
{
	const cookie_io_functions_t functions = {.write = on_print};
	static FILE *file;

	if (!file) {
		file = fopencookie(NULL, "w", functions);
		setvbuf(file, NULL, _IONBF, 0);
	}
	page = model_new(sizeof *page);
	return file;
}

struct dumper {
	struct world world;
	FILE *file;
	unsigned workers; /* that are to print, all in all */
};

static struct dumper *dumper_new(void)
{
	struct dumper *d = kernel_and(sizeof *d);

	d->file = page_new();
	d->workers = 1;
	return d;
}

static void dump(struct dumper *d)
{
	sennit_runtime_dump(d->world.runtime, d->file);
	model_assert(page->workers >= 1); /* printed before dump returned */
}

static void dump_it(void *argument)
{
	dump(argument);
}

static void dump_and_let_go(void *argument)
{
	struct dumper *d = argument;

	dump(d);
	sennit_runtime_guard_put(d->world.runtime);
}

static void dump_twice(void *argument)
{
	dump(argument);
	dump(argument);
	model_assert(page->workers == 2);
}

static void end(struct dumper *d, unsigned workers)
{
	model_join();
	model_assert(page->workers == workers);
	world_end(&d->world);
}

static void a_worker_that_runs_or_sleeps_prints(void)
{
	struct dumper *d = dumper_new();

	world_init(&d->world, "");
	sennit_runtime_guard_get(d->world.runtime);
	model_thread(dump_and_let_go, d);
	drive(&d->world);
	end(d, 1);
}

static void a_worker_with_a_read_in_flight_prints_it(void)
{
	struct dumper *d = dumper_new();

	world_init(&d->world, "");
	sennit_runtime_guard_get(d->world.runtime);
	call_read(&d->world.object, &d->world.call[0]);
	look(&d->world);
	model_thread(dump_and_let_go, d);
	look(&d->world);
	model_join();
	model_assert(page->lines == 4); /* the runtime, a worker, an object, a read */
	end(d, 1);
}

static void a_worker_that_leaves_prints_first_or_is_visited(void)
{
	struct dumper *d = dumper_new();

	world_init(&d->world, "");
	model_thread(dump_it, d);
	look(&d->world);
	end(d, 1);
}

static void two_dumps_of_one_thread_use_the_same_stack(void)
{
	struct dumper *d = dumper_new();

	world_init(&d->world, "");
	model_thread(dump_twice, d);
	look(&d->world);
	end(d, 2);
}

static void a_worker_that_comes_back_meets_a_visitor(void)
{
	struct dumper *d = dumper_new();

	world_init(&d->world, "");
	model_thread(dump_it, d);
	look(&d->world);
	look(&d->world);
	end(d, 1);
}

/* --- a thread of the runtime ------------------------------------------------------------------ */

static void the_worker_of_a_started_runtime_prints(void)
{
	const struct sennit_runtime_options options = {
		.size = sizeof options, .workers = 1, .pin = SENNIT_PIN_NONE};
	struct dumper *d = dumper_new();

	d->world.blocks = model_blocks() - kernel_blocks();
	model_assert(sennit_runtime_create(&options, &d->world.runtime) == 0);
	model_assert(sennit_runtime_start(d->world.runtime) == 0);
	dump(d);
	model_assert(page->workers == 1 && page->lines == 2);
	model_assert(sennit_runtime_destroy(d->world.runtime) == 0);
	model_assert(kernel_open_count() == 0);
	model_assert(model_blocks() == d->world.blocks + kernel_blocks());
}

const struct model_scenario model_scenarios[] = {
	{.name = "a_worker_that_runs_or_sleeps_prints",
	 .run = a_worker_that_runs_or_sleeps_prints,
	 .preemptions = MODEL_ALL},
	{.name = "a_worker_with_a_read_in_flight_prints_it",
	 .run = a_worker_with_a_read_in_flight_prints_it,
	 .preemptions = MODEL_ALL},
	{.name = "a_worker_that_leaves_prints_first_or_is_visited",
	 .run = a_worker_that_leaves_prints_first_or_is_visited,
	 .preemptions = MODEL_ALL},
	{.name = "two_dumps_of_one_thread_use_the_same_stack",
	 .run = two_dumps_of_one_thread_use_the_same_stack,
	 .preemptions = MODEL_ALL},
	{.name = "a_worker_that_comes_back_meets_a_visitor",
	 .run = a_worker_that_comes_back_meets_a_visitor,
	 .preemptions = MODEL_ALL},
	{.name = "the_worker_of_a_started_runtime_prints",
	 .run = the_worker_of_a_started_runtime_prints,
	 .preemptions = 3},
	{0},
};
