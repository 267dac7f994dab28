/* SPDX-License-Identifier: MIT */
/* tls_negative_sessions.c - what two sides agree on or not: application protocols, names that
 * clients ask for, and sessions that are resumed, with the cases that must not work between those
 * that do. */
#include "tls_peer.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static struct stage one_stage(void)
{
	struct stage stage = {.runtime = started_runtime(1), .kind = THREAD_FOREIGN};

	stage.owner = sennit_runtime_worker(stage.runtime, 0);
	return stage;
}

/* --- application protocols -------------------------------------------------------------------- */

struct alpn_row {
	const char *name;
	const char *client[3];
	const char *server[3];
	const char *chosen; /* NULL: none */
	bool fails;
};

static const struct alpn_row protocols[] = {
	{"the_one_protocol_of_both_is_chosen", {"h2"}, {"h2"}, "h2", false},
	{"the_server_has_the_choice", {"http/1.1", "h2"}, {"h2", "http/1.1"}, "h2", false},
	{"what_one_side_does_not_speak_is_not_chosen", {"h3", "http/1.1"}, {"h2", "http/1.1"},
	 "http/1.1", false},
	{"a_part_of_a_protocols_name_is_another", {"http/1"}, {"http/1.1"}, NULL, true},
	{"protocols_differ_by_case", {"H2"}, {"h2"}, NULL, true},
	{"without_a_protocol_in_common_there_is_no_session", {"h2"}, {"http/1.1"}, NULL, true},
	{"a_client_may_offer_none", {NULL}, {"h2"}, NULL, false},
	{"a_server_may_speak_none", {"h2"}, {NULL}, NULL, false},
};

static unsigned count(const char *const *list)
{
	unsigned n = 0;

	while (list[n])
		n++;
	return n;
}

static struct sennit_tls_context *with_protocols(struct sennit_tls_context *context,
						 const char *const *list)
{
	if (*list)
		assert_int_equal(sennit_tls_context_alpn(context, list, count(list)), 0);
	return context;
}

static void expect_protocol(const struct sennit_tls_stream *stream, const char *chosen)
{
	size_t size;
	const char *protocol = sennit_tls_stream_alpn(stream, &size);

	assert_int_equal(size, chosen ? strlen(chosen) : 0);
	if (chosen)
		assert_memory_equal(protocol, chosen, size);
}

static void protocols_are_agreed_on(void **state)
{
	const struct alpn_row *row = row_of(state, protocols, sizeof *protocols);
	struct stage stage = one_stage();
	struct tls_pair pair = {0};
	char text[200];

	open_pair(&pair, stage.owner, with_protocols(client_context(test_authority()), row->client),
		  with_protocols(server_context(test_certificate()), row->server));
	shake_hands(&pair, row->fails ? SENNIT_TLS_FAILED : 0, row->fails ? SENNIT_TLS_FAILED : 0);
	expect_protocol(&pair.client, row->chosen);
	expect_protocol(&pair.server, row->chosen);
	if (row->fails) {
		sennit_tls_stream_reason(&pair.client, text, sizeof text);
		assert_non_null(strstr(text, "no application protocol"));
	}
	close_pair(&stage, &pair);
	end_runtime(stage.runtime);
}

static int choose_what_nobody_offered(SSL *ssl, const unsigned char **chosen, unsigned char *size,
				      const unsigned char *offered, unsigned offered_size,
				      void *argument)
{
	(void)ssl;
	(void)offered;
	(void)offered_size;
	(void)argument;
	*chosen = (const unsigned char *)"evil";
	*size = 4;
	return SSL_TLSEXT_ERR_OK;
}

static void a_server_cannot_choose_what_was_not_offered(void **state)
{
	struct duel duel;

	(void)state;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		begin_duel(&duel, SENNIT_TLS_CLIENT, NULL);
		with_protocols(duel.context, (const char *[]){"h2", "http/1.1", NULL});
		assert_true(SSL_CTX_set_max_proto_version(duel.peer.context, version));
		SSL_CTX_set_alpn_select_cb(duel.peer.context, choose_what_nobody_offered, NULL);
		fight(&duel, "localhost");
		peer_handshake(&duel.peer);
		EXPECT(&duel.handshake, SENNIT_TLS_FAILED, 0);
		expect_reason(&duel, "bad extension");
		end_duel(&duel);
	}
}

/* --- names that clients ask for --------------------------------------------------------------- */

