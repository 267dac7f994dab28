/* SPDX-License-Identifier: MIT */
/* tls_support.c - see tls_support.h. */
#include "tls_support.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

/* --- certificates ----------------------------------------------------------------------------- */

static void add_extension(X509 *certificate, X509 *issuer, int which, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX context;

	if (!value)
		return;
	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, which, value);
	assert_non_null(extension);
	assert_true(X509_add_ext(certificate, extension, -1));
	X509_EXTENSION_free(extension);
}

static void set_serial(X509 *certificate)
{
	uint64_t number = 0;

	assert_int_equal(RAND_bytes((unsigned char *)&number, sizeof number), 1);
	assert_true(ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), number >> 1));
}

static void set_name(X509 *certificate, const char *text)
{
	X509_NAME *name = X509_get_subject_name(certificate);

	assert_true(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
					       (const unsigned char *)text, -1, -1, 0));
}

static X509 *read_certificate(const struct pem *pem)
{
	BIO *bio = BIO_new_mem_buf(pem->certificate, -1);
	X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	assert_non_null(certificate);
	BIO_free(bio);
	return certificate;
}

static EVP_PKEY *read_key(const struct pem *pem)
{
	BIO *bio = BIO_new_mem_buf(pem->key, -1);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

	assert_non_null(key);
	BIO_free(bio);
	return key;
}

static char *text_of(BIO *bio)
{
	char *data;
	long size = BIO_get_mem_data(bio, &data);
	char *text = zeroed((size_t)size + 1);

	memcpy(text, data, (size_t)size);
	BIO_free(bio);
	return text;
}

/* What a table of strings cannot say. */
static void add_hidden_name(X509 *certificate, const char *name)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *one = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();
	char whole[64];
	int size = snprintf(whole, sizeof whole, "%s%c.example", name, '\0');

	assert_true(ASN1_STRING_set(text, whole, size));
	GENERAL_NAME_set0_value(one, GEN_DNS, text);
	assert_true(sk_GENERAL_NAME_push(names, one));
	assert_true(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0));
	GENERAL_NAMES_free(names);
}

static void add_unknown(X509 *certificate, const char *value)
{
	ASN1_OBJECT *what = OBJ_txt2obj("1.3.6.1.4.1.99999.1", 1);
	ASN1_OCTET_STRING *data = ASN1_OCTET_STRING_new();
	X509_EXTENSION *extension;

	assert_true(ASN1_OCTET_STRING_set(data, (const unsigned char *)value, -1));
	extension = X509_EXTENSION_create_by_OBJ(NULL, what, 1, data);
	assert_true(X509_add_ext(certificate, extension, -1));
	X509_EXTENSION_free(extension);
	ASN1_OCTET_STRING_free(data);
	ASN1_OBJECT_free(what);
}

static void describe(X509 *certificate, X509 *issuer, const struct wish *wish)
{
	const char *alternative = wish->alternative;

	const char *constraints = wish->constraints;

	if (!constraints)
		constraints = wish->authority ? "critical,CA:TRUE" : "critical,CA:FALSE";
	if (!alternative)
		alternative = wish->authority || wish->hidden ? "" : "DNS:localhost,IP:127.0.0.1";
	assert_true(X509_set_version(certificate, X509_VERSION_3));
	set_serial(certificate);
	set_name(certificate, wish->name ? wish->name : "localhost");
	assert_true(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)));
	assert_non_null(X509_gmtime_adj(X509_getm_notBefore(certificate),
					wish->begins_s ? wish->begins_s : -3600));
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate),
					wish->ends_s ? wish->ends_s : 3600));
	add_extension(certificate, issuer, NID_basic_constraints, constraints);
	add_extension(certificate, issuer, NID_subject_key_identifier, "hash");
	add_extension(certificate, issuer, NID_subject_alt_name, *alternative ? alternative : NULL);
	add_extension(certificate, issuer, NID_ext_key_usage, wish->usage);
	add_extension(certificate, issuer, NID_key_usage, wish->key_usage);
	add_extension(certificate, issuer, NID_name_constraints, wish->names);
	if (wish->hidden)
		add_hidden_name(certificate, wish->hidden);
	if (wish->unknown)
		add_unknown(certificate, wish->unknown);
}

