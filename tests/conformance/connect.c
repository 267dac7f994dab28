/* SPDX-License-Identifier: MIT */
/* connect.c - connecting: the cases, and a connect that waits, is cancelled or has company. */
#include "io_support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

SCENARIO(C069_connect_opens_a_closed_socket)
{
	struct sennit_tcp_socket socket;
	struct sennit_endpoint endpoint, remote;
	struct flight flights[2] = { 0 };
	int listener = raw_listen(&endpoint, 10), peer;

	sennit_tcp_socket_init(&socket, stage->owner);
	assert_false(sennit_is_open(&socket.stream));
	START(stage, { CONNECT, .socket = &socket, .endpoint = &endpoint, .flight = &flights[0] });
	EXPECT(&flights[0], 0, 0);
	assert_true(sennit_is_open(&socket.stream));
	assert_int_equal(sennit_tcp_socket_remote_endpoint(&socket, &remote), 0);
	assert_true(sennit_endpoint_equal(&remote, &endpoint));
	peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(peer >= 0);
	START(stage, { WRITE, &socket.stream, .data = "hello", .size = 5, .flight = &flights[1] });
	EXPECT(&flights[1], 0, 5);
	raw_close(peer);
	raw_close(listener);
	finish(stage, flights, 2);
}

SCENARIO(C069_a_refused_connect_says_so_and_leaves_the_socket_open)
{
	struct sennit_tcp_socket socket;
	struct sennit_endpoint endpoint, local;
	struct flight flight = { 0 };
	/* Bound, so that nobody else has the port, and not listening. */
	int bound = raw_listen(&endpoint, -1);

	sennit_tcp_socket_init(&socket, stage->owner);
	START(stage, { CONNECT, .socket = &socket, .endpoint = &endpoint, .flight = &flight });
	EXPECT(&flight, -ECONNREFUSED, 0);
	assert_true(sennit_is_open(&socket.stream));
	assert_int_equal(sennit_tcp_socket_local_endpoint(&socket, &local), 0);
	START(stage, { CLOSE, .stream = &socket.stream });
	assert_false(sennit_is_open(&socket.stream));
	raw_close(bound);
	finish(stage, &flight, 1);
}

SCENARIO(a_failure_to_open_arrives_in_the_handler_of_connect)
{
	struct sennit_tcp_socket socket;
	struct sennit_endpoint nowhere = { 0 };
	struct flight flight = { 0 };

	sennit_tcp_socket_init(&socket, stage->owner);
	START(stage, { CONNECT, .socket = &socket, .endpoint = &nowhere, .flight = &flight });
	wait_result(&flight.result);
	assert_true(flight.result.error < 0);
	assert_false(sennit_is_open(&socket.stream));
	finish(stage, &flight, 1);
}

SCENARIO(a_bound_socket_connects_from_where_it_is_bound)
{
	struct sennit_tcp_socket socket;
	struct sennit_endpoint endpoint, local, bound;
	struct flight flight = { 0 };
	int listener = raw_listen(&endpoint, 10);

	sennit_tcp_socket_init(&socket, stage->owner);
	assert_int_equal(sennit_tcp_socket_bind(&socket, &endpoint), -EBADF);
	assert_int_equal(sennit_tcp_socket_open(&socket, AF_INET), 0);
	assert_int_equal(sennit_endpoint_parse(&local, "127.0.0.2:0"), 0);
	assert_int_equal(sennit_tcp_socket_bind(&socket, &local), 0);
	assert_int_equal(sennit_tcp_socket_local_endpoint(&socket, &bound), 0);
	START(stage, { CONNECT, .socket = &socket, .endpoint = &endpoint, .flight = &flight });
	EXPECT(&flight, 0, 0);
	assert_int_equal(sennit_tcp_socket_local_endpoint(&socket, &local), 0);
	assert_true(sennit_endpoint_equal(&local, &bound));
	raw_close(listener);
	finish(stage, &flight, 1);
}

/* B33. */
SCENARIO(a_connect_that_waits_is_cancelled_and_the_socket_stays_open)
{
	struct sennit_tcp_socket socket;
	struct sennit_endpoint endpoint;
	struct flight flight = { 0 };
	int filler, listener = raw_listen_full(&endpoint, &filler);

	sennit_tcp_socket_init(&socket, stage->owner);
	START(stage, { CONNECT, .socket = &socket, .endpoint = &endpoint, .flight = &flight });
	PENDING(stage, &flight);
	START(stage, { CANCEL, .stream = &socket.stream });
	EXPECT(&flight, -ECANCELED, 0);
	assert_true(sennit_is_open(&socket.stream));
	START(stage, { CLOSE, .stream = &socket.stream });
	raw_close(filler);
	raw_close(listener);
	finish(stage, &flight, 1);
}

SCENARIO(close_cancels_a_connect_that_waits_and_the_handle_connects_anew)
{
	struct sennit_tcp_socket socket;
	struct sennit_endpoint endpoint, other;
	struct flight flights[2] = { 0 };
	int filler, full = raw_listen_full(&endpoint, &filler);
	int listener = raw_listen(&other, 10);

	sennit_tcp_socket_init(&socket, stage->owner);
	START(stage, { CONNECT, .socket = &socket, .endpoint = &endpoint, .flight = &flights[0] });
	PENDING(stage, &flights[0]);
	START(stage, { CLOSE, .stream = &socket.stream });
	EXPECT(&flights[0], -ECANCELED, 0);
	START(stage, { CONNECT, .socket = &socket, .endpoint = &other, .flight = &flights[1] });
	EXPECT(&flights[1], 0, 0);
	raw_close(filler);
	raw_close(full);
	raw_close(listener);
	finish(stage, flights, 2);
}