/* A hello of TLS 1.2 with what is to be the extension server_name; its size. */
static size_t make_hello(unsigned char *hello, const void *extension, size_t size)
{
	static const unsigned char others[] = {
		0, 10, 0, 4, 0, 2, 0, 23,    /* supported_groups: P-256 */
		0, 11, 0, 2, 1, 0,           /* ec_point_formats */
		0, 13, 0, 4, 0, 2, 4, 3,     /* signature_algorithms: ECDSA with SHA-256 */
	};
	size_t all = 4 + size + sizeof others;
	size_t body = 2 + 32 + 1 + 4 + 2 + 2 + all;
	unsigned char *end = hello;
	unsigned char head[] = {22, 3, 1, (unsigned char)((body + 4) >> 8),
				(unsigned char)(body + 4), 1, 0, (unsigned char)(body >> 8),
				(unsigned char)body, 3, 3};
	unsigned char middle[] = {0, 0, 2, 0xc0, 0x2b, 1, 0, (unsigned char)(all >> 8),
				  (unsigned char)all, 0, 0, (unsigned char)(size >> 8),
				  (unsigned char)size};

	memcpy(end, head, sizeof head);
	memset(end += sizeof head, 'r', 32);
	memcpy(end += 32, middle, sizeof middle);
	memcpy(end += sizeof middle, extension, size);
	memcpy(end += size, others, sizeof others);
	return (size_t)(end - hello) + sizeof others;
}

/* The extension as it is sent, and whether a server answers it; the name is what follows. */
struct name_row {
	const char *name;
	const char *extension;
	size_t size;
	bool answered;
};

#define SAYS(text) (text), sizeof(text) - 1
#define A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct name_row names[] = {
	{"a_name_is_heard", SAYS("\x00\x0c\x00\x00\x09localhost"), true},
	{"a_name_of_nobody_is_heard", SAYS("\x00\x04\x00\x00\x01?"), true},
	{"a_name_of_bytes_that_are_no_letters_is_heard", SAYS("\x00\x05\x00\x00\x02\xff\xfe"),
	 true},
	{"a_name_without_a_letter_is_a_name_of_nobody", SAYS("\x00\x03\x00\x00\x00"), true},
	{"a_name_extension_without_anything_is_refused", SAYS(""), false},
	{"a_name_list_without_a_name_is_refused", SAYS("\x00\x00"), false},
	{"a_name_that_is_cut_is_refused", SAYS("\x00\x0c\x00\x00\x09local"), false},
	{"a_name_list_longer_than_it_is_is_refused", SAYS("\xff\xff\x00\x00\x09localhost"), false},
	{"a_name_with_something_behind_is_refused", SAYS("\x00\x0c\x00\x00\x09localhost?"), false},
	{"a_name_of_another_type_is_refused", SAYS("\x00\x0c\x01\x00\x09localhost"), false},
	{"a_name_with_a_zero_in_it_is_refused", SAYS("\x00\x0c\x00\x00\x09local\0ost"), false},
	{"a_name_of_300_bytes_is_refused",
	 SAYS("\x01\x2f\x00\x01\x2c" A50 A50 A50 A50 A50 A50), false},
	{"a_name_extension_of_garbage_is_refused", SAYS("\xde\xad\xbe\xef"), false},
};

/* With another context for the name, so that the library looks at it too. */
static void a_name_is_sent(void **state)
{
	const struct name_row *row = row_of(state, names, sizeof *names);
	struct sennit_tls_context *other = server_context(test_certificate());
	unsigned char hello[1024];
	struct duel duel;
	char answer;

	begin_duel(&duel, SENNIT_TLS_SERVER, NULL);
	assert_int_equal(sennit_tls_context_name(duel.context, "localhost", other), 0);
	fight(&duel, NULL);
	peer_send(&duel.peer, hello, make_hello(hello, row->extension, row->size));
	raw_read(duel.peer.fd, &answer, 1);
	assert_int_equal(answer, row->answered ? SSL3_RT_HANDSHAKE : SSL3_RT_ALERT);
	shutdown(duel.peer.fd, SHUT_WR);
	EXPECT(&duel.handshake, row->answered ? SENNIT_TRUNCATED : SENNIT_TLS_FAILED, 0);
	end_duel(&duel);
	sennit_tls_context_destroy(other);
}

/* Which certificate a client gets that asks for a name. */
struct choice_row {
	const char *name;
	const char *asked; /* NULL: nothing */
	const char *got;   /* the CN */
};

