/* SPDX-License-Identifier: MIT */
/* cancellation_moments.c - when a single operation is asked to end: before its start, on its way,
 * while others are before and behind it, when its result stands already, while its runtime is being
 * destroyed; and what a slot and a signal may be used for.
 */
#include "io_support.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define MEBIBYTE ((size_t)1 << 20)

/* --- asking ----------------------------------------------------------------------------------- */

enum how { EMIT, OP_CANCEL, OBJECT_CANCEL, OBJECT_CLOSE, HOWS };

struct question {
	enum how how;
	struct sennit_cancel_signal *signal;
	struct flight *flight;
	struct sennit_stream *stream;
	int types;
};

static void call_question(void *argument)
{
	const struct question *q = argument;

	switch (q->how) {
	case EMIT:
		sennit_cancel_signal_emit(q->signal, q->types);
		break;
	case OP_CANCEL:
		sennit_op_cancel(&q->flight->op, q->types);
		break;
	case OBJECT_CANCEL:
		sennit_cancel(q->stream);
		break;
	default:
		sennit_close(q->stream);
		break;
	}
}

static void ask(const struct stage *stage, enum thread_kind asker, const struct question *question)
{
	struct stage there = *stage;

	there.kind = asker;
	call_on_kind(&there, call_question, (void *)(uintptr_t)question);
}

static void emit_on(const struct stage *stage, enum thread_kind asker,
                    struct sennit_cancel_signal *signal, int types)
{
	ask(stage, asker, &(struct question){ EMIT, signal, .types = types });
}

static void wait_until_unbound(struct sennit_cancel_signal *signal)
{
	while (sennit_cancel_slot_is_bound(sennit_cancel_signal_slot(signal)))
		sched_yield();
}

/* --- the result stands ------------------------------------------------------------------------ */

/* S15: the handler is due on a runtime that nobody drives yet. */
static void expect_that_it_stands(struct stage *stage, struct start start, size_t bytes,
                                  enum how how)
{
	struct sennit_runtime *abroad = driven_runtime();
	struct sennit_cancel_signal signal = { 0 };
	struct question question = { how, &signal, start.flight, start.stream, SENNIT_CANCEL_ALL };

	start.bound = sennit_runtime_executor(abroad);
	start.slot = sennit_cancel_signal_slot(&signal);
	start_all(stage, &start, 1);
	wait_until_unbound(&signal); /* S5: before the handler */
	if (how == OP_CANCEL)
		ask(stage, THREAD_OWNER, &question);
	for (int asker = 0; how != OP_CANCEL && asker < THREAD_KINDS; asker++)
		ask(stage, (enum thread_kind)asker, &question);
	owner_turn(stage);
	assert_int_equal(start.flight->result.calls, 0);
	DRIVE(abroad, start.flight, 0, bytes);
	end_runtime(abroad);
}

SCENARIO(S15_a_result_that_was_decided_stands_whoever_asks_before_its_handler_ran)
{
	for (int how = 0; how < HOWS; how++) {
		struct sennit_descriptor descriptor;
		struct flight flights[3] = { 0 };
		char data[5];
		int peer = open_local(stage, &descriptor);

		raw_write(peer, "hello", 5);
		expect_that_it_stands(stage,
		                      (struct start){ WAIT, &descriptor.stream,
		                                      .what = SENNIT_WAIT_READ,
		                                      .flight = &flights[0] },
		                      0, how == OBJECT_CLOSE ? OBJECT_CANCEL : (enum how)how);
		expect_that_it_stands(stage,
		                      (struct start){ WRITE, &descriptor.stream, .data = "12345",
		                                      .size = 5, .flight = &flights[1] },
		                      5, how == OBJECT_CLOSE ? OBJECT_CANCEL : (enum how)how);
		expect_that_it_stands(stage,
		                      (struct start){ READ, &descriptor.stream, .data = data,
		                                      .size = 5, .flight = &flights[2] },
		                      5, (enum how)how);
		assert_memory_equal(data, "hello", 5);
		raw_read(peer, data, 5);
		START(stage, { CLOSE, .stream = &descriptor.stream });
		raw_close(peer);
		finish(stage, flights, 3);
	}
}

