// The verdict: who gives it in each mode, and how often it is false against what the simulator planted.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { folder, generate, jsonl, run, sim } from './lib.mjs';

// A checker that is wrong about two answers in ten, a target whose right answers come in other forms more often than not.
const MISTAKES = ['--judge-error', 0.2, '--other-form', 0.7, '--target-fail', 0.5, '--messy-rate', 0, '--seed', 11];

/** A run in that mode: its problems, its score against the truth, how it told of itself. */
async function judged(t, mode) {
  const cwd = folder(t);
  const truth = join(cwd, 'truth.jsonl');
  const provider = await sim(t, '--truth', truth, ...MISTAKES);
  const it = await run(t, generate(60, '--judge', mode, '--keep', 'all', '--concurrency', 20), { cwd, env: provider.env });
  const score = await run(t, ['score', 'problems.jsonl', '--truth', truth, '--json'], { cwd });
  const all = jsonl(join(cwd, 'problems.jsonl')).filter((p) => p.verdict);
  const verdicts = all.filter((p) => p.status !== 'surplus').map((p) => p.verdict);
  return { all: all.map((p) => p.verdict), verdicts, score: JSON.parse(score.stdout), stderr: it.stderr };
}

test('--judge llm: the checker decides each time, and its mistakes are counted', async (t) => {
  const { verdicts, score } = await judged(t, 'llm');
  assert(verdicts.every((v) => v.method === 'llm' && v.comparison === null && !v.disagreed));
  assert.equal(score.by_proof, 0);
  assert(score.false_accepts > 0 && score.false_solves > 0, JSON.stringify(score));
});

test('--judge proof+llm: most verdicts are proofs, and no more are false than the checker gave', async (t) => {
  const { all, verdicts, score, stderr } = await judged(t, 'proof+llm');
  const proofs = verdicts.filter((v) => v.method === 'proof');
  assert(proofs.length > 0.8 * verdicts.length, `${proofs.length} of ${verdicts.length}`);
  assert(proofs.every((v) => v.comparison.certainty === 'proof' && v.equivalent === (v.comparison.verdict === 'equal') && v.reason));
  assert(score.by_proof > 0.8 * score.judged && score.judged > 60, JSON.stringify(score)); // of those whose truth is known
  assert(score.false_accepts + score.false_solves <= score.judged - score.by_proof, JSON.stringify(score));
  assert.match(stderr, new RegExp(`judge +${all.length} verdicts, ${all.filter((v) => v.method === 'proof').length} \\(`));
});

test('--judge both: both are asked, a disagreement is written down, and a proof wins', async (t) => {
  const { verdicts, score } = await judged(t, 'both');
  const disagreed = verdicts.filter((v) => v.disagreed);
  assert(disagreed.length > 0);
  assert(verdicts.every((v) => v.comparison !== null));
  for (const v of disagreed) {
    assert.equal(v.method, v.comparison.certainty === 'proof' ? 'proof' : 'llm');
    assert.equal(v.equivalent === (v.comparison.verdict === 'equal'), v.method === 'proof');
  }
  assert(score.false_accepts + score.false_solves < disagreed.length, JSON.stringify(score));
});
