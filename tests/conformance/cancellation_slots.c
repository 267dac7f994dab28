/* SPDX-License-Identifier: MIT */
/* cancellation_slots.c - what a slot and its signal may be used for, and for how long: one flight
 * after the other, executors elsewhere, destroyed runtimes, and what is misuse.
 */
#include "chunk_stream.h"
#include "io_support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct question {
	struct sennit_cancel_signal *signal;
	int types;
};

static void call_emit(void *argument)
{
	const struct question *q = argument;

	sennit_cancel_signal_emit(q->signal, q->types);
}

static void emit_on(const struct stage *stage, enum thread_kind asker,
                    struct sennit_cancel_signal *signal, int types)
{
	struct question question = { signal, types };
	struct stage there = *stage;

	there.kind = asker;
	call_on_kind(&there, call_emit, &question);
}

/* --- one flight after the other --------------------------------------------------------------- */

#define FLIGHTS 1000

struct series {
	struct sennit_descriptor descriptor;
	struct sennit_cancel_signal signal;
	struct sennit_op op;
	struct latch done;
	char byte;
	int left;
	int canceled;
};

static void start_next(struct series *s, sennit_handler *handler)
{
	sennit_op_bind_slot(&s->op, sennit_cancel_signal_slot(&s->signal));
	sennit_async_read_some(&s->descriptor.stream, &s->byte, 1, &s->op, handler);
}

/* From the handler of the operation that was cancelled: the late request is nobody's (HB2), and the
 * next is cancelled by its own. */
static void on_canceled(struct sennit_op *op, int error, size_t bytes)
{
	struct series *s = op->user;

	RECORD(error == -ECANCELED && bytes == 0);
	RECORD(!sennit_cancel_slot_is_bound(sennit_cancel_signal_slot(&s->signal)));
	sennit_cancel_signal_emit(&s->signal, SENNIT_CANCEL_ALL);
	s->canceled++;
	if (s->left-- == 0) {
		latch_down(&s->done);
		return;
	}
	start_next(s, on_canceled);
	RECORD(sennit_cancel_slot_is_bound(sennit_cancel_signal_slot(&s->signal)));
	if (s->left % 2)
		sennit_cancel_signal_emit(&s->signal, SENNIT_CANCEL_TOTAL);
	else
		sennit_op_cancel(op, SENNIT_CANCEL_TOTAL);
}

static void start_series(void *argument)
{
	start_next(argument, on_canceled);
}

SCENARIO(B13_one_slot_serves_a_thousand_flights_one_after_the_other)
{
	struct series s = { .done = LATCH(1), .left = FLIGHTS };
	int peer = open_local(stage, &s.descriptor);

	s.op.user = &s;
	call_on_kind(stage, start_series, &s);
	emit_on(stage, stage->kind, &s.signal, SENNIT_CANCEL_PARTIAL);
	latch_wait(&s.done);
	assert_int_equal(s.canceled, FLIGHTS + 1);
	START(stage, { CLOSE, .stream = &s.descriptor.stream });
	raw_close(peer);
	finish(stage, NULL, 0);
}

/* C112, S6: what meets the next flight ends that one, and only what meets it. */
SCENARIO(C112_a_request_after_one_flight_is_none_for_the_next)
{
	for (int asker = 0; asker < THREAD_KINDS; asker++) {
		struct sennit_cancel_signal signal = { 0 };
		struct sennit_descriptor descriptor;
		struct flight flight = { 0 };
		char data[5];
		int peer = open_local(stage, &descriptor);

		for (int i = 0; i < 20; i++) {
			raw_write(peer, "hello", 5);
			START(stage, { READ, &descriptor.stream, .data = data, .size = 5,
			               .flight = &flight, .slot = &signal.slot_ });
			EXPECT(&flight, 0, 5);
			emit_on(stage, (enum thread_kind)asker, &signal, SENNIT_CANCEL_ALL);
			START(stage, { READ, &descriptor.stream, .data = data, .size = 5,
			               .flight = &flight, .slot = &signal.slot_ });
			PENDING(stage, &flight);
			emit_on(stage, (enum thread_kind)asker, &signal, SENNIT_CANCEL_ALL);
			EXPECT(&flight, -ECANCELED, 0);
		}
		START(stage, { CLOSE, .stream = &descriptor.stream });
		raw_close(peer);
		finish(stage, &flight, 1);
	}
}

