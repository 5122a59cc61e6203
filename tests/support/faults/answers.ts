import { setTimeout as delay } from 'node:timers/promises';
import type { RecordedCall, ReplyParts } from '../target-server.ts';

/** Answers after up to so many milliseconds, other for each execution: whenever a fault strikes, calls are in all states. */
export function within(maxMs: number): (call: RecordedCall) => ReplyParts {
  return ({ headers }) => {
    const digits = Buffer.from(headers['x-execution-id']?.slice(-4) ?? '').reduce(
      (sum, byte) => (sum * 31 + byte) % 10_007,
      7,
    );
    return { after: delay(digits % maxMs) };
  };
}
