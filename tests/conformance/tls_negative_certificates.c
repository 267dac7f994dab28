/* SPDX-License-Identifier: MIT */
/* tls_negative_certificates.c - whom a client takes for the server it wants, and a server for a
 * client of its: a row for each kind of certificate, with what the other side is told. */
#include "tls_peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NONE (-1) /* no alert */

/* What stands in the chain besides what a row says. */
enum chain {
	WHOLE,
	ALONE,         /* what is above it is not sent */
	OF_ITSELF,     /* nobody has signed it but itself */
	OF_NOBODY,     /* somebody whom nobody knows has */
	OF_NOBODY_ALL, /* and sends himself along */
	OF_IMPOSTOR,   /* who says that he is the authority */
};

struct row {
	const char *name;
	const char *host; /* whom the client asks for; NULL: localhost */
	struct wish leaf;
	struct wish above[2]; /* from the authority down; without a name: there is none */
	enum chain chain;
	int error;
	const char *reason;
	int alert;
};

/* The one that is expected most often. */
#define WRONG_NAME                                                                                 \
	.error = SENNIT_TLS_UNTRUSTED, .reason = "hostname mismatch",                              \
	.alert = SSL_AD_BAD_CERTIFICATE
#define WRONG_ADDRESS                                                                              \
	.error = SENNIT_TLS_UNTRUSTED, .reason = "IP address mismatch",                            \
	.alert = SSL_AD_BAD_CERTIFICATE
#define NO_ISSUER                                                                                  \
	.error = SENNIT_TLS_UNTRUSTED, .reason = "unable to get local issuer certificate",         \
	.alert = SSL_AD_UNKNOWN_CA
#define GOOD .error = 0, .alert = NONE
#define ABOVE {.name = "in between", .authority = true}

/* --- what a server shows ---------------------------------------------------------------------- */

