import type { Queryable } from '../store/statements/sql.ts';
import { createListenSession } from './listen-session.ts';

/**
 * What may have changed: jobs (the planner looks), executions to claim (the worker), those that wait for others of their
 * job, or what they wait for (the unblocker), the event log (the hub), calls under way that are to be aborted (the lease
 * keeper), alerts (their reader), which instances there are (the heartbeat), API keys (who lets callers in).
 */
export type WakeUp =
  'jobs' | 'executions' | 'blocked' | 'events' | 'cancellations' | 'alerts' | 'instances' | 'keys';

export interface WakeUps {
  /** Calls `listener` for each wake-up of its kind, of this instance or another. */
  on: (kind: WakeUp, listener: () => void) => void;
  /** After a commit: wakes this instance at once and the others within a few milliseconds. */
  wake: (...kinds: WakeUp[]) => void;
  /** While no other instance is alive, nothing is sent. Until this is called, there may be others. */
  noteOthers: (isAnyAlive: boolean) => void;
  start: () => void;
  stop: () => Promise<void>;
}

export interface WakeUpOptions {
  db: Queryable;
  instanceId: string;
  /** For LISTEN: a session of its own, so not through a transaction pooler. */
  connectionString: string;
  /** A statement that gives the session its settings. */
  sessionSettings: string;
  /** How often the session is asked for a sign of life: one that has fallen silent looks like one with nothing to say. */
  pingIntervalMs?: number;
  /** How long it may take to answer. */
  answerTimeoutMs?: number;
  onError: (error: unknown) => void;
}

const CHANNEL = 'job_scheduler_wake_up';
const COALESCE_MS = 20;
const ALL: readonly WakeUp[] = [
  'jobs',
  'executions',
  'blocked',
  'events',
  'cancellations',
  'alerts',
  'instances',
  'keys',
];

/**
 * Wake-ups between instances over LISTEN and NOTIFY: a hint and never data, sent in a statement of its own after the
 * commit (inside the transaction it would take a lock that all committing sessions share). One that is lost costs
 * only the rest of a poll interval.
 */
export function createWakeUps(options: WakeUpOptions): WakeUps {
  const { db, instanceId, connectionString, sessionSettings, onError } = options;
  const { pingIntervalMs = 30_000, answerTimeoutMs = 10_000 } = options;
  const listeners = new Map<WakeUp, (() => void)[]>();
  const unsent = new Set<WakeUp>();
  let sending: Promise<void> | null = null;
  let stopped = false;
  let isAnyoneListening = true;

  function ring(kind: WakeUp): void {
    for (const listener of listeners.get(kind) ?? []) listener();
  }

  /** One NOTIFY in flight, and at most one within {@link COALESCE_MS}; what is asked for meanwhile goes out with the next. */
  async function send(): Promise<void> {
    while (unsent.size > 0 && !stopped) {
      const kinds = [...unsent].join(' ');
      unsent.clear();
      const coalesced = new Promise((resolve) => setTimeout(resolve, COALESCE_MS));
      await db
        .query({
          name: 'notify',
          text: 'SELECT pg_notify($1, $2)',
          values: [CHANNEL, `${instanceId} ${kinds}`],
        })
        .catch(onError);
      await coalesced;
    }
    sending = null;
  }

  function receive(payload: string): void {
    const [sender, ...kinds] = payload.split(' ');
    if (sender === instanceId) return;
    for (const kind of ALL) if (kinds.includes(kind)) ring(kind);
  }

  const session = createListenSession({
    channel: CHANNEL,
    connectionString,
    sessionSettings,
    pingIntervalMs,
    answerTimeoutMs,
    // What was notified while nobody listened is lost; look at everything once.
    onListening: () => {
      ALL.forEach(ring);
    },
    onNotification: receive,
    onError,
  });

  return {
    on(kind, listener) {
      listeners.set(kind, [...(listeners.get(kind) ?? []), listener]);
    },
    wake(...kinds) {
      if (kinds.length === 0) return;
      for (const kind of kinds) {
        if (isAnyoneListening) unsent.add(kind);
        ring(kind);
      }
      if (unsent.size > 0) sending ??= send();
    },
    noteOthers(isAnyAlive) {
      isAnyoneListening = isAnyAlive;
    },
    start: session.start,
    async stop() {
      stopped = true;
      await sending;
      await session.stop();
    },
  };
}
