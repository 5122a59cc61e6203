import { expect, it } from 'vitest';
import { apiClient } from '../support/api-client.ts';
import { checkHistory } from '../support/history.ts';
import type { RecordedCall, ReplyParts } from '../support/target-server.ts';
import { createGate } from '../support/target-server.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/world.ts';
import { inMs, schedulesOver } from './endings.ts';

const world = useWorld('test');
const JOBS = 5;
const SECONDS = 6;
/**
 * From the first job's creation to the first slot. All jobs must share that slot, or its calls would wait for missing
 * ones.
 */
const LEAD_MS = 3_000;

/**
 * Holds the calls of each slot until the calls of all jobs for that slot have arrived. One instance cannot run them
 * all.
 */
function meetings() {
  const waiting = new Map<string, { count: number; gate: ReturnType<typeof createGate> }>();
  let isOver = false;
  return {
    reply: ({ headers }: RecordedCall): ReplyParts => {
      if (isOver) return {};
      const slot = headers['x-scheduled-at'] ?? '';
      const meeting = waiting.get(slot) ?? { count: 0, gate: createGate() };
      waiting.set(slot, meeting);
      meeting.count += 1;
      if (meeting.count === JOBS) meeting.gate.open();
      return { after: meeting.gate.opened };
    },
    /** Releases all held calls. Later calls are not held. */
    end: () => {
      isOver = true;
      for (const { gate } of waiting.values()) gate.open();
    },
  };
}

it('runs each slot exactly once on two servers when one of them stops', async () => {
  const { target, pool } = world;
  const { reply, end } = meetings();
  target.script('/meet', reply);
  const env = { MAX_CONCURRENCY: '3' };
  const [staying, leaving] = await Promise.all([world.startServer(env), world.startServer(env)]);
  const api = apiClient(staying);
  const job = {
    api: `${target.url}/meet`,
    schedule: '* * * * * *',
    startAt: inMs(LEAD_MS),
    endAt: inMs(LEAD_MS + SECONDS * 1_000),
  };
  await Promise.all(Array.from({ length: JOBS }, () => api.createJob(job)));

  const claimants = 'SELECT DISTINCT claimed_by AS id FROM job_executions WHERE finished_at IS NOT NULL';
  const both = [staying.instanceId, leaving.instanceId].sort();
  await until(async () => (await pool.query(claimants)).rowCount === both.length, { timeoutMs: 30_000 });
  end();
  expect(await leaving.stop()).toEqual({ code: 0, signal: null });
  await schedulesOver(pool);

  const { rows } = await pool.query<{ id: string }>(`${claimants} ORDER BY 1`);
  expect(rows.map(({ id }) => id)).toEqual(both);
  const { slots, executions, calls, interruptions } = await checkHistory(pool, target.calls);
  expect({ executions, calls, interruptions }).toEqual({ executions: slots, calls: slots, interruptions: 0 });
  expect(slots).toBeGreaterThanOrEqual(JOBS * (SECONDS / 2));
});
