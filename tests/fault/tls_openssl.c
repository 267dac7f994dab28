/* SPDX-License-Identifier: MIT */
/* tls_openssl.c - OpenSSL gets no memory, at any of its calls for some: the engine fails, and
 * neither takes anything for data or the end that is none, nor keeps anything. */
#include "engine_pair.h"
#include "openssl_memory.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>

/* OpenSSL forgets a block here and there; a session that is not freed is more than a hundred. */
#define OWN_LEAKS 4

static struct sennit_tls_context *contexts[2];
static bool warm; /* what OpenSSL keeps for later it has */

static void open_pair_with_data(struct engine_pair *pair)
{
	openssl_fail_after(UINT64_MAX, false);
	assert_true(engine_pair_open(pair, contexts[0], contexts[1]));
	engine_pair_send(pair, "from client", 11, "and from server", 15);
}

static void assert_good(const struct engine_pair *pair)
{
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pair->sides[i].read, SENNIT_EOF);
		assert_int_equal(pair->sides[i].shutdown, 0);
		assert_true(got_all(pair, i));
	}
}

/* Without what this thread keeps for its errors, which is no session's. */
static size_t blocks(void)
{
	OPENSSL_thread_stop();
	return openssl_blocks();
}

/* Whether memory failed in it. */
static bool play_without(uint64_t calls, bool just_one)
{
	size_t before = blocks();
	struct engine_pair pair;
	bool failed;

	open_pair_with_data(&pair);
	openssl_fail_after(calls, just_one);
	engine_pair_play(&pair);
	failed = openssl_has_failed();
	openssl_fail_after(UINT64_MAX, false);
	for (int i = 0; i < 2; i++) {
		struct side *side = &pair.sides[i];

		assert_true(got_prefix(&pair, i));
		assert_true(side->read != SENNIT_EOF || got_all(&pair, i));
		assert_int_not_equal(side->handshake, SENNIT__TLS_MORE);
		if (side->engine.failure) /* for good */
			assert_int_equal(sennit__tls_engine_handshake(&side->engine),
					 side->engine.failure);
	}
	if (!failed)
		assert_good(&pair);
	engine_pair_close(&pair);
	assert_int_equal(ERR_peek_error(), 0);
	if (warm)
		assert_in_range(blocks(), 0, before + OWN_LEAKS);
	warm = true;
	return failed;
}

static void fail_everywhere(enum sennit_tls_version version, bool just_one)
{
	uint64_t step = scale() < 10 ? 7 : 1;

	for (int i = 0; i < 2; i++)
		assert_int_equal(sennit_tls_context_versions(contexts[i], version, version), 0);
	assert_false(play_without(UINT64_MAX, false));
	for (uint64_t calls = 0; play_without(calls, just_one); calls += step)
		progress();
	assert_false(play_without(UINT64_MAX, false));
}

#if defined(SANITIZED_THREAD) || defined(SANITIZED_ADDRESS)
# define CLEAN false
#else
# define CLEAN true
#endif

static void without_memory_a_session_fails_and_leaves_nothing(void **state)
{
	(void)state;
	if (!CLEAN)
		SKIP("OpenSSL itself is not clean without memory");
	contexts[0] = client_context(test_authority());
	contexts[1] = server_context(test_certificate());
	fail_everywhere(SENNIT_TLS_1_2, true);
	fail_everywhere(SENNIT_TLS_1_2, false);
	fail_everywhere(SENNIT_TLS_1_3, true);
	fail_everywhere(SENNIT_TLS_1_3, false);
	sennit_tls_context_destroy(contexts[0]);
	sennit_tls_context_destroy(contexts[1]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(without_memory_a_session_fails_and_leaves_nothing),
	};

	if (!watch_openssl_memory())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
