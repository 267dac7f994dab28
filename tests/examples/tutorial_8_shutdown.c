/* SPDX-License-Identifier: MIT */
/* tutorial_8_shutdown.c - a chat room that closes in good order, at the end of its input, at
 * SIGINT and at SIGTERM: ENDPOINT MILLISECONDS MILLISECONDS, the second for how long that may take.
 */
#include <errno.h>
#include <poll.h>
#include <sennit/sennit.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define BACKLOG_MAX 256 /* who has this many messages on their way is told no more */

struct session {
	struct sennit_task task; /* first: carries the session to the room */
	struct sennit_tcp_socket socket;
	struct sennit_op op;
	struct sennit_cancel_state cancel; /* what was asked of the session */
	struct sennit_cancel_signal kick;  /* the room's, down to gone */
	struct session *next;              /* until it is released */
	unsigned number;
	unsigned backlog; /* deliveries to it in flight */
	bool gone;
	const char *reason; /* why it goes */
	size_t used;        /* bytes in data */
	size_t whole;       /* of them whole lines */
	char data[4096];
};

/* What is on its way to one client. */
struct delivery {
	struct sennit_op op;
	struct session *to;
	size_t size;
	char text[];
};

/* A line on its way from the operator to the room, or from the room to the operator. */
struct note {
	struct sennit_task task;
	char text[];
};

static struct sennit_runtime *runtime;
static struct sennit_runtime *console; /* driven by the loop of the main thread */
static struct sennit_strand room;
static uint64_t grace_ns;    /* for clients to take what was said to them, once it closes */
static uint64_t patience_ns; /* with a client that says nothing, or takes nothing */
static struct sennit_tcp_acceptor acceptor; /* from here on: touched inside the room only */
static struct sennit_op accept_op;
static struct session *sessions;
static unsigned here, number;
static bool closing;
static struct sennit_timer grace;
static struct sennit_op grace_op;

static sennit_handler on_accepted, on_read, on_delivered, on_grace;
static sennit_function on_lines, on_gone;

static void *allocate(size_t size)
{
	void *memory = calloc(1, size);

	if (!memory)
		abort();
	return memory;
}

static void send_note(struct sennit_executor *where, const char *text, sennit_function *function)
{
	struct note *note = allocate(sizeof *note + strlen(text) + 1);

	strcpy(note->text, text);
	sennit_post(where, &note->task, function);
}

/* On the main thread. */
static void on_report(struct sennit_task *task, int error)
{
	struct note *note = (struct note *)task;

	(void)error;
	fputs(note->text, stdout);
	free(note);
}

static void report(const char *text)
{
	send_note(sennit_runtime_executor(console), text, on_report);
}

/* --- a session: on the worker of its socket ------------------------------------------------- */

/* There is always room: who fills the buffer with one unfinished line is sent away. A deadline or
 * a kick ends it with nothing read. */
static void read_more(struct session *s)
{
	sennit_op_expires_after(&s->op, patience_ns);
	sennit_op_expires_with(&s->op, SENNIT_CANCEL_TOTAL);
	sennit_op_bind_slot(&s->op, sennit_cancel_state_slot(&s->cancel));
	sennit_async_read_some(&s->socket.stream, s->data + s->used, sizeof s->data - s->used,
	                       &s->op, on_read);
}

static void leave(struct session *s, const char *reason)
{
	s->reason = reason;
	sennit_cancel_state_finish(&s->cancel, sennit_strand_executor(&room), &s->task, on_gone);
}

static void on_read(struct sennit_op *op, int error, size_t bytes)
{
	struct session *s = op->user;

	s->used += bytes;
	s->whole = s->used;
	while (s->whole > 0 && s->data[s->whole - 1] != '\n')
		s->whole--;
	if (error == -ETIMEDOUT)
		leave(s, "was too quiet");
	else if (error == -ECANCELED && sennit_cancel_state_cancelled(&s->cancel))
		leave(s, "was sent away");
	else if (error) /* SENNIT_EOF, -ECONNRESET ... */
		leave(s, "left");
	else if (s->whole == 0 && s->used == sizeof s->data)
		leave(s, "went on for too long");
	else if (s->whole == 0)
		read_more(s);
	else
		sennit_post(sennit_strand_executor(&room), &s->task, on_lines);
}

