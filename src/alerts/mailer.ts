import { hostname } from 'node:os';
import { createTransport } from 'nodemailer';
import type { AlertNotice } from '../domain/alert/alert-notice.ts';
import type { SendResult } from '../domain/alert/alert-retry.ts';
import { wordNotice } from '../domain/alert/alert-text.ts';
import { cutText } from '../domain/values/text.ts';
import type { CallOptions } from '../http/send-attempt.ts';
import { mailHtml, mailText } from './mail-html.ts';

export interface MailerOptions {
  /**
   * Such as smtps://user:password@smtp.example.com. The mailer uses STARTTLS when the server offers it, and requires
   * it for a login.
   */
  smtpUrl: string;
  /** The sender's address, perhaps with a name. */
  from: string;
}

/** Sends mail to one address at a time. */
export type Mailer = (to: string, notice: AlertNotice, options: CallOptions) => Promise<SendResult>;

/** Creates a mailer. Each mail has its own connection: alerts are rare, and servers close idle connections. */
export function createMailer({ smtpUrl, from }: MailerOptions): Mailer {
  const { url, host, needsTls } = requireTlsForLogin(smtpUrl);
  return async (to, notice, { signal, timeoutMs }) => {
    if (signal.reason !== null) return { kind: 'aborted' };
    const timeout = AbortSignal.timeout(timeoutMs);
    const stopped = new AbortController();
    signal.listen(() => {
      stopped.abort();
    });
    const transport = createTransport({
      url,
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      socketTimeout: timeoutMs,
      dnsTimeout: timeoutMs,
      socketCloseTimeout: 1_000,
      disableFileAccess: true,
      disableUrlAccess: true,
    });
    try {
      const text = wordNotice(notice);
      await transport.sendMail({
        from,
        to: { name: '', address: to },
        subject: text.title,
        text: mailText(text),
        html: mailHtml(text),
        // The same for every try, so a mail program shows a repeated mail once.
        messageId: `<${notice.id}@${hostname()}>`,
        headers: {
          'Auto-Submitted': 'auto-generated',
          'X-Alert-Delivery-Id': notice.id,
          'X-Alert-Event': notice.event,
        },
        signal: AbortSignal.any([stopped.signal, timeout]),
      });
      return { kind: 'sent' };
    } catch (error) {
      if (stopped.signal.aborted) return { kind: 'aborted' };
      return describeMailFailure(error, { host, needsTls }, timeout.aborted ? timeoutMs : null);
    } finally {
      signal.listen(null);
      transport.close();
    }
  };
}

interface MailServer {
  host: string;
  /** Whether the mailer sends user and password over TLS only. */
  needsTls: boolean;
}

/**
 * Keeps a login off the open network. Without it, anybody between us and the server can remove STARTTLS from the
 * server's offer. `?requireTLS=false` is for a network that the operator trusts.
 */
function requireTlsForLogin(smtpUrl: string): MailServer & { url: string } {
  const url = new URL(smtpUrl);
  const hasLogin = url.username !== '' || url.password !== '';
  if (hasLogin && !url.searchParams.has('requireTLS')) url.searchParams.set('requireTLS', 'true');
  return { url: url.href, host: url.host, needsTls: url.searchParams.get('requireTLS') === 'true' };
}

interface MailError {
  code: string | null;
  command: string | null;
  /** The server's own answer; null when there was none. */
  response: string | null;
  responseCode: number | null;
}

/** nodemailer's error codes, in words. */
const CAUSES: Readonly<Record<string, string>> = {
  ETIMEDOUT: 'did not answer in time',
  EDNS: 'could not be found',
  ESOCKET: 'could not be reached',
  ECONNECTION: 'closed the connection',
  ETLS: 'offered no secure connection',
  EAUTH: 'refused user and password',
};

const TLS_ONLY =
  '(user and password are sent over TLS only; add ?requireTLS=false to SMTP_URL where the network is trusted)';

/** Commands about this one mail. A permanent refusal here stays a refusal. */
const ABOUT_THE_MAIL = /^(?:RCPT TO|DATA)/;

/** @param timedOutMs the time limit that has passed; null when it has not */
function describeMailFailure(
  error: unknown,
  { host, needsTls }: MailServer,
  timedOutMs: number | null,
): SendResult {
  const { code, command, response, responseCode } = readMailError(error);
  if (timedOutMs !== null) {
    return failed(`The mail server ${host} had not taken the mail within ${timedOutMs} ms.`, false);
  }
  const isFinal = responseCode !== null && responseCode >= 500 && ABOUT_THE_MAIL.test(command ?? '');
  const cause = CAUSES[code ?? ''] ?? 'did not take the mail';
  const said = response === null ? '' : `: ${response}`;
  const remedy = code === 'ETLS' && needsTls ? ` ${TLS_ONLY}` : '';
  return failed(`The mail server ${host} ${cause}${said}${remedy}`, isFinal);
}

function failed(message: string, isFinal: boolean): SendResult {
  const line = message.replace(/[\p{Cc}\s]+/gu, ' ').trim();
  return { kind: 'failed', message: cutText(line, 500), isFinal, retryAfter: null };
}

/** nodemailer adds fields of its own to the errors of others. */
function readMailError(error: unknown): MailError {
  const facts: Record<string, unknown> = Object.fromEntries(Object.entries(error ?? {}));
  const text = (value: unknown) => (typeof value === 'string' ? value : null);
  return {
    code: text(facts['code']),
    command: text(facts['command']),
    response: text(facts['response']),
    responseCode: typeof facts['responseCode'] === 'number' ? facts['responseCode'] : null,
  };
}
