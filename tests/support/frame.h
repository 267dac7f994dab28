/* SPDX-License-Identifier: MIT */
/* frame.h - what the support files know of the watchdog. */
#ifndef SENNIT_TESTS_FRAME_H
#define SENNIT_TESTS_FRAME_H

#include "support.h"

/* On the main thread. */
void watchdog_start(void);
void watchdog_stop(void);

#endif
