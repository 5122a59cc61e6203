import { describe, expect, it } from 'vitest';
import { decideDelivery, type SendResult } from '../../../src/domain/alert/alert-retry.ts';
import { plus, START } from '../../support/manual-clock.ts';

const FAILED: SendResult = { kind: 'failed', message: 'Status 500.', isFinal: false, retryAfter: null };

function after(result: SendResult, attempts: number, jitterDraw = 0) {
  return decideDelivery(result, { attempts, maxAttempts: 12 }, START, jitterDraw);
}

describe('a delivery', () => {
  it('that succeeded is delivered', () => {
    expect(after({ kind: 'sent' }, 1)).toEqual({ status: 'DELIVERED' });
  });

  it('that failed is retried, each time after twice the delay, up to an hour', () => {
    const waits = Array.from({ length: 11 }, (_, index) => {
      const move = after(FAILED, index + 1);
      return move.status === 'PENDING' ? (move.availableAt.getTime() - START.getTime()) / 1_000 : null;
    });
    expect(waits).toEqual([10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 3_600, 3_600]);
  });

  it('waits a little less by the jitter, so deliveries that failed together do not retry together', () => {
    expect(after(FAILED, 1, 0.5)).toMatchObject({ availableAt: plus(START, 9_000) });
  });

  it('waits as long as the receiver asks', () => {
    expect(after({ ...FAILED, retryAfter: '120' }, 1)).toMatchObject({ availableAt: plus(START, 120_000) });
  });

  it('is given up after the last try, and after a failure that no retry can fix', () => {
    expect(after(FAILED, 12)).toEqual({ status: 'FAILED', lastError: 'Status 500.' });
    expect(after({ ...FAILED, isFinal: true }, 1)).toEqual({ status: 'FAILED', lastError: 'Status 500.' });
  });

  it('whose tries ended without a record is given up with the next failure', () => {
    expect(after(FAILED, 20)).toMatchObject({ status: 'FAILED' });
    expect(after({ kind: 'sent' }, 20)).toEqual({ status: 'DELIVERED' });
  });

  it('that a stop interrupted may be sent again at once', () => {
    expect(after({ kind: 'aborted' }, 3)).toEqual({ status: 'PENDING', lastError: null, availableAt: START });
  });
});
