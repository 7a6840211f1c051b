// The client against a double of the providers that nobody here wrote (@copilotkit/aimock): whole runs in every wire
// format, as streams and not, also while the double fails.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { folder, jsonl, KEY, run } from './lib.mjs';

const [major, minor] = process.versions.node.split('.').map(Number);
const old = major < 20 || (major === 20 && minor < 15);
const skip = old && `aimock needs Node 20.15, this is ${process.version}`;

let made_so_far = 0;
const problem = () => ({
  subject: 'Algebra', topic: 'Roots', problem: `Find the positive $x$ with $x^2 = 49$. (Number ${++made_so_far})`, answer: '7',
  hints: { 0: 'Take roots.', 1: 'Two candidates.', 2: 'Keep the positive one.', 3: null, 4: null },
});
const check = { reason: 'It holds.', valid: true, corrected_hints: null };
const verdict = { reason: '7 is not 8.', valid: false, equivalence_confidence: 0 };
const usage = { prompt_tokens: 11, completion_tokens: 4 };

/** The text of a message, whatever its shape. */
const said = (message) => (typeof message.content === 'string' ? message.content : JSON.stringify(message.content ?? ''));
const asks = (word) => (request) => request.messages.some((m) => said(m).includes(word));

/** A double that plays all roles: every model answers by what it is asked. */
async function double(t) {
  const { LLMock } = await import('@copilotkit/aimock');
  const mock = new LLMock({ port: 0, chunkSize: 7 });
  const say = (predicate, content) => mock.on({ predicate }, () => ({ content: content(), usage }));
  say(asks('equivalence_check'), () => JSON.stringify(verdict));
  say(asks('validation_type'), () => JSON.stringify(check));
  say(asks('You write mathematics problems'), () => JSON.stringify(problem()));
  say(() => true, () => 'The root is \\boxed{8}.');
  await mock.start();
  t.after(() => mock.stop());
  return mock;
}

const formats = {
  'openai-chat': '/v1',
  'openai-responses': '/v1',
  anthropic: '',
  gemini: '',
};

/** One problem made over `type`; gives it and how the run told of itself. */
async function generate(t, mock, type, stream) {
  const cwd = folder(t);
  const file = join(cwd, 'stumper.yaml');
  writeFileSync(file, `providers:\n  lab: {type: ${type}, base_url: "${mock.baseUrl}${formats[type]}", api_key_env: LAB_API_KEY, stream: ${stream}}\n`);
  const models = ['--engineer', 'lab/gpt-4.1', '--checker', 'lab/gpt-4.1', '--target', 'lab/gpt-4.1'];
  const { stderr } = await run(t, ['generate', '-n', 1, '--concurrency', 1, '--max-attempts', 20, ...models, '-o', 'out.jsonl'], { cwd, env: { LAB_API_KEY: KEY } });
  const [made] = jsonl(join(cwd, 'out.jsonl'));
  return { made, stderr };
}

for (const type of Object.keys(formats)) {
  for (const stream of [false, true]) {
    test(`a run over ${type}, ${stream ? 'streamed' : 'whole answers'}`, { skip }, async (t) => {
      const mock = await double(t);
      const { made } = await generate(t, mock, type, stream);
      assert.match(made.problem, /x\^2 = 49/);
      assert.equal(made.status, 'accepted');
      assert.match(made.target_model_answer, /8/);
      const requests = mock.getRequests(); // engineer, checker, target; a judge only where nothing is proven
      assert(requests.length >= 3);
      assert.equal(made.usage.input_tokens, requests.length * usage.prompt_tokens);
      assert.equal(made.usage.output_tokens, requests.length * usage.completion_tokens);
      assert(requests.every((r) => Boolean(r.body.stream) === stream || type === 'gemini'));
    });
  }

  test(`a run over ${type} while a third of its answers breaks off, is refused or is nonsense`, { skip }, async (t) => {
    const mock = await double(t);
    mock.setChaos({ rateLimitRate: 0.1, malformedRate: 0.1, disconnectRate: 0.1, dropRate: 0.05 });
    const { made } = await generate(t, mock, type, true);
    assert.equal(made.status, 'accepted');
  });
}

test('a key that is not definite is rejected before anybody else is paid; --allow-text-answers lets the checker see it', { skip }, async (t) => {
  const mock = await double(t);
  mock.clearFixtures();
  mock.on({ predicate: asks('You write mathematics problems') }, () => ({ content: JSON.stringify({ ...problem(), answer: 'it depends on the reader' }), usage }));
  mock.on({ predicate: asks('validation_type') }, () => ({ content: JSON.stringify({ ...check, valid: false }), usage }));
  const cwd = folder(t);
  const models = ['--engineer', 'openai/gpt-4.1', '--checker', 'openai/gpt-4.1', '--target', 'openai/gpt-4.1'];
  const tried = async (output, ...more) => {
    const before = mock.getRequests().length;
    await run(t, ['generate', '-n', 1, '--concurrency', 1, '--max-attempts', 2, '--keep', 'all', '-o', output, ...models, ...more],
      { cwd, code: 3, env: { OPENAI_BASE_URL: `${mock.baseUrl}/v1`, OPENAI_API_KEY: KEY } });
    return { problems: jsonl(join(cwd, output)), calls: mock.getRequests().length - before };
  };
  const strict = await tried('strict.jsonl');
  assert.deepEqual(strict.problems.map((p) => p.status), ['rejected', 'rejected']);
  assert.match(strict.problems[0].rejection_reason, /definite|text/);
  assert.equal(strict.calls, 2); // the engineer's
  const allowed = await tried('allowed.jsonl', '--allow-text-answers');
  assert.equal(allowed.problems[0].rejection_reason, 'It holds.');
  assert.equal(allowed.calls, 4); // and the checker's
});

test('an error once, of every class, is retried or told', { skip }, async (t) => {
  const mock = await double(t);
  mock.nextRequestError(529, { message: 'Overloaded', type: 'overloaded_error' });
  assert.equal((await generate(t, mock, 'anthropic', false)).made.status, 'accepted');
  mock.nextRequestError(503, { message: 'The model is overloaded.', type: 'UNAVAILABLE' });
  assert.equal((await generate(t, mock, 'gemini', false)).made.status, 'accepted');
});

test('the double lists its models', { skip }, async (t) => {
  const mock = await double(t);
  const { stdout } = await run(t, ['models', 'openai'], { env: { OPENAI_BASE_URL: `${mock.baseUrl}/v1`, OPENAI_API_KEY: KEY } });
  assert.match(stdout, /^openai\/gpt-/m);
});
