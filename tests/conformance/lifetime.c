/* SPDX-License-Identifier: MIT */
/* lifetime.c - whose memory is whose, when: handles freed and used again while others are at it;
 * hazards HB14, HB15, HC2 and HE1.
 */
#include "io_support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- sessions that free themselves ------------------------------------------------------------ */

/* What an author of servers writes: an object, its operations, freed by whoever is last. */
struct session {
	struct sennit_descriptor descriptor;
	struct sennit_op read;
	struct sennit_op write;
	struct latch *freed;
	atomic_uint references;
	atomic_uint handlers;
	char *data;
	int peer;
};

#define BLOCKING ((size_t)1 << 20)

static void put(struct session *session)
{
	struct latch *freed = session->freed;

	if (atomic_fetch_sub(&session->references, 1) != 1)
		return;
	RECORD(atomic_load(&session->handlers) == 2);
	free(session->data);
	/* So that whoever looks once more sees nonsense, also without a sanitizer. */
	memset(session, 0xa5, sizeof *session);
	free(session);
	latch_down(freed);
}

static void on_ended(struct sennit_op *op, int error, size_t bytes)
{
	struct session *session = op->user;

	(void)bytes;
	RECORD(error == -ECANCELED || error == SENNIT_EOF || error == -EPIPE ||
	       error == -ECONNRESET || error == SENNIT_SHUTDOWN);
	atomic_fetch_add(&session->handlers, 1);
	put(session);
}

static void start_session(void *argument)
{
	struct session *session = argument;

	sennit_async_read(&session->descriptor.stream, session->data, 100, &session->read,
	                  on_ended);
	sennit_async_write(&session->descriptor.stream, session->data, BLOCKING, &session->write,
	                   on_ended);
}

static struct session *new_session(struct stage *stage, struct latch *freed)
{
	struct session *session = zeroed(sizeof *session);

	session->data = zeroed(BLOCKING);
	session->freed = freed;
	session->peer = open_local(stage, &session->descriptor);
	session->read.user = session->write.user = session;
	sennit_op_bind_executor(&session->read, stage->other);
	sennit_op_bind_executor(&session->write, stage->other);
	/* The two operations and the closer. */
	atomic_store(&session->references, 3);
	return session;
}

static void end_session(void *argument)
{
	struct session *session = argument;

	sennit_close(&session->descriptor.stream);
	put(session);
}

SCENARIO(a_session_is_freed_by_a_handler_elsewhere_while_a_foreign_thread_closes_it)
{
	for (unsigned i = 0; i < 300 * scale(); i++) {
		struct latch freed = LATCH(1);
		struct session *session = new_session(stage, &freed);
		int peer = session->peer;

		call_on_kind(stage, start_session, session);
		/* In every third round the peer is the first to end it, in another it races. */
		if (i % 3 == 1)
			raw_close(peer);
		end_session(session);
		if (i % 3 == 2)
			raw_close(peer);
		latch_wait(&freed);
		if (i % 3 == 0)
			raw_close(peer);
	}
	finish(stage, NULL, 0);
}

SCENARIO(a_session_is_freed_where_its_closer_is_the_owner_or_the_worker_of_the_handlers)
{
	for (unsigned i = 0; i < 100 * scale(); i++) {
		struct latch freed = LATCH(1);
		struct session *session = new_session(stage, &freed);
		int peer = session->peer;

		call_on_kind(stage, start_session, session);
		call_on(i % 2 ? stage->owner : stage->other, end_session, session);
		latch_wait(&freed);
		raw_close(peer);
	}
	finish(stage, NULL, 0);
}

/* --- objects that end in their own handlers --------------------------------------------------- */

/* HB14: nothing is looked at after the handler, not the object, not the operation. */
struct suicidal {
	struct sennit_descriptor descriptor;
	struct sennit_op op;
	struct latch *done;
	char data[4];
};

