import type { UncalledReason } from '../../domain/execution/verdict.ts';
import { createLogger } from '../../logging/logger.ts';
import type { ClaimedExecution } from '../../store/executions/claimed-rows.ts';
import { isBacklog, type Claim, type Held, type HeldClaims } from './held-claims.ts';
import { createJointStart } from './joint-start.ts';
import { logIds } from './log-ids.ts';
import { recordUncalled, runExecution, type RunDeps } from './run-execution.ts';

const logger = createLogger('Worker');

/** Makes calls that have a place, and holds each execution until its outcome is recorded. */
export interface CallRunner {
  call: (entry: Held, execution: ClaimedExecution) => void;
  /** Records that executions without a place have ended without a call. */
  letGo: (left: readonly Held[], reason: UncalledReason | 'leaseLost') => void;
}

export interface CallRunnerOptions extends RunDeps {
  held: HeldClaims;
  /** Frees the place of a finished call at a host. Returns how many calls are in flight. */
  freePlace: (host: string, callMs: number) => number;
  /** Called a moment later: other calls may begin. */
  passPlaceOn: (host: string) => void;
  /** Called after this instance lacked the resources for a call. */
  onInstanceFault: () => void;
  /** Called after the record of an execution for a missed slot. */
  onBacklogRecorded: () => void;
  onError: (error: unknown) => void;
  monotonicMs: () => number;
}

export function createCallRunner(options: CallRunnerOptions): CallRunner {
  const { held, freePlace, passPlaceOn, onInstanceFault, onBacklogRecorded, onError, monotonicMs } = options;
  const jointStart = createJointStart();

  function call(entry: Held, execution: ClaimedExecution): void {
    const { host } = entry.claim;
    const startedMs = monotonicMs();
    const onCallEnded = () => {
      entry.isCallOver = true;
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

  /** Holds an execution until its outcome is recorded, and logs the outcome. */
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

  return { call, letGo };
}
