import { queryFromInfo } from '@pothos/plugin-prisma';
import { mentions } from '../../../domain/values/condition.ts';
import type { FeedEvent } from '../../../events/feed.ts';
import { builder } from '../../builder.ts';
import { needs } from '../../roles.ts';
import { clientError } from '../../errors.ts';
import { feedStart } from '../../feed-start.ts';
import { eventMatches, readExecutionWhere } from '../../filters/execution-where.ts';
import { BAD_FILTER, EXECUTION_NOT_KEPT } from '../shared/error-texts.ts';
import { Execution } from './execution.ts';
import { ExecutionEventKind, ExecutionStatus } from './execution-enums.ts';
import { EVENT_CURSOR, FEED_AFTER, feedItem } from '../shared/feed-item.ts';
import { ExecutionWhere } from '../shared/filter-inputs.ts';

type ExecutionEventName = typeof ExecutionEventKind.$inferType;

const ExecutionEvent = builder.objectRef<FeedEvent>('ExecutionEvent').implement({
  description:
    'An execution moved. Its own fields tell of that moment; `execution` is read when the event is delivered.',
  fields: (t) => ({
    cursor: t.exposeString('cursor', { description: EVENT_CURSOR }),
    kind: t.field({
      type: ExecutionEventKind,
      description: 'How it moved.',
      resolve: ({ event }) => event.kind.slice('EXECUTION_'.length) as ExecutionEventName,
    }),
    at: t.field({ type: 'DateTime', description: 'When it moved.', resolve: ({ event }) => event.at }),
    status: t.field({
      type: ExecutionStatus,
      description: 'Where it stood after it.',
      resolve: ({ event }) => known(event.status),
    }),
    previousStatus: t.field({
      type: ExecutionStatus,
      nullable: true,
      description: 'Where it stood before; null where it came into being.',
      resolve: ({ event }) => event.previousStatus,
    }),
    attempt: t.int({
      nullable: true,
      description:
        'The attempt that this is about, from 1; null before the first one. One that was given back without a call is none: after its start, this is one less again.',
      resolve: ({ event }) => event.attempt,
    }),
    execution: t.field({
      type: Execution,
      description: `The execution as it is now, which may be further on than this event. ${EXECUTION_NOT_KEPT}.`,
      resolve: async ({ event }, _args, context, info) => {
        const { select } = queryFromInfo({ context, info, select: { id: true } });
        const key = { id: known(event.executionId), select };
        const execution = await context.events.readForEvent(() => context.executionLoader.load(key));
        if (execution === null) throw clientError('NOT_FOUND', 'The execution is no longer kept.');
        return execution;
      },
    }),
  }),
});

const ExecutionFeedItem = feedItem(
  'ExecutionFeedItem',
  'What the feed of executions delivers.',
  ExecutionEvent,
);

builder.subscriptionField('executionEvents', (t) =>
  t.field({
    authScopes: needs('VIEWER'),
    type: ExecutionFeedItem,
    description: `Live status of executions. Without \`after\`, from now on. ${BAD_FILTER}.`,
    args: {
      where: t.arg({
        type: ExecutionWhere,
        description: 'Only events of executions that are so at that moment.',
      }),
      after: t.arg.string({ description: FEED_AFTER }),
    },
    subscribe: (_root, { where, after }, context) => {
      const condition = readExecutionWhere(where);
      return context.events.subscribe({
        after: feedStart(after, context),
        filter: (event, tags) => eventMatches(event, condition, tags),
        usesTags: mentions(condition, 'tags'),
      });
    },
    resolve: (item) => item,
  }),
);

/** What the log holds for every event of an execution. */
function known<T>(value: T | null): T {
  if (value === null) throw new Error('An event of an execution lacks a fact that all of them have');
  return value;
}
