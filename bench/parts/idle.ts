import { median, type BenchContext, type Figure, type Part } from '../harness/bench.ts';
import { cpuMsOf, residentMiB } from '../harness/cpu.ts';
import { startProduct } from '../harness/product.ts';
import { seedSchedules } from '../harness/seed.ts';

const JOBS = 100_000;
const SETTLE_SECONDS = 30;
const SECONDS = 60;
const NEXT_YEAR = new Date(Date.UTC(new Date().getUTCFullYear() + 1, 5, 1));

type Idle = { cpuPercent: number; databaseCpuPercent: number; statements: number; memoryMiB: number };

/** A hundred thousand jobs of which none is due for long: what keeping them costs. */
export const idle: Part = {
  name: 'idle',
  async run(context) {
    const base = await rest(context, 0);
    const rounds: Idle[] = [];
    for (let round = 1; round <= context.rounds; round += 1) rounds.push(await rest(context, JOBS));
    const of = (value: (idle: Idle) => number) => median(rounds.map(value));
    const figures: Figure[] = [
      {
        goal: 8,
        measure: 'idle, node CPU',
        value: of(({ cpuPercent }) => cpuPercent),
        unit: '% of a core',
        max: 0.3,
      },
      {
        goal: 8,
        measure: 'idle, database CPU',
        value: of(({ databaseCpuPercent }) => databaseCpuPercent),
        unit: '% of a core',
        max: 0.5,
      },
      {
        goal: 8,
        measure: 'idle, statements',
        value: of(({ statements }) => statements),
        unit: 'per second',
        max: 0.3,
      },
      {
        goal: 8,
        measure: 'idle, memory over base',
        value: of(({ memoryMiB }) => memoryMiB - base.memoryMiB),
        unit: 'MiB',
        max: 30,
      },
    ];
    return figures;
  },
};

async function rest({ postgres, note }: BenchContext, jobs: number): Promise<Idle> {
  const database = await postgres.createDatabase();
  if (jobs > 0) await seedSchedules(database.pool, jobs, 'http://127.0.0.1:9/', '0 0 0 1 6 *', NEXT_YEAR);
  const product = await startProduct({ DATABASE_URL: database.connectionString });
  try {
    await pause(SETTLE_SECONDS);
    await database.mark();
    const cpu = cpuMsOf(product.pid);
    await pause(SECONDS);
    const cpuMs = cpuMsOf(product.pid) - cpu;
    const work = await database.work();
    for (const line of await database.profile()) note(line);
    return {
      cpuPercent: cpuMs / SECONDS / 10,
      databaseCpuPercent: work.cpuMs / SECONDS / 10,
      statements: work.statements / SECONDS,
      memoryMiB: residentMiB(product.pid),
    };
  } finally {
    await product.stop();
    await database.drop();
  }
}

function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
}
