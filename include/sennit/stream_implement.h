/* SPDX-License-Identifier: MIT */
/**
 * @file
 * For those who write streams. A stream type is a table of functions that serve one operation at a
 * time; threads, order, stamps, object-level cancel and close, and the memory rules are the
 * library's part, the same for every stream.
 *
 * Every function of the table runs on the owner, never concurrently with another for the same
 * stream, and must not block. It may start operations on lower streams; their handlers run later.
 */
#ifndef SENNIT_STREAM_IMPLEMENT_H
#define SENNIT_STREAM_IMPLEMENT_H

#include <sennit/cancel.h>
#include <sennit/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The least number of a request (see sennit_stream_request). */
#define SENNIT_STREAM_REQUEST 0x100

/** What a stream does. `self` is what was handed to sennit_stream_open. What is NULL is not
 * supported: such operations end with -EOPNOTSUPP. */
struct sennit_stream_type {
	/** For dumps: a string with static lifetime. */
	const char *name;
	/** Serve `op`, the oldest read. The next is handed over when this one has completed. */
	void (*read)(void *self, struct sennit_op *op);
	/** Serve `op`, the oldest write; behind it are sennit_op_next(op) and so on. */
	void (*write)(void *self, struct sennit_op *op);
	/** Serve a readiness wait for `what`, or a request of that number; any number at once. */
	void (*wait)(void *self, struct sennit_op *op, int what);
	/** `op`, which was handed over, was asked to end with `error`: complete it, now or as soon
	 * as one of the guarantees in `types` (enum sennit_cancel_type) can be given. Cancel and
	 * close ask for SENNIT_CANCEL_TERMINAL; once that was asked for, it is not called for this
	 * operation again, before that for each request.
	 * NULL: it is completed at once, without a word to the type, which must not touch it any
	 * more. */
	void (*cancel)(void *self, struct sennit_op *op, int types, int error);
	/** The stream was closed and none of its operations is in flight: `self` may be freed.
	 * NULL: nothing is to be done then. */
	void (*close)(void *self);
};

/**
 * Opens a stream of the given type.
 * @param stream zeroed, initialised before, or closed.
 * @param executor decides the owner, as for every object.
 * @param type,self live until `type->close` was called.
 * @return 0, -ENOMEM, SENNIT_ALREADY_OPEN.
 * @thread any that nobody competes with. May allocate. Since 0.1.0.
 */
int sennit_stream_open(struct sennit_stream *stream, struct sennit_executor *executor,
		       const struct sennit_stream_type *type, void *self);

/**
 * As sennit_stream_open, with the owner and the executor of `lower`: what is started there on the
 * one is at the same worker as the other.
 * @return 0, -EBADF (`lower` is not open), -ENOMEM, SENNIT_ALREADY_OPEN.
 * @thread any that nobody competes with. May allocate. Since 0.1.0.
 */
int sennit_stream_open_above(struct sennit_stream *stream, const struct sennit_stream *lower,
			     const struct sennit_stream_type *type, void *self);

/**
 * The executor of the worker that owns the stream; NULL where the stream is not open.
 * @thread any. Since 0.1.0.
 */
struct sennit_executor *sennit_stream_owner(const struct sennit_stream *stream);

/**
 * Starts an operation of the stream type's own, such as a handshake: `type->wait` gets it, with
 * `what`, and completes it when what it means has happened. Cancellation, deadlines and all else
 * are as of every operation. A stream that has no such requests ends it with -EOPNOTSUPP.
 * @param what SENNIT_STREAM_REQUEST or more: less is misuse.
 * @thread any. Neither blocks nor allocates. Since 0.1.0.
 */
void sennit_stream_request(struct sennit_stream *stream, int what, struct sennit_op *op,
			   sennit_handler *handler);

