/* SPDX-License-Identifier: MIT */
/* executor.c - post and dispatch: when, where and in which order functions run. */
#include "support.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

/* --- where dispatch runs inline --------------------------------------------------------------- */

struct probe {
	struct sennit_task task;
	struct sennit_executor *executor;
	struct latch done;
	pid_t thread;
	bool on_executor;
	bool inline_there;
};

static void on_probe(struct sennit_task *task, int error)
{
	struct probe *probe = CONTAINER_OF(task, struct probe, task);

	RECORD(error == 0);
	probe->thread = gettid();
	probe->on_executor = sennit_executor_runs_here(probe->executor);
	latch_down(&probe->done);
}

/* Dispatches to the executor from wherever it is called. */
static void dispatch_here(void *argument)
{
	struct probe *probe = argument;
	bool here = sennit_executor_runs_here(probe->executor);

	probe->done.count = 1;
	probe->inline_there = false;
	if (here) {
		sennit_dispatch(probe->executor, &probe->task, on_probe);
		RECORD(probe->done.count == 0);
		RECORD(probe->thread == gettid());
		probe->inline_there = true;
	} else {
		sennit_dispatch(probe->executor, &probe->task, on_probe);
	}
}

/* Dispatches to `to` on a worker of `from` (NULL: on this thread); tells whether it ran inline. */
static bool runs_inline(struct sennit_executor *from, struct sennit_executor *to)
{
	struct probe probe = { .executor = to };

	if (from)
		call_on(from, dispatch_here, &probe);
	else
		dispatch_here(&probe);
	latch_wait(&probe.done);
	assert_true(probe.on_executor);
	assert_int_not_equal(probe.thread, gettid());
	return probe.inline_there;
}

static void dispatch_runs_inline_exactly_on_the_workers_of_its_executor(void **state)
{
	struct sennit_runtime *runtime = started_runtime(2), *other = started_runtime(1);
	struct sennit_executor *whole = sennit_runtime_executor(runtime);
	struct sennit_executor *first = sennit_runtime_worker(runtime, 0);
	struct sennit_executor *second = sennit_runtime_worker(runtime, 1);
	struct sennit_executor *elsewhere = sennit_runtime_worker(other, 0);

	(void)state;
	assert_true(runs_inline(first, first));
	assert_true(runs_inline(first, whole));
	assert_true(runs_inline(second, whole));
	assert_true(runs_inline(whole, whole));
	assert_true(runs_inline(elsewhere, sennit_runtime_executor(other)));

	assert_false(runs_inline(first, second));
	assert_false(runs_inline(second, first));
	assert_false(runs_inline(elsewhere, first));
	assert_false(runs_inline(elsewhere, whole));
	assert_false(runs_inline(first, elsewhere));
	assert_false(runs_inline(NULL, whole));
	assert_false(runs_inline(NULL, first));
	end_runtime(runtime);
	end_runtime(other);
}

static void no_executor_runs_on_a_foreign_thread(void **state)
{
	struct sennit_runtime *started = started_runtime(1), *driven = driven_runtime();

	(void)state;
	assert_false(sennit_executor_runs_here(sennit_runtime_executor(started)));
	assert_false(sennit_executor_runs_here(sennit_runtime_worker(started, 0)));
	assert_false(sennit_executor_runs_here(sennit_runtime_executor(driven)));
	assert_false(sennit_executor_runs_here(sennit_runtime_worker(driven, 0)));
	/* Having been inside leaves nothing behind. */
	assert_int_equal(sennit_runtime_run(driven), 0);
	assert_false(sennit_executor_runs_here(sennit_runtime_executor(driven)));
	end_runtime(started);
	end_runtime(driven);
}

/* --- nesting ---------------------------------------------------------------------------------- */

enum { NESTED_MAX = 16 };

struct nest {
	struct sennit_task task;
	struct sennit_executor *executors[2]; /* dispatched to by turns */
	unsigned left;
	unsigned calls;
	unsigned depth;
	unsigned deepest;
};

static void on_nest(struct sennit_task *task, int error)
{
	struct nest *nest = CONTAINER_OF(task, struct nest, task);

	RECORD(error == 0);
	nest->calls++;
	if (nest->depth > nest->deepest)
		nest->deepest = nest->depth;
	if (nest->left) {
		nest->left--;
		nest->depth++;
		sennit_dispatch(nest->executors[nest->left % 2], task, on_nest);
		nest->depth--;
	}
}