/* --- the room: inside its strand ------------------------------------------------------------ */

/* Once it is gone and what was said to it is out, or cannot be. */
static void release_unused(struct session *s)
{
	struct session **link = &sessions;

	if (!s->gone || s->backlog > 0)
		return;
	while (*link != s)
		link = &(*link)->next;
	*link = s->next;
	sennit_close(&s->socket.stream);
	free(s);
	if (closing && !sessions)
		sennit_timer_close(&grace);
}

/* Started inside the room, for a stream that a worker owns; so many at a time as there are. */
static void deliver(struct session *to, const char *text, size_t size)
{
	struct delivery *delivery;

	if (to->backlog == BACKLOG_MAX)
		return;
	delivery = allocate(sizeof *delivery + size);
	delivery->to = to;
	delivery->size = size;
	memcpy(delivery->text, text, size);
	delivery->op.user = delivery;
	to->backlog++;
	sennit_op_bind_executor(&delivery->op, sennit_strand_executor(&room));
	sennit_op_expires_after(&delivery->op, patience_ns);
	sennit_async_write(&to->socket.stream, delivery->text, size, &delivery->op, on_delivered);
}

static void on_delivered(struct sennit_op *op, int error, size_t bytes)
{
	struct delivery *delivery = op->user;
	struct session *to = delivery->to;

	(void)bytes;
	if (error) /* perhaps half of it is out: nothing may follow, and the read ends too */
		sennit_close(&to->socket.stream);
	to->backlog--;
	release_unused(to);
	free(delivery);
}

static void say(const struct session *from, const char *text, size_t size)
{
	for (struct session *to = sessions; to; to = to->next) {
		if (to != from && !to->gone)
			deliver(to, text, size);
	}
}

static void announce(const struct session *who, const char *what)
{
	char text[96];
	int size = snprintf(text, sizeof text, "* %u %s, %u here\n", who->number, what, here);

	report(text);
	say(NULL, text, (size_t)size);
}

static void on_lines(struct sennit_task *task, int error)
{
	struct session *s = (struct session *)task;

	(void)error; /* the read finds out */
	if (!closing)
		say(s, s->data, s->whole);
	s->used -= s->whole;
	memmove(s->data, s->data + s->whole, s->used);
	read_more(s);
}

static void on_gone(struct sennit_task *task, int error)
{
	struct session *s = (struct session *)task;

	(void)error; /* released in the same way where the runtime is being destroyed */
	here--;
	if (!closing)
		announce(s, s->reason); /* to itself too: it is closed when it has that */
	s->gone = true;
	release_unused(s);
}

static void kick(unsigned target)
{
	for (struct session *s = sessions; s; s = s->next) {
		if (s->number == target)
			sennit_cancel_signal_emit(&s->kick, SENNIT_CANCEL_TOTAL);
	}
}

static void report_who(void)
{
	char text[32];

	for (const struct session *s = sessions; s; s = s->next) {
		snprintf(text, sizeof text, "%u is here\n", s->number);
		if (!s->gone)
			report(text);
	}
}

static void on_command(struct sennit_task *task, int error)
{
	struct note *note = (struct note *)task;
	unsigned target;

	(void)error;
	if (sscanf(note->text, "kick %u", &target) == 1)
		kick(target);
	else if (strcmp(note->text, "who\n") == 0)
		report_who();
	else
		say(NULL, note->text, strlen(note->text));
	free(note);
}

static void accept_next(void)
{
	struct session *s = allocate(sizeof *s);

	accept_op.user = s->op.user = s;
	sennit_tcp_socket_init(&s->socket, sennit_runtime_next_worker(runtime));
	sennit_tcp_acceptor_async_accept(&acceptor, &s->socket, &accept_op, on_accepted);
}

