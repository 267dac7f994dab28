/* SPDX-License-Identifier: MIT */
/* tls_engine.c - the TLS engine without sockets: a client's and a server's back to back, and what a
 * wire may do to them. Hazards HF1, HF4, HF5, HF8, HF12, HF14, HF15, HF17. */
#include "engine_pair.h"
#include "openssl_memory.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define RECORD_SIZE ((size_t)SENNIT__TLS_RECORD)

/* Of what is done for every byte and bit, one in so many: sanitizers take their time. */
#if defined(SANITIZED_THREAD) || defined(SANITIZED_ADDRESS)
# define STEP 31
#else
# define STEP 1
#endif

static const enum sennit_tls_version versions[] = {SENNIT_TLS_1_2, SENNIT_TLS_1_3};

/* The contexts of the version that the test is about. */
static struct sennit_tls_context *client;
static struct sennit_tls_context *server;

static void use_version(enum sennit_tls_version version)
{
	client = client_context(test_authority());
	server = server_context(test_certificate());
	assert_int_equal(sennit_tls_context_versions(client, version, version), 0);
	assert_int_equal(sennit_tls_context_versions(server, version, version), 0);
}

static void drop_contexts(void)
{
	sennit_tls_context_destroy(client);
	sennit_tls_context_destroy(server);
}

/* Runs the function with each version. */
static void with_each_version(void (*function)(void))
{
	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		use_version(versions[i]);
		function();
		drop_contexts();
	}
}

static void open_short(struct engine_pair *pair)
{
	assert_true(engine_pair_open(pair, client, server));
	engine_pair_send(pair, "from client", 11, "and from server", 15);
}

static void assert_all_went_well(const struct engine_pair *pair)
{
	for (int i = 0; i < 2; i++) {
		const struct side *side = &pair->sides[i];

		assert_int_equal(side->handshake, 0);
		assert_int_equal(side->write, 0);
		assert_int_equal(side->read, SENNIT_EOF);
		assert_int_equal(side->shutdown, 0);
		assert_true(got_all(pair, i));
	}
}

static void open_connected(struct engine_pair *pair)
{
	engine_pair_connect(pair, client, server);
}

static void seal_all(struct side *side, const void *data, size_t size)
{
	struct iovec vector = {(void *)(uintptr_t)data, size};

	assert_int_equal(sennit__tls_engine_seal(&side->engine, &vector, size), size);
}

/* --- a wire that is cut ----------------------------------------------------------------------- */

static void play_cut(int way, size_t cut, bool *was_cut)
{
	struct engine_pair pair;
	struct side *to = &pair.sides[!way];
	int error;

	open_short(&pair);
	pair.sides[way].out.limit = cut;
	engine_pair_play(&pair);
	*was_cut = pair.sides[way].out.cut;
	error = to->handshake ? to->handshake : to->read;
	if (*was_cut && error != SENNIT_TRUNCATED)
		fail_msg("cut after %zu bytes: %s (%d)", cut, sennit_error_name(error), error);
	assert_true(got_prefix(&pair, !way));
	if (!*was_cut)
		assert_all_went_well(&pair);
	engine_pair_close(&pair);
}

/* Signatures differ in length from one session to the next: so a few more than are there. */
static void cut_everywhere(void)
{
	for (int way = 0; way < 2; way++) {
		bool cut = true;
		size_t at = 0;

		for (int after = 0; after < 8; after += !cut, at += STEP)
			play_cut(way, at, &cut);
		assert_in_range(at, 300, 5000);
	}
}

/* HF1. */
static void a_session_cut_at_any_byte_never_ends_in_order(void **state)
{
	(void)state;
	with_each_version(cut_everywhere);
}

/* --- a wire that changes bits ----------------------------------------------------------------- */

