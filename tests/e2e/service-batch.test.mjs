// Jobs of the service with "mode": "batch": through their providers' batches, whatever becomes of the service meanwhile.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { assertExactly, folder, KEY, sim, until } from './lib.mjs';
import { serve, unlessKilled } from './service.mjs';

const PRICES = ['engineer', 'checker', 'target'].flatMap((m) => ['--price', `openai/${m}=0.05,0.005,0.2`, '--price', `anthropic/${m}=0.05,0.005,0.2`]);
const anthropic = Object.fromEntries(['engineer', 'checker', 'target'].map((role) => [`${role}_model`, `anthropic/${role}`]));
const env = (provider) => ({ ANTHROPIC_BASE_URL: provider.base, ANTHROPIC_API_KEY: KEY });

const started = (t, provider, more = {}) => serve(t, PRICES, { provider, env: { ...env(provider), ...more.env }, ...more.options });
const results = async (s, id) => (await s.get(`/jobs/${id}/results?limit=1000`)).body.data;

/** Every call went in a batch and was paid for once; the jobs' books are the provider's. */
async function assertPaidOnce(provider, jobs) {
  const sums = await provider.sums();
  const ids = provider.ledger().map((c) => c.client_request_id);
  const paid = ids.map((id) => id.slice(0, id.lastIndexOf('-')));
  assert.equal(new Set(paid).size, paid.length, 'no call was paid for twice');
  assert.equal(sums.in_batches, sums.calls);
  const ours = jobs.reduce((sum, job) => sum + job.usage.cost_usd, 0);
  assert(Math.abs(ours - sums.cost_usd) < 1e-6, `$${ours} told, $${sums.cost_usd} billed`);
}

test('jobs of both formats go in batches, and those that are asked at once go on beside them', async (t) => {
  const provider = await sim(t, '--batch-time', 0.6);
  const s = await serve(t, [...PRICES, '--concurrency', 4], { provider, env: env(provider) });
  const slow = [await s.submit({ num_problems: 20, mode: 'batch' }), await s.submit({ num_problems: 10, mode: 'batch', ...anthropic })];
  await until(async () => (await provider.sums()).in_batches > 0, 'a batch is answered');
  const quick = await s.submit({ num_problems: 5 });
  assert.equal((await s.end(quick)).status, 'succeeded');
  const jobs = [];
  for (const id of slow) jobs.push(await s.end(id));
  assert.deepEqual(jobs.map((j) => j.status), ['succeeded', 'succeeded']);
  assertExactly(20, await results(s, slow[0]));
  assertExactly(10, await results(s, slow[1]));
  const sums = await provider.sums();
  assert(sums.in_batches > 0 && sums.in_batches < sums.calls, 'the quick one was asked at once');
});

const moments = ['store.batch_intend.after_commit', 'llm.batch.made', 'store.batch_made.after_commit', 'llm.batch.ended', 'llm.batch.taken', 'store.record.after_commit'];
for (const [format, models] of [['OpenAI', {}], ['Anthropic', anthropic]]) {
  test(`the service is killed in mid-batch, again and again: exactly N, nothing is paid for twice: ${format}`, async (t) => {
    const cwd = folder(t);
    const provider = await sim(t, '--batch-time', 0.5);
    let id, api; // a later one may die before it is asked for its interface
    for (const moment of moments) {
      const s = await unlessKilled(started(t, provider, { env: { STUMPER_FAILPOINT: moment }, options: { cwd, api } }));
      if (!s) continue;
      api = s.api;
      id ??= await s.submit({ num_problems: 8, mode: 'batch', ...models });
      await until(() => s.child.signalCode, `it dies at ${moment}`);
    }
    const s = await started(t, provider, { options: { cwd } });
    const job = await s.end(id);
    assert.equal(job.status, 'succeeded', JSON.stringify(job));
    assertExactly(8, await results(s, id));
    await assertPaidOnce(provider, [job]);
  });
}

test('a paused job leaves its batches where they are and collects them when it goes on; a drained service likewise', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--batch-time', 1.5);
  const first = await started(t, provider, { options: { cwd } });
  const id = await first.submit({ num_problems: 6, mode: 'batch' });
  const batches = async () => (await (await fetch(`${provider.url}/batches`, { headers: { authorization: `Bearer ${KEY}` } })).json()).data;
  await until(async () => (await batches()).length > 0, 'a batch is made');
  await first.post(`/jobs/${id}/pause`);
  await until(async () => (await first.get(`/status/${id}`)).body.status === 'paused', 'it is paused');
  assert.equal((await batches())[0].cancelling_at, null);
  await first.post(`/jobs/${id}/resume`);
  const begin = Date.now();
  await first.stop('SIGTERM');
  assert(Date.now() - begin < 5000, 'it does not wait for batches');
  const s = await started(t, provider, { options: { cwd } });
  const job = await s.end(id);
  assert.equal(job.status, 'succeeded');
  await assertPaidOnce(provider, [job]);
});

test('a job that is cancelled has its batches cancelled, and tells what they cost', async (t) => {
  const provider = await sim(t, '--batch-time', 3);
  const s = await started(t, provider);
  const id = await s.submit({ num_problems: 30, mode: 'batch' });
  await until(async () => (await provider.sums()).calls > 3, 'a batch is answered in part');
  await s.post(`/jobs/${id}/cancel`);
  const job = await s.end(id);
  assert.equal(job.status, 'cancelled');
  await assertPaidOnce(provider, [job]);
});

for (const [format, models, path, cancelled] of [
  ['OpenAI', {}, '/batches', (b) => b.status === 'cancelled'],
  ['Anthropic', anthropic, '/messages/batches', (b) => b.cancel_initiated_at !== null && b.processing_status === 'ended'],
]) {
  test(`a paused job that is cancelled has its batches cancelled, and tells what they cost: ${format}`, async (t) => {
    const cwd = folder(t);
    const provider = await sim(t, '--batch-time', 30);
    const first = await started(t, provider, { options: { cwd } });
    const id = await first.submit({ num_problems: 30, mode: 'batch', ...models });
    await until(async () => (await provider.sums()).calls > 3, 'a batch is answered in part');
    await first.post(`/jobs/${id}/pause`);
    await first.stop('SIGTERM');
    const s = await started(t, provider, { options: { cwd } });
    assert.equal((await s.get(`/status/${id}`)).body.usage.cost_usd, 0);
    const answer = await s.post(`/jobs/${id}/cancel`);
    assert.deepEqual([answer.status, answer.body.status], [202, 'cancelling']);
    const job = await s.end(id);
    assert.equal(job.status, 'cancelled');
    assert(job.usage.cost_usd > 0, 'what was answered is taken');
    const headers = { authorization: `Bearer ${KEY}`, 'x-api-key': KEY, 'anthropic-version': '2023-06-01' };
    const { data } = await (await fetch(`${provider.url}${path}`, { headers })).json();
    assert(data.length > 0 && data.every(cancelled), JSON.stringify(data));
    assert((await provider.sums()).calls < 30, 'the rest was not answered');
    await assertPaidOnce(provider, [job]);
  });
}

test('a model without batches is refused in the request', async (t) => {
  const s = await serve(t, [], { env: { GEMINI_API_KEY: KEY } });
  const got = await s.post('/generate', { num_problems: 1, mode: 'batch', target_model: 'gemini/gemini-2.5-pro' });
  assert.equal(got.status, 422);
  assert.match(JSON.stringify(got.body), /target_model.*cannot be asked in batches/);
});
