// The service in several processes on one PostgreSQL: API servers and workers apart, which learn of each other by the store.
import assert from 'node:assert/strict';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { assertBooked, folder, KEY, program, root, run, sim, start, text, until, wait } from './lib.mjs';
import { freePort, postgres, redis } from './servers.mjs';
import { serve } from './service.mjs';

const PASSWORD = 'a-secret-of-the-store';
const SLOTS = 12;

/** @apis API servers and @workers workers on one database, all asking one simulated provider; `worker()` starts one more,
 * `api()` likewise. @flags: of every process. */
async function fleet(t, { apis = 2, workers = 3, latency = 60, broker, env = {}, simFlags = [], flags = [] } = {}) {
  const database = await postgres(t, PASSWORD);
  const provider = await sim(t, '--latency', latency, ...simFlags);
  const given = { STUMPER_STORE: database.url, ...(broker && { STUMPER_BROKER: broker.url }), ...env };
  const it = { database, provider, apis: [], workers: [], log: [] };
  it.api = async () => {
    const s = await serve(t, ['--workers', '0', ...flags], { store: null, provider, env: given });
    it.apis.push(s);
    it.log.push(s);
    return s;
  };
  it.worker = async (...more) => {
    const w = start(t, ['worker', '--concurrency', SLOTS, ...flags, ...more], { cwd: folder(t), env: { ...provider.env, ...given } });
    await w.line(/^stumper: working on the jobs in postgresql:/);
    it.workers.push(w);
    it.log.push(w);
    return w;
  };
  for (let i = 0; i < apis; i++) await it.api();
  for (let i = 0; i < workers; i++) await it.worker();
  return it;
}

/** Nobody has told a password. */
const assertDiscreet = (it, ...secrets) => {
  for (const { stdout, stderr } of it.log) for (const s of secrets) assert(!(stdout + stderr).includes(s));
};

const metric = async (s, name) => Number((await s.get('/metrics')).body.match(new RegExp(`^${name} (\\S+)`, 'm'))[1]);
const status = async (s, id, more) => (await s.get(`/status/${id}`, more)).body;
const becomes = (s, id, wanted, more) => until(async () => (await status(s, id, more)).status === wanted, `it is ${wanted}`);

test('an API without workers takes jobs and leaves them to others', async (t) => {
  let s = await serve(t, ['--workers', '0']);
  assert.match(s.stdout, /worked on elsewhere \(stumper worker\)/);
  const id = await s.submit({ num_problems: 2 });
  assert.equal((await s.get(`/status/${id}?wait=1`)).body.status, 'queued');
  assert.equal((await s.stop()).code, 0);
  s = await serve(t, [], { provider: s.provider, cwd: s.cwd });
  assert.equal((await s.end(id)).status, 'succeeded');
});

test('an API without workers does not miss the keys that they have, but knows their models', async (t) => {
  const s = await serve(t, ['--workers', '0'], { provider: { env: {} } });
  await s.submit({ num_problems: 1 });
  const got = await s.post('/generate', { num_problems: 1, target_model: 'nobody/knows' });
  assert.equal(got.status, 422);
});

test('a worker wants a store that can be shared, and somebody to ask', async (t) => {
  const cwd = folder(t);
  const refused = async (words, args, env = {}) => assert.match((await run(t, ['worker', ...args], { cwd, env, code: 2 })).stderr, words);
  await refused(/belongs to one process: `stumper serve --store jobs\.db --workers N`/, ['--store', 'jobs.db'], { OPENAI_API_KEY: KEY });
  await refused(/--store/, []);
  await refused(/no provider can be asked/, ['--store', 'postgresql://nobody@127.0.0.1:1/none']);
});

test('a store that cannot be reached is told on one line, with each address that was tried', async (t) => {
  const args = ['worker', '--store', 'postgresql://nobody@127.0.0.1:1,127.0.0.1:2/none'];
  const { stderr } = await run(t, args, { cwd: folder(t), env: { OPENAI_API_KEY: KEY }, code: 1 });
  assert.match(stderr, /^stumper worker: postgresql:.* port 1 failed: .*; .* port 2 failed: .*\n$/);
});

