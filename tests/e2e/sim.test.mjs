// `stumper sim` and `stumper score` as programs: determinism, what outlives a kill, who dies with whom.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { folder, jsonl, program, run, sim, start, until, wait } from './lib.mjs';

async function say(provider, model, text) {
  const response = await fetch(`${provider.url}/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ model, messages: [{ role: 'user', content: text }] }),
  });
  return (await response.json()).choices[0].message.content;
}

const write = async (provider, i) => JSON.parse(await say(provider, 'engineer', `Problem ${i}.`));

test('the same seed says the same, another something else', async (t) => {
  const said = async (seed) => {
    const provider = await sim(t, '--seed', seed, '--messy-rate', 0);
    return Promise.all([1, 2, 3, 4].map((i) => write(provider, i)));
  };
  assert.deepEqual(await said(7), await said(7));
  assert.notDeepEqual(await said(7), await said(8));
});

test('a simulator started again with its truth file knows its problems', async (t) => {
  const truth = join(folder(t), 'truth.jsonl');
  const flags = ['--truth', truth, '--messy-rate', 0, '--checker-strict', 0, '--checker-lenient', 0, '--wrong-answer-rate', 0];
  const first = await sim(t, ...flags);
  const problem = await write(first, 1);
  await first.kill('SIGKILL'); // nobody had time to write anything later
  assert.equal(jsonl(truth)[0].problem, problem.problem);
  const second = await sim(t, ...flags);
  const check = async (answer) => {
    const task = { validation_type: 'initial', problem: problem.problem, answer, hints: problem.hints };
    return JSON.parse(await say(second, 'checker', JSON.stringify(task)));
  };
  assert.equal((await check(problem.answer)).valid, true);
  assert.equal((await check('-12345')).valid, false);
});

test('it ends cleanly when asked to, with requests under way', async (t) => {
  const provider = await sim(t, '--latency', 60000);
  const pending = say(provider, 'engineer', 'x').catch(() => 'gone');
  await wait(100);
  const { code } = await provider.kill('SIGTERM');
  assert.equal(code, 0);
  assert.equal(await pending, 'gone');
});

test('as a child it ends with its parent', async (t) => {
  const script = `const { spawn } = require('node:child_process');
    const sim = spawn(${JSON.stringify(program)}, ['sim', '--parent-pid', String(process.pid)], { stdio: 'inherit' });
    console.log('child', sim.pid);
    setInterval(() => {}, 1000);`;
  const parent = start(t, ['-e', script], { program: process.execPath });
  const child = Number((await parent.line(/^child (\d+)$/m))[1]);
  await parent.line(/^listening on /m);
  parent.child.kill('SIGKILL');
  const gone = () => {
    try {
      process.kill(child, 0);
      return false;
    } catch {
      return true;
    }
  };
  await until(gone, 'the child had ended');
});

test('a port is written to the descriptor that asks for it', async (t) => {
  const child = spawn(program, ['sim', '--ready-fd', '3'], { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  let text = '';
  for await (const part of child.stdio[3]) text += part; // it is closed behind the port
  const response = await fetch(`http://127.0.0.1:${Number(text)}/healthz`);
  assert.equal(await response.text(), 'ok\n');
});

test('wrong flags are told with what would be right', async (t) => {
  const told = async (...args) => (await run(t, ['sim', ...args], { code: 2 })).stderr;
  assert.match(await told('--latency', 'soon'), /--latency: 'soon' is neither a number nor lognormal:MEAN,SIGMA/);
  assert.match(await told('--fault-500', 0.7, '--fault-503', 0.7), /add up to 1\.4/);
  assert.match(await told('--rpm', '600,30:300'), /'600,30:300' is no limit: write N, or N,30s:N/);
  assert.match(await told('--price', 'sim/engineer'), /is not a price/);
  assert.match(await told('--tls-cert', 'cert.pem'), /belong together/);
  assert.match(await told('--listen', 'here'), /'here' is not an IP address/);
  assert.match((await run(t, ['sim', '--truth', '/nowhere/at/all'], { code: 1 })).stderr, /\/nowhere\/at\/all: No such file/);
});

test('a score is given as a table and as JSON; what cannot be read is told with its line', async (t) => {
  const cwd = folder(t);
  const lines = (name, ...objects) => writeFileSync(join(cwd, name), objects.map((o) => `${JSON.stringify(o)}\n`).join(''));
  lines('truth.jsonl', { problem: 'a?', right: ['1/2', '0.5'], wrong: ['2'] });
  lines('problems.jsonl', { status: 'accepted', problem: 'a?', answer: '0.5', target_model_answer: '2' },
    { status: 'accepted', problem: 'b?', answer: '1', target_model_answer: '2' });
  const score = (...args) => run(t, ['score', 'problems.jsonl', '--truth', 'truth.jsonl', ...args], { cwd });
  assert.match((await score()).stdout, /stated answer truly right +1 +100\.0 %/);
  assert.deepEqual(JSON.parse((await score('--json')).stdout),
    { kept: 2, unknown: 1, key_right: 1, key_wrong: 0, unsolved: 1, falsely_kept: 0, unsure: 0, good: 1,
      judged: 0, by_proof: 0, false_accepts: 0, false_solves: 0 });
  writeFileSync(join(cwd, 'problems.jsonl'), '{"status": "accepted"}\n{"status"\n');
  const it = await run(t, ['score', 'problems.jsonl', '--truth', 'truth.jsonl'], { cwd, code: 1 });
  assert.match(it.stderr, /problems\.jsonl line 2: column/);
});
