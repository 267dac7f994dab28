/* SPDX-License-Identifier: MIT */
/* tls_cancel.c - how operations of a TLS stream are asked to end, to the letter of S3: before,
 * between and after records, while the stream below takes nothing, or the peer is silent. Cases
 * C148, C149. B46 to B49.
 *
 * Runs alone: of deadlines it asserts that they pass.
 */
#include "duplex_stream.h"
#include "tls_support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_NS SENNIT_MS(50)

#define SIZE  ((size_t)200000)
#define RECORD_SIZE ((size_t)16384)
#define BATCH ((size_t)65536) /* what is sealed at once of a large write */

/* How an operation is asked to end, and what it then reports. */
struct way {
	enum { EMIT, DEADLINE, OBJECT, CLOSES } how;
	int types;
	int error;
};

static const struct way at_once[] = {
	{EMIT, SENNIT_CANCEL_TERMINAL, -ECANCELED},
	{EMIT, SENNIT_CANCEL_ALL, -ECANCELED},
	{DEADLINE, SENNIT_CANCEL_TERMINAL, -ETIMEDOUT},
	{OBJECT, 0, -ECANCELED},
};
static const struct way in_order[] = {
	{EMIT, SENNIT_CANCEL_PARTIAL, -ECANCELED},
	{EMIT, SENNIT_CANCEL_PARTIAL | SENNIT_CANCEL_TOTAL, -ECANCELED},
	{DEADLINE, SENNIT_CANCEL_PARTIAL, -ETIMEDOUT},
};
/* All that leave the session usable: what waits for the peer they end at once. */
static const struct way all_ways[] = {
	{EMIT, SENNIT_CANCEL_TERMINAL, -ECANCELED},
	{EMIT, SENNIT_CANCEL_PARTIAL, -ECANCELED},
	{DEADLINE, SENNIT_CANCEL_TERMINAL, -ETIMEDOUT},
	{DEADLINE, SENNIT_CANCEL_PARTIAL, -ETIMEDOUT},
	{OBJECT, 0, -ECANCELED},
};

/* A session over streams that can be stopped; `flight` is what is asked to end. */
struct play {
	struct stage *stage;
	struct duplex duplex;
	struct tls_pair pair;
	struct sennit_cancel_signal signal;
	struct flight flight;
	struct sennit_stream *out; /* the client's */
	struct sennit_stream *in;  /* the server's */
	char *sent;
	char *got;
};

static struct play *open_play(struct stage *stage, bool connected)
{
	struct play *play = zeroed(sizeof *play);

	play->stage = stage;
	duplex_open(&play->duplex, stage->owner);
	open_pair_over(&play->pair, &play->duplex.ends[0].stream, &play->duplex.ends[1].stream,
		       NULL, NULL);
	play->out = &play->pair.client.stream;
	play->in = &play->pair.server.stream;
	play->sent = patterned(SIZE);
	play->got = zeroed(SIZE);
	if (connected) {
		shake_hands(&play->pair, 0, 0);
		take_tickets(stage, &play->pair);
	}
	return play;
}

static void close_play(struct play *play)
{
	/* nothing is at work but what was asked for: else this would not return */
	assert_int_equal(sennit_runtime_join(play->stage->runtime), 0);
	close_pair(play->stage, &play->pair);
	duplex_free(&play->duplex);
	free(play->sent);
	free(play->got);
	free(play);
}

/* Nothing that the client writes leaves any more. */
static void stop(struct play *play)
{
	duplex_allow(play->stage, &play->duplex.ends[0], 0);
}

static void go(struct play *play)
{
	duplex_allow(play->stage, &play->duplex.ends[0], DUPLEX_ALL);
}

/* Readies the flight for the way; to be started then. */
static void ready(struct play *play, const struct way *way)
{
	memset(&play->flight, 0, sizeof play->flight);
	expect_result(&play->flight.op, &play->flight.result, NULL);
	sennit_op_bind_slot(&play->flight.op, sennit_cancel_signal_slot(&play->signal));
	if (way->how == DEADLINE) {
		sennit_op_expires_after(&play->flight.op, DEADLINE_NS);
		sennit_op_expires_with(&play->flight.op, way->types);
	}
}

