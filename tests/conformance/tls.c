/* SPDX-License-Identifier: MIT */
/* tls.c - what a TLS stream promises of its own; what it shares with all streams is in
 * tls_streams.c. Cases C141 to C149. */
#include "tls_support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- the usual way ---------------------------------------------------------------------------- */

/* C141. */
SCENARIO(what_one_side_writes_the_other_reads)
{
	struct tls_pair pair = {0};
	struct flight flights[4] = {0};
	char there[5];
	char back[6];

	connect_pair(stage, &pair);
	START(stage,
	      {WRITE, .stream = &pair.client.stream, .data = "there", .size = 5,
	       .flight = &flights[0]},
	      {READ, .stream = &pair.server.stream, .data = there, .size = 5,
	       .flight = &flights[1]});
	EXPECT(&flights[0], 0, 5);
	EXPECT(&flights[1], 0, 5);
	assert_memory_equal(there, "there", 5);
	START(stage,
	      {WRITE, .stream = &pair.server.stream, .data = "& back", .size = 6,
	       .flight = &flights[2]},
	      {READ, .stream = &pair.client.stream, .data = back, .size = 6,
	       .flight = &flights[3]});
	EXPECT(&flights[2], 0, 6);
	EXPECT(&flights[3], 0, 6);
	assert_memory_equal(back, "& back", 6);
	assert_int_equal(sennit_tls_stream_version(&pair.client), SENNIT_TLS_1_3);
	assert_string_equal(sennit_tls_stream_name(&pair.server), "localhost");
	close_pair(stage, &pair);
}

#define MUCH ((size_t)3 << 20)

/* C142. */
SCENARIO(much_goes_both_ways_at_once)
{
	struct tls_pair pair = {0};
	struct flight flights[4] = {0};
	char *sent = patterned(MUCH);
	char *got[2] = {zeroed(MUCH), zeroed(MUCH)};

	connect_pair(stage, &pair);
	START(stage,
	      {WRITE, .stream = &pair.client.stream, .data = sent, .size = MUCH,
	       .flight = &flights[0]},
	      {WRITE, .stream = &pair.server.stream, .data = sent, .size = MUCH,
	       .flight = &flights[1]},
	      {READ, .stream = &pair.client.stream, .data = got[1], .size = MUCH,
	       .flight = &flights[2]},
	      {READ, .stream = &pair.server.stream, .data = got[0], .size = MUCH,
	       .flight = &flights[3]});
	for (size_t i = 0; i < 4; i++)
		EXPECT(&flights[i], 0, MUCH);
	assert_true(is_pattern(got[0], MUCH, 0));
	assert_true(is_pattern(got[1], MUCH, 0));
	close_pair(stage, &pair);
	free(sent);
	free(got[0]);
	free(got[1]);
}

/* What is written before the handshake is done goes out after it. */
SCENARIO(transfers_wait_for_the_handshake)
{
	struct tls_pair pair = {0};
	struct flight flights[2] = {0};
	char data[5];

	open_pair(&pair, stage->owner, NULL, NULL);
	start_handshake(&pair.client, &pair.handshakes[0]);
	START(stage,
	      {WRITE, .stream = &pair.client.stream, .data = "early", .size = 5,
	       .flight = &flights[0]});
	PENDING(stage, &flights[0]);
	start_handshake(&pair.server, &pair.handshakes[1]);
	START(stage,
	      {READ, .stream = &pair.server.stream, .data = data, .size = 5,
	       .flight = &flights[1]});
	EXPECT(&pair.handshakes[0], 0, 0);
	EXPECT(&pair.handshakes[1], 0, 0);
	EXPECT(&flights[0], 0, 5);
	EXPECT(&flights[1], 0, 5);
	close_pair(stage, &pair);
}

SCENARIO(without_a_handshake_nothing_is_connected)
{
	struct tls_pair pair = {0};
	struct flight flights[4] = {0};
	char data[5] = "early";

	open_pair(&pair, stage->owner, NULL, NULL);
	START(stage,
	      {WRITE, .stream = &pair.client.stream, .data = data, .size = 5,
	       .flight = &flights[0]},
	      {READ, .stream = &pair.client.stream, .data = data, .size = 5,
	       .flight = &flights[1]},
	      {WAIT, .stream = &pair.client.stream, .what = SENNIT_WAIT_READ,
	       .flight = &flights[2]});
	for (size_t i = 0; i < 3; i++)
		EXPECT(&flights[i], -ENOTCONN, 0);
	start_shutdown(&pair.client, &flights[3]);
	EXPECT(&flights[3], -ENOTCONN, 0);
	close_pair(stage, &pair);
}