/* Whether there is such a bit. */
static bool play_flipped(int way, size_t record, size_t byte, unsigned bit)
{
	struct engine_pair pair;
	struct wire *wire = &pair.sides[way].out;
	struct side *to = &pair.sides[!way];
	bool flipped;

	open_short(&pair);
	wire->flips = true;
	wire->flip_record = record;
	wire->flip_byte = byte;
	wire->flip_bit = bit;
	engine_pair_play(&pair);
	flipped = wire->flipped;
	for (int i = 0; i < 2; i++) {
		assert_true(got_prefix(&pair, i));
		assert_true(pair.sides[i].read != SENNIT_EOF || got_all(&pair, i));
		assert_int_not_equal(pair.sides[i].handshake, SENNIT_EOF);
	}
	if (wire->flipped_late && to->read != SENNIT_TLS_FAILED &&
	    (to->read != SENNIT_TRUNCATED || byte < 3 || byte > 4)) /* a length makes it wait */
		fail_msg("record %zu, byte %zu, bit %u: %s (%d)", record, byte, bit,
			 sennit_error_name(to->read), to->read);
	if (!flipped)
		assert_all_went_well(&pair);
	engine_pair_close(&pair);
	return flipped;
}

static bool flip_in_record(int way, size_t record)
{
	bool flipped = false;

	for (size_t byte = 0; byte < 5; byte++) {
		for (unsigned bit = 0; bit < 8; bit += STEP)
			flipped = play_flipped(way, record, byte, bit);
	}
	for (size_t byte = 5; flipped; byte += STEP + byte / 8) {
		if (!play_flipped(way, record, byte, byte % 8))
			return true;
	}
	return false;
}

static void flip_everywhere(void)
{
	for (int way = 0; way < 2; way++) {
		size_t record = 0;

		while (flip_in_record(way, record))
			record++;
		assert_in_range(record, 4, 100);
	}
}

static void a_bit_that_was_changed_is_never_taken_for_data(void **state)
{
	(void)state;
	with_each_version(flip_everywhere);
}

/* An attacker needs no key for this one. */
static void end_before_the_handshake(void)
{
	static const unsigned char close_notify[] = {21, 3, 3, 0, 2, 1, 0};

	for (int i = 0; i < 2; i++) {
		struct engine_pair pair;
		struct sennit__tls_engine *engine;
		char byte;
		size_t room;

		open_short(&pair);
		engine = &pair.sides[i].engine;
		assert_int_equal(sennit__tls_engine_handshake(engine), SENNIT__TLS_MORE);
		memcpy(sennit__tls_engine_room(engine, &room), close_notify, sizeof close_notify);
		sennit__tls_engine_feed(engine, sizeof close_notify);
		assert_int_equal(sennit__tls_engine_handshake(engine), SENNIT_TLS_FAILED);
		assert_int_equal(sennit__tls_engine_handshake(engine), SENNIT_TLS_FAILED);
		assert_int_equal(sennit__tls_engine_read(engine, &byte, 1), SENNIT_TLS_FAILED);
		engine_pair_close(&pair);
	}
}

static void an_end_before_the_handshake_is_no_end(void **state)
{
	(void)state;
	with_each_version(end_before_the_handshake);
}

/* --- pieces ----------------------------------------------------------------------------------- */

static char *much;
#define MUCH ((size_t)40000)

static void feed_in_pieces(void)
{
	static const size_t pieces[] = {1, 2, 3, 5, 4096, RECORD_SIZE + 1, 0};

	for (size_t i = 0; i < COUNT_OF(pieces); i++) {
		struct engine_pair pair;

		assert_true(engine_pair_open(&pair, client, server));
		engine_pair_send(&pair, much, MUCH, much + 7, MUCH - 7);
		pair.sides[0].out.piece = pair.sides[1].out.piece = pieces[i];
		engine_pair_play(&pair);
		assert_all_went_well(&pair);
		engine_pair_close(&pair);
	}
}

static void what_comes_in_pieces_of_any_size_is_read(void **state)
{
	(void)state;
	much = patterned(MUCH);
	with_each_version(feed_in_pieces);
	free(much);
}