/* Those of the owner: it has only one clock. */
static void let_deadlines_pass(struct stage *stage)
{
	struct sennit_timer timer = {0};
	struct flight wait = {0};

	assert_int_equal(sennit_timer_init(&timer, stage->owner), 0);
	expect_result(&wait.op, &wait.result, stage->owner);
	sennit_timer_expires_after(&timer, DEADLINE_NS);
	sennit_timer_async_wait(&timer, &wait.op, on_result);
	EXPECT(&wait, 0, 0);
	sennit_timer_close(&timer);
}

/* Asks the flight on `stream` to end; returns when that was heard, for a deadline has passed. */
static void ask(struct play *play, const struct way *way, struct sennit_stream *stream)
{
	if (way->how == DEADLINE)
		let_deadlines_pass(play->stage);
	if (way->how == EMIT)
		sennit_cancel_signal_emit(&play->signal, way->types);
	else if (way->how == OBJECT)
		START(play->stage, {CANCEL, .stream = stream});
	else if (way->how == CLOSES)
		START(play->stage, {CLOSE, .stream = stream});
}

struct write {
	struct play *play;
	size_t size;
};

static void write_here(void *argument)
{
	struct write *write = argument;
	struct play *play = write->play;

	sennit_async_write(play->out, play->sent, write->size, &play->flight.op, on_result);
}

/* Starts the flight: a write of the first bytes of the pattern. */
static void start_write(struct play *play, const struct way *way, size_t size)
{
	struct write write = {play, size};

	ready(play, way);
	call_on_kind(play->stage, write_here, &write);
}

/* Writes some more, and has the other side read both. */
static void expect_more(struct play *play, size_t before, size_t size)
{
	struct flight flights[2] = {0};

	START(play->stage,
	      {WRITE, .stream = play->out, .data = play->sent + before, .size = size,
	       .flight = &flights[0]},
	      {READ, .stream = play->in, .data = play->got, .size = before + size,
	       .flight = &flights[1]});
	go(play);
	EXPECT(&flights[0], 0, size);
	EXPECT(&flights[1], 0, before + size);
	assert_true(is_pattern(play->got, before + size, 0));
}

/* Has the client write what the flight reads. */
static void expect_read(struct play *play, size_t size)
{
	struct flight flight = {0};

	START(play->stage, {WRITE, .stream = play->out, .data = play->sent, .size = size,
			    .flight = &flight});
	EXPECT(&flight, 0, size);
	EXPECT(&play->flight, 0, size);
	assert_true(is_pattern(play->got, size, 0));
}

/* --- writes ----------------------------------------------------------------------------------- */

/* Runs a scene with each of the ways. */
#define WITH_EACH(ways, scene)                                                                     \
 for (size_t i = 0; i < COUNT_OF(ways); i++)                                                       \
 scene(stage, &(ways)[i])

/* Starts a large write; returns when one record and a bit of it have left, and the stream below
 * takes no more: what is sealed is known then. */
static void start_large_write(struct play *play, const struct way *way)
{
	size_t taken = duplex_taken(play->stage, &play->duplex.ends[0]);

	duplex_allow(play->stage, &play->duplex.ends[0], 20000);
	start_write(play, way, SIZE);
	while (duplex_taken(play->stage, &play->duplex.ends[0]) < taken + 20000)
		;
}

static void stop_waiting_for_a_write(struct stage *stage, const struct way *way)
{
	struct play *play = open_play(stage, true);

	start_large_write(play, way);
	ask(play, way, play->out);
	EXPECT(&play->flight, way->error, 0);
	expect_more(play, BATCH, 1000);
	close_play(play);
}

/* What is sealed goes out whole, and before what comes next. */
SCENARIO(a_terminal_request_stops_waiting_for_a_write_at_once)
{
	WITH_EACH(at_once, stop_waiting_for_a_write);
}

