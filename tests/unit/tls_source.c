/* SPDX-License-Identifier: MIT */
/* tls_source.c - what the TLS engine draws from the stream below when OpenSSL wants it: behind what
 * it was fed, in pieces of any size, and up to the end or the error, which is met once. */
#include "engine_pair.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_SIZE ((size_t)SENNIT__TLS_RECORD)
#define TEXT        20 /* bytes of plaintext in a small record */

/* Of what is done for every byte, one in so many: sanitizers take their time. Odd, so that errors
 * of both kinds meet every place in turn. */
#if defined(SANITIZED_THREAD) || defined(SANITIZED_ADDRESS)
# define STEP 31
#else
# define STEP 7
#endif

/* --- a stream below --------------------------------------------------------------------------- */

/* It has what the peer sent, up to a point, and there an end or an error. */
struct spring {
	const struct sennit__tls_engine *engine; /* that draws */
	unsigned char *data;
	size_t at;       /* so many were drawn */
	size_t size;
	size_t capacity;
	size_t piece;    /* the test's: so many at a time; 0: as many as there are */
	size_t limit;    /* the test's: so many in all, and then the error; or SIZE_MAX */
	int error;       /* the test's: none where it is 0 */
	bool pauses;     /* the test's: every other time there is nothing */
	bool paused;
	bool ahead;      /* the test's: it is drawn into a chunk */
	unsigned calls;
	bool over;       /* it has told the error */
};

static size_t left_in(const struct spring *spring)
{
	size_t end = spring->limit < spring->size ? spring->limit : spring->size;

	return end - spring->at;
}

static bool at_error(const struct spring *spring)
{
	return spring->error && spring->at == spring->limit;
}

static ssize_t draw(void *self, void *data, size_t size, bool *more)
{
	struct spring *spring = self;
	size_t left = left_in(spring);

	RECORD(size > 0);
	RECORD(!spring->over);
	RECORD(spring->engine->lent == spring->ahead && !sennit__tls_engine_fed(spring->engine));
	spring->calls++;
	spring->paused = spring->pauses && !spring->paused;
	if (spring->paused) {
		*more = false;
		return 0;
	}
	if (left > size)
		left = size;
	if (spring->piece && left > spring->piece)
		left = spring->piece;
	if (left)
		memcpy(data, spring->data + spring->at, left);
	spring->at += left;
	*more = left_in(spring) || spring->error; /* behind the error, too, as of a stream */
	if (left || !at_error(spring))
		return (ssize_t)left;
	spring->over = true;
	return spring->error;
}

static void fill(struct spring *spring, struct sennit__tls_engine *from)
{
	struct iovec part;

	while (sennit__tls_engine_output(from, &part, 1)) {
		if (spring->capacity - spring->size < part.iov_len) {
			spring->capacity = 2 * spring->capacity + part.iov_len;
			spring->data = realloc(spring->data, spring->capacity);
			assert_non_null(spring->data);
		}
		memcpy(spring->data + spring->size, part.iov_base, part.iov_len);
		spring->size += part.iov_len;
		sennit__tls_engine_sent(from, part.iov_len);
	}
}

/* --- who draws, and the peer ------------------------------------------------------------------ */

struct scene {
	struct sennit_tls_context *contexts[2];
	struct engine_pair pair;
	struct side *peer;
	struct side *side;
	struct sennit__tls_engine *engine; /* the side's, which is looked at */
	struct spring spring;
	unsigned variant;
	char *sent;                        /* the pattern */
	size_t sent_size;
	char *got;
	size_t got_size;
};

#define ROOM (8 * RECORD_SIZE)

/* The variant is a version, and which side draws. */
#define VARIANTS 4