struct at_once {
	struct sennit_descriptor descriptor;
	struct sennit_cancel_signal signal;
	struct flight read;
	struct flight write;
	struct flight empty;
	char data[5];
	bool by_op;
};

/* On the owner: the read is served at the start, the write when the turn ends. */
static void start_and_ask(void *argument)
{
	struct at_once *a = argument;
	struct sennit_cancel_slot *slot = sennit_cancel_signal_slot(&a->signal);

	sennit_op_bind_slot(&a->read.op, slot);
	sennit_async_read(&a->descriptor.stream, a->data, 5, &a->read.op, on_result);
	RECORD(!sennit_cancel_slot_is_bound(slot));
	sennit_cancel_signal_emit(&a->signal, SENNIT_CANCEL_ALL);
	sennit_op_cancel(&a->read.op, SENNIT_CANCEL_ALL);
	sennit_op_bind_slot(&a->write.op, slot);
	sennit_async_write(&a->descriptor.stream, "never", 5, &a->write.op, on_result);
	RECORD(sennit_cancel_slot_is_bound(slot));
	sennit_op_bind_slot(&a->empty.op, NULL);
	sennit_async_write(&a->descriptor.stream, "", 0, &a->empty.op, on_result);
	if (a->by_op)
		sennit_op_cancel(&a->write.op, SENNIT_CANCEL_PARTIAL);
	else
		sennit_cancel_signal_emit(&a->signal, SENNIT_CANCEL_PARTIAL);
	RECORD(!sennit_cancel_slot_is_bound(slot));
	RECORD(a->read.result.calls + a->write.result.calls == 0); /* B9 */
}

/* C118: handlers that were due already come first. */
SCENARIO(C118_asked_where_it_was_started_a_handler_runs_after_those_that_were_due)
{
	for (int by_op = 0; by_op < 2; by_op++) {
		struct at_once a = { .by_op = by_op };
		int peer = open_local(stage, &a.descriptor);

		raw_write(peer, "hello", 5);
		expect_result(&a.read.op, &a.read.result, stage->owner);
		expect_result(&a.write.op, &a.write.result, stage->owner);
		expect_result(&a.empty.op, &a.empty.result, stage->owner);
		call_on_owner(stage, start_and_ask, &a);
		EXPECT(&a.write, -ECANCELED, 0);
		EXPECT(&a.read, 0, 5);
		EXPECT(&a.empty, 0, 0);
		assert_true(a.read.result.order < a.empty.result.order);
		assert_true(a.empty.result.order < a.write.result.order);
		assert_memory_equal(a.data, "hello", 5);
		raw_silent(peer);
		START(stage, { CLOSE, .stream = &a.descriptor.stream });
		raw_close(peer);
		finish(stage, &a.write, 1);
	}
}

/* --- on the way to the owner ------------------------------------------------------------------ */

