#!/usr/bin/env python3
"""Do the simulator's answers solve its problems?  solve.py STUMPER

Starts a simulator, has its engineer write problems, and solves each anew from its text alone, by methods of
its own (exact fractions, brute force, numeric roots). Every family must turn up often enough, and every
canonical answer must be right; of the planted wrong ones, none.
"""
import cmath
import http.client
import json
import math
import os
import re
import subprocess
import sys
import tempfile
from fractions import Fraction as F

PROBLEMS, PER_FAMILY_MIN, WRONG_PER_FAMILY = 1500, 15, 10


# --- reading LaTeX ---------------------------------------------------------------------------------------

TOKEN = re.compile(r"\s*(\\(?:d?frac|sqrt|cdot|pi)(?![A-Za-z])|\d+(?:\.\d+)?|[-+/^(){}]|[A-Za-z])")


class Expression:
    """A recursive descent over one formula; exact where Python's numbers are."""

    def __init__(self, tex, names):
        tex = tex.replace("\\left", "").replace("\\right", "").strip()
        self.tokens, self.at, self.names = [], 0, names
        position = 0
        while position < len(tex):
            token = TOKEN.match(tex, position)
            assert token, f"cannot read {tex!r} at {position}"
            self.tokens.append(token[1])
            position = token.end()

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, *wanted):
        if self.peek() in wanted:
            self.at += 1
            return self.tokens[self.at - 1]
        return ""

    def group(self, opening, closing):
        assert self.take(opening), f"{opening} missing in {self.tokens}"
        inner = self.sum()
        assert self.take(closing), f"{closing} missing in {self.tokens}"
        return inner

    def atom(self):
        if self.take("\\frac", "\\dfrac"):
            top = self.group("{", "}")
            return top / self.group("{", "}")
        if self.take("\\sqrt"):
            return math.sqrt(self.group("{", "}"))
        if self.take("\\pi"):
            return math.pi
        for opening, closing in ("()", "{}"):
            if self.peek() == opening:
                return self.group(opening, closing)
        self.at += 1
        token = self.tokens[self.at - 1]
        return F(token) if token[0].isdigit() else self.names[token]

    def power(self):
        base = self.atom()
        return base ** int(self.atom()) if self.take("^") else base

    def product(self):
        v = self.power()
        while True:
            if self.take("/"):
                v /= self.power()
            elif self.take("\\cdot") or re.match(r"\\|[A-Za-z0-9({]", self.peek()):
                v *= self.power()
            else:
                return v

    def sum(self):
        v = -self.product() if self.take("-") else self.product()
        while True:
            if self.take("+"):
                v += self.product()
            elif self.take("-"):
                v -= self.product()
            else:
                return v


def value(tex: str, **names):
    """The value of an expression: a Fraction where all is rational, else a float or complex."""
    e = Expression(tex, {"i": 1j, **names})
    v = e.sum()
    assert e.at == len(e.tokens), f"cannot read {tex!r} to its end"
    return v


def poly(tex: str, x):
    return value(tex, x=x)


def near(a, b) -> bool:
    return abs(complex(a) - complex(b)) <= 1e-9 * (1 + abs(complex(a)))


def ints(text: str):
    return [int(n) for n in re.findall(r"-?\d+", text)]


def matrix(tex: str):
    scale = F(1)
    m = re.match(r"\\frac\{1\}\{(-?\d+)\}\s*(.*)", tex)
    if m:
        scale, tex = F(1, int(m[1])), m[2]
    body = re.search(r"\\begin\{.matrix\}(.*?)\\end", tex)[1]
    return [[scale * value(e) for e in row.split("&")] for row in body.split("\\\\")]


def items(tex: str):
    inner = re.sub(r"^\\?[({]|\\?[)}]$", "", tex.replace("\\left", "").replace("\\right", ""))
    return [value(p) for p in inner.split(",")]


def math_parts(problem: str):
    return re.findall(r"\$([^$]*)\$", problem)


def formula(problem: str, sign: str):
    return next(part for part in math_parts(problem) if re.search(sign, part))


# --- one solver a family: true if the answer is right ----------------------------------------------------

