# SPDX-License-Identifier: MIT
"""tls.py - what `perf/run tls` does: sennit-echo with a certificate beside a bare epoll loop with
OpenSSL and asio::ssl, in the same order of trust as measure.py: counts, ratios, times.

What is compared is the server's CPU time a request; `of the floor` is the floor's over its own, so
that 0.95 means that it takes 1/0.95 of the floor's. One worker, one CPU for it, another for the
client where there are two. The certificate (ECDSA, P-256) is made on the spot.
"""

import argparse
import collections
import os
import signal
import statistics
import sys
import tempfile
import time

import measure
import report

SENNIT, FLOOR, ASIO = "sennit", "epoll-tls", "asio-tls"
PROGRAMS = {SENNIT: "sennit-echo", FLOOR: "peer-epoll-tls-echo", ASIO: "peer-asio-tls-echo"}
RELEASING = "epoll-tls --release"  # for its memory only
IDLE = (500, 2500)  # connections between which memory is measured

# name, what one request is, the servers' buffer, the client's options, N of "N and 2N requests"
Case = collections.namedtuple("Case", "name title buffer options count")
CASES = [
    Case("64 B", "echo of 64 B, 64 connections", 4096,
        ["--connections=64", "--size=64"], 5000),
    Case("16 KiB", "echo of 16 KiB, 64 connections", 16384,
        ["--connections=64", "--size=16384"], 1000),
    Case("bulk", "echo of 1 MiB, 4 connections", 65536,
        ["--connections=4", "--size=1048576"], 0),
    Case("full", "connection with a full handshake and one echo", 4096,
        ["--handshakes", "--threads=4"], 0),
    Case("resumed", "connection with a resumed session and one echo", 4096,
        ["--handshakes", "--resume", "--threads=4"], 0),
]
# Reach and aim: of the floor, and of asio::ssl.
TARGETS = {"64 B": ((0.95, 0.97), (1.1, 1.15)), "16 KiB": ((0.95, 0.97), (1.1, 1.3))}


def options():
    def seconds(text):
        value = float(text)
        if not 0.1 <= value <= 60:
            raise ValueError
        return value

    def rounds(text):
        value = int(text)
        if not 5 <= value <= 1000:
            raise ValueError
        return value

    parser = argparse.ArgumentParser(prog="perf/run tls", allow_abbrev=False)
    parser.add_argument("--with-peers", action="store_true")
    parser.add_argument("--counts", action="store_true")
    parser.add_argument("--seconds", type=seconds, default=0.4)
    parser.add_argument("--rounds", type=rounds, default=measure.ROUNDS)
    parser.add_argument("--json")
    return parser.parse_args()


def make_certificate(folder):
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
        "-keyout", folder + "/key.pem", "-out", folder + "/certificate.pem"]
    measure.run_or_exit(command)
    return command


def subject(name, buffer, folder):
    program, _, flag = name.partition(" ")
    return measure.Subject(name, PROGRAMS[program], [f"--buffer={buffer}",
        f"--tls-certificate={folder}/certificate.pem", f"--tls-key={folder}/key.pem"] +
        ([flag] if flag else []))


def drive(port, case, *more, prefix=()):
    return measure.drive(port, ["--tls", *case.options], *more, prefix=prefix)


# --- counts -----------------------------------------------------------------------------------


def counted_run(who, case, tool, requests, parse):
    with tempfile.TemporaryDirectory() as folder:
        out = folder + "/counts"
        with measure.Server(who, 1, tool(out)) as server:
            drive(server.port, case, f"--requests={requests}")
            server.stop()
        with open(out, encoding="utf-8") as file:
            return parse(file.read())


def counted(who, case, tool, parse):
    """Counts a request: those of 2N requests less those of N, over N."""
    once, twice = (counted_run(who, case, tool, n, parse) for n in (case.count, 2 * case.count))
    return {key: (twice.get(key, 0) - once.get(key, 0)) / case.count for key in twice}


def counts(case, names, folder, tools, progress):
    result = {}
    for name in names:
        who = subject(name, case.buffer, folder)
        own = result[name] = {}
        if "strace" in tools:
            progress.say(f"{case.name}: counting system calls: {name}")
            own["system_calls"] = counted(who, case, measure.strace,
                measure.strace_calls).get("total", 0)
        if "valgrind" in tools:
            progress.say(f"{case.name}: counting instructions: {name}")
            own.update(counted(who, case, measure.callgrind, measure.callgrind_counts))
    return result


