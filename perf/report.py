# SPDX-License-Identifier: MIT
"""report.py - what perf/run says in the end: tables, the JSON file, the plot, the commands."""

import json
import os
import shutil
import subprocess

# The figures of the first milestone: what to reach, what to aim at.
TARGETS = {
    "instructions": (500, 400),
    "system_calls": (2.05, 2.04),
    "allocations": (0, 0),
    "gather": (1, 1),
    "beyond": (448, 320),
    "op_bytes": (160, 160),
}


def row(cells, widths=(16, 14, 18, 14, 22, 10, 10)):
    return "  " + cells[0].ljust(widths[0]) + "".join(
        text.rjust(width) for text, width in zip(cells[1:], widths[1:]))


def number(value, digits):
    return "-" if value is None else f"{value:,.{digits}f}"


def show_counts(results):
    counted = results["counts"]
    n = results["count"]
    print(f"\nCounts a request: 64 connections x 64 B, one worker, {n:,} and {2 * n:,} requests")
    print(row(["", "system calls", "user instructions", "allocations"]))
    for name, own in counted.items():
        print(row([name, number(own.get("system_calls"), 3), number(own.get("instructions"), 0),
            number(own.get("allocations"), 4)]))
    for key, label in ((0, "sennit: reach"), (1, "sennit: aim")):
        print(row([label, number(TARGETS["system_calls"][key], 2),
            number(TARGETS["instructions"][key], 0), number(TARGETS["allocations"][key], 0)]))


def show_timed(results, workers):
    timed = results["timed"][workers]
    rounds, seconds = results["rounds"], results["seconds"]
    placed = any("taskset" in line for line in results["commands"][f"times, {workers} worker(s)"])
    print(f"\n{workers} worker(s), 64 connections x 64 B: medians of {rounds} interleaved rounds "
        f"of {seconds:g} s" + (", server and client on a CPU each" if placed else ""))
    print(row(["", "requests/s", "to the floor", "CPU us/req", "to the floor (range)", "p50 us",
        "p99 us"]))
    for name, own in timed.items():
        low, high = own.get("cpu_us_to_floor_range", (0, 0))
        print(row([name, number(own["requests_per_s"], 0),
            number(own.get("requests_per_s_to_floor"), 3), number(own["cpu_us"], 2),
            f"{number(own.get('cpu_us_to_floor'), 3)} ({low:.2f}-{high:.2f})",
            number(own["p50_us"], 0), number(own["p99_us"], 0)]))


def show_memory(results):
    memory = results.get("memory")
    if not memory:
        return
    any_ = next(iter(memory.values()))
    print(f"\nMemory of an idle connection after one echo: (RSS at {any_['many']:,} - RSS at "
        f"{any_['few']:,}) / {any_['many'] - any_['few']:,}")
    if any_["many"] != 11000:
        print("  (the hard limit of descriptors allows no more; 11,000 is the condition)")
    print(row(["", "bytes", "session's own", "beyond it"]))
    for name, own in memory.items():
        print(row([name, number(own["bytes"], 0), number(own["session_bytes"], 0),
            number(own["beyond"], 0)]))
    print(row(["sennit: reach", "", "", number(TARGETS["beyond"][0], 0)]))
    print(row(["sennit: aim", "", "", number(TARGETS["beyond"][1], 0)]))


def show_single(results):
    calls = results.get("gather", {}).get("calls_a_batch")
    if calls is not None:
        print(f"\n16 writes of 64 B started in one handler: {calls:.3f} calls "
            f"(reach {TARGETS['gather'][0]}, aim {TARGETS['gather'][1]})")
    size = results["servers"].get("sennit", {}).get("op_bytes")
    if size is not None:
        print(f"sizeof(struct sennit_op): {size} "
            f"(reach {TARGETS['op_bytes'][0]}, aim {TARGETS['op_bytes'][1]})")


def show_commands(results):
    print("\nCommands, for sennit (FILE and PORT as they come):")
    for title, lines in results["commands"].items():
        print(f"  {title}:")
        for line in lines:
            print(f"    $ {line}")
    print("  beside it, each in the same place:")
    for own in results["servers"].values():
        print(f"    {own['command']}: {own['banner']}")


def show(results):
    machine = results["machine"]
    print(f"sennit's echo server beside its peers, on {machine['cpus']} CPUs "
        f"({machine['model']}), Linux {machine['kernel']}")
    print("The floor is `epoll`, a bare epoll loop. Client and server share the machine: trust "
        "counts first,\nthen ratios, then CPU per request; requests a second last.")
    show_counts(results)
    show_single(results)
    for workers in results["timed"]:
        show_timed(results, workers)
    show_memory(results)
    show_commands(results)
    for name, why in results["failures"].items():
        print(f"left out: {name}: {why}")
    print(f"\n{results['wall_seconds']} s; results in build/perf/results.json")


def write(results, paths):
    for path in paths:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(results, file, indent="\t")
            file.write("\n")


# --- the plot -----------------------------------------------------------------------------------


def panel(title, values):
    """One panel of bars: gnuplot commands, or none where there is nothing to draw."""
    lines = [f'{at} "{name}" {value:.6g} "{number(value, 0 if value >= 100 else 2)}"'
        for at, (name, value) in enumerate(values.items())]
    if not lines:
        return []
    return ["$bars << EOD", *lines, "EOD", f'set title "{title}"',
        f"set xrange [-0.6:{len(lines) - 0.4}]",
        'plot $bars using 1:3:($0 == 0 ? 1 : 2):xtic(2) with boxes lc variable, '
        '$bars using 1:3:4 with labels offset 0,0.6']


def panels(results):
    counted = results["counts"]
    drawn = [("user instructions a request", {name: own["instructions"]
        for name, own in counted.items() if "instructions" in own})]
    drawn.append(("system calls a request", {name: own["system_calls"]
        for name, own in counted.items() if "system_calls" in own}))
    for workers, timed in results["timed"].items():
        drawn.append((f"server CPU us a request, {workers} worker(s)",
            {name: own["cpu_us"] for name, own in timed.items()}))
        drawn.append((f"requests a second, {workers} worker(s)",
            {name: own["requests_per_s"] for name, own in timed.items()}))
    return [lines for lines in (panel(*each) for each in drawn) if lines]


def plot(results, path):
    drawn = panels(results)
    if not shutil.which("gnuplot") or not drawn:
        print("no plot: gnuplot is not there" if drawn else "no plot: nothing to draw")
        return
    rows = (len(drawn) + 1) // 2
    script = [f'set terminal svg size 1000,{280 * rows} dynamic background "white"',
        f'set output "{path}"', f"set multiplot layout {rows},2", "unset key",
        "set style fill solid 0.8", "set boxwidth 0.7", "set yrange [0:*]",
        "set offsets 0,0,graph 0.15,0", "set linetype 1 lc rgb '#1b7837'",
        "set linetype 2 lc rgb '#9e9e9e'", "set grid ytics", "set tics out nomirror"]
    for lines in drawn:
        script += lines
    script.append("unset multiplot")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    done = subprocess.run(["gnuplot"], input="\n".join(script) + "\n", check=False,
        capture_output=True, text=True)
    print(f"plot in {path}" if not done.returncode else "no plot: " + done.stderr.strip())
