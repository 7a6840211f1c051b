// What the end-to-end tests share: running the program, a simulated provider, reading what came out.
//
// STUMPER names the program under test (default: build/stumper). Every test gets a folder of its own and an
// environment without the caller's settings and keys; what it started is ended with it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
export const program = resolve(root, process.env.STUMPER ?? 'build/stumper');

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

/** Start the program (or `options.program`). The handle collects output and can be waited for. */
export function start(t, args, options = {}) {
  const child = spawn(options.program ?? program, args.map(String), {
    cwd: options.cwd,
    env: environment(options.env),
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
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
  run.line = (pattern, timeout_ms = 20000) =>
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
  t.after(() => run.kill());
  if (options.input !== undefined) child.stdin.end(options.input);
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
export const exists = existsSync;

export const wait = (ms) => new Promise((done) => setTimeout(done, ms));

/** Wait until `look()` gives something true. */
export async function until(look, what, timeout_ms = 30000) {
  const end = Date.now() + timeout_ms;
  for (;;) {
    const found = look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`time ran out before ${what}`);
    await wait(10);
  }
}
