// The service as its clients see it: jobs from submission to result, every endpoint, every response held against the
// interface it describes itself by.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import test from 'node:test';
import { assertBooked, assertExactly, folder, run, sim, until, wait } from './lib.mjs';
import { assertSchema } from './schema.mjs';
import { freePort } from './servers.mjs';
import { serve, unlessKilled } from './service.mjs';

test('a job is answered at once, can be followed, and ends with exactly what was asked for', async (t) => {
  const s = await serve(t, [], { sim: ['--latency', '20'] });
  const got = await s.post('/generate', { num_problems: 8, name: 'first', metadata: { for: 'you' } });
  assert.equal(got.status, 202);
  assert.equal(got.headers.get('location'), got.body.status_url);
  assert(got.headers.get('retry-after'));
  const job = await s.end(got.body.job_id);
  assert.equal(job.status, 'succeeded');
  assert.equal(job.counts.accepted, 8);
  assert.equal(job.counts.in_flight, 0);
  assert.deepEqual(job.metadata, { for: 'you' });
  assertExactly(8, job.valid_prompts);
  assert.equal(job.discarded_prompts.length, job.counts.rejected + job.counts.solved + job.counts.duplicate + job.counts.surplus);
  assertBooked(job.usage, await s.provider.sums());
});

test('a client of the old endpoint gets its whole result in one answer', async (t) => {
  const s = await serve(t, [], { sim: ['--latency', '10'] });
  const model = { provider: 'openai', model_name: 'engineer' };
  const got = await s.post('/generate', {
    num_problems: 3, engineer_model: model, checker_model: { ...model, model_name: 'checker' }, target_model: { ...model, model_name: 'target' },
    taxonomy: { Algebra: ['Quadratics'] }, use_seed_data: false, use_search: false,
  }, { headers: { prefer: 'wait=30' } });
  assert.equal(got.status, 200);
  assert.equal(got.body.valid_prompts.length, 3);
  assert(Array.isArray(got.body.discarded_prompts) && got.body.metadata !== undefined);
  const patient = await serve(t, ['--default-wait', '30'], { provider: s.provider });
  assert.equal((await patient.post('/generate', { num_problems: 1 })).status, 200);
  assert.equal((await patient.post('/generate', { num_problems: 1 }, { headers: { prefer: 'respond-async' } })).status, 202);
});

test('all errors of a request are told at once, each with its pointer', async (t) => {
  const s = await serve(t);
  const got = await s.post('/generate', {
    num_problems: 0, engineer_model: 'nobody/x', target_model: 7, concurrency: 'many', nmae: 'x', judge: 'me', use_search: true, webhook_url: 'https://example.com/hook',
  });
  assert.equal(got.status, 422);
  assert.deepEqual(got.body.errors.map((e) => e.pointer).sort(), [
    '/concurrency', '/engineer_model', '/judge', '/nmae', '/num_problems', '/target_model', '/use_search', '/webhook_url',
  ]);
  const broken = await s.post('/generate', '{"num_problems": 1,\n "name": }', {});
  assert.equal(broken.status, 400);
  assert.match(JSON.stringify(broken.body), /line 2/);
});

test('every refusal is a problem+json of its own status', async (t) => {
  const s = await serve(t, ['--max-body', '2048']);
  const cases = [
    ['/nowhere', {}, 404],
    ['/status/job_0', {}, 404],
    ['/jobs/job_0/results', {}, 404],
    ['/jobs/job_0', { method: 'DELETE' }, 404],
    ['/jobs/job_0/cancel', { method: 'POST' }, 404],
    ['/generate', { method: 'PUT', body: {} }, 405],
    ['/status/job_0', { method: 'POST', body: {} }, 405],
    ['/generate', { method: 'POST', body: 'num_problems=1', headers: { 'content-type': 'application/x-www-form-urlencoded' } }, 415],
    ['/generate', { method: 'POST', body: { num_problems: 1, name: 'x'.repeat(4000) } }, 413],
    ['/generate', { method: 'POST', body: '' }, 400],
    ['/jobs?limit=0', {}, 400],
    ['/jobs?status=lost', {}, 400],
    ['/jobs?starting_after=job_0', {}, 404],
  ];
  for (const [path, options, status] of cases) {
    const got = await s.ask(path, options);
    assert.equal(got.status, status, `${options.method ?? 'GET'} ${path}: ${JSON.stringify(got.body)}`);
    assert(got.body.title && got.body.request_id, path);
    if (status === 405) assert(got.headers.get('allow'));
  }
});

