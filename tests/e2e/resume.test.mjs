// Stopping at any moment and going on: nothing is lost, nothing is paid twice but what was in flight.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { assertExactly, exists, folder, generate, jsonl, run, sim, start, until, wait } from './lib.mjs';
import { assertSchema } from './schema.mjs';

const SLOTS = 30;

test('killed ten times and more, the same command still gives exactly N and pays nothing twice but what was in flight', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--latency', 'lognormal:60,0.6');
  const args = generate(200, '--concurrency', SLOTS, '--quiet');
  let kills = 0;
  for (;;) {
    const it = start(t, args, { cwd, env: provider.env });
    // Some before the first call, most in the middle; however long it takes here to begin.
    const moment = 100 + Math.random() * (400 + 20 * Math.max(0, kills - 20));
    await Promise.race([it.ended, wait(moment)]);
    if (it.code !== undefined) {
      assert.equal(it.code, 0, it.stderr);
      break;
    }
    await it.kill('SIGKILL');
    kills++;
    assert(kills < 200, 'it gets on between the kills');
  }
  assert(kills >= 10, `killed ${kills} times`);
  const problems = jsonl(join(cwd, 'problems.jsonl'));
  assertExactly(200, problems);
  assertSchema(problems);
  const { repeated_request_ids: repeated } = await provider.sums();
  assert(repeated <= kills * SLOTS, `${repeated} calls were paid again after ${kills} kills`);
  t.diagnostic(`${kills} kills, ${repeated} calls paid again, ${kills * SLOTS} allowed`);
});

test('one kill in the middle pays again for at most what was in flight at that moment', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--accept-all', '--latency', 50);
  const args = generate(200, '--judge', 'llm', '--concurrency', SLOTS, '--quiet');
  const it = start(t, args, { cwd, env: provider.env });
  await until(() => provider.ledger().length > 300, '300 calls');
  await it.kill('SIGKILL');
  await run(t, args, { cwd, env: provider.env });
  assertExactly(200, jsonl(join(cwd, 'problems.jsonl')));
  const sums = await provider.sums();
  assert(sums.calls - 4 * 200 <= SLOTS, `${sums.calls} calls for 200 problems`);
});

test('Ctrl-C once finishes what is in flight, says so, and can go on', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--accept-all', '--latency', 600);
  const args = generate(20, '--judge', 'llm', '--seed', 7, '--concurrency', 10);
  const it = start(t, args, { cwd, env: provider.env });
  await until(() => provider.ledger().length > 15, 'some calls');
  it.child.kill('SIGINT');
  await it.ended;
  assert.equal(it.code, 130, it.stderr);
  assert.match(it.stderr, /\b10\b[^\n]*in flight|in flight[^\n]*\b10\b/);
  const before = await provider.sums();
  await run(t, args, { cwd, env: provider.env });
  assertExactly(20, jsonl(join(cwd, 'problems.jsonl')));
  const after = await provider.sums();
  assert.equal(after.calls, 80, `${before.calls} before, ${after.calls} in all: none was paid twice`);
});

test('Ctrl-C twice stops at once, and the job can go on', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--accept-all', '--latency', 30000);
  const args = generate(8, '--concurrency', 8);
  const it = start(t, args, { cwd, env: provider.env });
  await until(() => exists(join(cwd, 'problems.jsonl.db')), 'the state');
  await wait(800); // all eight calls have left by now
  const begin = Date.now();
  it.child.kill('SIGINT');
  await wait(200);
  it.child.kill('SIGINT');
  await it.ended;
  assert(Date.now() - begin < 15000, 'it did not wait for answers');
  assert.equal(it.code, 130, it.stderr);
  const quick = await sim(t, '--accept-all');
  await run(t, args, { cwd, env: quick.env });
  assertExactly(8, jsonl(join(cwd, 'problems.jsonl')));
});

test('a finished job is not done again', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--accept-all');
  await run(t, generate(5), { cwd, env: provider.env });
  const { calls } = await provider.sums();
  await run(t, generate(5), { cwd, env: provider.env });
  assert.equal((await provider.sums()).calls, calls);
});

test('another job on the same file is an error that names the difference', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--accept-all');
  await run(t, generate(5), { cwd, env: provider.env });
  const more = await run(t, generate(6), { cwd, env: provider.env, code: null });
  assert.notEqual(more.code, 0);
  assert.match(more.stderr, /num_problems|--num-problems/);
  assert.match(more.stderr, /--fresh/);
  const args = ['generate', '-n', 5, '--engineer', 'openai/engineer', '--checker', 'openai/checker', '--target', 'openai/target-b'];
  const other = await run(t, args, { cwd, env: provider.env, code: null });
  assert.notEqual(other.code, 0);
  assert.match(other.stderr, /target_model|--target/);
});

test('--fresh moves the old state aside and starts over', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--accept-all');
  await run(t, generate(5), { cwd, env: provider.env });
  const it = await run(t, generate(6, '--fresh'), { cwd, env: provider.env });
  assertExactly(6, jsonl(join(cwd, 'problems.jsonl')));
  const moved = /moved the old state to (\S+)/.exec(it.stderr);
  assert(moved && exists(join(cwd, moved[1])), it.stderr);
});

test('two runs on one state: the second is told who has it', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--accept-all', '--latency', 300);
  const first = start(t, generate(200, '--concurrency', 4), { cwd, env: provider.env });
  await until(() => provider.ledger().length > 2, 'some calls');
  const second = await run(t, generate(200, '--concurrency', 4), { cwd, env: provider.env, code: 1 });
  assert.match(second.stderr, new RegExp(`\\b${first.pid}\\b`));
});
