// Peer 3: Node and undici, a loop for each attempt in flight, a pool with a connection for each.
//
//     undici.mjs URL CHAIN WANTED BEGIN_MAX CONCURRENCY OUT
//
// Results stay in memory and are written at the end.
import { writeFileSync } from 'node:fs';
import { Chain, Useless } from './chain.mjs';

const [url, chainPath, wantedText, beginMaxText, concurrencyText, out] = process.argv.slice(2);
const wanted = Number(wantedText);
const beginMax = Number(beginMaxText);
const concurrency = Number(concurrencyText);
const chain = new Chain(url, chainPath, concurrency);

let begun = 0;
const kept = [];

async function worker() {
  while (kept.length < wanted && begun < beginMax) {
    begun++;
    try {
      const problem = await chain.attempt(begun);
      if (problem && kept.length < wanted) kept.push(problem);
    } catch (error) {
      if (!(error instanceof Useless)) throw error;
    }
  }
}

await Promise.all(Array.from({ length: concurrency }, worker));
writeFileSync(out, kept.map((p) => JSON.stringify(p) + '\n').join(''));
await chain.close();
