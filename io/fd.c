/* SPDX-License-Identifier: MIT */
/* fd.c - see fd.h. */
#include "io/fd.h"

#include "io/backend/backend.h"
#include "io/sys/sys.h"
#include "runtime/sched/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sennit/error.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x8
#endif
#ifndef RWF_NOSIGNAL
#define RWF_NOSIGNAL 0x100 /* Linux 6.18 */
#endif

/* --- what it is ------------------------------------------------------------------------------- */

static int socket_option(int fd, int name)
{
	int value = -1;
	unsigned size = sizeof value;

	return sennit__sys_getsockopt(fd, SOL_SOCKET, name, &value, &size) ? -1 : value;
}

static unsigned socket_traits(int fd)
{
	switch (socket_option(fd, SO_TYPE)) {
	case SOCK_STREAM:
		return SENNIT__SOCKET |
		       (socket_option(fd, SO_PROTOCOL) == IPPROTO_TCP ? SENNIT__TCP : 0u);
	case SOCK_SEQPACKET:
		return SENNIT__SOCKET | SENNIT__MESSAGES;
	default:
		return SENNIT__SOCKET | SENNIT__MESSAGES | SENNIT__DATAGRAM;
	}
}

static unsigned device_traits(int fd)
{
	struct termios terminal;
	int number;

	if (sennit__sys_ioctl(fd, TCGETS, &terminal))
		return SENNIT__MESSAGES;
	/* a pty's master: to open it again makes another pty */
	return sennit__sys_ioctl(fd, TIOCGPTN, &number) ? SENNIT__TERMINAL : 0;
}

int sennit__fd_inspect(int fd, uint16_t *traits)
{
	struct stat status;
	int error = sennit__sys_fstat(fd, &status);

	if (error)
		return error;
	switch (status.st_mode & S_IFMT) {
	case S_IFSOCK:
		*traits = (uint16_t)socket_traits(fd);
		break;
	case S_IFIFO:
		*traits = SENNIT__PIPE;
		if (sennit__sys_fcntl(fd, F_GETFL, 0) & O_DIRECT)
			*traits |= SENNIT__MESSAGES;
		break;
	case S_IFCHR:
		*traits = (uint16_t)device_traits(fd);
		break;
	case S_IFREG: /* whether it can be waited for, as some in /proc, the backend finds out */
	case S_IFBLK:
	case S_IFDIR:
		*traits = 0;
		break;
	default: /* eventfd and its like */
		*traits = SENNIT__MESSAGES;
		break;
	}
	return 0;
}

void sennit__fd_put(struct sennit__slot *slot, int fd, unsigned traits)
{
	slot->fd = slot->assigned = fd;
	slot->traits = (uint16_t)traits;
}

int sennit__fd_adopt(struct sennit_object *object, struct sennit_executor *executor, int fd,
		     unsigned wanted)
{
	struct sennit__slot *slot;
	uint16_t traits;
	int error;

	if (sennit__object_slot(object))
		return SENNIT_ALREADY_OPEN;
	error = sennit__fd_inspect(fd, &traits);
	if (error)
		return error;
	if ((traits & wanted) != wanted)
		return traits & SENNIT__SOCKET ? -EPROTONOSUPPORT : -ENOTSOCK;
	slot = sennit__object_reserve(executor);
	if (!slot)
		return -ENOMEM;
	sennit__fd_put(slot, fd, traits);
	slot->lingers = true; /* who knows */
	sennit__object_publish(object, executor, slot);
	return 0;
}

int sennit__fd_adopt_pair(struct sennit_object *objects[2], struct sennit_executor *first,
			  struct sennit_executor *second, const int fds[2])
{
	struct sennit__slot *slots[2] = {sennit__object_reserve(first),
					 sennit__object_reserve(second)};

	for (int i = 0; i < 2 && slots[0] && slots[1]; i++) {
		uint16_t traits = 0;

		sennit__fd_inspect(fds[i], &traits);
		sennit__fd_put(slots[i], fds[i], traits);
		sennit__object_publish(objects[i], i ? second : first, slots[i]);
	}
	if (slots[0] && slots[1])
		return 0;
	for (int i = 0; i < 2; i++) {
		if (slots[i])
			sennit__object_unreserve(slots[i]);
		sennit__sys_close(fds[i]);
	}
	return -ENOMEM;
}

