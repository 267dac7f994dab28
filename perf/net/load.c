/* SPDX-License-Identifier: MIT */
/* load.c - sennit-load: drives an echo server on the loopback, and checks every byte it gives back.
 *
 * A plain epoll client, no library. Each connection keeps `pipeline` requests outstanding; request
 * k of connection c is `size` bytes of one random table at an offset that only c and k decide, so
 * an answer that is late, doubled, mixed or from another connection is seen. Latency counts from
 * the moment a request was to be sent, whether or not the socket took it. With --requests exactly
 * that many are made; with --seconds the clock ends them; either way every answer is waited for,
 * so that what is counted was served. The first wrong byte or failing connection ends a thread's
 * part, and the exit status is 1.
 *
 * --tls: the same over TLS. --handshakes: each request has a connection of its own, from the
 * handshake to the end, one at a time in each thread; with --resume only a thread's first handshake
 * is a full one. */
#include "perf/net/load.h"

#include "perf/net/command.h"
#include "perf/net/histogram.h"

#include <inttypes.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <time.h>

enum { TABLE = 1 << 16, RECEIVE = 1 << 16, GATHER = 64, EVENTS = 256, STALL_S = 10, SOURCES = 64 };

struct settings {
	uint64_t port;
	uint64_t connections;
	uint64_t size;
	uint64_t requests;
	uint64_t seconds_ms;
	uint64_t threads;
	uint64_t pipeline;
	uint64_t limit_s;
	uint64_t idle;
	const char *seconds;
	const char *address;
	bool touch;
	bool json;
	bool tls;
	bool handshakes;
	bool resume;
};

/* Requests are counted from 0: [0, received) answered, [received, begun) outstanding. */
struct connection {
	int fd;
	struct ssl_st *ssl; /* NULL: without TLS */
	uint64_t index;
	uint64_t begun;
	uint64_t sent; /* of these, handed to the socket whole */
	uint64_t received;
	size_t sent_part;     /* bytes of request `sent` that the socket has */
	size_t received_part; /* bytes of the answer to request `received` that came */
	uint64_t *begun_ns;   /* when request k began, at k modulo pipeline */
};

struct worker {
	pthread_t thread;
	int epoll;
	bool failed;
	uint64_t count; /* connections of this thread */
	uint64_t first; /* index of the first of them */
	uint64_t left;  /* requests that may still begin */
	uint64_t outstanding;
	uint64_t start_ns;
	uint64_t end_ns;
	struct connection *connections;
	unsigned char *received;
	struct histogram latency;
};

static struct settings settings = {
	.connections = 64,
	.size = 64,
	.threads = 1,
	.pipeline = 1,
	.limit_s = 300,
	.address = "127.0.0.1",
};
static struct sockaddr_in server;
static unsigned char *table; /* TABLE + size bytes */
static pthread_barrier_t all_connected;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static const unsigned char *content(const struct connection *c, uint64_t request)
{
	return table + (c->index * 7919 + request * 131) % TABLE;
}

static bool fail(struct worker *w, const struct connection *c, const char *what, int error)
{
	fprintf(stderr, "sennit-load: connection %" PRIu64 ", request %" PRIu64 ": %s%s%s\n",
	        c->index, c->received, what, error ? ": " : "", error ? strerror(error) : "");
	w->failed = true;
	return false;
}

/* Hands the socket what has begun and not been sent. */
static bool send_begun(struct worker *w, struct connection *c)
{
	while (c->sent < c->begun) {
		struct iovec parts[GATHER];
		struct msghdr message = { .msg_iov = parts };
		size_t skip = c->sent_part;
		ssize_t n;

		for (uint64_t k = c->sent; k < c->begun && message.msg_iovlen < GATHER; k++) {
			struct iovec *part = &parts[message.msg_iovlen++];

			part->iov_base = (void *)(uintptr_t)(content(c, k) + skip);
			part->iov_len = settings.size - skip;
			skip = 0;
		}
		if (c->ssl)
			n = load_tls_send(c->ssl, parts[0].iov_base, parts[0].iov_len);
		else
			n = sendmsg(c->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0)
			return fail(w, c, "send", errno);
		c->sent_part += (size_t)n;
		c->sent += c->sent_part / settings.size;
		c->sent_part %= settings.size;
	}
	return true;
}

