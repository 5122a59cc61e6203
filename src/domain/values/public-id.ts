import { fromUUID, TypeID } from 'typeid-js';
import { boundedMemo } from './bounded-memo.ts';

/**
 * The prefix that each kind of public id wears. An id looks like `job_01h455vb4pex5vsknk084sn02q`: the kind, then the
 * row's UUID in 26 characters that sort as it does. The spelling is the same in the API, in logs and in headers.
 */
export const ID_PREFIXES = {
  Job: 'job',
  Execution: 'exec',
  DeadLetter: 'dead',
  JobDependency: 'dep',
  AuditLogEntry: 'audit',
  Tag: 'tag',
  JobAlert: 'alert',
  AlertDelivery: 'delivery',
  ApiKey: 'key',
} as const;
export type PublicIdKind = keyof typeof ID_PREFIXES;

const KINDS = new Map<string, PublicIdKind>(
  (Object.entries(ID_PREFIXES) as [PublicIdKind, string][]).map(([kind, prefix]) => [prefix, kind]),
);

/** Jobs whose spelling is remembered: each of their executions names them, in headers, log lines and events. */
const KNOWN_LIMIT = 1_000;

const encodeKnownJob = boundedMemo(KNOWN_LIMIT, (uuid) => fromUUID(uuid, ID_PREFIXES.Job));

/** Longer than any id; what is longer is not even looked at. */
const MAX_LENGTH = 64;

/** The public spelling of a row's id, which has to be a UUID: that is not looked at. */
export function encodePublicId(kind: PublicIdKind, uuid: string): string {
  return kind === 'Job' ? encodeKnownJob(uuid) : fromUUID(uuid, ID_PREFIXES[kind]);
}

/** Kind and UUID of a public id; null for anything that {@link encodePublicId} could not have written. */
export function parsePublicId(text: string): { kind: PublicIdKind; uuid: string } | null {
  if (text.length > MAX_LENGTH) return null;
  const kind = KINDS.get(text.slice(0, text.lastIndexOf('_')));
  if (kind === undefined) return null;
  try {
    const id = TypeID.fromString(text, ID_PREFIXES[kind]);
    const uuid = id.toUUID();
    // More than one text may decode to the same bytes; only the one that we write is an id.
    return encodePublicId(kind, uuid) === text ? { kind, uuid } : null;
  } catch {
    return null;
  }
}

/** The UUID of a public id of one kind; null where it is malformed or of another kind. */
export function decodePublicId(kind: PublicIdKind, text: string): string | null {
  const id = parsePublicId(text);
  return id?.kind === kind ? id.uuid : null;
}
