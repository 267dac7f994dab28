/* SPDX-License-Identifier: MIT */
/* engine.c - see engine.h. */
#include "io/tls/engine.h"

#include <errno.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- chunks ----------------------------------------------------------------------------------- */

/* Holds any record, with some room for a second small one. */
#define CHUNK_SIZE (17 * 1024 - 3 * sizeof(void *) - 16)

struct sennit__tls_chunk {
	struct sennit__tls_chunk *next;
	size_t begin; /* of what has not been used */
	size_t end;
	unsigned char data[CHUNK_SIZE];
};

/* Each thread keeps a few, so that a request and its answer do not go to the allocator. */
#define SPARE_MAX 8

static _Thread_local struct {
	struct sennit__tls_chunk *head;
	unsigned count;
	bool noted; /* the thread's end is known to free them */
} spare;
static pthread_key_t spare_key;
static pthread_once_t spare_once = PTHREAD_ONCE_INIT;

static void free_spare(void *unused)
{
	(void)unused;
	while (spare.head) {
		struct sennit__tls_chunk *chunk = spare.head;

		spare.head = chunk->next;
		free(chunk);
	}
	spare.count = SPARE_MAX; /* whatever comes after this is freed at once */
}

static void make_spare_key(void)
{
	if (pthread_key_create(&spare_key, free_spare))
		abort(); /* the process is out of keys, of which this is the only one */
}

static struct sennit__tls_chunk *get_chunk(void)
{
	struct sennit__tls_chunk *chunk = spare.head;

	if (chunk) {
		spare.head = chunk->next;
		spare.count--;
	} else {
		chunk = malloc(sizeof *chunk);
	}
	if (chunk) {
		chunk->next = NULL;
		chunk->begin = chunk->end = 0;
	}
	return chunk;
}

static void put_chunk(struct sennit__tls_chunk *chunk)
{
	if (!spare.noted) {
		pthread_once(&spare_once, make_spare_key);
		spare.noted = true;
		pthread_setspecific(spare_key, &spare);
	}
	if (spare.count >= SPARE_MAX) {
		free(chunk);
		return;
	}
	chunk->next = spare.head;
	spare.head = chunk;
	spare.count++;
}

/* --- failing ---------------------------------------------------------------------------------- */

/* The first failure stays, even where it is found in the middle of a call. */
static int fail(struct sennit__tls_engine *engine, int error, const char *reason)
{
	if (!engine->failure) {
		engine->failure = error;
		engine->reason = reason;
	}
	return engine->failure;
}

/* --- what OpenSSL reads and writes ------------------------------------------------------------ */

static size_t take_input(struct sennit__tls_engine *engine, char *data, size_t size)
{
	struct sennit__tls_chunk *chunk = engine->input;
	size_t left = chunk ? chunk->end - chunk->begin : 0;

	if (left > size)
		left = size;
	if (left) {
		memcpy(data, chunk->data + chunk->begin, left);
		chunk->begin += left;
	}
	return left;
}

/* Who fills the input has the next bytes; behind the end there are none. */
static bool may_draw(const struct sennit__tls_engine *engine)
{
	return engine->drawing && !engine->lent && !engine->input_error;
}

static size_t draw(struct sennit__tls_engine *engine, char *data, size_t size)
{
	ssize_t got = engine->source(engine->below, data, size, &engine->drawing);

	if (got < 0)
		sennit__tls_engine_end(engine, got == SENNIT_EOF ? 0 : (int)got);
	return got > 0 ? (size_t)got : 0;
}

static int bio_read(BIO *bio, char *data, int size)
{
	struct sennit__tls_engine *engine = BIO_get_data(bio);
	size_t got;

	BIO_clear_retry_flags(bio);
	if (size <= 0)
		return 0;
	got = take_input(engine, data, (size_t)size);
	if (!got && may_draw(engine))
		got = draw(engine, data, (size_t)size);
	if (got)
		return (int)got;
	engine->parched = true;
	engine->unsure = false;
	BIO_set_retry_read(bio);
	return -1;
}

