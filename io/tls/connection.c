/* SPDX-License-Identifier: MIT */
/* connection.c - serves the operations of a TLS stream; see connection.h.
 *
 * Whatever happens - an operation is handed over, bytes have come or left - ends in go_on, which
 * lets each operation go as far as it can, sends what came of it, and asks below for more where
 * somebody waits for that. Input is waited for without a buffer, and OpenSSL's go when a connection
 * rests, so an idle one has none.
 */
#include "io/tls/connection.h"

#include <errno.h>
#include <sennit/error.h>
#include <stdlib.h>

/* Buffers that are gathered for one step, and the plaintext of what leaves in one call. */
#define VECTOR_MAX 64
#define GATHER_MAX ((size_t)4 * SENNIT__TLS_RECORD)

static void go_on(struct sennit__tls_connection *connection);
static sennit_function on_pump;

/* To complete an operation may close the stream: nothing is freed before who does so has let go. */
static void hold(struct sennit__tls_connection *connection)
{
	connection->held++;
}

static void let_go(struct sennit__tls_connection *connection)
{
	connection->held--;
	if (!connection->closed || connection->held || connection->receiving ||
	    connection->sending || connection->pumping)
		return;
	sennit__tls_engine_fini(&connection->engine);
	free(connection);
}

/* Completes what `place` names, which names nothing from then on. */
static void finish(struct sennit_op **place, int error)
{
	struct sennit_op *op = *place;

	*place = NULL;
	sennit_op_complete(op, error);
}

/* Whether data can be carried: 0, SENNIT__TLS_MORE while hands are being shaken, or why not. */
static int check_connected(const struct sennit__tls_connection *connection)
{
	const struct sennit__tls_engine *engine = &connection->engine;

	if (engine->connected)
		return 0;
	if (connection->handshake)
		return SENNIT__TLS_MORE;
	if (engine->failure)
		return engine->failure;
	if (engine->input_error)
		return engine->input_error;
	return connection->output_error ? connection->output_error : -ENOTCONN;
}

/* --- the handshake ---------------------------------------------------------------------------- */

static void shake_hands(struct sennit__tls_connection *connection)
{
	int error;

	if (!connection->handshake)
		return;
	error = sennit__tls_engine_handshake(&connection->engine);
	if (error == SENNIT__TLS_MORE && connection->output_error)
		error = connection->output_error;
	if (error != SENNIT__TLS_MORE)
		finish(&connection->handshake, error);
}

/* --- reads ------------------------------------------------------------------------------------ */

/* As much as is there for the operation: bytes, or 0 and *error, SENNIT__TLS_MORE among them. */
static size_t read_some(struct sennit__tls_connection *connection, const struct sennit_op *op,
			int *error)
{
	struct iovec vector[VECTOR_MAX];
	int count = sennit_op_buffers(op, vector, VECTOR_MAX);
	size_t total = 0;

	for (int i = 0; i < count; i++) {
		ssize_t got = sennit__tls_engine_read(&connection->engine, vector[i].iov_base,
						      vector[i].iov_len);

		*error = got < 0 ? (int)got : SENNIT__TLS_MORE;
		if (got > 0)
			total += (size_t)got;
		if (got < (ssize_t)vector[i].iov_len)
			break;
	}
	return total;
}

static void serve_reads(struct sennit__tls_connection *connection)
{
	while (connection->read) {
		int error = check_connected(connection);
		size_t got = error ? 0 : read_some(connection, connection->read, &error);

		if (got) {
			if (sennit_op_advance(connection->read, got))
				finish(&connection->read, 0);
		} else if (error == SENNIT__TLS_MORE) {
			return;
		} else {
			finish(&connection->read, error);
		}
	}
}

/* --- waits ------------------------------------------------------------------------------------ */

/* Whether what the wait waits for is so; *error is what it then reports. */
static bool is_ready(struct sennit__tls_connection *connection, int what, int *error)
{
	*error = check_connected(connection);
	if (*error)
		return *error != SENNIT__TLS_MORE;
	if (connection->engine.failure || connection->output_error)
		return true;
	if (what & SENNIT_WAIT_ERROR && connection->engine.input_error)
		return true;
	return (what & SENNIT_WAIT_WRITE && !connection->sending) ||
	       (what & SENNIT_WAIT_READ &&
		sennit__tls_engine_peek(&connection->engine) != SENNIT__TLS_MORE);
}

