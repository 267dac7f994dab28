/* SPDX-License-Identifier: MIT */
/* futures.c - waiting for results on threads that are not workers. */
#include "io_support.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

struct scene {
	struct sennit_runtime *runtime;
	struct sennit_descriptor descriptor;
	int peer;
};

static void open_scene(struct scene *scene)
{
	int fds[2];

	memset(scene, 0, sizeof *scene);
	scene->runtime = started_runtime(2);
	raw_local_pair(SOCK_STREAM, fds);
	assert_int_equal(sennit_descriptor_assign(&scene->descriptor,
						  sennit_runtime_executor(scene->runtime), fds[0]),
			 0);
	scene->peer = fds[1];
}

static void close_scene(struct scene *scene)
{
	sennit_close(&scene->descriptor.stream);
	raw_close(scene->peer);
	end_runtime(scene->runtime);
}

static void read_byte(struct scene *scene, struct sennit_future *future, char *byte)
{
	sennit_async_read(&scene->descriptor.stream, byte, 1, &future->op, sennit_future_complete);
}

static void the_result_comes_with_error_and_bytes(void **state)
{
	struct sennit_future future = {0};
	struct scene scene;
	char data[8] = "";
	size_t bytes;

	(void)state;
	open_scene(&scene);
	raw_write(scene.peer, "hello", 5);
	sennit_async_read(&scene.descriptor.stream, data, 5, &future.op, sennit_future_complete);
	assert_int_equal(sennit_future_wait(&future, UINT64_MAX, &bytes), 0);
	assert_int_equal(bytes, 5);
	assert_string_equal(data, "hello");
	raw_write(scene.peer, "abc", 3);
	raw_close(scene.peer);
	sennit_async_read(&scene.descriptor.stream, data, 5, &future.op, sennit_future_complete);
	assert_int_equal(sennit_future_wait(&future, UINT64_MAX, &bytes), SENNIT_EOF);
	assert_int_equal(bytes, 3);
	sennit_close(&scene.descriptor.stream);
	end_runtime(scene.runtime);
}

static void a_wait_ends_at_its_deadline_and_the_operation_goes_on(void **state)
{
	struct sennit_cancel_signal signal = {0};
	struct sennit_future future = {0};
	struct timespec now;
	struct scene scene;
	uint64_t now_ns;
	size_t bytes = 7;
	char byte;

	(void)state;
	open_scene(&scene);
	sennit_op_bind_slot(&future.op, sennit_cancel_signal_slot(&signal));
	read_byte(&scene, &future, &byte);
	clock_gettime(CLOCK_MONOTONIC, &now);
	now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	assert_int_equal(sennit_future_wait(&future, 0, &bytes), -EINPROGRESS);
	assert_int_equal(sennit_future_wait(&future, now_ns - 1, &bytes), -EINPROGRESS);
	assert_int_equal(sennit_future_wait(&future, now_ns + 3000000, &bytes), -EINPROGRESS);
	assert_int_equal(bytes, 7);
	clock_gettime(CLOCK_MONOTONIC, &now);
	assert_true((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec >=
		    now_ns + 3000000);
	sennit_cancel_signal_emit(&signal, SENNIT_CANCEL_TERMINAL);
	assert_int_equal(sennit_future_wait(&future, UINT64_MAX, &bytes), -ECANCELED);
	assert_int_equal(bytes, 0);
	close_scene(&scene);
}

struct waiter {
	struct scene *scene;
	unsigned rounds;
};

static void *wait_again_and_again(void *argument)
{
	struct waiter *waiter = argument;

	for (unsigned i = 0; i < waiter->rounds; i++) {
		struct sennit_future future = {0}; /* gone as soon as the wait returns */
		size_t bytes;
		char byte;

		read_byte(waiter->scene, &future, &byte);
		RECORD(sennit_future_wait(&future, UINT64_MAX, &bytes) == 0 && bytes == 1);
		memset(&future, 0xff, sizeof future);
	}
	return NULL;
}

static void many_threads_wait_for_futures_of_their_own(void **state)
{
	enum { WAITERS = 4 };
	struct waiter waiter;
	pthread_t threads[WAITERS];
	struct scene scene;

	(void)state;
	open_scene(&scene);
	waiter = (struct waiter){.scene = &scene, .rounds = 500 * scale()};
	for (int i = 0; i < WAITERS; i++)
		threads[i] = spawn(wait_again_and_again, &waiter);
	for (unsigned i = 0; i < WAITERS * waiter.rounds; i++)
		raw_write(scene.peer, "x", 1);
	for (int i = 0; i < WAITERS; i++)
		join(threads[i]);
	close_scene(&scene);
}

static void destroying_the_runtime_ends_the_wait(void **state)
{
	struct sennit_future future = {0};
	struct scene scene;
	char byte;

	(void)state;
	open_scene(&scene);
	read_byte(&scene, &future, &byte);
	raw_close(scene.peer);
	assert_int_equal(sennit_future_wait(&future, UINT64_MAX, NULL), SENNIT_EOF);
	read_byte(&scene, &future, &byte);
	end_runtime(scene.runtime);
	assert_true(sennit_future_wait(&future, UINT64_MAX, NULL) != 0);
}

static void wait_on_a_worker(void *argument)
{
	struct sennit_future future = {0};

	(void)argument;
	sennit_future_wait(&future, UINT64_MAX, NULL);
}

static void start_and_wait_on_a_worker(void *argument)
{
	struct sennit_runtime *runtime = started_runtime(1);

	call_on(sennit_runtime_worker(runtime, 0), wait_on_a_worker, argument);
}

static void waiting_on_a_worker_is_misuse(void **state)
{
	(void)state;
	assert_misuse(start_and_wait_on_a_worker, NULL, "worker");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(the_result_comes_with_error_and_bytes),
		TEST(a_wait_ends_at_its_deadline_and_the_operation_goes_on),
		TEST(many_threads_wait_for_futures_of_their_own),
		TEST(destroying_the_runtime_ends_the_wait),
		TEST(waiting_on_a_worker_is_misuse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
