/* SPDX-License-Identifier: MIT */
/* engine.h - TLS without sockets: OpenSSL between two queues of bytes.
 *
 * Who drives it puts what came from below into `input` and sends away what is in `output`; OpenSSL
 * sees both as one BIO over that memory. Where the driver has a source or a sink, bytes go between
 * that and OpenSSL's own buffers, behind what the queues hold. The BIO takes whatever is written,
 * so no call ever waits for output, and none is repeated because of it. What it reads it takes
 * whole, as much as OpenSSL has room for: where a call wants more, nothing is left. Memory is there
 * only while bytes are.
 *
 * What a peer can make us hold is bounded: input by one chunk, which is read again only when it is
 * used up, and OpenSSL's buffer for one record; output by what the driver seals, by the flights of
 * a handshake, and by `owed`: what the engine wrote of itself while it read. Where that is much,
 * the driver reads no further until it has gone (engine_congested).
 *
 * One thread at a time: the owner of the stream.
 */
#ifndef SENNIT_IO_TLS_ENGINE_H
#define SENNIT_IO_TLS_ENGINE_H

#include <openssl/ssl.h>
#include <sennit/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* What a call reports that cannot go on before more has come. */
#define SENNIT__TLS_MORE 1

/* The plaintext of one record. */
#define SENNIT__TLS_RECORD 16384

/* As many parts leave in one call. */
#define SENNIT__TLS_PARTS 8

struct sennit__tls_chunk;

/* Stores bytes that have come, without waiting: at most `size`, maybe none; or says why none will:
 * SENNIT_EOF, an error. *more: whether it may have more. */
typedef ssize_t sennit__tls_source(void *self, void *data, size_t size, bool *more);

/* Takes bytes that are to leave at once, without waiting; how many, maybe none. */
typedef size_t sennit__tls_sink(void *self, const struct iovec *vector, int count);

struct sennit__tls_engine {
	SSL *ssl;
	struct sennit__tls_chunk *input;
	bool lent;                             /* the input, to who fills it */
	struct sennit__tls_chunk *output;      /* the oldest */
	struct sennit__tls_chunk *output_last;
	size_t output_size;                    /* bytes in all of them */
	size_t owed;                           /* of which by themselves, since all had gone */
	unsigned idle_messages;                /* handshake and alerts, no data either way since */
	int failure;                           /* every call from now on; maybe from within one */
	const char *reason;                    /* of that, where it is not OpenSSL's */
	unsigned long code;                    /* of that, where it is */
	int input_error;                       /* what who wants more input gets; 0: it may come */
	sennit__tls_source *source;            /* input is tried there; NULL: none */
	sennit__tls_sink *sink;                /* what is sealed last is tried there; NULL: none */
	void *below;                           /* whose both are */
	size_t passing;                        /* bytes of plaintext of that, while it is sealed */
	bool drawing;                          /* the source may have some: the driver says so */
	bool parched;                          /* the call wanted more input than there was */
	bool unsure;                           /* OpenSSL may have some that it does not tell of */
	bool buffered;                         /* OpenSSL may have taken its buffers */
	bool reading;                          /* what is written now the driver did not ask for */
	bool ticketed;                         /* the peer has sent a ticket */
	bool connected;                        /* the handshake is done */
	bool notified;                         /* close_notify was written */
};

/* 0, and `ssl`, client or server, is the engine's; or -ENOMEM. */
int sennit__tls_engine_init(struct sennit__tls_engine *engine, SSL *ssl);
void sennit__tls_engine_fini(struct sennit__tls_engine *engine);

/* Nothing is to be done for a while, or so it seems: OpenSSL's buffers go where they are empty. */
void sennit__tls_engine_rest(struct sennit__tls_engine *engine);

/* --- below ------------------------------------------------------------------------------------ */

/* Where the next bytes from below go, *size at most, until they are fed. Only where nothing is
 * left. NULL without memory. */
void *sennit__tls_engine_room(struct sennit__tls_engine *engine, size_t *size);

/* So many were put there, maybe none. */
void sennit__tls_engine_feed(struct sennit__tls_engine *engine, size_t bytes);

/* Has the source, which may have some, put them there; 0 or -ENOMEM. */
int sennit__tls_engine_draw(struct sennit__tls_engine *engine);

/* Nothing will follow: `error`, or 0 where the stream below ended in order. */
void sennit__tls_engine_end(struct sennit__tls_engine *engine, int error);

/* Whether bytes from below are left. */
bool sennit__tls_engine_fed(const struct sennit__tls_engine *engine);

/* The bytes that are to leave, at most `most` parts; how many. They stay put until sent. */
int sennit__tls_engine_output(const struct sennit__tls_engine *engine, struct iovec *vector,
			      int most);

/* The oldest `bytes` have left. */
void sennit__tls_engine_sent(struct sennit__tls_engine *engine, size_t bytes);

/* Whether so much is to leave that nothing should be read before. */
bool sennit__tls_engine_congested(const struct sennit__tls_engine *engine);

/* --- above: each returns a negative error, or as said ----------------------------------------- */

/* 0 where the handshake is done, or SENNIT__TLS_MORE. */
int sennit__tls_engine_handshake(struct sennit__tls_engine *engine);

/* Stores at most `size` bytes of plaintext, 1 at least; 0: more must come first. */
ssize_t sennit__tls_engine_read(struct sennit__tls_engine *engine, void *data, size_t size);

/* 0 where a read would find something, or the error that it would; SENNIT__TLS_MORE. */
int sennit__tls_engine_peek(struct sennit__tls_engine *engine);

/* Seals the first `size` bytes of the vector, which holds that many, and no empty part; how many it
 * sealed: fewer, or none, where more must come first. */
ssize_t sennit__tls_engine_seal(struct sennit__tls_engine *engine, const struct iovec *vector,
				size_t size);

/* Writes close_notify, once, which may have to wait for the rest of a message; 0 where the peer's
 * has been read too, or SENNIT__TLS_MORE. After the handshake. */
int sennit__tls_engine_shutdown(struct sennit__tls_engine *engine);

/* Why it failed, as text. */
void sennit__tls_engine_reason(const struct sennit__tls_engine *engine, char *text, size_t size);

#endif