/* Passes on bytes behind the output that there is; how many of them left. */
static size_t pass_on(struct sennit__tls_engine *engine, const char *data, size_t size)
{
	struct iovec vector[SENNIT__TLS_PARTS];
	int count = sennit__tls_engine_output(engine, vector, SENNIT__TLS_PARTS);
	size_t before = engine->output_size;
	size_t taken;

	if (count == SENNIT__TLS_PARTS) /* and there may be more */
		return 0;
	vector[count].iov_base = (char *)(uintptr_t)data; /* it is only read */
	vector[count++].iov_len = size;
	taken = engine->sink(engine->below, vector, count);
	sennit__tls_engine_sent(engine, taken < before ? taken : before);
	return taken < before ? 0 : taken - before;
}

static int bio_write(BIO *bio, const char *data, int size)
{
	struct sennit__tls_engine *engine = BIO_get_data(bio);
	size_t left = size > 0 ? (size_t)size : 0;

	BIO_clear_retry_flags(bio);
	if (engine->passing && left >= engine->passing) { /* else it is not all of it */
		size_t gone = pass_on(engine, data, left);

		data += gone;
		left -= gone;
	}
	while (left) {
		struct sennit__tls_chunk *chunk = engine->output_last;
		size_t room = chunk ? CHUNK_SIZE - chunk->end : 0;

		if (!room) {
			chunk = get_chunk();
			if (!chunk) {
				fail(engine, -ENOMEM, "no memory for what is to leave");
				return -1;
			}
			if (engine->output_last)
				engine->output_last->next = chunk;
			else
				engine->output = chunk;
			engine->output_last = chunk;
			room = CHUNK_SIZE;
		}
		if (room > left)
			room = left;
		memcpy(chunk->data + chunk->end, data, room);
		chunk->end += room;
		data += room;
		left -= room;
		engine->output_size += room;
		if (engine->reading)
			engine->owed += room;
	}
	return size;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH; /* all others are of things that it has not */
}

/* Kept to the end of the process: other threads may still use it when that exits. */
static BIO_METHOD *bio_method;
static pthread_once_t bio_once = PTHREAD_ONCE_INIT;

static void make_bio_method(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sennit");

	if (!method)
		return;
	BIO_meth_set_read(method, bio_read);
	BIO_meth_set_write(method, bio_write);
	BIO_meth_set_ctrl(method, bio_control);
	bio_method = method;
}

static BIO *new_bio(struct sennit__tls_engine *engine)
{
	BIO *bio = NULL;

	pthread_once(&bio_once, make_bio_method);
	if (bio_method)
		bio = BIO_new(bio_method);
	if (bio) {
		BIO_set_data(bio, engine);
		BIO_set_init(bio, 1);
	}
	return bio;
}

/* --- what a call means ------------------------------------------------------------------------ */

/* Handshake messages and alerts in a row, without data between them, after the handshake. */
#define IDLE_MESSAGES_MAX 64

/* What the failed call left in the queue of errors: the first is the cause of the others, but where
 * a certificate is refused, for which there may be causes deep down. */
static int fail_by_queue(struct sennit__tls_engine *engine)
{
	unsigned long code = ERR_peek_error();
	unsigned long last = ERR_peek_last_error();
	unsigned long next;
	int error = SENNIT_TLS_FAILED;

	if (ERR_GET_LIB(last) == ERR_LIB_SSL &&
	    ERR_GET_REASON(last) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
		error = SENNIT_TLS_UNTRUSTED;
		code = last;
	}
	engine->code = code;
	while ((next = ERR_get_error())) {
		if (ERR_GET_REASON(next) == ERR_R_MALLOC_FAILURE)
			error = -ENOMEM; /* whatever came of it */
	}
	return fail(engine, error, code ? NULL : "OpenSSL gives no reason");
}

