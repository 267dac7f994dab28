/* SPDX-License-Identifier: MIT */
/* strand.c - strands: order, exclusion, the budget of a turn, dispatch, and their end. What the
 * rules of behaviour say of them is in conformance/strands.c.
 */
#include "support.h"

#include "runtime/sched/strand.h"

#include <sennit/error.h>
#include <stdlib.h>

/* A function of a strand that notes when it ran. */
struct step {
	struct sennit_task task;
	struct trace *trace;
	char name;
};

struct trace {
	char text[256];
	size_t length;
	int error; /* that each function is to be told */
};

static void note(struct trace *trace, char name)
{
	trace->text[trace->length++] = name;
}

static void on_step(struct sennit_task *task, int error)
{
	struct step *step = CONTAINER_OF(task, struct step, task);

	RECORD(error == step->trace->error);
	note(step->trace, step->name);
}

static void post_step(struct sennit_executor *executor, struct step *step, struct trace *trace,
                      char name)
{
	*step = (struct step){ .trace = trace, .name = name };
	sennit_post(executor, &step->task, on_step);
}

/* --- order ------------------------------------------------------------------------------------ */

static void functions_run_in_the_order_of_their_posts(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	struct sennit_executor *inner[2] = { sennit_runtime_executor(runtime),
		                             sennit_runtime_worker(runtime, 0) };
	struct step steps[5];

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct trace trace = { .length = 0 };
		struct sennit_strand strand;

		sennit_strand_init(&strand, inner[i]);
		for (unsigned k = 0; k < 5; k++)
			post_step(sennit_strand_executor(&strand), &steps[k], &trace,
			          (char)('a' + k));
		assert_string_equal(trace.text, "");
		assert_int_equal(run_dry(runtime), 5);
		assert_string_equal(trace.text, "abcde");
		sennit_strand_fini(&strand);
	}
	end_runtime(runtime);
}

/* What run returns are the functions; the turns of strands are none of them. */
static void run_one_runs_one_function_of_a_strand(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	struct trace trace = { .length = 0 };
	struct sennit_strand strand, outer;
	struct step steps[4];

	(void)state;
	sennit_strand_init(&strand, sennit_runtime_worker(runtime, 0));
	sennit_strand_init(&outer, sennit_strand_executor(&strand));
	post_step(sennit_strand_executor(&outer), &steps[0], &trace, 'a');
	post_step(sennit_strand_executor(&strand), &steps[1], &trace, 'b');
	post_step(sennit_strand_executor(&outer), &steps[2], &trace, 'c');
	post_step(sennit_runtime_worker(runtime, 0), &steps[3], &trace, 'd');
	for (unsigned i = 1; i <= 4; i++) {
		assert_int_equal(sennit_runtime_run_one(runtime), 1);
		assert_int_equal(trace.length, i);
	}
	assert_int_equal(sennit_runtime_run_one(runtime), 0);
	sennit_strand_fini(&outer);
	sennit_strand_fini(&strand);
	end_runtime(runtime);
}

/* --- the budget ------------------------------------------------------------------------------- */

/* Posts itself for ever, or as long as there are some left. */
struct loop {
	struct sennit_task task;
	struct sennit_executor *executor;
	unsigned left;
	unsigned ran;
	struct loop *rival;
	unsigned ahead; /* the most that ran since the rival last did */
	unsigned seen;
};

static void on_loop(struct sennit_task *task, int error)
{
	struct loop *loop = CONTAINER_OF(task, struct loop, task);

	RECORD(error == 0);
	loop->ran++;
	if (loop->rival) {
		loop->rival->seen = 0;
		if (++loop->seen > loop->ahead)
			loop->ahead = loop->seen;
	}
	if (loop->left && --loop->left)
		sennit_post(loop->executor, task, on_loop);
}

