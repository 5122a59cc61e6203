import type { Caller } from '../commands/command-deps.ts';
import type { Commands } from '../commands/commands.ts';
import type { TestRequest } from '../commands/jobs/test-request.ts';
import type { AskedExecutions, PageRequest } from '../domain/execution/page-request.ts';
import type { Viewer } from '../domain/access/viewer.ts';
import type { Clock } from '../domain/values/clock.ts';
import type { HealthReport } from '../domain/metrics/health-report.ts';
import type { KeptCounts } from '../domain/metrics/kept-counts.ts';
import type { MetricsReader, SystemMetrics } from '../domain/metrics/metrics.ts';
import type { SchedulesReader } from '../domain/schedule/planned.ts';
import type { Feeds } from '../events/feeds.ts';
import type { Ticker } from '../events/ticker.ts';
import type { Prisma, PrismaClient, Tag } from '../generated/prisma/client.ts';
import { createFairReads } from './fair-reads.ts';
import { createAlertLoaders, type AlertLoaders } from './loaders/alert-loaders.ts';
import {
  createExecutionLogLoaders,
  type ExecutionLogLoaders,
  type ReadLogPages,
} from './loaders/execution-log-loaders.ts';
import { createJobHistoryLoaders, type JobHistoryLoaders } from './loaders/job-history-loaders.ts';
import { createSkippedSlotsLoader, type SkippedSlotsLoader } from './loaders/skipped-slots-loader.ts';
import { createMetricsLoaders, type MetricsLoaders } from './loaders/metrics-loaders.ts';
import { createExecutionLoader, createJobLoader, type RowLoader } from './loaders/row-loader.ts';
import { createTagLoaders, type TagLoaders } from './loaders/tag-loaders.ts';

/** What the composition of the application gives to the API. */
export interface GraphqlParts {
  /** For reads only: writes go through the commands. Resolvers get one that bounds what their caller reads at once. */
  prisma: PrismaClient;
  /** Reads that one caller has under way at once. */
  readsPerCaller: number;
  commands: Commands;
  testRequest: TestRequest;
  events: Feeds;
  clock: Clock;
  metrics: MetricsReader;
  schedules: SchedulesReader;
  /** The figures of all jobs together, again and again. */
  systemMetrics: Ticker<SystemMetrics>;
  health: () => Promise<HealthReport>;
  /** An instance that has not beaten for three times this long is taken for dead. */
  heartbeatIntervalMs: number;
  /**
   * The newest executions of each job, newest first, at most `limit` of each: one statement for any number of jobs. With
   * `slotsUntil`, without slots behind that which were left out.
   */
  latestExecutionIds: (
    jobIds: readonly string[],
    limit: number,
    slotsUntil?: Date,
  ) => Promise<Map<string, string[]>>;
  /** Those of each job that a condition selects, from either end of its history, in the same way. */
  executionIdsOfJobs: (jobIds: readonly string[], asked: AskedExecutions) => Promise<Map<string, string[]>>;
  /** The audit entries of each job, from either end, in the same way. */
  auditEntryIdsOfJobs: (jobIds: readonly string[], asked: PageRequest) => Promise<Map<string, string[]>>;
  /** The tags of each job, in the order of their names, in the same way. */
  tagsOfJobs: (jobIds: readonly string[]) => Promise<Map<string, Tag[]>>;
  /** The jobs that have each tag, in the same way. */
  jobIdsOfTags: (tagIds: readonly string[], asked: PageRequest) => Promise<Map<string, string[]>>;
  /** Tags by their names, each with the jobs that have it, where they are `limit` at most. */
  tagBearers: (
    names: readonly string[],
    limit: number,
  ) => Promise<Map<string, { tagId: string; jobIds: string[] | null }>>;
  /** The deliveries of each alert, in the same way. */
  deliveryIdsOfAlerts: (alertIds: readonly string[], asked: PageRequest) => Promise<Map<string, string[]>>;
  /** Each job's slots from an instant on that somebody left out; one statement for any number of jobs. */
  skippedSlotsOfJobs: (jobs: readonly { id: string; from: Date }[]) => Promise<Map<string, Date[]>>;
  readLogPages: ReadLogPages;
  /** Whether a read failed because it took longer than a statement may. */
  isOverTime: (error: unknown) => boolean;
  /** The counts of whole lists. */
  keptCounts: KeptCounts;
}

/** What the parts need once, whatever the number of requests. */
export interface GraphqlBase extends GraphqlParts {
  /** Shared by all requests, so that one event costs one read however many subscribers it has. */
  executionLoader: RowLoader<Prisma.JobExecutionSelect>;
  jobLoader: RowLoader<Prisma.JobSelect>;
  jobHistory: JobHistoryLoaders;
  skippedSlots: SkippedSlotsLoader;
  metricsLoaders: MetricsLoaders;
  tagLoaders: TagLoaders;
  alertLoaders: AlertLoaders;
  executionLogLoaders: ExecutionLogLoaders;
}

/** What each resolver of one operation is given. */
export interface GraphqlContext extends GraphqlBase {
  viewer: Viewer;
  caller: Caller;
  /** Whether nobody is left to read the answer. */
  isGone: () => boolean;
  /** The cursor of the last event that a reconnecting EventSource has seen; null for everybody else. */
  lastEventId: string | null;
}

/** Prepares what all requests share. */
export function createGraphqlBase(parts: GraphqlParts): GraphqlBase {
  const base = {
    ...parts,
    executionLoader: createExecutionLoader(parts.prisma),
    jobLoader: createJobLoader(parts.prisma),
    jobHistory: createJobHistoryLoaders(parts),
    skippedSlots: createSkippedSlotsLoader(parts),
    metricsLoaders: createMetricsLoaders(parts.metrics),
    tagLoaders: createTagLoaders(parts),
    alertLoaders: createAlertLoaders(parts),
    executionLogLoaders: createExecutionLogLoaders(parts),
  };
  const readsFor = createFairReads(parts.prisma, parts.readsPerCaller);
  // Made with the first read of an operation: not every operation reads.
  return Object.defineProperty(base, 'prisma', {
    get(this: GraphqlContext): PrismaClient {
      const value = readsFor({ address: this.caller.address, isGone: this.isGone });
      Object.defineProperty(this, 'prisma', { value });
      return value;
    },
  });
}

/**
 * The context of one operation. A subscription keeps its context for as long as it lives: it inherits what all share,
 * a copy of which would be some 2 KiB for each subscriber.
 */
export function createRequestContext(
  base: GraphqlBase,
  { viewer, requestId, address, isGone, lastEventId = null }: Asker,
): GraphqlContext {
  const own: Omit<GraphqlContext, keyof GraphqlBase> = {
    viewer,
    caller: { actor: viewer.name, requestId, address },
    isGone,
    lastEventId,
  };
  return Object.assign(Object.create(base) as GraphqlBase, own);
}

/** What the transport knows of who asks. */
export interface Asker extends Omit<Caller, 'actor'>, Pick<GraphqlContext, 'viewer' | 'isGone'> {
  lastEventId?: string | null;
}
