/* SPDX-License-Identifier: MIT */
/* examples.c - the examples as a user runs them: child processes that plain blocking clients talk
 * to over the loopback interface. They lie in ../examples/ from this program, and are ended by
 * SIGTERM: one that ended before, by itself, has failed. */
#include "support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLIENTS 8u
#define LINES   100u /* of each client, in a round */

struct example {
	pid_t pid;
	struct sennit_endpoint endpoint;
};

/* A client of the chat: its socket, and what it has received beyond the last line taken. */
struct client {
	int fd;
	size_t used;
	char data[8192];
};

/* --- child processes and sockets ------------------------------------------------------------ */

static void example_path(const char *name, char path[static 4096])
{
	ssize_t length = readlink("/proc/self/exe", path, 4000);

	assert_true(length > 0 && length < 4000);
	path[length] = '\0';
	*strrchr(path, '/') = '\0';
	assert_true(snprintf(path + strlen(path), 90, "/../examples/%s", name) < 90);
}

/* Starts an example; *output is the end of a pipe that its standard output is. */
static pid_t spawn_example(const char *name, const char *endpoint, int *output)
{
	char path[4096];
	int ends[2];
	pid_t parent = getpid(), pid;

	example_path(name, path);
	assert_int_equal(pipe(ends), 0);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent || dup2(ends[1], STDOUT_FILENO) < 0)
			_exit(126);
		close(ends[0]);
		close(ends[1]);
		execl(path, name, endpoint, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	*output = ends[0];
	return pid;
}

/* Starts an example on a port that the kernel picks, and waits for its one line of output. */
static struct example start_example(const char *name, const char *endpoint)
{
	static const char prefix[] = "listening ";
	struct example example;
	char line[sizeof prefix + SENNIT_ENDPOINT_TEXT];
	int output;
	FILE *file;

	example.pid = spawn_example(name, endpoint, &output);
	file = fdopen(output, "r");
	assert_non_null(file);
	if (!fgets(line, sizeof line, file))
		fail_msg("%s printed nothing", name);
	fclose(file);
	assert_true(strlen(line) > sizeof prefix && line[strlen(line) - 1] == '\n');
	line[strlen(line) - 1] = '\0';
	assert_memory_equal(line, prefix, sizeof prefix - 1);
	assert_int_equal(sennit_endpoint_parse(&example.endpoint, line + sizeof prefix - 1), 0);
	assert_int_not_equal(sennit_endpoint_port(&example.endpoint), 0);
	return example;
}

static void end_example(struct example *example)
{
	int status;

	assert_int_equal(kill(example->pid, SIGTERM), 0);
	assert_int_equal(waitpid(example->pid, &status, 0), example->pid);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGTERM)
		fail_msg("the example ended by itself: status %#x", (unsigned)status);
}

static int connect_to(const struct example *example, int receive_buffer)
{
	int fd = socket(example->endpoint.address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	assert_true(fd >= 0);
	if (receive_buffer)
		assert_int_equal(
		    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer),
		    0);
	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one), 0);
	assert_int_equal(connect(fd, &example->endpoint.address.any,
	                         (socklen_t)sennit_endpoint_size(&example->endpoint)),
	                 0);
	return fd;
}

static void send_all(int fd, const void *data, size_t size)
{
	size_t sent = 0;

	while (sent < size) {
		ssize_t now = send(fd, (const char *)data + sent, size - sent, MSG_NOSIGNAL);

		assert_true(now > 0);
		sent += (size_t)now;
	}
	progress();
}

/* Until `size` bytes, the end of the stream or an error. */
static size_t receive_all(int fd, void *data, size_t size)
{
	size_t received = 0;
	ssize_t now;

	while (received < size && (now = recv(fd, (char *)data + received, size - received, 0)) > 0)
		received += (size_t)now;
	progress();
	return received;
}

