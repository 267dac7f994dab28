/* SPDX-License-Identifier: MIT */
/* tls_moments.c - something is closed, cancelled, opened once more or destroyed between any two
 * handlers of a session, from the handshake to the end: each operation ends once, and nothing that
 * is gone is touched. On a runtime that the test drives, handler by handler.
 */
#include "tls_peer.h"

#include <stdlib.h>
#include <string.h>

enum { HANDSHAKE, WRITE_ALL, WRITE_MORE, WAIT_DATA, READ_ALL, SHUTDOWN, OPERATIONS };

#define BYTES ((size_t)40000)

struct scene;

/* One side of a session, which is started at once, and goes on while nothing fails. */
struct side {
	struct scene *scene;
	struct sennit_tls_stream *tls;
	struct sennit_op ops[OPERATIONS];
	unsigned calls[OPERATIONS];
	unsigned starts[OPERATIONS];
	int errors[OPERATIONS];
	char got[2 * BYTES];
};

/* What happens at which moment, and where. */
struct happening {
	const char *name;
	void (*act)(struct scene *scene);
	bool layered;  /* TLS over TLS */
	bool inside;   /* handlers may run inside initiating functions */
	bool on_owner; /* it happens in a function of the owner's, else on no worker */
};

struct scene {
	const struct happening *happening;
	struct sennit_runtime *runtime;
	struct sennit_executor *owner;
	struct tls_pair inner;
	struct tls_pair pair;
	struct sennit_tls_stream second;
	struct flight second_handshake;
	struct side sides[2];
	struct sennit_task task;
};

static char sent[BYTES];

/* --- the session ------------------------------------------------------------------------------ */

static void on_end(struct sennit_op *op, int error, size_t bytes);

static struct sennit_op *start_of(struct side *side, int which)
{
	struct sennit_op *op = &side->ops[which];

	op->user = side;
	side->starts[which]++;
	sennit_op_allow_inline(op, side->scene->happening->inside);
	return op;
}

static void on_end(struct sennit_op *op, int error, size_t bytes)
{
	struct side *side = op->user;
	long which = op - side->ops;

	RECORD(++side->calls[which] == side->starts[which]);
	side->errors[which] = error;
	if (which == READ_ALL && bytes == sizeof side->got)
		RECORD(is_pattern(side->got, BYTES, 0) && is_pattern(side->got + BYTES, BYTES, 0));
	if (error)
		return;
	if (which == WAIT_DATA)
		sennit_async_read(&side->tls->stream, side->got, sizeof side->got,
				  start_of(side, READ_ALL), on_end);
	else if (which == READ_ALL)
		sennit_tls_async_shutdown(side->tls, start_of(side, SHUTDOWN), on_end);
}

static void start_side(struct side *side)
{
	struct sennit_stream *stream = &side->tls->stream;

	sennit_tls_async_handshake(side->tls, start_of(side, HANDSHAKE), on_end);
	sennit_async_write(stream, sent, BYTES, start_of(side, WRITE_ALL), on_end);
	sennit_async_write(stream, sent, BYTES, start_of(side, WRITE_MORE), on_end);
	sennit_async_wait(stream, SENNIT_WAIT_READ, start_of(side, WAIT_DATA), on_end);
}

static struct scene *begin_scene(const struct happening *happening)
{
	struct scene *scene = zeroed(sizeof *scene);

	scene->happening = happening;
	scene->runtime = driven_runtime();
	scene->owner = sennit_runtime_worker(scene->runtime, 0);
	if (happening->layered) {
		open_pair(&scene->inner, scene->owner, NULL, NULL);
		start_handshake(&scene->inner.client, &scene->inner.handshakes[0]);
		start_handshake(&scene->inner.server, &scene->inner.handshakes[1]);
		open_pair_over(&scene->pair, &scene->inner.client.stream,
			       &scene->inner.server.stream, NULL, NULL);
	} else {
		open_pair(&scene->pair, scene->owner, NULL, NULL);
	}
	for (int i = 0; i < 2; i++) {
		scene->sides[i].scene = scene;
		scene->sides[i].tls = i ? &scene->pair.server : &scene->pair.client;
		start_side(&scene->sides[i]);
	}
	return scene;
}

static void check_sides(const struct scene *scene)
{
	for (int i = 0; i < 2; i++)
		for (int j = 0; j < OPERATIONS; j++)
			assert_int_equal(scene->sides[i].calls[j], scene->sides[i].starts[j]);
	assert_int_equal(scene->second_handshake.result.calls, scene->second.connection_ != NULL);
	recorded();
}

