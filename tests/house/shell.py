#!/usr/bin/env python3
"""Every shell script through shellcheck: shell.py ROOT."""
import shutil
import subprocess

import tree


def scripts(root: str):
    for path in tree.files(root):
        try:
            if tree.read(root, path).startswith(("#!/bin/bash", "#!/bin/sh")):
                yield path
        except UnicodeDecodeError:
            continue


def check(root: str):
    if shutil.which("shellcheck") is None:
        yield "note: no shellcheck on this machine"
        return
    done = subprocess.run(["shellcheck", "--format=gcc", *scripts(root)], cwd=root, capture_output=True, text=True)
    yield from done.stdout.splitlines()


if __name__ == "__main__":
    tree.main(check)