/* The wait behind one, which shares the queue with requests. */
static struct sennit_op *next_wait(const struct sennit__tls_connection *connection,
				   const struct sennit_op *op)
{
	struct sennit_op *next = sennit_op_next(op);

	while (next && (next == connection->handshake || next == connection->shutdown))
		next = sennit_op_next(next);
	return next;
}

static void end_wait(struct sennit__tls_connection *connection, struct sennit_op *op, int error)
{
	if (connection->wait == op)
		connection->wait = next_wait(connection, op);
	sennit_op_complete(op, error);
}

static void serve_waits(struct sennit__tls_connection *connection)
{
	struct sennit_op *op = connection->wait;

	while (op) {
		struct sennit_op *next = next_wait(connection, op);
		int error;

		if (is_ready(connection, sennit_op_awaits(op), &error))
			end_wait(connection, op, error);
		op = next;
	}
}

/* --- writes ----------------------------------------------------------------------------------- */

static size_t size_of(const struct iovec *vector, int count)
{
	size_t size = 0;

	for (int i = 0; i < count; i++)
		size += vector[i].iov_len;
	return size;
}

/* How many of the sealed bytes are the operation's, which begins after `before` of them. */
static size_t share_of(const struct sennit__tls_connection *connection, const struct sennit_op *op,
		       size_t before)
{
	struct iovec vector[VECTOR_MAX];
	size_t offered = size_of(vector, sennit_op_buffers(op, vector, VECTOR_MAX));
	size_t left = connection->sealed - before;

	return offered < left ? offered : left;
}

/* Takes a write out of ours, and completes it. */
static void end_write(struct sennit__tls_connection *connection, struct sennit_op *op, int error)
{
	struct sennit_op *before = NULL;

	if (connection->write == op) {
		connection->write = op == connection->write_last ? NULL : sennit_op_next(op);
	} else {
		before = connection->write;
		while (sennit_op_next(before) != op)
			before = sennit_op_next(before);
	}
	if (connection->write_last == op)
		connection->write_last = before;
	sennit_op_complete(op, error);
}

/* Makes the write behind ours one of ours; NULL where there is none. */
static struct sennit_op *take_write(struct sennit__tls_connection *connection)
{
	struct sennit_op *next = sennit_op_take_next(connection->write_last);

	if (next)
		connection->write_last = next;
	return next;
}

/* Whether writes are to wait for close_notify, only to end then: they were started after the
 * shutdown was. */
static bool is_late(const struct sennit__tls_connection *connection)
{
	return connection->late && connection->shutdown && !connection->engine.notified;
}

/* The bytes of writes to be sealed next: of the first, and of those behind it, as long as those
 * before are sure to be complete with what is gathered of them. One record of a write_some that
 * stands alone. */
static size_t gather(struct sennit__tls_connection *connection, struct iovec *vector)
{
	struct sennit_op *op = connection->write;
	size_t most = sennit_op_least(op);
	size_t size = 0;
	int count = 0;

	if (most > GATHER_MAX || sennit_op_next(op))
		most = GATHER_MAX;
	if (most < SENNIT__TLS_RECORD)
		most = SENNIT__TLS_RECORD;
	while (op) {
		int parts = sennit_op_buffers(op, vector + count, VECTOR_MAX - count);
		size_t offered = size_of(vector + count, parts);

		size += offered < most - size ? offered : most - size;
		count += parts;
		if (offered < sennit_op_least(op) || size == most || count == VECTOR_MAX)
			break;
		if (op != connection->write_last)
			op = sennit_op_next(op);
		else
			op = connection->shutdown ? NULL : take_write(connection);
	}
	return size;
}

static void end_writes(struct sennit__tls_connection *connection, int error)
{
	connection->sealed = connection->sealed_output = 0;
	connection->stopping = NULL;
	while (connection->write)
		end_write(connection, connection->write, error);
}

/* Nothing can leave any more, and what was to leave is of no use. Writes end as seal_writes
 * says. */
