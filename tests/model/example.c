/* SPDX-License-Identifier: MIT */
/* example.c - the model test that README.md builds up: a mailbox whose reader sleeps. */
#include "runtime/base/atomic.h"
#include "runtime/base/futex.h"
#include "tests/model/explorer/explorer.h"

struct mailbox {
	int letter; /* plain: full says whose it is */
	struct sennit__atomic_u32 full;
	struct sennit__atomic_u32 asleep;
	struct sennit__atomic_u32 fence; /* what a full fence works on */
};

static void put(struct mailbox *m, int letter)
{
	m->letter = letter;
	sennit__store_release_u32(&m->full, 1);
	sennit__fence_full(&m->fence);
	if (sennit__load_acquire_u32(&m->asleep)) {
		sennit__store_release_u32(&m->asleep, 0);
		sennit__futex_wake_all(&m->asleep);
	}
}

/* Looks, then says that it sleeps: a letter that comes in between wakes nobody. */
static int take_carelessly(struct mailbox *m)
{
	while (!sennit__load_acquire_u32(&m->full)) {
		sennit__store_release_u32(&m->asleep, 1);
		sennit__futex_wait(&m->asleep, 1, -1);
	}
	return m->letter;
}

/* Says that it sleeps, then looks again. */
static int take(struct mailbox *m)
{
	while (!sennit__load_acquire_u32(&m->full)) {
		sennit__store_release_u32(&m->asleep, 1);
		sennit__fence_full(&m->fence);
		if (sennit__load_acquire_u32(&m->full))
			break;
		sennit__futex_wait(&m->asleep, 1, -1);
	}
	return m->letter;
}

static void send_letter(void *argument)
{
	put(argument, 42);
}

static void careless_reader(void)
{
	struct mailbox *m = model_new(sizeof *m);

	model_thread(send_letter, m);
	model_assert(take_carelessly(m) == 42);
	model_join();
}

static void careful_reader(void)
{
	struct mailbox *m = model_new(sizeof *m);

	model_thread(send_letter, m);
	model_assert(take(m) == 42);
	model_join();
}

const struct model_scenario model_scenarios[] = {
	{.name = "a_careless_reader_sleeps_for_ever",
	 .run = careless_reader,
	 .preemptions = MODEL_ALL,
	 .fails = "a wake-up was lost"},
	{.name = "a_careful_reader_gets_its_letter",
	 .run = careful_reader,
	 .preemptions = MODEL_ALL},
	{0},
};
