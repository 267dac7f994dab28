/* SPDX-License-Identifier: MIT */
/* error.c - what error values are called: errno's from the C library's tables, which it hands out
 * untranslated and with static lifetime, and sennit's own from the table below. */
#include <sennit/error.h>
#include <stddef.h>
#include <string.h>

/* Every errno lies above this, every value of sennit's own below. */
#define ERRNO_END (-4096)

static const struct own_error {
	int value;
	const char *name;
	const char *text;
} own_errors[] = {
	{ SENNIT_EOF, "SENNIT_EOF", "end of file" },
	{ SENNIT_TRUNCATED, "SENNIT_TRUNCATED", "stream truncated" },
	{ SENNIT_SHUTDOWN, "SENNIT_SHUTDOWN", "runtime destroyed" },
	{ SENNIT_ALREADY_OPEN, "SENNIT_ALREADY_OPEN", "already open" },
	{ SENNIT_TLS_FAILED, "SENNIT_TLS_FAILED", "TLS failed" },
	{ SENNIT_TLS_UNTRUSTED, "SENNIT_TLS_UNTRUSTED", "certificate not trusted" },
};

static const struct own_error *find_own_error(int error);

const char *sennit_strerror(int error)
{
	const struct own_error *own = find_own_error(error);
	const char *text = NULL;

	if (own)
		return own->text;
	if (error <= 0 && error > ERRNO_END)
		text = strerrordesc_np(-error);
	return text ? text : "unknown error";
}

const char *sennit_error_name(int error)
{
	const struct own_error *own = find_own_error(error);
	const char *name = NULL;

	if (own)
		return own->name;
	if (error == 0)
		return "0";
	if (error < 0 && error > ERRNO_END)
		name = strerrorname_np(-error);
	return name ? name : "?";
}

static const struct own_error *find_own_error(int error)
{
	for (size_t i = 0; i < sizeof own_errors / sizeof own_errors[0]; i++) {
		if (own_errors[i].value == error)
			return &own_errors[i];
	}
	return NULL;
}
