/* SPDX-License-Identifier: MIT */
/* atomic.h - the one place where the tree touches an atomic.
 *
 * Three families, u32, u64 and ptr, each with the operations that the library needs, named by their
 * memory order. Backends, chosen when the library is compiled:
 *
 *   atomic_ck.h        Concurrency Kit's ck_pr: production.
 *   atomic_builtins.h  the compiler's __atomic functions: sanitizers, which cannot see into ck_pr.
 *   (a third)          defines SENNIT_ATOMICS_HEADER as the header to include instead: the
 *   explorer.
 *
 *   load_relaxed   load_acquire   store_relaxed   store_release
 *   exchange_acquire   exchange_acq_rel
 *   cas_relaxed / cas_release / cas_acquire / cas_acq_rel (atomic, &expected, desired) -> bool
 *                                 strong; where it fails, `expected` is what was found, read
 *                                 relaxed
 *   fetch_add_relaxed / fetch_add_release
 *
 * fence_full(word) orders everything before it, stores included, against every load after it. It is
 * the idle protocol's alone. On x86 it is a locked read-modify-write on `word`, which must be the
 * calling thread's own (mfence costs eight times as much); elsewhere a fence.
 *
 * stall() is what a loop calls that waits for another thread's store.
 *
 * tally_u64(counter, v) adds to a number that only the calling thread writes, and of which others
 * load_relaxed what it was a moment ago: no read-modify-write, one plain instruction.
 *
 * Progress: every operation is wait-free on machines with the instruction, lock-free otherwise.
 */
#ifndef SENNIT_RUNTIME_BASE_ATOMIC_H
#define SENNIT_RUNTIME_BASE_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

struct sennit__atomic_u32 {
	uint32_t value;
};

struct sennit__atomic_u64 {
	uint64_t value;
};

struct sennit__atomic_ptr {
	void *value;
};

#if defined(SENNIT_ATOMICS_HEADER)
#include SENNIT_ATOMICS_HEADER
#elif defined(SENNIT_ATOMICS_BUILTINS)
#include "runtime/base/atomic_builtins.h"
#else
#include "runtime/base/atomic_ck.h"
#endif

#endif
