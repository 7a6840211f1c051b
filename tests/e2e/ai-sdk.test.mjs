// The simulator against the AI SDK and its providers: a second reader of every format, written by others again.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createAnthropic } from '@ai-sdk/anthropic';
import { createGoogleGenerativeAI } from '@ai-sdk/google';
import { createOpenAI } from '@ai-sdk/openai';
import { APICallError, embedMany, generateText, jsonSchema, Output, streamText } from 'ai';

import { failure, KEY, sim } from './lib.mjs';

const providers = {
  'OpenAI Chat': ({ url }) => createOpenAI({ baseURL: url, apiKey: KEY }).chat,
  'OpenAI Responses': ({ url }) => createOpenAI({ baseURL: url, apiKey: KEY }).responses,
  'Anthropic Messages': ({ url }) => createAnthropic({ baseURL: url, apiKey: KEY }),
  'Gemini generateContent': ({ base }) => createGoogleGenerativeAI({ baseURL: `${base}/v1beta`, apiKey: KEY }),
};

const text = { type: 'string' };
const problem = jsonSchema({
  type: 'object',
  properties: { subject: text, topic: text, problem: text, answer: text, hints: { type: 'object', additionalProperties: text } },
  required: ['subject', 'topic', 'problem', 'answer', 'hints'],
  additionalProperties: false,
});

for (const [name, open] of Object.entries(providers)) {
  test(`${name}: text, whole and streamed, with its usage`, async (t) => {
    const model = open(await sim(t, '--latency', 100, '--reasoning-tokens', 11, '--cached-input', 0.5));
    const question = { model: model('target'), system: 'Be exact.', prompt: 'What is $1 + 1$?', maxRetries: 0 };
    const whole = await generateText(question);
    assert.match(whole.text, /\\boxed\{.+\}\S*$/);
    assert.equal(whole.finishReason, 'stop');
    assert.equal(whole.usage.outputTokenDetails?.reasoningTokens ?? whole.usage.reasoningTokens ?? 11, 11);
    assert(whole.usage.cachedInputTokens > 0);
    const stream = streamText({ ...question, onError() {} });
    let pieces = '';
    for await (const piece of stream.textStream) pieces += piece;
    assert.equal(pieces, whole.text);
    assert.equal(await stream.finishReason, 'stop');
    assert.deepEqual((await stream.usage).totalTokens, whole.usage.totalTokens);
  });

  test(`${name}: an object by a schema`, async (t) => {
    const model = open(await sim(t, '--messy-rate', 0));
    const { output } = await generateText({ model: model('engineer'), prompt: 'Write a problem.', output: Output.object({ schema: problem }), maxRetries: 0 });
    assert.equal(typeof output.answer, 'string');
  });

  test(`${name}: errors tell status and whether to try again; the wait is kept`, async (t) => {
    const limited = await sim(t, '--rpm', 15, '--limit-burst', 1);
    const ask = (provider, retries) => generateText({ model: open(provider)('target'), prompt: 'x', maxRetries: retries });
    await ask(limited, 0);
    const refused = await failure(ask(limited, 0));
    assert(APICallError.isInstance(refused));
    assert.equal(refused.statusCode, 429);
    assert.equal(refused.isRetryable, true);
    await ask(limited, 2); // it waits as it was told
    const overloaded = await failure(ask(await sim(t, '--fault-529', 1), 0));
    assert.equal(overloaded.isRetryable, true);
    const unknown = await failure(generateText({ model: open(limited)('nobody'), prompt: 'x', maxRetries: 0 }));
    assert.equal(unknown.statusCode, 404);
    assert.equal(unknown.isRetryable, false);
  });

  test(`${name}: a stream with an error in it does not end like a good one`, async (t) => {
    const model = open(await sim(t, '--fault-in-200', 1));
    let told;
    const stream = streamText({ model: model('target'), prompt: 'x', maxRetries: 0, onError: ({ error }) => (told = error) });
    await stream.consumeStream();
    assert(told || (await stream.finishReason) !== 'stop'); // for Gemini's it passes over what it does not know
  });
}

test('embeddings come in the order of their texts', async (t) => {
  const { url } = await sim(t);
  const model = createOpenAI({ baseURL: url, apiKey: KEY }).embedding('text-embedding');
  const { embeddings, usage } = await embedMany({ model, values: ['one', 'two', 'one'] });
  assert.deepEqual(embeddings[0], embeddings[2]);
  assert.notDeepEqual(embeddings[0], embeddings[1]);
  assert.equal(usage.tokens, 3);
});