/* An operation, with whatever is bound to it. */
struct again {
	struct sennit_descriptor *descriptor;
	struct flight *flight;
	char *data;
};

static void start_again(void *argument)
{
	const struct again *again = argument;

	sennit_async_read(&again->descriptor->stream, again->data, 5, &again->flight->op,
	                  on_result);
}

SCENARIO(a_slot_serves_the_flight_that_it_was_bound_for_and_no_other)
{
	struct sennit_cancel_signal signals[2] = { 0 };
	struct sennit_descriptor descriptor;
	struct flight flight = { 0 };
	char data[5];
	int peer = open_local(stage, &descriptor);

	/* Bound and never started; bound and replaced; bound and let go again. */
	sennit_op_bind_slot(&flight.op, &signals[0].slot_);
	assert_false(sennit_cancel_slot_is_bound(&signals[0].slot_));
	emit_on(stage, stage->kind, &signals[0], SENNIT_CANCEL_ALL);
	START(stage, { READ, &descriptor.stream, .data = data, .size = 5, .flight = &flight,
	               .slot = &signals[1].slot_ });
	PENDING(stage, &flight);
	assert_false(sennit_cancel_slot_is_bound(&signals[0].slot_));
	emit_on(stage, stage->kind, &signals[0], SENNIT_CANCEL_ALL);
	PENDING(stage, &flight);
	emit_on(stage, stage->kind, &signals[1], SENNIT_CANCEL_ALL);
	EXPECT(&flight, -ECANCELED, 0);
	/* The next flight has none. */
	expect_result(&flight.op, &flight.result, stage->owner);
	call_on_kind(stage, start_again, &(struct again){ &descriptor, &flight, data });
	PENDING(stage, &flight);
	emit_on(stage, stage->kind, &signals[0], SENNIT_CANCEL_ALL);
	emit_on(stage, stage->kind, &signals[1], SENNIT_CANCEL_ALL);
	PENDING(stage, &flight);
	raw_write(peer, "hello", 5);
	EXPECT(&flight, 0, 5);
	START(stage, { CLOSE, .stream = &descriptor.stream });
	raw_close(peer);
	finish(stage, &flight, 1);
}

/* A13, S13: what ends before it begins lets its slot go too. */
SCENARIO(a_slot_is_free_again_where_the_start_is_refused_or_has_nothing_to_do)
{
	struct sennit_cancel_signal signal = { 0 };
	struct sennit_descriptor descriptor;
	struct sennit_tcp_socket closed;
	struct flight flight = { 0 };
	char data[5];
	int peer = open_local(stage, &descriptor);

	sennit_tcp_socket_init(&closed, stage->owner);
	for (int i = 0; i < 2; i++) {
		START(stage, { READ, &descriptor.stream, .data = data, .size = 0, .flight = &flight,
		               .slot = &signal.slot_ });
		EXPECT(&flight, 0, 0);
		assert_false(sennit_cancel_slot_is_bound(&signal.slot_));
		START(stage, { READ, &closed.stream, .data = data, .size = 5, .flight = &flight,
		               .slot = &signal.slot_ });
		EXPECT(&flight, -EBADF, 0);
		assert_false(sennit_cancel_slot_is_bound(&signal.slot_));
		START(stage, { CLOSE, .stream = &descriptor.stream });
		START(stage, { READ, &descriptor.stream, .data = data, .size = 5, .flight = &flight,
		               .slot = &signal.slot_ });
		EXPECT(&flight, -EBADF, 0);
		assert_false(sennit_cancel_slot_is_bound(&signal.slot_));
	}
	raw_close(peer);
	finish(stage, &flight, 1);
}

SCENARIO(a_slot_that_was_bound_for_a_refused_start_does_not_stay_for_the_next)
{
	struct sennit_cancel_signal signal = { 0 };
	struct sennit_descriptor descriptor = { 0 }, unopened;
	struct flight flight = { 0 };
	char data[5];
	int peer = open_local(stage, &descriptor);

	sennit_descriptor_init(&unopened, stage->owner);
	START(stage, { READ, &unopened.stream, .data = data, .size = 5, .flight = &flight,
	               .slot = &signal.slot_ });
	EXPECT(&flight, -EBADF, 0);
	expect_result(&flight.op, &flight.result, stage->owner);
	call_on_kind(stage, start_again, &(struct again){ &descriptor, &flight, data });
	PENDING(stage, &flight);
	assert_false(sennit_cancel_slot_is_bound(&signal.slot_));
	START(stage, { CLOSE, .stream = &descriptor.stream });
	EXPECT(&flight, -ECANCELED, 0);
	raw_close(peer);
	finish(stage, &flight, 1);
}

