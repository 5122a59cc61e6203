/**
 * Remembers what a pure function answered, for at most `limit` different keys. When it is full, the key that
 * has been there longest goes: enough for values that cost microseconds to find again, and without the
 * bookkeeping of a true LRU. What cannot be allowed is growth without end, since keys come from users.
 */
export function boundedMemo<V>(limit: number, compute: (key: string) => V): (key: string) => V {
  const known = new Map<string, V>();
  return (key) => {
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
