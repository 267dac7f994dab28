/* SPDX-License-Identifier: MIT */
/* atomics.h - the atomics seam over the explorer: the backend of model tests.
 *
 * Every operation carries its site, so that a trace can name it and a mutation weaken it.
 */
#ifndef SENNIT_TESTS_MODEL_ATOMICS_H
#define SENNIT_TESTS_MODEL_ATOMICS_H

#include <stdbool.h>
#include <stdint.h>

enum explorer_order {
	EXPLORER_RELAXED = 0,
	EXPLORER_ACQUIRE = 1,
	EXPLORER_RELEASE = 2,
	EXPLORER_ACQ_REL = 3,
	EXPLORER_SEQ_CST = 7, /* of fences only */
};

struct explorer_site {
	const char *file;
	const char *operation;
	int line;
	int order; /* an enum explorer_order: what is obeyed; a mutation lowers it */
};

uint64_t explorer_load(const void *address, unsigned size, const struct explorer_site *site);
void explorer_store(void *address, unsigned size, uint64_t value, const struct explorer_site *site);
uint64_t explorer_exchange(void *address, unsigned size, uint64_t value,
			   const struct explorer_site *site);
uint64_t explorer_add(void *address, unsigned size, uint64_t value,
		      const struct explorer_site *site);
/* Strong; *expected becomes what was found where it fails, read relaxed. */
bool explorer_cas(void *address, unsigned size, uint64_t *expected, uint64_t desired,
		  const struct explorer_site *site);
/* The same for two neighbouring words of 8 bytes at once. */
bool explorer_cas_pair(void *address, uint64_t expected[2], const uint64_t desired[2],
		       const struct explorer_site *site);
void explorer_fence(const struct explorer_site *site);

