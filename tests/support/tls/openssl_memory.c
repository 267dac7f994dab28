/* SPDX-License-Identifier: MIT */
/* openssl_memory.c - see openssl_memory.h. Each block has its size in front of it. */
#include "openssl_memory.h"

#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define AHEAD 16

static atomic_size_t bytes_now;
static atomic_size_t blocks_now;
static atomic_size_t large_now;
static atomic_uint_fast64_t left = UINT64_MAX;
static atomic_bool one_only;
static atomic_bool has_failed;
static const void *searched;
static size_t searched_size;
static atomic_size_t found;

static bool refused(void)
{
	uint_fast64_t now = atomic_load(&left);

	while (now != UINT64_MAX && now)
		if (atomic_compare_exchange_weak(&left, &now, now - 1))
			return false;
	if (now)
		return false;
	if (atomic_load(&one_only))
		atomic_store(&left, UINT64_MAX);
	atomic_store(&has_failed, true);
	return true;
}

static void add(size_t size, bool more)
{
	atomic_fetch_add(&bytes_now, more ? size : -size);
	atomic_fetch_add(&blocks_now, more ? 1u : -(size_t)1);
	if (size >= OPENSSL_LARGE)
		atomic_fetch_add(&large_now, more ? 1u : -(size_t)1);
}

static void *get(size_t size, const char *file, int line)
{
	char *block;

	(void)file;
	(void)line;
	if (!size || refused())
		return NULL;
	block = malloc(AHEAD + size);
	if (!block)
		return NULL;
	memcpy(block, &size, sizeof size);
	add(size, true);
	return block + AHEAD;
}

static size_t size_of(const void *memory)
{
	size_t size;

	memcpy(&size, (const char *)memory - AHEAD, sizeof size);
	return size;
}

static void look(const char *memory, size_t size)
{
	const char *place = memory;

	if (!searched_size)
		return;
	for (; size >= searched_size; place++, size--) {
		if (*place == *(const char *)searched && !memcmp(place, searched, searched_size)) {
			atomic_fetch_add(&found, 1);
			return;
		}
	}
}

static void put(void *memory, const char *file, int line)
{
	(void)file;
	(void)line;
	if (!memory)
		return;
	look(memory, size_of(memory));
	add(size_of(memory), false);
	free((char *)memory - AHEAD);
}

static void *change(void *memory, size_t size, const char *file, int line)
{
	void *moved;

	if (!memory)
		return get(size, file, line);
	if (!size) {
		put(memory, file, line);
		return NULL;
	}
	moved = get(size, file, line);
	if (!moved)
		return NULL;
	memcpy(moved, memory, size < size_of(memory) ? size : size_of(memory));
	put(memory, file, line);
	return moved;
}

bool watch_openssl_memory(void)
{
	return CRYPTO_set_mem_functions(get, change, put);
}

size_t openssl_bytes(void)
{
	return atomic_load(&bytes_now);
}

size_t openssl_blocks(void)
{
	return atomic_load(&blocks_now);
}

size_t openssl_large_blocks(void)
{
	return atomic_load(&large_now);
}

void openssl_fail_after(uint64_t calls, bool just_one)
{
	atomic_store(&one_only, just_one);
	atomic_store(&has_failed, false);
	atomic_store(&left, calls);
}

bool openssl_has_failed(void)
{
	return atomic_load(&has_failed);
}

void openssl_search(const void *bytes, size_t size)
{
	searched = bytes;
	searched_size = size;
	atomic_store(&found, 0);
}

size_t openssl_found(void)
{
	return atomic_load(&found);
}
