import type { PageRequest } from '../../domain/execution/page-request.ts';

/** Names a page: owners whose pages have the same name are read together. */
export function pageSignature({ order, isReversed, after, before, limit }: PageRequest): string {
  return JSON.stringify([order, isReversed, after, before, limit], (_key, value: unknown) =>
    typeof value === 'bigint' ? `${value}` : value,
  );
}
