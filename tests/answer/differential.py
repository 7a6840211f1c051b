#!/usr/bin/python3
"""The comparison against SymPy on generated expressions: differential.py STUMPER [PAIRS] [SEED].

SymPy makes an expression and rewrites it (expand, factor, simplify, together, trigsimp), or changes it; it
prints both sides as LaTeX or plain text. A rewritten pair must not be called different, a changed one not
equal. Where SymPy itself finds a counterexample to its own rewriting at a positive point, the pair is left
out.
"""
import json
import random
import subprocess
import sys

import sympy as sp

x, y = sp.symbols("x y", positive=True)


def atom(r: random.Random):
    return r.choice([x, y, sp.Integer(r.randint(-9, 9)), sp.Rational(r.randint(1, 9), r.randint(2, 9)), sp.pi, sp.sqrt(2)])


def make(r: random.Random, depth: int):
    if depth == 0:
        return atom(r)
    a, b = make(r, depth - 1), make(r, depth - 1)
    return r.choice([lambda: a + b, lambda: a - b, lambda: a * b, lambda: a ** 2, lambda: a / (1 + b ** 2),
                     lambda: sp.sin(a), lambda: sp.cos(a) * b, lambda: sp.exp(x) * a, lambda: sp.log(1 + a ** 2)])()


def agree(a, b) -> bool:
    point = {x: sp.Rational(7, 5), y: sp.Rational(3, 11)}
    return abs(sp.N((a - b).subs(point), 30)) < sp.Float("1e-20")


def pair(r: random.Random):
    a = make(r, 2)
    rewrite = r.choice([sp.expand, sp.together, sp.factor, sp.trigsimp, lambda e: e + sp.sin(x) ** 2 + sp.cos(x) ** 2 - 1])
    equal = r.random() < 0.5
    b = rewrite(a) if equal else rewrite(a) + r.choice([1, -1, x, sp.Rational(1, 7), sp.pi / 100])
    if a.has(sp.zoo, sp.nan) or agree(a, b) != equal:
        return None
    write = [sp.latex, str]
    return dict(gold=r.choice(write)(a), pred=r.choice(write)(b).replace("**", "^"), equal=equal)


def main():
    stumper, n = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    r = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    pairs = []
    while len(pairs) < n:
        p = pair(r)
        if p is not None:
            pairs.append(p)
    lines = "".join(json.dumps(p) + "\n" for p in pairs)
    out = subprocess.run([stumper, "compare", "--file", "-"], input=lines, capture_output=True, text=True, check=True)
    wrong = undecided = 0
    for p, line in zip(pairs, out.stdout.splitlines(), strict=True):
        said = json.loads(line)
        undecided += said["verdict"] == "undecided"
        if said["verdict"] == ("different" if p["equal"] else "equal"):
            wrong += 1
            print(("equal" if p["equal"] else "different"), "called", said["verdict"], "|", p["gold"], "|", p["pred"])
    print(f"{n} pairs against SymPy {sp.__version__}: {wrong} contradictions, {undecided} undecided")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
