/* SPDX-License-Identifier: MIT */
/* tls.c - many TLS connections on several workers, and everything at once: writes from several
 * threads that overlap, reads of any size, cancellations, deadlines, closes at any moment, and the
 * runtime that is destroyed in the middle. What arrives is what was sent, from its beginning, in
 * order, of writes that went out whole; each handler runs exactly once. */
#include "tls_support.h"

#include <errno.h>
#include <sennit/stream_implement.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS 8
#define WRITERS     3
#define WRITES      40
#define LARGEST     40000

struct random {
	uint64_t state;
};

static uint32_t next_random(struct random *random, uint32_t below)
{
	random->state = random->state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(random->state >> 33) % below;
}

/* What stands before each message. */
struct header {
	uint32_t magic;
	uint32_t writer;
	uint32_t number;
	uint32_t size;
};

#define MAGIC 0x5e2217u

struct message {
	struct sennit_op op;
	struct sennit_cancel_signal signal;
	atomic_uint calls;
	size_t size;
	int error;
	size_t bytes;
	unsigned char *data; /* with its header */
};

/* One direction of a connection. */
struct way {
	struct sennit_stream *from;
	struct sennit_stream *to;
	struct message messages[WRITERS][WRITES];
	struct sennit_op read;
	struct sennit_cancel_signal signal;
	atomic_uint reads_started;
	atomic_uint reads_ended;
	struct random random;
	unsigned char buffer[30000];
	unsigned char *got; /* all that arrived */
	size_t size;
	size_t capacity;
	uint32_t next[WRITERS];
};

struct connection {
	struct tls_pair pair;
	struct way ways[2];
	struct sennit_op shutdowns[2];
	atomic_uint handshakes;
	atomic_uint ended;  /* shutdowns */
	struct latch shaken;
};

struct storm {
	struct sennit_runtime *runtime;
	struct connection *connections[CONNECTIONS];
	bool gentle;        /* nothing is cancelled or closed: all must arrive */
	bool destroyed;     /* the runtime was, in the middle */
	uint64_t seed;
};

static unsigned char byte_of(const struct header *header, size_t place)
{
	return (unsigned char)(header->writer * 37 + header->number * 11 + place);
}

/* --- what arrives ----------------------------------------------------------------------------- */

static void keep(struct way *way, size_t bytes)
{
	if (way->capacity - way->size < bytes) {
		way->capacity = 2 * way->capacity + bytes;
		way->got = realloc(way->got, way->capacity);
		if (!way->got)
			abort();
	}
	if (bytes)
		memcpy(way->got + way->size, way->buffer, bytes);
	way->size += bytes;
}

static void on_read(struct sennit_op *op, int error, size_t bytes);

static void start_read(struct way *way)
{
	uint32_t size = 1 + next_random(&way->random, sizeof way->buffer);

	if (next_random(&way->random, 4) == 0)
		size = 1 + size % 20;
	atomic_fetch_add(&way->reads_started, 1);
	way->read.user = way;
	if (next_random(&way->random, 8) == 0)
		sennit_op_expires_after(&way->read, 1000 * next_random(&way->random, 300));
	sennit_op_bind_slot(&way->read, sennit_cancel_signal_slot(&way->signal));
	if (next_random(&way->random, 2))
		sennit_async_read(way->to, way->buffer, size, &way->read, on_read);
	else
		sennit_async_read_some(way->to, way->buffer, size, &way->read, on_read);
}

static void on_read(struct sennit_op *op, int error, size_t bytes)
{
	struct way *way = op->user;

	atomic_fetch_add(&way->reads_ended, 1);
	RECORD(atomic_load(&way->reads_ended) == atomic_load(&way->reads_started));
	keep(way, bytes);
	/* what was cancelled is started again, until the stream has ended or is closed */
	if (!error || error == -ECANCELED || error == -ETIMEDOUT)
		start_read(way);
}

/* --- what is sent ----------------------------------------------------------------------------- */

static void on_written(struct sennit_op *op, int error, size_t bytes)
{
	struct message *message = CONTAINER_OF(op, struct message, op);

	message->error = error;
	message->bytes = bytes;
	RECORD(error || bytes == message->size);
	RECORD(bytes <= message->size);
	RECORD(atomic_fetch_add(&message->calls, 1) == 0);
}

static void write_message(struct storm *storm, struct way *way, uint32_t writer, uint32_t number,
			  struct random *random)
{
	struct message *message = &way->messages[writer][number];
	struct header header = {MAGIC, writer, number, 0};

