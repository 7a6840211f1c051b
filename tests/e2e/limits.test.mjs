// Ends that are not N: attempts, money, time, no progress, a provider that is out of order.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { assertBooked, folder, generate, jsonl, run, sim } from './lib.mjs';

const PRICES = ['engineer', 'checker', 'target'].flatMap((m) => ['--price', `openai/${m}=2,10`]);

test('--max-attempts ends short of N with exit code 3 and says so', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--target-fail', 0);
  const it = await run(t, generate(50, '--max-attempts', 20), { cwd, env: provider.env, code: 3 });
  assert.match(it.stderr, /max-attempts/);
  const all = await run(t, ['export', 'problems.jsonl.db', '--keep', 'all'], { cwd });
  assert.equal(all.stdout.trim().split('\n').length, 20);
});

test('with a larger --max-attempts the same job goes on', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--accept-all');
  await run(t, generate(20, '--judge', 'llm', '--seed', 7, '--max-attempts', 8), { cwd, env: provider.env, code: 3 });
  await run(t, generate(20, '--judge', 'llm', '--seed', 7, '--max-attempts', 40), { cwd, env: provider.env });
  assert.equal(jsonl(join(cwd, 'problems.jsonl')).length, 20);
  assert.equal((await provider.sums()).calls, 80);
});

test('--max-cost is never passed, however much the answers use', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--output-tokens', 'lognormal:4000,1.5');
  const it = await run(t, generate(5000, '--max-cost', 5, '--concurrency', 50, ...PRICES), {
    cwd,
    env: provider.env,
    code: 3,
  });
  assert.match(it.stderr, /max-cost/);
  const { input_tokens: read, output_tokens: written } = await provider.sums();
  const cost = (read * 2 + written * 10) / 1e6;
  assert(cost <= 5, `${cost} dollars by the provider's own books`);
  assert(cost > 4, `${cost} dollars: the money was there to be used`);
  const status = JSON.parse((await run(t, ['status', 'problems.jsonl.db', '--json'], { cwd })).stdout);
  assert(Math.abs(status.cost_usd - cost) < 1e-9, `ours ${status.cost_usd}, theirs ${cost}`);
});

test('once N are there no call is sent any more, and those under way are paid for and counted', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--rpm', 600, '--limit-burst', 1, '--latency', 400);
  await run(t, generate(20, '--judge', 'llm', '--concurrency', 200), { cwd, env: provider.env });
  const status = JSON.parse((await run(t, ['status', 'problems.jsonl.db', '--json'], { cwd })).stdout);
  assertBooked(status, await provider.sums());
  const there = Math.max(...jsonl(join(cwd, 'problems.jsonl')).map((p) => Date.parse(p.created_at)));
  const later = provider.ledger().filter((call) => Date.parse(call.time) > there + 5000); // all others would take 18 s
  assert.equal(later.length, 0, `${later.length} calls were paid for more than five seconds after the last problem`);
});

test('--max-cost without a price refuses to start and says how to give one', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t);
  const it = await run(t, generate(5, '--max-cost', 1), { cwd, env: provider.env, code: 2 });
  assert.match(it.stderr, /openai\/engineer/);
  assert.match(it.stderr, /--price/);
  assert.equal((await provider.sums()).calls, 0);
});

test('--deadline ends short of N', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--latency', 200);
  const it = await run(t, generate(5000, '--deadline', '2s'), { cwd, env: provider.env, code: 3 });
  assert.match(it.stderr, /deadline/);
});

test('a target that solves everything ends the job with a reason', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--target-fail', 0, '--judge-error', 0, '--wrong-answer-rate', 0);
  const it = await run(t, generate(50, '--stall-attempts', 60), { cwd, env: provider.env, code: 3 });
  assert.match(it.stderr, /no progress/);
  assert.match(it.stderr, /solved/);
  assert.equal(jsonl(join(cwd, 'problems.jsonl')).length, 0);
});

test('a provider that refuses the key ends the job early, with the cause', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--require-key', 'another');
  const it = await run(t, generate(50), { cwd, env: provider.env, code: 1 });
  assert.match(it.stderr, /401|key/i);
});

test('an account without money ends the job early, with the cause', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--fault-quota', 1);
  const it = await run(t, generate(50), { cwd, env: provider.env, code: 1 });
  assert.match(it.stderr, /quota/i);
});

test('a provider that is not there ends the job early, with the cause', async (t) => {
  const cwd = folder(t);
  const env = { OPENAI_BASE_URL: 'http://127.0.0.1:9/v1', OPENAI_API_KEY: 'none' };
  const it = await run(t, generate(5, '--tries', 1, '--stall-errors', 5), { cwd, env, code: 1 });
  assert.match(it.stderr, /connect|refused|network/i);
  assert.match(it.stderr, /127\.0\.0\.1/);
});