static void fill(unsigned char *data, size_t size, uint64_t seed)
{
	for (size_t i = 0; i < size; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		data[i] = (unsigned char)(seed >> 56);
	}
}

/* --- echo ----------------------------------------------------------------------------------- */

static void echo_and_check(int fd, size_t size, uint64_t seed)
{
	static unsigned char sent[65536], received[sizeof sent];

	assert_true(size <= sizeof sent);
	fill(sent, size, seed);
	send_all(fd, sent, size);
	assert_int_equal(receive_all(fd, received, size), size);
	assert_memory_equal(sent, received, size);
}

static void echo_sends_back_every_byte_in_order(void **state)
{
	static const size_t sizes[] = { 1, 2, 64, 4095, 4096, 4097, 16384, 65536 };
	struct example echo = start_example("echo", "127.0.0.1:0");
	int fd = connect_to(&echo, 0);

	(void)state;
	for (unsigned round = 0; round < 10 * scale(); round++) {
		for (size_t i = 0; i < COUNT_OF(sizes); i++)
			echo_and_check(fd, sizes[i], round * 100 + i);
	}
	close(fd);
	end_example(&echo);
}

static void echo_serves_many_clients_at_once(void **state)
{
	struct example echo = start_example("echo", "[::1]:0");
	int fds[64];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(fds); i++)
		fds[i] = connect_to(&echo, 0);
	for (unsigned round = 0; round < 20 * scale(); round++) {
		unsigned char sent[COUNT_OF(fds)][64], received[64];

		for (size_t i = 0; i < COUNT_OF(fds); i++) {
			fill(sent[i], sizeof sent[i], round * 1000 + i);
			send_all(fds[i], sent[i], sizeof sent[i]);
		}
		for (size_t i = 0; i < COUNT_OF(fds); i++) {
			assert_int_equal(receive_all(fds[i], received, sizeof received),
			                 sizeof received);
			assert_memory_equal(sent[i], received, sizeof received);
		}
	}
	for (size_t i = 0; i < COUNT_OF(fds); i++)
		close(fds[i]);
	end_example(&echo);
}

static void echo_answers_what_came_before_the_end_of_the_stream_and_then_ends_it(void **state)
{
	static unsigned char sent[50000], received[sizeof sent + 1];
	struct example echo = start_example("echo", "127.0.0.1:0");

	(void)state;
	for (unsigned round = 0; round < 20 * scale(); round++) {
		int fd = connect_to(&echo, 0);

		fill(sent, sizeof sent, round);
		send_all(fd, sent, sizeof sent);
		assert_int_equal(shutdown(fd, SHUT_WR), 0);
		assert_int_equal(receive_all(fd, received, sizeof received), sizeof sent);
		assert_memory_equal(sent, received, sizeof sent);
		close(fd);
	}
	end_example(&echo);
}

static void echo_outlives_clients_that_reset_their_connection(void **state)
{
	static const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	struct example echo = start_example("echo", "127.0.0.1:0");
	int witness = connect_to(&echo, 0);

	(void)state;
	for (unsigned round = 0; round < 50 * scale(); round++) {
		int fd = connect_to(&echo, 0);

		send_all(fd, "unheard", 7);
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
		close(fd);
		echo_and_check(witness, 100, round);
	}
	close(witness);
	end_example(&echo);
}

static void an_example_ends_with_1_where_it_cannot_listen(void **state)
{
	static const char *const names[] = { "echo", "chat" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		int output, status;
		char byte;
		pid_t pid = spawn_example(names[i], "localhost:http", &output);

		assert_int_equal(read(output, &byte, 1), 0);
		close(output);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 1);
	}
}

/* --- chat ----------------------------------------------------------------------------------- */

