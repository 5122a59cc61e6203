import { type CommandError, validationError } from '../command-result.ts';
import type { CreateJobInput } from './create-job.ts';

export const UPSERT_LIMITS = {
  /** Jobs in one call. */
  jobs: 1_000,
  /** Errors after which those of further jobs are not shown. */
  errors: 100,
} as const;

export function tooManyJobs(given: number): CommandError {
  const message = `Lists ${given} jobs; allowed are ${UPSERT_LIMITS.jobs}.`;
  return validationError([{ path: ['input', 'jobs'], message }]);
}

/** Inputs without a key, and keys that stand twice. */
export function keyErrors(
  inputs: readonly CreateJobInput[],
  placeOf: (index: number) => string[],
): CommandError[] {
  const first = new Map<string, number>();
  const errors: CommandError[] = [];
  const refuse = (index: number, message: string) => {
    if (errors.length < UPSERT_LIMITS.errors)
      errors.push(validationError([{ path: [...placeOf(index), 'key'], message }]));
  };
  for (const [index, { key }] of inputs.entries()) {
    if (key === null || key === undefined) {
      refuse(index, 'A key is needed: it says which job is meant.');
      continue;
    }
    const other = first.get(key);
    if (other === undefined) first.set(key, index);
    else refuse(index, `The jobs ${other} and ${index} of the list have the same key.`);
  }
  return errors;
}

/** An error of one job, with the path of its place in the list. */
export function errorAt(error: CommandError, place: readonly string[]): CommandError {
  if (place.length === 0) return error;
  if (error.kind === 'ValidationError')
    return validationError(error.issues.map((issue) => ({ ...issue, path: [...place, ...issue.path] })));
  return { ...error, path: [...place, ...(error.path ?? [])] };
}
