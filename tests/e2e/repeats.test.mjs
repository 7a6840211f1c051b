// An engineer that repeats itself, played by a server of the test's own.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import test from 'node:test';
import { folder, generate, KEY, run } from './lib.mjs';

/** A provider whose engineer writes one problem only, in two spellings, and whose target is always wrong. */
async function parrot(t) {
  let turns = 0;
  const say = { target: () => 'The answer is \\boxed{5}.', checker: (body) => check(JSON.parse(body.messages.at(-1).content)), engineer: make };
  const check = ({ validation_type: type }) => JSON.stringify({ valid: type === 'initial', reason: 'so it is', corrected_hints: null, equivalence_confidence: type === 'initial' ? null : 0.1 });
  function make() {
    const problem = turns++ % 2 ? 'What is $2+2$?' : 'What  is $2 + 2$?';
    return JSON.stringify({ subject: 'Algebra', topic: 'Sums', problem, answer: '4', hints: { 0: 'a', 1: 'b', 2: 'c' } });
  }
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const part of request) text += part;
    const body = JSON.parse(text);
    const message = { role: 'assistant', content: say[body.model](body) };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ id: 'x', object: 'chat.completion', model: body.model, choices: [{ index: 0, message, finish_reason: 'stop' }], usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } }));
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => server.close());
  return { OPENAI_BASE_URL: `http://127.0.0.1:${server.address().port}/v1`, OPENAI_API_KEY: KEY };
}

test('a problem that the job has already is a duplicate, whatever its spacing, and no progress ends the job', async (t) => {
  const cwd = folder(t);
  const env = await parrot(t);
  const it = await run(t, generate(5, '--stall-attempts', 20, '--concurrency', 4), { cwd, env, code: 3 });
  assert.match(it.stderr, /no progress/);
  const all = await run(t, ['export', 'problems.jsonl.db', '--keep', 'all'], { cwd });
  const problems = all.stdout.trim().split('\n').map((line) => JSON.parse(line));
  const accepted = problems.filter((p) => p.status === 'accepted');
  assert.equal(accepted.length, 1);
  assert(problems.every((p) => p === accepted[0] || p.status === 'duplicate'));
});
