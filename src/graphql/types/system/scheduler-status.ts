import { listOf } from '../../answer-sizes.ts';
import type { SchedulerInstance as InstanceRow } from '../../../generated/prisma/client.ts';
import { ENDED_KEPT_HOURS, SILENT_INTERVALS } from '../../../domain/metrics/instance.ts';
import { builder } from '../../builder.ts';
import { needs } from '../../roles.ts';

/** Rows of instances that ended are deleted after a while; this many are beyond any real cluster. */
const MAX_INSTANCES = 1_000;

interface StatusShape {
  instances: (InstanceRow & { alive: boolean })[];
  nextRunAt: Date | null;
  dueJobs: number;
}

const SchedulerInstance = builder.objectRef<InstanceRow & { alive: boolean }>('SchedulerInstance').implement({
  description: 'A process that runs, or ran, the scheduler.',
  fields: (t) => ({
    instanceId: t.exposeString('instanceId', { description: 'Its name, new with each start.' }),
    hostname: t.exposeString('hostname', { description: 'The machine that it runs on.' }),
    startedAt: t.expose('startedAt', { type: 'DateTime', description: 'When it started.' }),
    lastHeartbeatAt: t.expose('lastHeartbeatAt', {
      type: 'DateTime',
      description: 'When it last said that it lives.',
    }),
    alive: t.exposeBoolean('alive', {
      description: `Whether it has neither stopped nor been silent for ${SILENT_INTERVALS} heartbeat intervals.`,
    }),
    runningExecutions: t.exposeInt('runningExecutions', {
      description: 'Calls that it had in flight at its last heartbeat.',
    }),
    version: t.exposeString('version', { description: 'Version of the scheduler.' }),
  }),
});

const SchedulerStatus = builder.objectRef<StatusShape>('SchedulerStatus').implement({
  description: 'The schedulers that share this database, and what is due.',
  fields: (t) => ({
    instances: t.expose('instances', {
      extensions: listOf(1_000),
      type: [SchedulerInstance],
      description: `Newest first, ${MAX_INSTANCES} at most; one that has stopped, or has fallen silent, is shown for ${ENDED_KEPT_HOURS} hours after.`,
    }),
    nextRunAt: t.expose('nextRunAt', {
      type: 'DateTime',
      nullable: true,
      description: 'The earliest next run of all jobs; null where none has one.',
    }),
    dueJobs: t.exposeInt('dueJobs', { description: 'Jobs whose next run has come and is not planned yet.' }),
    oldestDueAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'The earliest of those runs; null where none is due.',
      resolve: ({ dueJobs, nextRunAt }) => (dueJobs > 0 ? nextRunAt : null),
    }),
  }),
});

builder.queryField('schedulerStatus', (t) =>
  t.field({
    authScopes: needs('VIEWER'),
    type: SchedulerStatus,
    description: 'The schedulers that share this database, and what is due.',
    resolve: async (_root, _args, { prisma, clock, heartbeatIntervalMs }) => {
      const now = clock.now();
      const silentSince = new Date(now.getTime() - SILENT_INTERVALS * heartbeatIntervalMs);
      const [instances, next, dueJobs] = await Promise.all([
        prisma.schedulerInstance.findMany({ orderBy: { startedAt: 'desc' }, take: MAX_INSTANCES }),
        // One step in an index, which an aggregate of Prisma is not.
        prisma.job.findFirst({
          where: { nextRunAt: { not: null } },
          orderBy: { nextRunAt: 'asc' },
          select: { nextRunAt: true },
        }),
        prisma.job.count({ where: { nextRunAt: { lte: now } } }),
      ]);
      return {
        instances: instances.map((instance) => ({ ...instance, alive: isAlive(instance, silentSince) })),
        nextRunAt: next?.nextRunAt ?? null,
        dueJobs,
      };
    },
  }),
);

function isAlive({ stoppedAt, lostAt, lastHeartbeatAt }: InstanceRow, silentSince: Date): boolean {
  return stoppedAt === null && lostAt === null && lastHeartbeatAt >= silentSince;
}
