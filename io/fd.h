/* SPDX-License-Identifier: MIT */
/* fd.h - what is done with a slot's descriptor, whatever kind it is. */
#ifndef SENNIT_IO_FD_H
#define SENNIT_IO_FD_H

#include "io/object.h"

#include <sennit/endpoint.h>

/* Finds out what a descriptor is; 0 or -EBADF. */
int sennit__fd_inspect(int fd, uint16_t *traits);

/* Puts a descriptor into a reserved slot. */
void sennit__fd_put(struct sennit__slot *slot, int fd, unsigned traits);

/* Inspects and adopts `fd`: reserves a slot and publishes it. 0, -EBADF, -ENOMEM,
 * SENNIT_ALREADY_OPEN, or -EPROTONOSUPPORT and -ENOTSOCK where `wanted` traits are missing. */
int sennit__fd_adopt(struct sennit_object *object, struct sennit_executor *executor, int fd,
		     unsigned wanted);

/* Adopts two descriptors of ours, or closes both. */
int sennit__fd_adopt_pair(struct sennit_object *objects[2], struct sennit_executor *first,
			  struct sennit_executor *second, const int fds[2]);

/* Just before it is registered: a terminal is reopened, so that its mode is ours alone. */
void sennit__fd_ready_to_attach(struct sennit__slot *slot);

/* One transfer without waiting: bytes, 0 at the end, or -errno. No signal is raised. */
ssize_t sennit__fd_read(struct sennit__slot *slot, const struct iovec *vector, int count);
ssize_t sennit__fd_write(struct sennit__slot *slot, const struct iovec *vector, int count);

/* Serves a readiness wait: completes it, or leaves it for an event; where the stream has had its
 * share of the turn, for the next one. */
void sennit__fd_wait(struct sennit__slot *slot, struct sennit_op *op);

/* That is the next turn. */
void sennit__fd_wait_again(struct sennit__slot *slot);

/* Completes the waits that `events` (of epoll) answer. */
void sennit__fd_waits_ready(struct sennit__slot *slot, uint32_t events);

/* Serve the connect or accept at the head of the slot's queue. */
void sennit__fd_connect(struct sennit__slot *slot, struct sennit_op *op);
void sennit__fd_accept(struct sennit__slot *slot, struct sennit_op *op);

/* Takes the descriptor out, as it was when it was assigned; -1 where there is none. */
int sennit__fd_take(struct sennit__slot *slot);

void sennit__fd_close(struct sennit__slot *slot);

/* The endpoint that a socket is bound to; `fd` may be an error already. */
int sennit__fd_local_endpoint(int fd, struct sennit_endpoint *endpoint);

/* The descriptor that was assigned, for the user to do what he likes with, or -EBADF. */
int sennit__fd_show(const struct sennit_object *object);

/* What an answer about the descriptor may ask: the one that was assigned, or -EBADF. */
int sennit__fd_of(const struct sennit_object *object);

#endif
