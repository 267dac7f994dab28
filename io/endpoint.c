/* SPDX-License-Identifier: MIT */
/* endpoint.c - an IPv4 or IPv6 address and port, and its text.
 *
 * One endpoint has few texts: numbers are decimal without sign, blanks or leading zeros, an IPv6
 * address stands in brackets, an IPv4 address does not. What only a resolver could decide (names
 * of hosts and services) is refused, and so is whatever an older parser would read in two ways
 * ("0177.0.0.1", "127.1", "080").
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <sennit/endpoint.h>
#include <stdio.h>
#include <string.h>

/* The longest texts: what stands between the brackets, and "[...]:65535" around it. */
#define HOST_TEXT (INET6_ADDRSTRLEN + IF_NAMESIZE)
_Static_assert(HOST_TEXT + sizeof "[]:65535" - 1 <= SENNIT_ENDPOINT_TEXT,
               "every endpoint's text fits in SENNIT_ENDPOINT_TEXT");

/* The characters of an interface's name that are read and written as they are. The kernel allows
 * others ("]", "%", control characters): such an interface goes by its number. */
static const char scope_characters[] = "abcdefghijklmnopqrstuvwxyz"
				       "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "0123456789._-@";

static int parse_number(const char *text, uint32_t max, uint32_t *number);
static int parse_scope(const char *text, uint32_t *scope);
static int parse_v4(struct sennit_endpoint *endpoint, const char *text);
static int parse_v6(struct sennit_endpoint *endpoint, const char *text);
static void print_scope(uint32_t scope, char text[static IF_NAMESIZE + 1]);
static bool is_scope_name(const char *text);

int sennit_endpoint_parse(struct sennit_endpoint *endpoint, const char *text)
{
	struct sennit_endpoint parsed;
	int error;

	memset(&parsed, 0, sizeof parsed);
	error = text[0] == '[' ? parse_v6(&parsed, text + 1) : parse_v4(&parsed, text);
	if (!error)
		*endpoint = parsed;
	return error;
}

int sennit_endpoint_print(const struct sennit_endpoint *endpoint, char *text, size_t size)
{
	char host[INET6_ADDRSTRLEN], scope[IF_NAMESIZE + 1], whole[SENNIT_ENDPOINT_TEXT];
	unsigned port = sennit_endpoint_port(endpoint);
	size_t length;

	switch (endpoint->address.any.sa_family) {
	case AF_INET:
		inet_ntop(AF_INET, &endpoint->address.v4.sin_addr, host, sizeof host);
		snprintf(whole, sizeof whole, "%s:%u", host, port);
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &endpoint->address.v6.sin6_addr, host, sizeof host);
		print_scope(endpoint->address.v6.sin6_scope_id, scope);
		snprintf(whole, sizeof whole, "[%s%s]:%u", host, scope, port);
		break;
	default:
		snprintf(whole, sizeof whole, "-");
	}
	length = strlen(whole);
	if (length >= size) {
		if (size > 0)
			text[0] = '\0';
		return -ENOSPC;
	}
	memcpy(text, whole, length + 1);
	return 0;
}

size_t sennit_endpoint_size(const struct sennit_endpoint *endpoint)
{
	switch (endpoint->address.any.sa_family) {
	case AF_INET:
		return sizeof endpoint->address.v4;
	case AF_INET6:
		return sizeof endpoint->address.v6;
	default:
		return 0;
	}
}

uint16_t sennit_endpoint_port(const struct sennit_endpoint *endpoint)
{
	switch (endpoint->address.any.sa_family) {
	case AF_INET:
		return ntohs(endpoint->address.v4.sin_port);
	case AF_INET6:
		return ntohs(endpoint->address.v6.sin6_port);
	default:
		return 0;
	}
}

