/* SPDX-License-Identifier: MIT */
/* strand.c - the protocol is in strand.h. Checked by tests/model/strand.c, tests/unit/strand.c,
 * tests/stress/strand.c
 */
#include "runtime/sched/strand.h"

#include "runtime/sched/runtime.h"

_Static_assert(offsetof(struct sennit_strand, executor_) == 0, "a strand begins with its executor");

static struct sennit__atomic_ptr *state_of(struct sennit_strand *strand)
{
	return (struct sennit__atomic_ptr *)(void *)&strand->state_;
}

#define RUNNING(strand) ((void *)(strand))

static sennit_function on_turn;

void sennit_strand_init(struct sennit_strand *strand, struct sennit_executor *inner)
{
	if (!strand)
		sennit__misuse("sennit_strand_init", "the strand is NULL");
	if (!inner || !inner->runtime_)
		sennit__misuse("sennit_strand_init", "the inner executor is not one of a runtime");
	strand->executor_.runtime_ = inner->runtime_;
	strand->executor_.kind_ = SENNIT__EXECUTOR_STRAND;
	strand->inner_ = inner;
	strand->base_ = inner->kind_ == SENNIT__EXECUTOR_STRAND ? sennit__strand_of(inner)->base_ :
								  inner;
	sennit__store_relaxed_ptr(state_of(strand), NULL); /* relaxed: not shared yet */
	strand->ready_ = NULL;
	strand->turn_ = (struct sennit_task){.function_ = on_turn, .state_ = 1};
}

struct sennit_executor *sennit_strand_executor(struct sennit_strand *strand)
{
	return &strand->executor_;
}

/* The frame of the strand on the thread that is inside `worker`, or NULL. */
static struct sennit__frame *frame_of(const struct sennit_strand *strand,
				      const struct sennit__worker *worker)
{
	struct sennit__frame *frame = worker->frame;

	while (frame && frame->strand != strand)
		frame = frame->outer;
	return frame;
}

bool sennit__strand_inside(const struct sennit_strand *strand, const struct sennit__worker *worker)
{
	return frame_of(strand, worker) != NULL;
}

void sennit_strand_fini(struct sennit_strand *strand)
{
	struct sennit__worker *worker = sennit__current;
	struct sennit__frame *frame;
	const void *state;

	if (!strand || !strand->executor_.runtime_)
		sennit__misuse("sennit_strand_fini", "the strand was not initialised");
	frame = worker ? frame_of(strand, worker) : NULL;
	/* relaxed: only to notice misuse: who may call this comes after all that is over */
	state = sennit__load_relaxed_ptr(state_of(strand));
	if (frame ? state != RUNNING(strand) || frame->ready : state != NULL)
		sennit__misuse("sennit_strand_fini",
			       "functions of the strand are queued, or running elsewhere");
	if (frame)
		frame->strand = NULL;
	strand->executor_.runtime_ = NULL; /* so that its use from now on is noticed */
}

void sennit__strand_submit(struct sennit_strand *strand, struct sennit_task *task)
{
	struct sennit__atomic_ptr *state = state_of(strand);
	void *head = sennit__load_relaxed_ptr(state); /* relaxed: the cas checks it */

	sennit__fork_check(strand->executor_.runtime_, "sennit_post");
	do
		task->next_ = head == RUNNING(strand) ? NULL : head;
	while (!sennit__cas_acq_rel_ptr(state, &head, task)); /* P1, P2 */
	if (!head)
		sennit__submit(strand->inner_, &strand->turn_);
}

/* The list from its oldest task on. */
static struct sennit_task *reversed(struct sennit_task *task)
{
	struct sennit_task *oldest = NULL;

	do {
		struct sennit_task *older = task->next_;

		task->next_ = oldest;
		oldest = task;
		task = older;
	} while (task);
	return oldest;
}

/* Takes the list, which is not empty; oldest first. */
static inline struct sennit_task *take(struct sennit_strand *strand)
{
	/* P1 */
	struct sennit_task *task = sennit__exchange_acquire_ptr(state_of(strand), RUNNING(strand));

	return SENNIT__LIKELY(!task->next_) ? task : reversed(task);
}

/* After a list was taken: whether the runtime is being destroyed, which the worker then knows. Who
 * submits after destroy was called has told so by what was taken. */
