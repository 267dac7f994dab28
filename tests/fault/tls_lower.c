/* SPDX-License-Identifier: MIT */
/* tls_lower.c - a TLS session over a stream of which one call fails, each in turn: whatever it is,
 * every operation ends, once, and nothing is left. The stream below is of several kinds: it
 * completes at once or later, takes and gives a byte at a time or all, and is waited for or not.
 */
#include "tls_peer.h"

#include <errno.h>
#include <limits.h>
#include <sennit/stream_implement.h>
#include <string.h>

#define CAPACITY ((size_t)1 << 18)

/* How the stream below behaves, and what fails. */
struct kind {
	const char *name;
	bool later;        /* completes in a function of its own */
	bool refuses_waits;
	size_t step;       /* at most so many bytes a time */
	unsigned stride;   /* one in so many calls fails in its turn */
	int error;         /* of the call that fails */
	bool stays;        /* so do all after it */
};

struct end {
	struct sennit_stream stream;
	struct sennit_executor *owner;
	const struct kind *kind;
	struct end *peer;
	unsigned *calls;   /* of both ends */
	unsigned fails_at;
	struct sennit_op *reading;
	struct sennit_op *writing;
	struct sennit_op *waiting;
	struct sennit_task task;
	bool posted;
	bool serving;
	bool closed;
	size_t begin;      /* of what was written to it */
	size_t size;
	char data[CAPACITY];
};

static void serve(struct end *end);

static void on_task(struct sennit_task *task, int error)
{
	struct end *end = CONTAINER_OF(task, struct end, task);

	(void)error;
	end->posted = false;
	serve(end);
}

static void stir(struct end *end)
{
	if (!end->kind->later) {
		serve(end);
	} else if (!end->posted) {
		end->posted = true;
		sennit_post(end->owner, &end->task, on_task);
	}
}

static void complete(struct sennit_op **place, int error)
{
	struct sennit_op *op = *place;

	*place = NULL;
	sennit_op_complete(op, error);
}

static bool step_of(struct end *end, struct sennit_op *op, struct iovec *part, size_t most)
{
	if (!op)
		return false;
	sennit_op_buffers(op, part, 1);
	if (part->iov_len > most)
		part->iov_len = most;
	if (part->iov_len > end->kind->step)
		part->iov_len = end->kind->step;
	return part->iov_len;
}

static void serve(struct end *end)
{
	struct end *from = end->peer;
	struct iovec part;

	if (end->serving)
		return;
	end->serving = true;
	while (end->writing && end->peer->closed)
		complete(&end->writing, -EPIPE);
	while (step_of(end, end->writing, &part, CAPACITY - end->begin - end->size)) {
		memcpy(end->data + end->begin + end->size, part.iov_base, part.iov_len);
		end->size += part.iov_len;
		if (sennit_op_advance(end->writing, part.iov_len))
			complete(&end->writing, 0);
	}
	while (step_of(end, end->reading, &part, from->size)) {
		memcpy(part.iov_base, from->data + from->begin, part.iov_len);
		from->begin += part.iov_len;
		from->size -= part.iov_len;
		if (sennit_op_advance(end->reading, part.iov_len))
			complete(&end->reading, 0);
	}
	while (end->reading && from->closed)
		complete(&end->reading, SENNIT_EOF);
	while (end->waiting && (from->size || from->closed))
		complete(&end->waiting, 0);
	end->serving = false;
	if (from->size == 0)
		from->begin = 0;
	if (end->size && (end->peer->reading || end->peer->waiting))
		stir(end->peer);
}

/* Whether the call is the one that fails. */
static bool fails(struct end *end, struct sennit_op *op)
{
	unsigned call = ++*end->calls;

	if (call != end->fails_at && !(end->kind->stays && call > end->fails_at))
		return false;
	sennit_op_complete(op, end->kind->error);
	return true;
}

static void serve_read(void *self, struct sennit_op *op)
{
	struct end *end = self;

	if (fails(end, op))
		return;
	end->reading = op;
	stir(end);
}

static void serve_write(void *self, struct sennit_op *op)
{
	struct end *end = self;

	if (fails(end, op))
		return;
	end->writing = op;
	stir(end);
}

static void serve_wait(void *self, struct sennit_op *op, int what)
{
	struct end *end = self;

	RECORD(what == SENNIT_WAIT_READ && !end->waiting);
	if (fails(end, op))
		return;
	if (end->kind->refuses_waits) {
		sennit_op_complete(op, -EOPNOTSUPP);
		return;
	}
	end->waiting = op;
	stir(end);
}

static void cancel(void *self, struct sennit_op *op, int types, int error)
{
	struct end *end = self;

	(void)types;
	if (op == end->reading)
		complete(&end->reading, error);
	else if (op == end->writing)
		complete(&end->writing, error);
	else
		complete(&end->waiting, error);
}

static void close_end(void *self)
{
	struct end *end = self;

	end->closed = true;
	stir(end->peer);
}

static const struct sennit_stream_type type = {
	.name = "failing",
	.read = serve_read,
	.write = serve_write,
	.wait = serve_wait,
	.cancel = cancel,
	.close = close_end,
};

/* --- a session -------------------------------------------------------------------------------- */

