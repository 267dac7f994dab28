/* SPDX-License-Identifier: MIT */
/* accept.c - acceptors: the cases about accepting, and what cancels it. */
#include "io_support.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Whether two connected sockets are each other's ends. */
static bool connected_to_each_other(const struct sennit_tcp_socket *socket, int client)
{
	struct sennit_endpoint remote = { 0 }, local = { 0 };
	socklen_t size = sizeof local.address;

	assert_int_equal(getsockname(client, &local.address.any, &size), 0);
	assert_int_equal(sennit_tcp_socket_remote_endpoint(socket, &remote), 0);
	return sennit_endpoint_equal(&remote, &local);
}

SCENARIO(C058_an_accepted_socket_knows_its_peer_and_belongs_to_its_own_executor)
{
	struct sennit_tcp_acceptor acceptor;
	struct sennit_tcp_socket sockets[2];
	struct sennit_endpoint endpoint, local;
	struct flight accept = { 0 }, read = { 0 };
	struct sennit_executor *executors[2] = { stage->owner, stage->other };
	char data[4];

	open_acceptor(stage, &acceptor, &endpoint);
	for (int i = 0; i < 2; i++) {
		int client;

		sennit_tcp_socket_init(&sockets[i], executors[i]);
		START(stage,
		      { ACCEPT, .acceptor = &acceptor, .socket = &sockets[i], .flight = &accept });
		client = raw_connect(&endpoint);
		EXPECT(&accept, 0, 0);
		assert_true(sennit_is_open(&sockets[i].stream));
		assert_ptr_equal(sennit_stream_executor(&sockets[i].stream), executors[i]);
		assert_true(connected_to_each_other(&sockets[i], client));
		assert_int_equal(sennit_tcp_socket_local_endpoint(&sockets[i], &local), 0);
		assert_true(sennit_endpoint_equal(&local, &endpoint));
		START(stage, { READ, &sockets[i].stream, .data = data, .size = 4, .flight = &read,
		               .runs_on = executors[i] });
		raw_write(client, "data", 4);
		EXPECT(&read, 0, 4);
		raw_close(client);
	}
	finish(stage, &accept, 1);
}

SCENARIO(C059_two_accepts_are_served_in_order)
{
	struct sennit_tcp_acceptor acceptor;
	struct sennit_tcp_socket sockets[4];
	struct sennit_endpoint endpoint;
	struct flight flights[4] = { 0 };
	int clients[4];

	for (int i = 0; i < 4; i++)
		sennit_tcp_socket_init(&sockets[i], stage->owner);
	open_acceptor(stage, &acceptor, &endpoint);
	START(stage,
	      { ACCEPT, .acceptor = &acceptor, .socket = &sockets[0], .flight = &flights[0] },
	      { ACCEPT, .acceptor = &acceptor, .socket = &sockets[1], .flight = &flights[1] });
	PENDING(stage, &flights[0]);
	clients[0] = raw_connect(&endpoint);
	EXPECT(&flights[0], 0, 0);
	PENDING(stage, &flights[1]);
	clients[1] = raw_connect(&endpoint);
	EXPECT(&flights[1], 0, 0);
	/* The same where the connections are there first. */
	clients[2] = raw_connect(&endpoint);
	clients[3] = raw_connect(&endpoint);
	START(stage,
	      { ACCEPT, .acceptor = &acceptor, .socket = &sockets[2], .flight = &flights[2] },
	      { ACCEPT, .acceptor = &acceptor, .socket = &sockets[3], .flight = &flights[3] });
	EXPECT(&flights[2], 0, 0);
	EXPECT(&flights[3], 0, 0);
	for (int i = 0; i < 4; i++) {
		assert_true(connected_to_each_other(&sockets[i], clients[i]));
		raw_close(clients[i]);
	}
	assert_true(flights[2].result.order < flights[3].result.order);
	finish(stage, flights, 4);
}

/* B35. */
SCENARIO(a_cancelled_accept_leaves_the_socket_closed_and_the_connection_to_the_next)
{
	struct sennit_tcp_acceptor acceptor;
	struct sennit_tcp_socket socket;
	struct sennit_endpoint endpoint;
	struct flight flights[2] = { 0 };
	int client;

	sennit_tcp_socket_init(&socket, stage->owner);
	open_acceptor(stage, &acceptor, &endpoint);
	START(stage, { ACCEPT, .acceptor = &acceptor, .socket = &socket, .flight = &flights[0] });
	PENDING(stage, &flights[0]);
	START(stage, { ACCEPTOR_CANCEL, .acceptor = &acceptor });
	EXPECT(&flights[0], -ECANCELED, 0);
	assert_false(sennit_is_open(&socket.stream));
	client = raw_connect(&endpoint);
	START(stage, { ACCEPT, .acceptor = &acceptor, .socket = &socket, .flight = &flights[1] });
	EXPECT(&flights[1], 0, 0);
	assert_true(connected_to_each_other(&socket, client));
	raw_close(client);
	finish(stage, flights, 2);
}

