/* SPDX-License-Identifier: MIT */
/* endpoint.c - endpoints and their text: what is read, what is refused, and that printing and
 * reading are each other's inverse. */
#include "support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <sennit/endpoint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A text, and the one that the endpoint prints as. */
static const struct good {
	const char *text;
	const char *printed;
	int family;
	unsigned port;
} good[] = {
	{ "127.0.0.1:80", "127.0.0.1:80", AF_INET, 80 },
	{ "0.0.0.0:0", "0.0.0.0:0", AF_INET, 0 },
	{ "255.255.255.255:65535", "255.255.255.255:65535", AF_INET, 65535 },
	{ "1.2.3.4:9", "1.2.3.4:9", AF_INET, 9 },
	{ "224.0.0.1:5353", "224.0.0.1:5353", AF_INET, 5353 },
	{ "[::1]:80", "[::1]:80", AF_INET6, 80 },
	{ "[::]:0", "[::]:0", AF_INET6, 0 },
	{ "[0:0:0:0:0:0:0:1]:65535", "[::1]:65535", AF_INET6, 65535 },
	{ "[2001:DB8::AbCd]:443", "[2001:db8::abcd]:443", AF_INET6, 443 },
	{ "[2001:0db8:0000::0001]:443", "[2001:db8::1]:443", AF_INET6, 443 },
	{ "[::ffff:1.2.3.4]:7", "[::ffff:1.2.3.4]:7", AF_INET6, 7 },
	{ "[1:2:3:4:5:6:7:8]:1", "[1:2:3:4:5:6:7:8]:1", AF_INET6, 1 },
	{ "[1:2:3:4:5:6:77.77.88.88]:1", "[1:2:3:4:5:6:4d4d:5858]:1", AF_INET6, 1 },
	{ "[fe80::1%4294967295]:80", "[fe80::1%4294967295]:80", AF_INET6, 80 },
	{ "[::1%4000000000]:80", "[::1%4000000000]:80", AF_INET6, 80 },
	{ "[fe80::1%lo]:80", "[fe80::1%lo]:80", AF_INET6, 80 },
};

/* Several texts a line: */
/* clang-format off */
static const char *const hostile[] = {
	/* Not even the shape. */
	"", "-", ":", "::", "80", ":80", "127.0.0.1", "127.0.0.1:", "[", "]", "[]", "[]:80", "[:80",
	"[::1", "[::1]", "[::1]:", "[::1]80", "[::1]::80", "[[::1]]:80", "[::1]]:80", "[::1]:80]",
	"::1]:80", "127.0.0.1:80:80", "127.0.0.1::80", "127.0.0.1/8:80", "127.0.0.1;80",
	"tcp://127.0.0.1:80", "127.0.0.1:80/",
	/* Blanks and other surroundings. */
	" 127.0.0.1:80", "127.0.0.1:80 ", "127.0.0.1 :80", "127.0.0.1: 80", "127.0.0.1:80\n",
	"\t127.0.0.1:80", " [::1]:80", "[::1]:80 ", "[ ::1]:80", "[::1 ]:80", "[::1] :80",
	"127.0.0.1:80\r\n", "\"127.0.0.1:80\"",
	/* Names, and what only a resolver knows. */
	"localhost:80", "example.com:80", "[localhost]:80", "127.0.0.1:http", "[::1]:http", "*:80",
	"any:80", "lo:80",
	/* IPv4 that is not four plain numbers, or stands in brackets. */
	"[127.0.0.1]:80", "127.1:80", "127:80", "2130706433:80", "0x7f.0.0.1:80", "0177.0.0.1:80",
	"127.0.0.01:80", "127.0.0.256:80", "127.0.0.-1:80", "127.0.0.+1:80", "127.0.0.1.:80",
	".127.0.0.1:80", "127..0.1:80", "1.2.3.4.5:80", "127.0.0.1e0:80", "1.2.3.4294967297:80",
	"000127.000000.0.1:80",
	/* IPv6 that is none, or stands without brackets. */
	"::1:80", "::1", "fe80::1%lo:80", "[:::1]:80", "[1::2::3]:80", "[12345::]:80", "[g::]:80",
	"[1:2:3:4:5:6:7]:80", "[1:2:3:4:5:6:7:8:9]:80", "[1:2:3:4:5:6:7:8::]:80", "[:1]:80",
	"[1:]:80", "[::1.2.3]:80", "[::1.2.3.256]:80", "[::00001]:80", "[::-1]:80", "[::0x1]:80",
	"[::1/64]:80", "(::1):80", "[v1.fe80::a]:80",
	/* Ports. */
	"127.0.0.1:080", "127.0.0.1:00", "127.0.0.1:65536", "127.0.0.1:99999", "127.0.0.1:100000",
	"127.0.0.1:4294967376", "127.0.0.1:18446744073709551696", "127.0.0.1:-1", "127.0.0.1:+80",
	"127.0.0.1:0x50", "127.0.0.1:8 0", "127.0.0.1:80a", "127.0.0.1:8.0", "127.0.0.1:8e1",
	"[::1]:080", "[::1]:65536", "[::1]:-1", "[::1]:+80", "[::1]:000000000000000000000000000080",
	"127.0.0.1:\xd9\xa8\xd9\xa0",
	/* Scopes. */
	"[fe80::1%]:80", "[%lo]:80", "[fe80::1%0]:80", "[fe80::1%03]:80", "[fe80::1%-1]:80",
	"[fe80::1%+1]:80", "[fe80::1%4294967296]:80", "[fe80::1%18446744073709551617]:80",
	"[fe80::1%nosuchif0]:80", "[fe80::1%lo%lo]:80", "[fe80::1%lo ]:80", "[fe80::1% lo]:80",
	"[fe80::1%%lo]:80", "[fe80::1%25lo]:80", "[fe80::1%a_name_of_sixteen]:80",
	"[fe80::1%../lo]:80", "[fe80::1]%lo:80", "127.0.0.1%lo:80", "[127.0.0.1%lo]:80",
	"[fe80::1%lo:80",
};
/* clang-format on */

