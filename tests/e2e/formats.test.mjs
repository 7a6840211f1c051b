// One run over three wire formats at once, each role behind another one, with faults: exactly N problems, and money
// equal to the bill of the simulated provider.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { assertExactly, folder, jsonl, run, sim } from './lib.mjs';

const N = 40;
const PRICES = { engineer: '1,0.1,5', checker: '2,0.2,8', target: '0.5,0.05,2' };
// Not a body that is billed and cannot be read: nobody can know what it cost.
const FAULTS = ['429', '500', '503', '529', 'reset', 'in-200', 'cut', 'truncate', 'empty', 'refuse'];
const PROVIDERS = { engineer: 'google', checker: 'claude', target: 'responses' };

for (const stream of [false, true]) {
  test(`Gemini writes, Claude checks, Responses fails, ${stream ? 'streamed' : 'whole'}: N problems, one bill`, async (t) => {
    const cwd = folder(t);
    const bill = Object.entries(PRICES).flatMap(([role, price]) => ['--price', `sim/${role}=${price}`]);
    const provider = await sim(t, ...FAULTS.flatMap((kind) => [`--fault-${kind}`, 0.006]), '--reasoning-tokens', 50,
      '--cached-input', 0.3, ...bill);
    const at = new URL(provider.url).origin;
    writeFileSync(join(cwd, 'stumper.yaml'), `providers:
  google: {type: gemini, base_url: "${at}", stream: ${stream}}
  claude: {type: anthropic, base_url: "${at}", stream: ${stream}}
  responses: {type: openai-responses, base_url: "${at}/v1", stream: ${stream}}
`);
    const models = Object.entries(PROVIDERS).flatMap(([role, name]) => [`--${role}`, `${name}/${role}`, '--price', `${name}/${role}=${PRICES[role]}`]);
    await run(t, ['generate', '-n', N, '--concurrency', 20, '--tries', 10, ...models, '-o', 'out.jsonl'], { cwd });
    assertExactly(N, jsonl(join(cwd, 'out.jsonl')));
    const { stdout } = await run(t, ['status', '--json', 'out.jsonl.db'], { cwd });
    const ours = JSON.parse(stdout);
    const theirs = await provider.sums();
    assert.equal(Math.round(ours.cost_usd * 1e9), Math.round(theirs.cost_usd * 1e9), 'to the nano-dollar');
    assert.equal(ours.calls, theirs.calls);
  });
}
