import { backoffMs, type Backoff } from './backoff.ts';
import { kindOfEnd, shownReason, TRIES_AFTER, type EndKind, type EndReason } from './endings.ts';
import type { FeedPosition } from './feed-position.ts';
import type { Result, Sink } from './sink.ts';

export interface FollowOptions<Data> {
  /** Subscribes once, over one connection. Its sink hears of the end, whatever came to it. */
  subscribe: (sink: {
    next: (result: Result<Data>) => void;
    error: (reason: EndReason) => void;
    complete: () => void;
  }) => () => void;
  /** Null for what has no place to go on from. */
  position: FeedPosition | null;
  /** Whether the server may say that there is nothing more to come. */
  hasEnd: boolean;
  sink: Sink<Data>;
  /** Called once, when a feed without a cursor of the application's own stands. */
  onBegun: (cursor: string) => void;
  /** Called at each break that is followed by another try. */
  onBreak: (reason: EndReason) => void;
  backoff: Backoff;
  /** A number in [0, 1). */
  random: () => number;
}

const NONE: Readonly<Record<EndKind, number>> = { passing: 0, fault: 0, refused: 0, final: 0 };

/**
 * Follows one subscription over as many connections as it takes, each beginning where the last one has ended.
 *
 * @returns ends it
 */
export function follow<Data>(options: FollowOptions<Data>): () => void {
  const { subscribe, position, hasEnd, sink, onBegun, onBreak, backoff, random } = options;
  let leave = (): void => undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** Which subscription is being listened to: another one's late words count for nothing. */
  let current = 0;
  /** Breaks in a row. */
  let breaks = 0;
  /**
   * Ends in a row after which it was worth asking again, by their kind; none while the position moves, and none before a
   * connection that held.
   */
  let tries = { ...NONE };
  let beganAt = 0;

  function begin(): void {
    const mine = (current += 1);
    const ifCurrent =
      <Args extends unknown[]>(listener: (...args: Args) => void) =>
      (...args: Args) => {
        if (mine === current) listener(...args);
      };
    beganAt = Date.now();
    const unsubscribe = subscribe({
      next: ifCurrent(take),
      error: ifCurrent(afterEnd),
      complete: ifCurrent(afterComplete),
    });
    // It may be over already.
    if (mine === current) leave = unsubscribe;
    else unsubscribe();
  }

  function take(result: Result<Data>): void {
    const step = position?.take(result) ?? 'moved';
    // An event that the server failed to tell: behind the same position it comes once more.
    if (step === 'failed' && isWorthAnother(result.errors)) {
      stop();
      askAgain(result.errors);
      return;
    }
    breaks = 0;
    if (step !== 'failed') tries = { ...NONE };
    if (step === 'begun') onBegun(position?.cursor ?? '');
    else sink.next(result);
  }

  function afterComplete(): void {
    if (!hasEnd) {
      askAgain(new Error('The server has ended a feed that has no end.'));
      return;
    }
    stop();
    sink.complete();
  }

  function afterEnd(reason: EndReason): void {
    if (hasHeld()) tries = { ...NONE };
    if (isWorthAnother(reason)) {
      askAgain(reason);
      return;
    }
    stop();
    sink.error(shownReason(reason));
  }

  function isWorthAnother(reason: EndReason): boolean {
    const kind = kindOfEnd(reason);
    tries[kind] += 1;
    return tries[kind] <= TRIES_AFTER[kind];
  }

  /** What held for so long is no failure in a row, though a quiet feed may have said nothing. */
  function hasHeld(): boolean {
    return Date.now() - beganAt > backoff.maxDelayMs;
  }

  function askAgain(reason: EndReason): void {
    current += 1;
    breaks = hasHeld() ? 1 : breaks + 1;
    onBreak(reason);
    timer = setTimeout(begin, backoffMs(backoff, breaks, random()));
  }

  function stop(): void {
    current += 1;
    clearTimeout(timer);
    leave();
    leave = () => undefined;
  }

  begin();
  return stop;
}