static void dispatch_nests_16_deep_and_then_posts(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	struct nest nest = { .executors = { sennit_runtime_executor(runtime),
		                            sennit_runtime_worker(runtime, 0) } };

	(void)state;
	/* Twice: what was nested is unwound by then. */
	for (int i = 0; i < 2; i++) {
		nest.left = 1000;
		nest.calls = nest.deepest = nest.depth = 0;
		sennit_post(nest.executors[0], &nest.task, on_nest);
		assert_true(run_dry(runtime) > 1000 / (NESTED_MAX + 1));
		assert_int_equal(nest.calls, 1001);
		assert_int_equal(nest.depth, 0);
		/* Below the posted one; the 17th is posted and begins anew. */
		assert_int_equal(nest.deepest, NESTED_MAX);
	}
	end_runtime(runtime);
}

/* Siblings do not nest: any number of them runs inline. */
static void on_siblings(struct sennit_task *task, int error)
{
	struct nest *nest = CONTAINER_OF(task, struct nest, task);
	struct nest sibling = { .left = 0 };

	RECORD(error == 0);
	for (unsigned i = 0; i < 100; i++) {
		sennit_dispatch(nest->executors[0], &sibling.task, on_nest);
		RECORD(sibling.calls == i + 1);
	}
	nest->calls++;
}

static void dispatches_one_after_the_other_do_not_count_as_nested(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	struct nest nest = { .executors = { sennit_runtime_executor(runtime) } };

	(void)state;
	sennit_post(nest.executors[0], &nest.task, on_siblings);
	run_dry(runtime);
	assert_int_equal(nest.calls, 1);
	end_runtime(runtime);
}

/* --- order ------------------------------------------------------------------------------------ */

/* What one thread sends to one worker's executor. */
struct train {
	struct sennit_executor *executor;
	struct wagon {
		struct sennit_task task;
		struct train *train;
		unsigned number;
	} wagons[1000];
	unsigned next;
	struct latch done;
	bool by_turns; /* dispatch every other one */
};

static void on_wagon(struct sennit_task *task, int error)
{
	struct wagon *wagon = CONTAINER_OF(task, struct wagon, task);

	RECORD(error == 0);
	RECORD(wagon->number == wagon->train->next);
	RECORD(sennit_executor_runs_here(wagon->train->executor));
	wagon->train->next++;
	latch_down(&wagon->train->done);
}

static void send_train(void *argument)
{
	struct train *train = argument;

	for (unsigned i = 0; i < COUNT_OF(train->wagons); i++) {
		struct wagon *wagon = &train->wagons[i];

		wagon->train = train;
		wagon->number = i;
		if (train->by_turns && i % 2)
			sennit_dispatch(train->executor, &wagon->task, on_wagon);
		else
			sennit_post(train->executor, &wagon->task, on_wagon);
	}
}

static struct train train;

static void send_and_check(struct stage *stage, bool by_turns)
{
	train = (struct train){ .executor = stage->owner,
		                .done = LATCH(COUNT_OF(train.wagons)),
		                .by_turns = by_turns };
	call_on_kind(stage, send_train, &train);
	latch_wait(&train.done);
	assert_int_equal(train.next, COUNT_OF(train.wagons));
}

static void posts_in_order(struct stage *stage)
{
	send_and_check(stage, false);
}

static void what_one_thread_posts_to_one_worker_runs_in_that_order(void **state)
{
	(void)state;
	on_each_kind_of_thread(posts_in_order);
}

static void posts_and_dispatches_in_order(struct stage *stage)
{
	/* On the owner dispatch runs at once, before what was posted. */
	if (stage->kind != THREAD_OWNER)
		send_and_check(stage, true);
}

static void a_dispatch_that_cannot_run_inline_keeps_its_place_among_posts(void **state)
{
	(void)state;
	on_each_kind_of_thread(posts_and_dispatches_in_order);
}

static void posts_before_run_keep_their_order(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();

	(void)state;
	train = (struct train){ .executor = sennit_runtime_worker(runtime, 0),
		                .done = LATCH(COUNT_OF(train.wagons)) };
	send_train(&train);
	assert_int_equal(train.next, 0);
	assert_int_equal(run_dry(runtime), COUNT_OF(train.wagons));
	assert_int_equal(train.next, COUNT_OF(train.wagons));
	end_runtime(runtime);
}

