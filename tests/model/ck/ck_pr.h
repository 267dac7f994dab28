/* SPDX-License-Identifier: MIT */
/* ck_pr.h - Concurrency Kit's operations over the explorer; comes before the installed header of
 * this name, so that CK's inline structures are explored as they are.
 *
 * Loads, stores and atomics are relaxed and each fence is what its name says, as on machines where
 * atomics do not serialize (CK_MD_RMO): load and acquire fences are acquire, store and release
 * fences are release, which is a little more than some machines give. But loads of numbers are
 * acquire: ck_ring.h leaves it to the branch on a number to keep later stores behind its load, as
 * machines do and C11 does not. Here is what ck_stack.h, ck_fifo.h, ck_ring.h and what they include
 * need, no more.
 */
#ifndef CK_PR_H
#define CK_PR_H

#include "tests/model/explorer/atomics.h"
#include "tests/model/explorer/explorer.h"

#include <ck_cc.h>
#include <ck_limits.h>
#include <ck_md.h>
#include <ck_stdbool.h>
#include <ck_stdint.h>

#define CK_F_PR_CAS_PTR_2
#define CK_F_PR_CAS_PTR_2_VALUE

#define EXPLORER_CK_SITE(NAME) EXPLORER_SITE(#NAME, RELAXED)
#define EXPLORER_CK_WORD(X)    ((uint64_t)(uintptr_t)(X))

/* --- fences ----------------------------------------------------------------------------------- */

#define ck_pr_barrier()            ((void)0)
#define ck_pr_stall()              model_yield()
#define ck_pr_fence_load()         explorer_fence_acquire()
#define ck_pr_fence_load_depends() ((void)0)
#define ck_pr_fence_acquire()      explorer_fence_acquire()
#define ck_pr_fence_lock()         explorer_fence_acquire()
#define ck_pr_fence_store()        explorer_fence_release()
#define ck_pr_fence_store_atomic() explorer_fence_release()
#define ck_pr_fence_release()      explorer_fence_release()
#define ck_pr_fence_unlock()       explorer_fence_release()
#define ck_pr_fence_atomic()       explorer_fence_acq_rel()
#define ck_pr_fence_memory()       explorer_fence(EXPLORER_SITE("ck_pr_fence_memory", SEQ_CST))

/* --- pointers --------------------------------------------------------------------------------- */

#define ck_pr_load_ptr(P) ((void *)explorer_load(P, sizeof(void *), EXPLORER_CK_SITE(load_ptr)))
#define ck_pr_store_ptr(P, V)                                                                      \
	explorer_store(P, sizeof(void *), EXPLORER_CK_WORD(V), EXPLORER_CK_SITE(store_ptr))
#define ck_pr_store_ptr_unsafe(P, V) ck_pr_store_ptr(P, V)
#define ck_pr_fas_ptr(P, V)                                                                        \
	((void *)explorer_exchange(P, sizeof(void *), EXPLORER_CK_WORD(V),                         \
				   EXPLORER_CK_SITE(fas_ptr)))
#define ck_pr_cas_ptr(P, OLD, NEW)                                                                 \
	explorer_ck_cas(P, sizeof(void *), EXPLORER_CK_WORD(OLD), EXPLORER_CK_WORD(NEW), NULL,     \
			EXPLORER_CK_SITE(cas_ptr))
#define ck_pr_cas_ptr_value(P, OLD, NEW, FOUND)                                                    \
	explorer_ck_cas(P, sizeof(void *), EXPLORER_CK_WORD(OLD), EXPLORER_CK_WORD(NEW), FOUND,    \
			EXPLORER_CK_SITE(cas_ptr_value))
#define ck_pr_cas_ptr_2(P, OLD, NEW)                                                               \
	explorer_ck_cas_pair(P, OLD, NEW, NULL, EXPLORER_CK_SITE(cas_ptr_2))
#define ck_pr_cas_ptr_2_value(P, OLD, NEW, FOUND)                                                  \
	explorer_ck_cas_pair(P, OLD, NEW, FOUND, EXPLORER_CK_SITE(cas_ptr_2_value))

/* --- numbers ---------------------------------------------------------------------------------- */

#define ck_pr_load_uint(P) ((unsigned)explorer_load(P, 4, EXPLORER_SITE("load_uint", ACQUIRE)))
#define ck_pr_load_int(P)  ((int)explorer_load(P, 4, EXPLORER_SITE("load_int", ACQUIRE)))
#define ck_pr_store_uint(P, V)                                                                     \
	explorer_store(P, 4, (unsigned)(V), EXPLORER_CK_SITE(store_uint))
#define ck_pr_fas_uint(P, V)                                                                       \
	((unsigned)explorer_exchange(P, 4, (unsigned)(V), EXPLORER_CK_SITE(fas_uint)))
#define ck_pr_faa_uint(P, V)                                                                       \
	((unsigned)explorer_add(P, 4, (unsigned)(V), EXPLORER_CK_SITE(faa_uint)))
#define ck_pr_dec_uint_zero(P, ZERO) (*(ZERO) = ck_pr_faa_uint(P, -1) == 1)
#define ck_pr_cas_uint(P, OLD, NEW)                                                                \
	explorer_ck_cas(P, 4, OLD, NEW, NULL, EXPLORER_CK_SITE(cas_uint))
#define ck_pr_cas_uint_value(P, OLD, NEW, FOUND)                                                   \
	explorer_ck_cas(P, 4, OLD, NEW, FOUND, EXPLORER_CK_SITE(cas_uint_value))

/* --- what these call -------------------------------------------------------------------------- */

/* `found`: of the same size; what was there, also where it succeeds. */
static inline bool explorer_ck_cas(void *target, unsigned size, uint64_t old, uint64_t new,
				   void *found, const struct explorer_site *site)
{
	bool done = explorer_cas(target, size, &old, new, site);

	if (found)
		memcpy(found, &old, size);
	return done;
}

static inline bool explorer_ck_cas_pair(void *target, const void *old, const void *new,
					void *found, const struct explorer_site *site)
{
	uint64_t expected[2];
	uint64_t desired[2];
	bool done;

	memcpy(expected, old, sizeof expected);
	memcpy(desired, new, sizeof desired);
	done = explorer_cas_pair(target, expected, desired, site);
	if (found)
		memcpy(found, expected, sizeof expected);
	return done;
}

#endif
