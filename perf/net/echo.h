/* SPDX-License-Identifier: MIT */
/* echo.h - the calls on TLS streams that sennit-echo makes. Built without TLS, they are there, and
 * the first, which all others need, refuses. */
#ifndef SENNIT_PERF_ECHO_H
#define SENNIT_PERF_ECHO_H

#include <sennit/tls.h>

/* A server's context, never to be freed. Exits with one line on stderr: with 2 where one of the
 * files is missing or there is no TLS in this build, with 1 where they cannot be used. */
struct sennit_tls_context *echo_tls_context(const char *certificate, const char *key);

int echo_tls_open(struct sennit_tls_stream *stream, struct sennit_tls_context *context,
                  struct sennit_stream *lower);
void echo_tls_handshake(struct sennit_tls_stream *stream, struct sennit_op *op,
                        sennit_handler *handler);
void echo_tls_shutdown(struct sennit_tls_stream *stream, struct sennit_op *op,
                       sennit_handler *handler);

#endif
