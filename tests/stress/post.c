/* SPDX-License-Identifier: MIT */
/* post.c - many producers and many workers: each function once, in its producer's order.
 *
 * Every test plays with several numbers of workers, more than there are CPUs, and on one CPU. What
 * only one worker touches is plain memory: ThreadSanitizer finds it where functions of one worker
 * ever run at the same time, or are not ordered by post.
 */
#include "support.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORKERS_MAX = 8 };

struct random {
	uint32_t state;
};

static uint32_t next_random(struct random *random, uint32_t below)
{
	random->state ^= random->state << 13;
	random->state ^= random->state >> 17;
	random->state ^= random->state << 5;
	return random->state % below;
}

/* Plays a scenario with 1, 2 and 8 workers on all CPUs, and with 2 and 8 on one. */
static void with_workers_and_cpus(void (*scenario)(unsigned workers))
{
	static const unsigned counts[] = { 1, 2, WORKERS_MAX };
	cpu_set_t saved;

	for (unsigned i = 0; i < COUNT_OF(counts); i++) {
		scenario(counts[i]);
		recorded();
	}
	take_one_cpu(&saved);
	for (unsigned i = 1; i < COUNT_OF(counts); i++) {
		scenario(counts[i]);
		recorded();
	}
	give_back_cpus(&saved);
}

/* --- parcels: from many sources to one worker ------------------------------------------------- */

enum { FOREIGNERS = 4, SOURCES_MAX = FOREIGNERS + WORKERS_MAX, PARCELS = 256 };

struct traffic;

struct parcel {
	struct sennit_task task;
	struct traffic *traffic;
	unsigned source;
	unsigned target; /* a worker, or `workers`: whichever */
	uint32_t number; /* of all that went from source to target */
	atomic_bool under_way;
};

struct source {
	struct sennit_task task; /* of a source that sits on a worker */
	struct traffic *traffic;
	unsigned index;
	uint32_t left;
	uint32_t sent[WORKERS_MAX + 1];
	struct random random;
	unsigned next;
	atomic_uint pending; /* parcels of its burst, and itself: the last posts the next burst */
	struct parcel parcels[PARCELS];
};

struct traffic {
	struct sennit_runtime *runtime;
	unsigned workers;
	bool whole; /* some go to the runtime's executor */
	struct source *sources[SOURCES_MAX];
	uint32_t received[WORKERS_MAX][SOURCES_MAX]; /* plain: each row is one worker's */
	atomic_uint wherever;                        /* received by the runtime's executor */
};

static void on_send(struct sennit_task *task, int error);

/* A source on a worker goes on there when its whole burst has arrived, wherever that was. */
static void burst_arrived(struct source *source)
{
	if (atomic_fetch_sub(&source->pending, 1) == 1 && source->left)
		sennit_post(
		    sennit_runtime_worker(source->traffic->runtime, source->index - FOREIGNERS),
		    &source->task, on_send);
}

static void on_parcel(struct sennit_task *task, int error)
{
	struct parcel *parcel = CONTAINER_OF(task, struct parcel, task);
	struct traffic *traffic = parcel->traffic;
	struct source *source = traffic->sources[parcel->source];
	unsigned target = parcel->target;

	RECORD(error == 0);
	if (target < traffic->workers) {
		uint32_t *received = &traffic->received[target][parcel->source];

		RECORD(sennit_executor_runs_here(sennit_runtime_worker(traffic->runtime, target)));
		RECORD(parcel->number == *received);
		++*received;
	} else {
		RECORD(sennit_runtime_current() == traffic->runtime);
		atomic_fetch_add_explicit(&traffic->wherever, 1, memory_order_relaxed);
	}
	RECORD(atomic_exchange_explicit(&parcel->under_way, false, memory_order_release));
	if (source->index >= FOREIGNERS)
		burst_arrived(source);
}

