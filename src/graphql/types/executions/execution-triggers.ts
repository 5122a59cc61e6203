import { listOf } from '../../answer-sizes.ts';
import { builder } from '../../builder.ts';
import { Execution } from './execution.ts';

builder.prismaObjectFields(Execution, (t) => ({
  triggeredBy: t.field({
    extensions: listOf(25),
    type: [Execution],
    description: 'The executions whose end triggered this one, in the order of their ends.',
    select: (_args, _context, nestedSelection) => ({
      triggeredBy: {
        select: { triggeredBy: nestedSelection(true) },
        orderBy: [{ triggeredBy: { finishedAt: 'asc' } }, { triggeredById: 'asc' }],
      },
    }),
    resolve: ({ triggeredBy }) => triggeredBy.map((row) => row.triggeredBy),
  }),
  triggered: t.field({
    extensions: listOf(25),
    type: [Execution],
    description: 'The executions that its end triggered, and those that repeat them, oldest first.',
    select: (_args, _context, nestedSelection) => ({
      triggered: {
        select: { execution: nestedSelection(true) },
        orderBy: [{ execution: { createdAt: 'asc' } }, { executionId: 'asc' }],
      },
    }),
    resolve: ({ triggered }) => triggered.map((row) => row.execution),
  }),
}));
