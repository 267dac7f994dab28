/* SPDX-License-Identifier: MIT */
/* tls_input.c - how what comes is read: it is drawn from a stream below that gives it without an
 * operation, as TCP and local sockets do, and taken from others, here in memory. The other side is
 * OpenSSL over a plain descriptor, where it matters how bytes arrive.
 */
#include "duplex_stream.h"
#include "tls_peer.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define MEBIBYTE ((size_t)1 << 20)
#define OVERHEAD 22 /* of a record in TLS 1.3 */

#if defined(SANITIZED_THREAD) || defined(SANITIZED_ADDRESS)
# define BULK MEBIBYTE
# define STEP 3
#else
# define BULK (8 * MEBIBYTE)
# define STEP 1
#endif

/* --- a server of the library's and a client --------------------------------------------------- */

struct play {
	struct duel duel;
	struct sennit_descriptor local;
	bool is_local;
	int fd;                       /* the server's */
	struct sennit_stream *stream; /* its TLS stream */
	struct stage *stage;
	struct tls_peer *peer;
	unsigned char *wire;          /* what the client has sealed, and not sent */
	size_t size;
	char *sent;                   /* the pattern */
	char *got;
};

static void open_play(struct play *play, bool is_local)
{
	struct duel *duel = &play->duel;

	memset(play, 0, sizeof *play);
	play->is_local = is_local;
	play->stage = &duel->stage;
	play->peer = &duel->peer;
	play->stream = &duel->stream.stream;
	play->sent = patterned(MEBIBYTE);
	play->got = zeroed(MEBIBYTE);
	play->wire = zeroed(2 * MEBIBYTE);
	begin_duel(duel, SENNIT_TLS_SERVER, NULL);
	if (is_local) {
		peer_open(&duel->peer, open_local(&duel->stage, &play->local));
		play->fd = sennit_descriptor_native_handle(&play->local);
		assert_int_equal(sennit_tls_stream_open_server(&duel->stream, duel->context,
							       &play->local.stream), 0);
		start_handshake(&duel->stream, &duel->handshake);
		assert_true(peer_handshake(&duel->peer));
		EXPECT(&duel->handshake, 0, 0);
	} else {
		connect_duel(duel, NULL);
		play->fd = sennit_tcp_socket_native_handle(&duel->socket);
	}
}

static void close_play(struct play *play)
{
	end_duel(&play->duel);
	free(play->sent);
	free(play->got);
	free(play->wire);
	recorded();
}

static void with_each_below(void (*scene)(struct play *play))
{
	for (int is_local = 0; is_local < 2; is_local++) {
		struct play play;

		open_play(&play, is_local);
		scene(&play);
		close_play(&play);
	}
}

static void take_wire(struct play *play)
{
	size_t taken;

	while ((taken = peer_take(play->peer, play->wire + play->size,
				  2 * MEBIBYTE - play->size)))
		play->size += taken;
}

/* The client seals a record of the pattern from there on, and sends nothing yet. */
static void seal(struct play *play, size_t offset, size_t size)
{
	size_t wrote;

	assert_int_equal(SSL_write_ex(play->peer->ssl, play->sent + offset, size, &wrote), 1);
	take_wire(play);
}

static void seal_end(struct play *play)
{
	assert_int_equal(SSL_shutdown(play->peer->ssl), 0);
	take_wire(play);
}

/* Sends so much of it; the rest stays. */
static void send_some(struct play *play, size_t size)
{
	peer_send(play->peer, play->wire, size);
	play->size -= size;
	memmove(play->wire, play->wire + size, play->size);
}

static void send_all(struct play *play)
{
	send_some(play, play->size);
}

static void start_read(struct play *play, size_t size, struct flight *flight)
{
	*flight = (struct flight){0};
	memset(play->got, 0, size);
	START(play->stage, {READ, .stream = play->stream, .data = play->got, .size = size,
			    .flight = flight});
}

