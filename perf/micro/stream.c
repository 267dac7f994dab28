/* SPDX-License-Identifier: MIT */
/* stream.c - write_gather: 16 writes started in one handler; socketpair_echo: a round trip of 64
 * bytes between two ends on one worker. With more workers, each has a pair of its own. */
#include "perf/micro/sennit.h"

enum { WRITES = 16, SIZE = 64 };

/* --- write_gather ----------------------------------------------------------------------------- */

struct gather {
	_Alignas(128) struct sennit_descriptor writer;
	struct sennit_op ops[WRITES];
	int reader;
	uint64_t pending; /* writes of this batch */
	uint64_t left;    /* batches */
	uint64_t sends;   /* calls of the worker, when all is done */
	char data[WRITES * SIZE];
	char back[WRITES * SIZE];
};

static sennit_handler on_written;

static void start_batch(struct gather *gather)
{
	gather->pending = WRITES;
	for (int i = 0; i < WRITES; i++)
		sennit_async_write(&gather->writer.stream, gather->data + i * SIZE, SIZE,
		                   &gather->ops[i], on_written);
}

/* Reads the batch, which lies in the socket by now. */
static void read_batch(struct gather *gather)
{
	ssize_t n = recv(gather->reader, gather->back, sizeof gather->back, MSG_DONTWAIT);

	micro_check(n < 0 ? -errno : 0, "recv");
	micro_check(n == sizeof gather->back ? 0 : -EIO, "the reading of a batch");
}

static void on_written(struct sennit_op *op, int error, size_t bytes)
{
	struct gather *gather = op->user;

	micro_check(bytes == SIZE ? error : -EIO, "a write");
	if (--gather->pending)
		return;
	read_batch(gather);
	if (--gather->left) {
		start_batch(gather);
		return;
	}
	gather->sends = micro_sends;
	sennit_close(&gather->writer.stream);
}

static void open_gather(struct gather *gather, struct sennit_executor *executor)
{
	int fds[2];

	micro_check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) ? -errno : 0,
	            "socketpair");
	sennit_descriptor_init(&gather->writer, executor);
	micro_check(sennit_descriptor_assign(&gather->writer, executor, fds[0]), "assign");
	gather->reader = fds[1];
	for (int i = 0; i < WRITES; i++)
		gather->ops[i].user = gather;
}

void micro_write_gather(struct micro_run *run)
{
	struct sennit_runtime *runtime = micro_open(run);
	struct gather *all = micro_allocate(run->workers, sizeof *all);
	uint64_t sends = 0;

	for (unsigned i = 0; i < run->workers; i++) {
		open_gather(&all[i], sennit_runtime_worker(runtime, i));
		all[i].left = micro_share(run, i, run->workers);
	}
	micro_sends = 0;
	micro_begin(run);
	for (unsigned i = 0; i < run->workers; i++)
		if (all[i].left)
			start_batch(&all[i]);
	micro_close(run, runtime);
	for (unsigned i = 0; i < run->workers; i++) {
		sends += all[i].sends;
		close(all[i].reader);
	}
	micro_add(run, "calls", (double)sends / (double)run->operations);
	free(all);
}

/* --- socketpair_echo -------------------------------------------------------------------------- */

struct echo {
	_Alignas(128) struct sennit_descriptor client;
	struct sennit_descriptor server;
	struct sennit_op client_op;
	struct sennit_op server_op;
	uint64_t left; /* round trips */
	char client_data[SIZE];
	char server_data[SIZE];
};

static sennit_handler on_request, on_answered, on_sent, on_answer;

static void await_request(struct echo *echo)
{
	sennit_async_read_some(&echo->server.stream, echo->server_data, SIZE, &echo->server_op,
	                       on_request);
}

static void on_request(struct sennit_op *op, int error, size_t bytes)
{
	struct echo *echo = op->user;

	if (!error)
		sennit_async_write(&echo->server.stream, echo->server_data, bytes, op, on_answered);
}

static void on_answered(struct sennit_op *op, int error, size_t bytes)
{
	(void)bytes;
	micro_check(error, "an answer");
	await_request(op->user);
}

static void send_request(struct echo *echo)
{
	sennit_async_write(&echo->client.stream, echo->client_data, SIZE, &echo->client_op,
	                   on_sent);
}

static void on_sent(struct sennit_op *op, int error, size_t bytes)
{
	struct echo *echo = op->user;

	(void)bytes;
	micro_check(error, "a request");
	sennit_async_read(&echo->client.stream, echo->client_data, SIZE, op, on_answer);
}

static void on_answer(struct sennit_op *op, int error, size_t bytes)
{
	struct echo *echo = op->user;

	(void)bytes;
	micro_check(error, "the reading of an answer");
	if (--echo->left) {
		send_request(echo);
		return;
	}
	sennit_close(&echo->client.stream);
	sennit_close(&echo->server.stream);
}

void micro_socketpair_echo(struct micro_run *run)
{
	struct sennit_runtime *runtime = micro_open(run);
	struct echo *all = micro_allocate(run->workers, sizeof *all);

	for (unsigned i = 0; i < run->workers; i++) {
		micro_check(sennit_descriptor_pair(&all[i].client, &all[i].server,
		                                   sennit_runtime_worker(runtime, i)),
		            "sennit_descriptor_pair");
		all[i].client_op.user = all[i].server_op.user = &all[i];
		all[i].left = micro_share(run, i, run->workers);
	}
	micro_begin(run);
	for (unsigned i = 0; i < run->workers; i++) {
		if (!all[i].left)
			continue;
		await_request(&all[i]);
		send_request(&all[i]);
	}
	micro_close(run, runtime);
	free(all);
}
