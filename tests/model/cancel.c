/* SPDX-License-Identifier: MIT */
/* cancel.c - signals, slots and cancel states (runtime/cancel/), over the whole library: who asks
 * before an operation starts or after it is complete does nothing, every operation ends once, and
 * what was asked in between is never lost.
 */
#include "runtime/base/atomic.h"
#include "tests/model/object.h"

struct whole;

struct scene {
	struct world world;
	struct sennit_cancel_signal *signal;
	struct whole *whole;
	int told;
	struct sennit__atomic_u32 asked; /* how often, each time before it is asked */
	uint32_t heard;                  /* how often it had been when the target was told last */
};

static struct scene *scene_new(const char *data)
{
	struct scene *s = kernel_and(sizeof *s);

	world_init(&s->world, data);
	s->signal = model_new(sizeof *s->signal);
	s->world.blocks++;
	return s;
}

static struct scene *scene_of(struct world *w)
{
	return (struct scene *)(void *)w;
}

/* Starts a read of one byte that the signal can end. */
static void read_bound(struct scene *s, struct call *c)
{
	sennit_op_bind_slot(&c->op, sennit_cancel_signal_slot(s->signal));
	call_read(&s->world.object, c);
}

static void tell_and_emit(void *argument)
{
	struct scene *s = argument;

	s->told = 1;
	sennit_cancel_signal_emit(s->signal, SENNIT_CANCEL_TERMINAL);
}

static void send_one(void *argument)
{
	struct scene *s = argument;

	kernel_send(s->world.fd, "x");
}

static const char *verdict(const struct call *c)
{
	model_assert(was_canceled(c) || was_served(c));
	return c->error ? "canceled" : "served";
}

/* The slot serves nobody any more, and the signal may go. */
static void scene_end(struct scene *s)
{
	world_end(&s->world);
	model_assert(!sennit_cancel_slot_is_bound(sennit_cancel_signal_slot(s->signal)));
	model_free(s->signal);
}

/* --- one operation ---------------------------------------------------------------------------- */

static void an_emit_elsewhere_ends_an_operation(void)
{
	struct scene *s = scene_new("");

	s->world.call[0].told = &s->told;
	read_bound(s, &s->world.call[0]);
	model_thread(tell_and_emit, s);
	drive(&s->world);
	model_assert(was_canceled(&s->world.call[0]));
	scene_end(s);
}

static void an_emit_against_a_result_ends_a_read_once(void)
{
	struct scene *s = scene_new("");

	s->world.call[0].told = &s->told;
	kernel_announce_sender(s->world.fd);
	read_bound(s, &s->world.call[0]);
	model_thread(tell_and_emit, s);
	model_thread(send_one, s);
	drive(&s->world);
	model_outcome("%s", verdict(&s->world.call[0]));
	scene_end(s);
}

static void emit(void *argument)
{
	struct scene *s = argument;

	sennit_cancel_signal_emit(s->signal, SENNIT_CANCEL_ALL);
}

static void two_emits_against_a_result_send_one_message_at_a_time(void)
{
	struct scene *s = scene_new("");

	kernel_announce_sender(s->world.fd);
	read_bound(s, &s->world.call[0]);
	model_thread(emit, s);
	model_thread(emit, s);
	kernel_send(s->world.fd, "x");
	drive(&s->world);
	model_outcome("%s", verdict(&s->world.call[0]));
	scene_end(s);
}

static void emit_total_and_partial(void *argument)
{
	struct scene *s = argument;

	sennit_cancel_signal_emit(s->signal, SENNIT_CANCEL_TOTAL);
	s->told = 1;
	sennit_cancel_signal_emit(s->signal, SENNIT_CANCEL_PARTIAL);
}

/* A whole read heeds partial; total alone does nothing, and takes nothing back (S4). The first one
 * is on its way already: who sends it is of no interest, and one more thread costs twenty times the
 * executions. */