/* Which was started. */
static void expect_data(struct play *play, size_t offset, size_t size, struct flight *flight)
{
	EXPECT(flight, 0, size);
	assert_true(is_pattern(play->got, size, offset));
}

static void read_data(struct play *play, size_t offset, size_t size)
{
	struct flight flight;

	start_read(play, size, &flight);
	expect_data(play, offset, size, &flight);
}

static void read_error(struct play *play, int error)
{
	struct flight flight;

	start_read(play, 1, &flight);
	EXPECT(&flight, error, 0);
}

static void start_wait(struct play *play, int what, struct flight *flight)
{
	*flight = (struct flight){0};
	START(play->stage, {WAIT, .stream = play->stream, .what = what, .flight = flight});
}

static void wait_for(struct play *play, int what)
{
	struct flight flight;

	start_wait(play, what, &flight);
	EXPECT(&flight, 0, 0);
}

/* --- records in two halves -------------------------------------------------------------------- */

static void halve(struct play *play, size_t size, size_t step)
{
	for (size_t at = 1; at < size + OVERHEAD; at += step) {
		struct flight flight;

		seal(play, at, size);
		start_read(play, size, &flight);
		send_some(play, at);
		wait_until_read(play->fd);
		PENDING(play->stage, &flight);
		send_all(play);
		expect_data(play, at, size, &flight);
	}
}

static void halve_records(struct play *play)
{
	halve(play, 20, STEP);
	halve(play, 1000, 101 * STEP);
	halve(play, 16384, 1999 * STEP);
}

static void a_record_that_comes_in_two_halves_is_read(void **state)
{
	(void)state;
	with_each_below(halve_records);
}

/* What OpenSSL has of it stays with it: the next read has it all. */
static void cancel_at_half(struct play *play)
{
	for (size_t at = 1; at < 100 + OVERHEAD; at += 7 * STEP) {
		struct flight flight;

		seal(play, at, 100);
		start_read(play, 100, &flight);
		send_some(play, at);
		wait_until_read(play->fd);
		PENDING(play->stage, &flight);
		sennit_cancel(play->stream);
		EXPECT(&flight, -ECANCELED, 0);
		if (at % 2) {
			send_all(play);
			read_data(play, at, 100);
		} else {
			start_read(play, 100, &flight);
			PENDING(play->stage, &flight);
			send_all(play);
			expect_data(play, at, 100, &flight);
		}
	}
}

static void a_read_that_is_cancelled_at_half_a_record_takes_nothing_with_it(void **state)
{
	(void)state;
	with_each_below(cancel_at_half);
}

/* --- many at once ----------------------------------------------------------------------------- */

static const size_t reads[] = {1, 2, 3, 100, 7, 5000, 1, 20000, 16384, 13, 16385, 60};

/* Small ones and large ones, which need not be read where they end. */
static void read_of_every_size(struct play *play)
{
	size_t total = 0;
	size_t at = 0;

	for (size_t i = 0; i < 60; i++) {
		size_t size = i % 20 == 19 ? 16384 : i * i % 97 + 1;

		seal(play, total, size);
		total += size;
	}
	send_all(play);
	for (size_t i = 0; at < total; i++) {
		size_t size = reads[i % COUNT_OF(reads)];

		if (size > total - at)
			size = total - at;
		read_data(play, at, size);
		at += size;
	}
}

static void many_records_at_once_are_read_in_reads_of_any_size(void **state)
{
	(void)state;
	with_each_below(read_of_every_size);
}

/* --- with the end ----------------------------------------------------------------------------- */

