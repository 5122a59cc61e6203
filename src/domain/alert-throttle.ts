/** Over which time deliveries are counted. */
export const THROTTLE_WINDOW_MS = 60_000;

/** How reports are spread over deliveries. */
export interface Placement {
  /** How many of them, the first ones, are each sent at once. */
  sentNow: number;
  /** When a new delivery that gathers the others is due; null where there are none, or one gathers already. */
  gatherDueAt: Date | null;
}

/**
 * Decides how reports of one alert and one event are sent: at most `limit` deliveries are due within any minute, and
 * what comes beyond them is gathered by one more, due as soon as there is room, which says how many it tells of.
 *
 * @param reports how many there are
 * @param sent.dueAt when the deliveries of the last minute were due
 * @param sent.isGathering whether one waits that gathers: all reports join it
 */
export function placeReports(
  reports: number,
  sent: { dueAt: readonly Date[]; isGathering: boolean },
  limit: number,
  now: Date,
): Placement {
  if (sent.isGathering) return { sentNow: 0, gatherDueAt: null };
  const nowMs = now.getTime();
  const recentMs = sent.dueAt.map((at) => at.getTime()).filter((ms) => ms > nowMs - THROTTLE_WINDOW_MS);
  const sentNow = Math.min(reports, Math.max(limit - recentMs.length, 0));
  if (sentNow === reports) return { sentNow, gatherDueAt: null };
  // With so many due at or after this one, there is room again a minute later.
  const dueMs = [...recentMs, ...Array.from({ length: sentNow }, () => nowMs)].sort((a, b) => b - a);
  return { sentNow, gatherDueAt: new Date((dueMs[limit - 1] ?? nowMs) + THROTTLE_WINDOW_MS) };
}