static const struct row servers[] = {
	{"a_certificate_of_the_authority_is_trusted", .leaf = {0}, GOOD},
	{"a_certificate_is_trusted_through_one_in_between", .above = {ABOVE}, GOOD},
	{"an_expired_certificate_is_not_trusted", .leaf = {.begins_s = -7200, .ends_s = -60},
	 .error = SENNIT_TLS_UNTRUSTED, .reason = "certificate has expired",
	 .alert = SSL_AD_CERTIFICATE_EXPIRED},
	{"a_certificate_of_tomorrow_is_not_trusted", .leaf = {.begins_s = 80000, .ends_s = 90000},
	 .error = SENNIT_TLS_UNTRUSTED, .reason = "certificate is not yet valid",
	 .alert = SSL_AD_BAD_CERTIFICATE},
	{"a_certificate_below_an_expired_one_is_not_trusted",
	 .above = {{.name = "in between", .authority = true, .begins_s = -7200, .ends_s = -60}},
	 .error = SENNIT_TLS_UNTRUSTED, .reason = "certificate has expired",
	 .alert = SSL_AD_CERTIFICATE_EXPIRED},
	{"a_certificate_that_signed_itself_is_not_trusted", .chain = OF_ITSELF,
	 .error = SENNIT_TLS_UNTRUSTED, .reason = "self-signed certificate",
	 .alert = SSL_AD_UNKNOWN_CA},
	{"a_certificate_of_an_unknown_authority_is_not_trusted", .chain = OF_NOBODY, NO_ISSUER},
	{"an_unknown_authority_that_is_sent_along_is_not_trusted", .chain = OF_NOBODY_ALL,
	 .error = SENNIT_TLS_UNTRUSTED, .reason = "self-signed certificate in certificate chain",
	 .alert = SSL_AD_UNKNOWN_CA},
	{"an_authority_of_the_same_name_is_not_trusted", .chain = OF_IMPOSTOR,
	 .error = SENNIT_TLS_UNTRUSTED, .reason = "certificate signature failure",
	 .alert = SSL_AD_DECRYPT_ERROR},
	{"a_chain_without_the_one_in_between_is_not_trusted", .above = {ABOVE}, .chain = ALONE,
	 NO_ISSUER},
	{"one_who_is_no_authority_cannot_issue",
	 .above = {{.name = "in between", .constraints = "critical,CA:FALSE"}},
	 .error = SENNIT_TLS_UNTRUSTED, .reason = "invalid CA certificate",
	 .alert = SSL_AD_UNKNOWN_CA},
	{"a_path_longer_than_allowed_is_not_trusted",
	 .above = {{.name = "the last", .constraints = "critical,CA:TRUE,pathlen:0"}, ABOVE},
	 .error = SENNIT_TLS_UNTRUSTED, .reason = "path length constraint exceeded",
	 .alert = SSL_AD_UNKNOWN_CA},
	{"a_path_as_long_as_allowed_is_trusted",
	 .above = {{.name = "last but one", .constraints = "critical,CA:TRUE,pathlen:1"}, ABOVE},
	 GOOD},
	{"an_authority_whose_key_may_not_sign_cannot_issue",
	 .above = {{.name = "in between", .authority = true, .key_usage = "digitalSignature"}},
	 .error = SENNIT_TLS_UNTRUSTED, .reason = "invalid CA certificate",
	 .alert = SSL_AD_UNKNOWN_CA},
	{"a_name_outside_of_the_authoritys_is_not_trusted",
	 .above = {{.name = "in between", .authority = true,
		    .names = "critical,permitted;DNS:example.org"}},
	 .leaf = {.alternative = "DNS:localhost"}, .error = SENNIT_TLS_UNTRUSTED,
	 .reason = "permitted subtree violation", .alert = SSL_AD_CERTIFICATE_UNKNOWN},
	{"what_is_critical_and_unknown_is_not_trusted", .leaf = {.unknown = "?"},
	 .error = SENNIT_TLS_UNTRUSTED, .reason = "unhandled critical extension",
	 .alert = SSL_AD_CERTIFICATE_UNKNOWN},
	{"a_certificate_for_clients_is_none_for_servers", .leaf = {.usage = "clientAuth"},
	 .error = SENNIT_TLS_UNTRUSTED, .reason = "unsuitable certificate purpose",
	 .alert = SSL_AD_UNSUPPORTED_CERTIFICATE},
	{"a_certificate_to_sign_code_is_none_for_servers", .leaf = {.usage = "codeSigning"},
	 .error = SENNIT_TLS_UNTRUSTED, .reason = "unsuitable certificate purpose",
	 .alert = SSL_AD_UNSUPPORTED_CERTIFICATE},
	{"a_certificate_for_servers_is_one", .leaf = {.usage = "serverAuth"}, GOOD},
	{"a_short_key_is_not_trusted", .leaf = {.rsa_bits = 768}, .error = SENNIT_TLS_UNTRUSTED,
	 .reason = "EE certificate key too weak", .alert = SSL_AD_BAD_CERTIFICATE},
	{"an_authority_with_a_short_key_is_not_trusted",
	 .above = {{.name = "in between", .authority = true, .rsa_bits = 768}},
	 .error = SENNIT_TLS_UNTRUSTED, .reason = "CA certificate key too weak",
	 .alert = SSL_AD_BAD_CERTIFICATE},
	{"what_is_signed_with_md5_is_not_trusted",
	 .above = {{.name = "in between", .authority = true, .rsa_bits = 2048}},
	 .leaf = {.digest = "MD5"},
	 .error = SENNIT_TLS_UNTRUSTED, .reason = "CA signature digest algorithm too weak",
	 .alert = SSL_AD_BAD_CERTIFICATE},
	{"what_is_signed_with_sha1_is_not_trusted", .leaf = {.digest = "SHA1"},
	 .error = SENNIT_TLS_UNTRUSTED, .reason = "CA signature digest algorithm too weak",
	 .alert = SSL_AD_BAD_CERTIFICATE},

	/* names */
	{"a_certificate_for_another_host_is_not_trusted",
	 .leaf = {.alternative = "DNS:example.org"}, WRONG_NAME},
	{"a_name_in_another_case_is_the_same", .host = "LOCALHOST",
	 .leaf = {.alternative = "DNS:LocalHost"}, GOOD},
	{"a_name_with_its_last_dot_is_the_same", .host = "localhost.", GOOD},
	{"a_certificate_for_a_name_with_its_last_dot_is_for_nobody",
	 .leaf = {.alternative = "DNS:localhost."}, WRONG_NAME},
	{"a_part_of_a_name_is_another", .host = "example.org",
	 .leaf = {.alternative = "DNS:an.example.org,DNS:example.or,DNS:xample.org"}, WRONG_NAME},
	{"the_second_of_the_names_is_as_good", .host = "two.example.org",
	 .leaf = {.alternative = "DNS:one.example.org,DNS:two.example.org"}, GOOD},
	{"a_wildcard_is_for_one_level", .host = "www.example.org",
	 .leaf = {.alternative = "DNS:*.example.org"}, GOOD},
	{"a_wildcard_is_not_for_two_levels", .host = "a.b.example.org",
	 .leaf = {.alternative = "DNS:*.example.org"}, WRONG_NAME},
	{"a_wildcard_is_not_for_no_level", .host = "example.org",
	 .leaf = {.alternative = "DNS:*.example.org"}, WRONG_NAME},
	{"a_wildcard_is_not_for_a_part_of_a_level", .host = "www.example.org",
	 .leaf = {.alternative = "DNS:w*.example.org,DNS:*w.example.org"}, WRONG_NAME},
	{"a_wildcard_is_not_in_the_middle", .host = "a.b.example.org",
	 .leaf = {.alternative = "DNS:a.*.example.org"}, WRONG_NAME},
	{"there_is_no_wildcard_for_a_domain_of_the_top", .host = "example.org",
	 .leaf = {.alternative = "DNS:*.org"}, WRONG_NAME},
	{"there_is_no_wildcard_for_all", .leaf = {.alternative = "DNS:*"}, WRONG_NAME},
	{"a_wildcard_in_the_clients_name_is_none", .host = "*.example.org",
	 .leaf = {.alternative = "DNS:www.example.org"}, WRONG_NAME},
	{"a_name_in_the_subject_alone_is_none", .leaf = {.alternative = ""}, WRONG_NAME},
	{"a_name_in_the_subject_is_none_beside_an_address",
	 .leaf = {.alternative = "IP:127.0.0.1,email:root@localhost"}, WRONG_NAME},
	{"a_name_ends_where_it_ends_not_at_a_zero", .leaf = {.hidden = "localhost"}, WRONG_NAME},

	/* addresses */
	{"an_address_is_a_name", .host = "127.0.0.1", GOOD},
	{"an_address_of_ipv6_is_a_name", .host = "::1", .leaf = {.alternative = "IP:::1"}, GOOD},
	{"an_address_may_be_written_in_another_way", .host = "0:0:0::1",
	 .leaf = {.alternative = "IP:::1"}, GOOD},
	{"a_certificate_for_another_address_is_not_trusted", .host = "127.0.0.2", WRONG_ADDRESS},
	{"an_address_is_not_found_among_the_hosts", .host = "127.0.0.1",
	 .leaf = {.alternative = "DNS:127.0.0.1"}, WRONG_ADDRESS},
	{"an_address_is_not_found_in_the_subject", .host = "127.0.0.1",
	 .leaf = {.name = "127.0.0.1", .alternative = ""}, WRONG_ADDRESS},
	{"an_address_has_no_wildcard", .host = "127.0.0.1",
	 .leaf = {.alternative = "DNS:*.0.0.1"}, WRONG_ADDRESS},
	{"an_address_of_ipv4_is_not_one_of_ipv6", .host = "::ffff:127.0.0.1", WRONG_ADDRESS},
};

