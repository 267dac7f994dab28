/* SPDX-License-Identifier: MIT */
/* io_support.c - starting on a kind of thread, and plain descriptors for the other end. */
#include "io_support.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* --- starting --------------------------------------------------------------------------------- */

static void start_read(const struct start *s, struct sennit_op *op)
{
	switch (s->verb) {
	case READ_SOME:
		sennit_async_read_some(s->stream, s->data, s->size, op, on_result);
		break;
	case READV_SOME:
		sennit_async_readv_some(s->stream, s->vector, s->count, op, on_result);
		break;
	case READ:
		sennit_async_read(s->stream, s->data, s->size, op, on_result);
		break;
	case READV:
		sennit_async_readv(s->stream, s->vector, s->count, op, on_result);
		break;
	case READ_AT_LEAST:
		sennit_async_read_at_least(s->stream, s->data, s->size, s->minimum, op, on_result);
		break;
	case READV_AT_LEAST:
		sennit_async_readv_at_least(s->stream, s->vector, s->count, s->minimum, op,
		                            on_result);
		break;
	case READ_WHILE:
		sennit_async_read_while(s->stream, s->data, s->size, s->condition, op, on_result);
		break;
	default:
		sennit_async_readv_while(s->stream, s->vector, s->count, s->condition, op,
		                         on_result);
		break;
	}
}

static void start_write(const struct start *s, struct sennit_op *op)
{
	switch (s->verb) {
	case WRITE_SOME:
		sennit_async_write_some(s->stream, s->data, s->size, op, on_result);
		break;
	case WRITEV_SOME:
		sennit_async_writev_some(s->stream, s->vector, s->count, op, on_result);
		break;
	case WRITE:
		sennit_async_write(s->stream, s->data, s->size, op, on_result);
		break;
	case WRITEV:
		sennit_async_writev(s->stream, s->vector, s->count, op, on_result);
		break;
	case WRITE_AT_LEAST:
		sennit_async_write_at_least(s->stream, s->data, s->size, s->minimum, op, on_result);
		break;
	case WRITEV_AT_LEAST:
		sennit_async_writev_at_least(s->stream, s->vector, s->count, s->minimum, op,
		                             on_result);
		break;
	case WRITE_WHILE:
		sennit_async_write_while(s->stream, s->data, s->size, s->condition, op, on_result);
		break;
	default:
		sennit_async_writev_while(s->stream, s->vector, s->count, s->condition, op,
		                          on_result);
		break;
	}
}

static void start_other(const struct start *s, struct sennit_op *op)
{
	switch (s->verb) {
	case WAIT:
		sennit_async_wait(s->stream, s->what, op, on_result);
		break;
	case CONNECT:
		sennit_tcp_socket_async_connect(s->socket, s->endpoint, op, on_result);
		break;
	case ACCEPT:
		sennit_tcp_acceptor_async_accept(s->acceptor, s->socket, op, on_result);
		break;
	case ACCEPTOR_WAIT:
		sennit_tcp_acceptor_async_wait(s->acceptor, s->what, op, on_result);
		break;
	case CANCEL:
		sennit_cancel(s->stream);
		break;
	case CLOSE:
		sennit_close(s->stream);
		break;
	case ACCEPTOR_CANCEL:
		sennit_tcp_acceptor_cancel(s->acceptor);
		break;
	case ACCEPTOR_CLOSE:
		sennit_tcp_acceptor_close(s->acceptor);
		break;
	default:
		abort();
	}
}

/* Readies the flight; no handler of it can run yet. */
static void ready(const struct start *s, struct sennit_executor *owner)
{
	if (!s->flight)
		return;
	expect_result(&s->flight->op, &s->flight->result,
	              s->runs_on ? s->runs_on
	              : s->bound ? s->bound
	                         : owner);
	sennit_op_bind_executor(&s->flight->op, s->bound);
	sennit_op_bind_slot(&s->flight->op, s->slot);
	if (s->expires_after_ns)
		sennit_op_expires_after(&s->flight->op, s->expires_after_ns);
	if (s->expires_with)
		sennit_op_expires_with(&s->flight->op, s->expires_with);
}

