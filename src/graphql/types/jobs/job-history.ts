import { listOf } from '../../answer-sizes.ts';
import type { JobExecution, Prisma } from '../../../generated/prisma/client.ts';
import { filteredPage } from '../../connection/filtered-page.ts';
import { builder } from '../../builder.ts';
import { needs } from '../../roles.ts';
import type { GraphqlContext } from '../../context.ts';
import { rowsOfOwners } from '../../loaders/rows-of-owners.ts';
import { rowSelection } from '../../row-selection.ts';
import { AuditLogConnection, auditPageOfJob } from '../audit/audit-log-connection.ts';
import { AuditLogEntry } from '../audit/audit-log-entry.ts';
import { BAD_FILTERED_LIST_ARGUMENT, BAD_LIST_ARGUMENT } from '../shared/error-texts.ts';
import { Execution } from '../executions/execution.ts';
import { ExecutionConnection, executionPageOfJob } from '../executions/execution-connection.ts';
import { ExecutionWhere } from '../shared/filter-inputs.ts';
import { JobMetrics } from './job-metrics.ts';
import { MetricsWindow } from '../system/metrics.ts';
import { ExecutionOrder } from '../shared/order-inputs.ts';

import { Job } from './job.ts';

/** What a job has done, and what it waits for. */
builder.prismaObjectFields(Job, (t) => ({
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
      authScopes: needs('ADMIN'),
      type: AuditLogEntry,
      description: `Who did what to it, newest first. An entry is kept for AUDIT_RETENTION_DAYS. Those of all jobs of an answer are read together. ${BAD_LIST_ARGUMENT}.`,
      resolve: ({ id }, args, context, info) => auditPageOfJob(id, args, context, info),
    },
    AuditLogConnection,
  ),
}));

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
