import type { AlertChannel } from './alert.ts';
import { MASK, maskUrl } from '../request/secrets.ts';
import { checkTargetUrl } from '../request/target-url.ts';
import { isStorable, UNSTORABLE } from '../values/text.ts';

/** The longest address that SMTP carries (RFC 5321, section 4.5.3.1.3, less the angle brackets). */
export const MAX_ADDRESS_LENGTH = 254;

/**
 * The part before the @ as mail systems give it out, without quotes and comments (RFC 5322 `dot-atom`, and any letter).
 * None of it can end the address, add another one, or start a header.
 */
const LOCAL_PART = /^[\p{L}\p{N}!#$%&'*+/=?^_`{|}~-]+(?:\.[\p{L}\p{N}!#$%&'*+/=?^_`{|}~-]+)*$/u;
const DOMAIN_LABEL = /^[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?$/u;

/** What an alert's target must be, for descriptions and messages. */
export const TARGET_RULES: Readonly<Record<AlertChannel, string>> = {
  WEBHOOK: 'an http or https URL',
  SLACK: 'the http or https URL of an incoming webhook',
  EMAIL: 'one e-mail address such as ops@example.com',
};

/**
 * Checks where an alert is to be sent. Whether the host may be called is not decided here.
 *
 * @returns what is wrong and what is allowed, or null; never repeats the target, which may be a secret
 */
export function checkAlertTarget(channel: AlertChannel, target: string): string | null {
  if (channel === 'EMAIL') return isEmailAddress(target) ? null : `Must be ${TARGET_RULES.EMAIL}, ${LENGTH}.`;
  const issue = checkTargetUrl(target);
  if (issue) return issue.message;
  return isStorable(target) ? null : UNSTORABLE;
}

const LENGTH = `${MAX_ADDRESS_LENGTH} characters at most`;

function isEmailAddress(text: string): boolean {
  if (text.length > MAX_ADDRESS_LENGTH || !text.isWellFormed()) return false;
  const at = text.lastIndexOf('@');
  const [local, domain] = [text.slice(0, at), text.slice(at + 1)];
  return (
    at > 0 &&
    local.length <= 64 &&
    LOCAL_PART.test(local) &&
    domain.split('.').every((label) => DOMAIN_LABEL.test(label))
  );
}

/**
 * The target as it may be shown. Of a Slack webhook the path is the secret; other services put theirs into the path as
 * well, so whatever looks like a token there is masked with the credentials that {@link maskUrl} knows. A wide guess on
 * purpose: what is masked for nothing costs a look, what is shown costs the secret.
 */
export function maskAlertTarget(channel: AlertChannel, target: string): string {
  if (channel === 'EMAIL' || !URL.canParse(target)) return target;
  const url = new URL(maskUrl(target));
  if (channel === 'SLACK') return url.pathname === '/' ? `${url.origin}/` : `${url.origin}/${MASK}`;
  const segments = url.pathname.split('/');
  if (!segments.some(looksSecret)) return maskUrl(target);
  url.pathname = segments.map((segment) => (looksSecret(segment) ? MASK : segment)).join('/');
  return url.href;
}

/** Long, or of letters and digits mixed: a word of a language is neither. */
function looksSecret(segment: string): boolean {
  if (segment.length >= 24) return true;
  return segment.length >= 6 && /\d/.test(segment) && /\p{L}/u.test(segment);
}