test('a deadline is kept and times are told by the clock of the store, however wrong those of API and worker are', async (t) => {
  const { apis: [s], provider, database } = await fleet(t, { apis: 1, workers: 0, env: { STUMPER_CLOCK_SKEW_MS: -3_600_000 } });
  const env = { ...provider.env, STUMPER_STORE: database.url, STUMPER_CLOCK_SKEW_MS: 3_600_000 };
  await start(t, ['worker'], { cwd: folder(t), env }).line(/^stumper: working/m);
  const times = [Date.now()];
  const ordered = await s.post('/generate', { num_problems: 40, concurrency: 4, deadline_seconds: 600 });
  const eta = await until(async () => (await status(s, ordered.body.job_id)).eta_seconds, 'there is an estimate');
  assert(eta < 600, `${eta} s are left`);
  const job = await s.end(ordered.body.job_id);
  assert.equal(job.status, 'succeeded', job.reason);
  assert.equal(job.created_at, ordered.body.created_at);
  times.push(...[job.created_at, job.started_at, job.ended_at].map(Date.parse), Date.now());
  assert.deepEqual(times, [...times].sort((a, b) => a - b), 'each after the one before');
});

test('what is handed in at one API is seen, steered and fetched at the other, while a worker elsewhere has it', async (t) => {
  const broker = await redis(t, PASSWORD);
  const it = await fleet(t, { broker });
  const [a, b] = it.apis;
  const headers = { 'idempotency-key': 'once' };
  const job = { num_problems: 40, concurrency: 4 };
  const id = await a.submit(job, { headers });
  const again = await b.post('/generate', job, { headers });
  assert.deepEqual([again.body.job_id, again.headers.get('idempotency-replayed')], [id, 'true']);
  assert.equal((await b.post('/generate', { num_problems: 1 }, { headers })).status, 422, 'another request of that key');

  const seen = [];
  const stream = (async () => {
    for await (const e of b.events(id)) seen.push(e.event);
  })();
  await becomes(b, id, 'running');
  assert.equal((await b.post(`/jobs/${id}/pause`)).status, 200);
  await becomes(a, id, 'paused');
  await until(async () => (await status(a, id)).counts.in_flight === 0, 'nothing is in flight');
  const { calls } = await it.provider.sums();
  await wait(500);
  assert.equal((await it.provider.sums()).calls, calls, 'the worker has heard of it');
  assert.equal((await b.post(`/jobs/${id}/resume`)).status, 200);
  assert.equal((await a.end(id)).status, 'succeeded');
  await stream;
  assert(['job.running', 'job.paused', 'job.progress', 'job.succeeded'].every((e) => seen.includes(e)), seen.join());
  assert.equal((await b.get(`/jobs/${id}/results?limit=100`)).body.data.length, 40);

  const long = await a.submit({ num_problems: 1000, concurrency: 4 });
  await becomes(b, long, 'running');
  assert([200, 202].includes((await b.post(`/jobs/${long}/cancel`)).status));
  await becomes(a, long, 'cancelled');
  assert.match((await a.get('/metrics')).body, /^stumper_broker_tokens_total\{way="put"\} [1-9]/m);
  assert.equal((await it.provider.sums()).repeated_request_ids, 0, 'nothing is paid twice');
  assertDiscreet(it, PASSWORD);
});

