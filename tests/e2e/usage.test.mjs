// What is wrong is named, with what would be right.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { folder, generate, MODELS, run } from './lib.mjs';

const env = { OPENAI_API_KEY: 'none' };

/** The message of a command that is used wrongly. */
async function wrong(t, args, options = {}) {
  const it = await run(t, args, { cwd: folder(t), env, code: 2, ...options });
  assert.equal(it.stdout, '');
  return it.stderr;
}

test('a mistyped flag, command or value suggests the near one', async (t) => {
  assert.match(await wrong(t, generate(5, '--concurency', 5)), /--concurrency/);
  assert.match(await wrong(t, ['generat']), /generate/);
  assert.match(await wrong(t, generate(5, '--format', 'jsnl')), /jsonl/);
});

test('a bad number names the flag, the value and what would be right', async (t) => {
  const it = await wrong(t, generate(5, '--concurrency', '12x'));
  assert.match(it, /--concurrency/);
  assert.match(it, /12x/);
  assert.match(it, /whole number/);
  assert.match(await wrong(t, generate(0)), /-n|--num-problems/);
  assert.match(await wrong(t, generate(5, '--deadline', 'soon')), /--deadline.*soon/s);
  assert.match(await wrong(t, generate(5, '--max-cost', 'much')), /--max-cost.*much/s);
});

test('a bad model name says how one looks', async (t) => {
  const models = ['--checker', 'openai/a', '--target', 'openai/b'];
  assert.match(await wrong(t, ['generate', '-n', 5, '--engineer', 'gpt', ...models]), /--engineer.*provider/s);
  assert.match(await wrong(t, ['generate', '-n', 5, ...models]), /--engineer/);
});

test('an unknown provider names the nearest, or how to configure one', async (t) => {
  const said = async (engineer) => {
    const args = ['generate', '-n', 5, '--engineer', engineer, '--checker', 'openai/a', '--target', 'openai/b'];
    const it = await run(t, args, { cwd: folder(t), env, code: null });
    assert.notEqual(it.code, 0);
    return it.stderr;
  };
  assert.match(await said('opnai/x'), /did you mean openai/);
  assert.match(await said('our-own-server/x'), /stumper\.yaml/);
});

test('a missing key names the variable', async (t) => {
  const it = await run(t, generate(5), { cwd: folder(t), code: null });
  assert.notEqual(it.code, 0);
  assert.match(it.stderr, /OPENAI_API_KEY/);
});

test('a bad seed line names file and line', async (t) => {
  const cwd = folder(t);
  writeFileSync(join(cwd, 'seeds.jsonl'), '{"problem": "What is 1 + 1?"}\n{"answer": "2"}\n{"problem": \n');
  const it = await wrong(t, generate(5, '--seeds', 'seeds.jsonl'), { cwd });
  assert.match(it, /seeds\.jsonl/);
  assert.match(it, /line 2/);
  assert.match(it, /problem/);
});

test('a bad taxonomy names file and place', async (t) => {
  const cwd = folder(t);
  writeFileSync(join(cwd, 'syntax.json'), '{"Algebra": [\n"Quadratics",\n]}');
  const syntax = await wrong(t, generate(5, '--taxonomy', 'syntax.json'), { cwd });
  assert.match(syntax, /syntax\.json/);
  assert.match(syntax, /line 3/);
  writeFileSync(join(cwd, 'type.json'), '{"Algebra": ["Quadratics", 7]}');
  const type = await wrong(t, generate(5, '--taxonomy', 'type.json'), { cwd });
  assert.match(type, /type\.json/);
  assert.match(type, /Algebra\/1/);
  assert.match(await wrong(t, generate(5, '--taxonomy', 'none.json'), { cwd }), /none\.json/);
});

test('a spec with an unknown field names it', async (t) => {
  const cwd = folder(t);
  writeFileSync(join(cwd, 'job.json'), '{"num_problems": 5, "engineer_modle": "openai/x"}');
  const it = await wrong(t, ['generate', '--spec', 'job.json', ...MODELS], { cwd });
  assert.match(it, /job\.json/);
  assert.match(it, /engineer_modle/);
});

test('a prompt that is missing or names an unknown variable is an error that names it', async (t) => {
  const cwd = folder(t);
  mkdirSync(join(cwd, 'prompts'));
  const it = await wrong(t, generate(5, '--prompts', 'prompts'), { cwd });
  assert.match(it, /prompts\/\S+\.md/);
});

test('a bad stumper.yaml names file and line or key', async (t) => {
  const cwd = folder(t);
  writeFileSync(join(cwd, 'stumper.yaml'), 'concurency: 5\n');
  const it = await wrong(t, generate(5), { cwd });
  assert.match(it, /stumper\.yaml/);
  assert.match(it, /concurrency/);
});

test('help of every command goes to standard output and exits 0', async (t) => {
  for (const command of ['generate', 'show', 'status', 'export', 'doctor', 'compare', 'sim', 'score', 'version']) {
    const it = await run(t, [command, '--help']);
    assert.match(it.stdout, new RegExp(`usage: stumper ${command}`));
  }
});
