import { longestText, MAX_ERROR_CHARACTERS } from '../../answer-sizes.ts';
import { builder } from '../../builder.ts';
import { FailureReason } from '../executions/execution-enums.ts';

export const DeadLetter = builder.prismaNode('DeadLetter', {
  id: { field: 'executionId' },
  nullable: true,
  description: 'A failed execution that waits for somebody to redrive or discard it.',
  select: { executionId: true },
  fields: (t) => ({
    execution: t.relation('execution', { description: 'The execution that failed.' }),
    job: t.relation('job', { description: 'Its job.' }),
    failureReason: t.expose('failureReason', { type: FailureReason, description: 'Why it failed.' }),
    errorMessage: t.exposeString('errorMessage', {
      extensions: longestText(MAX_ERROR_CHARACTERS),
      nullable: true,
      description: 'The failure in words.',
    }),
    failedAt: t.expose('failedAt', { type: 'DateTime', description: 'When it failed for good.' }),
    redrivenAt: t.expose('redrivenAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was run again.',
    }),
    redriveExecution: t.relation('redriveExecution', {
      nullable: true,
      description: 'The execution by which it was run again.',
    }),
    discardedAt: t.expose('discardedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was given up.',
    }),
  }),
});
