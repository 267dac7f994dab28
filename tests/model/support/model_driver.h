/* SPDX-License-Identifier: MIT */
/* model_driver.h - what a whole runtime in a model has in place of io/.
 *
 * Linked where a model includes this. The driver of each worker is a descriptor that behaves as an
 * eventfd does: written by wake, read by wait, closed by fini once no wake is owed. A write to one
 * that is closed fails. Its steps order no memory, so nothing under test may rely on the kernel for
 * that. Operations in flight are tasks that a model adds: shutting down ends them.
 */
#ifndef SENNIT_TESTS_MODEL_SUPPORT_MODEL_DRIVER_H
#define SENNIT_TESTS_MODEL_SUPPORT_MODEL_DRIVER_H

#include "runtime/sched/worker.h"

#include <sennit/executor.h>
#include <sennit/runtime.h>

/* On the owner: an operation is in flight from now on. It ends when the worker is shut down, with
 * `function` as its handler. */
void model_driver_start(struct sennit__worker *worker, struct sennit_task *task,
			sennit_function *function);

/* Waits until the descriptor of a worker is readable, as poll(2) does; whether it is. */
void model_driver_poll(struct sennit__worker *worker);
bool model_driver_is_readable(const struct sennit__worker *worker);

/* Workers of which a runtime can never be started: no descriptor is left for the fifth. */
#define MODEL_TOO_MANY 5

/* A runtime that is to have that many workers once it is started, and one until then. */
struct sennit_runtime *model_runtime(unsigned workers);

/* A runtime that has that many workers, for threads that drive it. */
struct sennit_runtime *model_driven(unsigned workers);

#endif
