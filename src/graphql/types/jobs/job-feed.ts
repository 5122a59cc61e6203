import { queryFromInfo } from '@pothos/plugin-prisma';
import type { FeedEvent } from '../../../events/feed.ts';
import { builder } from '../../builder.ts';
import { needs } from '../../roles.ts';
import { clientError } from '../../errors.ts';
import { feedStart } from '../../feed-start.ts';
import { jobEventMatches, readJobWhere } from '../../filters/job-where.ts';
import { BAD_FILTER, JOB_NOT_KEPT } from '../shared/error-texts.ts';
import { EVENT_CURSOR, FEED_AFTER, feedItem } from '../shared/feed-item.ts';
import { JobWhere } from '../shared/filter-inputs.ts';
import { Job } from './job.ts';
import { JobEventKind } from './job-enums.ts';

type JobEventName = typeof JobEventKind.$inferType;

const JobEvent = builder.objectRef<FeedEvent>('JobEvent').implement({
  description:
    'A job was changed. `kind` and `at` tell of that moment; `job` is read when the event is delivered.',
  fields: (t) => ({
    cursor: t.exposeString('cursor', { description: EVENT_CURSOR }),
    kind: t.field({
      type: JobEventKind,
      description: 'What was done to it.',
      resolve: ({ event }) => event.kind.slice('JOB_'.length) as JobEventName,
    }),
    at: t.field({ type: 'DateTime', description: 'When it was done.', resolve: ({ event }) => event.at }),
    job: t.field({
      type: Job,
      description: `The job as it is now, which may be further on than this event; a deleted one too. ${JOB_NOT_KEPT}.`,
      resolve: async ({ event }, _args, context, info) => {
        const { select } = queryFromInfo({ context, info, select: { id: true } });
        const key = { id: event.jobId ?? '', select };
        const job = await context.events.readForEvent(() => context.jobLoader.load(key));
        if (job === null) throw clientError('NOT_FOUND', 'The job is no longer kept.');
        return job;
      },
    }),
  }),
});

const JobFeedItem = feedItem('JobFeedItem', 'What the feed of jobs delivers.', JobEvent);

builder.subscriptionField('jobEvents', (t) =>
  t.field({
    authScopes: needs('VIEWER'),
    type: JobFeedItem,
    description: `Live changes of jobs, deletions included; their runs change no job, see \`executionEvents\`. Without \`after\`, from now on. ${BAD_FILTER}.`,
    args: {
      where: t.arg({ type: JobWhere, description: 'Only events of jobs that are so after the change.' }),
      after: t.arg.string({ description: FEED_AFTER }),
    },
    subscribe: (_root, { where, after }, context) => {
      const condition = readJobWhere(where);
      const start = feedStart(after, context);
      return context.events.subscribe({ after: start, filter: (event) => jobEventMatches(event, condition) });
    },
    resolve: (item) => item,
  }),
);
