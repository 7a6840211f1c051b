"""The service against two others, measured through their HTTP interfaces by the same means (run.py service).

  stumper   `stumper serve`, one process; each 202 after an fsync (SQLite, WAL, synchronous=FULL)
  celery    FastAPI under uvicorn with 2 processes, 2 Celery workers with threads and late acknowledgement, Redis
  bullmq    fastify with a process for each core, a BullMQ worker, Redis

Redis keeps an append-only file with `appendfsync everysec`: a power cut takes what the last second answered.
`always` would be as durable as Stumper; what it costs is measured as "submit, always".

  first call   from sending the request to the first bytes of the first call, idle; against a bare listener, which knows
               when they came; median of 15
  submit       64 connections, while the workers' slots are full of calls that take ten minutes; memory per 1,000 jobs
               and status with so many jobs stored are taken afterwards
  status       64 connections, of a job that has ended, nothing else going on; of a job with 1,000 attempts in flight
               (calls of 1 s); beside it, how many calls a second were made meanwhile (1,000 is ideal)
  kill         2,000 problems, 100 in flight, calls of 100 ms; everything but Redis killed half way and started again
               after a second. Times count from the start; "over ideal" is what the end came later than by calls
               that follow each other without a pause. A call is seen when it is answered, so 0.1 s are its own.

Memory is the proportional share (PSS) of all processes, Redis included.
"""
import http.client
import json
import os
import queue
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

import provider

HERE = os.path.dirname(os.path.abspath(__file__))
CONNECTIONS = 64
SECONDS = 6
STORED = 100_000
SLOTS_SUBMIT, SLOTS_STATUS = 256, 1000
KILL = dict(wanted=2000, slots=100, latency_ms=100)
CALLS_PER_PROBLEM = 4


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def ask(base: str, path: str, body: dict | None = None) -> dict:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(base + path, data, {"Content-Type": "application/json"}), timeout=60) as answer:
        return json.load(answer)


