/* SPDX-License-Identifier: MIT */
/* tls_peer.c - see tls_peer.h. */
#include "tls_peer.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- the peer --------------------------------------------------------------------------------- */

static void show(SSL_CTX *context, const struct pem *shown)
{
	BIO *chain = BIO_new_mem_buf(shown->certificate, -1);
	BIO *text = BIO_new_mem_buf(shown->key, -1);
	X509 *certificate = PEM_read_bio_X509(chain, NULL, NULL, NULL);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(text, NULL, NULL, NULL);

	assert_int_equal(SSL_CTX_use_certificate(context, certificate), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(context, key), 1);
	X509_free(certificate);
	EVP_PKEY_free(key);
	while ((certificate = PEM_read_bio_X509(chain, NULL, NULL, NULL)))
		assert_true(SSL_CTX_add0_chain_cert(context, certificate));
	ERR_clear_error();
	BIO_free(chain);
	BIO_free(text);
}

void peer_init(struct tls_peer *peer, enum sennit_tls_role role, const struct pem *shown)
{
	*peer = (struct tls_peer){.fd = -1, .alert = -1};
	peer->context = SSL_CTX_new(role == SENNIT_TLS_SERVER ? TLS_server_method()
							      : TLS_client_method());
	assert_non_null(peer->context);
	SSL_CTX_set_security_level(peer->context, 0);
	assert_true(SSL_CTX_set_min_proto_version(peer->context, 0));
	SSL_CTX_set_verify(peer->context, SSL_VERIFY_NONE, NULL);
	if (shown)
		show(peer->context, shown);
	else if (role == SENNIT_TLS_SERVER)
		show(peer->context, test_certificate());
}

static void note_alert(const SSL *ssl, int where, int value)
{
	struct tls_peer *peer = SSL_get_app_data(ssl);

	if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT)
		peer->alert = value & 0xff;
}