test('a key that is made at one API is good at the other, and one that is revoked is refused there', async (t) => {
  const it = await fleet(t, { workers: 0 });
  const [a, b] = it.apis;
  const root = (await a.post('/keys', { name: 'root', scopes: ['admin'] })).body.key;
  await until(async () => (await b.get('/jobs')).status === 401, 'the other is closed, too');
  const ann = (await b.post('/keys', { name: 'ann' }, { key: root })).body;
  await until(async () => (await a.get('/jobs', { key: ann.key })).status === 200, 'it is good there');
  const id = await a.submit({ num_problems: 1 }, { key: ann.key });
  const waiting = b.get(`/status/${id}?wait=20`, { key: ann.key });
  await wait(300);
  assert.equal((await a.ask(`/keys/${ann.id}`, { method: 'DELETE', key: root })).status, 204);
  assert.equal((await waiting).status, 401, 'who waits is told');
  assert.equal((await b.get('/jobs', { key: ann.key })).status, 401);

  const bob = (await a.post('/keys', { name: 'bob' }, { key: root })).body;
  await until(async () => (await b.get('/jobs', { key: bob.key })).status === 200, 'it is good there');
  await it.database.kill('SIGQUIT');
  await it.database.begin();
  await until(async () => (await a.ask(`/keys/${bob.id}`, { method: 'DELETE', key: root })).status === 204, 'it is revoked');
  await until(async () => (await b.get('/jobs', { key: bob.key })).status === 401, 'it is refused there');
});

/** Wait until an API lets in who has the key, and nobody who has none. */
const knows = (s, key) => until(async () => (await s.get('/jobs')).status === 401 && (await s.get('/jobs', { key })).status === 200, 'it knows the key');

const prices = (provider) => ['engineer', 'checker', 'target'].flatMap((m) => ['--price', `${provider}/${m}=0.5,0.5,2`]);

test("a key's dollars a day are never passed by any number of workers, whichever is killed, and most of them are used", async (t) => {
  const DAY_USD = 2;
  const it = await fleet(t, { simFlags: ['--output-tokens', 3000, ...prices('sim')], flags: prices('openai') });
  const [a, b] = it.apis;
  const root = (await a.post('/keys', { name: 'root', scopes: ['admin'] })).body.key;
  const { key } = (await a.post('/keys', { name: 'poor', usd_per_day: DAY_USD }, { key: root })).body;
  await knows(b, key);
  const jobs = [];
  for (let i = 0; i < 4; i++) jobs.push(await it.apis[i % 2].submit({ num_problems: 1000, concurrency: 2 }, { key }));
  await until(async () => (await it.provider.sums()).cost_usd > DAY_USD / 8, 'some of it is spent');
  const victim = (await a.get('/workers', { key: root })).body.data.find((w) => w.in_flight > 0);
  await it.workers.find((w) => w.child.pid === victim.pid).kill('SIGKILL');
  const ended = [];
  for (const id of jobs) {
    await until(async () => (await status(b, id, { key })).status === 'paused', 'it is paused', 120000);
    ended.push(await status(b, id, { key }));
    assert.match(ended.at(-1).reason, /today/);
  }
  const sums = await it.provider.sums();
  const ours = ended.reduce((sum, job) => sum + job.usage.cost_usd, 0);
  assert(sums.cost_usd <= DAY_USD && ours <= sums.cost_usd + 1e-9, `${sums.cost_usd} dollars were billed, ${ours} are in the books`);
  assert(sums.cost_usd > DAY_USD / 2, `${sums.cost_usd} dollars were billed`);
  for (const s of it.apis) assert.equal((await s.post('/generate', { num_problems: 1 }, { key })).body.code, 'spend_limit');
});

test("a key's jobs under way and its requests a minute are counted for both APIs together", async (t) => {
  const it = await fleet(t, { workers: 0 });
  const [a, b] = it.apis;
  const root = (await a.post('/keys', { name: 'root', scopes: ['admin'] })).body.key;
  const few = (await a.post('/keys', { name: 'few', jobs_max: 5 }, { key: root })).body.key;
  const slow = (await a.post('/keys', { name: 'slow', requests_per_minute: 30 }, { key: root })).body.key;
  await knows(b, slow);
  const all = (ask) => Promise.all(Array.from({ length: 40 }, (_, i) => ask(it.apis[i % 2])));
  const posted = await all((s) => s.post('/generate', { num_problems: 1 }, { key: few }));
  assert.equal(posted.filter((got) => got.status === 202).length, 5);
  assert(posted.every((got) => got.status === 202 || got.body.code === 'too_many_jobs'));
  const from = Date.now();
  const asked = await all((s) => s.get('/jobs', { key: slow }));
  const let_in = asked.filter((got) => got.status === 200).length;
  const most = 30 + Math.ceil((Date.now() - from) / 2000) + 1;
  assert(let_in >= 28 && let_in <= most, `${let_in} of 30 were let in`);
  assert(asked.every((got) => got.status === 200 || Number(got.headers.get('retry-after')) >= 1));
});

