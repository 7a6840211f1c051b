// stumper migrate: a store's schema comes to this version, once, whoever starts at the same time.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { folder, run, wait } from './lib.mjs';
import { postgres, way } from './servers.mjs';

const PASSWORD = 'a-secret-of-the-store';
const EMPTY = 'DROP SCHEMA public CASCADE; CREATE SCHEMA public';
const SCHEMA = fileURLToPath(new URL('../../src/store/schema/', import.meta.url));
const steps = (dir) => readdirSync(join(SCHEMA, dir)).filter((f) => /^\d{4}\.sql$/.test(f)).sort();
const text = (dir, n) => steps(dir).slice(0, n).map((f) => readFileSync(join(SCHEMA, dir, f), 'utf8'));
const migrate = (t, store, options = {}, ...flags) => run(t, ['migrate', ...flags], { env: { STUMPER_STORE: store }, ...options });

/** What all versions of a store go through. @old(version) leaves one of that version at @store; @seen: how it is called. */
async function upgrade(t, store, seen, dir, old) {
  const newest = steps(dir).length;
  await old(1);
  const would = await migrate(t, store, { code: 3 }, '--dry-run');
  assert.match(would.stdout, new RegExp(`^${seen}: would bring schema 1 to ${newest}\n`));
  for (const step of steps(dir).slice(1)) assert.match(would.stdout, new RegExp(`^  schema/${dir}${step} +\\w`, 'm'));
  assert.equal((await migrate(t, store, { code: 3 }, '--dry-run')).stdout, would.stdout, 'it has changed nothing');

  const did = await migrate(t, store);
  assert.equal(did.stdout, would.stdout.replace('would bring schema', 'brought from schema'));
  assert.match((await migrate(t, store)).stdout, /nothing to do/);
  assert.match((await migrate(t, store, {}, '--dry-run')).stdout, /nothing to do/);
}

test('a store in a file is brought to this version, and one that is newer is left alone', async (t) => {
  const path = join(folder(t), 'jobs.db');
  const sqlite = (sql) => run(t, ['-c', 'import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])', path, sql], { program: 'python3' });
  assert.match((await migrate(t, `sqlite:${path}`, { code: 3 }, '--dry-run')).stdout, /: empty; would make schema \d+\n/);
  assert(!existsSync(path));
  await upgrade(t, `sqlite:${path}`, path, '', (n) => sqlite(`${text('', n).join('\n')}; PRAGMA application_id = 0x53544d50; PRAGMA user_version = ${n}`));

  await sqlite('PRAGMA user_version = 99');
  for (const flags of [[], ['--dry-run']]) {
    const { stderr } = await migrate(t, path, { code: 1 }, ...flags);
    assert.match(stderr, /stumper migrate: .*jobs\.db was written by a newer Stumper \(its schema is 99, this one knows \d+\)/);
  }
});

test('a store in PostgreSQL is brought to this version once, by one of those who start together', async (t) => {
  const server = await postgres(t, PASSWORD);
  const seen = `postgresql://127\\.0\\.0\\.1:${server.port}/postgres`;
  await upgrade(t, server.url, seen, 'postgres/', (n) => server.ask(
    `BEGIN; ${text('postgres', n).join('\n')}; CREATE TABLE stumper_schema (version BIGINT PRIMARY KEY, at TIMESTAMPTZ DEFAULT now());
     INSERT INTO stumper_schema SELECT generate_series(1, ${n}); COMMIT`));

  await server.ask(EMPTY);
  const all = await Promise.all(Array.from({ length: 6 }, () => migrate(t, server.url)));
  assert.equal(all.filter((it) => /: made schema/.test(it.stdout)).length, 1);
  assert.equal(all.filter((it) => /nothing to do/.test(it.stdout)).length, 5);

  await server.ask(EMPTY);
  const slow = await way(t, server.port);
  slow.delay_ms = 50; // so that another is done between two questions of one of these
  const late = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => wait(i * 50).then(() => migrate(t, server.url.replace(`:${server.port}/`, `:${slow.port}/`))));
  await wait(300);
  await migrate(t, server.url);
  for (const it of await Promise.all(late)) assert.match(it.stdout, /: (made|at) schema/, 'a store or nothing, never half of one');

  await server.ask('INSERT INTO stumper_schema VALUES (99)');
  const { stderr } = await migrate(t, server.url, { code: 1 });
  assert.match(stderr, /was written by a newer Stumper/);
  await server.ask(`${EMPTY}; CREATE TABLE songs (title TEXT)`);
  assert.match((await migrate(t, server.url, { code: 1 })).stderr, /not a Stumper store/);
  for (const it of all) assert.doesNotMatch(it.stdout + it.stderr + stderr, new RegExp(PASSWORD));
});

test('what migrate cannot reach or read is told, with its exit status', async (t) => {
  assert.match((await migrate(t, 'mysql://db/jobs', { code: 2 })).stderr, /--store: wants/);
  const { stderr } = await migrate(t, `postgresql://u:${PASSWORD}@127.0.0.1:1/jobs`, { code: 1 });
  assert.match(stderr, /postgresql:\/\/127\.0\.0\.1:1\/jobs: .*refused/);
  assert.doesNotMatch(stderr, new RegExp(PASSWORD));
});
