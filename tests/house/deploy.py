#!/usr/bin/env python3
"""What deploy/ runs exists: deploy.py ROOT PROGRAM.

Every YAML file parses; every `stumper` command line in it, in the units and in the Dockerfile is a
command with the flags behind it; whoever stops a process waits for longer than --drain; no secret
stands in a file; systemd, where it is at hand, finds nothing wrong with the units.
"""
import os
import re
import shutil
import subprocess
import tempfile

import manual
import tree

try:
    import yaml
except ImportError:  # scripts/install-deps check installs it
    yaml = None

SECRET = re.compile(r"(_API_KEY|PASSWORD|PASS|SECRETS|_STORE|_BROKER)$")
UNIT_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "": 1}


def seconds(text) -> float:
    number, unit = re.fullmatch(r"([\d.]+)\s*([a-z]*)", str(text)).groups()
    return float(number) * UNIT_SECONDS[unit]


def everything(value):
    """A YAML value and all in it."""
    yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from everything(inner)


def drain(words: list) -> float:
    return seconds(words[words.index("--drain") + 1]) if "--drain" in words else 30


class Runs:
    """Command lines of stumper: (where, words, how long its end is waited for or None)."""

    def __init__(self, program: str):
        self.flags = {name: manual.flags_of(program, name) for name in manual.commands(program)}

    def complaints(self, where: str, words: list, patience):
        command, rest = str(words[0]), [str(w) for w in words[1:]]
        if command not in self.flags:
            yield f"{where}: there is no `stumper {command}`"
            return
        for flag in manual.FLAG.findall("\n".join(rest)):
            if flag not in self.flags[command]:
                yield f"{where}: `stumper {command}` has no --{flag}"
        if patience is not None and patience <= drain(rest):
            yield f"{where}: {patience:g} s are not longer than the --drain of `stumper {command}`, {drain(rest):g} s"


def compose(where: str, document: dict, runs: Runs):
    for name, service in document["services"].items():
        if service.get("image") == "stumper":
            patience = seconds(service["stop_grace_period"])
            yield from runs.complaints(f"{where}: {name}", service["command"], patience)
        for key, value in (service.get("environment") or {}).items():
            if SECRET.search(key) and not re.fullmatch(r"\$\{\w+(:[-?][^}]*)?\}", str(value)):
                yield f"{where}: {name}: {key} does not come from the environment"


def kubernetes(where: str, document: dict, runs: Runs):
    name = f'{where}: {document["kind"]} {document["metadata"]["name"]}'
    for spec in (v for v in everything(document) if isinstance(v, dict) and "containers" in v):
        for container in spec["containers"]:
            if container["image"].split(":")[0] == "stumper":
                patience = spec.get("terminationGracePeriodSeconds") if document["kind"] == "Deployment" else None
                yield from runs.complaints(name, container["args"], patience)
            for variable in container.get("env", []):
                if SECRET.search(variable["name"]) and "value" in variable:
                    yield f'{name}: {variable["name"]} is no reference to a secret'


def documents(root: str, path: str):
    """The documents of a YAML file, and a complaint for one that does not parse."""
    try:
        yield from (d for d in yaml.safe_load_all(tree.read(root, path)) if d is not None)
    except yaml.YAMLError as why:
        yield f"{path}: no YAML: {' '.join(str(why).split())}"


def check_yaml(root: str, runs: Runs):
    for path in tree.files(os.path.join(root, "deploy"), ".yaml", ".yml"):
        for document in documents(root, f"deploy/{path}"):
            if isinstance(document, str):
                yield document
            elif "services" in document:
                yield from compose(f"deploy/{path}", document, runs)
            elif "kind" in document and "metadata" in document:
                yield from kubernetes(f"deploy/{path}", document, runs)


def check_units(root: str, program: str, runs: Runs):
    with tempfile.TemporaryDirectory() as folder:
        for path in tree.files(os.path.join(root, "deploy"), ".service", ".socket"):
            text = tree.read(root, f"deploy/{path}")
            for words in re.findall(r"^ExecStart=\S+/stumper (.+)$", text, re.M):
                patience = seconds(re.search(r"^TimeoutStopSec=(\S+)$", text, re.M)[1])
                yield from runs.complaints(f"deploy/{path}", words.split(), patience)
            text = re.sub(r"^ExecStart=\S+", f"ExecStart={os.path.abspath(program)}", text, flags=re.M)
            with open(os.path.join(folder, os.path.basename(path)), "w", encoding="utf-8") as f:
                f.write(text)
        if shutil.which("systemd-analyze") is None:
            yield "note: no systemd-analyze on this machine"
            return
        units = sorted(os.path.join(folder, name) for name in os.listdir(folder))
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True)
        if done.returncode != 0:
            yield from (f"systemd-analyze: {line}" for line in (done.stdout + done.stderr).splitlines())


def check_images(root: str, runs: Runs):
    for path in tree.files(os.path.join(root, "deploy")):
        if os.path.basename(path) == "Dockerfile":
            text = tree.read(root, f"deploy/{path}")
            for words in re.findall(r"^CMD \[(.+)\]$", text, re.M):
                yield from runs.complaints(f"deploy/{path}", re.findall(r'"([^"]*)"', words), None)
            if not re.search(r"^USER [1-9]", text, re.M):
                yield f"deploy/{path}: runs as root"


def check(root: str, program: str):
    runs = Runs(program)
    if yaml is None:
        yield "note: no python3-yaml on this machine"
    else:
        yield from check_yaml(root, runs)
    yield from check_units(root, program, runs)
    yield from check_images(root, runs)


if __name__ == "__main__":
    tree.main(check)
