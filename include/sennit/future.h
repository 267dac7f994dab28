/* SPDX-License-Identifier: MIT */
/**
 * @file
 * Futures: an operation whose result a thread waits for, instead of a handler of its own.
 *
 *     struct sennit_future future = {0};
 *
 *     sennit_async_read(stream, data, size, &future.op, sennit_future_complete);
 *     error = sennit_future_wait(&future, SENNIT_NEVER, &bytes);
 */
#ifndef SENNIT_FUTURE_H
#define SENNIT_FUTURE_H

#include <sennit/op.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * An operation and the place where its result waits for who wants it: the caller's memory, often on
 * the stack. Zeroed, it is ready to use, and again once a wait has returned the result.
 */
struct sennit_future {
	struct sennit_op op; /**< to be started; may have a slot, a deadline and an executor */
	size_t bytes_;
	int error_;
	uint32_t state_;
};

/**
 * The handler to start the operation of a future with; it must be the `op` of a struct
 * sennit_future.
 * @thread the operation's executor: called by the library. Since 0.1.0.
 */
void sennit_future_complete(struct sennit_op *op, int error, size_t bytes);

/**
 * Waits for the result of the operation that was started, and hands it over: once for each start.
 * After that the future may be started again or released.
 * @param deadline_ns of CLOCK_MONOTONIC; 0: ask without waiting, UINT64_MAX: for ever. It ends the
 *        wait, not the operation.
 * @param[out] bytes what was transferred, also where there is an error; may be NULL.
 * @return the operation's error, or -EINPROGRESS: the deadline came first, and the operation is in
 *         flight: wait again, or end it (sennit_cancel_signal_emit) and wait.
 * @thread any one but a worker, on which it is misuse: it would wait for itself. Blocks. Somebody
 *         must run the operation's executor: of a driven runtime, another thread. Since 0.1.0.
 *         (Asio: `use_future`.)
 */
int sennit_future_wait(struct sennit_future *future, uint64_t deadline_ns, size_t *bytes);

#ifdef __cplusplus
}
#endif

#endif
