// The forms of the output, and the commands that read a job.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { assertExactly, folder, generate, jsonl, MODELS, run, sim, text } from './lib.mjs';
import { assertSchema } from './schema.mjs';

/** Parse RFC 4180: rows of fields. */
function csv(source) {
  const rows = [[]];
  const field = /("(?:[^"]|"")*"|[^,"\r\n]*)(,|\r?\n|$)/y;
  while (field.lastIndex < source.length) {
    const [, value, end] = field.exec(source);
    rows.at(-1).push(value.startsWith('"') ? value.slice(1, -1).replaceAll('""', '"') : value);
    if (end !== ',' && field.lastIndex < source.length) rows.push([]);
  }
  return rows;
}

test('json, csv and chat say the same as jsonl', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t);
  await run(t, generate(8), { cwd, env: provider.env });
  const lines = jsonl(join(cwd, 'problems.jsonl'));
  const exported = async (format) => (await run(t, ['export', 'problems.jsonl.db', '--format', format], { cwd })).stdout;

  assert.deepEqual(JSON.parse(await exported('json')), lines);

  const [header, ...rows] = csv(await exported('csv'));
  assert.equal(rows.length, lines.length);
  rows.forEach((row, i) => {
    assert.equal(row.length, header.length);
    assert.equal(row[header.indexOf('id')], lines[i].id);
    assert.equal(row[header.indexOf('problem')], lines[i].problem);
    assert.deepEqual(JSON.parse(row[header.indexOf('hints')]), lines[i].hints);
  });

  const chats = (await exported('chat')).trim().split('\n').map((line) => JSON.parse(line));
  chats.forEach((chat, i) => {
    assert.deepEqual(chat.messages.map((m) => [m.role, m.content]), [
      ['user', lines[i].problem],
      ['assistant', lines[i].answer],
    ]);
  });
});

test('generate writes the other forms itself', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--accept-all');
  await run(t, generate(3, '--format', 'json', '-o', 'p.json'), { cwd, env: provider.env });
  const problems = JSON.parse(text(join(cwd, 'p.json')));
  assertExactly(3, problems);
  assertSchema(problems);
});

test('a file that nobody could write again is not written over; --fresh replaces it', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t);
  const mine = join(cwd, 'problems.jsonl');
  writeFileSync(mine, 'mine\n');
  const refused = await run(t, generate(3), { cwd, env: provider.env, code: 2 });
  assert.match(refused.stderr, /problems\.jsonl is there already.*problems\.jsonl\.db.*--fresh/);
  assert.equal(text(mine), 'mine\n');
  assert.equal((await provider.sums()).calls, 0);
  await run(t, generate(3, '--fresh'), { cwd, env: provider.env });
  assertExactly(3, jsonl(mine));
  const lost = await run(t, generate(3, '-o', 'no/where.jsonl'), { cwd, env: provider.env, code: 2 });
  assert.match(lost.stderr, /--output no\/where\.jsonl: no: No such file or directory/);
});

test('show prints a problem readably, all or one by its id', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--accept-all');
  await run(t, generate(3), { cwd, env: provider.env });
  const lines = jsonl(join(cwd, 'problems.jsonl'));
  const all = await run(t, ['show', 'problems.jsonl'], { cwd });
  const flat = (s) => s.replace(/\s+/g, '');
  for (const p of lines) assert(all.stdout.includes(p.id) && flat(all.stdout).includes(flat(p.problem)));
  const one = await run(t, ['show', 'problems.jsonl.db', lines[1].id], { cwd });
  assert(flat(one.stdout).includes(flat(lines[1].problem)));
  assert(!flat(one.stdout).includes(flat(lines[0].problem)));
  const none = await run(t, ['show', 'problems.jsonl', 'zzz'], { cwd, code: 1 });
  assert.match(none.stderr, /zzz/);
});

test('status tells counts and cost, for people and for programs', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--accept-all');
  const prices = ['engineer', 'checker', 'target'].flatMap((m) => ['--price', `openai/${m}=1,1`]);
  await run(t, generate(4, '--judge', 'llm', ...prices), { cwd, env: provider.env });
  const status = JSON.parse((await run(t, ['status', 'problems.jsonl.db', '--json'], { cwd })).stdout);
  assert.equal(status.state, 'succeeded');
  assert.equal(status.outcomes.accepted, 4);
  assert.equal(status.calls, 16);
  assert(status.cost_usd > 0);
  const told = await run(t, ['status', 'problems.jsonl.db'], { cwd });
  assert.match(told.stdout, /4 of 4/);
});

test('a cost that nobody knows is unknown wherever it is told, never 0', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--accept-all');
  const it = await run(t, generate(2, '--json-progress'), { cwd, env: provider.env });
  const end = JSON.parse(it.stderr.trim().split('\n').at(-1));
  assert.deepEqual([end.cost_usd, end.calls_unpriced], [null, end.calls]);
  assert.deepEqual(jsonl(join(cwd, 'problems.jsonl')).map((p) => p.cost_usd), [null, null]);
  const status = JSON.parse((await run(t, ['status', 'problems.jsonl.db', '--json'], { cwd })).stdout);
  assert.deepEqual([status, ...status.spend].map((row) => row.cost_usd), [null, null, null, null]);
  assert.match((await run(t, ['status', 'problems.jsonl.db'], { cwd })).stdout, /money +unknown/);
});

test('the end tells outcomes, money per problem, calls, latencies and where the file is', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--latency', 5);
  const prices = ['engineer', 'checker', 'target'].flatMap((m) => ['--price', `openai/${m}=1,1`]);
  const it = await run(t, generate(6, ...prices), { cwd, env: provider.env });
  for (const told of [/accepted/, /solved/, /rejected/, /p50/, /p95/, /\$/, /engineer/, /problems\.jsonl/]) {
    assert.match(it.stderr, told);
  }
});

test('doctor finds what is right and what is wrong', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t);
  const good = await run(t, ['doctor', ...MODELS], { cwd, env: provider.env });
  assert.match(good.stdout + good.stderr, /openai/);
  const refused = await sim(t, '--require-key', 'another');
  const bad = await run(t, ['doctor', ...MODELS], { cwd, env: refused.env, code: 1 });
  assert.match(bad.stdout + bad.stderr, /OPENAI_API_KEY|401/);
  await run(t, ['doctor', '--offline', ...MODELS], { cwd, env: { OPENAI_API_KEY: 'x', OPENAI_BASE_URL: 'http://127.0.0.1:9/v1' } });
});

test('version says which it is', async (t) => {
  const it = await run(t, ['version']);
  assert.match(it.stdout, /^stumper \d+\.\d+\.\d+/);
  const { libraries } = JSON.parse((await run(t, ['version', '--json'])).stdout);
  for (const [name, version] of Object.entries(libraries)) assert.match(version, /\d+\.\d+/, name);
});