/* --- lifetimes -------------------------------------------------------------------------------- */

/* All that an operation consists of, in memory that its handler frees. */
struct whole {
	struct sennit_descriptor descriptor;
	struct sennit_cancel_signal signal;
	struct sennit_op op;
	char data[5];
	struct latch *freed;
};

static void on_end_free(struct sennit_op *op, int error, size_t bytes)
{
	struct whole *whole = op->user;
	struct latch *freed = whole->freed;

	RECORD(error == -ECANCELED && bytes == 0);
	sennit_close(&whole->descriptor.stream);
	memset(whole, 0xff, sizeof *whole);
	free(whole);
	latch_down(freed);
}

static void start_whole(void *argument)
{
	struct whole *whole = argument;

	whole->op.user = whole;
	sennit_op_bind_slot(&whole->op, sennit_cancel_signal_slot(&whole->signal));
	sennit_async_read(&whole->descriptor.stream, whole->data, 5, &whole->op, on_end_free);
}

/* S5: the handler comes after the request was made, so it may free everything. */
SCENARIO(S5_signal_operation_and_object_may_be_freed_in_the_handler)
{
	struct hold hold;

	for (int asker = 0; asker < THREAD_KINDS; asker++) {
		for (int repeat = 0; repeat < 3; repeat++) {
			struct latch freed = LATCH(1);
			struct whole *whole = zeroed(sizeof *whole);
			int peer = open_local(stage, &whole->descriptor);

			whole->freed = &freed;
			call_on_kind(stage, start_whole, whole);
			owner_turn(stage);
			if (asker != THREAD_OWNER)
				hold_worker(&hold, stage->owner);
			emit_on(stage, (enum thread_kind)asker, &whole->signal, SENNIT_CANCEL_ALL);
			if (asker != THREAD_OWNER) {
				for (int more = 0; more < repeat; more++)
					emit_on(stage, (enum thread_kind)asker, &whole->signal,
					        SENNIT_CANCEL_PARTIAL);
				let_go(&hold);
			}
			latch_wait(&freed);
			raw_close(peer);
		}
	}
	finish(stage, NULL, 0);
}

/* B10: the object is gone, the signal is not. */
SCENARIO(S5_a_request_after_the_object_and_its_runtime_are_gone_does_nothing)
{
	struct sennit_cancel_signal signal = { 0 };
	struct stage driven = driven_stage();
	struct sennit_descriptor *descriptor = zeroed(sizeof *descriptor);
	struct flight *flight = zeroed(sizeof *flight);
	char data[5];
	int peer = open_local(&driven, descriptor);

	START(&driven, { READ, &descriptor->stream, .data = data, .size = 5, .flight = flight,
	                 .slot = &signal.slot_ });
	START(&driven, { CLOSE, .stream = &descriptor->stream });
	DRIVE(driven.runtime, flight, -ECANCELED, 0);
	free(flight);
	free(descriptor);
	end_runtime(driven.runtime);
	raw_close(peer);
	for (int asker = 0; asker < THREAD_KINDS; asker++)
		emit_on(stage, (enum thread_kind)asker, &signal, SENNIT_CANCEL_ALL);
}

/* --- elsewhere -------------------------------------------------------------------------------- */

