/* SPDX-License-Identifier: MIT */
/* strands.c - the cases and rules about strands, on each kind of thread.
 *
 * Each test begins with the number of its case, or of the rule where there is no case.
 */
#include "io_support.h"

#include <errno.h>
#include <sennit/error.h>
#include <stdlib.h>
#include <sys/socket.h>

/* What the functions of one strand share: plain memory, so that two at once are a race. */
struct cell {
	struct sennit_strand strand;
	struct latch done;
	bool inside;
	unsigned ran;
};

struct visit {
	struct sennit_task task;
	struct cell *cell;
	unsigned number;
};

static void enter(struct cell *cell)
{
	RECORD(!cell->inside);
	cell->inside = true;
	RECORD(sennit_executor_runs_here(sennit_strand_executor(&cell->strand)));
}

static void leave(struct cell *cell)
{
	cell->inside = false;
	cell->ran++;
}

static void on_visit(struct sennit_task *task, int error)
{
	struct visit *visit = CONTAINER_OF(task, struct visit, task);
	struct cell *cell = visit->cell;

	RECORD(error == 0);
	enter(cell);
	RECORD(visit->number == cell->ran);
	leave(cell);
	latch_down(&cell->done);
}

/* --- C1, C2: one at a time, in order ---------------------------------------------------------- */

enum { VISITS = 2000 };

struct tour {
	struct cell cell;
	struct visit visits[VISITS];
	bool by_turns; /* dispatch every other one */
};

static void go_round(void *argument)
{
	struct tour *tour = argument;
	struct sennit_executor *executor = sennit_strand_executor(&tour->cell.strand);

	for (unsigned i = 0; i < VISITS; i++) {
		tour->visits[i].cell = &tour->cell;
		tour->visits[i].number = i;
		if (tour->by_turns && i % 2)
			sennit_dispatch(executor, &tour->visits[i].task, on_visit);
		else
			sennit_post(executor, &tour->visits[i].task, on_visit);
	}
}

static void tour_on(struct stage *stage, struct sennit_executor *inner, bool by_turns)
{
	struct tour *tour = zeroed(sizeof *tour);

	tour->cell.done = (struct latch)LATCH(VISITS);
	tour->by_turns = by_turns;
	sennit_strand_init(&tour->cell.strand, inner);
	call_on_kind(stage, go_round, tour);
	latch_wait(&tour->cell.done);
	sennit_runtime_join(stage->runtime);
	assert_int_equal(tour->cell.ran, VISITS);
	sennit_strand_fini(&tour->cell.strand);
	free(tour);
}

SCENARIO(C032_what_one_thread_posts_to_a_strand_runs_in_order_and_one_at_a_time)
{
	tour_on(stage, sennit_runtime_executor(stage->runtime), false);
}

SCENARIO(C032_the_same_over_a_worker)
{
	tour_on(stage, stage->owner, false);
}

/* C2: post then dispatch, dispatch then post, from outside the strand: behind what is queued. */
SCENARIO(C2_posts_and_dispatches_of_one_thread_keep_their_order)
{
	tour_on(stage, stage->owner, true);
}

/* --- C026, C027: dispatch --------------------------------------------------------------------- */

struct nest {
	struct sennit_task task;
	struct sennit_task first;
	struct sennit_task second;
	struct cell cell;
	struct sennit_strand other; /* nested in between */
	struct sennit_task between;
	unsigned depth;
};

static bool in_strand(struct nest *nest)
{
	return sennit_executor_runs_here(sennit_strand_executor(&nest->cell.strand));
}

static void on_second(struct sennit_task *task, int error)
{
	struct nest *nest = CONTAINER_OF(task, struct nest, second);

	RECORD(error == 0 && in_strand(nest));
	nest->depth++;
}

