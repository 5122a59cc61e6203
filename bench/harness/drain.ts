import type { BenchContext } from './bench.ts';
import type { Child } from './child.ts';
import { cpuMsOf } from './cpu.ts';
import type { BenchDatabase } from './postgres.ts';
import { startProduct, type Product } from './product.ts';
import { drained, seedBacklog, seedJobs } from './seed.ts';
import { wake } from './wake.ts';

const JOBS = 20;
/** From the end of seeding to the moment at which all of it is due. */
const LEAD_MS = 1_500;
const WARM_UP = 10_000;

/** Each for one execution of a backlog, and how fast it went. */
export type Drain = {
  perSecond: number;
  cpuMs: number;
  statements: number;
  databaseCpuMs: number;
  walBytes: number;
};

export type DrainOptions = {
  executions: number;
  warmUp: number;
  /** Called with the product's URL once it is warm. */
  prepare?: (url: string) => Promise<void>;
};

/** Starts the product, warms it up, and lets a backlog become due. */
export async function drainOnce(
  { postgres, note }: BenchContext,
  target: Child,
  api: string,
  { executions, warmUp, prepare }: DrainOptions,
): Promise<Drain> {
  const database = await postgres.createDatabase();
  const { pool } = database;
  const jobIds = await seedJobs(pool, JOBS, api);
  const product = await startProduct({ DATABASE_URL: database.connectionString });
  try {
    const fill = async (count: number): Promise<number> => {
      await target.ask({ kind: 'reset' });
      return seedDue(pool, product, jobIds, count);
    };
    await fill(warmUp);
    await drained(pool);
    await prepare?.(product.url);
    const dueAt = await fill(executions);
    await until(dueAt - 50);
    await database.mark();
    const cpu = cpuMsOf(product.pid);
    await target.ask({ kind: 'received', count: executions });
    await drained(pool);
    const seconds = (Date.now() - dueAt) / 1_000;
    const work = await database.work();
    for (const line of await database.profile()) note(line);
    return {
      perSecond: executions / seconds,
      cpuMs: (cpuMsOf(product.pid) - cpu) / executions,
      statements: work.statements / executions,
      databaseCpuMs: work.cpuMs / executions,
      walBytes: work.walBytes / executions,
    };
  } finally {
    await product.stop();
    await database.drop();
  }
}

/**
 * Has the product run so much of a backlog that its code is compiled, as that of whatever it is compared with is by then:
 * the first thousands of calls of a process cost three times as much as those to come.
 */
export async function runWarm({ pool }: BenchDatabase, product: Product, api: string): Promise<void> {
  await seedDue(pool, product, await seedJobs(pool, JOBS, api), WARM_UP);
  await drained(pool);
}

/** Lets so many executions become due together; @returns when they do */
async function seedDue(
  pool: BenchDatabase['pool'],
  product: Product,
  jobIds: readonly string[],
  count: number,
): Promise<number> {
  const dueAt = Date.now() + LEAD_MS + count / 40;
  await seedBacklog(pool, jobIds, count, new Date(dueAt));
  await wake(product.url);
  return dueAt;
}

async function until(atMs: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, atMs - Date.now()));
}
