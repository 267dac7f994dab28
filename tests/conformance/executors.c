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

/* --- C150, S19: inline completion on request -------------------------------------------------- */

/* A read that may complete inline, started on the stage's kind of thread by a posted function. */
struct inline_read {
	struct sennit_descriptor descriptor;
	struct sennit_op op;
	enum thread_kind kind;
	bool write;       /* instead */
	bool returned;    /* the initiating function has */
	bool ran_inside;
	int error;
	size_t bytes;
	unsigned calls;
	char data[8];
	struct latch done;
};

static void on_inline(struct sennit_op *op, int error, size_t bytes)
{
	struct inline_read *r = CONTAINER_OF(op, struct inline_read, op);

	r->ran_inside = !r->returned;
	r->error = error;
	r->bytes = bytes;
	r->calls++;
	latch_down(&r->done);
}

static void start_inline(void *argument)
{
	struct inline_read *r = argument;

	sennit_op_allow_inline(&r->op, true);
	if (r->write)
		sennit_async_write(&r->descriptor.stream, "12345678", 8, &r->op, on_inline);
	else
		sennit_async_read(&r->descriptor.stream, r->data, 8, &r->op, on_inline);
	if (r->kind == THREAD_OWNER) /* elsewhere the handler may run meanwhile */
		r->returned = true;
}

/* Prepares a read of an object opened with `with`; returns the other end. */
static int prepare_inline(struct stage *stage, struct inline_read *r, struct sennit_executor *with)
{
	struct stage opened_with = *stage;
	int fds[2];

	*r = (struct inline_read){ .kind = stage->kind, .done = LATCH(1) };
	raw_local_pair(SOCK_STREAM, fds);
	opened_with.owner = with;
	adopt(&opened_with, &r->descriptor, fds[0]);
	r->returned = stage->kind != THREAD_OWNER;
	return fds[1];
}

/* Starts it, waits for the handler and closes. */
static void finish_inline(struct stage *stage, struct inline_read *r, int error, size_t bytes)
{
	latch_wait(&r->done);
	owner_turn(stage);
	assert_int_equal(r->calls, 1);
	assert_int_equal(r->error, error);
	assert_int_equal(r->bytes, bytes);
	sennit_close(&r->descriptor.stream);
}

SCENARIO(C150_a_read_that_can_complete_at_once_does_so_inside_on_the_owner_alone)
{
	struct inline_read r;
	int fd = prepare_inline(stage, &r, stage->owner);

	raw_write(fd, "12345678", 8);
	call_on_kind(stage, start_inline, &r);
	finish_inline(stage, &r, 0, 8);
	assert_int_equal(r.ran_inside, stage->kind == THREAD_OWNER);
	raw_close(fd);
}

SCENARIO(C150_a_read_that_has_to_wait_completes_later)
{
	struct inline_read r;
	int fd = prepare_inline(stage, &r, stage->owner);

	raw_write(fd, "1234", 4);
	call_on_kind(stage, start_inline, &r);
	raw_write(fd, "5678", 4);
	finish_inline(stage, &r, 0, 8);
	assert_false(r.ran_inside);
	raw_close(fd);
}

SCENARIO(S19_a_write_never_completes_inside)
{
	struct inline_read r;
	int fd = prepare_inline(stage, &r, stage->owner);

	r.write = true;
	call_on_kind(stage, start_inline, &r);
	finish_inline(stage, &r, 0, 8);
	assert_false(r.ran_inside);
	raw_close(fd);
}

SCENARIO(A5_a_closed_object_refuses_inside)
{
	struct inline_read r;
	int fd = prepare_inline(stage, &r, stage->owner);

	sennit_close(&r.descriptor.stream);
	call_on_kind(stage, start_inline, &r);
	finish_inline(stage, &r, -EBADF, 0);
	assert_int_equal(r.ran_inside, stage->kind == THREAD_OWNER);
	raw_close(fd);
}

/* Inside the strand it runs at once; the owner outside the strand is another place. */
SCENARIO(S19_inside_a_strand_its_object_s_reads_complete_inside)
{
	struct sennit_strand strand;
	struct inline_read r;
	int fd;

	if (stage->kind != THREAD_OWNER)
		return;
	sennit_strand_init(&strand, stage->owner);
	fd = prepare_inline(stage, &r, sennit_strand_executor(&strand));
	raw_write(fd, "12345678", 8);
	call_on(sennit_strand_executor(&strand), start_inline, &r);
	finish_inline(stage, &r, 0, 8);
	assert_true(r.ran_inside);
	raw_close(fd);

	fd = prepare_inline(stage, &r, sennit_strand_executor(&strand));
	raw_write(fd, "12345678", 8);
	call_on_kind(stage, start_inline, &r);
	finish_inline(stage, &r, 0, 8);
	assert_false(r.ran_inside);
	raw_close(fd);
	sennit_runtime_join(stage->runtime);
	sennit_strand_fini(&strand);
}

/* A signal is let go before the handler runs inside; one that was emitted ends it there. */
struct inline_signal {
	struct inline_read read;
	struct sennit_cancel_signal signal;
};

static void start_with_slot(void *argument)
{
	struct inline_signal *s = argument;

	sennit_op_bind_slot(&s->read.op, sennit_cancel_signal_slot(&s->signal));
	start_inline(&s->read);
	sennit_cancel_signal_emit(&s->signal, SENNIT_CANCEL_ALL);
}

SCENARIO(S5_an_emit_after_it_completed_inside_does_nothing)
{
	struct inline_signal s = { .read.calls = 0 };
	int fd = prepare_inline(stage, &s.read, stage->owner);

	raw_write(fd, "12345678", 8);
	if (stage->kind == THREAD_OWNER) {
		call_on_kind(stage, start_with_slot, &s);
		finish_inline(stage, &s.read, 0, 8);
		assert_true(s.read.ran_inside);
	} else {
		sennit_close(&s.read.descriptor.stream);
	}
	raw_close(fd);
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
		TEST(C150_a_read_that_can_complete_at_once_does_so_inside_on_the_owner_alone),
		TEST(C150_a_read_that_has_to_wait_completes_later),
		TEST(S19_a_write_never_completes_inside),
		TEST(A5_a_closed_object_refuses_inside),
		TEST(S19_inside_a_strand_its_object_s_reads_complete_inside),
		TEST(S5_an_emit_after_it_completed_inside_does_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
