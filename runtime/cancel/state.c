/* SPDX-License-Identifier: MIT */
/* state.c - the cancellation of a composed operation: a target of its parent slot and the signal of
 * its steps.
 *
 * Callers     request, release: the owner. The rest: any thread that holds the state.
 * State       cancelled: the types let in. request | types; clear & ~types.
 * Progress    lock-free (one compare-and-swap loop).
 * Orders      P1  request's cas (release) with cancelled's load (acquire): what the emitter did. A
 *                 request is delivered before finish's function is posted (slot.P3).
 * Checked by  tests/model/cancel.c, tests/unit/cancel_state.c
 */
#include "runtime/cancel/slot.h"
#include "runtime/sched/runtime.h"
#include "runtime/sched/work.h"

static struct sennit__atomic_u32 *cancelled_of(const struct sennit_cancel_state *state)
{
	return (struct sennit__atomic_u32 *)(uintptr_t)&state->cancelled_;
}

static void request(void *target, int types)
{
	struct sennit_cancel_state *state = target;
	struct sennit__atomic_u32 *cancelled = cancelled_of(state);
	uint32_t let_in = (uint32_t)types & state->in_;
	uint32_t found = sennit__load_relaxed_u32(cancelled); /* relaxed: the cas checks it */

	if (!let_in)
		return;
	while (!sennit__cas_release_u32(cancelled, &found, found | let_in)) /* P1 */
		;
	/* all that was let in so far: a step that began since has not heard of it */
	sennit_cancel_signal_emit(&state->child_, (int)((found | let_in) & state->out_));
	if (state->function_)
		state->function_(state, (int)let_in);
}

/* On the owner, whose runtime has waited for this. As soon as the function has run, the one that it
 * runs in may be destroyed. */
static void release(void *target)
{
	struct sennit_cancel_state *state = target;
	struct sennit_runtime *there = state->executor_->runtime_;

	sennit__work_get(there, SENNIT__LEAVING);
	sennit_post(state->executor_, state->task_, state->finish_);
	sennit__work_left(there);
	sennit__work_return(sennit__current->executor.runtime_);
}

static const struct sennit__cancel_target of_state = {.request = request, .release = release};

void sennit_cancel_state_init(struct sennit_cancel_state *state, struct sennit_cancel_slot *parent,
			      struct sennit_executor *executor, int in, int out,
			      sennit_cancel_function *function)
{
	const char *call = "sennit_cancel_state_init";

	state->parent_ = parent;
	state->child_ = (struct sennit_cancel_signal){0};
	state->function_ = function;
	/* relaxed: not shared yet */
	sennit__store_relaxed_u32(cancelled_of(state), 0);
	state->in_ = (unsigned char)(in & SENNIT_CANCEL_ALL);
	state->out_ = (unsigned char)(out & SENNIT_CANCEL_ALL);
	if (!parent)
		return;
	if (!executor || !executor->runtime_)
		sennit__misuse(call, "the executor is not one of a runtime");
	state->runtime_ = executor->runtime_;
	sennit__cancel_attach(parent, sennit__runtime_place(executor), &of_state, state, true,
			      call);
}

struct sennit_cancel_slot *sennit_cancel_state_slot(struct sennit_cancel_state *state)
{
	return state->parent_ ? &state->child_.slot_ : NULL;
}

int sennit_cancel_state_cancelled(const struct sennit_cancel_state *state)
{
	return (int)sennit__load_acquire_u32(cancelled_of(state)); /* P1 */
}

void sennit_cancel_state_clear(struct sennit_cancel_state *state, int types)
{
	struct sennit__atomic_u32 *cancelled = cancelled_of(state);
	uint32_t found = sennit__load_relaxed_u32(cancelled); /* relaxed: the cas checks it */

	/* relaxed: it publishes nothing */
	while (!sennit__cas_relaxed_u32(cancelled, &found, found & ~(uint32_t)types))
		;
}

void sennit_cancel_state_finish(struct sennit_cancel_state *state, struct sennit_executor *executor,
				struct sennit_task *task, sennit_function *function)
{
	struct sennit_cancel_slot *parent = state->parent_;
	struct sennit_runtime *runtime = state->runtime_;

	if (parent && !sennit__cancel_detach(parent)) {
		/* a step is a unit of work, its operation between two steps is none: until what is
		 * in flight has arrived, the runtime must not go */
		state->executor_ = executor;
		state->task_ = task;
		state->finish_ = function;
		sennit__work_get(runtime, SENNIT__ABROAD);
		if (sennit__cancel_hold(parent))
			return;
		sennit__work_return(runtime);
	}
	sennit_post(executor, task, function);
}
