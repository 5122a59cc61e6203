import type { CronRule } from './cron-fields.ts';
import { countWallTimes } from './cron-wall.ts';
import { nextSlot, type SlotRule } from './schedule-slots.ts';
import { spanAt, type ZoneSpan } from './schedule-zone.ts';

/**
 * How many slots of a rule lie in [from, to), the same number that `slotsAfter` lists. It lists them only in the
 * hours around a clock change: a schedule of every second has 2.6 million slots in a month.
 */
export function countSlots(rule: SlotRule, from: Date, to: Date): number {
  const { schedule, startAt, endAt } = rule;
  const fromMs = Math.max(from.getTime(), startAt?.getTime() ?? 0, 0);
  const untilMs = Math.min(to.getTime(), endAt === null ? Infinity : endAt.getTime() + 1);
  if (untilMs <= fromMs) return 0;
  switch (schedule.kind) {
    case 'CRON':
      return countCronSlots(schedule.rule, rule, fromMs, untilMs);
    case 'EVERY': {
      const anchorMs = rule.anchorAt.getTime();
      const before = (ms: number): number => Math.max(Math.ceil((ms - anchorMs) / schedule.intervalMs), 0);
      return before(untilMs) - before(fromMs);
    }
    case 'ONCE': {
      const runMs = schedule.runAt.getTime();
      return runMs >= fromMs && runMs < untilMs ? 1 : 0;
    }
  }
}

function countCronSlots(cron: CronRule, rule: SlotRule, fromMs: number, untilMs: number): number {
  let count = 0;
  for (let atMs = fromMs; atMs < untilMs;) {
    const span = spanAt(rule.timezone, atMs);
    const endMs = Math.min(span.endMs, untilMs);
    count += countInSpan(cron, rule, span, atMs, endMs);
    atMs = endMs;
  }
  return count;
}

function countInSpan(
  cron: CronRule,
  rule: SlotRule,
  span: ZoneSpan,
  fromMs: number,
  untilMs: number,
): number {
  const countShown = (from: number, until: number): number =>
    countWallTimes(cron.fields, from + span.offsetMs, until + span.offsetMs);
  if (cron.hourRule === 'EVERY_HOUR') return countShown(fromMs, untilMs);
  // After a change, times that the clock skipped or shows again follow their own rules.
  const oddUntilMs = span.startMs + Math.abs(span.offsetMs - span.offsetBeforeMs);
  const odd = fromMs < oddUntilMs ? walk(rule, fromMs, Math.min(oddUntilMs, untilMs)) : 0;
  // Under LAST, a time before the clock is set back counts only when the clock shows it again.
  const firstShowingBeginsMs = span.endMs - Math.max(span.offsetMs - span.offsetAfterMs, 0);
  const isLast = cron.hourRule === 'FIXED' && rule.dstOverlapPolicy === 'LAST';
  return (
    odd + countShown(Math.max(fromMs, oddUntilMs), isLast ? Math.min(untilMs, firstShowingBeginsMs) : untilMs)
  );
}

/** Counts the slots in [fromMs, untilMs) one by one. */
function walk(rule: SlotRule, fromMs: number, untilMs: number): number {
  let count = 0;
  let slot = nextSlot(rule, new Date(fromMs - 1));
  while (slot !== null && slot.getTime() < untilMs) {
    count += 1;
    slot = nextSlot(rule, slot);
  }
  return count;
}