/* HE2: it goes on behind what else waits, though it is never done. */
static void a_strand_that_is_never_idle_lets_others_run(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	struct sennit_executor *worker = sennit_runtime_worker(runtime, 0);
	struct sennit_strand strand;
	struct loop a = { .left = 10000 }, b = { .left = 10000 };

	(void)state;
	sennit_strand_init(&strand, worker);
	a.executor = sennit_strand_executor(&strand);
	b.executor = worker;
	a.rival = &b;
	b.rival = &a;
	sennit_post(a.executor, &a.task, on_loop);
	sennit_post(b.executor, &b.task, on_loop);
	assert_int_equal(run_dry(runtime), 20000);
	assert_true(a.ahead > 1 && a.ahead <= SENNIT__TURN);
	sennit_strand_fini(&strand);
	end_runtime(runtime);
}

static void two_busy_strands_take_turns(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	struct sennit_strand strands[2];
	struct loop loops[2] = { { .left = 1000 }, { .left = 1000 } };

	(void)state;
	for (int i = 0; i < 2; i++) {
		sennit_strand_init(&strands[i], sennit_runtime_executor(runtime));
		loops[i].executor = sennit_strand_executor(&strands[i]);
		loops[i].rival = &loops[!i];
		sennit_post(loops[i].executor, &loops[i].task, on_loop);
	}
	assert_int_equal(run_dry(runtime), 2000);
	assert_true(loops[0].ahead <= 2 * SENNIT__TURN);
	sennit_strand_fini(&strands[0]);
	sennit_strand_fini(&strands[1]);
	end_runtime(runtime);
}

/* --- stop ------------------------------------------------------------------------------------- */

struct stopper {
	struct sennit_task task;
	struct sennit_runtime *runtime;
};

static void on_stop(struct sennit_task *task, int error)
{
	RECORD(error == 0);
	sennit_runtime_stop(CONTAINER_OF(task, struct stopper, task)->runtime);
}

static void stop_keeps_what_is_queued_in_a_strand_for_the_next_run(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	struct stopper stopper = { .runtime = runtime };
	struct trace trace = { .length = 0 };
	struct sennit_strand strand;
	struct step steps[2];

	(void)state;
	sennit_strand_init(&strand, sennit_runtime_executor(runtime));
	post_step(sennit_strand_executor(&strand), &steps[0], &trace, 'a');
	sennit_post(sennit_strand_executor(&strand), &stopper.task, on_stop);
	post_step(sennit_strand_executor(&strand), &steps[1], &trace, 'b');
	assert_int_equal(sennit_runtime_run(runtime), 2);
	assert_string_equal(trace.text, "a");
	sennit_runtime_restart(runtime);
	assert_int_equal(sennit_runtime_run(runtime), 1);
	assert_string_equal(trace.text, "ab");
	sennit_strand_fini(&strand);
	end_runtime(runtime);
}

/* --- dispatch --------------------------------------------------------------------------------- */

/* A function that dispatches another to `to`, and notes what became of it. */
struct caller {
	struct sennit_task task;
	struct step step;
	struct sennit_executor *to;
	struct trace *trace;
};

static void on_caller(struct sennit_task *task, int error)
{
	struct caller *caller = CONTAINER_OF(task, struct caller, task);

	RECORD(error == 0);
	note(caller->trace, '(');
	sennit_dispatch(caller->to, &caller->step.task, on_step);
	note(caller->trace, ')');
}

/* What a dispatch to `to` from a function on `from` does, beside what else is noted. */
static void dispatch_from(struct sennit_executor *from, struct sennit_executor *to,
                          struct caller *caller, struct trace *trace)
{
	*caller = (struct caller){ .to = to, .trace = trace };
	caller->step = (struct step){ .trace = trace, .name = 'x' };
	sennit_post(from, &caller->task, on_caller);
}

