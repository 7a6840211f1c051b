"""More than one machine's parts, on this one (run.py fleet): API servers and workers apart, on PostgreSQL with Redis or
RabbitMQ, real servers started here (servers.py), all of them on the same cores as the simulated provider and the load.

  scaling   one job on 1, 2, 4 and 8 worker processes of 32 slots each; calls of 500 ms, ten problems for each slot, so that
            the ideal is always 20 s. Efficiency = ideal / from the submission until the job has ended
  brokers   tokens from one process to another by way of each broker (tests/contract/bench_broker), and claims and finishes
            on PostgreSQL by one, two and four processes with 64 operations in flight each (tests/contract/bench_fleet)
  stacks    one API server and one worker on PostgreSQL, woken by Redis, beside Celery with Redis, Celery with RabbitMQ (its
            results in Redis) and BullMQ, each as durable as it can be: PostgreSQL with fsync, Redis with appendfsync
            always, RabbitMQ with durable queues, persistent messages and publisher confirms. 64 connections, while the
            workers' slots are full of calls that take ten minutes
  recovery  2 API servers, 3 workers, a job with 16 attempts in flight of calls of 100 ms. Times count from the end of a fault
            (a kill's is the kill, a restart's is when the server takes connections): the next call of that job, the first
            202 for a client that tries all the time, and the first call of the job that it handed in, to another provider
  idle      2 API servers and 3 workers with nothing to do: statements by pg_stat_statements, BEGIN and COMMIT counted
"""
import json
import os
import signal
import statistics
import subprocess
import time
import urllib.error

import provider
import servers
import service
from service import CALLS_PER_PROBLEM, ask, middle, wait_for

SCALING = dict(workers=(1, 2, 4, 8), slots=32, latency_ms=500, rounds=10)
SECONDS = 4
RECOVERY = dict(slots=64, flight=16, latency_ms=100, rounds=5, down_s=1.0, cut_s=3.0)
FLYING_S = 0.5  # bytes that a process had sent before it was killed are seen until then
LEASE_S = 15  # a dead worker's part of a limit is counted for so long: who dies sooner than that leaves nothing of it
IDLE_S = 20
ROLES = ("engineer", "checker", "target")


class Fleet(service.Service):
    """API servers and workers, each a process; the providers are told by their environment."""

    def __init__(self, bench, llm: str, slots: int, store: str, broker: str | None, apis: int = 2, workers: int = 3):
        super().__init__(bench, llm, slots)
        broker_told = {"STUMPER_BROKER": broker} if broker else {}
        self.env = {"STUMPER_STORE": store, **broker_told, "OPENAI_BASE_URL": llm, "OPENAI_API_KEY": "bench", "ANTHROPIC_API_KEY": "bench"}
        self.ports = [self.port, *(service.free_port() for _ in range(apis - 1))]
        self.wanted, self.apis, self.workers = workers, [], []

    def start(self) -> None:
        for port in self.ports:
            self.apis.append(self.start_api(port))
            wait_for(self.answers, "the API does not answer")
        for _ in range(self.wanted):
            self.workers.append(self.start_worker())
        wait_for(lambda: len(self.members()) == self.wanted, "the workers do not come")

    def start_api(self, port: int) -> subprocess.Popen:
        models = [f"--{role}=openai/{role}" for role in ROLES]
        return self.spawn(self.bench.stumper, "serve", "--listen", f"127.0.0.1:{port}", "--workers", "0", *models, **self.env)

    def start_worker(self) -> subprocess.Popen:
        return self.spawn(self.bench.stumper, "worker", "--concurrency", str(self.slots), "--rpm", "1000000000", **self.env)

    def members(self) -> list[dict]:
        return ask(self.base, "/workers")["data"]

    def lose(self, child: subprocess.Popen) -> None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        self.groups.remove(child)

    def body(self, wanted: int, flight: int | None = None) -> dict:
        return {"num_problems": wanted, "judge": "llm", "concurrency": flight or self.slots}


# --- scaling

def scale(bench, workers: int) -> dict:
    work, flight = SCALING, workers * SCALING["slots"]
    with (servers.Postgres(bench.scratch) as store, servers.Redis(bench.scratch) as broker, provider.Provider(bench.stumper, bench.scratch, work) as sim,
          Fleet(bench, sim.url, work["slots"], store.url, broker.url, apis=1, workers=workers) as fleet):
        begin = time.monotonic()
        job = ask(fleet.base, "/generate", fleet.body(flight * work["rounds"], flight))["job_id"]
        wait_for(lambda: ask(fleet.base, f"/status/{job}?wait=5")["status"] == "succeeded", "the job does not end")
        took, calls = time.monotonic() - begin, sim.stop()["calls"]
    ideal = work["rounds"] * CALLS_PER_PROBLEM * work["latency_ms"] / 1000
    return {"efficiency": ideal / took, "wall_s": took, "calls_per_s": calls / took, "calls": calls}