/* A19: writes and connect are one queue. */
SCENARIO(what_is_written_behind_a_connect_goes_out_when_it_is_connected)
{
	struct sennit_tcp_socket socket;
	struct sennit_endpoint endpoint;
	struct flight flights[3] = { 0 };
	char data[5], received[5];
	int listener = raw_listen(&endpoint, 10), peer;

	sennit_tcp_socket_init(&socket, stage->owner);
	assert_int_equal(sennit_tcp_socket_open(&socket, AF_INET), 0);
	START(stage, { CONNECT, .socket = &socket, .endpoint = &endpoint, .flight = &flights[0] },
	      { WRITE, &socket.stream, .data = "early", .size = 5, .flight = &flights[1] },
	      { READ, &socket.stream, .data = data, .size = 5, .flight = &flights[2] });
	peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(peer >= 0);
	EXPECT(&flights[0], 0, 0);
	EXPECT(&flights[1], 0, 5);
	raw_read(peer, received, 5);
	assert_memory_equal(received, "early", 5);
	raw_write(peer, "reply", 5);
	EXPECT(&flights[2], 0, 5);
	assert_memory_equal(data, "reply", 5);
	raw_close(peer);
	raw_close(listener);
	finish(stage, flights, 3);
}

SCENARIO(what_is_written_behind_a_connect_that_waits_is_cancelled_with_it)
{
	struct sennit_tcp_socket socket;
	struct sennit_endpoint endpoint;
	struct flight flights[2] = { 0 };
	int filler, listener = raw_listen_full(&endpoint, &filler);

	sennit_tcp_socket_init(&socket, stage->owner);
	assert_int_equal(sennit_tcp_socket_open(&socket, AF_INET), 0);
	START(stage, { CONNECT, .socket = &socket, .endpoint = &endpoint, .flight = &flights[0] },
	      { WRITE, &socket.stream, .data = "early", .size = 5, .flight = &flights[1] });
	PENDING(stage, &flights[0]);
	PENDING(stage, &flights[1]);
	START(stage, { CANCEL, .stream = &socket.stream });
	EXPECT(&flights[0], -ECANCELED, 0);
	EXPECT(&flights[1], -ECANCELED, 0);
	raw_close(filler);
	raw_close(listener);
	finish(stage, flights, 2);
}

SCENARIO(a_connected_socket_does_not_connect_again)
{
	struct sennit_tcp_socket socket;
	struct sennit_endpoint endpoint;
	struct flight flight = { 0 };
	int listener = raw_listen(&endpoint, 10), peer = open_socket(stage, &socket);

	START(stage, { CONNECT, .socket = &socket, .endpoint = &endpoint, .flight = &flight });
	EXPECT(&flight, -EISCONN, 0);
	raw_close(listener);
	raw_close(peer);
	finish(stage, &flight, 1);
}

/* HC19: where a port is nobody's, TCP connects a socket that has it to itself. */
SCENARIO(a_socket_that_meets_itself_is_refused)
{
	struct sennit_tcp_socket socket;
	struct sennit_endpoint endpoint;
	struct flight flight = { 0 };

	sennit_tcp_socket_init(&socket, stage->owner);
	assert_int_equal(sennit_tcp_socket_open(&socket, AF_INET), 0);
	assert_int_equal(sennit_endpoint_parse(&endpoint, "127.0.0.1:0"), 0);
	assert_int_equal(sennit_tcp_socket_bind(&socket, &endpoint), 0);
	assert_int_equal(sennit_tcp_socket_local_endpoint(&socket, &endpoint), 0);
	START(stage, { CONNECT, .socket = &socket, .endpoint = &endpoint, .flight = &flight });
	EXPECT(&flight, -ECONNREFUSED, 0);
	finish(stage, &flight, 1);
}

SCENARIO(a_socket_that_is_open_and_not_connected_reports_so)
{
	struct sennit_tcp_socket socket;
	struct sennit_endpoint endpoint;
	struct flight flights[2] = { 0 };
	char data[4] = "data";

	sennit_tcp_socket_init(&socket, stage->owner);
	assert_int_equal(sennit_tcp_socket_open(&socket, AF_UNIX), -EAFNOSUPPORT);
	assert_int_equal(sennit_tcp_socket_open(&socket, AF_INET), 0);
	assert_int_equal(sennit_tcp_socket_remote_endpoint(&socket, &endpoint), -ENOTCONN);
	assert_int_equal(sennit_tcp_socket_shutdown(&socket, SHUT_WR), -ENOTCONN);
	START(stage, { READ, &socket.stream, .data = data, .size = 4, .flight = &flights[0] });
	EXPECT(&flights[0], -ENOTCONN, 0);
	START(stage, { WRITE, &socket.stream, .data = data, .size = 4, .flight = &flights[1] });
	/* What Linux says of a socket that was never connected. */
	EXPECT(&flights[1], -EPIPE, 0);
	finish(stage, flights, 2);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(C069_connect_opens_a_closed_socket),
		TEST(C069_a_refused_connect_says_so_and_leaves_the_socket_open),
		TEST(a_failure_to_open_arrives_in_the_handler_of_connect),
		TEST(a_bound_socket_connects_from_where_it_is_bound),
		TEST(a_connect_that_waits_is_cancelled_and_the_socket_stays_open),
		TEST(close_cancels_a_connect_that_waits_and_the_handle_connects_anew),
		TEST(what_is_written_behind_a_connect_goes_out_when_it_is_connected),
		TEST(what_is_written_behind_a_connect_that_waits_is_cancelled_with_it),
		TEST(a_connected_socket_does_not_connect_again),
		TEST(a_socket_that_meets_itself_is_refused),
		TEST(a_socket_that_is_open_and_not_connected_reports_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
