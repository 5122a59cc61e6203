import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { allEnded } from '../acceptance/endings.ts';
import { apiClient } from '../support/api-client.ts';
import { heldBy } from '../support/faults/claims.ts';
import { withLease } from '../support/faults/defaults.ts';
import { reportFigures } from '../support/faults/figures.ts';
import { holdBackRecords } from '../support/faults/hold-back.ts';
import { checkHistory } from '../support/history.ts';
import type { RecordedCall } from '../support/target-server.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/world.ts';

const world = useWorld('test');
const CALLS = 20;
const LEASE_MS = 4_000;
const ANSWERS_ARRIVE_MS = 200;

function attemptsById(calls: readonly RecordedCall[]): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const { headers } of calls) {
    const id = headers['x-execution-id'] ?? '';
    found.set(id, [...(found.get(id) ?? []), Number(headers['x-attempt'])]);
  }
  return found;
}

it('repeats a call under the same id when its server dies between the answer and the record', async () => {
  const { target, pool } = world;
  const first = await world.startServer(withLease(LEASE_MS));
  const api = apiClient(first);
  const gate = target.gate('/work');
  const ids = await api.triggerMany(await api.createJob({ api: `${target.url}/work` }), CALLS);
  const onceOnly = await api.createJob({ api: `${target.url}/once`, type: 'ATMOST_ONCE' });
  const onceGate = target.gate('/once');
  const onceId = await api.trigger(onceOnly);
  await Promise.all([target.received('/work', CALLS), target.received('/once')]);

  const records = await holdBackRecords(pool);
  gate.open();
  onceGate.open();
  await records.attempted();
  // The first outcome waits for its record. The other answers arrive and collect behind it.
  await delay(ANSWERS_ARRIVE_MS);
  await first.kill();
  await records.drop();
  expect(await heldBy(pool, first.instanceId)).toBe(CALLS + 1);

  await world.startServer(withLease(LEASE_MS));
  await allEnded(pool);
  const attempts = attemptsById(target.callsTo('/work'));
  expect(attempts).toEqual(new Map(ids.map((id) => [id, [1, 2]])));
  expect(attemptsById(target.callsTo('/once'))).toEqual(new Map([[onceId, [1]]]));
  const history = await checkHistory(pool, target.calls);
  reportFigures("kill -9 between the target's 200 and our record", { ...history, repeated: attempts.size });
  const { rows } = await pool.query(
    `SELECT status, failure_reason AS reason, count(*)::int FROM job_executions GROUP BY 1, 2 ORDER BY 3`,
  );
  expect(rows).toEqual([
    { status: 'FAILED', reason: 'INSTANCE_LOST', count: 1 },
    { status: 'SUCCESS', reason: null, count: CALLS },
  ]);
});

it('repeats only the calls without a record when its server dies while outcomes arrive', async () => {
  const { target, pool } = world;
  const first = await world.startServer(withLease(LEASE_MS));
  const api = apiClient(first);
  const gate = target.gate('/work');
  const ids = await api.triggerMany(await api.createJob({ api: `${target.url}/work` }), CALLS);
  await target.received('/work', CALLS);

  // At the kill some outcomes are recorded, and the others are not yet.
  gate.open();
  await until(async () => (await heldBy(pool, first.instanceId)) < CALLS);
  await first.kill();
  const { rows } = await pool.query<{ recorded: number }>(
    `SELECT count(*)::int AS recorded FROM job_executions WHERE status = 'SUCCESS'`,
  );

  await world.startServer(withLease(LEASE_MS));
  await allEnded(pool);
  const attempts = attemptsById(target.calls);
  expect([...attempts.keys()].sort()).toEqual([...ids].sort());
  const repeated = [...attempts.values()].filter((numbers) => numbers.length > 1);
  expect(repeated.every((numbers) => numbers.join() === '1,2')).toBe(true);
  expect(repeated.length).toBeLessThanOrEqual(CALLS - (rows[0]?.recorded ?? 0));
  await checkHistory(pool, target.calls);
});