/* HF4: what is left inside is found without anything from below. */
static void read_byte_by_byte(void)
{
	struct engine_pair pair;
	size_t total = 0;
	char *data = patterned(3 * RECORD_SIZE + 1000);

	open_connected(&pair);
	seal_all(&pair.sides[0], data, 3 * RECORD_SIZE);
	for (size_t i = 0; i < 100; i++)
		seal_all(&pair.sides[0], data + 3 * RECORD_SIZE + 10 * i, 10);
	while (wire_carry(&pair.sides[0], &pair.sides[1])) {
		struct sennit__tls_engine *engine = &pair.sides[1].engine;
		bool found = sennit__tls_engine_peek(engine) == 0;
		ssize_t got;
		char byte;

		while ((got = sennit__tls_engine_read(engine, &byte, 1)) > 0) {
			assert_true(found);
			assert_int_equal(byte, data[total++]);
			found = sennit__tls_engine_peek(engine) == 0;
		}
		assert_int_equal(got, 0);
		assert_false(found);
		assert_false(sennit__tls_engine_fed(engine));
	}
	assert_int_equal(total, 3 * RECORD_SIZE + 1000);
	engine_pair_close(&pair);
	free(data);
}

static void what_is_read_byte_by_byte_leaves_nothing_inside(void **state)
{
	(void)state;
	with_each_version(read_byte_by_byte);
}

/* HF4: all records of a segment, without a word from below between them. */
static void read_segment(void)
{
	struct engine_pair pair;
	char got[1001];
	char *data = patterned(1000);

	open_connected(&pair);
	for (size_t i = 0; i < 100; i++)
		seal_all(&pair.sides[1], data + 10 * i, 10);
	assert_true(wire_carry(&pair.sides[1], &pair.sides[0]));
	assert_int_equal(sennit__tls_engine_read(&pair.sides[0].engine, got, sizeof got), 1000);
	assert_memory_equal(got, data, 1000);
	engine_pair_close(&pair);
	free(data);
}

static void one_read_takes_all_records_of_a_segment(void **state)
{
	(void)state;
	with_each_version(read_segment);
}

static void take_nothing(void)
{
	struct engine_pair pair;
	struct sennit__tls_engine *engine;
	struct iovec vector = {"c", 1};
	char byte;

	open_connected(&pair);
	engine = &pair.sides[0].engine;
	assert_int_equal(sennit__tls_engine_seal(engine, &vector, 0), 0);
	assert_int_equal(engine->output_size, 0);
	assert_int_equal(sennit__tls_engine_seal(engine, &vector, 1), 1);
	wire_carry(&pair.sides[0], &pair.sides[1]);
	engine = &pair.sides[1].engine;
	assert_int_equal(sennit__tls_engine_read(engine, &byte, 0), 0);
	assert_int_equal(sennit__tls_engine_read(engine, &byte, 1), 1);
	assert_int_equal(byte, 'c');
	engine_pair_close(&pair);
}

/* HF17. */
static void nothing_is_read_and_written_without_a_call(void **state)
{
	(void)state;
	with_each_version(take_nothing);
}

/* --- OpenSSL's queue of errors ---------------------------------------------------------------- */

static void disturb_queue(void)
{
	struct engine_pair pair;

	open_short(&pair);
	pair.sides[0].stale = pair.sides[1].stale = true;
	engine_pair_play(&pair);
	assert_all_went_well(&pair);
	engine_pair_close(&pair);
	ERR_clear_error();
	/* nor is anything left of the own ones */
	open_short(&pair);
	pair.sides[0].out.flips = true;
	pair.sides[0].out.flip_byte = 9;
	engine_pair_play(&pair);
	assert_int_equal(ERR_peek_error(), 0);
	engine_pair_close(&pair);
}

/* HF5. */
static void what_others_left_in_the_queue_of_errors_does_not_matter(void **state)
{
	(void)state;
	with_each_version(disturb_queue);
}

/* --- memory ----------------------------------------------------------------------------------- */