test('a thousand who ask for one job cost the database next to nothing, and so do limits that nobody uses any more', async (t) => {
  const it = await fleet(t, { apis: 1, workers: 1 });
  const [s] = it.apis;
  const id = await s.submit({ num_problems: 2000, concurrency: 4 });
  await becomes(s, id, 'running');
  const began = Date.now(), reads = await metric(s, 'stumper_store_reads_total');
  for (let i = 0; i < 20; i++) {
    const all = await Promise.all(Array.from({ length: 50 }, () => fetch(`${s.base}/status/${id}`).then((r) => r.json())));
    assert(all.every((j) => j.status === 'running'));
  }
  const seconds = (Date.now() - began) / 1000;
  const cost = (await metric(s, 'stumper_store_reads_total')) - reads;
  assert(cost <= 12 + 12 * seconds, `${cost} reads in ${seconds} s`);
  assert([200, 202].includes((await s.post(`/jobs/${id}/cancel`)).status));
  await becomes(s, id, 'cancelled');
  const claims = () => it.database.ask('SELECT sum(until_ms) FROM parts');
  await until(async () => (await claims()) === (await wait(1500), await claims()), 'a worker without jobs claims its parts seldom');
});

test('whichever of five is killed, each job ends with exactly N, and only calls in flight are paid again', async (t) => {
  const it = await fleet(t);
  const jobs = [];
  let killed = 0;
  for (let i = 0; i < 4; i++) jobs.push(await it.apis[i % 2].submit({ num_problems: 24, concurrency: 4 }));
  await until(async () => (await status(it.apis[0], jobs[3])).status !== 'queued', 'all are worked on');
  for (const w of [...it.workers]) {
    await w.kill('SIGKILL');
    killed += SLOTS;
    await it.worker();
    await wait(500);
  }
  for (let i = 0; i < 2; i++) {
    await it.apis[i].kill('SIGKILL');
    jobs.push(await it.apis[1 - i + i * 2].submit({ num_problems: 5 }));
    await it.api();
  }
  const s = it.apis.at(-1);
  const ended = [];
  for (const id of jobs) ended.push(await s.end(id));
  for (const job of ended) {
    assert.equal(job.status, 'succeeded', JSON.stringify(job));
    const { body } = await s.get(`/jobs/${job.job_id}/results?limit=100`);
    assert.equal(new Set(body.data.map((p) => p.attempt)).size, job.counts.wanted);
  }
  const ours = ended.reduce((sum, job) => sum + job.usage.calls, 0);
  const { calls } = await it.provider.sums();
  assert(calls >= ours && calls - ours <= killed, `${calls} calls were billed, ${ours} are in the books`);
  assertDiscreet(it, PASSWORD);
});

