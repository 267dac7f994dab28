/* SPDX-License-Identifier: MIT */
/* chunk_stream.c - a stream in memory, written with stream_implement.h. */
#include "chunk_stream.h"

#include <errno.h>
#include <string.h>

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t total_of(const struct iovec *vector, int count)
{
	size_t total = 0;

	for (int i = 0; i < count; i++) {
		RECORD(vector[i].iov_len > 0);
		total += vector[i].iov_len;
	}
	return total;
}

/* Copies one byte of the pipe after the other: chunks are small. */
static void copy(struct chunk_pipe *pipe, const struct iovec *vector, size_t size, bool in)
{
	for (; size; vector++) {
		size_t part = smaller(size, vector->iov_len);
		char *memory = vector->iov_base;

		for (size_t i = 0; i < part; i++) {
			if (in) {
				pipe->data[(pipe->head + pipe->size++) % CHUNK_CAPACITY] =
				    memory[i];
			} else {
				memory[i] = pipe->data[pipe->head++ % CHUNK_CAPACITY];
				pipe->size--;
			}
		}
		size -= part;
	}
}

static bool step_of_write(struct chunk_pipe *pipe)
{
	struct iovec vector[16];
	struct sennit_op *op = pipe->writing;
	size_t offer, size;

	if (!op || pipe->size == CHUNK_CAPACITY || pipe->steps == 0)
		return false;
	offer = total_of(vector, sennit_op_buffers(op, vector, COUNT_OF(vector)));
	if (!RECORD(offer > 0))
		return false;
	if (pipe->offers < CHUNK_OFFERS)
		pipe->offered[pipe->offers] = offer;
	pipe->offers++;
	if (pipe->steps != CHUNK_ALL)
		pipe->steps--;
	size = smaller(smaller(offer, pipe->chunk), CHUNK_CAPACITY - pipe->size);
	copy(pipe, vector, size, true);
	if (sennit_op_advance(op, size)) {
		pipe->writing = NULL;
		sennit_op_complete(op, 0);
	}
	return true;
}

static bool step_of_read(struct chunk_pipe *pipe)
{
	struct iovec vector[16];
	struct sennit_op *op = pipe->reading;
	size_t offer, size;

	if (!op || (pipe->size == 0 && !pipe->writer_closed))
		return false;
	if (pipe->size == 0) {
		pipe->reading = NULL;
		sennit_op_complete(op, SENNIT_EOF);
		return true;
	}
	offer = total_of(vector, sennit_op_buffers(op, vector, COUNT_OF(vector)));
	if (!RECORD(offer > 0))
		return false;
	size = smaller(smaller(offer, pipe->chunk), pipe->size);
	copy(pipe, vector, size, false);
	if (sennit_op_advance(op, size)) {
		pipe->reading = NULL;
		sennit_op_complete(op, 0);
	}
	return true;
}

/* A completion may hand over the next operation at once: it is found by the loop that runs. */
static void pump(struct chunk_pipe *pipe)
{
	if (pipe->pumping)
		return;
	pipe->pumping = true;
	for (bool more = true; more;) {
		more = step_of_write(pipe);
		more |= step_of_read(pipe);
	}
	pipe->pumping = false;
}

static void serve_read(void *self, struct sennit_op *op)
{
	struct chunk_pipe *pipe = self;

	pipe->overlapped |= pipe->reading != NULL;
	pipe->reading = op;
	pump(pipe);
}

static void serve_write(void *self, struct sennit_op *op)
{
	struct chunk_pipe *pipe = self;

	pipe->overlapped |= pipe->writing != NULL;
	pipe->writing = op;
	pump(pipe);
}

static void refuse(void *self, struct sennit_op *op)
{
	(void)self;
	sennit_op_complete(op, -EOPNOTSUPP);
}

static void cancel(void *self, struct sennit_op *op, int types, int error)
{
	struct chunk_pipe *pipe = self;

	(void)types;
	pipe->cancels++;
	RECORD(op == pipe->reading || op == pipe->writing);
	if (op == pipe->reading)
		pipe->reading = NULL;
	else
		pipe->writing = NULL;
	sennit_op_complete(op, error);
}

static void close_writer(void *self)
{
	struct chunk_pipe *pipe = self;

	pipe->closes++;
	pipe->closed_in_flight |= pipe->writing != NULL;
	pipe->writer_closed = true;
	pump(pipe);
}

static void close_reader(void *self)
{
	struct chunk_pipe *pipe = self;

	pipe->closes++;
	pipe->closed_in_flight |= pipe->reading != NULL;
}

static const struct sennit_stream_type writer_type = {
	.name = "chunk writer",
	.read = refuse,
	.write = serve_write,
	.cancel = cancel,
	.close = close_writer,
};

static const struct sennit_stream_type reader_type = {
	.name = "chunk reader",
	.read = serve_read,
	.write = refuse,
	.cancel = cancel,
	.close = close_reader,
};

int chunk_pipe_try_open(struct chunk_pipe *pipe, struct sennit_executor *executor)
{
	return sennit_stream_open(&pipe->writer, executor, &writer_type, pipe);
}

void chunk_pipe_open(struct chunk_pipe *pipe, struct sennit_executor *executor, size_t chunk)
{
	/* All but the handles, which are zeroed or closed. */
	memset((char *)pipe + offsetof(struct chunk_pipe, chunk), 0,
	       offsetof(struct chunk_pipe, data) - offsetof(struct chunk_pipe, chunk));
	pipe->chunk = chunk;
	pipe->steps = CHUNK_ALL;
	assert_int_equal(chunk_pipe_try_open(pipe, executor), 0);
	assert_int_equal(sennit_stream_open(&pipe->reader, executor, &reader_type, pipe), 0);
}

void chunk_pipe_allow(struct chunk_pipe *pipe, size_t steps)
{
	pipe->steps = steps;
	pump(pipe);
}

void chunk_pipe_end(struct chunk_pipe *pipe)
{
	pipe->writer_closed = true;
	pump(pipe);
}

struct closes {
	const struct chunk_pipe *pipe;
	unsigned count;
};

static void count_closes(void *argument)
{
	struct closes *closes = argument;

	closes->count = closes->pipe->closes;
}

void chunk_pipe_wait_closed(const struct chunk_pipe *pipe, struct stage *stage)
{
	struct closes closes = { pipe, 0 };

	while (closes.count < 2)
		call_on_owner(stage, count_closes, &closes);
	assert_int_equal(closes.count, 2);
}
