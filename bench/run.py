#!/usr/bin/python3
"""The benchmark: the same work through `stumper generate` and through three peers, measured from outside;
and `stumper serve` beside two other services (service.py), of one process and of several (fleet.py).

    run.py [--stumper PROGRAM] [--runs 3] [--only CONTENDER]… [WORKLOAD…]      (default: all)

Every run talks to a simulated provider of its own, a process of its own, that answers after a set time and,
but for W5, accepts everything; so a problem costs exactly four calls. The provider's ledger says how many
calls were made. Wall time and CPU (user + system, children included) and peak memory are what wait4(2)
reports for the contender. Of several runs the one with the median wall time is shown.

  efficiency   W1–W3: ideal makespan / actual, ideal = ceil(N / slots) · 4 calls · latency: every slot walks
               its share of the problems without a pause.
               W5: busy call-seconds / (slots · makespan): the latencies that the provider really served,
               set against slots that are never idle. Calls that came to nothing count as busy, too: read it
               together with the wall time and with calls/problem.
  limits       how much of an enforced limit is used, and how many calls are refused: see limits.py
  streams      CPU of a call, whole and streamed, in each wire format; flight: ten thousand calls at once, plain and
               over TLS with HTTP/1.1 and HTTP/2: see travel.py
  fleet        several processes on PostgreSQL: see fleet.py; fleet-scaling and its like measure a part of it
  KB/flight    (peak memory − peak memory of a run with one attempt in flight) / slots

The peers keep their results in memory and write them at the end; Stumper has every call on disk (WAL,
synchronous=FULL) before the attempt's next call starts, in all workloads.
"""
import argparse
import json
import math
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import fleet
import limits
import provider
import service
import travel

HERE = os.path.dirname(os.path.abspath(__file__))
CALLS_PER_PROBLEM = 4

WORKLOADS = {
    "W1": dict(wanted=1000, slots=100, latency_ms=100, says="1,000 problems, 100 ms, 100 in flight"),
    "W2": dict(wanted=10000, slots=1000, latency_ms=50, says="10,000 problems, 50 ms, 1,000 in flight"),
    "W3": dict(wanted=10000, slots=5000, latency_ms=1000, says="10,000 problems, 1 s, 5,000 in flight"),
    "W3x": dict(wanted=20000, slots=10000, latency_ms=1000, says="20,000 problems, 1 s, 10,000 in flight",
                skip=["threads"]),
    "W4": dict(wanted=5000, slots=64, latency_ms=0, says="5,000 problems, no latency, 64 in flight"),
    "W5": dict(wanted=1000, slots=500, says="1,000 wanted, 30 % accepted, 4 % faults, lognormal latency of mean 800 ms"
               " and sigma 0.7, 500 in flight"),
}
KILL = dict(wanted=2000, slots=100, latency_ms=100, says="2,000 problems, 100 ms, 100 in flight, kill -9 half way")
FLEET = {f"fleet-{part}": [part] for part in fleet.PARTS} | {"fleet": list(fleet.PARTS)}
OTHERS = ["limits", "streams", "flight", "kill", "start", "service", "fleet"]
CONTENDERS = ["threads", "asyncio", "undici", "stumper"]
EVERYBODY = [*CONTENDERS, "celery", "bullmq"]
PEERS = {"threads": ["/usr/bin/python3", "threads.py"], "asyncio": ["/usr/bin/python3", "asyncio_aiohttp.py"],
         "undici": ["node", "undici.mjs"]}


