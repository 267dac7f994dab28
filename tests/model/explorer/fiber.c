/* SPDX-License-Identifier: MIT */
/* fiber.c - see fiber.h. The instruction sequence where it is known, ucontext elsewhere, which asks
 * the kernel twice for each switch.
 */
#include "tests/model/explorer/fiber.h"

#if defined(__x86_64__)

#include <stdint.h>

struct fiber {
	void *stack; /* where what a call must preserve was put */
};

static struct fiber first;

void explorer_fiber_swap(void **from, void *to);

__asm__(".text\n"
	".globl explorer_fiber_swap\n"
	".type explorer_fiber_swap, @function\n"
	"explorer_fiber_swap:\n"
	"	pushq %rbp\n"
	"	pushq %rbx\n"
	"	pushq %r12\n"
	"	pushq %r13\n"
	"	pushq %r14\n"
	"	pushq %r15\n"
	"	movq %rsp, (%rdi)\n"
	"	movq %rsi, %rsp\n"
	"	popq %r15\n"
	"	popq %r14\n"
	"	popq %r13\n"
	"	popq %r12\n"
	"	popq %rbx\n"
	"	popq %rbp\n"
	"	ret\n"
	".size explorer_fiber_swap, . - explorer_fiber_swap\n");

struct fiber *fiber_first(void)
{
	return &first;
}

struct fiber *fiber_make(void *stack, size_t size, void (*function)(void))
{
	struct fiber *fiber = stack;
	uintptr_t top = ((uintptr_t)stack + size) & ~(uintptr_t)15;
	void **frame = (void **)(top - 64);

	/* six registers, then where to go; a function is entered 8 bytes off 16 */
	for (int i = 0; i < 6; i++)
		frame[i] = NULL;
	frame[6] = (void *)(uintptr_t)function;
	frame[7] = NULL;
	fiber->stack = frame;
	return fiber;
}

void fiber_switch(struct fiber *from, struct fiber *to)
{
	explorer_fiber_swap(&from->stack, to->stack);
}

#else

#include <ucontext.h>

struct fiber {
	ucontext_t context;
};

static struct fiber first;

struct fiber *fiber_first(void)
{
	return &first;
}

struct fiber *fiber_make(void *stack, size_t size, void (*function)(void))
{
	struct fiber *fiber = stack;

	getcontext(&fiber->context);
	fiber->context.uc_stack.ss_sp = (char *)stack + sizeof *fiber;
	fiber->context.uc_stack.ss_size = size - sizeof *fiber;
	fiber->context.uc_link = NULL;
	makecontext(&fiber->context, function, 0);
	return fiber;
}

void fiber_switch(struct fiber *from, struct fiber *to)
{
	swapcontext(&from->context, &to->context);
}

#endif
