/* SPDX-License-Identifier: MIT */
/* write_strand.c - many threads write messages of many sizes on one stream (S2): none is mixed with
 * another, none is lost or there twice, and each thread's are in its order.
 *
 * Eight foreign threads, and a chain of writes on the owner and on another worker. The main thread
 * reads the other end.
 */
#include "io_support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOREIGN 8
#define WRITERS (FOREIGN + 2)
#define WINDOW  32 /* messages that one thread has in flight at most */
#define PAYLOAD 200

struct header {
	uint32_t writer;
	uint32_t size;
	uint64_t number;
};

struct message {
	struct sennit_op op;
	struct writer *writer;
	struct message *next;
	struct iovec vector[3];
	struct header header;
	unsigned char payload[PAYLOAD];
};

struct writer {
	struct sennit_stream *stream;
	unsigned index;
	uint64_t count; /* messages to write */
	uint64_t written;
	struct message *messages;
	/* For threads that wait: what is free. */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct message *unused;
	/* For chains: how many handlers have to come. */
	struct sennit_task task;
	struct latch *done;
	pthread_t thread;
};

/* So that each byte tells whose it is, and where it belongs. */
static unsigned char payload_at(const struct header *header, size_t place)
{
	return (unsigned char)(header->writer * 37 + header->number * 11 + place);
}

static uint32_t size_of(unsigned writer, uint64_t number)
{
	return (uint32_t)((number * 2654435761u + writer * 97) % (PAYLOAD + 1));
}

/* In one piece or in several: the wire shows no difference. */
static void write_message(struct writer *writer, struct message *message, sennit_handler *handler)
{
	struct header *header = &message->header;
	size_t half;

	*header = (struct header){ writer->index, size_of(writer->index, writer->written),
		                   writer->written };
	writer->written++;
	for (size_t i = 0; i < header->size; i++)
		message->payload[i] = payload_at(header, i);
	half = header->size / 2;
	message->vector[0] = (struct iovec){ header, sizeof *header };
	message->vector[1] = (struct iovec){ message->payload, half };
	message->vector[2] = (struct iovec){ message->payload + half, header->size - half };
	if (header->number % 3)
		sennit_async_writev(writer->stream, message->vector, 3, &message->op, handler);
	else
		sennit_async_write(writer->stream, header, sizeof *header + header->size,
		                   &message->op, handler);
}

static void check_result(const struct message *message, int error, size_t bytes)
{
	RECORD(error == 0 && bytes == sizeof message->header + message->header.size);
}

/* --- threads ---------------------------------------------------------------------------------- */

static void on_written(struct sennit_op *op, int error, size_t bytes)
{
	struct message *message = CONTAINER_OF(op, struct message, op);
	struct writer *writer = message->writer;

	check_result(message, error, bytes);
	pthread_mutex_lock(&writer->mutex);
	message->next = writer->unused;
	writer->unused = message;
	pthread_cond_signal(&writer->changed);
	pthread_mutex_unlock(&writer->mutex);
}

static struct message *take_unused(struct writer *writer)
{
	struct message *message;

	pthread_mutex_lock(&writer->mutex);
	while (!writer->unused)
		pthread_cond_wait(&writer->changed, &writer->mutex);
	message = writer->unused;
	writer->unused = message->next;
	pthread_mutex_unlock(&writer->mutex);
	return message;
}

static void *write_all(void *argument)
{
	struct writer *writer = argument;

	while (writer->written < writer->count)
		write_message(writer, take_unused(writer), on_written);
	/* Until the last is there: then the messages are nobody else's. */
	for (int i = 0; i < WINDOW; i++)
		take_unused(writer);
	return NULL;
}

/* --- chains ----------------------------------------------------------------------------------- */

static void on_written_chain(struct sennit_op *op, int error, size_t bytes)
{
	struct message *message = CONTAINER_OF(op, struct message, op);
	struct writer *writer = message->writer;

	check_result(message, error, bytes);
	if (writer->written < writer->count)
		write_message(writer, message, on_written_chain);
	else
		latch_down(writer->done);
}

static void start_chain(struct sennit_task *task, int error)
{
	struct writer *writer = CONTAINER_OF(task, struct writer, task);

	RECORD(error == 0);
	for (int i = 0; i < WINDOW; i++)
		write_message(writer, &writer->messages[i], on_written_chain);
}

/* --- the other end ---------------------------------------------------------------------------- */

/* A buffer of what was read and not looked at yet. */
struct input {
	int fd;
	size_t size;
	size_t used;
	unsigned char data[1 << 16];
};

