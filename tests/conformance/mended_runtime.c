/* SPDX-License-Identifier: MIT */
/* mended_runtime.c - defects of runtimes, sockets and descriptors that were found by reading the
 * library closely, and mended: each was shown by a small program, which is a test here.
 */
#include "io_support.h"

#include <errno.h>
#include <netinet/in.h>
#include <sennit/stream_implement.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void ready(struct stage *stage, struct flight *flight)
{
	expect_result(&flight->op, &flight->result, stage->owner);
}

/* --- descriptors and sockets ------------------------------------------------------------------ */

static void a_write_some_that_fails_after_a_part_reports_the_part_as_success(void **state)
{
	struct stage stage = driven_stage();
	struct sennit_descriptor descriptor;
	struct flight writes[2] = { 0 };
	size_t size = (size_t)4 << 20;
	char *data = zeroed(size);
	int peer = open_local(&stage, &descriptor);

	(void)state;
	/* With a second one behind it, the first is to go out whole. */
	for (int i = 0; i < 2; i++) {
		ready(&stage, &writes[i]);
		sennit_async_write_some(&descriptor.stream, data, i ? 10 : size, &writes[i].op,
		                        on_result);
	}
	sennit_runtime_poll(stage.runtime);
	assert_int_equal(writes[0].result.calls, 0);
	raw_close(peer);
	run_dry(stage.runtime);
	assert_int_equal(writes[0].result.calls, 1);
	assert_int_equal(writes[0].result.error, 0);
	assert_in_range(writes[0].result.bytes, 1, size - 1);
	assert_int_equal(writes[1].result.calls, 1);
	assert_true(writes[1].result.error == -EPIPE || writes[1].result.error == -ECONNRESET);
	sennit_close(&descriptor.stream);
	run_dry(stage.runtime);
	end_runtime(stage.runtime);
	free(data);
}

