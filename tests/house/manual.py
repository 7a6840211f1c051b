#!/usr/bin/env python3
"""The manual and the program say the same: manual.py ROOT PROGRAM.

docs/man/stumper.1 is clean for mandoc; every command of `stumper --help` has its section in it, with
each long flag of `stumper COMMAND --help`, and the manual names no flag that the command lacks.
"""
import re
import shutil
import subprocess

import tree

PAGE = "docs/man/stumper.1"
FLAG = re.compile(r"--([a-z][a-z0-9-]+)")
HELP_FLAG = re.compile(r"^ +(?:-\w, )?--([a-z][a-z0-9-]+)", re.M)  # a row of the help, not a mention


def help_text(program: str, *words: str) -> str:
    done = subprocess.run([program, *words, "--help"], capture_output=True, text=True, timeout=20,
                          stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)} --help exits {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def commands(program: str) -> list[str]:
    """The words that begin an indented line of the list of commands, but for help, which is about the others."""
    return [name for name in re.findall(r"^ {2,4}([a-z]+) {2,}\S", help_text(program), re.M) if name != "help"]


def flags_of(program: str, command: str) -> set[str]:
    return set(HELP_FLAG.findall(help_text(program, command).split("\nExamples:\n")[0])) - {"help"}


def sections(page: str) -> dict[str, set[str]]:
    """Command → the flags that its part of the manual (.Ss stumper COMMAND) names with .Fl -."""
    parts = re.split(r"^\.Ss (\w+)$", page, flags=re.M)
    return {name: set(re.findall(r"\bFl -([a-z][a-z0-9-]+)", re.split(r"^\.Sh ", text, flags=re.M)[0]))
            for name, text in zip(parts[1::2], parts[2::2])}


def lint(root: str):
    if shutil.which("mandoc") is None:
        yield "note: no mandoc on this machine"
        return
    done = subprocess.run(["mandoc", "-Tlint", "-W", "warning", PAGE], cwd=root, capture_output=True, text=True)
    yield from (done.stdout + done.stderr).splitlines()


def check(root: str, program: str):
    yield from lint(root)
    told = sections(tree.read(root, PAGE))
    there = commands(program)
    if not there:
        yield "`stumper --help` lists no commands"
    for command in there:
        if command not in told:
            yield f"{PAGE}: nothing on `stumper {command}`"
            continue
        flags = flags_of(program, command)
        for flag in sorted(flags - told[command]):
            yield f"{PAGE}: `stumper {command}` does not tell of --{flag}"
        for flag in sorted(told[command] - flags - {"help"}):
            yield f"{PAGE}: `stumper {command}` has no --{flag}"
    for command in sorted(set(told) - set(there)):
        yield f"{PAGE}: there is no `stumper {command}`"


if __name__ == "__main__":
    tree.main(check)
