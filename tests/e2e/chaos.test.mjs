// A fleet in trouble: API servers and workers on one PostgreSQL, woken by one of the brokers, while all of it is killed,
// stopped, cut off and slowed down at random, and the workers' clocks disagree. Afterwards every job that was answered has
// ended with exactly N (G1, G2), the simulator's own ledger holds no more calls than ours and those in flight where a worker
// was killed, stopped or cut off from it (G3), no job has cost more than it may (G4), and the store's invariants hold. Each
// trouble comes in every round: with ten workers a process is killed about every second, with four every other; of the rest
// none comes again before all have.
// The rounds run side by side, for they mostly wait: two minutes each, with few workers, in `make check`; `make chaos` sets
// STUMPER_CHAOS_S and STUMPER_CHAOS_WORKERS. STUMPER_CHAOS_SEED repeats the troubles of a round that failed.
import assert from 'node:assert/strict';
import test from 'node:test';
import { assertExactly, folder, run, sim, start, until, wait } from './lib.mjs';
import { freePort, postgres, rabbit, redis, way } from './servers.mjs';
import { serve } from './service.mjs';

const SECONDS = Number(process.env.STUMPER_CHAOS_S ?? 120);
const WORKERS = Number(process.env.STUMPER_CHAOS_WORKERS ?? 4);
const APIS = 2;
const SLOTS = 10;
const LEASE_MS = 15000;
const LIFE_MS = 6000; // of a process, beside what it takes to start it
const RESTART_MS = 250; // between two tries to start one
const END_MS = 240000;
const JOB = { num_problems: 12, concurrency: 8, max_cost_usd: 20 }; // calls that are cut off may have cost 0.2 each
const PRICES = ['engineer', 'checker', 'target'].flatMap((m) => ['--price', `openai/${m}=2,10`]);
const SKEWS_MS = [0, 90_000, -90_000, 3_600_000]; // of the workers' clocks
const SETTINGS = { store: 'STUMPER_STORE', broker: 'STUMPER_BROKER', provider: 'OPENAI_BASE_URL' };
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

const one = (list, roll) => list[Math.floor(roll() * list.length)];

/** A process of the fleet with ways of its own to the @servers it knows, by the settings that name them; `again()` starts it
 * anew, as often as it takes, as whoever supervises services would. */
async function member(t, servers, begin) {
  const ways = {}, env = {};
  for (const [role, { url }] of Object.entries(servers)) {
    const [address, port] = /127\.0\.0\.1:(\d+)/.exec(url);
    ways[role] = await way(t, Number(port));
    env[SETTINGS[role]] = url.replace(address, `127.0.0.1:${ways[role].port}`);
  }
  const it = { ways };
  it.again = async () => {
    let why;
    const attempt = () => begin(env).catch(async (error) => {
      why = error;
      await wait(RESTART_MS);
    });
    it.process = await until(attempt, 'a process starts', 60000).catch((error) => assert.fail(`${error.message}: ${why}`));
  };
  await it.again();
  return it;
}

async function fleet(t, { store, broker, provider }) {
  const apis = [], workers = [];
  for (let i = 0; i < APIS; i++) {
    const listen = `127.0.0.1:${await freePort()}`;
    apis.push(await member(t, { store, broker }, (env) =>
      serve(t, ['--workers', '0', ...PRICES], { provider, store: null, listen, env, api: apis[0]?.process.api })));
  }
  for (let i = 0; i < WORKERS; i++) {
    workers.push(await member(t, { store, broker, provider }, async (env) => {
      const it = start(t, ['worker', '--concurrency', SLOTS, ...PRICES], { cwd: folder(t), env: { ...provider.env, ...env, STUMPER_CLOCK_SKEW_MS: SKEWS_MS[i % SKEWS_MS.length] } });
      await it.ready(/^stumper: working/m);
      return it;
    }));
  }
  return { apis, workers, members: [...apis, ...workers] };
}

/** Ask any API until there is an answer for which @look gives something true: one may die, or be cut off. */
const insist = (f, roll, what, ask, look, timeout_ms) =>
  until(() => ask(one(f.apis, roll).process).then(look, () => null), what, timeout_ms);

