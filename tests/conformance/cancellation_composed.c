/* SPDX-License-Identifier: MIT */
/* cancellation_composed.c - cancellation of what is composed of several operations: one that a user
 * wrote, with sennit_cancel_state, asked in each of its gaps; and the library's on a stream type.
 */
#include "chunk_stream.h"
#include "io_support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANY      SENNIT_CANCEL_ALL
#define TERMINAL SENNIT_CANCEL_TERMINAL
#define PARTIAL  SENNIT_CANCEL_PARTIAL
#define TOTAL    SENNIT_CANCEL_TOTAL

struct question {
	struct sennit_cancel_signal *signal;
	int types;
};

static void call_emit(void *argument)
{
	const struct question *q = argument;

	sennit_cancel_signal_emit(q->signal, q->types);
}

static void emit_on(const struct stage *stage, enum thread_kind asker,
                    struct sennit_cancel_signal *signal, int types)
{
	struct question question = { signal, types };
	struct stage there = *stage;

	there.kind = asker;
	call_on_kind(&there, call_emit, &question);
}

/* --- a composed operation --------------------------------------------------------------------- */

#define LONGEST 9

/* Reads a digit and that many bytes. */
struct record {
	struct sennit_descriptor descriptor;
	struct sennit_cancel_signal signal;
	struct sennit_cancel_state cancel;
	struct sennit_executor *executor;
	struct sennit_op step;
	struct sennit_task task;
	struct sennit_task interloper;
	struct latch checked; /* where it stops between the check and the next step */
	struct latch go_on;
	struct latch done;
	char data[LONGEST];
	size_t wanted;
	size_t bytes;
	int at; /* the step after which it is asked; -1: none */
	bool stops;
	int error;
	int ends;
};

static void on_finished(struct sennit_task *task, int error)
{
	struct record *r = CONTAINER_OF(task, struct record, task);

	(void)error;
	r->ends++;
	RECORD(!sennit_cancel_slot_is_bound(sennit_cancel_signal_slot(&r->signal)));
	latch_down(&r->done);
}

static void finish_record(struct record *r, int error)
{
	r->error = error;
	sennit_cancel_state_finish(&r->cancel, r->executor, &r->task, on_finished);
}

static void on_interlude(struct sennit_task *task, int error)
{
	struct record *r = CONTAINER_OF(task, struct record, interloper);

	(void)error;
	sennit_cancel_signal_emit(&r->signal, TERMINAL);
}

static void on_step(struct sennit_op *op, int error, size_t bytes);

static void start_step(struct record *r)
{
	struct sennit_stream *stream = &r->descriptor.stream;

	/* The step is served at its start, where there is something: its handler comes second. */
	if (r->at == (int)r->bytes)
		sennit_post(r->executor, &r->interloper, on_interlude);
	sennit_op_bind_slot(&r->step, sennit_cancel_state_slot(&r->cancel));
	sennit_async_read_some(stream, r->data + r->bytes, 1, &r->step, on_step);
}

static void on_step(struct sennit_op *op, int error, size_t bytes)
{
	struct record *r = op->user;

	if (!r->bytes && bytes)
		r->wanted = 1 + (size_t)(r->data[0] - '0');
	r->bytes += bytes;
	if (!error && r->bytes < r->wanted && sennit_cancel_state_cancelled(&r->cancel))
		error = -ECANCELED;
	if (!error && r->stops) {
		latch_down(&r->checked);
		latch_wait(&r->go_on);
	}
	if (error || r->bytes == r->wanted)
		finish_record(r, error);
	else
		start_step(r);
}

static void start_record(void *argument)
{
	struct record *r = argument;

	start_step(r);
}

static int open_record(struct stage *stage, struct record *r, int in, int out)
{
	int peer;

	*r = (struct record){ .executor = stage->owner,
		              .wanted = LONGEST,
		              .at = -1,
		              .done = LATCH(1),
		              .checked = LATCH(1),
		              .go_on = LATCH(1) };
	peer = open_local(stage, &r->descriptor);
	r->step.user = r;
	sennit_cancel_state_init(&r->cancel, sennit_cancel_signal_slot(&r->signal), stage->owner,
	                         in, out, NULL);
	return peer;
}

static void close_record(struct stage *stage, struct record *r, int peer)
{
	assert_int_equal(r->ends, 1);
	START(stage, { CLOSE, .stream = &r->descriptor.stream });
	raw_close(peer);
	finish(stage, NULL, 0);
}