test('a worker that is asked to go leaves its jobs to another, and its process ends', async (t) => {
  const it = await fleet(t, { apis: 1, workers: 2 });
  const [s] = it.apis;
  const ask = async (...args) => (await run(t, ['workers', ...args], { env: { STUMPER_SERVER: s.base } })).stdout;
  const id = await s.submit({ num_problems: 60, concurrency: 4 });
  const busy = await until(async () => (await s.get('/workers')).body.data.find((w) => w.jobs === 1), 'one has it');
  assert.equal((await ask('list')).split('\n').filter((line) => / \d+ s ago/.test(line)).length, 2);
  assert.equal(JSON.parse(await ask('list', '--json')).data.length, 2);
  const [gone, stays] = [...it.workers].sort((w) => (w.pid === busy.pid ? -1 : 1));
  assert.match(await ask('drain', busy.name), /was asked to go/);
  assert.equal((await s.get('/workers')).body.data.find((w) => w.id === busy.id)?.draining ?? true, true);
  assert.equal((await gone.ended).code, 0, gone.stderr);
  assert.match(gone.stderr, /was asked to go/);
  const ended = await s.end(id);
  assert.equal(ended.status, 'succeeded');
  assert.deepEqual((await s.get('/workers')).body.data.map((w) => w.pid), [stays.pid]);
  assertBooked(ended.usage, await it.provider.sums());
  assert.match((await run(t, ['workers', 'drain', 'nobody'], { env: { STUMPER_SERVER: s.base }, code: 1 })).stderr, /no worker 'nobody'/);
  stays.child.kill('SIGTERM');
  assert.equal((await stays.ended).code, 0);
});

test('a worker tells how it is, and is drained by SIGTERM', async (t) => {
  const it = await fleet(t, { apis: 1, workers: 0 });
  const w = await it.worker('--metrics-listen', '127.0.0.1:0');
  const base = w.stdout.match(/watched at (\S+)\/metrics/)[1];
  const get = async (path) => {
    const got = await fetch(base + path);
    return [got.status, await got.text()];
  };
  assert.deepEqual(await get('/livez'), [200, 'ok\n']);
  assert.deepEqual(await get('/readyz'), [200, 'ready\n']);
  assert.match((await get('/metrics'))[1], /^stumper_store_news_asked_total [1-9]/m);
  assert.equal((await get('/jobs'))[0], 404);
  assert.equal((await get('/docs'))[0], 404);
  const id = await it.apis[0].submit({ num_problems: 1000, concurrency: 4 });
  await becomes(it.apis[0], id, 'running');
  w.child.kill('SIGTERM');
  assert.equal((await w.ended).code, 0);
  await becomes(it.apis[0], id, 'queued');
  assert.equal((await it.apis[0].ask(`/jobs/${id}/cancel`, { method: 'POST' })).status, 200);});

const RPM = 1200, TPM = 24_000_000;
const CAPS = { engineer: 16000, checker: 16000, target: 32000 }; // on output tokens, which count at admission
const LIMITS = {
  requests: { flags: ['--rpm', RPM], per_minute: RPM, weigh: () => 1 },
  tokens: { flags: ['--tpm', TPM], per_minute: TPM, weigh: (call) => call.input_tokens + CAPS[call.role] },
};

for (const [what, { flags, per_minute, weigh }] of Object.entries(LIMITS)) {
  test(`three workers use the limit of a key on ${what} together: not more, and nearly all of it`, async (t) => {
    const database = await postgres(t, PASSWORD);
    const env = { STUMPER_STORE: database.url };
    const options = { store: null, sim: ['--accept-all', ...flags, '--limit-burst', 1, '--latency', 200], env };
    const s = await serve(t, ['--workers', '0'], options);
    for (let i = 0; i < 6; i++) await s.submit({ num_problems: 5000, concurrency: 40 });
    const worker = () => start(t, ['worker'], { cwd: folder(t), env: { ...s.provider.env, ...env } });
    const workers = [worker(), worker(), worker()];
    await wait(6000);
    const from = Date.now();
    await wait(14000);
    workers[0].child.kill('SIGKILL'); // its part is counted until its lease ends, then others have it
    await wait(1000);
    const calls = s.provider.ledger();
    /** Of the model that is asked most, within so many seconds from `at_s` on. */
    const used = (at_s, seconds) => {
      const sums = {}, begin = from + 1000 * at_s;
      for (const call of calls) {
        const past = Date.parse(call.time) - begin;
        if (past >= 0 && past < 1000 * seconds) sums[call.role] = (sums[call.role] ?? 0) + weigh(call);
      }
      return Math.max(...Object.values(sums));
    };
    // What passes while the machine stands still nobody can use any more; not always does it go on for eight seconds.
    const share = Math.max(...Array.from({ length: 7 }, (_, at_s) => used(at_s, 8))) / ((per_minute / 60) * 8);
    const all = used(0, 14) / ((per_minute / 60) * 14);
    t.diagnostic(`${(100 * share).toFixed(1)} % in the best 8 s, ${(100 * all).toFixed(1)} % in all 14`);
    assert(share > 0.9, `${(100 * share).toFixed(1)} % of the limit used`);
    assert(all < 1.02, `${(100 * all).toFixed(1)} % of the limit used`);
    const sums = await s.provider.sums();
    const refused = Object.values(sums.refused).reduce((a, b) => a + b, 0);
    assert(refused <= 0.01 * sums.calls, `${refused} of ${sums.calls} refused`);
  });
}

