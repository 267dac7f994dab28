/* SPDX-License-Identifier: MIT */
/**
 * @file
 * Executors run functions. There is one for each worker (its functions never run concurrently with
 * each other), and one for the whole runtime (its functions run on any of its workers).
 * The words are Asio's: post never runs the function before it returns, dispatch may.
 */
#ifndef SENNIT_EXECUTOR_H
#define SENNIT_EXECUTOR_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sennit_task;
struct sennit_runtime;

/**
 * What a task does.
 * @param task the task that was posted; it is the caller's again, and may be posted or freed here.
 * @param error 0, or SENNIT_SHUTDOWN where the runtime is being destroyed: release what the task
 *        holds; nothing more will happen on this runtime.
 */
typedef void sennit_function(struct sennit_task *task, int error);

/**
 * A function on its way to an executor: the caller's memory, usually a member of a larger struct
 * that the function reaches from the pointer. Zeroed, it is ready to use. From post until its
 * function is called it belongs to the library and must stay put; posting it again in that time is
 * misuse.
 */
struct sennit_task {
	struct sennit_task *next_;
	sennit_function *function_;
	int error_;
	unsigned char class_;
	unsigned char state_;
	unsigned char kind_;
	unsigned char flags_;
};

/** Where functions run. Obtained from a runtime; compared by address; never copied. */
struct sennit_executor {
	struct sennit_runtime *runtime_;
	int kind_;
};

/**
 * Runs `function` on `executor`, later: never before post returns. What one thread posts to one
 * worker's executor runs in that order. Posts to the runtime's executor may run in any order and on
 * any worker.
 * @param task the caller's until post is called, and again when `function` is called.
 * @thread any. Neither blocks nor allocates. Since 0.1.0. (Asio: `post`.)
 */
void sennit_post(struct sennit_executor *executor, struct sennit_task *task,
		 sennit_function *function);

/**
 * Runs `function` on `executor`: at once, inside this call, where the calling thread is a worker
 * that `executor` stands for and fewer than 16 dispatched functions are nested on it; otherwise
 * as post does.
 * @thread any. Neither blocks nor allocates. Since 0.1.0. (Asio: `dispatch`.)
 */
void sennit_dispatch(struct sennit_executor *executor, struct sennit_task *task,
		     sennit_function *function);

/**
 * Whether the calling thread is one on which `executor` runs functions, so that dispatch to it
 * would run inline (but for the limit on nesting).
 * @thread any. Neither blocks nor allocates. Since 0.1.0. (Asio: `running_in_this_thread`.)
 */
bool sennit_executor_runs_here(const struct sennit_executor *executor);

#ifdef __cplusplus
}
#endif

#endif
