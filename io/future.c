/* SPDX-License-Identifier: MIT */
/* future.c - an operation whose result a thread waits for.
 *
 * Callers     complete: the operation's executor, once for each start. wait: one thread, no worker.
 * Ownership   the result is complete's until the state is DONE, then the waiter's. Complete touches
 *             nothing of the future after that: the address alone is given to the kernel, which
 *             wakes whoever waits there; where the future is gone by then, that is nobody, or one
 *             that looks again.
 * State       PENDING -> WAITED (wait) -> DONE (complete), or PENDING -> DONE; DONE -> PENDING by
 *             the wait that hands the result over.
 * Progress    complete: wait-free, but for the system call of a wake. wait: blocks.
 * Orders      P1  complete's exchange (release) with wait's load (acquire): the result, and what
 *                 was done before.
 * Checked by  tests/model/future.c, tests/conformance/futures.c
 */
#include <sennit/future.h>

#include "runtime/base/clock.h"
#include "runtime/base/futex.h"
#include "runtime/sched/worker.h"

#include <errno.h>

enum { PENDING, WAITED, DONE };

static struct sennit__atomic_u32 *state_of(struct sennit_future *future)
{
	return (struct sennit__atomic_u32 *)&future->state_;
}

void sennit_future_complete(struct sennit_op *op, int error, size_t bytes)
{
	struct sennit_future *future = (struct sennit_future *)(void *)op;
	struct sennit__atomic_u32 *state = state_of(future);
	uint32_t found = PENDING;

	future->error_ = error;
	future->bytes_ = bytes;
	if (sennit__cas_release_u32(state, &found, DONE)) /* P1 */
		return;
	if (found == DONE)
		sennit__misuse("sennit_future_complete", "the last result was not waited for");
	sennit__store_release_u32(state, DONE); /* P1 */
	sennit__futex_wake_all(state);
}

int sennit_future_wait(struct sennit_future *future, uint64_t deadline_ns, size_t *bytes)
{
	struct sennit__atomic_u32 *state = state_of(future);
	uint32_t found;

	if (sennit__current)
		sennit__misuse("sennit_future_wait", "called on a worker, which it would block");
	while ((found = sennit__load_acquire_u32(state)) != DONE) { /* P1 */
		int timeout_ms = sennit__clock_ms_until(deadline_ns);

		if (!timeout_ms)
			return -EINPROGRESS;
		/* relaxed: it tells only that somebody waits */
		if (found == WAITED || sennit__cas_relaxed_u32(state, &found, WAITED))
			sennit__futex_wait(state, WAITED, timeout_ms);
	}
	sennit__store_relaxed_u32(state, PENDING); /* relaxed: the next start publishes it */
	if (bytes)
		*bytes = future->bytes_;
	return future->error_;
}
