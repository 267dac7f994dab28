/* SPDX-License-Identifier: MIT */
/* steal.c - tasks that are stolen: each is had once, by one thread, which sees what it holds; of a
 * deque by itself, and of whole runtimes, whose workers post in trees, to strands too, while others
 * post from outside and the threads of a driven one come and go.
 */
#include "support.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "runtime/queue/deque.h"

enum { THIEVES_MAX = 7, ITEMS = 4096, CHAIN = 64 };

/* --- the deque by itself ---------------------------------------------------------------------- */

struct item {
	struct sennit_task task;
	uint64_t pushed, taken; /* plain: how often; what takes and gives back orders them */
	atomic_bool free;       /* the owner may push it */
};

struct heap {
	struct sennit__deque deque;
	struct item items[ITEMS];
	uint64_t wanted; /* tasks that are to be stolen */
	atomic_uint_fast64_t stolen;
	unsigned thieves;
};

static void had(struct sennit_task *task)
{
	struct item *item = CONTAINER_OF(task, struct item, task);

	item->taken++;
	RECORD(item->taken == item->pushed);
	RECORD(!atomic_exchange_explicit(&item->free, true, memory_order_release));
}

static uint64_t had_all(struct sennit_task *chain)
{
	uint64_t count = 0;

	while (chain) {
		struct sennit_task *next = chain->next_;

		had(chain);
		chain = next;
		count++;
	}
	return count;
}

static void *be_thief(void *argument)
{
	struct heap *heap = argument;

	while (atomic_load_explicit(&heap->stolen, memory_order_relaxed) < heap->wanted) {
		struct sennit_task *tasks[SENNIT__STEAL_MAX];
		uint64_t count = sennit__deque_steal(&heap->deque, tasks);

		for (uint64_t i = 0; i < count; i++)
			had(tasks[i]);
		if (!count)
			count = had_all(sennit__deque_take_rest(&heap->deque));
		if (count)
			atomic_fetch_add_explicit(&heap->stolen, count, memory_order_relaxed);
		else
			sched_yield();
	}
	return NULL;
}

/* The next item that nobody has, or NULL. */
static struct sennit_task *pick(struct heap *heap, unsigned *next)
{
	struct item *item = &heap->items[*next % ITEMS];

	if (!atomic_load_explicit(&item->free, memory_order_acquire))
		return NULL;
	atomic_store_explicit(&item->free, false, memory_order_relaxed);
	item->pushed++;
	++*next;
	return &item->task;
}

/* Takes the rest, keeps all but the first; or makes a new one where there is none. */
static void turn_rest(struct heap *heap, unsigned *next)
{
	struct sennit_task *rest = sennit__deque_take_rest(&heap->deque);
	struct sennit_task *chain = NULL;

	if (rest) {
		chain = rest->next_;
		had(rest);
	} else {
		for (unsigned i = 0; i < CHAIN; i++) {
			struct sennit_task *task = pick(heap, next);

			if (!task)
				break;
			task->next_ = chain;
			chain = task;
		}
	}
	sennit__deque_keep_rest(&heap->deque, chain);
}

/* Pushes what it can, now and then takes one itself, yields where everything is taken. */
static void be_owner(struct heap *heap)
{
	unsigned next = 0;

	for (uint64_t i = 0; atomic_load(&heap->stolen) < heap->wanted; i++) {
		struct sennit_task *task = pick(heap, &next);

		if (task && !sennit__deque_push(&heap->deque, task))
			had(task);
		if (i % 3 == 0 && (task = sennit__deque_take(&heap->deque)))
			had(task);
		if (i % 97 == 0)
			turn_rest(heap, &next);
		if (i % 1024 == 0) {
			sched_yield();
			progress();
		}
	}
}

static void steal_from_one(unsigned thieves, uint64_t wanted)
{
	struct heap *heap = aligned_alloc(64, sizeof *heap);
	pthread_t threads[THIEVES_MAX];
	struct sennit_task *task;

	assert_non_null(heap);
	sennit__deque_init(&heap->deque);
	for (unsigned i = 0; i < ITEMS; i++) {
		heap->items[i].pushed = heap->items[i].taken = 0;
		atomic_init(&heap->items[i].free, true);
	}
	atomic_init(&heap->stolen, 0);
	heap->wanted = wanted;
	for (unsigned i = 0; i < thieves; i++)
		threads[i] = spawn(be_thief, heap);
	be_owner(heap);
	for (unsigned i = 0; i < thieves; i++)
		join(threads[i]);
	while ((task = sennit__deque_take(&heap->deque)))
		had(task);
	had_all(sennit__deque_take_rest(&heap->deque));
	assert_true(sennit__deque_vacant(&heap->deque));
	for (unsigned i = 0; i < ITEMS; i++)
		assert_int_equal(heap->items[i].pushed, heap->items[i].taken);
	free(heap);
}

