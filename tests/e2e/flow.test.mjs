// Flow control: limits that the provider enforces, keys and models that are of no use.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { assertExactly, folder, generate, jsonl, run, sim } from './lib.mjs';

const refusals = (sums) => Object.values(sums.refused).reduce((a, b) => a + b, 0);

test('limits that the provider tells are kept without a storm of 429', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--accept-all', '--rpm', 1200, '--limit-burst', 1, '--latency', 100);
  await run(t, generate(50, '--judge', 'llm', '--concurrency', 200), { cwd, env: provider.env });
  assertExactly(50, jsonl(join(cwd, 'problems.jsonl')));
  const sums = await provider.sums();
  assert(sums.calls > 190);
  assert(refusals(sums) <= 5, `${refusals(sums)} of ${sums.calls} refused`);
});

test('limits that fall in mid-run are followed', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--accept-all', '--rpm', '3000,2s:900', '--limit-burst', 1, '--latency', 100);
  await run(t, generate(60, '--judge', 'llm', '--concurrency', 200), { cwd, env: provider.env });
  assertExactly(60, jsonl(join(cwd, 'problems.jsonl')));
  assert(refusals(await provider.sums()) <= 10);
});

const others = (type, base, key) => `{type: ${type}, base_url: '${base}', api_key_env: ${key}}`;

test('where no header tells a limit, the first refusal does', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--accept-all', '--rpm', 600, '--limit-burst', 1, '--latency', 100);
  writeFileSync(join(cwd, 'stumper.yaml'),
    `providers: {lab: ${others('gemini', provider.env.OPENAI_BASE_URL.replace(/\/v1$/, ''), 'KEY')}}\n`);
  const models = ['--engineer', 'lab/engineer', '--checker', 'lab/checker', '--target', 'lab/target'];
  const from = Date.now();
  await run(t, ['generate', '-n', 60, '--judge', 'llm', ...models, '--concurrency', 200], { cwd, env: { KEY: 'k' } });
  assertExactly(60, jsonl(join(cwd, 'problems.jsonl')));
  assert(Date.now() - from > 9000, '120 calls of the checker at ten a second, ten at once');
  const sums = await provider.sums();
  assert(refusals(sums) <= 12, `${refusals(sums)} of ${sums.calls} refused, three models`);
});

test('a provider that asks to slow down is obeyed, and the job ends with all', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--accept-all', '--ramp', 300000, '--ramp-time', 5, '--limit-burst', 1,
    '--latency', 50);
  await run(t, generate(50, '--judge', 'llm', '--concurrency', 150), { cwd, env: provider.env });
  assertExactly(50, jsonl(join(cwd, 'problems.jsonl')));
  const sums = await provider.sums();
  assert(sums.refused.ramp > 0, 'it was too quick at first');
  assert(refusals(sums) < 0.5 * sums.calls, `${refusals(sums)} of ${sums.calls} refused`);
});

test('--rpm holds where the provider tells nothing', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--accept-all');
  const from = Date.now();
  await run(t, generate(10, '--judge', 'llm', '--rpm', 600, '--concurrency', 50), { cwd, env: provider.env });
  assert(Date.now() - from > 1500, '20 calls of the checker cannot go in less than 1.8 s');
});

test('a model that is not there is replaced by the one that stands in, and the problem says so', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--accept-all');
  const models = [
    '--engineer', 'openai/gone,openai/engineer', '--checker', 'openai/checker', '--target', 'openai/target'];
  await run(t, ['generate', '-n', 5, ...models], { cwd, env: provider.env });
  const problems = jsonl(join(cwd, 'problems.jsonl'));
  assertExactly(5, problems);
  for (const p of problems) assert.equal(p.models.engineer, 'openai/engineer');
});

