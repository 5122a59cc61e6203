/** The most headers that a job may set, and how long a name and a value may be. */
export const HEADER_LIMITS = { count: 50, nameLength: 128, valueLength: 4_096 } as const;

/** Names the execution that makes a call, in lower case. */
export const EXECUTION_ID_HEADER = 'x-execution-id';

/**
 * What the scheduler itself tells a target about the call, in lower case. A job's own header of such a name is
 * replaced: a target must be able to trust them.
 */
export const IDENTITY_HEADERS: ReadonlySet<string> = new Set([
  EXECUTION_ID_HEADER,
  'x-job-id',
  'x-attempt',
  'x-scheduled-at',
  'idempotency-key',
  'x-callback-url',
]);

/** Headers that frame the message on the wire. Set by hand they can only contradict what is sent. */
const FRAMING_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** What is wrong with one header. `name` is cut to the allowed length; the value, perhaps a secret, is not repeated. */
export type HeaderIssue = { name: string; message: string };

/** Whether the header belongs to the connection, not to the job. */
export function isFramingHeader(name: string): boolean {
  return FRAMING_HEADERS.has(name.toLowerCase());
}

/**
 * Checks a job's headers as a user wrote them: a flat object of strings that can be put on the wire.
 *
 * @returns the first thing wrong, or null
 */
export function checkHeaders(headers: unknown): HeaderIssue | null {
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) {
    return { name: '', message: 'Headers must be an object of names and text values.' };
  }
  const entries = Object.entries(headers);
  if (entries.length > HEADER_LIMITS.count) {
    return {
      name: '',
      message: `At most ${HEADER_LIMITS.count} headers are allowed; there are ${entries.length}.`,
    };
  }
  const seen = new Set<string>();
  for (const [name, value] of entries as [string, unknown][]) {
    const message = seen.has(name.toLowerCase()) ? 'Is given twice.' : headerProblem(name, value);
    if (message !== null) return { name: name.slice(0, HEADER_LIMITS.nameLength), message };
    seen.add(name.toLowerCase());
  }
  return null;
}

function headerProblem(name: string, value: unknown): string | null {
  if (name.length > HEADER_LIMITS.nameLength)
    return `A name may have ${HEADER_LIMITS.nameLength} characters.`;
  // RFC 9110 section 5.6.2, token.
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name)) return 'Is no valid header name.';
  if (isFramingHeader(name)) return 'Is set by the connection itself.';
  if (typeof value !== 'string') return 'The value must be text.';
  if (value.length > HEADER_LIMITS.valueLength)
    return `A value may have ${HEADER_LIMITS.valueLength} characters.`;
  // Line breaks would let a value add headers of its own; beyond Latin-1 a header has no encoding.
  if (/[^\t\x20-\x7e\x80-\xff]/.test(value)) return 'The value holds a character that a header cannot carry.';
  return null;
}
