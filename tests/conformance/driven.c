/* SPDX-License-Identifier: MIT */
/* driven.c - input and output on a runtime that the caller drives: what keeps run going, what wakes
 * it, and an echo on a single thread.
 */
#include "io_support.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- work ------------------------------------------------------------------------------------- */

/* A9, E8's like: an operation in flight is work, an object is not. */
static void an_open_object_keeps_run_from_nothing(void **state)
{
	struct stage stage = driven_stage();
	struct sennit_tcp_acceptor acceptor;
	struct sennit_descriptor descriptor;
	struct sennit_endpoint endpoint;
	struct flight flight = { 0 };
	char byte;
	int peer = open_local(&stage, &descriptor);

	(void)state;
	open_acceptor(&stage, &acceptor, &endpoint);
	assert_int_equal(run_dry(stage.runtime), 0);
	/* Nor is one that was at work and is not any more. */
	raw_write(peer, "!", 1);
	START(&stage, { READ, &descriptor.stream, .data = &byte, .size = 1, .flight = &flight });
	assert_int_equal(run_dry(stage.runtime), 1);
	EXPECT(&flight, 0, 1);
	assert_int_equal(run_dry(stage.runtime), 0);
	raw_close(peer);
	end_runtime(stage.runtime);
}

/* C016. */
static void poll_with_a_pending_read_neither_blocks_nor_stops_the_runtime(void **state)
{
	struct stage stage = driven_stage();
	struct sennit_descriptor descriptor;
	struct flight flight = { 0 };
	char byte;
	int peer = open_local(&stage, &descriptor);

	(void)state;
	START(&stage, { READ, &descriptor.stream, .data = &byte, .size = 1, .flight = &flight });
	for (int i = 0; i < 3; i++) {
		assert_int_equal(sennit_runtime_poll(stage.runtime), 0);
		assert_int_equal(sennit_runtime_poll_one(stage.runtime), 0);
	}
	assert_false(sennit_runtime_stopped(stage.runtime));
	assert_int_equal(flight.result.calls, 0);
	raw_write(peer, "!", 1);
	assert_int_equal(sennit_runtime_poll(stage.runtime), 1);
	EXPECT(&flight, 0, 1);
	raw_close(peer);
	end_runtime(stage.runtime);
}

static void stop_leaves_operations_in_flight_for_after_restart(void **state)
{
	struct stage stage = driven_stage();
	struct sennit_descriptor descriptor;
	struct flight flights[2] = { 0 };
	char bytes[2];
	int peer = open_local(&stage, &descriptor);

	(void)state;
	START(&stage,
	      { READ, &descriptor.stream, .data = &bytes[0], .size = 1, .flight = &flights[0] });
	assert_int_equal(sennit_runtime_poll(stage.runtime), 0);
	sennit_runtime_stop(stage.runtime);
	raw_write(peer, "ab", 2);
	START(&stage,
	      { READ, &descriptor.stream, .data = &bytes[1], .size = 1, .flight = &flights[1] });
	assert_int_equal(sennit_runtime_run(stage.runtime), 0);
	assert_int_equal(flights[0].result.calls, 0);
	sennit_runtime_restart(stage.runtime);
	assert_int_equal(run_dry(stage.runtime), 2);
	EXPECT(&flights[0], 0, 1);
	EXPECT(&flights[1], 0, 1);
	assert_memory_equal(bytes, "ab", 2);
	raw_close(peer);
	end_runtime(stage.runtime);
}

/* --- from other threads, while run is blocked ------------------------------------------------- */

/* Does something to a runtime whose thread sleeps, or soon will. */
struct helper {
	struct stage stage;
	struct sennit_descriptor descriptor;
	struct flight flights[3];
	char data[10];
	int peer;
	pid_t driver;
};

static struct helper *new_helper(void)
{
	struct helper *helper = zeroed(sizeof *helper);

