/* SPDX-License-Identifier: MIT */
/* cancel_state.c - signals without an operation, and the cancellation of composed operations: what
 * the filters let in and out, and what is remembered.
 */
#include "support.h"

#include <errno.h>
#include <string.h>

/* A composed operation; what its function heard. */
struct whole {
	struct sennit_cancel_state cancel;
	struct sennit_task task;
	bool finished;
	int heard;
	unsigned times;
};

static void on_request(struct sennit_cancel_state *cancel, int types)
{
	struct whole *whole = CONTAINER_OF(cancel, struct whole, cancel);

	whole->heard |= types;
	whole->times++;
}

static void on_finished(struct sennit_task *task, int error)
{
	struct whole *whole = CONTAINER_OF(task, struct whole, task);

	(void)error;
	whole->finished = true;
}


struct composition {
	struct sennit_runtime *runtime;
	struct sennit_executor *executor;
	struct sennit_cancel_signal signal;
	struct whole whole;
	struct whole step; /* a composed operation too: it lets everything in */
};

static void begin(struct composition *c, int in, int out)
{
	memset(c, 0, sizeof *c);
	c->runtime = driven_runtime();
	c->executor = sennit_runtime_executor(c->runtime);
	sennit_cancel_state_init(&c->whole.cancel, sennit_cancel_signal_slot(&c->signal),
				 c->executor, in, out, on_request);
	sennit_cancel_state_init(&c->step.cancel, sennit_cancel_state_slot(&c->whole.cancel),
				 c->executor, SENNIT_CANCEL_ALL, 0, on_request);
}

/* From this thread, which is not inside: each request is a message. */
static void emit(struct composition *c, int types)
{
	sennit_cancel_signal_emit(&c->signal, types);
	sennit_runtime_restart(c->runtime);
	sennit_runtime_poll(c->runtime);
}

static void end(struct composition *c)
{
	sennit_cancel_state_finish(&c->step.cancel, c->executor, &c->step.task, on_finished);
	sennit_cancel_state_finish(&c->whole.cancel, c->executor, &c->whole.task, on_finished);
	run_until(c->runtime, &c->whole.finished);
	assert_true(c->step.finished);
	assert_false(sennit_cancel_slot_is_bound(sennit_cancel_signal_slot(&c->signal)));
	end_runtime(c->runtime);
}

/* --- signals ---------------------------------------------------------------------------------- */

static void C105_a_slot_is_bound_only_to_what_is_in_flight(void **state)
{
	struct composition c;

	(void)state;
	assert_false(sennit_cancel_slot_is_bound(NULL));
	begin(&c, SENNIT_CANCEL_ALL, SENNIT_CANCEL_ALL);
	assert_true(sennit_cancel_slot_is_bound(sennit_cancel_signal_slot(&c.signal)));
	end(&c);
}

static void C107_an_emit_without_anything_bound_does_nothing(void **state)
{
	struct sennit_cancel_signal signal = {0};

	(void)state;
	sennit_cancel_signal_emit(&signal, SENNIT_CANCEL_ALL);
	assert_false(sennit_cancel_slot_is_bound(sennit_cancel_signal_slot(&signal)));
}

/* B6: not one-shot. */
static void C108_each_emit_is_heard_and_none_is_nothing(void **state)
{
	struct composition c;

	(void)state;
	begin(&c, SENNIT_CANCEL_ALL, SENNIT_CANCEL_ALL);
	emit(&c, SENNIT_CANCEL_TOTAL);
	assert_int_equal(c.whole.heard, SENNIT_CANCEL_TOTAL);
	emit(&c, SENNIT_CANCEL_PARTIAL);
	assert_int_equal(c.whole.times, 2);
	emit(&c, SENNIT_CANCEL_NONE);
	emit(&c, 8);
	assert_int_equal(c.whole.times, 2);
	assert_int_equal(c.whole.heard, SENNIT_CANCEL_TOTAL | SENNIT_CANCEL_PARTIAL);
	end(&c);
}

static void binding_a_slot_that_is_bound(void *argument)
{
	struct sennit_cancel_state second;
	struct composition c;

	(void)argument;
	begin(&c, SENNIT_CANCEL_ALL, SENNIT_CANCEL_ALL);
	sennit_cancel_state_init(&second, sennit_cancel_signal_slot(&c.signal), c.executor,
				 SENNIT_CANCEL_ALL, SENNIT_CANCEL_ALL, NULL);
}

/* S6, B13. */
static void binding_one_slot_to_two_things_in_flight_is_misuse(void **state)
{
	(void)state;
	assert_misuse(binding_a_slot_that_is_bound, NULL, "bound to another");
}

/* --- filters ---------------------------------------------------------------------------------- */

static void expect(const struct composition *c, int stored, int forwarded)
{
	assert_int_equal(sennit_cancel_state_cancelled(&c->whole.cancel), stored);
	assert_int_equal(sennit_cancel_state_cancelled(&c->step.cancel), forwarded);
}

