/* SPDX-License-Identifier: MIT */
/* echo_tls.c - see echo.h. SENNIT_PERF_TLS: 1 where sennit-tls is built. */
#include "perf/net/echo.h"

#include "perf/net/command.h"

static _Noreturn void refuse(int status, const char *why)
{
	fprintf(stderr, "sennit-echo: %s\n", why);
	exit(status);
}

#if SENNIT_PERF_TLS

struct sennit_tls_context *echo_tls_context(const char *certificate, const char *key)
{
	struct sennit_tls_context *context;

	if (!certificate || !key)
		refuse(COMMAND_USAGE, "--tls-certificate=FILE and --tls-key=FILE go together");
	if (sennit_tls_context_create(SENNIT_TLS_SERVER, &context))
		refuse(1, "out of memory");
	if (sennit_tls_context_certificate_file(context, certificate, key))
		refuse(1, sennit_tls_context_error(context));
	return context;
}

int echo_tls_open(struct sennit_tls_stream *stream, struct sennit_tls_context *context,
                  struct sennit_stream *lower)
{
	return sennit_tls_stream_open_server(stream, context, lower);
}

void echo_tls_handshake(struct sennit_tls_stream *stream, struct sennit_op *op,
                        sennit_handler *handler)
{
	sennit_tls_async_handshake(stream, op, handler);
}

void echo_tls_shutdown(struct sennit_tls_stream *stream, struct sennit_op *op,
                       sennit_handler *handler)
{
	sennit_tls_async_shutdown(stream, op, handler);
}

#else

static const char without[] = "sennit was configured without TLS (SENNIT_TLS=OFF)";

struct sennit_tls_context *echo_tls_context(const char *certificate, const char *key)
{
	(void)certificate;
	(void)key;
	refuse(COMMAND_USAGE, without);
}

int echo_tls_open(struct sennit_tls_stream *stream, struct sennit_tls_context *context,
                  struct sennit_stream *lower)
{
	(void)stream;
	(void)context;
	(void)lower;
	refuse(COMMAND_USAGE, without);
}

void echo_tls_handshake(struct sennit_tls_stream *stream, struct sennit_op *op,
                        sennit_handler *handler)
{
	(void)stream;
	(void)op;
	(void)handler;
	refuse(COMMAND_USAGE, without);
}

void echo_tls_shutdown(struct sennit_tls_stream *stream, struct sennit_op *op,
                       sennit_handler *handler)
{
	echo_tls_handshake(stream, op, handler);
}

#endif
