/* SPDX-License-Identifier: MIT */
/* load.h - what the parts of sennit-load know of each other. */
#ifndef SENNIT_PERF_LOAD_H
#define SENNIT_PERF_LOAD_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

/* Connects, blocking at most 5 s; the descriptor, or -errno. `source` chooses 127.0.0.(1 + source)
 * as the own address: each has ephemeral ports of its own. */
int load_connect(const struct sockaddr_in *server, unsigned source);

/* Opens `count` connections, on each of which `size` bytes of `data` are echoed once unless it is
 * NULL; says `idle COUNT` and holds them until stdin closes, at most `limit_s`. An exit status. */
int load_idle(const struct sockaddr_in *server, uint64_t count, const unsigned char *data,
              size_t size, uint64_t limit_s);

#endif
