/* SPDX-License-Identifier: MIT */
/**
 * @file
 * Executors run functions. There is one for each worker (its functions never run concurrently with
 * each other), and one for the whole runtime (its functions run on any of its workers).
 * The words are Asio's: post and defer never run the function before they return, dispatch may.
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
 * Runs `function` on `executor`, later, as the continuation of the function that calls. On a worker
 * that `executor` stands for (its own, or the runtime's) it is what this worker runs next, as soon
 * as the function that is running returns: before all else that waits, and no other worker is woken
 * or may take it. (In a strand it is run when the strand's turn ends, where it is dispatched when
 * the outermost function returns.) A function names one continuation, and a row of them, each named
 * by the one before, is at most 16 long: any further defer counts as a post that wakes nobody.
 *
 * So functions deferred to one worker's executor run before those posted to it earlier. Off the
 * workers of `executor`, and to a strand, it is as post.
 * @param task the caller's until defer is called, and again when `function` is called.
 * @thread any. Neither blocks nor allocates. Since 0.1.0. (Asio: `defer`.)
 */
void sennit_defer(struct sennit_executor *executor, struct sennit_task *task,
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
 * The executor that stands for whoever calls: dispatch to it runs the function at once, inside the
 * call, on a thread of no runtime as well; on a worker where 16 dispatched functions are nested it
 * is as if posted to that worker. An operation bound to it has its handler run on the owner of its
 * object, from the owner's own queue, also where the object was opened with a strand. To post or
 * defer to it, or to open anything with it, is misuse.
 * @return the one there is; it lives for ever.
 * @thread any. Neither blocks nor allocates. Since 0.1.0. (Asio: `inline_executor`.)
 */
struct sennit_executor *sennit_inline_executor(void);

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
