/** Why operations fail, as the descriptions of fields name it: one clause per error, for those that several have in common. */

/** What makes a definition of a job one that is refused. */
export const DEFINITION_ERRORS =
  'ValidationError where a field is not what it may be, or no run is left; InvalidScheduleError where the schedule cannot be read, or names no moment; TargetBlockedError where the operator has blocked the URL’s address';
export const KEY_TAKEN = 'ConflictError where another job has the key';
export const JOB_NOT_FOUND = 'NotFoundError where there is no such job, or it was deleted';
export const VERSION_CONFLICT = 'VersionConflictError where it is not at `expectedVersion`';
export const JOB_COMPLETED = 'ConflictError where it is COMPLETED';
export const ALERT_NOT_FOUND = 'NotFoundError where there is no such alert, or its job was deleted';
export const EXECUTION_NOT_FOUND = 'NotFoundError where there is no such execution, or it is no longer kept';

/** Errors of queries and subscriptions, by their `extensions.code`. */
export const BAD_ARGUMENT = 'BAD_USER_INPUT where an argument is not what it may be';
export const BAD_LIST_ARGUMENT = `${BAD_ARGUMENT}, such as too large a page or a cursor of another ordering`;
export const BAD_FILTERED_LIST_ARGUMENT = `${BAD_LIST_ARGUMENT}, or where finding or counting what \`where\` selects takes longer than a statement may (DATABASE_QUERY_TIMEOUT_MS)`;
export const BAD_FILTER = 'BAD_USER_INPUT where `where` is not what it may be';
export const JOB_NOT_KEPT = 'NOT_FOUND where the job is no longer kept';
export const EXECUTION_NOT_KEPT = 'NOT_FOUND where the execution is no longer kept';
