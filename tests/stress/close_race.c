/* SPDX-License-Identifier: MIT */
/* close_race.c - foreign threads start, cancel and close while the owner is busy: every start has
 * its handler exactly once, with an outcome that it may have, and what is reported as written is
 * what arrives.
 */
#include "io_support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STARTERS 3
#define OPS      16 /* of each starter, in flight at most */
#define WORKERS  2

struct arena;

struct racer {
	struct sennit_op op;
	struct arena *arena;
	atomic_bool flying;
	bool writes;
	char data[512];
};

/* One object, and everybody who is at it. */
struct arena {
	struct sennit_runtime *runtime;
	struct sennit_descriptor descriptor;
	struct racer racers[STARTERS][OPS];
	atomic_uint_fast64_t started;
	atomic_uint_fast64_t ended;
	atomic_uint_fast64_t written; /* bytes that writes reported */
	atomic_uint_fast64_t served;  /* operations that ended with success */
	atomic_bool closed;           /* close has returned */
	struct latch ready;           /* all threads are there */
	struct latch go;
	struct latch moment; /* to close */
	atomic_bool moment_is_over;
	unsigned seed;
	unsigned rounds; /* of a starter */
	bool cancels;
};

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static void on_raced(struct sennit_op *op, int error, size_t bytes)
{
	struct racer *racer = CONTAINER_OF(op, struct racer, op);
	struct arena *arena = racer->arena;

	RECORD(error == 0 || error == -ECANCELED || error == -EBADF);
	RECORD(bytes <= sizeof racer->data);
	if (error == -EBADF)
		RECORD(bytes == 0);
	if (error == 0) {
		RECORD(bytes > 0);
		atomic_fetch_add(&arena->served, 1);
	}
	if (racer->writes)
		atomic_fetch_add(&arena->written, bytes);
	/* Once: a second handler of one start would find it down. */
	RECORD(atomic_exchange(&racer->flying, false));
	atomic_fetch_add(&arena->ended, 1);
}

static void wait_for_go(struct arena *arena)
{
	latch_down(&arena->ready);
	latch_wait(&arena->go);
}

/* Nobody spins for the moment: on a busy machine that takes for ever. */
static void close_now(struct arena *arena)
{
	if (!atomic_exchange(&arena->moment_is_over, true))
		latch_down(&arena->moment);
}

struct turn {
	struct sennit_task task;
	struct latch done;
};

static void on_turn(struct sennit_task *task, int error)
{
	struct turn *turn = CONTAINER_OF(task, struct turn, task);

	RECORD(error == 0);
	latch_down(&turn->done);
}

/* Returns when the owner has received what was started before, however slow it is. */
static void let_owner_turn(struct arena *arena)
{
	struct turn turn = { .done = LATCH(1) };

	sennit_post(sennit_runtime_worker(arena->runtime, 0), &turn.task, on_turn);
	latch_wait(&turn.done);
}

struct starter {
	struct arena *arena;
	unsigned index;
};

static void start_race(struct arena *arena, struct racer *racer, uint32_t choice)
{
	struct sennit_stream *stream = &arena->descriptor.stream;

	if (atomic_exchange(&racer->flying, true)) {
		/* Now and then, so that not everything is over before the owner has begun. */
		if ((choice >> 16) % 4 == 0)
			let_owner_turn(arena);
		return;
	}
	racer->arena = arena;
	racer->writes = choice & 1;
	if (atomic_fetch_add(&arena->started, 1) ==
	    arena->seed * 13 % (STARTERS * arena->rounds / 4))
		close_now(arena);
	switch (choice >> 1 & 3) {
	case 0:
		sennit_op_bind_executor(&racer->op, sennit_runtime_worker(arena->runtime, 1));
		break;
	default:
		sennit_op_bind_executor(&racer->op, NULL);
		break;
	}
	if (!racer->writes)
		sennit_async_read_some(stream, racer->data, sizeof racer->data, &racer->op,
		                       on_raced);
	else if (choice & 8)
		sennit_async_write(stream, racer->data, sizeof racer->data, &racer->op, on_raced);
	else
		sennit_async_write_some(stream, racer->data, sizeof racer->data, &racer->op,
		                        on_raced);
}

static void *start_many(void *argument)
{
	const struct starter *starter = argument;
	struct arena *arena = starter->arena;
	uint32_t random = arena->seed * 7919 + starter->index + 1;

	wait_for_go(arena);
	for (unsigned i = 0; i < arena->rounds; i++) {
		uint32_t choice = next_random(&random);

		start_race(arena, &arena->racers[starter->index][choice >> 8 & (OPS - 1)], choice);
	}
	/* There were not as many as that: most were in flight already. */
	close_now(arena);
	return NULL;
}

