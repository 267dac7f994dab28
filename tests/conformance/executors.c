/* SPDX-License-Identifier: MIT */
/* executors.c - the cases and rules about the inline executor and where handlers run.
 *
 * Each test begins with the number of its case, or of the rule where there is no case.
 */
#include "io_support.h"

#include <errno.h>
#include <sennit/error.h>
#include <sys/socket.h>
#include <unistd.h>

struct call {
	struct sennit_task task;
	struct sennit_executor *owner; /* where it has to run, or NULL: on the calling thread */
	pid_t thread;
	unsigned calls;
	unsigned left; /* dispatches from inside */
	unsigned depth;
	unsigned deepest;
	struct latch done;
};

static void on_call(struct sennit_task *task, int error)
{
	struct call *call = CONTAINER_OF(task, struct call, task);

	RECORD(error == 0);
	RECORD(call->thread == gettid());
	RECORD(sennit_executor_runs_here(sennit_inline_executor()));
	call->calls++;
	if (call->depth > call->deepest)
		call->deepest = call->depth;
	if (!call->left) {
		latch_down(&call->done);
		return;
	}
	call->left--;
	call->depth++;
	sennit_dispatch(sennit_inline_executor(), task, on_call);
	call->depth--;
}

/* --- C023: inline ----------------------------------------------------------------------------- */

static void dispatch_once(void *argument)
{
	struct call *call = argument;

	call->thread = gettid();
	sennit_dispatch(sennit_inline_executor(), &call->task, on_call);
	RECORD(call->calls == 1);
}

SCENARIO(C023_dispatch_to_the_inline_executor_runs_the_function_inside_the_call)
{
	struct call call = { .done = LATCH(1) };

	call_on_kind(stage, dispatch_once, &call);
	latch_wait(&call.done);
	assert_int_equal(call.calls, 1);
}

static void C023_off_all_workers_it_runs_there_too(void **state)
{
	struct call call = { .done = LATCH(1) };

	(void)state;
	dispatch_once(&call);
	assert_true(sennit_executor_runs_here(sennit_inline_executor()));
	assert_ptr_equal(sennit_inline_executor(), sennit_inline_executor());
}

static void dispatch_deep(void *argument)
{
	struct call *call = argument;

	call->thread = gettid();
	sennit_dispatch(sennit_inline_executor(), &call->task, on_call);
}

SCENARIO(S19_on_a_worker_the_inline_executor_nests_16_deep_and_then_posts)
{
	struct call call = { .done = LATCH(1), .left = 1000 };

	if (stage->kind == THREAD_FOREIGN) /* it would nest for ever */
		call.left = 100;
	call_on_kind(stage, dispatch_deep, &call);
	latch_wait(&call.done);
	owner_turn(stage);
	sennit_runtime_join(stage->runtime);
	assert_int_equal(call.left, 0);
	assert_int_equal(call.deepest, stage->kind == THREAD_FOREIGN ? 100 : 16);
}

/* --- operations bound to it ------------------------------------------------------------------- */

/* A read on an object opened with `with`: its handler runs on the owner, outside all strands. */
static void read_bound_to_inline(struct stage *stage, struct sennit_executor *with)
{
	struct stage opened_with = *stage;
	struct sennit_descriptor descriptor;
	struct flight flights[2] = { 0 };
	char data[8];
	int fds[2];

	raw_local_pair(SOCK_STREAM, fds);
	opened_with.owner = with;
	adopt(&opened_with, &descriptor, fds[0]);
	raw_write(fds[1], "12345678", 8);
	START(stage, { READ, &descriptor.stream, .data = data, .size = 8, .flight = &flights[0],
	               .bound = sennit_inline_executor(), .runs_on = stage->owner });
	EXPECT(&flights[0], 0, 8);
	START(stage, { READ, &descriptor.stream, .data = data, .size = 8, .flight = &flights[1],
	               .bound = sennit_inline_executor(), .runs_on = stage->owner },
	      { CLOSE, .stream = &descriptor.stream });
	EXPECT(&flights[1], -ECANCELED, 0);
	finish(stage, flights, 2);
	raw_close(fds[1]);
}

SCENARIO(A6_a_handler_bound_to_the_inline_executor_runs_on_the_owner)
{
	read_bound_to_inline(stage, stage->owner);
}

SCENARIO(A6_also_where_the_object_was_opened_with_a_strand)
{
	struct sennit_strand strand;

	sennit_strand_init(&strand, stage->owner);
	read_bound_to_inline(stage, sennit_strand_executor(&strand));
	sennit_runtime_join(stage->runtime);
	sennit_strand_fini(&strand);
}

SCENARIO(A6_and_where_the_object_was_never_opened)
{
	struct sennit_descriptor descriptor;
	struct flight flight = { 0 };
	char data[8];

	sennit_descriptor_init(&descriptor, stage->owner);
	START(stage, { READ, &descriptor.stream, .data = data, .size = 8, .flight = &flight,
	               .bound = sennit_inline_executor(), .runs_on = stage->owner });
	EXPECT(&flight, -EBADF, 0);
	finish(stage, &flight, 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(C023_dispatch_to_the_inline_executor_runs_the_function_inside_the_call),
		TEST(C023_off_all_workers_it_runs_there_too),
		TEST(S19_on_a_worker_the_inline_executor_nests_16_deep_and_then_posts),
		TEST(A6_a_handler_bound_to_the_inline_executor_runs_on_the_owner),
		TEST(A6_also_where_the_object_was_opened_with_a_strand),
		TEST(A6_and_where_the_object_was_never_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
