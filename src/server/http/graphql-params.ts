import type { IncomingMessage } from 'node:http';
import type { GraphQLParams } from 'graphql-yoga';
import { nestsDeeperThan } from '../../domain/values/json-value.ts';
import { parseJson, readJsonBody } from './json-body.ts';
import { MAX_NESTING } from '../limits/limits.ts';
import type { RequestRefusal } from './respond.ts';

export type ParamsOrRefusal = { params: GraphQLParams } | { refusal: RequestRefusal };

/**
 * Reads the GraphQL parameters of a request, by the GraphQL-over-HTTP specification. What the parameters hold is left
 * to Yoga to check; this is about getting them out, without repeating a parser's complaint, which quotes the body.
 */
export async function readParams(request: IncomingMessage, url: URL): Promise<ParamsOrRefusal> {
  const read = request.method === 'POST' ? await readPost(request) : readGet(url.searchParams);
  if ('params' in read && nestsDeeperThan(MAX_NESTING, read.params.variables))
    return badRequest(VARIABLES_TOO_DEEP);
  return read;
}

/** For every transport. */
export const VARIABLES_TOO_DEEP = `The variables nest deeper than ${MAX_NESTING} levels.`;

async function readPost(request: IncomingMessage): Promise<ParamsOrRefusal> {
  const body = await readJsonBody(request);
  if ('refusal' in body) return body;
  const params = body.value;
  if (Array.isArray(params))
    return badRequest('Send one operation in each request; batches are not supported.');
  if (typeof params !== 'object' || params === null)
    return badRequest('The request body must be a JSON object.');
  return { params };
}

function readGet(search: URLSearchParams): ParamsOrRefusal {
  const params: GraphQLParams & { documentId?: string } = {};
  for (const name of ['query', 'operationName', 'documentId'] as const) {
    const text = search.get(name);
    if (text !== null && text !== '') params[name] = text;
  }
  for (const name of ['variables', 'extensions'] as const) {
    const text = search.get(name);
    if (text === null || text === '') continue;
    const value = parseJson(text);
    if (typeof value !== 'object') return badRequest(`The parameter ${name} is not a JSON object.`);
    params[name] = value as Record<string, unknown>;
  }
  return { params };
}

function badRequest(message: string): ParamsOrRefusal {
  return { refusal: { status: 400, code: 'BAD_REQUEST', message } };
}
