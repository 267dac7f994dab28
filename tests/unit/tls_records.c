/* SPDX-License-Identifier: MIT */
/* tls_records.c - what an attacker between two engines may do to the records of a session: change,
 * repeat, drop, swap, cut, join, forge and reflect them. With the kinds of ciphers of TLS 1.2, and
 * with 1.3: what was sent before that is read, nothing behind it ever is, and the session fails.
 */
#include "engine_pair.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	RECORDS = 4,
	TEXT = 20,       /* bytes of plaintext in each */
	HEADER = 5,
	RECORD_MAX = 256
};

/* Each trial is a session of its own: only longer runs do all of them. */
static size_t next(size_t n)
{
	return n + (scale() > 1 ? 1 : 7);
}

/* --- what is spoken --------------------------------------------------------------------------- */

struct suite {
	enum sennit_tls_version version;
	const char *cipher; /* of TLS 1.2 */
	bool mac_first;     /* not encrypted and then authenticated */
};

static const struct suite suites[] = {
	{SENNIT_TLS_1_2, "ECDHE-ECDSA-AES128-GCM-SHA256", false},
	{SENNIT_TLS_1_2, "ECDHE-ECDSA-CHACHA20-POLY1305", false},
	{SENNIT_TLS_1_2, "ECDHE-ECDSA-AES128-SHA256", false},
	{SENNIT_TLS_1_2, "ECDHE-ECDSA-AES128-SHA256", true},
	{SENNIT_TLS_1_3, NULL, false},
};

static struct sennit_tls_context *client;
static struct sennit_tls_context *server;

static struct sennit_tls_context *speaking(struct sennit_tls_context *context,
					   const struct suite *suite)
{
	SSL_CTX *native = sennit_tls_context_native(context);

	assert_int_equal(sennit_tls_context_versions(context, suite->version, suite->version), 0);
	if (suite->cipher)
		assert_true(SSL_CTX_set_cipher_list(native, suite->cipher));
	if (suite->mac_first)
		SSL_CTX_set_options(native, SSL_OP_NO_ENCRYPT_THEN_MAC);
	return context;
}

static void with_each_suite(void (*function)(void))
{
	for (size_t i = 0; i < COUNT_OF(suites); i++) {
		client = speaking(client_context(test_authority()), &suites[i]);
		server = speaking(server_context(test_certificate()), &suites[i]);
		function();
		sennit_tls_context_destroy(client);
		sennit_tls_context_destroy(server);
	}
}

/* --- one session ------------------------------------------------------------------------------ */

struct record {
	unsigned char data[RECORD_MAX];
	size_t size;
};

struct trial {
	struct engine_pair pair;
	struct side *from;
	struct side *to;
	struct record records[RECORDS]; /* as they were sealed */
	size_t piece;                   /* so many bytes arrive at a time; 0: all at once */
	unsigned char wire[16384];      /* what arrives */
	size_t wire_size;
	char got[RECORDS * TEXT + RECORD_MAX];
	size_t got_size;
	int error;
};

static void seal(struct side *side, const void *data, size_t size, struct record *record)
{
	struct iovec part = {(void *)(uintptr_t)data, size};
	struct sennit__tls_engine *engine = &side->engine;

	assert_int_equal(sennit__tls_engine_seal(engine, &part, size), size);
	assert_int_equal(sennit__tls_engine_output(engine, &part, 1), 1);
	assert_in_range(part.iov_len, HEADER + 1, RECORD_MAX);
	memcpy(record->data, part.iov_base, part.iov_len);
	record->size = part.iov_len;
	assert_int_equal(record->data[3] * 256 + record->data[4], record->size - HEADER);
	sennit__tls_engine_sent(engine, part.iov_len);
	assert_int_equal(engine->output_size, 0);
}

/* The variant says which side sends, and in what pieces what it sent arrives. */
#define VARIANTS 8

static struct trial *open_trial(size_t variant)
{
	static const size_t pieces[] = {0, 37, 11, 1};
	struct trial *trial = zeroed(sizeof *trial);
	char text[RECORDS * TEXT];

	engine_pair_connect(&trial->pair, client, server);
	trial->from = &trial->pair.sides[variant % 2];
	trial->to = &trial->pair.sides[!(variant % 2)];
	trial->piece = pieces[variant / 2 % COUNT_OF(pieces)];
	pattern(text, sizeof text, 0);
	for (size_t i = 0; i < RECORDS; i++)
		seal(trial->from, text + i * TEXT, TEXT, &trial->records[i]);
	return trial;
}

static void put(struct trial *trial, const void *data, size_t size)
{
	assert_in_range(size, 0, sizeof trial->wire - trial->wire_size);
	memcpy(trial->wire + trial->wire_size, data, size);
	trial->wire_size += size;
}