test('results can be read in pages and as lines, while the job runs', async (t) => {
  const s = await serve(t, [], { sim: ['--latency', '40'] });
  const id = await s.submit({ num_problems: 30, concurrency: 10 });
  const first = await until(async () => {
    const page = (await s.get(`/jobs/${id}/results?limit=2`)).body;
    return page.data.length === 2 ? page : null;
  }, 'two results are there');
  assert(!['succeeded'].includes(first.job_status) || first.has_more);
  await s.end(id);
  const seen = [];
  for (let after = 0, more = true; more;) {
    const { body } = await s.get(`/jobs/${id}/results?limit=7&starting_after=${after}`);
    seen.push(...body.data);
    [after, more] = [body.next, body.has_more];
  }
  assertExactly(30, seen);
  assert.deepEqual(seen.map((p) => p.seq), [...seen.map((p) => p.seq)].sort((a, b) => a - b));
  const lines = (await s.get(`/jobs/${id}/results`, { headers: { accept: 'application/jsonl' } })).body.trim().split('\n').map((l) => JSON.parse(l));
  assert.deepEqual(lines.map((p) => p.id), seen.map((p) => p.id));
  assertSchema(lines.map(({ seq, ...problem }) => problem));
  const all = (await s.get(`/jobs/${id}/results?status=all&limit=1000`)).body.data;
  assert(all.length >= 30 && all.some((p) => p.status !== 'accepted'));
});

test('events come as they happen, and again from where a client was cut off', async (t) => {
  const s = await serve(t, [], { sim: ['--latency', '30'] });
  const id = await s.submit({ num_problems: 12, concurrency: 6 });
  const seen = [];
  for await (const event of s.events(id)) {
    seen.push(event);
    if (seen.filter((e) => e.event === 'problem.accepted').length === 3) break; // it is cut off
  }
  for await (const event of s.events(id, { 'last-event-id': String(seen.at(-1).id) })) seen.push(event);
  const accepted = seen.filter((e) => e.event === 'problem.accepted');
  assert.equal(accepted.length, 12);
  assert.equal(new Set(accepted.map((e) => e.data.id)).size, 12, 'none twice, none lost');
  assert.equal(seen.at(-1).event, 'job.succeeded');
  assert.deepEqual(seen.map((e) => e.id), [...new Set(seen.map((e) => e.id))].sort((a, b) => a - b));
  const after = await fetch(`${s.base}/jobs/${id}/events`, { headers: { 'last-event-id': String(seen.at(-1).id) } });
  assert.equal(after.status, 204);
});

test('an unchanged status costs a 304, and a long poll waits for the change', async (t) => {
  const s = await serve(t, [], { sim: ['--latency', '300'] });
  const id = await s.submit({ num_problems: 3, concurrency: 3 });
  const first = await s.get(`/status/${id}`);
  const etag = first.headers.get('etag');
  const waited = await s.get(`/status/${id}?wait=10`, { headers: { 'if-none-match': etag } });
  assert(waited.status === 200 && waited.headers.get('etag') !== etag);
  const job = await s.end(id);
  const last = await s.get(`/status/${id}`);
  assert.equal((await s.get(`/status/${id}`, { headers: { 'if-none-match': last.headers.get('etag') } })).status, 304);
  assert.equal(job.status, 'succeeded');
});

test('a hundred posts with one idempotency key make one job', async (t) => {
  const s = await serve(t, [], { sim: ['--latency', '10'] });
  const headers = { 'idempotency-key': 'once' };
  const got = await Promise.all(Array.from({ length: 100 }, () => s.post('/generate', { num_problems: 2 }, { headers })));
  assert(got.every((g) => g.status === 202 || g.status === 409), `${got.map((g) => g.status)}`);
  const ids = new Set(got.filter((g) => g.status === 202).map((g) => g.body.job_id));
  assert.equal(ids.size, 1);
  const again = await s.post('/generate', { num_problems: 2 }, { headers });
  assert.equal(again.headers.get('idempotency-replayed'), 'true');
  assert(ids.has(again.body.job_id));
  assert.equal((await s.post('/generate', { num_problems: 3 }, { headers })).status, 422);
  assert.equal((await s.get('/jobs')).body.data.length, 1);
});

test('pause, resume, cancel and delete do what they say', async (t) => {
  const s = await serve(t, [], { sim: ['--latency', '60'] });
  const id = await s.submit({ num_problems: 2000, concurrency: 8 });
  await until(async () => (await s.get(`/status/${id}`)).body.counts.accepted > 0, 'one is accepted');
  assert.equal((await s.post(`/jobs/${id}/pause`)).body.status, 'paused');
  const still = await until(async () => {
    const { body } = await s.get(`/status/${id}`);
    return body.counts.in_flight === 0 ? body : null;
  }, 'nothing is in flight');
  await wait(300);
  assert.equal((await s.get(`/status/${id}`)).body.counts.attempts, still.counts.attempts, 'nothing is begun');
  assert.equal((await s.ask(`/jobs/${id}`, { method: 'DELETE' })).status, 409);
  assert.equal((await s.post(`/jobs/${id}/resume`)).status, 200);
  await until(async () => (await s.get(`/status/${id}`)).body.counts.attempts > still.counts.attempts, 'others are begun');
  assert.equal((await s.post(`/jobs/${id}/cancel`)).status, 202);
  const job = await s.end(id);
  assert.equal(job.status, 'cancelled');
  const sums = await s.provider.sums();
  assert.equal((await s.post(`/jobs/${id}/cancel`)).status, 200);
  await wait(300);
  assert.deepEqual(await s.provider.sums(), sums, 'no call is made any more');
  assertBooked(job.usage, sums);
  assert.equal((await s.ask(`/jobs/${id}`, { method: 'DELETE' })).status, 204);
  assert.equal((await s.get(`/status/${id}`)).status, 410);
});

