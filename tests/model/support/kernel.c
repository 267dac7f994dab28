/* SPDX-License-Identifier: MIT */
/* kernel.c - see kernel.h. It stands for the kernel, so the explorer does not look at what it reads
 * and writes, but for the memory of users.
 */
#include "tests/model/support/kernel.h"

#include "io/sys/sys.h"
#include "runtime/base/atomic.h"
#include "tests/model/explorer/explorer.h"

#include <errno.h>
#include <string.h>

#define DESCRIPTORS_MAX 32
#define FIRST 3

enum kind { NONE, EPOLL, EVENT, STREAM };

struct descriptor {
	enum kind kind;
	bool open;
	struct model_object *object; /* NULL: one thread alone uses it */
	uint64_t count;              /* of an eventfd */
	char data[16];               /* that a stream has to be read */
	unsigned length;
	unsigned taken;
	bool full;
	struct descriptor *epoll; /* where it is registered */
	struct epoll_event event;
	uint32_t edges; /* not reported yet */
	struct sennit__atomic_u32 lock;
};

/* Of this execution. */
static struct {
	struct descriptor *descriptor;
	unsigned blocks;
	bool eventfds_order;
} kernel;

void *explorer_memcpy(void *to, const void *from, size_t size);

void kernel_new(void)
{
	kernel.descriptor = model_new(DESCRIPTORS_MAX * sizeof *kernel.descriptor);
	kernel.blocks = 1;
	kernel.eventfds_order = false;
}

void kernel_let_eventfds_order(void)
{
	kernel.eventfds_order = true;
}

static struct model_object *make_object(const char *name)
{
	kernel.blocks++;
	return model_object(name);
}

static int number_of(const struct descriptor *d)
{
	return (int)(d - kernel.descriptor) + FIRST;
}

static struct descriptor *make(enum kind kind)
{
	struct descriptor *d = kernel.descriptor;

	while (d->kind)
		d++;
	model_assert(d < kernel.descriptor + DESCRIPTORS_MAX);
	d->kind = kind;
	d->open = true;
	return d;
}

static void step(const struct descriptor *d, const char *what)
{
	if (d->object)
		model_step(d->object, what);
}

/* The descriptor of that number, which is open and, where a kind is given, of that one. It is seen
 * in the step that comes just before. */
static struct descriptor *at(int fd, enum kind kind)
{
	struct descriptor *d = kernel.descriptor + (fd - FIRST);

	model_assert(fd >= FIRST && fd < FIRST + DESCRIPTORS_MAX && "a descriptor");
	model_assert(d->open && "a descriptor that is open");
	model_assert(!kind || d->kind == kind);
	return d;
}

static struct descriptor *step_at(int fd, enum kind kind, const char *what)
{
	model_assert(fd >= FIRST && fd < FIRST + DESCRIPTORS_MAX && "a descriptor");
	step(kernel.descriptor + (fd - FIRST), what);
	return at(fd, kind);
}

/* --- what models call ------------------------------------------------------------------------- */

static void add_data(struct descriptor *d, const char *data)
{
	size_t size = strlen(data);

	model_assert(d->length + size <= sizeof d->data);
	memcpy(d->data + d->length, data, size);
	d->length += (unsigned)size;
}

int kernel_stream(const char *data)
{
	struct descriptor *d = make(STREAM);

	add_data(d, data);
	return number_of(d);
}

void kernel_take_nothing(int fd)
{
	at(fd, STREAM)->full = true;
}

void kernel_announce_sender(int fd)
{
	at(fd, STREAM)->object = make_object("stream");
}

void kernel_send(int fd, const char *data)
{
	struct descriptor *d = kernel.descriptor + (fd - FIRST);
	struct descriptor *epoll;

	model_step(d->object, "gets data");
	add_data(d, data);
	epoll = d->epoll;
	if (!epoll)
		return;
	step(epoll, "gets an edge");
	d->edges |= EPOLLIN;
}

unsigned kernel_taken(int fd)
{
	return kernel.descriptor[fd - FIRST].taken;
}

void kernel_close(int fd)
{
	sennit__sys_close(fd);
}

bool kernel_is_open(int fd)
{
	return kernel.descriptor[fd - FIRST].open;
}

unsigned kernel_open_count(void)
{
	unsigned count = 0;

	for (int i = 0; i < DESCRIPTORS_MAX; i++)
		count += kernel.descriptor[i].open;
	return count;
}

