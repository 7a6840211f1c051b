// The simulator against the official OpenAI client: shapes, error classes and waits are judged by code that knows
// nothing of ours.
import assert from 'node:assert/strict';
import { File } from 'node:buffer';
import { test } from 'node:test';

import OpenAI, { toFile } from 'openai';

import { failure, KEY, sim, wait } from './lib.mjs';

globalThis.File ??= File; // Node 18 has it, but not as a global

const client = (provider, options = {}) => new OpenAI({ baseURL: provider.url, apiKey: KEY, maxRetries: 0, ...options });
const ask = (text, more = {}) => ({ model: 'engineer', messages: [{ role: 'user', content: text }], ...more });

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

test('a chat completion streams: pieces make the text, the last chunk tells the usage', async (t) => {
  const openai = client(await sim(t, '--latency', 200, '--reasoning-tokens', 30));
  const question = { ...ask('What is $1 + 1$?'), model: 'target' };
  const whole = await openai.chat.completions.create(question);
  const stream = await openai.chat.completions.create({ ...question, stream: true, stream_options: { include_usage: true } });
  let text = '', usage, finish, chunks = 0;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? '';
    finish = chunk.choices[0]?.finish_reason ?? finish;
    usage = chunk.usage ?? usage;
    chunks++;
  }
  assert.equal(text, whole.choices[0].message.content);
  assert.equal(finish, 'stop');
  assert.deepEqual(usage, whole.usage);
  assert.equal(usage.completion_tokens_details.reasoning_tokens, 30);
  assert(chunks > 5);
});

test('the client puts a streamed completion together itself', async (t) => {
  const openai = client(await sim(t, '--messy-rate', 0));
  const runner = openai.chat.completions.stream(ask('Write a problem.'));
  const done = await runner.finalChatCompletion();
  assert.equal(Object.keys(JSON.parse(done.choices[0].message.content)).length, 5);
});

test('a response comes back whole, and as a stream', async (t) => {
  const openai = client(await sim(t, '--messy-rate', 0, '--reasoning-tokens', 9, '--cached-input', 0.5));
  const format = { type: 'json_schema', name: 'problem', strict: true, schema: { type: 'object' } };
  const question = { model: 'engineer', instructions: 'Be exact.', input: 'Write a problem.', text: { format }, store: false };
  const whole = await openai.responses.create(question);
  assert.equal(whole.status, 'completed');
  assert.equal(whole.output[0].type, 'reasoning');
  assert.deepEqual(Object.keys(JSON.parse(whole.output_text)), ['subject', 'topic', 'problem', 'answer', 'hints']);
  assert.equal(whole.usage.output_tokens_details.reasoning_tokens, 9);
  assert(whole.usage.input_tokens_details.cached_tokens > 0);
  let text = '';
  const kinds = new Set();
  const stream = openai.responses.stream(question).on('event', (event) => {
    kinds.add(event.type);
    if (event.type === 'response.output_text.delta') text += event.delta;
  });
  const done = await stream.finalResponse();
  assert.equal(text, whole.output_text);
  assert.equal(done.output_text, whole.output_text);
  assert.deepEqual(done.usage, whole.usage);
  for (const kind of ['response.created', 'response.output_item.added', 'response.content_part.added', 'response.output_text.done',
    'response.output_item.done', 'response.completed']) assert(kinds.has(kind), kind);
});

test('a response that is cut is incomplete, one that is refused holds a refusal', async (t) => {
  const openai = client(await sim(t));
  const cut = await openai.responses.create({ model: 'target', input: 'x', max_output_tokens: 16 });
  assert.equal(cut.status, 'incomplete');
  assert.equal(cut.incomplete_details.reason, 'max_output_tokens');
  assert.equal(cut.usage.output_tokens, 16);
  const refused = await client(await sim(t, '--fault-refuse', 1)).responses.create({ model: 'target', input: 'x' });
  assert.equal(refused.output.at(-1).content[0].type, 'refusal');
});

test('embeddings come as floats and as base64, and like texts lie close', async (t) => {
  const openai = client(await sim(t));
  const input = ['the area of a triangle', 'the area of a square', 'roots of unity'];
  const embed = async (more) => (await openai.embeddings.create({ model: 'text-embedding', input, ...more })).data.map((d) => d.embedding);
  const plain = await embed({ encoding_format: 'float', dimensions: 256 });
  const coded = await embed({ dimensions: 256 }); // the client asks for base64 and decodes it
  plain.forEach((v, i) => v.forEach((x, k) => assert(Math.abs(x - coded[i][k]) < 1e-6)));
  const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
  assert(Math.abs(dot(plain[0], plain[0]) - 1) < 1e-5);
  assert(dot(plain[0], plain[1]) > dot(plain[0], plain[2]) + 0.3);
  assert.equal((await openai.embeddings.create({ model: 'text-embedding', input: 'x' })).data[0].embedding.length, 1536);
});

