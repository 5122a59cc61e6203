import { listOf, longestBytes, longestHeaders, longestText, longestUrl } from '../../answer-sizes.ts';
import { HEADER_LIMITS } from '../../../domain/request/header-rules.ts';
import { MAX_TARGET_URL_LENGTH } from '../../../domain/request/target-url.ts';
import { type SlotFacts, slotRuleOf, upcomingRuns } from '../../../domain/schedule/job-slots.ts';
import { JOB_LIMITS } from '../../../domain/job/job-limits.ts';
import { describeSchedule } from '../../../domain/schedule/schedule-preview.ts';
import { maskHeaders, maskUrl } from '../../../domain/request/secrets.ts';
import type { JobExecution, Prisma } from '../../../generated/prisma/client.ts';
import { filteredPage } from '../../connection/filtered-page.ts';
import { builder } from '../../builder.ts';
import type { GraphqlContext } from '../../context.ts';
import { rowsOfOwners } from '../../loaders/rows-of-owners.ts';
import { rowSelection } from '../../row-selection.ts';
import { wholeNumber } from '../../whole-number.ts';
import { AuditLogConnection, auditPageOfJob } from '../audit/audit-log-connection.ts';
import { AuditLogEntry } from '../audit/audit-log-entry.ts';
import { BAD_ARGUMENT, BAD_FILTERED_LIST_ARGUMENT, BAD_LIST_ARGUMENT } from '../shared/error-texts.ts';
import { Execution } from '../executions/execution.ts';
import { ExecutionConnection, executionPageOfJob } from '../executions/execution-connection.ts';
import { ExecutionWhere } from '../shared/filter-inputs.ts';
import {
  DstGapPolicy,
  DstOverlapPolicy,
  HttpMethod,
  JobCompletion,
  JobStatus,
  JobType,
  MisfirePolicy,
  ConcurrencyPolicy,
} from './job-enums.ts';
import { JobMetrics } from './job-metrics.ts';
import { MetricsWindow } from '../system/metrics.ts';
import { ExecutionOrder } from '../shared/order-inputs.ts';
import { retryPolicyOf } from '../../../domain/execution/retry-policy-columns.ts';
import { POLICY_COLUMNS, RetryPolicy } from './retry-policy.ts';

const MAX_UPCOMING_RUNS = 100;

const SLOT_COLUMNS = {
  schedule: true,
  timezone: true,
  runAt: true,
  startAt: true,
  endAt: true,
  dstGapPolicy: true,
  dstOverlapPolicy: true,
  createdAt: true,
} as const satisfies Record<keyof SlotFacts, true>;

