import { parseSchedule } from '../../../domain/schedule/schedule.ts';
import {
  previewSchedule,
  type SchedulePreview as Preview,
} from '../../../domain/schedule/schedule-preview.ts';
import { checkTimezone } from '../../../domain/schedule/schedule-zone.ts';
import { builder } from '../../builder.ts';
import { needs } from '../../roles.ts';
import { badArgument } from '../../errors.ts';
import { readWholeNumber } from '../../whole-number.ts';
import { BAD_ARGUMENT } from '../shared/error-texts.ts';
import { DstGapPolicy, DstOverlapPolicy } from './job-enums.ts';

const DEFAULT_RUNS = 5;
const MAX_RUNS = 100;

const SchedulePreview = builder
  .objectRef<Preview & { schedule: string; timezone: string }>('SchedulePreview')
  .implement({
    description: 'What a schedule will do.',
    fields: (t) => ({
      schedule: t.exposeString('schedule', { description: 'The schedule as it was given.' }),
      timezone: t.exposeString('timezone', { description: 'The zone, in its usual spelling.' }),
      description: t.exposeString('description', { description: 'The schedule as an English sentence.' }),
      runs: t.field({
        type: ['DateTime'],
        description: 'The next runs, soonest first; fewer than asked for where the schedule ends.',
        resolve: ({ runs }) => [...runs],
      }),
      warnings: t.stringList({
        description:
          'What the text of the schedule does not show: clock changes within a year, and runs that never come.',
        resolve: ({ warnings }) => [...warnings],
      }),
    }),
  });

builder.queryField('previewSchedule', (t) =>
  t.field({
    authScopes: needs('VIEWER'),
    type: SchedulePreview,
    description: `What a schedule will do, from the code that fires it. ${BAD_ARGUMENT}, such as a schedule or zone that cannot be read.`,
    args: {
      schedule: t.arg.string({
        required: true,
        description: 'As in CreateJobInput; `@every` counts from `startAt`, or else from `from`.',
      }),
      timezone: t.arg.string({
        defaultValue: 'UTC',
        description: 'IANA name of the zone that it is read in.',
      }),
      from: t.arg({ type: 'DateTime', description: 'Runs after this instant; now, where it is left out.' }),
      startAt: t.arg({
        type: 'DateTime',
        description: 'No run lies before it; one may lie on it. As a job’s; none by default.',
      }),
      endAt: t.arg({
        type: 'DateTime',
        description:
          'No run lies after it; one may lie on it. Must be later than `startAt`; may be past. As a job’s; none by default.',
      }),
      count: t.arg.int({
        defaultValue: DEFAULT_RUNS,
        description: `How many runs, 1 to ${MAX_RUNS}.`,
      }),
      dstGapPolicy: t.arg({ type: DstGapPolicy, description: 'SHIFT where it is left out.' }),
      dstOverlapPolicy: t.arg({ type: DstOverlapPolicy, description: 'FIRST where it is left out.' }),
    },
    resolve: (_root, { schedule, timezone, from, count, ...job }, { clock }) => {
      const runs = readWholeNumber('count', count, { min: 1, max: MAX_RUNS, fallback: DEFAULT_RUNS });
      const parsed = parseSchedule(schedule);
      if (parsed.kind === 'INVALID') throw badArgument('schedule', withoutField('schedule', parsed.message));
      const zone = checkTimezone(timezone ?? 'UTC');
      if (zone.kind === 'INVALID') throw badArgument('timezone', withoutField('timezone', zone.message));
      const { startAt = null, endAt = null } = job;
      if (startAt && endAt && endAt <= startAt) throw badArgument('endAt', 'must be later than startAt.');
      const start = from ?? clock.now();
      const rule = {
        schedule: parsed,
        timezone: zone.timezone,
        anchorAt: startAt ?? start,
        startAt,
        endAt,
        dstGapPolicy: job.dstGapPolicy ?? 'SHIFT',
        dstOverlapPolicy: job.dstOverlapPolicy ?? 'FIRST',
      } as const;
      return { schedule, timezone: zone.timezone, ...previewSchedule(rule, start, runs) };
    },
  }),
);

/** The domain's messages name the field first where no other name is more telling; here it is said already. */
function withoutField(field: string, message: string): string {
  return message.startsWith(`${field}: `) ? message.slice(field.length + 2) : message;
}