/* What a call that returned `result` means: SENNIT__TLS_MORE, 0 to call it again, or the error. */
static int verdict(struct sennit__tls_engine *engine, int result)
{
	if (engine->failure) {
		ERR_clear_error(); /* of what that led to */
		return engine->failure;
	}
	switch (SSL_get_error(engine->ssl, result)) {
	case SSL_ERROR_WANT_READ: /* after a message without data, too */
		if (!engine->parched)
			return 0;
		return engine->input_error ? engine->input_error : SENNIT__TLS_MORE;
	case SSL_ERROR_ZERO_RETURN:
		if (!engine->connected) /* nobody has vouched for it */
			return fail(engine, SENNIT_TLS_FAILED, "the peer ended the handshake");
		return SENNIT_EOF;
	default:
		return fail_by_queue(engine);
	}
}

/* Each call on the session: the queue of errors is the thread's, and may hold another's. */
static void begin_call(struct sennit__tls_engine *engine, bool reading)
{
	if (ERR_peek_error()) /* to clear it costs as much as a small record */
		ERR_clear_error();
	engine->parched = false;
	engine->buffered = true;
	engine->reading = reading;
}

static void on_message(int is_written, int version, int type, const void *data, size_t size,
		       SSL *ssl, void *argument)
{
	struct sennit__tls_engine *engine = argument;

	(void)version;
	if (is_written || (type != SSL3_RT_HANDSHAKE && type != SSL3_RT_ALERT))
		return;
	engine->unsure = true; /* new keys may mean new buffers, and the old ones still have some */
	if (++engine->idle_messages > IDLE_MESSAGES_MAX && engine->connected) {
		fail(engine, SENNIT_TLS_FAILED, "the peer sends messages without data");
		SSL_set_shutdown(ssl, SSL_RECEIVED_SHUTDOWN); /* so that it reads no further */
	}
	if (type == SSL3_RT_HANDSHAKE && size &&
	    *(const unsigned char *)data == SSL3_MT_NEWSESSION_TICKET)
		engine->ticketed = true;
}

/* --- its life --------------------------------------------------------------------------------- */

int sennit__tls_engine_init(struct sennit__tls_engine *engine, SSL *ssl)
{
	BIO *bio = new_bio(engine);

	memset(engine, 0, sizeof *engine);
	engine->ssl = ssl;
	if (!bio) {
		ERR_clear_error();
		return -ENOMEM;
	}
	SSL_set_bio(ssl, bio, bio);
	SSL_clear_mode(ssl, SSL_MODE_AUTO_RETRY);
	SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_set_read_ahead(ssl, 1); /* one call for a record's header and what follows */
	SSL_set_msg_callback(ssl, on_message);
	SSL_set_msg_callback_arg(ssl, engine);
	return 0;
}

void sennit__tls_engine_fini(struct sennit__tls_engine *engine)
{
	SSL_free(engine->ssl);
	engine->ssl = NULL;
	if (engine->input)
		put_chunk(engine->input);
	engine->input = NULL;
	sennit__tls_engine_sent(engine, engine->output_size);
}

/* Not in the middle of a record, whose beginning some versions would free (CVE-2024-4741). */
void sennit__tls_engine_rest(struct sennit__tls_engine *engine)
{
	if (!SSL_has_pending(engine->ssl) && !strcmp(SSL_rstate_string(engine->ssl), "RH"))
		SSL_free_buffers(engine->ssl);
	engine->buffered = false;
}

/* --- below ------------------------------------------------------------------------------------ */

void *sennit__tls_engine_room(struct sennit__tls_engine *engine, size_t *size)
{
	if (!engine->input)
		engine->input = get_chunk();
	if (!engine->input)
		return NULL;
	engine->input->begin = engine->input->end = 0;
	engine->lent = true;
	*size = CHUNK_SIZE;
	return engine->input->data;
}

static void drop_used_input(struct sennit__tls_engine *engine)
{
	if (engine->input && !engine->lent && engine->input->begin == engine->input->end) {
		put_chunk(engine->input);
		engine->input = NULL;
	}
}

void sennit__tls_engine_feed(struct sennit__tls_engine *engine, size_t bytes)
{
	engine->lent = false;
	engine->input->end = bytes;
	drop_used_input(engine);
}