/* The next line, without its newline; false at the end of the stream. */
static bool next_line(struct client *client, char line[static sizeof client->data])
{
	char *end;

	while (!(end = memchr(client->data, '\n', client->used))) {
		ssize_t now;

		assert_true(client->used < sizeof client->data);
		now = recv(client->fd, client->data + client->used,
		           sizeof client->data - client->used, 0);
		if (now <= 0)
			return false;
		client->used += (size_t)now;
	}
	progress();
	memcpy(line, client->data, (size_t)(end - client->data));
	line[end - client->data] = '\0';
	client->used -= (size_t)(end + 1 - client->data);
	memmove(client->data, end + 1, client->used);
	return true;
}

static void expect_line(struct client *client, const char *expected)
{
	char line[sizeof client->data];

	assert_true(next_line(client, line));
	assert_string_equal(line, expected);
}

static void expect_notice(struct client *client, const char *what, unsigned here)
{
	char expected[64];

	snprintf(expected, sizeof expected, "* someone %s, %u here", what, here);
	expect_line(client, expected);
}

static void say(struct client *client, const char *text)
{
	send_all(client->fd, text, strlen(text));
}

/* Clients join one after the other; each hears of those that come after it. */
static void join_chat(const struct example *chat, struct client *clients, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		clients[i].fd = connect_to(chat, 0);
		clients[i].used = 0;
		for (unsigned j = 0; j <= i; j++)
			expect_notice(&clients[j], "joined", i + 1);
	}
}

static void leave_chat(struct client *clients, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		close(clients[i].fd);
}

static void a_line_goes_to_every_other_client_and_not_back(void **state)
{
	static struct client clients[3];
	struct example chat = start_example("chat", "127.0.0.1:0");

	(void)state;
	join_chat(&chat, clients, COUNT_OF(clients));
	say(&clients[0], "who is there?\n");
	expect_line(&clients[1], "who is there?");
	expect_line(&clients[2], "who is there?");
	say(&clients[2], "me\n");
	expect_line(&clients[0], "me"); /* and not its own line before */
	expect_line(&clients[1], "me");
	leave_chat(clients, COUNT_OF(clients));
	end_example(&chat);
}

static void a_line_in_parts_is_passed_on_once_it_is_whole(void **state)
{
	static struct client clients[2];
	struct example chat = start_example("chat", "127.0.0.1:0");

	(void)state;
	join_chat(&chat, clients, COUNT_OF(clients));
	say(&clients[0], "one\ntw");
	expect_line(&clients[1], "one");
	say(&clients[0], "o");
	say(&clients[1], "between\n");
	expect_line(&clients[0], "between");
	say(&clients[0], "\n\nthree\n");
	expect_line(&clients[1], "two");
	expect_line(&clients[1], "");
	expect_line(&clients[1], "three");
	leave_chat(clients, COUNT_OF(clients));
	end_example(&chat);
}

static void who_leaves_or_talks_without_end_is_missed_by_the_others(void **state)
{
	static struct client clients[3];
	static char endless[8192], line[sizeof clients[0].data];
	struct example chat = start_example("chat", "[::1]:0");

	(void)state;
	join_chat(&chat, clients, COUNT_OF(clients));
	close(clients[2].fd);
	expect_notice(&clients[0], "left", 2);
	expect_notice(&clients[1], "left", 2);
	memset(endless, 'x', sizeof endless);
	send_all(clients[1].fd, endless, sizeof endless);
	expect_notice(&clients[0], "left", 1);
	assert_false(next_line(&clients[1], line));
	leave_chat(clients, 2);
	end_example(&chat);
}

/* Line `number` of a writer: of a length that differs from line to line. */
static size_t make_line(char *text, unsigned writer, unsigned number)
{
	int size = sprintf(text, "%u %u ", writer, number);
	unsigned more = (writer * 31 + number * 17) % 150;

	assert_true(size > 0);
	memset(text + size, 'a' + (int)writer, more);
	text[(unsigned)size + more] = '\n';
	return (unsigned)size + more + 1;
}