static void dispatch_to_an_idle_strand_runs_at_once_where_its_executor_runs(void **state)
{
	struct sennit_runtime *runtime = driven_runtime(), *other = driven_runtime();
	struct sennit_executor *worker = sennit_runtime_worker(runtime, 0);
	struct sennit_strand strand, over;
	struct caller caller;
	struct trace trace = { .length = 0 };

	(void)state;
	sennit_strand_init(&strand, worker);
	sennit_strand_init(&over, sennit_strand_executor(&strand));
	dispatch_from(worker, sennit_strand_executor(&strand), &caller, &trace);
	assert_int_equal(run_dry(runtime), 1);
	dispatch_from(worker, sennit_strand_executor(&over), &caller, &trace);
	assert_int_equal(run_dry(runtime), 1);
	dispatch_from(sennit_strand_executor(&strand), sennit_strand_executor(&over), &caller,
	              &trace);
	assert_int_equal(run_dry(runtime), 1);
	assert_string_equal(trace.text, "(x)(x)(x)");
	/* Not from elsewhere. */
	trace = (struct trace){ .length = 0 };
	dispatch_from(sennit_runtime_worker(other, 0), sennit_strand_executor(&over), &caller,
	              &trace);
	assert_int_equal(run_dry(other), 1);
	assert_string_equal(trace.text, "()");
	assert_int_equal(run_dry(runtime), 1);
	assert_string_equal(trace.text, "()x");
	sennit_strand_fini(&over);
	sennit_strand_fini(&strand);
	end_runtime(runtime);
	end_runtime(other);
}

static void dispatch_to_a_strand_with_something_queued_lines_up(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	struct sennit_executor *worker = sennit_runtime_worker(runtime, 0);
	struct sennit_strand strand, over;
	struct caller caller;
	struct step step;
	struct trace trace = { .length = 0 };

	(void)state;
	sennit_strand_init(&strand, worker);
	sennit_strand_init(&over, sennit_strand_executor(&strand));
	dispatch_from(worker, sennit_strand_executor(&strand), &caller, &trace);
	post_step(sennit_strand_executor(&strand), &step, &trace, 'a');
	assert_int_equal(run_dry(runtime), 3);
	assert_string_equal(trace.text, "()ax");
	/* The same one strand further in: the outer one is idle again afterwards. */
	trace = (struct trace){ .length = 0 };
	dispatch_from(worker, sennit_strand_executor(&over), &caller, &trace);
	post_step(sennit_strand_executor(&strand), &step, &trace, 'a');
	assert_int_equal(run_dry(runtime), 3);
	assert_string_equal(trace.text, "()ax");
	sennit_strand_fini(&over);
	sennit_strand_fini(&strand);
	end_runtime(runtime);
}

/* A function that posts another to its strand, and is dispatched. */
struct poster {
	struct sennit_task task;
	struct sennit_task inner;
	struct step step;
	struct sennit_strand *strand;
	struct trace *trace;
};

static void on_dispatched_poster(struct sennit_task *task, int error)
{
	struct poster *poster = CONTAINER_OF(task, struct poster, inner);

	RECORD(error == 0);
	RECORD(sennit_executor_runs_here(sennit_strand_executor(poster->strand)));
	post_step(sennit_strand_executor(poster->strand), &poster->step, poster->trace, 'b');
	note(poster->trace, 'a');
}

static void on_poster(struct sennit_task *task, int error)
{
	struct poster *poster = CONTAINER_OF(task, struct poster, task);

	RECORD(error == 0);
	RECORD(!sennit_executor_runs_here(sennit_strand_executor(poster->strand)));
	sennit_dispatch(sennit_strand_executor(poster->strand), &poster->inner,
	                on_dispatched_poster);
	RECORD(!sennit_executor_runs_here(sennit_strand_executor(poster->strand)));
	note(poster->trace, '.');
}

