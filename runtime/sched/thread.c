/* SPDX-License-Identifier: MIT */
/* thread.c - the threads of a started runtime. Checked by tests/unit/runtime.c,
 * tests/model/started.c
 */
#include "runtime/base/misuse.h"
#include "runtime/sched/idle.h"
#include "runtime/sched/runtime.h"

#include <pthread.h>
#include <sennit/error.h>
#include <signal.h>
#include <stdio.h>

static void prepare_thread(struct sennit__worker *worker)
{
	struct sennit_runtime *runtime = worker->executor.runtime_;
	char name[16];
	int error;

	snprintf(name, sizeof name, "sennit/%u", worker->index);
	pthread_setname_np(pthread_self(), name);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &error);
	error = sennit__plan_bind(&runtime->plan, worker->index);
	if (error)
		sennit__log(runtime, SENNIT_LOG_WARNING, "%s runs unbound: %s", name,
			    sennit_strerror(error));
}

/* Between two handlers: goes on until destroy says exit. */
static void *thread_main(void *argument)
{
	struct sennit__worker *worker = argument;
	const struct sennit_runtime *runtime = worker->executor.runtime_;

	prepare_thread(worker);
	sennit__worker_adopt(worker);
	while (!sennit__load_relaxed_u32(&runtime->exiting)) { /* relaxed: tells nothing else */
		/* relaxed: settle asks again, with acquire, before the first handler */
		if (sennit__load_relaxed_u32(&runtime->shutdown))
			sennit__worker_shutdown(worker);
		else
			sennit__worker_turn(worker, SENNIT__TURN);
		if (sennit__worker_busy(worker))
			sennit__worker_collect(worker);
		else
			sennit__worker_park(worker);
	}
	sennit__worker_leave(worker);
	return NULL;
}

static int spawn(struct sennit__worker *worker)
{
	sigset_t all;
	sigset_t before;
	int error;

	/* claimed here, so that nobody takes it for a worker without a thread */
	if (!sennit__worker_claim(worker, SENNIT__RUNNING))
		sennit__misuse("sennit_runtime_start", "another thread is inside the runtime");
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&worker->thread, NULL, thread_main, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		sennit__worker_vacate(worker);
	return -error;
}

int sennit__threads_start(struct sennit_runtime *runtime, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		int error = spawn(runtime->worker[i]);

		if (error) {
			sennit__threads_join(runtime, i);
			return error;
		}
	}
	return 0;
}

void sennit__threads_join(struct sennit_runtime *runtime, unsigned count)
{
	sennit__store_relaxed_u32(&runtime->exiting, 1); /* relaxed: tells nothing else */
	for (unsigned i = 0; i < count; i++)
		sennit__idle_wake(runtime->worker[i]);
	for (unsigned i = 0; i < count; i++)
		pthread_join(runtime->worker[i]->thread, NULL);
	sennit__store_relaxed_u32(&runtime->exiting, 0); /* relaxed: nobody is there to see it */
}
