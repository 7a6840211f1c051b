// A steady, mixed load: submits, looks, event streams (half of which vanish), cancels and deletes, with a retention of
// seconds. After the warm-up memory and the write-ahead log stay where they are, and nothing is answered with a 5xx.
// SOAK_SECONDS says how long (make soak: 30 minutes).
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { program, sim, wait } from './lib.mjs';
import { serve } from './service.mjs';

const SECONDS = Number(process.env.SOAK_SECONDS ?? 20);
const WARM_UP = Math.min(300, SECONDS * 0.4);
const PACE_MS = 100; // a submit, and what goes with it
const RECENT = 100; // jobs that are still looked at
const WAL_MAX_BYTES = 80e6; // restarted at 64 MB, and the commit under way

// A sanitizer keeps what was freed for a while, and remembers stacks.
const sanitized = readFileSync(program).includes('__asan_init');
const GROWTH_MAX_KB = sanitized ? 65536 : 8192;

const rss_kb = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);
const bytes = (path) => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];

class Load {
  constructor(service) {
    this.base = service.base;
    this.ids = [];
    this.streams = new Set();
    this.counts = {};
    this.wrong = [];
  }

  async ask(method, path, body, more = {}) {
    const response = await fetch(this.base + path, { method, body: body && JSON.stringify(body), headers: body && { 'content-type': 'application/json' }, ...more });
    if (response.status >= 500) this.wrong.push(`${method} ${path} → ${response.status}`);
    this.counts[`${method} ${response.status}`] = (this.counts[`${method} ${response.status}`] ?? 0) + 1;
    return response;
  }

  /** Read a job's events to the end, or vanish in between. */
  async listen(id, vanish) {
    const leave = new AbortController();
    this.streams.add(leave);
    try {
      const response = await this.ask('GET', `/jobs/${id}/events`, undefined, { signal: leave.signal });
      if (vanish) setTimeout(() => leave.abort(), 50);
      await response.text();
    } catch (error) {
      if (error.name !== 'AbortError') this.wrong.push(`events of ${id}: ${error.cause ?? error}`);
    }
    this.streams.delete(leave);
  }

  /** One beat; `n` counts them. */
  async beat(n) {
    const read = async (path) => (await this.ask('GET', path)).text();
    const any = this.ids[Math.floor(Math.random() * this.ids.length)];
    const { job_id: id } = await (await this.ask('POST', '/generate', { num_problems: 3, concurrency: 3, metadata: { n } })).json();
    this.ids.push(id);
    if (this.ids.length > RECENT) this.ids.shift();
    if (n % 3 === 0) this.listen(id, n % 2 === 0);
    if (n % 5 === 0) await (await this.ask('POST', `/jobs/${id}/cancel`)).text();
    if (any) {
      await Promise.all([read(`/status/${any}`), read(`/jobs/${any}/results?limit=10`), read('/jobs?limit=20')]);
      if (n % 7 === 0) await (await this.ask('DELETE', `/jobs/${any}`)).text(); // 409 where it still runs
    }
    if (n % 50 === 0) await read('/metrics');
  }
}

test(`${SECONDS} s of mixed load leave memory and the log of the store as they are, and nothing answers 5xx`, { timeout: (SECONDS + 120) * 1000 }, async (t) => {
  const provider = await sim(t, '--latency', 'lognormal:30,0.5', '--fault-429', '0.01', '--fault-503', '0.01', '--fault-reset', '0.005');
  const options = (process.env.ASAN_OPTIONS ?? '') + ':quarantine_size_mb=4:malloc_context_size=4';
  const s = await serve(t, ['--retain', '5s', '--concurrency', 64, '--rpm', 1000000, '--tpm', 10000000000], { provider, env: { ASAN_OPTIONS: options } });
  const load = new Load(s);
  const [warm, late] = [[], []];
  let wal = 0;
  const begin = performance.now();
  const under_way = new Set();
  for (let n = 1; performance.now() - begin < SECONDS * 1000; n++) {
    const beat = load.beat(n).catch((error) => load.wrong.push(String(error.cause ?? error))).finally(() => under_way.delete(beat));
    under_way.add(beat);
    await wait(Math.max(0, begin + n * PACE_MS - performance.now()));
    const elapsed_s = (performance.now() - begin) / 1000;
    wal = Math.max(wal, bytes(join(s.cwd, 'jobs.db-wal')));
    if (elapsed_s > WARM_UP) (elapsed_s < WARM_UP + (SECONDS - WARM_UP) / 3 ? warm : late).push(rss_kb(s.pid));
  }
  await Promise.all(under_way);
  for (const leave of load.streams) leave.abort();
  const [before, after] = [median(warm), median(late.slice(-warm.length))];
  t.diagnostic(`${JSON.stringify(load.counts)}; memory ${before} → ${after} KB, WAL at most ${wal} bytes, store ${bytes(join(s.cwd, 'jobs.db'))} bytes`);
  assert.deepEqual(load.wrong.slice(0, 5), []);
  assert(load.counts['POST 202'] > SECONDS * 2, 'the load was a load');
  assert(after - before < GROWTH_MAX_KB, `memory grew from ${before} to ${after} KB`);
  assert(wal < WAL_MAX_BYTES, `the WAL grew to ${wal} bytes`);
  const { code, stderr } = await s.stop();
  assert.equal(code, 0, stderr.slice(-2000));
});
