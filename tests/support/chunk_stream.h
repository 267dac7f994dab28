/* SPDX-License-Identifier: MIT */
/* chunk_stream.h - a stream in memory, written with stream_implement.h.
 *
 * Two streams with one owner: what is written into the one is read from the other, at most `chunk`
 * bytes a step, so that every boundary between two steps can be met. The writer may be given a
 * number of steps, after which it waits: so a test stops a composed write between two steps.
 */
#ifndef SENNIT_TESTS_CHUNK_STREAM_H
#define SENNIT_TESTS_CHUNK_STREAM_H

#include "support.h"

#include <sennit/stream_implement.h>

#define CHUNK_CAPACITY 65536
#define CHUNK_ALL      SIZE_MAX
#define CHUNK_OFFERS   64

struct chunk_pipe {
	struct sennit_stream writer;
	struct sennit_stream reader;
	size_t chunk;                 /* at most so many bytes a step */
	size_t steps;                 /* that the writer may still make; CHUNK_ALL: without limit */
	size_t offers;                /* steps of writes so far */
	size_t offered[CHUNK_OFFERS]; /* what the library offered for the first of them */
	bool overlapped;       /* a second read or write was handed over before the first ended */
	unsigned cancels;      /* calls of the cancel function */
	unsigned closes;       /* calls of the close functions */
	bool closed_in_flight; /* one of them while an operation was handed over */
	bool writer_closed;
	bool pumping;
	struct sennit_op *reading;
	struct sennit_op *writing;
	size_t head;
	size_t size;
	char data[CHUNK_CAPACITY];
};

/* Opens both ends of a pipe that is zeroed or closed; asserts that it could. */
void chunk_pipe_open(struct chunk_pipe *pipe, struct sennit_executor *executor, size_t chunk);

/* Opens the writer's end as it was opened before; returns what sennit_stream_open does. */
int chunk_pipe_try_open(struct chunk_pipe *pipe, struct sennit_executor *executor);

/* On the owner: lets the writer make more steps, resp. limits what it may make from now on. */
void chunk_pipe_allow(struct chunk_pipe *pipe, size_t steps);

/* On the owner: the reader's end is reached after what is in the pipe. */
void chunk_pipe_end(struct chunk_pipe *pipe);

/* Waits until the close function of both ends was called: then the pipe may be freed. */
void chunk_pipe_wait_closed(const struct chunk_pipe *pipe, struct stage *stage);

#endif
