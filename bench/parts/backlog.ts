import { median, type BenchContext, type Figure, type Part } from '../harness/bench.ts';
import type { CallerResult } from '../harness/caller.ts';
import { startChild, type Child } from '../harness/child.ts';
import { drainOnce, type Drain } from '../harness/drain.ts';
import type { NaiveResult } from '../harness/naive.ts';

const EXECUTIONS = 20_000;
const WARM_UP = 4_000;
const NAIVE_EXECUTIONS = 4_000;
/** What the product has under way at one host, and so what the ceiling may. */
const IN_FLIGHT = 50;

/** Each figure for one execution of a backlog, and how fast it went. */
export const backlog: Part = {
  name: 'backlog',
  async run(context) {
    const target = await startChild('./target.ts');
    const caller = await startChild('./caller.ts');
    try {
      const url = await target.ask<string>({ kind: 'listen', delayMs: 0 });
      await callAlone(caller, url, WARM_UP);
      const rounds = [];
      for (let round = 1; round <= context.rounds; round += 1) {
        const before = await callAlone(caller, url, EXECUTIONS);
        const ours = await drainOnce(context, target, url, { executions: EXECUTIONS, warmUp: WARM_UP });
        const after = await callAlone(caller, url, EXECUTIONS);
        const naive = await drainNaively(context, url);
        const alone = {
          perSecond: (before.perSecond + after.perSecond) / 2,
          cpuMs: (before.cpuMs + after.cpuMs) / 2,
        };
        context.note(
          `backlog ${round}: ${Math.round(ours.perSecond)}/s, got alone ${Math.round(before.perSecond)} and ${Math.round(after.perSecond)}/s, naive ${Math.round(naive.perSecond)}/s; database CPU ${ours.databaseCpuMs.toFixed(3)} ms, naive ${naive.databaseCpuMs.toFixed(3)} ms`,
        );
        rounds.push({ ours, alone, naive });
      }
      return figuresOf(rounds);
    } finally {
      await target.stop();
      await caller.stop();
    }
  },
};

function figuresOf(
  rounds: readonly { ours: Drain; alone: { perSecond: number; cpuMs: number }; naive: NaiveDrain }[],
): Figure[] {
  const of = (value: (round: (typeof rounds)[number]) => number) => median(rounds.map(value));
  return [
    {
      goal: 1,
      measure: 'backlog, of got alone',
      value: of(({ ours, alone }) => ours.perSecond / alone.perSecond),
      unit: 'ratio',
      min: 1,
    },
    {
      goal: 1,
      measure: 'backlog, of the naive design',
      value: of(({ ours, naive }) => ours.perSecond / naive.perSecond),
      unit: 'ratio',
      min: 4,
    },
    { goal: 1, measure: 'backlog', value: of(({ ours }) => ours.perSecond), unit: 'executions/s' },
    { goal: 1, measure: 'got alone', value: of(({ alone }) => alone.perSecond), unit: 'calls/s' },
    {
      goal: 3,
      measure: 'statements, backlog',
      value: of(({ ours }) => ours.statements),
      unit: 'per execution',
      max: 0.05,
    },
    {
      goal: 4,
      measure: 'database CPU',
      value: of(({ ours }) => ours.databaseCpuMs),
      unit: 'ms per execution',
      max: 0.15,
    },
    {
      goal: 4,
      measure: 'database CPU, of the naive design’s',
      value: of(({ ours, naive }) => ours.databaseCpuMs / naive.databaseCpuMs),
      unit: 'ratio',
    },
    {
      goal: 4,
      measure: 'WAL',
      value: of(({ ours }) => ours.walBytes / 1_024),
      unit: 'KiB per execution',
      max: 3.3,
    },
    {
      goal: 4,
      measure: 'node CPU, of got alone',
      value: of(({ ours, alone }) => ours.cpuMs / alone.cpuMs),
      unit: 'ratio',
      max: 1.2,
    },
  ];
}

async function callAlone(
  caller: Child,
  url: string,
  calls: number,
): Promise<{ perSecond: number; cpuMs: number }> {
  const { seconds, cpuMs } = await caller.ask<CallerResult>({
    kind: 'call',
    url,
    calls,
    inFlight: IN_FLIGHT,
  });
  return { perSecond: calls / seconds, cpuMs: cpuMs / calls };
}

type NaiveDrain = Pick<Drain, 'perSecond' | 'databaseCpuMs'>;

/** The design that claims and records one by one, in a database of its own. */
async function drainNaively({ postgres }: BenchContext, url: string): Promise<NaiveDrain> {
  const database = await postgres.createDatabase();
  const naive = await startChild('./naive.ts');
  try {
    const { connectionString } = database;
    const request = {
      kind: 'drain',
      connectionString,
      url,
      executions: NAIVE_EXECUTIONS,
      inFlight: IN_FLIGHT,
    };
    await database.mark();
    const { seconds } = await naive.ask<NaiveResult>(request);
    const { cpuMs } = await database.work();
    return { perSecond: NAIVE_EXECUTIONS / seconds, databaseCpuMs: cpuMs / NAIVE_EXECUTIONS };
  } finally {
    await naive.stop();
    await database.drop();
  }
}