/* C102, C103, B24. */
SCENARIO(C102_C103_the_filter_says_which_requests_end_a_composed_operation)
{
	static const int filters[] = { TERMINAL, TERMINAL | PARTIAL, ANY };
	static const int types[] = { TERMINAL, PARTIAL, TOTAL };

	for (size_t i = 0; i < COUNT_OF(filters) * COUNT_OF(types) * THREAD_KINDS; i++) {
		enum thread_kind asker = (enum thread_kind)(i % THREAD_KINDS);
		int filter = filters[i / THREAD_KINDS % 3], type = types[i / THREAD_KINDS / 3];
		struct record r;
		int peer = open_record(stage, &r, filter, filter);

		raw_write(peer, "3a", 2);
		call_on_kind(stage, start_record, &r);
		wait_until_read(sennit_descriptor_native_handle(&r.descriptor));
		owner_turn(stage);
		owner_turn(stage);
		emit_on(stage, asker, &r.signal, type);
		if (!(type & filter)) {
			owner_turn(stage);
			raw_write(peer, "bc", 2);
		}
		latch_wait(&r.done);
		assert_int_equal(r.error, type & filter ? -ECANCELED : 0);
		assert_int_equal(r.bytes, type & filter ? 2 : 4);
		close_record(stage, &r, peer);
	}
}

/* HB5, B20: each step is done, its handler still due. */
SCENARIO(HB5_a_request_in_a_gap_ends_it_before_the_next_step)
{
	for (int at = 0; at <= 3; at++) {
		struct record r;
		char rest[4];
		int peer = open_record(stage, &r, TERMINAL, TERMINAL);

		r.at = at;
		raw_write(peer, "3abc", 4);
		call_on_owner(stage, start_record, &r);
		latch_wait(&r.done);
		/* B21: after the last byte it is a success. */
		assert_int_equal(r.error, at < 3 ? -ECANCELED : 0);
		assert_int_equal(r.bytes, at + 1);
		if (at < 3) {
			int fd = -1;

			assert_int_equal(sennit_descriptor_release(&r.descriptor, &fd), 0);
			raw_read(fd, rest, 3 - (size_t)at); /* what it has not read is there */
			assert_memory_equal(rest, &"3abc"[at + 1], 3 - (size_t)at);
			raw_close(fd);
		}
		close_record(stage, &r, peer);
	}
}

/* HB5: made after the look at the state, handled before the next step has begun. */
SCENARIO(HB5_a_request_between_the_look_and_the_next_step_is_not_lost)
{
	enum thread_kind asker = stage->kind == THREAD_OWNER ? THREAD_FOREIGN : stage->kind;
	struct record r;
	int peer = open_record(stage, &r, TERMINAL, TERMINAL);

	r.stops = true;
	raw_write(peer, "3", 1);
	call_on_owner(stage, start_record, &r);
	latch_wait(&r.checked);
	emit_on(stage, asker, &r.signal, TERMINAL);
	r.stops = false;
	latch_down(&r.go_on);
	latch_wait(&r.done);
	assert_int_equal(r.error, -ECANCELED);
	assert_int_equal(r.bytes, 1);
	close_record(stage, &r, peer);
}

struct end {
	struct sennit_task task;
	struct latch done;
};

static void on_state_end(struct sennit_task *task, int error)
{
	(void)error;
	latch_down(&CONTAINER_OF(task, struct end, task)->done);
}

/* Finishes two states, and waits for it. */
static void end_states(struct stage *stage, struct sennit_cancel_state *within,
                       struct sennit_cancel_state *whole)
{
	struct end ends[2] = { { .done = LATCH(1) }, { .done = LATCH(1) } };

	sennit_cancel_state_finish(within, stage->owner, &ends[0].task, on_state_end);
	latch_wait(&ends[0].done);
	sennit_cancel_state_finish(whole, stage->owner, &ends[1].task, on_state_end);
	latch_wait(&ends[1].done);
}

/* The request meets no step, and is forgotten before there is one. */
SCENARIO(what_the_composed_operation_has_dealt_with_does_not_end_its_next_step)
{
	struct record r;
	int peer = open_record(stage, &r, ANY, ANY);

	for (int asker = 0; asker < THREAD_KINDS; asker++)
		emit_on(stage, (enum thread_kind)asker, &r.signal, TERMINAL);
	owner_turn(stage);
	assert_int_equal(sennit_cancel_state_cancelled(&r.cancel), TERMINAL);
	assert_false(sennit_cancel_slot_is_bound(sennit_cancel_state_slot(&r.cancel)));
	sennit_cancel_state_clear(&r.cancel, TERMINAL);
	raw_write(peer, "1a", 2);
	call_on_kind(stage, start_record, &r);
	latch_wait(&r.done);
	assert_int_equal(r.error, 0);
	assert_int_equal(r.bytes, 2);
	close_record(stage, &r, peer);
}