/* Field by field: what lies beside them (sin_zero, the flow label) is no part of an endpoint. */
bool sennit_endpoint_equal(const struct sennit_endpoint *a, const struct sennit_endpoint *b)
{
	if (sennit_endpoint_size(a) != sennit_endpoint_size(b) ||
	    sennit_endpoint_port(a) != sennit_endpoint_port(b))
		return false;
	switch (a->address.any.sa_family) {
	case AF_INET:
		return a->address.v4.sin_addr.s_addr == b->address.v4.sin_addr.s_addr;
	case AF_INET6:
		return a->address.v6.sin6_scope_id == b->address.v6.sin6_scope_id &&
		       IN6_ARE_ADDR_EQUAL(&a->address.v6.sin6_addr, &b->address.v6.sin6_addr);
	default:
		return true;
	}
}

/* "127.0.0.1:80" */
static int parse_v4(struct sennit_endpoint *endpoint, const char *text)
{
	char host[INET_ADDRSTRLEN];
	const char *colon = strchr(text, ':');
	uint32_t port;

	if (!colon || (size_t)(colon - text) >= sizeof host)
		return -EINVAL;
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	if (inet_pton(AF_INET, host, &endpoint->address.v4.sin_addr) != 1 ||
	    parse_number(colon + 1, UINT16_MAX, &port))
		return -EINVAL;
	endpoint->address.v4.sin_family = AF_INET;
	endpoint->address.v4.sin_port = htons((uint16_t)port);
	return 0;
}

/* "fe80::1%eth0]:80" */
static int parse_v6(struct sennit_endpoint *endpoint, const char *text)
{
	char host[HOST_TEXT];
	const char *end = strchr(text, ']');
	char *percent;
	uint32_t port;

	if (!end || (size_t)(end - text) >= sizeof host || end[1] != ':')
		return -EINVAL;
	memcpy(host, text, (size_t)(end - text));
	host[end - text] = '\0';
	percent = strchr(host, '%');
	if (percent) {
		*percent = '\0';
		if (parse_scope(percent + 1, &endpoint->address.v6.sin6_scope_id))
			return -EINVAL;
	}
	if (inet_pton(AF_INET6, host, &endpoint->address.v6.sin6_addr) != 1 ||
	    parse_number(end + 2, UINT16_MAX, &port))
		return -EINVAL;
	endpoint->address.v6.sin6_family = AF_INET6;
	endpoint->address.v6.sin6_port = htons((uint16_t)port);
	return 0;
}

/* A scope is an interface's name or its number; 0 would mean none and is refused. A number need not
 * be that of an interface that exists: the kernel says so when the endpoint is used. */
static int parse_scope(const char *text, uint32_t *scope)
{
	if (!parse_number(text, UINT32_MAX, scope))
		return *scope > 0 ? 0 : -EINVAL;
	*scope = is_scope_name(text) ? if_nametoindex(text) : 0;
	return *scope > 0 ? 0 : -EINVAL;
}

/* A whole text that is a decimal number, written as a number is printed: no leading zero. */
static int parse_number(const char *text, uint32_t max, uint32_t *number)
{
	uint64_t value = 0;
	size_t digits = 0;

	for (; text[digits] >= '0' && text[digits] <= '9'; digits++) {
		value = value * 10 + (uint64_t)(text[digits] - '0');
		if (value > max)
			return -EINVAL;
	}
	if (digits == 0 || text[digits] != '\0' || (text[0] == '0' && digits > 1))
		return -EINVAL;
	*number = (uint32_t)value;
	return 0;
}

/* Whether a text can stand for an interface by name: one that is all digits is a number. */
static bool is_scope_name(const char *text)
{
	size_t length = strlen(text);

	return length < IF_NAMESIZE && strspn(text, scope_characters) == length &&
	       strspn(text, "0123456789") < length;
}

/* "%eth0" where parse reads that as this very scope, else "%3"; "" for no scope. */
static void print_scope(uint32_t scope, char text[static IF_NAMESIZE + 1])
{
	text[0] = '\0';
	if (scope == 0)
		return;
	if (if_indextoname(scope, text + 1) && is_scope_name(text + 1))
		text[0] = '%';
	else
		snprintf(text, IF_NAMESIZE + 1, "%%%u", (unsigned)scope);
}
