import { StopSignal } from '../http/stop-signal.ts';
import { createLoop, extendLoop, type Loop } from '../async/loop.ts';
import { claimDeliveries, nextDeliveryAt, type ClaimedDelivery } from '../store/alerts/alert-deliveries.ts';
import { deliver, RECORD_WITHIN_MS, type DeliverDeps } from './deliver.ts';

export interface DelivererOptions extends DeliverDeps {
  longestRestMs: number;
  onError: (error: unknown) => void;
}

/** Sends deliveries that are due, as many at once as it may. */
export interface Deliverer extends Loop {
  /** How many are being sent. */
  sending: () => number;
  /** Ends every send from our side; what was not sent may be sent by others at once. */
  abort: () => void;
  /** Resolves when nothing is being sent any more. */
  drained: () => Promise<void>;
  /** Sends one that is claimed already. */
  send: (delivery: ClaimedDelivery) => Promise<void>;
}

/** Sends under way at once, and at one receiver: alerts must not take what executions need. */
const MAX_SENDS = 20;
const MAX_SENDS_PER_HOST = 5;
/** What is due and could not be claimed: another instance is claiming it, or what stands before it is being sent. */
const LOCKED_RETRY_MS = 500;

/** How long a delivery stays with whoever sends it. */
export function deliveryLeaseMs(timeoutMs: number): number {
  return timeoutMs + RECORD_WITHIN_MS;
}

interface Sending {
  host: string;
  signal: StopSignal<'shutdown'>;
  /** Never rejects. */
  ended: Promise<unknown>;
}

export function createDeliverer(options: DelivererOptions): Deliverer {
  const { db, clock, timeoutMs, longestRestMs, onError } = options;
  const sends = new Set<Sending>();

  async function step(): Promise<number> {
    // Whatever ends first wakes the loop.
    if (sends.size >= MAX_SENDS) return longestRestMs;
    const now = clock.now();
    const at = await nextDeliveryAt(db);
    if (at === null) return longestRestMs;
    if (at > now) return Math.min(at.getTime() - now.getTime(), longestRestMs);
    const claimed = await claimDeliveries(db, {
      now,
      leaseExpiresAt: new Date(now.getTime() + deliveryLeaseMs(timeoutMs)),
      limit: MAX_SENDS - sends.size,
      busyHosts: busyHosts(),
      hostLimit: MAX_SENDS_PER_HOST,
    });
    for (const delivery of claimed) send(delivery).catch(onError);
    return claimed.length > 0 ? 0 : LOCKED_RETRY_MS;
  }

  function busyHosts(): Map<string, number> {
    const busy = new Map<string, number>();
    for (const { host } of sends) busy.set(host, (busy.get(host) ?? 0) + 1);
    return busy;
  }

  function send(delivery: ClaimedDelivery): Promise<void> {
    const signal: Sending['signal'] = new StopSignal();
    const done = deliver(delivery, options, signal);
    const sending = { host: delivery.host, signal, ended: done.catch(() => undefined) };
    sends.add(sending);
    return done.finally(() => {
      sends.delete(sending);
      loop.wake();
    });
  }

  const loop = createLoop({ name: 'deliverer', step, onError });
  return extendLoop(loop, {
    sending: () => sends.size,
    abort() {
      for (const { signal } of sends) signal.stop('shutdown');
    },
    async drained() {
      while (sends.size > 0) await Promise.all([...sends].map(({ ended }) => ended));
    },
    send,
  });
}
