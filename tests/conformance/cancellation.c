/* SPDX-License-Identifier: MIT */
/* cancellation.c - every operation that can be asked to end, asked in every way, from every kind of
 * thread: the table B.4, with the counts that the other end can verify.
 *
 * Runs alone: of deadlines it asserts that they pass.
 */
#include "chunk_stream.h"
#include "io_support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MUCH     ((size_t)1 << 20)
#define ANY      SENNIT_CANCEL_ALL
#define TERMINAL SENNIT_CANCEL_TERMINAL
#define PARTIAL  SENNIT_CANCEL_PARTIAL
#define TOTAL    SENNIT_CANCEL_TOTAL
#define UNKNOWN  8

/* How many bytes: only the other end can tell, and some but not all. */
#define MEASURED SIZE_MAX

/* What an operation is about. */
struct thing {
	struct sennit_tcp_socket socket;
	struct sennit_tcp_socket accepted;
	struct sennit_tcp_acceptor acceptor;
	struct sennit_descriptor descriptor;
	struct chunk_pipe *pipe;
	struct sennit_stream *stream;
	struct sennit_endpoint endpoint;
	struct sennit_cancel_signal signal;
	struct flight flight;
	struct iovec vector[2];
	char data[100];
	int peer; /* the other end, or -1 */
	int filler;
	size_t filled; /* what was written before, so that nothing more goes in */
	uint64_t expires_after_ns;
	int expires_with;
};

static char *much; /* the pattern */

/* --- things ----------------------------------------------------------------------------------- */

/* Nothing more goes in before the other end reads. */
static void fill(struct thing *thing, int fd)
{
	int flags = fcntl(fd, F_GETFL);
	ssize_t wrote;

	assert_int_equal(fcntl(fd, F_SETFL, flags | O_NONBLOCK), 0);
	while ((wrote = write(fd, much + thing->filled, 4096)) > 0)
		thing->filled += (size_t)wrote;
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(fcntl(fd, F_SETFL, flags), 0);
}

static void open_tcp(struct stage *stage, struct thing *thing)
{
	thing->peer = open_socket(stage, &thing->socket);
	thing->stream = &thing->socket.stream;
}

static void open_tcp_with_ten(struct stage *stage, struct thing *thing)
{
	open_tcp(stage, thing);
	raw_write(thing->peer, much, 10);
}

static void open_tcp_small(struct stage *stage, struct thing *thing)
{
	open_tcp(stage, thing);
	shrink_buffers(sennit_tcp_socket_native_handle(&thing->socket));
}

static void open_pair(struct stage *stage, struct thing *thing)
{
	thing->peer = open_local(stage, &thing->descriptor);
	thing->stream = &thing->descriptor.stream;
}

static void open_pair_full(struct stage *stage, struct thing *thing)
{
	int fds[2];

	raw_local_pair(SOCK_STREAM, fds);
	shrink_buffers(fds[0]);
	fill(thing, fds[0]);
	adopt(stage, &thing->descriptor, fds[0]);
	thing->peer = fds[1];
	thing->stream = &thing->descriptor.stream;
}

static void open_pipe(struct stage *stage, struct thing *thing, bool reads)
{
	int fds[2];

	raw_pipe(fds);
	shrink_buffers(fds[1]);
	adopt(stage, &thing->descriptor, fds[!reads]);
	thing->peer = fds[reads];
	thing->stream = &thing->descriptor.stream;
}

static void open_pipe_out(struct stage *stage, struct thing *thing)
{
	open_pipe(stage, thing, true);
}

static void open_pipe_out_with_ten(struct stage *stage, struct thing *thing)
{
	open_pipe(stage, thing, true);
	raw_write(thing->peer, much, 10);
}

static void open_pipe_in(struct stage *stage, struct thing *thing)
{
	open_pipe(stage, thing, false);
}

static void open_pipe_in_full(struct stage *stage, struct thing *thing)
{
	open_pipe(stage, thing, false);
	fill(thing, sennit_descriptor_native_handle(&thing->descriptor));
}

