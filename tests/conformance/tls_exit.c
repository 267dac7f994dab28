/* SPDX-License-Identifier: MIT */
/* tls_exit.c - "A program that ends while workers still run is safe": OpenSSL does not tidy up
 * under the feet of threads that still use it. In a child, which does not go before they have.
 */
#include "tls_support.h"

#include <stdatomic.h>
#include <stdlib.h>

#define PAIRS  4
#define SHAKES 8u

/* Shakes hands, closes both, and begins again, for ever. */
struct shaker {
	struct tls_pair pair;
	struct sennit_op ops[2];
	unsigned ended;
	unsigned rounds;      /* since all began, then since the program ends */
	bool knows;           /* that it does */
	struct sennit_executor *owner;
};

static atomic_bool ending;
static struct latch at_work = LATCH(PAIRS);
static struct latch still_at_work = LATCH(PAIRS);
static struct sennit_tls_context *contexts[2];

static void on_shaken(struct sennit_op *op, int error, size_t bytes);

static void begin(struct shaker *shaker)
{
	struct tls_pair *pair = &shaker->pair;
	struct sennit_tls_stream *streams[2] = {&pair->client, &pair->server};

	shaker->ended = 0;
	*pair = (struct tls_pair){0};
	for (int i = 0; i < 2; i++)
		sennit_tcp_socket_init(&pair->sockets[i], shaker->owner);
	RECORD(!sennit_tcp_socket_pair(&pair->sockets[0], &pair->sockets[1]));
	RECORD(!sennit_tls_stream_open_client(&pair->client, contexts[0],
					      &pair->sockets[0].stream, "localhost"));
	RECORD(!sennit_tls_stream_open_server(&pair->server, contexts[1],
					      &pair->sockets[1].stream));
	for (int i = 0; i < 2; i++) {
		shaker->ops[i].user = shaker;
		sennit_tls_async_handshake(streams[i], &shaker->ops[i], on_shaken);
	}
}

static void on_shaken(struct sennit_op *op, int error, size_t bytes)
{
	struct shaker *shaker = op->user;

	(void)bytes;
	if (error)
		abort();
	if (++shaker->ended < 2)
		return;
	sennit_close(&shaker->pair.client.stream);
	sennit_close(&shaker->pair.server.stream);
	if (atomic_load(&ending) && !shaker->knows) {
		shaker->knows = true;
		shaker->rounds = 0;
	}
	if (++shaker->rounds == SHAKES)
		latch_down(shaker->knows ? &still_at_work : &at_work);
	begin(shaker);
}

static void begin_here(void *argument)
{
	begin(argument);
}

/* OpenSSL is used by the library first. */
static void make_contexts(void)
{
	struct sennit_tls_context *first;

	if (sennit_tls_context_create(SENNIT_TLS_CLIENT, &first))
		exit(3);
	sennit_tls_context_destroy(first);
	contexts[0] = client_context(test_authority());
	contexts[1] = server_context(test_certificate());
}

static void see_them_go_on(void)
{
	atomic_store(&ending, true);
	latch_wait(&still_at_work);
}

static void end_in_the_middle(void *argument)
{
	static struct shaker shakers[PAIRS];
	static struct sennit_runtime *runtime;

	(void)argument;
	atexit(see_them_go_on); /* after what OpenSSL would have done, which comes later */
	make_contexts();
	runtime = started_runtime(2);
	for (unsigned i = 0; i < PAIRS; i++) {
		shakers[i].owner = sennit_runtime_worker(runtime, i % 2);
		call_on(shakers[i].owner, begin_here, &shakers[i]);
	}
	latch_wait(&at_work);
	exit(0);
}

static void a_program_may_end_while_its_workers_shake_hands(void **state)
{
	struct child child;

	(void)state;
	in_child(&child, end_in_the_middle, NULL);
	if (child.status)
		fail_msg("the child ended with %d: %s", child.status, child.text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_program_may_end_while_its_workers_shake_hands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