static struct sennit_endpoint parsed(const char *text)
{
	struct sennit_endpoint endpoint;

	memset(&endpoint, 0xa5, sizeof endpoint);
	if (sennit_endpoint_parse(&endpoint, text))
		fail_msg("\"%s\" is refused", text);
	return endpoint;
}

static void good_texts_are_read_and_printed_in_one_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		struct sennit_endpoint endpoint = parsed(good[i].text), again;
		char text[SENNIT_ENDPOINT_TEXT];

		assert_int_equal(endpoint.address.any.sa_family, good[i].family);
		assert_int_equal(sennit_endpoint_port(&endpoint), good[i].port);
		assert_int_equal(sennit_endpoint_print(&endpoint, text, sizeof text), 0);
		assert_string_equal(text, good[i].printed);
		again = parsed(text);
		assert_true(sennit_endpoint_equal(&endpoint, &again));
	}
}

static void what_is_read_is_what_the_system_reads(void **state)
{
	struct sennit_endpoint v4 = parsed("192.0.2.33:8080"), v6 = parsed("[2001:db8::7%9]:443");
	struct in6_addr address;

	(void)state;
	assert_int_equal(v4.address.v4.sin_port, htons(8080));
	assert_int_equal(v4.address.v4.sin_addr.s_addr, htonl(0xc0000221));
	assert_int_equal(inet_pton(AF_INET6, "2001:db8::7", &address), 1);
	assert_memory_equal(&v6.address.v6.sin6_addr, &address, sizeof address);
	assert_int_equal(v6.address.v6.sin6_port, htons(443));
	assert_int_equal(v6.address.v6.sin6_scope_id, 9);
	assert_int_equal(v6.address.v6.sin6_flowinfo, 0);
}

static void hostile_texts_are_refused_and_leave_the_endpoint_alone(void **state)
{
	(void)state;
	assert_true(COUNT_OF(hostile) >= 60);
	for (size_t i = 0; i < COUNT_OF(hostile); i++) {
		struct sennit_endpoint endpoint, before;

		memset(&endpoint, 0xa5, sizeof endpoint);
		before = endpoint;
		if (sennit_endpoint_parse(&endpoint, hostile[i]) != -EINVAL)
			fail_msg("\"%s\" is not refused", hostile[i]);
		assert_memory_equal(&endpoint, &before, sizeof endpoint);
	}
}

/* Each text without its last characters, in memory that ends there (ASan looks). */
static void no_beginning_of_a_good_text_is_read_past_its_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		for (size_t length = 0; length < strlen(good[i].text); length++) {
			char *text = strndup(good[i].text, length);
			struct sennit_endpoint endpoint;
			int error;

			assert_non_null(text);
			error = sennit_endpoint_parse(&endpoint, text);
			/* "...:65535" without its end is a text with another port. */
			if (text[0] == '[' ? !strstr(text, "]:") : !strchr(text, ':'))
				assert_int_equal(error, -EINVAL);
			free(text);
		}
	}
}

