import type { AttemptOutcome, RespondedOutcome } from '../../src/domain/execution/outcome.ts';
import type { OutgoingRequest } from '../../src/domain/request/outgoing-request.ts';
import type { ResolveAll } from '../../src/http/lookup.ts';
import { createSender } from '../../src/http/send-attempt.ts';
import type { Sender } from '../../src/http/send-attempt.ts';
import { StopSignal } from '../../src/http/stop-signal.ts';
import { DEFAULT_BLOCKED_RANGES, createTargetGuard, type GuardOptions } from '../../src/http/target-guard.ts';

type Parts = Partial<GuardOptions> & { certificateAuthority?: string };

export function newSender({
  blockedRanges = DEFAULT_BLOCKED_RANGES,
  certificateAuthority,
  ...guardOptions
}: Parts = {}): Sender {
  const guard = createTargetGuard({ blockedRanges, ...guardOptions });
  return createSender({ version: '1.2.3', guard, ...(certificateAuthority ? { certificateAuthority } : {}) });
}

export function request(url: string, parts: Partial<OutgoingRequest> = {}): OutgoingRequest {
  return {
    executionId: 'exec_1',
    jobId: 'job_1',
    attempt: 1,
    scheduledAt: new Date('2030-01-01T00:00:00.000Z'),
    method: 'GET',
    url,
    headers: {},
    body: null,
    ...parts,
  };
}

/** Options of a call that nobody aborts and that has time enough. */
export function unhurried(parts: { signal?: StopSignal<string>; timeoutMs?: number } = {}) {
  return { signal: new StopSignal(), timeoutMs: 10_000, ...parts };
}

export function expectResponse(outcome: AttemptOutcome): RespondedOutcome {
  if (outcome.kind !== 'responded') throw new Error(`no response but ${JSON.stringify(outcome)}`);
  return outcome;
}

/** Every name leads to this machine. */
export const everythingLocal: ResolveAll = () => Promise.resolve([{ address: '127.0.0.1', family: 4 }]);
