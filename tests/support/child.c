/* SPDX-License-Identifier: MIT */
/* child.c - code that is expected to end its process runs in a child. */
#include "frame.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Ends the child. Without exit handlers: the parent's state is not the child's to tidy. */
static _Noreturn void run_in_child(int text_fd, stage_function *function, void *argument)
{
	static const int caught[] = { SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGSYS };
	struct rlimit none = { 0 };

	/* cmocka's handlers would go on with the next test, here. */
	for (unsigned i = 0; i < COUNT_OF(caught); i++)
		signal(caught[i], SIG_DFL);
	setrlimit(RLIMIT_CORE, &none);
	dup2(text_fd, STDERR_FILENO);
	close(text_fd);
	signal(SIGALRM, SIG_DFL);
	alarm(60);
	function(argument);
	fflush(stderr);
	_exit(0);
}

void in_child(struct child *child, stage_function *function, void *argument)
{
	size_t size = 0;
	int pipe_fds[2];
	pid_t pid;

	memset(child, 0, sizeof *child);
	assert_int_equal(pipe(pipe_fds), 0);
	fflush(NULL);
	watchdog_stop();
	pid = fork();
	if (pid == 0) {
		close(pipe_fds[0]);
		run_in_child(pipe_fds[1], function, argument);
	}
	watchdog_start();
	close(pipe_fds[1]);
	assert_true(pid > 0);
	for (;;) {
		char spare[512];
		bool full = size == sizeof child->text - 1;
		ssize_t got =
		    full ? read(pipe_fds[0], spare, sizeof spare)
			 : read(pipe_fds[0], child->text + size, sizeof child->text - 1 - size);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		size += full ? 0 : (size_t)got;
	}
	close(pipe_fds[0]);
	while (waitpid(pid, &child->status, 0) < 0 && errno == EINTR)
		continue;
	progress();
}

void assert_misuse(stage_function *function, void *argument, const char *word)
{
	struct child child;
	size_t size;

	in_child(&child, function, argument);
	if (!WIFSIGNALED(child.status) || WTERMSIG(child.status) != SIGABRT)
		fail_msg("no SIGABRT (status %#x); on stderr: %s", (unsigned)child.status,
		         child.text);
	size = strlen(child.text);
	if (size < 2 || child.text[size - 1] != '\n' ||
	    strchr(child.text, '\n') != child.text + size - 1)
		fail_msg("not one line on stderr: \"%s\"", child.text);
	if (word && !strstr(child.text, word))
		fail_msg("\"%s\" is not in: %s", word, child.text);
}
