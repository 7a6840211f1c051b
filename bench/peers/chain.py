"""What the two Python peers share: the bodies of the four calls, and how their answers are read.

The bodies are those that Stumper sends (bench/run.py records one attempt of it), so that every contender
moves the same bytes; only what an attempt puts into them differs. Results stay in memory and are written
as JSON lines at the end: no contender but Stumper records anything while it runs.
"""
import json
import random


class Useless(Exception):
    """A paid answer of no use: cut off, empty, refused or not the JSON that was asked for."""


class Chain:
    def __init__(self, path: str):
        with open(path, encoding="utf-8") as f:
            self.calls = json.load(f)

    def body(self, call: str, user: str) -> bytes:
        template = self.calls[call]
        messages = [dict(m, content=user) if m["role"] == "user" else m for m in template["messages"]]
        return json.dumps({**template, "messages": messages}).encode()

    def engineer(self, number: int) -> bytes:
        user = next(m["content"] for m in self.calls["engineer"]["messages"] if m["role"] == "user")
        return self.body("engineer", f"{user}\n\nAttempt {number}.")

    def initial(self, made: dict) -> bytes:
        return self.body("initial", json.dumps({"validation_type": "initial", "problem": made["problem"],
                                                "answer": made["answer"], "hints": made["hints"]}))

    def target(self, made: dict) -> bytes:
        user = next(m["content"] for m in self.calls["target"]["messages"] if m["role"] == "user")
        return self.body("target", user.replace("{{problem}}", made["problem"]))

    def equivalence(self, made: dict, answered: str) -> bytes:
        return self.body("equivalence", json.dumps({"validation_type": "equivalence_check",
                                                    "problem": made["problem"], "true_answer": made["answer"],
                                                    "model_answer": answered}))


def text_of(reply: bytes) -> str:
    choice = json.loads(reply)["choices"][0]
    text = choice["message"].get("content")
    if not text or choice["finish_reason"] != "stop":
        raise Useless
    return text


def object_of(reply: bytes, *fields: str) -> dict:
    try:
        found = json.loads(text_of(reply).strip().removeprefix("```json").removesuffix("```"))
    except ValueError:
        raise Useless from None
    if not isinstance(found, dict) or any(f not in found for f in fields):
        raise Useless
    return found


def retriable(status: int) -> bool:
    return status in (408, 409, 429) or status >= 500


def backoff(attempt: int) -> float:
    """Seconds before the next try: as OpenAI's SDKs do it."""
    return min(8.0, 0.5 * 2**attempt) * (1 - 0.25 * random.random())


TRIES = 6


class Tally:
    """How many problems are wanted, begun and accepted. Not locked: see each peer."""

    def __init__(self, wanted: int, begin_max: int):
        self.wanted, self.begin_max, self.begun, self.accepted, self.kept = wanted, begin_max, 0, 0, []

    def begin(self) -> int:
        """The number of the next attempt, from 1; 0: enough. Where a server accepts everything, begin_max
        is the number wanted, since to begin more would be foolish."""
        if self.accepted >= self.wanted or self.begun >= self.begin_max:
            return 0
        self.begun += 1
        return self.begun

    def keep(self, made: dict, answered: str, verdict: dict) -> None:
        if self.accepted < self.wanted:
            self.accepted += 1
            self.kept.append({**made, "target_model_answer": answered, "reason": verdict.get("reason")})

    def write(self, path: str) -> None:
        with open(path, "w", encoding="utf-8") as f:
            for problem in self.kept:
                f.write(json.dumps(problem) + "\n")
