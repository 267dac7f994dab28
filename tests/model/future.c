/* SPDX-License-Identifier: MIT */
/* future.c - a thread that waits for a result (io/future.c): it is woken, it sees what the handler
 * was told, and the future is its own at once.
 */
#include "tests/model/object.h"

struct promise {
	struct world world;
	struct sennit_future *future;
	char data;
};

static struct promise *promise_new(const char *data)
{
	struct promise *p = kernel_and(sizeof *p);

	world_init(&p->world, data);
	p->future = model_new(sizeof *p->future);
	p->world.blocks++;
	return p;
}

static void start(struct promise *p)
{
	sennit_async_read_some(&p->world.object.stream, &p->data, 1, &p->future->op,
			       sennit_future_complete);
}

static void drive_it(void *argument)
{
	struct promise *p = argument;

	drive(&p->world);
}

/* The future is the caller's: who still looked at it would race with this. That its address is
 * handed to the kernel, for a wake, is no access. */
static void scribble(struct sennit_future *future)
{
	future->error_ = 1;
	future->bytes_ = 1;
	future->op.handler_ = NULL;
	future->op.task_.next_ = NULL;
}

static void the_future_is_the_waiters_when_the_wait_returns(void)
{
	struct promise *p = promise_new("x");
	size_t bytes = 0;

	start(p);
	model_thread(drive_it, p);
	model_assert(sennit_future_wait(p->future, UINT64_MAX, &bytes) == 0);
	model_assert(bytes == 1 && p->data == 'x');
	scribble(p->future);
	world_end(&p->world);
}

static void a_wait_that_gives_up_may_be_followed_by_another(void)
{
	struct promise *p = promise_new("x");
	int error;

	start(p);
	model_thread(drive_it, p);
	error = sennit_future_wait(p->future, 0, NULL);
	model_assert(error == 0 || error == -EINPROGRESS);
	if (error)
		model_assert(sennit_future_wait(p->future, UINT64_MAX, NULL) == 0);
	model_assert(p->data == 'x');
	model_outcome("%s", error ? "later" : "at_once");
	scribble(p->future);
	world_end(&p->world);
}

static void a_future_is_used_again(void)
{
	struct promise *p = promise_new("xy");

	sennit_runtime_guard_get(p->world.runtime);
	model_thread(drive_it, p);
	start(p);
	model_assert(sennit_future_wait(p->future, UINT64_MAX, NULL) == 0);
	model_assert(p->data == 'x');
	start(p);
	sennit_runtime_guard_put(p->world.runtime);
	model_assert(sennit_future_wait(p->future, UINT64_MAX, NULL) == 0);
	model_assert(p->data == 'y');
	scribble(p->future);
	world_end(&p->world);
}

const struct model_scenario model_scenarios[] = {
	{.name = "the_future_is_the_waiters_when_the_wait_returns",
	 .run = the_future_is_the_waiters_when_the_wait_returns,
	 .preemptions = MODEL_ALL},
	{.name = "a_wait_that_gives_up_may_be_followed_by_another",
	 .run = a_wait_that_gives_up_may_be_followed_by_another,
	 .preemptions = MODEL_ALL,
	 .outcomes = "at_once later"},
	{.name = "a_future_is_used_again", .run = a_future_is_used_again, .preemptions = 2},
	{0},
};