test('a large job does not starve a small one that comes later', async (t) => {
  const s = await serve(t, ['--concurrency', '20'], { sim: ['--latency', '100'] });
  const large = await s.submit({ num_problems: 10000, concurrency: 1000 });
  await until(async () => (await s.get(`/status/${large}`)).body.counts.in_flight >= 20, 'the large one is at work');
  const small = await s.submit({ num_problems: 5 });
  const job = await s.end(small);
  assert.equal(job.status, 'succeeded');
  assert.equal((await s.get(`/status/${large}`)).body.status, 'running');
});

test('jobs are listed newest first, in pages, by state and by name', async (t) => {
  const s = await serve(t, [], { sim: ['--latency', '5'] });
  const ids = [];
  for (let i = 0; i < 5; i++) ids.unshift(await s.submit({ num_problems: 1, name: i % 2 ? 'odd' : 'even' }));
  for (const id of ids) await s.end(id);
  const page = (await s.get('/jobs?limit=2')).body;
  assert.equal(page.data[0].expires_at, (await s.get(`/status/${ids[0]}`)).body.expires_at);
  assert(page.data[0].expires_at > page.data[0].ended_at);
  assert.deepEqual(page.data.map((j) => j.job_id), ids.slice(0, 2));
  const rest = (await s.get(`/jobs?limit=100&starting_after=${page.next}`)).body;
  assert.deepEqual(rest.data.map((j) => j.job_id), ids.slice(2));
  assert.equal(rest.has_more, false);
  assert.equal((await s.get('/jobs?name=odd')).body.data.length, 2);
  assert.equal((await s.get('/jobs?status=succeeded')).body.data.length, 5);
  assert.equal((await s.get('/jobs?status=failed')).body.data.length, 0);
});

