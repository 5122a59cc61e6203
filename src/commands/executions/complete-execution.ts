import type { CallbackAnswer, CallbackReport } from '../../domain/execution/callback-report.ts';
import type { CallbackClaim } from '../../domain/execution/callback-token.ts';
import { decideAfterCallback } from '../../domain/execution/callback-verdict.ts';
import { MAX_RESPONSE_BODY_CHARACTERS } from '../../domain/request/outgoing-request.ts';
import { encodePublicId } from '../../domain/values/public-id.ts';
import { cutText } from '../../domain/values/text.ts';
import { createLogger } from '../../logging/logger.ts';
import { settlementOfWait, type CallbackOutput } from '../../store/executions/callback-settlement.ts';
import { findCalledBack, type CalledBackExecution } from '../../store/executions/callbacks.ts';
import { settlementRow } from '../../store/executions/settling.ts';
import { settleAny } from '../../store/executions/settling-upstream.ts';
import type { CommandDeps } from '../command-deps.ts';

const logger = createLogger('Callbacks');

export interface CompletionDeps extends Pick<CommandDeps, 'pool' | 'clock' | 'newId' | 'wake'> {
  /** A number in [0, 1) for the jitter of retries. */
  random: () => number;
}

/**
 * Ends the attempt that a callback speaks for, as long as it is under way: while its callback is awaited, or already
 * before the answer to its call was recorded. What the callback says is recorded the way the outcome of a call is.
 *
 * Nothing is locked between looking and recording, because nothing that decides can change meanwhile: as long as the
 * claim is the token's, the attempt is the one that was looked at, and the statement writes nothing otherwise.
 */
export async function completeExecution(
  deps: CompletionDeps,
  claim: CallbackClaim,
  report: CallbackReport,
): Promise<CallbackAnswer> {
  const answer = await complete(deps, claim, report);
  logger.info('Callback received', {
    executionId: encodePublicId('Execution', claim.executionId),
    attempt: claim.attempt,
    reported: report.status,
    answer,
  });
  return answer;
}

async function complete(
  deps: CompletionDeps,
  claim: CallbackClaim,
  report: CallbackReport,
): Promise<CallbackAnswer> {
  const { pool, clock, newId } = deps;
  const execution = await findCalledBack(pool, claim);
  const now = clock.now();
  if (execution === null || !isOpen(execution, claim, now)) return refusalOf(execution, claim);

  const resting = decideAfterCallback(execution, report, now, deps.random());
  const settlement = settlementOfWait(execution, resting, now, outputOf(report));
  const { written, isReplacing } = await settleAny(pool, [settlementRow(settlement)], newId);
  // Somebody was quicker: the same callback sent twice, or the loop that ends what waits too long.
  if (!written.has(execution.id)) return refusalOf(await findCalledBack(pool, claim), claim);
  // Jobs too: executions of this one, or of those that depend on it, may have waited for the end.
  deps.wake('jobs', 'executions', 'blocked', 'events');
  if (isReplacing) deps.wake('cancellations');
  return 'completed';
}

/** The time counts from the deadline on, whether or not somebody has noticed yet that it has passed. */
function isOpen(execution: CalledBackExecution, { claimSeq }: CallbackClaim, now: Date): boolean {
  const { callbackDeadlineAt, cancelRequested } = execution;
  if (execution.status !== 'RUNNING' || execution.claimSeq !== claimSeq || cancelRequested) return false;
  return callbackDeadlineAt === null || now < callbackDeadlineAt;
}

/** Only a callback can make an attempt of such a job succeed, or fail for the reason CALLBACK. */
function refusalOf(execution: CalledBackExecution | null, { claimSeq }: CallbackClaim): CallbackAnswer {
  if (execution === null) return 'late';
  const hasSucceeded = execution.status === 'SUCCESS' && execution.claimSeq === claimSeq;
  return hasSucceeded || execution.attemptFailureReason === 'CALLBACK' ? 'repeated' : 'late';
}

function outputOf({ output }: CallbackReport): CallbackOutput | null {
  if (output === null) return null;
  const body = cutText(output, MAX_RESPONSE_BODY_CHARACTERS);
  return { body, truncated: body.length < output.length };
}
