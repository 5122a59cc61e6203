import type { CommandError } from '../../../commands/command-result.ts';
import { builder } from '../../builder.ts';
import { MutationError } from './mutation-errors.ts';

export interface DeletePayloadShape {
  /** As the API spells it. */
  deletedId: string | null;
  errors: CommandError[];
}

export const DeletePayload = builder.objectRef<DeletePayloadShape>('DeletePayload').implement({
  description: 'What became of something that was to be deleted.',
  fields: (t) => ({
    deletedId: t.exposeID('deletedId', {
      nullable: true,
      description: 'Its id, which names nothing any more; null where there are errors.',
    }),
    errors: t.expose('errors', {
      type: [MutationError],
      description: 'Why nothing was done; empty where it was.',
    }),
  }),
});
