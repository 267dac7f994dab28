/* SPDX-License-Identifier: MIT */
/* tls_negative_peers.c - peers that speak something else, say things in the wrong order, never stop
 * or stop at the wrong moment. */
#include "tls_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define FAILS SENNIT_TLS_FAILED

/* --- bytes instead of a handshake ------------------------------------------------------------- */

/* What is sent, `times` over, and then the end; `error` is what the handshake reports. */
struct bytes_row {
	const char *name;
	enum sennit_tls_role role; /* the library's */
	const char *bytes;
	size_t size;
	unsigned times;
	size_t zeros; /* behind them, each time */
	int error;
};

#define BYTES(text) .bytes = (text), .size = sizeof(text) - 1
#define HELLO_12                                                                                   \
	"\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03"                                             \
	"0123456789abcdef0123456789abcdef\x00\x00\x02\xc0\x2b\x01\x00\x00\x00"

static const struct bytes_row strangers[] = {
	{"a_server_is_asked_in_http", SENNIT_TLS_SERVER, BYTES("GET / HTTP/1.1\r\n\r\n"),
	 .error = FAILS},
	{"a_client_is_answered_in_http", SENNIT_TLS_CLIENT, BYTES("HTTP/1.1 400 Bad Request\r\n"),
	 .error = FAILS},
	{"a_client_is_answered_in_ssh", SENNIT_TLS_CLIENT, BYTES("SSH-2.0-OpenSSH_9.2\r\n"),
	 .error = FAILS},
	{"a_server_is_sent_garbage", SENNIT_TLS_SERVER, BYTES("\xff\xfe\xfd\xfc"), .zeros = 300,
	 .error = FAILS},
	{"a_client_is_sent_garbage", SENNIT_TLS_CLIENT, BYTES("\xff\xfe\xfd\xfc"), .zeros = 300,
	 .error = FAILS},
	{"a_server_is_sent_zeros", SENNIT_TLS_SERVER, BYTES(""), .zeros = 100000, .error = FAILS},
	{"a_server_gets_a_hello_of_sslv2", SENNIT_TLS_SERVER,
	 BYTES("\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10"), .zeros = 40, .error = FAILS},
	{"a_server_gets_a_hello_of_sslv3", SENNIT_TLS_SERVER,
	 BYTES("\x16\x03\x00\x00\x2d\x01\x00\x00\x29\x03\x00"
	       "0123456789abcdef0123456789abcdef\x00\x00\x02\x00\x0a\x01\x00"),
	 .error = FAILS},
	{"a_server_gets_a_record_of_no_version", SENNIT_TLS_SERVER,
	 BYTES("\x16\x07\x07\x00\x04\x01\x00\x00\x00"), .error = FAILS},
	{"a_server_gets_a_record_of_no_type", SENNIT_TLS_SERVER, BYTES("\x63\x03\x03\x00\x01\x00"),
	 .error = FAILS},
	{"a_server_gets_a_record_that_is_too_long", SENNIT_TLS_SERVER,
	 BYTES("\x16\x03\x01\x41\x01"), .zeros = 0x4101, .error = FAILS},
	{"a_client_gets_a_record_that_is_too_long", SENNIT_TLS_CLIENT,
	 BYTES("\x16\x03\x03\x41\x01"), .zeros = 0x4101, .error = FAILS},
	{"a_server_gets_a_message_of_16_mb", SENNIT_TLS_SERVER,
	 BYTES("\x16\x03\x01\x40\x00\x01\xff\xff\xff"), .zeros = 16380, .error = FAILS},
	{"a_server_gets_half_a_hello", SENNIT_TLS_SERVER, .bytes = HELLO_12, .size = 20,
	 .error = SENNIT_TRUNCATED},
	{"a_server_gets_half_a_header", SENNIT_TLS_SERVER, .bytes = HELLO_12, .size = 3,
	 .error = SENNIT_TRUNCATED},
	{"a_server_gets_a_hello_whose_parts_do_not_add_up", SENNIT_TLS_SERVER,
	 BYTES("\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03"
	       "0123456789abcdef0123456789abcdef\xff\x00\x02\xc0\x2b\x01\x00\x00\x00"),
	 .error = FAILS},
	{"a_server_gets_a_hello_without_a_cipher", SENNIT_TLS_SERVER,
	 BYTES("\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x03"
	       "0123456789abcdef0123456789abcdef\x00\x00\x00\x01\x00\x00\x00"),
	 .error = FAILS},
	{"a_server_gets_a_hello_with_ciphers_that_nobody_has", SENNIT_TLS_SERVER,
	 BYTES("\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03"
	       "0123456789abcdef0123456789abcdef\x00\x00\x02\xba\xad\x01\x00\x00\x00"),
	 .error = FAILS},
	{"a_server_gets_a_hello_that_must_be_compressed", SENNIT_TLS_SERVER,
	 BYTES("\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03"
	       "0123456789abcdef0123456789abcdef\x00\x00\x02\xc0\x2b\x01\x01\x00\x00"),
	 .error = FAILS},
	{"a_server_gets_an_answer_for_a_question", SENNIT_TLS_SERVER,
	 BYTES("\x16\x03\x03\x00\x2a\x02\x00\x00\x26\x03\x03"
	       "0123456789abcdef0123456789abcdef\x00\xc0\x2b\x00"),
	 .error = FAILS},
	{"a_client_gets_a_question_for_an_answer", SENNIT_TLS_CLIENT, BYTES(HELLO_12),
	 .error = FAILS},
	{"a_client_is_told_that_all_is_said_at_once", SENNIT_TLS_CLIENT,
	 BYTES("\x16\x03\x03\x00\x04\x0e\x00\x00\x00"), .error = FAILS},
	{"a_client_gets_finished_first", SENNIT_TLS_CLIENT,
	 BYTES("\x16\x03\x03\x00\x10\x14\x00\x00\x0c" "0123456789ab"), .error = FAILS},
	{"a_server_gets_finished_first", SENNIT_TLS_SERVER,
	 BYTES("\x16\x03\x03\x00\x10\x14\x00\x00\x0c" "0123456789ab"), .error = FAILS},
	{"a_server_gets_a_key_exchange_first", SENNIT_TLS_SERVER,
	 BYTES("\x16\x03\x03\x00\x06\x10\x00\x00\x02\x01\x01"), .error = FAILS},
	{"a_server_gets_a_change_of_cipher_first", SENNIT_TLS_SERVER,
	 BYTES("\x14\x03\x03\x00\x01\x01"), .error = FAILS},
	{"a_client_gets_a_change_of_cipher_first", SENNIT_TLS_CLIENT,
	 BYTES("\x14\x03\x03\x00\x01\x01"), .times = 40, .error = FAILS},
	{"a_server_gets_data_first", SENNIT_TLS_SERVER, BYTES("\x17\x03\x03\x00\x05hello"),
	 .error = FAILS},
	{"a_client_gets_data_first", SENNIT_TLS_CLIENT, BYTES("\x17\x03\x03\x00\x05hello"),
	 .error = FAILS},
	{"a_server_gets_a_change_of_keys_first", SENNIT_TLS_SERVER,
	 BYTES("\x16\x03\x03\x00\x05\x18\x00\x00\x01\x01"), .error = FAILS},
	{"a_client_gets_a_ticket_first", SENNIT_TLS_CLIENT,
	 BYTES("\x16\x03\x03\x00\x0a\x04\x00\x00\x06\x00\x00\x00\x00\x00\x00"), .error = FAILS},

	/* without end */
	{"a_server_gets_empty_records_without_end", SENNIT_TLS_SERVER,
	 BYTES("\x16\x03\x03\x00\x00"), .times = 10000, .error = FAILS},
	{"a_client_gets_empty_records_without_end", SENNIT_TLS_CLIENT,
	 BYTES("\x16\x03\x03\x00\x00"), .times = 10000, .error = FAILS},
	{"a_server_gets_warnings_without_end", SENNIT_TLS_SERVER,
	 BYTES("\x15\x03\x03\x00\x02\x01\x5a"), .times = 10000, .error = FAILS},
	{"a_client_gets_warnings_without_end", SENNIT_TLS_CLIENT,
	 BYTES("\x15\x03\x03\x00\x02\x01\x5a"), .times = 10000, .error = FAILS},
	{"a_client_gets_requests_to_begin_without_end", SENNIT_TLS_CLIENT,
	 BYTES("\x16\x03\x03\x00\x04\x00\x00\x00\x00"), .times = 10000,
	 .error = SENNIT_TRUNCATED},

	/* alerts */
	{"a_client_is_refused", SENNIT_TLS_CLIENT, BYTES("\x15\x03\x03\x00\x02\x02\x28"),
	 .error = FAILS},
	{"a_server_is_refused", SENNIT_TLS_SERVER, BYTES("\x15\x03\x03\x00\x02\x02\x28"),
	 .error = FAILS},
	{"a_server_gets_half_an_alert", SENNIT_TLS_SERVER, BYTES("\x15\x03\x03\x00\x01\x02"),
	 .error = FAILS},
	{"a_server_gets_an_alert_of_no_level", SENNIT_TLS_SERVER,
	 BYTES("\x15\x03\x03\x00\x02\x07\x28"), .error = FAILS},
};

