/* SPDX-License-Identifier: MIT */
/* tcp_options.h - socket options by sennit's names, on a plain descriptor. */
#ifndef SENNIT__IO_TCP_OPTIONS_H
#define SENNIT__IO_TCP_OPTIONS_H

#include <sennit/tcp.h>

/* Sets an option. Returns 0, -EINVAL (no such option, or a value that it cannot have), or what the
 * system reports. Any thread; neither blocks nor allocates. */
int sennit__tcp_option_set(int fd, enum sennit_tcp_option option, int value);

/* Reads an option into *value, which is set on success only. Returns as above. */
int sennit__tcp_option_get(int fd, enum sennit_tcp_option option, int *value);

#endif
