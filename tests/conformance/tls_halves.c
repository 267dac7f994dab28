/* SPDX-License-Identifier: MIT */
/* tls_halves.c - a peer that stops in the middle of a message, or of the connection: what is
 * written meanwhile waits or fails, and nobody else is kept. */
#include "tls_peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_write_waits_for_the_rest_of_a_message_and_keeps_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
