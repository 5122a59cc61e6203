import type { CommandError, CommandResult } from '../../../commands/command-result.ts';
import { builder } from '../../builder.ts';
import { MutationError } from './mutation-errors.ts';

export interface BulkPayloadShape {
  matchedCount: number;
  changedCount: number;
  errors: CommandError[];
}

export const BulkPayload = builder.objectRef<BulkPayloadShape>('BulkPayload').implement({
  description: 'What a change of many came to.',
  fields: (t) => ({
    matchedCount: t.exposeInt('matchedCount', {
      description: 'How many the input selected, up to its limit.',
    }),
    changedCount: t.exposeInt('changedCount', { description: 'How many of them this call changed.' }),
    errors: t.expose('errors', {
      type: [MutationError],
      description: 'Why nothing was done; empty where it was.',
    }),
  }),
});

/** The payload of a command that counts; nothing matched and nothing was changed where it refused. */
export function bulkPayloadOf(
  result: CommandResult<{ matchedCount: number; changedCount: number }>,
): BulkPayloadShape {
  return result.ok
    ? { ...result.value, errors: [] }
    : { matchedCount: 0, changedCount: 0, errors: result.errors };
}
