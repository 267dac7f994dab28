# SPDX-License-Identifier: MIT
"""micro.py - what `perf/run micro` does: sennit-micro beside the like of its peer, as ratios.

For each benchmark and parameter: pairs of runs side by side (A B A B ...), the median of the pairs'
ratios; and where one thread does it all, what callgrind and strace count for 2N operations less
what they count for N, over N.
"""

import argparse
import collections
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import measure
import report

PROGRAM = measure.PROGRAMS + "sennit-micro"
PEER = measure.PROGRAMS + "peer-asio-micro"
COUNT = 5000  # N of "N and 2N operations"
# Benchmarks of which each worker has its own part: they must cost the same however many there are.
FLAT = (("post_local", 0), ("post_local", 1), ("defer_local", 1), ("strand_post", 1),
    ("timer_arm_cancel", 1000), ("cancel_emit", 0), ("write_gather", 0), ("socketpair_echo", 0))
FLAT_WORKERS = (2, 8, 32)
CLOCKS = ("ns_per_operation", "cpu_ns_per_operation")
# What to reach and what to aim at: instructions, and the ratio to the peer.
TARGETS = {
    ("post_local", 0): ((65, 55), (0.6, 0.45)),
    ("post_local", 1): ((90, 75), (0.6, 0.45)),
    ("post_remote", 1): (None, (0.5, 0.35)),
    ("post_remote", 16): (None, (0.7, 0.5)),
    ("strand_post", 1): ((90, 65), (0.5, 0.3)),
    ("timer_arm_cancel", 1000): (None, (0.5, 0.25)),
    ("timer_arm_cancel", 100000): (None, (0.5, 0.25)),
    ("timer_arm_cancel", 1000000): (None, (0.5, 0.25)),
    ("cancel_emit", 0): (None, (0.6, 0.4)),
}

Case = collections.namedtuple("Case", "name parameter threads")


def options():
    def pairs(text):
        value = int(text)
        if not 5 <= value <= 1000:
            raise ValueError
        return value

    parser = argparse.ArgumentParser(prog="perf/run micro", allow_abbrev=False)
    parser.add_argument("--with-peers", action="store_true")
    parser.add_argument("--counts", action="store_true")
    parser.add_argument("--flat", action="store_true")
    parser.add_argument("--pairs", type=pairs, default=5)
    parser.add_argument("--json")
    parser.add_argument("names", nargs="*", metavar="NAME")
    return parser.parse_args()


def run(program, *arguments, prefix=()):
    """The objects that it prints, one a line."""
    with measure.Child([program, *arguments], prefix) as child:
        printed, _ = child.process.communicate(timeout=600)
        if child.process.returncode:
            raise measure.Failure(f"{' '.join(child.command)}: {child.said()}")
        return [json.loads(line) for line in printed.splitlines()]


def command(case):
    return [f"--parameter={case.parameter}", case.name]


def names_of(program):
    """The benchmarks that a program has; none where it is not there."""
    done = subprocess.run([program, "--list"], check=False, capture_output=True, text=True)
    return done.stdout.split()


def cases(names):
    return [Case(line["name"], line["parameter"], line["threads"])
        for line in run(PROGRAM, "--operations=1", *names)]


def timed(case, programs, pairs, progress):
    """What each program measured, run after run, in turns."""
    alone = ["taskset", "-c", str(min(os.sched_getaffinity(0)))] if case.threads == 1 else []
    runs = {program: [] for program in programs}
    for number in range(pairs):
        for program in programs:
            progress.say(f"{case.name} {case.parameter}: pair {number + 1} of {pairs}")
            runs[program] += run(program, *command(case), prefix=alone)
    return runs