/** Submit until it is taken, as a client would that repeats a request with its idempotency key. */
const submit = (f, roll, key) =>
  insist(f, roll, `${key} is taken`, (api) => api.post('/generate', JOB, { headers: { 'idempotency-key': key } }), ({ status, body }) => status === 202 && body.job_id, 120000);

/** Wait until a job has ended. */
const ended = (f, roll, id) =>
  insist(f, roll, `${id} ends`, (api) => api.get(`/status/${id}?wait=5`), ({ status, body }) => status === 200 && body.ended_at, END_MS);

/** Have something done to one of @list whom nobody has in hand. */
async function seize(list, roll, what) {
  const it = one(list.filter(({ held }) => !held), roll);
  it.held = true;
  await what(it);
  it.held = false;
}

async function kill(it, roll) {
  await it.process.kill('SIGKILL');
  await wait(roll() * 500);
  await it.again();
}

/** Stopped past its lease, and continued: it changes nothing that is not its own any more. */
async function stop(it) {
  const { child } = it.process;
  child.kill('SIGSTOP');
  await wait(LEASE_MS + 3000);
  child.kill('SIGCONT');
}

/** How a way is disturbed for some seconds. */
const DISTURBANCES = {
  cut: (it) => it.cut(),
  frozen: (it) => it.freeze(),
  slow: (it, roll) => void (it.delay_ms = 50 + roll() * 200),
};

async function disturb(it, how, roll) {
  DISTURBANCES[how](it, roll);
  await wait(500 + roll() * 3000);
  it.delay_ms = 0;
  it.mend();
}

/** What may befall the servers and the ways to them, each as likely as any other; @cost: so many calls in flight. */
function troubles(f, { store, broker }, roll) {
  const restart = async (server, signal, meanwhile) => {
    await server.kill(signal);
    await meanwhile?.();
    await wait(roll() * 3000);
    await server.begin();
  };
  const list = [
    { what: 'connections to PostgreSQL are ended', run: () => store.ask(END_SOME) },
    { what: 'PostgreSQL restarts', run: () => restart(store, 'SIGINT') },
    { what: 'PostgreSQL crashes', run: () => restart(store, 'SIGQUIT') },
    { what: 'the broker is wiped', run: () => broker.wipe() },
  ];
  if (broker.port !== store.port) list.push({ what: 'the broker crashes', run: () => restart(broker, 'SIGKILL') });
  if (broker.forget) list.push({ what: 'the broker crashes and forgets', run: () => restart(broker, 'SIGKILL', broker.forget) });
  for (const [name, members] of [['API', f.apis], ['worker', f.workers]]) {
    for (const role of Object.keys(members[0].ways)) {
      for (const how of Object.keys(DISTURBANCES)) {
        const cost = role === 'provider' && how !== 'slow' ? SLOTS : 0; // an answer that does not arrive is paid, too
        list.push({ what: `${name} - ${role} ${how}`, cost, run: () => disturb(one(members, roll).ways[role], how, roll) });
      }
    }
  }
  return list;
}

/** The same in an order by chance. */
function shuffled(list, roll) {
  const left = [...list];
  return list.map(() => left.splice(Math.floor(roll() * left.length), 1)[0]);
}

/** As many clients as workers, who want one job after the other, and those who make trouble, each with dice of its own; what
 * was submitted, how many calls were in flight where they may have been lost, and how long the longest job took. */
