/* SPDX-License-Identifier: MIT */
/* tcp_options.c - socket options by name, on real sockets: what is set is what the system has, what
 * is read is what was set, and what means nothing is refused. */
#include "io/tcp_options.h"
#include "support.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

/* Switches, with what they are to the system: named here once more, so that a slip in the library's
 * table shows. IPV6_V6ONLY has a test of its own. */
static const struct plain {
	enum sennit_tcp_option option;
	int level, name;
} switches[] = {
	{ SENNIT_TCP_NO_DELAY, IPPROTO_TCP, TCP_NODELAY },
	{ SENNIT_TCP_CORK, IPPROTO_TCP, TCP_CORK },
	{ SENNIT_TCP_QUICK_ACK, IPPROTO_TCP, TCP_QUICKACK },
	{ SENNIT_TCP_KEEP_ALIVE, SOL_SOCKET, SO_KEEPALIVE },
	{ SENNIT_TCP_REUSE_ADDRESS, SOL_SOCKET, SO_REUSEADDR },
	{ SENNIT_TCP_REUSE_PORT, SOL_SOCKET, SO_REUSEPORT },
};

static const struct plain amounts[] = {
	{ SENNIT_TCP_KEEP_ALIVE_IDLE, IPPROTO_TCP, TCP_KEEPIDLE },
	{ SENNIT_TCP_KEEP_ALIVE_INTERVAL, IPPROTO_TCP, TCP_KEEPINTVL },
	{ SENNIT_TCP_KEEP_ALIVE_COUNT, IPPROTO_TCP, TCP_KEEPCNT },
	{ SENNIT_TCP_USER_TIMEOUT, IPPROTO_TCP, TCP_USER_TIMEOUT },
	{ SENNIT_TCP_RECEIVE_LOW_WATER, SOL_SOCKET, SO_RCVLOWAT },
	{ SENNIT_TCP_NOTSENT_LOW_WATER, IPPROTO_TCP, TCP_NOTSENT_LOWAT },
};

static const struct plain buffers[] = {
	{ SENNIT_TCP_RECEIVE_BUFFER, SOL_SOCKET, SO_RCVBUF },
	{ SENNIT_TCP_SEND_BUFFER, SOL_SOCKET, SO_SNDBUF },
};

static int open_socket(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	return fd;
}

static int system_value(int fd, const struct plain *plain)
{
	int value = -1;
	socklen_t size = sizeof value;

	assert_int_equal(getsockopt(fd, plain->level, plain->name, &value, &size), 0);
	return value;
}

static void a_switch_goes_on_and_off_and_is_what_the_system_has(void **state)
{
	int fd = open_socket(AF_INET);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(switches); i++) {
		for (int round = 0; round < 4; round++) {
			int want = round & 1, value = -1;

			assert_int_equal(sennit__tcp_option_set(fd, switches[i].option, want), 0);
			assert_int_equal(system_value(fd, &switches[i]) != 0, want);
			assert_int_equal(sennit__tcp_option_get(fd, switches[i].option, &value), 0);
			assert_int_equal(value, want);
		}
	}
	close(fd);
}

static void a_switch_takes_nothing_but_0_and_1(void **state)
{
	static const int wrong[] = { -1, 2, 3, 256, INT_MAX, INT_MIN };
	int fd = open_socket(AF_INET6);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		for (size_t j = 0; j < COUNT_OF(switches); j++) {
			int before = system_value(fd, &switches[j]);

			assert_int_equal(sennit__tcp_option_set(fd, switches[j].option, wrong[i]),
			                 -EINVAL);
			assert_int_equal(system_value(fd, &switches[j]), before);
		}
		assert_int_equal(sennit__tcp_option_set(fd, SENNIT_TCP_V6_ONLY, wrong[i]), -EINVAL);
	}
	close(fd);
}

static void an_amount_is_what_the_system_has(void **state)
{
	int fd = open_socket(AF_INET);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(amounts); i++) {
		for (int want = 11; want < 14; want++) {
			int value = -1;

			assert_int_equal(sennit__tcp_option_set(fd, amounts[i].option, want), 0);
			assert_int_equal(system_value(fd, &amounts[i]), want);
			assert_int_equal(sennit__tcp_option_get(fd, amounts[i].option, &value), 0);
			assert_int_equal(value, want);
		}
	}
	close(fd);
}

static void a_buffer_size_is_read_doubled_as_the_system_keeps_it(void **state)
{
	int fd = open_socket(AF_INET);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(buffers); i++) {
		int value = -1;

		assert_int_equal(sennit__tcp_option_set(fd, buffers[i].option, 16384), 0);
		assert_int_equal(system_value(fd, &buffers[i]), 32768);
		assert_int_equal(sennit__tcp_option_get(fd, buffers[i].option, &value), 0);
		assert_int_equal(value, 32768);
	}
	close(fd);
}

