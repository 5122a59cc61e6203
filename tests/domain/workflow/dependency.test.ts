import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decideJoins,
  DEPENDENCY_CONDITIONS,
  type DependencyCondition,
  findCycle,
  type GateEdge,
  type JoinDecision,
  type JoinEdge,
  type JoinJob,
  type RunEnd,
  type RunEndStatus,
  satisfies,
  unmetDependency,
} from '../../../src/domain/workflow/dependency.ts';

const START = new Date('2030-01-07T09:00:00.000Z');
const at = (second: number) => new Date(START.getTime() + second * 1_000);

function job(id: string, facts: Partial<JoinJob> = {}): JoinJob {
  return { id, status: 'ACTIVE', startAt: null, endAt: null, ...facts };
}

/** `'c<a'` is the edge for "c waits for a". */
function edge(
  name: string,
  condition: DependencyCondition = 'ON_SUCCESS',
  satisfiedBy: string | null = null,
): JoinEdge {
  const [jobId = '', dependsOnId = ''] = name.split('<');
  return { id: name, jobId, dependsOnId, condition, satisfiedBy };
}

function end(executionId: string, second: number, status: RunEndStatus = 'SUCCESS'): RunEnd {
  return { executionId, jobId: executionId.slice(0, 1), status, at: at(second) };
}

/** Decides the ends one by one, each on the result of the one before. */
function decideOneByOne(jobs: JoinJob[], edges: JoinEdge[], ends: RunEnd[]): JoinDecision['runs'] {
  let current = edges;
  return ends.flatMap((next) => {
    const { marks, runs } = decideJoins(jobs, current, [next]);
    const changed = new Map(marks.map((mark) => [mark.id, mark.satisfiedBy]));
    current = current.map((each) => ({
      ...each,
      satisfiedBy: changed.has(each.id) ? (changed.get(each.id) ?? null) : each.satisfiedBy,
    }));
    return runs;
  });
}

describe('an edge', () => {
  it.each<[DependencyCondition, RunEndStatus[]]>([
    ['ON_SUCCESS', ['SUCCESS']],
    ['ON_FAILURE', ['FAILED']],
    ['ON_COMPLETION', ['SUCCESS', 'FAILED', 'CANCELLED']],
  ])('%s is satisfied by %j and by nothing else', (condition, expected) => {
    const statuses: RunEndStatus[] = ['SUCCESS', 'FAILED', 'CANCELLED'];
    expect(statuses.filter((status) => satisfies(condition, status))).toEqual(expected);
  });
});

