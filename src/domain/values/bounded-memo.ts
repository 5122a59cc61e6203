/** Longer keys are not kept: a bound by number alone would let users fill the memory with a few large ones. */
const MAX_KEY_LENGTH = 2_048;

/**
 * Remembers what a pure function answered, for at most `limit` different keys. When it is full, the key that
 * has been there longest goes: enough for values that cost microseconds to find again, and without the
 * bookkeeping of a true LRU. What cannot be allowed is growth without end, since keys come from users.
 *
 * @param compute answers anything but undefined; a caller must not change the answer
 */
export function boundedMemo<V>(limit: number, compute: (key: string) => V): (key: string) => V {
  const known = new Map<string, V>();
  return (key) => {
    if (key.length > MAX_KEY_LENGTH) return compute(key);
    const hit = known.get(key);
    if (hit !== undefined) return hit;
    const value = compute(key);
    if (known.size >= limit) {
      const oldest = known.keys().next();
      if (!oldest.done) known.delete(oldest.value);
    }
    known.set(key, value);
    return value;
  };
}
