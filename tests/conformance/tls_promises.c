/* SPDX-License-Identifier: MIT */
/* tls_promises.c - sentences of tls.h and tls.md that no other test would find broken. */
#include "tls_peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- waits for an error ----------------------------------------------------------------------- */

/* SENNIT_WAIT_ERROR is for a hang-up, too: nothing else could end the wait any more. */
SCENARIO(a_wait_for_an_error_ends_where_the_connection_does)
{
	struct tls_pair pair = {0};
	struct flight wait = {0};
	int fd;

	connect_pair(stage, &pair);
	take_tickets(stage, &pair);
	START(stage, {WAIT, .stream = &pair.server.stream, .what = SENNIT_WAIT_ERROR,
		      .flight = &wait});
	PENDING(stage, &wait);
	assert_int_equal(sennit_tcp_socket_release(&pair.sockets[0], &fd), 0);
	raw_reset(fd);
	EXPECT(&wait, 0, 0);
	close_pair(stage, &pair);
}

/* It is no read: what comes is dropped all the same. */
SCENARIO(a_wait_for_an_error_keeps_no_data_from_a_shutdown)
{
	struct tls_pair pair = {0};
	struct flight flights[4] = {0};
	char *data = patterned(40000);

	connect_pair(stage, &pair);
	START(stage,
	      {WAIT, .stream = &pair.client.stream, .what = SENNIT_WAIT_ERROR,
	       .flight = &flights[0]},
	      {WRITE, .stream = &pair.server.stream, .data = data, .size = 40000,
	       .flight = &flights[1]});
	EXPECT(&flights[1], 0, 40000);
	start_shutdown(&pair.client, &flights[2]);
	start_shutdown(&pair.server, &flights[3]);
	EXPECT(&flights[2], 0, 0);
	EXPECT(&flights[3], 0, 0);
	close_pair(stage, &pair);
	free(data);
}

/* --- closed in a handler ---------------------------------------------------------------------- */

static void close_in_handler(struct sennit_op *op, int error, size_t bytes)
{
	struct duel *duel = CONTAINER_OF(op, struct duel, handshake.op);

	sennit_close(&duel->stream.stream);
	on_result(op, error, bytes);
}

/* "The peer is told": also by who closes the stream as soon as he knows. */
static void the_peer_is_told_why_though_the_handler_closes_the_stream(void **state)
{
	struct pem stranger = {0};
	static const struct wish wish = {.authority = true};
	struct duel duel;

	(void)state;
	make_certificate(&stranger, &wish, NULL);
	begin_duel(&duel, SENNIT_TLS_CLIENT, client_context(&stranger));
	peer_open(&duel.peer, open_socket(&duel.stage, &duel.socket));
	assert_int_equal(sennit_tls_stream_open_client(&duel.stream, duel.context,
						       &duel.socket.stream, "localhost"),
			 0);
	expect_result(&duel.handshake.op, &duel.handshake.result, NULL);
	sennit_tls_async_handshake(&duel.stream, &duel.handshake.op, close_in_handler);
	assert_false(peer_handshake(&duel.peer));
	EXPECT(&duel.handshake, SENNIT_TLS_UNTRUSTED, 0);
	assert_int_equal(duel.peer.alert, SSL_AD_UNKNOWN_CA);
	end_duel(&duel);
	free_certificate(&stranger);
}

static void shut_down_and_close(void *argument)
{
	struct duel *duel = argument;

	start_shutdown(&duel->stream, &duel->handshake);
	sennit_close(&duel->stream.stream);
}

/* "Who does not want to wait for the peer closes the stream as soon as this was started". */
static void a_shutdown_that_is_closed_at_once_has_told_the_peer(void **state)
{
	struct duel duel;
	char byte;

	(void)state;
	begin_duel(&duel, SENNIT_TLS_SERVER, NULL);
	connect_duel(&duel, NULL);
	duel.handshake = (struct flight){0};
	call_on_owner(&duel.stage, shut_down_and_close, &duel);
	EXPECT(&duel.handshake, -ECANCELED, 0);
	assert_int_equal(peer_read(&duel.peer, &byte, 1), 0);
	assert_true(SSL_get_shutdown(duel.peer.ssl) & SSL_RECEIVED_SHUTDOWN);
	end_duel(&duel);
}

/* --- before, during and after a handshake ----------------------------------------------------- */