unsigned kernel_blocks(void)
{
	return kernel.blocks;
}

/* --- descriptors ------------------------------------------------------------------------------ */

int sennit__sys_close(int fd)
{
	struct descriptor *d = step_at(fd, NONE, "is closed");

	d->open = false;
	d->epoll = NULL;
	return 0;
}

int sennit__sys_fstat(int fd, struct stat *status)
{
	at(fd, STREAM);
	memset(status, 0, sizeof *status);
	status->st_mode = S_IFSOCK;
	return 0;
}

int sennit__sys_getsockopt(int fd, int level, int name, void *value, unsigned *size)
{
	const int type = SOCK_STREAM;

	at(fd, STREAM);
	model_assert(level == SOL_SOCKET);
	memset(value, 0, *size); /* no protocol of a name, no lingering */
	if (name == SO_TYPE)
		memcpy(value, &type, sizeof type);
	return 0;
}

/* --- epoll ------------------------------------------------------------------------------------ */

/* What an event would tell now. */
static uint32_t readiness(const struct descriptor *d)
{
	if (d->kind == EVENT)
		return d->count ? EPOLLIN : 0;
	return (d->length ? EPOLLIN : 0) | (d->full ? 0 : EPOLLOUT);
}

static uint32_t reports(const struct descriptor *d, const struct descriptor *epoll)
{
	if (!d->open || d->epoll != epoll)
		return 0;
	return (d->event.events & EPOLLET ? d->edges : readiness(d)) & d->event.events;
}

int sennit__sys_epoll_create(int flags)
{
	struct descriptor *d = make(EPOLL);

	(void)flags;
	d->object = make_object("epoll");
	return number_of(d);
}

int sennit__sys_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
	struct descriptor *e = step_at(epoll, EPOLL, operation == EPOLL_CTL_ADD
							? "gets a descriptor"
							: "loses a descriptor");
	struct descriptor *d = at(fd, NONE);

	if (operation == EPOLL_CTL_DEL) {
		if (d->epoll != e)
			return -ENOENT;
		d->epoll = NULL;
		return 0;
	}
	model_assert(operation == EPOLL_CTL_ADD && !d->epoll);
	d->epoll = e;
	d->event = *event;
	d->edges = readiness(d);
	if (d->kind == EVENT) /* its readers and writers are those who wait here and wake them */
		d->object = e->object;
	return 0;
}

static bool any_reports(void *argument)
{
	const struct descriptor *epoll = argument;

	for (int i = 0; i < DESCRIPTORS_MAX; i++)
		if (reports(&kernel.descriptor[i], epoll))
			return true;
	return !epoll->open; /* to be told so */
}

int sennit__sys_epoll_wait(int epoll, struct epoll_event *events, int most, int timeout_ms)
{
	struct descriptor *e = at(epoll, EPOLL);
	int count = 0;

	model_assert(timeout_ms <= 0 && "time stands still");
	model_wait(e->object, "is asked for events", timeout_ms ? any_reports : NULL, e);
	at(epoll, EPOLL);
	for (int i = 0; i < DESCRIPTORS_MAX && count < most; i++) {
		struct descriptor *d = &kernel.descriptor[i];
		uint32_t what = reports(d, e);

		if (!what)
			continue;
		d->edges = 0;
		events[count] = d->event;
		events[count++].events = what;
	}
	return count;
}

static bool has_count(void *argument)
{
	const struct descriptor *d = argument;

	return d->count || !d->open;
}

int sennit__sys_poll(struct pollfd *fds, unsigned count, int timeout_ms)
{
	struct descriptor *d = at(fds->fd, NONE);

	model_assert(count == 1);
	if (timeout_ms)
		model_wait(d->object, "is polled", has_count, d);
	else
		step(d, "is polled");
	fds->revents = (short)((uint32_t)fds->events & readiness(at(fds->fd, NONE)));
	return fds->revents != 0;
}

int sennit__sys_eventfd(unsigned value, int flags)
{
	struct descriptor *d = make(EVENT);

	(void)flags;
	d->count = value;
	return number_of(d);
}

/* Taken by writers before they count, by readers after. */
static void lock(struct descriptor *d)
{
	if (kernel.eventfds_order)
		(void)sennit__fetch_add_acq_rel_u32(&d->lock, 1);
}