	helper->stage = driven_stage();
	helper->peer = open_local(&helper->stage, &helper->descriptor);
	helper->driver = gettid();
	return helper;
}

static void end_helper(struct helper *helper)
{
	raw_close(helper->peer);
	end_runtime(helper->stage.runtime);
	free(helper);
}

static void *help_by_writing(void *argument)
{
	struct helper *helper = argument;

	wait_until_asleep(helper->driver);
	RECORD(write(helper->peer, "late", 4) == 4);
	return NULL;
}

static void an_event_wakes_run(void **state)
{
	struct helper *helper = new_helper();
	pthread_t thread;

	(void)state;
	START(&helper->stage, { READ, &helper->descriptor.stream, .data = helper->data, .size = 4,
	                        .flight = &helper->flights[0] });
	thread = spawn(help_by_writing, helper);
	assert_int_equal(run_dry(helper->stage.runtime), 1);
	EXPECT(&helper->flights[0], 0, 4);
	join(thread);
	end_helper(helper);
}

static void *help_by_starting(void *argument)
{
	struct helper *helper = argument;

	wait_until_asleep(helper->driver);
	sennit_async_write(&helper->descriptor.stream, "x", 1, &helper->flights[1].op, on_result);
	wait_until_asleep(helper->driver);
	sennit_async_read(&helper->descriptor.stream, helper->data + 4, 4, &helper->flights[2].op,
	                  on_result);
	RECORD(write(helper->peer, "onlytwo!", 8) == 8);
	return NULL;
}

static void a_start_elsewhere_wakes_run(void **state)
{
	struct helper *helper = new_helper();
	pthread_t thread;

	(void)state;
	START(&helper->stage, { READ, &helper->descriptor.stream, .data = helper->data, .size = 4,
	                        .flight = &helper->flights[0] });
	for (int i = 1; i < 3; i++)
		expect_result(&helper->flights[i].op, &helper->flights[i].result,
		              helper->stage.owner);
	sennit_runtime_guard_get(helper->stage.runtime);
	thread = spawn(help_by_starting, helper);
	run_until(helper->stage.runtime, &helper->flights[2].result.done);
	EXPECT(&helper->flights[0], 0, 4);
	EXPECT(&helper->flights[1], 0, 1);
	EXPECT(&helper->flights[2], 0, 4);
	assert_memory_equal(helper->data, "onlytwo!", 8);
	join(thread);
	sennit_runtime_guard_put(helper->stage.runtime);
	end_helper(helper);
}

static void *help_by_cancelling(void *argument)
{
	struct helper *helper = argument;

	wait_until_asleep(helper->driver);
	sennit_cancel(&helper->descriptor.stream);
	return NULL;
}

static void *help_by_closing(void *argument)
{
	struct helper *helper = argument;

	wait_until_asleep(helper->driver);
	sennit_close(&helper->descriptor.stream);
	return NULL;
}

static void cancel_and_close_elsewhere_wake_run(void **state)
{
	void *(*const help[])(void *) = { help_by_cancelling, help_by_closing };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct helper *helper = new_helper();
		pthread_t thread;

		START(&helper->stage,
		      { READ, &helper->descriptor.stream, .data = helper->data, .size = 4,
		        .flight = &helper->flights[0] },
		      { WAIT, &helper->descriptor.stream, .what = SENNIT_WAIT_READ,
		        .flight = &helper->flights[1] });
		thread = spawn(help[i], helper);
		assert_int_equal(run_dry(helper->stage.runtime), 2);
		EXPECT(&helper->flights[0], -ECANCELED, 0);
		EXPECT(&helper->flights[1], -ECANCELED, 0);
		join(thread);
		end_helper(helper);
	}
}

static atomic_uint interruptions;

static void on_signal(int number)
{
	(void)number;
	atomic_fetch_add(&interruptions, 1);
}

struct interrupter {
	struct helper *helper;
	pthread_t driver;
};