/* The certificate of a row; what it is made of goes into `used`, three of them at most. */
static void make_chain(const struct row *row, struct pem used[4], struct pem *leaf)
{
	static const struct wish nobody = {.name = "nobody", .authority = true};
	static const struct wish impostor = {.name = "sennit's tests", .authority = true};
	const struct pem *above = test_authority();
	char *end;

	if (row->chain == OF_NOBODY || row->chain == OF_NOBODY_ALL || row->chain == OF_IMPOSTOR) {
		make_certificate(&used[2], row->chain == OF_IMPOSTOR ? &impostor : &nobody, NULL);
		above = &used[2];
	}
	for (int i = 0; i < 2 && row->above[i].name; i++) {
		make_certificate(&used[i], &row->above[i], above);
		above = &used[i];
	}
	make_certificate(leaf, &row->leaf, row->chain == OF_ITSELF ? NULL : above);
	if (row->chain == ALONE) {
		end = strstr(leaf->certificate, "-----END");
		strchr(end, '\n')[1] = '\0';
	}
	if (row->chain == OF_NOBODY_ALL) {
		end = leaf->certificate;
		leaf->certificate = zeroed(strlen(end) + strlen(above->certificate) + 1);
		strcat(strcpy(leaf->certificate, end), above->certificate);
		free(end);
	}
}

static void free_chain(struct pem used[4])
{
	for (int i = 0; i < 4; i++)
		free_certificate(&used[i]);
}

static void a_client_meets(const struct row *row, const struct pem *leaf, int version)
{
	struct duel duel;

	begin_duel(&duel, SENNIT_TLS_CLIENT, NULL);
	peer_close(&duel.peer);
	peer_init(&duel.peer, SENNIT_TLS_SERVER, leaf);
	assert_true(SSL_CTX_set_max_proto_version(duel.peer.context, version));
	fight(&duel, row->host ? row->host : "localhost");
	assert_int_equal(peer_handshake(&duel.peer), !row->error);
	EXPECT(&duel.handshake, row->error, 0);
	if (row->error)
		expect_reason(&duel, row->reason);
	else
		assert_int_equal(sennit_tls_stream_version(&duel.stream), version);
	assert_int_equal(duel.peer.alert, row->alert);
	end_duel(&duel);
}

