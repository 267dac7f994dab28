/* SPDX-License-Identifier: MIT */
/* quota.c - any control groups, mounts and limits give a quota that is one of the limits, or none.
 * The input: /proc/self/cgroup, a 0 byte, /proc/self/mountinfo, a 0 byte, and what each file with a
 * limit then holds; those lie in /cg and in /cg/a.
 */
#include "runtime/topology/quota.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const folders[] = { "/proc", "/proc/self", "/cg", "/cg/a" };
static const char *const files[] = { "/proc/self/cgroup",       "/proc/self/mountinfo",
	                             "/cg/cpu.max",             "/cg/a/cpu.max",
	                             "/cg/cpu.cfs_quota_us",    "/cg/cpu.cfs_period_us",
	                             "/cg/a/cpu.cfs_quota_us",  "/cg/a/cpu.cfs_period_us" };
enum { FOLDERS = sizeof folders / sizeof *folders, FILES = sizeof files / sizeof *files };

static char root[64];

static void expect(bool holds)
{
	if (!holds)
		abort();
}

static const char *below(const char *path)
{
	static char full[128];

	snprintf(full, sizeof full, "%s%s", root, path);
	return full;
}

static void begin(void)
{
	const char *folder = getenv("TMPDIR");

	snprintf(root, sizeof root, "%s/quota.XXXXXX", folder ? folder : "/tmp");
	expect(mkdtemp(root) != NULL);
	for (unsigned i = 0; i < FOLDERS; i++)
		expect(!mkdir(below(folders[i]), 0700));
}

static void end(void)
{
	for (unsigned i = 0; i < FILES; i++)
		unlink(below(files[i]));
	for (unsigned i = FOLDERS; i > 0; i--)
		rmdir(below(folders[i - 1]));
	rmdir(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	begin();
	for (unsigned i = 0; i < FILES; i++) {
		const uint8_t *zero = i < 2 && size ? memchr(data, 0, size) : NULL;
		size_t part = zero ? (size_t)(zero - data) : size;
		FILE *file = fopen(below(files[i]), "w");

		expect(file != NULL);
		if (part)
			expect(fwrite(data, 1, part, file) == part);
		fclose(file);
		if (zero) {
			data = zero + 1;
			size -= part + 1;
		}
	}
	sennit__quota_read(root);
	end();
	return 0;
}
