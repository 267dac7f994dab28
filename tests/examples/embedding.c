/* SPDX-License-Identifier: MIT */
/* embedding.c - a program that has a loop of its own, around poll(2), and sennit inside it.
 *
 * Its own business is to read lines from the standard input. Each comes back 20 ms later, by a
 * timer of the runtime. At the end of the input it waits for what is still on its way.
 */
#include <sennit/sennit.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct line {
	struct sennit_timer timer;
	struct sennit_op op;
	char text[256];
};

static struct sennit_runtime *runtime;

static void on_time(struct sennit_op *op, int error, size_t bytes)
{
	struct line *line = op->user;

	(void)bytes;
	if (!error) {
		printf("later: %s\n", line->text);
		fflush(stdout);
	}
	sennit_timer_close(&line->timer);
	free(line);
}

static void repeat(const char *text)
{
	struct line *line = calloc(1, sizeof *line);

	if (!line || sennit_timer_init(&line->timer, sennit_runtime_executor(runtime)))
		abort();
	snprintf(line->text, sizeof line->text, "%s", text);
	line->op.user = line;
	sennit_timer_expires_after(&line->timer, SENNIT_MS(20));
	sennit_timer_async_wait(&line->timer, &line->op, on_time);
}

/* Takes what has come; false at the end of the input. */
static int read_lines(void)
{
	static char text[256];
	static size_t length;
	ssize_t got = read(STDIN_FILENO, text + length, sizeof text - 1 - length);
	char *end;

	if (got <= 0)
		return 0;
	length += (size_t)got;
	text[length] = '\0';
	while ((end = strchr(text, '\n')) || length == sizeof text - 1) {
		size_t used = end ? (size_t)(end - text) + 1 : length;

		if (end)
			*end = '\0';
		repeat(text);
		length -= used;
		memmove(text, text + used, length + 1);
	}
	return 1;
}

int main(void)
{
	struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.events = POLLIN}};

	if (sennit_runtime_create(NULL, &runtime))
		return 1;
	sennit_runtime_guard_get(runtime); /* without work it would be stopped: more may come */
	fds[1].fd = sennit_runtime_fd(runtime);
	while (!sennit_runtime_stopped(runtime)) {
		int64_t wait_ns = sennit_runtime_prepare(runtime);
		int64_t wait_ms = wait_ns < 0 ? -1 : (wait_ns + 999999) / 1000000;

		poll(fds, 2, wait_ms > 60000 ? 60000 : (int)wait_ms);
		if (fds[0].revents && !read_lines()) {
			fds[0].fd = -1; /* poll passes it over */
			fds[0].revents = 0;
			sennit_runtime_guard_put(runtime);
		}
		sennit_runtime_poll(runtime);
	}
	return sennit_runtime_destroy(runtime) ? 1 : 0;
}