export const Job = builder.prismaNode('Job', {
  id: { field: 'id' },
  nullable: true,
  description: 'A request, and when it is to be made.',
  select: { id: true },
  fields: (t) => ({
    key: t.exposeString('key', {
      extensions: longestBytes(JOB_LIMITS.key.max + 2),
      nullable: true,
      description:
        'Unique name of the owner’s choosing, for upserts and files; free again once the job is deleted.',
    }),
    name: t.exposeString('name', {
      extensions: longestText(JOB_LIMITS.name.max),
      description: 'A name for people.',
    }),
    description: t.exposeString('description', {
      extensions: longestText(JOB_LIMITS.description.max),
      nullable: true,
      description: 'What it is for.',
    }),
    status: t.expose('status', { type: JobStatus, description: 'Whether it fires.' }),
    type: t.expose('type', {
      type: JobType,
      description: 'What is promised when a process dies during a call.',
    }),
    schedule: t.exposeString('schedule', {
      nullable: true,
      description:
        'Cron with 6 fields (seconds first) or 5, a nickname such as @hourly, or @every 90s; null: runs once at `runAt`, or when it is triggered.',
    }),
    scheduleDescription: t.string({
      extensions: longestText(500),
      nullable: true,
      description: 'The schedule, or `runAt`, as an English sentence.',
      select: SLOT_COLUMNS,
      resolve: (job) => {
        const rule = slotRuleOf(job);
        return rule && describeSchedule(rule.schedule);
      },
    }),
    timezone: t.exposeString('timezone', {
      description: 'IANA name of the zone that the schedule is read in.',
    }),
    runAt: t.expose('runAt', {
      type: 'DateTime',
      nullable: true,
      description: 'One-off run at this instant, instead of a schedule.',
    }),
    startAt: t.expose('startAt', {
      type: 'DateTime',
      nullable: true,
      description: 'No slot lies before it.',
    }),
    endAt: t.expose('endAt', { type: 'DateTime', nullable: true, description: 'No slot lies after it.' }),
    jitterMs: t.exposeInt('jitterMs', {
      description:
        'Each slot’s call is put off by up to this many milliseconds, by the same amount on every instance.',
    }),
    api: t.string({
      extensions: longestUrl(MAX_TARGET_URL_LENGTH),
      description: 'The URL that is called; passwords and secret parameters are shown as `***`.',
      select: { api: true },
      resolve: ({ api }) => maskUrl(api),
    }),
    method: t.expose('method', { type: HttpMethod, description: 'The method of the call.' }),
    headers: t.field({
      extensions: longestHeaders(JOB_LIMITS.headersBytes, HEADER_LIMITS.count),
      type: 'JSON',
      description:
        'Headers of the call, an object of names and values. Values of headers that carry credentials are shown as `***`; written back by an update, that leaves them as they are.',
      select: { headers: true },
      resolve: ({ headers }) => maskHeaders(headers as Record<string, string>),
    }),
    body: t.field({
      extensions: longestBytes(JOB_LIMITS.bodyBytes),
      type: 'JSON',
      nullable: true,
      description: 'Body of the call: a text is sent as it is, any other value as JSON; null sends none.',
      select: { body: true },
      resolve: ({ body }) => body,
    }),
    timeoutMs: t.exposeInt('timeoutMs', { description: 'How long one attempt may take, in milliseconds.' }),
    successStatuses: t.exposeStringList('successStatuses', {
      description: 'Statuses that count as success, such as 200 or 2xx.',
    }),
    completion: t.expose('completion', {
      type: JobCompletion,
      description: 'What makes an attempt a success: the answer, or a callback after it.',
    }),
    completionTimeoutMs: t.exposeInt('completionTimeoutMs', {
      description:
        'How long after the answer a callback is awaited, in milliseconds; of no effect without CALLBACK.',
    }),
    retryPolicy: t.field({
      type: RetryPolicy,
      nullable: true,
      description: 'How failed attempts are repeated; null: a failed attempt is final.',
      select: POLICY_COLUMNS,
      resolve: retryPolicyOf,
    }),
    concurrencyPolicy: t.expose('concurrencyPolicy', {
      type: ConcurrencyPolicy,
      description: 'What happens when a run is due while earlier ones are not finished.',
    }),
    maxConcurrency: t.exposeInt('maxConcurrency', {
      nullable: true,
      description: 'Executions that may be unfinished at once; null: one, or any number under ALLOW.',
    }),
    misfirePolicy: t.expose('misfirePolicy', {
      type: MisfirePolicy,
      description: 'What happens to missed slots.',
    }),
    misfireGraceMs: t.exposeInt('misfireGraceMs', {
      description: 'A slot counts as missed when it is served later than this many milliseconds.',
    }),
    dstGapPolicy: t.expose('dstGapPolicy', {
      type: DstGapPolicy,
      description: 'What happens to slots in a skipped hour.',
    }),
    dstOverlapPolicy: t.expose('dstOverlapPolicy', {
      type: DstOverlapPolicy,
      description: 'What happens to slots in a repeated hour.',
    }),
    priority: t.exposeInt('priority', {
      description:
        'Of executions that are due, those with the higher priority start first; those with trigger CATCH_UP after all others.',
    }),
    nextRunAt: t.expose('nextRunAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Its next slot; null unless it is ACTIVE and has one.',
    }),
    upcomingRuns: t.field({
      type: ['DateTime'],
      description: `Its next slots from now, those that were left out not among them; empty unless it is ACTIVE. ${BAD_ARGUMENT}.`,
      args: {
        count: t.arg.int({
          defaultValue: 5,
          description: `How many, 1 to ${MAX_UPCOMING_RUNS}.`,
          validate: wholeNumber(1, MAX_UPCOMING_RUNS),
        }),
      },
      select: { ...SLOT_COLUMNS, id: true, status: true },
      resolve: async (job, { count }, { clock, skippedSlots }) => {
        if (job.status !== 'ACTIVE') return [];
        return upcomingRuns(job, clock.now(), count ?? 5, await skippedSlots.load(job.id));
      },
    }),
    pausedAt: t.expose('pausedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Since when it is paused.',
    }),
    pausedUntil: t.expose('pausedUntil', {
      type: 'DateTime',
      nullable: true,
      description:
        'When it goes on by itself, with the first slot behind it; null: when somebody resumes it. Slots that come before the job is taken up, late for an outage, are up to its `misfirePolicy`.',
    }),
    pauseReason: t.exposeString('pauseReason', {
      extensions: longestText(JOB_LIMITS.pauseReason.max),
      nullable: true,
      description: 'Why it is paused.',
    }),
    pausedBy: t.exposeString('pausedBy', { nullable: true, description: 'Who paused it.' }),
    lastExecution: t.loadable({
      type: Execution,
      nullable: true,
      description:
        'Its newest execution, whatever its status, but for slots to come that were left out; null where it never had one.',
      byPath: true,
      // A subscription keeps its context, and what is newest changes.
      loaderOptions: { cache: false },
      load: (jobIds: string[], context, _args, info) =>
        readLastExecutions(context, jobIds, rowSelection(context, info, { id: true })),
      resolve: ({ id }, _args, context, info) => {
        // Of each row, not of the batch alone.
        rowSelection(context, info, { id: true });
        return id;
      },
    }),
    executions: t.connection(
      {
        type: Execution,
        description: `Its executions, newest first unless \`orderBy\` says otherwise. Those of all jobs of an answer are read together. ${BAD_FILTERED_LIST_ARGUMENT}.`,
        args: {
          where: t.arg({ type: ExecutionWhere, description: 'Only these.' }),
          orderBy: t.arg({
            type: [ExecutionOrder],
            description: 'How to sort them, first key first; 4 keys at most.',
          }),
        },
        resolve: ({ id }, args, context, info) =>
          filteredPage(
            args.where,
            context,
            executionPageOfJob(id, args, context, info),
            (args.orderBy ?? []).length > 0,
          ),
      },
      ExecutionConnection,
    ),
    metrics: t.field({
      type: JobMetrics,
      description: 'Figures of its executions that ended within a window.',
      args: {
        window: t.arg({ type: MetricsWindow, defaultValue: 'LAST_24H', description: 'Over which span.' }),
      },
      resolve: ({ id }, { window }) => ({ jobId: id, window: window ?? 'LAST_24H' }),
    }),
    dependencies: t.relation('dependencies', {
      extensions: listOf(25),
      description: 'What it waits for, oldest first; 100 at most.',
      query: { orderBy: [{ createdAt: 'asc' }, { id: 'asc' }] },
    }),
    dependents: t.relation('dependents', {
      extensions: listOf(25),
      description: 'What waits for it, oldest first.',
      query: { orderBy: [{ createdAt: 'asc' }, { id: 'asc' }] },
    }),
    auditLog: t.connection(
      {
        type: AuditLogEntry,
        description: `What was done to it and by whom, newest first. An entry is kept for AUDIT_RETENTION_DAYS. Those of all jobs of an answer are read together. ${BAD_LIST_ARGUMENT}.`,
        resolve: ({ id }, args, context, info) => auditPageOfJob(id, args, context, info),
      },
      AuditLogConnection,
    ),
    version: t.exposeInt('version', {
      description: 'Rises by one with each change; pass it as expectedVersion to refuse a lost update.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was created.' }),
    updatedAt: t.expose('updatedAt', {
      type: 'DateTime',
      description: 'When it was last changed; its runs change nothing.',
    }),
    deletedAt: t.expose('deletedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was deleted.',
    }),
  }),
});

/** The newest execution of each job, in the order of the jobs; null for one that never had any. */
async function readLastExecutions(
  { clock, latestExecutionIds, prisma }: GraphqlContext,
  jobIds: readonly string[],
  select: Prisma.JobExecutionSelect,
): Promise<(JobExecution | null)[]> {
  const rows = await rowsOfOwners(
    await latestExecutionIds(jobIds, 1, clock.now()),
    (ids) =>
      prisma.jobExecution.findMany({ where: { id: { in: ids } }, select }) as unknown as Promise<
        JobExecution[]
      >,
  );
  return jobIds.map((jobId) => rows.get(jobId)?.[0] ?? null);
}
