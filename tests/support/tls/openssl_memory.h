/* SPDX-License-Identifier: MIT */
/* openssl_memory.h - OpenSSL's own memory: how much it holds, what is in what it gives back, and
 * how it does without. Works under the sanitizers, too. */
#ifndef SENNIT_TESTS_OPENSSL_MEMORY_H
#define SENNIT_TESTS_OPENSSL_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A block as large as a record. */
#define OPENSSL_LARGE 8192

/* Before anything else of OpenSSL is called: at the beginning of main. False where it is too late.
 */
bool watch_openssl_memory(void);

/* Bytes and blocks that it holds now, and blocks of OPENSSL_LARGE and more. */
size_t openssl_bytes(void);
size_t openssl_blocks(void);
size_t openssl_large_blocks(void);

/* Lets that many calls for memory succeed, by any thread, and has all later ones fail, or just one
 * of them; UINT64_MAX: none fails. */
void openssl_fail_after(uint64_t calls, bool just_one);

/* Whether a call failed since. */
bool openssl_has_failed(void);

/* Has it look for so many bytes in what OpenSSL gives back; how often they were there. Not while
 * another thread is in OpenSSL. */
void openssl_search(const void *bytes, size_t size);
size_t openssl_found(void);

#endif
