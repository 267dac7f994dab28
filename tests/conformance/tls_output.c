/* SPDX-License-Identifier: MIT */
/* tls_output.c - how what was sealed leaves: at once where the stream below takes it, and with an
 * operation what is left of that. Over TCP and local sockets whose buffers are tiny (of a record
 * the latter take a part), over streams in memory, which take nothing at once, and over TLS.
 */
#include "duplex_stream.h"
#include "tls_support.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define MEBIBYTE ((size_t)1 << 20)
#define BATCH    ((size_t)65536) /* what is sealed at once of a large write */
#define OVERHEAD 22              /* of a record in TLS 1.3 */

/* --- where it is played ----------------------------------------------------------------------- */

struct play {
	struct stage *stage;
	struct duplex duplex;
	struct tls_pair inner; /* where TLS is below */
	bool has_inner;
	struct tls_pair pair;
	struct sennit_descriptor locals[2];
	int fds[2];            /* of sockets: the client's, then the server's */
	struct sennit_stream *client;
	struct sennit_stream *server;
	char *sent;            /* the pattern, of a mebibyte and some more */
	char *got;
};

typedef void below(struct play *play, struct tls_pair *pair);

static void over_tcp(struct play *play, struct tls_pair *pair)
{
	raw_tcp_pair(play->fds);
	for (int i = 0; i < 2; i++) {
		sennit_tcp_socket_init(&pair->sockets[i], play->stage->owner);
		assert_int_equal(sennit_tcp_socket_assign(&pair->sockets[i], play->fds[i]), 0);
		/* or a small write waits for the answer to the one before */
		assert_int_equal(sennit_tcp_socket_set_option(&pair->sockets[i],
							      SENNIT_TCP_NO_DELAY, 1), 0);
	}
	open_pair_over(pair, &pair->sockets[0].stream, &pair->sockets[1].stream, NULL, NULL);
}

static void over_tiny_tcp(struct play *play, struct tls_pair *pair)
{
	over_tcp(play, pair);
	shrink_buffers(play->fds[0]);
	shrink_buffers(play->fds[1]);
}

static void over_tiny_local(struct play *play, struct tls_pair *pair)
{
	raw_local_pair(SOCK_STREAM, play->fds);
	for (int i = 0; i < 2; i++) {
		shrink_buffers(play->fds[i]);
		adopt(play->stage, &play->locals[i], play->fds[i]);
	}
	open_pair_over(pair, &play->locals[0].stream, &play->locals[1].stream, NULL, NULL);
}

static void over_memory(struct play *play, struct tls_pair *pair)
{
	duplex_open(&play->duplex, play->stage->owner);
	open_pair_over(pair, &play->duplex.ends[0].stream, &play->duplex.ends[1].stream, NULL,
		       NULL);
}

static void over_tls(struct play *play, struct tls_pair *pair)
{
	over_tiny_tcp(play, &play->inner);
	play->has_inner = true;
	shake_hands(&play->inner, 0, 0);
	open_pair_over(pair, &play->inner.client.stream, &play->inner.server.stream, NULL, NULL);
}

/* Nothing is open yet. */
static struct play *new_play(struct stage *stage)
{
	struct play *play = zeroed(sizeof *play);

	play->stage = stage;
	play->client = &play->pair.client.stream;
	play->server = &play->pair.server.stream;
	play->sent = patterned(2 * MEBIBYTE);
	play->got = zeroed(4 * MEBIBYTE);
	return play;
}

/* Both are connected, and nothing is under way. */
static struct play *open_play(struct stage *stage, below *open)
{
	struct play *play = new_play(stage);

	open(play, &play->pair);
	shake_hands(&play->pair, 0, 0);
	take_tickets(stage, &play->pair);
	return play;
}

static void close_play(struct play *play)
{
	close_pair(play->stage, &play->pair);
	if (play->has_inner)
		close_pair(play->stage, &play->inner);
	duplex_free(&play->duplex);
	free(play->sent);
	free(play->got);
	free(play);
}

static void with_each_below(struct stage *stage, void (*scene)(struct play *play))
{
	static below *const belows[] = {over_tcp, over_tiny_tcp, over_tiny_local,
					over_memory, over_tls};

	for (size_t i = 0; i < COUNT_OF(belows); i++) {
		struct play *play = open_play(stage, belows[i]);

		scene(play);
		close_play(play);
	}
}

/* --- of any size ------------------------------------------------------------------------------ */