/* --- fairness --------------------------------------------------------------------------------- */

struct crowd;

/* Posts itself until the crowd's late one has run. */
struct member {
	struct sennit_task task;
	struct sennit_executor *executor;
	struct crowd *crowd;
};

struct crowd {
	struct member members[8];
	struct sennit_task late;
	unsigned others;
	bool over;
};

enum { OTHERS_MAX = 256 };

static void on_member(struct sennit_task *task, int error)
{
	struct member *member = CONTAINER_OF(task, struct member, task);
	struct crowd *crowd = member->crowd;

	RECORD(error == 0);
	/* It stops soon after the bound, so that a failure is no hang. */
	if (!crowd->over && ++crowd->others < 100 * OTHERS_MAX)
		sennit_post(member->executor, task, on_member);
}

static void on_late(struct sennit_task *task, int error)
{
	struct crowd *crowd = CONTAINER_OF(task, struct crowd, late);

	RECORD(error == 0);
	RECORD(crowd->others <= OTHERS_MAX);
	crowd->over = true;
}

/* Members on one executor, the late one on another: the late one waits for at most 256 others. */
static void crowd_out(struct sennit_runtime *runtime, struct sennit_executor *members,
                      struct sennit_executor *late)
{
	struct crowd crowd = { .others = 0 };

	for (unsigned i = 0; i < COUNT_OF(crowd.members); i++) {
		crowd.members[i].executor = members;
		crowd.members[i].crowd = &crowd;
		sennit_post(members, &crowd.members[i].task, on_member);
	}
	/* They go round, several turns, before the late one comes. */
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(sennit_runtime_run_one(runtime), 1);
	crowd.others = 0;
	sennit_post(late, &crowd.late, on_late);
	run_dry(runtime);
	assert_true(crowd.over);
}

static void no_function_waits_for_more_than_256_others(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	struct sennit_executor *executors[2] = { sennit_runtime_executor(runtime),
		                                 sennit_runtime_worker(runtime, 0) };

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		crowd_out(runtime, executors[i / 2], executors[i % 2]);
	end_runtime(runtime);
}

/* As crowd_out, but what comes late is an event of a descriptor. */
struct starved {
	struct crowd crowd;
	struct sennit_op op;
	char byte;
};

static void on_starved_read(struct sennit_op *op, int error, size_t bytes)
{
	struct starved *starved = CONTAINER_OF(op, struct starved, op);

	RECORD(error == 0);
	RECORD(bytes == 1);
	RECORD(starved->crowd.others <= OTHERS_MAX);
	starved->crowd.over = true;
}

static void functions_that_post_themselves_do_not_starve_a_descriptor(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	struct sennit_descriptor first = { 0 }, second = { 0 };
	struct starved starved = { .byte = 0 };

	(void)state;
	assert_int_equal(sennit_descriptor_pair(&first, &second, sennit_runtime_executor(runtime)),
	                 0);
	sennit_async_read_some(&first.stream, &starved.byte, 1, &starved.op, on_starved_read);
	for (unsigned i = 0; i < COUNT_OF(starved.crowd.members); i++) {
		starved.crowd.members[i].executor = sennit_runtime_worker(runtime, 0);
		starved.crowd.members[i].crowd = &starved.crowd;
		sennit_post(starved.crowd.members[i].executor, &starved.crowd.members[i].task,
		            on_member);
	}
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(sennit_runtime_run_one(runtime), 1);
	starved.crowd.others = 0;
	assert_int_equal(write(sennit_descriptor_native_handle(&second), "x", 1), 1);
	run_dry(runtime);
	assert_true(starved.crowd.over);
	sennit_close(&first.stream);
	sennit_close(&second.stream);
	end_runtime(runtime);
}

/* --- memory ----------------------------------------------------------------------------------- */

struct heap_task {
	struct sennit_task task;
	struct latch *done;
	unsigned payload; /* plain: post alone orders it */
};

static void on_heap_task(struct sennit_task *task, int error)
{
	struct heap_task *heap = CONTAINER_OF(task, struct heap_task, task);
	struct latch *done = heap->done;

	RECORD(error == 0);
	RECORD(heap->payload == 4711);
	free(heap);
	latch_down(done);
}

