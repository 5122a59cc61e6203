import type { UncalledReason } from '../../domain/execution/verdict.ts';
import { createLogger } from '../../logging/logger.ts';
import type { ClaimedExecution } from '../../store/executions/claimed-rows.ts';
import { isBacklog, type Claim, type Held, type HeldClaims } from './held-claims.ts';
import { createJointStart } from './joint-start.ts';
import { logIds } from './log-ids.ts';
import { createRecentStarts } from './recent-starts.ts';
import { recordUncalled, runExecution, type RunDeps } from './run-execution.ts';

const logger = createLogger('Worker');

/** Makes calls that have a place, and keeps hold of each execution until what became of it is recorded. */
export interface CallRunner {
  call: (entry: Held, execution: ClaimedExecution) => void;
  /** Records of some that have left their line that they have ended without a call. */
  letGo: (left: readonly Held[], reason: UncalledReason | 'leaseLost') => void;
  /** Whether a call is under way that has just begun: its outcome may come together with those at hand. */
  areOutcomesNear: () => boolean;
}

export interface CallRunnerOptions extends RunDeps {
  held: HeldClaims;
  /** The call at a host is over: its place is free. Answers how many calls are under way. */
  freePlace: (host: string, callMs: number) => number;
  /** Called a moment later, when others may begin. */
  passPlaceOn: (host: string) => void;
  /** Called after a call that this instance had no means to make. */
  onInstanceFault: () => void;
  /** Called after an execution that makes up for a missed slot is recorded. */
  onBacklogRecorded: () => void;
  onError: (error: unknown) => void;
  monotonicMs: () => number;
}

export function createCallRunner(options: CallRunnerOptions): CallRunner {
  const { held, freePlace, passPlaceOn, onInstanceFault, onBacklogRecorded, onError, monotonicMs } = options;
  const jointStart = createJointStart();
  const recentStarts = createRecentStarts(monotonicMs);

  function call(entry: Held, execution: ClaimedExecution): void {
    const { host } = entry.claim;
    const startedMs = monotonicMs();
    const begun = recentStarts.begin();
    const onCallEnded = () => {
      entry.isCallOver = true;
      recentStarts.end(begun);
      const underWay = freePlace(host, monotonicMs() - startedMs);
      jointStart.add(() => {
        passPlaceOn(host);
      }, underWay);
    };
    const recorded = runExecution(execution, options, entry.signal, { onCallEnded, onInstanceFault });
    holdUntil(recorded, entry, 'Attempt ended', (claim) => {
      held.noteUnrecorded(claim);
    });
  }

  function letGo(left: readonly Held[], reason: UncalledReason | 'leaseLost'): void {
    for (const entry of left) {
      entry.isCallOver = true;
      holdUntil(recordUncalled(entry.claim, options, reason), entry, 'Claim ended without a call');
    }
  }

  /** Holds an execution until what became of it is recorded, and logs that. */
  function holdUntil(
    recorded: ReturnType<typeof runExecution>,
    entry: Held,
    what: string,
    onUnrecorded: (claim: Claim) => void = () => undefined,
  ): void {
    const { claim } = entry;
    entry.done = recorded
      .then((status) => {
        const ids = logIds({ executionId: claim.id, jobId: claim.jobId });
        logger.info(
          what,
          Object.assign(ids, { attempt: claim.attemptCount, status: status ?? 'claim lost' }),
        );
      })
      .catch((error: unknown) => {
        onUnrecorded(claim);
        onError(error);
      })
      .finally(() => {
        held.remove(entry);
        if (isBacklog(claim)) onBacklogRecorded();
      });
  }

  return { call, letGo, areOutcomesNear: recentStarts.any };
}
