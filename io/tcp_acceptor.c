/* SPDX-License-Identifier: MIT */
/* tcp_acceptor.c - listening sockets. */
#include "io/fd.h"
#include "io/driver.h"
#include "io/sys/sys.h"
#include "io/tcp_options.h"

#include <errno.h>
#include <sennit/error.h>
#include <sennit/tcp.h>

static int listen_on(const struct sennit_endpoint *endpoint,
		     const struct sennit_tcp_acceptor_options *options)
{
	const int family = endpoint->address.any.sa_family;
	int fd = sennit__sys_socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error;

	if (fd < 0)
		return fd;
	error = sennit__tcp_option_set(fd, SENNIT_TCP_REUSE_ADDRESS, 1);
	if (!error && options->reuse_port)
		error = sennit__tcp_option_set(fd, SENNIT_TCP_REUSE_PORT, 1);
	if (!error && family == AF_INET6)
		error = sennit__tcp_option_set(fd, SENNIT_TCP_V6_ONLY, options->v6_only);
	if (!error)
		error = sennit__sys_bind(fd, &endpoint->address.any,
					 (unsigned)sennit_endpoint_size(endpoint));
	if (!error)
		error = sennit__sys_listen(fd, options->backlog ? options->backlog : SOMAXCONN);
	if (!error)
		return fd;
	sennit__sys_close(fd);
	return error;
}

int sennit_tcp_acceptor_open_with(struct sennit_tcp_acceptor *acceptor,
				  struct sennit_executor *executor,
				  const struct sennit_endpoint *endpoint,
				  const struct sennit_tcp_acceptor_options *options)
{
	static const struct sennit_tcp_acceptor_options defaults;
	struct sennit__slot *slot;
	int fd;

	if (!options || options->size == 0)
		options = &defaults;
	else if (options->size != sizeof *options || options->backlog < 0)
		return -EINVAL;
	if (!sennit_endpoint_size(endpoint))
		return -EINVAL;
	if (sennit__object_slot(&acceptor->object_))
		return SENNIT_ALREADY_OPEN;
	slot = sennit__object_reserve(executor);
	if (!slot)
		return -ENOMEM;
	fd = listen_on(endpoint, options);
	if (fd < 0) {
		sennit__object_unreserve(slot);
		return fd;
	}
	sennit__fd_put(slot, fd, SENNIT__SOCKET | SENNIT__TCP | SENNIT__PLAIN);
	sennit__object_publish(&acceptor->object_, executor, slot);
	return 0;
}

int sennit_tcp_acceptor_open(struct sennit_tcp_acceptor *acceptor, struct sennit_executor *executor,
			     const char *text)
{
	struct sennit_endpoint endpoint;
	int error = sennit_endpoint_parse(&endpoint, text);

	return error ? error : sennit_tcp_acceptor_open_with(acceptor, executor, &endpoint, NULL);
}

/* --- accept ----------------------------------------------------------------------------------- */

void sennit_tcp_acceptor_async_accept(struct sennit_tcp_acceptor *acceptor,
				      struct sennit_tcp_socket *socket, struct sennit_op *op,
				      sennit_handler *handler)
{
	sennit__object_check(&socket->stream.object_, "sennit_tcp_acceptor_async_accept");
	sennit__op_prepare(op, handler, SENNIT__ACCEPT, 0);
	op->goal_.argument = &socket->stream.object_;
	sennit__object_start(&acceptor->object_, op);
}

/* accept4 said no: what that means for the operation at the head. */
static void not_accepted(struct sennit__slot *slot, struct sennit_op *op, int error)
{
	switch (error) {
	case -EAGAIN:
		slot->flags &= (uint16_t)~SENNIT__SLOT_READABLE;
		break;
	case -EMFILE:
	case -ENFILE:
	case -ENOBUFS:
	case -ENOMEM:
		sennit__io_pause(slot, error);
		break;
	case -EINTR:
	case -ECONNABORTED: /* this and all below: of that connection, not of the acceptor (HC11) */
	case -EPROTO:
	case -ENOPROTOOPT:
	case -ENETDOWN:
	case -ENETUNREACH:
	case -ENONET:
	case -EHOSTDOWN:
	case -EHOSTUNREACH:
	case -EPERM:
	case -ETIMEDOUT:
		break;
	default:
		sennit__object_done(slot, op, error);
		break;
	}
}

void sennit__fd_accept(struct sennit__slot *slot, struct sennit_op *op)
{
	struct sennit_object *peer = op->goal_.argument;
	struct sennit__slot *accepted;
	int fd;

	if (sennit__object_slot(peer)) {
		sennit__object_done(slot, op, SENNIT_ALREADY_OPEN);
		return;
	}
	accepted = sennit__object_reserve(peer->executor_); /* before there is anything to lose */
	if (!accepted) {
		sennit__io_pause(slot, -ENOMEM);
		return;
	}
	fd = sennit__sys_accept4(slot->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0) {
		sennit__object_unreserve(accepted);
		not_accepted(slot, op, fd);
		return;
	}
	slot->pauses = 0;
	sennit__fd_put(accepted, fd, SENNIT__SOCKET | SENNIT__TCP | SENNIT__PLAIN);
	accepted->lingers = slot->lingers; /* inherited from the listening socket */
	sennit__object_publish(peer, peer->executor_, accepted);
	sennit__object_done(slot, op, 0);
}

/* --- the rest --------------------------------------------------------------------------------- */

void sennit_tcp_acceptor_async_wait(struct sennit_tcp_acceptor *acceptor, int what,
				    struct sennit_op *op, sennit_handler *handler)
{
	sennit__object_wait(&acceptor->object_, what, op, handler);
}

void sennit_tcp_acceptor_cancel(struct sennit_tcp_acceptor *acceptor)
{
	sennit__object_cancel(&acceptor->object_);
}

void sennit_tcp_acceptor_close(struct sennit_tcp_acceptor *acceptor)
{
	sennit__object_close(&acceptor->object_);
}

bool sennit_tcp_acceptor_is_open(const struct sennit_tcp_acceptor *acceptor)
{
	return sennit__object_slot(&acceptor->object_) != NULL;
}

int sennit_tcp_acceptor_local_endpoint(const struct sennit_tcp_acceptor *acceptor,
				       struct sennit_endpoint *endpoint)
{
	return sennit__fd_local_endpoint(sennit__fd_of(&acceptor->object_), endpoint);
}

int sennit_tcp_acceptor_native_handle(const struct sennit_tcp_acceptor *acceptor)
{
	return sennit__fd_show(&acceptor->object_);
}
