/* SPDX-License-Identifier: MIT */
/* chat.c - a chat room on every core: chat [ENDPOINT]. What one client says, whole lines, goes to
 * every other client.
 *
 * Any thread may write to any stream, and many may at once: each write goes out whole, in the order
 * in which it was started. That is what this program rests on, without a lock or an atomic of its
 * own:
 *
 *   - Sockets are spread over all workers. Each does the system calls of its own sockets and runs
 *     their read handlers, so receiving and looking for line ends happens on every core.
 *   - The room (who is in it, how much each has yet to receive) is touched on one worker only, that
 *     of `room`. A session that has read whole lines posts itself there.
 *   - The room writes to every stream directly, from its own thread, whoever owns the stream, and
 *     does not wait for one client before it turns to the next.
 *   - The handlers of those writes are bound to the room's executor, so what they count down needs
 *     no atomics.
 *
 * A session goes round, from read (its worker) to lines (room) to read, and at last to gone (room):
 * at any time one of the two has it and its buffer. It is freed when no write to it is in flight.
 */
#include <sennit/sennit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_SIZE   4096           /* who sends a longer line is sent away */
#define BACKLOG_MAX (256u * 1024u) /* so is who lets more than this wait for it */

struct session {
	struct sennit_task task; /* first: carries the session to the room */
	struct sennit_tcp_socket socket;
	struct sennit_op read_op;
	size_t used;           /* bytes in data */
	size_t whole;          /* of them whole lines */
	struct session *next;  /* the room's, from here to gone */
	struct session **link; /* what points to this session */
	size_t backlog;        /* bytes of writes to it in flight */
	bool gone;
	char data[LINE_SIZE];
};

/* One write of a message to one client. */
struct delivery {
	struct sennit_op op;
	struct message *message;
	struct session *to;
};

/* What is said, an operation for each client who is to hear it, and behind those the text: one
 * allocation, which lives until the last delivery has completed. */
struct message {
	size_t references;
	size_t size;
	struct delivery deliveries[];
};

static struct sennit_runtime *runtime;
static struct sennit_executor *room; /* of the first worker */
static struct sennit_tcp_acceptor acceptor;
static struct sennit_op accept_op;
static struct session *sessions;
static size_t session_count;

static sennit_handler on_accepted, on_read, on_delivered;
static sennit_function on_lines, on_gone;

static void *allocate(size_t size)
{
	void *memory = calloc(1, size);

	if (!memory)
		abort();
	return memory;
}

/* There is always room: a session whose buffer is full of one unfinished line is sent away. */
static void read_more(struct session *s)
{
	sennit_async_read_some(&s->socket.stream, s->data + s->used, sizeof s->data - s->used,
	                       &s->read_op, on_read);
}

/* On the session's own worker. */
static void on_read(struct sennit_op *op, int error, size_t bytes)
{
	struct session *s = op->user;

	s->used += bytes;
	s->whole = s->used;
	while (s->whole > 0 && s->data[s->whole - 1] != '\n')
		s->whole--;
	if (error || (s->whole == 0 && s->used == sizeof s->data))
		sennit_post(room, &s->task, on_gone);
	else if (s->whole > 0)
		sennit_post(room, &s->task, on_lines);
	else
		read_more(s);
}

/* --- in the room: all that follows runs on one worker --- */

static void free_unused(struct session *s)
{
	if (s->gone && s->backlog == 0)
		free(s);
}

static void release(struct message *message)
{
	if (--message->references == 0)
		free(message);
}

/* Started here, on the room's thread, for a stream that another worker may own. */
static void deliver(struct message *message, struct delivery *delivery, const char *text,
                    struct session *to)
{
	message->references++;
	to->backlog += message->size;
	delivery->message = message;
	delivery->to = to;
	delivery->op.user = delivery;
	sennit_op_bind_executor(&delivery->op, room);
	sennit_async_write(&to->socket.stream, text, message->size, &delivery->op, on_delivered);
}

/* Says something to everybody but `from`. Who is too far behind is closed instead: that ends the
 * read that is in flight, or the next one, so that the session goes its usual way out. */
static void say(const struct session *from, const char *text, size_t size)
{
	struct message *message =
	    allocate(sizeof *message + session_count * sizeof message->deliveries[0] + size);
	char *copy = (char *)&message->deliveries[session_count];
	struct delivery *next = message->deliveries;

	memcpy(copy, text, size);
	message->size = size;
	message->references = 1; /* ours */
	for (struct session *to = sessions; to; to = to->next) {
		if (to == from || !sennit_is_open(&to->socket.stream))
			continue;
		if (to->backlog + size > BACKLOG_MAX)
			sennit_close(&to->socket.stream);
		else
			deliver(message, next++, copy, to);
	}
	release(message);
}

static void on_delivered(struct sennit_op *op, int error, size_t bytes)
{
	struct delivery *delivery = op->user;
	struct message *message = delivery->message;
	struct session *to = delivery->to;

	(void)bytes;
	to->backlog -= message->size;
	if (error)
		sennit_close(&to->socket.stream);
	free_unused(to);
	release(message); /* and the operation with it */
}

static void announce(const char *what)
{
	char text[64];
	int size = snprintf(text, sizeof text, "* someone %s, %zu here\n", what, session_count);

	say(NULL, text, (size_t)size);
}

static void on_lines(struct sennit_task *task, int error)
{
	struct session *s = (struct session *)task;

	if (error) {
		on_gone(task, error);
	} else {
		say(s, s->data, s->whole);
		s->used -= s->whole;
		memmove(s->data, s->data + s->whole, s->used);
		read_more(s);
	}
}

static void on_gone(struct sennit_task *task, int error)
{
	struct session *s = (struct session *)task;

	(void)error; /* released in the same way where the runtime is being destroyed */
	sennit_close(&s->socket.stream);
	*s->link = s->next;
	if (s->next)
		s->next->link = s->link;
	session_count--;
	s->gone = true;
	free_unused(s);
	announce("left");
}

static void accept_next(void)
{
	struct session *s = allocate(sizeof *s);

	accept_op.user = s->read_op.user = s;
	sennit_tcp_socket_init(&s->socket, sennit_runtime_next_worker(runtime));
	sennit_tcp_acceptor_async_accept(&acceptor, &s->socket, &accept_op, on_accepted);
}

/* The acceptor's executor is the room's, so this runs there too. */
static void on_accepted(struct sennit_op *op, int error, size_t bytes)
{
	struct session *s = op->user;

	(void)bytes;
	if (error) {
		free(s);
		return;
	}
	sennit_tcp_socket_set_option(&s->socket, SENNIT_TCP_NO_DELAY, 1);
	s->next = sessions;
	s->link = &sessions;
	if (sessions)
		sessions->link = &s->next;
	sessions = s;
	session_count++;
	announce("joined");
	read_more(s);
	accept_next();
}

int main(int argc, char **argv)
{
	const char *where = argc > 1 ? argv[1] : "127.0.0.1:7778";
	char text[SENNIT_ENDPOINT_TEXT];
	struct sennit_endpoint local;

	if (sennit_runtime_create(NULL, &runtime) || sennit_runtime_start(runtime))
		return 1;
	room = sennit_runtime_worker(runtime, 0);
	if (sennit_tcp_acceptor_open(&acceptor, room, where) ||
	    sennit_tcp_acceptor_local_endpoint(&acceptor, &local) ||
	    sennit_endpoint_print(&local, text, sizeof text))
		return 1;
	printf("listening %s\n", text);
	fflush(stdout);
	accept_next();
	sennit_runtime_join(runtime);
	sennit_runtime_destroy(runtime);
}
