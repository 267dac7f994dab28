/* SPDX-License-Identifier: MIT */
/* load.h - what the parts of sennit-load know of each other. */
#ifndef SENNIT_PERF_LOAD_H
#define SENNIT_PERF_LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct ssl_st; /* OpenSSL's SSL: only load_tls.c knows it */
struct ssl_session_st;

/* Connects, blocking at most 5 s; the descriptor, or -errno. `source` chooses 127.0.0.(1 + source)
 * as the own address: each has ephemeral ports of its own. */
int load_connect(const struct sockaddr_in *server, unsigned source);

/* Has `size` bytes of `data` echoed, blocking; `ssl` NULL: without TLS. */
bool load_echo(int fd, struct ssl_st *ssl, const unsigned char *data, size_t size);

/* Opens `count` connections, on each of which `size` bytes of `data` are echoed once unless it is
 * NULL; says `idle COUNT` and holds them until stdin closes, at most `limit_s`. An exit status. */
int load_idle(const struct sockaddr_in *server, uint64_t count, bool tls,
              const unsigned char *data, size_t size, uint64_t limit_s);

/* --- load_tls.c ------------------------------------------------------------------------------- */

/* Before all else; exits with 2 where this build has no TLS. */
void load_tls_prepare(void);

/* Shakes hands on a connected descriptor, which blocks; NULL where that fails. */
struct ssl_st *load_tls_connect(int fd);

/* From now on the calls below do not block. */
void load_tls_unblock(struct ssl_st *ssl);

/* As send and recv: a count, 0 for the end, or -1 with errno. What EAGAIN was said to is offered
 * again, at least as much of it. */
ssize_t load_tls_send(struct ssl_st *ssl, const void *data, size_t size);
ssize_t load_tls_receive(struct ssl_st *ssl, void *data, size_t size);

/* Whether bytes were taken from the socket that load_tls_receive has not returned yet. */
bool load_tls_pending(const struct ssl_st *ssl);

/* Sends close_notify and frees it; the descriptor is the caller's. NULL does nothing. */
void load_tls_end(struct ssl_st *ssl);

/* A whole connection: handshake, one echo, end. NULL, or what went wrong. Where `session` is not
 * NULL, *session (NULL before the first) is resumed, and becomes that of this connection. */
const char *load_tls_once(const struct sockaddr_in *server, unsigned source,
                          struct ssl_session_st **session, const unsigned char *data, size_t size);

#endif
