import type { CronRule } from './cron-fields.ts';
import { matchesTimeOfDay, MINUTE_MS, nextWallTime } from './cron-wall.ts';
import type { SlotRule } from './schedule-slots.ts';
import { spanAt, type ZoneSpan } from './schedule-zone.ts';

/** What a clock change does to a run, when a reader of the schedule would not expect it. */
type Effect = 'MOVED' | 'MERGED' | 'LEFT_OUT' | 'FIRST_ONLY' | 'LAST_ONLY' | 'TWICE';

/**
 * Tells in sentences what the clock changes between two instants do to a cron schedule: which runs move, are left
 * out, or come once or twice. It follows the same rule as the slots. It says nothing about a schedule that runs
 * through a change evenly.
 */
export function describeClockChanges(
  cron: CronRule,
  rule: SlotRule,
  fromMs: number,
  untilMs: number,
): string[] {
  return changesBetween(rule.timezone, fromMs, untilMs).flatMap((change) => {
    const effects = effectsOf(cron, rule, change);
    if (effects.size === 0) return [];
    const before = change.startMs + change.offsetBeforeMs;
    const after = change.startMs + change.offsetMs;
    const clauses = [...effects].map(([effect, runs]) => clauseFor(effect, runs, Math.abs(after - before)));
    return [
      `On ${dateText(before)} the clock in ${rule.timezone} is set ${after > before ? 'forward' : 'back'} from ` +
        `${timeText(before)} to ${otherTimeText(after, before)}: ${clauses.join('; ')}.`,
    ];
  });
}

/** The spans that begin with a clock change in [fromMs, untilMs). */
function changesBetween(timezone: string, fromMs: number, untilMs: number): ZoneSpan[] {
  const changes: ZoneSpan[] = [];
  for (let { endMs } = spanAt(timezone, fromMs); endMs < untilMs;) {
    const span = spanAt(timezone, endMs);
    changes.push(span);
    endMs = span.endMs;
  }
  return changes;
}

function effectsOf(cron: CronRule, rule: SlotRule, change: ZoneSpan): Map<Effect, number[]> {
  const effects = new Map<Effect, number[]>();
  const before = change.startMs + change.offsetBeforeMs;
  const after = change.startMs + change.offsetMs;
  for (const wallMs of wallTimes(cron, Math.min(before, after), Math.max(before, after))) {
    const effect =
      after > before
        ? gapEffect(cron, rule, wallMs, after - before)
        : overlapEffect(cron, rule, wallMs, before - after);
    if (effect === undefined) continue;
    const runs = effects.get(effect);
    if (runs) runs.push(wallMs);
    else effects.set(effect, [wallMs]);
  }
  return effects;
}

function gapEffect(cron: CronRule, rule: SlotRule, wallMs: number, gapMs: number): Effect | undefined {
  const evenly = matchesTimeOfDay(cron.fields, wallMs + gapMs);
  if (cron.hourRule === 'EVERY_HOUR') return evenly ? undefined : 'LEFT_OUT';
  if (cron.hourRule === 'FIXED' && rule.dstGapPolicy === 'SKIP') return 'LEFT_OUT';
  const [meets] = wallTimes(cron, wallMs + gapMs, wallMs + gapMs + 1);
  if (meets === undefined) return 'MOVED';
  return cron.hourRule === 'STEP' ? undefined : 'MERGED';
}

function overlapEffect(
  cron: CronRule,
  rule: SlotRule,
  wallMs: number,
  overlapMs: number,
): Effect | undefined {
  const evenly = matchesTimeOfDay(cron.fields, wallMs + overlapMs);
  if (cron.hourRule === 'EVERY_HOUR') return evenly ? undefined : 'TWICE';
  if (cron.hourRule === 'STEP') return evenly ? undefined : 'FIRST_ONLY';
  return ({ FIRST: 'FIRST_ONLY', LAST: 'LAST_ONLY', BOTH: 'TWICE' } as const)[rule.dstOverlapPolicy];
}

function* wallTimes(cron: CronRule, fromMs: number, untilMs: number): Generator<number, void, undefined> {
  let wallMs = nextWallTime(cron.fields, fromMs, untilMs);
  while (wallMs !== undefined) {
    yield wallMs;
    wallMs = nextWallTime(cron.fields, wallMs + 1, untilMs);
  }
}

function clauseFor(effect: Effect, runs: readonly number[], changeMs: number): string {
  const [first = 0] = runs;
  const last = runs.at(-1) ?? first;
  const single = runs.length === 1;
  const who = single
    ? `the run at ${timeText(first)}`
    : `the ${runs.length} runs from ${timeText(first)} to ${timeText(last)}`;
  const shifted = single
    ? timeText(first + changeMs)
    : `${timeText(first + changeMs)} to ${timeText(last + changeMs)}`;
  switch (effect) {
    case 'MOVED':
      return `${who} ${single ? 'comes' : 'come'} at ${shifted} instead`;
    case 'MERGED':
      return `${who} ${single ? 'becomes' : 'become'} one with the ${single ? 'run' : 'runs'} at ${shifted}`;
    case 'LEFT_OUT':
      return `${who} ${single ? 'is' : 'are'} left out`;
    case 'FIRST_ONLY':
      return `${who} ${single ? 'comes' : 'come'} once, the first time that the clock shows it`;
    case 'LAST_ONLY':
      return `${who} ${single ? 'comes' : 'come'} once, the second time that the clock shows it`;
    case 'TWICE':
      return `${who} ${single ? 'comes' : 'come'} twice, ${changeMs / MINUTE_MS} minutes apart`;
  }
}

function dateText(wallMs: number): string {
  return new Date(wallMs).toISOString().slice(0, 10);
}

function timeText(wallMs: number): string {
  return new Date(wallMs).toISOString().slice(11, 19).replace(/:00$/, '');
}

/** Adds the date when the change reaches into another day. A change that skips a whole day does so. */
function otherTimeText(wallMs: number, otherMs: number): string {
  return dateText(wallMs) === dateText(otherMs)
    ? timeText(wallMs)
    : `${timeText(wallMs)} on ${dateText(wallMs)}`;
}
