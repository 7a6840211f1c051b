// stumper generate, end to end, against a simulated provider in a process of its own.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { assertExactly, exists, folder, generate, jsonl, KEY, run, sim, text } from './lib.mjs';
import { assertSchema } from './schema.mjs';

test('N problems are made and every line has the form of the schema', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--latency', 5);
  const it = await run(t, generate(25, '--keep', 'all'), { cwd, env: provider.env });
  const problems = jsonl(join(cwd, 'problems.jsonl'));
  assertExactly(25, problems);
  assertSchema(problems);
  for (const status of ['rejected', 'solved']) {
    assert(problems.some((p) => p.status === status), `some are ${status}`);
  }
  assert.match(it.stderr, /25 of 25 problems accepted/);
});

test('faults of every kind, 5 % each, change nothing about the result', async (t) => {
  const cwd = folder(t);
  const kinds = ['429', '500', '503', 'reset', 'hang', 'truncate', 'malformed', 'empty', 'refuse'];
  const provider = await sim(t, '--latency', 5, ...kinds.flatMap((k) => [`--fault-${k}`, '0.05']));
  await run(t, generate(40, '--concurrency', 40, '--timeout', '2s', '--keep', 'all', '--stall-errors', 0), {
    cwd,
    env: provider.env,
  });
  const problems = jsonl(join(cwd, 'problems.jsonl'));
  assertExactly(40, problems);
  assertSchema(problems);
});

test('500 problems with 500 attempts in flight, 5 % of the calls at fault', async (t) => {
  const cwd = folder(t);
  const kinds = ['429', '500', '503', '529', 'reset', 'truncate', 'malformed', 'empty', 'refuse']; // none that a deadline ends
  const provider = await sim(t, '--latency', 'lognormal:60,0.5', ...kinds.flatMap((k) => [`--fault-${k}`, 0.05 / kinds.length]));
  const args = generate(500, '--concurrency', 500, '--stall-errors', 0);
  await run(t, args, { cwd, env: provider.env });
  const problems = jsonl(join(cwd, 'problems.jsonl'));
  assertExactly(500, problems);
  assertSchema(problems);
  assert.equal((await provider.sums()).repeated_request_ids, 0, 'no call was paid twice');
});

test('only accepted problems are written unless all are asked for', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t);
  await run(t, generate(10), { cwd, env: provider.env });
  assert(jsonl(join(cwd, 'problems.jsonl')).every((p) => p.status === 'accepted'));
});

test('with - the problems go to standard output and nothing else does', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t);
  const it = await run(t, generate(5, '-o', '-'), { cwd, env: provider.env });
  const lines = it.stdout.trim().split('\n').map((line) => JSON.parse(line));
  assertExactly(5, lines);
});

test('sim/… models start a simulated provider of their own', async (t) => {
  const cwd = folder(t);
  const models = ['--engineer', 'sim/engineer', '--checker', 'sim/checker', '--target', 'sim/target'];
  const it = await run(t, ['generate', '-n', 5, ...models, '--sim', '--latency 2'], { cwd });
  assertExactly(5, jsonl(join(cwd, 'problems.jsonl')));
  assert.match(it.stderr, /simulated provider/);
});

test('score tells how many kept problems are truly right and truly unsolved', async (t) => {
  const cwd = folder(t);
  const truth = join(cwd, 'truth.jsonl');
  const provider = await sim(t, '--truth', truth);
  await run(t, generate(30, '--keep', 'all'), { cwd, env: provider.env });
  await provider.kill('SIGTERM');
  const it = await run(t, ['score', 'problems.jsonl', '--truth', truth], { cwd });
  assert.match(it.stdout, /\b30\b/);
});

test('every problem carries its seed as reference', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--accept-all');
  const seeds = [1, 2, 3].map((i) => ({ problem: `What is ${i} + ${i}?`, answer: `${2 * i}`, source_id: `s${i}`, tags: ['sum'] }));
  writeFileSync(join(cwd, 'seeds.jsonl'), seeds.map((s) => JSON.stringify(s)).join('\n'));
  await run(t, generate(6, '--seeds', 'seeds.jsonl'), { cwd, env: provider.env });
  const problems = jsonl(join(cwd, 'problems.jsonl'));
  assertSchema(problems);
  for (const p of problems) {
    assert(seeds.some((s) => s.source_id === p.reference.source_id && s.problem === p.reference.problem));
  }
});