static bool begin(struct worker *w, struct connection *c, uint64_t now)
{
	while (w->left && c->begun - c->received < settings.pipeline) {
		c->begun_ns[c->begun % settings.pipeline] = now;
		c->begun++;
		w->left--;
		w->outstanding++;
	}
	return send_begun(w, c);
}

/* Compares what came with what was sent, and ends the requests that it completes. */
static bool check(struct worker *w, struct connection *c, const unsigned char *data, size_t size,
                  uint64_t now)
{
	while (size) {
		size_t part = settings.size - c->received_part;

		if (part > size)
			part = size;
		if (c->received == c->begun)
			return fail(w, c, "more came back than was sent", 0);
		if (memcmp(data, content(c, c->received) + c->received_part, part))
			return fail(w, c, "wrong bytes came back", 0);
		data += part;
		size -= part;
		c->received_part += part;
		if (c->received_part < settings.size)
			continue;
		histogram_add(&w->latency, now - c->begun_ns[c->received % settings.pipeline]);
		c->received_part = 0;
		c->received++;
		w->outstanding--;
	}
	return true;
}

/* The socket is ready for something: takes all answers that came, then begins what may follow. */
static bool on_event(struct worker *w, struct connection *c)
{
	ssize_t n;
	uint64_t now;
	bool more;

	do {
		n = c->ssl ? load_tls_receive(c->ssl, w->received, RECEIVE)
			   : recv(c->fd, w->received, RECEIVE, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return send_begun(w, c);
		if (n < 0)
			return fail(w, c, "receive", errno);
		if (!n)
			return fail(w, c, "closed by the server", 0);
		now = now_ns();
		if (!check(w, c, w->received, (size_t)n, now))
			return false;
		/* a record says nothing of the socket, but who owes nothing sends nothing */
		more = c->ssl ? load_tls_pending(c->ssl) || c->received < c->begun : n == RECEIVE;
		if (!begin(w, c, now))
			return false;
	} while (more);
	return true;
}

static bool connect_one(struct worker *w, struct connection *c)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c };

	c->begun_ns = calloc(settings.pipeline, sizeof *c->begun_ns);
	if (!c->begun_ns)
		return fail(w, c, "memory", ENOMEM);
	c->fd = load_connect(&server, 0);
	if (c->fd < 0)
		return fail(w, c, "connect", -c->fd);
	if (settings.tls && !(c->ssl = load_tls_connect(c->fd)))
		return fail(w, c, "no handshake", 0);
	if (c->ssl)
		load_tls_unblock(c->ssl);
	if (epoll_ctl(w->epoll, EPOLL_CTL_ADD, c->fd, &event))
		return fail(w, c, "epoll_ctl", errno);
	return true;
}

static bool connect_all(struct worker *w)
{
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	w->connections = calloc(w->count, sizeof *w->connections);
	w->received = malloc(RECEIVE);
	if (w->epoll < 0 || !w->connections || !w->received) {
		fprintf(stderr, "sennit-load: %s\n", strerror(errno));
		w->failed = true;
		return false;
	}
	for (uint64_t i = 0; i < w->count; i++) {
		w->connections[i].fd = -1;
		w->connections[i].index = w->first + i;
	}
	for (uint64_t i = 0; i < w->count; i++)
		if (!connect_one(w, &w->connections[i]))
			return false;
	return true;
}

static void disconnect_all(struct worker *w)
{
	for (uint64_t i = 0; w->connections && i < w->count; i++) {
		load_tls_end(w->connections[i].ssl);
		if (w->connections[i].fd >= 0)
			close(w->connections[i].fd);
		free(w->connections[i].begun_ns);
	}
	free(w->connections);
	free(w->received);
	if (w->epoll >= 0)
		close(w->epoll);
}