static const struct choice_row choices[] = {
	{"a_name_that_was_added_gets_its_context", "one.example.org", "one"},
	{"names_are_the_same_in_any_case", "ONE.Example.ORG", "one"},
	{"a_name_below_a_wildcard_gets_its_context", "any.example.org", "all"},
	{"two_levels_below_a_wildcard_is_not_below_it", "a.b.example.org", "usual"},
	{"what_is_above_a_wildcard_is_not_below_it", "example.org", "usual"},
	{"a_name_that_was_not_added_gets_the_usual", "example.com", "usual"},
	{"a_name_that_only_ends_alike_gets_the_usual", "none.example.org.com", "usual"},
	{"a_star_is_a_name_below_a_wildcard_like_any", "*.example.org", "all"},
	{"who_asks_for_nothing_gets_the_usual", NULL, "usual"},
	{"who_asks_for_an_address_gets_the_usual", "127.0.0.1", "usual"},
};

static struct sennit_tls_context *context_of(const char *name)
{
	const struct wish wish = {.name = name};
	struct sennit_tls_context *context;
	struct pem pem;

	make_certificate(&pem, &wish, test_authority());
	context = server_context(&pem);
	free_certificate(&pem);
	return context;
}

static void a_context_is_chosen(void **state)
{
	const struct choice_row *row = row_of(state, choices, sizeof *choices);
	struct sennit_tls_context *one = context_of("one");
	struct sennit_tls_context *all = context_of("all");
	struct duel duel;
	char name[16];

	begin_duel(&duel, SENNIT_TLS_SERVER, context_of("usual"));
	assert_int_equal(sennit_tls_context_name(duel.context, "one.example.org", one), 0);
	assert_int_equal(sennit_tls_context_name(duel.context, "*.example.org", all), 0);
	sennit_tls_context_destroy(one);
	sennit_tls_context_destroy(all);
	fight(&duel, NULL);
	if (row->asked && strcmp(row->asked, "127.0.0.1") != 0)
		assert_true(SSL_set_tlsext_host_name(duel.peer.ssl, row->asked));
	assert_true(peer_handshake(&duel.peer));
	EXPECT(&duel.handshake, 0, 0);
	X509_NAME_get_text_by_NID(
		X509_get_subject_name(SSL_get0_peer_certificate(duel.peer.ssl)), NID_commonName,
		name, sizeof name);
	assert_string_equal(name, row->got);
	end_duel(&duel);
}

/* The other context's demands are those of the name. */
static void a_name_may_ask_for_a_certificate(void **state)
{
	const char *authority = test_authority()->certificate;
	struct sennit_tls_context *strict = server_context(test_certificate());
	struct duel duel;

	(void)state;
	assert_int_equal(sennit_tls_context_peer(strict, SENNIT_TLS_PEER_MUST), 0);
	assert_int_equal(sennit_tls_context_trust(strict, authority, strlen(authority)), 0);
	begin_duel(&duel, SENNIT_TLS_SERVER, NULL);
	assert_int_equal(sennit_tls_context_name(duel.context, "localhost", strict), 0);
	fight(&duel, NULL);
	assert_true(SSL_set_tlsext_host_name(duel.peer.ssl, "localhost"));
	peer_handshake(&duel.peer);
	EXPECT(&duel.handshake, SENNIT_TLS_FAILED, 0);
	expect_reason(&duel, "peer did not return a certificate");
	end_duel(&duel);
	sennit_tls_context_destroy(strict);
}

/* --- sessions --------------------------------------------------------------------------------- */

/* A client's connection to a server, with contexts that are kept. */
static void visit(struct stage *stage, struct sennit_tls_context *contexts[2], const char *name,
		  struct sennit_tls_session *earlier, struct sennit_tls_session **session,
		  bool resumed)
{
	struct tls_pair pair = {0};

	for (int i = 0; i < 2; i++)
		sennit_tcp_socket_init(&pair.sockets[i], stage->owner);
	assert_int_equal(sennit_tcp_socket_pair(&pair.sockets[0], &pair.sockets[1]), 0);
	assert_int_equal(sennit_tls_stream_open_client(&pair.client, contexts[0],
						       &pair.sockets[0].stream, name),
			 0);
	assert_int_equal(sennit_tls_stream_open_server(&pair.server, contexts[1],
						       &pair.sockets[1].stream),
			 0);
	if (earlier)
		assert_int_equal(sennit_tls_stream_resume(&pair.client, earlier), 0);
	if (session)
		assert_int_equal(sennit_tls_stream_session(&pair.client, session), -ENOENT);
	shake_hands(&pair, 0, 0);
	take_tickets(stage, &pair);
	assert_int_equal(sennit_tls_stream_resumed(&pair.client), resumed);
	assert_int_equal(sennit_tls_stream_resumed(&pair.server), resumed);
	assert_true(sennit_tls_stream_peer_certificate(&pair.client, NULL, 0) > 0);
	if (session)
		assert_int_equal(sennit_tls_stream_session(&pair.client, session), 0);
	sennit_close(&pair.client.stream);
	sennit_close(&pair.server.stream);
	assert_int_equal(sennit_runtime_join(stage->runtime), 0);
}