/* All of it is there before the server looks: no event tells of the end alone. */
static void end_behind_data(struct play *play, size_t size, bool in_order, bool early)
{
	struct flight flight = {0};
	struct hold hold;

	seal(play, 0, size);
	if (in_order)
		seal_end(play);
	if (early)
		start_read(play, size, &flight);
	hold_worker(&hold, play->stage->owner);
	send_all(play);
	assert_int_equal(shutdown(play->peer->fd, SHUT_WR), 0);
	let_go(&hold);
	if (!early)
		start_read(play, size, &flight);
	expect_data(play, 0, size, &flight);
	wait_for(play, SENNIT_WAIT_READ);
	read_error(play, in_order ? SENNIT_EOF : SENNIT_TRUNCATED);
	read_error(play, in_order ? SENNIT_EOF : SENNIT_TRUNCATED);
	wait_for(play, SENNIT_WAIT_READ);
}

static void data_and_the_end_that_come_together_are_both_read(void **state)
{
	static const size_t sizes[] = {1, 1000, 16384, 100000};

	(void)state;
	for (unsigned i = 0; i < 8 * COUNT_OF(sizes); i++) {
		struct play play;

		open_play(&play, i & 1);
		end_behind_data(&play, sizes[i / 8], i & 2, i & 4);
		close_play(&play);
	}
}

static void data_before_a_reset_is_read(void **state)
{
	static const size_t sizes[] = {1, 1000, 16384};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		struct play play;

		open_play(&play, false);
		seal(&play, 0, sizes[i]);
		seal(&play, 0, 50);
		send_some(&play, play.size - 1); /* the second is not whole */
		wait_for(&play, SENNIT_WAIT_READ);
		raw_reset(play.peer->fd);
		play.peer->fd = -1;
		read_data(&play, 0, sizes[i]);
		read_error(&play, -ECONNRESET);
		read_error(&play, -ECONNRESET);
		close_play(&play);
	}
}

/* --- waits beside reads ----------------------------------------------------------------------- */

/* Data is there below, and inside, and none of it wakes who waits for an error. */
static void wait_beside_reads(struct play *play)
{
	struct flight error;
	struct flight flights[3];

	start_wait(play, SENNIT_WAIT_ERROR, &error);
	start_wait(play, SENNIT_WAIT_READ, &flights[0]);
	PENDING(play->stage, &flights[0]);
	wait_for(play, SENNIT_WAIT_WRITE);
	for (size_t i = 0; i < 10; i++)
		seal(play, i * 10000, 10000);
	send_all(play);
	EXPECT(&flights[0], 0, 0);
	PENDING(play->stage, &error);
	for (size_t i = 0; i < 10; i++) {
		read_data(play, i * 10000, 100);
		wait_for(play, SENNIT_WAIT_READ); /* what is left inside */
		start_read(play, 9900, &flights[1]);
		start_wait(play, SENNIT_WAIT_WRITE, &flights[2]);
		expect_data(play, i * 10000 + 100, 9900, &flights[1]);
		EXPECT(&flights[2], 0, 0);
		PENDING(play->stage, &error);
	}
	start_wait(play, SENNIT_WAIT_READ, &flights[0]);
	PENDING(play->stage, &flights[0]);
	start_read(play, 1, &flights[1]);
	seal(play, 7, 2);
	send_all(play);
	expect_data(play, 7, 1, &flights[1]); /* and one is left */
	EXPECT(&flights[0], 0, 0);
	read_data(play, 8, 1);
	PENDING(play->stage, &error);
	start_wait(play, SENNIT_WAIT_READ, &flights[0]); /* which finds the end, for both */
	PENDING(play->stage, &flights[0]);
	assert_int_equal(shutdown(play->peer->fd, SHUT_WR), 0);
	EXPECT(&flights[0], 0, 0);
	EXPECT(&error, 0, 0);
	read_error(play, SENNIT_TRUNCATED);
}

static void waits_beside_reads_complete_when_what_they_wait_for_is_so(void **state)
{
	(void)state;
	with_each_below(wait_beside_reads);
}

