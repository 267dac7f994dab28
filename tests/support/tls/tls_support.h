/* SPDX-License-Identifier: MIT */
/* tls_support.h - certificates made on the spot, and pairs of TLS streams.
 *
 * Keys are of elliptic curves (P-256), which are made in less than a millisecond. Whatever cannot
 * be made ends the test.
 */
#ifndef SENNIT_TESTS_TLS_SUPPORT_H
#define SENNIT_TESTS_TLS_SUPPORT_H

#include "io_support.h"

#include <sennit/tls.h>

/* Text in PEM, ended by a zero. */
struct pem {
	char *certificate;
	char *key;
};

/* What a certificate says. Zeroed: for "localhost" and 127.0.0.1, valid for an hour around now. */
struct wish {
	const char *name;        /* CN; NULL: localhost */
	const char *alternative; /* subjectAltName, as OpenSSL's configuration has it; "": none;
	                            NULL: see above */
	const char *usage;       /* extendedKeyUsage; NULL: none is said */
	long begins_s;           /* from now; 0: an hour ago */
	long ends_s;             /* from now; 0: in an hour */
	bool authority;          /* may issue others */
	const char *constraints; /* basicConstraints; NULL: as `authority` has it */
	const char *key_usage;   /* keyUsage; NULL: none is said */
	const char *names;       /* nameConstraints; NULL: none */
	const char *unknown;     /* the value of a critical extension that nobody knows */
	const char *hidden;      /* a DNS name that, behind a NUL, goes on with ".example" */
	const char *digest;      /* NULL: SHA256 */
	unsigned rsa_bits;       /* 0: the key is P-256 */
};

/* Makes a certificate that `issuer` signs, or, where that is NULL, the key itself; its chain is
 * itself and what is above it, but for the root. */
void make_certificate(struct pem *pem, const struct wish *wish, const struct pem *issuer);
void free_certificate(struct pem *pem);

/* The authority that everything below trusts, and a certificate of it for localhost: made once. */
const struct pem *test_authority(void);
const struct pem *test_certificate(void);

/* A server's context with a certificate; a client's that trusts the authority. */
struct sennit_tls_context *server_context(const struct pem *certificate);
struct sennit_tls_context *client_context(const struct pem *authority);

/* Has a server's tickets carry so much besides, at most 8 KiB; *size lives as long as it. */
void give_large_tickets(struct sennit_tls_context *server, size_t *size);

/* A connection between a client and a server of the library. Zeroed, then opened. */
struct tls_pair {
	struct sennit_tcp_socket sockets[2]; /* the client's, then the server's */
	struct sennit_tls_stream client;
	struct sennit_tls_stream server;
	struct sennit_tls_context *contexts[2]; /* that are its own */
	struct flight handshakes[2];
};

/* Opens both over TCP on the owner, with contexts of the test's (NULL: the usual), which belong to
 * the pair from then on. No hands are shaken. */
void open_pair(struct tls_pair *pair, struct sennit_executor *owner,
	       struct sennit_tls_context *client, struct sennit_tls_context *server);

/* The same over two streams that are open. */
void open_pair_over(struct tls_pair *pair, struct sennit_stream *client_lower,
		    struct sennit_stream *server_lower, struct sennit_tls_context *client,
		    struct sennit_tls_context *server);

/* Starts one, on the calling thread. */
void start_handshake(struct sennit_tls_stream *stream, struct flight *flight);
void start_shutdown(struct sennit_tls_stream *stream, struct flight *flight);

/* Starts both handshakes and waits for what they report. */
void shake_hands(struct tls_pair *pair, int client_error, int server_error);

/* Opens the usual pair and shakes hands. */
void connect_pair(struct stage *stage, struct tls_pair *pair);

/* Has the client read what the server sends by itself: a socket that is closed with something left
 * to read is reset. */
void take_tickets(struct stage *stage, struct tls_pair *pair);

/* Closes both streams, waits until the runtime has no work, and frees the contexts. */
void close_pair(struct stage *stage, struct tls_pair *pair);

#endif
