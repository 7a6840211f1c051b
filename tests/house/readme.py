#!/usr/bin/env python3
"""The documents speak of what exists: readme.py ROOT PROGRAM.

In every Markdown page: links to files of this tree lead somewhere, `make X` is a target, and
`stumper X` is a command with the flags that stand behind it.
"""
import os
import re

import manual
import tree

LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
MAKE = re.compile(r"\bmake ([a-z]+)\b")
RUN = re.compile(r"^\s*(?:\$ )?(?:[A-Z_]+=\S+ )*(?:build/|\./)?stumper ([a-z]+)([^\n#|]*)", re.M)


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


if __name__ == "__main__":
    tree.main(check)
