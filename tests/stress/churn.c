/* SPDX-License-Identifier: MIT */
/* churn.c - connect, send, close, over and over on several workers: every message arrives, and
 * descriptors do not grow.
 */
#include "io_support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORKERS   3
#define ACCEPTORS 4  /* each with an address of its own: more pairs of ports */
#define CLIENTS   16 /* at the same time */
#define MESSAGE   64

struct churn;

/* Connects, sends, closes, and begins anew. */
struct client {
	struct churn *churn;
	struct sennit_tcp_socket socket;
	struct sennit_op op;
	unsigned index;
	uint64_t number;
	char data[MESSAGE];
};

/* An accepted connection: reads to the end, closes, frees itself. */
struct connection {
	struct churn *churn;
	struct sennit_tcp_socket socket;
	struct sennit_op op;
	char data[MESSAGE + 1];
};

struct server {
	struct churn *churn;
	struct sennit_tcp_acceptor acceptor;
	struct sennit_endpoint endpoint;
	struct sennit_op op;
	struct connection *next;
};

struct churn {
	struct sennit_runtime *runtime;
	struct server servers[ACCEPTORS];
	struct client clients[CLIENTS];
	uint64_t rounds; /* to be connected */
	atomic_uint_fast64_t begun;
	atomic_uint_fast64_t arrived;
	struct latch clients_done;
	struct latch all_arrived;
	struct latch servers_done;
};

static sennit_handler on_accepted, on_message, on_connected, on_sent;

/* --- the server ------------------------------------------------------------------------------- */

static void accept_next(struct server *server)
{
	struct connection *connection = calloc(1, sizeof *connection);

	if (!connection)
		abort();
	connection->churn = server->churn;
	server->next = connection;
	sennit_tcp_socket_init(&connection->socket,
	                       sennit_runtime_next_worker(server->churn->runtime));
	sennit_tcp_acceptor_async_accept(&server->acceptor, &connection->socket, &server->op,
	                                 on_accepted);
}

static void on_accepted(struct sennit_op *op, int error, size_t bytes)
{
	struct server *server = CONTAINER_OF(op, struct server, op);
	struct connection *connection = server->next;

	RECORD(bytes == 0);
	if (error) {
		RECORD(error == -ECANCELED);
		free(connection);
		latch_down(&server->churn->servers_done);
		return;
	}
	sennit_async_read(&connection->socket.stream, connection->data, sizeof connection->data,
	                  &connection->op, on_message);
	accept_next(server);
}

static void on_message(struct sennit_op *op, int error, size_t bytes)
{
	struct connection *connection = CONTAINER_OF(op, struct connection, op);
	struct churn *churn = connection->churn;

	/* One byte more was asked for than is sent: the end comes first. */
	RECORD(error == SENNIT_EOF && bytes == MESSAGE);
	for (int i = 1; i < MESSAGE; i++)
		RECORD(connection->data[i] == connection->data[0]);
	sennit_close(&connection->socket.stream);
	free(connection);
	if (atomic_fetch_add(&churn->arrived, 1) + 1 == churn->rounds)
		latch_down(&churn->all_arrived);
}

/* --- the clients ------------------------------------------------------------------------------ */

static void connect_next(struct client *client)
{
	struct churn *churn = client->churn;
	struct server *server;

	client->number = atomic_fetch_add(&churn->begun, 1);
	if (client->number >= churn->rounds) {
		latch_down(&churn->clients_done);
		return;
	}
	if (client->number % 256 == 0)
		progress();
	server = &churn->servers[client->number % ACCEPTORS];
	sennit_tcp_socket_async_connect(&client->socket, &server->endpoint, &client->op,
	                                on_connected);
}

static void on_connected(struct sennit_op *op, int error, size_t bytes)
{
	struct client *client = CONTAINER_OF(op, struct client, op);

	if (!RECORD(error == 0 && bytes == 0)) {
		latch_down(&client->churn->clients_done);
		return;
	}
	memset(client->data, (int)(client->number & 0x7f), MESSAGE);
	sennit_async_write(&client->socket.stream, client->data, MESSAGE, op, on_sent);
}

static void on_sent(struct sennit_op *op, int error, size_t bytes)
{
	struct client *client = CONTAINER_OF(op, struct client, op);

	RECORD(error == 0 && bytes == MESSAGE);
	sennit_close(&client->socket.stream);
	connect_next(client);
}

/* --- the test --------------------------------------------------------------------------------- */

static void open_servers(struct churn *churn)
{
	for (unsigned i = 0; i < ACCEPTORS; i++) {
		struct server *server = &churn->servers[i];
		char text[SENNIT_ENDPOINT_TEXT];

		snprintf(text, sizeof text, "127.0.0.%u:0", i + 1);
		server->churn = churn;
		assert_int_equal(sennit_tcp_acceptor_open(
				     &server->acceptor,
				     sennit_runtime_worker(churn->runtime, i % WORKERS), text),
		                 0);
		assert_int_equal(
		    sennit_tcp_acceptor_local_endpoint(&server->acceptor, &server->endpoint), 0);
		accept_next(server);
	}
}

static void run_rounds(struct churn *churn, uint64_t rounds)
{
	churn->rounds = rounds;
	atomic_store(&churn->begun, 0);
	atomic_store(&churn->arrived, 0);
	churn->clients_done = (struct latch)LATCH(CLIENTS);
	churn->all_arrived = (struct latch)LATCH(1);
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct client *client = &churn->clients[i];

		client->churn = churn;
		client->index = i;
		sennit_tcp_socket_init(&client->socket, sennit_runtime_next_worker(churn->runtime));
		connect_next(client);
	}
	latch_wait(&churn->clients_done);
	recorded();
	latch_wait(&churn->all_arrived);
}

struct counting {
	struct latch done;
	struct sennit_task task;
};

static void on_counting(struct sennit_task *task, int error)
{
	struct counting *counting = CONTAINER_OF(task, struct counting, task);

	RECORD(error == 0);
	latch_down(&counting->done);
}

/* Once each worker has come round, what was closed before is closed. */
static unsigned settled_descriptors(struct churn *churn)
{
	for (unsigned turn = 0; turn < 2; turn++) {
		for (unsigned i = 0; i < WORKERS; i++) {
			struct counting counting = { .done = LATCH(1) };

			sennit_post(sennit_runtime_worker(churn->runtime, i), &counting.task,
			            on_counting);
			latch_wait(&counting.done);
		}
	}
	return open_descriptors();
}

static void connections_come_and_go_and_descriptors_stay_as_many(void **state)
{
	struct churn *churn = zeroed(sizeof *churn);
	unsigned before, after;

	(void)state;
	churn->runtime = started_runtime(WORKERS);
	open_servers(churn);
	churn->servers_done = (struct latch)LATCH(ACCEPTORS);
	run_rounds(churn, 100);
	before = settled_descriptors(churn);
	for (unsigned part = 0; part < 4; part++) {
		run_rounds(churn, (uint64_t)400 * scale());
		after = settled_descriptors(churn);
		assert_int_equal(after, before);
	}
	for (unsigned i = 0; i < ACCEPTORS; i++)
		sennit_tcp_acceptor_close(&churn->servers[i].acceptor);
	latch_wait(&churn->servers_done);
	assert_int_equal(sennit_runtime_join(churn->runtime), 0);
	end_runtime(churn->runtime);
	free(churn);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(connections_come_and_go_and_descriptors_stay_as_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
