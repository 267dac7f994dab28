/* SPDX-License-Identifier: MIT */
/* misuse.h - the three tiers of asserts.
 *
 *   sennit__misuse      what the caller of the API did wrong: in every build, one sentence, abort.
 *   SENNIT__ASSERT      what must hold inside the library: in debug and sanitizer builds.
 *   *_validate          whole structures: functions that tests call.
 */
#ifndef SENNIT_RUNTIME_BASE_MISUSE_H
#define SENNIT_RUNTIME_BASE_MISUSE_H

/* Prints "sennit: CALL: SENTENCE" to stderr and aborts. */
_Noreturn void sennit__misuse(const char *call, const char *sentence);

_Noreturn void sennit__assert_failed(const char *file, int line, const char *text);

#ifdef SENNIT_DEBUG
#define SENNIT__ASSERT(x) ((x) ? (void)0 : sennit__assert_failed(__FILE__, __LINE__, #x))
#else
#define SENNIT__ASSERT(x) ((void)0)
#endif

#define SENNIT__LIKELY(x) __builtin_expect(!!(x), 1)
#define SENNIT__UNLIKELY(x) __builtin_expect(!!(x), 0)

#endif
