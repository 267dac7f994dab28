/* SPDX-License-Identifier: MIT */
/* litmus.c - the explorer against what the memory model is known to allow. */
#include "runtime/base/atomic.h"
#include "tests/model/explorer/explorer.h"

struct cells {
	struct sennit__atomic_u32 x;
	struct sennit__atomic_u32 y;
	uint32_t plain;
	uint32_t r[4];
};

static void sb_one(void *p)
{
	struct cells *c = p;

	sennit__store_release_u32(&c->x, 1);
	c->r[0] = sennit__load_acquire_u32(&c->y);
}

static void sb_two(void *p)
{
	struct cells *c = p;

	sennit__store_release_u32(&c->y, 1);
	c->r[1] = sennit__load_acquire_u32(&c->x);
}

static void store_buffering(void)
{
	struct cells *c = model_new(sizeof *c);

	model_thread(sb_one, c);
	model_thread(sb_two, c);
	model_join();
	model_outcome("%u%u", c->r[0], c->r[1]);
}

static void mp_write(void *p)
{
	struct cells *c = p;

	c->plain = 1;
	sennit__store_release_u32(&c->x, 1);
}

static void mp_read(void *p)
{
	struct cells *c = p;

	c->r[0] = sennit__load_acquire_u32(&c->x);
	if (c->r[0])
		c->r[1] = c->plain;
}

static void message_passing(void)
{
	struct cells *c = model_new(sizeof *c);

	model_thread(mp_write, c);
	model_thread(mp_read, c);
	model_join();
	model_outcome("%u%u", c->r[0], c->r[1]);
}

static void mp_read_relaxed(void *p)
{
	struct cells *c = p;

	c->r[0] = sennit__load_relaxed_u32(&c->x);
	if (c->r[0])
		c->r[1] = c->plain;
}

static void message_passing_relaxed(void)
{
	struct cells *c = model_new(sizeof *c);

	model_thread(mp_write, c);
	model_thread(mp_read_relaxed, c);
	model_join();
}

const struct model_scenario model_scenarios[] = {
	{.name = "store_buffering", .run = store_buffering, .preemptions = MODEL_ALL,
	 .outcomes = "00 01 10 11"},
	{.name = "message_passing", .run = message_passing, .preemptions = MODEL_ALL,
	 .outcomes = "00 11"},
	{.name = "message_passing_relaxed", .run = message_passing_relaxed,
	 .preemptions = MODEL_ALL, .fails = "data race"},
	{0},
};