void peer_open(struct tls_peer *peer, int fd)
{
	peer->fd = fd;
	peer->ssl = SSL_new(peer->context);
	assert_non_null(peer->ssl);
	SSL_set_app_data(peer->ssl, peer);
	SSL_set_info_callback(peer->ssl, note_alert);
	SSL_set_bio(peer->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	if (SSL_CTX_get_ssl_method(peer->context) == TLS_server_method())
		SSL_set_accept_state(peer->ssl);
	else
		SSL_set_connect_state(peer->ssl);
}

void peer_close(struct tls_peer *peer)
{
	SSL_free(peer->ssl);
	SSL_CTX_free(peer->context);
	if (peer->fd >= 0)
		raw_close(peer->fd);
	*peer = (struct tls_peer){.fd = -1};
	ERR_clear_error();
}

int peer_step(struct tls_peer *peer)
{
	ERR_clear_error();
	return SSL_do_handshake(peer->ssl);
}

void peer_send(struct tls_peer *peer, const void *data, size_t size)
{
	const char *rest = data;

	while (size && !peer->ended) {
		ssize_t sent = send(peer->fd, rest, size, MSG_NOSIGNAL);

		peer->ended = sent < 0 && errno != EINTR;
		if (sent > 0) {
			rest += sent;
			size -= (size_t)sent;
			progress();
		}
	}
}

size_t peer_take(struct tls_peer *peer, void *data, size_t most)
{
	int got = BIO_read(SSL_get_wbio(peer->ssl), data, (int)most);

	return got > 0 ? (size_t)got : 0;
}

void peer_flush(struct tls_peer *peer)
{
	char data[4096];
	size_t size;

	while ((size = peer_take(peer, data, sizeof data)))
		peer_send(peer, data, size);
}

bool peer_fill(struct tls_peer *peer)
{
	char data[4096];
	ssize_t got = 0;

	do
		got = recv(peer->fd, data, sizeof data, 0);
	while (got < 0 && errno == EINTR);
	peer->ended = got <= 0;
	if (got > 0)
		assert_int_equal(BIO_write(SSL_get_rbio(peer->ssl), data, (int)got), got);
	progress();
	return got > 0;
}

/* Goes on with a call that returned `result`: false where it failed. */
static bool serve(struct tls_peer *peer, int result)
{
	int error = SSL_get_error(peer->ssl, result);

	peer_flush(peer);
	return error == SSL_ERROR_WANT_READ && peer_fill(peer);
}

bool peer_handshake(struct tls_peer *peer)
{
	int result;

	do
		result = peer_step(peer);
	while (result != 1 && serve(peer, result));
	peer_flush(peer);
	return result == 1;
}

size_t peer_read(struct tls_peer *peer, void *data, size_t most)
{
	size_t got = 0;
	int result;

	do {
		ERR_clear_error();
		result = SSL_read_ex(peer->ssl, data, most, &got);
	} while (result != 1 && serve(peer, result));
	peer_flush(peer);
	return got;
}

void peer_write(struct tls_peer *peer, const void *data, size_t size)
{
	size_t wrote;

	ERR_clear_error();
	assert_int_equal(SSL_write_ex(peer->ssl, data, size, &wrote), 1);
	assert_int_equal(wrote, size);
	peer_flush(peer);
}

/* --- records by hand -------------------------------------------------------------------------- */

static void note_secret(const SSL *ssl, const char *line)
{
	struct tls_peer *peer = SSL_get_app_data(ssl);
	const char *wanted = SSL_is_server(ssl) ? "SERVER_TRAFFIC_SECRET_0 "
						: "CLIENT_TRAFFIC_SECRET_0 ";

	if (!strncmp(line, wanted, strlen(wanted)))
		snprintf(peer->secret, sizeof peer->secret, "%s", strrchr(line, ' ') + 1);
}

void note_secrets(struct tls_peer *peer)
{
	SSL_CTX_set_keylog_callback(peer->context, note_secret);
	assert_true(SSL_CTX_set_ciphersuites(peer->context, "TLS_CHACHA20_POLY1305_SHA256"));
	assert_true(SSL_CTX_set_min_proto_version(peer->context, TLS1_3_VERSION));
}

/* HKDF-Expand-Label of RFC 8446, 7.1, without a context. */
static void derive(const unsigned char *secret, size_t secret_size, const char *label,
		   unsigned char *result, size_t size)
{
	unsigned char info[32] = {0, (unsigned char)size, (unsigned char)(6 + strlen(label))};
	size_t info_size = 3 + 6 + strlen(label) + 1;
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);

	memcpy(info + 3, "tls13 ", 6);
	memcpy(info + 9, label, strlen(label));
	assert_int_equal(EVP_PKEY_derive_init(context), 1);
	assert_true(EVP_PKEY_CTX_set_hkdf_mode(context, EVP_PKEY_HKDEF_MODE_EXPAND_ONLY) == 1 &&
		    EVP_PKEY_CTX_set_hkdf_md(context, EVP_sha256()) == 1 &&
		    EVP_PKEY_CTX_set1_hkdf_key(context, secret, (int)secret_size) == 1 &&
		    EVP_PKEY_CTX_add1_hkdf_info(context, info, (int)info_size) == 1);
	assert_int_equal(EVP_PKEY_derive(context, result, &size), 1);
	EVP_PKEY_CTX_free(context);
}

void forger_init(struct forger *forger, const struct tls_peer *peer, uint64_t written)
{
	long size = 0;
	unsigned char *secret = OPENSSL_hexstr2buf(peer->secret, &size);

	assert_int_equal(size, 32);
	derive(secret, 32, "key", forger->key, sizeof forger->key);
	derive(secret, 32, "iv", forger->iv, sizeof forger->iv);
	forger->sequence = written;
	OPENSSL_free(secret);
}

