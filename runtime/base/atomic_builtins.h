/* SPDX-License-Identifier: MIT */
/* atomic_builtins.h - the atomics seam over the compiler's builtins, for the sanitizers. */
#ifndef SENNIT_RUNTIME_BASE_ATOMIC_BUILTINS_H
#define SENNIT_RUNTIME_BASE_ATOMIC_BUILTINS_H

#define SENNIT__ATOMIC_COMMON(F, T)                                                                \
	static inline T sennit__load_relaxed_##F(const struct sennit__atomic_##F *a)               \
	{                                                                                          \
		return __atomic_load_n(&a->value, __ATOMIC_RELAXED);                               \
	}                                                                                          \
	static inline T sennit__load_acquire_##F(const struct sennit__atomic_##F *a)               \
	{                                                                                          \
		return __atomic_load_n(&a->value, __ATOMIC_ACQUIRE);                               \
	}                                                                                          \
	static inline void sennit__store_relaxed_##F(struct sennit__atomic_##F *a, T v)            \
	{                                                                                          \
		__atomic_store_n(&a->value, v, __ATOMIC_RELAXED);                                  \
	}                                                                                          \
	static inline void sennit__store_release_##F(struct sennit__atomic_##F *a, T v)            \
	{                                                                                          \
		__atomic_store_n(&a->value, v, __ATOMIC_RELEASE);                                  \
	}                                                                                          \
	static inline T sennit__exchange_acquire_##F(struct sennit__atomic_##F *a, T v)            \
	{                                                                                          \
		return __atomic_exchange_n(&a->value, v, __ATOMIC_ACQUIRE);                        \
	}                                                                                          \
	static inline T sennit__exchange_acq_rel_##F(struct sennit__atomic_##F *a, T v)            \
	{                                                                                          \
		return __atomic_exchange_n(&a->value, v, __ATOMIC_ACQ_REL);                        \
	}                                                                                          \
	static inline bool sennit__cas_relaxed_##F(struct sennit__atomic_##F *a, T *expected, T v) \
	{                                                                                          \
		return __atomic_compare_exchange_n(&a->value, expected, v, false,                  \
						   __ATOMIC_RELAXED, __ATOMIC_RELAXED);            \
	}                                                                                          \
	static inline bool sennit__cas_release_##F(struct sennit__atomic_##F *a, T *expected, T v) \
	{                                                                                          \
		return __atomic_compare_exchange_n(&a->value, expected, v, false,                  \
						   __ATOMIC_RELEASE, __ATOMIC_RELAXED);            \
	}                                                                                          \
	static inline bool sennit__cas_acquire_##F(struct sennit__atomic_##F *a, T *expected, T v) \
	{                                                                                          \
		return __atomic_compare_exchange_n(&a->value, expected, v, false,                  \
						   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);            \
	}                                                                                          \
	static inline bool sennit__cas_acq_rel_##F(struct sennit__atomic_##F *a, T *expected, T v) \
	{                                                                                          \
		return __atomic_compare_exchange_n(&a->value, expected, v, false,                  \
						   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);            \
	}

#define SENNIT__ATOMIC_NUMBER(F, T)                                                                \
	SENNIT__ATOMIC_COMMON(F, T)                                                                \
	static inline T sennit__fetch_add_relaxed_##F(struct sennit__atomic_##F *a, T v)           \
	{                                                                                          \
		return __atomic_fetch_add(&a->value, v, __ATOMIC_RELAXED);                         \
	}                                                                                          \
	static inline T sennit__fetch_add_release_##F(struct sennit__atomic_##F *a, T v)           \
	{                                                                                          \
		return __atomic_fetch_add(&a->value, v, __ATOMIC_RELEASE);                         \
	}

SENNIT__ATOMIC_NUMBER(u32, uint32_t)
SENNIT__ATOMIC_NUMBER(u64, uint64_t)
SENNIT__ATOMIC_COMMON(ptr, void *)

static inline void sennit__tally_u64(struct sennit__atomic_u64 *a, uint64_t v)
{
	sennit__store_relaxed_u64(a, sennit__load_relaxed_u64(a) + v);
}

#if defined(__x86_64__) || defined(__i386__)
static inline void sennit__stall(void)
{
	__builtin_ia32_pause();
}
#else
static inline void sennit__stall(void)
{
}
#endif

#undef SENNIT__ATOMIC_NUMBER
#undef SENNIT__ATOMIC_COMMON

/* gcc's ThreadSanitizer refuses fences, so here the fence is the read-modify-write itself. */
static inline void sennit__fence_full(struct sennit__atomic_u32 *word)
{
	__atomic_fetch_add(&word->value, 1, __ATOMIC_SEQ_CST);
}

#endif
