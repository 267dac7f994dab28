/* SPDX-License-Identifier: MIT */
/* mended_streams.c - defects of streams and stream types that were found by reading the library
 * closely, and mended: each was shown by a small program, which is a test here.
 */
#include "io_support.h"

#include <errno.h>
#include <fcntl.h>
#include <sennit/stream_implement.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct errand {
	struct sennit_task task;
	void (*function)(void *argument);
	void *argument;
};

static void on_errand(struct sennit_task *task, int error)
{
	struct errand *errand = CONTAINER_OF(task, struct errand, task);

	RECORD(error == 0);
	errand->function(errand->argument);
}

/* Runs the function in a handler, and whatever follows from it. */
static void run_in_handler(struct stage *stage, void (*function)(void *), void *argument)
{
	struct errand errand = { .function = function, .argument = argument };

	sennit_post(stage->owner, &errand.task, on_errand);
	run_dry(stage->runtime);
	recorded();
}

static void ready(struct stage *stage, struct flight *flight)
{
	expect_result(&flight->op, &flight->result, stage->owner);
}

static void ended(const struct flight *flight, int error, size_t bytes)
{
	assert_int_equal(flight->result.calls, 1);
	assert_int_equal(flight->result.error, error);
	assert_int_equal(flight->result.bytes, bytes);
}

/* Asserts that the peer was given exactly this, and the end after it. */
static void received(int peer, const char *text)
{
	char data[64];
	size_t size = strlen(text);

	raw_read(peer, data, size);
	assert_memory_equal(data, text, size);
	assert_int_equal(recv(peer, data, 1, MSG_DONTWAIT), 0);
}

/* --- last words ------------------------------------------------------------------------------- */

/* More than a stream may transfer in one turn of its owner. */
#define MANY_TRANSFERS 40

struct talker {
	struct sennit_descriptor descriptor;
	struct sennit_tcp_socket socket;
	struct sennit_stream *stream;
	struct sennit_op read;
	struct flight write;
	unsigned reads;
	unsigned most;
	char byte;
};

static void on_heard(struct sennit_op *op, int error, size_t bytes)
{
	struct talker *talker = op->user;

	if (!RECORD(error == 0 && bytes == 1))
		return;
	if (++talker->reads < talker->most) {
		sennit_async_read_some(talker->stream, &talker->byte, 1, op, on_heard);
		return;
	}
	sennit_async_write(talker->stream, "bye", 3, &talker->write.op, on_result);
	if (talker->stream != &talker->socket.stream)
		sennit_close(talker->stream);
	else
		RECORD(sennit_tcp_socket_shutdown(&talker->socket, SHUT_WR) == 0);
}

static void talk(struct stage *stage, struct talker *talker, int peer)
{
	static const char zeros[MANY_TRANSFERS];

	ready(stage, &talker->write);
	raw_write(peer, zeros, talker->most);
	talker->read.user = talker;
	sennit_async_read_some(talker->stream, &talker->byte, 1, &talker->read, on_heard);
	run_dry(stage->runtime);
	recorded();
	ended(&talker->write, 0, 3);
	received(peer, "bye");
}

static void a_write_before_close_goes_out_whatever_else_the_turn_transferred(void **state)
{
	struct stage stage = driven_stage();

	(void)state;
	for (unsigned most = 1; most <= MANY_TRANSFERS; most++) {
		struct talker talker = { .most = most };
		int peer = open_local(&stage, &talker.descriptor);

		talker.stream = &talker.descriptor.stream;
		talk(&stage, &talker, peer);
		raw_close(peer);
	}
	end_runtime(stage.runtime);
}

static void a_write_before_shutdown_goes_out_whatever_else_the_turn_transferred(void **state)
{
	struct stage stage = driven_stage();

	(void)state;
	for (unsigned most = 1; most <= MANY_TRANSFERS; most++) {
		struct talker talker = { .most = most };
		int peer = open_socket(&stage, &talker.socket);

		talker.stream = &talker.socket.stream;
		talk(&stage, &talker, peer);
		sennit_close(talker.stream);
		run_dry(stage.runtime);
		raw_close(peer);
	}
	end_runtime(stage.runtime);
}

#define LONG_WRITE ((size_t)1 << 22)

static size_t sixteen(struct sennit_op *op, int error, size_t bytes)
{
	(void)op;
	(void)error;
	(void)bytes;
	return 16;
}

struct endless {
	struct sennit_descriptor descriptor;
	struct flight write;
	struct errand later;
	char *data;
	bool at_once;
};

