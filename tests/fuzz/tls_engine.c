/* SPDX-License-Identifier: MIT */
/* tls_engine.c - a TLS engine between a driver that calls it in any order and a peer that is good,
 * whose bytes may be held back, changed or mixed with others'. What it reads is what the peer sent,
 * or less and no end; where nobody has touched the bytes nothing fails. With clang this is a
 * libFuzzer program; elsewhere replay.c is its main and feeds it files, such as those of
 * corpus/tls_engine/. */
#define OPENSSL_SUPPRESS_DEPRECATED /* RAND_set_rand_method: inputs must do the same each time */

#include "io/tls/engine.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <sennit/tls.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
	if (!holds)
		abort();
}

/* --- chance, which is none -------------------------------------------------------------------- */

static uint64_t chance;

static int random_bytes(unsigned char *bytes, int count)
{
	for (int i = 0; i < count; i++) {
		chance = chance * 6364136223846793005u + 1442695040888963407u;
		bytes[i] = (unsigned char)(chance >> 56);
	}
	return 1;
}

static int random_status(void)
{
	return 1;
}

static RAND_METHOD random_method = {
	.bytes = random_bytes,
	.pseudorand = random_bytes,
	.status = random_status,
};

/* --- contexts --------------------------------------------------------------------------------- */

static struct sennit_tls_context *contexts[2]; /* a client's and a server's */

static void give_certificate(SSL_CTX *server)
{
	X509 *certificate = X509_new();
	EVP_PKEY *key = EVP_EC_gen("P-256");

	expect(certificate && key);
	expect(X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) != NULL);
	expect(X509_gmtime_adj(X509_getm_notAfter(certificate), 3600) != NULL);
	expect(X509_set_pubkey(certificate, key) == 1);
	expect(X509_sign(certificate, key, EVP_sha256()) > 0);
	expect(SSL_CTX_use_certificate(server, certificate) == 1);
	expect(SSL_CTX_use_PrivateKey(server, key) == 1);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static void prepare(void)
{
	chance = 0;
	if (contexts[0])
		return;
	expect(RAND_set_rand_method(&random_method) == 1);
	expect(sennit_tls_context_create(SENNIT_TLS_CLIENT, &contexts[0]) == 0);
	expect(sennit_tls_context_create(SENNIT_TLS_SERVER, &contexts[1]) == 0);
	SSL_CTX_set_verify(sennit_tls_context_native(contexts[0]), SSL_VERIFY_NONE, NULL);
	give_certificate(sennit_tls_context_native(contexts[1]));
}

/* --- the two ---------------------------------------------------------------------------------- */

#define SENT_MAX ((size_t)1 << 18)

struct game {
	struct sennit__tls_engine engine; /* that is looked at */
	struct sennit__tls_engine peer;
	bool touched;                     /* what comes from the peer is not what it sent */
	bool ended;
	size_t peer_sent;                 /* bytes of data */
	size_t sent;
	size_t got;
	size_t peer_got;
	unsigned updates;
	unsigned char *passed;            /* to the sink, and not yet read by the peer */
	size_t passed_size;
	size_t takes;                     /* the sink, at most, each time */
	size_t gives;                     /* the source, of what the peer has */
	bool drained;                     /* it has told of the end */
	bool ahead;                       /* the driver draws, into a chunk */
	int failure;                      /* that a call reported for good */
};

static unsigned char byte_at(size_t place)
{
	return (unsigned char)(place * 31 + (place >> 8) * 17);
}

static void open_engine(struct sennit__tls_engine *engine, bool client, int version)
{
	SSL *ssl = SSL_new(sennit_tls_context_native(contexts[client ? 0 : 1]));

	expect(ssl && sennit__tls_engine_init(engine, ssl) == 0);
	expect(SSL_set_min_proto_version(ssl, version) && SSL_set_max_proto_version(ssl, version));
	if (client)
		SSL_set_connect_state(ssl);
	else
		SSL_set_accept_state(ssl);
}