static void on_between(struct sennit_task *task, int error)
{
	struct nest *nest = CONTAINER_OF(task, struct nest, between);

	RECORD(error == 0 && in_strand(nest));
	RECORD(sennit_executor_runs_here(sennit_strand_executor(&nest->other)));
	sennit_dispatch(sennit_strand_executor(&nest->cell.strand), &nest->second, on_second);
	RECORD(nest->depth == 2);
	nest->depth++;
}

static void on_first(struct sennit_task *task, int error)
{
	struct nest *nest = CONTAINER_OF(task, struct nest, first);

	RECORD(error == 0);
	enter(&nest->cell);
	sennit_dispatch(sennit_strand_executor(&nest->cell.strand), &nest->second, on_second);
	RECORD(nest->depth == 1);
	sennit_dispatch(sennit_strand_executor(&nest->other), &nest->between, on_between);
	RECORD(nest->depth == 3);
	RECORD(!sennit_executor_runs_here(sennit_strand_executor(&nest->other)));
	leave(&nest->cell);
}

static void on_outside(struct sennit_task *task, int error)
{
	struct nest *nest = CONTAINER_OF(task, struct nest, task);

	RECORD(error == 0 && !in_strand(nest));
	sennit_dispatch(sennit_strand_executor(&nest->cell.strand), &nest->first, on_first);
	RECORD(nest->cell.ran == 1 && !in_strand(nest));
}

static void nest_on(struct sennit_runtime *runtime, struct sennit_executor *inner)
{
	struct nest nest = { .depth = 0 };

	sennit_strand_init(&nest.cell.strand, inner);
	sennit_strand_init(&nest.other, inner);
	assert_false(in_strand(&nest));
	sennit_post(inner, &nest.task, on_outside);
	assert_int_equal(run_dry(runtime), 1);
	assert_int_equal(nest.cell.ran, 1);
	assert_int_equal(nest.depth, 3);
	sennit_strand_fini(&nest.cell.strand);
	sennit_strand_fini(&nest.other);
}

static void C026_dispatch_to_an_idle_strand_nests_and_the_strand_runs_here_inside_only(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();

	(void)state;
	nest_on(runtime, sennit_runtime_executor(runtime));
	nest_on(runtime, sennit_runtime_worker(runtime, 0));
	end_runtime(runtime);
}

/* In a function of the strand, posted to it. */
static void on_inside(struct sennit_task *task, int error)
{
	on_first(&CONTAINER_OF(task, struct nest, task)->first, error);
}

static void C027_dispatch_inside_a_strand_nests_at_once(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	struct nest nest = { .depth = 0 };

	(void)state;
	sennit_strand_init(&nest.cell.strand, sennit_runtime_executor(runtime));
	sennit_strand_init(&nest.other, sennit_runtime_executor(runtime));
	sennit_post(sennit_strand_executor(&nest.cell.strand), &nest.task, on_inside);
	assert_int_equal(run_dry(runtime), 1);
	assert_int_equal(nest.cell.ran, 1);
	assert_int_equal(nest.depth, 3);
	sennit_strand_fini(&nest.cell.strand);
	sennit_strand_fini(&nest.other);
	end_runtime(runtime);
}

/* S19 */
struct deep {
	struct sennit_task task;
	struct sennit_executor *strands[2]; /* dispatched to by turns */
	unsigned left;
	unsigned depth;
	unsigned deepest;
};

static void on_deep(struct sennit_task *task, int error)
{
	struct deep *deep = CONTAINER_OF(task, struct deep, task);

	RECORD(error == 0);
	if (deep->depth > deep->deepest)
		deep->deepest = deep->depth;
	if (!deep->left)
		return;
	deep->left--;
	deep->depth++;
	sennit_dispatch(deep->strands[deep->left % 2], task, on_deep);
	deep->depth--;
}