# --- times ------------------------------------------------------------------------------------


def timed_run(who, case, seconds):
    for_server, for_client = measure.placement(1)
    with measure.Server(who, 1, for_server) as server:
        before = server.cpu_seconds()
        seen = drive(server.port, case, f"--seconds={seconds}", prefix=for_client)
        seen["cpu_us"] = (server.cpu_seconds() - before) / seen["requests"] * 1e6
        server.stop()
    return seen


def ratios(own, other):
    """How much less CPU time it takes than another beside it: of each round, and their median."""
    all_ = [theirs["cpu_us"] / ours["cpu_us"] for ours, theirs in zip(own, other)]
    return {"median": statistics.median(all_), "range": [min(all_), max(all_)]}


def timed(case, names, folder, arguments, progress):
    runs = {name: [] for name in names}
    for number in range(arguments.rounds):
        for name in names:
            progress.say(f"{case.name}: round {number + 1} of {arguments.rounds}: {name}")
            runs[name].append(timed_run(subject(name, case.buffer, folder), case,
                arguments.seconds))
    result = {}
    for name, own in runs.items():
        result[name] = {key: statistics.median(run[key] for run in own)
            for key in ("requests_per_s", "cpu_us", "p50_us", "p99_us")}
        result[name]["of_floor"] = ratios(own, runs[FLOOR])
        result[name]["runs"] = own
        if ASIO in runs:
            result[name]["of_asio"] = ratios(own, runs[ASIO])
    return result


# --- the table --------------------------------------------------------------------------------


def row(first, *cells):
    print("  " + first.ljust(22) + "".join(cell.rjust(width)
        for cell, width in zip(cells, (16, 20, 22, 22, 12))))


def ratio(own, key):
    if key not in own:
        return "-"
    low, high = own[key]["range"]
    return f"{own[key]['median']:.3f} ({low:.2f}-{high:.2f})"


def show_counts(case, counted_):
    print(f"\n{case.title}: counts, {case.count:,} and {2 * case.count:,} requests")
    row("", "system calls", "user instructions", "allocations")
    for name, own in counted_.items():
        row(name, report.number(own.get("system_calls"), 3),
            report.number(own.get("instructions"), 0), report.number(own.get("allocations"), 2))


def rate(case, own):
    """A second of the server's CPU: handshakes, requests, or what went in and out again."""
    each = 1e6 / own["cpu_us"]
    return f"{each:,.0f} MiB" if case.name == "bulk" else f"{each:,.0f}"


def show_timed(case, timed_, arguments):
    print(f"\n{case.title}: medians of {arguments.rounds} interleaved rounds of "
        f"{arguments.seconds:g} s")
    row("", "CPU us/req", "a CPU second", "of the floor (range)", "of asio::ssl (range)",
        "p50 us")
    for name, own in timed_.items():
        row(name, report.number(own["cpu_us"], 2), rate(case, own), ratio(own, "of_floor"),
            ratio(own, "of_asio"), report.number(own["p50_us"], 0))
    if case.name in TARGETS:
        for label, which in (("sennit: reach", 0), ("sennit: aim", 1)):
            floor, asio = (pair[which] for pair in TARGETS[case.name])
            row(label, "", "", f"{floor:.2f}", f"{asio:.2f}")


def show_memory(memory):
    print(f"\nMemory of an idle connection after one echo: (RSS at {IDLE[1]:,} - RSS at "
        f"{IDLE[0]:,}) / {IDLE[1] - IDLE[0]:,}")
    row("", "bytes", "session's own", "beyond it")
    for name, own in memory.items():
        row(name, report.number(own["bytes"], 0), report.number(own["session_bytes"], 0),
            report.number(own["beyond"], 0))


