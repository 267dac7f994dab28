/* SPDX-License-Identifier: MIT */
/* wheel.c - see wheel.h. */
#include "runtime/timer/wheel.h"

#include "runtime/base/misuse.h"

#include <stddef.h>
#include <string.h>

/* --- lists: circular, with the ends in the wheel ---------------------------------------------- */

static void make_empty(struct sennit__timer_node *ends)
{
	ends->next_ = ends->prev_ = ends;
}

static bool is_empty(const struct sennit__timer_node *ends)
{
	return ends->next_ == ends;
}

static void append(struct sennit__timer_node *ends, struct sennit__timer_node *node)
{
	struct sennit__timer_node *last = ends->prev_;

	node->next_ = ends;
	node->prev_ = last;
	last->next_ = node;
	ends->prev_ = node;
}

static void unlink_node(struct sennit__timer_node *node)
{
	node->next_->prev_ = node->prev_;
	node->prev_->next_ = node->next_;
	node->prev_ = NULL;
}

/* --- levels ----------------------------------------------------------------------------------- */

static unsigned level_of(uint64_t deadline_ns, uint64_t base_ns)
{
	return (63u - (unsigned)__builtin_clzll(deadline_ns ^ base_ns)) / SENNIT__WHEEL_BITS;
}

static unsigned digit_of(uint64_t deadline_ns, unsigned level)
{
	return (unsigned)(deadline_ns >> level * SENNIT__WHEEL_BITS) & (SENNIT__WHEEL_LISTS - 1);
}

/* Puts a node into the list where it belongs seen from `base_ns`, which is before its deadline. */
static void place(struct sennit__wheel *wheel, struct sennit__timer_node *node, uint64_t base_ns)
{
	unsigned level = level_of(node->deadline_ns_, base_ns);
	unsigned digit = digit_of(node->deadline_ns_, level);
	struct sennit__timer_node *ends = &wheel->list[level][digit];

	if (!(wheel->lists[level] >> digit & 1)) {
		wheel->lists[level] |= (uint64_t)1 << digit;
		wheel->levels |= 1u << level;
		make_empty(ends);
		ends->deadline_ns_ = node->deadline_ns_;
	} else if (node->deadline_ns_ < ends->deadline_ns_) {
		ends->deadline_ns_ = node->deadline_ns_;
	}
	append(ends, node);
}

/* Takes a node out of whatever list it is in. */
static void take_out(struct sennit__wheel *wheel, struct sennit__timer_node *node)
{
	const struct sennit__timer_node *first = &wheel->list[0][0];
	const struct sennit__timer_node *ends = node->next_;
	size_t index;

	unlink_node(node);
	/* The last of a list has its ends on both sides, which tell where it is by their place. */
	if (!is_empty(ends) || (uintptr_t)ends < (uintptr_t)first ||
	    (uintptr_t)ends >= (uintptr_t)(wheel + 1))
		return;
	index = (size_t)(ends - first);
	wheel->lists[index / SENNIT__WHEEL_LISTS] &=
		~((uint64_t)1 << index % SENNIT__WHEEL_LISTS);
	if (!wheel->lists[index / SENNIT__WHEEL_LISTS])
		wheel->levels &= ~(1u << index / SENNIT__WHEEL_LISTS);
}

/* The list with what comes first; there must be one. */
static const struct sennit__timer_node *first_list(const struct sennit__wheel *wheel,
						   unsigned *level)
{
	*level = (unsigned)__builtin_ctz(wheel->levels);
	return &wheel->list[*level][__builtin_ctzll(wheel->lists[*level])];
}

/* A time before which nothing in the list is due; exact where it holds one node. */
static uint64_t earliest(const struct sennit__timer_node *ends)
{
	return ends->next_ == ends->prev_ ? ends->next_->deadline_ns_ : ends->deadline_ns_;
}

/* --- arming ----------------------------------------------------------------------------------- */