/* A composed operation that is a step of another hears of what was requested before it began. */
SCENARIO(a_step_that_is_composed_itself_hears_of_what_came_before_it)
{
	struct sennit_cancel_state whole, within;
	struct sennit_cancel_signal signal = { 0 };

	sennit_cancel_state_init(&whole, &signal.slot_, stage->owner, ANY, PARTIAL | TOTAL, NULL);
	emit_on(stage, stage->kind, &signal, PARTIAL | TERMINAL);
	owner_turn(stage);
	sennit_cancel_state_init(&within, sennit_cancel_state_slot(&whole), stage->owner,
	                         TERMINAL | PARTIAL, ANY, NULL);
	assert_int_equal(sennit_cancel_state_cancelled(&whole), TERMINAL | PARTIAL);
	assert_int_equal(sennit_cancel_state_cancelled(&within), PARTIAL);
	emit_on(stage, stage->kind, &signal, TOTAL);
	owner_turn(stage);
	assert_int_equal(sennit_cancel_state_cancelled(&whole), ANY);
	assert_int_equal(sennit_cancel_state_cancelled(&within), PARTIAL);
	end_states(stage, &within, &whole);
	assert_false(sennit_cancel_slot_is_bound(&signal.slot_));
}

/* --- its end ---------------------------------------------------------------------------------- */

struct abroad {
	struct sennit_runtime *runtime;
	struct latch began;
	int64_t ran;
	pid_t tid;
};

static void *run_abroad(void *argument)
{
	struct abroad *abroad = argument;

	abroad->tid = gettid();
	latch_down(&abroad->began);
	abroad->ran = sennit_runtime_run(abroad->runtime);
	return NULL;
}

/* The request is on its way, so the state cannot go yet; nor can the runtime that is to learn of
 * its end, though it has nothing else to do. */
SCENARIO(a_runtime_goes_on_that_a_composed_operation_of_another_is_to_end_on)
{
	struct abroad abroad = { .runtime = driven_runtime(), .began = LATCH(1) };
	enum thread_kind asker = stage->kind == THREAD_OWNER ? THREAD_FOREIGN : stage->kind;
	struct record r;
	struct hold hold;
	pthread_t thread;
	int peer = open_record(stage, &r, TERMINAL, TERMINAL);

	hold_worker(&hold, stage->owner);
	emit_on(stage, asker, &r.signal, TERMINAL);
	r.executor = sennit_runtime_executor(abroad.runtime);
	finish_record(&r, 0);
	thread = spawn(run_abroad, &abroad);
	latch_wait(&abroad.began);
	wait_until_asleep(abroad.tid);
	assert_int_equal(r.ends, 0);
	let_go(&hold);
	join(thread);
	assert_int_equal(abroad.ran, 1);
	end_runtime(abroad.runtime);
	close_record(stage, &r, peer);
}

static void finish_with_a_step_in_flight(void *argument)
{
	struct stage stage = driven_stage();
	struct record r;

	(void)argument;
	open_record(&stage, &r, ANY, ANY);
	start_step(&r);
	finish_record(&r, 0);
}

static void to_finish_it_while_a_step_is_in_flight_is_misuse(void **state)
{
	(void)state;
	assert_misuse(finish_with_a_step_in_flight, NULL, "a step is still in flight");
}

/* --- the library's, on a stream type ---------------------------------------------------------- */

#define LENGTH 53

/* S7, S4, B22: after each number of steps. */
SCENARIO(S7_between_any_two_steps_a_request_ends_a_write_with_what_was_written)
{
	char *data = patterned(LENGTH);

	for (size_t i = 0; i < 6 * 4; i++) {
		struct chunk_pipe *pipe = zeroed(sizeof *pipe);
		struct sennit_cancel_signal signal = { 0 };
		struct flight flight = { 0 };
		size_t steps = i / 4;

		chunk_pipe_open(pipe, stage->owner, 10);
		pipe->steps = steps;
		START(stage, { WRITE, &pipe->writer, .data = data, .size = LENGTH,
		               .flight = &flight, .slot = &signal.slot_ });
		PENDING(stage, &flight);
		switch (i % 4) {
		case 0:
			START(stage, { CANCEL, .stream = &pipe->writer });
			break;
		case 1:
			START(stage, { CLOSE, .stream = &pipe->writer });
			break;
		case 2:
			emit_on(stage, stage->kind, &signal, TOTAL);
			emit_on(stage, stage->kind, &signal, PARTIAL);
			break;
		default:
			emit_on(stage, stage->kind, &signal, TERMINAL);
			emit_on(stage, stage->kind, &signal, PARTIAL);
			break;
		}
		EXPECT(&flight, -ECANCELED, 10 * steps);
		assert_int_equal(pipe->size, 10 * steps);
		assert_int_equal(pipe->cancels, 1);
		START(stage, { CLOSE, .stream = &pipe->writer },
		      { CLOSE, .stream = &pipe->reader });
		chunk_pipe_wait_closed(pipe, stage);
		assert_false(pipe->closed_in_flight || pipe->overlapped);
		finish(stage, &flight, 1);
		free(pipe);
	}
	free(data);
}

