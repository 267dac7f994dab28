/* SPDX-License-Identifier: MIT */
/* wake.c - post_wake: a post to a parked worker; pingpong: a task that two workers hand each other.
 */
#include "perf/micro/sennit.h"

#include <semaphore.h>
#include <sys/eventfd.h>

enum {
	PAUSE_NS = 20000, /* in which a worker that has nothing to do falls asleep */
	FLOOR_WAKES = 200,
};

/* --- post_wake -------------------------------------------------------------------------------- */

struct wake {
	struct sennit_task task;
	sem_t seen;
	uint64_t seen_ns;
	int fd;
};

static void on_wake(struct sennit_task *task, int error)
{
	struct wake *wake = (struct wake *)(void *)task;

	(void)error;
	wake->seen_ns = micro_now();
	sem_post(&wake->seen);
}

/* The floor: a thread that waits for an eventfd. */
static void *read_events(void *argument)
{
	struct wake *wake = argument;
	eventfd_t ignored;

	for (int i = 0; i < FLOOR_WAKES && !eventfd_read(wake->fd, &ignored); i++) {
		wake->seen_ns = micro_now();
		sem_post(&wake->seen);
	}
	return NULL;
}

static void await(struct wake *wake, struct histogram *histogram, uint64_t begin_ns)
{
	while (sem_wait(&wake->seen))
		continue;
	histogram_add(histogram, wake->seen_ns - begin_ns);
}

/* Nanoseconds from a write to an eventfd until a thread that slept in its read runs: the median. */
static double measure_floor(struct wake *wake)
{
	struct histogram *histogram = micro_allocate(1, sizeof *histogram);
	pthread_t thread;
	double median;

	wake->fd = eventfd(0, EFD_CLOEXEC);
	micro_check(wake->fd < 0 ? -errno : 0, "eventfd");
	micro_check(-pthread_create(&thread, NULL, read_events, wake), "a thread");
	for (int i = 0; i < FLOOR_WAKES; i++) {
		uint64_t begin_ns;

		micro_sleep(PAUSE_NS);
		begin_ns = micro_now();
		eventfd_write(wake->fd, 1);
		await(wake, histogram, begin_ns);
	}
	pthread_join(thread, NULL);
	close(wake->fd);
	median = (double)histogram_quantile(histogram, 500);
	free(histogram);
	return median;
}

void micro_post_wake(struct micro_run *run)
{
	struct wake wake = { .fd = -1 };
	struct histogram *histogram = micro_allocate(1, sizeof *histogram);
	struct sennit_runtime *runtime;
	double floor;
	uint64_t ns = 0;

	sem_init(&wake.seen, 0, 0);
	floor = measure_floor(&wake);
	runtime = micro_open_started(run);
	micro_begin(run);
	for (uint64_t i = 0; i < run->operations; i++) {
		uint64_t begin_ns;

		micro_sleep(PAUSE_NS);
		begin_ns = micro_now();
		sennit_post(sennit_runtime_worker(runtime, (unsigned)(i % run->workers)),
		            &wake.task, on_wake);
		await(&wake, histogram, begin_ns);
		ns += wake.seen_ns - begin_ns;
	}
	micro_close(run, runtime);
	run->ns = ns; /* without the pauses */
	micro_add_latencies(run, histogram);
	micro_add(run, "eventfd_ns_p50", floor);
	sem_destroy(&wake.seen);
	free(histogram);
}

/* --- pingpong --------------------------------------------------------------------------------- */

struct ball {
	_Alignas(128) struct sennit_task task;
	struct sennit_executor *executors[2];
	uint64_t left; /* handlers: two a round trip */
};

static void on_ball(struct sennit_task *task, int error)
{
	struct ball *ball = (struct ball *)(void *)task;

	(void)error;
	if (--ball->left)
		sennit_post(ball->executors[ball->left & 1], task, on_ball);
}

/* One ball for each two workers. */
void micro_pingpong(struct micro_run *run)
{
	struct sennit_runtime *runtime;
	struct ball *balls;
	uint64_t count;

	if (run->workers < 2)
		run->workers = 2;
	count = run->workers / 2;
	balls = micro_allocate(count, sizeof *balls);
	runtime = micro_open_started(run);
	micro_begin(run);
	for (unsigned i = 0; i < count; i++) {
		struct ball *ball = &balls[i];

		ball->executors[0] = sennit_runtime_worker(runtime, 2 * i);
		ball->executors[1] = sennit_runtime_worker(runtime, 2 * i + 1);
		ball->left = 2 * micro_share(run, i, count);
		if (ball->left)
			sennit_post(ball->executors[0], &ball->task, on_ball);
	}
	micro_close(run, runtime);
	free(balls);
}