static void a_request_is_not_lost_among_others_that_are_not_heeded(void)
{
	struct scene *s = scene_new("");
	struct call *c = &s->world.call[0];

	c->told = &s->told;
	c->started = true;
	sennit_op_bind_slot(&c->op, sennit_cancel_signal_slot(s->signal));
	sennit_async_read(&s->world.object.stream, &c->data, 1, &c->op, on_end);
	sennit_cancel_signal_emit(s->signal, SENNIT_CANCEL_TOTAL);
	model_thread(emit_total_and_partial, s);
	drive(&s->world);
	model_assert(was_canceled(c));
	scene_end(s);
}

/* Either alone takes a preemption or none: with two it is four times as long. */
static void an_emit_against_cancel_of_the_object(void)
{
	struct scene *s = scene_new("");

	read_bound(s, &s->world.call[0]);
	model_thread(emit, s);
	model_thread(cancel, &s->world);
	drive(&s->world);
	model_assert(was_canceled(&s->world.call[0]));
	scene_end(s);
}

/* --- around the start ------------------------------------------------------------------------- */

static void start_and_emit(void *argument)
{
	struct scene *s = argument;

	s->told = 1;
	read_bound(s, &s->world.call[0]);
	sennit_cancel_signal_emit(s->signal, SENNIT_CANCEL_TOTAL);
}

static void an_emit_after_a_start_elsewhere_finds_it(void)
{
	struct scene *s = scene_new("x");

	s->world.call[0].told = &s->told;
	sennit_runtime_guard_get(s->world.runtime);
	model_thread(start_and_emit, s);
	look(&s->world);
	model_join();
	sennit_runtime_guard_put(s->world.runtime);
	drive(&s->world);
	model_outcome("%s", verdict(&s->world.call[0]));
	scene_end(s);
}

static void start_bound(void *argument)
{
	struct scene *s = argument;

	read_bound(s, &s->world.call[0]);
}

static void an_emit_may_come_before_a_start_elsewhere_or_overtake_it(void)
{
	struct scene *s = scene_new("x");

	model_thread(start_bound, s);
	model_thread(emit, s);
	drive(&s->world);
	model_join();
	drive(&s->world);
	model_outcome("%s", verdict(&s->world.call[0]));
	scene_end(s);
}

static void start_the_next(struct call *ended)
{
	struct scene *s = scene_of(ended->world);

	read_bound(s, &s->world.call[1]);
}

/* S6: the emit ends the one that it meets. */
static void an_emit_meets_one_of_two_operations_of_one_slot(void)
{
	struct scene *s = scene_new("x");

	s->world.call[0].then = start_the_next;
	kernel_announce_sender(s->world.fd);
	read_bound(s, &s->world.call[0]);
	model_thread(emit, s);
	model_thread(send_one, s);
	drive(&s->world);
	model_assert(was_served(&s->world.call[0]) || was_served(&s->world.call[1]));
	model_outcome("%c%c", *verdict(&s->world.call[0]), *verdict(&s->world.call[1]));
	scene_end(s);
}

static void on_owner_emit(struct sennit_task *task, int error)
{
	struct scene *s = scene_of(posted_by(task));

	(void)error;
	emit(s);
	model_assert(!s->world.call[0].ended); /* B9: never inside emit */
}

static void the_owners_emit_against_one_elsewhere(void)
{
	struct scene *s = scene_new("");

	read_bound(s, &s->world.call[0]);
	post(&s->world, on_owner_emit);
	model_thread(emit, s);
	drive(&s->world);
	model_assert(was_canceled(&s->world.call[0]));
	scene_end(s);
}

static void the_owners_emit_against_a_start_elsewhere(void)
{
	struct scene *s = scene_new("x");

	post(&s->world, on_owner_emit);
	model_thread(start_bound, s);
	drive(&s->world);
	model_join();
	drive(&s->world);
	model_outcome("%s", verdict(&s->world.call[0]));
	scene_end(s);
}

/* --- composed operations ---------------------------------------------------------------------- */

