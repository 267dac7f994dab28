/* SPDX-License-Identifier: MIT */
/* cancel.c - cancel_emit: from the emission of a signal to the handler of the wait for a timer that
 * it cancels. */
#include "perf/micro/sennit.h"

#include <stdatomic.h>

struct emit {
	_Alignas(128) struct micro_part part;
	struct sennit_timer timer;
	struct sennit_op op;
	struct sennit_cancel_signal signal;
	pthread_t emitter;
	uint64_t operations;
	_Alignas(128) _Atomic uint64_t armed; /* waits begun; the worker writes */
};

static sennit_handler on_emitted;

static void arm(struct emit *emit)
{
	uint64_t armed = atomic_load_explicit(&emit->armed, memory_order_relaxed);

	sennit_op_bind_slot(&emit->op, sennit_cancel_signal_slot(&emit->signal));
	sennit_timer_async_wait(&emit->timer, &emit->op, on_emitted);
	if (emit->part.run->parameter)
		atomic_store_explicit(&emit->armed, armed + 1, memory_order_release);
	else
		sennit_cancel_signal_emit(&emit->signal, SENNIT_CANCEL_TERMINAL);
}

static void on_emitted(struct sennit_op *op, int error, size_t bytes)
{
	struct emit *emit = op->user;

	(void)bytes;
	micro_require(error == -ECANCELED, "a wait", "it was not cancelled");
	if (--emit->part.operations)
		arm(emit);
	else
		micro_part_done(&emit->part);
}

/* The other thread: emits as often as a wait has begun. */
static void *emit_all(void *argument)
{
	struct emit *emit = argument;

	for (uint64_t i = 0; i < emit->operations; i++) {
		while (atomic_load_explicit(&emit->armed, memory_order_acquire) == i)
			sched_yield();
		sennit_cancel_signal_emit(&emit->signal, SENNIT_CANCEL_TERMINAL);
	}
	return NULL;
}

static void set_up(struct micro_part *part)
{
	struct emit *emit = (struct emit *)(void *)part;

	micro_check(sennit_timer_init(&emit->timer, part->executor), "sennit_timer_init");
	sennit_timer_expires_after(&emit->timer, 3600U * UINT64_C(1000000000));
	emit->op.user = emit;
	emit->operations = part->operations;
	if (part->run->parameter)
		micro_check(-pthread_create(&emit->emitter, NULL, emit_all, emit), "a thread");
	micro_part_done(part);
}

static void start(struct micro_part *part)
{
	arm((struct emit *)(void *)part);
}

static void clean_up(struct micro_part *part)
{
	struct emit *emit = (struct emit *)(void *)part;

	if (part->run->parameter)
		pthread_join(emit->emitter, NULL);
	sennit_timer_close(&emit->timer);
	micro_part_done(part);
}

static void leave(struct micro_part *part)
{
	part->run->threads += part->run->parameter;
}

/* Parameter 0: the worker itself emits; 1: another thread. */
void micro_cancel_emit(struct micro_run *run)
{
	static const struct micro_stages stages = { { set_up, start, clean_up } };

	micro_run_parts(run, &stages, sizeof(struct emit), leave);
}
