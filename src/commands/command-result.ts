import type { FieldIssue } from '../domain/job/job-definition.ts';
import type { ScheduleIssue } from '../domain/job/job-validation.ts';

/**
 * Why a command did nothing. These are values, not exceptions: each is something that a careful client meets.
 * `path` is where in the command's input the cause stands; null where it concerns the whole.
 */
export type CommandError =
  | { kind: 'ValidationError'; message: string; path: string[] | null; issues: FieldIssue[] }
  | { kind: 'InvalidScheduleError'; message: string; path: string[]; schedule: string }
  | { kind: 'NotFoundError'; message: string; path: string[]; id: string }
  | { kind: 'ConflictError'; message: string; path: string[] | null }
  | { kind: 'VersionConflictError'; message: string; path: string[]; currentVersion: number }
  | { kind: 'CyclicDependencyError'; message: string; path: string[]; cycle: string[] }
  | { kind: 'TargetBlockedError'; message: string; path: string[]; address: string };

/** Either the command's value, or at least one reason; with a reason, nothing was written. */
export type CommandResult<T> = { ok: true; value: T } | { ok: false; errors: CommandError[] };

/** A failure with one reason. */
export function failWith(error: CommandError): { ok: false; errors: CommandError[] } {
  return { ok: false, errors: [error] };
}

/** A failure, with the path of the field that the id stood in. */
export function namedIn<T>(result: CommandResult<T>, field: string): CommandResult<T> {
  if (result.ok) return result;
  return { ok: false, errors: result.errors.map((error) => ({ ...error, path: [field] })) };
}

/** All issues of one input as one error, whose message can stand alone. */
export function validationError(issues: FieldIssue[]): CommandError {
  const shown = issues.slice(0, 3).map(({ path, message }) => `${path.join('.')}: ${message}`);
  const more = issues.length - shown.length;
  return {
    kind: 'ValidationError',
    message: [...shown, ...(more > 0 ? [`(${more} more)`] : [])].join(' '),
    path: issues[0]?.path ?? null,
    issues,
  };
}

/** A schedule that cannot be read, or that names no moment. */
export function invalidScheduleError({ schedule, message }: ScheduleIssue): CommandError {
  return { kind: 'InvalidScheduleError', message, path: ['schedule'], schedule };
}

/** There is no such job, or it was deleted. `id` is repeated as the client wrote it. */
export function jobNotFound(id: string): CommandError {
  return {
    kind: 'NotFoundError',
    message: 'There is no such job, or it was deleted.',
    path: ['id'],
    id: id.slice(0, 64),
  };
}

/** The job was changed since the client read it. */
export function versionConflict(expected: number, current: number): CommandError {
  return {
    kind: 'VersionConflictError',
    message: `The job is at version ${current}, not ${expected}: somebody changed it meanwhile.`,
    path: ['expectedVersion'],
    currentVersion: current,
  };
}

/** Another job bears the key. */
export function keyTaken(): CommandError {
  return { kind: 'ConflictError', message: 'Another job has this key.', path: ['key'] };
}

/** The host is an address that the operator has blocked. */
export function targetBlocked(address: string): CommandError {
  return {
    kind: 'TargetBlockedError',
    message: `The address ${address} is one that the scheduler may not call.`,
    path: ['api'],
    address,
  };
}
