import type { PageRequest } from '../../domain/execution/page-request.ts';
import type { ConnectionRequest } from './page.ts';

/** From which end a page of a list by time is cut; null where a cursor says where it begins or ends. */
export function endOfPage({ ordering, args, pageSize }: ConnectionRequest): PageRequest['from'] | null {
  if (typeof args.after === 'string' || typeof args.before === 'string') return null;
  const isNewestFirst = ordering[0]?.direction === 'desc';
  return isNewestFirst === (pageSize.from === 'start') ? 'newest' : 'oldest';
}
