/* SPDX-License-Identifier: MIT */
/* engine_pair.h - a client's and a server's engine back to back, and a wire between them that may
 * cut, change and divide what it carries.
 *
 * play has both shake hands, send their data, end their side and read until they find an error or
 * the end. It asserts nothing, so it may be used on any thread and where memory fails.
 */
#ifndef SENNIT_TESTS_ENGINE_PAIR_H
#define SENNIT_TESTS_ENGINE_PAIR_H

#include "io/tls/engine.h"
#include "tls_support.h"

/* What one side sends, and what becomes of it on its way. */
struct wire {
	unsigned char *data;
	size_t begin;
	size_t end;
	size_t capacity;

	size_t limit;        /* the test's: so many bytes arrive, and then the end; or SIZE_MAX */
	size_t piece;        /* the test's: so many at a time; 0: as many as there are */
	bool flips;          /* the test's: changes the bit below */
	size_t flip_record;  /* which record, from 0 */
	size_t flip_byte;    /* of it, the header's five included */
	unsigned flip_bit;

	size_t carried;      /* so many bytes were handed to the wire */
	bool cut;            /* some of them it kept */
	bool flipped;        /* it found the bit */
	bool flipped_late;   /* after the receiver's handshake */
	size_t record;       /* that of the next byte */
	size_t place;        /* its place there */
	size_t record_size;
};

struct side {
	struct sennit__tls_engine engine;
	struct wire out;
	const char *send;    /* the test's */
	size_t send_size;
	size_t sent;
	char *got;           /* of as many bytes as the other sends, and some more */
	size_t got_size;
	size_t room;
	int handshake;       /* what they reported in the end */
	int write;
	int shutdown;
	int read;
	bool stale;          /* the test's: something is in OpenSSL's queue before each call */
};

struct engine_pair {
	struct sennit_tls_context *contexts[2]; /* the client's, then the server's */
	struct side sides[2];
};

/* Makes both; the contexts are the caller's. False without memory, and then nothing is left. */
bool engine_pair_open(struct engine_pair *pair, struct sennit_tls_context *client,
		      struct sennit_tls_context *server);
void engine_pair_close(struct engine_pair *pair);

/* Makes both, and shakes hands: nothing is under way then. Asserts that this works. */
void engine_pair_connect(struct engine_pair *pair, struct sennit_tls_context *client,
			 struct sennit_tls_context *server);

/* Gives both something to send. */
void engine_pair_send(struct engine_pair *pair, const char *client, size_t client_size,
		      const char *server, size_t server_size);

/* Whether a step did anything. */
bool engine_pair_step(struct engine_pair *pair);

/* Takes what the side has for the wire, and hands over what is on it: one piece at most. */
bool wire_carry(struct side *from, struct side *to);

/* Both sides as far as they go. */
void engine_pair_settle(struct engine_pair *pair);

/* All of it, until both have found an error or the end. */
void engine_pair_play(struct engine_pair *pair);

/* Whether a side has read what the other sent, or a part of it from the beginning. */
bool got_prefix(const struct engine_pair *pair, int side);
bool got_all(const struct engine_pair *pair, int side);

#endif