static void S19_dispatch_in_strands_nests_16_deep_and_then_posts(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	struct sennit_strand strands[2];
	struct deep deep = { .left = 1000 };

	(void)state;
	for (int i = 0; i < 2; i++) {
		sennit_strand_init(&strands[i], sennit_runtime_worker(runtime, 0));
		deep.strands[i] = sennit_strand_executor(&strands[i]);
	}
	sennit_post(deep.strands[0], &deep.task, on_deep);
	assert_int_equal(run_dry(runtime), 1 + 1000 / 17);
	assert_int_equal(deep.deepest, 16);
	assert_int_equal(deep.left, 0);
	sennit_strand_fini(&strands[0]);
	sennit_strand_fini(&strands[1]);
	end_runtime(runtime);
}

/* C4: a strand that is busy on another worker is not waited for. */
struct busy {
	struct cell cell;
	struct hold hold;
	struct visit visit;
	bool ran_inside; /* the dispatch */
};

static void dispatch_to_busy(void *argument)
{
	struct busy *busy = argument;

	busy->visit.cell = &busy->cell;
	sennit_dispatch(sennit_strand_executor(&busy->cell.strand), &busy->visit.task, on_visit);
	busy->ran_inside = busy->cell.ran;
}

SCENARIO(C4_dispatch_to_a_strand_that_is_busy_elsewhere_does_not_wait)
{
	struct busy busy = { .ran_inside = false };

	if (stage->kind == THREAD_OWNER) /* the one that is held */
		return;
	busy.cell.done = (struct latch)LATCH(1);
	sennit_strand_init(&busy.cell.strand, stage->owner);
	hold_worker(&busy.hold, sennit_strand_executor(&busy.cell.strand));
	call_on_kind(stage, dispatch_to_busy, &busy);
	assert_false(busy.ran_inside);
	let_go(&busy.hold);
	latch_wait(&busy.cell.done);
	sennit_runtime_join(stage->runtime);
	sennit_strand_fini(&busy.cell.strand);
}

/* --- C5: post never nests --------------------------------------------------------------------- */

struct posting {
	struct sennit_task task;
	struct visit visit;
	struct cell cell;
};

static void on_posting(struct sennit_task *task, int error)
{
	struct posting *posting = CONTAINER_OF(task, struct posting, task);

	RECORD(error == 0);
	enter(&posting->cell);
	posting->visit.cell = &posting->cell;
	posting->visit.number = 1;
	sennit_post(sennit_strand_executor(&posting->cell.strand), &posting->visit.task, on_visit);
	leave(&posting->cell);
	latch_down(&posting->cell.done);
}

static void start_posting(void *argument)
{
	struct posting *posting = argument;

	sennit_post(sennit_strand_executor(&posting->cell.strand), &posting->task, on_posting);
}

SCENARIO(C5_post_never_runs_the_function_inside)
{
	struct posting posting = { .cell.done = LATCH(2) };

	sennit_strand_init(&posting.cell.strand, sennit_runtime_executor(stage->runtime));
	call_on_kind(stage, start_posting, &posting);
	latch_wait(&posting.cell.done);
	sennit_runtime_join(stage->runtime);
	sennit_strand_fini(&posting.cell.strand);
}

/* --- C6: what a strand's batch is ------------------------------------------------------------- */

