/* SPDX-License-Identifier: MIT */
/* strand.c - strands (runtime/sched/strand.h) over an executor that is the model's: a list of turns
 * from which any thread takes what there is, so that turns move from worker to worker.
 *
 * The functions of a strand touch plain memory and nothing else keeps them apart, so that two at
 * once, or one that does not see what the last one did, is a race. Each has a worker of its own.
 */
#include "runtime/sched/strand.h"

#include "runtime/queue/inbox.h"
#include "runtime/sched/runtime.h"
#include "tests/model/explorer/explorer.h"

#include <sennit/error.h>

#define THREADS_MAX 3

struct job {
	struct sennit_task task;
	struct world *world;
	struct job *then; /* submitted from inside */
	int producer;
	int number;
	int given; /* the producer writes it; the function takes it back */
};

struct world {
	struct sennit_runtime *runtime;
	struct sennit_executor base;
	struct sennit__inbox turns; /* that the base executor was given */
	struct sennit_strand *strand;
	struct sennit_strand *outer; /* over strand, or NULL */
	uint64_t budget;
	/* the functions': */
	int inside;
	int ran;
	int next[THREADS_MAX]; /* each producer's come in order */
	int last;              /* the number of the one that frees the strand; 0: none does */
	int error;             /* what each is told */
	volatile uint32_t alive;
};

static struct world *make(uint64_t budget)
{
	struct world *w = model_new(sizeof *w);

	w->runtime = model_new(sizeof *w->runtime);
	w->runtime->alive = &w->alive;
	w->alive = 1;
	w->base.runtime_ = w->runtime;
	w->base.kind_ = SENNIT__EXECUTOR_RUNTIME;
	w->budget = budget;
	w->strand = model_new(sizeof *w->strand);
	sennit__inbox_init(&w->turns, false);
	sennit_strand_init(w->strand, &w->base);
	return w;
}

/* --- the executor below ----------------------------------------------------------------------- */

void sennit__submit(struct sennit_executor *executor, struct sennit_task *task)
{
	struct world *w;

	if (executor->kind_ == SENNIT__EXECUTOR_STRAND) {
		sennit__strand_submit(sennit__strand_of(executor), task);
		return;
	}
	w = (struct world *)(void *)((char *)executor - offsetof(struct world, base));
	model_assert(!sennit__inbox_push(&w->turns, task));
}

void sennit__submit_stay(struct sennit_executor *executor, struct sennit_task *task)
{
	sennit__submit(executor, task);
}

bool sennit_executor_runs_here(const struct sennit_executor *executor)
{
	return sennit__current && sennit__current->executor.runtime_ == executor->runtime_;
}

/* Makes the calling thread a worker. */
static struct sennit__worker *enter(struct world *w)
{
	struct sennit__worker *worker = model_new(sizeof *worker);

	worker->executor.runtime_ = w->runtime;
	sennit__current = worker;
	return worker;
}

/* Takes what turns there are and runs them; those that come of it too. */
static void run_turns(struct world *w, struct sennit__worker *worker)
{
	struct sennit__queue queue;
	uint64_t taken = 0;

	sennit__queue_init(&queue);
	while (sennit__inbox_drain(&w->turns, &queue, &taken), !sennit__queue_empty(&queue)) {
		struct sennit_task *turn = sennit__queue_pop(&queue);

		worker->budget = w->budget;
		worker->budget--;
		turn->function_(turn, 0);
		model_assert(worker->budget < w->budget);
		model_assert(!worker->frame);
	}
}

/* --- functions -------------------------------------------------------------------------------- */

static void submit(struct world *w, struct job *job)
{
	struct sennit_strand *strand = w->outer ? w->outer : w->strand;

	job->given = 1;
	job->task.state_ = 1;
	sennit__strand_submit(strand, &job->task);
}

static void on_job(struct sennit_task *task, int error)
{
	struct job *job = (struct job *)(void *)task;
	struct world *w = job->world;

	model_assert(error == w->error && !w->inside && job->given && !task->state_);
	w->inside = 1;
	model_assert(job->number == w->next[job->producer]);
	w->next[job->producer]++;
	w->ran++;
	job->given = 0;
	if (job->then)
		submit(w, job->then);
	w->inside = 0;
	if (w->ran == w->last) {
		sennit_strand_fini(w->strand);
		model_free(w->strand);
	}
}

static struct job *new_job(struct world *w, int producer, int number)
{
	struct job *job = model_new(sizeof *job);

	*job = (struct job){.world = w, .producer = producer, .number = number};
	job->task.function_ = on_job;
	return job;
}