def counted(program, case, tool, parse, *more):
    """Counts an operation: those of 2N less those of N, over N."""
    seen = []
    for operations in (COUNT, 2 * COUNT):
        with tempfile.TemporaryDirectory() as folder:
            out = folder + "/counts"
            run(program, f"--operations={operations}", *more, *command(case), prefix=tool(out))
            with open(out, encoding="utf-8") as file:
                seen.append(parse(file.read()))
    return {key: (seen[1].get(key, 0) - seen[0].get(key, 0)) / COUNT for key in seen[1]}


def counts(case, program, tools, progress):
    own = {}
    if case.threads == 1 and "valgrind" in tools:
        progress.say(f"{case.name} {case.parameter}: counting instructions")
        own.update(counted(program, case, measure.callgrind, measure.callgrind_counts))
    if case.threads == 1 and "strace" in tools:
        progress.say(f"{case.name} {case.parameter}: counting system calls")
        own["system_calls"] = counted(program, case, measure.strace,
            measure.strace_calls).get("total", 0)
    return own


def flat(case, progress):
    """Instructions an operation, by the number of workers."""
    own = {}
    for workers in FLAT_WORKERS:
        progress.say(f"{case.name} {case.parameter}: counting instructions, {workers} workers")
        own[workers] = counted(PROGRAM, case, measure.callgrind, measure.callgrind_counts,
            f"--workers={workers}")["instructions"]
    return own


def one(case, programs, tools, arguments, progress):
    """All that is measured of one benchmark with one parameter."""
    result = {"name": case.name, "parameter": case.parameter, "threads": case.threads}
    runs = {} if arguments.counts else timed(case, programs, arguments.pairs, progress)
    for program in programs:
        own = counts(case, program, tools, progress)
        if program in runs:
            own["runs"] = runs[program]
            for key in CLOCKS:
                own[key] = statistics.median(each[key] for each in runs[program])
        result["sennit" if program == PROGRAM else "asio"] = own
    if arguments.flat and "valgrind" in tools and (case.name, case.parameter) in FLAT:
        result["flat"] = flat(case, progress)
    if len(programs) == 2 and runs:
        for key in CLOCKS:
            ratios = [ours[key] / theirs[key]
                for ours, theirs in zip(runs[PROGRAM], runs[PEER])]
            result[key + "_ratio"] = statistics.median(ratios)
            result[key + "_ratio_range"] = [min(ratios), max(ratios)]
    return result


# --- the table ----------------------------------------------------------------------------------


def goal(pair, digits):
    return "" if pair is None else f" ({pair[0]:.{digits}f}; {pair[1]:.{digits}f})"


def ratio(own, key):
    low, high = own.get(key + "_ratio_range", (0, 0))
    return f"{own[key + '_ratio']:8.2f} ({low:.2f}-{high:.2f})" if high else "       -"


def show_times(results):
    timed_ = [own for own in results if CLOCKS[0] in own["sennit"]]
    if not timed_:
        return
    print("\nTimes an operation: medians; the ratios are the medians of the pairs' (range); "
        "(reach; aim)")
    print("  " + "".ljust(26) + "threads   sennit ns    asio ns" + "ratio".rjust(13) +
        "of CPU time".rjust(24))
    for own in timed_:
        asio = own.get("asio", {}).get(CLOCKS[0])
        _, goals = TARGETS.get((own["name"], own["parameter"]), (None, None))
        print(f"  {own['name'] + ' ' + str(own['parameter']):26}{own['threads']:7}"
            f"{report.number(own['sennit'][CLOCKS[0]], 0):>12}{report.number(asio, 0):>11}"
            f"{ratio(own, CLOCKS[0]):23}{ratio(own, CLOCKS[1]):23}{goal(goals, 2)}".rstrip())


