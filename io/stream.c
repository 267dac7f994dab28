/* SPDX-License-Identifier: MIT */
/* stream.c - the initiating functions that every stream has: each fills the operation and starts
 * it. */
#include <sennit/stream.h>

#include "io/backend/backend.h"
#include "io/object.h"

#include <errno.h>

/* What is special about every operation of that kind. */
static inline int flags_of(int kind)
{
	return (kind & 0xf0) == SENNIT__WHILE ? SENNIT__OP_WANTS : 0;
}

/* Whether an operation of that kind is to transfer nothing. */
static inline bool is_empty(const struct sennit_op *op, int kind, bool no_room)
{
	return no_room || ((kind & 0xf0) == SENNIT__AT_LEAST && !op->goal_.minimum);
}

static inline void start_one(struct sennit_stream *stream, const void *data, size_t size,
		      struct sennit_op *op, sennit_handler *handler, int kind)
{
	if (SENNIT__UNLIKELY(!sennit__op_is_free(op, handler))) {
		sennit__op_report(op, handler);
		return;
	}
	sennit__op_prepare(op, handler, kind, flags_of(kind));
	/* a write never writes here; one cursor serves both directions */
	op->buffer_.one.data = (char *)(uintptr_t)data;
	op->buffer_.one.size = size;
	if (SENNIT__UNLIKELY(is_empty(op, kind, !size))) {
		op->task_.flags_ |= SENNIT__OP_EMPTY;
		sennit__object_start(&stream->object_, op);
	} else if (flags_of(kind)) {
		sennit__object_start(&stream->object_, op);
	} else if ((kind & 0x0f) == SENNIT__READ) {
		sennit__object_start_read(&stream->object_, op);
	} else {
		sennit__object_start_write(&stream->object_, op);
	}
}

static void start_many(struct sennit_stream *stream, const struct iovec *vector, int count,
		       struct sennit_op *op, sennit_handler *handler, int kind)
{
	if (count < 0 || (count && !vector))
		sennit__misuse("an initiating function", "the array of buffers is not one");
	while (count && !vector->iov_len) { /* so that exhausted means no buffer left */
		vector++;
		count--;
	}
	sennit__op_prepare(op, handler, kind, flags_of(kind) | SENNIT__OP_MANY);
	if (is_empty(op, kind, !count))
		op->task_.flags_ |= SENNIT__OP_EMPTY;
	op->buffer_.many.vector = vector;
	op->buffer_.many.offset = 0;
	op->count_ = (uint32_t)count;
	sennit__object_start(&stream->object_, op);
}

static void set_condition(struct sennit_op *op, sennit_condition *condition)
{
	if (!condition)
		sennit__misuse("an initiating function", "the completion condition is NULL");
	sennit__op_check(op);
	op->goal_.condition = condition;
}

static void set_minimum(struct sennit_op *op, size_t minimum)
{
	sennit__op_check(op);
	op->goal_.minimum = minimum;
}

/* --- read ------------------------------------------------------------------------------------- */

void sennit_async_read_some(struct sennit_stream *stream, void *data, size_t size,
			    struct sennit_op *op, sennit_handler *handler)
{
	start_one(stream, data, size, op, handler, SENNIT__READ | SENNIT__SOME);
}

void sennit_async_readv_some(struct sennit_stream *stream, const struct iovec *vector, int count,
			     struct sennit_op *op, sennit_handler *handler)
{
	start_many(stream, vector, count, op, handler, SENNIT__READ | SENNIT__SOME);
}

void sennit_async_read(struct sennit_stream *stream, void *data, size_t size,
		       struct sennit_op *op, sennit_handler *handler)
{
	start_one(stream, data, size, op, handler, SENNIT__READ | SENNIT__ALL);
}

void sennit_async_readv(struct sennit_stream *stream, const struct iovec *vector, int count,
			struct sennit_op *op, sennit_handler *handler)
{
	start_many(stream, vector, count, op, handler, SENNIT__READ | SENNIT__ALL);
}

void sennit_async_read_at_least(struct sennit_stream *stream, void *data, size_t size,
				size_t minimum, struct sennit_op *op, sennit_handler *handler)
{
	set_minimum(op, minimum);
	start_one(stream, data, size, op, handler, SENNIT__READ | SENNIT__AT_LEAST);
}

void sennit_async_readv_at_least(struct sennit_stream *stream, const struct iovec *vector,
				 int count, size_t minimum, struct sennit_op *op,
				 sennit_handler *handler)
{
	set_minimum(op, minimum);
	start_many(stream, vector, count, op, handler, SENNIT__READ | SENNIT__AT_LEAST);
}

void sennit_async_read_while(struct sennit_stream *stream, void *data, size_t size,
			     sennit_condition *condition, struct sennit_op *op,
			     sennit_handler *handler)
{
	set_condition(op, condition);
	start_one(stream, data, size, op, handler, SENNIT__READ | SENNIT__WHILE);
}

void sennit_async_readv_while(struct sennit_stream *stream, const struct iovec *vector, int count,
			      sennit_condition *condition, struct sennit_op *op,
			      sennit_handler *handler)
{
	set_condition(op, condition);
	start_many(stream, vector, count, op, handler, SENNIT__READ | SENNIT__WHILE);
}

/* --- write ------------------------------------------------------------------------------------ */

void sennit_async_write_some(struct sennit_stream *stream, const void *data, size_t size,
			     struct sennit_op *op, sennit_handler *handler)
{
	start_one(stream, data, size, op, handler, SENNIT__WRITE | SENNIT__SOME);
}