/* Sends the next parcel; false where all are under way. */
static bool send_parcel(struct source *source)
{
	struct traffic *traffic = source->traffic;
	struct parcel *parcel = &source->parcels[source->next % PARCELS];
	unsigned target = next_random(&source->random, traffic->workers + traffic->whole);

	if (atomic_load_explicit(&parcel->under_way, memory_order_acquire))
		return false;
	source->next++;
	source->left--;
	parcel->traffic = traffic;
	parcel->source = source->index;
	parcel->target = target;
	parcel->number = source->sent[target]++;
	atomic_store_explicit(&parcel->under_way, true, memory_order_relaxed);
	sennit_post(target < traffic->workers ? sennit_runtime_worker(traffic->runtime, target)
	                                      : sennit_runtime_executor(traffic->runtime),
	            &parcel->task, on_parcel);
	return true;
}

static void *send_from_thread(void *argument)
{
	struct source *source = argument;

	while (source->left) {
		if (!send_parcel(source))
			sched_yield();
		if (source->left % 1024 == 0)
			progress();
	}
	return NULL;
}

static void on_send(struct sennit_task *task, int error)
{
	struct source *source = CONTAINER_OF(task, struct source, task);
	uint32_t burst = source->left < PARCELS / 2 ? source->left : PARCELS / 2;

	RECORD(error == 0);
	atomic_store(&source->pending, burst + 1);
	for (uint32_t i = 0; i < burst; i++)
		RECORD(send_parcel(source));
	burst_arrived(source);
}

static void let_traffic_flow(unsigned workers, bool whole, uint32_t each)
{
	struct traffic *traffic = calloc(1, sizeof *traffic);
	unsigned sources = FOREIGNERS + workers, wherever = 0;
	pthread_t threads[FOREIGNERS];

	assert_non_null(traffic);
	traffic->runtime = started_runtime(workers);
	traffic->workers = workers;
	traffic->whole = whole;
	for (unsigned i = 0; i < sources; i++) {
		struct source *source = calloc(1, sizeof *source);

		assert_non_null(source);
		source->traffic = traffic;
		source->index = i;
		source->left = each;
		source->random.state = 12345 + i;
		traffic->sources[i] = source;
		if (i < FOREIGNERS)
			threads[i] = spawn(send_from_thread, source);
		else
			sennit_post(sennit_runtime_worker(traffic->runtime, i - FOREIGNERS),
			            &source->task, on_send);
	}
	for (unsigned i = 0; i < FOREIGNERS; i++)
		join(threads[i]);
	assert_int_equal(sennit_runtime_join(traffic->runtime), 0);
	for (unsigned i = 0; i < sources; i++) {
		for (unsigned k = 0; k < workers; k++)
			assert_int_equal(traffic->received[k][i], traffic->sources[i]->sent[k]);
		wherever += traffic->sources[i]->sent[workers];
	}
	assert_int_equal(atomic_load(&traffic->wherever), wherever);
	end_runtime(traffic->runtime);
	for (unsigned i = 0; i < sources; i++)
		free(traffic->sources[i]);
	free(traffic);
}

static void send_to_workers(unsigned workers)
{
	let_traffic_flow(workers, false, 10000 * scale());
}

static void send_to_workers_and_whole(unsigned workers)
{
	let_traffic_flow(workers, true, 10000 * scale());
}

static void each_worker_receives_each_task_once_and_in_order(void **state)
{
	(void)state;
	with_workers_and_cpus(send_to_workers);
}

static void tasks_for_any_worker_arrive_once_among_those_for_one(void **state)
{
	(void)state;
	with_workers_and_cpus(send_to_workers_and_whole);
}

/* --- tokens: hopping from executor to executor ------------------------------------------------ */

enum { TOKENS = 64 };

struct tokens {
	struct sennit_runtime *runtime;
	unsigned workers;
	struct token {
		struct sennit_task task;
		struct tokens *all;
		struct random random;
		uint32_t left; /* plain: a token is in one place at a time */
		uint32_t hops;
	} token[TOKENS];
};

static void on_hop(struct sennit_task *task, int error);

