import { backoffMs, type Backoff } from './backoff.ts';
import { arePassing, decideAfterEnd, isRefusal, shownReason, type EndReason } from './endings.ts';
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

/** How often an event that the server failed to tell is asked for again before its error is handed on. */
const MAX_REDOS = 3;

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
  let failures = 0;
  let refusals = 0;
  /** Of the event behind the present position. */
  let redos = 0;
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
    if (step === 'failed' && arePassing(result.errors ?? []) && redos < MAX_REDOS) {
      redos += 1;
      stop();
      askAgain(result.errors);
      return;
    }
    failures = 0;
    refusals = 0;
    if (step !== 'failed') redos = 0;
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
    if (decideAfterEnd(reason, refusals) === 'fail') {
      stop();
      sink.error(shownReason(reason));
      return;
    }
    if (isRefusal(reason)) refusals += 1;
    askAgain(reason);
  }

  function askAgain(reason: EndReason): void {
    current += 1;
    // What held for so long was no failure, though a quiet feed may have said nothing.
    failures = Date.now() - beganAt > backoff.maxDelayMs ? 1 : failures + 1;
    onBreak(reason);
    timer = setTimeout(begin, backoffMs(backoff, failures, random()));
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
