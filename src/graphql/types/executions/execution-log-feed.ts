import { decodePublicId } from '../../../domain/values/public-id.ts';
import type { LogFeedLine } from '../../../events/log-feed.ts';
import { builder } from '../../builder.ts';
import { needs } from '../../roles.ts';
import { clientError } from '../../errors.ts';
import { feedStart } from '../../feed-start.ts';
import { ExecutionLog } from './execution-log.ts';
import { FeedGap } from '../shared/feed-gap.ts';

const ExecutionLogEvent = builder.objectRef<LogFeedLine>('ExecutionLogEvent').implement({
  description: 'A line was written.',
  fields: (t) => ({
    cursor: t.exposeString('cursor', {
      description: 'Pass the last one seen as `after` to resume with nothing lost and nothing repeated.',
    }),
    log: t.expose('log', { type: ExecutionLog, description: 'The line.' }),
  }),
});

const ExecutionLogFeedItem = builder.unionType('ExecutionLogFeedItem', {
  description: 'What the feed of an execution’s log delivers.',
  types: [ExecutionLogEvent, FeedGap],
  resolveType: (item) => (item.type === 'gap' ? 'FeedGap' : 'ExecutionLogEvent'),
});

builder.subscriptionField('executionLogs', (t) =>
  t.field({
    authScopes: needs('VIEWER'),
    type: ExecutionLogFeedItem,
    description:
      'Log lines of one execution: those that exist, then live, until it finishes. NOT_FOUND where there is no such execution, or it is no longer kept.',
    args: {
      executionId: t.arg.id({ required: true, description: 'The execution’s id.' }),
      after: t.arg.string({
        description:
          'Cursor of the last line seen: the feed goes on behind it, or begins with a FeedGap where it cannot.',
      }),
    },
    subscribe: async (_root, { executionId, after }, context) => {
      const id = decodePublicId('Execution', executionId);
      const execution =
        id && (await context.prisma.jobExecution.findUnique({ where: { id }, select: { id: true } }));
      if (!execution) throw clientError('NOT_FOUND', 'executionId: there is no such execution.');
      return await context.events.subscribeToLogs(execution.id, feedStart(after, context));
    },
    resolve: (item) => item,
  }),
);
