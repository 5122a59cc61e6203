import { isIPv6 } from 'node:net';
import { cutText } from '../domain/values/text.ts';
import type { CallFailureReason } from '../domain/execution/outcome.ts';
import { BlockedTargetError } from './target-guard.ts';

export type CallFailure = { reason: CallFailureReason; message: string };

/** Long enough for any certificate complaint, short enough for a table column and a log line. */
export const MAX_MESSAGE_LENGTH = 500;

const DNS_CODES = new Set([
  'ENOTFOUND',
  'EAI_AGAIN',
  'EAI_FAIL',
  'EAI_NODATA',
  'EAI_NONAME',
  'ENODATA',
  'ESERVFAIL',
]);

/** What node and OpenSSL call a handshake or a certificate that failed. */
const TLS_CODE =
  /^(?:ERR_TLS_|ERR_SSL_|ERR_OSSL_|EPROTO$|CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_)/;

/** What this machine runs out of: descriptors, memory, buffers, local ports. */
const EXHAUSTION_CODES = new Set([
  'EMFILE',
  'ENFILE',
  'ENOMEM',
  'ENOBUFS',
  'EADDRNOTAVAIL',
  'EAGAIN',
  'EAI_MEMORY',
]);

/** The system calls that come before anything is sent. */
const OPENING_CALLS = new Set(['getaddrinfo', 'socket', 'bind', 'connect']);

/** What node throws at a request that it will not send. */
const INVALID_REQUEST_CODES = new Set([
  'ERR_INVALID_CHAR',
  'ERR_HTTP_INVALID_HEADER_VALUE',
  'ERR_INVALID_HTTP_TOKEN',
  'ERR_UNESCAPED_CHARACTERS',
  'ERR_INVALID_URL',
  'ERR_UNSUPPORTED_PROTOCOL',
  'ERR_INVALID_ARG_TYPE',
  'ERR_INVALID_ARG_VALUE',
  'ERR_SOCKET_BAD_PORT',
]);

const CONNECTION_TEXTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refused the connection',
  ECONNRESET: 'closed the connection before the response was complete',
  EPIPE: 'closed the connection while the request was being sent',
  ETIMEDOUT: 'did not accept the connection in the time the operating system allows',
  EHOSTUNREACH: 'cannot be reached: no route to the host',
  ENETUNREACH: 'cannot be reached: no route to its network',
  ERR_TOO_MUCH_INFORMATION: 'sent more informational answers than are accepted',
  HPE_HEADER_OVERFLOW: 'sent more headers than are accepted',
};

/**
 * Names what went wrong with a call.
 *
 * The message is built from the error's code and the target's host, never from the error's own text where that could
 * repeat the request: messages are stored, shown and logged, and a URL or header may hold a secret.
 *
 * @param host host and port of the call that failed, which after a redirect is not the job's
 */
export function describeFailure(error: unknown, host: string): CallFailure {
  // Of several addresses the last one says as much as any.
  const root = allCauses(error).at(-1);
  if (root instanceof BlockedTargetError) return blockedTarget(root.address, host);

  const code = codeOf(root) ?? codeOf(error) ?? 'UNKNOWN';
  const text = root instanceof Error ? root.message : '';
  if (DNS_CODES.has(code) || isLookupError(root))
    return failure('DNS', `The name of ${host} could not be resolved (${code}).`);
  // Node reports a handshake that the target broke off as a reset; only the text tells.
  if (code === 'ECONNRESET' && text.includes('before secure TLS connection')) {
    return failure('TLS', `${host} closed the connection during the TLS handshake (${code}).`);
  }
  if (TLS_CODE.test(code))
    return failure('TLS', `No secure connection to ${host} (${code}): ${tlsText(text)}`);
  if (INVALID_REQUEST_CODES.has(code))
    return failure('INVALID_REQUEST', `The request cannot be sent (${code}).`);
  if (code.startsWith('HPE_') && !(code in CONNECTION_TEXTS)) {
    return failure('CONNECTION', `${host} sent what is not HTTP (${code}): ${text}`);
  }
  if (code.startsWith('Z_') || code.startsWith('ERR__ERROR_') || code.startsWith('ERR_BROTLI')) {
    return failure('CONNECTION', `The body sent by ${host} could not be decompressed (${code}).`);
  }
  return failure('CONNECTION', `${host} ${CONNECTION_TEXTS[code] ?? 'could not be called'} (${code}).`);
}

/**
 * Whether a call failed before it was sent, because this machine has run out of something. Of several addresses that were
 * tried for one name, one is enough.
 *
 * @returns a message for the log; null where the failure is the target's
 */
export function describeInstanceFault(error: unknown, host: string): string | null {
  const code = allCauses(error).find(isExhaustion)?.code;
  if (code === undefined) return null;
  return `This instance could not open a connection to ${host} (${code}); the target has seen nothing.`;
}

function isExhaustion(error: unknown): error is Error & { code: string } {
  const code = codeOf(error);
  if (code === null || !EXHAUSTION_CODES.has(code)) return false;
  if (code === 'EAI_MEMORY') return true;
  const { syscall, address } = error as NodeJS.ErrnoException & { address?: string };
  // A machine without IPv6 says this of every IPv6 address: that no other call will change.
  if (code === 'EADDRNOTAVAIL' && isIPv6(address ?? '')) return false;
  return OPENING_CALLS.has(syscall ?? '');
}

/** @param address what was blocked; after a lookup not what stands in the URL */
export function blockedTarget(address: string, host: string): CallFailure {
  const via = host.includes(address) ? '' : ` (${address})`;
  return failure('BLOCKED_TARGET', `${host}${via} lies in a range that must not be called.`);
}

/** A failure with its message on one line and cut to {@link MAX_MESSAGE_LENGTH}. */
export function failure(reason: CallFailureReason, message: string): CallFailure {
  const line = message.replace(/[\p{Cc}\s]+/gu, ' ').trim();
  return { reason, message: cutText(line, MAX_MESSAGE_LENGTH) };
}

/** OpenSSL's sentence without the thread, source file and line around it; node's own texts are sentences already. */
function tlsText(text: string): string {
  return /:SSL routines:[^:]*:([^:]+)/.exec(text)?.[1] ?? text;
}

const MAX_CAUSE_DEPTH = 5;

/**
 * What an error stands for: got wraps what node reports, and node wraps the attempts on several addresses of one name in an
 * AggregateError.
 */
function allCauses(error: unknown, depth = 0): unknown[] {
  const inner = depth < MAX_CAUSE_DEPTH ? causesOf(error) : [];
  return inner.length === 0 ? [error] : inner.flatMap((cause) => allCauses(cause, depth + 1));
}

function causesOf(error: unknown): unknown[] {
  if (error instanceof AggregateError) return error.errors as unknown[];
  return error instanceof Error && error.cause instanceof Error ? [error.cause] : [];
}

/** The resolver also fails with general codes, such as EINVAL for a name that is no name. */
function isLookupError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && error.syscall === 'getaddrinfo';
}

function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}