def linear_system(p, a):
    x, y = items(a)
    for eq in (part for part in math_parts(p) if "=" in part):
        left, right = eq.split("=")
        if value(left, x=x, y=y) != int(right):
            return False
    return True


def coefficients(f):
    c = poly(f, F(0))
    b = (poly(f, F(1)) - poly(f, F(-1))) / 2
    return poly(f, F(1)) - b - c, b, c


def quadratic_root(p, a):
    k, b, c = coefficients(formula(p, "=").split("=")[0])
    return near(value(a), (-b + math.sqrt(b * b - 4 * k * c)) / (2 * k))


def vieta_sum(p, a):
    parts = math_parts(p)
    k, b, c = coefficients(parts[2].split("=")[0])
    root = cmath.sqrt(complex(b * b - 4 * k * c))
    e = int(parts[3].split("^")[1][0])
    return near(value(a), ((-b + root) / (2 * k)) ** e + ((-b - root) / (2 * k)) ** e)


def polynomial_product(p, a):
    f = math_parts(p)[0]
    return all(poly(f, F(x)) == poly(a, F(x)) for x in range(-3, 4))


def holds(op, v, bound):
    return {"\\le": v <= bound, "<": v < bound, "\\ge": v >= bound, ">": v > bound}[op]


def inside(a, x):
    def end(s, otherwise):
        return otherwise if "infty" in s else value(s)
    for part in a.split("\\cup"):
        part = part.strip()
        lo, hi = part[1:-1].split(",")
        lo, hi = end(lo, F(-10**9)), end(hi, F(10**9))
        above = x >= lo if part[0] == "[" else x > lo
        below = x <= hi if part[-1] == "]" else x < hi
        if above and below:
            return True
    return False


def ends(a):
    return [value(n) for n in re.findall(r"-?\\frac\{\d+\}\{\d+\}|-?\d+", a)]


def interval(a, test):
    e = ends(a)
    points = e + [v + d for v in e for d in (F(-1, 1000), F(1, 1000))] + [F(-1000), F(1000), sum(e) / len(e)]
    return all(inside(a, x) == test(x) for x in points)


def quadratic_inequality(p, a):
    f, op = re.match(r"(.*) (\\le|<|\\ge|>) 0", formula(p, "[<>]|.le|.ge")).groups()
    return interval(a, lambda x: holds(op, poly(f, x), 0))


def absolute_inequality(p, a):
    f, op, bound = re.match(r"\\left\|(.*)\\right\| (\\le|<|\\ge|>) (\d+)", formula(p, "[|]")).groups()
    return interval(a, lambda x: holds(op, abs(poly(f, x)), int(bound)))


def complex_quotient(p, a):
    top, bottom = re.match(r"\\frac\{(.*)\}\{(.*)\}", math_parts(p)[0]).groups()
    return near(value(top) / value(bottom), value(a))


def exponential_equation(p, a):
    x = value(a)
    b1, f, b2, g = re.match(r"(\d+)\^\{(.*)\} = (\d+)\^\{(.*)\}", formula(p, "=")).groups()
    base = next(q for q in (2, 3, 5, 7) if int(b1) % q == 0)
    power = {base ** k: k for k in range(9)}
    return power[int(b1)] * poly(f, x) == power[int(b2)] * poly(g, x)


def arithmetic_sum(p, a):
    first, step, n = ints(p)
    return value(a) == sum(first + k * step for k in range(n))


def geometric_series(p, a):
    first, ratio = (value(s) for s in math_parts(p)[:2])
    return near(value(a), sum(float(first) * float(ratio) ** k for k in range(3000)))


def linear_recurrence(p, a):
    parts = math_parts(p)
    v = int(parts[0].split("=")[1])
    k, c = re.match(r"a_\{n\+1\} = (-?\d*) ?a_n ([+-] \d+)", parts[1]).groups()
    k = int(k + "1") if k in ("", "-") else int(k)
    for _ in range(int(re.search(r"a_\{(\d+)\}", parts[3])[1]) - 1):
        v = k * v + int(c.replace(" ", ""))
    return value(a) == v


