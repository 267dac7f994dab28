/* SPDX-License-Identifier: MIT */
/* tcp_socket.c - TCP sockets: what they have beyond being streams. */
#include "io/backend/backend.h"
#include "io/fd.h"
#include "io/sys/sys.h"
#include "io/tcp_options.h"
#include "runtime/sched/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <sennit/error.h>
#include <sennit/tcp.h>
#include <string.h>

#define OBJECT(socket) (&(socket)->stream.object_)

/* A socket of ours; connect and accept never block on it. */
#define TRAITS (SENNIT__SOCKET | SENNIT__TCP | SENNIT__PLAIN)

void sennit_tcp_socket_init(struct sennit_tcp_socket *socket, struct sennit_executor *executor)
{
	sennit__object_init(OBJECT(socket), executor);
}

int sennit_tcp_socket_open(struct sennit_tcp_socket *socket, int family)
{
	struct sennit_object *object = OBJECT(socket);
	struct sennit__slot *slot;
	int fd;

	sennit__object_check(object, "sennit_tcp_socket_open");
	if (sennit__object_slot(object))
		return SENNIT_ALREADY_OPEN;
	if (family != AF_INET && family != AF_INET6)
		return -EAFNOSUPPORT;
	slot = sennit__object_reserve(object->executor_);
	if (!slot)
		return -ENOMEM;
	fd = sennit__sys_socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		sennit__object_unreserve(slot);
		return fd;
	}
	sennit__fd_put(slot, fd, TRAITS);
	sennit__object_publish(object, object->executor_, slot);
	return 0;
}

int sennit_tcp_socket_assign(struct sennit_tcp_socket *socket, int fd)
{
	sennit__object_check(OBJECT(socket), "sennit_tcp_socket_assign");
	return sennit__fd_adopt(OBJECT(socket), OBJECT(socket)->executor_, fd,
				SENNIT__SOCKET | SENNIT__TCP);
}

int sennit_tcp_socket_release(struct sennit_tcp_socket *socket, int *fd)
{
	return sennit__object_release(OBJECT(socket), fd);
}

int sennit_tcp_socket_native_handle(const struct sennit_tcp_socket *socket)
{
	return sennit__fd_show(OBJECT(socket));
}

int sennit_tcp_socket_bind(struct sennit_tcp_socket *socket, const struct sennit_endpoint *endpoint)
{
	int fd = sennit__fd_of(OBJECT(socket));

	if (!endpoint)
		sennit__misuse("sennit_tcp_socket_bind", "the endpoint is NULL");
	if (fd < 0)
		return fd;
	return sennit__sys_bind(fd, &endpoint->address.any,
				(unsigned)sennit_endpoint_size(endpoint));
}

/* --- connect ---------------------------------------------------------------------------------- */

void sennit_tcp_socket_async_connect(struct sennit_tcp_socket *socket,
				     const struct sennit_endpoint *endpoint, struct sennit_op *op,
				     sennit_handler *handler)
{
	struct sennit_object *object = OBJECT(socket);
	int error = 0;

	sennit__object_check(object, "sennit_tcp_socket_async_connect");
	if (!endpoint)
		sennit__misuse("sennit_tcp_socket_async_connect", "the endpoint is NULL");
	sennit__op_prepare(op, handler, SENNIT__CONNECT, 0);
	op->goal_.argument = (void *)(uintptr_t)endpoint;
	if (!sennit__object_slot(object))
		error = sennit_tcp_socket_open(socket, endpoint->address.any.sa_family);
	if (error) {
		op->slot_ = NULL;
		sennit__op_aim(op, object->executor_);
		sennit__op_refuse(op, error);
		return;
	}
	sennit__object_start(object, op);
}

