/** The methods a job may call its target with. */
export const HTTP_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
export type HttpMethod = (typeof HTTP_METHODS)[number];

/** HEAD alone never carries a body; some targets (search engines) expect one with GET, so that is sent. */
export function mayCarryBody(method: HttpMethod): boolean {
  return method !== 'HEAD';
}