static void make_contexts(struct scene *scene, unsigned variant)
{
	enum sennit_tls_version version = variant / 2 ? SENNIT_TLS_1_2 : SENNIT_TLS_1_3;

	memset(scene, 0, sizeof *scene);
	scene->variant = variant;
	scene->contexts[0] = client_context(test_authority());
	scene->contexts[1] = server_context(test_certificate());
	assert_int_equal(sennit_tls_context_versions(scene->contexts[0], version, version), 0);
	scene->sent = patterned(ROOM);
	scene->got = zeroed(ROOM);
}

/* A session of its own, with the contexts that are there. */
static void open_session(struct scene *scene)
{
	unsigned variant = scene->variant;

	assert_true(engine_pair_open(&scene->pair, scene->contexts[0], scene->contexts[1]));
	scene->side = &scene->pair.sides[variant % 2];
	scene->peer = &scene->pair.sides[!(variant % 2)];
	scene->engine = &scene->side->engine;
	scene->engine->source = draw;
	scene->engine->below = &scene->spring;
	scene->spring = (struct spring){.engine = scene->engine, .limit = SIZE_MAX};
	scene->sent_size = scene->got_size = 0;
}

static void close_session(struct scene *scene)
{
	recorded();
	engine_pair_close(&scene->pair);
	free(scene->spring.data);
}

static void drop(struct scene *scene)
{
	for (int i = 0; i < 2; i++)
		sennit_tls_context_destroy(scene->contexts[i]);
	free(scene->sent);
	free(scene->got);
}

/* As far as it goes: 0, or what the side's handshake reported. */
static int shake_here(struct scene *scene)
{
	int error = SENNIT__TLS_MORE;
	bool more = true;

	while (more && error >= 0) {
		size_t at = scene->spring.at;

		scene->peer->handshake = sennit__tls_engine_handshake(&scene->peer->engine);
		fill(&scene->spring, &scene->peer->engine);
		scene->engine->drawing = true;
		error = sennit__tls_engine_handshake(scene->engine);
		more = wire_carry(scene->side, scene->peer) || scene->spring.at > at ||
		       scene->spring.paused;
	}
	if (error >= 0) {
		assert_int_equal(error, 0);
		assert_int_equal(scene->peer->handshake, 0);
	}
	return error;
}

/* Reads so much at a time, until nothing is left below: 0, or the error. What it answers to the
 * peer's messages nobody needs. */
static int read_on(struct scene *scene, size_t most)
{
	for (;;) {
		size_t room = ROOM - scene->got_size;
		ssize_t got;

		scene->engine->drawing = true;
		got = sennit__tls_engine_read(scene->engine, scene->got + scene->got_size,
					      room < most ? room : most);
		assert_null(scene->engine->input);
		sennit__tls_engine_sent(scene->engine, scene->engine->output_size);
		if (got < 0)
			return (int)got;
		scene->got_size += (size_t)got;
		if (!got && !left_in(&scene->spring) && !scene->spring.paused)
			return 0;
	}
}

static void assert_got(const struct scene *scene, size_t size)
{
	assert_int_equal(scene->got_size, size);
	assert_memory_equal(scene->got, scene->sent, size);
}

/* The peer sends the next of the pattern. */
static void send_data(struct scene *scene, size_t size)
{
	struct iovec part = {scene->sent + scene->sent_size, size};

	assert_in_range(scene->sent_size + size, 1, ROOM);
	assert_int_equal(sennit__tls_engine_seal(&scene->peer->engine, &part, size), size);
	scene->sent_size += size;
	fill(&scene->spring, &scene->peer->engine);
}

/* A message without data: a change of keys, a ticket, a request to begin anew. */
enum message { KEYS, TICKET, REQUEST, MESSAGES };

static bool can_send(unsigned variant, enum message message)
{
	bool early = variant / 2; /* TLS 1.2 */

	return message == KEYS ? !early : !(variant % 2) && early == (message == REQUEST);
}

static void send_message(struct scene *scene, enum message message)
{
	SSL *ssl = scene->peer->engine.ssl;

	SSL_clear_options(ssl, SSL_OP_NO_RENEGOTIATION); /* which the library never does */
	if (message == KEYS)
		assert_true(SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED));
	else if (message == TICKET)
		assert_true(SSL_new_session_ticket(ssl));
	else
		assert_true(SSL_renegotiate(ssl));
	assert_int_equal(SSL_do_handshake(ssl), 1);
	fill(&scene->spring, &scene->peer->engine);
}

