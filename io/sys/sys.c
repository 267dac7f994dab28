/* SPDX-License-Identifier: MIT */
/* sys.c - see sys.h. */
#include "io/sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The position argument of preadv2 that means the current one: low half, high half. */
#define CURRENT -1L, -1L

static inline long result(long value)
{
	return value < 0 ? -errno : value;
}

/* stat's layout is glibc's affair. */
int sennit__sys_fstat(int fd, struct stat *status)
{
	return (int)result(fstat(fd, status));
}

int sennit__sys_poll(struct pollfd *fds, unsigned count, int timeout_ms)
{
	struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};

	return (int)result(syscall(SYS_ppoll, fds, count, timeout_ms < 0 ? NULL : &timeout, NULL, 0));
}

int sennit__sys_close(int fd)
{
	return (int)result(syscall(SYS_close, fd));
}

int sennit__sys_fcntl(int fd, int command, int argument)
{
	return (int)result(syscall(SYS_fcntl, fd, command, argument));
}

int sennit__sys_ioctl(int fd, unsigned long request, void *argument)
{
	return (int)result(syscall(SYS_ioctl, fd, request, argument));
}

int sennit__sys_open(const char *path, int flags)
{
	return (int)result(syscall(SYS_openat, AT_FDCWD, path, flags, 0));
}

int sennit__sys_epoll_create(int flags)
{
	return (int)result(syscall(SYS_epoll_create1, flags));
}

int sennit__sys_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
	return (int)result(syscall(SYS_epoll_ctl, epoll, operation, fd, event));
}

int sennit__sys_epoll_wait(int epoll, struct epoll_event *events, int most, int timeout_ms)
{
	return (int)result(syscall(SYS_epoll_pwait, epoll, events, most, timeout_ms, NULL, 0));
}

int sennit__sys_eventfd(unsigned value, int flags)
{
	return (int)result(syscall(SYS_eventfd2, value, flags));
}

ssize_t sennit__sys_read(int fd, void *data, size_t size)
{
	return result(syscall(SYS_read, fd, data, size));
}

ssize_t sennit__sys_write(int fd, const void *data, size_t size)
{
	return result(syscall(SYS_write, fd, data, size));
}

ssize_t sennit__sys_readv(int fd, const struct iovec *vector, int count)
{
	return result(syscall(SYS_readv, fd, vector, count));
}

ssize_t sennit__sys_writev(int fd, const struct iovec *vector, int count)
{
	return result(syscall(SYS_writev, fd, vector, count));
}

ssize_t sennit__sys_preadv2(int fd, const struct iovec *vector, int count, int flags)
{
	return result(syscall(SYS_preadv2, fd, vector, count, CURRENT, flags));
}

ssize_t sennit__sys_pwritev2(int fd, const struct iovec *vector, int count, int flags)
{
	return result(syscall(SYS_pwritev2, fd, vector, count, CURRENT, flags));
}

ssize_t sennit__sys_recv(int fd, void *data, size_t size, int flags)
{
	return result(syscall(SYS_recvfrom, fd, data, size, flags, NULL, NULL));
}

ssize_t sennit__sys_send(int fd, const void *data, size_t size, int flags)
{
	return result(syscall(SYS_sendto, fd, data, size, flags, NULL, 0));
}

ssize_t sennit__sys_recvmsg(int fd, struct msghdr *message, int flags)
{
	return result(syscall(SYS_recvmsg, fd, message, flags));
}

ssize_t sennit__sys_sendmsg(int fd, const struct msghdr *message, int flags)
{
	return result(syscall(SYS_sendmsg, fd, message, flags));
}

int sennit__sys_socket(int family, int type, int protocol)
{
	return (int)result(syscall(SYS_socket, family, type, protocol));
}

int sennit__sys_socketpair(int family, int type, int protocol, int fds[2])
{
	return (int)result(syscall(SYS_socketpair, family, type, protocol, fds));
}

int sennit__sys_bind(int fd, const struct sockaddr *address, unsigned size)
{
	return (int)result(syscall(SYS_bind, fd, address, size));
}

int sennit__sys_listen(int fd, int backlog)
{
	return (int)result(syscall(SYS_listen, fd, backlog));
}

int sennit__sys_accept4(int fd, struct sockaddr *address, unsigned *size, int flags)
{
	return (int)result(syscall(SYS_accept4, fd, address, size, flags));
}

int sennit__sys_connect(int fd, const struct sockaddr *address, unsigned size)
{
	return (int)result(syscall(SYS_connect, fd, address, size));
}

int sennit__sys_shutdown(int fd, int how)
{
	return (int)result(syscall(SYS_shutdown, fd, how));
}

int sennit__sys_getsockname(int fd, struct sockaddr *address, unsigned *size)
{
	return (int)result(syscall(SYS_getsockname, fd, address, size));
}

int sennit__sys_getpeername(int fd, struct sockaddr *address, unsigned *size)
{
	return (int)result(syscall(SYS_getpeername, fd, address, size));
}

int sennit__sys_getsockopt(int fd, int level, int name, void *value, unsigned *size)
{
	return (int)result(syscall(SYS_getsockopt, fd, level, name, value, size));
}

int sennit__sys_setsockopt(int fd, int level, int name, const void *value, unsigned size)
{
	return (int)result(syscall(SYS_setsockopt, fd, level, name, value, size));
}
