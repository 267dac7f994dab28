/* SPDX-License-Identifier: MIT */
/* load_idle.c - connections that are only there, for what a server pays for each of them. */
#include "perf/net/load.h"

#include "perf/net/command.h"

#include <inttypes.h>
#include <poll.h>
#include <time.h>

enum { PER_SOURCE = 16000, CONNECT_S = 5 };

int load_connect(const struct sockaddr_in *server, unsigned source)
{
	struct sockaddr_in own = { .sin_family = AF_INET };
	struct timeval patience = { .tv_sec = CONNECT_S };
	int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	own.sin_addr.s_addr = htonl(INADDR_LOOPBACK + source);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) ||
	    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) ||
	    bind(fd, (struct sockaddr *)&own, sizeof own) ||
	    connect(fd, (const struct sockaddr *)server, sizeof *server)) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}

bool load_echo(int fd, struct ssl_st *ssl, const unsigned char *data, size_t size)
{
	unsigned char back[4096];
	size_t sent = 0;
	size_t received = 0;

	while (received < size) {
		size_t part = size - sent < sizeof back ? size - sent : sizeof back;
		ssize_t n = 0;

		if (part)
			n = ssl ? load_tls_send(ssl, data + sent, part)
				: send(fd, data + sent, part, MSG_NOSIGNAL);
		if (n < 0)
			return false;
		sent += (size_t)n;
		n = ssl ? load_tls_receive(ssl, back, sizeof back)
			: recv(fd, back, sizeof back, 0);
		if (n <= 0 || (size_t)n > sent - received ||
		    memcmp(back, data + received, (size_t)n))
			return false;
		received += (size_t)n;
	}
	return true;
}

static bool open_all(const struct sockaddr_in *server, uint64_t count, bool tls,
                     const unsigned char *data, size_t size, int *fds)
{
	for (uint64_t i = 0; i < count; i++) {
		struct ssl_st *ssl = NULL; /* lives as long as the process */

		fds[i] = load_connect(server, (unsigned)(i / PER_SOURCE));
		if (fds[i] < 0) {
			fprintf(stderr, "sennit-load: connection %" PRIu64 ": %s\n", i,
			        strerror(-fds[i]));
			return false;
		}
		if (tls && !(ssl = load_tls_connect(fds[i]))) {
			fprintf(stderr, "sennit-load: connection %" PRIu64 ": no handshake\n", i);
			return false;
		}
		if (data && !load_echo(fds[i], ssl, data, size)) {
			fprintf(stderr, "sennit-load: connection %" PRIu64 ": no good echo\n", i);
			return false;
		}
	}
	return true;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void hold(uint64_t limit_s)
{
	struct pollfd input = { .fd = 0, .events = POLLIN };
	int64_t end = now_ms() + (int64_t)limit_s * 1000;
	int64_t left;
	char ignored[256];

	while ((left = end - now_ms()) > 0) {
		int ready = poll(&input, 1, left < 1000 ? (int)left : 1000);

		if (ready > 0 && read(0, ignored, sizeof ignored) <= 0)
			return;
	}
}

int load_idle(const struct sockaddr_in *server, uint64_t count, bool tls,
              const unsigned char *data, size_t size, uint64_t limit_s)
{
	int *fds = calloc(count, sizeof *fds);

	if (!fds || !open_all(server, count, tls, data, size, fds)) {
		free(fds);
		return 1;
	}
	printf("idle %" PRIu64 "\n", count);
	fflush(stdout);
	hold(limit_s);
	free(fds);
	return 0;
}
