import { averageMs, type MetricsBucket as BucketShape } from '../../../domain/metrics/metrics-series.ts';
import { SKETCH_ERROR, type Percentiles as PercentilesShape } from '../../../domain/metrics/sketch.ts';
import { builder } from '../../builder.ts';

/** More than GraphQL's Int can tell. */
const MAX_INT = 2 ** 31 - 1;

/** A count as Int: the greatest there is stands for all above it. */
export function countAsInt(count: number): number {
  return Math.min(count, MAX_INT);
}

export const MetricsWindow = builder.enumType('MetricsWindow', {
  description:
    'A span of time up to now. It is made of whole buckets and the one that is running: it holds at least what its name says, and up to one bucket more. Buckets begin at full units of UTC.',
  values: {
    LAST_HOUR: { description: '13 buckets of 5 minutes.' },
    LAST_24H: { description: '25 buckets of an hour.' },
    LAST_7D: { description: '8 buckets of a day.' },
    LAST_30D: { description: '31 buckets of a day.' },
    ALL_TIME: {
      description:
        'From the first end on: buckets of 5 minutes, an hour, a day, a week or 13 weeks, longer ones the longer it is ago.',
    },
  } as const,
});

export const Percentiles = builder.objectRef<PercentilesShape>('Percentiles').implement({
  description: `How durations spread, in milliseconds. p50 is what half of them did not exceed, and so on; each is within ${Math.ceil(SKETCH_ERROR * 100)} % of the exact one.`,
  fields: (t) => ({
    p50: t.exposeFloat('p50', { description: 'Half were no longer.' }),
    p95: t.exposeFloat('p95', { description: '95 % were no longer.' }),
    p99: t.exposeFloat('p99', { description: '99 % were no longer.' }),
    max: t.exposeFloat('max', { description: 'The longest, exactly.' }),
  }),
});

export const MetricsBucket = builder.objectRef<BucketShape>('MetricsBucket').implement({
  description: 'What ended within one bucket of a series.',
  fields: (t) => ({
    from: t.expose('from', { type: 'DateTime', description: 'Where it begins.' }),
    to: t.expose('to', {
      type: 'DateTime',
      description: 'Where it ends, which is the next one’s beginning; of the running one in the future.',
    }),
    success: t.int({ description: 'Ended as SUCCESS.', resolve: ({ success }) => countAsInt(success) }),
    failed: t.int({ description: 'Ended as FAILED.', resolve: ({ failed }) => countAsInt(failed) }),
    cancelled: t.int({
      description: 'Ended as CANCELLED.',
      resolve: ({ cancelled }) => countAsInt(cancelled),
    }),
    skipped: t.int({ description: 'Ended as SKIPPED.', resolve: ({ skipped }) => countAsInt(skipped) }),
    avgExecutionTimeMs: t.float({
      nullable: true,
      description: 'Mean `durationMs` of those that succeeded or failed; null where none did.',
      resolve: averageMs,
    }),
  }),
});
