/* SPDX-License-Identifier: MIT */
/* deadlines.c - deadlines of operations: whose flight they are for, what wins over them, waits of
 * timers; and the timed run forms. Each operation's own row is in cancellation.c.
 *
 * Runs alone: it waits for real time. Only that nothing is early is asserted of it.
 */
#include "io_support.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Two ends of a pair on a driven runtime, one of them the test's own. */
struct reader {
	struct stage stage;
	struct sennit_descriptor descriptor;
	struct sennit_op op;
	struct result result;
	char data[16];
	int peer;
};

static void open_reader(struct reader *r)
{
	memset(r, 0, sizeof *r);
	r->stage = driven_stage();
	r->peer = open_local(&r->stage, &r->descriptor);
}

static void close_reader(struct reader *r)
{
	sennit_close(&r->descriptor.stream);
	raw_close(r->peer);
	run_dry(r->stage.runtime);
	end_runtime(r->stage.runtime);
}

static void read_some(struct reader *r)
{
	expect_result(&r->op, &r->result, NULL);
	sennit_async_read_some(&r->descriptor.stream, r->data, sizeof r->data, &r->op, on_result);
}

static void read_whole_by(struct reader *r, uint64_t expiry_ns)
{
	expect_result(&r->op, &r->result, NULL);
	sennit_op_expires_at(&r->op, expiry_ns);
	sennit_async_read(&r->descriptor.stream, r->data, sizeof r->data, &r->op, on_result);
}

static void assert_read(struct reader *r, int error, size_t bytes)
{
	run_until(r->stage.runtime, &r->result.done);
	assert_int_equal(r->result.error, error);
	assert_int_equal(r->result.bytes, bytes);
}

/* --- one flight ------------------------------------------------------------------------------- */

static void C124_what_finishes_first_is_not_kept_by_its_deadline(void **state)
{
	struct reader r;

	(void)state;
	open_reader(&r);
	raw_write(r.peer, "first", 5);
	sennit_op_expires_after(&r.op, SENNIT_SECONDS(3600));
	read_some(&r);
	assert_int_equal(run_dry(r.stage.runtime), 1); /* out of work at once */
	assert_read(&r, 0, 5);
	close_reader(&r);
}

static void a_deadline_is_for_one_flight(void **state)
{
	struct reader r;
	uint64_t deadline_ns = sennit_now() + SENNIT_MS(3);

	(void)state;
	open_reader(&r);
	raw_write(r.peer, "first", 5);
	sennit_op_expires_at(&r.op, deadline_ns);
	read_some(&r);
	run_until(r.stage.runtime, &r.result.done);
	read_some(&r);
	sennit_runtime_restart(r.stage.runtime);
	sennit_runtime_run_until(r.stage.runtime, deadline_ns + SENNIT_MS(3));
	assert_int_equal(r.result.calls, 0);
	raw_write(r.peer, "second", 6);
	assert_read(&r, 0, 6);
	close_reader(&r);
}

static void a_deadline_of_a_start_that_was_refused_is_gone(void **state)
{
	struct reader r;
	struct sennit_descriptor closed = { 0 };

	(void)state;
	open_reader(&r);
	sennit_descriptor_init(&closed, r.stage.owner);
	sennit_op_expires_at(&r.op, 1);
	expect_result(&r.op, &r.result, NULL);
	sennit_async_read_some(&closed.stream, r.data, 1, &r.op, on_result);
	assert_read(&r, -EBADF, 0);
	read_some(&r);
	sennit_runtime_restart(r.stage.runtime);
	sennit_runtime_poll(r.stage.runtime);
	raw_write(r.peer, "!", 1);
	assert_read(&r, 0, 1);
	close_reader(&r);
}

static void the_last_choice_counts_and_never_is_none(void **state)
{
	struct reader r;

	(void)state;
	open_reader(&r);
	sennit_op_expires_at(&r.op, 1);
	sennit_op_expires_after(&r.op, SENNIT_NEVER);
	read_some(&r);
	sennit_runtime_run_for(r.stage.runtime, SENNIT_MS(2));
	assert_int_equal(r.result.calls, 0);
	sennit_cancel(&r.descriptor.stream);
	assert_read(&r, -ECANCELED, 0);
	sennit_op_expires_after(&r.op, SENNIT_NEVER);
	sennit_op_expires_at(&r.op, 1);
	read_some(&r);
	assert_int_equal(r.result.calls, 0);
	assert_read(&r, -ETIMEDOUT, 0);
	close_reader(&r);
}

