import { boundedMemo } from '../domain/values/bounded-memo.ts';
import { IDENTITY_HEADERS, isFramingHeader } from '../domain/request/header-rules.ts';
import { ACCEPTED_ENCODINGS, identityHeaders } from '../domain/request/kept-request.ts';
import type { OutgoingRequest, ShownRequest } from '../domain/request/outgoing-request.ts';
import { maskCallbackUrl } from '../domain/execution/callback-token.ts';
import { maskBodyText } from '../domain/request/masked-body.ts';
import { maskHeaders, maskUrl } from '../domain/request/secrets.ts';
import { percentDecode } from '../domain/values/percent-decode.ts';

/** A body as it goes over the wire. */
export type EncodedBody = { text: string; contentType: string };

/**
 * Turns a job's body into text: a string is sent as it is, any other JSON value as JSON; null and undefined send none.
 */
export function encodeBody(body: unknown): EncodedBody | null {
  if (body === null || body === undefined) return null;
  if (typeof body === 'string') return { text: body, contentType: 'text/plain; charset=utf-8' };
  return { text: JSON.stringify(body), contentType: 'application/json' };
}

/**
 * The headers of one attempt, names in lower case.
 *
 * A job's own headers win over `user-agent` and `content-type`, never over what identifies the call; such names, and
 * those that frame the message, are left out without a word, since commands already name them to the user.
 *
 * @param version of the scheduler, shown in the user agent
 */
export function buildRequestHeaders(
  request: OutgoingRequest,
  body: EncodedBody | null,
  version: string,
): Record<string, string> {
  const headers: Record<string, string> = {
    'user-agent': userAgent(version),
    'accept-encoding': ACCEPTED_ENCODINGS,
  };
  if (body) headers['content-type'] = body.contentType;

  const authorization = basicAuthorization(request.url);
  if (authorization !== null) headers['authorization'] = authorization;

  for (const [name, value] of Object.entries(request.headers)) {
    const lower = name.toLowerCase();
    if (!IDENTITY_HEADERS.has(lower) && !isFramingHeader(lower)) headers[lower] = value;
  }

  Object.assign(headers, identityHeaders(request));
  headers['x-attempt'] = String(request.attempt);
  if (request.callbackUrl) headers['x-callback-url'] = request.callbackUrl;
  return headers;
}

/** How the scheduler names itself to targets. */
export function userAgent(version: string): string {
  return `job-scheduler/${version}`;
}

/** The request as the history shows it. */
export function showRequest(
  request: OutgoingRequest,
  headers: Readonly<Record<string, string>>,
  body: EncodedBody | null,
): ShownRequest {
  // Shown but for its token: a URL that leads nowhere is what a reader of a job that never ends looks for.
  const callback = request.callbackUrl ? { 'x-callback-url': maskCallbackUrl(request.callbackUrl) } : {};
  return {
    method: request.method,
    url: maskUrl(request.url),
    headers: { ...maskHeaders(headers), ...callback },
    body: body && maskBodyText(body.text),
  };
}

/** URLs of which the answer is remembered: every call asks for that of its job. */
const KNOWN_LIMIT = 1_000;

/** `user:password@` of a URL as the header that it stands for; null where the URL names no user. */
export const basicAuthorization = boundedMemo(KNOWN_LIMIT, (url): string | null => {
  if (!URL.canParse(url)) return null;
  const { username, password } = new URL(url);
  if (username === '' && password === '') return null;
  return `Basic ${Buffer.from(`${percentDecode(username)}:${percentDecode(password)}`).toString('base64')}`;
});
