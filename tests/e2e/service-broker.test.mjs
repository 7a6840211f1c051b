// The service with a broker's server: jobs go by it, and go on without it.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import test from 'node:test';
import { folder, run, start, wait } from './lib.mjs';
import { serve } from './service.mjs';

/** Below those that the system gives to clients: one that tries to connect to such a port while nobody listens there may
 * meet itself, and then has it. */
const freePort = () => new Promise((done) => {
  const port = 20000 + Math.floor(Math.random() * 12000);
  const server = createServer().on('error', () => done(freePort())).listen(port, '127.0.0.1', () => server.close(() => done(port)));
});

async function eventually(look, what, timeout_ms = 30000) {
  for (const end = Date.now() + timeout_ms; !(await look()); await wait(20)) assert(Date.now() < end, what);
}

/** Redis on @port with a password; `wipe()` loses all that is in it. */
async function redis(t, port, password) {
  const it = start(t, ['--port', port, '--bind', '127.0.0.1', '--save', '', '--requirepass', password], { program: 'redis-server', cwd: folder(t) });
  await it.line(/Ready to accept connections/);
  const cli = (...words) => run(t, ['-p', port, '--no-auth-warning', '-a', password, ...words], { program: 'redis-cli' });
  return { ...it, cli, wipe: () => cli('FLUSHALL') };
}

/** RabbitMQ on @port, all of it in @dir, on loopback alone. */
async function rabbit(t, port, dir) {
  const [epmd, distribution] = [await freePort(), await freePort()];
  writeFileSync(join(dir, 'rabbitmq.conf'), `listeners.tcp.1 = 127.0.0.1:${port}\ndisk_free_limit.absolute = 16MB\n`);
  writeFileSync(join(dir, 'enabled_plugins'), '[].\n');
  const env = {
    HOME: dir, ERL_EPMD_ADDRESS: '127.0.0.1', ERL_EPMD_PORT: epmd, RABBITMQ_DIST_PORT: distribution, RABBITMQ_NODENAME: `r${port}@localhost`,
    RABBITMQ_BASE: dir, RABBITMQ_MNESIA_BASE: join(dir, 'mnesia'), RABBITMQ_LOG_BASE: join(dir, 'log'), RABBITMQ_CONFIG_FILE: join(dir, 'rabbitmq.conf'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(dir, 'enabled_plugins'), RABBITMQ_CONF_ENV_FILE: join(dir, 'none'), RABBITMQ_ALLOW_INPUT: 1,
    RABBITMQ_SERVER_START_ARGS: '-noinput', RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none',
  };
  start(t, ['-port', epmd], { program: 'epmd', env });
  const it = start(t, [], { program: '/usr/lib/rabbitmq/bin/rabbitmq-server', env });
  await it.line(/Starting broker\.\.\. completed/, 60000);
  return it;
}

const PASSWORD = 'a-secret-of-the-broker';
const JOB = { num_problems: 6, concurrency: 3 };

test('jobs go on while Redis is wiped, killed and back, and nothing is lost', async (t) => {
  const port = await freePort();
  let server = await redis(t, port, PASSWORD);
  const s = await serve(t, [], { sim: ['--latency', '60'], env: { STUMPER_BROKER: `redis://:${PASSWORD}@127.0.0.1:${port}` } });
  const metric = async (name) => Number((await s.get('/metrics')).body.match(new RegExp(`^${name} (\\S+)`, 'm'))[1]);
  const ready = async () => (await s.get('/readyz')).body;
  await eventually(async () => (await ready()) === 'ready\n', 'it is ready');
  assert.equal(await metric('stumper_broker_up'), 1);

  const first = await s.submit(JOB);
  await server.wipe();
  assert.equal((await s.end(first)).status, 'succeeded');
  assert.equal(await metric('stumper_broker_tokens_total\\{way="taken"\\}') > 0, true, 'its token went by Redis');

  const second = await s.submit({ ...JOB, num_problems: 30 });
  server.child.kill('SIGKILL');
  await eventually(async () => (await ready()).startsWith('ready, degraded'), 'it is degraded');
  assert.equal(await metric('stumper_broker_up'), 0);
  const third = await s.submit(JOB);
  assert.equal((await s.end(third)).status, 'succeeded', 'a job that came meanwhile');

  server = await redis(t, port, PASSWORD);
  await eventually(async () => (await ready()) === 'ready\n', 'it is ready again');
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
  const [port, dir] = [await freePort(), folder(t)];
  const server = await rabbit(t, port, dir);
  const s = await serve(t, ['--broker', `amqp://127.0.0.1:${port}`], { sim: ['--latency', '60'] });
  const ready = async () => (await s.get('/readyz')).body;
  await eventually(async () => (await ready()) === 'ready\n', 'it is ready');
  assert.equal((await s.end(await s.submit(JOB))).status, 'succeeded');
  assert.match((await s.get('/metrics')).body, /^stumper_broker_tokens_total\{way="taken"\} [1-9]/m);

  const running = await s.submit({ ...JOB, num_problems: 30 });
  await server.kill('SIGTERM');
  await eventually(async () => (await ready()).startsWith('ready, degraded'), 'it is degraded');
  assert.equal((await s.end(await s.submit(JOB))).status, 'succeeded', 'a job that came meanwhile');
  await rabbit(t, port, dir);
  await eventually(async () => (await ready()) === 'ready\n', 'it is ready again');
  assert.equal((await s.end(await s.submit(JOB))).status, 'succeeded');
  assert.equal((await s.end(running)).status, 'succeeded');
  assert.equal((await s.provider.sums()).repeated_request_ids, 0, 'nothing is paid twice');
});

test('a service starts without its broker, and finds it later', async (t) => {
  const port = await freePort();
  const s = await serve(t, ['--broker', `redis://127.0.0.1:${port}`], { sim: ['--latency', '5'] });
  await eventually(async () => (await s.get('/readyz')).body.startsWith('ready, degraded'), 'it is degraded');
  assert.equal((await s.end(await s.submit(JOB))).status, 'succeeded');
  const server = start(t, ['--port', port, '--bind', '127.0.0.1', '--save', ''], { program: 'redis-server', cwd: folder(t) });
  await server.line(/Ready to accept connections/);
  await eventually(async () => (await s.get('/readyz')).body === 'ready\n', 'it is ready');
});

test('a wrong --broker is a usage error that does not repeat it', async (t) => {
  for (const url of ['kafka://h', `amqp://u:${PASSWORD}@h:port`, `redis://:${PASSWORD}@`, `redis://:${PASSWORD}@h?what=1`, 'localhost']) {
    const got = await run(t, ['serve', '--listen', '127.0.0.1:0', '--broker', url], { cwd: folder(t), code: 2 });
    assert.match(got.stderr, /--broker/);
    assert.doesNotMatch(got.stderr, new RegExp(PASSWORD));
  }
});