static void fail_output(struct sennit__tls_connection *connection, int error)
{
	connection->output_error = error;
	connection->again = true; /* waits end */
	connection->sealed = connection->sealed_output = 0;
	sennit__tls_engine_sent(&connection->engine, connection->engine.output_size);
}

/* All that was sealed has left. */
static void credit_writes(struct sennit__tls_connection *connection)
{
	while (connection->sealed) {
		struct sennit_op *op = connection->write;
		size_t share = share_of(connection, op, 0);

		connection->sealed -= share;
		if (sennit_op_advance(op, share))
			end_write(connection, op, 0);
		else if (op == connection->stopping)
			end_write(connection, op, connection->stop);
	}
	connection->stopping = NULL;
}

size_t sennit__tls_pass_on(void *self, const struct iovec *vector, int count)
{
	struct sennit__tls_connection *connection = self;
	ssize_t taken = sennit_stream_try_write(&connection->lower, vector, count);

	if (taken < 0)
		connection->output_error = (int)taken;
	return taken < 0 ? 0 : (size_t)taken;
}

/* Encrypts writes where nothing is on its way below. The stream below takes it at once, or else
 * with an operation. */
static void seal_writes(struct sennit__tls_connection *connection)
{
	struct sennit__tls_engine *engine = &connection->engine;
	struct iovec vector[VECTOR_MAX];
	ssize_t sealed;
	int error;

	if (!connection->write || connection->sending || connection->sealed || is_late(connection))
		return;
	error = check_connected(connection);
	if (error == SENNIT__TLS_MORE)
		return;
	if (!error)
		error = connection->output_error;
	if (error) {
		end_writes(connection, error);
		return;
	}
	sealed = sennit__tls_engine_seal(engine, vector, gather(connection, vector));
	connection->starved = !sealed;
	if (connection->output_error) { /* found while it was sealed */
		sealed = connection->output_error;
		fail_output(connection, connection->output_error);
	}
	if (sealed < 0) {
		end_writes(connection, (int)sealed);
		return;
	}
	connection->sealed = (size_t)sealed;
	connection->sealed_output = engine->output_size;
	if (!sealed || engine->output_size)
		return;
	credit_writes(connection);
	if (connection->write)
		connection->again = true;
}

/* A write of ours was asked to end. What is sealed of it goes out all the same. */
static void cancel_write(struct sennit__tls_connection *connection, struct sennit_op *op,
			 int types, int error)
{
	size_t before = 0;
	size_t share;

	for (struct sennit_op *other = connection->write; other != op;
	     other = sennit_op_next(other))
		before += share_of(connection, other, before);
	share = share_of(connection, op, before);
	if (!share || types & SENNIT_CANCEL_TERMINAL) {
		connection->sealed -= share;
		end_write(connection, op, error);
	} else if (before + share == connection->sealed) {
		/* the last that is sealed; of those before it all is on its way */
		connection->stopping = op;
		connection->stop = error;
	}
}

/* What was started in this turn is served when it ends. */
static void start_pump(struct sennit__tls_connection *connection)
{
	if (connection->pumping)
		return;
	connection->pumping = true;
	connection->stirred = false;
	sennit_post(connection->owner, &connection->pump, on_pump);
}

/* --- the end ---------------------------------------------------------------------------------- */

/* Reads what no operation asks for, up to the peer's close_notify: 0, SENNIT__TLS_MORE or why
 * not. */
static int drop_data(struct sennit__tls_connection *connection)
{
	char dropped[1024];
	ssize_t got;

	do
		got = sennit__tls_engine_read(&connection->engine, dropped, sizeof dropped);
	while (got > 0);
	OPENSSL_cleanse(dropped, sizeof dropped);
	if (got == SENNIT_EOF)
		return 0;
	return got ? (int)got : SENNIT__TLS_MORE;
}

/* Looks for the peer's close_notify: 0, SENNIT__TLS_MORE or why it does not come. Data before it is
 * for reads. Where none was in flight since the shutdown was asked for it is dropped, but not
 * before who has just read something had a turn to read on. */
