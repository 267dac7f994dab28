/* SPDX-License-Identifier: MIT */
/* timers.c - sennit_timer: the rules E, S1 and S22, and the cases about timers.
 *
 * Runs alone: it waits for real time. Only that a timer is not early is asserted of it.
 */
#include "support.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define WAITS 8

/* A timer on a driven runtime, and what was waited for. */
struct alarm {
	struct sennit_runtime *runtime;
	struct sennit_timer timer;
	struct sennit_op op[WAITS];
	struct result result[WAITS];
};

static void wait_for(struct sennit_timer *timer, struct sennit_op *op, struct result *result)
{
	expect_result(op, result, NULL);
	sennit_timer_async_wait(timer, op, on_result);
}

static void start_wait(struct alarm *a, int i)
{
	wait_for(&a->timer, &a->op[i], &a->result[i]);
}

static void open_alarm(struct alarm *a)
{
	memset(a, 0, sizeof *a);
	a->runtime = driven_runtime();
	assert_int_equal(sennit_timer_init(&a->timer, sennit_runtime_executor(a->runtime)), 0);
}

static void close_alarm(struct alarm *a)
{
	sennit_timer_close(&a->timer);
	run_dry(a->runtime);
	end_runtime(a->runtime);
}

static void assert_ended(const struct alarm *a, int i, int error)
{
	assert_int_equal(a->result[i].calls, 1);
	assert_int_equal(a->result[i].error, error);
	assert_int_equal(a->result[i].bytes, 0);
}

/* --- expiry ----------------------------------------------------------------------------------- */

static void C035_C036_a_wait_completes_once_and_not_before_the_expiry(void **state)
{
	struct alarm a;
	uint64_t expiry_ns;

	(void)state;
	open_alarm(&a);
	expiry_ns = sennit_now() + SENNIT_MS(30);
	assert_int_equal(sennit_timer_expires_at(&a.timer, expiry_ns), 0);
	assert_true(sennit_timer_expiry(&a.timer) == expiry_ns);
	start_wait(&a, 0);
	run_until(a.runtime, &a.result[0].done);
	assert_true(sennit_now() >= expiry_ns);
	assert_ended(&a, 0, 0);
	close_alarm(&a);
}

static void E6_delays_of_any_length_are_never_early(void **state)
{
	static const uint64_t delays[] = { 0, 1, 999999, SENNIT_MS(1), SENNIT_MS(1) + 1,
		                           SENNIT_MS(7), SENNIT_MS(20) };
	struct alarm a;

	(void)state;
	open_alarm(&a);
	for (size_t i = 0; i < COUNT_OF(delays); i++) {
		uint64_t before_ns = sennit_now();

		sennit_timer_expires_after(&a.timer, delays[i]);
		start_wait(&a, 0);
		run_until(a.runtime, &a.result[0].done);
		assert_true(sennit_now() - before_ns >= delays[i]);
		assert_ended(&a, 0, 0);
	}
	close_alarm(&a);
}

struct periodic {
	struct alarm a;
	unsigned left;
	bool running;
	bool done;
};

static void on_period(struct sennit_op *op, int error, size_t bytes)
{
	struct periodic *p = op->user;

	RECORD(!error && !bytes && !p->running);
	RECORD(sennit_now() >= sennit_timer_expiry(&p->a.timer));
	p->running = true;
	if (--p->left) {
		uint64_t next_ns = sennit_timer_expiry(&p->a.timer) + SENNIT_MS(5);

		RECORD(sennit_timer_expires_at(&p->a.timer, next_ns) == 0);
		sennit_timer_async_wait(&p->a.timer, op, on_period);
	} else {
		p->done = true;
	}
	p->running = false;
}

static void C037_a_handler_arms_its_timer_anew_from_the_old_expiry(void **state)
{
	struct periodic p = { .left = 3 };
	uint64_t before_ns;

	(void)state;
	open_alarm(&p.a);
	before_ns = sennit_now();
	sennit_timer_expires_at(&p.a.timer, before_ns + SENNIT_MS(5));
	p.a.op[0].user = &p;
	sennit_timer_async_wait(&p.a.timer, &p.a.op[0], on_period);
	run_until(p.a.runtime, &p.done);
	assert_true(sennit_now() - before_ns >= SENNIT_MS(15));
	assert_true(sennit_timer_expiry(&p.a.timer) == before_ns + SENNIT_MS(15));
	close_alarm(&p.a);
}

