/* SPDX-License-Identifier: MIT */
/* epoll-echo.c - the floor: what an echo server on a bare epoll loop through glibc costs.
 *
 * One loop and one SO_REUSEPORT listener per worker, each on a thread of its own even where there
 * is one, so that glibc's cancellation points cost what they cost in any threaded process. Sockets
 * are registered once, edge-triggered, both directions; the call is tried first, and a short read
 * proves the socket empty unless the event told of its end. */
#include "perf/net/command.h"

#include <gnu/libc-version.h>
#include <sys/epoll.h>

enum { EVENTS = 256 };

struct session {
	int fd;
	size_t size; /* bytes of data to be echoed */
	size_t sent; /* of these, sent */
	char data[];
};

struct loop {
	pthread_t thread;
	int epoll;
	int listener;
	size_t buffer;
};

static void finish(struct session *s)
{
	close(s->fd);
	free(s);
}

static void accept_all(const struct loop *loop)
{
	for (;;) {
		struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET };
		struct session *s;
		int on = 1;
		int fd = accept4(loop->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		s = calloc(1, sizeof *s + loop->buffer);
		if (!s) {
			close(fd);
			return;
		}
		s->fd = fd;
		event.data.ptr = s;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event))
			finish(s);
	}
}

/* Writes what is left of what was read: true once all of it is written. */
static bool write_rest(struct session *s)
{
	while (s->sent < s->size) {
		ssize_t n = write(s->fd, s->data + s->sent, s->size - s->sent);

		if (n < 0) {
			if (errno != EAGAIN)
				finish(s);
			return false;
		}
		s->sent += (size_t)n;
	}
	s->size = 0;
	return true;
}

static void serve(struct session *s, size_t buffer, uint32_t events)
{
	if (s->size && !write_rest(s))
		return;
	for (;;) {
		ssize_t size = read(s->fd, s->data, buffer);
		ssize_t sent;

		if (size <= 0) {
			if (!size || errno != EAGAIN)
				finish(s);
			return;
		}
		sent = write(s->fd, s->data, (size_t)size);
		if (sent < size) {
			s->size = (size_t)size;
			s->sent = sent > 0 ? (size_t)sent : 0;
			if (!write_rest(s))
				return;
		}
		if ((size_t)size < buffer && !(events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
			return;
	}
}

static void *run(void *argument)
{
	struct loop *loop = argument;
	struct epoll_event events[EVENTS];

	for (;;) {
		int count = epoll_wait(loop->epoll, events, EVENTS, -1);

		for (int i = 0; i < count; i++) {
			if (events[i].data.ptr)
				serve(events[i].data.ptr, loop->buffer, events[i].events);
			else
				accept_all(loop);
		}
	}
	return NULL;
}

static bool start(struct loop *loop, struct command_server *server)
{
	struct epoll_event event = { .events = EPOLLIN };

	loop->buffer = server->buffer;
	loop->listener = command_listen(&server->port);
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	return loop->listener >= 0 && loop->epoll >= 0 &&
	       !epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->listener, &event) &&
	       !pthread_create(&loop->thread, NULL, run, loop);
}

int main(int argc, char **argv)
{
	struct command_server server = command_server_parse(argc, argv, NULL, NULL);
	sigset_t set = command_block_signals();
	struct loop *loops = calloc(server.workers, sizeof *loops);

	signal(SIGPIPE, SIG_IGN);
	command_raise_descriptor_limit();
	for (uint64_t i = 0; loops && i < server.workers; i++)
		if (!start(&loops[i], &server))
			return 1;
	if (!loops)
		return 1;
	command_peer_serve(&server, "epoll", gnu_get_libc_version(),
	                   sizeof(struct session) + server.buffer, set);
	_exit(0); /* the loops never end by themselves */
}