/* The peer is not OpenSSL's; whatever is answered is read away, so that the end is no reset. */
static void a_stranger_is_met(void **state)
{
	const struct bytes_row *row = row_of(state, strangers, sizeof *strangers);
	size_t each = row->size + row->zeros;
	unsigned times = row->times ? row->times : 1;
	char *all = zeroed(each * times + 1);
	char text[256];
	struct duel duel;

	for (unsigned i = 0; i < times; i++)
		memcpy(all + i * each, row->bytes, row->size);
	begin_duel(&duel, row->role, NULL);
	fight(&duel, "localhost");
	peer_send(&duel.peer, all, each * times);
	shutdown(duel.peer.fd, SHUT_WR);
	EXPECT(&duel.handshake, row->error, 0);
	sennit_tls_stream_reason(&duel.stream, text, sizeof text);
	assert_true(*text);
	expect_read(&duel, row->error); /* and so does all else */
	end_duel(&duel);
	free(all);
}

/* --- stages of a handshake -------------------------------------------------------------------- */

/* How it ends, after so many flights of the peer's, of which the last is sent half. */
struct stage_row {
	const char *name;
	enum sennit_tls_role role;
	int version;
	unsigned flights; /* whole ones */
	bool half;        /* and half of the next */
	bool reset;
	int error;
};