/* C146. */
SCENARIO(a_transfer_of_nothing_succeeds)
{
	struct tls_pair pair = {0};
	struct flight flights[2] = {0};
	char data[1];

	connect_pair(stage, &pair);
	START(stage,
	      {WRITE, .stream = &pair.client.stream, .data = data, .size = 0,
	       .flight = &flights[0]},
	      {READ_SOME, .stream = &pair.client.stream, .data = data, .size = 0,
	       .flight = &flights[1]});
	EXPECT(&flights[0], 0, 0);
	EXPECT(&flights[1], 0, 0);
	close_pair(stage, &pair);
}

/* C147, with the one size of buffer that there is. */
SCENARIO(a_write_some_alone_takes_one_record)
{
	struct tls_pair pair = {0};
	struct flight flights[2] = {0};
	char *data = patterned(100000);
	char *got = zeroed(100000);

	connect_pair(stage, &pair);
	START(stage,
	      {WRITE_SOME, .stream = &pair.client.stream, .data = data, .size = 100000,
	       .flight = &flights[0]});
	EXPECT(&flights[0], 0, 16384);
	START(stage,
	      {READ, .stream = &pair.server.stream, .data = got, .size = 16384,
	       .flight = &flights[1]});
	EXPECT(&flights[1], 0, 16384);
	assert_memory_equal(got, data, 16384);
	close_pair(stage, &pair);
	free(data);
	free(got);
}

/* S2, S21. All are started in one turn: a write_some that stands alone would be short. */
SCENARIO(overlapping_writes_go_out_whole_and_in_order)
{
	struct tls_pair pair = {0};
	struct flight flights[5] = {0};
	char *data = patterned(200000);
	char *got = zeroed(200000);
	struct start starts[] = {
		{WRITE_SOME, .stream = &pair.client.stream, .data = data, .size = 100000,
		 .flight = &flights[0]},
		{WRITE, .stream = &pair.client.stream, .data = data + 100000, .size = 17,
		 .flight = &flights[1]},
		{WRITE_SOME, .stream = &pair.client.stream, .data = data + 100017, .size = 1,
		 .flight = &flights[2]},
		{WRITE, .stream = &pair.client.stream, .data = data + 100018, .size = 99982,
		 .flight = &flights[3]},
		{READ, .stream = &pair.server.stream, .data = got, .size = 200000,
		 .flight = &flights[4]},
	};

	connect_pair(stage, &pair);
	start_on_owner(stage, starts, COUNT_OF(starts));
	for (size_t i = 0; i < COUNT_OF(starts); i++)
		EXPECT(&flights[i], 0, starts[i].size);
	assert_true(is_pattern(got, 200000, 0));
	close_pair(stage, &pair);
	free(data);
	free(got);
}

/* --- the end ---------------------------------------------------------------------------------- */

/* C144, I6, I7. */
SCENARIO(both_sides_end_in_order)
{
	struct tls_pair pair = {0};
	struct flight flights[4] = {0};
	char data[8];

	connect_pair(stage, &pair);
	START(stage,
	      {READ, .stream = &pair.server.stream, .data = data, .size = 8,
	       .flight = &flights[0]});
	start_shutdown(&pair.client, &flights[1]);
	EXPECT(&flights[0], SENNIT_EOF, 0);
	start_shutdown(&pair.server, &flights[2]);
	EXPECT(&flights[1], 0, 0);
	EXPECT(&flights[2], 0, 0);
	START(stage,
	      {READ, .stream = &pair.server.stream, .data = data, .size = 8,
	       .flight = &flights[3]});
	EXPECT(&flights[3], SENNIT_EOF, 0);
	close_pair(stage, &pair);
}

/* I7: the peer's end is not ours. */
SCENARIO(after_the_peers_end_one_may_still_write)
{
	struct tls_pair pair = {0};
	struct flight flights[5] = {0};
	char data[8];

	connect_pair(stage, &pair);
	start_shutdown(&pair.client, &flights[0]);
	START(stage,
	      {READ, .stream = &pair.server.stream, .data = data, .size = 8,
	       .flight = &flights[1]},
	      {READ, .stream = &pair.client.stream, .data = data, .size = 4,
	       .flight = &flights[2]});
	EXPECT(&flights[1], SENNIT_EOF, 0);
	START(stage,
	      {WRITE, .stream = &pair.server.stream, .data = "last", .size = 4,
	       .flight = &flights[3]});
	EXPECT(&flights[3], 0, 4);
	EXPECT(&flights[2], 0, 4);
	start_shutdown(&pair.server, &flights[4]);
	EXPECT(&flights[4], 0, 0);
	EXPECT(&flights[0], 0, 0);
	close_pair(stage, &pair);
}