static void send_much(struct engine_pair *pair, int way)
{
	static char got[4 * RECORD_SIZE];

	for (int round = 0; round < 8; round++) {
		size_t total = 0;

		seal_all(&pair->sides[way], much, MUCH);
		while (wire_carry(&pair->sides[way], &pair->sides[!way]))
			total += (size_t)sennit__tls_engine_read(&pair->sides[!way].engine, got,
								 sizeof got);
		assert_int_equal(total, MUCH);
	}
}

static void hold_nothing(void)
{
	struct engine_pair pair;
	size_t large = openssl_large_blocks();
	size_t before;

	open_connected(&pair);
	send_much(&pair, 0);
	send_much(&pair, 1);
	before = openssl_bytes();
	send_much(&pair, 0);
	send_much(&pair, 1);
	sennit__tls_engine_rest(&pair.sides[0].engine);
	sennit__tls_engine_rest(&pair.sides[1].engine);
	assert_true(openssl_bytes() <= before);
	assert_int_equal(openssl_large_blocks(), large);
	for (int i = 0; i < 2; i++) {
		assert_null(pair.sides[i].engine.input);
		assert_null(pair.sides[i].engine.output);
	}
	engine_pair_close(&pair);
}

static void who_is_idle_holds_no_buffers(void **state)
{
	(void)state;
	much = patterned(MUCH);
	with_each_version(hold_nothing);
	free(much);
}

static const char secret[] = "what nobody else may ever see";

struct scan {
	struct sennit__tls_engine *engine;
	char *stack;
	size_t size;
};

static void *seal_secret(void *argument)
{
	struct scan *scan = argument;
	struct iovec parts[2] = {{(char *)(uintptr_t)secret, 10},
				 {(char *)(uintptr_t)secret + 10, sizeof secret - 10}};

	RECORD(sennit__tls_engine_seal(scan->engine, parts, sizeof secret) == sizeof secret);
	return NULL;
}

static bool is_there(const char *memory, size_t size)
{
	for (size_t i = 0; i + sizeof secret <= size; i++) {
		if (memory[i] == secret[0] && !memcmp(memory + i, secret, sizeof secret))
			return true;
	}
	return false;
}

/* Runs on a stack of ours, which can be looked at afterwards. */
static void seal_on(struct scan *scan)
{
	pthread_attr_t attributes;
	pthread_t thread;

	assert_int_equal(pthread_attr_init(&attributes), 0);
	assert_int_equal(pthread_attr_setstack(&attributes, scan->stack, scan->size), 0);
	assert_int_equal(pthread_create(&thread, &attributes, seal_secret, scan), 0);
	join(thread);
	pthread_attr_destroy(&attributes);
}