test('a provider that is down is left for the one that stands in, without waiting for its tries', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--accept-all');
  writeFileSync(join(cwd, 'stumper.yaml'), "providers: {down: {base_url: 'http://127.0.0.1:9/v1'}}\n");
  const models = [
    '--engineer', 'down/engineer,openai/engineer', '--checker', 'openai/checker', '--target', 'openai/target'];
  const from = Date.now();
  await run(t, ['generate', '-n', 100, ...models, '--concurrency', 64], { cwd, env: provider.env });
  assert(Date.now() - from < 20000, 'six tries with their waits would take a minute for each call');
  for (const p of jsonl(join(cwd, 'problems.jsonl'))) assert.equal(p.models.engineer, 'openai/engineer');
});

test('several keys are used in turn, each with its own limit', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--accept-all', '--rpm', 600, '--limit-burst', 1);
  writeFileSync(join(cwd, 'stumper.yaml'),
    `providers: {lab: {base_url: '${provider.env.OPENAI_BASE_URL}', api_key_env: [KEY_A, KEY_B, KEY_C]}}\n`);
  const models = ['--engineer', 'lab/engineer', '--checker', 'lab/checker', '--target', 'lab/target'];
  const from = Date.now();
  await run(t, ['generate', '-n', 120, '--judge', 'llm', ...models, '--concurrency', 100],
    { cwd, env: { KEY_A: 'sk-aaaaaaaaaaaa', KEY_B: 'sk-bbbbbbbbbbbb', KEY_C: 'sk-cccccccccccc' } });
  const ms = Date.now() - from;
  const sums = await provider.sums();
  assert(refusals(sums) <= 5, `${refusals(sums)} refused`);
  assert(ms < 18000, `240 calls of the checker took ${ms} ms; one key alone would need 23 s`);
});

test('a job asked again with --cache pays for nothing twice, and says what it took from there', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--accept-all');
  const again = (...more) => run(t, generate(5, '--judge', 'llm', '--max-attempts', 5, '--seed', 7, '--cache', 'answers.db', ...more),
    { cwd, env: provider.env });
  await again('--cache-engineer');
  const once = await provider.sums();
  const first = jsonl(join(cwd, 'problems.jsonl'));
  for (const p of first) assert.equal(p.usage.calls_reused, 0);
  await again('--cache-engineer', '--fresh');
  assert.deepEqual((await provider.sums()).calls, once.calls, 'nothing was asked');
  const second = jsonl(join(cwd, 'problems.jsonl'));
  assert.deepEqual(second.map((p) => p.problem).sort(), first.map((p) => p.problem).sort());
  for (const p of second) {
    assert.equal(p.usage.calls, 0);
    assert.equal(p.usage.calls_reused, 4);
    assert.equal(p.cost_usd, 0);
  }
  await again('--fresh');
  assert((await provider.sums()).engineer >= once.engineer + 5, 'the engineer is asked unless told otherwise');
});

test('an account that runs out of money ends the job at once; with money again it goes on where it stopped', async (t) => {
  const cwd = folder(t);
  const poor = await sim(t, '--accept-all', '--spend-limit', '0.003', '--truth', join(cwd, 'truth.jsonl'));
  const it = await run(t, generate(40, '--concurrency', 8), { cwd, env: poor.env, code: 3 });
  assert.match(it.stderr, /quota|credit|billing|spend|limit/i);
  const paid = (await poor.sums()).calls;
  assert(refusals(await poor.sums()) <= 16, 'nobody asks again and again');
  const rich = await sim(t, '--accept-all', '--truth', join(cwd, 'truth.jsonl'));
  await run(t, generate(40, '--concurrency', 8), { cwd, env: rich.env });
  assertExactly(40, jsonl(join(cwd, 'problems.jsonl')));
  const calls = paid + (await rich.sums()).calls;
  assert(calls <= 40 * 4 + 8 * 4, `${calls} calls were paid for 40 problems`);
});

test('doctor says which limits an endpoint tells', async (t) => {
  const provider = await sim(t, '--rpm', 500, '--tpm', 1000000);
  const it = await run(t, ['doctor', 'openai/target'], { cwd: folder(t), env: provider.env });
  assert.match(it.stdout.replace(/\s+/g, ' '), /allows 500 requests, 1\.00M tokens a minute/);
});
