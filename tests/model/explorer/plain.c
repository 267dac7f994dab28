/* SPDX-License-Identifier: MIT */
/* plain.c - memory that is not atomic: blocks, and who touched what when.
 *
 * Everything that an execution allocates, and the stacks of its threads, lie in one region. Each
 * word of it has a shadow: its last writer and the clock of that, and the clock of each thread's
 * last read. An access that is not ordered after the last write (a write: nor after all reads) is a
 * race, whichever came first. Accesses narrower than a word have shadows of their own for each
 * byte, so neighbours in one word do not disturb each other.
 *
 * Blocks are never used again within an execution, so what was freed stays known as such.
 * Allocating and freeing count as writes to all of a block: real memory was somebody else's before.
 */
#include "tests/model/explorer/engine.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define STACK_SIZE (256u << 10)
#define HEAP_SIZE (8u << 20)
#define STACKS_SIZE ((size_t)THREADS_MAX * STACK_SIZE)
#define REGION_SIZE (STACKS_SIZE + HEAP_SIZE)
#define LINE 64
#define BLOCKS_MAX 4096

/* Who read and wrote a word, or a byte. */
struct shadow {
	clocks reads;
	unsigned execution; /* what is here is of that one; else nothing is known */
	int16_t written;
	signed char writer;        /* -1: none */
	bool bytes;                /* bytes of the word have shadows of their own */
	struct location *location; /* of a word: the atomic that is there */
};

struct block {
	clocks accessed; /* each thread's last access */
	size_t start;    /* in the region */
	size_t size;
	const void *allocated; /* by which instruction */
	int allocator;         /* which thread, and its clock then */
	int16_t since;
	bool atomics; /* there are some in it */
	bool freed;
};

/* At addresses of their own, always the same: constants for the compiler, and traces compare. */
static char *const region = (char *)0x100000000000;
static struct shadow *const words = (struct shadow *)0x110000000000;
static struct shadow *const bytes = (struct shadow *)0x120000000000;
/* of each word: several threads use the atomic there */
static bool *const shared = (bool *)0x130000000000;
/* of each line of the heap */
static uint16_t *const block_of = (uint16_t *)0x140000000000;

static struct block blocks[BLOCKS_MAX]; /* the first is none */
static unsigned block_count;
static struct block *recent; /* the block that was found last */
static unsigned blocks_live;
static size_t heap_used;

static void map(void *address, size_t size)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;

	if (mmap(address, size, PROT_READ | PROT_WRITE, flags, -1, 0) != address) {
		perror("explorer: no memory where it should be");
		exit(1);
	}
}

void plain_init(void)
{
	map(region, REGION_SIZE);
	map(words, REGION_SIZE / 4 * sizeof *words);
	map(bytes, REGION_SIZE * sizeof *bytes);
	map(shared, REGION_SIZE / 4);
	map(block_of, HEAP_SIZE / LINE * sizeof *block_of);
}

void plain_reset(void)
{
	block_count = 1;
	recent = blocks;
	blocks_live = 0;
	heap_used = 0;
}

void plain_forget_shared(void)
{
	/* untouched pages read as zero again */
	madvise(shared, REGION_SIZE / 4, MADV_DONTNEED);
}

void *plain_stack(int thread, size_t *size)
{
	*size = STACK_SIZE;
	return region + (size_t)thread * STACK_SIZE;
}

static size_t word_of(const void *address)
{
	return (size_t)((const char *)address - region) / 4;
}

static bool inside(const void *address)
{
	return (uintptr_t)address - (uintptr_t)region < REGION_SIZE;
}

static bool in_heap(const void *address)
{
	return (uintptr_t)address - (uintptr_t)region >= STACKS_SIZE;
}

static void need_inside(const void *address)
{
	if (!inside(address))
		engine_fail("an atomic at %p, which is not in memory of the execution",
			    (void *)(uintptr_t)address);
}

static inline void refresh(struct shadow *s)
{
	if (s->execution == x.execution)
		return;
	*s = (struct shadow){.execution = x.execution, .writer = -1};
}

