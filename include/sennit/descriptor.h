/* SPDX-License-Identifier: MIT */
/**
 * @file
 * Any POSIX descriptor as a stream: pipe, terminal, FIFO, eventfd, socket, character device,
 * regular file.
 *
 * A socket's mode is never changed. Others are used without waiting by the kernel's per-call flags
 * where it takes them, else O_NONBLOCK is set at the first transfer and put back as found at
 * release and close; a terminal is reopened, so that the mode of the one that was assigned never
 * changes. What cannot be waited for (a regular file) is read and written on the owner, which waits
 * for the disk meanwhile. Descriptors that share one open description (dup, fork) share its mode:
 * set O_NONBLOCK before you assign them, or close one only when the other is not used any more.
 */
#ifndef SENNIT_DESCRIPTOR_H
#define SENNIT_DESCRIPTOR_H

#include <sennit/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A stream over a descriptor. */
struct sennit_descriptor {
	struct sennit_stream stream; /**< for the operations of stream.h */
};

/**
 * Readies a descriptor for assign; needed where its memory is neither zeroed nor of a closed one.
 * @param executor used until assign gives another.
 * @thread any that nobody competes with. Does not allocate. Since 0.1.0.
 */
void sennit_descriptor_init(struct sennit_descriptor *descriptor, struct sennit_executor *executor);

/**
 * Adopts an open descriptor. Its owner is the worker of `executor`; for the runtime's executor the
 * calling worker, off a worker each in turn.
 * @param fd owned by `descriptor` from success on: closed by close, handed back by release. It must
 *        not be open in another object of the same worker.
 * @return 0, -EBADF, -ENOMEM, SENNIT_ALREADY_OPEN. On failure `fd` is the caller's as before.
 * @thread the owner, or any that nobody competes with. May allocate. Since 0.1.0.
 */
int sennit_descriptor_assign(struct sennit_descriptor *descriptor, struct sennit_executor *executor,
			     int fd);

/**
 * Gives the descriptor back to the caller: operations end as with cancel, its mode is as it was at
 * assign, and the object is closed.
 * @param[out] fd the descriptor that was assigned.
 * @return 0, or -EBADF (not open).
 * @thread the owner, with operations in flight or not; another while nothing is in flight and
 *         nobody else uses the object, or while no thread is inside the runtime. Since 0.1.0.
 *         (Asio: `release`.)
 */
int sennit_descriptor_release(struct sennit_descriptor *descriptor, int *fd);

/**
 * The descriptor that was assigned, or -EBADF.
 * @thread the owner, or any while nobody else uses the object. Since 0.1.0.
 */
int sennit_descriptor_native_handle(const struct sennit_descriptor *descriptor);

/**
 * Opens two descriptors that are connected to each other (a pair of local stream sockets).
 * @return 0, -ENOMEM, -EMFILE, -ENFILE, SENNIT_ALREADY_OPEN; on failure neither is open.
 * @thread the owner, or any that nobody competes with. May allocate. Since 0.1.0.
 */
int sennit_descriptor_pair(struct sennit_descriptor *first, struct sennit_descriptor *second,
			   struct sennit_executor *executor);

#ifdef __cplusplus
}
#endif

#endif