static int look_for_end(struct sennit__tls_connection *connection)
{
	int error;

	if (!connection->is_read && !connection->patience)
		return drop_data(connection);
	error = sennit__tls_engine_peek(&connection->engine);
	if (error == SENNIT_EOF)
		return 0;
	if (!connection->is_read)
		start_pump(connection);
	return error ? error : SENNIT__TLS_MORE;
}

static void shut_down(struct sennit__tls_connection *connection)
{
	int error;

	if (!connection->shutdown)
		return;
	error = check_connected(connection);
	if (!error && connection->write && !connection->late)
		return;
	if (!error)
		error = sennit__tls_engine_shutdown(&connection->engine);
	if (connection->output_error && error >= 0)
		error = connection->output_error;
	if (error == SENNIT__TLS_MORE && connection->engine.notified && !connection->read)
		error = look_for_end(connection);
	if (error == SENNIT__TLS_MORE || (!error && connection->engine.output_size))
		return;
	finish(&connection->shutdown, error);
	if (connection->write)
		connection->again = true;
}

/* --- below ------------------------------------------------------------------------------------ */

static void on_output(struct sennit_op *op, int error, size_t bytes)
{
	struct sennit__tls_connection *connection = op->user;
	size_t left = connection->output_size;

	(void)bytes;
	hold(connection);
	connection->sending = false;
	if (error)
		fail_output(connection, error);
	else
		sennit__tls_engine_sent(&connection->engine, left);
	if (connection->sealed_output) {
		/* what reads have added since may have left with the last of it */
		connection->sealed_output -= left < connection->sealed_output
						     ? left
						     : connection->sealed_output;
		if (!connection->sealed_output)
			credit_writes(connection);
	}
	go_on(connection);
	let_go(connection);
}

static void send_output(struct sennit__tls_connection *connection)
{
	int count;

	if (connection->sending || !connection->engine.output_size)
		return;
	if (connection->output_error) { /* reads go on, and add to it */
		sennit__tls_engine_sent(&connection->engine, connection->engine.output_size);
		connection->again = true;
		return;
	}
	count = sennit__tls_engine_output(&connection->engine, connection->output,
					  SENNIT__TLS_PARTS);
	connection->output_size = size_of(connection->output, count);
	connection->sending = true;
	sennit_async_writev(&connection->lower, connection->output, count, &connection->output_op,
			    on_output);
}

/* Input cannot come now, which is the end of what waits for it, but not of the connection. */
static void end_what_waits(struct sennit__tls_connection *connection, int error)
{
	if (connection->read)
		finish(&connection->read, error);
	if (connection->handshake)
		finish(&connection->handshake, error);
	if (connection->shutdown)
		finish(&connection->shutdown, error);
	while (connection->wait)
		end_wait(connection, connection->wait, error);
	if (connection->starved)
		end_writes(connection, error);
}

/* Input has come, or not, for `error`. */
static void end_input(struct sennit__tls_connection *connection, int error)
{
	if (error == -ECANCELED && connection->dropping)
		return;
	if (error == -ECANCELED)
		end_what_waits(connection, error);
	else if (error)
		sennit__tls_engine_end(&connection->engine, error == SENNIT_EOF ? 0 : error);
}

/* How more is asked for after an operation that ended with `error`; where all goes well,
 * `otherwise`. */
static void choose_input(struct sennit__tls_connection *connection, int error,
			 enum sennit__tls_input otherwise)
{
	if (connection->cannot_wait)
		connection->next_input = SENNIT__TLS_TAKE;
	else if (error == -ECANCELED)
		connection->next_input = SENNIT__TLS_WAIT;
	else
		connection->next_input = otherwise;
}

static void on_input(struct sennit_op *op, int error, size_t bytes)
{
	struct sennit__tls_connection *connection = op->user;

	hold(connection);
	connection->receiving = false;
	sennit__tls_engine_feed(&connection->engine, bytes);
	choose_input(connection, error, SENNIT__TLS_TRY);
	end_input(connection, error);
	go_on(connection);
	let_go(connection);
}