static void hop(struct token *token)
{
	struct tokens *all = token->all;
	unsigned target = next_random(&token->random, all->workers + 1);
	struct sennit_executor *executor = target < all->workers
	                                       ? sennit_runtime_worker(all->runtime, target)
	                                       : sennit_runtime_executor(all->runtime);

	if (next_random(&token->random, 4) == 0)
		sennit_dispatch(executor, &token->task, on_hop);
	else
		sennit_post(executor, &token->task, on_hop);
}

static void on_hop(struct sennit_task *task, int error)
{
	struct token *token = CONTAINER_OF(task, struct token, task);

	RECORD(error == 0);
	token->hops++;
	if (token->left) {
		token->left--;
		hop(token);
	}
}

static void let_tokens_hop(unsigned workers)
{
	uint32_t hops = 1500 * scale();
	struct tokens *all = calloc(1, sizeof *all);

	assert_non_null(all);
	all->runtime = started_runtime(workers);
	all->workers = workers;
	for (unsigned i = 0; i < TOKENS; i++) {
		all->token[i].all = all;
		all->token[i].random.state = i + 1;
		all->token[i].left = hops;
		hop(&all->token[i]);
	}
	assert_int_equal(sennit_runtime_join(all->runtime), 0);
	for (unsigned i = 0; i < TOKENS; i++)
		assert_int_equal(all->token[i].hops, hops + 1);
	end_runtime(all->runtime);
	free(all);
}

static void tokens_that_hop_between_executors_are_never_lost(void **state)
{
	(void)state;
	with_workers_and_cpus(let_tokens_hop);
}

/* --- sleeping and waking ---------------------------------------------------------------------- */

/* One token among idle workers: each hop wakes a worker that is about to sleep, or sleeps. */
static void let_one_token_hop(unsigned workers)
{
	uint32_t hops = 10000 * scale();
	struct tokens *all = calloc(1, sizeof *all);

	assert_non_null(all);
	all->runtime = started_runtime(workers);
	all->workers = workers;
	all->token[0] = (struct token){ .all = all, .random = { 99 }, .left = hops };
	hop(&all->token[0]);
	assert_int_equal(sennit_runtime_join(all->runtime), 0);
	assert_int_equal(all->token[0].hops, hops + 1);
	end_runtime(all->runtime);
	free(all);
}

static void one_token_finds_each_sleeping_worker(void **state)
{
	(void)state;
	with_workers_and_cpus(let_one_token_hop);
}

struct ball {
	struct sennit_task task;
	atomic_bool back;
};

static void on_ball(struct sennit_task *task, int error)
{
	struct ball *ball = CONTAINER_OF(task, struct ball, task);

	RECORD(error == 0);
	atomic_store_explicit(&ball->back, true, memory_order_release);
}

/* A foreign thread posts, waits for the function, and posts the next: against workers that fall
 * asleep meanwhile. */
static void play_ball(unsigned workers)
{
	struct sennit_runtime *runtime = started_runtime(workers);
	struct ball ball = { .back = false };

	for (unsigned i = 0; i < 5000 * scale(); i++) {
		unsigned target = i % (workers + 1);

		atomic_store(&ball.back, false);
		sennit_post(target < workers ? sennit_runtime_worker(runtime, target)
		                             : sennit_runtime_executor(runtime),
		            &ball.task, on_ball);
		while (!atomic_load_explicit(&ball.back, memory_order_acquire))
			sched_yield();
		if (i % 1024 == 0)
			progress();
	}
	end_runtime(runtime);
}

static void no_wake_is_lost_between_a_foreign_thread_and_sleepers(void **state)
{
	(void)state;
	with_workers_and_cpus(play_ball);
}

/* --- join ------------------------------------------------------------------------------------- */

/* A few small trees of tasks are done when join returns, a thousand times. */
struct sapling {
	struct sennit_task task;
	struct sapling *children[2];
	struct sennit_executor *executor;
	unsigned calls; /* plain: join orders it */
};

static void on_sapling(struct sennit_task *task, int error)
{
	struct sapling *sapling = CONTAINER_OF(task, struct sapling, task);

	RECORD(error == 0);
	sapling->calls++;
	for (unsigned i = 0; i < 2; i++) {
		struct sapling *child = sapling->children[i];

		if (child)
			sennit_post(child->executor, &child->task, on_sapling);
	}
}