static void end_a_write_behind_its_records(struct stage *stage, const struct way *way)
{
	struct play *play = open_play(stage, true);

	start_large_write(play, way);
	ask(play, way, play->out);
	PENDING(stage, &play->flight);
	go(play);
	EXPECT(&play->flight, way->error, BATCH);
	expect_more(play, BATCH, 1000);
	close_play(play);
}

SCENARIO(a_partial_request_ends_a_write_with_exactly_the_bytes_that_went_out)
{
	WITH_EACH(in_order, end_a_write_behind_its_records);
}

/* All of it is sealed: it completes, and later, when it has left. */
static void let_a_small_write_complete(struct stage *stage, const struct way *way)
{
	struct play *play = open_play(stage, true);

	duplex_allow(stage, &play->duplex.ends[0], 0);
	start_write(play, way, 100);
	duplex_wait_stopped(stage, &play->duplex.ends[0]);
	ask(play, way, play->out);
	PENDING(stage, &play->flight);
	go(play);
	EXPECT(&play->flight, 0, 100);
	expect_more(play, 100, 1000);
	close_play(play);
}

SCENARIO(a_partial_request_has_no_effect_on_a_write_whose_last_record_is_sealed)
{
	WITH_EACH(in_order, let_a_small_write_complete);
}

static void write_some_here(void *argument)
{
	struct play *play = argument;

	sennit_async_write_some(play->out, play->sent, SIZE, &play->flight.op, on_result);
}

/* Alone it would have completed with its record; with another behind it, it would go on. S21: what
 * went out is a success. */
static void end_a_short_write(struct stage *stage, const struct way *way)
{
	struct play *play = open_play(stage, true);
	struct flight next = {0};

	stop(play);
	ready(play, way);
	call_on_kind(stage, write_some_here, play);
	duplex_wait_stopped(stage, &play->duplex.ends[0]);
	ask(play, way, play->out);
	PENDING(stage, &play->flight);
	START(stage, {WRITE, .stream = play->out, .data = play->sent + RECORD_SIZE, .size = 100,
		      .flight = &next});
	go(play);
	EXPECT(&next, 0, 100);
	EXPECT(&play->flight, 0, RECORD_SIZE);
	expect_more(play, RECORD_SIZE + 100, 1000);
	close_play(play);
}

SCENARIO(a_partial_request_ends_a_short_write_also_where_another_comes_behind_it)
{
	WITH_EACH(in_order, end_a_short_write);
}

/* Another write is before it, of which all is sealed. */
static void end_a_write_before_its_records(struct stage *stage, const struct way *way)
{
	struct play *play = open_play(stage, true);
	struct flight first = {0};

	stop(play);
	START(stage, {WRITE, .stream = play->out, .data = play->sent, .size = BATCH,
		      .flight = &first});
	duplex_wait_stopped(stage, &play->duplex.ends[0]);
	start_write(play, way, SIZE);
	ask(play, way, play->out);
	EXPECT(&play->flight, way->error, 0);
	if (way->how == OBJECT) {
		EXPECT(&first, -ECANCELED, 0);
	} else {
		PENDING(stage, &first);
		go(play);
		EXPECT(&first, 0, BATCH);
	}
	expect_more(play, BATCH, 1000);
	close_play(play);
}

SCENARIO(a_write_of_which_nothing_is_sealed_ends_at_once_and_alone)
{
	WITH_EACH(all_ways, end_a_write_before_its_records);
}

/* Both are in one record's batch; the first stops waiting. */
SCENARIO(a_write_that_stops_waiting_does_not_take_the_next_one_along)
{
	static const struct way way = {EMIT, SENNIT_CANCEL_TERMINAL, -ECANCELED};
	struct play *play = open_play(stage, true);
	struct flight next = {0};
	struct start starts[] = {
		{WRITE, .stream = play->out, .data = play->sent, .size = 100,
		 .flight = &play->flight, .slot = sennit_cancel_signal_slot(&play->signal)},
		{WRITE, .stream = play->out, .data = play->sent + 100, .size = 50,
		 .flight = &next},
	};

	stop(play);
	start_on_owner(stage, starts, 2);
	duplex_wait_stopped(stage, &play->duplex.ends[0]);
	ask(play, &way, play->out);
	EXPECT(&play->flight, -ECANCELED, 0);
	PENDING(stage, &next);
	go(play);
	EXPECT(&next, 0, 50);
	expect_more(play, 150, 1000);
	close_play(play);
}

