// One job on several workers: its home lends attempts to the others. Within one process here; fleet.test.mjs and
// chaos.test.mjs have processes apart.
import assert from 'node:assert/strict';
import test from 'node:test';
import { assertBooked, assertExactly, sim, until } from './lib.mjs';
import { serve } from './service.mjs';

const PRICES = ['engineer', 'checker', 'target'].flatMap((m) => ['--price', `openai/${m}=2,10`]);
const WORKERS = ['--workers', '4', '--concurrency', '5'];

const results = async (s, id) => (await s.get(`/jobs/${id}/results?limit=1000`)).body.data;

test('one job has the slots of all workers, ends with exactly N, and no call is paid twice', async (t) => {
  const provider = await sim(t, '--latency', '150');
  const s = await serve(t, WORKERS, { provider });
  const id = await s.submit({ num_problems: 60, concurrency: 16 });
  let most = 0;
  await until(async () => {
    const { counts } = (await s.get(`/status/${id}`)).body;
    most = Math.max(most, counts.in_flight);
    return most > 10;
  }, 'guests help');
  const job = await s.end(id);
  assert.equal(job.status, 'succeeded');
  assert(most <= 16, `${most} attempts in flight, 16 are allowed`);
  assertExactly(60, await results(s, id));
  assert.equal((await provider.sums()).repeated_request_ids, 0);
  // What was under way at a guest when N was reached is booked when its answer comes.
  const { calls } = await provider.sums();
  const usage = async () => (await s.get(`/status/${id}`)).body.usage;
  await until(async () => (await usage()).calls + (await usage()).tries_lost >= calls, 'every paid call is known');
  assertBooked(await usage(), await provider.sums());
});

test('what several workers spend on one job stays within its money, and most of it is used', async (t) => {
  const provider = await sim(t, '--latency', '60');
  const s = await serve(t, [...WORKERS, ...PRICES], { provider });
  const id = await s.submit({ num_problems: 2000, concurrency: 20, max_cost_usd: 2 });
  const job = await s.end(id, {}, 120000);
  assert.equal(job.status, 'partial');
  assert.equal(job.reason, 'max_cost');
  assert(job.usage.cost_usd <= 2, `${job.usage.cost_usd} dollars`);
  assert(job.usage.cost_usd > 1.2, `${job.usage.cost_usd} dollars of 2`);
  assertBooked(job.usage, await provider.sums());
});

test('paused, a job that several workers have comes to rest; resumed and cancelled, it ends', async (t) => {
  const provider = await sim(t, '--latency', '100');
  const s = await serve(t, WORKERS, { provider });
  const id = await s.submit({ num_problems: 1000, concurrency: 20 });
  const inFlight = async () => (await s.get(`/status/${id}`)).body.counts.in_flight;
  await until(async () => (await inFlight()) > 10, 'guests help');
  await s.post(`/jobs/${id}/pause`);
  await until(async () => (await inFlight()) === 0, 'nothing is in flight');
  const { attempts } = (await s.get(`/status/${id}`)).body.counts;
  await s.post(`/jobs/${id}/resume`);
  await until(async () => (await s.get(`/status/${id}`)).body.counts.attempts > attempts, 'it goes on');
  await s.post(`/jobs/${id}/cancel`);
  const job = await s.end(id);
  assert.equal(job.status, 'cancelled');
  assert.equal(job.counts.in_flight, 0);
  assert.equal((await provider.sums()).repeated_request_ids, 0);
});