static void two_connects_to_a_refused_port_fail_and_let_the_read_behind_them_go(void **state)
{
	struct stage stage = driven_stage();
	struct sennit_tcp_socket socket;
	struct sennit_endpoint endpoint;
	struct flight connects[2] = { 0 };
	struct flight read = { 0 };
	char byte;

	(void)state;
	/* A port that was free a moment ago. */
	raw_close(raw_listen(&endpoint, 1));
	sennit_tcp_socket_init(&socket, stage.owner);
	ready(&stage, &read);
	for (int i = 0; i < 2; i++) {
		ready(&stage, &connects[i]);
		sennit_tcp_socket_async_connect(&socket, &endpoint, &connects[i].op, on_result);
	}
	sennit_async_read_some(&socket.stream, &byte, 1, &read.op, on_result);
	run_dry(stage.runtime);
	/* A read that were let go by the first would take the error that is the second's. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(connects[i].result.calls, 1);
		assert_int_equal(connects[i].result.error, -ECONNREFUSED);
	}
	assert_true(connects[1].result.order < read.result.order);
	assert_int_equal(read.result.calls, 1);
	assert_true(read.result.error != 0);
	sennit_close(&socket.stream);
	run_dry(stage.runtime);
	end_runtime(stage.runtime);
}

/* Much longer than the watchdog's patience: a worker that lingers is found. */
#define LINGER_S 3600

enum lingers { BY_OPTION, BY_HANDLE, BEFORE_ADOPTION, AS_DESCRIPTOR, WAYS_TO_LINGER };

struct lingerer {
	struct sennit_tcp_socket socket;
	struct sennit_descriptor descriptor;
	struct sennit_stream *stream;
};

static void set_linger(int fd)
{
	struct linger linger = { .l_onoff = 1, .l_linger = LINGER_S };

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
}

static int open_lingerer(struct stage *stage, struct lingerer *lingerer, enum lingers how)
{
	struct sennit_tcp_socket *socket = &lingerer->socket;
	int fds[2];

	lingerer->stream = &socket->stream;
	if (how == BY_OPTION || how == BY_HANDLE) {
		fds[1] = open_socket(stage, socket);
		if (how == BY_HANDLE)
			set_linger(sennit_tcp_socket_native_handle(socket));
		else
			assert_int_equal(
			    sennit_tcp_socket_set_option(socket, SENNIT_TCP_LINGER, LINGER_S), 0);
		return fds[1];
	}
	raw_tcp_pair(fds);
	set_linger(fds[0]);
	if (how == BEFORE_ADOPTION) {
		sennit_tcp_socket_init(socket, stage->owner);
		assert_int_equal(sennit_tcp_socket_assign(socket, fds[0]), 0);
	} else {
		adopt(stage, &lingerer->descriptor, fds[0]);
		lingerer->stream = &lingerer->descriptor.stream;
	}
	return fds[1];
}

/* What was written still goes out, in the background. */
SCENARIO(the_worker_goes_on_when_it_has_closed_a_socket_that_lingers)
{
	size_t size = (size_t)16 << 20;
	char *data = patterned(size);

	for (int how = 0; how < WAYS_TO_LINGER; how++) {
		struct lingerer lingerer = { 0 };
		struct flight write = { 0 };
		int peer = open_lingerer(stage, &lingerer, (enum lingers)how);

		START(stage, { WRITE, lingerer.stream, .data = data, .size = size,
		               .flight = &write });
		PENDING(stage, &write);
		START(stage, { CLOSE, .stream = lingerer.stream });
		owner_turn(stage); /* before the peer has read anything */
		wait_result(&write.result);
		assert_int_equal(write.result.error, -ECANCELED);
		assert_int_equal(raw_drain(peer), write.result.bytes);
		raw_close(peer);
	}
	finish(stage, NULL, 0);
	free(data);
}

/* More than a local socket takes at once. */
#define PLENTY ((size_t)64 << 20)

/* More than one call is ever asked to transfer: the system refuses what would go past the end
 * of the addresses there are. */
#define ROOM ((size_t)4 << 30)

static void buffers_whose_sizes_add_up_beyond_a_size_are_written_as_far_as_they_go(void **state)
{
	struct stage stage = driven_stage();
	struct sennit_descriptor descriptor;
	char *data = mmap(NULL, ROOM, PROT_READ | PROT_WRITE,
	                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *got = zeroed(PLENTY);
	struct iovec vector[2] = { { data, SIZE_MAX }, { data, 1 } };
	struct flight write = { 0 };
	int peer = open_local(&stage, &descriptor);

	(void)state;
	assert_ptr_not_equal(data, MAP_FAILED);
	ready(&stage, &write);
	sennit_async_writev_some(&descriptor.stream, vector, 2, &write.op, on_result);
	run_until(stage.runtime, &write.result.done);
	assert_int_equal(write.result.error, 0);
	assert_in_range(write.result.bytes, 1, PLENTY);
	raw_read(peer, got, write.result.bytes);
	raw_silent(peer);
	sennit_close(&descriptor.stream);
	run_dry(stage.runtime);
	raw_close(peer);
	end_runtime(stage.runtime);
	assert_int_equal(munmap(data, ROOM), 0);
	free(got);
}

/* The cancel is a message to the owner, which may arrive when the descriptor is given back. */
static void a_descriptor_is_released_after_a_cancel_that_is_still_on_its_way(void **state)
{
	struct stage stage = { .runtime = started_runtime(1) };

	(void)state;
	stage.owner = sennit_runtime_worker(stage.runtime, 0);
	for (unsigned i = 0; i < 500 * scale(); i++) {
		struct sennit_descriptor descriptor;
		int peer = open_local(&stage, &descriptor);
		int handle = sennit_descriptor_native_handle(&descriptor);
		int fd = -1;

		sennit_cancel(&descriptor.stream);
		assert_int_equal(sennit_descriptor_release(&descriptor, &fd), 0);
		assert_int_equal(fd, handle);
		raw_write(fd, "!", 1);
		raw_close(fd);
		raw_close(peer);
		progress();
	}
	end_runtime(stage.runtime);
}

/* --- objects that never opened ---------------------------------------------------------------- */

static void closing_what_is_zeroed_or_failed_to_open_does_nothing(void **state)
{
	struct stage stage = driven_stage();
	struct sennit_descriptor descriptor;
	struct sennit_tcp_socket socket;
	struct sennit_tcp_acceptor acceptor;

	(void)state;
	for (int failed = 0; failed < 2; failed++) {
		memset(&descriptor, 0, sizeof descriptor);
		memset(&socket, 0, sizeof socket);
		memset(&acceptor, 0, sizeof acceptor);
		if (failed) {
			assert_int_equal(sennit_descriptor_assign(&descriptor, stage.owner, -1),
			                 -EBADF);
			sennit_tcp_socket_init(&socket, stage.owner);
			assert_int_equal(sennit_tcp_socket_assign(&socket, -1), -EBADF);
			/* An address for documentation, that no machine has. */
			assert_int_equal(
			    sennit_tcp_acceptor_open(&acceptor, stage.owner, "192.0.2.1:1"),
			    -EADDRNOTAVAIL);
		}
		sennit_cancel(&descriptor.stream);
		sennit_close(&descriptor.stream);
		sennit_cancel(&socket.stream);
		sennit_close(&socket.stream);
		sennit_tcp_acceptor_cancel(&acceptor);
		sennit_tcp_acceptor_close(&acceptor);
		assert_false(sennit_is_open(&descriptor.stream));
		assert_false(sennit_is_open(&socket.stream));
		assert_false(sennit_tcp_acceptor_is_open(&acceptor));
	}
	assert_int_equal(run_dry(stage.runtime), 0);
	end_runtime(stage.runtime);
}

/* --- runtimes --------------------------------------------------------------------------------- */

static void on_task(struct sennit_task *task, int error)
{
	(void)task;
	RECORD(error == 0);
}

static void a_runtime_that_was_stopped_before_it_is_started_runs(void **state)
{
	struct sennit_runtime_options options = {
		.size = sizeof options, .workers = 1, .pin = SENNIT_PIN_NONE,
	};
	struct sennit_task task = { 0 };
	struct sennit_runtime *runtime;

	(void)state;
	assert_int_equal(sennit_runtime_create(&options, &runtime), 0);
	watch_runtime(runtime);
	sennit_runtime_stop(runtime);
	assert_int_equal(sennit_runtime_start(runtime), 0);
	assert_false(sennit_runtime_stopped(runtime));
	sennit_post(sennit_runtime_executor(runtime), &task, on_task);
	assert_int_equal(sennit_runtime_join(runtime), 0);
	end_runtime(runtime);
}

struct giver {
	struct sennit_runtime *runtime;
	atomic_uint ready;
};

static void *give_guard(void *argument)
{
	struct giver *giver = argument;

	atomic_store(&giver->ready, 1);
	while (atomic_load(&giver->ready) == 1)
		sched_yield();
	sennit_runtime_guard_put(giver->runtime);
	return NULL;
}

/* Both look how many guards there are, and one of them gives start's own back. */
static void a_guard_is_given_back_while_join_gives_back_that_of_start(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100 * scale(); i++) {
		struct giver giver = { .runtime = started_runtime(1) };
		pthread_t thread;

		sennit_runtime_guard_get(giver.runtime);
		thread = spawn(give_guard, &giver);
		while (atomic_load(&giver.ready) == 0)
			sched_yield();
		atomic_store(&giver.ready, 2);
		assert_int_equal(sennit_runtime_join(giver.runtime), 0);
		join(thread);
		end_runtime(giver.runtime);
		progress();
	}
}

static void give_back_one_too_many(void *argument)
{
	struct sennit_runtime_options options = {
		.size = sizeof options, .workers = 1, .pin = SENNIT_PIN_NONE,
	};
	struct sennit_runtime *runtime;

	(void)argument;
	if (sennit_runtime_create(&options, &runtime) || sennit_runtime_start(runtime))
		_exit(1);
	sennit_runtime_guard_put(runtime);
}

static void the_guard_of_start_is_not_the_callers_to_give_back(void **state)
{
	(void)state;
	assert_misuse(give_back_one_too_many, NULL, "guard");
}

struct dumped {
	struct sennit_task task;
	struct stage *stage;
	struct sennit_tcp_acceptor acceptor;
	struct sennit_tcp_socket sockets[2];
	struct sennit_endpoint endpoint;
	struct flight flights[2];
	FILE *file;
};

/* All in one handler: the connect cannot end before it is printed. */
static void start_and_dump(struct sennit_task *task, int error)
{
	struct dumped *dumped = CONTAINER_OF(task, struct dumped, task);

	RECORD(error == 0);
	sennit_tcp_acceptor_async_accept(&dumped->acceptor, &dumped->sockets[0],
	                                 &dumped->flights[0].op, on_result);
	sennit_tcp_socket_async_connect(&dumped->sockets[1], &dumped->endpoint,
	                                &dumped->flights[1].op, on_result);
	sennit_runtime_dump(dumped->stage->runtime, dumped->file);
}

static void accepts_and_connects_in_flight_are_dumped_by_name(void **state)
{
	struct stage stage = driven_stage();
	struct dumped dumped = { .stage = &stage };
	struct sennit_endpoint unused;
	int listener = raw_listen(&dumped.endpoint, 1);
	char *text = NULL;
	size_t size;

	(void)state;
	dumped.file = open_memstream(&text, &size);
	assert_non_null(dumped.file);
	open_acceptor(&stage, &dumped.acceptor, &unused);
	for (int i = 0; i < 2; i++) {
		sennit_tcp_socket_init(&dumped.sockets[i], stage.owner);
		ready(&stage, &dumped.flights[i]);
	}
	sennit_post(stage.owner, &dumped.task, start_and_dump);
	run_until(stage.runtime, &dumped.flights[1].result.done);
	assert_int_equal(dumped.flights[1].result.error, 0);
	fclose(dumped.file);
	assert_non_null(strstr(text, " accept op="));
	assert_non_null(strstr(text, " connect op="));
	free(text);
	sennit_tcp_acceptor_close(&dumped.acceptor);
	sennit_close(&dumped.sockets[1].stream);
	run_dry(stage.runtime);
	assert_int_equal(dumped.flights[0].result.error, -ECANCELED);
	raw_close(listener);
	end_runtime(stage.runtime);
}

/* --- embedded --------------------------------------------------------------------------------- */

/* A chain of handlers, in the last of which another thread starts a read. */
struct late_start {
	struct sennit_task task;
	struct stage *stage;
	struct sennit_descriptor descriptor;
	struct flight read;
	char byte;
	unsigned left;
};

static void *start_with_deadline(void *argument)
{
	struct late_start *late = argument;

	sennit_op_expires_after(&late->read.op, SENNIT_SECONDS(3600));
	sennit_async_read(&late->descriptor.stream, &late->byte, 1, &late->read.op, on_result);
	return NULL;
}

static void on_link(struct sennit_task *task, int error)
{
	struct late_start *late = CONTAINER_OF(task, struct late_start, task);

	RECORD(error == 0);
	if (--late->left)
		sennit_post(late->stage->owner, task, on_link);
	else
		join(spawn(start_with_deadline, late));
}

/* Wherever prepare stops: also where it has no turn left and takes in what came as it leaves. */
static void prepare_tells_of_a_deadline_that_came_with_the_last_handler(void **state)
{
	struct stage stage = driven_stage();
	struct late_start late = { .stage = &stage };
	int peer = open_local(&stage, &late.descriptor);

	(void)state;
	for (unsigned links = 900; links <= 1000; links++) {
		int64_t wait_ns;

		ready(&stage, &late.read);
		late.left = links;
		sennit_post(stage.owner, &late.task, on_link);
		do
			wait_ns = sennit_runtime_prepare(stage.runtime);
		while (!wait_ns);
		assert_int_equal(late.left, 0);
		assert_in_range(wait_ns, 1, SENNIT_SECONDS(3601));
		sennit_cancel(&late.descriptor.stream);
		run_dry(stage.runtime);
		assert_int_equal(late.read.result.error, -ECANCELED);
		late.read = (struct flight){ 0 };
	}
	raw_close(peer);
	end_runtime(stage.runtime);
}

/* --- forked children -------------------------------------------------------------------------- */

enum in_fork { FORK_RETURNS, FORK_RELEASES, FORK_CLOSES, FORK_STARTS, FORK_CASES };

struct forker {
	struct sennit_task task;
	struct sennit_descriptor descriptor;
	struct flight write;
	struct flight read;
	enum in_fork what;
	int status;
	char byte;
};

/* Returns in the child only where that is what is tried. */
static void fork_here(struct sennit_task *task, int error)
{
	struct forker *forker = CONTAINER_OF(task, struct forker, task);
	pid_t pid;
	int fd;

	RECORD(error == 0);
	sennit_async_write(&forker->descriptor.stream, "once", 4, &forker->write.op, on_result);
	pid = fork();
	if (pid) {
		RECORD(pid > 0 && waitpid(pid, &forker->status, 0) == pid);
		return;
	}
	/* What it reports is not part of what this program prints. */
	fclose(stderr);
	close(STDERR_FILENO);
	alarm(60);
	if (forker->what == FORK_RETURNS)
		return;
	if (forker->what == FORK_RELEASES)
		sennit_descriptor_release(&forker->descriptor, &fd);
	else if (forker->what == FORK_CLOSES)
		sennit_close(&forker->descriptor.stream);
	else
		sennit_async_write(&forker->descriptor.stream, "twice", 5, &forker->read.op,
		                   on_result);
	_exit(0);
}

static void play_fork(void *argument)
{
	struct forker *forker = argument;
	struct sennit_runtime *runtime;
	struct sennit_executor *executor;
	char data[16];
	int fds[2];

	if (sennit_runtime_create(NULL, &runtime) || socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
		_exit(2);
	executor = sennit_runtime_worker(runtime, 0);
	if (sennit_descriptor_assign(&forker->descriptor, executor, fds[0]))
		_exit(3);
	expect_result(&forker->write.op, &forker->write.result, executor);
	expect_result(&forker->read.op, &forker->read.result, executor);
	sennit_post(executor, &forker->task, fork_here);
	sennit_runtime_run(runtime);
	if (!WIFSIGNALED(forker->status) || WTERMSIG(forker->status) != SIGABRT)
		_exit(4);
	/* The parent's object is as it was: it wrote once, and still is told what comes. */
	if (forker->write.result.calls != 1 || forker->write.result.error)
		_exit(5);
	if (recv(fds[1], data, sizeof data, MSG_DONTWAIT) != 4 || memcmp(data, "once", 4) != 0)
		_exit(6);
	sennit_async_read_some(&forker->descriptor.stream, &forker->byte, 1, &forker->read.op,
	                       on_result);
	sennit_runtime_restart(runtime);
	sennit_runtime_poll(runtime); /* it waits for the kernel's word */
	if (forker->read.result.calls || send(fds[1], "!", 1, 0) != 1)
		_exit(7);
	sennit_runtime_run(runtime);
	if (forker->read.result.calls != 1 || forker->read.result.bytes != 1)
		_exit(8);
	sennit_runtime_destroy(runtime);
	close(fds[1]);
}

/* In a child, which forks again: no other thread of this program is copied half-way. */
static void what_a_forked_child_does_is_reported_and_leaves_the_parent_alone(void **state)
{
	(void)state;
	for (int what = 0; what < FORK_CASES; what++) {
		struct forker forker = { .what = (enum in_fork)what };
		struct child child;

		in_child(&child, play_fork, &forker);
		if (child.status)
			fail_msg("case %d: status %#x %s", what, (unsigned)child.status,
			         child.text);
	}
}

/* --- mistakes of a stream type ---------------------------------------------------------------- */

static void complete_twice(void *self, struct sennit_op *op)
{
	(void)self;
	sennit_op_complete(op, 0);
	sennit_op_complete(op, 0);
}

static void *complete(void *op)
{
	sennit_op_complete(op, 0);
	return NULL;
}

static void complete_elsewhere(void *self, struct sennit_op *op)
{
	pthread_t thread;

	(void)self;
	if (!pthread_create(&thread, NULL, complete, op))
		pthread_join(thread, NULL);
}

static void advance_too_far(void *self, struct sennit_op *op)
{
	(void)self;
	sennit_op_advance(op, 5);
	sennit_op_complete(op, 0);
}

static void advance_by_nothing(void *self, struct sennit_op *op)
{
	(void)self;
	sennit_op_advance(op, 0);
	sennit_op_complete(op, 0);
}

static void read_from_type(void *argument)
{
	const struct sennit_stream_type *type = argument;
	struct sennit_runtime *runtime;
	struct sennit_stream stream = { 0 };
	struct flight flights[2] = { 0 };
	char data[4];

	if (sennit_runtime_create(NULL, &runtime) ||
	    sennit_stream_open(&stream, sennit_runtime_worker(runtime, 0), type, &stream))
		_exit(1);
	for (int i = 0; i < 2; i++) {
		flights[i].op.user = &flights[i].result;
		sennit_async_read(&stream, data, sizeof data, &flights[i].op, on_result);
	}
	sennit_runtime_run(runtime);
}

static void completing_twice_or_elsewhere_and_advancing_too_far_are_reported(void **state)
{
	struct sennit_stream_type twice = { .read = complete_twice };
	struct sennit_stream_type elsewhere = { .read = complete_elsewhere };
	struct sennit_stream_type too_far = { .read = advance_too_far };
	struct sennit_stream_type nothing = { .read = advance_by_nothing };

	(void)state;
	assert_misuse(read_from_type, &twice, "sennit_op_complete");
	assert_misuse(read_from_type, &elsewhere, "not at the owner");
	assert_misuse(read_from_type, &too_far, "sennit_op_advance");
	assert_misuse(read_from_type, &nothing, "sennit_op_advance");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_write_some_that_fails_after_a_part_reports_the_part_as_success),
		TEST(two_connects_to_a_refused_port_fail_and_let_the_read_behind_them_go),
		TEST(the_worker_goes_on_when_it_has_closed_a_socket_that_lingers),
		TEST(buffers_whose_sizes_add_up_beyond_a_size_are_written_as_far_as_they_go),
		TEST(a_descriptor_is_released_after_a_cancel_that_is_still_on_its_way),
		TEST(closing_what_is_zeroed_or_failed_to_open_does_nothing),
		TEST(a_runtime_that_was_stopped_before_it_is_started_runs),
		TEST(a_guard_is_given_back_while_join_gives_back_that_of_start),
		TEST(the_guard_of_start_is_not_the_callers_to_give_back),
		TEST(accepts_and_connects_in_flight_are_dumped_by_name),
		TEST(prepare_tells_of_a_deadline_that_came_with_the_last_handler),
		TEST(what_a_forked_child_does_is_reported_and_leaves_the_parent_alone),
		TEST(completing_twice_or_elsewhere_and_advancing_too_far_are_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
