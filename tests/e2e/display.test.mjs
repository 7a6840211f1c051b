// What a person sees while it runs: on a terminal, in a log, as JSON.
import assert from 'node:assert/strict';
import test from 'node:test';
import { folder, generate, program, run, sim, start } from './lib.mjs';

const ESC = '\u001b';
const quoted = (args) => args.map((a) => `'${a}'`).join(' ');

/** Run the program on a terminal of its own, of so many columns (script(1) of util-linux). */
function onTerminal(t, columns, args, options) {
  const command = `stty cols ${columns} rows 24; exec ${quoted([program, ...args])}`;
  return run(t, ['-q', '-e', '-c', command, '/dev/null'], { program: 'script', ...options });
}

/** The columns of every line that was drawn: text without escape sequences, tabs and colours. */
function widths(output) {
  const plain = output.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, '');
  return plain.split(/\r\n|\r|\n/).map((line) => [...line].length);
}

for (const columns of [60, 100]) {
  test(`on a terminal of ${columns} columns it redraws in place and never wraps`, async (t) => {
    const cwd = folder(t);
    const provider = await sim(t, '--latency', 150);
    const env = { ...provider.env, TERM: 'xterm-256color', LANG: 'C.UTF-8' };
    const it = await onTerminal(t, columns, generate(30), { cwd, env });
    const [picture] = it.stdout.split('30 of 30'); // the summary at the end is not part of it
    assert(picture.split(/\d+\/30 accepted/).length > 5, 'it is drawn again and again');
    assert(new RegExp(`${ESC}\\[\\d*A`).test(picture), 'the cursor goes up to draw in place');
    assert(Math.max(...widths(picture)) <= columns, `widest line: ${Math.max(...widths(picture))}`);
    assert(it.stdout.lastIndexOf(`${ESC}[?25h`) >= it.stdout.lastIndexOf(`${ESC}[?25l`), 'the cursor is given back');
  });
}

test('in a log there are plain lines, no escape sequences', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--latency', 20);
  const it = await run(t, generate(20), { cwd, env: provider.env });
  assert.equal(it.stdout, '');
  assert(!it.stderr.includes(ESC));
  assert.match(it.stderr, /accepted/);
});

test('--json-progress writes one object a line and ends with the whole', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--latency', 60);
  const it = await run(t, generate(60, '--concurrency', 8, '--json-progress'), { cwd, env: provider.env });
  const events = it.stderr.trim().split('\n').map((line) => JSON.parse(line));
  assert(events.some((e) => e.event === 'progress'));
  const end = events.at(-1);
  assert.equal(end.event, 'end');
  assert.equal(end.accepted, 60);
  assert.equal(end.stop, 'done');
  const counts = events.filter((e) => 'accepted' in e).map((e) => e.accepted);
  assert.deepEqual(counts, [...counts].sort((a, b) => a - b), 'it never goes back');
});

test('--quiet says nothing at all when nothing is wrong', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--accept-all');
  const it = await run(t, generate(5, '--quiet'), { cwd, env: provider.env });
  assert.equal(it.stdout + it.stderr, '');
});

test('Ctrl-C on the terminal leaves it usable', async (t) => {
  const cwd = folder(t);
  const provider = await sim(t, '--accept-all', '--latency', 400);
  const env = { ...provider.env, TERM: 'xterm-256color', LANG: 'C.UTF-8' };
  const command = `stty cols 80 rows 24; exec ${quoted([program, ...generate(500, '--concurrency', 5)])}`;
  const it = start(t, ['-q', '-e', '-c', command, '/dev/null'], { program: 'script', cwd, env, keyboard: true });
  await it.line(/accepted/);
  it.child.stdin.write('\u0003');
  await it.ended;
  assert.equal(it.code, 130);
  assert(it.stdout.lastIndexOf(`${ESC}[?25h`) >= it.stdout.lastIndexOf(`${ESC}[?25l`), 'the cursor is given back');
});
