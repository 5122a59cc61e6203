import { median, quantile, type BenchContext, type Figure, type Part } from '../harness/bench.ts';
import { startChild, type Child } from '../harness/child.ts';
import { runWarm } from '../harness/drain.ts';
import { startProduct } from '../harness/product.ts';
import { seedSchedules } from '../harness/seed.ts';
import type { Arrival } from '../harness/target.ts';

const SECOND_MS = 1_000;
const WARM_UP_SECONDS = 8;
/** With five hundred jobs a second and with twenty. */
export const MANY = { jobs: 500, seconds: 20 };
/**
 * The twenty of a second are late together, so that one second of a hundred makes their p99: in twenty seconds it was the worst
 * of them, and said more of the machine than of either scheduler.
 */
export const FEW = { jobs: 20, seconds: 100 };

type Load = typeof MANY;

type Lateness = { p50: number; p99: number };
type Run = Lateness & { missed: number; doubled: number; early: number; statements: number };

/**
 * Jobs that are due every second: how late their calls arrive, beside a scheduler that stores nothing. Both are warm: theirs
 * has run the five hundred of a second before it runs twenty.
 */
export const steady: Part = {
  name: 'steady',
  async run(context) {
    const target = await startChild('./target.ts');
    const croner = await startChild('./croner.ts');
    try {
      const url = await target.ask<string>({ kind: 'listen', delayMs: 0 });
      const measure = async (load: Load) => {
        const rounds = [];
        for (let round = 1; round <= context.rounds; round += 1) {
          const theirs = await runCroner(croner, target, url, load);
          const ours = await runProduct(context, target, url, load);
          context.note(
            `steady, ${load.jobs} a second, ${round}: p50 ${show(ours.p50)} and p99 ${show(ours.p99)} ms; croner ${show(theirs.p50)} and ${show(theirs.p99)} ms`,
          );
          rounds.push({ ours, theirs });
        }
        return rounds;
      };
      return [...figuresOfMany(await measure(MANY)), ...figuresOfFew(await measure(FEW))];
    } finally {
      await target.stop();
      await croner.stop();
    }
  },
};

type Rounds = readonly { ours: Run; theirs: Lateness }[];

function figuresOfMany(rounds: Rounds): Figure[] {
  const of = (value: (round: Rounds[number]) => number) => median(rounds.map(value));
  const worst = (value: (run: Run) => number) => Math.max(...rounds.map(({ ours }) => value(ours)));
  return [
    {
      goal: 5,
      measure: '500 a second, p50, of croner’s',
      value: of(({ ours, theirs }) => ours.p50 / theirs.p50),
      unit: 'ratio',
      max: 1,
    },
    {
      goal: 5,
      measure: '500 a second, p99, of croner’s',
      value: of(({ ours, theirs }) => ours.p99 / theirs.p99),
      unit: 'ratio',
      max: 0.8,
    },
    { goal: 5, measure: '500 a second, p50', value: of(({ ours }) => ours.p50), unit: 'ms' },
    { goal: 5, measure: '500 a second, p99', value: of(({ ours }) => ours.p99), unit: 'ms' },
    { goal: 5, measure: '500 a second, missed', value: worst(({ missed }) => missed), unit: 'slots', max: 0 },
    {
      goal: 5,
      measure: '500 a second, doubled',
      value: worst(({ doubled }) => doubled),
      unit: 'calls',
      max: 0,
    },
    { goal: 5, measure: '500 a second, early', value: worst(({ early }) => early), unit: 'calls', max: 0 },
    {
      goal: 3,
      measure: 'statements, 500 a second',
      value: of(({ ours }) => ours.statements),
      unit: 'per execution',
      max: 0.05,
    },
  ];
}

function figuresOfFew(rounds: Rounds): Figure[] {
  const of = (value: (round: Rounds[number]) => number) => median(rounds.map(value));
  return [
    {
      goal: 6,
      measure: '20 a second, p99, of croner’s',
      value: of(({ ours, theirs }) => ours.p99 / theirs.p99),
      unit: 'ratio',
      max: 1,
    },
    { goal: 6, measure: '20 a second, p99', value: of(({ ours }) => ours.p99), unit: 'ms' },
    {
      goal: 3,
      measure: 'statements, 20 a second',
      value: of(({ ours }) => ours.statements),
      unit: 'per execution',
      max: 0.3,
    },
  ];
}

async function runCroner(
  croner: Child,
  target: Child,
  url: string,
  { jobs, seconds }: Load,
): Promise<Lateness> {
  await croner.ask({ kind: 'start', url, jobs });
  const arrivals = await record(target, seconds);
  await croner.ask({ kind: 'stop' });
  return latenessOf(arrivals);
}

export async function runProduct(
  { postgres, note }: BenchContext,
  target: Child,
  url: string,
  { jobs, seconds }: Load,
): Promise<Run> {
  const database = await postgres.createDatabase();
  const product = await startProduct({ DATABASE_URL: database.connectionString });
  try {
    await runWarm(database, product, url);
    await seedSchedules(database.pool, jobs, url, '* * * * * *');
    const arrivals = await record(target, seconds, () => database.mark());
    const work = await database.work();
    for (const line of await database.profile()) note(line);
    const slots = new Map<string, Set<string>>();
    let doubled = 0;
    for (const { slot, executionId } of arrivals) {
      const seen = slots.get(slot ?? '') ?? new Set();
      if (seen.has(executionId ?? '')) doubled += 1;
      slots.set(slot ?? '', seen.add(executionId ?? ''));
    }
    // The first and the last second of the record may be cut.
    const whole = [...slots.values()].slice(1, -1);
    return {
      ...latenessOf(arrivals),
      missed: whole.reduce((sum, executions) => sum + jobs - executions.size, 0),
      doubled,
      early: arrivals.filter(({ atMs, slot }) => atMs < Date.parse(slot ?? '')).length,
      statements: work.statements / arrivals.length,
    };
  } finally {
    await product.stop();
    await database.drop();
  }
}

/** What arrives in so many seconds, after it has run for a while. */
async function record(target: Child, seconds: number, onBegin?: () => Promise<void>): Promise<Arrival[]> {
  await pause(WARM_UP_SECONDS * SECOND_MS);
  await onBegin?.();
  await target.ask({ kind: 'reset' });
  await pause(seconds * SECOND_MS);
  return target.ask<Arrival[]>({ kind: 'calls' });
}

function latenessOf(arrivals: readonly Arrival[]): Lateness {
  const lateness = arrivals.map(({ atMs, slot }) => atMs - Date.parse(slot ?? ''));
  return { p50: quantile(lateness, 0.5), p99: quantile(lateness, 0.99) };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function show(ms: number): string {
  return ms.toFixed(0);
}
