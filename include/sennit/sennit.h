/* SPDX-License-Identifier: MIT */
/**
 * @file
 * All of sennit.
 */
#ifndef SENNIT_SENNIT_H
#define SENNIT_SENNIT_H

#include <sennit/cancel.h>
#include <sennit/counters.h>
#include <sennit/descriptor.h>
#include <sennit/endpoint.h>
#include <sennit/error.h>
#include <sennit/executor.h>
#include <sennit/future.h>
#include <sennit/op.h>
#include <sennit/runtime.h>
#include <sennit/strand.h>
#include <sennit/stream.h>
#include <sennit/tcp.h>
#include <sennit/timer.h>
#include <sennit/version.h>

#endif