/* Nobody reads: who waits for an error does not go on for ever because of what is there. */
static void wait_for_an_error_alone(struct play *play)
{
	struct flight error;

	start_wait(play, SENNIT_WAIT_ERROR, &error);
	for (size_t i = 0; i < 5; i++)
		seal(play, i * 16384, 16384);
	send_all(play);
	PENDING(play->stage, &error);
	PENDING(play->stage, &error);
	read_data(play, 0, 5 * (size_t)16384);
	PENDING(play->stage, &error);
	assert_int_equal(shutdown(play->peer->fd, SHUT_WR), 0);
	EXPECT(&error, 0, 0);
}

static void a_wait_for_an_error_leaves_what_is_there_to_reads(void **state)
{
	(void)state;
	with_each_below(wait_for_an_error_alone);
}

static void end_while_it_is_shut_down(struct play *play)
{
	struct flight flight = {0};
	struct flight error;

	start_wait(play, SENNIT_WAIT_ERROR, &error);
	start_shutdown(&play->duel.stream, &flight);
	PENDING(play->stage, &flight);
	seal(play, 0, 100); /* which nobody reads */
	send_all(play);
	PENDING(play->stage, &flight);
	PENDING(play->stage, &error);
	assert_int_equal(shutdown(play->peer->fd, SHUT_WR), 0);
	EXPECT(&flight, SENNIT_TRUNCATED, 0);
	EXPECT(&error, 0, 0);
}

static void an_end_that_a_shutdown_finds_ends_waits(void **state)
{
	(void)state;
	with_each_below(end_while_it_is_shut_down);
}

/* --- what it costs ---------------------------------------------------------------------------- */

/* Writes back what it reads. */
struct echo {
	struct sennit_stream *stream;
	struct sennit_op op;
	struct latch ended;
	size_t size;
	char data[1000];
};

static void read_next(struct echo *echo);

static void on_echoed(struct sennit_op *op, int error, size_t bytes)
{
	struct echo *echo = op->user;

	RECORD(!error && bytes == echo->size);
	read_next(echo);
}

static void on_heard(struct sennit_op *op, int error, size_t bytes)
{
	struct echo *echo = op->user;

	echo->size = bytes;
	if (error)
		latch_down(&echo->ended);
	else
		sennit_async_write(echo->stream, echo->data, bytes, op, on_echoed);
}

static void read_next(struct echo *echo)
{
	sennit_async_read_some(echo->stream, echo->data, sizeof echo->data, &echo->op, on_heard);
}

static void start_echo(void *argument)
{
	struct echo *echo = argument;

	echo->op.user = echo;
	read_next(echo);
}

static void ask(struct play *play, size_t size, unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		peer_write(play->peer, play->sent + i, size);
		for (size_t got = 0; got < size;)
			got += peer_read(play->peer, play->got + got, size - got);
		assert_true(is_pattern(play->got, size, i));
	}
}

static void count_here(void *argument)
{
	sennit_runtime_counters(sennit_runtime_current(), 0, argument);
}

/* The answer may have come before the next read below was found to have to wait. */
static void count_now(struct play *play, struct sennit_counters *counters)
{
	owner_turn(play->stage);
	call_on_owner(play->stage, count_here, counters);
}

static void count_an_echo(size_t size)
{
	enum { TIMES = 100 };
	struct sennit_counters before;
	struct sennit_counters after;
	struct echo echo = {.ended = LATCH(1)};
	struct play play;
	int64_t live;

	open_play(&play, false);
	echo.stream = play.stream;
	call_on_owner(play.stage, start_echo, &echo);
	ask(&play, size, 10);
	count_now(&play, &before);
	live = live_allocations();
	ask(&play, size, TIMES);
	count_now(&play, &after);
	assert_int_equal(live_allocations(), live);
	assert_int_equal(after.reads - before.reads, TIMES);
	assert_int_equal(after.bytes_read - before.bytes_read, TIMES * (size + OVERHEAD));
	assert_int_equal(after.writes - before.writes, TIMES);
	assert_int_equal(after.calls_idle - before.calls_idle, 0);
	/* of each: the wait below, the read, the write and twice what ends the turn; and ours */
	assert_in_range(after.handlers - before.handlers, 5 * TIMES, 5 * TIMES + 10);
	assert_in_range(after.polls - before.polls, TIMES, 2 * TIMES);
	sennit_cancel(play.stream);
	latch_wait(&echo.ended);
	close_play(&play);
}

