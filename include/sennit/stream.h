/* SPDX-License-Identifier: MIT */
/**
 * @file
 * The abstract stream: what descriptors, TCP sockets and every other stream begin with, so that
 * each operation below works on each of them.
 *
 * Starting an operation returns at once, cannot fail, allocates nothing and never calls the handler
 * before it returns; any thread may start any number, at the same time. Reads on one stream are
 * served in order. Writes on one stream go out whole and unmixed, in the order in which the owner
 * received them; what one thread starts first is first. Everything started in one turn of the owner
 * leaves in one gather call.
 *
 * Buffers, arrays of buffers and the operation stay put and unchanged until the handler is called.
 * A transfer of zero bytes succeeds with 0, without a system call, whether the stream is open or
 * not.
 *
 * Errors that every operation may report: -ECANCELED (cancelled, or the stream was closed after the
 * start), -EBADF (the stream was not open at the start, or the descriptor not for this direction),
 * SENNIT_SHUTDOWN (runtime destroyed), whatever the system reports (-ECONNRESET, -EPIPE, -EIO ...);
 * reads also SENNIT_EOF. SIGPIPE is never raised: writing to a closed peer is -EPIPE. "Any thread"
 * does not mean a signal handler: nothing here may be called from one.
 */
#ifndef SENNIT_STREAM_H
#define SENNIT_STREAM_H

#include <sennit/object.h>
#include <sennit/op.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A stream's handle. */
struct sennit_stream {
	struct sennit_object object_;
};

/** Readiness that can be waited for; may be combined. */
enum sennit_wait {
	SENNIT_WAIT_READ = 1,  /**< a read would not wait: data, end of stream or an error */
	SENNIT_WAIT_WRITE = 2, /**< a write would not wait */
	SENNIT_WAIT_ERROR = 4  /**< an error, a hang-up or urgent data */
};

/**
 * Reads some bytes: completes as soon as at least one is there.
 * @param data receives at most `size` bytes.
 * @thread any. Neither blocks nor allocates. Since 0.1.0. (Asio: `async_read_some`.)
 */
void sennit_async_read_some(struct sennit_stream *stream, void *data, size_t size,
			    struct sennit_op *op, sennit_handler *handler);

/**
 * As sennit_async_read_some, into the `count` buffers of `vector`, filled in order.
 * @thread any. Neither blocks nor allocates. Since 0.1.0.
 */
void sennit_async_readv_some(struct sennit_stream *stream, const struct iovec *vector, int count,
			     struct sennit_op *op, sennit_handler *handler);

/**
 * Reads until `size` bytes are there, or an error; `bytes` tells how many were stored either way.
 * @thread any. Neither blocks nor allocates. Since 0.1.0. (Asio: `async_read`.)
 */
void sennit_async_read(struct sennit_stream *stream, void *data, size_t size,
		       struct sennit_op *op, sennit_handler *handler);

/**
 * As sennit_async_read, into the `count` buffers of `vector`.
 * @thread any. Neither blocks nor allocates. Since 0.1.0.
 */
void sennit_async_readv(struct sennit_stream *stream, const struct iovec *vector, int count,
			struct sennit_op *op, sennit_handler *handler);

/**
 * Reads until at least `minimum` bytes are there (all of them, where `size` is less).
 * @thread any. Neither blocks nor allocates. Since 0.1.0. (Asio: `transfer_at_least`.)
 */
void sennit_async_read_at_least(struct sennit_stream *stream, void *data, size_t size,
				size_t minimum, struct sennit_op *op, sennit_handler *handler);

/**
 * As sennit_async_read_at_least, into the `count` buffers of `vector`.
 * @thread any. Neither blocks nor allocates. Since 0.1.0.
 */
void sennit_async_readv_at_least(struct sennit_stream *stream, const struct iovec *vector,
				 int count, size_t minimum, struct sennit_op *op,
				 sennit_handler *handler);

/**
 * Reads while `condition` asks for more and there is room.
 * @thread any. Neither blocks nor allocates. Since 0.1.0. (Asio: completion condition.)
 */
void sennit_async_read_while(struct sennit_stream *stream, void *data, size_t size,
			     sennit_condition *condition, struct sennit_op *op,
			     sennit_handler *handler);

/**
 * As sennit_async_read_while, into the `count` buffers of `vector`.
 * @thread any. Neither blocks nor allocates. Since 0.1.0.
 */
void sennit_async_readv_while(struct sennit_stream *stream, const struct iovec *vector, int count,
			      sennit_condition *condition, struct sennit_op *op,
			      sennit_handler *handler);