static void call_start(const struct start *s, struct sennit_executor *owner)
{
	struct sennit_op *op = s->flight ? &s->flight->op : NULL;
	/* Only on the thread that runs the handler can it be seen that it did not run yet. */
	bool here = s->flight && sennit_executor_runs_here(owner) && !s->bound && !s->runs_on;

	if (s->verb < WRITE_SOME)
		start_read(s, op);
	else if (s->verb < TRANSFERS)
		start_write(s, op);
	else
		start_other(s, op);
	if (here)
		RECORD(s->flight->result.calls == 0);
}

void start_here(const struct start *s, struct sennit_executor *owner)
{
	ready(s, owner);
	call_start(s, owner);
}

struct batch {
	const struct start *starts;
	size_t count;
	struct sennit_executor *owner;
};

static void call_starts(void *argument)
{
	const struct batch *batch = argument;

	for (size_t i = 0; i < batch->count; i++)
		call_start(&batch->starts[i], batch->owner);
}

static void ready_all(const struct batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		ready(&batch->starts[i], batch->owner);
}

void start_all(struct stage *stage, const struct start *starts, size_t count)
{
	struct batch batch = { starts, count, stage->owner };

	ready_all(&batch);
	call_on_kind(stage, call_starts, &batch);
}

void start_on_owner(struct stage *stage, const struct start *starts, size_t count)
{
	struct batch batch = { starts, count, stage->owner };

	ready_all(&batch);
	call_on_owner(stage, call_starts, &batch);
}

/* --- results ---------------------------------------------------------------------------------- */

static void check_flight(const struct flight *flight, int error, size_t bytes, const char *file,
                         int line)
{
	const struct result *result = &flight->result;

	if (result->error == error && result->bytes == bytes && result->calls == 1 &&
	    result->op == &flight->op)
		return;
	print_error(
	    "handler called %u times with %s (%d), %zu bytes; expected once, %s (%d), %zu\n",
	    result->calls, sennit_error_name(result->error), result->error, result->bytes,
	    sennit_error_name(error), error, bytes);
	_fail(file, line);
}

void expect_flight(struct flight *flight, int error, size_t bytes, const char *file, int line)
{
	wait_result(&flight->result);
	check_flight(flight, error, bytes, file, line);
}

void drive_flight(struct sennit_runtime *runtime, struct flight *flight, int error, size_t bytes,
                  const char *file, int line)
{
	run_until(runtime, &flight->result.done);
	check_flight(flight, error, bytes, file, line);
}

struct look {
	const struct flight *flight;
	unsigned calls;
};

static void count_calls(void *argument)
{
	struct look *look = argument;

	look->calls = look->flight->result.calls;
}

void pending_flight(struct stage *stage, struct flight *flight, const char *file, int line)
{
	struct look look = { .flight = flight };

	/* Twice: the first turn may find the event that completes it, the next runs the handler. */
	owner_turn(stage);
	call_on_owner(stage, count_calls, &look);
	if (look.calls) {
		print_error("completed with %s (%d), %zu bytes; expected to be pending\n",
		            sennit_error_name(flight->result.error), flight->result.error,
		            flight->result.bytes);
		_fail(file, line);
	}
}

void finish(struct stage *stage, const struct flight *flights, size_t count)
{
	assert_int_equal(sennit_runtime_join(stage->runtime), 0);
	for (size_t i = 0; i < count; i++) {
		if (flights[i].result.calls != 1)
			fail_msg("the handler of operation %zu ran %u times", i,
			         flights[i].result.calls);
	}
	recorded();
}

static void nothing(void *argument)
{
	(void)argument;
}

void owner_turn(struct stage *stage)
{
	call_on_owner(stage, nothing, NULL);
}

struct stage driven_stage(void)
{
	struct sennit_runtime *runtime = driven_runtime();

	return (struct stage){
		.runtime = runtime,
		.owner = sennit_runtime_worker(runtime, 0),
		.kind = THREAD_FOREIGN,
	};
}

/* --- a worker that is busy -------------------------------------------------------------------- */