describe('a join', () => {
  it('of one edge runs with each end that satisfies it', () => {
    const { marks, runs } = decideJoins(
      [job('c')],
      [edge('c<a')],
      [end('a1', 1), end('a2', 2, 'FAILED'), end('a3', 3)],
    );
    expect(runs).toEqual([
      { jobId: 'c', triggeredBy: ['a1'], at: at(1) },
      { jobId: 'c', triggeredBy: ['a3'], at: at(3) },
    ]);
    expect(marks).toEqual([{ id: 'c<a', satisfiedBy: null, satisfiedAt: null }]);
  });

  it('of two edges waits for both, and remembers the first', () => {
    const edges = [edge('c<a'), edge('c<b')];
    const first = decideJoins([job('c')], edges, [end('a1', 1)]);
    expect(first).toEqual({ marks: [{ id: 'c<a', satisfiedBy: 'a1', satisfiedAt: at(1) }], runs: [] });
    const second = decideJoins([job('c')], [edge('c<a', 'ON_SUCCESS', 'a1'), edge('c<b')], [end('b1', 2)]);
    expect(second.runs).toEqual([{ jobId: 'c', triggeredBy: ['a1', 'b1'], at: at(2) }]);
    expect(second.marks.map(({ satisfiedBy }) => satisfiedBy)).toEqual([null, null]);
  });

  it('uses each satisfaction once', () => {
    const runs = decideOneByOne(
      [job('c')],
      [edge('c<a'), edge('c<b')],
      [end('a1', 1), end('b1', 2), end('b2', 3), end('a2', 4), end('a3', 5)],
    );
    expect(runs.map(({ triggeredBy }) => triggeredBy)).toEqual([
      ['a1', 'b1'],
      ['b2', 'a2'],
    ]);
  });

  it('uses the latest of several satisfactions of one edge', () => {
    const { runs } = decideJoins(
      [job('c')],
      [edge('c<a'), edge('c<b')],
      [end('a1', 1), end('a2', 2), end('b1', 3)],
    );
    expect(runs).toMatchObject([{ triggeredBy: ['a2', 'b1'] }]);
  });

  it('stays satisfied when a later run of the same upstream does not meet the condition', () => {
    const { runs } = decideJoins(
      [job('c')],
      [edge('c<a'), edge('c<b')],
      [end('a1', 1), end('a2', 2, 'FAILED'), end('b1', 3)],
    );
    expect(runs).toMatchObject([{ triggeredBy: ['a1', 'b1'] }]);
  });

  it('orders ends by their instants, in any order of arrival', () => {
    const { runs } = decideJoins(
      [job('c')],
      [edge('c<a'), edge('c<b')],
      [end('b1', 3), end('a1', 1), end('a2', 2)],
    );
    expect(runs).toMatchObject([{ triggeredBy: ['a2', 'b1'], at: at(3) }]);
  });

  it('keeps the edges of other jobs', () => {
    const decision = decideJoins([job('c'), job('d')], [edge('c<a'), edge('d<b')], [end('b1', 1)]);
    expect(decision.marks.map(({ id }) => id)).toEqual(['d<b']);
    expect(decision.runs).toMatchObject([{ jobId: 'd' }]);
  });

  it.each<[string, Partial<JoinJob>]>([
    ['is paused', { status: 'PAUSED' }],
    ['is deleted', { status: 'DELETED' }],
    ['is complete', { status: 'COMPLETED' }],
    ['has not begun', { startAt: at(2) }],
    ['is over', { endAt: at(0) }],
  ])('ignores an end while its job %s', (_name, facts) => {
    expect(decideJoins([job('c', facts)], [edge('c<a')], [end('a1', 1)])).toEqual({ marks: [], runs: [] });
  });

  it('runs on both ends of its window', () => {
    const { runs } = decideJoins(
      [job('c', { startAt: at(1), endAt: at(2) })],
      [edge('c<a')],
      [end('a1', 1), end('a2', 2)],
    );
    expect(runs).toHaveLength(2);
  });

  it('triggers the same runs for ends that come one by one or together', () => {
    const ends = fc.array(
      fc.tuple(
        fc.constantFrom('a', 'b', 'c'),
        fc.constantFrom<RunEndStatus>('SUCCESS', 'FAILED', 'CANCELLED'),
      ),
      { maxLength: 20 },
    );
    const conditions = fc.tuple(...['a', 'b', 'c'].map(() => fc.constantFrom(...DEPENDENCY_CONDITIONS)));
    fc.assert(
      fc.property(ends, conditions, (drawn, [onA, onB, onC]) => {
        const edges = [edge('x<a', onA), edge('x<b', onB), edge('y<c', onC), edge('y<a', onA)];
        const list = drawn.map(([name, status], index) => end(`${name}${index}`, index, status));
        const jobs = [job('x'), job('y')];
        const together = decideJoins(jobs, edges, list).runs;
        expect(decideOneByOne(jobs, edges, list)).toEqual(together);
        const used = together.flatMap(({ jobId, triggeredBy }) => triggeredBy.map((id) => `${jobId} ${id}`));
        expect(new Set(used).size).toBe(used.length);
      }),
    );
  });
});

describe('a job with slots of its own', () => {
  const gate = (condition: DependencyCondition, latestEnd: RunEndStatus | null, name = 'load'): GateEdge => ({
    jobId: 'c',
    dependsOnId: 'a',
    dependsOnName: name,
    condition,
    latestEnd,
  });

  it('fires when the latest run of each upstream meets the condition of its edge', () => {
    expect(unmetDependency([])).toBeNull();
    expect(unmetDependency([gate('ON_SUCCESS', 'SUCCESS'), gate('ON_COMPLETION', 'FAILED')])).toBeNull();
  });

  it('names the upstream that prevents it from firing', () => {
    expect(unmetDependency([gate('ON_SUCCESS', 'FAILED'), gate('ON_SUCCESS', 'SUCCESS', 'other')])).toBe(
      'The latest run of "load" must have succeeded; it ended as FAILED.',
    );
    expect(unmetDependency([gate('ON_FAILURE', null)])).toBe(
      'The latest run of "load" must have failed; it has none.',
    );
  });

  it('names a few upstreams and counts the others', () => {
    const edges = ['a', 'b', 'c', 'd', 'e'].map((name) => gate('ON_COMPLETION', null, name));
    expect(unmetDependency(edges)).toMatch(/"a".*"b".*"c".* And 2 more\.$/);
  });
});

describe('a cycle', () => {
  const edges = (...names: string[]) => names.map((name) => edge(name));

  it('is an edge of a job to itself', () => {
    expect(findCycle([], edge('a<a'))).toEqual(['a']);
  });

  it('is listed in the order of waiting, starting at the new edge', () => {
    expect(findCycle(edges('b<c', 'c<a'), edge('a<b'))).toEqual(['a', 'b', 'c']);
  });

  it('is the shortest that the edge would close', () => {
    expect(findCycle(edges('b<c', 'c<d', 'd<a', 'b<d'), edge('a<b'))).toEqual(['a', 'b', 'd']);
  });

  it('is not a diamond', () => {
    expect(findCycle(edges('b<a', 'c<a'), edge('d<b'))).toBeNull();
    expect(findCycle(edges('b<a', 'c<a', 'd<b'), edge('d<c'))).toBeNull();
  });

  it('is found in a long chain without deep recursion', () => {
    const chain = Array.from({ length: 20_000 }, (_, n) => edge(`${n}<${n + 1}`));
    expect(findCycle(chain, edge('20000<0'))).toHaveLength(20_001);
  });
});
