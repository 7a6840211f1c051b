#!/usr/bin/python3
"""Peer 2: asyncio and aiohttp, a task for each attempt in flight, one pool of kept-alive connections.

    asyncio_aiohttp.py URL CHAIN WANTED BEGIN_MAX CONCURRENCY OUT
"""
import asyncio
import sys

import aiohttp
from chain import TRIES, Chain, Tally, Useless, backoff, object_of, retriable, text_of

url, chain_path, wanted, begin_max, concurrency, out = sys.argv[1:]
url = url.rstrip("/") + "/chat/completions"
headers = {"Content-Type": "application/json", "Authorization": "Bearer bench"}
chain, tally = Chain(chain_path), Tally(int(wanted), int(begin_max))


async def post(session: aiohttp.ClientSession, body: bytes) -> bytes:
    for attempt in range(TRIES):
        try:
            async with session.post(url, data=body, headers=headers) as answer:
                reply = await answer.read()
                if answer.status == 200:
                    return reply
                if not retriable(answer.status):
                    raise Useless
        except (OSError, aiohttp.ClientError, asyncio.TimeoutError):
            pass
        await asyncio.sleep(backoff(attempt))
    raise Useless


async def one(session: aiohttp.ClientSession, number: int) -> None:
    made = object_of(await post(session, chain.engineer(number)), "problem", "answer", "hints")
    if not object_of(await post(session, chain.initial(made)), "valid")["valid"]:
        return
    answered = text_of(await post(session, chain.target(made)))
    verdict = object_of(await post(session, chain.equivalence(made, answered)), "valid")
    if not verdict["valid"]:
        tally.keep(made, answered, verdict)


async def worker(session: aiohttp.ClientSession) -> None:
    while (number := tally.begin()) != 0:
        try:
            await one(session, number)
        except Useless:
            continue


async def main() -> None:
    connector = aiohttp.TCPConnector(limit=int(concurrency))
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=60)) as session:
        await asyncio.gather(*(worker(session) for _ in range(int(concurrency))))


asyncio.run(main())
tally.write(out)