/* What is known of a word in this execution. */
static inline struct shadow *shadow_of(const void *address)
{
	struct shadow *s = &words[word_of(address)];

	refresh(s);
	return s;
}

struct location *plain_location(const void *address)
{
	need_inside(address);
	return shadow_of(address)->location;
}

static struct block *block_at(size_t offset)
{
	unsigned number;

	if (offset < STACKS_SIZE || offset - STACKS_SIZE >= heap_used)
		return NULL;
	number = block_of[(offset - STACKS_SIZE) / LINE];
	return number < block_count ? &blocks[number] : NULL;
}

static void set_location(const struct location *l, struct location *to)
{
	struct block *b = block_at((size_t)(l->address - region));

	for (int i = 0; i < l->size; i += 4)
		shadow_of(l->address + i)->location = to;
	if (b)
		b->atomics = true;
}

void plain_set_location(struct location *location)
{
	set_location(location, location);
}

bool plain_shared(const struct location *location)
{
	return shared[word_of(location->address)];
}

void plain_share(const struct location *location)
{
	shared[word_of(location->address)] = true;
}

/* --- blocks ----------------------------------------------------------------------------------- */

const char *plain_name(const void *address)
{
	static char text[64];
	const struct block *b = inside(address) ? block_at((size_t)((const char *)address - region))
						: NULL;
	size_t offset = (size_t)((const char *)address - region);

	if (b)
		snprintf(text, sizeof text, "block %d+%zu", (int)(b - blocks), offset - b->start);
	else if (inside(address))
		snprintf(text, sizeof text, "stack of %c+%zu", (int)('a' + offset / STACK_SIZE),
			 offset % STACK_SIZE);
	else
		snprintf(text, sizeof text, "%p", (void *)(uintptr_t)address);
	return text;
}

static const char *describe(const struct block *b)
{
	static char text[512];

	snprintf(text, sizeof text, "block %d of %zu bytes, allocated by %s", (int)(b - blocks),
		 b->size, trace_pc(b->allocated));
	return text;
}

/* Finds the block that an access is to. */
static __attribute__((noinline)) void find_block(const void *address, size_t size, const void *pc)
{
	size_t offset = (size_t)((const char *)address - region);
	struct block *b = block_at(offset);

	if (!b || offset < b->start || offset + size > b->start + b->size)
		engine_fail("%zu bytes outside any block: %s, by %s", size, plain_name(address),
			    trace_pc(pc));
	if (b->freed)
		engine_fail("use after free: %s of %s, by %s", plain_name(address), describe(b),
			    trace_pc(pc));
	if (b->since > engine_self()->now.order[b->allocator] && x.races)
		engine_fail("data race: %s of %s, not ordered after that, by %s",
			    plain_name(address), describe(b), trace_pc(pc));
	recent = b;
}

/* Sees to it that an access lies in a block that is there. */
static inline void check_block(const void *address, size_t size, const void *pc)
{
	size_t offset = (size_t)((const char *)address - region);

	if (offset < STACKS_SIZE)
		return;
	if (offset < recent->start || offset + size > recent->start + recent->size ||
	    recent->freed || !recent->accessed[x.self])
		find_block(address, size, pc);
	recent->accessed[x.self] = (int16_t)engine_self()->clock;
}

void *plain_allocate(size_t size, size_t alignment, bool zero, const void *pc)
{
	size_t start;
	struct block *b = &blocks[block_count];

	if (alignment < LINE)
		alignment = LINE;
	start = STACKS_SIZE + ((heap_used + alignment - 1) & ~(alignment - 1));
	if (block_count + 1 == BLOCKS_MAX || size > HEAP_SIZE ||
	    start + size + 2 * LINE > REGION_SIZE)
		engine_fail("the execution has used up its memory");
	*b = (struct block){.start = start,
			    .size = size,
			    .allocated = pc,
			    .allocator = x.self,
			    .since = (int16_t)engine_self()->clock};
	b->accessed[x.self] = b->since;
	for (size_t at = heap_used / LINE; at <= (start - STACKS_SIZE + size) / LINE; at++)
		block_of[at] = (uint16_t)(at < (start - STACKS_SIZE) / LINE ? 0 : block_count);
	/* a line between two that belongs to neither */
	heap_used = (start - STACKS_SIZE + size + LINE) / LINE * LINE + LINE;
	block_of[heap_used / LINE - 1] = 0;
	block_count++;
	blocks_live++;
	if (zero)
		memset(region + start, 0, size);
	return region + start;
}

