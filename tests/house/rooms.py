#!/usr/bin/env python3
"""Who may include whom: rooms.py ROOT. The table below is ARCHITECTURE.md's picture, held by a test.

A room includes itself and the rooms named here, nothing else; a vendor's header stays in the rooms
that own it; the pure rooms include nothing that can reach the outside world.
"""
import re

import tree

ROOMS = {
    "base": set(),
    "json": {"base"},
    "answer": {"base", "json"},
    "core": {"base", "json"},
    "io": {"base"},
    "llm": {"base", "json", "core", "io"},
    "store": {"base", "json", "core", "io"},
    "broker": {"base", "io"},
    "worker": {"base", "json", "answer", "core", "io", "llm", "store", "broker"},
    "httpd": {"base", "io"},
    "api": {"base", "json", "core", "io", "store", "httpd"},
    "sim": {"base", "json", "answer", "core", "io", "httpd"},
    "cli": {"base", "json", "answer", "core", "io", "llm", "store", "broker", "worker", "httpd", "api", "sim"},
}
MAIN = {"base", "cli"}  # src/main.c: the table of subcommands

VENDORS = {
    "curl/": {"io"},
    "uv.h": {"io", "httpd"},
    "microhttpd.h": {"httpd"},
    "gnutls/": {"httpd"},
    "sqlite3.h": {"store"},
    "libpq-fe.h": {"io", "store", "broker"},
    "jansson.h": set(),
    "yaml.h": {"json"},
    "flint/": {"answer"},
    "acb": {"answer"},
    "arb": {"answer"},
    "openssl/": {"api", "broker"},
    "hiredis/": {"broker"},
    "amqp": {"broker"},
}

PURE = {"answer", "core"}
OUTSIDE = re.compile(r"^(time|unistd|fcntl|pthread|threads|signal|netdb|poll|dirent)\.h$|^(sys|net|netinet|arpa)/")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)


def check(root: str):
    for path in tree.files(root, ".c", ".h"):
        parts = path.split("/")
        if parts[0] != "src":
            continue
        room = parts[1] if len(parts) > 2 else None
        if room is not None and room not in ROOMS:
            yield f"{path}: src/{room}/ is no room of the table in tests/house/rooms.py"
            continue
        allowed = MAIN if room is None else ROOMS[room] | {room}
        for quote, name in INCLUDE.findall(tree.read(root, path)):
            yield from complaints(path, room, allowed, quote, name)


def complaints(path: str, room: str, allowed: set, quote: str, name: str):
    if quote == '"':
        other = name.split("/")[0]
        if "/" not in name:
            yield f'{path}: "{name}" is not given from src/ ("room/file.h")'
        elif other not in allowed:
            yield f'{path}: {room or "main"} may not include "{name}"'
        return
    for vendor, owners in VENDORS.items():
        if name.startswith(vendor) and room not in owners:
            yield f"{path}: <{name}> belongs to {', '.join(sorted(owners)) or 'no room'}, not to {room or 'main'}"
    if room in PURE and OUTSIDE.search(name):
        yield f"{path}: {room} is pure and may not include <{name}>"


if __name__ == "__main__":
    tree.main(check)
