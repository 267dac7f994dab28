/* SPDX-License-Identifier: MIT */
/* sennit.h - what the benchmarks of sennit-micro share: their runtime, their producers. */
#ifndef SENNIT_PERF_MICRO_SENNIT_H
#define SENNIT_PERF_MICRO_SENNIT_H

#include "perf/micro/micro.h"

#include <sennit/sennit.h>

/* One function for each benchmark, in the file of its subject. */
micro_function micro_post_local, micro_defer_local, micro_post_remote;
micro_function micro_strand_post, micro_strand_many;
micro_function micro_steal, micro_post_wake, micro_pingpong;
micro_function micro_timer_arm_cancel, micro_timer_expire, micro_cancel_emit;
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

/* Runs one chain of a handler that posts itself for each worker, on the executor of that number. */
void micro_post_chains(struct micro_run *run, struct sennit_runtime *runtime,
                       struct sennit_executor **executors);

/* Calls that send, made by the calling thread inside the library. */
extern _Thread_local uint64_t micro_sends;

/* --- producers: foreign threads that post, each its share, never more than a window ahead ----- */

struct micro_producer;

/* Runs run->operations handlers, posted by run->parameter threads; producer i posts to
 * executors[i % count]. */
void micro_produce(struct micro_run *run, struct sennit_runtime *runtime,
                   struct sennit_executor **executors, size_t count);

/* --- parts: one for each worker, which go through three stages together ----------------------- */

/* A part; what a benchmark needs besides lies behind it. It is zero at first. */
struct micro_part {
	struct sennit_task task;
	struct micro_parts *all;
	struct micro_run *run;
	struct sennit_executor *executor; /* of its worker, on which its functions run */
	uint64_t index;
	uint64_t operations; /* its share */
};

typedef void micro_part_function(struct micro_part *part);

enum { MICRO_SET_UP, MICRO_MEASURE, MICRO_CLEAN_UP, MICRO_STAGES };

/* What begins each stage; a part that is done with it calls micro_part_done, here or later. A part
 * without operations is not measured. */
struct micro_stages {
	micro_part_function *begin[MICRO_STAGES];
};

void micro_part_done(struct micro_part *part);

/* Runs a benchmark of parts of `size` bytes, and in the end calls `visit` with each. */
void micro_run_parts(struct micro_run *run, const struct micro_stages *stages, size_t size,
                     micro_part_function *visit);

#endif