static void *cancel_many(void *argument)
{
	struct arena *arena = argument;

	wait_for_go(arena);
	for (unsigned i = 0; arena->cancels && i < arena->rounds && !atomic_load(&arena->closed);
	     i++)
		sennit_cancel(&arena->descriptor.stream);
	return NULL;
}

/* Closes at a moment that is a number of starts. */
static void *close_once(void *argument)
{
	struct arena *arena = argument;

	wait_for_go(arena);
	latch_wait(&arena->moment);
	sennit_close(&arena->descriptor.stream);
	atomic_store(&arena->closed, true);
	return NULL;
}

/* Takes what is written, and gives the readers something, until the end. */
struct other_end {
	int fd;
	uint64_t received;
};

static void *be_the_other_end(void *argument)
{
	struct other_end *end = argument;
	static const char gift[100];
	char data[4096];

	for (;;) {
		ssize_t got = read(end->fd, data, sizeof data);

		if (got <= 0)
			break;
		end->received += (uint64_t)got;
		/* Not where it would have to wait, nor to one that has gone. */
		(void)!send(end->fd, gift, sizeof gift, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	return NULL;
}

/* A handler that comes back: the owner is busy while the others are at it. */
struct busy {
	struct sennit_task task;
	struct arena *arena;
	struct latch done;
};

static void on_busy(struct sennit_task *task, int error)
{
	struct busy *busy = CONTAINER_OF(task, struct busy, task);

	RECORD(error == 0);
	if (atomic_load(&busy->arena->closed))
		latch_down(&busy->done);
	else
		sennit_post(sennit_runtime_worker(busy->arena->runtime, 0), task, on_busy);
}

static void race(struct sennit_runtime *runtime, unsigned seed, uint64_t *served)
{
	struct arena *arena = zeroed(sizeof *arena);
	struct starter starters[STARTERS];
	struct busy busy = { .arena = arena, .done = LATCH(1) };
	struct other_end end = { .fd = -1 };
	pthread_t threads[STARTERS + 3];
	int fds[2];

	arena->runtime = runtime;
	arena->seed = seed;
	arena->rounds = 600;
	arena->cancels = seed % 2;
	arena->ready = (struct latch)LATCH(STARTERS + 2);
	arena->go = arena->moment = (struct latch)LATCH(1);
	raw_local_pair(SOCK_STREAM, fds);
	end.fd = fds[1];
	assert_int_equal(
	    sennit_descriptor_assign(&arena->descriptor, sennit_runtime_worker(runtime, 0), fds[0]),
	    0);
	sennit_post(sennit_runtime_worker(runtime, 0), &busy.task, on_busy);
	for (unsigned i = 0; i < STARTERS; i++) {
		starters[i] = (struct starter){ arena, i };
		threads[i] = spawn(start_many, &starters[i]);
	}
	threads[STARTERS] = spawn(cancel_many, arena);
	threads[STARTERS + 1] = spawn(close_once, arena);
	threads[STARTERS + 2] = spawn(be_the_other_end, &end);
	latch_wait(&arena->ready);
	latch_down(&arena->go);
	for (unsigned i = 0; i < COUNT_OF(threads); i++)
		join(threads[i]);
	latch_wait(&busy.done);
	assert_int_equal(sennit_runtime_join(runtime), 0);
	assert_int_equal(atomic_load(&arena->ended), atomic_load(&arena->started));
	assert_int_equal(end.received, atomic_load(&arena->written));
	*served += atomic_load(&arena->served);
	raw_close(end.fd);
	recorded();
	/* The handle is ours again, and nobody looks at it any more. */
	memset(arena, 0xa5, sizeof *arena);
	free(arena);
}

static void starts_cancels_and_close_race_and_every_handler_runs_once(void **state)
{
	struct sennit_runtime *runtime = started_runtime(WORKERS);
	uint64_t served = 0;

	(void)state;
	for (unsigned seed = 1; seed <= 60 * scale(); seed++)
		race(runtime, seed, &served);
	/* Otherwise it was no race. */
	assert_true(served > 0);
	end_runtime(runtime);
}

static void the_same_on_one_CPU(void **state)
{
	struct sennit_runtime *runtime;
	uint64_t served = 0;
	cpu_set_t saved;

	(void)state;
	take_one_cpu(&saved);
	runtime = started_runtime(WORKERS);
	for (unsigned seed = 1; seed <= 5 * scale(); seed++)
		race(runtime, seed, &served);
	end_runtime(runtime);
	give_back_cpus(&saved);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(starts_cancels_and_close_race_and_every_handler_runs_once),
		TEST(the_same_on_one_CPU),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
