import type { AlertNotice } from '../domain/alert/alert-notice.ts';
import type { SendResult } from '../domain/alert/alert-retry.ts';
import { wordNotice } from '../domain/alert/alert-text.ts';
import { basicAuthorization } from '../http/request-headers.ts';
import type { CallOptions, Sender } from '../http/send-attempt.ts';
import { signatureHeaders } from './signature.ts';
import { resultOfCall } from './send-result.ts';

export interface WebhookOptions {
  sender: Sender;
  /** The key that signs the body; null: no signature. */
  signingKey: Buffer | null;
}

/** Posts a notice as JSON. It includes the text, for receivers that only pass it on. */
export async function sendWebhook(
  { sender, signingKey }: WebhookOptions,
  url: string,
  notice: AlertNotice,
  sentAt: Date,
  options: CallOptions,
): Promise<SendResult> {
  const body = JSON.stringify({ ...notice, text: wordNotice(notice).title });
  const headers = {
    'content-type': 'application/json',
    'idempotency-key': notice.id,
    'x-alert-event': notice.event,
    ...authorizationOf(url),
    ...(signingKey ? signatureHeaders(notice.id, body, sentAt, signingKey) : {}),
  };
  const { outcome } = await sender.send({ method: 'POST', url, headers, body }, options);
  return resultOfCall(outcome);
}

/** The header for the user and password of a URL. The request's URL does not contain them. */
export function authorizationOf(url: string): Record<string, string> {
  const authorization = basicAuthorization(url);
  return authorization === null ? {} : { authorization };
}
