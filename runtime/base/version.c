/* SPDX-License-Identifier: MIT */
/* version.c - the version of the library itself, compiled into it. */
#include <sennit/version.h>

const char *sennit_version(void)
{
	return SENNIT_VERSION;
}