/* HB4: what is asked after the start is not lost while the start is on its way. */
static void S14_asked_before_the_owner_has_the_start_it_does_nothing_at_all(void **state)
{
	static const int types[] = { SENNIT_CANCEL_TERMINAL, SENNIT_CANCEL_PARTIAL,
		                     SENNIT_CANCEL_ALL };
	struct sennit_runtime *runtime = started_runtime(2);
	struct stage stage = { runtime, sennit_runtime_worker(runtime, 0),
		               sennit_runtime_worker(runtime, 1), THREAD_FOREIGN };
	struct sennit_descriptor descriptor;
	int peer = open_local(&stage, &descriptor);
	char data[5];

	(void)state;
	raw_write(peer, "hello", 5);
	for (int i = 0; i < 6; i++) {
		struct sennit_cancel_signal signals[3] = { 0 };
		struct flight flights[3] = { 0 };
		struct hold hold;

		stage.kind = i < 3 ? THREAD_FOREIGN : THREAD_OTHER_WORKER;
		hold_worker(&hold, stage.owner);
		START(&stage,
		      { READ, &descriptor.stream, .data = data, .size = 5, .flight = &flights[0],
		        .slot = &signals[0].slot_ },
		      { WRITE, &descriptor.stream, .data = "never", .size = 5,
		        .flight = &flights[1], .slot = &signals[1].slot_ },
		      { WAIT, &descriptor.stream, .what = SENNIT_WAIT_WRITE, .flight = &flights[2],
		        .slot = &signals[2].slot_ });
		for (int each = 0; each < 3; each++) {
			emit_on(&stage, stage.kind, &signals[each], 8);
			emit_on(&stage, stage.kind, &signals[each], types[i % 3]);
			emit_on(&stage, THREAD_FOREIGN, &signals[each], SENNIT_CANCEL_PARTIAL);
		}
		let_go(&hold);
		for (int each = 0; each < 3; each++) {
			EXPECT(&flights[each], -ECANCELED, 0);
			assert_false(sennit_cancel_slot_is_bound(&signals[each].slot_));
		}
		raw_silent(peer);
	}
	recorded();
	sennit_close(&descriptor.stream);
	raw_close(peer);
	end_runtime(runtime);
}

struct on_its_way {
	struct sennit_descriptor descriptor;
	struct flight flight;
	struct latch inside;
	struct latch started;
	char data[5];
	int types;
};

static void cancel_on_its_way(void *argument)
{
	struct on_its_way *way = argument;

	latch_down(&way->inside);
	latch_wait(&way->started);
	sennit_op_cancel(&way->flight.op, SENNIT_CANCEL_NONE);
	sennit_op_cancel(&way->flight.op, way->types);
}

static void *start_elsewhere(void *argument)
{
	struct on_its_way *way = argument;

	latch_wait(&way->inside);
	sennit_async_read(&way->descriptor.stream, way->data, 5, &way->flight.op, on_result);
	latch_down(&way->started);
	return NULL;
}

static void the_owner_may_cancel_an_operation_whose_start_is_on_its_way(void **state)
{
	struct sennit_runtime *runtime = started_runtime(1);
	struct stage stage = { .runtime = runtime, .owner = sennit_runtime_worker(runtime, 0) };

	(void)state;
	for (int total = 0; total < 2; total++) {
		struct on_its_way way = { .inside = LATCH(1), .started = LATCH(1) };
		int peer = open_local(&stage, &way.descriptor);
		pthread_t thread;

		way.types = total ? SENNIT_CANCEL_TOTAL : SENNIT_CANCEL_PARTIAL;
		expect_result(&way.flight.op, &way.flight.result, stage.owner);
		thread = spawn(start_elsewhere, &way);
		call_on_owner(&stage, cancel_on_its_way, &way);
		join(thread);
		raw_write(peer, "hello", 5);
		if (total) /* which a whole read ignores */
			EXPECT(&way.flight, 0, 5);
		else
			EXPECT(&way.flight, -ECANCELED, 0);
		/* It is forgotten with its flight. */
		expect_result(&way.flight.op, &way.flight.result, stage.owner);
		sennit_async_read(&way.descriptor.stream, way.data, 5, &way.flight.op, on_result);
		if (total)
			raw_write(peer, "again", 5);
		EXPECT(&way.flight, 0, 5);
		sennit_close(&way.descriptor.stream);
		raw_close(peer);
	}
	end_runtime(runtime);
}

