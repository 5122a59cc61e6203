import type { Clock } from '../domain/values/clock.ts';
import { noteApiKeysUsed } from '../store/access/api-keys.ts';
import type { Queryable } from '../store/statements/sql.ts';

/** The last use of a key is written at most this often. */
const WRITE_MS = 60_000;

/** When keys were last used. */
export interface KeyUses {
  /** Of uses that are not written yet, the first counts: `lastUsedAt` is exact to the minute. */
  note: (id: string) => void;
  /** Writes the uses of keys whose last one was written long enough ago. */
  write: () => Promise<void>;
}

export function createKeyUses({ db, clock }: { db: Queryable; clock: Clock }): KeyUses {
  const unwritten = new Map<string, Date>();
  const writtenAtMs = new Map<string, number>();
  return {
    note(id) {
      if (!unwritten.has(id)) unwritten.set(id, clock.now());
    },
    async write() {
      const nowMs = clock.now().getTime();
      const due = [...unwritten].filter(([id]) => nowMs - (writtenAtMs.get(id) ?? -Infinity) >= WRITE_MS);
      if (due.length === 0) return;
      await noteApiKeysUsed(
        db,
        due.map(([id, at]) => ({ id, at })),
      );
      for (const [id] of due) {
        writtenAtMs.set(id, nowMs);
        unwritten.delete(id);
      }
    },
  };
}