static void what_a_dispatched_function_posts_gets_a_turn(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	struct sennit_strand strand;
	struct trace trace = { .length = 0 };
	struct poster poster = { .strand = &strand, .trace = &trace };

	(void)state;
	sennit_strand_init(&strand, sennit_runtime_executor(runtime));
	sennit_post(sennit_runtime_executor(runtime), &poster.task, on_poster);
	assert_int_equal(run_dry(runtime), 2);
	assert_string_equal(trace.text, "a.b");
	sennit_strand_fini(&strand);
	end_runtime(runtime);
}

/* --- the end ---------------------------------------------------------------------------------- */

struct session {
	struct sennit_strand strand;
	struct sennit_task tasks[3];
	unsigned ran;
	struct latch *gone;
};

static void end_session(struct session *session)
{
	struct latch *gone = session->gone;

	sennit_strand_fini(&session->strand);
	free(session);
	if (gone)
		latch_down(gone);
}

static void on_first(struct sennit_task *task, int error)
{
	struct session *session = CONTAINER_OF(task, struct session, tasks[0]);

	RECORD(error == 0 || error == SENNIT_SHUTDOWN);
	if (++session->ran == 3)
		end_session(session);
}

static void on_second(struct sennit_task *task, int error)
{
	on_first(task - 1, error);
}

static void on_third(struct sennit_task *task, int error)
{
	on_first(task - 2, error);
}

static struct session *new_session(struct sennit_executor *inner, struct latch *gone)
{
	struct session *session = calloc(1, sizeof *session);

	assert_non_null(session);
	session->gone = gone;
	sennit_strand_init(&session->strand, inner);
	return session;
}

static void post_all(struct session *session)
{
	static sennit_function *const functions[] = { on_first, on_second, on_third };

	for (unsigned i = 0; i < 3; i++)
		sennit_post(sennit_strand_executor(&session->strand), &session->tasks[i],
		            functions[i]);
}

static void the_last_function_may_free_the_strand_it_runs_in(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		post_all(new_session(i % 2 ? sennit_runtime_executor(runtime)
		                           : sennit_runtime_worker(runtime, 0), NULL));
	assert_int_equal(run_dry(runtime), 300);
	/* One function a turn: the strand is freed in the last turn. */
	post_all(new_session(sennit_runtime_executor(runtime), NULL));
	for (int i = 0; i < 3; i++)
		assert_int_equal(sennit_runtime_run_one(runtime), 1);
	assert_int_equal(sennit_runtime_run_one(runtime), 0);
	end_runtime(runtime);
}

static void what_is_queued_in_strands_ends_with_shutdown(void **state)
{
	struct sennit_runtime *runtime = driven_runtime(), *started = started_runtime(2);
	struct latch gone = LATCH(50);

	(void)state;
	for (unsigned i = 0; i < 50; i++) {
		post_all(new_session(sennit_runtime_executor(runtime), NULL));
		post_all(new_session(sennit_runtime_worker(started, i % 2), &gone));
	}
	end_runtime(runtime);
	end_runtime(started);
	latch_wait(&gone);
}

struct counted {
	struct sennit_task task;
	unsigned *count;
};

static void on_counted(struct sennit_task *task, int error)
{
	RECORD(error == SENNIT_SHUTDOWN);
	++*CONTAINER_OF(task, struct counted, task)->count;
}

/* Destroy is patient for 1,000 rounds: a strand's turn takes all that is there in one. */
static void a_long_queue_in_a_strand_is_one_round_of_destroy(void **state)
{
	const unsigned count = 200000;
	struct sennit_runtime *runtime = driven_runtime();
	struct counted *all = calloc(count, sizeof *all);
	struct sennit_strand strand;
	unsigned ran = 0;

	(void)state;
	assert_non_null(all);
	sennit_strand_init(&strand, sennit_runtime_executor(runtime));
	for (unsigned i = 0; i < count; i++) {
		all[i].count = &ran;
		sennit_post(sennit_strand_executor(&strand), &all[i].task, on_counted);
	}
	end_runtime(runtime);
	assert_int_equal(ran, count);
	sennit_strand_fini(&strand);
	free(all);
}

