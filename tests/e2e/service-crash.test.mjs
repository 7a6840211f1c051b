// The service is killed at every named point and at random moments, and started again: no job that was answered is
// lost (G1), each ends with exactly N (G2), only calls in flight are paid again (G3). STUMPER_KILLS says how many random
// kills (make crash: 200).
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { assertExactly, folder, run, sim, until, wait } from './lib.mjs';
import { serve } from './service.mjs';

const SLOTS = 20;
const KILLS = Number(process.env.STUMPER_KILLS ?? 8);

const POINTS = ['submit', 'take', 'claim', 'record', 'finish', 'leave', 'join'].flatMap((kind) =>
  ['before', 'after'].map((when) => `store.${kind}.${when}_commit`));

/** Submit until it is taken, as a client would that repeats a request with its idempotency key. */
async function insist(s, body, key) {
  try {
    const got = await s.post('/generate', body, { headers: { 'idempotency-key': key } });
    return got.status === 202 ? got.body.job_id : null;
  } catch {
    return null; // it died
  }
}

const accepted = async (s, id) => (await s.get(`/jobs/${id}/results?limit=1000`)).body.data;

for (const point of POINTS) {
  test(`killed at ${point}: no answered job is lost, each ends with exactly N, and little is paid twice`, async (t) => {
    const provider = await sim(t, '--latency', '10');
    const cwd = folder(t);
    const dying = ['join', 'take'].some((k) => point.includes(k)) ? `${point}:1` : `${point}:3`;
    let first = null;
    try {
      first = await serve(t, ['--concurrency', SLOTS], { provider, cwd, env: { STUMPER_FAILPOINT: dying } });
    } catch {
      // it died before it answered at all
    }
    const answered = [];
    for (let i = 0; first && i < 4; i++) {
      const id = await insist(first, { num_problems: 6, concurrency: 6 }, `job-${i}`);
      if (id) answered.push(id);
    }
    if (first) await first.ended;
    const s = await serve(t, ['--concurrency', SLOTS], { provider, cwd });
    const ids = [];
    for (let i = 0; i < 4; i++) ids.push(await insist(s, { num_problems: 6, concurrency: 6 }, `job-${i}`));
    for (const id of answered) assert(ids.includes(id), 'an answered job is there, and no second one');
    for (const id of ids) {
      assert.equal((await s.end(id)).status, 'succeeded');
      assertExactly(6, await accepted(s, id));
    }
    const { repeated_request_ids: repeated } = await provider.sums();
    assert(repeated <= SLOTS, `${repeated} calls were paid again`);
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
    const s = await serve(t, ['--concurrency', SLOTS], { provider, cwd });
    const end = Date.now() + 100 + Math.random() * 700;
    while (Date.now() < end) {
      const key = `random-${jobs.size}`;
      const id = await insist(s, { num_problems: 10, concurrency: 8 }, key);
      if (id) jobs.set(key, id);
      await wait(60);
    }
    await s.stop('SIGKILL');
    kills++;
  }
  const s = await serve(t, ['--concurrency', SLOTS], { provider, cwd });
  for (const id of jobs.values()) {
    const job = await s.end(id, {}, 600000);
    assert.equal(job.status, 'succeeded', JSON.stringify(job));
    assertExactly(10, await accepted(s, id));
  }
  const { repeated_request_ids: repeated } = await provider.sums();
  assert(repeated <= kills * SLOTS, `${repeated} calls were paid again after ${kills} kills`);
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
  assert(took_ms < 5000, `${took_ms} ms`);
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
  await s.stop('SIGKILL');
  spawnSync('umount', ['-l', cwd]);
});
