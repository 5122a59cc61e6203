import type { IncomingMessage } from 'node:http';
import { EXECUTION_ID_HEADER } from '../../domain/request/header-rules.ts';
import type { RequestRefusal } from './respond.ts';

/**
 * Whether an execution makes this request: only the scheduler sets that header. A job that calls the API could trigger
 * itself without end, and a redirect of any target could lead a call here, behind what protects the API from the network.
 */
export function isCallOfJob({ headers }: IncomingMessage): boolean {
  return headers[EXECUTION_ID_HEADER] !== undefined;
}

export const CALL_OF_JOB: RequestRefusal = {
  status: 403,
  code: 'EXECUTION_ID_NOT_ALLOWED',
  message:
    'The request has the header X-Execution-Id, so a job makes it. No job may call the API, as it could trigger itself without end. A program that was called by a job leaves the header out of its own requests.',
};