/* What its deadline is to ask for counts for a flight that has one, and for that alone. A whole
 * read cannot do what TOTAL asks for, so it outlives such a deadline. */
static void what_a_deadline_asks_for_waits_for_a_flight_that_has_one(void **state)
{
	struct sennit_cancel_signal signal = { 0 };
	struct sennit_timer timer;
	struct reader r;

	(void)state;
	open_reader(&r);
	raw_write(r.peer, "!", 1);
	sennit_op_expires_with(&r.op, SENNIT_CANCEL_TOTAL);
	sennit_op_bind_slot(&r.op, sennit_cancel_signal_slot(&signal));
	read_some(&r);
	assert_read(&r, 0, 1);
	read_whole_by(&r, 1);
	sennit_runtime_restart(r.stage.runtime);
	sennit_runtime_poll(r.stage.runtime);
	assert_int_equal(r.result.calls, 0);
	sennit_cancel(&r.descriptor.stream);
	assert_read(&r, -ECANCELED, 0);
	/* A wait whose expiry is not later than its deadline has had one too. */
	assert_int_equal(sennit_timer_init(&timer, r.stage.owner), 0);
	sennit_op_expires_with(&r.op, SENNIT_CANCEL_TOTAL);
	sennit_op_expires_after(&r.op, SENNIT_SECONDS(3600));
	expect_result(&r.op, &r.result, NULL);
	sennit_timer_async_wait(&timer, &r.op, on_result);
	assert_read(&r, 0, 0);
	read_whole_by(&r, 1);
	assert_read(&r, -ETIMEDOUT, 0);
	sennit_timer_close(&timer);
	close_reader(&r);
}

static void a_transfer_that_can_be_made_wins_over_a_deadline_that_has_passed(void **state)
{
	struct reader r;

	(void)state;
	open_reader(&r);
	raw_write(r.peer, "here", 4);
	sennit_op_expires_at(&r.op, 1);
	read_some(&r);
	assert_read(&r, 0, 4);
	close_reader(&r);
}

static void C125_a_request_before_the_deadline_names_the_error(void **state)
{
	struct reader r;
	struct sennit_cancel_signal signal = { 0 };

	(void)state;
	open_reader(&r);
	for (int late = 0; late < 2; late++) {
		sennit_op_expires_after(&r.op, late ? 0 : SENNIT_MS(2));
		sennit_op_bind_slot(&r.op, sennit_cancel_signal_slot(&signal));
		read_some(&r);
		if (late)
			run_until(r.stage.runtime, &r.result.done);
		sennit_cancel_signal_emit(&signal, SENNIT_CANCEL_TOTAL);
		assert_read(&r, late ? -ETIMEDOUT : -ECANCELED, 0);
		assert_false(sennit_cancel_slot_is_bound(sennit_cancel_signal_slot(&signal)));
	}
	sennit_runtime_run_for(r.stage.runtime, SENNIT_MS(3));
	close_reader(&r);
}

static void many_deadlines_come_in_their_order(void **state)
{
	enum { COUNT = 600 };
	static struct sennit_op op[COUNT];
	static struct result result[COUNT];
	struct reader r;
	uint64_t from_ns;

	(void)state;
	open_reader(&r);
	memset(op, 0, sizeof op);
	from_ns = sennit_now() + SENNIT_MS(200);
	for (unsigned i = 0; i < COUNT; i++) { /* the last started comes first */
		expect_result(&op[i], &result[i], NULL);
		sennit_op_expires_at(&op[i], from_ns - i);
		sennit_async_read_some(&r.descriptor.stream, r.data, 1, &op[i], on_result);
	}
	sennit_runtime_poll(r.stage.runtime);
	if (sennit_now() < from_ns - COUNT) { /* else they were late when they were armed */
		run_dry(r.stage.runtime);
		for (unsigned i = 1; i < COUNT; i++)
			assert_true(result[i].order < result[i - 1].order);
	}
	run_dry(r.stage.runtime);
	for (unsigned i = 0; i < COUNT; i++)
		assert_int_equal(result[i].error, -ETIMEDOUT);
	close_reader(&r);
}

static void a_deadline_allocates_nothing(void **state)
{
	struct reader r;
	uint64_t before;

	(void)state;
	open_reader(&r);
	sennit_op_expires_after(&r.op, 1);
	read_some(&r);
	assert_read(&r, -ETIMEDOUT, 0);
	before = allocations();
	sennit_op_expires_after(&r.op, 1);
	sennit_op_expires_with(&r.op, SENNIT_CANCEL_TOTAL);
	read_some(&r);
	run_until(r.stage.runtime, &r.result.done);
	assert_true(allocations() == before);
	assert_int_equal(r.result.error, -ETIMEDOUT);
	close_reader(&r);
}