static void send_end(struct scene *scene)
{
	assert_in_range(sennit__tls_engine_shutdown(&scene->peer->engine), 0, SENNIT__TLS_MORE);
	fill(&scene->spring, &scene->peer->engine);
}

/* Connected; nothing is under way, and nothing was drawn so far. */
static void begin(struct scene *scene, unsigned variant)
{
	make_contexts(scene, variant);
	open_session(scene);
	assert_int_equal(shake_here(scene), 0);
	send_data(scene, 1); /* behind the tickets */
	assert_int_equal(read_on(scene, ROOM), 0);
	assert_got(scene, 1);
	scene->spring.calls = 0;
}

static void end(struct scene *scene)
{
	close_session(scene);
	drop(scene);
}

/* --- a session in pieces ---------------------------------------------------------------------- */

/* After each of which the wire has so much, and all that was sent so far has so many bytes. */
struct mark {
	size_t wire;
	size_t data;
};

enum { MARKS = 12 };

/* Everything that the version has; the last is the end. */
static void send_session(struct scene *scene, size_t large, struct mark marks[MARKS])
{
	static const struct {
		enum message message;
		bool is_data;
	} steps[MARKS - 1] = {
		{MESSAGES, true}, {KEYS, false},   {MESSAGES, true}, {TICKET, false},
		{REQUEST, false}, {MESSAGES, true}, {KEYS, false},    {KEYS, false},
		{TICKET, false},  {MESSAGES, true}, {MESSAGES, true},
	};

	for (size_t i = 0; i < MARKS; i++) {
		if (i == MARKS - 1)
			send_end(scene);
		else if (steps[i].is_data)
			send_data(scene, i == 5 ? large : TEXT);
		else if (can_send(scene->variant, steps[i].message))
			send_message(scene, steps[i].message);
		marks[i] = (struct mark){scene->spring.size, scene->sent_size};
	}
}

static void play_in_pieces(struct scene *scene, size_t piece, bool pauses)
{
	struct mark marks[MARKS];

	open_session(scene);
	scene->spring.piece = piece;
	scene->spring.pauses = pauses;
	assert_int_equal(shake_here(scene), 0);
	send_session(scene, 2 * RECORD_SIZE + 100, marks);
	assert_int_equal(read_on(scene, piece % 3 ? ROOM : TEXT), SENNIT_EOF);
	assert_got(scene, scene->sent_size);
	assert_int_equal(scene->spring.at, scene->spring.size);
	assert_null(scene->engine->input);
	close_session(scene);
}

static void a_session_that_comes_in_pieces_of_any_size_is_read(void **state)
{
	(void)state;
	for (unsigned variant = 0; variant < VARIANTS; variant++) {
		struct scene scene;

		make_contexts(&scene, variant);
		play_in_pieces(&scene, 0, false);
		play_in_pieces(&scene, 0, true);
		for (size_t piece = 1; piece < 2000; piece += piece < 30 ? 1 : piece / 3) {
			play_in_pieces(&scene, piece, false);
			play_in_pieces(&scene, piece, true);
		}
		drop(&scene);
	}
}

/* Each in one session. */
static void records_that_come_in_pieces_of_any_size_are_read(void **state)
{
	(void)state;
	for (unsigned variant = 0; variant < VARIANTS; variant++) {
		struct scene scene;
		size_t size = 1;

		begin(&scene, variant);
		for (size_t piece = 1; piece <= size; piece++) {
			size_t at = scene.spring.size;

			scene.got_size = scene.sent_size = 0;
			scene.spring.piece = piece;
			for (size_t i = 1; i < 6; i++)
				send_data(&scene, i * TEXT);
			assert_int_equal(read_on(&scene, ROOM), 0);
			assert_got(&scene, 15 * TEXT);
			size = scene.spring.size - at;
		}
		end(&scene);
	}
}

