/* SPDX-License-Identifier: MIT */
/* attempt.h - attempts to read from a stream, or to write to it, without an operation
 * (sennit_stream_try_read, sennit_stream_try_write), while the main thread has its other end.
 */
#ifndef SENNIT_TESTS_ATTEMPT_H
#define SENNIT_TESTS_ATTEMPT_H

#include "io_support.h"

#include <sennit/stream_implement.h>

/* More attempts than any stream's share of a turn. */
#define ATTEMPTS 1000

/* One of the two functions. */
typedef ssize_t attempt_function(struct sennit_stream *stream, const struct iovec *vector,
				 int count);

enum kind { TCP, LOCAL, PIPE, KINDS };

/* One worker, to which nobody sends anything but the test. */
struct end {
	struct stage stage;
	struct sennit_tcp_socket socket;
	struct sennit_descriptor descriptor;
	struct sennit_stream *stream;
	int fds[2]; /* the stream's, and the other end */
	enum kind kind;
	attempt_function *attempt;
};

/* The worker alone: a stream is the test's. */
void begin_end(struct end *end, attempt_function *attempt);

/* A pipe goes the way of the attempts. */
void open_end(struct end *end, enum kind kind, attempt_function *attempt);

/* The other end may be closed already: -1. */
void close_end(struct end *end);

void with_each_kind(attempt_function *attempt, void (*function)(struct end *end));

struct attempt {
	struct end *end;
	const struct iovec *vector;
	int count;
	ssize_t moved;                  /* what it returned */
	struct sennit_counters counted; /* what it added to them */
};

/* Makes an attempt, a struct attempt, on the owner, and checks that it allocates nothing. */
void attempt_here(void *attempt);

/* The same from the main thread: what it returned. */
ssize_t try_parts(struct end *end, const struct iovec *vector, int count);
ssize_t try_bytes(struct end *end, const void *data, size_t size);

/* An attempt of one part on the owner, which has not seen yet what another thread has started
 * meanwhile: what it returned. */
ssize_t try_beside(struct end *end, const struct iovec *part, const struct start *started);

/* As many attempts as bytes, each of one, in one turn: how many bytes were moved before there was
 * none to move. */
size_t try_one_by_one(struct end *end, char *data);

/* An attempt on a stream that was never open, and on each kind after close. */
void assert_closed_reports_EBADF(attempt_function *attempt);

/* An attempt on each thread that is not the owner. */
void assert_misuse_elsewhere(attempt_function *attempt, const char *word);

#endif
