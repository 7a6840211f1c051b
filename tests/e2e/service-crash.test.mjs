// The service is killed at every named point and at random moments, and started again: no job that was answered is
// lost (G1), each ends with exactly N (G2), only calls in flight are paid again (G3). STUMPER_KILLS says how many random
// kills (make crash: 200).
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { assertExactly, folder, run, sim, until, wait } from './lib.mjs';
import { serve } from './service.mjs';

const SLOTS = 20;
const KILLS = Number(process.env.STUMPER_KILLS ?? 8);

// Where it dies: a kind of commit, and the how manieth of them. Those that every process comes to die at once.
const COMMITS = {
  submit: 3, take: 1, claim: 3, record: 3, finish: 3, leave: 3, join: 1, beat: 1, reap: 1, sweep: 1, quit: 1, ask: 2, delete: 1,
  purge: 2, event: 3, webhook: 2, outbox_take: 1, outbox_tell: 1,
};
const POINTS = Object.entries(COMMITS).flatMap(([kind, hit]) => ['before', 'after'].map((when) => `store.${kind}.${when}_commit:${hit}`));

// Dollars for a million tokens, and what a job of six may cost: it is enough, or the job says so.
const PRICES = ['engineer', 'checker', 'target'].flatMap((m) => ['--price', `openai/${m}=2,10`]);
const COST_MAX = 5;

/** Submit until it is taken, as a client would that repeats a request with its idempotency key. */
async function insist(s, body, key) {
  try {
    const got = await s.post('/generate', body, { headers: { 'idempotency-key': key } });
    return got.status === 202 ? got.body.job_id : null;
  } catch {
    return null; // it died
  }
}

/** All jobs there are. */
async function everyJob(s) {
  const jobs = [];
  for (let after = ''; after !== null;) {
    const { body } = await s.get(`/jobs?limit=100${after && `&cursor=${encodeURIComponent(after)}`}`);
    jobs.push(...body.data);
    after = body.next_cursor ?? null;
  }
  return jobs;
}

/** Ask for something, which a dying service may or may not hear; the status, or null. */
const wish = (s, method, path) => s.ask(path, { method }).then((got) => got.status, () => null);

/** The books of a job, or null if it was deleted. */
async function books(s, id) {
  const { status, body } = await s.get(`/status/${id}?wait=20`);
  return status === 200 ? body : null;
}

const accepted = async (s, id) => (await s.get(`/jobs/${id}/results?limit=1000`)).body.data;

/** A receiver of webhooks: the ids of the messages that came for each job. */
async function receiver(t) {
  const told = new Map();
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    const { job_id: job } = JSON.parse(body).data;
    told.set(job, (told.get(job) ?? new Set()).add(request.headers['webhook-id']));
    response.end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return { told, url: `http://127.0.0.1:${server.address().port}/` };
}

/** G4: what a job may cost holds by its own books, and all jobs' books hold by the provider's: what is missing was in
 * flight when it died. */
async function assertPaid(provider, jobs, in_flight) {
  const sums = await provider.sums();
  const ours = jobs.reduce((sum, job) => sum + job.usage.calls, 0);
  for (const job of jobs) assert(job.usage.cost_usd <= COST_MAX, `${job.usage.cost_usd} dollars`);
  assert(sums.calls - ours <= in_flight, `the provider was paid for ${sums.calls} calls, ${ours} are known`);
  assert(sums.repeated_request_ids <= in_flight, `${sums.repeated_request_ids} calls were paid again`);
}