ssize_t sennit__sys_read(int fd, void *data, size_t size)
{
	struct descriptor *d = step_at(fd, EVENT, "is read");

	if (!d->count)
		return -EAGAIN;
	memcpy(data, &d->count, size);
	d->count = 0;
	lock(d);
	return (ssize_t)size;
}

ssize_t sennit__sys_write(int fd, const void *data, size_t size)
{
	struct descriptor *d;
	uint64_t value;

	lock(at(fd, EVENT));
	d = step_at(fd, EVENT, "is written");

	memcpy(&value, data, sizeof value);
	d->count += value;
	return (ssize_t)size;
}

/* --- transfers -------------------------------------------------------------------------------- */

ssize_t sennit__sys_recv(int fd, void *data, size_t size, int flags)
{
	struct descriptor *d = step_at(fd, STREAM, "is read");

	(void)flags;
	if (!d->length)
		return -EAGAIN;
	if (size > d->length)
		size = d->length;
	explorer_memcpy(data, d->data, size);
	d->length -= (unsigned)size;
	memmove(d->data, d->data + size, d->length);
	return (ssize_t)size;
}

ssize_t sennit__sys_send(int fd, const void *data, size_t size, int flags)
{
	struct descriptor *d = step_at(fd, STREAM, "is written");
	char sink[64];

	(void)flags;
	if (d->full)
		return -EAGAIN;
	model_assert(size <= sizeof sink);
	explorer_memcpy(sink, data, size);
	d->taken += (unsigned)size;
	return (ssize_t)size;
}

ssize_t sennit__sys_sendmsg(int fd, const struct msghdr *message, int flags)
{
	ssize_t sum = 0;

	for (size_t i = 0; i < message->msg_iovlen; i++) {
		const struct iovec *v = &message->msg_iov[i];
		ssize_t result = sennit__sys_send(fd, v->iov_base, v->iov_len, flags);

		if (result < 0)
			return sum ? sum : result;
		sum += result;
	}
	return sum;
}

/* --- what no scenario reaches ----------------------------------------------------------------- */

#define NO_CALL(NAME, ...)                                                                         \
	int NAME(__VA_ARGS__)                                                                      \
	{                                                                                          \
		model_fail(__FILE__, __LINE__, #NAME " is not modelled");                          \
	}
#define NO_TRANSFER(NAME, ...)                                                                     \
	ssize_t NAME(__VA_ARGS__)                                                                  \
	{                                                                                          \
		model_fail(__FILE__, __LINE__, #NAME " is not modelled");                          \
	}

#pragma GCC diagnostic ignored "-Wunused-parameter"

NO_CALL(sennit__sys_fcntl, int fd, int command, int argument)
NO_CALL(sennit__sys_ioctl, int fd, unsigned long request, void *argument)
NO_CALL(sennit__sys_open, const char *path, int flags)
NO_CALL(sennit__sys_socket, int family, int type, int protocol)
NO_CALL(sennit__sys_socketpair, int family, int type, int protocol, int fds[2])
NO_CALL(sennit__sys_bind, int fd, const struct sockaddr *address, unsigned size)
NO_CALL(sennit__sys_listen, int fd, int backlog)
NO_CALL(sennit__sys_accept4, int fd, struct sockaddr *address, unsigned *size, int flags)
NO_CALL(sennit__sys_connect, int fd, const struct sockaddr *address, unsigned size)
NO_CALL(sennit__sys_shutdown, int fd, int how)
NO_CALL(sennit__sys_getsockname, int fd, struct sockaddr *address, unsigned *size)
NO_CALL(sennit__sys_getpeername, int fd, struct sockaddr *address, unsigned *size)
NO_CALL(sennit__sys_setsockopt, int fd, int level, int name, const void *value, unsigned size)
NO_TRANSFER(sennit__sys_readv, int fd, const struct iovec *vector, int count)
NO_TRANSFER(sennit__sys_writev, int fd, const struct iovec *vector, int count)
NO_TRANSFER(sennit__sys_preadv2, int fd, const struct iovec *vector, int count, int flags)
NO_TRANSFER(sennit__sys_pwritev2, int fd, const struct iovec *vector, int count, int flags)
NO_TRANSFER(sennit__sys_recvmsg, int fd, struct msghdr *message, int flags)
