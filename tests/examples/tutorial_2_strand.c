/* SPDX-License-Identifier: MIT */
/* tutorial_2_strand.c - three clocks on as many threads as there are cores, and one count. */
#include <sennit/sennit.h>
#include <stdio.h>

#define CLOCKS 3
#define TICKS  12

struct clock {
	struct sennit_timer timer;
	struct sennit_op op;
	uint64_t period_ns;
};

static struct clock clocks[CLOCKS];
static struct sennit_strand strand;
static unsigned ticks; /* of all clocks: touched inside the strand only */

static sennit_handler on_tick;

static void wait_for_tick(struct clock *clock)
{
	sennit_timer_expires_after(&clock->timer, clock->period_ns);
	sennit_timer_async_wait(&clock->timer, &clock->op, on_tick);
}

/* In the strand. A tick that was due before the clocks were closed still arrives, without an
 * error. */
static void on_tick(struct sennit_op *op, int error, size_t bytes)
{
	struct clock *clock = op->user;

	(void)bytes;
	if (error || ticks == TICKS)
		return;
	printf("tick %u of clock %td\n", ++ticks, clock - clocks);
	if (ticks < TICKS) {
		wait_for_tick(clock);
		return;
	}
	for (unsigned i = 0; i < CLOCKS; i++)
		sennit_timer_close(&clocks[i].timer);
}

int main(void)
{
	struct sennit_runtime *runtime;

	if (sennit_runtime_create(NULL, &runtime) || sennit_runtime_start(runtime))
		return 1;
	sennit_strand_init(&strand, sennit_runtime_executor(runtime));
	for (unsigned i = 0; i < CLOCKS; i++) {
		struct clock *clock = &clocks[i];

		if (sennit_timer_init(&clock->timer, sennit_runtime_next_worker(runtime)))
			return 1;
		clock->period_ns = SENNIT_MS(10 * (i + 1));
		clock->op.user = clock;
		sennit_op_bind_executor(&clock->op, sennit_strand_executor(&strand));
	}
	for (unsigned i = 0; i < CLOCKS; i++)
		wait_for_tick(&clocks[i]);
	sennit_runtime_join(runtime); /* returns when there is nothing left to wait for */
	sennit_strand_fini(&strand);
	sennit_runtime_destroy(runtime);
}
