/* SPDX-License-Identifier: MIT */
/* destroy.c - runtimes that are destroyed at random moments under load.
 *
 * Whatever was posted or started ends exactly once: functions with 0 or SENNIT_SHUTDOWN, operations
 * with what became of them. From the first SENNIT_SHUTDOWN on that something saw, whatever it posts
 * or starts ends with SENNIT_SHUTDOWN too, on whatever worker: it was begun after destroy.
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

static struct random main_random = { 20240607 };

/* Grows with whatever happens in the runtime under test: the moment to destroy it is a number. */
static atomic_uint happened;

static void wait_for_a_moment(unsigned below)
{
	unsigned moment = next_random(&main_random, below);

	while (atomic_load_explicit(&happened, memory_order_relaxed) < moment)
		sched_yield();
}

static void something_happened(void)
{
	if (atomic_fetch_add_explicit(&happened, 1, memory_order_relaxed) % 4096 == 0)
		progress();
}

/* Plays a scenario with 1, 2 and 8 workers, on all CPUs and on one, again and again. */
static void at_many_moments(void (*scenario)(unsigned workers), unsigned rounds)
{
	static const unsigned counts[] = { 1, 2, WORKERS_MAX };
	cpu_set_t saved;

	for (unsigned i = 0; i < 2 * COUNT_OF(counts); i++) {
		if (i == COUNT_OF(counts))
			take_one_cpu(&saved);
		for (unsigned round = 0; round < rounds; round++) {
			atomic_store(&happened, 0);
			scenario(counts[i % COUNT_OF(counts)]);
			recorded();
		}
	}
	give_back_cpus(&saved);
}

static struct sennit_executor *any_executor(struct sennit_runtime *runtime, unsigned workers,
                                            struct random *random)
{
	unsigned target = next_random(random, workers + 1);

	return target < workers ? sennit_runtime_worker(runtime, target)
	                        : sennit_runtime_executor(runtime);
}

/* --- functions -------------------------------------------------------------------------------- */

enum { TOKENS = 48, POSTERS = 3, NOTES = 2000 };

struct token {
	struct sennit_task task;
	struct sennit_runtime *runtime;
	unsigned workers;
	struct random random;
	unsigned posts, calls; /* plain: a token is in one place at a time */
	unsigned more;         /* how often it goes on after its first SENNIT_SHUTDOWN */
	bool shutdown;
};

static void on_token(struct sennit_task *task, int error);

static void send_token(struct token *token)
{
	struct sennit_executor *executor =
	    any_executor(token->runtime, token->workers, &token->random);

	token->posts++;
	if (next_random(&token->random, 4) == 0)
		sennit_dispatch(executor, &token->task, on_token);
	else
		sennit_post(executor, &token->task, on_token);
}

static void on_token(struct sennit_task *task, int error)
{
	struct token *token = CONTAINER_OF(task, struct token, task);

	RECORD(error == 0 || error == SENNIT_SHUTDOWN);
	RECORD(!token->shutdown || error == SENNIT_SHUTDOWN);
	something_happened();
	token->calls++;
	if (error)
		token->shutdown = true;
	if (!token->shutdown || token->more) {
		token->more -= token->shutdown;
		send_token(token);
	}
}

/* What a foreign thread leaves behind: posted before it ends, run or shut down later. */
struct note {
	struct sennit_task task;
	unsigned calls;
};

struct poster {
	struct sennit_runtime *runtime;
	unsigned workers;
	struct random random;
	struct note notes[NOTES];
};

static void on_note(struct sennit_task *task, int error)
{
	RECORD(error == 0 || error == SENNIT_SHUTDOWN);
	CONTAINER_OF(task, struct note, task)->calls++;
	something_happened();
}

static void *post_notes(void *argument)
{
	struct poster *poster = argument;

	for (unsigned i = 0; i < NOTES; i++)
		sennit_post(any_executor(poster->runtime, poster->workers, &poster->random),
		            &poster->notes[i].task, on_note);
	return NULL;
}