static void C045_all_waits_complete_in_the_order_in_which_they_were_started(void **state)
{
	struct alarm a;

	(void)state;
	open_alarm(&a);
	sennit_timer_expires_after(&a.timer, SENNIT_MS(5));
	for (int i = 0; i < WAITS; i++)
		start_wait(&a, i);
	run_dry(a.runtime);
	for (int i = 0; i < WAITS; i++) {
		assert_ended(&a, i, 0);
		assert_true(i == 0 || a.result[i].order > a.result[i - 1].order);
	}
	close_alarm(&a);
}

static void do_nothing(struct sennit_task *task, int error)
{
	(void)task;
	(void)error;
}

static void C046_E5_a_timer_never_set_or_in_the_past_completes_promptly_but_not_inline(void **state)
{
	struct alarm a;
	struct sennit_task task = { 0 };

	(void)state;
	open_alarm(&a);
	assert_true(sennit_timer_expiry(&a.timer) == 0);
	for (int i = 0; i < 3; i++) {
		if (i)
			sennit_timer_expires_at(&a.timer, i == 1 ? sennit_now() - 1 : 1);
		sennit_post(sennit_runtime_executor(a.runtime), &task, do_nothing);
		start_wait(&a, i);
		assert_int_equal(a.result[i].calls, 0);
		assert_int_equal(run_dry(a.runtime), 2);
		assert_ended(&a, i, 0);
	}
	close_alarm(&a);
}

#define TOGETHER 700 /* more than are handed over in a turn */

/* Timers 10 us apart, the first `lead_ns` from now; false where that was too soon. */
static bool arm_together(struct sennit_runtime *runtime, struct sennit_timer *timer,
			 struct sennit_op *op, struct result *result, uint64_t lead_ns)
{
	uint64_t from_ns = sennit_now() + lead_ns;

	for (unsigned i = 0; i < TOGETHER; i++) {
		struct sennit_executor *executor = sennit_runtime_executor(runtime);
		unsigned place = i * 37 % TOGETHER; /* not in order of arming */

		assert_int_equal(sennit_timer_init(&timer[place], executor), 0);
		sennit_timer_expires_at(&timer[place], from_ns + place * 10000);
		wait_for(&timer[place], &op[place], &result[place]);
	}
	sennit_runtime_poll(runtime);
	return sennit_now() < from_ns;
}

static void timers_due_together_come_in_the_order_of_their_expiries(void **state)
{
	static struct sennit_timer timer[TOGETHER];
	static struct sennit_op op[TOGETHER];
	static struct result result[TOGETHER];
	struct sennit_runtime *runtime = driven_runtime();
	uint64_t lead_ns = SENNIT_MS(4);

	(void)state;
	memset(op, 0, sizeof op);
	while (!arm_together(runtime, timer, op, result, lead_ns)) {
		for (unsigned i = 0; i < TOGETHER; i++)
			sennit_timer_close(&timer[i]);
		run_dry(runtime);
		lead_ns *= 2;
	}
	run_dry(runtime);
	for (unsigned i = 0; i < TOGETHER; i++) {
		assert_int_equal(result[i].calls, 1);
		assert_int_equal(result[i].error, 0);
		assert_true(i == 0 || result[i].order > result[i - 1].order);
		sennit_timer_close(&timer[i]);
	}
	end_runtime(runtime);
}

static void E8_a_timer_without_waits_is_not_work(void **state)
{
	struct alarm a;

	(void)state;
	open_alarm(&a);
	sennit_timer_expires_after(&a.timer, SENNIT_SECONDS(3600));
	assert_int_equal(sennit_runtime_run(a.runtime), 0);
	assert_true(sennit_runtime_stopped(a.runtime));
	close_alarm(&a);
}

/* --- within a turn ---------------------------------------------------------------------------- */

struct turn {
	struct sennit_task task;
	struct alarm a;
	uint64_t end_ns;
	void (*then)(struct turn *turn);
};

static void in_turn(struct sennit_task *task, int error)
{
	struct turn *t = (struct turn *)(void *)task;

	RECORD(error == 0);
	t->then(t);
}

