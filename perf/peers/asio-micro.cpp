/* SPDX-License-Identifier: MIT */
/* asio-micro.cpp - what sennit-micro measures, on Boost.Asio: the same names, parameters and
 * command line, where Asio has the like. One io_context with concurrency hint 1 for each worker
 * that stands alone, one that all share for what any may run; executors and sockets are of the
 * context's own types (not type-erased), handlers a pointer wide, so that Asio recycles its
 * memory. */
#include "perf/micro/micro.h"

#include <boost/asio.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <semaphore.h>
#include <thread>
#include <vector>

namespace asio = boost::asio;
using boost::system::error_code;
using context_executor = asio::io_context::executor_type;
using stream_socket = asio::basic_stream_socket<asio::local::stream_protocol, context_executor>;

namespace
{

enum {
	WINDOW = 4096,
	PAUSE_NS = 20000,
	WRITES = 16,
	SIZE = 64,
	STRANDS = 10000,
	STROLLERS = 64, /* for each worker */
	BATCH = 1000,   /* timers that expire together */
	BATCH_NS = 1000000,
};

void check(const error_code &error, const char *what)
{
	micro_require(!error, what, error.message().c_str());
}

/* The contexts of a run, each with the threads that run it; the caller's where there is one. */
struct workers {
	workers(micro_run *measured, bool shared) : run(measured)
	{
		for (uint64_t i = 0; i < (shared ? 1 : run->workers); i++)
			contexts.emplace_back(
			    new asio::io_context(shared ? static_cast<int>(run->workers) : 1));
	}

	asio::io_context &of(uint64_t worker)
	{
		return *contexts[worker % contexts.size()];
	}

	/* Runs all until no work is left, and takes the time. */
	void finish()
	{
		std::vector<std::thread> threads;

		run->threads += run->workers + (run->workers > 1);
		for (uint64_t i = 0; i < run->workers && run->workers > 1; i++)
			threads.emplace_back([this, i] { of(i).run(); });
		if (threads.empty())
			contexts[0]->run();
		for (auto &thread : threads)
			thread.join();
		if (!run->ns)
			micro_end(run);
	}

	micro_run *run;
	std::vector<std::unique_ptr<asio::io_context>> contexts;
};

/* --- posts ------------------------------------------------------------------------------------ */

template <typename Executor>
struct alignas(128) chain {
	void post()
	{
		asio::post(executor, [this] {
			if (--left)
				post();
		});
	}

	Executor executor;
	uint64_t left;
};

template <typename Executor>
struct alignas(128) defer_chain {
	void post()
	{
		asio::defer(executor, [this] {
			if (--left)
				post();
		});
	}

	Executor executor;
	uint64_t left;
};

/* One chain for each worker, on the executor that `of` says. */
template <typename Chain, typename Of>
void run_chains(micro_run *run, workers &all, Of of)
{
	std::vector<Chain> chains;

	for (uint64_t i = 0; i < run->workers; i++)
		chains.push_back({ of(i), micro_share(run, i, run->workers) });
	micro_begin(run);
	for (auto &own : chains)
		if (own.left)
			own.post();
	all.finish();
}

void post_local(micro_run *run)
{
	workers all(run, run->parameter == 1);

	run_chains<chain<context_executor>>(run, all,
	                                    [&](uint64_t i) { return all.of(i).get_executor(); });
}

void defer_local(micro_run *run)
{
	workers all(run, run->parameter == 1);

	run_chains<defer_chain<context_executor>>(
	    run, all, [&](uint64_t i) { return all.of(i).get_executor(); });
}

/* A foreign thread that posts to an executor, at most a window ahead of the handlers. */
template <typename Executor>
struct alignas(128) producer {
	producer(Executor where, uint64_t count, uint64_t ahead, pthread_barrier_t *all_ready)
	    : executor(where), operations(count), window(ahead), ready(all_ready)
	{
	}