def scaling(bench) -> dict[str, dict]:
    return {f"{n} workers": middle([scale(bench, n) for _ in range(bench.runs)], "efficiency") for n in SCALING["workers"]}


# --- brokers

def program(bench, name: str) -> str:
    build = os.path.dirname(bench.stumper)
    subprocess.run(["ninja", "-C", build, "--quiet", f"tests/contract/{name}"], check=True, stdout=subprocess.DEVNULL)
    return os.path.join(build, "tests", "contract", name)


def lines_of(*argv: str) -> list[dict]:
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def tokens(bench) -> dict[str, dict]:
    rows: dict[str, list[dict]] = {}
    for _ in range(bench.runs):
        for line in lines_of(program(bench, "bench_broker")):
            rows.setdefault(line["broker"], []).append(line)
    return {name: middle(runs, "tokens_per_second") for name, runs in rows.items()}


def claims(bench) -> dict[str, dict]:
    measure, rows = program(bench, "bench_fleet"), {}
    for stores in (1, 2, 4):
        runs = []
        for _ in range(bench.runs):
            with servers.Postgres(bench.scratch) as store:
                runs += lines_of(measure, store.url, str(stores), "3")
        rows[f"{stores} processes"] = middle(runs, "claims_per_second")
    return rows


# --- stacks

class CeleryOnRedis(service.Celery):
    def begin(self) -> None:
        super().begin()
        self.cli("config", "set", "appendfsync", "always")


class CeleryOnRabbit(CeleryOnRedis):
    def __enter__(self):
        self.rabbit = servers.Rabbit(self.bench.scratch).__enter__()
        return super().__enter__()

    def start(self) -> None:
        self.env["BENCH_BROKER"] = self.rabbit.url
        super().start()

    def __exit__(self, *why):
        super().__exit__(*why)
        self.rabbit.__exit__(*why)


class BullMQ(service.BullMQ):
    def begin(self) -> None:
        super().begin()
        self.cli("config", "set", "appendfsync", "always")


class OnPostgres(Fleet):
    def __init__(self, bench, llm: str, slots: int):
        self.servers = [servers.Postgres(bench.scratch).__enter__(), servers.Redis(bench.scratch).__enter__()]
        super().__init__(bench, llm, slots, *(it.url for it in self.servers), apis=1, workers=1)

    def __exit__(self, *why):
        super().__exit__(*why)
        for it in self.servers:
            it.__exit__(*why)


STACKS = {"celery, Redis": CeleryOnRedis, "celery, RabbitMQ": CeleryOnRabbit, "bullmq": BullMQ, "stumper": OnPostgres}


def stack(kind, bench) -> dict:
    with provider.Provider(bench.stumper, bench.scratch, dict(latency_ms=600_000)) as sim, kind(bench, sim.url, service.SLOTS_SUBMIT) as s:
        service.load(s.base, "/generate", s.body(1), 1)  # fills the slots
        time.sleep(1)
        got = {f"submit_{k}": v for k, v in service.load(s.base, "/generate", s.body(1), SECONDS).items()}
        time.sleep(1)
        job = ask(s.base, "/generate", s.body(1))["job_id"]
        return got | {f"status_{k}": v for k, v in service.load(s.base, f"/status/{job}", None, SECONDS).items()}


def stacks(bench) -> dict[str, dict]:
    return {name: middle([stack(kind, bench) for _ in range(bench.runs)], "submit_per_s") for name, kind in STACKS.items()}


# --- recovery

