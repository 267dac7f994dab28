/* SPDX-License-Identifier: MIT */
/* echo.c - an echo server on every core: echo [ENDPOINT]. */
#include <sennit/sennit.h>
#include <stdio.h>
#include <stdlib.h>

struct session {
	struct sennit_tcp_socket socket;
	struct sennit_op op;
	char data[4096];
};

static struct sennit_runtime *runtime;
static struct sennit_tcp_acceptor acceptor;
static struct sennit_op accept_op;
static sennit_handler on_accepted, on_read, on_written;

static void accept_next(void)
{
	struct session *s = calloc(1, sizeof *s);

	if (!s)
		abort();
	accept_op.user = s->op.user = s;
	sennit_tcp_socket_init(&s->socket, sennit_runtime_next_worker(runtime));
	sennit_tcp_acceptor_async_accept(&acceptor, &s->socket, &accept_op, on_accepted);
}

static void on_accepted(struct sennit_op *op, int error, size_t bytes)
{
	struct session *s = op->user;

	if (error) { /* -ECANCELED, SENNIT_SHUTDOWN; EMFILE never arrives here */
		free(s);
		return;
	}
	on_written(&s->op, 0, bytes);
	accept_next();
}

static void on_written(struct sennit_op *op, int error, size_t bytes)
{
	struct session *s = op->user;

	(void)bytes;
	if (error) {
		sennit_close(&s->socket.stream);
		free(s);
	} else {
		sennit_async_read_some(&s->socket.stream, s->data, sizeof s->data, op, on_read);
	}
}

static void on_read(struct sennit_op *op, int error, size_t bytes)
{
	struct session *s = op->user;

	if (error) { /* SENNIT_EOF, -ECONNRESET ... */
		sennit_close(&s->socket.stream);
		free(s);
	} else {
		sennit_async_write(&s->socket.stream, s->data, bytes, op, on_written);
	}
}

int main(int argc, char **argv)
{
	const char *where = argc > 1 ? argv[1] : "127.0.0.1:7777";
	char text[SENNIT_ENDPOINT_TEXT];
	struct sennit_endpoint local;

	if (sennit_runtime_create(NULL, &runtime) || sennit_runtime_start(runtime) ||
	    sennit_tcp_acceptor_open(&acceptor, sennit_runtime_executor(runtime), where) ||
	    sennit_tcp_acceptor_local_endpoint(&acceptor, &local) ||
	    sennit_endpoint_print(&local, text, sizeof text))
		return 1;
	printf("listening %s\n", text);
	fflush(stdout);
	accept_next();
	sennit_runtime_join(runtime); /* until no work is left: here, for ever */
	sennit_runtime_destroy(runtime);
}