static bool is_root(const X509 *certificate)
{
	return !X509_NAME_cmp(X509_get_subject_name(certificate),
			      X509_get_issuer_name(certificate));
}

void make_certificate(struct pem *pem, const struct wish *wish, const struct pem *issuer)
{
	X509 *certificate = X509_new();
	EVP_PKEY *key = wish->rsa_bits ? EVP_RSA_gen(wish->rsa_bits) : EVP_EC_gen("P-256");
	const char *digest = wish->digest ? wish->digest : "SHA256";
	X509 *above = issuer ? read_certificate(issuer) : certificate;
	EVP_PKEY *above_key = issuer ? read_key(issuer) : key;
	BIO *text = BIO_new(BIO_s_mem());

	assert_non_null(certificate);
	assert_non_null(key);
	assert_true(X509_set_pubkey(certificate, key));
	describe(certificate, above, wish);
	assert_true(X509_sign(certificate, above_key, EVP_get_digestbyname(digest)));
	assert_true(PEM_write_bio_X509(text, certificate));
	if (issuer && !is_root(above))
		assert_true(BIO_puts(text, issuer->certificate) > 0);
	pem->certificate = text_of(text);
	text = BIO_new(BIO_s_mem());
	assert_true(PEM_write_bio_PrivateKey(text, key, NULL, NULL, 0, NULL, NULL));
	pem->key = text_of(text);
	if (issuer) {
		X509_free(above);
		EVP_PKEY_free(above_key);
	}
	X509_free(certificate);
	EVP_PKEY_free(key);
}

void free_certificate(struct pem *pem)
{
	free(pem->certificate);
	free(pem->key);
}

const struct pem *test_authority(void)
{
	static const struct wish wish = {.name = "sennit's tests", .authority = true};
	static struct pem pem;

	if (!pem.key)
		make_certificate(&pem, &wish, NULL);
	return &pem;
}

const struct pem *test_certificate(void)
{
	static const struct wish wish = {0};
	static struct pem pem;

	if (!pem.key)
		make_certificate(&pem, &wish, test_authority());
	return &pem;
}

/* --- contexts --------------------------------------------------------------------------------- */

struct sennit_tls_context *server_context(const struct pem *certificate)
{
	struct sennit_tls_context *context;

	assert_int_equal(sennit_tls_context_create(SENNIT_TLS_SERVER, &context), 0);
	assert_int_equal(sennit_tls_context_certificate(context, certificate->certificate,
							strlen(certificate->certificate),
							certificate->key,
							strlen(certificate->key)),
			 0);
	return context;
}

struct sennit_tls_context *client_context(const struct pem *authority)
{
	struct sennit_tls_context *context;

	assert_int_equal(sennit_tls_context_create(SENNIT_TLS_CLIENT, &context), 0);
	assert_int_equal(sennit_tls_context_trust(context, authority->certificate,
						  strlen(authority->certificate)),
			 0);
	return context;
}

/* --- pairs ------------------------------------------------------------------------------------ */

/* The usual ones are made once: OpenSSL takes longer for them than for a handshake. */
static struct sennit_tls_context *usual_client(void)
{
	static struct sennit_tls_context *context;

	if (!context)
		context = client_context(test_authority());
	return context;
}

static struct sennit_tls_context *usual_server(void)
{
	static struct sennit_tls_context *context;

	if (!context)
		context = server_context(test_certificate());
	return context;
}

