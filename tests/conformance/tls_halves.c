/* SPDX-License-Identifier: MIT */
/* tls_halves.c - a peer that stops in the middle of a message, or of the connection: what is
 * written meanwhile waits or fails, and nobody else is kept. */
#include "duplex_stream.h"
#include "tls_peer.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define HANDSHAKE SSL3_RT_HANDSHAKE

/* A change of keys that asks for none, in two records. */
static const unsigned char change[] = {SSL3_MT_KEY_UPDATE, 0, 0, 1, 0};

#define HALF 4 /* OpenSSL enters the message with its head */

static void send_part(struct duel *duel, struct forger *forger, size_t from, size_t size)
{
	unsigned char record[64];

	peer_send(&duel->peer, record,
		  forge(forger, HANDSHAKE, change + from, size, 0, record));
}

/* A server whose client has sent half a message, which was read. */
static void begin_half(struct duel *duel, struct forger *forger, struct flight *read, char *byte)
{
	begin_duel(duel, SENNIT_TLS_SERVER, NULL);
	note_secrets(&duel->peer);
	connect_duel(duel, NULL);
	forger_init(forger, &duel->peer, 0);
	START(&duel->stage,
	      {READ_SOME, .stream = &duel->stream.stream, .data = byte, .size = 1, .flight = read});
	send_part(duel, forger, 0, HALF);
	wait_until_read(sennit_tcp_socket_native_handle(&duel->socket));
	owner_turn(&duel->stage);
}

static void a_write_waits_for_the_rest_of_a_message_and_keeps_nobody(void **state)
{
	struct flight read = {0};
	struct flight write = {0};
	struct forger forger;
	struct duel duel;
	char byte;
	char data[4];

	(void)state;
	begin_half(&duel, &forger, &read, &byte);
	START(&duel.stage,
	      {WRITE, .stream = &duel.stream.stream, .data = "data", .size = 4, .flight = &write});
	owner_turn(&duel.stage);
	owner_turn(&duel.stage);
	PENDING(&duel.stage, &write);
	send_part(&duel, &forger, HALF, sizeof change - HALF);
	EXPECT(&write, 0, 4);
	assert_int_equal(peer_read(&duel.peer, data, 4), 4);
	assert_memory_equal(data, "data", 4);
	sennit_cancel(&duel.stream.stream);
	EXPECT(&read, -ECANCELED, 0);
	end_duel(&duel);
}

/* --- an end of the own side, while others write on -------------------------------------------- */

/* Writes one after the other, two at a time, until one fails. */
struct writer {
	struct sennit_stream *stream;
	struct sennit_op ops[2];
	struct latch done;
	int errors[2];
	char data[100000]; /* more than is sealed at once: one is always under way */
};

static void write_on(struct sennit_op *op, int error, size_t bytes)
{
	struct writer *writer = op->user;

	RECORD(error || bytes == sizeof writer->data);
	if (error) {
		writer->errors[op - writer->ops] = error;
		latch_down(&writer->done);
		return;
	}
	progress();
	sennit_async_write(writer->stream, writer->data, sizeof writer->data, op, write_on);
}

static void start_writer(void *argument)
{
	struct writer *writer = argument;

	for (int i = 0; i < 2; i++) {
		writer->ops[i].user = writer;
		sennit_async_write(writer->stream, writer->data, sizeof writer->data,
				   &writer->ops[i], write_on);
	}
}

static void read_all(struct sennit_op *op, int error, size_t bytes);

struct reader {
	struct sennit_stream *stream;
	struct sennit_op op;
	struct result result;
	char data[65536];
};

static void start_reader(void *argument)
{
	struct reader *reader = argument;

	reader->op.user = reader;
	sennit_async_read_some(reader->stream, reader->data, sizeof reader->data, &reader->op,
			       read_all);
}

static void read_all(struct sennit_op *op, int error, size_t bytes)
{
	struct reader *reader = op->user;

	if (!error) {
		start_reader(reader);
		return;
	}
	op->user = &reader->result;
	on_result(op, error, bytes);
}

SCENARIO(a_shutdown_does_not_wait_for_writes_that_begin_after_it)
{
	struct tls_pair pair = {0};
	static struct writer writer;
	struct duplex duplex = {0};
	struct reader reader = {.stream = &pair.server.stream};
	struct flight flights[2] = {0};

	writer = (struct writer){.stream = &pair.client.stream, .done = LATCH(2)};
	duplex_open(&duplex, stage->owner);
	open_pair_over(&pair, &duplex.ends[0].stream, &duplex.ends[1].stream, NULL, NULL);
	shake_hands(&pair, 0, 0);
	call_on_owner(stage, start_reader, &reader);
	call_on_owner(stage, start_writer, &writer);
	start_shutdown(&pair.client, &flights[0]);
	wait_result(&reader.result);
	assert_int_equal(reader.result.error, SENNIT_EOF);
	latch_wait(&writer.done);
	assert_int_equal(writer.errors[0], -EPIPE);
	assert_int_equal(writer.errors[1], -EPIPE);
	start_shutdown(&pair.server, &flights[1]);
	EXPECT(&flights[0], 0, 0);
	EXPECT(&flights[1], 0, 0);
	close_pair(stage, &pair);
	duplex_free(&duplex);
}