static void on_readable(struct sennit_op *op, int error, size_t bytes)
{
	struct sennit__tls_connection *connection = op->user;

	(void)bytes;
	hold(connection);
	connection->receiving = false;
	if (error == -EOPNOTSUPP)
		connection->cannot_wait = true;
	else
		end_input(connection, error);
	connection->engine.drawing = sennit_stream_may_read(&connection->lower);
	choose_input(connection, error,
		     connection->engine.drawing ? SENNIT__TLS_WAIT : SENNIT__TLS_TAKE);
	go_on(connection);
	let_go(connection);
}

ssize_t sennit__tls_draw(void *self, void *data, size_t size, bool *more)
{
	struct sennit__tls_connection *connection = self;
	struct iovec part = {data, size};
	ssize_t got = sennit_stream_try_read(&connection->lower, &part, 1);

	/* who has had his share of this turn waits for the next */
	*more = got > 0 && sennit_stream_may_read(&connection->lower);
	choose_input(connection, 0, SENNIT__TLS_WAIT);
	if (got < 0)
		connection->again = true; /* waits end */
	return got;
}

/* Whether an operation waits for what only the peer can send. */
static bool needs_input(const struct sennit__tls_connection *connection)
{
	return connection->handshake || connection->read || connection->wait ||
	       (connection->shutdown && (!connection->write || connection->late)) ||
	       (connection->write && connection->starved);
}

/* Whether more input would be of any use, now. */
static bool can_use_input(const struct sennit__tls_engine *engine)
{
	return !engine->failure && !engine->input_error && !sennit__tls_engine_fed(engine) &&
	       !sennit__tls_engine_congested(engine);
}

static void drop_input(struct sennit__tls_connection *connection)
{
	connection->dropping = true;
	sennit_op_cancel(&connection->input_op, SENNIT_CANCEL_ALL);
}

static void read_input(struct sennit__tls_connection *connection)
{
	bool taken = connection->next_input == SENNIT__TLS_TAKE;
	size_t size;
	void *room = sennit__tls_engine_room(&connection->engine, &size);

	if (!room) {
		connection->receiving = false;
		end_what_waits(connection, -ENOMEM);
		return;
	}
	sennit_async_read_some(&connection->lower, room, size, &connection->input_op, on_input);
	if (connection->receiving && !taken)
		drop_input(connection);
}

/* Some may be there, but who waits does not draw it. */
static void draw_input(struct sennit__tls_connection *connection)
{
	if (can_use_input(&connection->engine) && sennit__tls_engine_draw(&connection->engine))
		end_what_waits(connection, -ENOMEM);
}

static void ask_for_input(struct sennit__tls_connection *connection)
{
	if (connection->receiving) {
		if (!connection->dropping && !needs_input(connection))
			drop_input(connection); /* or it would keep the runtime at work */
		return;
	}
	if (needs_input(connection) && connection->engine.drawing)
		draw_input(connection);
	if (!needs_input(connection) || !can_use_input(&connection->engine))
		return;
	connection->receiving = true;
	connection->dropping = false;
	if (connection->next_input != SENNIT__TLS_WAIT) {
		read_input(connection);
		return;
	}
	sennit__tls_engine_rest(&connection->engine);
	sennit_async_wait(&connection->lower, SENNIT_WAIT_READ, &connection->input_op,
			  on_readable);
}

/* Whether nothing is to be done, and who waits for input has asked for it, so that OpenSSL's
 * buffers, where it has some, are of no use. */
static bool is_idle(const struct sennit__tls_connection *connection)
{
	return !connection->write && !connection->handshake && !connection->shutdown &&
	       !connection->sending && connection->engine.buffered &&
	       (connection->receiving || !needs_input(connection));
}

static void go_on(struct sennit__tls_connection *connection)
{
	connection->again = true;
	if (connection->running)
		return;
	connection->running = connection->stirred = true;
	connection->engine.drawing =
		!connection->receiving && sennit_stream_may_read(&connection->lower);
	hold(connection);
	while (connection->again && !connection->closed) {
		connection->again = false;
		shake_hands(connection);
		serve_reads(connection);
		serve_waits(connection);
		seal_writes(connection);
		shut_down(connection);
		send_output(connection);
		ask_for_input(connection);
	}
	connection->running = false;
	if (!connection->closed && is_idle(connection))
		start_pump(connection);
	let_go(connection);
}

