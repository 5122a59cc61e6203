import { badArgument } from '../errors.ts';

export const DEFAULT_PAGE_SIZE = 20;
export const MAX_PAGE_SIZE = 100;

/** Arguments of a connection, as Relay names them. */
export interface PageArgs {
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
}

/** Which end a page is cut from, and how long it may be. */
export interface PageSize {
  from: 'start' | 'end';
  size: number;
}

/**
 * Reads `first` and `last`: the first {@link DEFAULT_PAGE_SIZE} where neither is given.
 *
 * @throws GraphQLError BAD_USER_INPUT where both are given, or one is negative or above {@link MAX_PAGE_SIZE}
 */
export function readPageSize({ first, last }: PageArgs): PageSize {
  if (isGiven(first) && isGiven(last)) throw badArgument('last', 'cannot be combined with first.');
  if (isGiven(last)) return { from: 'end', size: checkedSize('last', last) };
  return { from: 'start', size: isGiven(first) ? checkedSize('first', first) : DEFAULT_PAGE_SIZE };
}

function isGiven(size: number | null | undefined): size is number {
  return size !== null && size !== undefined;
}

function checkedSize(argument: 'first' | 'last', size: number): number {
  if (size < 0 || size > MAX_PAGE_SIZE) {
    throw badArgument(argument, `must be a whole number from 0 to ${MAX_PAGE_SIZE}; it is ${size}.`);
  }
  return size;
}
