/* SPDX-License-Identifier: MIT */
/* duplex_stream.h - two streams in memory, each of which reads what is written to the other,
 * written with stream_implement.h.
 *
 * Each takes only so many bytes as the test allows: so a test stops what is written at any byte.
 * Readiness cannot be waited for.
 */
#ifndef SENNIT_TESTS_DUPLEX_STREAM_H
#define SENNIT_TESTS_DUPLEX_STREAM_H

#include "support.h"

#include <sennit/stream_implement.h>

#define DUPLEX_ALL SIZE_MAX

struct duplex_end {
	struct sennit_stream stream;
	struct duplex_end *peer;
	struct sennit_op *reading;
	struct sennit_op *writing;
	size_t allowed;      /* so many bytes it still takes */
	size_t taken;        /* so many it took */
	bool closed;
	char *data;          /* written to it, and not read by the other */
	size_t begin;
	size_t end;
	size_t capacity;
};

struct duplex {
	struct duplex_end ends[2];
};

/* Zeroed; both have the owner, and take everything. */
void duplex_open(struct duplex *duplex, struct sennit_executor *owner);

/* When both are closed, and nothing is in flight. */
void duplex_free(struct duplex *duplex);

/* Has an end take so many bytes more and then none. On any thread but the owner's. */
void duplex_allow(struct stage *stage, struct duplex_end *end, size_t bytes);

/* Returns when a write waits because it takes no more. On any thread but the owner's. */
void duplex_wait_stopped(struct stage *stage, struct duplex_end *end);

/* How many it took so far. On any thread but the owner's. */
size_t duplex_taken(struct stage *stage, struct duplex_end *end);

#endif
