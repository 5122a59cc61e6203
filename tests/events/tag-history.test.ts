import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTagHistory } from '../../src/events/tag-history.ts';
import type { EventRow } from '../../src/store/events/event-row.ts';
import type { TagChange } from '../../src/store/events/tag-snapshot.ts';

const JOBS = ['job 0', 'job 1', 'job 2'];
const TAGS = ['a', 'b', 'c', 'd'];

/** A step: sets the tags of a job, or renames or deletes a tag. */
type Step =
  | { kind: 'set'; job: string; tags: string[] }
  | { kind: 'rename'; from: string; to: string }
  | { kind: 'delete'; tag: string }
  | { kind: 'other'; job: string };

const steps = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constant('set' as const),
      job: fc.constantFrom(...JOBS),
      tags: fc.subarray(TAGS, { maxLength: 3 }),
    }),
    fc.record({
      kind: fc.constant('rename' as const),
      from: fc.constantFrom(...TAGS),
      to: fc.constantFrom(...TAGS, 'e', 'f'),
    }),
    fc.record({ kind: fc.constant('delete' as const), tag: fc.constantFrom(...TAGS) }),
    fc.record({ kind: fc.constant('other' as const), job: fc.constantFrom(...JOBS) }),
  ),
  { maxLength: 25 },
);

type State = Map<string, string[]>;

/** The log that the steps write, and the tags of all jobs after each of its positions, from 0 on. */
function written(all: readonly Step[]): { events: EventRow[]; states: State[] } {
  const events: EventRow[] = [];
  const states: State[] = [new Map(JOBS.map((job) => [job, []]))];
  const append = (state: State, facts: Partial<EventRow>) => {
    events.push({ position: BigInt(states.length), executionId: null, jobId: null, ...facts } as EventRow);
    states.push(state);
  };
  const setTags = (job: string, tags: string[]) => {
    const state = new Map(states.at(-1));
    const previousTags = state.get(job) ?? [];
    append(state.set(job, tags), { jobId: job, data: { previousTags, tags } });
  };
  const bearers = (tag: string) => [...(states.at(-1) ?? [])].filter(([, tags]) => tags.includes(tag));

  for (const step of all) {
    if (step.kind === 'set') setTags(step.job, step.tags);
    else if (step.kind === 'other') append(new Map(states.at(-1)), { jobId: step.job, executionId: 'one' });
    else if (step.kind === 'delete') {
      for (const [job, tags] of bearers(step.tag))
        setTags(
          job,
          tags.filter((tag) => tag !== step.tag),
        );
      append(new Map(states.at(-1)), { data: { previousTags: [step.tag], tags: [] } });
    } else if (bearers(step.to).length === 0) {
      const { from, to } = step;
      const renamed = new Map(states.at(-1));
      for (const [job, tags] of bearers(from))
        renamed.set(
          job,
          tags.map((tag) => (tag === from ? to : tag)),
        );
      append(renamed, { data: { previousTags: [from], tags: [to] } });
    }
  }
  return { events, states };
}

const changesIn = (events: readonly EventRow[]): TagChange[] =>
  events.flatMap(({ position, jobId, data }) =>
    data ? [{ position, jobId, ...(data as { previousTags: string[]; tags: string[] }) }] : [],
  );

describe('the history of tags', () => {
  it('knows the tags of each job at each position, before and after its snapshot', () => {
    fc.assert(
      fc.property(steps, fc.nat(40), fc.nat(40), fc.nat(40), (all, read, kept, followed) => {
        const { events, states } = written(all);
        const position = read % states.length;
        const prunedThrough = kept % (position + 1);
        const history = createTagHistory({
          position: BigInt(position),
          jobs: [...(states[position] ?? [])].map(([jobId, tags]) => ({ jobId, tags })),
          changes: changesIn(events.slice(prunedThrough, position)),
        });
        // The first events may already be part of the snapshot.
        const from = followed % (position + 1);
        for (const event of events.slice(from)) history.follow([event], BigInt(prunedThrough));

        for (const [asked, state] of states.entries()) {
          if (asked < prunedThrough) continue;
          for (const job of JOBS) {
            expect([...history.at(job, BigInt(asked))].sort()).toEqual([...(state.get(job) ?? [])].sort());
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('forgets positions before the start of the log', () => {
    const history = createTagHistory({ position: 0n, jobs: [], changes: [] });
    const change = (position: bigint) =>
      ({
        position,
        jobId: 'job',
        executionId: null,
        data: { previousTags: [], tags: [`since ${position}`] },
      }) as unknown as EventRow;
    for (let position = 1n; position <= 1_001n; position += 1n) history.follow([change(position)], 500n);
    expect(history.at('job', 0n)).toEqual(history.at('job', 500n));
    expect(history.at('job', 500n)).toEqual(['since 500']);
    expect(history.at('job', 501n)).toEqual(['since 501']);
  });
});