enum { HANDSHAKE, WRITE_ALL, WRITE_MORE, READ_ALL, SHUTDOWN, OPERATIONS };

#define BYTES 600u

struct side {
	struct sennit_tls_stream tls;
	struct sennit_op ops[OPERATIONS];
	unsigned calls[OPERATIONS];
	int errors[OPERATIONS];
	char sent[BYTES];
	char got[2 * BYTES];
};

static struct end ends[2];
static struct side sides[2];

static void on_end(struct sennit_op *op, int error, size_t bytes)
{
	struct side *side = op->user;
	long which = op - side->ops;

	RECORD(!side->calls[which]++);
	RECORD(error || which == HANDSHAKE || which == SHUTDOWN ||
	       bytes == (which == READ_ALL ? sizeof side->got : sizeof side->sent));
	side->errors[which] = error;
	if (which == READ_ALL)
		RECORD(is_pattern(side->got, bytes < BYTES ? bytes : BYTES, 0));
	if (which == SHUTDOWN || error)
		sennit_close(&side->tls.stream);
	else if (which == READ_ALL)
		sennit_tls_async_shutdown(&side->tls, &side->ops[SHUTDOWN], on_end);
}

static void start(struct side *side)
{
	for (int i = 0; i < OPERATIONS; i++)
		side->ops[i].user = side;
	sennit_tls_async_handshake(&side->tls, &side->ops[HANDSHAKE], on_end);
	pattern(side->sent, BYTES, 0);
	sennit_async_write(&side->tls.stream, side->sent, BYTES, &side->ops[WRITE_ALL], on_end);
	sennit_async_write(&side->tls.stream, side->sent, BYTES, &side->ops[WRITE_MORE], on_end);
	sennit_async_read(&side->tls.stream, side->got, 2 * BYTES, &side->ops[READ_ALL], on_end);
}

/* How many calls the session made below. */
static unsigned play(struct sennit_runtime *runtime, const struct kind *kind, unsigned fails_at)
{
	struct sennit_executor *owner = sennit_runtime_worker(runtime, 0);
	struct tls_pair pair = {0};
	unsigned calls = 0;

	memset(sides, 0, sizeof sides);
	for (int i = 0; i < 2; i++) {
		ends[i] = (struct end){.kind = kind, .owner = owner, .peer = &ends[!i],
				       .calls = &calls, .fails_at = fails_at};
		assert_int_equal(sennit_stream_open(&ends[i].stream, owner, &type, &ends[i]), 0);
	}
	open_pair_over(&pair, &ends[0].stream, &ends[1].stream, NULL, NULL);
	sides[0].tls = pair.client;
	sides[1].tls = pair.server;
	start(&sides[0]);
	start(&sides[1]);
	run_dry(runtime);
	recorded();
	for (int i = 0; i < 2; i++) {
		for (int j = 0; j < SHUTDOWN; j++)
			assert_int_equal(sides[i].calls[j], 1);
		assert_true(ends[i].closed);
		assert_false(sennit_is_open(&sides[i].tls.stream));
	}
	return calls;
}

static const struct kind kinds[] = {
	{"at_once", false, false, SIZE_MAX, 1, -EIO, false},
	{"at_once_for_good", false, false, SIZE_MAX, 1, -EIO, true},
	{"at_once_without_waits", false, true, SIZE_MAX, 1, -EIO, false},
	{"at_once_cancelled", false, false, SIZE_MAX, 1, -ECANCELED, false},
	{"at_once_ended", false, false, SIZE_MAX, 1, SENNIT_EOF, false},
	{"at_once_not_supported", false, false, SIZE_MAX, 1, -EOPNOTSUPP, false},
	{"at_once_a_byte_at_a_time", false, false, 1, 97, -EIO, false},
	{"later", true, false, SIZE_MAX, 1, -EIO, false},
	{"later_for_good", true, false, SIZE_MAX, 1, -EIO, true},
	{"later_without_waits", true, true, SIZE_MAX, 1, -EIO, false},
	{"later_cancelled", true, false, SIZE_MAX, 1, -ECANCELED, false},
	{"later_ended", true, false, SIZE_MAX, 1, SENNIT_EOF, false},
	{"later_not_supported", true, false, SIZE_MAX, 1, -EOPNOTSUPP, false},
	{"later_a_byte_at_a_time", true, false, 1, 97, -EIO, false},
	{"later_a_byte_at_a_time_without_waits", true, true, 1, 97, -EIO, true},
};

static void every_operation_ends_whichever_call_below_fails(void **state)
{
	const struct kind *kind = row_of(state, kinds, sizeof *kinds);
	struct sennit_runtime *runtime = driven_runtime();
	unsigned calls = play(runtime, kind, UINT_MAX);

	for (int i = 0; i < 2; i++)
		for (int j = 0; j < OPERATIONS; j++)
			assert_true(sides[i].calls[j] == 1 && sides[i].errors[j] == 0);
	for (unsigned i = 1; i <= calls; i += kind->stride)
		play(runtime, kind, i);
	end_runtime(runtime);
}

int main(void)
{
	static struct CMUnitTest tests[COUNT_OF(kinds)];

	tests_of_rows(kinds, COUNT_OF(kinds), sizeof *kinds,
		      every_operation_ends_whichever_call_below_fails, tests);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
