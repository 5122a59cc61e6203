import type { ConcurrencyPolicy } from './concurrency.ts';
import type { HttpMethod } from '../request/http-method.ts';
import { DEFAULT_SUCCESS_STATUSES } from '../execution/outcome.ts';
import { DEFAULT_TIMEOUT_MS } from '../request/outgoing-request.ts';
import type { RetryPolicy } from '../execution/retry.ts';
import type { DstGapPolicy, DstOverlapPolicy } from '../schedule/schedule-slots.ts';

export const JOB_STATUSES = ['ACTIVE', 'PAUSED', 'COMPLETED', 'DELETED'] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

export const JOB_TYPES = ['ATLEAST_ONCE', 'ATMOST_ONCE'] as const;
export type JobType = (typeof JOB_TYPES)[number];

export const COMPLETIONS = ['RESPONSE', 'CALLBACK'] as const;
export type JobCompletion = (typeof COMPLETIONS)[number];

export const MISFIRE_POLICIES = ['RUN_ONCE', 'RUN_ALL', 'SKIP'] as const;
export type MisfirePolicy = (typeof MISFIRE_POLICIES)[number];

/** The fields of a job that its owner sets. The scheduler sets all other columns of its row. */
export type JobDefinition = {
  name: string;
  /** A name for machines, unique among the jobs that are not deleted. */
  key: string | null;
  description: string | null;
  /** Excludes `runAt`. Without both, the job runs only when a user or another job triggers it. */
  schedule: string | null;
  timezone: string;
  runAt: Date | null;
  /** The window contains both of its ends. */
  startAt: Date | null;
  endAt: Date | null;
  jitterMs: number;
  api: string;
  method: HttpMethod;
  headers: Readonly<Record<string, string>>;
  body: unknown;
  type: JobType;
  timeoutMs: number;
  successStatuses: readonly string[];
  /** CALLBACK: a successful response only starts the work, and the target calls back when it is done. */
  completion: JobCompletion;
  /** How long after the response the callback may come. */
  completionTimeoutMs: number;
  /** Null: a failed attempt is final. */
  retryPolicy: RetryPolicy | null;
  concurrencyPolicy: ConcurrencyPolicy;
  /** How many executions may be unfinished at once; null: one, or any number under ALLOW. */
  maxConcurrency: number | null;
  misfirePolicy: MisfirePolicy;
  misfireGraceMs: number;
  dstGapPolicy: DstGapPolicy;
  dstOverlapPolicy: DstOverlapPolicy;
  priority: number;
  /** Names, each once, as `domain/job/tag.ts` spells and sorts them. */
  tags: readonly string[];
};

/** The defaults of a new job. */
export const JOB_DEFAULTS = {
  key: null,
  description: null,
  schedule: null,
  timezone: 'UTC',
  runAt: null,
  startAt: null,
  endAt: null,
  jitterMs: 0,
  method: 'GET',
  headers: {},
  body: null,
  type: 'ATLEAST_ONCE',
  timeoutMs: DEFAULT_TIMEOUT_MS,
  successStatuses: DEFAULT_SUCCESS_STATUSES,
  completion: 'RESPONSE',
  completionTimeoutMs: 3_600_000,
  retryPolicy: null,
  concurrencyPolicy: 'ALLOW',
  maxConcurrency: null,
  misfirePolicy: 'RUN_ONCE',
  misfireGraceMs: 60_000,
  dstGapPolicy: 'SHIFT',
  dstOverlapPolicy: 'FIRST',
  priority: 0,
  tags: [],
} as const satisfies Omit<JobDefinition, 'name' | 'api'>;

/** Fields that may be null, so an update may clear them. */
export const CLEARABLE_FIELDS: ReadonlySet<keyof JobDefinition> = new Set([
  'key',
  'description',
  'schedule',
  'runAt',
  'startAt',
  'endAt',
  'body',
  'retryPolicy',
  'maxConcurrency',
]);

/** Fields that decide when a job runs. A change of one of them needs a new `nextRunAt`. */
export const SLOT_FIELDS = [
  'schedule',
  'timezone',
  'runAt',
  'startAt',
  'endAt',
  'dstGapPolicy',
  'dstOverlapPolicy',
] as const satisfies readonly (keyof JobDefinition)[];

/** A policy as a client writes it. An absent field takes its default. */
export type RetryPolicyInput = { [Field in keyof RetryPolicy]?: RetryPolicy[Field] | null | undefined };

/** A definition as a client writes it. Absent and null differ only in an update. */
export type JobInput = {
  [Field in keyof Omit<JobDefinition, 'retryPolicy' | 'headers'>]?: JobDefinition[Field] | null | undefined;
} & { retryPolicy?: RetryPolicyInput | null | undefined; headers?: unknown };

/** One refused field: its path in the input, and what is allowed. */
export type FieldIssue = { path: string[]; message: string };
