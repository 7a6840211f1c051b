// The service in several processes.
import assert from 'node:assert/strict';
import test from 'node:test';
import { folder, KEY, run } from './lib.mjs';
import { serve } from './service.mjs';

test('an API without workers takes jobs and leaves them to others', async (t) => {
  let s = await serve(t, ['--workers', '0']);
  assert.match(s.stdout, /worked on elsewhere \(stumper worker\)/);
  const id = await s.submit({ num_problems: 2 });
  assert.equal((await s.get(`/status/${id}?wait=1`)).body.status, 'queued');
  assert.equal((await s.stop()).code, 0);
  s = await serve(t, [], { provider: s.provider, cwd: s.cwd });
  assert.equal((await s.end(id)).status, 'succeeded');
});

test('an API without workers does not miss the keys that they have, but knows their models', async (t) => {
  const s = await serve(t, ['--workers', '0'], { provider: { env: {} } });
  await s.submit({ num_problems: 1 });
  const got = await s.post('/generate', { num_problems: 1, target_model: 'nobody/knows' });
  assert.equal(got.status, 422);
});

test('a worker wants a store that can be shared, and somebody to ask', async (t) => {
  const cwd = folder(t);
  const refused = async (words, args, env = {}) => assert.match((await run(t, ['worker', ...args], { cwd, env, code: 2 })).stderr, words);
  await refused(/belongs to one process: `stumper serve --store jobs\.db --workers N`/, ['--store', 'jobs.db'], { OPENAI_API_KEY: KEY });
  await refused(/--store/, []);
  await refused(/no provider can be asked/, ['--store', 'postgresql://nobody@127.0.0.1:1/none']);
});
