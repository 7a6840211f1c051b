// Who may do what: keys, scopes, tenants, limits; where the service may listen.
import assert from 'node:assert/strict';
import { request } from 'node:http';
import https from 'node:https';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import test from 'node:test';
import { certificate, folder, run, sim, start, wait } from './lib.mjs';
import { serve } from './service.mjs';

/** A key made through the service by whoever has `admin` (the first by nobody). */
async function key(s, admin, body) {
  const got = await s.post('/keys', body, { key: admin });
  assert.equal(got.status, 201, JSON.stringify(got.body));
  return got.body.key;
}

const first = { name: 'root', scopes: ['admin'] };

test('with a key in the store every request needs a good one, and a key sees its own jobs only', async (t) => {
  const s = await serve(t, [], { sim: ['--latency', '5'] });
  const root = await key(s, undefined, first);
  assert.equal((await s.get('/jobs')).status, 401);
  assert.match((await s.get('/jobs')).headers.get('www-authenticate'), /^Bearer/);
  assert.equal((await s.get('/jobs', { key: `${root}x` })).status, 401);
  const [ann, bob] = [await key(s, root, { name: 'ann' }), await key(s, root, { name: 'bob' })];
  const id = await s.submit({ num_problems: 1 }, { key: ann });
  await s.end(id, { key: ann });
  for (const [path, method] of [[`/status/${id}`], [`/jobs/${id}`], [`/jobs/${id}/results`], [`/jobs/${id}/cancel`, 'POST'], [`/jobs/${id}`, 'DELETE']]) {
    assert.equal((await s.ask(path, { method, key: bob })).status, 404, `${method} ${path}`);
  }
  assert.equal((await fetch(`${s.base}/jobs/${id}/events`, { headers: { authorization: `Bearer ${bob}` } })).status, 404);
  assert.equal((await s.get('/jobs', { key: bob })).body.data.length, 0);
  assert.equal((await s.get('/jobs', { key: root })).body.data.length, 1, 'admin sees all');
  const headers = { 'idempotency-key': 'same' };
  const [a, b] = [await s.submit({ num_problems: 1 }, { key: ann, headers }), await s.submit({ num_problems: 1 }, { key: bob, headers })];
  assert.notEqual(a, b, 'idempotency keys are a tenant\'s own');
});

test('with --cache the same question of another job of the same key is not paid for again, of another key it is', async (t) => {
  const s = await serve(t, ['--cache', 'answers.db', '--cache-engineer', '--workers', 3], { sim: ['--accept-all', '--messy-rate', '0'] });
  const root = await key(s, undefined, first);
  const [ann, bob] = [await key(s, root, { name: 'ann' }), await key(s, root, { name: 'bob' })];
  /** The problems of a job that asks the same as all others here, and how many calls the provider was paid for. */
  const paid = async (key) => {
    const before = (await s.provider.sums()).calls;
    const job = await s.end(await s.submit({ num_problems: 4, max_attempts: 4, seed: 7 }, { key }), { key });
    const problems = (await s.get(`/jobs/${job.job_id}/results`, { key })).body.data;
    return { job, problems, calls: (await s.provider.sums()).calls - before };
  };
  const once = await paid(ann);
  assert(once.calls >= 12);
  for (const p of once.problems) assert.equal(p.usage.calls_reused, 0);
  await wait(3000); // answers are kept a moment after they came
  const again = await paid(ann);
  assert.equal(again.calls, 0, 'nothing was asked');
  assert.deepEqual(again.problems.map((p) => p.problem).sort(), once.problems.map((p) => p.problem).sort());
  for (const p of again.problems) {
    assert.equal(p.usage.calls, 0);
    assert(p.usage.calls_reused >= 3);
    assert.equal(p.cost_usd, 0);
  }
  assert.equal(again.job.usage.cost_usd, 0);
  assert.deepEqual([once, again].map(({ job }) => job.usage.calls_reused), [0, again.job.usage.calls], 'the job tells it, too');
  for (const row of again.job.usage.by_model) assert.equal(row.calls_reused, row.calls);
  const shown = await run(t, ['jobs', 'show', again.job.job_id, '--server', s.base], { env: { STUMPER_API_KEY: ann } });
  assert.match(shown.stdout, /calls +(\d+), \1 of them answered from the cache/);
  assert.equal((await paid(bob)).calls, once.calls, 'nobody learns what others asked');
});

