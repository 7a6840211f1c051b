#!/usr/bin/env python3
"""The documents speak of what exists: readme.py ROOT PROGRAM.

In every Markdown page: links to files of this tree lead somewhere, `make X` is a target, and
`stumper X` is a command with the flags that stand behind it. There and in deploy/: a metric that is
named is one that is measured, and what each process tells of the whole store is not summed.
"""
import os
import re

import manual
import tree

LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
MAKE = re.compile(r"\bmake ([a-z]+)\b")
RUN = re.compile(r"^\s*(?:\$ )?(?:[A-Z_]+=\S+ )*(?:build/|\./)?stumper ([a-z]+)([^\n#|]*)", re.M)
METRIC = re.compile(r"\b(?:stumper|process)_[a-z_]+(?=[{\s\"'`)\[])")
SUMMED = re.compile(r"\bsum(?: by)?\s*(?:\([^()]*\)\s*)?\((stumper_(?:jobs|attempts_leased|webhooks_pending|broker_tokens_waiting))\b")
SUFFIX = re.compile(r"_(?:bucket|sum|count)$")


def metrics(root: str) -> set[str]:
    """What the source measures: names in string literals."""
    source = "".join(tree.read(root, path) for path in tree.files(root, ".c") if path.startswith("src/"))
    return set(re.findall(r"\b(?:stumper|process)_[a-z_]+", "".join(re.findall(r'"[^"\n]*"', source))))


def check_metrics(root: str):
    measured = metrics(root)
    for path in tree.files(root, ".md", ".json", ".yml", ".yaml"):
        if path.startswith(("docs/", "deploy/")) or path == "README.md":
            for name in METRIC.findall(tree.read(root, path)):
                if SUFFIX.sub("", name) not in measured and name not in measured:
                    yield f"{path}: nothing measures {name}"
            for name in SUMMED.findall(tree.read(root, path)):
                yield f"{path}: {name} is the whole store's already: max() instead of sum()"


def code(text: str) -> str:
    """What stands in code: fenced blocks (continued lines joined) and `spans`."""
    blocks = re.findall(r"^```(?:sh|console|bash)\n(.*?)^```", text, re.M | re.S)
    spans = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
    return "\n".join(blocks + spans).replace("\\\n", " ")


def check(root: str, program: str):
    targets = set(re.findall(r"^([a-z]+):", tree.read(root, "Makefile"), re.M))
    commands = {name: manual.flags_of(program, name) for name in manual.commands(program)}
    for path in tree.files(root, ".md"):
        if path.startswith(("prompts/", "tests/")):
            continue
        text = tree.read(root, path)
        for target in LINK.findall(text):
            if not os.path.exists(os.path.join(root, os.path.dirname(path), target)):
                yield f"{path}: the link to {target} leads nowhere"
        for target in MAKE.findall(code(text)):
            if target not in targets:
                yield f"{path}: there is no `make {target}`"
        for command, rest in RUN.findall(code(text)):
            if command not in commands:
                yield f"{path}: there is no `stumper {command}`"
                continue
            for flag in manual.FLAG.findall(re.sub(r'"[^"]*"', "", rest)):
                if flag not in commands[command] | {"help"}:
                    yield f"{path}: `stumper {command}` has no --{flag}"
    yield from check_metrics(root)


if __name__ == "__main__":
    tree.main(check)