	message->size = sizeof header + next_random(random, number % 4 ? 500 : LARGEST);
	header.size = (uint32_t)message->size;
	message->data = malloc(message->size);
	if (!RECORD(message->data))
		return;
	memcpy(message->data, &header, sizeof header);
	for (size_t i = sizeof header; i < message->size; i++)
		message->data[i] = byte_of(&header, i - sizeof header);
	if (!storm->gentle)
		sennit_op_bind_slot(&message->op, sennit_cancel_signal_slot(&message->signal));
	if (!storm->gentle && next_random(random, 200) == 0)
		sennit_op_expires_after(&message->op, 1000 * next_random(random, 1000));
	sennit_async_write(way->from, message->data, message->size, &message->op, on_written);
}

/* Asks what it may find to end; in the storm, closes. */
static void disturb(struct storm *storm, struct random *random)
{
	struct connection *connection = storm->connections[next_random(random, CONNECTIONS)];
	struct way *way = &connection->ways[next_random(random, 2)];
	int types = 1 + (int)next_random(random, 7);
	struct message *message =
		&way->messages[next_random(random, WRITERS)][next_random(random, WRITES)];

	sennit_cancel_signal_emit(&way->signal, types);
	if (storm->gentle)
		return;
	sennit_cancel_signal_emit(&message->signal, types);
	if (next_random(random, 100) == 0)
		sennit_cancel(way->to);
	if (next_random(random, 600) == 0)
		sennit_close(way->from);
}

struct writer {
	struct storm *storm;
	uint32_t index;
};

/* Writes to every connection, in turn, and disturbs them. */
static void *write_all(void *argument)
{
	struct writer *writer = argument;
	struct storm *storm = writer->storm;
	struct random random = {storm->seed * 7919 + writer->index};

	for (uint32_t number = 0; number < WRITES; number++) {
		for (int i = 0; i < CONNECTIONS * 2; i++) {
			write_message(storm, &storm->connections[i / 2]->ways[i % 2],
				      writer->index, number, &random);
			disturb(storm, &random);
			disturb(storm, &random);
		}
		progress();
		sched_yield();
	}
	return NULL;
}

/* --- the storm -------------------------------------------------------------------------------- */

static void on_shaken(struct sennit_op *op, int error, size_t bytes)
{
	struct connection *connection = op->user;

	RECORD(error == 0 && bytes == 0);
	atomic_fetch_add(&connection->handshakes, 1);
	latch_down(&connection->shaken);
}

static void on_ended(struct sennit_op *op, int error, size_t bytes)
{
	struct connection *connection = op->user;

	(void)error;
	RECORD(bytes == 0);
	atomic_fetch_add(&connection->ended, 1);
}

static void open_connection(struct storm *storm, unsigned i, unsigned workers)
{
	struct connection *connection = zeroed(sizeof *connection);
	struct tls_pair *pair = &connection->pair;

	storm->connections[i] = connection;
	connection->shaken = (struct latch)LATCH(2);
	sennit_tcp_socket_init(&pair->sockets[0], sennit_runtime_worker(storm->runtime,
									i % workers));
	sennit_tcp_socket_init(&pair->sockets[1], sennit_runtime_worker(storm->runtime,
									(i + 1) % workers));
	assert_int_equal(sennit_tcp_socket_pair(&pair->sockets[0], &pair->sockets[1]), 0);
	open_pair_over(pair, &pair->sockets[0].stream, &pair->sockets[1].stream, NULL, NULL);
	for (int side = 0; side < 2; side++) {
		struct way *way = &connection->ways[side];

		way->from = side ? &pair->server.stream : &pair->client.stream;
		way->to = side ? &pair->client.stream : &pair->server.stream;
		way->random.state = storm->seed * 31 + i * 2 + (unsigned)side;
		pair->handshakes[side].op.user = connection;
		sennit_tls_async_handshake(side ? &pair->server : &pair->client,
					   &pair->handshakes[side].op, on_shaken);
	}
	latch_wait(&connection->shaken);
}

static void start_reads(void *argument)
{
	start_read(argument);
}

static void shut_down(struct connection *connection)
{
	for (int side = 0; side < 2; side++) {
		connection->shutdowns[side].user = connection;
		sennit_tls_async_shutdown(side ? &connection->pair.server
					       : &connection->pair.client,
					  &connection->shutdowns[side], on_ended);
	}
}

/* --- whether it is right ---------------------------------------------------------------------- */

static const struct message *message_at(const struct way *way, size_t at, struct header *header)
{
	const struct message *message;

	if (way->size - at < sizeof *header)
		return NULL;
	memcpy(header, way->got + at, sizeof *header);
	if (header->magic != MAGIC || header->writer >= WRITERS || header->number >= WRITES)
		return NULL;
	message = &way->messages[header->writer][header->number];
	return header->size == message->size ? message : NULL; /* its last bytes may be missing */
}