static void run_in_turn(struct turn *t, void (*then)(struct turn *turn))
{
	t->then = then;
	sennit_post(sennit_runtime_executor(t->a.runtime), &t->task, in_turn);
	run_dry(t->a.runtime);
	recorded();
}

static void arm_and_dally(struct turn *t)
{
	RECORD(sennit_timer_expires_after(&t->a.timer, SENNIT_MS(4)) == 0);
	start_wait(&t->a, 0);
	usleep(6000);
	t->end_ns = sennit_now();
	start_wait(&t->a, 1);
}

static void a_delay_counts_from_the_end_of_the_turn(void **state)
{
	struct turn t = { .end_ns = 0 };

	(void)state;
	open_alarm(&t.a);
	run_in_turn(&t, arm_and_dally);
	assert_ended(&t.a, 0, 0);
	assert_ended(&t.a, 1, 0);
	assert_true(t.a.result[0].order < t.a.result[1].order);
	assert_true(sennit_timer_expiry(&t.a.timer) >= t.end_ns + SENNIT_MS(4));
	close_alarm(&t.a);
}

static void arm_and_ask(struct turn *t)
{
	uint64_t before_ns = sennit_now();
	uint64_t expiry_ns;

	sennit_timer_expires_after(&t->a.timer, SENNIT_MS(3));
	start_wait(&t->a, 0);
	expiry_ns = sennit_timer_expiry(&t->a.timer);
	RECORD(expiry_ns >= before_ns + SENNIT_MS(3) && expiry_ns <= sennit_now() + SENNIT_MS(3));
	RECORD(sennit_timer_expiry(&t->a.timer) == expiry_ns);
	start_wait(&t->a, 1);
	t->end_ns = expiry_ns;
}

static void an_expiry_can_be_asked_for_at_once(void **state)
{
	struct turn t = { .end_ns = 0 };

	(void)state;
	open_alarm(&t.a);
	run_in_turn(&t, arm_and_ask);
	assert_true(sennit_now() >= t.end_ns);
	assert_ended(&t.a, 0, 0);
	assert_ended(&t.a, 1, 0);
	assert_true(t.a.result[0].order < t.a.result[1].order);
	close_alarm(&t.a);
}

static void arm_and_cancel(struct turn *t)
{
	for (int i = 0; i < 3; i++) { /* before it is stamped, too */
		RECORD(sennit_timer_expires_after(&t->a.timer, SENNIT_SECONDS(9)) == !!i);
		start_wait(&t->a, i);
	}
	RECORD(sennit_timer_cancel(&t->a.timer) == 1);
	RECORD(sennit_timer_cancel(&t->a.timer) == 0);
	RECORD(t->a.result[0].calls == 0);
}

static void an_expiry_that_was_never_stamped_can_be_changed(void **state)
{
	struct turn t = { .end_ns = 0 };

	(void)state;
	open_alarm(&t.a);
	run_in_turn(&t, arm_and_cancel);
	for (int i = 0; i < 3; i++)
		assert_ended(&t.a, i, -ECANCELED);
	close_alarm(&t.a);
}

/* --- cancel ----------------------------------------------------------------------------------- */

struct canceller {
	struct alarm a;
	struct sennit_timer other;
	struct sennit_op op;
	int count;
};

static void on_cancel_time(struct sennit_op *op, int error, size_t bytes)
{
	struct canceller *c = op->user;

	RECORD(!error && !bytes);
	c->count = sennit_timer_cancel(&c->a.timer);
}

static void C038_another_timer_cancels_a_wait_and_the_expiry_stays(void **state)
{
	struct canceller c = { .count = -1 };
	uint64_t expiry_ns;

	(void)state;
	open_alarm(&c.a);
	assert_int_equal(sennit_timer_init(&c.other, sennit_runtime_executor(c.a.runtime)), 0);
	expiry_ns = sennit_now() + SENNIT_MS(60);
	sennit_timer_expires_at(&c.a.timer, expiry_ns);
	sennit_timer_expires_after(&c.other, SENNIT_MS(5));
	start_wait(&c.a, 0);
	c.op.user = &c;
	sennit_timer_async_wait(&c.other, &c.op, on_cancel_time);
	run_dry(c.a.runtime);
	assert_int_equal(c.count, 1);
	assert_ended(&c.a, 0, -ECANCELED);
	start_wait(&c.a, 1);
	run_dry(c.a.runtime);
	assert_ended(&c.a, 1, 0);
	assert_true(sennit_now() >= expiry_ns);
	sennit_timer_close(&c.other);
	close_alarm(&c.a);
}

