import type { CommandError, CommandResult } from '../../../commands/command-result.ts';
import { DELETE_TAG_CHUNK } from '../../../commands/tags/delete-tag.ts';
import { TAG_LIMITS, TAG_NAME_RULE } from '../../../domain/job/tag.ts';
import { encodePublicId } from '../../../domain/values/public-id.ts';
import { builder } from '../../builder.ts';
import { needs } from '../../roles.ts';
import { DeletePayload } from '../shared/delete-payload.ts';
import { JOB_NOT_FOUND } from '../shared/error-texts.ts';
import { MutationError } from '../shared/mutation-errors.ts';
import { JobPayload, jobPayloadOf } from '../shared/payloads.ts';
import { Tag } from './tag.ts';

const INPUT = 'What to do.';
const NOT_FOUND = 'NotFoundError where there is no such tag';
const FIELDS =
  'ValidationError where the name or the color is not what it may be; ConflictError where another tag has the name';
const ID = 'The tag’s id.';
const NAME = `Its name. ${TAG_NAME_RULE}.`;
const COLOR = 'How a dashboard may show it: # and six hexadecimal digits, such as #1f6feb';

const CreateTagInput = builder.inputType('CreateTagInput', {
  description: 'A new tag.',
  fields: (t) => ({
    name: t.string({ required: true, description: NAME }),
    color: t.string({ description: `${COLOR}; none where it is left out.` }),
  }),
});

const UpdateTagInput = builder.inputType('UpdateTagInput', {
  description: 'A change of a tag. Absent leaves as it is; the name may not be null.',
  fields: (t) => ({
    id: t.id({ required: true, description: ID }),
    name: t.string({ description: NAME }),
    color: t.string({ description: `${COLOR}; null: none.` }),
  }),
});

const DeleteTagInput = builder.inputType('DeleteTagInput', {
  description: 'Which tag to delete.',
  fields: (t) => ({ id: t.id({ required: true, description: ID }) }),
});

const TagJobInput = builder.inputType('TagJobInput', {
  description: 'Which job, and which tags.',
  fields: (t) => ({
    jobId: t.id({ required: true, description: 'The job’s id.' }),
    tags: t.stringList({
      required: true,
      description: `The tags’ names, ${TAG_LIMITS.perJob} at most. ${TAG_NAME_RULE} each.`,
    }),
  }),
});

interface TagPayloadShape {
  tagId: string | null;
  errors: CommandError[];
}

const TagPayload = builder.objectRef<TagPayloadShape>('TagPayload').implement({
  description: 'What became of a tag.',
  fields: (t) => ({
    tag: t.prismaField({
      type: Tag,
      nullable: true,
      description: 'The tag as it is now; null where there are errors.',
      resolve: (query, { tagId }, _args, { prisma }) =>
        tagId === null ? null : prisma.tag.findUnique({ ...query, where: { id: tagId } }),
    }),
    errors: t.expose('errors', {
      type: [MutationError],
      description: 'Why nothing was done; empty where it was.',
    }),
  }),
});

builder.mutationFields((t) => ({
  createTag: t.field({
    authScopes: needs('EDITOR'),
    type: TagPayload,
    description: `Creates a tag that no job has yet. Not needed before a job gets it: names that are unknown are created then. ${FIELDS}.`,
    args: { input: t.arg({ type: CreateTagInput, required: true, description: INPUT }) },
    resolve: async (_root, { input }, { commands, caller }) =>
      tagPayloadOf(await commands.createTag(caller, input)),
  }),
  updateTag: t.field({
    authScopes: needs('EDITOR'),
    type: TagPayload,
    description: `Changes a tag’s name or color, for all jobs that have it at once. The jobs’ versions stay as they are. ${NOT_FOUND}; ${FIELDS}.`,
    args: { input: t.arg({ type: UpdateTagInput, required: true, description: INPUT }) },
    resolve: async (_root, { input }, { commands, caller }) =>
      tagPayloadOf(await commands.updateTag(caller, input)),
  }),
  deleteTag: t.field({
    authScopes: needs('EDITOR'),
    type: DeletePayload,
    description: `Deletes a tag, and takes it off the jobs that have it, in transactions of ${DELETE_TAG_CHUNK}: a call that breaks off is repeated to go on with the rest. ${NOT_FOUND}.`,
    args: { input: t.arg({ type: DeleteTagInput, required: true, description: INPUT }) },
    resolve: async (_root, { input }, { commands, caller }) => {
      const result = await commands.deleteTag(caller, input);
      return result.ok
        ? { deletedId: encodePublicId('Tag', result.value.id), errors: [] }
        : { deletedId: null, errors: result.errors };
    },
  }),
  addJobTags: t.field({
    authScopes: needs('EDITOR'),
    type: JobPayload,
    description: `Gives a job tags beside those that it has; a job may have ${TAG_LIMITS.perJob}. Names that are unknown become new tags. Changes nothing where the job has them all. ${JOB_NOT_FOUND}; ValidationError where a name is none, or the tags would be too many.`,
    args: { input: t.arg({ type: TagJobInput, required: true, description: INPUT }) },
    resolve: async (_root, { input }, { commands, caller }) =>
      jobPayloadOf(await commands.addJobTags(caller, input)),
  }),
  removeJobTags: t.field({
    authScopes: needs('EDITOR'),
    type: JobPayload,
    description: `Takes tags off a job. Changes nothing where the job has none of them. ${JOB_NOT_FOUND}; ValidationError where a name is none, or the list too long.`,
    args: { input: t.arg({ type: TagJobInput, required: true, description: INPUT }) },
    resolve: async (_root, { input }, { commands, caller }) =>
      jobPayloadOf(await commands.removeJobTags(caller, input)),
  }),
}));

function tagPayloadOf(result: CommandResult<{ id: string }>): TagPayloadShape {
  return result.ok ? { tagId: result.value.id, errors: [] } : { tagId: null, errors: result.errors };
}
