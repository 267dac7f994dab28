/* SPDX-License-Identifier: MIT */
/* gather.c - sennit-gather: many writes started in one handler, to count the calls they cost.
 *
 * One handler starts --writes writes of --size bytes on one end of a pair of local sockets; when
 * the last of them is through, what arrived is read at the other end by one plain call and
 * compared, and the next batch starts, --batches times. The difference of `strace -c` between N and
 * 2N batches is what a batch costs. */
#include "perf/net/command.h"

#include <inttypes.h>
#include <sennit/sennit.h>

enum { WRITES_MAX = 256, SIZE_MAX_ = 4096 };

static struct sennit_descriptor writer, reader;
static struct sennit_op ops[WRITES_MAX];
static struct sennit_task task;
static unsigned char data[WRITES_MAX * SIZE_MAX_];
static unsigned char back[sizeof data];
static uint64_t batches = 1000;
static uint64_t writes = 16;
static uint64_t size = 64;
static uint64_t done;    /* batches */
static uint64_t pending; /* writes of this one */
static int failure;

static sennit_handler on_written;

static void end(int error)
{
	failure = error;
	sennit_close(&writer.stream);
	sennit_close(&reader.stream);
}

static void start_batch(void)
{
	pending = writes;
	for (uint64_t i = 0; i < writes; i++)
		sennit_async_write(&writer.stream, data + i * size, size, &ops[i], on_written);
}

/* Reads the batch, which lies in the socket by now. */
static int check_batch(void)
{
	size_t expected = writes * size;
	ssize_t n = recv(sennit_descriptor_native_handle(&reader), back, expected, MSG_DONTWAIT);

	if (n < 0)
		return -errno;
	return (size_t)n == expected && !memcmp(back, data, expected) ? 0 : -EBADMSG;
}

static void on_written(struct sennit_op *op, int error, size_t bytes)
{
	(void)op;
	if (!failure && (error || bytes != size))
		end(error ? error : -EBADMSG);
	if (--pending || failure)
		return;
	error = check_batch();
	if (error || ++done == batches)
		end(error);
	else
		start_batch();
}

static void on_start(struct sennit_task *started, int error)
{
	(void)started;
	if (error)
		failure = error;
	else
		start_batch();
}

int main(int argc, char **argv)
{
	const struct command_option options[] = {
		{ .name = "--batches", .number = &batches, .min = 1, .max = 1ULL << 40 },
		{ .name = "--writes", .number = &writes, .min = 1, .max = WRITES_MAX },
		{ .name = "--size", .number = &size, .min = 1, .max = SIZE_MAX_ },
	};
	struct sennit_runtime *runtime = NULL;

	command_parse(argc, argv, options, sizeof options / sizeof *options);
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (unsigned char)(i * 131 >> 3);
	failure = sennit_runtime_create(NULL, &runtime);
	if (!failure)
		failure =
		    sennit_descriptor_pair(&writer, &reader, sennit_runtime_executor(runtime));
	if (!failure) {
		sennit_post(sennit_runtime_executor(runtime), &task, on_start);
		sennit_runtime_run(runtime);
	}
	sennit_runtime_destroy(runtime);
	if (failure) {
		fprintf(stderr, "sennit-gather: %s\n", sennit_strerror(failure));
		return 1;
	}
	printf("batches %" PRIu64 " writes %" PRIu64 " size %" PRIu64 "\n", done, writes, size);
	return 0;
}