def show_counts(results):
    counted_ = [own for own in results if "system_calls" in own["sennit"] or
        "instructions" in own["sennit"]]
    if not counted_:
        return
    print(f"\nCounts an operation, {COUNT:,} and {2 * COUNT:,} operations: sennit | asio "
        "(reach; aim)")
    print("  " + "".ljust(28) + "instructions".center(19) + "allocations".center(19) +
        "system calls".center(19))
    for own in counted_:
        cells = "".join(f"{report.number(own['sennit'].get(key), digits):>9} |"
            f"{report.number(own.get('asio', {}).get(key), digits):>8}" for key, digits in
            (("instructions", 0), ("allocations", 2), ("system_calls", 2)))
        goals, _ = TARGETS.get((own["name"], own["parameter"]), (None, None))
        print(f"  {own['name'] + ' ' + str(own['parameter']):28}{cells}{goal(goals, 0)}")


def show_flat(results):
    counted_ = [own for own in results if "flat" in own]
    if not counted_:
        return
    print("\nInstructions an operation by workers; the most over the least (to be 1.10 at most)")
    print("  " + "".ljust(28) + "".join(f"{workers:9}" for workers in FLAT_WORKERS))
    for own in counted_:
        values = list(own["flat"].values())
        print(f"  {own['name'] + ' ' + str(own['parameter']):28}" +
            "".join(f"{report.number(value, 0):>9}" for value in values) +
            f"{max(values) / min(values):9.2f}")


def show(results):
    machine = results["machine"]
    print(f"sennit-micro beside the like of its peer, on {machine['cpus']} CPUs "
        f"({machine['model']}), Linux {machine['kernel']}")
    show_times(results["results"])
    show_counts(results["results"])
    show_flat(results["results"])
    for name, why in results["failures"].items():
        print(f"left out: {name}: {why}")
    print(f"\nCommands: {PROGRAM} --parameter=P NAME; counts with --operations={COUNT} and "
        f"{2 * COUNT}\nunder `{' '.join(measure.callgrind('FILE'))}`\nand "
        f"`{' '.join(measure.strace('FILE'))}`. {results['wall_seconds']} s; results in "
        f"{measure.RESULTS}/micro.json")


# --- all of it ----------------------------------------------------------------------------------


def measure_all(arguments, progress):
    failures = measure.build_programs(["sennit-micro"], ["peer-asio-micro"], progress)
    tools = [name for name, prefix in (("strace", measure.strace("/dev/null")),
        ("valgrind", measure.callgrind("/dev/null"))) if measure.usable(name, prefix)]
    for name in {"strace", "valgrind"} - set(tools):
        failures[name] = "it is missing, or does not work here"
    unknown = set(arguments.names) - set(names_of(PROGRAM))
    if unknown:
        sys.exit(f"perf/run micro: no benchmark has the name: {' '.join(sorted(unknown))}")
    peers = [] if "peer-asio-micro" in failures else names_of(PEER)
    results = []
    for case in cases(arguments.names):
        programs = [PROGRAM] + ([PEER] if case.name in peers else [])
        try:
            results.append(one(case, programs, tools, arguments, progress))
        except measure.Failure as failure:
            failures[f"{case.name} {case.parameter}"] = str(failure)
    return {"machine": measure.machine(), "pairs": arguments.pairs, "count": COUNT,
        "results": results, "failures": failures}


def main():
    arguments = options()
    wanted = os.path.abspath(arguments.json) if arguments.json else None
    os.chdir(measure.ROOT)
    os.environ.pop("SENNIT_SPIN_NS", None)  # a condition of every figure: no spinning
    for number in (signal.SIGINT, signal.SIGTERM):  # ends through every block
        signal.signal(number, lambda which, _: sys.exit(128 + which))
    progress = measure.Progress()
    try:
        results = measure_all(arguments, progress)
    finally:
        for child in list(measure.Child.running):
            child.__exit__()
        progress.done()
    results["wall_seconds"] = round(time.monotonic() - progress.start, 1)
    show(results)
    report.write(results, [path for path in (measure.RESULTS + "/micro.json", wanted) if path])
    failed = set(results["failures"]) - {"peer-asio-micro", "strace", "valgrind"}
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