struct whole {
	struct sennit_cancel_state cancel;
	struct sennit_task task;
	struct scene *scene;
	struct sennit_runtime *elsewhere;
	unsigned *finished;
	int *cancelled;
};

static struct whole *whole_new(struct scene *s)
{
	struct whole *whole = model_new(sizeof *whole);

	whole->scene = s;
	whole->finished = model_new(sizeof *whole->finished);
	whole->cancelled = model_new(sizeof *whole->cancelled);
	s->world.blocks += 2;
	sennit_cancel_state_init(&whole->cancel, sennit_cancel_signal_slot(s->signal),
				 s->world.executor,
				 SENNIT_CANCEL_TERMINAL | SENNIT_CANCEL_PARTIAL,
				 SENNIT_CANCEL_TERMINAL, NULL);
	return whole;
}

static void on_finished(struct sennit_task *task, int error)
{
	struct whole *whole = (struct whole *)(void *)((char *)task - offsetof(struct whole, task));

	(void)error;
	++*whole->finished;
	*whole->cancelled = sennit_cancel_state_cancelled(&whole->cancel);
	model_free(whole);
}

static void finish(void *argument)
{
	struct whole *whole = argument;

	sennit_cancel_state_finish(&whole->cancel, whole->scene->world.executor, &whole->task,
				   on_finished);
}

/* The state is freed where the function runs: nothing may look at it afterwards. */
static void a_state_is_not_finished_while_a_request_is_on_its_way(void)
{
	struct scene *s = scene_new("");
	struct whole *whole = whole_new(s);
	unsigned *finished = whole->finished;
	int *cancelled = whole->cancelled;

	sennit_runtime_guard_get(s->world.runtime);
	model_thread(emit, s);
	model_thread(finish, whole);
	look(&s->world);
	model_join();
	sennit_runtime_guard_put(s->world.runtime);
	drive(&s->world);
	model_assert(*finished == 1);
	model_outcome("%d", *cancelled);
	scene_end(s);
}

static void finish_and_run_elsewhere(void *argument)
{
	struct whole *whole = argument;
	struct sennit_runtime *elsewhere;

	model_assert(sennit_runtime_create(NULL, &elsewhere) == 0);
	sennit_cancel_state_finish(&whole->cancel, sennit_runtime_executor(elsewhere),
				   &whole->task, on_finished);
	model_assert(sennit_runtime_run(elsewhere) == 1);
	model_assert(sennit_runtime_destroy(elsewhere) == 0);
}

/* Its function runs on another thread, at once. */
static void a_state_is_not_finished_while_the_owner_asks_it(void)
{
	struct scene *s = scene_new("");
	struct whole *whole = whole_new(s);
	unsigned *finished = whole->finished;

	post(&s->world, on_owner_emit);
	model_thread(finish_and_run_elsewhere, whole);
	look(&s->world);
	model_join();
	drive(&s->world);
	model_assert(*finished == 1);
	scene_end(s);
}

static void a_held_state_keeps_the_runtime(void)
{
	struct scene *s = scene_new("");
	struct whole *whole = whole_new(s);
	unsigned *finished = whole->finished;

	model_thread(emit, s);
	finish(whole);
	drive(&s->world);
	model_assert(*finished == 1);
	scene_end(s);
}

static void a_request_reaches_the_step_in_flight(void)
{
	struct scene *s = scene_new("");
	struct whole *whole = whole_new(s);
	unsigned *finished = whole->finished;
	int *cancelled = whole->cancelled;
	struct call *step = &s->world.call[0];

	step->told = &s->told;
	sennit_op_bind_slot(&step->op, sennit_cancel_state_slot(&whole->cancel));
	call_read(&s->world.object, step);
	model_thread(tell_and_emit, s);
	drive(&s->world);
	model_assert(was_canceled(step));
	finish(whole);
	drive(&s->world);
	model_assert(*finished == 1 && *cancelled == SENNIT_CANCEL_TERMINAL);
	scene_end(s);
}

