/* SPDX-License-Identifier: MIT */
/* tls_idle.c - what a TLS stream holds while nothing happens on it: no buffers, whatever went over
 * it before, and whether or not somebody waits for more. */
#include "openssl_memory.h"
#include "tls_support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SIZE ((size_t)16384)

/* More turns than it takes a stream to find that nothing is to be done. */
static void let_it_rest(struct stage *stage)
{
	for (int i = 0; i < 8; i++)
		owner_turn(stage);
}

/* A record each way. */
static void exchange(struct stage *stage, struct tls_pair *pair)
{
	struct flight flights[4] = {0};
	char *sent = patterned(SIZE);
	char *got = zeroed(2 * SIZE);

	START(stage,
	      {WRITE, .stream = &pair->client.stream, .data = sent, .size = SIZE,
	       .flight = &flights[0]},
	      {READ, .stream = &pair->server.stream, .data = got, .size = SIZE,
	       .flight = &flights[1]},
	      {WRITE, .stream = &pair->server.stream, .data = sent, .size = SIZE,
	       .flight = &flights[2]},
	      {READ, .stream = &pair->client.stream, .data = got + SIZE, .size = SIZE,
	       .flight = &flights[3]});
	for (size_t i = 0; i < 4; i++)
		EXPECT(&flights[i], 0, SIZE);
	free(sent);
	free(got);
}

static void start_reads(struct stage *stage, struct tls_pair *pair, struct flight flights[2],
			char data[2])
{
	START(stage,
	      {READ, .stream = &pair->client.stream, .data = &data[0], .size = 1,
	       .flight = &flights[0]},
	      {READ, .stream = &pair->server.stream, .data = &data[1], .size = 1,
	       .flight = &flights[1]});
}

SCENARIO(who_is_idle_holds_no_buffers)
{
	struct flight flights[2] = {0};
	struct tls_pair pair = {0};
	size_t before;
	char data[2];

	connect_pair(stage, &pair); /* what OpenSSL allocates once */
	take_tickets(stage, &pair);
	close_pair(stage, &pair);
	before = openssl_large_blocks();
	pair = (struct tls_pair){0};
	connect_pair(stage, &pair);
	take_tickets(stage, &pair);
	exchange(stage, &pair);
	let_it_rest(stage);
	assert_int_equal(openssl_large_blocks(), before);
	exchange(stage, &pair);
	start_reads(stage, &pair, flights, data);
	let_it_rest(stage);
	assert_int_equal(openssl_large_blocks(), before);
	sennit_cancel(&pair.client.stream);
	sennit_cancel(&pair.server.stream);
	EXPECT(&flights[0], -ECANCELED, 0);
	EXPECT(&flights[1], -ECANCELED, 0);
	close_pair(stage, &pair);
}

/* A server that waits for its client's first bytes: all there is is OpenSSL's own for the message
 * that it is to become. */
SCENARIO(who_waits_for_a_silent_peer_holds_no_buffers_for_records)
{
	struct tls_pair pair = {0};
	size_t before;

	open_pair(&pair, stage->owner, NULL, NULL);
	before = openssl_large_blocks();
	start_handshake(&pair.server, &pair.handshakes[1]);
	let_it_rest(stage);
	assert_int_equal(openssl_large_blocks(), before + 1);
	sennit_cancel(&pair.server.stream);
	EXPECT(&pair.handshakes[1], -ECANCELED, 0);
	close_pair(stage, &pair);
}

#define PAIRS 32

/* The chunks that a worker keeps. */
#define SPARE 8