static void cleanse_staged(void)
{
	struct engine_pair pair;
	struct scan scan = {.size = (size_t)1 << 20};

	scan.stack = mmap(NULL, scan.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	assert_true(scan.stack != MAP_FAILED);
	open_connected(&pair);
	scan.engine = &pair.sides[0].engine;
	openssl_search(secret, sizeof secret);
	seal_on(&scan);
	assert_false(is_there(scan.stack, scan.size));
	assert_int_equal(openssl_found(), 0);
	openssl_search(NULL, 0);
	engine_pair_close(&pair);
	assert_int_equal(munmap(scan.stack, scan.size), 0);
}

/* HF15. */
static void plaintext_that_was_staged_is_wiped(void **state)
{
	(void)state;
	with_each_version(cleanse_staged);
}

static void cleanse_read(void)
{
	struct engine_pair pair;
	char got[sizeof secret];

	SSL_CTX_set_options(sennit_tls_context_native(server), SSL_OP_CLEANSE_PLAINTEXT);
	open_connected(&pair);
	seal_all(&pair.sides[0], secret, sizeof secret);
	assert_true(wire_carry(&pair.sides[0], &pair.sides[1]));
	openssl_search(secret, sizeof secret);
	assert_int_equal(sennit__tls_engine_peek(&pair.sides[1].engine), 0);
	assert_int_equal(sennit__tls_engine_read(&pair.sides[1].engine, got, sizeof got),
			 sizeof got);
	assert_int_equal(sennit__tls_engine_peek(&pair.sides[1].engine), SENNIT__TLS_MORE);
	engine_pair_close(&pair);
	assert_int_equal(openssl_found(), 0);
	openssl_search(NULL, 0);
}

/* HF15: nor is it in what OpenSSL gives back to the allocator, for who asks for that. */
static void plaintext_that_was_read_is_wiped_where_asked_for(void **state)
{
	(void)state;
	with_each_version(cleanse_read);
}

/* --- what a peer makes us do ------------------------------------------------------------------ */

/* One message that asks for an answer, and a byte, so that it is no empty flood. */
static void ask_for_keys(struct side *side)
{
	assert_true(SSL_key_update(side->engine.ssl, SSL_KEY_UPDATE_REQUESTED));
	seal_all(side, "x", 1);
}

/* Hands over what there is for it, where nothing is left, and reads; how much that was. */
static size_t carry_and_read(struct side *from, struct sennit__tls_engine *to)
{
	char data[1000];
	struct iovec part;
	ssize_t got;

	if (!sennit__tls_engine_fed(to) && sennit__tls_engine_output(&from->engine, &part, 1)) {
		size_t room;

		memcpy(sennit__tls_engine_room(to, &room), part.iov_base, part.iov_len);
		sennit__tls_engine_feed(to, part.iov_len);
		sennit__tls_engine_sent(&from->engine, part.iov_len);
	}
	got = sennit__tls_engine_read(to, data, sizeof data);
	assert_true(got >= 0);
	return (size_t)got;
}

/* HF8, HF12: it is asked for an answer again and again, and none of them is taken. */
static void answers_that_nobody_takes_are_bounded(void **state)
{
	struct engine_pair pair;
	struct sennit__tls_engine *engine;
	size_t got = 0;

	(void)state;
	use_version(SENNIT_TLS_1_3);
	open_connected(&pair);
	engine = &pair.sides[1].engine;
	for (int i = 0; i < 1000; i++)
		ask_for_keys(&pair.sides[0]);
	while (!sennit__tls_engine_congested(engine))
		got += carry_and_read(&pair.sides[0], engine);
	for (int i = 0; i < 10; i++)
		assert_int_equal(carry_and_read(&pair.sides[0], engine), 0);
	assert_int_equal(sennit__tls_engine_peek(engine), SENNIT__TLS_MORE);
	assert_in_range(engine->output_size, 4096, 4096 + 100);
	/* as soon as they are taken, it goes on */
	while (got < 1000) {
		sennit__tls_engine_sent(engine, engine->output_size);
		got += carry_and_read(&pair.sides[0], engine);
	}
	assert_false(sennit__tls_engine_fed(engine));
	engine_pair_close(&pair);
	drop_contexts();
}

/* HF8. */
static void messages_without_data_are_bounded(void **state)
{
	struct engine_pair pair;
	struct sennit__tls_engine *engine;
	int error = SENNIT__TLS_MORE;
	int asked = 0;
	char text[100];

	(void)state;
	use_version(SENNIT_TLS_1_3);
	open_connected(&pair);
	engine = &pair.sides[1].engine;
	for (; error == SENNIT__TLS_MORE && asked < 1000; asked++) {
		SSL *ssl = pair.sides[0].engine.ssl;

		assert_true(SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED));
		assert_int_equal(SSL_do_handshake(ssl), 1);
		wire_carry(&pair.sides[0], &pair.sides[1]);
		error = sennit__tls_engine_peek(engine);
	}
	assert_int_equal(error, SENNIT_TLS_FAILED);
	assert_in_range(asked, 60, 70);
	sennit__tls_engine_reason(engine, text, sizeof text);
	assert_string_equal(text, "the peer sends messages without data");
	engine_pair_close(&pair);
	drop_contexts();
}

