// `generate --mode batch`: the same problems through the providers' batches, at half the price, whatever is killed.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { assertExactly, folder, generate, jsonl, KEY, run, sim, start, until, wait } from './lib.mjs';
import { assertSchema } from './schema.mjs';

const PRICES = ['engineer', 'checker', 'target'].flatMap((m) => ['--price', `openai/${m}=0.05,0.005,0.2`, '--price', `anthropic/${m}=0.05,0.005,0.2`]);
const ANTHROPIC = ['--engineer', 'anthropic/engineer', '--checker', 'anthropic/checker', '--target', 'anthropic/target'];
const batch = (n, ...more) => generate(n, '--mode', 'batch', ...PRICES, ...more);

/** The provider as OpenAI's and as Anthropic's. */
const env = (provider) => ({ ...provider.env, ANTHROPIC_BASE_URL: provider.base, ANTHROPIC_API_KEY: KEY });


/** All went in batches; no call was paid for twice; the run has told the provider's own bill. */
async function assertBill(provider, it) {
  const sums = await provider.sums();
  const calls = provider.ledger();
  assert.equal(sums.in_batches, sums.calls);
  const ids = calls.map((c) => c.client_request_id);
  for (const id of ids) assert.match(id, /^[a-zA-Z0-9_-]{1,64}$/);
  const paid = ids.map((id) => id.slice(0, id.lastIndexOf('-')));
  const twice = ids.filter((id, i) => paid.indexOf(paid[i]) !== paid.lastIndexOf(paid[i]));
  assert.deepEqual(twice, [], 'no call was paid for twice');
  const told = it.stderr.split('\n').filter(Boolean).map((line) => JSON.parse(line)).filter((o) => o.event === 'end').at(-1);
  assert(Math.abs(told.cost_usd - sums.cost_usd) < 1e-6, `$${told.cost_usd} told, $${sums.cost_usd} billed`);
  return told;
}

for (const [format, models] of [['OpenAI', []], ['OpenAI Responses', []], ['Anthropic', ANTHROPIC]]) {
  test(`exactly N through ${format}, each call paid for once, at half the price`, async (t) => {
    const cwd = folder(t);
    const provider = await sim(t, '--batch-time', 0.3);
    if (format === 'OpenAI Responses') writeFileSync(join(cwd, 'stumper.yaml'), 'providers: {openai: {type: openai-responses}}\n');
    const it = await run(t, batch(25, ...models, '--json-progress', '--max-cost', 5), { cwd, env: env(provider) });
    const problems = jsonl(join(cwd, 'problems.jsonl'));
    assertExactly(25, problems);
    assertSchema(problems);
    const told = await assertBill(provider, it);
    assert(told.calls >= 75);
    assert(told.cost_usd > 0);
  });
}

test('what expires goes into another batch, what is refused for a while too', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--batch-time', 0.2, '--batch-expire', 0.1, '--fault-500', 0.05);
  const it = await run(t, batch(15, '--tries', 12, '--json-progress'), { cwd, env: env(provider) });
  assertExactly(15, jsonl(join(cwd, 'problems.jsonl')));
  const told = await assertBill(provider, it);
  assert.equal(told.outcomes.failed, 0);
  const { data } = await (await fetch(`${provider.url}/batches?limit=100`, { headers: { authorization: `Bearer ${KEY}` } })).json();
  assert(data.some((b) => b.request_counts.failed > 0 || b.request_counts.completed < b.request_counts.total), 'some of them had to go again');
});

/** Moments around the making of a batch, in its answers and in the commits between. */
const moments = [
  'store.batch_intend.before_commit', 'store.batch_intend.after_commit', 'llm.batch.uploaded', 'llm.batch.made',
  'store.batch_made.before_commit', 'store.batch_made.after_commit', 'llm.batch.ended', 'llm.batch.taken',
  'store.record.before_commit', 'store.record.after_commit',
];
for (const [format, models] of [['OpenAI', []], ['Anthropic', ANTHROPIC]]) {
  test(`killed at any moment, the same command pays for nothing twice: ${format}`, async (t) => {
    const cwd = folder(t);
    const provider = await sim(t, '--batch-time', 0.4);
    const args = batch(12, ...models, '--json-progress');
    const killed = [];
    const expected = moments.filter((m) => format === 'OpenAI' || m !== 'llm.batch.uploaded');
    for (const moment of expected) {
      const it = await run(t, args, { cwd, env: { ...env(provider), STUMPER_FAILPOINT: moment }, code: null });
      if (it.signal === 'SIGKILL') killed.push(moment);
      else break; // it was done before it came there
    }
    t.diagnostic(`killed at ${killed.join(', ')}`);
    assert.deepEqual(killed, expected);
    const it = await run(t, args, { cwd, env: env(provider), code: null });
    assert.equal(it.code, 0, it.stderr);
    assertExactly(12, jsonl(join(cwd, 'problems.jsonl')));
    await assertBill(provider, it);
  });
}

