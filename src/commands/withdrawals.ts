import type { Withdrawal } from '../store/withdrawing.ts';

/** What changes of a job take back of its executions. */
export const PAUSED: Withdrawal = { scope: 'planned', reason: 'The job was paused.' };
export const RESCHEDULED: Withdrawal = { scope: 'plannedAhead', reason: 'The schedule was changed.' };
export const DELETED: Withdrawal = { scope: 'waiting', reason: 'The job was deleted.' };
