import type { AlertNotice } from '../domain/alert/alert-notice.ts';
import type { SendResult } from '../domain/alert/alert-retry.ts';
import type { AlertChannel } from '../domain/alert/channels.ts';
import type { CallOptions, Sender } from '../http/send-attempt.ts';
import type { Mailer } from './mailer.ts';
import { sendSlack } from './slack.ts';
import { sendWebhook } from './webhook.ts';

/** The tools that senders need. */
export interface SendTools {
  sender: Sender;
  /** Null when no mail server is configured. */
  mailer: Mailer | null;
  /** The key that signs webhooks; null: no signature. */
  signingKey: Buffer | null;
  now: Date;
}

/** Sends one notice to a target of a channel. */
type SendNotice = (
  tools: SendTools,
  target: string,
  notice: AlertNotice,
  options: CallOptions,
) => Promise<SendResult>;

/** Not final: another instance may have a mail server, and this one may get it with its next start. */
const NO_MAILER: SendResult = {
  kind: 'failed',
  message: 'SMTP_URL is not set at the instance that was to send it.',
  isFinal: false,
  retryAfter: null,
};

/** How each channel sends. */
export const SENDERS: Readonly<Record<AlertChannel, SendNotice>> = {
  WEBHOOK: (tools, url, notice, options) => sendWebhook(tools, url, notice, tools.now, options),
  SLACK: ({ sender }, url, notice, options) => sendSlack(sender, url, notice, options),
  EMAIL: ({ mailer }, address, notice, options) =>
    mailer?.(address, notice, options) ?? Promise.resolve(NO_MAILER),
};
