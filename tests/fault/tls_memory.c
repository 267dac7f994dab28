/* SPDX-License-Identifier: MIT */
/* tls_memory.c - the library's own buffers for TLS cannot be had: who waits is told -ENOMEM, what
 * was lost with it ends the session for good, and nothing is kept. */
#include "engine_pair.h"

#include <errno.h>
#include <stdlib.h>

/* Where the wire needs no memory of its own. */
#define CAPACITY ((size_t)1 << 18)
#define SIZE     ((size_t)40000)

static struct sennit_tls_context *contexts[2];
static char *data;

/* --- the engine ------------------------------------------------------------------------------- */

struct attempt {
	uint64_t calls;     /* that succeed */
	bool failed;        /* a later one was made */
	unsigned told;      /* how many sides failed for want of memory */
};

static void check_side(struct engine_pair *pair, int which, struct attempt *attempt)
{
	struct side *side = &pair->sides[which];
	struct sennit__tls_engine *engine = &side->engine;
	char byte;

	RECORD(got_prefix(pair, which));
	RECORD(side->read != SENNIT_EOF || got_all(pair, which));
	attempt->failed |= side->read != SENNIT_EOF || side->shutdown;
	if (engine->failure != -ENOMEM)
		return;
	attempt->told++;
	RECORD(side->handshake == -ENOMEM || side->write == -ENOMEM || side->read == -ENOMEM ||
	       side->shutdown == -ENOMEM);
	/* for good */
	RECORD(sennit__tls_engine_read(engine, &byte, 1) == -ENOMEM);
	RECORD(sennit__tls_engine_seal(engine, &(struct iovec){&byte, 1}, 1) == -ENOMEM);
}

/* On a thread of its own, which has no buffers kept from before. */
static void *play_without(void *argument)
{
	struct attempt *attempt = argument;
	struct engine_pair pair;

	RECORD(engine_pair_open(&pair, contexts[0], contexts[1]));
	engine_pair_send(&pair, data, SIZE, data + 5, SIZE - 5);
	for (int i = 0; i < 2; i++) {
		struct wire *wire = &pair.sides[i].out;

		wire->data = malloc(wire->capacity = CAPACITY);
		RECORD(wire->data);
	}
	fail_allocations_after(attempt->calls);
	engine_pair_play(&pair);
	fail_allocations_after(UINT64_MAX);
	check_side(&pair, 0, attempt);
	check_side(&pair, 1, attempt);
	engine_pair_close(&pair);
	return NULL;
}

static void a_session_without_buffers_fails_for_good_and_leaves_nothing(void **state)
{
	struct attempt attempt = {.calls = 1000};
	unsigned told = 0;
	int64_t before;

	(void)state;
	if (!fail_allocations_after(UINT64_MAX - 1))
		SKIP("allocations cannot be made to fail under a sanitizer");
	data = patterned(SIZE);
	contexts[0] = client_context(test_authority());
	contexts[1] = server_context(test_certificate());
	join(spawn(play_without, &attempt));
	assert_false(attempt.failed);
	before = live_allocations();
	for (uint64_t calls = 0; calls == 0 || attempt.failed; calls++) {
		attempt = (struct attempt){.calls = calls};
		join(spawn(play_without, &attempt));
		recorded();
		told += attempt.told;
		assert_in_range(live_allocations(), 0, before);
	}
	assert_in_range(told, 3, 100);
	sennit_tls_context_destroy(contexts[0]);
	sennit_tls_context_destroy(contexts[1]);
	free(data);
}

/* --- streams ---------------------------------------------------------------------------------- */

/* A handshake that fails on one side is of no use to the other. */
struct both {
	struct tls_pair pair;
	struct result results[2];
	struct latch done;
};

static void on_shaken(struct sennit_op *op, int error, size_t bytes)
{
	struct both *both = op->user;

	(void)bytes;
	both->results[op == &both->pair.handshakes[1].op].error = error;
	if (error) {
		sennit_close(&both->pair.client.stream);
		sennit_close(&both->pair.server.stream);
	}
	latch_down(&both->done);
}

/* Whether hands could be shaken with so many calls. */
static bool shake_hands_without(uint64_t calls)
{
	struct sennit_runtime *runtime = started_runtime(1); /* a thread without buffers */
	struct stage stage = {.runtime = runtime, .owner = sennit_runtime_worker(runtime, 0)};
	struct both *both = zeroed(sizeof *both);
	struct tls_pair *pair = &both->pair;
	bool good;

	both->done = (struct latch)LATCH(2);
	open_pair(pair, stage.owner, NULL, NULL);
	owner_turn(&stage);
	fail_allocations_after(calls);
	for (int i = 0; i < 2; i++) {
		pair->handshakes[i].op.user = both;
		sennit_tls_async_handshake(i ? &pair->server : &pair->client,
					   &pair->handshakes[i].op, on_shaken);
	}
	latch_wait(&both->done);
	fail_allocations_after(UINT64_MAX);
	good = !both->results[0].error && !both->results[1].error;
	assert_true(good || both->results[0].error == -ENOMEM ||
		    both->results[1].error == -ENOMEM);
	close_pair(&stage, pair);
	end_runtime(runtime);
	free(both);
	return good;
}

static void a_handshake_without_buffers_is_told(void **state)
{
	uint64_t calls = 0;

	(void)state;
	if (!fail_allocations_after(UINT64_MAX - 1))
		SKIP("allocations cannot be made to fail under a sanitizer");
	fail_allocations_after(UINT64_MAX);
	while (!shake_hands_without(calls))
		calls++;
	assert_in_range(calls, 2, 50);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_session_without_buffers_fails_for_good_and_leaves_nothing),
		TEST(a_handshake_without_buffers_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
