/* SPDX-License-Identifier: MIT */
/* state.c - the cancellation of a composed operation: a target of its parent slot and the signal of
 * its steps.
 *
 * Callers     request, release: the owner. The rest: any thread that holds the state.
 * State       cancelled: the types let in. request | types; clear & ~types. What comes between two
 *             steps is kept by the slot of the steps for the next (slot.h).
 * Progress    lock-free (one compare-and-swap loop).
 * Orders      P1  take's cas (release) with cancelled's load (acquire): what the emitter did. A
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

/* Remembers and forwards what the filters let through; what they let in. */
static int take(struct sennit_cancel_state *state, int types)
{
	struct sennit__atomic_u32 *cancelled = cancelled_of(state);
	uint32_t let_in = (uint32_t)types & state->in_;
	uint32_t found = sennit__load_relaxed_u32(cancelled); /* relaxed: the cas checks it */

	if (!let_in)
		return SENNIT_CANCEL_NONE;
	while (!sennit__cas_release_u32(cancelled, &found, found | let_in)) /* P1 */
		;
	/* all that was let in so far: a step that began since has not heard of it */
	sennit__cancel_emit_or_keep(&state->child_.slot_, (int)((found | let_in) & state->out_));
	return (int)let_in;
}

static void request(void *target, int types)
{
	struct sennit_cancel_state *state = target;
	int let_in = take(state, types);

	if (let_in && state->function_)
		state->function_(state, let_in);
}

/* On the owner: both runtimes have waited for this. */
static void release(void *target)
{
	struct sennit_cancel_state *state = target;
	struct sennit_runtime *home = state->runtime_;
	struct sennit_runtime *there = state->executor_->runtime_;

	sennit_post(state->executor_, state->task_, state->finish_); /* which frees the state */
	if (there != home)
		sennit__work_return(there);
	sennit__work_return(home);
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
	take(state, sennit__cancel_attach(parent, sennit__runtime_place(executor), &of_state, state,
					  true, call));
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
	sennit__cancel_forget(&state->child_.slot_, types);
}

void sennit_cancel_state_finish(struct sennit_cancel_state *state, struct sennit_executor *executor,
				struct sennit_task *task, sennit_function *function)
{
	struct sennit_cancel_slot *parent = state->parent_;
	struct sennit_runtime *runtime = state->runtime_;

	if (sennit_cancel_slot_is_bound(&state->child_.slot_))
		sennit__misuse("sennit_cancel_state_finish", "a step is still in flight");
	if (parent && !sennit__cancel_detach(parent)) {
		/* a step is a unit of work, its operation between two steps is none: until what is
		 * in flight has arrived, neither runtime must go */
		struct sennit_runtime *there = executor->runtime_;

		state->executor_ = executor;
		state->task_ = task;
		state->finish_ = function;
		sennit__work_get(runtime, SENNIT__ABROAD);
		if (there != runtime)
			sennit__work_get(there, SENNIT__ABROAD);
		if (sennit__cancel_hold(parent))
			return;
		if (there != runtime)
			sennit__work_return(there);
		sennit__work_return(runtime);
	}
	sennit_post(executor, task, function);
}
