/* SPDX-License-Identifier: MIT */
/* descriptor.c - any POSIX descriptor as a stream: fd.c does the work. */
#include <sennit/descriptor.h>

#include "io/fd.h"
#include "io/sys/sys.h"

#include <sennit/error.h>

void sennit_descriptor_init(struct sennit_descriptor *descriptor, struct sennit_executor *executor)
{
	sennit__object_init(&descriptor->stream.object_, executor);
}

int sennit_descriptor_assign(struct sennit_descriptor *descriptor, struct sennit_executor *executor,
			     int fd)
{
	return sennit__fd_adopt(&descriptor->stream.object_, executor, fd, 0);
}

int sennit_descriptor_release(struct sennit_descriptor *descriptor, int *fd)
{
	return sennit__object_release(&descriptor->stream.object_, fd);
}

int sennit_descriptor_native_handle(const struct sennit_descriptor *descriptor)
{
	return sennit__fd_show(&descriptor->stream.object_);
}

int sennit_descriptor_pair(struct sennit_descriptor *first, struct sennit_descriptor *second,
			   struct sennit_executor *executor)
{
	struct sennit_object *objects[] = {&first->stream.object_, &second->stream.object_};
	int fds[2];
	int error;

	if (first == second)
		sennit__misuse("sennit_descriptor_pair", "both are the same descriptor");
	if (sennit__object_slot(objects[0]) || sennit__object_slot(objects[1]))
		return SENNIT_ALREADY_OPEN;
	error = sennit__sys_socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
	if (error)
		return error;
	return sennit__fd_adopt_pair(objects, executor, executor, fds);
}
