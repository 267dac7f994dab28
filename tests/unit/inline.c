/* SPDX-License-Identifier: MIT */
/* inline.c - handlers that run inside the start of their operation: as deep as they may, on a small
 * stack, and never twice or not at all. What the rules say of it is in conformance/executors.c.
 */
#include "io_support.h"

#include <fcntl.h>
#include <sennit/error.h>
#include <unistd.h>

#if defined(SANITIZED_THREAD) || defined(SANITIZED_ADDRESS)
# define READS 50000
# define STACK (512 * 1024) /* frames are larger there, and the sanitizer's own lie on it as well */
#else
# define READS 1000000
# define STACK (64 * 1024)
#endif

/* Reads that each end at once, one started by the handler of the other. */
struct chain {
	struct sennit_descriptor descriptor;
	struct sennit_op op;
	uint64_t left;
	uint64_t ran;
	unsigned depth;
	unsigned deepest;
	uint64_t inside; /* handlers that ran inside a start */
	int64_t handlers; /* that run counted */
	int error;       /* that ended it */
	char data[16];
};

static void on_read(struct sennit_op *op, int error, size_t bytes);

static void read_next(struct chain *chain)
{
	uint64_t before = chain->ran;

	chain->depth++;
	sennit_async_read_some(&chain->descriptor.stream, chain->data, sizeof chain->data,
	                       &chain->op, on_read);
	chain->depth--;
	chain->inside += chain->ran != before;
}

static void on_read(struct sennit_op *op, int error, size_t bytes)
{
	struct chain *chain = CONTAINER_OF(op, struct chain, op);

	chain->ran++;
	if (chain->depth > chain->deepest)
		chain->deepest = chain->depth;
	if (error) {
		chain->error = error;
		return;
	}
	RECORD(bytes == sizeof chain->data);
	if (chain->ran % 65536 == 0)
		progress();
	if (--chain->left)
		read_next(chain);
	else
		sennit_close(&chain->descriptor.stream);
}

static void *run_chain(void *argument)
{
	struct chain *chain = argument;
	struct sennit_runtime *runtime;

	RECORD(sennit_runtime_create(NULL, &runtime) == 0);
	RECORD(sennit_descriptor_assign(&chain->descriptor, sennit_runtime_executor(runtime),
	                                open("/dev/zero", O_RDONLY | O_CLOEXEC)) == 0);
	sennit_op_allow_inline(&chain->op, true);
	read_next(chain);
	RECORD(chain->ran == 0); /* not started on the owner */
	chain->handlers = sennit_runtime_run(runtime);
	RECORD(sennit_runtime_destroy(runtime) == 0);
	return NULL;
}

/* HE1: however many complete at once, no more than 16 nest. The stack is that of a small fiber. */
static void ten_million_reads_that_complete_inline_fit_a_small_stack(void **state)
{
	struct chain chain = { .left = READS * (uint64_t)(scale() < 10 ? scale() : 10) };
	pthread_attr_t attributes;
	pthread_t thread;
	const uint64_t total = chain.left;

	(void)state;
	assert_int_equal(pthread_attr_init(&attributes), 0);
	assert_int_equal(pthread_attr_setstacksize(&attributes, STACK), 0);
	assert_int_equal(pthread_create(&thread, &attributes, run_chain, &chain), 0);
	join(thread);
	pthread_attr_destroy(&attributes);
	assert_int_equal(chain.left, 0);
	assert_int_equal(chain.ran, total);
	/* A stream makes 16 transfers in a turn, which is less. */
	assert_in_range(chain.deepest, 14, 16);
	assert_true(chain.inside > chain.ran / 2);
	assert_true((uint64_t)chain.handlers < chain.ran / 2);
}

/* Where a runtime is destroyed each start ends with SENNIT_SHUTDOWN, at once; 16 of them nest. */
static void on_restart(struct sennit_op *op, int error, size_t bytes)
{
	struct chain *chain = CONTAINER_OF(op, struct chain, op);

	RECORD(error == SENNIT_SHUTDOWN && bytes == 0);
	chain->ran++;
	if (chain->depth > chain->deepest)
		chain->deepest = chain->depth;
	chain->depth++;
	if (--chain->left)
		sennit_async_read(&chain->descriptor.stream, chain->data, 1, op, on_restart);
	chain->depth--;
}

static void inline_handlers_that_start_anew_while_the_runtime_is_destroyed_all_run(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	struct chain chain = { .left = 1000 };
	int fds[2];

	(void)state;
	raw_pipe(fds);
	assert_int_equal(sennit_descriptor_assign(&chain.descriptor,
	                                          sennit_runtime_executor(runtime), fds[0]), 0);
	sennit_op_allow_inline(&chain.op, true);
	sennit_async_read(&chain.descriptor.stream, chain.data, 1, &chain.op, on_restart);
	end_runtime(runtime);
	assert_int_equal(chain.ran, 1000);
	assert_int_equal(chain.deepest, 16);
	raw_close(fds[1]);
}

static void allow_in_flight(void *argument)
{
	struct sennit_runtime *runtime;
	struct chain *chain = argument;

	sennit_runtime_create(NULL, &runtime);
	sennit_descriptor_init(&chain->descriptor, sennit_runtime_executor(runtime));
	sennit_async_read(&chain->descriptor.stream, chain->data, 1, &chain->op, on_read);
	sennit_op_allow_inline(&chain->op, true);
}

static void to_allow_it_in_flight_is_misuse(void **state)
{
	struct chain chain = { .left = 1 };

	(void)state;
	assert_misuse(allow_in_flight, &chain, "sennit_op_allow_inline");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(ten_million_reads_that_complete_inline_fit_a_small_stack),
		TEST(inline_handlers_that_start_anew_while_the_runtime_is_destroyed_all_run),
		TEST(to_allow_it_in_flight_is_misuse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
