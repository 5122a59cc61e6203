import { listOf } from '../../answer-sizes.ts';
import type { CommandError } from '../../../commands/command-result.ts';
import { DEAD_LETTER_CHUNK } from '../../../commands/dead-letters/dead-letter-chunks.ts';
import { builder } from '../../builder.ts';
import { needs } from '../../roles.ts';
import { BulkPayload, bulkPayloadOf } from '../shared/bulk-payload.ts';
import { DiscardDeadLettersInput, RedriveDeadLettersInput } from './dead-letter-inputs.ts';
import { MutationError } from '../shared/mutation-errors.ts';

const INPUT = 'Which ones.';
const CHUNKS = `In transactions of ${DEAD_LETTER_CHUNK}: a call that breaks off is repeated to go on with the rest.`;
const ERRORS =
  'ValidationError where neither `ids` nor `where` is given, an id is none of a dead letter, a list is too long, or `limit` is not what it may be.';

interface RedrivePayloadShape {
  executionIds: string[];
  errors: CommandError[];
}

const RedrivePayload = builder.objectRef<RedrivePayloadShape>('RedrivePayload').implement({
  description: 'What became of failed executions that were to be run again.',
  fields: (t) => ({
    executions: t.prismaField({
      extensions: listOf(1_000),
      type: ['JobExecution'],
      description: 'The new executions, in the order of the failures.',
      resolve: async (query, { executionIds }, _args, { prisma }) => {
        const rows = await prisma.jobExecution.findMany({ ...query, where: { id: { in: executionIds } } });
        const place = new Map(executionIds.map((id, index) => [id, index]));
        return rows.toSorted((a, b) => (place.get(a.id) ?? 0) - (place.get(b.id) ?? 0));
      },
    }),
    redrivenCount: t.int({
      description: 'How many there are.',
      resolve: ({ executionIds }) => executionIds.length,
    }),
    errors: t.expose('errors', {
      type: [MutationError],
      description: 'Why nothing was done; empty where it was.',
    }),
  }),
});

builder.mutationFields((t) => ({
  redriveDeadLetters: t.field({
    authScopes: needs('OPERATOR'),
    type: RedrivePayload,
    description: `Runs failed executions again: one new execution per open dead letter, trigger REDRIVE, however many ask at once. Where the job’s executions may not overlap, they wait as BLOCKED for their turn. Those of deleted jobs are passed over. ${CHUNKS} ${ERRORS}`,
    args: { input: t.arg({ type: RedriveDeadLettersInput, required: true, description: INPUT }) },
    resolve: async (_root, { input }, { commands, caller }) => {
      const result = await commands.redriveDeadLetters(caller, input);
      return result.ok
        ? { executionIds: result.value.executionIds, errors: [] }
        : { executionIds: [], errors: result.errors };
    },
  }),
  discardDeadLetters: t.field({
    authScopes: needs('OPERATOR'),
    type: BulkPayload,
    description: `Gives failed executions up: they leave the queue, and are pruned as all others are. ${CHUNKS} ${ERRORS}`,
    args: { input: t.arg({ type: DiscardDeadLettersInput, required: true, description: INPUT }) },
    resolve: async (_root, { input }, { commands, caller }) =>
      bulkPayloadOf(await commands.discardDeadLetters(caller, input)),
  }),
}));
