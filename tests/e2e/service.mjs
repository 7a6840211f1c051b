// A running service for tests: started with models of a simulated provider, asked through a fetch() that holds every
// response against the interface that the service itself serves at /openapi.json.
import assert from 'node:assert/strict';
import Ajv2020 from 'ajv/dist/2020.js';
import { join } from 'node:path';
import { folder, PATIENCE_MS, sim, start } from './lib.mjs';

/** What stands at a reference of the document. */
function resolve(document, node) {
  while (node?.$ref) {
    node = node.$ref.slice(2).split('/').reduce((at, key) => at[key.replaceAll('~1', '/').replaceAll('~0', '~')], document);
  }
  return node;
}

/** The path of the document that a request's path is: "/status/job_1" is "/status/{id}". */
function template(document, path) {
  const parts = path.split('/');
  return Object.keys(document.paths).find((known) => {
    const wanted = known.split('/');
    return wanted.length === parts.length && wanted.every((w, i) => w === parts[i] || (w.startsWith('{') && parts[i]));
  });
}

/** What a client may meet anywhere: the operations list it as `default`. */
const ANYWHERE = [414, 431, 500, 501, 503, 505, 507];

class Interface {
  constructor(document) {
    this.document = document;
    this.ajv = new Ajv2020.default({ strict: false, allErrors: true, validateFormats: false });
    this.ajv.addSchema(document, 'api');
    this.known = new Map();
    this.seen = new Set();
    this.codes = new Set();
  }

  check(schema, value, what) {
    const key = JSON.stringify(schema);
    if (!this.known.has(key)) {
      const absolute = JSON.parse(key, (k, v) => (k === '$ref' && v.startsWith('#') ? `api${v}` : v));
      this.known.set(key, this.ajv.compile(absolute));
    }
    const valid = this.known.get(key);
    assert(valid(value), `${what}: ${this.ajv.errorsText(valid.errors)}\n${JSON.stringify(value, null, 1).slice(0, 3000)}`);
  }

  /** A problem must have the form of all, and a code that is described with this status. */
  holdProblem(status, problem, what) {
    this.check({ $ref: '#/components/schemas/Problem' }, problem, what);
    assert.equal(problem.status, status, what);
    const known = this.document['x-errors'].find((e) => e.code === problem.code);
    assert.equal(known?.status, status, `${what}: ${problem.code}`);
    this.codes.add(problem.code);
  }

  /** A response must be one that its operation lists; a path or method without operation is a 404 or 405. */
  hold(method, path, response, body) {
    const what = `${method} ${path} → ${response.status}`;
    const type = response.headers.get('content-type')?.split(';')[0];
    const problem = type === 'application/problem+json';
    if (problem) this.holdProblem(response.status, JSON.parse(body), what);
    const at = template(this.document, path);
    const it = this.document.paths[at]?.[method.toLowerCase()];
    if (!it) {
      assert.equal(response.status, at ? 405 : 404, `${what}: the interface has no such operation`);
      return;
    }
    const described = resolve(this.document, it.responses[response.status]);
    if (!described && problem && it.responses.default && ANYWHERE.includes(response.status)) return;
    assert(described, `${what}: the interface has no such response`);
    this.seen.add(`${method} ${at} ${response.status}`);
    if (!body || problem) return;
    assert(described.content?.[type], `${what}: ${type} is not described`);
    if (type === 'application/json') this.check(described.content[type].schema, JSON.parse(body), what);
  }

  /** Every response that is described by its status, as `hold` notes those it saw. */
  described() {
    return Object.entries(this.document.paths).flatMap(([path, item]) =>
      Object.entries(item).filter(([, it]) => it.responses).flatMap(([method, it]) =>
        Object.keys(it.responses).filter((s) => s !== 'default').map((s) => `${method.toUpperCase()} ${path} ${s}`)));
  }
}

