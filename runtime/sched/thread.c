/* SPDX-License-Identifier: MIT */
/* thread.c - the threads of a started runtime. Checked by tests/unit/runtime.c,
 * tests/model/started.c
 */
#include "runtime/base/futex.h"
#include "runtime/base/misuse.h"
#include "runtime/sched/idle.h"
#include "runtime/sched/runtime.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sennit/error.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static void prepare_thread(const struct sennit__worker *worker)
{
	char name[16];
	int before;

	snprintf(name, sizeof name, "sennit/%u", worker->index);
	pthread_setname_np(pthread_self(), name);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
}

static void call_hook(const struct sennit__worker *worker, sennit_worker_hook *hook)
{
	if (hook)
		hook(worker->executor.runtime_->settings.options.worker_user, worker->index);
}

/* Until all threads are there, or are to exit again. */
static void wait_for_all(struct sennit_runtime *runtime)
{
	while (sennit__load_acquire_u32(&runtime->exiting) == SENNIT__NOT_YET) /* runtime.P4 */
		sennit__futex_wait(&runtime->exiting, SENNIT__NOT_YET, -1);
}

static void tell_all(struct sennit_runtime *runtime, uint32_t what)
{
	sennit__store_release_u32(&runtime->exiting, what); /* runtime.P4 */
	sennit__futex_wake_all(&runtime->exiting);
}

/* Between two handlers: goes on until destroy says exit. */
static void *thread_main(void *argument)
{
	struct sennit__worker *worker = argument;
	struct sennit_runtime *runtime = worker->executor.runtime_;

	prepare_thread(worker);
	call_hook(worker, runtime->settings.options.on_worker_start);
	wait_for_all(runtime);
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
	call_hook(worker, runtime->settings.options.on_worker_stop);
	return NULL;
}

/* Where the thread of a worker will sit, so that it does from its first instruction on and its
 * stack is on its own node. */
static int place(pthread_attr_t *attributes, unsigned cpu)
{
	cpu_set_t *set = CPU_ALLOC(cpu + 1);
	size_t size = CPU_ALLOC_SIZE(cpu + 1);
	int error;

	if (!set)
		return ENOMEM;
	CPU_ZERO_S(size, set);
	CPU_SET_S(cpu, size, set);
	error = pthread_attr_setaffinity_np(attributes, size, set);
	CPU_FREE(set);
	return error;
}

/* Sets what the options ask of a thread's stack; 0 is whatever the system gives. */
static int set_stack(pthread_attr_t *attributes, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	long least = sysconf(_SC_THREAD_STACK_MIN);

	if (!size)
		return 0;
	if (least > 0 && size < (size_t)least)
		size = (size_t)least;
	return pthread_attr_setstacksize(attributes, (size + page - 1) / page * page);
}

/* Creates the thread, bound to *cpu where that is given; 0 or -errno. */
static int try_thread(struct sennit__worker *worker, const unsigned *cpu)
{
	pthread_attr_t attributes;
	int error = pthread_attr_init(&attributes);

	if (error)
		return -error;
	error = set_stack(&attributes, worker->executor.runtime_->settings.options.stack_size);
	if (!error && cpu)
		error = place(&attributes, *cpu);
	if (!error)
		error = pthread_create(&worker->thread, &attributes, thread_main, worker);
	pthread_attr_destroy(&attributes);
	return -error;
}

/* Creates the thread where the plan wants it, or, where the system refuses that, anywhere. */
static int create_thread(struct sennit__worker *worker)
{
	struct sennit_runtime *runtime = worker->executor.runtime_;
	const unsigned *places = runtime->plan.place;
	int error;

	worker->refused = 0;
	if (!places)
		return try_thread(worker, NULL);
	error = try_thread(worker, &places[worker->index]);
	if (error != -EINVAL && error != -EPERM && error != -ESRCH)
		return error;
	worker->refused = error;
	sennit__log(runtime, SENNIT_LOG_WARNING, "sennit/%u is not bound to CPU %u: %s",
		    worker->index, places[worker->index], sennit_strerror(error));
	return try_thread(worker, NULL);
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
	error = create_thread(worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		sennit__worker_vacate(worker);
	return error;
}

int sennit__threads_start(struct sennit_runtime *runtime, unsigned count)
{
	/* relaxed: no thread is there */
	sennit__store_relaxed_u32(&runtime->exiting, SENNIT__NOT_YET);
	for (unsigned i = 0; i < count; i++) {
		int error = spawn(runtime->worker[i]);

		if (error) {
			tell_all(runtime, SENNIT__EXIT);
			sennit__threads_join(runtime, i);
			return error;
		}
	}
	sennit__store_release_u32(&runtime->worker_count, count); /* runtime.P2 */
	tell_all(runtime, SENNIT__STAY);
	return 0;
}

void sennit__threads_join(struct sennit_runtime *runtime, unsigned count)
{
	/* relaxed: tells nothing else */
	sennit__store_relaxed_u32(&runtime->exiting, SENNIT__EXIT);
	for (unsigned i = 0; i < count; i++)
		sennit__idle_wake(runtime->worker[i]);
	for (unsigned i = 0; i < count; i++)
		pthread_join(runtime->worker[i]->thread, NULL);
	/* relaxed: nobody is there to see it */
	sennit__store_relaxed_u32(&runtime->exiting, SENNIT__STAY);
}
