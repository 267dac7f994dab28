/* SPDX-License-Identifier: MIT */
/* load_tls.c - the client's TLS: OpenSSL over the descriptor, reading ahead so that a record is one
 * call. It does not check whom it talks to, which is not what is measured. SENNIT_PERF_TLS: 1 where
 * OpenSSL is there. */
#include "perf/net/load.h"

#include "perf/net/command.h"

#if SENNIT_PERF_TLS

#include <openssl/err.h>
#include <openssl/ssl.h>

static SSL_CTX *context;

void load_tls_prepare(void)
{
	context = SSL_CTX_new(TLS_client_method());
	if (!context) {
		fprintf(stderr, "sennit-load: out of memory\n");
		exit(1);
	}
	signal(SIGPIPE, SIG_IGN);
	SSL_CTX_set_read_ahead(context, 1);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(context,
	                 SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

static struct ssl_st *shake_hands(int fd, SSL_SESSION *session)
{
	SSL *ssl = SSL_new(context);

	if (ssl && SSL_set_fd(ssl, fd) && (!session || SSL_set_session(ssl, session)) &&
	    SSL_connect(ssl) == 1)
		return ssl;
	ERR_print_errors_fp(stderr);
	SSL_free(ssl);
	return NULL;
}

struct ssl_st *load_tls_connect(int fd)
{
	return shake_hands(fd, NULL);
}

void load_tls_unblock(struct ssl_st *ssl)
{
	int fd = SSL_get_fd(ssl);

	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* Of a call that returned `result`, 0 or less. */
static ssize_t settle(struct ssl_st *ssl, int result)
{
	switch (SSL_get_error(ssl, result)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		return -1;
	default:
		ERR_print_errors_fp(stderr);
		errno = EPROTO;
		return -1;
	}
}

ssize_t load_tls_send(struct ssl_st *ssl, const void *data, size_t size)
{
	int result = SSL_write(ssl, data, size < 1 << 30 ? (int)size : 1 << 30);

	return result > 0 ? result : settle(ssl, result);
}

ssize_t load_tls_receive(struct ssl_st *ssl, void *data, size_t size)
{
	int result = SSL_read(ssl, data, size < 1 << 30 ? (int)size : 1 << 30);

	return result > 0 ? result : settle(ssl, result);
}

bool load_tls_pending(const struct ssl_st *ssl)
{
	return SSL_has_pending(ssl);
}

void load_tls_end(struct ssl_st *ssl)
{
	if (ssl)
		SSL_shutdown(ssl);
	SSL_free(ssl);
	ERR_clear_error();
}

const char *load_tls_once(const struct sockaddr_in *server, unsigned source,
                          struct ssl_session_st **session, const unsigned char *data, size_t size)
{
	SSL_SESSION *resumed = session ? *session : NULL;
	int fd = load_connect(server, source);
	SSL *ssl = fd < 0 ? NULL : shake_hands(fd, resumed);
	const char *why = NULL;

	if (!ssl)
		why = fd < 0 ? "cannot connect" : "no handshake";
	else if (!load_echo(fd, ssl, data, size))
		why = "no good echo";
	else if (resumed && !SSL_session_reused(ssl))
		why = "the session was not resumed";
	if (session && !why) {
		*session = SSL_get1_session(ssl);
		SSL_SESSION_free(resumed);
	}
	load_tls_end(ssl);
	if (fd >= 0)
		close(fd);
	return why;
}

#else

static _Noreturn void refuse(void)
{
	fprintf(stderr, "sennit-load: sennit was configured without TLS (SENNIT_TLS=OFF)\n");
	exit(COMMAND_USAGE);
}

void load_tls_prepare(void)
{
	refuse();
}

struct ssl_st *load_tls_connect(int fd)
{
	(void)fd;
	refuse();
}

void load_tls_unblock(struct ssl_st *ssl)
{
	(void)ssl;
	refuse();
}

ssize_t load_tls_send(struct ssl_st *ssl, const void *data, size_t size)
{
	(void)ssl;
	(void)data;
	(void)size;
	refuse();
}

ssize_t load_tls_receive(struct ssl_st *ssl, void *data, size_t size)
{
	return load_tls_send(ssl, data, size);
}

bool load_tls_pending(const struct ssl_st *ssl)
{
	(void)ssl;
	refuse();
}

void load_tls_end(struct ssl_st *ssl)
{
	(void)ssl; /* NULL */
}

const char *load_tls_once(const struct sockaddr_in *server, unsigned source,
                          struct ssl_session_st **session, const unsigned char *data, size_t size)
{
	(void)server;
	(void)source;
	(void)session;
	(void)data;
	(void)size;
	refuse();
}

#endif
