import { listOf } from '../../answer-sizes.ts';
import type { HistogramBucket } from '../../../domain/metrics/metrics.ts';
import { checkSpan, MAX_BUCKETS } from '../../../domain/metrics/time-buckets.ts';
import { builder } from '../../builder.ts';
import { needs } from '../../roles.ts';
import { badArgument } from '../../errors.ts';
import { readExecutionWhere } from '../../filters/execution-where.ts';
import { BAD_ARGUMENT } from '../shared/error-texts.ts';
import { ExecutionWhere } from '../shared/filter-inputs.ts';

const ExecutionBucket = builder.objectRef<HistogramBucket>('ExecutionBucket').implement({
  description: 'Executions that came into being within one bucket, by how they stand now.',
  fields: (t) => ({
    from: t.expose('from', { type: 'DateTime', description: 'Where the bucket begins.' }),
    to: t.expose('to', {
      type: 'DateTime',
      description: 'Where it ends, which is the next one’s beginning.',
    }),
    success: t.exposeInt('success', { description: 'SUCCESS.' }),
    failed: t.exposeInt('failed', { description: 'FAILED.' }),
    cancelled: t.exposeInt('cancelled', { description: 'CANCELLED.' }),
    skipped: t.exposeInt('skipped', { description: 'SKIPPED.' }),
    unfinished: t.exposeInt('unfinished', { description: 'Not finished yet.' }),
  }),
});

builder.queryField('executionHistogram', (t) =>
  t.field({
    authScopes: needs('VIEWER'),
    extensions: listOf(500),
    type: [ExecutionBucket],
    description: `Executions counted in equal buckets by their \`createdAt\`, oldest first, empty ones included; ${MAX_BUCKETS} buckets at most. Only what is still kept counts: see EXECUTION_RETENTION_DAYS. ${BAD_ARGUMENT}, or where counting takes too long: it reads the executions themselves.`,
    args: {
      from: t.arg({ type: 'DateTime', required: true, description: 'Where the first bucket begins.' }),
      to: t.arg({
        type: 'DateTime',
        required: true,
        description:
          'What was created at or after it does not count; the last bucket reaches beyond it where the buckets do not fit.',
      }),
      bucketMs: t.arg.int({ required: true, description: 'Length of a bucket in milliseconds, 1 or more.' }),
      where: t.arg({ type: ExecutionWhere, description: 'Only these.' }),
    },
    resolve: async (_root, { from, to, bucketMs, where }, { metrics }) => {
      const span = { from, to, bucketMs };
      const problem = checkSpan(span);
      if (problem) throw badArgument(problem.field, problem.message);
      const buckets = await metrics.histogram(span, readExecutionWhere(where));
      if (buckets === null)
        throw badArgument(
          'from',
          'the span holds too many executions to count; make it shorter, or select fewer.',
        );
      return buckets;
    },
  }),
);
