/* SPDX-License-Identifier: MIT */
/* tls_client.c - carries lines to a TLS server and back:
 *
 *         tls_client HOST:PORT NAME AUTHORITY [CERTIFICATE KEY] < lines
 *
 * NAME is the server's, AUTHORITY a file with whom to trust. It connects twice, the second time
 * with the session of the first, and says both times what was agreed on, in one line, and behind it
 * what the server has answered: as much as it was told.
 */
#include <sennit/sennit.h>
#include <sennit/tls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST 65536

static struct sennit_runtime *runtime;
static struct sennit_tls_context *context;

static void check(int error, const char *what)
{
	if (error) {
		fprintf(stderr, "%s: %s\n", what, sennit_strerror(error));
		exit(1);
	}
}

static void set_up(char **argv, int argc)
{
	int error;

	check(sennit_tls_context_create(SENNIT_TLS_CLIENT, &context), "context");
	error = sennit_tls_context_trust_file(context, argv[3]);
	if (!error && argc > 5)
		error = sennit_tls_context_certificate_file(context, argv[4], argv[5]);
	check(error, sennit_tls_context_error(context));
}

/* This thread waits for each operation. */
#define AWAIT(future, bytes, call)                                                                 \
	((void)(call), sennit_future_wait((future), UINT64_MAX, (bytes)))

static void shake_hands(struct sennit_tls_stream *tls)
{
	struct sennit_future future = {0};
	char reason[200];

	if (AWAIT(&future, NULL,
		  sennit_tls_async_handshake(tls, &future.op, sennit_future_complete))) {
		sennit_tls_stream_reason(tls, reason, sizeof reason);
		fprintf(stderr, "handshake: %s\n", reason);
		exit(1);
	}
	printf("%s %s%s\n",
	       sennit_tls_stream_version(tls) == SENNIT_TLS_1_3 ? "TLS 1.3" : "TLS 1.2",
	       sennit_tls_stream_cipher(tls), sennit_tls_stream_resumed(tls) ? " resumed" : "");
}

/* Says it, and prints as much of the answer. */
static void talk(struct sennit_tls_stream *tls, const char *text, size_t size)
{
	struct sennit_future future = {0};
	static char answer[MOST];

	check(AWAIT(&future, NULL,
		    sennit_async_write(&tls->stream, text, size, &future.op,
				       sennit_future_complete)),
	      "write");
	check(AWAIT(&future, NULL,
		    sennit_async_read(&tls->stream, answer, size, &future.op,
				      sennit_future_complete)),
	      "read");
	fwrite(answer, 1, size, stdout);
}

/* A connection from its beginning to its end; returns a session to resume, or NULL. */
static struct sennit_tls_session *visit(const struct sennit_endpoint *server, const char *name,
					struct sennit_tls_session *earlier, const char *text,
					size_t size)
{
	struct sennit_future future = {0};
	struct sennit_tls_session *session = NULL;
	struct sennit_tls_stream tls = {0};
	struct sennit_tcp_socket socket;

	sennit_tcp_socket_init(&socket, sennit_runtime_executor(runtime));
	check(AWAIT(&future, NULL,
		    sennit_tcp_socket_async_connect(&socket, server, &future.op,
						    sennit_future_complete)),
	      "connect");
	check(sennit_tls_stream_open_client(&tls, context, &socket.stream, name), name);
	if (earlier)
		check(sennit_tls_stream_resume(&tls, earlier), "resume");
	shake_hands(&tls);
	talk(&tls, text, size);
	sennit_tls_stream_session(&tls, &session); /* where there is one by now */
	AWAIT(&future, NULL, sennit_tls_async_shutdown(&tls, &future.op, sennit_future_complete));
	sennit_close(&tls.stream);
	return session;
}

int main(int argc, char **argv)
{
	struct sennit_tls_session *sessions[2];
	struct sennit_endpoint server;
	static char text[MOST];
	size_t size = fread(text, 1, sizeof text, stdin);

	if (argc < 4)
		return 2;
	set_up(argv, argc);
	check(sennit_endpoint_parse(&server, argv[1]), argv[1]);
	check(sennit_runtime_create(NULL, &runtime), "runtime");
	check(sennit_runtime_start(runtime), "runtime");
	sessions[0] = visit(&server, argv[2], NULL, text, size);
	sessions[1] = visit(&server, argv[2], sessions[0], text, size);
	sennit_tls_session_free(sessions[0]);
	sennit_tls_session_free(sessions[1]);
	sennit_runtime_destroy(runtime);
	sennit_tls_context_destroy(context);
}