static void a_client_looks_at_a_server(void **state)
{
	const struct row *row = row_of(state, servers, sizeof *servers);
	struct pem used[4] = {0};

	make_chain(row, used, &used[3]);
	a_client_meets(row, &used[3], TLS1_2_VERSION);
	a_client_meets(row, &used[3], TLS1_3_VERSION);
	free_chain(used);
}

/* --- what a client shows ---------------------------------------------------------------------- */

struct client_row {
	struct row row;
	enum sennit_tls_peer peer;
	bool absent; /* the client shows nothing */
	bool nobody; /* the server trusts nobody */
};

#define UNTRUSTED(why, told)                                                                       \
	.row.error = SENNIT_TLS_UNTRUSTED, .row.reason = (why), .row.alert = (told)

static const struct client_row clients[] = {
	{.row.name = "a_client_with_the_certificate_that_is_required_is_welcome",
	 .row.alert = NONE, .peer = SENNIT_TLS_PEER_MUST},
	{.row.name = "a_client_with_a_certificate_for_clients_is_welcome", .row.alert = NONE,
	 .row.leaf.usage = "clientAuth", .peer = SENNIT_TLS_PEER_MUST},
	{.row.name = "a_client_through_one_in_between_is_welcome", .row.alert = NONE,
	 .row.above = {ABOVE}, .peer = SENNIT_TLS_PEER_MUST},
	{.row.name = "a_client_without_the_certificate_that_is_required_is_sent_away",
	 .peer = SENNIT_TLS_PEER_MUST, .absent = true, .row.error = SENNIT_TLS_FAILED,
	 .row.reason = "peer did not return a certificate"},
	{.row.name = "a_client_of_another_authority_is_sent_away", .row.chain = OF_NOBODY,
	 .peer = SENNIT_TLS_PEER_MUST,
	 UNTRUSTED("unable to get local issuer certificate", SSL_AD_UNKNOWN_CA)},
	{.row.name = "a_client_that_signed_itself_is_sent_away", .row.chain = OF_ITSELF,
	 .peer = SENNIT_TLS_PEER_MUST, UNTRUSTED("self-signed certificate", SSL_AD_UNKNOWN_CA)},
	{.row.name = "a_client_whose_certificate_has_expired_is_sent_away",
	 .row.leaf = {.begins_s = -7200, .ends_s = -60}, .peer = SENNIT_TLS_PEER_MUST,
	 UNTRUSTED("certificate has expired", SSL_AD_CERTIFICATE_EXPIRED)},
	{.row.name = "a_client_with_a_certificate_for_servers_is_sent_away",
	 .row.leaf.usage = "serverAuth", .peer = SENNIT_TLS_PEER_MUST,
	 UNTRUSTED("unsuitable certificate purpose", SSL_AD_UNSUPPORTED_CERTIFICATE)},
	{.row.name = "a_client_is_sent_away_where_nobody_is_trusted", .nobody = true,
	 .peer = SENNIT_TLS_PEER_MUST,
	 UNTRUSTED("unable to get local issuer certificate", SSL_AD_UNKNOWN_CA)},
	{.row.name = "a_client_may_have_no_certificate", .absent = true, .row.alert = NONE,
	 .peer = SENNIT_TLS_PEER_MAY},
	{.row.name = "a_client_that_may_have_none_is_welcome_with_a_good_one", .row.alert = NONE,
	 .peer = SENNIT_TLS_PEER_MAY},
	{.row.name = "a_client_that_may_have_none_is_sent_away_with_a_bad_one",
	 .row.chain = OF_NOBODY, .peer = SENNIT_TLS_PEER_MAY,
	 UNTRUSTED("unable to get local issuer certificate", SSL_AD_UNKNOWN_CA)},
	{.row.name = "a_client_that_is_not_asked_shows_nothing", .row.chain = OF_NOBODY,
	 .row.alert = NONE, .peer = SENNIT_TLS_PEER_ANY},
};

static struct sennit_tls_context *strict_context(const struct client_row *row)
{
	struct sennit_tls_context *context = server_context(test_certificate());
	const char *authority = test_authority()->certificate;

	assert_int_equal(sennit_tls_context_peer(context, row->peer), 0);
	if (!row->nobody)
		assert_int_equal(sennit_tls_context_trust(context, authority, strlen(authority)),
				 0);
	return context;
}

