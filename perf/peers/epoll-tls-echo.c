/* SPDX-License-Identifier: MIT */
/* epoll-tls-echo.c - the floor of TLS: an echo server on a bare epoll loop with OpenSSL's own BIO.
 *
 * One loop and one SO_REUSEPORT listener per worker, as in epoll-echo.c. OpenSSL reads ahead, so a
 * record is one read; level-triggered, so that no read has to find the socket empty: where OpenSSL
 * has nothing left, the kernel tells whether it has more. SSL_read shakes hands by itself. With
 * --release OpenSSL gives its buffers back where they are empty, which costs time and saves
 * memory. */
#include "perf/net/command.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>

enum { EVENTS = 256 };

struct session {
	SSL *ssl;
	int fd;
	bool writable; /* it waits to write; else to read */
	size_t size;   /* bytes of data to be echoed */
	char data[];
};

struct loop {
	pthread_t thread;
	SSL_CTX *context;
	int epoll;
	int listener;
	size_t buffer;
};

static void finish(struct session *s)
{
	SSL_free(s->ssl);
	close(s->fd);
	free(s);
}

static void accept_all(const struct loop *loop)
{
	for (;;) {
		struct epoll_event event = { .events = EPOLLIN };
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
		s->ssl = SSL_new(loop->context);
		event.data.ptr = s;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		if (!s->ssl || !SSL_set_fd(s->ssl, fd) ||
		    epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event)) {
			finish(s);
			continue;
		}
		SSL_set_accept_state(s->ssl);
	}
}

/* After a call that did not go through: waits for what it needs, or ends the session. */
static void wait_or_finish(const struct loop *loop, struct session *s, int result)
{
	int error = SSL_get_error(s->ssl, result);
	bool writable = error == SSL_ERROR_WANT_WRITE;
	struct epoll_event event = { .events = writable ? EPOLLOUT : EPOLLIN, .data.ptr = s };

	if (error != SSL_ERROR_WANT_WRITE && error != SSL_ERROR_WANT_READ) {
		ERR_clear_error(); /* so that it is empty before each call */
		finish(s);
		return;
	}
	if (writable != s->writable && epoll_ctl(loop->epoll, EPOLL_CTL_MOD, s->fd, &event)) {
		finish(s);
		return;
	}
	s->writable = writable;
}

static void serve(const struct loop *loop, struct session *s)
{
	int result;

	do {
		if (!s->size) {
			result = SSL_read(s->ssl, s->data, (int)loop->buffer);
			if (result <= 0) {
				wait_or_finish(loop, s, result);
				return;
			}
			s->size = (size_t)result;
		}
		result = SSL_write(s->ssl, s->data, (int)s->size);
		if (result <= 0) {
			wait_or_finish(loop, s, result);
			return;
		}
		s->size = 0;
	} while (s->writable || SSL_has_pending(s->ssl));
}

static void *run(void *argument)
{
	struct loop *loop = argument;
	struct epoll_event events[EVENTS];

	for (;;) {
		int count = epoll_wait(loop->epoll, events, EVENTS, -1);

		for (int i = 0; i < count; i++) {
			if (events[i].data.ptr)
				serve(loop, events[i].data.ptr);
			else
				accept_all(loop);
		}
	}
	return NULL;
}

static SSL_CTX *make_context(const char *certificate, const char *key, bool release)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	if (!context || SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
	    SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1) {
		ERR_print_errors_fp(stderr);
		exit(1);
	}
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* tickets do it */
	SSL_CTX_set_read_ahead(context, 1);
	if (release)
		SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	return context;
}

static bool start(struct loop *loop, SSL_CTX *context, struct command_server *server)
{
	struct epoll_event event = { .events = EPOLLIN };

	loop->context = context;
	loop->buffer = server->buffer;
	loop->listener = command_listen(&server->port);
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	return loop->listener >= 0 && loop->epoll >= 0 &&
	       !epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->listener, &event) &&
	       !pthread_create(&loop->thread, NULL, run, loop);
}

int main(int argc, char **argv)
{
	const char *certificate = NULL;
	const char *key = NULL;
	bool release = false;
	const struct command_option flag = { "--release", NULL, 0, 0, &release, NULL };
	struct command_server server =
	    command_tls_server_parse(argc, argv, &certificate, &key, &flag);
	sigset_t set = command_block_signals();
	struct loop *loops = calloc(server.workers, sizeof *loops);
	SSL_CTX *context = make_context(certificate, key, release);

	signal(SIGPIPE, SIG_IGN);
	command_raise_descriptor_limit();
	for (uint64_t i = 0; loops && i < server.workers; i++)
		if (!start(&loops[i], context, &server))
			return 1;
	if (!loops)
		return 1;
	command_peer_serve(&server, release ? "epoll-tls-release" : "epoll-tls",
	                   OPENSSL_VERSION_STR, sizeof(struct session) + server.buffer, set);
	_exit(0); /* the loops never end by themselves */
}
