"""Service peer 1: FastAPI answers, Celery works, Redis keeps (append-only file).

    uvicorn --workers 2 service_celery:api        celery -A service_celery worker -P threads

A job is a hash in Redis, each of its attempts a message, by way of Redis or of what BENCH_BROKER says: acknowledged
late, so that a killed worker's come again, from Redis after VISIBILITY_S. Results are kept by attempt, so that what is worked on twice is counted once.
"""
import json
import os
import threading
import uuid

import redis
import redis.asyncio
from celery import Celery
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from chain import Chain, Useless
from line import Line, attempt

REDIS, LLM = os.environ["BENCH_REDIS"], os.environ["BENCH_LLM"]
BROKER = os.environ.get("BENCH_BROKER", REDIS)
VISIBILITY_S = 60  # Celery's own is 3600; less than a slow chain takes would pay for it twice

work = Celery("service", broker=BROKER)
work.conf.update(task_acks_late=True, task_reject_on_worker_lost=True, worker_prefetch_multiplier=1, task_ignore_result=True,
                 broker_transport_options={"visibility_timeout": VISIBILITY_S} if BROKER == REDIS else {"confirm_publish": True},
                 broker_connection_retry_on_startup=True)
chain, store, mine = Chain(os.environ["BENCH_CHAIN"]), redis.Redis.from_url(REDIS), threading.local()


@work.task(name="attempt", autoretry_for=(Useless,), max_retries=3)
def one(job: str, number: int) -> None:
    if not hasattr(mine, "line"):
        mine.line = Line(LLM)
    kept = attempt(mine.line, chain, number)
    if kept:
        made, answered, verdict = kept
        problem = {**made, "target_model_answer": answered, "reason": verdict.get("reason")}
        store.hset(f"results:{job}", number, json.dumps(problem))


@work.task(name="begin")
def begin(job: str, wanted: int) -> None:
    with work.producer_pool.acquire(block=True) as producer:
        for number in range(1, wanted + 1):
            one.apply_async((job, number), producer=producer)


api = FastAPI()
looks = redis.asyncio.Redis.from_url(REDIS)


class Request(BaseModel):
    num_problems: int


@api.post("/generate")
async def generate(request: Request):
    job = f"job_{uuid.uuid4().hex}"
    await looks.hset(f"job:{job}", "wanted", request.num_problems)
    if request.num_problems == 1:
        one.apply_async((job, 1))  # blocks for a moment, which is quicker than a thread for it
    else:
        begin.apply_async((job, request.num_problems))
    return JSONResponse({"job_id": job, "status": "queued"}, 202)


@api.get("/status/{job}")
async def status(job: str):
    async with looks.pipeline(transaction=False) as both:
        wanted, accepted = await both.hget(f"job:{job}", "wanted").hlen(f"results:{job}").execute()
    if wanted is None:
        return JSONResponse({"detail": "no such job"}, 404)
    state = "succeeded" if accepted >= int(wanted) else "running" if accepted else "queued"
    return JSONResponse({"job_id": job, "status": state, "counts": {"wanted": int(wanted), "accepted": accepted}})
