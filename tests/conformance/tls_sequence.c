/* SPDX-License-Identifier: MIT */
/* tls_sequence.c - who has served many connections, one after the other, holds what he held after
 * a few, however they ended: neither the allocator nor OpenSSL gives more. */
#include "openssl_memory.h"
#include "tls_peer.h"

#include <string.h>

/* How the connections go, and how many of them. */
struct course {
	const char *name;
	unsigned count;
	const char *asks;  /* the name that clients ask for */
	const char *sends; /* instead of a handshake: then the end */
	bool resumes;      /* the session of the one before */
	bool refuses;      /* the client does not trust the server */
	bool in_order;     /* both shut down */
};

static const struct course courses[] = {
	{"a_thousand_end_in_order", 1000, "localhost", NULL, false, false, true},
	{"some_are_closed_without_a_word", 100, "localhost", NULL, false, false, false},
	{"some_resume_the_one_before", 100, "localhost", NULL, true, false, true},
	{"some_ask_for_another_name", 100, "other.localhost", NULL, true, false, true},
	{"some_are_refused", 100, "localhost", NULL, false, true, false},
	{"some_send_no_record", 100, NULL, "GET / HTTP/1.1\r\n\r\n", false, false, false},
	{"some_end_within_a_record", 100, NULL, "\x16\x03\x01\x02", false, false, false},
	{"some_say_nothing", 100, NULL, "", false, false, false},
};

struct place {
	struct stage stage;
	struct sennit_tls_context *server;
	struct sennit_tls_context *client;
	struct sennit_tls_session *session;
};

static void serve_stranger(struct place *place, const struct course *course)
{
	struct sennit_tcp_socket socket = {0};
	struct sennit_tls_stream stream = {0};
	struct flight handshake = {0};
	int fd = open_socket(&place->stage, &socket);

	assert_int_equal(sennit_tls_stream_open_server(&stream, place->server, &socket.stream), 0);
	start_handshake(&stream, &handshake);
	raw_write(fd, course->sends, strlen(course->sends));
	raw_close(fd);
	wait_result(&handshake.result);
	assert_true(handshake.result.error < 0 && !sennit_tls_stream_version(&stream));
	sennit_close(&stream.stream);
	assert_int_equal(sennit_runtime_join(place->stage.runtime), 0);
}

static void open_client(struct place *place, const struct course *course, struct tls_pair *pair)
{
	sennit_tcp_socket_init(&pair->sockets[0], place->stage.owner);
	sennit_tcp_socket_init(&pair->sockets[1], place->stage.owner);
	assert_int_equal(sennit_tcp_socket_pair(&pair->sockets[0], &pair->sockets[1]), 0);
	for (int i = 0; i < 2; i++) /* or a flight waits for the answer to the one before */
		assert_int_equal(sennit_tcp_socket_set_option(&pair->sockets[i],
							      SENNIT_TCP_NO_DELAY, 1), 0);
	assert_int_equal(sennit_tls_stream_open_client(&pair->client, place->client,
						       &pair->sockets[0].stream, course->asks),
			 0);
	assert_int_equal(sennit_tls_stream_open_server(&pair->server, place->server,
						       &pair->sockets[1].stream),
			 0);
	if (place->session && course->resumes)
		assert_int_equal(sennit_tls_stream_resume(&pair->client, place->session), 0);
}

static void serve_client(struct place *place, const struct course *course)
{
	struct tls_pair pair = {0};
	struct flight ends[2] = {0};

	open_client(place, course, &pair);
	if (course->refuses) {
		shake_hands(&pair, SENNIT_TLS_UNTRUSTED, SENNIT_TLS_FAILED);
	} else {
		shake_hands(&pair, 0, 0);
		take_tickets(&place->stage, &pair);
		assert_int_equal(sennit_tls_stream_resumed(&pair.client),
				 course->resumes && place->session);
		sennit_tls_session_free(place->session);
		assert_int_equal(sennit_tls_stream_session(&pair.client, &place->session), 0);
	}
	if (course->in_order) {
		start_shutdown(&pair.client, &ends[0]);
		start_shutdown(&pair.server, &ends[1]);
		EXPECT(&ends[0], 0, 0);
		EXPECT(&ends[1], 0, 0);
	}
	close_pair(&place->stage, &pair);
}

static void begin_place(struct place *place, const struct course *course)
{
	const struct wish wish = {.alternative = "DNS:other.localhost"};
	const struct wish authority = {.authority = true};
	struct sennit_tls_context *other;
	struct pem pem;

	*place = (struct place){.stage = {.kind = THREAD_FOREIGN}};
	place->stage.runtime = started_runtime(1);
	place->stage.owner = sennit_runtime_worker(place->stage.runtime, 0);
	make_certificate(&pem, &wish, test_authority());
	other = server_context(&pem);
	free_certificate(&pem);
	place->server = server_context(test_certificate());
	assert_int_equal(sennit_tls_context_name(place->server, "other.localhost", other), 0);
	sennit_tls_context_destroy(other);
	make_certificate(&pem, &authority, NULL);
	place->client = client_context(course->refuses ? &pem : test_authority());
	free_certificate(&pem);
}

static void many_are_served_one_after_the_other(void **state)
{
	const struct course *course = row_of(state, courses, sizeof *courses);
	int64_t allocated = 0;
	size_t bytes = 0;
	size_t blocks = 0;
	struct place place;

	begin_place(&place, course);
	for (unsigned i = 0; i < course->count; i++) {
		if (course->sends)
			serve_stranger(&place, course);
		else
			serve_client(&place, course);
		if (i != 10 && i != course->count - 1)
			continue;
		owner_turn(&place.stage);
		assert_true(i == 10 || live_allocations() <= allocated);
		assert_true(i == 10 || openssl_bytes() <= bytes);
		assert_true(i == 10 || openssl_blocks() <= blocks);
		allocated = live_allocations();
		bytes = openssl_bytes();
		blocks = openssl_blocks();
	}
	sennit_tls_session_free(place.session);
	sennit_tls_context_destroy(place.server);
	sennit_tls_context_destroy(place.client);
	end_runtime(place.stage.runtime);
}

int main(void)
{
	static struct CMUnitTest tests[COUNT_OF(courses)];

	if (!watch_openssl_memory())
		return 1;
	tests_of_rows(courses, COUNT_OF(courses), sizeof *courses,
		      many_are_served_one_after_the_other, tests);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