static void destroy_with_functions(unsigned workers)
{
	struct token *tokens = calloc(TOKENS, sizeof *tokens);
	struct poster *posters = calloc(POSTERS, sizeof *posters);
	struct sennit_runtime *runtime = started_runtime(workers);
	pthread_t threads[POSTERS];
	bool guarded = next_random(&main_random, 2);

	assert_true(tokens && posters);
	if (guarded)
		sennit_runtime_guard_get(runtime);
	for (unsigned i = 0; i < TOKENS; i++) {
		tokens[i] = (struct token){ .runtime = runtime,
			                    .workers = workers,
			                    .random = { i + 1 },
			                    .more = i % 8 ? 0 : i };
		send_token(&tokens[i]);
	}
	for (unsigned i = 0; i < POSTERS; i++) {
		posters[i].runtime = runtime;
		posters[i].workers = workers;
		posters[i].random.state = 1000 + i;
		threads[i] = spawn(post_notes, &posters[i]);
	}
	wait_for_a_moment(20000);
	for (unsigned i = 0; i < POSTERS; i++)
		join(threads[i]);
	end_runtime(runtime);
	for (unsigned i = 0; i < TOKENS; i++) {
		assert_true(tokens[i].shutdown);
		assert_int_equal(tokens[i].more, 0);
		assert_int_equal(tokens[i].calls, tokens[i].posts);
	}
	for (unsigned i = 0; i < POSTERS; i++) {
		for (unsigned k = 0; k < NOTES; k++)
			assert_int_equal(posters[i].notes[k].calls, 1);
	}
	free(tokens);
	free(posters);
}

static void every_function_runs_once_whenever_destroy_comes(void **state)
{
	(void)state;
	at_many_moments(destroy_with_functions, 3 * scale());
}

/* Nothing is up yet when it goes down again. */
static void destroy_at_once(unsigned workers)
{
	struct sennit_runtime *runtime = started_runtime(workers);
	struct note notes[20] = { 0 };
	unsigned count = next_random(&main_random, COUNT_OF(notes) + 1);

	for (unsigned i = 0; i < count; i++)
		sennit_post(any_executor(runtime, workers, &main_random), &notes[i].task, on_note);
	end_runtime(runtime);
	for (unsigned i = 0; i < COUNT_OF(notes); i++)
		assert_int_equal(notes[i].calls, i < count);
}

static void a_runtime_may_be_destroyed_as_soon_as_it_was_started(void **state)
{
	(void)state;
	at_many_moments(destroy_at_once, 15 * scale());
}

static void *live_and_die(void *argument)
{
	unsigned rounds = *(unsigned *)argument;
	struct sennit_runtime_options options = { .size = sizeof options,
		                                  .workers = 2,
		                                  .pin = SENNIT_PIN_NONE };

	for (unsigned i = 0; i < rounds; i++) {
		struct sennit_runtime *runtime;
		struct note notes[2] = { 0 };

		if (!RECORD(sennit_runtime_create(&options, &runtime) == 0))
			return NULL;
		RECORD(sennit_runtime_start(runtime) == 0);
		sennit_post(sennit_runtime_worker(runtime, 1), &notes[0].task, on_note);
		sennit_post(sennit_runtime_executor(runtime), &notes[1].task, on_note);
		if (i % 2)
			RECORD(sennit_runtime_join(runtime) == 0);
		RECORD(sennit_runtime_destroy(runtime) == 0);
		RECORD(notes[0].calls == 1 && notes[1].calls == 1);
		progress();
	}
	return NULL;
}

static void runtimes_live_and_die_beside_each_other(void **state)
{
	unsigned rounds = 30 * scale();
	pthread_t threads[4];

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(threads); i++)
		threads[i] = spawn(live_and_die, &rounds);
	for (unsigned i = 0; i < COUNT_OF(threads); i++)
		join(threads[i]);
	recorded();
}

static void a_driven_runtime_may_be_destroyed_after_any_number_of_functions(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 30 * scale(); round++) {
		struct token *tokens = calloc(TOKENS, sizeof *tokens);
		struct sennit_runtime *runtime = driven_runtime();

		assert_non_null(tokens);
		for (unsigned i = 0; i < TOKENS; i++) {
			tokens[i] = (struct token){ .runtime = runtime,
				                    .workers = 1,
				                    .random = { i + 1 },
				                    .more = i % 8 ? 0 : i };
			send_token(&tokens[i]);
		}
		for (unsigned i = next_random(&main_random, 500); i; i--)
			assert_int_equal(sennit_runtime_run_one(runtime), 1);
		end_runtime(runtime);
		for (unsigned i = 0; i < TOKENS; i++) {
			assert_true(tokens[i].shutdown);
			assert_int_equal(tokens[i].calls, tokens[i].posts);
		}
		free(tokens);
	}
}