/* Where the message ends that begins there: one that was ended early need not be whole, but what is
 * there of it is its beginning, and the next one follows. */
static size_t end_of(const struct way *way, size_t at, const struct message *message)
{
	size_t size = 0;
	struct header next;

	while (size < message->size && at + size < way->size &&
	       way->got[at + size] == message->data[size])
		size++;
	if (size == message->size || at + size == way->size)
		return at + size;
	assert_int_not_equal(message->error, 0);
	while (size > message->bytes && !message_at(way, at + size, &next))
		size--;
	return at + size;
}

/* One that was ended so early that not even its header is whole. */
static size_t skip_stump(const struct way *way, size_t at)
{
	struct header next;
	size_t end = at + 1;

	while (end < way->size && !message_at(way, end, &next))
		end++;
	assert_true(end - at < sizeof next);
	return end;
}

static void check_arrived(const struct storm *storm, struct way *way)
{
	size_t at = 0;

	while (at < way->size) {
		struct header header;
		const struct message *message = message_at(way, at, &header);

		if (!message) {
			assert_false(storm->gentle && !storm->destroyed);
			at = skip_stump(way, at);
			continue;
		}
		assert_true(header.number >= way->next[header.writer]);
		way->next[header.writer] = header.number + 1;
		at = end_of(way, at, message);
	}
}

static void check_way(const struct storm *storm, struct way *way)
{
	bool all = storm->gentle && !storm->destroyed;

	check_arrived(storm, way);
	free(way->got);
	assert_int_equal(atomic_load(&way->reads_started), atomic_load(&way->reads_ended));
	for (int writer = 0; writer < WRITERS; writer++) {
		if (all)
			assert_int_equal(way->next[writer], WRITES);
		for (int i = 0; i < WRITES; i++) {
			struct message *message = &way->messages[writer][i];

			assert_int_equal(atomic_load(&message->calls), 1);
			if (all)
				assert_int_equal(message->error, 0);
			free(message->data);
		}
	}
}

static void free_connection(const struct storm *storm, struct connection *connection)
{
	check_way(storm, &connection->ways[0]);
	check_way(storm, &connection->ways[1]);
	assert_int_equal(atomic_load(&connection->handshakes), 2);
	sennit_tls_context_destroy(connection->pair.contexts[0]);
	sennit_tls_context_destroy(connection->pair.contexts[1]);
	free(connection);
}

/* `destroys`: in the middle of all that. */
static void play(uint64_t seed, unsigned workers, bool gentle, bool destroys)
{
	struct storm *storm = zeroed(sizeof *storm);
	struct writer writers[WRITERS];
	pthread_t threads[WRITERS];

	storm->seed = seed;
	storm->gentle = gentle;
	storm->destroyed = destroys;
	storm->runtime = started_runtime(workers);
	for (unsigned i = 0; i < CONNECTIONS; i++)
		open_connection(storm, i, workers);
	for (int i = 0; i < CONNECTIONS * 2; i++) {
		struct way *way = &storm->connections[i / 2]->ways[i % 2];

		call_on(sennit_stream_owner(way->to), start_reads, way);
	}
	for (uint32_t i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){storm, i};
		threads[i] = spawn(write_all, &writers[i]);
	}
	for (int i = 0; i < WRITERS; i++)
		join(threads[i]);
	if (!destroys) {
		for (int i = 0; i < CONNECTIONS; i++)
			shut_down(storm->connections[i]);
		assert_int_equal(sennit_runtime_join(storm->runtime), 0);
		for (int i = 0; i < CONNECTIONS; i++) {
			assert_int_equal(atomic_load(&storm->connections[i]->ended), 2);
			sennit_close(&storm->connections[i]->pair.client.stream);
			sennit_close(&storm->connections[i]->pair.server.stream);
		}
	}
	end_runtime(storm->runtime);
	recorded();
	for (int i = 0; i < CONNECTIONS; i++)
		free_connection(storm, storm->connections[i]);
	free(storm);
}

static void all_that_is_written_arrives_whatever_becomes_of_the_reads(void **state)
{
	(void)state;
	for (unsigned round = 0; round < scale(); round++)
		play(round, 2 + round % 3, true, false);
}

static void what_arrives_is_what_was_sent_whatever_ends(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 2 * scale(); round++)
		play(500 + round, 2 + round % 3, false, false);
}

static void a_runtime_is_destroyed_in_the_middle(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 2 * scale(); round++)
		play(1000 + round, 2 + round % 3, round % 2, true);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(all_that_is_written_arrives_whatever_becomes_of_the_reads),
		TEST(what_arrives_is_what_was_sent_whatever_ends),
		TEST(a_runtime_is_destroyed_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