static void open_listening(struct stage *stage, struct thing *thing)
{
	open_acceptor(stage, &thing->acceptor, &thing->endpoint);
	sennit_tcp_socket_init(&thing->accepted, stage->owner);
	thing->stream = NULL;
}

/* A listener whose queue is full: a connect to it waits. */
static void open_unanswered(struct stage *stage, struct thing *thing)
{
	struct pollfd queue = { .events = POLLIN };

	thing->peer = queue.fd = raw_listen(&thing->endpoint, 0);
	thing->filler = raw_connect(&thing->endpoint);
	assert_int_equal(poll(&queue, 1, -1), 1);
	sennit_tcp_socket_init(&thing->socket, stage->owner);
	thing->stream = &thing->socket.stream;
}

static void open_chunks(struct stage *stage, struct thing *thing)
{
	thing->pipe = zeroed(sizeof *thing->pipe);
	chunk_pipe_open(thing->pipe, stage->owner, 10);
	thing->pipe->steps = 0;
	thing->stream = &thing->pipe->reader;
}

static void open_chunks_with_ten(struct stage *stage, struct thing *thing)
{
	open_chunks(stage, thing);
	memcpy(thing->pipe->data, much, 10);
	thing->pipe->size = 10;
}

static void open_chunks_in(struct stage *stage, struct thing *thing)
{
	open_chunks(stage, thing);
	thing->stream = &thing->pipe->writer;
}

static void open_chunks_in_for_three(struct stage *stage, struct thing *thing)
{
	open_chunks_in(stage, thing);
	thing->pipe->steps = 3;
}

static void close_thing(struct stage *stage, struct thing *thing)
{
	if (thing->pipe) {
		START(stage, { CLOSE, .stream = &thing->pipe->reader },
		      { CLOSE, .stream = &thing->pipe->writer });
		chunk_pipe_wait_closed(thing->pipe, stage);
		assert_false(thing->pipe->overlapped || thing->pipe->closed_in_flight);
		free(thing->pipe);
	} else if (thing->stream) {
		START(stage, { CLOSE, .stream = thing->stream });
	} else {
		START(stage, { ACCEPTOR_CLOSE, .acceptor = &thing->acceptor },
		      { CLOSE, .stream = &thing->accepted.stream });
	}
	if (thing->peer >= 0)
		raw_close(thing->peer);
	if (thing->filler >= 0)
		raw_close(thing->filler);
}

/* --- the table -------------------------------------------------------------------------------- */

struct row {
	const char *name;
	void (*open)(struct stage *stage, struct thing *thing);
	enum verb verb;
	size_t size;
	int what;
	int gives;   /* the guarantees that the operation can give */
	size_t done; /* bytes when it is asked to end */
};