/* --- operations ------------------------------------------------------------------------------- */

enum { LINKS = 24, READERS = 2 };

struct link;

/* An operation and what became of it. In one place at a time: plain. */
struct flight {
	struct sennit_op op;
	struct link *link;
	unsigned starts, calls;
	char data[8];
};

/* Two connected descriptors: what is written to `near` by workers in turn is read from `far`. */
struct link {
	struct fleet *fleet;
	struct sennit_descriptor near, far;
	struct flight readers[READERS];
	struct flight writer;
	struct flight idler;     /* reads from near, where nothing ever comes */
	struct sennit_task task; /* starts the next write, on some worker */
	struct random random;
	unsigned posts, calls;
	unsigned left; /* writes before it closes one end; 0: never */
};

struct fleet {
	struct sennit_runtime *runtime;
	unsigned workers;
	struct sennit_runtime *handlers; /* whose executors the handlers are bound to, or NULL */
	atomic_bool shutdown;            /* somebody was told */
	struct link links[LINKS];
};

static bool expected_error(struct flight *flight, int error)
{
	struct fleet *fleet = flight->link->fleet;

	if (error == SENNIT_SHUTDOWN)
		atomic_store(&fleet->shutdown, true);
	return error == 0 || error == SENNIT_SHUTDOWN || error == -ECANCELED || error == -EBADF ||
	       error == -EPIPE || error == -ECONNRESET || error == SENNIT_EOF;
}

static void begin_flight(struct flight *flight)
{
	struct fleet *fleet = flight->link->fleet;

	flight->starts++;
	if (fleet->handlers)
		sennit_op_bind_executor(&flight->op, sennit_runtime_executor(fleet->handlers));
}

static bool end_flight(struct flight *flight, int error)
{
	flight->calls++;
	RECORD(flight->calls == flight->starts);
	RECORD(expected_error(flight, error));
	something_happened();
	return error == 0;
}

static void on_far_read(struct sennit_op *op, int error, size_t bytes)
{
	struct flight *flight = CONTAINER_OF(op, struct flight, op);

	if (!end_flight(flight, error))
		return;
	RECORD(bytes >= 1);
	begin_flight(flight);
	sennit_async_read_some(&flight->link->far.stream, flight->data, sizeof flight->data, op,
	                       on_far_read);
}

static void on_idle(struct sennit_op *op, int error, size_t bytes)
{
	struct flight *flight = CONTAINER_OF(op, struct flight, op);

	RECORD(bytes == 0);
	RECORD(error != 0);
	end_flight(flight, error);
}

static void on_next_write(struct sennit_task *task, int error);

static void on_written(struct sennit_op *op, int error, size_t bytes)
{
	struct flight *flight = CONTAINER_OF(op, struct flight, op);
	struct link *link = flight->link;

	if (!end_flight(flight, error))
		return;
	RECORD(bytes == sizeof flight->data);
	link->posts++;
	sennit_post(any_executor(link->fleet->runtime, link->fleet->workers, &link->random),
	            &link->task, on_next_write);
}

static void on_next_write(struct sennit_task *task, int error)
{
	struct link *link = CONTAINER_OF(task, struct link, task);

	link->calls++;
	RECORD(error == 0 || error == SENNIT_SHUTDOWN);
	/* Also when shut down: then the write ends likewise. */
	if (link->left && --link->left == 0)
		sennit_close(link->random.state % 2 ? &link->near.stream : &link->far.stream);
	begin_flight(&link->writer);
	sennit_async_write(&link->near.stream, link->writer.data, sizeof link->writer.data,
	                   &link->writer.op, on_written);
}

static void open_link(struct fleet *fleet, unsigned index)
{
	struct link *link = &fleet->links[index];

	link->fleet = fleet;
	link->random.state = 77 + index;
	link->left = index % 3 ? 0 : 1 + next_random(&main_random, 200);
	link->writer.link = link;
	link->idler.link = link;
	assert_int_equal(
	    sennit_descriptor_pair(&link->near, &link->far,
	                           any_executor(fleet->runtime, fleet->workers, &main_random)),
	    0);
	for (unsigned i = 0; i < READERS; i++) {
		struct flight *reader = &link->readers[i];

		reader->link = link;
		begin_flight(reader);
		sennit_async_read_some(&link->far.stream, reader->data, sizeof reader->data,
		                       &reader->op, on_far_read);
	}
	begin_flight(&link->idler);
	sennit_async_read(&link->near.stream, link->idler.data, 1, &link->idler.op, on_idle);
	link->posts++;
	sennit_post(any_executor(fleet->runtime, fleet->workers, &link->random), &link->task,
	            on_next_write);
}

