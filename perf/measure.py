# SPDX-License-Identifier: MIT
"""measure.py - what perf/run does once its packages are there: builds, serves, drives, counts.

In the order of trust of such small shared machines: counts (a server that serves N requests, and
another that serves 2N; the difference over N), then ratios of runs that lie side by side (A B C D,
A B C D, ...; the median over the rounds), then times. Servers are the programs of perf/net and
perf/peers, driven by sennit-load; each is started anew for each run and ended by its own pid.
"""

import argparse
import collections
import json
import os
import re
import resource
import select
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import report

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = "build/release"
PROGRAMS = BUILD + "/perf/"
RESULTS = "build/perf"
ROUNDS = 7
COUNT = 10000  # N of "N and 2N requests"
# How often each is counted; the least is taken, since a neighbour can only add.
REPEATS = {"total": 2, "instructions": 1}
BATCHES = 2000  # N of "N and 2N batches" of sennit-gather
FLOOR = "epoll"
CONDITIONS = ["--connections=64", "--size=64"]
BUFFER = "--buffer=4096"
SENDING = {"write", "writev", "pwritev", "pwritev2", "sendto", "sendmsg", "sendmmsg"}
ALLOCATING = {"malloc", "calloc", "realloc", "memalign", "aligned_alloc", "posix_memalign",
    "valloc", "reallocarray"}

Subject = collections.namedtuple("Subject", "name program flags")
SUBJECTS = [
    Subject("sennit", "sennit-echo", [BUFFER]),
    Subject(FLOOR, "peer-epoll-echo", [BUFFER]),
    Subject("asio", "peer-asio-echo", [BUFFER]),
    Subject("asio-shared", "peer-asio-echo", [BUFFER, "--shared"]),
    Subject("libuv", "peer-libuv-echo", [BUFFER]),
]


class Failure(Exception):
    """A program that did not do its part; the text says which and how."""


class Progress:
    """One line on stderr that says what goes on; on a terminal it is written over."""

    def __init__(self):
        self.terminal = sys.stderr.isatty()
        self.start = time.monotonic()

    def say(self, text):
        line = f"[{time.monotonic() - self.start:5.1f} s] {text}"
        sys.stderr.write(f"\r\033[K{line}" if self.terminal else line + "\n")
        sys.stderr.flush()

    def done(self):
        if self.terminal:
            sys.stderr.write("\r\033[K")


class Child:
    """A program that was started here; leaving the block ends it, by its pid, whatever happened."""

    running = []

    def __init__(self, command, prefix=(), **streams):
        self.command = list(prefix) + command
        self.traced = self.command[0] == "strace"
        self.errors = tempfile.TemporaryFile("w+")
        streams.setdefault("stdin", subprocess.DEVNULL)
        try:
            self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True,
                stderr=self.errors, **streams)
        except OSError as error:
            raise Failure(f"{self.command[0]}: {error.strerror}") from error
        Child.running.append(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.end(signal.SIGKILL)
        if self.process.stdin and not self.process.stdin.closed:
            self.process.stdin.close()
        self.process.stdout.close()
        self.errors.close()
        Child.running.remove(self)

    def pid(self):
        """The program's own, also under strace, whose only child it is."""
        pid = self.process.pid
        if self.traced:
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
                return int(file.read().split()[0])
        return pid

    def line(self, seconds):
        """The first line that it prints."""
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            raise Failure(f"{' '.join(self.command)}: " +
                (self.said() if ready else f"silent for {seconds} s"))
        return line.strip()

    def end(self, number, seconds=10):
        """Sends a signal and waits: the exit status. Killed if it takes longer."""
        self.signal(number)
        return self.wait(seconds)

    def signal(self, number):
        try:
            os.kill(self.pid(), number)
        except (ProcessLookupError, FileNotFoundError, IndexError):
            pass

    def wait(self, seconds):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)	# the traced one first: it would outlive strace
            self.process.kill()
            self.process.wait()
            raise Failure(f"{' '.join(self.command)}: no end in {seconds} s") from None

    def said(self):
        """What it wrote to stderr."""
        self.errors.seek(0)
        return self.errors.read().strip() or f"status {self.process.poll()}, nothing said"