static void submit_new(struct world *w, int producer, int number)
{
	submit(w, new_job(w, producer, number));
}

/* As sennit_dispatch does; whether it ran. */
static bool dispatch(struct world *w, struct sennit__worker *worker, struct job *job)
{
	job->given = 1;
	if (sennit__strand_dispatch(w->outer ? w->outer : w->strand, worker, &job->task, on_job))
		return true;
	submit(w, job);
	return false;
}

/* --- parties ---------------------------------------------------------------------------------- */

struct party {
	struct world *world;
	int number;
	int jobs;
	bool dispatches; /* instead of submitting */
	bool works;      /* is a worker, and runs turns */
	bool ran;        /* what it dispatched, at once */
};

static void act(void *argument)
{
	struct party *p = argument;
	struct world *w = p->world;
	struct sennit__worker *worker = p->works ? enter(w) : NULL;

	for (int i = 0; i < p->jobs; i++) {
		if (p->dispatches)
			p->ran = dispatch(w, worker, new_job(w, p->number, i));
		else
			submit_new(w, p->number, i);
	}
	if (worker)
		run_turns(w, worker);
}

static struct party *party(struct world *w, struct party how)
{
	struct party *p = model_new(sizeof *p);

	*p = how;
	p->world = w;
	return p;
}

/* All threads are done: what is left is run, and all must have been. */
static void end(struct world *w, int jobs)
{
	model_join();
	run_turns(w, enter(w));
	model_assert(w->ran == jobs && !w->inside);
	if (!w->last)
		sennit_strand_fini(w->strand);
}

/* --- scenarios -------------------------------------------------------------------------------- */

/* HE3: what comes as a turn finds nothing left gets another. */
static void what_comes_as_a_turn_ends_is_run(void)
{
	struct world *w = make(SENNIT__TURN);

	model_thread(act, party(w, (struct party){.number = 1, .jobs = 1}));
	act(party(w, (struct party){.jobs = 1, .works = true}));
	end(w, 2);
}

static void two_workers_take_turns(void)
{
	struct world *w = make(SENNIT__TURN);

	model_thread(act, party(w, (struct party){.number = 1, .jobs = 1, .works = true}));
	act(party(w, (struct party){.jobs = 2, .works = true}));
	end(w, 3);
}

static void a_budget_of_one_moves_what_is_left_to_the_other(void)
{
	struct world *w = make(1);

	model_thread(act, party(w, (struct party){.number = 1, .jobs = 1, .works = true}));
	act(party(w, (struct party){.jobs = 2, .works = true}));
	end(w, 3);
}

static void two_producers_and_a_worker(void)
{
	struct world *w = make(2);

	model_thread(act, party(w, (struct party){.number = 1, .jobs = 2}));
	model_thread(act, party(w, (struct party){.number = 2, .jobs = 1}));
	act(party(w, (struct party){.works = true}));
	end(w, 3);
}

static void three_workers_and_a_budget_of_one(void)
{
	struct world *w = make(1);

	model_thread(act, party(w, (struct party){.number = 1, .jobs = 1, .works = true}));
	model_thread(act, party(w, (struct party){.number = 2, .jobs = 1, .works = true}));
	act(party(w, (struct party){.jobs = 1, .works = true}));
	end(w, 3);
}

/* A function that submits the next one, as chains do, with a producer beside it. */
static void a_chain_and_a_producer(void)
{
	struct world *w = make(2);
	struct job *first = new_job(w, 0, 0);
	struct job *second = new_job(w, 0, 1);

	first->then = second;
	second->then = new_job(w, 0, 2);
	model_thread(act, party(w, (struct party){.number = 1, .jobs = 1, .works = true}));
	submit(w, first);
	run_turns(w, enter(w));
	end(w, 4);
}

/* HE4: whichever function comes last frees the strand, whoever submitted it. */
static void the_last_function_frees_the_strand(void)
{
	struct world *w = make(SENNIT__TURN);

	w->last = 2;
	model_thread(act, party(w, (struct party){.number = 1, .jobs = 1, .works = true}));
	act(party(w, (struct party){.jobs = 1, .works = true}));
	end(w, 2);
}

static void the_last_function_frees_the_strand_at_the_end_of_its_budget(void)
{
	struct world *w = make(1);

	w->last = 3;
	model_thread(act, party(w, (struct party){.number = 1, .jobs = 2, .works = true}));
	act(party(w, (struct party){.jobs = 1, .works = true}));
	end(w, 3);
}