size_t forge(struct forger *forger, int type, const void *data, size_t size, size_t padding,
	     unsigned char *record)
{
	size_t whole = size + 1 + padding + 16;
	unsigned char header[5] = {SSL3_RT_APPLICATION_DATA, 3, 3, (unsigned char)(whole >> 8),
				   (unsigned char)whole};
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	unsigned char nonce[12];
	int done;

	memcpy(nonce, forger->iv, sizeof nonce);
	for (int i = 0; i < 8; i++)
		nonce[11 - i] ^= (unsigned char)(forger->sequence >> 8 * i);
	forger->sequence++;
	memcpy(record, header, sizeof header);
	memcpy(record + 5, data, size);
	record[5 + size] = (unsigned char)type;
	memset(record + 5 + size + 1, 0, padding);
	assert_true(EVP_EncryptInit_ex(cipher, EVP_chacha20_poly1305(), NULL, forger->key, nonce));
	assert_true(EVP_EncryptUpdate(cipher, NULL, &done, header, sizeof header));
	assert_true(EVP_EncryptUpdate(cipher, record + 5, &done, record + 5, (int)whole - 16));
	assert_true(EVP_EncryptFinal_ex(cipher, record + 5 + done, &done));
	assert_true(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, 16,
					record + 5 + whole - 16));
	EVP_CIPHER_CTX_free(cipher);
	return 5 + whole;
}

/* --- one side of the library's against a peer ------------------------------------------------- */

void begin_duel(struct duel *duel, enum sennit_tls_role role, struct sennit_tls_context *context)
{
	bool client = role == SENNIT_TLS_CLIENT;

	memset(duel, 0, sizeof *duel);
	duel->stage.kind = THREAD_FOREIGN;
	duel->stage.runtime = started_runtime(1);
	duel->stage.owner = sennit_runtime_worker(duel->stage.runtime, 0);
	duel->context = context;
	if (!context && client)
		duel->context = client_context(test_authority());
	else if (!context)
		duel->context = server_context(test_certificate());
	peer_init(&duel->peer, client ? SENNIT_TLS_SERVER : SENNIT_TLS_CLIENT, NULL);
}

void fight(struct duel *duel, const char *name)
{
	struct sennit_stream *lower = &duel->socket.stream;

	peer_open(&duel->peer, open_socket(&duel->stage, &duel->socket));
	if (SSL_is_server(duel->peer.ssl))
		assert_int_equal(sennit_tls_stream_open_client(&duel->stream, duel->context, lower,
							       name),
				 0);
	else
		assert_int_equal(sennit_tls_stream_open_server(&duel->stream, duel->context,
							       lower),
				 0);
	start_handshake(&duel->stream, &duel->handshake);
}

void connect_duel(struct duel *duel, const char *name)
{
	fight(duel, name);
	assert_true(peer_handshake(&duel->peer));
	EXPECT(&duel->handshake, 0, 0);
}

void expect_read(struct duel *duel, int error)
{
	struct flight flight = {0};
	char data[64];

	START(&duel->stage,
	      {READ_SOME, .stream = &duel->stream.stream, .data = data, .size = sizeof data,
	       .flight = &flight});
	EXPECT(&flight, error, 0);
}

void expect_reason(const struct duel *duel, const char *part)
{
	char text[256];

	sennit_tls_stream_reason(&duel->stream, text, sizeof text);
	if (!strstr(text, part))
		fail_msg("the reason is \"%s\", without \"%s\"", text, part);
}

void end_duel(struct duel *duel)
{
	sennit_close(&duel->stream.stream);
	assert_int_equal(sennit_runtime_join(duel->stage.runtime), 0);
	peer_close(&duel->peer);
	sennit_tls_context_destroy(duel->context);
	end_runtime(duel->stage.runtime);
}

/* --- tables ----------------------------------------------------------------------------------- */

struct CMUnitTest *tests_of_rows(const void *rows, size_t count, size_t size,
				 CMUnitTestFunction function, struct CMUnitTest *end)
{
	for (size_t i = 0; i < count; i++) {
		const char *const *name = (const void *)((const char *)rows + i * size);

		*end++ = (struct CMUnitTest){*name, function, test_setup, test_teardown,
					     (void *)(uintptr_t)*name};
	}
	return end;
}

const void *row_of(void *const *state, const void *rows, size_t size)
{
	const char *row = rows;

	while (*(const char *const *)(const void *)row != *state)
		row += size;
	return row;
}