/* The runtime may be destroyed already. */
static void end_scene(struct scene *scene)
{
	if (scene->runtime) {
		sennit_close(&scene->second.stream);
		sennit_close(&scene->pair.client.stream);
		sennit_close(&scene->pair.server.stream);
		run_dry(scene->runtime);
		end_runtime(scene->runtime);
	}
	check_sides(scene);
	free(scene);
}

/* --- what happens ----------------------------------------------------------------------------- */

static struct sennit_stream *below(struct scene *scene)
{
	return scene->happening->layered ? &scene->inner.client.stream :
					   &scene->pair.sockets[0].stream;
}

static void close_one(struct scene *scene)
{
	sennit_close(&scene->pair.client.stream);
}

static void close_both(struct scene *scene)
{
	sennit_close(&scene->pair.server.stream);
	sennit_close(&scene->pair.client.stream);
}

static void close_below(struct scene *scene)
{
	sennit_close(below(scene));
}

static void close_at_the_bottom(struct scene *scene)
{
	sennit_close(&scene->inner.sockets[1].stream);
}

static void cancel_one(struct scene *scene)
{
	sennit_cancel(&scene->pair.client.stream);
}

static void cancel_below(struct scene *scene)
{
	sennit_cancel(below(scene));
}

/* Nobody may do so, and nothing is promised but that everything ends. */
static void open_another(struct scene *scene)
{
	static struct sennit_tls_context *context;

	if (!context)
		context = client_context(test_authority());
	if (!sennit_tls_stream_open_client(&scene->second, context, below(scene), "localhost"))
		start_handshake(&scene->second, &scene->second_handshake);
}

static void destroy(struct scene *scene)
{
	end_runtime(scene->runtime);
	scene->runtime = NULL;
}

static const struct happening happenings[] = {
	{"a_stream_is_closed", close_one, .on_owner = true},
	{"a_stream_is_closed_elsewhere", close_one, .layered = false},
	{"a_stream_is_closed_that_runs_handlers_inside", close_one, .on_owner = true,
	 .inside = true},
	{"a_stream_over_tls_is_closed", close_one, .layered = true, .on_owner = true},
	{"both_streams_are_closed", close_both, .layered = true, .inside = true, .on_owner = true},
	{"the_stream_below_is_closed", close_below, .on_owner = true},
	{"the_stream_below_is_closed_elsewhere", close_below, .layered = false},
	{"the_tls_stream_below_is_closed", close_below, .layered = true, .on_owner = true},
	{"the_socket_below_tls_over_tls_is_closed", close_at_the_bottom, .layered = true},
	{"all_of_a_stream_is_cancelled", cancel_one, .on_owner = true},
	{"all_of_a_stream_over_tls_is_cancelled", cancel_one, .layered = true},
	{"all_of_the_stream_below_is_cancelled", cancel_below, .on_owner = true},
	{"all_of_the_tls_stream_below_is_cancelled", cancel_below, .layered = true},
	{"another_stream_is_opened_over_the_same", open_another, .on_owner = true},
	{"another_stream_is_opened_over_the_same_tls", open_another, .layered = true},
	{"the_runtime_is_destroyed", destroy, .layered = false},
	{"the_runtime_is_destroyed_with_handlers_inside", destroy, .inside = true},
	{"the_runtime_is_destroyed_with_tls_over_tls", destroy, .layered = true},
};

static void on_moment(struct sennit_task *task, int error)
{
	struct scene *scene = CONTAINER_OF(task, struct scene, task);

	(void)error;
	scene->happening->act(scene);
}

/* Lets so many handlers run before it happens; false where there were no more. */
static bool let_run(struct scene *scene, unsigned handlers)
{
	unsigned ran = 0;

	while (ran < handlers && sennit_runtime_run_one(scene->runtime) == 1)
		ran++;
	progress();
	return ran == handlers;
}

static void something_happens_between_any_two_handlers(void **state)
{
	const struct happening *happening = row_of(state, happenings, sizeof *happenings);
	bool reached = true;

	pattern(sent, BYTES, 0);
	for (unsigned handlers = 0; reached; handlers++) {
		struct scene *scene = begin_scene(happening);

		reached = let_run(scene, handlers);
		if (!reached) /* so this was a session that nobody disturbed */
			for (int i = 0; i < 2; i++)
				for (int j = 0; j < OPERATIONS; j++)
					assert_int_equal(scene->sides[i].errors[j], 0);
		else if (happening->on_owner)
			sennit_post(scene->owner, &scene->task, on_moment);
		else
			happening->act(scene);
		end_scene(scene);
	}
}

int main(void)
{
	static struct CMUnitTest tests[COUNT_OF(happenings)];

	tests_of_rows(happenings, COUNT_OF(happenings), sizeof *happenings,
		      something_happens_between_any_two_handlers, tests);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
