/* SPDX-License-Identifier: MIT */
/* tutorial_1_timer.c - a clock that ticks three times. */
#include <sennit/sennit.h>
#include <stdio.h>

struct clock {
	struct sennit_timer timer;
	struct sennit_op op;
	unsigned ticks;
};

static void on_tick(struct sennit_op *op, int error, size_t bytes)
{
	struct clock *clock = op->user;

	(void)bytes;
	if (error)
		return;
	printf("tick %u\n", ++clock->ticks);
	if (clock->ticks == 3) {
		sennit_timer_close(&clock->timer);
		return;
	}
	sennit_timer_expires_at(&clock->timer, sennit_timer_expiry(&clock->timer) + SENNIT_MS(100));
	sennit_timer_async_wait(&clock->timer, op, on_tick);
}

int main(void)
{
	struct sennit_runtime *runtime;
	struct clock clock = { 0 };

	if (sennit_runtime_create(NULL, &runtime) ||
	    sennit_timer_init(&clock.timer, sennit_runtime_executor(runtime)))
		return 1;
	clock.op.user = &clock;
	sennit_timer_expires_after(&clock.timer, SENNIT_MS(100));
	sennit_timer_async_wait(&clock.timer, &clock.op, on_tick);
	sennit_runtime_run(runtime); /* returns when there is nothing left to wait for */
	sennit_runtime_destroy(runtime);
}