static const struct row rows[] = {
	{ "B30 read_some", open_tcp, READ_SOME, 100, 0, ANY, 0 },
	{ "B30 readv_some", open_tcp, READV_SOME, 100, 0, ANY, 0 },
	{ "B36 writev_some", open_pair_full, WRITEV_SOME, 100, 0, ANY, 0 },
	{ "B33 connect", open_unanswered, CONNECT, 0, 0, ANY, 0 },
	{ "B34 wait to read", open_tcp, WAIT, 0, SENNIT_WAIT_READ, ANY, 0 },
	{ "B34 wait for errors", open_pair, WAIT, 0, SENNIT_WAIT_ERROR, ANY, 0 },
	{ "B34 wait to write", open_pair_full, WAIT, 0, SENNIT_WAIT_WRITE, ANY, 0 },
	{ "B34 wait for a connection", open_listening, ACCEPTOR_WAIT, 0, SENNIT_WAIT_READ, ANY, 0 },
	{ "B35 accept", open_listening, ACCEPT, 0, 0, ANY, 0 },
	{ "B36 read_some", open_pair, READ_SOME, 100, 0, ANY, 0 },
	{ "B36 write_some", open_pair_full, WRITE_SOME, 100, 0, ANY, 0 },
	{ "B37 C109 read_some", open_pipe_out, READ_SOME, 100, 0, ANY, 0 },
	{ "B37 write_some", open_pipe_in_full, WRITE_SOME, 100, 0, ANY, 0 },
	{ "B42 C100 read", open_tcp_with_ten, READ, 100, 0, TERMINAL | PARTIAL, 10 },
	{ "B42 readv", open_tcp_with_ten, READV, 100, 0, TERMINAL | PARTIAL, 10 },
	{ "B42 read_at_least", open_tcp_with_ten, READ_AT_LEAST, 100, 0, TERMINAL | PARTIAL, 10 },
	{ "B42 read_while", open_tcp_with_ten, READ_WHILE, 100, 0, TERMINAL | PARTIAL, 10 },
	{ "B42 write", open_tcp_small, WRITE, MUCH, 0, TERMINAL | PARTIAL, MEASURED },
	{ "B42 writev", open_tcp_small, WRITEV, MUCH, 0, TERMINAL | PARTIAL, MEASURED },
	{ "B42 write_at_least", open_tcp_small, WRITE_AT_LEAST, MUCH, 0, TERMINAL | PARTIAL,
	  MEASURED },
	{ "B42 writev_while", open_tcp_small, WRITEV_WHILE, MUCH, 0, TERMINAL | PARTIAL, MEASURED },
	{ "B42 read of a pipe", open_pipe_out_with_ten, READ, 100, 0, TERMINAL | PARTIAL, 10 },
	{ "B42 write to a pipe", open_pipe_in, WRITE, MUCH, 0, TERMINAL | PARTIAL, MEASURED },
	{ "read_some of a stream type", open_chunks, READ_SOME, 100, 0, ANY, 0 },
	{ "read of a stream type", open_chunks_with_ten, READ, 100, 0, TERMINAL | PARTIAL, 10 },
	{ "write_some of a stream type", open_chunks_in, WRITE_SOME, 100, 0, ANY, 0 },
	{ "write of a stream type", open_chunks_in_for_three, WRITE, 100, 0, TERMINAL | PARTIAL,
	  30 },
};

static bool reads(const struct row *row)
{
	return row->verb < WRITE_SOME;
}

static bool writes(const struct row *row)
{
	return row->verb >= WRITE_SOME && row->verb < TRANSFERS;
}

static size_t as_long_as_it_takes(struct sennit_op *op, int error, size_t bytes)
{
	(void)op;
	(void)bytes;
	return error ? 0 : MUCH;
}

static void start_row(struct stage *stage, const struct row *row, struct thing *thing)
{
	char *data = writes(row) ? much + thing->filled : thing->data;

	thing->vector[0] = (struct iovec){ data, row->size / 3 };
	thing->vector[1] = (struct iovec){ data + row->size / 3, row->size - row->size / 3 };
	START(stage, { row->verb, thing->stream, &thing->socket, &thing->acceptor, &thing->endpoint,
	               data, row->size, thing->vector, 2, row->size, as_long_as_it_takes, row->what,
	               &thing->flight, .slot = &thing->signal.slot_,
	               .expires_after_ns = thing->expires_after_ns,
	               .expires_with = thing->expires_with });
}

static void open_row(struct stage *stage, const struct row *row, struct thing *thing)
{
	*thing = (struct thing){ .peer = -1, .filler = -1 };
	row->open(stage, thing);
	if (row->verb == ACCEPT)
		thing->socket = thing->accepted;
}

/* --- asking ----------------------------------------------------------------------------------- */

enum how { EMIT, OP_CANCEL, OBJECT_CANCEL, OBJECT_CLOSE, DEADLINE };

struct question {
	struct thing *thing;
	struct sennit_executor *owner;
	enum how how;
	int types;
};