/**
 * Reads what has come to a stream, without an operation: for a stream above it, which then can have
 * it where it is to lie, and needs no memory while nothing comes. It gives nothing while a read
 * that the owner knows of is in flight on it; before its first operation; when it had its share of
 * this turn; and where it is of a stream type itself, or of datagrams. An operation reads what is
 * left; sennit_async_wait waits for it, and after its share of the turn for the next.
 * @param vector `count` parts, 1 to IOV_MAX, none of them empty.
 * @return how many bytes were read, maybe 0: nothing now; or the error that a read would end with,
 *         SENNIT_EOF at the end, -EBADF where the stream is not open.
 * @thread owner. Neither blocks, where a read would not, nor allocates. Since 0.1.0.
 */
ssize_t sennit_stream_try_read(struct sennit_stream *stream, const struct iovec *vector,
			       int count);

/**
 * Whether sennit_stream_try_read may find something, as far as is known without asking the kernel:
 * where not, it would give nothing. O(1).
 * @thread owner. Neither blocks nor allocates. Since 0.1.0.
 */
bool sennit_stream_may_read(const struct sennit_stream *stream);

/**
 * Writes what a stream takes now, without an operation: for a stream above it, which then need not
 * keep that. It takes nothing while a write is in flight on it or on its way to the owner, whose
 * turn it is; before its first operation; when it had its share of this turn; and where it is of a
 * stream type itself. An operation writes what is left.
 * @param vector `count` parts, 1 to IOV_MAX, none of them empty.
 * @return how many bytes were taken, maybe 0; or the error that a write would end with, -EBADF
 *         where the stream is not open.
 * @thread owner. Neither blocks nor allocates. Since 0.1.0. (libuv: `uv_try_write`.)
 */
ssize_t sennit_stream_try_write(struct sennit_stream *stream, const struct iovec *vector,
				int count);

/**
 * The buffers that the next step of a read or write may use: what is left of the operation, at most
 * what its completion condition allows.
 * @param[out] vector filled with at most `most` entries, none of them empty.
 * @return how many entries were filled.
 * @thread owner. Since 0.1.0.
 */
int sennit_op_buffers(const struct sennit_op *op, struct iovec *vector, int most);

/**
 * Counts `bytes` as transferred by a step and asks the completion condition.
 * @param bytes at least 1, and at most what sennit_op_buffers showed.
 * @return true where the operation has all it asked for and is to be completed now.
 * @thread owner. Since 0.1.0.
 */
bool sennit_op_advance(struct sennit_op *op, size_t bytes);

/**
 * Completes an operation that was handed over, with the bytes counted so far; a write_some of which
 * some are counted has succeeded, whatever `error` says. Where the stream was closed and this is
 * its last operation, `type->close` may be called before this returns.
 * @thread owner. Since 0.1.0.
 */
void sennit_op_complete(struct sennit_op *op, int error);

/**
 * The operation queued behind `op` on the same stream, or NULL.
 * @thread owner. Since 0.1.0.
 */
struct sennit_op *sennit_op_next(const struct sennit_op *op);

/**
 * Takes over the write that is queued behind `op`, as if it had been handed over: `type->cancel` is
 * asked before it ends, and `type->write` does not get it any more.
 * @return that operation, or NULL where there is none.
 * @thread owner. Since 0.1.0.
 */
struct sennit_op *sennit_op_take_next(struct sennit_op *op);

/**
 * How many bytes must at least be transferred before a read or write can have all it asked for: a
 * write_some that others are queued behind asks for all of its own, and where a condition decides
 * it is all that is left. O(buffers).
 * @thread owner. Since 0.1.0.
 */
size_t sennit_op_least(const struct sennit_op *op);

/**
 * What a readiness wait waits for (enum sennit_wait), or which request it is.
 * @thread owner. Since 0.1.0.
 */
int sennit_op_awaits(const struct sennit_op *op);

/**
 * Whether the operation has a deadline, in this flight or, before it, the next.
 * @thread owner, or who is about to start it. Since 0.1.0.
 */
bool sennit_op_has_deadline(const struct sennit_op *op);

#ifdef __cplusplus
}
#endif

#endif
