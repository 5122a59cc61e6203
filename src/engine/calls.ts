import { createLogger } from '../logging/logger.ts';
import {
  backlogPlaces,
  openPlaces,
  placesPerHost,
  type FreePlaces,
  type PlaceLimits,
} from '../domain/places.ts';
import type { UncalledReason } from '../domain/verdict.ts';
import { StopSignal } from '../http/stop-signal.ts';
import type { ClaimedExecution } from '../store/claimed-rows.ts';
import type { HeldClaim } from '../store/leases.ts';
import { logIds } from './log-ids.ts';
import { createJointStart } from './joint-start.ts';
import { createPaces } from './paces.ts';
import { recordUncalled, runExecution, type EndReason, type RunDeps } from './run-execution.ts';

const logger = createLogger('Worker');

export interface CallsOptions extends RunDeps, PlaceLimits {
  /** A place has become free at a host for which next to nothing is waiting. */
  onRoom: () => void;
  /** A good part of what was held of a backlog has been recorded. */
  onBacklogRoom: () => void;
  onError: (error: unknown) => void;
  monotonicMs?: () => number;
}

/**
 * What this instance has claimed, from the claim to the record of its outcome. A call takes a place only while it is
 * under way; what was claimed ahead of a place waits here for one, so that a place that becomes free is taken at once
 * and claims can be made for many executions together.
 */
export interface Calls {
  add: (execution: ClaimedExecution) => void;
  held: () => HeldClaim[];
  /** Whether a claim's call is under way or to come: what is over is only being recorded, which nothing need end. */
  isCalling: (claim: HeldClaim) => boolean;
  /** Ends a call from our side, or the wait for it; the reason decides what becomes of the execution. */
  end: (executionId: string, reason: EndReason) => void;
  /** Gives back all that waits for a place: for a stop. */
  giveBackWaiting: () => void;
  /**
   * Gives back what has waited for a place for too long, and will go on waiting by what its line did since the last look: to
   * be called once a second or so.
   */
  giveBackStuck: () => void;
  /** Whether any call waits for a place at a host that answers: it has one soon, unless something takes its time. */
  isPressed: () => boolean;
  /** Resolves when nothing is held any more. */
  drained: () => Promise<void>;
  /** What may be claimed; the load of a host leaves out what may be claimed ahead of a place there. */
  room: () => FreePlaces;
  /** How many executions more may be claimed that make up for missed slots; 0 until there is room for a good many. */
  backlogRoom: () => number;
}

/** More of a backlog is claimed when it holds no more than this share of its places. */
const BACKLOG_REFILL = 3 / 4;

/**
 * As many as end at a host within this time may be claimed ahead of a place there, and so wait about as long: time enough
 * for one more claim, and little to be late by.
 */
const AHEAD_MS = 100;

/** What may wait for a place at most, however fast calls end. */
const MAX_AHEAD = 500;

/**
 * A call that takes longer says nothing of how soon places become free. What has waited for longer is given back where its
 * line does not move: its host has begun to hang, and other instances may have places.
 */
const LONG_MS = 1_000;
/** A line is expected to move on by so many times what it did since the last look. */
const REACH = 2;

/** What is asked of an execution from its claim to its record. */
type Claim = Pick<ClaimedExecution, 'id' | 'jobId' | 'claimSeq' | 'attemptCount' | 'host' | 'trigger'>;

interface Held {
  claim: Claim;
  signal: StopSignal<EndReason>;
  isCallOver: boolean;
  heldSinceMs: number;
  /** It had waited for long already when its line was looked at the last time. */
  hasWaitedLong: boolean;
  /** Null while it waits for a place. */
  done: Promise<void> | null;
}

/** What is to be called apart from who holds it: that holds it until its outcome is recorded, which needs none of this. */
interface Waiting {
  entry: Held;
  execution: ClaimedExecution;
}

/** Calls of one host. */
interface Line {
  calling: number;
  waiting: Waiting[];
  /** Of those that waited, how many have been called since the line was looked at the last time. */
  moved: number;
}

