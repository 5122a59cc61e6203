import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import pg from 'pg';
import { createPool } from '../../src/database/pool.ts';
import { EVERYTHING } from '../../src/domain/values/condition.ts';
import { readExecutionHistogram } from '../../src/store/metrics/execution-histogram.ts';
import { readJobCounts, readJobPercentiles, readLastEnds } from '../../src/store/metrics/job-metrics.ts';
import { readSystemMetrics } from '../../src/store/metrics/system-metrics.ts';
import { findSilent, nextWaitEndAt } from '../../src/store/executions/callbacks.ts';
import { claimDue, nextAvailableAt } from '../../src/store/executions/claiming.ts';
import {
  isAnyAlertEnabled,
  lockReader,
  lockWatchingAlerts,
  readWatchedEvents,
} from '../../src/store/alerts/alert-reading.ts';
import { claimDeliveries, nextDeliveryAt, pruneDeliveries } from '../../src/store/alerts/alert-deliveries.ts';
import { readSentLately } from '../../src/store/alerts/alert-reports.ts';
import { findOverdue, nextLateAt } from '../../src/store/executions/late-executions.ts';
import { auditEntryIdsOfJobs, deliveryIdsOfAlerts } from '../../src/store/statements/ids-of-owners.ts';
import { readUnmetDependencies } from '../../src/store/jobs/dependency-gates.ts';
import { pruneEvents, readLog } from '../../src/store/events/event-log.ts';
import { extendLeases, findLostExecutions, nextLeaseEndAt } from '../../src/store/executions/leases.ts';
import { lockEndedPauses, nextPauseEndAt } from '../../src/store/jobs/pauses.ts';
import { readNextDue } from '../../src/store/jobs/next-due.ts';
import { readOldestKept } from '../../src/store/upkeep/upkeep.ts';
import { lockDueJobs, nextPlanning, readUpcoming } from '../../src/store/executions/planning.ts';
import { pruneAuditLog, pruneExecutions } from '../../src/store/upkeep/pruning.ts';
import { lockJobsByKey } from '../../src/store/jobs/jobs.ts';
import { findClaimsMadeAt } from '../../src/store/executions/lost-claims.ts';
import { makeSlots, slotsStartedSql } from '../../src/store/executions/slot-starting.ts';
import { settle, settlementRow } from '../../src/store/executions/settling.ts';
import type { PageRequest } from '../../src/domain/execution/page-request.ts';
import type { Queryable, Statement } from '../../src/store/statements/sql.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { LEASE_MS } from '../support/instance.ts';
import { START, plus } from '../support/manual-clock.ts';

let database: TestDatabase;
let pool: pg.Pool;
const DAY_MS = 24 * 3_600_000;

const KINDS = ['fresh', 'backlog'] as const;
const ENDS = ['newest', 'oldest'] as const;

/** What a page of a list by time asks for, newest first; its rows from one end. */
function endOf(field: string, end: (typeof ENDS)[number]): PageRequest {
  return {
    order: [
      { field, direction: 'desc', nullable: false },
      { field: 'id', direction: 'desc', nullable: false },
    ],
    isReversed: end === 'oldest',
    after: null,
    before: null,
    limit: 21,
  };
}

/** A table worth asking the planner about: a long history, and little that is unfinished. */
const JOBS = 5_000;
const FINISHED = 30_000;
const UNFINISHED = 300;
const EVENTS = 30_000;
const DELIVERIES = 30_000;
const AUDIT_ENTRIES = 30_000;