test('subjects and topics come from --topic, or from a taxonomy of either form', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--accept-all');
  const made = async (...flags) => {
    await run(t, generate(4, '--fresh', ...flags), { cwd, env: provider.env });
    return jsonl(join(cwd, 'problems.jsonl'));
  };
  for (const p of await made('--topic', 'Algebra/Quadratics')) {
    assert.deepEqual([p.subject, p.topic], ['Algebra', 'Quadratics']);
  }
  writeFileSync(join(cwd, 'flat.json'), '{"Geometry": ["Circles"]}');
  for (const p of await made('--taxonomy', 'flat.json')) {
    assert.deepEqual([p.subject, p.topic], ['Geometry', 'Circles']);
  }
  writeFileSync(join(cwd, 'rich.json'), '{"Logic": {"Sets": {"level": "hard", "description": "Unions and such."}}}');
  for (const p of await made('--taxonomy', 'rich.json')) {
    assert.deepEqual([p.subject, p.topic], ['Logic', 'Sets']);
  }
});

test('a spec file asks for the same as flags do, with the names that existing clients use', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--accept-all');
  const spec = {
    num_problems: 7,
    engineer_model: { provider: 'openai', model_name: 'engineer' },
    checker_model: 'openai/checker',
    target_model: { provider: 'openai', model_name: 'target' },
    taxonomy: { Algebra: ['Quadratics'] },
  };
  writeFileSync(join(cwd, 'job.json'), JSON.stringify(spec));
  await run(t, ['generate', '--spec', 'job.json'], { cwd, env: provider.env });
  const problems = jsonl(join(cwd, 'problems.jsonl'));
  assertExactly(7, problems);
  assert(problems.every((p) => p.topic === 'Quadratics'));
});

test('settings come from stumper.yaml, the environment is stronger, a flag is strongest', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--accept-all');
  const yaml = `providers:
  lab: {type: openai-chat, base_url: "${provider.url}", api_key_env: LAB_KEY}
engineer: lab/engineer
checker: lab/checker
target: lab/target
num-problems: 3
`;
  writeFileSync(join(cwd, 'stumper.yaml'), yaml);
  const count = async (env, ...flags) => {
    await run(t, ['generate', '--fresh', ...flags], { cwd, env: { LAB_KEY: KEY, ...env } });
    return jsonl(join(cwd, 'problems.jsonl')).length;
  };
  assert.equal(await count({}), 3);
  assert.equal(await count({ STUMPER_NUM_PROBLEMS: '4' }), 4);
  assert.equal(await count({ STUMPER_NUM_PROBLEMS: '4' }, '-n', 5), 5);
});

test('a key is found nowhere: not in the display, an error, the state or the output (G9)', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--fault-rate', '0.1', '--require-key', KEY);
  const good = await run(t, generate(10, '--timeout', '2s', '--stall-errors', 0), { cwd, env: provider.env });
  const refused = await sim(t, '--require-key', 'another');
  const bad = await run(t, generate(10, '-o', 'bad.jsonl'), { cwd, env: refused.env, code: null });
  assert.notEqual(bad.code, 0);
  const doctor = await run(t, ['doctor', ...['engineer', 'checker', 'target'].flatMap((r) => [`--${r}`, `openai/${r}`])], {
    cwd,
    env: refused.env,
    code: null,
  });
  const seen = [good, bad, doctor].flatMap((it) => [it.stdout, it.stderr]);
  for (const name of ['problems.jsonl', 'problems.jsonl.db', 'problems.jsonl.db-wal', 'bad.jsonl', 'bad.jsonl.db', 'bad.jsonl.db-wal']) {
    if (exists(join(cwd, name))) seen.push(text(join(cwd, name)));
  }
  assert(seen.every((s) => !s.includes(KEY) && !s.includes(KEY.slice(8))));
});
