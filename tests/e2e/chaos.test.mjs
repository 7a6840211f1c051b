// A fleet in trouble: API servers and workers on one PostgreSQL, woken by each broker in turn, while all of it is killed,
// stopped, cut off and slowed down at random, and the workers' clocks disagree. Afterwards every job that was answered has
// ended with exactly N (G1, G2), the simulator's own ledger holds no more calls than ours and those in flight at the kills
// (G3), no job has cost more than it may (G4), and the store's invariants hold. The rounds run side by side, for they mostly
// wait: two minutes each, with few workers, in `make check`; `make chaos` sets STUMPER_CHAOS_S and STUMPER_CHAOS_WORKERS.
// STUMPER_CHAOS_SEED repeats the troubles of a round that failed.
import assert from 'node:assert/strict';
import test from 'node:test';
import { assertExactly, folder, run, sim, start, wait } from './lib.mjs';
import { eventually, freePort, postgres, rabbit, redis, way } from './servers.mjs';
import { serve } from './service.mjs';

const SECONDS = Number(process.env.STUMPER_CHAOS_S ?? 120);
const WORKERS = Number(process.env.STUMPER_CHAOS_WORKERS ?? 4);
const APIS = 2;
const SLOTS = 10;
const LEASE_MS = 15000;
const PAUSE_MS = 4000;
const END_MS = 240000;
const JOB = { num_problems: 12, concurrency: 8, max_cost_usd: 5 };
const PRICES = ['engineer', 'checker', 'target'].flatMap((m) => ['--price', `openai/${m}=2,10`]);
const SKEWS_MS = [0, 90_000, -90_000, 3_600_000]; // of the workers' clocks
const PASSWORD = 'a-secret-of-the-fleet';
const END_SOME = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' AND random() < 0.3";

