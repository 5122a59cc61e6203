/** The methods a job may call its target with. */
export const HTTP_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
export type HttpMethod = (typeof HTTP_METHODS)[number];

/**
 * Why a request cannot have a body, null where it can, or has none. HEAD alone never carries one; some targets (search
 * engines) expect one with GET, so that is sent.
 */
export function whyNoBody(method: HttpMethod, body: unknown): string | null {
  return method === 'HEAD' && body !== null ? 'A HEAD request cannot carry a body.' : null;
}
