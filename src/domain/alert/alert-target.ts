import { checkTargetUrl } from '../request/target-url.ts';
import { isStorable, UNSTORABLE } from '../values/text.ts';
import { type AlertChannel, CHANNELS } from './channels.ts';
import { isEmailAddress } from './email-address.ts';

/**
 * Checks the target of an alert. It does not decide whether the host may be called.
 *
 * @returns what is wrong and what is allowed, or null; never repeats the target, which may be a secret
 */
export function checkAlertTarget(channel: AlertChannel, target: string): string | null {
  const { transport, target: rule, maxTargetLength } = CHANNELS[channel];
  if (transport === 'MAIL')
    return isEmailAddress(target) ? null : `Must be ${rule}, ${maxTargetLength} characters at most.`;
  const issue = checkTargetUrl(target);
  if (issue) return issue.message;
  return isStorable(target) ? null : UNSTORABLE;
}

/** The target as it may be shown. */
export function maskAlertTarget(channel: AlertChannel, target: string): string {
  return CHANNELS[channel].mask(target);
}