static void a_record_is_read_with_one_call_and_no_idle_one(void **state)
{
	(void)state;
	count_an_echo(64);
	count_an_echo(1000);
}

/* All is there before it is read. */
static void all_that_is_there_is_read_in_one_turn(void **state)
{
	const size_t size = 40000;
	struct sennit_counters before;
	struct sennit_counters after;
	struct flight flight;
	struct hold hold;
	struct play play;
	size_t sealed;

	(void)state;
	open_play(&play, false);
	for (size_t i = 0; i < 10; i++)
		seal(&play, i * 4000, 4000);
	start_read(&play, size, &flight);
	PENDING(play.stage, &flight);
	hold_worker(&hold, play.stage->owner);
	sealed = play.size;
	send_all(&play);
	wait_until_there(play.fd, sealed);
	sennit_runtime_counters(play.stage->runtime, 0, &before);
	let_go(&hold);
	expect_data(&play, 0, size, &flight);
	count_now(&play, &after);
	assert_int_equal(after.bytes_read - before.bytes_read, sealed);
	assert_in_range(after.reads - before.reads, 1, 5); /* as much as OpenSSL has room for */
	assert_int_equal(after.calls_idle - before.calls_idle, 0);
	close_play(&play);
}

/* --- bulk both ways --------------------------------------------------------------------------- */

struct reader {
	struct sennit_stream *stream;
	struct sennit_op op;
	struct latch done;
	size_t most;
	size_t total;
	char *data;
};

/* A share of a turn is exceeded by large reads and, as each is served at once, by small ones. */
static void on_bulk(struct sennit_op *op, int error, size_t bytes)
{
	struct reader *reader = op->user;
	size_t left;

	RECORD(!error && bytes);
	RECORD(is_pattern(reader->data, bytes, reader->total));
	reader->total += bytes;
	left = BULK - reader->total;
	progress();
	if (!left || error)
		latch_down(&reader->done);
	else
		sennit_async_read_some(reader->stream, reader->data,
				       left < reader->most ? left : reader->most, op, on_bulk);
}

static void start_readers(void *argument)
{
	struct reader *readers = argument;

	for (int i = 0; i < 2; i++) {
		readers[i].op.user = &readers[i];
		sennit_async_read_some(readers[i].stream, readers[i].data, readers[i].most,
				       &readers[i].op, on_bulk);
	}
}

/* Another thread that posts all the time. */
struct pest {
	struct sennit_executor *owner;
	atomic_bool over;
	struct errand {
		struct sennit_task task;
		struct latch ran;
	} errands[8];
};

static void on_errand(struct sennit_task *task, int error)
{
	RECORD(!error);
	latch_down(&CONTAINER_OF(task, struct errand, task)->ran);
}

static void *keep_posting(void *argument)
{
	struct pest *pest = argument;

	for (size_t i = 0; !atomic_load(&pest->over) || i % COUNT_OF(pest->errands); i++) {
		struct errand *errand = &pest->errands[i % COUNT_OF(pest->errands)];

		if (i >= COUNT_OF(pest->errands))
			latch_wait(&errand->ran);
		errand->ran = (struct latch)LATCH(1);
		sennit_post(pest->owner, &errand->task, on_errand);
	}
	for (size_t i = 0; i < COUNT_OF(pest->errands); i++)
		latch_wait(&pest->errands[i].ran);
	return NULL;
}

enum below { OVER_TCP, OVER_LOCAL, OVER_MEMORY, BELOWS };

struct bulk {
	struct tls_pair pair;
	struct sennit_descriptor locals[2];
	struct duplex duplex;
};

