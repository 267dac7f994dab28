/* SPDX-License-Identifier: MIT */
/* engine_pair.c - see engine_pair.h. */
#include "engine_pair.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

static bool open_side(struct side *side, struct sennit_tls_context *context, bool client)
{
	SSL *ssl = SSL_new(sennit_tls_context_native(context));

	if (!ssl)
		return false;
	if (sennit__tls_engine_init(&side->engine, ssl)) {
		SSL_free(ssl);
		return false;
	}
	if (client)
		SSL_set_connect_state(ssl);
	else
		SSL_set_accept_state(ssl);
	side->out.limit = SIZE_MAX;
	side->handshake = side->read = SENNIT__TLS_MORE;
	return true;
}

static void close_side(struct side *side)
{
	sennit__tls_engine_fini(&side->engine);
	free(side->out.data);
	free(side->got);
}

bool engine_pair_open(struct engine_pair *pair, struct sennit_tls_context *client,
		      struct sennit_tls_context *server)
{
	memset(pair, 0, sizeof *pair);
	pair->contexts[0] = client;
	pair->contexts[1] = server;
	if (!open_side(&pair->sides[0], client, true))
		return false;
	if (open_side(&pair->sides[1], server, false))
		return true;
	close_side(&pair->sides[0]);
	return false;
}

void engine_pair_close(struct engine_pair *pair)
{
	close_side(&pair->sides[0]);
	close_side(&pair->sides[1]);
}

void engine_pair_connect(struct engine_pair *pair, struct sennit_tls_context *client,
			 struct sennit_tls_context *server)
{
	assert_true(engine_pair_open(pair, client, server));
	for (bool more = true; more;) {
		more = false;
		for (int i = 0; i < 2; i++) {
			struct side *side = &pair->sides[i];

			side->handshake = sennit__tls_engine_handshake(&side->engine);
			more |= wire_carry(side, &pair->sides[!i]);
		}
	}
	assert_int_equal(pair->sides[0].handshake, 0);
	assert_int_equal(pair->sides[1].handshake, 0);
	/* with the tickets */
	assert_int_equal(sennit__tls_engine_peek(&pair->sides[0].engine), SENNIT__TLS_MORE);
}

static void give(struct side *from, struct side *to, const char *data, size_t size)
{
	from->send = data;
	from->send_size = size;
	to->room = size + 1;
	to->got = malloc(to->room);
	RECORD(to->got);
}

void engine_pair_send(struct engine_pair *pair, const char *client, size_t client_size,
		      const char *server, size_t server_size)
{
	give(&pair->sides[0], &pair->sides[1], client, client_size);
	give(&pair->sides[1], &pair->sides[0], server, server_size);
}

/* --- the wire --------------------------------------------------------------------------------- */

/* Follows the records, and changes the bit where it is. */
static unsigned char pass(struct wire *wire, unsigned char byte, bool late)
{
	size_t place = wire->place++;
	unsigned char changed = byte;

	if (wire->flips && wire->record == wire->flip_record && place == wire->flip_byte) {
		changed ^= (unsigned char)(1u << wire->flip_bit);
		wire->flipped = true;
		wire->flipped_late = late;
	}
	if (place == 3)
		wire->record_size = 5 + (size_t)byte * 256;
	if (place == 4)
		wire->record_size += byte;
	if (place >= 4 && wire->place == wire->record_size) {
		wire->place = 0;
		wire->record++;
	}
	return changed;
}

static void put_on_wire(struct wire *wire, const struct iovec *part, bool late)
{
	const unsigned char *data = part->iov_base;

	if (wire->capacity - wire->end < part->iov_len) {
		wire->capacity = 2 * wire->capacity + part->iov_len;
		wire->data = realloc(wire->data, wire->capacity);
		if (!wire->data)
			abort();
	}
	for (size_t i = 0; i < part->iov_len; i++) {
		unsigned char byte = pass(wire, data[i], late);

		if (wire->carried < wire->limit)
			wire->data[wire->end++] = byte;
		else
			wire->cut = true;
		wire->carried++;
	}
}