void plain_free(void *memory, const void *pc)
{
	struct block *b = inside(memory) ? block_at((size_t)((char *)memory - region)) : NULL;
	clocks order = engine_self()->now.order;

	if (!memory)
		return;
	if (!b || region + b->start != memory)
		engine_fail("free of what is no block, by %s", trace_pc(pc));
	if (b->freed)
		engine_fail("freed twice: %s, by %s", describe(b), trace_pc(pc));
	b->accessed[x.self] = 0;
	if (!x.alone && !clocks_all_reached(b->accessed, order))
		engine_fail("freed while another thread uses it: %s, by %s", describe(b),
			    trace_pc(pc));
	b->freed = true;
	blocks_live--;
	TRACE("frees block %d", (int)(b - blocks));
}

unsigned model_blocks(void)
{
	return blocks_live;
}

/* --- races ------------------------------------------------------------------------------------ */

static void race(const void *address, bool write, const char *with, const void *pc)
{
	if (!x.races)
		return;
	if (trace_on)
		trace_last_access(address);
	engine_fail("data race: %s of %s by %s, not ordered after %s", write ? "write" : "read",
		    plain_name(address), trace_pc(pc), with);
}

/* Whether an access is ordered after what the shadow knows of. */
static inline void check(const struct shadow *s, const void *address, bool write, const void *pc)
{
	clocks order = engine_self()->now.order;

	if (s->writer >= 0 && s->written > order[(int)s->writer])
		race(address, write, "another thread's write", pc);
	if (write && !clocks_all_reached(s->reads, order))
		race(address, write, "another thread's read", pc);
}

static inline void record(struct shadow *s, bool write)
{
	if (write) {
		s->writer = (signed char)x.self;
		s->written = (int16_t)engine_self()->clock;
		memset(&s->reads, 0, sizeof s->reads);
	} else {
		s->reads[x.self] = (int16_t)engine_self()->clock;
	}
}

/* A plain access to an atomic: it must be ordered with all others, and after a write its history
 * begins anew. */
static __attribute__((noinline)) void check_location(struct shadow *s, const void *address,
						     bool write, const void *pc)
{
	struct location *l = s->location;

	if (!x.alone && !clocks_all_reached(write ? l->accessed : l->changed,
					    engine_self()->now.order))
		race(address, write, "another thread's atomic access", pc);
	if (write) {
		set_location(l, NULL);
		l->version++;
	}
}

/* An access to a part of a word, or to one whose parts were accessed by themselves. */
static __attribute__((noinline)) void look_at_bytes(struct shadow *s, const void *address,
						    size_t count, bool write, bool atomic,
						    const void *pc)
{
	struct shadow *byte = &bytes[(const char *)address - region];

	if (count < 4)
		s->bytes = true;
	for (size_t i = 0; i < count; i++) {
		refresh(&byte[i]);
		check(&byte[i], address, write, pc);
		if (count < 4 && !atomic)
			record(&byte[i], write);
	}
}

/* An access to a word, or a part of one. */
static inline __attribute__((always_inline)) void look(const void *address, size_t count,
						       bool write, bool atomic, const void *pc)
{
	struct shadow *s = shadow_of(address);

	if (s->location && !atomic)
		check_location(s, address, write, pc);
	if (x.alone)
		return;
	if (s->writer == x.self && s->written == engine_self()->clock && !write && !s->bytes)
		return; /* it has just written this itself */
	check(s, address, write, pc);
	if (count < 4 || s->bytes)
		look_at_bytes(s, address, count, write, atomic, pc);
	if (count == 4 && !atomic)
		record(s, write);
}

