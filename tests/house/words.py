#!/usr/bin/env python3
"""What no committed text holds: words.py ROOT. Unfinished business, stray blanks, foreign line ends."""
import re

import tree

TEXT = (".c", ".h", ".py", ".mjs", ".md", ".build", ".yml", ".yaml", ".sql", ".1", ".json", "Makefile", ".editorconfig")
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
BLANK_END = re.compile(r"[ \t]+$", re.M)


def check(root: str):
    for path in tree.files(root, *TEXT):
        if "/corpus/" in path or "/crashes/" in path:
            continue
        try:
            text = tree.read(root, path)
        except UnicodeDecodeError:
            yield f"{path}: is not UTF-8"
            continue
        for found in UNFINISHED.finditer(text):
            yield f"{path}:{text.count(chr(10), 0, found.start()) + 1}: {found.group()}"
        if "\r\n" in text:
            yield f"{path}: has CRLF line ends"
        if text and not text.endswith("\n"):
            yield f"{path}: does not end with a line end"
        if not path.endswith(".md") and BLANK_END.search(text):
            line = text.count("\n", 0, BLANK_END.search(text).start()) + 1
            yield f"{path}:{line}: blanks at the end of the line"


if __name__ == "__main__":
    tree.main(check)