describe.each(['custom', 'generic'] as const)('by a %s plan, with a long history', (mode) => {
  it.each(KINDS)('a claim of the %s kind looks only at what may be claimed', async (kind) => {
    const used = await indexesOf(mode, (db) => claimDue(db, { ...CLAIM, kind }));
    expect(used.indexes).toContain('job_executions_claim');
    expect(used.scanned).toEqual([]);
  });

  it.each(KINDS)(
    'a claim of the %s kind goes down its queue in order, and sorts none of it',
    async (kind) => {
      const used = await indexesOf(mode, (db) =>
        claimDue(db, { ...CLAIM, kind, busyHosts: new Map(), hostLimit: 50, look: 'wide' }),
      );
      expect(used.indexes).toContain('job_executions_claim');
      expect(used.indexes).not.toContain('job_executions_available');
    },
  );

  it('the next execution to come is found without reading any other', async () => {
    const used = await indexesOf(mode, nextAvailableAt);
    expect(new Set(used.indexes)).toEqual(new Set(['job_executions_claim']));
    expect(used.scanned).toEqual([]);
  });

  it('due jobs are found among those that have a next run', async () => {
    const used = await indexesOf(mode, (db) =>
      lockDueJobs(db, { after: START, until: plus(START, 60_000), except: [], only: null }, 1_000),
    );
    expect(used.indexes).toContain('jobs_due');
    expect(used.scanned).toEqual([]);
    const prefetched = { jobIds: [crypto.randomUUID()], from: START };
    const next = await indexesOf(mode, (db) => nextPlanning(db, { except: [], prefetched }));
    expect(next.indexes).toEqual(['jobs_due', 'jobs_paused_until']);
  });

  it('upcoming jobs are found among those that have a next run', async () => {
    const used = await indexesOf(mode, (db) => readUpcoming(db, START, { except: [], limit: 1_000 }));
    expect(used.indexes).toEqual(expect.arrayContaining(['jobs_due', 'jobs_paused_until']));
    expect(used.scanned).toEqual([]);
  });

  it('prefetched slots are made by a look at their jobs alone', async () => {
    const slots = Array.from({ length: 200 }, () => ({ ...SLOT, jobId: crypto.randomUUID() }));
    const used = await indexesOf(mode, (db) =>
      makeSlots(db, {
        slots,
        starts: slots.map(() => true),
        instanceId: 'a',
        now: START,
        leaseExpiresAt: plus(START, LEASE_MS),
        maxStandstillMs: 1_000,
        maxLockWaitMs: 250,
      }),
    );
    expect(used.indexes.join()).toMatch(/jobs_(due|pkey)/);
    expect(used.scanned).toEqual([]);
  });

  it('prepared executions are told of by a look at each of them', async () => {
    const ids = Array.from({ length: 200 }, () => crypto.randomUUID());
    const used = await indexesOf(mode, (db) => db.query({ text: slotsStartedSql(ids) }));
    expect(used.indexes.join()).toMatch(/^job_executions_(pkey|lease)$/);
    expect(used.scanned).toEqual([]);
  });

  it('claims whose answers were lost are found among what runs', async () => {
    const used = await indexesOf(mode, (db) => findClaimsMadeAt(db, 'a', [START, plus(START, 1)]));
    expect(used.indexes).toEqual(['job_executions_lease']);
    expect(used.scanned).toEqual([]);
  });

  it('jobs are found by their keys without reading any other', async () => {
    const used = await indexesOf(mode, (db) => lockJobsByKey(db, ['a', 'b']));
    expect(used.indexes).toContain('jobs_key_unique');
    expect(used.scanned).toEqual([]);
  });

  it('what comes next is found for all parts without reading any table', async () => {
    const used = await indexesOf(mode, (db) => readNextDue(db));
    expect(new Set(used.indexes)).toEqual(
      new Set([
        'jobs_due',
        'jobs_paused_until',
        'job_executions_claim',
        'job_executions_callback_wait',
        'job_executions_lease',
        'job_executions_blocked',
        'job_alert_deliveries_pending',
        'job_alerts_enabled',
      ]),
    );
    expect(used.scanned).toEqual([]);
  });

  it('what is oldest is found without reading any table', async () => {
    const used = await indexesOf(mode, (db) => readOldestKept(db, [5, 60]));
    expect(used.scanned).toEqual([]);
  });

  it('pauses that end are found among those alone', async () => {
    const used = await indexesOf(mode, (db) => lockEndedPauses(db, START, 500));
    expect(used.indexes).toEqual(['jobs_paused_until']);
    expect((await indexesOf(mode, nextPauseEndAt)).indexes).toEqual(['jobs_paused_until']);
  });

  it('a rescue looks only at what runs', async () => {
    const used = await indexesOf(mode, (db) => findLostExecutions(db, START, { limit: 500, except: [] }));
    expect(used.indexes).toContain('job_executions_lease');
    expect(used.scanned).toEqual([]);
    expect((await indexesOf(mode, nextLeaseEndAt)).indexes).toEqual(['job_executions_lease']);
  });

  it('waits for callbacks that are over are found among those alone', async () => {
    const used = await indexesOf(mode, (db) => findSilent(db, START, { limit: 500, except: [] }));
    expect(used.indexes).toContain('job_executions_callback_wait');
    expect(used.scanned).toEqual([]);
    expect((await indexesOf(mode, nextWaitEndAt)).indexes).toEqual(['job_executions_callback_wait']);
  });

  it('leases are extended without a look at what does not run', async () => {
    const held = Array.from({ length: 200 }, () => ({ executionId: crypto.randomUUID(), claimSeq: 1 }));
    const used = await indexesOf(mode, (db) =>
      extendLeases(db, held, { now: START, leaseMs: 1, leastMs: 0 }),
    );
    expect(used.indexes).toContain('job_executions_pkey');
    expect(used.scanned).toEqual([]);
  });

  it('how what a job waits for has ended is found without reading its history', async () => {
    const used = await indexesOf(mode, (db) => readUnmetDependencies(db, [crypto.randomUUID()]));
    expect(used.indexes).toContain('job_execution_rollups_pkey');
    expect(used.scanned).toEqual([]);
  });

  it('outcomes are settled by id', async () => {
    const used = await indexesOf(mode, (db) => settle(db, [settlementRow(SETTLEMENT)]));
    expect(used.indexes).toContain('job_executions_pkey');
    expect(used.scanned).not.toContain('job_executions');
  });

  it.each(ENDS)('the %s audit entries of many jobs are found without reading any other', async (from) => {
    const jobIds = Array.from({ length: 100 }, () => crypto.randomUUID());
    const used = await indexesOf(mode, (db) => auditEntryIdsOfJobs(db, jobIds, endOf('at', from)));
    expect(used.indexes).toEqual(['job_audit_log_job_id_at_id_idx']);
    expect(used.scanned).toEqual([]);
    const place = [START, crypto.randomUUID()];
    const atPlace = await indexesOf(mode, (db) =>
      auditEntryIdsOfJobs(db, jobIds, { ...endOf('at', from), after: place }),
    );
    expect(atPlace).toEqual(used);
  });

  it('whether alerts are to be asked is seen without reading them', async () => {
    const used = await indexesOf(mode, lockReader);
    expect(used.indexes).toEqual(expect.arrayContaining(['job_alerts_enabled', 'job_alerts_late']));
    expect(used.scanned).toEqual([]);
    expect((await indexesOf(mode, isAnyAlertEnabled)).indexes).toContain('job_alerts_enabled');
  });

  it('events that alerts ask for are read by position, and their alerts by job', async () => {
    const used = await indexesOf(mode, (db) => readWatchedEvents(db, BigInt(EVENTS - 1_000), 1_000));
    expect(used.indexes).toContain('event_log_pkey');
    expect(used.scanned).toEqual([]);
    const jobIds = [crypto.randomUUID(), crypto.randomUUID()];
    const locked = await indexesOf(mode, (db) => lockWatchingAlerts(db, jobIds));
    expect(locked.indexes).toContain('job_alerts_job_id_idx');
    expect(locked.scanned).toEqual([]);
  });

  it('what alerts have sent lately is read without their history', async () => {
    const alertIds = [crypto.randomUUID(), crypto.randomUUID()];
    const used = await indexesOf(mode, (db) => readSentLately(db, alertIds, START));
    expect(used.indexes).toEqual(
      expect.arrayContaining([
        'job_alert_deliveries_alert_id_created_at_id_idx',
        'job_alert_deliveries_pending',
      ]),
    );
    expect(used.scanned).toEqual([]);
    for (const from of ENDS) {
      const found = await indexesOf(mode, (db) =>
        deliveryIdsOfAlerts(db, alertIds, endOf('createdAt', from)),
      );
      expect(found.scanned).toEqual([]);
    }
  });

  it('deliveries are claimed among those alone that are to be sent', async () => {
    const used = await indexesOf(mode, (db) =>
      claimDeliveries(db, {
        now: START,
        leaseExpiresAt: plus(START, LEASE_MS),
        limit: 20,
        busyHosts: new Map([['a.test', 5]]),
        hostLimit: 5,
      }),
    );
    expect(used.indexes.join()).toMatch(/job_alert_deliveries_(due|pending)/);
    expect(used.scanned).not.toContain('job_alert_deliveries');
    expect((await indexesOf(mode, nextDeliveryAt)).scanned).toEqual([]);
  });

  it('events are read by position', async () => {
    const used = await indexesOf(mode, (db) => readLog(db, BigInt(EVENTS - 100), 1_000));
    expect(new Set(used.indexes)).toEqual(new Set(['event_log_pkey']));
    expect(used.scanned).not.toContain('event_log');
  });
});