def command(who: str, bench, work: dict, url: str, folder: str) -> tuple[list[str], dict]:
    """Argument list and environment of a contender."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("STUMPER_")}
    if who == "stumper":
        env.update(OPENAI_BASE_URL=url, OPENAI_API_KEY="bench")
        unlimited = [] if "flags" in work else ["--rpm", "1000000000"]  # the peers do not ask what is allowed either
        models = [f"--{role}=openai/{role}" for role in ("engineer", "checker", "target")]
        return [bench.stumper, "generate", "-n", str(work["wanted"]), *models, *unlimited, "--judge=llm", "--concurrency", str(work["slots"]),
                "--seed", str(work.get("seed", 1)), "--quiet", "-o", os.path.join(folder, "problems.jsonl")], env
    begin_max = work["wanted"] if "latency_ms" in work else sys.maxsize // 2**12
    program = [PEERS[who][0], os.path.join(HERE, "peers", PEERS[who][1])]
    return [*program, url, bench.chain, str(work["wanted"]), str(begin_max), str(work["slots"]),
            os.path.join(folder, "problems.jsonl")], env


class Failed(Exception):
    pass


def timed(argv: list[str], env: dict, folder: str, kill_after: float = None) -> dict:
    """Run a contender; with kill_after, SIGKILL it after so many seconds."""
    with open(os.path.join(folder, "log"), "ab") as log:
        begin = time.monotonic()
        child = subprocess.Popen(argv, env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if kill_after is not None:
            time.sleep(kill_after)
            child.send_signal(signal.SIGKILL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - begin
    if child.returncode != 0 and kill_after is None:
        with open(os.path.join(folder, "log"), encoding="utf-8", errors="replace") as log:
            raise Failed(f"{os.path.basename(argv[0])} exits {child.returncode}: {log.read()[-2000:]}")
    return dict(wall_s=wall, cpu_s=usage.ru_utime + usage.ru_stime, peak_kb=usage.ru_maxrss)


def kept(folder: str) -> int:
    with open(os.path.join(folder, "problems.jsonl"), "rb") as f:
        return sum(1 for _ in f)


def measure(who: str, bench, work: dict) -> dict:
    """One run against a fresh provider."""
    folder = tempfile.mkdtemp(prefix=f"{who}-", dir=bench.scratch)
    with provider.Provider(bench.stumper, folder, work) as sim:
        argv, env = command(who, bench, work, sim.url, folder)
        got = timed(argv, env, folder)
        got.update(sim.stop())
    if kept(folder) < work["wanted"]:
        raise Failed(f"{who} kept {kept(folder)} problems of {work['wanted']}")
    shutil.rmtree(folder)
    got["calls_per_s"] = got["calls"] / got["wall_s"]
    got["cpu_us_per_call"] = got["cpu_s"] / got["calls"] * 1e6
    got["calls_per_problem"] = got["calls"] / work["wanted"]
    if work.get("latency_ms"):
        ideal = math.ceil(work["wanted"] / work["slots"]) * CALLS_PER_PROBLEM * work["latency_ms"] / 1000
        got["efficiency"] = ideal / got["wall_s"]
    elif "latency_ms" not in work:
        got["efficiency"] = got["busy_s"] / (work["slots"] * got["wall_s"])
    return got


def median_run(who: str, bench, work: dict) -> dict:
    """Each run has a seed of its own, so that no contender meets the same luck three times."""
    runs = [measure(who, bench, dict(work, seed=seed)) for seed in range(1, bench.runs + 1)]
    return sorted(runs, key=lambda r: r["wall_s"])[(len(runs) - 1) // 2]


def kill_test(who: str, bench) -> dict:
    """Kill half way, start again, count the calls beyond the four that each problem needs."""
    folder = tempfile.mkdtemp(prefix=f"{who}-kill-", dir=bench.scratch)
    half = KILL["wanted"] / KILL["slots"] * CALLS_PER_PROBLEM * KILL["latency_ms"] / 1000 / 2
    with provider.Provider(bench.stumper, folder, KILL) as sim:
        argv, env = command(who, bench, KILL, sim.url, folder)
        timed(argv, env, folder, kill_after=half)
        timed(argv, env, folder)
        calls = sim.stop()["calls"]
    found = kept(folder)
    shutil.rmtree(folder)
    if found != KILL["wanted"]:
        raise Failed(f"{who} kept {found} problems of {KILL['wanted']} after the kill")
    return {"calls": calls, "paid_twice": calls - KILL["wanted"] * CALLS_PER_PROBLEM}


def first_call_ms(bench) -> float:
    """Start of `stumper generate` to the first bytes of its first request; median of nine."""
    took = []
    for _ in range(9):
        folder = tempfile.mkdtemp(prefix="start-", dir=bench.scratch)
        with socket.create_server(("127.0.0.1", 0)) as server:
            argv, env = command("stumper", bench, WORKLOADS["W1"], f"http://127.0.0.1:{server.getsockname()[1]}/v1", folder)
            server.settimeout(10)
            begin = time.monotonic()
            child = subprocess.Popen(argv, env=env, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            with server.accept()[0] as connection:
                connection.settimeout(10)
                connection.recv(1)
                took.append((time.monotonic() - begin) * 1000)
            child.kill()
            child.wait()
        shutil.rmtree(folder)
    return statistics.median(took)


COLUMNS = [  # heading, key, format, is more better?
    ("wall s", "wall_s", "{:.2f}", False), ("efficiency", "efficiency", "{:.3f}", True),
    ("calls/s", "calls_per_s", "{:,.0f}", True), ("CPU µs/call", "cpu_us_per_call", "{:.1f}", False),
    ("peak MB", "peak_mb", "{:.1f}", False), ("KB/flight", "kb_per_flight", "{:.1f}", False),
    ("calls/problem", "calls_per_problem", "{:.2f}", False)]


def show(title: str, rows: dict[str, dict], columns) -> None:
    """One table: a row for each contender, then how Stumper stands to the best peer in each column."""
    print(f"\n{title}")
    print("  " + f"{'':18}" + "".join(f"{heading:>15}" for heading, *_ in columns))
    for who, row in rows.items():
        print("  " + f"{who:18}" + "".join(f"{form.format(row[key]) if row.get(key) is not None else '-':>15}"
                                           for _, key, form, _ in columns))
    peers = [row for who, row in rows.items() if who != "stumper"]
    if "stumper" in rows and peers:
        cells = []
        for _, key, _, more in columns:
            theirs = [row[key] for row in peers if row.get(key)]
            ours = rows["stumper"].get(key)
            if theirs and ours:
                cells.append(f"{ours / max(theirs) if more else min(theirs) / ours:>14.2f}×")
            else:
                cells.append(f"{'-':>15}")
        print("  " + f"{'vs. best peer':18}" + "".join(cells))
    sys.stdout.flush()


LIMIT_COLUMNS = [("achieved %", "achieved", "{:.1f}", True), ("429 %", "refused_share", "{:.3f}", False),
                 ("429s", "refused", "{:,}", False), ("calls", "calls", "{:,}", True), ("wall s", "wall_s", "{:.1f}", False)]


CALL_COLUMNS = [COLUMNS[3], COLUMNS[2], ("calls", "calls", "{:,}", True), COLUMNS[0]]
FLIGHT_COLUMNS = [("in flight", "in_flight", "{:,.0f}", True), ("connections", "connections", "{:,}", True), COLUMNS[5], COLUMNS[4], *CALL_COLUMNS]


def run_workload(name: str, bench, contenders: list[str]) -> dict:
    work, rows = WORKLOADS[name], {}
    for who in contenders:
        if who in work.get("skip", []):
            continue
        got = median_run(who, bench, work)
        got["peak_mb"] = got["peak_kb"] / 1024
        got["kb_per_flight"] = max(0.0, got["peak_kb"] - bench.alone(who)) / work["slots"]
        rows[who] = got
    show(f"{name}: {work['says']}", rows, COLUMNS)
    return rows


class Bench:
    def __init__(self, stumper: str, runs: int, scratch: str):
        self.stumper, self.runs, self.scratch = os.path.abspath(stumper), runs, scratch
        self.chain = os.path.join(scratch, "chain.json")
        provider.record_chain(self.stumper, scratch, self.chain)
        self._alone: dict[str, float] = {}

    def alone(self, who: str) -> float:
        """Peak memory in KB with one attempt in flight."""
        if who not in self._alone:
            self._alone[who] = measure(who, self, dict(wanted=20, slots=1, latency_ms=1))["peak_kb"]
        return self._alone[who]


def main() -> None:
    options = argparse.ArgumentParser(description="Measure Stumper against its peers.")
    options.add_argument("--stumper", default="build/stumper")
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--only", action="append", choices=EVERYBODY, help="contenders, default all")
    options.add_argument("--out", default=os.path.join(HERE, "out"))
    options.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=', '.join([*WORKLOADS, *OTHERS[:-1], *FLEET]))
    want = options.parse_args()
    known = [*WORKLOADS, *OTHERS]
    chosen = want.workloads or known
    unknown = set(chosen) - {*known, *FLEET}
    if unknown:
        options.error(f"no such workload: {', '.join(sorted(unknown))}")
    contenders = [who for who in want.only or CONTENDERS if who in CONTENDERS]
    os.makedirs(want.out, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=want.out) as scratch:
        bench = Bench(want.stumper, want.runs, scratch)
        print(f"Stumper and its peers on {os.cpu_count()} cores, median of {want.runs}; "
              "Stumper alone records every call durably")
        for name in chosen:
            if name == "kill":
                rows = {who: kill_test(who, bench) for who in contenders}
                show(f"kill: {KILL['says']}", rows, [("calls", "calls", "{:,}", False),
                                                    ("paid twice", "paid_twice", "{:,}", False)])
            elif name == "limits":
                rows = {scenario: limits.run(bench, scenario, command, timed) for scenario in limits.SCENARIOS}
                show("limits: a provider that enforces them, from a cold start", rows, LIMIT_COLUMNS)
            elif name == "streams":
                rows = travel.streams(bench, timed)
                show(f"streams: {travel.STREAMS['says']}", rows, CALL_COLUMNS)
            elif name == "flight":
                rows = travel.flight(bench, timed)
                show(f"flight: {travel.FLIGHT['says']}", rows, FLIGHT_COLUMNS)
            elif name == "start":
                rows = {"stumper": {"first_call_ms": first_call_ms(bench)}}
                show("start: from the start of the program to its first call",
                     rows, [("ms", "first_call_ms", "{:.1f}", False)])
            elif name in FLEET:
                rows = fleet.run(bench, FLEET[name], show)
            elif name == "service":
                rows = service.run(bench, want.only or list(service.SERVICES), show)
            else:
                rows = run_workload(name, bench, contenders)
            with open(os.path.join(want.out, f"{name}.json"), "w", encoding="utf-8") as f:
                json.dump(rows, f, indent=2)
                f.write("\n")


if __name__ == "__main__":
    try:
        main()
    except Failed as failure:
        sys.exit(f"bench: {failure}")
