/* SPDX-License-Identifier: MIT */
/* futex.h - where a thread that is not a worker blocks: join, destroy, dump.
 *
 * Callers     wait: a foreign thread. wake: any.
 * Progress    wait: blocks while the word holds `value`; may return for no reason, and does so
 *             after `timeout_ms` where that is not negative. wake: wait-free.
 */
#ifndef SENNIT_RUNTIME_BASE_FUTEX_H
#define SENNIT_RUNTIME_BASE_FUTEX_H

#include "runtime/base/atomic.h"

void sennit__futex_wait(struct sennit__atomic_u32 *word, uint32_t value, int timeout_ms);
void sennit__futex_wake_all(struct sennit__atomic_u32 *word);

#endif
