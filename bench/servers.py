"""PostgreSQL, Redis and RabbitMQ, real ones on loopback, each with all its files in a folder of the run; and ways to
them that can be cut.

    with Postgres(scratch) as store: … store.url … store.kill(signal.SIGQUIT) … store.begin()
"""
import glob
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

NOBODY = 65534


def low_port() -> int:
    """Below those that the system gives to clients: one that tries to connect to such a port while nobody listens there
    may meet itself, and then has it."""
    while True:
        port = 20000 + int.from_bytes(os.urandom(2), "big") % 12000
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


class Server:
    """begin() starts it (again) and is back when it is ready; kill() ends it; what it keeps stays."""

    def __init__(self, scratch: str):
        self.folder = tempfile.mkdtemp(prefix=f"{type(self).__name__.lower()}-", dir=scratch)
        os.chmod(scratch, 0o755)
        os.chmod(self.folder, 0o755)
        self.port, self.child = low_port(), None

    def launch(self, argv: list[str], ready: str, **env: str) -> None:
        path = os.path.join(self.folder, "log")
        with open(path, "ab") as log:
            begin = log.tell()
            self.child = subprocess.Popen(argv, cwd=self.folder, env={**os.environ, **env}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          start_new_session=True)
        end = time.monotonic() + 60
        while time.monotonic() < end and self.child.poll() is None:
            with open(path, "rb") as log:
                log.seek(begin)
                if ready.encode() in log.read():
                    return
            time.sleep(0.002)
        raise TimeoutError(f"{type(self).__name__} did not come up: see {path}")

    def kill(self, how: int = signal.SIGKILL) -> None:
        """SIGKILL takes all its processes; another signal is for the first, which ends the others."""
        if how == signal.SIGKILL:
            os.killpg(self.child.pid, how)
        else:
            self.child.send_signal(how)
        self.child.wait()

    def __enter__(self):
        self.begin()
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Postgres(Server):
    """fsync and synchronous_commit as they come: on. It counts its statements (pg_stat_statements)."""

    def __init__(self, scratch: str):
        super().__init__(scratch)
        versions = glob.glob("/usr/lib/postgresql/*/bin")
        self.bin = max(versions, key=lambda path: int(path.split("/")[4]))
        self.who = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if os.getuid() == 0 else []
        self.home = os.path.join(self.folder, "data")
        os.mkdir(self.home, 0o700)
        if self.who:
            os.chown(self.home, NOBODY, NOBODY)
        subprocess.run([*self.who, f"{self.bin}/initdb", "-D", self.home, "-U", "bench", "-A", "trust", "--locale=C.UTF-8", "-E", "UTF8",
                        "--no-sync"], check=True, capture_output=True, cwd=self.folder)
        self.url = f"postgresql://bench@127.0.0.1:{self.port}/postgres"

    def begin(self) -> None:
        settings = [f"port={self.port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200",
                    "shared_preload_libraries=pg_stat_statements", "pg_stat_statements.max=1000"]
        self.launch([*self.who, f"{self.bin}/postgres", "-D", self.home, *(word for s in settings for word in ("-c", s))],
                    "database system is ready to accept connections")

    def ask(self, sql: str) -> list[list[str]]:
        """The rows of an answer as text."""
        done = subprocess.run([f"{self.bin}/psql", "-AtXq", "-F", "\t", self.url, "-c", sql], capture_output=True, text=True, check=True)
        return [line.split("\t") for line in done.stdout.splitlines()]

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.kill(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)


class Redis(Server):
    """An append-only file that is synchronized every second, as its manual recommends for what must last; or always."""

    def __init__(self, scratch: str, fsync: str = "everysec"):
        super().__init__(scratch)
        self.fsync, self.url = fsync, f"redis://127.0.0.1:{self.port}"

    def begin(self) -> None:
        self.launch(["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.folder, "--save", "", "--appendonly", "yes",
                     "--appendfsync", self.fsync, "--maxmemory-policy", "noeviction"], "Ready to accept connections")

    def cli(self, *words: str) -> str:
        return subprocess.run(["redis-cli", "-p", str(self.port), *words], capture_output=True, text=True, check=False).stdout.strip()

    def wipe(self) -> None:
        self.cli("FLUSHALL")


class Rabbit(Server):
    def __init__(self, scratch: str):
        super().__init__(scratch)
        epmd, distribution = low_port(), low_port()
        self.url = f"amqp://127.0.0.1:{self.port}"
        within = lambda name: os.path.join(self.folder, name)
        with open(within("rabbitmq.conf"), "w", encoding="utf-8") as f:
            f.write(f"listeners.tcp.1 = 127.0.0.1:{self.port}\ndisk_free_limit.absolute = 16MB\n")
        with open(within("enabled_plugins"), "w", encoding="utf-8") as f:
            f.write("[].\n")
        self.env = {
            "HOME": self.folder, "ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": str(epmd), "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_NODENAME": f"r{self.port}@localhost", "RABBITMQ_BASE": self.folder, "RABBITMQ_MNESIA_BASE": within("mnesia"),
            "RABBITMQ_LOG_BASE": within("logs"), "RABBITMQ_CONFIG_FILE": within("rabbitmq.conf"), "RABBITMQ_ALLOW_INPUT": "1",
            "RABBITMQ_ENABLED_PLUGINS_FILE": within("enabled_plugins"), "RABBITMQ_CONF_ENV_FILE": within("none"),
            "RABBITMQ_SERVER_START_ARGS": "-noinput",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none"}
        self.epmd = subprocess.Popen(["epmd", "-port", str(epmd)], env={**os.environ, **self.env}, stdin=subprocess.DEVNULL,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def begin(self) -> None:
        self.launch(["/usr/lib/rabbitmq/bin/rabbitmq-server"], "Starting broker... completed", **self.env)

    def __exit__(self, *_):
        super().__exit__()
        self.epmd.kill()
        self.epmd.wait()


class Way:
    """A way to 127.0.0.1:port that notes when clients sent bytes, and that can be cut: connections end, none is taken."""

    def __init__(self, port: int):
        self.to, self.is_cut, self.came, self.sockets = port, False, [], set()
        self.server = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.take, daemon=True).start()

    def take(self) -> None:
        while True:
            client, _ = self.server.accept()
            try:
                if self.is_cut:
                    raise OSError
                server = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                client.close()
                continue
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sockets |= {client, server}
            threading.Thread(target=self.carry, args=(client, server, self.came), daemon=True).start()
            threading.Thread(target=self.carry, args=(server, client, None), daemon=True).start()

    def carry(self, one: socket.socket, other: socket.socket, notes: list | None) -> None:
        try:
            while data := one.recv(65536):
                if notes is not None:
                    notes.append(time.monotonic())
                other.sendall(data)
        except OSError:
            pass
        for end in (one, other):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.sockets.discard(one)
        one.close()

    def cut(self) -> None:
        self.is_cut = True
        for one in list(self.sockets):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def mend(self) -> None:
        self.is_cut = False
