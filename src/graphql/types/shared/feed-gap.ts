import type { FeedGap as FeedGapShape } from '../../../events/feed.ts';
import { builder } from '../../builder.ts';

const FeedGapReason = builder.enumType('FeedGapReason', {
  description: 'Why a feed cannot go on behind a cursor.',
  values: {
    CURSOR_EXPIRED: { description: 'What came after it is no longer kept.' },
    CURSOR_INVALID: { description: 'It is none, or was given out by another state of the database.' },
  } as const,
});

export const FeedGap = builder.objectRef<FeedGapShape>('FeedGap').implement({
  description:
    'Events between the two cursors are no longer kept: read the current state, then go on from toCursor.',
  fields: (t) => ({
    reason: t.expose('reason', { type: FeedGapReason, description: 'Why.' }),
    fromCursor: t.exposeString('fromCursor', { nullable: true, description: 'The cursor that was given.' }),
    toCursor: t.exposeString('toCursor', { description: 'The feed goes on behind this one.' }),
  }),
});
