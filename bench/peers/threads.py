#!/usr/bin/env python3
"""Peer 1: a thread for each attempt in flight, http.client with keep-alive.

    threads.py URL CHAIN WANTED BEGIN_MAX CONCURRENCY OUT
"""
import sys
import threading

from chain import Chain, Tally, Useless
from line import Line, attempt

url, chain_path, wanted, begin_max, concurrency, out = sys.argv[1:]
chain, tally, lock = Chain(chain_path), Tally(int(wanted), int(begin_max)), threading.Lock()


def worker() -> None:
    line = Line(url)
    while True:
        with lock:
            number = tally.begin()
        if number == 0:
            return
        try:
            kept = attempt(line, chain, number)
        except Useless:
            continue
        if kept:
            with lock:
                tally.keep(*kept)


threading.stack_size(256 * 1024)
workers = [threading.Thread(target=worker) for _ in range(int(concurrency))]
for w in workers:
    w.start()
for w in workers:
    w.join()
tally.write(out)
