import type { EventRow } from '../store/events/event-row.ts';
import type { TagChange, TagSnapshot } from '../store/events/tag-snapshot.ts';

type Tags = readonly string[];

/**
 * Which tags a job had at each position of the log, as far back as it is kept. Events of executions carry no tags: at
 * thousands a second they would be written and kept with each of them, while tags change a few times a day. So each
 * instance that needs them keeps the tags of all jobs in memory, with what they were before each change that the log
 * tells of.
 */
export interface TagHistory {
  /** The tags of the job when the event of this position was appended. */
  at: (jobId: string, position: bigint) => Tags;
  /** Takes in the events that follow, in order. Changes up to `prunedThrough` are asked for by nobody any more. */
  follow: (events: readonly EventRow[], prunedThrough: bigint) => void;
}

const NONE: Tags = [];
/** Changes that may gather before those that are no longer needed are looked for. */
const TIDY_AFTER = 1_000;

export function createTagHistory(snapshot: TagSnapshot): TagHistory {
  const shared = new Map<string, Tags>();
  /** As of `position`; a job without any is missing. */
  const current = new Map<string, Tags>();
  /** What the tags of a job were before each change of them, in order. */
  const earlier = new Map<string, { position: bigint; tags: Tags }[]>();
  let { position } = snapshot;
  let gathered = 0;

  for (const { jobId, tags } of snapshot.jobs) current.set(jobId, share(tags));
  recall(snapshot.changes);

  /** Most jobs have the tags of many others: each list is kept once. */
  function share(tags: Tags): Tags {
    const key = JSON.stringify([...tags].sort());
    const known = shared.get(key);
    if (known) return known;
    shared.set(key, tags);
    return tags;
  }

  /** Walks back from the tags as they are through the changes, newest first. */
  function recall(changes: readonly TagChange[]): void {
    const state = new Map(current);
    for (const change of changes.toReversed()) {
      for (const [jobId, tags] of stateBefore(change, state)) {
        remember(jobId, change.position, tags, 'unshift');
        state.set(jobId, tags);
      }
    }
  }

  /**
   * A deleted tag comes back to no job here: those that were not deleted themselves have lost it by changes of their own,
   * which the log has too.
   */
  function stateBefore({ jobId, previousTags, tags }: TagChange, state: Map<string, Tags>): [string, Tags][] {
    if (jobId !== null) return [[jobId, share(previousTags)]];
    return replaced(state, tags, previousTags);
  }

  /** The jobs that have one of `from`, with `to` in its place. */
  function replaced(state: Map<string, Tags>, from: Tags, to: Tags): [string, Tags][] {
    const results: [string, Tags][] = [];
    for (const [jobId, tags] of state) {
      if (!from.some((name) => tags.includes(name))) continue;
      results.push([jobId, share([...tags.filter((name) => !from.includes(name)), ...to])]);
    }
    return results;
  }

  function remember(jobId: string, at: bigint, tags: Tags, end: 'push' | 'unshift'): void {
    const list = earlier.get(jobId);
    const entry = { position: at, tags };
    if (list) list[end](entry);
    else earlier.set(jobId, [entry]);
    gathered += 1;
  }

  function take(change: TagChange): void {
    const { jobId } = change;
    const after: [string, Tags][] =
      jobId === null ? replaced(current, change.previousTags, change.tags) : [[jobId, share(change.tags)]];
    for (const [id, tags] of after) {
      remember(id, change.position, current.get(id) ?? NONE, 'push');
      if (tags.length > 0) current.set(id, tags);
      else current.delete(id);
    }
  }

  function tidy(prunedThrough: bigint): void {
    gathered = 0;
    for (const [jobId, list] of earlier) {
      const needed = list.filter((entry) => entry.position > prunedThrough);
      if (needed.length > 0) earlier.set(jobId, needed);
      else earlier.delete(jobId);
    }
  }

  return {
    at(jobId, asked) {
      const next = earlier.get(jobId)?.find((entry) => entry.position > asked);
      return next?.tags ?? current.get(jobId) ?? NONE;
    },
    follow(events, prunedThrough) {
      for (const event of events) {
        // A snapshot that was read behind the first of these events knows what they tell.
        if (event.position <= position) continue;
        position = event.position;
        const change = changeIn(event);
        if (change) take(change);
      }
      if (gathered > TIDY_AFTER) tidy(prunedThrough);
    },
  };
}

/** What an event tells of tags that have changed; null where it tells nothing. */
function changeIn({ position, jobId, executionId, data }: EventRow): TagChange | null {
  if (executionId !== null || typeof data !== 'object' || data === null) return null;
  const { previousTags, tags } = data as { previousTags?: string[]; tags?: string[] };
  return previousTags && tags ? { position, jobId, previousTags, tags } : null;
}
