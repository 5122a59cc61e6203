import type { GraphqlContext } from './context.ts';

/**
 * The cursor that a feed begins behind; null: from now on. An EventSource reconnects with the query that it began with,
 * `after` included, and names the last event that it has seen since.
 */
export function feedStart(
  after: string | null | undefined,
  { lastEventId }: Pick<GraphqlContext, 'lastEventId'>,
): string | null {
  return lastEventId ?? after ?? null;
}
