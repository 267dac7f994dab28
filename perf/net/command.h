/* SPDX-License-Identifier: MIT */
/* command.h - what the programs of perf/ share: options, descriptor limit, loopback listeners.
 *
 * For C and C++, so that every server takes one command line and announces itself in one way.
 */
#ifndef SENNIT_PERF_COMMAND_H
#define SENNIT_PERF_COMMAND_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { COMMAND_WORKERS_MAX = 1024, COMMAND_BACKLOG = 4096, COMMAND_USAGE = 2 };

/* One option, of one kind: number (NAME=N, within min and max), flag (NAME) or word (NAME=TEXT). */
struct command_option {
	const char *name;
	uint64_t *number;
	uint64_t min;
	uint64_t max;
	bool *flag;
	const char **word;
};

/* What every echo server is told. */
struct command_server {
	uint64_t port;    /* 0: the kernel picks */
	uint64_t workers; /* by default one per allowed CPU */
	uint64_t buffer;  /* bytes of a session's buffer */
};

static inline bool command_number(const char *text, uint64_t min, uint64_t max, uint64_t *number)
{
	char *end = NULL;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*number = strtoull(text, &end, 10);
	return !errno && !*end && *number >= min && *number <= max;
}

/* True if the argument is this option with a good value, which is then stored. */
static inline bool command_take(const struct command_option *option, const char *argument)
{
	size_t length = strlen(option->name);
	bool valued = argument[length] == '=';

	if (option->flag && !argument[length])
		return *option->flag = true;
	if (option->word && valued)
		return *(*option->word = argument + length + 1);
	return option->number && valued &&
	       command_number(argument + length + 1, option->min, option->max, option->number);
}

/* Reads all arguments. One line on stderr and exit 2 for what is unknown or has a bad value. */
static inline void command_parse(int argc, char **argv, const struct command_option *options,
                                 size_t count)
{
	for (int i = 1; i < argc; i++) {
		const char *why = "unknown option";
		bool taken = false;

		for (size_t k = 0; k < count && !taken; k++) {
			size_t length = strlen(options[k].name);

			if (strncmp(argv[i], options[k].name, length) ||
			    (argv[i][length] && argv[i][length] != '='))
				continue;
			taken = command_take(&options[k], argv[i]);
			why = "bad value";
		}
		if (!taken) {
			fprintf(stderr, "%s: %s: %s\n", argv[0], why, argv[i]);
			exit(COMMAND_USAGE);
		}
	}
}

static inline uint64_t command_cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof set, &set))
		return 1;
	return (uint64_t)CPU_COUNT(&set);
}

/* Reads the options of a server, and `count` (at most 3) that only this server has. */
static inline struct command_server command_server_parse_more(int argc, char **argv,
                                                              const struct command_option *more,
                                                              size_t count)
{
	struct command_server server = { 0, command_cpus(), 4096 };
	struct command_option options[6] = {
		{ "--port", &server.port, 0, 65535, NULL, NULL },
		{ "--workers", &server.workers, 1, COMMAND_WORKERS_MAX, NULL, NULL },
		{ "--buffer", &server.buffer, 1, 1 << 24, NULL, NULL },
	};

	for (size_t i = 0; i < count; i++)
		options[3 + i] = more[i];
	command_parse(argc, argv, options, 3 + count);
	return server;
}

/* As above; `flag`, if named, is the one more. */
static inline struct command_server command_server_parse(int argc, char **argv, const char *flag,
                                                         bool *flag_value)
{
	const struct command_option more = { flag, NULL, 0, 0, flag_value, NULL };

	return command_server_parse_more(argc, argv, &more, flag ? 1 : 0);
}

/* The options of a server that speaks TLS, and one more: exits with 2 where it is given no
 * certificate. */
static inline struct command_server command_tls_server_parse(int argc, char **argv,
                                                             const char **certificate,
                                                             const char **key,
                                                             const struct command_option *flag)
{
	const struct command_option more[] = {
		{ "--tls-certificate", NULL, 0, 0, NULL, certificate },
		{ "--tls-key", NULL, 0, 0, NULL, key },
		*flag,
	};
	struct command_server server = command_server_parse_more(argc, argv, more, 3);

	if (!*certificate || !*key) {
		fprintf(stderr, "%s: --tls-certificate=FILE and --tls-key=FILE are needed\n",
		        argv[0]);
		exit(COMMAND_USAGE);
	}
	return server;
}

static inline void command_raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* A descriptor that listens on 127.0.0.1 beside others of its port (SO_REUSEPORT), or -1. A port
 * of 0 becomes the one that the kernel picked, so that the next call joins it. */
static inline int command_listen(uint64_t *port)
{
	struct sockaddr_in address;
	socklen_t length = sizeof address;
	int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	memset(&address, 0, sizeof address);
	address.sin_family = AF_INET;
	address.sin_port = htons((uint16_t)*port);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) ||
	    bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, COMMAND_BACKLOG) ||
	    getsockname(fd, (struct sockaddr *)&address, &length)) {
		fprintf(stderr, "cannot listen on 127.0.0.1:%u: %s\n", (unsigned)*port,
		        strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	*port = ntohs(address.sin_port);
	return fd;
}

/* SIGTERM and SIGINT, blocked from here on in this thread and those it starts. */
static inline sigset_t command_block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	return set;
}

/* A peer's main thread once its workers run: announces it, waits for the end, then reports what a
 * session of its own costs. */
static inline void command_peer_serve(const struct command_server *server, const char *peer,
                                      const char *version, size_t session_bytes, sigset_t set)
{
	int signal_number;

	printf("listening 127.0.0.1:%u workers=%u peer=%s version=%s\n", (unsigned)server->port,
	       (unsigned)server->workers, peer, version);
	fflush(stdout);
	sigwait(&set, &signal_number);
	fprintf(stderr, "{\"session_bytes\": %zu}\n", session_bytes);
}

#endif