/* S4, and what cannot be given is not given, wherever the request was waiting. */
SCENARIO(what_was_asked_for_on_the_way_counts_for_what_the_operation_can_give)
{
	struct sennit_descriptor descriptor;
	struct sennit_cancel_signal signal = { 0 };
	struct flight flight = { 0 };
	struct hold hold;
	char data[5];
	int peer = open_local(stage, &descriptor);

	if (stage->kind == THREAD_OWNER)
		stage->kind = THREAD_FOREIGN;
	hold_worker(&hold, stage->owner);
	START(stage, { READ, &descriptor.stream, .data = data, .size = 5, .flight = &flight,
	               .slot = &signal.slot_ });
	emit_on(stage, stage->kind, &signal, SENNIT_CANCEL_TOTAL);
	let_go(&hold);
	PENDING(stage, &flight);
	raw_write(peer, "he", 2);
	wait_until_read(sennit_descriptor_native_handle(&descriptor));
	emit_on(stage, stage->kind, &signal, SENNIT_CANCEL_TOTAL);
	PENDING(stage, &flight);
	hold_worker(&hold, stage->owner); /* nothing takes an earlier request back */
	emit_on(stage, stage->kind, &signal, SENNIT_CANCEL_PARTIAL);
	emit_on(stage, stage->kind, &signal, SENNIT_CANCEL_TOTAL);
	let_go(&hold);
	EXPECT(&flight, -ECANCELED, 2);
	START(stage, { CLOSE, .stream = &descriptor.stream });
	raw_close(peer);
	finish(stage, &flight, 1);
}

/* --- one among others ------------------------------------------------------------------------- */

SCENARIO(a_cancelled_read_takes_nothing_from_those_before_and_behind_it)
{
	for (int asker = 0; asker < THREAD_KINDS; asker++) {
		struct sennit_cancel_signal signals[3] = { 0 };
		struct sennit_descriptor descriptor;
		struct flight flights[3] = { 0 };
		char data[3][5];
		int peer = open_local(stage, &descriptor);

		for (int i = 0; i < 3; i++)
			START(stage, { READ, &descriptor.stream, .data = data[i], .size = 5,
			               .flight = &flights[i], .slot = &signals[i].slot_ });
		PENDING(stage, &flights[2]);
		emit_on(stage, (enum thread_kind)asker, &signals[1], SENNIT_CANCEL_PARTIAL);
		EXPECT(&flights[1], -ECANCELED, 0);
		PENDING(stage, &flights[0]);
		PENDING(stage, &flights[2]);
		raw_write(peer, "hel", 3);
		wait_until_read(sennit_descriptor_native_handle(&descriptor));
		emit_on(stage, (enum thread_kind)asker, &signals[0], SENNIT_CANCEL_PARTIAL);
		EXPECT(&flights[0], -ECANCELED,
		       3); /* the head, in its middle: the next is served */
		raw_write(peer, "worlds", 5);
		EXPECT(&flights[2], 0, 5);
		assert_memory_equal(data[0], "hel", 3);
		assert_memory_equal(data[2], "world", 5);
		START(stage, { CLOSE, .stream = &descriptor.stream });
		raw_close(peer);
		finish(stage, flights, 3);
	}
}

