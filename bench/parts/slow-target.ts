import { median, type Part } from '../harness/bench.ts';
import type { CallerResult } from '../harness/caller.ts';
import { startChild } from '../harness/child.ts';
import { drainOnce } from '../harness/drain.ts';

const EXECUTIONS = 10_000;
const WARM_UP = 2_000;
const TARGET_MS = 50;
/** What one host may have under way: the limit on how fast its backlog can go. */
const IN_FLIGHT = 50;

/**
 * A backlog for a target that takes its time: whether every place is taken again as soon as it is free. The limit is what
 * got alone reaches with as many calls in flight: a target that shares the processors takes longer than it means to.
 */
export const slowTarget: Part = {
  name: 'slow-target',
  async run(context) {
    const target = await startChild('./target.ts');
    const caller = await startChild('./caller.ts');
    const alone = async (url: string): Promise<number> => {
      const request = { kind: 'call', url, calls: EXECUTIONS / 2, inFlight: IN_FLIGHT };
      return EXECUTIONS / 2 / (await caller.ask<CallerResult>(request)).seconds;
    };
    try {
      const api = await target.ask<string>({ kind: 'listen', delayMs: TARGET_MS });
      const shares: number[] = [];
      for (let round = 1; round <= context.rounds; round += 1) {
        const before = await alone(api);
        const { perSecond } = await drainOnce(context, target, api, {
          executions: EXECUTIONS,
          warmUp: WARM_UP,
        });
        const after = await alone(api);
        context.note(
          `slow target ${round}: ${Math.round(perSecond)}/s, got alone ${Math.round(before)} and ${Math.round(after)}/s`,
        );
        shares.push((2 * perSecond) / (before + after));
      }
      return [
        {
          goal: 2,
          measure: `backlog at ${TARGET_MS} ms, of got alone`,
          value: median(shares),
          unit: 'ratio',
          min: 0.97,
        },
      ];
    } finally {
      await target.stop();
      await caller.stop();
    }
  },
};
