/* SPDX-License-Identifier: MIT */
/* model_driver.c - see model_driver.h. It stands for the kernel, so the explorer does not look at
 * what it reads and writes.
 */
#include "tests/model/support/model_driver.h"

#include "runtime/sched/driver.h"
#include "runtime/sched/runtime.h"
#include "tests/model/explorer/explorer.h"

#include <errno.h>

struct descriptor {
	struct model_object *object;
	uint64_t count; /* as an eventfd's */
	bool closed;
	struct sennit_task *flight; /* operations, linked by next_ */
};

static bool readable(void *descriptor)
{
	return ((struct descriptor *)descriptor)->count != 0;
}

static void take_wakes(struct sennit__worker *worker)
{
	struct descriptor *d = worker->driver;

	worker->wakes_owed -= (int64_t)d->count;
	d->count = 0;
}

static int init(struct sennit__worker *worker)
{
	struct descriptor *d;

	if (worker->index + 1 == MODEL_TOO_MANY)
		return -EMFILE;
	d = model_new(sizeof *d);
	d->object = model_object("eventfd");
	worker->driver = d;
	worker->pollable_fd = -1;
	return 0;
}

static void fini(struct sennit__worker *worker)
{
	struct descriptor *d = worker->driver;

	while (worker->wakes_owed > 0) {
		model_wait(d->object, "waits for a wake that is owed", readable, d);
		take_wakes(worker);
	}
	model_assert(worker->wakes_owed == 0);
	model_step(d->object, "is closed");
	d->closed = true;
	model_free(d->object);
	model_free(d);
}

static void wait(struct sennit__worker *worker, uint64_t deadline_ns)
{
	struct descriptor *d = worker->driver;

	if (deadline_ns)
		model_wait(d->object, "waits for a wake", readable, d);
	else
		model_step(d->object, "is polled");
	take_wakes(worker);
}

static void wake(struct sennit__worker *worker)
{
	struct descriptor *d = worker->driver;

	model_step(d->object, "is written");
	model_assert(!d->closed);
	d->count++;
}

static bool flush(struct sennit__worker *worker)
{
	(void)worker;
	return false;
}

/* Time stands still in a model: nothing is ever due. */
static void expire(struct sennit__worker *worker, unsigned most)
{
	(void)worker;
	(void)most;
}

void model_driver_start(struct sennit__worker *worker, struct sennit_task *task,
			sennit_function *function)
{
	struct descriptor *d = worker->driver;

	task->function_ = function;
	task->state_ = 1;
	task->next_ = d->flight;
	d->flight = task;
	sennit__worker_begin(worker);
}

static void cancel(struct sennit__worker *worker, int error)
{
	struct descriptor *d = worker->driver;

	(void)error; /* a handler is told by its own */
	while (d->flight) {
		struct sennit_task *task = d->flight;

		d->flight = task->next_;
		sennit__worker_queue(worker, task);
	}
}

const struct sennit__driver sennit__driver = {
	.init = init,
	.fini = fini,
	.wait = wait,
	.wake = wake,
	.flush = flush,
	.expire = expire,
	.cancel = cancel,
};

void model_driver_poll(struct sennit__worker *worker)
{
	struct descriptor *d = worker->driver;

	model_wait(d->object, "is polled", readable, d);
}

bool model_driver_is_readable(const struct sennit__worker *worker)
{
	return readable(worker->driver);
}

struct sennit_runtime *model_runtime(unsigned workers)
{
	struct sennit_runtime *runtime = model_driven(1);

	runtime->settings.workers = workers; /* as many as there are cores, as it were */
	return runtime;
}

struct sennit_runtime *model_driven(unsigned workers)
{
	const struct sennit_runtime_options options = {
		.size = sizeof options, .workers = workers, .pin = SENNIT_PIN_NONE};
	struct sennit_runtime *runtime = NULL;

	model_assert(sennit_runtime_create(&options, &runtime) == 0);
	return runtime;
}