/* IMPL in Asio, and otherwise here: a turn takes what there is when it runs. */
static void C6_a_turn_takes_what_is_queued_when_it_begins(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	struct sennit_executor *worker = sennit_runtime_worker(runtime, 0);
	struct visit visits[3] = { 0 }, between = { 0 };
	struct cell cell = { .done = LATCH(3) }, other = { .done = LATCH(1) };

	(void)state;
	sennit_strand_init(&cell.strand, worker);
	sennit_strand_init(&other.strand, worker);
	for (unsigned i = 0; i < 3; i++) {
		visits[i] = (struct visit){ .cell = &cell, .number = i };
		sennit_post(sennit_strand_executor(&cell.strand), &visits[i].task, on_visit);
		if (i)
			continue;
		between.cell = &other;
		sennit_post(sennit_strand_executor(&other.strand), &between.task, on_visit);
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(sennit_runtime_run_one(runtime), 1);
	assert_int_equal(cell.ran + other.ran, 3); /* run_one's budget is one: they took turns */
	assert_int_equal(other.ran, 1);
	assert_int_equal(run_dry(runtime), 1);
	sennit_strand_fini(&cell.strand);
	sennit_strand_fini(&other.strand);
	end_runtime(runtime);
}

/* --- C028: sleepers --------------------------------------------------------------------------- */

struct sleeper {
	struct sennit_task task;
	struct cell *cell;
	struct latch held;
	struct latch release;
};

static void on_sleeper(struct sennit_task *task, int error)
{
	struct sleeper *sleeper = CONTAINER_OF(task, struct sleeper, task);

	RECORD(error == 0);
	enter(sleeper->cell);
	latch_down(&sleeper->held);
	latch_wait(&sleeper->release);
	leave(sleeper->cell);
	latch_down(&sleeper->cell->done);
}

/* Three that each hold the strand until told: with two workers never two of them at once. */
static void C028_functions_that_take_long_run_one_after_the_other(void **state)
{
	struct sennit_runtime *runtime = started_runtime(2);
	struct sleeper sleepers[3];
	struct cell cell = { .done = LATCH(3) };

	(void)state;
	sennit_strand_init(&cell.strand, sennit_runtime_executor(runtime));
	for (int i = 0; i < 3; i++) {
		sleepers[i] = (struct sleeper){ .cell = &cell,
		                                .held = LATCH(1),
		                                .release = LATCH(1) };
		sennit_post(sennit_strand_executor(&cell.strand), &sleepers[i].task, on_sleeper);
	}
	for (unsigned i = 0; i < 3; i++) {
		latch_wait(&sleepers[i].held);
		assert_int_equal(cell.ran, i);
		for (unsigned k = i + 1; k < 3; k++)
			assert_int_equal(sleepers[k].held.count, 1);
		latch_down(&sleepers[i].release);
	}
	latch_wait(&cell.done);
	end_runtime(runtime);
	sennit_strand_fini(&cell.strand);
}

/* --- C030, S8: destroy ------------------------------------------------------------------------ */

static void on_shutdown(struct sennit_task *task, int error)
{
	struct visit *visit = CONTAINER_OF(task, struct visit, task);

	RECORD(error == SENNIT_SHUTDOWN);
	enter(visit->cell);
	RECORD(visit->number == visit->cell->ran);
	leave(visit->cell);
}

/* Asio destroys them uninvoked; here each is told. */
static void C030_what_is_queued_in_a_strand_when_the_runtime_is_destroyed_is_told(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	struct visit visits[3] = { 0 };
	struct cell cell = { .ran = 0 };

	(void)state;
	sennit_strand_init(&cell.strand, sennit_runtime_executor(runtime));
	for (unsigned i = 0; i < 3; i++) {
		visits[i] = (struct visit){ .cell = &cell, .number = i };
		sennit_post(sennit_strand_executor(&cell.strand), &visits[i].task, on_shutdown);
	}
	end_runtime(runtime);
	assert_int_equal(cell.ran, 3);
}

/* --- C034, C3, C11: operations ---------------------------------------------------------------- */

/* A handler that checks where it runs, and that it is alone there. */
struct read {
	struct sennit_op op;
	struct cell *cell;
	int error;
	size_t bytes;
	char data[8];
};

static void on_read(struct sennit_op *op, int error, size_t bytes)
{
	struct read *read = CONTAINER_OF(op, struct read, op);

	enter(read->cell);
	read->error = error;
	read->bytes = bytes;
	leave(read->cell);
	latch_down(&read->cell->done);
}

struct reading {
	struct sennit_descriptor descriptor;
	struct read reads[2];
	struct cell cell;
	bool bound; /* to the strand; else the object was opened with it */
};

static void start_reading(void *argument)
{
	struct reading *r = argument;

	for (int i = 0; i < 2; i++) {
		r->reads[i].cell = &r->cell;
		if (r->bound)
			sennit_op_bind_executor(&r->reads[i].op,
			                        sennit_strand_executor(&r->cell.strand));
		sennit_async_read(&r->descriptor.stream, r->reads[i].data, 4, &r->reads[i].op,
		                  on_read);
	}
}

static void close_reading(void *argument)
{
	struct reading *r = argument;

	sennit_close(&r->descriptor.stream);
}

/* What the object is opened with, on the owner. */
static void adopt_with(struct stage *stage, struct sennit_descriptor *descriptor, int fd,
                       struct sennit_executor *executor)
{
	struct stage with = *stage;

	with.owner = executor;
	adopt(&with, descriptor, fd);
}

static void read_in_strand(struct stage *stage, struct sennit_executor *inner, bool bound)
{
	struct reading r = { .cell.done = LATCH(2), .bound = bound };
	int fds[2];

	sennit_strand_init(&r.cell.strand, inner);
	raw_local_pair(SOCK_STREAM, fds);
	adopt_with(stage, &r.descriptor, fds[0],
	           bound ? stage->owner : sennit_strand_executor(&r.cell.strand));
	call_on_kind(stage, start_reading, &r);
	raw_write(fds[1], "12345678", 8);
	latch_wait(&r.cell.done);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(r.reads[i].error, 0);
		assert_int_equal(r.reads[i].bytes, 4);
		assert_memory_equal(r.reads[i].data, i ? "5678" : "1234", 4);
	}
	/* And what a close ends. */
	r.cell.done = (struct latch)LATCH(2);
	call_on_kind(stage, start_reading, &r);
	call_on_kind(stage, close_reading, &r);
	latch_wait(&r.cell.done);
	assert_int_equal(r.reads[0].error, -ECANCELED);
	assert_int_equal(r.cell.ran, 4);
	sennit_runtime_join(stage->runtime);
	sennit_strand_fini(&r.cell.strand);
	raw_close(fds[1]);
}

