// The client against OpenAI's published specification, kept by a double that nobody here wrote (Prism): every request that it
// sends, and what the simulator answers, must be what the document allows.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

import { assertExactly, folder, jsonl, KEY, run, sim, start } from './lib.mjs';
import { assertPublished, writeDocument } from './published.mjs';
import { freePort } from './servers.mjs';

const require = createRequire(import.meta.url);
const cli = join(dirname(require.resolve('@stoplight/prism-cli/package.json')), 'dist/index.js');

/** Prism in `mode` over OpenAI's document; violations are errors. Gives its URL and how it tells of itself. */
async function prism(t, mode, ...more) {
  const port = await freePort();
  const it = start(t, [cli, mode, writeDocument(folder(t)), ...more, '--errors', '--port', port], { program: process.execPath });
  await it.line(/Prism is listening/);
  return { url: `http://127.0.0.1:${port}/v1`, said: () => it.stdout + it.stderr };
}

/** The environment and folder of a client whose provider `lab` is at `url`. */
function client(t, url) {
  const cwd = folder(t);
  writeFileSync(join(cwd, 'stumper.yaml'), `providers: {lab: {base_url: "${url}", api_key_env: LAB_API_KEY, stream: false}}\n`);
  return { cwd, env: { LAB_API_KEY: KEY } };
}

const models = ['--engineer', 'lab/engineer', '--checker', 'lab/checker', '--target', 'lab/target'];

test('Prism sees requests that are not as OpenAI published', async (t) => {
  const provider = await sim(t, '--accept-all');
  const double = await prism(t, 'proxy', provider.base);
  for (const [path, body] of [['chat/completions', { messages: 'hello' }], ['responses', { input: 'hello', nonsense: 1 }]]) {
    const got = await fetch(`${double.url}/${path}`, {
      method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}` },
      body: JSON.stringify({ model: 'target', ...body }),
    });
    assert.equal(got.status, 422);
  }
  assert.equal((await provider.sums()).calls, 0);
});

for (const [type, extra] of [['openai-chat', 'presence_penalty: 0.5, user: me'], ['openai-responses', 'truncation: auto, user: me']]) {
  test(`a run of ${type} through Prism, plain, streamed, with all that a configuration may add: all is as OpenAI published`, async (t) => {
    const provider = await sim(t, '--accept-all', '--messy-rate', '0.3');
    const double = await prism(t, 'proxy', provider.base);
    const cwd = folder(t);
    const ways = {
      plain: 'stream: false',
      streamed: 'stream: true',
      full: `stream: false, temperature: 0.5, top_p: 0.9, effort: low, extra_body: {${extra}}`,
    };
    const of = ([name, way]) => `  ${name}: {type: ${type}, base_url: "${double.url}", api_key_env: LAB_API_KEY, ${way}}\n`;
    writeFileSync(join(cwd, 'stumper.yaml'), `providers:\n${Object.entries(ways).map(of).join('')}`);
    const who = ['--engineer', 'plain/engineer', '--checker', 'full/checker', '--target', 'streamed/target'];
    await run(t, ['generate', '-n', 3, '--concurrency', 3, '--judge', 'llm', ...who, '-o', 'out.jsonl'], { cwd, env: { LAB_API_KEY: KEY } });
    assertExactly(3, jsonl(join(cwd, 'out.jsonl')));
    assert.equal((await provider.sums()).calls, 12);
    assert.doesNotMatch(double.said(), /violat|✖/i);
  });
}

for (const [path, kind, body] of [
  ['chat/completions', 'ChatEvent', { messages: [{ role: 'user', content: 'hello' }], stream_options: { include_usage: true } }],
  ['responses', 'ResponsesEvent', { input: 'hello' }],
]) {
  test(`every event of the simulator's ${path} is as OpenAI published`, async (t) => {
    const provider = await sim(t);
    const got = await fetch(`${provider.url}/${path}`, {
      method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}` },
      body: JSON.stringify({ model: 'target', stream: true, ...body }),
    });
    const events = [...(await got.text()).matchAll(/^data: (\{.*)$/gm)].map(([, data]) => JSON.parse(data));
    assert.ok(events.length > 5);
    assertPublished(kind, events);
  });
}

test('models and doctor against the answers that Prism makes of the document', async (t) => {
  const double = await prism(t, 'mock');
  const options = client(t, double.url);
  assert.equal((await run(t, ['models', 'lab'], options)).stdout, 'lab/string\n');
  const { stdout } = await run(t, ['doctor', 'lab/string'], options);
  assert.match(stdout, /lab/);
  assert.doesNotMatch(double.said(), /violat|✖/i);
});

test('answers of the right shape without sense are no problems', async (t) => {
  const double = await prism(t, 'mock');
  const options = client(t, double.url);
  await run(t, ['generate', '-n', 1, '--max-attempts', 3, '--concurrency', 1, '--keep', 'all', ...models, '-o', 'out.jsonl'], { ...options, code: 3 });
  const made = jsonl(join(options.cwd, 'out.jsonl'));
  assert.equal(made.length, 3);
  for (const p of made) assert.equal(p.status, 'failed', JSON.stringify(p));
});