/* A step is started by a thread that is not the owner, if no request was heard of before. */
static void look_and_start(void *argument)
{
	struct whole *whole = argument;
	struct call *step = &whole->scene->world.call[0];

	if (sennit_cancel_state_cancelled(&whole->cancel))
		return;
	sennit_op_bind_slot(&step->op, sennit_cancel_state_slot(&whole->cancel));
	call_read(&whole->scene->world.object, step);
}

static void on_look_and_start(struct sennit_task *task, int error)
{
	(void)error;
	look_and_start(scene_of(posted_by(task))->whole);
}

static void end_after_step(struct scene *s, struct whole *whole)
{
	struct call *step = &s->world.call[0];

	drive(&s->world);
	model_join();
	drive(&s->world);
	if (step->started)
		model_assert(was_canceled(step));
	model_outcome("%s", step->started ? "step" : "none");
	finish(whole);
	drive(&s->world);
	scene_end(s);
}

static void a_request_between_a_look_and_a_start_elsewhere_is_not_lost(void)
{
	struct scene *s = scene_new("");
	struct whole *whole = whole_new(s);

	model_thread(emit, s);
	model_thread(look_and_start, whole);
	end_after_step(s, whole);
}

/* The owner catches up with what was sent before it starts. */
static void a_request_between_a_look_and_a_start_on_the_owner_is_not_lost(void)
{
	struct scene *s = scene_new("");
	struct whole *whole = whole_new(s);

	s->whole = whole;
	post(&s->world, on_look_and_start);
	model_thread(emit, s);
	end_after_step(s, whole);
}

/* Frees the state, too. */
static void scene_end_with(struct scene *s, struct whole *whole)
{
	whole->scene = s;
	whole->finished = model_new(sizeof *whole->finished);
	whole->cancelled = model_new(sizeof *whole->cancelled);
	s->world.blocks++;
	finish(whole);
	drive(&s->world);
	scene_end(s);
}

static void look_for_a_request(void *argument)
{
	struct whole *whole = argument;

	if (sennit_cancel_state_cancelled(&whole->cancel))
		model_assert(whole->scene->told);
}

static void who_hears_of_a_request_sees_what_came_before_it(void)
{
	struct scene *s = scene_new("");
	struct whole *whole = whole_new(s);

	model_thread(tell_and_emit, s);
	model_thread(look_for_a_request, whole);
	look(&s->world);
	model_join();
	look(&s->world);
	model_assert(sennit_cancel_state_cancelled(&whole->cancel) == SENNIT_CANCEL_TERMINAL);
	finish(whole);
	drive(&s->world);
	scene_end(s);
}

static void on_request(struct sennit_cancel_state *state, int types)
{
	struct scene *s = state->user;

	if (types & SENNIT_CANCEL_TERMINAL)
		model_assert(s->told);
}

static void emit_partial(void *argument)
{
	struct scene *s = argument;

	sennit_cancel_signal_emit(s->signal, SENNIT_CANCEL_PARTIAL);
}

/* Bound to the worker, by whichever thread. */
static void begin_whole(void *argument)
{
	struct whole *whole = argument;

	whole->cancel.user = whole->scene;
	sennit_cancel_state_init(&whole->cancel, sennit_cancel_signal_slot(whole->scene->signal),
				 whole->scene->world.executor, SENNIT_CANCEL_ALL, 0, on_request);
}

static void what_another_ones_message_brings_is_seen_too(void)
{
	struct scene *s = scene_new("");
	struct whole *whole = model_new(sizeof *whole);

	s->world.blocks++;
	whole->scene = s;
	begin_whole(whole);
	model_thread(tell_and_emit, s);
	model_thread(emit_partial, s);
	look(&s->world);
	model_join();
	look(&s->world);
	model_assert(sennit_cancel_state_cancelled(&whole->cancel) ==
		     (SENNIT_CANCEL_TERMINAL | SENNIT_CANCEL_PARTIAL));
	scene_end_with(s, whole);
}

