import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { median, type Figure, type Part } from '../harness/bench.ts';
import { startProduct } from '../harness/product.ts';

/** From the start of the process to the moment at which jobs are scheduled and the API answers, on the embedded database. */
export const startup: Part = {
  name: 'startup',
  async run({ rounds, note }) {
    const first: number[] = [];
    const later: number[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      const folder = await mkdtemp(join(tmpdir(), 'bench-start-'));
      try {
        first.push(await start(folder));
        later.push(await start(folder));
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
      note(`startup ${round}: first ${first.at(-1)?.toFixed(2)} s, later ${later.at(-1)?.toFixed(2)} s`);
    }
    const figures: Figure[] = [
      { goal: 16, measure: 'start to ready', value: median(later), unit: 's', max: 2 },
      { goal: 16, measure: 'first start to ready', value: median(first), unit: 's', max: 6 },
    ];
    return figures;
  },
};

async function start(dataDir: string): Promise<number> {
  const product = await startProduct({ DATABASE_URL: '', DATA_DIR: dataDir });
  await product.stop();
  return product.readyMs / 1_000;
}
