#!/usr/bin/env python3
"""Add up what the test runners wrote: tally.py FILE…

Takes meson's testlog.json (counting the single tests of a cmocka program or of a TAP stream by its
output), Node's TAP report and plain lines "passed<TAB>name". Names what failed; the last line is
"N passed, N failed". Exits 1 if anything failed or nothing ran.
"""
import json
import re
import sys

CMOCKA_PASSED = re.compile(r"^\[  PASSED  \] (\d+) test\(s\)\.", re.M)
CMOCKA_FAILED = re.compile(r"^\[  FAILED  \] (?:[^:\n]*: )?(\d+) test\(s\), listed below", re.M)
CMOCKA_NAMES = re.compile(r"^\[  FAILED  \] (?!\d+ test\(s\))(\S+)$", re.M)
TAP_LINE = re.compile(r"^(not )?ok \d+(?: - )?([^#\n]*)(# *(?:skip|todo).*)?$", re.M | re.I)


def meson_run(line: str) -> tuple[int, list[str]]:
    """One program that meson ran: how many of its tests passed, and the names of those that failed."""
    run = json.loads(line)
    output = run.get("stdout", "") + "\n" + run.get("stderr", "")
    passed = sum(int(n) for n in CMOCKA_PASSED.findall(output))
    failed = sorted(set(CMOCKA_NAMES.findall(output)))
    if not passed and not failed:
        for bad, name, directive in TAP_LINE.findall(output):
            if bad and not directive:
                failed.append(name.strip())
            elif not directive:
                passed += 1
    good = run["result"] in ("OK", "SKIP", "EXPECTEDFAIL")
    if run["result"] == "SKIP":
        return 0, []
    if good and not failed:
        return max(passed, 1), []
    return passed, [f"{run['name']}: {name}" for name in failed] or [f"{run['name']}: {run['result']}"]


def node_report(text: str) -> tuple[int, list[str]]:
    """Node's TAP: the totals stand at its end; the names of failed tests are its leaves."""
    totals = {k: int(n) for k, n in re.findall(r"^# (pass|fail|cancelled) (\d+)$", text, re.M)}
    names = [n.strip() for bad, n, d in re.findall(r"^ *(not )?ok \d+ - ([^#\n]*)(#.*)?$", text, re.M)
             if bad and not d]
    failed = totals.get("fail", 0) + totals.get("cancelled", 0)
    return totals.get("pass", 0), (names + ["(unnamed)"] * failed)[:failed]


def steps(text: str) -> tuple[int, list[str]]:
    rows = [line.split("\t", 1) for line in text.splitlines()]
    return sum(r[0] == "passed" for r in rows), [r[1] for r in rows if r[0] != "passed"]


def main() -> None:
    passed, failed = 0, []
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8", errors="replace") as f:
            text = f.read()
        if path.endswith(".json"):
            parts = [meson_run(line) for line in text.splitlines() if line.strip()]
        elif path.endswith(".tap"):
            parts = [node_report(text)]
        else:
            parts = [steps(text)]
        for n, names in parts:
            passed += n
            failed += [f"{path.rsplit('tally-', 1)[-1].split('.')[0]}: {name}" for name in names]
    for name in failed:
        print(f"failed: {name}")
    print(f"{passed} passed, {len(failed)} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
