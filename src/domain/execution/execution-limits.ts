import type { TextLimit } from '../values/text.ts';

/** The longest reason why an execution is cancelled or a slot skipped. The database allows no more. */
export const REASON_LIMIT: TextLimit = { min: 0, max: 1_000 };