static void cancel_endless(void *argument)
{
	struct endless *endless = argument;

	sennit_cancel(&endless->descriptor.stream);
}

static void start_endless(void *argument)
{
	struct endless *endless = argument;

	endless->later.function = cancel_endless;
	endless->later.argument = endless;
	sennit_async_write_while(&endless->descriptor.stream, endless->data, LONG_WRITE, sixteen,
	                         &endless->write.op, on_result);
	if (endless->at_once)
		cancel_endless(endless);
	else
		sennit_post(sennit_stream_executor(&endless->descriptor.stream),
		            &endless->later.task, on_errand);
}

/* The last try that a cancelled write is given is one step, not all that would never wait. */
static void cancel_ends_a_long_write_that_never_waits(void **state)
{
	struct stage stage = driven_stage();
	char *data = zeroed(LONG_WRITE);

	(void)state;
	for (int at_once = 0; at_once < 2; at_once++) {
		struct endless endless = { .data = data, .at_once = at_once };
		int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

		assert_true(fd >= 0);
		adopt(&stage, &endless.descriptor, fd);
		ready(&stage, &endless.write);
		run_in_handler(&stage, start_endless, &endless);
		assert_int_equal(endless.write.result.calls, 1);
		assert_int_equal(endless.write.result.error, -ECANCELED);
		assert_true(endless.write.result.bytes < LONG_WRITE);
		sennit_close(&endless.descriptor.stream);
		run_dry(stage.runtime);
	}
	end_runtime(stage.runtime);
	free(data);
}

/* --- stream types: a start below while the own close waits ------------------------------------ */

/* An upper stream whose read is one of a lower stream. */
enum gives_up { BY_CANCEL, BY_CLOSE, BY_REUSE, WAYS_TO_GIVE_UP };

struct upper {
	struct stage *stage;
	struct sennit_stream stream;
	struct sennit_descriptor lower;
	struct sennit_descriptor reused;
	struct flight read;
	struct flight below;
	struct sennit_op *handed;
	int other_fd;
	enum gives_up how;
	unsigned closes;
	char data[16];
};

static void *close_upper(void *argument)
{
	struct upper *upper = argument;

	sennit_close(&upper->stream);
	return NULL;
}

static void on_below(struct sennit_op *op, int error, size_t bytes)
{
	struct upper *upper = CONTAINER_OF(op, struct upper, below.op);

	upper->below.result.calls++;
	upper->below.result.error = error;
	upper->below.result.bytes = bytes;
	sennit_op_complete(upper->handed, error);
}

static void upper_read(void *self, struct sennit_op *op)
{
	struct upper *upper = self;
	pthread_t thread;

	upper->handed = op;
	/* So that the close waits at the owner, which is here, when the read below is started. */
	if (!RECORD(pthread_create(&thread, NULL, close_upper, upper) == 0))
		return;
	pthread_join(thread, NULL);
	sennit_async_read_some(&upper->lower.stream, upper->data, sizeof upper->data,
	                       &upper->below.op, on_below);
}

static void upper_cancel(void *self, struct sennit_op *op, int types, int error)
{
	struct upper *upper = self;

	(void)types;
	RECORD(op == upper->handed && error == -ECANCELED);
	if (upper->how == BY_CANCEL)
		sennit_cancel(&upper->lower.stream);
	else
		sennit_close(&upper->lower.stream);
	if (upper->how == BY_REUSE)
		RECORD(sennit_descriptor_assign(&upper->reused, upper->stage->owner,
		                                upper->other_fd) == 0);
}

static void upper_close(void *self)
{
	struct upper *upper = self;

	upper->closes++;
}

static void start_upper(void *argument)
{
	struct upper *upper = argument;

	sennit_async_read_some(&upper->stream, upper->data, sizeof upper->data, &upper->read.op,
	                       on_result);
}

/* The cancel comes before the start below in time, and is for it nevertheless: the type was told
 * inside the start. Least of all may the read end up at an object that was opened since. */
static void a_start_below_inside_of_which_the_own_close_arrives_is_cancelled(void **state)
{
	static const struct sennit_stream_type type = {
		.name = "upper", .read = upper_read, .cancel = upper_cancel, .close = upper_close,
	};
	struct stage stage = driven_stage();

	(void)state;
	for (int how = 0; how < WAYS_TO_GIVE_UP; how++) {
		struct upper upper = { .stage = &stage, .how = (enum gives_up)how };
		int peer = open_local(&stage, &upper.lower);
		int other[2];

		raw_local_pair(SOCK_STREAM, other);
		raw_write(other[1], "secret", 6);
		upper.other_fd = other[0];
		ready(&stage, &upper.read);
		assert_int_equal(sennit_stream_open(&upper.stream, stage.owner, &type, &upper), 0);
		run_in_handler(&stage, start_upper, &upper);
		ended(&upper.below, -ECANCELED, 0);
		ended(&upper.read, -ECANCELED, 0);
		assert_int_equal(upper.closes, 1);
		if (how != BY_REUSE)
			raw_close(other[0]);
		else
			sennit_close(&upper.reused.stream);
		sennit_close(&upper.lower.stream);
		run_dry(stage.runtime);
		raw_close(other[1]);
		raw_close(peer);
	}
	end_runtime(stage.runtime);
}

