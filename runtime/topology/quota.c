/* SPDX-License-Identifier: MIT */
/* quota.c - see quota.h.
 *
 * /proc/self/cgroup names the process's group in each hierarchy, /proc/self/mountinfo where the
 * hierarchies are mounted, and which group each mount begins with: a container often sees its own
 * as the topmost. A group that lies above or beside what is mounted (the name then begins with
 * "/..", or not with the mount's) is taken to be the mount's first. All is bounded: lines of 4 KiB,
 * longer ones are skipped, 65,536 of them a file.
 */
#include "runtime/topology/quota.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define LINE 4096
#define PATH (2 * LINE + 64) /* of a mount and of a group below it; the system then says no */
#define LINES_MAX 65536

enum { V1, V2, VERSIONS };

/* What is known of the process's groups. */
struct groups {
	const char *root;
	char name[VERSIONS][LINE]; /* "" where the process is in none */
	unsigned cpus;             /* the least limit so far, 0: none */
};

/* The next line that fits, without its newline; NULL at the end of what is looked at. */
static char *next_line(FILE *file, char *line, unsigned *lines)
{
	while (++*lines <= LINES_MAX && fgets(line, LINE, file)) {
		size_t length = strcspn(line, "\n");
		int c = line[length];

		line[length] = '\0';
		if (c == '\n' || feof(file))
			return line;
		while ((c = getc(file)) != '\n' && c != EOF)
			if (++*lines > LINES_MAX * 16) /* one without end */
				return NULL;
	}
	return NULL;
}

static FILE *open_below(const struct groups *groups, const char *path)
{
	char name[PATH];
	int length = snprintf(name, sizeof name, "%s%s", groups->root, path);

	return length >= 0 && (size_t)length < sizeof name ? fopen(name, "re") : NULL;
}

/* Whether a list separated by commas has the word. */
static bool lists(const char *list, const char *word)
{
	size_t length = strlen(word);

	for (; list; list = strchr(list, ',')) {
		list += *list == ',';
		if (!strncmp(list, word, length) && (list[length] == ',' || !list[length]))
			return true;
		if (!*list)
			break;
	}
	return false;
}

/* --- limits ----------------------------------------------------------------------------------- */

/* Reads digits at *text, which then is behind them; false where there are none or too many. */
static bool read_number(const char **text, uint64_t *number)
{
	const char *at = *text;

	for (*number = 0; *at >= '0' && *at <= '9'; at++) {
		uint64_t digit = (uint64_t)(*at - '0');

		if (*number > (UINT64_MAX - digit) / 10)
			return false;
		*number = *number * 10 + digit;
	}
	if (at == *text)
		return false;
	*text = at;
	return true;
}

/* Where a number ends that nothing follows. */
static bool at_end(const char *text)
{
	return text[strspn(text, " \t\r")] == '\0';
}

static void limit(struct groups *groups, uint64_t quota_us, uint64_t period_us)
{
	uint64_t cpus;

	if (!period_us)
		return;
	cpus = quota_us / period_us + (quota_us % period_us != 0);
	if (cpus == 0)
		cpus = 1;
	if (cpus <= UINT_MAX && (!groups->cpus || cpus < groups->cpus))
		groups->cpus = (unsigned)cpus;
}

/* The first line of a file in a group's folder; false where there is none. */
static bool read_entry(const struct groups *groups, const char *folder, const char *entry,
		       char *line)
{
	char path[PATH];
	int length = snprintf(path, sizeof path, "%s/%s", folder, entry);
	unsigned lines = 0;
	FILE *file;
	bool found;

	if (length < 0 || (size_t)length >= sizeof path)
		return false;
	file = open_below(groups, path);
	if (!file)
		return false;
	found = next_line(file, line, &lines);
	fclose(file);
	return found;
}

static void look_at_group(struct groups *groups, int version, const char *folder)
{
	char line[LINE];
	const char *at = line;
	uint64_t quota;
	uint64_t period;

	if (version == V2) { /* "QUOTA PERIOD"; without a limit QUOTA is "max" */
		if (read_entry(groups, folder, "cpu.max", line) && read_number(&at, &quota) &&
		    *at++ == ' ' && read_number(&at, &period) && at_end(at))
			limit(groups, quota, period);
		return;
	}
	/* without a limit the quota is -1 */
	if (!read_entry(groups, folder, "cpu.cfs_quota_us", line) || !read_number(&at, &quota) ||
	    !at_end(at))
		return;
	at = line;
	if (read_entry(groups, folder, "cpu.cfs_period_us", line) && read_number(&at, &period) &&
	    at_end(at))
		limit(groups, quota, period);
}

