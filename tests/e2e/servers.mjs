// The servers that the service stands on, for tests: PostgreSQL, Redis and RabbitMQ, real ones on loopback, each with all
// its files in a folder of the test. `begin()` starts one (again), `kill(signal)` ends it; the data stay.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { folder, PATIENCE_MS, run, start, wait } from './lib.mjs';

const NOBODY = 65534;

const listens = (...where) => new Promise((done) => {
  const server = createServer().on('error', () => done(null)).listen(...where, () => done(server.unref()));
});

/** A port for this process until it ends, whoever listens there meanwhile: a name that only one can have stands for it, as in
 * contract/free_port.c. It is below those that the system gives to clients: one that tries to connect to such a port while
 * nobody listens there may meet itself, and then has it. */
export async function freePort() {
  for (;;) {
    const port = 20000 + Math.floor(Math.random() * 12000);
    const name = await listens(`\0stumper-test-port-${port}`);
    const probe = name && (await listens(port, '127.0.0.1'));
    if (probe) return new Promise((done) => probe.close(() => done(port)));
    name?.close();
  }
}

function postgresPrograms() {
  const versions = '/usr/lib/postgresql';
  assert(existsSync(versions), 'PostgreSQL is not installed: scripts/install-deps check');
  return join(versions, readdirSync(versions).sort((a, b) => a - b).at(-1), 'bin');
}

/** A PostgreSQL that lets everybody in, told a password nonetheless. It does not run as root: a root's test runs it as
 * nobody. @options: lines of "name=value" for the server. */
export async function postgres(t, password, options = []) {
  const bin = postgresPrograms(), root = process.getuid() === 0;
  const dir = folder(t);
  chmodSync(dir, 0o755);
  const home = join(dir, 'home');
  mkdirSync(home);
  if (root) chownSync(home, NOBODY, NOBODY);
  const as = root ? ['--reuid', NOBODY, '--regid', NOBODY, '--clear-groups', '--'] : [];
  const call = (how, program, ...args) => how(t, [...as, join(bin, program), ...args], { program: root ? 'setpriv' : 'env', cwd: home });
  await call(run, 'initdb', '-D', 'data', '-U', 'stumper', '-A', 'trust', '--locale=C.UTF-8', '-E', 'UTF8', '--no-sync');
  const port = await freePort();
  const settings = [`port=${port}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories=', ...options].flatMap((o) => ['-c', o]);
  const server = {
    port,
    url: `postgresql://stumper:${password}@127.0.0.1:${port}/postgres`,
    begin: async () => {
      server.it = call(start, 'postgres', '-D', 'data', ...settings);
      await server.it.line(/database system is ready to accept connections/);
    },
    kill: (signal) => server.it.kill(signal),
    /** Ask in SQL; the rows as text, columns apart by "|". */
    ask: async (sql) => (await run(t, ['-h', '127.0.0.1', '-p', port, '-U', 'stumper', '-d', 'postgres', '-AtXqc', sql], { program: join(bin, 'psql') })).stdout.trim(),
  };
  await server.begin();
  return server;
}

/** A Redis with a password; `wipe()` loses all that is in it, `forget()` what a dead one has kept. @options: more of its
 * arguments. */
export async function redis(t, password, options = ['--save', '']) {
  const dir = folder(t), port = await freePort();
  const args = ['--port', port, '--bind', '127.0.0.1', '--requirepass', password, '--maxmemory-policy', 'noeviction', ...options];
  const cli = (...words) => run(t, ['-p', port, '--no-auth-warning', '-a', password, ...words], { program: 'redis-cli' });
  const server = {
    port,
    url: `redis://:${password}@127.0.0.1:${port}`,
    begin: async () => {
      server.it = start(t, args, { program: 'redis-server', cwd: dir });
      await server.it.line(/Ready to accept connections/);
    },
    kill: (signal) => server.it.kill(signal),
    cli,
    wipe: () => cli('FLUSHALL'),
    forget: () => rmSync(join(dir, 'appendonlydir'), { recursive: true, force: true }),
  };
  await server.begin();
  return server;
}

