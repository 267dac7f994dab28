/* SPDX-License-Identifier: MIT */
/* tls_sink.c - what the TLS engine seals last is offered to who may take it at once, behind what
 * was to leave before, and what is not taken is kept. */
#include "engine_pair.h"

#include <openssl/tls1.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_SIZE ((size_t)SENNIT__TLS_RECORD)

/* A stream below that has room for so much. */
struct below {
	size_t room;
	unsigned char *data;
	size_t size;
	unsigned calls;
	int parts; /* of the last one */
};

static size_t take(void *self, const struct iovec *vector, int count)
{
	struct below *below = self;
	size_t before = below->size;

	below->calls++;
	below->parts = count;
	for (int i = 0; i < count; i++) {
		size_t left = below->room - (below->size - before);
		size_t size = vector[i].iov_len < left ? vector[i].iov_len : left;

		RECORD(vector[i].iov_len > 0);
		memcpy(below->data + below->size, vector[i].iov_base, size);
		below->size += size;
	}
	return below->size - before;
}

/* A server and a client, connected; what the server seals is offered to `below`. */
struct scene {
	struct sennit_tls_context *contexts[2];
	struct engine_pair pair;
	struct sennit__tls_engine *server;
	struct below below;
	char *data;
	size_t size;
};

static void begin(struct scene *scene, enum sennit_tls_version version, int fragment)
{
	memset(scene, 0, sizeof *scene);
	scene->contexts[0] = client_context(test_authority());
	scene->contexts[1] = server_context(test_certificate());
	assert_int_equal(sennit_tls_context_versions(scene->contexts[0], version, version), 0);
	assert_true(engine_pair_open(&scene->pair, scene->contexts[0], scene->contexts[1]));
	scene->server = &scene->pair.sides[1].engine;
	if (fragment)
		assert_true(SSL_set_tlsext_max_fragment_length(scene->pair.sides[0].engine.ssl,
							       (uint8_t)fragment));
	scene->size = 3 * RECORD_SIZE;
	scene->data = patterned(scene->size);
	scene->below.data = zeroed(2 * scene->size);
	for (bool more = true; more;) {
		more = false;
		for (int i = 0; i < 2; i++) {
			struct side *side = &scene->pair.sides[i];

			side->handshake = sennit__tls_engine_handshake(&side->engine);
			more |= wire_carry(side, &scene->pair.sides[!i]);
		}
	}
	assert_true(scene->server->connected);
	assert_int_equal(sennit__tls_engine_peek(&scene->pair.sides[0].engine), SENNIT__TLS_MORE);
	scene->server->sink = take;
	scene->server->below = &scene->below;
}

static void end(struct scene *scene)
{
	recorded();
	engine_pair_close(&scene->pair);
	for (int i = 0; i < 2; i++)
		sennit_tls_context_destroy(scene->contexts[i]);
	free(scene->data);
	free(scene->below.data);
}

static void seal(struct scene *scene, size_t offset, size_t size)
{
	struct iovec vector = {scene->data + offset, size};

	assert_int_equal(sennit__tls_engine_seal(scene->server, &vector, size), size);
}

/* The client reads what was taken, then what was kept: `size` bytes of the pattern. */
static void read_all(struct scene *scene, size_t size)
{
	struct sennit__tls_engine *client = &scene->pair.sides[0].engine;
	char *got = zeroed(size + 1);
	size_t total = 0;
	size_t fed = 0;
	bool more = true;

	while (more) {
		size_t room;
		void *place;
		ssize_t bytes;

		more = fed < scene->below.size;
		if (more) {
			place = sennit__tls_engine_room(client, &room);
			if (room > scene->below.size - fed)
				room = scene->below.size - fed;
			memcpy(place, scene->below.data + fed, room);
			sennit__tls_engine_feed(client, room);
			fed += room;
		} else {
			more = wire_carry(&scene->pair.sides[1], &scene->pair.sides[0]);
		}
		bytes = sennit__tls_engine_read(client, got + total, size + 1 - total);
		assert_true(bytes >= 0);
		total += (size_t)bytes;
	}
	assert_int_equal(total, size);
	assert_memory_equal(got, scene->data, size);
	free(got);
}

static const enum sennit_tls_version versions[] = {SENNIT_TLS_1_2, SENNIT_TLS_1_3};

static void what_is_taken_at_once_is_not_kept(void **state)
{
	struct scene scene;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		begin(&scene, versions[i], 0);
		scene.below.room = SIZE_MAX;
		seal(&scene, 0, 100);
		assert_int_equal(scene.below.calls, 1);
		assert_int_equal(scene.below.parts, 1);
		assert_int_equal(scene.server->output_size, 0);
		read_all(&scene, 100);
		end(&scene);
	}
}

static void several_records_are_taken_in_one_call(void **state)
{
	struct scene scene;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		begin(&scene, versions[i], 0);
		scene.below.room = SIZE_MAX;
		seal(&scene, 0, scene.size);
		assert_int_equal(scene.below.calls, 1);
		assert_int_equal(scene.server->output_size, 0);
		read_all(&scene, scene.size);
		end(&scene);
	}
}

/* Nothing, a part of what was to leave before, all of that, a part of what was sealed last, all. */
static void what_is_not_taken_is_kept_in_order(void **state)
{
	struct scene scene;
	size_t whole;

	(void)state;
	begin(&scene, SENNIT_TLS_1_3, 0);
	seal(&scene, 0, RECORD_SIZE + 10);
	whole = scene.server->output_size;
	end(&scene);
	for (size_t room = 0; room <= whole + 1; room += room % 16 ? 1 : 997) {
		begin(&scene, SENNIT_TLS_1_3, 0);
		scene.below.room = room;
		seal(&scene, 0, RECORD_SIZE + 10);
		assert_int_equal(scene.below.size, room < whole ? room : whole);
		assert_int_equal(scene.server->output_size, whole - scene.below.size);
		scene.below.room = 0; /* and what comes behind waits, too */
		seal(&scene, RECORD_SIZE + 10, 10);
		read_all(&scene, RECORD_SIZE + 20);
		end(&scene);
	}
}

/* Of which OpenSSL makes many where the client asks for 512 bytes at most. */
static void small_records_are_taken_in_one_call(void **state)
{
	struct scene scene;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		begin(&scene, versions[i], TLSEXT_max_fragment_length_512);
		scene.below.room = SIZE_MAX;
		seal(&scene, 0, RECORD_SIZE);
		assert_int_equal(scene.below.calls, 1);
		assert_true(scene.below.size > RECORD_SIZE + 20 * RECORD_SIZE / 512);
		assert_int_equal(scene.server->output_size, 0);
		read_all(&scene, RECORD_SIZE);
		end(&scene);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(what_is_taken_at_once_is_not_kept),
		TEST(several_records_are_taken_in_one_call),
		TEST(what_is_not_taken_is_kept_in_order),
		TEST(small_records_are_taken_in_one_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
