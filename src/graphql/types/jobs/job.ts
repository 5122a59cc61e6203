import { longestBytes, longestText } from '../../answer-sizes.ts';
import { JOB_LIMITS } from '../../../domain/job/job-limits.ts';
import { builder } from '../../builder.ts';
import { JobStatus, JobType } from './job-enums.ts';

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