class Server(Child):
    """An echo server that accepts."""

    def __init__(self, subject, workers, prefix=()):
        super().__init__(serve(subject, workers), prefix)
        self.banner = None
        self.port = None

    def __enter__(self):
        try:
            self.banner = self.line(30)
            self.port = re.search(r"^listening 127\.0\.0\.1:(\d+) ", self.banner).group(1)
        except AttributeError:
            self.__exit__()
            raise Failure(f"{' '.join(self.command)}: it said {self.banner}") from None
        except BaseException:
            self.__exit__()
            raise
        return self

    def stop(self):
        """Ends it as a user would: the counters that it prints."""
        status = self.end(signal.SIGTERM)
        said = self.said()
        if status:
            raise Failure(f"{' '.join(self.command)}: exit status {status}: {said}")
        try:
            return json.loads(said.splitlines()[-1])
        except ValueError:
            return {}

    def cpu_seconds(self):
        """utime + stime of all threads, from the clock behind /proc/PID/stat, which counts ns."""
        try:
            return time.clock_gettime(((~self.pid()) << 3) | 2)
        except OSError:
            with open(f"/proc/{self.pid()}/stat", encoding="ascii") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self):
        try:
            with open(f"/proc/{self.pid()}/smaps_rollup", encoding="ascii") as file:
                text = file.read()
        except OSError:
            with open(f"/proc/{self.pid()}/status", encoding="ascii") as file:
                text = file.read().replace("VmRSS:", "Rss:")
        return int(re.search(r"^Rss:\s+(\d+) kB", text, re.M).group(1)) * 1024


def serve(subject, workers):
    return [PROGRAMS + subject.program, f"--workers={workers}", *subject.flags]


def load(port, *options, prefix=()):
    return [*prefix, PROGRAMS + "sennit-load", f"--port={port}", *options]


def drive(port, conditions, *options, prefix=()):
    """Runs sennit-load to its end: what it measured."""
    with Child(load(port, *conditions, *options, "--json", prefix=prefix)) as child:
        if child.wait(300):
            raise Failure(f"{' '.join(child.command)}: {child.said()}")
        return json.loads(child.process.stdout.read())


# --- building ---------------------------------------------------------------------------------


def build_programs(needed, optional, progress):
    """Builds what is needed, or ends; and what is optional, or says why it is missing."""
    configure = ["cmake", "--preset", "release"]
    if not os.path.exists(BUILD + "/CMakeCache.txt") and \
            subprocess.run(["pkg-config", "--exists", "cmocka"], check=False).returncode:
        configure.append("-DSENNIT_TESTS=OFF")	# cmocka is the tests' alone
    progress.say("configuring build/release")
    run_or_exit(configure)
    progress.say("building")
    run_or_exit(["cmake", "--build", BUILD, "--target", *needed])
    known = subprocess.run(["cmake", "--build", BUILD, "--target", "help"], check=False,
        capture_output=True, text=True).stdout
    missing = {}
    for program in optional:
        if not re.search(rf"^{program}\b", known, re.M):
            missing[program] = "its library is not there; perf/run --with-peers installs it"
            continue
        done = subprocess.run(["cmake", "--build", BUILD, "--target", program], check=False,
            capture_output=True, text=True)
        if done.returncode:
            why = re.search(r"^.*\berror\b.*$", done.stdout, re.M)
            missing[program] = "does not build" + (": " + why.group() if why else "")
    return missing


def build(progress):
    """Builds what is measured: the subjects that are there, and why the others are not."""
    needed = ["sennit-load", "sennit-echo", "sennit-gather", "peer-epoll-echo"]
    missing = build_programs(needed, sorted({s.program for s in SUBJECTS} - set(needed)), progress)
    return ([s for s in SUBJECTS if s.program not in missing],
        {s.name: missing[s.program] for s in SUBJECTS if s.program in missing})


def run_or_exit(command):
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.stderr.write("\n" + done.stdout[-6000:] + done.stderr[-6000:])
        sys.exit(f"perf/run: failed: {' '.join(command)}")