async function live(t, f, servers, seed) {
  const jobs = new Map(), end = Date.now() + SECONDS * 1000, count = {};
  let cost = 0, longest_ms = 0;
  const note = (what, calls = 0) => {
    count[what] = (count[what] ?? 0) + 1;
    cost += calls;
  };
  const client = async (name, roll) => {
    for (let i = 0; Date.now() < end; i++) {
      const key = `${name}-${i}`, id = await submit(f, roll, key);
      jobs.set(key, id);
      const from = Date.now();
      await ended(f, roll, id);
      longest_ms = Math.max(longest_ms, Date.now() - from);
    }
  };
  const killer = async (roll) => {
    for (; Date.now() < end; await wait(roll() * 2 * LIFE_MS / f.members.length)) {
      await seize(f.members, roll, (it) => {
        if (f.apis.includes(it)) note('an API is killed');
        else note('a worker is killed', SLOTS);
        return kill(it, roll);
      });
    }
  };
  const stopper = async (roll) => {
    do {
      await wait(5000 + roll() * 20000);
      note('a worker is stopped', SLOTS);
      await seize(f.workers, roll, stop);
    } while (end - Date.now() > 2 * LEASE_MS);
  };
  /** Each trouble once, whatever the time, before any comes again. */
  const maker = async (roll) => {
    const list = troubles(f, servers, roll);
    for (let n = 0, left = []; n < list.length || Date.now() < end; n++) {
      if (left.length === 0) left = shuffled(list, roll);
      const { what, cost: calls, run } = left.pop();
      note(what, calls);
      await run();
      await wait(roll() * 1500);
    }
  };
  const clients = Array.from({ length: WORKERS }, (_, i) => client(`client-${i}`, dice(seed + 4 + i)));
  await Promise.all([killer(dice(seed + 1)), stopper(dice(seed + 2)), maker(dice(seed + 3)), ...clients]);
  t.diagnostic(Object.entries(count).map(([what, n]) => `${what}: ${n}`).join(', '));
  return { jobs, cost, longest_ms };
}

async function survive(t, broker) {
  const seed = Number(process.env.STUMPER_CHAOS_SEED ?? Date.now() % 1e6), roll = dice(seed);
  t.diagnostic(`STUMPER_CHAOS_SEED=${seed}`);
  const provider = await sim(t, '--latency', 'lognormal:300,0.6', '--fault-rate', '0.02');
  const store = await postgres(t, PASSWORD, ['max_connections=200']);
  const servers = { store, broker: await broker(t, store), provider };
  const f = await fleet(t, servers);
  const { jobs, cost, longest_ms } = await live(t, f, servers, seed);

  const [api] = f.apis.map((it) => it.process);
  const ends = [];
  for (const [key, id] of jobs) {
    const { body: job } = await api.get(`/status/${id}`);
    ends.push(job);
    assert.equal(job.status, 'succeeded', JSON.stringify(job));
    assertExactly(JOB.num_problems, (await api.get(`/jobs/${id}/results?limit=1000`)).body.data);
    assert(job.usage.cost_usd <= JOB.max_cost_usd, `${job.usage.cost_usd} dollars`);
    assert.equal(await submit(f, roll, key), id, 'one job a key');
  }
  const sums = await provider.sums(), [ours, lost] = ['calls', 'tries_lost'].map((what) => ends.reduce((sum, job) => sum + job.usage[what], 0));
  t.diagnostic(`${jobs.size} jobs, ${sums.calls} calls, ${sums.calls - ours} unknown to us, ${sums.repeated_request_ids} paid again, ${cost} allowed, ${lost} told as lost; the longest job took ${Math.round(longest_ms / 1000)} s`);
  assert(sums.calls - ours <= cost, `the provider was paid for ${sums.calls} calls, ${ours} are known, ${cost} were in flight`);
  assert(sums.repeated_request_ids <= cost, `${sums.repeated_request_ids} calls were paid again, ${cost} were in flight`);
  for (const it of f.members) await it.process.kill('SIGTERM');
  await run(t, ['doctor', '--offline', '--store', store.url], { cwd: folder(t), env: provider.env });
}

const BROKERS = {
  Redis: (t) => redis(t, PASSWORD, ['--appendonly', 'yes']),
  RabbitMQ: (t) => rabbit(t),
  PostgreSQL: (t, store) => ({ ...store, wipe: () => store.ask('DELETE FROM stumper_broker.tokens') }),
};

test('a fleet in trouble loses no job, ends each with exactly N, and pays again only for what was in flight', { concurrency: true }, (t) =>
  Promise.all(Object.entries(BROKERS).map(([name, broker]) => t.test(`woken by ${name}`, (t) => survive(t, broker)))));