test('health, metrics and documents are there, also for programs', async (t) => {
  const s = await serve(t, [], { sim: ['--latency', '5'] });
  await s.end(await s.submit({ num_problems: 2 }));
  for (const path of ['/livez', '/readyz', '/openapi.json', '/docs', '/']) {
    const got = await s.get(path);
    assert([200, 302].includes(got.status), `${path}: ${got.status}`);
  }
  const metrics = (await s.get('/metrics')).body;
  for (const name of ['stumper_llm_call_seconds_bucket{', 'stumper_job_wait_seconds_count 1', 'stumper_store_commit_seconds_count', 'stumper_attempts_total{outcome="accepted"} 2']) {
    assert(metrics.includes(name), `${name} in\n${metrics}`);
  }
  assert.match(metrics, /stumper_llm_call_seconds_count\{provider="openai",model="engineer",role="engineer"\} \d+/);
  assert.doesNotMatch((await s.get('/docs')).body, /https?:\/\/(?!127\.0\.0\.1|localhost)[a-z0-9.]+\/[^"<]*\.(js|css|woff)/, 'the page needs nothing from elsewhere');
});

test('a provider that is out of reach is named in the log, with the reason, and the job goes on when it is back', async (t) => {
  const port = await freePort();
  const provider = await sim(t, '--port', port);
  await provider.kill();
  const s = await serve(t, [], { provider });
  const id = await s.submit({ num_problems: 12 });
  await s.line(/^stumper: warning: no answers: openai\/engineer: .*connect.*; its calls wait/m);
  await sim(t, '--port', port);
  assert.equal((await s.end(id)).status, 'succeeded');
  await s.line(/^stumper: (?:info: )?openai\/engineer answers again$/m);
  assert.match((await s.get('/metrics')).body, /^stumper_llm_retries_total\{provider="openai",model="engineer",role="engineer"\} [1-9]/m);
});

test('a client that sends slowly is cut off; others notice nothing', async (t) => {
  const s = await serve(t);
  const { hostname, port } = new URL(s.base);
  const slow = connect(Number(port), hostname);
  t.after(() => slow.destroy());
  let answer = '';
  slow.setEncoding('utf8').on('data', (d) => (answer += d)).on('error', () => {});
  const gone = new Promise((done) => slow.on('close', done));
  slow.write('POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{');
  const drip = setInterval(() => slow.write(' '), 200);
  t.after(() => clearInterval(drip));
  const before = Date.now();
  while (Date.now() - before < 1000) assert.equal((await s.get('/livez')).status, 200);
  await gone;
  assert(Date.now() - before < 20000);
  if (answer) assert.match(answer, /^HTTP\/1.1 408 /);
});

test('a client that vanishes while it waits leaves nothing behind', async (t) => {
  const s = await serve(t, [], { sim: ['--latency', '200'] });
  const control = new AbortController();
  const waiting = Array.from({ length: 20 }, () => fetch(`${s.base}/generate`, {
    method: 'POST', headers: { prefer: 'wait=30', 'content-type': 'application/json' }, body: '{"num_problems": 1}', signal: control.signal,
  }).catch(() => {}));
  await until(async () => (await s.get('/jobs?limit=100')).body.data.length === 20, 'all jobs are there');
  control.abort();
  await Promise.all(waiting);
  for (const { job_id } of (await s.get('/jobs?limit=100')).body.data) assert.equal((await s.end(job_id)).status, 'succeeded');
});

test('SIGTERM: not ready, no job taken, what is in flight finished, exit 0; the rest goes on after a restart', async (t) => {
  const s = await serve(t, ['--drain', '60s'], { sim: ['--latency', '1500', '--accept-all'] }); // time to ask while it drains
  const id = await s.submit({ num_problems: 20, concurrency: 10 });
  await until(async () => (await s.get(`/status/${id}`)).body.counts.in_flight === 10, 'ten are in flight');
  s.child.kill('SIGTERM');
  await until(async () => (await s.get('/readyz')).status === 503, 'it is not ready');
  assert.equal((await s.post('/generate', { num_problems: 1 })).status, 503);
  assert.equal((await s.ended).code, 0);
  const before = await s.provider.sums();
  const again = await serve(t, [], { provider: s.provider, cwd: s.cwd });
  assert.equal((await again.end(id)).status, 'succeeded');
  const sums = await s.provider.sums();
  assert.equal(sums.repeated_request_ids, before.repeated_request_ids, 'nothing is paid twice');
  assertExactly(20, (await again.get(`/jobs/${id}/results?limit=1000`)).body.data);
});

test('an attempt that takes the service down time and again is set aside with the reason, and the job goes on', async (t) => {
  const provider = await sim(t, '--latency', '5');
  const cwd = folder(t);
  let id, api; // a later one may die before it is asked for its interface
  // Each time at the end of the attempt: its answers are there already, so nothing begins its count of crashes anew.
  for (let crash = 0; crash < 3; crash++) {
    const dying = await unlessKilled(serve(t, ['--concurrency', 1], { provider, cwd, api, env: { STUMPER_FAILPOINT: 'store.finish.before_commit:1' } }));
    if (!dying) continue;
    api = dying.api;
    id ??= await dying.submit({ num_problems: 3, concurrency: 1 });
    await dying.ended;
  }
  const s = await serve(t, ['--concurrency', 1], { provider, cwd });
  const job = await s.end(id);
  assert.equal(job.status, 'succeeded');
  assert.equal(job.counts.failed, 1);
  const [aside] = (await s.get(`/jobs/${id}/results?status=failed`)).body.data;
  assert.equal(aside.attempt, 1);
  assert.match(aside.rejection_reason ?? '', /the process died 3 times/, JSON.stringify(aside));
});

test('the commands are clients: submit, list, watch, export', async (t) => {
  const s = await serve(t, [], { sim: ['--latency', '5'] });
  const env = { STUMPER_SERVER: s.base };
  const { writeFileSync } = await import('node:fs');
  writeFileSync(`${s.cwd}/spec.json`, '{"num_problems": 4, "name": "cli"}');
  const submitted = await run(t, ['submit', '--spec', 'spec.json', '--wait'], { cwd: s.cwd, env });
  const id = submitted.stdout.trim();
  assert.match((await run(t, ['jobs', 'list'], { env })).stdout, new RegExp(`${id} +succeeded +4/4 +0 +unknown`));
  await run(t, ['jobs', 'watch', id], { env });
  await run(t, ['jobs', 'export', id, '--format', 'csv', '-o', 'out.csv'], { cwd: s.cwd, env });
  assertExactly(4, (await run(t, ['jobs', 'results', id], { env })).stdout.trim().split('\n').map((l) => JSON.parse(l)));
  writeFileSync(`${s.cwd}/spec.json`, '{"num_problems": -4}');
  assert.match((await run(t, ['submit', '--spec', 'spec.json'], { cwd: s.cwd, env, code: 2 })).stderr, /\/num_problems: /);
  assert.match((await run(t, ['jobs', 'list', '--server', 'http://127.0.0.1:9'], { code: 1 })).stderr, /stumper serve/);
});