/* "A second one while the first is in flight ends with -EALREADY, one afterwards with 0." */
SCENARIO(hands_are_shaken_once)
{
	struct tls_pair pair = {0};
	struct flight flights[2] = {0};

	open_pair(&pair, stage->owner, NULL, NULL);
	start_handshake(&pair.client, &pair.handshakes[0]);
	start_handshake(&pair.client, &flights[0]);
	EXPECT(&flights[0], -EALREADY, 0);
	start_handshake(&pair.server, &pair.handshakes[1]);
	EXPECT(&pair.handshakes[0], 0, 0);
	EXPECT(&pair.handshakes[1], 0, 0);
	start_handshake(&pair.client, &flights[1]);
	EXPECT(&flights[1], 0, 0);
	close_pair(stage, &pair);
}

/* "So do the transfers that wait for it: with why it failed, or, where it was cancelled, with
 * -ENOTCONN." */
static void start_with_transfers(struct stage *stage, struct tls_pair *pair,
				 struct flight *flights)
{
	static char data[4];

	start_handshake(&pair->client, &pair->handshakes[0]);
	START(stage,
	      {READ, .stream = &pair->client.stream, .data = data, .size = 4,
	       .flight = &flights[0]},
	      {WRITE, .stream = &pair->client.stream, .data = "data", .size = 4,
	       .flight = &flights[1]},
	      {WAIT, .stream = &pair->client.stream, .what = SENNIT_WAIT_READ,
	       .flight = &flights[2]});
}

SCENARIO(what_waits_for_a_handshake_that_fails_is_told_why)
{
	struct tls_pair pair = {0};
	struct flight flights[3] = {0};
	struct pem stranger = {0};
	static const struct wish wish = {.authority = true};

	make_certificate(&stranger, &wish, NULL);
	open_pair(&pair, stage->owner, client_context(&stranger), NULL);
	start_with_transfers(stage, &pair, flights);
	start_handshake(&pair.server, &pair.handshakes[1]);
	EXPECT(&pair.handshakes[0], SENNIT_TLS_UNTRUSTED, 0);
	for (int i = 0; i < 3; i++)
		EXPECT(&flights[i], SENNIT_TLS_UNTRUSTED, 0);
	EXPECT(&pair.handshakes[1], SENNIT_TLS_FAILED, 0);
	close_pair(stage, &pair);
	free_certificate(&stranger);
}

SCENARIO(what_waits_for_a_handshake_that_is_cancelled_is_not_connected)
{
	struct tls_pair pair = {0};
	struct flight flights[3] = {0};
	struct sennit_cancel_signal signal = {0};

	open_pair(&pair, stage->owner, NULL, NULL);
	sennit_op_bind_slot(&pair.handshakes[0].op, sennit_cancel_signal_slot(&signal));
	start_with_transfers(stage, &pair, flights);
	for (int i = 0; i < 3; i++)
		PENDING(stage, &flights[i]);
	sennit_cancel_signal_emit(&signal, SENNIT_CANCEL_PARTIAL);
	EXPECT(&pair.handshakes[0], -ECANCELED, 0);
	for (int i = 0; i < 3; i++)
		EXPECT(&flights[i], -ENOTCONN, 0);
	pair.handshakes[0] = (struct flight){0};
	shake_hands(&pair, 0, 0);
	close_pair(stage, &pair);
}

/* What can be asked for is nothing before there is something, and once it is closed. */
static void ask(const struct sennit_tls_stream *stream, const char *reason, int no_certificate)
{
	char text[64] = "x";
	size_t size = 1;

	assert_int_equal(sennit_tls_stream_version(stream), 0);
	assert_null(sennit_tls_stream_cipher(stream));
	assert_null(sennit_tls_stream_alpn(stream, &size));
	assert_int_equal(size, 0);
	assert_null(sennit_tls_stream_name(stream));
	assert_int_equal(sennit_tls_stream_peer_certificate(stream, NULL, 0), no_certificate);
	assert_false(sennit_tls_stream_resumed(stream));
	sennit_tls_stream_reason(stream, text, sizeof text);
	assert_string_equal(text, reason);
	sennit_tls_stream_reason(stream, text, 4);
	assert_int_equal(strlen(text), strlen(reason) < 3 ? strlen(reason) : 3);
}

SCENARIO(nothing_is_known_before_the_handshake_nor_after_the_end)
{
	struct tls_pair pair = {0};

	open_pair(&pair, stage->owner, NULL, NULL);
	ask(&pair.client, "nothing has failed", 0);
	ask(&pair.server, "nothing has failed", 0);
	assert_non_null(sennit_tls_stream_native(&pair.client));
	shake_hands(&pair, 0, 0);
	assert_int_equal(sennit_tls_stream_peer_certificate(&pair.server, NULL, 0), 0);
	close_pair(stage, &pair);
	ask(&pair.client, "", -EBADF);
	assert_null(sennit_tls_stream_native(&pair.client));
}