// An outage leaves a backlog behind at once, and the statistics know of it a minute later.
describe.each(['custom', 'generic'] as const)(
  'by a %s plan, with statistics that know of no backlog',
  (mode) => {
    beforeAll(async () => {
      await pool.query(`DELETE FROM job_executions WHERE status = 'PENDING'`);
      await pool.query('ANALYZE');
    });

    it.each(KINDS)('a claim of the %s kind reads the backlog no more than once', async (kind) => {
      const used = await indexesOf(mode, (db) => claimDue(db, { ...CLAIM, kind }));
      expect(used.indexes.filter((index) => index === 'job_executions_claim')).toHaveLength(1);
      expect(used.indexes).toContain('job_executions_pkey');
      expect(used.scanned).toEqual([]);
    });
  },
);

describe.each(['custom', 'generic'] as const)('figures, by a %s plan,', (mode) => {
  it('of jobs are read from the rollups of those jobs alone', async () => {
    const asked = [{ jobId: crypto.randomUUID(), window: 'LAST_30D' as const }];
    for (const read of [readJobCounts, readJobPercentiles]) {
      const used = await indexesOf(mode, (db) => read(db, asked, START));
      expect(used).toEqual({ indexes: ['job_execution_rollups_pkey'], scanned: [] });
    }
    const last = await indexesOf(mode, (db) => readLastEnds(db, [crypto.randomUUID()]));
    expect(last).toEqual({ indexes: ['job_execution_rollups_pkey'], scanned: [] });
  });

  it('of the system are read without a look at jobs or at what has ended', async () => {
    const used = await indexesOf(mode, (db) => readSystemMetrics(db, START));
    expect(used.indexes).toContain('job_execution_rollups_pkey');
    expect(used.scanned).toEqual([]);
  });
});