static void open_bulk(struct stage *stage, struct bulk *bulk, enum below below)
{
	struct sennit_stream *streams[2];

	if (below == OVER_TCP) {
		open_pair(&bulk->pair, stage->owner, NULL, NULL);
	} else {
		if (below == OVER_LOCAL)
			assert_int_equal(sennit_descriptor_pair(&bulk->locals[0], &bulk->locals[1],
								stage->owner), 0);
		else
			duplex_open(&bulk->duplex, stage->owner);
		for (int i = 0; i < 2; i++)
			streams[i] = below == OVER_LOCAL ? &bulk->locals[i].stream
							 : &bulk->duplex.ends[i].stream;
		open_pair_over(&bulk->pair, streams[0], streams[1], NULL, NULL);
	}
	shake_hands(&bulk->pair, 0, 0);
}

static void carry_bulk(struct stage *stage, enum below below, const size_t most[2], bool busy)
{
	struct bulk *bulk = zeroed(sizeof *bulk);
	struct sennit_stream *streams[2] = {&bulk->pair.client.stream, &bulk->pair.server.stream};
	struct pest pest = {.owner = stage->owner};
	struct reader readers[2] = {{0}};
	struct flight flights[2] = {0};
	char *data = patterned(BULK);
	pthread_t thread;

	open_bulk(stage, bulk, below);
	for (int i = 0; i < 2; i++)
		readers[i] = (struct reader){.stream = streams[i], .done = LATCH(1),
					     .most = most[i], .data = zeroed(most[i])};
	if (busy)
		thread = spawn(keep_posting, &pest);
	START(stage,
	      {WRITE, .stream = streams[0], .data = data, .size = BULK, .flight = &flights[0]},
	      {WRITE, .stream = streams[1], .data = data, .size = BULK, .flight = &flights[1]});
	call_on_owner(stage, start_readers, readers);
	EXPECT(&flights[0], 0, BULK);
	EXPECT(&flights[1], 0, BULK);
	for (int i = 0; i < 2; i++) {
		latch_wait(&readers[i].done);
		free(readers[i].data);
	}
	if (busy) {
		atomic_store(&pest.over, true);
		join(thread);
	}
	close_pair(stage, &bulk->pair);
	duplex_free(&bulk->duplex);
	free(bulk);
	free(data);
}

SCENARIO(bulk_goes_both_ways_at_once_with_small_and_large_reads)
{
	static const size_t mosts[][2] = {{100, MEBIBYTE}, {16384, 4000}, {MEBIBYTE, 16385}};

	for (enum below below = OVER_TCP; below < BELOWS; below++) {
		for (size_t i = 0; i < COUNT_OF(mosts); i++)
			carry_bulk(stage, below, mosts[i], false);
	}
}

SCENARIO(bulk_goes_on_while_others_keep_the_owner_busy)
{
	static const size_t most[2] = {5000, 300000};

	for (enum below below = OVER_TCP; below < BELOWS; below++)
		carry_bulk(stage, below, most, true);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_record_that_comes_in_two_halves_is_read),
		TEST(a_read_that_is_cancelled_at_half_a_record_takes_nothing_with_it),
		TEST(many_records_at_once_are_read_in_reads_of_any_size),
		TEST(data_and_the_end_that_come_together_are_both_read),
		TEST(data_before_a_reset_is_read),
		TEST(waits_beside_reads_complete_when_what_they_wait_for_is_so),
		TEST(a_wait_for_an_error_leaves_what_is_there_to_reads),
		TEST(an_end_that_a_shutdown_finds_ends_waits),
		TEST(a_record_is_read_with_one_call_and_no_idle_one),
		TEST(all_that_is_there_is_read_in_one_turn),
		TEST(bulk_goes_both_ways_at_once_with_small_and_large_reads),
		TEST(bulk_goes_on_while_others_keep_the_owner_busy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