SCENARIO(an_operation_that_is_bound_to_another_worker_is_cancelled_and_handled_there)
{
	struct sennit_executor *everywhere = sennit_runtime_executor(stage->runtime);

	for (int asker = 0; asker < THREAD_KINDS; asker++) {
		struct sennit_cancel_signal signals[2] = { 0 };
		struct sennit_descriptor descriptor;
		struct flight flights[2] = { 0 };
		char data[2][5];
		int peer = open_local(stage, &descriptor);

		START(stage,
		      { READ, &descriptor.stream, .data = data[0], .size = 5, .bound = stage->other,
		        .flight = &flights[0], .slot = &signals[0].slot_ },
		      { READ_SOME, &descriptor.stream, .data = data[1], .size = 5,
		        .bound = everywhere, .flight = &flights[1], .slot = &signals[1].slot_ });
		PENDING(stage, &flights[1]);
		emit_on(stage, (enum thread_kind)asker, &signals[0], SENNIT_CANCEL_TERMINAL);
		emit_on(stage, (enum thread_kind)asker, &signals[1], SENNIT_CANCEL_TOTAL);
		EXPECT(&flights[0], -ECANCELED, 0);
		EXPECT(&flights[1], -ECANCELED, 0);
		START(stage, { CLOSE, .stream = &descriptor.stream });
		raw_close(peer);
		finish(stage, flights, 2);
	}
}

SCENARIO(an_operation_that_is_bound_to_another_runtime_is_cancelled_and_handled_there)
{
	for (int asker = 0; asker < THREAD_KINDS; asker++) {
		struct sennit_runtime *abroad = driven_runtime();
		struct sennit_cancel_signal signal = { 0 };
		struct sennit_descriptor descriptor;
		struct flight flight = { 0 };
		char data[5];
		int peer = open_local(stage, &descriptor);

		START(stage, { READ, &descriptor.stream, .data = data, .size = 5,
		               .bound = sennit_runtime_executor(abroad), .flight = &flight,
		               .slot = &signal.slot_ });
		owner_turn(stage);
		emit_on(stage, (enum thread_kind)asker, &signal, SENNIT_CANCEL_PARTIAL);
		DRIVE(abroad, &flight, -ECANCELED, 0);
		end_runtime(abroad);
		START(stage, { CLOSE, .stream = &descriptor.stream });
		raw_close(peer);
		finish(stage, &flight, 1);
	}
}

/* An operation that is bound to the other worker, whose handler frees it. */
struct leaving {
	struct sennit_op op;
	struct latch *gone;
};

static void on_left(struct sennit_op *op, int error, size_t bytes)
{
	struct leaving *leaving = op->user;
	struct latch *gone = leaving->gone;

	RECORD(error == -ECANCELED && bytes == 0);
	memset(leaving, 0xff, sizeof *leaving);
	free(leaving);
	latch_down(gone);
}

/* A stream type that is slow to hear: until that handler has run. */
struct slow {
	struct sennit_stream stream;
	struct sennit_descriptor descriptor;
	struct sennit_cancel_signal signals[2];
	struct flight flight;
	struct leaving *leaving;
	struct latch gone;
	struct latch inside;
	struct latch asked;
	char data[2];
};

static void serve_never(void *self, struct sennit_op *op)
{
	(void)self;
	(void)op;
}

static void end_slowly(void *self, struct sennit_op *op, int types, int error)
{
	struct slow *slow = self;

	(void)types;
	latch_wait(&slow->gone);
	sennit_op_complete(op, error);
}

static void start_leaving(void *argument)
{
	struct slow *slow = argument;

	slow->leaving->op.user = slow->leaving;
	sennit_op_bind_slot(&slow->leaving->op, &slow->signals[0].slot_);
	sennit_async_read_some(&slow->descriptor.stream, slow->data, 1, &slow->leaving->op,
	                       on_left);
}

/* With both requests in the owner's inbox, the other one's after its own. */
static void cancel_while_it_leaves(void *argument)
{
	struct slow *slow = argument;

	latch_down(&slow->inside);
	latch_wait(&slow->asked);
	sennit_op_cancel(&slow->leaving->op, SENNIT_CANCEL_ALL);
}

static void *emit_both(void *argument)
{
	struct slow *slow = argument;

	latch_wait(&slow->inside);
	sennit_cancel_signal_emit(&slow->signals[0], SENNIT_CANCEL_ALL);
	sennit_cancel_signal_emit(&slow->signals[1], SENNIT_CANCEL_ALL);
	latch_down(&slow->asked);
	return NULL;
}