/* --- stream types that close themselves ------------------------------------------------------- */

struct selfish {
	struct sennit_stream stream;
	struct flight flights[2];
	unsigned closes;
	unsigned cancels;
	bool waits;
	char byte;
};

static void close_counted(void *self)
{
	struct selfish *selfish = self;

	selfish->closes++;
}

static void close_inside(struct selfish *selfish)
{
	sennit_close(&selfish->stream);
	RECORD(selfish->closes == 0); /* `self` is still there: this function is inside it */
}

static void selfish_read(void *self, struct sennit_op *op)
{
	(void)op;
	close_inside(self);
}

static void selfish_wait(void *self, struct sennit_op *op, int what)
{
	(void)op;
	(void)what;
	close_inside(self);
}

static void start_selfish(void *argument)
{
	struct selfish *selfish = argument;
	struct sennit_op *op = &selfish->flights[0].op;

	if (selfish->waits)
		sennit_async_wait(&selfish->stream, SENNIT_WAIT_READ, op, on_result);
	else
		sennit_async_read_some(&selfish->stream, &selfish->byte, 1, op, on_result);
}

static void a_type_that_closes_its_own_stream_is_told_when_its_function_has_returned(void **state)
{
	static const struct sennit_stream_type type = {
		.name = "selfish", .read = selfish_read, .wait = selfish_wait,
		.close = close_counted,
	};
	struct stage stage = driven_stage();

	(void)state;
	for (int waits = 0; waits < 2; waits++) {
		struct selfish selfish = { .waits = waits };

		ready(&stage, &selfish.flights[0]);
		assert_int_equal(sennit_stream_open(&selfish.stream, stage.owner, &type, &selfish),
		                 0);
		run_in_handler(&stage, start_selfish, &selfish);
		ended(&selfish.flights[0], -ECANCELED, 0);
		assert_int_equal(selfish.closes, 1);
	}
	end_runtime(stage.runtime);
}

static void start_second(struct selfish *selfish)
{
	sennit_async_read_some(&selfish->stream, &selfish->byte, 1, &selfish->flights[1].op,
	                       on_result);
}

static void nested_read(void *self, struct sennit_op *op)
{
	struct selfish *selfish = self;

	if (op != &selfish->flights[1].op)
		return;
	sennit_cancel(&selfish->stream);
	close_inside(selfish);
}

static void nested_cancel(void *self, struct sennit_op *op, int types, int error)
{
	struct selfish *selfish = self;

	(void)types;
	if (selfish->cancels++ == 0)
		start_second(selfish);
	sennit_op_complete(op, error);
}

static void start_and_cancel(void *argument)
{
	struct selfish *selfish = argument;

	start_selfish(selfish);
	sennit_cancel(&selfish->stream);
}

static void cancel_and_close_within_a_read_within_a_cancel_end_each_read_once(void **state)
{
	static const struct sennit_stream_type type = { "nested", nested_read, NULL, NULL,
		                                        nested_cancel, close_counted };
	struct stage stage = driven_stage();
	struct selfish selfish = { .closes = 0 };

	(void)state;
	for (int i = 0; i < 2; i++)
		ready(&stage, &selfish.flights[i]);
	assert_int_equal(sennit_stream_open(&selfish.stream, stage.owner, &type, &selfish), 0);
	run_in_handler(&stage, start_and_cancel, &selfish);
	for (int i = 0; i < 2; i++)
		ended(&selfish.flights[i], -ECANCELED, 0);
	assert_int_equal(selfish.cancels, 2);
	assert_int_equal(selfish.closes, 1);
	end_runtime(stage.runtime);
}

/* --- stream types that say goodbye below ------------------------------------------------------ */

struct polite {
	struct sennit_stream stream;
	struct sennit_descriptor descriptor;
	struct sennit_tcp_socket socket;
	struct flight write;
	struct errand errand;
	struct sennit_executor *executor;
	unsigned closes;
	unsigned tasks;
	bool shuts_down, posts;
};

