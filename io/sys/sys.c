/* SPDX-License-Identifier: MIT */
/* sys.c - see sys.h. */
#include "io/sys/sys.h"

#include "io/sys/call.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <time.h>

#define ADDRESS(pointer) ((long)(pointer))

/* stat's layout is glibc's affair. */
int sennit__sys_fstat(int fd, struct stat *status)
{
	return fstat(fd, status) ? -errno : 0;
}

int sennit__sys_poll(struct pollfd *fds, unsigned count, int timeout_ms)
{
	struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};

	return (int)sennit__call(SYS_ppoll, ADDRESS(fds), count,
				 timeout_ms < 0 ? 0 : ADDRESS(&timeout), 0, 0, 0);
}

int sennit__sys_close(int fd)
{
	return (int)sennit__call(SYS_close, fd, 0, 0, 0, 0, 0);
}

int sennit__sys_fcntl(int fd, int command, int argument)
{
	return (int)sennit__call(SYS_fcntl, fd, command, argument, 0, 0, 0);
}

int sennit__sys_ioctl(int fd, unsigned long request, void *argument)
{
	return (int)sennit__call(SYS_ioctl, fd, (long)request, ADDRESS(argument), 0, 0, 0);
}

int sennit__sys_open(const char *path, int flags)
{
	return (int)sennit__call(SYS_openat, AT_FDCWD, ADDRESS(path), flags, 0, 0, 0);
}

int sennit__sys_epoll_create(int flags)
{
	return (int)sennit__call(SYS_epoll_create1, flags, 0, 0, 0, 0, 0);
}

int sennit__sys_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
	return (int)sennit__call(SYS_epoll_ctl, epoll, operation, fd, ADDRESS(event), 0, 0);
}

int sennit__sys_epoll_wait(int epoll, struct epoll_event *events, int most, int timeout_ms)
{
	return (int)sennit__call(SYS_epoll_pwait, epoll, ADDRESS(events), most, timeout_ms, 0, 0);
}

int sennit__sys_eventfd(unsigned value, int flags)
{
	return (int)sennit__call(SYS_eventfd2, ADDRESS(value), flags, 0, 0, 0, 0);
}

ssize_t sennit__sys_read(int fd, void *data, size_t size)
{
	return sennit__call(SYS_read, fd, ADDRESS(data), (long)size, 0, 0, 0);
}

ssize_t sennit__sys_write(int fd, const void *data, size_t size)
{
	return sennit__call(SYS_write, fd, ADDRESS(data), (long)size, 0, 0, 0);
}

ssize_t sennit__sys_readv(int fd, const struct iovec *vector, int count)
{
	return sennit__call(SYS_readv, fd, ADDRESS(vector), count, 0, 0, 0);
}

ssize_t sennit__sys_writev(int fd, const struct iovec *vector, int count)
{
	return sennit__call(SYS_writev, fd, ADDRESS(vector), count, 0, 0, 0);
}

ssize_t sennit__sys_preadv2(int fd, const struct iovec *vector, int count, int flags)
{
	return sennit__call(SYS_preadv2, fd, ADDRESS(vector), count, -1, -1, flags);
}

ssize_t sennit__sys_pwritev2(int fd, const struct iovec *vector, int count, int flags)
{
	return sennit__call(SYS_pwritev2, fd, ADDRESS(vector), count, -1, -1, flags);
}

ssize_t sennit__sys_recv(int fd, void *data, size_t size, int flags)
{
	return sennit__call(SYS_recvfrom, fd, ADDRESS(data), (long)size, flags, 0, 0);
}

ssize_t sennit__sys_send(int fd, const void *data, size_t size, int flags)
{
	return sennit__call(SYS_sendto, fd, ADDRESS(data), (long)size, flags, 0, 0);
}

ssize_t sennit__sys_recvmsg(int fd, struct msghdr *message, int flags)
{
	return sennit__call(SYS_recvmsg, fd, ADDRESS(message), flags, 0, 0, 0);
}

ssize_t sennit__sys_sendmsg(int fd, const struct msghdr *message, int flags)
{
	return sennit__call(SYS_sendmsg, fd, ADDRESS(message), flags, 0, 0, 0);
}

int sennit__sys_socket(int family, int type, int protocol)
{
	return (int)sennit__call(SYS_socket, family, type, protocol, 0, 0, 0);
}

int sennit__sys_socketpair(int family, int type, int protocol, int fds[2])
{
	return (int)sennit__call(SYS_socketpair, family, type, protocol, ADDRESS(fds), 0, 0);
}

int sennit__sys_bind(int fd, const struct sockaddr *address, unsigned size)
{
	return (int)sennit__call(SYS_bind, fd, ADDRESS(address), size, 0, 0, 0);
}

int sennit__sys_listen(int fd, int backlog)
{
	return (int)sennit__call(SYS_listen, fd, backlog, 0, 0, 0, 0);
}

int sennit__sys_accept4(int fd, struct sockaddr *address, unsigned *size, int flags)
{
	return (int)sennit__call(SYS_accept4, fd, ADDRESS(address), ADDRESS(size), flags, 0, 0);
}

int sennit__sys_connect(int fd, const struct sockaddr *address, unsigned size)
{
	return (int)sennit__call(SYS_connect, fd, ADDRESS(address), size, 0, 0, 0);
}

int sennit__sys_shutdown(int fd, int how)
{
	return (int)sennit__call(SYS_shutdown, fd, how, 0, 0, 0, 0);
}

int sennit__sys_getsockname(int fd, struct sockaddr *address, unsigned *size)
{
	return (int)sennit__call(SYS_getsockname, fd, ADDRESS(address), ADDRESS(size), 0, 0, 0);
}

int sennit__sys_getpeername(int fd, struct sockaddr *address, unsigned *size)
{
	return (int)sennit__call(SYS_getpeername, fd, ADDRESS(address), ADDRESS(size), 0, 0, 0);
}

int sennit__sys_getsockopt(int fd, int level, int name, void *value, unsigned *size)
{
	return (int)sennit__call(SYS_getsockopt, fd, level, name,
				 ADDRESS(value), ADDRESS(size), 0);
}

int sennit__sys_setsockopt(int fd, int level, int name, const void *value, unsigned size)
{
	return (int)sennit__call(SYS_setsockopt, fd, level, name, ADDRESS(value), size, 0);
}