	void produce()
	{
		pthread_barrier_wait(ready); /* all are there */
		pthread_barrier_wait(ready); /* the clock runs */
		for (uint64_t i = 0; i < operations; i++) {
			while (i - handled.load(std::memory_order_acquire) >= window)
				sched_yield();
			asio::post(executor, [this] {
				handled.store(handled.load(std::memory_order_relaxed) + 1,
				              std::memory_order_release);
			});
		}
	}

	Executor executor;
	uint64_t operations;
	uint64_t window;
	pthread_barrier_t *ready;
	alignas(128) std::atomic<uint64_t> handled{ 0 };
};

/* Runs all operations, which run->parameter threads post, each to the executor it is given. */
template <typename Executor>
void produce(micro_run *run, workers &all, const std::vector<Executor> &executors)
{
	using work = asio::executor_work_guard<context_executor>;
	uint64_t count = run->parameter;
	std::vector<std::unique_ptr<producer<Executor>>> producers;
	std::vector<std::thread> threads;
	pthread_barrier_t ready;

	pthread_barrier_init(&ready, nullptr, static_cast<unsigned>(count) + 1);
	for (uint64_t i = 0; i < count; i++) {
		producers.emplace_back(new producer<Executor>(executors[i % executors.size()],
		                                              micro_share(run, i, count),
		                                              WINDOW / count, &ready));
		threads.emplace_back([own = producers.back().get(),
		                      guard = work(all.of(i).get_executor())]() mutable {
			own->produce();
			guard.reset();
		});
	}
	run->threads += count;
	pthread_barrier_wait(&ready);
	micro_begin(run);
	pthread_barrier_wait(&ready);
	all.finish();
	for (auto &thread : threads)
		thread.join();
	pthread_barrier_destroy(&ready);
}

void post_remote(micro_run *run)
{
	workers all(run, false);
	std::vector<context_executor> executors;

	for (uint64_t i = 0; i < run->workers; i++)
		executors.push_back(all.of(i).get_executor());
	produce(run, all, executors);
}

/* --- strands ---------------------------------------------------------------------------------- */

using strand = asio::strand<context_executor>;

/* Parameter 1: a chain in a strand of its own for each worker; more: producers to one strand. */
void strand_post(micro_run *run)
{
	workers all(run, true);

	if (run->parameter == 1) {
		run_chains<chain<strand>>(run, all,
		                          [&](uint64_t i) { return asio::make_strand(all.of(i)); });
		return;
	}
	produce(run, all, std::vector<strand>{ asio::make_strand(all.of(0)) });
}

/* A handler that posts itself to one strand after the other, some steps apart. */
struct alignas(128) stroller {
	void post()
	{
		asio::post((*strands)[at], [this] {
			if (!--left)
				return;
			at = (at + step) % STRANDS;
			post();
		});
	}

	std::vector<strand> *strands;
	uint64_t at, step, left;
};

void strand_many(micro_run *run)
{
	workers all(run, true);
	std::vector<strand> strands;
	std::vector<stroller> strollers;
	uint64_t count = STROLLERS * run->workers;

	for (int i = 0; i < STRANDS; i++)
		strands.push_back(asio::make_strand(all.of(0)));
	for (uint64_t i = 0; i < count; i++)
		strollers.push_back({ &strands, i % STRANDS, count, micro_share(run, i, count) });
	micro_begin(run);
	for (auto &own : strollers)
		if (own.left)
			own.post();
	all.finish();
}

/* --- wakes ------------------------------------------------------------------------------------ */

void post_wake(micro_run *run)
{
	asio::io_context context(1);
	auto guard = asio::make_work_guard(context);
	std::thread thread([&context] { context.run(); });
	auto histogram = std::make_unique<struct histogram>();
	uint64_t seen_ns = 0;
	uint64_t ns = 0;
	sem_t seen;

	sem_init(&seen, 0, 0);
	run->workers = 1;
	run->threads = 2;
	micro_begin(run);
	for (uint64_t i = 0; i < run->operations; i++) {
		uint64_t begin_ns;

		micro_sleep(PAUSE_NS);
		begin_ns = micro_now();
		asio::post(context, [&seen_ns, &seen] {
			seen_ns = micro_now();
			sem_post(&seen);
		});
		while (sem_wait(&seen))
			continue;
		histogram_add(histogram.get(), seen_ns - begin_ns);
		ns += seen_ns - begin_ns;
	}
	guard.reset();
	thread.join();
	micro_end(run);
	sem_destroy(&seen);
	run->ns = ns; /* without the pauses */
	micro_add_latencies(run, histogram.get());
}

/* Contexts that have nothing to do stay until the last ball has come to rest. */
struct pingpong_game {
	using work = asio::executor_work_guard<context_executor>;

