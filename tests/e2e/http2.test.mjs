// Over TLS: HTTP/2 with few connections where a provider is said to speak it, HTTP/1.1 where it does not.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { Agent, request as forward } from 'node:http';
import { createSecureServer } from 'node:http2';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { test } from 'node:test';

import { assertExactly, certificate, folder, generate, jsonl, run, sim } from './lib.mjs';

/** Pass every request on to `target`. */
function gateway(target) {
  const agent = new Agent({ keepAlive: true });
  return (request, response) => {
    const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => !name.startsWith(':') && name !== 'host'));
    const options = { agent, method: request.method, headers };
    const onward = forward(new URL(request.url, target), options, (answer) => {
      const kept = Object.entries(answer.headers).filter(([name]) => !['connection', 'keep-alive', 'transfer-encoding'].includes(name));
      response.writeHead(answer.statusCode, Object.fromEntries(kept));
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  };
}

/** A run through `make(tls, onRequest)`; gives the connections that it took. */
async function connections(t, make, n, ...more) {
  const provider = await sim(t, '--latency', 100, '--accept-all');
  const tls = certificate(t);
  const server = make(tls, gateway(provider.url));
  let count = 0;
  server.on('secureConnection', () => count++);
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => server.close());
  const cwd = folder(t);
  const url = `https://127.0.0.1:${server.address().port}/v1`;
  writeFileSync(join(cwd, 'stumper.yaml'), `providers:\n  openai: {base_url: "${url}", http2: true}\n`);
  const env = { OPENAI_API_KEY: 'sk-any', SSL_CERT_FILE: tls.path };
  await run(t, generate(n, '-o', 'out.jsonl', ...more), { cwd, env });
  assertExactly(n, jsonl(join(cwd, 'out.jsonl')));
  return count;
}

test('HTTP/2: a hundred calls share a connection', async (t) => {
  const make = (tls, answer) => createSecureServer({ ...tls, allowHTTP1: false }, answer);
  const count = await connections(t, make, 300, '--concurrency', 200);
  assert(count <= 2, `${count} connections`);
});

test('HTTP/2: a server that allows few streams at once holds nobody up for good', async (t) => {
  const make = (tls, answer) => createSecureServer({ ...tls, allowHTTP1: false, settings: { maxConcurrentStreams: 5 } }, answer);
  const count = await connections(t, make, 40, '--concurrency', 60);
  assert(count <= 1, `${count} connections`);
});

test('HTTP/2: a server that only speaks HTTP/1.1 is used so', async (t) => {
  const count = await connections(t, (tls, answer) => createServer(tls, answer), 60, '--concurrency', 30);
  assert(count > 1 && count <= 31, `${count} connections`);
});