/**
 * Writes some bytes: goes out whole where another write is queued behind it, else completes as soon
 * as at least one byte was taken.
 * @param data at most `size` bytes are taken from it.
 * @thread any. Neither blocks nor allocates. Since 0.1.0. (Asio: `async_write_some`.)
 */
void sennit_async_write_some(struct sennit_stream *stream, const void *data, size_t size,
			     struct sennit_op *op, sennit_handler *handler);

/**
 * As sennit_async_write_some, from the `count` buffers of `vector`, in order.
 * @thread any. Neither blocks nor allocates. Since 0.1.0.
 */
void sennit_async_writev_some(struct sennit_stream *stream, const struct iovec *vector, int count,
			      struct sennit_op *op, sennit_handler *handler);

/**
 * Writes all `size` bytes, or reports the error and how many were taken.
 * @thread any. Neither blocks nor allocates. Since 0.1.0. (Asio: `async_write`.)
 */
void sennit_async_write(struct sennit_stream *stream, const void *data, size_t size,
			struct sennit_op *op, sennit_handler *handler);

/**
 * As sennit_async_write, from the `count` buffers of `vector`.
 * @thread any. Neither blocks nor allocates. Since 0.1.0.
 */
void sennit_async_writev(struct sennit_stream *stream, const struct iovec *vector, int count,
			 struct sennit_op *op, sennit_handler *handler);

/**
 * Writes until at least `minimum` bytes were taken (all of them, where `size` is less).
 * @thread any. Neither blocks nor allocates. Since 0.1.0.
 */
void sennit_async_write_at_least(struct sennit_stream *stream, const void *data, size_t size,
				 size_t minimum, struct sennit_op *op, sennit_handler *handler);

/**
 * As sennit_async_write_at_least, from the `count` buffers of `vector`.
 * @thread any. Neither blocks nor allocates. Since 0.1.0.
 */
void sennit_async_writev_at_least(struct sennit_stream *stream, const struct iovec *vector,
				  int count, size_t minimum, struct sennit_op *op,
				  sennit_handler *handler);

/**
 * Writes while `condition` asks for more and there are bytes left.
 * @thread any. Neither blocks nor allocates. Since 0.1.0.
 */
void sennit_async_write_while(struct sennit_stream *stream, const void *data, size_t size,
			      sennit_condition *condition, struct sennit_op *op,
			      sennit_handler *handler);

/**
 * As sennit_async_write_while, from the `count` buffers of `vector`.
 * @thread any. Neither blocks nor allocates. Since 0.1.0.
 */
void sennit_async_writev_while(struct sennit_stream *stream, const struct iovec *vector, int count,
			       sennit_condition *condition, struct sennit_op *op,
			       sennit_handler *handler);

/**
 * Waits until the stream is ready, without transferring anything; `bytes` is 0.
 * @param what one or more of enum sennit_wait; completes when any of them is. -EOPNOTSUPP where
 *        what lies below cannot be waited for (a regular file).
 * @thread any. Neither blocks nor allocates. Since 0.1.0. (Asio: `async_wait`.)
 */
void sennit_async_wait(struct sennit_stream *stream, int what, struct sennit_op *op,
		       sennit_handler *handler);

/**
 * Requests cancellation of every operation that was started on the stream before this call: each
 * ends with -ECANCELED and the bytes so far, unless it is finished already. Writes that the owner
 * had received are tried once more first. On a stream that is not open it does nothing.
 * @thread any. Neither blocks nor allocates. Since 0.1.0. (Asio: `cancel`; remembered, unlike
 * there.)
 */
void sennit_cancel(struct sennit_stream *stream);

/**
 * Closes the stream: as sennit_cancel, and nothing can be started on it any more; the descriptor is
 * closed by the owner. Closing a stream that is not open does nothing. Once close has returned and
 * the last handler has begun, the memory of the handle may be released.
 * @thread any. Neither blocks nor allocates. Since 0.1.0. (Asio: `close`.)
 */
void sennit_close(struct sennit_stream *stream);

/**
 * Whether the stream is open, as the calling thread can know.
 * @thread any, but not while it is being opened or accepted into. Since 0.1.0.
 */
bool sennit_is_open(const struct sennit_stream *stream);

/**
 * The executor that the stream was initialised or opened with.
 * @thread any. Since 0.1.0.
 */
struct sennit_executor *sennit_stream_executor(const struct sennit_stream *stream);

#ifdef __cplusplus
}
#endif

#endif
