/* SPDX-License-Identifier: MIT */
/* trace.c - what a replay prints, and where things are in the source. */
#include "tests/model/explorer/engine.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ACCESSES_MAX 65536

bool trace_on;

static struct access {
	const char *address;
	unsigned size;
	int thread;
	bool write;
	const void *pc;
} accesses[ACCESSES_MAX];
static unsigned access_count;

void trace(const char *format, ...)
{
	va_list arguments;

	printf("%5d %*s%c  ", x.operations, 2 * x.self, "", 'a' + x.self);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

/* The line of the source, without what stands before it. */
static void append_line(char *text, size_t size, const char *file, int line)
{
	char path[512];
	char words[256] = "";
	size_t length = strlen(text);
	FILE *source;

	snprintf(path, sizeof path, "%s%s", file[0] == '/' ? "" : MODEL_SOURCE_ROOT "/", file);
	source = fopen(path, "r");
	if (!source)
		return;
	while (line-- && fgets(words, sizeof words, source))
		;
	fclose(source);
	words[strcspn(words, "\n")] = '\0';
	snprintf(text + length, size - length, "  %s", words + strspn(words, " \t"));
}

const char *trace_site(const struct explorer_site *site)
{
	static char text[512];

	if (!site)
		return "at the start";
	snprintf(text, sizeof text, "%s:%d:", site->file, site->line);
	append_line(text, sizeof text, site->file, site->line);
	return text;
}

/* Only for reports: asks addr2line. */
const char *trace_pc(const void *pc)
{
	static char texts[4][640];
	static unsigned turn;
	char *text = texts[turn++ % 4];
	char program[256] = "";
	char command[384];
	char where[256] = "?";
	char *colon;
	FILE *pipe;

	if (readlink("/proc/self/exe", program, sizeof program - 1) < 0)
		return "?";
	snprintf(command, sizeof command, "addr2line -e '%s' %p", program,
		 (void *)((uintptr_t)pc - 1));
	pipe = popen(command, "r");
	if (pipe) {
		if (!fgets(where, sizeof where, pipe))
			strcpy(where, "?");
		pclose(pipe);
	}
	where[strcspn(where, " \n")] = '\0';
	colon = strrchr(where, ':');
	snprintf(text, sizeof texts[0], "%s", where);
	if (colon) {
		int line = atoi(colon + 1);

		*colon = '\0';
		append_line(text, sizeof texts[0], where, line);
	}
	return text;
}

void trace_access(const void *address, unsigned size, bool write, const void *pc)
{
	accesses[access_count++ % ACCESSES_MAX] =
		(struct access){address, size, x.self, write, pc};
}

void trace_last_access(const void *address)
{
	const char *wanted = address;

	for (unsigned i = 1; i <= access_count && i <= ACCESSES_MAX; i++) {
		const struct access *a = &accesses[(access_count - i) % ACCESSES_MAX];

		if (a->thread != x.self && a->address <= wanted && wanted < a->address + a->size) {
			trace("last %s there by %c: %s", a->write ? "write" : "read",
			      'a' + a->thread, trace_pc(a->pc));
			return;
		}
	}
}

void model_note(const char *format, ...)
{
	char text[256];
	va_list arguments;

	if (!trace_on)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	trace("%s", text);
}