static void put_record(struct trial *trial, const struct record *record)
{
	put(trial, record->data, record->size);
}

/* Those from `first` on, but `end`. */
static void put_records(struct trial *trial, size_t first, size_t end)
{
	for (size_t i = first; i < end; i++)
		put_record(trial, &trial->records[i]);
}

static void read_all(struct trial *trial)
{
	ssize_t got = 1;

	while (got > 0 && trial->got_size < sizeof trial->got) {
		got = sennit__tls_engine_read(&trial->to->engine, trial->got + trial->got_size,
					      sizeof trial->got - trial->got_size);
		if (got > 0)
			trial->got_size += (size_t)got;
	}
	trial->error = got < 0 ? (int)got : 0;
}

static void arrive(struct trial *trial)
{
	struct sennit__tls_engine *engine = &trial->to->engine;
	size_t at = 0;

	while (at < trial->wire_size && !trial->error) {
		size_t size = trial->wire_size - at;
		size_t room;
		void *place = sennit__tls_engine_room(engine, &room);

		if (trial->piece && size > trial->piece)
			size = trial->piece;
		assert_in_range(size, 1, room);
		memcpy(place, trial->wire + at, size);
		sennit__tls_engine_feed(engine, size);
		at += size;
		read_all(trial);
	}
	if (!trial->error) { /* it waits for more, but none comes */
		sennit__tls_engine_end(engine, 0);
		read_all(trial);
	}
}

static void free_trial(struct trial *trial)
{
	engine_pair_close(&trial->pair);
	free(trial);
}

/* What is on the wire arrives: the texts of the first `whole` records are read, nothing else, and
 * then the session fails; or, where the last record may seem to be longer, it is cut. */
static void expect_failure(struct trial *trial, size_t whole, bool may_wait, const char *what,
			   size_t number)
{
	struct sennit__tls_engine *engine = &trial->to->engine;
	struct iovec part = {"x", 1};
	char byte;

	arrive(trial);
	if (trial->got_size != whole * TEXT || !is_pattern(trial->got, trial->got_size, 0))
		fail_msg("%s %zu: %zu bytes were read instead of %zu", what, number,
			 trial->got_size, whole * TEXT);
	if (trial->error != SENNIT_TLS_FAILED && !(may_wait && trial->error == SENNIT_TRUNCATED))
		fail_msg("%s %zu: %s (%d)", what, number, sennit_error_name(trial->error),
			 trial->error);
	assert_int_equal(sennit__tls_engine_read(engine, &byte, 1), trial->error);
	if (trial->error == SENNIT_TLS_FAILED)
		assert_int_equal(sennit__tls_engine_seal(engine, &part, 1), SENNIT_TLS_FAILED);
	free_trial(trial);
}

/* --- records as they are ---------------------------------------------------------------------- */

static void change_nothing(void)
{
	for (size_t variant = 0; variant < VARIANTS; variant = next(variant)) {
		struct trial *trial = open_trial(variant);

		put_records(trial, 0, RECORDS);
		arrive(trial);
		assert_int_equal(trial->got_size, RECORDS * TEXT);
		assert_true(is_pattern(trial->got, RECORDS * TEXT, 0));
		assert_int_equal(trial->error, SENNIT_TRUNCATED);
		free_trial(trial);
	}
}

static void records_that_nobody_touched_are_read(void **state)
{
	(void)state;
	with_each_suite(change_nothing);
}

/* --- changed ---------------------------------------------------------------------------------- */

/* False where the record has no such bit. */
static bool flip(size_t which, size_t bit)
{
	struct trial *trial = open_trial(bit + bit / 8);
	struct record *record = &trial->records[which];

	if (bit / 8 >= record->size) {
		free_trial(trial);
		return false;
	}
	record->data[bit / 8] ^= (unsigned char)(1u << bit % 8);
	put_records(trial, 0, RECORDS);
	expect_failure(trial, which, bit / 8 == 3 || bit / 8 == 4, "bit", bit);
	return true;
}

static void flip_bits(void)
{
	size_t byte = HEADER;

	for (size_t bit = 0; bit < HEADER * (size_t)8; bit++)
		assert_true(flip(1, bit));
	while (flip(2, 8 * byte + byte % 8))
		byte = next(byte);
	assert_in_range(byte, HEADER + TEXT + 8, RECORD_MAX);
	assert_true(flip(0, 8 * HEADER));
	assert_true(flip(RECORDS - 1, 8 * HEADER));
}

static void a_changed_bit_ends_the_session_before_its_record(void **state)
{
	(void)state;
	with_each_suite(flip_bits);
}

