/* SPDX-License-Identifier: MIT */
/* slab.h - cells of one size that any thread may take and that never move or disappear.
 *
 * A cell is named by its index. Chunk k holds FIRST << k cells, so that 24 chunks reach 2^31 cells
 * and an index is turned into an address by a count of leading zeros. Cells are carved one by one,
 * so memory that was never used is never touched, and freed ones come first.
 *
 * Callers     get, put, at: any thread. init, fini: while nobody else uses the slab.
 * Ownership   a cell is the caller's from get to put. Its first eight bytes are the slab's: the
 *             index, constant, and the link, which a slow get may read at any time.
 * State       free: {tag:32, index + 1:32}, index + 1 is 0 where the list is empty. Every change of
 *             the head takes a new tag, so a get that was overtaken fails its cas (no ABA short of
 *             2^32 changes between two of its instructions).
 *             carved: how many cells were ever taken from the chunks; only grows.
 *             chunk[k]: NULL until somebody's allocation is installed; never changes again.
 * Progress    get, put: lock-free, but for an allocation when a chunk is used up. at: wait-free.
 * Orders      P1  put free (release)  with  get free (acquire): what the last user left in the
 *                 cell, and its link.
 *             P2  install chunk (release)  with  at (acquire): the chunk's memory.
 * Checked by  tests/unit/slab.c, tests/stress/slab.c, tests/model/slab.c, tests/model/slab_narrow.c
 */
#ifndef SENNIT_RUNTIME_QUEUE_SLAB_H
#define SENNIT_RUNTIME_QUEUE_SLAB_H

#include "runtime/base/atomic.h"

#include <stddef.h>

/* Narrower in model tests, which reach the limits so. */
#ifndef SENNIT__SLAB_FIRST_BITS
#define SENNIT__SLAB_FIRST_BITS 7 /* the first chunk holds 128 cells */
#define SENNIT__SLAB_CHUNKS 24
#define SENNIT__SLAB_TAG_BITS 32
#endif

/* What every cell begins with. */
struct sennit__cell {
	uint32_t index;
	struct sennit__atomic_u32 next; /* index + 1 of the next free cell */
};

/* Told of each chunk before it is used, and, with `keep` false, before it is freed. */
typedef void sennit__slab_settle(void *context, void *chunk, size_t size, bool keep);

struct sennit__slab {
	struct sennit__atomic_u64 free;
	struct sennit__atomic_u32 carved;
	uint32_t cell_size;
	struct sennit__atomic_ptr chunk[SENNIT__SLAB_CHUNKS];
	sennit__slab_settle *settle; /* or NULL: nobody cares; set while nobody uses the slab */
	void *context;
};

/* `cell_size`: a multiple of the cache line or a power of two below it. */
void sennit__slab_init(struct sennit__slab *slab, size_t cell_size);

/* Frees all memory. */
void sennit__slab_fini(struct sennit__slab *slab);

/* A cell, or NULL (no memory). A cell that was never used before is zeroed but for its index. */
void *sennit__slab_get(struct sennit__slab *slab);

void sennit__slab_put(struct sennit__slab *slab, void *cell);

/* How many indices are in use or were, while nobody else uses the slab. */
uint32_t sennit__slab_carved(const struct sennit__slab *slab);

/* The chunk of an index, and where in it. */
static inline unsigned sennit__slab_place(uint32_t index, uint32_t *offset)
{
	uint32_t biased = index + (1u << SENNIT__SLAB_FIRST_BITS);
	unsigned chunk = 31u - (unsigned)__builtin_clz(biased) - SENNIT__SLAB_FIRST_BITS;

	*offset = biased - (1u << (chunk + SENNIT__SLAB_FIRST_BITS));
	return chunk;
}

static inline void *sennit__slab_at(const struct sennit__slab *slab, uint32_t index)
{
	uint32_t offset;
	unsigned chunk = sennit__slab_place(index, &offset);
	char *base = sennit__load_acquire_ptr(&slab->chunk[chunk]); /* P2 */

	return base + (size_t)offset * slab->cell_size;
}

#endif