static void on_read_and_die(struct sennit_op *op, int error, size_t bytes)
{
	struct suicidal *object = CONTAINER_OF(op, struct suicidal, op);
	struct latch *done = object->done;

	RECORD(error == 0 && bytes == 1);
	sennit_close(&object->descriptor.stream);
	memset(object, 0xa5, sizeof *object);
	free(object);
	latch_down(done);
}

static void start_suicidal(void *argument)
{
	struct suicidal *object = argument;

	sennit_async_read_some(&object->descriptor.stream, object->data, sizeof object->data,
	                       &object->op, on_read_and_die);
}

SCENARIO(an_object_is_closed_and_freed_in_its_own_handler)
{
	for (int ready = 0; ready < 2; ready++) {
		struct suicidal *object = zeroed(sizeof *object);
		struct latch done = LATCH(1);
		int peer = open_local(stage, &object->descriptor);

		object->done = &done;
		if (ready)
			raw_write(peer, "!", 1);
		call_on_kind(stage, start_suicidal, object);
		if (!ready)
			raw_write(peer, "!", 1);
		latch_wait(&done);
		assert_int_equal(raw_drain(peer), 0);
		raw_close(peer);
	}
	finish(stage, NULL, 0);
}

/* HB15: the first handler of an event that is about both directions closes the object. */
struct both_ways {
	struct sennit_descriptor descriptor;
	struct sennit_op read;
	struct flight write;
	char byte;
};

static void on_read_close(struct sennit_op *op, int error, size_t bytes)
{
	struct both_ways *object = CONTAINER_OF(op, struct both_ways, read);

	RECORD(error == 0 && bytes == 1);
	sennit_close(&object->descriptor.stream);
}

static void start_read_close(void *argument)
{
	struct both_ways *object = argument;

	sennit_async_read_some(&object->descriptor.stream, &object->byte, 1, &object->read,
	                       on_read_close);
}

SCENARIO(a_handler_that_closes_leaves_the_other_half_of_the_event_nothing)
{
	size_t size = (size_t)1 << 20;
	char *data = patterned(size);

	for (unsigned i = 0; i < 20; i++) {
		struct both_ways object = { .byte = 0 };
		size_t received;
		struct hold hold;
		char *part = zeroed(size);
		int peer = open_local(stage, &object.descriptor);

		START(stage, { WRITE, &object.descriptor.stream, .data = data, .size = size,
		               .flight = &object.write });
		call_on_kind(stage, start_read_close, &object);
		PENDING(stage, &object.write);
		hold_worker(&hold, stage->owner);
		raw_write(peer, "!", 1);
		raw_read(peer, part, 1);
		received = 1;
		/* Room for the writer and a byte for the reader, in one event. */
		for (ssize_t got; (got = recv(peer, part, size, MSG_DONTWAIT)) > 0;)
			received += (size_t)got;
		let_go(&hold);
		wait_result(&object.write.result);
		for (ssize_t got; (got = read(peer, part, size)) > 0;)
			received += (size_t)got;
		EXPECT(&object.write, received == size ? 0 : -ECANCELED, received);
		raw_close(peer);
		free(part);
		finish(stage, &object.write, 1);
	}
	free(data);
}

/* HE1: a result that is there at once is a post, not a call. */
struct chain {
	struct sennit_descriptor descriptor;
	struct sennit_op op;
	struct latch done;
	unsigned left;
	bool inside;
};

static void on_link(struct sennit_op *op, int error, size_t bytes)
{
	struct chain *chain = CONTAINER_OF(op, struct chain, op);

	RECORD(!chain->inside && error == 0 && bytes == 0);
	chain->inside = true;
	if (chain->left-- == 0)
		latch_down(&chain->done);
	else
		sennit_async_read(&chain->descriptor.stream, NULL, 0, op, on_link);
	chain->inside = false;
}

static void start_chain(void *argument)
{
	struct chain *chain = argument;

	sennit_async_read(&chain->descriptor.stream, NULL, 0, &chain->op, on_link);
}

