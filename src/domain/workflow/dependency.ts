import { groupBy } from '../values/group-by.ts';
import type { JobStatus } from '../job/job-definition.ts';

export const DEPENDENCY_CONDITIONS = ['ON_SUCCESS', 'ON_FAILURE', 'ON_COMPLETION'] as const;
export type DependencyCondition = (typeof DEPENDENCY_CONDITIONS)[number];

/**
 * How a run can end. An execution that is SKIPPED, or CANCELLED before its first attempt, is no run: it does not
 * count for dependent jobs.
 */
export type RunEndStatus = 'SUCCESS' | 'FAILED' | 'CANCELLED';

/** How many upstreams one job may have. Whenever one ends, all of them are read under a lock. */
export const MAX_DEPENDENCIES = 100;

/** Whether the end of a run satisfies an edge. FAILED is final: a failed attempt with a retry is no end. */
export function satisfies(condition: DependencyCondition, status: RunEndStatus): boolean {
  switch (condition) {
    case 'ON_SUCCESS':
      return status === 'SUCCESS';
    case 'ON_FAILURE':
      return status === 'FAILED';
    case 'ON_COMPLETION':
      return true;
  }
}

/** An edge of the graph: `jobId` waits for `dependsOnId`. */
export interface Edge {
  jobId: string;
  dependsOnId: string;
}

/** An edge into a join, with what satisfied it. */
export interface JoinEdge extends Edge {
  id: string;
  condition: DependencyCondition;
  /** The upstream execution that satisfied it, until a run uses it. */
  satisfiedBy: string | null;
}

/** A job without its own slots. It runs when all of its edges are satisfied. */
export interface JoinJob {
  id: string;
  status: JobStatus;
  startAt: Date | null;
  endAt: Date | null;
}

/** An upstream execution that has ended. */
export interface RunEnd {
  executionId: string;
  jobId: string;
  status: RunEndStatus;
  at: Date;
}

/** An edge after a decision: satisfied, or used and waiting again. */
export interface EdgeMark {
  id: string;
  satisfiedBy: string | null;
  satisfiedAt: Date | null;
}

/** A run that a decision asks for. */
export interface JoinedRun {
  jobId: string;
  /** The upstream executions that satisfied its edges. The last one completed the join. */
  triggeredBy: string[];
  at: Date;
}

export interface JoinDecision {
  /** Edges that changed. */
  marks: EdgeMark[];
  /** In the order in which their joins were completed. */
  runs: JoinedRun[];
}

/**
 * Decides what ended runs mean for the jobs that wait for them: which edges they satisfy, and which joins are
 * complete. A complete join uses the satisfying executions of all its edges, so each is part of one run only. Before
 * that, a newer execution replaces an older one of the same edge.
 *
 * A job that is paused or outside its window ignores ends of that time. They are not replayed later, as with slots.
 *
 * @param edges all edges of the given jobs
 * @param ends in any order; they count in the order of their instants
 */
export function decideJoins(
  jobs: readonly JoinJob[],
  edges: readonly JoinEdge[],
  ends: readonly RunEnd[],
): JoinDecision {
  const joins = jobs.map((job) => ({ job, edges: edges.filter((edge) => edge.jobId === job.id) }));
  const satisfied = new Map(edges.map((edge) => [edge.id, edge.satisfiedBy]));
  const marks = new Map<string, EdgeMark>();
  const runs: JoinedRun[] = [];
  const mark = (edge: JoinEdge, satisfiedBy: string | null, satisfiedAt: Date | null) => {
    satisfied.set(edge.id, satisfiedBy);
    marks.set(edge.id, { id: edge.id, satisfiedBy, satisfiedAt });
  };

  for (const end of serializeCalls(ends)) {
    for (const { job, edges: incoming } of joins) {
      const edge = incoming.find(({ dependsOnId }) => dependsOnId === end.jobId);
      if (!edge || !satisfies(edge.condition, end.status) || !takesNotice(job, end.at)) continue;
      mark(edge, end.executionId, end.at);
      const others = incoming.filter((other) => other !== edge).map(({ id }) => satisfied.get(id) ?? null);
      if (!others.every((by) => by !== null)) continue;
      runs.push({ jobId: job.id, triggeredBy: [...new Set([...others, end.executionId])], at: end.at });
      for (const used of incoming) mark(used, null, null);
    }
  }
  return { marks: [...marks.values()], runs };
}

function serializeCalls(ends: readonly RunEnd[]): RunEnd[] {
  return [...ends].sort(
    (a, b) => a.at.getTime() - b.at.getTime() || (a.executionId < b.executionId ? -1 : 1),
  );
}

function takesNotice({ status, startAt, endAt }: JoinJob, at: Date): boolean {
  return status === 'ACTIVE' && (startAt === null || at >= startAt) && (endAt === null || at <= endAt);
}

/** An edge of a job with its own slots, and the end of the upstream's latest run. */
export interface GateEdge extends Edge {
  condition: DependencyCondition;
  /** For messages. */
  dependsOnName: string;
  /** Null when no run of the upstream has ended yet. */
  latestEnd: RunEndStatus | null;
}

/**
 * Why a job with its own slots may not fire now: a sentence that names the upstreams whose latest run does not
 * satisfy their edges. Null when the job may fire. A slot that fires uses no execution up.
 */
export function unmetDependency(edges: readonly GateEdge[]): string | null {
  const unmet = edges.filter(
    ({ condition, latestEnd }) => latestEnd === null || !satisfies(condition, latestEnd),
  );
  if (unmet.length === 0) return null;
  const shown = unmet.slice(0, MAX_NAMED).map(describe);
  const more = unmet.length - shown.length;
  return [...shown, ...(more > 0 ? [`And ${more} more.`] : [])].join(' ');
}

/** Enough to find the cause, few enough for one line. */
const MAX_NAMED = 3;
const NEEDED: Readonly<Record<DependencyCondition, string>> = {
  ON_SUCCESS: 'succeeded',
  ON_FAILURE: 'failed',
  ON_COMPLETION: 'ended',
};

function describe({ dependsOnName, condition, latestEnd }: GateEdge): string {
  const found = latestEnd === null ? 'it has none' : `it ended as ${latestEnd}`;
  return `The latest run of "${dependsOnName}" must have ${NEEDED[condition]}; ${found}.`;
}

/**
 * The cycle that a new edge from `jobId` to `dependsOnId` would close.
 *
 * @param edges all edges on the paths upstream from `dependsOnId`
 * @returns the jobs of the shortest cycle, `jobId` first, each once; each waits for the next, and the last for the
 *   first. Null when there is no cycle
 */
export function findCycle(edges: readonly Edge[], { jobId, dependsOnId }: Edge): string[] | null {
  const edgesOf = groupBy(edges, (edge) => edge.jobId);

  const reachedFrom = new Map<string, string | null>([[dependsOnId, null]]);
  // A loop over a map follows the order of insertion and sees new entries. So this search is breadth first.
  for (const [job] of reachedFrom) {
    if (job === jobId) return [jobId, ...pathTo(job, reachedFrom).slice(0, -1)];
    for (const { dependsOnId: upstream } of edgesOf.get(job) ?? []) {
      if (!reachedFrom.has(upstream)) reachedFrom.set(upstream, job);
    }
  }
  return null;
}

function pathTo(job: string, reachedFrom: ReadonlyMap<string, string | null>): string[] {
  const path: string[] = [];
  for (let step: string | null = job; step !== null; step = reachedFrom.get(step) ?? null) path.unshift(step);
  return path;
}