/* --- the stream type -------------------------------------------------------------------------- */

static void on_pump(struct sennit_task *task, int error)
{
	struct sennit__tls_connection *connection =
		(struct sennit__tls_connection *)(void *)((char *)task -
					offsetof(struct sennit__tls_connection, pump));

	(void)error;
	hold(connection);
	connection->pumping = false;
	if (connection->patience)
		connection->patience--;
	if (!is_idle(connection))
		go_on(connection);
	else if (connection->stirred) /* and may be again: its handlers have not all run */
		start_pump(connection);
	else
		sennit__tls_engine_rest(&connection->engine);
	let_go(connection);
}

static void read_op(void *self, struct sennit_op *op)
{
	struct sennit__tls_connection *connection = self;

	connection->read = op;
	connection->is_read = true;
	go_on(connection);
}

/* What is written in the same turn is sealed with it. */
static void write_op(void *self, struct sennit_op *op)
{
	struct sennit__tls_connection *connection = self;

	connection->write = connection->write_last = op;
	connection->late = connection->shutdown;
	if (connection->running) {
		connection->again = true;
	} else { /* what the post catches up with must find this one, and those behind it */
		connection->running = true;
		start_pump(connection);
		connection->running = false;
	}
}

static bool is_waited_for(const struct sennit__tls_connection *connection, int what)
{
	const struct sennit_op *op = connection->wait;

	while (op && !(sennit_op_awaits(op) & what))
		op = next_wait(connection, op);
	return op;
}

/* What was written before it goes out first, and nothing else. */
static void begin_shutdown(struct sennit__tls_connection *connection)
{
	connection->is_read = connection->read ||
			      is_waited_for(connection, SENNIT_WAIT_READ);
	connection->patience = 2; /* one pump may be under way already */
	connection->late = false;
	while (connection->write && take_write(connection))
		;
}

static void wait_op(void *self, struct sennit_op *op, int what)
{
	struct sennit__tls_connection *connection = self;
	struct sennit_op **request = NULL;

	hold(connection);
	if (what == SENNIT__TLS_HANDSHAKE)
		request = &connection->handshake;
	else if (what == SENNIT__TLS_SHUTDOWN)
		request = &connection->shutdown;
	else if (what >= SENNIT_STREAM_REQUEST)
		sennit_op_complete(op, -EOPNOTSUPP);
	else if (!connection->wait)
		connection->wait = op;
	if (what & SENNIT_WAIT_READ && what < SENNIT_STREAM_REQUEST)
		connection->is_read = true;
	if (request && *request)
		sennit_op_complete(op, -EALREADY);
	else if (request)
		*request = op;
	if (op == connection->shutdown)
		begin_shutdown(connection);
	go_on(connection);
	let_go(connection);
}

static bool is_write(const struct sennit__tls_connection *connection, const struct sennit_op *op)
{
	const struct sennit_op *write = connection->write;

	while (write && write != op)
		write = write == connection->write_last ? NULL : sennit_op_next(write);
	return write;
}

static void cancel_op(void *self, struct sennit_op *op, int types, int error)
{
	struct sennit__tls_connection *connection = self;

	if (!(types & (SENNIT_CANCEL_TERMINAL | SENNIT_CANCEL_PARTIAL)))
		return;
	hold(connection);
	if (op == connection->read)
		finish(&connection->read, error);
	else if (op == connection->handshake)
		finish(&connection->handshake, error);
	else if (op == connection->shutdown)
		finish(&connection->shutdown, error);
	else if (is_write(connection, op))
		cancel_write(connection, op, types, error);
	else
		end_wait(connection, op, error);
	go_on(connection);
	let_go(connection);
}

static void close_connection(void *self)
{
	struct sennit__tls_connection *connection = self;

	hold(connection);
	connection->closed = connection->dropping = true;
	sennit_close(&connection->lower);
	let_go(connection);
}

const struct sennit_stream_type sennit__tls_stream_type = {
	.name = "TLS",
	.read = read_op,
	.write = write_op,
	.wait = wait_op,
	.cancel = cancel_op,
	.close = close_connection,
};
