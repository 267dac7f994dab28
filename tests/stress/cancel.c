/* SPDX-License-Identifier: MIT */
/* cancel.c - emits from foreign threads and from the owner against completions: every operation
 * ends once, each byte is read once or not at all, and a slot is free when its operation is done.
 */
#include "io_support.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define RACERS   8
#define EMITTERS 2

struct arena;

/* An operation that is started again and again, and what may end it. */
struct racer {
	struct sennit_op op;
	struct sennit_cancel_signal signal;
	struct arena *arena;
	char byte;
	bool whole; /* a whole read, which does not heed total */
};

struct arena {
	struct sennit_runtime *runtime;
	struct sennit_descriptor descriptor;
	struct racer racer[RACERS];
	int peer;
	uint64_t left;      /* ends to come; the owner's */
	uint64_t served;    /* the owner's, as below */
	uint64_t canceled;
	unsigned flying;
	uint64_t fed;       /* the feeder's */
	atomic_bool over;
	struct latch done;
};

static void start(struct racer *racer);

static void on_end(struct sennit_op *op, int error, size_t bytes)
{
	struct racer *racer = op->user;
	struct arena *arena = racer->arena;

	RECORD(!sennit_cancel_slot_is_bound(sennit_cancel_signal_slot(&racer->signal)));
	RECORD(error ? error == -ECANCELED && bytes == 0 : bytes == 1);
	*(error ? &arena->canceled : &arena->served) += 1;
	arena->flying--;
	if (arena->left) {
		start(racer);
		/* S15: this one is over; what is asked now is asked of the new one, or of nobody */
		if (arena->left % 7 == 0)
			sennit_cancel_signal_emit(&arena->racer[arena->left % RACERS].signal,
						  SENNIT_CANCEL_ALL);
	} else if (!arena->flying) {
		atomic_store(&arena->over, true);
		latch_down(&arena->done);
	}
}

/* On the owner. */
static void start(struct racer *racer)
{
	struct sennit_stream *stream = &racer->arena->descriptor.stream;

	racer->arena->left--;
	racer->arena->flying++;
	sennit_op_bind_slot(&racer->op, sennit_cancel_signal_slot(&racer->signal));
	if (racer->whole)
		sennit_async_read(stream, &racer->byte, 1, &racer->op, on_end);
	else
		sennit_async_read_some(stream, &racer->byte, 1, &racer->op, on_end);
}

static void start_all_racers(void *argument)
{
	struct arena *arena = argument;

	for (int i = 0; i < RACERS; i++)
		start(&arena->racer[i]);
}

static void *emit(void *argument)
{
	struct arena *arena = argument;
	unsigned next = 0;

	while (!atomic_load(&arena->over)) {
		struct racer *racer = &arena->racer[next++ % RACERS];
		int types = next % 3 ? SENNIT_CANCEL_PARTIAL : SENNIT_CANCEL_TOTAL;

		sennit_cancel_signal_emit(&racer->signal, types);
		sched_yield();
	}
	return NULL;
}

/* Bytes that say where in the stream they are, as long as anybody reads. */
static void *feed(void *argument)
{
	struct arena *arena = argument;

	while (!atomic_load(&arena->over)) {
		char bytes[16];

		for (size_t i = 0; i < sizeof bytes; i++)
			bytes[i] = (char)arena->fed++;
		raw_write(arena->peer, bytes, sizeof bytes);
		sched_yield();
	}
	raw_close(arena->peer);
	return NULL;
}

static void play(uint64_t ends)
{
	struct sennit_runtime *runtime = started_runtime(1);
	struct arena arena = { .runtime = runtime, .left = ends, .done = LATCH(1) };
	struct sennit_executor *owner = sennit_runtime_worker(runtime, 0);
	pthread_t threads[EMITTERS + 1];
	uint64_t unread = 0;
	char byte;
	int fds[2];

	raw_local_pair(SOCK_STREAM, fds);
	assert_int_equal(sennit_descriptor_assign(&arena.descriptor, owner, fds[0]), 0);
	arena.peer = fds[1];
	for (int i = 0; i < RACERS; i++) {
		arena.racer[i].arena = &arena;
		arena.racer[i].op.user = &arena.racer[i];
		arena.racer[i].whole = i % 2;
	}
	call_on(owner, start_all_racers, &arena);
	for (int i = 0; i < EMITTERS; i++)
		threads[i] = spawn(emit, &arena);
	threads[EMITTERS] = spawn(feed, &arena);
	latch_wait(&arena.done);
	assert_int_equal(sennit_descriptor_release(&arena.descriptor, &fds[0]), 0);
	while (recv(fds[0], &byte, 1, 0) == 1) /* what nobody has read is where it belongs */
		assert_int_equal(byte, (char)(arena.served + unread++));
	for (int i = 0; i <= EMITTERS; i++)
		join(threads[i]);
	assert_int_equal(arena.served + arena.canceled, ends);
	assert_int_equal(arena.served + unread, arena.fed);
	print_message("%llu served, %llu canceled\n", (unsigned long long)arena.served,
		      (unsigned long long)arena.canceled);
	raw_close(fds[0]);
	end_runtime(runtime);
}

static void every_operation_ends_once_whoever_asks(void **state)
{
	(void)state;
	for (unsigned i = 0; i < scale(); i++) {
		play(1000000);
		progress();
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(every_operation_ends_once_whoever_asks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