/* Makes the call without blocking; an adopted socket's mode is as before when it returns. */
static int connect_now(struct sennit__slot *slot, const struct sennit_endpoint *endpoint)
{
	int flags = slot->traits & SENNIT__PLAIN ? O_NONBLOCK
						 : sennit__sys_fcntl(slot->fd, F_GETFL, 0);
	int error;

	if (!(flags & O_NONBLOCK))
		sennit__sys_fcntl(slot->fd, F_SETFL, flags | O_NONBLOCK);
	error = sennit__sys_connect(slot->fd, &endpoint->address.any,
				    (unsigned)sennit_endpoint_size(endpoint));
	if (!(flags & O_NONBLOCK))
		sennit__sys_fcntl(slot->fd, F_SETFL, flags);
	return error;
}

/* Whether, by chance of port numbers, the kernel has connected us to ourselves (HC19). */
static bool connected_to_itself(int fd)
{
	struct sennit_endpoint local = {0};
	struct sennit_endpoint peer = {0};
	unsigned size = sizeof peer.address;

	if (sennit__sys_getpeername(fd, &peer.address.any, &size))
		return false;
	size = sizeof local.address;
	if (sennit__sys_getsockname(fd, &local.address.any, &size))
		return false;
	return sennit_endpoint_equal(&local, &peer);
}

/* The first call starts to connect. Asked again when an edge has come, the kernel tells how that
 * ended, or -EALREADY where the edge was of something else. */
void sennit__fd_connect(struct sennit__slot *slot, struct sennit_op *op)
{
	int error = connect_now(slot, op->goal_.argument);

	if (error == -EINPROGRESS || error == -EINTR ||
	    (error == -EALREADY && op->task_.flags_ & SENNIT__OP_SERVED)) {
		op->task_.flags_ |= SENNIT__OP_SERVED;
		slot->flags &= (uint16_t)~SENNIT__SLOT_WRITABLE;
		return;
	}
	if (!error && connected_to_itself(slot->fd))
		error = -ECONNREFUSED;
	sennit__object_done(slot, op, error);
	sennit__object_connect_ended(slot);
}

/* --- the rest --------------------------------------------------------------------------------- */

/* On the owner: what it has received is tried once more first. */
static int shut_down_here(struct sennit__slot *slot, int how)
{
	int error;

	sennit__object_flush(slot);
	error = sennit__sys_shutdown(slot->fd, how);
	if (!error) { /* what still waits learns of it from its next try */
		slot->flags |= SENNIT__SLOT_READABLE | SENNIT__SLOT_WRITABLE | SENNIT__SLOT_UNSURE;
		sennit__io_list(slot);
	}
	return error;
}

int sennit_tcp_socket_shutdown(struct sennit_tcp_socket *socket, int how)
{
	struct sennit__slot *slot = sennit__object_slot(OBJECT(socket));
	struct sennit__worker *owner;
	int error;

	if (!slot)
		return -EBADF;
	owner = slot->owner;
	sennit__fork_check(owner->executor.runtime_, "sennit_tcp_socket_shutdown");
	if (sennit__current == owner) {
		sennit__worker_catch_up(owner, "sennit_tcp_socket_shutdown");
		slot = sennit__object_slot(OBJECT(socket));
		return slot ? shut_down_here(slot, how) : -EBADF;
	}
	if (!sennit__worker_enter(owner, SENNIT__VISITED))
		return sennit__sys_shutdown(slot->assigned, how); /* nothing is in flight */
	sennit__worker_catch_up(owner, "sennit_tcp_socket_shutdown");
	slot = sennit__object_slot(OBJECT(socket));
	error = slot ? shut_down_here(slot, how) : -EBADF;
	sennit__worker_leave(owner);
	return error;
}

int sennit_tcp_socket_set_option(struct sennit_tcp_socket *socket, enum sennit_tcp_option option,
				 int value)
{
	struct sennit__slot *slot = sennit__object_slot(OBJECT(socket));

	if (!slot)
		return -EBADF;
	if (option == SENNIT_TCP_LINGER)
		slot->lingers = true;
	return sennit__tcp_option_set(slot->assigned, option, value);
}

int sennit_tcp_socket_get_option(const struct sennit_tcp_socket *socket,
				 enum sennit_tcp_option option, int *value)
{
	int fd = sennit__fd_of(OBJECT(socket));

