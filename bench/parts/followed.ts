import { median, type BenchContext, type Figure, type Part } from '../harness/bench.ts';
import { startChild } from '../harness/child.ts';
import type { Counted } from '../harness/subscribers.ts';
import { drainOnce } from '../harness/drain.ts';
import { QUERY } from './fan-out.ts';

const EXECUTIONS = 20_000;
const WARM_UP = 4_000;
const SUBSCRIBERS = 1_000;

/** A backlog while a thousand websocket subscribers follow every event of it, beside one that nobody follows. */
export const followed: Part = {
  name: 'followed',
  async run(context) {
    const rounds: { alone: number; followed: number }[] = [];
    for (let round = 1; round <= context.rounds; round += 1) {
      const before = await drain(context);
      const { perSecond, delivered } = await drainFollowed(context);
      const after = await drain(context);
      context.note(
        `followed ${round}: ${Math.round(perSecond)}/s with ${delivered} deliveries meanwhile; alone ${Math.round(before)} and ${Math.round(after)}/s`,
      );
      rounds.push({ alone: (before + after) / 2, followed: perSecond });
    }
    const figures: Figure[] = [
      {
        goal: 14,
        measure: 'backlog with 1,000 subscribers, of alone',
        value: median(rounds.map((round) => round.followed / round.alone)),
        unit: 'ratio',
        min: 0.8,
      },
    ];
    return figures;
  },
};

async function drain(context: BenchContext): Promise<number> {
  const target = await startChild('./target.ts');
  try {
    const api = await target.ask<string>({ kind: 'listen', delayMs: 0 });
    return (await drainOnce(context, target, api, { executions: EXECUTIONS, warmUp: WARM_UP })).perSecond;
  } finally {
    await target.stop();
  }
}

export async function drainFollowed(
  context: BenchContext,
): Promise<{ perSecond: number; delivered: number }> {
  const target = await startChild('./target.ts');
  const subscribers = await startChild('./subscribers.ts');
  try {
    const api = await target.ask<string>({ kind: 'listen', delayMs: 0 });
    const follow = async (url: string): Promise<void> => {
      await subscribers.ask({
        kind: 'connect',
        url: `${url.replace(/^http/, 'ws')}/graphql`,
        count: SUBSCRIBERS,
        query: QUERY,
      });
      await subscribers.ask({ kind: 'expect', total: Infinity });
    };
    const { perSecond } = await drainOnce(context, target, api, {
      executions: EXECUTIONS,
      warmUp: WARM_UP,
      prepare: follow,
    });
    const { count } = await subscribers.ask<Counted>({ kind: 'counted' });
    return { perSecond, delivered: count };
  } finally {
    await subscribers.stop();
    await target.stop();
  }
}
