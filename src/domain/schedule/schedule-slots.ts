import { type CronFields, DAY_MS, matchesTimeOfDay, nextWallTime } from './cron-wall.ts';
import type { CronRule } from './cron-fields.ts';
import type { Schedule } from './schedule.ts';
import { spanAt, type ZoneSpan } from './schedule-zone.ts';

/** What a named time becomes when the clock is set forward and skips it. */
export type DstGapPolicy = 'SHIFT' | 'SKIP';
/** Which occurrence of a named time counts when the clock is set back and shows it twice. */
export type DstOverlapPolicy = 'FIRST' | 'LAST' | 'BOTH';

/** All that decides a job's slots. */
export interface SlotRule {
  readonly schedule: Schedule;
  /** A name that `checkTimezone` gave. */
  readonly timezone: string;
  /** Where `@every` counts from: the job's `startAt`, else its creation. The anchor itself is a slot. */
  readonly anchorAt: Date;
  /** No slot lies before it; one may lie on it. */
  readonly startAt: Date | null;
  /** No slot lies after it; one may lie on it. */
  readonly endAt: Date | null;
  readonly dstGapPolicy: DstGapPolicy;
  readonly dstOverlapPolicy: DstOverlapPolicy;
}

/**
 * How far ahead the search for the next slot goes. The rarest date, a fifth Monday in February, can be 40 years away.
 */
export const HORIZON_YEARS = 50;

const HORIZON_MS = HORIZON_YEARS * 365.25 * DAY_MS;
/** Slots exist from 1970 to 9999: every clock and column can write these years. */
const LAST_SLOT_MS = Date.UTC(9999, 11, 31);

/**
 * The first slot strictly after an instant. It is null when the schedule has none left, or none within {@link
 * HORIZON_YEARS}. A job has one fixed set of slots: the instant of the question does not change it. docs/schedules.md
 * has its rule for clock changes.
 *
 * @throws RangeError when the rule's timezone is unknown
 */
export function nextSlot(rule: SlotRule, after: Date): Date | null {
  const slotMs = nextSlotMs(rule, after.getTime());
  return slotMs === undefined ? null : new Date(slotMs);
}

/** Whether a rule names an instant. */
export function isSlot(rule: SlotRule, at: Date): boolean {
  return nextSlot(rule, new Date(at.getTime() - 1))?.getTime() === at.getTime();
}

/** All slots strictly after an instant, in order. Each is computed when the caller takes it; most lists are endless. */
export function* slotsAfter(rule: SlotRule, after: Date): Generator<Date, void, undefined> {
  let slot = nextSlot(rule, after);
  while (slot !== null) {
    yield slot;
    slot = nextSlot(rule, slot);
  }
}

/** The next `count` slots strictly after an instant; fewer where the schedule ends. */
export function upcomingSlots(rule: SlotRule, after: Date, count: number): Date[] {
  const slots: Date[] = [];
  while (slots.length < count) {
    const slot = nextSlot(rule, slots.at(-1) ?? after);
    if (slot === null) break;
    slots.push(slot);
  }
  return slots;
}

function nextSlotMs(rule: SlotRule, afterMs: number): number | undefined {
  return withinEnd(rule, nextWithoutEnd(rule, startingPoint(rule, afterMs)));
}

function startingPoint({ startAt }: SlotRule, afterMs: number): number {
  return Math.max(afterMs, -1, startAt === null ? -1 : startAt.getTime() - 1);
}

function withinEnd({ endAt }: SlotRule, slotMs: number | undefined): number | undefined {
  const lastMs = endAt === null ? LAST_SLOT_MS : Math.min(endAt.getTime(), LAST_SLOT_MS);
  return slotMs !== undefined && slotMs <= lastMs ? slotMs : undefined;
}

function nextWithoutEnd(rule: SlotRule, afterMs: number): number | undefined {
  const { schedule } = rule;
  switch (schedule.kind) {
    case 'CRON':
      return nextCronSlot(schedule.rule, rule, afterMs);
    case 'EVERY': {
      const anchorMs = rule.anchorAt.getTime();
      const passed = Math.max(Math.floor((afterMs - anchorMs) / schedule.intervalMs) + 1, 0);
      return anchorMs + passed * schedule.intervalMs;
    }
    case 'ONCE':
      return schedule.runAt.getTime() > afterMs ? schedule.runAt.getTime() : undefined;
  }
}

