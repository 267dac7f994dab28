/* SPDX-License-Identifier: MIT */
/* slab.c - the protocol is in slab.h. Checked by tests/unit/slab.c, tests/stress/slab.c,
 * tests/model/slab.c, tests/model/slab_narrow.c
 */
#include "runtime/queue/slab.h"

#include "runtime/base/misuse.h"

#include <stdlib.h>
#include <string.h>

#define LOW(word) ((uint32_t)(word))
#define TAGS (1ull << SENNIT__SLAB_TAG_BITS)
#define TAGGED(word, low) ((((word) >> 32) + 1) % TAGS << 32 | (low))

/* The last index that a chunk table of this size can name. */
#define LAST_INDEX ((uint32_t)((1ull << (SENNIT__SLAB_CHUNKS + SENNIT__SLAB_FIRST_BITS)) - \
			       (1ull << SENNIT__SLAB_FIRST_BITS) - 1))

/* Chunks begin with a page where they are made of whole ones, to be settled without others. */
#define PAGE 4096u

static size_t chunk_size(const struct sennit__slab *slab, unsigned k)
{
	return ((size_t)1 << (k + SENNIT__SLAB_FIRST_BITS)) * slab->cell_size;
}

void sennit__slab_init(struct sennit__slab *slab, size_t cell_size)
{
	memset(slab, 0, sizeof *slab);
	slab->cell_size = (uint32_t)cell_size;
}

static void discard(const struct sennit__slab *slab, void *chunk, size_t size)
{
	if (slab->settle)
		slab->settle(slab->context, chunk, size, false);
	free(chunk);
}

void sennit__slab_fini(struct sennit__slab *slab)
{
	for (unsigned k = 0; k < SENNIT__SLAB_CHUNKS; k++) {
		/* relaxed: nobody else is here */
		void *chunk = sennit__load_relaxed_ptr(&slab->chunk[k]);

		if (chunk)
			discard(slab, chunk, chunk_size(slab, k));
	}
	memset(slab, 0, sizeof *slab);
}

/* Takes the head of the free list; NULL where it is empty. */
static struct sennit__cell *reuse(struct sennit__slab *slab)
{
	uint64_t head = sennit__load_acquire_u64(&slab->free); /* P1 */

	while (LOW(head)) {
		struct sennit__cell *cell = sennit__slab_at(slab, LOW(head) - 1);
		/* relaxed: where the cell was taken meanwhile this is garbage, and the cas fails */
		uint32_t next = sennit__load_relaxed_u32(&cell->next);

		/* relaxed: it finds the very head that was acquired, or fails */
		if (sennit__cas_relaxed_u64(&slab->free, &head, TAGGED(head, next)))
			return cell;
		head = sennit__load_acquire_u64(&slab->free); /* P1 */
	}
	return NULL;
}

/* Makes sure that chunk k is there; false without memory. */
static bool provide(struct sennit__slab *slab, unsigned k)
{
	size_t size = chunk_size(slab, k);
	size_t aligned = slab->cell_size & (~slab->cell_size + 1); /* as far as every cell is */
	void *none = NULL;
	void *chunk;

	/* relaxed: only whether it is there; at() acquires it */
	if (sennit__load_relaxed_ptr(&slab->chunk[k]))
		return true;
	chunk = aligned_alloc(size % PAGE ? (aligned < 64 ? 64 : aligned) : PAGE, size);
	if (!chunk)
		return false;
	if (slab->settle)
		slab->settle(slab->context, chunk, size, true);
	if (!sennit__cas_release_ptr(&slab->chunk[k], &none, chunk)) /* P2 */
		discard(slab, chunk, size); /* another thread was faster */
	return true;
}

void *sennit__slab_get(struct sennit__slab *slab)
{
	struct sennit__cell *cell = reuse(slab);
	uint32_t index;
	uint32_t offset;

	if (cell)
		return cell;
	index = sennit__load_relaxed_u32(&slab->carved); /* relaxed: the cas checks it */
	do {
		if (index > LAST_INDEX || !provide(slab, sennit__slab_place(index, &offset)))
			return NULL;
		/* relaxed: the number alone is shared; at() acquires the chunk */
	} while (!sennit__cas_relaxed_u32(&slab->carved, &index, index + 1));
	cell = sennit__slab_at(slab, index);
	memset(cell, 0, slab->cell_size);
	cell->index = index;
	return cell;
}

void sennit__slab_put(struct sennit__slab *slab, void *memory)
{
	struct sennit__cell *cell = memory;
	uint64_t head = sennit__load_relaxed_u64(&slab->free); /* relaxed: the cas checks it */

	do
		sennit__store_relaxed_u32(&cell->next, LOW(head)); /* relaxed: P1 publishes it */
	while (!sennit__cas_release_u64(&slab->free, &head, /* P1 */
					TAGGED(head, cell->index + 1)));
}

uint32_t sennit__slab_carved(const struct sennit__slab *slab)
{
	return sennit__load_relaxed_u32(&slab->carved); /* relaxed: nobody else is here */
}