SCENARIO(a_shutdown_that_is_cancelled_lets_later_writes_go)
{
	struct tls_pair pair = {0};
	struct duplex duplex = {0};
	struct sennit_cancel_signal signal = {0};
	struct flight flights[4] = {0};
	char data[8];

	duplex_open(&duplex, stage->owner);
	open_pair_over(&pair, &duplex.ends[0].stream, &duplex.ends[1].stream, NULL, NULL);
	shake_hands(&pair, 0, 0);
	duplex_allow(stage, &duplex.ends[0], 0);
	START(stage, {WRITE, .stream = &pair.client.stream, .data = "data", .size = 4,
		      .flight = &flights[0]});
	duplex_wait_stopped(stage, &duplex.ends[0]);
	sennit_op_bind_slot(&flights[1].op, sennit_cancel_signal_slot(&signal));
	start_shutdown(&pair.client, &flights[1]);
	START(stage, {WRITE, .stream = &pair.client.stream, .data = "more", .size = 4,
		      .flight = &flights[2]});
	PENDING(stage, &flights[2]);
	sennit_cancel_signal_emit(&signal, SENNIT_CANCEL_TERMINAL);
	EXPECT(&flights[1], -ECANCELED, 0);
	duplex_allow(stage, &duplex.ends[0], DUPLEX_ALL);
	EXPECT(&flights[0], 0, 4);
	EXPECT(&flights[2], 0, 4);
	START(stage, {READ, .stream = &pair.server.stream, .data = data, .size = 8,
		      .flight = &flights[3]});
	EXPECT(&flights[3], 0, 8);
	assert_memory_equal(data, "datamore", 8);
	close_pair(stage, &pair);
	duplex_free(&duplex);
}

/* --- an end of what leaves, with much to read yet --------------------------------------------- */

#define CHANGES 400u

/* Waits until the other side's kernel has all that was sent: a reset drops what it has not. */
static void wait_until_taken(int fd)
{
	int left;

	do {
		assert_int_equal(ioctl(fd, SIOCOUTQ, &left), 0);
		sched_yield();
	} while (left);
}

/* What a change of keys is answered with cannot leave any more, and does not keep what came with
 * it: the reader gets all of it, and the end. */
static void what_cannot_be_answered_is_read_all_the_same(void **state)
{
	struct flight flights[2] = {0};
	struct duel duel;
	char data[CHANGES + 1];
	size_t wrote;

	(void)state;
	begin_duel(&duel, SENNIT_TLS_SERVER, NULL);
	connect_duel(&duel, NULL);
	for (unsigned i = 0; i < CHANGES; i++) {
		assert_true(SSL_key_update(duel.peer.ssl, SSL_KEY_UPDATE_REQUESTED));
		assert_int_equal(peer_step(&duel.peer), 1);
		assert_int_equal(SSL_write_ex(duel.peer.ssl, "x", 1, &wrote), 1);
	}
	peer_flush(&duel.peer);
	wait_until_taken(duel.peer.fd);
	raw_reset(duel.peer.fd);
	duel.peer.fd = -1;
	START(&duel.stage,
	      {WRITE, .stream = &duel.stream.stream, .data = "data", .size = 4,
	       .flight = &flights[0]});
	wait_result(&flights[0].result);
	assert_true(flights[0].result.error < 0);
	START(&duel.stage,
	      {READ, .stream = &duel.stream.stream, .data = data, .size = sizeof data,
	       .flight = &flights[1]});
	wait_result(&flights[1].result);
	assert_true(flights[1].result.error < 0);
	assert_int_equal(flights[1].result.bytes, CHANGES);
	end_duel(&duel);
}

/* A wait tells that something is to be learnt, which is known as soon as the write has failed. */
SCENARIO(a_wait_ends_where_nothing_can_leave_any_more)
{
	struct tls_pair pair = {0};
	struct flight flights[2] = {0};

	connect_pair(stage, &pair);
	take_tickets(stage, &pair);
	START(stage, {WAIT, .stream = &pair.client.stream, .what = SENNIT_WAIT_READ,
		      .flight = &flights[0]});
	PENDING(stage, &flights[0]);
	shutdown(sennit_tcp_socket_native_handle(&pair.sockets[0]), SHUT_WR);
	START(stage, {WRITE, .stream = &pair.client.stream, .data = "data", .size = 4,
		      .flight = &flights[1]});
	EXPECT(&flights[1], -EPIPE, 0);
	EXPECT(&flights[0], 0, 0);
	close_pair(stage, &pair);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_write_waits_for_the_rest_of_a_message_and_keeps_nobody),
		TEST(a_shutdown_does_not_wait_for_writes_that_begin_after_it),
		TEST(a_shutdown_that_is_cancelled_lets_later_writes_go),
		TEST(what_cannot_be_answered_is_read_all_the_same),
		TEST(a_wait_ends_where_nothing_can_leave_any_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
