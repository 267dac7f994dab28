/* SPDX-License-Identifier: MIT */
/* strand.c - strands under producers of every kind: nothing is lost, each producer's come in order,
 * and no two functions of one strand overlap (what they write is plain memory).
 */
#include "support.h"

#include <sennit/error.h>
#include <stdlib.h>

enum { PRODUCERS = 4 };

/* --- one strand, many producers --------------------------------------------------------------- */

struct field {
	struct sennit_strand strand;
	struct sennit_strand outer; /* over strand: some go through it */
	struct latch done;
	/* the functions' */
	uint64_t ran;
	bool inside;
	unsigned next[2 * PRODUCERS];
};

struct letter {
	struct sennit_task task;
	struct field *field;
	unsigned producer;
	unsigned number;
};

static void on_letter(struct sennit_task *task, int error)
{
	struct letter *letter = CONTAINER_OF(task, struct letter, task);
	struct field *field = letter->field;

	RECORD(error == 0);
	RECORD(!field->inside);
	field->inside = true;
	RECORD(letter->number == field->next[letter->producer]);
	field->next[letter->producer]++;
	field->ran++;
	field->inside = false;
	free(letter);
	latch_down(&field->done);
}

struct producer {
	struct field *field;
	struct sennit_executor *executor; /* of the field: strand or outer */
	unsigned number;
	unsigned letters;
	struct sennit_task task; /* of one that is a worker's */
	unsigned sent;
	bool dispatches;
};

static void send_letter(struct producer *producer)
{
	struct letter *letter = malloc(sizeof *letter);

	if (!RECORD(letter))
		abort();
	*letter = (struct letter){ .field = producer->field,
		                   .producer = producer->number,
		                   .number = producer->sent++ };
	if (producer->dispatches && producer->sent % 2)
		sennit_dispatch(producer->executor, &letter->task, on_letter);
	else
		sennit_post(producer->executor, &letter->task, on_letter);
}

static void *produce(void *argument)
{
	struct producer *producer = argument;

	while (producer->sent < producer->letters) {
		send_letter(producer);
		if (producer->sent % 256 == 0)
			sched_yield();
	}
	return NULL;
}

/* A handler that sends a few and posts itself. */
static void on_produce(struct sennit_task *task, int error)
{
	struct producer *producer = CONTAINER_OF(task, struct producer, task);

	RECORD(error == 0);
	for (int i = 0; i < 3 && producer->sent < producer->letters; i++)
		send_letter(producer);
	if (producer->sent < producer->letters)
		sennit_post(sennit_runtime_executor(sennit_runtime_current()), task, on_produce);
}

/* Half of the producers are threads, half are handlers. */
static void play(struct sennit_runtime *runtime, struct sennit_executor *inner, bool nested,
                 bool dispatches)
{
	const unsigned letters = 2000 * scale();
	struct field *field = calloc(1, sizeof *field);
	struct producer producers[2 * PRODUCERS];
	pthread_t threads[PRODUCERS];

	assert_non_null(field);
	field->done = (struct latch)LATCH(2 * PRODUCERS * letters);
	sennit_strand_init(&field->strand, inner);
	sennit_strand_init(&field->outer, sennit_strand_executor(&field->strand));
	for (unsigned i = 0; i < 2 * PRODUCERS; i++) {
		struct sennit_strand *strand = nested && i % 2 ? &field->outer : &field->strand;

		producers[i] = (struct producer){ .field = field,
			                          .executor = sennit_strand_executor(strand),
			                          .number = i,
			                          .letters = letters,
			                          .dispatches = dispatches };
		if (i < PRODUCERS)
			threads[i] = spawn(produce, &producers[i]);
		else
			sennit_post(sennit_runtime_worker(runtime, i %
			                                  sennit_runtime_workers(runtime)),
			            &producers[i].task, on_produce);
	}
	for (unsigned i = 0; i < PRODUCERS; i++)
		join(threads[i]);
	latch_wait(&field->done);
	sennit_runtime_join(runtime);
	assert_int_equal(field->ran, 2 * PRODUCERS * letters);
	sennit_strand_fini(&field->outer);
	sennit_strand_fini(&field->strand);
	free(field);
}

static void each_producer_s_functions_run_in_order_and_one_at_a_time(void **state)
{
	(void)state;
	for (int kind = 0; kind < 8; kind++) {
		struct sennit_runtime *runtime = started_runtime(4);

		play(runtime, kind & 1 ? sennit_runtime_worker(runtime, 1)
		                       : sennit_runtime_executor(runtime), kind & 2, kind & 4);
		end_runtime(runtime);
		recorded();
	}
}