/** A RabbitMQ, on loopback alone; `wipe()` purges its queues. */
export async function rabbit(t) {
  const dir = folder(t), [port, epmd, distribution] = [await freePort(), await freePort(), await freePort()];
  writeFileSync(join(dir, 'rabbitmq.conf'), `listeners.tcp.1 = 127.0.0.1:${port}\ndisk_free_limit.absolute = 16MB\n`);
  writeFileSync(join(dir, 'enabled_plugins'), '[].\n');
  const env = {
    HOME: dir, ERL_EPMD_ADDRESS: '127.0.0.1', ERL_EPMD_PORT: epmd, RABBITMQ_DIST_PORT: distribution, RABBITMQ_NODENAME: `r${port}@localhost`,
    RABBITMQ_BASE: dir, RABBITMQ_MNESIA_BASE: join(dir, 'mnesia'), RABBITMQ_LOG_BASE: join(dir, 'log'), RABBITMQ_CONFIG_FILE: join(dir, 'rabbitmq.conf'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(dir, 'enabled_plugins'), RABBITMQ_CONF_ENV_FILE: join(dir, 'none'), RABBITMQ_ALLOW_INPUT: 1,
    RABBITMQ_SERVER_START_ARGS: '-noinput', RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none',
  };
  const control = (...words) => run(t, ['-n', env.RABBITMQ_NODENAME, ...words], { program: '/usr/lib/rabbitmq/bin/rabbitmqctl', env, code: null });
  start(t, ['-port', epmd], { program: 'epmd', env });
  const server = {
    port,
    url: `amqp://127.0.0.1:${port}`,
    begin: async () => {
      server.it = start(t, [], { program: '/usr/lib/rabbitmq/bin/rabbitmq-server', env });
      await server.it.line(/Starting broker\.\.\. completed/, 2 * PATIENCE_MS); // it reckons for many seconds
    },
    kill: (signal) => server.it.kill(signal),
    wipe: async () => {
      const { stdout } = await control('--quiet', '--no-table-headers', 'list_queues', 'name');
      for (const queue of stdout.split('\n').filter(Boolean)) await control('purge_queue', queue);
    },
  };
  await server.begin();
  return server;
}

/** A way to 127.0.0.1:@port that can be disturbed: `delay_ms` holds all bytes back for so long, `cut()` ends every connection
 * and refuses others, `freeze()` keeps them open and passes nothing on, `mend()` ends the trouble. */
export async function way(t, port) {
  const pairs = new Set();
  let trouble = null;
  const it = { delay_ms: 0 };
  /** Whatever comes from @from goes on in its order, however the delay changes; the end comes last. */
  const pass = (from, to) => {
    let last = null;
    const follow = (what) => {
      const held = it.delay_ms > 0 ? wait(it.delay_ms) : null;
      last = Promise.all([last, held]).then(what);
    };
    from.on('data', (bytes) => follow(() => (trouble === 'frozen' ? from.pause() : to.write(bytes))));
    from.on('close', () => follow(() => to.destroySoon()));
  };
  const end = (pair) => {
    pairs.delete(pair);
    for (const socket of pair) socket.destroy();
  };
  const server = createServer((client) => {
    const pair = [client, connect(port, '127.0.0.1')];
    pairs.add(pair);
    for (const socket of pair) socket.setNoDelay(true).on('error', () => {}).on('close', () => pairs.delete(pair));
    pass(pair[0], pair[1]);
    pass(pair[1], pair[0]);
  });
  it.port = await freePort();
  const open = () => server.listen(it.port, '127.0.0.1');
  it.cut = () => {
    trouble = 'cut';
    server.close();
    for (const pair of [...pairs]) end(pair);
  };
  it.freeze = () => {
    trouble = 'frozen';
  };
  /** What was frozen has lost bytes: those connections end. */
  it.mend = () => {
    if (trouble === 'cut') open();
    if (trouble === 'frozen') for (const pair of [...pairs]) end(pair);
    trouble = null;
  };
  t.after(() => it.cut());
  await once(open(), 'listening');
  return it;
}
