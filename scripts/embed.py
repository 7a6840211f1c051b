#!/usr/bin/env python3
"""Turn files into one C source of byte arrays: embed.py OUT.c NAME=FILE …

Each NAME becomes `const unsigned char NAME[]` and `const size_t NAME_size` (a NUL follows the bytes, not counted).
"""
import sys


def main() -> None:
    out, *pairs = sys.argv[1:]
    with open(out, "w", encoding="ascii") as c:
        c.write('#include <stddef.h>\n')
        for pair in pairs:
            name, path = pair.split("=", 1)
            with open(path, "rb") as f:
                data = f.read()
            body = ",".join(str(b) for b in data + b"\0")
            c.write(f"extern const unsigned char {name}[];\nextern const size_t {name}_size;\n")
            c.write(f"const unsigned char {name}[] = {{{body}}};\nconst size_t {name}_size = {len(data)};\n")


main()
