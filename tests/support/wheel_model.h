/* SPDX-License-Identifier: MIT */
/* wheel_model.h - the timer wheel beside a table that is searched: what comes out of the one must
 * be what the other says. For a unit test and a fuzz target, which choose what is done.
 *
 * Two orders are kept. What was armed for the future comes out by deadline, and by arming where
 * that is equal. What was due when it was armed comes out by arming.
 */
#ifndef SENNIT_TESTS_WHEEL_MODEL_H
#define SENNIT_TESTS_WHEEL_MODEL_H

#include "runtime/timer/wheel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHEEL_TIMERS 96

enum wheel_state { WHEEL_IDLE, WHEEL_UNSTAMPED, WHEEL_FUTURE, WHEEL_PAST };

struct wheel_timer {
	struct sennit__timer_node node;
	enum wheel_state state;
	uint64_t delay_ns;
	uint64_t deadline_ns;
	uint64_t armed; /* the how-manieth */
};

struct wheel_model {
	struct sennit__wheel wheel;
	struct wheel_timer timer[WHEEL_TIMERS];
	uint64_t now_ns;
	uint64_t arms;
	uint64_t future_arms;
};

#define WHEEL_EXPECT(x) ((x) ? (void)0 : wheel_failed(__LINE__, #x))

static inline void wheel_failed(int line, const char *text)
{
	fprintf(stderr, "wheel_model.h:%d: %s\n", line, text);
	abort();
}

static inline void wheel_model_init(struct wheel_model *m, uint64_t now_ns)
{
	memset(m, 0, sizeof *m);
	m->now_ns = now_ns;
	sennit__wheel_init(&m->wheel, now_ns);
}

static inline void wheel_model_set(struct wheel_model *m, struct wheel_timer *t,
				   uint64_t deadline_ns)
{
	t->deadline_ns = deadline_ns;
	t->armed = ++m->arms;
	if (deadline_ns <= m->now_ns)
		t->state = WHEEL_PAST;
	else if (deadline_ns == SENNIT__NEVER)
		t->state = WHEEL_IDLE;
	else
		t->state = WHEEL_FUTURE;
	m->future_arms += t->state == WHEEL_FUTURE;
}

static inline void wheel_model_disarm(struct wheel_model *m, unsigned index)
{
	struct wheel_timer *t = &m->timer[index % WHEEL_TIMERS];

	WHEEL_EXPECT(sennit__wheel_holds(&t->node) == (t->state != WHEEL_IDLE));
	if (t->state == WHEEL_IDLE)
		return;
	sennit__wheel_disarm(&m->wheel, &t->node);
	t->state = WHEEL_IDLE;
}

static inline void wheel_model_arm(struct wheel_model *m, unsigned index, uint64_t deadline_ns)
{
	struct wheel_timer *t = &m->timer[index % WHEEL_TIMERS];

	wheel_model_disarm(m, index);
	sennit__wheel_arm(&m->wheel, &t->node, deadline_ns);
	wheel_model_set(m, t, deadline_ns);
}

static inline void wheel_model_arm_after(struct wheel_model *m, unsigned index, uint64_t delay_ns)
{
	struct wheel_timer *t = &m->timer[index % WHEEL_TIMERS];

	wheel_model_disarm(m, index);
	sennit__wheel_arm_after(&m->wheel, &t->node, delay_ns);
	t->state = WHEEL_UNSTAMPED;
	t->delay_ns = delay_ns;
	t->armed = ++m->arms; /* so that they are stamped in order */
}

/* A stamp may be later than the last time that the wheel was told. */
static inline void wheel_model_stamp(struct wheel_model *m, uint64_t later_ns)
{
	uint64_t now_ns = sennit__clock_add(m->now_ns, later_ns);

	sennit__wheel_stamp(&m->wheel, now_ns);
	for (;;) {
		struct wheel_timer *first = NULL;

		for (unsigned i = 0; i < WHEEL_TIMERS; i++) {
			struct wheel_timer *t = &m->timer[i];

			if (t->state == WHEEL_UNSTAMPED && (!first || t->armed < first->armed))
				first = t;
		}
		if (!first)
			return;
		wheel_model_set(m, first, sennit__clock_add(now_ns, first->delay_ns));
	}
}

/* Takes what came out, and looks whether nothing should have come before it. */
static inline void wheel_model_check(const struct wheel_model *m, const struct wheel_timer *t)
{
	WHEEL_EXPECT(t->state == WHEEL_FUTURE || t->state == WHEEL_PAST);
	WHEEL_EXPECT(t->deadline_ns <= m->now_ns && t->node.deadline_ns_ == t->deadline_ns);
	WHEEL_EXPECT(!sennit__wheel_holds(&t->node));
	for (unsigned i = 0; i < WHEEL_TIMERS; i++) {
		const struct wheel_timer *u = &m->timer[i];

		if (u == t || u->state != t->state)
			continue;
		if (u->state == WHEEL_PAST || u->deadline_ns == t->deadline_ns)
			WHEEL_EXPECT(u->armed > t->armed);
		else
			WHEEL_EXPECT(u->deadline_ns > t->deadline_ns);
	}
}

/* `step_ns` passes; at most `budget` moves are made, and `most` are taken out. */
static inline void wheel_model_advance(struct wheel_model *m, uint64_t step_ns, unsigned budget,
				       unsigned most)
{
	struct sennit__timer_node *node;
	uint64_t moves = m->wheel.moves;
	uint64_t next_ns;

	m->now_ns = sennit__clock_add(m->now_ns, step_ns);
	sennit__wheel_advance(&m->wheel, m->now_ns, budget);
	WHEEL_EXPECT(m->wheel.moves - moves <= budget);
	WHEEL_EXPECT(m->wheel.moves <= m->future_arms * SENNIT__WHEEL_LEVELS);
	sennit__wheel_validate(&m->wheel);
	while (most-- && (node = sennit__wheel_take(&m->wheel))) {
		struct wheel_timer *t = (struct wheel_timer *)(void *)node;

		wheel_model_check(m, t);
		t->state = WHEEL_IDLE;
	}
	next_ns = sennit__wheel_next(&m->wheel);
	WHEEL_EXPECT((next_ns == 0) == sennit__wheel_late(&m->wheel));
	for (unsigned i = 0; i < WHEEL_TIMERS; i++) {
		const struct wheel_timer *t = &m->timer[i];

		if (t->state < WHEEL_FUTURE)
			continue;
		WHEEL_EXPECT(t->deadline_ns > m->now_ns || sennit__wheel_late(&m->wheel));
		WHEEL_EXPECT(next_ns <= t->deadline_ns ||
			     next_ns - t->deadline_ns < SENNIT__TICK_NS);
	}
}

#endif