export function createCalls(options: CallsOptions): Calls {
  const { maxConcurrency, onRoom, onBacklogRoom, onError } = options;
  const { monotonicMs = () => performance.now() } = options;
  const held = new Map<string, Held>();
  const lines = new Map<string, Line>();
  const paces = createPaces(AHEAD_MS, monotonicMs);
  const jointStart = createJointStart();
  let calling = 0;
  let waiting = 0;
  let backlog = 0;

  function hasOpenPlaces(): boolean {
    return calling < openPlaces(maxConcurrency);
  }

  /** What may be claimed ahead for a host. While only reserved places are left, it does not get as many as at its best. */
  function ahead(host: string): number {
    return Math.min(hasOpenPlaces() ? paces.atBest(host) : paces.now(host), MAX_AHEAD);
  }

  function lineOf(host: string): Line {
    const line = lines.get(host) ?? newLine();
    lines.set(host, line);
    return line;
  }

  function add(execution: ClaimedExecution): void {
    // A claim that was lost and has come back to us: its earlier call would go on beside the new one, kept by nobody.
    end(execution.id, 'leaseLost');
    const entry: Held = {
      claim: claimOf(execution),
      signal: new StopSignal(),
      isCallOver: false,
      heldSinceMs: monotonicMs(),
      hasWaitedLong: false,
      done: null,
    };
    held.set(execution.id, entry);
    if (isBacklog(execution)) backlog += 1;
    const line = lineOf(execution.host);
    if (hasPlace(line)) {
      call(entry, execution, line);
    } else {
      line.waiting.push({ entry, execution });
      waiting += 1;
    }
  }

  function hasPlace(line: Line): boolean {
    return calling < maxConcurrency && line.calling < placesPerHost(options, calling);
  }

  function call(entry: Held, execution: ClaimedExecution, line: Line): void {
    const { host } = entry.claim;
    const startedMs = monotonicMs();
    line.calling += 1;
    calling += 1;
    const noteEnd = () => {
      entry.isCallOver = true;
      line.calling -= 1;
      calling -= 1;
      if (monotonicMs() - startedMs < LONG_MS) paces.note(host);
      jointStart.add(() => {
        passPlaceOn(host);
      }, calling);
    };
    holdUntil(runExecution(execution, options, entry.signal, noteEnd), entry, 'Attempt ended');
  }

  /** Holds an execution until what became of it is recorded, and logs that. */
  function holdUntil(recorded: ReturnType<typeof runExecution>, entry: Held, what: string): void {
    const { claim } = entry;
    entry.done = recorded
      .then((status) => {
        const ids = logIds({ executionId: claim.id, jobId: claim.jobId });
        logger.info(
          what,
          Object.assign(ids, { attempt: claim.attemptCount, status: status ?? 'claim lost' }),
        );
      })
      .catch(onError)
      .finally(() => {
        // Only our own entry: after a lost lease the same execution may have been claimed again.
        if (held.get(claim.id) === entry) held.delete(claim.id);
        if (isBacklog(claim)) {
          backlog -= 1;
          if (backlogRoom() > 0) onBacklogRoom();
        }
      });
  }

  function backlogRoom(): number {
    const places = backlogPlaces(maxConcurrency);
    // Reserved places are for others, and claims are made for many executions together.
    if (backlog > places * BACKLOG_REFILL) return 0;
    return Math.min(places - backlog, Math.max(openPlaces(maxConcurrency) - calling, 0) + aheadRoom());
  }

  function aheadRoom(): number {
    let allowed = 0;
    for (const host of paces.hosts()) allowed += ahead(host);
    return Math.max(Math.min(allowed, MAX_AHEAD) - waiting, 0);
  }

  function room(): FreePlaces {
    const isOpen = hasOpenPlaces();
    return {
      executions: (isOpen ? openPlaces(maxConcurrency) : maxConcurrency) - calling + aheadRoom(),
      // A reserved place is for hosts that have nothing under way.
      perHost: isOpen ? options.maxConcurrencyPerHost : 1,
      load: loads(),
    };
  }

  function loads(): Map<string, number> {
    const loads = new Map(paces.hosts().map((host) => [host, -ahead(host)] as const));
    for (const [host, line] of lines)
      loads.set(host, line.calling + line.waiting.length + (loads.get(host) ?? 0));
    return loads;
  }

  /** Gives a place that has become free to whoever waits at the same host, or else anywhere. */
  function passPlaceOn(host: string): void {
    // What was claimed since may have taken the place already.
    const line = lines.get(host) ?? newLine();
    if (line.waiting.length > 0 && hasPlace(line)) callNext(line);
    else if (waiting > 0) callNextAnywhere();
    const mayHaveMore = hasOpenPlaces() || line.calling === 0;
    if (mayHaveMore && line.waiting.length <= ahead(host) / 2) onRoom();
    forgetIdle(host, line);
  }

  function forgetIdle(host: string, line: Line): void {
    if (line.calling === 0 && line.waiting.length === 0) lines.delete(host);
  }

  function callNextAnywhere(): void {
    for (const line of lines.values()) {
      if (line.waiting.length > 0 && hasPlace(line)) {
        callNext(line);
        return;
      }
    }
  }

  function callNext(line: Line): void {
    const next = line.waiting.shift();
    if (!next) return;
    waiting -= 1;
    line.moved += 1;
    call(next.entry, next.execution, line);
  }

  function end(executionId: string, reason: EndReason): void {
    const entry = held.get(executionId);
    if (!entry) return;
    if (entry.done === null) leave([entry], entry.claim.host, reason);
    else entry.signal.stop(reason);
  }

  /** Records of some that wait at a host that they have ended without a call. */
  function leave(entries: readonly Held[], host: string, reason: UncalledReason | 'leaseLost'): void {
    const line = lineOf(host);
    const leaving = new Set(entries);
    line.waiting = line.waiting.filter(({ entry }) => !leaving.has(entry));
    waiting -= leaving.size;
    forgetIdle(host, line);
    for (const entry of leaving) {
      entry.isCallOver = true;
      holdUntil(recordUncalled(entry.claim, options, reason), entry, 'Claim ended without a call');
    }
  }

  function giveBackWaiting(): void {
    for (const [host, line] of lines) leave(entriesOf(line), host, 'shutdown');
  }

  function giveBackStuck(): void {
    const longSinceMs = monotonicMs() - LONG_MS;
    for (const [host, line] of lines) {
      const entries = entriesOf(line);
      const stuck = entries.filter(
        ({ hasWaitedLong }, place) => hasWaitedLong && place >= REACH * line.moved,
      );
      line.moved = 0;
      // Not at once: after a standstill of this process, answers that make places free may be about to be read.
      for (const entry of entries) entry.hasWaitedLong = entry.heldSinceMs <= longSinceMs;
      if (stuck.length === 0) continue;
      logger.warn('Executions that wait for a place at a host are given back', { host, count: stuck.length });
      paces.forget(host);
      leave(stuck, host, 'noPlace');
    }
  }

  return {
    add,
    held: () => [...held.values()].map(({ claim: { id, claimSeq } }) => ({ executionId: id, claimSeq })),
    isCalling({ executionId, claimSeq }) {
      const entry = held.get(executionId);
      return entry?.claim.claimSeq === claimSeq && !entry.isCallOver;
    },
    end,
    giveBackWaiting,
    giveBackStuck,
    isPressed: () =>
      waiting > 0 && [...lines].some(([host, line]) => line.waiting.length > 0 && paces.now(host) > 0),
    async drained() {
      // Who still waits for a place has one as soon as a call has ended.
      while (held.size > 0) await Promise.all([...held.values()].flatMap(({ done }) => done ?? []));
    },
    room,
    backlogRoom,
  };
}

function entriesOf({ waiting }: Line): Held[] {
  return waiting.map(({ entry }) => entry);
}

function newLine(): Line {
  return { calling: 0, waiting: [], moved: 0 };
}

function claimOf({ id, jobId, claimSeq, attemptCount, host, trigger }: ClaimedExecution): Claim {
  return { id, jobId, claimSeq, attemptCount, host, trigger };
}

function isBacklog({ trigger }: Claim): boolean {
  return trigger === 'CATCH_UP';
}