static void on_held(struct sennit_task *task, int error)
{
	struct hold *hold = CONTAINER_OF(task, struct hold, task);

	RECORD(error == 0);
	latch_down(&hold->held);
	latch_wait(&hold->release);
	latch_down(&hold->done);
}

void hold_worker(struct hold *hold, struct sennit_executor *executor)
{
	*hold = (struct hold){ .held = LATCH(1), .release = LATCH(1), .done = LATCH(1) };
	sennit_post(executor, &hold->task, on_held);
	latch_wait(&hold->held);
}

void let_go(struct hold *hold)
{
	latch_down(&hold->release);
	latch_wait(&hold->done);
}

/* --- objects ---------------------------------------------------------------------------------- */

int open_socket(struct stage *stage, struct sennit_tcp_socket *socket)
{
	int fds[2];

	raw_tcp_pair(fds);
	sennit_tcp_socket_init(socket, stage->owner);
	assert_int_equal(sennit_tcp_socket_assign(socket, fds[0]), 0);
	return fds[1];
}

void adopt(struct stage *stage, struct sennit_descriptor *descriptor, int fd)
{
	sennit_descriptor_init(descriptor, stage->owner);
	assert_int_equal(sennit_descriptor_assign(descriptor, stage->owner, fd), 0);
}

int open_local(struct stage *stage, struct sennit_descriptor *descriptor)
{
	int fds[2];

	raw_local_pair(SOCK_STREAM, fds);
	adopt(stage, descriptor, fds[0]);
	return fds[1];
}

void open_acceptor(struct stage *stage, struct sennit_tcp_acceptor *acceptor,
                   struct sennit_endpoint *endpoint)
{
	memset(acceptor, 0, sizeof *acceptor);
	assert_int_equal(sennit_tcp_acceptor_open(acceptor, stage->owner, "127.0.0.1:0"), 0);
	assert_int_equal(sennit_tcp_acceptor_local_endpoint(acceptor, endpoint), 0);
	assert_int_not_equal(sennit_endpoint_port(endpoint), 0);
}

/* --- plain descriptors ------------------------------------------------------------------------ */

void raw_close(int fd)
{
	assert_int_equal(close(fd), 0);
}

int raw_listen(struct sennit_endpoint *endpoint, int backlog)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof endpoint->address.v4;

	assert_true(fd >= 0);
	assert_int_equal(sennit_endpoint_parse(endpoint, "127.0.0.1:0"), 0);
	assert_int_equal(bind(fd, &endpoint->address.any, size), 0);
	if (backlog >= 0)
		assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, &endpoint->address.any, &size), 0);
	return fd;
}

int raw_listen_full(struct sennit_endpoint *endpoint, int *filler)
{
	struct pollfd queue = { .fd = raw_listen(endpoint, 0), .events = POLLIN };

	*filler = raw_connect(endpoint);
	/* The connection is in the queue a little after connect has returned. */
	assert_int_equal(poll(&queue, 1, -1), 1);
	return queue.fd;
}

int raw_connect(const struct sennit_endpoint *endpoint)
{
	int fd = socket(endpoint->address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t size = (socklen_t)sennit_endpoint_size(endpoint);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, &endpoint->address.any, size), 0);
	return fd;
}

void raw_tcp_pair(int fds[2])
{
	struct sennit_endpoint endpoint;
	int listener = raw_listen(&endpoint, 1);

	fds[0] = raw_connect(&endpoint);
	fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fds[1] >= 0);
	raw_close(listener);
}

void raw_local_pair(int type, int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 0);
}

void raw_pipe(int fds[2])
{
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
}

void raw_terminal(int *master, int *slave)
{
	struct termios mode;

	assert_int_equal(openpty(master, slave, NULL, NULL, NULL), 0);
	assert_int_equal(fcntl(*master, F_SETFD, FD_CLOEXEC), 0);
	assert_int_equal(fcntl(*slave, F_SETFD, FD_CLOEXEC), 0);
	assert_int_equal(tcgetattr(*slave, &mode), 0);
	mode.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	mode.c_oflag &= ~(tcflag_t)OPOST;
	assert_int_equal(tcsetattr(*slave, TCSANOW, &mode), 0);
}