/* A stream type that remembers what it was asked for, and ends an operation when it likes. */
struct patient {
	struct sennit_stream stream;
	struct sennit_op *op;
	int asked[4];
	int times;
	int closes;
};

static void take_op(void *self, struct sennit_op *op)
{
	((struct patient *)self)->op = op;
}

static void note_request(void *self, struct sennit_op *op, int types, int error)
{
	struct patient *patient = self;

	RECORD(op == patient->op && error == -ECANCELED);
	if (RECORD(patient->times < 4))
		patient->asked[patient->times++] = types;
}

static void count_close(void *self)
{
	((struct patient *)self)->closes++;
}

static void complete_it(void *argument)
{
	struct patient *patient = argument;

	sennit_op_complete(patient->op, 0);
}

/* What it says is the true result: a request is only that. */
SCENARIO(a_stream_type_hears_each_request_until_the_terminal_one_and_has_the_last_word)
{
	static const struct sennit_stream_type type = {
		.name = "patient", .read = take_op, .cancel = note_request, .close = count_close
	};
	struct patient patient = { 0 };
	struct sennit_cancel_signal signal = { 0 };
	struct flight flight = { 0 };
	char data[5];

	assert_int_equal(sennit_stream_open(&patient.stream, stage->owner, &type, &patient), 0);
	START(stage, { READ_SOME, &patient.stream, .data = data, .size = 5, .flight = &flight,
	               .slot = &signal.slot_ });
	owner_turn(stage);
	emit_on(stage, stage->kind, &signal, TOTAL);
	owner_turn(stage);
	emit_on(stage, stage->kind, &signal, PARTIAL | 8);
	owner_turn(stage);
	emit_on(stage, stage->kind, &signal, TERMINAL | TOTAL);
	owner_turn(stage);
	emit_on(stage, stage->kind, &signal, ANY);
	START(stage, { CANCEL, .stream = &patient.stream });
	PENDING(stage, &flight);
	assert_int_equal(patient.times, 3);
	assert_int_equal(patient.asked[0], TOTAL);
	assert_int_equal(patient.asked[1], PARTIAL);
	assert_int_equal(patient.asked[2], TERMINAL | TOTAL);
	call_on_owner(stage, complete_it, &patient);
	EXPECT(&flight, 0, 0);
	START(stage, { CLOSE, .stream = &patient.stream });
	owner_turn(stage);
	assert_int_equal(patient.closes, 1);
	finish(stage, &flight, 1);
}

/* Without a cancel function it is ended behind the type's back, and the next is handed over. */
SCENARIO(a_stream_type_without_a_cancel_function_is_not_asked)
{
	static const struct sennit_stream_type type = { .name = "deaf", .read = take_op };
	struct patient patient = { 0 };
	struct sennit_cancel_signal signals[2] = { 0 };
	struct flight flights[2] = { 0 };
	char data[5];

	assert_int_equal(sennit_stream_open(&patient.stream, stage->owner, &type, &patient), 0);
	for (int i = 0; i < 2; i++)
		START(stage, { READ_SOME, &patient.stream, .data = data, .size = 5,
		               .flight = &flights[i], .slot = &signals[i].slot_ });
	PENDING(stage, &flights[1]);
	emit_on(stage, stage->kind, &signals[0], TOTAL);
	EXPECT(&flights[0], -ECANCELED, 0);
	PENDING(stage, &flights[1]);
	assert_ptr_equal(patient.op, &flights[1].op);
	call_on_owner(stage, complete_it, &patient);
	EXPECT(&flights[1], 0, 0);
	START(stage, { CLOSE, .stream = &patient.stream });
	finish(stage, flights, 2);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(C102_C103_the_filter_says_which_requests_end_a_composed_operation),
		TEST(HB5_a_request_in_a_gap_ends_it_before_the_next_step),
		TEST(HB5_a_request_between_the_look_and_the_next_step_is_not_lost),
		TEST(what_the_composed_operation_has_dealt_with_does_not_end_its_next_step),
		TEST(a_step_that_is_composed_itself_hears_of_what_came_before_it),
		TEST(a_runtime_goes_on_that_a_composed_operation_of_another_is_to_end_on),
		TEST(to_finish_it_while_a_step_is_in_flight_is_misuse),
		TEST(S7_between_any_two_steps_a_request_ends_a_write_with_what_was_written),
		TEST(a_stream_type_hears_each_request_until_the_terminal_one_and_has_the_last_word),
		TEST(a_stream_type_without_a_cancel_function_is_not_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