int sennit__tls_engine_draw(struct sennit__tls_engine *engine)
{
	size_t size;
	void *room = sennit__tls_engine_room(engine, &size);

	if (!room)
		return -ENOMEM;
	sennit__tls_engine_feed(engine, draw(engine, room, size));
	return 0;
}

void sennit__tls_engine_end(struct sennit__tls_engine *engine, int error)
{
	engine->input_error = error ? error : SENNIT_TRUNCATED;
}

bool sennit__tls_engine_fed(const struct sennit__tls_engine *engine)
{
	return engine->input && engine->input->begin < engine->input->end;
}

int sennit__tls_engine_output(const struct sennit__tls_engine *engine, struct iovec *vector,
			      int most)
{
	int count = 0;

	for (struct sennit__tls_chunk *chunk = engine->output; chunk && count < most;
	     chunk = chunk->next) {
		vector[count].iov_base = chunk->data + chunk->begin;
		vector[count++].iov_len = chunk->end - chunk->begin;
	}
	return count;
}

void sennit__tls_engine_sent(struct sennit__tls_engine *engine, size_t bytes)
{
	engine->output_size -= bytes;
	while (bytes) {
		struct sennit__tls_chunk *chunk = engine->output;
		size_t here = chunk->end - chunk->begin;

		if (here > bytes) {
			chunk->begin += bytes;
			return;
		}
		bytes -= here;
		engine->output = chunk->next;
		put_chunk(chunk);
	}
	if (!engine->output) {
		engine->output_last = NULL;
		engine->owed = 0;
	}
}

/* Far more than an honest peer makes us answer while it takes nothing. */
#define OWED_MAX 4096

bool sennit__tls_engine_congested(const struct sennit__tls_engine *engine)
{
	return engine->owed > OWED_MAX;
}

/* --- above ------------------------------------------------------------------------------------ */

int sennit__tls_engine_handshake(struct sennit__tls_engine *engine)
{
	int error = engine->failure;
	int result;

	while (!error && !engine->connected) {
		begin_call(engine, false);
		result = SSL_do_handshake(engine->ssl);
		engine->connected = result == 1;
		if (!engine->connected)
			error = verdict(engine, result);
	}
	engine->idle_messages = 0;
	drop_used_input(engine);
	return error;
}

/* Whether a call that reads could only find that more must come first. */
static bool is_dry(const struct sennit__tls_engine *engine)
{
	return !sennit__tls_engine_fed(engine) && !may_draw(engine) && !engine->unsure &&
	       !SSL_has_pending(engine->ssl) && !engine->input_error &&
	       !(SSL_get_shutdown(engine->ssl) & SSL_RECEIVED_SHUTDOWN);
}

/* The next plaintext, or a look at it: 0 with *got bytes or none yet, or as verdict says. */
static int get(struct sennit__tls_engine *engine, void *data, size_t size, bool peek, size_t *got)
{
	int result;

	*got = 0;
	begin_call(engine, true);
	result = (peek ? SSL_peek_ex : SSL_read_ex)(engine->ssl, data, size, got);
	if (result != 1)
		return verdict(engine, result);
	engine->idle_messages = 0;
	return 0;
}

ssize_t sennit__tls_engine_read(struct sennit__tls_engine *engine, void *data, size_t size)
{
	char *end = data;
	size_t left = size;
	int error = engine->failure;

	while (!error && left && !is_dry(engine) && !sennit__tls_engine_congested(engine)) {
		size_t got;

		error = get(engine, end, left, false, &got);
		end += got;
		left -= got;
	}
	drop_used_input(engine);
	if (left < size)
		return (ssize_t)(size - left);
	return error < 0 ? error : 0;
}

int sennit__tls_engine_peek(struct sennit__tls_engine *engine)
{
	int error = engine->failure;
	size_t got = 0;
	char byte;

	while (!error && !got) {
		if (is_dry(engine) || sennit__tls_engine_congested(engine))
			return SENNIT__TLS_MORE;
		error = get(engine, &byte, 1, true, &got);
	}
	OPENSSL_cleanse(&byte, 1);
	drop_used_input(engine);
	return error;
}

