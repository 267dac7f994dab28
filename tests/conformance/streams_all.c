/* SPDX-License-Identifier: MIT */
/* streams_all.c - the operations of stream.h, the same on every kind of stream there is. */
#include "chunk_stream.h"
#include "io_support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BIG ((size_t)120000)

/* Two streams; what is written into the first is read from the second. */
struct link {
	struct sennit_stream *in;
	struct sennit_stream *out;
	struct sennit_tcp_socket sockets[2];
	struct sennit_descriptor descriptors[2];
	struct chunk_pipe *pipe; /* of a link in memory */
	struct tls_pair *tls;    /* of a link that tls_streams.c makes */
	struct tls_pair *inner;  /* and what is below, if that is TLS, too */
};

/* tls_streams.c has all of this for links of its own: it defines LINKS, what comes after the last
 * byte, and close_link. */
#ifndef LINKS
# define EXACT_WRITES
# define LINKS       link_tcp, link_local, link_pipe, link_chunks_of_1, link_chunks_of_1000
# define END_OF_LINK SENNIT_EOF
# define TEST_OF_EXACT_WRITES                                                                      \
  TEST(cancel_and_close_of_blocked_writes_report_what_can_be_read),

static void link_tcp(struct link *link, struct stage *stage)
{
	sennit_tcp_socket_init(&link->sockets[0], stage->owner);
	sennit_tcp_socket_init(&link->sockets[1], stage->owner);
	assert_int_equal(sennit_tcp_socket_pair(&link->sockets[0], &link->sockets[1]), 0);
	link->in = &link->sockets[0].stream;
	link->out = &link->sockets[1].stream;
}

static void link_local(struct link *link, struct stage *stage)
{
	assert_int_equal(
	    sennit_descriptor_pair(&link->descriptors[0], &link->descriptors[1], stage->owner), 0);
	link->in = &link->descriptors[0].stream;
	link->out = &link->descriptors[1].stream;
}

static void link_pipe(struct link *link, struct stage *stage)
{
	int fds[2];

	raw_pipe(fds);
	adopt(stage, &link->descriptors[0], fds[1]);
	adopt(stage, &link->descriptors[1], fds[0]);
	link->in = &link->descriptors[0].stream;
	link->out = &link->descriptors[1].stream;
}

static void link_in_memory(struct link *link, struct stage *stage, size_t chunk)
{
	link->pipe = zeroed(sizeof *link->pipe);
	chunk_pipe_open(link->pipe, stage->owner, chunk);
	link->in = &link->pipe->writer;
	link->out = &link->pipe->reader;
}

static void link_chunks_of_1(struct link *link, struct stage *stage)
{
	link_in_memory(link, stage, 1);
}

static void link_chunks_of_1000(struct link *link, struct stage *stage)
{
	link_in_memory(link, stage, 1000);
}

static void close_link(struct link *link, struct stage *stage)
{
	START(stage, { CLOSE, .stream = link->in }, { CLOSE, .stream = link->out });
	assert_int_equal(sennit_runtime_join(stage->runtime), 0);
	if (link->pipe)
		chunk_pipe_wait_closed(link->pipe, stage);
	free(link->pipe);
}
#else
LINK_DECLARATIONS
#endif

typedef void link_scenario(struct stage *stage, struct link *link);

/* Plays on each kind of stream in turn, on one stage. */
static void on_each_link(struct stage *stage, link_scenario *scenario)
{
	static void (*const open[])(struct link *, struct stage *) = { LINKS };

	for (size_t i = 0; i < COUNT_OF(open); i++) {
		struct link *link = zeroed(sizeof *link);

		open[i](link, stage);
		scenario(stage, link);
		close_link(link, stage);
		free(link);
	}
}