void sennit__wheel_init(struct sennit__wheel *wheel, uint64_t now_ns)
{
	wheel->base_ns = wheel->now_ns = now_ns;
	wheel->opened_ns = 0;
	wheel->opened = NULL;
	make_empty(&wheel->due);
	make_empty(&wheel->arming);
	make_empty(&wheel->dating);
	wheel->moves = 0;
	wheel->levels = 0;
	memset(wheel->lists, 0, sizeof wheel->lists);
}

void sennit__wheel_arm(struct sennit__wheel *wheel, struct sennit__timer_node *node,
		       uint64_t deadline_ns)
{
	SENNIT__ASSERT(!sennit__wheel_holds(node));
	node->deadline_ns_ = deadline_ns;
	if (deadline_ns <= wheel->now_ns) {
		append(&wheel->due, node);
	} else if (deadline_ns != SENNIT__NEVER) {
		if (!wheel->levels) { /* nothing is in order with what they were */
			wheel->base_ns = wheel->now_ns;
			wheel->opened = NULL;
		}
		place(wheel, node, wheel->base_ns);
	}
}

void sennit__wheel_arm_after(struct sennit__wheel *wheel, struct sennit__timer_node *node,
			     uint64_t delay_ns)
{
	SENNIT__ASSERT(!sennit__wheel_holds(node));
	node->deadline_ns_ = delay_ns;
	append(&wheel->arming, node);
}

void sennit__wheel_date(struct sennit__wheel *wheel, struct sennit__timer_node *node,
			uint64_t delay_ns)
{
	SENNIT__ASSERT(!sennit__wheel_holds(node));
	node->deadline_ns_ = delay_ns;
	append(&wheel->dating, node);
}

void sennit__wheel_disarm(struct sennit__wheel *wheel, struct sennit__timer_node *node)
{
	SENNIT__ASSERT(sennit__wheel_holds(node));
	take_out(wheel, node);
}

void sennit__wheel_stamp(struct sennit__wheel *wheel, uint64_t now_ns)
{
	struct sennit__timer_node *node;

	while ((node = wheel->dating.next_) != &wheel->dating) {
		unlink_node(node);
		node->deadline_ns_ = sennit__clock_add(now_ns, node->deadline_ns_);
	}
	while ((node = wheel->arming.next_) != &wheel->arming) {
		unlink_node(node);
		sennit__wheel_arm(wheel, node, sennit__clock_add(now_ns, node->deadline_ns_));
	}
}

/* --- time passes ------------------------------------------------------------------------------ */

/* Moves base as far as it can go without a list being opened. */
static void move_base(struct sennit__wheel *wheel, const struct sennit__timer_node *ends,
		      unsigned level)
{
	unsigned shift = level * SENNIT__WHEEL_BITS;
	uint64_t limit = ends->deadline_ns_ >> shift << shift; /* where the list begins */

	limit = limit > wheel->now_ns ? wheel->now_ns : limit - 1;
	if (limit > wheel->base_ns)
		wheel->base_ns = limit;
}

/* Opens the list with what comes first, where something in it may be due. */
static bool open_list(struct sennit__wheel *wheel)
{
	unsigned level;
	const struct sennit__timer_node *ends = first_list(wheel, &level);
	uint64_t first_ns = earliest(ends);

	if (first_ns > wheel->now_ns) {
		move_base(wheel, ends, level);
		return false;
	}
	wheel->opened = ends->next_->prev_;
	wheel->opened_ns = first_ns;
	return true;
}

/* Empties the opened list as far as the budget goes, and closes it where that is far enough. */
static void empty_opened(struct sennit__wheel *wheel, unsigned *budget)
{
	size_t index = (size_t)(wheel->opened - &wheel->list[0][0]);
	const uint64_t *lists = &wheel->lists[index / SENNIT__WHEEL_LISTS];

	while (*lists >> index % SENNIT__WHEEL_LISTS & 1) {
		struct sennit__timer_node *node = wheel->opened->next_;

		if (!*budget)
			return;
		--*budget;
		wheel->moves++;
		take_out(wheel, node);
		if (node->deadline_ns_ == wheel->opened_ns)
			append(&wheel->due, node);
		else
			place(wheel, node, wheel->opened_ns);
	}
	wheel->base_ns = wheel->opened_ns;
	wheel->opened = NULL;
}