/* C099, S2, S14, S21: four writes, of which the first is blocked in its middle. */
SCENARIO(C099_what_is_reported_as_written_is_what_the_peer_can_read)
{
	static const size_t size = 4 * MEBIBYTE;
	char *data = patterned(size);

	for (int asker = 0; asker < THREAD_KINDS; asker++) {
		for (int some = 0; some < 2; some++) {
			struct sennit_cancel_signal signals[4] = { 0 };
			struct sennit_tcp_socket socket;
			struct flight flights[4] = { 0 };
			int peer = open_socket(stage, &socket);
			char *received = zeroed(size), tail[10];
			struct hold hold;
			size_t bytes;

			if (stage->kind != THREAD_OWNER) /* all four arrive at once */
				hold_worker(&hold, stage->owner);
			START(stage,
			      { some ? WRITE_SOME : WRITE, &socket.stream, .data = data,
			        .size = size, .flight = &flights[0], .slot = &signals[0].slot_ },
			      { WRITE, &socket.stream, .data = "second", .size = 6,
			        .flight = &flights[1], .slot = &signals[1].slot_ },
			      { WRITE_SOME, &socket.stream, .data = "third", .size = 5,
			        .flight = &flights[2], .slot = &signals[2].slot_ },
			      { WRITE, &socket.stream, .data = "fourth", .size = 6,
			        .flight = &flights[3], .slot = &signals[3].slot_ });
			if (stage->kind != THREAD_OWNER)
				let_go(&hold);
			PENDING(stage, &flights[0]);
			emit_on(stage, (enum thread_kind)asker, &signals[2], SENNIT_CANCEL_TOTAL);
			EXPECT(&flights[2], -ECANCELED, 0);
			emit_on(stage, (enum thread_kind)asker, &signals[0], SENNIT_CANCEL_PARTIAL);
			wait_result(&flights[0].result);
			bytes = flights[0].result.bytes;
			assert_true(bytes > 0 && bytes < size);
			EXPECT(&flights[0], some ? 0 : -ECANCELED, bytes);
			raw_read(peer, received, bytes);
			assert_true(is_pattern(received, bytes, 0));
			raw_read(peer, tail, 6);
			assert_memory_equal(tail, "second", 6);
			raw_read(peer, tail, 6);
			assert_memory_equal(tail, "fourth", 6);
			EXPECT(&flights[1], 0, 6);
			EXPECT(&flights[3], 0, 6);
			raw_silent(peer);
			START(stage, { CLOSE, .stream = &socket.stream });
			raw_close(peer);
			finish(stage, flights, 4);
			free(received);
			progress();
		}
	}
	free(data);
}

SCENARIO(a_cancelled_wait_leaves_the_other_waits_to_what_they_wait_for)
{
	struct sennit_cancel_signal signals[3] = { 0 };
	struct sennit_descriptor descriptor;
	struct flight flights[3] = { 0 };
	int peer = open_local(stage, &descriptor);

	for (int i = 0; i < 3; i++)
		START(stage, { WAIT, &descriptor.stream, .what = SENNIT_WAIT_READ,
		               .flight = &flights[i], .slot = &signals[i].slot_ });
	PENDING(stage, &flights[2]);
	emit_on(stage, stage->kind, &signals[1], SENNIT_CANCEL_TOTAL);
	EXPECT(&flights[1], -ECANCELED, 0);
	PENDING(stage, &flights[0]);
	raw_write(peer, "x", 1);
	EXPECT(&flights[0], 0, 0);
	EXPECT(&flights[2], 0, 0);
	START(stage, { CLOSE, .stream = &descriptor.stream });
	raw_close(peer);
	finish(stage, flights, 3);
}

struct waits {
	struct sennit_timer timer;
	struct sennit_cancel_signal signals[3];
	struct flight flights[3];
	struct sennit_executor *owner;
};

static void start_waits(void *argument)
{
	struct waits *waits = argument;

	for (int i = 0; i < 3; i++) {
		struct flight *flight = &waits->flights[i];

		expect_result(&flight->op, &flight->result, waits->owner);
		sennit_op_bind_slot(&flight->op, &waits->signals[i].slot_);
		sennit_timer_async_wait(&waits->timer, &flight->op, on_result);
	}
}

static void never_expire(void *argument)
{
	struct waits *waits = argument;

	RECORD(sennit_timer_expires_at(&waits->timer, SENNIT_NEVER) == 0);
}

static void change_expiry(void *argument)
{
	struct waits *waits = argument;

	RECORD(sennit_timer_expires_after(&waits->timer, 0) == 1);
}