static void C039_cancel_one_ends_the_oldest_wait(void **state)
{
	struct alarm a;

	(void)state;
	open_alarm(&a);
	assert_int_equal(sennit_timer_cancel_one(&a.timer), 0);
	sennit_timer_expires_after(&a.timer, SENNIT_MS(10));
	start_wait(&a, 0);
	start_wait(&a, 1);
	assert_int_equal(sennit_timer_cancel_one(&a.timer), 1);
	run_dry(a.runtime);
	assert_ended(&a, 0, -ECANCELED);
	assert_ended(&a, 1, 0);
	close_alarm(&a);
}

static void C040_fifty_timers_that_never_expire_are_cancelled_one_by_one(void **state)
{
	enum { COUNT = 50 };
	static struct sennit_timer timer[COUNT];
	static struct sennit_op op[COUNT];
	static struct result result[COUNT];
	struct sennit_runtime *runtime = driven_runtime();

	(void)state;
	memset(op, 0, sizeof op);
	for (int i = 0; i < COUNT; i++) {
		struct sennit_executor *executor = sennit_runtime_executor(runtime);

		assert_int_equal(sennit_timer_init(&timer[i], executor), 0);
		assert_int_equal(sennit_timer_expires_at(&timer[i], SENNIT_NEVER), 0);
	}
	for (int i = 0; i < COUNT; i++)
		wait_for(&timer[i * 7 % COUNT], &op[i * 7 % COUNT], &result[i * 7 % COUNT]);
	assert_int_equal(sennit_runtime_poll(runtime), 0);
	for (int i = 0; i < COUNT; i++)
		assert_int_equal(sennit_timer_cancel(&timer[i]), 1);
	assert_int_equal(run_dry(runtime), COUNT);
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(result[i].error, -ECANCELED);
		sennit_timer_close(&timer[i]);
	}
	end_runtime(runtime);
}

static void E2_S22_changing_the_expiry_ends_the_waits_begun_before(void **state)
{
	struct alarm a;

	(void)state;
	open_alarm(&a);
	sennit_timer_expires_after(&a.timer, SENNIT_SECONDS(100));
	start_wait(&a, 0);
	start_wait(&a, 1);
	assert_int_equal(sennit_timer_expires_after(&a.timer, SENNIT_MS(2)), 2);
	start_wait(&a, 2);
	run_dry(a.runtime);
	assert_ended(&a, 0, -ECANCELED);
	assert_ended(&a, 1, -ECANCELED);
	assert_ended(&a, 2, 0);
	close_alarm(&a);
}

struct late {
	struct alarm a;
	int cancelled, changed;
};

static void on_late(struct sennit_op *op, int error, size_t bytes)
{
	struct late *l = op->user;

	RECORD(!error && !bytes);
	l->cancelled = sennit_timer_cancel(&l->a.timer);
	l->changed = sennit_timer_expires_at(&l->a.timer, SENNIT_NEVER);
}

