/* SPDX-License-Identifier: MIT */
/* frame.c - what stands around each test: recorded failures, count of descriptors, watchdog.
 *
 * The watchdog is a thread that looks once a second whether anything called progress(). It is not
 * there while a child process is forked (frame.h), so that the child is forked from one thread.
 */
#include "frame.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A minute, and more where everything is slower. */
#if defined(SANITIZED_THREAD) || defined(SANITIZED_ADDRESS)
# define PATIENCE_S 90
#else
# define PATIENCE_S 60
#endif

#define RUNTIMES_MAX 16

static const char *running = "no test";
static unsigned descriptors_before;
static uint64_t descriptor_set[16];

static atomic_uint_fast64_t steps;
static atomic_bool failed;
static struct {
	const char *file;
	const char *text;
	int line;
} failure;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct sennit_runtime *runtimes[RUNTIMES_MAX];
static bool watching, stop;
static pthread_t watchdog;

void progress(void)
{
	atomic_fetch_add_explicit(&steps, 1, memory_order_relaxed);
}

/* --- recorded failures ------------------------------------------------------------------------ */

bool record_failure(const char *file, int line, const char *text)
{
	pthread_mutex_lock(&mutex);
	if (!atomic_load(&failed)) {
		failure.file = file;
		failure.line = line;
		failure.text = text;
		atomic_store(&failed, true);
		/* At once too: the test may never come to its end. */
		fprintf(stderr, "%s: %s:%d: does not hold: %s\n", running, file, line, text);
	}
	pthread_mutex_unlock(&mutex);
	return false;
}

void recorded(void)
{
	if (atomic_load(&failed))
		fail_msg("%s:%d: does not hold: %s", failure.file, failure.line, failure.text);
}

/* --- the watchdog ----------------------------------------------------------------------------- */

void watch_runtime(struct sennit_runtime *runtime)
{
	pthread_mutex_lock(&mutex);
	for (unsigned i = 0; i < RUNTIMES_MAX; i++) {
		if (!runtimes[i]) {
			runtimes[i] = runtime;
			break;
		}
	}
	pthread_mutex_unlock(&mutex);
}

void forget_runtime(struct sennit_runtime *runtime)
{
	pthread_mutex_lock(&mutex);
	for (unsigned i = 0; i < RUNTIMES_MAX; i++) {
		if (runtimes[i] == runtime)
			runtimes[i] = NULL;
	}
	pthread_mutex_unlock(&mutex);
}

static void *dump_all(void *argument)
{
	(void)argument;
	for (unsigned i = 0; i < RUNTIMES_MAX; i++) {
		if (runtimes[i])
			sennit_runtime_dump(runtimes[i], stderr);
	}
	return NULL;
}

/* A worker that hangs keeps dump from returning: another thread asks, for at most 5 s. */
static void give_up(void)
{
	struct timespec pause = { .tv_sec = 5 };
	pthread_t thread;

	fprintf(stderr, "watchdog: %s: no progress for %d s\n", running, PATIENCE_S);
	fflush(NULL);
	if (pthread_create(&thread, NULL, dump_all, NULL) == 0)
		nanosleep(&pause, NULL);
	fflush(stderr);
	abort();
}

static void *watch(void *argument)
{
	uint64_t seen = 0;
	int quiet_s = 0;

	(void)argument;
	pthread_mutex_lock(&mutex);
	while (!stop) {
		struct timespec until;
		uint64_t now = atomic_load_explicit(&steps, memory_order_relaxed);

		quiet_s = now == seen ? quiet_s + 1 : 0;
		seen = now;
		if (quiet_s > PATIENCE_S) {
			pthread_mutex_unlock(&mutex);
			give_up();
		}
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec++;
		pthread_cond_timedwait(&changed, &mutex, &until);
	}
	pthread_mutex_unlock(&mutex);
	return NULL;
}

void watchdog_start(void)
{
	sigset_t all, before;

	if (watching)
		return;
	stop = false;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&watchdog, NULL, watch, NULL))
		abort();
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	watching = true;
}

void watchdog_stop(void)
{
	if (!watching)
		return;
	pthread_mutex_lock(&mutex);
	stop = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
	pthread_join(watchdog, NULL);
	watching = false;
}

/* --- the frame -------------------------------------------------------------------------------- */

/* Shows what the descriptors are that the test left open, among the first 1024. */
static void show_new_descriptors(void)
{
	for (unsigned fd = 0; fd < 64 * COUNT_OF(descriptor_set); fd++) {
		char path[64], target[256];
		ssize_t size;

		snprintf(path, sizeof path, "/proc/self/fd/%u", fd);
		size = readlink(path, target, sizeof target - 1);
		if (size < 0 || descriptor_set[fd / 64] >> (fd % 64) & 1)
			continue;
		target[size] = 0;
		print_error("left open: %u -> %s\n", fd, target);
	}
}

static void remember_descriptors(void)
{
	memset(descriptor_set, 0, sizeof descriptor_set);
	for (unsigned fd = 0; fd < 64 * COUNT_OF(descriptor_set); fd++) {
		char path[64], target[2];

		snprintf(path, sizeof path, "/proc/self/fd/%u", fd);
		if (readlink(path, target, sizeof target) >= 0)
			descriptor_set[fd / 64] |= UINT64_C(1) << (fd % 64);
	}
	descriptors_before = open_descriptors();
}

int test_setup(void **state)
{
	running = *state;
	atomic_store(&failed, false);
	memset(runtimes, 0, sizeof runtimes);
	progress();
	watchdog_start();
	remember_descriptors();
	return 0;
}

int test_teardown(void **state)
{
	unsigned descriptors = open_descriptors();
	int status = 0;

	(void)state;
	progress();
	if (atomic_load(&failed)) {
		print_error("%s:%d: does not hold: %s\n", failure.file, failure.line, failure.text);
		status = -1;
	}
	if (descriptors != descriptors_before) {
		print_error("%u descriptors before the test, %u after it\n", descriptors_before,
		            descriptors);
		show_new_descriptors();
		status = -1;
	}
	running = "between two tests";
	return status;
}