/* B40. */
SCENARIO(a_cancelled_wait_for_a_timer_is_the_only_one_that_ends)
{
	static const int types[] = { SENNIT_CANCEL_TERMINAL, SENNIT_CANCEL_PARTIAL,
		                     SENNIT_CANCEL_TOTAL, SENNIT_CANCEL_ALL };

	for (int i = 0; i < 4 * THREAD_KINDS; i++) {
		enum thread_kind asker = (enum thread_kind)(i % THREAD_KINDS);
		struct waits waits = { .owner = stage->owner };

		assert_int_equal(sennit_timer_init(&waits.timer, stage->owner), 0);
		call_on_owner(stage, never_expire, &waits);
		call_on_kind(stage, start_waits, &waits);
		PENDING(stage, &waits.flights[2]);
		emit_on(stage, asker, &waits.signals[1], SENNIT_CANCEL_NONE);
		PENDING(stage, &waits.flights[1]);
		emit_on(stage, asker, &waits.signals[1], types[i / THREAD_KINDS]);
		EXPECT(&waits.flights[1], -ECANCELED, 0);
		PENDING(stage, &waits.flights[0]);
		PENDING(stage, &waits.flights[2]);
		emit_on(stage, asker, &waits.signals[0], types[i / THREAD_KINDS]);
		EXPECT(&waits.flights[0], -ECANCELED, 0);
		emit_on(stage, asker, &waits.signals[0], SENNIT_CANCEL_ALL);
		assert_false(sennit_cancel_slot_is_bound(&waits.signals[0].slot_));
		assert_true(sennit_cancel_slot_is_bound(&waits.signals[2].slot_));
		call_on_owner(stage, change_expiry, &waits);
		EXPECT(&waits.flights[2], -ECANCELED, 0);
		/* The timer and its slots are as good as before. */
		call_on_kind(stage, start_waits, &waits);
		for (int each = 0; each < 3; each++) {
			EXPECT(&waits.flights[each], 0, 0);
			assert_false(sennit_cancel_slot_is_bound(&waits.signals[each].slot_));
		}
		sennit_timer_close(&waits.timer);
		finish(stage, waits.flights, 3);
	}
}

/* B35: the connection stays for the next. */
SCENARIO(a_cancelled_accept_leaves_its_socket_closed_and_the_others_in_order)
{
	struct sennit_cancel_signal signals[3] = { 0 };
	struct sennit_tcp_socket sockets[3];
	struct sennit_tcp_acceptor acceptor;
	struct sennit_endpoint endpoint;
	struct flight flights[3] = { 0 };
	int clients[2];

	open_acceptor(stage, &acceptor, &endpoint);
	for (int i = 0; i < 3; i++) {
		sennit_tcp_socket_init(&sockets[i], stage->owner);
		START(stage, { ACCEPT, .acceptor = &acceptor, .socket = &sockets[i],
		               .flight = &flights[i], .slot = &signals[i].slot_ });
	}
	PENDING(stage, &flights[2]);
	emit_on(stage, stage->kind, &signals[0], SENNIT_CANCEL_TOTAL);
	EXPECT(&flights[0], -ECANCELED, 0);
	assert_false(sennit_is_open(&sockets[0].stream));
	clients[0] = raw_connect(&endpoint);
	EXPECT(&flights[1], 0, 0);
	clients[1] = raw_connect(&endpoint);
	EXPECT(&flights[2], 0, 0);
	START(stage, { CLOSE, .stream = &sockets[1].stream },
	      { CLOSE, .stream = &sockets[2].stream }, { ACCEPTOR_CLOSE, .acceptor = &acceptor });
	raw_close(clients[0]);
	raw_close(clients[1]);
	finish(stage, flights, 3);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(S15_a_result_that_was_decided_stands_whoever_asks_before_its_handler_ran),
		TEST(C118_asked_where_it_was_started_a_handler_runs_after_those_that_were_due),
		TEST(S14_asked_before_the_owner_has_the_start_it_does_nothing_at_all),
		TEST(the_owner_may_cancel_an_operation_whose_start_is_on_its_way),
		TEST(what_was_asked_for_on_the_way_counts_for_what_the_operation_can_give),
		TEST(a_cancelled_read_takes_nothing_from_those_before_and_behind_it),
		TEST(C099_what_is_reported_as_written_is_what_the_peer_can_read),
		TEST(a_cancelled_wait_leaves_the_other_waits_to_what_they_wait_for),
		TEST(a_cancelled_wait_for_a_timer_is_the_only_one_that_ends),
		TEST(a_cancelled_accept_leaves_its_socket_closed_and_the_others_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