static void on_posted(struct sennit_task *task, int error)
{
	struct polite *polite = CONTAINER_OF(task, struct polite, errand.task);

	RECORD(error == 0 || error == SENNIT_SHUTDOWN);
	polite->tasks++;
}

static void polite_close(void *self)
{
	struct polite *polite = self;

	polite->closes++;
	if (polite->posts)
		sennit_post(polite->executor, &polite->errand.task, on_posted);
	if (polite->shuts_down) {
		sennit_async_write(&polite->socket.stream, "bye", 3, &polite->write.op, on_result);
		RECORD(sennit_tcp_socket_shutdown(&polite->socket, SHUT_WR) == 0);
	} else {
		sennit_async_write(&polite->descriptor.stream, "bye", 3, &polite->write.op,
		                   on_result);
		sennit_close(&polite->descriptor.stream);
	}
}

static const struct sennit_stream_type polite_type = {
	.name = "polite", .close = polite_close,
};

static int open_polite(struct stage *stage, struct polite *polite)
{
	polite->executor = stage->owner;
	ready(stage, &polite->write);
	assert_int_equal(sennit_stream_open(&polite->stream, stage->owner, &polite_type, polite),
	                 0);
	return polite->shuts_down ? open_socket(stage, &polite->socket)
				  : open_local(stage, &polite->descriptor);
}

static void close_polite(void *argument)
{
	struct polite *polite = argument;

	sennit_close(&polite->stream);
}

static void last_words_of_a_type_go_out_wherever_its_stream_was_closed(void **state)
{
	struct stage stage = driven_stage();

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct polite polite = { .shuts_down = i % 2 };
		int peer = open_polite(&stage, &polite);

		if (i / 2)
			close_polite(&polite); /* off the owner */
		else
			run_in_handler(&stage, close_polite, &polite);
		run_dry(stage.runtime);
		recorded();
		ended(&polite.write, 0, 3);
		received(peer, "bye");
		assert_int_equal(polite.closes, 1);
		if (polite.shuts_down)
			sennit_close(&polite.socket.stream);
		run_dry(stage.runtime);
		raw_close(peer);
	}
	end_runtime(stage.runtime);
}

static void what_a_type_posts_and_starts_when_destroy_closes_it_is_called_back(void **state)
{
	(void)state;
	for (int started = 0; started < 2; started++) {
		struct polite polite = { .posts = true };
		struct stage stage = { .runtime = NULL };
		int peer;

		if (started) {
			stage.runtime = started_runtime(1);
			stage.owner = sennit_runtime_worker(stage.runtime, 0);
		} else {
			stage = driven_stage();
		}
		peer = open_polite(&stage, &polite);
		end_runtime(stage.runtime);
		recorded();
		assert_int_equal(polite.closes, 1);
		assert_int_equal(polite.tasks, 1);
		assert_int_equal(polite.write.result.calls, 1);
		raw_close(peer);
	}
}

static void below_close(void *self)
{
	struct polite *polite = self;

	polite->closes++;
	sennit_close(&polite->descriptor.stream);
}

static void destroy_closes_a_type_that_closes_an_object_of_another_worker(void **state)
{
	static const struct sennit_stream_type type = { .name = "below", .close = below_close };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct stage stage = { .runtime = started_runtime(2) };
		struct polite polite = { .closes = 0 };
		int peer;

		stage.owner = sennit_runtime_worker(stage.runtime, 1 - i);
		peer = open_local(&stage, &polite.descriptor);
		assert_int_equal(sennit_stream_open(&polite.stream,
		                                    sennit_runtime_worker(stage.runtime, i),
		                                    &type, &polite), 0);
		end_runtime(stage.runtime);
		assert_int_equal(polite.closes, 1);
		assert_int_equal(raw_drain(peer), 0);
		raw_close(peer);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_write_before_close_goes_out_whatever_else_the_turn_transferred),
		TEST(a_write_before_shutdown_goes_out_whatever_else_the_turn_transferred),
		TEST(cancel_ends_a_long_write_that_never_waits),
		TEST(a_start_below_inside_of_which_the_own_close_arrives_is_cancelled),
		TEST(a_type_that_closes_its_own_stream_is_told_when_its_function_has_returned),
		TEST(cancel_and_close_within_a_read_within_a_cancel_end_each_read_once),
		TEST(last_words_of_a_type_go_out_wherever_its_stream_was_closed),
		TEST(what_a_type_posts_and_starts_when_destroy_closes_it_is_called_back),
		TEST(destroy_closes_a_type_that_closes_an_object_of_another_worker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
