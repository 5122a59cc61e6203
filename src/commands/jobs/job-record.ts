import { isDeepStrictEqual } from 'node:util';
import type { PoolClient } from 'pg';
import { maskBody } from '../../domain/request/masked-body.ts';
import { maskHeaders, maskUrl } from '../../domain/request/secrets.ts';
import type { NewAuditEntry } from '../../store/events/audit-log.ts';
import type { NewEvent } from '../../store/events/append-events.ts';
import { recordChanges, type ChangeRecord } from '../../store/executions/recording.ts';
import type { StoredJob } from '../../store/jobs/jobs.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';

/** What the scheduler moves by itself; it is no news in an audit log. */
const BOOKKEEPING: ReadonlySet<string> = new Set(['id', 'version', 'createdAt', 'updatedAt', 'nextRunAt']);

/** Names of the fields by which two states of a job differ, bookkeeping left out. */
export function changedFields(before: StoredJob, after: StoredJob): (keyof StoredJob)[] {
  const fields = Object.keys(after) as (keyof StoredJob)[];
  return fields.filter((field) => !BOOKKEEPING.has(field) && !isDeepStrictEqual(before[field], after[field]));
}

export interface JobRecord {
  action: NewAuditEntry['action'];
  before: StoredJob | null;
  after: StoredJob;
  now: Date;
  /** Told in this order, after `events`. */
  kinds: readonly NewEvent['kind'][];
  /** What happened to executions on the way. */
  events?: readonly NewEvent[];
}

/**
 * Writes down a change of a job: audit entry, then events. Must be the transaction's last step, because the event
 * log's lock is to be the last one taken.
 */
export async function recordJobChange(
  tx: PoolClient,
  deps: CommandDeps,
  by: Caller,
  record: JobRecord,
): Promise<void> {
  await recordJobChanges(tx, deps, by, [record]);
}

/**
 * The same for changes of many jobs: one statement, whatever their number.
 *
 * @param events what happened to executions on the way, beside what the records tell of themselves
 */
export async function recordJobChanges(
  tx: PoolClient,
  deps: CommandDeps,
  by: Caller,
  records: readonly JobRecord[],
  events: readonly NewEvent[] = [],
): Promise<void> {
  const { audit, events: ofRecords } = changeRecordOf(deps, by, records);
  await recordChanges(tx, { audit, events: [...events, ...ofRecords] });
}

/** The events of changes of jobs. */
export function changeRecordOf(deps: CommandDeps, by: Caller, records: readonly JobRecord[]): ChangeRecord {
  return {
    audit: records.map((record) => auditEntryOf(deps, by, record)),
    events: records.flatMap(eventsOf),
  };
}

/** What happened to executions on the way, then the change itself. */
export function eventsOf({ kinds, before, after, now, events = [] }: JobRecord): NewEvent[] {
  // Only the first event of a change names the tags that have changed.
  const changes = kinds.map((kind, index) => jobEvent(kind, after, now, index === 0 ? before : after));
  return [...events, ...changes];
}

/** The audit entry of a change. */
export function auditEntryOf(
  deps: CommandDeps,
  by: Caller,
  { action, before, after, now }: JobRecord,
): NewAuditEntry {
  const fields = before === null ? presentFields(after) : changedFields(before, after);
  return {
    id: deps.newId(now),
    at: now,
    action,
    actor: by.actor,
    jobId: after.id,
    before: before && pick(before, fields),
    after: pick(after, fields),
    requestId: by.requestId,
    address: by.address,
  };
}

/**
 * A job event, with all that a filter may ask of the job at that moment.
 *
 * @param before the job before this event; null where it is new
 */
export function jobEvent(
  kind: NewEvent['kind'],
  job: StoredJob,
  at: Date,
  before: StoredJob | null,
): NewEvent {
  const { key, name, status, api, nextRunAt, createdAt, tags } = job;
  const previousTags = before?.tags ?? [];
  const change = isDeepStrictEqual(previousTags, tags) ? {} : { previousTags };
  return {
    at,
    kind,
    jobId: job.id,
    data: { key, name, status, api: maskUrl(api), nextRunAt, createdAt, tags, ...change },
  };
}

function presentFields(job: StoredJob): (keyof StoredJob)[] {
  return (Object.keys(job) as (keyof StoredJob)[]).filter(
    (field) => !BOOKKEEPING.has(field) && job[field] !== null,
  );
}

function pick(job: StoredJob, fields: readonly (keyof StoredJob)[]): Record<string, unknown> {
  const shown: StoredJob = {
    ...job,
    headers: maskHeaders(job.headers),
    api: maskUrl(job.api),
    body: maskBody(job.body),
  };
  return Object.fromEntries(fields.map((field) => [field, shown[field]]));
}