/* A place in the source, in the section that lists them all. */
#define EXPLORER_SITE(OPERATION, ORDER)                                                            \
	({                                                                                         \
		static struct explorer_site explorer_site_                                         \
			__attribute__((section("explorer_sites"), aligned(8))) = {                 \
				__FILE__, OPERATION, __LINE__, EXPLORER_##ORDER};                  \
		(const struct explorer_site *)&explorer_site_;                                     \
	})

#define EXPLORER_LOAD(A, T, NAME, ORDER)                                                           \
	((T)explorer_load(&(A)->value, sizeof(T), EXPLORER_SITE(NAME, ORDER)))
#define EXPLORER_STORE(A, T, V, NAME, ORDER)                                                       \
	explorer_store(&(A)->value, sizeof(T), (uint64_t)(V), EXPLORER_SITE(NAME, ORDER))
#define EXPLORER_CAS(A, T, E, V, NAME, ORDER)                                                      \
	({                                                                                         \
		T *explorer_expected_ = (E);                                                       \
		uint64_t explorer_found_ = (uint64_t)*explorer_expected_;                          \
		bool explorer_done_ =                                                              \
			explorer_cas(&(A)->value, sizeof(T), &explorer_found_, (uint64_t)(V),      \
				     EXPLORER_SITE(NAME, ORDER));                                  \
		if (!explorer_done_)                                                               \
			*explorer_expected_ = (T)explorer_found_;                                  \
		explorer_done_;                                                                    \
	})

#define sennit__load_relaxed_u32(A) EXPLORER_LOAD(A, uint32_t, "load_relaxed_u32", RELAXED)
#define sennit__load_relaxed_u64(A) EXPLORER_LOAD(A, uint64_t, "load_relaxed_u64", RELAXED)
#define sennit__load_relaxed_ptr(A)                                                                \
	((void *)EXPLORER_LOAD(A, uintptr_t, "load_relaxed_ptr", RELAXED))
#define sennit__load_acquire_u32(A) EXPLORER_LOAD(A, uint32_t, "load_acquire_u32", ACQUIRE)
#define sennit__load_acquire_u64(A) EXPLORER_LOAD(A, uint64_t, "load_acquire_u64", ACQUIRE)
#define sennit__load_acquire_ptr(A)                                                                \
	((void *)EXPLORER_LOAD(A, uintptr_t, "load_acquire_ptr", ACQUIRE))

#define sennit__store_relaxed_u32(A, V) EXPLORER_STORE(A, uint32_t, V, "store_relaxed_u32", RELAXED)
#define sennit__store_relaxed_u64(A, V) EXPLORER_STORE(A, uint64_t, V, "store_relaxed_u64", RELAXED)
#define sennit__store_relaxed_ptr(A, V)                                                            \
	EXPLORER_STORE(A, uintptr_t, (uintptr_t)(V), "store_relaxed_ptr", RELAXED)
#define sennit__store_release_u32(A, V) EXPLORER_STORE(A, uint32_t, V, "store_release_u32", RELEASE)
#define sennit__store_release_u64(A, V) EXPLORER_STORE(A, uint64_t, V, "store_release_u64", RELEASE)
#define sennit__store_release_ptr(A, V)                                                            \
	EXPLORER_STORE(A, uintptr_t, (uintptr_t)(V), "store_release_ptr", RELEASE)

#define sennit__exchange_acquire_u32(A, V)                                                         \
	((uint32_t)explorer_exchange(&(A)->value, 4, V,                                            \
				     EXPLORER_SITE("exchange_acquire_u32", ACQUIRE)))
#define sennit__exchange_acquire_u64(A, V)                                                         \
	explorer_exchange(&(A)->value, 8, V, EXPLORER_SITE("exchange_acquire_u64", ACQUIRE))
#define sennit__exchange_acquire_ptr(A, V)                                                         \
	((void *)(uintptr_t)explorer_exchange(&(A)->value, sizeof(void *), (uintptr_t)(V),         \
					      EXPLORER_SITE("exchange_acquire_ptr", ACQUIRE)))
#define sennit__exchange_acq_rel_u32(A, V)                                                         \
	((uint32_t)explorer_exchange(&(A)->value, 4, V,                                            \
				     EXPLORER_SITE("exchange_acq_rel_u32", ACQ_REL)))
#define sennit__exchange_acq_rel_u64(A, V)                                                         \
	explorer_exchange(&(A)->value, 8, V, EXPLORER_SITE("exchange_acq_rel_u64", ACQ_REL))
#define sennit__exchange_acq_rel_ptr(A, V)                                                         \
	((void *)(uintptr_t)explorer_exchange(&(A)->value, sizeof(void *), (uintptr_t)(V),         \
					      EXPLORER_SITE("exchange_acq_rel_ptr", ACQ_REL)))

#define sennit__cas_relaxed_u32(A, E, V) EXPLORER_CAS(A, uint32_t, E, V, "cas_relaxed_u32", RELAXED)
#define sennit__cas_relaxed_u64(A, E, V) EXPLORER_CAS(A, uint64_t, E, V, "cas_relaxed_u64", RELAXED)
#define sennit__cas_relaxed_ptr(A, E, V)                                                           \
	EXPLORER_CAS(A, uintptr_t, (uintptr_t *)(void *)(E), (uintptr_t)(V), "cas_relaxed_ptr",    \
		     RELAXED)
#define sennit__cas_release_u32(A, E, V) EXPLORER_CAS(A, uint32_t, E, V, "cas_release_u32", RELEASE)
#define sennit__cas_release_u64(A, E, V) EXPLORER_CAS(A, uint64_t, E, V, "cas_release_u64", RELEASE)
#define sennit__cas_release_ptr(A, E, V)                                                           \
	EXPLORER_CAS(A, uintptr_t, (uintptr_t *)(void *)(E), (uintptr_t)(V), "cas_release_ptr",    \
		     RELEASE)
#define sennit__cas_acquire_u32(A, E, V) EXPLORER_CAS(A, uint32_t, E, V, "cas_acquire_u32", ACQUIRE)
#define sennit__cas_acquire_u64(A, E, V) EXPLORER_CAS(A, uint64_t, E, V, "cas_acquire_u64", ACQUIRE)
#define sennit__cas_acquire_ptr(A, E, V)                                                           \
	EXPLORER_CAS(A, uintptr_t, (uintptr_t *)(void *)(E), (uintptr_t)(V), "cas_acquire_ptr",    \
		     ACQUIRE)
#define sennit__cas_acq_rel_u32(A, E, V) EXPLORER_CAS(A, uint32_t, E, V, "cas_acq_rel_u32", ACQ_REL)
#define sennit__cas_acq_rel_u64(A, E, V) EXPLORER_CAS(A, uint64_t, E, V, "cas_acq_rel_u64", ACQ_REL)
#define sennit__cas_acq_rel_ptr(A, E, V)                                                           \
	EXPLORER_CAS(A, uintptr_t, (uintptr_t *)(void *)(E), (uintptr_t)(V), "cas_acq_rel_ptr",    \
		     ACQ_REL)

#define EXPLORER_ADD(A, T, V, NAME, ORDER)                                                         \
	((T)explorer_add(&(A)->value, sizeof(T), (uint64_t)(V), EXPLORER_SITE(NAME, ORDER)))
#define sennit__fetch_add_relaxed_u32(A, V)                                                        \
	EXPLORER_ADD(A, uint32_t, V, "fetch_add_relaxed_u32", RELAXED)
#define sennit__fetch_add_relaxed_u64(A, V)                                                        \
	EXPLORER_ADD(A, uint64_t, V, "fetch_add_relaxed_u64", RELAXED)
#define sennit__fetch_add_release_u32(A, V)                                                        \
	EXPLORER_ADD(A, uint32_t, V, "fetch_add_release_u32", RELEASE)
#define sennit__fetch_add_release_u64(A, V)                                                        \
	EXPLORER_ADD(A, uint64_t, V, "fetch_add_release_u64", RELEASE)

/* A full fence; the word is what production needs. */
#define sennit__fence_full(WORD)                                                                   \
	((void)(WORD), explorer_fence(EXPLORER_SITE("fence_full", SEQ_CST)))

/* Nothing in a model depends on what was counted. */
#define sennit__tally_u64(A, V) ((void)(A), (void)(V))
#define sennit__stall() ((void)0)

/* What only tests and the headers of others use. */
#define sennit__fetch_add_acq_rel_u32(A, V)                                                        \
	EXPLORER_ADD(A, uint32_t, V, "fetch_add_acq_rel_u32", ACQ_REL)
#define sennit__fetch_add_acq_rel_u64(A, V)                                                        \
	EXPLORER_ADD(A, uint64_t, V, "fetch_add_acq_rel_u64", ACQ_REL)
#define explorer_fence_acquire() explorer_fence(EXPLORER_SITE("fence_acquire", ACQUIRE))
#define explorer_fence_release() explorer_fence(EXPLORER_SITE("fence_release", RELEASE))
#define explorer_fence_acq_rel() explorer_fence(EXPLORER_SITE("fence_acq_rel", ACQ_REL))

#endif