static void free_contexts(struct sennit_tls_context *contexts[2])
{
	sennit_tls_context_destroy(contexts[0]);
	sennit_tls_context_destroy(contexts[1]);
}

static void resume(enum sennit_tls_version version)
{
	struct sennit_tls_context *contexts[2] = {client_context(test_authority()),
						  server_context(test_certificate())};
	struct stage stage = one_stage();
	struct sennit_tls_session *sessions[2];

	assert_int_equal(sennit_tls_context_versions(contexts[0], version, version), 0);
	visit(&stage, contexts, "localhost", NULL, &sessions[0], false);
	visit(&stage, contexts, "localhost", sessions[0], &sessions[1], true);
	visit(&stage, contexts, "localhost", sessions[1], NULL, true);
	sennit_tls_session_free(sessions[0]);
	sennit_tls_session_free(sessions[1]);
	sennit_tls_session_free(NULL);
	/* the server starts anew: its keys are others */
	sennit_tls_context_destroy(contexts[1]);
	contexts[1] = server_context(test_certificate());
	visit(&stage, contexts, "localhost", NULL, &sessions[0], false);
	sennit_tls_context_destroy(contexts[1]);
	contexts[1] = server_context(test_certificate());
	visit(&stage, contexts, "localhost", sessions[0], NULL, false);
	sennit_tls_session_free(sessions[0]);
	free_contexts(contexts);
	end_runtime(stage.runtime);
}

/* In TLS 1.3 each ticket is for one connection: whoever uses it twice can be recognised. */
static void a_resumed_session_is_not_handed_out_before_the_server_gives_another(void **state)
{
	struct sennit_tls_context *contexts[2] = {client_context(test_authority()),
						  server_context(test_certificate())};
	struct stage stage = one_stage();
	struct tls_pair pair = {0};
	struct sennit_tls_session *session;
	struct sennit_tls_session *next;

	(void)state;
	visit(&stage, contexts, "localhost", NULL, &session, false);
	open_pair(&pair, stage.owner, contexts[0], contexts[1]);
	assert_int_equal(sennit_tls_stream_resume(&pair.client, session), 0);
	shake_hands(&pair, 0, 0);
	assert_true(sennit_tls_stream_resumed(&pair.client));
	assert_int_equal(sennit_tls_stream_session(&pair.client, &next), -ENOENT);
	take_tickets(&stage, &pair);
	assert_int_equal(sennit_tls_stream_session(&pair.client, &next), 0);
	sennit_tls_session_free(session);
	sennit_tls_session_free(next);
	close_pair(&stage, &pair);
	end_runtime(stage.runtime);
}

static void a_session_is_resumed_in_1_3_until_the_server_starts_anew(void **state)
{
	(void)state;
	resume(SENNIT_TLS_1_3);
}

static void a_session_is_resumed_in_1_2_until_the_server_starts_anew(void **state)
{
	(void)state;
	resume(SENNIT_TLS_1_2);
}

