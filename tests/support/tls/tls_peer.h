/* SPDX-License-Identifier: MIT */
/* tls_peer.h - the other side of a TLS stream: OpenSSL over a plain descriptor of the main
 * thread's, which may do what the library never does, and records that are forged by hand.
 *
 * What OpenSSL writes is sent with peer_flush, or taken away, to be sent in part or not at all.
 */
#ifndef SENNIT_TESTS_TLS_PEER_H
#define SENNIT_TESTS_TLS_PEER_H

#include "tls_support.h"

#include <openssl/ssl.h>

struct tls_peer {
	SSL_CTX *context; /* may be changed before peer_open */
	SSL *ssl;
	int fd;
	int alert;        /* the description of the last one that came; -1: none */
	bool ended;       /* nothing more will come */
	char secret[65];  /* see note_secrets */
};

/* A context that allows everything and checks nothing; it shows a certificate, where one is given.
 * A server has the usual one. */
void peer_init(struct tls_peer *peer, enum sennit_tls_role role, const struct pem *shown);

/* Over a blocking descriptor, which belongs to the peer from then on. */
void peer_open(struct tls_peer *peer, int fd);
void peer_close(struct tls_peer *peer);

/* One step of the handshake, without a transfer: 1 when it is done. */
int peer_step(struct tls_peer *peer);

/* Sends what OpenSSL has written. Whoever takes it no longer is no error. */
void peer_flush(struct tls_peer *peer);

/* Takes it away instead: how much. */
size_t peer_take(struct tls_peer *peer, void *data, size_t most);

/* Waits for something to read, and hands it to OpenSSL; false at the end. */
bool peer_fill(struct tls_peer *peer);

/* Shakes hands; false where that fails. */
bool peer_handshake(struct tls_peer *peer);

/* Reads at least a byte; 0 at whatever kind of end. */
size_t peer_read(struct tls_peer *peer, void *data, size_t most);

/* Writes it all, and sends it. */
void peer_write(struct tls_peer *peer, const void *data, size_t size);

/* Sends bytes as they are; whoever takes them no longer is no error. */
void peer_send(struct tls_peer *peer, const void *data, size_t size);

/* --- records by hand -------------------------------------------------------------------------- */

/* Seals what the peer would never send, in its place in TLS 1.3: OpenSSL's own writes come before
 * the first of them, and not again. */
struct forger {
	unsigned char key[32];
	unsigned char iv[12];
	uint64_t sequence;
};

/* Has the secrets of the peer's session noted; before peer_open. */
void note_secrets(struct tls_peer *peer);

/* Takes over from the peer, whose secrets were noted; it has written `written` records so far,
 * after its handshake. */
void forger_init(struct forger *forger, const struct tls_peer *peer, uint64_t written);

/* A record: `type` of what is inside, and so many zeros behind that. Returns its size. */
size_t forge(struct forger *forger, int type, const void *data, size_t size, size_t padding,
	     unsigned char *record);

/* --- one side of the library's against a peer ------------------------------------------------- */

struct duel {
	struct stage stage;
	struct sennit_tcp_socket socket;
	struct sennit_tls_stream stream; /* the library's */
	struct sennit_tls_context *context;
	struct tls_peer peer;
	struct flight handshake;
};

/* The runtime and the context: NULL is the usual one for the role, a given one belongs to the duel.
 * The peer is initialised for the other role, with the usual certificate where it is a server. */
void begin_duel(struct duel *duel, enum sennit_tls_role role, struct sennit_tls_context *context);

/* Opens both and starts the library's handshake; `name` is the server's, for a client. */
void fight(struct duel *duel, const char *name);

/* The same with both handshakes, which succeed. */
void connect_duel(struct duel *duel, const char *name);

/* A read of the library's that reports `error` without a byte. */
void expect_read(struct duel *duel, int error);

/* Asserts that the reason of the failure has this in it. */
void expect_reason(const struct duel *duel, const char *part);

void end_duel(struct duel *duel);

/* --- tables ----------------------------------------------------------------------------------- */

/* A test for each row, from `end` on; a row begins with its name. Returns the new end. */
struct CMUnitTest *tests_of_rows(const void *rows, size_t count, size_t size,
				 CMUnitTestFunction function, struct CMUnitTest *end);

/* The row that a test of that kind is to look at. */
const void *row_of(void *const *state, const void *rows, size_t size);

#endif