#define CUT(at, library, protocol, whole, more)                                                    \
	{"an_end_" at, (library), (protocol), (whole), (more), false, SENNIT_TRUNCATED},           \
	{                                                                                          \
		"a_reset_" at, (library), (protocol), (whole), (more), true, -ECONNRESET           \
	}

static const struct stage_row stages[] = {
	CUT("before_the_hello", SENNIT_TLS_SERVER, TLS1_3_VERSION, 0, false),
	CUT("within_the_hello", SENNIT_TLS_SERVER, TLS1_3_VERSION, 0, true),
	CUT("after_the_hello", SENNIT_TLS_SERVER, TLS1_3_VERSION, 1, false),
	CUT("within_the_clients_finished", SENNIT_TLS_SERVER, TLS1_3_VERSION, 1, true),
	CUT("after_the_hello_of_1_2", SENNIT_TLS_SERVER, TLS1_2_VERSION, 1, false),
	CUT("within_the_key_exchange_of_1_2", SENNIT_TLS_SERVER, TLS1_2_VERSION, 1, true),
	CUT("before_the_answer", SENNIT_TLS_CLIENT, TLS1_3_VERSION, 0, false),
	CUT("within_the_answer", SENNIT_TLS_CLIENT, TLS1_3_VERSION, 0, true),
	CUT("within_the_answer_of_1_2", SENNIT_TLS_CLIENT, TLS1_2_VERSION, 0, true),
	CUT("after_the_answer_of_1_2", SENNIT_TLS_CLIENT, TLS1_2_VERSION, 1, false),
	CUT("within_the_servers_finished_of_1_2", SENNIT_TLS_CLIENT, TLS1_2_VERSION, 1, true),
};

