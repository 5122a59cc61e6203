import type { TextLimit } from '../values/text.ts';
import type { JobDefinition } from './job-definition.ts';

const ONE_HOUR_MS = 3_600_000;

/** Fields that are whole numbers. Each is checked against its bounds here; null passes where the field may be null. */
export const NUMBER_LIMITS = {
  jitterMs: { min: 0, max: ONE_HOUR_MS },
  /** A week: an outage that lasted longer is a catch-up, not a delay. */
  misfireGraceMs: { min: 0, max: 7 * 24 * ONE_HOUR_MS },
  /** A week: a timer of the target's own does for what takes longer. */
  completionTimeoutMs: { min: 1_000, max: 7 * 24 * ONE_HOUR_MS },
  maxConcurrency: { min: 1, max: 1_000 },
  priority: { min: -1_000, max: 1_000 },
} as const satisfies Partial<Record<keyof JobDefinition, { min: number; max: number }>>;

/** Fields that are texts, checked in the same way. */
export const TEXT_LIMITS = {
  name: { min: 1, max: 200 },
  key: { min: 1, max: 200 },
  description: { min: 0, max: 5_000 },
} as const satisfies Partial<Record<keyof JobDefinition, TextLimit>>;

/**
 * The bounds of a job's fields that no other module of the domain owns, both ends allowed. The database's CHECK
 * constraints are no tighter than these.
 */
export const JOB_LIMITS = {
  ...TEXT_LIMITS,
  pauseReason: { min: 0, max: 1_000 },
  idempotencyKey: { min: 1, max: 200 },
  ...NUMBER_LIMITS,
  /** All names and values together: what common servers accept is 8 to 16 KB. */
  headersBytes: 16_384,
  bodyBytes: 262_144,
} as const satisfies Record<string, TextLimit | number>;

/** What a key may look like: it stands in files, command lines and URLs. */
export const JOB_KEY_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._:/-]*$/;
