// One run over three wire formats at once, each role behind another one, with faults and every limit that the simulated
// provider enforces: exactly N problems, hardly a call refused, and money equal to the provider's bill.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer, request as forward } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';

import { assertExactly, folder, jsonl, run, sim } from './lib.mjs';

const N = 80;
const PRICES = { engineer: '1,0.1,5', checker: '2,0.2,8', target: '0.5,0.05,2' };
const PROVIDERS = { engineer: 'google', checker: 'claude', target: 'responses' };
const LIMITS = ['--rpm', 2400, '--tpm', 24000000, '--otpm', 2400000, '--max-in-flight', 48, '--limit-burst', 5];
// 5 % of the calls in all. Without those that hang: whether a call that a deadline cuts off has been billed is a matter of
// milliseconds.
const FAULTS = ['429', '500', '503', '529', 'reset', 'in-200', 'cut', 'truncate', 'malformed', 'empty', 'refuse'];

const nusd = (usd) => Math.round(usd * 1e9);

/** A run over all three; gives our sums, the provider's, and the provider. At most 0.5 % of its calls are refused. */
async function mixed(t, n, stream, flags, options = []) {
  const cwd = folder(t);
  const bill = Object.entries(PRICES).flatMap(([role, price]) => ['--price', `sim/${role}=${price}`]);
  const provider = await sim(t, ...flags, ...LIMITS, '--reasoning-tokens', 50, '--cached-input', 0.3, ...bill);
  const at = new URL(provider.url).origin;
  writeFileSync(join(cwd, 'stumper.yaml'), `providers:
  google: {type: gemini, base_url: "${at}", stream: ${stream}}
  claude: {type: anthropic, base_url: "${at}", stream: ${stream}}
  responses: {type: openai-responses, base_url: "${at}/v1", stream: ${stream}}
`);
  const models = Object.entries(PROVIDERS).flatMap(([role, name]) => [`--${role}`, `${name}/${role}`, '--price', `${name}/${role}=${PRICES[role]}`]);
  await run(t, ['generate', '-n', n, '--concurrency', 40, ...models, ...options, '-o', 'out.jsonl'], { cwd });
  assertExactly(n, jsonl(join(cwd, 'out.jsonl')));
  const { stdout } = await run(t, ['status', '--json', 'out.jsonl.db'], { cwd });
  const theirs = await provider.sums();
  const refused = Object.values(theirs.refused).reduce((a, b) => a + b, 0);
  assert(refused < 0.005 * theirs.calls, `${refused} of ${theirs.calls} refused`);
  return { ours: JSON.parse(stdout), theirs, provider };
}

for (const stream of [false, true]) {
  test(`Gemini writes, Claude checks, Responses fails, ${stream ? 'streamed' : 'whole'}, 5 % faults, limits: N problems, one bill`, async (t) => {
    const { ours, theirs, provider } = await mixed(t, N, stream, [...FAULTS.flatMap((kind) => [`--fault-${kind}`, 0.05 / FAULTS.length]), '--latency', 'lognormal:300,0.3']);
    assert.equal(ours.calls, theirs.calls);
    // A whole body that is billed and cannot be read: nobody can know what it cost, and that is what is said of it.
    const unread = provider.ledger().filter((row) => !stream && row.fault === 'malformed' && row.role === 'target');
    assert.equal(ours.calls_unpriced, unread.length);
    const billed = nusd(theirs.cost_usd) - unread.reduce((sum, row) => sum + nusd(row.cost_usd), 0);
    assert.equal(nusd(ours.cost_usd), billed, 'to the nano-dollar');
    // What was broken off told no usage: what a provider charges for it lies within what is told of it.
    assert(ours.tries_lost >= theirs.broken_off, `${ours.tries_lost} lost, ${theirs.broken_off} broken off`);
    assert(nusd(theirs.broken_off_usd) <= nusd(ours.lost_usd_max), `${theirs.broken_off_usd} billed, ${ours.lost_usd_max} at most told`);
    t.diagnostic(`$${theirs.cost_usd} answered, $${theirs.broken_off_usd} broken off; at most $${ours.lost_usd_max} told`);
  });
}