/* --- where the groups are --------------------------------------------------------------------- */

/* Takes a line "NUMBER:CONTROLLERS:NAME". */
static void take_group(struct groups *groups, char *line)
{
	char *controllers = strchr(line, ':');
	char *name = controllers ? strchr(controllers + 1, ':') : NULL;
	int version;

	if (!name)
		return;
	*name++ = '\0';
	controllers++;
	if (!*controllers)
		version = V2;
	else if (lists(controllers, "cpu"))
		version = V1;
	else
		return;
	if (*name == '/' && !*groups->name[version])
		memcpy(groups->name[version], name, strlen(name) + 1);
}

/* Undoes the octal escapes of mountinfo in place. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *at = text; *at; at++) {
		if (at[0] == '\\' && at[1] >= '0' && at[1] <= '3' && at[2] >= '0' && at[2] <= '7' &&
		    at[3] >= '0' && at[3] <= '7') {
			*to++ = (char)((at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0'));
			at += 3;
		} else {
			*to++ = *at;
		}
	}
	*to = '\0';
}

/* Where group `name` is below a mount that begins with group `top`: "" where it is not. */
static const char *below(const char *name, const char *top)
{
	size_t length = strlen(top);

	if (strstr(name, "/../") || (strlen(name) >= 3 && !strcmp(name + strlen(name) - 3, "/..")))
		return "";
	if (length && top[length - 1] == '/')
		length--;
	if (strncmp(name, top, length) || (name[length] && name[length] != '/'))
		return "";
	return !strcmp(name + length, "/") ? "" : name + length;
}

/* Looks at the process's group below a mount and at all between, the mount's first included. */
static void look_at_mount(struct groups *groups, int version, const char *top, const char *point)
{
	char folder[PATH];
	size_t shortest = strlen(point);
	int length = snprintf(folder, sizeof folder, "%s%s", point,
			      below(groups->name[version], top));

	if (length < 0 || (size_t)length >= sizeof folder)
		return;
	for (;;) {
		char *slash;

		look_at_group(groups, version, folder);
		if (strlen(folder) <= shortest)
			break;
		slash = strrchr(folder, '/');
		if (!slash || (size_t)(slash - folder) < shortest)
			break;
		*slash = '\0';
	}
}

/* Takes a line "ID PARENT DEVICE TOP POINT OPTIONS [FIELDS] - TYPE SOURCE OPTIONS". */
static void take_mount(struct groups *groups, char *line)
{
	char *field[5];
	char *rest = strstr(line, " - ");
	char *type;
	char *options = NULL;
	char *at = line;

	if (!rest)
		return;
	*rest = '\0';
	for (int i = 0; i < 5; i++)
		if (!(field[i] = strsep(&at, " ")))
			return;
	rest += 3;
	type = strsep(&rest, " ");
	if (rest && strsep(&rest, " "))
		options = rest;
	unescape(field[3]);
	unescape(field[4]);
	if (!strcmp(type, "cgroup2") && *groups->name[V2])
		look_at_mount(groups, V2, field[3], field[4]);
	else if (!strcmp(type, "cgroup") && *groups->name[V1] && lists(options, "cpu"))
		look_at_mount(groups, V1, field[3], field[4]);
}

static void each_line(struct groups *groups, const char *path,
		      void (*take)(struct groups *groups, char *line))
{
	FILE *file = open_below(groups, path);
	char line[LINE];
	unsigned lines = 0;

	if (!file)
		return;
	while (next_line(file, line, &lines))
		take(groups, line);
	fclose(file);
}

unsigned sennit__quota_read(const char *root)
{
	struct groups groups = {.root = root};

	each_line(&groups, "/proc/self/cgroup", take_group);
	each_line(&groups, "/proc/self/mountinfo", take_mount);
	return groups.cpus;
}
