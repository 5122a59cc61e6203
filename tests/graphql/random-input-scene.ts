import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { encodePublicId, type PublicIdKind } from '../../src/domain/values/public-id.ts';
import { insertDependency } from '../support/dependencies.ts';
import { insertExecution, insertJob, insertRow } from '../support/rows.ts';
import { digestsOf, tablesOf } from '../support/table-digests.ts';
import { insertJobTags } from '../support/tags.ts';
import type { KnownIds } from './random-input.ts';

/** Some rows of everything that a mutation may name. The database can be reset to this state. */
export interface Scene {
  /** Values that the fields of a mutation may name. */
  idsFor: (mutation: string) => KnownIds;
  digest: () => Promise<Digest>;
  restore: () => Promise<void>;
}

export interface Digest {
  /** Of every table but the logs. */
  state: string;
  audit: string;
  events: string;
}

const AUDIT = ['job_audit_log'];
const EVENTS = ['event_log', 'event_log_state'];

export async function setScene(pool: Pool): Promise<Scene> {
  const ids = await fill(pool);
  const tables = await tablesOf(pool);
  await pool.query(
    `CREATE SCHEMA scene; ${tables.map((table) => `CREATE TABLE scene.${table} AS TABLE ${table}`).join('; ')}`,
  );
  return {
    idsFor: (mutation) => ({ ...ids, id: ids[kindNamedBy(mutation)] ?? [] }),
    digest: () => digestOf(pool, tables),
    restore: async () => {
      const copies = tables.map(
        (table) => `DELETE FROM ${table}; INSERT INTO ${table} OVERRIDING SYSTEM VALUE TABLE scene.${table}`,
      );
      // One message is one transaction. In it no trigger runs, and keys are not checked midway.
      await pool.query(`SET LOCAL session_replication_role = replica; ${copies.join('; ')}`);
    },
  };
}

function kindNamedBy(mutation: string): PublicIdKind {
  if (mutation.includes('Alert')) return 'JobAlert';
  if (mutation.includes('ApiKey')) return 'ApiKey';
  if (mutation.includes('Execution')) return 'Execution';
  return mutation.endsWith('Tag') ? 'Tag' : 'Job';
}

async function digestOf(pool: Pool, tables: readonly string[]): Promise<Digest> {
  const digests = Object.entries(await digestsOf(pool, tables));
  const ofThose = (belongs: (table: string) => boolean) =>
    digests
      .filter(([table]) => belongs(table))
      .map((entry) => entry.join(' '))
      .join('\n');
  return {
    state: ofThose((table) => ![...AUDIT, ...EVENTS].includes(table)),
    audit: ofThose((table) => AUDIT.includes(table)),
    events: ofThose((table) => EVENTS.includes(table)),
  };
}

async function fill(pool: Pool): Promise<KnownIds> {
  const jobs = [
    await insertJob(pool, { key: 'billing/report', schedule: '0 * * * * *', headers: { 'X-Token': 's' } }),
    await insertJob(pool, { status: 'PAUSED', paused_at: new Date(0), concurrency_policy: 'REPLACE' }),
    await insertJob(pool, { concurrency_policy: 'FORBID' }),
  ];
  await insertDependency(pool, jobs[2] ?? '', jobs[1] ?? '');
  const executions: string[] = [];
  for (const [index, status] of (['PENDING', 'RUNNING', 'RETRYING', 'SUCCESS', 'SKIPPED'] as const).entries())
    executions.push(await insertExecution(pool, jobs[index % 3] ?? '', status));
  const letters = [
    await insertExecution(pool, jobs[0] ?? '', 'FAILED'),
    await insertExecution(pool, jobs[1] ?? '', 'FAILED'),
  ];
  await insertJobTags(pool, jobs[0] ?? '', ['x', 'report']);
  const tags = (await pool.query<{ id: string }>('SELECT id FROM job_tags')).rows.map(({ id }) => id);
  const alert = await insertRow(pool, 'job_alerts', {
    id: randomUUID(),
    job_id: jobs[0],
    channel: 'WEBHOOK',
    target: 'http://127.0.0.1:9/',
    events: '{FAILED}',
    created_at: new Date(0),
    updated_at: new Date(0),
  });
  const key = await insertRow(pool, 'api_keys', {
    id: randomUUID(),
    name: 'deploy',
    role: 'EDITOR',
    hash: Buffer.alloc(32),
    created_at: new Date(0),
    created_by: 'ada',
  });
  const encode = (kind: PublicIdKind, uuids: readonly string[]) =>
    uuids.map((id) => encodePublicId(kind, id));
  const jobIds = encode('Job', jobs);
  return {
    jobId: jobIds,
    dependsOnId: jobIds,
    ids: encode('DeadLetter', letters),
    Job: jobIds,
    Execution: encode('Execution', [...executions, ...letters]),
    Tag: encode('Tag', tags),
    JobAlert: encode('JobAlert', [alert['id'] as string]),
    ApiKey: encode('ApiKey', [key['id'] as string]),
  };
}
