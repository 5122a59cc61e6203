import type { TextLimit } from '../values/text.ts';
import type { JobDefinition } from './job-definition.ts';

const ONE_HOUR_MS = 3_600_000;

/** The bounds of fields that are whole numbers. Null passes when the field may be null. */
export const NUMBER_LIMITS = {
  jitterMs: { min: 0, max: ONE_HOUR_MS },
  /** A week. After a longer outage a run is a catch-up, not a delayed run. */
  misfireGraceMs: { min: 0, max: 7 * 24 * ONE_HOUR_MS },
  /** A week. Longer work needs a timer of the target. */
  completionTimeoutMs: { min: 1_000, max: 7 * 24 * ONE_HOUR_MS },
  maxConcurrency: { min: 1, max: 1_000 },
  priority: { min: -1_000, max: 1_000 },
} as const satisfies Partial<Record<keyof JobDefinition, { min: number; max: number }>>;

/** The bounds of fields that are texts. */
export const TEXT_LIMITS = {
  name: { min: 1, max: 200 },
  key: { min: 1, max: 200 },
  description: { min: 0, max: 5_000 },
} as const satisfies Partial<Record<keyof JobDefinition, TextLimit>>;

/**
 * The bounds of a job's fields that no other module of the domain owns. Both ends are allowed. The database's CHECK
 * constraints allow at least the same.
 */
export const JOB_LIMITS = {
  ...TEXT_LIMITS,
  pauseReason: { min: 0, max: 1_000 },
  idempotencyKey: { min: 1, max: 200 },
  ...NUMBER_LIMITS,
  /** All names and values together. Common servers accept 8 to 16 KB. */
  headersBytes: 16_384,
  bodyBytes: 262_144,
} as const satisfies Record<string, TextLimit | number>;

/** The form of a key. Keys appear in files, command lines and URLs. */
export const JOB_KEY_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._:/-]*$/;