def telescoping_sum(p, a):
    n, c, left, right = re.search(r"\^\{(\d+)\} \\frac\{(\d+)\}\{(k|\(k \+ \d+\))\(k \+ (\d+)\)\}", p).groups()
    b = 0 if left == "k" else ints(left)[0]
    return value(a) == sum(F(int(c), (k + b) * (k + int(right))) for k in range(1, int(n) + 1))


def modular_power(p, a):
    b, e, m = ints(p)
    return value(a) == pow(b, e, m)


def remainders(p, a):
    n = ints(" ".join(math_parts(p)))
    pairs = list(zip(n[::2], n[1::2]))
    return value(a) == next(x for x in range(1, 10**6) if all(x % m == r for r, m in pairs))


def divisible_count(p, a):
    _, n, u, v = ints(p)
    some = sum(1 for k in range(1, n + 1) if k % u == 0 or k % v == 0)
    return value(a) == (n - some if "neither" in p else some)


def divisor_sum(p, a):
    n = ints(p)[0]
    found = [d for k in range(1, math.isqrt(n) + 1) if n % k == 0 for d in {k, n // k}]
    return value(a) == (len(found) if re.match("Find the number|Count", p) else sum(found))


def definite_integral(p, a):
    lo, hi, f = re.search(r"\\int_\{(-?\d+)\}\^\{(-?\d+)\} \\left\((.*)\\right\)", p).groups()
    lo, hi, n = F(lo), F(hi), 4  # Simpson's rule is exact for cubics
    h = (hi - lo) / n
    w = [1, 4, 2, 4, 1]
    return value(a) == h / 3 * sum(w[k] * poly(f, lo + k * h) for k in range(n + 1))


def slope(f, x):  # exact for cubics
    h = F(1, 2)
    return (8 * (poly(f, x + h) - poly(f, x - h)) - (poly(f, x + 2 * h) - poly(f, x - 2 * h))) / (12 * h)


def product_derivative(p, a):
    f = math_parts(p)[-1].split("=")[1]
    return all(slope(f, F(x)) == poly(a, F(x)) for x in range(-3, 4))


def rational_limit(p, a):
    at, top, bottom = re.search(r"\\to (-?\d+)\} \\frac\{(.*)\}\{(.*)\}$", math_parts(p)[0]).groups()
    return slope(top, F(at)) / slope(bottom, F(at)) == value(a)


def tangent_line(p, a):
    parts = math_parts(p)
    f, x = parts[0].split("=")[1], value(parts[1].split("=")[1])
    line = a.split("=")[1]
    return poly(line, x) == poly(f, x) and poly(line, F(1)) - poly(line, F(0)) == slope(f, x)


def cubic_extremum(p, a):
    f = math_parts(p)[0].split("=")[1]
    critical = [F(x) for x in range(-10, 11) if slope(f, F(x)) == 0]
    pick = max if "maximum" in p else min
    local = [x for x in critical
             if poly(f, x) == pick(poly(f, x + d) for d in (F(-1, 9), F(0), F(1, 9)))]
    return len(critical) == 2 and [poly(f, x) for x in local] == [value(a)]


def multiply(m, n):
    return [[sum(m[r][k] * n[k][c] for k in range(len(n))) for c in range(len(n[0]))] for r in range(len(m))]


def matrix_product(p, a):
    one, other = (matrix(s) for s in math_parts(p)[:2])
    return multiply(one, other) == matrix(a)


def det(m):
    if len(m) == 1:
        return m[0][0]
    return sum((-1) ** c * m[0][c] * det([row[:c] + row[c + 1:] for row in m[1:]]) for c in range(len(m)))


def determinant(p, a):
    return det(matrix(math_parts(p)[0])) == value(a)


def inverse_matrix(p, a):
    return multiply(matrix(math_parts(p)[0]), matrix(a)) == [[1, 0], [0, 1]]


def eigenvalues(p, a):
    m, (u, v) = matrix(math_parts(p)[0]), items(a)
    return near(u + v, m[0][0] + m[1][1]) and near(u * v, det(m))


def cross_product(p, a):
    n = ints(p)
    u, v, w = n[:3], n[3:6], items(a)
    dot = lambda s, t: sum(x * y for x, y in zip(s, t))  # noqa: E731
    return dot(u, w) == dot(v, w) == 0 and det([u, v, w]) == dot(w, w)


def urn_probability(p, a):
    red, blue, green, drawn, wanted = ints(p)
    ways = math.comb(red, wanted) * math.comb(blue + green, drawn - wanted)
    return value(a) == F(ways, math.comb(red + blue + green, drawn))


def binomial_term(p, a):
    power = int(math_parts(p)[0].split("{")[1][:-1])
    up, base, n = re.match(r"(?:x\^\{(\d+)\} )?\((.*)\)\^\{(\d+)\}", math_parts(p)[1]).groups()
    b, s = poly(base, F(1)) - poly(base, F(0)), poly(base, F(0))
    have = [F(1)]
    for _ in range(int(n)):
        have = [s * (have[k] if k < len(have) else 0) + b * (have[k - 1] if k else 0) for k in range(len(have) + 1)]
    return value(a) == have[power - int(up or 0)]


def committees(p, a):
    size, women, men, least = ints(p)
    some = sum(math.comb(women, w) * math.comb(men, size - w) for w in range(least, size + 1))
    return value(a) == some


def weighted_mean(p, a):
    n = [F(s) for s in math_parts(p)]
    return value(a) == sum(x * q for x, q in zip(n[1:4], n[4:7])) - n[0]


def solid_volume(p, a):
    n = ints(p)
    v = F(n[0] ** 2 * n[1], 3) if len(n) == 2 else F((n[0] ** 2 + n[0] * n[1] + n[1] ** 2) * n[2], 3)
    return near(value(a), float(v) * math.pi)


def annulus_sector(p, a):
    inner, outer, angle = ints(p)
    return near(value(a), math.pi * (outer ** 2 - inner ** 2) * angle / 360)


def triangle_area(p, a):
    n = ints(p)
    points = list(zip(n[::2], n[1::2]))
    twice = sum(x * v - u * y for (x, y), (u, v) in zip(points, points[1:] + points[:1]))
    return value(a) == F(abs(twice), 2)


def point_distance(p, a):
    n = ints(p)
    return near(value(a), math.dist(n[:3], n[3:]))


# --- the run ---------------------------------------------------------------------------------------------

def ask(connection, number):
    body = {"model": "engineer", "messages": [{"role": "user", "content": f"Write problem {number}."}]}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200, answer.status


def problems(stumper):
    with tempfile.TemporaryDirectory() as folder:
        truth = os.path.join(folder, "truth.jsonl")
        sim = subprocess.Popen([stumper, "sim", "--port", "0", "--truth", truth, "--wrong-answer-rate", "0.3"],
                               stdout=subprocess.PIPE, text=True)
        try:
            port = int(re.search(r":(\d+)$", sim.stdout.readline().strip())[1])
            connection = http.client.HTTPConnection("127.0.0.1", port)
            for number in range(PROBLEMS):
                ask(connection, number)
        finally:
            sim.terminate()
            assert sim.wait() == 0
        with open(truth, encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]


def main() -> int:
    bad, counts = [], {}
    for p in problems(sys.argv[1]):
        family = p["family"]
        counts[family] = counts.get(family, 0) + 1
        solver = globals().get(family)
        if solver is None:
            bad.append(f"{family}: there is no solver")
        elif not solver(p["problem"], p["answer"]):
            bad.append(f"{family}: wrong: {p['problem']} | {p['answer']}")
        elif counts[family] <= WRONG_PER_FAMILY:
            bad += [f"{family}: right after all: {p['problem']} | {w}" for w in p["wrong"] if solver(p["problem"], w)]
        if p["planted"] != (p["stated"] not in p["right"]):
            bad.append(f"{family}: planted is not what it says: {p['stated']}")
    bad += [f"{family}: only {n} of them" for family, n in counts.items() if n < PER_FAMILY_MIN]
    if len(counts) < 16:
        bad.append(f"only {len(counts)} families turned up")
    print(*bad[:20], sep="\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
