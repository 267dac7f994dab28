/* SPDX-License-Identifier: MIT */
/* duplex_stream.c - see duplex_stream.h. */
#include "duplex_stream.h"

#include <stdlib.h>
#include <string.h>

static void take(struct duplex_end *end, const void *data, size_t size)
{
	if (end->capacity - end->end < size) {
		end->capacity = 2 * end->capacity + size;
		end->data = realloc(end->data, end->capacity);
		if (!end->data)
			abort();
	}
	memcpy(end->data + end->end, data, size);
	end->end += size;
}

/* Serves the end's write as far as it goes. */
static void serve_writer(struct duplex_end *end)
{
	struct iovec part;

	while (end->writing && end->allowed) {
		struct sennit_op *op = end->writing;

		sennit_op_buffers(op, &part, 1);
		if (part.iov_len > end->allowed)
			part.iov_len = end->allowed;
		take(end, part.iov_base, part.iov_len);
		end->taken += part.iov_len;
		if (end->allowed != DUPLEX_ALL)
			end->allowed -= part.iov_len;
		if (sennit_op_advance(op, part.iov_len)) {
			end->writing = NULL;
			sennit_op_complete(op, 0);
		}
	}
}

/* One step of the read of what was written to the end. */
static void step_of_reader(struct duplex_end *end)
{
	struct sennit_op *op = end->peer->reading;
	size_t size = end->end - end->begin;
	struct iovec part;

	if (size) {
		sennit_op_buffers(op, &part, 1);
		if (part.iov_len < size)
			size = part.iov_len;
		memcpy(part.iov_base, end->data + end->begin, size);
		end->begin += size;
		if (end->begin == end->end)
			end->begin = end->end = 0;
		if (!sennit_op_advance(op, size))
			return;
	}
	end->peer->reading = NULL;
	sennit_op_complete(op, size ? 0 : SENNIT_EOF);
}

static void serve(struct duplex_end *end)
{
	serve_writer(end);
	while (end->peer->reading && (end->begin < end->end || end->closed))
		step_of_reader(end);
}

static void serve_read(void *self, struct sennit_op *op)
{
	struct duplex_end *end = self;

	RECORD(!end->reading);
	end->reading = op;
	serve(end->peer);
}

static void serve_write(void *self, struct sennit_op *op)
{
	struct duplex_end *end = self;

	RECORD(!end->writing);
	end->writing = op;
	serve(end);
}

static void cancel(void *self, struct sennit_op *op, int types, int error)
{
	struct duplex_end *end = self;

	(void)types;
	if (op == end->reading)
		end->reading = NULL;
	else
		end->writing = NULL;
	sennit_op_complete(op, error);
}

static void close_end(void *self)
{
	struct duplex_end *end = self;

	end->closed = true;
	serve(end);
}

static const struct sennit_stream_type type = {
	.name = "duplex",
	.read = serve_read,
	.write = serve_write,
	.cancel = cancel,
	.close = close_end,
};

void duplex_open(struct duplex *duplex, struct sennit_executor *owner)
{
	for (int i = 0; i < 2; i++) {
		struct duplex_end *end = &duplex->ends[i];

		end->peer = &duplex->ends[!i];
		end->allowed = DUPLEX_ALL;
		assert_int_equal(sennit_stream_open(&end->stream, owner, &type, end), 0);
	}
}

void duplex_free(struct duplex *duplex)
{
	free(duplex->ends[0].data);
	free(duplex->ends[1].data);
}

struct change {
	struct duplex_end *end;
	size_t value;
};

static void allow(void *argument)
{
	struct change *change = argument;

	change->end->allowed = change->value;
	serve(change->end);
}

static void look(void *argument)
{
	struct change *change = argument;

	change->value = change->end->taken;
}

static void look_for_stopped(void *argument)
{
	struct change *change = argument;

	change->value = change->end->writing && !change->end->allowed;
}

void duplex_allow(struct stage *stage, struct duplex_end *end, size_t bytes)
{
	struct change change = {end, bytes};

	call_on_owner(stage, allow, &change);
}

size_t duplex_taken(struct stage *stage, struct duplex_end *end)
{
	struct change change = {end, 0};

	call_on_owner(stage, look, &change);
	return change.value;
}

void duplex_wait_stopped(struct stage *stage, struct duplex_end *end)
{
	struct change change = {end, 0};

	while (!change.value)
		call_on_owner(stage, look_for_stopped, &change);
}
