#!/usr/bin/env python3
"""What the object files admit to: purity.py ROOT BUILD.

core and answer call nothing that reads a clock, draws random bits, logs or does I/O; and no room but
base's logger keeps a variable that lives beyond its owner (ARCHITECTURE.md: no mutable globals).
"""
import glob
import os
import re
import subprocess

PURE = {"answer", "core"}
IMPURE = re.compile(
    r"^(open|openat|read|write|pread|pwrite|fopen|fread|fwrite|printf|fprintf|puts|getenv|time|clock_gettime|"
    r"gettimeofday|rand|random|getrandom|socket|connect|pthread_create|pthread_mutex_lock|nanosleep|usleep|"
    r"log_[a-z_]+|clock_[a-z_]+|file_[a-z_]+|rng_seed_from_os|id_new[a-z_]*)$")

# Variables that outlive a call, with the reason.
GLOBALS_ALLOWED = {
    "base": {"logger",  # the one logger of the process
             "failpoint_name", "failpoint_hits_left", "failpoint_armed",  # set before any thread, for crash tests
             "clock_skew_ms"},  # likewise, for processes of a fleet whose clocks disagree
    "store": {"once"},  # SQLite's settings for the whole process are made once
}
COMPILERS_OWN = re.compile(r"^(\.|_+(asan|ubsan|tsan|odr|sancov|local_asan|unnamed)|\$|__)")


def objects(build: str):
    for room in sorted(os.listdir(os.path.join(build, "src"))):
        for path in sorted(glob.glob(os.path.join(build, "src", room, f"lib{room}.a.p", "*.o"))):
            yield room, path


def undefined(path: str) -> list[str]:
    out = subprocess.run(["nm", "-u", path], capture_output=True, text=True, check=True).stdout
    return [line.split()[-1].split("@")[0] for line in out.splitlines()]


def variables(path: str):
    """Names of objects in a writable section. (.data.rel.ro is const data with pointers in it.)"""
    out = subprocess.run(["objdump", "-t", path], capture_output=True, text=True, check=True).stdout
    for line in out.splitlines():
        found = re.match(r"^[0-9a-f]+ .{5}(.)[O ] (\S+)\t[0-9a-f]+ (?:\.hidden )?(\S+)$", line)
        if found and " O " in line[:30] and re.match(r"^\.(data|bss|tdata|tbss)(?!\.rel\.ro)", found.group(2)):
            yield found.group(3)


def check(root: str, build: str):
    seen = 0
    for room, path in objects(build):
        seen += 1
        name = os.path.basename(path).removesuffix(".o")
        if room in PURE:
            for symbol in undefined(path):
                if IMPURE.match(symbol):
                    yield f"{room}/{name}: {room} is pure and may not call {symbol}()"
        for symbol in variables(path):
            plain = symbol.split(".")[0]
            if COMPILERS_OWN.match(symbol) or plain in GLOBALS_ALLOWED.get(room, ()):
                continue
            yield f"{room}/{name}: {plain} is a variable that outlives its owner"
    if seen == 0:
        yield f"no object files below {build}/src"


if __name__ == "__main__":
    import tree

    tree.main(check)
