/* SPDX-License-Identifier: MIT */
/* wheel.c - the timer wheel: order, bounds, and a comparison with a table that is searched. */
#include "support.h"

#include "wheel_model.h"

#define MS ((uint64_t)1000000)
#define DAY (86400 * 1000 * MS)
#define ALL UINT32_MAX

static struct sennit__wheel wheel;

static unsigned taken(struct sennit__timer_node **last)
{
	struct sennit__timer_node *node;
	unsigned count = 0;

	while ((node = sennit__wheel_take(&wheel))) {
		*last = node;
		count++;
	}
	return count;
}

static void an_empty_wheel_waits_for_ever(void **state)
{
	struct sennit__timer_node *last;

	(void)state;
	sennit__wheel_init(&wheel, 5 * MS);
	assert_true(sennit__wheel_idle(&wheel));
	assert_true(sennit__wheel_next(&wheel) == SENNIT__NEVER);
	sennit__wheel_advance(&wheel, 100 * DAY, ALL);
	assert_int_equal(taken(&last), 0);
	assert_false(sennit__wheel_unstamped(&wheel));
}

static void a_timer_is_never_early_whatever_its_deadline(void **state)
{
	static const uint64_t deadlines[] = {
		1, MS, MS + 1, 63 * MS, 64 * MS, DAY, 3650 * DAY, 36500 * DAY, (uint64_t)1 << 31,
		(uint64_t)1 << 53, ((uint64_t)1 << 63) - 1, (uint64_t)1 << 63, UINT64_MAX - MS,
		UINT64_MAX - 1};
	struct sennit__timer_node node = {0}, *last = NULL;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(deadlines); i++) {
		uint64_t next_ns;

		sennit__wheel_init(&wheel, 0);
		sennit__wheel_arm(&wheel, &node, deadlines[i]);
		next_ns = sennit__wheel_next(&wheel);
		assert_true(next_ns >= deadlines[i] && next_ns - deadlines[i] < MS);
		assert_true(next_ns % MS == 0 || next_ns == SENNIT__NEVER);
		sennit__wheel_advance(&wheel, deadlines[i] - 1, ALL);
		assert_int_equal(taken(&last), 0);
		assert_true(sennit__wheel_holds(&node));
		sennit__wheel_advance(&wheel, deadlines[i], ALL);
		assert_int_equal(taken(&last), 1);
		assert_ptr_equal(last, &node);
		assert_false(sennit__wheel_holds(&node));
		assert_int_equal(wheel.moves, 1); /* alone, it goes from its list to the end */
	}
}

static void what_never_comes_is_not_held(void **state)
{
	struct sennit__timer_node node = {0};

	(void)state;
	sennit__wheel_init(&wheel, MS);
	sennit__wheel_arm(&wheel, &node, SENNIT__NEVER);
	assert_false(sennit__wheel_holds(&node));
	sennit__wheel_arm_after(&wheel, &node, SENNIT__NEVER - 1);
	assert_true(sennit__wheel_holds(&node));
	sennit__wheel_stamp(&wheel, 2 * MS); /* saturates */
	assert_false(sennit__wheel_holds(&node));
	assert_true(sennit__wheel_idle(&wheel));
}

static void what_has_passed_is_due_at_once(void **state)
{
	struct sennit__timer_node node[3] = {{0}}, *last = NULL;

	(void)state;
	sennit__wheel_init(&wheel, DAY);
	sennit__wheel_arm(&wheel, &node[0], DAY);
	sennit__wheel_arm(&wheel, &node[1], 0);
	sennit__wheel_arm(&wheel, &node[2], 1);
	assert_int_equal(sennit__wheel_next(&wheel), 0);
	sennit__wheel_disarm(&wheel, &node[1]);
	assert_ptr_equal(sennit__wheel_take(&wheel), &node[0]);
	assert_int_equal(taken(&last), 1);
	assert_ptr_equal(last, &node[2]);
}

static void a_delay_counts_from_the_stamp(void **state)
{
	struct sennit__timer_node node[2] = {{0}}, dated = {0}, *last = NULL;

	(void)state;
	sennit__wheel_init(&wheel, 0);
	sennit__wheel_arm_after(&wheel, &node[0], MS);
	sennit__wheel_arm_after(&wheel, &node[1], MS);
	sennit__wheel_date(&wheel, &dated, MS);
	assert_true(sennit__wheel_unstamped(&wheel));
	sennit__wheel_advance(&wheel, 5 * MS, ALL);
	assert_int_equal(taken(&last), 0);
	sennit__wheel_disarm(&wheel, &node[0]);
	sennit__wheel_stamp(&wheel, 7 * MS);
	assert_false(sennit__wheel_unstamped(&wheel));
	assert_false(sennit__wheel_holds(&dated));
	assert_true(dated.deadline_ns_ == 8 * MS && node[1].deadline_ns_ == 8 * MS);
	sennit__wheel_advance(&wheel, 8 * MS - 1, ALL);
	assert_int_equal(taken(&last), 0);
	sennit__wheel_advance(&wheel, 8 * MS, ALL);
	assert_int_equal(taken(&last), 1);
	assert_ptr_equal(last, &node[1]);
}

