/* SPDX-License-Identifier: MIT */
/* misuse.c - see misuse.h. stdio is avoided: the process may be in any state. */
#include "runtime/base/misuse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static struct iovec part(const char *text)
{
	struct iovec v = {.iov_base = (void *)(size_t)text, .iov_len = strlen(text)};

	return v;
}

void sennit__misuse(const char *call, const char *sentence)
{
	struct iovec line[] = {part("sennit: "), part(call), part(": "), part(sentence),
			       part("\n")};
	ssize_t ignored = writev(STDERR_FILENO, line, sizeof line / sizeof *line);

	(void)ignored;
	abort();
}

void sennit__assert_failed(const char *file, int line, const char *text)
{
	char number[16];

	snprintf(number, sizeof number, ":%d", line);
	struct iovec parts[] = {part("sennit: internal assertion failed, "), part(file),
				part(number), part(": "), part(text), part("\n")};
	ssize_t ignored = writev(STDERR_FILENO, parts, sizeof parts / sizeof *parts);

	(void)ignored;
	abort();
}
