/* SPDX-License-Identifier: MIT */
/* allocation.c - no allocation between the 1,000th and the 100,000th echo, whoever makes it, and no
 * descriptor either.
 */
#include "io_support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST   1000
#define MESSAGE 64

struct echo {
	struct sennit_stream *stream;
	struct sennit_op op;
	struct latch done;
	char data[4096];
};

static sennit_handler on_read, on_written;

static void on_written(struct sennit_op *op, int error, size_t bytes)
{
	struct echo *echo = CONTAINER_OF(op, struct echo, op);

	RECORD(error == 0 && bytes == MESSAGE);
	sennit_async_read_some(echo->stream, echo->data, sizeof echo->data, op, on_read);
}

static void on_read(struct sennit_op *op, int error, size_t bytes)
{
	struct echo *echo = CONTAINER_OF(op, struct echo, op);

	if (error) {
		RECORD(error == SENNIT_EOF && bytes == 0);
		sennit_close(echo->stream);
		latch_down(&echo->done);
	} else {
		sennit_async_write(echo->stream, echo->data, bytes, op, on_written);
	}
}

/* The promise's number; a fifth of it where the same is tried another time in a short run. */
#define LAST 100000

static unsigned last_of_others(void)
{
	return scale() < 10 ? LAST / 5 : LAST;
}

/* The client is plain calls on this thread: they allocate nothing. */
static void echo_many(int peer, unsigned from, unsigned to)
{
	char sent[MESSAGE], received[MESSAGE];

	for (unsigned i = from; i < to; i++) {
		memset(sent, (int)(i & 0x7f), sizeof sent);
		raw_write(peer, sent, sizeof sent);
		raw_read(peer, received, sizeof received);
		if (memcmp(sent, received, sizeof sent) != 0)
			fail_msg("echo %u is not what was sent", i);
	}
}

static void count_over_echoes(struct stage *stage, struct sennit_stream *stream, int peer,
                              unsigned last)
{
	struct echo echo = { .stream = stream, .done = LATCH(1) };
	uint64_t before, after;
	unsigned descriptors;

	sennit_async_read_some(stream, echo.data, sizeof echo.data, &echo.op, on_read);
	echo_many(peer, 0, FIRST);
	descriptors = open_descriptors();
	before = allocations();
	echo_many(peer, FIRST, last);
	after = allocations();
	assert_int_equal(after - before, 0);
	assert_int_equal(open_descriptors(), descriptors);
	raw_close(peer);
	latch_wait(&echo.done);
	assert_int_equal(sennit_runtime_join(stage->runtime), 0);
}

static struct stage new_stage(void)
{
	struct stage stage = { .runtime = started_runtime(2), .kind = THREAD_FOREIGN };

	stage.owner = sennit_runtime_worker(stage.runtime, 0);
	stage.other = sennit_runtime_worker(stage.runtime, 1);
	return stage;
}

static void echoes_on_a_socket_allocate_nothing(void **state)
{
	struct stage stage = new_stage();
	struct sennit_tcp_socket socket;
	int peer = open_socket(&stage, &socket);

	(void)state;
	count_over_echoes(&stage, &socket.stream, peer, LAST);
	end_runtime(stage.runtime);
}

static void echoes_on_a_local_socket_allocate_nothing(void **state)
{
	struct stage stage = new_stage();
	struct sennit_descriptor descriptor;
	int peer = open_local(&stage, &descriptor);

	(void)state;
	count_over_echoes(&stage, &descriptor.stream, peer, last_of_others());
	end_runtime(stage.runtime);
}

/* Every start a message to the owner, every handler one to another worker. */
static void operations_started_elsewhere_and_bound_elsewhere_allocate_nothing(void **state)
{
	struct stage stage = new_stage();
	struct sennit_descriptor descriptor;
	struct flight read = { 0 }, write = { 0 };
	char data[MESSAGE] = "", received[MESSAGE];
	int peer = open_local(&stage, &descriptor);
	uint64_t before = 0;

	(void)state;
	for (unsigned i = 0; i < FIRST + last_of_others() / 10; i++) {
		if (i == FIRST)
			before = allocations();
		START(&stage,
		      { READ, &descriptor.stream, .data = received, .size = MESSAGE,
		        .flight = &read, .bound = stage.other },
		      { WRITE, &descriptor.stream, .data = data, .size = MESSAGE, .flight = &write,
		        .bound = stage.other });
		raw_write(peer, data, MESSAGE);
		EXPECT(&read, 0, MESSAGE);
		EXPECT(&write, 0, MESSAGE);
		raw_read(peer, received, MESSAGE);
		/* Cancelling too. */
		START(&stage,
		      { READ, &descriptor.stream, .data = received, .size = MESSAGE,
		        .flight = &read },
		      { CANCEL, .stream = &descriptor.stream });
		EXPECT(&read, -ECANCELED, 0);
	}
	assert_int_equal(allocations() - before, 0);
	raw_close(peer);
	end_runtime(stage.runtime);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(echoes_on_a_socket_allocate_nothing),
		TEST(echoes_on_a_local_socket_allocate_nothing),
		TEST(operations_started_elsewhere_and_bound_elsewhere_allocate_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