static void *help_by_interrupting(void *argument)
{
	const struct interrupter *interrupter = argument;

	for (unsigned i = 1; i <= 20; i++) {
		wait_until_asleep(interrupter->helper->driver);
		RECORD(pthread_kill(interrupter->driver, SIGUSR1) == 0);
		while (atomic_load(&interruptions) < i)
			sched_yield();
	}
	return help_by_writing(interrupter->helper);
}

/* A20, HC18. */
static void signals_do_not_end_run_nor_what_it_waits_for(void **state)
{
	struct helper *helper = new_helper();
	struct interrupter interrupter = { helper, pthread_self() };
	struct sigaction action = { .sa_handler = on_signal }, before;
	pthread_t thread;

	(void)state;
	atomic_store(&interruptions, 0);
	assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
	START(&helper->stage, { READ, &helper->descriptor.stream, .data = helper->data, .size = 4,
	                        .flight = &helper->flights[0] });
	thread = spawn(help_by_interrupting, &interrupter);
	assert_int_equal(run_dry(helper->stage.runtime), 1);
	EXPECT(&helper->flights[0], 0, 4);
	join(thread);
	assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
	end_helper(helper);
}

/* --- a single thread -------------------------------------------------------------------------- */

#define ECHOES 1000

struct talker {
	struct sennit_descriptor descriptor;
	struct sennit_op op;
	unsigned left;
	bool answers;
	char data[64];
};

static sennit_handler on_heard, on_said;

static void on_said(struct sennit_op *op, int error, size_t bytes)
{
	struct talker *talker = CONTAINER_OF(op, struct talker, op);

	RECORD(error == 0 && bytes == sizeof talker->data);
	sennit_async_read(&talker->descriptor.stream, talker->data, sizeof talker->data, op,
	                  on_heard);
}

static void on_heard(struct sennit_op *op, int error, size_t bytes)
{
	struct talker *talker = CONTAINER_OF(op, struct talker, op);

	if (error || talker->left == 0) {
		RECORD(error == 0 || (talker->answers && error == SENNIT_EOF && bytes == 0));
		sennit_close(&talker->descriptor.stream);
		return;
	}
	RECORD(bytes == sizeof talker->data);
	talker->left--;
	sennit_async_write(&talker->descriptor.stream, talker->data, sizeof talker->data, op,
	                   on_said);
}

static void two_ends_talk_on_one_thread_until_one_closes(void **state)
{
	struct sennit_runtime *runtime = driven_runtime();
	struct talker asking = { .left = ECHOES },
		      answering = { .left = ECHOES + 1, .answers = true };

	(void)state;
	assert_int_equal(sennit_descriptor_pair(&asking.descriptor, &answering.descriptor,
	                                        sennit_runtime_executor(runtime)),
	                 0);
	sennit_async_read(&answering.descriptor.stream, answering.data, sizeof answering.data,
	                  &answering.op, on_heard);
	sennit_async_write(&asking.descriptor.stream, asking.data, sizeof asking.data, &asking.op,
	                   on_said);
	/* Two handlers for each message, and the one that tells of the end. */
	assert_int_equal(run_dry(runtime), 4 * (ECHOES + 1) + 1);
	assert_int_equal(asking.left, 0);
	assert_int_equal(answering.left, 0);
	assert_false(sennit_is_open(&asking.descriptor.stream));
	assert_false(sennit_is_open(&answering.descriptor.stream));
	end_runtime(runtime);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(an_open_object_keeps_run_from_nothing),
		TEST(poll_with_a_pending_read_neither_blocks_nor_stops_the_runtime),
		TEST(stop_leaves_operations_in_flight_for_after_restart),
		TEST(an_event_wakes_run),
		TEST(a_start_elsewhere_wakes_run),
		TEST(cancel_and_close_elsewhere_wake_run),
		TEST(signals_do_not_end_run_nor_what_it_waits_for),
		TEST(two_ends_talk_on_one_thread_until_one_closes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
