/* SPDX-License-Identifier: MIT */
/* attempt.c - see attempt.h. */
#include "attempt.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* --- a stream and its other end --------------------------------------------------------------- */

void begin_end(struct end *end, attempt_function *attempt)
{
	memset(end, 0, sizeof *end);
	end->attempt = attempt;
	end->stage.runtime = started_runtime(1);
	end->stage.owner = sennit_runtime_worker(end->stage.runtime, 0);
	end->stage.kind = THREAD_FOREIGN;
	end->fds[0] = end->fds[1] = -1;
}

void open_end(struct end *end, enum kind kind, attempt_function *attempt)
{
	bool writes = attempt == sennit_stream_try_write;

	begin_end(end, attempt);
	end->kind = kind;
	if (kind == TCP) {
		raw_tcp_pair(end->fds);
	} else if (kind == LOCAL) {
		raw_local_pair(SOCK_STREAM, end->fds);
	} else {
		int fds[2];

		raw_pipe(fds); /* which is written to at its second end */
		end->fds[0] = fds[writes];
		end->fds[1] = fds[!writes];
	}
	if (writes && kind != PIPE) /* which is small */
		shrink_buffers(end->fds[0]);
	if (kind == TCP) {
		sennit_tcp_socket_init(&end->socket, end->stage.owner);
		assert_int_equal(sennit_tcp_socket_assign(&end->socket, end->fds[0]), 0);
		end->stream = &end->socket.stream;
	} else {
		adopt(&end->stage, &end->descriptor, end->fds[0]);
		end->stream = &end->descriptor.stream;
	}
}

void close_end(struct end *end)
{
	sennit_close(end->stream);
	assert_int_equal(sennit_runtime_join(end->stage.runtime), 0);
	if (end->fds[1] >= 0)
		raw_close(end->fds[1]);
	end_runtime(end->stage.runtime);
	recorded();
}

void with_each_kind(attempt_function *attempt, void (*function)(struct end *end))
{
	for (enum kind kind = TCP; kind < KINDS; kind++) {
		struct end end;

		open_end(&end, kind, attempt);
		function(&end);
		close_end(&end);
	}
}

/* --- attempts --------------------------------------------------------------------------------- */

static void count_now(const struct end *end, struct sennit_counters *counters)
{
	sennit_runtime_counters(end->stage.runtime, 0, counters);
}

void attempt_here(void *argument)
{
	struct attempt *attempt = argument;
	struct sennit_stream *stream = attempt->end->stream;
	struct sennit_counters before;
	uint64_t allocated = allocations_here();
	bool hopeless = attempt->end->attempt == sennit_stream_try_read &&
			!sennit_stream_may_read(stream);

	count_now(attempt->end, &before);
	attempt->moved = attempt->end->attempt(stream, attempt->vector, attempt->count);
	count_now(attempt->end, &attempt->counted);
	RECORD(allocations_here() == allocated);
	RECORD(!hopeless || attempt->moved == 0 || attempt->moved == -EBADF);
	attempt->counted.reads -= before.reads;
	attempt->counted.bytes_read -= before.bytes_read;
	attempt->counted.writes -= before.writes;
	attempt->counted.bytes_written -= before.bytes_written;
	attempt->counted.calls_idle -= before.calls_idle;
	attempt->counted.handlers -= before.handlers;
	RECORD(!hopeless || attempt->counted.calls_idle == 0);
}

ssize_t try_parts(struct end *end, const struct iovec *vector, int count)
{
	struct attempt attempt = {end, vector, count, 0, {0}};

	call_on_owner(&end->stage, attempt_here, &attempt);
	return attempt.moved;
}

ssize_t try_bytes(struct end *end, const void *data, size_t size)
{
	const struct iovec part = {(void *)(uintptr_t)data, size};

	return try_parts(end, &part, 1);
}