/* A ticket of a server that asks for nothing is none for one that does. */
static void a_session_of_one_name_is_not_another_names(void **state)
{
	const char *authority = test_authority()->certificate;
	struct sennit_tls_context *strict = server_context(test_certificate());
	struct duel duel;
	SSL_SESSION *session;
	char byte;

	(void)state;
	assert_int_equal(sennit_tls_context_peer(strict, SENNIT_TLS_PEER_MUST), 0);
	assert_int_equal(sennit_tls_context_trust(strict, authority, strlen(authority)), 0);
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		struct sennit_tls_context *context = server_context(test_certificate());
		SSL_CTX *kept = sennit_tls_context_native(context);

		assert_int_equal(sennit_tls_context_name(context, "localhost", strict), 0);
		SSL_CTX_up_ref(kept); /* with its keys */
		begin_duel(&duel, SENNIT_TLS_SERVER, context);
		assert_true(SSL_CTX_set_max_proto_version(duel.peer.context, version));
		connect_duel(&duel, NULL);
		if (version == TLS1_3_VERSION) {
			struct flight flight = {0};

			START(&duel.stage,
			      {WRITE, .stream = &duel.stream.stream, .data = "x", .size = 1,
			       .flight = &flight});
			EXPECT(&flight, 0, 1);
			assert_int_equal(peer_read(&duel.peer, &byte, 1), 1);
		}
		session = SSL_get1_session(duel.peer.ssl);
		assert_true(SSL_SESSION_is_resumable(session));
		sennit_close(&duel.stream.stream);
		assert_int_equal(sennit_runtime_join(duel.stage.runtime), 0);
		peer_close(&duel.peer);
		duel.handshake = (struct flight){0};
		duel.stream = (struct sennit_tls_stream){0};
		peer_init(&duel.peer, SENNIT_TLS_CLIENT, NULL);
		assert_true(SSL_CTX_set_max_proto_version(duel.peer.context, version));
		fight(&duel, NULL);
		assert_true(SSL_set_tlsext_host_name(duel.peer.ssl, "localhost"));
		assert_true(SSL_set_session(duel.peer.ssl, session));
		peer_handshake(&duel.peer);
		EXPECT(&duel.handshake, SENNIT_TLS_FAILED, 0);
		expect_reason(&duel, "peer did not return a certificate");
		SSL_SESSION_free(session);
		end_duel(&duel);
		SSL_CTX_free(kept);
	}
	sennit_tls_context_destroy(strict);
}

/* The same context, name and kind of verification, and before the handshake. */
static void a_session_is_for_what_it_was_made_for(void **state)
{
	struct sennit_tls_context *contexts[2] = {client_context(test_authority()),
						  server_context(test_certificate())};
	struct sennit_tls_context *another = client_context(test_authority());
	struct stage stage = one_stage();
	struct sennit_tls_session *session;
	struct sennit_tls_stream stream = {0};
	struct sennit_tcp_socket socket;

	(void)state;
	visit(&stage, contexts, "localhost", NULL, &session, false);
	assert_int_equal(sennit_tls_stream_resume(&stream, session), -EBADF);
	for (int i = 0; i < 4; i++) {
		struct sennit_tls_context *context = i == 0 ? another : contexts[i == 3];
		int fd = open_socket(&stage, &socket);

		if (i == 3)
			assert_int_equal(sennit_tls_stream_open_server(&stream, contexts[1],
								       &socket.stream),
					 0);
		else if (i == 2)
			assert_int_equal(sennit_tls_stream_open_insecure(&stream, context,
									 &socket.stream,
									 "localhost"),
					 0);
		else
			assert_int_equal(sennit_tls_stream_open_client(&stream, context,
								       &socket.stream,
								       i ? "127.0.0.1"
									 : "localhost"),
					 0);
		assert_int_equal(sennit_tls_stream_resume(&stream, session), -EINVAL);
		sennit_close(&stream.stream);
		assert_int_equal(sennit_runtime_join(stage.runtime), 0);
		raw_close(fd);
	}
	sennit_tls_session_free(session);
	sennit_tls_context_destroy(another);
	free_contexts(contexts);
	end_runtime(stage.runtime);
}

static void a_session_cannot_be_resumed_late(void **state)
{
	struct sennit_tls_context *contexts[2] = {client_context(test_authority()),
						  server_context(test_certificate())};
	struct sennit_tls_session *session;
	struct stage stage = one_stage();
	struct tls_pair pair = {0};

	(void)state;
	open_pair(&pair, stage.owner, contexts[0], contexts[1]);
	shake_hands(&pair, 0, 0);
	assert_int_equal(sennit_tls_stream_session(&pair.server, &session), -EINVAL);
	take_tickets(&stage, &pair);
	assert_int_equal(sennit_tls_stream_session(&pair.client, &session), 0);
	assert_int_equal(sennit_tls_stream_resume(&pair.client, session), -EISCONN);
	close_pair(&stage, &pair);
	assert_int_equal(sennit_tls_stream_session(&pair.client, &session), -EBADF);
	sennit_tls_session_free(session);
	end_runtime(stage.runtime);
}

static void a_server_without_tickets_gives_no_session(void **state)
{
	struct sennit_tls_context *server = server_context(test_certificate());
	struct sennit_tls_session *session;
	struct stage stage = one_stage();
	struct tls_pair pair = {0};

	(void)state;
	assert_int_equal(sennit_tls_context_tickets(server, false), 0);
	open_pair(&pair, stage.owner, NULL, server);
	shake_hands(&pair, 0, 0);
	take_tickets(&stage, &pair);
	assert_int_equal(sennit_tls_stream_session(&pair.client, &session), -ENOENT);
	close_pair(&stage, &pair);
	end_runtime(stage.runtime);
}