	void end()
	{
		if (--balls == 0)
			guards.clear();
	}

	std::atomic<uint64_t> balls;
	std::vector<work> guards;
};

struct alignas(128) ball {
	void hit()
	{
		asio::post(*context[left & 1], [this] {
			if (--left)
				hit();
			else
				game->end();
		});
	}

	asio::io_context *context[2];
	uint64_t left; /* handlers: two a round trip */
	pingpong_game *game;
};

void pingpong(micro_run *run)
{
	pingpong_game game;
	std::vector<ball> balls;

	run->workers = run->workers < 2 ? 2 : run->workers;
	workers all(run, false);
	for (auto &context : all.contexts)
		game.guards.push_back(asio::make_work_guard(*context));
	for (uint64_t i = 0; i < run->workers / 2; i++) {
		uint64_t hits = 2 * micro_share(run, i, run->workers / 2);

		if (hits)
			balls.push_back({ { &all.of(2 * i), &all.of(2 * i + 1) }, hits, &game });
	}
	game.balls = balls.size();
	micro_begin(run);
	for (auto &own : balls)
		own.hit();
	all.finish();
}

/* --- streams ---------------------------------------------------------------------------------- */

struct alignas(128) gather {
	explicit gather(asio::io_context &context) : writer(context), reader(context)
	{
		asio::local::connect_pair(writer, reader);
	}

	void start()
	{
		pending = WRITES;
		for (int i = 0; i < WRITES; i++)
			writer.async_send(asio::buffer(data + i * SIZE, SIZE),
			                  [this](error_code error, std::size_t) {
						  check(error, "a write");
						  written();
					  });
	}

	void written()
	{
		if (--pending)
			return;
		ssize_t n = recv(reader.native_handle(), back, sizeof back, MSG_DONTWAIT);
		micro_require(n == sizeof back, "the reading of a batch", "bytes are missing");
		if (--left)
			start();
	}

	stream_socket writer, reader;
	uint64_t pending = 0;
	uint64_t left = 0;
	char data[WRITES * SIZE] = {};
	char back[WRITES * SIZE];
};

void write_gather(micro_run *run)
{
	workers all(run, false);
	std::vector<std::unique_ptr<gather>> pairs;

	for (uint64_t i = 0; i < run->workers; i++) {
		pairs.emplace_back(new gather(all.of(i)));
		pairs.back()->left = micro_share(run, i, run->workers);
	}
	micro_begin(run);
	for (auto &own : pairs)
		if (own->left)
			own->start();
	all.finish();
	micro_add(run, "calls", WRITES); /* each is sent when it is started */
}

struct alignas(128) echo {
	explicit echo(asio::io_context &context) : client(context), server(context)
	{
		asio::local::connect_pair(client, server);
	}

	void await()
	{
		server.async_read_some(asio::buffer(server_data),
		                       [this](error_code error, std::size_t bytes) {
					       if (!error)
						       answer(bytes);
				       });
	}

	void answer(std::size_t bytes)
	{
		asio::async_write(server, asio::buffer(server_data, bytes),
		                  [this](error_code error, std::size_t) {
					  check(error, "an answer");
					  await();
				  });
	}

	void ask()
	{
		asio::async_write(client, asio::buffer(client_data),
		                  [this](error_code error, std::size_t) {
					  check(error, "a request");
					  listen();
				  });
	}

