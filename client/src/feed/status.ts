import { watchCatchUp } from './catch-up.ts';
import type { FeedStatus } from './feed-reader.ts';

/** Where a feed stands, from what its connection and its events tell. */
export interface Status {
  readonly name: FeedStatus;
  /** Why it has failed, else null. */
  readonly error: Error | null;
  readonly isOver: boolean;
  /** The feed begins now, with nothing to catch up on. */
  begun: () => void;
  cut: () => void;
  /** It goes on behind a cursor. */
  resumed: () => void;
  sawEvent: (event: unknown) => void;
  end: (name: 'ended' | 'failed', error: Error | null) => void;
}

export function createStatus(onChange: (name: FeedStatus, error: Error | null) => void): Status {
  let name: FeedStatus = 'connecting';
  let failure: Error | null = null;
  let newestAt = NaN;
  let stopWatch = (): void => undefined;

  function become(next: FeedStatus): void {
    stopWatch();
    if (next === name) return;
    name = next;
    onChange(name, failure);
  }

  return {
    get name() {
      return name;
    },
    get error() {
      return failure;
    },
    get isOver() {
      return name === 'ended' || name === 'failed';
    },
    begun: () => {
      become('live');
    },
    cut: () => {
      become('connecting');
    },
    resumed: () => {
      become('catchingUp');
      stopWatch = watchCatchUp(
        () => newestAt,
        () => {
          become('live');
        },
      );
    },
    sawEvent: (event) => {
      newestAt = Date.parse(String((event as { at?: unknown }).at));
    },
    end: (last, error) => {
      failure = error;
      become(last);
    },
  };
}