static void free_in_function(struct stage *stage)
{
	struct sennit_executor *executors[] = { stage->owner, stage->other,
		                                sennit_runtime_executor(stage->runtime) };
	struct latch done = LATCH(300);

	for (unsigned i = 0; i < 300; i++) {
		struct heap_task *heap = calloc(1, sizeof *heap);

		assert_non_null(heap);
		heap->done = &done;
		heap->payload = 4711;
		sennit_post(executors[i % 3], &heap->task, on_heap_task);
	}
	latch_wait(&done);
}

static void a_task_may_be_freed_in_its_function(void **state)
{
	(void)state;
	on_each_kind_of_thread(free_in_function);
}

/* Plain numbers that are handed from thread to thread by posts alone. */
struct token {
	struct sennit_task task;
	struct sennit_executor *executors[3];
	struct latch done;
	unsigned hops;
	unsigned check;
};

static void on_token(struct sennit_task *task, int error)
{
	struct token *token = CONTAINER_OF(task, struct token, task);

	RECORD(error == 0);
	RECORD(token->check == 7 * token->hops);
	token->hops++;
	token->check += 7;
	if (token->hops < 3000)
		sennit_post(token->executors[token->hops % 3], task, on_token);
	else
		latch_down(&token->done);
}

static void what_was_written_before_a_post_is_seen_by_its_function(void **state)
{
	struct sennit_runtime *runtime = started_runtime(3);
	struct token token = { .done = LATCH(1) };

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		token.executors[i] = sennit_runtime_worker(runtime, i);
	sennit_post(token.executors[0], &token.task, on_token);
	latch_wait(&token.done);
	assert_int_equal(token.check, 7 * 3000);
	end_runtime(runtime);
}

static void on_nothing(struct sennit_task *task, int error)
{
	(void)task;
	RECORD(error == 0);
}

struct repost {
	struct sennit_task task;
	struct sennit_runtime *runtime;
	unsigned left;
};

static void on_repost(struct sennit_task *task, int error)
{
	struct repost *repost = CONTAINER_OF(task, struct repost, task);
	struct sennit_task dispatched = { 0 };

	RECORD(error == 0);
	sennit_dispatch(sennit_runtime_executor(repost->runtime), &dispatched, on_nothing);
	if (repost->left--)
		sennit_post(repost->left % 2 ? sennit_runtime_executor(repost->runtime)
		                             : sennit_runtime_worker(repost->runtime, 0),
		            task, on_repost);
}

static void post_and_dispatch_allocate_nothing(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	struct repost repost = { .runtime = runtime, .left = 1000 };
	static struct sennit_task tasks[1000];
	uint64_t before;

	(void)state;
	sennit_post(sennit_runtime_executor(runtime), &tasks[0], on_nothing);
	assert_int_equal(run_dry(runtime), 1);
	before = allocations();
	for (unsigned i = 0; i < COUNT_OF(tasks); i++)
		sennit_post(i % 2 ? sennit_runtime_executor(runtime)
		                  : sennit_runtime_worker(runtime, 0),
		            &tasks[i], on_nothing);
	sennit_post(sennit_runtime_executor(runtime), &repost.task, on_repost);
	assert_true(sennit_runtime_run(runtime) >= (int64_t)COUNT_OF(tasks) + 1001);
	assert_int_equal(allocations(), before);
	end_runtime(runtime);
}

static void the_sizes_that_are_promised(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct sennit_op), 160);
	assert_true(sizeof(struct sennit_object) <= 32);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(dispatch_runs_inline_exactly_on_the_workers_of_its_executor),
		TEST(no_executor_runs_on_a_foreign_thread),
		TEST(dispatch_nests_16_deep_and_then_posts),
		TEST(dispatches_one_after_the_other_do_not_count_as_nested),
		TEST(what_one_thread_posts_to_one_worker_runs_in_that_order),
		TEST(a_dispatch_that_cannot_run_inline_keeps_its_place_among_posts),
		TEST(posts_before_run_keep_their_order),
		TEST(no_function_waits_for_more_than_256_others),
		TEST(functions_that_post_themselves_do_not_starve_a_descriptor),
		TEST(a_task_may_be_freed_in_its_function),
		TEST(what_was_written_before_a_post_is_seen_by_its_function),
		TEST(post_and_dispatch_allocate_nothing),
		TEST(the_sizes_that_are_promised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
