/* SPDX-License-Identifier: MIT */
/* context.h - what is behind a sennit_tls_context. It is constant once streams use it, and belongs
 * to its SSL_CTX, which OpenSSL counts: it goes with the last stream. */
#ifndef SENNIT_IO_TLS_CONTEXT_H
#define SENNIT_IO_TLS_CONTEXT_H

#include <openssl/ssl.h>
#include <sennit/tls.h>

/* A name that a client may ask for, and what is used for it. */
struct sennit__tls_name {
	char *name; /* in lower case, without the "*" of a wildcard */
	SSL_CTX *ssl;
};

struct sennit_tls_context {
	SSL_CTX *ssl;
	enum sennit_tls_role role;
	unsigned char identity[SSL_MAX_SID_CTX_LENGTH]; /* random: no other context has it */
	bool trust_given;               /* the system's certificates were replaced */
	struct sennit__tls_name *names; /* sorted */
	size_t names_count;
	unsigned char *protocols;       /* as ALPN has them: a length each, then its bytes */
	unsigned protocols_size;
	sennit_tls_keylog *keylog;
	void *keylog_user;
	char error[256];
};

struct sennit_tls_context *sennit__tls_context_of(const SSL_CTX *ssl);

/* A call that sets the context up begins: nothing is left of an earlier failure, its own or
 * OpenSSL's. */
void sennit__tls_context_begin(struct sennit_tls_context *context);

/* Notes why a call failed: "WHAT: WHY", and OpenSSL's reason behind it, whose queue of errors is
 * cleared; returns `error`. */
int sennit__tls_context_fail(struct sennit_tls_context *context, int error, const char *what,
			     const char *why);

#endif
