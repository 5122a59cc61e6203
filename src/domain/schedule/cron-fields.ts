import { CronExpressionParser } from 'cron-parser';
import { boundedMemo } from '../values/bounded-memo.ts';
import { type CronFields, monthShape, type Steps } from './cron-wall.ts';

/**
 * How a schedule names its hours: all of them, by a step, or one by one. This decides what a clock change does to it.
 */
export type HourRule = 'EVERY_HOUR' | 'STEP' | 'FIXED';

/** A cron expression that was understood. */
export interface CronRule {
  /** The six fields as text, `*` wherever a field allows all of its values. */
  readonly expression: string;
  readonly fields: CronFields;
  readonly hourRule: HourRule;
  /** Both day fields are restricted, so a day counts when either of them names it. */
  readonly eitherDay: boolean;
}

/** Says that a field is not valid. This file throws it and catches it. */
class FieldError extends Error {}

interface FieldSpec {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** What one item of the field's list looks like. */
  readonly item: RegExp;
  readonly allowed: string;
}

const NUMBER = '\\d{1,4}';
const MONTH_NAMES = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const MONTH = `(?:${NUMBER}|${MONTH_NAMES.join('|')})`;
const WEEKDAY = `(?:${NUMBER}|sun|mon|tue|wed|thu|fri|sat)`;

const SECOND: FieldSpec = { name: 'second', min: 0, max: 59, item: itemOf(NUMBER), allowed: '0 to 59' };
const MINUTE: FieldSpec = { name: 'minute', min: 0, max: 59, item: itemOf(NUMBER), allowed: '0 to 59' };
const HOUR: FieldSpec = { name: 'hour', min: 0, max: 23, item: itemOf(NUMBER), allowed: '0 to 23' };
const DAY_OF_MONTH: FieldSpec = {
  name: 'day of month',
  min: 1,
  max: 31,
  item: itemOf(NUMBER, '(?<lastDay>l)'),
  allowed: '1 to 31, or L for the last day',
};
const MONTHS: FieldSpec = {
  name: 'month',
  min: 1,
  max: 12,
  item: itemOf(MONTH),
  allowed: '1 to 12, or JAN to DEC',
};
const DAY_OF_WEEK: FieldSpec = {
  name: 'day of week',
  min: 0,
  max: 6,
  item: itemOf(WEEKDAY, `(?<weekday>${WEEKDAY})(?:(?<lastOne>l)|#(?<nth>[1-5]))`),
  allowed: '0 to 7 (both ends are Sunday), SUN to SAT, FRI#2 for the second Friday, FRIL for the last',
};
const FIELDS = [SECOND, MINUTE, HOUR, DAY_OF_MONTH, MONTHS, DAY_OF_WEEK];

/**
 * Reads the six fields of a cron expression, seconds first.
 *
 * cron-parser expands names, ranges and steps, one list item at a time. This file checks each item first, for four
 * reasons. cron-parser takes `H` for a random value. It takes a step beyond its range for a single value. It does not
 * say which field is wrong. It knows neither `MON,MON` nor `MON#1,MON#3`.
 *
 * @param texts exactly six
 * @returns the rule, or a sentence that names the field and what it may hold
 */
export function parseCronFields(texts: readonly string[]): CronRule | string {
  try {
    return readRule(texts);
  } catch (error) {
    if (error instanceof FieldError) return error.message;
    throw error;
  }
}