/* A stream below that has room for so much. What it was offered stands in its order. */
static size_t take(void *self, const struct iovec *vector, int count)
{
	struct game *game = self;
	size_t left = game->takes;

	for (int i = 0; i < count && left; i++) {
		size_t size = vector[i].iov_len < left ? vector[i].iov_len : left;

		expect(size > 0);
		game->passed = realloc(game->passed, game->passed_size + size);
		expect(game->passed != NULL);
		memcpy(game->passed + game->passed_size, vector[i].iov_base, size);
		game->passed_size += size;
		left -= size;
	}
	return game->takes - left;
}

/* Whether the source may have some: the driver knows no more. */
static bool may_give(const struct game *game)
{
	return game->engine.source && (game->gives || game->ended);
}

/* A stream below that has so much of what the peer sent, and behind that maybe an end. */
static ssize_t give(void *self, void *data, size_t size, bool *more)
{
	struct game *game = self;
	struct iovec part = {NULL, 0};

	expect(size > 0 && game->engine.drawing && !game->drained);
	expect(game->engine.lent == game->ahead && !sennit__tls_engine_fed(&game->engine));
	sennit__tls_engine_output(&game->peer, &part, 1);
	if (size > part.iov_len)
		size = part.iov_len;
	if (size > game->gives)
		size = game->gives;
	game->drained = game->ended && !size;
	if (size)
		memcpy(data, part.iov_base, size);
	sennit__tls_engine_sent(&game->peer, size);
	game->gives -= size;
	if (!game->peer.output_size)
		game->gives = 0;
	*more = may_give(game);
	return game->drained ? SENNIT_EOF : (ssize_t)size;
}

/* What every call on the engine must leave. */
static void check(struct game *game, int result)
{
	struct iovec vector[64];
	int count = sennit__tls_engine_output(&game->engine, vector, 64);
	size_t size = 0;

	for (int i = 0; i < count; i++) {
		expect(vector[i].iov_len > 0);
		size += vector[i].iov_len;
	}
	expect(count == 64 || size == game->engine.output_size);
	expect(game->engine.owed <= 4096 + 512);
	if (game->failure)
		expect(result == game->failure && game->engine.failure == game->failure);
	game->failure = game->engine.failure;
	if (game->failure) {
		expect(game->touched || game->ended);
		expect(game->failure < 0 && game->failure != SENNIT_EOF);
		expect(ERR_peek_error() == 0);
	}
}

/* --- moves of the driver ---------------------------------------------------------------------- */

static void shake_hands(struct game *game)
{
	int result = sennit__tls_engine_handshake(&game->engine);

	expect(result <= SENNIT__TLS_MORE && result != SENNIT_EOF);
	expect((result == 0) == (game->engine.connected && !game->failure) || game->failure);
	check(game, result);
}

static void check_end(const struct game *game)
{
	expect(game->peer.notified && game->got == game->peer_sent);
}

static void read_some(struct game *game, size_t size)
{
	static unsigned char data[65536];
	ssize_t got = sennit__tls_engine_read(&game->engine, data, size);

	expect(got <= (ssize_t)size);
	for (ssize_t i = 0; i < got; i++)
		expect(data[i] == byte_at(game->got++));
	expect(game->got <= game->peer_sent);
	if (got == SENNIT_EOF)
		check_end(game);
	else if (!got && size && !sennit__tls_engine_congested(&game->engine))
		expect(!sennit__tls_engine_fed(&game->engine) && !game->engine.drawing);
	check(game, got > 0 ? 0 : (int)got);
}

static void peek(struct game *game)
{
	int result = sennit__tls_engine_peek(&game->engine);

	if (result == 0)
		expect(game->got < game->peer_sent);
	if (result == SENNIT_EOF)
		check_end(game);
	check(game, result);
}

