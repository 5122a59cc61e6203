import { readEventLogState, readLog, type EventLogState } from '../store/events/event-log.ts';
import { readTagSnapshot } from '../store/events/tag-snapshot.ts';
import type { Queryable } from '../store/statements/sql.ts';
import { createEventWindow, type EventWindow } from './event-window.ts';
import { createTagHistory, type TagHistory } from './tag-history.ts';

export interface LogViewOptions {
  db: Queryable;
  windowCapacity: number;
  /**
   * Told how many events were added, before `onChange` is called. Of those that nobody read, how many positions: a third more
   * where each execution is done with one call, as lines of its log have positions of the same sequence.
   */
  onEvents?: (count: number) => void;
  /** Called when there is something new, and when the log is another one. */
  onChange: () => void;
}

/** The log as this instance last saw it. */
export interface TailView {
  /** Rises when the log turns out to be another one: restored, or failed over to an older state. */
  generation: number;
  epoch: string;
  window: EventWindow;
  /** Up to the window's tip; null where nobody asked for it. */
  tags: TagHistory | null;
}

/** Reads the log into a {@link TailView}. */
export interface LogView {
  /** Null before the first read and after `forget`. */
  readonly current: TailView | null;
  /** One at a time. */
  readToTip: () => Promise<void>;
  /** Follows the tags of jobs too, from the next read on and until `forget`: all events are then read, even if every subscriber keeps up. */
  followTags: () => void;
  forget: () => void;
}

const READ_LIMIT = 1_000;

export function createLogView({ db, windowCapacity, onEvents, onChange }: LogViewOptions): LogView {
  let view: TailView | null = null;
  let generation = 0;
  let areTagsWanted = false;

  async function readToTip(): Promise<void> {
    let current = view ?? show(await readEventLogState(db));
    // Asked once: of thousands that come together, nobody can have read any before the last is here.
    const { isKeptUpWith } = current.window;
    for (;;) {
      // Before the log is read on: what the snapshot is behind of is then among the events that follow.
      if (areTagsWanted) current.tags ??= createTagHistory(await readTagSnapshot(db));
      const isReadAlong = isKeptUpWith || current.tags !== null;
      const { state, events } = isReadAlong
        ? await readLog(db, current.window.tip, READ_LIMIT)
        : { state: await readEventLogState(db), events: [] };
      // Asked with each read, not only after an error: a failover while all connections rest raises none.
      if (isAnotherLog(current, state)) {
        generation += 1;
        current = show(state);
        onChange();
        continue;
      }
      const added = isReadAlong ? events.length : Number(state.tip - current.window.tip);
      if (isReadAlong) current.window.append(events);
      else current.window.skipTo(state.tip);
      current.tags?.follow(events, state.prunedThrough);
      onEvents?.(added);
      if (added > 0) onChange();
      if (events.length < READ_LIMIT) break;
    }
  }

  function show({ epoch, tip }: EventLogState): TailView {
    view = { generation, epoch, window: createEventWindow(tip, windowCapacity), tags: null };
    return view;
  }

  return {
    get current() {
      return view;
    },
    readToTip,
    followTags() {
      areTagsWanted = true;
    },
    forget() {
      view = null;
      areTagsWanted = false;
    },
  };
}

function isAnotherLog({ epoch, window }: TailView, state: EventLogState): boolean {
  return epoch !== state.epoch || window.tip > state.tip;
}