/* --- what can be asked for -------------------------------------------------------------------- */

static void count_secret(void *user, const char *line)
{
	unsigned *lines = user;

	RECORD(!strchr(line, '\n') && strchr(line, ' '));
	++*lines;
}

static void a_key_log_gets_each_secret(void **state)
{
	struct sennit_tls_context *client = client_context(test_authority());
	struct stage stage = one_stage();
	struct tls_pair pair = {0};
	unsigned lines = 0;

	(void)state;
	sennit_tls_context_keylog(client, count_secret, &lines);
	open_pair(&pair, stage.owner, client, NULL);
	shake_hands(&pair, 0, 0);
	close_pair(&stage, &pair);
	end_runtime(stage.runtime);
	assert_true(lines >= 4);
}

static void fail_in_openssl(void *user, const char *line)
{
	(void)user;
	(void)line;
	ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
}

static void what_fails_in_a_key_log_is_its_own_affair(void **state)
{
	struct sennit_tls_context *client = client_context(test_authority());
	struct sennit_tls_context *server = server_context(test_certificate());
	struct stage stage = one_stage();
	struct tls_pair pair = {0};

	(void)state;
	sennit_tls_context_keylog(client, fail_in_openssl, NULL);
	sennit_tls_context_keylog(server, fail_in_openssl, NULL);
	open_pair(&pair, stage.owner, client, server);
	shake_hands(&pair, 0, 0);
	close_pair(&stage, &pair);
	end_runtime(stage.runtime);
}

static void a_certificate_is_copied_in_der(void **state)
{
	struct stage stage = one_stage();
	struct tls_pair pair = {0};
	unsigned char der[4096];
	const unsigned char *end = der;
	X509 *certificate;
	int size;

	(void)state;
	connect_pair(&stage, &pair);
	size = sennit_tls_stream_peer_certificate(&pair.client, NULL, 0);
	assert_in_range(size, 100, sizeof der);
	der[0] = 'x';
	assert_int_equal(sennit_tls_stream_peer_certificate(&pair.client, der, 99), size);
	assert_int_equal(der[0], 'x');
	assert_int_equal(sennit_tls_stream_peer_certificate(&pair.client, der, sizeof der), size);
	certificate = d2i_X509(NULL, &end, size);
	assert_non_null(certificate);
	X509_free(certificate);
	assert_int_equal(sennit_tls_stream_peer_certificate(&pair.server, der, sizeof der), 0);
	assert_string_equal(sennit_tls_stream_cipher(&pair.client),
			    sennit_tls_stream_cipher(&pair.server));
	close_pair(&stage, &pair);
	assert_int_equal(sennit_tls_stream_peer_certificate(&pair.client, NULL, 0), -EBADF);
	assert_null(sennit_tls_stream_cipher(&pair.client));
	end_runtime(stage.runtime);
}

#define SINGLE 12

int main(void)
{
	static struct CMUnitTest tests[COUNT_OF(protocols) + COUNT_OF(names) + COUNT_OF(choices) +
				       SINGLE] = {
		TEST(a_server_cannot_choose_what_was_not_offered),
		TEST(a_name_may_ask_for_a_certificate),
		TEST(a_session_is_resumed_in_1_3_until_the_server_starts_anew),
		TEST(a_session_is_resumed_in_1_2_until_the_server_starts_anew),
		TEST(a_resumed_session_is_not_handed_out_before_the_server_gives_another),
		TEST(a_session_of_one_name_is_not_another_names),
		TEST(a_session_is_for_what_it_was_made_for),
		TEST(a_session_cannot_be_resumed_late),
		TEST(a_server_without_tickets_gives_no_session),
		TEST(a_key_log_gets_each_secret),
		TEST(what_fails_in_a_key_log_is_its_own_affair),
		TEST(a_certificate_is_copied_in_der),
	};
	struct CMUnitTest *end = tests + SINGLE;

	end = tests_of_rows(protocols, COUNT_OF(protocols), sizeof *protocols,
			    protocols_are_agreed_on, end);
	end = tests_of_rows(names, COUNT_OF(names), sizeof *names, a_name_is_sent, end);
	tests_of_rows(choices, COUNT_OF(choices), sizeof *choices, a_context_is_chosen, end);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
