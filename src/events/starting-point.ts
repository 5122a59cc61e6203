import { decodeCursor } from './cursor.ts';
import type { FeedGap } from './feed.ts';
import { gapTo } from './items.ts';
import type { LogChunks } from './log-chunks.ts';
import type { TailView } from './log-view.ts';

/** Where a subscriber begins, and the gap that it gets first where events behind its cursor are lost. */
export async function startingPoint(
  { epoch, window }: TailView,
  after: string | null,
  chunks: LogChunks,
): Promise<{ position: bigint; gap: FeedGap | null }> {
  const { tip, floor } = window;
  if (after === null) return { position: tip, gap: null };
  const cursor = decodeCursor(after);
  const lost = (reason: FeedGap['reason']) => ({
    position: tip,
    gap: gapTo(reason, after, { epoch, position: tip }),
  });
  if (cursor?.epoch !== epoch || cursor.position > tip) return lost('CURSOR_INVALID');
  if (cursor.position >= floor) return { position: cursor.position, gap: null };
  const { prunedThrough } = (await chunks.behind(cursor.position, tip)).state;
  return cursor.position < prunedThrough ? lost('CURSOR_EXPIRED') : { position: cursor.position, gap: null };
}