SCENARIO(total_alone_asks_nothing_of_a_write)
{
	static const struct way way = {EMIT, SENNIT_CANCEL_TOTAL, 0};
	struct play *play = open_play(stage, true);

	start_large_write(play, &way);
	ask(play, &way, play->out);
	PENDING(stage, &play->flight);
	go(play);
	EXPECT(&play->flight, 0, SIZE);
	close_play(play);
}

/* A later request never erases an earlier one, and the harder one is heard. */
SCENARIO(terminal_is_heard_after_partial)
{
	static const struct way partial = {EMIT, SENNIT_CANCEL_PARTIAL, 0};
	static const struct way terminal = {EMIT, SENNIT_CANCEL_TERMINAL, -ECANCELED};
	struct play *play = open_play(stage, true);

	start_large_write(play, &partial);
	ask(play, &partial, play->out);
	PENDING(stage, &play->flight);
	ask(play, &terminal, play->out);
	EXPECT(&play->flight, -ECANCELED, 0);
	expect_more(play, BATCH, 1000);
	close_play(play);
}

SCENARIO(closing_ends_writes_that_are_stopped_below)
{
	static const struct way way = {CLOSES, 0, -ECANCELED};
	struct play *play = open_play(stage, true);

	start_large_write(play, &way);
	ask(play, &way, play->out);
	EXPECT(&play->flight, -ECANCELED, 0);
	close_play(play);
}

/* --- reads ------------------------------------------------------------------------------------ */

struct read {
	struct play *play;
	size_t size;
};

static void read_here(void *argument)
{
	struct read *read = argument;
	struct play *play = read->play;

	sennit_async_read(play->in, play->got, read->size, &play->flight.op, on_result);
}

static void start_read(struct play *play, const struct way *way, size_t size)
{
	struct read read = {play, size};

	ready(play, way);
	call_on_kind(play->stage, read_here, &read);
}

/* After that many bytes of what leaves below, which are two records of 100 bytes. */
static void end_a_read(struct stage *stage, const struct way *way, size_t below, size_t got)
{
	struct play *play = open_play(stage, true);
	struct flight flights[3] = {0};

	stop(play);
	START(stage, {WRITE, .stream = play->out, .data = play->sent, .size = 100,
		      .flight = &flights[0]});
	duplex_wait_stopped(stage, &play->duplex.ends[0]);
	START(stage, {WRITE, .stream = play->out, .data = play->sent + 100, .size = 100,
		      .flight = &flights[1]});
	start_read(play, way, 200);
	duplex_allow(stage, &play->duplex.ends[0], below);
	if (way->how != DEADLINE) /* which may have passed */
		PENDING(stage, &play->flight);
	ask(play, way, play->in);
	EXPECT(&play->flight, way->error, got);
	assert_true(is_pattern(play->got, got, 0));
	START(stage, {READ, .stream = play->in, .data = play->got + got, .size = 200 - got,
		      .flight = &flights[2]});
	go(play);
	EXPECT(&flights[0], 0, 100);
	EXPECT(&flights[1], 0, 100);
	EXPECT(&flights[2], 0, 200 - got);
	assert_true(is_pattern(play->got, 200, 0));
	close_play(play);
}

static void end_a_read_before(struct stage *stage, const struct way *way)
{
	end_a_read(stage, way, 0, 0);
}

static void end_a_read_in_a_record(struct stage *stage, const struct way *way)
{
	end_a_read(stage, way, 3, 0); /* of the header */
	end_a_read(stage, way, 60, 0);
}

static void end_a_read_between(struct stage *stage, const struct way *way)
{
	end_a_read(stage, way, 100 + 22, 100);
	end_a_read(stage, way, 100 + 22 + 60, 100);
}

SCENARIO(a_read_ends_before_a_record)
{
	WITH_EACH(all_ways, end_a_read_before);
}

