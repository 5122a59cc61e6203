import type { ExecutionResult } from 'graphql';
import { MAX_SHARED_RESULT_BYTES, SHARED_RESULT_MS } from '../limits/limits.ts';

/** One event of a subscription as a result that is ready to be sent. */
export interface RenderedEvent {
  /** With its errors masked. */
  result: ExecutionResult;
  /** The result as JSON, in UTF-8. */
  json: Buffer;
}

/** The results of the same subscriptions, by their events. */
export type ResultsByEvent = Map<object, Kept>;

interface Kept {
  of: ResultsByEvent;
  event: object;
  rendered: RenderedEvent | Promise<RenderedEvent>;
  bytes: number;
  madeMs: number;
}

/** Results that further subscribers get, for a second at most. All together are bounded. */
export interface KeptResults {
  find: (results: ResultsByEvent, event: object) => RenderedEvent | Promise<RenderedEvent> | null;
  /** Answers what it is given. */
  keep: <T extends RenderedEvent | Promise<RenderedEvent>>(
    results: ResultsByEvent,
    event: object,
    rendered: T,
  ) => T;
  forget: (results: ResultsByEvent) => void;
}

export function createKeptResults(monotonicMs: () => number): KeptResults {
  /** In the order in which they were made, so that the oldest go first. */
  const kept = new Set<Kept>();
  let keptBytes = 0;

  function weigh(entry: Kept, { json }: RenderedEvent): void {
    entry.bytes = json.length;
    keptBytes += json.length;
    for (const oldest of kept) {
      if (!isOld(oldest) && keptBytes <= MAX_SHARED_RESULT_BYTES) break;
      drop(oldest);
    }
  }

  function isOld({ madeMs }: Kept): boolean {
    return monotonicMs() - madeMs > SHARED_RESULT_MS;
  }

  function drop(entry: Kept): void {
    if (!kept.delete(entry)) return;
    keptBytes -= entry.bytes;
    entry.of.delete(entry.event);
  }

  async function weighWhenReady(entry: Kept, rendered: Promise<RenderedEvent>): Promise<void> {
    try {
      const ready = await rendered;
      if (!kept.has(entry)) return;
      entry.rendered = ready;
      weigh(entry, ready);
    } catch {
      // Those that wait for it get the error; those that come later have it made anew.
      drop(entry);
    }
  }

  return {
    find(results, event) {
      const known = results.get(event);
      if (known === undefined) return null;
      if (!isOld(known)) return known.rendered;
      drop(known);
      return null;
    },
    keep(results, event, rendered) {
      const entry: Kept = { of: results, event, rendered, bytes: 0, madeMs: monotonicMs() };
      results.set(event, entry);
      kept.add(entry);
      if (rendered instanceof Promise) void weighWhenReady(entry, rendered);
      else weigh(entry, rendered);
      return rendered;
    },
    forget(results) {
      for (const each of results.values()) drop(each);
    },
  };
}
