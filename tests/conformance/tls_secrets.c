/* SPDX-License-Identifier: MIT */
/* tls_secrets.c - a key that was read from a file stays nowhere but where it is used. */
#include "openssl_memory.h"
#include "tls_support.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The key comes first in a file that is long enough to be read in several steps. */
static void make_file(char *path, const struct pem *pem)
{
	FILE *file;

	temporary_name(path);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(pem->key, file) >= 0);
	for (int i = 0; i < 1000; i++)
		assert_true(fputs("some lines of a comment\n", file) >= 0);
	assert_true(fputs(pem->certificate, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void a_key_from_a_file_is_wiped(void **state)
{
	struct sennit_tls_context *context;
	struct pem pem;
	const char *secret;
	char path[PATH_MAX];

	(void)state;
	make_certificate(&pem, &(struct wish){0}, NULL);
	secret = strchr(pem.key, '\n') + 1;
	make_file(path, &pem);
	assert_int_equal(sennit_tls_context_create(SENNIT_TLS_SERVER, &context), 0);
	openssl_search(secret, 48);
	assert_int_equal(sennit_tls_context_certificate_file(context, path, NULL), 0);
	assert_int_equal(openssl_found(), 0);
	openssl_search(NULL, 0);
	sennit_tls_context_destroy(context);
	unlink(path);
	free_certificate(&pem);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_key_from_a_file_is_wiped),
	};

	if (!watch_openssl_memory())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
