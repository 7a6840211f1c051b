"""How well limits are used: a provider that enforces them, a run that wants more, the provider's own books.

The checker gets two calls of every attempt, so its model is the one that is short. Achieved is what the provider answered
for it, set against what its limit allowed from the first of these calls until 95 % of them were made (the end of a run, when
few attempts are left, has nothing to do with limits). The cold start is in it. Refused are the 429s of all models.
"""
import datetime
import json
import os
import shutil
import tempfile
import urllib.request

import provider

LATENCY = ["--latency", "lognormal:1000,0.5"]
CHECKER_CAP = 16000  # tokens that Stumper lets a checker write: counted at admission

SCENARIOS = {  # flags of the provider, wanted problems, attempts at once
    "500 RPM": (["--rpm", "500"], 250, 200),
    "3,000 RPM": (["--rpm", "3000"], 1300, 500),
    "10,000 RPM": (["--rpm", "10000"], 3500, 1200),
    "20,000 RPM": (["--rpm", "20000"], 6000, 2000),
    "100,000 RPM": (["--rpm", "100000"], 24000, 6000),
    "6,000, later 3,000 RPM": (["--rpm", "6000,20s:3000"], 1600, 800),
    "3,000, later 9,000 RPM": (["--rpm", "3000,20s:9000"], 1800, 1000),
    "20M TPM": (["--tpm", "20000000"], 400, 300),
}
BURST_S = "1"  # the provider's buckets hold a second's worth: nothing is forgiven


def when(line: dict) -> float:
    return datetime.datetime.fromisoformat(line["time"].replace("Z", "+00:00")).timestamp()


def allowed(plan: str, span: float) -> float:
    """What "6000,20s:3000" a minute allows in the first `span` seconds."""
    first, *later = plan.split(",")
    steps = [(0.0, float(first))] + [(float(s.split("s:")[0]), float(s.split("s:")[1])) for s in later]
    ends = [begin for begin, _ in steps[1:]] + [span]
    return sum(rate / 60 * max(0.0, min(end, span) - begin) for (begin, rate), end in zip(steps, ends))


def run(bench, name: str, command, timed) -> dict:
    flags, wanted, slots = SCENARIOS[name]
    folder = tempfile.mkdtemp(prefix="limits-", dir=bench.scratch)
    books = os.path.join(folder, "ledger.jsonl")
    work = dict(wanted=wanted, slots=slots,
                flags=["--accept-all", "--messy-rate", "0", *LATENCY, *flags, "--limit-burst", BURST_S, "--ledger", books])
    with provider.Provider(bench.stumper, folder, work) as sim:
        argv, env = command("stumper", bench, work, sim.url, folder)
        wall = timed(argv, env, folder)["wall_s"]
        with urllib.request.urlopen(sim.base + "/ledger/summary", timeout=10) as answer:
            sums = json.load(answer)
        sim.stop()
    with open(books, encoding="utf-8") as f:
        lines = [json.loads(text) for text in f]
    times = sorted(when(line) for line in lines if line["role"] == "checker")
    counted = times[:int(len(times) * 0.95)]
    units = len(counted)
    if flags[0] == "--tpm":  # input, and all that the cap lets it write
        units *= sum(line["input_tokens"] for line in lines if line["role"] == "checker") / len(times) + CHECKER_CAP
    refused = sum(sums["refused"].values())
    shutil.rmtree(folder)
    return dict(wall_s=wall, calls=len(lines), refused=refused, refused_share=100 * refused / (refused + sums["admitted"]),
                achieved=100 * units / allowed(flags[1], counted[-1] - counted[0]))