# --- timed runs -------------------------------------------------------------------------------


def placement(workers):
    """With one worker and two CPUs, server and client keep to one each; else all go anywhere."""
    cpus = sorted(os.sched_getaffinity(0))
    if workers == 1 and len(cpus) > 1:
        return ["taskset", "-c", str(cpus[0])], ["taskset", "-c", str(cpus[1])]
    return [], []


def client_threads(workers):
    return max(1, min(64, workers // 2))


def timed_run(subject, workers, seconds):
    """One run: what the client saw, and the server's CPU per request."""
    for_server, for_client = placement(workers)
    with Server(subject, workers, for_server) as server:
        before = server.cpu_seconds()
        seen = drive(server.port, CONDITIONS, f"--seconds={seconds}",
            f"--threads={client_threads(workers)}",
            prefix=for_client)
        seen["cpu_us"] = (server.cpu_seconds() - before) / seen["requests"] * 1e6
        server.stop()
    return seen


def timed(subjects, workers, seconds, progress, failures):
    """Interleaved rounds: for each subject the medians, and the ratios to the floor beside it."""
    runs = {s.name: [] for s in subjects}
    for number in range(ROUNDS):
        for subject in subjects:
            if subject.name in failures:
                continue
            progress.say(f"round {number + 1} of {ROUNDS}, workers {workers}: {subject.name}")
            try:
                runs[subject.name].append(timed_run(subject, workers, seconds))
            except Failure as failure:
                failures[subject.name] = str(failure)
    return {name: summary(list_, runs[FLOOR]) for name, list_ in runs.items()
        if len(list_) == ROUNDS and name not in failures}


def summary(runs, floor):
    result = {key: statistics.median(run[key] for run in runs)
        for key in ("requests_per_s", "cpu_us", "p50_us", "p99_us")}
    for key in ("requests_per_s", "cpu_us"):
        ratios = [run[key] / other[key] for run, other in zip(runs, floor)]
        if ratios:
            result[key + "_to_floor"] = statistics.median(ratios)
            result[key + "_to_floor_range"] = [min(ratios), max(ratios)]
    result["rounds"] = [{key: run[key] for key in ("requests", "requests_per_s", "cpu_us",
        "p50_us", "p99_us", "max_us")} for run in runs]
    return result


# --- counts -----------------------------------------------------------------------------------


def strace_calls(text):
    """{call: times} of what `strace -c` wrote."""
    rows = [line.split() for line in text.splitlines()]
    return {row[-1]: int(row[3]) for row in rows if len(row) >= 5 and row[3].isdigit()}


def callgrind_counts(text):
    """Instructions, and calls of the allocator, of what callgrind wrote."""
    instructions = int(re.findall(r"^(?:summary|totals): (\d+)", text, re.M)[-1])
    calls = re.findall(r"^cfn=(\S+?)(?:'\d+)?\ncalls=(\d+)", text, re.M)
    return {"instructions": instructions,
        "allocations": sum(int(times) for name, times in calls if name in ALLOCATING)}


def strace(out):
    return ["strace", "-f", "-c", "-o", out]


def callgrind(out):
    return ["valgrind", "-q", "--tool=callgrind", "--compress-strings=no",
        "--callgrind-out-file=" + out]


def usable(tool, command):
    """Whether a tool is there, and works here (strace needs a permission)."""
    return bool(shutil.which(tool)) and not subprocess.run(command + ["true"], check=False,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode


def counted_run(subject, tool, requests, parse):
    with tempfile.TemporaryDirectory() as folder:
        out = folder + "/counts"
        with Server(subject, 1, tool(out)) as server:
            drive(server.port, CONDITIONS, f"--requests={requests}")
            server.stop()
        with open(out, encoding="utf-8") as file:
            return parse(file.read())


def least(runs, key):
    """Of several counts of the same: the one that was disturbed least."""
    return min(runs, key=lambda counted: counted[key])


def difference(subject, tool, parse, key):
    """Counts a request: those of 2N requests less those of N, over N."""
    once, twice = (least([counted_run(subject, tool, requests, parse) for _ in range(REPEATS[key])],
        key) for requests in (COUNT, 2 * COUNT))
    return {key: (twice.get(key, 0) - once.get(key, 0)) / COUNT for key in twice}


def counts(subjects, tools, progress, failures):
    result = {}
    for subject in subjects:
        own = {}
        if subject.name in failures:
            continue
        try:
            if "strace" in tools:
                progress.say(f"counting system calls: {subject.name}")
                calls = difference(subject, strace, strace_calls, "total")
                own["system_calls"] = calls.pop("total")
                own["by_call"] = {k: round(v, 4) for k, v in calls.items() if v >= 0.0005}
            if "valgrind" in tools:
                progress.say(f"counting instructions: {subject.name}")
                own.update(difference(subject, callgrind, callgrind_counts, "instructions"))
            result[subject.name] = own
        except Failure as failure:
            failures[subject.name] = str(failure)
    return result


def gather(progress, failures):
    """System calls that send, for a batch of 16 writes started in one handler."""
    sent = []
    progress.say("counting the calls of 16 writes started in one handler")
    for batches in (BATCHES, 2 * BATCHES):
        with tempfile.TemporaryDirectory() as folder:
            out = folder + "/counts"
            with Child([PROGRAMS + "sennit-gather", f"--batches={batches}"],
                    strace(out)) as child:
                if child.wait(120):
                    failures["sennit-gather"] = child.said()
                    return {}
            with open(out, encoding="utf-8") as file:
                calls = strace_calls(file.read())
        sent.append(sum(times for call, times in calls.items() if call in SENDING))
    return {"calls_a_batch": (sent[1] - sent[0]) / BATCHES}


# --- memory -----------------------------------------------------------------------------------


def idle_counts():
    """How many idle connections are measured: 1,000 and 11,000, or what the hard limit allows."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    total = 11000 if hard == resource.RLIM_INFINITY else min(11000, hard - 200)
    return max(1, total // 11), total


def hold_idle(port, count, *options_):
    return Child(load(port, f"--idle={count}", "--touch", *options_), stdin=subprocess.PIPE)


def release_idle(child):
    child.process.stdin.close()
    child.wait(20)


def idle_memory(subject, between, *options_):
    """Bytes of the server's memory for each idle connection, and beyond the session's own."""
    few, many = between
    with Server(subject, 1) as server:
        with hold_idle(server.port, few, *options_) as first, hold_idle_after(first, server, few,
                many, *options_) as second:
            before, after = second.before, server.resident_bytes()
            release_idle(second)
            release_idle(first)
        session = server.stop().get("session_bytes", 0)
    each = (after - before) / (many - few)
    return {"few": few, "many": many, "bytes": each, "session_bytes": session,
        "beyond": each - session}


def hold_idle_after(first, server, few, many, *options_):
    """The second holder, which remembers the server's memory from before it."""
    if first.line(60) != f"idle {few}":
        raise Failure("sennit-load --idle: " + first.said())
    before = server.resident_bytes()
    second = hold_idle(server.port, many - few, *options_)
    try:
        if second.line(120) != f"idle {many - few}":
            raise Failure("sennit-load --idle: " + second.said())
    except BaseException:
        second.__exit__()
        raise
    second.before = before
    return second


def memory(subjects, progress, failures):
    result = {}
    for subject in subjects:
        if subject.name in failures:
            continue
        progress.say(f"memory of {idle_counts()[1]} idle connections: {subject.name}")
        try:
            result[subject.name] = idle_memory(subject, idle_counts())
        except Failure as failure:
            failures[subject.name] = str(failure)
    return result


# --- all of it --------------------------------------------------------------------------------


def options():
    def seconds(text):
        value = float(text)
        if not 0.1 <= value <= 60:
            raise ValueError
        return value

    parser = argparse.ArgumentParser(prog="perf/run", allow_abbrev=False)
    parser.add_argument("--with-peers", action="store_true")
    parser.add_argument("--counts", action="store_true")
    parser.add_argument("--seconds", type=seconds, default=0.4)
    parser.add_argument("--json")
    return parser.parse_args()


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"^model name\s*:\s*(.*)$", file.read(), re.M)
    return {"cpus": len(os.sched_getaffinity(0)), "kernel": os.uname().release,
        "model": model.group(1) if model else "unknown model"}


def try_all(subjects, progress, failures):
    """Starts each once: how it announces itself, and what it says of its own sizes."""
    servers = {}
    for subject in subjects:
        progress.say(f"trying {subject.name}")
        try:
            with Server(subject, 1) as server:
                drive(server.port, CONDITIONS, "--requests=64")
                servers[subject.name] = {"command": " ".join(server.command),
                    "banner": re.sub(r":\d+", ":PORT", server.banner), **server.stop()}
        except Failure as failure:
            failures[subject.name] = str(failure)
    return servers


def commands(arguments, tools, cpus):
    """The exact commands behind each figure, for sennit; FILE and PORT are whatever they are."""
    sennit = SUBJECTS[0]
    how = {}
    requests = [" ".join(load("PORT", *CONDITIONS, f"--requests={n}")) for n in (COUNT, 2 * COUNT)]
    for title, name, tool in (("system calls", "strace", strace),
            ("user instructions, allocations", "valgrind", callgrind)):
        if name in tools:
            how[title] = [" ".join(tool("FILE") + serve(sennit, 1)), *requests]
    if "strace" in tools:
        how["16 writes"] = [" ".join([*strace("FILE"), PROGRAMS + "sennit-gather",
            f"--batches={n}"]) for n in (BATCHES, 2 * BATCHES)]
    if arguments.counts:
        return how
    for workers in sorted({1, cpus}):
        for_server, for_client = placement(workers)
        how[f"times, {workers} worker(s)"] = [" ".join(for_server + serve(sennit, workers)),
            " ".join(load("PORT", *CONDITIONS, f"--seconds={arguments.seconds}",
                f"--threads={client_threads(workers)}", prefix=for_client))]
    few, many = idle_counts()
    how["memory"] = [" ".join(serve(sennit, 1)), *(" ".join(load("PORT", f"--idle={n}", "--touch"))
        for n in (few, many - few)), "grep Rss: /proc/PID/smaps_rollup"]
    return how


def measure(arguments, progress):
    subjects, failures = build(progress)
    cpus = len(os.sched_getaffinity(0))
    servers = try_all(subjects, progress, failures)
    tools = [name for name, command in (("strace", strace("/dev/null")),
        ("valgrind", callgrind("/dev/null"))) if usable(name, command)]
    results = {"machine": machine(), "seconds": arguments.seconds, "rounds": ROUNDS,
        "count": COUNT, "servers": servers, "failures": failures, "timed": {},
        "commands": commands(arguments, tools, cpus)}
    for name in {"strace", "valgrind"} - set(tools):
        failures[name] = "it is missing, or does not work here"
    results["counts"] = counts(subjects, tools, progress, failures)
    if "strace" in tools:
        results["gather"] = gather(progress, failures)
    if not arguments.counts:
        for workers in sorted({1, cpus}):
            results["timed"][str(workers)] = timed(subjects, workers, arguments.seconds,
                progress, failures)
        results["memory"] = memory(subjects, progress, failures)
    return results


def main():
    arguments = options()
    wanted = os.path.abspath(arguments.json) if arguments.json else None
    os.chdir(ROOT)
    os.environ.pop("SENNIT_SPIN_NS", None)  # a condition of every figure: no spinning
    for number in (signal.SIGINT, signal.SIGTERM):  # ends through every block
        signal.signal(number, lambda which, _: sys.exit(128 + which))
    progress = Progress()
    try:
        results = measure(arguments, progress)
    finally:
        for child in list(Child.running):  # what a signal caught between its start and its block
            child.__exit__()
        progress.done()
    results["wall_seconds"] = round(time.monotonic() - progress.start, 1)
    report.show(results)
    report.write(results, [path for path in (RESULTS + "/results.json", wanted) if path])
    report.plot(results, RESULTS + "/echo.svg")
    sys.exit(1 if {"sennit", "sennit-gather", FLOOR} & set(results["failures"]) else 0)


if __name__ == "__main__":
    main()
