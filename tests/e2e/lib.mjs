// What the end-to-end tests share: running the program, a simulated provider, reading what came out.
//
// STUMPER names the program under test (default: build/stumper). Every test gets a folder of its own and an
// environment without the caller's settings and keys; what it started is ended with it.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
export const program = resolve(root, process.env.STUMPER ?? 'build/stumper');

/** How long is waited for what must come: long, since what comes ends the wait, and machines stand still at times. */
export const PATIENCE_MS = 90000;

const PASSED_ON = ['PATH', 'HOME', 'LANG', 'ASAN_OPTIONS', 'UBSAN_OPTIONS', 'TMPDIR'];

/** The key that tests use. It must never be seen anywhere (promise G9). */
export const KEY = 'sk-e2e-4d1f0c7be2a94c55b1c8';

function environment(extra) {
  const kept = Object.fromEntries(PASSED_ON.filter((k) => k in process.env).map((k) => [k, process.env[k]]));
  return { ...kept, TERM: 'dumb', ...extra };
}

/** A new folder, removed when the test ends. */
export function folder(t) {
  const path = mkdtempSync(join(tmpdir(), 'stumper-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/**
 * Start the program (or `options.program`). The handle collects output and can be waited for; with
 * `options.keyboard` its child.stdin can be typed on.
 */
export function start(t, args, options = {}) {
  const child = spawn(options.program ?? program, args.map(String), {
    cwd: options.cwd,
    env: environment(options.env),
    stdio: [options.keyboard ? 'pipe' : 'ignore', 'pipe', 'pipe'],
  });
  const run = { child, pid: child.pid, stdout: '', stderr: '' };
  const wake = new Set();
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8');
    child[name].on('data', (text) => {
      run[name] += text;
      for (const look of wake) look();
    });
  }
  run.ended = new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', (code, signal) => {
      run.code = code;
      run.signal = signal;
      done(run);
      for (const look of wake) look();
    });
  });
  /** Wait until `pattern` stands in stdout or stderr; gives the match. */
  run.line = (pattern, timeout_ms = PATIENCE_MS) =>
    new Promise((done, fail) => {
      const finish = (settle, value) => {
        clearTimeout(timer);
        wake.delete(look);
        settle(value);
      };
      const complain = (why) => finish(fail, new Error(`${why} before ${pattern}:\n${run.stdout}${run.stderr}`));
      const timer = setTimeout(() => complain('time ran out'), timeout_ms);
      const look = () => {
        const found = pattern.exec(run.stdout) ?? pattern.exec(run.stderr);
        if (found) finish(done, found);
        else if (run.code !== undefined) complain(`it ended (${run.code ?? run.signal})`);
      };
      wake.add(look);
      look();
    });
  run.kill = (signal = 'SIGKILL') => {
    child.kill(signal);
    return run.ended;
  };
  /** Wait for the line that tells that it works, or kill it: it might work later, when nobody looks after it. */
  run.ready = (pattern) =>
    run.line(pattern).catch(async (error) => {
      await run.kill();
      throw error;
    });
  t.after(() => run.kill());
  return run;
}

/** Run the program to its end; `options.code` is the exit code that is expected (0; null: any). */
export async function run(t, args, options = {}) {
  const { code = 0, timeout_ms = 120000 } = options;
  const it = start(t, args, options);
  const timer = setTimeout(() => it.kill(), timeout_ms);
  await it.ended;
  clearTimeout(timer);
  if (code !== null) {
    assert.equal(it.signal, null, `ended by ${it.signal}:\n${it.stderr}`);
    assert.equal(it.code, code, `exit code of stumper ${args.join(' ')}:\n${it.stdout.slice(-3000)}${it.stderr.slice(-5000)}`);
  }
  return it;
}

export const text = (path) => readFileSync(path, 'utf8');
export const jsonl = (path) => text(path).split('\n').filter(Boolean).map((line) => JSON.parse(line));

/** Its whole lines: the last one may be half there while somebody writes. */
const growingJsonl = (path) => text(path).split('\n').slice(0, -1).map((line) => JSON.parse(line));
export const exists = existsSync;

export const wait = (ms) => new Promise((done) => setTimeout(done, ms));

/** Wait until `look()` gives something true. */
export async function until(look, what, timeout_ms = PATIENCE_MS) {
  const end = Date.now() + timeout_ms;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`time ran out before ${what}`);
    await wait(10);
  }
}

/** The error that a promise ends with. */
export async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  assert.fail('it did not fail');
}

/** A simulated provider: its URL, its ledger so far, its sums. */
export async function sim(t, ...flags) {
  const ledger = join(folder(t), 'ledger.jsonl');
  const it = start(t, ['sim', '--port', 0, '--ledger', ledger, ...flags]);
  const base = (await it.line(/^listening on (http:\S+)$/m))[1];
  return {
    ...it,
    base,
    url: `${base}/v1`,
    /** What it was told to write so far, a row for each billed call that was answered. */
    ledger: () => (existsSync(ledger) ? growingJsonl(ledger).filter((row) => !row.broken_off) : []),
    sums: async () => (await fetch(`${base}/ledger/summary`)).json(),
    /** Environment that makes it the provider "openai". */
    env: { OPENAI_BASE_URL: `${base}/v1`, OPENAI_API_KEY: KEY },
  };
}

/** A certificate for 127.0.0.1 that nobody vouches for: { key, cert }, and the path of the latter. */
export function certificate(t) {
  const at = folder(t);
  const [key, cert] = [join(at, 'key.pem'), join(at, 'cert.pem')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=localhost', '-days', '1',
    '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert], { stdio: 'ignore' });
  return { key: text(key), cert: text(cert), path: cert };
}

export const MODELS = ['--engineer', 'openai/engineer', '--checker', 'openai/checker', '--target', 'openai/target'];

/** Arguments of a usual run. */
export const generate = (n, ...more) => ['generate', '-n', n, ...MODELS, ...more];

/**
 * Each call that was billed is in the books of a job, or of a run. Where a job ends by itself, with calls in flight, it
 * waits for them for two seconds or more; what had not answered then is told as lost, and may be on the bill.
 */
export function assertBooked({ calls, tries_lost }, bill) {
  assert(calls <= bill.calls && bill.calls - calls <= tries_lost, `${calls} in our books and ${tries_lost} lost, ${bill.calls} billed`);
}

/** Nothing may be accepted twice, and exactly `n` must be. */
export function assertExactly(n, problems) {
  const accepted = problems.filter((p) => p.status === 'accepted');
  assert.equal(accepted.length, n);
  assert.equal(new Set(accepted.map((p) => p.id)).size, n, 'ids are unique');
  assert.equal(new Set(accepted.map((p) => p.attempt)).size, n, 'an attempt gives one problem');
  assert.equal(new Set(accepted.map((p) => p.problem)).size, n, 'no problem is there twice');
}