/* "Its handle may go away: a copy is used." */
SCENARIO(the_handle_below_may_go_away)
{
	struct tls_pair pair = {0};

	open_pair(&pair, stage->owner, NULL, NULL);
	memset(pair.sockets, 0x5a, sizeof pair.sockets);
	shake_hands(&pair, 0, 0);
	take_tickets(stage, &pair);
	close_pair(stage, &pair);
}

/* --- deadlines -------------------------------------------------------------------------------- */

/* A handshake ends after 10 s and a shutdown after 5 s, unless they have a deadline of their own;
 * SENNIT_NEVER is none. What was chosen is looked at while nobody runs the runtime. */
static void handshake_and_shutdown_bring_deadlines(void **state)
{
	const uint64_t own[] = {SENNIT_NEVER, SENNIT_MS(7)};
	const uint64_t expected[2][2] = {{SENNIT_SECONDS(10), SENNIT_MS(7)},
					 {SENNIT_SECONDS(5), SENNIT_MS(7)}};
	struct stage stage = driven_stage();
	struct tls_pair pair = {0};
	struct flight flights[3][2] = {0};

	(void)state;
	open_pair(&pair, stage.owner, NULL, NULL);
	for (int i = 0; i < 2; i++) {
		for (int j = 0; j < 2; j++)
			sennit_op_expires_after(&flights[j][i].op, own[i]);
		start_handshake(&pair.client, &flights[0][i]);
		start_shutdown(&pair.client, &flights[1][i]);
		for (int j = 0; j < 2; j++)
			assert_int_equal(flights[j][i].op.timer_.deadline_ns_, expected[j][i]);
	}
	start_handshake(&pair.server, &flights[2][0]);
	assert_int_equal(flights[2][0].op.timer_.deadline_ns_, SENNIT_SECONDS(10));
	sennit_close(&pair.client.stream);
	sennit_close(&pair.server.stream);
	run_dry(stage.runtime);
	end_runtime(stage.runtime);
}

SCENARIO(a_shutdown_with_a_silent_peer_has_a_deadline)
{
	struct tls_pair pair = {0};
	struct flight flight = {0};

	connect_pair(stage, &pair);
	sennit_op_expires_after(&flight.op, SENNIT_MS(1));
	start_shutdown(&pair.client, &flight);
	EXPECT(&flight, -ETIMEDOUT, 0);
	close_pair(stage, &pair);
}

/* --- contexts --------------------------------------------------------------------------------- */

/* "Streams that were opened with it keep what they need." */
SCENARIO(a_stream_outlives_its_contexts)
{
	struct sennit_tls_context *client = client_context(test_authority());
	struct sennit_tls_context *server = server_context(test_certificate());
	struct sennit_tls_context *other = server_context(test_certificate());
	const char *protocol = "echo/1";
	struct tls_pair pair = {0};
	size_t size;

	assert_int_equal(sennit_tls_context_name(server, "localhost", other), 0);
	assert_int_equal(sennit_tls_context_alpn(client, &protocol, 1), 0);
	assert_int_equal(sennit_tls_context_alpn(other, &protocol, 1), 0);
	open_pair(&pair, stage->owner, client, server);
	sennit_tls_context_destroy(client);
	sennit_tls_context_destroy(server);
	sennit_tls_context_destroy(other);
	pair.contexts[0] = pair.contexts[1] = NULL;
	shake_hands(&pair, 0, 0);
	take_tickets(stage, &pair);
	assert_memory_equal(sennit_tls_stream_alpn(&pair.client, &size), protocol, 6);
	assert_int_equal(size, 6);
	close_pair(stage, &pair);
}

static void count_secret(void *user, const char *line)
{
	unsigned *lines = user;

	(void)line;
	++*lines;
}

SCENARIO(a_key_log_is_of_the_context_that_a_client_asks_for)
{
	struct sennit_tls_context *server = server_context(test_certificate());
	struct sennit_tls_context *other = server_context(test_certificate());
	struct tls_pair pair = {0};
	unsigned lines[2] = {0};

	sennit_tls_context_keylog(server, count_secret, &lines[0]);
	sennit_tls_context_keylog(other, count_secret, &lines[1]);
	assert_int_equal(sennit_tls_context_name(server, "localhost", other), 0);
	open_pair(&pair, stage->owner, NULL, server);
	shake_hands(&pair, 0, 0);
	close_pair(stage, &pair);
	sennit_tls_context_destroy(other);
	assert_int_equal(lines[0], 0);
	assert_true(lines[1] >= 4);
}