	return fd < 0 ? fd : sennit__tcp_option_get(fd, option, value);
}

int sennit__fd_local_endpoint(int fd, struct sennit_endpoint *endpoint)
{
	unsigned size = sizeof endpoint->address;

	memset(endpoint, 0, sizeof *endpoint);
	return fd < 0 ? fd : sennit__sys_getsockname(fd, &endpoint->address.any, &size);
}

int sennit_tcp_socket_local_endpoint(const struct sennit_tcp_socket *socket,
				     struct sennit_endpoint *endpoint)
{
	return sennit__fd_local_endpoint(sennit__fd_of(OBJECT(socket)), endpoint);
}

int sennit_tcp_socket_remote_endpoint(const struct sennit_tcp_socket *socket,
				      struct sennit_endpoint *endpoint)
{
	int fd = sennit__fd_of(OBJECT(socket));
	unsigned size = sizeof endpoint->address;

	memset(endpoint, 0, sizeof *endpoint);
	return fd < 0 ? fd : sennit__sys_getpeername(fd, &endpoint->address.any, &size);
}

/* --- pairs ------------------------------------------------------------------------------------ */

/* Whether a blocking connect is to be called again; *error is then 0. */
static bool interrupted(int *error)
{
	if (*error == -EISCONN)
		*error = 0;
	else if (*error == -EINTR || *error == -EALREADY)
		return *error = 0, true;
	return false;
}

/* Two sockets over the loopback interface, connected to each other and to nobody else. */
static int connect_pair(int listener, int fds[2])
{
	struct sennit_endpoint there;
	struct sennit_endpoint here;
	struct sennit_endpoint peer = {0};
	unsigned size;
	int error = sennit__fd_local_endpoint(listener, &there);

	do /* asked again after a signal, the kernel says how far it is */
		error = error ? error
			      : sennit__sys_connect(fds[0], &there.address.any,
						    (unsigned)sennit_endpoint_size(&there));
	while (interrupted(&error));
	if (!error)
		error = sennit__fd_local_endpoint(fds[0], &here);
	while (!error) {
		size = sizeof peer.address;
		fds[1] = sennit__sys_accept4(listener, &peer.address.any, &size, SOCK_CLOEXEC);
		if (fds[1] == -EINTR)
			continue;
		if (fds[1] < 0)
			return fds[1];
		if (sennit_endpoint_equal(&here, &peer))
			return 0;
		sennit__sys_close(fds[1]); /* a stranger who was faster */
	}
	return error;
}

static int make_pair(int fds[2])
{
	struct sennit_endpoint any;
	int listener = sennit__sys_socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int error;

	if (listener < 0)
		return listener;
	fds[0] = sennit__sys_socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	error = fds[0] < 0 ? fds[0] : sennit_endpoint_parse(&any, "127.0.0.1:0");
	if (!error)
		error = sennit__sys_bind(listener, &any.address.any,
					 (unsigned)sennit_endpoint_size(&any));
	if (!error)
		error = sennit__sys_listen(listener, 1);
	if (!error)
		error = connect_pair(listener, fds);
	sennit__sys_close(listener);
	if (error && fds[0] >= 0)
		sennit__sys_close(fds[0]);
	return error;
}

int sennit_tcp_socket_pair(struct sennit_tcp_socket *first, struct sennit_tcp_socket *second)
{
	struct sennit_object *objects[] = {OBJECT(first), OBJECT(second)};
	int fds[2];
	int error;

	sennit__object_check(objects[0], "sennit_tcp_socket_pair");
	sennit__object_check(objects[1], "sennit_tcp_socket_pair");
	if (first == second)
		sennit__misuse("sennit_tcp_socket_pair", "both are the same socket");
	if (sennit__object_slot(objects[0]) || sennit__object_slot(objects[1]))
		return SENNIT_ALREADY_OPEN;
	error = make_pair(fds);
	if (error)
		return error;
	return sennit__fd_adopt_pair(objects, objects[0]->executor_, objects[1]->executor_, fds);
}