/* --- an end at any byte ----------------------------------------------------------------------- */

static size_t expected_data(const struct mark marks[MARKS], size_t limit)
{
	size_t data = 0;

	for (size_t i = 0; i < MARKS; i++) {
		if (marks[i].wire <= limit)
			data = marks[i].data;
	}
	return data;
}

/* True where the error was met; else the session was not so long. */
static bool play_cut(struct scene *scene, size_t limit, int error)
{
	int expected = error == SENNIT_EOF ? SENNIT_TRUNCATED : error;
	struct mark marks[MARKS] = {{0, 0}};
	unsigned calls;
	bool cut;
	int result;

	open_session(scene);
	scene->spring.limit = limit;
	scene->spring.error = error;
	scene->spring.piece = limit % 7 * 11;
	result = shake_here(scene);
	if (!result) {
		send_session(scene, TEXT, marks);
		result = read_on(scene, ROOM);
		assert_got(scene, expected_data(marks, limit));
		cut = limit < marks[MARKS - 1].wire;
		if (!cut)
			expected = SENNIT_EOF;
	} else {
		assert_int_equal(sennit__tls_engine_handshake(scene->engine), expected);
		cut = true;
	}
	assert_int_equal(result, expected);
	assert_int_equal(scene->engine->failure, 0);
	assert_true(!cut || (scene->spring.over && scene->spring.at == limit));
	calls = scene->spring.calls;
	scene->engine->drawing = true;
	if (scene->engine->connected) {
		assert_int_equal(sennit__tls_engine_peek(scene->engine), expected);
		assert_int_equal(read_on(scene, ROOM), expected);
	}
	assert_int_equal(scene->spring.calls, calls);
	close_session(scene);
	return cut;
}

static void a_session_that_ends_at_any_byte_is_read_up_to_there_and_fails_once(void **state)
{
	(void)state;
	for (unsigned variant = 0; variant < VARIANTS; variant++) {
		struct scene scene;
		size_t step = scale() > 1 ? 1 : STEP;
		size_t limit = variant;

		make_contexts(&scene, variant);
		while (play_cut(&scene, limit, limit % 2 ? SENNIT_EOF : -ECONNRESET))
			limit += step;
		assert_in_range(limit, 400, 4000);
		drop(&scene);
	}
}

/* --- what was fed before ---------------------------------------------------------------------- */

/* So many of the bytes of the spring come by way of a chunk, which is lent meanwhile. */
static void feed(struct scene *scene, size_t bytes)
{
	unsigned calls = scene->spring.calls;
	char *data = scene->got;
	size_t room;
	void *place = sennit__tls_engine_room(scene->engine, &room);

	scene->engine->drawing = true;
	assert_int_equal(sennit__tls_engine_read(scene->engine, data, ROOM), 0);
	assert_int_equal(sennit__tls_engine_peek(scene->engine), SENNIT__TLS_MORE);
	assert_int_equal(scene->spring.calls, calls); /* who has the chunk has the next bytes */
	assert_in_range(bytes, 0, room);
	memcpy(place, scene->spring.data + scene->spring.at, bytes);
	scene->spring.at += bytes;
	sennit__tls_engine_feed(scene->engine, bytes);
}

static void what_was_fed_comes_before_what_is_drawn(void **state)
{
	(void)state;
	for (unsigned variant = 0; variant < VARIANTS; variant++) {
		struct scene scene;
		size_t size = 1;

		begin(&scene, variant);
		for (size_t fed = 0; fed <= size; fed++) {
			size_t at = scene.spring.size;

			scene.got_size = scene.sent_size = 0;
			for (int i = 0; i < 4; i++)
				send_data(&scene, TEXT);
			size = scene.spring.size - at;
			feed(&scene, fed);
			assert_int_equal(read_on(&scene, ROOM), 0);
			assert_got(&scene, 4 * TEXT);
		}
		end(&scene);
	}
}

