#!/usr/bin/python3
"""make bench-answers: the comparison of answers against its aims, beside a SymPy check.

    answers.py --program build/tests/answer/bench_answers --stumper build/stumper [--sympy N]

The tables are measured in one process over tests/answer/data (see tests/answer/bench_answers.c). Then come easy
pairs through helper processes, as a service compares them, and N pairs of cases.jsonl (0: none) through what a
SymPy-based checker does, in a process of its own that is killed after two seconds a pair: sympy.parse_expr with
all transformations, simplify(a - b) == 0, then nine fixed points with one value for all symbols. parse_expr
evaluates its text as Python, so never give it an answer that you do not know.
"""
import argparse
import json
import multiprocessing
import os
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.join(HERE, "..", "tests")
DATA = os.path.join(TESTS, "answer", "data")
FILES = ["cases.jsonl", "cases-mutated.jsonl", "cases-hostile.jsonl", "cases-text.jsonl"]
# What is measured, in which file, and how good it has to be: at least so much (+) or at most (-).
AIMS = [
    ("right, undecided equal pairs are wrong, %", "cases.jsonl", "accuracy", "+", 97),
    ("decided at all, %", "cases.jsonl", "decided", "+", 90),
    ("of the 'equal' said, right, %", "cases.jsonl", "equal_right", "+", 99.9),
    ("of the 'different' said, right, %", "cases.jsonl", "different_right", "+", 98),
    ("wrong 'equal'", "cases.jsonl", "false_equal", "-", 1),
    ("wrong 'equal'", "cases-hostile.jsonl", "false_equal", "-", 0),
    ("right, %", "cases-mutated.jsonl", "accuracy", "+", 100),
    ("wrong 'equal'", "cases-mutated.jsonl", "false_equal", "-", 0),
    ("decided wrongly", "cases-text.jsonl", "decided_wrongly", "-", 0),
    ("final answers found, %", "extraction.jsonl", "right", "+", 93),
    ("pairs a second and core", "cases.jsonl", "pairs_per_second", "+", 20_000),
    ("pairs a second and core, easy ones", "cases-mutated.jsonl", "pairs_per_second", "+", 150_000),
    ("p99, ms", "cases.jsonl", "p99_ms", "-", 1),
    ("worst, ms", "cases-hostile.jsonl", "worst_ms", "-", 100),
]
SYMPY_SECONDS = 2


def measure(program: str) -> dict[str, dict]:
    out = subprocess.run([program, *FILES], env=dict(os.environ, TESTS_DIR=TESTS), check=True,
                         capture_output=True, text=True).stdout
    rows = {}
    for line in out.splitlines():
        r = json.loads(line)
        if "pairs" in r:
            r.update(decided_wrongly=r["false_equal"] + r["false_different"], p99_ms=r["p99_us"] / 1e3, worst_ms=r["worst_us"] / 1e3)
        rows[r["file"]] = r
    return rows


def show(rows: dict[str, dict]) -> None:
    print(f"{'file':22}{'pairs':>6}{'right %':>9}{'false =':>9}{'false !=':>9}{'decided %':>11}{'pairs/s':>10}{'p99 us':>8}{'worst us':>10}")
    for name in FILES:
        r = rows[name]
        print(f"{name:22}{r['pairs']:6}{r['accuracy']:9.2f}{r['false_equal']:9}{r['false_different']:9}"
              f"{r['decided']:11.1f}{r['pairs_per_second']:10,.0f}{r['p99_us']:8.0f}{r['worst_us']:10,.0f}")
    print(f"\n{'measure':46}{'file':22}{'here':>11}{'aim':>13}")
    for what, name, key, sense, aim in AIMS:
        here = rows[name][key]
        met = here >= aim if sense == "+" else here <= aim
        print(f"{what:46}{name:22}{here:>11,.6g}{'>=' if sense == '+' else '<=':>5} {aim:<8,}{'met' if met else 'MISSED'}")


def isolated(stumper: str):
    """The same through helper processes, as a service has it."""
    path = os.path.join(DATA, "cases-mutated.jsonl")
    with open(path, encoding="utf-8") as f:
        n = sum(1 for _ in f)
    start = time.monotonic()
    subprocess.run([stumper, "compare", "--file", path], check=True, stdout=subprocess.DEVNULL)
    print(f"\nin helper processes: {n / (time.monotonic() - start):,.0f} easy pairs per second of wall time")


def sympy_equal(gold: str, given: str) -> bool:
    import sympy
    from sympy.parsing.sympy_parser import parse_expr, T
    a, b = (parse_expr(s.strip().strip("$").replace("^", "**"), transformations=T[:]) for s in (gold, given))
    if sympy.simplify(a - b) == 0:
        return True
    symbols = list((a - b).free_symbols)
    points = [0.5, 1, 1.5, 2, 2.5, 3, -0.5, -1, -2]
    return all(abs(complex((a - b).subs({s: p for s in symbols}).evalf())) < 1e-9 for p in points)


def serve(pipe):
    while True:
        gold, given = pipe.recv()
        try:
            pipe.send(bool(sympy_equal(gold, given)))
        except Exception:  # whatever a parser or simplifier throws: no verdict
            pipe.send(None)


class Checker:
    def __init__(self):
        self.start()

    def start(self):
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=serve, args=(theirs,), daemon=True)
        self.process.start()

    def ask(self, gold: str, given: str):
        self.pipe.send((gold, given))
        if self.pipe.poll(SYMPY_SECONDS):
            return self.pipe.recv()
        self.process.kill()
        self.process.join()
        self.start()
        return None


def beside_sympy(n: int):
    with open(os.path.join(DATA, "cases.jsonl"), encoding="utf-8") as f:
        cases = [json.loads(line) for line in f]
    cases = cases[::max(1, len(cases) // n)][:n]
    checker, right, false_equal, none, start = Checker(), 0, 0, 0, time.monotonic()
    for case in cases:
        said = checker.ask(case["gold"], case["pred"])
        none += said is None
        right += bool(said) == case["equal"]
        false_equal += bool(said) and not case["equal"]
    seconds = time.monotonic() - start
    print(f"SymPy check on {len(cases)} of cases.jsonl: {100 * right / len(cases):.1f} % right, {false_equal} false "
          f"equal, {none} without a verdict, {len(cases) / seconds:.1f} pairs per second")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--program", required=True)
    p.add_argument("--stumper", required=True)
    p.add_argument("--sympy", type=int, default=200, metavar="N")
    args = p.parse_args()
    show(measure(args.program))
    isolated(args.stumper)
    if args.sympy > 0:
        beside_sympy(args.sympy)


if __name__ == "__main__":
    main()
