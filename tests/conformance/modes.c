/* SPDX-License-Identifier: MIT */
/* modes.c - what the library leaves of itself on descriptors (S12): O_NONBLOCK of adopted ones as
 * found, CLOEXEC on its own, options of sockets as they were set.
 */
#include "io_support.h"
#include "syscalls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* --- O_NONBLOCK ------------------------------------------------------------------------------- */

enum kind { PIPE, LOCAL_SOCKET, TCP_SOCKET, TERMINAL, TERMINAL_MASTER, EVENTFD, KINDS };

/* Two descriptors of the kind; where it has one end only, duplicates of that. */
static void open_kind(enum kind kind, int fds[2])
{
	switch (kind) {
	case PIPE:
		raw_pipe(fds);
		break;
	case LOCAL_SOCKET:
		raw_local_pair(SOCK_STREAM, fds);
		break;
	case TCP_SOCKET:
		raw_tcp_pair(fds);
		break;
	case TERMINAL:
		raw_terminal(&fds[1], &fds[0]);
		break;
	case TERMINAL_MASTER:
		raw_terminal(&fds[0], &fds[1]);
		break;
	default:
		fds[0] = eventfd(0, EFD_CLOEXEC);
		fds[1] = fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
		assert_true(fds[0] >= 0 && fds[1] >= 0);
		break;
	}
}

static void set_nonblocking(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	assert_true(flags >= 0);
	flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	assert_int_equal(fcntl(fd, F_SETFL, flags), 0);
}

/* Reads once with waiting and once without, so that whatever mode is needed has been set. */
static void use(struct stage *stage, struct sennit_descriptor *descriptor, int peer)
{
	struct flight flight = { 0 };
	uint64_t data = 0;

	for (int i = 0; i < 2; i++) {
		START(stage,
		      { READ, &descriptor->stream, .data = &data, .size = 8, .flight = &flight });
		PENDING(stage, &flight);
		/* A line of a terminal, a number of an eventfd, eight bytes of anything. */
		raw_write(peer, "\1\1\1\1\1\1\1\n", 8);
		EXPECT(&flight, 0, 8);
	}
	START(stage, { READ, &descriptor->stream, .data = &data, .size = 8, .flight = &flight });
	PENDING(stage, &flight);
	START(stage, { CANCEL, .stream = &descriptor->stream });
	EXPECT(&flight, -ECANCELED, 0);
	finish(stage, &flight, 1);
}

struct releasing {
	struct sennit_descriptor *descriptor;
	int error;
	int fd;
};

static void let_out(void *argument)
{
	struct releasing *releasing = argument;

	releasing->error = sennit_descriptor_release(releasing->descriptor, &releasing->fd);
}

static void mode_of(struct stage *stage, enum kind kind, bool before, bool by_release)
{
	struct sennit_descriptor descriptor;
	struct releasing releasing = { &descriptor, 1, -1 };
	bool untouched = kind == LOCAL_SOCKET || kind == TCP_SOCKET || kind == TERMINAL;
	int fds[2], witness;

	open_kind(kind, fds);
	set_nonblocking(fds[0], before);
	/* The same open file description: what happens to its mode shows here, later too. */
	witness = fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
	assert_true(witness >= 0);
	adopt(stage, &descriptor, fds[0]);
	assert_int_equal(is_nonblocking(witness), before);
	use(stage, &descriptor, fds[1]);
	if (untouched)
		assert_int_equal(is_nonblocking(witness), before);
	if (by_release) {
		call_on_owner(stage, let_out, &releasing);
		assert_int_equal(releasing.error, 0);
		assert_int_equal(releasing.fd, fds[0]);
		assert_int_equal(is_nonblocking(releasing.fd), before);
		raw_close(releasing.fd);
	} else {
		START(stage, { CLOSE, .stream = &descriptor.stream });
		/* Gone for certain when the runtime has no message left that it could be. */
		while (fcntl(fds[0], F_GETFD) != -1)
			owner_turn(stage);
	}
	assert_int_equal(is_nonblocking(witness), before);
	raw_close(witness);
	raw_close(fds[1]);
}

#define NO_WAIT 0x8 /* RWF_NOWAIT */

/* With what this kernel knows, and as where it takes no flags and O_NONBLOCK has to do. */
static void modes_of_all(struct stage *stage, bool by_release)
{
	for (int kind = 0; kind < KINDS * 2; kind++) {
		forget_rwf_flags(kind < KINDS ? 0 : NO_WAIT);
		mode_of(stage, (enum kind)(kind % KINDS), false, by_release);
		mode_of(stage, (enum kind)(kind % KINDS), true, by_release);
	}
	forget_rwf_flags(0);
}

