/* SPDX-License-Identifier: MIT */
/* tls_trust.c - whom a client trusts that was told so in several calls, with a system that trusts
 * the tests' authority. */
#include "tls_peer.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A call that says whom to trust. */
enum call { NO_CALL, SYSTEM, SOMEBODY, FOLDER };

struct row {
	const char *name;
	enum call calls[2];
	bool trusted; /* whom the system trusts */
};

static const struct row rows[] = {
	{"who_was_told_nothing_trusts_the_system", {NO_CALL}, true},
	{"who_trusts_somebody_does_not_trust_the_system", {SOMEBODY}, false},
	{"who_trusts_a_folder_does_not_trust_the_system", {FOLDER}, false},
	{"the_system_can_be_trusted_besides", {SOMEBODY, SYSTEM}, true},
	{"somebody_can_be_trusted_besides_the_system", {SYSTEM, SOMEBODY}, true},
	{"a_folder_can_be_trusted_besides_the_system", {SYSTEM, FOLDER}, true},
};

static int say(struct sennit_tls_context *context, enum call call, const struct pem *somebody)
{
	switch (call) {
	case SYSTEM:
		return sennit_tls_context_trust_system(context);
	case SOMEBODY:
		return sennit_tls_context_trust(context, somebody->certificate,
						strlen(somebody->certificate));
	case FOLDER:
		return sennit_tls_context_trust_folder(context, "/");
	default:
		return 0;
	}
}

/* The file that OpenSSL then takes for the system's. */
static void make_system(char *path)
{
	FILE *file;

	temporary_name(path);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(test_authority()->certificate, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(setenv("SSL_CERT_FILE", path, 1), 0);
	assert_int_equal(setenv("SSL_CERT_DIR", "/dev/null", 1), 0);
}

static void somebody_is_trusted(void **state)
{
	const struct row *row = row_of(state, rows, sizeof *rows);
	const struct wish wish = {.name = "somebody", .authority = true};
	struct sennit_tls_context *context;
	struct pem somebody;
	struct duel duel;
	char path[PATH_MAX];

	make_system(path);
	make_certificate(&somebody, &wish, NULL);
	assert_int_equal(sennit_tls_context_create(SENNIT_TLS_CLIENT, &context), 0);
	for (size_t i = 0; i < COUNT_OF(row->calls); i++)
		assert_int_equal(say(context, row->calls[i], &somebody), 0);
	begin_duel(&duel, SENNIT_TLS_CLIENT, context);
	fight(&duel, "localhost");
	assert_int_equal(peer_handshake(&duel.peer) && duel.peer.alert < 0, row->trusted);
	EXPECT(&duel.handshake, row->trusted ? 0 : SENNIT_TLS_UNTRUSTED, 0);
	end_duel(&duel);
	free_certificate(&somebody);
	unlink(path);
}

int main(void)
{
	static struct CMUnitTest tests[COUNT_OF(rows)];

	tests_of_rows(rows, COUNT_OF(rows), sizeof *rows, somebody_is_trusted, tests);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