SCENARIO(a_chain_of_operations_that_end_at_once_does_not_nest)
{
	struct chain chain = { .done = LATCH(1), .left = 100000 };
	int peer = open_local(stage, &chain.descriptor);

	call_on_kind(stage, start_chain, &chain);
	latch_wait(&chain.done);
	raw_close(peer);
	finish(stage, NULL, 0);
}

/* --- handles that are used again -------------------------------------------------------------- */

#define LIVES 50

struct lives {
	struct stage *stage;
	struct sennit_descriptor descriptor;
	struct flight flights[LIVES];
	int peers[LIVES];
	char data[4];
};

/* All in one handler: the operations of a life end when the next ones have begun. */
static void live(void *argument)
{
	struct lives *lives = argument;
	struct sennit_descriptor *descriptor = &lives->descriptor;
	int fds[2];

	for (int i = 0; i < LIVES; i++) {
		if (!RECORD(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0))
			return;
		lives->peers[i] = fds[1];
		RECORD(sennit_descriptor_assign(descriptor, lives->stage->owner, fds[0]) == 0);
		sennit_async_read_some(&descriptor->stream, lives->data, sizeof lives->data,
		                       &lives->flights[i].op, on_result);
		RECORD(sennit_is_open(&descriptor->stream));
		if (i < LIVES - 1) {
			sennit_close(&descriptor->stream);
			RECORD(!sennit_is_open(&descriptor->stream));
		}
	}
}

SCENARIO(a_closed_handle_is_assigned_again_at_once)
{
	struct lives *lives = zeroed(sizeof *lives);

	lives->stage = stage;
	sennit_descriptor_init(&lives->descriptor, stage->owner);
	for (int i = 0; i < LIVES; i++)
		expect_result(&lives->flights[i].op, &lives->flights[i].result, stage->owner);
	/* Nobody competes: whichever thread it is, it is the only one. */
	call_on_kind(stage, live, lives);
	for (int i = 0; i < LIVES - 1; i++) {
		EXPECT(&lives->flights[i], -ECANCELED, 0);
		assert_int_equal(raw_drain(lives->peers[i]), 0);
	}
	PENDING(stage, &lives->flights[LIVES - 1]);
	raw_write(lives->peers[LIVES - 1], "last", 4);
	EXPECT(&lives->flights[LIVES - 1], 0, 4);
	for (int i = 0; i < LIVES; i++)
		raw_close(lives->peers[i]);
	finish(stage, lives->flights, LIVES);
	free(lives);
}

SCENARIO(a_closed_socket_is_opened_connected_and_closed_over_and_over)
{
	struct sennit_tcp_socket socket;
	struct sennit_endpoint endpoint;
	struct flight flights[2] = { 0 };
	char byte;
	int listener = raw_listen(&endpoint, 10);

	sennit_tcp_socket_init(&socket, stage->owner);
	for (int i = 0; i < 20; i++) {
		int peer;

		if (i % 2)
			assert_int_equal(sennit_tcp_socket_open(&socket, AF_INET), 0);
		START(stage,
		      { CONNECT, .socket = &socket, .endpoint = &endpoint, .flight = &flights[0] });
		EXPECT(&flights[0], 0, 0);
		peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		assert_true(peer >= 0);
		START(stage,
		      { READ, &socket.stream, .data = &byte, .size = 1, .flight = &flights[1] },
		      { CLOSE, .stream = &socket.stream });
		EXPECT(&flights[1], -ECANCELED, 0);
		assert_int_equal(raw_drain(peer), 0);
		raw_close(peer);
	}
	raw_close(listener);
	finish(stage, flights, 2);
}