static void join_often(unsigned workers)
{
	struct sennit_runtime *runtime = started_runtime(workers);
	struct random random = { 4711 };

	for (unsigned round = 1; round <= 2000 * scale(); round++) {
		struct sapling saplings[7] = { 0 };
		unsigned count = 1 + next_random(&random, COUNT_OF(saplings));

		for (unsigned i = 0; i < count; i++) {
			unsigned target = next_random(&random, workers + 1);

			saplings[i].executor = target < workers
			                           ? sennit_runtime_worker(runtime, target)
			                           : sennit_runtime_executor(runtime);
			for (unsigned k = 0; k < 2; k++) {
				if (2 * i + 1 + k < count)
					saplings[i].children[k] = &saplings[2 * i + 1 + k];
			}
		}
		/* Either the first begets all others, or each comes from here: the last of them
		 * just before join asks. */
		for (unsigned i = 0; i < count && (i == 0 || round % 2); i++) {
			if (round % 2)
				saplings[i].children[0] = saplings[i].children[1] = NULL;
			sennit_post(saplings[i].executor, &saplings[i].task, on_sapling);
		}
		assert_int_equal(sennit_runtime_join(runtime), 0);
		for (unsigned i = 0; i < count; i++)
			assert_int_equal(saplings[i].calls, 1);
		progress();
	}
	end_runtime(runtime);
}

static void join_returns_when_all_is_done_and_not_before(void **state)
{
	(void)state;
	with_workers_and_cpus(join_often);
}

struct holders {
	struct sennit_runtime *runtime;
	atomic_int held; /* guards, as the holders know: never more than there are */
	atomic_bool closed;
	uint32_t rounds;
};

static void *hold_guards(void *argument)
{
	struct holders *holders = argument;

	/* Beside the one that was taken for this thread, and goes back at the end. */
	for (uint32_t i = 0; i < holders->rounds; i++) {
		sennit_runtime_guard_get(holders->runtime);
		atomic_fetch_add(&holders->held, 1);
		RECORD(!atomic_load(&holders->closed));
		atomic_fetch_sub(&holders->held, 1);
		sennit_runtime_guard_put(holders->runtime);
		if (i % 1024 == 0)
			progress();
	}
	atomic_fetch_sub(&holders->held, 1);
	sennit_runtime_guard_put(holders->runtime);
	return NULL;
}

static void hold_while_joining(unsigned workers)
{
	struct holders holders = { .runtime = started_runtime(workers), .rounds = 20000 * scale() };
	pthread_t threads[4];

	/* One guard for each thread, taken before join is called, given back by the thread. */
	for (unsigned i = 0; i < COUNT_OF(threads); i++) {
		sennit_runtime_guard_get(holders.runtime);
		atomic_fetch_add(&holders.held, 1);
	}
	for (unsigned i = 0; i < COUNT_OF(threads); i++)
		threads[i] = spawn(hold_guards, &holders);
	assert_int_equal(sennit_runtime_join(holders.runtime), 0);
	assert_int_equal(atomic_load(&holders.held), 0);
	atomic_store(&holders.closed, true);
	for (unsigned i = 0; i < COUNT_OF(threads); i++)
		join(threads[i]);
	end_runtime(holders.runtime);
}

static void join_waits_for_guards_that_many_threads_take_and_give_back(void **state)
{
	(void)state;
	with_workers_and_cpus(hold_while_joining);
}

/* --- a driven runtime ------------------------------------------------------------------------- */

struct driven {
	struct sennit_runtime *runtime;
	uint32_t each;
	uint32_t received[FOREIGNERS]; /* plain: all on the thread that drives */
	uint64_t all;
};

struct letter {
	struct sennit_task task;
	struct driven *driven;
	unsigned sender;
	uint32_t number;
};

struct sender {
	struct driven *driven;
	unsigned index;
	bool guarded; /* gives back a guard at the end */
};

