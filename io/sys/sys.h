/* SPDX-License-Identifier: MIT */
/* sys.h - system calls as functions that return their result or -errno.
 *
 * By syscall(2) where it matters: glibc's wrappers of read, write and wait are thread cancellation
 * points, about 50 instructions each in a process with threads. None is retried here: who calls
 * knows what EINTR means. A test replaces any of them at link time (--wrap) to inject faults.
 */
#ifndef SENNIT_IO_SYS_SYS_H
#define SENNIT_IO_SYS_SYS_H

#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

int sennit__sys_close(int fd);
int sennit__sys_fcntl(int fd, int command, int argument);
int sennit__sys_fstat(int fd, struct stat *status);
int sennit__sys_ioctl(int fd, unsigned long request, void *argument);
int sennit__sys_open(const char *path, int flags);
int sennit__sys_poll(struct pollfd *fds, unsigned count, int timeout_ms);

int sennit__sys_epoll_create(int flags);
int sennit__sys_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event);
int sennit__sys_epoll_wait(int epoll, struct epoll_event *events, int most, int timeout_ms);
int sennit__sys_eventfd(unsigned value, int flags);

ssize_t sennit__sys_read(int fd, void *data, size_t size);
ssize_t sennit__sys_write(int fd, const void *data, size_t size);
ssize_t sennit__sys_readv(int fd, const struct iovec *vector, int count);
ssize_t sennit__sys_writev(int fd, const struct iovec *vector, int count);
/* At the current position, with RWF_ flags. */
ssize_t sennit__sys_preadv2(int fd, const struct iovec *vector, int count, int flags);
ssize_t sennit__sys_pwritev2(int fd, const struct iovec *vector, int count, int flags);

ssize_t sennit__sys_recv(int fd, void *data, size_t size, int flags);
ssize_t sennit__sys_send(int fd, const void *data, size_t size, int flags);
ssize_t sennit__sys_recvmsg(int fd, struct msghdr *message, int flags);
ssize_t sennit__sys_sendmsg(int fd, const struct msghdr *message, int flags);

int sennit__sys_socket(int family, int type, int protocol);
int sennit__sys_socketpair(int family, int type, int protocol, int fds[2]);
int sennit__sys_bind(int fd, const struct sockaddr *address, unsigned size);
int sennit__sys_listen(int fd, int backlog);
int sennit__sys_accept4(int fd, struct sockaddr *address, unsigned *size, int flags);
int sennit__sys_connect(int fd, const struct sockaddr *address, unsigned size);
int sennit__sys_shutdown(int fd, int how);
int sennit__sys_getsockname(int fd, struct sockaddr *address, unsigned *size);
int sennit__sys_getpeername(int fd, struct sockaddr *address, unsigned *size);
int sennit__sys_getsockopt(int fd, int level, int name, void *value, unsigned *size);
int sennit__sys_setsockopt(int fd, int level, int name, const void *value, unsigned size);

#endif