static const unsigned char *take(struct input *input, size_t size)
{
	const unsigned char *data;

	if (input->size - input->used < size) {
		input->size -= input->used;
		memmove(input->data, input->data + input->used, input->size);
		input->used = 0;
		while (input->size < size) {
			ssize_t got = read(input->fd, input->data + input->size,
			                   sizeof input->data - input->size);

			assert_true(got > 0);
			input->size += (size_t)got;
			progress();
		}
	}
	data = input->data + input->used;
	input->used += size;
	return data;
}

static void read_messages(int fd, uint64_t total, uint64_t numbers[WRITERS])
{
	struct input *input = zeroed(sizeof *input);

	input->fd = fd;
	for (uint64_t i = 0; i < total; i++) {
		const unsigned char *payload;
		struct header header;

		memcpy(&header, take(input, sizeof header), sizeof header);
		assert_in_range(header.writer, 0, WRITERS - 1);
		assert_int_equal(header.number, numbers[header.writer]);
		assert_int_equal(header.size, size_of(header.writer, header.number));
		numbers[header.writer]++;
		payload = take(input, header.size);
		for (size_t place = 0; place < header.size; place++) {
			if (payload[place] != payload_at(&header, place))
				fail_msg("message %llu of writer %u is mixed with another",
				         (unsigned long long)header.number, header.writer);
		}
	}
	free(input);
}

/* --- the test --------------------------------------------------------------------------------- */

static void start_writer(struct writer *writer, struct stage *stage, struct latch *done)
{
	writer->done = done;
	writer->messages = zeroed(WINDOW * sizeof *writer->messages);
	for (int i = 0; i < WINDOW; i++) {
		writer->messages[i].writer = writer;
		writer->messages[i].next = writer->unused;
		writer->unused = &writer->messages[i];
	}
	pthread_mutex_init(&writer->mutex, NULL);
	pthread_cond_init(&writer->changed, NULL);
	if (writer->index < FOREIGN)
		writer->thread = spawn(write_all, writer);
	else
		sennit_post(writer->index == FOREIGN ? stage->owner : stage->other, &writer->task,
		            start_chain);
}

static void write_from_all(struct sennit_stream *stream, struct stage *stage, int peer,
                           uint64_t each)
{
	struct writer writers[WRITERS] = { 0 };
	uint64_t numbers[WRITERS] = { 0 };
	struct latch done = LATCH(2 * WINDOW);

	for (unsigned i = 0; i < WRITERS; i++) {
		writers[i].stream = stream;
		writers[i].index = i;
		writers[i].count = each;
		start_writer(&writers[i], stage, &done);
	}
	read_messages(peer, WRITERS * each, numbers);
	latch_wait(&done);
	for (unsigned i = 0; i < WRITERS; i++) {
		if (i < FOREIGN)
			join(writers[i].thread);
		assert_int_equal(numbers[i], each);
		pthread_mutex_destroy(&writers[i].mutex);
		pthread_cond_destroy(&writers[i].changed);
		free(writers[i].messages);
	}
	raw_silent(peer);
	assert_int_equal(sennit_runtime_join(stage->runtime), 0);
}

static struct stage new_stage(void)
{
	struct stage stage = { .runtime = started_runtime(2), .kind = THREAD_FOREIGN };

	stage.owner = sennit_runtime_worker(stage.runtime, 0);
	stage.other = sennit_runtime_worker(stage.runtime, 1);
	return stage;
}

static void messages_of_many_threads_on_a_socket_are_whole_and_in_order(void **state)
{
	struct stage stage = new_stage();
	struct sennit_tcp_socket socket;
	int peer = open_socket(&stage, &socket);

	(void)state;
	write_from_all(&socket.stream, &stage, peer, (uint64_t)8000 * scale());
	raw_close(peer);
	end_runtime(stage.runtime);
}

static void messages_of_many_threads_on_a_local_socket_are_whole_and_in_order(void **state)
{
	struct stage stage = new_stage();
	struct sennit_descriptor descriptor;
	int peer = open_local(&stage, &descriptor);

	(void)state;
	write_from_all(&descriptor.stream, &stage, peer, (uint64_t)1000 * scale());
	raw_close(peer);
	end_runtime(stage.runtime);
}

/* Little room: nearly every gather call ends inside of a message. */
static void messages_of_many_threads_on_a_small_pipe_are_whole_and_in_order(void **state)
{
	struct stage stage = new_stage();
	struct sennit_descriptor descriptor;
	int fds[2];

	(void)state;
	raw_pipe(fds);
	shrink_buffers(fds[1]);
	adopt(&stage, &descriptor, fds[1]);
	write_from_all(&descriptor.stream, &stage, fds[0], (uint64_t)1000 * scale());
	raw_close(fds[0]);
	end_runtime(stage.runtime);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(messages_of_many_threads_on_a_socket_are_whole_and_in_order),
		TEST(messages_of_many_threads_on_a_local_socket_are_whole_and_in_order),
		TEST(messages_of_many_threads_on_a_small_pipe_are_whole_and_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