/* The chunks of this library are in nobody's count but the allocator's; each worker keeps a few. */
SCENARIO(who_reads_again_after_a_read_that_ended_holds_no_buffer)
{
	struct tls_pair pairs[PAIRS] = {0};
	struct flight flights[PAIRS][2] = {0};
	int64_t before;
	char data[2];

	for (int i = 0; i < PAIRS; i++) {
		connect_pair(stage, &pairs[i]);
		take_tickets(stage, &pairs[i]);
		start_reads(stage, &pairs[i], flights[i], data);
	}
	let_it_rest(stage);
	for (int i = 0; i < PAIRS; i++) {
		sennit_cancel(&pairs[i].client.stream);
		sennit_cancel(&pairs[i].server.stream);
		EXPECT(&flights[i][0], -ECANCELED, 0);
		EXPECT(&flights[i][1], -ECANCELED, 0);
	}
	let_it_rest(stage);
	before = live_allocations();
	memset(flights, 0, sizeof flights);
	for (int i = 0; i < PAIRS; i++)
		start_reads(stage, &pairs[i], flights[i], data);
	let_it_rest(stage);
	assert_true(live_allocations() <= before);
	for (int i = 0; i < PAIRS; i++) {
		sennit_close(&pairs[i].client.stream);
		sennit_close(&pairs[i].server.stream);
	}
	assert_int_equal(sennit_runtime_join(stage->runtime), 0);
}

/* Each has found something, and then no more. */
SCENARIO(who_waits_for_the_rest_holds_no_buffer)
{
	struct tls_pair pairs[PAIRS] = {0};
	struct flight flights[PAIRS][2] = {0};
	char data[PAIRS][2];
	int64_t before;

	for (int i = 0; i < PAIRS; i++) {
		connect_pair(stage, &pairs[i]);
		take_tickets(stage, &pairs[i]);
	}
	let_it_rest(stage);
	before = live_allocations();
	for (int i = 0; i < PAIRS; i++) {
		START(stage,
		      {READ, .stream = &pairs[i].server.stream, .data = data[i], .size = 2,
		       .flight = &flights[i][0]},
		      {WRITE, .stream = &pairs[i].client.stream, .data = "x", .size = 1,
		       .flight = &flights[i][1]});
		EXPECT(&flights[i][1], 0, 1);
	}
	for (int i = 0; i < PAIRS; i++) {
		wait_until_read(sennit_tcp_socket_native_handle(&pairs[i].sockets[1]));
		PENDING(stage, &flights[i][0]);
	}
	let_it_rest(stage);
	assert_true(live_allocations() <= before + SPARE);
	for (int i = 0; i < PAIRS; i++) {
		sennit_cancel(&pairs[i].server.stream);
		EXPECT(&flights[i][0], -ECANCELED, 1);
		sennit_close(&pairs[i].client.stream);
		sennit_close(&pairs[i].server.stream);
	}
	assert_int_equal(sennit_runtime_join(stage->runtime), 0);
}

/* --- over local sockets, where a short read does not tell that nothing is left ---------------- */

struct local_pair {
	struct sennit_descriptor locals[2];
	struct tls_pair tls;
};

static void connect_locals(struct stage *stage, struct local_pair *pairs)
{
	for (int i = 0; i < PAIRS; i++) {
		struct local_pair *pair = &pairs[i];

		assert_int_equal(sennit_descriptor_pair(&pair->locals[0], &pair->locals[1],
							stage->owner),
				 0);
		open_pair_over(&pair->tls, &pair->locals[0].stream, &pair->locals[1].stream, NULL,
			       NULL);
		shake_hands(&pair->tls, 0, 0);
		take_tickets(stage, &pair->tls);
	}
	let_it_rest(stage);
}

/* With an operation in flight on each client they hold no more than before. It is their end. */
static void expect_no_buffers(struct stage *stage, struct local_pair *pairs,
			      struct flight *flights, int64_t before)
{
	let_it_rest(stage);
	assert_true(live_allocations() <= before + SPARE);
	for (int i = 0; i < PAIRS; i++)
		sennit_cancel(&pairs[i].tls.client.stream);
	for (int i = 0; i < PAIRS; i++)
		EXPECT(&flights[i], -ECANCELED, 0);
	for (int i = 0; i < PAIRS; i++)
		close_pair(stage, &pairs[i].tls);
}