/* Lets the peer go that far. A client begins; a server waits for it. */
static void go_as_far_as(struct tls_peer *peer, const struct stage_row *row)
{
	char data[8192];
	size_t size;

	for (unsigned i = 0; i < row->flights; i++) {
		while (peer_step(peer) != 1 && !BIO_pending(SSL_get_wbio(peer->ssl)))
			assert_true(peer_fill(peer));
		peer_flush(peer);
	}
	if (row->half || SSL_is_server(peer->ssl))
		while (peer_step(peer) != 1 && !BIO_pending(SSL_get_wbio(peer->ssl)))
			assert_true(peer_fill(peer));
	size = peer_take(peer, data, sizeof data);
	if (row->half)
		peer_send(peer, data, size / 2);
}

static void a_handshake_is_cut(void **state)
{
	const struct stage_row *row = row_of(state, stages, sizeof *stages);
	struct duel duel;

	begin_duel(&duel, row->role, NULL);
	assert_true(SSL_CTX_set_max_proto_version(duel.peer.context, row->version));
	fight(&duel, "localhost");
	go_as_far_as(&duel.peer, row);
	if (row->reset) {
		raw_reset(duel.peer.fd);
		duel.peer.fd = -1;
	} else {
		shutdown(duel.peer.fd, SHUT_WR);
	}
	EXPECT(&duel.handshake, row->error, 0);
	expect_read(&duel, row->error);
	end_duel(&duel);
}

/* --- versions --------------------------------------------------------------------------------- */

struct version_row {
	const char *name;
	enum sennit_tls_role role;
	enum sennit_tls_version least;
	enum sennit_tls_version most;
	int peers_least;
	int peers_most;
	bool agree;
};

static const struct version_row versions[] = {
	{"who_speaks_1_3_only_agrees_with_no_client_of_1_2", SENNIT_TLS_SERVER, SENNIT_TLS_1_3,
	 SENNIT_TLS_1_3, 0, TLS1_2_VERSION, false},
	{"who_speaks_1_3_only_agrees_with_no_server_of_1_2", SENNIT_TLS_CLIENT, SENNIT_TLS_1_3,
	 SENNIT_TLS_1_3, 0, TLS1_2_VERSION, false},
	{"who_speaks_1_2_only_agrees_with_no_client_of_1_3", SENNIT_TLS_SERVER, SENNIT_TLS_1_2,
	 SENNIT_TLS_1_2, TLS1_3_VERSION, 0, false},
	{"who_speaks_1_2_only_agrees_with_no_server_of_1_3", SENNIT_TLS_CLIENT, SENNIT_TLS_1_2,
	 SENNIT_TLS_1_2, TLS1_3_VERSION, 0, false},
	{"nobody_agrees_with_a_client_of_1_1", SENNIT_TLS_SERVER, SENNIT_TLS_1_2, SENNIT_TLS_1_3, 0,
	 TLS1_1_VERSION, false},
	{"nobody_agrees_with_a_server_of_1_1", SENNIT_TLS_CLIENT, SENNIT_TLS_1_2, SENNIT_TLS_1_3, 0,
	 TLS1_1_VERSION, false},
	{"nobody_agrees_with_a_client_of_1_0", SENNIT_TLS_SERVER, SENNIT_TLS_1_2, SENNIT_TLS_1_3, 0,
	 TLS1_VERSION, false},
	{"nobody_agrees_with_a_server_of_1_0", SENNIT_TLS_CLIENT, SENNIT_TLS_1_2, SENNIT_TLS_1_3, 0,
	 TLS1_VERSION, false},
	{"who_speaks_both_agrees_with_a_client_of_1_2", SENNIT_TLS_SERVER, SENNIT_TLS_1_2,
	 SENNIT_TLS_1_3, 0, TLS1_2_VERSION, true},
	{"who_speaks_1_2_only_agrees_with_a_server_of_both", SENNIT_TLS_CLIENT, SENNIT_TLS_1_2,
	 SENNIT_TLS_1_2, 0, TLS1_3_VERSION, true},
};

