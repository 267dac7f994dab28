/* SPDX-License-Identifier: MIT */
/* connection.h - one TLS stream: the engine, the two operations that it has on the stream below,
 * and the operations that it serves. All in one block, freed once the stream is closed and neither
 * of the two is in flight.
 *
 * Callers     the functions of the stream type and the handlers of its own operations, which are
 *             bound to the owner: so everything here is the owner's, and there is nothing atomic.
 * Ownership   `read`, `write`, `handshake`, `shutdown` and those behind `wait` were handed over and
 *             are not completed yet. Writes from `write` to `write_last` are ours: their first
 *             `sealed` bytes are encrypted and on their way.
 */
#ifndef SENNIT_IO_TLS_CONNECTION_H
#define SENNIT_IO_TLS_CONNECTION_H

#include "io/tls/engine.h"

#include <sennit/stream_implement.h>

/* How input is asked for. It is tried first; who finds nothing gives the buffer back and waits
 * without one; what was waited for is there to be taken. Where the stream below gives it without
 * an operation (sennit_stream_try_read), it is drawn into OpenSSL's buffer, and only waited for. */
enum sennit__tls_input { SENNIT__TLS_TRY, SENNIT__TLS_WAIT, SENNIT__TLS_TAKE };

struct sennit__tls_connection {
	struct sennit__tls_engine engine;
	struct sennit_stream lower; /* a copy of the handle */

	struct sennit_op input_op;  /* a wait or a read below */
	struct sennit_op output_op; /* a write below */
	struct iovec output[SENNIT__TLS_PARTS]; /* of that write */
	size_t output_size;
	struct sennit_task pump;    /* seals what was written in this turn, or finds it idle */
	struct sennit_executor *owner;

	struct sennit_op *read;
	struct sennit_op *write;
	struct sennit_op *write_last;
	struct sennit_op *wait;     /* the oldest; there may be others behind it */
	struct sennit_op *handshake;
	struct sennit_op *shutdown;

	size_t sealed;              /* bytes of writes */
	size_t sealed_output;       /* when so many bytes more have left, those have */
	struct sennit_op *stopping; /* the write that then ends with `stop`, complete or not */
	int stop;
	int output_error;           /* nothing can leave any more */

	bool receiving;             /* input_op is in flight */
	bool dropping;              /* but nobody waits for it any more: it was cancelled */
	bool sending;               /* output_op is */
	bool pumping;               /* pump is posted */
	unsigned patience;          /* of a shutdown: pumps before unread data is dropped */
	bool is_read;               /* by somebody since the shutdown was asked for */
	bool stirred;               /* since then */
	bool cannot_wait;
	enum sennit__tls_input next_input;
	bool starved;               /* sealing must wait for input */
	bool late;                  /* the write came when a shutdown was under way */
	bool running;               /* go_on is on the stack */
	bool again;                 /* and has something more to do */
	bool closed;
	unsigned held;              /* how many functions on the stack still look at it */

	bool client;
	bool verified;              /* the peer's certificate must be right */
	const char *name;           /* that a client has asked for, behind the structure; or NULL */
	const void *identity;       /* of the context */
};

/* What sennit_stream_request is called with. */
enum {
	SENNIT__TLS_HANDSHAKE = SENNIT_STREAM_REQUEST,
	SENNIT__TLS_SHUTDOWN,
};

/* The engine's source and sink: the stream below. */
sennit__tls_source sennit__tls_draw;
sennit__tls_sink sennit__tls_pass_on;

extern const struct sennit_stream_type sennit__tls_stream_type
	__attribute__((visibility("hidden")));

#endif