static void on_accepted(struct sennit_op *op, int error, size_t bytes)
{
	struct session *s = op->user;

	(void)bytes;
	if (error || closing) { /* it may have been accepted just before the acceptor was closed */
		sennit_close(&s->socket.stream);
		free(s);
		return;
	}
	s->number = ++number;
	s->next = sessions;
	sessions = s;
	here++;
	sennit_cancel_state_init(&s->cancel, sennit_cancel_signal_slot(&s->kick),
	                         sennit_stream_executor(&s->socket.stream), SENNIT_CANCEL_ALL,
	                         SENNIT_CANCEL_ALL, NULL);
	announce(s, "came");
	read_more(s);
	accept_next();
}

/* In the room, once. Nobody comes in any more; everybody is told, then asked to stop reading: each
 * is gone when it has what was said to it. */
static void on_closing(struct sennit_task *task, int error)
{
	static const char text[] = "* the room closes\n";

	(void)task;
	(void)error;
	closing = true;
	sennit_tcp_acceptor_close(&acceptor);
	report(text);
	say(NULL, text, sizeof text - 1);
	for (struct session *s = sessions; s; s = s->next)
		sennit_cancel_signal_emit(&s->kick, SENNIT_CANCEL_TOTAL);
	if (sessions) {
		sennit_timer_expires_after(&grace, grace_ns);
		sennit_timer_async_wait(&grace, &grace_op, on_grace);
	} else {
		sennit_timer_close(&grace);
	}
}

/* Who has not taken it by now does not get it. */
static void on_grace(struct sennit_op *op, int error, size_t bytes)
{
	(void)op;
	(void)bytes;
	for (struct session *s = sessions; s && !error; s = s->next)
		sennit_close(&s->socket.stream);
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

/* What is there, without waiting for more: not with stdio, whose buffer poll knows nothing of. */
static bool read_input(void)
{
	static char text[1024];
	static size_t used;
	ssize_t now = read(STDIN_FILENO, text + used, sizeof text - 1 - used);
	char *end;

	if (now <= 0)
		return false;
	used += (size_t)now;
	while ((end = memchr(text, '\n', used)) || used == sizeof text - 1) {
		size_t size = end ? (size_t)(end + 1 - text) : used;
		char line[sizeof text];

		memcpy(line, text, size);
		line[size] = '\0';
		used -= size;
		memmove(text, text + size, used);
		send_note(sennit_strand_executor(&room), line, on_command);
	}
	return true;
}

/* SIGINT and SIGTERM as a descriptor, to be called before there are threads. */
static int open_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	return signalfd(-1, &signals, SFD_CLOEXEC);
}

/* Waits for the program's own descriptors and for the console's at once. */
static void loop(int signals)
{
	struct pollfd fds[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = sennit_runtime_fd(console), .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
	};

	do {
		int64_t wait_ns = sennit_runtime_prepare(console);
		struct timespec wait = { wait_ns / 1000000000, wait_ns % 1000000000 };

		ppoll(fds, 3, wait_ns < 0 ? NULL : &wait, NULL);
		sennit_runtime_poll(console);
	} while (!fds[2].revents && (!fds[0].revents || read_input()));
}

int main(int argc, char **argv)
{
	static struct sennit_task close_task;
	int signals = open_signals();

	setvbuf(stdout, NULL, _IOLBF, 0);
	check(sennit_runtime_create(NULL, &console), "create");
	sennit_runtime_guard_get(console); /* it has work, though just now nothing to do */
	check(sennit_runtime_create(NULL, &runtime), "create");
	check(sennit_runtime_start(runtime), "start");
	patience_ns = SENNIT_MS(argc > 2 ? strtoul(argv[2], NULL, 10) : 60000);
	grace_ns = SENNIT_MS(argc > 3 ? strtoul(argv[3], NULL, 10) : 2000);
	sennit_strand_init(&room, sennit_runtime_executor(runtime));
	check(sennit_timer_init(&grace, sennit_strand_executor(&room)), "timer");
	listen_on(argc > 1 ? argv[1] : "127.0.0.1:7777");
	loop(signals);
	sennit_post(sennit_strand_executor(&room), &close_task, on_closing);
	sennit_runtime_join(runtime); /* until everybody is gone: at most as long as the grace */
	sennit_strand_fini(&room);
	sennit_runtime_destroy(runtime);
	sennit_runtime_guard_put(console);
	sennit_runtime_destroy(console);
	close(signals);
}