struct late {
	struct sennit_task task;
	struct latch held;
	struct latch started;
	struct latch done;
	struct end *end;
	const struct iovec *part;
	ssize_t moved;
};

static void on_late(struct sennit_task *task, int error)
{
	struct late *late = CONTAINER_OF(task, struct late, task);

	RECORD(error == 0);
	latch_down(&late->held);
	latch_wait(&late->started);
	late->moved = late->end->attempt(late->end->stream, late->part, 1);
	latch_down(&late->done);
}

ssize_t try_beside(struct end *end, const struct iovec *part, const struct start *started)
{
	struct late late = {.held = LATCH(1), .started = LATCH(1), .done = LATCH(1), .end = end,
			    .part = part};

	sennit_post(end->stage.owner, &late.task, on_late);
	latch_wait(&late.held);
	start_all(&end->stage, started, 1);
	latch_down(&late.started);
	latch_wait(&late.done);
	return late.moved;
}

struct greed {
	struct end *end;
	char *data;
	size_t moved;
};

static void move_all(void *argument)
{
	struct greed *greed = argument;
	ssize_t moved = 1;

	for (int i = 0; i < ATTEMPTS && moved == 1; i++) {
		const struct iovec part = {greed->data + greed->moved, 1};

		moved = greed->end->attempt(greed->end->stream, &part, 1);
		RECORD(moved == 0 || moved == 1);
		greed->moved += moved == 1;
	}
}

size_t try_one_by_one(struct end *end, char *data)
{
	struct greed greed = {end, data, 0};

	call_on_owner(&end->stage, move_all, &greed);
	return greed.moved;
}

/* --- where there can be none ------------------------------------------------------------------ */

static void try_closed(struct end *end)
{
	struct flight flight = {0};
	char bytes[5] = "never";

	START(&end->stage, {WAIT, .stream = end->stream, .what = SENNIT_WAIT_WRITE,
			    .flight = &flight}); /* so that the owner knows of it */
	owner_turn(&end->stage);
	sennit_close(end->stream);
	wait_result(&flight.result);
	assert_int_equal(try_bytes(end, bytes, sizeof bytes), -EBADF);
}

void assert_closed_reports_EBADF(attempt_function *attempt)
{
	struct sennit_stream none = {0};
	struct end end;
	char bytes[5] = "never";

	with_each_kind(attempt, try_closed);
	begin_end(&end, attempt);
	end.stream = &none; /* was never open */
	assert_int_equal(try_bytes(&end, bytes, sizeof bytes), -EBADF);
	close_end(&end);
}

struct elsewhere {
	attempt_function *attempt;
	unsigned workers; /* 0: a driven one */
	bool from_worker;
	struct sennit_descriptor descriptors[2];
};

/* In a child, where nothing is asserted: one that is not misuse ends it in order. */
static void try_here(void *argument)
{
	struct elsewhere *elsewhere = argument;
	char bytes[5] = "never";
	const struct iovec part = {bytes, sizeof bytes};

	elsewhere->attempt(&elsewhere->descriptors[0].stream, &part, 1);
}

static void try_elsewhere(void *argument)
{
	struct elsewhere *elsewhere = argument;
	struct sennit_runtime *runtime =
		elsewhere->workers ? started_runtime(elsewhere->workers) : driven_runtime();

	if (sennit_descriptor_pair(&elsewhere->descriptors[0], &elsewhere->descriptors[1],
				   sennit_runtime_worker(runtime, 0)))
		return;
	if (elsewhere->from_worker)
		call_on(sennit_runtime_worker(runtime, 1), try_here, elsewhere);
	else
		try_here(elsewhere);
}

void assert_misuse_elsewhere(attempt_function *attempt, const char *word)
{
	struct elsewhere cases[] = {
		{.attempt = attempt},
		{.attempt = attempt, .workers = 1},
		{.attempt = attempt, .workers = 2, .from_worker = true},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_misuse(try_elsewhere, &cases[i], word);
}