// Sent without a name: planned anew each time.
describe('figures of a span', () => {
  const minute = { from: plus(START, -60_000), to: START, bucketMs: 1_000 };

  it('are counted over the executions of that span alone', async () => {
    const used = await indexesOf('custom', (db) => readExecutionHistogram(db, minute, EVERYTHING));
    expect(used).toEqual({ indexes: ['job_executions_created_at_id_idx'], scanned: [] });
  });

  it('and of a job are counted over its executions alone', async () => {
    const month = { ...minute, from: plus(START, -30 * DAY_MS), bucketMs: DAY_MS };
    const test = { op: 'in' as const, values: [crypto.randomUUID()] };
    const ofJob = { kind: 'test' as const, field: 'jobId' as const, test };
    const used = await indexesOf('custom', (db) => readExecutionHistogram(db, month, ofJob));
    expect(used).toEqual({ indexes: ['job_executions_job_id_created_at_id_idx'], scanned: [] });
  });
});

// Sent without a name: planned anew each time.
describe('executions that have not started in time', () => {
  it('are looked for among those that wait', async () => {
    for (const look of [nextLateAt, (db: Queryable) => findOverdue(db, START, 1_000)]) {
      const used = await indexesOf('custom', look);
      expect(used.indexes).toContain('job_alerts_late');
      expect(used.scanned).toEqual([]);
    }
  });
});

