import type { AlertEvent } from './alert.ts';

/** The window in which deliveries are counted. */
export const THROTTLE_WINDOW_MS = 60_000;

/** The recent and waiting deliveries of one alert and one event. */
export interface SentSoFar {
  /** The due instants of the last minute's deliveries. */
  dueAt: readonly Date[];
  /** When the gathering delivery is due, which all new reports join; null when there is none. */
  gatheringDueAt: Date | null;
  /** When the gathering delivery of the opposite event is due; null when there is none. */
  oppositeDueAt: Date | null;
}

/** How reports are distributed over deliveries. */
export interface Placement {
  /** How many reports, from the first on, get their own delivery at once. */
  sentNow: number;
  /** When the delivery with the other reports is due, new or not; null when there are no others. */
  gatherDueAt: Date | null;
}

/** The opposite event, which ends this one; null when there is none. */
export function oppositeOf(event: AlertEvent): AlertEvent | null {
  if (event === 'FAILED') return 'RECOVERED';
  return event === 'RECOVERED' ? 'FAILED' : null;
}

/**
 * Decides how reports of one alert and one event are sent. At most `limit` deliveries are due within any minute. One
 * more delivery gathers the other reports and counts them. It is due as soon as the limit allows.
 *
 * The last delivery is due after the gathering delivery of the opposite event, whose reports are older. So the last
 * message tells the present state. A later due instant never breaks the limit.
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
  // `limit` deliveries are due at or after this instant. A minute later there is room again.
  const dueMs = [...recentMs, ...Array.from({ length: sentNow }, () => nowMs)].sort((a, b) => b - a);
  const fullSinceMs = dueMs[limit - 1];
  const roomAt = fullSinceMs === undefined ? now : new Date(fullSinceMs + THROTTLE_WINDOW_MS);
  return { sentNow, gatherDueAt: behind(oppositeDueAt, roomAt) };
}

/** The first millisecond at or after `at` that is also after `other`. */
function behind(other: Date | null, at: Date): Date {
  return other && other >= at ? new Date(other.getTime() + 1) : at;
}
