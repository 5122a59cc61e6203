import { matchesStatus } from '../domain/request/status-pattern.ts';
import type { AttemptOutcome } from '../domain/execution/outcome.ts';
import type { SendResult } from '../domain/alert/alert-retry.ts';

/**
 * The result of a call to a webhook. Any 2xx means received. 410 means that the receiver is gone for good. Every
 * other status may pass: a receiver that is being deployed answers with 404.
 */
export function resultOfCall(outcome: AttemptOutcome): SendResult {
  switch (outcome.kind) {
    case 'aborted':
      return { kind: 'aborted' };
    case 'instanceFault':
      return { kind: 'failed', message: outcome.message, isFinal: false, retryAfter: null };
    case 'failed': {
      const isFinal = outcome.reason === 'BLOCKED_TARGET' || outcome.reason === 'INVALID_REQUEST';
      return { kind: 'failed', message: outcome.message, isFinal, retryAfter: null };
    }
    case 'responded': {
      const { status, retryAfter } = outcome;
      if (matchesStatus(['2xx'], status)) return { kind: 'sent' };
      const message = `The receiver answered with status ${status}.`;
      return { kind: 'failed', message, isFinal: status === 410, retryAfter };
    }
  }
}