SCENARIO(S12_the_mode_of_an_adopted_descriptor_is_as_found_after_release)
{
	modes_of_all(stage, true);
}

SCENARIO(S12_the_mode_of_an_adopted_descriptor_is_as_found_after_close)
{
	modes_of_all(stage, false);
}

/* Destroy closes what is open. */
static void S12_the_mode_is_as_found_after_destroy(void **state)
{
	(void)state;
	for (int kind = 0; kind < KINDS; kind++) {
		struct stage stage = { .runtime = started_runtime(2), .kind = THREAD_FOREIGN };
		struct sennit_descriptor descriptor;
		int fds[2], witness;

		stage.owner = sennit_runtime_worker(stage.runtime, 0);
		stage.other = sennit_runtime_worker(stage.runtime, 1);
		open_kind((enum kind)kind, fds);
		witness = fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
		assert_true(witness >= 0);
		adopt(&stage, &descriptor, fds[0]);
		use(&stage, &descriptor, fds[1]);
		end_runtime(stage.runtime);
		assert_int_equal(fcntl(fds[0], F_GETFD), -1);
		assert_false(is_nonblocking(witness));
		raw_close(witness);
		raw_close(fds[1]);
	}
}

static int socket_of_tcp(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	return fd;
}

/* Promise of tcp.h: connecting does not switch an adopted socket either. */
SCENARIO(an_adopted_socket_that_connects_keeps_its_mode)
{
	struct sennit_tcp_socket socket;
	struct sennit_endpoint endpoint;
	struct flight flight = { 0 };
	int listener = raw_listen(&endpoint, 10);
	int fd = socket_of_tcp();

	sennit_tcp_socket_init(&socket, stage->owner);
	assert_int_equal(sennit_tcp_socket_assign(&socket, fd), 0);
	START(stage, { CONNECT, .socket = &socket, .endpoint = &endpoint, .flight = &flight });
	EXPECT(&flight, 0, 0);
	assert_false(is_nonblocking(fd));
	raw_close(listener);
	finish(stage, &flight, 1);
}

/* --- CLOEXEC ---------------------------------------------------------------------------------- */

/* What whoever started this program has left it, by number. */
static bool inherited[1024];

static void note_inherited(void)
{
	for (int fd = 0; fd < (int)COUNT_OF(inherited); fd++)
		inherited[fd] = fcntl(fd, F_GETFD) != -1;
}

/* What the kernel says of a descriptor. */
static bool closes_on_exec(const char *name)
{
	char path[64], line[256];
	unsigned flags = 0;
	FILE *file;

	snprintf(path, sizeof path, "/proc/self/fdinfo/%.20s", name);
	file = fopen(path, "re");
	if (!file)
		return true; /* the directory's own, closed by now */
	while (fgets(line, sizeof line, file))
		sscanf(line, "flags: %o", &flags);
	fclose(file);
	return flags & O_CLOEXEC;
}

static void assert_all_close_on_exec(void)
{
	DIR *directory = opendir("/proc/self/fdinfo");
	struct dirent *entry;

	assert_non_null(directory);
	while ((entry = readdir(directory))) {
		unsigned fd = (unsigned)atoi(entry->d_name);

		if (entry->d_name[0] == '.' || (fd < COUNT_OF(inherited) && inherited[fd]))
			continue;
		if (!closes_on_exec(entry->d_name))
			fail_msg("descriptor %s does not close on exec", entry->d_name);
	}
	closedir(directory);
}

/* HC23. */
SCENARIO(S12_every_descriptor_of_the_library_closes_on_exec)
{
	struct sennit_tcp_acceptor acceptor;
	struct sennit_tcp_socket accepted, connected, opened, pair[2];
	struct sennit_descriptor local[2] = { 0 }, terminal;
	struct sennit_endpoint endpoint;
	struct flight flights[3] = { 0 };
	char data[10];
	int master, slave;

	open_acceptor(stage, &acceptor, &endpoint);
	sennit_tcp_socket_init(&accepted, stage->owner);
	sennit_tcp_socket_init(&connected, stage->other);
	sennit_tcp_socket_init(&opened, stage->owner);
	sennit_tcp_socket_init(&pair[0], stage->owner);
	sennit_tcp_socket_init(&pair[1], stage->owner);
	assert_int_equal(sennit_tcp_socket_open(&opened, AF_INET), 0);
	assert_int_equal(sennit_tcp_socket_pair(&pair[0], &pair[1]), 0);
	assert_int_equal(sennit_descriptor_pair(&local[0], &local[1], stage->owner), 0);
	START(stage, { ACCEPT, .acceptor = &acceptor, .socket = &accepted, .flight = &flights[0] },
	      { CONNECT, .socket = &connected, .endpoint = &endpoint, .flight = &flights[1],
	        .runs_on = stage->other });
	EXPECT(&flights[0], 0, 0);
	EXPECT(&flights[1], 0, 0);
	/* A terminal is opened once more. */
	raw_terminal(&master, &slave);
	adopt(stage, &terminal, slave);
	START(stage,
	      { READ_SOME, &terminal.stream, .data = data, .size = 10, .flight = &flights[2] });
	PENDING(stage, &flights[2]);
	assert_all_close_on_exec();
	raw_write(master, "\n", 1);
	EXPECT(&flights[2], 0, 1);
	raw_close(master);
	finish(stage, flights, 3);
}

