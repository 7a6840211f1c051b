// The service with its jobs in PostgreSQL: through crashes of the server, and of the service itself.
import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import test from 'node:test';
import { folder, run, start, wait } from './lib.mjs';
import { serve } from './service.mjs';

const PASSWORD = 'a-secret-of-the-store';
const JOB = { num_problems: 40, concurrency: 8 };
const NOBODY = 65534;

const freePort = () => new Promise((done) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => done(port));
  });
});

const versions = '/usr/lib/postgresql';
const bin = join(versions, readdirSync(versions).sort((a, b) => a - b).at(-1), 'bin');

/** A PostgreSQL that lets everybody in, told a password nonetheless. It does not run as root: a root's test runs it as nobody. */
async function postgres(t) {
  const root = process.getuid() === 0;
  const dir = folder(t), port = await freePort();
  chmodSync(dir, 0o755);
  const home = join(dir, 'home');
  mkdirSync(home);
  if (root) chownSync(home, NOBODY, NOBODY);
  const as = root ? ['--reuid', NOBODY, '--regid', NOBODY, '--clear-groups', '--'] : [];
  const call = (how, program, ...args) => how(t, [...as, join(bin, program), ...args], { program: root ? 'setpriv' : 'env', cwd: home });
  const made = await call(run, 'initdb', '-D', 'data', '-U', 'stumper', '-A', 'trust', '--locale=C.UTF-8', '-E', 'UTF8', '--no-sync');
  assert.equal(made.code, 0, made.stderr);
  const begin = async () => {
    const it = call(start, 'postgres', '-D', 'data', '-p', port, '-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories=');
    await it.line(/database system is ready to accept connections/);
    return it;
  };
  return { url: `postgresql://stumper:${PASSWORD}@127.0.0.1:${port}/postgres`, begin };
}

test('a job outlives a crash of PostgreSQL and of the service, each problem once', async (t) => {
  const database = await postgres(t);
  let server = await database.begin();
  const options = { store: null, sim: ['--latency', '60'], env: { STUMPER_STORE: database.url } };
  let s = await serve(t, ['--workers', '2'], options);
  assert.equal((await s.end(await s.submit({ num_problems: 3 }))).status, 'succeeded');

  const id = await s.submit(JOB);
  await wait(300);
  await server.kill('SIGQUIT');
  const refused = await s.post('/generate', JOB);
  assert.equal(refused.status, 503);
  assert(Number(refused.headers.get('retry-after')) > 0);
  assert.equal((await s.get('/readyz')).status, 503);
  server = await database.begin();
  for (const end = Date.now() + 20000; (await s.get('/readyz')).status !== 200; await wait(50)) assert(Date.now() < end);

  await s.kill('SIGKILL');
  const log = s.stdout + s.stderr;
  s = await serve(t, [], { ...options, provider: s.provider, cwd: s.cwd });
  const ended = await s.end(id);
  assert.equal(ended.status, 'succeeded');
  const { body } = await s.get(`/jobs/${id}/results?limit=100`);
  assert.equal(new Set(body.data.map((p) => p.attempt)).size, JOB.num_problems);
  await s.stop();
  assert.doesNotMatch(log + s.stdout + s.stderr, new RegExp(PASSWORD));
});

test('told to stop twice while PostgreSQL is away, the service ends and loses nothing', async (t) => {
  const database = await postgres(t);
  const server = await database.begin();
  const options = { store: null, sim: ['--latency', '60'], env: { STUMPER_STORE: database.url } };
  let s = await serve(t, [], options);
  const id = await s.submit(JOB);
  await wait(300);
  await server.kill('SIGQUIT');
  await wait(500);
  s.child.kill('SIGTERM');
  await s.line(/draining/);
  s.child.kill('SIGTERM');
  await s.line(/ending as if killed/);
  assert.equal((await s.ended).code, 1);
  await database.begin();
  s = await serve(t, [], { ...options, provider: s.provider, cwd: s.cwd });
  assert.equal((await s.end(id)).status, 'succeeded');
});
