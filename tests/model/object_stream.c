/* SPDX-License-Identifier: MIT */
/* object_stream.c - streams of a type (sennit/stream_implement.h) that are opened, cancelled and
 * closed elsewhere than on their owner, and destroyed while they are open (io/object.h).
 */
#include "tests/model/object.h"

#include <sennit/stream_implement.h>

/* A stream that completes a read when it is told to. It is freed by the type's close. */
struct tube {
	struct sennit_stream stream;
	struct self *self;
	struct world world; /* without its descriptor */
};

struct self {
	struct tube *tube;
	struct sennit_op *pending;
	const int *told; /* to be read at the end */
};

static void tube_read(void *self, struct sennit_op *op)
{
	struct self *s = self;

	model_assert(!s->pending);
	s->pending = op;
}

static void complete(struct self *s, int error)
{
	struct sennit_op *op = s->pending;

	s->pending = NULL;
	if (!error)
		sennit_op_advance(op, 1);
	sennit_op_complete(op, error);
}

static void tube_cancel(void *self, struct sennit_op *op, int types, int error)
{
	struct self *s = self;

	struct call *c = (struct call *)(void *)op;

	(void)types;
	model_assert(op == s->pending);
	if (c->told)
		model_assert(*c->told);
	complete(s, error);
}

static void tube_close(void *self)
{
	struct self *s = self;

	if (s->told)
		model_assert(*s->told);
	model_assert(!s->pending);
	s->tube->self = NULL;
	model_free(s);
}

static const struct sennit_stream_type tube_type = {
	.name = "tube", .read = tube_read, .cancel = tube_cancel, .close = tube_close};

/* One whose reads are there at once. */
static void spring_read(void *self, struct sennit_op *op)
{
	struct self *s = self;

	s->pending = op;
	complete(s, 0);
}

static const struct sennit_stream_type spring_type = {
	.name = "spring", .read = spring_read, .close = tube_close};

static struct tube *tube_new(void)
{
	struct tube *t = kernel_and(sizeof *t);

	t->world.blocks = model_blocks() - kernel_blocks();
	model_assert(sennit_runtime_create(NULL, &t->world.runtime) == 0);
	t->world.executor = sennit_runtime_executor(t->world.runtime);
	t->self = model_new(sizeof *t->self);
	t->self->tube = t;
	return t;
}

static void open_as(struct tube *t, const struct sennit_stream_type *type)
{
	model_assert(sennit_stream_open(&t->stream, t->world.executor, type, t->self) == 0);
}

static void start(struct tube *t, struct call *c)
{
	c->started = true;
	sennit_async_read_some(&t->stream, &c->data, 1, &c->op, on_end);
}

/* Once all threads are done. The stream is closed, by destroy at the latest. */
static void tube_end(struct tube *t)
{
	model_join();
	drive(&t->world);
	model_assert(sennit_runtime_destroy(t->world.runtime) == 0);
	model_assert(!t->self);
	check_calls(&t->world);
	model_assert(kernel_open_count() == 0);
	model_assert(model_blocks() == t->world.blocks + kernel_blocks());
}

/* --- opened elsewhere ------------------------------------------------------------------------- */

static void open_start_close(void *argument)
{
	struct tube *t = argument;

	open_as(t, &tube_type);
	start(t, &t->world.call[0]);
	sennit_close(&t->stream);
}

static void one_opened_and_closed_elsewhere_closes_once(void)
{
	struct tube *t = tube_new();

	model_thread(open_start_close, t);
	drive(&t->world);
	model_join();
	drive(&t->world);
	model_assert(was_canceled(&t->world.call[0]));
	model_assert(!t->self);
	tube_end(t);
}

static void open_and_leave(void *argument)
{
	open_as(argument, &tube_type);
}

static void one_opened_elsewhere_is_closed_by_destroy(void)
{
	struct tube *t = tube_new();

	model_thread(open_and_leave, t);
	look(&t->world);
	model_join();
	model_assert(sennit_is_open(&t->stream));
	model_assert(sennit_runtime_destroy(t->world.runtime) == 0);
	model_assert(!t->self);
	model_assert(model_blocks() == t->world.blocks + kernel_blocks());
}

static void open_cancel_start(void *argument)
{
	struct tube *t = argument;

	open_as(t, &spring_type);
	sennit_cancel(&t->stream); /* its message and that of the opening are one */
	start(t, &t->world.call[0]);
}

static void a_cancel_just_after_opening_elsewhere_sends_no_second_message(void)
{
	struct tube *t = tube_new();

	model_thread(open_cancel_start, t);
	drive(&t->world);
	model_join();
	drive(&t->world);
	model_assert(was_served(&t->world.call[0]));
	sennit_close(&t->stream);
	tube_end(t);
}

static void one_with_a_read_in_flight_ends_with_the_runtime(void)
{
	struct tube *t = tube_new();

	open_as(t, &tube_type);
	start(t, &t->world.call[0]);
	model_assert(sennit_runtime_destroy(t->world.runtime) == 0);
	model_assert(t->world.call[0].ended == 1 && t->world.call[0].error == SENNIT_SHUTDOWN);
	model_assert(!t->self);
	model_assert(model_blocks() == t->world.blocks + kernel_blocks());
}

/* --- against what the owner does -------------------------------------------------------------- */

struct poke {
	struct sennit_task task;
	struct tube *tube;
};

/* On the owner: what was waited for is there. */
static void on_poke(struct sennit_task *task, int error)
{
	struct tube *t = ((struct poke *)(void *)task)->tube;

	(void)error;
	if (t->self && t->self->pending)
		complete(t->self, 0);
}