static void a_call_moves_no_more_than_its_budget(void **state)
{
	enum { COUNT = 1000 };
	struct sennit__timer_node node[COUNT] = {{0}}, *last = NULL;
	unsigned calls = 0;

	(void)state;
	sennit__wheel_init(&wheel, 0);
	for (unsigned i = 0; i < COUNT; i++)
		sennit__wheel_arm(&wheel, &node[i], DAY);
	do {
		uint64_t before = wheel.moves;

		sennit__wheel_advance(&wheel, DAY, 256);
		assert_true(wheel.moves - before <= 256);
		sennit__wheel_validate(&wheel);
		if (calls == 0) { /* the list is open: one that it holds, and one that is due */
			sennit__wheel_disarm(&wheel, &node[0]);
			sennit__wheel_disarm(&wheel, &node[COUNT - 1]);
		}
		calls++;
	} while (wheel.opened);
	assert_int_equal(calls, 4);
	for (unsigned i = 1; i < COUNT - 1; i++)
		assert_ptr_equal(sennit__wheel_take(&wheel), &node[i]);
	assert_int_equal(taken(&last), 0);
	assert_true(sennit__wheel_idle(&wheel));
}

static void nobody_is_woken_twice_for_a_timer(void **state)
{
	enum { COUNT = 500 };
	struct sennit__timer_node node[COUNT] = {{0}}, *last = NULL;
	unsigned wakes = 0, came = 0;

	(void)state;
	sennit__wheel_init(&wheel, 12345);
	for (unsigned i = 0; i < COUNT; i++) /* 7 ms to two hours, each in a tick of its own */
		sennit__wheel_arm(&wheel, &node[i], 7 * MS * (i + 1) * (i % 5 ? 1 : 2000));
	while (!sennit__wheel_idle(&wheel)) {
		sennit__wheel_advance(&wheel, sennit__wheel_next(&wheel), ALL);
		came += taken(&last);
		wakes++;
	}
	assert_int_equal(came, COUNT);
	assert_true(wakes <= COUNT);
}

static void a_list_of_disarmed_timers_wakes_nobody(void **state)
{
	struct sennit__timer_node node[64] = {{0}};

	(void)state;
	sennit__wheel_init(&wheel, 0);
	for (unsigned i = 0; i < 64; i++)
		sennit__wheel_arm(&wheel, &node[i], (i + 1) * 40 * MS);
	for (unsigned i = 0; i < 64; i++)
		sennit__wheel_disarm(&wheel, &node[i]);
	assert_int_equal(sennit__wheel_validate(&wheel), 0);
	assert_true(sennit__wheel_next(&wheel) == SENNIT__NEVER);
}

static uint64_t draw(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 32;
}

/* Any order of magnitude alike, and often the same few. */
static uint64_t draw_time(uint64_t *seed)
{
	unsigned power = (unsigned)(draw(seed) % 65);
	uint64_t time_ns = draw(seed) << 32 | draw(seed);

	if (draw(seed) % 4 == 0)
		return draw(seed) % 8 * 500000;
	return power ? time_ns >> (64 - power) : 0;
}

static void random_step(struct wheel_model *m, uint64_t *seed)
{
	unsigned timer = (unsigned)draw(seed);

	switch (draw(seed) % 10) {
	case 0:
		wheel_model_arm(m, timer, draw_time(seed));
		break;
	case 1:
	case 2:
	case 3:
		wheel_model_arm(m, timer, sennit__clock_add(m->now_ns, draw_time(seed)));
		break;
	case 4:
	case 5:
		wheel_model_arm_after(m, timer, draw_time(seed));
		break;
	case 6:
		wheel_model_disarm(m, timer);
		break;
	case 7:
		wheel_model_stamp(m, draw(seed) % 1000);
		break;
	case 8:
		wheel_model_advance(m, draw_time(seed) / 64, (unsigned)draw(seed) % 16,
				    (unsigned)draw(seed) % 16);
		break;
	default:
		wheel_model_advance(m, draw(seed) % 16 ? draw(seed) % (20 * MS) : DAY, 256, ALL);
	}
}

static void any_order_of_steps_gives_what_a_table_gives(void **state)
{
	static struct wheel_model m;
	uint64_t seed = 1;

	(void)state;
	for (unsigned round = 0; round < 40 * scale(); round++) {
		wheel_model_init(&m, draw_time(&seed) / 4);
		for (unsigned step = 0; step < 5000; step++)
			random_step(&m, &seed);
		progress();
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(an_empty_wheel_waits_for_ever),
		TEST(a_timer_is_never_early_whatever_its_deadline),
		TEST(what_never_comes_is_not_held),
		TEST(what_has_passed_is_due_at_once),
		TEST(a_delay_counts_from_the_stamp),
		TEST(a_call_moves_no_more_than_its_budget),
		TEST(nobody_is_woken_twice_for_a_timer),
		TEST(a_list_of_disarmed_timers_wakes_nobody),
		TEST(any_order_of_steps_gives_what_a_table_gives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
