/* SPDX-License-Identifier: MIT */
/* quota.c - the CPU quota of control groups, in trees made here: both versions, groups above,
 * containers that see only a part, and trees that no kernel would make.
 */
#include "support.h"

#include "runtime/topology/quota.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define V2_MOUNT "35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n"
#define V1_MOUNT "36 24 0:31 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
#define UNLIMITED 0

static char root[64];

/* --- trees ------------------------------------------------------------------------------------ */

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
	(void)status;
	(void)kind;
	(void)walk;
	return remove(path);
}

static void remove_tree(void)
{
	if (*root)
		nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	*root = '\0';
}

/* Begins a tree without a file. */
static void begin_tree(void)
{
	const char *folder = getenv("TMPDIR");

	remove_tree();
	snprintf(root, sizeof root, "%s/quota.XXXXXX", folder ? folder : "/tmp");
	assert_non_null(mkdtemp(root));
}

/* The path in the tree, whose folders are made. */
static const char *path_of(const char *path)
{
	static char full[PATH_MAX];

	snprintf(full, sizeof full, "%s%s", root, path);
	for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		assert_true(!mkdir(full, 0700) || errno == EEXIST);
		*slash = '/';
	}
	return full;
}

static void put_bytes(const char *path, const void *bytes, size_t size)
{
	FILE *file = fopen(path_of(path), "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static void put(const char *path, const char *text)
{
	put_bytes(path, text, strlen(text));
}

/* A tree with what the kernel tells of the process. */
static void begin(const char *groups, const char *mounts)
{
	begin_tree();
	put("/proc/self/cgroup", groups);
	put("/proc/self/mountinfo", mounts);
}

static void assert_quota(unsigned cpus)
{
	assert_int_equal(sennit__quota_read(root), cpus);
}

static int end_tree(void **state)
{
	(void)state;
	remove_tree();
	return 0;
}

/* --- version 2 -------------------------------------------------------------------------------- */

static void the_quota_of_the_own_group_is_rounded_up(void **state)
{
	static const struct {
		const char *text;
		unsigned cpus;
	} cases[] = {
		{ "200000 100000\n", 2 },     { "200001 100000\n", 3 },  { "150000 100000\n", 2 },
		{ "1000 100000\n", 1 },       { "0 100000\n", 1 },       { "100000 100000", 1 },
		{ "6400000 50000\n", 128 },   { "max 100000\n", 0 },     { "max\n", 0 },
		{ "400000 100000 \r\n", 4 }, { "100000 1000000\n", 1 },
	};

	(void)state;
	begin("0::/app\n", V2_MOUNT);
	assert_quota(UNLIMITED);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		put("/sys/fs/cgroup/app/cpu.max", cases[i].text);
		assert_quota(cases[i].cpus);
	}
}

static void the_least_of_all_groups_above_counts(void **state)
{
	(void)state;
	begin("0::/a/b/c\n", V2_MOUNT);
	put("/sys/fs/cgroup/a/b/c/cpu.max", "800000 100000\n");
	assert_quota(8);
	put("/sys/fs/cgroup/a/cpu.max", "250000 100000\n");
	assert_quota(3);
	put("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
	assert_quota(3);
	put("/sys/fs/cgroup/a/b/cpu.max", "20000 20000\n");
	assert_quota(1);
	put("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
	put("/sys/fs/cgroup/cpu.max", "200000 100000\n");
	assert_quota(2);
	/* beside, below and above: not ours */
	put("/sys/fs/cgroup/a/b/c/d/cpu.max", "100000 100000\n");
	put("/sys/fs/cgroup/b/cpu.max", "100000 100000\n");
	put("/sys/fs/cpu.max", "100000 100000\n");
	put("/cpu.max", "100000 100000\n");
	assert_quota(2);
}

static void a_container_sees_its_own_group_as_the_topmost(void **state)
{
	(void)state;
	/* its own namespace */
	begin("0::/\n", V2_MOUNT);
	put("/sys/fs/cgroup/cpu.max", "300000 100000\n");
	assert_quota(3);
	/* the name is the host's, what is mounted begins with it */
	begin("0::/docker/abc\n", "35 24 0:30 /docker/abc /sys/fs/cgroup ro - cgroup2 c rw\n");
	put("/sys/fs/cgroup/cpu.max", "500000 100000\n");
	put("/sys/fs/cgroup/docker/abc/cpu.max", "100000 100000\n");
	assert_quota(5);
	begin("0::/docker/abc/x\n", "35 24 0:30 /docker/abc /sys/fs/cgroup ro - cgroup2 c rw\n");
	put("/sys/fs/cgroup/x/cpu.max", "600000 100000\n");
	assert_quota(6);
	/* a name that only begins like the mount's is another's */
	begin("0::/docker/abcd\n", "35 24 0:30 /docker/abc /sys/fs/cgroup ro - cgroup2 c rw\n");
	put("/sys/fs/cgroup/cpu.max", "700000 100000\n");
	put("/sys/fs/cgroup/d/cpu.max", "100000 100000\n");
	assert_quota(7);
	/* the process was moved out of what is mounted */
	begin("0::/../../other\n", V2_MOUNT);
	put("/sys/fs/cgroup/cpu.max", "400000 100000\n");
	put("/sys/fs/cpu.max", "100000 100000\n");
	put("/other/cpu.max", "100000 100000\n");
	assert_quota(4);
	begin("0::/a/..\n", V2_MOUNT);
	put("/sys/fs/cgroup/cpu.max", "400000 100000\n");
	put("/sys/fs/cpu.max", "100000 100000\n");
	assert_quota(4);
}

/* --- version 1, and both ---------------------------------------------------------------------- */

static void the_older_version_has_quota_and_period_in_two_files(void **state)
{
	(void)state;
	begin("5:memory:/m\n4:cpu,cpuacct:/app/one\n3:cpuset:/s\n", V1_MOUNT);
	put("/sys/fs/cgroup/cpu,cpuacct/app/one/cpu.cfs_period_us", "100000\n");
	assert_quota(UNLIMITED);
	put("/sys/fs/cgroup/cpu,cpuacct/app/one/cpu.cfs_quota_us", "-1\n");
	assert_quota(UNLIMITED);
	put("/sys/fs/cgroup/cpu,cpuacct/app/one/cpu.cfs_quota_us", "310000\n");
	assert_quota(4);
	put("/sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_quota_us", "100000\n");
	assert_quota(4);
	put("/sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_period_us", "50000\n");
	assert_quota(2);
	put("/sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_period_us", "0\n");
	assert_quota(4);
}

static void the_least_of_both_versions_counts(void **state)
{
	(void)state;
	begin("3:cpuset,cpu:/one\n0::/two\n",
	      "36 24 0:31 / /cg/cpu rw - cgroup none rw,cpuset,cpu\n"
	      "37 24 0:32 / /cg/unified rw - cgroup2 none rw\n");
	put("/cg/cpu/one/cpu.cfs_quota_us", "500000\n");
	put("/cg/cpu/one/cpu.cfs_period_us", "100000\n");
	put("/cg/unified/two/cpu.max", "600000 100000\n");
	put("/cg/unified/one/cpu.max", "100000 100000\n");
	assert_quota(5);
	put("/cg/unified/two/cpu.max", "400000 100000\n");
	assert_quota(4);
}

static void controllers_are_known_by_their_whole_name(void **state)
{
	static const char *const others[] = { "cpuset", "cpuacct", "xcpu", "cpu2", "name=cpu", "" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		char line[64];

		snprintf(line, sizeof line, "36 24 0:31 / /cg rw - cgroup none rw,%s\n", others[i]);
		begin("3:cpu:/\n", line);
		put("/cg/cpu.cfs_quota_us", "100000\n");
		put("/cg/cpu.cfs_period_us", "100000\n");
		assert_quota(UNLIMITED);
		snprintf(line, sizeof line, "3:%s:/\n", *others[i] ? others[i] : "pids");
		begin(line, "36 24 0:31 / /cg rw - cgroup none rw,cpu\n");
		put("/cg/cpu.cfs_quota_us", "100000\n");
		put("/cg/cpu.cfs_period_us", "100000\n");
		assert_quota(UNLIMITED);
	}
}

static void a_mount_point_may_have_blanks(void **state)
{
	(void)state;
	begin("0::/a b\n", "35 24 0:30 / /my\\040groups\\134 rw - cgroup2 c rw\n");
	put("/my groups\\/a b/cpu.max", "200000 100000\n");
	assert_quota(2);
	/* the whole file system is the mount */
	begin("0::/a\n", "35 24 0:30 / / rw - cgroup2 c rw\n");
	put("/a/cpu.max", "200000 100000\n");
	assert_quota(2);
	put("/cpu.max", "100000 100000\n");
	assert_quota(1);
}

/* --- what no kernel would tell ---------------------------------------------------------------- */

static void what_is_missing_limits_nothing(void **state)
{
	(void)state;
	begin_tree();
	assert_quota(UNLIMITED);
	put("/proc/self/cgroup", "0::/a\n");
	put("/sys/fs/cgroup/a/cpu.max", "100000 100000\n");
	assert_quota(UNLIMITED);
	put("/proc/self/mountinfo", "");
	assert_quota(UNLIMITED);
	begin("", V2_MOUNT V1_MOUNT);
	put("/sys/fs/cgroup/cpu.max", "100000 100000\n");
	assert_quota(UNLIMITED);
	/* a folder where a file should be */
	begin("0::/a\n", V2_MOUNT);
	put("/sys/fs/cgroup/a/cpu.max/x", "");
	assert_quota(UNLIMITED);
	strcat(root, "/nowhere");
	assert_int_equal(sennit__quota_read(root), UNLIMITED);
	*strrchr(root, '/') = '\0';
}

static void a_limit_that_is_no_limit_is_none(void **state)
{
	static const char *const texts[] = {
		"", "\n", " \n", "100000\n", "100000 \n", " 100000 100000\n", "100000  100000\n",
		"100000 max\n", "max max\n", "-1 100000\n", "100000 -1\n", "100000 0\n", "0 0\n",
		"1e5 100000\n", "0x10 1\n", "100000 100000x\n", "100000\t100000\n", "+1 1\n",
		"18446744073709551616 1\n", "1 18446744073709551616\n",
		"99999999999999999999999999999999999999999999 100000\n",
		"18446744073709551615 1\n", "4294967296 1\n", "\xff\xfe\n",
	};

	(void)state;
	begin("0::/a\n3:cpu:/a\n", V2_MOUNT V1_MOUNT);
	put("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "1\n");
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		put("/sys/fs/cgroup/a/cpu.max", texts[i]);
		if (texts[i][strspn(texts[i], "0123456789 \n")])
			put("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", texts[i]);
		assert_quota(UNLIMITED);
	}
	put("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "1\n");
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		if (!texts[i][strspn(texts[i], "0123456789 \n")])
			continue;
		put("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", texts[i]);
		assert_quota(UNLIMITED);
	}
	unlink(path_of("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us"));
	/* the largest that are limits */
	put("/sys/fs/cgroup/a/cpu.max", "4294967295 1\n");
	assert_quota(UINT_MAX);
	put("/sys/fs/cgroup/a/cpu.max", "18446744073709551615 18446744073709551615\n");
	assert_quota(1);
	put("/sys/fs/cgroup/a/cpu.max", "1 18446744073709551615\n");
	assert_quota(1);
}

static void links_that_lead_in_a_circle_limit_nothing(void **state)
{
	(void)state;
	begin("0::/a/b\n", V2_MOUNT);
	put("/sys/fs/cgroup/cpu.max", "300000 100000\n");
	assert_int_equal(symlink("b", path_of("/sys/fs/cgroup/a")), 0);
	assert_int_equal(symlink("a", path_of("/sys/fs/cgroup/b")), 0);
	assert_quota(3);
	assert_int_equal(unlink(path_of("/sys/fs/cgroup/a")), 0);
	assert_int_equal(symlink(".", path_of("/sys/fs/cgroup/a")), 0);
	assert_int_equal(unlink(path_of("/sys/fs/cgroup/b")), 0);
	assert_int_equal(symlink(".", path_of("/sys/fs/cgroup/b")), 0);
	assert_quota(3);
}

static void lines_that_make_no_sense_are_passed_over(void **state)
{
	(void)state;
	begin(":\n::\n:::\n0\n0:\n0:/a\n::a\n0::\n0::relative\n\n0::/a\n0::/b\n",
	      "\n-\n - \n - cgroup2\n1 2 3 - cgroup2 c rw\n1 2 3 / - cgroup2 c rw\n"
	      "1 2 3 4 5 6 -\n1 2 3 / /x rw - cgroup\n1 2 3 / /x rw - cgroup none\n" V2_MOUNT);
	put("/sys/fs/cgroup/a/cpu.max", "200000 100000\n");
	put("/sys/fs/cgroup/b/cpu.max", "100000 100000\n");
	assert_quota(2);
}

static void a_line_that_is_too_long_is_passed_over(void **state)
{
	enum { SIZE = 100000 };
	char *text = test_malloc(SIZE + 64);

	(void)state;
	for (size_t size = 4080; size < 4110; size++) {
		memset(text, 'x', size);
		memcpy(text, "0::/", 4);
		memcpy(text + size, "\n0::/a\n", 8);
		begin(text, V2_MOUNT);
		put("/sys/fs/cgroup/cpu.max", "300000 100000\n");
		put("/sys/fs/cgroup/a/cpu.max", "200000 100000\n");
		/* one that fits names a group without a limit of its own */
		assert_quota(size < 4095 ? 3 : 2);
		progress();
	}
	memset(text, 'x', SIZE);
	memcpy(text + SIZE, "\n", 2);
	begin("0::/\n", text);
	put("/sys/fs/cgroup/cpu.max", "300000 100000\n");
	assert_quota(UNLIMITED);
	test_free(text);
}

static void a_file_without_end_is_left(void **state)
{
	(void)state;
	begin("0::/\n", V2_MOUNT);
	assert_int_equal(symlink("/dev/zero", path_of("/sys/fs/cgroup/cpu.max")), 0);
	assert_quota(UNLIMITED);
	assert_int_equal(unlink(path_of("/proc/self/mountinfo")), 0);
	assert_int_equal(symlink("/dev/zero", path_of("/proc/self/mountinfo")), 0);
	assert_quota(UNLIMITED);
	assert_int_equal(unlink(path_of("/proc/self/cgroup")), 0);
	assert_int_equal(symlink("/dev/zero", path_of("/proc/self/cgroup")), 0);
	assert_quota(UNLIMITED);
}

static void any_bytes_give_a_sane_answer(void **state)
{
	static const char words[][24] = { "cgroup2", "cgroup", "cpu", "/", "/a", "..", " - ", ":",
		                          "0::/a\n", ",", "\\040", "max", "100000 ", "\n", "-1",
		                          "/sys/fs/cgroup", "1 2 3 / /sys/fs/cgroup ", "rw" };
	unsigned seed = 4711;
	char text[2048];

	(void)state;
	for (unsigned round = 0; round < 300 * scale(); round++) {
		static const char *const paths[] = { "/proc/self/cgroup", "/proc/self/mountinfo",
			                             "/sys/fs/cgroup/a/cpu.max",
			                             "/sys/fs/cgroup/cpu.max" };

		if (round % 100 == 0)
			begin("0::/a\n", V2_MOUNT);
		for (size_t i = 0; i < COUNT_OF(paths); i++) {
			size_t used = 0;

			while (used + sizeof *words < sizeof text && rand_r(&seed) % 40) {
				const char *word = words[(size_t)rand_r(&seed) % COUNT_OF(words)];

				if (rand_r(&seed) % 8 == 0) {
					text[used++] = (char)rand_r(&seed);
				} else {
					memcpy(text + used, word, strlen(word));
					used += strlen(word);
				}
			}
			if (rand_r(&seed) % 4)
				put_bytes(paths[i], text, used);
		}
		sennit__quota_read(root);
	}
}

static void this_machine_has_an_answer(void **state)
{
	(void)state;
	assert_in_range(sennit__quota_read(""), 0, 1000000);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(the_quota_of_the_own_group_is_rounded_up),
		TEST(the_least_of_all_groups_above_counts),
		TEST(a_container_sees_its_own_group_as_the_topmost),
		TEST(the_older_version_has_quota_and_period_in_two_files),
		TEST(the_least_of_both_versions_counts),
		TEST(controllers_are_known_by_their_whole_name),
		TEST(a_mount_point_may_have_blanks),
		TEST(what_is_missing_limits_nothing),
		TEST(a_limit_that_is_no_limit_is_none),
		TEST(links_that_lead_in_a_circle_limit_nothing),
		TEST(lines_that_make_no_sense_are_passed_over),
		TEST(a_line_that_is_too_long_is_passed_over),
		TEST(a_file_without_end_is_left),
		TEST(any_bytes_give_a_sane_answer),
		TEST(this_machine_has_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, end_tree);
}
