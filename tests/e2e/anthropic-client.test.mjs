// The simulator against the official Anthropic client: Messages whole and streamed, error classes, limits, models.
import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';

import Anthropic from '@anthropic-ai/sdk';

import { failure, KEY, sim, wait } from './lib.mjs';

const client = (provider, options = {}) => new Anthropic({ baseURL: provider.base, apiKey: KEY, maxRetries: 0, ...options });
const ask = (text, more = {}) => ({ model: 'engineer', max_tokens: 4000, messages: [{ role: 'user', content: text }], ...more });

test('a message comes back whole', async (t) => {
  const anthropic = client(await sim(t, '--messy-rate', 0, '--reasoning-tokens', 15, '--cached-input', 0.5));
  const format = { type: 'json_schema', schema: { type: 'object', additionalProperties: false } };
  const { data, request_id } = await anthropic.messages
    .create(ask('Write a problem.', { system: 'Be exact.', output_config: { format } }))
    .withResponse();
  assert.equal(data.type, 'message');
  assert.equal(data.stop_reason, 'end_turn');
  assert.deepEqual(data.content.map((c) => c.type), ['thinking', 'text']);
  assert.deepEqual(Object.keys(JSON.parse(data.content[1].text)), ['subject', 'topic', 'problem', 'answer', 'hints']);
  assert.equal(data.usage.output_tokens_details.thinking_tokens, 15);
  assert(data.usage.cache_read_input_tokens > 0);
  assert.match(request_id, /^req_[0-9a-f]{16}$/);
});

test('a message streams: the client puts the same message together', async (t) => {
  const anthropic = client(await sim(t, '--latency', 200, '--reasoning-tokens', 15));
  const question = ask('What is $1 + 1$?', { model: 'target' });
  const whole = await anthropic.messages.create(question);
  let text = '';
  const stream = anthropic.messages.stream(question).on('text', (piece) => (text += piece));
  const done = await stream.finalMessage();
  assert.equal(text, whole.content[1].text);
  assert.deepEqual(done.content[1], whole.content[1]);
  assert.equal(done.stop_reason, 'end_turn');
  assert.equal(done.usage.output_tokens, whole.usage.output_tokens);
});

test('a cut and a refused message say so', async (t) => {
  const cut = await client(await sim(t)).messages.create(ask('x', { model: 'target', max_tokens: 20 }));
  assert.equal(cut.stop_reason, 'max_tokens');
  assert.equal(cut.usage.output_tokens, 20);
  const refused = await client(await sim(t, '--fault-refuse', 1)).messages.create(ask('x'));
  assert.equal(refused.stop_reason, 'refusal');
});

test('models can be listed and looked up', async (t) => {
  const anthropic = client(await sim(t));
  const found = [];
  for await (const model of anthropic.models.list()) found.push(model.id);
  assert.deepEqual(found, ['engineer', 'checker', 'target']);
  assert.equal((await anthropic.models.retrieve('checker')).type, 'model');
  assert((await failure(anthropic.models.retrieve('claude-0'))) instanceof Anthropic.NotFoundError);
});

test('errors arrive as the client’s own classes', async (t) => {
  const provider = await sim(t, '--require-key', KEY, '--reasoning');
  const anthropic = client(provider);
  const create = (request) => failure(anthropic.messages.create(request));
  const unknown = await create({ ...ask('x'), model: 'claude-0' });
  assert(unknown instanceof Anthropic.NotFoundError);
  assert.equal(unknown.error.error.type, 'not_found_error');
  assert.equal(unknown.error.request_id, unknown.requestID);
  const role = await create(ask('x', { messages: [{ role: 'system', content: 'x' }] }));
  assert(role instanceof Anthropic.BadRequestError);
  assert.match(role.message, /top-level `system`/);
  assert((await create(ask('x', { temperature: 0.5 }))) instanceof Anthropic.BadRequestError);
  assert.match((await create(ask('x', { seed: 1 }))).message, /Extra inputs are not permitted/);
  const stranger = await failure(client(provider, { apiKey: 'sk-other' }).models.list());
  assert(stranger instanceof Anthropic.AuthenticationError);
});

const faults = [
  ['429', (e) => e instanceof Anthropic.RateLimitError && e.headers.get('retry-after') > 0],
  ['quota', (e) => e instanceof Anthropic.RateLimitError && e.error.error.type === 'enforced_spend_limit_reached'],
  ['500', (e) => e instanceof Anthropic.InternalServerError && e.error.error.type === 'api_error'],
  ['529', (e) => e instanceof Anthropic.InternalServerError && e.status === 529 && e.error.error.type === 'overloaded_error'],
  ['reset', (e) => e instanceof Anthropic.APIConnectionError],
];
for (const [kind, fits] of faults) {
  test(`--fault-${kind} is what the client takes it for`, async (t) => {
    const error = await failure(client(await sim(t, `--fault-${kind}`, 1)).messages.create(ask('x')));
    assert(fits(error), `${error.constructor.name}: ${error.message}`);
  });
}

test('an error amid a stream is an error of the client, a stream cut short no message', async (t) => {
  const read = async (kind) => client(await sim(t, `--fault-${kind}`, 1)).messages.stream(ask('x')).finalMessage();
  const told = await failure(read('in-200'));
  assert(told instanceof Anthropic.APIError);
  assert.match(told.message, /overloaded_error|Overloaded/);
  assert((await failure(read('cut'))) instanceof Anthropic.AnthropicError);
});