static void E3_a_wait_whose_handler_is_queued_is_past_cancelling(void **state)
{
	struct late l = { .cancelled = -1 };

	(void)state;
	open_alarm(&l.a);
	sennit_timer_expires_after(&l.a.timer, SENNIT_MS(1));
	l.a.op[0].user = &l;
	sennit_timer_async_wait(&l.a.timer, &l.a.op[0], on_late);
	start_wait(&l.a, 1); /* due with the first */
	run_dry(l.a.runtime);
	assert_int_equal(l.cancelled, 0);
	assert_int_equal(l.changed, 0);
	assert_ended(&l.a, 1, 0);
	close_alarm(&l.a);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void C043_closing_a_timer_ends_its_waits(void **state)
{
	struct alarm a;

	(void)state;
	open_alarm(&a);
	sennit_timer_expires_after(&a.timer, SENNIT_SECONDS(100));
	start_wait(&a, 0);
	sennit_timer_close(&a.timer);
	start_wait(&a, 1);
	run_dry(a.runtime);
	assert_ended(&a, 0, -ECANCELED);
	assert_ended(&a, 1, -EBADF);
	assert_int_equal(sennit_timer_cancel(&a.timer), -EBADF);
	assert_int_equal(sennit_timer_cancel_one(&a.timer), -EBADF);
	assert_int_equal(sennit_timer_expires_at(&a.timer, 0), -EBADF);
	assert_true(sennit_timer_expiry(&a.timer) == 0);
	sennit_timer_close(&a.timer);
	assert_int_equal(sennit_timer_init(&a.timer, sennit_runtime_executor(a.runtime)), 0);
	start_wait(&a, 2); /* never set, whatever the one before was */
	run_dry(a.runtime);
	assert_ended(&a, 2, 0);
	close_alarm(&a);
}

static void destroying_the_runtime_ends_waits_with_shutdown(void **state)
{
	struct alarm a;

	(void)state;
	open_alarm(&a);
	sennit_timer_expires_after(&a.timer, SENNIT_SECONDS(100));
	start_wait(&a, 0);
	sennit_runtime_poll(a.runtime);
	sennit_timer_expires_after(&a.timer, SENNIT_SECONDS(200)); /* not stamped */
	start_wait(&a, 1);
	end_runtime(a.runtime);
	assert_ended(&a, 0, -ECANCELED);
	assert_ended(&a, 1, SENNIT_SHUTDOWN);
}

/* --- other threads ---------------------------------------------------------------------------- */

struct remote {
	struct stage *stage;
	struct alarm a;
	struct latch latch;
	int answers[4];
};

static void change_and_wait(void *argument)
{
	struct remote *r = argument;

	start_wait(&r->a, 0);
	r->answers[0] = sennit_timer_expires_at(&r->a.timer, SENNIT_NEVER);
	start_wait(&r->a, 1);
	start_wait(&r->a, 2);
	r->answers[1] = sennit_timer_cancel_one(&r->a.timer);
	r->answers[2] = sennit_timer_expires_after(&r->a.timer, SENNIT_MS(5));
	start_wait(&r->a, 3);
}

/* The first may have completed, never set, before the change. */
static void change_from_a_kind_of_thread(struct stage *stage)
{
	struct remote r = { .stage = stage };
	bool owner = stage->kind == THREAD_OWNER;
	uint64_t before_ns = sennit_now();

	assert_int_equal(sennit_timer_init(&r.a.timer, stage->owner), 0);
	call_on_kind(stage, change_and_wait, &r);
	for (int i = 0; i < 4; i++)
		wait_result(&r.a.result[i]);
	assert_true(r.a.result[0].error == 0 || r.a.result[0].error == -ECANCELED);
	assert_int_equal(r.a.result[1].error, -ECANCELED);
	assert_int_equal(r.a.result[2].error, -ECANCELED);
	assert_int_equal(r.a.result[3].error, 0);
	assert_true(sennit_now() >= before_ns + SENNIT_MS(5));
	assert_int_equal(r.answers[0], owner ? 0 : -EINPROGRESS);
	assert_int_equal(r.answers[1], owner ? 1 : -EINPROGRESS);
	assert_int_equal(r.answers[2], owner ? 1 : -EINPROGRESS);
	sennit_timer_close(&r.a.timer);
}

static void S1_changes_answer_on_the_owner_and_are_messages_elsewhere(void **state)
{
	(void)state;
	on_each_kind_of_thread(change_from_a_kind_of_thread);
}

static void wait_before_and_after(void *argument)
{
	struct remote *r = argument;

	sennit_timer_expires_at(&r->a.timer, SENNIT_NEVER);
	start_wait(&r->a, 0);
	start_wait(&r->a, 1);
	r->answers[0] = sennit_timer_cancel(&r->a.timer);
	start_wait(&r->a, 2);
	sennit_timer_close(&r->a.timer);
	r->answers[1] = sennit_timer_expires_at(&r->a.timer, 0);
}

static void cancel_from_a_kind_of_thread(struct stage *stage)
{
	struct remote r = { .stage = stage };

	assert_int_equal(sennit_timer_init(&r.a.timer, stage->owner), 0);
	call_on_kind(stage, wait_before_and_after, &r);
	for (int i = 0; i < 3; i++) {
		wait_result(&r.a.result[i]);
		assert_int_equal(r.a.result[i].error, -ECANCELED);
	}
	assert_int_equal(r.answers[0], stage->kind == THREAD_OWNER ? 2 : -EINPROGRESS);
	assert_int_equal(r.answers[1], -EBADF);
}

static void cancel_and_close_end_waits_from_any_thread(void **state)
{
	(void)state;
	on_each_kind_of_thread(cancel_from_a_kind_of_thread);
}

static void HE13_an_earlier_expiry_set_elsewhere_wakes_the_worker(void **state)
{
	struct sennit_runtime *runtime = started_runtime(1);
	struct alarm a = { .runtime = runtime };
	uint64_t before_ns = sennit_now();

	(void)state;
	assert_int_equal(sennit_timer_init(&a.timer, sennit_runtime_executor(runtime)), 0);
	sennit_timer_expires_after(&a.timer, SENNIT_SECONDS(3600));
	start_wait(&a, 0);
	assert_int_equal(sennit_timer_expires_after(&a.timer, SENNIT_MS(3)), -EINPROGRESS);
	start_wait(&a, 1);
	wait_result(&a.result[1]);
	assert_true(sennit_now() >= before_ns + SENNIT_MS(3));
	assert_int_equal(a.result[1].error, 0);
	wait_result(&a.result[0]);
	assert_int_equal(a.result[0].error, -ECANCELED);
	sennit_timer_close(&a.timer);
	end_runtime(runtime);
}

/* --- costs ------------------------------------------------------------------------------------ */

static void nothing_but_init_allocates(void **state)
{
	struct alarm a;
	uint64_t before;

	(void)state;
	open_alarm(&a);
	before = allocations();
	for (int i = 0; i < 100; i++) {
		sennit_timer_expires_after(&a.timer, SENNIT_MS(1) * (unsigned)(i % 3));
		start_wait(&a, 0);
		start_wait(&a, 1);
		if (i % 2)
			sennit_timer_cancel(&a.timer);
		run_dry(a.runtime);
	}
	assert_true(allocations() == before);
	close_alarm(&a);
}

static void close_never_initialised(void *argument)
{
	struct sennit_timer timer;

	(void)argument;
	memset(&timer, 0x5a, sizeof timer);
	sennit_timer_cancel(&timer);
}

static void using_a_timer_that_was_never_initialised_is_misuse(void **state)
{
	struct sennit_timer zeroed = { 0 };

	(void)state;
	assert_misuse(close_never_initialised, NULL, "sennit_timer_cancel");
	assert_int_equal(sennit_timer_cancel(&zeroed), -EBADF);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(C035_C036_a_wait_completes_once_and_not_before_the_expiry),
		TEST(E6_delays_of_any_length_are_never_early),
		TEST(C037_a_handler_arms_its_timer_anew_from_the_old_expiry),
		TEST(C045_all_waits_complete_in_the_order_in_which_they_were_started),
		TEST(C046_E5_a_timer_never_set_or_in_the_past_completes_promptly_but_not_inline),
		TEST(timers_due_together_come_in_the_order_of_their_expiries),
		TEST(E8_a_timer_without_waits_is_not_work),
		TEST(a_delay_counts_from_the_end_of_the_turn),
		TEST(an_expiry_can_be_asked_for_at_once),
		TEST(an_expiry_that_was_never_stamped_can_be_changed),
		TEST(C038_another_timer_cancels_a_wait_and_the_expiry_stays),
		TEST(C039_cancel_one_ends_the_oldest_wait),
		TEST(C040_fifty_timers_that_never_expire_are_cancelled_one_by_one),
		TEST(E2_S22_changing_the_expiry_ends_the_waits_begun_before),
		TEST(E3_a_wait_whose_handler_is_queued_is_past_cancelling),
		TEST(C043_closing_a_timer_ends_its_waits),
		TEST(destroying_the_runtime_ends_waits_with_shutdown),
		TEST(S1_changes_answer_on_the_owner_and_are_messages_elsewhere),
		TEST(cancel_and_close_end_waits_from_any_thread),
		TEST(HE13_an_earlier_expiry_set_elsewhere_wakes_the_worker),
		TEST(nothing_but_init_allocates),
		TEST(using_a_timer_that_was_never_initialised_is_misuse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