/* --- many strands ----------------------------------------------------------------------------- */

enum { STRANDS = 10000 };

struct cell {
	struct sennit_strand strand;
	unsigned count; /* plain: the strand's functions' */
};

struct visit {
	struct sennit_task task;
	struct cell *cells;
	struct latch *done;
	unsigned at;
	unsigned left;
	unsigned step;
};

/* Goes from strand to strand. */
static void on_visit(struct sennit_task *task, int error)
{
	struct visit *visit = CONTAINER_OF(task, struct visit, task);

	RECORD(error == 0);
	visit->cells[visit->at].count++;
	if (!--visit->left) {
		latch_down(visit->done);
		return;
	}
	visit->at = (visit->at + visit->step) % STRANDS;
	sennit_post(sennit_strand_executor(&visit->cells[visit->at].strand), task, on_visit);
}

static void ten_thousand_strands_are_kept_apart(void **state)
{
	struct sennit_runtime *runtime = started_runtime(4);
	struct cell *cells = calloc(STRANDS, sizeof *cells);
	struct visit visits[32];
	struct latch done = LATCH(COUNT_OF(visits));
	const unsigned each = STRANDS * scale() / 2;
	uint64_t sum = 0;

	(void)state;
	assert_non_null(cells);
	for (unsigned i = 0; i < STRANDS; i++)
		sennit_strand_init(&cells[i].strand,
		                   i % 4 ? sennit_runtime_executor(runtime)
		                         : sennit_runtime_worker(runtime, i / 4 % 4));
	for (unsigned i = 0; i < COUNT_OF(visits); i++) {
		visits[i] = (struct visit){ .cells = cells, .done = &done, .at = i % 7,
			                    .left = each, .step = i % 3 + 1 };
		sennit_post(sennit_strand_executor(&cells[visits[i].at].strand), &visits[i].task,
		            on_visit);
	}
	latch_wait(&done);
	end_runtime(runtime);
	for (unsigned i = 0; i < STRANDS; i++)
		sum += cells[i].count;
	assert_int_equal(sum, (uint64_t)each * COUNT_OF(visits));
	free(cells);
}

/* --- strands that are freed in their last function -------------------------------------------- */

struct session {
	struct sennit_strand strand;
	struct latch *gone;
	unsigned ran;
	struct part {
		struct sennit_task task;
		struct session *session;
	} parts[PRODUCERS];
};

static void on_part(struct sennit_task *task, int error)
{
	struct session *session = CONTAINER_OF(task, struct part, task)->session;
	struct latch *gone = session->gone;

	RECORD(error == 0 || error == SENNIT_SHUTDOWN);
	if (++session->ran < PRODUCERS)
		return;
	sennit_strand_fini(&session->strand);
	free(session);
	latch_down(gone);
}

struct sender {
	struct session **sessions;
	unsigned count;
	unsigned number;
};

static void *send_parts(void *argument)
{
	struct sender *sender = argument;

	for (unsigned i = 0; i < sender->count; i++) {
		struct session *session = sender->sessions[i];

		sennit_post(sennit_strand_executor(&session->strand),
		            &session->parts[sender->number].task, on_part);
	}
	return NULL;
}

/* HE4 */
static void the_last_of_several_producers_functions_frees_the_strand(void **state)
{
	const unsigned count = 1000 * scale();
	struct sennit_runtime *runtime = started_runtime(4);
	struct session **sessions = calloc(count, sizeof(struct session *));
	struct latch gone = LATCH(count);
	struct sender senders[PRODUCERS];
	pthread_t threads[PRODUCERS];

	(void)state;
	assert_non_null(sessions);
	for (unsigned i = 0; i < count; i++) {
		struct session *session = calloc(1, sizeof *session);

		assert_non_null(session);
		session->gone = &gone;
		sennit_strand_init(&session->strand, sennit_runtime_executor(runtime));
		for (unsigned k = 0; k < PRODUCERS; k++)
			session->parts[k].session = session;
		sessions[i] = session;
	}
	for (unsigned i = 0; i < PRODUCERS; i++) {
		senders[i] = (struct sender){ .sessions = sessions, .count = count, .number = i };
		threads[i] = spawn(send_parts, &senders[i]);
	}
	for (unsigned i = 0; i < PRODUCERS; i++)
		join(threads[i]);
	latch_wait(&gone);
	end_runtime(runtime);
	free(sessions);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(each_producer_s_functions_run_in_order_and_one_at_a_time),
		TEST(ten_thousand_strands_are_kept_apart),
		TEST(the_last_of_several_producers_functions_frees_the_strand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
