/* SPDX-License-Identifier: MIT */
/* abroad.c - operations bound to an executor of another runtime (io/op.c, io/object.c): both go on
 * until the handler has run, and no longer, whichever is destroyed first.
 *
 * Thread a is at home, where the object is; thread b drives the other runtime.
 */
#include "tests/model/object.h"

struct travel {
	struct world world;            /* home */
	struct sennit_runtime *abroad; /* NULL: destroyed */
	struct call *call;             /* freed in its handler */
	int result;                    /* plain: what the handler was told */
	unsigned handlers;
	bool guarded; /* the other runtime is, until the handler has run */
};

static void on_arrival(struct sennit_op *op, int error, size_t bytes)
{
	struct call *c = (struct call *)(void *)op;
	struct travel *t = (struct travel *)(void *)c->world;

	model_assert(sennit_runtime_current() == t->abroad);
	model_assert(!bytes || c->data == 'x');
	t->result = error;
	t->handlers++;
	if (t->guarded)
		sennit_runtime_guard_put(t->abroad);
	model_free(c); /* it is the user's again */
}

static void start(struct travel *t)
{
	t->call = model_new(sizeof *t->call);
	t->call->world = &t->world;
	sennit_op_bind_executor(&t->call->op, sennit_runtime_executor(t->abroad));
	sennit_async_read_some(&t->world.object.stream, &t->call->data, 1, &t->call->op,
			       on_arrival);
}

static struct travel *travel_new(const char *data)
{
	struct travel *t = kernel_and(sizeof *t);

	world_init(&t->world, data);
	model_assert(sennit_runtime_create(NULL, &t->abroad) == 0);
	return t;
}

static void drive_abroad(void *argument)
{
	struct travel *t = argument;

	model_assert(sennit_runtime_run(t->abroad) >= 0);
}

static void drive_abroad_and_destroy(void *argument)
{
	struct travel *t = argument;

	drive_abroad(t);
	model_assert(t->handlers == 1);
	model_assert(sennit_runtime_destroy(t->abroad) == 0);
	t->abroad = NULL;
}

static void end(struct travel *t, int result)
{
	model_join();
	model_assert(t->handlers == 1 && t->result == result);
	if (t->abroad)
		model_assert(sennit_runtime_destroy(t->abroad) == 0);
	if (t->world.runtime)
		model_assert(sennit_runtime_destroy(t->world.runtime) == 0);
	model_assert(kernel_open_count() == 0);
	model_assert(model_blocks() == t->world.blocks + kernel_blocks());
}

static void destroy_home(struct travel *t)
{
	model_assert(sennit_runtime_destroy(t->world.runtime) == 0);
	t->world.runtime = NULL;
}

static void both_go_on_until_the_handler_has_run(void)
{
	struct travel *t = travel_new("x");

	start(t);
	model_thread(drive_abroad, t);
	drive(&t->world);
	model_assert(t->handlers == 1); /* run does not return before */
	end(t, 0);
}

static void the_other_runtime_may_be_destroyed_as_soon_as_the_handler_has_run(void)
{
	struct travel *t = travel_new("x");

	start(t);
	model_thread(drive_abroad_and_destroy, t);
	drive(&t->world);
	end(t, 0);
}

static void home_is_destroyed_once_the_handler_has_run_elsewhere(void)
{
	struct travel *t = travel_new("");

	start(t);
	model_thread(drive_abroad, t);
	destroy_home(t);
	model_assert(t->handlers == 1);
	end(t, SENNIT_SHUTDOWN);
}

static void both_are_destroyed_each_by_its_own_thread(void)
{
	struct travel *t = travel_new("");

	start(t);
	model_thread(drive_abroad_and_destroy, t);
	destroy_home(t);
	end(t, SENNIT_SHUTDOWN);
}

/* --- started from there ----------------------------------------------------------------------- */

struct first {
	struct sennit_task task;
	struct travel *travel;
};

static void on_first(struct sennit_task *task, int error)
{
	struct travel *t = ((struct first *)(void *)task)->travel;

	(void)error;
	start(t);
	sennit_runtime_guard_put(t->world.runtime);
}

static void one_started_by_a_handler_of_the_other_runtime_comes_back_there(void)
{
	struct travel *t = travel_new("x");
	struct first *f = model_new(sizeof *f);

	t->world.blocks++;
	f->travel = t;
	sennit_runtime_guard_get(t->world.runtime);
	sennit_post(sennit_runtime_executor(t->abroad), &f->task, on_first);
	model_thread(drive_abroad, t);
	drive(&t->world);
	end(t, 0);
}

/* --- refused ---------------------------------------------------------------------------------- */

static void close_and_drive_abroad(void *argument)
{
	struct travel *t = argument;

	sennit_close(&t->world.object.stream);
	drive_abroad(t);
}

static void one_started_while_its_object_is_closed_ends_abroad_all_the_same(void)
{
	struct travel *t = travel_new("");

	t->guarded = true;
	sennit_runtime_guard_get(t->abroad);
	model_thread(close_and_drive_abroad, t);
	start(t);
	drive(&t->world);
	model_join();
	model_assert(t->result == -ECANCELED || t->result == -EBADF);
	model_outcome("%s", t->result == -EBADF ? "closed" : "canceled");
	drive(&t->world);
	end(t, t->result);
}

/* Two runtimes are many operations: all schedules, or one preemption more in the last, took more
 * than a minute, and no mutant needs them. */
const struct model_scenario model_scenarios[] = {
	{.name = "both_go_on_until_the_handler_has_run",
	 .run = both_go_on_until_the_handler_has_run,
	 .preemptions = 3},
	{.name = "the_other_runtime_may_be_destroyed_as_soon_as_the_handler_has_run",
	 .run = the_other_runtime_may_be_destroyed_as_soon_as_the_handler_has_run,
	 .preemptions = 3},
	{.name = "home_is_destroyed_once_the_handler_has_run_elsewhere",
	 .run = home_is_destroyed_once_the_handler_has_run_elsewhere,
	 .preemptions = 3},
	{.name = "both_are_destroyed_each_by_its_own_thread",
	 .run = both_are_destroyed_each_by_its_own_thread,
	 .preemptions = 3},
	{.name = "one_started_by_a_handler_of_the_other_runtime_comes_back_there",
	 .run = one_started_by_a_handler_of_the_other_runtime_comes_back_there,
	 .preemptions = 3},
	{.name = "one_started_while_its_object_is_closed_ends_abroad_all_the_same",
	 .run = one_started_while_its_object_is_closed_ends_abroad_all_the_same,
	 .preemptions = 2,
	 .outcomes = "canceled closed"},
	{0},
};
