import { StopSignal } from '../http/stop-signal.ts';
import { createLoop, extendLoop, type Loop } from '../async/loop.ts';
import { claimDeliveries, nextDeliveryAt, type ClaimedDelivery } from '../store/alerts/alert-deliveries.ts';
import { deliver, RECORD_WITHIN_MS, type DeliverDeps } from './deliver.ts';

export interface DelivererOptions extends DeliverDeps {
  longestRestMs: number;
  onError: (error: unknown) => void;
}

/** Sends due deliveries, up to {@link MAX_SENDS} at once. */
export interface Deliverer extends Loop {
  /** How many sends are in progress. */
  sending: () => number;
  /** Aborts every send. Another instance may send those deliveries at once. */
  abort: () => void;
  /** Resolves when no send is in progress. */
  drained: () => Promise<void>;
  /** Sends a claimed delivery. */
  send: (delivery: ClaimedDelivery) => Promise<void>;
}

/** How many sends may be in progress at once, in all and to one receiver. Alerts must not take what executions need. */
const MAX_SENDS = 20;
const MAX_SENDS_PER_HOST = 5;
/**
 * The wait when due deliveries cannot be claimed: another instance claims them, or an earlier delivery is still on
 * its way.
 */
const LOCKED_RETRY_MS = 500;

/** How long an instance holds a delivery that it sends. */
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
    // The first send that ends wakes the loop.
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