/** Numbers between 0 and 1 that a seed determines (mulberry32). */
function dice(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The same server by way of @port. */
const by = (url, port) => url.replace(/(127\.0\.0\.1):\d+/, `$1:${port}`);

/** A process of the fleet with ways of its own to the database and the broker; `again()` starts it anew, as often as it takes,
 * as whoever supervises services would. */
async function member(t, servers, begin) {
  const ways = {}, env = {};
  for (const [role, server] of Object.entries(servers)) {
    ways[role] = await way(t, server.port);
    env[`STUMPER_${role.toUpperCase()}`] = by(server.url, ways[role].port);
  }
  const it = { ways };
  it.again = async () => {
    let why;
    it.process = await eventually(() => begin(env).catch((error) => void (why = error)), 'a process starts', 60000).catch((error) => assert.fail(`${error.message}: ${why}`));
  };
  it.kill = () => it.process.kill('SIGKILL');
  await it.again();
  return it;
}

/** @servers: { store, broker }. */
async function fleet(t, provider, servers) {
  const apis = [], workers = [];
  for (let i = 0; i < APIS; i++) {
    const listen = `127.0.0.1:${await freePort()}`;
    apis.push(await member(t, servers, (env) =>
      serve(t, ['--workers', '0', ...PRICES], { provider, store: null, listen, env, api: apis[0]?.process.api })));
  }
  for (let i = 0; i < WORKERS; i++) {
    workers.push(await member(t, servers, async (env) => {
      const it = start(t, ['worker', '--concurrency', SLOTS, ...PRICES], { cwd: folder(t), env: { ...provider.env, ...env, STUMPER_CLOCK_SKEW_MS: SKEWS_MS[i % SKEWS_MS.length] } });
      await it.line(/^stumper: working/m);
      return it;
    }));
  }
  return { apis, workers, members: [...apis, ...workers] };
}

/** Submit at any API until it is taken, as a client would that repeats a request with its idempotency key. */
async function insist(f, roll, key) {
  return eventually(async () => {
    const api = f.apis[Math.floor(roll() * APIS)];
    try {
      const got = await api.process.post('/generate', JOB, { headers: { 'idempotency-key': key } });
      return got.status === 202 ? got.body.job_id : null;
    } catch {
      return null; // it died, or is cut off
    }
  }, `${key} is taken`, 120000);
}

/** What may go wrong, more or less often; `run` gives how many calls in flight it may cost. */
function troubles(f, { store, broker }, roll) {
  const one = (list) => list[Math.floor(roll() * list.length)];
  const kill = async (it) => {
    await it.kill();
    await wait(roll() * 500);
    await it.again();
  };
  const disturb = async (it) => {
    const how = one(['cut', 'freeze', 'slow']);
    if (how === 'slow') it.delay_ms = 50 + roll() * 200;
    else it[how]();
    await wait(500 + roll() * 3000);
    it.delay_ms = 0;
    it.mend();
  };
  const restart = async (server, signal) => {
    await server.kill(signal);
    await wait(roll() * 3000);
    await server.begin();
  };
  const list = [
    { odds: 8, what: 'a worker is killed', cost: SLOTS, run: () => kill(one(f.workers)) },
    { odds: 4, what: 'an API is killed', run: () => kill(one(f.apis)) },
    { odds: 3, what: 'a way to PostgreSQL is disturbed', run: () => disturb(one(f.members).ways.store) },
    { odds: 2, what: 'connections to PostgreSQL are ended', run: () => store.ask(END_SOME) },
    { odds: 1, what: 'PostgreSQL restarts', run: () => restart(store, 'SIGINT') },
    { odds: 1, what: 'PostgreSQL crashes', run: () => restart(store, 'SIGQUIT') },
    { odds: 3, what: 'a way to the broker is disturbed', run: () => disturb(one(f.members).ways.broker) },
    { odds: 2, what: 'the broker is wiped', run: () => broker.wipe() },
  ];
  if (broker.port !== store.port) list.push({ odds: 1, what: 'the broker crashes', run: () => restart(broker, 'SIGKILL') });
  const bag = list.flatMap((it) => Array(it.odds).fill(it));
  return () => one(bag);
}

/** Stopped past its lease, and continued: it changes nothing that is not its own any more. */
async function stopPastLease(it) {
  const { child } = it.process;
  child.kill('SIGSTOP');
  await wait(LEASE_MS + 3000);
  child.kill('SIGCONT');
}

/** Two clients that submit all the while, and one who makes trouble; what was submitted, and what it may have cost. */
async function live(t, f, servers, roll) {
  const jobs = new Map(), end = Date.now() + SECONDS * 1000, next = troubles(f, servers, roll), count = {};
  let cost = SLOTS;
  const stopped = stopPastLease(f.workers[0]);
  const client = async (name) => {
    for (let i = 0; Date.now() < end; i++) {
      const key = `${name}-${i}`;
      jobs.set(key, await insist(f, roll, key));
      await wait(PAUSE_MS);
    }
  };
  const maker = async () => {
    while (Date.now() < end) {
      const trouble = next();
      count[trouble.what] = (count[trouble.what] ?? 0) + 1;
      cost += trouble.cost ?? 0;
      await trouble.run();
      await wait(roll() * 1500);
    }
  };
  await Promise.all([client('a'), client('b'), maker(), stopped]);
  t.diagnostic(Object.entries(count).map(([what, n]) => `${what}: ${n}`).join(', '));
  return { jobs, cost };
}

async function survive(t, broker) {
  const seed = Number(process.env.STUMPER_CHAOS_SEED ?? Date.now() % 1e6), roll = dice(seed);
  t.diagnostic(`STUMPER_CHAOS_SEED=${seed}`);
  const provider = await sim(t, '--latency', 'lognormal:300,0.6', '--fault-rate', '0.02');
  const store = await postgres(t, PASSWORD, ['max_connections=200']);
  const servers = { store, broker: await broker(t, store, roll) };
  const f = await fleet(t, provider, servers);
  const { jobs, cost } = await live(t, f, servers, roll);

  const [api] = f.apis.map((it) => it.process);
  const ends = [];
  for (const [key, id] of jobs) {
    const job = await api.end(id, {}, END_MS);
    ends.push(job);
    assert.equal(job.status, 'succeeded', JSON.stringify(job));
    assertExactly(JOB.num_problems, (await api.get(`/jobs/${id}/results?limit=1000`)).body.data);
    assert(job.usage.cost_usd <= JOB.max_cost_usd, `${job.usage.cost_usd} dollars`);
    assert.equal(await insist(f, roll, key), id, 'one job a key');
  }
  const sums = await provider.sums(), ours = ends.reduce((sum, job) => sum + job.usage.calls, 0);
  t.diagnostic(`${jobs.size} jobs, ${sums.calls} calls, ${sums.calls - ours} unknown to us, ${sums.repeated_request_ids} paid again, ${cost} allowed`);
  assert(sums.calls - ours <= cost, `the provider was paid for ${sums.calls} calls, ${ours} are known, ${cost} were in flight`);
  assert(sums.repeated_request_ids <= cost, `${sums.repeated_request_ids} calls were paid again, ${cost} were in flight`);
  for (const it of f.members) await it.process.kill('SIGTERM');
  await run(t, ['doctor', '--offline', '--store', store.url], { cwd: folder(t), env: provider.env });
}

const BROKERS = {
  Redis: (t, store, roll) => redis(t, PASSWORD, roll() < 0.5 ? ['--save', ''] : ['--appendonly', 'yes']),
  RabbitMQ: (t) => rabbit(t),
  PostgreSQL: (t, store) => ({ ...store, wipe: () => store.ask('DELETE FROM stumper_broker.tokens') }),
};

test('a fleet in trouble loses no job, ends each with exactly N, and pays again only for what was in flight', { concurrency: true }, (t) =>
  Promise.all(Object.entries(BROKERS).map(([name, broker]) => t.test(`woken by ${name}`, (t) => survive(t, broker)))));
