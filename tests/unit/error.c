/* SPDX-License-Identifier: MIT */
/* error.c - what error values are called, and the library's version. */
#include "support.h"

#include <errno.h>
#include <limits.h>
#include <sennit/error.h>
#include <sennit/version.h>
#include <stdio.h>
#include <string.h>

static void an_errno_has_its_symbol_and_its_text(void **state)
{
	(void)state;
	assert_string_equal(sennit_error_name(-ECONNREFUSED), "ECONNREFUSED");
	assert_string_equal(sennit_strerror(-ECONNREFUSED), "Connection refused");
	assert_string_equal(sennit_error_name(-ECANCELED), "ECANCELED");
	assert_string_equal(sennit_error_name(-EBADF), "EBADF");
}

static void success_has_a_name_too(void **state)
{
	(void)state;
	assert_string_equal(sennit_error_name(0), "0");
	assert_string_equal(sennit_strerror(0), "Success");
}

static void each_of_sennits_own_has_its_symbol_and_a_text(void **state)
{
	(void)state;
	assert_string_equal(sennit_error_name(SENNIT_EOF), "SENNIT_EOF");
	assert_string_equal(sennit_strerror(SENNIT_EOF), "end of file");
	assert_string_equal(sennit_error_name(SENNIT_TRUNCATED), "SENNIT_TRUNCATED");
	assert_string_equal(sennit_error_name(SENNIT_SHUTDOWN), "SENNIT_SHUTDOWN");
	assert_string_equal(sennit_error_name(SENNIT_ALREADY_OPEN), "SENNIT_ALREADY_OPEN");
	assert_string_equal(sennit_error_name(SENNIT_TLS_FAILED), "SENNIT_TLS_FAILED");
	assert_string_equal(sennit_error_name(SENNIT_TLS_UNTRUSTED), "SENNIT_TLS_UNTRUSTED");
	for (int error = SENNIT_EOF; error >= SENNIT_TLS_UNTRUSTED; error--)
		assert_string_not_equal(sennit_strerror(error), "unknown error");
}

static void every_other_value_is_unknown(void **state)
{
	static const int values[] = { 1, EBADF, INT_MAX, INT_MIN, -4095, -4096, -4103, -1000 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(values); i++) {
		assert_string_equal(sennit_error_name(values[i]), "?");
		assert_string_equal(sennit_strerror(values[i]), "unknown error");
	}
}

static void the_library_tells_the_version_of_its_headers(void **state)
{
	char expected[32];

	(void)state;
	snprintf(expected, sizeof expected, "%d.%d.%d", SENNIT_VERSION_MAJOR, SENNIT_VERSION_MINOR,
	         SENNIT_VERSION_PATCH);
	assert_string_equal(sennit_version(), expected);
	assert_string_equal(SENNIT_VERSION, expected);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(an_errno_has_its_symbol_and_its_text),
		TEST(success_has_a_name_too),
		TEST(each_of_sennits_own_has_its_symbol_and_a_text),
		TEST(every_other_value_is_unknown),
		TEST(the_library_tells_the_version_of_its_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