void sennit__wheel_advance(struct sennit__wheel *wheel, uint64_t now_ns, unsigned budget)
{
	if (now_ns > wheel->now_ns)
		wheel->now_ns = now_ns;
	while (wheel->levels && (wheel->opened || open_list(wheel))) {
		empty_opened(wheel, &budget);
		if (wheel->opened)
			return;
	}
	if (!wheel->levels)
		wheel->opened = NULL;
}

struct sennit__timer_node *sennit__wheel_take(struct sennit__wheel *wheel)
{
	struct sennit__timer_node *node = wheel->due.next_;

	if (node == &wheel->due)
		return NULL;
	unlink_node(node);
	return node;
}

uint64_t sennit__wheel_next(const struct sennit__wheel *wheel)
{
	unsigned level;
	uint64_t first_ns;
	uint64_t into;

	if (sennit__wheel_late(wheel))
		return 0;
	if (!wheel->levels)
		return SENNIT__NEVER;
	first_ns = earliest(first_list(wheel, &level));
	into = first_ns % SENNIT__TICK_NS;
	return into ? sennit__clock_add(first_ns, SENNIT__TICK_NS - into) : first_ns;
}

/* --- validate --------------------------------------------------------------------------------- */

static void must(bool holds, const char *sentence)
{
	if (!holds)
		sennit__misuse("sennit__wheel_validate", sentence);
}

/* Links, levels and bounds of a list that is not empty. */
static unsigned validate_list(const struct sennit__wheel *wheel, unsigned level, unsigned digit)
{
	const struct sennit__timer_node *ends = &wheel->list[level][digit];
	size_t opened = wheel->opened ? (size_t)(wheel->opened - &wheel->list[0][0]) : 0;
	bool below = wheel->opened && level < opened / SENNIT__WHEEL_LISTS;
	uint64_t base_ns = below ? wheel->opened_ns : wheel->base_ns;
	unsigned count = 0;

	must(ends->next_ != ends, "a list that is said not to be empty is");
	for (const struct sennit__timer_node *node = ends->next_; node != ends;
	     node = node->next_, count++) {
		must(node->next_->prev_ == node, "a node is not linked both ways");
		must(node->deadline_ns_ > base_ns, "a deadline is not after the base");
		must(node->deadline_ns_ >= ends->deadline_ns_, "a deadline is before its list's");
		must(level_of(node->deadline_ns_, base_ns) == level &&
			     digit_of(node->deadline_ns_, level) == digit,
		     "a node is in a list that is not its own");
	}
	return count;
}

unsigned sennit__wheel_validate(const struct sennit__wheel *wheel)
{
	unsigned count = 0;

	must(wheel->base_ns <= wheel->now_ns, "the base is in the future");
	must(!wheel->opened || wheel->opened_ns <= wheel->now_ns,
	     "a list was opened before its time");
	for (unsigned level = 0; level < SENNIT__WHEEL_LEVELS; level++) {
		must((wheel->lists[level] != 0) == (wheel->levels >> level & 1),
		     "a level's lists are not known of");
		for (unsigned digit = 0; digit < SENNIT__WHEEL_LISTS; digit++)
			if (wheel->lists[level] >> digit & 1)
				count += validate_list(wheel, level, digit);
	}
	for (const struct sennit__timer_node *node = wheel->due.next_; node != &wheel->due;
	     node = node->next_, count++) {
		must(node->next_->prev_ == node, "a node is not linked both ways");
		must(node->deadline_ns_ <= wheel->now_ns, "a node is due before its time");
	}
	return count;
}