/* Who cancels an operation on its owner does not let what was sent before free it meanwhile. */
static void cancel_of_an_operation_that_may_leave_touches_it_only_before(void **state)
{
	static const struct sennit_stream_type type = { .read = serve_never, .cancel = end_slowly };
	struct sennit_runtime *runtime = started_runtime(2);
	struct stage stage = { runtime, sennit_runtime_worker(runtime, 0),
		               sennit_runtime_worker(runtime, 1), THREAD_OWNER };
	struct slow slow = { .gone = LATCH(1), .inside = LATCH(1), .asked = LATCH(1) };
	int peer = open_local(&stage, &slow.descriptor);
	pthread_t thread;

	(void)state;
	slow.leaving = zeroed(sizeof *slow.leaving);
	slow.leaving->gone = &slow.gone;
	sennit_op_bind_executor(&slow.leaving->op, stage.other);
	assert_int_equal(sennit_stream_open(&slow.stream, stage.owner, &type, &slow), 0);
	START(&stage, { READ_SOME, &slow.stream, .data = slow.data + 1, .size = 1,
	                .flight = &slow.flight, .slot = &slow.signals[1].slot_ });
	call_on_owner(&stage, start_leaving, &slow);
	thread = spawn(emit_both, &slow);
	call_on_owner(&stage, cancel_while_it_leaves, &slow);
	join(thread);
	EXPECT(&slow.flight, -ECANCELED, 0);
	latch_wait(&slow.gone);
	sennit_close(&slow.stream);
	sennit_close(&slow.descriptor.stream);
	raw_close(peer);
	end_runtime(runtime);
}

/* --- destroy ---------------------------------------------------------------------------------- */

static void what_is_pending_when_its_runtime_is_destroyed_lets_its_slot_go(void **state)
{
	struct sennit_cancel_signal signals[3] = { 0 };
	struct flight flights[3] = { 0 };
	char data[2][5];

	(void)state;
	for (int round = 0; round < 2; round++) {
		struct sennit_runtime *runtime = started_runtime(2);
		struct stage stage = { runtime, sennit_runtime_worker(runtime, 0),
			               sennit_runtime_worker(runtime, 1), THREAD_FOREIGN };
		struct sennit_descriptor descriptor;
		int peer = open_local(&stage, &descriptor);

		START(&stage,
		      { READ, &descriptor.stream, .data = data[0], .size = 5, .flight = &flights[0],
		        .slot = &signals[0].slot_ },
		      { WAIT, &descriptor.stream, .what = SENNIT_WAIT_READ, .flight = &flights[1],
		        .slot = &signals[1].slot_ },
		      { READ, &descriptor.stream, .data = data[1], .size = 5, .bound = stage.other,
		        .flight = &flights[2], .slot = &signals[2].slot_ });
		end_runtime(runtime);
		for (int i = 0; i < 3; i++) {
			EXPECT(&flights[i], SENNIT_SHUTDOWN, 0);
			assert_false(sennit_cancel_slot_is_bound(&signals[i].slot_));
			sennit_cancel_signal_emit(&signals[i], SENNIT_CANCEL_ALL);
		}
		raw_close(peer);
	}
}

/* Of a runtime that nobody drives: the requests are on their way when it is destroyed. */
static void a_request_that_destroy_finds_on_its_way_is_handled_or_overtaken_once(void **state)
{
	struct sennit_cancel_signal signals[2] = { 0 };
	struct stage stage = driven_stage();
	struct sennit_descriptor descriptor;
	struct flight flights[2] = { 0 };
	int peer = open_local(&stage, &descriptor);
	char data[2][5];

	(void)state;
	for (int i = 0; i < 2; i++) {
		START(&stage, { READ, &descriptor.stream, .data = data[i], .size = 5,
		                .flight = &flights[i], .slot = &signals[i].slot_ });
		if (i == 0)
			sennit_runtime_poll(stage.runtime); /* this one is there already */
		sennit_cancel_signal_emit(&signals[i], SENNIT_CANCEL_PARTIAL);
	}
	end_runtime(stage.runtime);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(flights[i].result.calls, 1);
		assert_true(flights[i].result.error == -ECANCELED ||
		            flights[i].result.error == SENNIT_SHUTDOWN);
		assert_int_equal(flights[i].result.bytes, 0);
		assert_false(sennit_cancel_slot_is_bound(&signals[i].slot_));
	}
	raw_close(peer);
}

#define PAIRS 20

struct ending {
	struct sennit_cancel_signal signals[PAIRS];
	struct flight flights[PAIRS];
	struct latch ready;
	atomic_bool over;
};