test('a key can do what its scopes say, until it is revoked', async (t) => {
  const s = await serve(t, [], { sim: ['--latency', '5'] });
  assert.equal((await s.post('/keys', { name: 'weak', scopes: ['read'] })).status, 422, 'the first key must be able to make others');
  const root = await key(s, undefined, first);
  const reader = await key(s, root, { name: 'reader', scopes: ['read'] });
  assert.equal((await s.post('/generate', { num_problems: 1 }, { key: reader })).status, 403);
  assert.equal((await s.get('/jobs', { key: reader })).status, 200);
  assert.equal((await s.get('/keys', { key: reader })).status, 403);
  const listed = (await s.get('/keys', { key: root })).body.data;
  assert.deepEqual(listed.map((k) => k.name), ['root', 'reader']);
  assert(!JSON.stringify(listed).includes(reader));
  assert.equal((await s.ask(`/keys/${listed[1].id}`, { method: 'DELETE', key: root })).status, 204);
  assert.equal((await s.get('/jobs', { key: reader })).status, 401);
});

test('the maker of the first key may vanish: the log says how to come in again, and that works', async (t) => {
  const s = await serve(t);
  const { hostname, port } = new URL(s.base);
  const body = JSON.stringify(first);
  const lost = connect(Number(port), hostname);
  lost.on('error', () => {});
  lost.end(`POST /keys HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  lost.destroySoon();
  const told = await s.line(/is the first key: .*`stumper (keys add) NAME (--scopes \S+) --store STORE`/);
  assert.equal((await s.get('/jobs')).status, 401);
  await s.stop();
  const store = `sqlite:${join(s.cwd, 'jobs.db')}`;
  const made = (await run(t, [...told[1].split(' '), 'me', ...told[2].split(' '), '--store', store], {})).stdout.trim();
  const again = await serve(t, [], { provider: s.provider, cwd: s.cwd });
  assert.equal((await again.get('/keys', { key: made })).body.data.length, 2);
});

test('limits of a key: requests a minute, jobs under way, dollars a day', async (t) => {
  const prices = ['engineer', 'checker', 'target'].flatMap((m) => ['--price', `openai/${m}=0.05,0.2`]);
  const s = await serve(t, prices, { sim: ['--latency', '100'] });
  const root = await key(s, undefined, first);
  const fast = await key(s, root, { name: 'fast', requests_per_minute: 30 });
  const got = await Promise.all(Array.from({ length: 60 }, () => s.get('/jobs', { key: fast })));
  const refused = got.filter((g) => g.status === 429);
  assert(refused.length > 0 && refused.length < 60, `${refused.length}`);
  assert(Number(refused[0].headers.get('retry-after')) >= 1);
  assert.match(got[0].headers.get('ratelimit-policy'), /q=\d+;w=\d+/);
  assert.match(got[0].headers.get('ratelimit'), /r=\d+;t=\d+/);
  const few = await key(s, root, { name: 'few', jobs_max: 2 });
  const posts = [];
  for (let i = 0; i < 3; i++) posts.push((await s.post('/generate', { num_problems: 50 }, { key: few })).status);
  assert.deepEqual(posts, [202, 202, 429]);
  const poor = await key(s, root, { name: 'poor', usd_per_day: 0.002 });
  const id = await s.submit({ num_problems: 500, concurrency: 4 }, { key: poor });
  for (let look = 0; ; look++) {
    const { body } = await s.get(`/status/${id}`, { key: root });
    if (body.status === 'paused') {
      assert(body.usage.cost_usd <= 0.002, `${body.usage.cost_usd}`);
      assert.match(body.reason, /today/);
      break;
    }
    assert(look < 300, JSON.stringify(body));
    await wait(100);
  }
});

test('beyond this machine it does not listen without a key, and says how to make one', async (t) => {
  const cwd = folder(t);
  const refused = await run(t, ['serve', '--listen', '0.0.0.0:0'], { cwd, code: 1 });
  assert.match(refused.stderr, /stumper keys add/);
  const made = await run(t, ['keys', 'add', 'me', '--scopes', 'submit,read,admin', '--store', 'sqlite:stumper.db'], { cwd });
  const mine = made.stdout.trim();
  assert.match(mine, /^sk-stumper-/);
  const it = start(t, ['serve', '--listen', '0.0.0.0:0', '--store', 'sqlite:stumper.db'], { cwd });
  const port = (await it.line(/http:\/\/0\.0\.0\.0:(\d+)/))[1];
  assert.equal((await fetch(`http://127.0.0.1:${port}/jobs`)).status, 401);
  assert.equal((await fetch(`http://127.0.0.1:${port}/jobs`, { headers: { authorization: `Bearer ${mine}` } })).status, 200);
  await it.kill('SIGTERM');
  for (const name of readdirSync(cwd)) assert(!readFileSync(join(cwd, name)).includes(mine), `the key stands in ${name}`);
  assert(!(it.stdout + it.stderr).includes(mine));
});

test('it serves over TLS, and over a unix socket', async (t) => {
  const { cert, key: secret, path } = certificate(t);
  const cwd = folder(t);
  writeFileSync(join(cwd, 'key.pem'), secret);
  const tls = start(t, ['serve', '--listen', '127.0.0.1:0', '--tls-cert', path, '--tls-key', 'key.pem'], { cwd });
  const base = (await tls.line(/serving (https:\S+),/))[1];
  const status = await new Promise((done, fail) => https.get(`${base}/livez`, { ca: cert }, (r) => done(r.statusCode)).on('error', fail));
  assert.equal(status, 200);
  await tls.kill('SIGTERM');
  const socket = join(cwd, 's.sock');
  const unix = start(t, ['serve', '--listen', `unix:${socket}`], { cwd });
  await unix.line(/serving/);
  assert(existsSync(socket));
  const code = await new Promise((done, fail) => request({ socketPath: socket, path: '/livez' }, (r) => done(r.statusCode)).on('error', fail).end());
  assert.equal(code, 200);
});

test('with no configuration at all, the three commands it prints work as printed', async (t) => {
  const cwd = folder(t);
  const it = start(t, ['serve', '--listen', '127.0.0.1:0'], { cwd });
  await it.line(/Ctrl-C ends/);
  const commands = it.stdout.split('\n').filter((l) => l.startsWith('  ')).join('\n');
  const got = await run(t, ['-euo', 'pipefail', '-c', commands], { program: '/bin/bash', cwd });
  assert.match(got.stdout, /"status":"succeeded"/);
  assert.equal(got.stdout.match(/\{"seq":\d+,/g).length, 5);
});

test('a default model that cannot be asked is told at the start', async (t) => {
  const it = await run(t, ['serve', '--listen', '127.0.0.1:0', '--engineer', 'nobody/x'], { cwd: folder(t), code: 2 });
  assert.match(it.stderr, /--engineer: there is no provider 'nobody'/);
  const keyless = await run(t, ['serve', '--listen', '127.0.0.1:0', '--target', 'openai/gpt-5.4'], { cwd: folder(t), code: 2 });
  assert.match(keyless.stderr, /OPENAI_API_KEY/);
});

test('what keeps it from starting is told with what mends it', async (t) => {
  const cwd = folder(t);
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.after(() => taken.close());
  const damaged = join(cwd, 'damaged.db');
  await run(t, ['keys', 'add', 'me', '--store', `sqlite:${damaged}`], { cwd });
  const file = readFileSync(damaged);
  writeFileSync(damaged, file.fill(0xa5, 4096));
  const cases = [
    [['--listen', `127.0.0.1:${taken.address().port}`], /port \d+: Address already in use; stop what listens there, or choose another$/m],
    [['--store', 'sqlite:nowhere/jobs.db'], /--store: cannot keep nowhere\/jobs\.db: the directory nowhere: No such file or directory$/m],
    [['--store', 'sqllite:jobs.db'], /--store: wants sqlite:FILE or postgresql:/],
    [['--store', `sqlite:${damaged}`], /damaged\.db: the file is damaged; put a backup in its place \(`stumper doctor --store`/],
  ];
  for (const [flags, told] of cases) {
    const it = await run(t, ['serve', '--listen', '127.0.0.1:0', ...flags], { cwd, code: /sqllite/.test(flags[1]) ? 2 : 1 });
    assert.match(it.stderr, told);
    assert.equal(it.stderr.trim().split('\n').length, 1, 'one message');
  }
  assert.deepEqual(readFileSync(damaged), file, 'what is damaged is left as it is');
});

test('two services on one store: the second says who has it', async (t) => {
  const provider = await sim(t);
  const s = await serve(t, [], { provider });
  const second = await run(t, ['serve', '--listen', '127.0.0.1:0', '--store', `sqlite:${join(s.cwd, 'jobs.db')}`], { code: 1, env: provider.env });
  assert.match(second.stderr, new RegExp(`${s.pid}`));
});