static inline bool shuts_down(struct sennit__worker *worker, const struct sennit_runtime *runtime)
{
	if (SENNIT__LIKELY(!sennit__load_relaxed_u32(&runtime->shutdown))) /* relaxed: see above */
		return false;
	sennit__worker_notice_shutdown(worker);
	return true;
}

/* After a function of the strand, all that was taken being run: whether nothing has come since, and
 * the strand is idle and nothing of ours any more. */
static bool went_idle(struct sennit_strand *strand)
{
	void *state = sennit__load_relaxed_ptr(state_of(strand)); /* relaxed: the cas checks it */

	return state == RUNNING(strand) &&
	       sennit__cas_release_ptr(state_of(strand), &state, NULL); /* P2 */
}

/* Runs functions from `task` on until none is left or the budget is used up; true where a next turn
 * must go on with what the frame holds. What shuts down runs what was there when it came by in one
 * turn, however much, and what has come since in the next. The strand may be gone where false. */
static bool run_functions(struct sennit_strand *strand, struct sennit__worker *worker,
			  struct sennit__frame *frame, struct sennit_task *task)
{
	const struct sennit_runtime *runtime = worker->executor.runtime_;
	const volatile uint32_t *alive = runtime->alive;

	for (;;) {
		frame->ready = task->next_;
		worker->budget--;
		task->state_ = 0;
		task->function_(task, worker->shutdown);
		sennit__alive_check(alive, SENNIT__FORKED);
		if (SENNIT__UNLIKELY(!frame->strand))
			return false;
		task = frame->ready;
		if (!task && went_idle(strand))
			return false;
		if (SENNIT__UNLIKELY(!worker->budget))
			return true;
		/* relaxed: falling asleep fences before the run form returns */
		if (SENNIT__UNLIKELY(sennit__load_relaxed_u32(&runtime->stopped)) &&
		    !worker->shutdown)
			return true;
		if (task)
			continue;
		task = take(strand);
		if (shuts_down(worker, runtime)) {
			frame->ready = task;
			return true;
		}
	}
}

static void on_turn(struct sennit_task *task, int error)
{
	struct sennit_strand *strand = (struct sennit_strand *)(void *)((char *)task -
						offsetof(struct sennit_strand, turn_));
	struct sennit__worker *worker = sennit__current;
	struct sennit__frame frame = {strand, worker->frame, NULL};
	struct sennit_task *first = strand->ready_;
	bool more;

	(void)error;
	strand->ready_ = NULL;
	worker->budget++; /* the turn itself counts as no handler */
	if (!first)
		first = take(strand);
	(void)shuts_down(worker, worker->executor.runtime_);
	worker->frame = &frame;
	more = run_functions(strand, worker, &frame, first);
	worker->frame = frame.outer;
	if (more) {
		strand->ready_ = frame.ready;
		sennit__submit_stay(strand->inner_, &strand->turn_);
	}
}

/* Whether a dispatch to the strand's inner executor may run its function at once, and runs it. */
static bool dispatch_to_inner(struct sennit_strand *strand, struct sennit__worker *worker,
			      struct sennit_task *task, sennit_function *function)
{
	struct sennit_strand *inner = sennit__strand_of(strand->inner_);

	if (strand->inner_->kind_ == SENNIT__EXECUTOR_STRAND &&
	    !sennit__strand_inside(inner, worker))
		return sennit__strand_dispatch(inner, worker, task, function);
	worker->nested++;
	function(task, worker->shutdown);
	worker->nested--;
	return true;
}

bool sennit__strand_dispatch(struct sennit_strand *strand, struct sennit__worker *worker,
			     struct sennit_task *task, sennit_function *function)
{
	struct sennit__frame frame = {strand, worker->frame, NULL};
	void *idle = NULL;
	bool ran;

	if (!sennit_executor_runs_here(strand->base_) ||
	    !sennit__cas_acquire_ptr(state_of(strand), &idle, RUNNING(strand))) /* P2 */
		return false;
	worker->frame = &frame;
	ran = dispatch_to_inner(strand, worker, task, function);
	worker->frame = frame.outer;
	if (frame.strand && !went_idle(strand)) /* what has come meanwhile gets its turn */
		sennit__submit_stay(strand->inner_, &strand->turn_);
	return ran;
}