static void the_owners_emit_against_a_state_that_begins_elsewhere(void)
{
	struct scene *s = scene_new("");
	struct whole *whole = model_new(sizeof *whole);

	s->world.blocks++;
	whole->scene = s;
	s->told = 1;
	post(&s->world, on_owner_emit);
	model_thread(begin_whole, whole);
	look(&s->world);
	model_join();
	model_outcome("%d", sennit_cancel_state_cancelled(&whole->cancel));
	scene_end_with(s, whole);
}

/* --- repeats ---------------------------------------------------------------------------------- */

static void emit_once_more(void *argument)
{
	struct scene *s = argument;

	(void)sennit__fetch_add_acq_rel_u32(&s->asked, 1);
	emit(s);
}

static void hear(struct sennit_cancel_state *state, int types)
{
	struct scene *s = state->user;

	(void)types;
	s->heard = sennit__load_acquire_u32(&s->asked);
}

static struct whole *whole_that_hears(struct scene *s)
{
	struct whole *whole = whole_new(s);

	whole->cancel.user = s;
	whole->cancel.function_ = hear;
	return whole;
}

/* Types that are asked for while they are being told are told once more: each request is told of
 * after it was made. */
static void a_repeat_while_it_is_being_told_is_told_too(void)
{
	struct scene *s = scene_new("");
	struct whole *whole = whole_that_hears(s);

	post(&s->world, on_owner_emit);
	model_thread(emit_once_more, s);
	look(&s->world);
	model_join();
	look(&s->world);
	model_assert(s->heard == 1);
	finish(whole);
	drive(&s->world);
	scene_end(s);
}

static void emit_twice_more(void *argument)
{
	emit_once_more(argument);
	emit_once_more(argument);
}

/* The second one finds the message of the first on its way once more, or sends its own. */
static void a_repeat_after_a_repeat_is_told_too(void)
{
	struct scene *s = scene_new("");
	struct whole *whole = whole_that_hears(s);

	post(&s->world, on_owner_emit);
	model_thread(emit_twice_more, s);
	look(&s->world);
	model_join();
	look(&s->world);
	model_assert(s->heard == 2);
	finish(whole);
	drive(&s->world);
	scene_end(s);
}

static void of_two_repeats_elsewhere_the_last_is_told_too(void)
{
	struct scene *s = scene_new("");
	struct whole *whole = whole_that_hears(s);

	model_thread(emit_once_more, s);
	model_thread(emit_once_more, s);
	look(&s->world);
	model_join();
	look(&s->world);
	model_assert(s->heard == 2);
	finish(whole);
	drive(&s->world);
	scene_end(s);
}

static void repeat_and_finish(void *argument)
{
	struct whole *whole = argument;

	emit_once_more(whole->scene);
	finish(whole);
}

/* The message that is sent once more keeps the state, too. */
static void a_state_is_not_finished_while_a_repeat_is_on_its_way(void)
{
	struct scene *s = scene_new("");
	struct whole *whole = whole_that_hears(s);
	unsigned *finished = whole->finished;

	sennit_runtime_guard_get(s->world.runtime);
	post(&s->world, on_owner_emit);
	model_thread(repeat_and_finish, whole);
	look(&s->world);
	model_join();
	sennit_runtime_guard_put(s->world.runtime);
	drive(&s->world);
	model_assert(*finished == 1);
	model_outcome("%u", s->heard);
	scene_end(s);
}

/* --- a state of another runtime --------------------------------------------------------------- */

static void take_elsewhere(void *argument)
{
	struct scene *s = argument;

	s->told = 1;
	sennit_cancel_signal_emit(s->signal, SENNIT_CANCEL_TERMINAL);
	model_assert(sennit_runtime_poll(s->whole->elsewhere) >= 0);
}

