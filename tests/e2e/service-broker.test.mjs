// The service with a broker's server: jobs go by it, and go on without it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { folder, run, until } from './lib.mjs';
import { postgres, rabbit, redis } from './servers.mjs';
import { serve } from './service.mjs';

const PASSWORD = 'a-secret-of-the-broker';
const JOB = { num_problems: 6, concurrency: 3 };

test('jobs go on while Redis is wiped, killed and back, and nothing is lost', async (t) => {
  const server = await redis(t, PASSWORD);
  const s = await serve(t, [], { sim: ['--latency', '60'], env: { STUMPER_BROKER: server.url } });
  const metric = async (name) => Number((await s.get('/metrics')).body.match(new RegExp(`^${name} (\\S+)`, 'm'))[1]);
  const ready = async () => (await s.get('/readyz')).body;
  await until(async () => (await ready()) === 'ready\n', 'it is ready');
  assert.equal(await metric('stumper_broker_up'), 1);

  const first = await s.submit(JOB);
  await server.wipe();
  assert.equal((await s.end(first)).status, 'succeeded');
  assert.equal(await metric('stumper_broker_tokens_total\\{way="taken"\\}') > 0, true, 'its token went by Redis');

  const second = await s.submit({ ...JOB, num_problems: 30 });
  await server.kill('SIGKILL');
  await until(async () => (await ready()).startsWith('ready, degraded'), 'it is degraded');
  assert.equal(await metric('stumper_broker_up'), 0);
  const third = await s.submit(JOB);
  assert.equal((await s.end(third)).status, 'succeeded', 'a job that came meanwhile');

  await server.begin();
  await until(async () => (await ready()) === 'ready\n', 'it is ready again');
  assert.equal((await s.end(await s.submit(JOB))).status, 'succeeded');
  assert.equal((await s.end(second)).status, 'succeeded');
  const sums = await s.provider.sums();
  assert.equal(sums.repeated_request_ids, 0, 'nothing is paid twice');
  const it = await s.stop();
  assert.doesNotMatch(it.stdout + it.stderr, new RegExp(PASSWORD));
  assert.match(it.stderr, /Redis at 127\.0\.0\.1:\d+ is back after/);
  const left = await server.cli('--raw', 'EVAL', "local n = 0 for _, k in ipairs(redis.call('KEYS', '*')) do n = n + (redis.call('TYPE', k).ok == 'stream' and redis.call('XLEN', k) or 0) end return n", '0');
  assert.equal(left.stdout.trim(), '0', 'no token is left behind');
});

test('jobs go on while RabbitMQ is stopped and back', async (t) => {
  const server = await rabbit(t);
  const s = await serve(t, ['--broker', server.url], { sim: ['--latency', '60'] });
  const ready = async () => (await s.get('/readyz')).body;
  await until(async () => (await ready()) === 'ready\n', 'it is ready');
  assert.equal((await s.end(await s.submit(JOB))).status, 'succeeded');
  assert.match((await s.get('/metrics')).body, /^stumper_broker_tokens_total\{way="taken"\} [1-9]/m);

  const running = await s.submit({ ...JOB, num_problems: 30 });
  await server.kill('SIGTERM');
  await until(async () => (await ready()).startsWith('ready, degraded'), 'it is degraded');
  assert.equal((await s.end(await s.submit(JOB))).status, 'succeeded', 'a job that came meanwhile');
  await server.begin();
  await until(async () => (await ready()) === 'ready\n', 'it is ready again');
  assert.equal((await s.end(await s.submit(JOB))).status, 'succeeded');
  assert.equal((await s.end(running)).status, 'succeeded');
  assert.equal((await s.provider.sums()).repeated_request_ids, 0, 'nothing is paid twice');
});

test('one PostgreSQL keeps the jobs and wakes the workers, also after a crash', async (t) => {
  const server = await postgres(t, PASSWORD);
  const s = await serve(t, [], { store: null, sim: ['--latency', '60'], env: { STUMPER_STORE: server.url, STUMPER_BROKER: server.url } });
  const ready = async () => (await s.get('/readyz')).body;
  await until(async () => (await ready()) === 'ready\n', 'it is ready');
  assert.equal((await s.end(await s.submit(JOB))).status, 'succeeded');
  assert.match((await s.get('/metrics')).body, /^stumper_broker_tokens_total\{way="taken"\} [1-9]/m);

  const running = await s.submit({ ...JOB, num_problems: 30 });
  await server.kill('SIGQUIT');
  await server.begin();
  await until(async () => (await ready()) === 'ready\n', 'it is ready again');
  assert.equal((await s.end(await s.submit(JOB))).status, 'succeeded');
  assert.equal((await s.end(running)).status, 'succeeded');
  assert.equal((await s.provider.sums()).repeated_request_ids, 0, 'nothing is paid twice');
  const it = await s.stop();
  assert.doesNotMatch(it.stdout + it.stderr, new RegExp(PASSWORD));
  assert.equal(await server.ask('SELECT count(*) FROM stumper_broker.tokens'), '0', 'no token is left behind');
});

test('a service starts without its broker, and finds it later', async (t) => {
  const server = await redis(t, PASSWORD);
  await server.kill('SIGTERM');
  const s = await serve(t, ['--broker', server.url], { sim: ['--latency', '5'] });
  await until(async () => (await s.get('/readyz')).body.startsWith('ready, degraded'), 'it is degraded');
  assert.equal((await s.end(await s.submit(JOB))).status, 'succeeded');
  await server.begin();
  await until(async () => (await s.get('/readyz')).body === 'ready\n', 'it is ready');
});

test('a wrong --broker is a usage error that does not repeat it', async (t) => {
  for (const url of ['kafka://h', `amqp://u:${PASSWORD}@h:port`, `redis://:${PASSWORD}@`, `redis://:${PASSWORD}@h?what=1`, `postgresql://u:${PASSWORD}@h:port/x`, 'localhost']) {
    const got = await run(t, ['serve', '--listen', '127.0.0.1:0', '--broker', url], { cwd: folder(t), code: 2 });
    assert.match(got.stderr, /--broker/);
    assert.doesNotMatch(got.stderr, new RegExp(PASSWORD));
  }
});