void sennit_async_writev_some(struct sennit_stream *stream, const struct iovec *vector, int count,
			      struct sennit_op *op, sennit_handler *handler)
{
	start_many(stream, vector, count, op, handler, SENNIT__WRITE | SENNIT__SOME);
}

void sennit_async_write(struct sennit_stream *stream, const void *data, size_t size,
			struct sennit_op *op, sennit_handler *handler)
{
	start_one(stream, data, size, op, handler, SENNIT__WRITE | SENNIT__ALL);
}

void sennit_async_writev(struct sennit_stream *stream, const struct iovec *vector, int count,
			 struct sennit_op *op, sennit_handler *handler)
{
	start_many(stream, vector, count, op, handler, SENNIT__WRITE | SENNIT__ALL);
}

void sennit_async_write_at_least(struct sennit_stream *stream, const void *data, size_t size,
				 size_t minimum, struct sennit_op *op, sennit_handler *handler)
{
	set_minimum(op, minimum);
	start_one(stream, data, size, op, handler, SENNIT__WRITE | SENNIT__AT_LEAST);
}

void sennit_async_writev_at_least(struct sennit_stream *stream, const struct iovec *vector,
				  int count, size_t minimum, struct sennit_op *op,
				  sennit_handler *handler)
{
	set_minimum(op, minimum);
	start_many(stream, vector, count, op, handler, SENNIT__WRITE | SENNIT__AT_LEAST);
}

void sennit_async_write_while(struct sennit_stream *stream, const void *data, size_t size,
			      sennit_condition *condition, struct sennit_op *op,
			      sennit_handler *handler)
{
	set_condition(op, condition);
	start_one(stream, data, size, op, handler, SENNIT__WRITE | SENNIT__WHILE);
}

void sennit_async_writev_while(struct sennit_stream *stream, const struct iovec *vector, int count,
			       sennit_condition *condition, struct sennit_op *op,
			       sennit_handler *handler)
{
	set_condition(op, condition);
	start_many(stream, vector, count, op, handler, SENNIT__WRITE | SENNIT__WHILE);
}

/* --- the rest --------------------------------------------------------------------------------- */

void sennit_async_wait(struct sennit_stream *stream, int what, struct sennit_op *op,
		       sennit_handler *handler)
{
	sennit__object_wait(&stream->object_, what, op, handler);
}

void sennit_cancel(struct sennit_stream *stream)
{
	sennit__object_cancel(&stream->object_);
}

void sennit_close(struct sennit_stream *stream)
{
	sennit__object_close(&stream->object_);
}

bool sennit_is_open(const struct sennit_stream *stream)
{
	return sennit__object_slot(&stream->object_) != NULL;
}

struct sennit_executor *sennit_stream_executor(const struct sennit_stream *stream)
{
	return stream->object_.executor_;
}

/* --- for those who write streams -------------------------------------------------------------- */

void sennit_stream_request(struct sennit_stream *stream, int what, struct sennit_op *op,
			   sennit_handler *handler)
{
	if (what < SENNIT_STREAM_REQUEST)
		sennit__misuse("sennit_stream_request",
			       "`what` is less than SENNIT_STREAM_REQUEST");
	sennit__object_wait(&stream->object_, what, op, handler);
}

/* The slot of an open stream, or NULL. */
static struct sennit__slot *slot_at_owner(const struct sennit_stream *stream, const char *call)
{
	struct sennit__slot *slot = sennit__object_slot(&stream->object_);

	if (slot && sennit__current != slot->owner)
		sennit__misuse(call, "the thread is not at the owner");
	return slot;
}

/* A datagram of nothing would look like no datagram. */
static bool may_read(const struct sennit__slot *slot)
{
	const int try_it = SENNIT__SLOT_DIRECT | SENNIT__SLOT_READABLE;
	const int all = try_it | SENNIT__SLOT_CONNECTING;

	return (slot->flags & all) == try_it && !slot->queue[SENNIT__READS] &&
	       !(slot->traits & SENNIT__DATAGRAM);
}

bool sennit_stream_may_read(const struct sennit_stream *stream)
{
	const struct sennit__slot *slot = slot_at_owner(stream, "sennit_stream_may_read");

	return slot && may_read(slot);
}

ssize_t sennit_stream_try_read(struct sennit_stream *stream, const struct iovec *vector, int count)
{
	struct sennit__slot *slot = slot_at_owner(stream, "sennit_stream_try_read");

	if (!slot)
		return -EBADF;
	if (!may_read(slot))
		return 0;
	return sennit__io_of(slot->owner)->backend->try_read(slot, vector, count);
}

ssize_t sennit_stream_try_write(struct sennit_stream *stream, const struct iovec *vector, int count)
{
	struct sennit__slot *slot = slot_at_owner(stream, "sennit_stream_try_write");

	if (!slot)
		return -EBADF;
	/* a write that was started elsewhere may be among what the owner is behind with */
	if (!(slot->flags & SENNIT__SLOT_DIRECT) || slot->queue[SENNIT__WRITES] ||
	    sennit__worker_behind(slot->owner))
		return 0;
	return sennit__io_of(slot->owner)->backend->try_write(slot, vector, count);
}

struct sennit_executor *sennit_stream_owner(const struct sennit_stream *stream)
{
	struct sennit__slot *slot = sennit__object_slot(&stream->object_);

	return slot ? &slot->owner->executor : NULL;
}
