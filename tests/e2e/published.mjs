// What OpenAI publishes, as a document for Prism and as checks of single values; published.d.ts says what is in it.
import assert from 'node:assert/strict';
import Ajv from 'ajv';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createGenerator } from 'ts-json-schema-generator';

import { root } from './lib.mjs';

const types = join(root, 'tests/e2e/published.d.ts');
const { definitions } = createGenerator({ path: types, type: '*', skipTypeCheck: true, encodeRefs: false }).createSchema('*');

// The client adds output_text; usage is null until an answer is whole, as OpenAI's own examples show.
definitions.Response.required = definitions.Response.required.filter((key) => key !== 'output_text');
definitions.Response.properties.usage = { anyOf: [definitions.Response.properties.usage, { type: 'null' }] };

const plain = JSON.stringify(definitions, (key, value) => (key === 'description' && typeof value === 'string' ? undefined : value));
const schemas = JSON.parse(plain.replaceAll('#/definitions/', '#/components/schemas/'));

const ref = (name) => ({ $ref: `#/components/schemas/${name}` });
const answer = (name) => ({ description: name, content: { 'application/json': { schema: ref(name) } } });

/** An operation: its request and answer; `stream`: it may answer with events, too. */
function operation(request, name, { stream } = {}) {
  const ok = answer(name);
  if (stream) ok.content['text/event-stream'] = { schema: { type: 'string' } };
  return {
    ...(request && { requestBody: { required: true, content: { 'application/json': { schema: ref(request) } } } }),
    responses: { 200: ok, default: { description: 'what went wrong', content: { 'application/json': { schema: { type: 'object', required: ['error'] } } } } },
  };
}

const document = {
  openapi: '3.1.0',
  info: { title: 'OpenAI', version: '1' },
  servers: [{ url: 'https://api.openai.com' }],
  components: { schemas, securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
  security: [{ key: [] }],
  paths: {
    '/v1/chat/completions': { post: operation('ChatRequest', 'ChatAnswer', { stream: true }) },
    '/v1/responses': { post: operation('ResponsesRequest', 'ResponsesAnswer', { stream: true }) },
    '/v1/embeddings': { post: operation('EmbeddingsRequest', 'EmbeddingsAnswer') },
    '/v1/models': { get: operation(null, 'ModelsAnswer') },
  },
};

/** Write the document to a file in the folder `at`; gives its path. */
export function writeDocument(at) {
  const path = join(at, 'openai.json');
  writeFileSync(path, JSON.stringify(document));
  return path;
}

const ajv = new Ajv({ strict: false, validateFormats: false });
ajv.addSchema({ $id: 'openai', components: document.components });

/** Every value must be a `name` of published.d.ts. */
export function assertPublished(name, values) {
  const valid = ajv.getSchema(`openai#/components/schemas/${name}`);
  for (const value of values) assert.ok(valid(value), `${ajv.errorsText(valid.errors?.slice(0, 5))}\n${JSON.stringify(value, null, 1)}`);
}
