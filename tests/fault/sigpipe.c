/* SPDX-License-Identifier: MIT */
/* sigpipe.c - no SIGPIPE, ever (S12, HC14): with its disposition at the default, where it would end
 * the process, and with one pending that somebody else caused, which stays pending.
 *
 * Each test is a child process: the parent sees what it died of.
 */
#include "io_support.h"
#include "syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* In a child nothing is asserted: it says where it failed, and exits. */
#define CHECK(condition)                                                                           \
 do {                                                                                              \
  if (!(condition)) {                                                                              \
   fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                  \
   _exit(1);                                                                                       \
  }                                                                                                \
 } while (0)

enum kind { LOCAL_SOCKET, MESSAGE_SOCKET, PIPE, FIFO, KINDS };

enum before { NOTHING, PENDING_ON_THREAD, PENDING_ON_PROCESS, BEFORES };

/* What the kernel may know of RWF_ flags: all, not RWF_NOSIGNAL (before Linux 6.18), nothing. */
enum { NO_SIGNAL = 0x100, NO_WAIT = 0x8 };
static const int forgotten[] = { 0, NO_SIGNAL, NO_SIGNAL | NO_WAIT };

struct trial {
	int forget; /* RWF_ flags */
	enum kind kind;
	bool started; /* the runtime has threads of its own */
	enum before before;
	char path[PATH_MAX];
};

/* A descriptor for writing whose reader has gone. */
static int broken(struct trial *trial)
{
	int fds[2];

	switch (trial->kind) {
	case LOCAL_SOCKET:
		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
		break;
	case MESSAGE_SOCKET:
		CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) == 0);
		break;
	case PIPE:
		CHECK(pipe(fds) == 0);
		break;
	default:
		CHECK(mkfifo(trial->path, 0600) == 0);
		fds[0] = open(trial->path, O_RDONLY | O_NONBLOCK);
		fds[1] = open(trial->path, O_WRONLY);
		CHECK(unlink(trial->path) == 0);
		CHECK(fds[0] >= 0 && fds[1] >= 0);
		break;
	}
	CHECK(close(fds[0]) == 0);
	return fds[1];
}

struct writing {
	struct sennit_op op;
	unsigned left;
	struct sennit_descriptor descriptor;
	struct latch done;
};

static void on_broken(struct sennit_op *op, int error, size_t bytes)
{
	struct writing *writing = CONTAINER_OF(op, struct writing, op);
	static struct iovec vector[2] = { { "ab", 2 }, { "cd", 2 } };

	CHECK(error == -EPIPE && bytes == 0);
	if (--writing->left == 0)
		latch_down(&writing->done);
	else if (writing->left % 2)
		sennit_async_writev(&writing->descriptor.stream, vector, 2, op, on_broken);
	else
		sennit_async_write_some(&writing->descriptor.stream, "abcd", 4, op, on_broken);
}

static bool is_pending(void)
{
	sigset_t pending;

	CHECK(sigpending(&pending) == 0);
	return sigismember(&pending, SIGPIPE) == 1;
}

static void cause_one_before(enum before before)
{
	sigset_t pipe_signal;

	sigemptyset(&pipe_signal);
	sigaddset(&pipe_signal, SIGPIPE);
	CHECK(sigprocmask(before ? SIG_BLOCK : SIG_UNBLOCK, &pipe_signal, NULL) == 0);
	if (before == PENDING_ON_THREAD)
		CHECK(pthread_kill(pthread_self(), SIGPIPE) == 0);
	else if (before == PENDING_ON_PROCESS)
		CHECK(kill(getpid(), SIGPIPE) == 0);
	CHECK(is_pending() == (before != NOTHING));
}

/* In a child. */
static void write_to_broken(void *argument)
{
	struct trial *trial = argument;
	struct writing writing = { .left = 6, .done = LATCH(1) };
	struct sennit_runtime *runtime;
	sigset_t mask, mask_before;
	struct sigaction action;

	forget_rwf_flags(trial->forget);
	CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
	cause_one_before(trial->before);
	CHECK(sigprocmask(SIG_BLOCK, NULL, &mask_before) == 0);
	CHECK(sennit_runtime_create(NULL, &runtime) == 0);
	if (trial->started)
		CHECK(sennit_runtime_start(runtime) == 0);
	CHECK(sennit_descriptor_assign(&writing.descriptor, sennit_runtime_worker(runtime, 0),
	                               broken(trial)) == 0);
	sennit_async_write(&writing.descriptor.stream, "abcd", 4, &writing.op, on_broken);
	if (trial->started)
		latch_wait(&writing.done);
	else
		CHECK(sennit_runtime_run(runtime) > 0);
	CHECK(writing.left == 0);
	CHECK(sennit_runtime_destroy(runtime) == 0);
	/* All is as it was: what was pending, what is blocked, what would be done. */
	CHECK(is_pending() == (trial->before != NOTHING));
	if (trial->before) {
		sigemptyset(&mask);
		sigaddset(&mask, SIGPIPE);
		/* That one, and none of ours beside it. */
		CHECK(sigwaitinfo(&mask, NULL) == SIGPIPE);
		CHECK(!is_pending());
	}
	CHECK(sigprocmask(SIG_BLOCK, NULL, &mask) == 0);
	for (int number = 1; number < NSIG; number++)
		CHECK(sigismember(&mask, number) == sigismember(&mask_before, number));
	CHECK(sigaction(SIGPIPE, NULL, &action) == 0);
	CHECK(action.sa_handler == SIG_DFL);
}

