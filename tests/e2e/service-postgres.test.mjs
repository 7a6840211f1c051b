// The service with its jobs in PostgreSQL: through crashes of the server, and of the service itself.
import assert from 'node:assert/strict';
import test from 'node:test';
import { until, wait } from './lib.mjs';
import { postgres } from './servers.mjs';
import { serve } from './service.mjs';

const PASSWORD = 'a-secret-of-the-store';
const JOB = { num_problems: 40, concurrency: 8 };

test('a job outlives a crash of PostgreSQL and of the service, each problem once', async (t) => {
  const database = await postgres(t, PASSWORD);
  const options = { store: null, sim: ['--latency', '60'], env: { STUMPER_STORE: database.url } };
  let s = await serve(t, ['--workers', '2'], options);
  assert.equal((await s.end(await s.submit({ num_problems: 3 }))).status, 'succeeded');

  const id = await s.submit(JOB);
  await wait(300);
  await database.kill('SIGQUIT');
  const refused = await s.post('/generate', JOB);
  assert.equal(refused.status, 503);
  assert(Number(refused.headers.get('retry-after')) > 0);
  assert.equal((await s.get('/readyz')).status, 503);
  await database.begin();
  await until(async () => (await s.get('/readyz')).status === 200, 'it is ready again');

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
  const database = await postgres(t, PASSWORD);
  const options = { store: null, sim: ['--latency', '60'], env: { STUMPER_STORE: database.url } };
  let s = await serve(t, [], options);
  const id = await s.submit(JOB);
  await wait(300);
  await database.kill('SIGQUIT');
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