/* What comes while we wait for the peer's end, and nobody reads, is dropped. */
SCENARIO(shutdown_goes_on_over_data_that_nobody_reads)
{
	struct tls_pair pair = {0};
	struct flight flights[3] = {0};
	char *data = patterned(40000);

	connect_pair(stage, &pair);
	START(stage,
	      {WRITE, .stream = &pair.server.stream, .data = data, .size = 40000,
	       .flight = &flights[0]});
	EXPECT(&flights[0], 0, 40000);
	start_shutdown(&pair.client, &flights[1]);
	start_shutdown(&pair.server, &flights[2]);
	EXPECT(&flights[1], 0, 0);
	EXPECT(&flights[2], 0, 0);
	close_pair(stage, &pair);
	free(data);
}

SCENARIO(after_the_own_end_nothing_can_be_written)
{
	struct tls_pair pair = {0};
	struct flight flights[4] = {0};
	char byte = 'x';

	connect_pair(stage, &pair);
	START(stage,
	      {READ, .stream = &pair.server.stream, .data = &byte, .size = 1,
	       .flight = &flights[0]});
	start_shutdown(&pair.client, &flights[1]);
	EXPECT(&flights[0], SENNIT_EOF, 0);
	START(stage,
	      {WRITE, .stream = &pair.client.stream, .data = &byte, .size = 1,
	       .flight = &flights[2]});
	EXPECT(&flights[2], -EPIPE, 0);
	start_shutdown(&pair.client, &flights[3]);
	EXPECT(&flights[3], -EALREADY, 0);
	sennit_close(&pair.server.stream); /* which has nothing to read */
	EXPECT(&flights[1], SENNIT_TRUNCATED, 0); /* C145 */
	close_pair(stage, &pair);
}

/* C143. */
SCENARIO(an_end_below_is_no_end)
{
	struct tls_pair pair = {0};
	struct flight flights[3] = {0};
	char data[8];

	connect_pair(stage, &pair);
	take_tickets(stage, &pair);
	START(stage,
	      {WRITE, .stream = &pair.client.stream, .data = "half", .size = 4,
	       .flight = &flights[0]});
	EXPECT(&flights[0], 0, 4);
	sennit_close(&pair.client.stream);
	START(stage,
	      {READ, .stream = &pair.server.stream, .data = data, .size = 8,
	       .flight = &flights[1]});
	EXPECT(&flights[1], SENNIT_TRUNCATED, 4);
	START(stage,
	      {READ, .stream = &pair.server.stream, .data = data, .size = 8,
	       .flight = &flights[2]});
	EXPECT(&flights[2], SENNIT_TRUNCATED, 0);
	close_pair(stage, &pair);
}

SCENARIO(a_reset_below_is_reported_as_such)
{
	struct tls_pair pair = {0};
	struct flight flights[2] = {0};
	char data[8];
	int fd;

	connect_pair(stage, &pair);
	START(stage,
	      {READ, .stream = &pair.server.stream, .data = data, .size = 8,
	       .flight = &flights[0]});
	PENDING(stage, &flights[0]);
	assert_int_equal(sennit_tcp_socket_release(&pair.sockets[0], &fd), 0);
	raw_reset(fd);
	EXPECT(&flights[0], -ECONNRESET, 0);
	close_pair(stage, &pair);
}

/* --- trust ------------------------------------------------------------------------------------ */

SCENARIO(a_certificate_of_nobody_known_is_not_trusted)
{
	static const struct wish wish = {.name = "somebody else", .authority = true};
	struct tls_pair pair = {0};
	struct pem authority;
	char text[200];

	(void)stage;
	make_certificate(&authority, &wish, NULL);
	open_pair(&pair, stage->owner, client_context(&authority), NULL);
	shake_hands(&pair, SENNIT_TLS_UNTRUSTED, SENNIT_TLS_FAILED);
	sennit_tls_stream_reason(&pair.client, text, sizeof text);
	assert_non_null(strstr(text, "unable to get local issuer certificate"));
	sennit_tls_stream_reason(&pair.server, text, sizeof text);
	assert_non_null(strstr(text, "alert unknown ca"));
	close_pair(stage, &pair);
	free_certificate(&authority);
}

/* --- cancellation ----------------------------------------------------------------------------- */

