import type { AlertEvent } from './alert.ts';

/** Over which time deliveries are counted. */
export const THROTTLE_WINDOW_MS = 60_000;

/** What was sent lately, or waits, of one alert and one event. */
export interface SentSoFar {
  /** When the deliveries of the last minute were due. */
  dueAt: readonly Date[];
  /** When the delivery is due that gathers: all reports join it. Null where none does. */
  gatheringDueAt: Date | null;
  /** The same of the event that takes this one back, where there is such a one. */
  oppositeDueAt: Date | null;
}

/** How reports are spread over deliveries. */
export interface Placement {
  /** How many of them, the first ones, are each sent at once. */
  sentNow: number;
  /** When the delivery that gathers the others is due, a new one or the one that gathers already; null where there are none. */
  gatherDueAt: Date | null;
}

/** The event that takes this one back; null where none does. */
export function oppositeOf(event: AlertEvent): AlertEvent | null {
  if (event === 'FAILED') return 'RECOVERED';
  return event === 'RECOVERED' ? 'FAILED' : null;
}

/**
 * Decides how reports of one alert and one event are sent: at most `limit` deliveries are due within any minute, and
 * what comes beyond them is gathered by one more, due as soon as there is room, which says how many it tells of.
 *
 * The last of them is due behind what gathers of the opposite event, whose reports are older: what is told last is what is
 * true last. To be due later than there is room never breaks the limit.
 *
 * @param reports how many there are
 */
export function placeReports(reports: number, sent: SentSoFar, limit: number, now: Date): Placement {
  const { dueAt, gatheringDueAt, oppositeDueAt } = sent;
  if (gatheringDueAt) return { sentNow: 0, gatherDueAt: behind(oppositeDueAt, gatheringDueAt) };
  const nowMs = now.getTime();
  const recentMs = dueAt.map((at) => at.getTime()).filter((ms) => ms > nowMs - THROTTLE_WINDOW_MS);
  const mayGoNow = oppositeDueAt && oppositeDueAt >= now ? reports - 1 : reports;
  const sentNow = Math.min(mayGoNow, Math.max(limit - recentMs.length, 0));
  if (sentNow === reports) return { sentNow, gatherDueAt: null };
  // With so many due at or after this one, there is room again a minute later.
  const dueMs = [...recentMs, ...Array.from({ length: sentNow }, () => nowMs)].sort((a, b) => b - a);
  const fullSinceMs = dueMs[limit - 1];
  const roomAt = fullSinceMs === undefined ? now : new Date(fullSinceMs + THROTTLE_WINDOW_MS);
  return { sentNow, gatherDueAt: behind(oppositeDueAt, roomAt) };
}

/** An instant, or the first one behind the other where that is not before it. */
function behind(other: Date | null, at: Date): Date {
  return other && other >= at ? new Date(other.getTime() + 1) : at;
}
