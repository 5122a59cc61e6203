import { isAway } from '../../store/statements/failures.ts';

/**
 * Does something with many at once; where that fails though the database is there, with one after the other, so that one
 * that cannot be written does not keep all others from it.
 *
 * @param onFailed told of each that fails by itself
 * @throws what `work` throws while the database is away
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