static void draw_ahead(struct scene *scene)
{
	scene->engine->drawing = scene->spring.ahead = true;
	assert_int_equal(sennit__tls_engine_draw(scene->engine), 0);
	scene->spring.ahead = false;
}

/* For who waits, and does not read: it lies in a chunk, and what comes behind is drawn. */
static void what_is_drawn_for_later_is_read_first(void **state)
{
	(void)state;
	for (unsigned variant = 0; variant < VARIANTS; variant++) {
		struct scene scene;

		begin(&scene, variant);
		for (size_t piece = 1; piece < 120; piece++) {
			scene.got_size = scene.sent_size = 0;
			scene.spring.calls = 0;
			scene.spring.piece = piece;
			for (int i = 0; i < 4; i++)
				send_data(&scene, TEXT);
			draw_ahead(&scene);
			assert_int_equal(scene.spring.calls, 1);
			assert_true(sennit__tls_engine_fed(scene.engine));
			assert_int_equal(read_on(&scene, ROOM), 0);
			assert_got(&scene, 4 * TEXT);
		}
		scene.spring.limit = scene.spring.size;
		scene.spring.error = -ECONNRESET;
		draw_ahead(&scene);
		assert_null(scene.engine->input);
		assert_int_equal(read_on(&scene, ROOM), -ECONNRESET);
		end(&scene);
	}
}

/* --- when it is asked ------------------------------------------------------------------------- */

/* Nothing is drawn that the driver does not say may be there. */
static void it_is_asked_where_it_may_have_some(void **state)
{
	(void)state;
	for (unsigned variant = 0; variant < VARIANTS; variant++) {
		struct scene scene;

		begin(&scene, variant);
		send_data(&scene, TEXT);
		scene.engine->drawing = false;
		assert_int_equal(sennit__tls_engine_read(scene.engine, scene.got, ROOM), 0);
		assert_int_equal(sennit__tls_engine_peek(scene.engine), SENNIT__TLS_MORE);
		assert_int_equal(scene.spring.calls, 0);
		scene.engine->drawing = true;
		assert_int_equal(sennit__tls_engine_peek(scene.engine), 0);
		assert_int_equal(scene.spring.calls, 1);
		assert_int_equal(sennit__tls_engine_read(scene.engine, scene.got, ROOM), TEXT);
		assert_int_equal(sennit__tls_engine_read(scene.engine, scene.got, ROOM), 0);
		assert_int_equal(scene.spring.calls, 1); /* which said that there is no more */
		end(&scene);
	}
}

static void a_record_and_several_small_ones_are_drawn_in_one_call(void **state)
{
	(void)state;
	for (unsigned variant = 0; variant < VARIANTS; variant++) {
		struct scene scene;
		char data[TEXT];

		begin(&scene, variant);
		send_data(&scene, RECORD_SIZE);
		scene.engine->drawing = true;
		assert_int_equal(sennit__tls_engine_read(scene.engine, scene.got, RECORD_SIZE),
				 RECORD_SIZE);
		assert_int_equal(scene.spring.calls, 1);
		assert_null(scene.engine->input);
		for (int i = 0; i < 10; i++)
			send_data(&scene, TEXT);
		for (int i = 0; i < 10; i++) {
			scene.engine->drawing = i == 0;
			assert_int_equal(sennit__tls_engine_read(scene.engine, data, TEXT), TEXT);
			assert_true(is_pattern(data, TEXT, RECORD_SIZE + 1 + (size_t)i * TEXT));
		}
		assert_int_equal(scene.spring.calls, 2);
		end(&scene);
	}
}