/* The state is another runtime's: its worker keeps the request, or sends it on. */
static void what_is_kept_for_a_step_brings_what_came_before_it(void)
{
	struct scene *s = scene_new("");
	struct whole *whole = model_new(sizeof *whole);
	struct call *step = &s->world.call[0];
	struct sennit_runtime *elsewhere;

	s->world.blocks++;
	s->whole = whole;
	step->told = &s->told;
	model_assert(sennit_runtime_create(NULL, &elsewhere) == 0);
	whole->elsewhere = elsewhere;
	sennit_cancel_state_init(&whole->cancel, sennit_cancel_signal_slot(s->signal),
				 sennit_runtime_executor(elsewhere), SENNIT_CANCEL_TERMINAL,
				 SENNIT_CANCEL_TERMINAL, NULL);
	model_thread(take_elsewhere, s);
	sennit_op_bind_slot(&step->op, sennit_cancel_state_slot(&whole->cancel));
	call_read(&s->world.object, step);
	drive(&s->world);
	model_join();
	model_assert(was_canceled(step));
	model_assert(sennit_runtime_destroy(elsewhere) == 0);
	scene_end_with(s, whole);
}

#define SCENARIO(function, bound, ...)                                                             \
	{.name = #function, .run = function, .preemptions = (bound), __VA_ARGS__}

const struct model_scenario model_scenarios[] = {
	SCENARIO(an_emit_elsewhere_ends_an_operation, MODEL_ALL),
	SCENARIO(an_emit_against_a_result_ends_a_read_once, 3, .outcomes = "canceled served"),
	SCENARIO(two_emits_against_a_result_send_one_message_at_a_time, 3,
		 .outcomes = "canceled served"),
	SCENARIO(a_request_is_not_lost_among_others_that_are_not_heeded, MODEL_ALL),
	SCENARIO(an_emit_against_cancel_of_the_object, 1),
	SCENARIO(an_emit_after_a_start_elsewhere_finds_it, MODEL_ALL,
		 .outcomes = "canceled served"),
	SCENARIO(an_emit_may_come_before_a_start_elsewhere_or_overtake_it, 3,
		 .outcomes = "canceled served"),
	SCENARIO(an_emit_meets_one_of_two_operations_of_one_slot, 3,
		 .outcomes = "cs sc ss"),
	SCENARIO(the_owners_emit_against_one_elsewhere, MODEL_ALL),
	SCENARIO(the_owners_emit_against_a_start_elsewhere, MODEL_ALL,
		 .outcomes = "canceled served"),
	SCENARIO(a_state_is_not_finished_while_a_request_is_on_its_way, 3, .outcomes = "0 3"),
	SCENARIO(a_state_is_not_finished_while_the_owner_asks_it, 2),
	SCENARIO(a_held_state_keeps_the_runtime, MODEL_ALL),
	SCENARIO(a_request_between_a_look_and_a_start_elsewhere_is_not_lost, 2,
		 .outcomes = "none step"),
	SCENARIO(a_request_between_a_look_and_a_start_on_the_owner_is_not_lost, MODEL_ALL,
		 .outcomes = "none step"),
	SCENARIO(what_is_kept_for_a_step_brings_what_came_before_it, 2),
	SCENARIO(a_request_reaches_the_step_in_flight, MODEL_ALL),
	SCENARIO(who_hears_of_a_request_sees_what_came_before_it, 3),
	SCENARIO(what_another_ones_message_brings_is_seen_too, 3),
	SCENARIO(the_owners_emit_against_a_state_that_begins_elsewhere, MODEL_ALL,
		 .outcomes = "0 7"),
	SCENARIO(a_repeat_while_it_is_being_told_is_told_too, MODEL_ALL),
	SCENARIO(a_repeat_after_a_repeat_is_told_too, MODEL_ALL),
	SCENARIO(of_two_repeats_elsewhere_the_last_is_told_too, 3),
	SCENARIO(a_state_is_not_finished_while_a_repeat_is_on_its_way, 3),
	{0},
};
