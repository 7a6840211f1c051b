// Who gets the slots of a service, and what keeps its connections open: priorities, keys, caps, heartbeats, the manager.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { folder, program, sim, start, wait } from './lib.mjs';
import { serve } from './service.mjs';

const SLOTS = 16;
const busy = (t) => serve(t, ['--concurrency', SLOTS], { sim: ['--latency', '60'] });

/** How many slots jobs had on average over some seconds, once all had some. */
async function slotsOf(s, ids, options, seconds = 4) {
  const look = async () => Promise.all(ids.map(async (id) => (await s.get(`/status/${id}`, options)).body.counts.in_flight));
  for (let i = 0; (await look()).includes(0); i++) {
    assert(i < 200, 'a job never begins');
    await wait(50);
  }
  const sums = ids.map(() => 0);
  const most = ids.map(() => 0);
  const looks = seconds * 10;
  for (let i = 0; i < looks; i++) {
    (await look()).forEach((n, at) => {
      sums[at] += n / looks;
      most[at] = Math.max(most[at], n);
    });
    await wait(100);
  }
  return { mean: sums, most };
}

test('a higher priority has the slots, whatever came before it', async (t) => {
  const s = await busy(t);
  const normal = await s.submit({ num_problems: 5000, concurrency: 100 });
  await slotsOf(s, [normal], {}, 1);
  const high = await s.submit({ num_problems: 5000, concurrency: 100, priority: 'high' });
  const { mean } = await slotsOf(s, [high], {});
  assert(mean[0] > 0.7 * SLOTS, `${mean} of ${SLOTS}`);
});

test('every slot that falls free goes to the higher priority, as long as it wants any', async (t) => {
  const s = await busy(t);
  const normal = await s.submit({ num_problems: 5000, concurrency: 100 });
  await slotsOf(s, [normal], {}, 1);
  const high = await s.submit({ num_problems: 5000, concurrency: SLOTS, priority: 'high' });
  const counts = async (id) => (await s.get(`/status/${id}`)).body.counts;
  while ((await counts(normal)).in_flight > 0) await wait(20);
  const before = { normal: await counts(normal), high: await counts(high) };
  await wait(3000);
  const after = { normal: await counts(normal), high: await counts(high) };
  assert.equal(after.normal.attempts, before.normal.attempts, 'none was begun of the other');
  assert(after.high.attempts > before.high.attempts, 'it goes on');
});

test('a job has no more attempts in flight than it may', async (t) => {
  const s = await busy(t);
  const capped = await s.submit({ num_problems: 5000, concurrency: 3 });
  const other = await s.submit({ num_problems: 5000, concurrency: 100 });
  const { most, mean } = await slotsOf(s, [capped, other], {});
  assert.equal(most[0], 3);
  assert(mean[1] > 0.6 * SLOTS, `${mean}: the rest is for others`);
});

test('a key with one job has as much as a key with many', async (t) => {
  const s = await busy(t);
  const root = (await s.post('/keys', { name: 'root', scopes: ['admin'] })).body.key;
  const [many, one] = await Promise.all(['many', 'one'].map(async (name) => (await s.post('/keys', { name }, { key: root })).body.key));
  const ids = [];
  for (let i = 0; i < 6; i++) ids.push(await s.submit({ num_problems: 5000, concurrency: 100 }, { key: many }));
  await slotsOf(s, ids.slice(0, 2), { key: root }, 1);
  const lone = await s.submit({ num_problems: 5000, concurrency: 100 }, { key: one });
  const { mean } = await slotsOf(s, [lone], { key: root });
  assert(mean[0] > 0.35 * SLOTS && mean[0] < 0.65 * SLOTS, `${mean} of ${SLOTS}`);
});

test('a stream that has nothing to tell says so every 15 seconds', async (t) => {
  const s = await serve(t, ['--concurrency', 1], { sim: ['--latency', '50'] });
  const id = await s.submit({ num_problems: 500 });
  await s.post(`/jobs/${id}/pause`);
  const { body } = await fetch(`${s.base}/jobs/${id}/events`, { signal: AbortSignal.timeout(25000) });
  const begun = Date.now();
  let seen = '';
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    seen += text;
    if (/^: /m.test(seen)) break;
  }
  assert(Date.now() - begun > 10000 && Date.now() - begun < 20000, `${Date.now() - begun} ms`);
});

/** A process that prints what a service manager would be told. */
async function manager(t, cwd) {
  const path = join(cwd, 'notify.sock');
  const script = 'import socket, sys\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\ns.bind(sys.argv[1])\nprint("bound", flush=True)\n'
    + 'while True: print(s.recv(4096).decode(), flush=True)\n';
  const it = start(t, ['-c', script, path], { program: 'python3', cwd });
  await it.line(/^bound/m);
  return { ...it, path };
}

test('a service manager hands the socket over, and is told when it serves and when it ends', async (t) => {
  const cwd = folder(t);
  const [provider, systemd] = [await sim(t), await manager(t, cwd)];
  // What systemd does: the socket listens as descriptor 3 before there is a service.
  writeFileSync(join(cwd, 'activate.py'), `import os, socket, sys
s = socket.create_server(('127.0.0.1', 0))
print('port', s.getsockname()[1], flush=True)
os.dup2(s.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[1], sys.argv[1:])
`);
  const args = ['activate.py', program, 'serve', '--store', 'sqlite:jobs.db'];
  const it = start(t, args, { program: 'python3', cwd, env: { ...provider.env, NOTIFY_SOCKET: systemd.path } });
  const port = (await it.line(/^port (\d+)/m))[1];
  assert.equal((await fetch(`http://127.0.0.1:${port}/livez`)).status, 200);
  await systemd.line(/^READY=1/m);
  it.child.kill('SIGTERM');
  await systemd.line(/^STOPPING=1/m);
  await it.ended;
  assert.equal(it.code, 0);
});