/* Until nothing is left to begin and nothing is outstanding, or something fails. */
static void drive(struct worker *w)
{
	struct epoll_event events[EVENTS];
	uint64_t progress = w->start_ns;
	uint64_t now = w->start_ns;

	for (uint64_t i = 0; i < w->count; i++)
		if (!begin(w, &w->connections[i], now))
			return;
	while (w->left || w->outstanding) {
		int count = epoll_wait(w->epoll, events, EVENTS, 1000);
		uint64_t before = w->latency.count;

		for (int i = 0; i < count; i++)
			if (!on_event(w, events[i].data.ptr))
				return;
		now = now_ns();
		if (settings.seconds_ms && now - w->start_ns >= settings.seconds_ms * 1000000U)
			w->left = 0;
		if (w->latency.count > before)
			progress = now;
		if (now - progress > STALL_S * 1000000000ULL ||
		    now - w->start_ns > settings.limit_s * 1000000000U) {
			fail(w, &w->connections[0], "no end in sight, giving up", 0);
			return;
		}
	}
}

/* One connection after the other; their own addresses change, so that ports do not run out. */
static void drive_handshakes(struct worker *w)
{
	struct ssl_session_st *session = NULL;

	while (w->left) {
		struct connection c = { .index = w->first, .received = w->latency.count };
		uint64_t begun = now_ns();
		const char *why = load_tls_once(&server, (unsigned)(c.received % SOURCES),
		                                settings.resume ? &session : NULL, content(&c, 0),
		                                settings.size);
		uint64_t now = now_ns();

		if (why) {
			fail(w, &c, why, 0);
			return;
		}
		histogram_add(&w->latency, now - begun);
		w->left--;
		if (settings.seconds_ms && now - w->start_ns >= settings.seconds_ms * 1000000U)
			w->left = 0;
	}
}

static void *work(void *argument)
{
	struct worker *w = argument;
	bool connected = settings.handshakes || connect_all(w);

	pthread_barrier_wait(&all_connected);
	w->start_ns = now_ns();
	if (settings.handshakes)
		drive_handshakes(w);
	else if (connected)
		drive(w);
	w->end_ns = now_ns();
	disconnect_all(w);
	return NULL;
}

static int report(const struct worker *workers)
{
	struct histogram *all = calloc(1, sizeof *all);
	uint64_t start = UINT64_MAX;
	uint64_t end = 0;
	int errors = 0;
	double seconds;

	if (!all)
		return 1;
	for (uint64_t i = 0; i < settings.threads; i++) {
		histogram_merge(all, &workers[i].latency);
		start = workers[i].start_ns < start ? workers[i].start_ns : start;
		end = workers[i].end_ns > end ? workers[i].end_ns : end;
		errors += workers[i].failed;
	}
	seconds = (double)(end - start) / 1e9;
	printf(settings.json ? "{\"requests\": %" PRIu64 ", \"seconds\": %.6f, "
	                       "\"requests_per_s\": %.1f, \"p50_us\": %.2f, \"p99_us\": %.2f, "
	                       "\"max_us\": %.2f, \"errors\": %d}\n"
	                     : "requests %" PRIu64 "\nseconds %.6f\nrequests/s %.1f\np50 %.2f us\n"
	                       "p99 %.2f us\nmax %.2f us\nerrors %d\n",
	       all->count, seconds, (double)all->count / seconds,
	       (double)histogram_quantile(all, 500) / 1e3,
	       (double)histogram_quantile(all, 990) / 1e3, (double)all->max / 1e3, errors);
	free(all);
	return errors ? 1 : 0;
}