test('limits are told in headers and kept', async (t) => {
  const openai = client(await sim(t, '--rpm', 120, '--tpm', 60000, '--limit-burst', 1));
  const create = () => openai.chat.completions.create(ask('x', { max_completion_tokens: 100 }));
  const { response } = await create().withResponse();
  assert.equal(response.headers.get('x-ratelimit-limit-requests'), '120');
  assert.equal(response.headers.get('x-ratelimit-limit-tokens'), '60000');
  assert(Number(response.headers.get('x-ratelimit-remaining-tokens')) < 1000 - 100);
  let refused;
  for (let i = 0; i < 20 && !refused; i++) await create().catch((error) => (refused = error));
  assert(refused instanceof OpenAI.RateLimitError);
  assert.equal(refused.code, 'rate_limit_exceeded');
  assert(refused.headers.get('retry-after-ms') > 0 && refused.headers.get('retry-after-ms') <= 500);
  const spent = client(await sim(t, '--spend-limit', '0.00001'));
  assert.equal(await failure(spent.chat.completions.create(ask('x')).then(() => spent.chat.completions.create(ask('y')))).then((e) => e.code),
    'insufficient_quota');
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
  ['529', (e) => e instanceof OpenAI.InternalServerError && e.status === 529],
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

test('--fault-drip takes ten times the time and is whole, --fault-stall begins and says no more', async (t) => {
  const dripping = await sim(t, '--fault-drip', 1, '--latency', 30);
  const began = Date.now();
  const whole = await client(dripping).chat.completions.create(ask('x'));
  assert(Date.now() - began >= 300, `${Date.now() - began} ms`);
  assert.equal(whole.choices[0].finish_reason, 'stop');
  assert.equal((await dripping.sums()).calls, 1);
  const stalled = await sim(t, '--fault-stall', 1);
  const stream = await client(stalled).chat.completions.create(ask('x', { stream: true }));
  const pieces = stream[Symbol.asyncIterator]();
  assert.equal((await pieces.next()).done, false);
  const read = async () => {
    while (!(await pieces.next()).done);
    return 'an end';
  };
  assert.equal(await Promise.race([read().catch((e) => `${e}`), wait(500).then(() => 'silence')]), 'silence');
  stream.controller.abort();
});

test('--fault-refuse is a refusal, --fault-empty nothing at all', async (t) => {
  const refused = await client(await sim(t, '--fault-refuse', 1)).chat.completions.create(ask('x'));
  assert.equal(refused.choices[0].message.content, null);
  assert.match(refused.choices[0].message.refusal, /can't help/);
  const empty = await client(await sim(t, '--fault-empty', 1)).chat.completions.create(ask('x'));
  assert.equal(empty.choices[0].message.content, '');
});

for (const kind of ['in-200', 'cut']) {
  test(`--fault-${kind} ends a stream with an error or too early`, async (t) => {
    const openai = client(await sim(t, `--fault-${kind}`, 1));
    let finish = null;
    const read = async () => {
      for await (const chunk of await openai.chat.completions.create(ask('x', { stream: true }))) finish = chunk.choices[0].finish_reason;
    };
    const error = await read().catch((e) => e);
    assert.equal(finish, null);
    if (kind === 'in-200') assert(error instanceof OpenAI.APIError);
    const response = await openai.responses.stream({ model: 'target', input: 'x' }).finalResponse();
    assert.equal(response.status, kind === 'cut' ? 'in_progress' : 'failed');
  });
}

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

/** Upload `lines` and start a batch of them. */
async function startBatch(openai, lines, endpoint = '/v1/chat/completions') {
  const text = lines.map((line) => JSON.stringify({ method: 'POST', url: endpoint, ...line })).join('\n');
  const file = await openai.files.create({ file: await toFile(Buffer.from(text), 'batch.jsonl'), purpose: 'batch' });
  return openai.batches.create({ input_file_id: file.id, endpoint, completion_window: '24h', metadata: { job: 'one' } });
}

/** Wait for the end of a batch; gives its object and its lines, results and errors. */
async function batchEnd(openai, id) {
  for (;;) {
    const batch = await openai.batches.retrieve(id);
    if (['completed', 'failed', 'expired', 'cancelled'].includes(batch.status)) {
      const lines = async (file) => (file ? (await (await openai.files.content(file)).text()).trim().split('\n').map(JSON.parse) : []);
      return { batch, results: await lines(batch.output_file_id), errors: await lines(batch.error_file_id) };
    }
    await wait(50);
  }
}

const question = (i) => ({ custom_id: `q-${i}`, body: { ...ask(`Problem \u00e9 "${i}"`), model: i % 2 ? 'target' : 'engineer' } });

test('a batch gives what single calls give, out of order, for half the price', async (t) => {
  const flags = ['--messy-rate', 0, '--seed', 3];
  const provider = await sim(t, ...flags, '--batch-time', 0.5);
  const openai = client(provider);
  const begun = await startBatch(openai, Array.from({ length: 30 }, (_, i) => question(i)));
  assert.equal(begun.status, 'validating');
  assert.deepEqual(begun.metadata, { job: 'one' });
  const { batch, results, errors } = await batchEnd(openai, begun.id);
  assert.equal(batch.status, 'completed');
  assert.deepEqual(batch.request_counts, { total: 30, completed: 30, failed: 0 });
  assert(batch.completed_at >= batch.created_at);
  assert(batch.finalizing_at >= batch.created_at);
  assert.deepEqual(errors, []);
  assert.notDeepEqual(results.map((r) => r.custom_id), results.map((_, i) => `q-${i}`));
  const single = await sim(t, ...flags);
  for (const { custom_id, response } of results) {
    const alone = await client(single).chat.completions.create(question(Number(custom_id.slice(2))).body);
    assert.equal(response.status_code, 200);
    assert.equal(response.body.choices[0].message.content, alone.choices[0].message.content);
  }
  const [sums, full] = [await provider.sums(), await single.sums()];
  assert.equal(sums.in_batches, 30);
  assert(Math.abs(sums.cost_usd - full.cost_usd / 2) < 1e-7);
  const listed = [];
  for await (const one of openai.batches.list({ limit: 1 })) listed.push(one.id);
  assert.deepEqual(listed, [begun.id]);
});

test('what is wrong with a line stands in the error file, what is wrong with the file fails the batch', async (t) => {
  const openai = client(await sim(t, '--batch-time', 0));
  const bad = { custom_id: 'bad', body: { model: 'engineer', messages: [] } };
  const { batch, results, errors } = await batchEnd(openai, (await startBatch(openai, [question(0), bad])).id);
  assert.equal(batch.status, 'completed');
  assert.deepEqual([results.length, errors.length], [1, 1]);
  assert.equal(errors[0].response.status_code, 400);
  assert.equal(errors[0].response.body.error.param, 'messages');
  for (const lines of [[question(1), question(1)], [{ ...question(1), url: '/v1/other' }], []]) {
    const failed = await batchEnd(openai, (await startBatch(openai, lines.length ? lines : [{ custom_id: '' }])).id);
    assert.equal(failed.batch.status, 'failed');
    assert.equal(failed.batch.errors.data.length, 1);
  }
});

test('requests of a batch expire, a batch is cancelled', async (t) => {
  const openai = client(await sim(t, '--batch-time', 0.2, '--batch-expire', 0.5));
  const lines = Array.from({ length: 40 }, (_, i) => ({ custom_id: `r-${i}`, body: { model: 'target', input: `x ${i}` } }));
  const { batch, results, errors } = await batchEnd(openai, (await startBatch(openai, lines, '/v1/responses')).id);
  assert.equal(batch.status, 'expired');
  assert.equal(results.length + errors.length, 40);
  assert(results.length > 0 && errors.every((e) => e.error.code === 'batch_expired'));
  const slow = client(await sim(t, '--batch-time', 3600));
  const begun = await startBatch(slow, [question(1), question(2)]);
  assert.match((await slow.batches.cancel(begun.id)).status, /^cancell/);
  assert.equal((await batchEnd(slow, begun.id)).batch.status, 'cancelled');
  assert((await failure(slow.batches.retrieve('batch_0'))) instanceof OpenAI.NotFoundError);
});

test('questions of more than 200 MB are refused as OpenAI does', async (t) => {
  const file = new File([Buffer.alloc(200_000_001, 32)], 'batch.jsonl');
  const error = await failure(client(await sim(t)).files.create({ file, purpose: 'batch' }));
  assert(error instanceof OpenAI.BadRequestError);
  assert.deepEqual(error.error, { message: 'File is too large.', type: 'invalid_request_error', param: null, code: null });
});
