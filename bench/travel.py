"""How calls travel: the CPU of a call, whole and as a stream, in each wire format; and ten thousand calls in flight,
plain, over TLS with HTTP/1.1 and over TLS with HTTP/2. Stumper alone: the peers have neither.

For TLS a gateway (nghttpx) stands before the provider in all rows that have it, so that both versions of HTTP meet the same
server. In flight is what was on average, from start to end: the calls' time at the provider in all, over the wall time.
Connections are the most that the provider had, who gets one for each call that the gateway has in flight.
"""
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time

import provider

WIRES = {"openai-chat": "/v1", "openai-responses": "/v1", "anthropic": "", "gemini": ""}
STREAMS = dict(wanted=1500, slots=64, latency_ms=0, says="6,000 calls, no latency, 64 in flight, 16 tokens an event")
FLIGHT = dict(wanted=10000, slots=10000, latency_ms=8000, says="10,000 problems, 8 s, 10,000 in flight")
WAYS = {"plain": None, "TLS, HTTP/1.1": False, "TLS, HTTP/2": True}


def configure(folder: str, wire: str, url: str, more: str) -> None:
    with open(os.path.join(folder, "stumper.yaml"), "w", encoding="utf-8") as f:
        f.write(f'providers:\n  bench: {{type: {wire}, base_url: "{url}", api_key_env: BENCH_KEY, {more}}}\n')


def generate(bench, work: dict, folder: str, timed, env=None) -> dict:
    """One run over the configuration in `folder`."""
    models = [f"--{role}=bench/{role}" for role in ("engineer", "checker", "target")]
    argv = [bench.stumper, "generate", "-n", str(work["wanted"]), *models, "--rpm", "1000000000", "--judge=llm",
            "--concurrency", str(work["slots"]), "--seed", str(work.get("seed", 1)), "--quiet", "-o", "problems.jsonl"]
    kept = {k: v for k, v in os.environ.items() if not k.startswith("STUMPER_")}
    return timed(argv, {**kept, "BENCH_KEY": "bench", **(env or {})}, folder)


def finished(got: dict, sim, folder: str) -> dict:
    """A run with what its provider counted."""
    got.update(sim.stop())
    got.update(cpu_us_per_call=got["cpu_s"] / got["calls"] * 1e6, calls_per_s=got["calls"] / got["wall_s"],
               peak_mb=got["peak_kb"] / 1024)
    shutil.rmtree(folder)
    return got


def stream_run(bench, wire: str, stream: bool, seed: int, timed) -> dict:
    folder = tempfile.mkdtemp(prefix="streams-", dir=bench.scratch)
    with provider.Provider(bench.stumper, folder, STREAMS) as sim:
        configure(folder, wire, sim.base + WIRES[wire], f"stream: {str(stream).lower()}")
        return finished(generate(bench, dict(STREAMS, seed=seed), folder, timed), sim, folder)


def streams(bench, timed) -> dict[str, dict]:
    """CPU of a call in each wire format, whole and streamed; of several runs the one in the middle."""
    rows = {}
    for wire in WIRES:
        for stream in (False, True):
            runs = [stream_run(bench, wire, stream, seed, timed) for seed in range(1, bench.runs + 1)]
            name = wire.removeprefix("openai-") + (", streamed" if stream else "")
            rows[name] = sorted(runs, key=lambda r: r["cpu_s"])[(len(runs) - 1) // 2]
    return rows


def certificate(folder: str) -> tuple[str, str]:
    key, cert = os.path.join(folder, "key.pem"), os.path.join(folder, "cert.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert], check=True, capture_output=True)
    return key, cert


class Gateway:
    """TLS before the provider at `port`; url and cert say how to get through."""

    def __init__(self, folder: str, port: int):
        key, self.cert = certificate(folder)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"https://127.0.0.1:{self.port}"
        self.child = subprocess.Popen(["nghttpx", f"--frontend=127.0.0.1,{self.port}", f"--backend=127.0.0.1,{port}",
                                       "--no-ocsp", "--backlog=16384", "--conf=/dev/null", "--errorlog-file=/dev/null", key, self.cert],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.05)
        raise OSError("nghttpx does not listen")

    def __exit__(self, *_):
        self.child.terminate()
        self.child.wait()


class Watch:
    """The most files that a process had open, looked at ten times a second."""

    def __init__(self, pid: int):
        self.most, self.folder, self.over = 0, f"/proc/{pid}/fd", threading.Event()
        self.thread = threading.Thread(target=self.look)

    def look(self) -> None:
        while not self.over.wait(0.1):
            self.most = max(self.most, len(os.listdir(self.folder)))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def flight_run(bench, http2, work: dict, timed) -> dict:
    folder = tempfile.mkdtemp(prefix="flight-", dir=bench.scratch)
    with provider.Provider(bench.stumper, folder, work) as sim:
        with Watch(sim.child.pid) as watch:
            if http2 is None:
                configure(folder, "openai-chat", sim.url, "stream: false")
                got = generate(bench, work, folder, timed)
            else:
                with Gateway(folder, int(sim.base.rsplit(":", 1)[1])) as gate:
                    configure(folder, "openai-chat", gate.url + "/v1", f"stream: false, http2: {str(http2).lower()}")
                    got = generate(bench, work, folder, timed, {"SSL_CERT_FILE": gate.cert})
        return dict(finished(got, sim, folder), connections=watch.most)


def flight(bench, timed) -> dict[str, dict]:
    """Ten thousand calls at once, and what each adds to the memory of a run with a single one."""
    rows = {}
    for name, http2 in WAYS.items():
        alone = flight_run(bench, http2, dict(wanted=20, slots=1, latency_ms=1), timed)["peak_kb"]
        got = flight_run(bench, http2, FLIGHT, timed)
        got["kb_per_flight"] = (got["peak_kb"] - alone) / FLIGHT["slots"]
        got["in_flight"] = got["busy_s"] / got["wall_s"]
        rows[name] = got
    return rows