SCENARIO(accepts_with_cancels_between_them_end_so_that_the_last_one_is_served)
{
	struct sennit_tcp_acceptor acceptor;
	struct sennit_tcp_socket sockets[3];
	struct sennit_endpoint endpoint;
	struct flight flights[3] = { 0 };
	struct hold hold;
	int client;

	for (int i = 0; i < 3; i++)
		sennit_tcp_socket_init(&sockets[i], stage->owner);
	open_acceptor(stage, &acceptor, &endpoint);
	if (stage->kind != THREAD_OWNER)
		hold_worker(&hold, stage->owner);
	START(stage,
	      { ACCEPT, .acceptor = &acceptor, .socket = &sockets[0], .flight = &flights[0] },
	      { ACCEPTOR_CANCEL, .acceptor = &acceptor },
	      { ACCEPT, .acceptor = &acceptor, .socket = &sockets[1], .flight = &flights[1] },
	      { ACCEPTOR_CANCEL, .acceptor = &acceptor },
	      { ACCEPT, .acceptor = &acceptor, .socket = &sockets[2], .flight = &flights[2] });
	/* Where the owner is busy, the connection is there before it looks. */
	client = raw_connect(&endpoint);
	if (stage->kind != THREAD_OWNER)
		let_go(&hold);
	EXPECT(&flights[0], -ECANCELED, 0);
	EXPECT(&flights[1], -ECANCELED, 0);
	EXPECT(&flights[2], 0, 0);
	assert_false(sennit_is_open(&sockets[0].stream));
	assert_false(sennit_is_open(&sockets[1].stream));
	assert_true(connected_to_each_other(&sockets[2], client));
	raw_close(client);
	finish(stage, flights, 3);
}

SCENARIO(close_of_an_acceptor_cancels_all_its_accepts_and_stops_listening)
{
	struct sennit_tcp_acceptor acceptor;
	struct sennit_tcp_socket sockets[3];
	struct sennit_endpoint endpoint, none;
	struct flight flights[4] = { 0 };
	int fd, refused;

	open_acceptor(stage, &acceptor, &endpoint);
	for (int i = 0; i < 3; i++) {
		sennit_tcp_socket_init(&sockets[i], stage->owner);
		START(stage, { ACCEPT, .acceptor = &acceptor, .socket = &sockets[i],
		               .flight = &flights[i] });
	}
	START(stage, { ACCEPTOR_WAIT, .acceptor = &acceptor, .what = SENNIT_WAIT_READ,
	               .flight = &flights[3] });
	assert_true(sennit_tcp_acceptor_is_open(&acceptor));
	START(stage, { ACCEPTOR_CLOSE, .acceptor = &acceptor });
	assert_false(sennit_tcp_acceptor_is_open(&acceptor));
	for (int i = 0; i < 4; i++)
		EXPECT(&flights[i], -ECANCELED, 0);
	START(stage,
	      { ACCEPT, .acceptor = &acceptor, .socket = &sockets[0], .flight = &flights[0] });
	EXPECT(&flights[0], -EBADF, 0);
	START(stage, { ACCEPTOR_WAIT, .acceptor = &acceptor, .what = SENNIT_WAIT_READ,
	               .flight = &flights[3] });
	EXPECT(&flights[3], -EBADF, 0);
	assert_int_equal(sennit_tcp_acceptor_local_endpoint(&acceptor, &none), -EBADF);
	assert_int_equal(sennit_tcp_acceptor_native_handle(&acceptor), -EBADF);
	finish(stage, flights, 4);
	/* The descriptor is closed by the owner, in its own time. */
	do {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		refused =
		    connect(fd, &endpoint.address.any, (socklen_t)sennit_endpoint_size(&endpoint));
		raw_close(fd);
	} while (refused == 0);
}

