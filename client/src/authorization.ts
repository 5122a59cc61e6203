/** The caller's token, asked for anew with each request and each connection; null or empty where there is none. */
export type TokenSource = () => string | null | undefined | Promise<string | null | undefined>;

async function readAuthorization(token: TokenSource | undefined): Promise<string | null> {
  const value = await token?.();
  return value ? `Bearer ${value}` : null;
}

/** `fetch` that says who asks. A caller's own Authorization header wins. */
export function authorizedFetch(
  token: TokenSource | undefined,
  fetchImpl: typeof fetch | undefined,
): typeof fetch {
  return async (input, init) => {
    const headers = new Headers(init?.headers);
    const authorization = headers.has('authorization') ? null : await readAuthorization(token);
    if (authorization !== null) headers.set('authorization', authorization);
    return await (fetchImpl ?? globalThis.fetch)(input, { ...init, headers });
  };
}

/** What a websocket says of its caller: browsers let it carry no headers. */
export async function connectionPayload(token: TokenSource | undefined): Promise<Record<string, string>> {
  const authorization = await readAuthorization(token);
  return authorization === null ? {} : { authorization };
}
