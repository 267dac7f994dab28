/* SPDX-License-Identifier: MIT */
/* libuv-echo.c - the same echo server on libuv: one loop per thread, each with its own SO_REUSEPORT
 * listener; the session holds its handle, its one write request and its buffer, so no message
 * costs an allocation. A write is tried at once (uv_try_write, libuv's shortest way: half the
 * instructions of uv_write, and one system call less); only what the socket did not take becomes a
 * request, and reading rests until that is through. */
#include "perf/net/command.h"

#include <uv.h>

struct session {
	uv_tcp_t socket;
	uv_write_t write;
	size_t buffer;
	char data[];
};

struct loop {
	pthread_t thread;
	uv_loop_t uv;
	uv_tcp_t listener;
	size_t buffer;
};

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer);

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void finish(struct session *s)
{
	if (!uv_is_closing((uv_handle_t *)&s->socket))
		uv_close((uv_handle_t *)&s->socket, on_closed);
}

static void on_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	struct session *s = handle->data;

	(void)suggested;
	buffer->base = s->data;
	buffer->len = s->buffer;
}

static void on_written(uv_write_t *write, int error)
{
	struct session *s = write->data;

	if (error || uv_read_start((uv_stream_t *)&s->socket, on_buffer, on_read))
		finish(s);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
	struct session *s = stream->data;
	uv_buf_t rest = uv_buf_init(buffer->base, (unsigned)(size > 0 ? size : 0));
	int sent;

	if (size < 0) {
		finish(s);
		return;
	}
	if (!size)
		return;
	sent = uv_try_write(stream, &rest, 1);
	if (sent == size)
		return;
	if (sent > 0) {
		rest.base += sent;
		rest.len -= (size_t)sent;
	}
	uv_read_stop(stream);
	s->write.data = s;
	if ((sent < 0 && sent != UV_EAGAIN) || uv_write(&s->write, stream, &rest, 1, on_written))
		finish(s);
}

static void on_connection(uv_stream_t *listener, int error)
{
	struct loop *loop = listener->data;
	struct session *s = error ? NULL : calloc(1, sizeof *s + loop->buffer);

	if (!s)
		return;
	s->buffer = loop->buffer;
	s->socket.data = s;
	if (uv_tcp_init(&loop->uv, &s->socket)) {
		free(s);
		return;
	}
	if (uv_accept(listener, (uv_stream_t *)&s->socket) || uv_tcp_nodelay(&s->socket, 1) ||
	    uv_read_start((uv_stream_t *)&s->socket, on_buffer, on_read))
		finish(s);
}

static void *run(void *argument)
{
	struct loop *loop = argument;

	uv_run(&loop->uv, UV_RUN_DEFAULT);
	return NULL;
}

static bool start(struct loop *loop, struct command_server *server)
{
	int fd = command_listen(&server->port);

	loop->buffer = server->buffer;
	loop->listener.data = loop;
	if (fd < 0 || uv_loop_init(&loop->uv) || uv_tcp_init(&loop->uv, &loop->listener) ||
	    uv_tcp_open(&loop->listener, fd) ||
	    uv_listen((uv_stream_t *)&loop->listener, COMMAND_BACKLOG, on_connection))
		return false;
	return !pthread_create(&loop->thread, NULL, run, loop);
}

int main(int argc, char **argv)
{
	struct command_server server = command_server_parse(argc, argv, NULL, NULL);
	sigset_t set = command_block_signals();
	struct loop *loops = calloc(server.workers, sizeof *loops);

	command_raise_descriptor_limit();
	for (uint64_t i = 0; loops && i < server.workers; i++)
		if (!start(&loops[i], &server))
			return 1;
	if (!loops)
		return 1;
	command_peer_serve(&server, "libuv", uv_version_string(),
	                   sizeof(struct session) + server.buffer, set);
	_exit(0); /* the loops never end by themselves */
}
