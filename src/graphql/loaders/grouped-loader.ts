import { groupBy } from '../../domain/values/group-by.ts';
import DataLoader from 'dataloader';

/**
 * Batches keys that ask the same of different owners, such as the newest three of each of twenty. Remembers nothing: it
 * outlives requests.
 *
 * @param ownerOf the row that a key asks about
 * @param signatureOf what it asks; keys of one signature are read together
 * @param absent what an owner gets that the answer does not name
 */
export function groupedLoader<Key, Value>(
  ownerOf: (key: NoInfer<Key>) => string,
  signatureOf: (key: NoInfer<Key>) => string,
  read: (owners: string[], sample: NoInfer<Key>) => Promise<Map<string, Value>>,
  absent: Value,
): DataLoader<Key, Value> {
  return new DataLoader<Key, Value>(
    async (keys) => {
      const signatures = new Map(keys.map((key) => [key, signatureOf(key)]));
      const answers = new Map<string | undefined, Map<string, Value>>();
      await Promise.all(
        [...groupBy(keys, (key) => signatures.get(key))].map(async ([signature, group]) => {
          answers.set(signature, await read([...new Set(group.map(ownerOf))], group[0]));
        }),
      );
      return keys.map((key) => answers.get(signatures.get(key))?.get(ownerOf(key)) ?? absent);
    },
    { cache: false },
  );
}