SCENARIO(who_waits_for_an_error_holds_no_buffer)
{
	struct local_pair pairs[PAIRS] = {0};
	struct flight flights[PAIRS] = {0};
	int64_t before;

	connect_locals(stage, pairs);
	before = live_allocations();
	for (int i = 0; i < PAIRS; i++)
		START(stage,
		      {WAIT, .stream = &pairs[i].tls.client.stream, .what = SENNIT_WAIT_ERROR,
		       .flight = &flights[i]});
	expect_no_buffers(stage, pairs, flights, before);
}

SCENARIO(who_writes_while_a_read_is_in_flight_holds_no_buffer)
{
	struct local_pair pairs[PAIRS] = {0};
	struct flight reads[PAIRS] = {0};
	size_t large;
	int64_t before;
	char byte;

	connect_locals(stage, pairs);
	before = live_allocations();
	large = openssl_large_blocks();
	for (int i = 0; i < PAIRS; i++) {
		struct sennit_stream *stream = &pairs[i].tls.client.stream;
		struct flight write = {0};

		START(stage,
		      {READ, .stream = stream, .data = &byte, .size = 1, .flight = &reads[i]},
		      {WRITE, .stream = stream, .data = "x", .size = 1, .flight = &write});
		EXPECT(&write, 0, 1);
	}
	let_it_rest(stage);
	assert_int_equal(openssl_large_blocks(), large);
	expect_no_buffers(stage, pairs, reads, before);
}

/* As many writes as a stream may make in a turn, one after the other, and a read. */
#define WRITES 16

struct talk {
	struct sennit_stream *stream;
	struct sennit_op write;
	struct flight *read;
	struct sennit_task task;
	unsigned left;
	char byte;
	struct latch done;
};

static void on_written(struct sennit_op *op, int error, size_t bytes)
{
	struct talk *talk = op->user;

	RECORD(!error && bytes <= 1);
	if (talk->left--) {
		sennit_async_write(talk->stream, "x", 1, op, on_written);
		return;
	}
	expect_result(&talk->read->op, &talk->read->result, NULL);
	sennit_async_read(talk->stream, &talk->byte, 1, &talk->read->op, on_result);
	latch_down(&talk->done);
}

static void begin_talk(struct sennit_task *task, int error)
{
	struct talk *talk = CONTAINER_OF(task, struct talk, task);

	RECORD(!error);
	talk->write.user = talk;
	talk->left = WRITES;
	on_written(&talk->write, 0, 0);
}

SCENARIO(who_has_had_its_share_of_a_turn_holds_no_buffer)
{
	struct local_pair pairs[PAIRS] = {0};
	struct talk talks[PAIRS] = {0};
	struct flight reads[PAIRS] = {0};
	int64_t before;

	connect_locals(stage, pairs);
	before = live_allocations();
	for (int i = 0; i < PAIRS; i++) {
		talks[i].stream = &pairs[i].tls.client.stream;
		talks[i].read = &reads[i];
		talks[i].done = (struct latch)LATCH(1);
		sennit_post(stage->owner, &talks[i].task, begin_talk);
		latch_wait(&talks[i].done);
	}
	expect_no_buffers(stage, pairs, reads, before);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(who_has_had_its_share_of_a_turn_holds_no_buffer),
		TEST(who_is_idle_holds_no_buffers),
		TEST(who_reads_again_after_a_read_that_ended_holds_no_buffer),
		TEST(who_waits_for_an_error_holds_no_buffer),
		TEST(who_waits_for_the_rest_holds_no_buffer),
		TEST(who_waits_for_a_silent_peer_holds_no_buffers_for_records),
		TEST(who_writes_while_a_read_is_in_flight_holds_no_buffer),
	};

	if (!watch_openssl_memory())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
