/* SPDX-License-Identifier: MIT */
/* strand.h - an executor over another one, whose functions run one at a time.
 *
 * Functions are pushed to a list in one word. Who finds the word IDLE schedules the *turn*, a task
 * of the strand's own, on the inner executor; the turn takes the list, runs it, and goes on until
 * nothing has come or the worker's budget is used up; then it schedules itself again, behind what
 * else waits there. So one turn at most is scheduled or running, whatever happens, and it is one
 * unit of work (work.h) for as long as it is: the functions are none. What dispatch runs at once in
 * an idle strand stands in for a turn that is not scheduled.
 *
 * Where a thread is inside a strand is kept in the worker, in frames that lie on the stack. A turn
 * looks at its own frame after each function: sennit_strand_fini, in the strand's last function,
 * clears it, and the turn touches the strand no more.
 *
 * Callers     submit: any thread. dispatch: inside a worker. The turn: a worker.
 * Ownership   a task is the caller's until submit is called, the list's until the turn takes it,
 *             and the caller's again when it is run. ready_ and turn_ are the turn's, and its who
 *             turned IDLE into a task until it has scheduled it. executor_, inner_ and base_ are
 *             constant.
 * State       state_: IDLE (NULL), RUNNING (the strand's own address, which no task has), or the
 *             newest task, linked to older ones by next_.
 *             IDLE -> task               submit, which schedules the turn
 *             RUNNING, task -> task      submit
 *             task, RUNNING -> RUNNING   the turn takes the list (there is one, or ready_ is not
 *                                        empty and it does not look)
 *             IDLE -> RUNNING            dispatch
 *             RUNNING -> IDLE            the turn, or dispatch, has run everything
 * Progress    submit: lock-free (one compare-and-swap loop). dispatch: wait-free but for what it
 *             runs. The turn: bounded by the budget.
 * Orders      P1  state: submit's cas (acq_rel) with the turn's exchange (acquire): what the task
 *                 holds.
 *             P2  state: the cas to IDLE (release) with the cas of who makes it busy again, submit
 *                 or dispatch (acquire): what the turn did with turn_, and what the functions did.
 *             Between two turns of one busy spell the inner executor orders.
 *             No ABA: nothing is ever popped singly, and a push only links to what it replaces.
 * Invariant   a list has an end: its oldest task's next_ is NULL. Where a turn is scheduled, the
 *             state is a task or ready_ is not empty.
 * Checked by  tests/model/strand.c, tests/unit/strand.c, tests/stress/strand.c
 */
#ifndef SENNIT_RUNTIME_SCHED_STRAND_H
#define SENNIT_RUNTIME_SCHED_STRAND_H

#include "runtime/sched/worker.h"

#include <sennit/strand.h>

/* A strand that the thread inside a worker is inside of. */
struct sennit__frame {
	struct sennit_strand *strand; /* NULL: its use has ended */
	struct sennit__frame *outer;
	struct sennit_task *ready;    /* what it took and has not run yet, oldest first */
};

static inline struct sennit_strand *sennit__strand_of(const struct sennit_executor *executor)
{
	return (struct sennit_strand *)(uintptr_t)executor;
}

/* Hands a task, ready to run, to the strand. */
void sennit__strand_submit(struct sennit_strand *strand, struct sennit_task *task);

/* Whether the thread that is inside `worker` is inside the strand. */
bool sennit__strand_inside(const struct sennit_strand *strand, const struct sennit__worker *worker);

/* Runs the function inside the strand where it is idle and the thread, which is not inside it, is
 * where its inner executor would run it; false where not. */
bool sennit__strand_dispatch(struct sennit_strand *strand, struct sennit__worker *worker,
			     struct sennit_task *task, sennit_function *function)
	__attribute__((warn_unused_result));

#endif