static void call_question(void *argument)
{
	const struct question *q = argument;
	struct thing *thing = q->thing;
	bool here = sennit_executor_runs_here(q->owner);
	unsigned calls = here ? thing->flight.result.calls : 0;

	switch (q->how) {
	case EMIT:
		sennit_cancel_signal_emit(&thing->signal, q->types);
		break;
	case OP_CANCEL:
		sennit_op_cancel(&thing->flight.op, q->types);
		break;
	case OBJECT_CANCEL:
		if (thing->stream)
			sennit_cancel(thing->stream);
		else
			sennit_tcp_acceptor_cancel(&thing->acceptor);
		break;
	case OBJECT_CLOSE:
		if (thing->stream)
			sennit_close(thing->stream);
		else
			sennit_tcp_acceptor_close(&thing->acceptor);
		break;
	case DEADLINE:
		break;
	}
	if (here) /* B9, HB3 */
		RECORD(thing->flight.result.calls == calls);
}

static void ask(const struct stage *stage, struct thing *thing, enum thread_kind asker,
                enum how how, int types)
{
	struct stage there = *stage;
	struct question question = { thing, stage->owner, how, types };

	there.kind = asker;
	call_on_kind(&there, call_question, &question);
}

/* --- what comes of it ------------------------------------------------------------------------- */

/* What was reported as written is what the other end can read. */
static void check_written(const struct row *row, const struct thing *thing, bool closed)
{
	size_t bytes = thing->filled + thing->flight.result.bytes;
	char *data;

	if (row->done == MEASURED) {
		assert_true(thing->flight.result.bytes > 0);
		assert_true(thing->flight.result.bytes < row->size);
	}
	if (thing->pipe) {
		assert_int_equal(thing->pipe->size, bytes);
		assert_true(is_pattern(thing->pipe->data, bytes, 0));
	} else if (closed) {
		assert_int_equal(raw_drain(thing->peer), bytes);
	} else {
		data = zeroed(bytes);
		raw_read(thing->peer, data, bytes);
		assert_true(is_pattern(data, bytes, 0));
		raw_silent(thing->peer);
		free(data);
	}
}

static void check_result(const struct row *row, struct thing *thing, int error)
{
	const struct result *result = &thing->flight.result;
	size_t done;

	wait_result(&thing->flight.result);
	done = row->done == MEASURED ? result->bytes : row->done;
	EXPECT(&thing->flight, error, done);
	assert_false(sennit_cancel_slot_is_bound(&thing->signal.slot_)); /* S5 */
	if (reads(row))
		assert_true(is_pattern(thing->data, done, 0));
}

/* The object is as good as before, and so are slot and operation. */
static void use_again(struct stage *stage, const struct row *row, struct thing *thing)
{
	struct flight other = { 0 };
	struct sennit_cancel_slot *slot = sennit_cancel_signal_slot(&thing->signal);
	int fd = -1;

	if (row->verb == CONNECT)
		return;
	if (thing->pipe) {
		thing->pipe->steps = CHUNK_ALL;
		START(stage, { WRITE, &thing->pipe->writer, .data = "again", .size = 5,
		               .flight = writes(row) ? &thing->flight : &other, .slot = slot });
		EXPECT(writes(row) ? &thing->flight : &other, 0, 5);
		START(stage, { READ, &thing->pipe->reader, .data = thing->data, .size = 5,
		               .flight = writes(row) ? &other : &thing->flight, .slot = slot });
		EXPECT(writes(row) ? &other : &thing->flight, 0, 5);
		return;
	}
	if (writes(row)) {
		START(stage, { WRITE, thing->stream, .data = "again", .size = 5,
		               .flight = &thing->flight, .slot = slot });
		EXPECT(&thing->flight, 0, 5);
		raw_read(thing->peer, thing->data, 5);
		assert_memory_equal(thing->data, "again", 5);
		return;
	}
	start_row(stage, row, thing);
	if (row->verb == ACCEPT || row->verb == ACCEPTOR_WAIT)
		fd = raw_connect(&thing->endpoint);
	else if (row->what == SENNIT_WAIT_WRITE)
		raw_read(thing->peer, much, thing->filled);
	else if (row->what == SENNIT_WAIT_ERROR)
		ask(stage, thing, THREAD_OWNER, OP_CANCEL, TOTAL);
	else
		raw_write(thing->peer, much, reads(row) ? row->size : 1);
	EXPECT(&thing->flight, row->what == SENNIT_WAIT_ERROR ? -ECANCELED : 0,
	       reads(row) ? row->size : 0);
	if (fd >= 0)
		raw_close(fd);
	if (row->verb == ACCEPT)
		START(stage, { CLOSE, .stream = &thing->socket.stream });
}

