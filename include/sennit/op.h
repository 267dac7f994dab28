/* SPDX-License-Identifier: MIT */
/**
 * @file
 * An asynchronous operation: the caller's memory, one flight at a time.
 */
#ifndef SENNIT_OP_H
#define SENNIT_OP_H

#include <sennit/executor.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sennit_op;
struct sennit_cancel_slot;
struct sennit__slot;

/**
 * A completion handler. It runs exactly once for every start, on the operation's executor, and is
 * never called from inside the initiating function (unless sennit_op_allow_inline asked for it); on
 * another thread it may already run when that returns.
 * @param op the operation that was started; it, its buffers and its executor binding are the
 *        caller's again: it may be started anew, or freed with everything around it.
 * @param error 0, -errno or a SENNIT_ error.
 * @param bytes what was transferred, also where there is an error.
 */
typedef void sennit_handler(struct sennit_op *op, int error, size_t bytes);

/**
 * A completion condition, asked on the object's owning worker before the first step and after each
 * step of a composed operation. It must not start, post, cancel or close anything: that is misuse.
 * @param error 0: an error ends the operation without asking.
 * @param bytes transferred so far.
 * @return how many bytes at most the next step may transfer; 0 ends the operation with success.
 */
typedef size_t sennit_condition(struct sennit_op *op, int error, size_t bytes);

/** What the library's timers are linked by; a member of what has a deadline. */
struct sennit__timer_node {
	struct sennit__timer_node *next_;
	struct sennit__timer_node *prev_;
	uint64_t deadline_ns_;
};

/**
 * One asynchronous operation. Zeroed, it is ready to use. From the start until its handler is
 * called it belongs to the library: it must stay put, and starting it again in that time is misuse.
 */
struct sennit_op {
	struct sennit_task task_;
	/** The caller's own: the library never looks at it. */
	void *user;
	sennit_handler *handler_;
	struct sennit_executor *bound_;
	struct sennit_executor *target_;
	struct sennit__slot *slot_;
	struct sennit_op *prev_;
	uint64_t stamp_;
	union {
		struct {
			char *data;
			size_t size;
		} one;
		struct {
			const struct iovec *vector;
			size_t offset;
		} many;
	} buffer_;
	size_t bytes_;
	union {
		size_t minimum;
		sennit_condition *condition;
		void *argument;
	} goal_;
	uint32_t count_;
	uint32_t limit_;
	struct sennit_cancel_slot *cancel_slot_;
	struct sennit__timer_node timer_;
	uint32_t started_ms_;
	unsigned char options_;
	unsigned char requested_;
	unsigned char expires_with_;
	unsigned char reserved_;
};

/**
 * Has the operation's handlers run on `executor`, from the next start on and until bound otherwise.
 * @param executor lives until the handler is called; NULL: the object's own executor (the default).
 * @thread any that holds the operation; not while it is in flight. Since 0.1.0.
 */
void sennit_op_bind_executor(struct sennit_op *op, struct sennit_executor *executor);

/**
 * Has the operation's handlers run inside the initiating function where that can end the operation
 * at once, from the next start on and until told otherwise. So it is for a read, an accept or a
 * wait that is started on the owner of its object, on the executor that the handler is to run on,
 * with fewer than 16 such handlers and dispatched functions nested there; in all other cases, and
 * always for a write or a connect, the handler is run later, as without.
 *
 * Such a handler is run before others that were queued earlier, and before the initiating function
 * returns: what that function's caller does with the operation afterwards it does too late.
 * @thread any that holds the operation; not while it is in flight: that is misuse. Neither blocks
 *         nor allocates. Since 0.1.0. (Asio: a bound immediate executor.)
 */
void sennit_op_allow_inline(struct sennit_op *op, bool allow);

#ifdef __cplusplus
}
#endif

#endif
