import type { IncomingMessage } from 'node:http';
import type { GraphQLParams } from 'graphql-yoga';
import { readBody } from './request-body.ts';
import type { RequestRefusal } from './respond.ts';

export type ParamsOrRefusal = { params: GraphQLParams } | { refusal: RequestRefusal };

/**
 * Reads the GraphQL parameters of a request, by the GraphQL-over-HTTP specification. What the parameters hold is left
 * to Yoga to check; this is about getting them out, without repeating a parser's complaint, which quotes the body.
 */
export async function readParams(request: IncomingMessage, url: URL): Promise<ParamsOrRefusal> {
  return request.method === 'POST' ? await readPost(request) : readGet(url.searchParams);
}

/**
 * JSON only. Forms, multipart and plain text are the types that any web page may send to any server without asking,
 * so accepting them would let every page on the web create jobs.
 */
async function readPost(request: IncomingMessage): Promise<ParamsOrRefusal> {
  const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (type !== 'application/json') return unsupported('Send the request as Content-Type: application/json.');
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') return unsupported('Send the request without a Content-Encoding.');

  const body = await readBody(request);
  if ('refusal' in body) return body;
  const params = parseJson(body.text);
  if (params === undefined) return badRequest('The request body is not valid JSON.');
  if (Array.isArray(params))
    return badRequest('Send one operation in each request; batches are not supported.');
  if (typeof params !== 'object' || params === null)
    return badRequest('The request body must be a JSON object.');
  return { params };
}

function readGet(search: URLSearchParams): ParamsOrRefusal {
  const params: GraphQLParams = {};
  for (const name of ['query', 'operationName'] as const) {
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

/** `undefined` for what is not JSON, which JSON itself cannot say. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function badRequest(message: string): ParamsOrRefusal {
  return { refusal: { status: 400, code: 'BAD_REQUEST', message } };
}

function unsupported(message: string): ParamsOrRefusal {
  return { refusal: { status: 415, code: 'UNSUPPORTED_MEDIA_TYPE', message } };
}
