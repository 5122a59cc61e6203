import { longestText } from '../../answer-sizes.ts';
import { type SlotFacts, slotRuleOf, upcomingRuns } from '../../../domain/schedule/job-slots.ts';
import { describeSchedule } from '../../../domain/schedule/schedule-preview.ts';
import { builder } from '../../builder.ts';
import { readWholeNumber } from '../../whole-number.ts';
import { BAD_ARGUMENT } from '../shared/error-texts.ts';
import { DstGapPolicy, DstOverlapPolicy, MisfirePolicy } from './job-enums.ts';

import { Job } from './job.ts';

const DEFAULT_UPCOMING_RUNS = 5;
const MAX_UPCOMING_RUNS = 100;

const SLOT_COLUMNS = {
  schedule: true,
  timezone: true,
  runAt: true,
  startAt: true,
  endAt: true,
  dstGapPolicy: true,
  dstOverlapPolicy: true,
  createdAt: true,
} as const satisfies Record<keyof SlotFacts, true>;

/** When a job runs. */
builder.prismaObjectFields(Job, (t) => ({
  schedule: t.exposeString('schedule', {
    nullable: true,
    description:
      'Cron with 6 fields (seconds first) or 5, a nickname such as @hourly, or @every 90s; null: runs once at `runAt`, or when it is triggered.',
  }),
  scheduleDescription: t.string({
    extensions: longestText(500),
    nullable: true,
    description: 'The schedule, or `runAt`, as an English sentence.',
    select: SLOT_COLUMNS,
    resolve: (job) => {
      const rule = slotRuleOf(job);
      return rule && describeSchedule(rule.schedule);
    },
  }),
  timezone: t.exposeString('timezone', {
    description: 'IANA name of the zone that the schedule is read in.',
  }),
  runAt: t.expose('runAt', {
    type: 'DateTime',
    nullable: true,
    description: 'One-off run at this instant, instead of a schedule.',
  }),
  startAt: t.expose('startAt', {
    type: 'DateTime',
    nullable: true,
    description: 'No slot lies before it.',
  }),
  endAt: t.expose('endAt', { type: 'DateTime', nullable: true, description: 'No slot lies after it.' }),
  jitterMs: t.exposeInt('jitterMs', {
    description:
      'Each slot’s call is put off by up to this many milliseconds, by the same amount on every instance.',
  }),
  misfirePolicy: t.expose('misfirePolicy', {
    type: MisfirePolicy,
    description: 'What happens to missed slots.',
  }),
  misfireGraceMs: t.exposeInt('misfireGraceMs', {
    description: 'A slot counts as missed when it is served later than this many milliseconds.',
  }),
  dstGapPolicy: t.expose('dstGapPolicy', {
    type: DstGapPolicy,
    description: 'What happens to slots in a skipped hour.',
  }),
  dstOverlapPolicy: t.expose('dstOverlapPolicy', {
    type: DstOverlapPolicy,
    description: 'What happens to slots in a repeated hour.',
  }),
  nextRunAt: t.expose('nextRunAt', {
    type: 'DateTime',
    nullable: true,
    description: 'Its next slot; null unless it is ACTIVE and has one.',
  }),
  upcomingRuns: t.field({
    type: ['DateTime'],
    description: `Its next slots from now, those that were left out not among them; empty unless it is ACTIVE. ${BAD_ARGUMENT}.`,
    args: {
      count: t.arg.int({
        defaultValue: DEFAULT_UPCOMING_RUNS,
        description: `How many, 1 to ${MAX_UPCOMING_RUNS}.`,
      }),
    },
    select: { ...SLOT_COLUMNS, id: true, status: true },
    resolve: async (job, { count }, { clock, skippedSlots }) => {
      const allowed = { min: 1, max: MAX_UPCOMING_RUNS, fallback: DEFAULT_UPCOMING_RUNS };
      const asked = readWholeNumber('count', count, allowed);
      if (job.status !== 'ACTIVE') return [];
      return upcomingRuns(job, clock.now(), asked, await skippedSlots.load(job.id));
    },
  }),
}));