static void versions_are_agreed_on(void **state)
{
	const struct version_row *row = row_of(state, versions, sizeof *versions);
	struct duel duel;

	begin_duel(&duel, row->role, NULL);
	assert_int_equal(sennit_tls_context_versions(duel.context, row->least, row->most), 0);
	assert_true(SSL_CTX_set_min_proto_version(duel.peer.context, row->peers_least));
	assert_true(SSL_CTX_set_max_proto_version(duel.peer.context, row->peers_most));
	fight(&duel, "localhost");
	assert_int_equal(peer_handshake(&duel.peer), row->agree);
	if (!row->agree)
		shutdown(duel.peer.fd, SHUT_WR);
	EXPECT(&duel.handshake, row->agree ? 0 : FAILS, 0);
	end_duel(&duel);
}

/* --- after the handshake, in TLS 1.3 ---------------------------------------------------------- */

/* What is inside of a record that is sealed as it should be. */
struct sealed_row {
	const char *name;
	enum sennit_tls_role role;
	int type;
	const char *bytes;
	size_t size;
	size_t padding;
	unsigned times;
	int error;
};

#define HANDSHAKE SSL3_RT_HANDSHAKE
#define ALERT     SSL3_RT_ALERT
#define DATA      SSL3_RT_APPLICATION_DATA

static const char too_much[16385];

static const struct sealed_row sealed[] = {
	{"empty_records_without_end_are_no_stream", SENNIT_TLS_SERVER, DATA, BYTES(""),
	 .times = 2000, .error = FAILS},
	{"empty_records_with_padding_without_end_are_no_stream", SENNIT_TLS_SERVER, DATA, BYTES(""),
	 .padding = 10, .times = 2000, .error = FAILS},
	{"a_record_of_padding_alone_is_none", SENNIT_TLS_SERVER, 0, BYTES(""), .padding = 30,
	 .error = FAILS},
	{"a_record_of_no_type_is_none", SENNIT_TLS_SERVER, 99, BYTES("x"), .error = FAILS},
	{"a_record_with_too_much_in_it_is_none", SENNIT_TLS_SERVER, DATA, .bytes = too_much,
	 .size = sizeof too_much, .error = FAILS},
	{"a_record_that_is_longer_than_any_is_none", SENNIT_TLS_SERVER, DATA, BYTES("x"),
	 .padding = 16700, .error = FAILS},
	{"a_change_of_keys_asks_for_one_or_does_not", SENNIT_TLS_CLIENT, HANDSHAKE,
	 BYTES("\x18\x00\x00\x01\x07"), .error = FAILS},
	{"warnings_without_end_are_no_stream", SENNIT_TLS_SERVER, ALERT, BYTES("\x01\x5a"),
	 .times = 2000, .error = FAILS},
	{"half_an_alert_is_none", SENNIT_TLS_SERVER, ALERT, BYTES("\x01"), .error = FAILS},
	{"two_alerts_in_a_record_are_none", SENNIT_TLS_SERVER, ALERT, BYTES("\x01\x5a\x01\x5a"),
	 .error = FAILS},
	{"an_empty_alert_is_none", SENNIT_TLS_SERVER, ALERT, BYTES(""), .error = FAILS},
	{"an_empty_message_is_none", SENNIT_TLS_SERVER, HANDSHAKE, BYTES(""), .error = FAILS},
	{"a_change_of_cipher_that_is_sealed_is_none", SENNIT_TLS_SERVER,
	 SSL3_RT_CHANGE_CIPHER_SPEC, BYTES("\x01"), .error = FAILS},
	{"a_client_may_not_begin_anew", SENNIT_TLS_SERVER, HANDSHAKE, BYTES("\x01\x00\x00\x01\x00"),
	 .error = FAILS},
	{"a_server_may_not_ask_to_begin_anew", SENNIT_TLS_CLIENT, HANDSHAKE,
	 BYTES("\x00\x00\x00\x00"), .error = FAILS},
	{"a_server_may_not_ask_for_a_certificate_later", SENNIT_TLS_CLIENT, HANDSHAKE,
	 BYTES("\x0d\x00\x00\x03\x00\x00\x00"), .error = FAILS},
	{"a_client_has_no_tickets", SENNIT_TLS_SERVER, HANDSHAKE,
	 BYTES("\x04\x00\x00\x0a\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00"), .error = FAILS},
	{"a_ticket_that_is_none_is_refused", SENNIT_TLS_CLIENT, HANDSHAKE,
	 BYTES("\x04\x00\x00\x01\x00"), .error = FAILS},
	{"a_message_of_16_mb_is_refused", SENNIT_TLS_SERVER, HANDSHAKE,
	 BYTES("\x18\xff\xff\xff\x00"), .error = FAILS},
	{"finished_does_not_come_twice", SENNIT_TLS_SERVER, HANDSHAKE,
	 BYTES("\x14\x00\x00\x04\x00\x00\x00\x00"), .error = FAILS},
	{"an_alert_ends_it", SENNIT_TLS_SERVER, ALERT, BYTES("\x02\x50"), .error = FAILS},
	{"close_notify_is_the_end", SENNIT_TLS_SERVER, ALERT, BYTES("\x01\x00"),
	 .error = SENNIT_EOF},
	{"nothing_behind_a_record_is_no_end", SENNIT_TLS_SERVER, DATA, BYTES(""),
	 .error = SENNIT_TRUNCATED},
};