static void each_task_is_taken_once_by_the_owner_or_a_thief(void **state)
{
	(void)state;
	steal_from_one(1, 250000 * scale());
	steal_from_one(2, 250000 * scale());
	steal_from_one(7, 500000 * scale());
}

static void the_same_where_all_share_one_cpu(void **state)
{
	cpu_set_t saved;

	(void)state;
	take_one_cpu(&saved);
	steal_from_one(3, 250000 * scale());
	give_back_cpus(&saved);
}

/* --- whole runtimes --------------------------------------------------------------------------- */

enum { WORKERS = 4, FOREIGNERS = 2, STRANDS = 3, NODES = 31, EARLY_NODES = 15 };

/* A node of a binary tree, which posts its children: 2n + 1 and 2n + 2 of its tree. */
struct node {
	struct sennit_task task;
	struct forest *forest;
	unsigned ran; /* plain: each once */
};

/* Functions of one strand, among those of all workers: what it counts is its own. */
struct grove {
	struct sennit_strand strand;
	uint64_t ran; /* plain */
};

struct forest {
	struct sennit_runtime *runtime;
	struct node *nodes;
	uint64_t count; /* of nodes */
	struct grove groves[STRANDS];
	atomic_uint_fast64_t planted; /* trees */
	atomic_uint_fast64_t left;    /* nodes that have not run */
	bool driven;                  /* the last one stops the runtime */
	int stop[2];                  /* and ends this pipe: another thread may have entered the
	                                 worker whose descriptor a loop waits for */
};

static void on_node(struct sennit_task *task, int error);

/* Every third node of a tree belongs to a strand. */
static struct grove *grove_of(struct forest *forest, uint64_t number)
{
	return number % 3 == 0 ? &forest->groves[number / 3 % STRANDS] : NULL;
}

static void post_node(struct forest *forest, uint64_t number)
{
	struct grove *grove = grove_of(forest, number);

	sennit_post(grove ? sennit_strand_executor(&grove->strand)
			  : sennit_runtime_executor(forest->runtime),
		    &forest->nodes[number].task, on_node);
}

static void on_node(struct sennit_task *task, int error)
{
	struct node *node = CONTAINER_OF(task, struct node, task);
	struct forest *forest = node->forest;
	uint64_t number = (uint64_t)(node - forest->nodes);
	uint64_t root = number / NODES * NODES;
	struct grove *grove = grove_of(forest, number);

	RECORD(error == 0);
	node->ran++;
	if (grove)
		grove->ran++;
	if (number - root < EARLY_NODES)
		for (unsigned i = 1; i <= 2; i++)
			post_node(forest, root + 2 * (number - root) + i);
	if (atomic_fetch_sub(&forest->left, 1) == 1 && forest->driven) {
		sennit_runtime_stop(forest->runtime);
		RECORD(!close(forest->stop[1]));
	}
}

/* A foreign thread: posts roots until there are none. */
static void *plant(void *argument)
{
	struct forest *forest = argument;
	uint64_t tree;

	while ((tree = atomic_fetch_add(&forest->planted, 1)) < forest->count / NODES) {
		post_node(forest, tree * NODES);
		if (tree % 16 == 0) /* now and then they are asleep */
			sched_yield();
		progress();
	}
	return NULL;
}

static void forest_init(struct forest *forest, struct sennit_runtime *runtime, uint64_t trees)
{
	*forest = (struct forest){ .runtime = runtime, .count = trees * NODES };
	forest->nodes = calloc(forest->count, sizeof *forest->nodes);
	assert_non_null(forest->nodes);
	for (uint64_t i = 0; i < forest->count; i++)
		forest->nodes[i].forest = forest;
	for (unsigned i = 0; i < STRANDS; i++)
		sennit_strand_init(&forest->groves[i].strand, sennit_runtime_executor(runtime));
	atomic_init(&forest->planted, 0);
	atomic_init(&forest->left, forest->count);
}

/* Nobody is inside any more: each ran once, and the runtime's own counters say so. */
static void forest_check(struct forest *forest)
{
	uint64_t handlers = 0;

	recorded();
	assert_int_equal(atomic_load(&forest->left), 0);
	for (uint64_t i = 0; i < forest->count; i++) {
		struct grove *grove = grove_of(forest, i);

		assert_int_equal(forest->nodes[i].ran, 1);
		if (grove)
			grove->ran--;
	}
	for (unsigned i = 0; i < STRANDS; i++) {
		assert_int_equal(forest->groves[i].ran, 0);
		sennit_strand_fini(&forest->groves[i].strand);
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		struct sennit_counters counters;
		uint64_t won = 0;

		sennit_runtime_counters(forest->runtime, i, &counters);
		for (unsigned d = 0; d < SENNIT_DISTANCES; d++)
			won += counters.steals_won[d];
		assert_true(won <= counters.steals_tried);
		handlers += counters.handlers;
	}
	assert_int_equal(handlers, forest->count);
	free(forest->nodes);
}

