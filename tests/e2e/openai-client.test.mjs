// The simulator against the official OpenAI client: shapes, error classes and waits are judged by code that knows
// nothing of ours.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import OpenAI from 'openai';

import { KEY, sim } from './lib.mjs';

const client = (provider, options = {}) => new OpenAI({ baseURL: provider.url, apiKey: KEY, maxRetries: 0, ...options });
const ask = (text, more = {}) => ({ model: 'engineer', messages: [{ role: 'user', content: text }], ...more });

/** The error that a promise ends with. */
async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  assert.fail('it did not fail');
}

test('a chat completion comes back whole', async (t) => {
  const openai = client(await sim(t, '--messy-rate', 0, '--rpm', 6000));
  const schema = { name: 'problem', strict: true, schema: { type: 'object' } };
  const { data, response, request_id } = await openai.chat.completions
    .create(ask('Write a problem.', { response_format: { type: 'json_schema', json_schema: schema }, max_completion_tokens: 4000 }))
    .withResponse();
  const problem = JSON.parse(data.choices[0].message.content);
  assert.deepEqual(Object.keys(problem), ['subject', 'topic', 'problem', 'answer', 'hints']);
  assert.equal(data.object, 'chat.completion');
  assert.equal(data.model, 'engineer');
  assert.equal(data.choices[0].finish_reason, 'stop');
  assert.equal(data.choices[0].message.refusal, null);
  assert.equal(data.usage.total_tokens, data.usage.prompt_tokens + data.usage.completion_tokens);
  assert.equal(data.usage.completion_tokens_details.reasoning_tokens, 0);
  assert.match(request_id, /^req_[0-9a-f]{16}$/);
  assert.match(response.headers.get('x-ratelimit-reset-requests'), /^\d+ms$/);
});

test('the target reasons and ends with a box', async (t) => {
  const openai = client(await sim(t));
  const { choices } = await openai.chat.completions.create({ ...ask('What is $1 + 1$?'), model: 'target' });
  assert.match(choices[0].message.content, /\\boxed\{.+\}\S*$/);
});

test('the client’s own token limit cuts the answer', async (t) => {
  const openai = client(await sim(t));
  const { choices, usage } = await openai.chat.completions.create({ ...ask('x'), model: 'target', max_completion_tokens: 20 });
  assert.equal(choices[0].finish_reason, 'length');
  assert.equal(usage.completion_tokens, 20);
});

test('models can be listed and looked up', async (t) => {
  const openai = client(await sim(t));
  const found = [];
  for await (const model of openai.models.list()) found.push(model.id);
  assert.deepEqual(found, ['engineer', 'checker', 'target', 'text-embedding']);
  assert.equal((await openai.models.retrieve('checker')).object, 'model');
  assert((await failure(openai.models.retrieve('gpt-0'))) instanceof OpenAI.NotFoundError);
});

test('errors arrive as the client’s own classes', async (t) => {
  const openai = client(await sim(t, '--require-key', KEY));
  const create = (request, options) => failure(openai.chat.completions.create(request, options));
  const unknown = await create({ ...ask('x'), model: 'gpt-0' });
  assert(unknown instanceof OpenAI.NotFoundError);
  assert.equal(unknown.code, 'model_not_found');
  assert.match(unknown.requestID, /^req_/);
  const empty = await create({ model: 'engineer', messages: [] });
  assert(empty instanceof OpenAI.BadRequestError);
  assert.equal(empty.param, 'messages');
  const stranger = await failure(new OpenAI({ baseURL: openai.baseURL, apiKey: 'sk-other', maxRetries: 0 }).models.list());
  assert(stranger instanceof OpenAI.AuthenticationError);
  assert.equal(stranger.code, 'invalid_api_key');
});

const faults = [
  ['429', (e) => e instanceof OpenAI.RateLimitError && e.code === 'rate_limit_exceeded' && e.headers.get('retry-after-ms') > 0],
  ['quota', (e) => e instanceof OpenAI.RateLimitError && e.code === 'insufficient_quota'],
  ['500', (e) => e instanceof OpenAI.InternalServerError && e.status === 500],
  ['503', (e) => e instanceof OpenAI.InternalServerError && e.status === 503],
  ['reset', (e) => e instanceof OpenAI.APIConnectionError],
];
for (const [kind, fits] of faults) {
  test(`--fault-${kind} is what the client takes it for`, async (t) => {
    const openai = client(await sim(t, `--fault-${kind}`, 1));
    const error = await failure(openai.chat.completions.create(ask('x')));
    assert(fits(error), `${error.constructor.name}: ${error.message}`);
  });
}

test('--fault-hang lasts until the client gives up', async (t) => {
  const provider = await sim(t, '--fault-hang', 1);
  const error = await failure(client(provider, { timeout: 300 }).chat.completions.create(ask('x')));
  assert(error instanceof OpenAI.APIConnectionTimeoutError);
  assert.equal((await provider.sums()).calls, 0);
});

test('--fault-refuse is a refusal, --fault-empty nothing at all', async (t) => {
  const refused = await client(await sim(t, '--fault-refuse', 1)).chat.completions.create(ask('x'));
  assert.equal(refused.choices[0].message.content, null);
  assert.match(refused.choices[0].message.refusal, /can't help/);
  const empty = await client(await sim(t, '--fault-empty', 1)).chat.completions.create(ask('x'));
  assert.equal(empty.choices[0].message.content, '');
});

test('the client tries again after a 429, when it was told to', async (t) => {
  const flags = ['--seed', 5, '--fault-429', 0.5];
  const scout = client(await sim(t, ...flags)); // the same seed meets the same faults
  const fails = (text) => scout.chat.completions.create(ask(text)).then(() => null, (e) => e);
  let text, first;
  for (let i = 0; ; i++) {
    text = `problem ${i}`;
    first = await fails(text);
    if (first && !(await fails(text))) break;
  }
  const provider = await sim(t, ...flags);
  const begun = performance.now();
  const { data, response } = await client(provider, { maxRetries: 2 }).chat.completions.create(ask(text)).withResponse();
  assert.equal(response.status, 200);
  assert(data.choices[0].message.content.length > 0);
  assert(performance.now() - begun >= Number(first.headers.get('retry-after-ms')) - 1);
  assert.equal((await provider.sums()).calls, 1);
});
