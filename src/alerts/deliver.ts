import { decideDelivery, type SendResult } from '../domain/alert/alert-retry.ts';
import type { Clock } from '../domain/values/clock.ts';
import { encodePublicId } from '../domain/values/public-id.ts';
import type { CallOptions } from '../http/send-attempt.ts';
import { createLogger } from '../logging/logger.ts';
import { recordDelivery, type ClaimedDelivery } from '../store/alerts/alert-deliveries.ts';
import { isAway } from '../store/statements/failures.ts';
import type { Queryable } from '../store/statements/sql.ts';
import { SENDERS, type SendTools } from './senders.ts';

const logger = createLogger('Alerts');

export interface DeliverDeps extends Omit<SendTools, 'now'> {
  db: Queryable;
  clock: Clock;
  /** For one try. */
  timeoutMs: number;
  /** Tries until a delivery is given up. */
  maxAttempts: number;
  /** A number in [0, 1) for the jitter of retries. */
  random: () => number;
  /** Waits before a failed record is tried again; a second by default. */
  pause?: () => Promise<void>;
}

/** How long the record of a try may take. After it, another instance may send the delivery again. */
export const RECORD_WITHIN_MS = 30_000;
const RETRY_MS = 1_000;

/**
 * Sends one claimed delivery, decides about its next state and records it. Never throws for an answer of the
 * receiver. It throws when the database does not take the result in time. Then the delivery is sent again with the
 * same id when its lease ends.
 */
export async function deliver(
  delivery: ClaimedDelivery,
  deps: DeliverDeps,
  signal: CallOptions['signal'],
): Promise<void> {
  const result = await send(delivery, deps, { signal, timeoutMs: deps.timeoutMs });
  const now = deps.clock.now();
  // The user who asked for a test sees its result and can ask again.
  const maxAttempts = delivery.isTest ? 1 : deps.maxAttempts;
  const move = decideDelivery(result, { attempts: delivery.attempts, maxAttempts }, now, deps.random());
  await whileAway(deps, signal, now, () => recordDelivery(deps.db, delivery, move, now));
  logResult(delivery, move.status, result);
}

/** Repeats the record while the database is unreachable, as long as no other instance may send the delivery. */
async function whileAway(
  { clock, pause = aSecond }: DeliverDeps,
  signal: CallOptions['signal'],
  since: Date,
  record: () => Promise<void>,
): Promise<void> {
  for (;;) {
    try {
      await record();
      return;
    } catch (error) {
      const passedMs = clock.now().getTime() - since.getTime();
      const isOver = signal.reason !== null || passedMs >= RECORD_WITHIN_MS - RETRY_MS;
      if (!isAway(error) || isOver) throw error;
      logger.warn('The result of an alert cannot be recorded at the moment; trying again', { error });
      await pause();
    }
  }
}

function aSecond(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, RETRY_MS));
}

function send(delivery: ClaimedDelivery, deps: DeliverDeps, options: CallOptions): Promise<SendResult> {
  const { channel, target, notice } = delivery;
  return SENDERS[channel]({ ...deps, now: deps.clock.now() }, target, notice, options);
}

function logResult(delivery: ClaimedDelivery, status: string, result: SendResult): void {
  const facts = {
    deliveryId: encodePublicId('AlertDelivery', delivery.id),
    alertId: encodePublicId('JobAlert', delivery.alertId),
    channel: delivery.channel,
    event: delivery.notice.event,
    attempt: delivery.attempts,
    status,
  };
  if (status === 'FAILED') logger.warn('An alert could not be delivered', { ...facts, ...reasonOf(result) });
  else logger.info('Tried to deliver an alert', { ...facts, ...reasonOf(result) });
}

function reasonOf(result: SendResult): { reason?: string } {
  return result.kind === 'failed' ? { reason: result.message } : {};
}
