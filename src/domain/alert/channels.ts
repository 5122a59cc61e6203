import { MASK, maskUrl } from '../request/secrets.ts';
import { MAX_TARGET_URL_LENGTH } from '../request/target-url.ts';
import { MAX_ADDRESS_LENGTH } from './email-address.ts';

/** A way to send alerts. src/alerts/senders.ts contains the code that sends. */
interface Channel {
  /** For the API's description. */
  description: string;
  /** What a target must be, for descriptions and messages. */
  target: string;
  maxTargetLength: number;
  /** HTTP: the target is a URL, and the operator decides whether its host may be called. MAIL needs `SMTP_URL`. */
  transport: 'HTTP' | 'MAIL';
  /** The target without its secrets. */
  mask: (target: string) => string;
}

/** Every way to send alerts. A new one begins here; CONTRIBUTING.md lists the other files. */
export const CHANNELS = {
  WEBHOOK: {
    description: 'As JSON, posted to a URL.',
    target: 'an http or https URL',
    maxTargetLength: MAX_TARGET_URL_LENGTH,
    transport: 'HTTP',
    mask: maskTokens,
  },
  EMAIL: {
    description: 'As a mail; needs `SMTP_URL`.',
    target: 'one e-mail address such as ops@example.com',
    maxTargetLength: MAX_ADDRESS_LENGTH,
    transport: 'MAIL',
    mask: (target) => target,
  },
  SLACK: {
    description:
      'As a message to an incoming webhook of Slack, or of one that takes the same (Mattermost, Discord).',
    target: 'the http or https URL of an incoming webhook',
    maxTargetLength: MAX_TARGET_URL_LENGTH,
    transport: 'HTTP',
    mask: maskPath,
  },
} as const satisfies Record<string, Channel>;

export type AlertChannel = keyof typeof CHANNELS;
export const ALERT_CHANNELS = Object.keys(CHANNELS) as AlertChannel[];

/** The channels that a mail server sends. */
export const MAIL_CHANNELS = ALERT_CHANNELS.filter((channel) => CHANNELS[channel].transport === 'MAIL');

/** The path of an incoming webhook is its secret. */
function maskPath(target: string): string {
  if (!URL.canParse(target)) return target;
  const { origin, pathname } = new URL(target);
  return pathname === '/' ? `${origin}/` : `${origin}/${MASK}`;
}

/**
 * Services put their tokens into the path. So this masks everything in the path that looks like a token, and the
 * credentials that {@link maskUrl} knows. It rather masks too much: showing a secret is worse.
 */
function maskTokens(target: string): string {
  if (!URL.canParse(target)) return target;
  const url = new URL(maskUrl(target));
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
