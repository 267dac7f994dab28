/* SPDX-License-Identifier: MIT */
/**
 * @file
 * The version, as the compiler sees it and as the loaded library tells it. The build takes its own
 * from the three numbers here.
 */
#ifndef SENNIT_VERSION_H
#define SENNIT_VERSION_H

#ifdef __cplusplus
extern "C" {
#endif

/** Grows with incompatible changes, once it is no longer 0. */
#define SENNIT_VERSION_MAJOR 0
/** Grows with new features; while the major version is 0, also with incompatible changes. */
#define SENNIT_VERSION_MINOR 1
/** Grows with repairs. */
#define SENNIT_VERSION_PATCH 0

#define SENNIT__VERSION_TEXT(number) #number
#define SENNIT__VERSION_JOIN(major, minor, patch) \
	SENNIT__VERSION_TEXT(major) "." SENNIT__VERSION_TEXT(minor) "." SENNIT__VERSION_TEXT(patch)

/** The version of these headers as a string, such as "0.1.0". */
#define SENNIT_VERSION \
	SENNIT__VERSION_JOIN(SENNIT_VERSION_MAJOR, SENNIT_VERSION_MINOR, SENNIT_VERSION_PATCH)

/**
 * The version of the library that the program runs with, in the form of SENNIT_VERSION: the two
 * differ where the shared library is another than the one compiled against.
 * @return a string that is never freed.
 * @thread any. Neither blocks nor allocates. Since 0.1.0.
 */
const char *sennit_version(void);

#ifdef __cplusplus
}
#endif

#endif