/* Two that keep each other would never go: AddressSanitizer sees what is left. */
static void contexts_may_not_name_each_other(void **state)
{
	struct sennit_tls_context *contexts[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		contexts[i] = server_context(test_certificate());
	assert_int_equal(sennit_tls_context_name(contexts[0], "one", contexts[1]), 0);
	assert_int_equal(sennit_tls_context_name(contexts[1], "two", contexts[2]), 0);
	assert_int_equal(sennit_tls_context_name(contexts[0], "two", contexts[2]), 0);
	assert_int_equal(sennit_tls_context_name(contexts[1], "zero", contexts[0]), -EINVAL);
	assert_int_equal(sennit_tls_context_name(contexts[2], "zero", contexts[0]), -EINVAL);
	for (int i = 0; i < 3; i++)
		sennit_tls_context_destroy(contexts[i]);
}

/* A server asks who has sent no key that it likes for another ClientHello (HelloRetryRequest), in
 * which nothing else may have changed (RFC 8446, 4.1.2): whoever asks for one name there and is
 * called by another would be let in where a certificate is asked for. */
struct retry_row {
	const char *name;
	const char *first; /* name that is asked for; NULL: none */
	const char *second;
	bool agreed;
};

static const struct retry_row retries[] = {
	{"the_same_name_may_be_asked_for_again", "public", "public", true},
	{"no_other_context_can_be_asked_for_later", "public", "private", false},
	{"a_name_cannot_be_asked_for_later", NULL, "private", false},
	{"a_name_cannot_be_taken_back", "public", "unknown", false},
};

static void a_name_is_asked_for_twice(void **state)
{
	const struct retry_row *row = row_of(state, retries, sizeof *retries);
	const char *authority = test_authority()->certificate;
	struct sennit_tls_context *public = server_context(test_certificate());
	struct sennit_tls_context *private = server_context(test_certificate());
	struct duel duel;

	begin_duel(&duel, SENNIT_TLS_SERVER, NULL);
	SSL_CTX_set1_groups_list(sennit_tls_context_native(duel.context), "P-256");
	SSL_CTX_set1_groups_list(duel.peer.context, "X25519:P-256");
	assert_int_equal(sennit_tls_context_peer(private, SENNIT_TLS_PEER_MUST), 0);
	assert_int_equal(sennit_tls_context_trust(private, authority, strlen(authority)), 0);
	assert_int_equal(sennit_tls_context_name(duel.context, "public", public), 0);
	assert_int_equal(sennit_tls_context_name(duel.context, "private", private), 0);
	sennit_tls_context_destroy(public);
	sennit_tls_context_destroy(private);
	fight(&duel, NULL);
	assert_true(SSL_set_tlsext_host_name(duel.peer.ssl, row->first));
	assert_int_equal(peer_step(&duel.peer), -1);
	peer_flush(&duel.peer);
	assert_true(peer_fill(&duel.peer));
	assert_true(SSL_set_tlsext_host_name(duel.peer.ssl, row->second));
	assert_int_equal(peer_handshake(&duel.peer), row->agreed);
	EXPECT(&duel.handshake, row->agreed ? 0 : SENNIT_TLS_FAILED, 0);
	assert_int_equal(duel.peer.alert, row->agreed ? -1 : SSL_AD_ILLEGAL_PARAMETER);
	end_duel(&duel);
}

int main(void)
{
	static struct CMUnitTest tests[14 + COUNT_OF(retries)] = {
		TEST(a_wait_for_an_error_ends_where_the_connection_does),
		TEST(a_wait_for_an_error_keeps_no_data_from_a_shutdown),
		TEST(the_peer_is_told_why_though_the_handler_closes_the_stream),
		TEST(a_shutdown_that_is_closed_at_once_has_told_the_peer),
		TEST(a_stream_outlives_its_contexts),
		TEST(a_key_log_is_of_the_context_that_a_client_asks_for),
		TEST(contexts_may_not_name_each_other),
		TEST(hands_are_shaken_once),
		TEST(what_waits_for_a_handshake_that_fails_is_told_why),
		TEST(what_waits_for_a_handshake_that_is_cancelled_is_not_connected),
		TEST(nothing_is_known_before_the_handshake_nor_after_the_end),
		TEST(the_handle_below_may_go_away),
		TEST(handshake_and_shutdown_bring_deadlines),
		TEST(a_shutdown_with_a_silent_peer_has_a_deadline),
	};

	tests_of_rows(retries, COUNT_OF(retries), sizeof *retries, a_name_is_asked_for_twice,
		      &tests[14]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