static const size_t sizes[] = {1, 2, 100, 4095, 4609, 16383, 16384, 16385, 40000, 65535, 65536,
			       65537, 200000, MEBIBYTE};
#define SIZES COUNT_OF(sizes)

static void write_both_ways(struct play *play)
{
	for (size_t i = 0; i < SIZES; i++) {
		size_t there = sizes[i];
		size_t back = sizes[SIZES - 1 - i];
		struct flight flights[4] = {0};

		memset(play->got, 0, there + back);
		START(play->stage,
		      {WRITE, .stream = play->client, .data = play->sent, .size = there,
		       .flight = &flights[0]},
		      {WRITE, .stream = play->server, .data = play->sent + 1, .size = back,
		       .flight = &flights[1]},
		      {READ, .stream = play->server, .data = play->got, .size = there,
		       .flight = &flights[2]},
		      {READ, .stream = play->client, .data = play->got + there, .size = back,
		       .flight = &flights[3]});
		EXPECT(&flights[0], 0, there);
		EXPECT(&flights[1], 0, back);
		EXPECT(&flights[2], 0, there);
		EXPECT(&flights[3], 0, back);
		assert_true(is_pattern(play->got, there, 0));
		assert_true(is_pattern(play->got + there, back, 1));
	}
}

SCENARIO(writes_of_any_size_leave_whole_both_ways_at_once)
{
	with_each_below(stage, write_both_ways);
}

/* Of all sizes, one behind the other, while the first is on its way. */
static void write_overlapping(struct play *play)
{
	enum { WRITES = 40 };
	struct flight *flights = zeroed(2 * (WRITES + 1) * sizeof *flights);
	struct start starts[2 * WRITES];
	size_t totals[2] = {0, 0};

	for (int i = 0; i < 2 * WRITES; i++) {
		size_t size = sizes[(size_t)(i / 2 * 5 + i % 2) % (SIZES - 2)];

		starts[i] = (struct start){WRITE, .stream = i % 2 ? play->server : play->client,
					   .data = play->sent + totals[i % 2], .size = size,
					   .flight = &flights[i]};
		totals[i % 2] += size;
	}
	assert_in_range(totals[0], MEBIBYTE / 2, 2 * MEBIBYTE);
	assert_in_range(totals[1], MEBIBYTE / 2, 2 * MEBIBYTE);
	start_all(play->stage, starts, COUNT_OF(starts));
	START(play->stage,
	      {READ, .stream = play->server, .data = play->got, .size = totals[0],
	       .flight = &flights[COUNT_OF(starts)]},
	      {READ, .stream = play->client, .data = play->got + totals[0], .size = totals[1],
	       .flight = &flights[COUNT_OF(starts) + 1]});
	for (size_t i = 0; i < COUNT_OF(starts); i++)
		EXPECT(&flights[i], 0, starts[i].size);
	EXPECT(&flights[COUNT_OF(starts)], 0, totals[0]);
	EXPECT(&flights[COUNT_OF(starts) + 1], 0, totals[1]);
	assert_true(is_pattern(play->got, totals[0], 0));
	assert_true(is_pattern(play->got + totals[0], totals[1], 0));
	free(flights);
}

SCENARIO(overlapping_writes_leave_in_order_both_ways_at_once)
{
	with_each_below(stage, write_overlapping);
}

/* --- in how many calls ------------------------------------------------------------------------ */

static void count_here(void *argument)
{
	struct sennit_runtime *runtime = sennit_runtime_current();

	sennit_runtime_counters(runtime, 0, argument);
}

/* So many writes of one turn, each of `size` bytes, leave in one call, as records of `most`. */
static void write_in_one_call(struct stage *stage, size_t count, size_t size, size_t most)
{
	size_t records = (count * size + most - 1) / most;
	struct play *play = open_play(stage, over_tcp);
	struct flight *flights = zeroed((count + 1) * sizeof *flights);
	struct start *starts = zeroed(count * sizeof *starts);
	struct sennit_counters before;
	struct sennit_counters after;

	for (size_t i = 0; i < count; i++)
		starts[i] = (struct start){WRITE, .stream = play->client,
					   .data = play->sent + i * size, .size = size,
					   .flight = &flights[i]};
	assert_true(SSL_set_max_send_fragment(sennit_tls_stream_native(&play->pair.client),
					      (long)most));
	call_on_owner(stage, count_here, &before);
	start_on_owner(stage, starts, count);
	for (size_t i = 0; i < count; i++)
		EXPECT(&flights[i], 0, size);
	call_on_owner(stage, count_here, &after);
	assert_int_equal(after.writes - before.writes, 1);
	assert_int_equal(after.bytes_written - before.bytes_written,
			 count * size + records * OVERHEAD);
	assert_int_equal(after.reads - before.reads, 0);
	START(stage, {READ, .stream = play->server, .data = play->got, .size = count * size,
		      .flight = &flights[count]});
	EXPECT(&flights[count], 0, count * size);
	assert_true(is_pattern(play->got, count * size, 0));
	close_play(play);
	free(flights);
	free(starts);
}

