#!/usr/bin/env python3
"""Peer 1: a thread for each attempt in flight, http.client with keep-alive.

    threads.py URL CHAIN WANTED BEGIN_MAX CONCURRENCY OUT
"""
import http.client
import sys
import threading
import time
import urllib.parse

from chain import TRIES, Chain, Tally, Useless, backoff, object_of, retriable, text_of

url, chain_path, wanted, begin_max, concurrency, out = sys.argv[1:]
base = urllib.parse.urlsplit(url)
path = base.path.rstrip("/") + "/chat/completions"
headers = {"Content-Type": "application/json", "Authorization": "Bearer bench"}
chain, tally, lock = Chain(chain_path), Tally(int(wanted), int(begin_max)), threading.Lock()


class Line:
    """One thread's connection."""

    def __init__(self):
        self.connection = None

    def post(self, body: bytes) -> bytes:
        for attempt in range(TRIES):
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPConnection(base.hostname, base.port, timeout=60)
                self.connection.request("POST", path, body, headers)
                answer = self.connection.getresponse()
                reply = answer.read()
                if answer.status == 200:
                    return reply
                if not retriable(answer.status):
                    raise Useless
            except (OSError, http.client.HTTPException):
                self.connection.close()
                self.connection = None
            time.sleep(backoff(attempt))
        raise Useless


def one(line: Line, number: int) -> None:
    made = object_of(line.post(chain.engineer(number)), "problem", "answer", "hints")
    if not object_of(line.post(chain.initial(made)), "valid")["valid"]:
        return
    answered = text_of(line.post(chain.target(made)))
    verdict = object_of(line.post(chain.equivalence(made, answered)), "valid")
    if not verdict["valid"]:
        with lock:
            tally.keep(made, answered, verdict)


def worker() -> None:
    line = Line()
    while True:
        with lock:
            number = tally.begin()
        if number == 0:
            return
        try:
            one(line, number)
        except Useless:
            continue


threading.stack_size(256 * 1024)
workers = [threading.Thread(target=worker) for _ in range(int(concurrency))]
for w in workers:
    w.start()
for w in workers:
    w.join()
tally.write(out)