/* The kernel would read a negative buffer size as the largest one. */
static void a_negative_amount_is_refused(void **state)
{
	int fd = open_socket(AF_INET);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(buffers); i++) {
		int before = system_value(fd, &buffers[i]);

		assert_int_equal(sennit__tcp_option_set(fd, buffers[i].option, -1), -EINVAL);
		assert_int_equal(system_value(fd, &buffers[i]), before);
	}
	for (size_t i = 0; i < COUNT_OF(amounts); i++) {
		assert_int_equal(sennit__tcp_option_set(fd, amounts[i].option, -1), -EINVAL);
		assert_int_equal(sennit__tcp_option_set(fd, amounts[i].option, INT_MIN), -EINVAL);
	}
	close(fd);
}

static void linger_is_off_at_minus_1_and_on_from_0(void **state)
{
	static const int values[] = { 0, 5, -1, 3600, -1 };
	int fd = open_socket(AF_INET), value = 0;

	(void)state;
	assert_int_equal(sennit__tcp_option_get(fd, SENNIT_TCP_LINGER, &value), 0);
	assert_int_equal(value, -1);
	for (size_t i = 0; i < COUNT_OF(values); i++) {
		struct linger linger;
		socklen_t size = sizeof linger;

		assert_int_equal(sennit__tcp_option_set(fd, SENNIT_TCP_LINGER, values[i]), 0);
		assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size), 0);
		assert_int_equal(linger.l_onoff, values[i] >= 0);
		if (values[i] >= 0)
			assert_int_equal(linger.l_linger, values[i]);
		assert_int_equal(sennit__tcp_option_get(fd, SENNIT_TCP_LINGER, &value), 0);
		assert_int_equal(value, values[i]);
	}
	assert_int_equal(sennit__tcp_option_set(fd, SENNIT_TCP_LINGER, -2), -EINVAL);
	assert_int_equal(sennit__tcp_option_set(fd, SENNIT_TCP_LINGER, INT_MIN), -EINVAL);
	close(fd);
}

/* What is behind the name: a peer of a socket closed with linger 0 sees a reset. */
static void linger_0_resets_the_connection_at_close(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof address;
	int listener = open_socket(AF_INET), client = open_socket(AF_INET), server;
	char byte;

	(void)state;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof address), 0);
	server = accept(listener, NULL, NULL);
	assert_true(server >= 0);
	assert_int_equal(sennit__tcp_option_set(server, SENNIT_TCP_LINGER, 0), 0);
	close(server);
	assert_int_equal(read(client, &byte, 1), -1);
	assert_int_equal(errno, ECONNRESET);
	close(client);
	close(listener);
}

static void v6_only_is_for_ipv6_sockets(void **state)
{
	int v4 = open_socket(AF_INET), v6 = open_socket(AF_INET6), value = -1;

	(void)state;
	for (int want = 0; want <= 1; want++) {
		assert_int_equal(sennit__tcp_option_set(v6, SENNIT_TCP_V6_ONLY, want), 0);
		assert_int_equal(sennit__tcp_option_get(v6, SENNIT_TCP_V6_ONLY, &value), 0);
		assert_int_equal(value, want);
	}
	assert_true(sennit__tcp_option_set(v4, SENNIT_TCP_V6_ONLY, 1) < 0);
	close(v4);
	close(v6);
}

static void an_option_that_does_not_exist_is_refused(void **state)
{
	static const int options[] = { SENNIT_TCP_V6_ONLY + 1, 1000, INT_MAX, -1, INT_MIN };
	int fd = open_socket(AF_INET);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(options); i++) {
		enum sennit_tcp_option option = (enum sennit_tcp_option)options[i];
		int value = 77;

		assert_int_equal(sennit__tcp_option_set(fd, option, 1), -EINVAL);
		assert_int_equal(sennit__tcp_option_get(fd, option, &value), -EINVAL);
		assert_int_equal(value, 77);
	}
	close(fd);
}

static void what_the_system_reports_comes_through_and_the_value_stays(void **state)
{
	int fd = open_socket(AF_INET), ends[2], value = 77;

	(void)state;
	close(fd);
	assert_int_equal(sennit__tcp_option_set(fd, SENNIT_TCP_NO_DELAY, 1), -EBADF);
	assert_int_equal(sennit__tcp_option_get(fd, SENNIT_TCP_NO_DELAY, &value), -EBADF);
	assert_int_equal(sennit__tcp_option_get(fd, SENNIT_TCP_LINGER, &value), -EBADF);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(sennit__tcp_option_set(ends[0], SENNIT_TCP_NO_DELAY, 1), -ENOTSOCK);
	assert_int_equal(sennit__tcp_option_get(ends[0], SENNIT_TCP_NO_DELAY, &value), -ENOTSOCK);
	assert_int_equal(value, 77);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_switch_goes_on_and_off_and_is_what_the_system_has),
		TEST(a_switch_takes_nothing_but_0_and_1),
		TEST(an_amount_is_what_the_system_has),
		TEST(a_buffer_size_is_read_doubled_as_the_system_keeps_it),
		TEST(a_negative_amount_is_refused),
		TEST(linger_is_off_at_minus_1_and_on_from_0),
		TEST(linger_0_resets_the_connection_at_close),
		TEST(v6_only_is_for_ipv6_sockets),
		TEST(an_option_that_does_not_exist_is_refused),
		TEST(what_the_system_reports_comes_through_and_the_value_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
