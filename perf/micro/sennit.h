/* SPDX-License-Identifier: MIT */
/* sennit.h - what the benchmarks of sennit-micro share: their runtime, their producers. */
#ifndef SENNIT_PERF_MICRO_SENNIT_H
#define SENNIT_PERF_MICRO_SENNIT_H

#include "perf/micro/micro.h"

#include <sennit/sennit.h>

/* One function for each benchmark, in the file of its subject. */
micro_function micro_post_local, micro_post_remote, micro_post_wake, micro_pingpong, micro_steal;
micro_function micro_write_gather, micro_socketpair_echo;

/* A runtime of run->workers workers: one is driven by the caller, more are started. */
struct sennit_runtime *micro_open(struct micro_run *run);

/* The same, with its own threads in any case. */
struct sennit_runtime *micro_open_started(struct micro_run *run);

/* Runs what was given to the runtime until no work is left, and takes the time; destroys it. Adds
 * the number of handlers that ran, where the caller drove. */
void micro_close(struct micro_run *run, struct sennit_runtime *runtime);

/* Ends the program where `error` is one. */
void micro_check(int error, const char *what);

/* Calls that send, made by the calling thread inside the library. */
extern _Thread_local uint64_t micro_sends;

/* --- producers: foreign threads that post, each its share, never more than a window ahead ----- */

struct micro_producer;

/* Runs run->operations handlers, posted by run->parameter threads; producer i posts to
 * executors[i % count]. */
void micro_produce(struct micro_run *run, struct sennit_runtime *runtime,
                   struct sennit_executor **executors, size_t count);

#endif