SCENARIO(a_read_ends_within_a_record_and_takes_nothing_of_it)
{
	WITH_EACH(all_ways, end_a_read_in_a_record);
}

SCENARIO(a_read_ends_between_two_records_with_the_bytes_so_far)
{
	WITH_EACH(all_ways, end_a_read_between);
}

SCENARIO(total_alone_asks_nothing_of_a_read)
{
	static const struct way way = {EMIT, SENNIT_CANCEL_TOTAL, 0};
	struct play *play = open_play(stage, true);

	start_read(play, &way, 100);
	ask(play, &way, play->in);
	PENDING(stage, &play->flight);
	expect_read(play, 100);
	close_play(play);
}

static void leave_no_work(struct stage *stage, const struct way *way)
{
	struct play *play = open_play(stage, true);

	start_read(play, way, 100);
	ask(play, way, play->in);
	EXPECT(&play->flight, way->error, 0);
	finish(stage, &play->flight, 1);
	expect_more(play, 0, 1000);
	finish(stage, &play->flight, 1);
	close_play(play);
}

SCENARIO(a_read_that_ended_leaves_no_work_behind)
{
	WITH_EACH(all_ways, leave_no_work);
}

/* --- handshakes ------------------------------------------------------------------------------- */

static void end_a_handshake(struct stage *stage, const struct way *way, size_t below)
{
	struct play *play = open_play(stage, false);
	struct flight again = {0};

	duplex_allow(stage, &play->duplex.ends[1], below);
	ready(play, way);
	sennit_tls_async_handshake(&play->pair.client, &play->flight.op, on_result);
	start_handshake(&play->pair.server, &play->pair.handshakes[1]);
	while (duplex_taken(stage, &play->duplex.ends[1]) < below)
		;
	PENDING(stage, &play->pair.handshakes[1]);
	ask(play, way, play->out);
	EXPECT(&play->flight, way->error, 0);
	start_handshake(&play->pair.client, &again);
	duplex_allow(stage, &play->duplex.ends[1], DUPLEX_ALL);
	EXPECT(&again, 0, 0);
	EXPECT(&play->pair.handshakes[1], 0, 0);
	take_tickets(stage, &play->pair);
	expect_more(play, 0, 1000);
	close_play(play);
}

static void end_a_handshake_anywhere(struct stage *stage, const struct way *way)
{
	end_a_handshake(stage, way, 0);
	end_a_handshake(stage, way, 50);  /* within the first message */
	end_a_handshake(stage, way, 400); /* and a later one */
}

SCENARIO(a_handshake_ends_between_two_messages_and_may_be_started_again)
{
	WITH_EACH(all_ways, end_a_handshake_anywhere);
}

SCENARIO(total_alone_asks_nothing_of_a_handshake)
{
	static const struct way way = {EMIT, SENNIT_CANCEL_TOTAL, 0};
	struct play *play = open_play(stage, false);

	ready(play, &way);
	sennit_tls_async_handshake(&play->pair.client, &play->flight.op, on_result);
	PENDING(stage, &play->flight); /* before it has begun it may end as if never started */
	ask(play, &way, play->out);
	PENDING(stage, &play->flight);
	start_handshake(&play->pair.server, &play->pair.handshakes[1]);
	EXPECT(&play->flight, 0, 0);
	EXPECT(&play->pair.handshakes[1], 0, 0);
	take_tickets(stage, &play->pair);
	close_play(play);
}

/* --- shutdowns -------------------------------------------------------------------------------- */