/* Asks, where that changes nothing, and once more so that it does; then looks. */
static void play(struct stage *stage, const struct row *row, enum thread_kind asker, enum how how,
                 int types)
{
	struct thing *thing = zeroed(sizeof *thing);
	bool object = how == OBJECT_CANCEL || how == OBJECT_CLOSE;

	open_row(stage, row, thing);
	ask(stage, thing, asker, EMIT, ANY); /* B7, C111: nobody is there to hear it */
	start_row(stage, row, thing);
	PENDING(stage, &thing->flight);
	assert_true(sennit_cancel_slot_is_bound(&thing->signal.slot_));
	ask(stage, thing, asker, how, types);
	if (!object && !(types & row->gives)) { /* B3, C110 */
		PENDING(stage, &thing->flight);
		ask(stage, thing, asker, EMIT, PARTIAL);
	}
	check_result(row, thing, -ECANCELED);
	ask(stage, thing, asker, EMIT, ANY); /* B7, C112 */
	ask(stage, thing, THREAD_OWNER, OP_CANCEL, ANY);
	if (writes(row))
		check_written(row, thing, how == OBJECT_CLOSE);
	if (how != OBJECT_CLOSE)
		use_again(stage, row, thing);
	close_thing(stage, thing);
	finish(stage, &thing->flight, 1);
	free(thing);
}

static void play_rows(struct stage *stage, enum how how, int types)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		for (int asker = 0; asker < THREAD_KINDS; asker++) {
			if (how == OP_CANCEL && asker != THREAD_OWNER)
				continue;
			play(stage, &rows[i], (enum thread_kind)asker, how, types);
		}
		progress();
	}
}

SCENARIO(every_operation_hears_a_terminal_request)
{
	play_rows(stage, EMIT, TERMINAL);
	play_rows(stage, OP_CANCEL, TERMINAL);
}

SCENARIO(every_operation_hears_a_partial_request)
{
	play_rows(stage, EMIT, PARTIAL);
	play_rows(stage, OP_CANCEL, PARTIAL);
}

SCENARIO(what_is_composed_of_several_transfers_ignores_a_total_request)
{
	play_rows(stage, EMIT, TOTAL);
	play_rows(stage, OP_CANCEL, TOTAL);
}

SCENARIO(B3_of_all_types_one_that_can_be_given_is_enough)
{
	play_rows(stage, EMIT, ANY);
	play_rows(stage, OP_CANCEL, ANY);
	play_rows(stage, EMIT, UNKNOWN | TOTAL | PARTIAL);
}

SCENARIO(C110_a_request_for_nothing_and_for_unknown_types_is_none)
{
	play_rows(stage, EMIT, SENNIT_CANCEL_NONE);
	play_rows(stage, OP_CANCEL, SENNIT_CANCEL_NONE);
	play_rows(stage, EMIT, UNKNOWN);
	play_rows(stage, EMIT, ~ANY);
}

SCENARIO(cancel_of_the_object_ends_an_operation_with_a_slot)
{
	play_rows(stage, OBJECT_CANCEL, 0);
}

SCENARIO(close_of_the_object_ends_an_operation_with_a_slot)
{
	play_rows(stage, OBJECT_CLOSE, 0);
}

/* --- deadlines -------------------------------------------------------------------------------- */

/* Waits until a deadline that was armed before has come and gone. */
static void outwait(struct stage *stage, uint64_t delay_ns)
{
	struct sennit_op op = { 0 };
	struct sennit_timer timer;
	struct result result = { 0 };

	assert_int_equal(sennit_timer_init(&timer, stage->owner), 0);
	sennit_timer_expires_after(&timer, delay_ns + SENNIT_MS(1));
	expect_result(&op, &result, NULL);
	sennit_timer_async_wait(&timer, &op, on_result);
	wait_result(&result);
	sennit_timer_close(&timer);
}

