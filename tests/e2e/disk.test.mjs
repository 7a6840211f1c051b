// A disk that is full or not writable: a clear error, and nothing that was paid for is lost.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { assertExactly, folder, generate, jsonl, program, run, sim, start } from './lib.mjs';

const quoted = (args) => args.map((a) => `'${a}'`).join(' ');
const NAMESPACE = ['--map-root-user', '--mount', 'sh', '-c'];
const mayMount = spawnSync('unshare', [...NAMESPACE, 'mount -t tmpfs none /mnt']).status === 0;

test('a full disk is told, and with room again the job goes on', { skip: !mayMount && 'no mount namespaces here' }, async (t) => {
  const cwd = folder(t);
  mkdirSync(join(cwd, 'small'));
  const provider = await sim(t, '--accept-all');
  const command = quoted([program, ...generate(300, '--quiet', '-o', 'small/problems.jsonl')]);
  // One namespace, so that the small disk outlives the first run and goes away with the shell.
  const script = `
    mount -t tmpfs -o size=640k none small || exit 99
    ${command}; echo "first: $?" >&2
    mount -o remount,size=64m none small
    ${command}; echo "second: $?" >&2
    cp small/problems.jsonl .`;
  const it = await run(t, [...NAMESPACE, script], { program: 'unshare', cwd, env: provider.env });
  assert.match(it.stderr, /no space|disk is full|disk full/i);
  assert.match(it.stderr, /first: 1/);
  assert.match(it.stderr, /second: 0/);
  assertExactly(300, jsonl(join(cwd, 'problems.jsonl')));
  const { calls } = await provider.sums();
  assert(calls <= 1200 + 64, `${calls} calls: what was stored was not paid again`);
});

test('a service whose cache has no room left says so at once and goes on without', { skip: !mayMount && 'no mount namespaces here' }, async (t) => {
  const cwd = folder(t);
  mkdirSync(join(cwd, 'small'));
  const provider = await sim(t, '--accept-all');
  const models = ['engineer', 'checker', 'target'].flatMap((role) => [`--${role}`, `openai/${role}`]);
  const command = quoted([program, 'serve', '--listen', '127.0.0.1:0', '--store', 'sqlite:jobs.db', '--cache', 'small/answers.db', ...models]);
  const script = `mount -t tmpfs -o size=400k none small || exit 99; exec ${command}`;
  const it = start(t, [...NAMESPACE, script], { program: 'unshare', cwd, env: provider.env });
  const base = (await it.line(/serving (http:\S+),/))[1];
  const metric = async () => /^stumper_cache_failing (\d)$/m.exec(await (await fetch(`${base}/metrics`)).text())[1];
  assert.equal(await metric(), '0');
  const job = await (await fetch(`${base}/generate`, {
    method: 'POST', headers: { 'content-type': 'application/json', prefer: 'wait=60' }, body: JSON.stringify({ num_problems: 300 }),
  })).json();
  assert.equal(job.status, 'succeeded', JSON.stringify(job).slice(0, 500));
  assert.match(it.stderr, /small\/answers\.db: .*(full|space).*going on without this cache/);
  assert.equal(await metric(), '1');
});

test('a folder that is not writable is told before anything is paid', async (t) => {
  const cwd = folder(t);
  mkdirSync(join(cwd, 'locked'));
  chmodSync(join(cwd, 'locked'), 0o555);
  const provider = await sim(t);
  // Root may write everywhere, unless it gives that power up.
  const drop = process.getuid() === 0 ? ['setpriv', '--bounding-set=-dac_override', '--inh-caps=-dac_override'] : ['env'];
  const args = [...drop.slice(1), program, ...generate(5, '-o', 'locked/problems.jsonl')];
  const it = await run(t, args, { program: drop[0], cwd, env: provider.env, code: 1 });
  assert.match(it.stderr, /locked\/problems\.jsonl/);
  assert.match(it.stderr, /permission|not writable|read-only/i);
  assert.equal((await provider.sums()).calls, 0);
});