	void listen()
	{
		asio::async_read(client, asio::buffer(client_data),
		                 [this](error_code error, std::size_t) {
					 check(error, "the reading of an answer");
					 if (--left)
						 ask();
					 else
						 close();
				 });
	}

	void close()
	{
		client.close();
		server.close();
	}

	stream_socket client, server;
	uint64_t left = 0;
	char client_data[SIZE] = {};
	char server_data[SIZE] = {};
};

void socketpair_echo(micro_run *run)
{
	workers all(run, false);
	std::vector<std::unique_ptr<echo>> pairs;

	for (uint64_t i = 0; i < run->workers; i++) {
		pairs.emplace_back(new echo(all.of(i)));
		pairs.back()->left = micro_share(run, i, run->workers);
	}
	micro_begin(run);
	for (auto &own : pairs) {
		if (!own->left)
			continue;
		own->await();
		own->ask();
	}
	all.finish();
}

/* --- timers ----------------------------------------------------------------------------------- */

using timer =
    asio::basic_waitable_timer<std::chrono::steady_clock,
                               asio::wait_traits<std::chrono::steady_clock>, context_executor>;

/* Arms a timer, cancels it, and again when its handler ran. */
struct alignas(128) arm_cancel {
	explicit arm_cancel(asio::io_context &context) : own(context)
	{
	}

	void arm()
	{
		own.expires_after(std::chrono::hours(2));
		own.async_wait([this](error_code) {
			if (--left)
				arm();
			else
				end();
		});
		own.cancel();
	}

	void end()
	{
		if (--*running == 0)
			micro_end(run);
		earlier.clear();
	}

	timer own;
	std::vector<timer> earlier;
	uint64_t left = 0;
	std::atomic<uint64_t> *running = nullptr;
	micro_run *run = nullptr;
};

void timer_arm_cancel(micro_run *run)
{
	workers all(run, false);
	std::vector<std::unique_ptr<arm_cancel>> parts;
	std::atomic<uint64_t> running{ 0 };

	for (uint64_t i = 0; i < run->workers; i++) {
		auto part = std::make_unique<arm_cancel>(all.of(i));

		for (uint64_t k = i; k < run->parameter; k += run->workers) {
			part->earlier.emplace_back(all.of(i), std::chrono::hours(1) +
			                                          std::chrono::microseconds(k));
			part->earlier.back().async_wait([](error_code) {});
		}
		part->left = micro_share(run, i, run->workers);
		part->running = &running;
		part->run = run;
		running += part->left != 0;
		parts.push_back(std::move(part));
	}
	micro_begin(run);
	for (auto &part : parts) {
		if (part->left)
			part->arm();
		else
			part->earlier.clear();
	}
	all.finish();
}

/* Arms a batch of timers, sleeps until all are due, and again when all handlers ran. */
struct alignas(128) expire {
	explicit expire(asio::io_context &context)
	{
		for (int i = 0; i < BATCH; i++)
			timers.emplace_back(context);
	}

	void arm()
	{
		auto now = std::chrono::steady_clock::now();
		uint64_t begin_ns;

		pending = left < BATCH ? left : uint64_t{ BATCH };
		left -= pending;
		for (uint64_t i = 0; i < pending; i++) {
			timers[i].expires_at(now +
			                     std::chrono::nanoseconds(micro_spread(i, BATCH_NS)));
			timers[i].async_wait([this](error_code) {
				if (--pending == 0 && left)
					arm();
			});
		}
		begin_ns = micro_now();
		micro_sleep(3 * BATCH_NS);
		slept_ns += micro_now() - begin_ns;
	}