static void a_very_long_text_is_refused(void **state)
{
	static const char *const beginnings[] = { "",        "[",         "1", "127.0.0.1:8",
		                                  "[::1]:8", "[fe80::1%l" };
	size_t size = 1 << 20;
	char *text = malloc(size + 1);

	(void)state;
	assert_non_null(text);
	for (const char *fill = "01:a[]%. "; *fill; fill++) {
		for (size_t i = 0; i < COUNT_OF(beginnings); i++) {
			struct sennit_endpoint endpoint;

			memset(text, *fill, size);
			memcpy(text, beginnings[i], strlen(beginnings[i]));
			text[size] = '\0';
			assert_int_equal(sennit_endpoint_parse(&endpoint, text), -EINVAL);
		}
	}
	free(text);
}

static void every_port_survives_the_round_trip(void **state)
{
	(void)state;
	for (unsigned port = 0; port <= UINT16_MAX; port++) {
		char text[SENNIT_ENDPOINT_TEXT], printed[SENNIT_ENDPOINT_TEXT];
		struct sennit_endpoint endpoint;

		snprintf(text, sizeof text, port & 1 ? "[::1]:%u" : "127.0.0.1:%u", port);
		endpoint = parsed(text);
		assert_int_equal(sennit_endpoint_port(&endpoint), port);
		assert_int_equal(sennit_endpoint_print(&endpoint, printed, sizeof printed), 0);
		assert_string_equal(printed, text);
	}
}

static void random_addresses_survive_the_round_trip(void **state)
{
	uint64_t random = 1;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		struct sennit_endpoint endpoint = { 0 }, again;
		unsigned char bytes[24];
		char text[SENNIT_ENDPOINT_TEXT];

		for (size_t j = 0; j < sizeof bytes; j++) {
			random = random * 6364136223846793005u + 1442695040888963407u;
			/* Every second byte is 0 more often: runs of zeros are shortened. */
			bytes[j] = (unsigned char)(random >> 33);
			if ((random >> 60) < 9)
				bytes[j] = 0;
		}
		if (bytes[23] & 1) {
			endpoint.address.v4.sin_family = AF_INET;
			memcpy(&endpoint.address.v4.sin_addr, bytes, 4);
			memcpy(&endpoint.address.v4.sin_port, bytes + 4, 2);
		} else {
			endpoint.address.v6.sin6_family = AF_INET6;
			memcpy(&endpoint.address.v6.sin6_addr, bytes, 16);
			memcpy(&endpoint.address.v6.sin6_port, bytes + 16, 2);
			memcpy(&endpoint.address.v6.sin6_scope_id, bytes + 18, 4);
		}
		assert_int_equal(sennit_endpoint_print(&endpoint, text, sizeof text), 0);
		again = parsed(text);
		assert_true(sennit_endpoint_equal(&endpoint, &again));
	}
}

static void the_scope_of_every_interface_survives_the_round_trip(void **state)
{
	struct if_nameindex *interfaces = if_nameindex();

	(void)state;
	assert_non_null(interfaces);
	for (struct if_nameindex *i = interfaces; i->if_index; i++) {
		struct sennit_endpoint endpoint = parsed("[fe80::1]:80"), again;
		char text[SENNIT_ENDPOINT_TEXT];

		endpoint.address.v6.sin6_scope_id = i->if_index;
		assert_int_equal(sennit_endpoint_print(&endpoint, text, sizeof text), 0);
		again = parsed(text);
		assert_int_equal(again.address.v6.sin6_scope_id, i->if_index);
	}
	if_freenameindex(interfaces);
}

static void printing_fills_the_size_exactly_or_says_that_there_is_no_room(void **state)
{
	(void)state;
	for (size_t i = 0; i <= COUNT_OF(good); i++) {
		const char *expected = i < COUNT_OF(good) ? good[i].printed : "-";
		struct sennit_endpoint endpoint = { 0 };
		size_t need = strlen(expected) + 1;

		if (i < COUNT_OF(good))
			endpoint = parsed(good[i].text);
		for (size_t size = 0; size <= need; size++) {
			char *text = malloc(size ? size : 1); /* ASan looks at its end */

			assert_non_null(text);
			text[0] = 'x';
			if (size == need) {
				assert_int_equal(sennit_endpoint_print(&endpoint, text, size), 0);
				assert_string_equal(text, expected);
			} else {
				assert_int_equal(sennit_endpoint_print(&endpoint, text, size),
				                 -ENOSPC);
				assert_int_equal(text[0], size ? '\0' : 'x');
			}
			free(text);
		}
	}
}