static void choose_in_flight(void *argument)
{
	struct reader *r = argument;

	sennit_op_expires_after(&r->op, 1);
}

static void choose_nothing(void *argument)
{
	struct sennit_op op = { 0 };

	(void)argument;
	sennit_op_expires_with(&op, 8);
}

static void choosing_a_deadline_in_flight_is_misuse(void **state)
{
	struct reader r;

	(void)state;
	open_reader(&r);
	read_some(&r);
	assert_misuse(choose_in_flight, &r, "sennit_op_expires_after");
	assert_misuse(choose_nothing, NULL, "sennit_op_expires_with");
	close_reader(&r);
}

/* --- waits of timers -------------------------------------------------------------------------- */

struct timed_wait {
	struct sennit_runtime *runtime;
	struct sennit_timer timer;
	struct sennit_op op;
	struct result result;
};

static void open_wait(struct timed_wait *w)
{
	memset(w, 0, sizeof *w);
	w->runtime = driven_runtime();
	assert_int_equal(sennit_timer_init(&w->timer, sennit_runtime_executor(w->runtime)), 0);
}

static void assert_wait(struct timed_wait *w, int error)
{
	expect_result(&w->op, &w->result, NULL);
	sennit_timer_async_wait(&w->timer, &w->op, on_result);
	run_until(w->runtime, &w->result.done);
	assert_int_equal(w->result.error, error);
	assert_int_equal(run_dry(w->runtime), 0); /* nothing is left of the later one */
}

static void close_wait(struct timed_wait *w)
{
	sennit_timer_close(&w->timer);
	run_dry(w->runtime);
	end_runtime(w->runtime);
}

static void C123_the_earlier_of_expiry_and_deadline_ends_a_wait(void **state)
{
	struct timed_wait w;

	(void)state;
	open_wait(&w);
	sennit_timer_expires_after(&w.timer, SENNIT_MS(3));
	sennit_op_expires_after(&w.op, SENNIT_SECONDS(5));
	assert_wait(&w, 0);
	sennit_timer_expires_after(&w.timer, SENNIT_SECONDS(5));
	sennit_op_expires_after(&w.op, SENNIT_MS(3));
	assert_wait(&w, -ETIMEDOUT);
	sennit_op_expires_at(&w.op, sennit_now() + SENNIT_MS(3));
	assert_wait(&w, -ETIMEDOUT);
	sennit_timer_expires_at(&w.timer, SENNIT_NEVER);
	sennit_op_expires_after(&w.op, 0);
	assert_wait(&w, -ETIMEDOUT);
	sennit_timer_expires_at(&w.timer, 1); /* both have passed: the expiry wins */
	sennit_op_expires_at(&w.op, 2);
	assert_wait(&w, 0);
	close_wait(&w);
}

struct in_turn {
	struct sennit_task task;
	struct timed_wait w;
	struct sennit_op op[2];
	struct result result[2];
};

static void arm_relative(struct sennit_task *task, int error)
{
	struct in_turn *t = (struct in_turn *)(void *)task;

	RECORD(!error);
	sennit_timer_expires_after(&t->w.timer, SENNIT_MS(4));
	for (int i = 0; i < 2; i++) { /* the first without a deadline, not stamped yet */
		if (i)
			sennit_op_expires_after(&t->op[i], SENNIT_MS(1));
		expect_result(&t->op[i], &t->result[i], NULL);
		sennit_timer_async_wait(&t->w.timer, &t->op[i], on_result);
	}
}

static void a_deadline_and_an_expiry_of_the_same_turn_are_compared(void **state)
{
	struct in_turn t = { .result = { { 0 } } };

	(void)state;
	open_wait(&t.w);
	sennit_post(sennit_runtime_executor(t.w.runtime), &t.task, arm_relative);
	run_dry(t.w.runtime);
	assert_int_equal(t.result[0].error, 0);
	assert_int_equal(t.result[1].error, -ETIMEDOUT);
	assert_true(t.result[1].order < t.result[0].order);
	close_wait(&t.w);
}

/* --- run for a time --------------------------------------------------------------------------- */

static void C011_run_for_with_only_a_guard_returns_when_the_time_is_over(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	uint64_t before_ns = sennit_now();

	(void)state;
	sennit_runtime_guard_get(runtime);
	assert_int_equal(sennit_runtime_run_for(runtime, SENNIT_MS(30)), 0);
	assert_true(sennit_now() - before_ns >= SENNIT_MS(30));
	assert_false(sennit_runtime_stopped(runtime));
	sennit_runtime_guard_put(runtime);
	end_runtime(runtime);
}