static void a_dispatched_function_may_free_the_strand(void)
{
	struct world *w = make(SENNIT__TURN);

	w->last = 2;
	model_thread(act, party(w, (struct party){.number = 1, .jobs = 1}));
	act(party(w, (struct party){.jobs = 1, .works = true, .dispatches = true}));
	end(w, 2);
}

static void dispatch_runs_at_once_or_lines_up_behind_a_post(void)
{
	struct world *w = make(SENNIT__TURN);
	struct party *p = party(w, (struct party){.jobs = 1, .works = true, .dispatches = true});

	model_thread(act, party(w, (struct party){.number = 1, .jobs = 1, .works = true}));
	act(p);
	model_outcome(p->ran ? "at once" : "behind");
	end(w, 2);
}

static void of_two_that_dispatch_one_may_have_to_wait(void)
{
	struct world *w = make(SENNIT__TURN);
	struct party *p = party(w, (struct party){.jobs = 1, .works = true, .dispatches = true});
	struct party *q = party(w, (struct party){
		.number = 1, .jobs = 1, .works = true, .dispatches = true});

	model_thread(act, q);
	act(p);
	model_join();
	model_assert(p->ran || q->ran);
	model_outcome(p->ran && q->ran ? "both" : "one");
	end(w, 2);
}

/* --- strand over strand ----------------------------------------------------------------------- */

static struct world *make_nested(uint64_t budget)
{
	struct world *w = make(budget);

	w->outer = model_new(sizeof *w->outer);
	sennit_strand_init(w->outer, sennit_strand_executor(w->strand));
	return w;
}

static void submit_to_inner(void *argument)
{
	struct world *w = argument;
	struct job *job = new_job(w, 1, 0);

	job->given = 1;
	sennit__strand_submit(w->strand, &job->task);
	run_turns(w, enter(w));
}

static void the_functions_of_a_strand_exclude_those_of_one_over_it(void)
{
	struct world *w = make_nested(2);

	model_thread(submit_to_inner, w);
	act(party(w, (struct party){.jobs = 2, .works = true}));
	end(w, 3);
}

static void dispatch_enters_both_strands_or_none(void)
{
	struct world *w = make_nested(SENNIT__TURN);

	model_thread(submit_to_inner, w);
	act(party(w, (struct party){.jobs = 1, .works = true, .dispatches = true}));
	end(w, 2);
}

/* --- destroy ---------------------------------------------------------------------------------- */

static void submit_in_shutdown(void *argument)
{
	struct world *w = argument;

	/* as destroy does before its handlers run */
	sennit__store_release_u32(&w->runtime->shutdown, 1);
	w->error = SENNIT_SHUTDOWN;
	submit_new(w, 0, 0);
}

static void what_is_submitted_after_destroy_was_called_is_told(void)
{
	struct world *w = make(SENNIT__TURN);

	model_thread(submit_in_shutdown, w);
	run_turns(w, enter(w));
	end(w, 1);
}

#define SCENARIO(NAME, PREEMPTIONS) {.name = #NAME, .run = NAME, .preemptions = PREEMPTIONS}

const struct model_scenario model_scenarios[] = {
	SCENARIO(what_comes_as_a_turn_ends_is_run, MODEL_ALL),
	SCENARIO(two_workers_take_turns, MODEL_ALL),
	SCENARIO(a_budget_of_one_moves_what_is_left_to_the_other, MODEL_ALL),
	SCENARIO(two_producers_and_a_worker, MODEL_ALL),
	SCENARIO(three_workers_and_a_budget_of_one, 2),
	SCENARIO(a_chain_and_a_producer, MODEL_ALL),
	SCENARIO(the_last_function_frees_the_strand, MODEL_ALL),
	SCENARIO(the_last_function_frees_the_strand_at_the_end_of_its_budget, MODEL_ALL),
	SCENARIO(a_dispatched_function_may_free_the_strand, MODEL_ALL),
	{.name = "dispatch_runs_at_once_or_lines_up_behind_a_post",
	 .run = dispatch_runs_at_once_or_lines_up_behind_a_post,
	 .preemptions = MODEL_ALL,
	 .outcomes = "at once behind"},
	{.name = "of_two_that_dispatch_one_may_have_to_wait",
	 .run = of_two_that_dispatch_one_may_have_to_wait,
	 .preemptions = MODEL_ALL,
	 .outcomes = "both one"},
	SCENARIO(the_functions_of_a_strand_exclude_those_of_one_over_it, MODEL_ALL),
	SCENARIO(dispatch_enters_both_strands_or_none, MODEL_ALL),
	SCENARIO(what_is_submitted_after_destroy_was_called_is_told, MODEL_ALL),
	{0},
};
