// Service peer 2: fastify answers (a process for each core), BullMQ works, Redis keeps (append-only file).
//
//     service_bullmq.mjs api PORT        service_bullmq.mjs worker CONCURRENCY
//
// A job is a hash in Redis, each of its attempts a BullMQ job. Results are kept by attempt, so that what is worked on
// twice is counted once. Locks and the look for stalled jobs are BullMQ's own 30 s.
import cluster from 'node:cluster';
import { randomUUID } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { Queue, Worker } from 'bullmq';
import Fastify from 'fastify';
import Redis from 'ioredis';
import { Chain } from './chain.mjs';

const [role, number] = process.argv.slice(2);
const { BENCH_REDIS: url, BENCH_LLM: llm, BENCH_CHAIN: chainPath } = process.env;
const connect = () => new Redis(url, { maxRetriesPerRequest: null, enableAutoPipelining: true });
const kept = { attempts: 3, removeOnComplete: true };
const attempt = (job, n) => ({ name: 'attempt', data: { job, n }, opts: { ...kept, jobId: `${job}-${n}` } });
const CHUNK = 1000;

async function answer(port) {
  const redis = connect();
  const queue = new Queue('work', { connection: connect() });
  const api = Fastify();
  const schema = { body: { type: 'object', required: ['num_problems'], properties: { num_problems: { type: 'integer', minimum: 1 } } } };
  api.post('/generate', { schema }, async (request, reply) => {
    const wanted = request.body.num_problems;
    const id = `job_${randomUUID()}`;
    const first = wanted === 1 ? attempt(id, 1) : { name: 'begin', data: { job: id, wanted }, opts: kept };
    await Promise.all([redis.hset(`job:${id}`, 'wanted', wanted), queue.add(first.name, first.data, first.opts)]);
    return reply.code(202).send({ job_id: id, status: 'queued' });
  });
  api.get('/status/:id', async (request, reply) => {
    const { id } = request.params;
    const [wanted, accepted] = await Promise.all([redis.hget(`job:${id}`, 'wanted'), redis.hlen(`results:${id}`)]);
    if (wanted === null) return reply.code(404).send({ detail: 'no such job' });
    const status = accepted >= wanted ? 'succeeded' : accepted ? 'running' : 'queued';
    return { job_id: id, status, counts: { wanted: Number(wanted), accepted } };
  });
  await api.listen({ port: Number(port), host: '127.0.0.1' });
}

function work(concurrency) {
  const chain = new Chain(llm, chainPath, concurrency);
  const redis = connect();
  const queue = new Queue('work', { connection: connect() });
  const handle = async ({ name, data: { job, n, wanted } }) => {
    if (name === 'begin') {
      for (let at = 1; at <= wanted; at += CHUNK) {
        await queue.addBulk(Array.from({ length: Math.min(CHUNK, wanted + 1 - at) }, (_, i) => attempt(job, at + i)));
      }
      return;
    }
    const problem = await chain.attempt(n);
    if (problem) await redis.hset(`results:${job}`, n, JSON.stringify(problem));
  };
  new Worker('work', handle, { connection: connect(), concurrency }).on('error', () => {});
}

if (role === 'worker') work(Number(number));
else if (cluster.isPrimary) for (let i = 0; i < availableParallelism(); i++) cluster.fork();
else await answer(number);
