import type { AlertNotice } from '../domain/alert/alert-notice.ts';
import type { SendResult } from '../domain/alert/alert-retry.ts';
import { type AlertText, wordNotice } from '../domain/alert/alert-text.ts';
import { cutText } from '../domain/values/text.ts';
import type { CallOptions, Sender } from '../http/send-attempt.ts';
import { resultOfCall } from './send-result.ts';
import { authorizationOf } from './webhook.ts';

/** Slack's limits: characters of a field, and fields of a section. */
const MAX_FIELD_LENGTH = 2_000;
const MAX_FIELDS = 10;

/** Posts a notice to an incoming webhook of Slack or of a compatible service. */
export async function sendSlack(
  sender: Sender,
  url: string,
  notice: AlertNotice,
  options: CallOptions,
): Promise<SendResult> {
  const headers = {
    'content-type': 'application/json',
    'idempotency-key': notice.id,
    ...authorizationOf(url),
  };
  const body = JSON.stringify(slackMessage(notice));
  const { outcome } = await sender.send({ method: 'POST', url, headers, body }, options);
  return resultOfCall(outcome);
}

/** The message: blocks for clients that show them, and the same as text for notifications and other clients. */
export function slackMessage(notice: AlertNotice): Record<string, unknown> {
  const text = wordNotice(notice);
  return {
    text: [text.title, ...text.facts.map(({ label, value }) => `${label}: ${value}`)]
      .map(escapeSlack)
      .join('\n'),
    blocks: [
      // Slack shows plain text as it is, without markup.
      { type: 'header', text: { type: 'plain_text', text: text.title, emoji: false } },
      ...sectionsOf(text),
      { type: 'context', elements: [mrkdwn(`Delivery ${notice.id}`)] },
    ],
  };
}

function sectionsOf({ facts }: AlertText): Record<string, unknown>[] {
  const fields = facts.map(({ label, value }) =>
    mrkdwn(cutText(`*${label}*\n${escapeSlack(value)}`, MAX_FIELD_LENGTH)),
  );
  const sections = [];
  for (let from = 0; from < fields.length; from += MAX_FIELDS) {
    sections.push({ type: 'section', fields: fields.slice(from, from + MAX_FIELDS) });
  }
  return sections;
}

/** Verbatim. Otherwise Slack turns bare URLs and channel names into links, and names of people into mentions. */
function mrkdwn(text: string): Record<string, unknown> {
  return { type: 'mrkdwn', text, verbatim: true };
}

/**
 * Escapes the three characters that are markup in Slack. A target's answer must not mention @channel or become a
 * link.
 */
function escapeSlack(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