void sennit__fd_ready_to_attach(struct sennit__slot *slot)
{
	char path[32];
	int flags;
	int fd;

	if (!(slot->traits & SENNIT__TERMINAL) || slot->fd != slot->assigned)
		return;
	flags = sennit__sys_fcntl(slot->fd, F_GETFL, 0);
	if (flags < 0)
		return;
	snprintf(path, sizeof path, "/proc/self/fd/%d", slot->fd);
	fd = sennit__sys_open(path, (flags & O_ACCMODE) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return; /* then its own mode is changed, as for others */
	slot->fd = fd;
	slot->traits |= SENNIT__PLAIN;
}

/* --- transfers -------------------------------------------------------------------------------- */

/* The kernel takes no flags for this descriptor: its mode must do. */
static void make_plain(struct sennit__slot *slot)
{
	int flags = sennit__sys_fcntl(slot->fd, F_GETFL, 0);

	slot->traits |= SENNIT__PLAIN;
	if (flags < 0 || flags & O_NONBLOCK)
		return;
	if (!sennit__sys_fcntl(slot->fd, F_SETFL, flags | O_NONBLOCK))
		slot->traits |= SENNIT__RESTORE;
}

static bool refused(ssize_t result)
{
	return result == -EOPNOTSUPP || result == -ENOSYS;
}

/* A message of these parts, which are only read. */
static inline struct msghdr message_of(const struct iovec *vector, int count)
{
	return (struct msghdr){.msg_iov = (struct iovec *)(uintptr_t)vector,
			       .msg_iovlen = (size_t)count};
}

ssize_t sennit__fd_read(struct sennit__slot *slot, const struct iovec *vector, int count)
{
	struct msghdr message;

	if (slot->traits & SENNIT__SOCKET) {
		if (SENNIT__LIKELY(count == 1))
			return sennit__sys_recv(slot->fd, vector->iov_base, vector->iov_len,
						MSG_DONTWAIT);
		message = message_of(vector, count);
		return sennit__sys_recvmsg(slot->fd, &message, MSG_DONTWAIT);
	}
	if (!(slot->traits & (SENNIT__PLAIN | SENNIT__FILE))) {
		ssize_t result = sennit__sys_preadv2(slot->fd, vector, count, RWF_NOWAIT);

		if (!refused(result))
			return result;
		make_plain(slot);
	}
	return sennit__sys_readv(slot->fd, vector, count);
}

static ssize_t write_other(struct sennit__slot *slot, const struct iovec *vector, int count,
			   int flags)
{
	if (!(slot->traits & (SENNIT__PLAIN | SENNIT__FILE))) {
		ssize_t result =
			sennit__sys_pwritev2(slot->fd, vector, count, RWF_NOWAIT | flags);

		if (!refused(result) || flags)
			return result;
		make_plain(slot);
	}
	if (flags)
		return sennit__sys_pwritev2(slot->fd, vector, count, flags);
	return sennit__sys_writev(slot->fd, vector, count);
}

static bool sigpipe_pending(void)
{
	sigset_t pending;

	sigpending(&pending);
	return sigismember(&pending, SIGPIPE);
}

/* Where the kernel cannot be told to raise no SIGPIPE: it is blocked, and what we caused discarded.
 * Ours is the thread's, which is taken first. One of the process that was pending before stays; one
 * of the thread has become one with ours, and is raised again. */
static ssize_t write_quietly(struct sennit__slot *slot, const struct iovec *vector, int count)
{
	const struct timespec at_once = {0, 0};
	bool pending = sigpipe_pending();
	sigset_t pipe_signal;
	sigset_t before;
	ssize_t result;

	sigemptyset(&pipe_signal);
	sigaddset(&pipe_signal, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
	result = write_other(slot, vector, count, 0);
	if (result == -EPIPE) {
		while (sigtimedwait(&pipe_signal, NULL, &at_once) < 0 && errno == EINTR)
			;
		if (pending && !sigpipe_pending())
			pthread_kill(pthread_self(), SIGPIPE);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return result;
}

ssize_t sennit__fd_write(struct sennit__slot *slot, const struct iovec *vector, int count)
{
	struct msghdr message;
	ssize_t result;

	if (slot->traits & SENNIT__SOCKET) {
		if (SENNIT__LIKELY(count == 1))
			return sennit__sys_send(slot->fd, vector->iov_base, vector->iov_len,
						MSG_DONTWAIT | MSG_NOSIGNAL);
		message = message_of(vector, count);
		return sennit__sys_sendmsg(slot->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	if (!(slot->traits & SENNIT__PIPE))
		return write_other(slot, vector, count, 0);
	if (!(slot->traits & SENNIT__NOSIGNAL)) {
		result = write_other(slot, vector, count, RWF_NOSIGNAL);
		if (!refused(result))
			return result;
		slot->traits |= SENNIT__NOSIGNAL;
	}
	return write_quietly(slot, vector, count);
}

/* --- readiness -------------------------------------------------------------------------------- */

static bool answers(int what, uint32_t events)
{
	return (what & SENNIT_WAIT_READ && events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) ||
	       (what & SENNIT_WAIT_WRITE && events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) ||
	       (what & SENNIT_WAIT_ERROR && events & (EPOLLPRI | EPOLLHUP | EPOLLERR));
}

_Static_assert(POLLIN == EPOLLIN && POLLOUT == EPOLLOUT && POLLPRI == EPOLLPRI &&
	       POLLERR == EPOLLERR && POLLHUP == EPOLLHUP && POLLRDHUP == EPOLLRDHUP,
	       "poll and epoll name events alike");

/* Whether it is known that only an edge can answer a wait: a call found nothing. */
static bool is_known_idle(const struct sennit__slot *slot, int what)
{
	return !(what & SENNIT_WAIT_ERROR) &&
	       !(what & SENNIT_WAIT_READ && slot->flags & SENNIT__SLOT_READABLE) &&
	       !(what & SENNIT_WAIT_WRITE && slot->flags & SENNIT__SLOT_WRITABLE);
}

void sennit__fd_wait(struct sennit__slot *slot, struct sennit_op *op)
{
	struct pollfd query = {.fd = slot->fd, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP};
	int what = (int)op->goal_.minimum;
	int ready;

	if (slot->traits & SENNIT__FILE || what >= SENNIT_STREAM_REQUEST) {
		sennit__object_done(slot, op, -EOPNOTSUPP);
		return;
	}
	if (is_known_idle(slot, what))
		return;
	if (sennit__io_spent(slot)) { /* it would end, but nothing could be done about it */
		slot->flags |= SENNIT__SLOT_WAITING;
		sennit__io_list(slot);
		return;
	}
	do
		ready = sennit__sys_poll(&query, 1, 0);
	while (ready == -EINTR);
	if (ready < 0)
		sennit__object_done(slot, op, ready);
	else if (answers(what, (uint16_t)query.revents))
		sennit__object_done(slot, op, 0);
}

void sennit__fd_wait_again(struct sennit__slot *slot)
{
	struct sennit_op *op = slot->queue[SENNIT__WAITS];
	struct sennit_op *last = op ? op->prev_ : NULL;

	slot->flags &= (uint16_t)~SENNIT__SLOT_WAITING;
	while (op) {
		struct sennit_op *next = op == last ? NULL : sennit__op_after(op);

		sennit__fd_wait(slot, op);
		op = next;
	}
}

void sennit__fd_waits_ready(struct sennit__slot *slot, uint32_t events)
{
	struct sennit_op *op = slot->queue[SENNIT__WAITS];
	struct sennit_op *last = op ? op->prev_ : NULL;

	while (op) {
		struct sennit_op *next = op == last ? NULL : sennit__op_after(op);

		if (answers((int)op->goal_.minimum, events))
			sennit__object_done(slot, op, 0);
		op = next;
	}
}

/* --- the end ---------------------------------------------------------------------------------- */

/* Nothing of the kernel's or of the mode's remains of us. */
static void detach(struct sennit__slot *slot)
{
	sennit__io_of(slot->owner)->backend->detach(slot);
	if (slot->traits & SENNIT__RESTORE) {
		int flags = sennit__sys_fcntl(slot->fd, F_GETFL, 0);

		if (flags >= 0)
			sennit__sys_fcntl(slot->fd, F_SETFL, flags & ~O_NONBLOCK);
	}
}

int sennit__fd_take(struct sennit__slot *slot)
{
	int fd = slot->assigned;

	if (fd < 0)
		return -1;
	detach(slot);
	if (slot->fd != fd)
		sennit__sys_close(slot->fd);
	slot->fd = slot->assigned = -1;
	return fd;
}

/* A socket may be set to linger: then close would wait, on the worker. What was written goes out in
 * the background without it. */
static void do_not_linger(int fd)
{
	struct linger linger = {0};
	unsigned size = sizeof linger;

	if (sennit__sys_getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size) ||
	    !linger.l_onoff || !linger.l_linger)
		return;
	linger.l_onoff = 0;
	sennit__sys_setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

void sennit__fd_close(struct sennit__slot *slot)
{
	int fd = sennit__fd_take(slot);

	if (fd < 0)
		return;
	if (slot->lingers && slot->traits & SENNIT__SOCKET)
		do_not_linger(fd);
	sennit__sys_close(fd); /* never retried: Linux has closed it, whatever it says */
}

int sennit__fd_of(const struct sennit_object *object)
{
	const struct sennit__slot *slot = sennit__object_slot(object);

	return slot ? slot->assigned : -EBADF;
}

int sennit__fd_show(const struct sennit_object *object)
{
	struct sennit__slot *slot = sennit__object_slot(object);

	if (!slot)
		return -EBADF;
	if (!slot->lingers)
		slot->lingers = true; /* who knows what he likes */
	return slot->assigned;
}