def show(results, arguments):
    machine = results["machine"]
    print(f"sennit's TLS echo server beside its peers, on {machine['cpus']} CPUs "
        f"({machine['model']}), Linux {machine['kernel']}")
    print(f"The floor is `{FLOOR}`, a bare epoll loop with OpenSSL. Client and server share the "
        "machine: trust\ncounts first, then ratios, then CPU per request.")
    for case in CASES:
        if case.name in results["counts"]:
            show_counts(case, results["counts"][case.name])
    for case in CASES:
        if case.name in results["timed"]:
            show_timed(case, results["timed"][case.name], arguments)
    if "memory" in results:
        show_memory(results["memory"])
    print("\nCommands, for sennit (FILE, FOLDER and PORT as they come; each peer in its place):")
    for line in results["commands"]:
        print(f"  $ {line}")
    for name, why in results["failures"].items():
        print(f"left out: {name}: {why}")
    print(f"\n{results['wall_seconds']} s; results in {measure.RESULTS}/tls.json")


# --- all of it --------------------------------------------------------------------------------


def commands(certificate, tools, arguments):
    lines = [" ".join(certificate)]
    for_server, for_client = measure.placement(1)
    for case in CASES:
        server = " ".join(measure.serve(subject(SENNIT, case.buffer, "FOLDER"), 1))
        client = measure.load("PORT", "--tls", *case.options)
        if case.count:
            lines += [" ".join(tool("FILE")) + " " + server for name, tool in
                (("strace", measure.strace), ("valgrind", measure.callgrind)) if name in tools]
            lines += [" ".join([*client, f"--requests={n}"]) for n in (case.count, 2 * case.count)]
        if not arguments.counts:
            lines += [" ".join([*for_server, server]),
                " ".join([*for_client, *client, f"--seconds={arguments.seconds}"])]
    return lines


def measure_all(arguments, folder, progress):
    failures = measure.build_programs(["sennit-load", "sennit-echo", PROGRAMS[FLOOR]],
        [PROGRAMS[ASIO]], progress)
    names = [name for name in PROGRAMS if PROGRAMS[name] not in failures]
    tools = [name for name, prefix in (("strace", measure.strace("/dev/null")),
        ("valgrind", measure.callgrind("/dev/null"))) if measure.usable(name, prefix)]
    for name in {"strace", "valgrind"} - set(tools):
        failures[name] = "it is missing, or does not work here"
    certificate = make_certificate(folder)
    results = {"machine": measure.machine(), "seconds": arguments.seconds,
        "rounds": arguments.rounds, "counts": {}, "timed": {}, "failures": failures,
        "commands": [line.replace(folder, "FOLDER")
            for line in commands(certificate, tools, arguments)]}
    for case in CASES:
        try:
            if case.count and tools:
                results["counts"][case.name] = counts(case, names, folder, tools, progress)
            if not arguments.counts:
                results["timed"][case.name] = timed(case, names, folder, arguments, progress)
        except measure.Failure as failure:
            failures[case.name] = str(failure)
    if not arguments.counts:
        results["memory"] = memory(names + [RELEASING], folder, progress, failures)
    return results


def memory(names, folder, progress, failures):
    result = {}
    for name in names:
        progress.say(f"memory of {IDLE[1]:,} idle connections: {name}")
        try:
            result[name] = measure.idle_memory(subject(name, 4096, folder), IDLE, "--tls")
        except measure.Failure as failure:
            failures[f"memory of {name}"] = str(failure)
    return result


def main():
    arguments = options()
    wanted = os.path.abspath(arguments.json) if arguments.json else None
    os.chdir(measure.ROOT)
    os.environ.pop("SENNIT_SPIN_NS", None)  # a condition of every figure: no spinning
    for number in (signal.SIGINT, signal.SIGTERM):  # ends through every block
        signal.signal(number, lambda which, _: sys.exit(128 + which))
    progress = measure.Progress()
    try:
        with tempfile.TemporaryDirectory() as folder:
            results = measure_all(arguments, folder, progress)
    finally:
        for child in list(measure.Child.running):
            child.__exit__()
        progress.done()
    results["wall_seconds"] = round(time.monotonic() - progress.start, 1)
    show(results, arguments)
    report.write(results, [path for path in (measure.RESULTS + "/tls.json", wanted) if path])
    sys.exit(1 if set(results["failures"]) - {PROGRAMS[ASIO], "strace", "valgrind"} else 0)


if __name__ == "__main__":
    main()