describe('pruning a long history', () => {
  it('finds the oldest executions first', async () => {
    // A thousand of these few would be read faster by reading all; of millions they are not.
    const used = await indexesOf('custom', (db) => pruneExecutions(db, plus(START, -29 * DAY_MS), 100));
    expect(used.indexes).toContain('job_executions_finished_at');
    expect(used.scanned).not.toContain('job_executions');
  });

  it('finds the oldest audit entries first', async () => {
    const used = await indexesOf('custom', (db) => pruneAuditLog(db, plus(START, -10 * DAY_MS), 100));
    expect(used.indexes).toContain('job_audit_log_at_id_idx');
    expect(used.scanned).not.toContain('job_audit_log');
  });

  it('finds the oldest deliveries first', async () => {
    const used = await indexesOf('custom', (db) => pruneDeliveries(db, plus(START, -20 * DAY_MS), 100));
    expect(used.indexes).toContain('job_alert_deliveries_finished');
    expect(used.scanned).not.toContain('job_alert_deliveries');
  });

  it('that is young enough does not read the whole log', async () => {
    const used = await indexesOf('custom', (db) => pruneEvents(db, plus(START, -30 * DAY_MS), 1_000));
    expect(used.indexes).toContain('event_log_at');
    expect(used.scanned).not.toContain('event_log');
  });
});

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool({ connectionString: database.connectionString, max: 2 });
  await pool.query(
    `INSERT INTO jobs (id, name, api, schedule, created_at, updated_at, next_run_at, status, paused_at, paused_until)
     SELECT gen_random_uuid(), 'job ' || n, 'http://127.0.0.1:9/', '* * * * * *', $1, $1,
       CASE WHEN n % 50 > 0 THEN $1::timestamptz + n * interval '1 s' END,
       (CASE WHEN n % 50 > 0 THEN 'ACTIVE' ELSE 'PAUSED' END)::job_status,
       CASE WHEN n % 50 = 0 THEN $1::timestamptz END,
       CASE WHEN n % 50 = 0 THEN $1::timestamptz + n * interval '1 s' END
     FROM generate_series(1, $2::int) AS n`,
    [START, JOBS],
  );
  // The youngest finished a moment ago, the oldest 30 days: as a history looks that is pruned.
  await pool.query(
    `WITH job AS (SELECT id, row_number() OVER () AS number FROM jobs)
     INSERT INTO job_executions (id, job_id, status, trigger, created_at, available_at, started_at, attempt_started_at,
       finished_at, duration_ms, attempt_count, claim_seq, claimed_by)
     SELECT gen_random_uuid(), job.id, 'SUCCESS', 'MANUAL', at, at, at, at, at, 10, 1, 1, 'a'
     FROM generate_series(1, $2::int) AS n JOIN job ON job.number = n % ${JOBS} + 1,
       LATERAL (SELECT $1::timestamptz - n * interval '86 s') AS past(at)`,
    [START, FINISHED],
  );
  await pool.query(
    `WITH job AS (SELECT id, row_number() OVER () AS number FROM jobs)
     INSERT INTO job_executions (id, job_id, status, trigger, created_at, available_at, started_at, attempt_started_at,
       lease_expires_at, attempt_count, claim_seq, claimed_by, host)
     SELECT gen_random_uuid(), job.id, (CASE WHEN runs THEN 'RUNNING' ELSE 'PENDING' END)::execution_status, 'MANUAL',
       $1, $1::timestamptz + n * interval '1 s', CASE WHEN runs THEN $1::timestamptz END,
       CASE WHEN runs THEN $1::timestamptz END, CASE WHEN runs THEN $1::timestamptz + n * interval '1 s' END,
       runs::int, runs::int, CASE WHEN runs THEN 'a' END, 'host-' || n % 5
     FROM generate_series(1, $2::int) AS n JOIN job ON job.number = n, LATERAL (SELECT n % 2 = 0) AS half(runs)`,
    [START, UNFINISHED],
  );
  await pool.query(
    `INSERT INTO event_log (position, at, kind)
     SELECT n, $1::timestamptz - ($2::int - n) * interval '8 s', 'EXECUTION_PLANNED' FROM generate_series(1, $2::int) AS n`,
    [START, EVENTS],
  );
  await pool.query(
    `WITH job AS (SELECT id, row_number() OVER (ORDER BY id) AS number FROM jobs)
     INSERT INTO job_audit_log (id, at, action, actor, job_id)
     SELECT gen_random_uuid(), $1::timestamptz - n * interval '1 min', 'UPDATED', 'ada', job.id
     FROM generate_series(1, $2::int) AS n JOIN job ON job.number = 1 + n % 100`,
    [START, AUDIT_ENTRIES],
  );
  await pool.query(
    `INSERT INTO job_alerts (id, job_id, channel, target, events, enabled, created_at, updated_at)
     SELECT gen_random_uuid(), id, 'WEBHOOK', 'http://a.test/',
       CASE WHEN n % 100 = 0 THEN '{LATE}' ELSE '{FAILED}' END::alert_event[], n % 5 > 0 OR n % 100 = 0, $1, $1
     FROM (SELECT id, row_number() OVER () AS n FROM jobs) AS job`,
    [START],
  );
  await pool.query(
    `WITH alert AS (SELECT id, row_number() OVER () AS number FROM job_alerts)
     INSERT INTO job_alert_deliveries (id, alert_id, event, status, created_at, due_at, available_at, delivered_at)
     SELECT gen_random_uuid(), alert.id, 'FAILED', (CASE WHEN waits THEN 'PENDING' ELSE 'DELIVERED' END)::delivery_status,
       at, at, at, CASE WHEN NOT waits THEN at END
     FROM generate_series(1, $2::int) AS n JOIN alert ON alert.number = n % ${JOBS} + 1,
       LATERAL (SELECT $1::timestamptz - n * interval '86 s', n < 100) AS past(at, waits)`,
    [START, DELIVERIES],
  );
  await pool.query(
    `INSERT INTO job_execution_rollups (job_id, bucket_minutes, bucket_at, success_count)
     SELECT id, 60, $1::timestamptz - n * interval '1 h', 1 FROM jobs, generate_series(1, 8) AS n
     UNION ALL
     SELECT '00000000-0000-0000-0000-000000000000', 60, $1::timestamptz - n * interval '1 h', 1
     FROM generate_series(1, 50) AS n`,
    [START],
  );
  await pool.query('ANALYZE');
});