static void change_types(void)
{
	for (size_t type = 0; type < 256; type = type < 32 ? type + 1 : next(type)) {
		struct trial *trial = open_trial(type);

		if (trial->records[1].data[0] == type) {
			free_trial(trial);
			continue;
		}
		trial->records[1].data[0] = (unsigned char)type;
		put_records(trial, 0, RECORDS);
		expect_failure(trial, 1, false, "type", type);
	}
}

static void a_record_is_of_the_type_that_it_was_sealed_as(void **state)
{
	(void)state;
	with_each_suite(change_types);
}

/* --- in another order ------------------------------------------------------------------------- */

static void repeat(size_t variant, size_t which, size_t after)
{
	struct trial *trial = open_trial(variant);

	put_records(trial, 0, after + 1);
	put_record(trial, &trial->records[which]);
	put_records(trial, after + 1, RECORDS);
	expect_failure(trial, after + 1, false, "repeated", which);
}

static void drop(size_t variant, size_t which, size_t count)
{
	struct trial *trial = open_trial(variant);

	put_records(trial, 0, which);
	put_records(trial, which + count, RECORDS);
	expect_failure(trial, which, false, "dropped", which);
}

static void swap(size_t variant, size_t first, size_t second)
{
	struct trial *trial = open_trial(variant);
	struct record record = trial->records[first];

	trial->records[first] = trial->records[second];
	trial->records[second] = record;
	put_records(trial, 0, RECORDS);
	expect_failure(trial, first, false, "swapped", first);
}

static void change_order(void)
{
	for (size_t variant = 0; variant < VARIANTS; variant = next(variant)) {
		for (size_t i = 0; i < RECORDS; i++) {
			repeat(variant, i, i);
			repeat(variant, 0, i);
			if (i + 1 < RECORDS) {
				drop(variant, i, 1);
				drop(variant, 0, i + 1);
				swap(variant, i, i + 1);
				swap(variant, i, RECORDS - 1);
			}
		}
	}
}

static void records_are_read_once_each_and_in_their_order(void **state)
{
	(void)state;
	with_each_suite(change_order);
}

/* --- of others -------------------------------------------------------------------------------- */

/* Between the first and the second. */
static void insert(struct trial *trial, const void *data, size_t size, const char *what)
{
	put_records(trial, 0, 1);
	put(trial, data, size);
	put_records(trial, 1, RECORDS);
	expect_failure(trial, 1, false, what, size);
}

/* What was sealed of the last flight of a handshake: behind a change of ciphers, or the first. */
static const unsigned char *find_sealed(const struct side *side, size_t *size)
{
	const unsigned char *record = side->out.data;

	while (record[0] != SSL3_RT_APPLICATION_DATA && record[0] != SSL3_RT_CHANGE_CIPHER_SPEC)
		record += HEADER + record[3] * 256 + record[4];
	if (record[0] == SSL3_RT_CHANGE_CIPHER_SPEC)
		record += HEADER + 1;
	*size = HEADER + (size_t)record[3] * 256 + record[4];
	return record;
}

static void insert_others(void)
{
	for (size_t variant = 0; variant < VARIANTS; variant = next(variant)) {
		struct trial *other = open_trial(variant);
		struct trial *trial = open_trial(variant);
		struct record record;
		const unsigned char *sealed;
		size_t size;

		insert(trial, other->records[1].data, other->records[1].size, "another's");
		free_trial(other);
		trial = open_trial(variant);
		seal(trial->to, "x", 1, &record);
		insert(trial, record.data, record.size, "one's own");
		trial = open_trial(variant);
		sealed = find_sealed(trial->from, &size);
		insert(trial, sealed, size, "the handshake's");
	}
}

static void records_of_others_and_of_oneself_are_refused(void **state)
{
	(void)state;
	with_each_suite(insert_others);
}

/* From 3.2 on OpenSSL may pass over a change of ciphers in TLS 1.3 behind the handshake as well (on
 * one side it does): it carries nothing. */
static bool may_be_passed_over(const struct trial *trial, const unsigned char *data, size_t size)
{
	return OpenSSL_version_num() >= 0x30200000 && size == HEADER + 1 &&
	       data[0] == SSL3_RT_CHANGE_CIPHER_SPEC &&
	       SSL_version(trial->to->engine.ssl) == TLS1_3_VERSION;
}

static void pass_over_or_fail(struct trial *trial, const void *data, size_t size)
{
	put_records(trial, 0, 1);
	put(trial, data, size);
	put_records(trial, 1, RECORDS);
	arrive(trial);
	if (trial->error == SENNIT_TLS_FAILED) {
		assert_int_equal(trial->got_size, TEXT);
	} else {
		assert_int_equal(trial->error, SENNIT_TRUNCATED);
		assert_int_equal(trial->got_size, RECORDS * TEXT);
	}
	assert_true(is_pattern(trial->got, trial->got_size, 0));
	free_trial(trial);
}