test('killed again and again at random, with both formats at work, expiry and faults: exactly N, each call paid for once', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--batch-time', 0.5, '--batch-expire', 0.1, '--fault-500', 0.05);
  const args = batch(15, '--tries', 12, '--engineer', 'anthropic/engineer', '--json-progress');
  let kills = 0;
  for (;;) {
    const it = start(t, args, { cwd, env: env(provider) });
    // Now and then long enough to see that a batch which was noted was never made: that takes five seconds.
    await Promise.race([it.ended, wait(300 + Math.random() * 1500 + (kills % 8 === 7 ? 6000 : 0))]);
    if (it.code !== undefined) {
      assert.equal(it.code, 0, it.stderr);
      assertExactly(15, jsonl(join(cwd, 'problems.jsonl')));
      await assertBill(provider, it);
      break;
    }
    await it.kill('SIGKILL');
    assert(++kills < 150, 'it gets on between the kills');
  }
  t.diagnostic(`${kills} kills`);
  assert(kills >= 3, `killed ${kills} times`);
});

test('Ctrl-C leaves the batches at their provider and says so; the same command collects them', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--accept-all', '--batch-time', 8);
  const args = batch(10, '--json-progress');
  const first = start(t, args, { cwd, env: env(provider) });
  await first.line(/"batched":[1-9]/);
  const begin = Date.now();
  first.child.kill('SIGINT');
  await first.ended;
  assert(Date.now() - begin < 6000, 'it waits for nothing');
  assert.equal(first.code, 130, first.stderr);
  const [, asked, batches] = /interrupted: (\d+) calls? in (\d+) batch[^"]* go on at their providers/.exec(first.stderr) ?? assert.fail(first.stderr);
  const direct = await run(t, generate(10), { cwd, env: env(provider), code: 1 });
  assert.match(direct.stderr, new RegExp(`in ${batches} batch(es)? at their providers.*--mode batch`));
  await until(async () => (await provider.sums()).calls === Number(asked), 'they are answered meanwhile');
  const it = await run(t, args, { cwd, env: env(provider) });
  assertExactly(10, jsonl(join(cwd, 'problems.jsonl')));
  await assertBill(provider, it);
});

test('resumed with less concurrency, and ended before it comes to all of them: every answer of a found batch is taken', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--batch-time', 10); // longer than from one line of progress to the next
  const first = start(t, batch(8, '--json-progress'), { cwd, env: env(provider) });
  await first.line(/"batched":8/);
  await first.kill('SIGKILL');
  await until(async () => (await provider.sums()).calls === 8, 'the batch is answered');
  const it = await run(t, batch(8, '--json-progress', '--concurrency', 1, '--deadline', '100ms'), { cwd, env: env(provider), code: 3 });
  const told = await assertBill(provider, it);
  assert.equal(told.stop ?? told.reason, 'deadline', JSON.stringify(told));
});

test('a provider without batches is refused before anything is begun', async (t) => {
  const cwd = folder(t);
  const cases = [
    ['gemini/gemini-2.5-pro', { GEMINI_API_KEY: KEY }, /gemini cannot be asked in batches: its wire format is gemini/],
    ['groq/some', { GROQ_API_KEY: KEY }, /groq is not known to have batches.*batches: true/],
  ];
  for (const [model, keys, complaint] of cases) {
    const args = ['generate', '-n', 1, '--mode', 'batch', '--engineer', model, '--checker', model, '--target', model];
    const it = await run(t, args, { cwd, env: keys, code: 2 });
    assert.match(it.stderr, complaint);
  }
});

test('a batch that its provider refuses is told for what it is', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t);
  const args = batch(2, '--stall-errors', 3, '--engineer', 'openai/nobody');
  const it = await run(t, args, { cwd, env: env(provider), code: 1 });
  assert.match(it.stderr, /nobody/);
});
