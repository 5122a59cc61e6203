import { isAway } from '../../store/statements/failures.ts';

/**
 * Does the work for many items at once. When that fails although the database answers, it does the work for one item
 * after the other. So one bad item does not block the others.
 *
 * @param onFailed called for each item that fails alone
 * @throws what `work` throws while the database is unreachable
 */
export async function togetherOrOneByOne<T>(
  items: readonly T[],
  work: (some: readonly T[]) => Promise<void>,
  onFailed: (item: T, error: unknown) => void,
): Promise<void> {
  try {
    await work(items);
  } catch (error) {
    const [only, ...others] = items;
    if (!only || isAway(error)) throw error;
    if (others.length === 0) onFailed(only, error);
    else for (const item of items) await togetherOrOneByOne([item], work, onFailed);
  }
}
