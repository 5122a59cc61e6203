import { createHmac } from 'node:crypto';

/**
 * The headers that let a receiver check that a body is ours and new, as in the Standard Webhooks specification
 * (https://www.standardwebhooks.com): HMAC-SHA256 over id, time and body.
 */
export function signatureHeaders(
  id: string,
  body: string,
  sentAt: Date,
  key: Buffer,
): Record<string, string> {
  const timestamp = Math.floor(sentAt.getTime() / 1_000).toString();
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': `v1,${signature}`,
  };
}