/* What waits inside OpenSSL behind a message is not forgotten: nobody will be told of it again. */
static void one_read_takes_all_that_was_drawn_with_messages_between(void **state)
{
	(void)state;
	for (unsigned variant = 0; variant < VARIANTS; variant++) {
		struct mark marks[MARKS];
		struct scene scene;
		ssize_t got;

		begin(&scene, variant);
		send_session(&scene, TEXT, marks);
		scene.engine->drawing = true;
		got = sennit__tls_engine_read(scene.engine, scene.got + 1, ROOM - 1);
		assert_int_equal(got, scene.sent_size - 1);
		assert_int_equal(scene.spring.calls, 1);
		scene.got_size += (size_t)got;
		assert_got(&scene, scene.sent_size);
		assert_int_equal(sennit__tls_engine_peek(scene.engine), SENNIT_EOF);
		assert_int_equal(scene.spring.calls, 1);
		end(&scene);
	}
}

/* The same for who only looks, as a wait does. */
static void a_peek_finds_what_is_behind_messages(void **state)
{
	(void)state;
	for (unsigned variant = 0; variant < VARIANTS; variant++) {
		struct scene scene;

		begin(&scene, variant);
		for (enum message message = KEYS; message < MESSAGES; message++) {
			if (!can_send(variant, message))
				continue;
			for (int i = 0; i < 3; i++)
				send_message(&scene, message);
			send_data(&scene, TEXT);
			scene.engine->drawing = true;
			assert_int_equal(sennit__tls_engine_peek(scene.engine), 0);
			assert_int_equal(read_on(&scene, ROOM), 0);
			assert_got(&scene, scene.sent_size);
		}
		end(&scene);
	}
}

/* --- messages without data -------------------------------------------------------------------- */

enum follower { NOTHING, DATA, THE_END, AN_ERROR, FOLLOWERS };

static void expect_busy(struct scene *scene)
{
	struct iovec part = {scene->sent, 1};
	char text[100];

	scene->engine->drawing = true;
	assert_int_equal(read_on(scene, ROOM), SENNIT_TLS_FAILED);
	assert_int_equal(sennit__tls_engine_peek(scene->engine), SENNIT_TLS_FAILED);
	assert_int_equal(sennit__tls_engine_seal(scene->engine, &part, 1), SENNIT_TLS_FAILED);
	assert_int_equal(sennit__tls_engine_shutdown(scene->engine), SENNIT_TLS_FAILED);
	assert_int_equal(sennit__tls_engine_handshake(scene->engine), SENNIT_TLS_FAILED);
	assert_int_equal(ERR_peek_error(), 0);
	sennit__tls_engine_reason(scene->engine, text, sizeof text);
	assert_string_equal(text, "the peer sends messages without data");
}

/* All of them are there at once. */
static void send_messages(struct scene *scene, enum message message, size_t count,
			  enum follower follower)
{
	for (size_t i = 0; i < count; i++)
		send_message(scene, message);
	if (follower == DATA)
		send_data(scene, TEXT);
	if (follower == THE_END)
		send_end(scene);
	if (follower == AN_ERROR) {
		scene->spring.limit = scene->spring.size;
		scene->spring.error = SENNIT_EOF;
	}
}

static void keep_busy(unsigned variant, enum message message, size_t count,
		      enum follower follower)
{
	struct scene scene;

	begin(&scene, variant);
	send_messages(&scene, message, count, follower);
	scene.engine->drawing = true;
	if (count % 2)
		assert_int_equal(sennit__tls_engine_peek(scene.engine), SENNIT_TLS_FAILED);
	expect_busy(&scene);
	assert_got(&scene, 1);
	end(&scene);
}

static void more_than_64_messages_without_data_are_too_many(void **state)
{
	(void)state;
	for (unsigned variant = 0; variant < VARIANTS; variant++) {
		for (enum message message = KEYS; message < MESSAGES; message++) {
			if (!can_send(variant, message))
				continue;
			for (enum follower next = NOTHING; next < FOLLOWERS; next++) {
				keep_busy(variant, message, 65, next);
				keep_busy(variant, message, 66, next);
			}
			keep_busy(variant, message, 90, NOTHING);
		}
	}
}