static struct fleet *open_fleet(unsigned workers, struct sennit_runtime *handlers)
{
	struct fleet *fleet = calloc(1, sizeof *fleet);

	assert_non_null(fleet);
	fleet->runtime = started_runtime(workers);
	fleet->workers = workers;
	fleet->handlers = handlers;
	for (unsigned i = 0; i < LINKS; i++)
		open_link(fleet, i);
	return fleet;
}

static void check_fleet(struct fleet *fleet)
{
	for (unsigned i = 0; i < LINKS; i++) {
		struct link *link = &fleet->links[i];

		for (unsigned k = 0; k < READERS; k++)
			assert_int_equal(link->readers[k].calls, link->readers[k].starts);
		assert_int_equal(link->writer.calls, link->writer.starts);
		assert_int_equal(link->idler.calls, 1);
		assert_int_equal(link->calls, link->posts);
	}
	free(fleet);
}

static void destroy_with_operations(unsigned workers)
{
	struct fleet *fleet = open_fleet(workers, NULL);

	wait_for_a_moment(3000);
	end_runtime(fleet->runtime);
	assert_true(atomic_load(&fleet->shutdown));
	check_fleet(fleet);
}

static void every_operation_ends_once_whenever_destroy_comes(void **state)
{
	(void)state;
	at_many_moments(destroy_with_operations, 3 * scale());
}

/* Handlers run on another runtime, and start the next operation from there. */
static void destroy_with_handlers_abroad(unsigned workers)
{
	struct sennit_runtime *handlers = started_runtime(2);
	struct fleet *fleet = open_fleet(workers, handlers);

	wait_for_a_moment(3000);
	end_runtime(fleet->runtime);
	check_fleet(fleet);
	end_runtime(handlers);
}

static void destroy_waits_for_handlers_that_another_runtime_runs(void **state)
{
	(void)state;
	at_many_moments(destroy_with_handlers_abroad, 3 * scale());
}

static void *drive(void *argument)
{
	RECORD(sennit_runtime_run(argument) >= 0);
	return NULL;
}

/* As before, with the other runtime driven by a thread that is slow to begin. */
static void destroy_with_handlers_driven_abroad(unsigned workers)
{
	struct sennit_runtime *handlers = driven_runtime();
	struct fleet *fleet = open_fleet(workers, handlers);
	pthread_t thread;

	sennit_runtime_guard_get(handlers);
	thread = spawn(drive, handlers);
	end_runtime(fleet->runtime);
	sennit_runtime_guard_put(handlers);
	join(thread);
	check_fleet(fleet);
	end_runtime(handlers);
}

static void destroy_waits_for_handlers_that_a_driven_runtime_runs(void **state)
{
	(void)state;
	at_many_moments(destroy_with_handlers_driven_abroad, 3 * scale());
}

/* What is driven is destroyed by its driver, after any number of handlers. */
static void a_driven_runtime_ends_its_operations_on_the_destroying_thread(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 30 * scale(); round++) {
		struct fleet *fleet = calloc(1, sizeof *fleet);

		assert_non_null(fleet);
		fleet->runtime = driven_runtime();
		fleet->workers = 1;
		for (unsigned i = 0; i < LINKS; i++)
			open_link(fleet, i);
		for (unsigned i = next_random(&main_random, 1000); i; i--)
			assert_int_equal(sennit_runtime_run_one(fleet->runtime), 1);
		end_runtime(fleet->runtime);
		assert_true(atomic_load(&fleet->shutdown));
		check_fleet(fleet);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(every_function_runs_once_whenever_destroy_comes),
		TEST(a_runtime_may_be_destroyed_as_soon_as_it_was_started),
		TEST(runtimes_live_and_die_beside_each_other),
		TEST(a_driven_runtime_may_be_destroyed_after_any_number_of_functions),
		TEST(every_operation_ends_once_whenever_destroy_comes),
		TEST(destroy_waits_for_handlers_that_another_runtime_runs),
		TEST(destroy_waits_for_handlers_that_a_driven_runtime_runs),
		TEST(a_driven_runtime_ends_its_operations_on_the_destroying_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