afterAll(async () => {
  await pool.end();
  await database.drop();
});

type Used = {
  indexes: string[];
  /** Tables that are read from one end to the other, but for those of a handful of rows. */
  scanned: string[];
};

const LARGE_TABLES = [
  'jobs',
  'job_executions',
  'event_log',
  'job_execution_rollups',
  'job_audit_log',
  'job_alerts',
  'job_alert_deliveries',
];

/** Has the statement planned, not run, as the pool's connections would plan it. */
async function indexesOf(
  mode: 'custom' | 'generic',
  run: (db: Queryable) => Promise<unknown>,
): Promise<Used> {
  const statement = await captured(run);
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query(`SET LOCAL plan_cache_mode = force_${mode}_plan`);
    await client.query(`PREPARE captured AS ${statement.text}`);
    const values = (statement.values ?? []).map(asLiteral);
    const execute = values.length === 0 ? 'captured' : `captured(${values.join(', ')})`;
    const { rows } = await client.query<{ 'QUERY PLAN': { Plan: PlanNode }[] }>(
      `EXPLAIN (FORMAT JSON) EXECUTE ${execute}`,
    );
    return usedBy(nodesOf(rows[0]?.['QUERY PLAN'][0]?.Plan));
  } finally {
    await client.query('ROLLBACK');
    await client.query('DEALLOCATE ALL');
    client.release(true);
  }
}

/** The statement that `run` would send; it is never sent. */
async function captured(run: (db: Queryable) => Promise<unknown>): Promise<Statement> {
  let statement: Statement | undefined;
  const query = (sent: Statement) => {
    statement = sent;
    return Promise.reject(new Error('captured'));
  };
  await run({ query }).catch(() => undefined);
  if (!statement) throw new Error('No statement was sent');
  return statement;
}

/** As node-postgres would send it, but in the text. */
function asLiteral(value: unknown): string {
  if (value === null) return 'NULL';
  if (value instanceof Date) return pg.escapeLiteral(value.toISOString());
  if (Array.isArray(value)) {
    const items = value.map((item: unknown) => (item instanceof Date ? item.toISOString() : String(item)));
    return pg.escapeLiteral(`{${items.join(',')}}`);
  }
  return pg.escapeLiteral(typeof value === 'string' ? value : JSON.stringify(value));
}

type PlanNode = { 'Node Type': string; 'Index Name'?: string; 'Relation Name'?: string; Plans?: PlanNode[] };

function nodesOf(plan: PlanNode | undefined): PlanNode[] {
  return plan ? [plan, ...(plan.Plans ?? []).flatMap(nodesOf)] : [];
}

function usedBy(nodes: PlanNode[]): Used {
  const scans = nodes
    .filter((node) => node['Node Type'] === 'Seq Scan')
    .map((node) => node['Relation Name'] ?? '');
  return {
    indexes: nodes.flatMap((node) => node['Index Name'] ?? []),
    scanned: scans.filter((table) => LARGE_TABLES.includes(table)),
  };
}

const CLAIM = {
  instanceId: 'a',
  now: START,
  leaseExpiresAt: plus(START, LEASE_MS),
  limit: 50,
  busyHosts: new Map([['example.com', 3]]),
  hostLimit: 10,
  look: 'deep',
} as const;

const SLOT = {
  executionId: crypto.randomUUID(),
  version: 1,
  scheduledAt: START,
  availableAt: START,
  nextRunAt: plus(START, 1_000),
  onTimeUntil: plus(START, 60_000),
  priority: 0,
  maxAttempts: 1,
  host: 'a.test',
};

const SETTLEMENT = {
  executionId: crypto.randomUUID(),
  claimSeq: 1,
  status: 'SUCCESS',
  availableAt: null,
  attemptFinishedAt: START,
  attemptDurationMs: 1,
  failureReason: null,
  errorMessage: null,
  responseStatus: 200,
  responseHeaders: null,
  responseBody: null,
  responseTruncated: false,
  timings: null,
  request: null,
  instanceLost: false,
  log: { level: 'INFO', message: 'Done.', metadata: null },
} as const;
