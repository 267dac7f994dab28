/* SPDX-License-Identifier: MIT */
/* stream.c - opening a TLS stream, and what became of it. */
#include "io/tls/connection.h"
#include "io/tls/context.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sennit/runtime.h>
#include <sennit/timer.h>
#include <stdlib.h>
#include <string.h>

#define HANDSHAKE_NS SENNIT_SECONDS(10)
#define SHUTDOWN_NS SENNIT_SECONDS(5)

/* --- opening ---------------------------------------------------------------------------------- */

static bool is_address(const char *name)
{
	unsigned char address[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

/* Copies the name without the dot that ends it where it is written in full: in a certificate there
 * is none, nor in what a server is told. OpenSSL would take one in front for any name below. */
static bool copy_name(char copy[TLSEXT_MAXLEN_host_name + 1], const char *name)
{
	size_t size = strlen(name);

	if (size && name[size - 1] == '.')
		size--;
	if (!size || size > TLSEXT_MAXLEN_host_name || *name == '.')
		return false;
	memcpy(copy, name, size);
	copy[size] = '\0';
	return true;
}

/* Tells the server the name, and has its certificate checked for it, whose subject may say what it
 * wants: names are where RFC 9525 looks for them. */
static int set_name(SSL *ssl, const char *name, bool verified)
{
	X509_VERIFY_PARAM *check = SSL_get0_param(ssl);
	bool address = is_address(name);
	char host[TLSEXT_MAXLEN_host_name + 1];

	if (!copy_name(host, name))
		return -EINVAL;
	if (!address && !SSL_set_tlsext_host_name(ssl, host))
		return -EINVAL;
	if (!verified)
		return 0;
	X509_VERIFY_PARAM_set_hostflags(check, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
						       X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	if (address ? X509_VERIFY_PARAM_set1_ip_asc(check, name)
		    : X509_VERIFY_PARAM_set1_host(check, host, 0))
		return 0;
	return -EINVAL;
}

/* What the two operations below need: their handlers run on the owner. */
static void prepare_operations(struct sennit__tls_connection *connection)
{
	struct sennit_executor *executor = sennit_stream_executor(&connection->lower);

	connection->input_op.user = connection->output_op.user = connection;
	sennit_op_allow_inline(&connection->input_op, true);
	if (executor == connection->owner)
		return;
	sennit_op_bind_executor(&connection->input_op, connection->owner);
	sennit_op_bind_executor(&connection->output_op, connection->owner);
}

static struct sennit__tls_connection *new_connection(struct sennit_tls_context *context,
						     const struct sennit_stream *lower,
						     const char *name)
{
	size_t length = name ? strlen(name) + 1 : 0;
	struct sennit__tls_connection *connection = calloc(1, sizeof *connection + length);
	SSL *ssl = connection ? SSL_new(context->ssl) : NULL;

	if (!ssl || sennit__tls_engine_init(&connection->engine, ssl)) {
		SSL_free(ssl);
		free(connection);
		ERR_clear_error();
		return NULL;
	}
	connection->engine.source = sennit__tls_draw;
	connection->engine.sink = sennit__tls_pass_on;
	connection->engine.below = connection;
	connection->lower = *lower;
	connection->owner = sennit_stream_owner(lower);
	connection->client = context->role == SENNIT_TLS_CLIENT;
	connection->identity = context->identity;
	if (name)
		connection->name = memcpy(connection + 1, name, length);
	prepare_operations(connection);
	return connection;
}

static int open_stream(struct sennit_tls_stream *stream, struct sennit_tls_context *context,
		       enum sennit_tls_role role, const struct sennit_stream *lower,
		       const char *name, bool verified)
{
	struct sennit__tls_connection *connection;
	int error = 0;

	if (context->role != role)
		return -EINVAL;
	if (!sennit_is_open(lower))
		return -EBADF;
	if (sennit_is_open(&stream->stream))
		return SENNIT_ALREADY_OPEN;
	connection = new_connection(context, lower, name);
	if (!connection)
		return -ENOMEM;
	connection->verified = verified;
	if (role == SENNIT_TLS_CLIENT)
		SSL_set_connect_state(connection->engine.ssl);
	else
		SSL_set_accept_state(connection->engine.ssl);
	if (role == SENNIT_TLS_CLIENT && !verified)
		SSL_set_verify(connection->engine.ssl, SSL_VERIFY_NONE, NULL);
	if (name)
		error = set_name(connection->engine.ssl, name, verified);
	if (!error)
		error = sennit_stream_open_above(&stream->stream, lower, &sennit__tls_stream_type,
						 connection);
	if (error) {
		sennit__tls_engine_fini(&connection->engine);
		free(connection);
		ERR_clear_error();
		return error;
	}
	stream->connection_ = connection;
	return 0;
}

int sennit_tls_stream_open_client(struct sennit_tls_stream *stream,
				  struct sennit_tls_context *context, struct sennit_stream *lower,
				  const char *name)
{
	if (!name)
		return -EINVAL;
	return open_stream(stream, context, SENNIT_TLS_CLIENT, lower, name, true);
}

int sennit_tls_stream_open_insecure(struct sennit_tls_stream *stream,
				    struct sennit_tls_context *context,
				    struct sennit_stream *lower, const char *name)
{
	return open_stream(stream, context, SENNIT_TLS_CLIENT, lower, name, false);
}

int sennit_tls_stream_open_server(struct sennit_tls_stream *stream,
				  struct sennit_tls_context *context, struct sennit_stream *lower)
{
	if (context->role == SENNIT_TLS_SERVER && (!SSL_CTX_get0_certificate(context->ssl) ||
						   !SSL_CTX_get0_privatekey(context->ssl)))
		return -ENOKEY;
	return open_stream(stream, context, SENNIT_TLS_SERVER, lower, NULL, false);
}

/* --- its own operations ----------------------------------------------------------------------- */

static void request(struct sennit_tls_stream *stream, int what, uint64_t default_ns,
		    struct sennit_op *op, sennit_handler *handler)
{
	if (op && !sennit_op_has_deadline(op))
		sennit_op_expires_after(op, default_ns);
	sennit_stream_request(&stream->stream, what, op, handler);
}

void sennit_tls_async_handshake(struct sennit_tls_stream *stream, struct sennit_op *op,
				sennit_handler *handler)
{
	request(stream, SENNIT__TLS_HANDSHAKE, HANDSHAKE_NS, op, handler);
}

void sennit_tls_async_shutdown(struct sennit_tls_stream *stream, struct sennit_op *op,
			       sennit_handler *handler)
{
	request(stream, SENNIT__TLS_SHUTDOWN, SHUTDOWN_NS, op, handler);
}

/* --- what became of it ------------------------------------------------------------------------ */

/* NULL where the stream is not open. */
static struct sennit__tls_connection *connection_of(const struct sennit_tls_stream *stream)
{
	return sennit_is_open(&stream->stream) ? stream->connection_ : NULL;
}

/* NULL also before the handshake is done. */
static const SSL *connected(const struct sennit_tls_stream *stream)
{
	const struct sennit__tls_connection *connection = connection_of(stream);

	return connection && connection->engine.connected ? connection->engine.ssl : NULL;
}

void sennit_tls_stream_reason(const struct sennit_tls_stream *stream, char *text, size_t size)
{
	const struct sennit__tls_connection *connection = connection_of(stream);

	if (!size)
		return;
	if (connection)
		sennit__tls_engine_reason(&connection->engine, text, size);
	else
		text[0] = '\0';
}

enum sennit_tls_version sennit_tls_stream_version(const struct sennit_tls_stream *stream)
{
	const SSL *ssl = connected(stream);

	return ssl ? (enum sennit_tls_version)SSL_version(ssl) : (enum sennit_tls_version)0;
}

const char *sennit_tls_stream_cipher(const struct sennit_tls_stream *stream)
{
	const SSL *ssl = connected(stream);

	return ssl ? SSL_get_cipher_name(ssl) : NULL;
}

const char *sennit_tls_stream_alpn(const struct sennit_tls_stream *stream, size_t *size)
{
	const SSL *ssl = connected(stream);
	const unsigned char *protocol = NULL;
	unsigned length = 0;

	if (ssl)
		SSL_get0_alpn_selected(ssl, &protocol, &length);
	*size = length;
	return (const char *)protocol;
}

const char *sennit_tls_stream_name(const struct sennit_tls_stream *stream)
{
	const SSL *ssl = connected(stream);

	return ssl ? SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) : NULL;
}

int sennit_tls_stream_peer_certificate(const struct sennit_tls_stream *stream, void *der,
				       size_t size)
{
	const SSL *ssl = connected(stream);
	X509 *certificate = ssl ? SSL_get0_peer_certificate(ssl) : NULL;
	unsigned char *end = der;
	int length;

	if (!connection_of(stream))
		return -EBADF;
	if (!certificate)
		return 0;
	length = i2d_X509(certificate, NULL);
	if (length > 0 && der && (size_t)length <= size)
		i2d_X509(certificate, &end);
	ERR_clear_error();
	return length < 0 ? 0 : length;
}

void *sennit_tls_stream_native(const struct sennit_tls_stream *stream)
{
	struct sennit__tls_connection *connection = connection_of(stream);

	return connection ? connection->engine.ssl : NULL;
}

/* --- resuming --------------------------------------------------------------------------------- */

struct sennit_tls_session {
	SSL_SESSION *session;
	unsigned char identity[SSL_MAX_SID_CTX_LENGTH]; /* of the context */
	bool verified;
	char name[]; /* "" for none */
};

static const char *name_of(const struct sennit__tls_connection *connection)
{
	return connection->name ? connection->name : "";
}

int sennit_tls_stream_session(const struct sennit_tls_stream *stream,
			      struct sennit_tls_session **result)
{
	const struct sennit__tls_connection *connection = connection_of(stream);
	struct sennit_tls_session *session;
	SSL_SESSION *current;
	size_t length;

	if (!connection)
		return -EBADF;
	if (!connection->client)
		return -EINVAL;
	current = SSL_get_session(connection->engine.ssl);
	if (!connection->engine.connected || !current || !SSL_SESSION_is_resumable(current))
		return -ENOENT;
	if (SSL_version(connection->engine.ssl) == TLS1_3_VERSION && !connection->engine.ticketed)
		return -ENOENT; /* it is that which was resumed */
	length = strlen(name_of(connection)) + 1;
	session = malloc(sizeof *session + length);
	if (!session)
		return -ENOMEM;
	session->session = SSL_SESSION_dup(current); /* OpenSSL spoils its own in the end */
	if (!session->session) {
		free(session);
		ERR_clear_error();
		return -ENOMEM;
	}
	memcpy(session->identity, connection->identity, sizeof session->identity);
	session->verified = connection->verified;
	memcpy(session->name, name_of(connection), length);
	*result = session;
	return 0;
}

int sennit_tls_stream_resume(struct sennit_tls_stream *stream,
			     const struct sennit_tls_session *session)
{
	struct sennit__tls_connection *connection = connection_of(stream);
	SSL_SESSION *copy;
	int taken;

	if (!connection)
		return -EBADF;
	if (!connection->client || session->verified != connection->verified ||
	    strcmp(session->name, name_of(connection)) != 0 ||
	    memcmp(session->identity, connection->identity, sizeof session->identity) != 0)
		return -EINVAL;
	if (!SSL_in_before(connection->engine.ssl))
		return -EISCONN;
	copy = SSL_SESSION_dup(session->session);
	taken = copy && SSL_set_session(connection->engine.ssl, copy);
	SSL_SESSION_free(copy);
	ERR_clear_error();
	return taken ? 0 : -ENOMEM;
}

bool sennit_tls_stream_resumed(const struct sennit_tls_stream *stream)
{
	const SSL *ssl = connected(stream);

	return ssl && SSL_session_reused(ssl);
}

void sennit_tls_session_free(struct sennit_tls_session *session)
{
	if (!session)
		return;
	SSL_SESSION_free(session->session);
	free(session);
}