static void C113_a_filter_for_terminal_and_partial_and_clear(void **state)
{
	const int both = SENNIT_CANCEL_TERMINAL | SENNIT_CANCEL_PARTIAL;
	struct composition c;

	(void)state;
	begin(&c, both, both);
	emit(&c, SENNIT_CANCEL_ALL);
	expect(&c, both, both);
	sennit_cancel_state_clear(&c.whole.cancel, SENNIT_CANCEL_TERMINAL);
	expect(&c, SENNIT_CANCEL_PARTIAL, both);
	end(&c);
}

static void C114_asios_default_filter_lets_terminal_in_alone(void **state)
{
	struct composition c;

	(void)state;
	begin(&c, SENNIT_CANCEL_TERMINAL, SENNIT_CANCEL_TERMINAL);
	emit(&c, SENNIT_CANCEL_PARTIAL);
	expect(&c, 0, 0);
	emit(&c, SENNIT_CANCEL_TOTAL);
	expect(&c, 0, 0);
	assert_int_equal(c.whole.times, 0);
	emit(&c, SENNIT_CANCEL_ALL);
	expect(&c, SENNIT_CANCEL_TERMINAL, SENNIT_CANCEL_TERMINAL);
	end(&c);
}

static void C115_a_state_without_a_parent_is_never_asked_and_has_no_slot(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	struct whole whole = {0};

	(void)state;
	sennit_cancel_state_init(&whole.cancel, NULL, NULL, SENNIT_CANCEL_ALL, SENNIT_CANCEL_ALL,
				 on_request);
	assert_null(sennit_cancel_state_slot(&whole.cancel));
	assert_int_equal(sennit_cancel_state_cancelled(&whole.cancel), 0);
	sennit_cancel_state_finish(&whole.cancel, sennit_runtime_executor(runtime), &whole.task,
				   on_finished);
	run_until(runtime, &whole.finished);
	end_runtime(runtime);
}

static void C116_what_is_let_in_need_not_be_let_out(void **state)
{
	struct composition c;

	(void)state;
	begin(&c, SENNIT_CANCEL_ALL, SENNIT_CANCEL_TERMINAL);
	emit(&c, SENNIT_CANCEL_PARTIAL);
	expect(&c, SENNIT_CANCEL_PARTIAL, 0);
	emit(&c, SENNIT_CANCEL_ALL);
	expect(&c, SENNIT_CANCEL_ALL, SENNIT_CANCEL_TERMINAL);
	end(&c);
}

/* S4, against B17. */
static void a_later_request_takes_no_earlier_one_back(void **state)
{
	struct composition c;

	(void)state;
	begin(&c, SENNIT_CANCEL_TERMINAL | SENNIT_CANCEL_PARTIAL, SENNIT_CANCEL_TERMINAL);
	emit(&c, SENNIT_CANCEL_PARTIAL);
	emit(&c, SENNIT_CANCEL_TOTAL);
	expect(&c, SENNIT_CANCEL_PARTIAL, 0);
	end(&c);
}

/* Two emits before the owner looks: one message, both heard. */
static void requests_that_are_made_together_are_told_together(void **state)
{
	struct composition c;

	(void)state;
	begin(&c, SENNIT_CANCEL_ALL, SENNIT_CANCEL_ALL);
	sennit_cancel_signal_emit(&c.signal, SENNIT_CANCEL_PARTIAL);
	emit(&c, SENNIT_CANCEL_TOTAL);
	assert_int_equal(c.whole.times, 1);
	expect(&c, SENNIT_CANCEL_PARTIAL | SENNIT_CANCEL_TOTAL,
	       SENNIT_CANCEL_PARTIAL | SENNIT_CANCEL_TOTAL);
	end(&c);
}

/* A composed operation that hears of a request while it is being told of another. */
struct repeated {
	struct composition c;
	struct sennit_task task;
	unsigned left;       /* how often it is still asked while it is being told */
	unsigned told;       /* how often it was told, */
	unsigned told_first; /* before the task ran */
};

static void *repeat_elsewhere(void *argument)
{
	sennit_cancel_signal_emit(argument, SENNIT_CANCEL_PARTIAL);
	return NULL;
}

static void on_repeat(struct sennit_cancel_state *cancel, int types)
{
	struct repeated *r = cancel->user;

	assert_int_equal(types, SENNIT_CANCEL_PARTIAL);
	r->told++;
	if (!r->left)
		return;
	r->left--;
	if (r->left % 2)
		sennit_cancel_signal_emit(&r->c.signal, SENNIT_CANCEL_PARTIAL);
	else
		join(spawn(repeat_elsewhere, &r->c.signal));
}

static void on_turn(struct sennit_task *task, int error)
{
	struct repeated *r = CONTAINER_OF(task, struct repeated, task);

	assert_int_equal(error, 0);
	r->told_first = r->told;
}

