// docs/problem.schema.json as a check.
import assert from 'node:assert/strict';
import Ajv2020 from 'ajv/dist/2020.js';
import { join } from 'node:path';
import { root, text } from './lib.mjs';

const ajv = new Ajv2020.default({ allErrors: true, allowUnionTypes: true, strictRequired: false });
const valid = ajv.compile(JSON.parse(text(join(root, 'docs/problem.schema.json'))));

/** Every problem must have the form that the schema describes. */
export function assertSchema(problems) {
  for (const problem of problems) {
    if (!valid(problem)) {
      assert.fail(`${ajv.errorsText(valid.errors)}\n${JSON.stringify(problem, null, 2)}`);
    }
  }
}
