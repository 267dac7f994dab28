/* SPDX-License-Identifier: MIT */
/* atomic_ck.h - the atomics seam over Concurrency Kit's ck_pr, whose own operations are relaxed:
 * the orders come from its one-sided fences, which are compiler barriers on x86.
 */
#ifndef SENNIT_RUNTIME_BASE_ATOMIC_CK_H
#define SENNIT_RUNTIME_BASE_ATOMIC_CK_H

#include <ck_pr.h>

#define SENNIT__ATOMIC_COMMON(F, T, CK)                                                            \
	static inline T sennit__load_relaxed_##F(const struct sennit__atomic_##F *a)               \
	{                                                                                          \
		return ck_pr_load_##CK(&a->value);                                                 \
	}                                                                                          \
	static inline T sennit__load_acquire_##F(const struct sennit__atomic_##F *a)               \
	{                                                                                          \
		T v = ck_pr_load_##CK(&a->value);                                                  \
                                                                                                   \
		ck_pr_fence_acquire();                                                             \
		return v;                                                                          \
	}                                                                                          \
	static inline void sennit__store_relaxed_##F(struct sennit__atomic_##F *a, T v)            \
	{                                                                                          \
		ck_pr_store_##CK(&a->value, v);                                                    \
	}                                                                                          \
	static inline void sennit__store_release_##F(struct sennit__atomic_##F *a, T v)            \
	{                                                                                          \
		ck_pr_fence_release();                                                             \
		ck_pr_store_##CK(&a->value, v);                                                    \
	}                                                                                          \
	static inline T sennit__exchange_acquire_##F(struct sennit__atomic_##F *a, T v)            \
	{                                                                                          \
		T old = ck_pr_fas_##CK(&a->value, v);                                              \
                                                                                                   \
		ck_pr_fence_acquire();                                                             \
		return old;                                                                        \
	}                                                                                          \
	static inline T sennit__exchange_acq_rel_##F(struct sennit__atomic_##F *a, T v)            \
	{                                                                                          \
		ck_pr_fence_release();                                                             \
		return sennit__exchange_acquire_##F(a, v);                                         \
	}                                                                                          \
	static inline bool sennit__cas_relaxed_##F(struct sennit__atomic_##F *a, T *expected, T v) \
	{                                                                                          \
		return ck_pr_cas_##CK##_value(&a->value, *expected, v, expected);                  \
	}                                                                                          \
	static inline bool sennit__cas_release_##F(struct sennit__atomic_##F *a, T *expected, T v) \
	{                                                                                          \
		ck_pr_fence_release();                                                             \
		return sennit__cas_relaxed_##F(a, expected, v);                                    \
	}                                                                                          \
	static inline bool sennit__cas_acquire_##F(struct sennit__atomic_##F *a, T *expected, T v) \
	{                                                                                          \
		bool done = sennit__cas_relaxed_##F(a, expected, v);                               \
                                                                                                   \
		ck_pr_fence_acquire();                                                             \
		return done;                                                                       \
	}                                                                                          \
	static inline bool sennit__cas_acq_rel_##F(struct sennit__atomic_##F *a, T *expected, T v) \
	{                                                                                          \
		ck_pr_fence_release();                                                             \
		return sennit__cas_acquire_##F(a, expected, v);                                    \
	}

#define SENNIT__ATOMIC_NUMBER(F, T, CK)                                                            \
	SENNIT__ATOMIC_COMMON(F, T, CK)                                                            \
	static inline T sennit__fetch_add_relaxed_##F(struct sennit__atomic_##F *a, T v)           \
	{                                                                                          \
		return ck_pr_faa_##CK(&a->value, v);                                               \
	}                                                                                          \
	static inline T sennit__fetch_add_release_##F(struct sennit__atomic_##F *a, T v)           \
	{                                                                                          \
		ck_pr_fence_release();                                                             \
		return ck_pr_faa_##CK(&a->value, v);                                               \
	}

SENNIT__ATOMIC_NUMBER(u32, uint32_t, 32)
SENNIT__ATOMIC_NUMBER(u64, uint64_t, 64)
SENNIT__ATOMIC_COMMON(ptr, void *, ptr)

/* An aligned word is stored whole, so a plain addition will do: as a volatile one it would be three
 * instructions. The compiler may put it off within the function, which nobody can tell. */
static inline void sennit__tally_u64(struct sennit__atomic_u64 *a, uint64_t v)
{
	a->value += v;
}

static inline void sennit__stall(void)
{
	ck_pr_stall();
}

#undef SENNIT__ATOMIC_NUMBER
#undef SENNIT__ATOMIC_COMMON

#if defined(__x86_64__) || defined(__i386__)
static inline void sennit__fence_full(struct sennit__atomic_u32 *word)
{
	ck_pr_inc_32(&word->value);
}
#else
static inline void sennit__fence_full(struct sennit__atomic_u32 *word)
{
	(void)word;
	ck_pr_fence_memory();
}
#endif

#endif