/* An access of any size at any place. */
static __attribute__((noinline)) void look_at_all(const char *address, size_t size, bool write,
						  bool atomic, const void *pc)
{
	const char *end = address + size;

	while (address < end) {
		size_t count = 4 - (uintptr_t)address % 4;

		if (count > (size_t)(end - address))
			count = (size_t)(end - address);
		look(address, count, write, atomic, pc);
		address += count;
	}
}

static __attribute__((noinline)) void outside(const void *address, const void *pc)
{
	if ((uintptr_t)address < 4096)
		engine_fail("access to address %p by %s", (void *)(uintptr_t)address, trace_pc(pc));
}

static inline __attribute__((always_inline)) void visit(const void *address, size_t size,
							bool write, bool atomic, const void *pc)
{
	if (!inside(address)) {
		outside(address, pc);
		return;
	}
	check_block(address, size, pc);
	if (x.alone && !recent->atomics && !atomic && in_heap(address))
		return; /* it is before all that may follow, and begins no history anew */
	if (trace_on && !atomic)
		trace_access(address, (unsigned)size, write, pc);
	if ((uintptr_t)address % 4 == 0 && size == 4) {
		look(address, 4, write, atomic, pc);
	} else if ((uintptr_t)address % 4 == 0 && size == 8) {
		look(address, 4, write, atomic, pc);
		look((const char *)address + 4, 4, write, atomic, pc);
	} else {
		look_at_all(address, size, write, atomic, pc);
	}
}

void plain_atomic(const void *address, unsigned size, bool write, const void *pc)
{
	visit(address, size, write, true, pc);
}

void model_races(bool fail)
{
	x.races = fail;
}

/* --- what the compiler calls ------------------------------------------------------------------ */

#define HOOK(NAME, SIZE, WRITE)                                                                    \
	void NAME(void *address);                                                                  \
	void NAME(void *address)                                                                   \
	{                                                                                          \
		if (x.inside)                                                                      \
			visit(address, SIZE, WRITE, false, __builtin_return_address(0));           \
	}
#define HOOKS(SIZE)                                                                                \
	HOOK(__tsan_read##SIZE, SIZE, false)                                                       \
	HOOK(__tsan_write##SIZE, SIZE, true)                                                       \
	HOOK(__tsan_volatile_read##SIZE, SIZE, false)                                              \
	HOOK(__tsan_volatile_write##SIZE, SIZE, true)                                              \
	HOOK(__tsan_unaligned_read##SIZE, SIZE, false)                                             \
	HOOK(__tsan_unaligned_write##SIZE, SIZE, true)
HOOKS(1)
HOOKS(2)
HOOKS(4)
HOOKS(8)
HOOKS(16)

#define RANGE_HOOK(NAME, WRITE)                                                                    \
	void NAME(void *address, size_t size);                                                     \
	void NAME(void *address, size_t size)                                                      \
	{                                                                                          \
		if (x.inside && size)                                                              \
			visit(address, size, WRITE, false, __builtin_return_address(0));           \
	}
RANGE_HOOK(__tsan_read_range, false)
RANGE_HOOK(__tsan_write_range, true)

void __tsan_init(void);
void __tsan_init(void)
{
}

void __tsan_func_entry(void *pc);
void __tsan_func_entry(void *pc)
{
	(void)pc;
}

void __tsan_func_exit(void);
void __tsan_func_exit(void)
{
}

/* What the kernel orders (io/sys/call.h): a model has a kernel of its own, which says so itself. */
void __tsan_acquire(void *address);
void __tsan_acquire(void *address)
{
	(void)address;
}

void __tsan_release(void *address);
void __tsan_release(void *address)
{
	(void)address;
}

/* Of the code under test alone: its objects are compiled to call these (system.h). */
void *explorer_memset(void *to, int value, size_t size)
{
	if (x.inside && size)
		visit(to, size, true, false, __builtin_return_address(0));
	return memset(to, value, size);
}

void *explorer_memcpy(void *to, const void *from, size_t size)
{
	if (x.inside && size) {
		visit(from, size, false, false, __builtin_return_address(0));
		visit(to, size, true, false, __builtin_return_address(0));
	}
	return memcpy(to, from, size);
}
