// One attempt by Node and undici, a connection for each in flight: what the Node peers share. The same as peers/chain.py.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';

export class Useless extends Error {}

const TRIES = 6;
const headers = { 'content-type': 'application/json', authorization: 'Bearer bench' };
const retriable = (status) => [408, 409, 429].includes(status) || status >= 500;
const backoff = (attempt) => Math.min(8000, 500 * 2 ** attempt) * (1 - 0.25 * Math.random());

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

export class Chain {
  constructor(url, chainPath, connections) {
    const base = new URL(url);
    this.path = base.pathname.replace(/\/$/, '') + '/chat/completions';
    this.calls = JSON.parse(readFileSync(chainPath, 'utf8'));
    this.pool = new Pool(base.origin, { connections, pipelining: 1, bodyTimeout: 60e3, headersTimeout: 60e3 });
  }

  userOf(call) {
    return this.calls[call].messages.find((m) => m.role === 'user').content;
  }

  body(call, user) {
    const template = this.calls[call];
    const messages = template.messages.map((m) => (m.role === 'user' ? { ...m, content: user } : m));
    return JSON.stringify({ ...template, messages });
  }

  async post(text) {
    for (let attempt = 0; attempt < TRIES; attempt++) {
      try {
        const answer = await this.pool.request({ path: this.path, method: 'POST', headers, body: text });
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

  /** The four calls; the problem with its answers, or null if it is not kept. */
  async attempt(number) {
    const made = objectOf(await this.post(this.body('engineer', `${this.userOf('engineer')}\n\nAttempt ${number}.`)), 'problem', 'answer', 'hints');
    const { problem, answer, hints } = made;
    const initial = JSON.stringify({ validation_type: 'initial', problem, answer, hints });
    if (!objectOf(await this.post(this.body('initial', initial)), 'valid').valid) return null;
    const answered = textOf(await this.post(this.body('target', this.userOf('target').replace('{{problem}}', () => problem))));
    const question = { validation_type: 'equivalence_check', problem, true_answer: answer, model_answer: answered };
    const verdict = objectOf(await this.post(this.body('equivalence', JSON.stringify(question))), 'valid');
    return verdict.valid ? null : { ...made, target_model_answer: answered, reason: verdict.reason };
  }

  close() {
    return this.pool.close();
  }
}