function readRule(texts: readonly string[]): CronRule {
  const [second = '', minute = '', hour = '', dayOfMonth = '', month = '', dayOfWeek = ''] = texts;
  // This is the order of the text, so the message names the first wrong field.
  const seconds = read.second(second);
  const minutes = read.minute(minute);
  const hours = read.hour(hour);
  const { isOnDay: days } = read.dayOfMonth(dayOfMonth);
  const months = read.month(month);
  const { isOnDay: weekdays } = read.dayOfWeek(dayOfWeek);
  const fields: CronFields = {
    seconds: seconds.steps,
    minutes: minutes.steps,
    hours: hours.steps,
    months: months.steps,
    dayMasks: read.dayMasks(`${dayOfMonth} ${dayOfWeek}`),
  };
  refuseDatesThatNeverCome(fields, months.values, dayOfMonth);
  const open = [
    seconds.values.size === 60,
    minutes.values.size === 60,
    hours.values.size === 24,
    days === undefined,
    months.values.size === 12,
    weekdays === undefined,
  ];
  return {
    expression: texts.map((text, index) => (open[index] ? '*' : text.replaceAll('?', '*'))).join(' '),
    fields,
    hourRule: hours.values.size === 24 ? 'EVERY_HOUR' : hour.includes('/') ? 'STEP' : 'FIXED',
    eitherDay: days !== undefined && weekdays !== undefined,
  };
}

/**
 * Tells whether a day field names a day. A field that names every day has no test: undefined. Only when both day
 * fields have a test, a day needs to match one of them.
 */
type DayTest = (day: number, weekday: number, monthLength: number) => boolean;

function readDaysOfMonth(text: string): DayTest | undefined {
  const days = new Set<number>();
  let lastDay = false;
  for (const match of matchItems(DAY_OF_MONTH, text)) {
    if (match.groups?.['lastDay'] === undefined) addAll(days, expandItem(DAY_OF_MONTH, match));
    else lastDay = true;
  }
  if (days.size === 31) return undefined;
  return (day, _weekday, monthLength) => days.has(day) || (lastDay && day === monthLength);
}

function readWeekdays(text: string): DayTest | undefined {
  const weekdays = new Set<number>();
  const lastOnes = new Set<number>();
  const nths = new Set<string>();
  for (const match of matchItems(DAY_OF_WEEK, text)) {
    const { weekday, nth } = match.groups ?? {};
    if (weekday === undefined) addAll(weekdays, expandItem(DAY_OF_WEEK, match));
    else if (nth === undefined) addAll(lastOnes, expand(DAY_OF_WEEK, weekday));
    else for (const one of expand(DAY_OF_WEEK, weekday)) nths.add(`${one}#${nth}`);
  }
  if (weekdays.size === 7) return undefined;
  return (day, weekday, monthLength) =>
    weekdays.has(weekday) ||
    nths.has(`${weekday}#${Math.ceil(day / 7)}`) ||
    (day + 7 > monthLength && lastOnes.has(weekday));
}

interface FieldValues {
  readonly values: ReadonlySet<number>;
  readonly steps: Steps;
}

function readValues(spec: FieldSpec, text: string): FieldValues {
  const values = new Set<number>();
  for (const match of matchItems(spec, text)) addAll(values, expandItem(spec, match));
  return { values, steps: stepsOf(spec, values) };
}

/** How many texts of each field stay in memory. */
const READ_LIMIT = 1_000;

/**
 * The results for each field's texts. cron-parser takes about 20 us for a text, and many schedules differ in one
 * field only. Schedules share a result, so nobody changes it.
 */
const read = {
  second: boundedMemo(READ_LIMIT, (text) => readValues(SECOND, text)),
  minute: boundedMemo(READ_LIMIT, (text) => readValues(MINUTE, text)),
  hour: boundedMemo(READ_LIMIT, (text) => readValues(HOUR, text)),
  dayOfMonth: boundedMemo(READ_LIMIT, (text) => ({ isOnDay: readDaysOfMonth(text) })),
  month: boundedMemo(READ_LIMIT, (text) => readValues(MONTHS, text)),
  dayOfWeek: boundedMemo(READ_LIMIT, (text) => ({ isOnDay: readWeekdays(text) })),
  dayMasks: boundedMemo(READ_LIMIT, (texts): readonly number[] => {
    const [dayOfMonth = '', dayOfWeek = ''] = texts.split(' ');
    return dayMasksOf(read.dayOfMonth(dayOfMonth).isOnDay, read.dayOfWeek(dayOfWeek).isOnDay);
  }),
};

function matchItems(spec: FieldSpec, text: string): RegExpExecArray[] {
  return text.split(',').map((item) => spec.item.exec(item) ?? refuse(spec, item));
}

