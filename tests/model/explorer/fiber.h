/* SPDX-License-Identifier: MIT */
/* fiber.h - several stacks in one thread. */
#ifndef SENNIT_TESTS_MODEL_FIBER_H
#define SENNIT_TESTS_MODEL_FIBER_H

#include <stddef.h>

struct fiber;

/* The fiber that the process began with. */
struct fiber *fiber_first(void);

/* A fiber on this stack; the stack's memory holds it. It can be made anew at any time. */
struct fiber *fiber_make(void *stack, size_t size, void (*function)(void));

/* Leaves `from`, which is the one that runs, for `to`. */
void fiber_switch(struct fiber *from, struct fiber *to);

#endif