/** The shell blocks of a section of README, with free ports for those that it names, and where the servers are. */
async function printed(heading, database, broker) {
  const section = text(join(root, 'README.md')).split(`\n## ${heading}\n`)[1].split('\n## ')[0];
  let blocks = [...section.matchAll(/^```sh\n(.*?)^```/gms)].map(([, block]) => block);
  const ports = {};
  for (const [, port] of blocks.join('').matchAll(/(?:127\.0\.0\.1:|--port )(\d+)/g)) ports[port] ??= await freePort();
  for (const [port, free] of Object.entries(ports)) blocks = blocks.map((b) => b.replaceAll(port, free));
  blocks = blocks.map((b) => b.replace(/STUMPER_STORE=\S+/, `STUMPER_STORE=${database.url}`).replace(/STUMPER_BROKER=\S+/, `STUMPER_BROKER=${broker.url}`));
  return { blocks, ports };
}

test('the commands of README bring up a fleet that outlives whichever of it is killed', async (t) => {
  const { blocks: [up, use], ports } = await printed('More than one machine', await postgres(t, PASSWORD), await redis(t, PASSWORD));
  const cwd = folder(t), [first, second] = ['8080', '8081'].map((p) => `http://127.0.0.1:${ports[p]}`);
  symlinkSync(program, join(cwd, 'stumper'));
  const options = { program: 'bash', cwd, env: { PATH: `${cwd}:${process.env.PATH}`, STUMPER_SERVER: first } };
  const pids = [], kill = (pid) => process.kill(pid, 'SIGKILL');
  t.after(() => pids.forEach((pid) => { try { kill(pid); } catch { /* it is gone */ } }));
  const it = start(t, ['-c', `${up}echo "pids: $(jobs -p | tr '\\n' ' ')"\nwait`], options);
  pids.push(...(await it.line(/^pids: (.*)$/m))[1].trim().split(' ').map(Number));
  assert.equal(pids.length, 6);
  const get = async (url) => (await fetch(url).catch(() => null))?.json();
  await until(async () => (await get(`${first}/workers`))?.data.length === 3 && get(`${second}/workers`), 'all are there');

  const used = (await run(t, ['-c', use], options)).stdout;
  assert.equal(used.split('\n').filter((line) => / \d+ s ago/.test(line)).length, 3, used);
  const done = JSON.parse(used.slice(used.indexOf('\n{') + 1));
  assert.deepEqual([done.status, done.counts.accepted], ['succeeded', 20]);

  const job = await (await fetch(`${first}/generate`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"num_problems": 10}' })).json();
  const busy = await until(async () => (await get(`${second}/workers`)).data.find((w) => w.jobs === 1), 'one has it');
  kill(busy.pid);
  kill(pids[1]);
  kill(pids.slice(3).find((pid) => pid !== busy.pid));
  const ended = await until(async () => {
    const got = await get(`${second}/status/${job.job_id}?wait=20`);
    return got.status === 'succeeded' && got;
  }, 'it ends', 60000);
  assert.equal(ended.counts.accepted, 10);
});
