/* SPDX-License-Identifier: MIT */
/* timer.c - timer_arm_cancel: arm, cancel and handler, while others are pending; timer_expire: from
 * arming to the handler, without the time in between. */
#include "perf/micro/sennit.h"

enum { BATCH = 1000 /* timers that expire together */ };

static const uint64_t hour_ns = 3600U * UINT64_C(1000000000);
static const uint64_t batch_ns = 1000000;

/* A timer and the operation that waits for it. */
struct wait {
	struct sennit_timer timer;
	struct sennit_op op;
};

static struct wait *make_waits(size_t count, struct sennit_executor *executor, void *user)
{
	struct wait *waits = micro_allocate(count, sizeof *waits);

	for (size_t i = 0; i < count; i++) {
		micro_check(sennit_timer_init(&waits[i].timer, executor), "sennit_timer_init");
		waits[i].op.user = user;
	}
	return waits;
}

static void arm(struct wait *wait, uint64_t expiry_ns, sennit_handler *handler)
{
	sennit_timer_expires_at(&wait->timer, expiry_ns);
	sennit_timer_async_wait(&wait->timer, &wait->op, handler);
}

static void close_waits(struct wait *waits, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sennit_timer_close(&waits[i].timer);
}

/* --- timer_arm_cancel ------------------------------------------------------------------------- */

struct arm_cancel {
	_Alignas(128) struct micro_part part;
	struct wait *own;
	struct wait *earlier;
	uint64_t count; /* of the earlier ones */
};

static void on_earlier(struct sennit_op *op, int error, size_t bytes)
{
	(void)op;
	(void)error;
	(void)bytes;
}

static sennit_handler on_cancelled;

static void arm_and_cancel(struct wait *own)
{
	sennit_timer_expires_after(&own->timer, 2 * hour_ns);
	sennit_timer_async_wait(&own->timer, &own->op, on_cancelled);
	sennit_timer_cancel(&own->timer);
}

static void on_cancelled(struct sennit_op *op, int error, size_t bytes)
{
	struct arm_cancel *all = op->user;

	(void)bytes;
	micro_require(error == -ECANCELED, "a wait", "it was not cancelled");
	if (--all->part.operations)
		arm_and_cancel(all->own);
	else
		micro_part_done(&all->part);
}

static void set_up_earlier(struct micro_part *part)
{
	struct arm_cancel *all = (struct arm_cancel *)(void *)part;
	uint64_t now_ns = sennit_now();

	all->own = make_waits(1, part->executor, all);
	all->count = part->run->parameter / part->run->workers;
	all->earlier = make_waits(all->count, part->executor, all);
	for (uint64_t i = 0; i < all->count; i++)
		arm(&all->earlier[i], now_ns + hour_ns + i * 1000, on_earlier);
	micro_part_done(part);
}

static void start_arm_cancel(struct micro_part *part)
{
	arm_and_cancel(((struct arm_cancel *)(void *)part)->own);
}

static void close_earlier(struct micro_part *part)
{
	struct arm_cancel *all = (struct arm_cancel *)(void *)part;

	close_waits(all->own, 1);
	close_waits(all->earlier, all->count);
	micro_part_done(part);
}

static void free_earlier(struct micro_part *part)
{
	free(((struct arm_cancel *)(void *)part)->own);
	free(((struct arm_cancel *)(void *)part)->earlier);
}

/* Parameter: timers that are pending and expire earlier. */
void micro_timer_arm_cancel(struct micro_run *run)
{
	static const struct micro_stages stages = { {
	    set_up_earlier,
	    start_arm_cancel,
	    close_earlier,
	} };

	micro_run_parts(run, &stages, sizeof(struct arm_cancel), free_earlier);
}

/* --- timer_expire ----------------------------------------------------------------------------- */

struct expire {
	_Alignas(128) struct micro_part part;
	struct wait *waits;
	uint64_t pending;
	uint64_t slept_ns;
};

static sennit_handler on_expired;

/* Arms a batch and sleeps until all of it is due. */
static void start_batch(struct micro_part *part)
{
	struct expire *all = (struct expire *)(void *)part;
	uint64_t now_ns = sennit_now();
	uint64_t begin_ns;

	all->pending = part->operations < BATCH ? part->operations : BATCH;
	part->operations -= all->pending;
	for (uint64_t i = 0; i < all->pending; i++)
		arm(&all->waits[i], now_ns + micro_spread(i, batch_ns), on_expired);
	begin_ns = micro_now();
	micro_sleep(3 * (long)batch_ns);
	all->slept_ns += micro_now() - begin_ns;
}

static void on_expired(struct sennit_op *op, int error, size_t bytes)
{
	struct expire *all = op->user;

	(void)bytes;
	micro_check(error, "a timer");
	if (--all->pending)
		return;
	if (all->part.operations)
		start_batch(&all->part);
	else
		micro_part_done(&all->part);
}

static void set_up_expire(struct micro_part *part)
{
	struct expire *all = (struct expire *)(void *)part;

	all->waits = make_waits(BATCH, part->executor, all);
	micro_part_done(part);
}

static void close_expire(struct micro_part *part)
{
	close_waits(((struct expire *)(void *)part)->waits, BATCH);
	micro_part_done(part);
}

static void free_expire(struct micro_part *part)
{
	struct expire *all = (struct expire *)(void *)part;

	part->run->ns -= all->slept_ns / part->run->workers;
	free(all->waits);
}

void micro_timer_expire(struct micro_run *run)
{
	static const struct micro_stages stages = { { set_up_expire, start_batch, close_expire } };

	micro_run_parts(run, &stages, sizeof(struct expire), free_expire);
}