/* --- misuse ----------------------------------------------------------------------------------- */

static void on_nothing(struct sennit_task *task, int error)
{
	(void)task;
	(void)error;
}

static void init_over_nothing(void *argument)
{
	struct sennit_strand strand;

	sennit_strand_init(&strand, argument);
}

static void fini_with_something_queued(void *argument)
{
	struct sennit_runtime *runtime;
	struct sennit_strand strand;
	struct sennit_task task = { 0 };

	(void)argument;
	sennit_runtime_create(NULL, &runtime);
	sennit_strand_init(&strand, sennit_runtime_executor(runtime));
	sennit_post(sennit_strand_executor(&strand), &task, on_nothing);
	sennit_strand_fini(&strand);
}

static void on_fini_too_early(struct sennit_task *task, int error)
{
	(void)error;
	sennit_strand_fini(&CONTAINER_OF(task, struct session, tasks[0])->strand);
}

static void fini_in_the_last_function_but_one(void *argument)
{
	struct sennit_runtime *runtime;
	struct session session = { .ran = 0 };

	(void)argument;
	sennit_runtime_create(NULL, &runtime);
	sennit_strand_init(&session.strand, sennit_runtime_executor(runtime));
	sennit_post(sennit_strand_executor(&session.strand), &session.tasks[0], on_fini_too_early);
	sennit_post(sennit_strand_executor(&session.strand), &session.tasks[1], on_nothing);
	sennit_runtime_run(runtime);
}

static void use_after_fini(void *argument)
{
	struct sennit_runtime *runtime;
	struct sennit_strand strand;
	struct sennit_task task = { 0 };

	(void)argument;
	sennit_runtime_create(NULL, &runtime);
	sennit_strand_init(&strand, sennit_runtime_executor(runtime));
	sennit_strand_fini(&strand);
	sennit_post(sennit_strand_executor(&strand), &task, on_nothing);
}

static void misuse_of_a_strand_is_reported(void **state)
{
	struct sennit_executor none = { 0 };

	(void)state;
	assert_misuse(init_over_nothing, NULL, "sennit_strand_init");
	assert_misuse(init_over_nothing, &none, "inner executor");
	assert_misuse(fini_with_something_queued, NULL, "queued");
	assert_misuse(fini_in_the_last_function_but_one, NULL, "queued");
	assert_misuse(use_after_fini, NULL, "executor");
}

/* --- cost ------------------------------------------------------------------------------------- */

static void a_strand_allocates_nothing(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	struct sennit_strand strand;
	struct loop loop = { .left = 1000 };
	uint64_t before;

	(void)state;
	run_dry(runtime);
	before = allocations();
	sennit_strand_init(&strand, sennit_runtime_executor(runtime));
	loop.executor = sennit_strand_executor(&strand);
	sennit_post(loop.executor, &loop.task, on_loop);
	assert_int_equal(run_dry(runtime), 1000);
	sennit_strand_fini(&strand);
	assert_int_equal(allocations(), before);
	end_runtime(runtime);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(functions_run_in_the_order_of_their_posts),
		TEST(run_one_runs_one_function_of_a_strand),
		TEST(a_strand_that_is_never_idle_lets_others_run),
		TEST(two_busy_strands_take_turns),
		TEST(stop_keeps_what_is_queued_in_a_strand_for_the_next_run),
		TEST(dispatch_to_an_idle_strand_runs_at_once_where_its_executor_runs),
		TEST(dispatch_to_a_strand_with_something_queued_lines_up),
		TEST(what_a_dispatched_function_posts_gets_a_turn),
		TEST(the_last_function_may_free_the_strand_it_runs_in),
		TEST(what_is_queued_in_strands_ends_with_shutdown),
		TEST(a_long_queue_in_a_strand_is_one_round_of_destroy),
		TEST(misuse_of_a_strand_is_reported),
		TEST(a_strand_allocates_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
