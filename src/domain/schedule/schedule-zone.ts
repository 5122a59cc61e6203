import { Temporal } from 'temporal-polyfill';
import { boundedMemo } from '../values/bounded-memo.ts';
import { DAY_MS } from './cron-wall.ts';

/** The time between two clock changes of a zone. Its offset from UTC is constant. */
export interface ZoneSpan {
  /**
   * First millisecond. Either the clock changes here, or the span is cut here and the clock did not change for more
   * than a day before.
   */
  readonly startMs: number;
  /** The next clock change; Infinity when none is known. */
  readonly endMs: number;
  /** Wall time minus UTC. */
  readonly offsetMs: number;
  readonly offsetBeforeMs: number;
  readonly offsetAfterMs: number;
}

export type TimezoneCheck =
  | { readonly kind: 'TIMEZONE'; readonly timezone: string }
  | { readonly kind: 'INVALID'; readonly message: string };

const MAX_NAME_LENGTH = 64;
/** More names than IANA has. Each spelling counts. */
const ZONES_LIMIT = 1000;
/** Spans kept per zone: well over a century. */
const SPANS_LIMIT = 300;

/**
 * Tells whether a name is an IANA time zone (`Europe/Berlin`, `UTC`) and gives its usual spelling. An alias stays an
 * alias: `Asia/Kolkata` does not become `Asia/Calcutta`. It refuses offsets (`+02:00`, `UTC+2`) and names of this
 * computer's own zone (`local`, `system`), because they say nothing about clock changes.
 */
export function checkTimezone(name: string): TimezoneCheck {
  if (name.length <= MAX_NAME_LENGTH && /^[a-z][a-z0-9_+/-]*$/i.test(name)) return checkKnown(name);
  return unknownZone(name.slice(0, MAX_NAME_LENGTH));
}

const checkKnown = boundedMemo(ZONES_LIMIT, (name): TimezoneCheck => {
  try {
    return { kind: 'TIMEZONE', timezone: new Temporal.ZonedDateTime(0n, name).timeZoneId };
  } catch {
    return unknownZone(name);
  }
});

function unknownZone(name: string): TimezoneCheck {
  return {
    kind: 'INVALID',
    message: `timezone: "${name}" is not the name of an IANA time zone such as Europe/Berlin or UTC`,
  };
}

/**
 * The span of a zone that holds an instant. Spans stay in memory: finding a clock change takes about 0.2 ms, and most
 * callers ask about the present.
 *
 * @throws RangeError when {@link checkTimezone} does not accept the zone
 */
export function spanAt(timezone: string, atMs: number): ZoneSpan {
  const known = spansOf(timezone);
  let predecessor: ZoneSpan | undefined;
  for (const span of known) {
    if (span.startMs <= atMs && atMs < span.endMs) return span;
    if (span.endMs === atMs) predecessor = span;
  }
  const span = predecessor ? spanFollowing(timezone, predecessor) : findSpan(timezone, atMs);
  if (known.length >= SPANS_LIMIT) known.length = 0;
  known.push(span);
  return span;
}

const spansOf = boundedMemo(ZONES_LIMIT, (): ZoneSpan[] => []);

/**
 * Starts two days before the year begins. Asking for the change before an instant would be simpler. But in a zone
 * without recent changes that searches back to 1900 and takes 10 ms.
 */
function findSpan(timezone: string, atMs: number): ZoneSpan {
  const yearStartMs = Date.UTC(new Date(atMs).getUTCFullYear(), 0);
  const offsetMs = offsetOf(zonedAt(timezone, yearStartMs - 2 * DAY_MS));
  const endMs = nextChange(timezone, yearStartMs - 2 * DAY_MS);
  let span = {
    startMs: yearStartMs,
    endMs,
    offsetMs,
    offsetBeforeMs: offsetMs,
    offsetAfterMs: offsetFrom(timezone, endMs, offsetMs),
  };
  while (span.endMs <= atMs) span = spanFollowing(timezone, span);
  return span;
}

function spanFollowing(
  timezone: string,
  { endMs: startMs, offsetMs: offsetBeforeMs, offsetAfterMs: offsetMs }: ZoneSpan,
): ZoneSpan {
  const endMs = nextChange(timezone, startMs);
  return { startMs, endMs, offsetMs, offsetBeforeMs, offsetAfterMs: offsetFrom(timezone, endMs, offsetMs) };
}

function nextChange(timezone: string, afterMs: number): number {
  return zonedAt(timezone, afterMs).getTimeZoneTransition('next')?.epochMilliseconds ?? Infinity;
}

function offsetFrom(timezone: string, changeMs: number, otherwiseMs: number): number {
  return changeMs === Infinity ? otherwiseMs : offsetOf(zonedAt(timezone, changeMs));
}

function zonedAt(timezone: string, atMs: number): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(timezone);
}

function offsetOf(at: Temporal.ZonedDateTime): number {
  return Math.round(at.offsetNanoseconds / 1e6);
}