static void a_server_meets(const struct client_row *row, const struct pem *leaf, int version)
{
	bool shown = row->peer != SENNIT_TLS_PEER_ANY && !row->absent;
	int alert = row->row.alert;
	struct duel duel;
	char byte;

	begin_duel(&duel, SENNIT_TLS_SERVER, strict_context(row));
	peer_close(&duel.peer);
	peer_init(&duel.peer, SENNIT_TLS_CLIENT, row->absent ? NULL : leaf);
	assert_true(SSL_CTX_set_max_proto_version(duel.peer.context, version));
	fight(&duel, NULL);
	assert_true(peer_handshake(&duel.peer) || row->row.error);
	EXPECT(&duel.handshake, row->row.error, 0);
	if (row->row.error) {
		assert_int_equal(peer_read(&duel.peer, &byte, 1), 0);
		expect_reason(&duel, row->row.reason);
	} else {
		assert_int_equal(
			sennit_tls_stream_peer_certificate(&duel.stream, NULL, 0) > 0, shown);
	}
	if (row->row.error == SENNIT_TLS_FAILED)
		alert = version == TLS1_3_VERSION ? SSL_AD_CERTIFICATE_REQUIRED
						  : SSL_AD_HANDSHAKE_FAILURE;
	assert_int_equal(duel.peer.alert, alert);
	end_duel(&duel);
}

static void a_server_looks_at_a_client(void **state)
{
	const struct client_row *row = row_of(state, clients, sizeof *clients);
	struct pem used[4] = {0};

	make_chain(&row->row, used, &used[3]);
	a_server_meets(row, &used[3], TLS1_2_VERSION);
	a_server_meets(row, &used[3], TLS1_3_VERSION);
	free_chain(used);
}

/* --- names that cannot be --------------------------------------------------------------------- */

/* OpenSSL takes a dot in front for "whatever is below". */
static void some_names_cannot_be_asked_for(void **state)
{
	struct sennit_tls_context *context = client_context(test_authority());
	struct stage stage = {.runtime = started_runtime(1), .kind = THREAD_FOREIGN};
	struct sennit_tls_stream stream = {0};
	struct sennit_tcp_socket socket;
	char much[301];
	int fd;

	(void)state;
	memset(much, 'a', 300);
	much[300] = '\0';
	stage.owner = sennit_runtime_worker(stage.runtime, 0);
	fd = open_socket(&stage, &socket);
	for (const char *const *name = (const char *const[]){"", ".", ".localhost", much, NULL};
	     *name; name++) {
		assert_int_equal(sennit_tls_stream_open_client(&stream, context, &socket.stream,
							       *name),
				 -EINVAL);
		assert_int_equal(sennit_tls_stream_open_insecure(&stream, context, &socket.stream,
								 *name),
				 -EINVAL);
	}
	assert_int_equal(sennit_tls_stream_open_client(&stream, context, &socket.stream, NULL),
			 -EINVAL);
	sennit_close(&socket.stream);
	assert_int_equal(sennit_runtime_join(stage.runtime), 0);
	sennit_tls_context_destroy(context);
	end_runtime(stage.runtime);
	raw_close(fd);
}

/* Said aloud, all is believed: what the others are refused for is what they are refused for. */
static void who_wants_no_certificate_checked_gets_that(void **state)
{
	struct pem leaf;
	struct duel duel;

	(void)state;
	make_certificate(&leaf, &(struct wish){.name = "x", .alternative = "", .ends_s = -60,
					       .begins_s = -7200}, NULL);
	begin_duel(&duel, SENNIT_TLS_CLIENT, NULL);
	peer_close(&duel.peer);
	peer_init(&duel.peer, SENNIT_TLS_SERVER, &leaf);
	peer_open(&duel.peer, open_socket(&duel.stage, &duel.socket));
	assert_int_equal(sennit_tls_stream_open_insecure(&duel.stream, duel.context,
							 &duel.socket.stream, NULL),
			 0);
	start_handshake(&duel.stream, &duel.handshake);
	assert_true(peer_handshake(&duel.peer));
	EXPECT(&duel.handshake, 0, 0);
	end_duel(&duel);
	free_certificate(&leaf);
}

int main(void)
{
	static struct CMUnitTest tests[COUNT_OF(servers) + COUNT_OF(clients) + 2] = {
		TEST(some_names_cannot_be_asked_for),
		TEST(who_wants_no_certificate_checked_gets_that),
	};
	struct CMUnitTest *end = tests + 2;

	end = tests_of_rows(servers, COUNT_OF(servers), sizeof *servers,
			    a_client_looks_at_a_server, end);
	tests_of_rows(clients, COUNT_OF(clients), sizeof *clients, a_server_looks_at_a_client, end);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