test('with every kind of fault, silence too, the bill lies between what is told as known and as possible', async (t) => {
  const { ours, theirs } = await mixed(t, 40, true, ['--fault-rate', 0.05, '--latency', 'lognormal:300,0.3'], ['--timeout', '10s']);
  const bill = nusd(theirs.cost_usd) + nusd(theirs.broken_off_usd);
  assert.equal(ours.calls_unpriced, 0);
  assert(nusd(ours.cost_usd) <= bill, `${ours.cost_usd} known of ${bill / 1e9}`);
  assert(bill <= nusd(ours.cost_usd) + nusd(ours.lost_usd_max), `${bill / 1e9} billed, ${ours.cost_usd} and at most ${ours.lost_usd_max} told`);
});

test('where every answer ends, whatever is wrong with it, nothing is lost and the bill is equal', async (t) => {
  const whole = ['429', '500', '503', '529', 'truncate', 'malformed', 'empty', 'refuse'];
  const { ours, theirs } = await mixed(t, 40, true, [...whole.flatMap((kind) => [`--fault-${kind}`, 0.05 / whole.length]), '--latency', 100]);
  assert.equal(theirs.broken_off, 0);
  assert.deepEqual([ours.tries_lost, ours.lost_usd_max, ours.calls_unpriced], [0, 0, 0]);
  assert.equal(nusd(ours.cost_usd), nusd(theirs.cost_usd), 'to the nano-dollar');
});

test("Perplexity's Agent API is asked in its own words, for models by their maker", async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--accept-all');
  const models = ['engineer', 'checker', 'target'].flatMap((role) => [`--${role}`, `perplexity/${role}`]);
  const env = { PERPLEXITY_API_KEY: 'pplx-any', PERPLEXITY_BASE_URL: new URL(provider.url).origin };
  await run(t, ['generate', '-n', 3, ...models, '-o', 'out.jsonl'], { cwd, env });
  assertExactly(3, jsonl(join(cwd, 'out.jsonl')));
  assert(provider.ledger().every((row) => row.model.startsWith('perplexity/')));
});

// What such a server says, in the words of several, if a request is of a kind that it does not take.
const REFUSALS = [
  [(q) => q.response_format?.type === 'json_schema', 'response_format', "'response_format' of type 'json_schema' is not supported with this model."],
  [(q) => q.response_format, 'response_format', "'response_format.type' must be 'text'"],
  [(q) => q.temperature !== undefined, 'temperature', "Unsupported value: 'temperature' does not support 0.5 with this model."],
  [(q) => q.reasoning_effort, null, 'Unrecognized request argument supplied: reasoning_effort'],
  [(q) => q.messages[0].role === 'system', 'messages[0].role', "'messages[0].role' does not support 'system' with this model."],
  [(q) => q.stream, 'stream', 'stream is not supported'],
  [(q) => q.max_tokens, 'max_tokens', "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead."],
];

test('a server that refuses all that can be left out is asked without it: N problems, and each lesson is learned once', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--messy-rate', '0.5', '--accept-all');
  const told = new Map();
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray());
    const [, param, message] = REFUSALS.find(([fits]) => fits(JSON.parse(body))) ?? [];
    if (message) {
      told.set(message, (told.get(message) ?? 0) + 1);
      response.writeHead(400, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ error: { message, type: 'invalid_request_error', param, code: null } }));
      return;
    }
    const { method, headers } = request;
    forward(new URL(request.url, provider.base), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    }).end(body);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => (server.close(), server.closeAllConnections()));
  const url = `http://127.0.0.1:${server.address().port}/v1`;
  writeFileSync(join(cwd, 'stumper.yaml'), `providers:\n  lab: {base_url: "${url}", stream: true, temperature: 0.5, effort: low}\n`);
  const models = ['engineer', 'checker', 'target'].flatMap((role) => [`--${role}`, `lab/${role}`]);
  await run(t, ['generate', '-n', 5, '--concurrency', 1, ...models, '-o', 'out.jsonl'], { cwd });
  assertExactly(5, jsonl(join(cwd, 'out.jsonl')));
  assert.equal(told.size, REFUSALS.length, [...told.keys()].join('\n'));
  for (const [message, times] of told) assert(times <= 3, `${times} times: ${message}`); // three models
});