/**
 * Start `stumper serve`. The handle can ask: `service.get(path)`, `service.post(path, body)`, each giving
 * { status, headers, body (JSON or text) }, every response held against the interface.
 *
 * @options.store  null: the environment says where it is
 * @options.sim    flags of the simulated provider; @options.cwd: where the store is; @options.listen;
 * @options.api: what another service's handle has, to note what both answer
 */
export async function serve(t, flags = [], options = {}) {
  const provider = options.provider ?? (await sim(t, ...(options.sim ?? [])));
  const cwd = options.cwd ?? folder(t);
  const models = ['--engineer', 'openai/engineer', '--checker', 'openai/checker', '--target', 'openai/target'];
  const store = options.store === null ? [] : ['--store', `sqlite:${join(cwd, 'jobs.db')}`];
  const it = start(t, ['serve', '--listen', options.listen ?? '127.0.0.1:0', ...store, ...models, ...flags], {
    cwd,
    env: { ...provider.env, ...options.env },
  });
  const base = options.base ?? (await it.ready(/^stumper: serving (https?:\S+),/m))[1];
  const api = options.api ?? new Interface(await (await fetch(`${base}/openapi.json`)).json());

  /** @options: method, headers, body (an object is sent as JSON), key. */
  async function ask(path, { method = 'GET', headers = {}, body, key } = {}) {
    const sent = { ...headers };
    if (key) sent.authorization = `Bearer ${key}`;
    if (body !== undefined && !('content-type' in sent)) sent['content-type'] = 'application/json';
    const response = await fetch(base + path, { method, headers: sent, redirect: 'manual', body: typeof body === 'object' ? JSON.stringify(body) : body });
    const raw = await response.text();
    api.hold(method, path.split('?')[0], response, raw);
    const type = response.headers.get('content-type') ?? '';
    return { status: response.status, headers: response.headers, body: /json$|json;/.test(type) ? JSON.parse(raw) : raw };
  }
  return {
    ...it,
    provider,
    cwd,
    base,
    api,
    ask,
    get: (path, more) => ask(path, more),
    post: (path, body, more) => ask(path, { method: 'POST', body, ...more }),
    /** Submit and give the id. */
    submit: async (body, more) => {
      const got = await ask('/generate', { method: 'POST', body, ...more });
      assert.equal(got.status, 202, JSON.stringify(got.body));
      return got.body.job_id;
    },
    /** Wait until the job has ended; gives its status. */
    end: async (id, more, timeout_ms = PATIENCE_MS) => {
      const give_up = Date.now() + timeout_ms;
      for (;;) {
        const { body } = await ask(`/status/${id}?wait=20`, more);
        if (['succeeded', 'partial', 'failed', 'cancelled'].includes(body.status)) return body;
        assert(Date.now() < give_up, `job ${id} did not end: ${JSON.stringify(body)}`);
      }
    },
    stop: async (signal = 'SIGTERM') => {
      await it.kill(signal);
      return it;
    },
    /** Server-sent events from a response's body: an async iterator of { id, event, data }. */
    events: async function* (id, headers = {}) {
      const response = await fetch(`${base}/jobs/${id}/events`, { headers });
      assert.equal(response.status, 200);
      let buffer = '';
      for await (const bytes of response.body.pipeThrough(new TextDecoderStream())) {
        buffer += bytes;
        for (let end; (end = buffer.indexOf('\n\n')) >= 0; buffer = buffer.slice(end + 2)) {
          const fields = Object.fromEntries(buffer.slice(0, end).split('\n').filter((l) => !l.startsWith(':')).map((l) => [l.slice(0, l.indexOf(':')), l.slice(l.indexOf(':') + 1).trim()]));
          if (fields.event) yield { id: Number(fields.id), event: fields.event, data: JSON.parse(fields.data) };
        }
      }
    },
  };
}

/** For a service that is to die at a failpoint: null where it did so before it said that it serves, as one that has work may. */
export const unlessKilled = (serving) => serving.catch((error) => {
  if (/it ended \(SIGKILL\)/.test(error.message)) return null;
  throw error;
});