class Trouble:
    """A fleet at work whose processes reach PostgreSQL, the broker and the provider by ways of their own."""

    def __init__(self, bench, store, broker, sim):
        self.store, self.broker = store, broker
        self.to_store, self.to_broker, self.to_llm = (servers.Way(port) for port in (store.port, broker.port, int(sim.base.rsplit(":", 1)[1])))
        by = lambda server, way: server.url.replace(f":{server.port}", f":{way.port}")
        self.other = service.Listener()
        self.fleet = Fleet(bench, f"http://127.0.0.1:{self.to_llm.port}/v1", RECOVERY["slots"], by(store, self.to_store), by(broker, self.to_broker))
        self.fleet.env["ANTHROPIC_BASE_URL"] = self.other.url
        self.probe = {"num_problems": 1, "concurrency": 1, "judge": "llm", **{f"{role}_model": f"anthropic/{role}" for role in ROLES}}

    def work(self) -> None:
        self.job = ask(self.fleet.base, "/generate", self.fleet.body(1_000_000, RECOVERY["flight"]))["job_id"]
        wait_for(lambda: len(self.to_llm.came) > 50, "the work does not begin")

    def home(self) -> subprocess.Popen:
        """The process that has the job; the last probe is gone from whoever had that."""
        def lone() -> int | None:
            at = [w["pid"] for w in self.fleet.members() for _ in range(w["jobs"])]
            return at[0] if len(at) == 1 else None
        pid = wait_for(lone, "nobody has the job")
        return next(child for child in self.fleet.workers if child.pid == pid)

    def replace(self, worker: subprocess.Popen) -> None:
        if worker.poll() is None:
            self.fleet.lose(worker)
        self.fleet.workers.remove(worker)
        self.fleet.workers.append(self.fleet.start_worker())

    # Each makes a fault and gives when it ended; a function besides puts things right afterwards.

    def worker_killed(self):
        worker = self.home()
        self.fleet.lose(worker)
        return time.monotonic(), lambda: self.replace(worker)

    def worker_stopped(self):
        worker = self.home()
        worker.send_signal(signal.SIGSTOP)
        return time.monotonic(), lambda: self.replace(worker)

    def api_killed(self):
        self.fleet.lose(self.fleet.apis[0])
        self.fleet.apis[0] = self.fleet.start_api(self.fleet.port)
        return time.monotonic(), None

    def restart(self, server, how: int):
        server.kill(how)
        time.sleep(RECOVERY["down_s"])
        server.begin()
        return time.monotonic(), None

    def store_fast(self):
        return self.restart(self.store, signal.SIGINT)

    def store_immediate(self):
        return self.restart(self.store, signal.SIGQUIT)

    def broker_restarted(self):
        return self.restart(self.broker, signal.SIGKILL)

    def broker_away(self):
        self.broker.kill()
        return time.monotonic(), self.broker.begin

    def broker_wiped(self):
        self.broker.wipe()
        return time.monotonic(), None

    def cut(self, way: servers.Way):
        way.cut()
        time.sleep(RECOVERY["cut_s"])
        way.mend()
        return time.monotonic(), None

    def store_cut(self):
        return self.cut(self.to_store)

    def broker_cut(self):
        return self.cut(self.to_broker)

    def submit(self) -> dict:
        """A client that tries until it is answered with 202."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                return ask(self.fleet.base, "/generate", self.probe)
            except (OSError, urllib.error.HTTPError, service.http.client.HTTPException):
                time.sleep(0.005)
        raise TimeoutError("no submission is taken")

    def look(self, fault: str) -> dict:
        """What one fault costs, in ms from its end."""
        ended, mend = getattr(self, fault)()
        since = ended + FLYING_S if fault.startswith("worker") else ended
        job = self.submit()["job_id"]
        taken = time.monotonic()
        self.other.came.get(timeout=60)
        begun = time.monotonic()
        called = wait_for(lambda: next((at for at in list(self.to_llm.came) if at > since), None), "no call after the fault", 60)
        if mend:
            mend()
        ask(self.fleet.base, f"/jobs/{job}/cancel", {})
        self.to_llm.came.clear()
        wait_for(lambda: len(self.to_llm.came) > 20, "the work does not go on")
        wait_for(lambda: len(self.fleet.members()) == self.fleet.wanted, "a worker is missing", 60)
        while not self.other.came.empty():
            self.other.came.get()
        time.sleep(LEASE_S if fault.startswith("worker") else 1)
        return {"call": called - ended, "taken": taken - ended, "begun": begun - ended}


FAULTS = {"worker killed": "worker_killed", "worker stopped": "worker_stopped", "API killed, started again": "api_killed", "PostgreSQL restarted, fast": "store_fast",
          "PostgreSQL, immediate": "store_immediate", "PostgreSQL cut off, 3 s": "store_cut"}
OF_BROKERS = {"{} killed": "broker_away", "{} back": "broker_restarted", "{} cut off, 3 s": "broker_cut"}


WORKER_ROUNDS = {"worker_killed": 3, "worker_stopped": 2}


def recover(bench, kind, name: str, faults: dict[str, str]) -> dict[str, dict]:
    rows = {}
    with servers.Postgres(bench.scratch) as store, kind(bench.scratch) as broker, \
         provider.Provider(bench.stumper, bench.scratch, dict(latency_ms=RECOVERY["latency_ms"])) as sim:
        trouble = Trouble(bench, store, broker, sim)
        with trouble.fleet:
            trouble.work()
            for title, fault in faults.items():
                runs = [trouble.look(fault) for _ in range(WORKER_ROUNDS.get(fault, RECOVERY["rounds"]))]
                rows[title.format(name)] = {f"{key}_{what}": how(run[key] for run in runs) for key in runs[0]
                                            for what, how in (("median", statistics.median), ("max", max))}
    return rows


def recovery(bench) -> dict[str, dict]:
    return (recover(bench, servers.Redis, "Redis", {**FAULTS, **OF_BROKERS, "FLUSHALL": "broker_wiped"})
            | recover(bench, servers.Rabbit, "RabbitMQ", OF_BROKERS))


# --- idle

def ticks(fleet: Fleet) -> float:
    """Processor time of the fleet so far, in seconds."""
    total = 0
    for child in fleet.groups:
        with open(f"/proc/{child.pid}/stat", encoding="utf-8") as stat:
            total += sum(int(n) for n in stat.read().rpartition(")")[2].split()[11:13])
    return total / os.sysconf("SC_CLK_TCK")


def idle_with(bench, broker) -> dict:
    listener = service.Listener()
    with servers.Postgres(bench.scratch) as store:
        with Fleet(bench, listener.url, 256, store.url, broker.url if broker else None) as fleet:
            store.ask("CREATE EXTENSION pg_stat_statements")
            time.sleep(5)
            store.ask("SELECT pg_stat_statements_reset()")
            begin, spent = time.monotonic(), ticks(fleet)
            time.sleep(IDLE_S)
            took, spent = time.monotonic() - begin, ticks(fleet) - spent
            rows = store.ask("SELECT calls, regexp_replace(left(query, 100), '\\s+', ' ', 'g') FROM pg_stat_statements"
                             " WHERE query !~ 'pg_stat_statements' ORDER BY calls DESC")
            commits = sum(int(n) for n, query in rows if query == "COMMIT")
            memory = fleet.memory_mb() / len(fleet.groups)
    total = sum(int(n) for n, _ in rows)
    return {"per_s": total / took, "per_process": total / took / 5, "commits_per_s": commits / took, "cpu_ms_per_s": spent / took * 1000,
            "mb": memory, "statements": [[int(n) / took, query] for n, query in rows]}


def idle(bench) -> dict[str, dict]:
    rows = {"no broker": idle_with(bench, None)}
    for name, kind in (("Redis", servers.Redis), ("RabbitMQ", servers.Rabbit)):
        with kind(bench.scratch) as broker:
            rows[name] = idle_with(bench, broker)
    with servers.Postgres(bench.scratch) as broker:
        rows["PostgreSQL"] = idle_with(bench, broker)
    return rows


# --- all of it

SPANS = [(heading, f"{key}_{what}", "{:.2f}", False) for key, name in (("call", "next call"), ("taken", "202"), ("begun", "its call"))
         for what, heading in (("median", f"{name}, s"), ("max", "max"))]
PARTS = {
    "scaling": ("one job on more and more workers", scaling,
                [("efficiency", "efficiency", "{:.3f}", True), ("wall s", "wall_s", "{:.1f}", False), ("calls/s", "calls_per_s", "{:,.0f}", True)]),
    "tokens": ("tokens by way of a broker", tokens,
               [("per s", "tokens_per_second", "{:,.0f}", True), ("in a row, µs", "row_p50_us", "{:,.0f}", False), ("p99", "row_p99_us", "{:,.0f}", False),
                ("now and then", "quiet_p50_us", "{:,.0f}", False), ("p99", "quiet_p99_us", "{:,.0f}", False)]),
    "claims": ("claims and finishes on PostgreSQL", claims,
               [("claims/s", "claims_per_second", "{:,.0f}", True), ("finishes/s", "finishes_per_second", "{:,.0f}", True)]),
    "stacks": ("submit and status, each as durable as it can be", stacks,
               [("submits/s", "submit_per_s", "{:,.0f}", True), ("p50 ms", "submit_p50_ms", "{:.2f}", False), ("p99 ms", "submit_p99_ms", "{:.2f}", False),
                ("refused", "submit_wrong", "{:,}", False), ("statuses/s", "status_per_s", "{:,.0f}", True), ("p50 ms", "status_p50_ms", "{:.2f}", False),
                ("p99 ms", "status_p99_ms", "{:.2f}", False)]),
    "recovery": ("from the end of a fault", recovery, SPANS),
    "idle": ("2 API servers, 3 workers, nothing to do", idle,
             [("statements/s", "per_s", "{:.1f}", False), ("a process", "per_process", "{:.1f}", False), ("commits/s", "commits_per_s", "{:.1f}", False),
              ("CPU ms/s", "cpu_ms_per_s", "{:.1f}", False), ("MB a process", "mb", "{:.1f}", False)]),
}


def run(bench, parts: list[str], show) -> dict[str, dict]:
    rows = {}
    for part in parts:
        title, measure, columns = PARTS[part]
        rows[part] = measure(bench)
        show(f"fleet, {part}: {title}", rows[part], columns)
    return rows