void raw_write(int fd, const void *data, size_t size)
{
	const char *rest = data;

	while (size) {
		ssize_t wrote = write(fd, rest, size);

		if (wrote < 0 && errno == EINTR)
			continue;
		assert_true(wrote > 0);
		rest += wrote;
		size -= (size_t)wrote;
		progress();
	}
}

void raw_read(int fd, void *data, size_t size)
{
	char *rest = data;

	while (size) {
		ssize_t got = read(fd, rest, size);

		if (got < 0 && errno == EINTR)
			continue;
		assert_true(got > 0);
		rest += got;
		size -= (size_t)got;
		progress();
	}
}

void raw_silent(int fd)
{
	struct pollfd look = { .fd = fd, .events = POLLIN | POLLRDHUP };

	assert_int_equal(poll(&look, 1, 0), 0);
}

size_t raw_drain(int fd)
{
	char *data = zeroed(65536);
	size_t total = 0;

	for (;;) {
		ssize_t got = read(fd, data, 65536);

		if (got < 0 && errno == EINTR)
			continue;
		assert_true(got >= 0);
		if (got == 0)
			break;
		assert_true(is_pattern(data, (size_t)got, total));
		total += (size_t)got;
		progress();
	}
	free(data);
	return total;
}

void shrink_buffers(int fd)
{
	int least = 1;

	/* The sender's alone: with a tiny window the kernel waits before it sends tiny segments. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof least))
		assert_true(fcntl(fd, F_SETPIPE_SZ, 4096) >= 4096);
}

void raw_reset(int fd)
{
	struct linger now = { .l_onoff = 1 };

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
	raw_close(fd);
}

static size_t unread_at(int fd)
{
	int unread;

	assert_int_equal(ioctl(fd, FIONREAD, &unread), 0);
	return (size_t)unread;
}

void wait_until_read(int fd)
{
	do
		sched_yield();
	while (unread_at(fd));
}

void wait_until_there(int fd, size_t size)
{
	while (unread_at(fd) < size)
		sched_yield();
}

bool is_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	assert_true(flags >= 0);
	return flags & O_NONBLOCK;
}

void temporary_name(char *path)
{
	const char *folder = getenv("TMPDIR");
	int fd;

	snprintf(path, PATH_MAX, "%s/sennit-test-XXXXXX", folder && *folder ? folder : "/tmp");
	fd = mkostemp(path, O_CLOEXEC);
	assert_true(fd >= 0);
	raw_close(fd);
	assert_int_equal(unlink(path), 0);
}

/* --- bytes ------------------------------------------------------------------------------------ */

/* Byte by byte over megabytes, whose memory the kernel has filled: nothing that ThreadSanitizer
 * could know of, and most of the time that a test takes under it. */
#define NOT_WATCHED __attribute__((no_sanitize("thread")))

NOT_WATCHED static inline unsigned char pattern_at(size_t place)
{
	/* The low part changes with each byte, the high part with each block. */
	return (unsigned char)(place * 31 + (place >> 8) * 17 + (place >> 16) * 101);
}

NOT_WATCHED void pattern(void *data, size_t size, size_t offset)
{
	unsigned char *bytes = data;

	for (size_t i = 0; i < size; i++)
		bytes[i] = pattern_at(offset + i);
}

/* How many bytes from the beginning are as they should be. */
NOT_WATCHED static size_t count_pattern(const unsigned char *bytes, size_t size, size_t offset)
{
	size_t i = 0;

	while (i < size && bytes[i] == pattern_at(offset + i))
		i++;
	return i;
}

bool is_pattern(const void *data, size_t size, size_t offset)
{
	const unsigned char *bytes = data;
	size_t good = count_pattern(bytes, size, offset);

	if (good < size)
		print_error("byte %zu is %#x instead of %#x\n", offset + good, bytes[good],
		            pattern_at(offset + good));
	return good == size;
}

void *zeroed(size_t size)
{
	void *data = calloc(1, size ? size : 1);

	assert_non_null(data);
	return data;
}

void *patterned(size_t size)
{
	void *data = zeroed(size);

	pattern(data, size, 0);
	return data;
}