static void on_letter(struct sennit_task *task, int error)
{
	struct letter *letter = CONTAINER_OF(task, struct letter, task);
	struct driven *driven = letter->driven;

	RECORD(error == 0);
	RECORD(driven->received[letter->sender] == letter->number);
	driven->received[letter->sender]++;
	driven->all++;
	free(letter);
}

static void *send_letters(void *argument)
{
	struct sender *sender = argument;
	struct driven *driven = sender->driven;

	for (uint32_t i = 0; i < driven->each; i++) {
		struct letter *letter = calloc(1, sizeof *letter);

		if (!letter)
			abort();
		letter->driven = driven;
		letter->sender = sender->index;
		letter->number = i;
		sennit_post(sennit_runtime_worker(driven->runtime, 0), &letter->task, on_letter);
		if (i % 1024 == 0)
			progress();
	}
	if (sender->guarded)
		sennit_runtime_guard_put(driven->runtime);
	return NULL;
}

static void one_run_serves_many_threads_until_their_guards_are_back(void **state)
{
	struct driven driven = { .runtime = driven_runtime(), .each = 20000 * scale() };
	struct sender senders[FOREIGNERS];
	pthread_t threads[FOREIGNERS];

	(void)state;
	for (unsigned i = 0; i < FOREIGNERS; i++) {
		senders[i] = (struct sender){ &driven, i, true };
		sennit_runtime_guard_get(driven.runtime);
		threads[i] = spawn(send_letters, &senders[i]);
	}
	assert_int_equal(sennit_runtime_run(driven.runtime), FOREIGNERS * (int64_t)driven.each);
	assert_true(sennit_runtime_stopped(driven.runtime));
	for (unsigned i = 0; i < FOREIGNERS; i++) {
		join(threads[i]);
		assert_int_equal(driven.received[i], driven.each);
	}
	end_runtime(driven.runtime);
}

/* Stops while others post and this thread runs; what is queued survives each stop. */
struct stopper {
	struct sennit_runtime *runtime;
	atomic_bool enough;
};

static void *stop_often(void *argument)
{
	struct stopper *stopper = argument;
	struct random random = { 31 };

	while (!atomic_load(&stopper->enough)) {
		sennit_runtime_stop(stopper->runtime);
		for (unsigned i = next_random(&random, 50); i; i--)
			sched_yield();
	}
	return NULL;
}

static void stop_and_restart_lose_nothing(void **state)
{
	int64_t (*const forms[])(
	    struct sennit_runtime *) = { sennit_runtime_run, sennit_runtime_run_one,
		                         sennit_runtime_poll, sennit_runtime_poll_one };
	struct driven driven = { .runtime = driven_runtime(), .each = 10000 * scale() };
	struct stopper stopper = { .runtime = driven.runtime };
	struct sender senders[FOREIGNERS];
	pthread_t threads[FOREIGNERS], stopping;
	int64_t ran = 0;

	(void)state;
	for (unsigned i = 0; i < FOREIGNERS; i++) {
		senders[i] = (struct sender){ &driven, i, false };
		threads[i] = spawn(send_letters, &senders[i]);
	}
	stopping = spawn(stop_often, &stopper);
	/* Without a guard: each run ends where it finds nothing, or is stopped. */
	for (unsigned i = 0; driven.all < FOREIGNERS * (uint64_t)driven.each; i++) {
		int64_t now = forms[i % COUNT_OF(forms)](driven.runtime);

		assert_true(now >= 0);
		ran += now;
		sennit_runtime_restart(driven.runtime);
		progress();
	}
	atomic_store(&stopper.enough, true);
	join(stopping);
	assert_int_equal(ran, driven.all);
	for (unsigned i = 0; i < FOREIGNERS; i++) {
		join(threads[i]);
		assert_int_equal(driven.received[i], driven.each);
	}
	end_runtime(driven.runtime);
}

/* A stop that meets a thread on its way to sleep, or asleep, or not yet inside: it comes out. */
struct stopped {
	struct sennit_runtime *runtime;
	atomic_uint runs, stops; /* each waits for the other */
	unsigned rounds;
};

/* Something between nothing and a microsecond or so. */
static void waste_time(struct random *random)
{
	for (volatile unsigned i = next_random(random, 300); i; i--)
		continue;
}

