/* SPDX-License-Identifier: MIT */
/* syscalls.h - how often the library made a system call.
 *
 * A program that uses this has a `syscall` function of its own, which counts and goes on to the C
 * library's: so it sees what the library under test does by syscall(2), which is all of its I/O,
 * and nothing of what the tests themselves do by the C library's wrappers.
 */
#ifndef SENNIT_TESTS_SYSCALLS_H
#define SENNIT_TESTS_SYSCALLS_H

#include <stdint.h>
#include <sys/syscall.h>

/* Calls with this number since the program began, by all threads. */
uint64_t system_calls(long number);

/* Of all kinds of read, of write (sockets': send), and of waiting. */
uint64_t read_calls(void);
uint64_t write_calls(void);
uint64_t send_calls(void);
uint64_t wait_calls_made(void);

#endif