SCENARIO(the_writes_of_a_turn_leave_in_one_call)
{
	write_in_one_call(stage, 1, 1, 16384);
	write_in_one_call(stage, 1, 16384, 16384);
	write_in_one_call(stage, 1, BATCH, 16384);
	write_in_one_call(stage, 32, 10, 16384);
	write_in_one_call(stage, 60, 1000, 16384);
	write_in_one_call(stage, 1, 16384, 512); /* as a peer may ask for */
	write_in_one_call(stage, 1, 40000, 1024);
}

/* --- a stream below that fails ---------------------------------------------------------------- */

/* Has the server's side reset the connection; returns when the client's side knows. */
static void reset(struct play *play)
{
	const struct linger now = {.l_onoff = 1};
	struct flight flight = {0};

	START(play->stage, {WAIT, .stream = &play->pair.sockets[0].stream, .what = SENNIT_WAIT_READ,
			    .flight = &flight});
	assert_int_equal(setsockopt(play->fds[1], SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
	sennit_close(play->server);
	EXPECT(&flight, 0, 0);
}

/* Nothing is known of the reset before the record is there and the stream below is asked. */
static void fail_while_it_is_sealed(struct stage *stage, size_t size)
{
	struct play *play = open_play(stage, over_tcp);
	struct flight flights[5] = {0};
	struct sennit_counters before;
	struct sennit_counters after;
	struct start starts[] = {
		{WRITE, .stream = play->client, .data = play->sent, .size = size,
		 .flight = &flights[0]},
		{WRITE, .stream = play->client, .data = play->sent, .size = 100,
		 .flight = &flights[1]},
		{WRITE_SOME, .stream = play->client, .data = play->sent, .size = MEBIBYTE,
		 .flight = &flights[2]},
	};

	reset(play);
	call_on_owner(stage, count_here, &before);
	start_all(stage, starts, COUNT_OF(starts));
	EXPECT(&flights[0], -ECONNRESET, 0);
	EXPECT(&flights[1], -ECONNRESET, 0);
	EXPECT(&flights[2], -ECONNRESET, 0);
	START(stage,
	      {WRITE, .stream = play->client, .data = play->sent, .size = size,
	       .flight = &flights[3]});
	EXPECT(&flights[3], -ECONNRESET, 0);
	start_shutdown(&play->pair.client, &flights[4]);
	EXPECT(&flights[4], -ECONNRESET, 0);
	call_on_owner(stage, count_here, &after);
	assert_int_equal(after.bytes_written, before.bytes_written);
	close_play(play);
}

SCENARIO(a_failure_below_while_a_record_is_sealed_ends_this_write_and_all_others)
{
	fail_while_it_is_sealed(stage, 1);
	fail_while_it_is_sealed(stage, 16384);
	fail_while_it_is_sealed(stage, BATCH);
	fail_while_it_is_sealed(stage, MEBIBYTE);
}

/* Of what has not left whole nothing is counted. */
SCENARIO(a_failure_below_while_a_record_is_partly_out_ends_writes_without_a_byte)
{
	struct play *play = open_play(stage, over_tiny_local);
	struct flight flights[3] = {0};

	START(stage,
	      {WRITE, .stream = play->client, .data = play->sent, .size = 16384,
	       .flight = &flights[0]},
	      {WRITE, .stream = play->client, .data = play->sent, .size = 100,
	       .flight = &flights[1]});
	PENDING(stage, &flights[0]);
	sennit_close(play->server);
	EXPECT(&flights[0], -EPIPE, 0);
	EXPECT(&flights[1], -EPIPE, 0);
	START(stage, {WRITE, .stream = play->client, .data = play->sent, .size = 1,
		      .flight = &flights[2]});
	EXPECT(&flights[2], -EPIPE, 0);
	close_play(play);
}

/* --- new keys --------------------------------------------------------------------------------- */

struct change {
	struct play *play;
	struct start starts[2];
};

static void ask_for_keys(const struct sennit_tls_stream *stream)
{
	RECORD(SSL_key_update(sennit_tls_stream_native(stream), SSL_KEY_UPDATE_REQUESTED));
}

/* Between two writes: the first is sealed before, with its batch, or after, as the turn has it. */
static void change_keys(void *argument)
{
	struct change *change = argument;
	struct play *play = change->play;

	start_here(&change->starts[0], play->stage->owner);
	ask_for_keys(&play->pair.client);
	start_here(&change->starts[1], play->stage->owner);
}

static void change_server_keys(void *argument)
{
	struct play *play = argument;

	ask_for_keys(&play->pair.server);
}

static void write_with_new_keys(struct play *play)
{
	for (size_t i = 0; i < SIZES; i++) {
		size_t size = sizes[i];
		struct flight flights[7] = {0};
		struct change change = {
			play,
			{{WRITE, .stream = play->client, .data = play->sent + 7, .size = size,
			  .flight = &flights[1]},
			 {WRITE, .stream = play->client, .data = play->sent + 7 + size,
			  .size = 1000, .flight = &flights[2]}},
		};

		memset(play->got, 0, 2 * MEBIBYTE);
		START(play->stage, {WRITE, .stream = play->client, .data = play->sent, .size = 7,
				    .flight = &flights[0]});
		call_on_owner(play->stage, change_keys, &change);
		call_on_owner(play->stage, change_server_keys, play);
		START(play->stage,
		      {WRITE, .stream = play->server, .data = play->sent, .size = size,
		       .flight = &flights[3]},
		      {READ, .stream = play->server, .data = play->got, .size = size + 1007,
		       .flight = &flights[4]},
		      {READ, .stream = play->client, .data = play->got + 2 * MEBIBYTE,
		       .size = size, .flight = &flights[5]});
		EXPECT(&flights[0], 0, 7);
		EXPECT(&flights[1], 0, size);
		EXPECT(&flights[2], 0, 1000);
		EXPECT(&flights[3], 0, size);
		EXPECT(&flights[4], 0, size + 1007);
		EXPECT(&flights[5], 0, size);
		assert_true(is_pattern(play->got, size + 1007, 0));
		assert_true(is_pattern(play->got + 2 * MEBIBYTE, size, 0));
	}
}

SCENARIO(new_keys_between_two_writes_keep_their_order)
{
	with_each_below(stage, write_with_new_keys);
}

/* --- asked to end ----------------------------------------------------------------------------- */

/* Writes some more, behind so many bytes that go out, and has the other side read both. */
static void expect_more(struct play *play, size_t before)
{
	struct flight flights[2] = {0};

	START(play->stage,
	      {WRITE, .stream = play->client, .data = play->sent + before, .size = 1000,
	       .flight = &flights[0]},
	      {READ, .stream = play->server, .data = play->got, .size = before + 1000,
	       .flight = &flights[1]});
	EXPECT(&flights[0], 0, 1000);
	EXPECT(&flights[1], 0, before + 1000);
	assert_true(is_pattern(play->got, before + 1000, 0));
}

/* A write that nobody reads, and of whose first record a part is out. What is sealed of it goes out
 * whole, whatever it then reports. */
static void cancel_partly_out(struct stage *stage, size_t size, int types)
{
	struct play *play = open_play(stage, over_tiny_local);
	struct sennit_cancel_signal signal = {0};
	size_t sealed = size < BATCH ? size : BATCH;
	struct flight flight = {0};

	START(stage, {WRITE, .stream = play->client, .data = play->sent, .size = size,
		      .flight = &flight, .slot = sennit_cancel_signal_slot(&signal)});
	PENDING(stage, &flight);
	sennit_cancel_signal_emit(&signal, types);
	if (types & SENNIT_CANCEL_TERMINAL)
		EXPECT(&flight, -ECANCELED, 0);
	else
		PENDING(stage, &flight);
	expect_more(play, sealed);
	if (!(types & SENNIT_CANCEL_TERMINAL))
		EXPECT(&flight, size > BATCH ? -ECANCELED : 0, sealed);
	close_play(play);
}

SCENARIO(a_terminal_request_ends_a_write_at_once_and_its_record_goes_on)
{
	cancel_partly_out(stage, 16384, SENNIT_CANCEL_TERMINAL);
	cancel_partly_out(stage, BATCH, SENNIT_CANCEL_TERMINAL);
	cancel_partly_out(stage, MEBIBYTE, SENNIT_CANCEL_ALL);
}

SCENARIO(a_partial_request_ends_a_write_when_its_records_are_out)
{
	cancel_partly_out(stage, 16384, SENNIT_CANCEL_PARTIAL);
	cancel_partly_out(stage, BATCH, SENNIT_CANCEL_PARTIAL);
	cancel_partly_out(stage, MEBIBYTE, SENNIT_CANCEL_PARTIAL);
}

/* --- what reads do meanwhile ------------------------------------------------------------------ */

struct measured {
	struct duplex_end *end;
	size_t size;
};

static void measure_here(void *argument)
{
	struct measured *measured = argument;
	struct iovec vector[16];
	int count = measured->end->writing
			    ? sennit_op_buffers(measured->end->writing, vector, COUNT_OF(vector))
			    : 0;

	measured->size = 0;
	for (int i = 0; i < count; i++)
		measured->size += vector[i].iov_len;
}

/* Has the end, which takes nothing, take what it is asked to now, and no more. */
static void take_one_write(struct stage *stage, struct duplex_end *end)
{
	struct measured measured = {end, 0};

	duplex_wait_stopped(stage, end);
	call_on_owner(stage, measure_here, &measured);
	duplex_allow(stage, end, measured.size);
}

/* From 3.2 on OpenSSL may compress certificates. */
#ifdef SSL_OP_NO_TX_CERTIFICATE_COMPRESSION
# define KEEP_LARGE SSL_OP_NO_TX_CERTIFICATE_COMPRESSION
#else
# define KEEP_LARGE 0
#endif

/* A server that wants a certificate, and a client that shows one as large as many records. */
static void open_with_large_certificate(struct play *play)
{
	static char names[100000];
	struct wish wish = {.alternative = names};
	struct sennit_tls_context *client = client_context(test_authority());
	struct sennit_tls_context *server = server_context(test_certificate());
	const char *authority = test_authority()->certificate;
	size_t size = 0;
	struct pem pem;

	for (int i = 0; i < 4000; i++)
		size += (size_t)snprintf(names + size, sizeof names - size,
					 "%sDNS:n%04d.example.org", i ? "," : "", i);
	make_certificate(&pem, &wish, test_authority());
	assert_int_equal(sennit_tls_context_certificate(client, pem.certificate,
							strlen(pem.certificate), pem.key,
							strlen(pem.key)),
			 0);
	free_certificate(&pem);
	SSL_CTX_set_options(sennit_tls_context_native(client), KEEP_LARGE);
	assert_int_equal(sennit_tls_context_trust(server, authority, strlen(authority)), 0);
	assert_int_equal(sennit_tls_context_peer(server, SENNIT_TLS_PEER_MUST), 0);
	/* the certificate would be in them, and is too large for that */
	assert_int_equal(sennit_tls_context_tickets(server, false), 0);
	duplex_open(&play->duplex, play->stage->owner);
	open_pair_over(&play->pair, &play->duplex.ends[0].stream, &play->duplex.ends[1].stream,
		       client, server);
}

#define ASKED 3

static void ask_and_write(struct play *play)
{
	struct flight flight = {0};

	call_on_owner(play->stage, change_server_keys, play);
	START(play->stage, {WRITE, .stream = play->server, .data = "x", .size = 1,
			    .flight = &flight});
	EXPECT(&flight, 0, 1);
}

/* The client's last flight and its write leave in two calls. While the first is under way the
 * server asks for new keys, more than once, for OpenSSL answers when it reads the next message; and
 * what it answers leaves with the second. */
SCENARIO(what_reads_add_behind_a_write_is_not_taken_for_a_part_of_it)
{
	struct play *play = new_play(stage);
	struct duplex_end *end = &play->duplex.ends[0];
	struct flight flights[3] = {0};

	open_with_large_certificate(play);
	duplex_allow(stage, end, 0);
	start_handshake(&play->pair.client, &play->pair.handshakes[0]);
	start_handshake(&play->pair.server, &play->pair.handshakes[1]);
	START(stage,
	      {WRITE, .stream = play->client, .data = play->sent, .size = BATCH,
	       .flight = &flights[0]},
	      {READ, .stream = play->client, .data = play->got, .size = ASKED,
	       .flight = &flights[1]});
	take_one_write(stage, end); /* the first flight */
	EXPECT(&play->pair.handshakes[0], 0, 0);
	duplex_wait_stopped(stage, end);
	duplex_allow(stage, end, 120000); /* the last, and a part of the write */
	EXPECT(&play->pair.handshakes[1], 0, 0);
	duplex_wait_stopped(stage, end);
	for (int i = 0; i < ASKED; i++)
		ask_and_write(play);
	EXPECT(&flights[1], 0, ASKED);
	PENDING(stage, &flights[0]);
	duplex_allow(stage, end, DUPLEX_ALL);
	EXPECT(&flights[0], 0, BATCH);
	START(stage, {READ, .stream = play->server, .data = play->got, .size = BATCH,
		      .flight = &flights[2]});
	EXPECT(&flights[2], 0, BATCH);
	assert_true(is_pattern(play->got, BATCH, 0));
	close_play(play);
}

/* --- in the middle of a message --------------------------------------------------------------- */

/* The client has read a part of a ticket, and must read the rest before it may write. */
static void open_with_half_a_ticket(struct play *play, char *byte, struct flight *read)
{
	static size_t filling = 4000;
	struct sennit_tls_context *server = server_context(test_certificate());
	struct duplex *duplex = &play->duplex;

	give_large_tickets(server, &filling);
	duplex_open(duplex, play->stage->owner);
	open_pair_over(&play->pair, &duplex->ends[0].stream, &duplex->ends[1].stream, NULL,
		       server);
	assert_true(SSL_set_max_send_fragment(sennit_tls_stream_native(&play->pair.server), 512));
	duplex_allow(play->stage, &duplex->ends[0], 0);
	start_handshake(&play->pair.client, &play->pair.handshakes[0]);
	start_handshake(&play->pair.server, &play->pair.handshakes[1]);
	take_one_write(play->stage, &duplex->ends[0]);
	EXPECT(&play->pair.handshakes[0], 0, 0);
	START(play->stage, {READ, .stream = play->client, .data = byte, .size = 1,
			    .flight = read});
	duplex_wait_stopped(play->stage, &duplex->ends[0]);
	duplex_allow(play->stage, &duplex->ends[1], 600);
	duplex_allow(play->stage, &duplex->ends[0], DUPLEX_ALL);
	EXPECT(&play->pair.handshakes[1], 0, 0);
	duplex_wait_stopped(play->stage, &duplex->ends[1]);
	PENDING(play->stage, read);
	assert_true(SSL_in_init(sennit_tls_stream_native(&play->pair.client)));
}

SCENARIO(a_write_in_the_middle_of_a_message_waits_for_its_rest_and_leaves)
{
	struct play *play = new_play(stage);
	struct flight flights[4] = {0};
	char byte;

	open_with_half_a_ticket(play, &byte, &flights[0]);
	START(stage, {WRITE, .stream = play->client, .data = play->sent, .size = 20000,
		      .flight = &flights[1]});
	PENDING(stage, &flights[1]);
	duplex_allow(stage, &play->duplex.ends[1], DUPLEX_ALL);
	START(stage,
	      {READ, .stream = play->server, .data = play->got, .size = 20000,
	       .flight = &flights[2]},
	      {WRITE, .stream = play->server, .data = "x", .size = 1, .flight = &flights[3]});
	EXPECT(&flights[1], 0, 20000);
	EXPECT(&flights[2], 0, 20000);
	EXPECT(&flights[3], 0, 1);
	EXPECT(&flights[0], 0, 1);
	assert_true(is_pattern(play->got, 20000, 0));
	close_play(play);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(writes_of_any_size_leave_whole_both_ways_at_once),
		TEST(overlapping_writes_leave_in_order_both_ways_at_once),
		TEST(the_writes_of_a_turn_leave_in_one_call),
		TEST(a_failure_below_while_a_record_is_sealed_ends_this_write_and_all_others),
		TEST(a_failure_below_while_a_record_is_partly_out_ends_writes_without_a_byte),
		TEST(new_keys_between_two_writes_keep_their_order),
		TEST(a_terminal_request_ends_a_write_at_once_and_its_record_goes_on),
		TEST(a_partial_request_ends_a_write_when_its_records_are_out),
		TEST(what_reads_add_behind_a_write_is_not_taken_for_a_part_of_it),
		TEST(a_write_in_the_middle_of_a_message_waits_for_its_rest_and_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
