/* SPDX-License-Identifier: MIT */
/* io_support.h - what the tests of streams, descriptors and sockets share.
 *
 * A scenario lists what is to be started, in order; all of it is started in one go on the stage's
 * kind of thread, and each operation's result is waited for on the main thread:
 *
 *         SCENARIO(a_sentence_that_names_the_promise)
 *         {
 *                 struct flight read = {0};
 *                 ...
 *                 START(stage, {READ_SOME, .stream = stream, .data = data, .size = sizeof data,
 *                               .flight = &read});
 *                 EXPECT(&read, 0, 5);
 *                 finish(stage, &read, 1);
 *         }
 *
 * The other end of most objects here is a plain blocking descriptor of the main thread's: what it
 * can read or not is what the kernel was given, whatever the library says.
 */
#ifndef SENNIT_TESTS_IO_SUPPORT_H
#define SENNIT_TESTS_IO_SUPPORT_H

#include "support.h"

#include <stdatomic.h>

/* A test that plays once for each kind of thread; its body follows, with `stage` as parameter. */
#define SCENARIO(name)                                                                             \
 static void name##_on(struct stage *stage);                                                       \
 static void name(void **state)                                                                    \
 {                                                                                                 \
  (void)state;                                                                                     \
  on_each_kind_of_thread(name##_on);                                                               \
 }                                                                                                 \
 static void name##_on(struct stage *stage)

/* --- starting --------------------------------------------------------------------------------- */

/* An operation and what its handler was told. Zeroed, it is ready. */
struct flight {
	struct sennit_op op;
	struct result result;
};

enum verb {
	READ_SOME,
	READV_SOME,
	READ,
	READV,
	READ_AT_LEAST,
	READV_AT_LEAST,
	READ_WHILE,
	READV_WHILE,
	WRITE_SOME,
	WRITEV_SOME,
	WRITE,
	WRITEV,
	WRITE_AT_LEAST,
	WRITEV_AT_LEAST,
	WRITE_WHILE,
	WRITEV_WHILE,
	TRANSFERS, /* how many of the above there are */
	WAIT = TRANSFERS,
	CONNECT,
	ACCEPT,
	ACCEPTOR_WAIT,
	CANCEL,
	CLOSE,
	ACCEPTOR_CANCEL,
	ACCEPTOR_CLOSE
};

/* A call of an initiating function, of cancel or of close; what the verb has no use for is 0. */
struct start {
	enum verb verb;
	struct sennit_stream *stream;
	struct sennit_tcp_socket *socket;
	struct sennit_tcp_acceptor *acceptor;
	const struct sennit_endpoint *endpoint;
	void *data;
	size_t size;
	const struct iovec *vector;
	int count;
	size_t minimum;
	sennit_condition *condition;
	int what;
	struct flight *flight;
	struct sennit_executor *bound; /* bind the operation to it */
	struct sennit_cancel_slot *slot; /* bind the operation to it */
	uint64_t expires_after_ns;       /* its deadline, where that is not 0 */
	int expires_with;
	struct sennit_executor
	    *runs_on; /* where the handler has to run; NULL: bound, or the owner */
};

/* Starts in order, on the stage's kind of thread; returns when all are started. On the owner it is
 * also checked that no handler ran inside an initiating function. */
#define START(stage, ...)                                                                          \
 start_all((stage), (const struct start[]){ __VA_ARGS__ },                                         \
	   sizeof((const struct start[]){ __VA_ARGS__ }) / sizeof(struct start))

void start_all(struct stage *stage, const struct start *starts, size_t count);

/* The same with the owner's thread, whatever the stage's kind. */
void start_on_owner(struct stage *stage, const struct start *starts, size_t count);

/* One start, here and now, on the calling thread. */
void start_here(const struct start *start, struct sennit_executor *owner);

/* --- results ---------------------------------------------------------------------------------- */

/* Waits for a result and asserts what it is. */
#define EXPECT(flight, error, bytes) expect_flight((flight), (error), (bytes), __FILE__, __LINE__)

void expect_flight(struct flight *flight, int error, size_t bytes, const char *file, int line);

/* The same on a runtime that this thread drives. */
#define DRIVE(runtime, flight, error, bytes)                                                       \
 drive_flight((runtime), (flight), (error), (bytes), __FILE__, __LINE__)

void drive_flight(struct sennit_runtime *runtime, struct flight *flight, int error, size_t bytes,
                  const char *file, int line);

/* Asserts that the owner has received the operation and not completed it. */
#define PENDING(stage, flight) pending_flight((stage), (flight), __FILE__, __LINE__)

void pending_flight(struct stage *stage, struct flight *flight, const char *file, int line);

/* Waits until the runtime has no work left, then asserts that each handler ran exactly once. */
void finish(struct stage *stage, const struct flight *flights, size_t count);

/* Returns when the owner has run a function that was posted now. */
void owner_turn(struct stage *stage);

/* A stage without threads: this thread drives it. */
struct stage driven_stage(void);

/* --- a worker that is busy -------------------------------------------------------------------- */

/* A handler that keeps its worker until it is let go. */
struct hold {
	struct sennit_task task;
	struct latch held;
	struct latch release;
	struct latch done;
};

/* Returns when the worker is inside the handler. */
void hold_worker(struct hold *hold, struct sennit_executor *executor);
void let_go(struct hold *hold);

/* --- objects ---------------------------------------------------------------------------------- */

/* Opens a socket of the library's on the stage's owner; returns its peer. */
int open_socket(struct stage *stage, struct sennit_tcp_socket *socket);

/* Opens a descriptor of the library's on one end of a local stream pair; returns the other. */
int open_local(struct stage *stage, struct sennit_descriptor *descriptor);

/* Has the library adopt a descriptor, on the stage's owner. */
void adopt(struct stage *stage, struct sennit_descriptor *descriptor, int fd);

/* An acceptor on the loopback interface, on the stage's owner. */
void open_acceptor(struct stage *stage, struct sennit_tcp_acceptor *acceptor,
                   struct sennit_endpoint *endpoint);

/* --- plain descriptors ------------------------------------------------------------------------ */

/* All CLOEXEC and blocking; they assert that the calls succeed. */
void raw_tcp_pair(int fds[2]);
void raw_local_pair(int type, int fds[2]);
void raw_pipe(int fds[2]);
int raw_listen(struct sennit_endpoint *endpoint, int backlog);

/* A listener whose queue is full: the next connect waits. `filler` is the connection in it. */
int raw_listen_full(struct sennit_endpoint *endpoint, int *filler);

int raw_connect(const struct sennit_endpoint *endpoint);
void raw_close(int fd);

/* A terminal that hands over lines as written: no echo, nothing translated. */
void raw_terminal(int *master, int *slave);

/* The whole of it, exactly. */
void raw_write(int fd, const void *data, size_t size);
void raw_read(int fd, void *data, size_t size);

/* Asserts that there is nothing to read, not even an end. */
void raw_silent(int fd);

/* Reads to the end; asserts that the bytes are the pattern from its beginning. Returns how many. */
size_t raw_drain(int fd);

/* The room for what is sent: as small as the kernel allows, so that writes block soon. */
void shrink_buffers(int fd);

/* Resets the connection. */
void raw_reset(int fd);

/* Waits until the kernel has nothing unread for this descriptor (FIONREAD). */
void wait_until_read(int fd);

/* Waits until it has so many bytes. */
void wait_until_there(int fd, size_t size);

/* Whether O_NONBLOCK is set. */
bool is_nonblocking(int fd);

/* A temporary file's name is put in `path` (of PATH_MAX bytes): a name that is not there yet. */
void temporary_name(char *path);

/* --- bytes ------------------------------------------------------------------------------------ */

/* Bytes whose place in a stream can be told: no two stretches of 16 KiB look alike. */
void pattern(void *data, size_t size, size_t offset);
bool is_pattern(const void *data, size_t size, size_t offset);

/* Memory full of the pattern, or of zeros; the test frees it. */
void *patterned(size_t size);
void *zeroed(size_t size);

#endif
