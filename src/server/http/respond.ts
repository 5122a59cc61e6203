import type { ServerResponse } from 'node:http';

/** Answers with JSON that no cache keeps. A HEAD request gets the same headers and no body. */
export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
    ...headers,
  });
  response.end(text);
}

/** A request that cannot be carried out as a whole, in the shape of every GraphQL error. */
export interface RequestRefusal {
  status: number;
  code: string;
  message: string;
  headers?: Record<string, string>;
  /** Facts for a program, beside the code. */
  extensions?: Record<string, unknown>;
}

/** Answers in the shape that GraphQL clients read: `{ errors: [{ message, extensions: { code } }] }`. */
export function refuse(
  response: ServerResponse,
  { status, code, message, headers, extensions }: RequestRefusal,
): void {
  sendJson(response, status, { errors: [{ message, extensions: { code, ...extensions } }] }, headers);
}

/** The refusal of a method that a path does not know. */
export function methodNotAllowed(allow: string): RequestRefusal {
  return {
    status: 405,
    code: 'METHOD_NOT_ALLOWED',
    message: `Allowed methods: ${allow}.`,
    headers: { Allow: allow },
  };
}