def wait_for(look, what: str, limit_s: float = 180):
    """What look() gives when it is true; errors of connections that are not there yet are not errors."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        try:
            found = look()
            if found:
                return found
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.005)
    raise TimeoutError(what)


class Service:
    """A contender's processes, each in a group of its own: with Service(…) as s: … s.base …"""

    def __init__(self, bench, llm: str, slots: int):
        self.folder = tempfile.mkdtemp(prefix="service-", dir=bench.scratch)
        self.bench, self.llm, self.slots = bench, llm, slots
        self.port, self.groups = free_port(), []
        self.base = f"http://127.0.0.1:{self.port}"

    def spawn(self, *argv: str, cwd: str | None = None, **env: str) -> subprocess.Popen:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("STUMPER_")}
        with open(os.path.join(self.folder, "log"), "ab") as log:
            child = subprocess.Popen(argv, cwd=cwd or self.folder, env={**kept, **env}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                     start_new_session=True)
        self.groups.append(child)
        return child

    def begin(self) -> None:
        """Start, or start again, what can be killed; back when it answers."""
        self.start()
        wait_for(self.answers, f"{type(self).__name__} does not answer")

    def answers(self) -> bool:
        try:
            ask(self.base, "/status/job_0")
        except urllib.error.HTTPError as refusal:
            return refusal.code == 404
        return False

    def kill(self) -> None:
        for child in self.groups:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        self.groups.clear()

    def __enter__(self):
        self.begin()
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def body(self, wanted: int) -> dict:
        return {"num_problems": wanted}

    def memory_mb(self) -> float:
        groups, kb = {child.pid for child in self.groups}, 0
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
                    if int(stat.read().rpartition(")")[2].split()[2]) not in groups:
                        continue
                with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as rollup:
                    kb += next(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
            except (FileNotFoundError, ProcessLookupError):
                continue
        return kb / 1024


class Stumper(Service):
    def start(self) -> None:
        models = [f"--{role}=openai/{role}" for role in ("engineer", "checker", "target")]
        self.spawn(self.bench.stumper, "serve", "--listen", f"127.0.0.1:{self.port}", "--store", "sqlite:jobs.db", *models,
                   "--concurrency", str(self.slots), "--rpm", "1000000000", OPENAI_BASE_URL=self.llm, OPENAI_API_KEY="bench")

    def body(self, wanted: int) -> dict:
        return {"num_problems": wanted, "judge": "llm", "concurrency": self.slots}


class OnRedis(Service):
    """What the peers have in common: a Redis that lives on when they are killed."""

    def __enter__(self):
        self.redis_port = free_port()
        self.redis = self.spawn("redis-server", "--port", str(self.redis_port), "--bind", "127.0.0.1", "--dir", self.folder, "--save", "",
                                "--appendonly", "yes", "--appendfsync", "everysec")
        self.env = dict(BENCH_REDIS=f"redis://127.0.0.1:{self.redis_port}/0", BENCH_LLM=self.llm, BENCH_CHAIN=self.bench.chain)
        wait_for(lambda: self.cli("ping") == "PONG", "redis does not answer")
        return super().__enter__()

    def cli(self, *words: str) -> str:
        return subprocess.run(["redis-cli", "-p", str(self.redis_port), *words], capture_output=True, text=True, check=False).stdout.strip()

    def kill_but_redis(self) -> None:
        self.groups.remove(self.redis)
        self.kill()
        self.groups.append(self.redis)


class Celery(OnRedis):
    def start(self) -> None:
        peers = os.path.join(HERE, "peers")
        for n in (1, 2):
            self.spawn("/usr/bin/python3", "-m", "celery", "-A", "service_celery", "worker", "-P", "threads", "-c", str(self.slots // 2),
                       "-n", f"w{n}@bench", "-l", "ERROR", "--without-gossip", "--without-mingle", cwd=peers, **self.env)
        self.spawn("/usr/bin/python3", "-m", "uvicorn", "--workers", "2", "--port", str(self.port), "--log-level", "warning",
                   "service_celery:api", cwd=peers, **self.env)


class BullMQ(OnRedis):
    def start(self) -> None:
        program = os.path.join(HERE, "peers", "service_bullmq.mjs")
        self.spawn("node", program, "worker", str(self.slots), **self.env)
        self.spawn("node", program, "api", str(self.port), **self.env)


SERVICES = {"celery": Celery, "bullmq": BullMQ, "stumper": Stumper}


def load(base: str, path: str, body: dict | None = None, seconds: int = SECONDS) -> dict:
    """64 connections for so long; requests a second, median and p99 in ms."""
    env = {**os.environ, **({} if body is None else {"BENCH_BODY": json.dumps(body)})}
    argv = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", os.path.join(HERE, "load.lua"), base + path]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def disk(folder: str) -> dict:
    """How long fdatasync takes, one behind the other and after a rest: some disks sleep at once."""
    took: dict[str, list[float]] = {}
    path = os.path.join(folder, "flushed")
    with open(path, "wb", buffering=0) as f:
        for key, n, rest_s in (("row", 1000, 0), ("rest", 20, 0.2)):
            for _ in range(n):
                time.sleep(rest_s)
                begin = time.perf_counter()
                os.pwrite(f.fileno(), bytes(4096), 0)
                os.fdatasync(f.fileno())
                took.setdefault(key, []).append((time.perf_counter() - begin) * 1000)
    os.unlink(path)
    return {f"{key}_ms": statistics.median(times) for key, times in took.items()}


class Listener:
    """Takes calls, notes when their first bytes came, and never answers."""

    def __init__(self):
        self.server, self.came = socket.create_server(("127.0.0.1", 0), backlog=512), queue.Queue()
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}/v1"
        threading.Thread(target=self.take, daemon=True).start()

    def take(self) -> None:
        held = []
        while True:
            connection, _ = self.server.accept()
            connection.recv(1)
            self.came.put(time.perf_counter())
            held.append(connection)


def first_call(kind, bench) -> dict:
    listener, took = Listener(), []
    with kind(bench, listener.url, 256) as s:
        time.sleep(2)
        idle = s.memory_mb()
        client = http.client.HTTPConnection("127.0.0.1", s.port)
        for _ in range(16):
            begin = time.perf_counter()
            client.request("POST", "/generate", json.dumps(s.body(1) | ({"concurrency": 1} if kind is Stumper else {})),
                           {"Content-Type": "application/json"})
            came = listener.came.get(timeout=30)
            client.getresponse().read()
            took.append((came - begin) * 1000)
            time.sleep(0.2)
    return {"idle_mb": idle, "first_call_ms": statistics.median(took[1:])}


def submit(kind, bench) -> dict:
    with provider.Provider(bench.stumper, bench.scratch, dict(latency_ms=600_000)) as sim, kind(bench, sim.url, SLOTS_SUBMIT) as s:
        load(s.base, "/generate", s.body(1), 1)  # fills the slots
        time.sleep(1)
        before = s.memory_mb()
        got = {f"submit_{k}": v for k, v in load(s.base, "/generate", s.body(1)).items()}
        time.sleep(1)
        stored = got["submit_requests"]
        got["kb_per_job"] = max(0.0, s.memory_mb() - before) * 1024 / stored
        while kind is Stumper and stored < STORED:
            stored += load(s.base, "/generate", s.body(1), 2)["requests"]
        job = ask(s.base, "/generate", s.body(1))["job_id"]
        got.update({f"stored_{k}": v for k, v in load(s.base, f"/status/{job}").items()}, stored=stored)
        if isinstance(s, OnRedis):
            s.cli("config", "set", "appendfsync", "always")
            got.update({f"always_{k}": v for k, v in load(s.base, "/generate", s.body(1)).items()})
        return got


def status(kind, bench) -> dict:
    with provider.Provider(bench.stumper, bench.scratch, dict(latency_ms=1000)) as sim, kind(bench, sim.url, SLOTS_STATUS) as s:
        job = ask(s.base, "/generate", s.body(1))["job_id"]
        wait_for(lambda: ask(s.base, f"/status/{job}")["status"] == "succeeded", "the first job does not end")
        got = {f"idle_{k}": v for k, v in load(s.base, f"/status/{job}").items()}
        job = ask(s.base, "/generate", s.body(50_000))["job_id"]
        calls = lambda: ask(sim.base, "/ledger/summary")["calls"]
        wait_for(lambda: calls() > 2 * SLOTS_STATUS, "the attempts do not begin")
        begin, before = time.monotonic(), calls()
        got.update({f"busy_{k}": v for k, v in load(s.base, f"/status/{job}").items()})
        got["busy_calls_per_s"] = (calls() - before) / (time.monotonic() - begin)
        return got


def kill(kind, bench) -> dict:
    with provider.Provider(bench.stumper, bench.scratch, KILL) as sim, kind(bench, sim.url, KILL["slots"]) as s:
        calls = lambda: ask(sim.base, "/ledger/summary")["calls"]
        job = ask(s.base, "/generate", s.body(KILL["wanted"]))["job_id"]
        whole = KILL["wanted"] * CALLS_PER_PROBLEM
        wait_for(lambda: calls() >= whole / 2, "the job does not get half way")
        s.kill_but_redis() if isinstance(s, OnRedis) else s.kill()
        time.sleep(1)
        before, begin = calls(), time.monotonic()
        s.start()
        wait_for(lambda: calls() > before, "no call after the restart")
        next_call = time.monotonic() - begin
        ended = wait_for(lambda: (j := ask(s.base, f"/status/{job}"))["status"] == "succeeded" and j, "the job does not end")
        done = time.monotonic() - begin
        accepted = ended["counts"]["accepted"]
        return {"next_call_s": next_call, "over_ideal_s": done - (whole - before) / KILL["slots"] * KILL["latency_ms"] / 1000,
                "paid_twice": calls() - whole, "lost": max(0, KILL["wanted"] - accepted), "doubled": max(0, accepted - KILL["wanted"])}


DISK = [("in a row, ms", "row_ms", "{:.2f}", False), ("after 0.2 s", "rest_ms", "{:.2f}", False)]
TABLES = [
    ("submit → first call; memory", [("ms", "first_call_ms", "{:.2f}", False), ("MB idle", "idle_mb", "{:.1f}", False),
                                     ("KB/job stored", "kb_per_job", "{:.2f}", False)]),
    ("submit", [("per s", "submit_per_s", "{:,.0f}", True), ("p50 ms", "submit_p50_ms", "{:.2f}", False), ("p99 ms", "submit_p99_ms", "{:.2f}", False),
                ("always: per s", "always_per_s", "{:,.0f}", True), ("p99 ms", "always_p99_ms", "{:.2f}", False), ("refused", "submit_wrong", "{:,}", False)]),
    ("status, nothing else going on", [("per s", "idle_per_s", "{:,.0f}", True), ("p50 ms", "idle_p50_ms", "{:.2f}", False), ("p99 ms", "idle_p99_ms", "{:.2f}", False)]),
    ("status, 1,000 attempts in flight", [("per s", "busy_per_s", "{:,.0f}", True), ("p50 ms", "busy_p50_ms", "{:.2f}", False), ("p99 ms", "busy_p99_ms", "{:.2f}", False),
                                          ("calls/s", "busy_calls_per_s", "{:,.0f}", True)]),
    ("status, many jobs stored", [("stored", "stored", "{:,}", True), ("per s", "stored_per_s", "{:,.0f}", True), ("p50 ms", "stored_p50_ms", "{:.2f}", False),
                                  ("p99 ms", "stored_p99_ms", "{:.2f}", False)]),
    ("kill -9 half way, and a restart", [("next call s", "next_call_s", "{:.2f}", False), ("over ideal s", "over_ideal_s", "{:.1f}", False),
                                         ("paid twice", "paid_twice", "{:,}", False), ("lost", "lost", "{:,}", False), ("doubled", "doubled", "{:,}", False)]),
]


PARTS = ((first_call, "first_call_ms"), (submit, "submit_per_s"), (status, "idle_per_s"), (kill, "next_call_s"))


def middle(runs: list[dict], key: str) -> dict:
    """Of several runs the one in the middle."""
    return sorted(runs, key=lambda run: run[key])[(len(runs) - 1) // 2]


def run(bench, contenders: list[str], show) -> dict[str, dict]:
    show("service: the disk, whose flush each 202 waits for", {"of 4 KB": disk(bench.scratch)}, DISK)
    rows = {who: {} for who in SERVICES if who in contenders}
    for who, row in rows.items():
        for part, key in PARTS:
            row.update(middle([part(SERVICES[who], bench) for _ in range(bench.runs)], key))
    for title, columns in TABLES:
        show(f"service: {title}", rows, columns)
    return rows