static void the_longest_endpoint_fits_in_the_size_that_always_suffices(void **state)
{
	char text[SENNIT_ENDPOINT_TEXT];
	struct sennit_endpoint endpoint =
	    parsed("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535");

	(void)state;
	assert_int_equal(sennit_endpoint_print(&endpoint, text, sizeof text), 0);
	assert_string_equal(text, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535");
}

static void an_unspecified_endpoint_prints_as_a_dash_and_has_no_size_and_no_port(void **state)
{
	struct sennit_endpoint endpoint = { 0 };
	char text[SENNIT_ENDPOINT_TEXT];

	(void)state;
	assert_int_equal(sennit_endpoint_print(&endpoint, text, sizeof text), 0);
	assert_string_equal(text, "-");
	assert_int_equal(sennit_endpoint_size(&endpoint), 0);
	assert_int_equal(sennit_endpoint_port(&endpoint), 0);
}

static void the_size_is_that_of_the_address(void **state)
{
	struct sennit_endpoint v4 = parsed("127.0.0.1:1"), v6 = parsed("[::1]:1");

	(void)state;
	assert_int_equal(sennit_endpoint_size(&v4), sizeof(struct sockaddr_in));
	assert_int_equal(sennit_endpoint_size(&v6), sizeof(struct sockaddr_in6));
}

static void endpoints_are_equal_where_family_address_port_and_scope_are(void **state)
{
	/* clang-format off */
	static const char *const different[] = {
		"127.0.0.1:80", "127.0.0.1:81", "127.0.0.2:80", "[::1]:80", "[::1]:81", "[::2]:80",
		"[::ffff:127.0.0.1]:80", "[fe80::1]:80", "[fe80::1%1]:80", "[fe80::1%2]:80",
		"0.0.0.0:0", "[::]:0",
	};
	/* clang-format on */
	struct sennit_endpoint unspecified = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(different); i++) {
		struct sennit_endpoint a = parsed(different[i]);

		assert_false(sennit_endpoint_equal(&a, &unspecified));
		assert_false(sennit_endpoint_equal(&unspecified, &a));
		for (size_t j = 0; j < COUNT_OF(different); j++) {
			struct sennit_endpoint b = parsed(different[j]);

			assert_int_equal(sennit_endpoint_equal(&a, &b), i == j);
		}
	}
	assert_true(sennit_endpoint_equal(&unspecified, &unspecified));
}

static void what_lies_beside_the_address_does_not_count_in_a_comparison(void **state)
{
	struct sennit_endpoint a = parsed("127.0.0.1:80"), b = a;
	struct sennit_endpoint c = parsed("[::1]:80"), d = c;

	(void)state;
	memset(b.address.v4.sin_zero, 1, sizeof b.address.v4.sin_zero);
	d.address.v6.sin6_flowinfo = htonl(7);
	assert_true(sennit_endpoint_equal(&a, &b));
	assert_true(sennit_endpoint_equal(&c, &d));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(good_texts_are_read_and_printed_in_one_form),
		TEST(what_is_read_is_what_the_system_reads),
		TEST(hostile_texts_are_refused_and_leave_the_endpoint_alone),
		TEST(no_beginning_of_a_good_text_is_read_past_its_end),
		TEST(a_very_long_text_is_refused),
		TEST(every_port_survives_the_round_trip),
		TEST(random_addresses_survive_the_round_trip),
		TEST(the_scope_of_every_interface_survives_the_round_trip),
		TEST(printing_fills_the_size_exactly_or_says_that_there_is_no_room),
		TEST(the_longest_endpoint_fits_in_the_size_that_always_suffices),
		TEST(an_unspecified_endpoint_prints_as_a_dash_and_has_no_size_and_no_port),
		TEST(the_size_is_that_of_the_address),
		TEST(endpoints_are_equal_where_family_address_port_and_scope_are),
		TEST(what_lies_beside_the_address_does_not_count_in_a_comparison),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