static void *emit_without_end(void *argument)
{
	struct ending *ending = argument;

	latch_down(&ending->ready);
	while (!atomic_load(&ending->over))
		for (int i = 0; i < PAIRS; i++)
			sennit_cancel_signal_emit(&ending->signals[i], SENNIT_CANCEL_PARTIAL);
	return NULL;
}

/* S5: emit after completion touches nothing, so it may go on while the runtime is destroyed. */
static void requests_go_on_while_the_runtime_is_destroyed(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 50 * scale(); round++) {
		struct ending ending = { .ready = LATCH(1) };
		struct sennit_runtime *runtime = started_runtime(2);
		struct stage stage = { runtime, sennit_runtime_worker(runtime, 0),
			               sennit_runtime_worker(runtime, 1), THREAD_FOREIGN };
		struct sennit_descriptor descriptor;
		int peer = open_local(&stage, &descriptor);
		char data[5];
		pthread_t thread;

		for (int i = 0; i < PAIRS; i++)
			START(&stage,
			      { READ, &descriptor.stream, .data = data, .size = 5,
			        .bound = i % 3 ? NULL : stage.other, .flight = &ending.flights[i],
			        .slot = &ending.signals[i].slot_ });
		thread = spawn(emit_without_end, &ending);
		if (round % 2)
			latch_wait(&ending.ready);
		end_runtime(runtime);
		atomic_store(&ending.over, true);
		join(thread);
		for (int i = 0; i < PAIRS; i++) {
			const struct result *result = &ending.flights[i].result;

			assert_int_equal(result->calls, 1);
			assert_true(result->error == -ECANCELED ||
			            result->error == SENNIT_SHUTDOWN);
		}
		raw_close(peer);
		progress();
	}
}

/* --- allocations ------------------------------------------------------------------------------ */

static void cancel_everything(void *argument)
{
	struct series *s = argument;
	uint64_t before = allocations_here();

	for (int i = 0; i < 100; i++) {
		sennit_op_bind_slot(&s->op, sennit_cancel_signal_slot(&s->signal));
		sennit_cancel_signal_emit(&s->signal, SENNIT_CANCEL_ALL);
	}
	start_next(s, on_canceled);
	sennit_cancel_signal_emit(&s->signal, SENNIT_CANCEL_NONE);
	sennit_cancel_signal_emit(&s->signal, SENNIT_CANCEL_TOTAL);
	RECORD(allocations_here() == before);
}

static void do_nothing(void *argument)
{
	(void)argument;
}

static void neither_starts_with_a_slot_nor_requests_allocate(void **state)
{
	struct sennit_runtime *runtime = started_runtime(2);
	struct stage stage = { runtime, sennit_runtime_worker(runtime, 0),
		               sennit_runtime_worker(runtime, 1), THREAD_FOREIGN };
	struct series s = { .done = LATCH(1), .left = FLIGHTS };
	int peer = open_local(&stage, &s.descriptor);
	uint64_t before;

	(void)state;
	s.op.user = &s;
	owner_turn(&stage);
	call_on_other(&stage, do_nothing, NULL); /* both threads are there, with all they need */
	before = allocations();
	call_on(stage.owner, cancel_everything, &s);
	latch_wait(&s.done);
	s.done = (struct latch)LATCH(1);
	s.left = 0;
	start_next(&s, on_canceled);
	sennit_cancel_signal_emit(&s.signal, SENNIT_CANCEL_TOTAL);
	latch_wait(&s.done);
	assert_int_equal(allocations(), before);
	sennit_close(&s.descriptor.stream);
	raw_close(peer);
	end_runtime(runtime);
}

/* --- misuse ----------------------------------------------------------------------------------- */

struct wrong {
	struct stage stage;
	struct sennit_descriptor descriptor;
	struct sennit_cancel_signal signal;
	struct flight flights[2];
	char data[5];
	int peer;
};

static void begin_wrong(struct wrong *wrong, bool slot)
{
	memset(wrong, 0, sizeof *wrong);
	wrong->stage = driven_stage();
	wrong->peer = open_local(&wrong->stage, &wrong->descriptor);
	for (int i = 0; i < 2; i++) {
		struct flight *flight = &wrong->flights[i];

		expect_result(&flight->op, &flight->result, NULL);
		if (slot)
			sennit_op_bind_slot(&flight->op, &wrong->signal.slot_);
	}
	sennit_async_read(&wrong->descriptor.stream, wrong->data, 5, &wrong->flights[0].op,
	                  on_result);
}

