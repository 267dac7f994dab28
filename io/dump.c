/* SPDX-License-Identifier: MIT */
/* dump.c - what a runtime is doing, for people.
 *
 * Callers     any thread. Each worker prints its own part: the caller sends it a message and blocks
 *             until it is done. A worker that nobody is inside is entered instead.
 * Ownership   the request lies on the caller's stack until `done` is set; the worker touches
 *             nothing of it after that.
 * Orders      P1  done: store (release) with the load (acquire): what was printed.
 * Checked by  tests/model/dump.c, tests/unit/runtime.c
 */
#include "io/driver.h"
#include "io/timer.h"
#include "runtime/base/futex.h"
#include "runtime/sched/runtime.h"


/* How long to wait before looking whether anybody is inside the worker at all. */
#define ASK_AGAIN_MS 20

struct request {
	struct sennit_task task;
	struct sennit__atomic_u32 done;
	struct sennit__worker *worker;
	FILE *file;
};

static unsigned length(const struct sennit__queue *queue)
{
	unsigned count = 0;

	for (const struct sennit_task *task = queue->head; task; task = task->next_)
		count++;
	return count;
}

static void dump_op(const struct sennit_op *op, FILE *file)
{
	static const char *const does[] = {
		[SENNIT__READ] = "read",     [SENNIT__WRITE] = "write",
		[SENNIT__WAIT] = "wait",     [SENNIT__ACCEPT] = "accept",
		[SENNIT__CONNECT] = "connect", [SENNIT__TIMER_WAIT] = "timer wait",
	};
	static const char *const modes[] = {"_some", "", "_at_least", "_while"};
	uint32_t age = (uint32_t)(sennit__clock_now() >> 20) - op->started_ms_;
	int kind = sennit__op_does(op);

	fprintf(file, "      %s%s op=%p age=%ums bytes=%zu\n", does[kind],
		kind <= SENNIT__WRITE ? modes[sennit__op_mode(op) >> 4] : "", (const void *)op,
		(unsigned)((uint64_t)age * (1u << 20) / 1000000), op->bytes_);
}

static void dump_slot(const struct sennit__slot *slot, FILE *file)
{
	/* relaxed: only the generation is printed */
	uint64_t word = sennit__load_relaxed_u64(&slot->word);

	fprintf(file, "    object %u.%u ", slot->cell.index, (unsigned)sennit__generation_of(word));
	if (slot->type)
		fprintf(file, "%s", slot->type->name ? slot->type->name : "stream");
	else if (sennit__slot_is_timer(slot))
		fprintf(file, "timer");
	else
		fprintf(file, "fd=%d%s%s", slot->fd,
			slot->flags & SENNIT__SLOT_READABLE ? " readable" : "",
			slot->flags & SENNIT__SLOT_WRITABLE ? " writable" : "");
	fprintf(file, "%s\n", slot->flags & SENNIT__SLOT_PAUSED ? " paused" : "");
	for (int queue = 0; queue < SENNIT__QUEUES; queue++) {
		const struct sennit_op *head = slot->queue[queue];
		const struct sennit_op *op = head;

		while (op) {
			dump_op(op, file);
			op = sennit__op_after(op) == head ? NULL : sennit__op_after(op);
		}
	}
}

/* On the worker, or while nobody is inside. */
static void dump_worker(const struct sennit__worker *worker, FILE *file)
{
	const struct sennit__io *io = sennit__io_of(worker);

	fprintf(file, "  worker %u: pinned=%u shared=%u begun=%llu ended=%llu turn=%u\n",
		worker->index, length(&worker->pinned), sennit__deque_count(&worker->deque),
		(unsigned long long)worker->begun, (unsigned long long)worker->ended,
		worker->turn);
	for (const struct sennit__slot *slot = io->known; slot; slot = slot->known_next)
		dump_slot(slot, file);
}

static void on_request(struct sennit_task *task, int error)
{
	struct request *request = (struct request *)(void *)task;
	struct sennit__worker *worker = request->worker;

	(void)error;
	dump_worker(worker, request->file);
	sennit__store_release_u32(&request->done, 1); /* P1 */
	sennit__futex_wake_all(&request->done);
	sennit__worker_end(worker);
}

static void ask(struct sennit__worker *worker, FILE *file)
{
	struct request request = {.worker = worker, .file = file};

	request.task.class_ = SENNIT__MESSAGE;
	request.task.function_ = on_request;
	sennit__worker_send(worker, &request.task);
	while (!sennit__load_acquire_u32(&request.done)) { /* P1 */
		sennit__futex_wait(&request.done, 0, ASK_AGAIN_MS);
		if (sennit__worker_enter(worker, SENNIT__VISITED)) /* its thread has left */
			sennit__worker_leave(worker);
	}
}

void sennit_runtime_dump(struct sennit_runtime *runtime, FILE *file)
{
	static const char *const modes[] = {"new", "started", "driven"};
	unsigned count = sennit__worker_count(runtime);

	fprintf(file, "sennit runtime %p: %s, %u workers%s\n", (void *)runtime,
		modes[sennit__load_relaxed_u32(&runtime->mode)], /* relaxed: it is printed */
		count, sennit_runtime_stopped(runtime) ? ", stopped" : "");
	for (unsigned i = 0; i < count; i++) {
		struct sennit__worker *worker = runtime->worker[i];

		if (sennit__current == worker) {
			dump_worker(worker, file);
		} else if (sennit__current) {
			fprintf(file, "  worker %u: busy (another worker cannot wait for it)\n", i);
		} else if (sennit__worker_enter(worker, SENNIT__VISITED)) {
			dump_worker(worker, file);
			sennit__worker_leave(worker);
		} else {
			ask(worker, file);
		}
	}
	fflush(file);
}
