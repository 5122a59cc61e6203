import type { HttpMethod } from './http-method.ts';

/** The bounds of a job's `timeoutMs`, both ends allowed; an hour is longer than proxies keep a silent call open. */
export const TIMEOUT_LIMITS_MS = { min: 1, max: 3_600_000 } as const;
export const DEFAULT_TIMEOUT_MS = 30_000;

/** How much of a response is kept, in UTF-16 units; a cut never splits a character. */
export const MAX_RESPONSE_BODY_CHARACTERS = 5_000;

/** Whose call it is; ids as the API has them. */
export type CallIdentity = {
  executionId: string;
  jobId: string;
  /** The slot; null where no schedule named one. */
  scheduledAt: Date | null;
};

/** One attempt's call, complete: nothing about it is looked up later. */
export type OutgoingRequest = CallIdentity & {
  /** From 1. */
  attempt: number;
  method: HttpMethod;
  url: string;
  headers: Readonly<Record<string, string>>;
  /** A string is sent as it is, any other JSON value as JSON; null sends no body. */
  body: unknown;
  /** A redirect whose status is named here is the answer and is not followed. */
  successStatuses?: readonly string[];
  /** Where the target says that the work is done; null where its answer says so. */
  callbackUrl?: string | null;
  /** The target must not see the call twice, whatever that costs. */
  atMostOnce?: boolean;
};

/** Milliseconds spent in each phase of a call; null where the phase did not take place or was not reached. */
export type AttemptTimings = {
  dnsMs: number | null;
  connectMs: number | null;
  tlsMs: number | null;
  firstByteMs: number | null;
  downloadMs: number | null;
  totalMs: number;
};

const PHASES = ['dnsMs', 'connectMs', 'tlsMs', 'firstByteMs', 'downloadMs'] as const;

/** The same as it is kept: what is null is left out. */
export type KeptTimings = Partial<AttemptTimings>;

/** Most calls use a connection that is there: half of the phases take no place. */
export function keptTimings(timings: AttemptTimings): KeptTimings {
  const kept: KeptTimings = { totalMs: timings.totalMs };
  for (const phase of PHASES) {
    const ms = timings[phase];
    if (ms !== null) kept[phase] = ms;
  }
  return kept;
}

/** Whether a timeout is one that a job may have. */
export function isValidTimeoutMs(timeoutMs: number): boolean {
  return (
    Number.isInteger(timeoutMs) && timeoutMs >= TIMEOUT_LIMITS_MS.min && timeoutMs <= TIMEOUT_LIMITS_MS.max
  );
}

/** A request as it may be shown: secret headers and URL parts are masked, the body is as sent. */
export type ShownRequest = {
  method: HttpMethod;
  url: string;
  headers: Record<string, string>;
  body: string | null;
};
