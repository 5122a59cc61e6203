import type { GraphqlContext } from '../context.ts';
import { badArgument } from '../errors.ts';
import { isUnfiltered, type WhereInput } from '../filters/read-where.ts';
import type { CountedPage } from './prisma-page.ts';

/**
 * A page of what a `where` selects, or of a list that is sorted without an index. Few filters have an index of their own: one that selects hardly anything of a long
 * history may read all of it, and then reads that it must select less, and not of a fault.
 *
 * @param isSorted whether the list takes its time though nothing is filtered
 * @throws GraphQLError BAD_USER_INPUT where the database gave up; `totalCount` of the page as well
 */
export async function filteredPage<Row>(
  where: WhereInput | null | undefined,
  { isOverTime }: Pick<GraphqlContext, 'isOverTime'>,
  page: Promise<CountedPage<Row>>,
  isSorted = false,
): Promise<CountedPage<Row>> {
  if (isUnfiltered(where) && !isSorted) return page;
  const inTime = async <T>(read: Promise<T>, problem: string): Promise<T> => {
    try {
      return await read;
    } catch (error) {
      throw isOverTime(error) ? badArgument('where', problem) : error;
    }
  };
  const found = await inTime(page, FOUND_TOO_SLOWLY);
  return { ...found, totalCount: () => inTime(found.totalCount(), COUNTED_TOO_SLOWLY) };
}

const FOUND_TOO_SLOWLY =
  'finding what it selects takes longer than a statement may; narrow it, by a span of time for example.';
const COUNTED_TOO_SLOWLY =
  'counting what it selects takes longer than a statement may; narrow it, by a span of time for example, or leave out totalCount.';
