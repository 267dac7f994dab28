/* SPDX-License-Identifier: MIT */
/**
 * @file
 * Counters: what each worker has done since the runtime was created. They only grow, and wrap after
 * 2^64. They are always there: each costs its worker an addition.
 */
#ifndef SENNIT_COUNTERS_H
#define SENNIT_COUNTERS_H

#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sennit_runtime;

/** How far apart two workers are, by what they share. */
enum sennit_distance {
	SENNIT_DISTANCE_CORE,  /**< a core */
	SENNIT_DISTANCE_CACHE, /**< a cache */
	SENNIT_DISTANCE_NODE,  /**< a memory node, or nothing is known of them */
	SENNIT_DISTANCE_FAR,   /**< nothing of these */
	SENNIT_DISTANCES       /**< how many there are */
};

/** What was counted, of one worker or of all together. */
struct sennit_counters {
	uint64_t handlers;      /**< handlers and functions run */
	uint64_t posts_local;   /**< queued by the worker's own thread */
	uint64_t posts_remote;  /**< taken from other threads: functions, starts, requests */
	uint64_t starts_remote; /**< operations among them, which others started */
	uint64_t steals_tried;  /**< others that were looked at for work */
	uint64_t steals_won[SENNIT_DISTANCES]; /**< of which something was taken, by distance */
	uint64_t parks;          /**< times that the worker fell asleep */
	uint64_t wakes_sent;     /**< of others; those by foreign threads are not told */
	uint64_t wakes_received; /**< times that others woke it */
	uint64_t wakes_spurious; /**< times that it then found nothing to do */
	uint64_t polls;          /**< times that the kernel was asked for events */
	uint64_t events;         /**< that it told of */
	uint64_t reads;          /**< system calls that read something */
	uint64_t writes;         /**< system calls that wrote something */
	uint64_t bytes_read;      /**< by those calls */
	uint64_t bytes_written;   /**< by those calls */
	uint64_t calls_idle;      /**< system calls that moved nothing: they would have waited */
	uint64_t timers;          /**< that expired: waits of timers, deadlines of operations */
	uint64_t cancels_decided; /**< operations ended by request, deadline, cancel or close */
	uint64_t cancels_late;    /**< requests that met an operation that was complete */
};

/** For sennit_runtime_counters: the sum over all workers. */
#define SENNIT_ALL_WORKERS (~0u)

/**
 * Takes a snapshot. Each number is one that its counter had during the call; together they are not
 * of one moment, but where the workers sleep.
 * @param worker 0 to sennit_runtime_workers() - 1, or SENNIT_ALL_WORKERS; anything else is misuse.
 * @thread any. Neither blocks nor allocates. Since 0.1.0.
 */
void sennit_runtime_counters(const struct sennit_runtime *runtime, unsigned worker,
			     struct sennit_counters *counters);

/**
 * Prints counters for people, one a line: its name, blanks, its value.
 * @return 0, or -errno of the file.
 * @thread any. Blocks as the file does. Since 0.1.0.
 */
int sennit_counters_print(const struct sennit_counters *counters, FILE *file);

/**
 * Prints counters for programs: one JSON object with a member for each, in one line without its
 * end; steals_won is an array.
 * @return 0, or -errno of the file.
 * @thread any. Blocks as the file does. Since 0.1.0.
 */
int sennit_counters_print_json(const struct sennit_counters *counters, FILE *file);

#ifdef __cplusplus
}
#endif

#endif
