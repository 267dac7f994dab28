/* SPDX-License-Identifier: MIT */
/* syscalls.h - how often the library made a system call.
 *
 * A program that uses this has io/sys/sys.c in it once more, with a counter before each call, in
 * the place of the library's own: a static library gives no member whose functions are all there
 * already. What the tests themselves do is not counted.
 */
#ifndef SENNIT_TESTS_SYSCALLS_H
#define SENNIT_TESTS_SYSCALLS_H

#include <stdint.h>
#include <sys/syscall.h>

/* Calls with this number since the program began, by all threads. */
uint64_t system_calls(long number);

/* Of all kinds of sending on a socket, of receiving, and of waiting for events. */
uint64_t send_calls(void);
uint64_t receive_calls(void);
uint64_t event_calls(void);

/* From now on the kernel knows none of these RWF_ flags, as far as the library sees. */
void forget_rwf_flags(int flags);

#endif