/* The deadline comes while the operation is in flight. */
static void play_deadline(struct stage *stage, const struct row *row, uint64_t delay_ns, int types)
{
	struct thing *thing = zeroed(sizeof *thing);
	uint64_t before_ns = sennit_now();

	open_row(stage, row, thing);
	thing->expires_after_ns = delay_ns;
	thing->expires_with = types;
	start_row(stage, row, thing);
	thing->expires_after_ns = 0;
	thing->expires_with = 0;
	if (!types || types & row->gives) {
		check_result(row, thing, -ETIMEDOUT);
		assert_true(sennit_now() - before_ns >= delay_ns);
	} else { /* B60 */
		outwait(stage, delay_ns);
		PENDING(stage, &thing->flight);
		ask(stage, thing, THREAD_OWNER, EMIT, PARTIAL);
		check_result(row, thing, -ECANCELED);
	}
	if (writes(row))
		check_written(row, thing, false);
	use_again(stage, row, thing); /* the next flight has none */
	close_thing(stage, thing);
	finish(stage, &thing->flight, 1);
	free(thing);
}

/* The deadline would have come later than the end of the operation, and does nothing. */
static void play_early_end(struct stage *stage, const struct row *row, enum how how)
{
	struct thing *thing = zeroed(sizeof *thing);

	open_row(stage, row, thing);
	thing->expires_after_ns = SENNIT_SECONDS(3600);
	start_row(stage, row, thing);
	PENDING(stage, &thing->flight);
	ask(stage, thing, stage->kind, how, TERMINAL);
	check_result(row, thing, -ECANCELED);
	if (writes(row))
		check_written(row, thing, how == OBJECT_CLOSE);
	thing->expires_after_ns = SENNIT_MS(1) / 4;
	if (how != OBJECT_CLOSE && !row->done && row->verb != CONNECT && !writes(row)) {
		start_row(stage, row, thing); /* and the next one's is its own */
		check_result(row, thing, -ETIMEDOUT);
	}
	close_thing(stage, thing);
	finish(stage, &thing->flight, 1);
	free(thing);
}

static void play_deadlines(struct stage *stage, int types)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		play_deadline(stage, &rows[i], SENNIT_MS(5), types);
		progress();
	}
}

SCENARIO(S9_a_deadline_ends_every_operation_with_what_was_transferred)
{
	play_deadlines(stage, 0);
	play_deadlines(stage, PARTIAL);
}

SCENARIO(B60_a_deadline_that_asks_for_what_cannot_be_given_has_no_effect)
{
	play_deadlines(stage, TOTAL);
}

SCENARIO(what_ends_an_operation_before_its_deadline_names_the_error)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		play_early_end(stage, &rows[i], EMIT);
		play_early_end(stage, &rows[i], OBJECT_CANCEL);
		play_early_end(stage, &rows[i], OBJECT_CLOSE);
		progress();
	}
}

static int group_setup(void **state)
{
	(void)state;
	much = patterned(2 * MUCH);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	free(much);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(every_operation_hears_a_terminal_request),
		TEST(every_operation_hears_a_partial_request),
		TEST(what_is_composed_of_several_transfers_ignores_a_total_request),
		TEST(B3_of_all_types_one_that_can_be_given_is_enough),
		TEST(C110_a_request_for_nothing_and_for_unknown_types_is_none),
		TEST(cancel_of_the_object_ends_an_operation_with_a_slot),
		TEST(close_of_the_object_ends_an_operation_with_a_slot),
		TEST(S9_a_deadline_ends_every_operation_with_what_was_transferred),
		TEST(B60_a_deadline_that_asks_for_what_cannot_be_given_has_no_effect),
		TEST(what_ends_an_operation_before_its_deadline_names_the_error),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