static void poke(struct tube *t)
{
	struct poke *p = model_new(sizeof *p);

	t->world.blocks++;
	p->tube = t;
	sennit_post(t->world.executor, &p->task, on_poke);
}

static void tell_and_close(void *argument)
{
	struct tube *t = argument;

	t->world.told = 1;
	sennit_close(&t->stream);
}

static void cancel_it(void *argument)
{
	sennit_cancel(&((struct tube *)argument)->stream);
}

static void close_it(void *argument)
{
	sennit_close(&((struct tube *)argument)->stream);
}

/* What the closer did before is there for the type's close, also where that is called because the
 * last operation completes just then. */
static void a_close_elsewhere_against_a_completion(void)
{
	struct tube *t = tube_new();

	t->self->told = &t->world.told;
	open_as(t, &tube_type);
	start(t, &t->world.call[0]);
	poke(t);
	model_thread(tell_and_close, t);
	drive(&t->world);
	model_join();
	drive(&t->world);
	model_assert(was_canceled(&t->world.call[0]) || was_served(&t->world.call[0]));
	model_outcome("%s", t->world.call[0].error ? "canceled" : "served");
	tube_end(t);
}

static void a_cancel_and_a_close_elsewhere_against_a_completion(void)
{
	struct tube *t = tube_new();

	open_as(t, &tube_type);
	start(t, &t->world.call[0]);
	poke(t);
	model_thread(cancel_it, t);
	model_thread(close_it, t);
	drive(&t->world);
	model_join();
	drive(&t->world);
	model_assert(was_canceled(&t->world.call[0]) || was_served(&t->world.call[0]));
	model_outcome("%s", t->world.call[0].error ? "canceled" : "served");
	tube_end(t);
}

static void cancel_start_tell_cancel(void *argument)
{
	struct tube *t = argument;
	struct call *c = &t->world.call[0];

	sennit_cancel(&t->stream);
	start(t, c);
	/* where both cancels so far came before the start, what ends it is the third: the type must
	 * see what was done before that one, whichever message tells of it */
	if ((c->op.stamp_ >> 2 & 3) == 2)
		c->told = &t->world.told;
	t->world.told = 1;
	sennit_cancel(&t->stream);
}

static void what_a_type_is_asked_to_end_sees_what_came_before_whichever_message_told(void)
{
	struct tube *t = tube_new();

	open_as(t, &tube_type);
	look(&t->world); /* the message of the opening is done with */
	model_thread(cancel_start_tell_cancel, t);
	cancel_it(t); /* its message may come late: after the start, and before the third cancel */
	look(&t->world);
	model_join();
	drive(&t->world);
	model_assert(was_canceled(&t->world.call[0]));
	sennit_close(&t->stream);
	tube_end(t);
}

static void two_closes_elsewhere_close_once(void)
{
	struct tube *t = tube_new();

	open_as(t, &tube_type);
	start(t, &t->world.call[0]);
	model_thread(close_it, t);
	model_thread(close_it, t);
	drive(&t->world);
	model_join();
	model_assert(was_canceled(&t->world.call[0]));
	tube_end(t);
}

static void a_close_elsewhere_against_reads_that_are_served_at_once(void)
{
	struct tube *t = tube_new();

	t->self->told = t->world.call[1].told = &t->world.told;
	open_as(t, &spring_type);
	start(t, &t->world.call[0]);
	start(t, &t->world.call[1]);
	model_thread(tell_and_close, t);
	drive(&t->world);
	model_join();
	drive(&t->world);
	model_assert(!t->self);
	model_outcome("%d/%d", -t->world.call[0].error, -t->world.call[1].error);
	tube_end(t);
}

/* Three preemptions where all schedules took half a minute: ten and twenty times as many. */
const struct model_scenario model_scenarios[] = {
	{.name = "one_opened_and_closed_elsewhere_closes_once",
	 .run = one_opened_and_closed_elsewhere_closes_once,
	 .preemptions = 3},
	{.name = "one_opened_elsewhere_is_closed_by_destroy",
	 .run = one_opened_elsewhere_is_closed_by_destroy,
	 .preemptions = MODEL_ALL},
	{.name = "a_cancel_just_after_opening_elsewhere_sends_no_second_message",
	 .run = a_cancel_just_after_opening_elsewhere_sends_no_second_message,
	 .preemptions = 3},
	{.name = "one_with_a_read_in_flight_ends_with_the_runtime",
	 .run = one_with_a_read_in_flight_ends_with_the_runtime,
	 .preemptions = MODEL_ALL},
	{.name = "a_close_elsewhere_against_a_completion",
	 .run = a_close_elsewhere_against_a_completion,
	 .preemptions = MODEL_ALL,
	 .outcomes = "canceled served"},
	{.name = "a_cancel_and_a_close_elsewhere_against_a_completion",
	 .run = a_cancel_and_a_close_elsewhere_against_a_completion,
	 .preemptions = 3,
	 .outcomes = "canceled served"},
	{.name = "what_a_type_is_asked_to_end_sees_what_came_before_whichever_message_told",
	 .run = what_a_type_is_asked_to_end_sees_what_came_before_whichever_message_told,
	 .preemptions = 3},
	{.name = "two_closes_elsewhere_close_once",
	 .run = two_closes_elsewhere_close_once,
	 .preemptions = MODEL_ALL},
	{.name = "a_close_elsewhere_against_reads_that_are_served_at_once",
	 .run = a_close_elsewhere_against_reads_that_are_served_at_once,
	 .preemptions = MODEL_ALL,
	 .outcomes = "0/0 0/125 125/125"},
	{0},
};