void open_pair_over(struct tls_pair *pair, struct sennit_stream *client_lower,
		    struct sennit_stream *server_lower, struct sennit_tls_context *client,
		    struct sennit_tls_context *server)
{
	pair->contexts[0] = client;
	pair->contexts[1] = server;
	assert_int_equal(sennit_tls_stream_open_client(&pair->client,
						       client ? client : usual_client(),
						       client_lower, "localhost"),
			 0);
	assert_int_equal(sennit_tls_stream_open_server(&pair->server,
						       server ? server : usual_server(),
						       server_lower),
			 0);
}

static int fill_ticket(SSL *ssl, void *size)
{
	static char filling[8192];

	return SSL_SESSION_set1_ticket_appdata(SSL_get0_session(ssl), filling, *(size_t *)size);
}

static SSL_TICKET_RETURN take_ticket(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
				     size_t size, SSL_TICKET_STATUS status, void *argument)
{
	(void)ssl;
	(void)session;
	(void)name;
	(void)size;
	(void)status;
	(void)argument;
	return SSL_TICKET_RETURN_USE;
}

void give_large_tickets(struct sennit_tls_context *server, size_t *size)
{
	SSL_CTX *context = sennit_tls_context_native(server);

	assert_in_range(*size, 1, 8192);
	assert_true(SSL_CTX_set_session_ticket_cb(context, fill_ticket, take_ticket, size));
}

void open_pair(struct tls_pair *pair, struct sennit_executor *owner,
	       struct sennit_tls_context *client, struct sennit_tls_context *server)
{
	sennit_tcp_socket_init(&pair->sockets[0], owner);
	sennit_tcp_socket_init(&pair->sockets[1], owner);
	assert_int_equal(sennit_tcp_socket_pair(&pair->sockets[0], &pair->sockets[1]), 0);
	for (size_t i = 0; i < 2; i++) /* or a flight waits for the answer to the one before */
		assert_int_equal(sennit_tcp_socket_set_option(&pair->sockets[i],
							      SENNIT_TCP_NO_DELAY, 1), 0);
	open_pair_over(pair, &pair->sockets[0].stream, &pair->sockets[1].stream, client, server);
}

void start_handshake(struct sennit_tls_stream *stream, struct flight *flight)
{
	expect_result(&flight->op, &flight->result, NULL);
	sennit_tls_async_handshake(stream, &flight->op, on_result);
}

void start_shutdown(struct sennit_tls_stream *stream, struct flight *flight)
{
	expect_result(&flight->op, &flight->result, NULL);
	sennit_tls_async_shutdown(stream, &flight->op, on_result);
}

void shake_hands(struct tls_pair *pair, int client_error, int server_error)
{
	start_handshake(&pair->client, &pair->handshakes[0]);
	start_handshake(&pair->server, &pair->handshakes[1]);
	EXPECT(&pair->handshakes[0], client_error, 0);
	EXPECT(&pair->handshakes[1], server_error, 0);
}

void connect_pair(struct stage *stage, struct tls_pair *pair)
{
	open_pair(pair, stage->owner, NULL, NULL);
	shake_hands(pair, 0, 0);
}

void take_tickets(struct stage *stage, struct tls_pair *pair)
{
	struct flight flights[2] = {0};
	char byte;

	START(stage,
	      {WRITE, .stream = &pair->server.stream, .data = "x", .size = 1,
	       .flight = &flights[0]},
	      {READ, .stream = &pair->client.stream, .data = &byte, .size = 1,
	       .flight = &flights[1]});
	EXPECT(&flights[0], 0, 1);
	EXPECT(&flights[1], 0, 1);
}

void close_pair(struct stage *stage, struct tls_pair *pair)
{
	sennit_close(&pair->client.stream);
	sennit_close(&pair->server.stream);
	assert_int_equal(sennit_runtime_join(stage->runtime), 0);
	sennit_tls_context_destroy(pair->contexts[0]);
	sennit_tls_context_destroy(pair->contexts[1]);
}
