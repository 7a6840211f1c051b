#!/usr/bin/env python3
"""Limits of CONTRIBUTING.md: limits.py ROOT.

A function of more than 70 lines is noted, of more than 100 fails (tables excepted by name); a file of
more than 1,000 lines fails; a .c file includes at most 12 of our headers; at least 95 % of the
prototypes in headers are documented.
"""
import json
import os
import re
import subprocess

import tree

FUNCTION_NOTED, FUNCTION_MAX, FILE_MAX, INCLUDES_MAX, DOCUMENTED_MIN = 70, 100, 1000, 12, 0.95
TABLES = {"cmd_sim"}  # functions that are one long table


def tags(root: str, paths: list[str], kinds: str):
    if not paths:
        return
    out = subprocess.run(["ctags", "--output-format=json", "--fields=+neK", f"--kinds-C={kinds}", "--languages=C",
                          "--langmap=C:.c.h", "-I", "NODISCARD,PRINTF_LIKE+", "-o", "-", *paths],
                         cwd=root, capture_output=True, text=True, check=True).stdout
    for line in out.splitlines():
        tag = json.loads(line)
        if tag.get("_type") == "tag":
            yield tag


def functions(root: str, paths: list[str]):
    for tag in tags(root, paths, "f"):
        lines = tag.get("end", tag["line"]) - tag["line"] + 1
        if tag["name"] in TABLES or lines <= FUNCTION_NOTED:
            continue
        note = "note: " if lines <= FUNCTION_MAX else ""
        yield f"{note}{tag['path']}:{tag['line']}: {tag['name']}() has {lines} lines"


def documented(lines: list[str], first: int) -> bool:
    """Is the prototype that begins on line `first` (from 0) explained above it, beside it, or as one
    of a group without a blank line whose first member is?"""
    last = first
    while last < len(lines) and ";" not in lines[last]:
        last += 1
    if "/*" in "".join(lines[first:last + 1]) or (last + 1 < len(lines) and lines[last + 1].strip().startswith("/* ")):
        return True
    above = first - 1
    while above >= 0 and lines[above].strip() and not lines[above].lstrip().startswith("#"):
        if lines[above].rstrip().endswith("*/"):
            return True
        above -= 1
    return False


def prototypes(root: str, paths: list[str]):
    bare, total, text = [], 0, {}
    for tag in tags(root, paths, "p"):
        path = tag["path"]
        if tag["name"].isupper():
            continue  # a macro that looks like one
        text.setdefault(path, tree.read(root, path).split("\n"))
        total += 1
        if not documented(text[path], tag["line"] - 1):
            bare.append(f"{path}:{tag['line']}: {tag['name']}() is not documented")
    if total and 1 - len(bare) / total < DOCUMENTED_MIN:
        yield from bare
        yield f"{len(bare)} of {total} prototypes are not documented; at least {DOCUMENTED_MIN:.0%} must be"


def check(root: str):
    sources = [p for p in tree.files(root, ".c", ".h") if p.split("/")[0] in ("src", "tests")]
    ours = [p for p in sources if p.startswith("src/")]
    for path in sources:
        text = tree.read(root, path)
        if text.count("\n") > FILE_MAX:
            yield f"{path}: {text.count(chr(10))} lines"
        includes = len(re.findall(r'^#include "', text, re.M))
        if path.endswith(".c") and path.startswith("src/") and includes > INCLUDES_MAX:
            yield f"{path}: includes {includes} of our headers; at most {INCLUDES_MAX}"
    yield from functions(root, [p for p in ours if p.endswith(".c")])
    yield from prototypes(root, [p for p in ours if p.endswith(".h")])


if __name__ == "__main__":
    tree.main(check)
