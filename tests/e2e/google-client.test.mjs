// The simulator against the official Gemini client: generateContent whole and streamed, errors, models. That client
// wants Node 20.
import assert from 'node:assert/strict';
import { test as always } from 'node:test';

import { failure, KEY, sim } from './lib.mjs';

const able = Number(process.versions.node.split('.')[0]) >= 20;
const test = able ? always : always.skip;
const { ApiError, GoogleGenAI } = able ? await import('@google/genai') : {};

const client = (provider, apiKey = KEY) => new GoogleGenAI({ apiKey, httpOptions: { baseUrl: provider.base } });
const ask = (text, more = {}) => ({ model: 'engineer', contents: text, ...more });

test('content comes back whole', async (t) => {
  const { models } = client(await sim(t, '--messy-rate', 0, '--reasoning-tokens', 15, '--cached-input', 0.5));
  const config = { systemInstruction: 'Be exact.', responseMimeType: 'application/json', responseJsonSchema: { type: 'object' }, maxOutputTokens: 4000 };
  const answer = await models.generateContent(ask('Write a problem.', { config }));
  assert.deepEqual(Object.keys(JSON.parse(answer.text)), ['subject', 'topic', 'problem', 'answer', 'hints']);
  assert.equal(answer.candidates[0].finishReason, 'STOP');
  const usage = answer.usageMetadata;
  assert.equal(usage.thoughtsTokenCount, 15);
  assert(usage.cachedContentTokenCount > 0);
  assert.equal(usage.totalTokenCount, usage.promptTokenCount + usage.candidatesTokenCount + usage.thoughtsTokenCount);
});

test('content streams: pieces make the text, the last one tells the usage', async (t) => {
  const { models } = client(await sim(t, '--latency', 200));
  const question = ask('What is $1 + 1$?', { model: 'target' });
  const whole = await models.generateContent(question);
  let text = '', last;
  for await (const chunk of await models.generateContentStream(question)) {
    text += chunk.text ?? '';
    last = chunk;
  }
  assert.equal(text, whole.text);
  assert.equal(last.candidates[0].finishReason, 'STOP');
  assert.deepEqual(last.usageMetadata, whole.usageMetadata);
});

test('a cut and a blocked answer say so', async (t) => {
  const cut = await client(await sim(t)).models.generateContent(ask('x', { model: 'target', config: { maxOutputTokens: 20 } }));
  assert.equal(cut.candidates[0].finishReason, 'MAX_TOKENS');
  const blocked = await client(await sim(t, '--fault-refuse', 1)).models.generateContent(ask('x'));
  assert.equal(blocked.candidates[0].finishReason, 'SAFETY');
  assert.equal(blocked.text, undefined);
});

test('models can be listed and looked up', async (t) => {
  const { models } = client(await sim(t));
  const found = [];
  for await (const model of await models.list()) found.push(model.name);
  assert.deepEqual(found, ['models/engineer', 'models/checker', 'models/target']);
  assert.equal((await models.get({ model: 'checker' })).displayName, 'checker');
});

test('errors carry status and words', async (t) => {
  const provider = await sim(t, '--require-key', KEY);
  const unknown = await failure(client(provider).models.generateContent(ask('x', { model: 'gemini-0' })));
  assert(unknown instanceof ApiError);
  assert.equal(unknown.status, 404);
  const stranger = await failure(client(provider, 'other').models.generateContent(ask('x')));
  assert.equal(stranger.status, 400);
  assert.match(stranger.message, /API_KEY_INVALID/);
});

for (const [kind, status, words] of [['429', 429, /PerMinute.*retryDelay/s], ['500', 500, /INTERNAL/], ['529', 503, /UNAVAILABLE/]]) {
  test(`--fault-${kind} is what the client takes it for`, async (t) => {
    const error = await failure(client(await sim(t, `--fault-${kind}`, 1)).models.generateContent(ask('x')));
    assert.equal(error.status, status);
    assert.match(error.message, words);
  });
}

test('an error amid a stream is an error of the client', async (t) => {
  const { models } = client(await sim(t, '--fault-in-200', 1));
  const read = async () => {
    for await (const chunk of await models.generateContentStream(ask('x', { model: 'target' }))) void chunk;
  };
  assert((await failure(read())) instanceof Error);
});

test('the day’s quota is told as such', async (t) => {
  const { models } = client(await sim(t, '--rpd', 1));
  await models.generateContent(ask('x'));
  assert.match((await failure(models.generateContent(ask('y')))).message, /PerDay/);
});