/* S4: also of the type that is just being told; and others have their turn in between. */
static void a_request_that_is_repeated_while_it_is_being_told_is_told_again(void **state)
{
	struct repeated r = {.left = 4};

	(void)state;
	begin(&r.c, SENNIT_CANCEL_ALL, 0);
	r.c.whole.cancel.function_ = on_repeat;
	r.c.whole.cancel.user = &r;
	sennit_post(sennit_runtime_worker(r.c.runtime, 0), &r.task, on_turn);
	emit(&r.c, SENNIT_CANCEL_PARTIAL);
	assert_int_equal(r.told, 5);
	assert_int_equal(r.told_first, 1);
	end(&r.c);
}

static void a_finished_state_hears_nothing_and_its_slot_is_free(void **state)
{
	struct composition c;

	(void)state;
	begin(&c, SENNIT_CANCEL_ALL, SENNIT_CANCEL_ALL);
	sennit_cancel_state_finish(&c.step.cancel, c.executor, &c.step.task, on_finished);
	sennit_cancel_signal_emit(&c.signal, SENNIT_CANCEL_TOTAL);
	sennit_cancel_state_finish(&c.whole.cancel, c.executor, &c.whole.task, on_finished);
	assert_false(c.whole.finished); /* a request is on its way */
	run_until(c.runtime, &c.whole.finished);
	assert_int_equal(c.whole.times, 0);
	emit(&c, SENNIT_CANCEL_ALL);
	assert_int_equal(c.whole.times, 0);
	end_runtime(c.runtime);
}

/* --- a request that arrives between the last look and the start of the next step ------------- */

struct late {
	struct composition c;
	struct sennit_descriptor ends[2];
	struct sennit_task task;
	struct sennit_op step;
	char byte;
	int error;
	bool done;
};

static void *emit_elsewhere(void *argument)
{
	sennit_cancel_signal_emit(argument, SENNIT_CANCEL_ALL);
	return NULL;
}

static void on_step(struct sennit_op *op, int error, size_t bytes)
{
	struct late *late = op->user;

	(void)bytes;
	late->error = error;
	late->done = true;
}

/* On the owner, with the request in its inbox: there it is not heard until something is started. */
static void take_the_next_step(struct sennit_task *task, int error)
{
	struct late *late = CONTAINER_OF(task, struct late, task);

	assert_int_equal(error, 0);
	join(spawn(emit_elsewhere, &late->c.signal));
	assert_int_equal(sennit_cancel_state_cancelled(&late->c.whole.cancel), SENNIT_CANCEL_NONE);
	late->step.user = late;
	sennit_op_bind_slot(&late->step, sennit_cancel_state_slot(&late->c.whole.cancel));
	sennit_async_read_some(&late->ends[0].stream, &late->byte, 1, &late->step, on_step);
}

static void a_request_that_the_start_of_a_step_catches_up_with_ends_the_step(void **state)
{
	struct late late = {0};
	struct composition *c = &late.c;

	(void)state;
	c->runtime = driven_runtime();
	c->executor = sennit_runtime_executor(c->runtime);
	sennit_cancel_state_init(&c->whole.cancel, sennit_cancel_signal_slot(&c->signal),
				 c->executor, SENNIT_CANCEL_ALL, SENNIT_CANCEL_ALL, NULL);
	assert_int_equal(sennit_descriptor_pair(&late.ends[0], &late.ends[1], c->executor), 0);
	sennit_post(c->executor, &late.task, take_the_next_step);
	run_until(c->runtime, &late.done);
	assert_int_equal(late.error, -ECANCELED);
	sennit_cancel_state_finish(&c->whole.cancel, c->executor, &c->whole.task, on_finished);
	run_until(c->runtime, &c->whole.finished);
	sennit_close(&late.ends[0].stream);
	sennit_close(&late.ends[1].stream);
	end_runtime(c->runtime);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(C105_a_slot_is_bound_only_to_what_is_in_flight),
		TEST(C107_an_emit_without_anything_bound_does_nothing),
		TEST(C108_each_emit_is_heard_and_none_is_nothing),
		TEST(binding_one_slot_to_two_things_in_flight_is_misuse),
		TEST(C113_a_filter_for_terminal_and_partial_and_clear),
		TEST(C114_asios_default_filter_lets_terminal_in_alone),
		TEST(C115_a_state_without_a_parent_is_never_asked_and_has_no_slot),
		TEST(C116_what_is_let_in_need_not_be_let_out),
		TEST(a_later_request_takes_no_earlier_one_back),
		TEST(requests_that_are_made_together_are_told_together),
		TEST(a_request_that_is_repeated_while_it_is_being_told_is_told_again),
		TEST(a_finished_state_hears_nothing_and_its_slot_is_free),
		TEST(a_request_that_the_start_of_a_step_catches_up_with_ends_the_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