static void one_slot_for_two(void *argument)
{
	struct wrong wrong;

	(void)argument;
	begin_wrong(&wrong, true);
	sennit_async_read(&wrong.descriptor.stream, wrong.data, 5, &wrong.flights[1].op, on_result);
}

static void binding_in_flight(void *argument)
{
	struct wrong wrong;

	(void)argument;
	begin_wrong(&wrong, false);
	sennit_op_bind_slot(&wrong.flights[0].op, &wrong.signal.slot_);
}

static void unbinding_in_flight(void *argument)
{
	struct wrong wrong;

	(void)argument;
	begin_wrong(&wrong, true);
	sennit_op_bind_slot(&wrong.flights[0].op, NULL);
}

static void cancelling_off_the_owner(void *argument)
{
	struct wrong wrong;

	(void)argument;
	begin_wrong(&wrong, false);
	sennit_op_cancel(&wrong.flights[0].op, SENNIT_CANCEL_ALL);
}

static void emitting_nothing(void *argument)
{
	(void)argument;
	sennit_cancel_signal_emit(NULL, SENNIT_CANCEL_ALL);
}

static void cancelling_nothing(void *argument)
{
	(void)argument;
	sennit_op_cancel(NULL, SENNIT_CANCEL_ALL);
}

static struct wrong *asked;
static bool by_signal;

static size_t cancel_what_asks(struct sennit_op *op, int error, size_t bytes)
{
	(void)error;
	(void)bytes;
	if (by_signal)
		sennit_cancel_signal_emit(&asked->signal, SENNIT_CANCEL_ALL);
	else
		sennit_op_cancel(op, SENNIT_CANCEL_ALL);
	return 1;
}

static void cancelling_in_a_condition(void *argument)
{
	struct wrong wrong;

	asked = &wrong;
	by_signal = argument != NULL;
	begin_wrong(&wrong, true);
	sennit_op_bind_slot(&wrong.flights[1].op, NULL);
	sennit_async_write_while(&wrong.descriptor.stream, wrong.data, 5, cancel_what_asks,
	                         &wrong.flights[1].op, on_result);
	sennit_runtime_run_one(wrong.stage.runtime);
}

/* S6, B13. */
static void what_is_misuse_of_slots_says_so(void **state)
{
	(void)state;
	assert_misuse(one_slot_for_two, NULL, "bound to another operation");
	assert_misuse(binding_in_flight, NULL, "in flight");
	assert_misuse(unbinding_in_flight, NULL, "in flight");
	assert_misuse(cancelling_off_the_owner, NULL, "off the owner");
	assert_misuse(emitting_nothing, NULL, "the signal is NULL");
	assert_misuse(cancelling_nothing, NULL, "the operation is NULL");
	assert_misuse(cancelling_in_a_condition, NULL, "inside a completion condition");
	assert_misuse(cancelling_in_a_condition, &by_signal, "inside a completion condition");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(B13_one_slot_serves_a_thousand_flights_one_after_the_other),
		TEST(C112_a_request_after_one_flight_is_none_for_the_next),
		TEST(a_slot_serves_the_flight_that_it_was_bound_for_and_no_other),
		TEST(a_slot_is_free_again_where_the_start_is_refused_or_has_nothing_to_do),
		TEST(a_slot_that_was_bound_for_a_refused_start_does_not_stay_for_the_next),
		TEST(S5_signal_operation_and_object_may_be_freed_in_the_handler),
		TEST(S5_a_request_after_the_object_and_its_runtime_are_gone_does_nothing),
		TEST(an_operation_that_is_bound_to_another_worker_is_cancelled_and_handled_there),
		TEST(an_operation_that_is_bound_to_another_runtime_is_cancelled_and_handled_there),
		TEST(cancel_of_an_operation_that_may_leave_touches_it_only_before),
		TEST(what_is_pending_when_its_runtime_is_destroyed_lets_its_slot_go),
		TEST(a_request_that_destroy_finds_on_its_way_is_handled_or_overtaken_once),
		TEST(requests_go_on_while_the_runtime_is_destroyed),
		TEST(neither_starts_with_a_slot_nor_requests_allocate),
		TEST(what_is_misuse_of_slots_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