/** Goes from span to span of the zone. Within a span, wall time and real time differ by a constant. */
function nextCronSlot(cron: CronRule, rule: SlotRule, afterMs: number): number | undefined {
  const giveUpMs = Math.min(afterMs + HORIZON_MS, LAST_SLOT_MS);
  let fromMs = afterMs + 1;
  while (fromMs < giveUpMs) {
    const span = spanAt(rule.timezone, fromMs);
    const slotMs = nextInSpan(cron, rule, span, fromMs, Math.min(span.endMs, giveUpMs));
    if (slotMs !== undefined || span.endMs >= giveUpMs) return slotMs;
    // Offsets are below a day. So no later slot can come more than a day before the next matching wall time, and the
    // search skips the spans until there, perhaps decades of them.
    const wallMs = nextWallTime(cron.fields, span.endMs - DAY_MS, giveUpMs + DAY_MS);
    if (wallMs === undefined) return undefined;
    fromMs = Math.max(span.endMs, wallMs - DAY_MS);
  }
  return undefined;
}

function nextInSpan(
  cron: CronRule,
  rule: SlotRule,
  span: ZoneSpan,
  fromMs: number,
  untilMs: number,
): number | undefined {
  const shownMs = nextShown(cron, rule, span, fromMs, untilMs);
  const shiftedMs = nextShifted(cron, rule, span, fromMs, untilMs);
  return shownMs === undefined || shiftedMs === undefined
    ? (shownMs ?? shiftedMs)
    : Math.min(shownMs, shiftedMs);
}

/** The next slot at which the zone's clock really shows a time that the schedule names. */
function nextShown(
  cron: CronRule,
  rule: SlotRule,
  span: ZoneSpan,
  fromMs: number,
  untilMs: number,
): number | undefined {
  // A clock that was set back shows the times before secondShowingEndsMs again. A clock that will be set back shows
  // the times from firstShowingBeginsMs for the first time. Without a change, both are the span's own bounds.
  const secondShowingEndsMs = span.startMs + Math.max(span.offsetBeforeMs - span.offsetMs, 0);
  const firstShowingBeginsMs = span.endMs - Math.max(span.offsetMs - span.offsetAfterMs, 0);
  switch (cron.hourRule) {
    case 'EVERY_HOUR':
      return findShown(cron.fields, span.offsetMs, fromMs, untilMs);
    case 'FIXED':
      return findShown(
        cron.fields,
        span.offsetMs,
        rule.dstOverlapPolicy === 'FIRST' ? Math.max(fromMs, secondShowingEndsMs) : fromMs,
        rule.dstOverlapPolicy === 'LAST' ? Math.min(untilMs, firstShowingBeginsMs) : untilMs,
      );
    case 'STEP': {
      let slotMs = findShown(cron.fields, span.offsetMs, fromMs, untilMs);
      // It fires again only if the clock without the change would also show a named time.
      while (
        slotMs !== undefined &&
        slotMs < secondShowingEndsMs &&
        !matchesTimeOfDay(cron.fields, slotMs + span.offsetBeforeMs)
      ) {
        slotMs = findShown(cron.fields, span.offsetMs, slotMs + 1, untilMs);
      }
      return slotMs;
    }
  }
}

/** The first instant in [fromMs, untilMs) at which a clock with this offset shows a time that the fields name. */
function findShown(
  fields: CronFields,
  offsetMs: number,
  fromMs: number,
  untilMs: number,
): number | undefined {
  const wallMs = nextWallTime(fields, fromMs + offsetMs, untilMs + offsetMs);
  return wallMs === undefined ? undefined : wallMs - offsetMs;
}

/** The next slot that replaces a time which the clock skipped at the start of this span. */
function nextShifted(
  cron: CronRule,
  rule: SlotRule,
  span: ZoneSpan,
  fromMs: number,
  untilMs: number,
): number | undefined {
  const gapMs = span.offsetMs - span.offsetBeforeMs;
  if (gapMs <= 0 || fromMs >= span.startMs + gapMs) return undefined;
  if (cron.hourRule === 'EVERY_HOUR' || (cron.hourRule === 'FIXED' && rule.dstGapPolicy === 'SKIP'))
    return undefined;
  // On the clock before the change, the skipped time is an instant. The clock after the change shows this instant as
  // that time plus the length of the gap.
  return findShown(cron.fields, span.offsetBeforeMs, fromMs, Math.min(untilMs, span.startMs + gapMs));
}