static int run(void)
{
	struct worker *workers = calloc(settings.threads, sizeof *workers);
	uint64_t first = 0;
	int status;

	if (!workers || pthread_barrier_init(&all_connected, NULL, (unsigned)settings.threads))
		return 1;
	for (uint64_t i = 0; i < settings.threads; i++) {
		struct worker *w = &workers[i];
		uint64_t later = settings.threads - i - 1;

		w->epoll = -1;
		w->first = first;
		w->count = (settings.connections + later) / settings.threads;
		w->left =
		    settings.requests ? (settings.requests + later) / settings.threads : UINT64_MAX;
		first += w->count;
		if (pthread_create(&w->thread, NULL, work, w)) {
			fprintf(stderr, "sennit-load: cannot start a thread\n");
			exit(1);
		}
	}
	for (uint64_t i = 0; i < settings.threads; i++)
		pthread_join(workers[i].thread, NULL);
	status = report(workers);
	free(workers);
	return status;
}

static bool make_table(void)
{
	uint64_t state = 0x9e3779b97f4a7c15U;

	table = malloc(TABLE + settings.size);
	for (size_t i = 0; table && i < TABLE + settings.size; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		table[i] = (unsigned char)(state >> 32);
	}
	return table;
}

/* What options cannot say alone: exits with 2 and one line if the whole makes no sense. */
static void settle(void)
{
	const char *why = NULL;
	char *end = NULL;
	double seconds = settings.seconds ? strtod(settings.seconds, &end) : 0;

	server.sin_family = AF_INET;
	server.sin_port = htons((uint16_t)settings.port);
	if (inet_pton(AF_INET, settings.address, &server.sin_addr) != 1 ||
	    ntohl(server.sin_addr.s_addr) >> 24 != 127)
		why = "--address is not on the loopback (127.0.0.0/8)";
	else if (!settings.port)
		why = "--port=PORT is needed";
	else if (end && (*end || !(seconds >= 0.01 && seconds <= 3600)))
		why = "--seconds is not between 0.01 and 3600";
	else if (!!settings.requests + !!end + !!settings.idle > 1)
		why = "one of --requests, --seconds and --idle";
	else if (settings.handshakes > settings.tls || settings.resume > settings.handshakes)
		why = "--resume is for --handshakes, and those for --tls";
	else if (settings.threads > settings.connections)
		why = "more threads than connections";
	if (why) {
		fprintf(stderr, "sennit-load: %s\n", why);
		exit(COMMAND_USAGE);
	}
	if (!settings.requests)
		settings.seconds_ms = end ? (uint64_t)(seconds * 1e3) : 1000;
	settings.limit_s += settings.seconds_ms / 1000;
}

int main(int argc, char **argv)
{
	const struct command_option options[] = {
		{ .name = "--port", .number = &settings.port, .min = 1, .max = 65535 },
		{ .name = "--address", .word = &settings.address },
		{ .name = "--connections",
		  .number = &settings.connections,
		  .min = 1,
		  .max = 1 << 20 },
		{ .name = "--size", .number = &settings.size, .min = 1, .max = 1 << 24 },
		{ .name = "--requests", .number = &settings.requests, .min = 1, .max = 1ULL << 40 },
		{ .name = "--seconds", .word = &settings.seconds },
		{ .name = "--threads", .number = &settings.threads, .min = 1, .max = 256 },
		{ .name = "--pipeline", .number = &settings.pipeline, .min = 1, .max = 1 << 16 },
		{ .name = "--limit", .number = &settings.limit_s, .min = 1, .max = 86400 },
		{ .name = "--idle", .number = &settings.idle, .min = 1, .max = 1 << 20 },
		{ .name = "--touch", .flag = &settings.touch },
		{ .name = "--json", .flag = &settings.json },
		{ .name = "--tls", .flag = &settings.tls },
		{ .name = "--handshakes", .flag = &settings.handshakes },
		{ .name = "--resume", .flag = &settings.resume },
	};

	command_parse(argc, argv, options, sizeof options / sizeof *options);
	settle();
	command_raise_descriptor_limit();
	if (settings.tls)
		load_tls_prepare();
	if (!make_table()) {
		fprintf(stderr, "sennit-load: out of memory\n");
		return 1;
	}
	if (settings.idle)
		return load_idle(&server, settings.idle, settings.tls,
		                 settings.touch ? table : NULL, settings.size, settings.limit_s);
	return run();
}
