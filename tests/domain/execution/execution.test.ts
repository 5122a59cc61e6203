import { describe, expect, it } from 'vitest';
import {
  decideAfterLoss,
  EXECUTION_STATUSES,
  isFinished,
  MAX_RESCUES,
  TRANSITIONS,
  type ExecutionStatus,
} from '../../../src/domain/execution/execution.ts';

const moves: { name: string; from: readonly ExecutionStatus[]; to: ExecutionStatus }[] = Object.entries(
  TRANSITIONS,
).map(([name, move]) => ({ name, ...move }));

describe('the state machine', () => {
  it('leads out of every unfinished status, and out of no other', () => {
    const left = new Set(moves.flatMap(({ from }) => from));
    for (const status of EXECUTION_STATUSES) expect(left.has(status)).toBe(!isFinished(status));
  });

  it('allows an execution to run only after a claim', () => {
    expect(moves.filter(({ to }) => to === 'RUNNING').map(({ name }) => name)).toEqual(['claim']);
  });

  it('allows an execution to succeed, fail or be retried only out of RUNNING', () => {
    for (const { to, from } of moves) {
      if (to === 'SUCCESS' || to === 'FAILED' || to === 'RETRYING') expect(from).toEqual(['RUNNING']);
    }
  });

  it('can reach every status from PENDING, BLOCKED or SKIPPED', () => {
    const reached = new Set<ExecutionStatus>(['PENDING', 'BLOCKED', 'SKIPPED', ...moves.map(({ to }) => to)]);
    expect(reached).toEqual(new Set(EXECUTION_STATUSES));
  });
});

describe('a lost execution', () => {
  it('is repeated until its instance has died three times', () => {
    const decisions = [0, 1, 2, 3].map((rescues) => decideAfterLoss('ATLEAST_ONCE', rescues));
    expect(decisions).toEqual(['interrupt', 'interrupt', 'giveUp', 'giveUp']);
    expect(MAX_RESCUES).toBe(3);
  });

  it('is never repeated when its job is ATMOST_ONCE', () => {
    expect(decideAfterLoss('ATMOST_ONCE', 0)).toBe('giveUp');
  });
});
