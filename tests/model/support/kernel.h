/* SPDX-License-Identifier: MIT */
/* kernel.h - what models of the whole library, io/ included, have in place of the kernel:
 * io/sys/sys.h.
 *
 * Linked where a model includes this. A descriptor's number is never used again in an execution;
 * whatever is done to one that is closed fails. Steps order no memory, so nothing under test may
 * rely on the kernel for that.
 *
 *   eventfd      a counter; epoll reports it as long as it is not 0.
 *   epoll        descriptors that are registered edge-triggered are reported once for each edge.
 *   stream       a local socket whose other end is the model: what that sent can be read, and each
 *                write is taken whole, unless it was told to take nothing.
 *
 * A call that no scenario reaches fails.
 */
#ifndef SENNIT_TESTS_MODEL_SUPPORT_KERNEL_H
#define SENNIT_TESTS_MODEL_SUPPORT_KERNEL_H

#include <stdbool.h>

/* A kernel without descriptors: the first thing in a scenario. */
void kernel_new(void);

/* From here on who reads an eventfd has seen what its writers did before, as it is with Linux. */
void kernel_let_eventfds_order(void);

/* A stream from whose other end `data` has come already. */
int kernel_stream(const char *data);

/* Its other end takes nothing any more: a write would wait. */
void kernel_take_nothing(int fd);

/* The other end sends `data`, on any thread. Before that thread is started the descriptor was
 * announced as one that others use. */
void kernel_announce_sender(int fd);
void kernel_send(int fd, const char *data);

/* How many bytes the other end has got. */
unsigned kernel_taken(int fd);

/* Closes a descriptor as its user would. */
void kernel_close(int fd);

bool kernel_is_open(int fd);

/* How many descriptors are open. */
unsigned kernel_open_count(void);

/* Of those that model_blocks() counts, its own. */
unsigned kernel_blocks(void);

#endif