/* An acceptor's memory and those of sockets in accepts that never came to anything. */
SCENARIO(an_acceptor_and_its_sockets_are_freed_after_close)
{
	for (unsigned i = 0; i < 50; i++) {
		struct sennit_tcp_acceptor *acceptor = zeroed(sizeof *acceptor);
		struct sennit_tcp_socket *socket = zeroed(sizeof *socket);
		struct sennit_endpoint endpoint;
		struct flight *flight = zeroed(sizeof *flight);
		int client = -1;

		open_acceptor(stage, acceptor, &endpoint);
		sennit_tcp_socket_init(socket, stage->other);
		START(stage, { ACCEPT, .acceptor = acceptor, .socket = socket, .flight = flight });
		if (i % 2)
			client = raw_connect(&endpoint);
		START(stage, { ACCEPTOR_CLOSE, .acceptor = acceptor });
		wait_result(&flight->result);
		assert_true(flight->result.error == -ECANCELED ||
		            (flight->result.error == 0 && client >= 0));
		assert_int_equal(sennit_is_open(&socket->stream), flight->result.error == 0);
		sennit_close(&socket->stream);
		finish(stage, flight, 1);
		free(acceptor);
		free(socket);
		free(flight);
		if (client >= 0)
			raw_close(client);
	}
}

/* --- misuse ----------------------------------------------------------------------------------- */

struct misused {
	struct sennit_runtime *runtime;
	struct sennit_descriptor first;
	struct sennit_descriptor second;
	struct sennit_op op;
	char data[4];
};

static void on_nothing(struct sennit_op *op, int error, size_t bytes)
{
	(void)op;
	(void)error;
	(void)bytes;
}

/* In a child process: no asserts. */
static void prepare_misused(struct misused *misused)
{
	struct sennit_executor *executor;

	if (sennit_runtime_create(NULL, &misused->runtime))
		_exit(1);
	executor = sennit_runtime_executor(misused->runtime);
	if (sennit_descriptor_pair(&misused->first, &misused->second, executor))
		_exit(1);
}

static void start_twice(void *argument)
{
	struct misused *misused = argument;

	prepare_misused(misused);
	for (int i = 0; i < 2; i++)
		sennit_async_read(&misused->first.stream, misused->data, 4, &misused->op,
		                  on_nothing);
}

static void start_on_both(void *argument)
{
	struct misused *misused = argument;

	prepare_misused(misused);
	sennit_async_read(&misused->first.stream, misused->data, 4, &misused->op, on_nothing);
	sennit_async_write(&misused->second.stream, misused->data, 4, &misused->op, on_nothing);
}

static void start_without_init(void *argument)
{
	struct misused *misused = argument;

	prepare_misused(misused);
	memset(&misused->first, 0, sizeof misused->first);
	sennit_async_read(&misused->first.stream, misused->data, 4, &misused->op, on_nothing);
}

static void start_on_garbage(void *argument)
{
	struct misused *misused = argument;

	prepare_misused(misused);
	memset(&misused->first, 0xa5, sizeof misused->first);
	sennit_async_read(&misused->first.stream, misused->data, 4, &misused->op, on_nothing);
}

static void misuse_that_the_caller_can_know_is_reported(void **state)
{
	struct misused misused = { .runtime = NULL };

	(void)state;
	assert_misuse(start_twice, &misused, "in flight");
	assert_misuse(start_on_both, &misused, "in flight");
	assert_misuse(start_without_init, &misused, "initialised");
	assert_misuse(start_on_garbage, &misused, "initialised");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_session_is_freed_by_a_handler_elsewhere_while_a_foreign_thread_closes_it),
		TEST(
		    a_session_is_freed_where_its_closer_is_the_owner_or_the_worker_of_the_handlers),
		TEST(an_object_is_closed_and_freed_in_its_own_handler),
		TEST(a_handler_that_closes_leaves_the_other_half_of_the_event_nothing),
		TEST(a_chain_of_operations_that_end_at_once_does_not_nest),
		TEST(a_closed_handle_is_assigned_again_at_once),
		TEST(a_closed_socket_is_opened_connected_and_closed_over_and_over),
		TEST(an_acceptor_and_its_sockets_are_freed_after_close),
		TEST(misuse_that_the_caller_can_know_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