	std::vector<timer> timers;
	uint64_t left = 0;
	uint64_t pending = 0;
	uint64_t slept_ns = 0;
};

void timer_expire(micro_run *run)
{
	workers all(run, false);
	std::vector<std::unique_ptr<expire>> parts;
	uint64_t slept_ns = 0;

	for (uint64_t i = 0; i < run->workers; i++) {
		parts.emplace_back(new expire(all.of(i)));
		parts.back()->left = micro_share(run, i, run->workers);
		if (parts.back()->left)
			asio::post(all.of(i), [part = parts.back().get()] { part->arm(); });
	}
	micro_begin(run);
	all.finish();
	for (auto &part : parts)
		slept_ns += part->slept_ns;
	run->ns -= slept_ns / run->workers;
}

/* --- cancellation ----------------------------------------------------------------------------- */

/* Waits with a slot of a signal, which this thread or another emits; and again. */
struct alignas(128) emit {
	explicit emit(asio::io_context &home, bool elsewhere)
	    : context(home), wait(home, std::chrono::hours(2)),
	      earlier(home, std::chrono::hours(1)), foreign(elsewhere)
	{
		/* or else each wait would be the first in the queue, and a system call */
		earlier.async_wait([](error_code) {});
	}

	void arm()
	{
		wait.async_wait(asio::bind_cancellation_slot(signal.slot(), [this](error_code) {
			if (--left)
				arm();
			else
				earlier.cancel();
		}));
		if (foreign)
			armed.store(armed.load(std::memory_order_relaxed) + 1,
			            std::memory_order_release);
		else
			signal.emit(asio::cancellation_type::terminal);
	}

	/* A signal must not be emitted while others use it: the emission itself is posted. */
	void emit_all(uint64_t count)
	{
		for (uint64_t i = 0; i < count; i++) {
			while (armed.load(std::memory_order_acquire) == i)
				sched_yield();
			asio::post(context,
			           [this] { signal.emit(asio::cancellation_type::terminal); });
		}
	}

	asio::io_context &context;
	timer wait;
	timer earlier;
	bool foreign;
	asio::cancellation_signal signal;
	uint64_t left = 0;
	alignas(128) std::atomic<uint64_t> armed{ 0 };
};

void cancel_emit(micro_run *run)
{
	workers all(run, false);
	std::vector<std::unique_ptr<emit>> parts;
	std::vector<std::thread> emitters;

	for (uint64_t i = 0; i < run->workers; i++) {
		parts.emplace_back(new emit(all.of(i), run->parameter == 1));
		parts.back()->left = micro_share(run, i, run->workers);
		if (parts.back()->left && run->parameter == 1)
			emitters.emplace_back(
			    [part = parts.back().get(), count = parts.back()->left] {
				    part->emit_all(count);
			    });
	}
	run->threads += emitters.size();
	micro_begin(run);
	for (uint64_t i = 0; i < run->workers; i++)
		asio::post(all.of(i), [part = parts[i].get()] {
			if (part->left)
				part->arm();
			else
				part->earlier.cancel();
		});
	all.finish();
	for (auto &thread : emitters)
		thread.join();
}

const micro_benchmark table[] = {
	{ "post_local", post_local, 2000000, 0, 1, 2, { 0, 1 } },
	{ "defer_local", defer_local, 2000000, 0, 1, 2, { 0, 1 } },
	{ "post_remote", post_remote, 1000000, 1, 256, 4, { 1, 2, 4, 16 } },
	{ "strand_post", strand_post, 1000000, 1, 256, 3, { 1, 2, 4 } },
	{ "strand_many", strand_many, 1000000, 0, 0, 1, { 0 } },
	{ "post_wake", post_wake, 1000, 0, 0, 1, { 0 } },
	{ "pingpong", pingpong, 20000, 0, 0, 1, { 0 } },
	{ "timer_arm_cancel", timer_arm_cancel, 500000, 0, 10000000, 3, { 1000, 100000, 1000000 } },
	{ "timer_expire", timer_expire, 100000, 0, 0, 1, { 0 } },
	{ "cancel_emit", cancel_emit, 200000, 0, 1, 2, { 0, 1 } },
	{ "write_gather", write_gather, 20000, 0, 0, 1, { 0 } },
	{ "socketpair_echo", socketpair_echo, 50000, 0, 0, 1, { 0 } },
};

} /* namespace */

int main(int argc, char **argv)
{
	return micro_main(argc, argv, table, sizeof table / sizeof *table);
}