static void stay_calm(struct scene *scene, enum message message)
{
	for (int i = 0; i < 3; i++) {
		send_messages(scene, message, 64, DATA);
		assert_int_equal(read_on(scene, ROOM), 0);
	}
	assert_got(scene, scene->sent_size);
	send_messages(scene, message, 63, THE_END);
	assert_int_equal(read_on(scene, ROOM), SENNIT_EOF);
	assert_int_equal(scene->engine->failure, 0);
}

static void up_to_64_messages_without_data_are_not_too_many(void **state)
{
	(void)state;
	for (unsigned variant = 0; variant < VARIANTS; variant++) {
		for (enum message message = KEYS; message < MESSAGES; message++) {
			struct scene scene;

			if (!can_send(variant, message))
				continue;
			begin(&scene, variant);
			stay_calm(&scene, message);
			end(&scene);
		}
	}
}

/* The last of 65 tickets has half come, so that whatever is called next has to read on; behind it
 * are some more and the end. */
static void begin_with_half_a_ticket(struct scene *scene)
{
	static size_t filling = 900;
	size_t whole;

	make_contexts(scene, 0);
	give_large_tickets(scene->contexts[1], &filling);
	open_session(scene);
	assert_true(SSL_set_max_send_fragment(scene->peer->engine.ssl, 512));
	assert_int_equal(shake_here(scene), 0);
	send_data(scene, 1);
	assert_int_equal(read_on(scene, ROOM), 0);
	send_messages(scene, TICKET, 64, NOTHING);
	whole = scene->spring.size;
	send_messages(scene, TICKET, 10, THE_END);
	scene->spring.limit = whole + 600; /* the first record of it */
	assert_int_equal(read_on(scene, ROOM), 0);
	assert_true(SSL_in_init(scene->engine->ssl));
	assert_int_equal(scene->engine->failure, 0);
	scene->spring.limit = SIZE_MAX;
	scene->engine->drawing = true;
}

static void whatever_call_meets_too_many_messages_finds_them(void **state)
{
	struct iovec part = {"x", 1};
	struct scene scene;

	(void)state;
	begin_with_half_a_ticket(&scene);
	assert_int_equal(sennit__tls_engine_shutdown(scene.engine), SENNIT_TLS_FAILED);
	assert_false(scene.engine->notified);
	expect_busy(&scene);
	end(&scene);

	begin_with_half_a_ticket(&scene); /* it leaves, or not, but nothing goes on */
	assert_in_range(sennit__tls_engine_seal(scene.engine, &part, 1) + 100, 0, 101);
	assert_int_equal(scene.engine->failure, SENNIT_TLS_FAILED);
	expect_busy(&scene);
	end(&scene);

	begin_with_half_a_ticket(&scene);
	assert_int_equal(sennit__tls_engine_peek(scene.engine), SENNIT_TLS_FAILED);
	expect_busy(&scene);
	end(&scene);

	begin_with_half_a_ticket(&scene);
	assert_int_equal(sennit__tls_engine_handshake(scene.engine), 0); /* it is done */
	assert_int_equal(read_on(&scene, ROOM), SENNIT_EOF); /* and all begins anew */
	end(&scene);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_session_that_comes_in_pieces_of_any_size_is_read),
		TEST(records_that_come_in_pieces_of_any_size_are_read),
		TEST(a_session_that_ends_at_any_byte_is_read_up_to_there_and_fails_once),
		TEST(what_was_fed_comes_before_what_is_drawn),
		TEST(what_is_drawn_for_later_is_read_first),
		TEST(it_is_asked_where_it_may_have_some),
		TEST(a_record_and_several_small_ones_are_drawn_in_one_call),
		TEST(one_read_takes_all_that_was_drawn_with_messages_between),
		TEST(a_peek_finds_what_is_behind_messages),
		TEST(more_than_64_messages_without_data_are_too_many),
		TEST(up_to_64_messages_without_data_are_not_too_many),
		TEST(whatever_call_meets_too_many_messages_finds_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
