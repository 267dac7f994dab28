/* SPDX-License-Identifier: MIT */
/* tls_https.c - an HTTPS server on every core, until its input ends:
 *
 *         tls_https ENDPOINT CERTIFICATE KEY [CLIENTS' AUTHORITY]
 *
 * It answers each GET with "hello\n" and keeps the connection; where an authority is given, clients
 * must have a certificate of it.
 */
#include <sennit/sennit.h>
#include <sennit/tls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct session {
	struct sennit_tcp_socket socket;
	struct sennit_tls_stream tls;
	struct sennit_op op; /* one at a time */
	size_t used;
	bool last; /* the client wants no more */
	char data[8192];
};

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
			     "Content-Length: 6\r\n\r\nhello\n";
static const char refusal[] = "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n"
			      "Connection: close\r\n\r\n";

static struct sennit_runtime *runtime;
static struct sennit_tls_context *context;
static struct sennit_tcp_acceptor acceptor;
static struct sennit_op accept_op;
static sennit_handler on_accepted, on_connected, on_read, on_written, on_shut_down;

static void accept_next(void)
{
	struct session *s = calloc(1, sizeof *s);

	if (!s)
		abort();
	accept_op.user = s->op.user = s;
	sennit_tcp_socket_init(&s->socket, sennit_runtime_next_worker(runtime));
	sennit_tcp_acceptor_async_accept(&acceptor, &s->socket, &accept_op, on_accepted);
}

/* Closes what is below, too. */
static void end(struct session *s)
{
	sennit_close(&s->tls.stream);
	free(s);
}

static void on_accepted(struct sennit_op *op, int error, size_t bytes)
{
	struct session *s = op->user;

	(void)bytes;
	if (error) { /* the acceptor was closed */
		free(s);
		return;
	}
	if (sennit_tls_stream_open_server(&s->tls, context, &s->socket.stream)) {
		sennit_close(&s->socket.stream);
		free(s);
	} else {
		sennit_tls_async_handshake(&s->tls, &s->op, on_connected);
	}
	accept_next();
}

static void read_more(struct session *s)
{
	sennit_op_expires_after(&s->op, SENNIT_SECONDS(30));
	sennit_async_read_some(&s->tls.stream, s->data + s->used, sizeof s->data - 1 - s->used,
			       &s->op, on_read);
}

static void on_connected(struct sennit_op *op, int error, size_t bytes)
{
	struct session *s = op->user;
	char reason[160];

	(void)bytes;
	if (error) {
		sennit_tls_stream_reason(&s->tls, reason, sizeof reason);
		fprintf(stderr, "handshake: %s: %s\n", sennit_strerror(error), reason);
		end(s);
	} else {
		read_more(s);
	}
}

/* Answers the first request in the buffer, which is whole. */
static void serve(struct session *s, const char *behind)
{
	bool get = !strncmp(s->data, "GET ", 4);
	const char *close = strstr(s->data, "Connection: close");

	s->last = !get || (close && close < behind);
	s->used -= (size_t)(behind - s->data);
	memmove(s->data, behind, s->used);
	s->data[s->used] = '\0';
	if (get)
		sennit_async_write(&s->tls.stream, answer, sizeof answer - 1, &s->op, on_written);
	else
		sennit_async_write(&s->tls.stream, refusal, sizeof refusal - 1, &s->op, on_written);
}

static void go_on(struct session *s)
{
	const char *end_of_request = strstr(s->data, "\r\n\r\n");

	if (end_of_request)
		serve(s, end_of_request + 4);
	else if (s->used == sizeof s->data - 1)
		end(s); /* no request is so long */
	else
		read_more(s);
}

static void on_read(struct sennit_op *op, int error, size_t bytes)
{
	struct session *s = op->user;

	s->used += bytes;
	s->data[s->used] = '\0';
	if (error == SENNIT_EOF) /* in order: so will we */
		sennit_tls_async_shutdown(&s->tls, &s->op, on_shut_down);
	else if (error)
		end(s);
	else
		go_on(s);
}

static void on_written(struct sennit_op *op, int error, size_t bytes)
{
	struct session *s = op->user;

	(void)bytes;
	if (error)
		end(s);
	else if (s->last)
		sennit_tls_async_shutdown(&s->tls, &s->op, on_shut_down);
	else
		go_on(s);
}

static void on_shut_down(struct sennit_op *op, int error, size_t bytes)
{
	(void)error; /* the client did not wait for it: that is its own affair */
	(void)bytes;
	end(op->user);
}

static int set_up(const char *certificate, const char *key, const char *authority)
{
	int error = sennit_tls_context_create(SENNIT_TLS_SERVER, &context);

	if (error)
		return error;
	error = sennit_tls_context_certificate_file(context, certificate, key);
	if (!error && authority)
		error = sennit_tls_context_trust_file(context, authority);
	if (!error && authority)
		error = sennit_tls_context_peer(context, SENNIT_TLS_PEER_MUST);
	if (!error)
		error = sennit_tls_context_alpn(context, (const char *[]){"http/1.1"}, 1);
	if (error)
		fprintf(stderr, "%s\n", sennit_tls_context_error(context));
	return error;
}

int main(int argc, char **argv)
{
	char text[SENNIT_ENDPOINT_TEXT];
	struct sennit_endpoint local;

	if (argc < 4 || set_up(argv[2], argv[3], argc > 4 ? argv[4] : NULL) ||
	    sennit_runtime_create(NULL, &runtime) || sennit_runtime_start(runtime) ||
	    sennit_tcp_acceptor_open(&acceptor, sennit_runtime_executor(runtime), argv[1]) ||
	    sennit_tcp_acceptor_local_endpoint(&acceptor, &local) ||
	    sennit_endpoint_print(&local, text, sizeof text))
		return 1;
	printf("listening %s\n", text);
	fflush(stdout);
	accept_next();
	while (read(STDIN_FILENO, text, sizeof text) > 0)
		;
	sennit_tcp_acceptor_close(&acceptor);
	sennit_runtime_join(runtime); /* until those who are there have gone */
	sennit_runtime_destroy(runtime);
	sennit_tls_context_destroy(context);
}