static void C012_run_one_for_with_a_timer_far_away_returns_0(void **state)
{
	struct timed_wait w;

	(void)state;
	open_wait(&w);
	sennit_timer_expires_after(&w.timer, SENNIT_SECONDS(3600));
	expect_result(&w.op, &w.result, NULL);
	sennit_timer_async_wait(&w.timer, &w.op, on_result);
	assert_int_equal(sennit_runtime_run_one_for(w.runtime, SENNIT_MS(10)), 0);
	assert_int_equal(sennit_runtime_run_one_until(w.runtime, 0), 0);
	assert_false(sennit_runtime_stopped(w.runtime));
	sennit_timer_cancel(&w.timer);
	assert_int_equal(sennit_runtime_run_one_for(w.runtime, SENNIT_SECONDS(3600)), 1);
	assert_int_equal(w.result.error, -ECANCELED);
	close_wait(&w);
}

static void run_until_runs_the_timers_that_expire_before(void **state)
{
	struct timed_wait w;

	(void)state;
	open_wait(&w);
	sennit_timer_expires_after(&w.timer, SENNIT_MS(2));
	expect_result(&w.op, &w.result, NULL);
	sennit_timer_async_wait(&w.timer, &w.op, on_result);
	sennit_runtime_guard_get(w.runtime);
	assert_int_equal(sennit_runtime_run_until(w.runtime, sennit_now() + SENNIT_MS(50)), 1);
	assert_int_equal(w.result.error, 0);
	sennit_runtime_guard_put(w.runtime);
	close_wait(&w);
}

static void G2_run_for_returns_early_and_stops_where_no_work_is_left(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();

	(void)state;
	assert_int_equal(sennit_runtime_run_for(runtime, SENNIT_SECONDS(3600)), 0);
	assert_true(sennit_runtime_stopped(runtime));
	assert_int_equal(sennit_runtime_run_for(runtime, SENNIT_SECONDS(3600)), 0);
	end_runtime(runtime);
}

struct chain {
	struct sennit_task task;
	struct sennit_executor *executor;
	bool stop;
};

static void post_again(struct sennit_task *task, int error)
{
	struct chain *c = (struct chain *)(void *)task;

	if (!c->stop && !error)
		sennit_post(c->executor, task, post_again);
}

static void run_for_returns_though_there_is_always_something_to_do(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	struct chain c = { .executor = sennit_runtime_worker(runtime, 0) };

	(void)state;
	sennit_post(c.executor, &c.task, post_again);
	assert_true(sennit_runtime_run_for(runtime, SENNIT_MS(5)) > 0);
	assert_true(sennit_runtime_run_for(runtime, 0) > 0);
	c.stop = true;
	run_dry(runtime);
	end_runtime(runtime);
}

static void a_started_runtime_is_not_run_for_a_time(void **state)
{
	struct sennit_runtime *runtime = started_runtime(1);

	(void)state;
	assert_int_equal(sennit_runtime_run_for(runtime, 1), -EBUSY);
	assert_int_equal(sennit_runtime_run_one_until(runtime, 1), -EBUSY);
	end_runtime(runtime);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(C124_what_finishes_first_is_not_kept_by_its_deadline),
		TEST(a_deadline_is_for_one_flight),
		TEST(a_deadline_of_a_start_that_was_refused_is_gone),
		TEST(the_last_choice_counts_and_never_is_none),
		TEST(what_a_deadline_asks_for_waits_for_a_flight_that_has_one),
		TEST(a_transfer_that_can_be_made_wins_over_a_deadline_that_has_passed),
		TEST(C125_a_request_before_the_deadline_names_the_error),
		TEST(many_deadlines_come_in_their_order),
		TEST(a_deadline_allocates_nothing),
		TEST(choosing_a_deadline_in_flight_is_misuse),
		TEST(C123_the_earlier_of_expiry_and_deadline_ends_a_wait),
		TEST(a_deadline_and_an_expiry_of_the_same_turn_are_compared),
		TEST(C011_run_for_with_only_a_guard_returns_when_the_time_is_over),
		TEST(C012_run_one_for_with_a_timer_far_away_returns_0),
		TEST(run_until_runs_the_timers_that_expire_before),
		TEST(G2_run_for_returns_early_and_stops_where_no_work_is_left),
		TEST(run_for_returns_though_there_is_always_something_to_do),
		TEST(a_started_runtime_is_not_run_for_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