static void a_record_is_forged(void **state)
{
	const struct sealed_row *row = row_of(state, sealed, sizeof *sealed);
	unsigned char *record = zeroed(20000);
	unsigned times = row->times ? row->times : 1;
	struct forger forger;
	struct duel duel;

	begin_duel(&duel, row->role, NULL);
	note_secrets(&duel.peer);
	assert_true(SSL_CTX_set_num_tickets(duel.peer.context, 0));
	connect_duel(&duel, "localhost");
	forger_init(&forger, &duel.peer, 0);
	for (unsigned i = 0; i < times; i++) {
		size_t size =
			forge(&forger, row->type, row->bytes, row->size, row->padding, record);

		peer_send(&duel.peer, record, size);
	}
	shutdown(duel.peer.fd, SHUT_WR);
	expect_read(&duel, row->error);
	expect_read(&duel, row->error);
	end_duel(&duel);
	free(record);
}

/* So that the table's rows can fail: what is forged well is taken. */
static void what_is_forged_well_is_read(void **state)
{
	unsigned char record[64];
	struct flight flight = {0};
	struct forger forger;
	struct duel duel;
	char data[5];

	(void)state;
	begin_duel(&duel, SENNIT_TLS_CLIENT, NULL);
	note_secrets(&duel.peer);
	assert_true(SSL_CTX_set_num_tickets(duel.peer.context, 0));
	connect_duel(&duel, "localhost");
	forger_init(&forger, &duel.peer, 0);
	peer_send(&duel.peer, record, forge(&forger, DATA, "hello", 5, 7, record));
	START(&duel.stage,
	      {READ, .stream = &duel.stream.stream, .data = data, .size = 5, .flight = &flight});
	EXPECT(&flight, 0, 5);
	assert_memory_equal(data, "hello", 5);
	end_duel(&duel);
}

/* A record that somebody has changed on its way. */
static void a_changed_record_is_found(void **state)
{
	unsigned char record[64];
	struct forger forger;
	struct duel duel;
	size_t size;

	(void)state;
	begin_duel(&duel, SENNIT_TLS_SERVER, NULL);
	note_secrets(&duel.peer);
	connect_duel(&duel, NULL);
	forger_init(&forger, &duel.peer, 0);
	size = forge(&forger, DATA, "hello", 5, 0, record);
	record[7] ^= 1;
	peer_send(&duel.peer, record, size);
	expect_read(&duel, FAILS);
	expect_reason(&duel, "bad record mac");
	end_duel(&duel);
}