/* Everybody sends his lines, in pieces of which few end where a line does, by turns. */
static void everybody_talks(struct client *clients, unsigned first)
{
	static char texts[CLIENTS][LINES * 200];
	size_t sizes[CLIENTS] = { 0 }, largest = 0;

	for (unsigned i = 0; i < CLIENTS; i++) {
		for (unsigned line = 0; line < LINES; line++)
			sizes[i] += make_line(texts[i] + sizes[i], i, first + line);
		largest = sizes[i] > largest ? sizes[i] : largest;
	}
	for (size_t at = 0; at < largest; at += 777) {
		for (unsigned i = 0; i < CLIENTS; i++) {
			size_t left = at < sizes[i] ? sizes[i] - at : 0;

			send_all(clients[i].fd, texts[i] + at, left < 777 ? left : 777);
		}
	}
}

static void everybody_hears_the_others(struct client *clients, unsigned first)
{
	char line[sizeof clients->data], expected[256];

	for (unsigned i = 0; i < CLIENTS; i++) {
		unsigned next[CLIENTS] = { 0 };

		for (unsigned count = 0; count < (CLIENTS - 1) * LINES; count++) {
			unsigned long writer;

			assert_true(next_line(&clients[i], line));
			writer = strtoul(line, NULL, 10);
			assert_true(writer < CLIENTS && writer != i);
			expected[make_line(expected, (unsigned)writer, first + next[writer]++) -
			         1] = '\0';
			assert_string_equal(line, expected);
		}
	}
}

static void lines_of_many_writers_arrive_whole_and_each_writers_in_order(void **state)
{
	static struct client clients[CLIENTS];
	struct example chat = start_example("chat", "127.0.0.1:0");

	(void)state;
	join_chat(&chat, clients, CLIENTS);
	for (unsigned round = 0; round < 5 * scale(); round++) {
		everybody_talks(clients, round * LINES);
		everybody_hears_the_others(clients, round * LINES);
	}
	leave_chat(clients, CLIENTS);
	end_example(&chat);
}

/* The bound is 256 KiB beyond what the kernel's buffers take, which is a few megabytes at most. */
static void a_client_that_never_reads_is_sent_away_and_the_others_go_on(void **state)
{
	static struct client clients[2];
	static char text[4001], line[sizeof clients[0].data], received[65536];
	struct example chat = start_example("chat", "127.0.0.1:0");
	const size_t total = 32u << 20;
	size_t reached = 0, now;
	int slow;

	(void)state;
	join_chat(&chat, clients, COUNT_OF(clients));
	slow = connect_to(&chat, 4096);
	expect_notice(&clients[0], "joined", 3);
	expect_notice(&clients[1], "joined", 3);
	memset(text, 'x', sizeof text - 2);
	text[sizeof text - 2] = '\n';
	for (size_t sent = 0; sent < total; sent += sizeof text - 1) {
		say(&clients[0], text);
		do
			assert_true(next_line(&clients[1], line));
		while (line[0] == '*');
		assert_int_equal(strlen(line), sizeof text - 2);
	}
	expect_notice(&clients[0], "left", 2);
	while ((now = receive_all(slow, received, sizeof received)) > 0)
		reached += now;
	assert_true(reached < total);
	close(slow);
	leave_chat(clients, COUNT_OF(clients));
	end_example(&chat);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(echo_sends_back_every_byte_in_order),
		TEST(echo_serves_many_clients_at_once),
		TEST(echo_answers_what_came_before_the_end_of_the_stream_and_then_ends_it),
		TEST(echo_outlives_clients_that_reset_their_connection),
		TEST(an_example_ends_with_1_where_it_cannot_listen),
		TEST(a_line_goes_to_every_other_client_and_not_back),
		TEST(a_line_in_parts_is_passed_on_once_it_is_whole),
		TEST(who_leaves_or_talks_without_end_is_missed_by_the_others),
		TEST(lines_of_many_writers_arrive_whole_and_each_writers_in_order),
		TEST(a_client_that_never_reads_is_sent_away_and_the_others_go_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
