"""The simulated provider of a run, and the recording of what Stumper sends."""
import http.server
import json
import os
import signal
import subprocess
import tempfile
import threading
import urllib.request

# W5's faults: those that a client is told of at once. (A hang would measure nothing but a timeout.)
UNRELIABLE = ["--latency", "lognormal:800,0.7", "--fault-429", "0.01", "--fault-500", "0.01", "--fault-503", "0.01",
              "--fault-reset", "0.01"]


class Provider:
    """`stumper sim` on a free port, for one run: with Provider(…) as sim: … sim.url …"""

    def __init__(self, stumper: str, folder: str, work: dict):
        flags = work.get("flags", UNRELIABLE)
        if "latency_ms" in work:
            flags = ["--accept-all", "--messy-rate", "0", "--latency", str(work["latency_ms"])]
        self.log = open(os.path.join(folder, "sim.log"), "w", encoding="utf-8")
        flags = [*flags, "--seed", str(work.get("seed", 1))]
        self.child = subprocess.Popen([stumper, "sim", "--port", "0", *flags], stdout=subprocess.PIPE,
                                      stderr=self.log, stdin=subprocess.DEVNULL, text=True)
        self.base = self.child.stdout.readline().split()[-1]
        self.url = self.base + "/v1"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        self.child.wait()
        self.child.stdout.close()
        self.log.close()

    def stop(self) -> dict:
        """The sums of its ledger; then it ends."""
        with urllib.request.urlopen(self.base + "/ledger/summary", timeout=10) as answer:
            sums = json.load(answer)
        self.child.send_signal(signal.SIGTERM)
        self.child.wait()
        return {"calls": sums["calls"], "repeated": sums["repeated"], "busy_s": sums["served_ms"] / 1000}


def recorder(upstream: str, bodies: list):
    """A handler that passes a request on and keeps its body with the answer's text."""

    class Recorder(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = urllib.request.Request(upstream + self.path, body, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=10) as answer:
                reply = answer.read()
            bodies.append((json.loads(body), json.loads(reply)["choices"][0]["message"]["content"]))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_):
            pass

    return Recorder


def user_of(body: dict) -> str:
    return next(m["content"] for m in body["messages"] if m["role"] == "user")


def chain_of(bodies: list) -> dict:
    """The four bodies of one attempt by name, the target's with the problem taken out."""
    chain = {}
    made = json.loads(next(text for body, text in bodies if body["model"] == "engineer"))
    for body, _ in bodies:
        name = body["model"]
        if name == "checker":
            name = {"initial": "initial", "equivalence_check": "equivalence"}[json.loads(user_of(body))["validation_type"]]
        if name == "target":
            for message in body["messages"]:
                message["content"] = message["content"].replace(made["problem"].strip(), "{{problem}}")
            assert "{{problem}}" in user_of(body), "the target's message does not hold the problem"
        chain[name] = body
    assert sorted(chain) == ["engineer", "equivalence", "initial", "target"], sorted(chain)
    return chain


def record_chain(stumper: str, folder: str, path: str) -> None:
    """Let Stumper make one problem through a recording proxy and write the bodies of its calls to `path`."""
    bodies: list = []
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        with Provider(stumper, scratch, dict(latency_ms=0)) as sim:
            proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), recorder(sim.base, bodies))
            threading.Thread(target=proxy.serve_forever, daemon=True).start()
            env = {k: v for k, v in os.environ.items() if not k.startswith("STUMPER_")}
            env.update(OPENAI_BASE_URL=f"http://127.0.0.1:{proxy.server_port}/v1", OPENAI_API_KEY="bench")
            subprocess.run([stumper, "generate", "-n", "1", "--concurrency", "1", "--engineer=openai/engineer",
                            "--checker=openai/checker", "--target=openai/target", "--judge=llm", "--quiet", "-o", "one.jsonl"],
                           cwd=scratch, env=env, check=True, stdin=subprocess.DEVNULL)
            proxy.shutdown()
    with open(path, "w", encoding="utf-8") as f:
        json.dump(chain_of(bodies), f)
