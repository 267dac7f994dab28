/* SPDX-License-Identifier: MIT */
/* driver.h - all that runtime/ knows of I/O: the place where a worker waits.
 *
 * Every function but wake is called by the owner, or while nobody is inside. At most eight, of
 * which seven are needed so far. cancel(worker, target, types) will be how a signal's message
 * reaches the operation it names; destroy already uses it with no target: everything.
 */
#ifndef SENNIT_RUNTIME_SCHED_DRIVER_H
#define SENNIT_RUNTIME_SCHED_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sennit__worker;

struct sennit__driver {
	/* How many bytes, not zeroed, worker->driver points to before init. */
	size_t size;
	/* Sets worker->pollable_fd, and worker->driver where size is 0; 0 or -errno. */
	int (*init)(struct sennit__worker *worker);
	/* Closes what is still open, waits for wakes that are owed, frees everything. */
	void (*fini)(struct sennit__worker *worker);
	/* Collects events, waiting for some until deadline_ns (0: not at all, SENNIT__NEVER), or
	 * until wake. Subtracts the wakes that it read from worker->wakes_owed. */
	void (*wait)(struct sennit__worker *worker, uint64_t deadline_ns);
	/* Ends a wait that goes on or is to come. Any thread; never blocks. */
	void (*wake)(struct sennit__worker *worker);
	/* The end of a turn: sends what it gathered. True where more could be done at once. */
	bool (*flush)(struct sennit__worker *worker);
	/* Does what is to be done at the deadlines of at most `most` nodes, taken from the worker's
	 * wheel; that may disarm others. */
	void (*expire)(struct sennit__worker *worker, unsigned most);
	/* Ends every operation of the worker with `error`. */
	void (*cancel)(struct sennit__worker *worker, int error);
};

/* The one driver, defined in io/. */
extern const struct sennit__driver sennit__driver;

#endif