SCENARIO(a_wait_for_a_connection_does_not_accept_it)
{
	struct sennit_tcp_acceptor acceptor;
	struct sennit_tcp_socket socket;
	struct sennit_endpoint endpoint;
	struct flight flights[2] = { 0 };
	int client;

	sennit_tcp_socket_init(&socket, stage->owner);
	open_acceptor(stage, &acceptor, &endpoint);
	START(stage, { ACCEPTOR_WAIT, .acceptor = &acceptor, .what = SENNIT_WAIT_READ,
	               .flight = &flights[0] });
	PENDING(stage, &flights[0]);
	client = raw_connect(&endpoint);
	EXPECT(&flights[0], 0, 0);
	/* Its event is over; the connection is not. */
	START(stage, { ACCEPTOR_WAIT, .acceptor = &acceptor, .what = SENNIT_WAIT_READ,
	               .flight = &flights[0] });
	EXPECT(&flights[0], 0, 0);
	START(stage, { ACCEPT, .acceptor = &acceptor, .socket = &socket, .flight = &flights[1] });
	EXPECT(&flights[1], 0, 0);
	assert_true(connected_to_each_other(&socket, client));
	START(stage, { ACCEPTOR_WAIT, .acceptor = &acceptor, .what = SENNIT_WAIT_READ,
	               .flight = &flights[0] });
	PENDING(stage, &flights[0]);
	START(stage, { ACCEPTOR_CANCEL, .acceptor = &acceptor });
	EXPECT(&flights[0], -ECANCELED, 0);
	raw_close(client);
	finish(stage, flights, 2);
}

#define MANY 100

/* More than a turn's budget, more than one event tells of. */
SCENARIO(a_hundred_connections_are_accepted_whichever_side_comes_first)
{
	struct sennit_tcp_acceptor acceptor;
	static struct sennit_tcp_socket sockets[MANY];
	static struct flight flights[MANY];
	struct sennit_endpoint endpoint;
	struct start starts[MANY];
	int clients[MANY];

	open_acceptor(stage, &acceptor, &endpoint);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < MANY; i++) {
			sennit_tcp_socket_init(&sockets[i], i % 2 ? stage->owner : stage->other);
			starts[i] = (struct start){ ACCEPT, .acceptor = &acceptor,
				                    .socket = &sockets[i], .flight = &flights[i] };
			if (round == 0)
				clients[i] = raw_connect(&endpoint);
		}
		start_all(stage, starts, MANY);
		for (int i = 0; i < MANY && round == 1; i++)
			clients[i] = raw_connect(&endpoint);
		for (int i = 0; i < MANY; i++) {
			EXPECT(&flights[i], 0, 0);
			assert_true(connected_to_each_other(&sockets[i], clients[i]));
		}
		for (int i = 0; i < MANY; i++) {
			START(stage, { CLOSE, .stream = &sockets[i].stream });
			raw_close(clients[i]);
		}
	}
	finish(stage, flights, MANY);
}

/* A22: whether it is passed over or delivered, accepting goes on. */
SCENARIO(a_connection_that_was_reset_before_it_is_accepted_does_not_end_accepting)
{
	struct sennit_tcp_acceptor acceptor;
	struct sennit_tcp_socket sockets[2];
	struct sennit_endpoint endpoint;
	struct flight flights[2] = { 0 };
	int client;

	for (int i = 0; i < 2; i++)
		sennit_tcp_socket_init(&sockets[i], stage->owner);
	open_acceptor(stage, &acceptor, &endpoint);
	raw_reset(raw_connect(&endpoint));
	client = raw_connect(&endpoint);
	START(stage,
	      { ACCEPT, .acceptor = &acceptor, .socket = &sockets[0], .flight = &flights[0] });
	EXPECT(&flights[0], 0, 0);
	START(stage,
	      { ACCEPT, .acceptor = &acceptor, .socket = &sockets[1], .flight = &flights[1] });
	raw_close(raw_connect(&endpoint));
	EXPECT(&flights[1], 0, 0);
	raw_close(client);
	finish(stage, flights, 2);
}

/* --- opening ---------------------------------------------------------------------------------- */

