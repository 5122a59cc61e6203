import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  MAX_CALLBACK_BYTES,
  readCallbackReport,
  type CallbackAnswer,
  type CallbackReport,
} from '../../domain/execution/callback-report.ts';
import { CALLBACK_PATH, type CallbackClaim } from '../../domain/execution/callback-token.ts';
import type { FieldIssue } from '../../domain/job/job-definition.ts';
import { readJsonBody } from './json-body.ts';
import { methodNotAllowed, refuse, sendJson, type RequestRefusal } from './respond.ts';

/** Who takes what targets call back with. */
export interface CallbackReceiver {
  /** What a token speaks for; null for one that we have not given. */
  read: (token: string) => CallbackClaim | null;
  complete: (attempt: CallbackClaim, report: CallbackReport) => Promise<CallbackAnswer>;
}

/** Answers a path of callbacks; false for any other path. */
export type CallbackEndpoint = (
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
) => Promise<boolean>;

const REFUSALS: Record<Exclude<CallbackAnswer, 'completed'>, RequestRefusal> = {
  repeated: {
    status: 409,
    code: 'ALREADY_COMPLETED',
    message: 'This attempt was called back already; nothing has changed.',
  },
  late: {
    status: 410,
    code: 'TOO_LATE',
    message:
      'This attempt is over: its time was up, it was cancelled, its call failed, or another attempt has begun.',
  },
};

const UNKNOWN: RequestRefusal = {
  status: 404,
  code: 'NOT_FOUND',
  message: 'This is no callback URL that was given to a target.',
};

/**
 * `POST /callbacks/<token>`: the target of an attempt says how its work ended. The token is the authorization; a page in
 * a browser has none, so no other origin is let in.
 */
export function createCallbackEndpoint({ read, complete }: CallbackReceiver): CallbackEndpoint {
  return async (path, request, response) => {
    if (!path.startsWith(CALLBACK_PATH)) return false;
    const refusal = await answer(path.slice(CALLBACK_PATH.length), request);
    if (refusal) refuse(response, refusal);
    else sendJson(response, 200, { ok: true });
    return true;
  };

  async function answer(token: string, request: IncomingMessage): Promise<RequestRefusal | null> {
    if (request.method !== 'POST') return methodNotAllowed('POST');
    const attempt = read(token);
    if (attempt === null) return UNKNOWN;
    const body = await readJsonBody(request, MAX_CALLBACK_BYTES);
    if ('refusal' in body) return body.refusal;
    const reading = readCallbackReport(body.value);
    if (!reading.ok) return badReport(reading.issues);
    const outcome = await complete(attempt, reading.report);
    return outcome === 'completed' ? null : REFUSALS[outcome];
  }
}

/** The path as it may be logged, without the token: anyone who has the token can end its attempt. */
export function withoutToken(path: string | undefined): string | undefined {
  return path?.startsWith(CALLBACK_PATH) ? `${CALLBACK_PATH}***` : path;
}

function badReport(issues: readonly FieldIssue[]): RequestRefusal {
  const [first] = issues;
  const message = issues.map(({ path, message }) => [...path, message].join(': ')).join(' ');
  return {
    status: 400,
    code: 'VALIDATION_ERROR',
    message: message.slice(0, 1_000),
    extensions: { path: first?.path ?? [], issues: issues.slice(0, 10) },
  };
}