static void a_record_that_comes_twice_is_found(void **state)
{
	unsigned char record[64];
	struct flight flight = {0};
	struct forger forger;
	struct duel duel;
	char data[5];
	size_t size;

	(void)state;
	begin_duel(&duel, SENNIT_TLS_SERVER, NULL);
	note_secrets(&duel.peer);
	connect_duel(&duel, NULL);
	forger_init(&forger, &duel.peer, 0);
	size = forge(&forger, DATA, "hello", 5, 0, record);
	peer_send(&duel.peer, record, size);
	peer_send(&duel.peer, record, size);
	START(&duel.stage,
	      {READ, .stream = &duel.stream.stream, .data = data, .size = 5, .flight = &flight});
	EXPECT(&flight, 0, 5);
	expect_read(&duel, FAILS);
	end_duel(&duel);
}

/* --- floods ----------------------------------------------------------------------------------- */

#define FLOOD 100000u

/* Sends what fits; false where nothing does. */
static bool send_some(int fd, const char *data, size_t *size)
{
	ssize_t sent = send(fd, data, *size, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (sent < 0)
		assert_int_equal(errno, EAGAIN);
	*size = sent > 0 ? (size_t)sent : 0;
	progress();
	return sent > 0;
}

/* Changes its keys and asks for the same each time, with a byte in between or without, and never
 * reads the answers. Gives up where the library has looked for input a hundred times and taken none
 * of it: true. */
static bool flood(struct duel *duel, bool with_data)
{
	char data[4096];

	for (unsigned i = 0; i < FLOOD; i++) {
		size_t wrote = 0;
		size_t size;
		size_t done = 0;

		assert_true(SSL_key_update(duel->peer.ssl, SSL_KEY_UPDATE_REQUESTED));
		assert_int_equal(peer_step(&duel->peer), 1);
		if (with_data)
			assert_int_equal(SSL_write_ex(duel->peer.ssl, "x", 1, &wrote), 1);
		size = peer_take(&duel->peer, data, sizeof data);
		for (unsigned turns = 0; done < size; turns++) {
			size_t part = size - done;

			if (send_some(duel->peer.fd, data + done, &part))
				turns = 0;
			else if (turns > 100)
				return true;
			done += part;
			owner_turn(&duel->stage);
		}
	}
	return false;
}

/* A duel whose sockets hold little. */
static void begin_flood(struct duel *duel)
{
	int least = 1;

	begin_duel(duel, SENNIT_TLS_SERVER, NULL);
	connect_duel(duel, NULL);
	shrink_buffers(duel->peer.fd);
	shrink_buffers(sennit_tcp_socket_native_handle(&duel->socket));
	assert_int_equal(setsockopt(duel->peer.fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof least), 0);
}

static void changes_of_keys_without_end_end_it(void **state)
{
	struct flight flight = {0};
	struct duel duel;
	char byte;

	(void)state;
	begin_flood(&duel);
	START(&duel.stage,
	      {READ_SOME, .stream = &duel.stream.stream, .data = &byte, .size = 1,
	       .flight = &flight});
	assert_true(flood(&duel, false));
	EXPECT(&flight, FAILS, 0);
	expect_reason(&duel, "messages without data");
	end_duel(&duel);
}

/* With data in between they are legal: the library must stop to read, or it would have to keep what
 * it answers. */
static void answers_that_nobody_reads_are_not_kept(void **state)
{
	struct flight flight = {0};
	char *data = zeroed(FLOOD + 1);
	int64_t before, after;
	struct duel duel;

	(void)state;
	begin_flood(&duel);
	START(&duel.stage,
	      {READ, .stream = &duel.stream.stream, .data = data, .size = FLOOD + 1,
	       .flight = &flight});
	before = live_allocations();
	assert_true(flood(&duel, true));
	after = live_allocations();
	assert_true(after - before < 16);
	PENDING(&duel.stage, &flight);
	sennit_close(&duel.stream.stream);
	wait_result(&flight.result);
	assert_int_equal(flight.result.error, -ECANCELED);
	assert_true(flight.result.bytes > 0);
	end_duel(&duel);
	free(data);
}

/* In TLS 1.2, with a read in flight of what the peer will send; `role` is ours. */
static void begin_reading_in_1_2(struct duel *duel, enum sennit_tls_role role, char *byte,
				 struct flight *flight)
{
	begin_duel(duel, role, NULL);
	assert_true(SSL_CTX_set_max_proto_version(duel->peer.context, TLS1_2_VERSION));
	connect_duel(duel, role == SENNIT_TLS_CLIENT ? "localhost" : NULL);
	START(&duel->stage,
	      {READ_SOME, .stream = &duel->stream.stream, .data = byte, .size = 1,
	       .flight = flight});
}

/* --- beginning anew in TLS 1.2 ---------------------------------------------------------------- */

static void a_client_may_not_begin_anew_in_1_2(void **state)
{
	struct flight flight = {0};
	struct duel duel;
	char byte;

	(void)state;
	begin_reading_in_1_2(&duel, SENNIT_TLS_SERVER, &byte, &flight);
	assert_true(SSL_renegotiate(duel.peer.ssl));
	assert_false(peer_handshake(&duel.peer));
	assert_int_equal(duel.peer.alert, SSL_AD_NO_RENEGOTIATION);
	shutdown(duel.peer.fd, SHUT_WR);
	wait_result(&flight.result);
	assert_true(flight.result.error == FAILS || flight.result.error == SENNIT_TRUNCATED);
	end_duel(&duel);
}

/* It is told so, and its data is taken all the same. */
static void a_server_may_not_ask_to_begin_anew_in_1_2(void **state)
{
	struct flight flight = {0};
	struct duel duel;
	char byte;

	(void)state;
	begin_reading_in_1_2(&duel, SENNIT_TLS_CLIENT, &byte, &flight);
	assert_true(SSL_renegotiate(duel.peer.ssl));
	assert_int_equal(peer_step(&duel.peer), 1);
	peer_write(&duel.peer, "x", 1);
	EXPECT(&flight, 0, 1);
	assert_int_equal(peer_read(&duel.peer, &byte, 1), 0);
	assert_int_equal(duel.peer.alert, SSL_AD_NO_RENEGOTIATION);
	end_duel(&duel);
}

static void requests_to_begin_anew_without_end_end_it(void **state)
{
	struct flight flight = {0};
	struct duel duel;
	char byte;

	(void)state;
	begin_reading_in_1_2(&duel, SENNIT_TLS_CLIENT, &byte, &flight);
	for (unsigned i = 0; i < 1000 && SSL_renegotiate(duel.peer.ssl); i++) {
		peer_step(&duel.peer);
		peer_flush(&duel.peer);
	}
	shutdown(duel.peer.fd, SHUT_WR);
	EXPECT(&flight, FAILS, 0);
	end_duel(&duel);
}

int main(void)
{
	static struct CMUnitTest tests[COUNT_OF(strangers) + COUNT_OF(stages) + COUNT_OF(versions) +
				       COUNT_OF(sealed) + 8] = {
		TEST(what_is_forged_well_is_read),
		TEST(a_changed_record_is_found),
		TEST(a_record_that_comes_twice_is_found),
		TEST(changes_of_keys_without_end_end_it),
		TEST(answers_that_nobody_reads_are_not_kept),
		TEST(a_client_may_not_begin_anew_in_1_2),
		TEST(a_server_may_not_ask_to_begin_anew_in_1_2),
		TEST(requests_to_begin_anew_without_end_end_it),
	};
	struct CMUnitTest *end = tests + 8;

	end = tests_of_rows(strangers, COUNT_OF(strangers), sizeof *strangers, a_stranger_is_met,
			    end);
	end = tests_of_rows(stages, COUNT_OF(stages), sizeof *stages, a_handshake_is_cut, end);
	end = tests_of_rows(versions, COUNT_OF(versions), sizeof *versions, versions_are_agreed_on,
			    end);
	tests_of_rows(sealed, COUNT_OF(sealed), sizeof *sealed, a_record_is_forged, end);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