static void an_acceptor_opens_once_and_says_why_it_cannot(void **state)
{
	struct stage stage = driven_stage();
	struct sennit_tcp_acceptor acceptor, second = { 0 };
	struct sennit_endpoint endpoint;
	char text[SENNIT_ENDPOINT_TEXT];

	(void)state;
	open_acceptor(&stage, &acceptor, &endpoint);
	assert_int_equal(sennit_tcp_acceptor_open(&acceptor, stage.owner, "127.0.0.1:0"),
	                 SENNIT_ALREADY_OPEN);
	assert_int_equal(sennit_endpoint_print(&endpoint, text, sizeof text), 0);
	assert_int_equal(sennit_tcp_acceptor_open(&second, stage.owner, text), -EADDRINUSE);
	assert_int_equal(sennit_tcp_acceptor_open(&second, stage.owner, "127.0.0.1"), -EINVAL);
	assert_int_equal(sennit_tcp_acceptor_open(&second, stage.owner, "nonsense:80"), -EINVAL);
	assert_int_equal(sennit_tcp_acceptor_open(&second, stage.owner, ""), -EINVAL);
	assert_false(sennit_tcp_acceptor_is_open(&second));
	/* Closed, it opens again. */
	sennit_tcp_acceptor_close(&acceptor);
	assert_int_equal(sennit_tcp_acceptor_open(&acceptor, stage.owner, "127.0.0.1:0"), 0);
	assert_true(sennit_tcp_acceptor_is_open(&acceptor));
	end_runtime(stage.runtime);
}

static void several_acceptors_share_a_port_only_where_all_ask_for_it(void **state)
{
	struct sennit_tcp_acceptor_options options = { .size = sizeof options, .reuse_port = true };
	struct stage stage = driven_stage();
	struct sennit_tcp_acceptor acceptors[3] = { 0 };
	struct sennit_endpoint endpoint;

	(void)state;
	assert_int_equal(sennit_endpoint_parse(&endpoint, "127.0.0.1:0"), 0);
	assert_int_equal(
	    sennit_tcp_acceptor_open_with(&acceptors[0], stage.owner, &endpoint, &options), 0);
	assert_int_equal(sennit_tcp_acceptor_local_endpoint(&acceptors[0], &endpoint), 0);
	assert_int_equal(
	    sennit_tcp_acceptor_open_with(&acceptors[1], stage.owner, &endpoint, &options), 0);
	assert_int_equal(sennit_tcp_acceptor_open_with(&acceptors[2], stage.owner, &endpoint, NULL),
	                 -EADDRINUSE);
	end_runtime(stage.runtime);
}

static void an_ipv6_acceptor_takes_ipv6_connections(void **state)
{
	struct stage stage = driven_stage();
	struct sennit_tcp_acceptor acceptor = { 0 };
	struct sennit_tcp_socket socket, client;
	struct sennit_endpoint endpoint, remote, local;
	struct flight accept = { 0 }, connect = { 0 };
	int error = sennit_tcp_acceptor_open(&acceptor, stage.owner, "[::1]:0");

	(void)state;
	if (error == -EADDRNOTAVAIL || error == -EAFNOSUPPORT) {
		end_runtime(stage.runtime);
		SKIP("there is no IPv6 here");
	}
	assert_int_equal(error, 0);
	assert_int_equal(sennit_tcp_acceptor_local_endpoint(&acceptor, &endpoint), 0);
	assert_int_equal(endpoint.address.any.sa_family, AF_INET6);
	sennit_tcp_socket_init(&socket, stage.owner);
	sennit_tcp_socket_init(&client, stage.owner);
	START(&stage, { ACCEPT, .acceptor = &acceptor, .socket = &socket, .flight = &accept },
	      { CONNECT, .socket = &client, .endpoint = &endpoint, .flight = &connect });
	DRIVE(stage.runtime, &connect, 0, 0);
	DRIVE(stage.runtime, &accept, 0, 0);
	assert_int_equal(sennit_tcp_socket_remote_endpoint(&socket, &remote), 0);
	assert_int_equal(sennit_tcp_socket_local_endpoint(&client, &local), 0);
	assert_true(sennit_endpoint_equal(&remote, &local));
	end_runtime(stage.runtime);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(C058_an_accepted_socket_knows_its_peer_and_belongs_to_its_own_executor),
		TEST(C059_two_accepts_are_served_in_order),
		TEST(a_cancelled_accept_leaves_the_socket_closed_and_the_connection_to_the_next),
		TEST(accepts_with_cancels_between_them_end_so_that_the_last_one_is_served),
		TEST(close_of_an_acceptor_cancels_all_its_accepts_and_stops_listening),
		TEST(a_wait_for_a_connection_does_not_accept_it),
		TEST(a_hundred_connections_are_accepted_whichever_side_comes_first),
		TEST(a_connection_that_was_reset_before_it_is_accepted_does_not_end_accepting),
		TEST(an_acceptor_opens_once_and_says_why_it_cannot),
		TEST(several_acceptors_share_a_port_only_where_all_ask_for_it),
		TEST(an_ipv6_acceptor_takes_ipv6_connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
