// docs/openapi.yaml and the service say the same: every response that is described is given here, by its path, method and
// status, and every error by its code; a response that is not described fails in any test that meets it (service.mjs).
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import test from 'node:test';
import { folder, program, run, sim, start, wait } from './lib.mjs';
import { serve } from './service.mjs';

const JOB = { num_problems: 1 };

/** Say `text` on a connection of its own; gives the answer, or what came of it. */
function raw(t, s, text) {
  const { port } = new URL(s.base);
  const socket = connect(Number(port), '127.0.0.1');
  t.after(() => socket.destroy());
  let answer = '';
  socket.setEncoding('utf8').on('data', (d) => (answer += d)).on('error', () => {});
  socket.write(text);
  return new Promise((done) => socket.on('close', () => done(answer)));
}

/** … which must be a problem with this code. */
async function rawProblem(t, s, text, status, code) {
  const answer = await raw(t, s, text);
  const what = `${text.slice(0, 40)}: ${answer.slice(0, 400)}`;
  assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `), what);
  assert.match(answer, /content-type: application\/problem\+json/i, what);
  const problem = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4));
  s.api.holdProblem(status, problem, what);
  assert.equal(problem.code, code);
}

/** A service beyond loopback with a key for everything, so that every refusal can be met. */
async function closed(t) {
  const cwd = folder(t);
  const store = `sqlite:${join(cwd, 'jobs.db')}`;
  const made = await run(t, ['keys', 'add', 'root', '--scopes', 'submit,read,admin', '--store', store], { cwd });
  const s = await serve(t, ['--max-body', '4096', '--concurrency', '8'], { cwd, listen: '0.0.0.0:0', sim: ['--latency', '50'] });
  const root = made.stdout.trim();
  const add = async (body) => {
    const got = await s.post('/keys', body, { key: root });
    assert.equal(got.status, 201, JSON.stringify(got.body));
    return got.body;
  };
  return { s, root, add };
}

/** Operations that want a key, as [method, path with an id that nobody has, path as it is described]. */
const guarded = (document) => Object.entries(document.paths).flatMap(([path, item]) =>
  ['get', 'post', 'delete'].filter((m) => item[m] && item[m].security?.length !== 0)
    .map((m) => [m.toUpperCase(), path.replace('{id}', path.startsWith('/keys') ? 'key_0' : path.startsWith('/workers') ? '0' : 'job_0'), path]));

async function refuseStrangers({ s, add }) {
  const reader = (await add({ name: 'reader', scopes: ['read'] })).key;
  const writer = (await add({ name: 'writer', scopes: ['submit'] })).key;
  const tired = (await add({ name: 'tired', scopes: ['admin'], requests_per_minute: 1 })).key;
  assert.equal((await s.get('/jobs', { key: tired })).status, 200);
  for (const [method, path] of guarded(s.api.document)) {
    assert.equal((await s.ask(path, { method })).status, 401, `${method} ${path}`);
    const scopes = [await s.ask(path, { method, key: reader }), await s.ask(path, { method, key: writer })];
    assert(scopes.some((g) => g.status === 403), `${method} ${path}: ${scopes.map((g) => g.status)}`);
    const late = await s.ask(path, { method, key: tired });
    assert.equal(late.status, 429, `${method} ${path}`);
    assert(late.headers.get('retry-after') && late.headers.get('ratelimit') && late.headers.get('ratelimit-policy'));
  }
  const few = (await add({ name: 'few', jobs_max: 1 })).key;
  assert.equal((await s.post('/generate', { num_problems: 1000 }, { key: few })).status, 202);
  assert.equal((await s.post('/generate', JOB, { key: few })).body.code, 'too_many_jobs');
}

async function refuseWhatIsWrong(t, { s, root }) {
  for (const [method, path, described] of guarded(s.api.document)) {
    const responses = s.api.document.paths[described][method.toLowerCase()].responses;
    if (path !== described) assert.equal((await s.ask(path, { method, key: root })).status, 404, `${method} ${path}`);
    if (method === 'GET' && responses[400]) assert.equal((await s.ask(`${path}?nonsense=1`, { key: root })).status, 400, path);
    if (!responses[415]) continue;
    const post = async (body, headers = {}) => (await s.post(path, body, { headers, key: root })).status;
    assert.equal(await post('{"num_problems": 1,}'), 400);
    assert.equal(await post('num_problems=1', { 'content-type': 'application/x-www-form-urlencoded' }), 415);
    assert.equal(await post({ name: 'x'.repeat(5000) }), 413);
    assert.equal(await post({ num_problems: -1, name: 7, scopes: [] }), 422);
  }
  assert.equal((await s.get('/jobs?starting_after=job_0', { key: root })).status, 404);
  assert.equal((await s.get('/nowhere')).status, 404);
  const wrong = await s.ask('/generate', { method: 'PUT', body: JOB, key: root });
  assert(wrong.status === 405 && wrong.headers.get('allow') === 'POST');
  const head = 'Host: localhost\r\n';
  await rawProblem(t, s, `GET /${'a'.repeat(20000)} HTTP/1.1\r\n${head}\r\n`, 414, 'uri_too_long');
  await rawProblem(t, s, `GET /livez HTTP/1.1\r\n${head}X: ${'a'.repeat(9000)}\r\n\r\n`, 431, 'header_too_large');
  await rawProblem(t, s, `GET /livez HTTP/1.1\r\n${head}X: ${'a'.repeat(30000)}\r\n\r\n`, 431, 'header_too_large');
  await rawProblem(t, s, `GET /livez HTTP/1.1\r\n${head}Transfer-Encoding: gzip\r\n\r\n`, 501, 'not_implemented');
  await rawProblem(t, s, `GET /livez HTTP/3.0\r\n${head}\r\n`, 505, 'http_version_not_supported');
  await rawProblem(t, s, `GET /livez HTTP/1.1\r\n${head}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`, 400, 'bad_request');
}

/** All at once: each takes as long as a client is given. */
async function refuseTheSlow(t, { s, root }) {
  const slow = ['/generate', '/v1/jobs', '/keys'].map(async (path) => {
    await rawProblem(t, s, `POST ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${root}\r\nContent-Length: 10\r\n\r\n{`, 408, 'request_timeout');
    s.api.seen.add(`POST ${path} 408`);
  });
  await Promise.all([...slow, rawProblem(t, s, 'GET /livez HTTP/1.1\r\nHost: loc', 408, 'request_timeout')]);
}

async function submitAgainAndAgain(path, { s, root }) {
  const keyed = (key, body = JOB) => s.post(path, body, { key: root, headers: { 'idempotency-key': key } });
  const met = new Set();
  for (let round = 0; !met.has(409); round++) {
    assert(round < 50, 'two requests with one key are never under way at once');
    const got = await Promise.all(Array.from({ length: 40 }, () => keyed(`${path}-${round}`)));
    const ids = new Set(got.filter((g) => g.status === 202).map((g) => g.body.job_id));
    assert.equal(ids.size, 1);
    for (const { status, body, headers } of got) {
      met.add(status);
      if (status === 409) assert(body.code === 'idempotency_in_progress' && body.retryable && headers.get('retry-after'));
    }
    assert.equal((await keyed(`${path}-${round}`, { num_problems: 2 })).body.code, 'idempotency_mismatch');
  }
  assert.deepEqual([...met].sort(), [202, 409]);
  const waited = await s.post(path, JOB, { key: root, headers: { prefer: 'wait=60' } });
  assert.equal(waited.status, 200);
  return waited.body.job_id;
}

/** Whose job it was is told that it is gone, others that there is none. */
async function askForWhatIsGone(id, { s, root, add }) {
  const { key: stranger } = await add({ name: 'stranger' });
  for (const [method, path] of guarded(s.api.document).filter(([, p]) => p.includes('job_0'))) {
    const gone = path.replace('job_0', id);
    assert.equal((await s.ask(gone, { method, key: root })).status, 410, `${method} ${gone}`);
    assert.equal((await s.ask(gone, { method, key: stranger })).status, 404, `${method} ${gone}`);
  }
  assert.equal((await s.get(`/jobs?starting_after=${id}`, { key: root })).status, 410);
}

async function liveAJob({ s, root, add }) {
  const key = root;
  const ended = await submitAgainAndAgain('/generate', { s, root });
  await submitAgainAndAgain('/v1/jobs', { s, root });
  for (const path of [`/status/${ended}`, `/jobs/${ended}`]) {
    const got = await s.get(path, { key });
    assert.equal((await s.get(path, { key, headers: { 'if-none-match': got.headers.get('etag') } })).status, 304);
  }
  for (const accept of ['application/json', 'application/jsonl']) {
    assert.equal((await s.get(`/jobs/${ended}/results`, { key, headers: { accept } })).status, 200);
  }
  const page = (query, etag) => s.get(`/jobs/${ended}/results${query}`, { key, headers: { 'if-none-match': etag } });
  const { etag } = Object.fromEntries((await page('', '"no"')).headers);
  assert.equal((await page('', etag)).status, 304);
  assert.equal((await page('?starting_after=1000000', etag)).status, 200, 'another page is another ETag');
  assert.match((await s.get(`/jobs/${ended}/events`, { key })).body, /^event: job\.succeeded$/m);
  assert.equal((await s.get(`/jobs/${ended}/events`, { key, headers: { 'last-event-id': '1000000' } })).status, 204);
  for (const wish of ['pause', 'resume']) assert.equal((await s.post(`/jobs/${ended}/${wish}`, undefined, { key })).status, 409);
  const id = await s.submit({ num_problems: 5000, priority: 'high' }, { key });
  while ((await s.get(`/status/${id}`, { key })).body.counts.in_flight === 0) await wait(20);
  assert.equal((await s.ask(`/jobs/${id}`, { method: 'DELETE', key })).status, 409);
  assert.equal((await s.post(`/jobs/${id}/pause`, undefined, { key })).body.status, 'paused');
  assert.equal((await s.post(`/jobs/${id}/resume`, undefined, { key })).status, 200);
  while ((await s.get(`/status/${id}`, { key })).body.counts.in_flight === 0) await wait(20);
  assert.equal((await s.post(`/jobs/${id}/cancel`, undefined, { key })).status, 202);
  assert.equal((await s.end(id, { key })).status, 'cancelled');
  assert.equal((await s.post(`/jobs/${id}/cancel`, undefined, { key })).status, 200);
  assert.equal((await s.ask(`/jobs/${id}`, { method: 'DELETE', key })).status, 204);
  await askForWhatIsGone(id, { s, root, add });
  const spare = await add({ name: 'spare' });
  assert.equal((await s.get('/keys', { key })).body.data.at(-1).id, spare.id);
  assert.equal((await s.ask(`/keys/${spare.id}`, { method: 'DELETE', key })).status, 204);
  for (const path of ['/livez', '/readyz', '/metrics', '/openapi.json', '/docs', '/']) await s.get(path, { key });
}

/** More streams than the service keeps. */
async function followTooMuch({ s, root }) {
  const control = new AbortController();
  const id = await s.submit({ num_problems: 5000, priority: -100 }, { key: root });
  assert.equal((await s.post(`/jobs/${id}/pause`, undefined, { key: root })).status, 200);
  const headers = { authorization: `Bearer ${root}` };
  const streams = await Promise.all(Array.from({ length: 1000 }, () => fetch(`${s.base}/jobs/${id}/events`, { headers, signal: control.signal })));
  assert(streams.every((r) => r.status === 200));
  for (const path of [`/jobs/${id}/events`, `/jobs/${id}/results?format=jsonl&follow=true`]) {
    const got = await s.get(path, { key: root });
    assert(got.status === 429 && got.body.code === 'too_many_streams' && got.headers.get('retry-after'));
  }
  control.abort();
}

/** A service that is about to stop. */
async function drain(t, api) {
  const s = await serve(t, ['--drain', '60s'], { api, sim: ['--latency', '4000', '--accept-all'] });
  const id = await s.submit({ num_problems: 20, concurrency: 4 });
  while ((await s.get(`/status/${id}`)).body.counts.in_flight === 0) await wait(20);
  s.child.kill('SIGTERM');
  while ((await s.get('/readyz')).status !== 503) await wait(10);
  for (const path of ['/generate', '/v1/jobs']) assert.equal((await s.post(path, JOB)).body.code, 'unavailable');
  await s.stop();
}

/** A service with as many queued jobs as it takes; when some have begun it takes others. */
async function queueTooMany(t, api) {
  const s = await serve(t, ['--max-queued', '3'], { api, sim: ['--latency', '50'] });
  const burst = () => Promise.all(Array.from({ length: 50 }, () => s.post('/generate', JOB)));
  let refused;
  while (!refused) refused = (await burst()).find((g) => g.status !== 202);
  assert(refused.status === 503 && refused.body.code === 'backlog_full' && refused.headers.get('retry-after'));
  while ((await s.post('/v1/jobs', JOB)).status !== 202) await wait(20);
}

/** A key whose day's money is spent. */
async function spend(t, api) {
  const prices = ['engineer', 'checker', 'target'].flatMap((m) => ['--price', `openai/${m}=50,200`]);
  const s = await serve(t, prices, { api, sim: ['--latency', '20'] });
  const root = (await s.post('/keys', { name: 'root', scopes: ['admin'] })).body.key;
  const { key } = (await s.post('/keys', { name: 'poor', usd_per_day: 0.2 }, { key: root })).body;
  await s.submit({ num_problems: 50, concurrency: 1 }, { key });
  for (let look = 0; ; look++) {
    const got = await s.post('/generate', JOB, { key });
    if (got.status === 429) {
      assert.equal(got.body.code, 'spend_limit');
      break;
    }
    assert(look < 100, 'it spends for ever');
    await wait(100);
  }
  const { data } = (await s.get('/workers', { key: root })).body;
  assert.equal(data.length, 1);
  assert.equal((await s.post(`/workers/${data[0].id}/drain`, undefined, { key: root })).status, 202);
}

const NAMESPACE = ['--map-root-user', '--mount', 'sh', '-c'];
const mayMount = spawnSync('unshare', [...NAMESPACE, 'mount -t tmpfs none /mnt']).status === 0;

/** A service whose disk is full. */
async function fill(t, api) {
  const cwd = folder(t);
  const provider = await sim(t);
  mkdirSync(join(cwd, 'small'));
  const models = '--engineer openai/engineer --checker openai/checker --target openai/target';
  const script = `mount -t tmpfs -o size=2m none small && exec '${program}' serve --listen 127.0.0.1:0 --store sqlite:small/jobs.db ${models}`;
  const it = start(t, [...NAMESPACE, script], { program: 'unshare', cwd, env: provider.env });
  const base = (await it.line(/^stumper: serving (http:\S+),/m))[1];
  const body = JSON.stringify({ num_problems: 1, use_seed_data: true, seed_data: [{ problem: 'x'.repeat(60000) }] });
  for (let i = 0; ; i++) {
    const got = await fetch(`${base}/generate`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    const answer = await got.text();
    if (got.status !== 202) {
      api.hold('POST', '/generate', got, answer);
      assert.equal(got.status, 507, answer);
      break;
    }
    assert(i < 100, 'the disk is never full');
  }
  await it.kill('SIGKILL');
}

test('every response that the interface describes is given, and every error has its code', async (t) => {
  const it = await closed(t);
  const { api } = it.s;
  await refuseStrangers(it);
  await refuseWhatIsWrong(t, it);
  await liveAJob(it);
  await followTooMuch(it);
  await Promise.all([refuseTheSlow(t, it), drain(t, api), queueTooMany(t, api), spend(t, api), mayMount ? fill(t, api) : null]);
  assert.deepEqual(api.described().filter((r) => !api.seen.has(r)), [], 'described, but never met');
  const elsewhere = ['internal_error', ...(mayMount ? [] : ['insufficient_storage'])]; // mistakes of our own cannot be ordered
  const codes = api.document['x-errors'].map((e) => e.code);
  assert.deepEqual(codes.filter((c) => !api.codes.has(c)).sort(), elsewhere.sort());
  assert.deepEqual(api.document.components.schemas.Problem.properties.code.enum.toSorted(), codes.toSorted());
});
