"""What the house checks share: walking the source tree and reporting."""
import os
import sys

SKIPPED = {".git", "node_modules", "out", "subprojects"}


def files(root: str, *suffixes: str) -> list[str]:
    """Paths below root, relative to it, that end so; without what is built or fetched."""
    found = []
    for folder, names, leaves in os.walk(root):
        names[:] = sorted(n for n in names if n not in SKIPPED and not n.startswith("build"))
        for leaf in sorted(leaves):
            if not suffixes or leaf.endswith(suffixes):
                found.append(os.path.relpath(os.path.join(folder, leaf), root))
    return found


def read(root: str, path: str) -> str:
    with open(os.path.join(root, path), encoding="utf-8") as f:
        return f.read()


def main(check) -> None:
    """Run check(root, *arguments) from the command line: it yields complaints; any complaint fails.

    A complaint that begins with "note: " is shown and forgiven.
    """
    complaints = list(check(*sys.argv[1:]))
    for text in complaints:
        print(text)
    sys.exit(any(not text.startswith("note: ") for text in complaints))
