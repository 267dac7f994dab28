/* SPDX-License-Identifier: MIT */
/**
 * @file
 * A strand: an executor over another one whose functions never run concurrently with each other,
 * whatever thread they come from and whatever worker they run on. A lock that is never waited for.
 */
#ifndef SENNIT_STRAND_H
#define SENNIT_STRAND_H

#include <sennit/executor.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A strand: the caller's memory. Its functions run one at a time, in the order in which they were
 * submitted where that is defined (post and dispatch by one thread, or one known to come after the
 * other), and what one of them did is visible to the next. Nothing else is protected by it: what is
 * called from outside (close, cancel, emit) is not.
 *
 * A strand takes at most what is left of its worker's turn, then goes on behind what else waits
 * there, so a busy one starves nobody. Of a strand over the runtime's executor each turn may run on
 * another worker.
 *
 * An operation bound to a strand, or of an object that was opened with its executor, has its
 * handler run in the strand. The order of two such handlers is that in which the operations ended.
 * (Asio: `strand`.)
 */
struct sennit_strand {
	struct sennit_executor executor_;
	struct sennit_executor *inner_;
	struct sennit_executor *base_;
	void *state_;
	struct sennit_task *ready_;
	struct sennit_task turn_;
};

/**
 * Makes a strand over `inner`.
 * @param strand stays where it is until sennit_strand_fini.
 * @param inner the runtime's executor, a worker's or another strand's; where it is a strand's, that
 *        strand lives at least as long.
 * @thread any, while nobody uses the strand. Neither blocks nor allocates. Since 0.1.0.
 */
void sennit_strand_init(struct sennit_strand *strand, struct sennit_executor *inner);

/**
 * The strand as an executor, for post and dispatch, to bind operations to and to open objects with.
 * @return lives as long as the strand.
 * @thread any. Neither blocks nor allocates. Since 0.1.0.
 */
struct sennit_executor *sennit_strand_executor(struct sennit_strand *strand);

/**
 * Ends the use of a strand; its memory may be released afterwards. To be called while none of its
 * functions is queued or running, or from the last of its functions itself, inside the strand, so
 * that a session may free the strand it runs in. Anything else is misuse. Where the runtime was
 * destroyed the call may be left out.
 * @thread any, while nobody else uses the strand. Neither blocks nor allocates. Since 0.1.0.
 */
void sennit_strand_fini(struct sennit_strand *strand);

#ifdef __cplusplus
}
#endif

#endif