static void try_each_kind(bool started, enum before before)
{
	for (unsigned i = 0; i < KINDS * COUNT_OF(forgotten); i++) {
		struct trial trial = { .forget = forgotten[i / KINDS],
			               .kind = (enum kind)(i % KINDS),
			               .started = started,
			               .before = before };
		struct child child;

		temporary_name(trial.path);
		in_child(&child, write_to_broken, &trial);
		if (child.status || child.text[0])
			fail_msg("kind %d, without %#x: status %#x: %s", (int)trial.kind,
			         (unsigned)trial.forget, (unsigned)child.status, child.text);
	}
}

static void no_SIGPIPE_is_raised_on_a_started_runtime(void **state)
{
	(void)state;
	try_each_kind(true, NOTHING);
}

static void no_SIGPIPE_is_raised_on_a_driven_runtime(void **state)
{
	(void)state;
	try_each_kind(false, NOTHING);
}

static void a_SIGPIPE_that_was_pending_on_the_thread_stays_pending(void **state)
{
	(void)state;
	try_each_kind(true, PENDING_ON_THREAD);
	try_each_kind(false, PENDING_ON_THREAD);
}

static void a_SIGPIPE_that_was_pending_on_the_process_stays_pending(void **state)
{
	(void)state;
	try_each_kind(true, PENDING_ON_PROCESS);
	try_each_kind(false, PENDING_ON_PROCESS);
}

/* --- a connection that was reset -------------------------------------------------------------- */

/* In a child. */
static void write_to_reset_socket(void *argument)
{
	const bool *started = argument;
	struct writing writing = { .left = 6, .done = LATCH(1) };
	struct sennit_tcp_socket pair[2];
	struct sennit_runtime *runtime;
	sigset_t none;
	int fd;

	CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
	sigemptyset(&none);
	CHECK(sigprocmask(SIG_SETMASK, &none, NULL) == 0);
	CHECK(sennit_runtime_create(NULL, &runtime) == 0);
	if (*started)
		CHECK(sennit_runtime_start(runtime) == 0);
	for (int i = 0; i < 2; i++)
		sennit_tcp_socket_init(&pair[i], sennit_runtime_worker(runtime, 0));
	CHECK(sennit_tcp_socket_pair(&pair[0], &pair[1]) == 0);
	/* The peer resets; reading that, the error is told once, and from then on it is EPIPE. */
	CHECK(sennit_tcp_socket_set_option(&pair[1], SENNIT_TCP_LINGER, 0) == 0);
	CHECK(sennit_tcp_socket_release(&pair[1], &fd) == 0);
	CHECK(close(fd) == 0);
	CHECK(sennit_tcp_socket_release(&pair[0], &fd) == 0);
	CHECK(read(fd, &(char){ 0 }, 1) == -1 && errno == ECONNRESET);
	CHECK(sennit_descriptor_assign(&writing.descriptor, sennit_runtime_worker(runtime, 0),
	                               fd) == 0);
	sennit_async_write(&writing.descriptor.stream, "abcd", 4, &writing.op, on_broken);
	if (*started)
		latch_wait(&writing.done);
	else
		CHECK(sennit_runtime_run(runtime) > 0);
	CHECK(writing.left == 0);
	CHECK(sennit_runtime_destroy(runtime) == 0);
}

static void no_SIGPIPE_is_raised_by_a_reset_connection(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		bool started = i;
		struct child child;

		in_child(&child, write_to_reset_socket, &started);
		if (child.status)
			fail_msg("status %#x: %s", (unsigned)child.status, child.text);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(no_SIGPIPE_is_raised_on_a_started_runtime),
		TEST(no_SIGPIPE_is_raised_on_a_driven_runtime),
		TEST(a_SIGPIPE_that_was_pending_on_the_thread_stays_pending),
		TEST(a_SIGPIPE_that_was_pending_on_the_process_stays_pending),
		TEST(no_SIGPIPE_is_raised_by_a_reset_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