/* What the engine has for it. */
static bool collect(struct side *from, bool late)
{
	struct iovec vector[4];
	size_t size = 0;
	int count = sennit__tls_engine_output(&from->engine, vector, COUNT_OF(vector));

	for (int i = 0; i < count; i++) {
		put_on_wire(&from->out, &vector[i], late);
		size += vector[i].iov_len;
	}
	sennit__tls_engine_sent(&from->engine, size);
	return size > 0;
}

bool wire_carry(struct side *from, struct side *to)
{
	struct wire *wire = &from->out;
	bool done = collect(from, to->engine.connected);
	size_t size = wire->end - wire->begin;
	size_t room;
	void *place;

	if (!size || sennit__tls_engine_fed(&to->engine) ||
	    sennit__tls_engine_congested(&to->engine))
		return done;
	place = sennit__tls_engine_room(&to->engine, &room);
	if (!place)
		return done;
	if (size > room)
		size = room;
	if (wire->piece && size > wire->piece)
		size = wire->piece;
	memcpy(place, wire->data + wire->begin, size);
	sennit__tls_engine_feed(&to->engine, size);
	wire->begin += size;
	if (wire->begin == wire->end)
		wire->begin = wire->end = 0;
	return true;
}

/* --- the sides -------------------------------------------------------------------------------- */

/* What may be in OpenSSL's queue of errors when the library gets the thread. */
static void disturb(const struct side *side)
{
	if (side->stale)
		ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
}

static bool step_of_read(struct side *side)
{
	ssize_t got;

	if (side->read != SENNIT__TLS_MORE || !side->got)
		return false;
	disturb(side);
	got = sennit__tls_engine_read(&side->engine, side->got + side->got_size,
				      side->room - side->got_size);
	if (got < 0)
		side->read = (int)got;
	else
		side->got_size += (size_t)got;
	return got != 0;
}

static bool step_of_write(struct side *side)
{
	struct iovec rest = {(char *)(uintptr_t)side->send + side->sent,
			     side->send_size - side->sent};
	ssize_t sealed;

	if (side->write || side->sent == side->send_size)
		return false;
	disturb(side);
	sealed = sennit__tls_engine_seal(&side->engine, &rest, rest.iov_len);
	if (sealed < 0)
		side->write = (int)sealed;
	else
		side->sent += (size_t)sealed;
	return sealed != 0;
}

static bool step_of_shutdown(struct side *side)
{
	bool before = side->engine.notified;

	if (side->shutdown < 0 || side->sent < side->send_size)
		return false;
	disturb(side);
	side->shutdown = sennit__tls_engine_shutdown(&side->engine);
	return side->engine.notified != before;
}

static bool step_of_side(struct side *side)
{
	bool done;

	sennit__tls_engine_rest(&side->engine); /* which may be done at any time */
	if (side->handshake == SENNIT__TLS_MORE) {
		disturb(side);
		side->handshake = sennit__tls_engine_handshake(&side->engine);
		return side->handshake != SENNIT__TLS_MORE;
	}
	if (side->handshake)
		return false;
	done = step_of_write(side);
	done |= step_of_shutdown(side);
	done |= step_of_read(side);
	return done;
}

bool engine_pair_step(struct engine_pair *pair)
{
	struct side *client = &pair->sides[0];
	struct side *server = &pair->sides[1];
	bool done = step_of_side(client);

	done |= wire_carry(client, server);
	done |= step_of_side(server);
	done |= wire_carry(server, client);
	return done;
}

void engine_pair_settle(struct engine_pair *pair)
{
	while (engine_pair_step(pair))
		;
}

void engine_pair_play(struct engine_pair *pair)
{
	engine_pair_settle(pair);
	sennit__tls_engine_end(&pair->sides[0].engine, 0);
	sennit__tls_engine_end(&pair->sides[1].engine, 0);
	engine_pair_settle(pair);
}

bool got_prefix(const struct engine_pair *pair, int side)
{
	const struct side *to = &pair->sides[side];
	const struct side *from = &pair->sides[!side];

	return to->got_size <= from->send_size && !memcmp(to->got, from->send, to->got_size);
}

bool got_all(const struct engine_pair *pair, int side)
{
	return got_prefix(pair, side) &&
	       pair->sides[side].got_size == pair->sides[!side].send_size;
}
