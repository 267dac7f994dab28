/* SPDX-License-Identifier: MIT */
/* tutorial_5_cancel.c - an echo server whose operator can send clients away: ENDPOINT MILLISECONDS.
 * Of its input each line "kick NUMBER" does so.
 */
#include <errno.h>
#include <sennit/sennit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct session {
	struct sennit_task task; /* first: carries the session to the room */
	struct sennit_tcp_socket socket;
	struct sennit_op op;
	struct sennit_cancel_state cancel; /* what was asked of the session */
	struct sennit_cancel_signal kick;  /* the room's, as all that follows but data */
	struct session *next;
	unsigned number;
	char data[4096];
};

struct command {
	struct sennit_task task; /* first: carries the command to the room */
	unsigned number;
};

static struct sennit_runtime *runtime;
static struct sennit_strand room;
static uint64_t patience_ns;                /* with a client that says nothing, or takes nothing */
static struct sennit_tcp_acceptor acceptor; /* from here on: touched inside the room only */
static struct sennit_op accept_op;
static struct session *sessions;
static unsigned here, number;

static sennit_handler on_accepted, on_read, on_written, on_goodbye;
static sennit_function on_gone;

/* --- a session: on the worker of its socket ------------------------------------------------- */

/* Gives up with nothing read, so that the stream is as good as before. */
static void read_more(struct session *s)
{
	sennit_op_expires_after(&s->op, patience_ns);
	sennit_op_expires_with(&s->op, SENNIT_CANCEL_TOTAL);
	sennit_op_bind_slot(&s->op, sennit_cancel_state_slot(&s->cancel));
	sennit_async_read_some(&s->socket.stream, s->data, sizeof s->data, &s->op, on_read);
}

static void write_all(struct session *s, const char *data, size_t size, sennit_handler *next)
{
	sennit_op_expires_after(&s->op, patience_ns);
	sennit_async_write(&s->socket.stream, data, size, &s->op, next);
}

static void say_goodbye(struct session *s, const char *text)
{
	write_all(s, text, strlen(text), on_goodbye);
}

static void leave(struct session *s)
{
	sennit_close(&s->socket.stream);
	sennit_cancel_state_finish(&s->cancel, sennit_strand_executor(&room), &s->task, on_gone);
}

static void on_read(struct sennit_op *op, int error, size_t bytes)
{
	struct session *s = op->user;

	if (error == -ETIMEDOUT)
		say_goodbye(s, "* too quiet\n");
	else if (error == -ECANCELED)
		say_goodbye(s, "* sent away\n");
	else if (error) /* SENNIT_EOF, -ECONNRESET ... */
		leave(s);
	else
		write_all(s, s->data, bytes, on_written);
}

static void on_written(struct sennit_op *op, int error, size_t bytes)
{
	struct session *s = op->user;

	(void)bytes;
	if (error)
		leave(s);
	else
		read_more(s);
}

static void on_goodbye(struct sennit_op *op, int error, size_t bytes)
{
	(void)error;
	(void)bytes;
	leave(op->user);
}

/* --- the room: inside its strand ------------------------------------------------------------ */

static void accept_next(void)
{
	struct session *s = calloc(1, sizeof *s);

	if (!s)
		abort();
	accept_op.user = s->op.user = s;
	sennit_tcp_socket_init(&s->socket, sennit_runtime_next_worker(runtime));
	sennit_tcp_acceptor_async_accept(&acceptor, &s->socket, &accept_op, on_accepted);
}

static void on_accepted(struct sennit_op *op, int error, size_t bytes)
{
	struct session *s = op->user;

	(void)bytes;
	if (error) { /* the acceptor was closed, or the runtime is being destroyed */
		free(s);
		return;
	}
	s->number = ++number;
	s->next = sessions;
	sessions = s;
	printf("%u came, %u here\n", s->number, ++here);
	sennit_cancel_state_init(&s->cancel, sennit_cancel_signal_slot(&s->kick),
	                         sennit_stream_executor(&s->socket.stream), SENNIT_CANCEL_ALL,
	                         SENNIT_CANCEL_ALL, NULL);
	read_more(s);
	accept_next();
}

static void on_gone(struct sennit_task *task, int error)
{
	struct session *s = (struct session *)task, **link = &sessions;

	(void)error; /* released in the same way where the runtime is being destroyed */
	while (*link != s)
		link = &(*link)->next;
	*link = s->next;
	printf("%u left, %u here\n", s->number, --here);
	free(s);
}

static void on_kick(struct sennit_task *task, int error)
{
	struct command *command = (struct command *)task;

	(void)error;
	for (struct session *s = sessions; s; s = s->next) {
		if (s->number == command->number)
			sennit_cancel_signal_emit(&s->kick, SENNIT_CANCEL_TOTAL);
	}
	free(command);
}

/* --- the program ---------------------------------------------------------------------------- */

static void check(int error, const char *what)
{
	if (error) {
		fprintf(stderr, "%s: %s\n", what, sennit_strerror(error));
		exit(1);
	}
}

static void listen_on(const char *where)
{
	char text[SENNIT_ENDPOINT_TEXT];
	struct sennit_endpoint local;

	check(sennit_tcp_acceptor_open(&acceptor, sennit_strand_executor(&room), where), where);
	check(sennit_tcp_acceptor_local_endpoint(&acceptor, &local), where);
	check(sennit_endpoint_print(&local, text, sizeof text), where);
	printf("listening %s\n", text);
	accept_next();
}

static void run_command(const char *line)
{
	unsigned target;

	if (sscanf(line, "kick %u", &target) == 1) {
		struct command *command = calloc(1, sizeof *command);

		if (!command)
			abort();
		command->number = target;
		sennit_post(sennit_strand_executor(&room), &command->task, on_kick);
	}
}

int main(int argc, char **argv)
{
	char line[256];

	setvbuf(stdout, NULL, _IOLBF, 0);
	check(sennit_runtime_create(NULL, &runtime), "create");
	check(sennit_runtime_start(runtime), "start");
	patience_ns = SENNIT_MS(argc > 2 ? strtoul(argv[2], NULL, 10) : 60000);
	sennit_strand_init(&room, sennit_runtime_executor(runtime));
	listen_on(argc > 1 ? argv[1] : "127.0.0.1:7777");
	while (fgets(line, sizeof line, stdin))
		run_command(line);
	sennit_runtime_destroy(runtime);
}
