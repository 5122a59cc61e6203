import { EXECUTION_ID_HEADER } from './header-rules.ts';
import type { CallIdentity, ShownRequest } from './outgoing-request.ts';

/**
 * What a request accepts unless its job says otherwise. Never to be changed: whatever was kept without it is shown with it.
 */
export const ACCEPTED_ENCODINGS = 'gzip, deflate, br';

/** The headers that tell a target whose call it is, the same with every attempt. */
export function identityHeaders({ executionId, jobId, scheduledAt }: CallIdentity): Record<string, string> {
  const headers: Record<string, string> = {
    [EXECUTION_ID_HEADER]: executionId,
    'x-job-id': jobId,
    'idempotency-key': executionId,
  };
  if (scheduledAt) headers['x-scheduled-at'] = scheduledAt.toISOString();
  return headers;
}

const REPEATED: ReadonlySet<string> = new Set([
  EXECUTION_ID_HEADER,
  'x-job-id',
  'idempotency-key',
  'x-scheduled-at',
]);

/** Only what is on its way has it: a request whose templates could not be filled has none of {@link identityHeaders}. */
const OF_WHAT_WAS_SENT = 'x-attempt';

/**
 * A request as it is kept with its execution: without the headers that only repeat whose call it is, and what nearly all
 * accept; more than half of its size.
 */
export function keptRequest(request: ShownRequest): ShownRequest {
  if (!(OF_WHAT_WAS_SENT in request.headers)) return request;
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers))
    if (!isRepeated(name, value)) headers[name] = value;
  return { ...request, headers };
}

function isRepeated(name: string, value: string): boolean {
  return REPEATED.has(name) || (name === 'accept-encoding' && value === ACCEPTED_ENCODINGS);
}

/** The request as it was sent. */
export function sentRequest(kept: ShownRequest, identity: CallIdentity): ShownRequest {
  if (!(OF_WHAT_WAS_SENT in kept.headers)) return kept;
  const headers = { 'accept-encoding': ACCEPTED_ENCODINGS, ...kept.headers, ...identityHeaders(identity) };
  return { ...kept, headers };
}
