// Peer 3: Node and undici, a loop for each attempt in flight, a pool with a connection for each.
//
//     undici.mjs URL CHAIN WANTED BEGIN_MAX CONCURRENCY OUT
//
// The same chain as peers/chain.py, written for Node. Results stay in memory and are written at the end.
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';

const [url, chainPath, wantedText, beginMaxText, concurrencyText, out] = process.argv.slice(2);
const wanted = Number(wantedText);
const beginMax = Number(beginMaxText);
const concurrency = Number(concurrencyText);
const base = new URL(url);
const path = base.pathname.replace(/\/$/, '') + '/chat/completions';
const headers = { 'content-type': 'application/json', authorization: 'Bearer bench' };
const calls = JSON.parse(readFileSync(chainPath, 'utf8'));
const pool = new Pool(base.origin, { connections: concurrency, pipelining: 1, bodyTimeout: 60e3, headersTimeout: 60e3 });
const TRIES = 6;

class Useless extends Error {}

const userOf = (call) => calls[call].messages.find((m) => m.role === 'user').content;

function body(call, user) {
  const template = calls[call];
  const messages = template.messages.map((m) => (m.role === 'user' ? { ...m, content: user } : m));
  return JSON.stringify({ ...template, messages });
}

const retriable = (status) => [408, 409, 429].includes(status) || status >= 500;
const backoff = (attempt) => Math.min(8000, 500 * 2 ** attempt) * (1 - 0.25 * Math.random());

async function post(text) {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    try {
      const answer = await pool.request({ path, method: 'POST', headers, body: text });
      const reply = await answer.body.text();
      if (answer.statusCode === 200) return JSON.parse(reply);
      if (!retriable(answer.statusCode)) throw new Useless();
    } catch (error) {
      if (error instanceof Useless) throw error;
    }
    await sleep(backoff(attempt));
  }
  throw new Useless();
}

function textOf(reply) {
  const choice = reply.choices[0];
  if (!choice.message.content || choice.finish_reason !== 'stop') throw new Useless();
  return choice.message.content;
}

function objectOf(reply, ...fields) {
  const text = textOf(reply);
  let found;
  try {
    found = JSON.parse(text.trim().replace(/^```json/, '').replace(/```$/, ''));
  } catch {
    throw new Useless();
  }
  if (found === null || typeof found !== 'object' || fields.some((f) => !(f in found))) throw new Useless();
  return found;
}

let begun = 0;
let accepted = 0;
const kept = [];

async function one(number) {
  const made = objectOf(await post(body('engineer', `${userOf('engineer')}\n\nAttempt ${number}.`)), 'problem', 'answer', 'hints');
  const { problem, answer, hints } = made;
  const initial = JSON.stringify({ validation_type: 'initial', problem, answer, hints });
  if (!objectOf(await post(body('initial', initial)), 'valid').valid) return;
  const answered = textOf(await post(body('target', userOf('target').replace('{{problem}}', () => problem))));
  const question = { validation_type: 'equivalence_check', problem, true_answer: answer, model_answer: answered };
  const verdict = objectOf(await post(body('equivalence', JSON.stringify(question))), 'valid');
  if (!verdict.valid && accepted < wanted) {
    accepted++;
    kept.push({ ...made, target_model_answer: answered, reason: verdict.reason });
  }
}

async function worker() {
  while (accepted < wanted && begun < beginMax) {
    begun++;
    try {
      await one(begun);
    } catch (error) {
      if (!(error instanceof Useless)) throw error;
    }
  }
}

await Promise.all(Array.from({ length: concurrency }, worker));
writeFileSync(out, kept.map((p) => JSON.stringify(p) + '\n').join(''));
await pool.close();
