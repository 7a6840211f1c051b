// `stumper doctor` and `stumper models` against little servers that are wrong in one way each: the finding must name
// the cause and what to do, and never the key.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { join } from 'node:path';
import { test } from 'node:test';

import { certificate, folder, generate, KEY, run, sim } from './lib.mjs';

/** Serve `answer(request, response)` on a free port; gives "host:port". */
async function serve(t, answer, tls) {
  const server = tls ? createTlsServer(tls, answer) : createServer(answer);
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => server.close());
  t.after(() => server.closeAllConnections());
  return `127.0.0.1:${server.address().port}`;
}

const json = (status, body, headers = {}) => (request, response) => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
};
const page = (request, response) => {
  response.writeHead(200, { 'content-type': 'text/html' });
  response.end('<!DOCTYPE html><html><title>Welcome to nginx!</title></html>');
};
const completion = json(200, {
  model: 'm',
  choices: [{ message: { role: 'assistant', content: 'OK' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 9, completion_tokens: 1 },
});
const openaiError = (message, code, type = 'invalid_request_error') => ({ error: { message, type, param: null, code } });

/** What the doctor says of provider `lab`, described by `members`. */
async function finding(t, members, { env = {}, code = 1, model = 'lab/our-model' } = {}) {
  const cwd = folder(t);
  const lines = Object.entries({ api_key_env: 'LAB_API_KEY', ...members }).map(([k, v]) => `    ${k}: ${v}\n`);
  writeFileSync(join(cwd, 'stumper.yaml'), `providers:\n  lab:\n${lines.join('')}`);
  const { stdout, stderr } = await run(t, ['doctor', '--timeout', '3s', model], { cwd, env: { LAB_API_KEY: KEY, ...env }, code });
  assert(!`${stdout}${stderr}`.includes(KEY), 'the key is not shown');
  return stdout.replace(/\s+/g, ' ');
}


const plants = {
  'a key that is not set': [
    async () => [{ base_url: 'http://127.0.0.1:1/v1' }, { env: { LAB_API_KEY: '' } }],
    /FAILED lab: its key is missing. Set LAB_API_KEY/,
  ],
  'a wrong key': [
    async (t) => [{ base_url: `http://${await serve(t, json(401, openaiError(`Incorrect API key provided: ${KEY}.`, 'invalid_api_key')))}/v1` }],
    /the key in LAB_API_KEY is not accepted .*Incorrect API key/,
  ],
  'a wrong path in base_url': [
    async (t) => [{ base_url: `http://${await serve(t, (q, r) => (r.writeHead(404), r.end('404 page not found')))}/api` }],
    /the server is there, but not this API .*HTTP 404.*Check the path of base_url .*\/api/,
  ],
  'a web page instead of an API': [
    async (t) => [{ base_url: `http://${await serve(t, page)}/v1` }],
    /a web page answers there, not an API/,
  ],
  'a server that is not running': [
    async () => [{ base_url: 'http://127.0.0.1:1/v1' }],
    /nothing answers there .*Start the server, or check host and port/,
  ],
  'a host that does not exist': [
    async () => [{ base_url: 'http://no-such-host.invalid/v1' }],
    /the name of the host is not known/,
  ],
  'a certificate that nobody vouches for': [
    async (t) => [{ base_url: `https://${await serve(t, completion, certificate(t))}/v1` }],
    /no secure connection .*certificate.*SSL_CERT_FILE/,
  ],
  'https:// where there is only http': [
    async (t) => [{ base_url: `https://${await serve(t, completion)}/v1` }],
    /does not speak TLS there .*http:\/\/ instead of https:\/\//,
  ],
  'a model that is not there': [
    async (t) => [{ base_url: `http://${await serve(t, json(404, openaiError('The model `our-model` does not exist', 'model_not_found')))}/v1` }],
    /there is no model our-model .*stumper models lab/,
  ],
  'a quota that is spent': [
    async (t) => [{ base_url: `http://${await serve(t, json(429, openaiError('You exceeded your current quota', 'insufficient_quota', 'insufficient_quota')))}/v1` }],
    /the account is out of quota or money .*exceeded your current quota.*Add credit/,
  ],
  "OpenAI's format to an Anthropic endpoint": [
    async (t) => [{ base_url: `http://${await serve(t, json(404, { type: 'error', error: { type: 'not_found_error', message: 'Not Found' }, request_id: 'req_1' }))}/v1` }],
    /speaks Anthropic's format, not openai-chat .*type: anthropic/,
  ],
  "Anthropic's format to an OpenAI endpoint": [
    async (t) => [{ type: 'anthropic', base_url: `http://${await serve(t, json(404, openaiError('Invalid URL (POST /v1/messages)', null)))}` }],
    /speaks OpenAI's format, not anthropic .*type: openai-chat/,
  ],
  'a proxy that is broken': [
    async (t) => [{ base_url: `http://${await serve(t, completion)}/v1` }, { env: { HTTP_PROXY: 'http://127.0.0.1:1' } }],
    /the proxy 127.0.0.1:1 does not let the request through .*NO_PROXY/,
  ],
  'a proxy that wants a password': [
    async (t) => [{ base_url: 'http://api.example.invalid/v1' }, { env: { HTTP_PROXY: `http://${await serve(t, (q, r) => (r.writeHead(407), r.end()))}` } }],
    /a proxy wants a user and a password .*http:\/\/USER:PASSWORD@HOST:PORT/,
  ],
  'a server that sends its clients elsewhere': [
    async (t) => [{ base_url: `http://${await serve(t, (q, r) => (r.writeHead(308, { location: 'https://right.example/v1/chat/completions' }), r.end()))}/v1` }],
    /sends its clients elsewhere .*HTTP 308, to https:\/\/right\.example\/v1.*as base_url/,
  ],
  'a model that the key may not use': [
    async (t) => [{ base_url: `http://${await serve(t, json(403, openaiError('Country, region, or territory not supported', 'unsupported_country_region_territory')))}/v1` }],
    /does not allow that with the key in LAB_API_KEY .*Country.*Ask for access/,
  ],
  'a key that is not sent to Gemini': [
    async (t) => [{ type: 'gemini', api_key_env: 'null', base_url: (await sim(t, '--require-key', KEY)).base }, { model: 'lab/target' }],
    /a key is asked for and none is sent .*Put it into a variable and name that as api_key_env/,
  ],
  'a gateway whose server is down': [
    async (t) => [{ base_url: `http://${await serve(t, (q, r) => (r.writeHead(502, { 'content-type': 'text/html' }), r.end('<html>502 Bad Gateway</html>')))}/v1` }],
    /the provider has trouble of its own .*502/,
  ],
  "Anthropic's account without credit": [
    async (t) => [{ type: 'anthropic', base_url: `http://${await serve(t, json(400, { type: 'error', error: { type: 'invalid_request_error', message: 'Your credit balance is too low to access the Anthropic API.' }, request_id: 'req_1' }))}` }],
    /the account is out of quota or money .*credit balance is too low/,
  ],
  'an operation in base_url': [
    async (t) => [{ base_url: `http://${await serve(t, completion)}/v1/chat/completions` }],
    /\/providers\/lab\/base_url: must end before the path of the operation/,
  ],
  'a key in the place of its variable': [
    async (t) => [{ base_url: `http://${await serve(t, completion)}/v1`, api_key_env: KEY }],
    /\/providers\/lab\/api_key_env: must name a variable that holds a key/,
  ],
  'a server that says nothing': [
    async (t) => [{ base_url: `http://${await serve(t, () => {})}/v1` }],
    /no answer in time/,
  ],
};

for (const [what, [plant, expected]] of Object.entries(plants)) {
  test(`the doctor names ${what}`, async (t) => {
    const [members, options] = await plant(t);
    assert.match(await finding(t, members, options), expected);
  });
}

test('the doctor finds nothing where all is well, also behind TLS and a proxy', async (t) => {
  const tls = certificate(t);
  const members = { base_url: `https://${await serve(t, completion, tls)}/v1` };
  assert.match(await finding(t, members, { code: 0, env: { SSL_CERT_FILE: tls.path } }), /All is well\./);
  const proxy = await serve(t, (request, response) => {
    assert.equal(request.url, 'http://api.example.invalid/v1/chat/completions');
    completion(request, response);
  });
  const proxied = await finding(t, { base_url: 'http://api.example.invalid/v1' }, { code: 0, env: { HTTP_PROXY: `http://${proxy}` } });
  assert.match(proxied, /All is well\./);
});

test('HTTPS goes through the tunnel of HTTPS_PROXY, with its password; NO_PROXY names who is reached without', async (t) => {
  const { connect } = await import('node:net');
  const tls = certificate(t);
  const at = await serve(t, completion, tls);
  const asked = [];
  const proxy = createServer().on('connect', (request, socket, head) => {
    asked.push([request.url, request.headers['proxy-authorization']]);
    const onward = connect(Number(at.split(':')[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.write(head);
      onward.pipe(socket).pipe(onward);
    });
    for (const one of [socket, onward]) one.on('error', () => (socket.destroy(), onward.destroy()));
  });
  await new Promise((done) => proxy.listen(0, '127.0.0.1', done));
  t.after(() => (proxy.close(), proxy.closeAllConnections()));
  const env = { SSL_CERT_FILE: tls.path, HTTPS_PROXY: `http://me:${KEY}@127.0.0.1:${proxy.address().port}` };
  await finding(t, { base_url: `https://${at}/v1` }, { code: 0, env });
  assert.deepEqual(asked, [[at, `Basic ${Buffer.from(`me:${KEY}`).toString('base64')}`]]);
  await finding(t, { base_url: `https://${at}/v1` }, { code: 0, env: { ...env, NO_PROXY: 'example.com,127.0.0.1' } });
  assert.equal(asked.length, 1);
});

test('the doctor asks for no key where none is needed, and names all that are set', async (t) => {
  const at = await serve(t, completion);
  const local = await run(t, ['doctor', 'ollama/qwen3'], { env: { OLLAMA_HOST: at } });
  assert.match(local.stdout, /ok +ollama: needs no key, at http/);
  const two = await finding(t, { base_url: `http://${at}/v1`, api_key_env: '[LAB_A, LAB_B, LAB_C]' }, { code: 0, env: { LAB_A: KEY, LAB_C: `${KEY}2` } });
  assert.match(two, /LAB_A, LAB_C are set, for/);
});

test('the doctor asks a model for embeddings as one', async (t) => {
  const { url } = await sim(t, '--require-key', KEY);
  const asked = (model, options) => finding(t, { base_url: url }, { model, ...options });
  assert.match(await asked('lab/text-embedding-3-small', { code: 0 }), /ok lab\/text-embedding-3-small: embeds, a text as 1536 numbers/);
  assert.match(await asked('lab/text-embedding-3-small', { env: { LAB_API_KEY: 'sk-wrong-one' } }), /the key in LAB_API_KEY is not accepted/);
});

test('the doctor finds a store sound, and what broke it', async (t) => {
  const provider = await sim(t);
  const cwd = folder(t), store = join(cwd, 'p.jsonl.db'), env = provider.env;
  await run(t, generate(5, '-o', 'p.jsonl'), { cwd, env });
  assert.match((await run(t, ['doctor', '--offline', '--store', `sqlite:${store}`], { cwd })).stdout, /ok +store: .*p\.jsonl\.db is sound/);
  const bytes = readFileSync(store);
  for (let page = 4096; page < bytes.length; page += 4096) bytes[page] ^= 0xff; // of each but the first
  writeFileSync(store, bytes);
  assert.match((await run(t, ['doctor', '--offline', '--store', store], { cwd, env, code: 1 })).stdout, /FAILED +store: .*p\.jsonl\.db/);
  assert.match((await run(t, ['doctor', '--offline', '--store', 'nowhere.db'], { cwd, env, code: 1 })).stdout, /FAILED +store: .*nowhere\.db/);
});

test('models are listed as the flags take them, aliases first', async (t) => {
  const provider = await sim(t);
  const cwd = folder(t);
  writeFileSync(join(cwd, 'stumper.yaml'), `providers:\n  lab:\n    base_url: ${provider.url}\n    models: {quick: target}\n`);
  const { stdout } = await run(t, ['models', 'lab'], { cwd });
  assert.match(stdout, /^lab\/quick\nlab\/engineer\nlab\/checker\nlab\/target\n/);
});

test('models that cannot be listed are explained', async (t) => {
  const at = await serve(t, page);
  const options = { code: 1, env: { OPENAI_BASE_URL: `http://${at}/v1`, OPENAI_API_KEY: KEY } };
  const { stderr } = await run(t, ['models'], options);
  assert.match(stderr, /openai: a web page answers there, not an API/);
  assert.match((await run(t, ['models', 'nobody'], { code: 1 })).stderr, /nobody: there is no such provider/);
  assert.match((await run(t, ['models', 'groq'], { code: 1 })).stderr, /groq: its key is missing. Set GROQ_API_KEY/);
});
