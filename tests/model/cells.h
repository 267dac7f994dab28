/* SPDX-License-Identifier: MIT */
/* cells.h - cells of a slab whose users leave their mark, in plain memory, so that two of one cell
 * are seen as such and as a race.
 */
#ifndef SENNIT_TESTS_MODEL_CELLS_H
#define SENNIT_TESTS_MODEL_CELLS_H

#include "runtime/queue/slab.h"
#include "tests/model/explorer/explorer.h"

#include <stddef.h>

struct cell {
	struct sennit__cell head;
	int held; /* by somebody */
	int uses; /* so far */
	char rest[48];
};

static inline struct sennit__slab *cells_new(void)
{
	struct sennit__slab *slab = model_new(sizeof *slab);

	sennit__slab_init(slab, sizeof(struct cell));
	return slab;
}

/* Frees the slab, of which `carved` cells were ever used; all memory comes back. */
static inline void cells_end(struct sennit__slab *slab, uint32_t carved, unsigned blocks)
{
	model_assert(sennit__slab_carved(slab) == carved);
	sennit__slab_fini(slab);
	model_assert(model_blocks() == blocks);
}

static inline struct cell *cell_hold(struct cell *cell)
{
	model_assert(!cell->held);
	cell->held = 1;
	cell->uses++;
	return cell;
}

static inline struct cell *cell_get(struct sennit__slab *slab)
{
	struct cell *cell = sennit__slab_get(slab);

	model_assert(cell);
	return cell_hold(cell);
}

static inline void cell_put(struct sennit__slab *slab, struct cell *cell)
{
	model_assert(cell->held);
	cell->held = 0;
	sennit__slab_put(slab, cell);
}

/* Leaves `count` cells in the free list, of which the one carved first is taken first. */
static inline void cells_leave(struct sennit__slab *slab, int count)
{
	struct cell *cell = count ? cell_get(slab) : NULL;

	if (!cell)
		return;
	cells_leave(slab, count - 1);
	cell_put(slab, cell);
}

#endif