/* --- in the middle of a message --------------------------------------------------------------- */

/* The client's handshake is done, and it has read the first of the records that a ticket fills. */
static void open_with_half_a_ticket(struct engine_pair *pair)
{
	static size_t filling = 2000;
	struct side *to;

	use_version(SENNIT_TLS_1_3);
	give_large_tickets(server, &filling);
	assert_true(engine_pair_open(pair, client, server));
	assert_true(SSL_set_max_send_fragment(pair->sides[1].engine.ssl, 512));
	to = &pair->sides[0];
	to->handshake = sennit__tls_engine_handshake(&to->engine);
	wire_carry(to, &pair->sides[1]);
	sennit__tls_engine_handshake(&pair->sides[1].engine);
	while (to->handshake == SENNIT__TLS_MORE) {
		wire_carry(&pair->sides[1], to);
		to->handshake = sennit__tls_engine_handshake(&to->engine);
	}
	assert_int_equal(to->handshake, 0);
	wire_carry(to, &pair->sides[1]);
	assert_int_equal(sennit__tls_engine_handshake(&pair->sides[1].engine), 0);
	pair->sides[1].out.piece = 600;
	wire_carry(&pair->sides[1], to);
	assert_int_equal(sennit__tls_engine_peek(&to->engine), SENNIT__TLS_MORE);
	assert_true(SSL_in_init(to->engine.ssl));
	pair->sides[1].out.piece = 0;
}

static void a_write_in_the_middle_of_a_message_waits_for_its_rest(void **state)
{
	struct engine_pair pair;
	struct iovec vector = {"data", 4};
	struct sennit__tls_engine *engine;

	(void)state;
	open_with_half_a_ticket(&pair);
	engine = &pair.sides[0].engine;
	assert_int_equal(sennit__tls_engine_seal(engine, &vector, 4), 0);
	while (wire_carry(&pair.sides[1], &pair.sides[0]) && !engine->output_size)
		assert_in_range(sennit__tls_engine_seal(engine, &vector, 4), 0, 4);
	assert_true(engine->output_size > 0);
	engine_pair_close(&pair);
	drop_contexts();
}

static void a_shutdown_in_the_middle_of_a_message_waits_for_its_rest(void **state)
{
	struct engine_pair pair;
	struct sennit__tls_engine *engine;

	(void)state;
	open_with_half_a_ticket(&pair);
	engine = &pair.sides[0].engine;
	assert_int_equal(sennit__tls_engine_shutdown(engine), SENNIT__TLS_MORE);
	assert_false(engine->notified);
	while (wire_carry(&pair.sides[1], &pair.sides[0]) && !engine->notified)
		assert_int_equal(sennit__tls_engine_shutdown(engine), SENNIT__TLS_MORE);
	assert_true(engine->notified);
	assert_true(engine->output_size > 0);
	engine_pair_close(&pair);
	drop_contexts();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_session_cut_at_any_byte_never_ends_in_order),
		TEST(a_bit_that_was_changed_is_never_taken_for_data),
		TEST(an_end_before_the_handshake_is_no_end),
		TEST(what_comes_in_pieces_of_any_size_is_read),
		TEST(what_is_read_byte_by_byte_leaves_nothing_inside),
		TEST(one_read_takes_all_records_of_a_segment),
		TEST(nothing_is_read_and_written_without_a_call),
		TEST(what_others_left_in_the_queue_of_errors_does_not_matter),
		TEST(who_is_idle_holds_no_buffers),
		TEST(plaintext_that_was_staged_is_wiped),
		TEST(plaintext_that_was_read_is_wiped_where_asked_for),
		TEST(answers_that_nobody_takes_are_bounded),
		TEST(messages_without_data_are_bounded),
		TEST(a_write_in_the_middle_of_a_message_waits_for_its_rest),
		TEST(a_shutdown_in_the_middle_of_a_message_waits_for_its_rest),
	};

	if (!watch_openssl_memory())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
