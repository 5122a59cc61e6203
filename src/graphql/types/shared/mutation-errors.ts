import type { CommandError } from '../../../commands/command-result.ts';
import { builder } from '../../builder.ts';

type ErrorOf<Kind extends CommandError['kind']> = Extract<CommandError, { kind: Kind }>;

/** Stable names for programs; the types carry the same, and their facts. */
const CODES: Readonly<Record<CommandError['kind'], string>> = {
  ValidationError: 'VALIDATION',
  InvalidScheduleError: 'INVALID_SCHEDULE',
  NotFoundError: 'NOT_FOUND',
  ConflictError: 'CONFLICT',
  VersionConflictError: 'VERSION_CONFLICT',
  CyclicDependencyError: 'CYCLIC_DEPENDENCY',
  TargetBlockedError: 'TARGET_BLOCKED',
};

export const MutationError = builder.interfaceRef<CommandError>('MutationError').implement({
  description: 'Why a mutation did nothing. Where there is one, nothing was written.',
  resolveType: ({ kind }) => kind,
  fields: (t) => ({
    code: t.string({
      description: `Stable name of the kind of error: ${Object.values(CODES).join(', ')}.`,
      resolve: ({ kind }) => CODES[kind],
    }),
    message: t.exposeString('message', { description: 'What is wrong and what is allowed, in English.' }),
    path: t.exposeStringList('path', {
      nullable: true,
      description:
        'Where in the input it is, such as ["retryPolicy", "maxRetries"]; null where it concerns the whole.',
    }),
  }),
});

const ValidationIssue = builder
  .objectRef<ErrorOf<'ValidationError'>['issues'][number]>('ValidationIssue')
  .implement({
    description: 'One field that was refused.',
    fields: (t) => ({
      path: t.exposeStringList('path', {
        description: 'Where in the input it is, such as ["retryPolicy", "maxRetries"].',
      }),
      message: t.exposeString('message', { description: 'What is wrong and what is allowed.' }),
    }),
  });

builder.objectRef<ErrorOf<'ValidationError'>>('ValidationError').implement({
  description: 'Fields of the input are not what they may be.',
  interfaces: [MutationError],
  fields: (t) => ({
    issues: t.expose('issues', { type: [ValidationIssue], description: 'Every field that was refused.' }),
  }),
});

builder.objectRef<ErrorOf<'InvalidScheduleError'>>('InvalidScheduleError').implement({
  description: 'The schedule cannot be read, or names no moment.',
  interfaces: [MutationError],
  fields: (t) => ({
    schedule: t.exposeString('schedule', {
      description: 'The schedule as it was given, its first 256 characters.',
    }),
  }),
});

builder.objectRef<ErrorOf<'NotFoundError'>>('NotFoundError').implement({
  description: 'What the input refers to is not there.',
  interfaces: [MutationError],
  fields: (t) => ({
    id: t.exposeString('id', {
      nullable: true,
      description: 'The id as it was given, its first 64 characters.',
    }),
  }),
});

builder.objectRef<ErrorOf<'ConflictError'>>('ConflictError').implement({
  description: 'Something else stands against it: a key that is taken, or a status that does not allow it.',
  interfaces: [MutationError],
});

builder.objectRef<ErrorOf<'VersionConflictError'>>('VersionConflictError').implement({
  description: 'It was changed since the `expectedVersion`.',
  interfaces: [MutationError],
  fields: (t) => ({
    currentVersion: t.exposeInt('currentVersion', { description: 'The version that it is at.' }),
  }),
});

builder.objectRef<ErrorOf<'CyclicDependencyError'>>('CyclicDependencyError').implement({
  description: 'The job would come to wait for itself.',
  interfaces: [MutationError],
  fields: (t) => ({
    cycle: t.exposeIDList('cycle', {
      description:
        'The jobs of the cycle, each once, beginning with the job: every one waits for the next, and the last one for the first.',
    }),
  }),
});

builder.objectRef<ErrorOf<'TargetBlockedError'>>('TargetBlockedError').implement({
  description: 'The URL’s host is an address that the operator has blocked.',
  interfaces: [MutationError],
  fields: (t) => ({
    address: t.exposeString('address', { description: 'The address.' }),
  }),
});
