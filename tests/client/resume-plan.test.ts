import { parse } from 'graphql';
import { describe, expect, it } from 'vitest';
import { planResume } from '../../client/src/resume-plan.ts';

const plan = (text: string, operationName?: string) => planResume(parse(text), operationName);
const WHOLE = '... on ExecutionEvent { cursor } ... on FeedGap { toCursor }';
const AS_WRITTEN = {
  kind: 'feed',
  field: 'executionEvents',
  after: 'after',
  item: 'executionEvents',
  cursor: 'cursor',
  toCursor: 'toCursor',
};

describe('how a subscription resumes', () => {
  it('is derived from its document', () => {
    expect(plan(`subscription ($after: String) { executionEvents(after: $after) { ${WHOLE} } }`)).toEqual(
      AS_WRITTEN,
    );
  });

  it('is found behind named and inline fragments, also around the field itself', () => {
    const text = `
      subscription ($after: String) { ...Root }
      fragment Root on Subscription { ... { executionEvents(after: $after) { ...Item } } }
      fragment Item on ExecutionFeedItem { ...Event ... on FeedGap { reason ... { toCursor } } }
      fragment Event on ExecutionEvent { kind cursor }`;
    expect(plan(text)).toEqual(AS_WRITTEN);
  });

  it('follows aliases and the variable’s own name', () => {
    const text = `subscription ($from: String) {
      moves: executionEvents(after: $from, where: {}) {
        ... on ExecutionEvent { at: cursor } ... on FeedGap { to: toCursor }
      }
    }`;
    const names = { after: 'from', item: 'moves', cursor: 'at', toCursor: 'to' };
    expect(plan(text)).toEqual({ ...AS_WRITTEN, ...names });
  });

  it('is the plan of the operation that runs', () => {
    const text = `
      query Jobs { jobs { totalCount } }
      subscription Logs($after: String) {
        executionLogs(executionId: "e", after: $after) {
          ... on ExecutionLogEvent { cursor } ... on FeedGap { toCursor }
        }
      }
      subscription Events($after: String) { executionEvents(after: $after) { ${WHOLE} } }`;
    expect(plan(text)).toEqual({ kind: 'plain' });
    expect(plan(text, 'Logs')).toMatchObject({ field: 'executionLogs' });
    expect(plan(text, 'Events')).toMatchObject({ field: 'executionEvents' });
    expect(plan(text, 'Others')).toEqual({ kind: 'plain' });
  });

  it('works for a feed that is newer than this client', () => {
    const text = `subscription ($after: String) {
      alertEvents(after: $after) { ... on AlertEvent { cursor } ... on FeedGap { toCursor } }
    }`;
    expect(plan(text)).toMatchObject({ kind: 'feed', field: 'alertEvents' });
  });

  it.each(['subscription { systemMetrics { totalJobs } }', '{ jobs(after: "x") { totalCount } }'])(
    'is plain for a document that is not a feed: %s',
    (text) => {
      expect(plan(text)).toEqual({ kind: 'plain' });
    },
  );

  it.each([
    ['no after', `subscription { executionEvents { ${WHOLE} } }`, /pass a variable as `after`/],
    [
      'a fixed after',
      `subscription { executionEvents(after: "x") { ${WHOLE} } }`,
      /pass a variable as `after`/,
    ],
    [
      'no cursor',
      'subscription ($a: String) { executionEvents(after: $a) { ... on FeedGap { toCursor } } }',
      /select `cursor` of its events;/,
    ],
    [
      'no gap',
      'subscription ($a: String) { executionEvents(after: $a) { ... on ExecutionEvent { cursor } } }',
      /select `... on FeedGap { toCursor }`;/,
    ],
    [
      'a cursor that may be left out',
      `subscription ($a: String, $if: Boolean!) { executionEvents(after: $a) {
        ... on ExecutionEvent { cursor @include(if: $if) } ... on FeedGap { toCursor }
      } }`,
      /select `cursor` of its events;/,
    ],
    [
      'one name for both cursors',
      `subscription ($a: String) { executionEvents(after: $a) {
        ... on ExecutionEvent { to: cursor } ... on FeedGap { to: toCursor }
      } }`,
      /different names/,
    ],
    [
      'nothing at all',
      'subscription Deaf { executionEvents { __typename } }',
      /subscription Deaf could lose events.* `after`, and select `cursor`.*, and select `... on FeedGap/,
    ],
  ])('is refused with %s', (_case, text, reason) => {
    expect(plan(text)).toEqual({ kind: 'refused', reason: expect.stringMatching(reason) as string });
  });
});