static void seal(struct sennit__tls_engine *engine, size_t size, size_t *sent)
{
	static unsigned char data[65536];
	struct iovec vector[2] = {{data, size / 3 + 1}, {data + size / 3 + 1, size - size / 3}};
	ssize_t sealed;

	if (*sent + size + 1 > SENT_MAX)
		return;
	for (size_t i = 0; i <= size; i++)
		data[i] = byte_at(*sent + i);
	sealed = sennit__tls_engine_seal(engine, vector, vector[1].iov_len ? size + 1 : 1);
	expect(sealed <= (ssize_t)size + 1);
	if (sealed > 0)
		*sent += (size_t)sealed;
}

/* --- moves of the peer ------------------------------------------------------------------------ */

static void feed(struct game *game, const void *data, size_t size)
{
	size_t room;
	void *place;

	if (sennit__tls_engine_fed(&game->engine) || game->engine.input_error || !size)
		return;
	place = sennit__tls_engine_room(&game->engine, &room);
	expect(place && room >= 16384);
	if (size > room)
		size = room;
	memcpy(place, data, size);
	sennit__tls_engine_feed(&game->engine, size);
}

/* At most `size` bytes of what the peer has; one of them changed where `change` is not 0. */
static void carry(struct game *game, size_t size, size_t place, unsigned char change)
{
	struct iovec part;
	unsigned char *data;

	if (!sennit__tls_engine_output(&game->peer, &part, 1) ||
	    sennit__tls_engine_fed(&game->engine) || game->engine.input_error)
		return;
	if (size > part.iov_len)
		size = part.iov_len;
	data = part.iov_base;
	if (size && change) {
		data[place % size] ^= change;
		game->touched = true;
	}
	feed(game, data, size);
	sennit__tls_engine_sent(&game->peer, size);
}

static void lose(struct game *game, size_t size)
{
	if (size > game->peer.output_size)
		size = game->peer.output_size;
	sennit__tls_engine_sent(&game->peer, size);
	game->touched |= size > 0;
}

/* Hands the peer the next of what left the engine: what the sink took, then the output. */
static bool feed_peer(struct game *game)
{
	struct iovec part = {game->passed, game->passed_size};
	size_t room;
	void *place;

	if (!part.iov_len && !sennit__tls_engine_output(&game->engine, &part, 1))
		return false;
	place = sennit__tls_engine_room(&game->peer, &room);
	if (part.iov_len > room)
		part.iov_len = room;
	memcpy(place, part.iov_base, part.iov_len);
	sennit__tls_engine_feed(&game->peer, part.iov_len);
	if (!game->passed_size) {
		sennit__tls_engine_sent(&game->engine, part.iov_len);
		return true;
	}
	game->passed_size -= part.iov_len;
	memmove(game->passed, game->passed + part.iov_len, game->passed_size);
	return true;
}

/* The peer takes everything, and goes on. Its reads are checked, too: nobody touches them. */
static void serve_peer(struct game *game)
{
	struct sennit__tls_engine *peer = &game->peer;

	while (feed_peer(game)) {
		unsigned char data[4096];
		ssize_t got;

		if (sennit__tls_engine_handshake(peer))
			continue;
		while ((got = sennit__tls_engine_read(peer, data, sizeof data)) > 0) {
			for (ssize_t i = 0; i < got; i++)
				expect(data[i] == byte_at(game->peer_got++));
		}
		expect(got != SENNIT_EOF || game->engine.notified);
		if (sennit__tls_engine_fed(peer))
			return; /* it is congested: its answers have to go first */
	}
	sennit__tls_engine_handshake(peer);
}

static void update_keys(struct game *game, bool asks)
{
	SSL *ssl = game->peer.ssl;

	if (!game->peer.connected || game->peer.notified || SSL_version(ssl) != TLS1_3_VERSION ||
	    SSL_in_init(ssl) || game->updates++ >= 30)
		return;
	expect(SSL_key_update(ssl, asks ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED));
	SSL_do_handshake(ssl);
	ERR_clear_error();
}

