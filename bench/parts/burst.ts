import { median, type BenchContext, type Figure, type Part } from '../harness/bench.ts';
import type { CallerResult } from '../harness/caller.ts';
import { startChild, type Child } from '../harness/child.ts';
import { runWarm } from '../harness/drain.ts';
import { startProduct } from '../harness/product.ts';
import { seedSchedules } from '../harness/seed.ts';
import type { Arrival } from '../harness/target.ts';

const JOBS = 10_000;
const IN_FLIGHT = 50;
/** Jobs that fire together have been there for longer than it takes an instance to look at what comes next: ten seconds. */
const LEAD_MS = 15_000;

/** Ten thousand jobs of one same second: from their first call to their last one, of what got alone needs for them. */
export const burst: Part = {
  name: 'burst',
  async run(context) {
    const target = await startChild('./target.ts');
    const caller = await startChild('./caller.ts');
    try {
      const url = await target.ask<string>({ kind: 'listen', delayMs: 0 });
      const alone = () => caller.ask<CallerResult>({ kind: 'call', url, calls: JOBS, inFlight: IN_FLIGHT });
      await alone();
      const ratios: number[] = [];
      for (let round = 1; round <= context.rounds; round += 1) {
        const before = await alone();
        const seconds = await fireOnce(context, target, url);
        const after = await alone();
        context.note(
          `burst ${round}: ${seconds.toFixed(2)} s; got alone ${before.seconds.toFixed(2)} and ${after.seconds.toFixed(2)} s`,
        );
        ratios.push(seconds / ((before.seconds + after.seconds) / 2));
      }
      const figure: Figure = {
        goal: 7,
        measure: '10,000 in one second, of got alone',
        value: median(ratios),
        unit: 'ratio',
        max: 1.3,
      };
      return [figure];
    } finally {
      await target.stop();
      await caller.stop();
    }
  },
};

async function fireOnce({ postgres, note }: BenchContext, target: Child, url: string): Promise<number> {
  const database = await postgres.createDatabase();
  const product = await startProduct({ DATABASE_URL: database.connectionString });
  try {
    await runWarm(database, product, url);
    const atMs = Math.ceil((Date.now() + LEAD_MS) / 1_000) * 1_000;
    await target.ask({ kind: 'reset' });
    // Once a year, at that very second.
    const at = new Date(atMs);
    const schedule = `${at.getUTCSeconds()} ${at.getUTCMinutes()} ${at.getUTCHours()} ${at.getUTCDate()} ${at.getUTCMonth() + 1} *`;
    await seedSchedules(database.pool, JOBS, url, schedule, at);
    await database.mark();
    await target.ask({ kind: 'received', count: JOBS });
    for (const line of await database.profile()) note(line);
    const arrivals = await target.ask<Arrival[]>({ kind: 'calls' });
    return ((arrivals.at(-1)?.atMs ?? NaN) - (arrivals[0]?.atMs ?? NaN)) / 1_000;
  } finally {
    await product.stop();
    await database.drop();
  }
}