test('limits are told in headers; output counts as it is written', async (t) => {
  const anthropic = client(await sim(t, '--rpm', 600, '--tpm', 50000, '--otpm', 600, '--output-tokens', 1500));
  const { response } = await anthropic.messages.create(ask('x', { model: 'target' })).withResponse();
  const of = (name) => response.headers.get(`anthropic-ratelimit-${name}`);
  assert.equal(of('requests-limit'), '600');
  assert.equal(of('requests-remaining'), '599');
  assert.equal(of('input-tokens-limit'), '50000');
  assert.equal(of('input-tokens-remaining'), '50000'); // to the nearest thousand: the cap on output is nothing
  assert(Date.parse(of('output-tokens-reset')) > 0);
  const refused = await failure(anthropic.messages.create(ask('y', { model: 'target' })));
  assert(refused instanceof Anthropic.RateLimitError);
  assert.match(refused.message, /output tokens per min/);
  assert(refused.headers.get('retry-after') >= 60);
});

/** Wait for the end of a batch; gives it and its results. */
async function batchEnd({ messages: { batches } }, id) {
  for (;;) {
    const batch = await batches.retrieve(id);
    if (batch.processing_status === 'ended') {
      const results = [];
      for await (const result of await batches.results(id)) results.push(result);
      return { batch, results };
    }
    await wait(50);
  }
}

const question = (i) => ({ custom_id: `q-${i}`, params: ask(`Problem \u00e9 "${i}"`, { model: i % 2 ? 'target' : 'engineer' }) });

test('a batch gives what single calls give, out of order, for half the price', async (t) => {
  const flags = ['--messy-rate', 0, '--seed', 3];
  const provider = await sim(t, ...flags, '--batch-time', 0.5);
  const anthropic = client(provider);
  const bad = { custom_id: 'bad', params: { model: 'engineer', max_tokens: 9, messages: [] } };
  const begun = await anthropic.messages.batches.create({ requests: [...Array.from({ length: 30 }, (_, i) => question(i)), bad] });
  assert.equal(begun.processing_status, 'in_progress');
  assert.equal(begun.request_counts.processing, 31);
  const { batch, results } = await batchEnd(anthropic, begun.id);
  assert.deepEqual(batch.request_counts, { processing: 0, succeeded: 30, errored: 1, expired: 0, canceled: 0 });
  assert.notDeepEqual(results.slice(0, 30).map((r) => r.custom_id), Array.from({ length: 30 }, (_, i) => `q-${i}`));
  const single = await sim(t, ...flags);
  for (const { custom_id, result } of results) {
    if (custom_id === 'bad') {
      assert.equal(result.error.error.type, 'invalid_request_error');
      continue;
    }
    const alone = await client(single).messages.create(question(Number(custom_id.slice(2))).params);
    assert.deepEqual(result.message.content, alone.content);
  }
  const [sums, full] = [await provider.sums(), await single.sums()];
  assert(Math.abs(sums.cost_usd - full.cost_usd / 2) < 1e-7);
  const listed = [];
  for await (const one of anthropic.messages.batches.list({ limit: 1 })) listed.push(one.id);
  assert.deepEqual(listed, [begun.id]);
});

test('requests of a batch expire, a batch is cancelled; the server has them when a client comes back', async (t) => {
  const provider = await sim(t, '--batch-time', 0.2, '--batch-expire', 0.5);
  const requests = Array.from({ length: 40 }, (_, i) => question(i));
  const { id } = await client(provider).messages.batches.create({ requests });
  const { batch } = await batchEnd(client(provider), id); // by its id alone
  assert(batch.request_counts.expired > 0 && batch.request_counts.succeeded > 0);
  const slow = client(await sim(t, '--batch-time', 3600));
  const begun = await slow.messages.batches.create({ requests });
  assert.equal((await slow.messages.batches.cancel(begun.id)).processing_status, 'canceling');
  const cancelled = await batchEnd(slow, begun.id);
  assert.equal(cancelled.batch.request_counts.canceled + cancelled.batch.request_counts.succeeded, 40);
  assert((await failure(slow.messages.batches.create({ requests: [] }))) instanceof Anthropic.BadRequestError);
  const refused = async (...ids) => {
    const all = ids.map((custom_id) => ({ custom_id, params: ask('x') }));
    const error = await failure(slow.messages.batches.create({ requests: all }));
    assert(error instanceof Anthropic.BadRequestError);
    return error.error.error.message;
  };
  assert.match(await refused('fine', 'job/1/2'), /^requests\.1\.custom_id: String should match pattern/);
  assert.match(await refused('x'.repeat(65)), /custom_id/);
  assert.match(await refused('twice', 'twice'), /^requests\.1\.custom_id: must be unique/);
});

test('a batch of more than 256 MB is refused as Anthropic does', async (t) => {
  const { base } = await sim(t);
  const headers = { 'x-api-key': KEY, 'anthropic-version': '2023-06-01', 'content-length': 256_000_001 };
  const answer = await new Promise((done, fail) => {
    const request = http.request(`${base}/v1/messages/batches`, { method: 'POST', headers }, done).on('error', fail);
    request.flushHeaders(); // it is refused by its size alone
  });
  const { type, error } = JSON.parse(await answer.setEncoding('utf8').reduce((all, more) => all + more, ''));
  assert.equal(answer.statusCode, 413);
  assert.deepEqual([type, error], ['error', { type: 'request_too_large', message: 'Request exceeds the maximum size' }]);
});
