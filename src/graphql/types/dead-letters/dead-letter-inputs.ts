import { DEAD_LETTER_LIMITS } from '../../../commands/dead-letters/dead-letter-selection.ts';
import type { InputFieldBuilder } from '../../builder.ts';
import { builder } from '../../builder.ts';
import { WHERE_LIMITS } from '../../filters/read-where.ts';
import { FailureReason } from '../executions/execution-enums.ts';
import { DateTimeFilter, TagFilter } from '../shared/filter-inputs.ts';

const { limit, list } = DEAD_LETTER_LIMITS;

export const DeadLetterWhere = builder.inputType('DeadLetterWhere', {
  description: 'Selects dead letters; all fields given must hold.',
  fields: (t) => ({
    jobId: t.idList({
      description: `Its job is any of these, ${WHERE_LIMITS.list} at most; an id of something else matches nothing.`,
    }),
    failureReason: t.field({
      type: [FailureReason],
      description: `Why it failed is any of these, ${WHERE_LIMITS.list} at most.`,
    }),
    failedAt: t.field({ type: DateTimeFilter, description: 'When it failed for good.' }),
    tags: t.field({ type: TagFilter, description: 'Its job’s tags, as they are now.' }),
    open: t.boolean({
      description: 'Whether it still waits for somebody: neither redriven nor discarded. Absent: either way.',
    }),
  }),
});

/** Which dead letters a mutation is about. */
function selectionFields(t: InputFieldBuilder) {
  return {
    ids: t.idList({
      description: `These, ${list} at most; those that are not open any more are passed over. An id that is none of a dead letter is refused.`,
    }),
    where: t.field({
      type: DeadLetterWhere,
      description: `The open ones that it selects, oldest failure first; {} selects all of them. One of \`ids\` and \`where\` must be given; with both, each must be named by both.`,
    }),
    limit: t.int({
      defaultValue: limit.max,
      description: `No more than so many, ${limit.min} to ${limit.max}.`,
    }),
  };
}

export const RedriveDeadLettersInput = builder.inputType('RedriveDeadLettersInput', {
  description: 'Which failed executions to run again.',
  fields: selectionFields,
});

export const DiscardDeadLettersInput = builder.inputType('DiscardDeadLettersInput', {
  description: 'Which failed executions to give up.',
  fields: selectionFields,
});