static void grow_started(uint64_t trees)
{
	struct forest forest;
	pthread_t threads[FOREIGNERS];

	forest_init(&forest, started_runtime(WORKERS), trees);
	for (unsigned i = 0; i < FOREIGNERS; i++)
		threads[i] = spawn(plant, &forest);
	for (unsigned i = 0; i < FOREIGNERS; i++)
		join(threads[i]);
	assert_int_equal(sennit_runtime_join(forest.runtime), 0);
	forest_check(&forest);
	end_runtime(forest.runtime);
}

static void trees_of_posts_run_once_on_workers_that_steal(void **state)
{
	cpu_set_t saved;

	(void)state;
	for (unsigned round = 0; round < 5 * scale(); round++)
		grow_started(2000);
	take_one_cpu(&saved);
	for (unsigned round = 0; round < 5 * scale(); round++)
		grow_started(500);
	give_back_cpus(&saved);
}

/* Comes and goes, each time in another run form, until the last node has stopped the runtime. */
static void *come_and_go(void *argument)
{
	struct forest *forest = argument;

	for (unsigned turn = 0; !sennit_runtime_stopped(forest->runtime); turn++) {
		int64_t ran;

		switch (turn % 4) {
		case 0: ran = sennit_runtime_run_one(forest->runtime); break;
		case 1: ran = sennit_runtime_poll(forest->runtime); break;
		case 2: ran = sennit_runtime_run_for(forest->runtime, 1000); break;
		default: ran = sennit_runtime_prepare(forest->runtime); break;
		}
		RECORD(ran >= -1);
	}
	return NULL;
}

/* As a loop of the program's own does. */
static void *embed(void *argument)
{
	struct forest *forest = argument;

	while (!sennit_runtime_stopped(forest->runtime)) {
		int64_t idle_ns = sennit_runtime_prepare(forest->runtime);
		struct pollfd query[2] = { { .events = POLLIN }, { .fd = forest->stop[0] } };

		RECORD(idle_ns >= -1);
		query[0].fd = sennit_runtime_fd(forest->runtime); /* where it was inside last */
		if (idle_ns == -1)
			poll(query, 2, -1);
	}
	return NULL;
}

static void *run_all(void *argument)
{
	struct forest *forest = argument;

	RECORD(sennit_runtime_run(forest->runtime) >= 0);
	return NULL;
}

static void grow_driven(uint64_t trees)
{
	struct sennit_runtime_options options = { .size = sizeof options, .workers = WORKERS };
	void *(*const parts[])(void *) = { come_and_go, come_and_go, embed, run_all };
	pthread_t threads[COUNT_OF(parts) + FOREIGNERS];
	struct sennit_runtime *runtime;
	struct forest forest;

	assert_int_equal(sennit_runtime_create(&options, &runtime), 0);
	watch_runtime(runtime);
	forest_init(&forest, runtime, trees);
	forest.driven = true;
	assert_int_equal(pipe(forest.stop), 0);
	sennit_runtime_guard_get(runtime);
	for (unsigned i = 0; i < COUNT_OF(threads); i++)
		threads[i] = spawn(i < COUNT_OF(parts) ? parts[i] : plant, &forest);
	for (unsigned i = 0; i < COUNT_OF(threads); i++)
		join(threads[i]);
	assert_int_equal(close(forest.stop[0]), 0);
	sennit_runtime_restart(runtime);
	sennit_runtime_guard_put(runtime);
	assert_int_equal(sennit_runtime_run(runtime), 0); /* the end is found, by one alone */
	forest_check(&forest);
	forget_runtime(runtime);
	assert_int_equal(sennit_runtime_destroy(runtime), 0);
}

static void trees_of_posts_run_once_on_threads_that_come_and_go(void **state)
{
	cpu_set_t saved;

	(void)state;
	for (unsigned round = 0; round < 5 * scale(); round++)
		grow_driven(1000);
	take_one_cpu(&saved);
	for (unsigned round = 0; round < 5 * scale(); round++)
		grow_driven(500);
	give_back_cpus(&saved);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(each_task_is_taken_once_by_the_owner_or_a_thief),
		TEST(the_same_where_all_share_one_cpu),
		TEST(trees_of_posts_run_once_on_workers_that_steal),
		TEST(trees_of_posts_run_once_on_threads_that_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
