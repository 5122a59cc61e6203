import type { DocumentNode } from 'graphql';

/** The name of a document on the server's list: the SHA-256 that it was generated with; undefined where it has none. */
export function persistedHashOf(document: string | DocumentNode): string | undefined {
  if (typeof document === 'string') return undefined;
  const { __meta__: meta } = document as { __meta__?: { hash?: unknown } };
  return typeof meta?.hash === 'string' ? meta.hash.replace(/^sha256:/, '') : undefined;
}

/** What names a document in a request, in the place of its text. */
export function persistedQuery(hash: string): { version: 1; sha256Hash: string } {
  return { version: 1, sha256Hash: hash };
}