/* --- options of sockets ----------------------------------------------------------------------- */

static void options_are_read_as_they_were_set(void **state)
{
	static const struct {
		enum sennit_tcp_option option;
		int value;
	} rows[] = {
		{ SENNIT_TCP_NO_DELAY, 1 },
		{ SENNIT_TCP_NO_DELAY, 0 },
		{ SENNIT_TCP_CORK, 1 },
		{ SENNIT_TCP_CORK, 0 },
		{ SENNIT_TCP_KEEP_ALIVE, 1 },
		{ SENNIT_TCP_KEEP_ALIVE_IDLE, 77 },
		{ SENNIT_TCP_KEEP_ALIVE_INTERVAL, 7 },
		{ SENNIT_TCP_KEEP_ALIVE_COUNT, 3 },
		{ SENNIT_TCP_USER_TIMEOUT, 12345 },
		{ SENNIT_TCP_RECEIVE_LOW_WATER, 100 },
		{ SENNIT_TCP_NOTSENT_LOW_WATER, 16384 },
		{ SENNIT_TCP_LINGER, 5 },
		{ SENNIT_TCP_LINGER, 0 },
		{ SENNIT_TCP_LINGER, -1 },
		{ SENNIT_TCP_REUSE_ADDRESS, 1 },
		{ SENNIT_TCP_REUSE_PORT, 1 },
	};
	struct stage stage = driven_stage();
	struct sennit_tcp_socket socket;
	int value;

	(void)state;
	sennit_tcp_socket_init(&socket, stage.owner);
	assert_int_equal(sennit_tcp_socket_set_option(&socket, SENNIT_TCP_NO_DELAY, 1), -EBADF);
	assert_int_equal(sennit_tcp_socket_get_option(&socket, SENNIT_TCP_NO_DELAY, &value),
	                 -EBADF);
	assert_int_equal(sennit_tcp_socket_open(&socket, AF_INET), 0);
	assert_int_equal(sennit_tcp_socket_get_option(&socket, SENNIT_TCP_LINGER, &value), 0);
	assert_int_equal(value, -1);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		assert_int_equal(
		    sennit_tcp_socket_set_option(&socket, rows[i].option, rows[i].value), 0);
		assert_int_equal(sennit_tcp_socket_get_option(&socket, rows[i].option, &value), 0);
		assert_int_equal(value, rows[i].value);
	}
	assert_int_equal(sennit_tcp_socket_set_option(&socket, SENNIT_TCP_SEND_BUFFER, 20000), 0);
	assert_int_equal(sennit_tcp_socket_get_option(&socket, SENNIT_TCP_SEND_BUFFER, &value), 0);
	assert_int_equal(value, 40000);
	assert_int_equal(sennit_tcp_socket_set_option(&socket, (enum sennit_tcp_option)99, 1),
	                 -EINVAL);
	end_runtime(stage.runtime);
}

/* Linger 0: the peer sees a reset, with data still on the way or not. */
SCENARIO(a_socket_that_lingers_for_0_seconds_resets_the_connection_when_it_is_closed)
{
	struct sennit_tcp_socket socket;
	char byte;
	int peer = open_socket(stage, &socket);

	assert_int_equal(sennit_tcp_socket_set_option(&socket, SENNIT_TCP_LINGER, 0), 0);
	START(stage, { CLOSE, .stream = &socket.stream });
	assert_int_equal(read(peer, &byte, 1), -1);
	assert_int_equal(errno, ECONNRESET);
	raw_close(peer);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(S12_the_mode_of_an_adopted_descriptor_is_as_found_after_release),
		TEST(S12_the_mode_of_an_adopted_descriptor_is_as_found_after_close),
		TEST(S12_the_mode_is_as_found_after_destroy),
		TEST(an_adopted_socket_that_connects_keeps_its_mode),
		TEST(S12_every_descriptor_of_the_library_closes_on_exec),
		TEST(options_are_read_as_they_were_set),
		TEST(a_socket_that_lingers_for_0_seconds_resets_the_connection_when_it_is_closed),
	};

	note_inherited();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