static void *stop_once_each(void *argument)
{
	struct stopped *stopped = argument;
	struct random random = { 17 };

	for (unsigned i = 0; i < stopped->rounds; i++) {
		for (unsigned k = 1; atomic_load(&stopped->runs) <= i; k++)
			if (k % 4096 == 0)
				sched_yield();
		waste_time(&random);
		sennit_runtime_stop(stopped->runtime);
		atomic_store(&stopped->stops, i + 1);
	}
	return NULL;
}

static void a_stop_at_any_moment_ends_a_run_that_a_guard_holds(void **state)
{
	struct stopped stopped = { .runtime = driven_runtime(), .rounds = 20000 * scale() };
	struct random random = { 19 };
	pthread_t thread;

	(void)state;
	sennit_runtime_guard_get(stopped.runtime);
	thread = spawn(stop_once_each, &stopped);
	for (unsigned i = 0; i < stopped.rounds; i++) {
		atomic_store(&stopped.runs, i + 1);
		waste_time(&random);
		assert_int_equal(sennit_runtime_run(stopped.runtime), 0);
		for (unsigned k = 1; atomic_load(&stopped.stops) <= i; k++)
			if (k % 4096 == 0)
				sched_yield();
		sennit_runtime_restart(stopped.runtime);
		progress();
	}
	join(thread);
	sennit_runtime_guard_put(stopped.runtime);
	end_runtime(stopped.runtime);
}

/* Several threads drive one worker in turn, whoever comes; what handlers share is plain. */
struct relay {
	struct sennit_task task;
	struct sennit_runtime *runtime;
	atomic_llong ran;
	unsigned calls, left;
};

static void on_relay(struct sennit_task *task, int error)
{
	struct relay *relay = CONTAINER_OF(task, struct relay, task);

	RECORD(error == 0);
	relay->calls++;
	if (relay->left) {
		relay->left--;
		sennit_post(relay->left % 2 ? sennit_runtime_worker(relay->runtime, 0)
		                            : sennit_runtime_executor(relay->runtime),
		            task, on_relay);
	}
}

static void *drive_in_turn(void *argument)
{
	struct relay *relay = argument;
	int64_t ran;

	/* It stops when no work is left: then all of them find that out. */
	while (!sennit_runtime_stopped(relay->runtime)) {
		ran = sennit_runtime_run_one(relay->runtime);
		if (ran == -EBUSY)
			sched_yield();
		else
			atomic_fetch_add_explicit(&relay->ran, ran, memory_order_relaxed);
	}
	return NULL;
}

static void threads_that_drive_in_turn_see_what_the_last_one_did(void **state)
{
	struct relay relay = { .runtime = driven_runtime(), .left = 20000 * scale() };
	unsigned calls = relay.left + 1;
	pthread_t threads[3];

	(void)state;
	sennit_post(sennit_runtime_executor(relay.runtime), &relay.task, on_relay);
	for (unsigned i = 0; i < COUNT_OF(threads); i++)
		threads[i] = spawn(drive_in_turn, &relay);
	for (unsigned i = 0; i < COUNT_OF(threads); i++)
		join(threads[i]);
	assert_int_equal(relay.calls, calls);
	assert_int_equal(atomic_load(&relay.ran), calls);
	end_runtime(relay.runtime);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(each_worker_receives_each_task_once_and_in_order),
		TEST(tasks_for_any_worker_arrive_once_among_those_for_one),
		TEST(tokens_that_hop_between_executors_are_never_lost),
		TEST(one_token_finds_each_sleeping_worker),
		TEST(no_wake_is_lost_between_a_foreign_thread_and_sleepers),
		TEST(join_returns_when_all_is_done_and_not_before),
		TEST(join_waits_for_guards_that_many_threads_take_and_give_back),
		TEST(one_run_serves_many_threads_until_their_guards_are_back),
		TEST(stop_and_restart_lose_nothing),
		TEST(a_stop_at_any_moment_ends_a_run_that_a_guard_holds),
		TEST(threads_that_drive_in_turn_see_what_the_last_one_did),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