/* Where in a vector the next record begins. */
struct cursor {
	const struct iovec *part;
	size_t offset;
};

static void move(struct cursor *cursor, size_t bytes)
{
	cursor->offset += bytes;
	while (cursor->offset && cursor->offset >= cursor->part->iov_len) {
		cursor->offset -= cursor->part->iov_len;
		cursor->part++;
	}
}

/* The bytes of the next record, at most *size: where they lie, or else copied to `stage`, as many
 * small parts as fit into one record. */
static const void *next_record(struct cursor from, size_t *size, unsigned char *stage)
{
	const char *data = (const char *)from.part->iov_base + from.offset;
	size_t here = from.part->iov_len - from.offset;
	size_t most = *size < SENNIT__TLS_RECORD ? *size : SENNIT__TLS_RECORD;
	size_t staged = 0;

	*size = most;
	if (here >= most)
		return data;
	while (staged < most) {
		here = from.part->iov_len - from.offset;
		if (here > most - staged)
			here = most - staged;
		memcpy(stage + staged, (const char *)from.part->iov_base + from.offset, here);
		staged += here;
		move(&from, here);
	}
	return stage;
}

ssize_t sennit__tls_engine_seal(struct sennit__tls_engine *engine, const struct iovec *vector,
				size_t size)
{
	struct cursor cursor = {vector, 0};
	unsigned char stage[SENNIT__TLS_RECORD];
	int error = engine->failure ? engine->failure : engine->notified ? -EPIPE : 0;
	size_t left = size;

	while (!error && left) {
		size_t record = left;
		const void *data = next_record(cursor, &record, stage);
		size_t took = 0;
		int result;

		begin_call(engine, false);
		engine->passing = engine->sink && record == left ? record : 0;
		result = SSL_write_ex(engine->ssl, data, record, &took);
		engine->passing = 0;
		if (data == stage)
			OPENSSL_cleanse(stage, record);
		if (result == 1)
			engine->idle_messages = 0; /* it is not we who are kept busy */
		else
			error = verdict(engine, result);
		move(&cursor, took);
		left -= took;
	}
	drop_used_input(engine);
	if (left < size)
		return (ssize_t)(size - left);
	return error < 0 ? error : 0;
}

static int notify(struct sennit__tls_engine *engine)
{
	int error = 0;
	int result;

	/* In the middle of a message OpenSSL refuses: the rest must come first. */
	while (!error && SSL_in_init(engine->ssl)) {
		begin_call(engine, true);
		result = SSL_do_handshake(engine->ssl);
		error = result == 1 ? engine->failure : verdict(engine, result);
	}
	drop_used_input(engine);
	if (error)
		return error;
	begin_call(engine, false);
	result = SSL_shutdown(engine->ssl);
	if (result < 0)
		return verdict(engine, result);
	engine->notified = true;
	return 0;
}

int sennit__tls_engine_shutdown(struct sennit__tls_engine *engine)
{
	int error = engine->failure;

	if (!error && !engine->notified)
		error = notify(engine);
	if (error)
		return error;
	return SSL_get_shutdown(engine->ssl) & SSL_RECEIVED_SHUTDOWN ? 0 : SENNIT__TLS_MORE;
}

void sennit__tls_engine_reason(const struct sennit__tls_engine *engine, char *text, size_t size)
{
	const char *why = engine->reason;
	long verified = X509_V_OK;

	if (!engine->failure)
		why = "nothing has failed";
	else if (!why)
		why = ERR_reason_error_string(engine->code);
	if (engine->failure == SENNIT_TLS_UNTRUSTED)
		verified = SSL_get_verify_result(engine->ssl);
	snprintf(text, size, "%s%s%s", why ? why : "unknown reason", verified ? ": " : "",
		 verified ? X509_verify_cert_error_string(verified) : "");
}
