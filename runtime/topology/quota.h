/* SPDX-License-Identifier: MIT */
/* quota.h - how many CPUs the control groups of this process let it use at once.
 *
 * Version 2's cpu.max and version 1's cpu.cfs_quota_us are looked at, whichever is mounted, in the
 * process's own group and in every one above it that can be seen; the least counts. What cannot be
 * read or understood limits nothing.
 */
#ifndef SENNIT_RUNTIME_TOPOLOGY_QUOTA_H
#define SENNIT_RUNTIME_TOPOLOGY_QUOTA_H

/* CPUs, rounded up and at least 1, or 0 where there is no limit. `root` is "", or a folder that
 * stands for the file system's root. Allocates nothing that it keeps; reads files. */
unsigned sennit__quota_read(const char *root);

#endif