/* --- a game ----------------------------------------------------------------------------------- */

/* As who waits does, and does not read. */
static void draw_ahead(struct game *game)
{
	if (!game->engine.drawing || game->engine.input_error ||
	    sennit__tls_engine_fed(&game->engine))
		return;
	game->ahead = true;
	expect(sennit__tls_engine_draw(&game->engine) == 0);
	game->ahead = false;
	expect(!game->drained || game->engine.input_error == SENNIT_TRUNCATED);
}

static void call_engine(struct game *game, unsigned what, size_t size)
{
	game->engine.drawing = may_give(game);
	if (!game->engine.connected)
		shake_hands(game);
	if (!game->engine.connected)
		return;
	if (what == 0) {
		draw_ahead(game);
	} else if (what == 1) {
		read_some(game, size);
	} else if (what == 2) {
		peek(game);
	} else if (what == 3) {
		seal(&game->engine, size, &game->sent);
		check(game, game->failure);
	} else if (what == 4) {
		check(game, sennit__tls_engine_shutdown(&game->engine));
	}
}

/* Returns how many bytes of the input it used. */
static size_t move(struct game *game, const uint8_t *data, size_t size)
{
	size_t amount = size > 1 ? (size_t)data[1] * data[1] / (data[1] % 4 ? 64 : 1) : 0;

	switch (data[0] % 16) {
	case 0: case 1: case 2: case 3: case 4:
		game->takes = data[0] >> 4 < 15 ? (data[0] >> 4) * (size_t)1200 : SIZE_MAX;
		call_engine(game, data[0] % 16, amount);
		break;
	case 5: case 6:
		if (data[0] % 16 == 6 && game->engine.source)
			game->gives += amount + 1;
		else
			carry(game, amount + 1, 0, 0);
		break;
	case 7:
		carry(game, amount + 1, size > 2 ? data[2] : 0, size > 3 ? data[3] : 0);
		return 4;
	case 8:
		amount = size > 1 ? data[1] % 64 : 0;
		if (amount > size - 2)
			amount = size > 2 ? size - 2 : 0;
		game->touched |= amount > 0;
		feed(game, data + 2, amount);
		return 2 + amount;
	case 9: case 10: case 11:
		serve_peer(game);
		return 1;
	case 12:
		if (game->peer.connected)
			seal(&game->peer, amount, &game->peer_sent);
		break;
	case 13:
		if (game->peer.connected)
			sennit__tls_engine_shutdown(&game->peer);
		return 1;
	case 14:
		update_keys(game, amount % 2);
		break;
	default:
		if (size > 1 && data[1] >= 128) {
			lose(game, data[1] - 127u);
		} else if (!sennit__tls_engine_fed(&game->engine)) {
			if (!game->engine.source)
				sennit__tls_engine_end(&game->engine, 0);
			game->ended = true;
		}
	}
	return 2;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct game *game = calloc(1, sizeof *game);
	int version;

	expect(game != NULL);
	if (!size) {
		free(game);
		return 0;
	}
	prepare();
	version = data[0] & 2 ? TLS1_2_VERSION : TLS1_3_VERSION;
	open_engine(&game->engine, data[0] & 1, version);
	open_engine(&game->peer, !(data[0] & 1), version);
	if (data[0] & 4)
		game->engine.sink = take;
	if (data[0] & 8)
		game->engine.source = give;
	game->engine.below = game;
	if (data[0] & 1)
		shake_hands(game);
	else
		sennit__tls_engine_handshake(&game->peer);
	for (size_t i = 1; i < size;)
		i += move(game, data + i, size - i);
	sennit__tls_engine_fini(&game->engine);
	sennit__tls_engine_fini(&game->peer);
	free(game->passed);
	free(game);
	return 0;
}
