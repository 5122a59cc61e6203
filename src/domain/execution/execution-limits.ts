import type { TextLimit } from '../values/text.ts';

/** Why an execution is cancelled or a slot left out, in the words of whoever does it. The database allows no more. */
export const REASON_LIMIT: TextLimit = { min: 0, max: 1_000 };