/* C148, S3: a cancelled read takes nothing with it. */
SCENARIO(a_cancelled_read_leaves_the_session_as_it_was)
{
	struct tls_pair pair = {0};
	struct sennit_cancel_signal signal = {0};
	struct flight flights[4] = {0};
	char data[4];

	connect_pair(stage, &pair);
	for (int types = SENNIT_CANCEL_TERMINAL; types <= SENNIT_CANCEL_PARTIAL; types++) {
		struct flight *read = &flights[types - 1];

		START(stage,
		      {READ_SOME, .stream = &pair.server.stream, .data = data, .size = 4,
		       .slot = sennit_cancel_signal_slot(&signal), .flight = read});
		PENDING(stage, read);
		sennit_cancel_signal_emit(&signal, SENNIT_CANCEL_TOTAL);
		PENDING(stage, read);
		sennit_cancel_signal_emit(&signal, types);
		EXPECT(read, -ECANCELED, 0);
	}
	START(stage,
	      {WRITE, .stream = &pair.client.stream, .data = "data", .size = 4,
	       .flight = &flights[2]},
	      {READ, .stream = &pair.server.stream, .data = data, .size = 4,
	       .flight = &flights[3]});
	EXPECT(&flights[2], 0, 4);
	EXPECT(&flights[3], 0, 4);
	assert_memory_equal(data, "data", 4);
	close_pair(stage, &pair);
}

/* C149, S3: and it may be started again. */
SCENARIO(a_cancelled_handshake_goes_on_where_it_was)
{
	struct tls_pair pair = {0};
	struct sennit_cancel_signal signal = {0};
	struct flight cancelled = {0};

	(void)stage;
	open_pair(&pair, stage->owner, NULL, NULL);
	sennit_op_bind_slot(&cancelled.op, sennit_cancel_signal_slot(&signal));
	start_handshake(&pair.client, &cancelled);
	PENDING(stage, &cancelled);
	sennit_cancel_signal_emit(&signal, SENNIT_CANCEL_PARTIAL);
	EXPECT(&cancelled, -ECANCELED, 0);
	shake_hands(&pair, 0, 0);
	close_pair(stage, &pair);
}

SCENARIO(a_handshake_with_a_silent_peer_has_a_deadline)
{
	struct tls_pair pair = {0};

	(void)stage;
	open_pair(&pair, stage->owner, NULL, NULL);
	sennit_op_expires_after(&pair.handshakes[0].op, SENNIT_MS(1));
	start_handshake(&pair.client, &pair.handshakes[0]);
	EXPECT(&pair.handshakes[0], -ETIMEDOUT, 0);
	close_pair(stage, &pair);
}

SCENARIO(closing_ends_everything)
{
	struct tls_pair pair = {0};
	struct flight flights[3] = {0};
	char *data = zeroed(8 << 20);

	connect_pair(stage, &pair);
	START(stage,
	      {READ, .stream = &pair.server.stream, .data = data, .size = 8,
	       .flight = &flights[0]},
	      {WAIT, .stream = &pair.server.stream, .what = SENNIT_WAIT_READ,
	       .flight = &flights[1]},
	      {WRITE, .stream = &pair.server.stream, .data = data, .size = 8 << 20,
	       .flight = &flights[2]},
	      {CLOSE, .stream = &pair.server.stream});
	EXPECT(&flights[0], -ECANCELED, 0);
	EXPECT(&flights[1], -ECANCELED, 0);
	wait_result(&flights[2].result);
	assert_int_equal(flights[2].result.error, -ECANCELED);
	close_pair(stage, &pair);
	free(data);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(what_one_side_writes_the_other_reads),
		TEST(much_goes_both_ways_at_once),
		TEST(transfers_wait_for_the_handshake),
		TEST(without_a_handshake_nothing_is_connected),
		TEST(a_transfer_of_nothing_succeeds),
		TEST(a_write_some_alone_takes_one_record),
		TEST(overlapping_writes_go_out_whole_and_in_order),
		TEST(both_sides_end_in_order),
		TEST(after_the_peers_end_one_may_still_write),
		TEST(shutdown_goes_on_over_data_that_nobody_reads),
		TEST(after_the_own_end_nothing_can_be_written),
		TEST(an_end_below_is_no_end),
		TEST(a_reset_below_is_reported_as_such),
		TEST(a_certificate_of_nobody_known_is_not_trusted),
		TEST(a_cancelled_read_leaves_the_session_as_it_was),
		TEST(a_cancelled_handshake_goes_on_where_it_was),
		TEST(a_handshake_with_a_silent_peer_has_a_deadline),
		TEST(closing_ends_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