for (const point of POINTS) {
  test(`killed at ${point}: no answered job is lost, each ends with exactly N, and little is paid twice`, async (t) => {
    const provider = await sim(t, '--latency', '10');
    const hooks = await receiver(t);
    const cwd = folder(t);
    const flags = ['--concurrency', SLOTS, '--allow-private-webhooks', '--retain', '1h', ...PRICES];
    const env = { STUMPER_WEBHOOK_SECRETS: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' };
    const job = { num_problems: 6, concurrency: 6, max_cost_usd: COST_MAX, webhook_url: hooks.url };
    let first = null, gone = null, last = null, deleted = false;
    try {
      first = await serve(t, flags, { provider, cwd, env: { ...env, STUMPER_FAILPOINT: point } });
    } catch {
      // it died before it answered at all
    }
    const answered = [];
    for (let i = 0; first && i < 4; i++) {
      const id = await insist(first, job, `job-${i}`);
      if (id) answered.push(id);
      if (id && i === 0) for (const what of ['pause', 'resume']) await wish(first, 'POST', `/jobs/${id}/${what}`);
    }
    if (first) {
      gone = await insist(first, { num_problems: 1, concurrency: 1, max_cost_usd: COST_MAX }, 'gone');
      if (gone) await wish(first, 'POST', `/jobs/${gone}/cancel`);
      if (gone) last = await books(first, gone).catch(() => null);
      if (last) deleted = (await wish(first, 'DELETE', `/jobs/${gone}`)) === 204;
      for (const id of answered) await first.get(`/status/${id}?wait=5`).catch(() => null);
      if (point.includes('quit')) first.child.kill('SIGTERM');
      assert.equal((await first.ended).signal, 'SIGKILL', 'it came there');
    }
    const s = await serve(t, flags, { provider, cwd, env });
    const ids = [];
    for (let i = 0; i < 4; i++) ids.push(await insist(s, job, `job-${i}`));
    for (const id of answered) assert(ids.includes(id), 'an answered job is there, and no second one');
    const jobs = [];
    await wish(s, 'POST', `/jobs/${ids[0]}/resume`); // perhaps it died in between
    for (const id of ids) {
      jobs.push(await s.end(id));
      assert.equal(jobs.at(-1).status, 'succeeded', JSON.stringify(jobs.at(-1)));
      assertExactly(6, await accepted(s, id));
    }
    if (deleted) assert.equal((await s.get(`/status/${gone}`)).status, 410, 'what was deleted stays so');
    if (gone) jobs.push((await books(s, gone)) ?? last);
    // A submission that was cut off may have made a job: it ends, too, and is in the books.
    const others = (await everyJob(s)).filter(({ job_id: id }) => !ids.includes(id) && id !== gone);
    for (const { job_id: id } of others) jobs.push(await s.end(id));
    await assertPaid(provider, jobs, SLOTS);
    await until(() => ids.every((id) => hooks.told.has(id)), 'a webhook for each');
    for (const id of ids) assert.equal(hooks.told.get(id).size, 1, 'a message that comes twice has the same id');
    await s.stop();
    await run(t, ['status', join(cwd, 'jobs.db')], { cwd });
  });
}

test(`killed ${KILLS} times at random moments under load, every job still ends with exactly N`, { timeout: 3600000 }, async (t) => {
  const provider = await sim(t, '--latency', 'lognormal:40,0.6', '--fault-rate', '0.02');
  const cwd = folder(t);
  const jobs = new Map();
  let kills = 0;
  while (kills < KILLS) {
    const s = await serve(t, ['--concurrency', SLOTS, ...PRICES], { provider, cwd });
    const end = Date.now() + 100 + Math.random() * 700;
    while (Date.now() < end) {
      const key = `random-${jobs.size}`;
      const id = await insist(s, { num_problems: 10, concurrency: 8, max_cost_usd: COST_MAX }, key);
      if (id) jobs.set(key, id);
      await wait(60);
    }
    await s.stop('SIGKILL');
    kills++;
  }
  const s = await serve(t, ['--concurrency', '200', ...PRICES], { provider, cwd }); // there is much to catch up with
  const ends = [];
  for (const [key, id] of jobs) {
    const job = await s.end(id, {}, 600000);
    ends.push(job);
    assert.equal(job.status, 'succeeded', JSON.stringify(job));
    assertExactly(10, await accepted(s, id));
    assert.equal(await insist(s, { num_problems: 10, concurrency: 8, max_cost_usd: COST_MAX }, key), id, 'one job a key');
  }
  // A submission that was cut off may have made a job: it ends, too, and is in the books.
  const all = (await everyJob(s)).filter(({ job_id: id }) => ![...jobs.values()].includes(id));
  for (const { job_id: id } of all) ends.push(await s.end(id, {}, 600000));
  await assertPaid(provider, ends, kills * SLOTS);
  const { repeated_request_ids: repeated } = await provider.sums();
  t.diagnostic(`${jobs.size} jobs, ${kills} kills, ${repeated} calls paid again, ${kills * SLOTS} allowed`);
});

test('after kill -9 and a restart jobs go on within a second', async (t) => {
  const provider = await sim(t, '--latency', '100', '--accept-all');
  const cwd = folder(t);
  const s = await serve(t, [], { provider, cwd });
  await s.submit({ num_problems: 500, concurrency: 20 });
  await until(() => provider.ledger().length > 100, 'some calls');
  await s.stop('SIGKILL');
  const before = provider.ledger().length;
  const again = await serve(t, [], { provider, cwd });
  const ready = Date.now();
  await until(() => provider.ledger().length > before + SLOTS, 'further calls');
  const took_ms = Date.now() - ready;
  t.diagnostic(`the next calls came ${took_ms} ms after it was ready`);
  assert(took_ms < 12000, `${took_ms} ms; a lease would take 15 s`);
  await again.stop('SIGKILL');
});

test('stopped for longer than a lease and continued, it changes nothing that is not its own', async (t) => {
  const provider = await sim(t, '--latency', '50', '--accept-all');
  const s = await serve(t, [], { provider, cwd: folder(t) });
  const id = await s.submit({ num_problems: 100, concurrency: 10 });
  await until(() => provider.ledger().length > 30, 'some calls');
  s.child.kill('SIGSTOP');
  await wait(Number(process.env.STUMPER_STOP_MS ?? 17000)); // the lease is 15 s
  s.child.kill('SIGCONT');
  const job = await s.end(id);
  assert.equal(job.status, 'succeeded');
  assertExactly(100, await accepted(s, id));
  const { repeated_request_ids: repeated } = await provider.sums();
  assert(repeated <= 10, `${repeated} calls were paid again`);
});

test('a full disk refuses jobs and loses none; with room again they go on', async (t) => {
  const cwd = mkdtempSync(join(tmpdir(), 'stumper-disk-'));
  t.after(() => rmSync(cwd, { recursive: true, force: true }));
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', cwd]).status !== 0) {
    t.skip('no right to mount a small file system');
    return;
  }
  const provider = await sim(t, '--latency', '5');
  const s = await serve(t, [], { provider, cwd });
  const ids = [];
  let refused = null;
  for (let i = 0; i < 400 && !refused; i++) {
    const got = await s.post('/generate', { num_problems: 3, metadata: { filler: 'x'.repeat(8000) } });
    if (got.status === 202) ids.push(got.body.job_id);
    else refused = got;
  }
  assert(refused && [503, 507].includes(refused.status), JSON.stringify(refused?.body));
  assert.equal((await s.get('/livez')).status, 200);
  spawnSync('mount', ['-o', 'remount,size=64m', cwd]);
  for (const id of ids) assert.equal((await s.end(id, {}, 120000)).status, 'succeeded');
  assert.equal((await s.get('/readyz')).body, 'ready\n');
  await s.stop('SIGKILL');
  spawnSync('umount', ['-l', cwd]);
});
