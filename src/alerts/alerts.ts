import type { Pool } from 'pg';
import type { Clock } from '../domain/values/clock.ts';
import type { WakeUps } from '../events/wakeups.ts';
import type { Sender } from '../http/send-attempt.ts';
import { createLogger } from '../logging/logger.ts';
import { watchLoops } from '../async/loop-watch.ts';
import { LONGEST_REST_MS, type Poller } from '../events/poller.ts';
import type { ClaimedDelivery } from '../store/alerts/alert-deliveries.ts';
import { createAlertReader } from './alert-reader.ts';
import { createDeliverer } from './deliverer.ts';
import { createMailer } from './mailer.ts';

const logger = createLogger('Alerts');

export interface AlertsOptions {
  pool: Pool;
  clock: Clock;
  sender: Sender;
  wakeUps: WakeUps;
  /** Polls for both loops, to find due work that no notification has announced. */
  poller: Poller;
  newId: (now: Date) => string;
  /** A number in [0, 1). */
  random: () => number;
  /** How long a send may still take after a stop; at most {@link MAX_STOP_GRACE_MS}. */
  shutdownGraceMs: number;
  smtpUrl: string | undefined;
  alertEmailFrom: string;
  alertSigningSecret: Buffer | undefined;
  alertTimeoutMs: number;
  alertMaxAttempts: number;
  alertMaxPerMinute: number;
}

/** The alerts of one instance: the reader of the event log and the deliverer. */
export interface Alerts {
  start: () => void;
  /**
   * Starts no further send. A send in progress may end within a few seconds; after that its delivery is free for
   * others.
   */
  stop: () => Promise<void>;
  /** Sends a delivery that the caller has claimed, and records the result. */
  send: (delivery: ClaimedDelivery) => Promise<void>;
  /** Loops that have not succeeded for longer than they should, by name; empty when all is well. */
  stalledLoops: () => string[];
}

/** A stop does not wait for a receiver that hangs: another instance, or the next start, sends the delivery again. */
const MAX_STOP_GRACE_MS = 3_000;

/** Creates the two loops and connects them. */
export function createAlerts(options: AlertsOptions): Alerts {
  const { pool, clock, wakeUps, poller, smtpUrl } = options;
  const onError = (part: string) => (error: unknown) => {
    logger.warn('A step failed and is tried again', { part, error });
  };
  const deliverer = createDeliverer({
    db: pool,
    clock,
    sender: options.sender,
    mailer: smtpUrl === undefined ? null : createMailer({ smtpUrl, from: options.alertEmailFrom }),
    signingKey: options.alertSigningSecret ?? null,
    timeoutMs: options.alertTimeoutMs,
    maxAttempts: options.alertMaxAttempts,
    random: options.random,
    longestRestMs: LONGEST_REST_MS,
    onError: onError('deliverer'),
  });
  const reader = createAlertReader({
    pool,
    clock,
    newId: options.newId,
    longestRestMs: LONGEST_REST_MS,
    maxPerMinute: options.alertMaxPerMinute,
    onDeliveries: deliverer.wake,
    onError: onError('alert reader'),
  });
  wakeUps.on('alerts', reader.wake);
  wakeUps.on('events', reader.noteEvents);

  poller.serve(reader, ({ isAnyAlertEnabled }) => isAnyAlertEnabled);
  poller.serve(deliverer, ({ deliveryAt }) => deliveryAt);

  const watch = watchLoops([reader, deliverer]);

  return {
    start() {
      reader.start();
      deliverer.start();
    },
    async stop() {
      await Promise.all([reader.stop(), deliverer.stop()]);
      const timer = setTimeout(deliverer.abort, Math.min(options.shutdownGraceMs, MAX_STOP_GRACE_MS));
      await deliverer.drained();
      clearTimeout(timer);
    },
    send: deliverer.send,
    stalledLoops: watch.stalled,
  };
}