function expandItem(spec: FieldSpec, match: RegExpExecArray): Set<number> {
  const { base = '', step } = match.groups ?? {};
  if (step === undefined) return expand(spec, base);
  // `5/15` counts from 5 to the field's end.
  const range = /^[*?]$|-/.test(base) ? base : `${base}-${spec === DAY_OF_WEEK ? 7 : spec.max}`;
  const rangeSize = expand(spec, range).size;
  if (Number(step) < 1 || Number(step) > rangeSize) {
    throw new FieldError(
      `${spec.name}: the step of "${match[0]}" must lie between 1 and ${rangeSize}, the size of its range`,
    );
  }
  return expand(spec, `${range}/${step}`);
}

/** Expands one item with cron-parser. The values of the other fields do not matter. */
function expand(spec: FieldSpec, item: string): Set<number> {
  // Sunday is 0 and 7. A range that ends on Sunday needs the 7.
  const text = spec === DAY_OF_WEEK ? item.replace(/(?<!^sun|^0)-(sun|0)(?=\/|$)/i, '-7') : item;
  const expression = FIELDS.map((field) => (field === spec ? text : field.min)).join(' ');
  try {
    const { second, minute, hour, dayOfMonth, month, dayOfWeek } =
      CronExpressionParser.parse(expression).fields;
    const values = [second, minute, hour, dayOfMonth, month, dayOfWeek][FIELDS.indexOf(spec)]?.values ?? [];
    return new Set(values.map((value) => (spec === DAY_OF_WEEK ? Number(value) % 7 : Number(value))));
  } catch {
    return refuse(spec, item);
  }
}

function refuse(spec: FieldSpec, item: string): never {
  throw new FieldError(
    item === ''
      ? `${spec.name}: a list has an empty place`
      : `${spec.name}: "${item}" is not allowed; allowed are ${spec.allowed}, and of these lists "a,b", ranges "a-b" ` +
          `in rising order and steps "*/n"`,
  );
}

function refuseDatesThatNeverCome(fields: CronFields, months: ReadonlySet<number>, dayOfMonth: string): void {
  const comes = [...months].some((month) =>
    monthLengths(month).some((length) =>
      [0, 1, 2, 3, 4, 5, 6].some((first) => fields.dayMasks[monthShape(length, first)]),
    ),
  );
  if (comes) return;
  const names = [...months].map((month) => MONTH_NAMES[month - 1]).join(', ');
  throw new FieldError(
    `day of month: ${dayOfMonth} never comes in ${names}, so the schedule would never fire`,
  );
}

function monthLengths(month: number): readonly number[] {
  if (month === 2) return [28, 29];
  return [4, 6, 9, 11].includes(month) ? [30] : [31];
}

function dayMasksOf(onDay: DayTest | undefined, onWeekday: DayTest | undefined): number[] {
  const comes: DayTest = (...day) => {
    if (onDay && onWeekday) return onDay(...day) || onWeekday(...day);
    return (onDay ?? onWeekday)?.(...day) ?? true;
  };
  const masks: number[] = [];
  for (let length = 28; length <= 31; length += 1) {
    for (let first = 0; first < 7; first += 1) {
      let mask = 0;
      for (let day = 1; day <= length; day += 1) {
        if (comes(day, (first + day - 1) % 7, length)) mask |= 1 << (day - 1);
      }
      masks[monthShape(length, first)] = mask;
    }
  }
  return masks;
}

function stepsOf(spec: FieldSpec, values: ReadonlySet<number>): Steps {
  const steps = new Int8Array(spec.max + 2).fill(-1);
  for (let value = spec.max; value >= 0; value -= 1) {
    steps[value] = values.has(value) ? value : (steps[value + 1] ?? -1);
  }
  return steps;
}

function addAll(target: Set<number>, values: Iterable<number>): void {
  for (const value of values) target.add(value);
}

function itemOf(value: string, special = '(?!)'): RegExp {
  return new RegExp(`^(?:(?<base>[*?]|${value}(?:-${value})?)(?:/(?<step>${NUMBER}))?|${special})$`, 'i');
}