SCENARIO(C034_handlers_of_an_object_opened_with_a_strand_run_inside_it)
{
	read_in_strand(stage, sennit_runtime_executor(stage->runtime), false);
}

SCENARIO(C034_the_same_with_a_strand_over_a_worker)
{
	read_in_strand(stage, stage->owner, false);
}

SCENARIO(C11_handlers_of_operations_bound_to_a_strand_run_inside_it)
{
	read_in_strand(stage, sennit_runtime_executor(stage->runtime), true);
}

SCENARIO(C11_the_same_with_a_strand_over_another_worker)
{
	read_in_strand(stage, stage->other, true);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(C032_what_one_thread_posts_to_a_strand_runs_in_order_and_one_at_a_time),
		TEST(C032_the_same_over_a_worker),
		TEST(C2_posts_and_dispatches_of_one_thread_keep_their_order),
		TEST(C026_dispatch_to_an_idle_strand_nests_and_the_strand_runs_here_inside_only),
		TEST(C027_dispatch_inside_a_strand_nests_at_once),
		TEST(S19_dispatch_in_strands_nests_16_deep_and_then_posts),
		TEST(C4_dispatch_to_a_strand_that_is_busy_elsewhere_does_not_wait),
		TEST(C5_post_never_runs_the_function_inside),
		TEST(C6_a_turn_takes_what_is_queued_when_it_begins),
		TEST(C028_functions_that_take_long_run_one_after_the_other),
		TEST(C030_what_is_queued_in_a_strand_when_the_runtime_is_destroyed_is_told),
		TEST(C034_handlers_of_an_object_opened_with_a_strand_run_inside_it),
		TEST(C034_the_same_with_a_strand_over_a_worker),
		TEST(C11_handlers_of_operations_bound_to_a_strand_run_inside_it),
		TEST(C11_the_same_with_a_strand_over_another_worker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