#define ON_EACH_LINK(name)                                                                         \
 static link_scenario name##_link;                                                                 \
 SCENARIO(name)                                                                                    \
 {                                                                                                 \
  on_each_link(stage, name##_link);                                                                \
 }                                                                                                 \
 static void name##_link(struct stage *stage, struct link *link)

/* Cuts a buffer into parts of growing size, with empty ones between them. Returns how many. */
static int in_parts(struct iovec *vector, int most, char *data, size_t size)
{
	size_t part = 1;
	int count = 0;

	while (size) {
		if (count % 3 == 0)
			vector[count++] = (struct iovec){ data, 0 };
		if (part > size || count + 4 > most)
			part = size;
		vector[count++] = (struct iovec){ data, part };
		data += part;
		size -= part;
		part = part * 2 + 1;
	}
	vector[count++] = (struct iovec){ data, 0 };
	return count;
}

/* --- transfers -------------------------------------------------------------------------------- */

/* C055, C083, C089. */
ON_EACH_LINK(a_whole_write_arrives_in_a_whole_read)
{
	struct flight flights[2] = { 0 };
	char *sent = patterned(BIG), *received = zeroed(BIG);

	START(stage, { WRITE, link->in, .data = sent, .size = BIG, .flight = &flights[0] },
	      { READ, link->out, .data = received, .size = BIG, .flight = &flights[1] });
	EXPECT(&flights[0], 0, BIG);
	EXPECT(&flights[1], 0, BIG);
	assert_true(is_pattern(received, BIG, 0));
	finish(stage, flights, 2);
	free(sent);
	free(received);
}

/* C088, HC16: the parts of the two sides have nothing to do with each other. */
ON_EACH_LINK(a_whole_gather_write_arrives_in_a_whole_scatter_read)
{
	struct flight flights[2] = { 0 };
	char *sent = patterned(BIG), *received = zeroed(BIG);
	struct iovec out[40], in[12];

	START(stage,
	      { WRITEV, link->in, .vector = out, .count = in_parts(out, 40, sent, BIG),
	        .flight = &flights[0] },
	      { READV, link->out, .vector = in, .count = in_parts(in, 12, received, BIG),
	        .flight = &flights[1] });
	EXPECT(&flights[0], 0, BIG);
	EXPECT(&flights[1], 0, BIG);
	assert_true(is_pattern(received, BIG, 0));
	finish(stage, flights, 2);
	free(sent);
	free(received);
}

/* S2: whole and in order, whatever kind of operation. */
ON_EACH_LINK(overlapping_writes_arrive_whole_and_in_order)
{
	struct flight writes[6] = { 0 }, read = { 0 };
	size_t part = BIG / 6;
	char *sent = patterned(part * 6), *received = zeroed(part * 6);
	struct iovec vector[6][20];
	struct start starts[7];

	for (int i = 0; i < 6; i++) {
		char *data = sent + (size_t)i * part;

		starts[i] = (struct start){
			i % 2 ? WRITEV : WRITE, link->in,
			.data = data,           .size = part,
			.vector = vector[i],    .count = in_parts(vector[i], 20, data, part),
			.flight = &writes[i]
		};
	}
	starts[6] =
	    (struct start){ READ, link->out, .data = received, .size = part * 6, .flight = &read };
	start_all(stage, starts, 7);
	EXPECT(&read, 0, part * 6);
	assert_true(is_pattern(received, part * 6, 0));
	for (int i = 0; i < 6; i++) {
		EXPECT(&writes[i], 0, part);
		if (i)
			assert_true(writes[i - 1].result.order < writes[i].result.order);
	}
	finish(stage, writes, 6);
	finish(stage, &read, 1);
	free(sent);
	free(received);
}

/* S2: overlapping reads are served in order. */
ON_EACH_LINK(C073_overlapping_reads_are_served_in_order)
{
	struct flight reads[6] = { 0 }, write = { 0 };
	size_t part = BIG / 6;
	char *sent = patterned(part * 6), *received = zeroed(part * 6);
	struct start starts[7];

	for (int i = 0; i < 6; i++)
		starts[i] = (struct start){ READ, link->out, .data = received + (size_t)i * part,
			                    .size = part, .flight = &reads[i] };
	starts[6] =
	    (struct start){ WRITE, link->in, .data = sent, .size = part * 6, .flight = &write };
	start_all(stage, starts, 7);
	EXPECT(&write, 0, part * 6);
	for (int i = 0; i < 6; i++) {
		EXPECT(&reads[i], 0, part);
		if (i)
			assert_true(reads[i - 1].result.order < reads[i].result.order);
	}
	assert_true(is_pattern(received, part * 6, 0));
	finish(stage, reads, 6);
	finish(stage, &write, 1);
	free(sent);
	free(received);
}

/* S21: as many steps as it takes, because there is something behind it. */
ON_EACH_LINK(S21_a_write_some_with_a_write_behind_it_goes_out_whole)
{
	struct flight flights[4] = { 0 };
	size_t size = BIG + BIG + 5;
	char *sent = patterned(size), *received = zeroed(size);
	/* In one turn, and behind a write that blocks where writes are served at once: so that the
	 * one behind is there when the one in the middle leaves. */
	const struct start starts[] = {
		{ WRITE, link->in, .data = sent, .size = BIG, .flight = &flights[0] },
		{ WRITE_SOME, link->in, .data = sent + BIG, .size = BIG, .flight = &flights[1] },
		{ WRITE, link->in, .data = sent + 2 * BIG, .size = 5, .flight = &flights[2] },
		{ READ, link->out, .data = received, .size = size, .flight = &flights[3] },
	};

	start_on_owner(stage, starts, COUNT_OF(starts));
	EXPECT(&flights[0], 0, BIG);
	EXPECT(&flights[1], 0, BIG);
	EXPECT(&flights[2], 0, 5);
	EXPECT(&flights[3], 0, size);
	assert_true(is_pattern(received, size, 0));
	finish(stage, flights, 4);
	free(sent);
	free(received);
}

ON_EACH_LINK(some_transfers_at_least_one_byte_and_tells_how_many)
{
	struct flight flights[2] = { 0 };
	char *sent = patterned(BIG), *received = zeroed(BIG);
	size_t wrote = 0, got = 0;

	START(stage, { WRITE_SOME, link->in, .data = sent, .size = BIG, .flight = &flights[0] });
	wait_result(&flights[0].result);
	wrote = flights[0].result.bytes;
	assert_in_range(wrote, 1, BIG);
	EXPECT(&flights[0], 0, wrote);
	while (got < wrote) {
		START(stage, { READ_SOME, link->out, .data = received + got, .size = BIG - got,
		               .flight = &flights[1] });
		wait_result(&flights[1].result);
		assert_int_equal(flights[1].result.error, 0);
		assert_in_range(flights[1].result.bytes, 1, wrote - got);
		got += flights[1].result.bytes;
	}
	assert_true(is_pattern(received, wrote, 0));
	finish(stage, flights, 2);
	free(sent);
	free(received);
}

/* C084: exactly what was reported is on the way, no more. */
ON_EACH_LINK(at_least_transfers_that_much_and_no_less)
{
	struct flight flights[2] = { 0 };
	char *sent = patterned(BIG), *received = zeroed(BIG);
	size_t wrote;

	START(stage,
	      { WRITE_AT_LEAST, link->in, .data = sent, .size = 5000, .minimum = 3000,
	        .flight = &flights[0] },
	      { READ_AT_LEAST, link->out, .data = received, .size = BIG, .minimum = 2000,
	        .flight = &flights[1] });
	wait_result(&flights[0].result);
	wait_result(&flights[1].result);
	wrote = flights[0].result.bytes;
	assert_in_range(wrote, 3000, 5000);
	assert_in_range(flights[1].result.bytes, 2000, wrote);
	EXPECT(&flights[0], 0, wrote);
	EXPECT(&flights[1], 0, flights[1].result.bytes);
	assert_true(is_pattern(received, flights[1].result.bytes, 0));
	finish(stage, flights, 2);
	free(sent);
	free(received);
}

static size_t seven_at_a_time_up_to_700(struct sennit_op *op, int error, size_t bytes)
{
	(void)op;
	RECORD(error == 0);
	return bytes < 700 ? 7 : 0;
}

/* C085, C086. */
ON_EACH_LINK(a_condition_decides_how_much_is_transferred)
{
	struct flight flights[3] = { 0 };
	char *sent = patterned(1000), *received = zeroed(1000);

	START(stage,
	      { WRITE_WHILE, link->in, .data = sent, .size = 1000,
	        .condition = seven_at_a_time_up_to_700, .flight = &flights[0] },
	      { READ_WHILE, link->out, .data = received, .size = 1000,
	        .condition = seven_at_a_time_up_to_700, .flight = &flights[1] });
	EXPECT(&flights[0], 0, 700);
	EXPECT(&flights[1], 0, 700);
	assert_true(is_pattern(received, 700, 0));
	START(stage, { CLOSE, .stream = link->in },
	      { READ, link->out, .data = received, .size = 10, .flight = &flights[2] });
	EXPECT(&flights[2], END_OF_LINK, 0);
	finish(stage, flights, 3);
	free(sent);
	free(received);
}

/* --- ends ------------------------------------------------------------------------------------- */

/* C095, C057. */
ON_EACH_LINK(a_whole_read_that_meets_the_end_reports_eof_and_the_bytes_so_far)
{
	struct flight flights[3] = { 0 };
	char data[100];

	START(stage, { READ, link->out, .data = data, .size = 100, .flight = &flights[0] },
	      { WRITE, link->in, .data = "0123456789", .size = 10, .flight = &flights[1] });
	EXPECT(&flights[1], 0, 10);
	START(stage, { CLOSE, .stream = link->in });
	EXPECT(&flights[0], END_OF_LINK, 10);
	assert_memory_equal(data, "0123456789", 10);
	START(stage, { READ_SOME, link->out, .data = data, .size = 100, .flight = &flights[2] });
	EXPECT(&flights[2], END_OF_LINK, 0);
	finish(stage, flights, 3);
}

/* C056, S7. */
ON_EACH_LINK(cancel_ends_reads_with_the_bytes_so_far_and_later_reads_are_served)
{
	struct flight flights[4] = { 0 };
	char data[3][100];

	START(stage, { READ, link->out, .data = data[0], .size = 4, .flight = &flights[0] },
	      { READ, link->out, .data = data[1], .size = 100, .flight = &flights[1] },
	      { READ_SOME, link->out, .data = data[2], .size = 100, .flight = &flights[2] },
	      { WRITE, link->in, .data = "0123456789", .size = 10, .flight = &flights[3] });
	EXPECT(&flights[0], 0, 4);
	EXPECT(&flights[3], 0, 10);
	PENDING(stage, &flights[1]);
	START(stage, { CANCEL, .stream = link->out });
	wait_result(&flights[1].result);
	assert_in_range(flights[1].result.bytes, 0, 6);
	EXPECT(&flights[1], -ECANCELED, flights[1].result.bytes);
	EXPECT(&flights[2], -ECANCELED, 0);
	/* What the cancelled read did not take is there for the next. */
	START(stage,
	      { READ, link->out, .data = data[1] + flights[1].result.bytes,
	        .size = 8 - flights[1].result.bytes, .flight = &flights[2] },
	      { WRITE, link->in, .data = "ab", .size = 2, .flight = &flights[3] });
	EXPECT(&flights[2], 0, 8 - flights[1].result.bytes);
	EXPECT(&flights[3], 0, 2);
	assert_memory_equal(data[0], "0123", 4);
	assert_memory_equal(data[1], "456789ab", 8);
	finish(stage, flights, 4);
}

#ifdef EXACT_WRITES
/* C066, C099: nobody reads until the write has ended. */
ON_EACH_LINK(cancel_and_close_of_blocked_writes_report_what_can_be_read)
{
	struct flight writes[3] = { 0 }, read = { 0 };
	size_t size = 8 << 20, first, second;
	char *sent = patterned(size), *received = zeroed(size);

	START(stage, { WRITE, link->in, .data = sent, .size = size, .flight = &writes[0] },
	      { WRITE, link->in, .data = sent, .size = size, .flight = &writes[1] });
	PENDING(stage, &writes[0]);
	START(stage, { CANCEL, .stream = link->in });
	wait_result(&writes[0].result);
	first = writes[0].result.bytes;
	EXPECT(&writes[0], -ECANCELED, first);
	EXPECT(&writes[1], -ECANCELED, 0);
	START(stage, { WRITE, link->in, .data = sent + first, .size = size - first,
	               .flight = &writes[2] });
	PENDING(stage, &writes[2]);
	START(stage, { CLOSE, .stream = link->in });
	wait_result(&writes[2].result);
	second = writes[2].result.bytes;
	EXPECT(&writes[2], -ECANCELED, second);
	START(stage, { READ, link->out, .data = received, .size = size, .flight = &read });
	EXPECT(&read, END_OF_LINK, first + second);
	assert_true(is_pattern(received, first + second, 0));
	finish(stage, writes, 3);
	finish(stage, &read, 1);
	free(sent);
	free(received);
}

#endif

/* --- where handlers run ----------------------------------------------------------------------- */

/* Promise 3; A3, A6. */
ON_EACH_LINK(a_bound_handler_runs_on_its_executor)
{
	struct sennit_executor *executors[3] = { stage->owner, stage->other,
		                                 sennit_runtime_executor(stage->runtime) };
	struct flight flights[2] = { 0 };
	char data[4];

	for (int i = 0; i < 3; i++) {
		/* Waiting first, then ready at once. */
		START(stage,
		      { READ, link->out, .data = data, .size = 4, .flight = &flights[0],
		        .bound = executors[i] },
		      { WRITE, link->in, .data = "data", .size = 4, .flight = &flights[1],
		        .bound = executors[i] });
		EXPECT(&flights[0], 0, 4);
		EXPECT(&flights[1], 0, 4);
		START(stage, { READ, link->out, .flight = &flights[0], .bound = executors[i] });
		EXPECT(&flights[0], 0, 0);
	}
	/* Bound to the runtime's executor it stays with the owner. */
	START(stage,
	      { READ, link->out, .data = data, .size = 4, .flight = &flights[0],
	        .bound = executors[2], .runs_on = stage->owner },
	      { WRITE, link->in, .data = "data", .size = 4, .flight = &flights[1],
	        .bound = executors[2], .runs_on = stage->owner });
	EXPECT(&flights[0], 0, 4);
	EXPECT(&flights[1], 0, 4);
	finish(stage, flights, 2);
}

ON_EACH_LINK(a_handler_may_be_bound_to_another_runtime)
{
	struct sennit_runtime *second = started_runtime(1);
	struct flight flights[2] = { 0 };
	char data[4];

	START(stage,
	      { READ, link->out, .data = data, .size = 4, .flight = &flights[0],
	        .bound = sennit_runtime_worker(second, 0) },
	      { WRITE, link->in, .data = "data", .size = 4, .flight = &flights[1],
	        .bound = sennit_runtime_executor(second) });
	EXPECT(&flights[0], 0, 4);
	EXPECT(&flights[1], 0, 4);
	assert_ptr_equal(flights[0].result.runtime, second);
	assert_ptr_equal(flights[1].result.runtime, second);
	finish(stage, flights, 2);
	end_runtime(second);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_whole_write_arrives_in_a_whole_read),
		TEST(a_whole_gather_write_arrives_in_a_whole_scatter_read),
		TEST(overlapping_writes_arrive_whole_and_in_order),
		TEST(C073_overlapping_reads_are_served_in_order),
		TEST(S21_a_write_some_with_a_write_behind_it_goes_out_whole),
		TEST(some_transfers_at_least_one_byte_and_tells_how_many),
		TEST(at_least_transfers_that_much_and_no_less),
		TEST(a_condition_decides_how_much_is_transferred),
		TEST(a_whole_read_that_meets_the_end_reports_eof_and_the_bytes_so_far),
		TEST(cancel_ends_reads_with_the_bytes_so_far_and_later_reads_are_served),
		TEST_OF_EXACT_WRITES
		TEST(a_bound_handler_runs_on_its_executor),
		TEST(a_handler_may_be_bound_to_another_runtime),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
