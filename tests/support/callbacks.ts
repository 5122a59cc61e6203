import { completeExecution } from '../../src/commands/executions/complete-execution.ts';
import type { CallbackAnswer, CallbackReport } from '../../src/domain/execution/callback-report.ts';
import { CALLBACK_PATH, readCallbackToken } from '../../src/domain/execution/callback-token.ts';
import { CALLBACK_SECRET, type TestInstance } from './instance.ts';
import type { RecordedCall } from './target-server.ts';

/** The callback URL that a target was given. */
export function callbackUrlOf(call: RecordedCall | undefined): string {
  return call?.headers['x-callback-url'] ?? '';
}

/**
 * Calls an instance back about an attempt, as its server would, by the URL that the target was given.
 *
 * @param report what it says besides success
 */
export async function callBack(
  { commandDeps }: Pick<TestInstance, 'commandDeps'>,
  call: RecordedCall | undefined,
  report: Partial<CallbackReport> = {},
): Promise<CallbackAnswer | 'unknown'> {
  const url = callbackUrlOf(call);
  const token = url.slice(url.lastIndexOf(CALLBACK_PATH) + CALLBACK_PATH.length);
  const claim = readCallbackToken(token, CALLBACK_SECRET);
  if (claim === null) return 'unknown';
  const whole: CallbackReport = { status: 'success', message: null, output: null, retry: true, ...report };
  return completeExecution({ ...commandDeps, random: () => 0 }, claim, whole);
}