/* Without a key: what an end, a warning, new ciphers, a request to begin anew and data would be. */
static void insert_plain(void)
{
	static const struct {
		unsigned char data[16];
		size_t size;
	} plain[] = {
		{{21, 3, 3, 0, 2, 1, 0}, 7},             /* close_notify */
		{{21, 3, 3, 0, 2, 2, 0}, 7},             /* as a fatal one */
		{{21, 3, 3, 0, 2, 1, 90}, 7},            /* user_canceled */
		{{21, 3, 3, 0, 2, 1, 100}, 7},           /* no_renegotiation */
		{{21, 3, 3, 0, 2, 2, 40}, 7},            /* handshake_failure */
		{{20, 3, 3, 0, 1, 1}, 6},
		{{20, 3, 3, 0, 2, 1, 1}, 7},
		{{22, 3, 3, 0, 4, 0, 0, 0, 0}, 9},       /* hello_request */
		{{22, 3, 3, 0, 4, 14, 0, 0, 0}, 9},      /* server_hello_done */
		{{22, 3, 3, 0, 5, 24, 0, 0, 1, 1}, 10},  /* key_update */
		{{23, 3, 3, 0, 4, 'd', 'a', 't', 'a'}, 9},
		{{23, 3, 3, 0, 0}, 5},
		{{22, 3, 3, 0, 0}, 5},
		{{21, 3, 3, 0, 0}, 5},
		{{23, 3, 3, 0xff, 0xff}, 5},
		{{23, 3, 3, 0x48, 1}, 5},                /* one more than there may be */
		{{0x80, 46, 1, 3, 3}, 5},                /* SSL 2 */
		{"GET / HTTP/1.1\r\n", 16},
	};

	for (size_t i = 0; i < COUNT_OF(plain); i++) {
		for (size_t variant = 0; variant < 2; variant++) {
			struct trial *trial = open_trial(variant);

			if (may_be_passed_over(trial, plain[i].data, plain[i].size))
				pass_over_or_fail(trial, plain[i].data, plain[i].size);
			else
				insert(trial, plain[i].data, plain[i].size, "plain");
		}
	}
}

static void what_is_not_sealed_is_refused(void **state)
{
	(void)state;
	with_each_suite(insert_plain);
}

/* --- of other lengths ------------------------------------------------------------------------- */

static void set_size(struct record *record, size_t size)
{
	record->size = size;
	record->data[3] = (unsigned char)((size - HEADER) >> 8);
	record->data[4] = (unsigned char)(size - HEADER);
}

static void change_lengths(void)
{
	struct trial *trial = open_trial(0);
	size_t size = trial->records[1].size;
	struct record *record;

	free_trial(trial);
	for (size_t n = 0; n <= size + 40 - HEADER; n = next(n)) { /* cut, or longer */
		if (n + HEADER == size)
			continue;
		trial = open_trial(n);
		set_size(&trial->records[1], HEADER + n);
		put_records(trial, 0, RECORDS);
		expect_failure(trial, 1, false, "length", n);
	}
	for (size_t n = 1; n < size - HEADER; n = next(n)) { /* in two */
		struct record second;

		trial = open_trial(n);
		record = &trial->records[1];
		second = *record;
		memmove(second.data + HEADER, record->data + HEADER + n, size - HEADER - n);
		set_size(&second, size - n);
		set_size(record, HEADER + n);
		put_records(trial, 0, 2);
		put_record(trial, &second);
		put_records(trial, 2, RECORDS);
		expect_failure(trial, 1, false, "divided", n);
	}
	for (size_t i = 0; i < VARIANTS; i = next(i)) { /* two in one */
		trial = open_trial(i);
		record = &trial->records[1];
		memcpy(record->data + size, trial->records[2].data + HEADER, size - HEADER);
		set_size(record, size + size - HEADER);
		put_records(trial, 0, 2);
		put_records(trial, 3, RECORDS);
		expect_failure(trial, 1, false, "joined", i);
	}
}

static void a_record_is_as_long_as_it_was_sealed(void **state)
{
	(void)state;
	with_each_suite(change_lengths);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(records_that_nobody_touched_are_read),
		TEST(a_changed_bit_ends_the_session_before_its_record),
		TEST(a_record_is_of_the_type_that_it_was_sealed_as),
		TEST(records_are_read_once_each_and_in_their_order),
		TEST(records_of_others_and_of_oneself_are_refused),
		TEST(what_is_not_sealed_is_refused),
		TEST(a_record_is_as_long_as_it_was_sealed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