/* With a write before it that goes on, and is complete before close_notify. */
static void end_a_shutdown(struct stage *stage, const struct way *way, bool stopped)
{
	struct play *play = open_play(stage, true);
	struct flight flights[5] = {0};

	if (stopped)
		stop(play);
	START(stage,
	      {WRITE, .stream = play->out, .data = play->sent, .size = SIZE,
	       .flight = &flights[0]});
	ready(play, way);
	sennit_tls_async_shutdown(&play->pair.client, &play->flight.op, on_result);
	owner_turn(stage);
	if (!stopped)
		EXPECT(&flights[0], 0, SIZE);
	ask(play, way, play->out);
	EXPECT(&play->flight, way->error, 0);
	if (stopped)
		PENDING(stage, &flights[0]);
	start_shutdown(&play->pair.client, &flights[1]);
	PENDING(stage, &flights[1]);
	START(stage,
	      {READ, .stream = play->in, .data = play->got, .size = SIZE,
	       .flight = &flights[2]},
	      {READ, .stream = play->in, .data = play->got, .size = 1,
	       .flight = &flights[3]});
	go(play);
	EXPECT(&flights[2], 0, SIZE);
	EXPECT(&flights[3], SENNIT_EOF, 0);
	if (stopped)
		EXPECT(&flights[0], 0, SIZE);
	start_shutdown(&play->pair.server, &flights[4]);
	EXPECT(&flights[4], 0, 0);
	EXPECT(&flights[1], 0, 0);
	close_play(play);
}

static void end_a_shutdown_anywhere(struct stage *stage, const struct way *way)
{
	if (way->how != OBJECT) /* the write ends, too */
		end_a_shutdown(stage, way, true);
	end_a_shutdown(stage, way, false);
}

SCENARIO(a_shutdown_ends_and_may_be_started_again)
{
	WITH_EACH(all_ways, end_a_shutdown_anywhere);
}

SCENARIO(total_alone_asks_nothing_of_a_shutdown)
{
	static const struct way way = {EMIT, SENNIT_CANCEL_TOTAL, 0};
	struct play *play = open_play(stage, true);
	struct flight answer = {0};

	ready(play, &way);
	sennit_tls_async_shutdown(&play->pair.client, &play->flight.op, on_result);
	PENDING(stage, &play->flight); /* before it has begun it may end as if never started */
	ask(play, &way, play->out);
	PENDING(stage, &play->flight);
	start_shutdown(&play->pair.server, &answer);
	EXPECT(&play->flight, 0, 0);
	EXPECT(&answer, 0, 0);
	close_play(play);
}

/* --- all together ----------------------------------------------------------------------------- */

SCENARIO(closing_ends_all_four_before_a_peer_says_anything)
{
	struct play *play = open_play(stage, true);
	struct flight flights[4] = {0};

	stop(play);
	START(stage,
	      {READ, .stream = play->out, .data = play->got, .size = 8, .flight = &flights[0]},
	      {WRITE, .stream = play->out, .data = play->sent, .size = SIZE,
	       .flight = &flights[1]});
	start_shutdown(&play->pair.client, &flights[2]);
	start_handshake(&play->pair.client, &flights[3]);
	EXPECT(&flights[3], 0, 0);
	START(stage, {CLOSE, .stream = play->out});
	for (int i = 0; i < 3; i++)
		EXPECT(&flights[i], -ECANCELED, 0);
	close_play(play);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_terminal_request_stops_waiting_for_a_write_at_once),
		TEST(a_partial_request_ends_a_write_with_exactly_the_bytes_that_went_out),
		TEST(a_partial_request_has_no_effect_on_a_write_whose_last_record_is_sealed),
		TEST(a_partial_request_ends_a_short_write_also_where_another_comes_behind_it),
		TEST(a_write_of_which_nothing_is_sealed_ends_at_once_and_alone),
		TEST(a_write_that_stops_waiting_does_not_take_the_next_one_along),
		TEST(total_alone_asks_nothing_of_a_write),
		TEST(terminal_is_heard_after_partial),
		TEST(closing_ends_writes_that_are_stopped_below),
		TEST(a_read_ends_before_a_record),
		TEST(a_read_ends_within_a_record_and_takes_nothing_of_it),
		TEST(a_read_ends_between_two_records_with_the_bytes_so_far),
		TEST(total_alone_asks_nothing_of_a_read),
		TEST(a_read_that_ended_leaves_no_work_behind),
		TEST(a_handshake_ends_between_two_messages_and_may_be_started_again),
		TEST(total_alone_asks_nothing_of_a_handshake),
		TEST(a_shutdown_ends_and_may_be_started_again),
		TEST(total_alone_asks_nothing_of_a_shutdown),
		TEST(closing_ends_all_four_before_a_peer_says_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
